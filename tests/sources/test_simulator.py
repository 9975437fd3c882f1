"""The simulator: what it emits has the shape of the wire, and agrees with the truth that it tells."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackanalytics.errors import InputError
from stackanalytics.sources.simulator import Cloud, simulate
from stackanalytics.sources.simulator.cloud import CHOICES
from stackanalytics.times import parse

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)

Message = dict[str, Any]


class Run(NamedTuple):
    """What a simulation gave."""

    messages: list[Message]
    truth: list[dict[str, Any]]

    @property
    def bodies(self) -> list[Message]:
        return [message["body"] for message in self.messages]

    def records(self, kind: str) -> list[dict[str, Any]]:
        return [record for record in self.truth if record["kind"] == kind]


def cloud(**changes: Any) -> Cloud:
    return Cloud(**{"start": START, "instances": 100} | changes)


def run(*, hours: float | None = None, count: int | None = None, **changes: Any) -> Run:
    truth: list[dict[str, Any]] = []
    messages = simulate(cloud(**changes), hours=hours, count=count, truth=truth.append)
    return Run([msgspec.json.decode(message) for message in messages], truth)


@pytest.fixture(scope="module")
def legacy() -> Run:
    """Three hours of a cloud that speaks the old form."""
    return run(hours=3.1)


@pytest.fixture(scope="module")
def versioned() -> Run:
    """An hour of a cloud that speaks the new form."""
    return run(hours=1.2, format="versioned")


@pytest.fixture(scope="module")
def both() -> Run:
    """An hour of a cloud that speaks both forms."""
    return run(hours=1.2, format="both")


@pytest.fixture(scope="module")
def faulty() -> Run:
    """The same three hours over a bad network."""
    return run(hours=3.1, loss=0.02, duplicates=0.04, reorder=0.05)


@pytest.fixture(scope="module")
def long_truth() -> list[dict[str, Any]]:
    """Ten hours, of which only the truth is kept."""
    truth: list[dict[str, Any]] = []
    for _ in simulate(cloud(exists="none"), hours=10, truth=truth.append):
        pass
    return truth


def is_nova(body: Message) -> bool:
    return body["event_type"].startswith(("compute.instance.", "instance.", "scheduler."))


# determinism


@given(
    seed=st.integers(0, 2**64),
    form=st.sampled_from(sorted(CHOICES["form"])),
    style=st.sampled_from(sorted(CHOICES["format"])),
    exists=st.sampled_from(sorted(CHOICES["exists"])),
    rates=st.tuples(*[st.sampled_from((0.0, 0.1, 0.9))] * 3),
    count=st.integers(0, 120),
)
@settings(max_examples=25, deadline=None)
def test_same_settings_same_bytes(
    seed: int, form: str, style: str, exists: str, rates: tuple[float, ...], count: int
) -> None:
    """Whatever the settings are, they decide every byte, and as many messages come as were asked for."""
    duplicates, reorder, loss = rates
    wanted = cloud(
        seed=seed,
        form=form,
        format=style,
        exists=exists,
        duplicates=duplicates,
        reorder=reorder,
        loss=loss,
        instances=20,
    )

    first, second = (list(simulate(wanted, count=count)) for _ in range(2))

    assert first == second
    assert len(first) == count
    assert all(json.loads(message) for message in first)


def test_same_bytes_in_another_process() -> None:
    """Neither the hash seed nor the time zone of the process has a say."""
    script = (
        "import hashlib, datetime; from stackanalytics.sources.simulator import Cloud, simulate\n"
        "start = datetime.datetime(2026, 3, 2, 6, tzinfo=datetime.UTC)\n"
        "print(hashlib.md5(b''.join(simulate(Cloud(start=start), count=2000))).hexdigest())"
    )

    hashes = {
        subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONHASHSEED": seed, "TZ": zone},
            capture_output=True,
            check=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Kathmandu"))
    }

    assert len(hashes) == 1


def test_another_seed_is_another_world() -> None:
    """Two seeds give different messages."""
    first, second = (list(simulate(cloud(seed=seed), count=50)) for seed in (1, 2))

    assert not set(first) & set(second)


def test_format_and_faults_do_not_change_what_happens(legacy: Run, versioned: Run, faulty: Run) -> None:
    """The same operations happen whichever format tells them and however badly it is delivered."""

    def happened(of: Run) -> list[tuple[Any, ...]]:
        return [
            (record["operation"], record["instance"], record["outcome"], record["started_at"][:18])
            for record in of.records("operation")
            if record["ended_at"] is not None and parse(record["ended_at"]) < START + HOUR
        ]

    assert happened(legacy) == happened(faulty)
    assert [row[:3] for row in happened(legacy)] == [row[:3] for row in happened(versioned)]


# forms


def test_routed_messages_say_where_they_come_from(legacy: Run) -> None:
    """A routed message has deployment, exchange and routing key; cells have their own deployments."""
    places = Counter((message["deployment"], message["exchange"]) for message in legacy.messages)

    for message in legacy.messages:
        assert set(message) == {"deployment", "exchange", "routing_key", "body"}
    assert set(places) == {
        ("region1-c0001", "nova"),
        ("region1-c0002", "nova"),
        *(("region1-global", service) for service in ("nova", "glance", "cinder", "neutron", "keystone")),
    }


def test_bare_messages_are_bodies() -> None:
    """A bare message has the keys of a notification."""
    keys = {"message_id", "publisher_id", "event_type", "priority", "payload", "timestamp", "_unique_id"}

    assert all(keys <= set(message) for message in run(count=300, form="bare").messages)


def test_envelopes_hold_the_body_as_text() -> None:
    """An envelope of version 2.0 holds the same bodies that go bare."""
    envelopes = run(count=300, form="envelope").messages
    bare = run(count=300, form="bare").messages

    assert all(message["oslo.version"] == "2.0" and len(message) == 2 for message in envelopes)
    assert [json.loads(message["oslo.message"]) for message in envelopes] == bare


def test_stacktach_messages_are_pairs() -> None:
    """StackTach's form is the routing key, then the body."""
    messages = [json.loads(message) for message in simulate(cloud(form="stacktach"), count=300)]

    assert [body for _, body in messages] == run(count=300, form="bare").messages
    assert {key for key, _ in messages} <= {"notifications.info", "notifications.error"}


