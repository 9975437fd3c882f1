"""Billing in the simulator: its records agree with each other, but for the faults that were asked for."""

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec
import pytest

from stackanalytics.sources.simulator import BILLING_FAULTS, Cloud, simulate
from stackanalytics.times import parse

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
HOURS = 7.2
SETTINGS = {
    "start": START,
    "form": "bare",
    "instances": 150,
    "operations_per_hour": 700.0,
    "starts_empty": True,
    "clock_skew": False,
}
RATE = 0.04

LAUNCH_ENDS = ("create.end", "rebuild.end", "rescue.end", "finish_resize.end", "resize.revert.end")
LAUNCH_STARTS = ("rebuild.start", "rescue.start", "resize.prep.start", "resize.revert.start")
METADATA = {
    "rax_options": "com.rackspace__1__options",
    "os_architecture": "org.openstack__1__architecture",
    "os_version": "org.openstack__1__os_version",
    "os_distro": "org.openstack__1__os_distro",
}
Body = dict[str, Any]


class Run(NamedTuple):
    """What a simulation gave."""

    bodies: list[Body]
    truth: list[dict[str, Any]]
    nova: list[dict[str, Any]]

    def records(self, kind: str) -> list[dict[str, Any]]:
        return [record for record in self.truth if record["kind"] == kind]

    def named(self, name: str) -> list[Body]:
        return [body for body in self.bodies if body["event_type"] == f"compute.instance.{name}"]


def run(**changes: Any) -> Run:
    truth: list[dict[str, Any]] = []
    nova: list[dict[str, Any]] = []
    cloud = Cloud(**SETTINGS | changes)
    messages = simulate(cloud, hours=HOURS, truth=truth.append, nova=nova.append)
    return Run([msgspec.json.decode(message) for message in messages], truth, nova)


@pytest.fixture(scope="module")
def clean() -> Run:
    """Seven hours without a fault."""
    return run()


@pytest.fixture(scope="module")
def faulty() -> Run:
    """The same hours with faults of all kinds."""
    return run(**dict.fromkeys(BILLING_FAULTS, RATE))


def second(text: str) -> datetime | None:
    moment = parse(text)
    return None if moment is None else moment.replace(microsecond=0)


def facts(payload: Body) -> tuple[Any, ...]:
    """Return what must agree between a launch and a usage record, in the order in which it is compared."""
    meta = payload["image_meta"]
    return (payload["instance_flavor_id"], payload["tenant_id"], *(meta.get(key) for key in METADATA.values()))


def launches_of(bodies: list[Body]) -> dict[tuple[str, datetime | None], tuple[Any, ...]]:
    """Return the facts of the launches by instance and second of launch, the first that was told."""
    by_request: dict[tuple[str, str], list[tuple[str, Body]]] = defaultdict(list)
    for body in bodies:
        name = body["event_type"].removeprefix("compute.instance.")
        if name in LAUNCH_STARTS or (name in LAUNCH_ENDS and body["payload"].get("message", "Success") == "Success"):
            by_request[body["payload"]["instance_id"], body["_context_request_id"]].append((name, body["payload"]))
    launches: dict[tuple[str, datetime | None], tuple[Any, ...]] = {}
    for (instance, _), events in by_request.items():
        launched_at = max(second(payload["launched_at"]) or START for _, payload in events)
        launches.setdefault((instance, launched_at), facts(events[-1][1]))
    return launches


def verdict(payload: Body, launches: dict[Any, tuple[Any, ...]], deletes: dict[Any, datetime]) -> str:
    """Verify one usage record by the rules of StackTach, at validation level ``all``."""
    told = facts(payload)
    optional = {"os_version", "os_distro"} if payload["image_meta"]["image_type"] == "import" else set()
    for name, value in zip(METADATA, told[2:], strict=True):
        if not value and name not in optional:
            return f"null {name}"
    key = (payload["instance_id"], second(payload["launched_at"]))
    if key not in launches:
        return "no launch"
    for name, said, known in zip(("flavor", "tenant", *METADATA), told, launches[key], strict=True):
        if said != known:
            return f"other {name}"
    deleted_at = second(payload["deleted_at"])
    known_delete = deletes.get(key)
    if deleted_at is None:
        is_dead = known_delete is not None and known_delete <= parse(payload["audit_period_ending"])
        return "not deleted" if is_dead else "verified"
    return "verified" if known_delete == deleted_at else "no delete"


