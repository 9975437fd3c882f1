"""Instance hours added up: by flavor, by class of flavors, by types of tenants, and by tenant.

Source: StackTach's report ``instance hours`` (version 1).
"""

from datetime import datetime

import polars as pl

from stackanalytics.analytics.instance_hour import instance_hours, tenants
from stackanalytics.lake import Lake
from stackanalytics.reports.report import Frames, Option, Parameters, Report
from stackanalytics.schema import polars_schema

_AMOUNTS = ("count", "count_share", "records", "used_s", "hours", "unit_hours", "unit_hours_share")
ROW_COLUMNS = ("breakdown", "key", "name", *_AMOUNTS)
SUMMARY_COLUMNS = ("count", "records", "used_s", "hours", "unit_hours")
TENANT_COLUMNS = ("tenant", "account_name", *_AMOUNTS)
TOP_COLUMNS = ("ranked_by", "type_name", "type_value", "rank", "tenant", "account_name", *_AMOUNTS)

RANKED_BY = ("count", "unit_hours")
TOP = 100
UNKNOWN = "unknown"


def instance_hour_totals(lake: Lake, *, tenant: str | None = None, start: datetime, end: datetime) -> pl.DataFrame:
    """Return the instance hours of a period, added up by each thing that they are billed by.

    Parameters
    ----------
    lake
        The lake to ask.
    tenant
        Only of this project.
    start, end
        The period, ``[start, end)``; see :func:`stackanalytics.instance_hours`.

    Returns
    -------
    polars.DataFrame
        A row a value, by ``flavor``, then ``flavor_class``, then the types of tenants that there are, in
        order, with

        * ``breakdown`` (String): ``flavor``, ``flavor_class`` or the name of a tenant type
        * ``key`` (String): its value, ``unknown`` where the flavor, the tenant or its type is not known
        * ``name`` (String): of a flavor its name, else null
        * ``count``, ``records`` (Int64): how many launches, and how many exists records tell of them
        * ``used_s`` (Float64) [s], ``hours`` (Int64) [h], ``unit_hours`` (Float64) [h]: their sums
        * ``count_share``, ``unit_hours_share`` (Float64): fractions of the whole; those of a breakdown
          add up to 1

    Source: StackTach's report ``instance hours``.

    Examples
    --------
    >>> from datetime import datetime
    >>> sa.instance_hour_totals(lake, start=datetime(2030, 1, 1), end=datetime(2030, 1, 2)).height
    0
    """
    return _totals(_used(lake, tenant=tenant, start=start, end=end), _typed(lake))


def _make(lake: Lake, *, start: datetime, end: datetime, tenant: str | None) -> Frames:
    used, typed = _used(lake, tenant=tenant, start=start, end=end), _typed(lake)
    by_tenant = _by_tenant(used)
    return {
        "rows": _totals(used, typed),
        "summary": used.select(_SUMS).select(SUMMARY_COLUMNS).cast(polars_schema(*SUMMARY_COLUMNS)),
        "tenants": by_tenant.select(TENANT_COLUMNS).cast(polars_schema(*TENANT_COLUMNS)),
        "top": _top(by_tenant, typed),
    }


# seconds are added up as whole microseconds, so that no order of adding changes the sum
_SUMS = (
    pl.col("count", "records", "hours", "unit_hours").sum(),
    (pl.col("used_s") * 1e6).round().cast(pl.Int64).sum() / 1e6,
)


def _used(lake: Lake, *, tenant: str | None, start: datetime, end: datetime) -> pl.DataFrame:
    return instance_hours(lake, tenant=tenant, start=start, end=end).with_columns(count=1)


def _typed(lake: Lake) -> pl.DataFrame:
    """Return the types of all tenants, a row each."""
    types = tenants(lake).explode("tenant_types", empty_as_null=False).unnest("tenant_types")
    return types.select("tenant", pl.col("name").alias("type_name"), pl.col("value").alias("type_value"))


def _totals(used: pl.DataFrame, typed: pl.DataFrame) -> pl.DataFrame:
    flavor = pl.col("instance_flavor_id").fill_null(UNKNOWN)
    added = (
        used.group_by(key=flavor).agg(*_SUMS, name=pl.col("instance_type").min(), breakdown=pl.lit("flavor")),
        used.group_by(key="flavor_class").agg(*_SUMS, breakdown=pl.lit("flavor_class")),
        _with_types(_by_tenant(used), typed).group_by(breakdown="type_name", key="type_value").agg(*_SUMS),
    )
    ordered = [_with_shares(rows, used).sort("breakdown", "key") for rows in added]
    return pl.concat(ordered, how="diagonal_relaxed").select(ROW_COLUMNS).cast(polars_schema(*ROW_COLUMNS))


def _by_tenant(used: pl.DataFrame) -> pl.DataFrame:
    by_tenant = used.group_by("tenant").agg(pl.col("account_name").first(), *_SUMS)
    return _with_shares(by_tenant, used).sort("tenant", nulls_last=True)


def _with_shares(rows: pl.DataFrame, used: pl.DataFrame) -> pl.DataFrame:
    """Return sums with how much of the whole they are."""
    whole = used.select(_SUMS).row(0, named=True)
    return rows.with_columns(
        (pl.col(name) / whole[name] if whole[name] else pl.lit(0.0)).alias(f"{name}_share") for name in RANKED_BY
    )


def _with_types(by_tenant: pl.DataFrame, typed: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each tenant and each type that any tenant has."""
    names = typed.select("type_name").unique()
    return (
        by_tenant.join(names, how="cross")
        .join(typed, on=("tenant", "type_name"), how="left")
        .with_columns(pl.col("type_value").fill_null(UNKNOWN))
    )


def _top(by_tenant: pl.DataFrame, typed: pl.DataFrame) -> pl.DataFrame:
    """Return the tenants of each type with the most launches, and those with the most unit hours."""
    of_types, kind = _with_types(by_tenant, typed), ("type_name", "type_value")
    ranked = [
        of_types.sort(*kind, name, "tenant", descending=[False, False, True, False], nulls_last=True)
        .with_columns(ranked_by=pl.lit(name), rank=pl.int_range(1, pl.len() + 1).over(kind))
        .filter(pl.col("rank") <= TOP)
        for name in RANKED_BY
    ]
    return pl.concat(ranked).select(TOP_COLUMNS).cast(polars_schema(*TOP_COLUMNS))


def _title(parameters: Parameters) -> str:
    return "instance hours"


INSTANCE_HOURS = Report(
    name="instance-hours",
    version=1,
    about="How long instances existed, weighed by their size: by flavor, class, tenant and types of tenants.",
    make=_make,
    title=_title,
    options=(Option("tenant", None, "Only of this project."),),
    reads=("tenants",),
)
