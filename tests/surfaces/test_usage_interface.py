"""The database interface: what billing systems read and write."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from billed import FIRST, FIRST_IMAGE, SECOND, SECOND_IMAGE, billing

from stackanalytics import times
from stackanalytics.errors import DataError, InputError, NotFoundError
from stackanalytics.lake import Lake
from stackanalytics.surfaces import usage
from stackanalytics.surfaces.encoding import json_text
from stackanalytics.surfaces.route import Request
from stackanalytics.testing import lake_of, notification

NOW = times.instant("2014-01-18 12:00")


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    """A lake with events of several services on several days."""
    told = [
        ("compute.instance.update", "2014-01-14 00:00:00", "nova"),
        ("compute.instance.update", "2014-01-21 00:00:00", "nova"),
        ("compute.instance.update", "2014-01-21 00:00:00.000001", "nova"),
        ("compute.instance.reboot.start", "2014-01-15", "nova"),
        ("image.upload", "2014-01-15", "glance"),
        ("volume.create.end", "2014-01-15", "cinder"),
        ("thing.done", "2014-01-15", "cinder"),
        ("thing.done", "2014-01-16", "heat"),
    ]
    events = [notification(event_type, at, exchange=exchange) for event_type, at, exchange in told]
    with lake_of(tmp_path, events) as lake:
        yield lake


def ask(endpoint: Callable[..., object], lake: Lake, *, body: object = b"", parts: Any = None, **query: str) -> Any:
    """Ask an endpoint as the server does."""
    written = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = endpoint(lake, Request(parts or {}, tuple(query.items()), written), NOW)
    return None if answer is None else json.loads(json_text(answer))


@pytest.fixture(scope="module")
def billed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """A lake to read from, with two instances and two images."""
    with billing(tmp_path_factory.mktemp("billed")) as lake:
        yield lake


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Lake]:
    """A lake to write to, with two instances and two images."""
    with billing(tmp_path) as lake:
        yield lake


def endpoint(path: str, method: str = "GET") -> tuple[Callable[..., object], dict[str, str]]:
    """Find what answers a path, and the parts of the path."""
    for route in usage.SURFACE.routes:
        found = re.fullmatch(route.pattern, path)
        if found is not None and route.method == method:
            return route.answer, found.groupdict()
    raise LookupError(path)


def get(lake: Lake, path: str, **query: str) -> Any:
    """Ask for a path."""
    answer, parts = endpoint(path)
    return ask(answer, lake, parts=parts, **query)


def put(lake: Lake, path: str, body: object) -> Any:
    """Write to a path."""
    answer, parts = endpoint(path, "POST")
    return ask(answer, lake, body=body, parts=parts)


def ids(found: dict[str, list[dict[str, Any]]]) -> list[int]:
    """The ids of the records in a list."""
    [records] = found.values()
    return [record["id"] for record in records]


def sent(lake: Lake, service: str = "nova") -> dict[int, tuple[str, int, str | None]]:
    """What became of the exists records, by id."""
    [records] = get(lake, f"/db/usage/{service}/exists/").values()
    return {record["id"]: (record["status"], record["send_status"], record["event_id"]) for record in records}


# records


FLAVOR_AND_METADATA = {
    "instance_type_id": "2",
    "instance_flavor_id": "m2",
    "tenant": "5877054",
    "os_architecture": "x64",
    "os_distro": "org.centos",
    "os_version": "6.0",
    "rax_options": "0",
}
PERIOD = {"audit_period_beginning": "2014-01-17 00:00:00", "audit_period_ending": "2014-01-18 00:00:00"}
UNTOLD = {"status": "pending", "fail_reason": None, "send_status": 0, "event_id": None}

RECORDS = {
    "/db/usage/launches/": {
        "id": 1,
        "instance": FIRST,
        "request_id": "req-1",
        "launched_at": "2014-01-17 16:06:54.250000",
        **FLAVOR_AND_METADATA,
    },
    "/db/usage/deletes/": {
        "id": 3,
        "instance": SECOND,
        "launched_at": "2014-01-17 17:00:00",
        "deleted_at": "2014-01-17 20:00:00",
        "raw": 3,
    },
    "/db/usage/exists/": {
        "id": 5,
        "message_id": "exists-2",
        "instance": SECOND,
        "launched_at": "2014-01-17 17:00:00",
        "deleted_at": "2014-01-17 20:00:00",
        **PERIOD,
        **UNTOLD,
        **FLAVOR_AND_METADATA,
        "instance_type_id": "3",
        "bandwidth_public_out": 0,
        "raw": 5,
        "usage": 2,
        "delete": 3,
        "received": "2014-01-18 00:20:00",
    },
    "/db/usage/glance/images/": {
        "id": 7,
        "uuid": FIRST_IMAGE,
        "created_at": "2014-01-01 00:00:00",
        "owner": "389886",
        "size": 5,
        "last_raw": 7,
    },
    "/db/usage/glance/deletes/": {"id": 9, "uuid": SECOND_IMAGE, "deleted_at": "2014-01-17 20:00:00", "raw": 9},
    "/db/usage/glance/exists/": {
        "id": 10 * 1024 + 1,
        "message_id": "exists-4",
        "uuid": SECOND_IMAGE,
        "created_at": "2014-01-02 00:00:00",
        "deleted_at": "2014-01-17 20:00:00",
        "owner": "389886",
        "size": 6,
        **PERIOD,
        **UNTOLD,
        "raw": 10,
        "usage": 8,
        "delete": 9,
        "received": "2014-01-18 00:40:00",
    },
}


@pytest.mark.parametrize(
    ("path", "many", "one", "order"),
    [
        ("/db/usage/launches/", "launches", "launch", [2, 1]),
        ("/db/usage/deletes/", "deletes", "delete", [3]),
        ("/db/usage/exists/", "exists", "exist", [6, 5, 4]),
        ("/db/usage/glance/images/", "images", "launch", [8, 7]),
        ("/db/usage/glance/deletes/", "deletes", "delete", [9]),
        ("/db/usage/glance/exists/", "exists", "exist", [10241, 10240]),
    ],
)
def test_records(billed: Lake, path: str, many: str, one: str, order: list[int]) -> None:
    """Each kind of records is listed in its order, and shown alone, with StackTach's fields under its names."""
    found = get(billed, path)

    assert list(found) == [many]
    assert ids(found) == order
    assert RECORDS[path] in found[many]
    assert get(billed, f"{path}{RECORDS[path]['id']}/") == {one: RECORDS[path]}


