"""Traits of events are what Ceilometer made of the same notifications, and events are found by them."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import stackanalytics as sa
from stackanalytics.analytics.trait import (
    TraitCondition,
    event_traits,
    trait_types,
    trait_value_count,
    trait_values,
    traited_event_count,
    traited_events,
)
from stackanalytics.testing import lake_of, notification

RECORDED = Path(__file__).parents[3] / "shared" / "data" / "ceilometer-notification-samples.json"
CASES = json.loads(RECORDED.read_text())["cases"] if RECORDED.exists() else []

FLAVOR = {"memory_mb": 512, "vcpus": 1, "root_gb": 20, "ephemeral_gb": 0, "instance_type": "m1.tiny"}
BIG = {"memory_mb": 1024, "vcpus": 2, "root_gb": 40, "ephemeral_gb": 0, "name": "m1.big"}
TOLD = [
    notification(
        "compute.instance.create.end",
        "2026-03-02 10:00:07.25",
        instance="i-1",
        tenant="p-1",
        user="u-1",
        state="active",
        request_id="req-1",
        **{"launched_at": "2026-03-02 10:00:06", "message_id": "m-1", **FLAVOR},
    ),
    notification(
        "instance.create.end",
        "2026-03-02 11:00:00",
        instance="i-2",
        tenant="p-2",
        user="u-2",
        state="active",
        message_id="m-2",
        flavor={"nova_object.data": BIG},
    ),
    notification(
        "image.update",
        "2026-03-03 00:00:00",
        payload={"id": "im-1", "owner": "p-1", "name": "n" * 300, "size": 19, "status": ""},
        message_id="m-3",
        publisher_id="image.host",
    ),
    notification("unheard.of", "2026-03-04", payload={"tenant_id": "p-2"}, message_id="m-4", publisher_id="x.y"),
]
AGAIN = notification("unheard.of", "2026-03-05", payload={"tenant_id": "p-9"}, message_id="m-4")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Lake]:
    """Return a lake with four events, of which one came twice with other content."""
    with lake_of(tmp_path_factory.mktemp("lake"), [*TOLD, AGAIN]) as opened:
        yield opened


def traits_of(lake: sa.Lake, message_id: str) -> dict[str, tuple[str, str]]:
    """Return the traits of an event with their types and values, by their names."""
    ids = traited_events(lake, message_id=message_id)["id"].to_list()
    return {name: (kind, value) for _, name, kind, value in event_traits(lake, ids=ids).iter_rows()}


@pytest.mark.skipif(not CASES, reason=f"the recorded notifications are not at hand: no {RECORDED}")
def test_traits_are_those_of_ceilometer(tmp_path: Path) -> None:
    """Each notification has just the traits that Ceilometer 7.0.0 made of it."""
    messages = [{**case["notification"], "message_id": f"m-{number}"} for number, case in enumerate(CASES)]

    with lake_of(tmp_path, messages) as lake:
        found = {f"m-{number}": traits_of(lake, f"m-{number}") for number in range(len(CASES))}

    assert found == {
        f"m-{number}": {
            trait["name"]: (trait["type"], str(trait["value"])) for trait in case["expect"]["event"]["traits"]
        }
        for number, case in enumerate(CASES)
    }


def test_traits_of_an_instance(lake: sa.Lake) -> None:
    """Texts, numbers and instants are told with their types."""
    assert traits_of(lake, "m-1") == {
        "ephemeral_gb": ("integer", "0"),
        "host": ("string", "host-1"),
        "instance_id": ("string", "i-1"),
        "instance_type": ("string", "m1.tiny"),
        "launched_at": ("datetime", "2026-03-02T10:00:06"),
        "memory_mb": ("integer", "512"),
        "project_id": ("string", "p-1"),
        "request_id": ("string", "req-1"),
        "root_gb": ("integer", "20"),
        "service": ("string", "compute"),
        "state": ("string", "active"),
        "tenant_id": ("string", "p-1"),
        "user_id": ("string", "u-1"),
        "vcpus": ("integer", "1"),
    }


def test_versioned_notifications_have_the_same_traits(lake: sa.Lake) -> None:
    """What nova's versioned format tells of an instance has the names that the legacy one has."""
    versioned = traits_of(lake, "m-2")

    assert versioned.keys() == traits_of(lake, "m-1").keys() - {"launched_at", "request_id"}
    assert (versioned["memory_mb"], versioned["tenant_id"]) == (("integer", "1024"), ("string", "p-2"))


def test_texts_are_cut_and_what_is_empty_is_no_trait(lake: sa.Lake) -> None:
    """A long text is cut to 255 characters, an empty one left out; a later definition replaces a general one."""
    told = traits_of(lake, "m-3")

    assert told["name"] == ("string", "n" * 255)
    assert "status" not in told
    assert told["project_id"] == told["user_id"] == ("string", "p-1")


def test_events_that_nothing_is_defined_for(lake: sa.Lake) -> None:
    """Every event has the traits that all can have."""
    first, again = traited_events(lake, message_id="m-4")["id"]
    assert event_traits(lake, ids=[first]).drop("id").rows() == [
        ("project_id", "string", "p-2"),
        ("service", "string", "x.y"),
        ("tenant_id", "string", "p-2"),
    ]
    assert event_traits(lake, ids=[again])["value"].to_list() == ["p-9", "compute.host-1", "p-9"]


