"""A server does what its description says, whatever is asked: within what it allows, beside it, and against it."""

from collections.abc import Iterator
from datetime import date
from functools import cache
from typing import Any

import jsonschema
import pytest
import schemathesis
from described import SERVED, fill
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis.checks import load_all_checks
from serving import running

from stackanalytics.surfaces import openapi
from stackanalytics.surfaces.encoding import YEARS

DESCRIBED = openapi.document(SERVED)
# lists of records and their statistics read their parameters alike: two of them are asked about each edge of each
AGAIN = r"/db/(usage/(launches|deletes|exists|nova/deletes|glance)/|stats/(nova|glance)/)|^/(meters|resources)|/alarms"
THOROUGH = schemathesis.openapi.from_dict(DESCRIBED).include(method="GET").exclude(path_regex=AGAIN)
BRIEF = schemathesis.openapi.from_dict(DESCRIBED).include(path_regex=AGAIN).include(method_regex="PUT|POST|DELETE")
BRIEF.config.phases.coverage.enabled = False  # each edge of a large body, written to the disk, takes minutes
# what is of the right form, and refused all the same: two ends of a range, a value that fits its field, a tenant that
# is that of the path, conditions of Ceilometer's on fields that there are
BEYOND_FORM = (
    *("/db/stats/events/", "/stacky/search/", "/db/tenant/info/{tenant}/"),
    *(path for path in DESCRIBED["paths"] if path.startswith(("/v2", "/meters", "/resources"))),
)
# what is of a wrong form, and cannot be told from a right one: a form has no types
FORMLESS = ("/db/repair/",)

# no instant is taken from outside of these years, which no format can tell
DAYS = st.dates(date(YEARS[0], 1, 2), date(YEARS[-1], 12, 30))
schemathesis.openapi.format("date", DAYS.map(str))
schemathesis.openapi.format("date-time", st.builds("{}T{}Z".format, DAYS, st.times()))
load_all_checks()
STEADY = settings(derandomize=True, database=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of a lake to throw away, which writes."""
    folder = tmp_path_factory.mktemp("conforming")
    fill(folder)
    with running(folder, allow_writes=True) as address:
        yield address


def assert_described(ctx: Any, response: Any, case: Any) -> None:
    """What is answered has the form that is described for its status.

    Schemathesis' own check of this cannot read tuples (``prefixItems``) in version 4.32.
    """
    form = validator(case.operation.path, case.method.lower(), str(response.status_code))
    if form is not None:
        form.validate(response.json())


@cache
def validator(path: str, method: str, status: str) -> jsonschema.Draft202012Validator | None:
    """What tells whether JSON has the form that is described; None where a method or JSON is not described."""
    content = DESCRIBED["paths"][path].get(method, {"responses": {}})["responses"].get(status, {}).get("content", {})
    if "application/json" not in content:
        return None
    return jsonschema.Draft202012Validator(
        {**content["application/json"]["schema"], "components": DESCRIBED["components"]}
    )


def excluded(path: str) -> list[Any]:
    """The checks that do not hold for a path."""
    checks = schemathesis.checks.CHECKS
    names = ["response_schema_conformance"]
    names += ["positive_data_acceptance"] if path in BEYOND_FORM else []
    names += ["negative_data_rejection"] if path in FORMLESS else []
    return [checks.get_one(name) for name in names]


def ask(url: str, case: Any) -> None:
    """Ask what schemathesis has made up, and check the answer."""
    case.call_and_validate(
        base_url=url, excluded_checks=excluded(case.operation.path), additional_checks=[assert_described], timeout=60
    )


@THOROUGH.parametrize()
@settings(parent=STEADY, max_examples=10)
def test_reading_is_as_described(url: str, case: Any) -> None:
    """What the description allows is answered in its form, everything else refused with a status that it has."""
    ask(url, case)


@BRIEF.parametrize()
@settings(parent=STEADY, max_examples=5)
def test_writing_and_like_reading_is_as_described(url: str, case: Any) -> None:
    """Bodies that the description allows are taken, all others refused; lists like those above do as they do."""
    ask(url, case)


def test_every_route_is_asked() -> None:
    """No route is left out of both."""
    asked = [operation.ok().label for schema in (THOROUGH, BRIEF) for operation in schema.get_all_operations()]

    assert sorted(asked) == sorted(
        f"{method.upper()} {path}" for path, operations in DESCRIBED["paths"].items() for method in operations
    )
