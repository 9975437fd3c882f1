"""Sorting more rows than memory holds: first into buckets on disk that follow each other, then each by itself."""

import shutil
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from stackanalytics.lake.delta import ROW_GROUP

MEMORY_BYTES = 192 << 20
MOST_BUCKETS = 128  # at a time, as each is an open file
SAMPLED_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class _Part:
    """Some of the rows, in a file."""

    path: Path
    rows: int

    def batches(self, schema: pa.Schema, batch_bytes: int) -> Iterator[pa.Table]:
        """Yield the columns of a schema, of a few rows at a time: all columns of these take so many bytes, about."""
        for batch in self._stored(schema.names, batch_bytes):
            yield pa.Table.from_batches([batch]).select(schema.names).cast(schema)

    def _stored(self, columns: list[str], batch_bytes: int) -> Iterator[pa.RecordBatch]:
        if self.path.suffix == ".arrow":
            with pa.OSFile(str(self.path)) as source, pa.ipc.open_file(source) as bucket:
                for number in range(bucket.num_record_batches):
                    yield bucket.get_batch(number)
            return
        with pq.ParquetFile(self.path) as file:
            for number in range(file.num_row_groups):
                group = file.metadata.row_group(number)
                rows = _rows_of(batch_bytes, group.num_rows, group.total_byte_size)
                yield from file.iter_batches(rows, row_groups=[number], columns=columns)


def sorted_rows(
    paths: Sequence[str], schema: pa.Schema, order: Sequence[str], spill: Path, *, memory_bytes: int = MEMORY_BYTES
) -> Generator[pa.Table, None, None]:
    """Yield the rows of Parquet files in order, at most ``ROW_GROUP`` at a time.

    Whoever does not read all of them must close the iterator.

    Parameters
    ----------
    paths
        The files.
    schema
        The columns to yield.
    order
        The columns to sort by, nulls last; together they tell all rows apart.
    spill
        Folder for what does not fit into memory. It is made if needed and deleted in the end; what a process that was
        killed left there is deleted, too.
    memory_bytes
        So much is sorted in memory at once, about [B].
    """
    shutil.rmtree(spill, ignore_errors=True)
    parts = [_Part(Path(path), pq.read_metadata(path).num_rows) for path in paths]
    try:
        yield from _sorted([part for part in parts if part.rows], schema, order, spill, memory_bytes)
    finally:
        shutil.rmtree(spill, ignore_errors=True)


def _sorted(
    parts: Sequence[_Part], schema: pa.Schema, order: Sequence[str], spill: Path, memory_bytes: int
) -> Iterator[pa.Table]:
    batch_bytes = memory_bytes // 4
    found = _read(parts, schema, memory_bytes, batch_bytes)
    if isinstance(found, pa.Table):
        yield from _in_order(found, order, batch_bytes)
        return
    # buckets are made smaller than what memory holds, for they become unequal
    count = min(MOST_BUCKETS, max(2, -(-found * 3 // (memory_bytes * 2))))
    rows = sum(part.rows for part in parts)
    spill.mkdir()
    bounds = _bounds(parts, pa.schema([schema.field(name) for name in order]), count, batch_bytes)
    for bucket in _distribute(parts, schema, bounds, spill, batch_bytes):
        # rows whose keys are all the same cannot be told apart any further
        limit = memory_bytes if bucket.rows < rows else sys.maxsize
        yield from _sorted([bucket], schema, order, bucket.path.with_suffix(""), limit)
        bucket.path.unlink()


def _read(parts: Sequence[_Part], schema: pa.Schema, memory_bytes: int, batch_bytes: int) -> pa.Table | int:
    """Return all rows or, where memory does not hold them, how large they seem to be [B]."""
    batches, read, size = [schema.empty_table()], 0, 0
    for batch in (batch for part in parts for batch in part.batches(schema, batch_bytes)):
        batches.append(batch)
        read, size = read + batch.num_rows, size + batch.nbytes
        if size > memory_bytes and read > 1:
            return size * sum(part.rows for part in parts) // read
    return pa.concat_tables(batches).combine_chunks()


def _in_order(rows: pa.Table, order: Sequence[str], batch_bytes: int) -> Iterator[pa.Table]:
    keys = pl.DataFrame(rows.select(order)).with_row_index("place")
    places = keys.sort(order, nulls_last=True)["place"].to_arrow()
    batches = -(-rows.num_rows // _rows_of(batch_bytes, rows.num_rows, rows.nbytes))
    for number in range(batches):
        first, following = (rows.num_rows * edge // batches for edge in (number, number + 1))
        yield rows.take(places.slice(first, following - first))


def _rows_of(batch_bytes: int, rows: int, size: int) -> int:
    """Return how many rows make a batch where so many have a size [B]."""
    return max(1, min(ROW_GROUP, batch_bytes * rows // max(1, size)))


def _bounds(parts: Sequence[_Part], order: pa.Schema, count: int, batch_bytes: int) -> pl.DataFrame:
    """Return the first keys of all buckets but the first, taken from a sample of the keys."""
    step = max(1, sum(part.rows for part in parts) // SAMPLED_ROWS)
    some, seen = [], 0
    for keys in (keys for part in parts for keys in part.batches(order, batch_bytes)):
        some.append(keys.take(_every(step, -seen % step, keys.num_rows)))
        seen += keys.num_rows
    sample = pl.DataFrame(pa.concat_tables(some)).sort(order.names, nulls_last=True)
    return sample[[len(sample) * number // count for number in range(1, count)]].unique(maintain_order=True)


def _every(step: int, first: int, rows: int) -> pa.Array:
    return pl.int_range(first, max(first, rows), step, eager=True).to_arrow()


def _distribute(
    parts: Sequence[_Part], schema: pa.Schema, bounds: pl.DataFrame, spill: Path, batch_bytes: int
) -> list[_Part]:
    buckets = [_Part(spill / f"{number}.arrow", 0) for number in range(len(bounds) + 1)]
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with ExitStack() as opened:
        sinks = [opened.enter_context(pa.OSFile(str(bucket.path), "wb")) for bucket in buckets]
        writers = [opened.enter_context(pa.ipc.new_file(sink, schema, options=options)) for sink in sinks]
        for batch in (batch for part in parts for batch in part.batches(schema, batch_bytes)):
            for number, places in _places_by_bucket(batch, bounds):
                writers[number].write_table(batch.take(pl.Series(places).to_arrow()))
                buckets[number] = replace(buckets[number], rows=buckets[number].rows + len(places))
    return [bucket for bucket in buckets if bucket.rows]


def _places_by_bucket(rows: pa.Table, bounds: pl.DataFrame) -> Iterator[tuple[int, npt.NDArray[np.uint32]]]:
    keys = pl.DataFrame(rows.select(bounds.columns)).with_row_index("place")
    firsts = bounds.with_columns(place=pl.lit(None, pl.UInt32))
    # in the order of the keys a row is in the bucket that began last; a bound comes before the rows that equal it
    both = pl.concat([firsts.select(keys.columns), keys]).sort(bounds.columns, nulls_last=True, maintain_order=True)
    found = both.with_columns(bucket=pl.col("place").is_null().cum_sum()).drop_nulls("place")
    places, buckets = found["place"].to_numpy(), found["bucket"].to_numpy()
    starts = np.flatnonzero(np.diff(buckets, prepend=-1))
    for start, part in zip(starts, np.split(places, starts[1:]), strict=True):
        yield int(buckets[start]), part
