"""Secrets are taken out, wherever they stand, and nothing else is touched."""

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackanalytics.landing.redact import find_secrets, redact, redact_bytes

SECRET_NAMES = [
    "_context_auth_token",
    "_context_service_catalog",
    "auth_token",
    "token",
    "password",
    "admin_pass",
    "adminPass",
    "admin_password",
    "new_pass",
    "rescue_pass",
    "passwd",
    "X-Auth-Token",
    "TOKEN",
    "trust_token",
    "service_catalog",
]
OTHER_NAMES = ["tokens", "token_id", "password_expires_at", "passport", "catalog", "pass", "bypass", "auth", "service"]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_values_of_secret_names_go(name: str) -> None:
    """A value is replaced under each name of the list and its kin."""
    assert redact(f'{{"{name}": "abc", "b": 1}}') == f'{{"{name}": "***", "b": 1}}'


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_other_names_keep_their_values(name: str) -> None:
    """A name that only resembles one of the list keeps its value."""
    text = f'{{"{name}": "abc", "b": 1}}'
    assert redact(text) == text
    assert find_secrets(pa.array([text])) == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('"abc"', '"***"'),
        ('"*abc"', '"***"'),
        ('"***abc"', '"***"'),
        (r'"a\"b\\"', '"***"'),
        (r'"\u0061"', '"***"'),
        ('"}]"', '"***"'),
        ("12.5e3", '"***"'),
        ("-1", '"***"'),
        ("true", '"***"'),
        ('{"id": "abc", "x": {"}": "]"}}', '"***"'),
        ('["abc", ["]"], {}]', '"***"'),
        ("null", "null"),
        ('""', '""'),
        ("[]", "[]"),
        ("{ }", "{ }"),
        ('"***"', '"***"'),
    ],
)
def test_any_kind_of_value_goes_and_nothing_stays_nothing(value: str, expected: str) -> None:
    """Texts, numbers, flags, objects and lists are replaced; what holds no secret stays as it is."""
    text = f'{{ "a" :1,"auth_token"  : {value} ,"b":[ 2 ]}}\t'
    assert redact(text) == f'{{ "a" :1,"auth_token"  : {expected} ,"b":[ 2 ]}}\t'


def test_a_message_is_else_left_byte_for_byte() -> None:
    """Blanks, order, escapes and numbers around a secret stay as they were written."""
    text = '{"b" :1.50,"é":"\\u00e9\\/","password":\n"abc" , "a": {"token":{"id":1}},"c":1E+2 }'
    expected = '{"b" :1.50,"é":"\\u00e9\\/","password":\n"***" , "a": {"token":"***"},"c":1E+2 }'
    assert redact(text) == expected


def test_texts_inside_texts() -> None:
    """JSON in a string of JSON loses its secrets at its own level, and stays JSON at every level."""
    inner = '{"token": {"a": "]\\"}"}, "n": 1, "password": "x\\"y"}'
    outer = json.dumps({"oslo.message": inner, "after": [1]})
    assert json.loads(redact(outer)) == {
        "oslo.message": '{"token": "***", "n": 1, "password": "***"}',
        "after": [1],
    }


def test_text_torn_inside_a_text() -> None:
    """Where JSON in a string breaks off, the string around it still ends where it ended."""
    outer = json.dumps({"message": 'request {"token": {"a": ["secret', "after": 1})
    assert json.loads(redact(outer)) == {"message": 'request {"token": "***"', "after": 1}


def test_names_in_plain_words() -> None:
    """A text that only speaks of tokens and passwords is none."""
    text = json.dumps({"message": 'bad token: x, "password" is missing, token="', "user": "token", "key": ["password"]})
    assert redact(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("DEBUG {'auth_token': 'abc', 'n': 1}", "DEBUG {'auth_token': '***', 'n': 1}"),
        ("{u'password': u'abc', 'n': None}", "{u'password': '***', 'n': None}"),
        ("{'token': {'id': 'abc'}, 'password': None}", "{'token': '***', 'password': None}"),
        (json.dumps({"a": repr({"token": "it's", "n": 1})}), json.dumps({"a": "{'token': '***', 'n': 1}"})),
    ],
)
def test_reprs_of_python(text: str, expected: str) -> None:
    """Secrets go from dictionaries as Python prints them, too, alone and in a JSON string."""
    assert redact(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"p\\u0061ssword": "abc"}', '{"password": "***"}'),
        ('{"n\\u0061me": "abc", "token": "x"}', '{"n\\u0061me": "abc", "token": "***"}'),
        (json.dumps({"m": '{"auth\\u005ftoken": "abc"}'}), json.dumps({"m": '{"auth_token": "***"}'})),
        ('{"m": "{\\u0022token\\u0022: \\u0022abc\\u0022}"}', '{"m": "{\\"token\\": \\"***\\"}"}'),
        ('{"m": "\\u0022quoted\\u0022", "token": "x"}', '{"m": "\\u0022quoted\\u0022", "token": "***"}'),
    ],
)
def test_escapes_hide_nothing(text: str, expected: str) -> None:
    """Names and quotes written as escapes are seen; escapes that hide no secret stay."""
    assert redact(text) == expected
    assert find_secrets(pa.array([text])) == [0]


