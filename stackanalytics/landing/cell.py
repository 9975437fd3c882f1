"""Rows of cells, which become columns by way of text.

Python's objects become Arrow's columns one by one, at a price for each that decoding does not
ask. It is a third of that to write rows as JSON arrays, a line each, and to have these read by
Arrow's reader of CSV, which takes them for what they are once control characters are written out.
"""

import re
from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import TypeAlias

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv

Row: TypeAlias = tuple[object, ...]

PIECE_BYTES = 2 << 20
OFFSET_BYTES = 4
_CONTROL = re.compile(rb"\\(?:u00([0-9a-f]{2})|([bfnrt])|.)", re.DOTALL)
_CONTROLS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}

_encode = msgspec.json.Encoder().encode_lines


class Cells:
    """Rows on their way to become a table; empty text is null."""

    def __init__(self, schema: pa.Schema) -> None:
        """Name the cells of the rows, between which and the brackets of each row there is one more."""
        self._schema = schema
        self._names = ["[", *schema.names, "]"]
        self._lines: list[bytes] = []
        self._bytes = 0
        self._pieces: list[pa.Table] = []

    def add(self, lines: bytes) -> None:
        """Take rows as :func:`written` writes them."""
        self._lines.append(_CONTROL.sub(_written_out, lines) if b"\\" in lines else lines)
        self._bytes += len(self._lines[-1])
        if self._bytes > PIECE_BYTES:
            self._finish_piece()

    def table(self) -> pa.Table:
        """Return all rows."""
        self._finish_piece()
        table = pa.concat_tables(self._pieces).combine_chunks() if self._pieces else self._schema.empty_table()
        return pa.table(
            [_without_empty(table[name].combine_chunks()) for name in table.column_names], schema=self._schema
        )

    def _finish_piece(self) -> None:
        if not self._bytes:
            return
        self._pieces.append(
            pa.csv.read_csv(
                pa.BufferReader(b"".join(self._lines)),
                pa.csv.ReadOptions(use_threads=False, block_size=self._bytes + 1, column_names=self._names),
                pa.csv.ParseOptions(double_quote=False, escape_char="\\", newlines_in_values=True),
                pa.csv.ConvertOptions(
                    check_utf8=False,
                    column_types=self._schema,
                    null_values=["null"],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                    include_columns=self._schema.names,
                ),
            )
        )
        self._lines, self._bytes = [], 0


def written(rows: Iterable[Row]) -> bytes:
    """Write rows as lines, each with something before its first and after its last cell that is left out."""
    return _encode(rows)


def text_array(texts: Sequence[str]) -> pa.StringArray:
    """Return texts as an Arrow array, in which empty ones are null."""
    joined = "".join(texts)
    encoded = texts if joined.isascii() else [text.encode() for text in texts]
    return _without_empty(joined_array([joined.encode()], map(len, encoded)))


def joined_array(parts: Iterable[bytes | memoryview], lengths: Iterable[int]) -> pa.StringArray:
    """Return the texts that the parts make, encoded, as an Arrow array."""
    offsets = array("i", accumulate(lengths, initial=0))
    return pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(b"".join(parts)))


def lengths_of(texts: pa.StringArray) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """Return how many bytes each of the texts has; nulls have none."""
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return np.diff(offsets)


def _without_empty(values: pa.Array) -> pa.Array:
    if values.type != pa.string():
        return values
    lengths = lengths_of(values)
    if not lengths.any():
        return pa.nulls(len(values), pa.string())
    _, offsets, data = values.buffers()
    validity = pa.py_buffer(np.packbits(lengths > 0, bitorder="little"))
    return pa.StringArray.from_buffers(len(values), offsets.slice(values.offset * OFFSET_BYTES), data, validity)


def _written_out(found: re.Match[bytes]) -> bytes:
    number, letter = found.groups()
    if number:
        return bytes([int(number, 16)])
    return _CONTROLS[letter] if letter else found[0]
