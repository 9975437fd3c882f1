"""What a payload tells, whatever the service and the format.

Usual payloads of nova, legacy and versioned, of cinder, glance and neutron are decoded straight
into typed structures. All others, and those in which a value has an unexpected type, are read
value by value: a value that cannot be used becomes null and the rest stays.

Source: StackTach's field rules; nova's payload classes, legacy and versioned; the notification
code of glance, cinder, neutron, keystone, heat, ironic, magnum and their kin.
"""

import json
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Annotated, Any, Generic, TypeAlias, TypeVar

import msgspec
from msgspec import Raw, field

from stackanalytics.landing import image

T = TypeVar("T")
Text: TypeAlias = str | None
Whole: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Int: TypeAlias = Whole | None
Id: TypeAlias = str | Whole | None
Absent: TypeAlias = Annotated[int, msgspec.Meta(gt=0, lt=0)]  # no value is ever one, not even null
Object: TypeAlias = dict[str, Any]
NOTHING = Raw()
ABSENT: Any = None

_INTEGER = re.compile(r"[-+]?\d{1,19}(?:\.0*)?", re.ASCII)


class _Uuid(msgspec.Struct, gc=False):
    uuid: Text = None


class _Spec(msgspec.Struct, gc=False):
    instance_uuids: list[Text] = []  # msgspec copies it
    instance_properties: _Uuid | None = None


class _PublicTraffic(msgspec.Struct, gc=False):
    bw_out: Int = None


class _Bandwidth(msgspec.Struct, gc=False):
    public: _PublicTraffic | None = None


class Payload(msgspec.Struct, gc=False):
    """The values of a payload that become columns; times are still text.

    Its fields stand in the order in which nova sends them, for so they are found fastest.
    """

    tenant_id: Text = None
    user_id: Text = None
    instance_id: Text = None
    instance_type: Text = None
    instance_type_id: Id = None
    instance_flavor_id: Id = None
    memory_mb: Int = None
    vcpus: Int = None
    root_gb: Int = None
    ephemeral_gb: Int = None
    created_at: Text = None
    terminated_at: Text = None
    deleted_at: Text = None
    launched_at: Text = None
    os_type: Text = None
    state: Text = None
    raw_meta: Raw = field(default=NOTHING, name="image_meta")
    old_state: Text = None
    old_task_state: Text = None
    new_task_state: Text = None
    audit_period_beginning: Text = None
    audit_period_ending: Text = None
    bandwidth: _Bandwidth | None = None
    message: Text = None
    exception: Raw = NOTHING
    args: Raw = NOTHING
    instance: Raw = NOTHING
    instance_uuid: Text = None
    project_id: Text = None
    status: Text = None
    size: Int = None
    request_spec: _Spec | None = None
    versioned: Absent = field(default=ABSENT, name="nova_object.data")
    # read from the above, or only outside of nova's legacy format
    image_meta: image.Meta | None = field(default=None, name="(image_meta)")
    resource: Text = field(default=None, name="(resource)")
    request_id: Text = field(default=None, name="(request_id)")
    event_time: Text = field(default=None, name="(event_time)")
    bandwidth_public_out: Int = field(default=None, name="(bandwidth)")
    is_versioned: bool = field(default=False, name="(is_versioned)")
    is_exception: bool = field(default=False, name="(is_exception)")


class _Thing(msgspec.Struct, gc=False):
    """What the payloads of neutron wrap."""

    id: Text = None
    tenant_id: Text = None
    project_id: Text = None
    status: Text = None
    created_at: Text = None


class _Properties(image.Meta, gc=False):
    instance_uuid: Text = None


