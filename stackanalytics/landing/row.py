"""One message to one row of ``notifications``, without the columns that the lake gives itself."""

from datetime import datetime
from typing import NamedTuple

import msgspec
from msgspec import Raw, field

from stackanalytics import times
from stackanalytics.lake import identity
from stackanalytics.landing import image
from stackanalytics.landing.form import Message, Unreadable
from stackanalytics.landing.name import name, publisher
from stackanalytics.landing.payload import NOTHING, Payload, Text, load, read_payload, text

REMEMBERED = 100_000


class Row(NamedTuple):
    """The columns that a body and its transport tell, in the table's order."""

    generated_at: datetime
    instance: Text
    request_id: Text
    message_id: Text
    deployment: str
    exchange: str
    event_type: str
    operation: str
    phase: Text
    format: str
    routing_key: Text
    priority: Text
    publisher_id: Text
    service: Text
    host: Text
    tenant: Text
    user: Text
    resource: Text
    state: Text
    old_state: Text
    task: Text
    old_task: Text
    image_type: int | None
    os_architecture: Text
    os_distro: Text
    os_version: Text
    rax_options: Text
    instance_type: Text
    instance_type_id: Text
    instance_flavor_id: Text
    memory_mb: int | None
    vcpus: int | None
    root_gb: int | None
    ephemeral_gb: int | None
    launched_at: datetime | None
    deleted_at: datetime | None
    terminated_at: datetime | None
    audit_period_beginning: datetime | None
    audit_period_ending: datetime | None
    message: Text
    bandwidth_public_out: int | None
    status: Text
    size: int | None
    created_at: datetime | None
    body: str


class Read(NamedTuple):
    """A row, and the hashes by which the message is recognised."""

    row: Row
    key: int
    content: int


class _Body(msgspec.Struct):
    event_type: Text = None
    message_id: Text = None
    timestamp: Text = None
    publisher_id: Text = None
    priority: Text = None
    deleted_at: Text = None
    payload: Raw = NOTHING
    request_id: Text = field(default=None, name="_context_request_id")
    context_timestamp: Text = field(default=None, name="_context_timestamp")
    project_id: Text = field(default=None, name="_context_project_id")
    tenant: Text = field(default=None, name="_context_tenant")
    user_id: Text = field(default=None, name="_context_user_id")
    user: Text = field(default=None, name="_context_user")
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


class Reader:
    """Reads messages into rows."""

    def __init__(self, *, deployment: str = "default", exchange: str | None = None) -> None:
        """Name the deployment and the exchange of messages that do not tell theirs."""
        self._deployment = deployment
        self._exchange = exchange
        self._instants: dict[str, datetime | None] = {}

    def bare(self, text: str) -> Read | None:
        """Read a bare body, or return None where the text is not known to be one.

        Raises
        ------
        Unreadable
            If it is a body, but without an event type or a usable time.
        """
        try:
            body = _decode(text)
        except (msgspec.DecodeError, RecursionError):
            return None
        if body.oslo_message or body.routed_body or body.listener_context or body.kafka_context or body.metadata:
            return None
        return self._read(body, Message(text))

    def message(self, message: Message) -> Read:
        """Read an opened message, likewise."""
        try:
            body = _decode(message.body)
        except (msgspec.DecodeError, RecursionError):
            body = _loose_body(message.body)
        return self._read(body, message)

    def _read(self, body: _Body, message: Message) -> Read:
        event_type = body.event_type
        if not event_type:
            raise Unreadable("no event_type")
        payload = read_payload(body.payload, event_type) if body.payload else Payload()
        generated_at = self._generated_at(body, payload)
        deployment = message.deployment or self._deployment
        message_id = body.message_id or None
        content = identity.content_hash(event_type, body.publisher_id, body.timestamp, body.payload)
        key = identity.key_hash(deployment, message_id, content)
        said = name(event_type, payload.is_exception)
        service, host = publisher(body.publisher_id) if body.publisher_id else (None, None)
        meta = payload.image_meta or image.NO_META
        exchange = message.exchange or self._exchange or said.exchange
        instant = self._instant
        row = Row(
            generated_at,
            payload.instance_uuid or None,
            body.request_id or payload.request_id or message.request_id,
            message_id,
            deployment,
            exchange,
            event_type,
            said.operation,
            said.phase,
            "versioned" if payload.is_versioned else "legacy",
            message.routing_key,
            _priority(body.priority, message.routing_key),
            body.publisher_id or None,
            service or None,
            host,
            payload.tenant_id or payload.project_id or body.project_id or body.tenant or None,
            payload.user_id or body.user_id or body.user or None,
            payload.resource or None,
            payload.state or None,
            payload.old_state or None,
            payload.new_task_state or None,
            payload.old_task_state or None,
            image.bits(meta, payload.os_type) if exchange in ("nova", "glance") else None,
            meta.usage_architecture or None,
            meta.usage_distro or None,
            meta.usage_version or None,
            meta.usage_options or None,
            payload.instance_type or None,
            text(payload.instance_type_id),
            text(payload.instance_flavor_id),
            payload.memory_mb,
            payload.vcpus,
            payload.root_gb,
            payload.ephemeral_gb,
            instant(payload.launched_at) if payload.launched_at else None,
            instant(payload.deleted_at or body.deleted_at) if payload.deleted_at or body.deleted_at else None,
            instant(payload.terminated_at) if payload.terminated_at else None,
            instant(payload.audit_period_beginning) if payload.audit_period_beginning else None,
            instant(payload.audit_period_ending) if payload.audit_period_ending else None,
            payload.message or None,
            payload.bandwidth_public_out,
            payload.status or None,
            payload.size,
            instant(payload.created_at) if payload.created_at else None,
            message.body,
        )
        return Read(row, key, content)

    def _generated_at(self, body: _Body, payload: Payload) -> datetime:
        for said in (body.timestamp, body.context_timestamp, payload.event_time):
            if said and (generated_at := times.parse(said)):
                return generated_at
        said = body.timestamp or body.context_timestamp or payload.event_time
        raise Unreadable(f"no usable time: {said!r} cannot be read" if said else "no usable time: none is given")

    def _instant(self, said: str) -> datetime | None:
        """Read a time that many messages repeat."""
        if said not in self._instants:
            if len(self._instants) >= REMEMBERED:
                self._instants.clear()
            self._instants[said] = times.parse(said)
        return self._instants[said]


def _loose_body(content: str) -> _Body:
    """Read a body in which a value has an unexpected type: that value is as if it were not there."""
    found = load(content)
    if not isinstance(found, dict):
        raise Unreadable("malformed JSON, or nested too deeply")
    body = _Body(**{inner: text(found.get(outer)) for inner, outer in _TEXTS.items()})
    try:
        body.payload = _decode_loose(content).payload
    except (msgspec.DecodeError, RecursionError):
        body.payload = NOTHING
    return body


def _priority(said: Text, routing_key: Text) -> Text:
    if said:
        return said.upper()
    last = routing_key.rpartition(".")[2].upper() if routing_key else ""
    return last if last in ("AUDIT", "DEBUG", "INFO", "WARN", "ERROR", "CRITICAL", "SAMPLE") else None
