"""Where values are: sorted hashes of the values of each data file, and between which rows each is, beside it.

Opening files is what a search for one instance or request costs most, and then reading them; with these a search
opens the few that can have it, and reads few rows. Beside a clustered file, in which they stand in no order, lie
the ids of its rows, too, so that the row of one is found without reading them all from the file. A file that has
neither is read whole, so that they may be deleted.
"""

import warnings
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
IDS_SUFFIX = ".ids"

Places: TypeAlias = npt.NDArray[np.uint64]  # two rows: sorted hashes, and the first and the last row of each
Numbers: TypeAlias = npt.NDArray[np.uint32]  # by how much the id of each row is above the lowest


class Collector:
    """Collects the hashes of one file, and the ids of its rows, while it is written."""

    def __init__(self, columns: Sequence[str], *, has_ids: bool) -> None:
        """Start with none, of those of the columns that are looked up."""
        self._columns = [column for column in COLUMNS if column in columns]
        self._has_ids = has_ids and bool(self._columns)
        self._places: list[Places] = []
        self._ids: list[npt.NDArray[np.int64]] = []
        self._rows = 0

    def add(self, rows: pa.Table) -> None:
        """Take the values of the rows that come next."""
        for column in self._columns:
            values = pl.DataFrame({"value": pl.Series(rows[column])}).with_row_index("row", self._rows)
            row = pl.col("row").cast(pl.UInt64)
            found = values.drop_nulls().group_by("value").agg(first=row.min(), last=row.max())
            hashes = np.array([_hash(column, value) for value in found["value"].to_list()], np.uint64)
            self._places.append(np.stack([hashes, _packed(found["first"].to_numpy(), found["last"].to_numpy())]))
        if self._has_ids:
            self._ids.append(pl.Series(rows["id"]).to_numpy())
        self._rows += rows.num_rows

    def save(self, lake: Path, name: str) -> None:
        """Write what was collected of the data file called *name*."""
        places = _merged(self._places)
        if places.size:
            _save(_path(lake, name), places)
        ids = np.concatenate([np.array([], np.int64), *self._ids])
        if len(ids) and int(np.ptp(ids)) < 2**32:
            _save(_path(lake, name, IDS_SUFFIX), (ids - ids.min()).astype(np.uint32))


def rows_with(lake: Path, names: Iterable[str], wanted: Mapping[str, str]) -> list[range]:
    """Return, of each of the data files with these *names*, among which rows those with all values wanted are."""
    hashes = [_hash(column, value) for column, value in wanted.items()]
    return [_among(_load(_path(lake, name)), hashes) for name in names]


def common(stretches: Iterable[range]) -> range:
    """Return the rows that all of the stretches have."""
    starts, stops = zip(*((rows.start, rows.stop) for rows in stretches), strict=True)
    return range(max(starts), min(stops))


def _among(places: Places | None, hashes: Sequence[int]) -> range:
    return ALL_ROWS if places is None else common(_rows(places, each) for each in hashes)


def _rows(places: Places, wanted: int) -> range:
    hashes, rows = places
    place = int(np.searchsorted(hashes, np.uint64(wanted)))
    if place == len(hashes) or int(hashes[place]) != wanted:
        return range(0)
    first, last = divmod(int(rows[place]), 2**32)
    return range(first, last + 1)


def rows_with_id(lake: Path, name: str, place: int) -> range:
    """Return among which rows of the data file called *name* the id is that is by *place* above its lowest."""
    ids = _load_ids(_path(lake, name, IDS_SUFFIX))
    if ids is None:
        return ALL_ROWS
    found = np.flatnonzero(ids == place)
    return range(int(found[0]), int(found[0]) + 1) if len(found) else range(0)


def forget(lake: Path, existing: Iterable[str]) -> None:
    """Delete what belongs to data files that are no more."""
    kept = {_path(lake, name, suffix) for name in existing for suffix in ("", IDS_SUFFIX)}
    for path in (lake / "lookup").glob("*.npy"):
        if path not in kept:
            path.unlink()


def remove(lake: Path, name: str) -> None:
    """Delete what belongs to the data file called *name*."""
    for suffix in ("", IDS_SUFFIX):
        _path(lake, name, suffix).unlink(missing_ok=True)


def _merged(parts: Sequence[Places]) -> Places:
    """Sort the hashes, each once, from its very first to its very last row."""
    hashes, rows = np.concatenate([np.empty((2, 0), np.uint64), *parts], axis=1)
    order = np.argsort(hashes)
    hashes, rows = hashes[order], rows[order]
    starts = np.flatnonzero(np.diff(hashes, prepend=~hashes[:1]))
    first = np.minimum.reduceat(rows >> np.uint64(32), starts) if len(starts) else rows
    last = np.maximum.reduceat(rows & np.uint64(2**32 - 1), starts) if len(starts) else rows
    return np.stack([hashes[starts], _packed(first, last)])


def _packed(first: npt.NDArray[np.uint64], last: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    return first << np.uint64(32) | last


def _save(path: Path, values: npt.NDArray[np.unsignedinteger]) -> None:
    path.parent.mkdir(exist_ok=True)
    np.save(path, values)
    sync(path)
    sync(path.parent)


def _path(lake: Path, name: str, suffix: str = "") -> Path:
    return lake / "lookup" / f"{Path(name).stem}{suffix}.npy"


@lru_cache(maxsize=4096)
def _load(path: Path) -> Places | None:
    places = _mapped(path)
    return places if places is not None and places.ndim == 2 else None  # earlier versions did not tell the rows


@lru_cache(maxsize=4096)
def _load_ids(path: Path) -> Numbers | None:
    return _mapped(path)


def _mapped(path: Path) -> np.ndarray | None:
    """Map an array from disk; unlike numpy's own way, and Python's, it leaves no file open."""
    try:
        with pa.memory_map(str(path)) as file:
            return _array(file.read_buffer())
    except FileNotFoundError:
        return None
    except ValueError as problem:
        warnings.warn(f"{path} is damaged ({problem}): look-ups do without it, and take longer", stacklevel=2)
        return None


def _array(content: pa.Buffer) -> np.ndarray:
    header = pa.BufferReader(content)
    if np.lib.format.read_magic(header) != (1, 0):
        raise ValueError("of another version")
    shape, _, dtype = np.lib.format.read_array_header_1_0(header)
    return np.frombuffer(content, dtype, offset=header.tell()).reshape(shape)


def _hash(column: str, value: str) -> int:
    return xxhash.xxh3_64_intdigest(f"{column}\0{value}".encode("utf-8", "replace"))
