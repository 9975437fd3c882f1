"""The database interface: what billing systems read and write."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stackanalytics import times
from stackanalytics.errors import InputError, NotFoundError
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