def test_mixed_has_all_forms() -> None:
    """In a mixture each form has its share."""

    def form(message: Any) -> str:
        if isinstance(message, list):
            return "stacktach"
        return next((key for key in ("oslo.version", "deployment") if key in message), "bare")

    counts = Counter(form(json.loads(message)) for message in simulate(cloud(form="mixed"), count=2000))

    assert len(counts) == 4
    assert all(400 < count < 600 for count in counts.values())


# time


def test_hours_and_count_both_end_it() -> None:
    """It ends at whichever bound comes first."""
    one_hour = run(hours=1)

    assert len(run(hours=1, count=100).messages) == 100
    assert len(run(hours=1, count=10**9).messages) == len(one_hour.messages)
    assert max(body["timestamp"] for body in one_hour.bodies) < "2026-03-02 07:00:10"


def test_messages_come_in_order_where_clocks_agree() -> None:
    """Without skew, timestamps never fall, from the first one after the start."""
    stamps = [parse(body["timestamp"]) for body in run(hours=1, clock_skew=False).bodies]

    assert all(earlier <= later for earlier, later in pairwise(stamps))
    assert stamps[0] >= START


def test_clocks_disagree(legacy: Run) -> None:
    """With skew, order of arrival and of timestamps differ, mostly by little."""
    stamps = [parse(body["timestamp"]) for body in legacy.bodies]
    steps = [(later - earlier).total_seconds() for earlier, later in pairwise(stamps)]

    assert 0 < sum(step < 0 for step in steps) < len(steps) / 4
    assert median(abs(step) for step in steps if step < 0) < 3


def test_three_time_formats_in_one_body(legacy: Run) -> None:
    """A legacy usage record writes times with a zone, with a T, and with a blank."""
    record = next(
        body["payload"]
        for message in legacy.messages
        if message["deployment"] == "region1-c0001"
        and (body := message["body"])["event_type"] == "compute.instance.exists"
    )

    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00:00", record["created_at"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000000", record["launched_at"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{6})?", record["audit_period_beginning"])
    assert record["deleted_at"] == ""


# bodies


def test_legacy_bodies_have_the_size_of_real_ones(legacy: Run) -> None:
    """The median body of nova is between 2.0 and 2.9 KB."""
    sizes = [
        len(json.dumps(body, separators=(",", ":")))
        for body in legacy.bodies
        if body["event_type"].startswith("compute.instance.")
    ]

    assert 2000 < median(sizes) < 2900


