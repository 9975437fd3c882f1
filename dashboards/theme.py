"""How every page looks: its colours, the parts that it is made of, and the frame around them."""

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from io import BytesIO
from typing import Any

import panel as pn
import panel_material_ui as pmui
from bokeh.util.warnings import BokehUserWarning
from panel_material_ui.base import BASE_TEMPLATE

PRIMARY = "#1d5fa8"
BARS = "#4a8ad4"
CATEGORIES = ["#4a8ad4", "#e08a3c", "#5fae73", "#c8577a", "#8d7cc9", "#b59f3b", "#4fb0b5", "#9a9a9a"]

_DARK_BAR = {"backgroundColor": "#17293d", "backgroundImage": "none", "color": "white"}
_THEME = {
    "light": {"palette": {"primary": {"main": PRIMARY}}},
    "dark": {
        "palette": {"primary": {"main": "#7fb3ea"}},
        "components": {"MuiAppBar": {"styleOverrides": {"root": _DARK_BAR}}},
    },
}
_COOKIE = "; path=/; max-age=31536000; samesite=lax"
# What Panel leaves out: to begin light or dark as the visitor's system is, and to go back to a former view
_DOCUMENT = BASE_TEMPLATE.environment.from_string(
    """{% extends base_page %}
{% block title %}{{ meta.title }}{% endblock %}
{% block preamble %}{{ super() }}
<script>
  if (!document.cookie.includes("theme=")) {
    const isDark = matchMedia("(prefers-color-scheme: dark)").matches
    document.cookie = `theme=${isDark ? "dark" : "default"}{{ cookie }}`
    if (isDark && document.cookie.includes("theme=")) location.reload()
  }
  addEventListener("popstate", () => location.reload())
</script>
{% endblock %}""",
    globals={"base_page": BASE_TEMPLATE, "cookie": _COOKIE},
)
_OTHER = {"minWidth": 0}
_CURRENT = {**_OTHER, "textDecoration": "underline", "textUnderlineOffset": "6px"}
_NAVIGATION = (
    ("Overview", "./"),
    ("Timings", "timings"),
    ("Events", "events"),
    ("Verification", "verification"),
    ("Reports", "reports"),
    ("Meters", "metering"),
)
THREADS = 4

_HEADING_STYLE = """
h1, h2 { margin: 0; font-weight: 500; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; padding-bottom: 12px; }
h2 { font-size: 1.1rem; }
"""
_FIGURES_STYLE = """
dl { display: flex; flex-wrap: wrap; gap: 8px 40px; margin: 0; }
dt { font-size: 0.8rem; opacity: 0.7; }
dd { font-size: 1.4rem; margin: 0; font-variant-numeric: tabular-nums; }
"""
_DETAILS_STYLE = """
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 350px), 1fr));
     gap: 8px 24px; margin: 0; }
dt { font-size: 0.8rem; opacity: 0.7; }
dd { font-size: 0.875rem; margin: 0; overflow-wrap: anywhere; }
"""
_LINKS_STYLE = """
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 420px), 1fr));
     gap: 10px 24px; margin: 0; }
dt { font-family: ui-monospace, monospace; font-size: 0.85rem; }
dd { font-size: 0.85rem; margin: 0; opacity: 0.7; }
a { color: var(--mui-palette-primary-main); }
"""
_CARDS_STYLE = """
nav { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr));
      gap: 16px; margin: 0 0 20px; }
a { display: block; padding: 16px; border: 1px solid var(--mui-palette-divider); border-radius: 4px;
    text-decoration: none; color: inherit; }
a:hover, a:focus-visible { border-color: var(--mui-palette-primary-main); }
b { display: block; font-size: 1.1rem; font-weight: 500; color: var(--mui-palette-primary-main); }
span { font-size: 0.9rem; opacity: 0.8; }
"""
_LINK_LINE_STYLE = """
nav { display: flex; flex-wrap: wrap; gap: 6px 16px; font-size: 0.875rem; }
span { opacity: 0.7; }
a { color: var(--mui-palette-primary-main); }
"""
_LEGEND_STYLE = """
ul { display: flex; flex-wrap: wrap; gap: 4px 20px; margin: 0; padding: 0; list-style: none; font-size: 0.85rem; }
li { overflow-wrap: anywhere; }
i { display: inline-block; width: 14px; height: 4px; border-radius: 2px; margin-right: 8px; vertical-align: middle; }
"""
_PARAGRAPH_STYLE = "p { font-size: 0.875rem; margin: 0; overflow-wrap: anywhere; }"
_COMPARISON_STYLE = """
:host { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.85rem; }
th, td { text-align: left; padding: 5px 20px 5px 0; font-variant-numeric: tabular-nums; white-space: nowrap; }
th { font-weight: 500; }
tr + tr { border-top: 1px solid var(--mui-palette-divider); }
td.other { color: var(--mui-palette-error-main); }
"""
_CODE_STYLE = """
pre { font-size: 0.8rem; line-height: 1.45; margin: 0; max-height: 600px; overflow: auto; padding: 12px;
      border-radius: 4px; background: rgba(128, 128, 128, 0.12); }
"""


