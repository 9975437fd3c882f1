"""The hostile corpus: inputs that something on the way of a notification might break at.

One corpus for everything that reads messages. Each input has a name, which is also the
``message_id`` of its notification where it has one, and says what it must become: how many rows,
how many dead letters, and a word that the reason of each of its dead letters contains.

Whatever stands where a secret stands contains one of :data:`MARKS`; these must be found nowhere
in what is written.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

MARK = "5ecret-0f-tests"
NUMBER_MARK = 770077007700
MARKS = (MARK.encode(), str(NUMBER_MARK).encode())

TIME = "2026-03-02 10:00:00.500000"
DEEP = 100_000


@dataclass(frozen=True)
class Hostile:
    """One input and what it must become."""

    name: str
    content: bytes
    rows: int = 0
    dead_letters: int = 0
    reason: str = ""

    @property
    def is_one_line(self) -> bool:
        """Whether it can stand as a line among others."""
        return b"\n" not in self.content

    def __str__(self) -> str:
        """Name it in the output of pytest."""
        return self.name


def body(name: str, **changes: object) -> dict[str, object]:
    """Return an ordinary bare body with some changes; ``...`` leaves a key out."""
    ordinary: dict[str, object] = {
        "message_id": name,
        "event_type": "compute.instance.update",
        "timestamp": TIME,
        "publisher_id": "compute.host-1",
        "priority": "INFO",
        "_context_request_id": "req-1",
        "payload": {"instance_id": f"instance of {name}", "tenant_id": "tenant", "state": "active"},
    }
    return {key: value for key, value in (ordinary | changes).items() if value is not ...}


def envelope(inner: object, version: object = "2.0") -> dict[str, object]:
    """Return oslo's envelope around a body."""
    return {"oslo.version": version, "oslo.message": inner if isinstance(inner, str) else json.dumps(inner)}


def _row(name: str, message: object, rows: int = 1) -> Hostile:
    return Hostile(name, _encoded(message), rows=rows)


def _dead(name: str, message: object, reason: str, dead_letters: int = 1) -> Hostile:
    return Hostile(name, _encoded(message), dead_letters=dead_letters, reason=reason)


def _encoded(message: object) -> bytes:
    if isinstance(message, bytes):
        return message
    return (message if isinstance(message, str) else json.dumps(message)).encode()


def _text(name: str, **changes: object) -> str:
    return json.dumps(body(name, **changes))


def _with_payload(name: str, payload: str) -> str:
    """Return a body whose payload is the given text, be it JSON or not."""
    return _text(name, payload="PAYLOAD").replace('"PAYLOAD"', payload)


def _broken_json() -> Iterator[Hostile]:
    whole = _text("torn")
    yield _dead("torn in the payload", whole[:-20], "malformed JSON")
    yield _dead("torn in a string", whole[: whole.index("host-1")], "malformed JSON")
    yield _dead("torn after a key", '{"message_id":', "malformed JSON")
    yield _dead("an opening brace", "{", "malformed JSON")
    yield _dead("a closing brace too many", _text("a brace too many") + "}", "malformed JSON")
    yield _dead("two bodies without a separator", _text("first of two") + _text("second of two"), "malformed JSON")
    yield _dead("a trailing comma", _text("trailing comma")[:-1] + ",}", "malformed JSON")
    yield _dead("python's repr", repr(body("python's repr")), "malformed JSON")
    yield _dead("keys without quotes", "{event_type: compute.instance.update}", "malformed JSON")
    yield _dead("a raw newline's kin in a string", _text("control", priority="AB").replace("AB", "A\tB"), "malformed")
    yield _dead("a raw NUL in a string", _text("raw NUL", priority="AB").replace("AB", "A\0B"), "malformed")
    yield _dead("only NULs", b"\0\0\0\0", "neither JSON")


def _no_objects() -> Iterator[Hostile]:
    yield Hostile("nothing", b"")
    yield Hostile("blanks", b" \t ")
    yield Hostile("blank lines", b"\n \n\r\n\n")
    yield _dead("a number", "17", "a number")
    yield _dead("null", "null", "null")
    yield _dead("true", "true", "a boolean")
    yield _dead("a text", '"compute.instance.update"', "a text")
    yield _dead("words", "the quick brown fox", "neither JSON")
    yield _dead("an empty object", "{}", "no event_type")
    yield _dead("an object of something else", '{"name": "m1.tiny", "vcpus": 1}', "no event_type")


