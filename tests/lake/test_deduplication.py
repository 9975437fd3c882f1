"""A message is landed once, whatever is landed with it, when, and in what order."""

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from landed import encoded, rows_in

from stackanalytics.lake import compact
from stackanalytics.landing import Summary, land
from stackanalytics.sources.chunk import Chunk
from stackanalytics.testing import notification

Message = dict[str, Any]
Between = Callable[[Path], None]

ONE: Message = notification("compute.instance.create.end", "2026-03-02 10:00", instance="i-1", message_id="one")
OTHER: Message = {**ONE, "payload": {"instance_id": "i-2"}}
THIRD: Message = {**ONE, "payload": {"instance_id": "i-3"}}


def _land(folder: Path, messages: Iterable[object], deployment: str = "default") -> Summary:
    return land([Chunk("test", 1, [encoded(message) for message in messages])], folder, deployment=deployment)


def _counts(landed: Summary) -> tuple[int, int, int]:
    return landed.notifications, landed.duplicates, landed.conflicts


def _nothing(folder: Path) -> None:
    """Leave the lake as it is."""


def _without_keys(folder: Path) -> None:
    shutil.rmtree(folder / "keys")


def _without_some_keys(folder: Path) -> None:
    runs = sorted((folder / "keys").glob("*-*.npy"))
    runs[0].unlink()


@pytest.fixture(params=[_nothing, _without_keys, _without_some_keys])
def between(request: pytest.FixtureRequest) -> Between:
    """What happens to the lake between two landings."""
    found: Between = request.param
    return found


COPIES = {
    "the same": ONE,
    "another publishing": {**ONE, "_unique_id": "2"},
    "another context": {**ONE, "_context_roles": ["admin"], "_context_request_id": "req-9"},
    "other blanks": json.dumps(ONE, separators=(" ,", " : ")),
    "other order": dict(reversed(ONE.items())),
    "other order in the payload": {**ONE, "payload": dict(reversed(ONE["payload"].items()))},
    "without priority": {name: value for name, value in ONE.items() if name != "priority"},
    "in an envelope": {"oslo.version": "2.0", "oslo.message": json.dumps(ONE)},
    "another token": {**ONE, "_context_auth_token": "secret"},
    "escapes": json.dumps(ONE).replace("create", "cre\\u0061te"),
}


@pytest.mark.parametrize("copy", COPIES)
def test_copies_are_one_message(copy: str, tmp_path: Path) -> None:
    """What differs between two copies of one message makes no second row, together or one after the other."""
    first = {**ONE, "payload": {**ONE["payload"], "a": 1}}
    again = encoded(COPIES[copy]).replace(b'"i-1"', b'"i-1", "a": 1').replace(b'\\"i-1\\"', b'\\"i-1\\", \\"a\\": 1')
    assert _counts(_land(tmp_path / "together", [first, again])) == (1, 1, 0)
    assert _counts(_land(tmp_path / "apart", [first])) == (1, 0, 0)
    assert _counts(_land(tmp_path / "apart", [again])) == (0, 1, 0)


def test_contents_that_earlier_versions_hashed_in_another_way_are_found(tmp_path: Path) -> None:
    """Where no hash of a content is the same, the stored bodies tell that a message and its conflict are known."""
    assert _counts(_land(tmp_path, [ONE, OTHER])) == (2, 0, 1)
    for path in (tmp_path / "keys").glob("*-*.npy"):
        keys, contents = np.load(path)
        np.save(path, np.stack([keys, ~contents]))

    assert _counts(_land(tmp_path, [OTHER, ONE, THIRD])) == (1, 2, 1)


def test_one_id_other_content_is_a_conflict(tmp_path: Path, between: Between) -> None:
    """Another content under a known id is landed once, as a conflict; each further content likewise."""
    assert _counts(_land(tmp_path, [ONE])) == (1, 0, 0)
    between(tmp_path)
    assert _counts(_land(tmp_path, [OTHER, ONE, OTHER])) == (1, 2, 1)
    between(tmp_path)
    assert _counts(_land(tmp_path, [THIRD, OTHER, ONE])) == (1, 2, 1)
    between(tmp_path)
    assert _counts(_land(tmp_path, [OTHER, THIRD, ONE])) == (0, 3, 0)
    rows = [(row["id"], row["instance"], row["is_conflict"]) for row in rows_in(tmp_path)]
    assert rows == [(1, "i-1", False), (2, "i-2", True), (3, "i-3", True)]


