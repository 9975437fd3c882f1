"""What was measured: statistics of a meter over time, by whom, and its newest samples."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from types import MappingProxyType
from typing import Any
from zoneinfo import available_timezones

import holoviews as hv
import holoviews.plotting.bokeh  # what plots are drawn with
import msgspec
import panel as pn
import panel_material_ui as pmui
import param
import polars as pl
from bokeh.models import CustomJSTickFormatter

import stackanalytics as sa
from dashboards import theme, wording
from dashboards.table import Column, frame_table
from dashboards.view import View, ask_once
from stackanalytics.analytics.metadata_value import metadata_path
from stackanalytics.analytics.meter_query import FIELD_COLUMNS, conditions, criteria
from stackanalytics.errors import InputError
from stackanalytics.lake import Lake
from stackanalytics.schema import polars_schema
from stackanalytics.surfaces.encoding import frame_bytes

HEIGHT = 340
NEWEST = 20
MOST_LINES = len(theme.CATEGORIES)
MOST_POINTS = 20_000
MOST_ROWS = 2_000

STATISTICS: Mapping[str, str] = MappingProxyType(
    {
        "count": "Samples",
        "min": "Lowest",
        "avg": "Mean",
        "median": "Median",
        "percentile/95": "95th percentile",
        "max": "Highest",
        "sum": "Sum",
        "stddev": "Standard deviation",
        "time_weighted_avg": "Time-weighted mean",
        "first": "First",
        "last": "Last",
        "increase": "Increase",
        "rate": "Rate",
    }
)
ALWAYS = ("count", "min", "avg", "max", "sum")
DRAWN: Mapping[str, str] = MappingProxyType({"gauge": "avg", "delta": "sum", "cumulative": "rate"})
TOLD: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "gauge": ("count", "min", "avg", "median", "percentile/95", "max", "sum"),
        "delta": ("count", "min", "avg", "max", "sum"),
        "cumulative": ("count", "first", "last", "increase", "rate"),
    }
)
FIGURES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"gauge": ("min", "avg", "max"), "delta": ("sum",), "cumulative": ("increase", "rate")}
)

WHOLE = "none"
# up to how long [s] what is asked about may be, for a period to be chosen for it
AUTOMATIC = ((6 * 3600, "60"), (36 * 3600, "300"), (40 * 86_400, "hour"), (1000 * 86_400, "day"))
LONGEST_PERIOD = "month"
PERIODS = (
    *(("1 minute", "60"), ("5 minutes", "300"), ("15 minutes", "900"), ("6 hours", "21600")),
    *((f"Calendar {name}", name) for name in ("hour", "day", "week", "month", "year")),
    ("None: one for all", WHOLE),
)
GROUPS = ("resource", "project", "user", "source")
NO_SAMPLES = (
    "There are no samples yet. Notifications of instances, volumes, images and more yield them: "
    "stackanalytics land PATH… --lake DIR. What was measured elsewhere lands with --samples."
)

METERS = (Column("meter", "Meter", width=420), Column("meter_type", "Type"), Column("unit", "Unit"))
TABLE = (
    Column("period_start_at", "From (UTC)", "moment", width=190),
    Column("period_end_at", "To (UTC)", "moment", width=190),
    Column("group", "Group", width=290),
    Column("unit", "Unit", width=80),
    *(Column(name, title, "count" if name == "count" else "volume") for name, title in STATISTICS.items()),
)
SAMPLES = (
    Column("measured_at", "Measured (UTC)", "moment", width=190),
    Column("volume", "Volume", "volume"),
    Column("unit", "Unit", width=80),
    Column("resource", "Resource", "link", link="events?resource=", width=290),
    Column("tenant", "Project", width=290),
    Column("user", "User", width=290),
    Column("source", "Source"),
)
_EMPTY = pl.DataFrame(
    schema=polars_schema("period_start_at", "period_end_at", "unit")
    | {"group": pl.String(), **dict.fromkeys(STATISTICS, pl.Float64())}
)


@dataclass(frozen=True)
class Offered:
    """What can be chosen: meters, projects and users."""

    meters: pl.DataFrame
    projects: pl.DataFrame
    users: pl.DataFrame

    def type_of(self, meter: str) -> str:
        """Return the type of a meter; that of a gauge, where nothing is known of it."""
        return next(iter(self.meters.filter(pl.col("meter") == meter)["meter_type"]), "gauge")


@dataclass(frozen=True)
class Answer:
    """What the lake says about a meter.

    ``told`` are the statistics to show, ``statistic`` is the one to draw, ``group`` the field that is grouped by.
    ``overall`` has statistics over all time, ``ranking`` the same of each group, ``statistics`` those of each period
    and group. All are None where no meter is chosen, or the query cannot be read, as ``query_problem`` says.
    """

    offered: Offered
    query_problem: str = ""
    meter: str | None = None
    told: tuple[str, ...] = ()
    statistic: str = ""
    group: str | None = None
    overall: pl.DataFrame | None = None
    ranking: pl.DataFrame | None = None
    statistics: pl.DataFrame | None = None
    samples: pl.DataFrame | None = None

    @property
    def is_found(self) -> bool:
        """Whether there are samples of what was chosen."""
        return self.overall is not None and not self.overall.is_empty()

    @property
    def widest(self) -> dict[str, Any]:
        """The row of ``overall`` of the unit that most samples have, which is the one to draw."""
        assert self.overall is not None, "asked only where there are samples"
        return self.overall.row(int(self.overall["count"].arg_max() or 0), named=True)


class Metering(View):
    """Statistics of one meter, by period and group."""

    TITLE = "Meters"
    QUESTION = (
        *("meter", "project", "user", "resource", "query", "start", "end"),
        *("period", "timezone", "group", "statistic"),
    )

    meter = param.String(None, allow_None=True, doc="name of the meter")
    project = param.String(None, allow_None=True, doc="only samples of this project")
    user = param.String(None, allow_None=True, doc="only samples of this user")
    resource = param.String(None, allow_None=True, doc="only samples of this resource")
    query = param.String(None, allow_None=True, doc="only samples that meet these conditions, field<op>value;…")
    start = param.Date(None, doc="only what was measured at this time or later, naive in UTC")
    end = param.Date(None, doc="only what was measured before this time, naive in UTC")
    period = param.String(
        None, allow_None=True, doc="a number [s], a unit of the calendar, or none; None for automatic"
    )
    timezone = param.String(None, allow_None=True, doc="time zone of the calendar; None for UTC")
    group = param.String(None, allow_None=True, doc="field whose values are told apart")
    statistic = param.String(None, allow_None=True, doc="what is drawn; None for what suits the type of the meter")

    def ask(self, lake: Lake) -> Answer:
        """Ask for what can be chosen, and for the chosen meter."""
        offered = Offered(
            meters=ask_once(sa.meters, lake, unique=True),
            projects=ask_once(sa.projects, lake),
            users=ask_once(sa.users, lake),
        )
        if not self.meter:
            return Answer(offered)
        try:
            asked = self._conditions()
        except InputError as problem:
            return Answer(offered, query_problem=str(problem), meter=self.meter)
        return self._measured(lake, offered, self.meter, asked)

    def _measured(self, lake: Lake, offered: Offered, meter: str, asked: tuple[sa.Condition, ...]) -> Answer:
        kind = offered.type_of(meter)
        statistic = self.statistic or DRAWN[kind]
        told = tuple(dict.fromkeys((*TOLD[kind], statistic)))
        which = {"meter": meter, "query": asked, "aggregates": tuple(name for name in told if name not in ALWAYS)}
        grouped = {**which, "group_by": (self.group,) if self.group else ()}
        overall = ask_once(sa.statistics, lake, **which)
        period = _period(self.period, overall)
        zone = (self.timezone or "UTC") if isinstance(period, str) else None
        return Answer(
            offered,
            meter=meter,
            told=told,
            statistic=statistic,
            group=self.group or None,
            overall=overall,
            ranking=ask_once(sa.statistics, lake, **grouped),
            statistics=ask_once(
                sa.statistics, lake, **grouped, period=period, timezone=zone, aligned=isinstance(period, float)
            ),
            samples=ask_once(sa.samples, lake, meter=meter, query=asked, limit=NEWEST),
        )

    def _conditions(self) -> tuple[sa.Condition, ...]:
        """Return what the filters and the query ask together.

        Raises
        ------
        InputError
            If the query cannot be read, or asks for what a filter asks for already.
        """
        fields = {name: value for name in ("project", "user", "resource") if (value := getattr(self, name))}
        filtered = [sa.Condition(name, "eq", value) for name, value in fields.items()]
        bounds = (("ge", self.start), ("lt", self.end))
        filtered += [sa.Condition("timestamp", op, _aware(bound)) for op, bound in bounds if bound is not None]
        written = conditions(self.query)
        criteria(written)
        taken = {"meter", *(FIELD_COLUMNS[condition.field] for condition in filtered)}
        for condition in written:
            if FIELD_COLUMNS.get(condition.field) in taken:
                raise InputError(f"{condition.field} is chosen above already: leave it out here, or clear it there")
        return (*filtered, *written)

    def content(self) -> pmui.Column:
        """Return choices and filters, the chart, its numbers as a table, and the newest samples."""
        return pmui.Column(
            self._choices(),
            self._filters(),
            theme.line_field(
                self.param.query,
                "Query, such as metadata.state=active;volume>0",
                self.bound(lambda answer: answer.query_problem, ""),
            ),
            self.while_waiting(),
            self.where(lambda answer: answer.offered.meters.is_empty(), theme.message(NO_SAMPLES)),
            self.built_where(
                lambda answer: answer.meter is None and not answer.offered.meters.is_empty(), self._meters
            ),
            self.where(
                lambda answer: answer.overall is not None and not answer.is_found,
                theme.message("There are no such samples of this meter."),
            ),
            self.where(lambda answer: answer.is_found, self._chart()),
            self.built_where(lambda answer: answer.is_found, self._table),
            self.built_where(lambda answer: answer.is_found, self._samples),
            sizing_mode="stretch_width",
        )

    def _choices(self) -> pmui.FlexBox:
        return theme.filters(
            self.search("meter", "Meter", lambda answer: _meters(answer.offered.meters), width=352),
            self.select("statistic", "Drawn", "Automatic", _turned(STATISTICS), width=175),
            self.search("group", "Grouped by", _groups, width=230),
            self.select("period", "Period", "Automatic", dict(PERIODS), width=175),
            self.search("timezone", "Time zone of calendar", _timezones(), width=215),
        )

    def _filters(self) -> pmui.FlexBox:
        return theme.filters(
            self.search("project", "Project", lambda answer: answer.offered.projects["tenant"], width=270),
            self.search("user", "User", lambda answer: answer.offered.users["user"], width=270),
            theme.text_field(self.param.resource, "Resource", width=270),
            theme.instant_picker(self.param.start, "From (UTC)"),
            theme.instant_picker(self.param.end, "Before (UTC)"),
        )

    def _meters(self) -> pmui.Paper:
        table = frame_table(METERS, self.bound(lambda answer: answer.offered.meters))
        table.on_click(self._choose)
        return theme.section("Meters", table)

    def _choose(self, click: Any) -> None:
        self.meter = self.answer.offered.meters["meter"][click.row]

    def _chart(self) -> pmui.Paper:
        return theme.section(
            self.bound(_title, ""),
            theme.figures(self.bound(_figures, [])),
            pn.bind(_picture, self.param.answer),
        )

    def _table(self) -> pmui.Paper:
        return theme.section(
            self.bound(_how_many, ""),
            pmui.Row(*(self._download(form) for form in ("csv", "parquet"))),
            frame_table(TABLE, self.bound(_shown, _EMPTY), hidden=self.bound(_hidden, ()), narrowest=120),
        )

    def _download(self, form: str) -> pmui.FileDownload:
        return theme.download(
            form.upper(), self.bound(partial(_filename, form), ""), lambda: frame_bytes(self.answer.statistics, form)
        )

    def _samples(self) -> pmui.Paper:
        return theme.section("The newest samples", frame_table(SAMPLES, self.bound(lambda answer: answer.samples)))


def _aware(instant: Any) -> datetime:
    moment: datetime = instant.replace(tzinfo=UTC)
    return moment


def _turned(labels: Mapping[str, str]) -> dict[str, str]:
    return {label: value for value, label in labels.items()}


def _meters(meters: pl.DataFrame) -> dict[str, str]:
    """Return the meters by labels that tell their types and units."""
    kinds: dict[str, list[str]] = {}
    for meter, kind, unit in meters.select("meter", "meter_type", "unit").rows():
        kinds.setdefault(meter, []).append(", ".join(filter(None, (kind, unit))))
    return {f"{meter} ({'; '.join(told)})": meter for meter, told in kinds.items()}


def _groups(answer: Answer) -> list[str]:
    """Return what can be grouped by: fields, and what the metadata of the newest samples have."""
    texts: list[str] = [] if answer.samples is None else answer.samples["metadata"].drop_nulls().unique().to_list()
    paths = {path for text in texts for path in _paths(msgspec.json.decode(text), "metadata")}
    return [*GROUPS, *sorted(paths)]


def _paths(value: object, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield path
        return
    for name, inside in value.items():
        if not re.search(r"[.:\[]", name):  # which would be read as more than one name
            yield from _paths(inside, f"{path}.{name}")


@cache
def _timezones() -> tuple[str, ...]:
    return tuple(sorted(available_timezones()))


def _period(chosen: str | None, overall: pl.DataFrame) -> float | str | None:
    """Return the period that was chosen, or one that suits how long there are samples."""
    if chosen == WHOLE:
        return None
    if not chosen:
        longest_s = max((duration_s or 0 for duration_s in overall["duration_s"]), default=0)
        chosen = next((period for most_s, period in AUTOMATIC if longest_s <= most_s), LONGEST_PERIOD)
    return float(chosen) if re.fullmatch(r"\d{1,12}(\.\d+)?", chosen, re.ASCII) else chosen


def _unit(statistic: str, unit: str) -> str:
    if statistic == "rate":
        return f"{unit}/s"
    is_volume = statistic in STATISTICS or statistic.startswith("percentile/")
    return unit if is_volume and statistic != "count" else ""


def _filename(form: str, answer: Answer) -> str:
    return f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', answer.meter or '')}.{form}"


def _title(answer: Answer) -> str:
    if not answer.is_found:
        return ""
    unit = answer.widest["unit"]
    kind = answer.offered.type_of(answer.meter or "")
    return f"{answer.meter}, a {kind} meter in {unit}" if unit else f"{answer.meter}, a {kind} meter"


def _figures(answer: Answer) -> list[tuple[str, str]]:
    if not answer.is_found:
        return []
    row = answer.widest
    names = dict.fromkeys(("count", *FIGURES[answer.offered.type_of(answer.meter or "")], answer.statistic))
    return [
        *((STATISTICS.get(name, name), wording.volume(row[name], _unit(name, row["unit"]))) for name in names),
        ("From (UTC)", wording.moment(row["period_start_at"])[:16]),
        ("To (UTC)", wording.moment(row["period_end_at"])[:16]),
    ]


def _drawn(answer: Answer) -> pl.DataFrame:
    """Return the groups to draw, those with the largest value over all time first."""
    assert answer.ranking is not None, "asked only where there are samples"
    ranked = answer.ranking.filter(pl.col("unit") == answer.widest["unit"])
    return ranked.sort(answer.statistic, descending=True, nulls_last=True, maintain_order=True).head(MOST_LINES)


def _lines(answer: Answer) -> list[tuple[str, pl.DataFrame]]:
    """Return the rows of each group to draw, with what it is to be called."""
    assert answer.statistics is not None, "asked only where there are samples"
    rows = answer.statistics.filter(pl.col("unit") == answer.widest["unit"])
    if answer.group is None:
        return [(answer.meter or "", rows)]
    return [
        (_named(group), rows.filter(pl.col(answer.group).eq_missing(pl.lit(group, pl.String))))
        for group in _drawn(answer)[answer.group]
    ]


def _named(group: str | None) -> str:
    return "not known" if group is None else group


def _undrawn(answer: Answer) -> str:
    """Return in words what is not drawn; nothing where all is."""
    assert answer.overall is not None, "asked only where there are samples"
    assert answer.ranking is not None, "asked only where there are samples"
    unit = answer.widest["unit"]
    units = answer.overall.filter(pl.col("unit") != unit)["unit"].to_list()
    groups = answer.ranking.filter(pl.col("unit") == unit).height
    said = []
    if groups > MOST_LINES:
        name = STATISTICS.get(answer.statistic, answer.statistic).lower()
        said.append(
            f"{MOST_LINES} of {wording.count(groups)} groups are drawn, those whose {name} over all time is highest. "
            "The table has all of them."
        )
    if units:
        said.append(f"Only what is measured in {unit} is drawn; the table has {', '.join(units)}, too.")
    if metadata_path(answer.group or "") is not None:
        said.append("Samples without such metadata are in no group.")
    return " ".join(said)


def _picture(answer: Answer | None) -> pmui.Column:
    """Return the lines, or bars where time is not cut, with their legend and what is left out."""
    if answer is None or not answer.is_found:
        return pmui.Column()
    lines = _lines(answer)
    points = sum(rows.height for _, rows in lines)
    if points > MOST_POINTS:
        return _captioned(
            f"{wording.count(points)} points are not drawn, as more than {wording.count(MOST_POINTS)} would be: choose "
            "a longer period, or less of the time. The files have all."
        )
    if not points or (_is_whole(answer) and answer.group is None):
        return _captioned(_undrawn(answer))
    if _is_whole(answer):
        return _captioned(_undrawn(answer), theme.plot(_bars(answer), HEIGHT))
    names = [name for name, _ in lines] if answer.group else []
    legend = theme.legend(list(zip(theme.CATEGORIES, names, strict=False)))
    return _captioned(_undrawn(answer), theme.plot(_curves(answer, lines), HEIGHT), legend)


def _captioned(words: str, *content: object) -> pmui.Column:
    return pmui.Column(*content, theme.paragraph(words), sizing_mode="stretch_width", sx={"gap": "12px"})


def _is_whole(answer: Answer) -> bool:
    return answer.statistics is not None and answer.statistics["period_s"].null_count() == answer.statistics.height


def _label(answer: Answer) -> str:
    unit = _unit(answer.statistic, answer.widest["unit"])
    name = STATISTICS.get(answer.statistic, answer.statistic)
    return f"{name} [{unit}]" if unit else name


def _curves(answer: Answer, lines: Sequence[tuple[str, pl.DataFrame]]) -> hv.Overlay:
    unit = _unit(answer.statistic, answer.widest["unit"])
    parts = []
    for colour, (name, rows) in zip(theme.CATEGORIES, lines, strict=False):
        points = rows.select(
            at=pl.col("period_start_at").dt.replace_time_zone(None),
            value=answer.statistic,
            name=pl.lit(name),
            said=pl.col(answer.statistic).map_elements(partial(wording.volume, unit=unit), pl.String, skip_nulls=False),
            start=pl.col("period_start_at").dt.strftime("%Y-%m-%d %H:%M"),
        )
        parts.append(hv.Curve(_interrupted(rows, answer.statistic), "at", "value").opts(color=colour, line_width=1.5))
        parts.append(
            hv.Scatter(points.drop_nulls("value").to_pandas(), "at", ["value", "name", "said", "start"]).opts(
                color=colour,
                size=5,
                hover_tooltips=[
                    ("", "@name"),
                    ("From (UTC)", "@start"),
                    (STATISTICS.get(answer.statistic, ""), "@said"),
                ],
                default_tools=["hover"],
            )
        )
    return hv.Overlay(parts).opts(
        xlabel="Time (UTC)",
        ylabel=_label(answer),
        yformatter=_ticks(),
        show_legend=False,
        padding=(0.01, 0.1),
        responsive=True,
        height=HEIGHT,
        toolbar=None,
        backend_opts={"plot.outline_line_color": None},
    )


def _interrupted(rows: pl.DataFrame, statistic: str) -> Any:
    """Return the points of a line that is interrupted where periods have no samples."""
    points = rows.select("period_end_at", at="period_start_at", value=statistic)
    gaps = points.filter(pl.col("period_end_at") < pl.col("at").shift(-1)).select(
        at="period_end_at", value=pl.lit(None, pl.Float64)
    )
    drawn = pl.concat([points.select("at", pl.col("value").cast(pl.Float64)), gaps]).sort("at", maintain_order=True)
    return drawn.with_columns(pl.col("at").dt.replace_time_zone(None)).to_pandas()


def _bars(answer: Answer) -> hv.Bars:
    assert answer.group is not None, "asked only where there are groups"
    unit = _unit(answer.statistic, answer.widest["unit"])
    bars = [
        (_named(group), value, wording.volume(value, unit))
        for group, value in _drawn(answer).select(answer.group, answer.statistic).rows()
    ]
    return hv.Bars(bars, "group", ["value", "said"]).opts(
        invert_axes=True,
        invert_yaxis=True,
        color=theme.BARS,
        line_color=None,
        xlabel="",
        ylabel=_label(answer),
        yformatter=_ticks(),
        responsive=True,
        height=HEIGHT,
        toolbar=None,
        backend_opts={"plot.outline_line_color": None},
        hover_tooltips=[("", "@group"), (STATISTICS.get(answer.statistic, ""), "@said")],
        default_tools=["hover"],
    )


def _ticks() -> CustomJSTickFormatter:
    return CustomJSTickFormatter(code=f"return {wording.amount_script('tick')}")


def _how_many(answer: Answer) -> str:
    rows = 0 if answer.statistics is None else answer.statistics.height
    if rows > MOST_ROWS:
        return f"Statistics: the first {wording.count(MOST_ROWS)} of {wording.count(rows)} rows; the files have all"
    return f"Statistics: {wording.count(rows)} {'row' if rows == 1 else 'rows'}"


def _shown(answer: Answer) -> pl.DataFrame:
    """Return the rows of the table, with all columns that there may be."""
    if answer.statistics is None:
        return _EMPTY
    shown = answer.statistics.head(MOST_ROWS)
    group = pl.col(answer.group) if answer.group else pl.lit(None, pl.String)
    missing = [pl.lit(None, pl.Float64).alias(name) for name in STATISTICS if name not in shown.columns]
    return shown.with_columns(*missing, group=group.fill_null(_named(None)))


def _hidden(answer: Answer) -> list[str]:
    if answer.statistics is None:
        return []
    told = {"period_start_at", "period_end_at", "unit", *answer.told, *(["group"] if answer.group else [])}
    return [column.field for column in TABLE if column.field not in told]
