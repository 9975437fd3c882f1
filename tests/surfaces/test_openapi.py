"""The description of the interface: it is valid, whole, and true of a server that runs."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest
import requests
import schemathesis
from described import SERVED, fill
from serving import running

from stackanalytics.surfaces import metering, openapi, stacky, stacky_description
from stackanalytics.surfaces.encoding import ERROR_TABLE, error_table
from stackanalytics.surfaces.metering_query import LARGEST_BODY
from stackanalytics.surfaces.own import own_surface
from stackanalytics.surfaces.route import Route, Surface

ROUTES = [route for surface in SERVED for route in surface.routes]
# lists of records under their older names
AGAIN = re.compile("/db/usage/(launches|deletes|exists)/")


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    """The description."""
    return openapi.document(SERVED)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of that lake, which writes."""
    folder = tmp_path_factory.mktemp("described")
    fill(folder)
    with running(folder, allow_writes=True) as address:
        yield address


def asked(url: str, route: Route, said: dict[str, object], **more: str) -> requests.Response:
    """What a route answers to its required parameters and others."""
    told = {p.name: p.example for p in route.parameters if p.is_required or p.place == "path"} | said
    places = {p.name: p.place for p in route.parameters}
    path = re.sub(r"<(\w+)>", lambda part: quote(str(told[part[1]]), safe=""), route.path)
    query = {name: str(value) for name, value in told.items() if places[name] == "query"} | more
    headers = {name: str(value) for name, value in told.items() if places[name] == "header"}
    body: dict[str, Any] = {}
    if route.body is not None:
        body = {"json" if route.body.content_type == "application/json" else "data": route.body.example}
    return requests.request(route.method, url + path, params=query, headers=headers, timeout=60, **body)


def named(route: Route) -> str:
    """The method and the path of a route."""
    return f"{route.method} {route.path}"


def test_it_is_valid(described: dict[str, Any]) -> None:
    """It is a description by the rules of OpenAPI 3.1."""
    schemathesis.openapi.from_dict(described).validate()


def test_every_route_is_in_it_and_nothing_else(described: dict[str, Any]) -> None:
    """Paths and methods are those of the routes, and the parts of each path are told."""
    told = {(path, method) for path, operations in described["paths"].items() for method in operations}

    assert told == {(re.sub(r"<(\w+)>", r"{\1}", route.path), route.method.lower()) for route in ROUTES}
    for route in ROUTES:
        assert re.findall(r"<(\w+)>", route.path) == [p.name for p in route.parameters if p.place == "path"], route.path
        assert len({p.name for p in route.parameters}) == len(route.parameters), route.path


def test_everything_is_told_to_people(described: dict[str, Any]) -> None:
    """Whatever can be asked and said has words; operations have names of their own."""
    operations = [operation for path in described["paths"].values() for operation in path.values()]

    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(tag["description"] for tag in described["tags"])
    answered = [route for route in ROUTES if route.returns is not None and route.content_type == "application/json"]
    assert [route.path for route in answered if route.example is None] == [openapi.PATH]
    assert {route.path for route in stacky.SURFACE.routes} >= {
        *stacky_description.DETAILS,
        *stacky_description.EXAMPLES,
    }
    for operation in operations:
        assert re.fullmatch(r"[A-Z].*\.", operation["summary"])
        assert re.fullmatch(r"[A-Z].*\.", operation.get("description", "None."))
        for parameter in operation["parameters"]:
            assert re.match(r"[A-Z`].*\.$", parameter["description"], re.DOTALL), parameter


METERING = [route for surface in metering.SURFACES for route in surface.routes]
METERED = [route for route in METERING if not route.is_former]


@pytest.mark.parametrize("route", METERED, ids=named)
def test_what_is_not_known_is_refused(url: str, route: Route) -> None:
    """Ceilometer's routes refuse unknown arguments, and say so; of conditions those tell that have some."""
    response = asked(url, route, {}, bogus="1")

    assert response.status_code == 400, response.text
    assert "Arguments that are not known are refused" in route.detail
    assert ("q.field=" in route.detail) == ("q.field" in [p.name for p in route.parameters])


@pytest.mark.parametrize("route", METERED, ids=named)
def test_bodies_that_are_too_large(url: str, described: dict[str, Any], route: Route) -> None:
    """Who reads a body refuses one that is too large, and says so; only what deletes reads none."""
    path = re.sub(r"<(\w+)>", "x", route.path)
    response = requests.request(route.method, url + path, data=b" " * LARGEST_BODY + b"{}", timeout=60)

    is_read = route.method != "DELETE"
    assert (response.status_code == 413) == is_read, response.text
    told = described["paths"][re.sub(r"<(\w+)>", r"{\1}", route.path)][route.method.lower()]
    assert ("413" in told["responses"]) == is_read