def _wrong_types() -> Iterator[Hostile]:
    for kind, value in _VALUES.items():
        yield _dead(f"event_type is {kind}", body(f"event_type is {kind}", event_type=value), "no event_type")
        yield _dead(f"timestamp is {kind}", body(f"timestamp is {kind}", timestamp=value), "no usable time")
        name = f"payload is {kind}"
        yield _row(name, body(name, payload=value))
        name = f"message_id is {kind}"
        yield _row(name, body(name, message_id=value, payload={"instance_id": name}))
        name = f"all else is {kind}"
        unexpected = dict.fromkeys(_OTHER_KEYS, value)
        yield _row(name, body(name, **unexpected))
        name = f"all payload fields are {kind}"
        yield _row(name, body(name, payload=dict.fromkeys(_PAYLOAD_KEYS, value)))
        name = f"versioned data is {kind}"
        yield _row(name, body(name, event_type="instance.update", payload={"nova_object.data": value}))
    yield _dead("event_type missing", body("event_type missing", event_type=...), "no event_type")
    yield _row("payload missing", body("payload missing", payload=...))
    yield _row("payload is text", body("payload is text", event_type="image.upload", payload="Error in store"))
    yield _row("a key repeated", '{"event_type": 5, "priority": "INFO", ' + _text("a key repeated")[1:])


_VALUES: dict[str, object] = {
    "null": None,
    "empty": "",
    "a boolean": True,
    "a number": 42,
    "a fraction": 0.5,
    "a list": [1, "two", None],
    "an object": {"a": {"b": "c"}},
}
_OTHER_KEYS = (
    "publisher_id",
    "priority",
    "deleted_at",
    "_unique_id",
    "_context_request_id",
    "_context_project_id",
    "_context_tenant",
    "_context_user_id",
    "_context_user",
    "_context_timestamp",
)
_PAYLOAD_KEYS = (
    "instance_id",
    "instance_uuid",
    "tenant_id",
    "user_id",
    "state",
    "old_state",
    "new_task_state",
    "old_task_state",
    "image_meta",
    "os_type",
    "instance_type",
    "instance_type_id",
    "instance_flavor_id",
    "memory_mb",
    "vcpus",
    "root_gb",
    "ephemeral_gb",
    "launched_at",
    "deleted_at",
    "terminated_at",
    "audit_period_beginning",
    "audit_period_ending",
    "message",
    "status",
    "size",
    "created_at",
    "bandwidth",
    "exception",
    "args",
    "instance",
    "request_spec",
)


def _times() -> Iterator[Hostile]:
    for said in (
        "yesterday",
        "2015-09-24 12:47:.634363",
        "2014-05-1510: 24: 56.3",
        "2015-06-1909:19:35.7",
        "20140223134852",
        "1393146000",
        "2026-02-30 10:00:00",
        "2026-03-02 23:59:60",
        "2026-03-02 10:00:00+99:99",
        "9999-12-31T23:59:59-05:00",
        "0001-01-01T00:00:00+05:00",
        "2026-03-02",
        "٢٠٢٦-٠٣-٠٢ ١٠:٠٠:٠٠",
    ):
        yield _dead(f"at {said}", body(f"at {said}", timestamp=said), "no usable time")
    for said in (
        "  2026-03-02 10:00:00  ",
        "2013-7-29 6:51:34.4",
        "1970-01-01 00:00:00",
        "1969-12-31 23:59:59.999999",
        "2200-01-01 00:00:00.000001",
        "0001-01-01 00:00:00",
        "9999-12-31T23:59:59.999999Z",
        "2026-03-02T10:00:00.123456789+05:30",
    ):
        yield _row(f"at {said}", body(f"at {said}", timestamp=said))
    yield _dead("no time", body("no time", timestamp=...), "no usable time")
    yield _dead("an endless time", body("an endless time", timestamp="9" * 100_000), "no usable time")
    name = "a time only in the context"
    yield _row(name, body(name, timestamp=[], _context_timestamp="2026-03-02T10:00:00.000000"))
    name = "a time only in the CADF event"
    cadf = {"eventTime": "2026-03-02T10:00:00.000000+0000"}
    yield _row(name, body(name, event_type="identity.authenticate", timestamp=..., payload=cadf))
    name = "payload times out of range"
    yield _row(name, body(name, payload={"launched_at": "99999-01-01 00:00:00", "deleted_at": "0000-00-00 00:00:00"}))


