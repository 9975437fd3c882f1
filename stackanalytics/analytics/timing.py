"""Timings: how long operations on instances took, from their starts and ends."""

from datetime import datetime

import polars as pl

from stackanalytics.lake import Lake

_FILTERS = """
    ($instance::varchar is null or instance = $instance)
    and ($operation::varchar is null or operation = $operation)
    and ($deployment::varchar is null or deployment = $deployment)
    and ($start::timestamptz is null or coalesce(ended_at, started_at) >= $start)
    and ($end::timestamptz is null or coalesce(ended_at, started_at) < $end)
"""


def timings(
    lake: Lake,
    *,
    instance: str | None = None,
    operation: str | None = None,
    request_id: str | None = None,
    deployment: str | None = None,
    state: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> pl.DataFrame:
    """Return timings (to be written)."""
    return lake.sql(
        f"""
        from timings
        where {_FILTERS}
            and ($request_id::varchar is null or request_id = $request_id)
            and ($state::varchar is null or timing_state = $state)
        order by coalesce(started_at, ended_at), operation, instance, request_id, ended_at,
            deployment, tenant, start_host, end_host, start_id, end_id
        """,
        {
            "instance": instance,
            "operation": operation,
            "deployment": deployment,
            "request_id": request_id,
            "state": state,
            "start": start,
            "end": end,
        },
    )


def timing_summary(
    lake: Lake,
    *,
    instance: str | None = None,
    operation: str | None = None,
    deployment: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> pl.DataFrame:
    """Return the summary (to be written)."""
    return lake.sql(
        f"""
        with completed as (
            select operation, duration_s,
                row_number() over (
                    partition by operation order by ended_at, duration_s, instance, request_id, end_id
                ) as place
            from timings
            where timing_state = '.' and duration_s >= 0 and {_FILTERS}
        )
        select operation, count(*) as count, min(duration_s) as min_s, avg(duration_s) as mean_s,
            median(duration_s) as median_s, quantile_cont(duration_s, 0.95) as p95_s, max(duration_s) as max_s
        from completed
        where place > $offset and ($limit::bigint is null or place <= $offset + $limit)
        group by operation
        order by operation
        """,
        {
            "instance": instance,
            "operation": operation,
            "deployment": deployment,
            "start": start,
            "end": end,
            "limit": limit,
            "offset": offset,
        },
    )


def timing_distribution(
    lake: Lake,
    *,
    operation: str,
    deployment: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    classes: int = 40,
) -> pl.DataFrame:
    """Return the distribution (to be written)."""
    raise NotImplementedError
