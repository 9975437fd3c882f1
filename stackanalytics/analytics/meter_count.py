"""How many samples and resources there are, for those who look at them a page at a time."""

from stackanalytics.analytics.meter import RESOURCE_FIELDS
from stackanalytics.analytics.meter_query import Criteria, Query, criteria
from stackanalytics.lake import Lake


def sample_count(lake: Lake, *, meter: str | None = None, query: Query = None) -> int:
    """Return how many samples :func:`stackanalytics.samples` has without a limit.

    Parameters
    ----------
    lake
        The lake to ask.
    meter
        Only those of the meter of this name.
    query
        Only those that meet all conditions.

    Returns
    -------
    int
        How many.

    Raises
    ------
    InputError
        If a condition cannot be used.

    Source: the samples.
    """
    asked = criteria(query)
    return _count(lake, "count(*)", asked, meter or asked.meter)


def resource_count(lake: Lake, *, query: Query = None) -> int:
    """Return how many resources :func:`stackanalytics.resources` has without a limit.

    Parameters
    ----------
    lake
        The lake to ask.
    query
        Only those with a sample that meets all conditions.

    Returns
    -------
    int
        How many.

    Raises
    ------
    InputError
        If a condition cannot be used.

    Source: the samples.
    """
    return _count(lake, "count(distinct resource)", criteria(query, fields=RESOURCE_FIELDS), None)


def _count(lake: Lake, what: str, asked: Criteria, meter: str | None) -> int:
    found = lake.sql(
        f"select {what} from samples where ($meter::varchar is null or meter = $meter) and {asked.sql}",
        {**asked.parameters, "meter": meter},
        holding={"meter": meter},
    )
    return int(found.item())
