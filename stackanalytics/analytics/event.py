"""Events: the notifications of a lake, found by what they are about, by any field, and by time."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal, TypeAlias, TypeVar

import polars as pl
import pyarrow as pa

from stackanalytics import times
from stackanalytics.analytics.period import bounds, bounds_and_days
from stackanalytics.errors import InputError
from stackanalytics.lake import Lake
from stackanalytics.lake.statement import identifier
from stackanalytics.lake.view import IS_ERROR
from stackanalytics.schema import FIELDS, INSTANT, NOTIFICATIONS, polars_schema

Match: TypeAlias = Literal["equals", "contains", "startswith"]
Names: TypeAlias = str | Iterable[str]
Criterion: TypeAlias = tuple[str, dict[str, object]]
Period: TypeAlias = tuple[datetime | None, datetime | None]

T = TypeVar("T")

SEARCHABLE = (*NOTIFICATIONS.fields, "is_error")
EVENT_COLUMNS = tuple(name for name in SEARCHABLE if name not in ("body", "landed_at", "is_conflict"))
EVENT_TYPE_COLUMNS = ("event_type", "exchange", "count", "first_at", "last_at")
HOST_COLUMNS = ("host", "count")
DEPLOYMENT_COLUMNS = ("id", "name", "count", "first_at", "last_at")

_TELL_ERRORS = ("routing_key", "priority")

_MATCHES = {
    "equals": '"{field}" = $value',
    "contains": 'contains("{field}", $value)',
    "startswith": 'starts_with("{field}", $value)',
}

_CONDITIONS = {
    "id": "id = $id",
    "instance": "instance = $instance",
    "request_id": "request_id = $request_id",
    "resource": "resource = $resource",
    "tenant": "tenant = $tenant",
    "event_type": "event_type = $event_type",
    "operation": "operation = $operation",
    "deployment": "deployment = $deployment",
    "exchange": "list_contains($exchange::varchar[], exchange)",
    "not_exchange": "not list_contains($not_exchange::varchar[], exchange)",
    "host": "host = $host",
    "start": "generated_at >= $start",
    "end": "generated_at < $end",
    "first_day": "date >= $first_day",
    "last_day": "date <= $last_day",
}


def events(
    lake: Lake,
    *,
    id: int | None = None,
    instance: str | None = None,
    request_id: str | None = None,
    resource: str | None = None,
    tenant: str | None = None,
    event_type: str | None = None,
    operation: str | None = None,
    deployment: str | None = None,
    exchange: Names | None = None,
    not_exchange: Names | None = None,
    host: str | None = None,
    field: str | None = None,
    value: object = None,
    match: Match = "equals",
    start: datetime | None = None,
    end: datetime | None = None,
    newest_first: bool = False,
    limit: int | None = None,
    offset: int = 0,
    columns: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Return events: the notifications that meet every restriction given.

    Parameters
    ----------
    lake
        The lake to ask.
    id, instance, request_id, resource, tenant
        Only the one with this id, those of this instance (uuid), API request (with its ``req-``),
        thing of any kind (uuid), project.
    event_type, operation
        Only those of this event type, or operation (an event type without its phase, in its legacy
        spelling).
    deployment, host
        Only those that this deployment, this host sent.
    exchange, not_exchange
        Only those of this exchange, or of one of several; only those of no such exchange.
    field, value, match
        Only those in which a column equals a value, or contains or starts with a text. The empty
        text equals what is not known.
    start, end
        Only those of ``[start, end)``.
    newest_first
        Turn the order round.
    limit, offset
        At most so many, after leaving out so many; None for all.
    columns
        Columns to return; None for all but ``body``, ``landed_at`` and ``is_conflict``.

    Returns
    -------
    polars.DataFrame
        A row an event, in the order of ``generated_at``, then of the other columns, so that the
        order of arrival does not matter, then of ``id``. The columns are those of the field
        dictionary (:data:`stackanalytics.schema.FIELDS`), and ``is_error`` (Boolean): it came over
        an error queue or, where no routing key is known, with priority ``ERROR``.

    Raises
    ------
    InputError
        If there is no such column or match, the value cannot be compared with the column, or limit
        or offset are negative.

    Source: all notifications.

    Examples
    --------
    >>> sa.events(lake, instance="nobody").height
    0
    """
    if (limit or 0) < 0 or offset < 0:
        raise InputError(f"limit {limit} and offset {offset} are given; neither can be negative")
    shown = EVENT_COLUMNS if columns is None else tuple(dict.fromkeys(map(_known, columns)))
    keys: dict[str, str | int] = _given(
        {"id": id, "instance": instance, "request_id": request_id, "resource": resource}
    )
    others: dict[str, object] = _given(
        {
            "tenant": tenant,
            "event_type": event_type,
            "operation": operation,
            "deployment": deployment,
            "host": host,
            "exchange": _listed(exchange),
            "not_exchange": _listed(not_exchange),
        }
    )
    ordered = ("generated_at", *(name for name in shown if name not in ("generated_at", "id")), "id")
    searched = None if field is None else _search(_known(field), value, match)
    if keys and not others and searched is None:
        found = _looked_up(lake, keys, ordered, bounds(start, end))
    else:
        restrictions, period = {**keys, **others}, (start, end)
        if limit is not None and not keys:
            period = _page(lake, *_found(restrictions, searched, period), period, offset + limit, newest_first)
        criteria, parameters = _found(restrictions, searched, period)
        found = lake.sql(f"select {', '.join(map(identifier, ordered))} {criteria}", parameters, holding=keys)
    return (
        found.lazy()
        .cast(polars_schema(*ordered))
        .sort(ordered, descending=newest_first, nulls_last=not newest_first)
        .slice(offset, limit)
        .select(shown)
        .collect()
    )


