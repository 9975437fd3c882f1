"""Answers are found once for each version of a lake, and never given for another."""

import gc
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackanalytics.lake import Lake
from stackanalytics.surfaces.keeping import once_per_version
from stackanalytics.testing import lake_of, notification


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    """A lake of one message."""
    with lake_of(tmp_path, [notification("compute.instance.update", "2026-03-02")]) as opened:
        yield opened


class Counting:
    """A function that tells which arguments it was called with, and how many rows there are."""

    def __init__(self, kept: int = 2) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.found = once_per_version(kept)(self._find)

    def _find(self, lake: Lake, *args: object) -> int:
        self.calls.append(args)
        time.sleep(0.05)
        rows: int = lake.sql("select count(*) from events").item()
        return rows


def test_an_answer_is_found_once(lake: Lake) -> None:
    """The same question is answered from what was found, another is not."""
    counting = Counting()

    assert [counting.found(lake, "a"), counting.found(lake, "a"), counting.found(lake, "b")] == [1, 1, 1]
    assert counting.calls == [("a",), ("b",)]


def test_another_version_is_asked_anew(lake: Lake) -> None:
    """What was landed since is in the answer of the newer version, and not in that of the older one."""
    counting = Counting()
    counting.found(lake)
    lake_of(lake.path, [notification("compute.instance.update", "2026-03-03")]).close()

    with lake.refresh() as newer:
        assert (counting.found(newer), counting.found(lake)) == (2, 1)
    assert len(counting.calls) == 2


def test_who_comes_meanwhile_waits(lake: Lake) -> None:
    """Eight who ask at once cause one search."""
    counting, answers = Counting(), list[int]()
    threads = [threading.Thread(target=lambda: answers.append(counting.found(lake))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [1] * 8
    assert len(counting.calls) == 1


def test_the_oldest_answer_goes_first(lake: Lake) -> None:
    """No more answers are kept than said."""
    counting = Counting(kept=2)
    for question in ("a", "b", "c", "c", "b", "a"):
        counting.found(lake, question)

    assert counting.calls == [("a",), ("b",), ("c",), ("a",)]


def test_an_answer_goes_with_its_lake(tmp_path: Path) -> None:
    """What is kept does not keep a lake."""
    counting = Counting()
    lake = lake_of(tmp_path, [])
    counting.found(lake)
    gone = weakref.ref(lake)

    del lake
    gc.collect()

    assert gone() is None