def test_refusals_are_told_in_words_of_their_own(described: dict[str, Any]) -> None:
    """Only what writes is forbidden by a server that only reads; what posts or lists finds nothing missing."""
    for route in ROUTES:
        told = described["paths"][re.sub(r"<(\w+)>", r"{\1}", route.path)][route.method.lower()]["responses"]
        assert ("--allow-writes" in told.get("403", {"description": ""})["description"]) == route.writes
    told = described["paths"]
    for path in ("/v2/meters", "/v2/meters/{meter}", "/v2/query/samples"):
        assert "404" not in told[path]["post"]["responses"]
    assert "X-Project-Id" in told["/v2/samples"]["get"]["responses"]["403"]["description"]
    assert "another project" in told["/v2/samples"]["get"]["responses"]["401"]["description"]


def test_a_title_stands_for_one_schema() -> None:
    """Two forms of one name are refused, rather than one of them told wrong."""
    routes = tuple(
        Route(f"/{kind}", own_surface(()).routes[0].answer, "One.", returns={"type": kind, "title": "Same"})
        for kind in ("object", "array")
    )

    with pytest.raises(ValueError, match="'Same'"):
        openapi.document([Surface("", routes, error_table, ERROR_TABLE)])


def test_an_example_is_told_as_it_is() -> None:
    """A title in an example is data, not the name of a form."""
    form = {"type": "object", "title": "Book"}
    route = Route("/book", own_surface(()).routes[0].answer, "One.", returns=form, example={"title": "Emma"})

    described = openapi.document([Surface("", (route,), error_table, ERROR_TABLE)])

    [content] = described["paths"]["/book"]["get"]["responses"]["200"]["content"].values()
    assert content == {"schema": {"$ref": "#/components/schemas/Book"}, "example": {"title": "Emma"}}
    assert described["components"]["schemas"]["Book"] == form


def test_the_server_serves_it(url: str, described: dict[str, Any]) -> None:
    """A server describes what it serves, and its front page leads there, once."""
    response = requests.get(f"{url}/openapi.json", timeout=60)
    front = requests.get(url, timeout=60).text

    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")
    assert response.json() == described
    assert front.count('<a href="/openapi.json">') == 1
    assert front.count('<a href="/healthz">') == 1


@pytest.mark.parametrize("route", ROUTES, ids=named)
def test_examples_are_answered(url: str, described: dict[str, Any], route: Route) -> None:
    """With the examples of its parameters and its body every route has an answer, of the form of its example."""
    [told] = [
        operations[route.method.lower()]
        for path, operations in described["paths"].items()
        if path == re.sub(r"<(\w+)>", r"{\1}", route.path)
    ]
    is_asked_once = AGAIN.match(route.path) or route.method == "DELETE"
    told_of = [] if is_asked_once else [p for p in route.parameters if p.example is not None]
    for said in [{}, *({p.name: p.example} for p in told_of)]:
        response = asked(url, route, said)
        expected = (404, 410) if route.is_former else (route.status,)
        assert response.status_code in expected, (response.url, response.text)
        if route.is_former or route.content_type != "application/json":
            continue
        if route.returns is None:
            assert response.content == b""
            continue
        form = told["responses"][str(int(route.status))]["content"]["application/json"]["schema"]
        validator = jsonschema.Draft202012Validator({**form, "components": described["components"]})
        validator.validate(response.json())
        if route.example is not None:
            validator.validate(route.example)


# what must be said beside a parameter to see that it is read: without since, watch shows the last two seconds
BESIDE = {"event_name": {"since": 0}}


# what is hidden is not there when it is asked for again
READING = [
    route
    for route in ROUTES
    if route.parameters and not route.is_former and not AGAIN.match(route.path) and route.method != "DELETE"
]


@pytest.mark.parametrize("route", READING, ids=named)
def test_every_parameter_is_read(url: str, route: Route) -> None:
    """What each parameter says matters: with something that nothing is like the answer is another."""
    usual = asked(url, route, {})
    assert usual.status_code == route.status
    for parameter in route.parameters:
        beside = BESIDE.get(parameter.name, {})
        without = asked(url, route, beside) if beside else usual
        given = asked(url, route, {**beside, parameter.name: "x"})
        assert given.status_code in (200, 400, 404), (given.url, given.text)
        assert (given.status_code, given.content) != (without.status_code, without.content), given.url
