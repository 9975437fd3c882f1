"""Tables on pages."""

from datetime import UTC, datetime

import panel as pn
import param
import polars as pl

from dashboards.table import Column, frame_table, places

COLUMNS = (
    Column("operation", "Operation"),
    Column("count", "Finished", "count"),
    Column("median_s", "Median", "duration"),
    Column("first_at", "First (UTC)", "moment"),
    Column("instance", "Instance", "link", link="events?instance="),
)
FRAME = pl.DataFrame(
    {
        "operation": ["create", None],
        "count": [1234, 0],
        "median_s": [83.0, None],
        "first_at": [datetime(2026, 3, 2, 10, 0, 0, 500_000, tzinfo=UTC), None],
        "instance": ["i-1", None],
        "other": [1, 2],
    }
)


def test_values_are_shown_in_their_form() -> None:
    """Numbers stay numbers, so that they sort as such, with their words beside; what is null is a dash or empty."""
    value = frame_table(COLUMNS, FRAME).value

    assert value["operation"].to_list() == ["create", "–"]
    assert value["count"].to_list() == [1234, 0]
    assert value["median_s"][0] == 83.0
    assert value["median_s_said"].to_list() == ["1 min 23 s", "–"]
    assert value["first_at"].to_list() == ["2026-03-02 10:00:00.500", "–"]
    assert value["instance"].to_list() == ["i-1", ""]
    assert "other" not in value


def test_headers_are_aligned_with_their_columns() -> None:
    """Numbers and their headers stand on the right, everything else on the left; words of durations are no column."""
    table = frame_table(COLUMNS, FRAME)

    assert table.text_align == table.header_align
    assert [field for field, side in table.text_align.items() if side == "right"] == ["count", "median_s"]
    assert table.hidden_columns == ["median_s_said"]


def test_a_table_follows_its_frame() -> None:
    """A table of a value that changes has its rows; while there are none it has all columns."""

    class State(param.Parameterized):
        frame = param.Parameter()

    state = State()
    table = frame_table(COLUMNS, pn.bind(lambda frame: frame, state.param.frame))
    assert table.value.empty
    assert {column.field for column in COLUMNS} <= set(table.value.columns)

    state.frame = FRAME
    assert table.value["operation"].to_list() == ["create", "–"]


def test_templates_escape_what_services_send() -> None:
    """No value reaches the page as markup: templates use the escaping form only."""
    templates = [
        formatter.template
        for formatter in frame_table(COLUMNS, FRAME).formatters.values()
        if hasattr(formatter, "template")
    ]

    assert len(templates) == 4
    assert all("<%=" not in template and "<%-" in template for template in templates)


def test_places_are_the_rows_with_a_value() -> None:
    """A row is found by what a field of it holds; a value that is nowhere has no place."""
    assert places(FRAME, "operation", "create") == [0]
    assert places(FRAME, "operation", "delete") == []
