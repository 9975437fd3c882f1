"""Increases, rates, averages weighted by time, calendars and empty periods, worked out by hand."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

import stackanalytics as sa
from stackanalytics.testing import sample, samples_of

# a counter that is reset at 11:10, and one of another resource
BYTES = [("i-1", "10:00", 100), ("i-1", "10:30", 160), ("i-1", "11:10", 20), ("i-1", "11:50", 50), ("i-2", "10:20", 7)]
BYTES += [("i-2", "11:20", 67)]
# a level, at first of one owner and then of another
LEVELS = [("10:00", 10, "p1"), ("10:45", 20, "p1"), ("13:30", 5, "p2")]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Lake]:
    """Return a lake with a counter, changes, a level, and two days on which clocks are changed."""
    samples = [
        sample("bytes", f"2026-03-02 {at}", volume, meter_type="cumulative", unit="B", resource=resource)
        for resource, at, volume in BYTES
    ]
    samples += [
        sample("changes", f"2026-03-02 {at}", volume, meter_type="delta", unit="B")
        for at, volume in (("10:00", 4), ("10:10", 6), ("10:30", 0))
    ]
    samples += [
        sample("level", f"2026-03-02 {at}", volume, tenant=project, metadata={"flavor": {"name": f"m1.{project}"}})
        for at, volume, project in LEVELS
    ]
    samples += [
        sample("clock", f"2026-{day}T{hour:02}:30", 1) for day in ("03-29", "10-25", "10-26") for hour in range(24)
    ]
    with samples_of(tmp_path_factory.mktemp("lake"), samples) as opened:
        yield opened


def test_all_aggregates_of_one_example(lake: sa.Lake) -> None:
    """What the documentation tells of 10, 20 and 5 is so."""
    expected = {
        "first": 10,
        "last": 5,
        "median": 10,
        "percentile/90": 18,
        "variance": 350 / 9,
        "cardinality/resource": 1,
        "stddev": (350 / 9) ** 0.5,
        "increase": -5,
        "rate": -5 / 12_600,
        "time_weighted_avg": 3750 / 210,
    }

    [row] = sa.statistics(lake, "level", aggregates=[*expected]).rows(named=True)

    assert {name: row[name] for name in expected} == pytest.approx(expected)


def test_increase_with_a_reset(lake: sa.Lake) -> None:
    """From 100 to 160 are 60; 20 after it began again, and 30 more: 110 in 110 minutes."""
    [row] = sa.statistics(lake, "bytes", query="resource=i-1", aggregates=["increase", "rate"]).rows(named=True)

    assert (row["increase"], row["rate"]) == (110.0, pytest.approx(110 / 6600))


def test_increase_by_period_and_over_resources(lake: sa.Lake) -> None:
    """A change counts where it is seen: 60 before 11, then 20 and 30, and 60 of the other; rates are means."""
    found = sa.statistics(lake, "bytes", period="hour", aggregates=["increase", "rate"])

    assert found["increase"].to_list() == [60.0, 110.0]
    # 60 in 1800 s; 50 in 4800 s and 60 in 3600 s
    assert found["rate"].to_list() == pytest.approx([60 / 1800, 110 / 8400])
    assert sa.statistics(lake, "bytes", aggregates=["increase"])["increase"].to_list() == [170.0]


def test_increase_of_changes_and_of_levels(lake: sa.Lake) -> None:
    """Changes add up, the first included; a level may fall, which is no reset."""
    [changes] = sa.statistics(lake, "changes", aggregates=["increase", "rate"]).rows(named=True)
    [level] = sa.statistics(lake, "level", aggregates=["increase"]).rows(named=True)

    assert (changes["increase"], changes["rate"]) == (10.0, pytest.approx(6 / 1800))  # 6 and 0 in half an hour
    assert level["increase"] == -5.0


def test_increase_of_a_first_sample_is_unknown(lake: sa.Lake) -> None:
    """What was before the bounds is not looked at."""
    found = sa.statistics(
        lake, "bytes", query="resource=i-1;timestamp>=2026-03-02T11:50", aggregates=["increase", "rate"]
    )

    assert found.select("increase", "rate").rows() == [(None, None)]


def test_average_weighted_by_time(lake: sa.Lake) -> None:
    """10 for 45 minutes and 20 for 15 are 12.5 over the hour; the last volume holds until the end of its hour."""
    found = sa.statistics(lake, "level", period="hour", aggregates=["time_weighted_avg"])

    assert found["period_start_at"].dt.hour().to_list() == [10, 13]
    assert found["time_weighted_avg"].to_list() == [12.5, 12.5]  # 20 is held until 13:30, then 5
    filled = sa.statistics(lake, "level", period="hour", aggregates=["time_weighted_avg"], empty=True)
    assert filled["time_weighted_avg"].to_list() == [12.5, 20.0, 20.0, 12.5]
    assert filled["count"].to_list() == [2, 0, 0, 1]
    assert filled["avg"].to_list() == [15.0, None, None, 5.0]


def test_average_weighted_by_time_within_bounds(lake: sa.Lake) -> None:
    """Without periods the last volume holds until the upper bound or, without that, has no weight."""
    asked = ["time_weighted_avg"]
    whole = sa.statistics(lake, "level", aggregates=asked)["time_weighted_avg"].item()
    until = sa.statistics(lake, "level", query="timestamp<2026-03-02T14:00", aggregates=asked)
    alone = sa.statistics(lake, "level", query="timestamp>=2026-03-02T13:00", aggregates=asked)

    assert whole == pytest.approx((10 * 45 + 20 * 165) / 210)
    assert until["time_weighted_avg"].item() == pytest.approx((10 * 45 + 20 * 165 + 5 * 30) / 240)
    assert alone["time_weighted_avg"].item() is None


def test_average_weighted_by_time_of_owners(lake: sa.Lake) -> None:
    """A volume is held for whom it was measured of, until the next one, whoever that is of."""
    found = sa.statistics(lake, "level", group_by=["metadata.flavor.name"], aggregates=["time_weighted_avg"])

    assert found["metadata.flavor.name"].to_list() == ["m1.p1", "m1.p2"]
    assert found["time_weighted_avg"].to_list() == [pytest.approx((10 * 45 + 20 * 165) / 210), None]


def test_days_when_clocks_are_changed(lake: sa.Lake) -> None:
    """In Berlin a day in March has 23 hours, and one in October 25."""
    found = sa.statistics(lake, "clock", period="day", timezone="Europe/Berlin")

    assert found.select("period_s", "count").rows()[:4] == [
        (23 * 3600.0, 22),  # from 00:30 to 21:30 UTC
        (24 * 3600.0, 2),
        (25 * 3600.0, 23),  # from 00:30 to 22:30 UTC
        (24 * 3600.0, 24),
    ]
    assert found["period_start_at"][0] == datetime(2026, 3, 28, 23, tzinfo=UTC)
    hours = sa.statistics(lake, "clock", period="hour", timezone="Europe/Berlin", query="timestamp<2026-04-01")
    assert hours["count"].to_list() == [1] * 24


def test_months_in_utc(lake: sa.Lake) -> None:
    """Without a time zone, months are those of UTC; empty ones are told if they are wanted."""
    found = sa.statistics(lake, "clock", period="month", empty=True)

    assert [f"{at:%m-%d}" for at in found["period_start_at"]] == [f"{month:02}-01" for month in range(3, 11)]
    assert found["count"].to_list() == [24, 0, 0, 0, 0, 0, 0, 48]


def test_aligned_lengths(lake: sa.Lake) -> None:
    """Slices that are aligned begin with the clock; others with the bound."""
    query = "timestamp>=2026-03-02T10:20"

    aligned = sa.statistics(lake, "level", query=query, period=1800, aligned=True)
    other = sa.statistics(lake, "level", query=query, period=1800)

    assert [f"{at:%H:%M}" for at in aligned["period_start_at"]] == ["10:30", "13:30"]
    assert [f"{at:%H:%M}" for at in other["period_start_at"]] == ["10:20", "13:20"]


def test_empty_slices_reach_from_bound_to_bound(lake: sa.Lake) -> None:
    """Each unit and group has all slices within the bounds, and no other."""
    query = "timestamp>=2026-03-02T09:00;timestamp<2026-03-02T12:00"

    found = sa.statistics(lake, "bytes", query=query, period=3600, group_by=["resource"], empty=True)

    shown = [
        (f"{at:%H}", resource, count)
        for at, resource, count in found.select("period_start_at", "resource", "count").rows()
    ]
    assert shown == [
        ("09", "i-1", 0),
        ("09", "i-2", 0),
        ("10", "i-1", 2),
        ("10", "i-2", 1),
        ("11", "i-1", 2),
        ("11", "i-2", 1),
    ]


def test_cardinality_of_any_field(lake: sa.Lake) -> None:
    """Different values are counted of fields and of metadata; those that are absent are none."""
    asked = ["cardinality/metadata.flavor.name", "cardinality/volume", "cardinality/user", "cardinality/timestamp"]

    [row] = sa.statistics(lake, "level", aggregates=[*asked, "sum", asked[0]]).rows(named=True)

    assert [row[name] for name in asked] == [2.0, 3.0, 0.0, 3.0]
    assert row["sum"] == 35.0


def test_names_that_differ_in_case_only(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Two paths into the metadata that differ in case only are two, as groups and as what is counted."""
    samples = [
        sample("m", "2026-03-02", 1, metadata={"a": "x", "A": "y"}),
        sample("m", "2026-03-03", 1, metadata={"a": "x"}),
    ]
    asked = ["cardinality/metadata.a", "cardinality/metadata.A"]
    with samples_of(tmp_path_factory.mktemp("lake"), samples) as lake:
        counted = sa.statistics(lake, "m", aggregates=asked)
        grouped = sa.statistics(lake, "m", group_by=["metadata.a", "metadata.A"], period="day", empty=True)

    assert counted.select(asked).rows() == [(1.0, 1.0)]
    assert grouped.select("metadata.a", "metadata.A", "count").rows() == [("x", "y", 1)]


