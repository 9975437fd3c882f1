"""Samples, meters and resources: which there are, whose they are, and which a query finds."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from metered import metered_lake

import stackanalytics as sa
from stackanalytics import Condition, times
from stackanalytics.testing import lake_of, notification, sample, samples_of

NESTED = {"flavor": {"name": "m1.tiny"}, "lst": ["x", "y"], "a.b": 1}
# time, meter, volume, resource, project, and metadata
TOLD: list[tuple[str, str, int, str, str | None, dict[str, object]]] = [
    ("01:00", "cpu", 1, "r1", "p1", {"size": 5, "flags": True}),
    ("02:00", "cpu", 2, "r1", "p2", {"size": "5", "flags": False}),
    ("03:00", "cpu", 3, "r2", "p1", {"size": 5.5, "name": "true"}),
    ("04:00", "disk", 4, "r2", "p1", {"nested": NESTED}),
    ("05:00", "disk", 5, "r3", None, {"name": ""}),
]
SAMPLES = [
    {"at": f"2013-01-01 {at}", "meter": meter, "volume": volume, "resource_id": resource, "project_id": project, **more}
    for at, meter, volume, resource, project, more in TOLD
]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Lake]:
    """Return a lake with five samples of two meters."""
    with metered_lake(tmp_path_factory.mktemp("lake"), SAMPLES) as opened:
        yield opened


@pytest.mark.parametrize(
    ("query", "volumes"),
    [
        (None, [5, 4, 3, 2, 1]),
        ("meter=cpu", [3, 2, 1]),
        ("resource_id=r1;project=p2", [2]),
        ("project_id=p1;project_id=p2", [2]),
        ("project=None", [5]),
        ("user=", [5, 4, 3, 2, 1]),
        ("source=openstack;volume!=2", [5, 4, 3, 1]),
        ("timestamp>2013-01-01T02:00:00;timestamp<=2013-01-01 04:00:00Z", [4, 3]),
        ("timestamp>=2013", [5, 4, 3, 2, 1]),
        ("metadata.size=5", [1]),
        ("metadata.size=string::5", [2]),
        ("metadata.size='5'", [2]),
        ("metadata.size=5.0", []),
        ("metadata.size!=5.0", [3]),
        ("metadata.size!=5;metadata.size!=5.0", []),
        ("metadata.size>=5", [3, 1]),
        ("metadata.size>5", [3]),
        ("metadata.flags=True", [1]),
        ("metadata.flags=boolean::no", [2]),
        ("metadata.name=true", [3]),
        ("metadata.name=None", [5, 4, 2, 1]),
        ("resource_metadata.nested.flavor.name=m1.tiny", [4]),
        ("metadata.nested.flavor:name=m1.tiny", [4]),
        ("metadata.nested.lst[1]=y", [4]),
        ("metadata.nothing.at.all=1", []),
        ("metadata.event_type=test.sample;metadata.size<datetime::2013-01-01", []),
    ],
)
def test_queries(query: str | None, volumes: list[float], lake: sa.Lake) -> None:
    """All conditions hold, the newest sample comes first, and metadata compare with their types."""
    assert sa.samples(lake, query=query)["volume"].to_list() == volumes


def test_values_say_the_same_as_text(lake: sa.Lake) -> None:
    """Conditions are what text is read as."""
    asked = [Condition("metadata.size", "ge", 5), Condition("resource", "eq", "r2")]

    assert sa.samples(lake, query=asked)["volume"].to_list() == [3]
    assert sa.samples(lake, query="metadata.size>=5;resource=r2")["volume"].to_list() == [3]


def test_pages(lake: sa.Lake) -> None:
    """Pages follow each other without gap, and look like parts of the whole."""
    whole = sa.samples(lake)

    assert sa.samples(lake, limit=2).equals(whole[:2])
    assert sa.samples(lake, limit=2, offset=2).equals(whole[2:4])
    assert sa.samples(lake, query=f"message_id={whole['sample_id'][3]}").equals(whole[3:4])


def test_pages_over_many_days(tmp_path: Path) -> None:
    """Every page is the same part of all samples, derived and posted, of this day, of the week or from long before."""
    noon, ages = times.instant("2026-03-02 12:00:00"), [0, 0, 1, 23, 24, 25, 70, 71, 180, 192, 193, 200, 400, 2_000]
    posted = [
        sample("m", noon - timedelta(hours=age), place, sample_id=f"s-{place:02}", resource=f"r-{age % 2}")
        for place, age in enumerate(ages)
    ]
    samples_of(tmp_path, posted).close()
    with lake_of(tmp_path, [notification("compute.instance.update", "2026-03-01", instance="i", memory_mb=5)]) as lake:
        for query in (None, "meter=m", "resource=r-1", "timestamp<2026-02-25"):
            everything = sa.samples(lake, query=query)
            assert everything.height > 2
            for limit in range(everything.height + 2):
                assert sa.samples(lake, query=query, limit=limit).equals(everything[:limit])
                assert sa.samples(lake, query=query, limit=limit, offset=2).equals(everything[2 : 2 + limit])


def test_meters_have_the_owner_of_their_newest_sample(lake: sa.Lake) -> None:
    """A resource that changed its owner is listed under the new one only."""
    assert sa.meters(lake).select("meter", "resource", "tenant").rows() == [
        ("cpu", "r1", "p2"),
        ("cpu", "r2", "p1"),
        ("disk", "r2", "p1"),
        ("disk", "r3", None),
    ]
    assert sa.meters(lake, query="project=p1").select("meter", "resource").rows() == [("cpu", "r2"), ("disk", "r2")]
    assert sa.meters(lake, query="metadata.size=string::5")["resource"].to_list() == ["r1"]
    assert sa.meters(lake, query="metadata.size=integer::5").is_empty()


def test_unique_meters(lake: sa.Lake) -> None:
    """Told once, a meter has no resource and no owner."""
    assert sa.meters(lake, unique=True).rows() == [
        ("cpu", "gauge", "unit", None, None, None, None),
        ("disk", "gauge", "unit", None, None, None, None),
    ]


def test_resources_are_as_their_newest_sample_tells(lake: sa.Lake) -> None:
    """Any sample can find a resource; owner and metadata are those of the last one that does."""
    found = sa.resources(lake, query="timestamp<2013-01-01T04:00:00")

    shown = [
        (row["resource"], row["tenant"], f"{row['first_at']:%H}", f"{row['last_at']:%H}")
        for row in found.rows(named=True)
    ]
    assert shown == [("r1", "p2", "01", "02"), ("r2", "p1", "03", "03")]
    assert [json.loads(told)["size"] for told in found["metadata"]] == ["5", 5.5]
    assert sa.resources(lake, limit=1, offset=2)["resource"].to_list() == ["r3"]


def test_ties(tmp_path: Path) -> None:
    """Of samples at the same time the one that tells more counts, for meters as for resources."""
    twins = [sample("m", "2013-01-01", 1, tenant=tenant, user=user) for tenant, user in [("p1", None), (None, "u1")]]
    with samples_of(tmp_path, twins) as lake:
        assert sa.meters(lake).select("tenant", "user").rows() == [("p1", None)]
        assert sa.resources(lake).select("tenant", "user").rows() == [("p1", None)]


@pytest.mark.parametrize("sent", ["posted", "notified"])
def test_resources_are_as_samples_tell_that_are_asked_for(sent: str, tmp_path: Path) -> None:
    """Of samples at the same time only those count that meet the conditions, with metadata of their own."""
    owners = [("p1", 5), ("p2", 6), ("p3", 7)]
    if sent == "posted":
        given = [sample("m", "2013-01-01", 1, tenant=owner, metadata={"size": size}) for owner, size in owners]
        lake = samples_of(tmp_path, given)
    else:
        at = "2013-01-01"
        told = [{"at": at, "meter": "m", "volume": 1, "project_id": owner, "size": size} for owner, size in owners]
        lake = metered_lake(tmp_path, told)

    with lake:
        found = [sa.resources(lake, query=query) for query in ("project=p2", "metadata.size=5", None)]

    assert [frame["tenant"].to_list() for frame in found] == [["p2"], ["p1"], ["p3"]]
    assert [json.loads(frame["metadata"][0])["size"] for frame in found] == [6, 5, 7]


def test_metadata_can_be_left_out(lake: sa.Lake) -> None:
    """Without metadata everything else is the same."""
    for told, without in (
        (sa.samples(lake, limit=3), sa.samples(lake, limit=3, metadata=False)),
        (sa.query_samples(lake, limit=3), sa.query_samples(lake, limit=3, metadata=False)),
        (sa.resources(lake), sa.resources(lake, metadata=False)),
    ):
        assert without["metadata"].null_count() == 3
        assert without.schema == told.schema
        assert without.drop("metadata").equals(told.drop("metadata"))


def test_metadata_are_those_of_the_view(tmp_path: Path) -> None:
    """Metadata of any column of notifications are told, as SQL tells them, though few columns are read for a page."""
    told = notification("compute.instance.update", "2013-01-01", instance="i-1", root_gb=7, task="t")
    lake_of(tmp_path, [told]).close()
    (tmp_path / "meters.toml").write_text("""
        [[notifications]]
        event_types = ["compute.instance.*"]
        resource = "instance"
        metadata = { disk = "root_gb", of = "publisher_id", task = "task", exchange = "exchange" }
        meters = [{ name = "m:{priority}", type = "gauge", unit = "unit", volume = 1 }]
    """)

    with sa.open_lake(tmp_path) as lake:
        [told] = sa.samples(lake, meter="m:INFO")["metadata"]

        [viewed] = lake.sql("select cast(metadata as varchar) from samples where meter = 'm:INFO'").to_series()
        assert told == viewed
        assert json.loads(told)["disk"] == 7
        assert json.loads(told)["task"] == "t"


def test_one_resource(lake: sa.Lake) -> None:
    """A resource is found by its id; of another there is no row."""
    assert json.loads(sa.resource(lake, "r2")["metadata"][0])["nested"] == NESTED
    assert sa.resource(lake, "r4").is_empty()


def test_who_there_is(lake: sa.Lake) -> None:
    """Projects, users and sources are told with how many samples they have."""
    assert sa.projects(lake).select("tenant", "count").rows() == [("p1", 3), ("p2", 1)]
    assert sa.users(lake).select("user", "count").rows() == [("u", 5)]
    assert sa.sources(lake).select("source", "count").rows() == [("openstack", 5)]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("bogus=1", "valid keys"),
        ("resource!=r1", "unimplemented operator for resource"),
        ("timestamp=2013-01-01", "unimplemented operator for timestamp"),
        ("timestamp>yesterday", "invalid timestamp format"),
        ("metadata.name<None", "unimplemented operator for metadata.name=None: give one of ['eq', 'ne']"),
        ("metadata.size=" + "9" * 400, "no number of metadata is as large as 999"),
        ("search_offset=10", "cannot be used without timestamp"),
        ("search_offset=x;timestamp>2013-01-01", "search_offset=x"),
        ("search_offset=99999999999;timestamp>2013-01-01", "search_offset"),
        ("search_offset=99999999;timestamp>0002-01-01", "make no date"),
        ("volume>much", "volume='much' is no number"),
        ("metadata.=1", "no path"),
        ("metadata.a..b=1", "no path"),
        ("metadata.size=integer::x", "expected data type integer"),
        ("metadata.size=boolean::x", "expected data type boolean"),
        ("resource", "no condition"),
    ],
)
def test_what_cannot_be_asked(query: str, said: str, lake: sa.Lake) -> None:
    """A condition that cannot be used is refused, and the message says which."""
    with pytest.raises(sa.InputError) as caught:
        sa.samples(lake, query=query)
    assert said in str(caught.value)


@pytest.mark.parametrize("field", ["volume", "metadata.size"])
def test_numbers_that_cannot_be_asked(field: str, lake: sa.Lake) -> None:
    """Numbers that no volume and no metadata can be are refused, however many digits they have."""
    for number in (10**400, -(10**400), 10**5000):
        with pytest.raises(sa.InputError):
            sa.samples(lake, query=[Condition(field, "eq", number)])
        with pytest.raises(sa.InputError):
            sa.query_samples(lake, filter={"=": {field: number}})


def test_whole_numbers_are_compared_to_the_last_digit(tmp_path: Path) -> None:
    """Whole numbers that are one double are told apart, and found beyond 64 bits; floats like them are no integers."""
    large = [2**53, 2**53 + 1, 2**64 - 1, 2**64, -(2**63) - 1, 2**64 + 0.0]
    stored = [sample("m", f"2013-01-01 0{place}:00", place, metadata={"n": n}) for place, n in enumerate(large)]
    with samples_of(tmp_path, stored) as lake:

        def found(op: str, value: float) -> list[list[float]]:
            signs = {"eq": "=", "ne": "!=", "ge": ">="}
            asked = [Condition("metadata.n", op, value)]
            filter = {signs[op]: {"metadata.n": value}}
            frames = (sa.samples(lake, query=asked), sa.query_samples(lake, filter=filter))
            return [frame["volume"].sort().to_list() for frame in frames]

        assert found("eq", 2**53) == [[0]] * 2
        assert found("eq", 2**53 + 1) == [[1]] * 2
        assert found("ne", 2**53) == [[1, 2, 3, 4]] * 2
        assert found("ge", 2**53 + 1) == [[1, 2, 3, 5]] * 2
        assert found("eq", 2**64) == [[3]] * 2
        assert found("eq", -(2**63) - 1) == [[4]] * 2
        assert found("eq", 2.0**64) == [[5]] * 2
        assert found("ge", 2**64) == [[3, 5]] * 2


def test_meters_cannot_be_asked_about_times(lake: sa.Lake) -> None:
    """A meter has no timestamp."""
    with pytest.raises(sa.InputError, match="timestamp"):
        sa.meters(lake, query="timestamp>2013-01-01")
