"""Stored reports: which there are, one of them as picture and table, and its files."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, TypeAlias

import holoviews as hv
import holoviews.plotting.bokeh  # what plots are drawn with
import panel as pn
import panel_material_ui as pmui
import param
import polars as pl
from bokeh.models import NumeralTickFormatter

from dashboards import theme, wording
from dashboards.table import Column, Form, frame_table, places, select_rows
from dashboards.view import View
from stackanalytics import times
from stackanalytics.errors import NotFoundError
from stackanalytics.lake import Lake
from stackanalytics.lake.state import StoredReport
from stackanalytics.lake.usage_table import KINDS
from stackanalytics.reports.instance_hour_total import INSTANCE_HOURS
from stackanalytics.reports.report import Frames
from stackanalytics.reports.store import load, parameters_of, versions_of
from stackanalytics.schema import polars_schema

ROW_HEIGHT, LEAST_HEIGHT = 30, 150
FEW = 8
STORED = (
    Column("id", "#", "count", width=70),
    Column("name", "Report"),
    Column("started_at", "From (UTC)", "moment", width=190),
    Column("ended_at", "To (UTC)", "moment", width=190),
    Column("created_at", "Made (UTC)", "moment", width=190),
)
FAILURES = MappingProxyType(
    {
        "failures_4xx": "4xx",
        "failures_5xx": "5xx",
        "failures_slow": "too long",
        "failures_state": "state error",
        "failures_http": "other error",
    }
)
_TITLES = {
    **FAILURES,
    "slow_s": "Too long is more than",
    "share": "% failed",
    "min_s": "Shortest",
    "max_s": "Longest",
    "image_kind": "Image",
    "os_type": "System",
}
_LINKS = MappingProxyType({"instance": "events?instance=", "request_id": "events?request_id="})


Bar: TypeAlias = tuple[str, str, float]


@dataclass(frozen=True)
class Answer:
    """The stored reports, newest first, and the chosen one of them with its frames.

    ``history`` is, for instance hours, what those that are listed say by period and flavor class.
    """

    stored: pl.DataFrame
    kinds: tuple[str, ...]
    entry: StoredReport | None
    frames: Frames
    history: tuple[Bar, ...]


class Reports(View):
    """The stored reports of a lake."""

    TITLE = "Reports"
    QUESTION = ("kind", "start", "end", "report")
    LOOK_AGAIN_MS = 5000

    kind = param.String(None, allow_None=True, doc="only reports of this name; None for all")
    start = param.Date(None, doc="only of periods that begin at this time or later, naive in UTC")
    end = param.Date(None, doc="only of periods that begin before this time, naive in UTC")
    report = param.Integer(None, allow_None=True, doc="id of the report to show")

    def state_of(self, lake: Lake) -> object:
        """Return the newest report: where it is another one, the list has changed."""
        return lake.state.reports(newest_first=True, limit=1)

    def ask(self, lake: Lake) -> Answer:
        """Ask for the list, and for the chosen report."""
        entries = lake.state.reports(newest_first=True)
        shown = [entry for entry in entries if self._is_wanted(entry)]
        chosen = next((entry for entry in entries if entry.id == self.report), None)
        if self.report is not None and chosen is None:
            raise NotFoundError(f"There is no report {self.report}.")
        return Answer(
            stored=_listed(shown),
            kinds=tuple(sorted({entry.name for entry in entries})),
            entry=chosen,
            frames={} if chosen is None else load(lake, chosen),
            history=() if chosen is None else _history(lake, shown, chosen),
        )

    def _is_wanted(self, entry: StoredReport) -> bool:
        return (
            (not self.kind or entry.name == self.kind)
            and (self.start is None or entry.period_start >= _aware(self.start))
            and (self.end is None or entry.period_start < _aware(self.end))
        )

    def content(self) -> pmui.Column:
        """Return filters, the list, and the chosen report."""
        return pmui.Column(
            theme.filters(
                self.select("kind", "Report", "All", lambda answer: answer.kinds, width=330),
                theme.instant_picker(self.param.start, "From (UTC)"),
                theme.instant_picker(self.param.end, "Before (UTC)"),
            ),
            self.while_waiting(),
            self.where(
                lambda answer: not answer.kinds,
                theme.message("No report is stored yet. Begin with: stackanalytics report --due --lake DIR"),
            ),
            self.where(
                lambda answer: bool(answer.kinds) and answer.stored.is_empty(),
                theme.message("No report of this name and period is stored."),
            ),
            self.built_where(lambda answer: not answer.stored.is_empty(), self._stored),
            self.where(lambda answer: answer.entry is not None, self._chosen()),
            sizing_mode="stretch_width",
        )

    def _stored(self) -> pmui.Paper:
        table = frame_table(STORED, self.bound(lambda answer: answer.stored), narrowest=220, selectable=1)
        table.on_click(self._choose)
        select_rows(table, self.bound(_places, []))
        return theme.section("Stored reports", table)

    def _choose(self, click: Any) -> None:
        self.report = self.answer.stored["id"][click.row]

    def _chosen(self) -> pmui.Paper:
        return theme.section(
            self.bound(_title, ""),
            theme.details(self.bound(_about, [])),
            theme.link_line("Download:", self.bound(_files, [])),
            pn.bind(_picture, self.param.answer),
            pn.bind(_tables, self.param.answer),
        )


def _aware(instant: Any) -> datetime:
    moment: datetime = instant.replace(tzinfo=UTC)
    return moment


def _listed(entries: Sequence[StoredReport]) -> pl.DataFrame:
    rows = [(entry.id, entry.name, entry.period_start, entry.period_end, entry.created_at) for entry in entries]
    names = ("id", "name", "started_at", "ended_at", "created_at")
    return pl.DataFrame(rows, schema=polars_schema(*names), orient="row")


def _places(answer: Answer) -> list[int]:
    return [] if answer.entry is None else places(answer.stored, "id", answer.entry.id)


def _title(answer: Answer) -> str:
    return "" if answer.entry is None else f"{answer.entry.name}, report {answer.entry.id}"


def _about(answer: Answer) -> list[tuple[str, str]]:
    if answer.entry is None:
        return []
    entry, summary = answer.entry, answer.frames.get("summary")
    given = {name: value for name, value in parameters_of(entry).items() if name != "report" and value is not None}
    totals = {} if summary is None else summary.row(0, named=True)
    return [
        ("From (UTC)", wording.moment(entry.period_start)),
        ("To (UTC)", wording.moment(entry.period_end)),
        ("Made from", _versions(entry)),
        *((_words(name), _said(name, value)) for name, value in {**given, **totals}.items()),
    ]


def _versions(entry: StoredReport) -> str:
    return ", ".join(
        f"{name} as of {wording.moment(times.from_unix_us(version))}"
        if name in KINDS
        else f"{name} at version {version}"
        for name, version in versions_of(entry).items()
        if version
    )


def _said(name: str, value: object) -> str:
    if isinstance(value, float):
        if name.startswith("share") or name.endswith("_share"):
            return f"{value:.1%}"
        return wording.duration(value) if name.endswith("_s") else wording.amount(value)
    return wording.count(value) if isinstance(value, int) else wording.NOTHING if value is None else str(value)


def _files(answer: Answer) -> list[tuple[str, str]]:
    if answer.entry is None:
        return []
    flat = [name for name, frame in answer.frames.items() if not any(kind.is_nested() for kind in frame.dtypes)]
    files = [*(f"{name}.parquet" for name in answer.frames), *(f"{name}.csv" for name in flat)]
    return [(f"reports/{answer.entry.id}/{file}", file) for file in sorted(files)]


def _tables(answer: Answer | None) -> pmui.Column:
    if answer is None or answer.entry is None:
        return pmui.Column()
    shown = {name: frame for name, frame in answer.frames.items() if name != "summary" and not frame.is_empty()}
    parts = [
        part
        for name, frame in sorted(shown.items(), key=lambda item: item[0] != "rows")
        for part in (theme.heading(_words(name), 2), frame_table(_columns(frame), frame))
    ]
    return pmui.Column(
        *parts or [theme.message("The report has no rows.")], sizing_mode="stretch_width", sx={"gap": "12px"}
    )


def _columns(frame: pl.DataFrame) -> tuple[Column, ...]:
    flat = {name: kind for name, kind in frame.schema.items() if not kind.is_nested()}
    return tuple(
        Column(name, _words(name), _form(name, kind), link=_LINKS.get(name, "")) for name, kind in flat.items()
    )


def _form(name: str, kind: pl.DataType) -> Form:
    if name in _LINKS:
        return "link"
    if name.endswith("_s"):
        return "duration"
    if name.startswith("share") or name.endswith("_share"):
        return "share"
    if kind.is_integer() and not name.endswith("id"):
        return "count"
    if kind.is_float():
        return "number"
    return "moment" if isinstance(kind, pl.Datetime) else "text"


def _words(name: str) -> str:
    if name.startswith("share_"):
        return f"% {FAILURES[name.replace('share', 'failures', 1)]}"
    return _TITLES.get(name) or name.removesuffix("_s").replace("_", " ").capitalize()


def _picture(answer: Answer | None) -> pmui.Column:
    """Return how requests failed, or how many hours each flavor class was used, where the report tells that."""
    if answer is None:
        return pmui.Column()
    if answer.history:
        return _used(answer.history)
    bars = _failures(answer.frames.get("rows"))
    return _failed(bars) if bars else pmui.Column()


def _used(bars: Sequence[Bar]) -> pmui.Column:
    shown = hv.Bars(list(bars), ["from", "flavor class"], "unit hours").opts(
        stacked=True,
        color="flavor class",
        cmap=theme.CATEGORIES,
        line_color=None,
        xlabel="",
        ylabel="Unit hours",
        yformatter=NumeralTickFormatter(format="0,0"),
        xrotation=45 if len({bar[0] for bar in bars}) > FEW else 0,
        legend_position="right",
        toolbar=None,
        responsive=True,
        height=LEAST_HEIGHT * 2,
        backend_opts={"plot.outline_line_color": None},
        hover_tooltips=["from", "flavor class", "unit hours"],
        default_tools=["hover"],
    )
    return pmui.Column(theme.plot(shown, LEAST_HEIGHT * 2), sizing_mode="stretch_width")


def _history(lake: Lake, entries: Sequence[StoredReport], chosen: StoredReport) -> tuple[Bar, ...]:
    """Return the unit hours of each flavor class in every listed period as long as that of the chosen report."""
    if parameters_of(chosen).get("report") != INSTANCE_HOURS.name:
        return ()
    length = chosen.period_end - chosen.period_start
    alike = [
        entry
        for entry in (*entries, chosen)
        if entry.parameters == chosen.parameters and entry.period_end - entry.period_start == length
    ]
    newest = {entry.period_start: entry for entry in sorted(alike, key=lambda entry: entry.id)}
    return tuple(
        (wording.moment(start)[:16], row["key"], row["unit_hours"])
        for start, entry in sorted(newest.items())
        for row in load(lake, entry)["rows"].filter(breakdown="flavor_class").iter_rows(named=True)
    )


def _failed(bars: Sequence[Bar]) -> pmui.Column:
    rows = len({bar[0] for bar in bars})
    shown = hv.Bars(bars, ["what", "failure"], "count").opts(
        stacked=True,
        invert_axes=True,
        invert_yaxis=True,
        cmap=dict(zip(FAILURES.values(), theme.CATEGORIES, strict=False)),
        color="failure",
        line_color=None,
        xlabel="",
        ylabel="Failed requests",
        legend_position="top",
        toolbar=None,
        responsive=True,
        height=max(LEAST_HEIGHT, ROW_HEIGHT * rows + 100),
        backend_opts={"plot.outline_line_color": None},
        hover_tooltips=["what", "failure", "count"],
        default_tools=["hover"],
    )
    return pmui.Column(theme.plot(shown, max(LEAST_HEIGHT, ROW_HEIGHT * rows + 100)), sizing_mode="stretch_width")


def _failures(rows: pl.DataFrame | None) -> list[Bar]:
    if rows is None or not FAILURES.keys() <= set(rows.columns):
        return []
    return [
        (" · ".join((row["action"], row["image_kind"], row["os_type"])), label, row[name])
        for row in rows.iter_rows(named=True)
        for name, label in FAILURES.items()
        if row[name]
    ]
