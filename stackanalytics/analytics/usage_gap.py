"""Gaps in usage: launches that nobody reports, records of nothing, and what is reported twice."""

from datetime import datetime

import polars as pl

from stackanalytics.analytics.period import bounds
from stackanalytics.analytics.reconciliation import disputes
from stackanalytics.lake import Lake
from stackanalytics.schema import polars_schema

GAP_COLUMNS = (
    *("gap", "instance", "launched_at", "launch_id", "exists_id", "other_exists_id"),
    *("audit_period_beginning", "audit_period_ending", "deployment", "host"),
)

_GAPS = """
with recorded as (
    select id as exists_id, instance, launched_at, date_trunc('second', launched_at) as launched_in,
        audit_period_beginning, audit_period_ending, deployment, host, message_id, received_at
    from exists
    where audit_period_beginning >= $start and audit_period_beginning < $end
),
numbered as (
    select *, row_number() over same as place, first_value(exists_id) over same as first_id
    from recorded
    window same as (
        partition by instance, launched_in, date_trunc('second', audit_period_beginning),
            date_trunc('second', audit_period_ending)
        order by received_at, message_id, exists_id
    )
),
followed as (
    select *, max({ending: audit_period_ending, exists_id: exists_id}) over earlier as former
    from numbered
    where place = 1
    window earlier as (
        partition by instance, launched_in
        order by audit_period_beginning, audit_period_ending, exists_id
        rows between unbounded preceding and 1 preceding
    )
),
launched as (
    select instance, date_trunc('second', launched_at) as launched_in from launches
    union all
    select instance, date_trunc('second', launched_at) as launched_in from reconciles
)
select 'exists_without_launch' as gap, null::bigint as other_exists_id, recorded.*
from recorded anti join launched using (instance, launched_in)
union all by name
select 'duplicate' as gap, first_id as other_exists_id, * exclude (place, first_id)
from numbered where place > 1
union all by name
select 'overlap' as gap, former.exists_id as other_exists_id, * exclude (place, first_id, former)
from followed where former.ending > audit_period_beginning
"""


def usage_gaps(
    lake: Lake,
    *,
    instance: str | None = None,
    deployment: str | None = None,
    start: datetime,
    end: datetime,
) -> pl.DataFrame:
    """Return where exists records and launches of a period do not cover each other.

    Parameters
    ----------
    lake
        The lake to ask.
    instance
        Only those of this instance (uuid).
    deployment
        Only those of this deployment.
    start, end
        The period: records count whose audit period begins in ``[start, end)``, and launches that
        such a record should tell of.

    Returns
    -------
    polars.DataFrame
        A row a gap, by kind, instance and time, with

        * ``gap`` (String): ``launch_without_exists`` (nova makes no records of an instance that is
          shelved and on no host); ``exists_without_launch``, where neither a
          launch nor a reconciliation is known in the second that the record names; ``duplicate``, a
          record of the same launch and audit period as another; ``overlap``, a record of the same
          launch as another, of a period that begins before the other's ends. Nova itself makes
          records that overlap when it does something that leaves the launch as it was
        * ``instance`` (String), ``launched_at`` (Datetime, UTC)
        * ``launch_id``, ``exists_id`` (Int64): the launch or the record
        * ``other_exists_id`` (Int64): of what is told twice, the record that told it before
        * ``audit_period_beginning``, ``audit_period_ending`` (Datetime, UTC): of the record; the
          period of a launch without record begins at *start* and has no end here
        * ``deployment``, ``host`` (String): who told of it

    Source: nova's ``compute.instance.exists`` and launches, and the reconciliations.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> day = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC)
    >>> sa.usage_gaps(lake, start=day[0], end=day[1])["gap"].to_list()
    []
    """
    unreported = (
        disputes(lake, verdicts=_NOTHING_VERIFIED, start=start, end=end)
        .with_columns(gap=pl.lit("launch_without_exists"))
        .drop("exists_id")
    )
    found = pl.concat([unreported, lake.sql(_GAPS, bounds(start, end))], how="diagonal_relaxed")
    for name, wanted in (("instance", instance), ("deployment", deployment)):
        if wanted is not None:
            found = found.filter(pl.col(name) == wanted)
    return (
        found.select(GAP_COLUMNS)
        .cast(polars_schema(*GAP_COLUMNS))
        .sort("gap", "instance", "launched_at", "audit_period_beginning", "audit_period_ending", "exists_id")
    )


_NOTHING_VERIFIED = pl.DataFrame(schema=polars_schema("service", "exists_id", "verdict"))
