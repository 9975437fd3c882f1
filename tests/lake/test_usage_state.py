"""Confirmations, repairs and tenants: kept, not lost, and one after the other."""

import random
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
from stackanalytics.errors import LakeError
from stackanalytics.lake import create_lake
from stackanalytics.lake.usage_state import Confirmation, StoredTenant, Tenant, UsageState

AT = times.instant("2026-03-02 10:00")
LATER = AT + timedelta(hours=1)
CALLERS, RECORDS = 16, 40
TABLES = ("confirmations", "repairs", "tenants", "former_confirmations", "former_tenants", "state_versions")

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
    """A hundred thousand tenants are taken down in one go within ten seconds of processor time, new and again."""
    for name in ("first", "second"):
        tenants = [Tenant(str(number), name, {"type": str(number)}) for number in range(100_000)]
        start = time.process_time()
        state.put_tenants(tenants, at=AT)
        assert time.process_time() - start < 10

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
        state.put_tenants([Tenant("1", "two", {}), Tenant("2", object(), {})], at=AT)  # type: ignore[arg-type]

    assert state.tenants() == [StoredTenant("1", "one", {"kind": "a"}, AT)]


def test_former_values_are_read_as_of_their_version(state: UsageState, tmp_path: Path) -> None:
    """As of a version every kind reads as it was then, by ids as well; what is newer is not there."""
    state.confirm("nova", [Confirmation(1, "a", 500, "e1"), Confirmation(2, "b", 200)], at=AT)
    state.put_tenants([Tenant("5", "five", {"kind": "a", "tier": "b"})], at=AT)
    first = UsageState(tmp_path, as_of=state.versions())
    state.repair("nova", {1: "a", 3: "c"}, at=AT)
    state.put_tenants([Tenant("5", "V", {"kind": "b"}), Tenant("4", "four", {})], at=AT)
    second = UsageState(tmp_path, as_of=state.versions())
    state.confirm("nova", [Confirmation(1, "a", 204), Confirmation(4, "d", 204)], at=AT)
    state.put_tenants([Tenant("5", "5", {})], at=AT)

    assert first.confirmations("nova").rows() == [(1, 500, "e1"), (2, 200, None)]
    assert second.confirmations("nova").rows() == [(1, 201, "e1"), (2, 200, None), (3, 201, None)]
    assert state.confirmations("nova")["send_status"].to_list() == [204, 200, 201, 204]
    assert first.confirmations("nova", [1, 3]).rows() == [(1, 500, "e1")]
    assert second.confirmations("nova", [1]).rows() == [(1, 201, "e1")]
    assert [one.repaired("nova")["exists_id"].to_list() for one in (first, second, state)] == [[], [1, 3], [1, 3]]
    assert first.tenants() == [StoredTenant("5", "five", {"kind": "a", "tier": "b"}, AT)]
    assert second.tenants() == [StoredTenant("4", "four", {}, AT), StoredTenant("5", "V", {"kind": "b"}, AT)]
    assert second.tenants("5") == second.tenants(limit=1, offset=1) == [StoredTenant("5", "V", {"kind": "b"}, AT)]
    assert state.tenants("5") == [StoredTenant("5", "5", {}, AT)]


Told = tuple[str, int, int, str | None]
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["confirm", "repair", "put"]), st.integers(1, 3), st.integers(200, 202), st.sampled_from("ab")
    ),
    max_size=20,
)


@given(CHANGES, st.randoms(use_true_random=False))
def test_every_version_stays_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, told: list[Told], chance: random.Random
) -> None:
    """Whatever is told, in whatever order of clocks, what was read at a moment is read again as of its version."""
    folder = tmp_path_factory.mktemp("lake")
    create_lake(folder)
    state = UsageState(folder)

    def everything(of: UsageState) -> list[object]:
        tenants = [(one.tenant, one.name, one.types) for one in of.tenants()]
        return [of.confirmations("nova").rows(), of.repaired("nova").rows(), tenants]

    seen = [(state.versions(), everything(state))]
    for what, record, status, text in told:
        at = AT + timedelta(seconds=chance.randint(-2, 2))
        if what == "confirm":
            state.confirm("nova", [Confirmation(record, None, status, text), Confirmation(record, None, 200)], at=at)
        elif what == "repair":
            state.repair("nova", {record: None}, at=at)
        else:
            state.put_tenants([Tenant(str(record), text, {"kind": str(status)})], at=at)
        seen.append((state.versions(), everything(state)))

    for versions, former in seen:
        assert everything(UsageState(folder, as_of=versions)) == former


def test_what_is_told_again_makes_no_version(state: UsageState, tmp_path: Path) -> None:
    """The same status, repair or tenant a second time changes no version, and keeps nothing; when it was told is."""
    for at in (AT, LATER):
        state.confirm("nova", [Confirmation(1, "a", 201, "e1")], at=at)
        state.confirm("nova", [Confirmation(1, "a", 201)], at=at)
        state.repair("nova", {1: "a"}, at=at)
        state.put_tenants([Tenant("5", "five", {"tier": "b", "kind": "a"})], at=at)

    assert state.versions() == dict.fromkeys(("confirmations", "repairs", "tenants"), times.unix_us(AT))
    assert former_rows(tmp_path) == 0
    assert state.tenants()[0].last_updated_at == LATER


