"""When two messages are one: their keys and their contents.

The key of a message is its deployment and message id, or its content where it has no id. The
content leaves out what differs between copies of one message: the context, the id that each
publishing adds, and the priority and transport that some forms lose.
"""

import json
from collections.abc import Mapping, Sequence

import msgspec
import xxhash

NOT_CONTENT = frozenset({"_unique_id", "priority", "metadata", "ctxt"})


class _Envelope(msgspec.Struct):
    event_type: msgspec.Raw = msgspec.Raw()
    publisher_id: msgspec.Raw = msgspec.Raw()
    timestamp: msgspec.Raw = msgspec.Raw()
    payload: msgspec.Raw = msgspec.Raw()
    request_id: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="_context_request_id")
    context_timestamp: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="_context_timestamp")


_decode = msgspec.json.Decoder(_Envelope).decode


def content_hash(event_type: str | None, publisher_id: str | None, timestamp: str | None, payload: bytes) -> int:
    """Hash a content, its payload as received."""
    head = f"{event_type}\0{publisher_id or ''}\0{timestamp or ''}".encode("utf-8", "replace")
    return xxhash.xxh3_64_intdigest(payload, xxhash.xxh3_64_intdigest(head))


def key_hash(deployment: str, message_id: str | None, content: int, context: Sequence[str | None] = ()) -> int:
    """Hash the key of a message; without an id, its content and what its *context* tells stand for it."""
    return context_hash(deployment, content, context) if message_id is None else id_hash(deployment, message_id)


def id_hash(deployment: str, message_id: str) -> int:
    """Hash the key of a message with an id."""
    return xxhash.xxh3_64_intdigest(f"{deployment}\0id {message_id}".encode("utf-8", "replace"))


def context_hash(deployment: str, content: int, context: Sequence[str | None]) -> int:
    """Hash the key of a message without an id."""
    return xxhash.xxh3_64_intdigest(f"{deployment}\0content {content} {context}".encode("utf-8", "replace"))


def body_hashes(deployment: str, message_id: str | None, body: str) -> tuple[int, int]:
    """Return the hashes of the key and the content of a stored notification."""
    content = body_content(body)
    return key_hash(deployment, message_id, content, body_context(body)), content


def body_context(body: str) -> tuple[str | None, str | None]:
    """Return the request and the time of the context, which tell bodies without an id apart."""
    try:
        found = _decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None, None
    return _text(found.request_id) or None, _text(found.context_timestamp) or None


def body_content(body: str) -> int:
    """Hash the content of a body whose values may have any type."""
    try:
        found = _decode(body)
    except (msgspec.DecodeError, RecursionError):
        return content_hash(None, None, None, body.encode("utf-8", "replace"))
    return content_hash(
        _text(found.event_type), _text(found.publisher_id), _text(found.timestamp), bytes(found.payload)
    )


def is_same(one: str, other: str) -> bool:
    """Tell whether two bodies have the same content, however they are written."""
    try:
        return _content(_read(one)) == _content(_read(other))
    except (RecursionError, ValueError):
        return one == other


def _read(body: str) -> dict[str, object]:
    # numbers are compared as they are written: some are too large for Python to read
    read: dict[str, object] = json.loads(body, parse_int=str, parse_float=str)
    return read


def _content(body: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in body.items() if name not in NOT_CONTENT and not name.startswith("_context_")}


def _text(raw: msgspec.Raw) -> str | None:
    written = bytes(raw).decode()
    if written.startswith('"'):
        return msgspec.json.decode(written, type=str)
    return None if written == "null" else written