def verdicts(of: Run) -> dict[str, str]:
    """Verify all usage records: the verdict by message id."""
    launches = launches_of(of.bodies)
    deletes = {
        (body["payload"]["instance_id"], second(body["payload"]["launched_at"])): parse(
            body["payload"]["terminated_at"]
        ).replace(microsecond=0)
        for body in of.named("delete.end")
        if body["payload"]["launched_at"]
    }
    return {body["message_id"]: verdict(body["payload"], launches, deletes) for body in of.named("exists")}


EXPECTED = {
    None: "verified",
    "wrong_flavor": "other flavor",
    "wrong_tenant": "other tenant",
    "wrong_launched_at": "no launch",
    "missing_launch": "no launch",
    "missing_delete": "no delete",
    "false_alive": "not deleted",
}


def test_clean_records_verify(clean: Run) -> None:
    """Without faults every usage record that is not in doubt agrees with a launch, and with a delete if it has one."""
    found = verdicts(clean)
    exists = clean.records("exists")

    assert {record["message_id"] for record in exists} == set(found)
    assert sum(record["deleted_at"] is not None for record in exists) > 100
    assert {found[record["message_id"]] for record in exists if record["doubt"] is None} == {"verified"}
    assert sum(record["doubt"] is not None for record in exists) < len(exists) / 50


def test_clean_records_verify_in_the_full_repertoire() -> None:
    """Evacuations are launches, too: what they leave behind verifies."""
    full = run(repertoire="full", cells=12, hosts=2)
    found = verdicts(full)
    evacuated = {launch["instance"] for launch in full.records("launch") if launch["operation"] == "evacuate"}

    assert evacuated & {exists["instance"] for exists in full.records("exists")}
    assert {found[record["message_id"]] for record in full.records("exists") if record["doubt"] is None} == {"verified"}


def test_faults_are_found_and_nothing_else(faulty: Run) -> None:
    """Every kind of fault has the verdict that belongs to it, and what has none is verified."""
    found = verdicts(faulty)
    lost = {
        fault["message_id"]: fault["field"]
        for fault in faulty.records("billing_fault")
        if fault["fault"] == "null_metadata"
    }
    seen: Counter[str | None] = Counter()

    for record in faulty.records("exists"):
        if record["doubt"] is None:
            fault = record["fault"]
            seen[fault] += 1
            expected = f"null {lost[record['message_id']]}" if fault == "null_metadata" else EXPECTED[fault]
            assert found[record["message_id"]] == expected
    assert set(seen) == {None, "null_metadata", *EXPECTED}


def test_faults_have_their_rates(clean: Run, faulty: Run) -> None:
    """As many records are spoilt as were asked for, one way each."""
    spoilt = Counter(fault["fault"] for fault in faulty.records("billing_fault"))
    exists = len(clean.records("exists"))

    assert set(spoilt) == set(BILLING_FAULTS)
    for fault in ("wrong_flavor", "wrong_tenant", "wrong_launched_at", "null_metadata", "missing_exists"):
        assert 0.5 * RATE < spoilt[fault] / exists < 1.3 * RATE
    assert 0.4 * RATE < spoilt["missing_launch"] / len(clean.records("launch")) < 1.8 * RATE
    assert 0.4 * RATE < spoilt["missing_delete"] / len(clean.records("delete")) < 1.8 * RATE


