"""Gaps in usage: what nobody reports, what was never launched, and what is told twice."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import stackanalytics as sa
from stackanalytics.landing import land
from stackanalytics.sources.chunk import Chunk
from stackanalytics.sources.simulator import Cloud, simulate
from stackanalytics.testing import lake_of, notification

DAY = datetime(2026, 3, 2, tzinfo=UTC)
LAUNCHED_AT = DAY - timedelta(hours=5)
Message = dict[str, Any]


def launch(instance: str = "a", at: datetime = LAUNCHED_AT) -> Message:
    """Return a launch of an instance."""
    said: Message = {"instance": instance, "launched_at": at, "request_id": f"req-{instance}-{at}"}
    return notification("compute.instance.create.end", at, **said)


def exists(beginning: float, ending: float, message: str = "", instance: str = "a", **fields: object) -> Message:
    """Return a record of an instance, its period in hours of the day."""
    period = {
        "audit_period_beginning": DAY + timedelta(hours=beginning),
        "audit_period_ending": DAY + timedelta(hours=ending),
    }
    said = {"instance": instance, "launched_at": LAUNCHED_AT, **period, **fields}
    return notification(
        "compute.instance.exists", DAY + timedelta(hours=ending), message_id=f"{message or ending}", **said
    )


def delete(instance: str, at: datetime) -> Message:
    """Return the deletion of an instance."""
    said: Message = {"instance": instance, "launched_at": LAUNCHED_AT, "terminated_at": at, "request_id": "req-d"}
    return notification("compute.instance.delete.end", at, **said)


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([launch(), exists(0, 24)], []),
        ([launch()], [("launch_without_exists", 1, None, None)]),
        ([launch("a", DAY + timedelta(hours=3))], [("launch_without_exists", 1, None, None)]),
        ([launch("a", DAY + timedelta(hours=24))], []),
        ([launch(), delete("a", DAY - timedelta(hours=1))], []),
        ([launch(), delete("a", DAY + timedelta(hours=1))], [("launch_without_exists", 1, None, None)]),
        ([exists(0, 24)], [("exists_without_launch", None, 1, None)]),
        ([launch(), exists(0, 24, launched_at=LAUNCHED_AT + timedelta(seconds=0.5))], []),
        (
            [launch(), exists(0, 24), exists(0, 24, launched_at=LAUNCHED_AT + timedelta(seconds=1), message="m")],
            [("exists_without_launch", None, 3, None)],
        ),
        ([launch(), exists(0, 24, "m-2"), exists(0, 24, "m-1")], [("duplicate", None, 2, 3)]),
        ([launch(), exists(0, 12), exists(12, 24)], []),
        ([launch(), exists(0, 24), exists(0, 12)], [("overlap", None, 2, 3)]),
        ([launch(), exists(0, 12), exists(11.5, 24)], [("overlap", None, 3, 2)]),
        ([launch(), exists(0, 23), exists(1, 2), exists(22, 24)], [("overlap", None, 3, 2), ("overlap", None, 4, 2)]),
        ([launch(), exists(0, 24), exists(0, 24, "b", instance="b")], [("exists_without_launch", None, 3, None)]),
        ([launch(), exists(0, 24), exists(24, 48), exists(24, 48, "m")], []),
    ],
)
def test_gaps(messages: list[Message], expected: list[tuple[Any, ...]], tmp_path: Path) -> None:
    """What should be told and is not, and what is told of nothing or twice, counts within its period alone."""
    with lake_of(tmp_path, messages) as lake:
        found = sa.usage_gaps(lake, start=DAY, end=DAY + timedelta(days=1))

    assert found.select("gap", "launch_id", "exists_id", "other_exists_id").rows() == expected


def test_restrictions(tmp_path: Path) -> None:
    """One instance or deployment can be looked at alone."""
    messages = [{"deployment": f"cell-{name}", "body": launch(name)} for name in "ab"]

    with lake_of(tmp_path, messages) as lake:
        period = {"start": DAY, "end": DAY + timedelta(days=1)}
        of_instance = sa.usage_gaps(lake, instance="a", **period)
        of_deployment = sa.usage_gaps(lake, deployment="cell-b", **period)

    assert of_instance["instance"].to_list() == ["a"]
    assert of_deployment["instance"].to_list() == ["b"]


def test_records_that_were_never_sent_are_found(tmp_path: Path) -> None:
    """Where records are never sent, launches lack theirs; those of instances shelved on no host have none either."""
    truth: list[Message] = []
    cloud = Cloud(
        start=DAY, seed=7, hosts=3, starts_empty=True, instances=40, operations_per_hour=200, missing_exists=0.1
    )
    land([Chunk("cloud", 1, list(simulate(cloud, hours=5.2, truth=truth.append)))], tmp_path)
    start, end = DAY + timedelta(hours=3), DAY + timedelta(hours=4)
    beginning = start.replace(tzinfo=None).isoformat(" ")
    silent = {
        record["instance"]
        for record in truth
        if record["kind"] == "billing_fault" and record["audit_period_beginning"] == beginning
    }
    told = {
        record["instance"]
        for record in truth
        if record["kind"] == "exists" and record["audit_period_beginning"] == beginning
    }

    with sa.open_lake(tmp_path) as lake:
        found = sa.usage_gaps(lake, start=start, end=end).filter(gap="launch_without_exists")

    shelved = {record["instance"] for record in truth if record.get("operation") == "shelve"}
    assert silent - told
    assert set(found["instance"]) - shelved == silent - told - shelved
