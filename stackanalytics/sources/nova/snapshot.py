"""Nova's instances from a file: Parquet, CSV or JSON lines."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import msgspec
import polars as pl

from stackanalytics.errors import InputError
from stackanalytics.schema import NOVA_FIELDS
from stackanalytics.sources import files
from stackanalytics.sources.nova.record import records
from stackanalytics.sources.nova.source import Progress

_PACKED = (".gz", ".zst")
_LINES = (".jsonl", ".ndjson", ".json")
_NULLS = ["", "NULL", "\\N"]

_Value: TypeAlias = bool | int | str | msgspec.UnsetType | None
_Record = msgspec.defstruct("_Record", [(name, _Value, msgspec.UNSET) for name in NOVA_FIELDS])
_DECODER = msgspec.json.Decoder(_Record)


@dataclass(frozen=True)
class Snapshot:
    """A file that tells of instances what nova said at some time.

    What it is, is told by its name: ``.parquet``; ``.csv``; ``.jsonl``, ``.ndjson`` or ``.json``
    with an object a line; the latter two may be packed (``.gz``, ``.zst``). It has the columns
    :data:`stackanalytics.schema.NOVA_FIELDS`; others do not matter. In CSV, null is an empty
    value, ``NULL`` or ``\\N``.
    """

    path: Path
    untold: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The name of the file."""
        return f"snapshot:{self.path.name}"

    def instances(self, wanted: Collection[str], *, on_progress: Progress | None = None) -> pl.DataFrame:
        """Return the records of those of the *wanted* instances that are in the file.

        Raises
        ------
        InputError
            If the file is missing, or cannot be understood.
        """
        found = records(self._told(), str(self.path), wanted)
        if on_progress is not None:
            on_progress(len(wanted))
        return found

    def _told(self) -> pl.DataFrame:
        suffixes = [suffix.lower() for suffix in self.path.suffixes]
        suffix = next((suffix for suffix in reversed(suffixes) if suffix not in _PACKED), "")
        try:
            if suffix == ".parquet":
                return _parquet(self.path)
            if suffix == ".csv":
                return pl.read_csv(self.path, infer_schema=False, null_values=_NULLS)
            if suffix in _LINES:
                return _lines(self.path)
        except FileNotFoundError:
            raise InputError(f"no such file: {self.path}") from None
        except (pl.exceptions.PolarsError, OSError) as problem:
            raise InputError(f"{self.path} cannot be read as {suffix[1:]}: {problem}") from problem
        raise InputError(f"{self.path} is no snapshot: its name must end in .parquet, .csv or .jsonl")


def _parquet(path: Path) -> pl.DataFrame:
    scanned = pl.scan_parquet(path, glob=False)
    return scanned.select(name for name in scanned.collect_schema().names() if name in NOVA_FIELDS).collect()


def _lines(path: Path) -> pl.DataFrame:
    rows = []
    for chunk in files.read([path]):
        if chunk.problem:
            raise InputError(f"{path} cannot be read to its end: {chunk.problem}")
        rows += [
            _row(line, f"{chunk.origin}, line {number}")
            for number, line in enumerate(chunk.messages, chunk.first)
            if line.strip()
        ]
    given = set().union(*rows)
    return pl.DataFrame(rows, schema={name: pl.String for name in NOVA_FIELDS if name in given})


def _row(line: bytes, origin: str) -> dict[str, str | None]:
    """Return the values that a line has, as texts."""
    try:
        record = _DECODER.decode(line)
    except msgspec.DecodeError as problem:
        raise InputError(f"{origin}, is no record of an instance: {problem}") from problem
    values = {name: getattr(record, name) for name in NOVA_FIELDS}
    return {name: _plain(value) for name, value in values.items() if value is not msgspec.UNSET}


def _plain(value: bool | int | str | None) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)
