"""Files that cannot have what is asked for are not opened, and nothing is lost by that."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
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
    """The instance of one day is known to be in one row of its file, and in none of the other four files."""
    with sa.open_lake(folder) as lake:
        files = [file.path for file in lake.files("notifications")]

    held = lookup.rows_with(folder, files, {"instance": "i-2-1"})

    nowhere = range(0)
    assert held == [nowhere, nowhere, range(1, 2), nowhere, nowhere]
    assert lookup.rows_with(folder, files[:1], {"instance": "i-0-1", "request_id": "req-0-2"}) == [nowhere]


def test_a_value_is_among_the_rows_from_its_first_to_its_last(tmp_path: Path) -> None:
    """Of six rows, taken four and two at a time, one value is in the second and the fifth."""
    taken = lookup.Collector(("instance", "tenant"))
    taken.add(pa.table({"instance": ["a", "b", None, "c"]}))
    taken.add(pa.table({"instance": ["b", "d"]}))
    taken.save(tmp_path, "file.parquet")

    asked = {name: lookup.rows_with(tmp_path, ["file.parquet"], {"instance": name}) for name in "abcde"}

    assert asked == {"a": [range(1)], "b": [range(1, 5)], "c": [range(3, 4)], "d": [range(5, 6)], "e": [range(0)]}
    assert lookup.rows_with(tmp_path, ["other.parquet"], {"instance": "a"}) == [lookup.ALL_ROWS]


def test_hashes_without_rows_are_as_if_they_were_not_there(folder: Path) -> None:
    """Files of hashes of earlier versions are no hindrance."""
    for path in (folder / "lookup").glob("*.npy"):
        np.save(path, np.load(path)[0])

    assert answers(folder) == EXPECTED


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
        seen = lake.sql("select id from notifications order by id", holding={"id": range(4, 8)})
        assert seen["id"].to_list() == [4, 5, 6, 7, 8, 9]
        assert lake.sql("select id from notifications", holding={"id": range(16, 20)}).is_empty()
