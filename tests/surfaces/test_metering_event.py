"""Events in Ceilometer's API v2: by type, time and traits, and who sees which."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asked import Told, ask

from stackanalytics.lake import Lake
from stackanalytics.testing import lake_of, notification

SIZES = {"a": 1, "b": 101, "c": 201}


def created(name: str, day: int, **more: Any) -> dict[str, object]:
    """Return the end of the creation of an instance, of a project of its own."""
    fields: dict[str, Any] = {"tenant": f"p-{name}", "user": f"u-{name}", "memory_mb": SIZES[name]}
    fields["launched_at"] = f"2014-01-0{day} 04:00:00"
    return notification(
        "compute.instance.create.end",
        f"2014-01-0{day} 05:00:00",
        **{"instance": f"i-{name}", "message_id": name, **fields, **more},
    )


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """Return a lake with an event on each of four days, the last of nobody's project."""
    events = [created(name, day) for day, name in enumerate(SIZES, 1)]
    nobody = notification("metrics.update", "2014-01-04 05:00:00.5", payload={"a": 1}, message_id="d", publisher_id="x")
    with lake_of(tmp_path_factory.mktemp("lake"), [*events, nobody]) as opened:
        yield opened


def found(told: Told) -> list[str]:
    """Return the ids of the events that came back."""
    assert told.status == 200, told
    return [event["message_id"] for event in told.value]


def asked(field: str, op: str, value: object, kind: str = "") -> str:
    """Return a condition as it stands in a query string."""
    return f"q.field={field}&q.op={op}&q.type={kind}&q.value={value}"


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", ["a", "b", "c", "d"]),
        ("limit=2&offset=1", ["b", "c"]),
        (asked("event_type", "eq", "metrics.update"), ["d"]),
        (asked("event_type", "", "metrics.update"), ["d"]),
        (asked("message_id", "eq", "b"), ["b"]),
        (asked("start_timestamp", "ge", "2014-01-02T05:00:00"), ["b", "c", "d"]),
        (asked("end_timestamp", "le", "2014-01-02T06:00:00%2B01:00"), ["a", "b"]),
        (asked("memory_mb", "eq", 101, "integer"), ["b"]),
        (asked("memory_mb", "ne", 101, "integer"), ["a", "c"]),
        (asked("memory_mb", "lt", 101, "integer"), ["a"]),
        (asked("memory_mb", "le", 101, "integer"), ["a", "b"]),
        (asked("memory_mb", "gt", 101, "integer"), ["c"]),
        (asked("memory_mb", "ge", 101, "integer"), ["b", "c"]),
        (asked("memory_mb", "eq", 101, "string"), []),
        (asked("instance_id", "gt", "i-a"), ["b", "c"]),
        (asked("launched_at", "le", "2014-01-02T04:00:00", "datetime"), ["a", "b"]),
        (asked("memory_mb", "eq", 101.0, "float"), []),
        (asked("unknown", "eq", 1), []),
        (f"{asked('tenant_id', 'eq', 'p-a')}&{asked('memory_mb', 'eq', 1, 'integer')}", ["a"]),
        (f"{asked('tenant_id', 'eq', 'p-a')}&{asked('tenant_id', 'eq', 'p-b')}", []),
    ],
)
def test_events(lake: Lake, query: str, ids: list[str]) -> None:
    """Events are found by type, id, time and any trait in its type; all conditions must hold."""
    assert found(ask(lake, f"/v2/events?{query}")) == ids


def test_an_event(lake: Lake) -> None:
    """An event has its type, its time and its traits by their names, which are text and tell their types."""
    told = ask(lake, "/v2/events/d")
    assert told.value == {
        "message_id": "d",
        "event_type": "metrics.update",
        "generated": "2014-01-04T05:00:00.500000",
        "traits": [{"name": "service", "type": "string", "value": "x"}],
        "raw": {},
    }
    assert ask(lake, "/v2/events/b?s=traits").value["traits"][3] == {
        "name": "memory_mb",
        "type": "integer",
        "value": "101",
    }
    assert ask(lake, "/v2/events/x").status == 404
    assert ask(lake, "/v2/events?limit=1&s=event_type").value == [{"event_type": "compute.instance.create.end"}]


def test_pages_of_events(lake: Lake) -> None:
    """A page of events tells how many there are."""
    told = ask(lake, "/v2/events?limit=3")

    assert told.headers == {
        "X-Total-Count": "4",
        "X-Truncated": "true",
        "Link": '<?limit=3&offset=3>; rel="next"',
    }