class _Common(msgspec.Struct, gc=False):
    """The payload of a usual notification of neutron, cinder or glance."""

    id: Text = None
    tenant_id: Text = None
    project_id: Text = None
    owner: Text = None
    owner_id: Text = None
    user_id: Text = None
    instance_uuid: Text = None
    status: Text = None
    size: Int = None
    created_at: Text = None
    launched_at: Text = None
    deleted_at: Text = None
    audit_period_beginning: Text = None
    audit_period_ending: Text = None
    os_type: Text = None
    properties: _Properties | None = None
    volume_id: Text = None
    snapshot_id: Text = None
    image_id: Text = None
    port_id: Text = None
    port: _Thing | None = None
    network: _Thing | None = None
    subnet: _Thing | None = None
    security_group_rule: _Thing | None = None
    # each of these asks for a closer look
    instance: Absent = ABSENT
    instance_id: Absent = ABSENT
    request_id: Absent = ABSENT
    message: Absent = ABSENT
    exception: Absent = ABSENT
    ports: Absent = ABSENT
    networks: Absent = ABSENT
    subnets: Absent = ABSENT
    security_group_rules: Absent = ABSENT
    versioned: Absent = field(default=ABSENT, name="nova_object.data")


class _StateUpdate(msgspec.Struct, gc=False):
    new_task_state: Text = None
    old_state: Text = None
    old_task_state: Text = None
    state: Text = None


class _AuditPeriod(msgspec.Struct, gc=False):
    audit_period_beginning: Text = None
    audit_period_ending: Text = None


class _Flavor(msgspec.Struct, gc=False):
    flavorid: Text = None
    name: Text = None
    root_gb: Int = None
    vcpus: Int = None
    ephemeral_gb: Int = None
    memory_mb: Int = None


class _Fault(msgspec.Struct, gc=False):
    exception_message: Text = None


class _Traffic(msgspec.Struct, gc=False):
    network_name: Text = None
    out_bytes: Int = None


class _Object(msgspec.Struct, Generic[T], gc=False):
    """An object in nova's versioned format."""

    data: T = field(name="nova_object.data")


class _Instance(msgspec.Struct, gc=False):
    """What nova's versioned notifications of an instance tell, in the order in which they do."""

    created_at: Text = None
    deleted_at: Text = None
    launched_at: Text = None
    os_type: Text = None
    state: Text = None
    tenant_id: Text = None
    terminated_at: Text = None
    flavor: _Object[_Flavor] | None = None
    user_id: Text = None
    uuid: Text = None
    request_id: Text = None
    audit_period: _Object[_AuditPeriod] | None = None
    bandwidth: list[_Object[_Traffic]] | None = None
    fault: _Object[_Fault] | None = None
    state_update: _Object[_StateUpdate] | None = None
    # legacy names: with a value, each of these asks for a closer look
    project_id: None = None
    instance_id: None = None
    instance_uuid: None = None
    instance_type: None = None
    instance_type_id: None = None
    instance_flavor_id: None = None
    memory_mb: None = None
    vcpus: None = None
    root_gb: None = None
    ephemeral_gb: None = None
    size: None = None
    old_state: None = None
    old_task_state: None = None
    new_task_state: None = None
    audit_period_beginning: None = None
    audit_period_ending: None = None
    image_meta: None = None
    message: None = None
    status: None = None
    exception: None = None
    args: None = None
    instance: None = None
    request_spec: None = None


_NO_THING, _NO_UPDATE, _NO_PERIOD, _NO_FLAVOR = _Thing(), _StateUpdate(), _AuditPeriod(), _Flavor()
_COMMON = frozenset(["port", "network", "subnet", "security_group_rule", "volume", "snapshot", "image"])

_decode_nova = msgspec.json.Decoder(Payload).decode
_decode_common = msgspec.json.Decoder(_Common).decode
_decode_versioned = msgspec.json.Decoder(_Object[_Instance]).decode
_decode_meta = lru_cache(maxsize=1_000)(msgspec.json.Decoder(image.Meta | None).decode)


def read_payload(raw: Raw, event_type: str) -> Payload:
    """Read the payload of a notification, if it has one."""
    return _reader(event_type)(raw, event_type) if raw else Payload()


@lru_cache(maxsize=10_000)
def _reader(event_type: str) -> Callable[[Raw, str], Payload]:
    if event_type.startswith(("compute.", "scheduler.", "compute_task.")):
        return _read_nova_legacy
    if event_type.startswith("instance."):
        return _read_nova_versioned
    return _read_common if event_type.partition(".")[0] in _COMMON else _read_any


