"""How volumes are distributed."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from stackanalytics.analytics.meter_query import Query
from stackanalytics.analytics.meter_selection import selection
from stackanalytics.errors import InputError
from stackanalytics.lake import Lake
from stackanalytics.schema import polars_schema

MOST_CLASSES = 10_000
VOLUME_COLUMNS = ("meter", "unit", "lower", "upper", "count", "share")


def volume_distribution(
    lake: Lake, meter: str | Sequence[str], *, query: Query = None, classes: int = 20
) -> pl.DataFrame:
    """Return how the volumes of meters are distributed.

    Parameters
    ----------
    lake
        The lake to ask.
    meter
        Name of the meter, or of several.
    query
        Only samples that meet all conditions, as in :func:`stackanalytics.samples`.
    classes
        Number of classes, equally wide from the lowest to the highest volume of each meter and unit; there
        are fewer where the volumes are too close to each other.

    Returns
    -------
    polars.DataFrame
        A row a meter, unit and class, ascending, with ``meter``, ``unit`` (String), the bounds ``lower`` and ``upper``
        (Float64), ``[lower, upper)`` in that unit, ``count`` (Int64; how many samples, which may be none), and
        ``share`` (Float64; of all of that meter and unit, as a fraction of 1).

    Raises
    ------
    InputError
        If a condition cannot be used, or *classes* is not from 1 to 10,000.

    Source: the samples.

    Examples
    --------
    >>> sa.volume_distribution(lake, "instance")["share"].to_list()
    [1.0]
    """
    if not 1 <= classes <= MOST_CLASSES:
        raise InputError(f"classes is {classes}; there can be 1 to {MOST_CLASSES:,}")
    selected = selection(meter, query)
    ranges = lake.sql(
        f"""
        select meter, unit, min(volume) as lowest, max(volume) as highest, count(*) as total
        from samples where {selected.sql}
        group by meter, unit
        order by meter, unit
        """,
        selected.parameters,
        holding=selected.holding,
    )
    edges = [
        pl.DataFrame({"lower": (found := _edges(lowest, highest, classes))[:-1], "upper": found[1:]}).with_columns(
            meter=pl.lit(meter), unit=pl.lit(unit), total=total
        )
        for meter, unit, lowest, highest, total in ranges.rows()
    ]
    if not edges:
        return pl.DataFrame(schema=polars_schema(*VOLUME_COLUMNS))
    return lake.sql(
        f"""
        with counted as (
            select edges.meter, edges.unit, lower, count(*) as count
            from (select meter, unit, volume from samples where {selected.sql}) as chosen
            asof join edges
                on chosen.meter = edges.meter and chosen.unit = edges.unit and volume >= lower
            group by edges.meter, edges.unit, lower
        )
        select meter, unit, lower, upper, coalesce(count, 0) as count, coalesce(count, 0) / total as share
        from edges left join counted using (meter, unit, lower)
        order by meter, unit, lower
        """,
        selected.parameters,
        holding=selected.holding,
        frames={"edges": pl.concat(edges)},
    ).select(pl.col(name).cast(kind) for name, kind in polars_schema(*VOLUME_COLUMNS).items())


def _edges(lowest: float, highest: float, classes: int) -> np.ndarray:
    part = np.arange(1, classes) / classes
    return np.unique([lowest, *(lowest * (1 - part) + highest * part), np.nextafter(highest, np.inf)])
