"""What a payload tells, whatever the service and the format.

Legacy payloads of nova, the bulk of what arrives, are decoded straight into a typed structure.
All others, and those in which a value has an unexpected type, are read value by value: a value
that cannot be used becomes null and the rest stays.

Source: StackTach's field rules; nova's payload classes, legacy and versioned; the notification
code of glance, cinder, neutron, keystone, heat, ironic, magnum and their kin.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Raw, field

from stackanalytics.landing import image

Text: TypeAlias = str | None
Int: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | None
Id: TypeAlias = str | int | None
Object: TypeAlias = Mapping[str, Any]
NOTHING = Raw()

_INTEGER = re.compile(r"[-+]?\d{1,19}(?:\.0*)?", re.ASCII)


class Payload(msgspec.Struct):
    """The values of a payload that become columns; times are still text."""

    instance_id: Text = None
    instance_uuid: Text = None
    tenant_id: Text = None
    project_id: Text = None
    user_id: Text = None
    state: Text = None
    old_state: Text = None
    new_task_state: Text = None
    old_task_state: Text = None
    image_meta: image.Meta | None = None
    os_type: Text = None
    instance_type: Text = None
    instance_type_id: Id = None
    instance_flavor_id: Id = None
    memory_mb: Int = None
    vcpus: Int = None
    root_gb: Int = None
    ephemeral_gb: Int = None
    launched_at: Text = None
    deleted_at: Text = None
    terminated_at: Text = None
    audit_period_beginning: Text = None
    audit_period_ending: Text = None
    message: Text = None
    status: Text = None
    size: Int = None
    created_at: Text = None
    bandwidth: Raw = NOTHING
    exception: Raw = NOTHING
    args: Raw = NOTHING
    instance: Raw = NOTHING
    request_spec: Raw = NOTHING
    versioned: Raw = field(default=NOTHING, name="nova_object.data")
    # read from the above, or only outside of nova's legacy format
    resource: Text = field(default=None, name="(resource)")
    request_id: Text = field(default=None, name="(request_id)")
    event_time: Text = field(default=None, name="(event_time)")
    bandwidth_public_out: Int = field(default=None, name="(bandwidth)")
    is_versioned: bool = field(default=False, name="(is_versioned)")
    is_exception: bool = field(default=False, name="(is_exception)")


_decode_nova = msgspec.json.Decoder(Payload).decode
_NESTED = ("bandwidth", "exception", "args", "instance", "request_spec")


def read_payload(raw: Raw, event_type: str) -> Payload:
    """Read the payload of a notification."""
    if event_type.startswith(("compute.", "scheduler.", "compute_task.")):
        try:
            payload = _decode_nova(raw)
        except (msgspec.DecodeError, RecursionError):
            return _read_any(raw, event_type)
        if payload.versioned:
            return _read_any(raw, event_type)
        if not payload.instance_uuid or payload.bandwidth or payload.exception:
            _complete(payload)
        return payload
    return _read_any(raw, event_type)


def _complete(payload: Payload) -> None:
    """Find what stands deeper in a legacy payload of nova."""
    payload.is_exception = bool(payload.exception)
    if payload.bandwidth and bytes(payload.bandwidth) not in (b"{}", b"null"):
        payload.bandwidth_public_out = integer(_at(load(payload.bandwidth), "public", "bw_out"))
    payload.instance_uuid = payload.instance_uuid or payload.instance_id
    if not payload.instance_uuid:
        nested = {name: load(getattr(payload, name)) for name in _NESTED if getattr(payload, name)}
        payload.instance_uuid = _nested_instance(nested)
    payload.resource = payload.instance_uuid


def _read_any(raw: Raw, event_type: str) -> Payload:
    found = load(raw)
    if not isinstance(found, Mapping):
        return Payload()
    data = unversioned(found)
    is_versioned = data is not found
    word = event_type.partition(".")[0]
    payload = Payload(
        is_versioned=is_versioned, is_exception=not is_versioned and "exception" in found and "args" in found
    )
    if word in _NOVA_WORDS or payload.is_exception:
        _read_nova(payload, data, event_type)
    else:
        _read_other(payload, data, word)
    return payload


_NOVA_WORDS = frozenset(
    "compute compute_task instance scheduler keypair aggregate server_group servergroup flavor service "
    "metrics libvirt".split()
)
_SAME = (
    "state old_state new_task_state old_task_state os_type instance_type instance_type_id launched_at deleted_at "
    "terminated_at audit_period_beginning audit_period_ending message status created_at user_id"
).split()
_NUMBERS = "memory_mb vcpus root_gb ephemeral_gb size".split()


def _read_nova(payload: Payload, data: Object, event_type: str) -> None:
    update, period = _inner(data, "state_update"), _inner(data, "audit_period")
    flavor, fault = _inner(data, "flavor"), _inner(data, "fault")
    flat = {**flavor, **data, **period, **update}
    for name in _SAME:
        setattr(payload, name, text(flat.get(name)))
    for name in _NUMBERS:
        setattr(payload, name, integer(flat.get(name)))
    payload.tenant_id = text(data.get("tenant_id")) or text(data.get("project_id"))
    payload.instance_flavor_id = text(data.get("instance_flavor_id")) or text(flavor.get("flavorid"))
    payload.request_id = text(data.get("request_id"))
    if flavor:
        payload.instance_type = text(flavor.get("name"))
    payload.message = payload.message or text(fault.get("exception_message"))
    payload.image_meta = _meta(data.get("image_meta"))
    payload.bandwidth_public_out = _public_out(data.get("bandwidth"))
    payload.instance_uuid = _nested_instance(data)
    if event_type.startswith("instance."):
        payload.instance_uuid = payload.instance_uuid or text(data.get("uuid"))
    payload.resource = (
        payload.instance_uuid
        or _first_text(data, ("uuid", "server_group_id", "flavorid", "aggregate_id"))
        or _first_text(flavor, ("flavorid",))
    )


def _read_other(payload: Payload, data: Object, word: str) -> None:
    inner = _thing(data, word)
    flat = {**data, **inner}
    initiator, target = _object(data.get("initiator")), _object(data.get("target"))
    for name in ("launched_at", "created_at", "deleted_at", "terminated_at", "message"):
        setattr(payload, name, text(flat.get(name)))
    payload.audit_period_beginning = text(data.get("audit_period_beginning"))
    payload.audit_period_ending = text(data.get("audit_period_ending"))
    payload.status = _first_text(flat, ("status", "state", "outcome"))
    payload.size = integer(flat.get("size"))
    payload.tenant_id = _first_text(flat, ("tenant_id", "project_id", "owner", "owner_id", "tenant"))
    payload.tenant_id = payload.tenant_id or text(initiator.get("project_id"))
    payload.user_id = _first_text(flat, ("user_id", "user_identity")) or _first_text(initiator, ("user_id", "id"))
    payload.request_id = _first_text(data, ("request_id",)) or text(initiator.get("request_id"))
    payload.event_time = text(data.get("eventTime"))
    properties = _object(data.get("properties"))
    payload.instance_uuid = (
        _first_text(data, ("instance_uuid",)) if word == "hardware" else _nested_instance(data)
    ) or text(properties.get("instance_uuid"))
    if word == "image":
        payload.image_meta = _meta(properties)
        payload.os_type = text(data.get("os_type"))
    payload.resource = _resource(flat, word) or _first_text(data, ("resource_info",)) or text(target.get("id"))
    if word == "trove":
        payload.instance_uuid = text(data.get("nova_instance_id"))


def _thing(data: Object, word: str) -> Object:
    """Find the object that a payload wraps: ``{"port": {…}}``, or the only one of ``{"ports": […]}``."""
    if isinstance(data.get(word), Mapping):
        return _object(data[word])
    many = data.get(f"{word}s")
    if isinstance(many, list) and len(many) == 1:
        return _object(many[0])
    wrapped = [value for value in data.values() if isinstance(value, Mapping)]
    return wrapped[0] if len(data) == len(wrapped) == 1 else {}


def _resource(flat: Object, word: str) -> Text:
    own = {"identity": (), "orchestration": ("stack_identity",), "baremetal": ("uuid",), "dns": ("id", "zone_id")}
    named = own.get(word, (f"{word}_id", "id", "uuid", "cluster_id", "instance_id", "node_uuid", "loadbalancer_id"))
    return _first_text(flat, named)


def _nested_instance(data: Object) -> Text:
    spec = _object(data.get("request_spec"))
    uuids = spec.get("instance_uuids")
    return (
        text(data.get("instance_uuid"))
        or text(data.get("instance_id"))
        or text(_at(data, "exception", "kwargs", "uuid"))
        or text(_at(data, "instance", "uuid"))
        or text(_at(data, "args", "instance", "uuid"))
        or (text(uuids[0]) if isinstance(uuids, list) and uuids else None)
        or text(_at(spec, "instance_properties", "uuid"))
    )


def _public_out(bandwidth: object) -> int | None:
    if isinstance(bandwidth, list):
        for network in map(unversioned, map(_object, bandwidth)):
            if network.get("network_name") == "public":
                return integer(network.get("out_bytes"))
        return None
    return integer(_at(bandwidth, "public", "bw_out"))


def _meta(found: object) -> image.Meta | None:
    if isinstance(found, list):
        found = {str(row.get("key")): row.get("value") for row in found if isinstance(row, Mapping)}
    if not isinstance(found, Mapping):
        return None
    names = zip(image.Meta.__struct_fields__, image.Meta.__struct_encode_fields__, strict=True)
    return image.Meta(**{name: text(found.get(key)) for name, key in names})


def unversioned(data: Object) -> Object:
    """Return the data of a versioned object, which stand under ``<namespace>_object.data``."""
    for name, value in data.items():
        if name.endswith("_object.data"):
            return _object(value)
    return data


def _inner(data: Object, name: str) -> Object:
    return unversioned(_object(data.get(name)))


def _object(value: object) -> Object:
    return value if isinstance(value, Mapping) else {}


def _at(value: object, *path: str) -> object:
    for name in path:
        value = _object(value).get(name)
    return value


def _first_text(data: Object, names: Iterable[str]) -> Text:
    for name in names:
        if found := text(data.get(name)):
            return found
    return None


def text(value: object) -> Text:
    """Return a value as text; null for the empty text and for what is neither text nor an integer."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode() or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if -(2**63) <= value < 2**63 else None
    return None


def integer(value: object) -> int | None:
    """Return a value as an integer of 64 bits; null for what is none."""
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        value = int(value.strip().partition(".")[0])
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
        return value
    return None


def load(raw: Raw | str) -> Any:
    """Read JSON into dictionaries; what no reader can hold becomes null."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return json.loads(bytes(raw) if isinstance(raw, Raw) else raw)
    except (ValueError, RecursionError):
        return None
