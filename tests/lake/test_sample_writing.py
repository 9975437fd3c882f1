"""Samples that are given are stored once, whole, and in few files."""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stackanalytics as sa
from stackanalytics.lake import LandedSamples, SampleWriter, compact
from stackanalytics.lake.meter_state import MeterState, Override
from stackanalytics.lake.sample_writing import SMALL_FILES
from stackanalytics.lake.snapshot import KEPT_VIEWS
from stackanalytics.schema import SAMPLE_GIVEN, polars_schema
from stackanalytics.testing import sample, samples_of

COLUMNS = ("meter", "volume", "resource", "tenant", "user", "source", "metadata")


def rows_of(*samples: Mapping[str, object]) -> pl.DataFrame:
    """Return samples as a writer takes them."""
    return pl.DataFrame([dict(each) for each in samples], schema=polars_schema(*SAMPLE_GIVEN), strict=False)


def test_a_sample_is_found_as_it_was_posted(tmp_path: Path) -> None:
    """Every field comes back; what was not told gets its default."""
    told = sample(
        *("cpu_util", "2013-01-01 03:00", 16.5),
        unit="%",
        resource="r1",
        tenant="p1",
        user="u1",
        source="p1:openstack",
        recorded_at=None,
        sample_id="mine",
        metadata={"size": "5", "nested": {"a.b": [1, None]}},
    )
    with samples_of(tmp_path, [told, sample("cpu_util", "2013-01-01 02:00", 1)]) as lake:
        [full, bare] = sa.samples(lake).rows(named=True)

    assert {name: full[name] for name in ("sample_id", *COLUMNS)} == {
        "sample_id": "mine",
        "meter": "cpu_util",
        "volume": 16.5,
        "resource": "r1",
        "tenant": "p1",
        "user": "u1",
        "source": "p1:openstack",
        "metadata": json.dumps({"size": "5", "nested": {"a.b": [1, None]}}),
    }
    assert (full["measured_at"].isoformat(), full["unit"]) == ("2013-01-01T03:00:00+00:00", "%")
    assert (bare["tenant"], bare["source"], bare["metadata"]) == (None, "openstack", None)
    assert UUID(bare["sample_id"]).version == 5


def test_the_same_again_adds_nothing(tmp_path: Path) -> None:
    """A sample without an id is recognised by its content, whenever it comes; another volume is another sample."""
    one, other = sample("m", "2013-01-01", 1), sample("m", "2013-01-01", 2)
    writer = SampleWriter(tmp_path)

    assert writer.append(rows_of(one, other, one)) == LandedSamples(2, 1)
    assert writer.append(rows_of(other)) == LandedSamples(0, 1)
    assert SampleWriter(tmp_path).append(rows_of(one, sample("m", "2013-01-02", 1))) == LandedSamples(1, 1)
    with sa.open_lake(tmp_path) as lake:
        assert sa.samples(lake).select(pl.col("measured_at").dt.day(), "volume").sort(
            "measured_at", "volume"
        ).rows() == [
            (1, 1.0),
            (1, 2.0),
            (2, 1.0),
        ]


def test_an_id_given_twice_with_other_contents_loses_nothing(tmp_path: Path) -> None:
    """Nothing is thrown away because two senders gave the same id."""
    with samples_of(tmp_path, [sample("m", "2013-01-01", volume, sample_id="x") for volume in (1, 2)]) as lake:
        assert sorted(sa.samples(lake, query="message_id=x")["volume"]) == [1, 2]


def test_the_index_of_keys_can_be_built_again(tmp_path: Path) -> None:
    """Samples are recognised after the index was deleted, too."""
    told = rows_of(*(sample("m", "2013-01-01", volume) for volume in range(5)))
    SampleWriter(tmp_path).append(told)
    for path in (tmp_path / "sample_keys").iterdir():
        path.unlink()

    assert SampleWriter(tmp_path).append(told) == LandedSamples(0, 5)


def test_few_at_a_time_make_few_files(tmp_path: Path) -> None:
    """A day that samples come to one by one has a bounded number of files, and each sample once."""
    writer = SampleWriter(tmp_path)
    for volume in range(3 * SMALL_FILES):
        writer.append(rows_of(sample("m", "2013-01-01", volume)))

    with sa.open_lake(tmp_path) as lake:
        assert len(lake.files("samples")) <= SMALL_FILES
        assert sorted(sa.samples(lake)["volume"]) == list(range(3 * SMALL_FILES))


def test_a_writer_that_was_opened_before_others_wrote_goes_on(tmp_path: Path) -> None:
    """Two writers see each other's samples, and the numbers that they give are unique."""
    one, other = SampleWriter(tmp_path), SampleWriter(tmp_path)
    for number, writer in enumerate((one, other, one, other)):
        writer.append(rows_of(sample("m", "2013-01-01", number), sample("m", "2013-01-01", -1)))

    with sa.open_lake(tmp_path) as lake:
        found = lake.sql("select sequence, volume from stored_samples order by sequence")
    assert found["sequence"].to_list() == [1, 2, 3, 4, 5]
    assert sorted(found["volume"]) == [-1, 0, 1, 2, 3]


