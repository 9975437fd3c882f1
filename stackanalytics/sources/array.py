"""Cutting a JSON array into the texts of its elements, without reading them."""

import re

import msgspec

# a string may run over lines, though not in sound JSON, but not into one that begins like a message
_INSIDE = rb'(?:[^"\\\n]++|\\.|\n(?![\[{]))*+'
# the next bracket that is in no string, or the quote of a string without an end
_MARK = re.compile(rb'(?:[^"\[\]{}]++|"' + _INSIDE + rb'")*+(["\[\]{}])', re.DOTALL)
_TORN = re.compile(rb'"' + _INSIDE + rb"\n", re.DOTALL)
BETWEEN = b" \t\r\n,"

_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode


class ArraySplitter:
    """Cuts the text of one JSON array, given in blocks, into the texts of its elements.

    Elements need not be sound: what stands between two commas comes out as it is. ``rest`` is what
    was given and did not come out yet; once the array ``is_closed``, what follows it. An array
    ``is_torn`` where a string in it runs into a line that begins a message.
    """

    def __init__(self) -> None:
        """Begin in front of the array."""
        self.rest = b""
        self.is_closed = False
        self.is_torn = False
        self._place = 0  # up to where rest is searched
        self._done = 0  # up to where it came out
        self._start = 0  # where the element in hand begins
        self._depth = 0

    def feed(self, block: bytes) -> list[bytes]:
        """Take the next bytes; return the elements that end in them."""
        self.rest += block
        values: list[bytes] = []
        while not self.is_closed and (found := _MARK.match(self.rest, self._place)):
            mark, place = found[1], found.start(1)
            if mark == b'"':
                self._place = place
                self.is_torn = _TORN.match(self.rest, place) is not None
                break
            self._place = found.end()
            values += self._open(place) if mark in b"[{" else self._close(place)
        else:
            self._place = len(self.rest)
        self._forget()
        return values

    def _open(self, place: int) -> list[bytes]:
        self._depth += 1
        if self._depth > 2:
            return []
        before = _between(self.rest[self._done : place])
        self._start = place
        self._done = self._place if self._depth == 1 else place
        return before

    def _close(self, place: int) -> list[bytes]:
        self._depth -= 1
        if self._depth > 1:
            return []
        before = self._done
        self._done = self._place
        if self._depth == 1:
            return [self.rest[self._start : self._place]]
        self.is_closed = True
        return _between(self.rest[before:place])

    def _forget(self) -> None:
        self.rest = self.rest[self._done :]
        self._place -= self._done
        self._start -= self._done
        self._done = 0


def _between(text: bytes) -> list[bytes]:
    """Return the elements that stand between two objects and are none themselves."""
    text = text.strip(BETWEEN)
    if not text:
        return []
    try:
        return [bytes(element) for element in _elements(b"[" + text + b"]")]
    except msgspec.DecodeError:
        return [text]
