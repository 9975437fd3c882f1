"""What the db interface takes and answers: parameters and records by their kinds, bodies, statistics, tenants."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import pyarrow as pa

from stackanalytics.schema import FIELDS, INSTANT
from stackanalytics.surfaces.description import (
    SOME_TEXT,
    TEXT,
    WHEN,
    Body,
    Parameter,
    Schema,
    choice,
    field_schema,
    list_schema,
    object_schema,
    or_null,
)
from stackanalytics.surfaces.encoding import YEARS
from stackanalytics.surfaces.parameter import COUNT, DATE_TIME, NUMBER, PAGE, UUID_LIKE, id_part
from stackanalytics.surfaces.usage_kind import Kind

TIME = (
    "YYYY-MM-DD, or YYYY-MM-DD HH:MM:SS[.ffffff] with a blank or a T, with Z, an offset or nothing (UTC),"
    f" of the years {YEARS[0]} to {YEARS[-1]}"
)

ERROR = object_schema(
    {"status": {"type": "integer", "minimum": 400, "maximum": 599}, "message": TEXT},
    title="Error",
    description="an error as downstream systems read it: its status in HTTP, and a message",
)

_EXISTS_STATUSES = (
    *("pending", "verifying", "verified", "reconciled", "failed"),
    *("sent_unverified", "sent_verifying", "sent_failed"),
)
_STATUS: Schema = {
    "type": "string",
    "enum": list(_EXISTS_STATUSES),
    "description": "whether it agrees with the launch and the deletion; sent_…: it was sent on before that was known",
}
_CODE: Schema = {"type": "integer", "minimum": 0, "exclusiveMaximum": 2**31, "description": "status in HTTP"}
_WORD: Schema = {"type": ["string", "integer"]}
_ALWAYS_KNOWN = frozenset(("id", "notification_id", "received_at", "bandwidth_public_out", "send_status"))

# records by their kinds: what the documentation shows, which also has the ids that there are

_FLAVOR_AND_METADATA = {
    "instance_flavor_id": "m2",
    "tenant": "5877054",
    "os_architecture": "x64",
    "os_distro": "org.centos",
    "os_version": "6.0",
    "rax_options": "0",
}
_EXISTS = {
    "deleted_at": "2014-01-17 20:00:00",
    "audit_period_beginning": "2014-01-17 00:00:00",
    "audit_period_ending": "2014-01-18 00:00:00",
    "status": "pending",
    "fail_reason": None,
    "send_status": 0,
    "event_id": None,
}
EXAMPLES: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "launches": {
            "id": 1,
            "instance": "3a7c2f0e-5d41-4c8b-9e26-0b1f6d94a7aa",
            "request_id": "req-1",
            "launched_at": "2014-01-17 16:06:54.250000",
            "instance_type_id": "2",
            **_FLAVOR_AND_METADATA,
        },
        "deletes": {
            "id": 3,
            "instance": "b85d9c13-6f2e-4a07-8d54-71c3e0a9f2bb",
            "launched_at": "2014-01-17 17:00:00",
            "deleted_at": "2014-01-17 20:00:00",
            "raw": 3,
        },
        "exists": {
            "id": 5,
            "message_id": "exists-2",
            **_EXISTS,
            "instance": "b85d9c13-6f2e-4a07-8d54-71c3e0a9f2bb",
            "launched_at": "2014-01-17 17:00:00",
            "instance_type_id": "3",
            **_FLAVOR_AND_METADATA,
            "bandwidth_public_out": 0,
            "raw": 5,
            "usage": 2,
            "delete": 3,
            "received": "2014-01-18 00:20:00",
        },
        "images": {
            "id": 7,
            "created_at": "2014-01-01 00:00:00",
            "size": 5,
            "uuid": "c4e1a6f8-2b90-4d35-a7c8-95f0d3b1e6cc",
            "owner": "389886",
            "last_raw": 7,
        },
        "image_deletes": {
            "id": 9,
            "deleted_at": "2014-01-17 20:00:00",
            "uuid": "d90b7e25-8c14-4f6a-b3d9-2ae5c7f084dd",
            "raw": 9,
        },
        "image_exists": {
            "id": 10241,
            "message_id": "exists-4",
            **_EXISTS,
            "created_at": "2014-01-02 00:00:00",
            "size": 6,
            "uuid": "d90b7e25-8c14-4f6a-b3d9-2ae5c7f084dd",
            "owner": "389886",
            "raw": 10,
            "usage": 8,
            "delete": 9,
            "received": "2014-01-18 00:40:00",
        },
    }
)


LIST = (
    "Records meet all that is asked of them. `raw` and `last_raw` are ids of notifications, which /stacky/show/ shows;"
    " ids stay the same whatever is landed later, unless an earlier notification of the same thing turns up."
)


def record_schema(kind: Kind) -> Schema:
    """Return the form of a record of a kind."""
    told = {name: _told(column, kind) for name, column in kind.fields.items()}
    return object_schema(told, title=kind.noun.replace("_", " ").capitalize())


def _told(column: str, kind: Kind) -> Schema:
    if column == "status" and kind.service is not None:
        return _STATUS
    return field_schema(column, is_null=column not in _ALWAYS_KNOWN)


def list_parameters(kind: Kind) -> tuple[Parameter, ...]:
    """Return the parameters of a list of records."""
    order = Parameter(
        "order_by",
        "Field to order by; of equal records the id decides.",
        choice(kind.askable, kind.order_by),
        kind.order_by,
    )
    direction = Parameter(
        "direction", "`desc` for the highest first; anything else for the lowest.", {**TEXT, "default": "desc"}, "asc"
    )
    return (*criteria_parameters(kind), order, direction, *PAGE)


def criteria_parameters(kind: Kind) -> tuple[Parameter, ...]:
    """Return the parameters that say which records are meant: each field, and ranges of times."""
    return tuple(_criteria(kind))


def _criteria(kind: Kind) -> Iterator[Parameter]:
    for name, column in kind.askable.items():
        example = EXAMPLES[kind.noun].get(name)
        about = f"Only records of this value: {FIELDS[column].meaning}."
        if FIELDS[column].type == INSTANT:
            yield Parameter(name, f"{about} {TIME}.", DATE_TIME, example)
            yield Parameter(f"{name}_min", f"Only records where `{name}` is this time or later.", DATE_TIME, example)
            yield Parameter(f"{name}_max", f"Only records where `{name}` is this time or earlier.", DATE_TIME, example)
        else:
            yield Parameter(name, about, _asked(name, column), example)


def _asked(name: str, column: str) -> Schema:
    if name == "instance":
        return UUID_LIKE
    return TEXT if FIELDS[column].type == pa.string() else NUMBER


def record_id(kind: Kind) -> Parameter:
    """Return the part of a path that is the id of a record."""
    return id_part("id", "the record, as the list has it", EXAMPLES[kind.noun]["id"])


# statistics

STATISTICS = object_schema(
    {"stats": list_schema(object_schema({"status": _STATUS, "send_status": _CODE, "event_count": COUNT}))},
    title="Exists statistics",
)
EVENT_STATISTICS = object_schema(
    {"stats": list_schema(object_schema({"event": field_schema("event_type"), "event_count": COUNT}))},
    title="Event statistics",
)


def event_parameters(services: Mapping[str, object]) -> tuple[Parameter, ...]:
    """Return the parameters of statistics of events, of the services that there are."""
    together = "Both ends are given, or none, and are at most seven days apart."
    return (
        Parameter(
            "service",
            "Which service: `generic` is whatever is neither nova nor glance.",
            choice(services, "nova"),
            "nova",
        ),
        Parameter("when_min", f"Only events at this time or later: {TIME}. {together}", DATE_TIME),
        Parameter("when_max", f"Only events at this time or earlier: {TIME}. {together}", DATE_TIME),
        Parameter("event", "Only this event type, which is counted 0 where there is none.", example="image.activate"),
    )


# confirming and repairing

CONFIRMED = "PUT and POST do the same. A message that several records came with is an error, 500."
CONFIRMED_BATCH = (
    "PUT and POST do the same. Messages of no record, or of several of nova, are left out with a line in the server's"
    " log. A message of glance tells of all its images. If any part of it cannot be read, nothing is kept."
)
REPAIRING = (
    "After an outage of verification: these records were sent on already, so verifying them later must not have them"
    " sent again. Only records that are pending can be repaired."
)
MESSAGE_ID = Parameter("message_id", "Message id of the exists record, of nova.", SOME_TEXT, "exists-1", place="path")
CONFIRMATION = Body(
    "What the system downstream answered when it took the record.",
    {"type": "object", "properties": {"send_status": _CODE}, "required": ["send_status"]},
    {"send_status": 201},
)


def _entries(entry: Schema) -> Schema:
    """Return the form of one object by names, or of a list of such."""
    named = {"type": "object", "additionalProperties": entry}
    return {"anyOf": [named, list_schema(named)]}


def _by_service(entry: Schema) -> Schema:
    services = {"nova": entry, "glance": entry}
    named = {"type": "object", "properties": services, "additionalProperties": False}
    return {"anyOf": [named, list_schema(named)]}


def _batch(version: int, messages: Schema, about: str) -> Schema:
    return {
        "type": "object",
        "description": about,
        "properties": {"version": {"const": version}, "messages": messages},
        "required": ["messages"] if version == 0 else ["version", "messages"],
    }


_OUTCOME: Schema = {
    "type": "object",
    "properties": {
        "status": {**_CODE, "default": 0},
        "event_id": {
            "type": ["string", "integer", "null"],
            "default": "",
            "description": "id that the system downstream gave the record; null leaves one that is known",
        },
    },
}
BATCH = Body(
    "What the system downstream answered to many records, by their message ids.",
    {
        "anyOf": [
            _batch(0, _entries(_CODE), "records of nova"),
            _batch(1, _by_service(_entries(_CODE)), "records of both services"),
            _batch(2, _by_service(_entries(_OUTCOME)), "records of both services, with ids"),
        ]
    },
    {
        "version": 2,
        "messages": {
            "nova": {"exists-1": {"status": 201, "event_id": "e-1"}},
            "glance": {"exists-4": {"status": 201, "event_id": "e-4"}},
        },
    },
)
REPAIR = Body(
    "The records that were sent on before they were verified.",
    {
        "type": "object",
        "properties": {
            "message_ids": {**list_schema({**TEXT, "minLength": 1, "description": "message id"}), "minItems": 1},
            "service": choice(["nova", "glance"], "nova"),
        },
        "required": ["message_ids"],
    },
    {"message_ids": ["exists-2", "exists-3"], "service": "nova"},
    content_type="application/x-www-form-urlencoded",
)
REPAIRED = object_schema(
    {
        "absent_exists": list_schema({**TEXT, "description": "message id of no record, or of several"}),
        "exists_not_pending": list_schema({**TEXT, "description": "message id of a record that is not pending"}),
    },
    title="Repaired",
)

# tenants

REPLACED = "PUT and POST do the same. Name and types replace those that the tenant had."
TENANT_ID = Parameter("tenant", "Id of the tenant.", SOME_TEXT, "5877054", place="path")
_TYPES: Schema = {"description": "types by their names, such as account_type: VIP", "type": "object"}
_TENANT: Schema = {
    "type": "object",
    "properties": {
        "tenant": {**_WORD, "description": "id of the tenant"},
        "name": {"type": ["string", "integer", "null"]},
        "types": {**_TYPES, "additionalProperties": _WORD},
    },
    "required": ["tenant", "name", "types"],
}
_STORED_TENANT = object_schema(
    {
        "tenant": {**TEXT, "description": "id of the tenant"},
        "name": or_null(TEXT),
        "types": {**_TYPES, "additionalProperties": TEXT},
        "last_updated": {**TEXT, "pattern": WHEN, "description": "when this was told"},
    },
    title="Tenant",
)
TENANT = object_schema({"tenant": _STORED_TENANT})
TENANTS = object_schema({"tenants": list_schema(_STORED_TENANT)})
TENANT_BODY = Body(
    "Name and types of the tenant of the path.",
    _TENANT,
    {"tenant": "5877054", "name": "Acme", "types": {"account_type": "internal"}},
)
TENANTS_BODY = Body(
    "Names and types of tenants.",
    {"type": "object", "properties": {"tenants": list_schema(_TENANT)}, "required": ["tenants"]},
    {"tenants": [{"tenant": "389886", "name": "Images Ltd.", "types": {}}]},
)
