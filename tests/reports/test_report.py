"""Periods and options of reports."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

import stackanalytics as sa
from stackanalytics.reports import REPORTS, find_report
from stackanalytics.reports.report import LENGTHS, Length, Period


def utc(*parts: int) -> datetime:
    """Name an instant."""
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]  # year, month, day … in order


@pytest.mark.parametrize(
    ("moment", "length", "start", "end"),
    [
        (utc(2026, 3, 2, 0, 0), "day", utc(2026, 3, 1), utc(2026, 3, 2)),
        (utc(2026, 3, 1, 23, 59), "day", utc(2026, 2, 28), utc(2026, 3, 1)),
        (utc(2026, 3, 2, 7, 59), "hour", utc(2026, 3, 2, 6), utc(2026, 3, 2, 7)),
        (utc(2026, 3, 2, 0, 0), "hour", utc(2026, 3, 1, 23), utc(2026, 3, 2)),
    ],
)
def test_the_last_period_before_a_moment(moment: datetime, length: Length, start: datetime, end: datetime) -> None:
    """A period that is over at the moment itself is the last one."""
    assert Period.before(moment, length) == Period(start, end)


@given(
    days=st.integers(0, 5),
    start=st.integers(0, 800_000).map(lambda hours: utc(1970, 1, 1) + hours * LENGTHS["hour"]),
)
def test_divided_periods_join_without_gap(days: int, start: datetime) -> None:
    """The hours of a period follow each other from its start to its end."""
    hours = Period(start, start + days * LENGTHS["day"]).divided("hour")

    assert len(hours) == 24 * days
    edges = [start, *(hour.end for hour in hours)]
    assert [hour.start for hour in hours] == edges[:-1]


def test_periods_that_are_not_whole_are_refused() -> None:
    """Half an hour is no whole hour."""
    with pytest.raises(sa.InputError, match="are no whole hours"):
        Period(utc(2026, 3, 2), utc(2026, 3, 2, 1, 30)).divided("hour")


def test_unknown_options_are_refused() -> None:
    """What a report cannot be asked with is named, with what it can."""
    with pytest.raises(sa.InputError, match=r"no option region; it has slow_s"):
        find_report("error-details").parameters({"region": "dfw"})


def test_unknown_reports_are_not_found() -> None:
    """A report that does not exist is not found; the message names those that do."""
    with pytest.raises(sa.NotFoundError, match="operation-summary"):
        find_report("nope")


def test_every_report_tells_what_it_is() -> None:
    """Each has a name to ask for, a sentence, and a title of at most the 50 characters that StackTach had."""
    for name, report in REPORTS.items():
        assert report.name == name
        assert report.about.endswith(".")
        assert 0 < len(report.title(report.parameters({}))) <= 50
