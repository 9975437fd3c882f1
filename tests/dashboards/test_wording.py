"""The form of numbers and times on pages."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.wording import amount, count, duration, duration_ticks, moment, size, volume


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (0, "0 s"),
        (0.0004, "0.4 ms"),
        (0.35, "350 ms"),
        (0.9996, "1 s"),
        (1, "1 s"),
        (1.234, "1.23 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min"),
        (83, "1 min 23 s"),
        (120, "2 min"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h"),
        (7500, "2 h 5 min"),
        (86_399, "1 d"),
        (273_600, "3 d 4 h"),
        (100_000_000, "1,157 d 10 h"),
        (-83, "−1 min 23 s"),
    ],
)
def test_duration_is_said_in_the_two_units_that_matter(seconds: float | None, said: str) -> None:
    """A duration is written in the largest units that it fills, rounded, never as 60 s or 24 h."""
    assert duration(seconds) == said


@given(st.floats(min_value=1e-3, max_value=1e9))
def test_duration_never_fills_the_next_unit(seconds: float) -> None:
    """No amount of a unit reaches one of the next, whatever is rounded."""
    words = duration(seconds).replace(",", "").split()
    amounts = dict(zip(words[1::2], map(float, words[::2]), strict=True))
    for unit, limit in (("ms", 1000), ("s", 60), ("min", 60), ("h", 24)):
        assert amounts.get(unit, 0) < limit


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 B"), (999, "999 B"), (12_345, "12.3 kB"), (999_700, "1 MB"), (1.5e12, "1.5 TB")]
)
def test_size_is_said_in_the_unit_that_suits_it(number: int, said: str) -> None:
    """Bytes are written with three digits and a decimal unit."""
    assert size(number) == said


def test_counts_have_thousands_separators() -> None:
    """A count is written with commas, and one that is not known as a dash."""
    assert (count(1_234_567), count(7), count(None)) == ("1,234,567", "7", "–")


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0.0, "0"),
        (0.123456, "0.1235"),
        (12.345, "12.35"),
        (1000.4, "1,000"),
        (154124.0, "154,124"),
        (-1234.5, "-1,234"),
    ],
)
def test_amounts_have_four_digits_or_more(number: float, said: str) -> None:
    """An amount never has an exponent for being large, and no digits that nobody reads."""
    assert amount(number) == said


def test_moments_are_in_utc_to_the_millisecond() -> None:
    """An instant of another zone is written in UTC, its fraction cut."""
    there = datetime(2026, 3, 2, 23, 30, 1, 234_999, timezone(timedelta(hours=13, minutes=45)))

    assert moment(there) == "2026-03-02 09:45:01.234"
    assert moment(datetime(2026, 3, 2, tzinfo=UTC)) == "2026-03-02 00:00:00.000"


def test_ticks_are_round_durations_within_the_axis() -> None:
    """Of the 11 round durations from 3 s to 90 min (5, 10, 20, 30 s, 1 min …) every other has a tick."""
    assert [label for _, label in duration_ticks(3, 5400)] == ["5 s", "20 s", "1 min", "5 min", "20 min", "1 h"]
    assert duration_ticks(40, 200) == [(60, "1 min"), (120, "2 min")]


def test_ticks_of_a_narrow_axis_are_its_ends() -> None:
    """Where no two round durations fit, the ends of the axis are named."""
    assert duration_ticks(0.61, 0.72) == [(0.61, "610 ms"), (0.72, "720 ms")]


@given(st.floats(min_value=1e-6, max_value=1e7), st.floats(min_value=1.01, max_value=1e6))
def test_there_are_always_a_few_ticks(lowest: float, factor: float) -> None:
    """An axis has between two and six ticks, all of them on it."""
    ticks = duration_ticks(lowest, lowest * factor)

    assert 2 <= len(ticks) <= 6
    assert all(lowest <= place <= lowest * factor for place, _ in ticks)


@pytest.mark.parametrize(
    ("number", "unit", "said"),
    [
        (None, "%", "–"),
        (float("nan"), "%", "–"),
        (0.0, "%", "0 %"),
        (54.90784, "%", "54.91 %"),
        (-0.00123456, "", "-0.001235"),
        (1_234_567.8, "ns", "1,234,568 ns"),
    ],
)
def test_volumes_have_their_unit(number: float | None, unit: str, said: str) -> None:
    """What was measured is an amount of its unit, which there need not be; what was not is a dash."""
    assert volume(number, unit) == said
