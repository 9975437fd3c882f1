"""Whatever is asked of Ceilometer's API v2: it is answered, or refused with a message that names what is wrong."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from asked import Told, ask
from hostile import HOSTILE
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stackanalytics.lake import Lake, open_lake
from stackanalytics.landing import land
from stackanalytics.sources.chunk import Chunk
from stackanalytics.testing import lake_of, notification, sample, samples_of

NESTED = {"size": 5, "text": "5", "float": 5.5, "flag": True, "none": None, "a": {"b": {"c": 1}}, "l": [1, {"x": 2}]}
METERS, EVENTS = ("/v2/meters", "/v2/resources", "/v2/samples", "/v2/meters/cpu"), "/v2/events"
STATISTICS = "/meters/cpu/statistics"

KNOWN = ["resource_id", "project", "user_id", "source", "meter", "message_id", "volume", "timestamp", "search_offset"]
PATHS = ["metadata.size", "metadata.text", "metadata.a.b.c", "metadata.a.b:c", "resource_metadata.l[1].x"]
STRANGE = [
    *("", "metadata", "metadata.", "metadata.a..b", "metadata.l[", "metadata.\0", "metadata.~/'\"$*", "bogus"),
    *("start_timestamp", "end_timestamp", "event_type", "memory_mb", "x'; drop table samples; --", "unique", "é٣"),
]
OPS = ["eq", "ne", "lt", "le", "gt", "ge", "", "bogus", "=", "EQ"]
VALUES = [
    *("5", "'5'", "5.5", "-1", "True", "true", "None", "", " ", "abc", "2013-01-01", "2013-01-01T00:00:00+25:00"),
    *("9999-12-31T23:59:59.999999", "0001-01-01", "2013", "1e400", "9" * 400, "nan", "-inf", "[1, 2]", "(" * 50),
    *("\0", "'", '"', "%", "٣", "0x10", "1_000", "b'x'", "9223372036854775808", "-99999999", "$q0", "\\", "x" * 3000),
]
TYPES = ["", "integer", "float", "string", "boolean", "datetime", "bogus"]
SPELLINGS = ["q.{}", "q[].{}", "q[7].{}", " q[0] . {}"]
EXTRA = {
    STATISTICS: [
        *("period=1", "period=0", "period=-1", "period=9999999999999", "period=x", "period=31622400000", "limit=1"),
        *("groupby=resource_id", "groupby=metadata.size", "groupby=metadata.%00", "groupby=unit", "groupby="),
        *("groupby=metadata.a&groupby=metadata.A", "groupby[]=source&groupby[]=metadata.%22", "groupby[x]=source"),
        *("aggregate.func=stddev", "aggregate.func=bogus", "aggregate=max", "aggregate.func=max&aggregate.param=x"),
        *("aggregate.func=percentile&aggregate.param=99.9", "aggregate.func=percentile&aggregate.param=NaN"),
        *("aggregate.func=cardinality&aggregate.param=volume", "aggregate.func=cardinality&aggregate.param=source"),
        *("s=min", "s[]=bogus", "s[0]=min&s[0]=max"),
    ],
    "": [
        *("limit=1", "limit=0", "limit=x", "limit=99999", "limit=9999999999999999999", "limit=1&limit=2"),
        *("offset=1", "offset=999999999999999999", "offset=-1", "unique=True", "unique=x", "meter_links=0"),
        *("source=x", "source=x&source=y", "resource=%00", "bogus=1", "q=1", "q.bogus=1", "s=id", "s=name", "s=bogus"),
    ],
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """Return a lake with samples and events that are as old and as new as can be."""
    folder = tmp_path_factory.mktemp("lake")
    moments = ["0002-01-01", "2013-01-01", "2013-01-01 00:10:00.5", "9998-12-31"]
    samples_of(folder, [sample("cpu", at, place, metadata=NESTED) for place, at in enumerate(moments)]).close()
    told = {"instance": "i-1", "tenant": "p-1", "memory_mb": 5, "message_id": "m-1"}
    lake_of(folder, [notification("compute.instance.update", "2013-01-01", **told)]).close()
    with open_lake(folder) as opened:
        yield opened


def assert_is_sound(told: Told) -> None:
    """Check that there is a list, or a message that says what is wrong and, in some words, what would work."""
    if told.status == 200:
        assert isinstance(told.value, list)
    else:
        assert told.status in (400, 401, 403), told
        assert len(told.value) > 20, told
        assert "DuckDB" not in told.value, told


def asked(spelling: str, field: str, op: str, value: str, kind: str) -> str:
    """Return a condition as it stands in a query string."""
    told = {"field": field, "op": op, "value": value, "type": kind}
    return "&".join(f"{quote(spelling.format(name))}={quote(said, safe='')}" for name, said in told.items())


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
conditions = st.builds(
    asked,
    st.sampled_from(SPELLINGS),
    st.sampled_from([*KNOWN, *PATHS] * 3 + STRANGE) | texts.map(lambda text: f"metadata.{text}") | texts,
    st.sampled_from(OPS),
    st.sampled_from(VALUES) | texts,
    st.sampled_from(TYPES),
)


@settings(max_examples=400)
@given(data=st.data())
def test_any_question_is_answered_or_refused(lake: Lake, data: st.DataObject) -> None:
    """Fields, operators, values, types and spellings of all kinds, with other arguments of all kinds, do no harm."""
    path = data.draw(st.sampled_from([*METERS, EVENTS, STATISTICS]))
    more = data.draw(st.lists(st.sampled_from(EXTRA.get(path, EXTRA[""])), max_size=2, unique=True))
    query = "&".join([*data.draw(st.lists(conditions, max_size=2)), *more])

    assert_is_sound(ask(lake, f"{path}?{query}"))


@pytest.mark.parametrize(("start", "path"), [*enumerate([*METERS, EVENTS, STATISTICS])])
@pytest.mark.parametrize("field", [*KNOWN, *PATHS, *STRANGE])
def test_fields_with_values(lake: Lake, start: int, path: str, field: str) -> None:
    """A field that can be asked is answered for each value that it may have, and else refused by its name."""
    times = field in ("timestamp", "start_timestamp")
    for place, value in enumerate(VALUES[start % 3 :: 3]):
        op = "ge" if times else "le" if field == "end_timestamp" else OPS[place % 6] if field in PATHS else "eq"
        told = ask(lake, f"{path}?{asked('q.{}', field, op, value, '')}")
        assert_is_sound(told)
        if told.status == 400:
            named = [field, value[:30], "field", "path into metadata"]
            assert any(name and name in told.value for name in named), (field, value, told)


names = st.sampled_from(["field", "op", "value", "type", "q", "limit", "=", "and", "not", "in", "volume", "x"])
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
bodies = st.recursive(
    st.none() | st.booleans() | numbers | st.sampled_from(VALUES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=200)
@given(told=bodies)
@example(told={"q": [{"field": "metadata.size", "op": "eq", "value": 10**400}]})
@example(told={"q": [{"field": "metadata.size", "op": "gt", "value": False, "type": "float"}], "limit": "1"})
def test_any_body_is_answered_or_refused(lake: Lake, told: Any) -> None:
    """JSON of any form in the body of a question, or of a complex query, does no harm."""
    assert_is_sound(ask(lake, "/v2/samples", body=told))
    assert_is_sound(ask(lake, "/v2/query/samples", method="POST", body=told))
    if isinstance(told, dict | list):
        assert_is_sound(ask(lake, "/v2/query/samples", method="POST", body={"filter": told}))
        assert_is_sound(ask(lake, "/v2/query/samples", method="POST", body={"orderby": told}))


@settings(max_examples=100)
@given(told=bodies)
def test_any_body_that_is_no_sample_is_refused(lake: Lake, told: Any) -> None:
    """JSON that has no sample of a meter is refused, whatever it is, and stores nothing."""
    for method, path in (("POST", "/v2/meters"), ("POST", "/v2/meters/cpu"), ("PUT", "/v2/meters/cpu")):
        assert ask(lake, path, method=method, body=told).status == 400


@settings(max_examples=60)
@given(roles=texts, project=texts | st.sampled_from(["", "p-1", "None"]), user=texts)
def test_any_identity_is_answered_or_refused(lake: Lake, roles: str, project: str, user: str) -> None:
    """Headers of any kind do no harm."""
    for path in ("/v2/samples", "/v2/events", STATISTICS):
        assert_is_sound(ask(lake, path, X_Roles=roles, X_Project_Id=project, X_User_Id=user))


@pytest.fixture(scope="module")
def hostile_lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """Return a lake in which the hostile corpus was landed."""
    folder = tmp_path_factory.mktemp("hostile")
    land([Chunk(hostile.name, 1, [hostile.content]) for hostile in HOSTILE], folder)
    with open_lake(folder) as opened:
        yield opened


@pytest.mark.parametrize("path", ["/v2/meters", "/v2/meters/instance", "/v2/samples", "/v2/resources", "/v2/events"])
def test_whatever_was_landed_is_shown(hostile_lake: Lake, path: str) -> None:
    """No notification that was landed keeps others from being shown."""
    told = ask(hostile_lake, f"{path}?limit=50000")

    assert told.status == 200
    assert len(told.value) > 50


def test_endless_numbers_are_shown_as_they_are_written(hostile_lake: Lake) -> None:
    """A number in the metadata with more digits than Python reads is text like all others, in lists, too."""
    found = ask(hostile_lake, "/v2/meters/instance?limit=50000&s=resource_metadata").value
    told = [sample["resource_metadata"] for sample in found]

    assert "9" * 5_000 in [metadata.get("unneeded") for metadata in told]
    assert f"[1, '{'9' * 5_000}']" in [metadata.get("unneeded") for metadata in told]
