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
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from stackanalytics.sources.array import ArraySplitter

T = TypeVar("T")

OSLO_VERSION = "2.0"
MAX_DEPTH = 8
BYTE_ORDER_MARK = "\ufeff"

# every part has a limit and is never tried again shorter, so that no line can take long
_LOGGED = re.compile(
    r"oslo[._]messaging\.notification\.\S{1,255}+\s{1,16}+(?:\[(?P<context>[^\]]{0,1024}+)\]\s{0,16}+)?(?P<body>\{)"
)
_REQUEST = re.compile(r"\breq-[0-9a-f-]{36}\b")


_KINDS = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", str: "a text"}


class UnreadableError(Exception):
    """A message that is no notification, with the reason in words."""


class Message(msgspec.Struct, frozen=True):
    """A bare body, and what its transport told beside it."""

    body: str
    deployment: str | None = None
    exchange: str | None = None
    routing_key: str | None = None
    request_id: str | None = None


BARE = Message("")  # tells nothing
_MISSING: Any = None  # which no JSON becomes that must be a text


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


class _Wrapped(msgspec.Struct):
    """An envelope, or a body with where it came from, as they mostly come."""

    oslo_version: str = msgspec.field(default=_MISSING, name="oslo.version")
    oslo_message: str = msgspec.field(default=_MISSING, name="oslo.message")
    deployment: str | None = None
    exchange: str | None = None
    routing_key: str | None = None
    body: msgspec.Raw = msgspec.Raw()
    event_type: msgspec.Raw = msgspec.Raw()


_wrapped = msgspec.json.Decoder(_Wrapped).decode
_keys = msgspec.json.Decoder(_Keys).decode
_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def elements(text: str, depth: int = 0) -> list[str]:
    """Return the texts of the messages in a JSON array, in arrays in it, too; else the text itself."""
    if depth > MAX_DEPTH or not text.lstrip().startswith("["):
        return [text]
    found = _split(text)
    if found == [text] or (len(found) == 2 and found[0].startswith('"')):
        return [text]
    return [message for element in found for message in elements(element, depth + 1)]


def _split(text: str) -> list[str]:
    try:
        return [bytes(element).decode() for element in _elements(text)]
    except RecursionError:
        return [text]
    except msgspec.DecodeError:
        splitter = ArraySplitter()
        found = [*splitter.feed(text.encode()), splitter.rest.strip()]
        return [element.decode() for element in found if element]


def open_message(text: str) -> Message:
    """Open one message.

    Raises
    ------
    UnreadableError
        If it is in none of the forms.
    """
    return _open(Message(text), depth=0)


def unwrap(content: bytes) -> tuple[bytes, Message] | None:
    """Return what an envelope, or a body with where it came from, wraps, and what it tells itself.

    It is much faster than to open any message, but knows these two only as they mostly come: None for all others.
    What is wrapped may be anything, an envelope, too.
    """
    try:
        found = _wrapped(content)
        if not content.isascii():
            content.decode()
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    if found.oslo_message and found.oslo_version:
        return (found.oslo_message.encode(), BARE) if _is_known(found.oslo_version) else None
    if found.oslo_message is not _MISSING or found.oslo_version is not _MISSING or found.event_type:
        return None
    body = bytes(found.body)
    told = found.deployment or None, found.exchange or None, found.routing_key or None
    return (body, Message("", *told)) if body.startswith(b"{") else None


def _is_known(version: str) -> bool:
    return version.partition(".")[0] == OSLO_VERSION.partition(".")[0]


def _open(message: Message, depth: int) -> Message:
    if depth > MAX_DEPTH:
        raise UnreadableError(f"wrapped more than {MAX_DEPTH} times")
    message = replace(message, body=message.body.removeprefix(BYTE_ORDER_MARK))
    first = message.body.lstrip()[:1]
    if first == "[":
        return _open_pair(message, depth)
    if first == "{":
        return _open_object(message, depth)
    return _logged(message)


def _open_pair(message: Message, depth: int) -> Message:
    pair = [bytes(element).decode() for element in _decode(_elements, message.body)]
    if len(pair) != 2 or not pair[0].startswith('"') or pair[1][:1] not in ("{", '"'):
        raise UnreadableError("a JSON array, but not of a routing key and a body")
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
    version = bytes(keys.oslo_version).decode()
    if not _is_known(_text(version) or version):
        raise UnreadableError(f"an oslo envelope of version {version}; {OSLO_VERSION} is known")
    inner = bytes(keys.oslo_message).decode()
    if not inner.startswith('"'):
        raise UnreadableError("an oslo envelope whose oslo.message is not text")
    body = _text(inner)
    if body is None:
        raise UnreadableError("an oslo envelope whose oslo.message is empty")
    return body


def _routed(message: Message, keys: _Keys) -> Message:
    inner = bytes(keys.body).decode()
    body = _text(inner) if inner.startswith('"') else inner
    if not body or body.lstrip()[:1] not in ("{", "["):
        raise UnreadableError("the body beside deployment, exchange and routing key is not a JSON object")
    return replace(
        message,
        body=body,
        deployment=_text(bytes(keys.deployment).decode()) or message.deployment,
        exchange=_text(bytes(keys.exchange).decode()) or message.exchange,
        routing_key=_text(bytes(keys.routing_key).decode()) or message.routing_key,
    )


def _listened(text: str) -> str:
    """Bring the forms of listeners and of the Kafka driver into that of a bare body."""
    body = _decode(_members, text)
    for name in ("ctxt", "_context"):
        body |= {f"_context_{key}": value for key, value in _inner(body, name).items()}
    metadata = _inner(body, "metadata")
    body = {key: metadata[key] for key in ("message_id", "timestamp") if key in metadata} | body
    return "{" + ", ".join(f"{json.dumps(key)}: {bytes(value).decode()}" for key, value in body.items()) + "}"


def _inner(body: dict[str, msgspec.Raw], name: str) -> dict[str, msgspec.Raw]:
    value = bytes(body.pop(name, b""))
    return _decode(_members, value.decode()) if value.startswith(b"{") else {}


def _logged(message: Message) -> Message:
    found = _LOGGED.search(message.body)
    if found is None:
        raise UnreadableError(_why_not_json(message.body))
    body = message.body[found.start("body") :].rstrip()
    _decode(_keys, body)
    request = _REQUEST.search(found["context"] or "")
    return replace(message, body=body, request_id=request[0] if request else None)


def _why_not_json(text: str) -> str:
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return "neither JSON nor a line of oslo's log driver"
    return f"JSON, but {_KINDS[type(value)]} instead of an object"


def _decode(decode: Callable[[str], T], text: str) -> T:
    try:
        return decode(text)
    except RecursionError:
        raise UnreadableError("nested too deeply") from None
    except msgspec.DecodeError as problem:
        raise UnreadableError(f"malformed JSON: {_fault(text) or problem}") from None


def _fault(text: str) -> str | None:
    """Name what only lenient readers of JSON take."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return None
    return "it has NaN, Infinity or half of a surrogate pair"


def _text(raw: str) -> str | None:
    try:
        return _decode_text(raw) or None
    except msgspec.DecodeError:
        pass
    try:
        value = json.loads(raw)
    except ValueError:
        return None
    return value if isinstance(value, str) and value else None