def section(title: Any, *content: object) -> pmui.Paper:
    """Return content in a frame of its own, below a heading."""
    return pmui.Paper(
        pmui.Column(heading(title, 2), *content, sizing_mode="stretch_width", sx={"p": 2, "gap": "12px"}),
        variant="outlined",
        elevation=0,
        margin=(0, 0, 20, 0),
        sizing_mode="stretch_width",
    )


def filters(*widgets: object) -> pmui.FlexBox:
    """Return the bar of filters above the content of a page; it breaks where it is too long."""
    return pmui.FlexBox(*widgets, gap="16px", align_items="center", margin=(4, 0, 20, 0))


def instant_picker(parameter: Any, label: str) -> pmui.DatetimePicker:
    """Return a widget for an instant, which it takes and gives without zone: UTC is meant."""
    return pmui.DatetimePicker.from_param(
        parameter, label=label, description="", clearable=True, width=230, enable_seconds=False, size="small", margin=0
    )


def text_field(parameter: Any, label: str, *, width: int = 352) -> pmui.TextInput:
    """Return a widget for an id."""
    return pmui.TextInput.from_param(parameter, label=label, description="", width=width, size="small", margin=0)


def line_field(parameter: Any, label: str, problem: Any) -> pmui.TextInput:
    """Return a widget for text that may be long, as wide as the page, with what is wrong with it below."""
    return pmui.TextInput.from_param(
        parameter,
        label=label,
        description="",
        helper_text=problem,
        error_state=following(bool, problem),
        size="small",
        sizing_mode="stretch_width",
        margin=(0, 0, 20, 0),
    )


def message(text: str, **options: Any) -> pmui.Paper:
    """Return words in the place of content that is not there."""
    return pmui.Paper(
        pmui.Typography(escape(text), color="text.secondary", margin=32),
        variant="outlined",
        elevation=0,
        margin=(0, 0, 20, 0),
        sizing_mode="stretch_width",
        **options,
    )


def figures(numbers: Any) -> pn.pane.HTML:
    """Return a row of key figures: pairs of what is counted and the number as it is to be written."""
    return _html(following(_list, numbers), _FIGURES_STYLE)


def details(fields: Any) -> pn.pane.HTML:
    """Return names and values below each other."""
    return _html(following(_list, fields), _DETAILS_STYLE)


def code(text: Any) -> pn.pane.HTML:
    """Return text as it is, each line a line."""
    return _html(following(lambda said: f"<pre>{escape(said)}</pre>", text), _CODE_STYLE)


def links(entries: Sequence[tuple[str, str]]) -> pn.pane.HTML:
    """Return paths with what is there; those without a part to fill in can be followed."""
    items = (f"<div><dt>{_link(path)}</dt><dd>{escape(about)}</dd></div>" for path, about in entries)
    return _html(f"<dl>{''.join(items)}</dl>", _LINKS_STYLE)


def _link(path: str) -> str:
    return escape(path) if "<" in path else f'<a href=".{escape(path)}">{escape(path)}</a>'


def cards(entries: Sequence[tuple[str, str, str]]) -> pn.pane.HTML:
    """Return large links: pairs of an address, a title, and what is there."""
    items = (
        f'<a href="{escape(path)}"><b>{escape(title)}</b><span>{escape(about)}</span></a>'
        for path, title, about in entries
    )
    return _html(f"<nav>{''.join(items)}</nav>", _CARDS_STYLE)


def link_line(label: str, links: Any) -> pn.pane.HTML:
    """Return links in a line behind a label: pairs of an address and a name; nothing where there are none."""
    return _html(following(partial(_link_line, label), links), _LINK_LINE_STYLE)


def _link_line(label: str, links: Sequence[tuple[str, str]]) -> str:
    written = "".join(f'<a href="{escape(path)}">{escape(name)}</a>' for path, name in links)
    return f"<nav><span>{escape(label)}</span>{written}</nav>" if links else ""


