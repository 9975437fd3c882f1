"""The database interface of StackTach, which billing systems read usage from and confirm it to.

Source: StackTach's documentation of its database interface (``docs/dbapi.rst``), and the behaviour
of StackTach where that is silent.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, TypeAlias, TypeVar

import msgspec
import polars as pl

from stackanalytics import times
from stackanalytics.analytics import event
from stackanalytics.errors import InputError, NotFoundError
from stackanalytics.lake import Lake
from stackanalytics.lake.usage_state import StoredTenant, Tenant
from stackanalytics.surfaces.encoding import YEARS, Parameters, given, page
from stackanalytics.surfaces.route import Request, Route, Surface, first_sentence

Endpoint: TypeAlias = Callable[[Lake, Request, datetime], object]
Record: TypeAlias = dict[str, object]
Word: TypeAlias = str | int
T = TypeVar("T")

LONGEST_RANGE = timedelta(days=7)
MICROSECOND = times.MICROSECOND

# the exchanges that a service of db/stats/events stands for, and those that it does not
EVENT_SERVICES: dict[str, dict[str, Any]] = {
    "nova": {"exchange": "nova"},
    "glance": {"exchange": "glance"},
    "generic": {"not_exchange": ("nova", "glance")},
}


def error(status: HTTPStatus, message: str) -> Record:
    """Return an error as downstream systems read it."""
    return {"status": int(status), "message": message}


def event_stats(lake: Lake, request: Request, now: datetime) -> Record:
    """How many events of each type a service has, of at most seven days where a range is given."""
    start, end = _event_range(request.parameters)
    service = given(request.parameters, "service") or "nova"
    if service not in EVENT_SERVICES:
        raise InputError(f"Invalid service: {service}. The services are {', '.join(EVENT_SERVICES)}")
    found = event.event_types(lake, **EVENT_SERVICES[service], start=start, end=end)
    counts = dict(found.group_by("event_type").agg(pl.col("count").sum()).sort("event_type").iter_rows())
    wanted = given(request.parameters, "event")
    if wanted is not None:
        counts = {wanted: counts.get(wanted, 0)}
    return {"stats": [{"event": name, "event_count": count} for name, count in counts.items()]}


def tenants(lake: Lake, request: Request, now: datetime) -> Record:
    """The tenants with their names and types, in order of their ids."""
    limit, offset = page(request.parameters)
    return {"tenants": [_tenant(found) for found in lake.usage_state.tenants(limit=limit, offset=offset)]}


def tenant(lake: Lake, request: Request, now: datetime) -> Record:
    """One tenant with its name and types."""
    for found in lake.usage_state.tenants(request.parts["tenant"]):
        return {"tenant": _tenant(found)}
    raise NotFoundError(f"no tenant {request.parts['tenant']}: /db/tenant/info/ lists them")


def put_tenant(lake: Lake, request: Request, now: datetime) -> None:
    """Take the name and the types of one tenant, instead of those it had."""
    told = _read(request, _Tenant)
    if str(told.tenant) != request.parts["tenant"]:
        raise InputError(f"Invalid tenant: {told.tenant} != {request.parts['tenant']}")
    lake.usage_state.put_tenants([told.as_tenant()], at=now)


def put_tenants(lake: Lake, request: Request, now: datetime) -> None:
    """Take the names and the types of many tenants, instead of those they had."""
    told = _read(request, _Tenants)
    if told.tenants is None:
        raise InputError("'tenants' missing from request body")
    lake.usage_state.put_tenants([one.as_tenant() for one in told.tenants], at=now)


class _Tenant(msgspec.Struct):
    tenant: Word
    name: Word | None
    types: dict[str, Word]

    def as_tenant(self) -> Tenant:
        """Return it as the lake keeps it: everything is text."""
        name = None if self.name is None else str(self.name)
        return Tenant(str(self.tenant), name, {kind: str(value) for kind, value in self.types.items()})


class _Tenants(msgspec.Struct):
    tenants: list[_Tenant] | None = None


def _read(request: Request, form: type[T]) -> T:
    """Read the JSON body of a request in the form that it must have."""
    if not request.body.strip():
        raise InputError("Request body required")
    try:
        return msgspec.json.decode(request.body, type=form, strict=False)
    except msgspec.ValidationError as problem:
        raise InputError(f"the request body has another form: {problem}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise InputError(f"the request body is no JSON: {problem}") from None


def _tenant(found: StoredTenant) -> Record:
    return {
        "tenant": found.tenant,
        "name": found.name,
        "types": found.types,
        "last_updated": found.last_updated_at,
    }


def _event_range(parameters: Parameters) -> tuple[datetime | None, datetime | None]:
    """Read ``when_min`` and ``when_max``, both included."""
    said = [given(parameters, "when_min"), given(parameters, "when_max")]
    if None in said:
        if said == [None, None]:
            return None, None
        raise InputError("When providing date range filters, a min and max are required.")
    try:
        start, last = (_instant(str(text)) for text in said)
    except InputError:
        raise InputError("Invalid format for date (Correct format should be %Y-%m-%d %H:%M:%S)") from None
    if last - start > LONGEST_RANGE:
        seconds = LONGEST_RANGE // timedelta(seconds=1)
        raise InputError(f"Date ranges may be no larger than {seconds} seconds")
    return start, last + MICROSECOND


def _instant(text: str) -> datetime:
    moment = times.instant(text)
    if moment.year not in YEARS:
        raise InputError(f"{text} is outside the years {YEARS[0]} to {YEARS[-1]}")
    return moment


def _reading(path: str, endpoint: Endpoint, *, is_stateful: bool = False) -> Route:
    return Route(path, endpoint, first_sentence(endpoint), is_stateful=is_stateful)


def _writing(path: str, endpoint: Endpoint, *methods: str) -> tuple[Route, ...]:
    return tuple(Route(path, endpoint, first_sentence(endpoint), method=method) for method in methods)


SURFACE = Surface(
    prefix="/db",
    routes=(
        _reading("/db/stats/events/", event_stats),
        _reading("/db/tenant/info/", tenants, is_stateful=True),
        _reading("/db/tenant/info/<tenant>/", tenant, is_stateful=True),
        *_writing("/db/tenant/info/<tenant>/", put_tenant, "PUT", "POST"),
        *_writing("/db/tenant/batch_info/", put_tenants, "PUT", "POST"),
    ),
    wording=error,
)
