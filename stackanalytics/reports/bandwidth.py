"""Traffic that instances sent to the public network.

Source: StackTach's report ``public outbound bandwidth`` (version 1).
"""

from datetime import datetime

import polars as pl

from stackanalytics import times
from stackanalytics.analytics.instance_hour import CLOCK_SKEW, tenants
from stackanalytics.lake import Lake
from stackanalytics.reports.report import Frames, Option, Parameters, Report
from stackanalytics.schema import polars_schema

ROW_COLUMNS = ("tenant", "account_name", "instances", "records", "bandwidth_public_out")
SUMMARY_COLUMNS = ("instances", "records", "bandwidth_public_out")

# The records of an instance in one audit period tell how much it has sent since the period began, the
# last of them all of it.
_BANDWIDTH = """
with sent as (
    select instance, arg_max(tenant, (audit_period_ending, received_at)) as tenant, count(*) as records,
        max(bandwidth_public_out) as bandwidth_public_out
    from exists_of(null, $first_day, null)
    where audit_period_beginning >= $start and audit_period_ending <= $end
        and ($tenant::varchar is null or tenant = $tenant)
    group by instance, date_trunc('second', audit_period_beginning)
)
select tenant, count(distinct instance) as instances, sum(records) as records,
    coalesce(sum(bandwidth_public_out), 0) as bandwidth_public_out
from sent
group by tenant
order by tenant nulls last
"""


def public_outbound_bandwidth(lake: Lake, *, tenant: str | None = None, start: datetime, end: datetime) -> pl.DataFrame:
    """Return how much the instances of each tenant sent to the public network.

    Records count whether they were verified or not. Of one instance and audit period the highest
    figure counts: a record that is made before the period is over tells a part of what the last one
    tells.

    Parameters
    ----------
    lake
        The lake to ask.
    tenant
        Only of this project.
    start, end
        Only audit periods within ``[start, end)``.

    Returns
    -------
    polars.DataFrame
        A row a tenant, in order, with

        * ``tenant``, ``account_name`` (String): null where not known
        * ``instances``, ``records`` (Int64): how many instances, and how many records tell of them
        * ``bandwidth_public_out`` (Int64): traffic [B]

    Source: ``compute.instance.exists``; StackTach's report ``public outbound bandwidth``.

    Examples
    --------
    >>> from datetime import datetime
    >>> sa.public_outbound_bandwidth(lake, start=datetime(2030, 1, 1), end=datetime(2030, 1, 2)).height
    0
    """
    period = {"start": times.instant(start), "end": times.instant(end)}
    first_day = (period["start"] - CLOCK_SKEW).date()
    sent = lake.sql(_BANDWIDTH, {"tenant": tenant, **period, "first_day": first_day})
    return (
        sent.join(tenants(lake), on="tenant", how="left", maintain_order="left")
        .select(ROW_COLUMNS)
        .cast(polars_schema(*ROW_COLUMNS))
    )


def _make(lake: Lake, *, start: datetime, end: datetime, tenant: str | None) -> Frames:
    rows = public_outbound_bandwidth(lake, tenant=tenant, start=start, end=end)
    return {"rows": rows, "summary": rows.select(pl.col(SUMMARY_COLUMNS).sum())}


def _title(parameters: Parameters) -> str:
    return "public outbound bandwidth"


PUBLIC_OUTBOUND_BANDWIDTH = Report(
    name="public-outbound-bandwidth",
    version=1,
    about="How much the instances of each tenant sent to the public network.",
    make=_make,
    title=_title,
    options=(Option("tenant", None, "Only of this project."),),
    reads=("tenants",),
)
