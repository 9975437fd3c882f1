"""Keeping answers, and finding them off the event loop."""

import asyncio
import threading
import time
from datetime import datetime
from http import HTTPStatus
from pathlib import Path

import pytest

from stackanalytics import times
from stackanalytics.errors import InputError
from stackanalytics.lake import Lake
from stackanalytics.lake.usage_state import UsageState
from stackanalytics.surfaces import answers
from stackanalytics.surfaces.answers import Answered, Answers
from stackanalytics.surfaces.current import CurrentLake
from stackanalytics.surfaces.route import Reply, Request, Route
from stackanalytics.testing import lake_of, notification

ONE = Request({}, (("a", "1"),))
TWO = Request({}, (("a", "2"),))


class Counter:
    """A route that tells how often it was asked, and may take its time."""

    def __init__(
        self, path: str = "/count/", *, is_timely: bool = False, is_stateful: bool = False, seconds: float = 0
    ) -> None:
        self.asked = 0
        self.seconds = seconds
        self.threads: set[str] = set()
        self.route = Route(path, self.answer, "Counts.", is_timely=is_timely, is_stateful=is_stateful)

    def answer(self, lake: Lake, request: Request, now: datetime) -> object:
        self.asked += 1
        self.threads.add(threading.current_thread().name)
        time.sleep(self.seconds)
        return self.asked


@pytest.fixture
def current(tmp_path: Path) -> CurrentLake:
    """A lake that only changes when it is told to look."""
    lake_of(tmp_path, [notification("compute.instance.update", "2014-01-14")]).close()
    return CurrentLake(tmp_path)


@pytest.fixture(autouse=True)
def _without_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give no answer of a moment ago, but where a test is about that."""
    monkeypatch.setattr(answers, "OVERLAP_S", 0.0)


async def content(answers: Answers, route: Route, request: Request) -> bytes:
    """Return what is sent as the answer to a request."""
    return (await answers.find(route, request)).content


def change(current: CurrentLake, number: int) -> None:
    """Land something, and have the lake look."""
    lake_of(current().path, [notification("compute.instance.update", "2014-01-14", serial=number)]).close()
    current.look()


def test_an_answer_is_found_once(current: CurrentLake) -> None:
    """Asked again, also with the parameters in another order, the route does not work again."""
    counter = Counter()

    async def ask() -> list[bytes]:
        found = Answers(current)
        requests = [Request({}, (("a", "1"), ("b", "2"))), Request({}, (("b", "2"), ("a", "1"))), TWO]
        return [await content(found, counter.route, request) for request in requests]

    assert asyncio.run(ask()) == [b"1", b"1", b"2"]


def test_the_order_of_values_of_one_name_matters(current: CurrentLake) -> None:
    """Requests that differ in which value comes last are different questions."""
    counter = Counter()

    async def ask() -> list[bytes]:
        found = Answers(current)
        requests = [Request({}, (("a", "1"), ("a", "2"))), Request({}, (("a", "2"), ("a", "1")))]
        return [await content(found, counter.route, request) for request in requests]

    assert asyncio.run(ask()) == [b"1", b"2"]


def test_who_asks_and_what_comes_with_it_matter(current: CurrentLake) -> None:
    """Requests of other headers, or with another body, are other questions."""
    counter = Counter()

    async def ask() -> list[bytes]:
        found = Answers(current)
        one, other = (Request({}, headers=(("X-Project-Id", project),)) for project in ("p1", "p2"))
        return [await content(found, counter.route, request) for request in (one, other, Request({}, body=b"{}"), one)]

    assert asyncio.run(ask()) == [b"1", b"2", b"3", b"1"]


def test_status_and_headers_are_kept_with_the_answer(current: CurrentLake) -> None:
    """Who asks again gets the same status and headers, too."""
    reply = Reply({"a": 1}, HTTPStatus.CREATED, (("X-Total-Count", "7"),))
    route = Route("/reply/", lambda lake, request, now: reply, "Replies.")

    async def ask() -> list[Answered]:
        found = Answers(current)
        return [await found.find(route, ONE) for _ in range(2)]

    assert asyncio.run(ask()) == [Answered(b'{"a": 1}', HTTPStatus.CREATED, (("X-Total-Count", "7"),))] * 2


def test_those_who_ask_at_the_same_time_share_one_answer(current: CurrentLake) -> None:
    """Fifty who ask the same while it is being found wait for one query, in another thread."""
    counter = Counter(seconds=0.2)

    async def ask() -> list[bytes]:
        found = Answers(current)
        return await asyncio.gather(*(content(found, counter.route, ONE) for _ in range(50)))

    assert asyncio.run(ask()) == [b"1"] * 50
    assert threading.current_thread().name not in counter.threads


def test_a_new_version_has_new_answers(current: CurrentLake) -> None:
    """Once something is landed and seen, an answer is found anew."""
    counter = Counter()

    async def ask() -> list[bytes]:
        found = Answers(current)
        before = await content(found, counter.route, ONE)
        change(current, 1)
        return [before, await content(found, counter.route, ONE), await content(found, counter.route, ONE)]

    assert asyncio.run(ask()) == [b"1", b"2", b"2"]


def test_timely_answers_last_for_their_second(current: CurrentLake) -> None:
    """An answer that depends on the time is found anew in the next second, another is not."""
    timely, timeless = Counter("/timely/", is_timely=True), Counter()

    async def ask() -> None:
        found = Answers(current)
        for _ in range(2):
            await content(found, timely.route, ONE)
            await content(found, timeless.route, ONE)
            await asyncio.sleep(1.01)

    asyncio.run(ask())
    assert (timely.asked, timeless.asked) == (2, 1)


def test_answers_of_state_last_until_it_changes(current: CurrentLake, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that depends on the state is found anew once it was changed, even a moment ago, another is not."""
    monkeypatch.setattr(answers, "OVERLAP_S", 60.0)
    stateful, stateless = Counter("/state/", is_stateful=True), Counter()

    async def ask() -> list[bytes]:
        found, given = Answers(current), []
        for place in range(6):
            if place % 2 == 0:
                # by another connection, as any process would
                UsageState(current().path).repair("nova", {place: None}, at=times.now())
            given.append(await content(found, stateful.route, ONE))
            await content(found, stateless.route, ONE)
        await found.close()
        return given

    assert asyncio.run(ask()) == [b"1", b"1", b"2", b"2", b"3", b"3"]
    assert stateless.asked == 1


