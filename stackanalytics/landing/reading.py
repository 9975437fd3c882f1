"""Messages to rows of ``notifications``, without the columns that the lake gives itself.

Each message is decoded into two small structures, its body and its payload, of which a row of
cells is left. Columns are made of many rows at once, which costs a fraction of making them row by row.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import compress
from typing import Any, NamedTuple

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
from msgspec import Raw, field
from msgspec.structs import replace

from stackanalytics import times
from stackanalytics.lake import Notifications, identity
from stackanalytics.lake.keys import Hashes
from stackanalytics.lake.writing import GIVEN
from stackanalytics.landing import column, image
from stackanalytics.landing.cell import Cells, Row, joined_array, text_array, written
from stackanalytics.landing.form import BARE, Message, UnreadableError
from stackanalytics.landing.name import name
from stackanalytics.landing.payload import ABSENT, NOTHING, Absent, Payload, Text, load, read_payload, text
from stackanalytics.landing.redact import NOTHING_BYTES, find_secrets, redact, without_values
from stackanalytics.schema import INSTANT, arrow_schema

SCHEMA = arrow_schema(*GIVEN)
NO_HASHES: Hashes = np.array([], np.uint64)
_TOKEN, _CATALOG = b'"_context_auth_token"', b'"_context_service_catalog"'


class _Body(msgspec.Struct, gc=False):
    """The values of a body that matter, in the order in which they mostly come."""

    message_id: Text = None
    publisher_id: Text = None
    event_type: Text = None
    priority: Text = None
    payload: Raw = NOTHING
    timestamp: Text = None
    context_timestamp: Text = field(default=None, name="_context_timestamp")
    request_id: Text = field(default=None, name="_context_request_id")
    user: Text = field(default=None, name="_context_user")
    user_id: Text = field(default=None, name="_context_user_id")
    tenant: Text = field(default=None, name="_context_tenant")
    project_id: Text = field(default=None, name="_context_project_id")
    auth_token: Raw = field(default=NOTHING, name="_context_auth_token")
    service_catalog: Raw = field(default=NOTHING, name="_context_service_catalog")
    deleted_at: Text = None


class _BareBody(_Body, gc=False):
    """A body that is in no other form, of which each of these would tell."""

    oslo_message: Absent = field(default=ABSENT, name="oslo.message")
    routed_body: Absent = field(default=ABSENT, name="body")
    listener_context: Absent = field(default=ABSENT, name="ctxt")
    kafka_context: Absent = field(default=ABSENT, name="_context")
    metadata: Absent = ABSENT


class _LooseBody(msgspec.Struct):
    payload: Raw = NOTHING


_decode_bare = msgspec.json.Decoder(_BareBody).decode
_decode = msgspec.json.Decoder(_Body).decode
_decode_loose = msgspec.json.Decoder(_LooseBody).decode
_TEXTS = {
    inner: outer
    for inner, outer in zip(_Body.__struct_fields__, _Body.__struct_encode_fields__, strict=True)
    if getattr(_Body(), inner) is None
}


class Rejected(NamedTuple):
    """A message that turned out to be no notification: what the caller knows it by, and its body."""

    tag: int
    content: bytes
    reason: str


class Reading:
    """Messages read so far, on their way to become columns."""

    def __init__(self, *, deployment: str = "default", exchange: str | None = None) -> None:
        """Name the deployment and the exchange of messages that do not tell theirs."""
        self._deployment = deployment
        self._exchange = exchange
        self._fresh = _Fresh()
        self._metas: dict[int, tuple[int, image.Meta]] = {}
        self._cells = Cells(column.CELLS)
        self._settled: list[_Settled] = []

    def __len__(self) -> int:
        """How many messages were read and not settled yet."""
        return len(self._fresh.tags)

    def add_bare(
        self, contents: Sequence[bytes], tags: Sequence[int], transports: Sequence[Message] | None = None
    ) -> bool:
        """Read a handful of bare bodies, each with its tag and with what its transport told.

        Return False, with none of them read, where any of the bytes are not known to be a bare body.
        """
        try:
            bodies = [_decode_bare(content) for content in contents]
            for content in contents:
                if not content.isascii():
                    content.decode()
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return False
        if not all(body.event_type for body in bodies):
            return False
        hashes = [
            identity.content_hash(body.event_type, body.publisher_id, body.timestamp, body.payload) for body in bodies
        ]
        self._add(bodies, contents, tags, transports or [BARE] * len(contents), hashes)
        return True

    def add(self, messages: Sequence[Message], tags: Sequence[int]) -> list[Rejected]:
        """Read opened messages, and return those that are no notifications."""
        read, rejected = [], []
        for message, tag in zip(messages, tags, strict=True):
            content = message.body.encode()
            try:
                read.append((*_read_body(content), content, tag, message))
            except UnreadableError as problem:
                rejected.append(Rejected(tag, content, str(problem)))
        if read:
            bodies, hashes, contents, kept, transports = zip(*read, strict=True)
            self._add(bodies, contents, kept, transports, hashes)
        return rejected

    def settle(self) -> list[Rejected]:
        """Redact what was read, and return the messages that have no usable time.

        To be called every few thousand messages.
        """
        fresh, self._fresh = self._fresh, _Fresh()
        if not fresh.tags:
            return []
        bodies = self._redacted_bodies(fresh)
        instants, rejected = _generated_at(fresh, bodies)
        if rejected:
            usable = instants.is_valid()
            bodies, instants = bodies.filter(usable), instants.filter(usable)
            fresh.keep(usable.to_pylist())
        self._cells.add(b"".join(fresh.lines))
        self._settled.append(
            _Settled(bodies, instants, np.array(fresh.keys, np.uint64), np.array(fresh.contents, np.uint64))
        )
        return rejected

    def notifications(self) -> tuple[Notifications, list[Rejected]]:
        """Return the rows, secrets redacted, and those of the messages not settled before that have no usable time."""
        rejected = self.settle()
        metas = [meta for _, meta in self._metas.values()]
        columns = column.columns(self._cells.table(), metas, self._deployment)
        columns["body"] = pa.chunked_array([part.bodies for part in self._settled], pa.string())
        columns["generated_at"] = pa.chunked_array([part.instants for part in self._settled], INSTANT)
        found = Notifications(
            rows=pa.table([columns[name] for name in SCHEMA.names], schema=SCHEMA),
            keys=np.concatenate([NO_HASHES, *(part.keys for part in self._settled)]),
            contents=np.concatenate([NO_HASHES, *(part.contents for part in self._settled)]),
        )
        return found, rejected

    def _add(
        self,
        bodies: Sequence[_Body],
        contents: Sequence[bytes],
        tags: Sequence[int],
        transports: Sequence[Message],
        hashes: Sequence[int],
    ) -> None:
        """Take bodies step by step, each for all of them: processors like to do the same again."""
        fresh = self._fresh
        payloads = [read_payload(body.payload, body.event_type or "") for body in bodies]
        fresh.lines.append(written([self._row(*read) for read in zip(bodies, payloads, transports, strict=True)]))
        fresh.contents += hashes
        fresh.keys += [
            identity.id_hash(transport.deployment or self._deployment, body.message_id)
            if body.message_id
            else identity.context_hash(
                transport.deployment or self._deployment,
                content_hash,
                (body.request_id or None, body.context_timestamp or None),
            )
            for body, transport, content_hash in zip(bodies, transports, hashes, strict=True)
        ]
        fresh.said += [body.timestamp or "" for body in bodies]
        fresh.tags += tags
        fresh.transports += transports
        fresh.bodies.append(_without_context_secrets(bodies, contents))

    def _row(self, b: _Body, p: Payload, transport: Message) -> Row:
        """Return the cells of ``column.CELLS``, with something before and after them."""
        return (
            0,
            p.instance_uuid,
            b.request_id or p.request_id or transport.request_id,
            b.message_id,
            b.event_type,
            transport.routing_key,
            b.publisher_id,
            p.tenant_id or p.project_id or b.project_id or b.tenant,
            p.user_id or b.user_id or b.user,
            p.resource,
            p.state,
            p.old_state,
            p.new_task_state,
            p.old_task_state,
            p.instance_type,
            p.instance_type_id,
            p.instance_flavor_id,
            p.memory_mb,
            p.vcpus,
            p.root_gb,
            p.ephemeral_gb,
            p.message,
            p.bandwidth_public_out,
            p.status,
            p.size,
            transport.deployment,
            transport.exchange or self._exchange or (name(b.event_type, True).exchange if p.is_exception else None),
            b.priority,
            p.is_versioned,
            self._place_of(p.image_meta) if p.image_meta else None,
            p.os_type,
            p.launched_at,
            p.deleted_at or b.deleted_at,
            p.terminated_at,
            p.audit_period_beginning,
            p.audit_period_ending,
            p.created_at,
            0,
        )

    def _place_of(self, meta: image.Meta) -> int:
        """Count the metadata of images; those of one image are mostly one object."""
        known = self._metas.get(id(meta))
        if known is None:
            known = self._metas[id(meta)] = (len(self._metas), meta)
        return known[0]

    def _redacted_bodies(self, fresh: "_Fresh") -> pa.StringArray:
        """Redact what stands deeper than in the context; the messages concerned are read once more."""
        bodies = pa.chunked_array(fresh.bodies, pa.string()).combine_chunks()  # as Parquet's pages go no further
        places = find_secrets(bodies)
        if not places:
            return bodies
        texts = pl.Series(bodies).to_list()
        for place in places:
            texts[place] = redact(texts[place])
        messages = [replace(fresh.transports[place], body=texts[place]) for place in places]
        self.add(messages, [fresh.tags[place] for place in places])
        again, self._fresh = self._fresh, _Fresh()
        fresh.take(again, places)
        return text_array(texts)


@dataclass(slots=True)
class _Fresh:
    """Messages that were read and not settled yet."""

    tags: list[int] = dataclasses.field(default_factory=list)
    transports: list[Message] = dataclasses.field(default_factory=list)
    said: list[str] = dataclasses.field(default_factory=list)
    keys: list[int] = dataclasses.field(default_factory=list)
    contents: list[int] = dataclasses.field(default_factory=list)
    lines: list[bytes] = dataclasses.field(default_factory=list)  # of some rows each
    bodies: list[pa.StringArray] = dataclasses.field(default_factory=list)

    def take(self, other: "_Fresh", places: Sequence[int]) -> None:
        """Let what was read of some messages later stand in their places."""
        for mine, read in zip(self._lists(), other._lists(), strict=True):
            for place, value in zip(places, read, strict=True):
                mine[place] = value

    def keep(self, is_kept: Sequence[bool]) -> None:
        """Forget the others."""
        for values in self._lists():
            values[:] = compress(values, is_kept)

    def _lists(self) -> tuple[list[Any], ...]:
        self.lines = b"".join(self.lines).splitlines(keepends=True)
        return self.tags, self.transports, self.said, self.keys, self.contents, self.lines


class _Settled(NamedTuple):
    bodies: pa.StringArray
    instants: pa.Array
    keys: Hashes
    contents: Hashes


def _generated_at(fresh: _Fresh, bodies: pa.StringArray) -> tuple[pa.Array, list[Rejected]]:
    """Read the times of all messages; almost all are written in one way."""
    instants = column.instants(text_array(fresh.said))
    rejected: list[Rejected] = []
    if instants.null_count:
        read = instants.to_pylist()
        for place in (place for place, instant in enumerate(read) if instant is None):
            content = bodies[place].as_py().encode()
            try:
                read[place] = _unusual_time(content)
            except UnreadableError as problem:
                rejected.append(Rejected(fresh.tags[place], content, str(problem)))
        instants = pl.Series(read, dtype=pl.Datetime("us", "UTC")).to_arrow()
    return instants, rejected


def _unusual_time(content: bytes) -> datetime:
    body, _ = _read_body(content)
    payload = read_payload(body.payload, body.event_type or "")
    for said in (body.timestamp, body.context_timestamp, payload.event_time):
        if said and (generated_at := times.parse(said)):
            return generated_at
    given = body.timestamp or body.context_timestamp or payload.event_time
    raise UnreadableError(f"no usable time: {given!r} cannot be read" if given else "no usable time: none is given")


def _read_body(content: bytes) -> tuple[_Body, int]:
    """Read a body in which a value may have an unexpected type; return the hash of its content, too."""
    try:
        body = _decode(content)
        hashed = identity.content_hash(body.event_type, body.publisher_id, body.timestamp, body.payload)
    except (msgspec.DecodeError, RecursionError):
        body = _loose_body(content.decode())
        hashed = identity.body_content(content.decode())
    if not body.event_type:
        raise UnreadableError("no event_type")
    return body, hashed


def _without_context_secrets(bodies: Sequence[_Body], contents: Sequence[bytes]) -> pa.StringArray:
    """Redact what stands in the context of most messages; other secrets are left to the search."""
    parts: list[bytes | memoryview] = []
    lengths = []
    for body, content in zip(bodies, contents, strict=True):
        if len(body.auth_token) > NOTHING_BYTES or len(body.service_catalog) > NOTHING_BYTES:
            redacted = without_values(content, ((_TOKEN, body.auth_token), (_CATALOG, body.service_catalog)))
            parts += redacted
            lengths.append(sum(map(len, redacted)))
        else:
            parts.append(content)
            lengths.append(len(content))
    return joined_array(parts, lengths)


def _loose_body(content: str) -> _Body:
    """Read a body in which a value has an unexpected type: that value is as if it were not there."""
    found = load(content)
    if not isinstance(found, dict):
        raise UnreadableError("malformed JSON, or nested too deeply")
    body = _Body()
    for inner, outer in _TEXTS.items():
        setattr(body, inner, text(found.get(outer)))
    if not isinstance(found.get("event_type"), str):
        body.event_type = None
    try:
        body.payload = _decode_loose(content).payload
    except (msgspec.DecodeError, RecursionError):
        body.payload = NOTHING
    return body