@pytest.mark.parametrize("noun", ["launches", "deletes", "exists"])
def test_older_paths_are_served(billed: Lake, noun: str) -> None:
    """What is nova's is found without nova in the path, too."""
    [id, *_] = ids(get(billed, f"/db/usage/{noun}/"))

    assert get(billed, f"/db/usage/nova/{noun}/") == get(billed, f"/db/usage/{noun}/")
    assert get(billed, f"/db/usage/nova/{noun}/{id}/") == get(billed, f"/db/usage/{noun}/{id}/")


@pytest.mark.parametrize("path", RECORDS)
@pytest.mark.parametrize("id", ["0", "2000", "10242", "x", "-1", "1.0", "9" * 30])
def test_unknown_records_are_not_found(billed: Lake, path: str, id: str) -> None:
    """An id of something else, of nothing, or that is none is a 404."""
    with pytest.raises(NotFoundError, match=re.escape(f" {id}: ")):
        get(billed, f"{path}{id}/")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"limit": "2"}, [6, 5]),
        ({"limit": "1", "offset": "1"}, [5]),
        ({"offset": "3"}, []),
        ({"direction": "asc"}, [4, 5, 6]),
        ({"direction": "anything"}, [4, 5, 6]),
        ({"order_by": "launched_at"}, [5, 6, 4]),
        ({"order_by": "deleted_at"}, [5, 6, 4]),
        ({"order_by": "deleted_at", "direction": "asc"}, [4, 6, 5]),
        ({"order_by": "received", "direction": "asc", "limit": "1"}, [4]),
        ({"order_by": "send_status"}, [6, 5, 4]),
        ({"order_by": "raw", "limit": "1"}, [6]),
        ({"instance": FIRST}, [6, 4]),
        ({"instance": FIRST.replace("a", "9")}, []),
        ({"tenant": "5877054", "instance_type_id": "3"}, [5]),
        ({"launched_at": "2014-01-17 17:00:00"}, [5]),
        ({"bandwidth_public_out": "7"}, [4]),
        ({"message_id": "exists-3"}, [6]),
        ({"status": "pending"}, [6, 5, 4]),
        ({"status": "failed"}, []),
        ({"send_status": "0", "limit": "1", "offset": "1"}, [5]),
        ({"deployment": "default"}, [6, 5, 4]),
        ({"deployment": "other"}, []),
        ({"unknown": "1", "status": ""}, [6, 5, 4]),
        ({"launched_at_min": "2014-01-17 16:06:55"}, [6, 5]),
        ({"launched_at_max": "2014-01-17T16:06:54.25Z"}, [4]),
        ({"deleted_at_min": "2014-01-01"}, [5]),
        ({"received_min": "2014-01-18 00:10:00.5", "received_max": "2014-01-18 00:20:00"}, [5, 4]),
        ({"received_min": "2014-01-18 00:10:00.500001", "received_max": "2014-01-18 00:29:59"}, [5]),
        ({"received_max": "2014-01-17 23:59:59"}, []),
        ({"audit_period_ending_max": "2014-01-17 23:59:59"}, []),
    ],
)
def test_exists_records_are_found(billed: Lake, query: dict[str, str], expected: list[int]) -> None:
    """Records are found by any field and by ranges whose ends are included, in any order, page by page."""
    assert ids(get(billed, "/db/usage/exists/", **query)) == expected