def _numbers() -> Iterator[Hostile]:
    for number in ("1e400", "-1e400", str(10**30), "9" * 5_000, "512.5", "-0", "1E+2", str(2**63), str(-(2**63) - 1)):
        name = f"memory of {number[:10]}"
        yield _row(name, _with_payload(name, f'{{"instance_id": "i", "memory_mb": {number}, "size": {number}}}'))
        name = f"an unneeded number {number[:10]}"
        yield _row(name, _with_payload(name, f'{{"instance_id": "i", "unneeded": {number}}}'))
    name = "an endless number in a list"
    yield _row(name, _with_payload(name, f'{{"instance_id": "i", "memory_mb": 5, "unneeded": [1, {"9" * 5_000}]}}'))
    name = "an endless number in a listener's message"
    yield _row(name, _with_payload(name, f'{{"vcpus": {"9" * 5_000}}}')[:-1] + ', "ctxt": {}}')
    for literal in ("NaN", "Infinity", "-Infinity"):
        name = f"payload of {literal}"
        yield _dead(name, _with_payload(name, f'{{"memory_mb": {literal}}}'), "NaN")
    yield _dead("a number with leading zeros", _with_payload("zeros", '{"vcpus": 007}'), "malformed JSON")


def _encodings() -> Iterator[Hostile]:
    plain = _text("encoding", priority="AB")
    yield _dead("invalid UTF-8", plain.encode().replace(b"AB", b"A\xffB"), "UTF-8")
    yield _dead("Latin-1", plain.replace("AB", "\xe9").encode("latin-1"), "UTF-8")
    yield _dead("an encoded surrogate", plain.encode().replace(b"AB", b"\xed\xa0\x80"), "UTF-8")
    yield _dead("an overlong slash", plain.encode().replace(b"AB", b"\xc0\xaf"), "UTF-8")
    yield _dead("UTF-16", plain.encode("utf-16"), "UTF-8")
    yield _dead("a torn character", plain.encode().replace(b"AB", b"\xe2\x82"), "UTF-8")
    yield _row("a byte order mark", b"\xef\xbb\xbf" + _encoded(body("a byte order mark")))
    yield _row("a carriage return at the end", _text("a carriage return at the end") + "\r")
    yield _row("blanks around", "  \t" + _text("blanks around") + " \t ")
    yield _row("lines by carriage returns", "\r".join([_text("CR line")[:-1], "}"]))
    yield _row("an escaped NUL", _text("an escaped NUL", priority="IN\0FO", payload={"state": "a\0b"}))
    yield _row("other planes", body("other planes", payload={"message": "🦆 ​ ‮ \ufdd0 \U0010ffff"}))
    for place in ("message_id", "publisher_id", "event_type", "_context_request_id", "unneeded"):
        name = f"a lone surrogate in {place}"
        yield _dead(name, body(name, **{place: "a \ud800 b"}), "half of a surrogate pair")
    name = "lone surrogates in the payload"
    yield _dead(name, body(name, payload={"state": "\ud83e", "unneeded": ["\udd86"]}), "half of a surrogate pair")
    name = "a lone surrogate in a key"
    yield _dead(name, body(name, **{"\udc00": 2}), "half of a surrogate pair")
    name = "a lone surrogate in an envelope"
    yield _dead(name, envelope(body(name, priority="\ud800")), "half of a surrogate pair")
    bare = json.dumps(body(name, priority="\ud800"), ensure_ascii=False)
    yield _dead("a lone surrogate of an envelope", envelope(bare), "half of a surrogate pair")
    name = "a lone surrogate in the routing"
    yield _dead(name, {"deployment": "\ud800", "body": body(name)}, "half of a surrogate pair")


