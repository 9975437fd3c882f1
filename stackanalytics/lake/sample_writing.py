"""Adding samples to a lake: those that were posted, imported or derived.

What the lake holds already is not added again: what is imported is known by what it tells, and what is posted has an
id of its own, so that all of it counts.

The files of a day are sorted by meter. What is added to a day that has many small files already is
written together with these, so that samples may come a few at a time.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from uuid import UUID, uuid5

import msgspec
import numpy as np
import polars as pl
import pyarrow.parquet as pq
import xxhash
from deltalake import DeltaTable
from deltalake.transaction import AddAction

from stackanalytics import times
from stackanalytics.lake import delta
from stackanalytics.lake.keys import Flags, Hashes, KeyIndex
from stackanalytics.lake.lock import exclusive
from stackanalytics.lake.meter_state import MeterState
from stackanalytics.lake.snapshot import Lake
from stackanalytics.lake.writing import create_lake
from stackanalytics.schema import SAMPLE_GIVEN, SAMPLES, polars_schema

ORDER = ("meter", "resource", "measured_at", "sample_id")
KEYS = "sample_keys"
SMALL_FILE_ROWS = 20_000
SMALL_FILES = 16
REBUILD_ROWS = 100_000
NAMESPACE = UUID("0f6d7d3c-9b0e-5f0c-8b0f-5c6f3c1f2a77")

_NOT_CONTENT = ("sample_id", "recorded_at")


@dataclass(slots=True)
class LandedSamples:
    """How many samples were added, and how many the lake had already."""

    samples: int = 0
    duplicates: int = 0


class SampleWriter:
    """Adds samples to one lake. Several processes may do so at the same time."""

    def __init__(self, folder: Path) -> None:
        """Open the lake in *folder* for writing, creating it if needed."""
        create_lake(folder)
        self._folder = folder
        self._state = MeterState(folder)
        self._keys = KeyIndex(folder, KEYS)
        self._table = delta.open_table(folder, SAMPLES)

    def append(self, rows: pl.DataFrame) -> LandedSamples:
        """Add the samples that the lake does not hold yet; they are on disk when this returns.

        Parameters
        ----------
        rows
            Samples in the columns of ``stackanalytics.schema.SAMPLE_GIVEN``, checked. Without a ``sample_id`` they
            get one made of their content; without ``recorded_at`` it is now, and without a ``source`` openstack.

        Returns
        -------
        LandedSamples
            How many were added, and how many the lake had already. A hidden meter of which some were added is shown
            again.
        """
        given = _completed(rows)
        with exclusive(self._folder):
            self._table.update_incremental()
            last = delta.last_id(self._table)
            self._complete_keys(last)
            keys, contents = _hashes(given)
            is_new = self._is_new(keys, contents, last)
            landed = LandedSamples(int(is_new.sum()), given.height - int(is_new.sum()))
            if landed.samples:
                new = given.filter(pl.Series(is_new))
                # first, since after a death in between the samples are new once more
                self._state.restore(*new["meter"].unique())
                self._commit(new, keys[is_new], contents[is_new], last)
        return landed

    def _commit(self, rows: pl.DataFrame, keys: Hashes, contents: Hashes, last: int) -> None:
        highest = last + rows.height
        self._keys.forget_beyond(last)
        self._keys.add(last + 1, highest, keys, contents)
        numbered = rows.with_columns(
            sequence=pl.int_range(last + 1, highest + 1, dtype=pl.Int64),
            notification_id=pl.lit(None, pl.Int64),
        )
        commit_samples(self._folder, self._table, [numbered], highest_id=highest, note={"posted": str(rows.height)})

    def _is_new(self, keys: Hashes, contents: Hashes, last: int) -> Flags:
        known = self._keys.find(keys, last)
        is_new: Flags = (
            pl.struct(pl.Series("k", keys), pl.Series("c", contents), eager=True).is_first_distinct().to_numpy().copy()
        )
        for place in np.flatnonzero(np.isin(keys, np.fromiter(known, dtype=np.uint64, count=len(known)))):
            is_new[place] &= int(contents[place]) not in known[int(keys[place])]
        return is_new

    def _complete_keys(self, last: int) -> None:
        """Build again what the index of keys lacks (all of it, where the folder was deleted)."""
        for first, end in self._keys.gaps(last):
            with Lake(self._folder, has_nouns=False) as lake:
                for low in range(first, end + 1, REBUILD_ROWS):
                    high = min(low + REBUILD_ROWS - 1, end)
                    stored = lake.sql(
                        f"select {', '.join(SAMPLE_GIVEN)} from stored_samples where sequence between $low and $high",
                        {"low": low, "high": high},
                    )
                    self._keys.add(low, high, *_hashes(stored))


def commit_samples(
    folder: Path,
    opened: DeltaTable,
    parts: Iterable[pl.DataFrame],
    *,
    without: Collection[int] = (),
    is_derived_anew: bool = False,
    highest_id: int | None = None,
    marks: Mapping[str, int] | None = None,
    note: Mapping[str, object],
) -> None:
    """Add samples in one commit. The caller holds the lake's lock.

    Parameters
    ----------
    folder
        Folder of the lake.
    opened
        The table of samples at its newest version.
    parts
        The samples, one part after the other, so that not all need be in memory.
    without
        Ids of notifications whose samples are removed.
    is_derived_anew
        Whether the samples of all notifications are removed.
    highest_id, marks, note
        As in :func:`stackanalytics.lake.delta.commit`.
    """
    days = _Days(folder, opened)
    if without or is_derived_anew:
        days.drop(without, is_derived_anew=is_derived_anew)
    for part in parts:
        days.add(part)
    delta.commit(opened, SAMPLES, days.added, remove=days.removed, highest_id=highest_id, marks=marks, note=note)


class _Days:
    """The files of the days of one commit: those that it adds, and those whose rows these take over."""

    def __init__(self, folder: Path, opened: DeltaTable) -> None:
        self._root = folder / SAMPLES.name
        self._small: dict[date, list[delta.File]] = {}
        self._files = delta.files(opened)
        for file in self._files:
            if file.rows < SMALL_FILE_ROWS:
                self._small.setdefault(file.day, []).append(file)
        self.added: list[AddAction] = []
        self.removed: list[delta.File] = []

    def add(self, rows: pl.DataFrame) -> None:
        """Write samples, each day's with those of its small files where they are many."""
        dated = rows.with_columns(date=pl.col("measured_at").dt.date())
        for (day,), part in dated.partition_by("date", include_key=False, as_dict=True).items():
            small = self._small.pop(day, [])
            is_merged = len(small) >= SMALL_FILES
            self.removed += small if is_merged else []
            self._write(day, pl.concat([part.select(SAMPLES.fields), *map(_read, small if is_merged else [])]))

    def drop(self, ids: Collection[int], *, is_derived_anew: bool) -> None:
        """Write the files that have samples of some notifications again, without these."""
        told = pl.col("notification_id")
        is_dropped = told.is_not_null() if is_derived_anew else told.is_in(list(ids)).fill_null(value=False)
        for file in self._files:
            told_of = pl.DataFrame(pq.read_table(file.path, columns=["notification_id"], partitioning=None))
            if told_of.filter(is_dropped).is_empty():
                continue
            kept = _read(file).filter(~is_dropped)
            self.removed.append(file)
            self._small[file.day] = [each for each in self._small.get(file.day, []) if each is not file]
            if kept.height:
                self._write(file.day, kept)

    def _write(self, day: date, rows: pl.DataFrame) -> None:
        stored = rows.sort(ORDER).to_arrow().cast(delta.arrow_schema(SAMPLES))
        writer = delta.FileWriter(self._root, SAMPLES, day, rows=rows.height)
        writer.write(stored)
        self.added.append(writer.close())