@pytest.mark.parametrize(
    ("path", "query", "message"),
    [
        ("launches", {"instance": "x"}, "x is not uuid-like"),
        ("launches", {"instance": FIRST.upper()}, "A is not uuid-like"),
        ("glance/images", {"instance": FIRST}, "No such field 'instance'"),
        ("launches", {"status_min": "2014-01-01"}, "No such field 'status'"),
        ("launches", {"order_by": "received"}, "No such field 'received'"),
        ("exists", {"launched_at_min": "yesterday"}, "Range filters must be dates"),
        ("exists", {"tenant_max": "2014-01-01"}, "Range filters must be dates"),
        ("exists", {"usage": "1"}, "cannot be asked for by usage"),
        ("exists", {"order_by": "fail_reason"}, "No such field 'fail_reason'"),
        ("exists", {"id": "x"}, "id=x is no number"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(billed: Lake, path: str, query: dict[str, str], message: str) -> None:
    """A field that is none, a bound that is no date, an instance that is no uuid: all are refused."""
    with pytest.raises(InputError, match=re.escape(message)):
        get(billed, f"/db/usage/{path}/", **query)


def test_more_records_than_a_page(tmp_path: Path) -> None:
    """Without a limit fifty are listed, with a high one a thousand, the newest of them, whatever is between."""
    times_of_day = [f"2014-01-18 {number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}" for number in range(1100)]
    fields = {"instance": FIRST, "launched_at": "2014-01-17 16:06:54"}
    told = [notification("compute.instance.exists", at, **fields) for at in times_of_day]
    noise = [notification("compute.instance.update", at, **fields) for at in times_of_day]
    with lake_of(tmp_path, [*told, *noise]) as lake:
        assert ids(get(lake, "/db/usage/exists/")) == list(range(1100, 1050, -1))
        assert ids(get(lake, "/db/usage/exists/", limit="5000")) == list(range(1100, 100, -1))
        assert ids(get(lake, "/db/usage/exists/", limit="3", offset="1098")) == [2, 1]


# confirmations and repairs


def test_a_record_is_confirmed(written: Lake) -> None:
    """What the system downstream answered is shown, the latest; the status of the record stays."""
    put(written, "/db/confirm/usage/exists/exists-1/", {"send_status": 500})
    assert put(written, "/db/confirm/usage/exists/exists-1/", {"send_status": "201"}) is None

    assert sent(written) == {6: ("pending", 0, None), 5: ("pending", 0, None), 4: ("pending", 201, None)}
    assert ids(get(written, "/db/usage/exists/", send_status="201")) == [4]


BATCHES = {
    "0, an object": {"messages": {"exists-1": 200, "exists-2": 400, "unknown": 200}},
    "0, a list": {"messages": [{"exists-1": 200}, {"unknown": 1}, {"exists-2": 400}], "version": 0},
    "1, objects": {"messages": {"nova": {"exists-1": 200, "exists-2": 400}, "glance": {"exists-4": 202}}, "version": 1},
    "1, lists": {
        "messages": [{"nova": [{"exists-1": 200}, {"exists-2": 400}], "glance": [{"exists-4": 202}]}],
        "version": 1,
    },
    "1, lists of each": {
        "messages": [{"nova": [{"exists-1": 200}]}, {"glance": {"exists-4": 202}}, {"nova": {"exists-2": 400}}],
        "version": 1,
    },
    "2, objects": {
        "messages": {
            "nova": {"exists-1": {"status": 200, "event_id": "e1"}, "exists-2": {"status": 400}},
            "glance": {"exists-4": {"status": 202, "event_id": 4}},
        },
        "version": 2,
    },
    "2, lists": {
        "messages": [
            {
                "nova": [{"exists-1": {"event_id": "e1", "status": 200}}, {"exists-2": {"status": 400}}],
                "glance": [{"exists-4": {"event_id": 4, "status": 202}}],
            }
        ],
        "version": 2,
    },
}


@pytest.mark.parametrize("batch", BATCHES)
def test_many_records_are_confirmed(written: Lake, batch: str) -> None:
    """All versions are read as they are documented and as StackTach reads them; a message tells of all its images."""
    assert put(written, "/db/confirm/usage/exists/batch/", BATCHES[batch]) is None

    of_nova, of_glance, unnamed = ("e1", "4", "") if batch[0] == "2" else (None, None, None)
    status = 0 if batch[0] == "0" else 202
    assert sent(written) == {6: ("pending", 0, None), 5: ("pending", 400, unnamed), 4: ("pending", 200, of_nova)}
    assert set(sent(written, "glance").values()) == {("pending", status, of_glance)}


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("exists-1", b"", "Request body required"),
        ("exists-1", b"x", "the request body is no JSON"),
        ("exists-1", {}, "'send_status' missing from request body"),
        ("exists-1", {"send_status": None}, "'send_status' missing from request body"),
        ("exists-1", {"send_status": "OK"}, "at `$.send_status`"),
        ("exists-1", {"send_status": -1}, "at `$.send_status`"),
        ("exists-1", {"send_status": 10**30}, "at `$.send_status`"),
        ("exists-1", [], "another form"),
        ("exists-9", {"send_status": 200}, "Could not find Exists record with message_id = 'exists-9'"),
        ("exists-4", {"send_status": 200}, "Could not find Exists record with message_id = 'exists-4'"),
        ("batch", b"", "Request body required"),
        ("batch", {}, "'messages' missing from request body"),
        ("batch", {"messages": None, "version": 1}, "'messages' missing from request body"),
        ("batch", {"messages": {}, "version": 3}, "there is no version 3; the versions are 0, 1, 2"),
        ("batch", {"messages": 7}, "at `$.messages`"),
        ("batch", {"messages": {"exists-1": 200, "exists-2": None}}, "at `$.messages[...]`"),
        ("batch", {"messages": {"cinder": {}}, "version": 1}, "Invalid enum value 'cinder'"),
        ("batch", {"messages": {"nova": {"exists-1": 200}}, "version": 2}, "at `$.messages[...][...]`"),
    ],
)
def test_what_confirms_nothing_is_refused(written: Lake, path: str, body: object, message: str) -> None:
    """A body that is missing or of another form, or a record that there is not, is refused, and nothing is kept."""
    with pytest.raises(InputError) as refusal:
        put(written, f"/db/confirm/usage/exists/{path}/", body)

    assert message in str(refusal.value)
    assert {status for _, status, _ in sent(written).values()} == {0}


def test_records_of_one_message_are_not_told_apart(tmp_path: Path) -> None:
    """Where two deployments sent one message, it is refused alone, left out of a batch, and not there to repair."""
    fields = {"instance": FIRST, "launched_at": "2014-01-17 16:06:54", "message_id": "m"}
    told = [
        notification("compute.instance.exists", "2014-01-18", deployment=name, exchange="nova", **fields)
        for name in ("east", "west")
    ]
    with lake_of(tmp_path, told) as lake:
        with pytest.raises(DataError, match="Multiple Exists records with message_id = 'm'"):
            put(lake, "/db/confirm/usage/exists/m/", {"send_status": 200})
        put(lake, "/db/confirm/usage/exists/batch/", {"messages": {"m": 200}})
        assert put(lake, "/db/repair/", b"message_ids=m") == {"absent_exists": ["m"], "exists_not_pending": []}
        assert set(sent(lake).values()) == {("pending", 0, None)}


def test_records_are_repaired(written: Lake) -> None:
    """Pending records become sent; those that are not there or not pending any more are told, once each."""
    body = b"message_ids=exists-1&message_ids=nothing&message_ids=exists-2&message_ids=exists-1"

    assert put(written, "/db/repair/", body) == {"absent_exists": ["nothing"], "exists_not_pending": []}
    again = put(written, "/db/repair/", b"message_ids=exists-2&message_ids=exists-3&service=nova")

    assert again == {"absent_exists": [], "exists_not_pending": ["exists-2"]}
    assert sent(written) == dict.fromkeys((6, 5, 4), ("sent_unverified", 201, None))
    assert get(written, "/db/stats/nova/exists/") == {
        "stats": [{"status": "sent_unverified", "send_status": 201, "event_count": 3}]
    }


def test_all_images_of_a_message_are_repaired(written: Lake) -> None:
    """A message of glance stands for all its records, and is told once for each that is not pending."""
    body = b"service=glance&message_ids=exists-4&message_ids=exists-1"

    assert put(written, "/db/repair/", body) == {"absent_exists": ["exists-1"], "exists_not_pending": []}
    assert put(written, "/db/repair/", body)["exists_not_pending"] == ["exists-4", "exists-4"]
    assert set(sent(written, "glance").values()) == {("sent_unverified", 201, None)}
    assert {status for status, _, _ in sent(written).values()} == {"pending"}


NO_REPAIRS = [
    *(b"", b"message_ids=", b"service=nova", b"message_ids=%ff", b"\xff", b"message_ids=a&service=x"),
    *(b"message_ids=a&message_ids=", b'{"message_ids": ["a"]}'),
]


@pytest.mark.parametrize("body", NO_REPAIRS)
def test_what_repairs_nothing_is_refused(written: Lake, body: bytes) -> None:
    """Without messages, of another service, or as something else than a form, a repair is refused."""
    with pytest.raises(InputError):
        put(written, "/db/repair/", body)


def test_states_are_counted(written: Lake) -> None:
    """Records are counted by status and send status, those that meet what is asked."""
    put(written, "/db/confirm/usage/exists/exists-1/", {"send_status": 201})

    assert get(written, "/db/stats/nova/exists/")["stats"] == [
        {"status": "pending", "send_status": 0, "event_count": 2},
        {"status": "pending", "send_status": 201, "event_count": 1},
    ]
    assert get(written, "/db/stats/nova/exists/", instance=FIRST, received_min="2014-01-18 00:10:01")["stats"] == [
        {"status": "pending", "send_status": 0, "event_count": 1}
    ]
    assert get(written, "/db/stats/nova/exists/", status="failed") == {"stats": []}
    assert get(written, "/db/stats/glance/exists/", created_at_max="2014-01-01")["stats"] == [
        {"status": "pending", "send_status": 0, "event_count": 1}
    ]


# stats of events


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, {"compute.instance.reboot.start": 1, "compute.instance.update": 3}),
        ({"service": "glance"}, {"image.upload": 1}),
        ({"service": "generic"}, {"thing.done": 2, "volume.create.end": 1}),
        ({"event": "compute.instance.update"}, {"compute.instance.update": 3}),
        ({"event": "nothing"}, {"nothing": 0}),
        (
            {"when_min": "2014-01-14 00:00:00", "when_max": "2014-01-21 00:00:00"},
            {"compute.instance.reboot.start": 1, "compute.instance.update": 2},
        ),
        ({"when_min": "2014-01-14T00:00:01Z", "when_max": "2014-01-15"}, {"compute.instance.reboot.start": 1}),
        ({"when_min": "2015-01-14", "when_max": "2015-01-15"}, {}),
    ],
)
def test_event_stats(lake: Lake, query: dict[str, str], expected: dict[str, int]) -> None:
    """Events are counted by type, both ends of a range included; one asked for is there even if it never came."""
    found = ask(usage.event_stats, lake, **query)

    assert found == {"stats": [{"event": name, "event_count": count} for name, count in expected.items()]}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"when_min": "x"}, "When providing date range filters, a min and max are required."),
        ({"when_max": "2014-01-14"}, "When providing date range filters, a min and max are required."),
        (
            {"when_min": "x", "when_max": "2014-01-14"},
            "Invalid format for date (Correct format should be %Y-%m-%d %H:%M:%S)",
        ),
        (
            {"when_min": "2014-01-14", "when_max": "2014-01-21 00:00:00.000001", "service": "x"},
            "Date ranges may be no larger than 604800 seconds",
        ),
        ({"service": "x"}, "Invalid service: x. The services are nova, glance, generic"),
    ],
)
def test_event_stats_refuse(lake: Lake, query: dict[str, str], message: str) -> None:
    """A range of one side, without sense or too long is refused in StackTach's words, in its order."""
    with pytest.raises(InputError) as refusal:
        ask(usage.event_stats, lake, **query)

    assert str(refusal.value) == message