def test_conflicts_within_one_batch(tmp_path: Path) -> None:
    """The first content of a batch is the message; each other one is a conflict, once."""
    assert _counts(_land(tmp_path, [ONE, OTHER, ONE, OTHER, THIRD, {**OTHER, "_unique_id": "2"}])) == (3, 3, 2)


def test_without_an_id_content_counts(tmp_path: Path, between: Between) -> None:
    """Messages without an id are one if their contents are equal, and never in conflict."""
    nameless, other = ({**message, "message_id": None} for message in (ONE, OTHER))
    assert _counts(_land(tmp_path, [nameless, nameless, other])) == (2, 1, 0)
    between(tmp_path)
    assert _counts(_land(tmp_path, [other, {**nameless, "_context_user": "x"}, {**nameless, "message_id": ""}])) == (
        0,
        3,
        0,
    )


ODD: list[Message] = [
    {"publisher_id": 5},
    {"publisher_id": ""},
    {"publisher_id": ["x"]},
    {"timestamp": "2026-03-02 10:00:00", "publisher_id": {"a": 1}},
    {"payload": "text"},
    {"payload": None},
    {"payload": {"password": "secret"}},
    {"payload": {"number": 10**30}},
    {"priority": 5, "_context_tenant": []},
    {"message_id": 5},
    {"message_id": ["x"], "payload": {"a": 1}},
]


def test_odd_messages_are_recognised_by_a_rebuilt_index(tmp_path: Path, between: Between) -> None:
    """Whatever its values, a stored body gives the hashes that the message had when it came."""
    odd = [{**ONE, "message_id": None, **changes} for changes in ODD]
    assert _counts(_land(tmp_path, odd)) == (len(odd), 0, 0)
    between(tmp_path)
    assert _counts(_land(tmp_path, odd)) == (0, len(odd), 0)


def test_deployments_are_apart(tmp_path: Path, between: Between) -> None:
    """The same message of another deployment is another message, however the deployment is told."""
    assert _counts(_land(tmp_path, [ONE], deployment="east")) == (1, 0, 0)
    between(tmp_path)
    assert _counts(_land(tmp_path, [ONE, {"deployment": "east", "body": ONE}], deployment="west")) == (1, 1, 0)
    between(tmp_path)
    assert _counts(_land(tmp_path, [ONE, {"deployment": "west", "body": ONE}], deployment="east")) == (0, 2, 0)
    assert [(row["deployment"], row["is_conflict"]) for row in rows_in(tmp_path)] == [("east", False), ("west", False)]


def test_fields_do_not_run_together(tmp_path: Path) -> None:
    """Ids and contents that give the same characters when put together are different messages."""
    messages = [
        {**ONE, "message_id": "x"},
        {"deployment": "default\0id x", "body": {**ONE, "message_id": ""}},
        {**ONE, "message_id": None, "publisher_id": "a\0b", "priority": "1"},
        {**ONE, "message_id": None, "publisher_id": "a", "priority": "2"},
        {**ONE, "message_id": None, "publisher_id": None},
        {**ONE, "message_id": None, "publisher_id": "None"},
    ]
    assert _counts(_land(tmp_path, messages)) == (6, 0, 0)


def test_deeply_nested_copies(tmp_path: Path) -> None:
    """Bodies nested as deep as can just be read are compared, found again and landed without an error."""
    for depth in (10, 500, *range(900, 1001, 5)):
        nested = (
            json.dumps(ONE)
            .replace('"i-1"', f'"i-1", "nested": {"[" * depth}{"]" * depth}')
            .replace("one", f"at {depth}")
        )
        landed = _land(tmp_path, [nested, nested.replace(",", " ,")])
        assert landed.notifications + landed.duplicates + landed.dead_letters == 2
    _without_keys(tmp_path)
    assert _counts(_land(tmp_path, [ONE])) == (1, 0, 0)


def test_the_index_stays_small(tmp_path: Path) -> None:
    """Many small landings leave few runs, ids without a gap, and forget nothing."""
    messages = [{**ONE, "message_id": f"message {number}"} for number in range(60)]
    for number in range(0, 60, 2):
        assert _land(tmp_path, messages[number : number + 2]).notifications == 2
    assert len(list((tmp_path / "keys").glob("*.npy"))) <= 4
    assert [row["id"] for row in rows_in(tmp_path)] == list(range(1, 61))
    assert _counts(_land(tmp_path, messages)) == (0, 60, 0)


