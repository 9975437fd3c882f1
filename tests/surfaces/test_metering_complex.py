"""The complex query of Ceilometer's API v2 over HTTP: texts of JSON within JSON."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from asked import Told, ask

from stackanalytics.lake import Lake
from stackanalytics.testing import sample, samples_of

PATH = "/v2/query/samples"
SAMPLES = [
    sample("cpu_util", f"2012-08-01 10:0{minute}", volume, resource=f"r{volume % 2}", tenant=f"p{volume % 2}")
    for minute, volume in enumerate((5, 3, 4, 1, 2))
]
MEMBER = {"X_Roles": "member", "X_Project_Id": "p1"}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """Return a lake with five samples of two projects."""
    with samples_of(tmp_path_factory.mktemp("lake"), SAMPLES) as opened:
        yield opened


def post(lake: Lake, headers: dict[str, str] | None = None, **members: Any) -> Told:
    """Ask with filter and orderby written as text, as clients do."""
    body = {name: json.dumps(told) if name in ("filter", "orderby") else told for name, told in members.items()}
    return ask(lake, PATH, method="POST", body=body, **(headers or {}))


def volumes(told: Told) -> list[float]:
    """Return the volumes of the samples that came back."""
    assert told.status == 200, told
    return [row["volume"] for row in told.value]


def test_queries(lake: Lake) -> None:
    """Filter, order and limit, which may be text, are all optional; samples have the new names."""
    assert volumes(post(lake)) == [2, 1, 4, 3, 5]
    assert volumes(post(lake, filter={">": {"volume": 2}}, orderby=[{"volume": "ASC"}], limit="2")) == [3, 4]
    assert volumes(post(lake, orderby=[], limit=1)) == [2]
    assert volumes(ask(lake, PATH, method="POST", body={"filter": None, "orderby": "", "limit": None})) == [
        2,
        1,
        4,
        3,
        5,
    ]
    assert set(post(lake, limit=1).value[0]) == {
        *("id", "meter", "type", "unit", "volume", "user_id", "project_id", "resource_id", "source", "timestamp"),
        *("recorded_at", "metadata"),
    }


def test_pages(lake: Lake) -> None:
    """A page says how many samples there are; the next one is asked for in the body."""
    first, last = post(lake, limit=3), post(lake, limit=3, offset=3)

    assert first.headers == {"X-Total-Count": "5", "X-Truncated": "true"}
    assert last.headers == {"X-Total-Count": "5", "X-Truncated": "false"}
    assert volumes(first) + volumes(last) == [2, 1, 4, 3, 5]


def test_members_see_their_project(lake: Lake) -> None:
    """Whatever is asked, it is asked of the own project; another one cannot be named anywhere."""
    own, other = {"=": {"project_id": "p1"}}, {"=": {"project": "p0"}}

    assert volumes(post(lake, MEMBER)) == [1, 3, 5]
    assert volumes(post(lake, MEMBER, filter={"or": [own, {">": {"volume": 0}}]})) == [1, 3, 5]
    for filter in (other, {"not": other}, {"and": [own, {"or": [own, other]}]}, {"in": {"project_id": ["p1", "p0"]}}):
        told = post(lake, MEMBER, filter=filter)
        assert (told.status, told.value) == (401, "Not Authorized to access project p0")
    assert post(lake, {"X_Roles": "member"}).status == 403


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "The body is no JSON"),
        (b"{", "The body is no JSON"),
        ([], "give an object with any of filter, orderby, limit, offset"),
        ({"bogus": 1}, "Unknown attribute for argument body: bogus"),
        ({"filter": "{"}, "Filter expression not valid: it is no JSON"),
        ({"filter": "5"}, "Filter expression not valid"),
        ({"filter": '{"=": {"bogus": 1}}'}, "Filter expression not valid: no field 'bogus'"),
        ({"filter": '{"=~": {"resource": "["}}'}, "Filter expression not valid"),
        ({"filter": '{"=": {"volume": 1e999}}'}, "Filter expression not valid: it is no JSON"),
        ({"filter": "[" * 5000}, "Filter expression not valid: it is no JSON"),
        ({"filter": '{"not":' * 200 + '{"=": {"volume": 1}}' + "}" * 200}, "nested more than 50 deep"),
        ({"orderby": "{}"}, "Order-by expression not valid"),
        ({"orderby": "x"}, "Order-by expression not valid: it is no JSON"),
        ({"orderby": '[{"metadata.x": "asc"}]'}, "Order-by expression not valid: no field 'metadata.x'"),
        ({"limit": 0}, "Limit must be positive"),
        ({"limit": "x"}, "Invalid input for field/attribute limit"),
        ({"limit": 1.5}, "Invalid input for field/attribute limit"),
        ({"limit": True}, "Invalid input for field/attribute limit"),
        ({"limit": []}, "Invalid input for field/attribute limit"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_refusals(lake: Lake, body: Any, said: str) -> None:
    """What is no query is refused with what is wrong with it."""
    told = ask(lake, PATH, method="POST", body=body)

    assert (told.status, said in told.value) == (400, True), told


def test_other_arguments_and_types(lake: Lake) -> None:
    """The query string has nothing to say, and only JSON is read."""
    assert ask(lake, f"{PATH}?limit=1", method="POST", body={}).status == 400
    assert ask(lake, PATH, method="POST", body=b"x=1", Content_Type="application/x-www-form-urlencoded").status == 415
