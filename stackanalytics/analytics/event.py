"""Events: the notifications of a lake, found by what they are about, by any field, and by time."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Literal, TypeAlias

import polars as pl
import pyarrow as pa

from stackanalytics import times
from stackanalytics.errors import InputError
from stackanalytics.lake import Lake
from stackanalytics.schema import FIELDS, INSTANT, NOTIFICATIONS, polars_schema

Match: TypeAlias = Literal["equals", "contains", "startswith"]
Names: TypeAlias = str | Sequence[str]

COLUMNS = tuple(name for name in NOTIFICATIONS.fields if name not in ("body", "landed_at", "is_conflict"))
EVENT_COLUMNS = (*COLUMNS, "is_error")
SEARCHABLE = (*NOTIFICATIONS.fields, "is_error")

_MATCHES = {
    "equals": '"{field}" = $value',
    "contains": 'contains("{field}", $value)',
    "startswith": 'starts_with("{field}", $value)',
}

_FOUND = """
from events
where ($id::bigint is null or id = $id)
    and ($instance::varchar is null or instance = $instance)
    and ($request_id::varchar is null or request_id = $request_id)
    and ($resource::varchar is null or resource = $resource)
    and ($tenant::varchar is null or tenant = $tenant)
    and ($event_type::varchar is null or event_type = $event_type)
    and ($operation::varchar is null or operation = $operation)
    and ($deployment::varchar is null or deployment = $deployment)
    and ($exchanges::varchar[] is null or list_contains($exchanges, exchange))
    and ($not_exchanges::varchar[] is null or not list_contains($not_exchanges, exchange))
    and ($host::varchar is null or host = $host)
    and ($start::timestamptz is null or generated_at >= $start)
    and ($end::timestamptz is null or generated_at < $end)
    and ($first_day::date is null or date >= $first_day)
    and ($last_day::date is null or date <= $last_day)
"""


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
        Only those in which a column equals a value, or contains or starts with a text.
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
        If there is no such column, the value cannot be compared with it, or limit or offset are
        negative.

    Source: all notifications.

    Examples
    --------
    >>> sa.events(lake, instance="nobody").height
    0
    """
    if (limit or 0) < 0 or offset < 0:
        raise InputError(f"limit {limit} and offset {offset} are given; neither can be negative")
    shown = EVENT_COLUMNS if columns is None else _checked(columns)
    direction = "desc" if newest_first else "asc"
    tied = [name for name in shown if name not in ("generated_at", "id")]
    order = ", ".join(f'"{name}" {direction}' for name in ["generated_at", *tied, "id"])
    first_day, last_day = times.day_range(start, end)
    parameters: dict[str, object] = {
        "id": id,
        "instance": instance,
        "request_id": request_id,
        "resource": resource,
        "tenant": tenant,
        "event_type": event_type,
        "operation": operation,
        "deployment": deployment,
        "exchanges": _listed(exchange),
        "not_exchanges": _listed(not_exchange),
        "host": host,
        "start": start,
        "end": end,
        "first_day": first_day,
        "last_day": last_day,
        "limit": limit,
        "offset": offset,
    }
    search = ""
    if field is not None:
        _checked([field])
        search = "and " + _MATCHES[match].format(field=field)
        parameters["value"] = _typed(field, value, match)
    listed = ", ".join(f'"{name}"' for name in shown)
    found = lake.sql(f"select {listed} {_FOUND} {search} order by {order} limit $limit offset $offset", parameters)
    return found.cast(polars_schema(*shown))  # type: ignore[arg-type]


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
    """
    first_day, last_day = times.day_range(start, end)
    return lake.sql(
        """
        select event_type, exchange, count(*) as count, min(generated_at) as first_at, max(generated_at) as last_at
        from notifications
        where ($exchanges::varchar[] is null or list_contains($exchanges, exchange))
            and ($not_exchanges::varchar[] is null or not list_contains($not_exchanges, exchange))
            and ($deployment::varchar is null or deployment = $deployment)
            and ($start::timestamptz is null or generated_at >= $start)
            and ($end::timestamptz is null or generated_at < $end)
            and ($first_day::date is null or date >= $first_day)
            and ($last_day::date is null or date <= $last_day)
        group by all
        order by event_type, exchange
        """,
        {
            "exchanges": _listed(exchange),
            "not_exchanges": _listed(not_exchange),
            "deployment": deployment,
            "start": start,
            "end": end,
            "first_day": first_day,
            "last_day": last_day,
        },
    )


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
    """
    return lake.sql(
        """
        select host, count(*) as count
        from notifications
        where ($exchanges::varchar[] is null or list_contains($exchanges, exchange))
            and ($not_exchanges::varchar[] is null or not list_contains($not_exchanges, exchange))
            and ($deployment::varchar is null or deployment = $deployment)
        group by host
        order by host nulls last
        """,
        {"exchanges": _listed(exchange), "not_exchanges": _listed(not_exchange), "deployment": deployment},
    )


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
    """
    names = lake.deployments()
    known = pl.DataFrame(
        {"id": list(names), "name": list(names.values())}, schema={"id": pl.Int64, "name": pl.String}
    )
    counted = lake.sql(
        """
        select deployment as name, count(*) as count, min(generated_at) as first_at, max(generated_at) as last_at
        from notifications
        group by deployment
        order by deployment
        """
    )
    return counted.join(known, on="name", how="left", maintain_order="left").select(
        "id", "name", "count", "first_at", "last_at"
    )


def _checked(columns: Sequence[str]) -> Sequence[str]:
    for name in columns:
        if name not in SEARCHABLE:
            raise InputError(f"no field {name!r}; the fields are {', '.join(SEARCHABLE)}")
    return columns


def _listed(names: Names | None) -> list[str] | None:
    if names is None:
        return None
    return [names] if isinstance(names, str) else list(names)


def _typed(field: str, value: object, match: Match) -> object:
    kind = FIELDS[field].type
    if match != "equals" and not pa.types.is_string(kind):
        raise InputError(f"{field} is no text: it can be compared for equality only")
    try:
        if kind == INSTANT:
            return times.instant(value)  # type: ignore[arg-type]
        if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
            return pa.scalar(_parsed(value), kind).as_py()
        return str(value)
    except (TypeError, ValueError, OverflowError, pa.ArrowInvalid):
        raise InputError(f"{value!r} cannot be compared with {field}, which is {kind}") from None


def _parsed(value: object) -> object:
    """Read a number or a truth value that was given as text."""
    if not isinstance(value, str):
        return value
    named = {"true": True, "false": False}
    return named[value.lower()] if value.lower() in named else int(value)
