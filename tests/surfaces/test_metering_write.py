"""What Ceilometer's API v2 writes: samples, definitions of meters, and meters that are to be seen no more."""

import json
from pathlib import Path
from typing import Any

import pytest
from asked import Told
from asked import ask as ask_lake

from stackanalytics.lake import open_lake
from stackanalytics.lake.meter_state import MeterState
from stackanalytics.surfaces.metering_query import LARGEST_BODY
from stackanalytics.testing import lake_of, notification, sample, samples_of

APPLE: dict[str, Any] = {
    "counter_name": "apples",
    "counter_type": "gauge",
    "counter_unit": "apple",
    "counter_volume": 3,
    "resource_id": "tree",
    "timestamp": "2013-01-01T00:00:00",
}
MEMBER = {"X_Roles": "member", "X_Project_Id": "p1", "X_User_Id": "u1"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a lake with a sample of pears."""
    samples_of(tmp_path, [sample("pears", "2013-01-01", 1, unit="pear")]).close()
    return tmp_path


def ask(folder: Path, url: str, method: str = "GET", body: object = b"", **headers: str) -> Told:
    """Ask the lake as it is now."""
    with open_lake(folder) as lake:
        return ask_lake(lake, url, method=method, body=body, **headers)


def post(folder: Path, *samples: object, **headers: str) -> Told:
    """Post samples of apples."""
    return ask(folder, "/v2/meters/apples", "POST", list(samples), **headers)


def without(*names: str) -> dict[str, Any]:
    """Return an apple without some of its members."""
    return {name: value for name, value in APPLE.items() if name not in names}


def test_samples_are_completed_and_stored(folder: Path) -> None:
    """The answer tells what a sample was completed with, and what it says is found afterwards."""
    told = post(folder, APPLE)

    [posted] = told.value
    id = posted.pop("message_id")
    assert told.status == 201
    assert posted == {
        **APPLE,
        "counter_volume": 3.0,
        "user_id": None,
        "project_id": None,
        "source": "None:openstack",
        "resource_metadata": {},
    }
    [stored] = ask(folder, "/v2/meters/apples").value
    assert {name: stored[name] for name in posted} == posted
    assert ask(folder, f"/v2/samples/{id}").value["resource_id"] == "tree"
    assert ask(folder, "/v2/resources/tree?s=resource_id").value == {"resource_id": "tree"}


def test_four_apples(folder: Path) -> None:
    """Statistics count what was posted: of four apples, as texts and numbers, the least, most and sum."""
    times = [f"2013-01-01T0{hour}:00:00" for hour in range(4)]
    post(
        folder,
        *({**APPLE, "counter_volume": v, "timestamp": at} for v, at in zip((1, "2", 3.0, "3"), times, strict=True)),
    )

    [row] = ask(folder, "/v2/meters/apples/statistics").value

    assert (row["count"], row["min"], row["max"], row["sum"]) == (4, 1.0, 3.0, 9.0)


def test_whatever_is_posted_counts(folder: Path) -> None:
    """Equal samples are as many as were posted, as in Ceilometer: each gets an id of its own."""
    post(folder, APPLE, APPLE)
    post(folder, APPLE)
    post(folder, without("timestamp"), without("timestamp"))

    found = ask(folder, "/v2/meters/apples").value
    assert len({sample["message_id"] for sample in found}) == len(found) == 5


def test_samples_of_one_request_come_at_one_time(folder: Path) -> None:
    """Without a timestamp, samples are as new as the request that posts them, to the microsecond, and recorded then."""
    post(folder, *[without("timestamp")] * 3)

    found = ask(folder, "/v2/meters/apples").value
    assert len({(sample["timestamp"], sample["recorded_at"]) for sample in found}) == 1
    assert found[0]["timestamp"] == found[0]["recorded_at"]


def test_secrets_are_redacted(folder: Path) -> None:
    """No secret in what is posted is stored or shown."""
    [shown] = post(folder, {**APPLE, "resource_metadata": {"auth_token": "FAKE-SECRET", "name": "n"}}).value
    [found] = ask(folder, "/v2/meters/apples").value

    assert shown["resource_metadata"] == found["resource_metadata"] == {"auth_token": "***", "name": "n"}


def test_times_are_in_utc(folder: Path) -> None:
    """An offset is converted, not dropped; microseconds are kept."""
    [posted] = post(folder, {**APPLE, "timestamp": "2013-01-01T03:00:00.25+02:00"}).value

    assert posted["timestamp"] == "2013-01-01T01:00:00.250000"


def test_metadata_may_be_nested_or_dotted(folder: Path) -> None:
    """Dots in names stand for nesting, which can be asked for by path, with the types of values."""
    post(folder, {**APPLE, "resource_metadata": {"a.b": 5, "a.c": {"d": True}, "e..f": "x"}})

    for query in ("metadata.a.b&q.value=5", "metadata.a.c.d&q.value=True", "metadata.a.c:d&q.value=True"):
        assert len(ask(folder, f"/v2/samples?q.field={query}").value) == 1
    [stored] = ask(folder, "/v2/samples?s=metadata&q.field=meter&q.value=apples").value
    assert stored["metadata"] == {"a.b": "5", "a.c:d": "True", "e.:f": "x"}


def test_samples_of_any_meter(folder: Path) -> None:
    """The blueprint's POST on all meters takes a list or one sample; a counter is what accumulates."""
    for path in ("/meters", "/v2/meters"):
        told = ask(folder, path, "POST", [{**APPLE, "counter_name": name, "counter_type": "counter"} for name in "ab"])
        assert (told.status, {row["counter_type"] for row in told.value}) == (201, {"cumulative"})
    told = ask(folder, "/meters", "POST", {**APPLE, "counter_name": "c", "counter_unit": ""})
    assert (told.status, len(told.value)) == (201, 1)
    assert [row["name"] for row in ask(folder, "/meters").value] == ["a", "b", "c", "pears"]


def test_owners_of_samples(folder: Path) -> None:
    """Samples are of who posts them, unless they tell; a member posts for the own project only."""
    [posted] = post(folder, APPLE, **MEMBER).value
    assert (posted["project_id"], posted["user_id"], posted["source"]) == ("p1", "u1", "p1:openstack")
    [posted] = post(folder, {**APPLE, "project_id": "p2", "user_id": "u2", "source": "me"}, X_Roles="admin").value
    assert (posted["project_id"], posted["user_id"], posted["source"]) == ("p2", "u2", "p2:me")
    refused = post(folder, {**APPLE, "project_id": "p2"}, **MEMBER)
    assert (refused.status, "can not post samples to other projects" in refused.value) == (400, True)
    assert post(folder, APPLE, X_Roles="member").status == 403


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "give a list of samples"),
        ("x", "give a list of samples"),
        ([], "Samples should be included in request body"),
        ([1], "a sample is an object"),
        *(
            ([without(name)], f"field/attribute {name}. Value: 'None'. Mandatory field missing.")
            for name in ("counter_name", "counter_type", "counter_unit", "counter_volume", "resource_id")
        ),
        ([{**APPLE, "resource_id": ""}], "resource_id. Value: 'None'. Mandatory field missing."),
        ([{**APPLE, "resource_id": None}], "resource_id. Value: 'None'. Mandatory field missing."),
        ([{**APPLE, "counter_name": "pears"}], "counter_name. Value: 'pears'. should be apples"),
        ([{**APPLE, "counter_type": "Gauge"}], "Value not one of gauge, delta, cumulative, counter"),
        ([{**APPLE, "counter_volume": "many"}], "counter_volume. Value: 'many'. unable to convert to float"),
        ([{**APPLE, "counter_volume": True}], "counter_volume"),
        ([{**APPLE, "counter_volume": "inf"}], "counter_volume"),
        ([{**APPLE, "counter_volume": "1" * 400}], "counter_volume"),
        ([{**APPLE, "counter_unit": 5}], "counter_unit. Value: '5'. give a text"),
        ([{**APPLE, "user_id": 5}], "user_id. Value: '5'. give a text"),
        ([{**APPLE, "message_id": "x"}], "The message_id must not be specified"),
        ([{**APPLE, "recorded_at": "2013-01-01"}], "The recorded_at must not be specified"),
        ([{**APPLE, "bogus": 1}], 'Unknown argument: "bogus"'),
        ([{**APPLE, "timestamp": "x"}], "invalid timestamp format"),
        ([{**APPLE, "timestamp": 5}], "Invalid input for field/attribute timestamp. Value: '5'. give a text"),
        ([{**APPLE, "timestamp": "9999-01-01"}], "give a year from 2 to 9998"),
        ([{**APPLE, "resource_metadata": []}], "resource_metadata. Value: '[]'. give an object"),
        ([{**APPLE, "resource_metadata": {"a": 1, "a.b": 1}}], "a is a value, and cannot have more below it"),
        ([{**APPLE, "resource_metadata": {"a.b": 1, "a": 1}}], "it is told twice"),
        ([APPLE, {**APPLE, "counter_volume": None}], "counter_volume"),
    ],
    ids=lambda value: str(value)[:70],
)
def test_refused_samples(folder: Path, body: Any, said: str) -> None:
    """What is no sample is refused with what is wrong with it, and nothing of the same request is stored."""
    told = ask(folder, "/v2/meters/apples", "POST", body)

    assert (told.status, said in told.value, told.value.count("Invalid input") < 2) == (400, True, True), told
    assert ask(folder, "/v2/meters/apples").value == []


