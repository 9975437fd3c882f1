"""Compaction: the many small files of a day become few, clustered by instance.

A day is rewritten in one commit under the lake's lock, so that nobody sees half of it; writers
get their turn between two days. Readers of former versions keep their files until these are
older than the retention.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.transaction import AddAction

from stackanalytics import times
from stackanalytics.errors import LakeError
from stackanalytics.lake import delta, lookup
from stackanalytics.lake.deriving import derive
from stackanalytics.lake.lock import exclusive
from stackanalytics.lake.sorting import sorted_rows
from stackanalytics.lake.usage_state import UsageState
from stackanalytics.schema import (
    DEAD_LETTERS,
    NOTIFICATIONS,
    RECONCILIATIONS,
    SAMPLES,
    VERIFICATIONS,
    Table,
    arrow_schema,
)

FILE_ROWS = 2_000_000
SPILL = "unsorted"
KEEP_HOURS = 7 * 24

_ORDER = {
    NOTIFICATIONS.name: ("instance", "resource", "generated_at", "id"),
    DEAD_LETTERS.name: ("landed_at", "key"),
    VERIFICATIONS.name: ("sequence",),
    RECONCILIATIONS.name: ("sequence",),
    SAMPLES.name: ("meter", "resource", "measured_at", "sample_id"),
}


@dataclass(slots=True)
class Compacted:
    """What a compaction did."""

    days: int = 0
    files_before: int = 0
    files_after: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    files_deleted: int = 0


def compact(
    folder: Path | str,
    *,
    keep_hours: int = KEEP_HOURS,
    on_progress: Callable[[Compacted], None] | None = None,
) -> Compacted:
    """Rewrite the days of a lake that are not in few, clustered files yet.

    Parameters
    ----------
    folder
        Folder of the lake.
    keep_hours
        Files that no version within these hours needs are deleted, and so are former tenants and
        confirmations [h].
    on_progress
        Called with what is done so far after each day.

    Returns
    -------
    Compacted
        Days rewritten, and their files and bytes before and after.
    """
    folder, done = Path(folder), Compacted()
    derive(folder)
    for table in delta.tables_in(folder):
        for day in _days(delta.open_table(folder, table)):
            with exclusive(folder):
                _compact_day(folder, table, day, done)
            if on_progress:
                on_progress(done)
        done.files_deleted += _delete_old(folder, table, keep_hours)
    UsageState(folder).forget(before=times.now() - timedelta(hours=keep_hours))
    return done


def _delete_old(folder: Path, table: Table, keep_hours: int) -> int:
    with exclusive(folder):
        opened = delta.open_table(folder, table)
        # full: files of writers that died before their commit go, too; under the lock nobody else is writing
        old = opened.vacuum(keep_hours, dry_run=True, enforce_retention_duration=False, full=True)
        if old:
            opened.vacuum(keep_hours, dry_run=False, enforce_retention_duration=False, full=True)
            delta.sync_log_from(folder / table.name, opened.version())
            lookup.forget(folder, [path.name for path in folder.glob("*/date=*/*.parquet")])
    return len(old)


def _days(opened: DeltaTable) -> list[date]:
    by_day = groupby(delta.files(opened), key=lambda file: file.day)
    return [day for day, files in by_day if not _is_compact(list(files))]


def _is_compact(files: list[delta.File]) -> bool:
    few = -(-sum(file.rows for file in files) // FILE_ROWS)
    return len(files) <= few and all(file.is_clustered for file in files)


def _compact_day(folder: Path, table: Table, day: date, done: Compacted) -> None:
    opened = delta.open_table(folder, table)
    files = [file for file in delta.files(opened) if file.day == day]
    if _is_compact(files):
        return  # somebody else did it meanwhile
    added = _rewritten(folder, table, day, files)
    delta.commit(opened, table, added, remove=files, note={"compacted": day.isoformat()})
    done.days += 1
    done.files_before += len(files)
    done.files_after += len(added)
    done.bytes_before += sum(file.bytes for file in files)
    done.bytes_after += sum(action.size for action in added)


def _rewritten(folder: Path, table: Table, day: date, files: list[delta.File]) -> list[AddAction]:
    """Write all rows of some files into few; where that fails, nothing of them is left."""
    paths, rows = [file.path for file in files], sum(file.rows for file in files)
    left = rows
    writers: list[delta.FileWriter] = []
    added = []
    try:
        with closing(sorted_rows(paths, arrow_schema(*table.fields), _ORDER[table.name], folder / SPILL)) as found:
            for part in _parts(found):
                writers.append(delta.FileWriter(folder / table.name, table, day, rows=rows, is_clustered=True))
                for batch in part:
                    writers[-1].write(batch)
                    left -= batch.num_rows
                added.append(writers[-1].close())
        if left:
            raise LakeError(f"sorting {day} of {table.name} gave {rows - left} rows of {rows}: the day stays as it is")
    except BaseException:
        for writer in writers:
            writer.abandon()
        raise
    return added


def _parts(batches: Iterator[pa.Table]) -> Iterator[Iterator[pa.Table]]:
    """Cut a stream of batches into streams of ``FILE_ROWS`` rows, or up to a batch more."""
    for first in batches:
        yield _part(first, batches)


def _part(batch: pa.Table, following: Iterator[pa.Table]) -> Iterator[pa.Table]:
    rows = batch.num_rows
    yield batch
    while rows < FILE_ROWS and (batch := next(following, None)) is not None:
        rows += batch.num_rows
        yield batch