def _sizes() -> Iterator[Hostile]:
    yield _dead("brackets", "[" * DEEP, "")
    yield _dead("brackets, closed", "[" * DEEP + "]" * DEEP, "nested")
    yield _dead("braces", '{"a":' * DEEP, "")
    for name, nested in (
        ("brackets in the payload", "[" * DEEP + "]" * DEEP),
        ("braces in the payload", '{"a":' * DEEP + "1" + "}" * DEEP),
        ("brackets in a payload field", '{"instance_id": "i", "unneeded": ' + "[" * DEEP + "]" * DEEP + "}"),
    ):
        yield _dead(name, _with_payload(name, nested), "nested")
    for depth in range(150, 950, 150):
        name = f"{depth} levels"
        yield _row(name, _with_payload(name, "[" * depth + "]" * depth))
    yield _row("a large payload", body("a large payload", payload={"instance_id": "i", "metadata": "x" * 1_000_000}))
    many = {f"key {number}": number for number in range(20_000)}
    yield _row("many keys", body("many keys", payload=many))
    yield _row("a long event type", body("a long event type", event_type="compute." + "x" * 100_000))


def _arrays() -> Iterator[Hostile]:
    one, two = body("array 1"), body("array 2")
    yield Hostile("an empty array", b"[]")
    yield _row("an array", [one, two], rows=2)
    yield _row("an array of one", [body("array of one")])
    yield _row("an array over lines", json.dumps([body("lines 1"), body("lines 2")], indent=2), rows=2)
    yield _row("an array of arrays", [[body("inner 1"), body("inner 2")], [body("inner 3")]], rows=3)
    yield _row("an array of pairs", [["monitor.info", body("pairs 1")], ["monitor.error", body("pairs 2")]], rows=2)
    yield _row("an array of envelopes", [envelope(body("enveloped 1")), envelope(body("enveloped 2"))], rows=2)
    broken = f'[{_text("sound 1")}, {{"event_type": nonsense}}, {_text("sound 2")}]'
    yield Hostile("an array with a broken element", broken.encode(), rows=2, dead_letters=1, reason="malformed JSON")
    mixed = f"[{_text('sound 3')}, 42, false, {_text('sound 4')}]"
    yield Hostile("an array with other values", mixed.encode(), rows=2, dead_letters=2, reason="JSON, but")
    yield _dead("an array of numbers", "[1, 2, 3]", "a number", dead_letters=3)
    torn = f"[{_text('before the tear')}, {_text('torn')[:-30]}"
    yield Hostile("a torn array", torn.encode(), rows=1, dead_letters=1)


def _pairs() -> Iterator[Hostile]:
    yield _row("a pair", ["monitor.info", body("a pair")])
    yield _row("a pair with a text", ["monitor.info", _text("a pair with a text")])
    yield _row("a pair with an envelope", ["monitor.info", envelope(body("a pair with an envelope"))])
    yield _row("a pair in an envelope", envelope(["monitor.info", body("a pair in an envelope")]))
    yield _row("a pair without a key", ["", body("a pair without a key")])
    yield _dead("a pair without a body", ["monitor.info", None], "a routing key and a body")
    yield _dead("a pair of texts", ["monitor.info", "hello"], "neither JSON")
    yield _dead("a pair with an empty body", ["monitor.info", ""], "")
    triple = json.dumps(["monitor.info", body("a triple"), 5])
    yield Hostile("a triple", triple.encode(), rows=1, dead_letters=2, reason="JSON, but")


def _envelopes() -> Iterator[Hostile]:
    yield _row("an envelope", envelope(body("an envelope")))
    yield _row("an envelope in an envelope", envelope(envelope(body("an envelope in an envelope"))))
    yield _row("an envelope with a number as version", envelope(body("version 2.0"), 2.0))
    deep: dict[str, object] = body("a deep envelope")
    for _ in range(10):
        deep = envelope(deep)
    yield _dead("envelopes ten deep", deep, "wrapped more than")
    yield _dead("an envelope of version 3", envelope(body("version 3"), "3.0"), "version")
    yield _dead("an envelope of no version", envelope(body("version null"), None), "version")
    yield _dead("an envelope around broken JSON", envelope('{"event_type": '), "malformed JSON")
    yield _dead("an envelope around an object", {"oslo.version": "2.0", "oslo.message": body("not text")}, "not text")
    yield _dead("an envelope around null", {"oslo.version": "2.0", "oslo.message": None}, "not text")
    yield _dead("an envelope around nothing", envelope(""), "empty")
    yield _dead("an envelope around words", envelope("hello"), "neither JSON")
    yield _dead("an envelope around a list", envelope("[1, 2]"), "JSON array")
    yield _dead("half an envelope", {"oslo.message": _text("half")}, "no event_type")


