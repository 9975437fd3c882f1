"""SQL reads a lake and leaves it as it is; what it cannot answer is an error that says what would work."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stackanalytics import Lake
from stackanalytics.errors import DataError, InputError
from stackanalytics.testing import lake_of, notification


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    """A lake of two messages."""
    with lake_of(tmp_path, [notification(f"compute.instance.{name}", "2026-03-02") for name in ("a", "b")]) as opened:
        yield opened


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("select * from events", 2),
        ("from events;", 2),
        ("/* which? */ with found as (from events) select id from found -- these", 2),
        ("values (1), (2), (3)", 3),
        ("describe select 1 as x", 1),
        ("pivot events on event_type using count(*) group by exchange", 1),
        ("with found as (from events) select * from (pivot found on event_type using count(*) group by exchange)", 1),
        ("explain select * from events", 1),
        ("explain analyze (format json) select * from events", 1),
    ],
)
def test_statements_that_read_are_answered(lake: Lake, query: str, rows: int) -> None:
    """Every statement that reads is answered, in whatever words."""
    assert lake.sql(query).height == rows


@pytest.mark.parametrize(
    "query",
    [
        "drop view events",
        "create or replace view events as select 1",
        "create temp view events as select 1",
        "set global TimeZone = 'Asia/Kathmandu'",
        "attach ':memory:' as other",
        "use memory",
        "copy (select 1) to '/dev/null'",
        "begin",
        "pragma disable_optimizer",
        "call pragma_version()",
        "prepare question as select 1",
        "explain analyze drop view events",
        "EXPLAIN  ANALYZE (format json) drop view events",
        "select 1; drop view events",
        "explain select 1; drop view events",
        "",
        "-- nothing",
    ],
)
def test_statements_that_do_more_are_refused(lake: Lake, query: str) -> None:
    """What is not one statement that reads is refused before it does anything."""
    before = lake.sql("select * from events order by id")

    with pytest.raises(InputError, match=r"give (a select|one that returns rows)"):
        lake.sql(query)

    assert lake.sql("select * from events order by id").equals(before)
    assert lake.sql("select current_setting('TimeZone')").item() == "UTC"


def test_an_explanation_that_cannot_be_understood_is_refused(lake: Lake) -> None:
    """A comment within ``explain`` hides what it explains, so it is not answered, nor carried out."""
    with pytest.raises(InputError):
        lake.sql("explain /* */ analyze drop view events")

    assert lake.sql("from events").height == 2


def test_no_sql_is_an_input_error(lake: Lake) -> None:
    """A text that is no SQL is refused with what DuckDB says of it."""
    with pytest.raises(InputError, match="syntax error"):
        lake.sql("what happened?")


@pytest.mark.parametrize(
    ("value", "type"),
    [
        ("max(generated_at) - min(generated_at)", "INTERVAL"),
        ("[interval 1 day]", r"INTERVAL\[\]"),
        ("{'a': [map {'b': interval 1 day}]}", "STRUCT"),
        ("union_value(a := 1)", "UNION"),
    ],
)
def test_columns_that_no_frame_holds_are_named(lake: Lake, value: str, type: str) -> None:
    """A column of a type that polars has not, wherever it is nested, is refused with what would work."""
    with pytest.raises(InputError, match=rf"column taken is of type {type}.*cast to varchar"):
        lake.sql(f"select {value} as taken from events")


def test_too_little_memory_is_said_so(lake: Lake) -> None:
    """A query that needs more memory than there is says so, and what would help; the lake answers on."""
    lake._engine.execute("set global memory_limit = '30MB'")
    lake._engine.execute("set global temp_directory = ''")

    with pytest.raises(DataError, match=r"more memory.*Ask for fewer"):
        lake.sql("select list(number) from range(10_000_000) as numbers(number)")

    assert lake.sql("select count(*) from events").item() == 2
