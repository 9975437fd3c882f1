"""Rows of cells come out of their way through text as they were."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from stackanalytics.landing.cell import Cells, joined_array, text_array, written

SCHEMA = pa.schema([("text", pa.string()), ("number", pa.int64()), ("other", pa.string()), ("flag", pa.bool_())])

# what JSON escapes and what CSV takes for more than text come often
odd = st.text(st.sampled_from("\"'\\,\n\r\t\b\f\0\x1f\x7fnull[]{}u00é\u2028😀"))
texts = st.none() | odd | st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.none() | st.integers(-(2**63), 2**63 - 1)
rows = st.lists(st.tuples(texts, numbers, texts, st.none() | st.booleans()), max_size=20)


@given(st.lists(rows, max_size=3))
def test_rows_come_out_as_they_went_in(handfuls: list[list[tuple[object, ...]]]) -> None:
    """Any text, number and flag comes back as it was, and the empty text as null."""
    cells = Cells(SCHEMA)
    for handful in handfuls:
        if handful:
            cells.add(written([(0, *row, 0) for row in handful]))
    expected = [tuple(None if value == "" else value for value in row) for handful in handfuls for row in handful]
    assert [tuple(row.values()) for row in cells.table().to_pylist()] == expected


def test_numbers_become_text() -> None:
    """A number in a cell of text is written as its digits."""
    cells = Cells(pa.schema([("text", pa.string())]))
    cells.add(written([(0, 2, 0), (0, "2", 0), (0, "null", 0), (0, None, 0)]))
    assert cells.table()["text"].to_pylist() == ["2", "2", "null", None]


def test_many_pieces() -> None:
    """Rows of more text than is read at once are all there, in order."""
    cells = Cells(pa.schema([("text", pa.string()), ("number", pa.int64())]))
    for first in range(0, 6_000, 1_000):
        cells.add(written([(0, "x" * 1_000, number, 0) for number in range(first, first + 1_000)]))
    assert cells.table()["number"].to_pylist() == list(range(6_000))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_arrays_of_texts(given_texts: list[str]) -> None:
    """Texts come out of an array as they were, empty ones as null, and so do texts in parts, empty ones as such."""
    assert text_array(given_texts).to_pylist() == [text or None for text in given_texts]
    encoded = [text.encode() for text in given_texts]
    parts = [part for text in encoded for part in (text[:1], memoryview(text)[1:])]
    assert joined_array(parts, map(len, encoded)).to_pylist() == given_texts
