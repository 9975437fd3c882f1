"""A lean HTTP client: keep-alive connections that each ask again as soon as they are answered."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

HEAD_END = b"\r\n\r\n"
LENGTH = b"\r\nContent-Length: "


@dataclass(slots=True)
class Answered:
    """Answers to one client: when each was complete [s], and how long it took [s]."""

    at_s: list[float] = field(default_factory=list)
    taken_s: list[float] = field(default_factory=list)
    bytes: int = 0


class Watcher(asyncio.Protocol):
    """Asks ``watch`` for what is new, as one who does so every *period_s* seconds."""

    def __init__(self, deployment_id: int, period_s: int, until_s: float) -> None:
        """Ask until the clock shows *until_s*."""
        self.answered = Answered()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._path = f"/stacky/watch/{deployment_id}/?service=nova&since="
        self._period_s = period_s
        self._until_s = until_s
        self._received = b""
        self._asked_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first time."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask(int(time.time()))

    def data_received(self, data: bytes) -> None:
        """Ask again once an answer is complete."""
        self._received += data
        head, found, body = self._received.partition(HEAD_END)
        if not found or len(body) < _length(head):
            return
        now = time.perf_counter()
        self.answered.at_s.append(now)
        self.answered.taken_s.append(now - self._asked_s)
        self.answered.bytes += len(body)
        self._received = b""
        if not head.startswith(b"HTTP/1.1 200"):
            self._end(RuntimeError(self._path + ": " + head.decode()))
        elif now >= self._until_s:
            self._end(None)
        else:
            self._ask(int(body[body.rindex(b",") :].strip(b', "]\n')))

    def connection_lost(self, problem: Exception | None) -> None:
        """Tell that the server closed the connection, which it should not."""
        self._end(problem or ConnectionError("the server closed a connection"))

    def _ask(self, last: int) -> None:
        """Send a request; *last* is the time that the former answer told [unix s]."""
        self._asked_s = time.perf_counter()
        since = last - self._period_s
        self._transport.write(f"GET {self._path}{since} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    def _end(self, problem: Exception | None) -> None:
        if self.done.done():
            return
        if problem is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(problem)
        self._transport.close()


async def watch(port: int, deployment_ids: Sequence[int], periods_s: Sequence[int], until_s: float) -> list[Answered]:
    """Watch over one connection for each pair of a deployment and a period."""
    loop = asyncio.get_running_loop()
    opened = [
        await loop.create_connection(lambda d=d, p=p: Watcher(d, p, until_s), "127.0.0.1", port)  # type: ignore[misc]
        for d, p in zip(deployment_ids, periods_s, strict=True)
    ]
    watchers = [watcher for _, watcher in opened]
    await asyncio.gather(*(watcher.done for watcher in watchers))
    return [watcher.answered for watcher in watchers]


def _length(head: bytes) -> int:
    return int(head.partition(LENGTH)[2].partition(b"\r\n")[0])
