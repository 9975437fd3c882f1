"""Messages from files: JSON lines and arrays, plain, gzip or zstd, folders, standard input.

Everything is read in blocks, so that memory does not grow with a file. What cannot be read to
its end gives what could be read, then a chunk with the problem.
"""

import gzip
import io
import re
import sys
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from stackanalytics.errors import InputError
from stackanalytics.sources.array import BETWEEN, ArraySplitter
from stackanalytics.sources.chunk import Chunk

STANDARD_INPUT = "-"
BLOCK_BYTES = 256 << 10
ZSTD_BYTES = 4 << 10
MESSAGE_BYTES = 64 << 20
BOM = b"\xef\xbb\xbf"
GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"

_ARRAY = re.compile(rb"\[\s*[\[{\]]|\[\s*\Z")
_SEAM = re.compile(rb"\n(?=[\[{])")


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
            yield from _read_file(Path(path))


def _read_file(path: Path) -> Iterator[Chunk]:
    """Yield the messages of one file; one that cannot be opened is told of, and the others are read all the same."""
    try:
        stream = path.open("rb", buffering=0)
    except OSError as problem:
        yield Chunk(str(path), 1, [b""], problem=f"the file cannot be opened: {problem.strerror}")
        return
    with stream:
        yield from read_stream(stream, str(path))


def read_stream(stream: BinaryIO | io.RawIOBase, origin: str) -> Iterator[Chunk]:
    """Yield the messages of one stream; compression and layout are told by its first bytes.

    Chunks count lines, from 1, or, with an origin that says so, the elements of JSON arrays.
    """
    blocks = _Blocks(stream)
    if blocks.peek().startswith(BOM):
        blocks.skip(len(BOM))
    element = 1
    while _ARRAY.match(blocks.peek()[:4096].lstrip()):
        element = yield from _read_array(blocks, f"{origin}, element", element)
    yield from _read_lines(blocks, origin)


class _Blocks:
    """The blocks of a stream, decompressed; remembers the problem that ended it early."""

    def __init__(self, stream: BinaryIO | io.RawIOBase) -> None:
        self.line = 1
        self._read = _reading(_Peekable(stream))
        self._ahead = b""
        self._problem: str | None = None
        self._is_at_end = False

    def peek(self) -> bytes:
        self._ahead = self._ahead or self._next()
        return self._ahead

    def skip(self, count: int) -> None:
        self._ahead = self._ahead[count:]

    def put_back(self, block: bytes) -> None:
        """Give back the end of a block that was counted."""
        self._ahead = block + self._ahead
        self.line -= block.count(b"\n")

    def take_problem(self) -> str | None:
        problem, self._problem = self._problem, None
        return problem

    def __iter__(self) -> Iterator[bytes]:
        while block := self.peek():
            self._ahead = b""
            yield block

    def counted(self) -> Iterator[bytes]:
        """Yield the blocks, keeping count of their lines."""
        for block in self:
            self.line += block.count(b"\n")
            yield block

    def _next(self) -> bytes:
        parts, size = [], 0
        while size < BLOCK_BYTES and not self._is_at_end:
            try:
                part = self._read()
            except (EOFError, OSError, zlib.error) as problem:
                self._problem = f"the input ends early or is damaged: {problem}"
                part = b""
            parts.append(part)
            size += len(part)
            self._is_at_end = not part
        return b"".join(parts)


class _Peekable(io.RawIOBase):
    """A raw stream whose first bytes can be looked at."""

    def __init__(self, stream: BinaryIO | io.RawIOBase) -> None:
        self._stream = stream
        self.head = b""
        while len(self.head) < len(ZSTD) and (more := stream.read(BLOCK_BYTES)):
            self.head += more

    def plain(self) -> bytes:
        """Return the next bytes as they are."""
        block, self.head = self.head, b""
        return block or self._stream.read(BLOCK_BYTES) or b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]  # a writable buffer, as RawIOBase promises
        block = self.head[: len(view)] or self._stream.read(len(view)) or b""
        self.head = self.head[len(view) :]
        view[: len(block)] = block
        return len(block)


def _reading(raw: _Peekable) -> Callable[[], bytes]:
    """Return a function that gives the next bytes, decompressed; few at a time, for an error costs them."""
    if raw.head.startswith(GZIP):
        unpacked = gzip.GzipFile(fileobj=io.BufferedReader(raw, BLOCK_BYTES))
        return partial(unpacked.read1, BLOCK_BYTES)
    if raw.head.startswith(ZSTD):
        return partial(pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd").read, ZSTD_BYTES)
    return raw.plain


def _read_lines(blocks: _Blocks, origin: str) -> Iterator[Chunk]:
    number, rest, left_out = blocks.line, b"", 0
    for block in blocks:
        first, *lines = block.split(b"\n")
        room = MESSAGE_BYTES - len(rest)
        left_out += max(0, len(first) - room)
        rest += first[:room]
        if not lines:
            continue
        if left_out:
            yield Chunk(origin, number, [rest], problem=_too_long(left_out))
            number, left_out = number + 1, 0
        else:
            lines.insert(0, rest)
        rest = lines.pop()
        if lines:
            has_returns = b"\r" in block or b"\r" in lines[0]
            yield Chunk(origin, number, [line.removesuffix(b"\r") for line in lines] if has_returns else lines)
            number += len(lines)
    problem = blocks.take_problem() or (_too_long(left_out) if left_out else None)
    if problem or rest.strip():
        yield Chunk(origin, number, [rest], problem=problem)


def _read_array(blocks: _Blocks, origin: str, element: int) -> Generator[Chunk, None, int]:
    """Yield the elements of one JSON array, whatever its layout; return the number of the next one."""
    splitter = ArraySplitter()
    for block in blocks.counted():
        if values := splitter.feed(block):
            yield Chunk(origin, element, values)
            element += len(values)
        if splitter.is_closed or splitter.is_torn or len(splitter.rest) > MESSAGE_BYTES:
            break
    if splitter.is_closed:
        blocks.put_back(splitter.rest)
        return element
    is_long = len(splitter.rest) > MESSAGE_BYTES
    torn, left_out = _skip_torn(splitter.rest, blocks)
    problem = _too_long(left_out) if is_long else blocks.take_problem() or "a JSON array that does not end"
    yield Chunk(origin, element, [torn.strip(BETWEEN)], problem=problem)
    return element + 1


def _skip_torn(rest: bytes, blocks: _Blocks) -> tuple[bytes, int]:
    """Go on where a line begins like a message; return what was torn, and how many more bytes were."""
    if seam := _SEAM.search(rest):
        blocks.put_back(rest[seam.end() :])
        return rest[: seam.start()], 0
    left_out = 0
    for block in blocks.counted():
        if seam := _SEAM.search(block):
            blocks.put_back(block[seam.end() :])
            return rest, left_out + seam.start()
        left_out += len(block)
    return rest, left_out


def _too_long(left_out: int) -> str:
    return f"longer than {MESSAGE_BYTES} bytes; {left_out} more are left out"


def _is_hidden(file: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(root).parts)