def _read(file: delta.File) -> pl.DataFrame:
    found = pl.from_arrow(pq.read_table(file.path, partitioning=None))
    assert isinstance(found, pl.DataFrame)
    return found.cast(polars_schema(*SAMPLES.fields)).select(SAMPLES.fields)


def _completed(rows: pl.DataFrame) -> pl.DataFrame:
    """Return samples with what they lack."""
    given = rows.select(SAMPLE_GIVEN).cast(polars_schema(*SAMPLE_GIVEN))
    told = given.with_columns(
        source=pl.col("source").fill_null("openstack"), recorded_at=pl.col("recorded_at").fill_null(times.now())
    )
    if not told["sample_id"].has_nulls():
        return told
    lacking = told.filter(pl.col("sample_id").is_null())
    ids = [str(uuid5(NAMESPACE, content.decode())) for content in _contents(lacking, *_NOT_CONTENT)]
    made = pl.Series("sample_id", ids, pl.String)
    return pl.concat([told.filter(pl.col("sample_id").is_not_null()), lacking.with_columns(made)])


def _hashes(rows: pl.DataFrame) -> tuple[Hashes, Hashes]:
    """Return two hashes of each sample by which it is recognised, whenever it was recorded."""
    digests = [xxhash.xxh3_128_digest(content) for content in _contents(rows, "recorded_at")]
    halves = np.frombuffer(b"".join(digests), dtype=np.uint64).reshape(-1, 2)
    return halves[:, 0].copy(), halves[:, 1].copy()


def _contents(rows: pl.DataFrame, *without: str) -> Iterable[bytes]:
    told = rows.drop(without).with_columns(pl.col("measured_at").dt.epoch("us"))
    return map(msgspec.json.Encoder().encode, told.iter_rows())
