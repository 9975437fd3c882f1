"""Stored reports: snapshots that stay as they are."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

import stackanalytics as sa
from stackanalytics.lake.usage_state import Tenant
from stackanalytics.reports import find_report
from stackanalytics.reports.report import Period
from stackanalytics.reports.store import Run, due_runs, load, store, store_missing, stored_report, write_frames
from stackanalytics.surfaces.report_command import report
from stackanalytics.testing import lake_of, notification

T0 = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = Period(datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC))
RUN = Run(find_report("operation-summary"), DAY, {})


def update(number: int, at: datetime = T0) -> dict[str, object]:
    """Make an update of an instance by a request of its own."""
    return notification("compute.instance.update", at, instance=f"i-{number}", request_id=f"req-{number}")


@pytest.fixture
def lake(tmp_path: Path) -> sa.Lake:
    """A lake with one request."""
    return lake_of(tmp_path, [update(1)])


def test_a_stored_report_is_read_back(lake: sa.Lake) -> None:
    """Its frames are those that the report gives, its entry tells all that it was made from."""
    entry, is_new = store(lake, RUN, created_at=T0)

    assert is_new
    frames = load(lake, entry)
    assert frames.keys() == {"rows", "summary", "deployments"}
    assert frames["rows"].equals(sa.operation_summary(lake, start=DAY.start, end=DAY.end))
    assert (entry.name, entry.version, entry.created_at) == ("summary for region: all", 4, T0)
    assert (entry.period_start, entry.period_end) == (DAY.start, DAY.end - timedelta(seconds=1))
    assert entry.tables == '{"dead_letters": 0, "notifications": 1, "reconciliations": 0, "verifications": 0}'


def test_the_same_of_the_same_versions_is_not_stored_twice(lake: sa.Lake) -> None:
    """Asked again, the entry is found; after new data arrived there is a new report beside the old one."""
    first, _ = store(lake, RUN, created_at=T0)
    again, is_new = store(lake, RUN, created_at=T0 + timedelta(hours=1))
    assert (again, is_new) == (first, False)

    later = lake_of(lake.path, [update(2)])
    second, is_new = store(later, RUN, created_at=T0)

    assert is_new
    assert load(later, second)["summary"]["requests"].item() == 2
    assert load(later, first)["summary"]["requests"].item() == 1


def test_what_was_told_of_tenants_since_makes_another_report(lake: sa.Lake) -> None:
    """A report that names tenants is made again once tenants were told, though the tables are the same."""
    run = Run(find_report("instance-hours"), DAY, {})
    first, _ = store(lake, run, created_at=T0)
    assert store(lake, run, created_at=T0) == (first, False)

    lake.usage_state.put_tenants([Tenant("acme", "Acme", {})], at=T0)

    assert json.loads(first.tables)["tenants"] == 0
    assert [is_new for _, is_new in (store(lake, run, created_at=T0), store(lake, RUN, created_at=T0))] == [True, True]
    assert [store(lake, each, created_at=T0)[1] for each in (run, RUN)] == [False, False]


def test_an_old_version_gives_the_old_numbers_in_equal_bytes(lake: sa.Lake) -> None:
    """Made again from the versions that a stored report names, after new data, every file has the same bytes."""
    first, _ = store(lake, RUN, created_at=T0)
    lake_of(lake.path, [update(2)]).close()

    with sa.open_lake(lake.path, version=lake.version) as former:
        write_frames(former.path / "again", RUN.report.run(former, DAY))

    assert contents(lake.path / "again") == contents(lake.path / first.path)


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder by their names."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_only_what_is_missing_is_made(lake: sa.Lake) -> None:
    """Filling a range again stores nothing; progress counts what was there as well."""
    hours = [Run(RUN.report, hour, {}) for hour in DAY.divided("hour")[:3]]
    seen: list[int] = []

    first = store_missing(lake, hours[:2], now=lambda: T0)
    second = store_missing(lake, hours, now=lambda: T0, on_progress=seen.append)

    assert [len(first), len(second), seen] == [2, 1, [1, 2, 3]]


def test_reports_are_due_from_the_last_one_stored_on(tmp_path: Path) -> None:
    """A first time the last day is due, after a gap every day since; days that the lake has nothing of are not."""
    with lake_of(tmp_path, [update(day, T0 + timedelta(days=day)) for day in range(4)]) as lake:
        assert days_due(lake, T0 + timedelta(days=1)) == [DAY.start]
        store_missing(lake, due_runs(lake, T0 + timedelta(days=1)), now=lambda: T0)
        assert days_due(lake, T0 + timedelta(days=1)) == []

        assert days_due(lake, T0 + timedelta(days=9)) == [DAY.start + timedelta(days=n) for n in (1, 2, 3)]


def days_due(lake: sa.Lake, moment: datetime) -> list[datetime]:
    """Return the days of which the details of errors are due."""
    return [run.period.start for run in due_runs(lake, moment) if run.report.name == "error-details"]


def test_runs_at_the_same_time_store_once(lake: sa.Lake) -> None:
    """Four processes that store the same reports at once leave one of each."""
    command = [sys.executable, "-m", "stackanalytics", "report", "operation-summary", "--lake", str(lake.path)]
    command += ["--period", "hour", "--start", "2026-03-02", "--end", "2026-03-02 06:00", "--store"]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
    assert [process.communicate() and process.returncode for process in running] == [0] * 4

    stored = lake.state.reports()
    assert len(stored) == len({entry.period_start for entry in stored}) == 6
    assert len(list((lake.path / "reports").glob("*/rows.parquet"))) == 6


def test_unknown_and_lost_reports(lake: sa.Lake) -> None:
    """A number that no report has is not found; files that are gone are an error of the lake."""
    with pytest.raises(sa.NotFoundError, match="no report 7"):
        stored_report(lake, 7)
    entry, _ = store(lake, RUN, created_at=T0)
    (lake.path / entry.path / "rows.parquet").write_bytes(b"not Parquet")
    with pytest.raises(sa.LakeError, match="cannot be read"):
        load(lake, entry)


@pytest.mark.parametrize("arguments", [["--out", "r.csv"], ["--format", "csv", "--region", "a", "--region", "b"]])
def test_one_report_is_written_to_a_file(lake: sa.Lake, arguments: list[str], tmp_path: Path) -> None:
    """A table is not written to a file, nor several reports to one: nothing is left out in silence."""
    given = [*arguments, *([] if "--out" in arguments else ["--out", str(tmp_path / "r.csv")])]
    with pytest.raises(sa.InputError, match="--out takes one report"):
        CliRunner().invoke(report, ["operation-summary", "--lake", str(lake.path), *given], catch_exceptions=False)
