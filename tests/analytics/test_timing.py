"""Timings: starts and ends in pairs, whatever the order in which they arrived."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stackanalytics as sa
from stackanalytics.testing import lake_of, notification

T0 = datetime(2026, 3, 2, 8, tzinfo=UTC)
INSTANCE = "77e0f192-00a2-4f14-ad56-7467897828ea"
OPERATION = "compute.instance.snapshot"

Step = tuple[str, float]


def steps(*given: Step, request_id: str | None = "req-1") -> list[dict[str, Any]]:
    """Return notifications of one operation: phase and seconds after T0 each."""
    return [
        notification(
            f"{OPERATION}.{phase}",
            T0 + timedelta(seconds=seconds),
            instance=INSTANCE,
            request_id=request_id,
            message_id=f"{phase}-{seconds}-{place}",
        )
        for place, (phase, seconds) in enumerate(given)
    ]


def pairs(folder: Path, notifications: list[dict[str, Any]]) -> list[tuple[str, float | None]]:
    """Return state and duration of each timing."""
    with lake_of(folder, notifications) as lake:
        return sa.timings(lake).select("timing_state", "duration_s").rows()


@pytest.mark.parametrize(
    ("arrived", "expected"),
    [
        ([("start", 0), ("end", 10)], [(".", 10.0)]),
        ([("start", 0), ("start", 0), ("end", 10)], [(".", 10.0), ("S", None)]),
        ([("start", 0), ("start", 5), ("end", 10), ("end", 20)], [("S", None), (".", 5.0), ("E", None)]),
        (
            [("start", 0), ("start", 100), ("end", 110), ("start", 200), ("end", 210)],
            [("S", None), (".", 10.0), (".", 10.0)],
        ),
        ([("end", 10), ("start", 0)], [(".", 10.0)]),
        ([("end", 10), ("start", 0), ("start", 100), ("end", 130)], [(".", 10.0), (".", 30.0)]),
        ([("start", 0), ("end", 10), ("end", 12)], [(".", 10.0), ("E", None)]),
        ([("start", 10), ("end", 5.5)], [(".", -4.5)]),
        ([("start", 0), ("error", 3)], [("S", None)]),
        ([("start", 7), ("end", 7)], [(".", 0.0)]),
        ([("end", 7), ("start", 7), ("start", 9)], [(".", 0.0), ("S", None)]),
        ([("end", 4)], [("E", None)]),
    ],
)
def test_pairs_within_one_request(
    arrived: list[Step], expected: list[tuple[str, float | None]], tmp_path: Path
) -> None:
    """A start pairs with an end that follows at once; a lone start and end pair in any order."""
    assert pairs(tmp_path, steps(*arrived)) == expected


def test_requests_are_kept_apart(tmp_path: Path) -> None:
    """A lost end harms only its own request; steps without a request are one partition."""
    messages = [
        *steps(("start", 0), request_id="req-1"),
        *steps(("start", 100), ("end", 110), request_id="req-2"),
        *steps(("start", 200), ("end", 203), request_id=None),
    ]

    assert pairs(tmp_path, messages) == [("S", None), (".", 10.0), (".", 3.0)]


def test_start_and_end_may_come_from_different_deployments(tmp_path: Path) -> None:
    """Cells share an operation: the row names the deployment, host and id of each side."""
    start, end = steps(("start", 0), ("end", 5))
    start["publisher_id"], end["publisher_id"] = "compute.source", "compute.target"
    messages = [{"deployment": "cell-1", "body": start}, {"deployment": "cell-2", "body": end}]

    with lake_of(tmp_path, messages) as lake:
        found = sa.timings(lake).select("deployment", "start_host", "end_host", "start_id", "end_id")

    assert found.rows() == [("cell-2", "source", "target", 1, 2)]


@settings(max_examples=15)
@given(
    given_steps=st.lists(
        st.tuples(
            st.sampled_from(["start", "end", "error"]),
            st.integers(0, 30),
            st.sampled_from(["req-1", "req-2", None]),
            st.sampled_from(["create", "delete"]),
        ),
        max_size=12,
    ),
    seed=st.integers(0, 1000),
)
def test_order_of_arrival_and_duplicates_change_nothing_but_ids(
    given_steps: list[tuple[str, int, str | None, str]], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Shuffled and doubled, the same notifications give the same timings."""
    messages = [
        notification(
            f"compute.instance.{name}.{phase}",
            T0 + timedelta(seconds=seconds),
            instance=INSTANCE,
            request_id=request_id,
            publisher_id=f"compute.host-{place}",
            message_id=f"m-{place}",
        )
        for place, (phase, seconds, request_id, name) in enumerate(given_steps)
    ]
    shuffled = messages * 2
    random.Random(seed).shuffle(shuffled)

    with (
        lake_of(tmp_path_factory.mktemp("a"), messages) as one,
        lake_of(tmp_path_factory.mktemp("b"), shuffled) as other,
    ):
        expected, found = (sa.timings(lake).drop("start_id", "end_id") for lake in (one, other))

    assert found.rows() == expected.rows()


