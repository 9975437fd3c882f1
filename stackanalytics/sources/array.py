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
        self._start = 0  # where the element in hand begins
        self._depth = 0

    def feed(self, block: bytes) -> list[bytes]:
        """Take the next bytes; return the elements that end in them."""
        self.rest += block
        values: list[bytes] = []
        done = 0
        while not self.is_closed and (found := _MARK.match(self.rest, self._place)):
            place, self._place = found.start(1), found.end()
            if found[1] == b'"':
                self._place = place
                self.is_torn = _TORN.match(self.rest, place) is not None
                break
            if found[1] in b"[{":
                if self._depth < 2:
                    values += _between(self.rest[done:place])
                    self._start = place
                    done = place if self._depth else self._place
                self._depth += 1
                continue
            self._depth -= 1
            if self._depth == 1:
                values.append(self.rest[self._start : self._place])
                done = self._place
            elif self._depth < 1:
                values += _between(self.rest[done:place])
                done, self.is_closed = self._place, True
        else:
            self._place = len(self.rest)
        self._forget(done)
        return values

    def _forget(self, done: int) -> None:
        self.rest = self.rest[done:]
        self._place -= done
        self._start -= done


def _between(text: bytes) -> list[bytes]:
    """Return the elements that stand between two objects and are none themselves."""
    text = text.strip(BETWEEN)
    if not text:
        return []
    try:
        return [bytes(element) for element in _elements(b"[" + text + b"]")]
    except msgspec.DecodeError:
        return [text]
