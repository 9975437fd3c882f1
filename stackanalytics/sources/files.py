"""Messages from files: JSON lines and arrays, plain, gzip or zstd, folders, standard input.

Everything is read in blocks, so that memory does not grow with a file. What cannot be read to
its end gives what could be read, then a chunk with the problem.
"""

import gzip
import io
import re
import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from stackanalytics.errors import InputError
from stackanalytics.sources.chunk import Chunk

STANDARD_INPUT = "-"
BLOCK_BYTES = 4 << 20
MESSAGE_BYTES = 64 << 20
BOM = b"\xef\xbb\xbf"
GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"

_ARRAY = re.compile(rb'\[\s*[\[{\]]|\[\s*\Z')
_STRUCTURE = re.compile(rb'["\[\]{}]')
_STRING_END = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


def find_files(paths: Iterable[Path | str]) -> list[Path | str]:
    """Return the files to read: folders are searched, in order of their names.

    Raises
    ------
    InputError
        If a path does not exist or holds no file.
    """
    found: list[Path | str] = []
    for given in paths:
        path = Path(given)
        if given == STANDARD_INPUT:
            found.append(STANDARD_INPUT)
        elif path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.is_file() and not _is_hidden(file, path))
            if not inside:
                raise InputError(f"no files in the folder {path}")
            found.extend(inside)
        elif path.exists():
            found.append(path)
        else:
            raise InputError(f"no such file or folder: {path}. Give files, folders, or - for standard input")
    return found


def read(paths: Iterable[Path | str]) -> Iterator[Chunk]:
    """Yield the messages of files, folders and, for ``-``, of standard input."""
    for path in find_files(paths):
        if path == STANDARD_INPUT:
            yield from read_stream(sys.stdin.buffer, "standard input")
        else:
            with open(path, "rb", buffering=0) as stream:
                yield from read_stream(stream, str(path))


def read_stream(stream: BinaryIO | io.RawIOBase, origin: str) -> Iterator[Chunk]:
    """Yield the messages of one stream; compression and layout are told by its first bytes."""
    blocks = _Blocks(stream)
    head = blocks.peek()
    if head.startswith(BOM):
        blocks.skip(len(BOM))
        head = head[len(BOM) :]
    if _ARRAY.match(head.lstrip()[:4096]):
        yield from _read_values(blocks, origin)
    else:
        yield from _read_lines(blocks, origin)


class _Blocks:
    """The blocks of a stream, decompressed; remembers the problem that ended it early."""

    def __init__(self, stream: BinaryIO | io.RawIOBase) -> None:
        self.problem: str | None = None
        self._raw = _Peekable(stream)
        self._source = _decompressed(self._raw)
        self._ahead = b""

    def peek(self) -> bytes:
        self._ahead = self._ahead or self._next()
        return self._ahead

    def skip(self, count: int) -> None:
        self._ahead = self._ahead[count:]

    def __iter__(self) -> Iterator[bytes]:
        while block := self.peek():
            self._ahead = b""
            yield block

    def _next(self) -> bytes:
        if self.problem:
            return b""
        try:
            return self._source.read(BLOCK_BYTES) or b""
        except (EOFError, OSError, zlib.error) as problem:
            self.problem = f"the compressed input ends early or is damaged: {problem}"
            return b""


class _Peekable(io.RawIOBase):
    """A raw stream whose first bytes can be looked at."""

    def __init__(self, stream: BinaryIO | io.RawIOBase) -> None:
        self._stream = stream
        self.head = b""
        while len(self.head) < len(ZSTD) and (more := stream.read(BLOCK_BYTES)):
            self.head += more

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]  # a writable buffer, as RawIOBase promises
        block = self.head[: len(view)] or self._stream.read(len(view)) or b""
        self.head = self.head[len(view) :]
        view[: len(block)] = block
        return len(block)


def _decompressed(raw: _Peekable) -> BinaryIO | _Peekable | pa.CompressedInputStream:
    if raw.head.startswith(GZIP):
        return gzip.GzipFile(fileobj=io.BufferedReader(raw, BLOCK_BYTES))
    if raw.head.startswith(ZSTD):
        return pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd")
    return raw


def _read_lines(blocks: _Blocks, origin: str) -> Iterator[Chunk]:
    number, rest = 1, b""
    for block in blocks:
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        if lines:
            yield Chunk(origin, number, lines)
            number += len(lines)
        if len(rest) > MESSAGE_BYTES:
            yield Chunk(origin, number, [rest], problem=f"a line longer than {MESSAGE_BYTES} bytes")
            rest = b""
    if blocks.problem:
        yield Chunk(origin, number, [rest], problem=blocks.problem)
    elif rest.strip():
        yield Chunk(origin, number, [rest])


def _read_values(blocks: _Blocks, origin: str) -> Iterator[Chunk]:
    """Yield the elements of JSON arrays (and objects between them), however they are laid out."""
    splitter, number = _ValueSplitter(), 1
    for block in blocks:
        values = splitter.feed(block)
        if values:
            yield Chunk(origin, number, values)
            number += len(values)
        if len(splitter.rest) > MESSAGE_BYTES:
            yield Chunk(origin, number, [splitter.rest], problem=f"a value longer than {MESSAGE_BYTES} bytes")
            return
    if rest := splitter.rest.strip(b" \t\r\n,]"):
        yield Chunk(origin, number, [rest], problem=blocks.problem or "the JSON array ends in the middle of a value")
    elif blocks.problem:
        yield Chunk(origin, number, [b""], problem=blocks.problem)


class _ValueSplitter:
    """Cuts a stream of JSON arrays into the texts of their elements."""

    def __init__(self) -> None:
        self.rest = b""
        self._place = 0
        self._depth = 0
        self._base = 0
        self._start = 0

    def feed(self, block: bytes) -> list[bytes]:
        """Take the next bytes; return the elements that end in them."""
        self.rest += block
        values = []
        while token := _STRUCTURE.search(self.rest, self._place):
            mark = token[0]
            if mark == b'"':
                end = _STRING_END.match(self.rest, token.end())
                if end is None:
                    self._place = token.start()
                    break
                self._place = end.end()
                continue
            self._place = token.end()
            if mark in b"[{":
                self._open(mark, token.start())
            elif self._close():
                values.append(self.rest[self._start : self._place])
        else:
            self._place = len(self.rest)
        self._forget()
        return values

    def _open(self, mark: bytes, place: int) -> None:
        if self._depth == 0 and mark == b"[":
            self._base = 1
        elif self._depth == self._base:
            self._start = place
        self._depth += 1

    def _close(self) -> bool:
        self._depth = max(0, self._depth - 1)
        if self._depth == 0 and self._base:
            self._base = 0
            return False
        return self._depth == self._base

    def _forget(self) -> None:
        keep = self._start if self._depth > self._base else self._place
        self.rest = self.rest[keep:]
        self._place -= keep
        self._start = 0


def _is_hidden(file: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(root).parts)
