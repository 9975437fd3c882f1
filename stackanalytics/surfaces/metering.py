"""Ceilometer's API v2: what is metered, the samples, and statistics of them.

It is served below ``/v2`` as Ceilometer does and, as its blueprint has it, without that prefix.

Source: Ceilometer's blueprint of API v2, and the behaviour of Ceilometer 7.0.0.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import wraps
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import polars as pl

from stackanalytics.analytics import meter, meter_statistic
from stackanalytics.analytics.meter_count import resource_count, sample_count
from stackanalytics.analytics.meter_query import FIELD_COLUMNS, Condition
from stackanalytics.analytics.meter_slice import CALENDAR
from stackanalytics.analytics.resource_meter import resource_meters
from stackanalytics.errors import InputError, NotFoundError
from stackanalytics.lake import Lake
from stackanalytics.surfaces import metering_complex, metering_event, metering_row, metering_write
from stackanalytics.surfaces import metering_description as told
from stackanalytics.surfaces.metering_error import routing_wording, unknown_argument, wording
from stackanalytics.surfaces.metering_identity import HEADERS, identity
from stackanalytics.surfaces.metering_page import PAGE, page, selected, total
from stackanalytics.surfaces.metering_query import NOTHING, Arguments, Form, arguments
from stackanalytics.surfaces.metering_row import Row
from stackanalytics.surfaces.route import Answer, RefusedError, Reply, Request, Route, Surface, first_sentence

READ_HEADERS = (*HEADERS, "Accept", "Content-Type", "Host", "X-Forwarded-Proto")
HIGHEST_ROWS = 100_000

OWNERS = ("source", "project", "project_id", "user", "user_id", "resource", "resource_id")
METERS = Form((*PAGE, "unique"), structures=("q",), filters=OWNERS)
SAMPLES = Form(PAGE, structures=("q",), filters=OWNERS)
RESOURCES = Form((*PAGE, "meter_links"), structures=("q",), filters=OWNERS)
STATISTICS = Form(("period", "timezone", "aligned", "empty"), ("groupby", "s"), ("q", "aggregate"), OWNERS)
FIELDS_ONLY = Form()


def version(lake: Lake, request: Request, now: datetime) -> object:
    """The version of this interface, as clients ask for it."""
    arguments(request, NOTHING)
    return {**_VERSION, "links": [{"rel": "self", "href": f"{_base(request)}/v2"}]}


def meters(lake: Lake, request: Request, now: datetime) -> object:
    """The meters: what is measured of which resources, or each of them once."""
    asked = arguments(request, METERS)
    fields = asked.selected(metering_row.METER_FIELDS)
    query = identity(request).scoped(_without_time(asked.conditions()))
    found = meter.meters(lake, query=query, unique=asked.flag("unique"))
    limit, offset = asked.page()
    rows = metering_row.meters(found.slice(offset, limit), lake.meter_state.descriptions())
    return page(request, rows, fields, (limit, offset), found.height)


def old_samples(lake: Lake, request: Request, now: datetime) -> object:
    """The samples of a meter, the newest first, with the names that samples had first."""
    return _samples(lake, request, metering_row.OLD_SAMPLE, request.parts["meter"])


def samples(lake: Lake, request: Request, now: datetime) -> object:
    """The samples of all meters, the newest first."""
    return _samples(lake, request, metering_row.SAMPLE, None)


def sample(lake: Lake, request: Request, now: datetime) -> object:
    """One sample by its id."""
    arguments(request, NOTHING)
    id = request.parts["id"]
    query = identity(request).scoped([Condition("message_id", "eq", id)])
    for row in metering_row.samples(meter.samples(lake, query=query, limit=1)):
        return row
    raise NotFoundError(f"Sample {id} Not Found: /v2/samples lists them")


def statistics(lake: Lake, request: Request, now: datetime) -> object:
    """Statistics of the samples of a meter, over everything or by period, and by the values of fields."""
    asked = arguments(request, STATISTICS)
    fields = asked.selected(metering_row.STATISTIC_FIELDS)
    query = identity(request).scoped(_of_any_meter(asked.conditions()))
    groups = asked.texts("groupby")
    aggregates = {name: name for name in map(_aggregate, asked.structures["aggregate"])}
    found = meter_statistic.statistics(
        lake,
        request.parts["meter"],
        query=query,
        period=_period(asked),
        timezone=asked.text("timezone"),
        aligned=asked.flag("aligned"),
        empty=asked.flag("empty"),
        group_by=groups,
        aggregates=[name for name in aggregates if name not in metering_row.STANDARD],
    )
    if found.height > HIGHEST_ROWS:
        raise InputError(
            f"there are {found.height} rows, more than {HIGHEST_ROWS}: give a longer period, fewer fields to group by, "
            "or bounds on timestamp that are nearer to each other"
        )
    rows = metering_row.statistics(found, groups=groups, aggregates=aggregates)
    return selected(rows, fields)


def resources(lake: Lake, request: Request, now: datetime) -> object:
    """The resources that there are samples of, with links to what is measured of them."""
    asked = arguments(request, RESOURCES)
    fields = asked.selected(metering_row.RESOURCE_FIELDS)
    query = identity(request).scoped(asked.conditions())
    has_links = asked.whole("meter_links") != 0
    limit, offset = asked.page()
    found = meter.resources(lake, query=query, limit=limit + 1, offset=offset, metadata="metadata" in fields)
    count = total((limit, offset), found.height, lambda: resource_count(lake, query=query))
    rows = _resource_rows(lake, request, found.head(limit), has_links=has_links and "links" in fields)
    return page(request, rows, fields, (limit, offset), count)


def resource(lake: Lake, request: Request, now: datetime) -> object:
    """One resource by its id, with links to what is measured of it."""
    fields = arguments(request, FIELDS_ONLY).selected(metering_row.RESOURCE_FIELDS)
    said = request.parts["id"]
    # clients quote a slash in an id twice
    for id in dict.fromkeys((said, unquote(said))):
        query = identity(request).scoped([Condition("resource_id", "eq", id)])
        found = meter.resources(lake, query=query, limit=1, metadata="metadata" in fields)
        for row in _resource_rows(lake, request, found, has_links="links" in fields):
            return {name: row[name] for name in fields}
    raise NotFoundError(f"Resource {said} Not Found: /v2/resources lists them")


def capabilities(lake: Lake, request: Request, now: datetime) -> object:
    """What this interface can do: everything that Ceilometer's could."""
    arguments(request, NOTHING)
    return _CAPABILITIES


