"""What a simulated agent polls."""

from datetime import UTC, datetime

import polars as pl

from stackanalytics.schema import SAMPLE_GIVEN, polars_schema
from stackanalytics.sources.simulator import poll

INSTANCES = pl.DataFrame(
    {
        "resource": ["i-1", "i-2"],
        "tenant": ["p-1", None],
        "user": ["u-1", None],
        "first_at": [datetime(2026, 3, 2, 10, tzinfo=UTC), datetime(2026, 3, 2, 11, tzinfo=UTC)],
        "last_at": [datetime(2026, 3, 2, 12, tzinfo=UTC), datetime(2026, 3, 2, 11, 4, tzinfo=UTC)],
    }
)


def test_instances_are_polled_while_they_are_there() -> None:
    """Two hours have 25 polls of two meters, both ends included; one of four minutes is polled once."""
    polled = poll(INSTANCES)

    assert polled.schema == polars_schema(*SAMPLE_GIVEN)
    assert polled.group_by("resource", "meter").len().sort("resource", "meter").rows() == [
        ("i-1", "cpu", 25),
        ("i-1", "cpu_util", 25),
        ("i-2", "cpu", 1),
        ("i-2", "cpu_util", 1),
    ]
    assert polled["measured_at"].is_between(INSTANCES["first_at"].min(), INSTANCES["last_at"].max()).all()


def test_the_counter_grows_as_the_gauge_tells() -> None:
    """Five minutes at 100 % are 300 s of processor time, which are 3e11 ns; loads are between 0 and 100 %."""
    polled = poll(INSTANCES).filter(resource="i-1").sort("measured_at")
    gauge, counter = (polled.filter(meter=name)["volume"] for name in ("cpu_util", "cpu"))

    assert gauge.is_between(0, 100).all()
    assert (counter.diff().drop_nulls() - gauge[1:] / 100 * 3e11).abs().max() < 1


def test_the_same_seed_is_the_same_load() -> None:
    """Chance is drawn from the seed only; no instances are no samples."""
    assert poll(INSTANCES, seed=1).equals(poll(INSTANCES, seed=1))
    assert not poll(INSTANCES, seed=1).equals(poll(INSTANCES, seed=2))
    assert poll(INSTANCES.clear()).is_empty()
