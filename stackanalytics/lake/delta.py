"""Delta tables: writing Parquet files, committing them, and reading the log.

Files are written and synced before the log names them, and the log entry is synced before a
commit returns, so that what was reported as landed survives a crash. Commits are made under
the lake's lock only.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction

from stackanalytics import schema, times
from stackanalytics.errors import InputError, LakeError
from stackanalytics.lake import lookup
from stackanalytics.lake.lock import sync

ROW_GROUP = 20_000
PAGE_BYTES = 64 * 1024
BLOOM_COLUMNS = ("instance", "request_id", "resource", "message_id", "sample_id")
PLAIN_COLUMNS = ("id", "generated_at", "message_id", "body", "content", "key", "sample_id")
STATISTICS_COLUMNS = ("id", "generated_at", "measured_at")
IDS = "stackanalytics.ids"
LANDED, CLUSTERED = "landed", "clustered"


@dataclass(frozen=True, slots=True)
class File:
    """One data file of a table version."""

    path: str
    day: date
    rows: int
    bytes: int
    first_id: int | None
    last_id: int | None

    def may_hold_id(self, id: int) -> bool:
        """Whether the file can have the row with an id."""
        return self.may_hold_any(range(id, id + 1))

    def may_hold_any(self, ids: range) -> bool:
        """Whether the file can have a row with any of the ids."""
        return self.first_id is None or self.last_id is None or (self.first_id < ids.stop and self.last_id >= ids.start)

    @property
    def is_clustered(self) -> bool:
        """Whether compaction wrote the file."""
        return Path(self.path).name.startswith(CLUSTERED)

    def rows_with_id(self, lake: Path, id: int) -> range:
        """Return among which rows that with an id is."""
        if self.first_id is None or self.last_id is None:
            return lookup.ALL_ROWS
        if not self.may_hold_id(id):
            return range(0)
        place = id - self.first_id
        if self.is_clustered:
            return lookup.rows_with_id(lake, self.path, place)
        has_all_between = self.rows == self.last_id - self.first_id + 1  # in order, as they were landed
        return range(place, place + 1) if has_all_between else lookup.ALL_ROWS


def create(folder: Path, table: schema.Table) -> None:
    """Create an empty table below the lake's *folder*, unless it is there."""
    target = folder / table.name
    if unquote(str(target)) != str(target):
        raise InputError(f"{folder} has a % in its path that Delta takes for an escape: choose another folder")
    if not DeltaTable.is_deltatable(str(target)):
        DeltaTable.create(str(target), table.schema, partition_by=[table.partition], mode="ignore")
        sync_log(target, 0)
        sync(target)
        sync(folder)


def tables_in(folder: Path) -> tuple[schema.Table, ...]:
    """Return the tables that a lake in *folder* has, or must have."""
    return tuple(
        table
        for table in schema.TABLES
        if table not in schema.LATER_TABLES or DeltaTable.is_deltatable(str(folder / table.name))
    )


def open_table(folder: Path, table: schema.Table, version: int | None = None) -> DeltaTable:
    """Open a table of the lake in *folder*, at its newest or at a given version."""
    try:
        return DeltaTable(str(folder / table.name), version=version)
    except TableNotFoundError:
        raise LakeError(f"{folder} has no table {table.name!r}: it is not a lake") from None
    except (DeltaError, OSError) as problem:
        wanted = "" if version is None else f" at version {version}"
        raise LakeError(f"table {table.name!r} of {folder} cannot be read{wanted}: {problem}") from problem


def files(delta: DeltaTable) -> list[File]:
    """Return the data files of the table's version, oldest day first."""
    root = _root(delta)
    actions = pl.DataFrame(delta.get_add_actions(flatten=True)).to_dicts()
    found = [
        File(
            path=str(root / action["path"]),
            day=action["partition.date"],
            rows=action["num_records"],
            bytes=action["size_bytes"],
            first_id=action.get("min.id"),
            last_id=action.get("max.id"),
        )
        for action in actions
    ]
    return sorted(found, key=lambda file: (file.day, file.first_id or 0, file.path))


def newest_version(folder: Path, name: str, at_least: int) -> int:
    """Return the newest version of a table, known to have the version *at_least*."""
    log = folder / name / "_delta_log"
    version = at_least
    while (log / f"{version + 1:020}.json").exists():
        version += 1
    return version


def last_id(delta: DeltaTable) -> int:
    """Return the highest id that any commit gave out."""
    return mark(delta, IDS)


def mark(delta: DeltaTable, name: str) -> int:
    """Return the number that the last commit which set it gave the mark *name*; 0 without one."""
    return delta.transaction_version(name) or 0


def is_replaced_since(delta: DeltaTable, version: int) -> bool:
    """Tell whether rows of the table may have been replaced by better copies after a version."""
    count = delta.version() - version
    entries = delta.history(count) if count > 0 else []
    return len(entries) < count or any(entry.get("replaced", "0") != "0" for entry in entries)


