"""What the lake holds already: a sorted index of message keys.

An entry is two 64-bit hashes, of a message's key (deployment and message id) and of its
content. Entries lie in *runs*: sorted arrays on disk, read through memory maps, each named
after the notification ids that it covers (``keys/1-50000.npy``). A new run is written before
the commit that it belongs to; one whose ids go beyond the table's highest id is of a commit
that never came about, and is ignored. Small runs are merged into larger ones, a slice of the
key space at a time, so that neither looking up nor merging needs memory in proportion to the
lake. The whole index can be built again from the table.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from stackanalytics.lake.lock import sync

MERGE_ENTRIES = 1 << 20
GROWTH = 4

Hashes: TypeAlias = npt.NDArray[np.uint64]  # one axis: keys, or contents
Places: TypeAlias = npt.NDArray[np.intp]
Flags: TypeAlias = npt.NDArray[np.bool_]
Entries: TypeAlias = npt.NDArray[np.uint64]  # two rows: keys, contents


class Run(NamedTuple):
    """A sorted array of entries for the ids from *first* to *last*."""

    first: int
    last: int
    path: Path

    @property
    def size(self) -> int:
        """How many ids it covers."""
        return self.last - self.first + 1

    def entries(self) -> Entries:
        """Return its entries, mapped from disk."""
        entries: Entries = np.load(self.path, mmap_mode="r")
        return entries


class KeyIndex:
    """The index of one lake. Every use of it is under the lake's lock."""

    def __init__(self, folder: Path, name: str = "keys") -> None:
        """Name the index of the lake in *folder*: by default that of its notifications."""
        self._folder = folder / name

    def gaps(self, last_id: int) -> list[tuple[int, int]]:
        """Return the ranges of ids up to *last_id* that no run covers."""
        gaps, following = [], 1
        for run in self._runs(last_id):
            if run.first > following:
                gaps.append((following, run.first - 1))
            following = run.last + 1
        if following <= last_id:
            gaps.append((following, last_id))
        return gaps

    def find(self, keys: Hashes, last_id: int) -> dict[int, set[int]]:
        """Return the contents known for each of *keys* that the lake holds."""
        known: dict[int, set[int]] = {}
        wanted = np.unique(keys)
        for run in self._runs(last_id):
            stored, contents = run.entries()
            low = np.searchsorted(stored, wanted, "left")
            high = np.searchsorted(stored, wanted, "right")
            for place in np.flatnonzero(high > low):
                found = contents[low[place] : high[place]].tolist()
                known.setdefault(int(wanted[place]), set()).update(found)
        return known

    def add(self, first: int, last: int, keys: Hashes, contents: Hashes) -> None:
        """Write the run of the ids from *first* to *last*, after merging what is there if it is small."""
        self._folder.mkdir(exist_ok=True)
        self._merge_small(first - 1)
        self._write(first, last, len(keys), [_sorted(np.stack([keys, contents]))])

    def forget_beyond(self, last_id: int) -> None:
        """Delete the runs of commits that never came about."""
        for run in self._stored():
            if run.last > last_id:
                run.path.unlink()

    def _runs(self, last_id: int) -> list[Run]:
        """Return the runs that cover ids up to *last_id*; a merged one hides what it was made of."""
        covering: list[Run] = []
        for run in sorted(self._stored(), key=lambda run: (run.first, -run.last)):
            if run.last <= last_id and (not covering or run.first > covering[-1].last):
                covering.append(run)
        return covering

    def _stored(self) -> Iterator[Run]:
        for path in self._folder.glob("*-*.npy"):
            first, _, last = path.stem.partition("-")
            yield Run(int(first), int(last), path)

    def _merge_small(self, last_id: int) -> None:
        runs = self._runs(last_id)
        while len(runs) > 1 and runs[-2].size < GROWTH * runs[-1].size and runs[-2].last + 1 == runs[-1].first:
            low, high = runs[-2:]
            entries = [low.entries(), high.entries()]
            count = sum(run.shape[1] for run in entries)
            self._write(low.first, high.last, count, _merged(entries))
            low.path.unlink()
            high.path.unlink()
            runs = self._runs(last_id)

    def _write(self, first: int, last: int, count: int, parts: Iterable[Entries]) -> None:
        unfinished = self._folder / "unfinished"
        shape = (2, count)
        target = np.lib.format.open_memmap(unfinished, mode="w+", dtype=np.uint64, shape=shape)
        place = 0
        for part in parts:
            target[:, place : place + part.shape[1]] = part
            place += part.shape[1]
        target.flush()
        del target
        sync(unfinished)
        unfinished.rename(self._folder / f"{first}-{last}.npy")
        sync(self._folder)


def _sorted(entries: Entries) -> Entries:
    return entries[:, np.argsort(entries[0])]


def _merged(runs: Sequence[Entries]) -> Iterator[Entries]:
    """Merge sorted runs slice by slice: the keys are hashes, so equal slices of their space are even."""
    slices = max(1, sum(run.shape[1] for run in runs) // MERGE_ENTRIES)
    bounds = np.array([2**64 // slices * number for number in range(1, slices)], dtype=np.uint64)
    cuts = [[0, *np.searchsorted(run[0], bounds).tolist(), run.shape[1]] for run in runs]
    for number in range(slices):
        parts = [run[:, cut[number] : cut[number + 1]] for run, cut in zip(runs, cuts, strict=True)]
        yield _sorted(np.concatenate(parts, axis=1))
