"""The summary for a region."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import stackanalytics as sa
from stackanalytics.reports import find_report
from stackanalytics.reports.report import Period
from stackanalytics.testing import lake_of, notification

T0 = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = Period(datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC))
LINUX = {"image_type": "base", "os_type": "linux"}


def attempt(number: int, seconds: float, meta: dict[str, str] = LINUX, name: str = "create", **last: Any) -> list[Any]:
    """Make what one request tells: an update, and so many seconds later the last notification."""
    about = {
        "instance": f"i-{number}",
        "request_id": f"req-{number}",
        "deployment": "c0001" if number % 2 else "global",
    }
    end = {"event_type": f"compute.instance.{name}.end", "image_meta": meta, **last}
    return [
        notification("compute.instance.update", T0, image_meta=meta, **about),
        notification(end.pop("event_type"), T0 + timedelta(seconds=seconds), **about, **end),
    ]


def error(number: int, seconds: float, *, code: int | None = None, **last: Any) -> list[Any]:
    """Make what a request tells that ended with an exception."""
    kwargs = {} if code is None else {"code": code}
    payload = {"instance_id": f"i-{number}", "exception": {"kwargs": kwargs}, "image_meta": LINUX, **last}
    return attempt(number, seconds, payload=payload, routing_key="notifications.error")


NINE_ATTEMPTS = [
    *attempt(1, 60),
    *attempt(2, 3605),
    *error(3, 70, code=500),
    *error(4, 75, code=404),
    *error(5, 75),
    *attempt(6, 20, event_type="compute.instance.update", name="create", old_state="building", state="error"),
    *error(7, 90, code=501, old_state="building", state="error"),
    *attempt(8, 224, {"image_type": "snapshot", "os_type": "windows"}, name="snapshot"),
    *attempt(9, 5, {"image_type": "import"}, name="reboot"),
]
# the sixth fails on its way: its operation is told by a start
NINE_ATTEMPTS.insert(
    11,
    notification("compute.instance.create.start", T0, instance="i-6", request_id="req-6", deployment="global"),
)


@pytest.fixture
def lake(tmp_path: Path) -> sa.Lake:
    """A lake of nine attempts."""
    return lake_of(tmp_path, NINE_ATTEMPTS)


def test_the_known_summary_of_nine_attempts(lake: sa.Lake) -> None:
    """Durations, failures and their shares are those that StackTach gave for the same nine attempts."""
    found = sa.operation_summary(lake, start=DAY.start, end=DAY.end)

    names = ("action", "image_kind", "os_type", "min_s", "max_s", "median_s", "percentile_s", "requests")
    assert found.select(names).rows() == [
        ("aux", "snap", "?", 5.0, 5.0, 5.0, 5.0, 1),
        ("create", "base", "linux", 20.0, 3605.0, 75.0, 3605.0, 7),
        ("snapshot", "snap", "windows", 224.0, 224.0, 224.0, 224.0, 1),
    ]
    create = found.filter(action="create").row(0, named=True)
    assert {kind: create[f"failures_{kind}"] for kind in ("4xx", "5xx", "slow", "state", "http")} == {
        "4xx": 1,
        "5xx": 2,
        "slow": 1,
        "state": 1,
        "http": 1,
    }
    assert create["share_5xx"] == 2 / 7


def test_totals_count_the_four_kinds_of_failure(lake: sa.Lake) -> None:
    """Of nine attempts five failed in one of StackTach's four ways; the error without a code is told apart."""
    (total,) = find_report("operation-summary").run(lake, DAY)["summary"].to_dicts()

    assert (total["requests"], total["failures"], total["failures_http"]) == (9, 5, 1)
    assert total["share"] == 5 / 9


@pytest.mark.parametrize(("percentile", "expected"), [(1, 20.0), (50, 75.0), (97, 3605.0), (100, 3605.0)])
def test_a_percentile_is_one_of_the_durations(lake: sa.Lake, percentile: float, expected: float) -> None:
    """Of the seven creates of 20, 60, 70, 75, 75, 90 and 3605 s, the one at that share of their number."""
    found = sa.operation_summary(lake, start=DAY.start, end=DAY.end, percentile=percentile)

    assert found.filter(action="create")["percentile_s"].to_list() == [expected]


@pytest.mark.parametrize("percentile", [0, -1, 100.5])
def test_impossible_percentiles_are_refused(lake: sa.Lake, percentile: float) -> None:
    """A percentile lies above 0 and at most at 100."""
    with pytest.raises(sa.InputError, match="above 0 and at most 100"):
        sa.operation_summary(lake, start=DAY.start, end=DAY.end, percentile=percentile)


def test_a_period_without_requests_has_no_rows_and_rates_of_nothing(lake: sa.Lake) -> None:
    """An empty period gives an empty frame with all columns, and totals of zero."""
    frames = find_report("operation-summary").run(lake, Period(DAY.end, DAY.end + timedelta(days=1)))

    assert frames["rows"].height == 0
    assert frames["summary"].select("requests", "failures", "share").rows() == [(0, 0, 0.0)]
