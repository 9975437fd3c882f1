"""Instance hours: how long instances of which flavor existed in a period, and for whom."""

from datetime import datetime, timedelta

import polars as pl

from stackanalytics import times
from stackanalytics.lake import Lake
from stackanalytics.schema import polars_schema

INSTANCE_HOUR_COLUMNS = (
    *("instance", "launched_at", "tenant", "account_name", "tenant_types"),
    *("instance_flavor_id", "instance_type", "flavor_class", "memory_mb", "flavor_units"),
    *("records", "used_s", "hours", "unit_hours"),
)
TENANT_COLUMNS = ("tenant", "account_name", "tenant_types")

UNIT_MB = 256
CLOCK_SKEW = timedelta(days=1)

# Records of a launch may overlap: one is sent before each change of what is billed, one after the period.
# Each adds what lies behind the furthest end of those that began before it. Most launches have one record,
# which tells all there is.
_INSTANCE_HOURS = """
with recorded as (
    select instance, launched_at, date_trunc('second', launched_at) as launched_in, tenant, instance_flavor_id,
        instance_type, memory_mb, epoch_us(greatest(launched_at, audit_period_beginning, $start)) as started_us,
        epoch_us(least(deleted_at, audit_period_ending, $end)) as ended_us
    from exists_of(null, $first_day, null)
    where id in (select exists_id from verdicts where service = 'nova' and verdict in ('verified', 'reconciled'))
        and audit_period_beginning < $end and audit_period_ending > $start
        and ($tenant::varchar is null or tenant = $tenant)
),
counted as materialized (
    select *, count(*) over (partition by instance, launched_in) as records
    from recorded
    where started_us < ended_us
),
spans as (
    select *, max(ended_us) over (
            partition by instance, launched_in
            order by started_us, ended_us
            rows between unbounded preceding and 1 preceding
        ) as covered_us
    from counted
    where records > 1
),
several as (
    select instance, min(launched_at) as launched_at, any_value(records) as records,
        sum(greatest(ended_us - greatest(started_us, coalesce(covered_us, started_us)), 0)) as used_us,
        max({
            ended_us: ended_us, tenant: tenant, instance_flavor_id: instance_flavor_id, instance_type: instance_type,
            memory_mb: memory_mb
        }) as last
    from spans
    group by instance, launched_in
),
used as (
    select instance, launched_at, records, ended_us - started_us as used_us, tenant, instance_flavor_id,
        instance_type, memory_mb
    from counted
    where records = 1
    union all
    select instance, launched_at, records, used_us, last.tenant, last.instance_flavor_id, last.instance_type,
        last.memory_mb
    from several
)
select instance, launched_at, tenant, instance_flavor_id, instance_type, memory_mb,
    case
        when instance_flavor_id is null then 'unknown'
        when contains(instance_flavor_id, '-') then split_part(instance_flavor_id, '-', 1)
        else 'standard'
    end as flavor_class,
    memory_mb / $unit_mb as flavor_units, records, used_us / 1e6 as used_s,
    (used_us + 3_599_999_999) // 3_600_000_000 as hours, hours * flavor_units as unit_hours
from used
order by instance, launched_at
"""


def instance_hours(lake: Lake, *, tenant: str | None = None, start: datetime, end: datetime) -> pl.DataFrame:
    """Return how long each launch of an instance existed in a period, as its exists records tell.

    Records count once they are verified or reconciled. What several of them tell of a launch is put
    together, so that the hours of a record for a part of the period are in those for the whole. What
    reaches beyond the period is cut off: the seconds of periods that follow each other add up.

    Parameters
    ----------
    lake
        The lake to ask.
    tenant
        Only of this project.
    start, end
        The period, ``[start, end)``.

    Returns
    -------
    polars.DataFrame
        A row a launch, which is an instance and the second it was launched in, that existed in the
        period, in the order of both, with

        * ``instance`` (String), ``launched_at`` (Datetime, UTC)
        * ``tenant`` (String), ``account_name`` (String), ``tenant_types`` (List of ``name`` and
          ``value``): whose it is, as :func:`tenants` has it; null where that is not known
        * ``instance_flavor_id``, ``instance_type`` (String): the flavor, and its name
        * ``flavor_class`` (String): the flavor up to its first dash; ``standard`` where it has none, and
          ``unknown`` where there is no flavor
        * ``memory_mb`` (Int64) [MiB], ``flavor_units`` (Float64): memory of the flavor, and that in units
          of 256 MiB
        * ``records`` (Int64): how many records tell of it
        * ``used_s`` (Float64): how long it existed [s]
        * ``hours`` (Int64): the same, rounded up to whole hours [h]
        * ``unit_hours`` (Float64): ``hours`` times ``flavor_units`` [h]; null where the memory is not known

    Source: ``compute.instance.exists`` and the verifications; StackTach's report ``instance hours``.

    Examples
    --------
    >>> from datetime import datetime
    >>> sa.instance_hours(lake, start=datetime(2030, 1, 1), end=datetime(2030, 1, 2)).height
    0
    """
    period = {"start": times.instant(start), "end": times.instant(end)}
    # a record is sent when its period is over, by a clock that may be slow
    first_day = (period["start"] - CLOCK_SKEW).date()
    used = lake.sql(_INSTANCE_HOURS, {"tenant": tenant, **period, "first_day": first_day, "unit_mb": UNIT_MB})
    return (
        used.join(tenants(lake), on="tenant", how="left", maintain_order="left")
        .select(INSTANCE_HOUR_COLUMNS)
        .cast(polars_schema(*INSTANCE_HOUR_COLUMNS))
    )


def tenants(lake: Lake) -> pl.DataFrame:
    """Return the tenants that billing told of.

    Parameters
    ----------
    lake
        The lake to ask.

    Returns
    -------
    polars.DataFrame
        A row a tenant, in the order of their ids, with ``tenant``, ``account_name`` (String) and
        ``tenant_types`` (List of ``name`` and ``value``, in the order of their names).

    Source: what was put to ``db/tenant/info`` or told by ``stackanalytics tenants``.

    Examples
    --------
    >>> sa.tenants(lake)["account_name"].to_list()
    []
    """
    rows = [
        (known.tenant, known.name, [{"name": name, "value": value} for name, value in sorted(known.types.items())])
        for known in lake.usage_state.tenants()
    ]
    return pl.DataFrame(rows, schema=polars_schema(*TENANT_COLUMNS), orient="row")