def test_a_cloud_that_sends_both_formats_is_counted_once(tmp_path: Path) -> None:
    """Versioned twins do not count beside legacy notifications, and stand alone where there are none."""
    legacy = steps(("start", 0), ("end", 10))
    twins = [
        notification(
            f"instance.snapshot.{phase}",
            T0 + timedelta(seconds=seconds),
            instance=INSTANCE,
            request_id="req-1",
        )
        for phase, seconds in (("start", 0.1), ("end", 10.2))
    ]
    alone = [
        notification(
            f"instance.snapshot.{phase}",
            T0 + timedelta(seconds=seconds),
            instance=INSTANCE,
            request_id="req-2",
        )
        for phase, seconds in (("start", 50), ("end", 54))
    ]

    with lake_of(tmp_path, [*twins, *legacy, *alone]) as lake:
        found = sa.timings(lake).select("operation", "request_id", "duration_s")

    assert found.rows() == [(OPERATION, "req-1", 10.0), (OPERATION, "req-2", 4.0)]


def test_each_deployment_has_its_own_format(tmp_path: Path) -> None:
    """A cell that tells the end of an operation in the versioned format alone counts, whatever the other cell does."""
    (start,) = steps(("start", 0))
    end = notification("instance.snapshot.end", T0 + timedelta(seconds=6), instance=INSTANCE, request_id="req-1")
    messages = [{"deployment": "cell-1", "body": start}, {"deployment": "cell-2", "body": end}]

    assert pairs(tmp_path, messages) == [(".", 6.0)]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> sa.Lake:
    """Four snapshots of 1, 2, 4 and 13 s, one of −3 s by disagreeing clocks, one without end; a create of 60 s."""
    snapshots = [(0, 1), (10, 12), (20, 24), (30, 43), (53, 50)]
    messages = [
        message
        for number, (start, end) in enumerate(snapshots)
        for message in steps(("start", start), ("end", end), request_id=f"req-{number}")
    ]
    messages += steps(("start", 90), request_id="req-lost")
    messages += [
        notification(
            f"compute.instance.create.{phase}",
            T0 + timedelta(seconds=seconds),
            instance="other",
            request_id="req-create",
        )
        for phase, seconds in (("start", 0), ("end", 60))
    ]
    return lake_of(tmp_path_factory.mktemp("lake"), messages)


def test_summary_counts_finished_timings_of_sound_clocks(lake: sa.Lake) -> None:
    """Of 1, 2, 4 and 13 s: mean 5, median 3, and 95 % lies 0.85 of the way from 4 to 13, at 11.65 s."""
    create, snapshot = sa.timing_summary(lake).to_dicts()

    assert (create["operation"], create["count"], create["mean_s"]) == ("compute.instance.create", 1, 60.0)
    assert snapshot["operation"] == OPERATION
    assert (snapshot["count"], snapshot["min_s"], snapshot["max_s"]) == (4, 1.0, 13.0)
    assert (snapshot["mean_s"], snapshot["median_s"]) == (5.0, 3.0)
    assert snapshot["p95_s"] == pytest.approx(11.65)


def test_summary_of_a_slice_takes_it_from_each_operation_by_end_time(lake: sa.Lake) -> None:
    """With limit 2 and offset 1 the second and third snapshot count, and no create is left."""
    found = sa.timing_summary(lake, limit=2, offset=1)

    assert found.select("operation", "count", "min_s", "max_s").rows() == [(OPERATION, 2, 2.0, 4.0)]


def test_a_slice_goes_by_the_end(tmp_path: Path) -> None:
    """Of one that took 10 s from the start, and one of 2 s that began later and ended sooner, the latter is first."""
    messages = [
        *steps(("start", 0), ("end", 10), request_id="req-long"),
        *steps(("start", 5), ("end", 7), request_id="req-short"),
    ]

    with lake_of(tmp_path, messages) as lake:
        assert sa.timing_summary(lake, limit=1)["max_s"].to_list() == [2.0]


@pytest.mark.parametrize("cut", [0, 1, 11, 24, 43, 44, 100])
def test_a_divided_interval_holds_the_same_timings(lake: sa.Lake, cut: int) -> None:
    """[a, b) and [b, c) together hold what [a, c) does, once."""
    middle = T0 + timedelta(seconds=cut)

    parts = [sa.timings(lake, end=middle), sa.timings(lake, start=middle)]

    assert sorted(row for part in parts for row in part.rows()) == sorted(sa.timings(lake).rows())