def test_groups_of_meters(lake: sa.Lake) -> None:
    """Meters and their types can be grouped by; units are told apart anyway."""
    found = sa.statistics(lake, ["bytes", "changes", "bytes"], group_by=["type", "unit"])

    assert found.columns[:3] == ["meter", "type", "unit"]
    assert found.select("meter", "type", "unit", "count").rows() == [
        ("bytes", "cumulative", "B", 6),
        ("changes", "delta", "B", 3),
    ]


def test_large_volumes(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Volumes of any size are added up exactly, and their spread is told."""
    samples = [sample("large", f"2026-03-02 10:0{minute}", volume) for minute, volume in ((0, 10**12), (1, 10**12 + 2))]
    with samples_of(tmp_path_factory.mktemp("lake"), samples) as lake:
        [row] = sa.statistics(lake, "large", aggregates=["stddev", "increase"]).rows(named=True)

    assert (row["sum"], row["avg"], row["stddev"], row["increase"]) == (2 * 10**12 + 2, 10**12 + 1, 1.0, 2.0)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"period": "fortnight"}, "hour, day, week, month, year"),
        ({"period": 3600, "timezone": "Europe/Berlin"}, "hour, day"),
        ({"period": "day", "timezone": "Mars"}, "'Mars' is no time zone"),
        ({"period": "day", "timezone": ""}, "'' is no time zone"),
        ({"empty": True}, "give a period"),
        ({"period": 0.01, "empty": True}, r"1,260,001 periods"),
        ({"period": 0.1, "empty": True}, r"126,001 rows, 126,001 periods of 1 groups.*100,000"),
        ({"group_by": "resource"}, r"\['resource'\]"),
        ({"group_by": ["volume"]}, "volume"),
        ({"aggregates": ["increase/resource"]}, "increase.resource"),
        ({"aggregates": ["cardinality/metadata."]}, "no path"),
    ],
)
def test_what_cannot_be_asked(wrong: dict[str, object], told: str, lake: sa.Lake) -> None:
    """What cannot be used is refused with what was given and what would work."""
    with pytest.raises(sa.InputError, match=told):
        sa.statistics(lake, "level", **wrong)  # type: ignore[arg-type]  # that is what is refused


def test_no_meter_is_refused(lake: sa.Lake) -> None:
    """An empty list is not all meters."""
    with pytest.raises(sa.InputError, match="no meter"):
        sa.statistics(lake, [])
