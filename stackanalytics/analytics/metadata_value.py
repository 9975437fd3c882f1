"""Values of metadata: the paths to them, their types, and how they compare in SQL.

Source: the queries of Ceilometer's API v2, in which values of metadata compare with their type.
"""

import ast
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TypeAlias

from stackanalytics import times
from stackanalytics.errors import InputError

Scalar: TypeAlias = str | int | float | bool | datetime | None

PREFIXES = ("metadata.", "resource_metadata.")
TRUE, FALSE = ("true", "t", "yes", "y", "on", "1"), ("false", "f", "no", "n", "off", "0")

_NUMBERS = "('BIGINT', 'UBIGINT', 'HUGEINT', 'DOUBLE')"
_WHOLE = range(-(2**127), 2**127)


def metadata_path(field: str) -> str | None:
    """Return the path into the metadata that a field is, or None for any other field."""
    return next((field[len(prefix) :] for prefix in PREFIXES if field.startswith(prefix)), None)


def pointer(path: str) -> str:
    """Return a path into metadata, with dots and ``[n]``, as a JSON pointer."""
    keys = re.sub(r"\[(\d+)\]", r".\1", path).replace(":", ".").split(".")
    if not all(keys):
        raise InputError(f"{path!r} is no path into metadata: give names joined by dots, such as metadata.flavor.name")
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)


def typed(text: str, kind: str | None) -> Scalar:
    """Read the value of a metadata field: as *kind* or, where that is None, as what it looks like.

    Raises
    ------
    InputError
        If the text is no value of that kind, or there is no such kind.
    """
    if kind is None:
        return _literal(text)
    if kind not in _TYPES:
        raise InputError(f"The data type {kind} is not supported. The supported data type list is: {[*_TYPES]}")
    try:
        return _TYPES[kind](text)
    except ValueError:
        raise InputError(f"Unable to convert the value {text} to the expected data type {kind}.") from None


def comparison(value: str | float | datetime, sign: str, *, path: str, name: str) -> tuple[str, str, object]:
    """Return how metadata compare with a value of their type.

    Parameters
    ----------
    value
        The value.
    sign
        A sign of SQL or, for a text, ``=~``: the text is a regular expression that is found anywhere.
    path, name
        Names of the parameters that are the path, as a JSON pointer, and the value.

    Returns
    -------
    tuple of str, str and object
        As SQL, whether there are metadata of the type of the value, and whether the comparison holds, which
        counts for these only; and what the parameter of the value is.

    Raises
    ------
    InputError
        If the value is a number that is too large.
    """
    kind, text = f"json_type(json_extract(metadata, ${path}))", f"json_extract_string(metadata, ${path})"
    match value:
        case bool():
            return f"{kind} = 'BOOLEAN'", f"try_cast({text} as boolean) {sign} ${name}", value
        case int() | float():
            return _number_comparison(value, sign, kind, text, name)
        case datetime():
            return f"{kind} = 'VARCHAR'", f"try_cast({text} as timestamptz) {sign} ${name}", times.instant(value)
    holds = f"regexp_matches({text}, ${name})" if sign == "=~" else f"{text} {sign} ${name}"
    return f"{kind} = 'VARCHAR'", holds, value


def shortened(value: object) -> str:
    """Return what a value looks like in Python, at most a hundred characters of it."""
    try:
        text = repr(value)
    except ValueError:  # what Python takes too long to write
        return "a number of thousands of digits"
    return text if len(text) <= 100 else f"{text[:99]}…"


def _number_comparison(value: float, sign: str, kind: str, text: str, name: str) -> tuple[str, str, object]:
    """Compare with numbers; equal are those only that are whole, or are not, likewise."""
    is_whole = f"regexp_full_match({text}, '-?[0-9]+')"  # DuckDB takes large ones for floats
    holds = f"try_cast({text} as double) {sign} ${name}"
    is_comparable = f"{kind} in {_NUMBERS}"
    if sign in ("=", "<>"):
        is_comparable += f" and {'' if isinstance(value, int) else 'not '}{is_whole}"
    if isinstance(value, int) and value in _WHOLE:
        exactly = f"case when {is_whole} then try_cast({text} as hugeint) {sign} ${name} end"
        return is_comparable, f"coalesce({exactly}, {holds})", value
    return is_comparable, holds, _double(value)


def _double(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        raise InputError(f"no number of metadata is as large as {shortened(value)}") from None


def _literal(text: str) -> Scalar:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return text
    return value if value is None or isinstance(value, str | bool | int | float) else text


def _boolean(text: str) -> bool:
    if text.strip().lower() not in TRUE + FALSE:
        raise ValueError(text)
    return text.strip().lower() in TRUE


_TYPES: Mapping[str, Callable[[str], Scalar]] = MappingProxyType(
    {"integer": int, "float": float, "string": str, "boolean": _boolean, "datetime": times.instant}
)
