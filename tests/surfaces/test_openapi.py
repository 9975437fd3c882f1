"""The description of the interface: it is valid, whole, and true of a server that runs."""

import re
from typing import Any

import pytest
import requests
import schemathesis
from serving import running

from stackanalytics.surfaces import openapi
from stackanalytics.surfaces.encoding import ERROR_TABLE, error_table
from stackanalytics.surfaces.own import own_surface
from stackanalytics.surfaces.route import Route, Surface
from stackanalytics.surfaces.server import SURFACES

SERVED = (*SURFACES, own_surface(SURFACES))
ROUTES = [route for surface in SERVED for route in surface.routes]


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    """The description."""
    return openapi.document(SERVED)


def test_it_is_valid(described: dict[str, Any]) -> None:
    """It is a description by the rules of OpenAPI 3.1."""
    schemathesis.openapi.from_dict(described).validate()


def test_every_route_is_in_it_and_nothing_else(described: dict[str, Any]) -> None:
    """Paths and methods are those of the routes."""
    told = {(path, method) for path, operations in described["paths"].items() for method in operations}

    assert told == {(re.sub(r"<(\w+)>", r"{\1}", route.path), route.method.lower()) for route in ROUTES}


def test_a_title_stands_for_one_schema() -> None:
    """Two forms of one name are refused, rather than one of them told wrong."""
    routes = tuple(
        Route(f"/{kind}", own_surface(()).routes[0].answer, "One.", returns={"type": kind, "title": "Same"})
        for kind in ("object", "array")
    )

    with pytest.raises(ValueError, match="'Same'"):
        openapi.document([Surface("", routes, error_table, ERROR_TABLE)])


def test_the_server_serves_it(tmp_path: Any, described: dict[str, Any]) -> None:
    """A server describes what it serves, and its front page leads there."""
    from stackanalytics.testing import lake_of

    lake_of(tmp_path, []).close()
    with running(tmp_path) as url:
        response = requests.get(f"{url}/openapi.json", timeout=60)
        front = requests.get(url, timeout=60).text

    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")
    assert response.json() == described
    assert '<a href="/openapi.json">' in front
    assert front.count('<a href="/healthz">') == 1
