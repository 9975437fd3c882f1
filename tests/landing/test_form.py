"""Whatever form a notification arrives in, it becomes the same row."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from landed import Rows, encoded, rows_in

from stackanalytics.landing import land
from stackanalytics.landing.form import Message, open_message, unwrap
from stackanalytics.sources.chunk import Chunk

RowsOf = Callable[..., Rows]

REQUEST = "req-0f1c2d3e-4a5b-6c7d-8e9f-0a1b2c3d4e5f"
PAYLOAD = {
    "instance_id": "instance-1",
    "tenant_id": "owner",
    "state": "active",
    "memory_mb": 512,
    "launched_at": "2026-03-02T09:00:00.000000",
    "image_meta": {"image_type": "base", "os_type": "linux"},
    "note": 'quotes " and \\ and é',
}
CONTEXT = {"request_id": REQUEST, "project_id": "caller", "user_id": "user", "roles": ["admin"]}
BODY: dict[str, Any] = {
    "message_id": "message-1",
    "event_type": "compute.instance.create.end",
    "timestamp": "2026-03-02 10:00:00.500000",
    "publisher_id": "compute.host-1",
    "priority": "INFO",
    "payload": PAYLOAD,
    **{f"_context_{name}": value for name, value in CONTEXT.items()},
}
TEXT = json.dumps(BODY, ensure_ascii=False)
UNPRIORITISED = {name: value for name, value in BODY.items() if name != "priority"}
LISTENED = {
    "ctxt": CONTEXT,
    "metadata": {"message_id": BODY["message_id"], "timestamp": BODY["timestamp"]},
    **{name: BODY[name] for name in ("event_type", "publisher_id", "payload")},
}
KAFKA = {name: value for name, value in BODY.items() if not name.startswith("_context_")} | {"_context": CONTEXT}
LOGGED = {name: value for name, value in BODY.items() if not name.startswith("_context_")}
LOG_LINE = f"2026-03-02 10:00:00.500 99 INFO oslo.messaging.notification.{BODY['event_type']} "


def _enveloped(inner: object) -> dict[str, object]:
    return {"oslo.version": "2.0", "oslo.message": inner if isinstance(inner, str) else json.dumps(inner)}


SAME = {
    "bare": TEXT,
    "bare, blanks around": f"  {TEXT}\t",
    "bare, after a byte order mark": f"\ufeff{TEXT}",
    "bare, other order and blanks": json.dumps(dict(reversed(BODY.items())), indent=None, separators=(" , ", " :")),
    "bare, with a value of another type": json.dumps(BODY | {"_context_tenant": ["x"]}),
    "envelope": _enveloped(TEXT),
    "envelope, minor version": {"oslo.version": "2.1", "oslo.message": TEXT},
    "envelope in an envelope": _enveloped(_enveloped(TEXT)),
    "pair": ["", BODY],
    "pair with text": ["", TEXT],
    "pair with envelope": ["", _enveloped(TEXT)],
    "routed": {"deployment": None, "exchange": "", "routing_key": None, "body": BODY},
    "routed text": {"body": TEXT},
    "routed envelope": {"body": _enveloped(TEXT)},
    "array of one": [BODY],
    "array of one envelope": [_enveloped(TEXT)],
    "array of one pair": [["", BODY]],
}


LOSING: dict[str, tuple[object, dict[str, object]]] = {
    "listener": (LISTENED, {"priority": None}),
    "listener, enveloped": (_enveloped(LISTENED), {"priority": None}),
    "listener, paired": (["monitor.info", LISTENED], {"routing_key": "monitor.info"}),
    "kafka": (KAFKA, {}),
    "kafka, enveloped": (_enveloped(KAFKA), {}),
    "log line": (f"{LOG_LINE}[{REQUEST} user caller - - -] {json.dumps(LOGGED)}", {"user": None}),
    "log line of late": (f"{LOG_LINE}[None {REQUEST} user caller - - -] {json.dumps(LOGGED)}", {"user": None}),
    "log line without request": (f"{LOG_LINE}[-] {json.dumps(LOGGED)}", {"user": None, "request_id": None}),
    "log line without brackets": (LOG_LINE + json.dumps(LOGGED), {"user": None, "request_id": None}),
}


@pytest.fixture(scope="module")
def landed(rows_of: RowsOf) -> dict[str, dict[str, Any]]:
    """The row of each form, all in one lake, each with a message id of its own."""
    forms = SAME | {form: message for form, (message, _) in LOSING.items()}
    rows = rows_of([encoded(message).replace(b"message-1", form.encode()) for form, message in forms.items()])
    return dict(zip(forms, rows, strict=True))


@pytest.mark.parametrize("form", SAME)
def test_every_form_gives_the_same_row(form: str, landed: dict[str, dict[str, Any]]) -> None:
    """All columns are the same as those of the bare body, and the body is that of the bare message."""
    row = landed[form]
    assert _told(row) == _told(landed["bare"]) | {"message_id": form}
    expected = BODY | {"message_id": form}
    assert json.loads(row["body"]) | {"_context_tenant": None} == expected | {"_context_tenant": None}


@pytest.mark.parametrize("form", LOSING)
def test_forms_that_lose_something(form: str, landed: dict[str, dict[str, Any]]) -> None:
    """What listeners, Kafka and the log driver hand on gives the same row but for what they leave out."""
    losses = LOSING[form][1]
    assert _told(landed[form]) == _told(landed["bare"]) | {"message_id": form} | losses


@pytest.mark.parametrize("form", [*SAME, *LOSING])
def test_a_form_alone_gives_the_row_that_it_gives_among_others(
    form: str, landed: dict[str, dict[str, Any]], rows_of: RowsOf
) -> None:
    """Handfuls of messages of one form are read in another way than those of several."""
    message = SAME[form] if form in SAME else LOSING[form][0]

    alone, again = rows_of([encoded(message).replace(b"message-1", name.encode()) for name in (form, f"{form} 2")])

    different = {"id", "landed_at", "deployment_id"}
    assert {name: value for name, value in alone.items() if name not in different} == {
        name: value for name, value in landed[form].items() if name not in different
    }
    assert _told(again) == _told(alone) | {"message_id": f"{form} 2"}


words = st.sampled_from([None, "", "east", 2])
wrappers = st.fixed_dictionaries(
    {},
    optional={
        "oslo.version": st.sampled_from([None, "", "2", "2.0", "3.0", 2]),
        "oslo.message": st.sampled_from([None, "", TEXT, json.dumps(_enveloped(TEXT)), BODY]),
        "body": st.sampled_from([None, "", TEXT, BODY, BODY, _enveloped(TEXT), []]),
        "event_type": words,
        "deployment": words,
        "exchange": words,
        "routing_key": words,
    },
)


@given(wrappers)
@settings(max_examples=300)
def test_what_is_unwrapped_fast_is_what_is_opened(wrapper: dict[str, object]) -> None:
    """Whatever an object wraps, the fast way of opening it gives what the thorough one gives, or nothing."""
    content = json.dumps(wrapper)
    found = unwrap(content.encode())

    if found is not None:
        inner, told = found
        opened, expected = open_message(content), open_message(inner.decode())
        assert opened.body == expected.body
        assert (opened.deployment, opened.exchange, opened.routing_key, opened.request_id) == (
            told.deployment,
            told.exchange,
            told.routing_key,
            told.request_id,
        )


def test_usual_wrappers_are_unwrapped_fast() -> None:
    """The two forms in which most messages come are not left to the thorough way."""
    route = {"deployment": "east", "exchange": "", "routing_key": None}

    assert unwrap(encoded(_enveloped("{}"))) == (b"{}", Message(""))
    assert unwrap(encoded({**route, "body": {}})) == (b"{}", Message("", "east"))


def test_a_version_may_be_written_with_escapes(rows_of: RowsOf) -> None:
    """What an envelope says counts, not how it is written, alone and among others."""
    escaped = encoded(_enveloped(TEXT)).replace(b'"2.0"', b'"\\u0032.0"')

    assert b"u0032" in escaped
    assert len(rows_of([escaped])) == 1
    assert len(rows_of([escaped, TEXT.replace("message-1", "message-2")])) == 2


def test_a_wrapper_that_is_no_text_is_a_dead_letter(tmp_path: Path) -> None:
    """Bytes of no encoding are none even where nobody reads them, alone and among others."""
    broken = encoded({"note": "?", "body": BODY}).replace(b"?", b"\xff")

    alone = land([Chunk("f", 1, [broken])], tmp_path / "alone")
    among = land([Chunk("f", 1, [broken, TEXT.encode()])], tmp_path / "among")

    assert (alone.notifications, alone.dead_letters) == (0, 1)
    assert (among.notifications, among.dead_letters) == (1, 1)


@pytest.mark.parametrize("wrap", [_enveloped, lambda body: {"deployment": "east", "body": body}])
def test_dead_letters_of_wrapped_bodies_say_where_they_stood(wrap: Callable[[object], object], tmp_path: Path) -> None:
    """A body without a usable time, of a hundred that are wrapped alike, is kept as it came, with its line."""
    bodies = [BODY | {"message_id": str(number), "timestamp": TEN if number != 76 else "?"} for number in range(100)]
    bodies[76].pop("_context_timestamp", None)
    lines = [json.dumps(wrap(body)).encode() for body in bodies]

    landed = land([Chunk("f", 1, lines[:50]), Chunk("f", 51, lines[50:])], tmp_path)

    assert (landed.notifications, landed.dead_letters) == (99, 1)
    [letter] = rows_in(tmp_path, "dead_letters")
    assert (letter["origin"], letter["content"]) == ("f:77", lines[76])


def test_forms_are_one_message(rows_of: RowsOf) -> None:
    """The same notification in every form is landed once."""
    assert len(rows_of([*SAME.values(), *(message for message, _ in LOSING.values())])) == 1


def test_body_as_received(rows_of: RowsOf) -> None:
    """The bare body inside of other forms is kept byte for byte: blanks, order, escapes, numbers."""
    bare = '{ "event_type":"image.upload","timestamp" : "2026-03-02 10:00:00" ,"payload":{"n":1.50,"s":"\\u00e9\\/"}}'
    forms = [bare, ["k", bare], f'["k", {bare}]', f'{{"body": {bare}}}', _enveloped(bare), f"[{bare}]"]
    rows = rows_of([encoded(form).replace(b"1.50", b"1.5%d" % number) for number, form in enumerate(forms)])
    assert [row["body"] for row in rows] == [bare.replace("1.50", f"1.5{number}") for number in range(len(forms))]


def test_payload_as_received_by_a_listener(rows_of: RowsOf) -> None:
    """A listener's message is brought into the form of a body without reading its values again."""
    payload = '{"n":1.50, "big":1e400, "s":"\\u00e9\\/"}'
    told = '"metadata": {"message_id": "m", "timestamp": "2026-03-02 10:00:00"}'
    message = f'{{"ctxt": {{"request_id": "req-1"}}, {told}, "event_type": "image.upload", "payload":{payload}}}'
    [row] = rows_of([message])
    assert payload in row["body"]
    assert (row["request_id"], row["message_id"]) == ("req-1", "m")
    assert set(json.loads(row["body"])) == {"message_id", "timestamp", "event_type", "payload", "_context_request_id"}