def test_former_values_are_forgotten(state: UsageState, tmp_path: Path) -> None:
    """What was replaced before an instant is dropped, and asking as of a version that needs it is an error."""
    for hour, status in enumerate((500, 400, 201)):
        at = AT + timedelta(hours=hour)
        state.confirm("nova", [Confirmation(1, "a", status)], at=at)
        state.put_tenants([Tenant("5", f"name {hour}", {})], at=at)
    first, second, third = (times.unix_us(AT + timedelta(hours=hour)) for hour in range(3))
    assert former_rows(tmp_path) == 4

    state.forget(before=LATER + timedelta(minutes=1))

    assert former_rows(tmp_path) == 2
    for version, status, name in ((second, 400, "name 1"), (third, 201, "name 2")):
        known = UsageState(tmp_path, as_of={"confirmations": version, "tenants": version})
        assert known.confirmations("nova").rows() == [(1, status, None)]
        assert [tenant.name for tenant in known.tenants()] == [name]
    for version in (first, third + 1):
        unknown = UsageState(tmp_path, as_of={"confirmations": version, "tenants": version})
        for read in (unknown.tenants, lambda unknown=unknown: unknown.confirmations("nova", [1])):
            with pytest.raises(LakeError, match=f"as of version {version}, but as of versions from {second} to"):
                read()
    state.forget(before=LATER)
    assert UsageState(tmp_path, as_of={"tenants": second}).tenants()[0].name == "name 1"


def former_rows(folder: Path) -> int:
    """Count the former values that are kept."""
    with sqlite3.connect(folder / "state.sqlite") as connection:
        query = "select (select count(*) from former_confirmations) + (select count(*) from former_tenants)"
        return int(connection.execute(query).fetchone()[0])


def test_a_lake_that_kept_no_former_values(tmp_path: Path) -> None:
    """Reader or writer bring its tables up to date, with all they hold; what changes from then on is known."""
    for place, is_read_first in enumerate((True, False)):
        folder = tmp_path / str(place)
        create_lake(folder)
        _make_old(folder)
        if not is_read_first:
            create_lake(folder)
        state = UsageState(folder)

        assert state.tenants() == [
            StoredTenant("1", "one", {"kind": "a", "tier": "b"}, AT),
            StoredTenant("2", None, {}, LATER),
        ]
        assert state.confirmations("nova").rows() == [(7, 201, "e7")]
        assert state.repaired("nova")["exists_id"].to_list() == [7]
        before, first = state.versions(), times.unix_us(AT)
        assert before == {"tenants": times.unix_us(LATER), "confirmations": first, "repairs": first}
        state.put_tenants([Tenant("1", "one", {"tier": "b", "kind": "a"}), Tenant("2", "two", {})], at=LATER)
        assert state.versions() == before | {"tenants": before["tenants"] + 1}
        assert UsageState(folder, as_of=before).tenants("2") == [StoredTenant("2", None, {}, LATER)]
        with pytest.raises(LakeError, match="does not know the tenants as of"):
            UsageState(folder, as_of={"tenants": before["tenants"] - 1}).tenants()


def _make_old(folder: Path) -> None:
    """Give a lake the tables that it had before former values were kept, with a row or two in each."""
    first, second = times.unix_us(AT), times.unix_us(LATER)
    with sqlite3.connect(folder / "state.sqlite") as connection:
        for table in TABLES:
            connection.execute(f"drop table {table}")
        connection.executescript(
            f"""
            create table confirmations (
                service text not null, exists_id integer not null, message_id text, send_status integer not null,
                event_id text, confirmed_us integer not null, primary key (service, exists_id)
            ) without rowid;
            create table repairs (
                service text not null, exists_id integer not null, repaired_us integer not null,
                primary key (service, exists_id)
            ) without rowid;
            create table tenants (tenant text primary key, name text, last_updated_us integer not null) without rowid;
            create table tenant_types (
                tenant text not null, name text not null, value text not null, primary key (tenant, name)
            ) without rowid;
            insert into confirmations values ('nova', 7, 'm', 201, 'e7', {first});
            insert into repairs values ('nova', 7, {first});
            insert into tenants values ('1', 'one', {first}), ('2', null, {second});
            insert into tenant_types values ('1', 'tier', 'b'), ('1', 'kind', 'a');
            """
        )


def test_a_lake_of_an_earlier_version(tmp_path: Path) -> None:
    """A lake made before there were such tables reads as empty, and has them with the first writing."""
    create_lake(tmp_path)
    with sqlite3.connect(tmp_path / "state.sqlite") as connection:
        for table in TABLES:
            connection.execute(f"drop table {table}")

    with open_lake(tmp_path) as lake:
        state = lake.usage_state
        assert state.confirmations("nova").is_empty()
        assert state.repaired("nova", [1]).is_empty()
        assert state.tenants() == []
        assert state.repair("nova", {1: "a"}, at=AT) == {1}
        assert state.confirmations("nova").rows() == [(1, 201, None)]
