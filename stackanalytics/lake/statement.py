"""What may be asked of a lake in SQL: statements that read, and answers that a frame can hold."""

import re
from functools import cache, lru_cache

import duckdb
from duckdb.sqltypes import DuckDBPyType

from stackanalytics.errors import InputError

# several at once is what DuckDB makes of a pivot: the query for its columns, and that for its rows
_READING = {duckdb.StatementType.SELECT, duckdb.StatementType.MULTI}
_EXPLAIN = re.compile(r"\s*explain\b(?:\s+analyze\b)?(?:\s*\([^()]*\))?", re.IGNORECASE)
_KEPT = 512

_WITHOUT_COLUMN = {
    "interval": "epoch(…) makes seconds of it, and a cast to varchar text",
    "union": "a cast to varchar makes text of it",
}


def literal(text: str) -> str:
    """Return a text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return a name, of a column or anything else, as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def check_reads(query: str) -> None:
    """Refuse what is not one statement that reads: anything else could damage the views for all who come after.

    Raises
    ------
    InputError
        If it is none, or one that does more than read, or there are several.
    duckdb.Error
        If it is no SQL.
    """
    kinds = _kinds(query)
    if kinds == (duckdb.StatementType.EXPLAIN,):
        kinds = _kinds(_EXPLAIN.sub("", query, count=1))
    if len(kinds) != 1:
        raise InputError(f"the query {query!r} has {len(kinds)} statements: give one that returns rows")
    if kinds[0] not in _READING:
        raise InputError(f"a query only reads, but {query!r} is of the kind {kinds[0].name}: give a select")


def check_columns(answer: duckdb.DuckDBPyRelation) -> None:
    """Refuse columns of a type that polars has not.

    Raises
    ------
    InputError
        If there are any.
    """
    for name, kind in zip(answer.columns, answer.types, strict=True):
        for unusable in _names(kind) & _WITHOUT_COLUMN.keys():
            raise InputError(f"column {name} is of type {kind}, which a frame cannot hold: {_WITHOUT_COLUMN[unusable]}")


@lru_cache(maxsize=_KEPT)
def _kinds(query: str) -> tuple[duckdb.StatementType, ...]:
    """Return the kinds of the statements in a text. It takes milliseconds, and most texts come again."""
    with _parser().cursor() as cursor:
        return tuple(statement.type for statement in cursor.extract_statements(query))


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def _names(kind: DuckDBPyType) -> set[str]:
    """Return the names of a type and of those within it."""
    if kind.id not in ("list", "array", "struct", "map"):
        return {kind.id}
    inner = [child for _, child in kind.children if isinstance(child, DuckDBPyType)]
    return {kind.id}.union(*(_names(child) for child in inner))
