"""Rows come out in order whether they fit into memory or not."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackanalytics.lake import compact, sorting
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


@given(contents, st.integers(40, 4_000))
def test_in_buckets_or_at_once(written: Written, files: list[list[str | None]], bucket_bytes: int) -> None:
    """However many buckets there are, all rows come out once, in order, nulls last, in the columns asked for."""
    paths = written(files)
    spill = Path(paths[0]).parent / "spill"
    expected = pl.concat([pl.read_parquet(path) for path in paths]).sort("instance", "id", nulls_last=True)

    found = list(sorted_rows(paths, SCHEMA, ORDER, spill, bucket_bytes=bucket_bytes))

    assert all(rows.schema == SCHEMA for rows in found)
    assert pl.concat([pl.DataFrame(rows) for rows in found]).equals(expected.select(SCHEMA.names))
    assert not spill.exists()


def test_buckets_are_about_equal_and_small(written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 4,000 rows of one instance, told to be sorted a tenth at a time, none of the parts has over two tenths."""
    paths = written([["a"] * 1_000] * 4)
    size = sum(pq.read_table(path).nbytes for path in paths)
    monkeypatch.setattr(sorting, "BATCH_ROWS", 10**6)

    found = [rows.num_rows for rows in sorted_rows(paths, SCHEMA, ORDER, tmp_path / "spill", bucket_bytes=size // 10)]

    assert sum(found) == 4_000
    assert len(found) >= 10
    assert max(found) <= 800


def test_what_is_left_of_a_killed_process_is_deleted(written: Written, tmp_path: Path) -> None:
    """Files that lie where buckets go are none of them."""
    spill = tmp_path / "spill"
    spill.mkdir()
    (spill / "0.arrow").write_bytes(b"half a fi")

    found = list(sorted_rows(written([["b", "a"], ["c"]]), SCHEMA, ORDER, spill, bucket_bytes=50))

    assert [name for rows in found for name in rows["instance"].to_pylist()] == ["a", "b", "c"]
    assert not spill.exists()


def test_nothing_is_left_where_sorting_is_broken_off(written: Written, tmp_path: Path) -> None:
    """Who stops reading leaves no buckets behind."""
    rows = sorted_rows(written([["b", "a"], ["c"]]), SCHEMA, ORDER, tmp_path / "spill", bucket_bytes=50)
    next(rows)
    assert (tmp_path / "spill").exists()

    rows.close()

    assert not (tmp_path / "spill").exists()


def test_compaction_in_buckets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day that does not fit into memory becomes one clustered file all the same."""
    messages = [
        notification("compute.instance.update", f"2026-03-02 10:{number:02}:00", instance=f"i-{number * 7 % 10}")
        for number in range(60)
    ]
    for first in range(0, 60, 20):
        lake_of(tmp_path, messages[first : first + 20]).close()
    monkeypatch.setattr(sorted_rows, "__kwdefaults__", {"bucket_bytes": 5_000})

    done = compact(tmp_path)

    with lake_of(tmp_path, []) as lake:
        [file] = lake.files("notifications")
        rows = pl.read_parquet(file.path)
    assert done.files_after == done.days
    assert rows.height == 60
    assert rows.select("instance", "generated_at").equals(rows.select("instance", "generated_at").sort(pl.all()))
    assert sorted(path.name for path in tmp_path.iterdir() if path.name == "unsorted") == []
