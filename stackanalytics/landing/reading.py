"""Messages to rows of ``notifications``, without the columns that the lake gives itself.

Each message is decoded into two small structures, its body and its payload; the columns are then
taken from many of them at once, which costs a fraction of building rows.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
from msgspec import Raw, field
from msgspec.structs import replace

from stackanalytics import times
from stackanalytics.lake import Notifications, identity
from stackanalytics.lake.writing import GIVEN
from stackanalytics.landing import image
from stackanalytics.landing.form import Message, UnreadableError
from stackanalytics.landing.name import Name, name, publisher
from stackanalytics.landing.payload import NOTHING, Payload, Text, load, read_payload, text
from stackanalytics.landing.redact import REDACTED, find_secrets, redact
from stackanalytics.schema import arrow_schema

SCHEMA = arrow_schema(*GIVEN)
DTYPES = {pa.string(): pl.String, pa.int32(): pl.Int32}
CLOSE = 16  # at most so many characters between a key and its value
USUAL_TIME = "%Y-%m-%d %H:%M:%S%.f"
USUAL_FORM = r"^([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-5][0-9](?:\.[0-9]{1,6})?)$"
PRIORITIES = frozenset(["AUDIT", "DEBUG", "INFO", "WARN", "ERROR", "CRITICAL", "SAMPLE"])


class _Body(msgspec.Struct, gc=False):
    message_id: Text = None
    publisher_id: Text = None
    event_type: Text = None
    priority: Text = None
    payload: Raw = NOTHING
    timestamp: Text = None
    context_timestamp: Text = field(default=None, name="_context_timestamp")
    user: Text = field(default=None, name="_context_user")
    project_id: Text = field(default=None, name="_context_project_id")
    tenant: Text = field(default=None, name="_context_tenant")
    auth_token: Raw = field(default=NOTHING, name="_context_auth_token")
    request_id: Text = field(default=None, name="_context_request_id")
    user_id: Text = field(default=None, name="_context_user_id")
    service_catalog: Raw = field(default=NOTHING, name="_context_service_catalog")
    deleted_at: Text = None
    # each of these tells of a form that must be opened first
    oslo_message: Raw = field(default=NOTHING, name="oslo.message")
    routed_body: Raw = field(default=NOTHING, name="body")
    listener_context: Raw = field(default=NOTHING, name="ctxt")
    kafka_context: Raw = field(default=NOTHING, name="_context")
    metadata: Raw = NOTHING


class _LooseBody(msgspec.Struct):
    payload: Raw = NOTHING


_decode = msgspec.json.Decoder(_Body).decode
_decode_loose = msgspec.json.Decoder(_LooseBody).decode
_TEXTS = {
    inner: outer
    for inner, outer in zip(_Body.__struct_fields__, _Body.__struct_encode_fields__, strict=True)
    if getattr(_Body(), inner) is None
}


class Rejected(NamedTuple):
    """A message that turned out to be no notification, with what the caller knows it by."""

    tag: int
    reason: str


class Reading:
    """Messages read so far, on their way to become columns."""

    def __init__(self, *, deployment: str = "default", exchange: str | None = None) -> None:
        """Name the deployment and the exchange of messages that do not tell theirs."""
        self._deployment = deployment
        self._exchange = exchange
        self._tags: list[int] = []
        self._texts: list[str] = []
        self._bodies: list[_Body] = []
        self._payloads: list[Payload] = []
        self._names: list[Name] = []
        self._keys: list[int] = []
        self._contents: list[int] = []
        self._transports: dict[int, Message] = {}

    def __len__(self) -> int:
        """How many messages were read."""
        return len(self._texts)

    def add_bare(self, text: str, tag: int = 0) -> bool:
        """Read a bare body; return False where the text is not known to be one.

        Raises
        ------
        UnreadableError
            If it is a body, but without an event type.
        """
        try:
            body = _decode(text)
        except (msgspec.DecodeError, RecursionError):
            return False
        if body.oslo_message or body.routed_body or body.listener_context or body.kafka_context or body.metadata:
            return False
        self._add(body, text, tag, None)
        return True

    def add(self, message: Message, tag: int = 0) -> None:
        """Read an opened message, likewise."""
        try:
            body = _decode(message.body)
            content = None
        except (msgspec.DecodeError, RecursionError):
            body = _loose_body(message.body)
            content = identity.body_content(message.body)
        self._add(body, message.body, tag, message, content)

    def notifications(self) -> tuple[Notifications, list[Rejected]]:
        """Return the rows, secrets redacted, and the messages that have no usable time."""
        bodies = self._redacted_bodies()
        instants, rejected = self._generated_at()
        made = {"generated_at": instants.to_arrow(), "body": bodies}
        columns = self._columns()
        arrays = [made[field.name] if field.name in made else _array(columns[field.name], field) for field in SCHEMA]
        found = Notifications(
            rows=pa.table(arrays, schema=SCHEMA),
            keys=np.array(self._keys, dtype=np.uint64),
            contents=np.array(self._contents, dtype=np.uint64),
        )
        if not rejected:
            return found, rejected
        usable = instants.is_not_null().to_numpy()
        kept = Notifications(
            found.rows.filter(pl.Series(usable).to_arrow()), found.keys[usable], found.contents[usable]
        )
        return kept, rejected

    def _add(self, body: _Body, text: str, tag: int, transport: Message | None, content: int | None = None) -> None:
        event_type = body.event_type
        if not event_type:
            raise UnreadableError("no event_type")
        payload = read_payload(body.payload, event_type) if body.payload else Payload()
        deployment = self._deployment
        if transport is not None:
            self._transports[len(self._texts)] = transport
            deployment = transport.deployment or deployment
        if content is None:
            content = identity.content_hash(event_type, body.publisher_id, body.timestamp, body.payload)
        self._contents.append(content)
        context = (body.request_id or None, body.context_timestamp or None)
        self._keys.append(identity.key_hash(deployment, body.message_id or None, content, context))
        self._names.append(name(event_type, payload.is_exception))
        self._tags.append(tag)
        self._bodies.append(body)
        self._payloads.append(payload)
        self._texts.append(_without_context_secrets(body, text))

    def _redacted_bodies(self) -> pa.Array:
        """Redact what stands deeper than in the context; the messages concerned are read once more."""
        bodies = _text_array(self._texts)
        places = find_secrets(bodies)
        for place in places:
            again = Reading(deployment=self._deployment, exchange=self._exchange)
            transport = self._transports.get(place, Message(""))
            again.add(replace(transport, body=redact(self._texts[place])), self._tags[place])
            for mine, read in zip(self._lists(), again._lists(), strict=True):
                mine[place] = read[0]
        return _text_array(self._texts) if places else bodies

    def _lists(self) -> tuple[list[object], ...]:
        return tuple(value for value in vars(self).values() if isinstance(value, list))

    def _generated_at(self) -> tuple[pl.Series, list[Rejected]]:
        """Read the times of all messages; almost all are written in one way."""
        said = pl.Series([body.timestamp for body in self._bodies], dtype=pl.String)
        usual = said.str.extract(USUAL_FORM)  # for what follows is lenient
        instants = usual.str.to_datetime(USUAL_TIME, time_unit="us", time_zone="UTC", strict=False)
        rejected = []
        for place in instants.is_null().arg_true().to_list():
            try:
                instants[place] = _unusual_time(self._bodies[place], self._payloads[place])
            except UnreadableError as problem:
                rejected.append(Rejected(self._tags[place], str(problem)))
        return instants, rejected

    def _columns(self) -> dict[str, Sequence[object]]:
        bodies, payloads, names = self._bodies, self._payloads, self._names
        metas = [payload.image_meta or image.NO_META for payload in payloads]
        publishers = [publisher(body.publisher_id) for body in bodies]
        exchanges = self._transported("exchange", [self._exchange or said.exchange for said in names])
        routing_keys = self._transported("routing_key", [None] * len(bodies))
        request_ids = [b.request_id or p.request_id or None for b, p in zip(bodies, payloads, strict=True)]
        return {
            "instance": [p.instance_uuid or None for p in payloads],
            "request_id": self._transported("request_id", request_ids, is_default=True),
            "message_id": [b.message_id or None for b in bodies],
            "deployment": self._transported("deployment", [self._deployment] * len(bodies)),
            "exchange": exchanges,
            "event_type": [b.event_type for b in bodies],
            "operation": [said.operation for said in names],
            "phase": [said.phase for said in names],
            "format": ["versioned" if p.is_versioned else "legacy" for p in payloads],
            "routing_key": routing_keys,
            "priority": [_priority(b.priority, key) for b, key in zip(bodies, routing_keys, strict=True)],
            "publisher_id": [b.publisher_id or None for b in bodies],
            "service": [service for service, _ in publishers],
            "host": [host for _, host in publishers],
            "tenant": [
                p.tenant_id or p.project_id or b.project_id or b.tenant or None
                for b, p in zip(bodies, payloads, strict=True)
            ],
            "user": [p.user_id or b.user_id or b.user or None for b, p in zip(bodies, payloads, strict=True)],
            "resource": [p.resource or None for p in payloads],
            "state": [p.state or None for p in payloads],
            "old_state": [p.old_state or None for p in payloads],
            "task": [p.new_task_state or None for p in payloads],
            "old_task": [p.old_task_state or None for p in payloads],
            "image_type": [
                image.bits(meta, p.os_type) if exchange in ("nova", "glance") else None
                for meta, p, exchange in zip(metas, payloads, exchanges, strict=True)
            ],
            "os_architecture": [meta.usage_architecture or None for meta in metas],
            "os_distro": [meta.usage_distro or None for meta in metas],
            "os_version": [meta.usage_version or None for meta in metas],
            "rax_options": [meta.usage_options or None for meta in metas],
            "instance_type": [p.instance_type or None for p in payloads],
            "instance_type_id": [text(p.instance_type_id) for p in payloads],
            "instance_flavor_id": [text(p.instance_flavor_id) for p in payloads],
            "memory_mb": [p.memory_mb for p in payloads],
            "vcpus": [p.vcpus for p in payloads],
            "root_gb": [p.root_gb for p in payloads],
            "ephemeral_gb": [p.ephemeral_gb for p in payloads],
            "launched_at": _instants([p.launched_at for p in payloads]),
            "deleted_at": _instants([p.deleted_at or b.deleted_at for b, p in zip(bodies, payloads, strict=True)]),
            "terminated_at": _instants([p.terminated_at for p in payloads]),
            "audit_period_beginning": _instants([p.audit_period_beginning for p in payloads]),
            "audit_period_ending": _instants([p.audit_period_ending for p in payloads]),
            "message": [p.message or None for p in payloads],
            "bandwidth_public_out": [p.bandwidth_public_out for p in payloads],
            "status": [p.status or None for p in payloads],
            "size": [p.size for p in payloads],
            "created_at": _instants([p.created_at for p in payloads]),
        }

    def _transported(self, what: str, values: list[Text], *, is_default: bool = False) -> list[Text]:
        """Put in what transports told, or, where that is only the default, what was not told otherwise."""
        for place, transport in self._transports.items():
            if (told := getattr(transport, what)) and not (is_default and values[place]):
                values[place] = told
        return values


def _unusual_time(body: _Body, payload: Payload) -> datetime:
    for said in (body.timestamp, body.context_timestamp, payload.event_time):
        if said and (generated_at := times.parse(said)):
            return generated_at
    given = body.timestamp or body.context_timestamp or payload.event_time
    raise UnreadableError(f"no usable time: {given!r} cannot be read" if given else "no usable time: none is given")


def _text_array(texts: list[str]) -> pa.Array:
    """Return texts as an Arrow array, by way of one joined text: several times faster for long ones."""
    joined = "".join(texts)
    data = joined.encode()
    lengths = [len(text) for text in texts] if len(data) == len(joined) else [len(text.encode()) for text in texts]
    offsets = np.zeros(len(texts) + 1, dtype=np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(offsets), pa.py_buffer(data))


def _array(values: Sequence[object], field: pa.Field) -> pa.Array:
    """Return values as an Arrow array, by way of polars: the first of Arrow's own imports pandas, which takes long."""
    return pl.Series(values, dtype=DTYPES.get(field.type, pl.Int64)).to_arrow().cast(field.type)


def _instants(said: list[Text]) -> list[int | None]:
    """Read times, of which many messages repeat the same, as microseconds since 1970."""
    known = {each: _microseconds(each) for each in set(said)}
    return [known[each] for each in said]


def _microseconds(said: Text) -> int | None:
    moment = times.parse(said) if said else None
    return None if moment is None else times.unix_us(moment)


def _without_context_secrets(body: _Body, text: str) -> str:
    """Redact the secrets that stand in the context of most messages; the others are left to the search."""
    for key, raw in (('"_context_auth_token"', body.auth_token), ('"_context_service_catalog"', body.service_catalog)):
        if raw and len(secret := bytes(raw).decode()) > len("null"):
            place = text.find(key)
            start = text.find(secret, place + len(key), place + len(key) + len(secret) + CLOSE) if place >= 0 else -1
            if start >= 0:
                text = f'{text[:start]}"{REDACTED}"{text[start + len(secret) :]}'
    return text


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


@lru_cache(maxsize=1_000)
def _priority(said: Text, routing_key: Text) -> Text:
    if said:
        return said.upper()
    last = routing_key.rpartition(".")[2].upper() if routing_key else ""
    return last if last in PRIORITIES else None