def gone(lake: Lake, request: Request, now: datetime) -> object:
    """Alarms, which are not served."""
    raise RefusedError(HTTPStatus.GONE, "alarms are not served: aodh has them", is_routing=True)


def _names(prefix: str, names: str) -> dict[str, bool]:
    return {f"{prefix}:{name}": True for name in names.split()}


_CAPABILITIES = {
    "api": {
        **_names("meters:query", "simple metadata"),
        **_names("resources:query", "simple metadata"),
        **_names("samples:query", "simple metadata complex"),
        **_names("statistics", "groupby query:simple query:metadata aggregation:standard"),
        **_names("statistics:aggregation:selectable", "max min sum avg count stddev cardinality"),
        "events:query:simple": True,
    },
    "storage": {"storage:production_ready": True},
    "event_storage": {"storage:production_ready": True},
}


def _samples(lake: Lake, request: Request, form: Mapping[str, str], name: str | None) -> Reply:
    asked = arguments(request, SAMPLES)
    fields = asked.selected(tuple(form))
    conditions = asked.conditions() if name is None else _of_any_meter(asked.conditions())
    query = identity(request).scoped(conditions)
    limit, offset = asked.page()
    has_metadata = "metadata" in [form[field] for field in fields]
    found = meter.samples(lake, meter=name, query=query, limit=limit + 1, offset=offset, metadata=has_metadata)
    count = total((limit, offset), found.height, lambda: sample_count(lake, meter=name, query=query))
    return page(request, metering_row.samples(found.head(limit), form), fields, (limit, offset), count)


def _resource_rows(lake: Lake, request: Request, found: pl.DataFrame, *, has_links: bool) -> list[Row]:
    measured: dict[str, list[str]] = {}
    if has_links:
        ids, seen = found["resource"].to_list(), identity(request).scoped([])
        for id, name in resource_meters(lake, resources=ids, query=seen).iter_rows():
            measured.setdefault(id, []).append(name)
    return metering_row.resources(found, measured, _base(request))


def _of_any_meter(asked: Sequence[Condition]) -> list[Condition]:
    """Return conditions without those on the meter, which the path names."""
    return [condition for condition in asked if FIELD_COLUMNS.get(condition.field) != "meter"]


def _without_time(asked: Sequence[Condition]) -> Sequence[Condition]:
    """Refuse conditions on time, since meters are as their newest sample tells."""
    for condition in asked:
        if condition.field == "search_offset" or FIELD_COLUMNS.get(condition.field) == "measured_at":
            valid = (*OWNERS, "metadata.<path>")
            raise unknown_argument([condition.field], valid, why="not valid for this resource")
    return asked


def _period(asked: Arguments) -> int | str | None:
    """Read a period: seconds, of which 0 are none, or a word of the calendar."""
    if asked.text("period") in CALENDAR:
        return asked.text("period")
    seconds = asked.whole("period")
    if seconds is not None and seconds < 0:
        raise InputError(
            f"Period must be positive. period={seconds} is not: give seconds or one of {', '.join(CALENDAR)}"
        )
    return seconds or None


