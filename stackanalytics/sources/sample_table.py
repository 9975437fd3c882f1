"""Samples from tables: the rows of CSV and Parquet files as JSON objects, beside files of JSON.

What a file is, its name tells; CSV may be packed. Everything is read a portion at a time.
"""

import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

import msgspec
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from stackanalytics.sources import files
from stackanalytics.sources.chunk import Chunk

ROWS = 20_000
LONGEST_VALUE = 64 << 20

_PACKED = (".gz", ".zst")
_DAMAGES = (csv.Error, EOFError, OSError, zlib.error)
_encode = msgspec.json.Encoder(decimal_format="number").encode


def read_samples(paths: Iterable[Path | str]) -> Iterator[Chunk]:
    """Yield what files tell of samples, one JSON text each: rows of .csv and .parquet, and any other file as JSON.

    Parameters
    ----------
    paths
        Files, and folders that are searched for files; ``-`` is standard input.

    Yields
    ------
    Chunk
        Texts, and where they stand; what cannot be read is a chunk of its own that says why.

    Raises
    ------
    InputError
        If there is no such file or folder.
    """
    for path in files.find_files(paths):
        suffix = _suffix(Path(path))
        if path == files.STANDARD_INPUT or suffix not in (".csv", ".parquet"):
            yield from files.read([path])
        elif suffix == ".csv":
            yield from _read_csv(Path(path))
        else:
            yield from _read_parquet(Path(path))


def _suffix(path: Path) -> str:
    return next((suffix.lower() for suffix in reversed(path.suffixes) if suffix.lower() not in _PACKED), "")


def _read_csv(path: Path) -> Iterator[Chunk]:
    """Yield the rows of a CSV file; its first line names the columns, an empty value is none, a blank line no row."""
    number, origin = 1, f"{path}, row"
    try:
        with _opened(path) as stream:
            text = io.TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape", newline="")
            csv.field_size_limit(LONGEST_VALUE)
            rows = csv.reader(text, strict=True)
            names = next(filter(None, rows), [])
            for portion, problem in _portions(rows):
                yield from _row_chunks(origin, number, names, portion)
                number += len(portion)
                if problem:
                    yield _broken(origin, number, problem)
    except _DAMAGES as problem:
        yield _broken(origin, number, problem)


def _portions(rows: Iterator[list[str]]) -> Iterator[tuple[list[list[str]], Exception | None]]:
    """Yield rows a portion at a time, and what kept the last of them from going on."""
    portion: list[list[str]] = []
    try:
        for row in rows:
            portion.append(row)
            if len(portion) == ROWS:
                yield portion, None
                portion = []
    except _DAMAGES as problem:
        yield portion, problem
        return
    yield portion, None


def _opened(path: Path) -> BinaryIO:
    match path.suffix.lower():
        case ".gz":
            return cast(BinaryIO, gzip.open(path))
        case ".zst":
            return io.BufferedReader(pa.CompressedInputStream(pa.OSFile(str(path)), "zstd"))
        case _:
            return path.open("rb")


def _row_chunks(origin: str, first: int, names: list[str], rows: list[list[str]]) -> Iterator[Chunk]:
    """Yield rows as JSON, blank lines as such; each row that is none, as a chunk of its own that says so."""
    sound: list[bytes] = []
    for number, row in enumerate(rows, first):
        if _is_blank(row):
            sound.append(b"")
            continue
        problem = _problem(names, row)
        if problem is None:
            sound.append(_encode({name: value for name, value in zip(names, row, strict=True) if value}))
            continue
        if sound:
            yield Chunk(origin, number - len(sound), sound)
        yield Chunk(origin, number, [",".join(row).encode("utf-8", "surrogateescape")], problem=problem)
        sound = []
    if sound:
        yield Chunk(origin, first + len(rows) - len(sound), sound)


def _is_blank(row: list[str]) -> bool:
    return len(row) < 2 and not "".join(row).strip()


def _problem(names: list[str], row: list[str]) -> str | None:
    try:
        "".join([*names, *row]).encode()
    except UnicodeEncodeError:
        return "not text in UTF-8"
    if len(row) != len(names):
        return f"the row has {len(row)} values, but there are {len(names)} columns: {', '.join(names)}"
    return None


def _read_parquet(path: Path) -> Iterator[Chunk]:
    number, origin = 1, f"{path}, row"
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=ROWS):
                rows = pl.DataFrame(_printed(batch)).to_dicts()
                yield Chunk(origin, number, [_encode({k: v for k, v in row.items() if v is not None}) for row in rows])
                number += len(rows)
    except (pa.ArrowException, OSError, TypeError, ValueError) as problem:
        yield _broken(origin, number, problem)


def _printed(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return rows with times as texts: of them, Python does not know those of far years."""
    columns = [column.cast(pa.string()) if pa.types.is_temporal(column.type) else column for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _broken(origin: str, number: int, problem: Exception) -> Chunk:
    return Chunk(origin, number, [b""], problem=f"the file cannot be read on: {problem}")