def _read_nova_legacy(raw: Raw, event_type: str) -> Payload:
    try:
        payload = _decode_nova(raw)
        if payload.raw_meta:
            payload.image_meta = _decode_meta(bytes(payload.raw_meta))
    except (msgspec.DecodeError, RecursionError):
        return _read_any(raw, event_type)
    if payload.bandwidth and payload.bandwidth.public:
        payload.bandwidth_public_out = payload.bandwidth.public.bw_out
    if payload.exception and payload.args:
        payload.is_exception = True
    payload.instance_uuid = payload.resource = payload.instance_uuid or payload.instance_id or _deeper_instance(payload)
    return payload


def _read_nova_versioned(raw: Raw, event_type: str) -> Payload:
    try:
        found = _decode_versioned(raw).data
    except (msgspec.DecodeError, RecursionError):
        return _read_any(raw, event_type)
    if not found.uuid:
        return _read_any(raw, event_type)
    flavor = found.flavor.data if found.flavor else _NO_FLAVOR
    update = found.state_update.data if found.state_update else _NO_UPDATE
    period = found.audit_period.data if found.audit_period else _NO_PERIOD
    return Payload(
        is_versioned=True,
        instance_uuid=found.uuid,
        resource=found.uuid,
        tenant_id=found.tenant_id,
        user_id=found.user_id,
        request_id=found.request_id,
        state=found.state if update.state is None else update.state,
        old_state=update.old_state,
        new_task_state=update.new_task_state,
        old_task_state=update.old_task_state,
        os_type=found.os_type,
        instance_type=flavor.name,
        instance_flavor_id=flavor.flavorid,
        memory_mb=flavor.memory_mb,
        vcpus=flavor.vcpus,
        root_gb=flavor.root_gb,
        ephemeral_gb=flavor.ephemeral_gb,
        created_at=found.created_at,
        launched_at=found.launched_at,
        deleted_at=found.deleted_at,
        terminated_at=found.terminated_at,
        audit_period_beginning=period.audit_period_beginning,
        audit_period_ending=period.audit_period_ending,
        message=found.fault.data.exception_message if found.fault else None,
        bandwidth_public_out=_public_traffic(found.bandwidth) if found.bandwidth else None,
    )


def _public_traffic(bandwidth: list[_Object[_Traffic]]) -> int | None:
    return next((network.data.out_bytes for network in bandwidth if network.data.network_name == "public"), None)


def _read_common(raw: Raw, event_type: str) -> Payload:
    try:
        found = _decode_common(raw)
    except (msgspec.DecodeError, RecursionError):
        return _read_any(raw, event_type)
    word = event_type.partition(".")[0]
    thing = getattr(found, word, None) or _NO_THING
    properties = found.properties if word == "image" else None
    return Payload(
        tenant_id=thing.tenant_id
        or thing.project_id
        or found.tenant_id
        or found.project_id
        or found.owner
        or found.owner_id,
        user_id=found.user_id,
        status=thing.status or found.status,
        size=found.size,
        created_at=thing.created_at or found.created_at,
        launched_at=found.launched_at,
        deleted_at=found.deleted_at,
        audit_period_beginning=found.audit_period_beginning,
        audit_period_ending=found.audit_period_ending,
        image_meta=properties,
        os_type=found.os_type if word == "image" else None,
        instance_uuid=found.instance_uuid or (properties.instance_uuid if properties else None),
        resource=getattr(found, f"{word}_id", None) or thing.id or found.id,
    )


def _deeper_instance(payload: Payload) -> Text:
    nested = {name: load(raw) for name in ("exception", "args", "instance") if (raw := getattr(payload, name))}
    if nested and (found := _deeper(nested)):
        return found
    spec = payload.request_spec
    if spec is None:
        return None
    first = spec.instance_uuids[0] if spec.instance_uuids else None
    return first or (spec.instance_properties.uuid if spec.instance_properties else None)


