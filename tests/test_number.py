"""Whole numbers are read, whatever their length."""

import pytest

from stackanalytics.number import whole


@pytest.mark.parametrize(
    ("written", "read"),
    [("0", 0), ("-17", -17), ("9" * 4_000, 10**4_000 - 1), ("-" + "9" * 5_000, "-" + "9" * 5_000)],
    ids=["zero", "negative", "long", "endless"],
)
def test_whole_numbers(written: str, read: int | str) -> None:
    """A number is one as long as Python reads it, beyond that it is what is written."""
    assert whole(written) == read
