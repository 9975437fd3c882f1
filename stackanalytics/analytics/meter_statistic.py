"""Statistics of samples: over a period or over slices of it, by whom, and of what kind."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import polars as pl

from stackanalytics.analytics.meter_query import FIELD_COLUMNS, Criteria, Query, criteria, metadata_path, pointer
from stackanalytics.errors import InputError
from stackanalytics.lake import Lake
from stackanalytics.schema import polars_schema

STATISTIC_COLUMNS = (
    *("unit", "period_s", "period_start_at", "period_end_at", "count", "min", "max", "avg", "sum"),
    *("duration_s", "duration_start_at", "duration_end_at"),
)
GROUPABLE = ("resource", "tenant", "user", "source")

# what can be asked for beside the columns; what needs a parameter is further down
AGGREGATES: Mapping[str, str] = MappingProxyType(
    {
        "min": "min(volume)",
        "max": "max(volume)",
        "avg": "fsum(volume) / count(*)",
        "sum": "fsum(volume)",
        "count": "count(*)::double",
        "stddev": "stddev_pop(volume)",
        "variance": "var_pop(volume)",
        "median": "median(volume)",
        "first": "min({measured_at: measured_at, volume: volume}).volume",
        "last": "max({measured_at: measured_at, volume: volume}).volume",
    }
)
PARAMETERISED = ("cardinality", "percentile")

LONGEST_PERIOD_S = 366_000 * 86_400
_PERCENT = re.compile(r"\d{1,3}(\.\d+)?", re.ASCII)


def statistics(
    lake: Lake,
    meter: str,
    *,
    query: Query = None,
    period: float | None = None,
    group_by: Sequence[str] | None = None,
    aggregates: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Return statistics of the samples of a meter, made from the samples themselves.

    Parameters
    ----------
    lake
        The lake to ask.
    meter
        Name of the meter.
    query
        Only samples that meet all conditions, as in :func:`stackanalytics.samples`. A condition on
        ``search_offset`` [min] widens the bounds on the timestamp by as much for samples, but not for durations.
    period
        Length [s] of the slices that statistics are made of. The first one begins at the lower bound
        on the timestamp, else with the first sample; slices without samples are left out. None for one
        over everything.
    group_by
        Fields whose values get statistics of their own: ``resource``, ``project``, ``user``, ``source`` or paths into
        the metadata, such as ``metadata.state``; samples without such metadata are left out.
    aggregates
        What else to tell: ``stddev`` and ``variance`` (of the population), ``median``, ``first``, ``last``,
        ``percentile/95`` (any number, interpolated), ``cardinality/resource`` (how many different ones).

    Returns
    -------
    polars.DataFrame
        A row a slice, group and unit that has samples, in their order, with

        * one column (String) for each field of ``group_by``, of the name that is given
        * ``unit`` (String): samples of different units are never put together
        * ``period_s`` (Float64) [s]: null without slices
        * ``period_start_at``, ``period_end_at`` (Datetime, UTC): the slice, ``[start, end)``; without slices the
          first and the last sample
        * ``count`` (Int64), ``min``, ``max``, ``avg``, ``sum`` (Float64) of the volumes, in their unit
        * ``duration_start_at``, ``duration_end_at`` (Datetime, UTC), ``duration_s`` (Float64) [s]: from the first
          to the last sample, within the bounds that were given
        * one column (Float64) for each of ``aggregates``, of the name that is given

    Raises
    ------
    InputError
        If a condition, a field or an aggregate cannot be used, or the period is none.

    Source: the samples; Ceilometer's API v2. Counts of slices add up to the count without any.

    Examples
    --------
    >>> sa.statistics(lake, "instance", query="resource=i-1")["sum"].to_list()
    [3.0]
    """
    asked = criteria(query)
    groups, paths = _groups(group_by or ())
    extra = {name: _aggregate(name) for name in dict.fromkeys(aggregates or ())}
    period_us = _period_us(period)
    found = lake.sql(
        _statement(asked, groups, extra),
        {
            **asked.parameters,
            **paths,
            "meter": meter,
            "period_us": period_us,
            "origin": asked.origin,
            "start": asked.start,
            "end": asked.end,
        },
        holding={"meter": meter},
    )
    names = [*groups, *STATISTIC_COLUMNS]
    return found.select(*names, *extra).with_columns(
        *(pl.col(name).cast(kind) for name, kind in polars_schema(*STATISTIC_COLUMNS).items()),
        *(pl.col(name).cast(pl.Float64) for name in extra),
    )


