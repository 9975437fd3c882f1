"""Rows come out in order whether they fit into memory or not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackanalytics.errors import LakeError
from stackanalytics.lake import compact, compaction, sorting
from stackanalytics.lake.delta import FileWriter
from stackanalytics.lake.sorting import sorted_rows
from stackanalytics.testing import lake_of, notification

SCHEMA = pa.schema([("instance", pa.string()), ("id", pa.int64()), ("body", pa.string())])
ORDER = ("instance", "id")

Written = Callable[[list[list[str | None]]], list[str]]

instances = st.none() | st.sampled_from(["", "a", "b", "é", "\U0001f600"])
# of each file
contents = st.lists(st.lists(instances, min_size=1, max_size=30), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Return a function that writes files of rows of instances, ids going down, and returns their paths."""

    def write(files: list[list[str | None]]) -> list[str]:
        folder, id = tmp_path_factory.mktemp("files"), sum(map(len, files))
        paths = []
        for number, file in enumerate(files):
            ids = list(range(id, id - len(file), -1))
            id -= len(file)
            rows = {"body": [f"body {id}" for id in ids], "id": ids, "instance": file}
            paths.append(str(folder / f"{number}.parquet"))
            pq.write_table(pa.table(rows, schema=pa.schema([SCHEMA.field(name) for name in rows])), paths[-1])
        return paths

    return write


@pytest.fixture
def spilled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many buckets were made each time that rows were distributed."""
    counts: list[int] = []
    distribute = sorting._distribute

    def counted(*args: Any) -> Any:
        buckets = distribute(*args)
        counts.append(len(buckets))
        return buckets

    monkeypatch.setattr(sorting, "_distribute", counted)
    return counts


@given(contents, st.integers(40, 4_000))
def test_in_buckets_or_at_once(written: Written, files: list[list[str | None]], memory_bytes: int) -> None:
    """However many buckets there are, all rows come out once, in order, nulls last, in the columns asked for."""
    paths = written(files)
    spill = Path(paths[0]).parent / "spill"
    expected = pl.concat([pl.read_parquet(path) for path in paths]).sort("instance", "id", nulls_last=True)

    found = list(sorted_rows(paths, SCHEMA, ORDER, spill, memory_bytes=memory_bytes))

    assert all(rows.schema == SCHEMA for rows in found)
    assert pl.concat([pl.DataFrame(rows) for rows in found]).equals(expected.select(SCHEMA.names))
    assert not spill.exists()


def test_buckets_within_buckets(
    written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spilled: list[int]
) -> None:
    """No more buckets are open at once than may be: those that are too large for memory are distributed again."""
    paths = written([["a", "b", None] * 400] * 2)
    monkeypatch.setattr(sorting, "MOST_BUCKETS", 4)

    found = list(sorted_rows(paths, SCHEMA, ORDER, tmp_path / "spill", memory_bytes=5_000))

    keys = [(row["instance"] or "z", row["id"]) for rows in found for row in rows.to_pylist()]
    assert keys == sorted(keys)
    assert len(keys) == len(set(keys)) == 2_400
    assert len(spilled) > 4
    assert max(spilled) <= 4


LARGE_LAST = [*(f"{number}" for number in range(1_000)), *(f"{number}" + "x" * 10_000 for number in range(1_000))]
REPEATED_LAST = [*([""] * 1_000), *(["x" * 10_000] * 1_000)]


@pytest.mark.parametrize("bodies", [["x"] * 2_000, LARGE_LAST, LARGE_LAST[::-1], REPEATED_LAST])
def test_little_is_in_memory_at_once(
    bodies: list[str], tmp_path: Path, spilled: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However large the rows are, wherever the large ones stand, and even if a file has their texts but once."""
    whole = pa.table({"instance": ["a"] * 2_000, "id": range(2_000), "body": bodies}, schema=SCHEMA)
    pq.write_table(whole, tmp_path / "f.parquet", row_group_size=500)
    memory_bytes = whole.nbytes // 10
    held = []
    in_order = sorting._in_order

    def weighed(rows: pa.Table, *args: Any) -> Any:
        held.append(rows.nbytes)
        return in_order(rows, *args)

    monkeypatch.setattr(sorting, "_in_order", weighed)

    found = list(
        sorted_rows([str(tmp_path / "f.parquet")], SCHEMA, ORDER, tmp_path / "spill", memory_bytes=memory_bytes)
    )

    assert pa.concat_tables(found).equals(whole)
    assert max(held) <= memory_bytes
    assert len(held) >= 10
    assert spilled