def event(lake: Lake, id: int) -> pl.DataFrame:
    """Return one event with its body.

    Parameters
    ----------
    lake
        The lake to ask.
    id
        Id of the event.

    Returns
    -------
    polars.DataFrame
        One row, or none where there is no such event, with the columns of :func:`events` and
        ``body`` (String), the notification as received with its secrets redacted.

    Source: all notifications.

    Examples
    --------
    >>> sa.event(lake, 0).height
    0
    """
    return events(lake, id=id, columns=(*EVENT_COLUMNS, "body"))


def event_types(
    lake: Lake,
    *,
    exchange: Names | None = None,
    not_exchange: Names | None = None,
    deployment: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> pl.DataFrame:
    """Return which event types there are.

    Parameters
    ----------
    lake
        The lake to ask.
    exchange, not_exchange
        Only those of this exchange, or of one of several; only those of no such exchange.
    deployment
        Only those that this deployment sent.
    start, end
        Only those of events in ``[start, end)``.

    Returns
    -------
    polars.DataFrame
        A row an event type and exchange, in this order, with ``event_type`` and ``exchange``
        (String), ``count`` (Int64), ``first_at`` and ``last_at`` (Datetime, UTC).

    Source: all notifications.

    Examples
    --------
    >>> sa.event_types(lake, exchange="nova").columns
    ['event_type', 'exchange', 'count', 'first_at', 'last_at']
    """
    return lake.sql(
        """
        select event_type, exchange, count(*) as count, min(generated_at) as first_at, max(generated_at) as last_at
        from notifications
        where ($exchange::varchar[] is null or list_contains($exchange, exchange))
            and ($not_exchange::varchar[] is null or not list_contains($not_exchange, exchange))
            and ($deployment::varchar is null or deployment = $deployment)
            and ($start::timestamptz is null or generated_at >= $start)
            and ($end::timestamptz is null or generated_at < $end)
            and ($first_day::date is null or date >= $first_day)
            and ($last_day::date is null or date <= $last_day)
        group by all
        order by event_type, exchange
        """,
        {
            "exchange": _listed(exchange),
            "not_exchange": _listed(not_exchange),
            "deployment": deployment,
            **bounds_and_days(start, end),
        },
    ).cast(polars_schema(*EVENT_TYPE_COLUMNS))


def hosts(
    lake: Lake,
    *,
    exchange: Names | None = None,
    not_exchange: Names | None = None,
    deployment: str | None = None,
) -> pl.DataFrame:
    """Return which hosts sent notifications.

    Parameters
    ----------
    lake
        The lake to ask.
    exchange, not_exchange
        Only those that sent for this exchange, or one of several; for none of these.
    deployment
        Only those of this deployment.

    Returns
    -------
    polars.DataFrame
        A row a host, in order, with ``host`` (String; null, last, for senders that name none) and
        ``count`` (Int64) of notifications.

    Source: all notifications; the host is what follows the first ``.`` or ``:`` of the publisher.

    Examples
    --------
    >>> sa.hosts(lake, not_exchange=["nova", "glance"]).columns
    ['host', 'count']
    """
    return lake.sql(
        """
        select host, count(*) as count
        from notifications
        where ($exchange::varchar[] is null or list_contains($exchange, exchange))
            and ($not_exchange::varchar[] is null or not list_contains($not_exchange, exchange))
            and ($deployment::varchar is null or deployment = $deployment)
        group by host
        order by host nulls last
        """,
        {"exchange": _listed(exchange), "not_exchange": _listed(not_exchange), "deployment": deployment},
    ).cast(polars_schema(*HOST_COLUMNS))


def deployments(lake: Lake) -> pl.DataFrame:
    """Return the deployments: the regions and cells that notifications came from.

    Parameters
    ----------
    lake
        The lake to ask.

    Returns
    -------
    polars.DataFrame
        A row a deployment, by name, with ``id`` (Int64, small and stable), ``name`` (String),
        ``count`` (Int64) of notifications, ``first_at`` and ``last_at`` (Datetime, UTC).

    Source: all notifications.

    Examples
    --------
    >>> sa.deployments(lake).columns
    ['id', 'name', 'count', 'first_at', 'last_at']
    """
    ids = lake.deployments()
    known = pl.DataFrame({"id": ids.keys(), "name": ids.values()}, schema=polars_schema("id", "name"))
    counted = lake.sql(
        """
        select deployment as name, count(*) as count, min(generated_at) as first_at, max(generated_at) as last_at
        from notifications
        group by deployment
        order by deployment
        """
    )
    joined = counted.join(known, on="name", how="left", maintain_order="left")
    return joined.select(DEPLOYMENT_COLUMNS).cast(polars_schema(*DEPLOYMENT_COLUMNS))


def _looked_up(
    lake: Lake, keys: Mapping[str, str | int], columns: Sequence[str], period: Mapping[str, datetime | None]
) -> pl.DataFrame:
    """Return the events with certain keys in a period."""
    stored = [name for name in dict.fromkeys((*columns, *_TELL_ERRORS)) if name in NOTIFICATIONS.fields]
    found = lake.look_up(keys, stored).select(pl.sql_expr(IS_ERROR) if name == "is_error" else name for name in columns)
    start, end = period["start"], period["end"]
    found = found if start is None else found.filter(pl.col("generated_at") >= start)
    return found if end is None else found.filter(pl.col("generated_at") < end)


def _page(
    lake: Lake, found: str, parameters: Mapping[str, object], period: Period, rows: int, newest_first: bool
) -> Period:
    """Return the period of the first rows, for which hardly any column is read."""
    last, direction = ("min", "desc") if newest_first else ("max", "asc")
    edge: datetime | None = lake.sql(
        f"select {last}(generated_at) from (select generated_at {found} order by generated_at {direction} limit $rows)",
        {**parameters, "rows": rows},
    ).item()
    start, end = period
    if edge is None:
        return period
    return (edge, end) if newest_first else (start, times.just_after(edge))


def _known(field: str) -> str:
    if field not in SEARCHABLE:
        raise InputError(f"no field {field!r}; the fields are {', '.join(SEARCHABLE)}")
    return field


def _listed(names: Names | None) -> list[str] | None:
    if names is None:
        return None
    return [names] if isinstance(names, str) else list(names)


def _given(restrictions: Mapping[str, T | None]) -> dict[str, T]:
    return {name: value for name, value in restrictions.items() if value is not None}


def _found(
    restrictions: Mapping[str, object], searched: Criterion | None, period: Period
) -> tuple[str, dict[str, object]]:
    """Return what events are found by, as SQL with its parameters; what is not asked would take time to plan."""
    given = {**restrictions, **_given(bounds_and_days(*period))}
    criterion, parameters = searched or ("true", {})
    return f"from events where {' and '.join([*map(_CONDITIONS.__getitem__, given), criterion])}", given | parameters


def _search(field: str, value: object, match: Match) -> Criterion:
    """Return the criterion of a search with its parameters; the empty text equals what is not known."""
    if match not in _MATCHES:
        raise InputError(f"no match {match!r}; there are {', '.join(_MATCHES)}")
    if match != "equals" and not pa.types.is_string(FIELDS[field].type):
        raise InputError(f"{field} is no text: it can be compared for equality only")
    if value is None:
        raise InputError(f"no value for {field} is given; the empty text finds what has none")
    if value == "" and match == "equals":
        return f'"{field}" is null', {}
    return _MATCHES[match].format(field=field), {"value": _typed(field, value)}


def _typed(field: str, value: object) -> object:
    """Return a value, which may be given as text, in the type of a field."""
    kind = FIELDS[field].type
    try:
        if pa.types.is_string(kind):
            return str(value)
        if kind == INSTANT:
            return times.instant(value)  # type: ignore[arg-type]  # anything else fails there
        return pa.scalar(_parsed(value), kind).as_py()
    except (AttributeError, TypeError, ValueError, OverflowError, pa.ArrowInvalid):
        raise InputError(f"{value!r} cannot be compared with {field}, which is {kind}") from None


def _parsed(value: object) -> object:
    """Read a number or a truth value that was given as text."""
    if not isinstance(value, str):
        return value
    named = {"true": True, "false": False}
    return named[value.lower()] if value.lower() in named else int(value)
