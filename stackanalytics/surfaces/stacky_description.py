"""What the stacky interface takes and shows: parameters, and tables by their headers."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from types import MappingProxyType

from stackanalytics.analytics.event import SEARCHABLE
from stackanalytics.surfaces.description import (
    SOME_TEXT,
    TEXT,
    Columns,
    Parameter,
    Schema,
    choice,
    field_schema,
    list_schema,
    or_null,
    row_schema,
    table_schema,
)
from stackanalytics.surfaces.legacy import LEGACY_FIELDS, SERVICES, Service
from stackanalytics.surfaces.parameter import (
    COUNT,
    DATE,
    DATE_TIME,
    PAGE,
    REQUEST_ID_LIKE,
    UNIX_TIME,
    UUID_LIKE,
    id_part,
    unix_times,
)

ABSENT = (HTTPStatus.NOT_FOUND,)

# the tables, by header

_DURATION = r"-?\d+d \d\d:\d\d:\d\d"
_PRECISE_DURATION: Schema = {
    "type": "string",
    "pattern": rf"^{_DURATION}\.\d\d$",
    "description": "duration in days, hours, minutes and seconds, cut to hundredths",
}
_ROUGH_DURATION: Schema = {
    "type": "string",
    "pattern": f"^{_DURATION}$",
    "description": "mean duration, cut to whole seconds",
}
_UNIX: Schema = {"type": "number", "description": "s since 1970"}
_TO_THE_SECOND: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$", "description": "UTC"}
_ID = field_schema("id", is_null=False)


def _mark(otherwise: str) -> Schema:
    return {"enum": ["E", otherwise], "description": "E if it came over an error queue"}


DEPLOYMENTS: Columns = MappingProxyType(
    {
        "#": {"type": "integer", "minimum": 1, "description": "number of the deployment, as watch takes it"},
        "Name": field_schema("deployment", is_null=False),
    }
)
EVENT_TYPES: Columns = MappingProxyType({"Event Name": field_schema("event_type")})
HOSTS: Columns = MappingProxyType({"Host Name": field_schema("host")})
TIMINGS: Columns = MappingProxyType(
    {
        "?": {"enum": [".", "S", "E"], "description": "'.' start and end known, 'S' only the start, 'E' only the end"},
        "Event": field_schema("operation"),
        "Time (secs)": {"anyOf": [_PRECISE_DURATION, {"const": "n/a"}]},
    }
)
SUMMARY: Columns = MappingProxyType(
    {
        "Event": field_schema("operation"),
        "N": {"type": "integer", "minimum": 1, "description": "how many timings"},
        "Min": _PRECISE_DURATION,
        "Max": _PRECISE_DURATION,
        "Avg": _ROUGH_DURATION,
    }
)
FOUND_EVENTS: Columns = MappingProxyType(
    {
        "#": _ID,
        "?": _mark("."),
        "When": _UNIX,
        "Deployment": field_schema("deployment"),
        "Event": field_schema("event_type"),
        "Host": field_schema("host"),
        "UUID": or_null({**TEXT, "description": "uuid of the instance, or of the image"}),
        "Request ID": field_schema("request_id"),
    }
)
KPIS: Columns = MappingProxyType(
    {
        "Event": field_schema("operation"),
        "Time": _PRECISE_DURATION,
        "UUID": field_schema("instance"),
        "Deployment": field_schema("deployment"),
    }
)


def _reports(time: Schema) -> Columns:
    return MappingProxyType(
        {
            "Id": {"type": "integer", "minimum": 1},
            "Start": time,
            "End": time,
            "Created": time,
            "Name": TEXT,
            "Version": {"type": "integer", "description": "version of the report's form"},
        }
    )


REPORTS = _reports(_UNIX)
FOUND_REPORTS = _reports(_TO_THE_SECOND)


def events_of(service: Service) -> Columns:
    """Return the table of the events of a service."""
    return {
        "#": _ID,
        "?": _mark(" "),
        "When": field_schema("generated_at", is_null=False),
        "Deployment": field_schema("deployment"),
        "Event": field_schema("event_type"),
        "Host": field_schema("host"),
        **{header: field_schema(column) for header, column in service.own.items()},
    }


EVENTS_OF = MappingProxyType(
    {name: {**table_schema(events_of(service)), "title": f"Events of {name}"} for name, service in SERVICES.items()}
)

# what is no table alone

TIMINGS_OF_ONE: Schema = {
    "type": "array",
    "minItems": 1,
    "prefixItems": [row_schema({**TEXT, "description": "name of the operation"}, {"const": "Time"})],
    "items": row_schema(field_schema("instance"), _PRECISE_DURATION),
}


def _pairs(cells: Columns) -> Schema:
    rows = [row_schema({"const": key}, cell) for key, cell in cells.items()]
    return row_schema({"const": ["Key", "Value"]}, *rows)


def _shown(state: str) -> Schema:
    return _pairs(
        {
            "#": _ID,
            "When": field_schema("generated_at", is_null=False),
            "Deployment": field_schema("deployment"),
            "Category": field_schema("routing_key"),
            "Publisher": field_schema("publisher_id"),
            state: field_schema(state.lower()),
            "Event": field_schema("event_type"),
            "Service": field_schema("service"),
            "Host": field_schema("host"),
            "UUID": or_null({**TEXT, "description": "uuid of the instance, or of the image"}),
            "Req ID": field_schema("request_id"),
        }
    )


SHOWN = row_schema(
    {"anyOf": [_shown("State"), _shown("Status")]},
    {**TEXT, "description": "routing key and body of the notification as indented JSON"},
    or_null({**TEXT, "description": "uuid of the instance, or of the image, to ask /stacky/uuid/ for"}),
)
WATCHED = row_schema(
    {**row_schema(*[{"type": "integer"}] * 6), "description": "widths of the columns, in characters"},
    list_schema(
        row_schema(
            _ID,
            _mark("."),
            {**TEXT, "pattern": r"^\d{4}-\d\d-\d\d$", "description": "day"},
            {**TEXT, "pattern": r"^\d\d:\d\d:\d\d(\.\d{6})?$", "description": "time of the day"},
            field_schema("deployment"),
            field_schema("event_type"),
            {**TEXT, "description": "uuid of the instance, or of the image, else -"},
        )
    ),
    {**TEXT, "pattern": r"^\d+$", "description": "the time it is [s since 1970], to give as since next"},
)
REPORT: Schema = {
    "type": "array",
    "minItems": 1,
    "prefixItems": [{"type": "object", "description": "what the report is about"}],
    "items": {"type": ["array", "object"], "description": "headers, then rows; or one object for each row"},
}

# the parameters

_INSTANCE = "77e0f192-00a2-4f14-ad56-7467897828ea"
_TENANT = "5877054"


def _service(about: str, names: Iterable[str]) -> Parameter:
    return Parameter("service", about, choice(names, "nova"), "nova")


SERVICE = _service("Which service: `generic` is whatever is neither nova nor glance.", SERVICES)
SERVICE_OR_ALL = _service("Which service: `generic` is whatever is neither nova nor glance.", ["all", *SERVICES])
UUID = Parameter(
    "uuid", "Uuid of the instance, or of the image with `service=glance`.", UUID_LIKE, _INSTANCE, is_required=True
)
INSTANCE = Parameter("uuid", "Uuid of the instance.", UUID_LIKE, _INSTANCE, is_required=True)
ONLY_INSTANCE = Parameter("uuid", "Only timings of this instance.", UUID_LIKE, _INSTANCE)
OPERATION = Parameter(
    "name", "Name of the operation, without .start and .end.", SOME_TEXT, "compute.instance.create", is_required=True
)
REQUEST_ID = Parameter(
    "request_id",
    "Id of the request, as its notifications have it.",
    REQUEST_ID_LIKE,
    "req-a7517402-6192-4d0a-85a1-e14051790d5a",
    is_required=True,
)
EVENT_TIMES = unix_times("when_min", "when_max", "events")
ENDS = unix_times("end_when_min", "end_when_max", "operations that ended")
CREATED = unix_times("created_from", "created_to", "reports that were created")
TIMINGS_PAGE = (
    Parameter(
        "limit", "Of each operation at most so many timings, by the time of their end; all if not given.", COUNT, 100
    ),
    Parameter("offset", "Of each operation so many timings are left out first.", {**COUNT, "default": 0}, 0),
)
_PERIOD = "YYYY-MM-DD HH:MM[:ss[.uuuuuu]][TZ]"
REPORT_CRITERIA = (
    Parameter("id", "Id of the report.", {"type": "integer"}, 1),
    Parameter("name", "Name of the report, the whole of it.", example="nova usage audit"),
    Parameter("period_start", f"Begin of its period: {_PERIOD}.", DATE_TIME, "2014-01-14 00:00"),
    Parameter("period_end", f"End of its period: {_PERIOD}.", DATE_TIME, "2014-01-15 00:00"),
    Parameter("created", "Day on which it was created: YYYY-MM-DD.", DATE, "2014-01-15"),
    *PAGE,
)
REPORT_ID = id_part("report_id", "the report, as /stacky/reports/ lists it")
EVENT_ID = id_part("event_id", "the event: the number in the column `#`")
DEPLOYMENT_ID = Parameter(
    "deployment_id", "Number of the deployment, as /stacky/deployments/ lists it; 0 for all.", COUNT, 0, place="path"
)
SINCE = Parameter(
    "since",
    "Only events after this time [s since 1970], which is the last that was answered; two seconds ago if not given.",
    UNIX_TIME,
    1389892207,
)
EVENT_NAME = Parameter("event_name", "Only events of this type.", example="compute.instance.update")
FIELD = Parameter(
    "field",
    "The field to search in, by its name here or in StackTach, or `uuid`; with `__contains` or `__startswith` behind it"
    " a part of the value is looked for, which only texts have.",
    {
        "type": "string",
        "pattern": f"^({'|'.join(sorted({*SEARCHABLE, *LEGACY_FIELDS, 'uuid'}))})(__contains|__startswith)?$",
    },
    "event__contains",
    is_required=True,
)
VALUE = Parameter(
    "value",
    "What to search for. Times are seconds since 1970, or texts; a deployment is its name or number.",
    SOME_TEXT,
    "create",
    is_required=True,
)
TENANT = Parameter("tenant_id", "Only requests of this tenant.", SOME_TEXT, _TENANT, place="path")
KIND = Parameter("kind", "`launches`, `deletes` or `exists`.", SOME_TEXT, "launches", place="path")

# by path: what else there is to know, and an answer

DETAILS: Mapping[str, str] = MappingProxyType(
    {
        "/stacky/events/": "Nova's if no service is given, which is how StackTach's documentation has it.",
        "/stacky/uuid/": "In the order of their times. A state that is not known is an empty text.",
        "/stacky/timings/": "A duration is negative where the end is before the start, since clocks disagree.",
        "/stacky/timings/uuid/": "Of operations without a start or an end the time is `n/a`.",
        "/stacky/summary/": "Of timings with a start and an end; those with a negative duration count nowhere.",
        "/stacky/request/": "In the order of their times. A state that is not known is null.",
        "/stacky/reports/": "Without a range those that were created last; always in the order of their ids.",
        "/stacky/reports/search/": "Any other parameter is refused.",
        "/stacky/report/<report_id>/": "Rows have the form that StackTach's reports have; /reports/ has them as files.",
        "/stacky/show/<event_id>/": "An event of another service than the one given is not found, and the message names"
        " its service.",
        "/stacky/watch/<deployment_id>/": "Give the last element of the answer as `since` next time. The time counts at"
        " which an event was sent, so that what lands late is not shown. A deployment that there is not has no events.",
        "/stacky/search/": "Any column of notifications can be searched, also by the name that StackTach gives it.",
        "/stacky/kpi/": "From the update by the API to the last end of what the request caused, shortest first.",
        "/stacky/kpi/<tenant_id>/": "From the update by the API to the last end of what the request caused, shortest"
        " first. A tenant that no notification is about is not found.",
    }
)

_KPI_EXAMPLE = [list(KPIS), ["compute.instance.create", "0d 00:01:05.25", _INSTANCE, "region-1"]]
_EVENT_EXAMPLE = [
    *(2, " ", "2014-01-14 15:39:23.599298", "region-1", "compute.instance.update", "compute-99"),
    *("active", "active", "image_snapshot"),
]
EXAMPLES: Mapping[str, object] = MappingProxyType(
    {
        "/stacky/deployments/": [list(DEPLOYMENTS), [2, "cell-b"], [1, "region-1"]],
        "/stacky/events/": [list(EVENT_TYPES), ["compute.instance.create.end"], ["compute.instance.create.start"]],
        "/stacky/hosts/": [list(HOSTS), ["api-1"], ["compute-99"]],
        "/stacky/uuid/": [list(events_of(SERVICES["nova"])), _EVENT_EXAMPLE],
        "/stacky/timings/": [["compute.instance.create", "Time"], [_INSTANCE, "0d 00:00:55.50"]],
        "/stacky/timings/uuid/": [
            list(TIMINGS),
            [".", "compute.instance.create", "0d 00:00:55.50"],
            ["S", "compute.instance.snapshot", "n/a"],
        ],
        "/stacky/summary/": [
            list(SUMMARY),
            ["compute.instance.create", 2, "0d 00:00:25.00", "0d 00:01:00.25", "0d 00:00:42"],
        ],
        "/stacky/request/": [list(events_of(SERVICES["nova"])), _EVENT_EXAMPLE],
        "/stacky/reports/": [
            list(REPORTS),
            [1, 1389657600.0, 1389744000.0, 1389744612.947449, "nova usage audit", 7],
        ],
        "/stacky/reports/search/": [
            list(FOUND_REPORTS),
            [1, "2014-01-14 00:00:00", "2014-01-15 00:00:00", "2014-01-15 00:10:12", "nova usage audit", 7],
        ],
        "/stacky/report/<report_id>/": [
            {"name": "image events audit", "version": 1, "start": 1389657600.0, "end": 1389744000.0, "image.upload": 9},
            ["Event", "Count"],
            ["image.upload", 9],
        ],
        "/stacky/show/<event_id>/": [
            [
                ["Key", "Value"],
                ["#", 2],
                ["When", "2014-01-14 15:39:23.599298"],
                ["Deployment", "region-1"],
                ["Category", "monitor.info"],
                ["Publisher", "compute.compute-99"],
                ["State", "active"],
                ["Event", "compute.instance.update"],
                ["Service", "compute"],
                ["Host", "compute-99"],
                ["UUID", _INSTANCE],
                ["Req ID", None],
            ],
            '[\n  "monitor.info",\n  {\n    "event_type": "compute.instance.update"\n  }\n]',
            _INSTANCE,
        ],
        "/stacky/watch/<deployment_id>/": [
            [10, 1, 15, 20, 50, 36],
            [[5, "E", "2014-01-14", "16:00:00", "cell-b", "compute.instance.reboot.end", _INSTANCE]],
            "1389892207",
        ],
        "/stacky/search/": [
            list(FOUND_EVENTS),
            [5, "E", 1389715200.0, "cell-b", "compute.instance.reboot.end", "compute-99", _INSTANCE, None],
        ],
        "/stacky/kpi/": _KPI_EXAMPLE,
        "/stacky/kpi/<tenant_id>/": _KPI_EXAMPLE,
    }
)