def test_transport_tells_where_from(rows_of: RowsOf) -> None:
    """Deployment, exchange and routing key are those of the form, the outer one first."""
    route = {"deployment": "east", "exchange": "other", "routing_key": "monitor.error", "body": BODY}
    inner = {"deployment": "west", "exchange": "inner", "routing_key": "k", "body": ["pair.info", BODY]}
    # each with a message id of its own, that none be taken for a repetition
    messages = [json.dumps(m).replace("message-1", f"message-{i}") for i, m in enumerate([route, inner, BODY])]
    rows = rows_of(messages, deployment="given", exchange="said")
    told = [(row["deployment"], row["exchange"], row["routing_key"]) for row in rows]
    assert told == [
        ("east", "other", "monitor.error"),
        ("west", "inner", "k"),
        ("given", "said", None),
    ]


def test_defaults_of_what_nobody_tells(rows_of: RowsOf) -> None:
    """Without any word of it the deployment is `default`, and the event type tells the exchange."""
    [row] = rows_of([BODY])
    assert (row["deployment"], row["exchange"], row["routing_key"]) == ("default", "nova", None)


def test_priority(rows_of: RowsOf) -> None:
    """The priority is that of the body in upper case, else the last word of the routing key if it is one."""
    expected: list[tuple[object, str | None, str | None]] = [
        ("INFO", "monitor.error", "INFO"),
        ("info", None, "INFO"),
        ("", "notifications.error", "ERROR"),
        (None, "notifications.warn", "WARN"),
        (None, "versioned_notifications.info", "INFO"),
        (None, "notifications.sample", "SAMPLE"),
        (None, "audit", "AUDIT"),
        (None, "notifications", None),
        (None, "notifications.", None),
        ([], "a.debug", "DEBUG"),
        (None, None, None),
    ]
    rows = rows_of(
        {"routing_key": key, "body": BODY | {"priority": said, "message_id": f"{said} {key}"}}
        for said, key, _ in expected
    )
    assert [row["priority"] for row in rows] == [priority for *_, priority in expected]