def _aggregate(entry: Any) -> str:
    parameter = str(entry.get("param", ""))
    return f"{entry['func']}/{parameter}" if parameter else str(entry["func"])


def _base(request: Request) -> str:
    """Return where this server is for who asks, perhaps through a proxy."""
    first = (request.header("X-Forwarded-Proto") or "").partition(",")[0].strip().lower()
    return f"{first if first in ('http', 'https') else 'http'}://{request.header('Host') or 'localhost'}"


def _route(
    path: str,
    endpoint: Answer,
    *,
    method: str = "GET",
    is_reading: bool = False,
    **described: Any,
) -> Route:
    @wraps(endpoint)
    def answer(lake: Lake, request: Request, now: datetime) -> object:
        if not _accepts_json(request.header("Accept")):
            message = f"Accept: {request.header('Accept')} leaves out application/json, which is what there is"
            raise RefusedError(HTTPStatus.NOT_ACCEPTABLE, message, is_routing=True)
        return endpoint(lake, request, now)

    return Route(
        path,
        answer,
        first_sentence(endpoint),
        method=method,
        is_stateful=True,
        is_reading=is_reading,
        reads_headers=READ_HEADERS,
        detail="" if described.get("is_former") else told.detail(described.get("parameters", ())),
        **described,
    )


def _accepts_json(accept: str | None) -> bool:
    """Tell whether a header ``Accept`` allows JSON."""
    if not accept:
        return True
    for part in accept.split(","):
        kind, *details = (detail.strip().lower() for detail in part.split(";"))
        is_refused = any(detail.replace(" ", "") in ("q=0", "q=0.0", "q=0.00", "q=0.000") for detail in details)
        if kind in ("*/*", "application/*", "application/json") and not is_refused:
            return True
    return False


def _meters(prefix: str) -> tuple[Route, ...]:
    """Return the routes of meters, which the blueprint has."""
    meter_part = told.part("meter", "Name of the meter.", "cpu_util")
    posted_part = told.part("meter", "Name of the meter.", "apples")
    hidden_part = told.part("meter", "Name of the meter.", f"hidden{prefix.replace('/', '.')}")
    asked = (*told.CONDITIONS, *told.OWNERS, told.SELECTED)
    taken: dict[str, Any] = {"status": HTTPStatus.CREATED, "returns": told.POSTED, "example": [told.EXAMPLES["posted"]]}
    paged = {"headers": told.PAGE_HEADERS}
    return (
        _route(
            f"{prefix}/meters", meters, **told.many("meter", told.METER, (*asked, *told.PAGE, told.UNIQUE), **paged)
        ),
        _route(
            f"{prefix}/meters",
            metering_write.post_any_samples,
            method="POST",
            body=told.ANY_SAMPLES_BODY,
            parameters=(told.DIRECT,),
            refusals=told.UNREADABLE,
            **taken,
        ),
        _route(
            f"{prefix}/meters/<meter>",
            old_samples,
            **told.many("old_sample", told.OLD_SAMPLE, (meter_part, *asked, *told.PAGE), **paged),
        ),
        _route(
            f"{prefix}/meters/<meter>",
            metering_write.post_samples,
            method="POST",
            body=told.SAMPLES_BODY,
            parameters=(posted_part, told.DIRECT),
            refusals=told.UNREADABLE,
            **taken,
        ),
        _route(
            f"{prefix}/meters/<meter>",
            metering_write.redefine,
            method="PUT",
            body=told.DEFINITION_BODY,
            **told.one("definition", told.DEFINITION, meter_part, refusals=(HTTPStatus.NOT_FOUND, *told.UNREADABLE)),
        ),
        _route(
            f"{prefix}/meters/<meter>",
            metering_write.hide,
            method="DELETE",
            status=HTTPStatus.NO_CONTENT,
            parameters=(hidden_part,),
            refusals=(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_ACCEPTABLE),
        ),
        _route(
            f"{prefix}/meters/<meter>/statistics",
            statistics,
            **told.many("statistic", told.STATISTIC, (meter_part, *asked, *told.STATISTICS)),
        ),
    )


def _resources(prefix: str) -> tuple[Route, ...]:
    """Return the routes of resources, which the blueprint has, too."""
    asked = (*told.CONDITIONS, *told.OWNERS, told.SELECTED, *told.PAGE, told.METER_LINKS)
    id_part = told.part("id", "Id of the resource; a slash in it is quoted twice.", "r-1")
    return (
        _route(
            f"{prefix}/resources",
            resources,
            **told.many("resource", told.RESOURCE, asked, headers=told.PAGE_HEADERS),
        ),
        _route(f"{prefix}/resources/<id>", resource, **told.one("resource", told.RESOURCE, id_part, told.SELECTED)),
    )