def test_deep_and_large_bodies(folder: Path) -> None:
    """Metadata that is nested a hundred deep is stored, deeper is refused, and so is what is larger than a limit."""
    deep: dict[str, Any] = {}
    for _ in range(98):
        deep = {"a": deep}
    assert post(folder, {**APPLE, "resource_metadata": {"a": deep}}).status == 201
    assert post(folder, {**APPLE, "resource_metadata": {"a": {"a": deep}}}).status == 400
    assert len(ask(folder, "/v2/meters/apples").value) == 1
    large = ask(folder, "/v2/meters/apples", "POST", b" " * LARGEST_BODY + json.dumps([APPLE]).encode())
    assert (large.status, str(LARGEST_BODY) in large.value) == (413, True)


def test_arguments_of_posting(folder: Path) -> None:
    """``direct`` makes no difference; nothing else can be said, and only JSON is read."""
    path = "/v2/meters/apples"
    assert ask(folder, f"{path}?direct=True", "POST", [APPLE]).status == 201
    assert ask(folder, f"{path}?direct=x", "POST", [APPLE]).status == 400
    assert ask(folder, f"{path}?limit=1", "POST", [APPLE]).status == 400
    assert ask(folder, path, "POST", [APPLE], Content_Type="text/csv").status == 415


# meters