def _read_any(raw: Raw, event_type: str) -> Payload:
    found = load(raw)
    if type(found) is not dict:
        return Payload()
    data = unversioned(found)
    payload = Payload(
        is_versioned=data is not found, is_exception=data is found and "exception" in found and "args" in found
    )
    word = event_type.partition(".")[0]
    if word in _NOVA_WORDS or payload.is_exception:
        _read_nova(payload, data, event_type)
    else:
        _read_other(payload, data, word)
    return payload


_NOVA_WORDS = frozenset(
    [
        "compute",
        "compute_task",
        "instance",
        "scheduler",
        "keypair",
        "aggregate",
        "server_group",
        "servergroup",
        "flavor",
        "service",
        "metrics",
        "libvirt",
    ]
)
_SAME = [
    "state",
    "old_state",
    "new_task_state",
    "old_task_state",
    "os_type",
    "instance_type",
    "instance_type_id",
    "launched_at",
    "deleted_at",
    "terminated_at",
    "audit_period_beginning",
    "audit_period_ending",
    "message",
    "status",
    "created_at",
    "user_id",
]
_DEEPER = frozenset(("exception", "instance", "args", "request_spec"))
_TIMES = frozenset(
    ["launched_at", "created_at", "deleted_at", "terminated_at", "audit_period_beginning", "audit_period_ending"]
)
_STATUS = ("status", "state", "outcome")
_TENANT = ("tenant_id", "project_id", "owner", "owner_id", "tenant")
_RESOURCES = {
    "identity": ("resource_info",),
    "orchestration": ("stack_identity",),
    "l3": ("label_id",),
    "baremetal": ("uuid",),
    "dns": ("id", "zone_id"),
}
_NUMBERS = ["memory_mb", "vcpus", "root_gb", "ephemeral_gb", "size"]


def _read_nova(payload: Payload, data: Object, event_type: str) -> None:
    update, period = _inner(data, "state_update"), _inner(data, "audit_period")
    flavor, fault = _inner(data, "flavor"), _inner(data, "fault")
    flat = {name: value for part in (flavor, data, period, update) for name, value in part.items() if value is not None}
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
    thing = _thing(data, word)
    for name in _TIMES & (data.keys() | thing.keys()):
        setattr(payload, name, text(thing.get(name)) or text(data.get(name)))
    payload.message = text(data.get("message"))
    payload.status = _first_text(thing, _STATUS) or _first_text(data, _STATUS)
    payload.size = integer(thing.get("size", data.get("size")))
    payload.tenant_id = _first_text(thing, _TENANT) or _first_text(data, _TENANT)
    payload.user_id = _first_text(data, ("user_identity", "user_id"))
    payload.request_id = text(data.get("request_id"))
    payload.instance_uuid = None if word == "hardware" else _nested_instance(data)
    payload.resource = _resource(data, thing, word)
    if "initiator" in data or "eventTime" in data:
        _read_cadf(payload, data)
    if word == "image":
        properties = _object(data.get("properties"))
        payload.image_meta = _meta(properties)
        payload.os_type = text(data.get("os_type"))
        payload.instance_uuid = payload.instance_uuid or text(properties.get("instance_uuid"))
    elif word == "trove":
        payload.instance_uuid = text(data.get("nova_instance_id"))
    elif word == "orchestration":
        payload.created_at = text(data.get("create_at"))
        payload.resource = payload.resource and payload.resource.rpartition("/")[2]  # formerly the end of an ARN


def _read_cadf(payload: Payload, data: Object) -> None:
    """Read what an audit event in CADF, as of keystone and magnum, tells in its own way."""
    initiator = _object(data.get("initiator"))
    payload.tenant_id = payload.tenant_id or text(initiator.get("project_id"))
    payload.user_id = payload.user_id or _first_text(initiator, ("user_id", "id"))
    payload.request_id = payload.request_id or text(initiator.get("request_id"))
    payload.event_time = text(data.get("eventTime"))
    payload.resource = text(data.get("resource_info")) or text(_at(data, "target", "id"))