def test_message_ids_are_unique(legacy: Run) -> None:
    """No two notifications share an id or a unique id."""
    assert len({body["message_id"] for body in legacy.bodies}) == len(legacy.bodies)
    assert len({body["_unique_id"] for body in legacy.bodies}) == len(legacy.bodies)


def test_some_bodies_carry_tokens(legacy: Run) -> None:
    """Old releases publish the caller's token, new ones none, and glance no context at all."""
    tokens = Counter(str(body.get("_context_auth_token", "absent"))[:5] for body in legacy.bodies)
    glance = [body for body in legacy.bodies if body["publisher_id"] == "image.localhost"]

    assert min(tokens["gAAAA"], tokens["None"], tokens["absen"]) > 100
    assert not any(key.startswith("_context") for body in glance for key in body)


def test_updates_are_a_third(legacy: Run) -> None:
    """The mix of event types is that of a cloud that notifies on state and task changes."""
    types = Counter(body["event_type"] for body in legacy.bodies)
    networking = sum(count for name, count in types.items() if name.startswith(("port.", "security_group")))

    assert 0.3 < types["compute.instance.update"] / len(legacy.bodies) < 0.45
    assert 0.1 < networking / len(legacy.bodies) < 0.25


def test_priority_is_the_end_of_the_routing_key(legacy: Run, versioned: Run) -> None:
    """Errors, and nothing else, go to the error topic."""
    for message in (*legacy.messages, *versioned.messages):
        assert message["routing_key"].rpartition(".")[2].upper() == message["body"]["priority"]


def test_versioned_topics(both: Run) -> None:
    """Versioned notifications have a topic of their own, and their publishers have long names."""
    for message in both.messages:
        is_versioned = message["routing_key"].startswith("versioned_notifications.")
        assert is_versioned == message["body"]["publisher_id"].startswith("nova-")
        assert is_versioned == ("nova_object.data" in message["body"]["payload"])


def test_both_formats_pair_up(both: Run) -> None:
    """Every event of an instance is told twice, under two ids, milliseconds apart."""
    legacy, versioned = (
        [
            body
            for body in both.bodies
            if body["publisher_id"].startswith("nova-") == is_versioned
            and body["event_type"].endswith((".update", ".start", ".end"))
            and "volume" not in body["event_type"]
            and is_nova(body)
        ]
        for is_versioned in (False, True)
    )
    names = {
        "resize.prep": "resize_prep",
        "finish_resize": "resize_finish",
        "resize.confirm": "resize_confirm",
        "resize.revert": "resize_revert",
    }

    assert len(legacy) == len(versioned) > 500
    for old, new in zip(legacy, versioned, strict=True):
        name = old["event_type"].removeprefix("compute.")
        for spelling, replacement in names.items():
            name = name.replace(f".{spelling}.", f".{replacement}.")
        if "live_migration" not in name:
            assert new["event_type"] == name
        assert old["message_id"] != new["message_id"]
        assert old["_context_request_id"] == new["_context_request_id"]
        gap = parse(new["timestamp"]) - parse(old["timestamp"])
        assert timedelta() < gap < timedelta(milliseconds=5)


# faults


def test_faults_have_their_rates(legacy: Run, faulty: Run) -> None:
    """Shares of lost, late and repeated messages are those that were asked for."""
    faults = Counter(record["fault"] for record in faulty.records("fault"))
    sent = len(legacy.messages)

    assert 0.013 < faults["lost"] / sent < 0.027
    assert 0.04 < faults["reordered"] / sent < 0.06
    assert 0.03 < (faults["redelivered"] + faults["republished"]) / sent < 0.05
    assert len(faulty.messages) == sent - faults["lost"] + faults["redelivered"] + faults["republished"]


def test_lost_messages_are_gone(legacy: Run, faulty: Run) -> None:
    """What the truth calls lost is not delivered, and nothing else is missing."""
    lost = {record["message_id"] for record in faulty.records("fault") if record["fault"] == "lost"}
    delivered = {body["message_id"] for body in faulty.bodies}

    assert not lost & delivered
    assert lost | delivered == {body["message_id"] for body in legacy.bodies}


def test_duplicates_share_the_message_id(faulty: Run) -> None:
    """A redelivery is equal, a republication differs in its unique id alone."""
    twice: dict[str, list[Message]] = {}
    for body in faulty.bodies:
        twice.setdefault(body["message_id"], []).append(body)
    repeated = {
        record["message_id"]: record["fault"]
        for record in faulty.records("fault")
        if record["fault"].startswith("re") and record["fault"] != "reordered"
    }

    assert {key for key, bodies in twice.items() if len(bodies) == 2} == set(repeated)
    for key, fault in repeated.items():
        first, second = twice[key]
        assert (first == second) == (fault == "redelivered")
        assert first | {"_unique_id": None} == second | {"_unique_id": None}


