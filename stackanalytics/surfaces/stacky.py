"""The JSON interface of StackTach, for the ``stacky`` command line and the scripts that poll it.

Every endpoint is a function of the lake, the parameters as texts, and the present second. It
reads the parameters, asks one analysis, and returns what stacky shows: mostly a table, which is
a list of rows with the headers as the first. Parameters that an endpoint does not know do not
matter, except to ``reports/search``; of one given twice the last value counts.

Source: StackTach's documentation of its REST interface (``docs/stacky.rst``), and the behaviour
of StackTach where that is silent.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Literal, TypeAlias

import msgspec
import polars as pl

from stackanalytics import times
from stackanalytics.analytics import event, request_kpi, timing
from stackanalytics.errors import InputError, NotFoundError
from stackanalytics.lake import Lake
from stackanalytics.reports import store
from stackanalytics.schema import FIELDS, INSTANT
from stackanalytics.surfaces import stacky_description as described
from stackanalytics.surfaces.description import Parameter, Schema, table_schema
from stackanalytics.surfaces.encoding import (
    ERROR_TABLE,
    YEARS,
    Parameters,
    Row,
    Table,
    after,
    at_or_after,
    duration,
    error_table,
    from_unixtime,
    given,
    is_unixtime,
    microseconds,
    number,
    page,
    request_id_like,
    required,
    table,
    unixtime,
    uuid_like,
    when,
    whole_duration,
)
from stackanalytics.surfaces.keeping import once_per_version
from stackanalytics.surfaces.legacy import LEGACY_FIELDS, SERVICES, Service
from stackanalytics.surfaces.parameter import PAGE
from stackanalytics.surfaces.report_rows import report_rows
from stackanalytics.surfaces.route import Request, Route, Surface, first_sentence

Endpoint: TypeAlias = Callable[[Lake, Parameters, datetime], object]
Match: TypeAlias = Literal["equals", "contains", "startswith"]

KPI_PERIOD = timedelta(hours=24)
WATCH_PERIOD = timedelta(seconds=2)
MINUTE = timedelta(minutes=1)
WATCH_KEPT = timedelta(minutes=2)
WATCH_WIDTHS = (10, 1, 15, 20, 50, 36)


_SHOWN = ("id", "is_error", "generated_at", "deployment", "event_type", "host")
_REPORT_CRITERIA = frozenset(criterion.name for criterion in described.REPORT_CRITERIA)


def deployments(lake: Lake, parameters: Parameters, now: datetime) -> Table:
    """The deployments, by name."""
    return table([*described.DEPLOYMENTS], event.deployments(lake).select("id", "name").rows())


def events(lake: Lake, parameters: Parameters, now: datetime) -> Table:
    """The event types of a service, or of all: nova's, then glance's, then the others'."""
    exchange, not_exchange = _exchanges(parameters)
    found = event.event_types(lake, exchange=exchange, not_exchange=not_exchange)
    place = pl.col("exchange").replace_strict({"nova": 0, "glance": 1}, default=2, return_dtype=pl.Int8)
    return table(
        [*described.EVENT_TYPES],
        found.select("event_type", place.alias("place"))
        .unique()
        .sort("place", "event_type")
        .select("event_type")
        .rows(),
    )


def hosts(lake: Lake, parameters: Parameters, now: datetime) -> Table:
    """The hosts that sent notifications of a service, or of all."""
    exchange, not_exchange = _exchanges(parameters)
    return table(
        [*described.HOSTS], event.hosts(lake, exchange=exchange, not_exchange=not_exchange).select("host").rows()
    )


def uuid(lake: Lake, parameters: Parameters, now: datetime) -> Table:
    """The events of an instance, or of an image with ``service=glance``."""
    service = _service(parameters)
    wanted = uuid_like(required(parameters, "uuid"))
    limit, offset = page(parameters)
    found = event.events(
        lake,
        instance=wanted if service.uuid == "instance" else None,
        resource=wanted if service.uuid == "resource" else None,
        exchange=service.exchange,
        not_exchange=service.not_exchange,
        start=at_or_after(parameters, "when_min"),
        end=after(parameters, "when_max"),
        limit=limit,
        offset=offset,
        columns=(*_SHOWN, *service.own.values()),
    )
    # as in the documentation's examples, a state that is not known is an empty text here, and null in request
    return _event_table(service, found.with_columns(pl.col("^(old_)?(state|task)$").fill_null("")))


