"""Confirmations, repairs and tenants: kept, not lost, and one after the other."""

import sqlite3
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackanalytics import open_lake, times
from stackanalytics.lake import create_lake
from stackanalytics.lake.usage_state import Confirmation, StoredTenant, Tenant, UsageState

AT = times.instant("2026-03-02 10:00")
LATER = AT + timedelta(hours=1)
CALLERS, RECORDS = 16, 40

# each of many tells the status of records of its own and, in turn, the status or the id of shared ones
CONFIRMING = f"""
import sys
from pathlib import Path
from stackanalytics import times
from stackanalytics.lake.usage_state import Confirmation, UsageState

state, caller = UsageState(Path(sys.argv[1])), int(sys.argv[2])
sys.stdin.readline()
for record in range({RECORDS}):
    own = Confirmation(1000 + caller * {RECORDS} + record, None, 200 + caller)
    shared = Confirmation(record, None, 200 + caller, f"event {{caller}}" if caller % 2 else None)
    state.confirm("nova", [own, shared], at=times.now())
"""

REPAIRING = """
import sys
from pathlib import Path
from stackanalytics import times
from stackanalytics.lake.usage_state import UsageState

state = UsageState(Path(sys.argv[1]))
sys.stdin.readline()
for record in range(40):
    print(*state.repair("nova", {record: None}, at=times.now()))
"""

ANSWERING = """
import sys
from pathlib import Path
from stackanalytics import times
from stackanalytics.lake.usage_state import Confirmation, Tenant, UsageState

state = UsageState(Path(sys.argv[1]))
for record in range(100_000):
    state.confirm("glance", [Confirmation(record, "m", 201, "e")], at=times.now())
    state.repair("nova", {record: "m"}, at=times.now())
    state.put_tenants([Tenant(str(record), "name", {"type": "value"})], at=times.now())
    print(record, flush=True)
"""


@pytest.fixture
def state(tmp_path: Path) -> UsageState:
    """The state of an empty lake."""
    create_lake(tmp_path)
    return UsageState(tmp_path)


