"""Compaction changes where rows lie and nothing that anybody is told."""

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from stackanalytics import Lake, LakeError, open_lake, times
from stackanalytics.lake import Compacted, compact
from stackanalytics.lake.usage_state import Tenant, UsageState
from stackanalytics.testing import lake_of, notification

EVERYTHING = "select * from notifications order by id"


def _messages(start: int, count: int) -> list[dict[str, Any]]:
    return [
        notification(
            "compute.instance.update",
            f"2026-03-{number % 2 + 1:02} 10:00:{number % 60:02}",
            instance=f"i-{number * 7 % 10}" if number % 5 else None,
            message_id=f"m{number}",
        )
        for number in range(start, start + count)
    ]


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of twenty messages on two days and three dead letters, landed in five goes."""
    folder = tmp_path_factory.mktemp("landed") / "lake"
    for number in range(0, 20, 4):
        letters = [{"nonsense": number}] if number % 8 == 0 else []
        lake_of(folder, [*_messages(number, 4), *letters]).close()
    return folder


@pytest.fixture
def folder(landed: Path, tmp_path: Path) -> Path:
    """A copy of that lake."""
    return shutil.copytree(landed, tmp_path / "lake")


def _files(lake: Lake) -> list[tuple[date, int, int | None, int | None]]:
    return [(file.day, file.rows, file.first_id, file.last_id) for file in lake.files("notifications")]


def test_same_rows_in_few_files(folder: Path) -> None:
    """Each day becomes one file, and every query gives what it gave."""
    with open_lake(folder) as lake:
        before, letters = lake.sql(EVERYTHING), lake.sql("select * from dead_letters order by key")
        assert len(lake.files("notifications")) == 10
    done = compact(folder)
    with open_lake(folder) as lake:
        assert lake.sql(EVERYTHING).equals(before)
        assert lake.sql("select * from dead_letters order by key").equals(letters)
        assert _files(lake) == [(date(2026, 3, 1), 10, 1, 19), (date(2026, 3, 2), 10, 2, 20)]
    assert (done.days, done.files_before, done.files_after) == (3, 13, 3)


def test_days_are_clustered(folder: Path) -> None:
    """Inside a file the rows of an instance are together, in order of time; those without one come last."""
    compact(folder)
    with open_lake(folder) as lake:
        for file in lake.files("notifications"):
            rows = pl.DataFrame(pq.read_table(file.path, columns=["instance", "generated_at"]))
            assert rows.equals(rows.sort("instance", "generated_at", nulls_last=True))


def test_compacting_again_does_nothing(folder: Path) -> None:
    """What is compact stays as it is: no file is written, no version made."""
    compact(folder)
    with open_lake(folder) as lake:
        assert compact(folder) == Compacted()
        assert lake.refresh() is lake


def test_only_days_with_news_are_rewritten(folder: Path) -> None:
    """Landing into one of two compact days makes only that one be compacted again."""
    compact(folder)
    news = notification("compute.instance.update", "2026-03-02 12:00", message_id="news")
    with lake_of(folder, [news]) as lake:
        untouched = lake.files("notifications")[0].path
    assert compact(folder).days == 1
    with open_lake(folder) as lake:
        assert [file.rows for file in lake.files("notifications")] == [10, 11]
        assert lake.files("notifications")[0].path == untouched


def test_readers_and_noted_versions_live_on(folder: Path) -> None:
    """A lake that was open before, and the version that it had, answer as before."""
    with open_lake(folder) as lake:
        before = lake.sql(EVERYTHING)
        compact(folder)
        assert lake.sql(EVERYTHING).equals(before)
        with open_lake(folder, version=lake.version) as former:
            assert former.sql(EVERYTHING).equals(before)
            assert len(former.files("notifications")) == 10


def test_files_are_kept_until_their_time(folder: Path) -> None:
    """Files that only former versions need are deleted when these are older than is asked for."""
    assert compact(folder).files_deleted == 0
    assert len(list(folder.glob("notifications/*/*.parquet"))) == 12
    with open_lake(folder) as lake:
        before = lake.sql(EVERYTHING)
    assert compact(folder, keep_hours=0).files_deleted == 13
    assert len(list(folder.glob("notifications/*/*.parquet"))) == 2
    with open_lake(folder) as lake:
        assert lake.sql(EVERYTHING).equals(before)


def test_former_tenants_are_kept_until_their_time(folder: Path) -> None:
    """What was known of tenants can be read as of former versions for as long as files of these are kept."""
    state = UsageState(folder)
    state.put_tenants([Tenant("5", "before", {})], at=times.now())
    with open_lake(folder) as lake:
        version = lake.version
    state.put_tenants([Tenant("5", "since", {})], at=times.now())
    compact(folder, keep_hours=1)
    with open_lake(folder, version=version) as former:
        assert [tenant.name for tenant in former.usage_state.tenants()] == ["before"]
        compact(folder, keep_hours=0)
        with pytest.raises(LakeError, match="does not know the tenants as of version"):
            former.usage_state.tenants()


def test_landing_goes_on(folder: Path) -> None:
    """After a compaction ids go on where they were, and what is known stays known, with or without keys."""
    compact(folder, keep_hours=0)
    with lake_of(folder, _messages(15, 10)) as lake:
        assert lake.sql("select id, message_id from notifications order by id").rows() == [
            (number + 1, f"m{number}") for number in range(25)
        ]
    for run in (folder / "keys").glob("*.npy"):
        run.unlink()
    with lake_of(folder, [*_messages(0, 26), {"nonsense": 8}]) as lake:
        assert lake.sql("select count(*), max(id) from notifications").row(0) == (26, 26)
        assert lake.sql("select count(*) from dead_letters").item() == 3


def test_checkpoints(folder: Path) -> None:
    """A log that Delta folds into a checkpoint, as it does each hundred versions, keeps rows and ids."""
    log = folder / "notifications" / "_delta_log"
    DeltaTable(str(log.parent)).create_checkpoint()
    assert list(log.glob("*.checkpoint.parquet"))
    for entry in log.glob("*.json"):
        if int(entry.stem) < 5:
            entry.unlink()
    compact(folder, keep_hours=0)
    with lake_of(folder, _messages(15, 10)) as lake:
        found = lake.sql("select id, message_id from notifications order by id").rows()
    assert found == [(number + 1, f"m{number}") for number in range(25)]


def test_progress(folder: Path) -> None:
    """Progress is told after each day, and sums up to the result."""
    told: list[int] = []
    done = compact(folder, on_progress=lambda so_far: told.append(so_far.days))
    assert told == [1, 2, 3]
    assert done.days == 3
    assert done.bytes_before > done.bytes_after > 0


def test_an_empty_lake(tmp_path: Path) -> None:
    """A lake without data is compact."""
    lake_of(tmp_path, []).close()
    assert compact(tmp_path) == Compacted()
