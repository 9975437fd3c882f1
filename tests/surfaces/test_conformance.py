"""A server does what its description says, whatever is asked: within what it allows, beside it, and against it."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema
import pytest
import schemathesis
from described import SERVED, fill
from hypothesis import HealthCheck, settings
from schemathesis.checks import load_all_checks
from serving import running

from stackanalytics.surfaces import openapi

DESCRIBED = openapi.document(SERVED)
READING = schemathesis.openapi.from_dict(DESCRIBED).include(method="GET")
WRITING = schemathesis.openapi.from_dict(DESCRIBED).include(method="PUT").include(path="/db/repair/")
# each edge of each form of a large body, written to the disk, takes minutes
WRITING.config.phases.coverage.enabled = False
# lists of records under older names, and statistics, read their parameters as the lists do that are asked
AGAIN = r"/db/(usage/(launches|deletes|exists)|usage/glance/exists/$|stats/(nova|glance)/)"
# what is of the right form, and refused all the same: two ends of a range, a value that fits its field, a tenant that
# is that of the path
BEYOND_FORM = ("/db/stats/events/", "/stacky/search/", "/stacky/reports/search/", "/db/tenant/info/{tenant}/")
# what is of a wrong form, and cannot be told from a right one: a form has no types
FORMLESS = ("/db/repair/",)

load_all_checks()
BOUNDED = settings(max_examples=10, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


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


@READING.exclude(path_regex=AGAIN).parametrize()
@BOUNDED
def test_reading_is_as_described(url: str, case: Any) -> None:
    """What the description allows is answered in its form, everything else refused with a status that it has."""
    ask(url, case)


@WRITING.parametrize()
@BOUNDED
def test_writing_is_as_described(url: str, case: Any) -> None:
    """Bodies that the description allows are taken, all others refused with a status that it has."""
    ask(url, case)
