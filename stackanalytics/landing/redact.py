"""Taking secrets out of messages before anything is written.

Names of secrets are searched for first, in one fast pass over many messages at once; only where
one stands before a value is anything taken apart. All but the value stays as received.

JSON often stands in the strings of JSON, its quotes escaped once a level: ``"``, ``\\"``,
``\\\\\\"`` … A value is followed through its own level and never beyond the string that it
stands in, so that what was JSON stays JSON.
"""

import re
from collections.abc import Iterable, Sequence

import polars as pl
import pyarrow as pa

REDACTED = "***"
NOTHING_BYTES = len("null")  # no secret is so short
CLOSE = 16  # at most so many characters between a key and its value

_MARKED = f'"{REDACTED}"'.encode()

# a key is secret if its name ends in one of these
_NAMES = r"(?:token|passw(?:or)?d|admin_?pass|new_pass|rescue_pass|service_?catalog)"
_BLANKS = r"(?:\s|\\+[nrt])*"
_COLON = rf"{_BLANKS}:{_BLANKS}"

_NOT_REDACTED = r'\*(?:[^*]|\*(?:[^*]|\*[^"\'\\]))'
_VALUE = (
    rf'"(?:[^"*]|{_NOT_REDACTED})'
    rf"|'(?:[^'*]|{_NOT_REDACTED})"
    rf'|\\+"(?:[^"\\*]|{_NOT_REDACTED}|\\+[^"\\]|\\{{2,}}")'
    r"|[\[{]\s*[^\s\]}]"
    r"|[^\s\"'\\,\[\]{}n]"
)
_PRESENT = rf"(?i){_NAMES}\\*[\"']{_COLON}(?:{_VALUE})"
_ESCAPE = "\\u00"
_FIRST_LOOK = rf"{_PRESENT}|\\u00[2-7]"
_ESCAPED = r'\\u00[2-7][0-9A-Fa-f][^":]*"\s*:|\\u0022\s*:'
_SECOND_LOOK = f"{_PRESENT}|{_ESCAPED}"

_KEY = re.compile(rf"{_NAMES}(?P<escapes>\\*)(?P<quote>[\"']){_COLON}", re.IGNORECASE)
_PLAIN = re.compile(r"(?![ub]')[^\s,\[\]{}\"'\\]+")
_OPENING = re.compile(r"[ub]?\\*[\"']|[\[{]")
_MARK = re.compile(r"(?P<escapes>(?<!\\)\\*)(?P<mark>[\"'\[\]{}])")
_NOTHING = re.compile(rf"(?:null|none|\[{_BLANKS}\]|\{{{_BLANKS}\}})?", re.IGNORECASE)

_NAME = re.compile(rf"{_NAMES}\Z", re.IGNORECASE)
_LETTER = r"\\++u00(?!22|5[Cc])[2-7][0-9A-Fa-f]"
_HIDING_NAME = re.compile(rf"(?<=\")(?:[\w.-]|{_LETTER})++(?=\\*\"{_BLANKS}:)")
_HIDDEN_LETTER = re.compile(r"(?<!\\)\\++u00([2-7][0-9A-Fa-f])")
_HIDDEN_QUOTE = re.compile(r"(?<!\\)(\\++)u0022")


def find_secrets(texts: Sequence[str] | pa.Array) -> list[int]:
    """Return the places of the texts in which a secret may stand."""
    series = pl.Series(texts, dtype=pl.String)
    places = series.str.contains(_FIRST_LOOK).arg_true()
    return places.filter(series.gather(places).str.contains(_SECOND_LOOK)).to_list() if len(places) else []


def without_values(content: bytes, values: Iterable[tuple[bytes, bytes]]) -> list[bytes | memoryview]:
    """Redact the values of known keys, each given as it is written, in parts that make the text.

    The first is looked for from the end and the others behind it; what is not found stays.
    """
    view, rest = memoryview(content), 0
    parts: list[bytes | memoryview] = []
    for key, value in values:
        if len(value) <= NOTHING_BYTES:
            continue
        place = content.find(key, rest) if rest else content.rfind(key)
        start = content.find(value, place, place + len(key) + len(value) + CLOSE) if place >= 0 else -1
        if start >= 0:
            parts += view[rest:start], _MARKED
            rest = start + len(value)
    parts.append(view[rest:])
    return parts


