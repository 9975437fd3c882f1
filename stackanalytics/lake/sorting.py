"""Sorting more rows than memory holds: first into buckets on disk that follow each other, then each by itself."""

import shutil
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

MEMORY_BYTES = 192 << 20
MOST_BUCKETS = 128  # at a time, as each is an open file
BATCH_ROWS = 20_000
WEIGHED_ROWS, WEIGHED_BYTES = 500, 8 << 20  # of each file at most, to tell how large its rows are in memory
SAMPLED_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class _Part:
    """Some of the rows, in a file, and how large they are in memory, about."""

    path: Path
    rows: int
    bytes: int

    def batches(self, columns: Sequence[str], rows: int) -> Iterator[pa.Table]:
        """Yield some columns of so many rows at a time."""
        if self.path.suffix == ".arrow":
            with pa.OSFile(str(self.path)) as source, pa.ipc.open_file(source) as bucket:
                for number in range(bucket.num_record_batches):
                    yield pa.Table.from_batches([bucket.get_batch(number)]).select(columns)
        else:
            with pq.ParquetFile(self.path) as file:
                for batch in file.iter_batches(rows, columns=list(columns)):
                    yield pa.Table.from_batches([batch]).select(columns)


def sorted_rows(
    paths: Sequence[str], schema: pa.Schema, order: Sequence[str], spill: Path, *, memory_bytes: int = MEMORY_BYTES
) -> Generator[pa.Table, None, None]:
    """Yield the rows of Parquet files in order, at most ``BATCH_ROWS`` at a time.

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
    try:
        yield from _sorted([_weighed(Path(path), schema) for path in paths], schema, order, spill, memory_bytes)
    finally:
        shutil.rmtree(spill, ignore_errors=True)


def _sorted(
    parts: Sequence[_Part], schema: pa.Schema, order: Sequence[str], spill: Path, memory_bytes: int
) -> Iterator[pa.Table]:
    rows, size = sum(part.rows for part in parts), sum(part.bytes for part in parts)
    batch_rows = max(1, min(BATCH_ROWS, memory_bytes * rows // (4 * size)))
    # buckets are made smaller than what memory holds, for they become unequal
    count = min(MOST_BUCKETS, rows, -(-size * 3 // (memory_bytes * 2)))
    if size <= memory_bytes or count < 2:
        batches = [batch for part in parts for batch in part.batches(schema.names, batch_rows)]
        yield from _in_order(pa.concat_tables(batches).cast(schema), order, batch_rows)
        return
    spill.mkdir()
    bounds = _bounds(parts, order, count, batch_rows)
    for bucket in _distribute(parts, schema, bounds, spill, batch_rows):
        limit = memory_bytes if bucket.rows < rows else bucket.bytes
        yield from _sorted([bucket], schema, order, bucket.path.with_suffix(""), limit)
        bucket.path.unlink()


def _weighed(path: Path, schema: pa.Schema) -> _Part:
    with pq.ParquetFile(path) as file:
        rows = file.metadata.num_rows
        # what is written once for all rows that repeat it takes more in memory, which some rows tell
        size = sum(file.metadata.row_group(number).total_byte_size for number in range(file.metadata.num_row_groups))
    part = _Part(path, rows, size)
    some = next(part.batches(schema.names, max(1, min(WEIGHED_ROWS, WEIGHED_BYTES * rows // size))))
    return replace(part, bytes=max(size, some.nbytes * rows // some.num_rows))


def _in_order(rows: pa.Table, order: Sequence[str], batch_rows: int) -> Iterator[pa.Table]:
    keys = pl.DataFrame(rows.select(order)).with_row_index("place")
    places = keys.sort(order, nulls_last=True)["place"].to_arrow()
    rows = rows.combine_chunks()
    batches = -(-rows.num_rows // batch_rows)
    for number in range(batches):
        first, following = (rows.num_rows * edge // batches for edge in (number, number + 1))
        yield rows.take(places.slice(first, following - first))


def _bounds(parts: Sequence[_Part], order: Sequence[str], count: int, batch_rows: int) -> pl.DataFrame:
    """Return the first keys of all buckets but the first, taken from a sample of the keys."""
    step = max(1, sum(part.rows for part in parts) // SAMPLED_ROWS)
    some = [keys.take(_every(step, keys.num_rows)) for part in parts for keys in part.batches(order, batch_rows)]
    sample = pl.DataFrame(pa.concat_tables(some)).sort(order, nulls_last=True)
    return sample[[len(sample) * number // count for number in range(1, count)]]


def _every(step: int, rows: int) -> pa.Array:
    return pl.int_range(0, rows, step, eager=True).to_arrow()


def _distribute(
    parts: Sequence[_Part], schema: pa.Schema, bounds: pl.DataFrame, spill: Path, batch_rows: int
) -> list[_Part]:
    buckets = [_Part(spill / f"{number}.arrow", 0, 0) for number in range(len(bounds) + 1)]
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with ExitStack() as opened:
        writers = [
            opened.enter_context(pa.ipc.new_file(str(bucket.path), schema, options=options)) for bucket in buckets
        ]
        for batch in (batch for part in parts for batch in part.batches(schema.names, batch_rows)):
            for number, places in _places_by_bucket(batch, bounds):
                rows, bucket = batch.take(pl.Series(places).to_arrow()).cast(schema), buckets[number]
                writers[number].write_table(rows)
                buckets[number] = replace(bucket, rows=bucket.rows + rows.num_rows, bytes=bucket.bytes + rows.nbytes)
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