class FileWriter:
    """Writes one data file of a table; nothing of it counts until it is committed."""

    def __init__(self, root: Path, table: schema.Table, day: date, *, rows: int, is_clustered: bool = False) -> None:
        """Open a file for about *rows* rows of one *day* (a figure for the bloom filters)."""
        prefix = CLUSTERED if is_clustered else LANDED
        self._path = root / f"date={day.isoformat()}" / f"{prefix}-{uuid4().hex}.parquet"
        self._is_new_data = not is_clustered
        self._day = day
        self._rows = 0
        self._lake = root.parent
        self._values = lookup.Collector(table.fields if table == schema.NOTIFICATIONS else (), has_ids=is_clustered)
        self._bounds: dict[str, tuple[object, object]] = {}
        if not self._path.parent.exists():
            self._path.parent.mkdir()
            sync(root)
        stored = arrow_schema(table)
        blooms = {"ndv": min(rows, ROW_GROUP), "fpp": 0.01}
        self._writer = pq.ParquetWriter(
            self._path,
            stored,
            compression="zstd",
            compression_level=1,
            use_dictionary=[name for name in stored.names if name not in PLAIN_COLUMNS],
            data_page_size=PAGE_BYTES,
            write_page_index=True,
            write_statistics=[name for name in stored.names if name not in ("body", "content")],
            bloom_filter_options={name: blooms for name in BLOOM_COLUMNS if name in stored.names},
        )

    def write(self, rows: pa.Table) -> None:
        """Add rows, in the columns of the table without the partition."""
        self._writer.write_table(rows, row_group_size=ROW_GROUP)
        self._rows += rows.num_rows
        self._values.add(rows)
        for name in STATISTICS_COLUMNS:
            if name in rows.column_names:
                values = pl.Series(rows[name])
                bounds = pl.Series([*self._bounds.get(name, ()), values.min(), values.max()])
                self._bounds[name] = (bounds.min(), bounds.max())

    def close(self) -> AddAction:
        """Finish and sync the file; return the log's entry for it."""
        self._writer.close()
        sync(self._path)
        sync(self._path.parent)
        self._values.save(self._lake, self._path.name)
        statistics = {
            "numRecords": self._rows,
            "minValues": {name: _log_value(low) for name, (low, _) in self._bounds.items()},
            "maxValues": {name: _log_value(high) for name, (_, high) in self._bounds.items()},
            "nullCount": dict.fromkeys(self._bounds, 0),
        }
        state = self._path.stat()
        return AddAction(
            path=f"{self._path.parent.name}/{self._path.name}",
            size=state.st_size,
            partition_values={"date": self._day.isoformat()},
            modification_time=int(state.st_mtime * 1000),
            data_change=self._is_new_data,
            stats=json.dumps(statistics),
        )

    def abandon(self) -> None:
        """Throw the file away, finished or not."""
        with suppress(OSError):  # of a full disk
            self._writer.close()
        self._path.unlink(missing_ok=True)
        lookup.remove(self._lake, self._path.name)


def write_days(root: Path, table: schema.Table, rows: pa.Table, days: pa.Array) -> list[AddAction]:
    """Write *rows* as one file for each of their *days*."""
    actions = []
    different = pc.unique(days)
    for day in different.take(pc.sort_indices(different)):
        part = _of_day(rows, days, day)
        writer = FileWriter(root, table, day.as_py(), rows=part.num_rows)
        writer.write(part)
        actions.append(writer.close())
    return actions


def _of_day(rows: pa.Table, days: pa.Array, day: pa.Scalar) -> pa.Table:
    """Return the rows of a day, which mostly stand together, so that none need be copied."""
    places = np.flatnonzero(pl.Series(pc.equal(days, day)).to_numpy())
    first, count = int(places[0]), len(places)
    is_one_stretch = int(places[-1]) - first + 1 == count
    return rows.slice(first, count) if is_one_stretch else rows.take(pl.Series(places).to_arrow())


def commit(
    delta: DeltaTable,
    table: schema.Table,
    add: Sequence[AddAction],
    *,
    remove: Iterable[File] = (),
    highest_id: int | None = None,
    marks: Mapping[str, int] | None = None,
    note: Mapping[str, object],
) -> None:
    """Add and remove files in one transaction, and set marks. The caller holds the lake's lock."""
    root = _root(delta)
    removed = [
        RemoveAction(
            path=os.path.relpath(file.path, root),
            data_change=False,
            deletion_timestamp=times.unix_us(times.now()) // 1000,
            size=file.bytes,
            partition_values={"date": file.day.isoformat()},
        )
        for file in remove
    ]
    given = dict(marks or {}) if highest_id is None else {**(marks or {}), IDS: highest_id}
    transactions = [Transaction(name, number) for name, number in given.items()]
    delta.create_write_transaction(
        [*add, *removed],
        mode="append",
        schema=table.schema,
        partition_by=[table.partition],
        commit_properties=CommitProperties(custom_metadata=dict(note), app_transactions=transactions or None),
    )
    delta.update_incremental()
    sync_log(root, delta.version())


def sync_log(root: Path, version: int) -> None:
    """Have one entry of the table's log on disk."""
    log = root / "_delta_log"
    sync(log / f"{version:020}.json")
    for checkpoint in (*log.glob(f"{version - 1:020}.checkpoint*"), *log.glob(f"{version:020}.checkpoint*")):
        sync(checkpoint)
    for pointer in log.glob("_last_checkpoint"):
        sync(pointer)
    sync(log)


def sync_log_from(root: Path, version: int) -> None:
    """Have the entries of the table's log after a version on disk."""
    for following in range(version + 1, newest_version(root.parent, root.name, version) + 1):
        sync_log(root, following)


def arrow_schema(table: schema.Table) -> pa.Schema:
    """Return the schema of a table's files: the partition column is in their folder's name."""
    return schema.arrow_schema(*table.fields)


def _root(delta: DeltaTable) -> Path:
    return Path(unquote(urlsplit(delta.table_uri).path))


def _log_value(value: object) -> object:
    return value if isinstance(value, int) else str(value).replace(" ", "T").replace("+00:00", "Z")
