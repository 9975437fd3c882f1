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
from stackanalytics.analytics.metadata_value import comparison, pointer, shortened
from stackanalytics.analytics.meter_query import FIELD_COLUMNS
from stackanalytics.analytics.sample_page import PAGE_COLUMNS, shown
from stackanalytics.errors import InputError
from stackanalytics.lake import Lake
from stackanalytics.schema import FIELDS, INSTANT

Filter: TypeAlias = Mapping[str, Any]
OrderBy: TypeAlias = Sequence[Mapping[str, str]]

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
    metadata: bool = True,
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
    metadata
        Whether metadata are told, for which notifications are read; else they are null.

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
        select {PAGE_COLUMNS}
        from samples
        where {condition}
        order by {order}
        limit $limit offset $offset
        """,
        {**written.parameters, "limit": limit, "offset": offset},
    )
    return shown(lake, page, metadata=metadata)


def query_sample_count(lake: Lake, *, filter: Filter | None = None) -> int:
    """Return how many samples :func:`query_samples` has without a limit.

    Parameters
    ----------
    lake
        The lake to ask.
    filter
        Only those that it holds for, as there.

    Returns
    -------
    int
        How many.

    Raises
    ------
    InputError
        If the expression cannot be used.

    Source: the samples.
    """
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
    if FIELD_COLUMNS.get(name) != "tenant":
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
                f"Order-by expression not valid: {shortened(entry)}: give {{field: 'asc'}} or {{field: 'desc'}}"
            )
        [(name, direction)] = pairs
        if name not in FIELD_COLUMNS:
            valid = ", ".join(FIELD_COLUMNS)
            raise InputError(f"Order-by expression not valid: no field {shortened(name)}; there are {valid}")
        nulls = "nulls first" if direction.lower() == "asc" else "nulls last"
        written.append(f'"{FIELD_COLUMNS[name]}" {direction.lower()} {nulls}')
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
            raise _invalid(f"{shortened(expression)} is no object with one key, an operator: give one of {_OPERATORS}")
        [(op, told)] = expression.items()
        match str(op).lower():
            case "and" | "or" as join:
                if not isinstance(told, list) or len(told) < 2:
                    raise _invalid(f"{shortened(told)} is no list of two or more expressions, which {join!r} needs")
                return "(" + f" {join} ".join(self.of(one, depth + 1) for one in told) + ")"
            case "not":
                return f"(not {self.of(told, depth + 1)})"
            case "in":
                return self._within(*_pair(op, told))
            case sign if sign in COMPARISONS:
                return self._compared(COMPARISONS[sign], *_pair(op, told))
        raise _invalid(f"no operator {shortened(op)}; there are {_OPERATORS}")

    def _within(self, name: str, values: object) -> str:
        if not isinstance(values, list) or not values:
            raise _invalid(f"{shortened(values)} is no list of one or more values, which 'in' needs for {name}")
        if FIELD_COLUMNS.get(name) in ("measured_at", "recorded_at"):
            raise _invalid(f"'in' cannot be used with {name}: give <, <=, >, >= or =")
        if name in FIELD_COLUMNS:
            column = FIELD_COLUMNS[name]
            listed = self._parameter([_value(name, column, _scalar(name, value)) for value in values])
            return f'case when "{column}" is not null then list_contains(${listed}, "{column}") end'
        return "(" + " or ".join(self._compared("=", name, value) for value in values) + ")"

    def _compared(self, sign: str, name: str, told: object) -> str:
        self.conditions += 1
        if self.conditions > MOST_CONDITIONS:
            raise _invalid(f"it has more than {MOST_CONDITIONS} conditions")
        value = _scalar(name, told)
        if name.startswith(METADATA):
            return self._metadata(sign, name, value)
        if name not in FIELD_COLUMNS:
            raise _invalid(f"no field {shortened(name)}; there are {', '.join([*FIELD_COLUMNS, 'metadata.<path>'])}")
        column = FIELD_COLUMNS[name]
        kind = FIELDS[column].type
        if sign == "=~":
            if kind == INSTANT or column == "volume" or not isinstance(value, str):
                raise _invalid(f"=~ needs a text for a field that is text, which {name}={shortened(value)} is not")
            return f'regexp_matches("{column}", ${self._parameter(value)})'
        compared = _value(name, column, value)
        if column == "measured_at" and isinstance(compared, datetime) and sign != "<>":
            # the day says nothing more, but tells which files need be opened
            day = self._parameter(compared.date())
            return f"(measured_at {sign} ${self._parameter(compared)} and date {_OF_DAYS[sign]} ${day})"
        return f'"{column}" {sign} ${self._parameter(compared)}'

    def _metadata(self, sign: str, name: str, value: str | int | float) -> str:
        if sign == "=~" and not isinstance(value, str):
            raise _invalid(f"=~ needs a text, which {shortened(value)} for {name} is not")
        path, parameter = self._parameter(pointer(name.removeprefix(METADATA))), self._parameter(value)
        try:
            is_comparable, holds, self.parameters[parameter] = comparison(value, sign, path=path, name=parameter)
        except InputError as problem:
            raise _invalid(f"{name}: {problem}") from None
        return f"case when {is_comparable} then {holds} end"

    def _parameter(self, value: object) -> str:
        name = f"e{len(self.parameters)}"
        self.parameters[name] = value
        return name


_OPERATORS = ", ".join([*COMPARISONS, "in", "and", "or", "not"])


def _pair(op: object, told: object) -> tuple[str, object]:
    if not isinstance(told, Mapping) or len(told) != 1:
        raise _invalid(f"{shortened(told)} is no object with one key, a field, which {op!r} needs")
    [(name, value)] = told.items()
    return str(name), value


def _scalar(name: str, value: object) -> str | int | float:
    if not isinstance(value, str | int | float):
        raise _invalid(
            f"{shortened(value)} is no text, number or truth value, which {shortened(name)} could be compared with"
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
            raise InputError(f"Failed to parse the timestamp value {shortened(value)} of {name}: {problem}") from None
    if isinstance(value, bool):
        raise _invalid(f"{name} cannot be compared with {value!r}: give a text or a number")
    if column != "volume":
        return str(value)
    if isinstance(value, str):
        raise _invalid(f"{name} cannot be compared with the text {shortened(value)}: give a number")
    return _number(name, value)


def _number(name: str, value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        raise _invalid(f"no {name} is as large as {shortened(value)}") from None


def _invalid(why: str) -> InputError:
    return InputError(f"Filter expression not valid: {why}")
