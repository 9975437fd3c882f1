"""The arguments of Ceilometer's API v2: every spelling says the same, and what fits none is refused."""

import json
from urllib.parse import parse_qsl

import pytest

from stackanalytics.analytics.meter_query import Condition
from stackanalytics.errors import InputError
from stackanalytics.surfaces.metering_query import LARGEST_BODY, Arguments, Form, arguments
from stackanalytics.surfaces.route import RefusedError, Request

FORM = Form(
    ("limit", "offset", "unique"), ("groupby", "s"), ("q", "aggregate"), ("source", "project_id", "resource", "user")
)
BOTH = [Condition("resource_id", "eq", "r1"), Condition("metadata.n", "ge", 5)]


def read(query: str, body: object = None, content_type: str | None = None) -> Arguments:
    """Read a query string, and a body, as the server does."""
    headers = () if content_type is None else (("Content-Type", content_type),)
    told = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return arguments(Request({}, tuple(parse_qsl(query, keep_blank_values=True)), told, headers), FORM)


@pytest.mark.parametrize(
    "query",
    [
        # one after the other, as the client of Ceilometer sends them, all of one name together, or in any order
        "q.field=resource_id&q.op=eq&q.type=&q.value=r1&q.field=metadata.n&q.op=ge&q.type=integer&q.value=5",
        "q.field=resource_id&q.field=metadata.n&q.op=&q.op=ge&q.type=&q.type=&q.value=r1&q.value=5",
        "q.value=r1&q.value=5&q.op=eq&q.op=ge&q.field=resource_id&q.field=metadata.n",
        "q[].field=resource_id&q[].value=r1&q[].op=eq&q[].field=metadata.n&q[].op=ge&q[].value=5",
        # numbered, in any order, with gaps, encoded, and with the blanks of the blueprint
        "q[0].field=resource_id&q[0].value=r1&q[1].field=metadata.n&q[1].op=ge&q[1].value=5",
        "q[9].value=5&q[9].op=ge&q[9].field=metadata.n&q[3].field=resource_id&q[3].value=r1",
        "q%5B0%5D.field=resource_id&q%5B0%5D.value=r1&q%5B1%5D.field=metadata.n&q%5B1%5D.op=ge&q%5B1%5D.value=5",
        "q[0].field=resource_id &%20q[0].value=r1 & q[1].field=metadata.n&+q[1].op=ge& q [1] . value=5",
    ],
)
def test_spellings_of_conditions(query: str) -> None:
    """All spellings of the same two conditions are read as these."""
    assert read(query).conditions() == BOTH


def test_a_body_says_the_same() -> None:
    """JSON in the body has conditions and all other arguments, with or beside the query string."""
    told = {
        "q": [{"field": "resource_id", "value": "r1"}, {"field": "metadata.n", "op": "ge", "value": 5, "type": None}],
        "limit": 7,
        "groupby": "source",
    }

    found = read("unique=True", told, "application/json; charset=utf-8")

    assert found.conditions() == BOTH
    assert (found.page(), found.texts("groupby"), found.flag("unique")) == ((7, 0), ["source"], True)


def test_a_shorter_list_fills_the_first_entries() -> None:
    """The n-th of each name go together; operators and types that are fewer belong to the first fields."""
    found = read("q.field=volume&q.field=source&q.op=gt&q.value=1&q.value=x").conditions()

    assert found == [Condition("volume", "gt", "1"), Condition("source", "eq", "x")]


def test_filters_are_conditions() -> None:
    """A field by its name alone asks for equality; an empty one is still a condition, which anything meets."""
    assert read("source=s&project_id=p&q.field=meter&q.value=m").conditions() == [
        Condition("meter", "eq", "m"),
        Condition("source", "eq", "s"),
        Condition("project_id", "eq", "p"),
    ]


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("5", 5),
        ("0.5", 0.5),
        ("True", True),
        ("true", "true"),
        ("'5'", "5"),
        ("None", None),
        ("[1, 2]", "[1, 2]"),
        ("5&q.type=string", "5"),
        ("5&q.type=float", 5.0),
        ("yes&q.type=boolean", True),
        ("a &q.type=string", "a"),
        ("%20", " "),
    ],
)
def test_values_of_metadata(said: str, value: object) -> None:
    """Values are read as their type says, else as what they look like; blanks behind them do not count."""
    [found] = read(f"q.field=metadata.x&q.value={said}").conditions()

    assert (found.value, type(found.value)) == (value, type(value))


@pytest.mark.parametrize("query", ["s[]=a&s[]=b&s[]=a", "s=a&s=b", "s[1]=b&s[0]=a", "s=a&s=&s=b"])
def test_spellings_of_lists(query: str) -> None:
    """Lists are spelled likewise; what is told twice counts once, and what is empty not at all."""
    assert read(query).selected(["b", "a", "c"]) == ["a", "b"]


def test_without_a_selection_there_is_everything() -> None:
    """Who selects no field gets all of them in their order."""
    assert read("").selected(["b", "a"]) == ["b", "a"]


