"""What JSON surfaces share: how values are written, and how parameters are read.

Parameters are texts by name, as they stand in a query string. A parameter that is given without
a value is as if it were not given.
"""

import io
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from http import HTTPStatus
from types import MappingProxyType
from typing import TypeAlias

import polars as pl
import pyarrow.feather as feather
import pyarrow.parquet as pq

from stackanalytics import times
from stackanalytics.errors import InputError
from stackanalytics.schema import described
from stackanalytics.surfaces.description import TEXT, Schema, row_schema

Parameters: TypeAlias = Mapping[str, str]
Row: TypeAlias = Sequence[object]
Table: TypeAlias = list[Row]

ERROR_TABLE: Schema = MappingProxyType(
    {
        **row_schema({"const": ["Error", "Message"]}, row_schema(TEXT, TEXT)),
        "title": "Error table",
        "description": "an error as stacky reads it: what is wrong in the words of HTTP, and a message",
    }
)

DEFAULT_LIMIT = 50
HIGHEST_LIMIT = 1000

# what a client may ask for: a day can be added to and taken from each of these years
YEARS = range(2, 9999)

FRAME_FORMATS: Mapping[str, Callable[[pl.DataFrame, io.BytesIO], object]] = MappingProxyType(
    {
        "parquet": lambda frame, out: pq.write_table(described(frame), out, compression="zstd"),
        "csv": lambda frame, out: frame.write_csv(out),
        "arrow": lambda frame, out: feather.write_feather(described(frame), out, compression="uncompressed"),
        "jsonl": lambda frame, out: frame.write_ndjson(out),
    }
)