def test_bytes_that_are_no_text() -> None:
    """Bytes of no encoding keep all but the secret; UTF-16, which looks like text with zeros, loses it, too."""
    assert redact_bytes(b'\xff{"token": "a\xfeb", "c": "\xfd"') == b'\xff{"token": "***", "c": "\xfd"'
    assert b"s\0e\0c\0r\0e\0t" not in redact_bytes('{"token": "secret"}'.encode("utf-16-le"))
    assert redact_bytes(b"a\0b") == b"a\0b"


def test_long_runs_cost_no_time() -> None:
    """Text made to confuse is searched in linear time: a megabyte of each takes a moment, not hours."""
    size = 50_000
    for text in (
        '{"token": ' + "\\" * size,
        '{"token": "' + "\\" * size + "\\u0022",
        '"' * size + "\\u00",
        '"\\u0041' + "x\\u0041" * size,
        '{"token":' * size,
        "{'token':" * size,
        'token":' + "\\n" * size,
        'token\\"' * size + ":",
        "[" * size + '"token": [' + "[" * size,
    ):
        assert len(redact(text)) <= len(text) + 20


NAMES = st.sampled_from([*SECRET_NAMES[:8], *OTHER_NAMES, "a", 'b"c', "d\\"])
TEXTS = st.text(st.sampled_from("ab*\"'\\\n:,{}[] é🦆tokn"), max_size=8)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXTS)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)
BODIES = st.dictionaries(NAMES, VALUES, min_size=1, max_size=5)
FORMATS = st.fixed_dictionaries(
    {
        "ensure_ascii": st.booleans(),
        "indent": st.sampled_from([None, 0, 1]),
        "separators": st.sampled_from([(",", ":"), (" , ", " : "), (", ", ": ")]),
    }
)


def _redacted(value: Any, is_secret: bool = False) -> Any:
    """Redact a value the plain way, for comparison."""
    if is_secret and value not in (None, "", [], {}):
        return "***"
    if isinstance(value, dict):
        return {name: _redacted(inner, name in SECRET_NAMES) for name, inner in value.items()}
    if isinstance(value, list):
        return [_redacted(inner) for inner in value]
    return value


@given(BODIES, FORMATS)
def test_as_if_parsed_and_written_again(body: dict[str, Any], written: dict[str, Any]) -> None:
    """Splicing gives byte for byte what parsing, replacing and writing in the same way would give."""
    assert redact(json.dumps(body, **written)) == json.dumps(_redacted(body), **written)


@given(BODIES, FORMATS, st.integers(1, 3), st.booleans())
def test_as_deep_as_it_stands(body: dict[str, Any], written: dict[str, Any], levels: int, ascii: bool) -> None:
    """Redacting JSON inside of strings inside of strings is redacting the JSON itself."""
    inner, expected = json.dumps(body, **written), json.dumps(_redacted(body), **written)
    for _ in range(levels):
        inner, expected = (json.dumps({"m": text, "n": 1}, ensure_ascii=ascii) for text in (inner, expected))
    assert redact(inner) == expected


@given(BODIES, FORMATS)
def test_twice_is_once(body: dict[str, Any], written: dict[str, Any]) -> None:
    """What is redacted is not touched again, and is not taken for a secret again."""
    once = redact(json.dumps(body, **written))
    assert redact(once) == once


@given(st.lists(st.tuples(BODIES, FORMATS, st.booleans()), max_size=5))
def test_the_search_misses_nothing(messages: list[tuple[dict[str, Any], dict[str, Any], bool]]) -> None:
    """The fast search over many messages finds every one that redacting changes."""
    texts = [
        json.dumps({"m": json.dumps(body, **written)} if is_text else body, **written)
        for body, written, is_text in messages
    ]
    changed = [place for place, text in enumerate(texts) if redact(text) != text]
    assert set(changed) <= set(find_secrets(pa.array(texts, pa.string())))


@given(BODIES, FORMATS, st.integers(0, 2), st.data())
def test_torn_messages_tell_nothing(
    body: dict[str, Any], written: dict[str, Any], levels: int, data: st.DataObject
) -> None:
    """However a message is torn, no character of its secrets stays."""
    body = {**body, "password": "☃", "payload": {"auth_token": ["☃", {"☃": "☃"}], "after": 1}}
    text = json.dumps(body, **{**written, "ensure_ascii": False})
    for _ in range(levels):
        text = json.dumps({"m": text}, ensure_ascii=False)
    torn = text[: data.draw(st.integers(0, len(text)))]
    assert "☃" not in redact(torn)


PIECES = [
    "token",
    "password",
    "'",
    '"',
    "\\",
    ":",
    ": ",
    ",",
    "[",
    "]",
    "{",
    "}",
    " ",
    "\n",
    "a",
    "null",
    "u0022",
    "***",
    "☃",
]
CONFUSION = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


@given(st.dictionaries(CONFUSION, CONFUSION | st.lists(CONFUSION, max_size=2), max_size=4), st.integers(0, 2))
def test_json_stays_json(body: dict[str, Any], levels: int) -> None:
    """Whatever its texts resemble, a message stays one: no value runs over the end of the text that it is in."""
    text = json.dumps({**body, "event_type": "e"}, ensure_ascii=False)
    for _ in range(levels):
        text = json.dumps({"m": text, "event_type": "e"}, ensure_ascii=False)
    assert json.loads(redact(text))["event_type"] == "e"


@given(st.text(st.sampled_from("\"'\\:,[]{} \n*0u2token"), max_size=60))
def test_nothing_confuses(text: str) -> None:
    """Any text, JSON or not, is redacted without an error, and once is enough."""
    once = redact(text)
    assert redact(once) == once
