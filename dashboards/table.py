"""Tables on a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias

import panel as pn
import polars as pl
from bokeh.models.widgets.tables import CellFormatter, HTMLTemplateFormatter, NumberFormatter

from dashboards.theme import following
from dashboards.wording import NOTHING, amount_script, duration
from stackanalytics.schema import polars_schema

MOST_ROWS = 12.5  # half a row, so that it shows that there are more
HEADER_HEIGHT, ROW_HEIGHT = 43, 36

_MOMENT = "%Y-%m-%d %H:%M:%S%.3f"
_STYLE = """
.tabulator .tabulator-header, .tabulator .tabulator-tableholder { font-size: 0.875rem; }
.tabulator a { color: var(--mui-palette-primary-main); }
.tabulator .tabulator-selected :is(a, .error) { color: inherit; }
.tabulator .tabulator-col-title { padding-right: 0 !important; }
.tabulator .tabulator-col-sorter { position: absolute; right: -4px; top: 50%; }
.tabulator [aria-sort="none"]:not(:hover) .tabulator-col-sorter { visibility: hidden; }
.error { color: var(--mui-palette-error-main); font-weight: 500; }
"""

Form: TypeAlias = Literal["text", "count", "number", "volume", "share", "duration", "moment", "link", "error"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table on a page: the field it shows, its title, and the form of its values.

    ``link`` is the address that a value leads to, without the value.
    """

    field: str
    title: str
    form: Form = "text"
    link: str = ""
    width: int | None = None


def _rows(columns: Sequence[Column], frame: pl.DataFrame | None) -> Any:
    if frame is None:
        frame = pl.DataFrame(schema=polars_schema(*(column.field for column in columns)))
    said = [_durations(column, frame) for column in columns if column.form == "duration"]
    return frame.select(*map(_cells, columns), *said).to_pandas()


def _durations(column: Column, frame: pl.DataFrame) -> pl.Series:
    return pl.Series(_said(column), map(duration, frame[column.field]), pl.String)


def _cells(column: Column) -> pl.Expr:
    cells = pl.col(column.field)
    match column.form:
        case "moment":
            return cells.dt.strftime(_MOMENT).fill_null(NOTHING)
        case "text":
            return cells.cast(pl.String).fill_null(NOTHING)
        case "link":
            return cells.fill_null("")
        case _:
            return cells


def _said(column: Column) -> str:
    return f"{column.field}_said"


def frame_table(
    columns: Sequence[Column], frame: Any, *, hidden: Any = (), narrowest: int = 100, **options: Any
) -> pn.widgets.Tabulator:
    """Return a table of a frame.

    The frame, and the names of columns that are *hidden*, may be values that follow something.
    No column is narrower than its width or, without one, than *narrowest* [px]; a table that is too long or too wide
    is scrolled.
    """
    said = [_said(column) for column in columns if column.form == "duration"]
    return pn.widgets.Tabulator(  # type: ignore[no-untyped-call]  # Panel has types in part
        value=following(partial(_rows, columns), frame),
        titles={column.field: column.title for column in columns},
        formatters={column.field: _formatter(column) for column in columns},
        header_align={column.field: _align(column) for column in columns},
        text_align={column.field: _align(column) for column in columns},
        hidden_columns=following(lambda names: [*said, *names], hidden),
        height=following(_height, frame),
        widths={column.field: column.width for column in columns if column.width},
        configuration={
            "columnDefaults": {"headerWordWrap": True},
            "columns": [{"field": column.field, "minWidth": column.width or narrowest} for column in columns],
        },
        layout="fit_columns",
        show_index=False,
        disabled=True,
        sizing_mode="stretch_width",
        margin=0,
        stylesheets=[_STYLE],
        **options,
    )


def _height(frame: pl.DataFrame | None) -> int:
    return HEADER_HEIGHT + round(ROW_HEIGHT * min(MOST_ROWS, 1 if frame is None else frame.height))


def select_rows(table: pn.widgets.Tabulator, places: Any) -> None:
    """Mark the rows of a table at places that follow something."""

    # not bound when the table is made: it takes its rows first, and then a selection among them
    def mark(selection: list[int]) -> None:
        table.selection = selection

    mark(places())
    pn.bind(mark, places, watch=True)


def places(frame: pl.DataFrame, field: str, value: object) -> list[int]:
    """Return in which rows a field has a value."""
    return frame.with_row_index().filter(pl.col(field) == value)["index"].to_list()


def _align(column: Column) -> str:
    return "right" if column.form in ("count", "number", "volume", "share", "duration") else "left"


def _formatter(column: Column) -> CellFormatter:
    match column.form:
        case "count":
            return NumberFormatter(format="0,0", nan_format=NOTHING)
        case "number":
            return NumberFormatter(format="0,0.00", nan_format=NOTHING)
        case "volume":
            said = f'<span title="<%- value %>"><%- {amount_script("value")} %></span>'
            return HTMLTemplateFormatter(
                template=f"<% if (Number.isFinite(value)) {{ %>{said}<% }} else {{ %>{NOTHING}<% }} %>"
            )
        case "share":
            return NumberFormatter(format="0.0 %", nan_format=NOTHING)
        case "duration":
            return HTMLTemplateFormatter(template=f'<span title="<%- value %> s"><%- {_said(column)} %></span>')
        case "error":
            return HTMLTemplateFormatter(template='<% if (value) { %><span class="error">error</span><% } %>')
        case "link":
            address = f"{column.link}<%- encodeURIComponent(value) %>"
            return HTMLTemplateFormatter(
                template=f'<% if (value) {{ %><a href="{address}"><%- value %></a><% }} else {{ %>{NOTHING}<% }} %>'
            )
        case _:
            return HTMLTemplateFormatter(template='<span title="<%- value %>"><%- value %></span>')