HIGHEST_NUMBER = 2**53
_WHOLE = re.compile(r"([+-]?)0*(\d+)", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
UUID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def json_text(value: object) -> bytes:
    """Write *value* as JSON: in ASCII, with Python's separators, NaN and infinities as null.

    Instants are written as in :func:`stackanalytics.times.show`, days as YYYY-MM-DD.
    """
    try:
        return json.dumps(value, allow_nan=False, default=_plain).encode()
    except ValueError:
        return json.dumps(_finite(value), allow_nan=False, default=_plain).encode()


def _plain(value: object) -> object:
    match value:
        case datetime():
            return times.show(value)
        case date():
            return value.isoformat()
        case _:
            raise TypeError(f"{type(value).__name__} has no form in JSON")


def _finite(value: object) -> object:
    match value:
        case float() if not math.isfinite(value):
            return None
        case Mapping():
            return {name: _finite(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_finite(inner) for inner in value]
        case _:
            return value


def frame_bytes(frame: pl.DataFrame, form: str) -> bytes:
    """Write a frame in one of the formats :data:`FRAME_FORMATS`.

    Raises
    ------
    InputError
        If CSV is wanted of a frame with lists.
    """
    nested = [name for name, kind in frame.schema.items() if kind.is_nested()]
    if form == "csv" and nested:
        raise InputError(f"{', '.join(nested)} hold lists, which CSV cannot: choose another format")
    written = io.BytesIO()
    FRAME_FORMATS[form](frame, written)
    return written.getvalue()


def table(headers: Row, rows: Iterable[Row] = ()) -> Table:
    """Return a table as stacky reads it: the headers are its first row."""
    return [headers, *rows]


def error_table(status: HTTPStatus, message: str) -> Table:
    """Return an error as stacky reads it."""
    return table(["Error", "Message"], [[status.phrase, message]])


def when(column: str) -> pl.Expr:
    """Write a column of instants as :func:`stackanalytics.times.show` does."""
    return pl.col(column).dt.strftime("%Y-%m-%d %H:%M:%S%.6f").str.strip_suffix(".000000")


def unixtime(moment: datetime) -> float:
    """Return an instant as seconds since 1970 with their fraction."""
    return times.unix_us(moment) / 1_000_000


def microseconds(seconds: float) -> int:
    """Return seconds as whole microseconds, which is what durations are made of."""
    return round(seconds * 1_000_000)


def duration(duration_us: int) -> str:
    """Write a duration of microseconds as StackTach does: ``0d 00:00:55.50``, cut to two digits.

    A ``-`` leads a negative one.
    """
    seconds, rest = divmod(abs(duration_us), 1_000_000)
    return f"{_sign(duration_us)}{_clock(seconds)}.{rest // 10_000:02}"


def whole_duration(duration_us: int) -> str:
    """Write a duration of microseconds likewise, cut to whole seconds: ``0d 00:00:55``."""
    return _sign(duration_us) + _clock(abs(duration_us) // 1_000_000)


def short_duration(seconds: float) -> str:
    """Write a duration as StackTach's reports do: ``55s``, ``3:44s``, ``01:00:05``, cut to whole seconds."""
    minutes, second = divmod(int(abs(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    below_an_hour = f"{minute}:{second:02}s" if minute else f"{second}s"
    text = f"{hours:02}:{minute:02}:{second:02}" if hours else below_an_hour
    return f"-{text}" if seconds <= -1 else text


def _sign(duration_us: int) -> str:
    return "-" if duration_us < 0 else ""


def _clock(seconds: int) -> str:
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    day, hour = divmod(hours, 24)
    return f"{day}d {hour:02}:{minute:02}:{second:02}"


def given(parameters: Parameters, name: str) -> str | None:
    """Return what a parameter says, None where it is not given."""
    return parameters.get(name) or None


def required(parameters: Parameters, name: str) -> str:
    """Return what a parameter says that cannot be left out."""
    value = given(parameters, name)
    if value is None:
        raise InputError(f"the parameter {name!r} is missing: add {name}=…")
    return value


def number(value: str) -> int | None:
    """Read the number of a record, None where it is none that a lake can hold."""
    found = _WHOLE.fullmatch(value)
    if found is None or found[1] or len(found[2]) > len(str(HIGHEST_NUMBER)):
        return None
    read = int(found[2])
    return read if read <= HIGHEST_NUMBER else None


def count(parameters: Parameters, name: str) -> int | None:
    """Read a parameter that is 0, 1, 2 …; None where it is not given."""
    value = given(parameters, name)
    if value is None:
        return None
    found = _WHOLE.fullmatch(value.strip())
    if found is None or (found[1] == "-" and found[2] != "0"):
        raise InputError(f"{name}={value} is not a count: give a whole number that is not negative")
    return int(found[2]) if len(found[2]) < len(str(HIGHEST_NUMBER)) else HIGHEST_NUMBER


def page(
    parameters: Parameters, *, default: int | None = DEFAULT_LIMIT, highest: int | None = HIGHEST_LIMIT
) -> tuple[int | None, int]:
    """Read ``limit`` and ``offset``.

    Parameters
    ----------
    parameters
        All parameters.
    default
        The limit where none is given; None for no limit.
    highest
        What a higher limit is cut to; None for nothing.
    """
    limit = count(parameters, "limit")
    if limit is None:
        limit = default
    elif highest is not None:
        limit = min(limit, highest)
    return limit, count(parameters, "offset") or 0


def at_or_after(parameters: Parameters, name: str) -> datetime | None:
    """Read a parameter in unix seconds as the first microsecond that is not before it."""
    said = _unix_us(parameters, name)
    return None if said is None else _instant(name, math.ceil(said))


def after(parameters: Parameters, name: str) -> datetime | None:
    """Read a parameter in unix seconds as the first microsecond after it.

    Being the end of a half-open range, that includes the instant itself.
    """
    said = _unix_us(parameters, name)
    return None if said is None else _instant(name, math.floor(said) + 1)


def is_unixtime(value: str) -> bool:
    """Tell whether a text is a number of seconds, rather than a date."""
    return _DECIMAL.fullmatch(value.strip()) is not None


def from_unixtime(name: str, value: str) -> datetime:
    """Read unix seconds as an instant, cut to microseconds."""
    return _instant(name, math.floor(_microseconds(name, value)))


def _unix_us(parameters: Parameters, name: str) -> Decimal | None:
    value = given(parameters, name)
    return None if value is None else _microseconds(name, value)


def _microseconds(name: str, value: str) -> Decimal:
    if not is_unixtime(value):
        raise InputError(f"{name}={value} is not a time: give seconds since 1970, such as 1389892207.5")
    return Decimal(value.strip()).scaleb(6)


def _instant(name: str, unix_us: int) -> datetime:
    outside = InputError(f"{name} is outside the years {YEARS[0]} to {YEARS[-1]}: give seconds since 1970")
    try:
        moment = times.from_unix_us(unix_us)
    except OverflowError:
        raise outside from None
    if moment.year not in YEARS:
        raise outside
    return moment


def uuid_like(value: str) -> str:
    """Return *value* if it is a uuid in lower case, with its dashes or without any."""
    if not UUID.fullmatch(value):
        raise InputError(f"{value} is not uuid-like")
    return value


def request_id_like(value: str) -> str:
    """Return *value* if it is a uuid as in :func:`uuid_like`, which ``req-`` may lead."""
    if not UUID.fullmatch(value.removeprefix("req-")):
        raise InputError(f"{value} is not request-id-like")
    return value