def _routed() -> Iterator[Hostile]:
    route = {"deployment": "east", "exchange": "nova", "routing_key": "monitor.info"}
    yield _row("routed", {**route, "body": body("routed")})
    yield _row("routed text", {**route, "body": _text("routed text")})
    yield _row("routed envelope", {**route, "body": envelope(body("routed envelope"))})
    yield _row("routed pair", {**route, "body": ["other.info", body("routed pair")]})
    yield _row("routed by numbers", {"deployment": 1, "exchange": [], "routing_key": {}, "body": body("by numbers")})
    yield _dead("routed null", {**route, "body": None}, "body")
    yield _dead("routed number", {**route, "body": 5}, "body")
    yield _dead("routed words", {**route, "body": "hello"}, "body")
    yield _dead("routed nothing", route, "no event_type")


def _listeners() -> Iterator[Hostile]:
    bare = body("listener", message_id=..., timestamp=..., priority=...)
    told = {"message_id": "listener", "timestamp": TIME}
    yield _row("a listener's message", {**bare, "ctxt": {"request_id": "req-2", "tenant": "t"}, "metadata": told})
    yield _row("a listener's message without context", {**bare, "ctxt": None, "metadata": told | {"message_id": "l2"}})
    yield _row("a listener's odd context", {**bare, "ctxt": [1], "metadata": told | {"message_id": "l3"}})
    yield _dead("a listener's message without metadata", {**bare, "ctxt": {}}, "no usable time")
    yield _dead(
        "a listener's odd metadata", {**bare, "priority": "INFO", "ctxt": {}, "metadata": [1]}, "no usable time"
    )
    kafka = body("kafka", _context={"request_id": "req-3", "roles": ["admin"]})
    yield _row("a kafka message", envelope(kafka))
    yield _row("an odd kafka context", body("odd kafka", _context="none"))


def _log_lines() -> Iterator[Hostile]:
    start = "2026-03-02 10:00:00.500 1234 INFO oslo.messaging.notification.compute.instance.update "
    request = "[req-0f1c2d3e-4a5b-6c7d-8e9f-0a1b2c3d4e5f admin demo - - -] "
    yield _row("a logged message", start + request + _text("a logged message", _context_request_id=...))
    yield _row("a logged message without request", start + "[-] " + _text("a logged message without request"))
    yield _row("a logged message without brackets", start + _text("a logged message without brackets"))
    yield _dead("a torn logged message", start + request + _text("torn logged")[:-9], "malformed JSON")
    yield _dead("a logged message with a tail", start + request + _text("tail") + " and more", "malformed JSON")
    yield _dead("a log line", "2026-03-02 10:00:00 INFO nova.compute.manager [-] Running {periodic} task", "neither")
    yield _dead("a traceback", "Traceback (most recent call last):", "neither JSON")


def _repeated() -> Iterator[Hostile]:
    one, other = _text("one id"), _text("one id", payload={"state": "other"})
    yield _row("one id, other content", f"{one}\n{other}", rows=2)
    yield _row("one id, one content", f"{_text('one content')}\n{_text('one content', _unique_id='2')}", rows=1)
    secret, other_secret = (_text("one secret", _context_auth_token=f"{MARK} {number}") for number in (1, 2))
    yield _row("one id, other secret", f"{secret}\n{other_secret}", rows=1)


