"""Processes that land, compact and read one lake at the same time do not disturb each other."""

import json
import subprocess
import sys
from pathlib import Path

from landed import rows_in

from stackanalytics.lake import Writer, compact
from stackanalytics.landing.reading import Reading
from stackanalytics.testing import lake_of, notification

FILES, MESSAGES = 6, 40

LANDING = """
import sys
from stackanalytics.landing import batch, land
from stackanalytics.sources import files

batch.BATCH_ROWS, files.BLOCK_BYTES = 20, 4000
landed = land(files.read(sys.argv[2:]), sys.argv[1])
print(landed.notifications, landed.duplicates, landed.dead_letters)
"""

COMPACTING = """
import sys, time
from pathlib import Path
from stackanalytics.lake import compact

days = rounds = 0
while not Path(sys.argv[2]).exists() or not rounds:
    days, rounds = days + compact(sys.argv[1]).days, rounds + 1
    time.sleep(0.2)
print(days)
"""

READING = """
import sys, time
from pathlib import Path
from stackanalytics import open_lake

COUNTS = "select count(*), count(distinct id), count(distinct message_id), max(id), sum(hash(body)) from notifications"
lake, counts, seen = open_lake(sys.argv[1]), [0], set()
while not Path(sys.argv[2]).exists() or not seen:
    found = lake.sql(COUNTS).row(0)
    rows, ids, messages, highest, _ = found
    assert rows == ids == messages == (highest or 0), found
    assert rows >= counts[-1], (rows, counts[-1])
    for _ in range(3):
        assert lake.sql(COUNTS).row(0) == found
    assert sum(file.rows for file in lake.files("notifications")) == rows
    counts.append(rows)
    seen.add(str(lake.version))
    newer = lake.refresh()
    if newer is not lake:
        lake.close()
    lake = newer
    time.sleep(0.05)
print(len(seen))
"""


def _write(folder: Path) -> list[Path]:
    """Write files of messages, each with one line that is broken."""
    paths = []
    for number in range(FILES):
        paths.append(folder / f"{number}.jsonl")
        messages = [
            notification(
                "compute.instance.update",
                f"2026-03-{(number + place) % 3 + 1:02} 10:00",
                message_id=f"{number}-{place}",
                instance=f"i-{place % 7}",
            )
            for place in range(MESSAGES)
        ]
        lines = [json.dumps(message) for message in messages]
        paths[-1].write_text("\n".join([*lines, f"broken {number}"]))
    return paths


def _start(script: str, *arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _finish(process: "subprocess.Popen[str]") -> list[int]:
    """Wait for a process that must not fail; return the numbers that it printed."""
    output, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")
    return [int(number) for number in output.split()]


def test_writers_compactors_and_readers(tmp_path: Path) -> None:
    """Four landing overlapping files, two compacting, two reading: everything once, nobody disturbed."""
    lake, stop = tmp_path / "lake", tmp_path / "stop"
    paths = _write(tmp_path)
    lake_of(lake, []).close()
    readers = [_start(READING, lake, stop) for _ in range(2)]
    compactors = [_start(COMPACTING, lake, stop) for _ in range(2)]
    writers = [_start(LANDING, lake, *(paths + paths)[number : number + 4]) for number in range(4)]
    landed = [_finish(writer) for writer in writers]
    stop.touch()
    compacted = [_finish(compactor) for compactor in compactors]
    versions = [_finish(reader)[0] for reader in readers]

    rows = rows_in(lake)
    expected = {f"{number}-{place}" for number in range(FILES) for place in range(MESSAGES)}
    assert len(rows) == len(expected)
    assert {row["message_id"] for row in rows} == expected
    assert [row["id"] for row in rows] == list(range(1, len(expected) + 1))
    assert not any(row["is_conflict"] for row in rows)
    letters = sorted(row["content"] for row in rows_in(lake, "dead_letters"))
    assert letters == sorted(f"broken {number}".encode() for number in range(FILES))
    # each of four landed four files, of which all but six were another's, too
    assert sum(new for new, _, _ in landed) == len(expected)
    assert sum(known for _, known, _ in landed) == 4 * 4 * MESSAGES - len(expected)
    assert sum(letters for _, _, letters in landed) == FILES
    # they did meet: days were compacted while others landed, and readers saw the lake grow
    assert sum(days for [days] in compacted) > 0
    assert min(versions) > 1


def test_a_writer_waits_for_another(tmp_path: Path) -> None:
    """A writer that was open before others landed and compacted knows what they did when its turn comes."""
    first = [
        notification("image.upload", "2026-03-02 10:00", message_id=f"m{number}", payload={}) for number in range(4)
    ]
    with lake_of(tmp_path, first[:2]) as before:
        writer = Writer(tmp_path)
        lake_of(tmp_path, first[1:3]).close()
        compact(tmp_path)
        reading = Reading()
        for message in first:
            assert reading.add_bare([json.dumps(message).encode()], [0])
        landed = writer.append(reading.notifications()[0])
        assert (landed.notifications, landed.duplicates) == (1, 3)
        with before.refresh() as after:
            found = after.sql("select id, message_id from notifications order by id").rows()
        assert found == [(1, "m0"), (2, "m1"), (3, "m2"), (4, "m3")]


def test_creating_at_once(tmp_path: Path) -> None:
    """Two processes that create the lake by landing into it make one lake."""
    paths = _write(tmp_path)
    processes = [_start(LANDING, tmp_path / "lake", paths[0]) for _ in range(2)]
    assert sum(_finish(process)[0] for process in processes) == MESSAGES
    assert len(rows_in(tmp_path / "lake")) == MESSAGES