def test_a_meter_is_redefined(folder: Path) -> None:
    """What is said of a meter takes the place of what its samples say, wherever they are shown."""
    told = ask(folder, "/meters/pears", "PUT", {"unit": "fruit", "type": "counter", "description": "sweet"})

    assert told.value == {"name": "pears", "type": "cumulative", "unit": "fruit", "description": "sweet"}
    assert ask(folder, "/v2/meters/pears?s=counter_type&s=counter_unit").value == [
        {"counter_type": "cumulative", "counter_unit": "fruit"}
    ]
    assert ask(folder, "/v2/meters/pears/statistics?s=unit").value == [{"unit": "fruit"}]
    assert ask(folder, "/v2/meters?s=name&s=description").value == [{"name": "pears", "description": "sweet"}]
    told = ask(folder, "/v2/meters/pears", "PUT", {"unit": "pear"})
    assert told.value == {"name": "pears", "type": "cumulative", "unit": "pear", "description": "sweet"}


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/meters/plums", {"unit": "x"}, 404, "Meter plums Not Found"),
        ("/meters/pears", {}, 400, "give an object with any of unit, type, description"),
        ("/meters/pears", [], 400, "give an object with any of unit, type, description"),
        ("/meters/pears", b"", 400, "The body is no JSON"),
        ("/meters/pears", {"name": "x"}, 400, 'Unknown argument: "name"'),
        ("/meters/pears", {"type": "x"}, 400, "Value not one of gauge, delta, cumulative, counter"),
        ("/meters/pears", {"unit": 5}, 400, "unit. Value: '5'. give a text"),
        ("/meters/pears?limit=1", {"unit": "x"}, 400, 'Unknown argument: "limit"'),
    ],
)
def test_refused_definitions(folder: Path, path: str, body: Any, status: int, said: str) -> None:
    """What is no definition, or of no meter, is refused."""
    told = ask(folder, path, "PUT", body)

    assert (told.status, said in told.value) == (status, True), told