def test_types_and_traits(lake: Lake) -> None:
    """The types of events, the traits of one of them, and what a trait is; of what there is not, nothing."""
    assert ask(lake, "/v2/event_types").value == ["compute.instance.create.end", "metrics.update"]
    assert ask(lake, "/v2/event_types/metrics.update").status == 404
    assert ask(lake, "/v2/event_types/metrics.update/traits").value == [{"name": "service", "type": "string"}]
    path = "/v2/event_types/compute.instance.create.end/traits/memory_mb"
    assert ask(lake, f"{path}?s=value&s=type&limit=2").value == [
        {"value": "1", "type": "integer"},
        {"value": "101", "type": "integer"},
    ]
    assert ask(lake, f"{path}?limit=2").headers["X-Total-Count"] == "3"
    for nothing in ("nope/traits", "nope/traits/x", "metrics.update/traits/memory_mb"):
        assert ask(lake, f"/v2/event_types/{nothing}").value == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (asked("event_type", "ne", "x"), "Only `eq' operator is available for field event_type"),
        (asked("start_timestamp", "", "2014"), "Only `ge' operator is available for field start_timestamp"),
        (asked("start_timestamp", "ge", "x"), "invalid timestamp format"),
        (asked("end_timestamp", "lt", "2014-01-01"), "Only `le' operator is available for field end_timestamp"),
        (asked("end_timestamp", "le", "9999-12-31"), "give a year from 2 to 9998"),
        (asked("a", "like", "x"), "Operator like is not supported. The supported operators are: ('lt', 'le', 'eq'"),
        (asked("a", "eq", "x", "boolean"), "data type list is: ['string', 'integer', 'float', 'datetime']"),
        (asked("a", "eq", "x", "integer"), "Unable to convert the value x of a to the expected data type integer"),
        (asked("a", "eq", "9" * 30, "integer"), "to the expected data type integer"),
        (asked("a", "eq", "x", "float"), "to the expected data type float"),
        (asked("a", "eq", "x", "datetime"), "to the expected data type datetime"),
        ("project_id=x", 'Unknown argument: "project_id"'),
        ("limit=0", "Limit must be positive"),
    ],
)
def test_refused_events(lake: Lake, query: str, said: str) -> None:
    """What cannot be asked is refused in Ceilometer's words."""
    told = ask(lake, f"/v2/events?{query}")

    assert (told.status, said in told.value) == (400, True), told


def test_who_sees_which_events(lake: Lake) -> None:
    """Members see what is of their project and of themselves; admins of a project that, and what is of none."""
    member = {"X_Roles": "member", "X_Project_Id": "p-a", "X_User_Id": "u-a"}
    assert found(ask(lake, "/v2/events", **member)) == ["a"]
    assert found(ask(lake, "/v2/events", **{**member, "X_User_Id": "u-b"})) == []
    assert ask(lake, "/v2/events/a", **member).status == 200
    assert ask(lake, "/v2/events/b", **member).status == 404
    assert found(ask(lake, "/v2/events", X_Roles="admin", X_Project_Id="p-b")) == ["b", "d"]
    assert found(ask(lake, "/v2/events", X_Roles="admin")) == ["a", "b", "c", "d"]
    for lacking in ("X_User_Id", "X_Project_Id"):
        left = {name: value for name, value in member.items() if name != lacking}
        assert ask(lake, "/v2/events", **left).status == 403
    for path in ("/v2/event_types", "/v2/event_types/x/traits", "/v2/event_types/x/traits/y"):
        assert ask(lake, path, **member).status == 401


# Ceilometer's own scenario: three events, one day apart, each with a trait of every type.
FOO_BAR_ZOO = {
    "Foo": ("2013-12-31T05:00:00", 1, 0.123456),
    "Bar": ("2014-01-01T05:00:00", 101, 100.123456),
    "Zoo": ("2014-01-02T05:00:00", 201, 200.123456),
}
TRAITS_OF_ALL = """
[[events]]
event_types = ["Foo", "Bar", "Zoo"]
text = { trait_A = "$.payload.a" }
integer = { trait_B = "$.payload.b" }
float = { trait_C = "$.payload.c" }
datetime = { trait_D = "$.payload.d" }
"""


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """Return a lake of these events, with their traits defined."""
    folder: Path = tmp_path_factory.mktemp("scenario")
    told = [
        notification(name, at, message_id=name, payload={"a": f"my_{name}_text", "b": whole, "c": number, "d": at})
        for name, (at, whole, number) in FOO_BAR_ZOO.items()
    ]
    with lake_of(folder, told) as opened:
        (folder / "traits.toml").write_text(TRAITS_OF_ALL)
        yield opened


def test_traits_of_every_type(scenario: Lake) -> None:
    """An event tells its traits as text, each with its type."""
    told = ask(scenario, "/v2/events/Bar").value
    assert (told["event_type"], told["generated"]) == ("Bar", "2014-01-01T05:00:00")
    assert [trait for trait in told["traits"] if trait["name"].startswith("trait_")] == [
        {"name": "trait_A", "type": "string", "value": "my_Bar_text"},
        {"name": "trait_B", "type": "integer", "value": "101"},
        {"name": "trait_C", "type": "float", "value": "100.123456"},
        {"name": "trait_D", "type": "datetime", "value": "2014-01-01T05:00:00"},
    ]
    assert ask(scenario, "/v2/event_types").value == ["Bar", "Foo", "Zoo"]
    assert ask(scenario, "/v2/event_types/Foo/traits/trait_C").value == [
        {"name": "trait_C", "type": "float", "value": "0.123456"}
    ]


@pytest.mark.parametrize(
    ("trait", "kind", "of_bar"),
    [
        ("trait_A", "string", "my_Bar_text"),
        ("trait_B", "integer", 101),
        ("trait_C", "float", 100.123456),
        ("trait_D", "datetime", "2014-01-01T05:00:00"),
    ],
)
def test_every_type_with_every_operator(scenario: Lake, trait: str, kind: str, of_bar: object) -> None:
    """Of Foo it is smaller and of Zoo greater than of Bar, save that as text that of Bar is the smallest."""
    expected = {
        "lt": {"Foo"},
        "le": {"Foo", "Bar"},
        "eq": {"Bar"},
        "ne": {"Foo", "Zoo"},
        "ge": {"Bar", "Zoo"},
        "gt": {"Zoo"},
    }
    if kind == "string":  # my_Bar_text comes before my_Foo_text and my_Zoo_text
        expected |= {"lt": set(), "le": {"Bar"}, "ge": {"Foo", "Bar", "Zoo"}, "gt": {"Foo", "Zoo"}}
    for op, names in expected.items():
        assert set(found(ask(scenario, f"/v2/events?{asked(trait, op, of_bar, kind)}"))) == names, op