def timings(lake: Lake, parameters: Parameters, now: datetime) -> Table:
    """The timings of one operation that have a start and an end, shortest first."""
    name = required(parameters, "name")
    limit, offset = page(parameters)
    found = timing.timings(
        lake,
        operation=name,
        state=".",
        start=at_or_after(parameters, "end_when_min"),
        end=after(parameters, "end_when_max"),
    )
    shortest = found.sort("duration_s", maintain_order=True).slice(offset, limit)
    rows = shortest.select("instance", "duration_s").iter_rows()
    return table([name, "Time"], [[instance, _duration(seconds)] for instance, seconds in rows])


def timings_uuid(lake: Lake, parameters: Parameters, now: datetime) -> Table:
    """The timings of an instance, with ``S`` or ``E`` where only the start or the end is known."""
    found = timing.timings(lake, instance=uuid_like(required(parameters, "uuid")))
    rows = found.select("timing_state", "operation", "duration_s").iter_rows()
    return table(
        [*described.TIMINGS],
        [[state, name, "n/a" if seconds is None else _duration(seconds)] for state, name, seconds in rows],
    )


def summary(lake: Lake, parameters: Parameters, now: datetime) -> Table:
    """How many timings each operation has, and the shortest, longest and mean of them."""
    instance = given(parameters, "uuid")
    limit, offset = page(parameters, default=None, highest=None)
    found = timing.timing_summary(
        lake, instance=None if instance is None else uuid_like(instance), limit=limit, offset=offset
    )
    rows = found.select("operation", "count", "min_s", "max_s", "mean_s").iter_rows()
    return table(
        [*described.SUMMARY],
        [
            [name, count, _duration(shortest), _duration(longest), whole_duration(microseconds(mean))]
            for name, count, shortest, longest, mean in rows
        ],
    )


def request(lake: Lake, parameters: Parameters, now: datetime) -> Table:
    """The events of one API request to nova."""
    nova = SERVICES["nova"]
    limit, offset = page(parameters)
    found = event.events(
        lake,
        request_id=request_id_like(required(parameters, "request_id")),
        exchange=nova.exchange,
        start=at_or_after(parameters, "when_min"),
        end=after(parameters, "when_max"),
        limit=limit,
        offset=offset,
        columns=(*_SHOWN, *nova.own.values()),
    )
    return _event_table(nova, found)


def show(lake: Lake, parameters: Parameters, now: datetime) -> list[object]:
    """One event: a table, the notification as text, and the uuid it is about."""
    service = _service(parameters)
    shown = _event(lake, parameters["event_id"], service)
    subject = shown[service.uuid]
    state = {"Status": shown["status"]} if "Status" in service.own else {"State": shown["state"]}
    cells = {
        "#": shown["id"],
        "When": times.show(shown["generated_at"]),
        "Deployment": shown["deployment"],
        "Category": shown["routing_key"],
        "Publisher": shown["publisher_id"],
        **state,
        "Event": shown["event_type"],
        "Service": shown["service"],
        "Host": shown["host"],
        "UUID": subject,
        "Req ID": shown["request_id"],
    }
    return [table(["Key", "Value"], list(cells.items())), _pretty(shown["routing_key"], shown["body"]), subject]


