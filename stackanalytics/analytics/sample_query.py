"""Samples that an expression holds for: conditions joined by and, or and not.

Source: the complex query of Ceilometer's API v2, with the logic of SQL: what is not known is neither equal nor
unequal to anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, TypeAlias

import polars as pl

from stackanalytics import times
from stackanalytics.analytics.meter import SAMPLE_COLUMNS, with_metadata
from stackanalytics.analytics.meter_query import pointer
from stackanalytics.errors import InputError
from stackanalytics.lake import Lake
from stackanalytics.schema import FIELDS, INSTANT, polars_schema

Filter: TypeAlias = Mapping[str, Any]
OrderBy: TypeAlias = Sequence[Mapping[str, str]]

COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("counter_name", "meter"), "meter"),
        **dict.fromkeys(("counter_type", "type"), "meter_type"),
        **dict.fromkeys(("counter_unit", "unit"), "unit"),
        **dict.fromkeys(("counter_volume", "volume"), "volume"),
        **dict.fromkeys(("resource_id", "resource"), "resource"),
        **dict.fromkeys(("project_id", "project"), "tenant"),
        **dict.fromkeys(("user_id", "user"), "user"),
        "source": "source",
        "timestamp": "measured_at",
        "recorded_at": "recorded_at",
        "message_id": "sample_id",
    }
)
METADATA = "metadata."
COMPARISONS: Mapping[str, str] = MappingProxyType(
    {"=": "=", "!=": "<>", "<": "<", "<=": "<=", "=<": "<=", ">": ">", ">=": ">=", "=>": ">=", "=~": "=~"}
)
_OF_DAYS = {"=": "=", "<": "<=", "<=": "<=", ">": ">=", ">=": ">="}
JOINS = ("and", "or")
DEEPEST, MOST_CONDITIONS = 50, 500


def query_samples(
    lake: Lake,
    *,
    filter: Filter | None = None,
    orderby: OrderBy | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> pl.DataFrame:
    """Return the samples that an expression holds for.

    Parameters
    ----------
    lake
        The lake to ask.
    filter
        ``{op: {field: value}}`` with ``=``, ``!=``, ``<``, ``<=``, ``>``, ``>=`` or ``=~`` (a regular expression that
        is found anywhere), ``{"in": {field: [value, …]}}``, ``{"and": [expression, expression, …]}``, likewise ``or``,
        ``{"not": expression}``. Fields are ``counter_name``, ``counter_type``, ``counter_unit``, ``counter_volume``,
        ``resource_id``, ``project_id``, ``user_id``, ``source``, ``timestamp``, ``recorded_at``, ``message_id``, or
        shorter ``meter``, ``type``, ``unit``, ``volume``, ``resource``, ``project``, ``user``; and
        ``metadata.<path>``. Values of metadata compare with their type. A condition on what a sample lacks neither
        holds nor does its opposite.
    orderby
        ``[{field: "asc" or "desc"}, …]``; None for the newest first, which also decides what this leaves open.
    limit, offset
        At most so many, after leaving out so many; None for all.

    Returns
    -------
    polars.DataFrame
        A row a sample, with the columns of :func:`stackanalytics.samples`.

    Raises
    ------
    InputError
        If the expression or the order cannot be used.

    Source: the samples.

    Examples
    --------
    >>> sa.query_samples(lake, filter={"and": [{"=": {"resource": "i-1"}}, {">": {"volume": 0}}]})["volume"].to_list()
    [1.0, 1.0, 1.0]
    """
    written = _Expression()
    condition = "true" if filter is None else written.of(filter)
    order = ", ".join([*_order(orderby or ()), "measured_at desc", "meter", "resource", "sample_id"])
    page = _asked(
        lake,
        f"""
        select sample_id, meter, meter_type, unit, volume, resource, tenant, "user", source, measured_at, recorded_at,
            notification_id, posted_context
        from samples
        where {condition}
        order by {order}
        limit $limit offset $offset
        """,
        {**written.parameters, "limit": limit, "offset": offset},
    )
    return with_metadata(lake, page).select(SAMPLE_COLUMNS).cast(polars_schema(*SAMPLE_COLUMNS))


def query_sample_count(lake: Lake, *, filter: Filter | None = None) -> int:
    """Return how many samples :func:`query_samples` has without a limit; ``filter`` is as there."""
    written = _Expression()
    condition = "true" if filter is None else written.of(filter)
    return int(_asked(lake, f"select count(*) from samples where {condition}", written.parameters).item())


def asked_projects(filter: Filter) -> set[object]:
    """Return the projects that an expression, which can be used, asks for anywhere."""
    _Expression().of(filter)
    return set(_projects(filter))


def _projects(expression: Any) -> list[object]:
    [(op, told)] = expression.items()
    if op.lower() in JOINS:
        return [project for one in told for project in _projects(one)]
    if op.lower() == "not":
        return _projects(told)
    [(name, value)] = told.items()
    if COLUMNS.get(name) != "tenant":
        return []
    return list(value) if isinstance(value, list) else [value]


def _asked(lake: Lake, statement: str, parameters: Mapping[str, object]) -> pl.DataFrame:
    try:
        return lake.sql(statement, parameters)
    except InputError as problem:  # a regular expression is read where it is used
        raise _invalid(str(problem)) from problem


def _order(orderby: OrderBy) -> list[str]:
    written = []
    for entry in orderby:
        pairs = list(entry.items()) if isinstance(entry, Mapping) else []
        if len(pairs) != 1 or not isinstance(pairs[0][1], str) or pairs[0][1].lower() not in ("asc", "desc"):
            raise InputError(
                f"Order-by expression not valid: {_short(entry)}: give {{field: 'asc'}} or {{field: 'desc'}}"
            )
        [(name, direction)] = pairs
        if name not in COLUMNS:
            raise InputError(f"Order-by expression not valid: no field {_short(name)}; there are {', '.join(COLUMNS)}")
        nulls = "nulls first" if direction.lower() == "asc" else "nulls last"
        written.append(f'"{COLUMNS[name]}" {direction.lower()} {nulls}')
    return written


@dataclass(slots=True)
class _Expression:
    """An expression as SQL, with the parameters of all its conditions."""

    parameters: dict[str, object] = field(default_factory=dict)
    conditions: int = 0

    def of(self, expression: Any, depth: int = 1) -> str:
        """Return an expression as SQL."""
        if depth > DEEPEST:
            raise _invalid(f"it is nested more than {DEEPEST} deep")
        if not isinstance(expression, Mapping) or len(expression) != 1:
            raise _invalid(f"{_short(expression)} is no object with one key, an operator: give one of {_OPERATORS}")
        [(op, told)] = expression.items()
        match str(op).lower():
            case "and" | "or" as join:
                if not isinstance(told, list) or len(told) < 2:
                    raise _invalid(f"{_short(told)} is no list of two or more expressions, which {join!r} needs")
                return "(" + f" {join} ".join(self.of(one, depth + 1) for one in told) + ")"
            case "not":
                return f"(not {self.of(told, depth + 1)})"
            case "in":
                return self._within(*_pair(op, told))
            case sign if sign in COMPARISONS:
                return self._compared(COMPARISONS[sign], *_pair(op, told))
        raise _invalid(f"no operator {_short(op)}; there are {_OPERATORS}")

    def _within(self, name: str, values: object) -> str:
        if not isinstance(values, list) or not values:
            raise _invalid(f"{_short(values)} is no list of one or more values, which 'in' needs for {name}")
        if COLUMNS.get(name) in ("measured_at", "recorded_at"):
            raise _invalid(f"'in' cannot be used with {name}: give <, <=, >, >= or =")
        if name in COLUMNS:
            listed = self._parameter([_value(name, COLUMNS[name], _scalar(name, value)) for value in values])
            return f'case when "{COLUMNS[name]}" is not null then list_contains(${listed}, "{COLUMNS[name]}") end'
        return "(" + " or ".join(self._compared("=", name, value) for value in values) + ")"

    def _compared(self, sign: str, name: str, told: object) -> str:
        self.conditions += 1
        if self.conditions > MOST_CONDITIONS:
            raise _invalid(f"it has more than {MOST_CONDITIONS} conditions")
        value = _scalar(name, told)
        if name.startswith(METADATA):
            return self._metadata(sign, name, value)
        if name not in COLUMNS:
            raise _invalid(f"no field {_short(name)}; there are {', '.join([*COLUMNS, 'metadata.<path>'])}")
        column = COLUMNS[name]
        kind = FIELDS[column].type
        if sign == "=~":
            if kind == INSTANT or column == "volume" or not isinstance(value, str):
                raise _invalid(f"=~ needs a text for a field that is text, which {name}={_short(value)} is not")
            return f'regexp_matches("{column}", ${self._parameter(value)})'
        compared = _value(name, column, value)
        if column == "measured_at" and isinstance(compared, datetime) and sign != "<>":
            # the day says nothing more, but tells which files need be opened
            day = self._parameter(compared.date())
            return f"(measured_at {sign} ${self._parameter(compared)} and date {_OF_DAYS[sign]} ${day})"
        return f'"{column}" {sign} ${self._parameter(compared)}'

    def _metadata(self, sign: str, name: str, value: str | int | float) -> str:
        path = self._parameter(pointer(name.removeprefix(METADATA)))
        text = f"json_extract_string(metadata, ${path})"
        kinds: tuple[str, ...]
        match value:
            case bool():
                kinds, told = ("BOOLEAN",), f"try_cast({text} as boolean)"
            case int() | float():
                whole, decimal = ("BIGINT", "UBIGINT", "HUGEINT"), ("DOUBLE",)
                exact = whole if isinstance(value, int) else decimal
                kinds = exact if sign in ("=", "<>") else whole + decimal
                told, value = f"try_cast({text} as double)", _number(name, value)
            case _:
                kinds, told = ("VARCHAR",), text
        if sign == "=~" and kinds != ("VARCHAR",):
            raise _invalid(f"=~ needs a text, which {_short(value)} for {name} is not")
        parameter = self._parameter(value)
        compared = f"regexp_matches({told}, ${parameter})" if sign == "=~" else f"{told} {sign} ${parameter}"
        listed = ", ".join(f"'{kind}'" for kind in kinds)
        return f"case when json_type(json_extract(metadata, ${path})) in ({listed}) then {compared} end"

    def _parameter(self, value: object) -> str:
        name = f"e{len(self.parameters)}"
        self.parameters[name] = value
        return name


_OPERATORS = ", ".join([*COMPARISONS, "in", "and", "or", "not"])


def _pair(op: object, told: object) -> tuple[str, object]:
    if not isinstance(told, Mapping) or len(told) != 1:
        raise _invalid(f"{_short(told)} is no object with one key, a field, which {op!r} needs")
    [(name, value)] = told.items()
    return str(name), value


def _scalar(name: str, value: object) -> str | int | float:
    if not isinstance(value, str | int | float):
        raise _invalid(
            f"{_short(value)} is no text, number or truth value, which {_short(name)} could be compared with"
        )
    return value


def _value(name: str, column: str, value: str | int | float) -> object:
    """Return a value in the type of a column."""
    if FIELDS[column].type == INSTANT:
        try:
            if not isinstance(value, str):
                raise InputError(f"{value!r} is no text")
            return times.instant(value)
        except InputError as problem:
            raise InputError(f"Failed to parse the timestamp value {_short(value)} of {name}: {problem}") from None
    if isinstance(value, bool):
        raise _invalid(f"{name} cannot be compared with {value!r}: give a text or a number")
    if column != "volume":
        return str(value)
    if isinstance(value, str):
        raise _invalid(f"{name} cannot be compared with the text {_short(value)}: give a number")
    return _number(name, value)


def _number(name: str, value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        raise _invalid(f"no {name} is as large as {_short(value)}") from None


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:99]}…"


def _invalid(why: str) -> InputError:
    return InputError(f"Filter expression not valid: {why}")