def _secrets() -> Iterator[Hostile]:
    catalog = [{"type": "compute", "endpoints": [{"url": f"http://nova/{MARK}"}]}, MARK]
    secrets: dict[str, dict[str, object]] = {
        "a token": {"_context_auth_token": MARK},
        "a catalog": {"_context_service_catalog": catalog},
        "token and catalog": {"_context_auth_token": MARK, "_context_service_catalog": catalog},
        "a nested secret": {"payload": {"a": [{"b": {"password": MARK}}]}},
        "an object as secret": {"payload": {"token": {"id": MARK, "roles": [{"x": "]}"}, MARK]}}},
        "a list as secret": {"payload": {"auth_token": ["}", MARK]}},
        "a number as secret": {"payload": {"adminPass": NUMBER_MARK}},
        "a fraction as secret": {"payload": {"adminPass": -NUMBER_MARK - 0.5}},
        "secrets of many names": {"payload": dict.fromkeys(_SECRET_NAMES, MARK)},
        "a secret with a star": {"payload": {"password": f"*{MARK}"}},
        "a secret with stars": {"payload": {"password": f"***{MARK}"}},
        "a secret with a quote": {"payload": {"password": f'"{MARK}"{MARK}'}},
        "a secret with a backslash": {"payload": {"password": f"\\{MARK}\\"}},
        "a secret with a newline": {"payload": {"password": f"\n{MARK}\n"}},
        "a secret with a letter beyond ASCII": {"payload": {"password": f"é{MARK}é"}},
        "a secret in a text": {"payload": {"message": json.dumps({"auth_token": MARK, "b": 1})}},
        "a secret in a text in a text": {"payload": {"message": json.dumps(json.dumps({"auth_token": MARK}))}},
        "a secret with quotes in a text": {"payload": {"message": json.dumps({"token": f'"{MARK}"{MARK}\\'})}},
        "an object as secret in a text": {
            "payload": {"message": json.dumps({"token": {"a": [MARK, "]}"]}, "b": MARK[:0]})}
        },
        "a number as secret in a text": {"payload": {"message": json.dumps({"token": NUMBER_MARK, "b": 1})}},
        "a secret in python's repr": {"payload": {"message": repr({"auth_token": MARK, "b": 1})}},
        "a secret in a payload of text": {"event_type": "image.upload", "payload": json.dumps({"password": MARK})},
    }
    for name, changes in secrets.items():
        yield _row(name, body(name, **changes))
        yield _row(f"{name}, enveloped", envelope(body(f"{name}, enveloped", **changes)))
        yield _row(f"{name}, enveloped twice", envelope(envelope(body(f"{name}, enveloped twice", **changes))))
        yield _dead(f"{name}, no event", body(f"{name}, no event", **changes | {"event_type": ...}), "no event_type")
        no_event = envelope(body(f"{name}, no event", **changes | {"event_type": ...}))
        yield _dead(f"{name}, no event in an envelope", no_event, "no event_type")
    yield from _hidden_secrets()
    yield from _transported_secrets()
    yield from _torn_secrets()


_SECRET_NAMES = (
    "_context_auth_token",
    "auth_token",
    "token",
    "password",
    "admin_pass",
    "adminPass",
    "admin_password",
    "new_pass",
    "rescue_pass",
    "user_password",
    "PASSWORD",
    "X-Auth-Token",
    "service_catalog",
)


def _hidden_secrets() -> Iterator[Hostile]:
    """Secrets whose names or quotes are written as escapes."""
    for name, plain, escaped in (
        ("a letter escaped", '"password"', '"p\\u0061ssword"'),
        ("an underscore escaped", '"password"', '"auth\\u005ftoken"'),
        ("all letters escaped", '"password"', '"' + "".join(f"\\u{ord(letter):04X}" for letter in "token") + '"'),
    ):
        hidden = _text(name, payload={"password": MARK}).replace(plain, escaped)
        yield _row(name, hidden)
        yield _row(f"{name}, enveloped", envelope(hidden.replace(name, f"{name}, enveloped")))
        yield _dead(f"{name}, dead", hidden.replace("event_type", "event"), "no event_type")
        yield _dead(f"{name}, dead in an envelope", envelope(hidden.replace("event_type", "event")), "no event_type")
    for name, event, is_dead in (("quotes escaped", "event_type", False), ("quotes escaped, dead", "event", True)):
        inner = _text(name, _context_auth_token=MARK).replace("event_type", event).replace('"', "\\u0022")
        text = f'{{"oslo.version": "2.0", "oslo.message": "{inner}"}}'
        yield _dead(name, text, "no event_type") if is_dead else _row(name, text)
    value = _text("a value with an escape", payload={"password": "X"}).replace('"X"', f'"\\u0041{MARK}"')
    yield _row("a value with an escape", value)
    twice = '{"password": "' + MARK + ' first", ' + _text("a secret twice", password=f"{MARK} second")[1:]
    yield _row("a secret twice", twice)
    yield _row("blanks around the colon", _text("blanks", token="X").replace('"token": "X"', f'"token" \t: \t"{MARK}"'))
    lines = json.dumps([body("over lines", payload={"token": {"id": MARK, "ids": [MARK]}, "password": MARK})], indent=1)
    yield _row("secrets over lines", lines.replace('"password": ', '"password"\n:\n'))


