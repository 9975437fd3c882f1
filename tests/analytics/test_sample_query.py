"""Samples by expressions: Ceilometer's scenario of the complex query, and the logic of what is not known."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import stackanalytics as sa
from stackanalytics.testing import sample, samples_of

# of each of three resources, six volumes; metadata as the number of the sample tells
VOLUMES = [0.79, 0.41, 0.4, 0.8, 0.39, 0.81]
SAMPLES = [
    sample(
        "cpu_util",
        f"2012-08-01 10:{minute:02}",
        volume,
        unit="%",
        resource=f"resource-id-{resource}",
        tenant=f"project-id-{resource}",
        user=None if resource == 44 else f"user-id-{resource}",
        metadata={
            "a_string_key": f"meta-value{volume}",
            "a_float_key": volume,
            "an_int_key": resource,
            "a_bool_key": resource == 44,
            **({"rare": 1} if minute == 0 else {}),
        },
    )
    for resource in (42, 43, 44)
    for minute, volume in enumerate(VOLUMES)
]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Lake]:
    """Return a lake with eighteen samples."""
    with samples_of(tmp_path_factory.mktemp("lake"), SAMPLES) as opened:
        yield opened


def count(lake: sa.Lake, filter: Any) -> int:
    """Return how many samples an expression finds."""
    return sa.query_samples(lake, filter=filter).height


R42, R43 = {"=": {"resource_id": "resource-id-42"}}, {"=": {"resource_id": "resource-id-43"}}


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        (None, 18),
        (R42, 6),
        ({"=": {"resource": "resource-id-42"}}, 6),
        ({"=": {"tenant": "project-id-42"}}, 6),
        ({"!=": {"resource_id": "resource-id-42"}}, 12),
        ({"or": [R42, R43]}, 12),
        ({"and": [R42, R43]}, 0),
        ({"or": [R42, R43, {"=": {"counter_name": "x"}}]}, 12),
        ({"AND": [R42, {"Or": [R42, R43]}]}, 6),
        ({"not": R42}, 12),
        ({"NOT": {"or": [R42, R43]}}, 6),
        ({"and": [R42, {"not": {">": {"counter_volume": 0.4}}}]}, 2),
        ({"and": [{">": {"volume": 0.4}}, {"<": {"volume": 0.8}}]}, 6),
        ({"and": [{"=>": {"volume": 0.4}}, {"=<": {"volume": 0.8}}]}, 12),
        ({"and": [{">=": {"volume": 0.4}}, {"<=": {"volume": 0.8}}]}, 12),
        ({"in": {"resource_id": ["resource-id-42", "resource-id-44", "x"]}}, 12),
        ({"in": {"counter_volume": [0.8, 0.79]}}, 6),
        ({"not": {"in": {"resource_id": ["resource-id-42"]}}}, 12),
        ({"=~": {"resource_id": "^resource-id-4[23]$"}}, 12),
        ({"=~": {"resource_id": "id-44"}}, 6),
        ({"=": {"counter_unit": "%"}}, 18),
        ({"=": {"counter_type": "delta"}}, 0),
        ({"=": {"source": "openstack"}}, 18),
        ({">=": {"timestamp": "2012-08-01T10:03:00"}}, 9),
        ({"and": [{">": {"timestamp": "2012-08-01T12:00:00+02:00"}}, {"<": {"timestamp": "2012-08-01 10:02"}}]}, 3),
        ({">": {"recorded_at": "2026-01-01"}}, 18),
        # metadata compare with their type
        ({"=": {"metadata.a_string_key": "meta-value0.81"}}, 3),
        ({"=~": {"metadata.a_string_key": "0.8"}}, 6),
        ({">=": {"metadata.a_float_key": 0.8}}, 6),
        ({"=": {"metadata.an_int_key": 42}}, 6),
        ({"=": {"metadata.an_int_key": "42"}}, 0),
        ({"=": {"metadata.an_int_key": 42.0}}, 0),
        ({"<": {"metadata.an_int_key": 42.5}}, 6),
        ({"=": {"metadata.a_bool_key": True}}, 6),
        ({"=": {"metadata.a_bool_key": 1}}, 0),
        ({"in": {"metadata.an_int_key": [42, 43, 9]}}, 12),
        # what is not known is neither equal nor unequal
        ({"=": {"metadata.rare": 1}}, 3),
        ({"!=": {"metadata.rare": 1}}, 0),
        ({"not": {"=": {"metadata.rare": 1}}}, 0),
        ({"not": {"in": {"metadata.rare": [2, 3]}}}, 3),
        ({"!=": {"user_id": "user-id-42"}}, 6),
        ({"not": {"=": {"user": "user-id-42"}}}, 6),
        ({"not": {"in": {"user": ["user-id-42"]}}}, 6),
        ({"or": [{"=": {"metadata.rare": 2}}, R42]}, 6),
        ({"and": [{"not": {"=": {"metadata.rare": 2}}}, R42]}, 1),
    ],
    ids=str,
)
def test_expressions(lake: sa.Lake, filter: Any, found: int) -> None:
    """Each expression finds so many of the eighteen samples."""
    assert count(lake, filter) == found


@pytest.mark.parametrize(
    ("orderby", "shown"),
    [
        (None, [("44", 0.79), ("43", 0.79), ("42", 0.79)]),
        ([{"resource_id": "asc"}, {"counter_volume": "DESC"}], [("44", 0.39), ("44", 0.4), ("44", 0.41)]),
        ([{"volume": "desc"}, {"resource": "desc"}], [("42", 0.39), ("43", 0.39), ("44", 0.39)]),
        ([{"user_id": "asc"}, {"timestamp": "Asc"}], [("43", 0.81), ("43", 0.39), ("43", 0.8)]),
    ],
)
def test_orders(lake: sa.Lake, orderby: Any, shown: list[tuple[str, float]]) -> None:
    """The last three of each order: what is not known comes first where values grow; else the newest comes first."""
    rows = sa.query_samples(lake, orderby=orderby).select("resource", "volume").rows()

    assert [(resource.removeprefix("resource-id-"), volume) for resource, volume in rows[:-4:-1]] == shown


def test_pages(lake: sa.Lake) -> None:
    """Pages are parts of the whole, and samples are what they are elsewhere, metadata included."""
    whole = sa.query_samples(lake)

    assert sa.query_samples(lake, limit=4, offset=3).equals(whole[3:7])
    assert whole.sort("sample_id").equals(sa.samples(lake).sort("sample_id"))


@pytest.mark.parametrize(
    ("filter", "said"),
    [
        ({}, "no object with one key"),
        ([], "no object with one key"),
        ("x", "no object with one key"),
        ({**R42, "!=": {"resource": "x"}}, "no object with one key"),
        ({"==": {"resource": "x"}}, "no operator '=='; there are =, !=, <"),
        ({"=": {"id": "x"}}, "no field 'id'; there are meter"),
        ({"=": {"resource_metadata.x": "x"}}, "no field 'resource_metadata.x'"),
        ({"=": {"metadata.": "x"}}, "'' is no path into metadata"),
        ({"=": {}}, "no object with one key, a field"),
        ({"=": "resource"}, "no object with one key, a field"),
        ({"=": {"resource": None}}, "None is no text, number or truth value"),
        ({"=": {"resource": ["x"]}}, "is no text, number or truth value, which 'resource' could be compared with"),
        ({"=": {"resource": True}}, "resource cannot be compared with True"),
        ({"=": {"volume": "5"}}, "volume cannot be compared with the text '5': give a number"),
        ({"=": {"volume": 10**400}}, "no volume is as large"),
        ({"<": {"metadata.x": 10**400}}, "metadata.x: no number of metadata is as large"),
        ({"=": {"timestamp": "x"}}, "Failed to parse the timestamp value 'x'"),
        ({"=": {"timestamp": 5}}, "Failed to parse the timestamp value 5"),
        ({"in": {"timestamp": ["2012-08-01"]}}, "'in' cannot be used with timestamp"),
        ({"in": {"resource": []}}, "no list of one or more values"),
        ({"in": {"resource": "x"}}, "no list of one or more values"),
        ({"in": {"resource": [None]}}, "None is no text"),
        ({"=~": {"volume": "x"}}, "=~ needs a text"),
        ({"=~": {"metadata.x": 5}}, "=~ needs a text"),
        ({"=~": {"resource": "("}}, "missing )"),
        ({"and": [R42]}, "no list of two or more expressions"),
        ({"or": R42}, "no list of two or more expressions"),
        ({"not": [R42]}, "no object with one key"),
        ({"or": [R42] * 501}, "more than 500 conditions"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_refused_expressions(lake: sa.Lake, filter: Any, said: str) -> None:
    """What is no expression is refused with what is wrong and what would work."""
    with pytest.raises(sa.InputError, match=re.escape(said)):
        sa.query_samples(lake, filter=filter)


def test_deep_expressions(lake: sa.Lake) -> None:
    """Expressions can be nested some fifty deep, and no deeper."""
    deep: Any = R42
    for _ in range(48):
        deep = {"not": deep}
    assert count(lake, deep) == 6
    for _ in range(2000):
        deep = {"not": deep}
    with pytest.raises(sa.InputError, match="nested more than 50 deep"):
        count(lake, deep)


@pytest.mark.parametrize(
    "orderby", [[{}], [{"volume": "up"}], [{"volume": 1}], [{"metadata.x": "asc"}], ["volume"], [[]]], ids=str
)
def test_refused_orders(lake: sa.Lake, orderby: Any) -> None:
    """What is no order is refused."""
    with pytest.raises(sa.InputError, match="Order-by expression not valid"):
        sa.query_samples(lake, orderby=orderby)


COMPARED, RESOURCES = st.sampled_from(["=", "!=", "<", ">="]), st.sampled_from([42, 43, 44])
leaves = st.one_of(
    st.builds(lambda op, value: {op: {"volume": value}}, COMPARED, st.sampled_from(VOLUMES)),
    st.builds(lambda op, value: {op: {"metadata.rare": value}}, COMPARED, st.sampled_from([0, 1, 2])),
    st.builds(lambda value: {"=": {"user": f"user-id-{value}"}}, RESOURCES),
    st.builds(lambda values: {"in": {"metadata.an_int_key": values}}, st.lists(RESOURCES, min_size=1)),
)
expressions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda one: {"not": one}, inner),
        st.builds(lambda op, some: {op: some}, st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3)),
    ),
    max_leaves=6,
)


def holds(expression: Any, one: dict[str, Any]) -> bool | None:
    """Return whether an expression holds for a sample, in the plainest way; None where that is not known."""
    [(op, told)] = expression.items()
    if op == "not":
        inner = holds(told, one)
        return None if inner is None else not inner
    if op in ("and", "or"):
        decisive = op == "or"
        inners = [holds(each, one) for each in told]
        return decisive if decisive in inners else None if None in inners else not decisive
    [(name, value)] = told.items()
    known = one["metadata"].get(name.removeprefix("metadata.")) if name.startswith("metadata.") else one[name]
    if known is None:
        return None
    compared = {"=": "__eq__", "!=": "__ne__", "<": "__lt__", ">=": "__ge__"}
    return known in value if op == "in" else bool(getattr(known, compared[op])(value))


@given(expression=expressions)
def test_expressions_are_what_logic_says(lake: sa.Lake, expression: Any) -> None:
    """Any expression finds just the samples that it holds for when looked at one by one."""
    whole = [{**one, "metadata": json.loads(one["metadata"])} for one in sa.samples(lake).to_dicts()]
    expected = {one["sample_id"] for one in whole if holds(expression, one)}

    assert set(sa.query_samples(lake, filter=expression)["sample_id"]) == expected
