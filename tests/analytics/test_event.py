"""Events: found by what they are about, by any field, and by time, in an order that arrival does not change."""

import random
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stackanalytics as sa
from stackanalytics.testing import lake_of, notification

T0 = datetime(2026, 3, 2, 23, 59, tzinfo=UTC)
INSTANCE = "77e0f192-00a2-4f14-ad56-7467897828ea"


def minutes(count: float) -> datetime:
    """Return the instant so many minutes after the first event."""
    return T0 + timedelta(minutes=count)


MESSAGES = [
    notification("compute.instance.create.start", T0, instance=INSTANCE, request_id="req-1", tenant="acme"),
    notification("compute.instance.create.end", minutes(2), instance=INSTANCE, request_id="req-1", tenant="acme"),
    notification(
        "compute.instance.update", minutes(2), instance="other", publisher_id="api.api-1", routing_key="monitor.error"
    ),
    notification("image.activate", minutes(3), payload={"id": "image-1", "owner": "acme", "status": "active"}),
    notification("rebuild_instance", minutes(4), priority="ERROR", payload={"exception": "boom", "args": {}}),
    notification("port.create.end", minutes(5), payload={"port": {"id": "port-1"}}, deployment="cell-2"),
]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> sa.Lake:
    """Return a lake of six events over midnight, landed in another order."""
    shuffled = random.Random(1).sample(MESSAGES, len(MESSAGES))
    return lake_of(tmp_path_factory.mktemp("lake"), shuffled, deployment="cell-1")


@pytest.mark.parametrize(
    ("restriction", "expected"),
    [
        ({}, [0, 1, 2, 3, 4, 5]),
        ({"instance": INSTANCE}, [0, 1]),
        ({"request_id": "req-1"}, [0, 1]),
        ({"resource": "image-1"}, [3]),
        ({"tenant": "acme"}, [0, 1, 3]),
        ({"event_type": "compute.instance.update"}, [2]),
        ({"operation": "compute.instance.create"}, [0, 1]),
        ({"deployment": "cell-2"}, [5]),
        ({"exchange": "nova"}, [0, 1, 2, 4]),
        ({"exchange": ["glance", "neutron"]}, [3, 5]),
        ({"not_exchange": ["nova", "glance"]}, [5]),
        ({"host": "api-1"}, [2]),
        ({"start": minutes(2), "end": minutes(4)}, [1, 2, 3]),
        ({"start": minutes(2), "tenant": "acme"}, [1, 3]),
        ({"field": "status", "value": "active"}, [3]),
        ({"field": "event_type", "value": "instance", "match": "contains"}, [0, 1, 2, 4]),
        ({"field": "event_type", "value": "image", "match": "startswith"}, [3]),
        ({"field": "generated_at", "value": "2026-03-03 00:02:00"}, [3]),
        ({"field": "is_error", "value": "true"}, [2, 4]),
        ({"field": "id", "value": "1000"}, []),
        ({"field": "request_id", "value": ""}, [2, 3, 4, 5]),
        ({"start": minutes(2).replace(tzinfo=None), "end": minutes(3).replace(tzinfo=None)}, [1, 2]),
        ({"instance": INSTANCE, "start": minutes(1)}, [1]),
        ({"instance": INSTANCE, "end": minutes(2)}, [0]),
        ({"instance": INSTANCE, "exchange": "glance"}, []),
        ({"instance": INSTANCE, "newest_first": True, "limit": 1}, [1]),
        ({"limit": 2, "offset": 1}, [1, 2]),
        ({"limit": 0}, []),
        ({"limit": 9, "offset": 4}, [4, 5]),
        ({"tenant": "acme", "limit": 1, "offset": 1}, [1]),
        ({"newest_first": True, "tenant": "acme", "start": minutes(1), "limit": 1, "offset": 1}, [1]),
        ({"newest_first": True, "limit": 2}, [5, 4]),
        ({"instance": "nobody"}, []),
    ],
)
def test_restrictions_find_the_events_that_meet_them(
    lake: sa.Lake, restriction: dict[str, object], expected: list[int]
) -> None:
    """Each restriction alone, and some together, give just the events that are expected, in order of time."""
    found = sa.events(lake, **restriction)  # type: ignore[arg-type]  # they vary

    assert found["message_id"].to_list() == [_message_id(place) for place in expected]


