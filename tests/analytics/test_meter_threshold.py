"""How long volumes were above a threshold, where none were measured, and how they are distributed."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

import stackanalytics as sa
from stackanalytics.testing import sample, samples_of

# minute, volume
BUSY = [(0, 10), (10, 90), (20, 95), (30, 20), (40, 90), (70, 10), (80, 90)]
IDLE = [(5, 1), (80, 2)]


def at(minute: int) -> datetime:
    """Return an instant of the hours that are measured."""
    return datetime(2026, 3, 2, 10 + minute // 60, minute % 60, tzinfo=UTC)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Lake]:
    """Return a lake with a busy and an idle instance."""
    samples = [
        sample("cpu_util", at(minute), volume, unit="%", resource=resource)
        for resource, told in (("busy", BUSY), ("idle", IDLE))
        for minute, volume in told
    ]
    with samples_of(tmp_path_factory.mktemp("lake"), samples) as opened:
        yield opened


def test_times_above(lake: sa.Lake) -> None:
    """A volume holds until the next one: 90 and 95 from 10 to 30, 90 from 40 to 70, and none after the last sample."""
    busy, idle = sa.times_above(lake, "cpu_util", threshold=80).rows(named=True)

    assert (busy["meter"], busy["meter_type"], busy["unit"], busy["resource"]) == ("cpu_util", "gauge", "%", "busy")
    assert (busy["known_s"], busy["above_s"], busy["above_share"]) == (80 * 60, 50 * 60, 50 / 80)
    assert (busy["runs"], busy["longest_run_s"]) == (3, 30 * 60)
    assert (busy["longest_run_start_at"], busy["longest_run_end_at"]) == (at(40), at(70))
    assert (idle["known_s"], idle["above_s"], idle["above_share"], idle["runs"]) == (75 * 60, 0, 0, 0)
    assert idle["longest_run_s"] is idle["longest_run_start_at"] is idle["longest_run_end_at"] is None


def test_the_last_volume_holds_until_the_upper_bound(lake: sa.Lake) -> None:
    """With an upper bound the last volume holds until then, and equal is not above."""
    query = "resource=busy;timestamp>=2026-03-02T10:20;timestamp<2026-03-02T11:50"

    [above] = sa.times_above(lake, "cpu_util", threshold=90, query=query).rows(named=True)
    [at_least] = sa.times_above(lake, "cpu_util", threshold=89.5, query=query).rows(named=True)

    assert (above["known_s"], above["above_s"], above["longest_run_start_at"]) == (90 * 60, 10 * 60, at(20))
    # 20 to 30, 40 to 70, and from 80 to the bound at 110: of equal runs the first
    assert (at_least["above_s"], at_least["runs"], at_least["longest_run_start_at"]) == (70 * 60, 3, at(40))


@pytest.mark.parametrize("threshold", [float("nan"), float("inf")])
def test_a_threshold_that_is_no_number(lake: sa.Lake, threshold: float) -> None:
    """Nothing is above what is no number: it is refused."""
    with pytest.raises(sa.InputError, match=f"the threshold is {threshold}: give a finite number"):
        sa.times_above(lake, "cpu_util", threshold=threshold)


def test_gaps(lake: sa.Lake) -> None:
    """A gap is longer than what is none yet, and is told of each series."""
    found = sa.sample_gaps(lake, "cpu_util", longer_than_s=600)

    assert found.select("resource", "started_at", "ended_at", "duration_s").rows() == [
        ("busy", at(40), at(70), 1800.0),
        ("idle", at(5), at(80), 4500.0),
    ]


def test_gaps_at_the_bounds(lake: sa.Lake) -> None:
    """With bounds, what is missing at the begin and at the end is a gap, too."""
    query = "resource=busy;timestamp>=2026-03-02T09:00;timestamp<=2026-03-02T12:00"

    found = sa.sample_gaps(lake, "cpu_util", longer_than_s=1800, query=query)

    assert found.select("started_at", "ended_at").rows() == [
        (datetime(2026, 3, 2, 9, tzinfo=UTC), at(0)),
        (at(80), datetime(2026, 3, 2, 12, tzinfo=UTC)),
    ]


def test_distribution(lake: sa.Lake) -> None:
    """Classes are equally wide, empty ones are told, and the highest volume is in the last one."""
    found = sa.volume_distribution(lake, "cpu_util", query="resource=busy", classes=5)

    assert found["lower"].to_list() == [10, 27, 44, 61, 78]
    assert found["upper"].to_list()[:-1] == [27, 44, 61, 78]
    assert found["count"].to_list() == [3, 0, 0, 0, 4]
    assert found["share"].to_list() == [3 / 7, 0, 0, 0, 4 / 7]


def test_distribution_of_one_volume(lake: sa.Lake) -> None:
    """Volumes that are equal are one class; each meter has classes of its own, and an unknown one none."""
    found = sa.volume_distribution(lake, ["cpu_util", "nothing"], query="volume=95")

    assert found.select("meter", "unit", "lower", "count", "share").rows() == [("cpu_util", "%", 95.0, 1, 1.0)]


def test_what_cannot_be_asked(lake: sa.Lake) -> None:
    """A negative time, no class and no meter are refused with what was given."""
    with pytest.raises(sa.InputError, match="longer_than_s=-1"):
        sa.sample_gaps(lake, "cpu_util", longer_than_s=-1)
    with pytest.raises(sa.InputError, match="classes is 0"):
        sa.volume_distribution(lake, "cpu_util", classes=0)
    with pytest.raises(sa.InputError, match="no meter"):
        sa.times_above(lake, [], threshold=1)
