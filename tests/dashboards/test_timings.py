"""The timings page: parameters in, frames out."""

from datetime import UTC, datetime

import holoviews as hv
import panel as pn
import pytest

from dashboards.timings import SLOWEST, Timings
from stackanalytics import Lake

CREATE, DELETE = "compute.instance.create", "compute.instance.delete"


def rows(view: Timings) -> list[tuple[str, int, float | None, int]]:
    """Return operation, finished, median and unfinished of the table of all operations."""
    return view.answer.operations.select("operation", "count", "median_s", "unfinished").rows()


def opened(lake: Lake, **question: object) -> Timings:
    """Return the page as it is once the lake was asked."""
    view = Timings(lambda: lake, **question)
    view.look()
    return view


def test_nothing_is_asked_before_the_page_looks(small_lake: Lake) -> None:
    """Making the page asks nothing, so that making it does not take long."""
    view = Timings(lambda: small_lake)

    assert (view.answer, view.problem) == (None, "")


def test_all_operations_with_what_finished_and_what_did_not(small_lake: Lake) -> None:
    """Creates of 10, 20 and 90 s have the median 20 s; of two deletes one did not end."""
    assert rows(opened(small_lake)) == [(CREATE, 3, 20.0, 0), (DELETE, 1, 3.0, 1)]


def test_deployment_restricts_everything(small_lake: Lake) -> None:
    """In the south there is one create, of 90 s, which is the slowest too; all deployments stay on offer."""
    view = opened(small_lake)

    view.deployment = "south"

    assert rows(view) == [(CREATE, 1, 90.0, 0)]
    assert view.answer.slowest["instance"].to_list() == ["i-3"]
    assert view.answer.deployments["name"].to_list() == ["north", "south"]


def test_period_is_half_open_and_in_utc(small_lake: Lake) -> None:
    """A create that ended at 11:00:20 is in a period that begins then, and not in one that ends then."""
    moment = datetime(2026, 3, 2, 11, 0, 20)

    assert opened(small_lake, start=moment).answer.slowest["instance"].to_list() == ["i-3", "i-2"]
    assert opened(small_lake, end=moment).answer.slowest["instance"].to_list() == ["i-1"]


def test_operation_that_is_looked_at_closely(small_lake: Lake) -> None:
    """The distribution counts each finished one of the operation; the slowest come first; the unfinished are listed."""
    view = opened(small_lake)
    assert view.answer.distribution["count"].sum() == 3
    assert view.answer.slowest["duration_s"].to_list() == [90.0, 20.0, 10.0]
    assert view.answer.unfinished.is_empty()

    view.operation = DELETE

    assert view.answer.slowest["duration_s"].to_list() == [3.0]
    assert view.answer.unfinished["instance"].to_list() == ["i-2"]


def test_at_most_so_many_slowest(small_lake: Lake) -> None:
    """The page asks for no more of the slowest than it shows."""
    assert opened(small_lake).answer.slowest.height <= SLOWEST


def test_answer_follows_the_lake(small_lake: Lake, empty_lake: Lake) -> None:
    """When the lake is at another version, the next look is at that; while it is not, nothing is asked again."""
    lakes = [small_lake]
    view = Timings(lambda: lakes[-1])
    view.look()
    first = view.answer

    view.look()
    assert view.answer is first

    lakes.append(empty_lake)
    view.look()
    assert view.answer.operations.is_empty()


@pytest.mark.parametrize(
    ("chosen", "start"),
    [("Last hour", datetime(2026, 3, 3, 12, 0)), ("Last week", datetime(2026, 2, 24, 13, 0)), ("All time", None)],
)
def test_periods_end_with_the_newest_notification(small_lake: Lake, chosen: str, start: datetime | None) -> None:
    """The last hour is that before 13:00 on March 3rd, when the newest notification was made."""
    view = opened(small_lake, end=datetime(2026, 3, 3))

    view._choose_period({"label": chosen})

    assert (view.start, view.end) == (start, None)


def shown(view: Timings) -> list[str]:
    """Return the headings and messages that are visible."""
    texts = [pane.object for pane in _visible(view.content()) if isinstance(getattr(pane, "object", None), str)]
    return [text.removeprefix("<h2>").removesuffix("</h2>") for text in texts if not text.startswith("<dl>")]


def _visible(part: object) -> list[pn.viewable.Viewable]:
    if not getattr(part, "visible", True):
        return []
    inside = [found for child in getattr(part, "objects", []) for found in _visible(child)]
    return [part, *inside]  # type: ignore[list-item]  # only parts of pages get here


def test_what_is_shown_of_an_operation(small_lake: Lake) -> None:
    """There is a section for each thing that there is to see, and none for what there is not."""
    view = opened(small_lake)
    assert shown(view) == ["Operations", CREATE, "The slowest"]

    view.operation = DELETE
    assert shown(view) == ["Operations", DELETE, "The slowest", "Started, and not ended"]


def test_nothing_in_a_period_is_said_in_words(small_lake: Lake, empty_lake: Lake) -> None:
    """Where there are no timings, words stand in the place of an empty table and an empty plot."""
    assert shown(opened(small_lake, start=datetime(2027, 1, 1))) == ["No timings in this period."]
    assert shown(opened(empty_lake)) == ["No timings in this period."]
    assert shown(opened(small_lake, operation="none")) == [
        "Operations",
        "No timings of this operation in this period.",
    ]


def test_plot_has_a_bar_for_each_class(small_lake: Lake) -> None:
    """Bars are as high as their classes are full, and the axis spans the durations, 10 s to 90 s."""
    view = opened(small_lake)
    plots = [part.object for part in _visible(view.content()) if isinstance(part, pn.pane.HoloViews)]

    bars = plots[0][()]

    assert isinstance(bars, hv.Rectangles)
    assert sum(bars["y1"]) == 3
    assert (min(bars["x0"]), round(max(bars["x1"]), 6)) == (10, 90)


def test_equal_durations_are_not_plotted(small_lake: Lake) -> None:
    """One delete alone has nothing to be spread over; the page shows its figures, and no plot."""
    view = opened(small_lake, operation=DELETE)

    assert not [part for part in _visible(view.content()) if isinstance(part, pn.pane.HoloViews)]


def test_selects_offer_what_there_is_and_what_is_chosen(small_lake: Lake) -> None:
    """An operation that this lake does not know can be shown, since it may come from a shared address."""
    view = opened(small_lake, operation="none")

    select = view.select("operation", "Operation", None, lambda answer: answer.operations["operation"])

    assert (list(select.options), select.value) == ([CREATE, DELETE, "none"], "none")
    select.value = DELETE
    assert view.operation == DELETE


def test_choosing_all_deployments_is_choosing_none(small_lake: Lake) -> None:
    """The option for all is no name: the parameter becomes None."""
    view = opened(small_lake, deployment="south")
    select = view.select("deployment", "Deployment", "All", lambda answer: answer.deployments["name"])
    assert list(select.options) == ["All", "north", "south"]

    select.value = select.options["All"]

    assert view.deployment is None
    assert view.answer.slowest["ended_at"].max() == datetime(2026, 3, 3, 10, 1, 30, tzinfo=UTC)


def test_what_cannot_be_read_is_a_problem_on_the_page(small_lake: Lake) -> None:
    """Where the lake's files are gone, the page says so instead of breaking."""
    for file in small_lake.files("notifications"):
        small_lake.path.joinpath(file.path).unlink()

    view = opened(small_lake)

    assert view.answer is None
    assert "cannot be read" in view.problem