def _message_id(place: int) -> object:
    message = MESSAGES[place]
    body = message.get("body", message)
    assert isinstance(body, dict)
    return body["message_id"]


def test_an_error_is_told_by_the_routing_key_or_else_the_priority(lake: sa.Lake) -> None:
    """The update came over the error queue; the exception came bare, with priority ERROR."""
    errors = sa.events(lake).filter("is_error")

    assert errors["event_type"].to_list() == ["compute.instance.update", "rebuild_instance"]


def test_an_event_is_found_by_id_with_its_body(lake: sa.Lake) -> None:
    """The body is what was sent; an id that is not known gives no row, with the same columns."""
    known = sa.events(lake, instance=INSTANCE)["id"][0]

    found = sa.event(lake, known)

    assert found["event_type"].to_list() == ["compute.instance.create.start"]
    assert '"instance_id": "77e0f192' in found["body"][0]
    assert sa.event(lake, 999).schema == found.schema
    assert sa.event(lake, 999).is_empty()


def test_the_last_instant_that_there_is(tmp_path: Path) -> None:
    """An event at the end of the year 9999 is on a page as any other."""
    last = notification("compute.instance.update", "9999-12-31T23:59:59.999999", instance="i")
    with lake_of(tmp_path, [last]) as lake:
        for newest_first in (False, True):
            assert sa.events(lake, limit=1, newest_first=newest_first)["instance"].to_list() == ["i"]


@pytest.mark.parametrize("has_hashes", [True, False])
@pytest.mark.parametrize("key", ["id", "instance", "request_id", "resource"])
def test_looking_up_finds_what_searching_finds(tmp_path: Path, key: str, has_hashes: bool) -> None:
    """An event that is looked up by a key has all that a search for it finds, also what tells of errors."""
    queues = [{"routing_key": "a.error"}, {"routing_key": "a.info", "priority": "ERROR"}, {"priority": "WARN"}]
    odd = [
        notification("compute.instance.update", T0, instance=f"i-{place % 2}", request_id=text, **queue)
        for place, (text, queue) in enumerate(zip(["req-'1", "réq \\ 2", "req-'1"], queues, strict=True))
    ]
    with lake_of(tmp_path, [*MESSAGES, *odd]) as lake:
        if not has_hashes:
            shutil.rmtree(tmp_path / "lookup")
        for value in sa.events(lake)[key].drop_nulls():
            searched = sa.events(lake, field=key, value=value)
            assert searched.height > 0
            assert sa.events(lake, **{key: value}).equals(searched)
        for unknown in (2**70, -1) if key == "id" else ("nobody", "", "a\0b"):
            assert sa.events(lake, **{key: unknown}).equals(searched.clear())


def test_simultaneous_events_are_ordered_by_content(tmp_path: Path) -> None:
    """Events of one instant have the same order in whichever order they were landed."""
    messages = [notification("compute.instance.update", T0, instance=f"i-{number}") for number in range(9)]
    backwards = list(reversed(messages))

    with lake_of(tmp_path / "a", messages) as one, lake_of(tmp_path / "b", backwards) as other:
        expected, found = (sa.events(lake).drop("id") for lake in (one, other))
        newest = sa.events(other, newest_first=True).drop("id")

    assert found.equals(expected)
    assert newest.equals(expected.reverse())


def test_unusable_searches_are_refused_with_what_would_work(lake: sa.Lake) -> None:
    """An unknown field names the fields; a value of the wrong kind names the value and the field."""
    with pytest.raises(sa.InputError, match=r"'colour'.*event_type"):
        sa.events(lake, field="colour", value="red")
    with pytest.raises(sa.InputError, match=r"'many'.*vcpus"):
        sa.events(lake, field="vcpus", value="many")
    with pytest.raises(sa.InputError, match=r"'yesterday'.*YYYY-MM-DD|'yesterday'.*launched_at"):
        sa.events(lake, field="launched_at", value="yesterday")
    with pytest.raises(sa.InputError, match=r"vcpus is no text"):
        sa.events(lake, field="vcpus", value="1", match="contains")
    with pytest.raises(sa.InputError, match=r"'like'.*contains"):
        sa.events(lake, field="host", value="api", match="like")  # type: ignore[arg-type]  # what is tested
    with pytest.raises(sa.InputError, match=r"no value for host"):
        sa.events(lake, field="host")
    with pytest.raises(sa.InputError, match=r"limit -1"):
        sa.events(lake, limit=-1)
    with pytest.raises(sa.InputError, match=r"'colour'"):
        sa.events(lake, columns=["id", "colour"])


