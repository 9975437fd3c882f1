"""The database interface of StackTach, which billing systems read usage from and confirm it to.

Records are objects with StackTach's names for their fields; ``raw`` and ``last_raw`` are ids of
notifications. Reading is an encoding of analyses, writing goes to the lake's state.

Source: StackTach's documentation of its database interface (``docs/dbapi.rst``), and the behaviour
of StackTach where that is silent.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from types import MappingProxyType
from typing import Annotated, Any, TypeAlias, TypeVar
from urllib.parse import parse_qs

import msgspec
import polars as pl
import pyarrow as pa

from stackanalytics import times
from stackanalytics.analytics import event
from stackanalytics.analytics.exists_state import exists_links, exists_states, exists_statistics
from stackanalytics.analytics.usage_record import Criteria, usage_records
from stackanalytics.errors import DataError, InputError, NotFoundError
from stackanalytics.lake import Lake
from stackanalytics.lake.usage_state import Confirmation, StoredTenant, Tenant
from stackanalytics.schema import FIELDS, INSTANT
from stackanalytics.surfaces import usage_description as described
from stackanalytics.surfaces.description import Body, Parameter, Schema, list_schema, object_schema
from stackanalytics.surfaces.encoding import YEARS, Parameters, given, number, page, uuid_like
from stackanalytics.surfaces.parameter import PAGE
from stackanalytics.surfaces.route import Request, Route, Surface, first_sentence
from stackanalytics.surfaces.usage_kind import (
    DELETES,
    EXISTS,
    IMAGE_DELETES,
    IMAGE_EXISTS,
    IMAGES,
    LAUNCHES,
    Kind,
    ServiceName,
)

_log = logging.getLogger(__name__)

Endpoint: TypeAlias = Callable[[Lake, Request, datetime], object]
Record: TypeAlias = dict[str, object]
Word: TypeAlias = str | int
Code: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
T = TypeVar("T")
# StackTach's documentation shows lists of objects where its code reads one object
Entries: TypeAlias = dict[str, T] | list[dict[str, T]]
ByService: TypeAlias = dict[ServiceName, T] | list[dict[ServiceName, T]]

LONGEST_RANGE = timedelta(days=7)

# the exchanges that a service of db/stats/events stands for, and those that it does not
EVENT_SERVICES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "nova": {"exchange": "nova"},
        "glance": {"exchange": "glance"},
        "generic": {"not_exchange": ("nova", "glance")},
    }
)


def error(status: HTTPStatus, message: str) -> Record:
    """Return an error as downstream systems read it."""
    return {"status": int(status), "message": message}


def records(lake: Lake, request: Request, kind: Kind) -> Record:
    """Return a page of the records of one kind."""
    limit, offset = page(request.parameters)
    order_by = given(request.parameters, "order_by")
    inputs: dict[str, Any] = {
        "criteria": _criteria(request.parameters, kind),
        "order_by": kind.order_by if order_by is None else _column(order_by, kind),
        "descending": (given(request.parameters, "direction") or "desc") == "desc",
        "limit": limit,
        "offset": offset,
    }
    return {kind.many: _encoded(_found(lake, kind, **inputs), kind)}


def record(lake: Lake, request: Request, kind: Kind) -> Record:
    """Return the record of one kind that has an id."""
    said = request.parts["id"]
    id = number(said)
    for found in [] if id is None else _encoded(_found(lake, kind, id=id), kind):
        return {kind.one: found}
    raise NotFoundError(f"no {kind.one} {said}: its id is one that the list of {kind.many} has")


def statistics(lake: Lake, request: Request, kind: Kind) -> Record:
    """Return how many exists records of a service are in which state."""
    assert kind.service is not None
    found = exists_statistics(lake, service=kind.service, criteria=_criteria(request.parameters, kind))
    return {"stats": found.rename({"count": "event_count"}).to_dicts()}


def confirm(lake: Lake, request: Request, now: datetime) -> None:
    """Take the status that a system downstream gave to one exists record of nova."""
    status = _read(request, _Status).send_status
    if status is None:
        raise InputError("'send_status' missing from request body")
    message_id = request.parts["message_id"]
    match _ids(lake, EXISTS, [message_id]).get(message_id, []):
        case []:
            raise NotFoundError(f"Could not find Exists record with message_id = '{message_id}'")
        case [id]:
            lake.usage_state.confirm("nova", [Confirmation(id, message_id, status)], at=now)
        case _:
            raise DataError(f"Multiple Exists records with message_id = '{message_id}'")


def confirm_batch(lake: Lake, request: Request, now: datetime) -> None:
    """Take the status, in version 2 the id as well, that a system downstream gave to many exists records."""
    for service, outcomes in _outcomes(request).items():
        lake.usage_state.confirm(service, _confirmations(lake, service, outcomes), at=now)


def repair(lake: Lake, request: Request, now: datetime) -> Record:
    """Take down that exists records were sent before they were verified; tell which are absent or not pending."""
    service, message_ids = _to_repair(request)
    found = exists_states(lake, service=service, message_ids=message_ids)
    ids = _unambiguous(service, _by_message(found))
    pending = found.filter(status="pending").select("id", "message_id").iter_rows()
    repaired = lake.usage_state.repair(
        service, {id: message_id for id, message_id in pending if message_id in ids}, at=now
    )
    return {
        "absent_exists": [message_id for message_id in message_ids if message_id not in ids],
        "exists_not_pending": [
            message_id for message_id in message_ids for id in ids.get(message_id, []) if id not in repaired
        ],
    }


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


class _Status(msgspec.Struct):
    send_status: Code | None = None


class _Outcome(msgspec.Struct):
    status: Code = 0
    event_id: Word | None = ""


class _Version(msgspec.Struct):
    version: int = 0


class _Batch0(msgspec.Struct):
    messages: Entries[Code] | None = None


class _Batch1(msgspec.Struct):
    messages: ByService[Entries[Code]] | None = None


class _Batch2(msgspec.Struct):
    messages: ByService[Entries[_Outcome]] | None = None


_BATCHES: Mapping[int, type[_Batch0 | _Batch1 | _Batch2]] = MappingProxyType({0: _Batch0, 1: _Batch1, 2: _Batch2})


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


def _found(lake: Lake, kind: Kind, **asked: Any) -> pl.DataFrame:
    """Return records with everything that is shown of them."""
    if kind.service is None:
        return usage_records(lake, noun=kind.noun, **asked)
    return exists_links(lake, exists_states(lake, service=kind.service, **asked), service=kind.service)


def _encoded(found: pl.DataFrame, kind: Kind) -> list[Record]:
    """Return records as StackTach writes them: traffic that is not told is none."""
    shown = found.select(pl.col(column).alias(name) for name, column in kind.fields.items())
    return shown.with_columns(pl.col("^bandwidth_public_out$").fill_null(0)).to_dicts()


def _criteria(parameters: Parameters, kind: Kind) -> Criteria:
    """Read what records are asked for: every name of a field, and of a time with ``_min`` or ``_max`` behind it."""
    equal: dict[str, object] = {}
    at_least: dict[str, object] = {}
    at_most: dict[str, object] = {}
    for name, value in parameters.items():
        if not value:
            continue
        if name.endswith("_min"):
            at_least[_column(name.removesuffix("_min"), kind)] = _bound(name, value, kind)
        elif name.endswith("_max"):
            at_most[_column(name.removesuffix("_max"), kind)] = _bound(name, value, kind)
        elif name == "instance":
            equal[_column(name, kind)] = uuid_like(value)
        elif name in kind.askable:
            equal[kind.askable[name]] = _value(name, value, kind)
        elif name in kind.fields:
            raise InputError(f"{name}={value}: records cannot be asked for by {name}")
    return Criteria(equal, at_least, at_most)


def _column(name: str, kind: Kind) -> str:
    if name not in kind.askable:
        raise InputError(f"No such field '{name}'. The fields are {', '.join(kind.askable)}")
    return kind.askable[name]


def _bound(name: str, value: str, kind: Kind) -> datetime:
    field = name.removesuffix("_min").removesuffix("_max")
    if FIELDS[_column(field, kind)].type != INSTANT:
        raise InputError(f"Range filters must be dates. {field} is none")
    try:
        return _instant(value)
    except InputError:
        raise InputError(f"Range filters must be dates. {name}={value} is none: write YYYY-MM-DD HH:MM:SS") from None


def _value(name: str, value: str, kind: Kind) -> object:
    type = FIELDS[kind.askable[name]].type
    if type == INSTANT:
        return _instant(value)
    if type == pa.string():
        return value
    read = number(value)
    if read is None:
        raise InputError(f"{name}={value} is no number")
    return read


def _ids(lake: Lake, kind: Kind, message_ids: Iterable[str]) -> dict[str, list[int]]:
    """Return the ids of the records of each message that there is."""
    asked = {"message_id": message_ids}
    return _by_message(usage_records(lake, noun=kind.noun, among=asked, columns=("id", "message_id")))


def _by_message(found: pl.DataFrame) -> dict[str, list[int]]:
    ids: dict[str, list[int]] = {}
    for id, message_id in found.select("id", "message_id").iter_rows():
        ids.setdefault(message_id, []).append(id)
    return ids


def _unambiguous(service: str, ids: dict[str, list[int]]) -> dict[str, list[int]]:
    """Leave out messages of nova with several records; of glance all records of a message count."""
    return {message_id: found for message_id, found in ids.items() if service == "glance" or len(found) == 1}


def _confirmations(lake: Lake, service: ServiceName, outcomes: Mapping[str, _Outcome]) -> list[Confirmation]:
    """Return what is told about records that there are; about others, as StackTach, say so in the log."""
    ids = _unambiguous(service, _ids(lake, EXISTS if service == "nova" else IMAGE_EXISTS, outcomes))
    for message_id in outcomes.keys() - ids.keys():
        _log.warning("confirmed: no %s exists record, or several, with message_id %s", service, message_id)
    return [
        Confirmation(id, message_id, told.status, None if told.event_id is None else str(told.event_id))
        for message_id, told in outcomes.items()
        for id in ids.get(message_id, [])
    ]


def _outcomes(request: Request) -> dict[ServiceName, dict[str, _Outcome]]:
    """Read a batch of any version: what is told about the records of each message, by service."""
    version = _read(request, _Version).version
    if version not in _BATCHES:
        raise InputError(f"there is no version {version}; the versions are {', '.join(map(str, _BATCHES))}")
    batch = _read(request, _BATCHES[version])
    if batch.messages is None:
        raise InputError("'messages' missing from request body")
    by_service: list[tuple[ServiceName, Any]] = (
        [("nova", batch.messages)] if isinstance(batch, _Batch0) else _entries(batch.messages)
    )
    outcomes: dict[ServiceName, dict[str, _Outcome]] = {}
    for service, told in by_service:
        for message_id, outcome in _entries(told):
            plain = outcome if isinstance(outcome, _Outcome) else _Outcome(outcome, None)
            outcomes.setdefault(service, {})[message_id] = plain
    return outcomes


def _entries(told: Mapping[Any, Any] | list[Any]) -> list[tuple[Any, Any]]:
    return [entry for part in ([told] if isinstance(told, Mapping) else told) for entry in part.items()]


def _to_repair(request: Request) -> tuple[ServiceName, list[str]]:
    """Read the form of a repair."""
    try:
        form = parse_qs(request.body.decode(), keep_blank_values=True, errors="strict")
    except ValueError:
        raise InputError("the request body is no form: give message_ids=… once for each record") from None
    message_ids = list(dict.fromkeys(form.get("message_ids", [])))
    if not message_ids or "" in message_ids:
        raise InputError(
            "'message_ids' missing from request body, or one is empty: give message_ids=… once for each record"
        )
    match form.get("service", ["nova"])[-1] or "nova":
        case "nova" | "glance" as service:
            return service, message_ids
        case service:
            raise InputError(f"service={service} is not known: the services are nova, glance")


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
    return start, last + times.MICROSECOND


def _instant(text: str) -> datetime:
    moment = times.instant(text)
    if moment.year not in YEARS:
        raise InputError(f"{text} is outside the years {YEARS[0]} to {YEARS[-1]}")
    return moment


def _of(endpoint: Callable[[Lake, Request, Kind], Record], kind: Kind) -> Endpoint:
    return lambda lake, request, now: endpoint(lake, request, kind)


def _lists(paths: Iterable[str], kind: Kind, what: str) -> tuple[Route, ...]:
    """Return the routes of a kind of records, all of them and by id, under each of the paths."""
    return tuple(route for path in paths for route in (_list(path, kind, what), _single(path, kind, what)))


def _list(path: str, kind: Kind, what: str) -> Route:
    return Route(
        path,
        _of(records, kind),
        f"{what}, by any field, a page at a time.",
        is_stateful=kind.service is not None,
        parameters=described.list_parameters(kind),
        returns=object_schema({kind.many: list_schema(described.record_schema(kind))}),
        detail=described.LIST,
        example={kind.many: [described.EXAMPLES[kind.noun]]},
    )


def _single(path: str, kind: Kind, what: str) -> Route:
    return Route(
        f"{path}<id>/",
        _of(record, kind),
        f"{what}: the one with an id.",
        is_stateful=kind.service is not None,
        parameters=(described.record_id(kind),),
        returns=object_schema({kind.one: described.record_schema(kind)}),
        refusals=(HTTPStatus.NOT_FOUND,),
        example={kind.one: described.EXAMPLES[kind.noun]},
    )


def _statistics(path: str, kind: Kind, what: str) -> Route:
    return Route(
        path,
        _of(statistics, kind),
        f"How many {what} are in which state.",
        is_stateful=True,
        parameters=described.criteria_parameters(kind),
        returns=described.STATISTICS,
        example={"stats": [{"status": "pending", "send_status": 0, "event_count": 1}]},
    )


def _writing(
    path: str,
    endpoint: Endpoint,
    *methods: str,
    body: Body,
    parameters: tuple[Parameter, ...] = (),
    returns: Schema | None = None,
    refusals: tuple[HTTPStatus, ...] = (),
    detail: str = "",
    example: object = None,
) -> tuple[Route, ...]:
    return tuple(
        Route(
            path,
            endpoint,
            first_sentence(endpoint),
            method=method,
            body=body,
            parameters=parameters,
            returns=returns,
            refusals=refusals,
            detail=detail,
            example=example,
        )
        for method in methods
    )


_STORED_TENANT = {
    "tenant": "5877054",
    "name": "Acme Corp.",
    "types": {"account_type": "VIP"},
    "last_updated": "2014-01-18 12:00:00",
}

SURFACE = Surface(
    prefix="/db",
    routes=(
        *_lists(("/db/usage/launches/", "/db/usage/nova/launches/"), LAUNCHES, "Launches of instances"),
        *_lists(("/db/usage/deletes/", "/db/usage/nova/deletes/"), DELETES, "Deletions of instances"),
        *_lists(("/db/usage/exists/", "/db/usage/nova/exists/"), EXISTS, "Exists records of instances"),
        *_lists(("/db/usage/glance/images/",), IMAGES, "Images"),
        *_lists(("/db/usage/glance/deletes/",), IMAGE_DELETES, "Deletions of images"),
        *_lists(("/db/usage/glance/exists/",), IMAGE_EXISTS, "Exists records of images"),
        _statistics("/db/stats/nova/exists/", EXISTS, "exists records of instances"),
        _statistics("/db/stats/glance/exists/", IMAGE_EXISTS, "exists records of images"),
        Route(
            "/db/stats/events/",
            event_stats,
            first_sentence(event_stats),
            parameters=described.event_parameters(EVENT_SERVICES),
            returns=described.EVENT_STATISTICS,
            example={"stats": [{"event": "compute.instance.create.end", "event_count": 2}]},
        ),
        *_writing(
            "/db/confirm/usage/exists/batch/",
            confirm_batch,
            "PUT",
            "POST",
            body=described.BATCH,
            detail=described.CONFIRMED_BATCH,
        ),
        *_writing(
            "/db/confirm/usage/exists/<message_id>/",
            confirm,
            "PUT",
            "POST",
            body=described.CONFIRMATION,
            detail=described.CONFIRMED,
            parameters=(described.MESSAGE_ID,),
            refusals=(HTTPStatus.NOT_FOUND, HTTPStatus.INTERNAL_SERVER_ERROR),
        ),
        *_writing(
            "/db/repair/",
            repair,
            "POST",
            body=described.REPAIR,
            detail=described.REPAIRING,
            returns=described.REPAIRED,
            example={"absent_exists": ["exists-9"], "exists_not_pending": []},
        ),
        Route(
            "/db/tenant/info/",
            tenants,
            first_sentence(tenants),
            is_stateful=True,
            parameters=PAGE,
            returns=described.TENANTS,
            example={"tenants": [_STORED_TENANT]},
        ),
        Route(
            "/db/tenant/info/<tenant>/",
            tenant,
            first_sentence(tenant),
            is_stateful=True,
            parameters=(described.TENANT_ID,),
            returns=described.TENANT,
            refusals=(HTTPStatus.NOT_FOUND,),
            example={"tenant": _STORED_TENANT},
        ),
        *_writing(
            "/db/tenant/info/<tenant>/",
            put_tenant,
            "PUT",
            "POST",
            body=described.TENANT_BODY,
            detail=described.REPLACED,
            parameters=(described.TENANT_ID,),
        ),
        *_writing(
            "/db/tenant/batch_info/",
            put_tenants,
            "PUT",
            "POST",
            body=described.TENANTS_BODY,
            detail=described.REPLACED,
        ),
    ),
    wording=error,
    errors=described.ERROR,
    about="What billing systems read of usage, confirm and repair: StackTach's database interface.",
)
