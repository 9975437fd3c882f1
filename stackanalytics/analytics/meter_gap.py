"""Gaps: where nothing was measured for longer than it should be."""

from collections.abc import Sequence

import polars as pl

from stackanalytics.analytics.meter_query import Query
from stackanalytics.analytics.meter_selection import selection
from stackanalytics.errors import InputError
from stackanalytics.lake import Lake
from stackanalytics.schema import polars_schema

GAP_COLUMNS = ("meter", "meter_type", "unit", "resource", "source", "started_at", "ended_at", "duration_s")


def sample_gaps(lake: Lake, meter: str | Sequence[str], *, longer_than_s: float, query: Query = None) -> pl.DataFrame:
    """Return when a series had no samples for longer than it should have none.

    Parameters
    ----------
    lake
        The lake to ask.
    meter
        Name of the meter, or of several.
    longer_than_s
        Time [s] from one sample to the next that is no gap yet.
    query
        Only samples that meet all conditions, as in :func:`stackanalytics.samples`. Where it has bounds on the
        timestamp, the time from the lower one to the first sample, and from the last one to the upper one, can be a
        gap as well.

    Returns
    -------
    polars.DataFrame
        A row a gap, in the order of the columns, with ``meter``, ``meter_type``, ``unit``, ``resource``, ``source``
        (String), ``started_at``, ``ended_at`` (Datetime, UTC): the samples, or the bounds, between which there are
        none, and ``duration_s`` (Float64) [s]. Of what has no sample at all nothing is known.

    Raises
    ------
    InputError
        If a condition cannot be used, or the time is negative.

    Source: the samples.

    Examples
    --------
    >>> sa.sample_gaps(lake, "instance", longer_than_s=3)["duration_s"].to_list()
    [4.0]
    """
    if not longer_than_s >= 0:
        raise InputError(f"longer_than_s={longer_than_s} is no time: give seconds, from 0 on")
    selected = selection(meter, query)
    return lake.sql(
        f"""
        with chosen as (
            select meter, meter_type, unit, resource, source, measured_at from samples where {selected.sql}
        ),
        bounded as (
            from chosen
            union all
            select distinct * exclude (measured_at), unnest([$start::timestamptz, $end::timestamptz]) from chosen
        ),
        told as (
            select * exclude (measured_at), measured_at as ended_at,
                lag(measured_at) over (
                    partition by meter, meter_type, unit, resource, source order by measured_at
                ) as started_at,
                (epoch_us(ended_at) - epoch_us(started_at)) / 1e6 as duration_s
            from bounded
            where measured_at is not null
        )
        from told
        where duration_s > $longer_than_s
        order by meter, meter_type, unit, resource, source, started_at
        """,
        {
            **selected.parameters,
            "start": selected.asked.origin,
            "end": selected.asked.until,
            "longer_than_s": longer_than_s,
        },
        holding=selected.holding,
    ).select(pl.col(name).cast(kind) for name, kind in polars_schema(*GAP_COLUMNS).items())
