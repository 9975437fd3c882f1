"""Which meters resources have."""

from collections.abc import Sequence

import polars as pl

from stackanalytics.lake import Lake
from stackanalytics.schema import polars_schema

RESOURCE_METER_COLUMNS = ("resource", "meter")


def resource_meters(lake: Lake, *, resources: Sequence[str]) -> pl.DataFrame:
    """Return which meters some resources have samples of.

    Parameters
    ----------
    lake
        The lake to ask.
    resources
        Their ids.

    Returns
    -------
    polars.DataFrame
        A row a resource and meter, in their order, with ``resource`` and ``meter`` (String).

    Source: the samples.
    """
    return lake.sql(
        """
        select distinct resource, meter from samples where resource in (select unnest($resources)) order by all
        """,
        {"resources": list(resources)},
    ).cast(polars_schema(*RESOURCE_METER_COLUMNS))
