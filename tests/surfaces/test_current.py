"""Following a lake while notifications are landed in it."""

import gc
import time
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

from stackanalytics.errors import LakeError
from stackanalytics.lake import Lake
from stackanalytics.surfaces.current import CurrentLake
from stackanalytics.testing import lake_of, notification


def land(folder: Path, number: int) -> None:
    """Land one more event."""
    lake_of(folder, [notification("compute.instance.update", "2014-01-14", serial=number)]).close()


def rows(lake: Lake) -> int:
    """How many events a lake has."""
    return int(lake.sql("select count(*) from notifications").item())


def until(condition: Callable[[], bool], *, seconds: float = 20) -> bool:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def test_a_newer_version_is_found(tmp_path: Path) -> None:
    """What is landed while the lake is followed can be seen soon."""
    land(tmp_path, 1)
    with CurrentLake(tmp_path, interval_s=0.01) as current:
        assert rows(current()) == 1

        land(tmp_path, 2)

        assert until(lambda: rows(current()) == 2)


def test_a_lake_that_was_given_out_stays_as_it_is(tmp_path: Path) -> None:
    """Who holds a former version can ask it on, and only then is it let go."""
    land(tmp_path, 1)
    current = CurrentLake(tmp_path)
    held = current()
    watched = weakref.ref(held)

    land(tmp_path, 2)
    current.look()

    assert current() is not held
    assert (rows(held), rows(current())) == (1, 2)
    del held
    gc.collect()
    assert watched() is None


def test_nothing_changes_while_nothing_is_landed(tmp_path: Path) -> None:
    """Looking for a newer version where there is none keeps the lake that is open."""
    land(tmp_path, 1)
    current = CurrentLake(tmp_path)
    held = current()

    current.look()

    assert current() is held


def test_a_newer_version_that_cannot_be_read_is_waited_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where a file of the new version is missing, the former version stays until it is there."""
    folder = tmp_path / "lake"
    land(folder, 1)
    before = set(folder.glob("notifications/date=*/*.parquet"))
    current = CurrentLake(folder, interval_s=0.01)
    held = current()
    land(folder, 2)
    [new] = set(folder.glob("notifications/date=*/*.parquet")) - before
    new.rename(tmp_path / "aside")

    with pytest.raises(LakeError):
        current.look()
    with current:
        assert until(lambda: "staying at" in caplog.text)
        assert current() is held
        assert rows(held) == 1

        (tmp_path / "aside").rename(new)

        assert until(lambda: rows(current()) == 2)
