"""Conditions on samples: what fields must be, as values, as text, and as SQL.

Source: the simple query of Ceilometer's API v2.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TypeAlias

from stackanalytics import times
from stackanalytics.analytics.metadata_value import Scalar, comparison, metadata_path, pointer, shortened, typed
from stackanalytics.errors import InputError

OPERATORS: Mapping[str, str] = MappingProxyType({"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="})
# every field of a sample by all of its names, and those names that conditions can be on
FIELD_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("meter", "counter_name"), "meter"),
        **dict.fromkeys(("type", "meter_type", "counter_type"), "meter_type"),
        **dict.fromkeys(("unit", "counter_unit"), "unit"),
        **dict.fromkeys(("volume", "counter_volume"), "volume"),
        **dict.fromkeys(("resource", "resource_id"), "resource"),
        **dict.fromkeys(("project", "project_id", "tenant"), "tenant"),
        **dict.fromkeys(("user", "user_id"), "user"),
        "source": "source",
        **dict.fromkeys(("timestamp", "measured_at"), "measured_at"),
        "recorded_at": "recorded_at",
        **dict.fromkeys(("message_id", "sample_id"), "sample_id"),
    }
)
QUERY_FIELDS = tuple(
    name for name, column in FIELD_COLUMNS.items() if column not in ("meter_type", "unit", "recorded_at")
)
OFFSET = "search_offset"

_SIGNS = {"=": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
_TERM = re.compile(
    r"\s*([^<>=!]+?)\s*(<=|>=|!=|<|>|=)\s*(?:(integer|float|string|boolean|datetime)::)?(.*?)\s*", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Condition:
    """What a field of samples must be.

    ``field`` is ``resource``, ``project``, ``user`` (each also with ``_id``), ``source``, ``meter``,
    ``message_id`` (of the sample), ``timestamp``, ``volume``, ``search_offset`` or a path into the metadata, such
    as ``metadata.flavor.name`` or ``metadata.tags[0]``. ``op`` is ``eq``, ``ne``, ``lt``, ``le``, ``gt`` or ``ge``:
    the first for any field, those of an order for timestamps, all for volumes and metadata.

    Values of metadata compare with their type: the number 5 is neither the text ``"5"`` nor 5.0. None
    equals what is not known, and has no order.
    """

    field: str
    op: str
    value: Scalar


Query: TypeAlias = str | Sequence[Condition] | None


@dataclass(frozen=True, slots=True)
class Criteria:
    """Conditions as SQL with its parameters, and the bounds of time among them.

    ``start`` and ``end`` are the bounds as given; samples are looked for ``offset`` further on both sides.
    """

    sql: str
    parameters: Mapping[str, object]
    start: datetime | None
    end: datetime | None
    offset: timedelta
    meter: str | None

    @property
    def origin(self) -> datetime | None:
        """Where periods begin: at the lower bound, if there is one."""
        return None if self.start is None else self.start - self.offset

    @property
    def until(self) -> datetime | None:
        """Up to where samples are looked for, if there is an upper bound."""
        return None if self.end is None else self.end + self.offset


def conditions(query: Query) -> list[Condition]:
    """Return a query as conditions; text is ``field<op>[type::]value;…``, as in ``ceilometer -q``."""
    if query is None:
        return []
    return _read(query) if isinstance(query, str) else list(query)


def criteria(query: Query, *, fields: Sequence[str] = QUERY_FIELDS) -> Criteria:
    """Return a query as SQL over the columns of samples.

    Parameters
    ----------
    query
        Conditions, all of which must hold. Of several that ask for equality of the same field, or
        for the same bound of time, the last one counts.
    fields
        The fields that can be asked, beside metadata.

    Raises
    ------
    InputError
        If a field, an operator or a value cannot be used.
    """
    asked = conditions(query)
    for condition in asked:
        _check(condition, fields)
    simple = {_key(condition): condition for condition in asked}
    start, end = simple.pop("lower", None), simple.pop("upper", None)
    offset = _offset(simple.pop(OFFSET, None), has_bound=bool(start or end))
    written, parameters = ["true"], dict[str, object]()
    for number, condition in enumerate(simple.values()):
        text, values = _sql(condition, f"q{number}")
        written.append(text)
        parameters |= values
    lower, upper = _instant(start), _instant(end)
    for name, bound, given, moved in (("start", lower, start, -offset), ("end", upper, end, offset)):
        if bound is not None and given is not None:
            sign = OPERATORS[given.op]
            written.append(f"measured_at {sign} $q_{name} and date {sign[0]}= $q_{name}_day")
            moment = _shifted(bound, moved)
            parameters |= {f"q_{name}": moment, f"q_{name}_day": moment.date()}
    meter = str(simple["meter"].value or "") if "meter" in simple else ""
    return Criteria(" and ".join(written), parameters, lower, upper, offset, meter or None)


def _read(text: str) -> list[Condition]:
    found = []
    for term in filter(str.strip, text.split(";")):
        matched = _TERM.fullmatch(term)
        if matched is None:
            raise InputError(f"{term!r} is no condition: give field=value, or another of {' '.join(_SIGNS)}")
        field, sign, kind, value = matched.groups()
        is_metadata = metadata_path(field) is not None
        found.append(Condition(field, _SIGNS[sign], typed(value, kind) if is_metadata else value))
    return found


def _check(condition: Condition, fields: Sequence[str]) -> None:
    field, op = condition.field, condition.op
    if metadata_path(field) is None and field not in fields and not (field == OFFSET and "timestamp" in fields):
        valid = sorted({*fields, "metadata.<path>"})
        raise InputError(f'Unknown argument: "{field}": unrecognized field in query, valid keys: {valid}')
    possible = _operators(field, condition.value)
    if op not in possible:
        what = f"{field}=None" if condition.value is None else field
        raise InputError(
            f"Invalid input for field/attribute op. Value: '{op}'. unimplemented operator for {what}: "
            f"give one of {list(possible)}"
        )


def _operators(field: str, value: Scalar) -> tuple[str, ...]:
    if metadata_path(field) is not None and value is None:
        return ("eq", "ne")
    if metadata_path(field) is not None or FIELD_COLUMNS.get(field) == "volume":
        return tuple(OPERATORS)
    return ("lt", "le", "gt", "ge") if FIELD_COLUMNS.get(field) == "measured_at" else ("eq",)


def _key(condition: Condition) -> object:
    """Return what only the last of several conditions of an equal key counts for."""
    column = FIELD_COLUMNS.get(condition.field, condition.field)
    if column == "measured_at":
        return "lower" if condition.op in ("gt", "ge") else "upper"
    return column if condition.op == "eq" else (column, condition.op, type(condition.value), condition.value)


def _instant(condition: Condition | None) -> datetime | None:
    if condition is None:
        return None
    value = condition.value
    if isinstance(value, str) and re.fullmatch(r"\s*\d{4}\s*", value):
        value = f"{value.strip()}-01-01"
    try:
        if not isinstance(value, str | datetime):
            raise InputError(f"{value!r} is no text")
        return times.instant(value)
    except InputError as problem:
        raise InputError(
            f"Invalid input for field/attribute timestamp. Value: '{value}'. invalid timestamp format: {problem}"
        ) from None


def _offset(condition: Condition | None, *, has_bound: bool) -> timedelta:
    if condition is None:
        return timedelta()
    if not has_bound:
        raise InputError(
            "Invalid input for field/attribute field. Value: 'search_offset'. "
            "search_offset cannot be used without timestamp"
        )
    try:
        return timedelta(minutes=int(str(condition.value)))
    except (ValueError, OverflowError):
        raise InputError(f"search_offset={condition.value} is no whole number of minutes") from None


def _shifted(moment: datetime, offset: timedelta) -> datetime:
    try:
        return moment + offset
    except OverflowError:
        raise InputError(f"{moment} and a search_offset of {offset} make no date") from None


def _sql(condition: Condition, name: str) -> tuple[str, dict[str, object]]:
    path = metadata_path(condition.field)
    if path is not None:
        return _metadata_sql(condition, path, name)
    column, value = FIELD_COLUMNS[condition.field], condition.value
    sign = OPERATORS[condition.op]
    if column == "volume":
        return f"volume {sign} ${name}", {name: _number(value)}
    if value == "":
        return "true", {}
    if value is None or (value == "None" and column in ("tenant", "user")):
        return f'"{column}" is null', {}
    return f'"{column}" = ${name}', {name: str(value)}


def _number(value: Scalar) -> float:
    try:
        number = float(str(value))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"volume={shortened(value)} is no number")
    return number


def _metadata_sql(condition: Condition, path: str, name: str) -> tuple[str, dict[str, object]]:
    value, path_name = condition.value, f"{name}_path"
    parameters: dict[str, object] = {path_name: pointer(path)}
    if value is None:
        is_not = "" if condition.op == "eq" else "not"
        return f"{is_not} (coalesce(json_extract_string(metadata, ${path_name}), '') = '')", parameters
    is_comparable, holds, parameters[name] = comparison(value, OPERATORS[condition.op], path=path_name, name=name)
    return f"({is_comparable} and {holds})", parameters