# the truth


def phases(of: Run) -> Counter[tuple[str, str, str, str]]:
    """Count the starts and ends among nova's notifications: request, name, phase, time."""
    return Counter(
        (body["_context_request_id"], *body["event_type"].rpartition(".")[::2], body["timestamp"])
        for body in of.bodies
        if body["event_type"].endswith((".start", ".end")) and is_nova(body)
    )


def told(of: Run) -> Counter[tuple[str, str, str, str]]:
    """Count the same in the truth."""
    return Counter(
        (operation["request_id"], timing["name"], phase, timing[key])
        for operation in of.records("operation")
        for timing in operation["timings"]
        for phase, key in (("start", "started_at"), ("end", "ended_at"))
        if timing["exchange"] == "nova" and timing[key] is not None
    )


def test_timings_are_in_the_notifications(legacy: Run) -> None:
    """Starts and ends of the truth are those of the notifications, one by one."""
    assert phases(legacy) == told(legacy)


def test_timings_are_in_the_notifications_when_count_ends_it() -> None:
    """Truth and notifications agree wherever they are cut."""
    for count in range(401, 420):
        cut = run(count=count, instances=20)
        assert phases(cut) == told(cut)


def test_operations_succeed_fail_and_hang(long_truth: list[dict[str, Any]]) -> None:
    """Most operations succeed; some fail, run into time-outs, are overtaken, or never end."""
    operations = [record for record in long_truth if record["kind"] == "operation"]
    outcomes = Counter(operation["outcome"] for operation in operations)

    assert set(outcomes) == {"success", "error", "timeout", "deleted", "unfinished", "running"}
    assert 0.93 < outcomes["success"] / len(operations) < 0.98
    assert 0.005 < outcomes["error"] / len(operations) < 0.025
    assert 0.005 < outcomes["unfinished"] / len(operations) < 0.025


def test_successful_operations_close_their_timings(legacy: Run) -> None:
    """An operation that succeeds has an end to every start, unless it was tried on several hosts."""
    for operation in legacy.records("operation"):
        if operation["outcome"] == "success" and operation["operation"] != "create":
            assert all(timing["ended_at"] is not None for timing in operation["timings"])
        if operation["outcome"] in ("unfinished", "running"):
            assert operation["ended_at"] is None


def test_failures_are_wrapped_exceptions(legacy: Run) -> None:
    """A function that failed sends its bare name, the exception and its arguments."""
    failed = [body for body in legacy.bodies if "." not in body["event_type"]]
    operations = {operation["request_id"]: operation for operation in legacy.records("operation")}

    assert failed
    for body in failed:
        operation = operations[body["_context_request_id"]]
        kwargs = body["payload"]["exception"]["kwargs"]
        assert set(body["payload"]) == {"exception", "args"}
        assert body["priority"] == "ERROR"
        assert operation["outcome"] == "error"
        assert (kwargs["uuid"], kwargs["code"] or None) == (operation["instance"], operation["code"])


def test_launches_are_in_the_notifications(legacy: Run) -> None:
    """Every launch stands in the notification that announces it, with flavor and tenant."""
    ends = {
        "create": "create.end",
        "rebuild": "rebuild.end",
        "rescue": "rescue.end",
        "resize": "finish_resize.end",
        "resize_revert": "resize.revert.end",
        "unshelve": "unshelve.end",
    }
    announced = Counter(
        (
            body["_context_request_id"],
            body["event_type"],
            payload["instance_id"],
            parse(payload["launched_at"]),
            payload["instance_flavor_id"],
            payload["tenant_id"],
        )
        for body in legacy.bodies
        if body["event_type"].removeprefix("compute.instance.") in ends.values()
        and (payload := body["payload"]).get("message", "Success") == "Success"
    )

    assert announced == Counter(
        (
            launch["request_id"],
            f"compute.instance.{ends[launch['operation']]}",
            launch["instance"],
            parse(launch["launched_at"]),
            launch["instance_flavor_id"],
            launch["tenant"],
        )
        for launch in legacy.records("launch")
        if not launch["before_start"]
    )


