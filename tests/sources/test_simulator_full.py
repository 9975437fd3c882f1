"""The simulator's full repertoire, and its noise."""

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from stackanalytics.sources.simulator import Cloud, simulate

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
Body = dict[str, Any]
Told = tuple[list[Body], list[dict[str, Any]]]


def run(format: str) -> Told:
    truth: list[dict[str, Any]] = []
    cloud = Cloud(
        start=START,
        form="bare",
        format=format,
        repertoire="full",
        cells=12,
        hosts=2,
        instances=150,
        operations_per_hour=500.0,
    )
    messages = [msgspec.json.decode(message) for message in simulate(cloud, hours=6.1, truth=truth.append)]
    return messages, truth


@pytest.fixture(scope="module")
def legacy() -> Told:
    """Six hours in the old form."""
    return run("legacy")


def sequences(told: Told, operation: str) -> list[list[str]]:
    """Return the event types of each of an operation's requests, but for updates, in order."""
    bodies, truth = told
    wanted: dict[str, list[str]] = {
        record["request_id"]: []
        for record in truth
        if record["kind"] == "operation" and record["operation"] == operation and record["outcome"] != "running"
    }
    for body in bodies:
        events = wanted.get(body.get("_context_request_id", ""))
        if events is not None and not body["event_type"].endswith(".update"):
            events.append(body["event_type"])
    return list(wanted.values())


def test_evacuated_instances_are_built_anew(legacy: Told) -> None:
    """The API announces an evacuation; another host tells the usage so far and rebuilds."""
    told = sequences(legacy, "evacuate")

    assert [
        "compute.instance.evacuate",
        "scheduler.select_destinations.start",
        "scheduler.select_destinations.end",
        "compute.instance.exists",
        "compute.instance.rebuild.start",
        "compute.instance.rebuild.end",
    ] in told
    assert all(events[0] == "compute.instance.evacuate" for events in told)


def test_aborted_migrations_are_rolled_back(legacy: Told) -> None:
    """An abort is a request of its own, after which the migration is rolled back."""
    bodies, _ = legacy
    aborts = sequences(legacy, "live_migration_abort")
    aborted = {
        body["payload"]["instance_id"]
        for body in bodies
        if body["event_type"] == "compute.instance.live.migration.abort.end"
    }
    rolled_back = {
        body["payload"]["instance_id"]
        for body in bodies
        if body["event_type"] == "compute.instance.live_migration._rollback.end"
    }

    assert aborts
    assert {tuple(events) for events in aborts} == {
        ("compute.instance.live.migration.abort.start", "compute.instance.live.migration.abort.end")
    }
    assert aborted <= rolled_back


def test_volumes_are_copied(legacy: Told) -> None:
    """Snapshots and backups have starts and ends in cinder, by publishers of their own."""
    bodies, _ = legacy
    publishers = {
        (body["event_type"], body["publisher_id"].partition(".")[0])
        for body in bodies
        if body["event_type"].startswith(("snapshot.", "backup."))
    }

    assert publishers == {
        (f"{kind}.{step}.{phase}", kind)
        for kind in ("snapshot", "backup")
        for step in ("create", "delete")
        for phase in ("start", "end")
    }
    assert ["snapshot.create.start", "snapshot.create.end"] in sequences(legacy, "volume_snapshot_create")
    assert ["backup.delete.start", "backup.delete.end"] in sequences(legacy, "volume_backup_delete")


def test_use_of_volumes_only_grows(legacy: Told) -> None:
    """The counters of a volume never fall, and requests times their size are bytes."""
    bodies, _ = legacy
    seen: dict[str, int] = {}
    polls = Counter[str]()

    for payload in (body["payload"] for body in bodies if body["event_type"] == "volume.usage"):
        assert payload["read_bytes"] > seen.get(payload["volume_id"], 0)
        assert payload["reads"] * 4096 == payload["read_bytes"]
        seen[payload["volume_id"]] = payload["read_bytes"]
        polls[payload["volume_id"]] += 1
    assert max(polls.values()) > 3


def test_long_audits_have_pages(legacy: Told) -> None:
    """An owner of many images has them in pages of five at most, each image once a period."""
    bodies, truth = legacy
    images: Counter[tuple[str, str]] = Counter()
    longest = 0

    for payload in (body["payload"] for body in bodies if body["event_type"] == "image.exists"):
        assert len(payload["images"]) <= 5
        assert payload["page_number"] <= payload["total_pages"]
        longest = max(longest, payload["page_number"])
        images.update((image["id"], payload["audit_period_ending"]) for image in payload["images"])
    assert longest > 1
    assert images == Counter(
        (record["image"], record["audit_period_ending"]) for record in truth if record["kind"] == "image_exists"
    )


def test_timings_are_in_the_notifications(legacy: Told) -> None:
    """Starts and ends of the truth are those of the notifications of nova and cinder."""
    bodies, truth = legacy
    announced = Counter(
        (*body["event_type"].rpartition(".")[::2], body["timestamp"])
        for body in bodies
        if body["event_type"].endswith((".start", ".end"))
        and body["event_type"].startswith(("compute", "volume", "s", "b"))
    )
    told = Counter(
        (timing["name"], phase, timing[key])
        for operation in truth
        if operation["kind"] == "operation"
        for timing in operation["timings"]
        for phase, key in (("start", "started_at"), ("end", "ended_at"))
        if timing["exchange"] in ("nova", "cinder") and timing[key] is not None
    )

    assert told - announced == Counter()
    assert {name for name, _, _ in announced - told} <= {"security_group_rule.create"}


def test_versioned_form_has_them_too() -> None:
    """Nova's new format tells the same under its own names."""
    bodies, _ = run("versioned")
    types = {body["event_type"] for body in bodies}
    usage = next(body["payload"] for body in bodies if body["event_type"] == "volume.usage")

    assert {"instance.evacuate", "instance.live_migration_abort.start", "instance.live_migration_abort.end"} <= types
    assert usage["nova_object.name"] == "VolumeUsagePayload"


def test_noise_is_no_json_and_changes_nothing_else() -> None:
    """As much noise as the truth says, none of it JSON, between messages that are what they were."""
    truth: list[dict[str, Any]] = []
    quiet = list(simulate(Cloud(start=START), hours=0.5))
    noisy = list(simulate(Cloud(start=START, noise=0.1), hours=0.5, truth=truth.append))
    messages, noise = [], []
    for message in noisy:
        try:
            json.loads(message)
            messages.append(message)
        except ValueError:
            noise.append(message)

    assert messages == quiet
    assert len(noise) == sum(record.get("fault") == "noise" for record in truth)
    assert 0.05 < len(noise) / len(messages) < 0.15
    assert not any(b"\n" in message for message in noise)
