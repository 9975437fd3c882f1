"""The views: pairing by the book, whatever is told by whom, in which format, and in which order."""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackanalytics.testing import lake_of, notification

T0 = datetime(2026, 3, 2, 8, tzinfo=UTC)
SNAPSHOT, ATTACH = "compute.instance.snapshot", "compute.instance.volume.attach"

# event type -> format, operation, phase
KINDS = {
    "compute.instance.snapshot.start": ("legacy", SNAPSHOT, "start"),
    "compute.instance.snapshot.end": ("legacy", SNAPSHOT, "end"),
    "compute.instance.snapshot.error": ("legacy", SNAPSHOT, "error"),
    "compute.instance.volume.attach": ("legacy", ATTACH, None),
    "instance.snapshot.start": ("versioned", SNAPSHOT, "start"),
    "instance.snapshot.end": ("versioned", SNAPSHOT, "end"),
    "instance.volume_attach.start": ("versioned", ATTACH, "start"),
    "instance.volume_attach.end": ("versioned", ATTACH, "end"),
}


class Told(NamedTuple):
    """What one notification tells."""

    event_type: str
    seconds: int
    request_id: str | None
    deployment: str


class Timing(NamedTuple):
    """A timing, by its times."""

    operation: str
    request_id: str | None
    state: str
    started_s: int | None
    ended_s: int | None


tellings = st.lists(
    st.builds(
        Told,
        event_type=st.sampled_from(list(KINDS)),
        seconds=st.integers(0, 3),
        request_id=st.sampled_from(["req-1", None]),
        deployment=st.sampled_from(["cell-1", "cell-2"]),
    ),
    max_size=14,
)


def message(told: Told, place: int = 0, **more: Any) -> dict[str, Any]:
    """Return the notification; *place* tells it from others that tell the same."""
    return notification(
        told.event_type,
        T0 + timedelta(seconds=told.seconds),
        request_id=told.request_id,
        deployment=told.deployment,
        **{"instance": "i-1", "exchange": "nova", "host": f"host-{place}", "message_id": f"m-{place}"} | more,
    )


def paired(tellings: Iterable[Told]) -> list[Timing]:
    """Pair as the rules say, one request after the other."""
    tellings = list(tellings)
    in_legacy = {(told.deployment, told.request_id, operation) for told, _, operation, _ in _kinds(tellings, "legacy")}
    steps = defaultdict(list)
    for told, form, operation, phase in _kinds(tellings, "legacy", "versioned"):
        is_twin = form == "versioned" and (told.deployment, told.request_id, operation) in in_legacy
        if phase in ("start", "end") and not is_twin:
            steps[operation, told.request_id].append((told.seconds, phase == "end"))
    return [Timing(*key, *timing) for key, of_one in steps.items() for timing in _pairs(sorted(of_one))]


def _kinds(tellings: Iterable[Told], *formats: str) -> Iterator[tuple[Told, str, str, str | None]]:
    for told in tellings:
        form, operation, phase = KINDS[told.event_type]
        if form in formats:
            yield told, form, operation, phase


def _pairs(steps: Sequence[tuple[int, bool]]) -> Iterator[tuple[str, int | None, int | None]]:
    if [is_end for _, is_end in steps] == [True, False]:
        yield ".", steps[1][0], steps[0][0]
        return
    started: int | None = None
    for seconds, is_end in steps:
        if is_end:
            yield ("E" if started is None else "."), started, seconds
        elif started is not None:
            yield "S", started, None
        started = None if is_end else seconds
    if started is not None:
        yield "S", started, None


def timings(found: pl.DataFrame) -> list[Timing]:
    """Return rows of the view by their times."""
    seconds = [(pl.col(name) - T0).dt.total_seconds() for name in ("started_at", "ended_at")]
    return [Timing(*row) for row in found.select("operation", "request_id", "timing_state", *seconds).rows()]


def by_text(rows: Iterable[Timing]) -> list[Timing]:
    """Order rows, nulls or not."""
    return sorted(rows, key=repr)


