"""Where values are: sorted hashes of the values of each data file, and between which rows each is, beside it.

Opening files is what a search for one instance or request costs most, and then reading them; with these a search
opens the few that can have it, and reads few rows. A file without hashes is read whole, so that they may be deleted.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import xxhash

from stackanalytics.lake.lock import sync

COLUMNS = ("instance", "request_id", "resource")
ALL_ROWS = range(2**32)

Places: TypeAlias = npt.NDArray[np.uint64]  # two rows: sorted hashes, and the first and the last row of each


class Collector:
    """Collects the hashes of one file while it is written."""

    def __init__(self, columns: Sequence[str]) -> None:
        """Start with none, of those of the columns that are looked up."""
        self._columns = [column for column in COLUMNS if column in columns]
        self._places: dict[int, tuple[int, int]] = {}
        self._rows = 0

    def add(self, rows: pa.Table) -> None:
        """Take the values of the rows that come next."""
        for column in self._columns:
            values = pl.DataFrame({"value": pl.Series(rows[column])}).with_row_index("row", self._rows)
            row = pl.col("row")
            found = values.drop_nulls().group_by("value").agg(first=row.min(), last=row.max())
            for value, first, last in found.iter_rows():
                hashed = _hash(column, value)
                known = self._places.get(hashed, (first, last))
                self._places[hashed] = min(known[0], first), max(known[1], last)
        self._rows += rows.num_rows

    def save(self, lake: Path, name: str) -> None:
        """Write the hashes of the data file called *name*."""
        if not self._places:
            return
        path = _path(lake, name)
        path.parent.mkdir(exist_ok=True)
        hashes = np.fromiter(self._places, np.uint64, len(self._places))
        rows = np.array([*self._places.values()], np.uint64)
        order = np.argsort(hashes)
        np.save(path, np.stack([hashes, rows[:, 0] << np.uint64(32) | rows[:, 1]])[:, order])
        sync(path)
        sync(path.parent)


def rows_with(lake: Path, names: Iterable[str], wanted: Mapping[str, str]) -> list[range]:
    """Return, of each of the data files with these *names*, among which rows those with all values wanted are."""
    hashes = [_hash(column, value) for column, value in wanted.items()]
    return [_among(_load(_path(lake, name)), hashes) for name in names]


def _among(places: Places | None, hashes: Sequence[int]) -> range:
    if places is None:
        return ALL_ROWS
    found = [_rows(places, each) for each in hashes]
    return range(max(rows.start for rows in found), min(rows.stop for rows in found))


def _rows(places: Places, wanted: int) -> range:
    hashes, rows = places
    place = int(np.searchsorted(hashes, np.uint64(wanted)))
    if place == len(hashes) or int(hashes[place]) != wanted:
        return range(0)
    first, last = divmod(int(rows[place]), 2**32)
    return range(first, last + 1)


def forget(lake: Path, existing: Iterable[str]) -> None:
    """Delete the hashes of data files that are no more."""
    kept = {_path(lake, name) for name in existing}
    for path in (lake / "lookup").glob("*.npy"):
        if path not in kept:
            path.unlink()


def _path(lake: Path, name: str) -> Path:
    return lake / "lookup" / f"{Path(name).stem}.npy"


@lru_cache(maxsize=4096)
def _load(path: Path) -> Places | None:
    try:
        places = np.asarray(np.load(path, mmap_mode="r"))
    except FileNotFoundError:
        return None
    return places if places.ndim == 2 else None  # earlier versions did not tell the rows


def _hash(column: str, value: str) -> int:
    return xxhash.xxh3_64_intdigest(f"{column}\0{value}".encode("utf-8", "replace"))
