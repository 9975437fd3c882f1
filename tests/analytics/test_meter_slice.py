"""Slices of time: lengths, and the calendars of time zones with all their oddities."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stackanalytics as sa
from stackanalytics import times
from stackanalytics.analytics.meter_slice import CALENDAR, Calendar, Whole, check_timezone, lengths

ZONES = sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "System")))
SINCE, UNTIL = datetime(1975, 1, 1), datetime(2035, 1, 1)


def between(unit: str, timezone: str, start: str, end: str) -> list[tuple[str, float]]:
    """Return the begins of the periods that instants in ``[start, end)`` lie in, in local time, and their hours."""
    first_us, last_us = times.unix_us(times.instant(start)), times.unix_us(times.instant(end)) - 1
    found = Calendar(unit, timezone, first_us, last_us).between(first_us, last_us)
    return [
        (f"{times.from_unix_us(start).astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M%z}", (end - start) / 3.6e9)
        for start, end in found.rows()
    ]


@pytest.mark.parametrize(
    ("unit", "timezone", "start", "end", "expected"),
    [
        # clocks go from 2 to 3 in the morning, and from 3 to 2
        ("day", "Europe/Berlin", "2026-03-29 12:00", "2026-03-29 13:00", [("2026-03-29 00:00+0100", 23)]),
        ("day", "Europe/Berlin", "2026-10-25 12:00", "2026-10-25 13:00", [("2026-10-25 00:00+0200", 25)]),
        (
            *("hour", "Europe/Berlin", "2026-03-29 00:00", "2026-03-29 02:00"),
            [("2026-03-29 01:00+0100", 1), ("2026-03-29 03:00+0200", 1)],
        ),
        (
            *("hour", "Europe/Berlin", "2026-10-25 00:00", "2026-10-25 02:00"),
            [("2026-10-25 02:00+0200", 1), ("2026-10-25 02:00+0100", 1)],
        ),
        ("week", "Europe/Berlin", "2026-03-29 12:00", "2026-03-29 13:00", [("2026-03-23 00:00+0100", 7 * 24 - 1)]),
        ("month", "Europe/Berlin", "2026-10-25", "2026-10-26", [("2026-10-01 00:00+0200", 31 * 24 + 1)]),
        ("year", "Europe/Berlin", "2024-02-29", "2024-03-01", [("2024-01-01 00:00+0100", 366 * 24)]),
        ("month", "UTC", "2026-02-28 23:59:59", "2026-03-01", [("2026-02-01 00:00+0000", 28 * 24)]),
        # hours begin where the clock shows them, in India half an hour after those of UTC
        ("hour", "Asia/Kolkata", "2026-03-01 00:00", "2026-03-01 00:01", [("2026-03-01 05:00+0530", 1)]),
        # clocks go on by half an hour only: none shows 2 o'clock, and that hour begins at half past
        (
            *("hour", "Australia/Lord_Howe", "2026-10-03 15:00", "2026-10-03 15:31"),
            [("2026-10-04 01:00+1030", 1), ("2026-10-04 02:30+1100", 0.5)],
        ),
        ("hour", "Australia/Lord_Howe", "2026-04-04 15:00", "2026-04-04 15:01", [("2026-04-05 01:00+1100", 1.5)]),
        # a midnight that is skipped: the day begins at one
        ("day", "America/Sao_Paulo", "2017-10-15 12:00", "2017-10-15 13:00", [("2017-10-15 01:00-0200", 23)]),
        # one that clocks show twice: the day begins with the first
        ("day", "America/Havana", "2025-11-02 12:00", "2025-11-02 13:00", [("2025-11-02 00:00-0400", 25)]),
        # a day that never was
        (
            *("day", "Pacific/Apia", "2011-12-30 00:00", "2011-12-30 12:00"),
            [("2011-12-29 00:00-1000", 24), ("2011-12-31 00:00+1400", 24)],
        ),
    ],
)
def test_calendars(unit: str, timezone: str, start: str, end: str, expected: list[tuple[str, float]]) -> None:
    """Periods begin when clocks show their begin, and are as long as clocks make them."""
    assert between(unit, timezone, start, end) == expected


@settings(max_examples=200, deadline=None)
@given(
    unit=st.sampled_from([*CALENDAR]),
    timezone=st.sampled_from(ZONES),
    first=st.datetimes(SINCE, UNTIL),
    later=st.timedeltas(timedelta(), timedelta(days=400)),
)
def test_no_instant_is_left_out(unit: str, timezone: str, first: datetime, later: timedelta) -> None:
    """In any zone, periods follow each other without gap from before the first instant to behind the last."""
    first_us = times.unix_us(first.replace(tzinfo=UTC))
    last_us = first_us + times.unix_us(times.EPOCH + later)

    found = Calendar(unit, timezone, first_us, last_us).between(first_us, last_us)

    assert found["slice_us"][0] <= first_us < found["slice_end_us"][0]
    assert found["slice_us"][-1] <= last_us < found["slice_end_us"][-1]
    assert found["slice_us"][1:].to_list() == found["slice_end_us"][:-1].to_list()
    assert (found["slice_us"] < found["slice_end_us"]).all()


def test_an_offset_is_a_time_zone() -> None:
    """Where a time zone is but an offset, days begin at its midnights."""
    slices = Calendar("day", check_timezone("+02:00"), 0, 0).between(0, 0)

    assert slices.rows() == [(-7_200_000_000, 79_200_000_000)]


def test_lengths_before_1970() -> None:
    """Slices that are counted from 1970 go on before it."""
    slices = lengths(3600, origin=None, aligned=True)

    assert slices.between(-1, 0)["slice_us"].to_list() == [-3_600_000_000, 0]


def test_what_cannot_be_cut() -> None:
    """Too many periods are counted, and a time zone that is none is named; what is not cut is one."""
    assert Whole().between(0, 1).rows() == [(None, None)]
    with pytest.raises(sa.InputError, match=r"87,\d{3},\d{3} periods.*1,000,000"):
        Calendar("hour", "UTC", 0, 0).between(-62_135_596_800_000_000, 253_402_300_799_000_000)
    for wrong in ("Mars/Olympus", "", "+2"):
        with pytest.raises(sa.InputError, match="Europe/Berlin"):
            check_timezone(wrong)


def test_a_century_of_hours() -> None:
    """A hundred years of hours are told, each of an hour in UTC."""
    first_us, last_us = times.unix_us(datetime(1926, 1, 1, tzinfo=UTC)), times.unix_us(datetime(2026, 1, 1, tzinfo=UTC))

    found = Calendar("hour", "UTC", first_us, last_us).between(first_us, last_us)

    assert found.height == 36_525 * 24 + 1
    assert found.select((pl.col("slice_end_us") - pl.col("slice_us")).unique())["slice_end_us"].to_list() == [
        3_600_000_000
    ]
