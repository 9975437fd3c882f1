"""Which meters resources have."""

from collections.abc import Sequence

import polars as pl

from stackanalytics.analytics.meter_query import Query, criteria
from stackanalytics.lake import Lake
from stackanalytics.schema import polars_schema

RESOURCE_METER_COLUMNS = ("resource", "meter")


def resource_meters(lake: Lake, *, resources: Sequence[str], query: Query = None) -> pl.DataFrame:
    """Return which meters some resources have samples of.

    Parameters
    ----------
    lake
        The lake to ask.
    resources
        Their ids.
    query
        Only meters with a sample that meets all conditions, as in :func:`stackanalytics.samples`.

    Returns
    -------
    polars.DataFrame
        A row a resource and meter, in their order, with ``resource`` and ``meter`` (String).

    Raises
    ------
    InputError
        If a condition cannot be used.

    Source: the samples.
    """
    asked = criteria(query)
    return lake.sql(
        f"""
        select distinct resource, meter
        from samples
        where resource in (select unnest($resources)) and {asked.sql}
        order by all
        """,
        {**asked.parameters, "resources": list(resources)},
    ).cast(polars_schema(*RESOURCE_METER_COLUMNS))