def test_state_is_not_seen_before_what_it_is_about(current: CurrentLake) -> None:
    """Who sees a change of the state sees what was landed before it, too, though nobody looked for that yet."""

    def seen(lake: Lake, request: Request, now: datetime) -> object:
        return [lake.sql("select count(*) from notifications").item(), lake.usage_state.repaired("nova").height]

    async def ask() -> list[bytes]:
        found, route = Answers(current), Route("/seen/", seen, "Tells what is seen.", is_stateful=True)
        before = await content(found, route, ONE)
        lake_of(current().path, [notification("compute.instance.update", "2014-01-14", serial=1)]).close()
        UsageState(current().path).repair("nova", {1: None}, at=times.now())
        return [before, await content(found, route, ONE)]

    assert asyncio.run(ask()) == [b"[1, 0]", b"[2, 1]"]


def test_an_answer_may_be_nothing(current: CurrentLake) -> None:
    """A route that returns None has no body."""
    route = Route("/nothing/", lambda lake, request, now: None, "Says nothing.", "PUT")

    assert asyncio.run(Answers(current).find(route, ONE)).content == b""


def test_an_answer_of_a_moment_ago_bridges_the_next(current: CurrentLake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who polls on gets the former answer while the next is being found, and then the next."""
    monkeypatch.setattr(answers, "OVERLAP_S", 60.0)
    counter = Counter()

    async def ask() -> list[bytes]:
        found = Answers(current)
        polled = [await content(found, counter.route, ONE)]
        counter.seconds = 0.2
        change(current, 1)
        polled.append(await content(found, counter.route, ONE))
        await found.close()
        await asyncio.sleep(0)
        return [*polled, await content(found, counter.route, ONE)]

    assert asyncio.run(ask()) == [b"1", b"1", b"2"]


def test_errors_are_not_kept(current: CurrentLake) -> None:
    """A refusal reaches everybody who asked, and whoever asks later is answered anew."""
    asked = []

    def refuse(lake: Lake, request: Request, now: datetime) -> object:
        asked.append(request)
        raise InputError("no")

    async def ask() -> None:
        found = Answers(current)
        route = Route("/refuse/", refuse, "Refuses.")
        refused = await asyncio.gather(*(found.find(route, ONE) for _ in range(3)), return_exceptions=True)
        assert [str(problem) for problem in refused] == ["no"] * 3
        with pytest.raises(InputError):
            await content(found, route, ONE)

    asyncio.run(ask())
    assert len(asked) == 2


def test_what_is_kept_is_bounded(current: CurrentLake, monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for two answers, the one that was not asked for the longest goes."""
    monkeypatch.setattr(answers, "KEPT_ANSWERS", 2)
    counter = Counter()
    three = Request({}, (("a", "3"),))

    async def ask() -> list[bytes]:
        found = Answers(current)
        return [await content(found, counter.route, request) for request in (ONE, TWO, ONE, three, ONE, TWO)]

    assert asyncio.run(ask()) == [b"1", b"2", b"1", b"3", b"1", b"4"]


def test_large_answers_are_not_kept(current: CurrentLake, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that is larger than all room is given, and found anew."""
    monkeypatch.setattr(answers, "KEPT_BYTES", 100)
    counter = Counter()

    async def ask() -> list[bytes]:
        found = Answers(current)
        return [await content(found, counter.route, ONE) for _ in range(2)]

    assert asyncio.run(ask()) == [b"1", b"2"]


def test_what_writes_is_done_every_time_and_seen_at_once(current: CurrentLake) -> None:
    """A request that writes is never kept, and the next request sees what it wrote."""

    def write(lake: Lake, request: Request, now: datetime) -> object:
        lake_of(lake.path, [notification("compute.instance.update", "2014-01-14", said=request.body.decode())]).close()
        return "written"

    def rows(lake: Lake, request: Request, now: datetime) -> object:
        return lake.sql("select count(*) from notifications").item()

    async def ask() -> list[bytes]:
        found = Answers(current)
        writing, counting = Route("/rows/", write, "Writes.", "POST"), Route("/rows/", rows, "Counts.")
        counted = [await content(found, counting, ONE)]
        for body in (b"a", b"b"):
            await content(found, writing, Request({}, (), body))
            counted.append(await content(found, counting, ONE))
        return counted

    assert asyncio.run(ask()) == [b"1", b"2", b"3"]