# tenants


def test_a_tenant_is_told_and_told_again(lake: Lake) -> None:
    """A tenant can be read as it was last told: the new name, and the new types only."""
    first = {"tenant": "5877054", "name": "Acme", "types": {"account_type": "VIP", "billing_type": "internal"}}
    second = {"tenant": 5877054, "name": "Acme Corp.", "types": {"account_type": 7}}

    assert ask(usage.put_tenant, lake, body=first, parts={"tenant": "5877054"}) is None
    assert ask(usage.put_tenant, lake, body=second, parts={"tenant": "5877054"}) is None

    expected = {
        "tenant": "5877054",
        "name": "Acme Corp.",
        "types": {"account_type": "7"},
        "last_updated": "2014-01-18 12:00:00",
    }
    assert ask(usage.tenant, lake, parts={"tenant": "5877054"}) == {"tenant": expected}
    assert ask(usage.tenants, lake) == {"tenants": [expected]}


def test_many_tenants_at_once(lake: Lake) -> None:
    """A batch makes new tenants and renames those known; of a tenant told twice the last counts."""
    ask(usage.put_tenant, lake, body={"tenant": "1", "name": "old", "types": {"a": "b"}}, parts={"tenant": "1"})
    told = [
        {"tenant": 2, "name": "ignored", "types": {}},
        {"tenant": "1", "name": "new", "types": {}},
        {"tenant": "2", "name": None, "types": {"kind": "x"}},
    ]

    assert ask(usage.put_tenants, lake, body={"tenants": told}) is None

    found = ask(usage.tenants, lake)["tenants"]
    assert [(one["tenant"], one["name"], one["types"]) for one in found] == [
        ("1", "new", {}),
        ("2", None, {"kind": "x"}),
    ]
    assert ask(usage.tenants, lake, limit="1", offset="1")["tenants"] == found[1:]


