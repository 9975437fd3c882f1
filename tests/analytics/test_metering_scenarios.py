"""The scenarios of Ceilometer's own tests, on samples that were posted, with their numbers."""

from collections.abc import Iterator
from datetime import UTC, datetime

import polars as pl
import pytest

import stackanalytics as sa
from stackanalytics.testing import sample, samples_of

TIMES = ("10:30", "11:31", "12:32")
SIZES = [
    sample("volume.size", f"2012-09-25 {at}", volume, unit="GiB", resource=f"resource-id-{user}", user=user)
    for user, volumes in (("user-id", (5, 6, 7)), ("user-5", (8, 9, 10)))
    for at, volume in zip(TIMES, volumes, strict=True)
]
SIZES += [
    sample("memory", f"2012-09-25 {at}", volume, unit="MB", resource="resource-id-5", user="user-5")
    for at, volume in zip(TIMES, (8, 9, 10), strict=True)
]

# meter, minute, resource, user, source, metadata
LISTED: list[tuple[str, int, str, str, str, dict[str, object]]] = [
    ("meter.test", 40, "resource-id", "user-id", "test_source", {"size": 123, "util": 0.75, "is_public": True}),
    ("meter.test", 41, "resource-id", "user-id", "test_source", {"size": 0, "util": 0.47, "is_public": False}),
    (
        "meter.mine",
        41,
        "resource-id2",
        "user-id2",
        "test_source",
        {"size": 456, "properties": {"prop_1": "prop_value"}},
    ),
    ("meter.test", 42, "resource-id3", "user-id", "test_source1", {"size": 0, "is_public": False}),
    (
        "meter.mine",
        43,
        "resource-id4",
        "user-id4",
        "test_source",
        {"size": "0", "properties": {"prop_2": {"sub": [1]}}},
    ),
    ("meter.test.new", 43, "resource-id3", "user-id", "test_source1", {"size": 0, "util": 0.58}),
    ("meter.accent.éè", 44, "resource-id4", "user-id4", "test_source", {"properties": {"prop.dotted$": "x"}}),
]

# time, resource, user, project, source
KEPT = [
    ("2012-07-02 10:39", "resource-id", "user-id", "project-id", "test-1"),
    ("2012-07-02 10:40", "resource-id", "user-id", "project-id", "test-1"),
    ("2012-07-02 10:41", "resource-id-alternate", "user-id-alternate", "project-id", "test-2"),
    ("2012-07-02 10:41", "resource-id-2", "user-id-2", "project-id-2", "test-2"),
    ("2012-07-02 10:42", "resource-id-3", "user-id-3", "project-id-3", "test-3"),
    ("2012-07-02 10:43", "resource-id-4", "user-id-4", "project-id-4", "test-3"),
    ("2011-05-30 18:03", "resource-id-5", "user-id-5", "project-id-5", "test"),
    ("2012-12-01 01:25", "resource-id-6", "user-id-6", "project-id-6", "test"),
    ("2013-02-01 01:00", "resource-id-7", "user-id-7", "project-id-7", "test"),
    ("2012-07-02 10:44", "resource-id-8", "user-id-8", "project-id-8", "test"),
    ("2012-08-01 10:22", "resource-id-8", "user-id-8", "project-id-8", "test"),
]


def named(meters: pl.DataFrame) -> list[str]:
    """Return the meters of the second scenario."""
    return meters.filter(pl.col("meter").str.starts_with("meter."))["meter"].to_list()


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Lake]:
    """Return a lake with the samples of three scenarios, which differ in their sources and meters."""
    samples = [
        *SIZES,
        *(
            sample(meter, f"2012-07-02 10:{minute}", 1, resource=resource, user=user, source=source, metadata=told)
            for meter, minute, resource, user, source, told in LISTED
        ),
        *(
            sample(
                *("instance", at, 1),
                meter_type="cumulative",
                unit="",
                resource=resource,
                user=user,
                tenant=project,
                source=source,
                metadata={"display_name": "test-server", "tag": f"at {at}"},
            )
            for at, resource, user, project, source in KEPT
        ),
    ]
    with samples_of(tmp_path_factory.mktemp("lake"), samples) as opened:
        yield opened


def test_statistics_of_a_user(lake: sa.Lake) -> None:
    """Of one user and one meter, in its unit."""
    [row] = sa.statistics(lake, "volume.size", query="user=user-5").rows(named=True)

    told = [row[name] for name in ("unit", "min", "max", "sum", "avg", "count", "duration_s")]
    assert told == ["GiB", 8.0, 10.0, 27.0, 9.0, 3, 7320.0]


def test_statistics_of_several_meters(lake: sa.Lake) -> None:
    """Several meters are told apart by a column, in the order of their names; unknown ones are left out."""
    found = sa.statistics(lake, ["volume.size", "memory", "nothing"], group_by=["user"])

    assert found.columns[:3] == ["meter", "user", "unit"]
    assert found.select("meter", "user", "unit", "sum").rows() == [
        ("memory", "user-5", "MB", 27.0),
        ("volume.size", "user-5", "GiB", 27.0),
        ("volume.size", "user-id", "GiB", 18.0),
    ]
    assert sa.statistics(lake, ["nothing"]).schema == sa.statistics(lake, ["memory"]).schema