def test_only_the_columns_asked_for_are_returned(lake: sa.Lake) -> None:
    """Columns come in the order asked for, each once, and the rows keep the order of time."""
    found = sa.events(lake, tenant="acme", columns=["exchange", "phase", "exchange"])

    assert found.columns == ["exchange", "phase"]
    assert found.rows() == [("nova", "start"), ("nova", "end"), ("glance", None)]


told = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["a", "b", None]), st.sampled_from(["scheduling", None])),
    max_size=12,
)


@settings(max_examples=15)
@given(told=told, rows=st.integers(1, 5))
def test_pages_make_up_the_whole(
    told: list[tuple[int, str | None, str | None]], rows: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Pages follow each other without gap or repetition, also within one instant; newest first is the reverse."""
    messages = [
        notification("compute.instance.update", minutes(minute), instance=instance, task=task, message_id=f"m-{place}")
        for place, (minute, instance, task) in enumerate(told)
    ]

    with lake_of(tmp_path_factory.mktemp("lake"), messages) as lake:
        whole = sa.events(lake)
        pages = [
            [sa.events(lake, newest_first=newest_first, limit=rows, offset=at) for at in range(0, 13, rows)]
            for newest_first in (False, True)
        ]

    ahead, back = map(pl.concat, pages)
    assert ahead.equals(whole)
    assert back.equals(whole.reverse())


@settings(max_examples=15)
@given(told=told, cuts=st.tuples(*[st.integers(0, 4)] * 3).map(sorted))
def test_a_divided_interval_holds_the_same_events(
    told: list[tuple[int, str | None, str | None]], cuts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """[a, b) and [b, c) together hold what [a, c) does, over midnight as well, and so do the counts."""
    messages = [
        notification("compute.instance.update", minutes(minute), instance=instance, task=task, message_id=f"m-{place}")
        for place, (minute, instance, task) in enumerate(told)
    ]
    a, b, c = (minutes(cut) for cut in cuts)

    with lake_of(tmp_path_factory.mktemp("lake"), messages) as lake:
        whole, *parts = (sa.events(lake, start=start, end=end) for start, end in ((a, c), (a, b), (b, c)))
        counts = [sa.event_types(lake, start=start, end=end)["count"].sum() for start, end in ((a, c), (a, b), (b, c))]

    assert pl.concat(parts).equals(whole)
    assert counts == [whole.height, *(part.height for part in parts)]


def test_event_types_are_counted(lake: sa.Lake) -> None:
    """Of the two cells, the first sent five types once each; the times are those of the events."""
    found = sa.event_types(lake, deployment="cell-1", exchange="nova")

    assert found.select("event_type", "count").rows() == [
        ("compute.instance.create.end", 1),
        ("compute.instance.create.start", 1),
        ("compute.instance.update", 1),
        ("rebuild_instance", 1),
    ]
    assert found["first_at"][0] == minutes(2)


def test_hosts_are_listed_with_the_unknown_one_last(tmp_path: Path) -> None:
    """A publisher without a dot names no host; that is a row of its own."""
    messages = [
        notification("compute.instance.update", T0, publisher_id=sender, instance=sender)
        for sender in ("api", "compute.b", "compute.a", "scheduler.a")
    ]

    with lake_of(tmp_path, messages) as lake:
        assert sa.hosts(lake).select("host", "count").rows() == [("a", 2), ("b", 1), (None, 1)]


def test_deployments_have_stable_ids_and_their_extent(lake: sa.Lake) -> None:
    """Both cells are listed by name with their ids, counts and times."""
    found = sa.deployments(lake)

    assert found["name"].to_list() == ["cell-1", "cell-2"]
    assert dict(zip(found["id"], found["name"], strict=True)) == lake.deployments()
    assert found["count"].to_list() == [5, 1]
    assert found["last_at"].to_list() == [minutes(4), minutes(5)]
