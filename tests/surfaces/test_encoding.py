"""How surfaces write values and read parameters."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from http import HTTPStatus

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackanalytics import times
from stackanalytics.errors import InputError
from stackanalytics.surfaces import encoding

YEAR_US = 365 * 24 * 3600 * 1_000_000
SECONDS = st.decimals(min_value=-(10**9), max_value=10**10, places=7)


@pytest.mark.parametrize(
    ("duration_us", "text"),
    [
        (0, "0d 00:00:00.00"),
        (1, "0d 00:00:00.00"),
        (55_500_000, "0d 00:00:55.50"),
        (6_800_000, "0d 00:00:06.80"),
        (851_719_999, "0d 00:14:11.71"),
        (1_999_999, "0d 00:00:01.99"),
        (6_074_270_000, "0d 01:41:14.27"),
        (100_000_123_456, "1d 03:46:40.12"),
        (505_007_080_000, "5d 20:16:47.08"),
        (-55_500_000, "-0d 00:00:55.50"),
        (-86_400_250_000, "-1d 00:00:00.25"),
    ],
)
def test_durations_are_cut_to_two_digits(duration_us: int, text: str) -> None:
    """A duration has two digits, cut and not rounded, whatever its size, with its sign in front."""
    assert encoding.duration(duration_us) == text


@given(st.integers(-YEAR_US, YEAR_US))
def test_duration_can_be_read_back(duration_us: int) -> None:
    """The text tells the hundredths of a second that the duration has, and nothing else."""
    text = encoding.duration(duration_us)

    days, clock = text.lstrip("-").split("d ")
    hours, minutes, seconds = clock.split(":")
    read = ((int(days) * 24 + int(hours)) * 60 + int(minutes)) * 60 + Decimal(seconds)
    assert read == Decimal(abs(duration_us) // 10_000) / 100
    assert text.startswith("-") == (duration_us < 0)


@pytest.mark.parametrize(
    ("duration_us", "text"),
    [(506_999_999, "0d 00:08:26"), (13_637_000_000, "0d 03:47:17"), (-1_500_000, "-0d 00:00:01")],
)
def test_whole_durations_have_no_fraction(duration_us: int, text: str) -> None:
    """A mean is cut to whole seconds."""
    assert encoding.whole_duration(duration_us) == text


@given(st.integers(0, YEAR_US))
def test_seconds_become_the_microseconds_they_were_made_of(duration_us: int) -> None:
    """No hundredth is lost on the way through seconds as floating-point numbers."""
    assert encoding.microseconds(duration_us / 1_000_000) == duration_us


@given(st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1)))
def test_instants_in_tables_are_written_as_everywhere(naive: datetime) -> None:
    """Columns of instants are written as single instants are."""
    moment = naive.replace(tzinfo=UTC)
    frame = pl.DataFrame({"generated_at": [moment]}, schema={"generated_at": pl.Datetime("us", "UTC")})

    assert frame.select(encoding.when("generated_at")).item() == times.show(moment)


def test_instants_have_six_digits_or_none() -> None:
    """The fraction is left out where it is zero, as StackTach does."""
    moment = datetime(2014, 1, 14, 15, 39, 22, tzinfo=UTC)
    frame = pl.DataFrame({"generated_at": [moment, moment + timedelta(milliseconds=500)]})

    written = frame.select(encoding.when("generated_at")).to_series().to_list()

    assert written == ["2014-01-14 15:39:22", "2014-01-14 15:39:22.500000"]


def test_json_is_ascii_with_blanks_after_its_marks() -> None:
    """JSON is written as StackTach's Python did."""
    assert encoding.json_text({"é": [1, None, "a"]}) == rb'{"\u00e9": [1, null, "a"]}'


def test_numbers_that_json_lacks_are_null() -> None:
    """NaN and infinities become null at any depth, and other values stay."""
    value = [{"a": (float("nan"), 1.5)}, float("inf"), -float("inf")]

    assert json.loads(encoding.json_text(value)) == [{"a": [None, 1.5]}, None, None]


def test_json_has_times_as_text() -> None:
    """Instants and days can be in an answer."""
    value = [datetime(2014, 1, 14, 15, tzinfo=UTC), date(2014, 1, 14)]

    assert json.loads(encoding.json_text(value)) == ["2014-01-14 15:00:00", "2014-01-14"]


