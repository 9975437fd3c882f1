"""Landing: raw messages into a lake, each a row or a dead letter, once."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from stackanalytics.lake import DeadLetter, Landed, Notifications, Writer
from stackanalytics.landing.form import UnreadableError, elements, open_message
from stackanalytics.landing.reading import Reading
from stackanalytics.landing.redact import redact, redact_bytes
from stackanalytics.sources.chunk import Chunk

BATCH_ROWS = 50_000
BATCH_BYTES = 64 << 20
REASON_CHARACTERS = 300


@dataclass
class Summary(Landed):
    """What became of an input."""

    bytes: int = 0


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
    for batch in _batches(chunks, lambda: Reading(deployment=deployment, exchange=exchange)):
        if batch.parts:
            summary.add(writer.append(batch.notifications()))
        if batch.letters:
            summary.add(writer.append_dead_letters(batch.letters))
        summary.bytes += batch.bytes
        if on_progress:
            on_progress(summary)
    return summary


@dataclass
class _Batch:
    """Rows on their way into the lake; those of each chunk become columns while they are at hand."""

    parts: list[Notifications] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    count: int = 0
    bytes: int = 0

    @property
    def is_full(self) -> bool:
        return self.count >= BATCH_ROWS or self.bytes >= BATCH_BYTES

    def notifications(self) -> Notifications:
        return Notifications(
            rows=pa.concat_tables([part.rows for part in self.parts]),
            keys=np.concatenate([part.keys for part in self.parts]),
            contents=np.concatenate([part.contents for part in self.parts]),
        )


def _batches(chunks: Iterable[Chunk], reading: Callable[[], Reading]) -> Iterator[_Batch]:
    batch = _Batch()
    for chunk in chunks:
        batch.count += len(chunk.messages)
        batch.bytes += sum(map(len, chunk.messages)) + len(chunk.messages)
        if chunk.problem:
            for place, content in enumerate(chunk.messages):
                batch.letters.append(dead_letter(chunk, place, content, chunk.problem))
        else:
            _read_chunk(chunk, reading(), batch)
        if batch.is_full:
            yield batch
            batch = _Batch()
    if batch.count:
        yield batch


def _read_chunk(chunk: Chunk, reading: Reading, batch: _Batch) -> None:
    given: list[tuple[int, str]] = []
    for place, content in enumerate(chunk.messages):
        try:
            line = content.decode()
        except UnicodeDecodeError:
            batch.letters.append(dead_letter(chunk, place, content, "not text in UTF-8"))
            continue
        for message in elements(line) if line.lstrip()[:1] == "[" else (line,):
            tag = len(given)
            given.append((place, message))
            try:
                if not reading.add_bare(message, tag) and message and not message.isspace():
                    reading.add(open_message(message), tag)
            except UnreadableError as problem:
                batch.letters.append(dead_letter(chunk, place, message.encode(), str(problem)))
    if reading:
        notifications, rejected = reading.notifications()
        batch.parts.append(notifications)
        for tag, reason in rejected:
            place, message = given[tag]
            batch.letters.append(dead_letter(chunk, place, message.encode(), reason))


def dead_letter(chunk: Chunk, place: int, content: bytes, reason: str) -> DeadLetter:
    """Return the dead letter of a message of a chunk, secrets redacted."""
    return DeadLetter(redact_bytes(content), f"{chunk.origin}:{chunk.first + place}", _brief(redact(reason)))


def _brief(reason: str) -> str:
    return reason if len(reason) <= REASON_CHARACTERS else f"{reason[:REASON_CHARACTERS]} …"
