"""Landing: raw messages into a lake, each a row or a dead letter, once."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from stackanalytics.lake import DeadLetter, Landed, Notifications, Writer
from stackanalytics.landing.form import Message, Unreadable, elements, open_message
from stackanalytics.landing.redact import redact, redact_bytes, redact_lines
from stackanalytics.landing.row import Read, Reader, Row
from stackanalytics.schema import FIELDS, arrow_schema
from stackanalytics.sources.chunk import Chunk

BATCH_ROWS = 50_000
BATCH_BYTES = 64 << 20

SCHEMA = arrow_schema(*Row._fields)


@dataclass
class Summary(Landed):
    """What became of an input."""

    bytes: int = 0
    messages: int = 0


def land(
    chunks: Iterable[Chunk],
    folder: Path | str,
    *,
    deployment: str = "default",
    exchange: str | None = None,
    on_progress: Callable[[Summary], None] | None = None,
) -> Summary:
    """Land raw messages in the lake in *folder*, which is created if needed.

    It may be killed at any point and run again: what the lake holds already is recognised.

    Parameters
    ----------
    chunks
        Messages from a source, such as ``sources.files.read(paths)``.
    folder
        Folder of the lake.
    deployment
        Deployment of messages that do not tell theirs.
    exchange
        Exchange of messages that do not tell theirs; None to tell by the event type.
    on_progress
        Called with the running summary whenever something is on disk.

    Returns
    -------
    Summary
        How many messages were landed, were there before, came again with other content, or
        became dead letters.
    """
    writer = Writer(Path(folder))
    summary = Summary()
    for batch in _batches(chunks, Reader(deployment=deployment, exchange=exchange)):
        if batch.rows:
            summary.add(writer.append(batch.notifications()))
        if batch.letters:
            summary.add(writer.append_dead_letters(batch.letters))
        summary.bytes += batch.bytes
        if on_progress:
            on_progress(summary)
    return summary


@dataclass
class _Batch:
    rows: list[Row] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    contents: list[int] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    bytes: int = 0

    @property
    def is_full(self) -> bool:
        return len(self.rows) + len(self.letters) >= BATCH_ROWS or self.bytes >= BATCH_BYTES

    def add(self, read: Read) -> None:
        self.rows.append(read.row)
        self.keys.append(read.key)
        self.contents.append(read.content)

    def notifications(self) -> Notifications:
        columns = zip(*self.rows, strict=True)
        arrays = [pa.array(column, FIELDS[name].type) for name, column in zip(Row._fields, columns, strict=True)]
        return Notifications(
            rows=pa.table(arrays, schema=SCHEMA),
            keys=np.array(self.keys, dtype=np.uint64),
            contents=np.array(self.contents, dtype=np.uint64),
        )


def _batches(chunks: Iterable[Chunk], reader: Reader) -> Iterator[_Batch]:
    batch = _Batch()
    for chunk in chunks:
        batch.bytes += sum(map(len, chunk.messages)) + len(chunk.messages)
        if chunk.problem:
            batch.letters.extend(
                DeadLetter(redact_bytes(content), f"{chunk.origin}:{chunk.first}", chunk.problem)
                for content in chunk.messages
            )
        else:
            _read_chunk(chunk, reader, batch)
        if batch.is_full:
            yield batch
            batch = _Batch()
    if batch.rows or batch.letters or batch.bytes:
        yield batch


def _read_chunk(chunk: Chunk, reader: Reader, batch: _Batch) -> None:
    for place, line in enumerate(_texts(chunk.messages)):
        if line is None:
            _reject(batch, chunk, place, chunk.messages[place], "not text in UTF-8")
        elif line and not line.isspace():
            _read_line(line, reader, batch, chunk, place)


def _read_line(line: str, reader: Reader, batch: _Batch, chunk: Chunk, place: int) -> None:
    try:
        read = reader.bare(line)
        if read is None:
            inside = elements(line)
            if inside is not None:
                for element in inside:
                    _read_line(element, reader, batch, chunk, place)
                return
            read = reader.message(_opened(line))
        batch.add(read)
    except Unreadable as problem:
        _reject(batch, chunk, place, line.encode("utf-8", "surrogatepass"), str(problem))


def _opened(line: str) -> Message:
    message = open_message(line)
    # quotes that an envelope hides from the first pass
    return replace(message, body=redact(message.body)) if "\\u00" in line else message


def _texts(messages: list[bytes]) -> list[str | None]:
    """Decode messages and redact them, all at once where possible."""
    try:
        lines = redact_lines(b"\n".join(messages).decode()).split("\n")
    except UnicodeDecodeError:
        return [_text(message) for message in messages]
    return list(lines) if len(lines) == len(messages) else [_text(message) for message in messages]


def _text(message: bytes) -> str | None:
    try:
        return redact(message.decode())
    except UnicodeDecodeError:
        return None


def _reject(batch: _Batch, chunk: Chunk, place: int, content: bytes, reason: str) -> None:
    batch.letters.append(DeadLetter(redact_bytes(content), f"{chunk.origin}:{chunk.first + place}", reason))