def _statement(asked: Criteria, groups: Mapping[str, str], extra: Mapping[str, str]) -> str:
    keys = "".join(f"{expression} as {_quoted(name)}, " for name, expression in groups.items())
    names = "".join(f"{_quoted(name)}, " for name in groups)
    present = "".join(f" and {_quoted(name)} is not null" for name in groups if metadata_path(name) is not None)
    more = "".join(f", {expression} as {_quoted(name)}" for name, expression in extra.items())
    return f"""
    with chosen as (
        select {keys}unit, volume, measured_at, resource as of_resource, tenant as of_tenant, "user" as of_user,
            source as of_source
        from samples
        where meter = $meter and {asked.sql}
    ),
    origin as (select coalesce(epoch_us($origin::timestamptz), epoch_us(min(measured_at))) as origin_us from chosen),
    sliced as (
        select *, origin_us + (epoch_us(measured_at) - origin_us) // $period_us::bigint * $period_us::bigint as slice_us
        from chosen, origin
        where true{present}
    ),
    told as (
        select {names}unit, slice_us, count(*) as count, min(volume) as min, max(volume) as max,
            fsum(volume) / count(*) as avg, fsum(volume) as sum,
            min(measured_at) as first_at, max(measured_at) as last_at{more}
        from sliced
        group by {names}unit, slice_us
    )
    select *, $period_us::bigint / 1e6 as period_s,
        coalesce(make_timestamptz(slice_us), first_at) as period_start_at,
        coalesce(make_timestamptz(slice_us + $period_us::bigint), last_at) as period_end_at,
        greatest(first_at, $start::timestamptz) as clamped_start_at,
        least(last_at, $end::timestamptz) as clamped_end_at,
        case when clamped_start_at <= clamped_end_at then clamped_start_at end as duration_start_at,
        case when clamped_start_at <= clamped_end_at then clamped_end_at end as duration_end_at,
        (epoch_us(duration_end_at) - epoch_us(duration_start_at)) / 1e6 as duration_s
    from told
    order by slice_us, {names}unit
    """


def _groups(fields: Sequence[str]) -> tuple[dict[str, str], dict[str, object]]:
    """Return the expression of each field, by its name, and the parameters of these."""
    expressions: dict[str, str] = {}
    parameters: dict[str, object] = {}
    for number, field in enumerate(dict.fromkeys(fields)):
        path, column = metadata_path(field), FIELD_COLUMNS.get(field)
        if path is not None:
            expressions[field] = f"json_extract_string(metadata, $group_{number})"
            parameters[f"group_{number}"] = pointer(path)
        elif column in GROUPABLE:
            expressions[field] = f'"{column}"'
        else:
            raise InputError(
                f"Unknown argument: {field!r}: Invalid groupby fields; give {', '.join(GROUPABLE)} or metadata.<path>"
            )
    return expressions, parameters


def _aggregate(name: str) -> str:
    function, _, parameter = name.partition("/")
    if function not in (*AGGREGATES, *PARAMETERISED):
        raise InputError(
            f"Invalid aggregation function: {function}; there are {', '.join([*AGGREGATES, *PARAMETERISED])}"
        )
    if function in AGGREGATES and not parameter:
        return AGGREGATES[function]
    if function == "cardinality" and FIELD_COLUMNS.get(parameter) in GROUPABLE:
        return f"count(distinct of_{FIELD_COLUMNS[parameter]})"
    if function == "percentile" and _PERCENT.fullmatch(parameter) and float(parameter) <= 100:
        return f"quantile_cont(volume, {float(parameter) / 100!r})"
    raise InputError(
        f"Bad aggregate: {function}.{parameter}; percentile needs a number from 0 to 100, cardinality one of "
        f"{', '.join(GROUPABLE)}, all others nothing"
    )


def _period_us(period: float | None) -> int | None:
    if period is None:
        return None
    if not 0 < period <= LONGEST_PERIOD_S:
        raise InputError(f"Period must be positive. Invalid period {period}: give seconds, at most {LONGEST_PERIOD_S}")
    return max(round(period * 1_000_000), 1)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