@pytest.mark.parametrize("order", [1, -1])
def test_events_of_one_id_do_not_depend_on_which_came_first(tmp_path: Path, order: int) -> None:
    """All that came are events, also what has the id of another and other content."""
    with lake_of(tmp_path, [*TOLD, AGAIN][::order]) as opened:
        assert traited_events(opened).select("message_id", "generated_at").rows() == [
            ("m-1", datetime(2026, 3, 2, 10, 0, 7, 250_000, UTC)),
            ("m-2", datetime(2026, 3, 2, 11, tzinfo=UTC)),
            ("m-3", datetime(2026, 3, 3, tzinfo=UTC)),
            ("m-4", datetime(2026, 3, 4, tzinfo=UTC)),
            ("m-4", datetime(2026, 3, 5, tzinfo=UTC)),
        ]


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (("memory_mb", "eq", 512, "integer"), ["m-1"]),
        (("memory_mb", "ge", 512, "integer"), ["m-1", "m-2"]),
        (("memory_mb", "ne", 512, "integer"), ["m-2"]),
        (("memory_mb", "gt", 511.5, "float"), []),
        (("memory_mb", "eq", "512", "string"), []),
        (("service", "eq", "compute", "string"), ["m-1", "m-2"]),
        (("service", "gt", "compute", "string"), ["m-3", "m-4", "m-4"]),
        (("launched_at", "lt", datetime(2026, 3, 2, 10, 0, 7, tzinfo=UTC), "datetime"), ["m-1"]),
        (("name", "eq", "n" * 255, "string"), ["m-3"]),
        (("user_id", "eq", "p-1", "string"), ["m-3"]),
        (("nothing", "eq", "x", "string"), []),
        (("user_id", "eq", "u-1", "string", True), ["m-1", "m-4", "m-4"]),
    ],
)
def test_events_are_found_by_traits(lake: sa.Lake, condition: Any, found: list[str]) -> None:
    """A condition compares with its type, and finds what has the trait, and what has none where that counts too."""
    asked = [TraitCondition(*condition)]

    assert traited_events(lake, traits=asked)["message_id"].to_list() == found
    assert traited_event_count(lake, traits=asked) == len(found)


def test_all_restrictions_must_hold(lake: sa.Lake) -> None:
    """Type, time, several traits and pages go together."""
    size = [TraitCondition("memory_mb", "gt", 0, "integer"), TraitCondition("state", "eq", "active")]

    assert traited_events(lake, traits=size, event_type="instance.create.end")["message_id"].to_list() == ["m-2"]
    start, end = datetime(2026, 3, 2, 11, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC)
    assert traited_events(lake, start=start, end=end)["message_id"].to_list() == ["m-2", "m-3"]
    assert traited_events(lake, limit=2, offset=1)["message_id"].to_list() == ["m-2", "m-3"]
    assert traited_event_count(lake, start=start, event_type="nothing") == 0
    with pytest.raises(sa.InputError, match="no operator 'x' for state; there are eq"):
        traited_events(lake, traits=[TraitCondition("state", "x", "active")])


def test_traits_of_a_type(lake: sa.Lake) -> None:
    """Which traits the events of a type have, and what one of them is."""
    assert trait_types(lake, event_type="image.update").rows() == [
        (name, "string") for name in ("name", "project_id", "resource_id", "service", "size", "user_id")
    ]
    assert [kind for _, kind in trait_types(lake, event_type="compute.instance.create.end").rows()] == (
        ["string"] * 9 + ["integer"] * 4 + ["datetime"]
    )
    values = trait_values(lake, event_type="instance.create.end", trait="memory_mb")
    assert values.drop("id").rows() == [("memory_mb", "integer", "1024")]
    assert trait_values(lake, event_type="unheard.of", trait="tenant_id", limit=1)["value"].to_list() == ["p-2"]
    assert trait_value_count(lake, event_type="unheard.of", trait="tenant_id") == 2
    assert trait_types(lake, event_type="nothing").is_empty()
    assert trait_values(lake, event_type="image.update", trait="vcpus").is_empty()
    assert trait_value_count(lake, event_type="image.update", trait="vcpus") == 0


OWN = """
[[events]]
event_types = ["unheard.*"]
[events.text]
tenant_id = ["$.payload.owner", "deployment"]
[events.float]
load = "$.payload.load"
"""


def test_definitions_of_a_lake(tmp_path: Path) -> None:
    """A lake adds traits to the package's, and replaces some, also of what was landed before."""
    message = notification("unheard.of", "2026-03-04", payload={"tenant_id": "p-2", "load": "0.25"}, message_id="m")
    with lake_of(tmp_path, [message]) as lake:
        (tmp_path / "traits.toml").write_text(OWN)
        assert traits_of(lake, "m") == {
            "load": ("float", "0.25"),
            "project_id": ("string", "p-2"),
            "service": ("string", "compute.host-1"),
            "tenant_id": ("string", "default"),
        }
        assert trait_types(lake, event_type="unheard.of").rows()[-1] == ("load", "float")
        assert traited_event_count(lake, traits=[TraitCondition("load", "gt", 0.2, "float")]) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[[events]", "has no usable definitions of traits"),
        ("[[events]]\nevent_types = ['a']\nboolean = {}", "unknown field `boolean`"),
        ("[[events]]\nevent_types = ['a b']", "'a b' is no pattern of event types"),
        ("[[events]]\nevent_types = ['a']\ntext = {b = '\"'}", "b is '\"': neither a column"),
        ("[[events]]\nevent_types = ['a']\ninteger = {b = '$.payload.c[*]'}", "neither a column of notifications"),
        ("[[events]]\nevent_types = ['a']\nfloat = {b = []}", "b is nothing"),
    ],
)
def test_unusable_definitions(tmp_path: Path, content: str, said: str) -> None:
    """A file that cannot be used is named, with what is wrong."""
    with lake_of(tmp_path, TOLD) as lake:
        (tmp_path / "traits.toml").write_text(content)
        with pytest.raises(sa.LakeError) as told:
            trait_types(lake, event_type="unheard.of")
    assert str(tmp_path / "traits.toml") in str(told.value)
    assert said in str(told.value)