@pytest.mark.parametrize(
    ("restriction", "expected"),
    [
        ({"instance": "other"}, [60.0]),
        ({"operation": OPERATION, "state": "."}, [1.0, 2.0, 4.0, 13.0, -3.0]),
        ({"request_id": "req-1"}, [2.0]),
        ({"state": "S"}, [None]),
        ({"state": "E"}, []),
        ({"deployment": "default", "request_id": "req-2"}, [4.0]),
        ({"deployment": "cell-9"}, []),
        ({"start": T0 + timedelta(seconds=12), "end": T0 + timedelta(seconds=43)}, [2.0, 4.0]),
        ({"start": T0 + timedelta(seconds=90)}, [None]),
    ],
)
def test_restrictions_leave_the_timings_that_meet_them(
    lake: sa.Lake, restriction: dict[str, Any], expected: list[float | None]
) -> None:
    """Each restriction gives just the timings that are expected; periods go by the end, else by the start."""
    assert sa.timings(lake, **restriction)["duration_s"].to_list() == expected


@pytest.mark.parametrize(
    ("restriction", "expected"),
    [
        ({"operation": OPERATION}, [(OPERATION, 4)]),
        ({"instance": "other"}, [("compute.instance.create", 1)]),
        ({"deployment": "cell-9"}, []),
        ({"start": T0 + timedelta(seconds=12), "end": T0 + timedelta(seconds=43)}, [(OPERATION, 2)]),
        ({"limit": 0}, []),
        ({"limit": 1}, [("compute.instance.create", 1), (OPERATION, 1)]),
        ({"offset": 3}, [(OPERATION, 1)]),
    ],
)
def test_restrictions_leave_the_rest_to_the_summary(
    lake: sa.Lake, restriction: dict[str, Any], expected: list[tuple[str, int]]
) -> None:
    """What is left counts; operations of which nothing is left have no row."""
    assert sa.timing_summary(lake, **restriction).select("operation", "count").rows() == expected


def test_the_slowest_come_first(lake: sa.Lake) -> None:
    """Of 1, 2, 4, 13 and 60 s the slowest three; what is not finished or ended too soon is none of them."""
    assert sa.slowest_timings(lake, limit=3)["duration_s"].to_list() == [60.0, 13.0, 4.0]
    assert sa.slowest_timings(lake, operation=OPERATION)["duration_s"].to_list() == [13.0, 4.0, 2.0, 1.0]


def test_negative_limits_are_refused(lake: sa.Lake) -> None:
    """A limit or offset below nothing names itself."""
    with pytest.raises(sa.InputError, match="limit -1"):
        sa.timing_summary(lake, limit=-1)
    with pytest.raises(sa.InputError, match="offset -2"):
        sa.timing_summary(lake, offset=-2)
    with pytest.raises(sa.InputError, match="limit -3"):
        sa.slowest_timings(lake, limit=-3)
    with pytest.raises(sa.InputError, match="classes is 0"):
        sa.timing_distribution(lake, operation=OPERATION, classes=0)


def test_an_empty_answer_has_every_column(lake: sa.Lake) -> None:
    """What finds nothing has the same columns and dtypes as what finds something."""
    assert sa.timings(lake, instance="nobody").schema == sa.timings(lake).schema
    assert sa.timing_summary(lake, instance="nobody").schema == sa.timing_summary(lake).schema


def test_distribution_counts_every_finished_timing_once(lake: sa.Lake) -> None:
    """1, 2, 4 and 13 s in three classes from 1 to 13 s: each is 13 ** (1/3) = 2.351 times as long as the one before."""
    found = sa.timing_distribution(lake, operation=OPERATION, classes=3)

    assert found["lower_s"].to_list() == pytest.approx([1.0, 2.3513, 5.5288], rel=1e-4)
    assert found["upper_s"].to_list() == pytest.approx([2.3513, 5.5288, 13.0], rel=1e-4)
    assert found["upper_s"].to_list()[:-1] == found["lower_s"].to_list()[1:]
    assert found["upper_s"][-1] > 13.0
    assert found["count"].to_list() == [2, 1, 1]


def test_distribution_of_one_duration_is_one_class(lake: sa.Lake) -> None:
    """A single create of 60 s makes a class of its own; what never happened makes none."""
    only = sa.timing_distribution(lake, operation="compute.instance.create")

    assert only.select("lower_s", "count").rows() == [(60.0, 1)]
    assert sa.timing_distribution(lake, operation="compute.instance.resize").is_empty()
