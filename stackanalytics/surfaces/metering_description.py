"""What Ceilometer's API v2 takes and answers: parameters, objects by their kinds, bodies, errors."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from stackanalytics.analytics.metadata_value import FALSE, TRUE
from stackanalytics.analytics.meter_slice import CALENDAR
from stackanalytics.schema import FIELDS, INSTANT
from stackanalytics.surfaces import metering_row
from stackanalytics.surfaces.description import (
    SOME_TEXT,
    TEXT,
    Body,
    Header,
    Parameter,
    Schema,
    field_schema,
    list_schema,
    object_schema,
)
from stackanalytics.surfaces.metering_query import DEFAULT_LIMIT, HIGHEST_LIMIT
from stackanalytics.surfaces.parameter import COUNT

ERROR = object_schema(
    {
        "error_message": {
            "anyOf": [
                TEXT,
                object_schema({"faultcode": {"enum": ["Client", "Server"]}, "faultstring": TEXT, "debuginfo": {}}),
            ]
        }
    },
    title="Fault",
    description="an error as Ceilometer's clients read it; a text alone, where HTTP itself refuses",
)
# beside what all refuse: clients that accept no JSON, and bodies that cannot be read
UNREADABLE = (
    HTTPStatus.NOT_ACCEPTABLE,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)
SEEING = (HTTPStatus.FORBIDDEN, *UNREADABLE)
READING = (HTTPStatus.UNAUTHORIZED, *SEEING)
FINDING = (HTTPStatus.NOT_FOUND, *SEEING)
REFUSED: Mapping[HTTPStatus, str] = {
    HTTPStatus.UNAUTHORIZED: "What is asked for is of another project or, of types of events, for admins.",
    HTTPStatus.FORBIDDEN: "X-Roles has no admin, and there is no X-Project-Id, for events no X-User-Id; or only admins"
    " may do this.",
}

CONDITIONAL = (
    "Conditions are spelled q.field=…&q.op=…&q.value=… once for each, q[].field=… likewise, or q[0].field=… with any"
    " numbers; all of this can be a JSON object in the body, too."
)
STRICT = (
    "Arguments that are not known are refused, and so are those given twice that are told once. The headers X-Roles,"
    " X-User-Id and X-Project-Id tell who asks: with none of them everything may be seen."
)

_ISO: Schema = {"type": ["string", "null"], "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?$"}
_TEXTS: Schema = {"type": "object", "additionalProperties": TEXT}
_NUMBER: Schema = {"type": ["number", "null"]}


def _parameter(name: str, about: str, schema: Schema = TEXT, example: object = None) -> Parameter:
    return Parameter(name, about, schema, example)


def _repeated(name: str, about: str) -> Parameter:
    return Parameter(name, f"{about} Once for each.", list_schema(TEXT))


def part(name: str, about: str, example: object) -> Parameter:
    """Return a part of a path."""
    return Parameter(name, about, SOME_TEXT, example, place="path")


CONDITIONS = (
    _repeated("q.field", "Fields that conditions are on."),
    _repeated("q.op", "What relations must hold: eq, ne, lt, le, gt or ge, as the field has them; else eq."),
    _repeated("q.value", "Values that fields are compared with, as many as fields."),
    _repeated("q.type", "Types of values of metadata or traits: integer, float, string, boolean or datetime."),
)
_OWNERS = {"project": "p-1", "user": "u-1", "resource": "r-1"}
OWNERS = (
    *(
        _parameter(name, f"Only what is of this {owner}.", example=example)
        for owner, example in _OWNERS.items()
        for name in (f"{owner}_id", owner)
    ),
    _parameter("source", "Only what is of this source.", example="openstack"),
)
SELECTED = _repeated("s", "Fields that are told, all where none is given; also s[] and s[0].")
_LIMIT: Schema = {"type": "integer", "minimum": 1, "maximum": HIGHEST_LIMIT, "default": DEFAULT_LIMIT}
LIMIT = _parameter("limit", "At most so many.", _LIMIT, 10)
OFFSET = _parameter("offset", "So many are left out first.", {**COUNT, "maximum": 10**18 - 1, "default": 0}, 0)
PAGE = (LIMIT, OFFSET)
_FLAG: Schema = {"enum": [spelled for word in TRUE + FALSE for spelled in (word, word.title())], "default": "False"}
UNIQUE = _parameter("unique", "Whether each meter is told once.", _FLAG, "True")
METER_LINKS = _parameter("meter_links", "Whether there are links to meters.", {"type": "integer", "default": 1}, 0)
STATISTICS = (
    _parameter(
        "period",
        f"Length of the slices [s], 0 for none, or {', '.join(CALENDAR)}.",
        {"anyOf": [COUNT, {"enum": list(CALENDAR)}], "default": 0},
        3600,
    ),
    _parameter("timezone", "Time zone of the calendar.", SOME_TEXT),
    _parameter("aligned", "Whether slices of a length are counted from 1970 in UTC.", _FLAG),
    _parameter("empty", "Whether slices without samples are told, too.", _FLAG),
    _repeated("groupby", "Fields that rows are told for: resource_id, project_id, user_id, source or metadata.<path>."),
    _repeated("aggregate.func", "What is told instead of all that is usual, such as max, stddev or cardinality."),
    _repeated("aggregate.param", "What functions need: cardinality a field, percentile a number."),
)
DIRECT = _parameter("direct", "Makes no difference: all is stored at once.", _FLAG, "True")

PAGE_HEADERS = (
    Header("X-Total-Count", "How many there are in all.", {"type": "integer", "minimum": 0}),
    Header("X-Truncated", "Whether that is more than up to here.", {"enum": ["true", "false"]}),
)


def _field(column: str) -> Schema:
    if column == "metadata":
        return _TEXTS
    if FIELDS[column].type == INSTANT:
        return {**_ISO, "description": FIELDS[column].meaning}
    return field_schema(column)


def form(title: str, fields: Mapping[str, str], **more: Schema) -> Schema:
    """Return the form of an object of a kind, any of whose fields can be selected."""
    told = {**{name: _field(column) for name, column in fields.items()}, **more}
    return object_schema(told, title=title, required=[])


_STANDARD = {name: {"type": "integer"} if name == "count" else _NUMBER for name in metering_row.STANDARD}
_LINKS = list_schema(object_schema({"href": TEXT, "rel": TEXT}))
_TRAIT_TYPE: Schema = {"enum": ["string", "integer", "float", "datetime"]}

SAMPLE = form("Sample", metering_row.SAMPLE)
OLD_SAMPLE = form("Old sample", metering_row.OLD_SAMPLE)
METER = form("Meter", metering_row.METER, meter_id=TEXT, description=TEXT)
RESOURCE = form("Resource", metering_row.RESOURCE, links=_LINKS)
STATISTIC = form(
    "Statistic",
    metering_row.STATISTIC,
    **_STANDARD,
    period={"type": "integer"},
    groupby={"type": ["object", "null"], "additionalProperties": {"type": ["string", "null"]}},
    aggregate={"type": "object", "additionalProperties": _NUMBER},
)
TRAIT = object_schema({"name": TEXT, "type": _TRAIT_TYPE, "value": TEXT}, title="Trait", required=[])
EVENT = object_schema(
    {
        "message_id": {"type": ["string", "null"]},
        "event_type": TEXT,
        "generated": _ISO,
        "traits": list_schema(TRAIT),
        "raw": {"type": "object"},
    },
    title="Event",
    required=[],
)
VERSION = object_schema(
    {
        "id": {"const": "v2"},
        "status": TEXT,
        "updated": TEXT,
        "links": list_schema(object_schema({"rel": TEXT, "href": TEXT})),
        "media-types": list_schema(object_schema({"base": TEXT, "type": TEXT})),
    },
    title="Version",
)
CAPABILITIES = object_schema(
    {
        name: {"type": "object", "additionalProperties": {"type": "boolean"}}
        for name in ("api", "storage", "event_storage")
    },
    title="Capabilities",
)
DEFINITION = object_schema(
    {"name": TEXT, "type": TEXT, "unit": TEXT, "description": {"type": ["string", "null"]}}, title="Definition"
)

# what the examples tell of

_AT = "2013-01-01T00:00:00"
_SAMPLE: Mapping[str, object] = {
    "id": "sample-1",
    "meter": "cpu_util",
    "type": "gauge",
    "unit": "%",
    "volume": 16.0,
    "user_id": "u-1",
    "project_id": "p-1",
    "resource_id": "r-1",
    "source": "openstack",
    "timestamp": _AT,
    "recorded_at": "2013-01-01T00:00:05.250000",
    "metadata": {"size": "5"},
}
_OLD = {"id": "message_id", "metadata": "resource_metadata"} | {
    name: f"counter_{name}" for name in ("type", "unit", "volume")
}
_STATISTIC = {
    "unit": "%",
    "period": 0,
    "period_start": _AT,
    "period_end": _AT,
    "groupby": None,
    "min": 16.0,
    "max": 16.0,
    "avg": 16.0,
    "sum": 16.0,
    "count": 1,
    "duration": 0.0,
    "duration_start": _AT,
    "duration_end": _AT,
}
_POSTED = {
    "counter_name": "apples",
    "counter_type": "gauge",
    "counter_unit": "apple",
    "counter_volume": 3.0,
    "resource_id": "tree",
    "project_id": "p-1",
    "timestamp": _AT,
}
EXAMPLES: Mapping[str, Any] = {
    "sample": _SAMPLE,
    "old_sample": {"counter_name" if name == "meter" else _OLD.get(name, name): _SAMPLE[name] for name in _SAMPLE},
    "meter": {
        "name": "cpu_util",
        "type": "gauge",
        "unit": "%",
        "resource_id": "r-1",
        "project_id": "p-1",
        "user_id": "u-1",
        "source": "openstack",
        "meter_id": metering_row.meter_id("r-1", "cpu_util"),
    },
    "resource": {
        "resource_id": "r-1",
        "project_id": "p-1",
        "user_id": "u-1",
        "source": "openstack",
        "first_sample_timestamp": _AT,
        "last_sample_timestamp": _AT,
        "metadata": {"size": "5"},
        "links": [{"href": "http://127.0.0.1:8000/v2/resources/r-1", "rel": "self"}],
    },
    "statistic": _STATISTIC,
    "trait": {"name": "state", "type": "string", "value": "active"},
    "event": {
        "message_id": "event-1",
        "event_type": "compute.instance.resize.end",
        "generated": _AT,
        "raw": {},
        "traits": [{"name": "state", "type": "string", "value": "active"}],
    },
    "posted": {
        **_POSTED,
        "user_id": None,
        "source": "p-1:openstack",
        "resource_metadata": {},
        "message_id": "sample-2",
    },
    "definition": {"name": "cpu_util", "type": "gauge", "unit": "%", "description": None},
}

POSTED = list_schema(
    form("Posted sample", {name: column for name, column in metering_row.OLD_SAMPLE.items() if name != "recorded_at"})
)
_GIVEN: Schema = object_schema(
    {
        **dict.fromkeys(("counter_name", "resource_id"), SOME_TEXT),
        "counter_type": {"enum": ["gauge", "delta", "cumulative", "counter"]},
        "counter_unit": TEXT,
        "counter_volume": {"type": ["number", "string"]},
        **{name: {"type": ["string", "null"]} for name in ("project_id", "user_id", "source", "timestamp")},
        "resource_metadata": {"type": ["object", "null"]},
    },
    title="Given sample",
    required=["counter_name", "counter_type", "counter_unit", "counter_volume", "resource_id"],
)
SAMPLES_BODY = Body("Samples of the meter.", {**list_schema(_GIVEN), "minItems": 1}, [_POSTED])
ANY_SAMPLES_BODY = Body(
    "Samples of any meters, or one.", {"anyOf": [{**list_schema(_GIVEN), "minItems": 1}, _GIVEN]}, [_POSTED]
)
DEFINITION_BODY = Body(
    "What holds of the meter from now on.",
    object_schema(
        {
            "unit": {"type": ["string", "null"]},
            "type": {"enum": ["gauge", "delta", "cumulative", "counter", None]},
            "description": {"type": ["string", "null"]},
        },
        required=[],
        minProperties=1,
    ),
    {"unit": "%"},
)
COMPLEX_BODY = Body(
    "A filter and an order, which are texts of JSON, and a page.",
    object_schema(
        {
            "filter": {"type": ["string", "object", "null"]},
            "orderby": {"type": ["string", "array", "null"]},
            "limit": {"type": ["integer", "string", "null"]},
            "offset": {"type": ["integer", "string", "null"]},
        },
        required=[],
    ),
    {"filter": '{">": {"volume": 3}}', "orderby": '[{"volume": "asc"}]', "limit": 10},
)


def many(kind: str, schema: Schema, parameters: Iterable[Parameter], **more: Any) -> dict[str, Any]:
    """Return the description of a list of objects of a kind."""
    told = {"returns": list_schema(schema), "example": [EXAMPLES[kind]], "refusals": READING}
    return {**told, "parameters": tuple(parameters), **more}


def one(kind: str, schema: Schema, *parameters: Parameter, **more: Any) -> dict[str, Any]:
    """Return the description of one object of a kind."""
    return {"returns": schema, "example": EXAMPLES[kind], "refusals": FINDING, "parameters": parameters, **more}


def detail(parameters: Iterable[Parameter]) -> str:
    """Return how arguments are read, of a route with these."""
    has_conditions = CONDITIONS[0] in parameters
    return f"{CONDITIONAL} {STRICT}" if has_conditions else STRICT