@pytest.mark.parametrize(
    "query",
    [
        "aggregate.func=cardinality&aggregate.param=resource_id&aggregate.func=max",
        "aggregate[].func=cardinality&aggregate[].func=max&aggregate[].param=resource_id",
        "aggregate[5].func=max&aggregate[1].func=cardinality&aggregate[1].param=resource_id",
    ],
)
def test_spellings_of_aggregates(query: str) -> None:
    """Aggregates are spelled as conditions are."""
    assert read(query).structures["aggregate"] == [{"func": "cardinality", "param": "resource_id"}, {"func": "max"}]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("bogus=1", 'Unknown argument: "bogus"'),
        ("q.bogus=1", 'Unknown argument: "q.bogus"'),
        ("q[x].field=1", 'Unknown argument: "q[x].field"'),
        ("q[9999999999].field=1", "Unknown argument"),
        ("limit[]=1", 'Unknown argument: "limit[]"'),
        ("groupby.x=1", 'Unknown argument: "groupby.x"'),
        ("q=1", "Invalid input for field/attribute q. Value: '1'. unable to convert to ArrayType"),
        ("aggregate=max", "unable to convert to ArrayType: give aggregate.func="),
        ("aggregate.param=x", "aggregate.param"),
        ("q.field=source", "q.value. Value: 'None'. Mandatory field missing."),
        ("q.value=1", "q.value"),
        ("q.op=eq", "q.op"),
        ("q.field=&q.value=1", "q.field. Value: 'None'. Mandatory field missing."),
        ("q[0].field=source", "Mandatory field missing."),
        ("q.field=a&q.value=1&q.value=2", "q.value. Value: '1, 2'. it is given 2 times, but q.field 1 times"),
        ("q.field=a&q.value=1&q.op=eq&q.op=lt", "q.op"),
        ("q.field=a&q.value=1&q.type=&q.type=", "q.type"),
        ("q.field=a&q.field=b&q.value=1", "q.value"),
        ("q.field=a&q[].value=1", "Parameter q is spelled in several ways"),
        ("q[0].field=a&q.value=1", "Parameter q is spelled in several ways"),
        ("q[0].field=a&q[0].field=b&q[0].value=1", "Parameter q[0].field was given several times"),
        ("s=a&s[]=b", "Parameter s is spelled in several ways"),
        ("s[0]=a&s[0]=b", "Parameter s[0] was given several times"),
        ("limit=1&limit=2", "Parameter limit was given several times"),
        ("source=a&source=b", "Parameter source was given several times"),
        ("source=a&q.field=source&q.value=b", "Parameter source was given several times"),
        ("user=a&q.field=user_id&q.value=b", "Parameter user was given several times"),
        ("q.field=metadata.x&q.value=1&q.type=number", "The data type number is not supported"),
        ("q.field=metadata.x&q.value=a&q.type=integer", "Unable to convert the value a to the expected data type int"),
    ],
)
def test_refusals(query: str, said: str) -> None:
    """What cannot be read is refused with a message that names it."""
    with pytest.raises(InputError) as refused:
        read(query).conditions()

    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "The body is no JSON"),
        (b'{"q": "\\ud800\\u0041"}', "The body is no JSON"),
        (b"\xff", "The body is no JSON"),
        (b"[" * 5000, "The body is no JSON"),
        ([], "give an object with any of q, aggregate, limit, offset, unique, groupby, s"),
        ({"bogus": 1}, 'Unknown argument: "bogus"'),
        ({"q": {}}, "unable to convert to ArrayType"),
        ({"q": [1]}, "unable to convert to ArrayType"),
        ({"q": [{"field": "a"}]}, "q.value. Value: 'None'. Mandatory field missing."),
        ({"q": [{"field": "a", "value": []}]}, "q.value"),
        ({"q": [{"field": "a", "value": 1, "x": 1}]}, 'Unknown argument: "q.x"'),
        ({"limit": [1]}, "limit"),
        ({"limit": True}, "limit"),
        ({"limit": 1.5}, "limit"),
        ({"source": "x"}, "Parameter source was given several times"),
        ({"groupby": ["x"]}, "Parameter groupby was given several times"),
    ],
)
def test_refused_bodies(body: object, said: str) -> None:
    """A body that is no JSON, or says something that is no argument, is refused with a message that names it."""
    with pytest.raises(InputError) as refused:
        read("source=y&groupby=y", body).page()

    assert said in str(refused.value)


def test_bodies_of_other_types_and_sizes() -> None:
    """Only JSON is read, and no more than a certain size of it."""
    with pytest.raises(RefusedError, match="Unknown mimetype: application/xml") as refused:
        read("", b"<q/>", "application/xml; charset=utf-8")
    assert refused.value.status == 415
    with pytest.raises(RefusedError, match=str(LARGEST_BODY)) as refused:
        read("", b'"' + b"x" * LARGEST_BODY + b'"')
    assert refused.value.status == 413


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("limit=0", "Limit must be positive"),
        ("limit=-1", "Limit must be positive"),
        ("limit=1.5", "Invalid input for field/attribute limit. Value: '1.5'. unable to convert to int"),
        ("limit=x", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("limit=50001", "Limit must be at most 50000"),
        ("offset=-1", "Offset must not be negative"),
        ("offset=x", "offset"),
    ],
)
def test_refused_pages(query: str, said: str) -> None:
    """Limits and offsets are whole numbers within bounds."""
    with pytest.raises(InputError) as refused:
        read(query).page()

    assert said in str(refused.value)


def test_pages() -> None:
    """Without a limit there are a hundred; what is empty is not given."""
    assert (read("").page(), read("limit=&offset=").page(), read("limit= 7&offset=3").page()) == (
        (100, 0),
        (100, 0),
        (7, 3),
    )
