"""Statistics of samples: over a period or over slices of it, by whom, and of what kind."""

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from stackanalytics import times
from stackanalytics.analytics.meter_aggregate import CHANGED, Aggregates
from stackanalytics.analytics.meter_aggregate import aggregates as read_aggregates
from stackanalytics.analytics.meter_level import time_weighted_averages
from stackanalytics.analytics.meter_query import Criteria, Query
from stackanalytics.analytics.meter_selection import Grouping, Selection, grouping, selection
from stackanalytics.analytics.meter_slice import CALENDAR, Calendar, Slices, Whole, check_timezone, lengths, sliced
from stackanalytics.errors import InputError
from stackanalytics.lake import Lake
from stackanalytics.schema import polars_schema

STATISTIC_COLUMNS = (
    *("unit", "period_s", "period_start_at", "period_end_at", "count", "min", "max", "avg", "sum"),
    *("duration_s", "duration_start_at", "duration_end_at"),
)
MOST_EMPTY_ROWS = 100_000

_INSTANT = polars_schema("period_start_at")["period_start_at"]


def statistics(
    lake: Lake,
    meter: str | Sequence[str],
    *,
    query: Query = None,
    period: float | str | None = None,
    timezone: str | None = None,
    aligned: bool = False,
    empty: bool = False,
    group_by: Sequence[str] | None = None,
    aggregates: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Return statistics of the samples of meters, made from the samples themselves.

    Parameters
    ----------
    lake
        The lake to ask.
    meter
        Name of the meter, or of several: then the answer has a column ``meter``.
    query
        Only samples that meet all conditions, as in :func:`stackanalytics.samples`. A condition on
        ``search_offset`` [min] widens the bounds on the timestamp by as much for samples, but not for durations.
    period
        Length [s] of the slices that statistics are made of, or ``"hour"``, ``"day"``, ``"week"`` (from Monday),
        ``"month"`` or ``"year"`` as the calendar has them. Slices of a length begin at the lower bound on the
        timestamp, else with the first sample. None for one slice over everything.
    timezone
        Time zone of the calendar, such as ``"Europe/Berlin"`` or ``"+02:00"``; None for UTC. A day has 23 or 25
        hours where clocks are changed.
    aligned
        Whether slices of a length are counted from 1970 in UTC instead, so that those of 3600 s begin with the hour.
    empty
        Whether slices without samples are told, too: within the bounds on the timestamp, else between the
        first and the last sample, for each group and unit that has any sample. At most 100,000 rows.
    group_by
        Fields whose values get statistics of their own: ``resource``, ``project``, ``user``, ``source``, ``meter``,
        ``meter_type`` or paths into the metadata, such as ``metadata.state``; samples without such metadata are
        left out.
    aggregates
        What else to tell, each a column of the name that is given:

        * ``stddev``, ``variance`` (of the population), ``median``, ``first``, ``last``; of several at the same
          time the lowest is the first and the highest the last
        * ``percentile/95``: any number from 0 to 100, interpolated
        * ``cardinality/resource``: how many different ones, of any field or path into the metadata
        * ``increase``: the sum of what changed from one sample of a series to the next, in the unit of the meter. A
          series is what one meter measured of one resource in one unit (and source and type). Of a cumulative
          meter a volume that fell began again at 0, so that all of it counts; samples of a delta meter are changes
          already; of a gauge the difference counts, also where it is negative. A change counts
          where it is seen first, at the later sample. Samples outside the bounds are not looked at, so that the first
          of a series changes nothing; null where nothing is known of any change. Increases of slices add
          up to the increase without any.
        * ``rate`` [unit/s]: the increase by the time that it took, from sample to sample. Over several series
          it is the mean of theirs, weighted by time; null where no time passed.
        * ``time_weighted_avg``: the mean of the volumes, each weighted by how long it held: until the next sample
          of its series, also in a later slice; the last one until the end of its slice, though not beyond
          the upper bound; without slices until that bound, else until the last sample of all. Before its first
          sample nothing is known of a series. 10 at 00:00 and 20 at 00:45 are (10 × 45 + 20 × 15) / 60 =
          12.5 over the hour.

        ``min``, ``max``, ``avg``, ``sum`` and ``count`` are told anyway.

    Returns
    -------
    polars.DataFrame
        A row a slice, group and unit that has samples, in their order, with

        * ``meter`` (String), where several are asked for, and one column (String) for each field of ``group_by``, of
          the name that is given
        * ``unit`` (String): samples of different units are never put together
        * ``period_s`` (Float64) [s]: length of the slice; null without slices
        * ``period_start_at``, ``period_end_at`` (Datetime, UTC): the slice, ``[start, end)``; without slices the
          first and the last sample
        * ``count`` (Int64), ``min``, ``max``, ``avg``, ``sum`` (Float64) of the volumes, in their unit; of a slice
          without samples the count is 0 and all else null
        * ``duration_start_at``, ``duration_end_at`` (Datetime, UTC), ``duration_s`` (Float64) [s]: from the first
          to the last sample, within the bounds that were given
        * one column (Float64) for each of ``aggregates``, of the name that is given

    Raises
    ------
    InputError
        If a condition, a field, an aggregate or a time zone cannot be used, the period is none, or there would be
        too many periods.

    Source: the samples; Ceilometer's API v2, and its transformers for what a reset is. Counts of slices add up to the
    count without any.

    Examples
    --------
    >>> sa.statistics(lake, "instance", query="resource=i-1")["sum"].to_list()
    [3.0]
    """
    selected = selection(meter, query)
    grouped = grouping(meter, group_by or ())
    extra = read_aggregates(aggregates or ())
    if empty and period is None:
        raise InputError("empty periods are those of a period without samples: give a period")
    slices = _slices(lake, selected, period, timezone, aligned=aligned)
    found = lake.sql(
        _statement(selected, grouped, slices, extra),
        {
            **selected.parameters,
            **grouped.parameters,
            **slices.parameters,
            **extra.parameters,
        },
        holding=selected.holding,
        frames=slices.frames,
        is_small=True,
    )
    if empty:
        found = _with_empty(found, grouped, slices, selected.asked, ["count", *extra.counts])
    if extra.have_levels:
        found = time_weighted_averages(lake, selected, grouped, slices, found)
    return _shown(found, grouped, extra, selected.asked)


def _slices(
    lake: Lake, selected: Selection, period: float | str | None, timezone: str | None, *, aligned: bool
) -> Slices:
    if isinstance(period, str):
        if period not in CALENDAR:
            raise InputError(f"Invalid period {period!r}: give seconds, or one of {', '.join(CALENDAR)}")
        timezone = check_timezone("UTC" if timezone is None else timezone)
        first_us, last_us = lake.sql(
            f"""
            select coalesce(epoch_us(min(measured_at)), 0), coalesce(epoch_us(max(measured_at)), 0)
            from samples where {selected.sql}
            """,
            selected.parameters,
            holding=selected.holding,
        ).row(0)
        return Calendar(period, timezone, first_us, last_us)
    if timezone is not None:
        raise InputError(f"timezone={timezone!r} cuts periods of the calendar: give one of {', '.join(CALENDAR)}")
    if period is None:
        return Whole()
    return lengths(period, origin=selected.asked.origin, aligned=aligned)


def _statement(selected: Selection, grouped: Grouping, slices: Slices, extra: Aggregates) -> str:
    """Return the statement: a plain one that groups, since planning a larger one takes as long as a day's samples."""
    names = grouped.names
    return f"""
    with {sliced(selected, grouped, slices, extra.sources)}
    select {names}unit, slice_us, {slices.end} as slice_end_us, count(*) as count, min(volume) as min,
        max(volume) as max, fsum(volume) / count(*) as avg, fsum(volume) as sum,
        min(measured_at) as first_at, max(measured_at) as last_at{extra.sql}
    from {f"({CHANGED})" if extra.have_changes else "sliced"}
    group by {names}unit, slice_us
    order by slice_us, {names}unit
    """


def _with_empty(
    found: pl.DataFrame, grouped: Grouping, slices: Slices, asked: Criteria, counts: list[str]
) -> pl.DataFrame:
    """Add a row for each slice within the bounds in which a group has no samples of a unit that it has elsewhere."""
    if found.is_empty():
        return found
    keys = [*grouped.columns.values(), "unit"]
    groups = found.select(keys).unique(maintain_order=True)
    first_us, last_us = found.select(first=pl.col("slice_us").min(), last=pl.col("slice_us").max()).row(0)
    if asked.origin is not None:
        first_us = times.unix_us(asked.origin)
    if asked.until is not None:
        last_us = max(last_us, times.unix_us(asked.until) - 1)
    between = slices.between(first_us, last_us)
    rows = groups.height * between.height
    if rows > MOST_EMPTY_ROWS:
        raise InputError(
            f"with empty periods there would be {rows:,} rows, {between.height:,} periods of {groups.height:,} groups: "
            f"give a longer period, fewer groups, or bounds that are closer, for at most {MOST_EMPTY_ROWS:,} rows"
        )
    return (
        groups.join(between, how="cross")
        .join(found, on=[*keys, "slice_us", "slice_end_us"], how="left", nulls_equal=True)
        .with_columns(pl.col(counts).fill_null(0))
        .sort("slice_us", *keys, nulls_last=True)
    )


def _shown(found: pl.DataFrame, grouped: Grouping, extra: Aggregates, asked: Criteria) -> pl.DataFrame:
    """Return the columns of the answer; durations are of samples, but within the bounds that were given."""
    first, last = pl.col("first_at"), pl.col("last_at")
    if asked.start is not None:
        first = first.clip(lower_bound=_literal(asked.start))
    if asked.end is not None:
        last = last.clip(upper_bound=_literal(asked.end))
    is_within = first <= last
    told = {
        "period_s": (pl.col("slice_end_us") - pl.col("slice_us")) / 1e6,
        "period_start_at": pl.coalesce(pl.col("slice_us").cast(_INSTANT), "first_at"),
        "period_end_at": pl.coalesce(pl.col("slice_end_us").cast(_INSTANT), "last_at"),
        "duration_s": pl.when(is_within).then((last - first).dt.total_microseconds() / 1e6),
        "duration_start_at": pl.when(is_within).then(first),
        "duration_end_at": pl.when(is_within).then(last),
    }
    return found.select_seq(
        *(pl.col(column).alias(field) for field, column in grouped.columns.items()),
        *(told.get(name, pl.col(name)).alias(name) for name in STATISTIC_COLUMNS),
        *(pl.col(column).cast(pl.Float64).alias(name) for name, column in extra.columns.items()),
    )


def _literal(moment: datetime) -> pl.Expr:
    # of a moment itself polars takes half a millisecond to make one
    return pl.lit(times.unix_us(moment)).cast(_INSTANT)
