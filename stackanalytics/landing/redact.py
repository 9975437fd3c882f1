"""Taking secrets out of messages before anything is written.

Names of secrets are searched for first, in one fast pass over many messages at once; only where
one stands before a value is anything taken apart. All but the value stays as received.
"""

import json
import re
from collections.abc import Sequence

import polars as pl

REDACTED = "***"

# a key is secret if its name ends in one of these; oslo's own list, and its kin
_NAMES = r"(?:token|passw(?:or)?d|admin_?pass|new_pass|rescue_pass|service_catalog)"
_PRESENT = rf'(?i){_NAMES}\\*"\s*:\s*(?:\\*"[^"\\*]|[\[{{]\s*[^\s\]}}]|[-\dtf])'
_ESCAPED_NAME = r'\\u00[2-7][0-9A-Fa-f][^":]*"\s*:'
_ESCAPE = "\\u00"
_KEY = re.compile(rf'{_NAMES}(\\*)"\s*:\s*', re.IGNORECASE)
_ANY_ESCAPED_KEY = re.compile(r'"((?:[^"\\]|\\.)*\\u00(?:[^"\\]|\\.)*)"(\s*:\s*)')
_NAME = re.compile(rf"{_NAMES}\Z", re.IGNORECASE)
_END_OF_PLAIN = re.compile(r"[^\s,}\]]*")
_decoder = json.JSONDecoder()


def find_secrets(texts: Sequence[str]) -> list[int]:
    """Return the places of the texts in which a secret may stand."""
    joined = "\n".join(texts)
    suspicious = f"{_PRESENT}|{_ESCAPED_NAME}" if _ESCAPE in joined else _PRESENT
    if not pl.Series([joined]).str.contains(suspicious)[0]:
        return []
    return pl.Series(texts, dtype=pl.String).str.contains(suspicious).arg_true().to_list()


def redact(text: str) -> str:
    """Redact one message or any other text, broken JSON included."""
    for found in _ANY_ESCAPED_KEY.finditer(text) if _ESCAPE in text else ():
        if _NAME.search(_unescaped(found[1])):
            text = text.replace(found[0], f'"{_unescaped(found[1])}"{found[2]}')
    parts, place = [], 0
    while found := _KEY.search(text, place):
        end = _end_of_value(text, found.end(), found[1])
        parts.append(text[place : found.end()])
        value = text[found.end() : end]
        parts.append(value if _is_nothing(value) else f'{found[1]}"{REDACTED}{found[1]}"')
        place = end
    return "".join([*parts, text[place:]])


def redact_bytes(content: bytes) -> bytes:
    """Redact bytes that need not be text."""
    return redact(content.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _end_of_value(text: str, start: int, escape: str) -> int:
    """Find the end of the JSON value at *start*; where there is none, that of the text."""
    if escape:
        quote = f'{escape}"'
        if text.startswith(quote, start):
            end = text.find(quote, start + len(quote))
            return len(text) if end < 0 else end + len(quote)
        if text[start : start + 1] in "[{":
            return len(text)
    elif text[start : start + 1] in ('"', "[", "{"):
        try:
            return _decoder.raw_decode(text, start)[1]
        except (ValueError, RecursionError):
            return len(text)
    plain = _END_OF_PLAIN.match(text, start)
    return plain.end() if plain else start


def _is_nothing(value: str) -> bool:
    return value.strip('\\"') in ("", "null", "[]", "{}", REDACTED) or (value[0] in "[{" and not value[1:-1].strip())


def _unescaped(name: str) -> str:
    return re.sub(r"\\u00([0-7][0-9A-Fa-f])", lambda found: chr(int(found[1], 16)), name)