@settings(max_examples=40)
@given(tellings=tellings)
def test_pairs_are_those_of_the_rules(tellings: list[Told], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Pairing request by request in plain Python finds the same timings as the view."""
    messages = [message(told, place) for place, told in enumerate(tellings)]

    with lake_of(tmp_path_factory.mktemp("lake"), messages) as lake:
        found = timings(lake.sql("from timings"))

    assert by_text(found) == by_text(paired(tellings))


@settings(max_examples=10)
@given(tellings=tellings, seed=st.integers(0, 1000))
def test_order_of_arrival_changes_no_sender(
    tellings: list[Told], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Steps of one instant go to the same pairs in whichever order they are landed."""
    messages = [message(told, place) for place, told in enumerate(tellings)]
    shuffled = random.Random(seed).sample(messages, len(messages))
    query = "select * exclude (start_id, end_id) from timings order by all"

    with (
        lake_of(tmp_path_factory.mktemp("a"), messages) as one,
        lake_of(tmp_path_factory.mktemp("b"), shuffled) as other,
    ):
        assert other.sql(query).equals(one.sql(query))


@settings(max_examples=10)
@given(tellings=tellings)
def test_twins_change_nothing(tellings: list[Told], tmp_path_factory: pytest.TempPathFactory) -> None:
    """A cloud that tells everything in both formats has the timings of one that tells it in the legacy format."""
    legacy = [told for told in tellings if KINDS[told.event_type][0] == "legacy"]
    twins = [
        told._replace(event_type=twin)
        for told in legacy
        for twin, (form, operation, _) in KINDS.items()
        if form == "versioned" and operation == KINDS[told.event_type][1]
    ]
    messages = [message(told, place) for place, told in enumerate(legacy)]
    both = [*(message(told, 100 + place) for place, told in enumerate(twins)), *messages]
    query = "select * exclude (start_id, end_id) from timings order by all"

    with lake_of(tmp_path_factory.mktemp("a"), messages) as one, lake_of(tmp_path_factory.mktemp("b"), both) as other:
        assert other.sql(query).equals(one.sql(query))


def test_senders_of_one_instant_take_their_places_by_name(tmp_path: Path) -> None:
    """Of two starts at 0 s the one of host b, the later by name, is next to the end and pairs with it."""
    start = Told("compute.instance.snapshot.start", 0, "req-1", "cell-1")
    end = Told("compute.instance.snapshot.end", 3, "req-1", "cell-1")
    messages = [
        message(start, 1, host="b"),
        message(start, 2, host="a"),
        message(end, 3, host="c"),
    ]

    with lake_of(tmp_path, messages) as lake:
        found = lake.sql("select timing_state, start_host, end_host, start_id from timings order by timing_state")

    assert found.rows() == [(".", "b", "c", 1), ("S", "a", None, 2)]


def test_timings_of_one_or_of_several(tmp_path: Path) -> None:
    """Asked for less, the view gives just these rows of all."""
    messages = [
        message(Told(f"compute.instance.{name}.{phase}", seconds, request, "cell-1"), place, instance=instance)
        for place, (name, phase, seconds, request, instance) in enumerate(
            [
                ("snapshot", "start", 0, "req-1", "i-1"),
                ("snapshot", "end", 1, "req-1", "i-1"),
                ("reboot", "start", 2, "req-2", "i-1"),
                ("snapshot", "start", 3, "req-2", "i-2"),
                ("snapshot", "end", 4, None, "i-2"),
            ]
        )
    ]

    def ends(source: str) -> list[int]:
        found = lake.sql(f"select coalesce(start_id, end_id) as id from {source} order by id")
        return found["id"].to_list()

    with lake_of(tmp_path, messages) as lake:
        assert ends("timings") == [1, 3, 4, 5]
        assert ends("timings_of('i-1', null, null)") == [1, 3]
        assert ends("timings_of(null, 'req-2', null)") == [3, 4]
        assert ends("timings_of('i-2', 'req-2', 'compute.instance.snapshot')") == [4]
        assert ends("timings_of_requests(['req-1', 'req-2'])") == [1, 3, 4]
        assert ends("timings_of_requests([])") == []


@pytest.mark.parametrize(
    ("routing_key", "priority", "expected"),
    [
        ("monitor.error", "INFO", True),
        ("notifications.info", "ERROR", False),
        (None, "ERROR", True),
        (None, "INFO", False),
        (None, None, False),
    ],
)
def test_errors_are_told_by_the_routing_key_or_else_the_priority(
    routing_key: str | None, priority: str | None, expected: bool, tmp_path: Path
) -> None:
    """The priority matters only where no routing key is known; without both there is no error."""
    told = Told("compute.instance.snapshot.start", 0, "req-1", "cell-1")
    more = {"routing_key": routing_key} if routing_key else {}

    with lake_of(tmp_path, [message(told, priority=priority, **more)]) as lake:
        assert lake.sql("select is_error from events").item() is expected


def test_the_views_are_there_in_a_lake_of_nothing(tmp_path: Path) -> None:
    """Without any notification the views answer with no rows."""
    with lake_of(tmp_path, []) as lake:
        assert all(lake.sql(f"from {noun}").is_empty() for noun in ("events", "timings"))
