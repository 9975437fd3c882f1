"""The public surface: what ``import stackanalytics as sa`` gives, and that all of it keeps to one form."""

import doctest
import inspect
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

import stackanalytics as sa
from stackanalytics.schema import FIELDS, NOVA_FIELDS, polars_schema
from stackanalytics.testing import lake_of, notification

ANALYSES = {
    name: function
    for name in sa.__all__
    if inspect.isfunction(function := getattr(sa, name)) and "lake" in inspect.signature(function).parameters
}
NOVA = pl.DataFrame(schema=polars_schema(*NOVA_FIELDS))
DAY = {"start": datetime(2026, 3, 2, tzinfo=UTC), "end": datetime(2026, 3, 3, tzinfo=UTC)}
# what each cannot do without
NEEDED: dict[str, dict[str, object]] = {
    "attempts": DAY,
    "nova_usage_audit": DAY,
    "image_events_audit": DAY,
    "glance_usage_audit": DAY,
    "public_outbound_bandwidth": DAY,
    "expected_launches": DAY,
    "expected_images": DAY,
    "audit_statistics": DAY,
    "error_details": DAY,
    "event": {"id": 1},
    "instance_hour_totals": DAY,
    "instance_hours": DAY,
    "operation_summary": DAY,
    "reconcile": {"nova": NOVA},
    "resource": {"id": "i-1"},
    "sample_gaps": {"meter": "instance", "longer_than_s": 60},
    "statistics": {"meter": "instance"},
    "tenant_is_known": {"tenant": "acme"},
    "times_above": {"meter": "instance", "threshold": 0},
    "timing_distribution": {"operation": "compute.instance.create"},
    "usage_gaps": {"start": datetime(2026, 3, 2, tzinfo=UTC), "end": datetime(2026, 3, 3, tzinfo=UTC)},
    "volume_distribution": {"meter": "instance"},
    "verify": {"until": datetime(2026, 3, 3, tzinfo=UTC)},
}

analyses = pytest.mark.parametrize("analysis", ANALYSES.values(), ids=ANALYSES)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> sa.Lake:
    """Return a lake in which an API request created an instance within five seconds."""
    told = [
        ("compute.instance.update", "10:00:00", "nova-api"),
        ("compute.instance.create.start", "10:00:01", "compute"),
        ("compute.instance.create.end", "10:00:05", "compute"),
    ]
    messages = [
        notification(event_type, f"2026-03-02 {at}", instance="i-1", request_id="req-1", service=service)
        for event_type, at, service in told
    ]
    return lake_of(tmp_path_factory.mktemp("lake"), messages)


def test_names_are_sorted_and_exist() -> None:
    """``__all__`` is in order, names nothing twice and nothing that is not there."""
    assert list(sa.__all__) == sorted(set(sa.__all__))
    assert all(hasattr(sa, name) for name in sa.__all__)


@analyses
def test_the_lake_comes_first_and_the_rest_has_names(analysis: Callable[..., object]) -> None:
    """Behind the lake all arguments are given by name, unless the first one says what is looked up."""
    first, *others = inspect.signature(analysis).parameters.values()

    assert first.name == "lake"
    named = [other for other in others if other.kind is other.KEYWORD_ONLY]
    assert len(named) >= len(others) - 1
    assert len(named) == len(others) or others[0].default is others[0].empty


@analyses
def test_what_restricts_can_be_left_out(analysis: Callable[..., object]) -> None:
    """None means no restriction, for each argument that is not needed, numbers and flags apart."""
    parameters = inspect.signature(analysis).parameters.values()
    optional = {parameter.name: parameter.default for parameter in parameters if parameter.name != "lake"}

    for name in NEEDED.get(analysis.__name__, {}):
        assert optional.pop(name) is inspect.Parameter.empty
    assert {name for name, default in optional.items() if default is not None} <= {
        "aligned",
        "by",
        "classes",
        "descending",
        "empty",
        "flavor_field",
        "match",
        "metadata",
        "newest_first",
        "offset",
        "period_s",
        "order_by",
        "service",
        "settle_s",
        "unique",
        "validation_level",
        "percentile",
        "slow_s",
    }


@analyses
def test_documentation_is_complete(analysis: Callable[..., object]) -> None:
    """A docstring tells in a sentence what it returns, every parameter, the source, and an example."""
    text = inspect.getdoc(analysis) or ""

    assert text.splitlines()[0].endswith(".")
    for heading in ("Parameters\n---", "Returns\n---", "Source: ", "Examples\n---"):
        assert heading in text
    described = text.partition("Parameters\n")[2].partition("Returns\n")[0]
    for name in inspect.signature(analysis).parameters:
        assert name in described


@analyses
def test_examples_are_true(analysis: Callable[..., object], lake: sa.Lake) -> None:
    """The example in a docstring gives what it says."""
    runner = doctest.DocTestRunner()
    for example in doctest.DocTestFinder(recurse=False).find(analysis, globs={"sa": sa, "lake": lake, "nova": NOVA}):
        runner.run(example)

    failed, attempted = runner.summarize(verbose=False)
    assert attempted > 0
    assert failed == 0


@analyses
def test_empty_answers_have_all_columns(analysis: Callable[..., object], lake: sa.Lake, tmp_path: Path) -> None:
    """A lake without any notification gives a frame of no rows, with the columns of any other answer."""
    needed = NEEDED.get(analysis.__name__, {})
    with lake_of(tmp_path, []) as empty:
        found, nothing = analysis(lake, **needed), analysis(empty, **needed)

    if isinstance(found, pl.DataFrame) and isinstance(nothing, pl.DataFrame):
        assert nothing.schema == found.schema
        assert nothing.is_empty()
        assert found.schema == polars_schema(*found.columns)
    else:
        assert nothing is False


@analyses
def test_a_repeated_question_has_the_same_answer(analysis: Callable[..., object], lake: sa.Lake) -> None:
    """Asked twice, a lake gives the same rows in the same order."""
    needed = NEEDED.get(analysis.__name__, {})

    first, second = analysis(lake, **needed), analysis(lake, **needed)

    assert (
        first.equals(second)
        if isinstance(first, pl.DataFrame) and isinstance(second, pl.DataFrame)
        else first == second
    )


def test_every_column_is_in_the_dictionary(lake: sa.Lake) -> None:
    """No answer has a column that the field dictionary does not explain."""
    for name, analysis in ANALYSES.items():
        found = analysis(lake, **NEEDED.get(name, {}))
        if isinstance(found, pl.DataFrame):
            assert set(found.columns) <= set(FIELDS)


def test_import_brings_in_no_surface_library() -> None:
    """What a script or a notebook imports loads neither a server nor a plotting library."""
    heavy = ("bokeh", "click", "holoviews", "hvplot", "panel", "rich", "tornado")
    program = f"import stackanalytics, sys; print(*(set(sys.modules) & set({heavy!r})))"

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert loaded.split() == []