def test_debris_of_a_crash_in_the_index(tmp_path: Path) -> None:
    """Runs of ids that were never committed, parts of merged runs and half-written files are not believed."""
    landed = [{**ONE, "message_id": f"message {number}"} for number in range(5)]
    new = [{**ONE, "message_id": f"new {number}"} for number in range(5)]
    _land(tmp_path / "other", [*landed, *new])
    for message in landed:
        _land(tmp_path, [message])
    keys, other = tmp_path / "keys", tmp_path / "other" / "keys"
    # a crash after the keys of five new messages were written and before they were committed
    shutil.copy(other / "1-10.npy", keys / "6-10.npy")
    shutil.copy(other / "1-10.npy", keys / "6-6.npy")
    # a crash between the merging of two runs and the deleting of what they were made of
    np.save(keys / "2-3.npy", np.zeros((2, 2), dtype=np.uint64))
    (keys / "unfinished").write_bytes(b"half")
    assert _counts(_land(tmp_path, [*new, *landed])) == (5, 5, 0)
    assert _counts(_land(tmp_path, [*landed, *new])) == (0, 10, 0)
    assert [row["id"] for row in rows_in(tmp_path)] == list(range(1, 11))


MESSAGES: list[Message] = [
    ONE,
    {**ONE, "_unique_id": "2"},
    OTHER,
    {**ONE, "message_id": None},
    {**OTHER, "message_id": None},
    {"deployment": "east", "exchange": "nova", "routing_key": "k.info", "body": ONE},
    notification("instance.delete.end", "2026-03-03 10:00", instance="i-1", message_id="three"),
    notification("image.upload", "2026-03-01 10:00", payload="Error", message_id="four"),
    {"event_type": "nonsense"},
]


def _told(folder: Path) -> list[str]:
    """Return what the rows of a lake tell but for what depends on the order of landing."""
    told = []
    for row in rows_in(folder):
        body = json.loads(row["body"])
        body.pop("_unique_id", None)
        left_out = ("id", "landed_at", "is_conflict", "body")
        told.append(json.dumps([*(str(row[name]) for name in row if name not in left_out), body], sort_keys=True))
    return sorted(told)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What a lake tells in which the messages were landed once, in their order."""
    folder = tmp_path_factory.mktemp("expected")
    _land(folder, MESSAGES)
    return _told(folder)


@settings(max_examples=15)
@given(st.data())
def test_order_and_repetition_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, expected: list[str], data: st.DataObject
) -> None:
    """Shuffled, repeated, and cut into landings anywhere, messages give the same rows but for the ids."""
    more = data.draw(st.lists(st.sampled_from(MESSAGES), max_size=6))
    shuffled = data.draw(st.permutations([*MESSAGES, *more]))
    cut = data.draw(st.integers(0, len(shuffled)))
    folder = tmp_path_factory.mktemp("shuffled")
    first, second = _land(folder, shuffled[:cut]), _land(folder, shuffled[cut:])
    assert _told(folder) == expected
    assert first.notifications + second.notifications == 7
    assert first.conflicts + second.conflicts == 1
    assert first.dead_letters + second.dead_letters == 1


@pytest.mark.parametrize("is_together", [True, False])
def test_the_copy_that_tells_more_counts(tmp_path: Path, is_together: bool) -> None:
    """Of a copy with its context and one without, the same row stays in whichever order they come, compacted or not."""
    bare, full = ONE, {**ONE, "_context_request_id": "req-1", "_context_user_id": "alice"}
    rows = []
    for number, order in enumerate([[full, bare], [bare, full], [bare, bare, full, bare]]):
        folder = tmp_path / str(number)
        for messages in [order] if is_together else [[message] for message in order]:
            _land(folder, [OTHER, *messages])
        compact(folder)
        assert _counts(_land(folder, [bare, full, OTHER])) == (0, 3, 0)
        [row] = [row for row in rows_in(folder) if row["instance"] == "i-1"]
        rows.append({name: value for name, value in row.items() if name not in ("id", "landed_at", "is_conflict")})
        assert len(rows_in(folder)) == 2

    assert (rows[0]["request_id"], rows[0]["user"]) == ("req-1", "alice")
    assert rows[1] == rows[2] == rows[0]