@settings(max_examples=15, deadline=None)
@given(
    volumes=st.lists(st.integers(0, 5), max_size=12),
    cuts=st.lists(st.integers(0, 12), max_size=3),
    is_compacted=st.booleans(),
)
def test_order_and_portions_change_nothing(
    volumes: list[int], cuts: list[int], is_compacted: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """In whatever order and portions samples come, compacted or not, each is there once."""
    samples = [sample("m", f"2013-01-0{volume % 3 + 1}", volume, resource=f"r{volume % 2}") for volume in volumes]
    folder = tmp_path_factory.mktemp("lake")
    writer = SampleWriter(folder)
    bounds = [0, *sorted(cuts), len(samples)]
    for start, end in pairwise(bounds):
        writer.append(rows_of(*samples[::-1][start:end]))
    if is_compacted:
        compact(folder)

    with sa.open_lake(folder) as lake:
        assert sorted(sa.samples(lake)["volume"]) == sorted(set(volumes))


def test_hidden_meters_are_nowhere_until_somebody_posts_again(tmp_path: Path) -> None:
    """A hidden meter has no samples, resources or statistics; a sample of it brings all of them back."""
    with samples_of(tmp_path, [sample("a", "2013-01-01", 1), sample("b", "2013-01-01", 2, resource="rb")]) as lake:
        lake.meter_state.hide("b")

        assert sa.samples(lake)["meter"].to_list() == ["a"]
        assert sa.resources(lake)["resource"].to_list() == ["r"]
        assert sa.meters(lake)["meter"].to_list() == ["a"]
        assert sa.statistics(lake, "b").is_empty()
        assert lake.meter_state.hidden() == {"b"}

    with samples_of(tmp_path, [sample("b", "2013-01-02", 3, resource="rb")]) as lake:
        assert sa.statistics(lake, "b")["sum"].to_list() == [5]
        assert lake.meter_state.hidden() == frozenset()


def test_what_is_known_brings_no_meter_back(tmp_path: Path) -> None:
    """Only a new sample shows a hidden meter again, not one that is given once more beside new ones of others."""
    a, b = sample("a", "2013-01-01", 1), sample("b", "2013-01-01", 2)
    with samples_of(tmp_path, [a, b]) as lake:
        lake.meter_state.hide("b")

        samples_of(tmp_path, [a, b]).close()
        samples_of(tmp_path, [b, sample("a", "2013-01-02", 1)]).close()
        assert lake.meter_state.hidden() == {"b"}
        samples_of(tmp_path, [sample("b", "2013-01-02", 2)]).close()
        assert lake.meter_state.hidden() == frozenset()


def test_a_decision_can_be_taken_back(tmp_path: Path) -> None:
    """Of what was decided, that is forgotten which is given as None; what is not given stays."""
    samples_of(tmp_path, [sample("a", "2013-01-01", 1)]).close()
    state = MeterState(tmp_path)
    state.redefine("a", unit="GB", meter_type="delta")

    state.redefine("a", unit=None, description="all of it")
    assert state.overrides() == {"a": Override(None, "delta", "all of it")}
    state.redefine("a", meter_type=None, description=None)
    assert state.overrides() == {}


def test_what_is_decided_about_a_meter_takes_the_place_of_what_samples_say(tmp_path: Path) -> None:
    """Unit and type that were decided show in samples, meters and statistics; what is stored stays."""
    with samples_of(
        tmp_path, [sample("a", "2013-01-01", 1, unit="B"), sample("a", "2013-01-01", 2, unit="KB")]
    ) as lake:
        lake.meter_state.redefine("a", unit="GB", description="all of it")
        lake.meter_state.redefine("a", meter_type="delta")

        assert sa.statistics(lake, "a").select("unit", "sum").rows() == [("GB", 3.0)]
        assert sa.meters(lake, unique=True).select("meter_type", "unit").rows() == [("delta", "GB")]
        assert lake.meter_state.overrides()["a"].description == "all of it"
        assert sorted(lake.sql("select unit from stored_samples")["unit"]) == ["B", "KB"]


def test_a_decision_holds_for_the_next_question(tmp_path: Path) -> None:
    """However often meters are redefined while a lake is open, and by many at once, each question sees what holds."""
    with samples_of(tmp_path, [sample("a", "2013-01-01", 1), sample("b", "2013-01-01", 2)]) as lake:
        for number in range(KEPT_VIEWS + 2):
            lake.meter_state.redefine("a", unit=f"u{number}")
            assert sa.statistics(lake, "a")["unit"].to_list() == [f"u{number}"]
        with ThreadPoolExecutor(8) as threads:
            told = [*threads.map(lambda number: sa.statistics(lake, "ab"[number % 2])["sum"].item(), range(40))]

    assert told == [1.0, 2.0] * 20
