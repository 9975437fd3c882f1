"""Opening the forms in which notifications arrive, down to the bare body.

==============================================================  ===================================
``{"message_id": …, "event_type": …, "payload": …}``            bare body
``{"oslo.version": "2.0", "oslo.message": "<body>"}``           oslo's envelope
``["monitor.info", {body}]``                                    routing key and body
``{"deployment": …, "exchange": …, "routing_key": …, "body":}``  body with where it came from
``{"ctxt": {…}, "metadata": {…}, "event_type": …}``             what an oslo listener is given
``{"_context": {…}, "event_type": …}``                          oslo's Kafka driver
``… oslo.messaging.notification.<type> [req-…] {body}``         oslo's log driver
==============================================================  ===================================
"""

import json
import re
from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec.structs import replace

T = TypeVar("T")

OSLO_VERSION = "2.0"
MAX_DEPTH = 8

_LOGGED = re.compile(r"oslo[._]messaging\.notification\.(?P<event>\S+)\s+(?:\[(?P<context>[^\]]*)\]\s*)?(?P<body>\{)")
_REQUEST = re.compile(r"\breq-[0-9a-f-]{36}\b")


class Unreadable(Exception):
    """A message that is no notification, with the reason in words."""


class Message(msgspec.Struct, frozen=True):
    """A bare body, and what its transport told beside it."""

    body: str
    deployment: str | None = None
    exchange: str | None = None
    routing_key: str | None = None
    request_id: str | None = None


class _Keys(msgspec.Struct):
    """The keys by which the forms are told apart."""

    oslo_message: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="oslo.message")
    oslo_version: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="oslo.version")
    body: msgspec.Raw = msgspec.Raw()
    deployment: msgspec.Raw = msgspec.Raw()
    exchange: msgspec.Raw = msgspec.Raw()
    routing_key: msgspec.Raw = msgspec.Raw()
    ctxt: msgspec.Raw = msgspec.Raw()
    context: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="_context")
    metadata: msgspec.Raw = msgspec.Raw()
    event_type: msgspec.Raw = msgspec.Raw()


_keys = msgspec.json.Decoder(_Keys).decode
_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode


def elements(text: str) -> list[str]:
    """Return the texts of the messages in a JSON array; the text itself where it is one message, or broken."""
    try:
        found = [bytes(element).decode() for element in _elements(text)]
    except (msgspec.DecodeError, RecursionError):
        return [text]
    is_pair = len(found) == 2 and found[0].startswith('"')
    return [text] if is_pair or not found else found


def open_message(text: str) -> Message:
    """Open one message.

    Raises
    ------
    Unreadable
        If it is in none of the forms.
    """
    return _open(Message(text), depth=0)


def _open(message: Message, depth: int) -> Message:
    if depth > MAX_DEPTH:
        raise Unreadable(f"wrapped more than {MAX_DEPTH} times")
    first = message.body.lstrip()[:1]
    if first == "[":
        return _open_pair(message, depth)
    if first == "{":
        return _open_object(message, depth)
    return _logged(message)


def _open_pair(message: Message, depth: int) -> Message:
    pair = [bytes(element).decode() for element in _decode(_elements, message.body)]
    if len(pair) != 2 or not pair[0].startswith('"') or pair[1][:1] not in ("{", '"'):
        raise Unreadable("a JSON array, but not of a routing key and a body")
    body = pair[1] if pair[1].startswith("{") else _text(pair[1]) or ""
    return _open(replace(message, body=body, routing_key=message.routing_key or _text(pair[0])), depth + 1)


def _open_object(message: Message, depth: int) -> Message:
    keys = _decode(_keys, message.body)
    if bytes(keys.oslo_message) and bytes(keys.oslo_version):
        return _open(replace(message, body=_enveloped(keys)), depth + 1)
    if bytes(keys.body) and not bytes(keys.event_type):
        return _open(_routed(message, keys), depth + 1)
    if bytes(keys.ctxt) or bytes(keys.context) or bytes(keys.metadata):
        return replace(message, body=_listened(message.body))
    return message


def _enveloped(keys: _Keys) -> str:
    version = _text(bytes(keys.oslo_version).decode())
    if version is None or version.partition(".")[0] != OSLO_VERSION.partition(".")[0]:
        raise Unreadable(f"an oslo envelope of version {bytes(keys.oslo_version).decode()}; {OSLO_VERSION} is known")
    inner = _text(bytes(keys.oslo_message).decode())
    if inner is None:
        raise Unreadable("an oslo envelope whose oslo.message is not text")
    return inner


def _routed(message: Message, keys: _Keys) -> Message:
    inner = bytes(keys.body).decode()
    body = _text(inner) if inner.startswith('"') else inner
    if not body or body.lstrip()[:1] not in ("{", "["):
        raise Unreadable("the body beside deployment, exchange and routing key is not a JSON object")
    return replace(
        message,
        body=body,
        deployment=_text(bytes(keys.deployment).decode()) or message.deployment,
        exchange=_text(bytes(keys.exchange).decode()) or message.exchange,
        routing_key=_text(bytes(keys.routing_key).decode()) or message.routing_key,
    )


def _listened(text: str) -> str:
    """Bring the forms of listeners and of the Kafka driver into that of a bare body."""
    try:
        body = json.loads(text)
    except ValueError as problem:
        raise Unreadable(f"malformed JSON: {problem}") from None
    for name in ("ctxt", "_context"):
        context = body.pop(name, None)
        if isinstance(context, dict):
            body |= {f"_context_{key}": value for key, value in context.items()}
    metadata = body.pop("metadata", None)
    if isinstance(metadata, dict):
        for name in ("message_id", "timestamp"):
            body.setdefault(name, metadata.get(name))
    try:
        return json.dumps(body, separators=(",", ":"), allow_nan=False)
    except ValueError:
        raise Unreadable("a number that no JSON reader can hold") from None


def _logged(message: Message) -> Message:
    found = _LOGGED.search(message.body)
    if found is None:
        raise Unreadable(_why_not_json(message.body))
    body = message.body[found.start("body") :].rstrip()
    _decode(_keys, body)
    request = _REQUEST.search(found["context"] or "")
    return replace(message, body=body, request_id=request[0] if request else None)


def _why_not_json(text: str) -> str:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return "neither JSON nor a line of oslo's log driver"
    return f"JSON, but a {type(value).__name__} instead of an object"


def _decode(decode: Callable[[str], T], text: str) -> T:
    try:
        return decode(text)
    except RecursionError:
        raise Unreadable("nested too deeply") from None
    except msgspec.DecodeError as problem:
        raise Unreadable(f"malformed JSON: {problem}") from None


def _text(raw: str) -> str | None:
    try:
        value = json.loads(raw)
    except ValueError:
        return None
    return value if isinstance(value, str) and value else None