def legend(entries: Sequence[tuple[str, str]]) -> pn.pane.HTML:
    """Return what the colours of a plot mean: pairs of a colour and its meaning."""
    items = (f'<li><i style="background: {colour}"></i>{escape(meaning)}</li>' for colour, meaning in entries)
    return _html(f"<ul>{''.join(items)}</ul>", _LEGEND_STYLE)


def download(label: str, filename: Any, content: Callable[[], bytes]) -> pmui.FileDownload:
    """Return a button that makes a file when it is pressed."""
    return pmui.FileDownload(
        label=label,
        filename=filename,
        callback=lambda: BytesIO(content()),
        auto=True,
        variant="text",
        size="small",
        margin=0,
    )


def paragraph(text: Any) -> pn.pane.HTML:
    """Return words."""
    return _html(following(lambda said: f"<p>{escape(said)}</p>", text), _PARAGRAPH_STYLE)


def comparison(table: Any) -> pn.pane.HTML:
    """Return a table whose first row and column are headers; each cell is a text and whether it stands out."""
    return _html(following(_compared, table), _COMPARISON_STYLE)


def _compared(table: Sequence[Sequence[tuple[str, bool]]]) -> str:
    rows = (
        "".join(_cell(*cell, is_header=not (row and column)) for column, cell in enumerate(cells))
        for row, cells in enumerate(table)
    )
    return f"<table>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def _cell(text: str, stands_out: bool, *, is_header: bool) -> str:
    kind = "th" if is_header else "td"
    return f"<{kind}{' class=other' if stands_out else ''}>{escape(text)}</{kind}>"


def side_by_side(*content: object) -> pmui.Grid:
    """Return content beside each other, below each other in a narrow window."""
    return pmui.Grid(*(pmui.Grid(part, size={"xs": 12, "lg": 6}) for part in content), container=True, spacing=2)


def plot(shown: Any, height: int) -> pn.pane.HoloViews:
    """Return a plot as wide as there is room."""
    return pn.pane.HoloViews(  # type: ignore[no-untyped-call]  # Panel has types in part
        shown, sizing_mode="stretch_width", height=height
    )


def _list(pairs: Sequence[tuple[str, str]]) -> str:
    items = (f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in pairs)
    return f"<dl>{''.join(items)}</dl>"


def _html(text: Any, style: str) -> pn.pane.HTML:
    return pn.pane.HTML(  # type: ignore[no-untyped-call]  # Panel has types in part
        text, stylesheets=[style], sizing_mode="stretch_width", margin=0
    )


def heading(text: Any, level: int) -> pn.pane.HTML:
    """Return a heading; the text may be a value that follows something, and nothing in it is markup."""
    return _html(following(lambda said: f"<h{level}>{escape(said)}</h{level}>", text), _HEADING_STYLE)


def following(make: Callable[[Any], Any], value: Any) -> Any:
    """Return what *make* makes of a value; where that follows something, it does so, too."""
    return pn.bind(make, value) if callable(value) else make(value)


def prepare() -> None:
    """Get Panel ready for a page, dark where its visitor wants that.

    Callbacks of pages ask the lake, which may take seconds: they are run in threads, so that
    the server goes on answering.
    """
    # Tabulator's style sheets come back with each of its events; Panel silences this, in notebooks only
    warnings.filterwarnings("ignore", category=BokehUserWarning, message="reference already known")
    # even where a table is added later, the browser needs its code from the beginning
    pn.extension("tabulator", nthreads=pn.config.nthreads or THREADS)
    if pn.state.cookies.get("theme") == "dark":
        pn.extension(theme="dark")


def page(title: str, *content: object) -> pmui.Page:
    """Return a page with the frame that all pages share."""
    framed = pmui.Page(
        title="stackanalytics",
        meta_title=f"{title} · stackanalytics",
        header=[_navigation(title)],
        main=[pmui.Container(heading(title, 1), *content, width_option="xl", sx={"py": 3})],
        theme_config=_THEME,
        template=_DOCUMENT,
    )
    framed.jscallback(dark_theme="document.cookie = `theme=${cb_obj.dark_theme ? 'dark' : 'default'}" + _COOKIE + "`")
    return framed


def _navigation(title: str) -> pmui.Row:
    style = {"variant": "text", "color": "light", "size": "small", "margin": 0}
    links = [
        pmui.Button(label=name, href=path, sx=_CURRENT if name == title else _OTHER, **style)
        for name, path in _NAVIGATION
    ]
    return pmui.Row(*links, sizing_mode="stretch_width", sx={"ml": {"xs": 0, "sm": 2}, "flexWrap": "wrap"})