def _start(script: str, *arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _at_once(script: str, folder: Path) -> list[str]:
    """Have many processes begin together; return what each printed."""
    processes = [_start(script, folder, caller) for caller in range(CALLERS)]
    outputs = [process.communicate("go\n", timeout=120) for process in processes]
    assert [(process.returncode, errors) for process, (_, errors) in zip(processes, outputs, strict=True)] == [
        (0, "")
    ] * CALLERS
    return [output for output, _ in outputs]


def test_what_was_confirmed_last_counts(state: UsageState) -> None:
    """A later status replaces the earlier one; an event id stays until another one is told."""
    state.confirm("nova", [Confirmation(1, "a", 500), Confirmation(2, "b", 200, "e2")], at=AT)
    state.confirm("nova", [Confirmation(1, "a", 201, "e1"), Confirmation(2, "b", 202)], at=LATER)
    state.confirm("nova", [Confirmation(1, "a", 204, "")], at=LATER)

    assert state.confirmations("nova").rows() == [(1, 204, ""), (2, 202, "e2")]
    assert state.confirmations("nova", [2, 3]).rows() == [(2, 202, "e2")]
    assert state.confirmations("nova", []).rows() == []
    assert state.confirmations("glance").rows() == []


def test_a_record_is_repaired_once(state: UsageState) -> None:
    """A repair marks a record and gives it the status 201, keeping the event id; a second one does nothing."""
    state.confirm("nova", [Confirmation(1, "a", 500, "e1")], at=AT)

    assert state.repair("nova", {1: "a", 2: "b"}, at=AT) == {1, 2}
    state.confirm("nova", [Confirmation(1, "a", 200)], at=LATER)
    assert state.repair("nova", {1: "a", 3: "c"}, at=LATER) == {3}

    assert state.repaired("nova")["exists_id"].to_list() == [1, 2, 3]
    assert state.repaired("nova", [2, 9])["exists_id"].to_list() == [2]
    assert state.repaired("glance").is_empty()
    assert state.confirmations("nova").rows() == [(1, 200, "e1"), (2, 201, None), (3, 201, None)]


def test_tenants_are_replaced(state: UsageState) -> None:
    """A tenant told again has the new name, the new types and no others; of two in one list the last counts."""
    first = [Tenant("5", "five", {"kind": "a", "tier": "b"}), Tenant("6", "six", {})]
    second = [Tenant("5", "ignored", {"kind": "x"}), Tenant("5", None, {"kind": "c"})]

    state.put_tenants(first, at=AT)
    state.put_tenants(second, at=LATER)

    assert state.tenants() == [
        StoredTenant("5", None, {"kind": "c"}, LATER),
        StoredTenant("6", "six", {}, AT),
    ]
    assert state.tenants("6") == state.tenants(limit=1, offset=1) == [StoredTenant("6", "six", {}, AT)]
    assert state.tenants("7") == []


@given(st.dictionaries(st.text(min_size=1), st.tuples(st.text() | st.none(), st.dictionaries(st.text(), st.text()))))
def test_any_text_comes_back(
    tmp_path_factory: pytest.TempPathFactory, told: dict[str, tuple[str, dict[str, str]]]
) -> None:
    """Ids, names and types of tenants are kept as they are, whatever they are."""
    folder = tmp_path_factory.mktemp("lake")
    create_lake(folder)
    tenants = [Tenant(id, name, types) for id, (name, types) in told.items()]

    UsageState(folder).put_tenants(tenants, at=AT)

    found = {stored.tenant: (stored.name, stored.types) for stored in UsageState(folder).tenants()}
    assert found == told


def test_a_hundred_thousand_tenants_take_seconds(state: UsageState) -> None:
    """A hundred thousand tenants are taken down in one go within ten seconds, new and again."""
    for name in ("first", "second"):
        tenants = [Tenant(str(number), name, {"type": str(number)}) for number in range(100_000)]
        start = time.perf_counter()
        state.put_tenants(tenants, at=AT)
        assert time.perf_counter() - start < 10

    found = state.tenants()
    assert len(found) == 100_000
    assert {tenant.name for tenant in found} == {"second"}


def test_callers_at_the_same_time_lose_nothing(state: UsageState, tmp_path: Path) -> None:
    """Of sixteen processes that confirm at once none undoes another's, nor the part that it does not tell."""
    _at_once(CONFIRMING, tmp_path)

    own = {1000 + caller * RECORDS + record: 200 + caller for caller in range(CALLERS) for record in range(RECORDS)}
    found = {id: (status, event) for id, status, event in state.confirmations("nova").iter_rows()}
    assert {id: status for id, (status, _) in found.items() if id >= 1000} == own
    shared = [found[record] for record in range(RECORDS)]
    assert len(found) == len(own) + RECORDS
    assert {status for status, _ in shared} <= set(range(200, 200 + CALLERS))
    assert {event for _, event in shared} <= {f"event {caller}" for caller in range(1, CALLERS, 2)}


def test_one_of_many_repairs_a_record(state: UsageState, tmp_path: Path) -> None:
    """Of sixteen processes that repair the same records at once, one gets each."""
    outputs = _at_once(REPAIRING, tmp_path)

    got = sorted(int(word) for output in outputs for word in output.split())
    assert got == list(range(40)) == state.repaired("nova")["exists_id"].to_list()


def test_what_was_answered_survives_a_kill(state: UsageState, tmp_path: Path) -> None:
    """After kill -9 everything that a caller was told to be done is there, three times over."""
    for _ in range(3):
        process = _start(ANSWERING, tmp_path)
        assert process.stdout is not None
        for _ in range(50):
            process.stdout.readline()
        process.kill()
        answered = 50 + len(process.stdout.read().split())
        process.wait()

        expected = list(range(answered))
        assert state.confirmations("glance")["exists_id"].to_list()[:answered] == expected
        assert state.repaired("nova")["exists_id"].to_list()[:answered] == expected
        assert {str(record) for record in expected} <= {tenant.tenant for tenant in state.tenants()}


def test_nothing_of_a_batch_that_fails_is_kept(state: UsageState) -> None:
    """A batch with a value that cannot be stored leaves nothing behind, and what was there as it was."""
    state.put_tenants([Tenant("1", "one", {"kind": "a"})], at=AT)

    with pytest.raises(sqlite3.Error):
        state.put_tenants([Tenant("1", "two", {}), Tenant("2", "two", {"kind": None})], at=AT)  # type: ignore[dict-item]

    assert state.tenants() == [StoredTenant("1", "one", {"kind": "a"}, AT)]


def test_a_lake_of_an_earlier_version(tmp_path: Path) -> None:
    """A lake made before there were such tables reads as empty, and has them with the first writing."""
    create_lake(tmp_path)
    with sqlite3.connect(tmp_path / "state.sqlite") as connection:
        for table in ("confirmations", "repairs", "tenants", "tenant_types"):
            connection.execute(f"drop table {table}")

    with open_lake(tmp_path) as lake:
        state = lake.usage_state
        assert state.confirmations("nova").is_empty()
        assert state.repaired("nova", [1]).is_empty()
        assert state.tenants() == []
        assert state.repair("nova", {1: "a"}, at=AT) == {1}
        assert state.confirmations("nova").rows() == [(1, 201, None)]