def test_error_table_is_what_stacky_reads() -> None:
    """An error is a table of its type and its message."""
    expected = [["Error", "Message"], ["Not Found", "no such thing"]]

    assert encoding.error_table(HTTPStatus.NOT_FOUND, "no such thing") == expected


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, (50, 0)),
        ({"limit": "", "offset": ""}, (50, 0)),
        ({"limit": "0"}, (0, 0)),
        ({"limit": "7", "offset": "3"}, (7, 3)),
        ({"limit": "1001"}, (1000, 0)),
        ({"limit": "9" * 5000}, (1000, 0)),
        ({"offset": "9" * 5000}, (50, 2**53)),
    ],
)
def test_pages_have_50_rows_and_never_more_than_1000(parameters: dict[str, str], expected: tuple[int, int]) -> None:
    """Limit and offset are StackTach's; an empty one counts as not given."""
    assert encoding.page(parameters) == expected


@pytest.mark.parametrize("value", ["-1", "x", "1.5", "1e3", "٣", "0x10", "1_000", "--1", " "])
@pytest.mark.parametrize("name", ["limit", "offset"])
def test_bad_pages_are_refused(name: str, value: str) -> None:
    """What is no count is refused, in words that repeat it."""
    with pytest.raises(InputError, match=f"{name}="):
        encoding.page({name: value})


@pytest.mark.parametrize(
    ("text", "expected"), [("12", 12), ("007", 7), ("-1", None), ("x", None), ("9" * 30, None), ("", None)]
)
def test_numbers_of_records(text: str, expected: int | None) -> None:
    """The number of a record is read, and None is said of what can be no record's."""
    assert encoding.number(text) == expected


@given(SECONDS, SECONDS)
def test_ranges_include_both_ends(bound: Decimal, seconds: Decimal) -> None:
    """Bounds in unix seconds include themselves, whatever digits they have."""
    moment = times.from_unix_us(int(seconds * 1_000_000))
    exact = Decimal(times.unix_us(moment)) / 1_000_000
    first = encoding.at_or_after({"when_min": str(bound)}, "when_min")
    end = encoding.after({"when_max": str(bound)}, "when_max")

    assert first is not None
    assert end is not None
    assert (moment >= first) == (exact >= bound)
    assert (moment < end) == (exact <= bound)


def test_bounds_that_are_not_given_do_not_bound() -> None:
    """An empty parameter is one that is not given."""
    assert encoding.at_or_after({"when_min": ""}, "when_min") is None
    assert encoding.after({}, "when_max") is None


@pytest.mark.parametrize("value", ["abc", "nan", "inf", "2014-01-14", "1e999", "-1e12", "1e12", "1,5", "1_0", "٣"])
def test_bad_times_are_refused(value: str) -> None:
    """What is no unix time, or of a year that no notification can have, is refused."""
    with pytest.raises(InputError, match="since 1970"):
        encoding.after({"since": value}, "since")


@pytest.mark.parametrize("value", ["77e0f192-00a2-4f14-ad56-7467897828ea", "77e0f19200a24f14ad567467897828ea"])
def test_uuids_have_all_their_dashes_or_none(value: str) -> None:
    """Both spellings pass as they are, also behind req- where a request is meant."""
    assert encoding.uuid_like(value) == value
    assert encoding.request_id_like(value) == value
    assert encoding.request_id_like(f"req-{value}") == f"req-{value}"


@pytest.mark.parametrize(
    "value",
    [
        "77E0F192-00a2-4f14-ad56-7467897828ea",
        "77e0f192-00a24f14ad56-7467897828ea",
        "{77e0f192-00a2-4f14-ad56-7467897828ea}",
        "urn:uuid:77e0f192-00a2-4f14-ad56-7467897828ea",
        "77e0f192-00a2-4f14-ad56-7467897828ea\n",
        "req-req-77e0f192-00a2-4f14-ad56-7467897828ea",
        "x",
    ],
)
def test_other_spellings_are_no_uuids(value: str) -> None:
    """Anything else is refused in StackTach's words."""
    with pytest.raises(InputError) as refused:
        encoding.uuid_like(value)
    assert str(refused.value) == f"{value} is not uuid-like"
    with pytest.raises(InputError) as refused:
        encoding.request_id_like(value)
    assert str(refused.value) == f"{value} is not request-id-like"