def watch(lake: Lake, parameters: Parameters, now: datetime) -> list[object]:
    """The events since a time, for showing them as they happen: widths, events, the time it is."""
    service = _service(parameters)
    since = after(parameters, "since") or now - WATCH_PERIOD + times.MICROSECOND
    deployment_id = _id(parameters["deployment_id"], "deployment")
    deployment = _deployment_names(lake).get(deployment_id)
    rows: list[Row] = []
    if deployment_id == 0 or deployment is not None:
        told = _told(lake, service, since, now + times.MICROSECOND, now.replace(second=0, microsecond=0))
        rows = told.between(since, now + times.MICROSECOND, deployment, given(parameters, "event_name"))
    *before, narrowest, last = WATCH_WIDTHS
    widest = max([narrowest, *(len(str(row[5])) for row in rows)])
    return [[*before, widest, last], rows, str(times.unix_us(now) // 1_000_000)]


@dataclass(frozen=True, slots=True)
class Told:
    """Events in the order of their times [µs since 1970], and what ``watch`` shows of each."""

    at_us: list[int]
    rows: Sequence[Row]

    def between(self, start: datetime, end: datetime, deployment: str | None, event_type: str | None) -> list[Row]:
        """Return what is shown of those of ``[start, end)``, of a deployment and a type or of any."""
        first, last = (bisect_left(self.at_us, times.unix_us(moment)) for moment in (start, end))
        return [
            row
            for row in self.rows[first:last]
            if (deployment is None or row[4] == deployment) and (event_type is None or row[5] == event_type)
        ]


def _told(lake: Lake, service: Service, start: datetime, end: datetime, minute: datetime) -> Told:
    """Return at least the events of ``[start, end)``: of those about the present minute, which is asked for often."""
    first, last = minute - WATCH_KEPT, minute + 2 * MINUTE
    if first <= start and end <= last:
        return _told_recently(lake, service, first, last)
    return _told_between(lake, service, start, end)


def _told_between(lake: Lake, service: Service, start: datetime, end: datetime) -> Told:
    found = event.events(
        lake,
        exchange=service.exchange,
        not_exchange=service.not_exchange,
        start=start,
        end=end,
        columns=("id", "is_error", "generated_at", "deployment", "event_type", service.uuid),
    )
    cells = found.select(
        "id", _mark("."), when("generated_at"), "deployment", "event_type", pl.col(service.uuid).fill_null("-")
    )
    rows = [[event_id, mark, *moment.split(" "), *others] for event_id, mark, moment, *others in cells.iter_rows()]
    return Told(found["generated_at"].dt.epoch("us").to_list(), rows)


# for each service, this minute's and the former one's
_told_recently = once_per_version(2 * len(SERVICES))(_told_between)


@once_per_version(1)
def _deployment_names(lake: Lake) -> dict[int, str]:
    return lake.deployments()


def search(lake: Lake, parameters: Parameters, now: datetime) -> Table:
    """The events of which one field has a value, newest first.

    A field is a column of the lake or has the name that StackTach gives it; ``__contains`` and
    ``__startswith`` behind it look for a part of the value.
    """
    service = _service(parameters)
    column, match = _field(required(parameters, "field"), service)
    limit, offset = page(parameters)
    found = event.events(
        lake,
        exchange=service.exchange,
        not_exchange=service.not_exchange,
        field=column,
        value=_value(lake, column, required(parameters, "value")),
        match=match,
        start=at_or_after(parameters, "when_min"),
        end=after(parameters, "when_max"),
        newest_first=True,
        limit=limit,
        offset=offset,
        columns=(*_SHOWN, service.uuid, "request_id"),
    )
    cells = found.select(
        "id", _mark("."), "generated_at", "deployment", "event_type", "host", service.uuid, "request_id"
    )
    return table(
        [*described.FOUND_EVENTS],
        [[event_id, mark, unixtime(moment), *others] for event_id, mark, moment, *others in cells.iter_rows()],
    )


def kpi(lake: Lake, parameters: Parameters, now: datetime) -> Table:
    """How long the API requests of the last 24 hours took, of all tenants or of one."""
    tenant = given(parameters, "tenant_id")
    found = request_kpi.request_kpis(lake, tenant=tenant, start=now - KPI_PERIOD)
    if tenant is not None and found.is_empty() and not request_kpi.tenant_is_known(lake, tenant):
        raise NotFoundError(f"Could not find raws for tenant {tenant}")
    rows = found.select("operation", "duration_s", "instance", "deployment").iter_rows()
    return table(
        [*described.KPIS],
        [[name, _duration(seconds), instance, deployment] for name, seconds, instance, deployment in rows],
    )


def reports(lake: Lake, parameters: Parameters, now: datetime) -> Table:
    """The stored reports, by id: those created within a range, or the newest."""
    created_from = at_or_after(parameters, "created_from")
    created_until = after(parameters, "created_to")
    has_range = created_from is not None or created_until is not None
    limit, offset = page(parameters)
    found = lake.state.reports(
        created_from=created_from,
        created_until=created_until,
        newest_first=not has_range,
        limit=limit,
        offset=offset,
    )
    return table(
        [*described.REPORTS],
        [
            [
                report.id,
                unixtime(report.period_start),
                unixtime(report.period_end),
                unixtime(report.created_at),
                report.name,
                report.version,
            ]
            for report in sorted(found, key=lambda report: report.id)
        ],
    )


def reports_search(lake: Lake, parameters: Parameters, now: datetime) -> Table:
    """The stored reports that meet every criterion, newest first."""
    unknown = sorted(parameters.keys() - _REPORT_CRITERIA)
    if unknown:
        raise InputError(
            "The requested fields either do not exist for the corresponding object or are not searchable: "
            f"{', '.join(unknown)}. Note: The field names of database are case-sensitive."
        )
    day = _day(parameters, "created")
    limit, offset = page(parameters)
    found = lake.state.reports(
        id=_report_id(parameters),
        name=given(parameters, "name"),
        period_start=_period(parameters, "period_start"),
        period_end=_period(parameters, "period_end"),
        created_from=day,
        created_until=None if day is None else day + timedelta(days=1),
        newest_first=True,
        limit=limit,
        offset=offset,
    )
    return table(
        [*described.FOUND_REPORTS],
        [
            [
                report.id,
                _to_the_second(report.period_start),
                _to_the_second(report.period_end),
                _to_the_second(report.created_at),
                report.name,
                report.version,
            ]
            for report in found
        ],
    )


def report(lake: Lake, parameters: Parameters, now: datetime) -> list[object]:
    """One stored report: what it is about, then its headers and rows."""
    entry = store.stored_report(lake, _id(parameters["report_id"], "report"))
    return report_rows(entry, store.load(lake, entry))


def usage(lake: Lake, parameters: Parameters, now: datetime) -> object:
    """Not served any more: db/usage has taken its place."""
    kind = parameters["kind"]
    raise NotFoundError(f"stacky/usage/{kind} is not served any more: ask /db/usage/{kind}/ instead")


def _service(parameters: Parameters) -> Service:
    name = given(parameters, "service") or "nova"
    if name not in SERVICES:
        raise InputError(f"service={name} is not known: the services are {', '.join(SERVICES)}")
    return SERVICES[name]


def _exchanges(parameters: Parameters) -> tuple[str | None, tuple[str, ...] | None]:
    """Return the exchange that a service stands for, and those that it does not."""
    name = given(parameters, "service") or "nova"
    if name == "all":
        return None, None
    if name not in SERVICES:
        raise InputError(f"service={name} is not known: the services are all, {', '.join(SERVICES)}")
    return SERVICES[name].exchange, SERVICES[name].not_exchange


def _event_table(service: Service, found: pl.DataFrame) -> Table:
    cells = [
        "id",
        _mark(" "),
        when("generated_at"),
        "deployment",
        "event_type",
        "host",
        *service.own.values(),
    ]
    return table([*described.events_of(service)], found.select(cells).rows())


def _mark(otherwise: str) -> pl.Expr:
    return pl.when("is_error").then(pl.lit("E")).otherwise(pl.lit(otherwise)).alias("mark")


def _duration(seconds: float) -> str:
    return duration(microseconds(seconds))


def _id(said: str, kind: str) -> int:
    found = number(said)
    if found is None:
        raise NotFoundError(f"no {kind} {said}: its id is a whole number")
    return found


def _event(lake: Lake, event_id: str, service: Service) -> dict[str, Any]:
    found = event.event(lake, _id(event_id, "event")).to_dicts()
    if not found:
        raise NotFoundError(f"no event {event_id}: /stacky/search/ finds events by their fields")
    exchange = str(found[0]["exchange"])
    if not service.has(exchange):
        right = next(name for name, other in SERVICES.items() if other.has(exchange))
        raise NotFoundError(f"event {event_id} is of another service: add service={right}")
    return found[0]


def _pretty(routing_key: str | None, body: str) -> str:
    """Return routing key and body as indented JSON, every number and text as it was sent."""
    pair = b"[%b, %b]" % (msgspec.json.encode(routing_key), body.encode())
    return msgspec.json.format(pair, indent=2).decode()


def _field(said: str, service: Service) -> tuple[str, Match]:
    match: Match = "equals"
    field = said
    for lookup in ("contains", "startswith"):
        if said.endswith(f"__{lookup}"):
            match, field = lookup, said.removesuffix(f"__{lookup}")
    column = service.uuid if field == "uuid" else LEGACY_FIELDS.get(field, field)
    if column not in event.SEARCHABLE:
        raise InputError(
            f"The requested field '{said}' does not exist for the corresponding object.\n"
            "Note: The field names of database are case-sensitive."
        )
    return column, match


def _value(lake: Lake, column: str, said: str) -> object:
    if FIELDS[column].type == INSTANT and is_unixtime(said):
        return from_unixtime(column, said)
    if column == "deployment":
        names = lake.deployments()
        return said if said in names.values() else names.get(number(said) or 0, said)
    return said


def _report_id(parameters: Parameters) -> int | None:
    said = given(parameters, "id")
    if said is None:
        return None
    if not re.fullmatch(r"[+-]?\d+", said.strip(), re.ASCII):
        raise InputError(f"'{said}' value has an invalid format. It must be in integer format.")
    # no report has the id -1: that is what a number outside of what a lake can hold finds
    return -1 if (found := number(said.strip())) is None else found


def _day(parameters: Parameters, name: str) -> datetime | None:
    return _instant(parameters, name, "YYYY-MM-DD", r"\s*\d{4}-\d{1,2}-\d{1,2}\s*")


def _period(parameters: Parameters, name: str) -> datetime | None:
    return _instant(parameters, name, "YYYY-MM-DD HH:MM[:ss[.uuuuuu]][TZ]", r".*")


def _instant(parameters: Parameters, name: str, form: str, pattern: str) -> datetime | None:
    said = given(parameters, name)
    if said is None:
        return None
    refusal = InputError(f"'{said}' value has an invalid format. It must be in {form} format.")
    if not re.fullmatch(pattern, said, re.ASCII | re.DOTALL):
        raise refusal
    try:
        moment = times.instant(said)
    except InputError:
        raise refusal from None
    if moment.year not in YEARS:
        raise refusal
    return moment


def _to_the_second(moment: datetime) -> str:
    return times.show(moment.replace(microsecond=0))


def _route(
    path: str,
    endpoint: Endpoint,
    returns: Schema | None,
    *parameters: Parameter,
    is_timely: bool = False,
    refusals: tuple[HTTPStatus, ...] = (),
    is_former: bool = False,
) -> Route:
    def answer(lake: Lake, request: Request, now: datetime) -> object:
        return endpoint(lake, request.parameters, now)

    return Route(
        path,
        answer,
        first_sentence(endpoint),
        is_timely=is_timely,
        parameters=parameters,
        returns=returns,
        refusals=refusals,
        detail=described.DETAILS.get(path, ""),
        example=described.EXAMPLES.get(path),
        is_former=is_former,
    )


SURFACE = Surface(
    prefix="/stacky",
    routes=(
        _route("/stacky/deployments/", deployments, table_schema(described.DEPLOYMENTS)),
        _route("/stacky/events/", events, table_schema(described.EVENT_TYPES), described.SERVICE_OR_ALL),
        _route("/stacky/hosts/", hosts, table_schema(described.HOSTS), described.SERVICE_OR_ALL),
        _route(
            "/stacky/uuid/",
            uuid,
            {"anyOf": list(described.EVENTS_OF.values())},
            described.UUID,
            described.SERVICE,
            *described.EVENT_TIMES,
            *PAGE,
        ),
        _route("/stacky/timings/", timings, described.TIMINGS_OF_ONE, described.OPERATION, *described.ENDS, *PAGE),
        _route("/stacky/timings/uuid/", timings_uuid, table_schema(described.TIMINGS), described.INSTANCE),
        _route(
            "/stacky/summary/",
            summary,
            table_schema(described.SUMMARY),
            described.ONLY_INSTANCE,
            *described.TIMINGS_PAGE,
        ),
        _route(
            "/stacky/request/",
            request,
            described.EVENTS_OF["nova"],
            described.REQUEST_ID,
            *described.EVENT_TIMES,
            *PAGE,
        ),
        _route("/stacky/reports/", reports, table_schema(described.REPORTS), *described.CREATED, *PAGE, is_timely=True),
        _route(
            "/stacky/reports/search/",
            reports_search,
            table_schema(described.FOUND_REPORTS),
            *described.REPORT_CRITERIA,
            is_timely=True,
        ),
        _route(
            "/stacky/report/<report_id>/",
            report,
            described.REPORT,
            described.REPORT_ID,
            is_timely=True,
            refusals=described.ABSENT,
        ),
        _route(
            "/stacky/show/<event_id>/",
            show,
            described.SHOWN,
            described.EVENT_ID,
            described.SERVICE,
            refusals=described.ABSENT,
        ),
        _route(
            "/stacky/watch/<deployment_id>/",
            watch,
            described.WATCHED,
            described.DEPLOYMENT_ID,
            described.SERVICE,
            described.SINCE,
            described.EVENT_NAME,
            is_timely=True,
            refusals=described.ABSENT,
        ),
        _route(
            "/stacky/search/",
            search,
            table_schema(described.FOUND_EVENTS),
            described.FIELD,
            described.VALUE,
            described.SERVICE,
            *described.EVENT_TIMES,
            *PAGE,
        ),
        _route("/stacky/kpi/", kpi, table_schema(described.KPIS), is_timely=True),
        _route(
            "/stacky/kpi/<tenant_id>/",
            kpi,
            table_schema(described.KPIS),
            described.TENANT,
            is_timely=True,
            refusals=described.ABSENT,
        ),
        _route("/stacky/usage/<kind>/", usage, None, described.KIND, refusals=described.ABSENT, is_former=True),
    ),
    wording=error_table,
    errors=ERROR_TABLE,
    about="Events, timings and reports as tables, for the stacky command line: StackTach's interface.",
)