def _transported_secrets() -> Iterator[Hostile]:
    """Secrets in the forms in which notifications are handed on."""
    secret = {"auth_token": MARK, "service_catalog": [{"url": MARK}]}
    told = {"message_id": "listened secret", "timestamp": TIME}
    bare = body("listened secret", message_id=..., timestamp=...)
    yield _row("a listener's secret", {**bare, "ctxt": secret, "metadata": told})
    yield _row("a kafka secret", body("a kafka secret", _context=secret))
    yield _row("a pair's secret", ["monitor.info", body("a pair's secret", _context_auth_token=MARK)])
    yield _row("a routed secret", {"deployment": "d", "password": MARK, "body": body("a routed secret", token=MARK)})
    yield _row("a routed text's secret", {"body": _text("a routed text's secret", _context_auth_token=MARK)})
    logged = "INFO oslo.messaging.notification.compute.instance.update [-] " + _text("a logged secret", token=MARK)
    yield _row("a logged secret", logged)
    line = f'2026-03-02 10:00:00 DEBUG nova.api [-] body: {{"auth": {{"password": "{MARK}"}}}}'
    yield _dead("a secret in a log line", line, "neither")
    yield _dead("a secret in a log line's repr", f"DEBUG nova.api [-] {{u'auth_token': u'{MARK}'}}", "neither")
    said = json.dumps({"password": MARK})
    yield _dead("a secret in a time", body("a secret in a time", timestamp=said), "no usable time")
    yield _dead("a secret in a version", envelope(body("v"), {"password": MARK}), "version")


def _torn_secrets() -> Iterator[Hostile]:
    """Secrets in what can only become a dead letter."""

    def whole(name: str) -> str:
        return json.dumps({"auth_token": f"{MARK} {MARK}", **body(name)})

    enveloped = json.dumps(envelope(whole("a torn secret in an envelope")))
    for name, text in (("a torn secret", whole("a torn secret")), ("a torn secret in an envelope", enveloped)):
        end = text.rindex(MARK) + len(MARK)
        yield _dead(name, text[:end], "malformed JSON")
        yield _dead(f"{name}, later", text[: end + 12], "malformed JSON")
    catalog = _text("torn", payload={}, _context_service_catalog=[{"a": [MARK, {"b": MARK}]}, {"c": MARK}])
    yield _dead("a torn catalog", catalog[: catalog.rindex(MARK) + len(MARK)], "malformed JSON")
    name = "a secret in invalid UTF-8"
    yield _dead(name, whole(name).encode().replace(b"INFO", b"\xff"), "UTF-8")
    name = "a secret of invalid UTF-8"
    yield _dead(name, whole(name).encode().replace(MARK.encode(), b"\xff" + MARK.encode()), "UTF-8")
    name = "a secret in UTF-16"
    yield _dead(name, whole(name).encode("utf-16"), "UTF-8")
    name = "a secret in UTF-16 without a mark"
    yield _dead(name, whole(name).encode("utf-16-le"), "")
    name = "a secret without quotes"
    yield _dead(name, whole(name).replace(f'"{MARK} {MARK}"', MARK), "malformed JSON")
    yield _dead("a secret in deep brackets", '{"token": ' + "[" * DEEP + f'"{MARK}"', "")
    broken = f'[{_text("sound 5")}, {{"password": "{MARK}", "x": nonsense}}]'
    yield Hostile("a secret in a broken element", broken.encode(), rows=1, dead_letters=1, reason="malformed JSON")


HOSTILE = tuple(
    hostile
    for group in (
        _broken_json,
        _no_objects,
        _wrong_types,
        _times,
        _numbers,
        _encodings,
        _sizes,
        _arrays,
        _pairs,
        _envelopes,
        _routed,
        _listeners,
        _log_lines,
        _repeated,
        _secrets,
    )
    for hostile in group()
)
