"""The index of keys knows what it was given, however it was given and merged."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackanalytics.lake import keys
from stackanalytics.lake.keys import KeyIndex

HASHES = st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 2**63 - 1, 2**63, 2**64 - 1]) | st.integers(0, 3)
ENTRIES = st.lists(st.tuples(HASHES, HASHES), min_size=1, max_size=12)


def _add(index: KeyIndex, first: int, entries: list[tuple[int, int]]) -> int:
    """Add entries for the ids from *first*; return the last id."""
    columns = np.array(entries, dtype=np.uint64).T
    last = first + len(entries) - 1
    index.add(first, last, columns[0], columns[1])
    return last


@settings(max_examples=60)
@given(st.lists(ENTRIES, min_size=1, max_size=8), st.lists(HASHES, max_size=5))
def test_it_knows_what_it_was_given(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[tuple[int, int]]], others: list[int]
) -> None:
    """All contents of each key are found, from any batch, merged slice by slice, and nothing else is."""
    index, last, known = KeyIndex(tmp_path_factory.mktemp("lake")), 0, dict[int, set[int]]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "MERGE_ENTRIES", 3)  # so that merging takes several slices
        for entries in batches:
            last = _add(index, last + 1, entries)
            for key, content in entries:
                known.setdefault(key, set()).add(content)
            wanted = [*known, *others]
            found = index.find(np.array(wanted, dtype=np.uint64), last)
            assert found == {key: known[key] for key in wanted if key in known}
    assert index.gaps(last) == []


def test_what_was_not_committed_is_not_known(tmp_path: Path) -> None:
    """Entries beyond the last id are not found, make no gap, and are forgotten when asked to."""
    index = KeyIndex(tmp_path)
    _add(index, 1, [(1, 1), (2, 2)])
    _add(index, 3, [(3, 3)])
    wanted = np.array([1, 2, 3], dtype=np.uint64)
    assert index.find(wanted, 2) == {1: {1}, 2: {2}}
    assert index.gaps(2) == []
    index.forget_beyond(2)
    assert index.gaps(3) == [(3, 3)]


def test_gaps(tmp_path: Path) -> None:
    """The ids that no run covers are told, at the beginning, inside and at the end."""
    index = KeyIndex(tmp_path)
    assert index.gaps(0) == []
    assert index.gaps(3) == [(1, 3)]
    _add(index, 3, [(1, 1)] * 2)
    _add(index, 8, [(2, 2)])
    assert index.gaps(10) == [(1, 2), (5, 7), (9, 10)]


def test_runs_grow_geometrically(tmp_path: Path) -> None:
    """A hundred batches of one entry leave a handful of runs, so that looking up stays fast."""
    index = KeyIndex(tmp_path)
    for number in range(1, 101):
        _add(index, number, [(number, number)])
    assert len(list(tmp_path.glob("keys/*-*.npy"))) <= 6
    assert index.gaps(100) == []
    assert len(index.find(np.arange(150, dtype=np.uint64), 100)) == 100
