"""What Ceilometer's API v2 shows of samples, meters, resources and statistics: the fields of its objects.

Source: the behaviour of Ceilometer 7.0.0.
"""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

import polars as pl

from stackanalytics.number import whole

Row: TypeAlias = dict[str, Any]


def _fields(**columns: str) -> Mapping[str, str]:
    return MappingProxyType(columns)


# the fields of each kind of object, and the columns that they are
SAMPLE = _fields(
    id="sample_id",
    meter="meter",
    type="meter_type",
    unit="unit",
    volume="volume",
    user_id="user",
    project_id="tenant",
    resource_id="resource",
    source="source",
    timestamp="measured_at",
    recorded_at="recorded_at",
    metadata="metadata",
)
OLD_SAMPLE = _fields(
    source="source",
    counter_name="meter",
    counter_type="meter_type",
    counter_unit="unit",
    counter_volume="volume",
    user_id="user",
    project_id="tenant",
    resource_id="resource",
    timestamp="measured_at",
    recorded_at="recorded_at",
    resource_metadata="metadata",
    message_id="sample_id",
)
METER = _fields(
    name="meter",
    type="meter_type",
    unit="unit",
    resource_id="resource",
    project_id="tenant",
    user_id="user",
    source="source",
)
RESOURCE = _fields(
    resource_id="resource",
    project_id="tenant",
    user_id="user",
    source="source",
    first_sample_timestamp="first_at",
    last_sample_timestamp="last_at",
    metadata="metadata",
)
STATISTIC = _fields(
    unit="unit",
    period_start="period_start_at",
    period_end="period_end_at",
    duration="duration_s",
    duration_start="duration_start_at",
    duration_end="duration_end_at",
)
STANDARD = ("min", "max", "avg", "sum", "count")

METER_FIELDS = (*METER, "meter_id", "description")
RESOURCE_FIELDS = (*RESOURCE, "links")
STATISTIC_FIELDS = (*STATISTIC, *STANDARD, "aggregate", "period", "groupby")


def samples(found: pl.DataFrame, fields: Mapping[str, str] = SAMPLE) -> list[Row]:
    """Return samples, with the fields of one of their two forms."""
    return _rows(found, fields)


def meters(found: pl.DataFrame, descriptions: Mapping[str, str]) -> list[Row]:
    """Return meters, each with an id of its own, and what was said to describe it, if anything."""
    rows = [{**row, "meter_id": meter_id(row["resource_id"], row["name"])} for row in _rows(found, METER)]
    for row in rows:
        if row["name"] in descriptions:
            row["description"] = descriptions[row["name"]]
    return rows


def resources(found: pl.DataFrame, meters_of: Mapping[str, Sequence[str]], base: str) -> list[Row]:
    """Return resources with links below *base*: to themselves, and to what is measured of them."""
    return [
        {**row, "links": list(_links(row["resource_id"], meters_of.get(row["resource_id"], ()), base))}
        for row in _rows(found, RESOURCE)
    ]


def statistics(found: pl.DataFrame, *, groups: Sequence[str], aggregates: Mapping[str, str]) -> list[Row]:
    """Return statistics: of *aggregates*, columns by the names that they are shown by, only what was asked for."""
    shown = [name for name in STANDARD if not aggregates or name in aggregates]
    lasting = found.with_columns(period=pl.col("period_s").fill_null(0).cast(pl.Int64))
    rows = _rows(lasting, {**STATISTIC, "period": "period", **{name: name for name in shown}})
    grouped = found.select(groups).to_dicts() if groups else [None] * found.height
    extra = found.select(pl.col(column).cast(pl.Float64).alias(name) for name, column in aggregates.items())
    for row, group, told in zip(rows, grouped, extra.to_dicts() if aggregates else rows, strict=True):
        row["groupby"] = group
        if aggregates:
            row["aggregate"] = told
    return rows


def meter_id(resource: str | None, meter: str) -> str:
    """Return the id of what is measured of a resource."""
    return base64.b64encode(f"{resource}+{meter}".encode()).decode()


def flattened(told: str | None) -> dict[str, str]:
    """Return metadata without nesting: names joined by a dot and then colons, every value as Python writes it."""
    found: dict[str, str] = {}
    waiting: list[tuple[str, object]] = list((json.loads(told, parse_int=whole) if told else {}).items())
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += [(f"{path}.{name}", value[name]) for name in value]
        else:
            first, dot, rest = path.replace(":", ".").partition(".")
            found[first + dot + rest.replace(".", ":")] = str(value)
    return dict(sorted(found.items()))


def iso(column: str) -> pl.Expr:
    """Write a column of instants in ISO 8601 without a zone, and with microseconds where there are some."""
    return pl.col(column).dt.strftime("%Y-%m-%dT%H:%M:%S%.6f").str.strip_suffix(".000000")


def _rows(found: pl.DataFrame, fields: Mapping[str, str]) -> list[Row]:
    instants = [name for name, kind in found.schema.items() if isinstance(kind, pl.Datetime)]
    shown = found.with_columns(iso(name) for name in instants)
    rows = shown.select(pl.col(column).alias(name) for name, column in fields.items()).to_dicts()
    for name, column in fields.items():
        if column == "metadata":
            for row in rows:
                row[name] = flattened(row[name])
    return rows


def _links(resource: str, meters: Iterable[str], base: str) -> Iterable[Row]:
    yield {"href": f"{base}/v2/resources/{resource}", "rel": "self"}
    for meter in meters:
        yield {"href": f"{base}/v2/meters/{meter}?q.field=resource_id&q.value={resource}", "rel": meter}