def test_deletes_are_in_the_notifications(legacy: Run) -> None:
    """Every delete of a launched instance stands in its last notification."""
    announced = {
        (payload["instance_id"], parse(payload["launched_at"]), parse(payload["terminated_at"]))
        for body in legacy.bodies
        if body["event_type"] == "compute.instance.delete.end" and (payload := body["payload"])["launched_at"]
    }
    deletes = legacy.records("delete")

    assert announced == {
        (delete["instance"], parse(delete["launched_at"]), parse(delete["terminated_at"])) for delete in deletes
    }
    assert len(deletes) > 50


def test_every_launch_of_a_deleted_instance_is_known(legacy: Run) -> None:
    """What is deleted was launched before, in the same second, perhaps before the start."""
    launches = {(launch["instance"], launch["launched_at"][:19]) for launch in legacy.records("launch")}

    assert all((delete["instance"], delete["launched_at"]) in launches for delete in legacy.records("delete"))


def test_exists_are_in_the_notifications(legacy: Run) -> None:
    """Usage records of the truth and of the notifications are the same."""
    announced = Counter(
        (
            payload["instance_id"],
            parse(payload["launched_at"]),
            parse(payload["deleted_at"]),
            parse(payload["audit_period_beginning"]),
            parse(payload["audit_period_ending"]),
        )
        for body in legacy.bodies
        if body["event_type"] == "compute.instance.exists"
        for payload in [body["payload"]]
    )

    assert announced == Counter(
        (
            exists["instance"],
            parse(exists["launched_at"]),
            parse(exists["deleted_at"] or ""),
            parse(exists["audit_period_beginning"]),
            parse(exists["audit_period_ending"]),
        )
        for exists in legacy.records("exists")
    )


def test_every_live_instance_is_audited_once_a_period(legacy: Run) -> None:
    """An instance that was left alone around the end of an hour has one usage record of that hour."""
    beginning, ending = "2026-03-02 08:00:00", "2026-03-02 09:00:00"
    calm_from, calm_until = "2026-03-02 08:58:00", "2026-03-02 09:03:00"
    audited = Counter(
        exists["instance"]
        for exists in legacy.records("exists")
        if exists["is_periodic"] and exists["audit_period_beginning"] == beginning
    )
    touched = {
        operation["instance"]
        for operation in legacy.records("operation")
        if operation["started_at"] is not None
        and operation["started_at"] < calm_until
        and (operation["ended_at"] or calm_until) > calm_from
    }
    launched = {launch["instance"] for launch in legacy.records("launch") if launch["launched_at"] < calm_from}
    deleted = {delete["instance"] for delete in legacy.records("delete") if delete["deleted_at"] < beginning}
    shelved = {operation["instance"] for operation in legacy.records("operation") if operation["operation"] == "shelve"}

    calm = launched - deleted - touched - shelved
    assert len(calm) > 20
    assert max(audited.values()) == 1
    assert {instance: audited[instance] for instance in calm} == dict.fromkeys(calm, 1)
    assert all(
        ending <= exists["audit_period_ending"]
        for exists in legacy.records("exists")
        if exists["is_periodic"] and exists["audit_period_beginning"] == beginning
    )


def test_audits_come_in_a_burst(legacy: Run) -> None:
    """Periodic usage records follow within minutes after the hour, in the name of nobody."""
    periodic = [
        body
        for body in legacy.bodies
        if body["event_type"] == "compute.instance.exists" and body["_context_project_id"] is None
    ]

    assert len(periodic) > 200
    assert all(parse(body["timestamp"]).minute < 3 for body in periodic)


def test_some_usage_records_are_immediate(legacy: Run) -> None:
    """Before an instance is rebuilt or resized, its usage in the running hour is told."""
    immediate = [exists for exists in legacy.records("exists") if not exists["is_periodic"]]
    causes = {operation["request_id"]: operation["operation"] for operation in legacy.records("operation")}

    assert {causes[exists["request_id"]] for exists in immediate} >= {"rebuild", "resize"}
    assert all(exists["audit_period_beginning"].endswith(":00:00") for exists in immediate)


def test_days_are_audited_at_midnight() -> None:
    """With daily audit the records cover the whole day, and come once."""
    daily = run(hours=19, exists="day", operations_per_hour=20)
    periodic = [exists for exists in daily.records("exists") if exists["is_periodic"]]

    assert len(periodic) > 80
    assert {(exists["audit_period_beginning"], exists["audit_period_ending"]) for exists in periodic} == {
        ("2026-03-02 00:00:00", "2026-03-03 00:00:00")
    }


