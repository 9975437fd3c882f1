"""Which data files hold a value: sorted hashes of the values of each file, beside it.

Opening files is what a search for one instance or request costs most; with these a search opens
the few that can have it. A file without hashes is opened always, so that they may be deleted.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from stackanalytics.lake.lock import sync

COLUMNS = ("instance", "request_id", "resource")

Hashes: TypeAlias = npt.NDArray[np.uint64]  # sorted


class Collector:
    """Collects the hashes of one file while it is written."""

    def __init__(self, columns: Sequence[str]) -> None:
        """Start with none, of those of the columns that are looked up."""
        self._columns = [column for column in COLUMNS if column in columns]
        self._hashes: set[int] = set()

    def add(self, rows: pa.Table) -> None:
        """Take the values of some rows."""
        for column in self._columns:
            values = pc.unique(rows[column]).to_pylist()
            self._hashes.update(_hash(column, value) for value in values if value is not None)

    def save(self, lake: Path, name: str) -> None:
        """Write the hashes of the data file called *name*."""
        if not self._hashes:
            return
        path = _path(lake, name)
        path.parent.mkdir(exist_ok=True)
        np.save(path, np.sort(np.fromiter(self._hashes, dtype=np.uint64, count=len(self._hashes))))
        sync(path)
        sync(path.parent)


def may_hold(lake: Path, names: Iterable[str], wanted: Mapping[str, str]) -> list[bool]:
    """Tell of each of the data files with these *names* whether it can have rows with all of the values wanted."""
    hashes = [_hash(column, value) for column, value in wanted.items()]
    stored = (_load(_path(lake, name)) for name in names)
    return [values is None or all(_has(values, each) for each in hashes) for values in stored]


def forget(lake: Path, existing: Iterable[str]) -> None:
    """Delete the hashes of data files that are no more."""
    kept = {_path(lake, name) for name in existing}
    for path in (lake / "lookup").glob("*.npy"):
        if path not in kept:
            path.unlink()


def _path(lake: Path, name: str) -> Path:
    return lake / "lookup" / f"{Path(name).stem}.npy"


@lru_cache(maxsize=4096)
def _load(path: Path) -> Hashes | None:
    try:
        return np.asarray(np.load(path, mmap_mode="r"))
    except FileNotFoundError:
        return None


def _has(hashes: Hashes, wanted: int) -> bool:
    place = int(np.searchsorted(hashes, np.uint64(wanted)))
    return place < len(hashes) and int(hashes[place]) == wanted


def _hash(column: str, value: str) -> int:
    return xxhash.xxh3_64_intdigest(f"{column}\0{value}".encode("utf-8", "replace"))
