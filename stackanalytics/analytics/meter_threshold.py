"""For how long what is measured was above a threshold."""

import math
from collections.abc import Sequence

import polars as pl

from stackanalytics.analytics.meter_level import held
from stackanalytics.analytics.meter_query import Query
from stackanalytics.analytics.meter_selection import SERIES, grouping, selection
from stackanalytics.analytics.meter_slice import Whole
from stackanalytics.errors import InputError
from stackanalytics.lake import Lake
from stackanalytics.schema import polars_schema

ABOVE_COLUMNS = (
    *("meter", "meter_type", "unit", "resource", "source", "known_s", "above_s", "above_share", "runs"),
    *("longest_run_s", "longest_run_start_at", "longest_run_end_at"),
)


def times_above(lake: Lake, meter: str | Sequence[str], *, threshold: float, query: Query = None) -> pl.DataFrame:
    """Return for how long the volumes of each series were above a threshold.

    A volume holds until the next one of its series; the last one until the upper bound on the timestamp or, where
    there is none, until the last sample of all.

    Parameters
    ----------
    lake
        The lake to ask.
    meter
        Name of the meter, or of several.
    threshold
        In the unit of the meter; what is equal to it is not above.
    query
        Only samples that meet all conditions, as in :func:`stackanalytics.samples`.

    Returns
    -------
    polars.DataFrame
        A row a series that has samples, in their order, with

        * ``meter``, ``meter_type``, ``unit``, ``resource``, ``source`` (String): of which samples are a series
        * ``known_s`` (Float64) [s]: how long its volumes held altogether
        * ``above_s`` (Float64) [s], ``above_share`` (Float64): how long they were above, and as a fraction of that;
          null where that is no time at all
        * ``runs`` (Int64): how often it went above
        * ``longest_run_s`` (Float64) [s], ``longest_run_start_at``, ``longest_run_end_at`` (Datetime, UTC): the longest
          time without interruption, of equal ones the first; null where it never was

    Raises
    ------
    InputError
        If a condition cannot be used, or the threshold is no number.

    Source: the samples.

    Examples
    --------
    >>> sa.times_above(lake, "instance", threshold=0.5).select("resource", "known_s", "above_share").rows()
    [('i-1', 5.0, 1.0)]
    """
    if not math.isfinite(threshold):
        raise InputError(f"the threshold is {threshold}: give a finite number in the unit of the meter")
    selected, grouped = selection(meter, query), grouping(meter, ())
    return lake.sql(
        f"""
        with {held(selected, grouped, Whole())},
        compared as (
            select *, volume > $threshold as is_above,
                count(*) filter (volume <= $threshold) over (series rows unbounded preceding) as run
            from held
            window series as ({SERIES})
        ),
        runs as (
            select of_meter, of_type, unit, of_resource, of_source, is_above, run, min(measured_us) as start_us,
                max(held_until_us) as end_us, sum(held_until_us - measured_us) as held_us
            from compared
            group by of_meter, of_type, unit, of_resource, of_source, is_above, run
        ),
        told as (
            select of_meter as meter, of_type as meter_type, unit, of_resource as resource, of_source as source,
                sum(held_us) / 1e6 as known_s, coalesce(sum(held_us) filter (is_above), 0) / 1e6 as above_s,
                count(*) filter (is_above) as runs,
                max({{us: held_us, earliest: -start_us, end_us: end_us}}) filter (is_above) as longest
            from runs
            group by of_meter, of_type, unit, of_resource, of_source
        )
        select *, above_s / nullif(known_s, 0) as above_share, longest.us / 1e6 as longest_run_s,
            make_timestamptz((-longest.earliest)::bigint) as longest_run_start_at,
            make_timestamptz(longest.end_us) as longest_run_end_at
        from told
        order by meter, meter_type, unit, resource, source
        """,
        {**selected.parameters, "threshold": threshold, "until": selected.asked.until},
        holding=selected.holding,
    ).select(pl.col(name).cast(kind) for name, kind in polars_schema(*ABOVE_COLUMNS).items())
