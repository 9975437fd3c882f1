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
    """Return events (to be written)."""
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
        parameters["value"] = _typed(field, value)
    listed = ", ".join(f'"{name}"' for name in shown)
    found = lake.sql(f"select {listed} {_FOUND} {search} order by {order} limit $limit offset $offset", parameters)
    return found.cast(polars_schema(*shown))  # type: ignore[arg-type]


def event(lake: Lake, id: int) -> pl.DataFrame:
    """Return one event with its body (to be written)."""
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
    """Return event types (to be written)."""
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
    """Return hosts (to be written)."""
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
    """Return deployments (to be written)."""
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


def _typed(field: str, value: object) -> object:
    kind = FIELDS[field].type
    try:
        if kind == INSTANT:
            return times.instant(value)  # type: ignore[arg-type]
        if pa.types.is_integer(kind):
            return int(value)  # type: ignore[call-overload]
        return str(value)
    except (TypeError, ValueError):
        raise InputError(f"{value!r} cannot be compared with {field}") from None