TEN = "2026-03-02 10:00:00"


TIMES = {
    "2011-01-01T01:02:03Z": "2011-01-01 01:02:03",
    "2016-03-14 00:44:57.126816": "2016-03-14 00:44:57.126816",
    "2016-08-17T13:00:00.000000": "2016-08-17 13:00:00",
    "2012-05-08 20:23:41": "2012-05-08 20:23:41",
    "2016-03-07T16:23:08+00:00": "2016-03-07 16:23:08",
    "2017-10-30T00:00:00": "2017-10-30 00:00:00",
    "2014-08-04T05:38:59.978898+0000": "2014-08-04 05:38:59.978898",
    "2016-03-07T16:23:09.145721+00:00": "2016-03-07 16:23:09.145721",
    "2015-07-10T20:05:29.870091Z": "2015-07-10 20:05:29.870091",
    "2016-08-17 13:53:23+00:00": "2016-08-17 13:53:23",
    "2013-7-29 6:51:34.4": "2013-07-29 06:51:34.400000",
    "2013-07-29 06:51:34.123456789": "2013-07-29 06:51:34.123456",
    " 2013-07-29 06:51:34  ": "2013-07-29 06:51:34",
    "2013-07-29 06:51:34-05:30": "2013-07-29 12:21:34",
    "2014-05-1510: 24: 56.3": None,
    "2015-06-1909:19:35.7": None,
    "20140223134852": None,
    "2015-09-24 12:47:.634363": None,
    "2013-07-29 23:59:60": None,
    1393146000: None,
    None: None,
    "": None,
}


