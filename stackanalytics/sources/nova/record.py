"""Nova's records in their columns and types, whoever tells them.

What cannot be understood is refused with where it stands: a usage record that is declared right by
a misread value would be billed.
"""

from collections.abc import Callable, Collection
from datetime import datetime

import polars as pl

from stackanalytics import times
from stackanalytics.errors import InputError
from stackanalytics.schema import NOVA_FIELDS, polars_schema

_SCHEMA = polars_schema(*NOVA_FIELDS)
_FLAGS = {"true": True, "t": True, "false": False, "f": False}
_SHOWN = 5


def records(frame: pl.DataFrame, origin: str, wanted: Collection[str]) -> pl.DataFrame:
    """Return the *wanted* instances of *frame* with nova's columns in their types, in their order.

    Texts may be numbers. Instants may be texts as :func:`stackanalytics.times.parse` reads them,
    or datetimes, where no zone means UTC. Whether an instance is deleted may be a boolean, a
    number (0 is no) or a text. Empty text is null. Rows that say the same count once.

    Raises
    ------
    InputError
        If a column is missing, a value is none of these, or an instance has two different records.
    """
    missing = [name for name in NOVA_FIELDS if name not in frame.columns]
    if missing:
        raise InputError(f"{origin} lacks the columns {', '.join(missing)}. It needs {', '.join(NOVA_FIELDS)}")
    named = frame.with_columns(_typed(frame["instance"], origin))
    _refuse_null(named, "instance", origin)
    asked = named.join(
        pl.DataFrame({"instance": list(wanted)}, schema={"instance": pl.String}), on="instance", how="semi"
    )
    typed = asked.select(_typed(asked[name], origin) for name in NOVA_FIELDS).unique().sort(NOVA_FIELDS)
    _refuse_null(typed, "is_deleted", origin)
    contradicted = typed.filter(pl.col("instance").is_duplicated())["instance"].unique().sort()
    if len(contradicted):
        raise InputError(
            f"{origin} has several different records of {len(contradicted)} instances, such as "
            f"{', '.join(contradicted[:_SHOWN])}. Give one record an instance"
        )
    return typed


def _typed(column: pl.Series, origin: str) -> pl.Series:
    if column.dtype == pl.Null:
        return column.cast(_SCHEMA[column.name])
    if isinstance(column.dtype, pl.Categorical | pl.Enum):
        column = column.cast(pl.String)
    if column.dtype == pl.String:
        column = column.replace("", None)
    if _SCHEMA[column.name] == pl.String:
        return _text(column, origin)
    if _SCHEMA[column.name] == pl.Boolean:
        return _flag(column, origin)
    return _instant(column, origin)


def _text(column: pl.Series, origin: str) -> pl.Series:
    if column.dtype == pl.String or column.dtype.is_integer():
        return column.cast(pl.String)
    raise _wrong_type(column, "text or whole numbers", origin)


def _flag(column: pl.Series, origin: str) -> pl.Series:
    if column.dtype == pl.Boolean:
        return column
    if column.dtype.is_integer():
        return column != 0
    if column.dtype == pl.String:
        return _read(column, pl.Boolean(), _flag_of, "true, false or a number", origin)
    raise _wrong_type(column, "true, false or numbers", origin)


def _flag_of(text: str) -> bool | None:
    return text.strip("0") != "" if text.isdecimal() else _FLAGS.get(text.lower())


def _instant(column: pl.Series, origin: str) -> pl.Series:
    if isinstance(column.dtype, pl.Datetime):
        is_naive = column.dtype.time_zone is None
        aware = column.dt.replace_time_zone("UTC") if is_naive else column.dt.convert_time_zone("UTC")
        return aware.dt.cast_time_unit("us")
    if column.dtype == pl.String:
        return _read(column, _SCHEMA[column.name], times.parse, "a time such as 2026-03-02 08:00:00", origin)
    raise _wrong_type(column, "times", origin)


def _read(
    column: pl.Series,
    type: pl.DataType,
    reading: Callable[[str], datetime | bool | None],
    accepted: str,
    origin: str,
) -> pl.Series:
    texts = column.drop_nulls().unique()
    read = {text: reading(text) for text in texts}
    unread = next((text for text in texts if read[text] is None), None)
    if unread is not None:
        raise InputError(f"{origin} has {unread!r} in the column {column.name}, which is not {accepted}")
    return column.replace_strict(read, return_dtype=type) if read else column.cast(type)


def _refuse_null(frame: pl.DataFrame, name: str, origin: str) -> None:
    if frame[name].null_count():
        raise InputError(f"{origin} has {frame[name].null_count()} rows without {name}, which each needs")


def _wrong_type(column: pl.Series, accepted: str, origin: str) -> InputError:
    return InputError(f"{origin} has {column.dtype} in the column {column.name}; {accepted} are needed")