@pytest.mark.parametrize("offset", range(-11, 12))
def test_statistics_in_any_time_zone(offset: int, lake: sa.Lake) -> None:
    """A lower bound of 10:28 UTC is the same wherever it is told, and slices begin with it."""
    start = f"2012-09-25T{(10 + offset) % 24:02}:28:00{offset:+03}:00"
    if not 0 <= 10 + offset < 24:
        start = start.replace("09-25", "09-24" if offset < 0 else "09-26")

    first, second = sa.statistics(lake, "volume.size", query=f"user=user-5;timestamp>={start}", period=7200).rows(
        named=True
    )

    assert (first["count"], first["avg"], first["min"], first["max"], first["sum"]) == (2, 8.5, 8, 9, 17)
    assert first["duration_s"] == 3660
    assert first["period_start_at"] == datetime(2012, 9, 25, 10, 28, tzinfo=UTC)
    assert first["period_end_at"] == second["period_start_at"] == datetime(2012, 9, 25, 12, 28, tzinfo=UTC)
    assert (second["count"], second["avg"], second["duration_s"]) == (1, 10.0, 0.0)


def test_statistics_of_nothing(lake: sa.Lake) -> None:
    """Without samples there are no rows, also where empty periods are asked for."""
    bounds = "timestamp>=2013-01-01;timestamp<2013-01-02"

    assert sa.statistics(lake, "volume.size", query=bounds).is_empty()
    assert sa.statistics(lake, "volume.size", query=bounds, period="hour", empty=True).is_empty()


def test_meters(lake: sa.Lake) -> None:
    """Seven samples are of six meters on resources, of four names."""
    found, unique = sa.meters(lake), sa.meters(lake, unique=True)

    assert named(found) == ["meter.accent.éè", *["meter.mine"] * 2, *["meter.test"] * 2, "meter.test.new"]
    assert named(unique) == ["meter.accent.éè", "meter.mine", "meter.test", "meter.test.new"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("user_id=user-id", ["meter.test", "meter.test", "meter.test.new"]),
        ("source=test_source1", ["meter.test", "meter.test.new"]),
        ("resource=resource-id4", ["meter.accent.éè", "meter.mine"]),
        ("metadata.size=integer::0", ["meter.test", "meter.test", "meter.test.new"]),
        ("metadata.size=string::0", ["meter.mine"]),
        ("metadata.util=0.58", ["meter.test.new"]),
        ("metadata.util=0.75", []),  # only the newest sample counts
        ("metadata.is_public=False", ["meter.test", "meter.test"]),
        ("metadata.properties.prop_1=prop_value", ["meter.mine"]),
        ("metadata.properties.prop_2:sub[0]=1", ["meter.mine"]),
        ("metadata.size=integer::0;user=user-id;source=test_source", ["meter.test"]),
        ("user=nobody", []),
    ],
)
def test_meters_by_query(query: str, expected: list[str], lake: sa.Lake) -> None:
    """Meters are found by the owner and the typed metadata of their newest sample."""
    assert named(sa.meters(lake, query=query)) == expected


@pytest.mark.parametrize(
    ("query", "count"), [("source=test", 4), ("user=user-id", 1), ("project=project-id", 2), ("user=user-id-8", 1)]
)
def test_meters_of_owners(query: str, count: int, lake: sa.Lake) -> None:
    """Eleven samples of nine resources: one is of the user, two are of the project."""
    assert sa.meters(lake).filter(meter="instance").height == 9
    assert sa.meters(lake, query=query).filter(meter="instance").height == count


@pytest.mark.parametrize(
    ("lower", "upper", "expected"),
    [
        (">=", "<=", [("resource-id", "10:39", "10:40"), ("resource-id-alternate", "10:41", "10:41")]),
        (">=", "<", [("resource-id", "10:39", "10:40")]),
        (">", "<=", [("resource-id", "10:40", "10:40"), ("resource-id-alternate", "10:41", "10:41")]),
        (">", "<", [("resource-id", "10:40", "10:40")]),
    ],
)
def test_resources_in_a_window(lower: str, upper: str, expected: list[tuple[str, str, str]], lake: sa.Lake) -> None:
    """Bounds are honoured exactly, and the first and last sample are those within them."""
    query = f"project=project-id;timestamp{lower}2012-07-02T10:39:00;timestamp{upper}2012-07-02T10:41:00"

    found = sa.resources(lake, query=query)

    shown = [
        (name, f"{first:%H:%M}", f"{last:%H:%M}")
        for name, first, last in found.select("resource", "first_at", "last_at").rows()
    ]
    assert shown == expected


def test_the_newest_metadata_of_a_resource(lake: sa.Lake) -> None:
    """A resource has the metadata of its newest sample, though samples were posted in another order."""
    [row] = sa.resource(lake, "resource-id-8").rows(named=True)

    assert (row["tenant"], row["user"], row["source"]) == ("project-id-8", "user-id-8", "test")
    assert '"at 2012-08-01 10:22"' in row["metadata"]
    assert (row["first_at"], row["last_at"]) == (
        datetime(2012, 7, 2, 10, 44, tzinfo=UTC),
        datetime(2012, 8, 1, 10, 22, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("query", "count"),
    [
        (None, 11),
        ("timestamp>=2012-07-02T10:40:00", 9),
        ("timestamp>2012-07-02T10:40:00", 8),
        ("timestamp<2012-07-02T10:41:00", 3),
        ("timestamp<=2012-07-02T10:41:00", 5),
        ("source=test-1", 2),
        ("resource=resource-id;timestamp=2012", None),
    ],
)
def test_samples_between_bounds(query: str | None, count: int | None, lake: sa.Lake) -> None:
    """Samples are found by time and owner; what is no bound is refused."""
    if count is None:
        with pytest.raises(sa.InputError, match="timestamp"):
            sa.samples(lake, meter="instance", query=query)
    else:
        assert sa.samples(lake, meter="instance", query=query).height == count