def test_times_of_every_form_in_a_payload(rows_of: RowsOf) -> None:
    """Every form of time that services write is read, and what is no time is null and spoils nothing."""
    usual = {"event_type": "volume.create.end", "timestamp": TEN}
    rows = rows_of(
        usual | {"message_id": repr(said), "payload": {"created_at": said, "launched_at": said}} for said in TIMES
    )
    assert {said: _shown(row["created_at"]) for said, row in zip(TIMES, rows, strict=True)} == TIMES
    assert [row["launched_at"] for row in rows] == [row["created_at"] for row in rows]
    assert {_shown(row["generated_at"]) for row in rows} == {TEN}


def test_times_of_every_form_beside_the_payload(rows_of: RowsOf) -> None:
    """A notification is as old as its timestamp says, in whatever form, else as its context says."""
    usual = {"event_type": "volume.create.end", "_context_timestamp": TEN}
    rows = rows_of(usual | {"message_id": repr(said), "timestamp": said} for said in TIMES)
    expected = {said: expected or TEN for said, expected in TIMES.items()}
    assert {said: _shown(row["generated_at"]) for said, row in zip(TIMES, rows, strict=True)} == expected


def _shown(moment: Any) -> str | None:
    if moment is None:
        return None
    assert moment.utcoffset().total_seconds() == 0
    return str(moment).removesuffix("+00:00")


def _told(row: dict[str, Any]) -> dict[str, Any]:
    """Return what a row tells but for the text of its body and what landing adds."""
    return {name: value for name, value in row.items() if name not in ("id", "landed_at", "body")}
