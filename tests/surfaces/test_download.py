"""Stored reports as files."""

import io
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

import stackanalytics as sa
from stackanalytics.reports import find_report
from stackanalytics.reports.report import Period
from stackanalytics.reports.store import Run, load, store
from stackanalytics.surfaces import download
from stackanalytics.surfaces.route import Request
from stackanalytics.testing import lake_of, notification

NOW = datetime(2026, 3, 3, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path) -> sa.Lake:
    """A lake with a report on one request, stored under the number 1."""
    lake = lake_of(
        tmp_path, [notification("compute.instance.update", "2026-03-02 10:00", instance="i-1", request_id="req-1")]
    )
    store(lake, Run(find_report("operation-summary"), Period.before(NOW, "day"), {}), created_at=NOW)
    return lake


def ask(lake: sa.Lake, part: str, report_id: str = "1") -> Request:
    """Make the request for a part of a report."""
    return Request({"report_id": report_id, "part": part})


def test_parts_are_what_was_stored(lake: sa.Lake) -> None:
    """Parquet gives back the frame with its types, CSV its values."""
    (entry,) = lake.state.reports()
    rows = load(lake, entry)["rows"]

    assert pl.read_parquet(io.BytesIO(download.parquet(lake, ask(lake, "rows"), NOW))).equals(rows)
    first, second = download.csv(lake, ask(lake, "summary"), NOW).decode().splitlines()
    assert first.startswith("requests,failures_4xx,")
    assert second.startswith("1,0,")


@pytest.mark.parametrize(
    ("report_id", "part", "message"),
    [
        ("2", "rows", "no report 2"),
        ("x", "rows", "no report x: its id is a whole number"),
        ("1", "columns", "report 1 has no part 'columns'; it has deployments, rows, summary"),
        ("1", "../1/rows", "report 1 has no part"),
    ],
)
def test_what_is_not_there_is_not_found(lake: sa.Lake, report_id: str, part: str, message: str) -> None:
    """Unknown reports and parts are named."""
    with pytest.raises(sa.NotFoundError, match=message):
        download.parquet(lake, ask(lake, part, report_id), NOW)