def redact(text: str) -> str:
    """Redact one message or any other text, broken JSON included."""
    if _ESCAPE in text:
        text = _revealed(text)
    is_json = text.lstrip()[:1] in ("{", "[")
    parts, place = [], 0
    while found := _KEY.search(text, place):
        quote = found["escapes"] + found["quote"]
        level = _level(found["escapes"]) if found["quote"] == '"' else int(is_json)
        end = _end_of_odd(text, found.end(), quote) if level is None else _end_of_value(text, found.end(), level)
        value = text[found.end() : end]
        is_secret = not _NOTHING.fullmatch(value) and value not in (f"{quote}{quote}", f"{quote}{REDACTED}{quote}")
        parts += [text[place : found.end()], f"{quote}{REDACTED}{quote}" if is_secret else value]
        place = end
    return "".join([*parts, text[place:]])


def redact_bytes(content: bytes) -> bytes:
    """Redact bytes that need not be text."""
    text = content.decode("utf-8", "surrogateescape")
    narrow = text.replace("\0", "")  # as UTF-16 looks where UTF-8 is expected
    redacted = redact(narrow)
    return (redact(text) if redacted == narrow else redacted).encode("utf-8", "surrogateescape")


def _end_of_value(text: str, start: int, level: int) -> int:
    """Find the end of the value at *start*: that of the string around it where this comes first."""
    if plain := _PLAIN.match(text, start):
        return plain.end()
    if not _OPENING.match(text, start):
        return start
    depth, string = 0, ""
    for found in _MARK.finditer(text, start):
        mark, escapes = found["mark"], len(found["escapes"])
        if mark == '"':
            left = _unescaped(escapes, level)
            if left is None:
                return found.start()
            escapes = left
        if string:
            is_closed = mark == string and escapes % 2 == 0
            string = "" if is_closed else string
        elif mark in "\"'":
            string, is_closed = mark, False
        else:
            depth += 1 if mark in "[{" else -1
            is_closed = True
        if is_closed and depth <= 0:
            return found.end() if depth == 0 else found.start()
    return len(text)


def _end_of_odd(text: str, start: int, quote: str) -> int:
    """Find the end of a value whose quotes are escaped as no JSON writes them."""
    if not text.startswith(quote, start):
        return start
    end = text.find(quote, start + len(quote))
    return len(text) if end < 0 else end + len(quote)


def _level(escapes: str) -> int | None:
    """Tell how many strings a quote with these backslashes stands in; None where it is part of a word."""
    count = len(escapes) + 1
    return count.bit_length() - 1 if count & (count - 1) == 0 else None


def _unescaped(escapes: int, level: int) -> int | None:
    """Count a quote's backslashes as its own level has them; None where it ends a string further out."""
    for _ in range(level):
        if escapes % 2 == 0:
            return None
        escapes //= 2
    return escapes


def _revealed(text: str) -> str:
    """Write out names and quotes that are hidden in ``\\u`` escapes, where secrets come to light by that."""
    plain = _HIDING_NAME.sub(_plain_name, text)
    quoted = _HIDING_NAME.sub(_plain_name, _HIDDEN_QUOTE.sub(_plain_quote, text))
    return quoted if len(_KEY.findall(quoted)) > len(_KEY.findall(plain)) else plain


def _plain_name(found: re.Match[str]) -> str:
    name = _HIDDEN_LETTER.sub(lambda letter: chr(int(letter[1], 16)), found[0])
    return name if _NAME.search(name) else found[0]


def _plain_quote(found: re.Match[str]) -> str:
    return "\\" * _escapes_of_quote(len(found[1])) + '"'


def _escapes_of_quote(escapes: int) -> int:
    """Count the backslashes of a quote that was written as ``\\u0022`` with so many of them."""
    return escapes if escapes % 2 else 2 * _escapes_of_quote(escapes // 2) + 1
