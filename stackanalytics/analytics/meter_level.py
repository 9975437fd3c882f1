"""Volumes as levels: each one holds until the next of its series is measured, however late.

The last one of a series holds until the end of its slice, but not beyond the upper bound on the timestamp; without
slices until that bound or, where there is none, until the last sample of all. Before its first sample
nothing is known of a series.
"""

import polars as pl

from stackanalytics.analytics.meter_aggregate import LEVEL
from stackanalytics.analytics.meter_selection import SERIES, SERIES_COLUMNS, Grouping, Selection
from stackanalytics.analytics.meter_slice import Slices, sliced
from stackanalytics.lake import Lake


def time_weighted_averages(
    lake: Lake, selected: Selection, grouped: Grouping, slices: Slices, told: pl.DataFrame
) -> pl.DataFrame:
    """Add to rows of statistics the average of the levels in each, weighted by time.

    Parameters
    ----------
    lake
        The lake to ask.
    selected, grouped, slices
        The samples, what they are grouped by, and how time is cut.
    told
        The rows: columns of the groups, ``unit``, ``slice_us`` and ``slice_end_us``.
    """
    keys = [*grouped.columns.values(), "unit", "slice_us"]
    found = lake.sql(
        _statement(selected, grouped, slices),
        {**selected.parameters, **grouped.parameters, **slices.parameters, "until": selected.asked.until},
        holding=selected.holding,
        frames={**slices.frames, "told": told.select(*keys, "slice_end_us")},
    )
    return told.join(found, on=keys, how="left", nulls_equal=True, maintain_order="left")


def held(selected: Selection, grouped: Grouping, slices: Slices) -> str:
    """Return the relation ``held`` as SQL: samples and until when each holds; it needs the parameter ``until``."""
    return f"""
    {sliced(selected, grouped, slices, SERIES_COLUMNS)},
    last as (select max(measured_us) as last_us, epoch_us($until::timestamptz) as until_us from sliced),
    held as (
        select *, coalesce(lead(measured_us) over series, least(slice_end_us, until_us), last_us) as held_until_us
        from sliced, last
        window series as ({SERIES})
    )
    """


def _statement(selected: Selection, grouped: Grouping, slices: Slices) -> str:
    """Return the statement.

    What is held beyond its slice is carried: later slices are charged with all that is carried at their begin, less
    what ends in them, so that a volume that is held for a thousand slices does not become a thousand rows.
    """
    names = grouped.names
    return f"""
    with {held(selected, grouped, slices)},
    carried as (select {names}unit, volume, held_until_us, until_us from held where held_until_us > slice_end_us),
    charged as (
        select {names}unit, slice_us, slice_end_us, fsum(volume * held_s) as charge, fsum(held_s) as series_s,
            fsum(volume) filter (is_carried) as step, count(*) filter (is_carried) as series
        from (
            select *, (least(held_until_us, slice_end_us) - measured_us) / 1e6 as held_s,
                held_until_us > slice_end_us as is_carried
            from held
        )
        group by {names}unit, slice_us, slice_end_us
        union all
        select {names}unit, slice_us, slice_end_us, fsum(-volume * rest_s), fsum(-rest_s), fsum(-volume), -count(*)
        from (
            select *, (least(slice_end_us, until_us) - held_until_us) / 1e6 as rest_s
            from ({slices.of("carried", "held_until_us - 1")}) -- the end of a slice is part of it
        )
        group by {names}unit, slice_us, slice_end_us
        union all
        select {names}unit, slice_us, slice_end_us, 0, 0, 0, 0 from told
    ),
    summed as (
        select {names}unit, slice_us, slice_end_us, fsum(charge) as charge, fsum(series_s) as series_s,
            fsum(step) as step, sum(series) as series
        from charged
        group by {names}unit, slice_us, slice_end_us
    ),
    levels as (
        select *, (least(slice_end_us, until_us) - slice_us) / 1e6 as length_s,
            coalesce(fsum(step) over before * length_s, 0) as carried,
            coalesce(sum(series) over before * length_s, 0) as carried_s
        from summed, last
        window before as (
            partition by {names}unit order by slice_us rows between unbounded preceding and 1 preceding
        )
    )
    select {names}unit, slice_us, (carried + charge) / nullif(carried_s + series_s, 0) as {LEVEL}
    from levels
    """
