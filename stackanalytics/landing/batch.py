"""Landing: raw messages into a lake, each a row or a dead letter, once."""

from bisect import bisect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

from stackanalytics.lake import DeadLetter, Landed, Notifications, Writer
from stackanalytics.landing.form import Message, UnreadableError, elements, open_message, unwrap
from stackanalytics.landing.reading import Reading, Rejected
from stackanalytics.landing.redact import redact, redact_bytes
from stackanalytics.sources.chunk import Chunk

BATCH_ROWS = 50_000
BATCH_BYTES = 64 << 20
SETTLED_ROWS = 5_000
HANDFUL = 64  # messages read at once: so few that they stay in the caches of a processor from step to step
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
    for batch in _batches(chunks, lambda: _Batch(Reading(deployment=deployment, exchange=exchange))):
        rows = batch.notifications()
        if rows.rows.num_rows:
            summary.add(writer.append(rows))
        if batch.letters:
            summary.add(writer.append_dead_letters(batch.letters))
        summary.bytes += batch.size
        if on_progress:
            on_progress(summary)
    return summary


@dataclass
class _Batch:
    """Messages on their way into the lake, counted from 0: so they are tagged."""

    reading: Reading
    letters: list[DeadLetter] = field(default_factory=list)
    count: int = 0
    size: int = 0
    chunks: list[tuple[int, str, int]] = field(default_factory=list)  # the count before each, its origin and first line
    opened: list[tuple[int, bytes]] = field(
        default_factory=list
    )  # messages that are no bare bodies, tagged from -1 down

    @property
    def is_full(self) -> bool:
        return self.count >= BATCH_ROWS or self.size >= BATCH_BYTES

    def read(self, chunk: Chunk) -> None:
        messages = chunk.messages
        self.chunks.append((self.count, chunk.origin, chunk.first))
        if chunk.problem:
            self.letters.extend(
                self._letter(tag, content, chunk.problem) for tag, content in enumerate(messages, self.count)
            )
        else:
            for first in range(0, len(messages), HANDFUL):
                self._read_handful(messages[first : first + HANDFUL], self.count + first)
        self.count += len(messages)
        self.size += sum(map(len, messages)) + len(messages)
        if len(self.reading) >= SETTLED_ROWS:
            self._reject(self.reading.settle())
            self.opened.clear()

    def notifications(self) -> Notifications:
        rows, rejected = self.reading.notifications()
        self._reject(rejected)
        return rows

    def _read_handful(self, contents: Sequence[bytes], first: int) -> None:
        if self.reading.add_bare(contents, range(first, first + len(contents))) or self._read_wrapped(contents, first):
            return
        messages, tags = [], []
        for tag, content in enumerate(contents, first):
            for message in self._opened(content, tag):
                messages.append(message)
                tags.append(-len(self.opened))
        self._reject(self.reading.add(messages, tags))

    def _read_wrapped(self, contents: Sequence[bytes], first: int) -> bool:
        """Read a handful of which each wraps a bare body; return False, with none read, where any may not."""
        found = []
        for content in contents:
            unwrapped = unwrap(content)
            if unwrapped is None:
                return False
            found.append(unwrapped)
        bodies, transports = zip(*found, strict=True)
        last = -1 - len(self.opened)
        if not self.reading.add_bare(bodies, range(last, last - len(contents), -1), transports):
            return False
        self.opened.extend(enumerate(contents, first))
        return True

    def _opened(self, content: bytes, tag: int) -> Iterator[Message]:
        """Open a message, or each of an array of messages, of any form."""
        try:
            text = content.decode()
        except UnicodeDecodeError:
            self.letters.append(self._letter(tag, content, "not text in UTF-8"))
            return
        for element in elements(text):
            self.opened.append((tag, element.encode()))
            try:
                if element and not element.isspace():
                    yield open_message(element)
            except UnreadableError as problem:
                self.letters.append(self._letter(tag, element.encode(), str(problem)))

    def _reject(self, rejected: Iterable[Rejected]) -> None:
        for tag, content, reason in rejected:
            place, message = (tag, content) if tag >= 0 else self.opened[-tag - 1]
            self.letters.append(self._letter(place, message, reason))

    def _letter(self, tag: int, content: bytes, reason: str) -> DeadLetter:
        before, origin, first = self.chunks[bisect(self.chunks, tag, key=itemgetter(0)) - 1]
        return _dead_letter(f"{origin}:{first + tag - before}", content, reason)


def _batches(chunks: Iterable[Chunk], start: Callable[[], _Batch]) -> Iterator[_Batch]:
    batch = start()
    for chunk in chunks:
        batch.read(chunk)
        if batch.is_full:
            yield batch
            batch = start()
    if batch.count:
        yield batch


def dead_letter(chunk: Chunk, place: int, content: bytes, reason: str) -> DeadLetter:
    """Return the dead letter of a message of a chunk, secrets redacted."""
    return _dead_letter(f"{chunk.origin}:{chunk.first + place}", content, reason)


def _dead_letter(origin: str, content: bytes, reason: str) -> DeadLetter:
    return DeadLetter(redact_bytes(content), origin, _brief(redact(reason)))


def _brief(reason: str) -> str:
    return reason if len(reason) <= REASON_CHARACTERS else f"{reason[:REASON_CHARACTERS]} …"
