"""Attempts: what requests did to instances, and how that failed."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stackanalytics as sa
from stackanalytics.landing import land
from stackanalytics.sources.chunk import Chunk
from stackanalytics.testing import lake_of, notification

T0 = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = {"start": datetime(2026, 3, 2, tzinfo=UTC), "end": datetime(2026, 3, 3, tzinfo=UTC)}
INSTANCE = "77e0f192-0000-4000-8000-000000000001"


def told(event_type: str, seconds: float, request_id: str = "req-1", **fields: Any) -> dict[str, object]:
    """Make a notification some seconds into the day's work."""
    given = {"instance": INSTANCE, "request_id": request_id, **fields}
    return notification(event_type, T0 + timedelta(seconds=seconds), **given)


def failed(event_type: str, seconds: float, kwargs: object = None, **fields: Any) -> dict[str, object]:
    """Make the notification of an exception, as it comes over an error queue."""
    payload = {"instance_id": INSTANCE, "exception": {"kwargs": kwargs or {}, "message": "boom"}}
    return told(event_type, seconds, payload=payload, routing_key="monitor.error", **fields)


def attempt(folder: Path, *notifications: dict[str, object], **asked: Any) -> dict[str, Any]:
    """Return the only attempt that the notifications tell of."""
    with lake_of(folder, [told("compute.instance.update", 0), *notifications]) as lake:
        (found,) = sa.attempts(lake, **{**DAY, **asked}).to_dicts()
    return found


def test_an_attempt_lasts_from_its_first_notification_to_its_last(tmp_path: Path) -> None:
    """Duration, action, image and tenant come from all that a request made nova say of an instance."""
    found = attempt(
        tmp_path,
        told("compute.instance.create.start", 1, tenant="a1", image_meta={"image_type": "base", "os_type": "linux"}),
        told("compute.instance.create.end", 60.5, tenant="a2"),
        told("compute.instance.exists", 900),
        told("compute.instance.update", 4000, request_id=None),
    )

    assert {name: found[name] for name in ("action", "image_type", "tenant", "duration_s", "failure")} == {
        "action": "create",
        "image_type": 0x11,
        "tenant": "a2",
        "duration_s": 60.5,
        "failure": None,
    }
    assert (found["started_at"], found["ended_at"]) == (T0, T0 + timedelta(seconds=60.5))


@pytest.mark.parametrize(
    ("steps", "failure"),
    [
        ([failed("compute.instance.create.error", 5)], "http"),
        ([failed("compute.instance.create.error", 5, {"code": 404})], "4xx"),
        ([failed("compute.instance.create.error", 5, {"code": "500"})], "5xx"),
        ([failed("compute.instance.create.error", 5, {"code": 302})], "http"),
        ([failed("compute.instance.create.error", 5, {"code": True})], "http"),
        ([told("compute.instance.update", 5, old_state="building", state="error")], "state"),
        ([told("compute.instance.update", 5, old_state="error", state="error")], None),
        (
            [
                told("compute.instance.update", 5, old_state="building", state="error"),
                told("compute.instance.update", 6, old_state="error", state="active"),
            ],
            None,
        ),
        (
            [
                told("compute.instance.update", 5, old_state="building", state="error"),
                told("compute.instance.update", 6, old_state="error", state="deleted"),
            ],
            "state",
        ),
        (
            [
                told("compute.instance.update", 5, old_state="building", state="error"),
                failed("compute.instance.create.error", 6, {"code": 501}),
            ],
            "5xx",
        ),
        ([told("compute.instance.create.end", 1801)], "slow"),
        ([told("compute.instance.create.end", 1800)], None),
        ([failed("compute.instance.create.error", 1900)], "http"),
    ],
)
def test_how_an_attempt_failed(tmp_path: Path, steps: list[dict[str, object]], failure: str | None) -> None:
    """The last notification that tells one way or the other decides; a code of the exception makes it precise."""
    assert attempt(tmp_path, *steps)["failure"] == failure


def test_an_endless_code(tmp_path: Path) -> None:
    """A code with more digits than Python reads is told as it is written."""
    message = json.dumps(failed("compute.instance.create.error", 5, {"code": "CODE"})).replace('"CODE"', "4" * 5_000)
    land([Chunk("messages", 1, [message.encode()])], tmp_path)

    assert attempt(tmp_path)["error_code"] == "4" * 5_000


def test_the_ids_of_a_failure(tmp_path: Path) -> None:
    """The last error, and the last notification that tells of a failure, are named by their ids."""
    found = attempt(
        tmp_path,
        failed("compute.instance.create.error", 5, {"code": 404}),
        told("compute.instance.update", 6, old_state="building", state="error"),
    )

    assert (found["error_id"], found["failure_id"], found["error_code"]) == (2, 3, "404")
    assert found["exception"] == '{"kwargs":{"code":404},"message":"boom"}'


def test_only_instances_with_an_update_in_the_period_and_the_region_count(tmp_path: Path) -> None:
    """An update on the first instant of the period counts, one on the first after it does not."""
    other = {"instance": "77e0f192-0000-4000-8000-000000000002", "request_id": "req-2"}
    ours = notification("compute.instance.update", DAY["start"], instance="i", request_id="req-1")
    messages = [
        {"deployment": "cell-dfw", "body": ours},
        {"deployment": "cell-ord", "body": notification("compute.instance.update", DAY["end"], **other)},
        {"deployment": "cell-ord", "body": notification("compute.instance.create.start", T0, **other)},
    ]
    with lake_of(tmp_path, messages) as lake:
        assert sa.attempts(lake, **DAY)["instance"].to_list() == ["i"]
        assert sa.attempts(lake, region="DFW", **DAY)["instance"].to_list() == ["i"]
        assert sa.attempts(lake, region="ord", **DAY).is_empty()
        with pytest.raises(sa.InputError, match="'lon'; the deployments are cell-dfw, cell-ord"):
            sa.attempts(lake, region="lon", **DAY)


KINDS = st.sampled_from(
    [
        ("compute.instance.update", {"old_state": "building", "state": "error"}),
        ("compute.instance.update", {"old_state": "error", "state": "active"}),
        ("compute.instance.create.error", {"routing_key": "monitor.error"}),
        ("compute.instance.resize.start", {}),
    ]
)


@settings(max_examples=25)
@given(data=st.data())
def test_order_of_arrival_changes_nothing(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Landed in another order, the same notifications tell the same attempts, ids aside."""
    steps = data.draw(st.lists(st.tuples(KINDS, st.integers(0, 3)), max_size=6))
    messages = [told("compute.instance.update", 0)]
    messages += [told(kind, at, message_id=str(n), **fields) for n, ((kind, fields), at) in enumerate(steps)]
    shuffled = data.draw(st.permutations(messages))

    answers = []
    for order in (messages, shuffled):
        with lake_of(tmp_path_factory.mktemp("lake"), order) as lake:
            answers.append(sa.attempts(lake, **DAY).drop("error_id", "failure_id"))
    assert answers[0].equals(answers[1])