def test_no_rows(tmp_path: Path) -> None:
    """Files without rows give none, alone and beside others."""
    for name, rows in (("empty", 0), ("other", 3)):
        pq.write_table(
            pa.table({"instance": ["a"] * rows, "id": range(rows), "body": ["x"] * rows}, schema=SCHEMA),
            tmp_path / name,
        )
    paths = [str(tmp_path / name) for name in ("empty", "other")]

    assert sum(rows.num_rows for rows in sorted_rows(paths[:1], SCHEMA, ORDER, tmp_path / "spill")) == 0
    assert sum(rows.num_rows for rows in sorted_rows(paths, SCHEMA, ORDER, tmp_path / "spill")) == 3


def test_what_is_left_of_a_killed_process_is_deleted(written: Written, tmp_path: Path) -> None:
    """Files that lie where buckets go are none of them."""
    spill = tmp_path / "spill"
    spill.mkdir()
    (spill / "0.arrow").write_bytes(b"half a fi")

    found = list(sorted_rows(written([["b", "a"], ["c"]]), SCHEMA, ORDER, spill, memory_bytes=50))

    assert [name for rows in found for name in rows["instance"].to_pylist()] == ["a", "b", "c"]
    assert not spill.exists()


def test_nothing_is_left_where_sorting_is_broken_off(written: Written, tmp_path: Path) -> None:
    """Who stops reading leaves no buckets behind."""
    rows = sorted_rows(written([["b", "a"], ["c"]]), SCHEMA, ORDER, tmp_path / "spill", memory_bytes=50)
    next(rows)
    assert (tmp_path / "spill").exists()

    rows.close()

    assert not (tmp_path / "spill").exists()


def test_compaction_in_buckets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spilled: list[int]) -> None:
    """A day that does not fit into memory becomes one clustered file all the same."""
    messages = [
        notification("compute.instance.update", f"2026-03-02 10:{number:02}:00", instance=f"i-{number * 7 % 10}")
        for number in range(60)
    ]
    for first in range(0, 60, 20):
        lake_of(tmp_path, messages[first : first + 20]).close()
    monkeypatch.setattr(sorted_rows, "__kwdefaults__", {"memory_bytes": 5_000})

    done = compact(tmp_path)

    with lake_of(tmp_path, []) as lake:
        [file] = lake.files("notifications")
        rows = pl.read_parquet(file.path)
    assert spilled
    assert done.files_after == done.days
    assert rows.height == 60
    assert rows.select("instance", "generated_at").equals(rows.select("instance", "generated_at").sort(pl.all()))
    assert not (tmp_path / "unsorted").exists()


def test_a_compaction_that_fails_leaves_nothing_to_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spilled: list[int]
) -> None:
    """Once the lock is released, what did not fit into memory is gone, whoever still holds on to the error."""
    messages = [
        notification("compute.instance.update", f"2026-03-02 10:{number:02}:00", instance=f"i-{number}")
        for number in range(60)
    ]
    for first in (0, 30):
        lake_of(tmp_path, messages[first : first + 30]).close()
    monkeypatch.setattr(sorted_rows, "__kwdefaults__", {"memory_bytes": 5_000})
    monkeypatch.setattr(FileWriter, "write", _fail)

    with pytest.raises(OSError, match="no space") as held:
        compact(tmp_path)

    assert spilled
    assert held.value is not None
    assert not (tmp_path / "unsorted").exists()
    assert not [*tmp_path.glob("notifications/*/clustered-*")]


def test_a_day_of_which_rows_are_missing_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are not replaced by ones with fewer rows, and of these, closed already, nothing is left."""
    lake_of(tmp_path, [notification("compute.instance.update", f"2026-03-02 10:0{number}:00") for number in range(9)])
    monkeypatch.setattr(compaction, "FILE_ROWS", 2)
    monkeypatch.setattr(sorting, "ROW_GROUP", 2)
    monkeypatch.setattr(compaction, "sorted_rows", lambda *args: (rows for rows in [*sorted_rows(*args)][1:]))

    with pytest.raises(LakeError, match="gave 8 rows of 9"):
        compact(tmp_path)

    with lake_of(tmp_path, []) as lake:
        assert lake.sql("select count(*) from notifications").item() == 9
    assert not [*tmp_path.glob("*/*/clustered-*"), *tmp_path.glob("lookup/clustered-*")]


def _fail(*_: object) -> None:
    raise OSError("no space")
