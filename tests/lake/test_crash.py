"""Killed at any point, landing leaves a sound lake, and a rerun completes it: no gap, no duplicate."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from landed import rows_in

from stackanalytics import open_lake
from stackanalytics.lake import compact
from stackanalytics.landing import Summary, land
from stackanalytics.sources import files
from stackanalytics.testing import notification

COUNT, BATCH = 300, 20
CONFLICTS, LETTERS = COUNT // 50, COUNT // 60

# Lands a file in many small batches; ends at once, as if killed, when a function is called the n-th time.
LANDING = f"""
import importlib, os, sys
from stackanalytics.landing import batch, land
from stackanalytics.sources import files

batch.BATCH_ROWS, files.BLOCK_BYTES = {BATCH}, 4000
folder, source, *crash = sys.argv[1:]
if crash:
    module, name, number = crash
    owner = importlib.import_module(module)
    *inside, name = name.split(".")
    for part in inside:
        owner = getattr(owner, part)
    original, calls = getattr(owner, name), iter(range(int(number) - 1))

    def counted(*arguments, **named):
        for _ in calls:
            return original(*arguments, **named)
        os._exit(9)

    setattr(owner, name, counted)
land(files.read([source]), folder, on_progress=lambda landed: print(landed.bytes, flush=True))
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of messages, some of them under one id with other contents, some of them broken."""
    path = tmp_path_factory.mktemp("source") / "messages.jsonl"
    with path.open("w") as lines:
        for number in range(COUNT):
            message = notification(
                "compute.instance.update", f"2026-03-{number % 3 + 1:02} 10:00", message_id=f"m{number}", instance="i"
            )
            print(json.dumps(message), file=lines)
            if number % 50 == 0:
                print(json.dumps({**message, "payload": {"instance_id": "other"}}), file=lines)
            if number % 60 == 0:
                print(f"broken {number}", file=lines)
    return path


def _land(source: Path, folder: Path) -> Summary:
    return land(files.read([source]), folder)


def _start(source: Path, folder: Path, *crash: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", LANDING, str(folder), str(source), *crash]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _check_is_sound(folder: Path) -> int:
    """Check a lake that somebody may have died in; return how many rows it has."""
    rows = rows_in(folder)
    assert [row["id"] for row in rows] == list(range(1, len(rows) + 1))
    told = [(row["message_id"], row["instance"]) for row in rows]
    assert len(set(told)) == len(told)
    return len(rows)


def _check_is_complete(source: Path, folder: Path) -> None:
    """Check that everything is there once, and that landing it again adds nothing."""
    rows = rows_in(folder)
    assert _check_is_sound(folder) == COUNT + CONFLICTS
    assert {row["message_id"] for row in rows} == {f"m{number}" for number in range(COUNT)}
    assert sum(row["is_conflict"] for row in rows) == CONFLICTS
    letters = sorted(row["content"] for row in rows_in(folder, "dead_letters"))
    assert letters == sorted(f"broken {number}".encode() for number in range(0, COUNT, 60))
    again = _land(source, folder)
    assert (again.notifications, again.dead_letters) == (0, 0)
    assert (again.duplicates, again.repeated_dead_letters) == (COUNT + CONFLICTS, LETTERS)


POINTS = {
    "before the keys of a batch": ("stackanalytics.lake.keys", "KeyIndex.add", 4),
    "between keys and data": ("stackanalytics.lake.delta", "write_days", 4),
    "between two data files": ("stackanalytics.lake.delta", "FileWriter.close", 5),
    "between data and commit": ("stackanalytics.lake.delta", "commit", 4),
    "between commit and its sync": ("stackanalytics.lake.delta", "sync_log", 6),
    "between merging keys and tidying up": ("pathlib", "Path.unlink", 1),
    "before dead letters": ("stackanalytics.lake.writing", "Writer.append_dead_letters", 2),
    "while creating the lake": ("stackanalytics.lake.delta", "create", 2),
    "before anything is in the log of a table": ("stackanalytics.lake.delta", "sync_log", 1),
}


@pytest.mark.parametrize("point", POINTS)
def test_crash_at(point: str, source: Path, tmp_path: Path) -> None:
    """After a crash between two steps the lake is sound, and landing again completes it."""
    module, name, number = POINTS[point]
    process = _start(source, tmp_path, module, name, str(number))
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (9, "")
    if (tmp_path / "dead_letters" / "_delta_log").exists():
        assert _check_is_sound(tmp_path) < COUNT
    _land(source, tmp_path)
    _check_is_complete(source, tmp_path)


def test_files_of_crashes_are_tidied_up(source: Path, tmp_path: Path) -> None:
    """Data files that no commit names are read by nobody, and go with those that nobody needs any more."""
    module, name, number = POINTS["between data and commit"]
    _start(source, tmp_path, module, name, str(number)).wait(timeout=60)
    with open_lake(tmp_path) as lake:
        known = {file.path for file in lake.files("notifications")}
    orphans = {str(path) for path in tmp_path.glob("notifications/*/*.parquet")} - known
    assert len(orphans) == 3
    _land(source, tmp_path)
    compact(tmp_path, keep_hours=0)
    assert not [orphan for orphan in orphans if Path(orphan).exists()]
    _check_is_complete(source, tmp_path)


def test_killed_at_random_ten_times(source: Path, tmp_path: Path) -> None:
    """Killed ten times at random moments, the last run leaves exactly the input."""
    chance, counts = random.Random(1), []
    for number in range(10):
        process = _start(source, tmp_path)
        assert process.stdout is not None
        for _ in range(number + chance.randrange(2)):
            process.stdout.readline()  # one batch more is on disk
        time.sleep(chance.uniform(0.0, 0.05))
        process.send_signal(signal.SIGKILL)
        _, errors = process.communicate(timeout=60)
        assert errors == ""
        if (tmp_path / "dead_letters" / "_delta_log").exists():
            counts.append(_check_is_sound(tmp_path))
    assert counts == sorted(counts)
    assert len(set(counts)) >= 5, counts  # it did die at different places
    _land(source, tmp_path)
    _check_is_complete(source, tmp_path)