def test_faults_change_nothing_else(clean: Run, faulty: Run) -> None:
    """The same things happen under the same ids; some messages are missing, some usage records differ."""
    before, after = ({body["message_id"]: body for body in of.bodies} for of in (clean, faulty))
    changed = {key for key, body in after.items() if body != before[key]}
    unsent = {body["event_type"] for key, body in before.items() if key not in after}
    hidden = ("create.start", "resize.prep.end", "finish_resize.start", *LAUNCH_STARTS, *LAUNCH_ENDS)

    assert changed == {
        fault["message_id"]
        for fault in faulty.records("billing_fault")
        if fault["message_id"] is not None and fault["fault"] != "missing_exists"
    }
    assert unsent <= {f"compute.instance.{name}" for name in ("exists", "delete.end", *hidden)}
    assert unsent >= {f"compute.instance.{name}" for name in ("exists", "delete.end", "create.start", "create.end")}


def test_faults_say_what_is_wrong(clean: Run, faulty: Run) -> None:
    """A fault of a usage record names the field, what was told and what is true."""
    true = {record["message_id"]: record for record in clean.records("exists")}
    told = {record["message_id"]: record for record in faulty.records("exists")}

    for fault in faulty.records("billing_fault"):
        field, key = fault["field"], fault["message_id"]
        if key is not None:
            assert true[key]["instance"] == fault["instance"]
            assert true[key]["audit_period_ending"] == fault["audit_period_ending"]
        if field in ("tenant", "instance_flavor_id", "launched_at", "deleted_at"):
            assert (told[key][field], true[key][field]) == (fault["told"], fault["true"])
            assert fault["told"] != fault["true"]
        if fault["fault"] == "wrong_launched_at":
            assert abs(parse(fault["told"]) - parse(fault["true"])) == timedelta(seconds=1)
        if fault["fault"] == "missing_exists":
            assert key not in told


def test_hidden_launches_and_deletes_are_in_no_notification(faulty: Run) -> None:
    """The truth knows launches and deletes that nobody was told of."""
    ends = {
        (body["payload"]["instance_id"], body["_context_request_id"])
        for body in faulty.bodies
        if body["event_type"].removeprefix("compute.instance.") in (*LAUNCH_ENDS, "delete.end", "unshelve.end")
    }
    told = {True: 0, False: 0}

    for record in (*faulty.records("launch"), *faulty.records("delete")):
        assert ((record["instance"], record["request_id"]) in ends) == record["is_told"]
        told[record["is_told"]] += 1
    assert min(told.values()) > 10


def test_versioned_records_have_no_metadata_to_lose() -> None:
    """The versioned format tells no metadata of images, so none is lost."""
    assert not run(format="versioned", operations_per_hour=50.0, null_metadata=0.9).records("billing_fault")


def test_nova_knows_the_truth(faulty: Run) -> None:
    """Nova's table has every instance, with its last launch, its flavor and its delete, whatever was told.

    An instance that is being resized when the simulation ends has its new flavor before its new launch.
    """
    rows = {row["instance"]: row for row in faulty.nova}
    last = {launch["instance"]: launch for launch in faulty.records("launch")}
    deletes = {delete["instance"]: delete for delete in faulty.records("delete")}
    resizing = {
        operation["instance"]
        for operation in faulty.records("operation")
        if operation["operation"] == "resize" and operation["outcome"] == "running"
    }
    columns = ("tenant", "instance_type_id", "os_architecture", "os_distro", "os_version", "rax_options")

    assert len(rows) == len(faulty.nova)
    assert {instance for instance, row in rows.items() if row["launched_at"]} >= set(last)
    for instance in set(last) - resizing:
        row, launch = rows[instance], last[instance]
        assert [row[column] for column in columns] == [launch[column] for column in columns]
        assert row["launched_at"][:19] == launch["launched_at"][:19]
    for instance, delete in deletes.items():
        assert rows[instance]["deleted_at"] == delete["terminated_at"]
        assert rows[instance]["is_deleted"]


def test_an_empty_cloud_grows(clean: Run) -> None:
    """Where nothing stands at the start, every launch is told, and the population comes to be."""
    launches = clean.records("launch")

    assert all(launch["is_told"] for launch in launches)
    assert len({launch["instance"] for launch in launches}) - len(clean.records("delete")) > 75
