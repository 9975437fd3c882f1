"""Sorting more rows than memory holds: first into buckets on disk that follow each other, then each by itself."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from stackanalytics.lake.keys import Places

BUCKET_BYTES = 128 << 20
BATCH_ROWS = 20_000
WEIGHED_ROWS = 500  # of each file, to tell how large its rows are in memory
SAMPLED_ROWS = 100_000


def sorted_rows(
    paths: Sequence[str], schema: pa.Schema, order: Sequence[str], spill: Path, *, bucket_bytes: int = BUCKET_BYTES
) -> Iterator[pa.Table]:
    """Yield the rows of Parquet files in order, at most ``BATCH_ROWS`` at a time.

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
    bucket_bytes
        So much is sorted in memory at once, about [B].
    """
    count = -(-_bytes_in_memory(paths, schema) // bucket_bytes)
    if count <= 1:
        yield from _in_order(_read(paths, schema), order)
        return
    shutil.rmtree(spill, ignore_errors=True)
    spill.mkdir()
    try:
        buckets = _distribute(paths, schema, _bounds(paths, order, count), spill)
        for bucket in buckets:
            with pa.OSFile(str(bucket)) as source:
                rows = pa.ipc.open_file(source).read_all()
            bucket.unlink()
            yield from _in_order(rows, order)
    finally:
        shutil.rmtree(spill)


def _bytes_in_memory(paths: Sequence[str], schema: pa.Schema) -> int:
    size = 0
    for path in paths:
        with pq.ParquetFile(path) as file:
            for some in islice(file.iter_batches(WEIGHED_ROWS, columns=schema.names), 1):
                size += some.nbytes * file.metadata.num_rows // some.num_rows
    return size


def _read(paths: Sequence[str], schema: pa.Schema) -> pa.Table:
    tables = [pq.read_table(path, columns=schema.names, partitioning=None) for path in paths]
    return pa.concat_tables([table.select(schema.names).cast(schema) for table in tables])


def _in_order(rows: pa.Table, order: Sequence[str]) -> Iterator[pa.Table]:
    keys = pl.DataFrame(rows.select(order)).with_row_index("place")
    places = keys.sort(order, nulls_last=True)["place"].to_arrow()
    rows = rows.combine_chunks()
    batches = -(-rows.num_rows // BATCH_ROWS)
    for number in range(batches):
        first, following = (rows.num_rows * edge // batches for edge in (number, number + 1))
        yield rows.take(places.slice(first, following - first))


def _bounds(paths: Sequence[str], order: Sequence[str], count: int) -> pl.DataFrame:
    """Return the first keys of all buckets but the first, taken from a sample of the keys."""
    rows = sum(pq.read_metadata(path).num_rows for path in paths)
    step = max(1, rows // SAMPLED_ROWS)
    some = [keys.take(_every(step, keys.num_rows)) for path in paths for keys in _batches(path, order)]
    sample = pl.DataFrame(pa.concat_tables(some).select(order)).sort(order, nulls_last=True)
    return sample[[len(sample) * number // count for number in range(1, count)]]


def _every(step: int, rows: int) -> pa.Array:
    return pl.int_range(0, rows, step, eager=True).to_arrow()


def _distribute(paths: Sequence[str], schema: pa.Schema, bounds: pl.DataFrame, spill: Path) -> list[Path]:
    buckets = [spill / f"{number}.arrow" for number in range(len(bounds) + 1)]
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with ExitStack() as opened:
        writers = [opened.enter_context(pa.ipc.new_file(str(path), schema, options=options)) for path in buckets]
        for path in paths:
            for batch in _batches(path, schema.names):
                rows = batch.select(schema.names).cast(schema)
                for bucket, places in _places_by_bucket(rows, bounds):
                    writers[bucket].write_table(rows.take(pl.Series(places).to_arrow()))
    return buckets


def _batches(path: str, columns: Sequence[str]) -> Iterator[pa.Table]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(BATCH_ROWS, columns=list(columns)):
            yield pa.Table.from_batches([batch])


def _places_by_bucket(rows: pa.Table, bounds: pl.DataFrame) -> Iterator[tuple[int, Places]]:
    keys = pl.DataFrame(rows.select(bounds.columns)).with_row_index("place")
    firsts = bounds.with_columns(place=pl.lit(None, pl.UInt32))
    # in the order of the keys a row is in the bucket that began last; a bound comes before the rows that equal it
    both = pl.concat([firsts.select(keys.columns), keys]).sort(bounds.columns, nulls_last=True, maintain_order=True)
    found = both.with_columns(bucket=pl.col("place").is_null().cum_sum()).drop_nulls("place")
    places, buckets = found["place"].to_numpy(), found["bucket"].to_numpy()
    starts = np.flatnonzero(np.diff(buckets, prepend=-1))
    for start, part in zip(starts, np.split(places, starts[1:]), strict=True):
        yield int(buckets[start]), part
