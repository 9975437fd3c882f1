"""Statistics of samples, by the scenarios of Ceilometer's own tests and their numbers."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from metered import metered_lake

import stackanalytics as sa

SIZES = [("2012-09-25 10:30", 5, 0), ("2012-09-25 11:31", 6, 1), ("2012-09-25 12:32", 7, 2)]
# volume, user, project, resource, time
GROUPED = [
    (2, 1, 1, 1, "16:10"),
    (2, 1, 2, 1, "15:37"),
    (1, 2, 1, 2, "10:11"),
    (1, 2, 1, 2, "10:40"),
    (2, 2, 1, 1, "14:59"),
    (4, 2, 2, 2, "17:28"),
    (4, 3, 1, 3, "11:22"),
]
# volume, project, resource
SELECTABLE = [(2, 1, 1), (2, 1, 1), (1, 2, 2), (2, 2, 2), (2, 2, 3), (5, 1, 4), (4, 2, 4), (9, 3, 5)]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Lake]:
    """Return a lake with the samples of three scenarios."""
    samples = [
        {"meter": "volume.size", "unit": "GiB", "at": at, "volume": volume, "resource_id": f"resource-id-{number}"}
        for at, volume, number in SIZES
    ]
    samples += [
        {
            "meter": "instance",
            "unit": "s",
            "type": "cumulative",
            "at": f"2013-08-01 {at}",
            "volume": volume,
            "user_id": f"user-{user}",
            "project_id": f"project-{project}",
            "resource_id": f"resource-{resource}",
            "size": 80 + resource,
        }
        for volume, user, project, resource, at in GROUPED
    ]
    samples += [
        {
            "meter": "selectable",
            "at": f"2013-01-01 00:0{number}",
            "volume": volume,
            "project_id": f"project-{project}",
            "resource_id": f"resource-{resource}",
        }
        for number, (volume, project, resource) in enumerate(SELECTABLE)
    ]
    with metered_lake(tmp_path_factory.mktemp("lake"), samples) as opened:
        yield opened


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (None, [(7.0, 18.0, 3)]),
        ("timestamp>=2012-09-25T11:30:00", [(7.0, 13.0, 2)]),
        ("timestamp<=2012-09-25T11:30:00", [(5.0, 5.0, 1)]),
        ("timestamp>=2012-09-25T13:00:00", []),
        ("timestamp>=2012-09-25T11:30:00;timestamp<=2012-09-25T11:32:00", [(6.0, 6.0, 1)]),
        ("timestamp>=2012-09-25T13:31:00+02:00;timestamp<2012-09-25T14:32:00+02:00", [(6.0, 6.0, 1)]),
        ("volume>5;volume<7", [(6.0, 6.0, 1)]),
        ("resource_id=resource-id-2", [(7.0, 7.0, 1)]),
    ],
)
def test_bounds(query: str | None, expected: list[tuple[float, float, int]], lake: sa.Lake) -> None:
    """Bounds are taken as they are meant, with offsets; nothing found is no row."""
    found = sa.statistics(lake, "volume.size", query=query)

    assert found.select("max", "sum", "count").rows() == expected


def test_without_period(lake: sa.Lake) -> None:
    """Without a period the bounds are the first and the last sample, in seconds."""
    [row] = sa.statistics(lake, "volume.size").rows(named=True)

    first, last = datetime(2012, 9, 25, 10, 30, tzinfo=UTC), datetime(2012, 9, 25, 12, 32, tzinfo=UTC)
    assert row == {
        "unit": "GiB",
        "period_s": None,
        "count": 3,
        "min": 5.0,
        "max": 7.0,
        "avg": 6.0,
        "sum": 18.0,
        "period_start_at": first,
        "period_end_at": last,
        "duration_s": 7320.0,
        "duration_start_at": first,
        "duration_end_at": last,
    }


@pytest.mark.parametrize(
    ("query", "period", "starts"),
    [
        (None, 3600, ["10:30", "11:30", "12:30"]),
        ("timestamp>=2012-09-25T10:15:00", 7200, ["10:15", "12:15"]),
    ],
)
def test_periods_begin_at_the_bound(query: str | None, period: int, starts: list[str], lake: sa.Lake) -> None:
    """Slices begin at the lower bound, else with the first sample, and not with the clock."""
    found = sa.statistics(lake, "volume.size", query=query, period=period)

    assert [f"{at:%H:%M}" for at in found["period_start_at"]] == starts
    assert (found["period_end_at"] - found["period_start_at"]).dt.total_seconds().to_list() == [period] * len(starts)


def test_a_sample_at_the_end_counts(tmp_path: Path) -> None:
    """Counts of slices add up to the count of all, also where the last sample lies on a boundary."""
    times = ["00:00", "00:30", "01:00", "01:59:59", "03:00"]
    with metered_lake(tmp_path, [{"meter": "m", "at": f"2013-01-01 {at}", "volume": 1} for at in times]) as lake:
        found = sa.statistics(lake, "m", period=3600)

    assert found["count"].to_list() == [2, 2, 1]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (["user"], [("user-1", 2, 4.0), ("user-2", 4, 8.0), ("user-3", 1, 4.0)]),
        (["project_id"], [("project-1", 5, 10.0), ("project-2", 2, 6.0)]),
        (["source"], [("openstack", 7, 16.0)]),
        (["metadata.size"], [("81", 3, 6.0), ("82", 3, 6.0), ("83", 1, 4.0)]),
    ],
)
def test_groups(fields: list[str], expected: list[tuple[str, int, float]], lake: sa.Lake) -> None:
    """Each value of a field has statistics of its own, in the order of the values."""
    assert sa.statistics(lake, "instance", group_by=fields).select(*fields, "count", "sum").rows() == expected


def test_groups_in_periods(lake: sa.Lake) -> None:
    """All groups share the slices; durations are of the samples in them."""
    bounds = "timestamp>=2013-08-01T10:11:00;timestamp<=2013-08-01T18:11:00"

    found = sa.statistics(lake, "instance", query=bounds, period=7200, group_by=["project"])

    shown = [
        (project, f"{at:%H:%M}", *row)
        for project, at, *row in found.select("project", "period_start_at", "count", "sum", "duration_s").rows()
    ]
    assert shown == [
        ("project-1", "10:11", 3, 6.0, 4260.0),
        ("project-1", "14:11", 2, 4.0, 4260.0),
        ("project-2", "14:11", 1, 2.0, 0.0),
        ("project-2", "16:11", 1, 4.0, 0.0),
    ]


def test_aggregates(lake: sa.Lake) -> None:
    """Aggregates that are asked for become columns of their names, each made of the samples of its group."""
    asked = ["cardinality/resource", "stddev", "variance", "median", "percentile/50", "first", "last"]

    found = sa.statistics(lake, "selectable", group_by=["project"], aggregates=asked)

    assert found["max"].to_list() == [5.0, 4.0, 9.0]
    assert found["avg"].to_list() == [3.0, 2.25, 9.0]
    assert found["cardinality/resource"].to_list() == [2.0, 3.0, 1.0]
    assert found["stddev"].to_list() == pytest.approx([1.4142, 1.0897, 0.0], abs=5e-5)
    assert found["variance"].to_list() == pytest.approx([2.0, 1.1875, 0.0])
    assert found["median"].to_list() == found["percentile/50"].to_list() == [2.0, 2.0, 9.0]
    assert found["first"].to_list() == [2.0, 1.0, 9.0]
    assert found["last"].to_list() == [5.0, 4.0, 9.0]


def test_units_are_never_mixed(tmp_path: Path) -> None:
    """Samples in bytes and in kilobytes are two rows."""
    samples = [
        {"meter": "m", "at": "2013-01-01", "volume": volume, "unit": unit} for volume, unit in ((5, "B"), (1, "KB"))
    ]
    with metered_lake(tmp_path, samples) as lake:
        assert sa.statistics(lake, "m").select("unit", "sum").rows() == [("B", 5.0), ("KB", 1.0)]


@pytest.mark.parametrize(
    ("start", "end", "duration_s"),
    [
        ("2013-01-01 10:00", "2013-01-01 18:00", 8 * 3600.0),
        ("2013-01-01 12:00", "2013-01-01 13:00", 3600.0),
        ("2013-01-01 08:05", "2013-01-01 20:00", 8 * 3600.0),
    ],
)
def test_search_offset(start: str, end: str, duration_s: float, tmp_path: Path) -> None:
    """Samples are looked for beyond the bounds, but what is beyond is not in the duration."""
    samples = [{"meter": "m", "at": f"2013-01-01 {at}", "volume": 1} for at in ("10:00", "18:00")]
    query = f"timestamp>={start};timestamp<={end};search_offset={10 if duration_s > 3600 else 600}"
    with metered_lake(tmp_path, samples) as lake:
        [row] = sa.statistics(lake, "m", query=query).rows(named=True)

    assert (row["count"], row["duration_s"]) == (2, duration_s)


@pytest.mark.parametrize(
    "wrong",
    [
        {"period": -1},
        {"period": 0},
        {"period": 10**13},
        {"period": float("nan")},
        {"group_by": ["wtf"]},
        {"group_by": ["metadata."]},
        {"group_by": ["timestamp"]},
        {"aggregates": ["mode"]},
        {"aggregates": ["max/resource"]},
        {"aggregates": ["cardinality"]},
        {"aggregates": ["cardinality/wtf"]},
        {"aggregates": ["percentile/101"]},
        {"aggregates": ["percentile/x"]},
    ],
)
def test_what_cannot_be_asked(wrong: dict[str, object], lake: sa.Lake) -> None:
    """What is no period, group or aggregate is refused with what was given."""
    with pytest.raises(sa.InputError):
        sa.statistics(lake, "volume.size", **wrong)  # type: ignore[arg-type]  # that is what is refused


@pytest.mark.parametrize("meter", ["volume.size", "nothing"])
def test_no_period_has_no_empty_ones(meter: str, lake: sa.Lake) -> None:
    """Empty periods need a period, whether there are samples or not."""
    with pytest.raises(sa.InputError, match="give a period"):
        sa.statistics(lake, meter, empty=True)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(period=st.integers(1, 100_000), end=st.integers(0, 60 * 24))
def test_slices_and_groups_add_up(period: int, end: int, lake: sa.Lake) -> None:
    """Over any period and any group, counts and sums add up to those without."""
    query = f"timestamp<2013-08-01T{end // 60 % 24:02}:{end % 60:02}:00"

    whole = sa.statistics(lake, "instance", query=query)
    parts = sa.statistics(lake, "instance", query=query, period=period, group_by=["resource", "user"])

    assert (parts["count"].sum(), parts["sum"].sum()) == (whole["count"].sum(), whole["sum"].sum())
    assert (parts["min"].min(), parts["max"].max()) == (whole["min"].min(), whole["max"].max())
