"""Timings: how long operations on instances took, from their starts and ends."""

from datetime import datetime

import numpy as np
import polars as pl

from stackanalytics.analytics.period import bounds
from stackanalytics.errors import InputError
from stackanalytics.lake import Lake
from stackanalytics.schema import polars_schema

TIMING_COLUMNS = (
    *("timing_state", "operation", "instance", "request_id", "deployment", "tenant"),
    *("started_at", "ended_at", "duration_s", "start_id", "end_id", "start_host", "end_host"),
)
SUMMARY_COLUMNS = ("operation", "count", "min_s", "mean_s", "median_s", "p95_s", "max_s")
DISTRIBUTION_COLUMNS = ("lower_s", "upper_s", "count")
UNFINISHED_COLUMNS = ("operation", "unfinished")

_COMPLETED = """
from timings_of($instance, null, $operation)
where timing_state = '.' and ended_at >= started_at
    and ($deployment::varchar is null or deployment = $deployment)
    and ($start::timestamptz is null or ended_at >= $start)
    and ($end::timestamptz is null or ended_at < $end)
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
    """Return the timings of operations on instances: their starts and ends in pairs.

    A start and an end of equal operation, instance and request make a pair if the end follows the
    start at once; the only start and the only end of a request always do. What finds no partner
    has a row of its own.

    Parameters
    ----------
    lake
        The lake to ask.
    instance, operation, request_id
        Only those of this instance, operation (an event type without ``.start`` and ``.end``, in
        its legacy spelling) and request.
    deployment
        Only those that this deployment ended (or started, where no end is known).
    state
        Only those in this state: ``.``, ``S`` or ``E``.
    start, end
        Only those that ended (or started, where no end is known) in ``[start, end)``.

    Returns
    -------
    polars.DataFrame
        A row a timing, in the order of ``started_at`` (else ``ended_at``), with

        * ``timing_state`` (String): ``.`` start and end known, ``S`` only the start, ``E`` only the end
        * ``operation``, ``instance``, ``request_id`` (String)
        * ``deployment``, ``tenant`` (String): those of the end, else of the start
        * ``started_at``, ``ended_at`` (Datetime, UTC): null where not known
        * ``duration_s`` (Float64): time between them [s]; negative where clocks disagree
        * ``start_id``, ``end_id`` (Int64): ids of the two notifications
        * ``start_host``, ``end_host`` (String): hosts that sent them

    Source: nova's notifications ending in ``.start`` and ``.end``, legacy and versioned.

    Examples
    --------
    >>> sa.timings(lake, operation="compute.instance.create", state="S")["instance"].to_list()
    []
    """
    return lake.sql(
        """
        from timings_of($instance, $request_id, $operation)
        where ($state::varchar is null or timing_state = $state)
            and ($deployment::varchar is null or deployment = $deployment)
            and ($start::timestamptz is null or coalesce(ended_at, started_at) >= $start)
            and ($end::timestamptz is null or coalesce(ended_at, started_at) < $end)
        order by coalesce(started_at, ended_at), operation, instance, request_id, ended_at,
            deployment, tenant, start_host, end_host, start_id, end_id
        """,
        {
            "instance": instance,
            "request_id": request_id,
            "operation": operation,
            "deployment": deployment,
            "state": state,
            **bounds(start, end),
        },
        holding={"instance": instance, "request_id": request_id},
    ).cast(polars_schema(*TIMING_COLUMNS))


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
    """Return how many timings each operation has, and how long they took.

    Only completed timings count: those with a start and an end that is not before it.

    Parameters
    ----------
    lake
        The lake to ask.
    instance, operation
        Only those of this instance and operation.
    deployment
        Only those that this deployment ended.
    start, end
        Only those that ended in ``[start, end)``.
    limit, offset
        Of each operation at most so many, in the order of their ends, after leaving out so many.

    Returns
    -------
    polars.DataFrame
        A row an operation that has any, by name, with ``operation`` (String), ``count`` (Int64), and
        the shortest, mean, median, 95th percentile (interpolated) and longest duration ``min_s``,
        ``mean_s``, ``median_s``, ``p95_s``, ``max_s`` (Float64) [s].

    Raises
    ------
    InputError
        If limit or offset are negative.

    Source: nova's notifications ending in ``.start`` and ``.end``, legacy and versioned.

    Examples
    --------
    >>> sa.timing_summary(lake, operation="compute.instance.resize").height
    0
    """
    if (limit or 0) < 0 or offset < 0:
        raise InputError(f"limit {limit} and offset {offset} are given; neither can be negative")
    return lake.sql(
        f"""
        with completed as (
            select operation, epoch_us(ended_at) - epoch_us(started_at) as us,
                row_number() over (partition by operation order by ended_at, started_at) as place
            {_COMPLETED}
        )
        select operation, count(*) as count, min(us) / 1e6 as min_s, sum(us) / count(*) / 1e6 as mean_s,
            median(us) / 1e6 as median_s, quantile_cont(us, 0.95) / 1e6 as p95_s, max(us) / 1e6 as max_s
        from completed
        where ($limit::bigint is null or place <= $offset + $limit) and ($offset = 0 or place > $offset)
        group by operation
        order by operation
        """,
        {**_criteria(instance, operation, deployment, start, end), "limit": limit, "offset": offset},
        holding={"instance": instance},
    ).cast(polars_schema(*SUMMARY_COLUMNS))


def slowest_timings(
    lake: Lake,
    *,
    instance: str | None = None,
    operation: str | None = None,
    deployment: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    limit: int | None = None,
) -> pl.DataFrame:
    """Return the completed timings, the slowest first.

    Parameters
    ----------
    lake
        The lake to ask.
    instance, operation
        Only those of this instance and operation.
    deployment
        Only those that this deployment ended.
    start, end
        Only those that ended in ``[start, end)``.
    limit
        At most so many; None for all.

    Returns
    -------
    polars.DataFrame
        The columns of :func:`timings`, a row a timing with a start and an end that is not before it.

    Raises
    ------
    InputError
        If limit is negative.

    Source: nova's notifications ending in ``.start`` and ``.end``, legacy and versioned.

    Examples
    --------
    >>> sa.slowest_timings(lake, operation="compute.instance.resize", limit=10).height
    0
    """
    if (limit or 0) < 0:
        raise InputError(f"limit {limit} is given; it cannot be negative")
    return lake.sql(
        f"""
        {_COMPLETED}
        order by duration_s desc, ended_at, operation, instance, request_id,
            deployment, tenant, start_host, end_host, start_id, end_id
        limit $limit
        """,
        {**_criteria(instance, operation, deployment, start, end), "limit": limit},
        holding={"instance": instance},
    ).cast(polars_schema(*TIMING_COLUMNS))


def timing_distribution(
    lake: Lake,
    *,
    operation: str,
    deployment: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    classes: int = 40,
) -> pl.DataFrame:
    """Return how the durations of an operation are distributed.

    The classes are equally wide on a logarithmic scale, from the shortest to the longest duration.
    Only completed timings count, and of these only those that took any time.

    Parameters
    ----------
    lake
        The lake to ask.
    operation
        The operation.
    deployment
        Only those that this deployment ended.
    start, end
        Only those that ended in ``[start, end)``.
    classes
        Number of classes; there are fewer where the durations are too close to each other.

    Returns
    -------
    polars.DataFrame
        A row a class, ascending, with ``lower_s`` and ``upper_s`` (Float64), the bounds ``[lower_s,
        upper_s)`` [s], and ``count`` (Int64). Nothing where there are no such timings.

    Raises
    ------
    InputError
        If *classes* is below 1.

    Source: nova's notifications ending in ``.start`` and ``.end``, legacy and versioned.

    Examples
    --------
    >>> sa.timing_distribution(lake, operation="compute.instance.create", classes=8).columns
    ['lower_s', 'upper_s', 'count']
    """
    if classes < 1:
        raise InputError(f"classes is {classes}; there must be at least 1")
    durations = lake.sql(
        f"select duration_s {_COMPLETED} and duration_s > 0", _criteria(None, operation, deployment, start, end)
    )["duration_s"].to_numpy()
    if not len(durations):
        return pl.DataFrame(schema=polars_schema(*DISTRIBUTION_COLUMNS))
    shortest, longest = durations.min(), durations.max()
    inner = np.geomspace(shortest, longest, classes + 1)[1:-1]
    edges = np.unique([shortest, *inner, np.nextafter(longest, np.inf)])
    counts, _ = np.histogram(durations, edges)
    return pl.DataFrame(
        {"lower_s": edges[:-1], "upper_s": edges[1:], "count": counts}, schema=polars_schema(*DISTRIBUTION_COLUMNS)
    )


def unfinished_operations(
    lake: Lake,
    *,
    instance: str | None = None,
    operation: str | None = None,
    deployment: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> pl.DataFrame:
    """Return how many timings of each operation have a start and no end.

    They count in no number of :func:`timing_summary`; :func:`timings` with the state ``S`` lists them.

    Parameters
    ----------
    lake
        The lake to ask.
    instance, operation
        Only those of this instance and operation.
    deployment
        Only those that this deployment started.
    start, end
        Only those that started in ``[start, end)``.

    Returns
    -------
    polars.DataFrame
        A row an operation that has any, by name, with ``operation`` (String) and ``unfinished``
        (Int64), the number of starts without an end.

    Source: nova's notifications ending in ``.start`` and ``.end``, legacy and versioned.

    Examples
    --------
    >>> sa.unfinished_operations(lake).columns
    ['operation', 'unfinished']
    """
    return lake.sql(
        """
        select operation, count(*) as unfinished
        from timings_of($instance, null, $operation)
        where timing_state = 'S'
            and ($deployment::varchar is null or deployment = $deployment)
            and ($start::timestamptz is null or started_at >= $start)
            and ($end::timestamptz is null or started_at < $end)
        group by operation
        order by operation
        """,
        _criteria(instance, operation, deployment, start, end),
        holding={"instance": instance},
    ).cast(polars_schema(*UNFINISHED_COLUMNS))


def _criteria(
    instance: str | None, operation: str | None, deployment: str | None, start: datetime | None, end: datetime | None
) -> dict[str, object]:
    """Return what most queries of this module have as parameters."""
    return {"instance": instance, "operation": operation, "deployment": deployment, **bounds(start, end)}