def _samples_and_others() -> tuple[Route, ...]:
    """Return what the blueprint does not have."""
    asked = (*told.CONDITIONS, *told.OWNERS, told.SELECTED, *told.PAGE)
    id_part = told.part("id", "Id of the sample.", "sample-1")
    paged = {"headers": told.PAGE_HEADERS}
    return (
        _route("/v2", version, returns=told.VERSION, example=_VERSION, refusals=told.UNREADABLE),
        _route("/v2/samples", samples, **told.many("sample", told.SAMPLE, asked, **paged)),
        _route("/v2/samples/<id>", sample, **told.one("sample", told.SAMPLE, id_part)),
        _route(
            "/v2/query/samples",
            metering_complex.samples,
            method="POST",
            is_reading=True,
            body=told.COMPLEX_BODY,
            **told.many("sample", told.SAMPLE, (), **paged),
        ),
        _route(
            "/v2/capabilities",
            capabilities,
            returns=told.CAPABILITIES,
            example=_CAPABILITIES,
            refusals=told.UNREADABLE,
        ),
    )


def _events() -> tuple[Route, ...]:
    """Return the routes of events."""
    type_part = told.part("event_type", "Type of events, as it was sent.", "compute.instance.resize.end")
    trait_part = told.part("trait", "Name of the trait.", "state")
    id_part = told.part("message_id", "Id of the event.", "event-1")
    asked = (*told.CONDITIONS, told.SELECTED, *told.PAGE)
    trait_asked = (type_part, trait_part, told.SELECTED, *told.PAGE)
    for_admins = (HTTPStatus.UNAUTHORIZED, *told.UNREADABLE)
    paged = {"headers": told.PAGE_HEADERS}
    return (
        _route(
            "/v2/event_types",
            metering_event.event_types,
            returns={"type": "array", "items": {"type": "string"}},
            example=["compute.instance.resize.end"],
            refusals=for_admins,
        ),
        _route(
            "/v2/event_types/<event_type>",
            metering_event.event_type,
            parameters=(type_part,),
            refusals=(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_ACCEPTABLE),
            is_former=True,
        ),
        _route(
            "/v2/event_types/<event_type>/traits",
            metering_event.traits,
            **told.many("trait", told.TRAIT, (type_part, told.SELECTED), refusals=for_admins),
        ),
        _route(
            "/v2/event_types/<event_type>/traits/<trait>",
            metering_event.trait,
            **told.many("trait", told.TRAIT, trait_asked, refusals=for_admins, **paged),
        ),
        _route(
            "/v2/events", metering_event.events, **told.many("event", told.EVENT, asked, refusals=told.SEEING, **paged)
        ),
        _route(
            "/v2/events/<message_id>",
            metering_event.one_event,
            **told.one("event", told.EVENT, id_part, told.SELECTED),
        ),
    )


def _alarms(path: str, *parts: str) -> tuple[Route, ...]:
    """Return the routes of what is gone."""
    return tuple(
        _route(
            path,
            gone,
            method=method,
            is_reading=True,
            parameters=tuple(told.part(name, "Whatever it was.", "1") for name in parts),
            refusals=(HTTPStatus.GONE, HTTPStatus.NOT_ACCEPTABLE),
            is_former=True,
        )
        for method in ("GET", "POST", "PUT", "DELETE")
    )


def _surface(prefix: str, about: str, *routes: Route) -> Surface:
    return Surface(
        prefix=prefix,
        routes=routes,
        wording=wording,
        routing_wording=routing_wording,
        errors=told.ERROR,
        refused=told.REFUSED,
        about=about,
    )


_VERSION = {
    "id": "v2",
    "status": "stable",
    "updated": "2013-02-13T00:00:00Z",
    "links": [{"rel": "self", "href": "http://127.0.0.1:8000/v2"}],
    "media-types": [{"base": "application/json", "type": "application/vnd.openstack.telemetry-v2+json"}],
}

SURFACES = (
    _surface(
        "/v2",
        "Ceilometer's API v2: meters, samples, resources, statistics and events.",
        *_meters("/v2"),
        *_resources("/v2"),
        *_samples_and_others(),
        *_events(),
        *_alarms("/v2/alarms"),
        *_alarms("/v2/alarms/<id>", "id"),
        *_alarms("/v2/alarms/<id>/<what>", "id", "what"),
        *_alarms("/v2/query/alarms"),
        *_alarms("/v2/query/alarms/<what>", "what"),
    ),
    _surface("/meters", "Meters of Ceilometer's API v2, as its blueprint has them.", *_meters("")),
    _surface("/resources", "Resources of Ceilometer's API v2, as its blueprint has them.", *_resources("")),
)
