"""How long instances existed."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stackanalytics as sa
from stackanalytics import times
from stackanalytics.lake.usage_state import Tenant
from stackanalytics.landing import land
from stackanalytics.sources.chunk import Chunk
from stackanalytics.sources.simulator import Cloud, simulate
from stackanalytics.testing import lake_of, notification
from tests.verdicts import all_verified, with_verdicts

DAY = datetime(2026, 3, 2, tzinfo=UTC)
NEXT_DAY = DAY + timedelta(days=1)
HOUR = timedelta(hours=1)


def at(hours: float) -> datetime:
    """Return a time so many hours into the day."""
    return DAY + timedelta(hours=hours)


def record(instance: str, launched: float = -100, ending: float = 24, **about: Any) -> dict[str, object]:
    """Make the exists record of an instance, by default of the whole day, in hours of the day."""
    times_of: dict[str, object] = {
        name: at(about.pop(name)) for name in ("audit_period_beginning", "terminated_at") if name in about
    }
    told: dict[str, object] = {
        "tenant": "acme",
        "instance_flavor_id": "2",
        "instance_type": "small",
        "memory_mb": 512,
        **about,
    }
    period = {"audit_period_beginning": DAY, "audit_period_ending": at(ending), **times_of}
    return notification(
        "compute.instance.exists", at(ending + 0.1), instance=instance, launched_at=at(launched), **period, **told
    )


def hours_of(folder: Path, *records: dict[str, object], **asked: Any) -> pl.DataFrame:
    """Return the hours of the day that verified records tell of."""
    lake_of(folder, records).close()
    with all_verified(folder) as lake:
        return sa.instance_hours(lake, **{"start": DAY, "end": NEXT_DAY, **asked})


@pytest.mark.parametrize(
    ("told", "seconds", "hours"),
    [
        ({}, 86400, 24),
        ({"launched": 10}, 14 * 3600, 14),
        ({"launched": 22 + 1 / 3600}, 7199, 2),
        ({"launched": 23, "terminated_at": 23 + 1 / 3_600_000_000}, 0.000001, 1),
        ({"launched": 10, "terminated_at": 11}, 3600, 1),
        ({"terminated_at": 25}, 86400, 24),
        ({"audit_period_beginning": 3}, 21 * 3600, 21),
        ({"audit_period_beginning": -3, "ending": 6}, 6 * 3600, 6),
        ({"ending": 30}, 86400, 24),
    ],
)
def test_an_interval(tmp_path: Path, told: dict[str, Any], seconds: float, hours: int) -> None:
    """A launch counts from its launch or the beginning to its deletion or the end, within the period."""
    found = hours_of(tmp_path, record("i-1", **told))

    assert found.select("used_s", "hours", "unit_hours").rows() == [(seconds, hours, 2.0 * hours)]


@pytest.mark.parametrize(
    "told",
    [
        {"terminated_at": -1},
        {"launched": 5, "terminated_at": 5},
        {"ending": 0},
        {"audit_period_beginning": 24, "ending": 48},
    ],
)
def test_what_did_not_exist_in_the_period(tmp_path: Path, told: dict[str, Any]) -> None:
    """Neither what was over before, nor what had no time, nor what another day tells of, has hours."""
    assert hours_of(tmp_path, record("i-1", **told)).is_empty()


def test_records_of_a_launch_are_put_together(tmp_path: Path) -> None:
    """4 h at the start and 14 h at the end, of 1 h in common, are 17 h of one launch; the last tells its flavor."""
    found = hours_of(
        tmp_path,
        record("i-1", ending=4, instance_flavor_id="old"),
        record("i-1", audit_period_beginning=3, ending=17, instance_flavor_id="new"),
        record("i-1", audit_period_beginning=2, ending=3.5, instance_flavor_id="old"),
    )

    assert found.select("records", "hours", "instance_flavor_id").rows() == [(3, 17, "new")]


def test_a_gap_between_records_does_not_count(tmp_path: Path) -> None:
    """From 0 to 1, from 5 to 6 and from 5:30 to 7 are three hours."""
    found = hours_of(
        tmp_path,
        record("i-1", ending=1),
        record("i-1", audit_period_beginning=5, ending=6),
        record("i-1", audit_period_beginning=5.5, ending=7),
    )

    assert found["used_s"].to_list() == [3 * 3600]


def test_a_launch_is_an_instance_and_a_second(tmp_path: Path) -> None:
    """Fractions of a second do not make two launches; another second does."""
    second = 1 / 3600
    found = hours_of(
        tmp_path,
        record("i-1", launched=1 + 0.1 * second),
        record("i-1", launched=1 + 0.9 * second),
        record("i-1", launched=1 + 1.1 * second),
        record("i-2", launched=1 + 0.1 * second),
    )

    assert found.select("instance", "records").rows() == [("i-1", 2), ("i-1", 1), ("i-2", 1)]


@pytest.mark.parametrize(("verdict", "counts"), [("verified", 1), ("reconciled", 1), ("failed", 0), (None, 0)])
def test_only_what_passed_verification_counts(tmp_path: Path, verdict: str | None, counts: int) -> None:
    """Verified and reconciled records count; what failed or is pending does not."""
    lake_of(tmp_path, [record("i-1")]).close()
    with with_verdicts(tmp_path, {1: verdict}) as lake:
        assert sa.instance_hours(lake, start=DAY, end=NEXT_DAY).height == counts


def test_the_last_verdict_counts(tmp_path: Path) -> None:
    """A record that failed first and was reconciled then counts; one the other way round does not."""
    lake_of(tmp_path, [record("i-1"), record("i-2")]).close()
    with_verdicts(tmp_path, {1: "failed", 2: "verified"}).close()
    with with_verdicts(tmp_path, {1: "reconciled", 2: "failed"}) as lake:
        assert sa.instance_hours(lake, start=DAY, end=NEXT_DAY)["instance"].to_list() == ["i-1"]


def test_flavors(tmp_path: Path) -> None:
    """The class is what is before the first dash; without a memory there are no units."""
    found = hours_of(
        tmp_path,
        record("i-1", instance_flavor_id="performance1-4", memory_mb=4096),
        record("i-2", instance_flavor_id="2", memory_mb=128),
        record("i-3", instance_flavor_id=None, memory_mb=None),
        record("i-4", instance_flavor_id="a-b-c"),
    )

    assert found.select("flavor_class", "flavor_units", "unit_hours").rows() == [
        ("performance1", 16.0, 16 * 24.0),
        ("standard", 0.5, 12.0),
        ("unknown", None, None),
        ("a", 2.0, 48.0),
    ]


def test_tenants(tmp_path: Path) -> None:
    """What billing told of a tenant stands beside its hours; of others nothing is known."""
    with lake_of(tmp_path, [record("i-1"), record("i-2", tenant="other")]) as lake:
        types = {"billing_type": "external", "account_type": "managed"}
        lake.usage_state.put_tenants([Tenant("acme", "Acme", types), Tenant("none", "Zero", {})], at=DAY)
        told = sa.tenants(lake)
    with all_verified(tmp_path) as lake:
        found = sa.instance_hours(lake, start=DAY, end=NEXT_DAY)
        of_one = sa.instance_hours(lake, tenant="other", start=DAY, end=NEXT_DAY)

    in_order = [{"name": "account_type", "value": "managed"}, {"name": "billing_type", "value": "external"}]
    assert told.rows() == [("acme", "Acme", in_order), ("none", "Zero", [])]
    assert found.select("tenant", "account_name", "tenant_types").rows() == [
        ("acme", "Acme", in_order),
        ("other", None, None),
    ]
    assert of_one["instance"].to_list() == ["i-2"]


instants = st.integers(0, 24 * 60).map(lambda minutes: minutes / 60)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["i-1", "i-2"]), instants, instants), min_size=1, max_size=8))
def test_hours_are_the_minutes_that_any_record_covers(
    tmp_path_factory: pytest.TempPathFactory, spans: list[tuple[str, float, float]]
) -> None:
    """Whatever records overlap, the seconds are those of the minutes that at least one of them covers."""
    folder = tmp_path_factory.mktemp("lake")
    records = [record(name, audit_period_beginning=min(a, b), ending=max(a, b)) for name, a, b in spans]
    minutes: dict[str, set[int]] = defaultdict(set)
    for name, a, b in spans:
        minutes[name] |= set(range(round(60 * min(a, b)), round(60 * max(a, b))))

    found = hours_of(folder, *records)

    expected = {name: 60.0 * len(covered) for name, covered in minutes.items() if covered}
    assert dict(found.select("instance", "used_s").iter_rows()) == expected


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """Return a lake of two simulated days, all of whose records are verified, and the truth."""
    folder = tmp_path_factory.mktemp("cloud")
    truth: list[dict[str, Any]] = []
    cloud = Cloud(start=DAY, seed=3, hosts=3, instances=25, operations_per_hour=60, exists="day")
    land([Chunk("cloud", 1, list(simulate(cloud, hours=49, truth=truth.append)))], folder)
    all_verified(folder).close()
    return folder, truth


def test_hours_of_a_simulated_cloud(simulated: tuple[Path, list[dict[str, Any]]]) -> None:
    """By project and flavor, they are those that the truth about each record gives, second by second."""
    folder, truth = simulated
    spans: dict[tuple[str, datetime], list[tuple[datetime, datetime, dict[str, Any]]]] = defaultdict(list)
    for told in truth:
        if told["kind"] == "exists":
            launched_at, beginning, ending = (
                times.instant(told[name]) for name in ("launched_at", "audit_period_beginning", "audit_period_ending")
            )
            over = ending if told["deleted_at"] is None else min(ending, times.instant(told["deleted_at"]))
            first, last = max(launched_at, beginning, DAY), min(over, NEXT_DAY)
            if first < last:
                spans[told["instance"], launched_at.replace(microsecond=0)].append((first, last, told))
    expected: dict[tuple[str, str], int] = defaultdict(int)
    for of_launch in spans.values():
        used, until = timedelta(), DAY
        for first, last, _ in sorted(of_launch, key=lambda span: span[:2]):
            used += max(last - max(first, until), timedelta())
            until = max(until, last)
        *_, about = max(of_launch, key=lambda span: span[1])
        expected[about["tenant"], about["instance_flavor_id"]] += -(-used // HOUR)

    with sa.open_lake(folder) as lake:
        found = sa.instance_hours(lake, start=DAY, end=NEXT_DAY)

    added = found.group_by("tenant", "instance_flavor_id").agg(pl.col("hours").sum())
    assert len(spans) > 50
    assert any(len(of_launch) > 1 for of_launch in spans.values())
    assert {row[:2]: row[2] for row in added.iter_rows()} == expected


def test_the_hours_of_a_day_are_the_day(simulated: tuple[Path, list[dict[str, Any]]]) -> None:
    """Second for second, 24 hours lose and double nothing of what the day has, for each launch."""
    with sa.open_lake(simulated[0]) as lake:
        day = sa.instance_hours(lake, start=DAY, end=NEXT_DAY)
        hours = pl.concat(sa.instance_hours(lake, start=DAY + n * HOUR, end=DAY + (n + 1) * HOUR) for n in range(24))

    launch = ("instance", "launched_at")
    added = hours.group_by(launch).agg(pl.col("used_s").sum().round(6)).sort(launch)
    assert added.rows() == day.select(*launch, pl.col("used_s").round(6)).rows()
