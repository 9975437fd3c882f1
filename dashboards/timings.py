"""How long operations on instances take: all of them in a table, one of them closely."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import holoviews as hv
import holoviews.plotting.bokeh  # what plots are drawn with
import panel as pn
import panel_material_ui as pmui
import param
import polars as pl
from bokeh.models import BasicTicker

import stackanalytics as sa
from dashboards import theme, wording
from dashboards.table import Column, frame_table, places, select_rows
from dashboards.view import View, ask_once
from stackanalytics.lake import Lake

SLOWEST = 20
HEIGHT = 320
PERIODS = {
    "Last hour": timedelta(hours=1),
    "Last day": timedelta(days=1),
    "Last week": timedelta(days=7),
    "All time": None,
}

OPERATIONS = (
    Column("operation", "Operation", width=320),
    Column("count", "Finished", "count"),
    Column("min_s", "Shortest", "duration"),
    Column("median_s", "Median", "duration"),
    Column("mean_s", "Mean", "duration"),
    Column("p95_s", "95th percentile", "duration"),
    Column("max_s", "Longest", "duration"),
    Column("unfinished", "Unfinished", "count"),
)
WHO = (
    Column("started_at", "Started (UTC)", "moment", width=190),
    Column("instance", "Instance", "link", link="events?instance=", width=290),
    Column("request_id", "Request", "link", link="events?request_id=", width=330),
    Column("deployment", "Deployment"),
)
SLOW = (Column("duration_s", "Took", "duration", width=110), *WHO, Column("end_host", "Host"))
UNFINISHED = (*WHO, Column("start_host", "Host"))


@dataclass(frozen=True)
class Answer:
    """What the lake says about timings: of all operations, and closely of ``operation``."""

    deployments: pl.DataFrame
    operations: pl.DataFrame
    operation: str
    distribution: pl.DataFrame
    slowest: pl.DataFrame
    unfinished: pl.DataFrame

    @property
    def closely(self) -> dict[str, Any]:
        """The row about the operation; empty where there are no timings of it."""
        rows = self.operations.filter(pl.col("operation") == self.operation).iter_rows(named=True)
        return next(rows, {})


class Timings(View):
    """How long operations take, by deployment and period."""

    TITLE = "Timings"
    QUESTION = ("deployment", "operation", "start", "end")

    deployment = param.String(None, allow_None=True, doc="only of this deployment; None for all")
    operation = param.String("compute.instance.create", doc="the one to look at closely")
    start = param.Date(None, doc="only what ended at this time or later, naive in UTC")
    end = param.Date(None, doc="only what ended before this time, naive in UTC")

    def ask(self, lake: Lake) -> Answer:
        """Ask for all operations, and closely for one."""
        which = {"deployment": self.deployment, "start": _aware(self.start), "end": _aware(self.end)}
        closely = {"operation": self.operation, **which}
        finished = ask_once(sa.timing_summary, lake, **which)
        unfinished = ask_once(sa.unfinished_operations, lake, **which)
        return Answer(
            deployments=ask_once(sa.deployments, lake),
            operations=_beside(finished, unfinished),
            operation=self.operation,
            distribution=ask_once(sa.timing_distribution, lake, **closely),
            slowest=ask_once(sa.slowest_timings, lake, **closely, limit=SLOWEST),
            unfinished=ask_once(sa.timings, lake, **closely, state="S"),
        )

    def content(self) -> pmui.Column:
        """Return filters, the table of all operations, and what there is about the one."""
        return pmui.Column(
            self._filters(),
            self.while_waiting(),
            self.where(lambda answer: answer.operations.is_empty(), theme.message("No timings in this period.")),
            self.built_where(lambda answer: not answer.operations.is_empty(), self._operations),
            self.where(
                lambda answer: not answer.operations.is_empty() and not answer.closely,
                theme.message("No timings of this operation in this period."),
            ),
            self.where(lambda answer: bool(answer.closely), self._closely()),
            self.built_where(lambda answer: not answer.slowest.is_empty(), self._slowest),
            self.built_where(lambda answer: not answer.unfinished.is_empty(), self._unfinished),
            sizing_mode="stretch_width",
        )

    def _filters(self) -> pmui.FlexBox:
        return theme.filters(
            self.select("deployment", "Deployment", "All", lambda answer: answer.deployments["name"], width=180),
            self.select("operation", "Operation", None, lambda answer: answer.operations["operation"], width=330),
            theme.instant_picker(self.param.start, "From (UTC)"),
            theme.instant_picker(self.param.end, "Before (UTC)"),
            pmui.MenuButton(
                label="Period",
                items=[{"label": label} for label in PERIODS],
                on_click=self._choose_period,
                variant="text",
                margin=0,
            ),
        )

    def _choose_period(self, chosen: dict[str, str]) -> None:
        period = PERIODS[chosen["label"]]
        newest = None if self.answer is None else self.answer.deployments["last_at"].max()
        start = None if period is None or newest is None else newest - period
        self.param.update(start=_naive(start), end=None)

    def _operations(self) -> pmui.Paper:
        table = frame_table(OPERATIONS, self.bound(lambda answer: answer.operations), narrowest=120, selectable=1)
        table.on_click(self._look_closely)
        select_rows(table, self.bound(_places, []))
        return theme.section("Operations", table)

    def _look_closely(self, click: Any) -> None:
        self.operation = self.answer.operations["operation"][click.row]

    def _closely(self) -> pmui.Paper:
        # in a DynamicMap: a plot that is put in the place of another breaks in the browser
        plot = hv.DynamicMap(pn.bind(_histogram, self.param.answer))
        return theme.section(
            self.bound(lambda answer: answer.operation, ""),
            theme.figures(self.bound(_figures, [])),
            self.where(_is_spread, theme.plot(plot, HEIGHT)),
        )

    def _slowest(self) -> pmui.Paper:
        return theme.section("The slowest", frame_table(SLOW, self.bound(lambda answer: answer.slowest)))

    def _unfinished(self) -> pmui.Paper:
        return theme.section(
            "Started, and not ended", frame_table(UNFINISHED, self.bound(lambda answer: answer.unfinished))
        )


def _aware(instant: Any) -> datetime | None:
    return None if instant is None else instant.replace(tzinfo=UTC)


def _naive(instant: datetime | None) -> datetime | None:
    """Return an instant as the widgets take it, which show minutes."""
    return None if instant is None else instant.replace(tzinfo=None, second=0, microsecond=0)


def _beside(summary: pl.DataFrame, unfinished: pl.DataFrame) -> pl.DataFrame:
    """Return what finished and what did not in one row an operation."""
    joined = summary.join(unfinished, on="operation", how="full", coalesce=True)
    return joined.with_columns(pl.col("count", "unfinished").fill_null(0)).sort("operation")


def _places(answer: Answer) -> list[int]:
    return places(answer.operations, "operation", answer.operation)


def _figures(answer: Answer) -> list[tuple[str, str]]:
    found = answer.closely
    if not found:
        return []
    return [
        ("Finished", wording.count(found["count"])),
        ("Unfinished", wording.count(found["unfinished"])),
        ("Median", wording.duration(found["median_s"])),
        ("95th percentile", wording.duration(found["p95_s"])),
    ]


def _is_spread(answer: Answer) -> bool:
    """Tell whether there is anything to plot: where all took the same time, there is one class, of no width."""
    return answer.distribution.height > 1


def _histogram(answer: Answer | None) -> hv.Rectangles:
    classes = answer.distribution.rows() if answer is not None and _is_spread(answer) else []
    lowest, highest = (classes[0][0], classes[-1][1]) if classes else (1, 10)
    bars = [
        (lower, 0, upper, count, f"{wording.duration(lower)} – {wording.duration(upper)}")
        for lower, upper, count in classes
    ]
    return hv.Rectangles(bars, vdims=["took"]).opts(
        logx=True,
        xlim=(lowest, highest),
        ylim=(0, 1.05 * max([1, *(count for *_, count in classes)])),
        framewise=True,
        xticks=wording.duration_ticks(lowest, highest),
        yticks=BasicTicker(min_interval=1),
        xlabel="Duration",
        ylabel="Operations",
        color=theme.BARS,
        line_color=None,
        backend_opts={"plot.outline_line_color": None},
        hover_tooltips=[("Took", "@took"), ("Operations", "@y1{0,0}")],
        responsive=True,
        height=HEIGHT,
        toolbar=None,
        default_tools=["hover"],
    )