def test_an_unknown_tenant_is_not_found(lake: Lake) -> None:
    """Who asks for a tenant that nobody told gets a 404."""
    with pytest.raises(NotFoundError, match="no tenant 6"):
        ask(usage.tenant, lake, parts={"tenant": "6"})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "Request body required"),
        (b" \n", "Request body required"),
        (b"{", "the request body is no JSON"),
        (b"\xff", "the request body is no JSON"),
        (b"[" * 100_000, "the request body"),
        (b'{"tenant": "\\udc00", "name": "", "types": {}}', "the request body is no JSON"),
        ([], "the request body has another form"),
        ({}, "missing required field `tenant`"),
        ({"tenant": "5", "name": "x"}, "missing required field `types`"),
        ({"tenant": "5", "name": "x", "types": []}, "at `$.types`"),
        ({"tenant": "5", "name": "x", "types": {"a": None}}, "at `$.types[...]`"),
        ({"tenant": "6", "name": "x", "types": {}}, "Invalid tenant: 6 != 5"),
    ],
)
def test_what_is_no_tenant_is_refused(lake: Lake, body: object, message: str) -> None:
    """A body that is missing, no JSON, of another form or about another tenant is refused, and nothing is kept."""
    with pytest.raises(InputError) as refusal:
        ask(usage.put_tenant, lake, body=body, parts={"tenant": "5"})

    assert message in str(refusal.value)
    assert ask(usage.tenants, lake) == {"tenants": []}


def test_a_batch_without_tenants_is_refused(lake: Lake) -> None:
    """What tells no tenants is refused, and of a batch with one that is none nothing is kept."""
    for body in ({}, {"tenants": None}):
        with pytest.raises(InputError, match="'tenants' missing from request body"):
            ask(usage.put_tenants, lake, body=body)
    with pytest.raises(InputError, match=r"at `\$.tenants\[1\]`"):
        ask(usage.put_tenants, lake, body={"tenants": [{"tenant": "1", "name": "", "types": {}}, {}]})
    assert ask(usage.tenants, lake) == {"tenants": []}
