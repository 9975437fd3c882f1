"""Reports made again of a former version of the lake, after all that they are made from has changed."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest
from click.testing import CliRunner

import stackanalytics as sa
from stackanalytics import times
from stackanalytics.lake import compact
from stackanalytics.lake.state import StoredReport
from stackanalytics.lake.usage_state import Confirmation, Tenant, UsageState
from stackanalytics.landing import land
from stackanalytics.reports import REPORTS
from stackanalytics.reports.report import Frames, Period, Report
from stackanalytics.reports.store import Run, load, store, versions_of, write_frames
from stackanalytics.sources.chunk import Chunk
from stackanalytics.sources.simulator import Cloud, simulate
from stackanalytics.surfaces.report_command import report as report_command
from stackanalytics.surfaces.verification_store import verify_and_keep

DAY = Period(datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC))
CREATED_AT = DAY.end + timedelta(hours=1)

every_report = pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)


class Changed(NamedTuple):
    """A lake that was changed, its version before, and the reports that were stored before by their names."""

    folder: Path
    version: dict[str, int]
    stored: dict[str, StoredReport]


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Changed:
    """A lake of which every report was stored, and of which everything changed since."""
    folder = tmp_path_factory.mktemp("lake")
    _land(folder, seed=1)
    _tell(folder, status=201, remainder=0, name="before")
    with sa.open_lake(folder) as lake:
        version = lake.version
        stored = {name: store(lake, Run(report, DAY, {}), created_at=CREATED_AT)[0] for name, report in REPORTS.items()}
    _tell(folder, status=500, remainder=1, name="since")
    _land(folder, seed=2)
    compact(folder)
    return Changed(folder, version, stored)


def _land(folder: Path, *, seed: int) -> None:
    faults: dict[str, Any] = {"wrong_flavor": 0.1, "missing_exists": 0.1, "missing_launch": 0.1}
    size: dict[str, Any] = {"hosts": 3, "instances": 15, "operations_per_hour": 60}
    cloud = Cloud(start=DAY.start, seed=seed, exists="hour", repertoire="full", **size, **faults)
    land([Chunk("cloud", 1, list(simulate(cloud, hours=6)))], folder)
    verify_and_keep(folder, service="nova", until=CREATED_AT)
    verify_and_keep(folder, service="glance", until=CREATED_AT)


def _tell(folder: Path, *, status: int, remainder: int, name: str) -> None:
    """Confirm all records with a status, mark some as sent, and give all tenants a name."""
    state = UsageState(folder)
    with sa.open_lake(folder) as lake:
        for service, records in (("nova", sa.exists(lake)), ("glance", sa.image_exists(lake))):
            ids = records["id"].to_list()
            assert ids
            state.confirm(service, [Confirmation(id, None, status) for id in ids], at=times.now())
            state.repair(service, {id: None for id in ids if id % 3 == remainder}, at=times.now())
        tenants = lake.sql("select distinct tenant from notifications where tenant is not null")["tenant"]
    state.put_tenants([Tenant(id, name, {"account_type": name}) for id in tenants], at=times.now())


@every_report
def test_made_again_of_its_versions_every_byte_is_the_same(report: Report, changed: Changed, tmp_path: Path) -> None:
    """Of the versions that a stored report names, and of those that the lake had, its files come out as they are."""
    entry = changed.stored[report.name]
    for place, version in enumerate((versions_of(entry), changed.version)):
        with sa.open_lake(changed.folder, version=version) as former:
            assert {name: former.version[name] for name in version} == version
            write_frames(tmp_path / str(place), report.run(former, DAY))

        assert _bytes(tmp_path / str(place)) == _bytes(changed.folder / entry.path)


@every_report
def test_the_command_makes_a_report_as_of_another(report: Report, changed: Changed) -> None:
    """With --as-of the command writes what the stored report has; storing it again finds it."""
    entry = changed.stored[report.name]
    given = [report.name, "--lake", str(changed.folder), "--end", times.show(DAY.end), "--as-of", str(entry.id)]

    written = CliRunner().invoke(report_command, [*given, "--format", "parquet"], catch_exceptions=False)
    stored = CliRunner().invoke(report_command, [*given, "--store"], catch_exceptions=False)

    with sa.open_lake(changed.folder) as lake:
        assert pl.read_parquet(written.stdout_bytes).equals(load(lake, entry)["rows"])
    assert f"was stored already as report {entry.id}:" in stored.stderr


@every_report
def test_made_of_what_is_there_now_it_is_another(report: Report, changed: Changed) -> None:
    """What changed since would change every report: its old numbers come from the old version."""
    with sa.open_lake(changed.folder) as lake:
        assert not _equal(report.run(lake, DAY), load(lake, changed.stored[report.name]))


@pytest.mark.parametrize("report", [each for each in REPORTS.values() if each.reads], ids=lambda report: report.name)
def test_the_state_alone_makes_the_difference(report: Report, changed: Changed) -> None:
    """Of the old tables, but of tenants, confirmations and repairs of now, a report that reads these is another."""
    entry = changed.stored[report.name]
    with sa.open_lake(changed.folder) as lake:
        tables = {name: version for name, version in versions_of(entry).items() if name in lake.tables}
    with sa.open_lake(changed.folder, version=tables) as former:
        assert not _equal(report.run(former, DAY), load(former, entry))


def test_what_was_forgotten_is_told(changed: Changed, tmp_path: Path) -> None:
    """Where former tenants were deleted with the files of old versions, opening the version says so."""
    folder = shutil.copytree(changed.folder, tmp_path / "lake")
    UsageState(folder).forget(before=times.now())

    with pytest.raises(sa.LakeError, match="does not know the tenants as of version"):
        sa.open_lake(folder, version=changed.version)


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.parquet")}


def _equal(frames: Frames, others: Frames) -> bool:
    return all(frame.equals(others[name]) for name, frame in frames.items())
