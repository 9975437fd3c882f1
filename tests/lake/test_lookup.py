"""Files that cannot have what is asked for are not opened, and nothing is lost by that."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import stackanalytics as sa
from stackanalytics.lake import compact, lookup
from stackanalytics.testing import lake_of, notification

T0 = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a lake of five days with three instances each, of which one is there every day."""
    for day in range(5):
        messages = [
            notification(
                "compute.instance.update",
                T0 + timedelta(days=day, seconds=number),
                instance=instance,
                request_id=f"req-{day}-{number}",
            )
            for number, instance in enumerate(["every-day", f"i-{day}-1", f"i-{day}-2"])
        ]
        lake_of(tmp_path, messages).close()
    return tmp_path


def answers(folder: Path) -> list[list[int]]:
    """Return the ids that searches of each kind find."""
    with sa.open_lake(folder) as lake:
        return [
            sa.events(lake, instance="every-day")["id"].to_list(),
            sa.events(lake, instance="i-3-1")["id"].to_list(),
            sa.events(lake, request_id="req-4-2")["id"].to_list(),
            sa.events(lake, resource="i-0-2")["id"].to_list(),
            sa.events(lake, id=7)["id"].to_list(),
            sa.events(lake, instance="nobody")["id"].to_list(),
            sa.events(lake, instance="i-3-1", request_id="req-0-0")["id"].to_list(),
        ]


EXPECTED = [[1, 4, 7, 10, 13], [11], [15], [3], [7], [], []]


def test_every_row_is_found(folder: Path) -> None:
    """With hashes, without them, and after compaction the same rows are found."""
    assert answers(folder) == EXPECTED

    compact(folder)
    assert answers(folder) == EXPECTED

    shutil.rmtree(folder / "lookup")
    assert answers(folder) == EXPECTED


def test_only_files_that_can_have_the_values_are_opened(folder: Path) -> None:
    """The instance of one day is known to be in its file and in none of the other four."""
    with sa.open_lake(folder) as lake:
        files = [file.path for file in lake.files("notifications")]

    held = lookup.may_hold(folder, files, {"instance": "i-2-1"})

    assert held == [False, False, True, False, False]


def test_a_query_that_asks_less_than_it_says_still_sees_one_snapshot(folder: Path) -> None:
    """What is hidden from one query is there for the next one."""
    with sa.open_lake(folder) as lake:
        narrowed = lake.sql("select count(*) from notifications", holding={"instance": "i-2-1"}).item()
        whole = lake.sql("select count(*) from notifications").item()

    assert (narrowed, whole) == (3, 15)


def test_hashes_of_deleted_files_are_deleted(folder: Path) -> None:
    """After compaction that keeps nothing old there is one file of hashes for each data file."""
    compact(folder)
    compact(folder, keep_hours=0)

    stems = {path.stem for path in folder.glob("notifications/date=*/*.parquet")}

    assert {path.stem for path in (folder / "lookup").glob("*.npy")} == stems
    assert len(stems) == 5


def test_files_without_any_of_a_range_of_ids_are_not_opened(folder: Path) -> None:
    """Each day's file has three ids: those from 4 to 7 are in two of them."""
    with sa.open_lake(folder) as lake:
        seen = lake.sql("select id from notifications order by id", holding={"ids": range(4, 8)})
        assert seen["id"].to_list() == [4, 5, 6, 7, 8, 9]
        assert lake.sql("select id from notifications", holding={"ids": range(16, 20)}).is_empty()
