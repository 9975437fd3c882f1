"""Answers as JSON texts or bytes: found off the event loop, and kept for those who ask the same again."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import TypeAlias

from stackanalytics import times
from stackanalytics.lake import Lake
from stackanalytics.surfaces.current import CurrentLake
from stackanalytics.surfaces.encoding import json_text
from stackanalytics.surfaces.route import Reply, Request, Route

Question: TypeAlias = Hashable
State: TypeAlias = tuple[Hashable, datetime | None, Hashable]

WORKERS = 8
KEPT_ANSWERS = 4096
KEPT_BYTES = 64 << 20
OVERLAP_S = 1.0
ENTRY_BYTES = 512  # about what an entry takes beside its texts


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer as it is sent."""

    content: bytes
    status: HTTPStatus = HTTPStatus.OK
    headers: tuple[tuple[str, str], ...] = ()


class Answers:
    """The answers of one lake's routes. To be used on one event loop.

    An answer depends on what was asked, the version of the lake, and, where a route says so, the
    present second or the lake's state. While these stay the same it is found once, however many
    ask for it, at the same time or later. When they change, one that was found less than a second
    ago is still given while the next is being found, so that those who poll never wait for each
    other's queries; but who asks for state gets what was written before. What is kept is bounded:
    the least recently used goes first.
    """

    def __init__(self, current: CurrentLake) -> None:
        """Answer from the newest version of a lake."""
        self._current = current
        self._state_version = current().state.watch()
        self._followed = self._state_version()
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="answer")
        self._pending: dict[tuple[Question, State], asyncio.Future[Answered]] = {}
        self._shelf = _Shelf()

    async def find(self, route: Route, request: Request) -> Answered:
        """Return the answer to a request, at once where it is kept."""
        now = times.now().replace(microsecond=0)
        if route.writes:
            return await self._write(route, request, now)
        state_version = await self._follow_state() if route.is_stateful else None
        lake = self._current()
        question = _question(route, request)
        state = tuple(lake.tables.items()), now if route.is_timely else None, state_version
        kept = self._shelf.get(question)
        if kept is not None and kept.state == state:
            return kept.answer
        pending = self._pending.get((question, state))
        if pending is None:
            pending = self._ask(route, lake, request, now)
            self._pending[question, state] = pending
            asked_s = time.monotonic()
            pending.add_done_callback(lambda found: self._put(question, state, asked_s, found))
        may_bridge = kept is not None and kept.is_recent() and not route.is_stateful
        return kept.answer if kept is not None and may_bridge else await pending

    async def close(self) -> None:
        """Wait until everything that was asked is answered."""
        await asyncio.to_thread(self._workers.shutdown)
        self._state_version.close()

    async def _write(self, route: Route, request: Request, now: datetime) -> Answered:
        await self._look()
        lake = self._current()
        answer = await self._ask(route, lake, request, now)
        await self._look()
        if self._current().tables != lake.tables:
            self._shelf.clear()
        return answer

    async def _follow_state(self) -> Hashable:
        """Return the version of the state; the lake is at least as new, since who changes both changes it first."""
        version = self._state_version()
        if version != self._followed:
            await self._look()
            self._followed = version
        return version

    async def _look(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._workers, self._current.look)

    def _ask(self, route: Route, lake: Lake, request: Request, now: datetime) -> asyncio.Future[Answered]:
        return asyncio.get_running_loop().run_in_executor(self._workers, _answer, route, lake, request, now)

    def _put(self, question: Question, state: State, asked_s: float, found: asyncio.Future[Answered]) -> None:
        del self._pending[question, state]
        if found.cancelled() or found.exception() is not None:
            return
        kept = self._shelf.get(question)
        # an answer that took long must not take the place of one to a later question
        if kept is None or kept.asked_s <= asked_s:
            self._shelf.put(question, _Kept(found.result(), state, asked_s))


@dataclass(frozen=True, slots=True)
class _Kept:
    answer: Answered
    state: State
    asked_s: float

    def is_recent(self) -> bool:
        return time.monotonic() - self.asked_s < OVERLAP_S


class _Shelf:
    """A bounded number of answers, the least recently used first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Question, _Kept] = OrderedDict()
        self._bytes = 0

    def get(self, question: Question) -> _Kept | None:
        kept = self._kept.get(question)
        if kept is not None:
            self._kept.move_to_end(question)
        return kept

    def put(self, question: Question, kept: _Kept) -> None:
        self._remove(question)
        self._kept[question] = kept
        self._bytes += _size(question, kept)
        while self._bytes > KEPT_BYTES or len(self._kept) > KEPT_ANSWERS:
            self._remove(next(iter(self._kept)))

    def clear(self) -> None:
        self._kept.clear()
        self._bytes = 0

    def _remove(self, question: Question) -> None:
        kept = self._kept.pop(question, None)
        if kept is not None:
            self._bytes -= _size(question, kept)


def _size(question: Question, kept: _Kept) -> int:
    return len(str(question)) + len(kept.answer.content) + ENTRY_BYTES


def _question(route: Route, request: Request) -> Question:
    # the order of values of the same name may matter, that of names does not
    query = tuple(sorted(request.query, key=lambda pair: pair[0]))
    return route.path, route.method, tuple(request.parts.items()), query, request.body, request.headers


def _answer(route: Route, lake: Lake, request: Request, now: datetime) -> Answered:
    answer = route.answer(lake, request, now)
    reply = answer if isinstance(answer, Reply) else Reply(answer)
    return Answered(_content(reply.value), reply.status, reply.headers)


def _content(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    return b"" if value is None else json_text(value)