def test_no_audit_no_usage_records() -> None:
    """Without audit nothing is told to exist."""
    types = {body["event_type"] for body in run(hours=1.1, exists="none").bodies}

    assert not any("exists" in name for name in types)


def test_images_are_audited_by_owner(legacy: Run) -> None:
    """Glance lists the images of an owner in one message a period, as the truth has them."""
    announced = Counter(
        (image["id"], body["payload"]["owner"], body["payload"]["audit_period_beginning"], image["size"])
        for body in legacy.bodies
        if body["event_type"] == "image.exists"
        for image in body["payload"]["images"]
    )

    assert announced == Counter(
        (exists["image"], exists["owner"], exists["audit_period_beginning"], exists["size"])
        for exists in legacy.records("image_exists")
    )
    assert max(announced.values()) == 1


def test_snapshots_reach_glance(legacy: Run) -> None:
    """A snapshot that succeeds is created, prepared, uploaded, activated and updated in glance."""
    seen: dict[str, list[str]] = {}
    for body in legacy.bodies:
        if body["publisher_id"] == "image.localhost" and body["event_type"] != "image.exists":
            seen.setdefault(body["payload"]["id"], []).append(body["event_type"])
    steps = ["image.create", "image.prepare", "image.upload", "image.activate", "image.update"]

    for operation in legacy.records("operation"):
        if operation["operation"] == "snapshot" and operation["outcome"] == "success":
            assert seen[operation["image"]][:5] == steps


def test_requests_begin_at_the_api(legacy: Run) -> None:
    """The first notification of a create is an update by the API under the request's id."""
    by_api = {
        (body["_context_request_id"], body["payload"]["instance_id"])
        for body in legacy.bodies
        if body["event_type"] == "compute.instance.update" and body["publisher_id"].startswith("api.")
    }
    creates = [
        operation
        for operation in legacy.records("operation")
        if operation["operation"] == "create" and operation["started_at"] is not None
    ]

    assert creates
    assert all((operation["request_id"], operation["instance"]) in by_api for operation in creates)


def test_population_stays(long_truth: list[dict[str, Any]]) -> None:
    """Over the hours the number of instances stays around the standing population."""
    of = {
        kind: {record["instance"] for record in long_truth if record["kind"] == kind} for kind in ("launch", "delete")
    }

    assert 60 < len(of["launch"] - of["delete"]) < 170


def test_standing_population_was_launched_before() -> None:
    """Instances that exist at the start are launches of the truth without a notification."""
    standing = [launch for launch in run(count=0).records("launch") if launch["before_start"]]

    assert len(standing) == 100
    assert all(parse(launch["launched_at"]) < START and launch["request_id"] is None for launch in standing)


def test_regions_and_cells_are_deployments() -> None:
    """Every cell of every region sends in its own name."""
    deployments = {message["deployment"] for message in run(count=3000, regions=2, cells=3).messages}

    assert deployments == {
        f"region{region}-{part}" for region in (1, 2) for part in ("c0001", "c0002", "c0003", "global")
    }


def test_a_cloud_at_rest_sends_nothing() -> None:
    """Without operations and audits an hour passes in silence."""
    assert run(hours=1, operations_per_hour=0, exists="none", instances=0).messages == []


# input


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("start", datetime(2026, 3, 2)),
        ("start", "2026-03-02"),
        ("seed", "seven"),
        ("regions", 0),
        ("cells", 1.5),
        ("hosts", -1),
        ("tenants", 0),
        ("images", True),
        ("instances", -1),
        ("instances", 2.5),
        ("operations_per_hour", -1.0),
        ("operations_per_hour", float("nan")),
        ("exists", "week"),
        ("format", "xml"),
        ("form", "kafka"),
        ("duplicates", 1.0),
        ("reorder", -0.1),
        ("loss", "much"),
    ],
)
def test_bad_settings_are_refused(setting: str, value: object) -> None:
    """A setting that cannot be used is named, with what was given and what would work."""
    with pytest.raises(InputError, match=rf"^{setting} is .+; it must be") as refusal:
        cloud(**{setting: value})

    assert repr(value) in str(refusal.value)


@pytest.mark.parametrize("bound", [{"hours": -1.0}, {"count": -1}, {"hours": float("nan")}])
def test_bad_bounds_are_refused(bound: dict[str, Any]) -> None:
    """A bound below zero is refused at once, not at the first message."""
    with pytest.raises(InputError, match="must be at least 0"):
        simulate(cloud(), **bound)