def _thing(data: Object, word: str) -> Object:
    """Find the object that a payload wraps: ``{"port": {…}}``, or the only one of ``{"ports": […]}``."""
    if type(data.get(word)) is dict:
        return _object(data[word])
    many = data.get(f"{word}s")
    if type(many) is list and len(many) == len(data) == 1:
        return _object(many[0])
    return _object(next(iter(data.values()))) if len(data) == 1 else {}


def _resource(data: Object, thing: Object, word: str) -> Text:
    named = _RESOURCES.get(word)
    if named is None:
        named = ("id", "uuid", "cluster_id", "instance_id", "node_uuid", "loadbalancer_id")
    return text(data.get(f"{word}_id")) or _first_text(thing, named) or _first_text(data, named)


def _nested_instance(data: Object) -> Text:
    return _first_text(data, ("instance_uuid", "instance_id")) or (None if _DEEPER.isdisjoint(data) else _deeper(data))


def _deeper(data: Object) -> Text:
    spec = _object(data.get("request_spec"))
    uuids = spec.get("instance_uuids")
    return (
        text(_at(data, "exception", "kwargs", "uuid"))
        or text(_at(data, "instance", "uuid"))
        or text(_at(data, "args", "instance", "uuid"))
        or (text(uuids[0]) if type(uuids) is list and uuids else None)
        or text(_at(spec, "instance_properties", "uuid"))
    )


def _public_out(bandwidth: object) -> int | None:
    if type(bandwidth) is list:
        for network in map(unversioned, map(_object, bandwidth)):
            if network.get("network_name") == "public":
                return integer(network.get("out_bytes"))
        return None
    return integer(_at(bandwidth, "public", "bw_out"))


def _meta(found: object) -> image.Meta | None:
    if type(found) is list:
        found = {str(row.get("key")): row.get("value") for row in found if type(row) is dict}
    if type(found) is not dict:
        return None
    names = zip(image.Meta.__struct_fields__, image.Meta.__struct_encode_fields__, strict=True)
    # an empty text tells more than nothing here: it keeps another value from counting
    return image.Meta(**{name: "" if found.get(key) == "" else text(found.get(key)) for name, key in names})


def unversioned(data: Object) -> Object:
    """Return the data of a versioned object, which stand under ``<namespace>_object.data``."""
    for name, value in data.items():
        if name.endswith("_object.data"):
            return _object(value)
    return data


def _inner(data: Object, name: str) -> Object:
    return unversioned(_object(data.get(name)))


def _object(value: object) -> Object:
    return value if type(value) is dict else {}


def _at(value: object, *path: str) -> object:
    for name in path:
        if type(value) is not dict:
            return None
        value = value.get(name)
    return value


def _first_text(data: Object, names: Iterable[str]) -> Text:
    for name in names:
        value = data.get(name)
        if value is not None and (found := text(value)):
            return found
    return None


def text(value: object) -> Text:
    """Return a value as text; null for the empty text and for what is neither text nor an integer."""
    if type(value) is str:
        return value or None
    if type(value) is int:
        return str(value) if -(2**63) <= value < 2**63 else None
    return None


def integer(value: object) -> int | None:
    """Return a value as an integer of 64 bits; null for what is none."""
    if type(value) is str and _INTEGER.fullmatch(value.strip()):
        value = int(value.strip().partition(".")[0])
    elif type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and -(2**63) <= value < 2**63 else None


def load(raw: Raw | str) -> Any:
    """Read JSON into dictionaries; what no reader can hold becomes null."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return _clean(json.loads(bytes(raw) if isinstance(raw, Raw) else raw))
    except (ValueError, RecursionError):
        return None


def _clean(value: Any) -> Any:
    """Replace what is no character, such as half of a surrogate pair."""
    if type(value) is str:
        return value.encode("utf-8", "replace").decode()
    if type(value) is list:
        return [_clean(element) for element in value]
    if type(value) is dict:
        return {_clean(name): _clean(element) for name, element in value.items()}
    return value
