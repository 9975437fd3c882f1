"""Attempts: what API requests did to instances, how long that took, and how it failed.

An attempt is everything that one request made nova say of one instance. Its failure is told by the
last of its notifications that tells one way or the other: one from an error queue fails it
(``http``), one that brings the instance into the state ``error`` fails it (``state``), and one that
leads out of that state mends it.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import polars as pl

from stackanalytics.analytics.period import bounds_and_days
from stackanalytics.errors import InputError
from stackanalytics.lake import Lake
from stackanalytics.number import whole
from stackanalytics.schema import polars_schema

ATTEMPT_COLUMNS = (
    *("instance", "request_id", "deployment", "tenant", "action", "image_type"),
    *("started_at", "ended_at", "duration_s", "failure", "error_code", "error_id", "failure_id", "exception"),
)
ACTIONS = ("create", "rebuild", "rescue", "resize", "snapshot")

_ATTEMPTS = """
with updated as (
    select distinct instance
    from notifications
    where operation = 'compute.instance.update' and instance is not null
        and ($deployments::varchar[] is null or list_contains($deployments, deployment))
        and generated_at >= $start and generated_at < $end and date between $first_day and $last_day
),
asked as (
    select distinct instance, request_id
    from notifications
    where request_id is not null and instance in (from updated)
        and generated_at >= $start and generated_at < $end and date between $first_day and $last_day
),
steps as (
    select id, generated_at, instance, request_id, deployment, tenant, image_type, state,
        list_filter($actions, lambda action: contains(operation, action))[1] as action,
        coalesce(contains(routing_key, 'error'), priority = 'ERROR', false) as is_error,
        coalesce(old_state = 'error', false) as was_failed,
        row_number() over (partition by instance, request_id order by generated_at, phase desc, message_id, id) as place
    from notifications
    where exchange = 'nova' and operation <> 'compute.instance.exists'
        and (instance, request_id) in (select (instance, request_id) from asked)
),
told as (
    select *,
        case
            when was_failed and coalesce(state, '') not in ('deleted', 'error') then 'none'
            when not was_failed and state = 'error' then 'state'
            when is_error then 'http'
        end as outcome
    from steps
)
select instance, request_id,
    coalesce(
        arg_max(deployment, place) filter (action is not null),
        arg_max(deployment, place)
    ) as deployment,
    arg_max(tenant, place) as tenant,
    coalesce(arg_max(action, place), 'aux') as action,
    coalesce(bit_or(image_type), 0) as image_type,
    min(generated_at) as started_at, max(generated_at) as ended_at,
    (epoch_us(max(generated_at)) - epoch_us(min(generated_at))) / 1e6 as duration_s,
    nullif(arg_max(outcome, place), 'none') as failure,
    arg_max(id, place) filter (is_error) as error_id,
    case when arg_max(outcome, place) <> 'none'
        then arg_max(id, place) filter (is_error or outcome = 'state')
    end as failure_id
from told
group by instance, request_id
order by started_at, instance, request_id
"""


def attempts(
    lake: Lake, *, region: str | None = None, start: datetime, end: datetime, slow_s: float = 1800
) -> pl.DataFrame:
    """Return the attempts of a period: what each request did to each instance.

    Parameters
    ----------
    lake
        The lake to ask.
    region
        Only instances that a deployment reported on whose name contains this text, in upper or
        lower case.
    start, end
        Only instances that were reported on (``compute.instance.update``), and requests that were
        heard of, in ``[start, end)``. An attempt that reaches beyond this counts as a whole.
    slow_s
        An attempt that did not fail otherwise has failed if it took longer than this [s].

    Returns
    -------
    polars.DataFrame
        A row an attempt, in the order of ``started_at``, with

        * ``instance``, ``request_id`` (String)
        * ``deployment`` (String): where the action was reported from
        * ``tenant`` (String): the last one named
        * ``action`` (String): ``create``, ``rebuild``, ``rescue``, ``resize`` or ``snapshot``,
          the last that an event type contains; else ``aux``
        * ``image_type`` (Int32): the bits of all notifications
        * ``started_at``, ``ended_at`` (Datetime, UTC), ``duration_s`` (Float64): first and last
          notification, and the time between them [s]
        * ``failure`` (String): ``4xx``, ``5xx``, ``slow``, ``state``, or ``http`` for one from an
          error queue that tells no such code; null where nothing failed
        * ``error_code`` (String): code of the exception, as sent
        * ``error_id`` (Int64): the last notification from an error queue
        * ``failure_id`` (Int64): the last notification that tells of a failure which was not mended
        * ``exception`` (String): JSON of the exception in the notification ``error_id``

    Raises
    ------
    InputError
        If no deployment belongs to the region.

    Source: all notifications of nova that name a request and an instance, without
    ``compute.instance.exists``; StackTach's summary of requests.

    Examples
    --------
    >>> from datetime import datetime
    >>> sa.attempts(lake, start=datetime(2030, 1, 1), end=datetime(2030, 1, 2)).height
    0
    """
    found = lake.sql(
        _ATTEMPTS,
        {
            "deployments": None if region is None else deployments_in(lake, region),
            "actions": list(ACTIONS),
            **bounds_and_days(start, end),
        },
    )
    told = _exceptions(lake, found["error_id"].drop_nulls().to_list())
    return (
        found.join(told, on="error_id", how="left", maintain_order="left")
        .with_columns(failure=_failure(slow_s))
        .select(ATTEMPT_COLUMNS)
        .cast(polars_schema(*ATTEMPT_COLUMNS))
    )


def deployments_in(lake: Lake, region: str) -> list[str]:
    """Return the deployments whose name contains that of a region, in upper or lower case.

    Raises
    ------
    InputError
        If there is none.
    """
    names = list(lake.deployments().values())
    found = [name for name in names if region.upper() in name.upper()]
    if not found:
        raise InputError(f"no deployment of region {region!r}; the deployments are {', '.join(names) or 'none'}")
    return found


def _failure(slow_s: float) -> pl.Expr:
    code = pl.col("error_code").str.to_integer(strict=False)
    failed = pl.coalesce("failure", pl.when(pl.col("duration_s") > slow_s).then(pl.lit("slow")))
    return (
        pl.when(failed.is_not_null() & code.is_between(400, 499))
        .then(pl.lit("4xx"))
        .when(failed.is_not_null() & code.is_between(500, 599))
        .then(pl.lit("5xx"))
        .otherwise(failed)
    )


def _exceptions(lake: Lake, ids: Sequence[int]) -> pl.DataFrame:
    """Return the exceptions that notifications tell of."""
    found = lake.sql(
        """
        select id as error_id, json_extract(body, '$.payload.exception')::varchar as exception
        from notifications
        where id in (select unnest($ids::bigint[]))
        """,
        {"ids": list(ids)},
    )
    codes = [_code(text) for text in found["exception"]]
    return found.with_columns(pl.Series("error_code", codes, pl.String))


def _code(exception: str | None) -> str | None:
    told: Any = None if exception is None else json.loads(exception, parse_int=whole)
    for name in ("kwargs", "code"):
        told = told.get(name) if isinstance(told, dict) else None
    return str(told) if isinstance(told, int | str) and not isinstance(told, bool) else None
