"""Files that cannot have what is asked for are not opened, and nothing is lost by that."""

import shutil
from collections.abc import Callable
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
    taken = lookup.Collector(("instance", "tenant"), has_ids=False)
    taken.add(pa.table({"instance": ["a", "b", None, "c"]}))
    taken.add(pa.table({"instance": ["b", "d"]}))
    taken.save(tmp_path, "file.parquet")

    asked = {name: lookup.rows_with(tmp_path, ["file.parquet"], {"instance": name}) for name in "abcde"}

    assert asked == {"a": [range(1)], "b": [range(1, 5)], "c": [range(3, 4)], "d": [range(5, 6)], "e": [range(0)]}
    assert lookup.rows_with(tmp_path, ["other.parquet"], {"instance": "a"}) == [lookup.ALL_ROWS]


def test_the_row_of_an_id_is_told_beside_clustered_files(folder: Path) -> None:
    """Of nine notifications of two instances in turns, compacted, the rows are in order of the instance.

    Asked for are all ids, and some that are in no row; each is found in one file, in one row, and in no other.
    """
    day = T0 + timedelta(days=9)
    turns = [
        notification("compute.instance.update", day + timedelta(seconds=number), instance=f"i-{number % 2}")
        for number in range(9)
    ]
    lake_of(folder, turns).close()
    compact(folder)

    with sa.open_lake(folder) as lake:
        *_, file = lake.files("notifications")
        rows = [file.rows_with_id(folder, id) for id in range(16, 25)]
        found = {id: sa.events(lake, id=id)["id"].to_list() for id in (0, 16, 17, 24, 25)}

    assert [row.start for row in rows] == [0, 5, 1, 6, 2, 7, 3, 8, 4]
    assert {len(row) for row in rows} == {1}
    assert file.rows_with_id(folder, 15) == file.rows_with_id(folder, 25) == range(0)
    assert found == {0: [], 16: [16], 17: [17], 24: [24], 25: []}


def test_the_row_of_an_id_follows_from_its_place_where_a_file_has_all_ids_between(tmp_path: Path) -> None:
    """Six notifications of two days in turns are in two landed files with gaps, a later one in one without."""
    turns = [
        notification("compute.instance.update", T0 + timedelta(days=number % 2, seconds=number)) for number in range(6)
    ]
    lake_of(tmp_path, turns).close()
    lake_of(tmp_path, [notification("compute.instance.update", T0 + timedelta(days=5))]).close()

    with sa.open_lake(tmp_path) as lake:
        first, second, third = lake.files("notifications")
        found = [sa.events(lake, id=id)["id"].to_list() for id in range(1, 9)]

    assert first.rows_with_id(tmp_path, 3) == second.rows_with_id(tmp_path, 4) == lookup.ALL_ROWS
    assert third.rows_with_id(tmp_path, 7) == range(1)
    assert third.rows_with_id(tmp_path, 6) == third.rows_with_id(tmp_path, 8) == range(0)
    assert found == [[1], [2], [3], [4], [5], [6], [7], []]


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
    """After compaction that keeps nothing old there are hashes and ids of each data file, and nothing else."""
    compact(folder)
    compact(folder, keep_hours=0)

    stems = {path.stem for path in folder.glob("notifications/date=*/*.parquet")}
    beside = {path.name for path in (folder / "lookup").glob("*.npy")}

    assert beside == {f"{stem}{suffix}.npy" for stem in stems for suffix in ("", ".ids")}
    assert len(stems) == 5


def test_files_without_any_of_a_range_of_ids_are_not_opened(folder: Path) -> None:
    """Each day's file has three ids: those from 4 to 7 are in two of them."""
    with sa.open_lake(folder) as lake:
        seen = lake.sql("select id from notifications order by id", holding={"id": range(4, 8)})
        assert seen["id"].to_list() == [4, 5, 6, 7, 8, 9]
        assert lake.sql("select id from notifications", holding={"id": range(16, 20)}).is_empty()
        assert lake.sql("select id from notifications", holding={"id": range(2**63)}).height == 15


@pytest.mark.parametrize("damage", [lambda content: b"", lambda content: content[:40], lambda content: content[:-4]])
def test_damaged_files_of_hashes_are_told_of_and_not_used(damage: Callable[[bytes], bytes], folder: Path) -> None:
    """Whatever happened to what lies beside the data, the answers are right."""
    compact(folder)
    for path in (folder / "lookup").glob("*.npy"):
        path.write_bytes(damage(path.read_bytes()))

    with pytest.warns(UserWarning, match="is damaged"):
        assert answers(folder) == EXPECTED


def test_what_was_looked_up_is_no_open_file(folder: Path) -> None:
    """However many files have been searched, as many descriptors are open as before."""
    compact(folder)
    with sa.open_lake(folder) as lake:
        sa.events(lake, id=1)
        before = len(list(Path("/proc/self/fd").iterdir()))
        for id in range(1, 16):
            sa.events(lake, id=id)
            sa.events(lake, request_id=f"req-{(id - 1) // 3}-{(id - 1) % 3}")

        assert len(list(Path("/proc/self/fd").iterdir())) <= before