def test_a_definition_is_taken_back(folder: Path) -> None:
    """Null lets that hold again which samples say; what is not named stays as it was said."""
    ask(folder, "/meters/pears", "PUT", {"unit": "fruit", "type": "counter", "description": "sweet"})

    told = ask(folder, "/meters/pears", "PUT", {"unit": None, "type": None})
    assert told.value == {"name": "pears", "type": "gauge", "unit": "pear", "description": "sweet"}
    told = ask(folder, "/meters/pears", "PUT", {"description": None})
    assert "description" not in ask(folder, "/v2/meters").value[0]
    assert told.value == {"name": "pears", "type": "gauge", "unit": "pear", "description": None}


def test_a_meter_that_was_deleted_is_shown_again(folder: Path) -> None:
    """Whatever is said of a deleted meter, be it derived, shows it again; what is refused, or is of none, does not."""
    lake_of(folder, [notification("compute.instance.update", "2013-01-01", instance="i", memory_mb=5)]).close()
    for name, unit in (("pears", "pear"), ("memory", "MB"), ("instance", "instance")):
        path = f"/v2/meters/{name}"
        assert ask(folder, path, "DELETE").status == 204
        assert ask(folder, path, "PUT", {"type": "x"}).status == 400
        assert ask(folder, path).value == []

        told = ask(folder, path, "PUT", {"unit": None})
        assert (told.status, told.value["unit"]) == (200, unit)
        assert len(ask(folder, path).value) == 1


def test_a_meter_that_is_deleted_meanwhile(folder: Path) -> None:
    """Where somebody deletes a meter while it is redefined, there is no such meter any more."""

    class Deleting(MeterState):
        def redefine(self, meter: str, **decided: str | None) -> None:
            super().redefine(meter, **decided)
            self.hide(meter)

    with open_lake(folder) as lake:
        lake.meter_state = Deleting(folder)
        assert ask_lake(lake, "/meters/pears", method="PUT", body={"unit": "x"}).status == 404


def test_a_meter_is_hidden_until_there_is_a_new_sample(folder: Path) -> None:
    """A deleted meter is nowhere; its samples come back with the next one that is posted."""
    post(folder, APPLE)

    assert ask(folder, "/v2/meters/apples", "DELETE").status == 204
    for path in ("/v2/meters/apples", "/v2/meters/apples/statistics", "/v2/samples?q.field=meter&q.value=apples"):
        assert ask(folder, path).value == []
    assert [row["name"] for row in ask(folder, "/v2/meters").value] == ["pears"]
    assert ask(folder, "/v2/resources/tree").status == 404
    assert ask(folder, "/v2/meters/apples", "DELETE").status == 404

    post(folder, {**APPLE, "timestamp": "2013-01-02T00:00:00"})
    assert len(ask(folder, "/v2/meters/apples").value) == 2


def test_only_admins_decide_about_meters(folder: Path) -> None:
    """A member can neither redefine nor hide a meter."""
    assert ask(folder, "/v2/meters/pears", "PUT", {"unit": "x"}, **MEMBER).status == 403
    assert ask(folder, "/v2/meters/pears", "DELETE", **MEMBER).status == 403
    assert ask(folder, "/v2/meters?s=unit").value == [{"unit": "pear"}]
