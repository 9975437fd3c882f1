"""The page of meters: a meter and filters in, statistics and samples out."""

from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import holoviews as hv
import panel as pn
import polars as pl
import pytest

from dashboards.metering import (
    MOST_LINES,
    MOST_POINTS,
    MOST_ROWS,
    NEWEST,
    Metering,
    _bars,
    _curves,
    _figures,
    _groups,
    _hidden,
    _how_many,
    _interrupted,
    _lines,
    _meters,
    _period,
    _picture,
    _shown,
    _undrawn,
)
from stackanalytics import Lake
from stackanalytics.testing import sample, samples_of

FIRST, SECOND = {"resource": "i-1", "tenant": "p-1", "user": "u-1"}, {"resource": "i-2", "tenant": "p-2", "user": "u-2"}
UTIL, CPU, BYTES = {"unit": "%"}, {"unit": "ns", "meter_type": "cumulative"}, {"unit": "B", "meter_type": "delta"}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake with a gauge of two instances, a cumulative meter of one, a delta meter, and one of two units."""
    small, large = {"flavor": {"name": "small", "cores": 1}}, {"flavor": {"name": "large"}, "a.b": 1}
    return samples_of(
        tmp_path,
        [
            sample("cpu_util", "2026-03-02 10:00", 10, metadata=small, **UTIL, **FIRST),
            sample("cpu_util", "2026-03-02 10:30", 20, metadata=small, **UTIL, **FIRST),
            sample("cpu_util", "2026-03-02 12:00", 60, metadata=small, **UTIL, **FIRST),
            sample("cpu_util", "2026-03-02 10:00", 90, metadata=large, **UTIL, **SECOND),
            sample("cpu", "2026-03-02 10:00", 1000, **CPU, **FIRST),
            sample("cpu", "2026-03-02 10:30", 4600, **CPU, **FIRST),
            sample("bytes", "2026-03-02 10:00", 3, **BYTES, **FIRST),
            sample("bytes", "2026-03-02 10:10", 4, **BYTES, **FIRST),
            sample("disk", "2026-03-02 10:00", 7, unit="GB", **FIRST),
            sample("disk", "2026-03-02 10:00", 8, unit="GB", **SECOND),
            sample("disk", "2026-03-02 10:00", 9, unit="MB", **FIRST),
        ],
    )


def opened(lake: Lake, **question: object) -> Metering:
    """Return the page as it is once the lake was asked."""
    view = Metering(lambda: lake, **question)
    view.look()
    return view


def test_meters_are_offered_with_type_and_unit(lake: Lake) -> None:
    """Nothing is asked of a meter before one is chosen; a meter of two units is offered once, with both."""
    answer = opened(lake).answer

    assert answer.statistics is None
    assert list(_meters(answer.offered.meters)) == [
        "bytes (delta, B)",
        "cpu (cumulative, ns)",
        "cpu_util (gauge, %)",
        "disk (gauge, GB; gauge, MB)",
    ]
    assert answer.offered.projects["tenant"].to_list() == ["p-1", "p-2"]
    assert answer.offered.users["user"].to_list() == ["u-1", "u-2"]


@pytest.mark.parametrize(
    ("meter", "statistic", "figures"),
    [
        # (10 + 20 + 60 + 90) / 4
        ("cpu_util", "avg", [("Samples", "4"), ("Lowest", "10 %"), ("Mean", "45 %"), ("Highest", "90 %")]),
        # 3600 ns in half an hour
        ("cpu", "rate", [("Samples", "2"), ("Increase", "3,600 ns"), ("Rate", "2 ns/s")]),
        ("bytes", "sum", [("Samples", "2"), ("Sum", "7 B")]),
    ],
)
def test_what_is_drawn_suits_the_type(lake: Lake, meter: str, statistic: str, figures: list[tuple[str, str]]) -> None:
    """The mean of a gauge is drawn, the rate of a cumulative meter, the sum of a delta, and its figures tell these."""
    answer = opened(lake, meter=meter).answer

    assert answer.statistic == statistic
    assert _figures(answer)[: len(figures)] == figures
    assert statistic not in _hidden(answer)


def test_a_statistic_that_is_chosen_is_drawn_and_shown(lake: Lake) -> None:
    """Any statistic can be drawn, which then is in the figures and in the table, too."""
    view = opened(lake, meter="cpu_util")
    assert "time_weighted_avg" in _hidden(view.answer)

    view.statistic = "time_weighted_avg"

    assert view.answer.statistic == "time_weighted_avg"
    assert "Time-weighted mean" in dict(_figures(view.answer))
    assert "time_weighted_avg" not in _hidden(view.answer)


@pytest.mark.parametrize(
    ("question", "volumes"),
    [
        ({"project": "p-2"}, [90]),
        ({"user": "u-1"}, [60, 20, 10]),
        ({"resource": "i-1", "query": "volume>10"}, [60, 20]),
        ({"query": "metadata.flavor.cores=1;timestamp<2026-03-02T12:00"}, [20, 10]),
        ({"start": datetime(2026, 3, 2, 10, 30)}, [60, 20]),
        ({"end": datetime(2026, 3, 2, 10, 30)}, [10, 90]),
    ],
)
def test_filters_restrict_everything(lake: Lake, question: dict[str, object], volumes: list[float]) -> None:
    """Statistics and samples are of what meets all filters; times are half open and in UTC."""
    answer = opened(lake, meter="cpu_util", **question).answer

    assert answer.samples["volume"].to_list() == volumes
    assert answer.overall["sum"].to_list() == [sum(volumes)]
    assert answer.statistics["sum"].sum() == sum(volumes)


def test_what_is_wrong_with_a_query_is_told_beside_it(lake: Lake) -> None:
    """A query that cannot be read leaves everything to choose in its place; cleared, it asks nothing."""
    view = opened(lake, meter="cpu_util", query="flavour=1")
    assert "flavour" in view.answer.query_problem
    assert "valid keys" in view.answer.query_problem
    assert view.answer.statistics is None
    assert view.answer.offered.meters.height == 5

    view.query = ""

    assert view.answer.query_problem == ""
    assert view.answer.samples.height == 4


@pytest.mark.parametrize(
    ("field", "question"),
    [
        ("resource_id", {"resource": "i-1"}),
        ("meter", {}),
        ("timestamp", {"end": datetime(2026, 3, 3)}),
    ],
)
def test_nothing_is_asked_twice(lake: Lake, field: str, question: dict[str, object]) -> None:
    """What is chosen above cannot be contradicted by the query, of which one would win silently."""
    sign = ">" if field == "timestamp" else "="

    answer = opened(lake, meter="cpu_util", query=f"{field}{sign}2026-01-01", **question).answer

    assert answer.query_problem == f"{field} is chosen above already: leave it out here, or clear it there"


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({"timezone": "Mars", "period": "day"}, "no time zone"),
        ({"period": "decade"}, "hour"),
        ({"period": "0"}, "positive"),
    ],
)
def test_what_else_cannot_be_used_is_a_problem_in_words(lake: Lake, question: dict[str, object], said: str) -> None:
    """What only an address can hold is told of; nothing fails."""
    view = opened(lake, meter="cpu_util", **question)

    assert view.answer is None
    assert said in view.problem


@pytest.mark.parametrize(
    ("chosen", "duration_s", "period"),
    [
        (None, [0], 60.0),
        (None, [6 * 3600, None], 60.0),
        (None, [86_400], 300.0),
        (None, [31 * 86_400], "hour"),
        (None, [400 * 86_400], "day"),
        (None, [10_000 * 86_400], "month"),
        (None, [], 60.0),
        ("90", [0], 90.0),
        ("week", [0], "week"),
        ("none", [0], None),
    ],
)
def test_periods_suit_what_is_asked_about(
    chosen: str | None, duration_s: list[float], period: float | str | None
) -> None:
    """A chosen period counts; else it is the longer, the longer the time between the first and the last sample."""
    overall = pl.DataFrame({"duration_s": duration_s}, schema={"duration_s": pl.Float64})

    assert _period(chosen, overall) == period


def test_days_are_those_of_a_time_zone(lake: Lake) -> None:
    """In Kiritimati (UTC+14) March 3rd begins at 10:00 UTC of March 2nd."""
    answer = opened(lake, meter="cpu_util", period="day", timezone="Pacific/Kiritimati").answer

    assert answer.statistics["period_start_at"].to_list() == [datetime(2026, 3, 2, 10, tzinfo=UTC)]


def test_a_line_is_interrupted_where_nothing_was_measured(lake: Lake) -> None:
    """Hours from 10 to 12 of which 11 has no sample are two pieces of a line, not one."""
    answer = opened(lake, meter="cpu_util", period="hour", resource="i-1").answer

    points = _interrupted(answer.statistics, "avg")

    assert [value if value == value else None for value in points["value"]] == [15, None, 60]


def test_groups_are_lines_with_the_largest_first(lake: Lake) -> None:
    """The mean of i-2 (90) is above that of i-1 (30); each has a line and points of its own."""
    answer = opened(lake, meter="cpu_util", group="resource", period="hour").answer
    lines = _lines(answer)

    assert [(name, rows["avg"].to_list()) for name, rows in lines] == [("i-2", [90]), ("i-1", [15, 60])]
    plot = _curves(answer, lines)
    assert [type(part) for part in plot] == [hv.Curve, hv.Scatter] * 2
    assert hv.render(plot).yaxis[0].axis_label == "Mean [%]"
    assert hv.render(plot).xaxis[0].axis_label == "Time (UTC)"
    assert _shown(answer)["group"].to_list() == ["i-1", "i-2", "i-1"]
    assert "group" not in _hidden(answer)
    assert _undrawn(answer) == ""


def test_groups_without_a_period_are_bars(lake: Lake) -> None:
    """One value a group is drawn as a bar; one value alone is drawn not at all."""
    answer = opened(lake, meter="cpu_util", group="project", period="none").answer

    assert list(zip(*(_bars(answer).dimension_values(name) for name in ("group", "value")), strict=True)) == [
        ("p-2", 90.0),
        ("p-1", 30.0),
    ]
    assert _plots(opened(lake, meter="cpu_util", group="project", period="none")) == 1
    assert _plots(opened(lake, meter="cpu_util", period="none")) == 0
    assert _plots(opened(lake, meter="cpu_util")) == 1


@pytest.mark.parametrize(
    ("question", "plots"),
    [({"meter": "cpu_util", "group": "metadata.none"}, 0), ({"meter": "cpu", "query": "volume=1000"}, 1)],
)
def test_what_cannot_be_drawn_breaks_nothing(lake: Lake, question: dict[str, object], plots: int) -> None:
    """Where nothing has the metadata there is no plot; the rate of one sample is a plot without points."""
    view = opened(lake, **question)

    assert view.problem == ""
    assert _plots(view) == plots
    for pane in view.content().select(pn.pane.HoloViews):
        hv.render(pane.object)


def test_too_many_points_are_not_drawn(tmp_path: Path) -> None:
    """Beyond what a browser can draw there are words in the place of the plot, until the period is longer."""
    begin = datetime(2026, 3, 2, tzinfo=UTC)
    minutes = [begin + timedelta(minutes=number) for number in range(MOST_POINTS + 1)]
    view = opened(samples_of(tmp_path, [sample("load", at, 1) for at in minutes]), meter="load", period="60")

    assert _plots(view) == 0
    assert "20,001 points are not drawn, as more than 20,000 would be" in " ".join(_visible(_picture(view.answer)))

    view.period = "hour"

    assert _plots(view) == 1


def _plots(view: Metering) -> int:
    return len(list(view.content().select(pn.pane.HoloViews)))


def test_what_is_not_drawn_is_told(tmp_path: Path) -> None:
    """Of ten groups the eight largest are drawn, and the page says so; who is not known is a group as well."""
    lake = samples_of(
        tmp_path,
        [sample("load", "2026-03-02", number, tenant=f"p-{number}" if number else None) for number in range(10)],
    )
    answer = opened(lake, meter="load", group="project").answer

    assert [name for name, _ in _lines(answer)] == [f"p-{number}" for number in range(9, 1, -1)]
    assert _undrawn(answer) == (
        f"{MOST_LINES} of 10 groups are drawn, those whose mean over all time is highest. The table has all of them."
    )
    assert set(_shown(answer)["group"]) == {"not known", *(f"p-{number}" for number in range(1, 10))}
    assert [
        name for name, _ in _lines(opened(lake, meter="load", group="project", end=None, query="volume<1").answer)
    ] == ["not known"]


def test_units_are_not_drawn_together(lake: Lake) -> None:
    """Of two units that of more samples is drawn; the table has both, and the page says so."""
    answer = opened(lake, meter="disk").answer

    assert [rows["unit"].to_list() for _, rows in _lines(answer)] == [["GB"]]
    assert _undrawn(answer) == "Only what is measured in GB is drawn; the table has MB, too."
    assert sorted(_shown(answer)["unit"]) == ["GB", "MB"]


def test_metadata_can_be_grouped_by(lake: Lake) -> None:
    """Paths are offered as samples have them, but no names that would be read as paths; what lacks them is told of."""
    view = opened(lake, meter="cpu_util")
    assert _groups(view.answer) == [
        *("resource", "project", "user", "source"),
        *("metadata.flavor.cores", "metadata.flavor.name"),
    ]

    view.group = "metadata.flavor.cores"

    assert [(name, rows["sum"].sum()) for name, rows in _lines(view.answer)] == [("1", 90)]
    assert _undrawn(view.answer) == "Samples without such metadata are in no group."


def test_files_have_all_rows(tmp_path: Path) -> None:
    """A table that is too long is cut, which its title says; the files have all rows, under a name that can be one."""
    begin = datetime(2026, 3, 2, tzinfo=UTC)
    instants = [begin + timedelta(minutes=number) for number in range(MOST_ROWS + 1)]
    lake = samples_of(tmp_path, [sample("load:a/b", at, number) for number, at in enumerate(instants)])
    view = opened(lake, meter="load:a/b", period="60")

    assert _how_many(view.answer) == "Statistics: the first 2,000 of 2,001 rows; the files have all"
    assert _shown(view.answer).height == MOST_ROWS
    assert view.answer.samples.height == NEWEST
    button = view._download("csv")
    assert button.filename == "load-a-b.csv"
    assert pl.read_csv(button.callback())["sum"].to_list() == [float(number) for number in range(MOST_ROWS + 1)]
    assert pl.read_parquet(BytesIO(view._download("parquet").callback().read())).equals(view.answer.statistics)


def test_nothing_is_said_in_words(tmp_path: Path, lake: Lake) -> None:
    """An empty lake tells how to get samples; a meter without any that meet the filters tells that."""
    empty = samples_of(tmp_path / "empty", [])

    assert "There are no samples yet." in _said(opened(empty))
    assert "There are no such samples of this meter." in _said(opened(lake, meter="cpu_util", project="nobody"))
    assert "There are no such samples of this meter." in _said(opened(lake, meter="none"))
    assert "There are no" not in _said(opened(lake, meter="cpu_util"))


def _said(view: Metering) -> str:
    return " ".join(_visible(view.content()))


def _visible(part: object) -> list[str]:
    if not getattr(part, "visible", True):
        return []
    text = getattr(part, "object", None)
    inside = [found for child in getattr(part, "objects", []) for found in _visible(child)]
    return [text, *inside] if isinstance(text, str) else inside
