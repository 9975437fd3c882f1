"""Instants are read and written in one place, in UTC, whatever the zone of the machine."""

import re
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stackanalytics import times
from stackanalytics.errors import InputError

TEN = datetime(2026, 3, 2, 10, tzinfo=UTC)
# far enough from either end of the calendar that any offset stays inside
MOMENTS = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=st.just(UTC))
OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-02 10:00:00", TEN),
        ("2026-03-02T10:00:00", TEN),
        ("2026-03-02T10:00:00Z", TEN),
        ("2026-03-02 10:00:00Z", TEN),
        ("2026-03-02 10:00:00 Z", TEN),
        ("2026-03-02T10:00:00z", TEN),
        ("2026-03-02 10:00:00+00:00", TEN),
        ("2026-03-02 10:00:00 +0000", TEN),
        ("2026-03-02T12:30:00+0230", TEN),
        ("2026-03-01T23:00:00-11:00", TEN),
        ("  2026-03-02 10:00:00\n", TEN),
        ("2026-3-2 10:00:00", TEN),
        ("2026-03-02 9:59:60", None),
        ("2026-03-02 10:00:00.5", TEN + timedelta(milliseconds=500)),
        ("2026-03-02 10:00:00.000001", TEN + timedelta(microseconds=1)),
        ("2026-03-02 10:00:00.0000019", TEN + timedelta(microseconds=1)),
        ("2026-03-02 10:00:00.000001999", TEN + timedelta(microseconds=1)),
        ("2026-03-02T10:00:00.123456789Z", TEN + timedelta(microseconds=123456)),
        ("2026-03-02T12:30:00.123456789+02:30", TEN + timedelta(microseconds=123456)),
        ("2014-08-04T05:38:59.978898+0000", datetime(2014, 8, 4, 5, 38, 59, 978898, UTC)),
        ("2013-7-29 6:51:34.4", datetime(2013, 7, 29, 6, 51, 34, 400000, UTC)),
        ("1969-12-31 23:59:59", datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("0001-01-01 00:00:00", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999Z", datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)),
        ("0001-01-01T00:00:00+00:01", None),
        ("9999-12-31T23:59:59-00:01", None),
        ("2026-03-02 10:00:00+24:00", None),
        ("2026-03-02 24:00:01", None),
        ("2026-02-29 10:00:00", None),
        ("2024-02-29 10:00:00", datetime(2024, 2, 29, 10, tzinfo=UTC)),
        ("2026-13-01 10:00:00", None),
        ("2026-03-02", None),
        ("2026-03-02 10:00", None),
        ("10:00:00", None),
        ("2014-05-1510: 24: 56.3", None),
        ("2015-06-1909:19:35.7", None),
        ("2015-09-24 12:47:.634363", None),
        ("20140223134852", None),
        ("2026-03-02  10:00:00", None),
        ("2026-03-02_10:00:00", None),
        ("2026-W10-1T10:00:00", None),
        ("1393146000", None),
        ("٢٠٢٦-٠٣-٠٢ ١٠:٠٠:٠٠", None),
        ("2026-03-02 10:00:00 or so", None),
        ("", None),
        (" ", None),
    ],
)
def test_parse(text: str, expected: datetime | None) -> None:
    """Every form that services write is read to the microsecond; anything else is None."""
    assert times.parse(text) == expected


@given(MOMENTS, st.sampled_from(" T"), st.sampled_from(["", "Z", "+00:00", "+0000"]), st.integers(0, 3))
def test_parse_reads_what_services_print(moment: datetime, separator: str, zone: str, nanoseconds: int) -> None:
    """Any moment, printed with and without fraction and zone, is read back; digits beyond microseconds are cut."""
    printed = moment.replace(tzinfo=None).isoformat(separator)
    more = "7" * nanoseconds if moment.microsecond else ""
    found = times.parse(printed + more + zone)
    assert found == moment
    assert found is not None
    assert found.utcoffset() == timedelta(0)


@given(MOMENTS, OFFSETS)
def test_parse_converts_offsets(moment: datetime, minutes: int) -> None:
    """A moment printed in any zone is the same moment in UTC."""
    printed = moment.astimezone(timezone(timedelta(minutes=minutes))).isoformat()
    assert times.parse(printed) == moment
    assert times.parse(printed[:-3] + printed[-2:]) == moment


@given(st.one_of(st.text(), st.text(st.sampled_from("0123456789-:. TZ+"), min_size=15, max_size=32)))
def test_parse_never_raises(text: str) -> None:
    """Whatever the text, the answer is a moment in UTC or None."""
    found = times.parse(text)
    assert found is None or found.utcoffset() == timedelta(0)


SHAPE = re.compile(
    r"\s*\d{4}-\d\d?-\d\d?[ T]\d\d?:\d\d:\d\d(\.\d{1,9})?( ?([Zz]|[+-]([01]\d|2[0-3]):?[0-5]\d))?\s*", re.ASCII
)


@given(
    st.sampled_from(["2026-03-02 10:00:00.123456", "2026-03-02T10:00:00Z", "2026-03-02 10:00:00.123456789+05:30"]),
    st.lists(st.tuples(st.integers(0, 34), st.sampled_from(["", *"0159:-. TZ+,W"]), st.booleans()), max_size=2),
)
@example("2026-03-02 10:00:00", [(17, "", True), (17, "", True)])
def test_parse_guesses_nothing(text: str, typos: list[tuple[int, str, bool]]) -> None:
    """A time with a typing error is no time, unless it still is one: Python's own reader takes more."""
    for place, character, is_instead in typos:
        text = text[:place] + character + text[place + is_instead :]
    if times.parse(text) is not None:
        assert SHAPE.fullmatch(text)


@given(MOMENTS)
def test_show_is_the_inverse_of_parse(moment: datetime) -> None:
    """What is shown is read as the same moment."""
    assert times.parse(times.show(moment)) == moment


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(2014, 1, 14, 15, 39, tzinfo=UTC), "2014-01-14 15:39:00"),
        (datetime(2014, 1, 14, 15, 39, 0, 500000, UTC), "2014-01-14 15:39:00.500000"),
        (datetime(2014, 1, 14, 15, 41, 0, 100000, UTC), "2014-01-14 15:41:00.100000"),
        (datetime(2014, 1, 14, 15, 39, tzinfo=timezone(timedelta(hours=5))), "2014-01-14 10:39:00"),
    ],
)
def test_show(moment: datetime, expected: str) -> None:
    """Six digits of fraction are written, or none; other zones are converted."""
    assert times.show(moment) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-03-02", datetime(2026, 3, 2, tzinfo=UTC)),
        ("2026-3-2", datetime(2026, 3, 2, tzinfo=UTC)),
        ("2026-03-02 10:00", TEN),
        ("2026-03-02T10:00Z", TEN),
        ("2026-03-02T12:00+02:00", TEN),
        (" 2026-03-02 10:00:00 ", TEN),
        (TEN, TEN),
        (TEN.replace(tzinfo=None), TEN),
        (TEN.astimezone(timezone(timedelta(hours=-7))), TEN),
    ],
)
def test_instant(value: str | datetime, expected: datetime) -> None:
    """Users may leave out seconds and time of day; a naive time is UTC, not that of the machine."""
    found = times.instant(value)
    assert found == expected
    assert found.utcoffset() == timedelta(0)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-03-02 10", "2026-02-30", "10:00", "2026-03-02 10:00:", "1.5"])
def test_instant_says_what_would_work(text: str) -> None:
    """What is no time is refused, naming it and what is accepted."""
    with pytest.raises(InputError, match=r"is not a time. Accepted: YYYY-MM-DD") as refused:
        times.instant(text)
    assert repr(text) in str(refused.value)


@given(MOMENTS)
def test_unix_microseconds(moment: datetime) -> None:
    """Microseconds since 1970 and moments are one to one, before 1970, too."""
    assert times.from_unix_us(times.unix_us(moment)) == moment


def test_unix_seconds() -> None:
    """Seconds since 1970 are read to the nearest microsecond: floats do not hold them exactly."""
    assert times.unix_us(TEN) == 1_772_445_600_000_000
    assert times.from_unix(1772445600) == TEN
    assert times.from_unix(1772445600.123457) == TEN + timedelta(microseconds=123457)
    assert times.from_unix(-0.5) == datetime(1969, 12, 31, 23, 59, 59, 500000, UTC)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, (None, None)),
        (TEN, None, (date(2026, 3, 2), None)),
        (None, TEN, (None, date(2026, 3, 2))),
        (TEN, TEN + timedelta(days=1), (date(2026, 3, 2), date(2026, 3, 3))),
        (None, datetime(2026, 3, 2, tzinfo=UTC), (None, date(2026, 3, 1))),
        (datetime(2026, 3, 2, 1, tzinfo=timezone(timedelta(hours=2))), None, (date(2026, 3, 1), None)),
    ],
)
def test_day_range(start: datetime | None, end: datetime | None, expected: tuple[date | None, date | None]) -> None:
    """The days are those of UTC; the end is outside, so midnight does not open its day."""
    assert times.day_range(start, end) == expected


def test_now_is_in_utc() -> None:
    """The clock tells UTC, and runs."""
    first = times.now()
    assert first.utcoffset() == timedelta(0)
    assert abs(first - datetime.now(timezone(timedelta(hours=9)))) < timedelta(minutes=1)
    assert times.now() >= first


def test_just_after() -> None:
    """After the last instant of the calendar there is none."""
    last = datetime.max.replace(tzinfo=UTC)
    assert times.just_after(TEN) == datetime(2026, 3, 2, 10, 0, 0, 1, tzinfo=UTC)
    assert times.just_after(last - timedelta(microseconds=1)) == last
    assert times.just_after(last) is None
