"""Killed at any point, posting and deriving samples leave a sound lake, and a rerun completes it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import stackanalytics as sa
from stackanalytics.lake import derive
from stackanalytics.lake.meter_state import MeterState
from stackanalytics.landing import land_samples
from stackanalytics.sources.sample_table import read_samples
from stackanalytics.testing import lake_of, notification, sample, samples_of

COUNT = 60
FLAVOR = {"memory_mb": 512, "vcpus": 1, "root_gb": 20, "ephemeral_gb": 0}

# Does one of both in small steps; ends at once, as if killed, when a function is called the n-th time.
CHILD = """
import importlib, os, sys
from stackanalytics.lake import derive, deriving
from stackanalytics.landing import land_samples, sample
from stackanalytics.sources import files
from stackanalytics.sources.sample_table import read_samples

sample.BATCH_ROWS, files.BLOCK_BYTES, deriving.FIRST_STEP, deriving.LONGEST_STEP = 10, 1000, 5, 5
what, folder, source, module, name, number = sys.argv[1:]
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
if what == "post":
    land_samples(read_samples([source]), folder)
else:
    derive(folder)
"""


def killed(what: str, folder: Path, source: Path, point: tuple[str, str, int]) -> None:
    """Let a process die at a point."""
    command = [sys.executable, "-c", CHILD, what, str(folder), str(source), *map(str, point)]
    assert subprocess.run(command, check=False).returncode == 9


POINTS = [
    ("stackanalytics.lake.delta", "FileWriter.close", 2),
    ("stackanalytics.lake.delta", "commit", 2),
    ("stackanalytics.lake.delta", "sync_log", 3),
]


@pytest.mark.parametrize(
    "point", [*POINTS, ("stackanalytics.lake.keys", "KeyIndex.add", 2)], ids=lambda point: point[1]
)
def test_posting_again_completes_what_was_cut_short(point: tuple[str, str, int], tmp_path: Path) -> None:
    """After a death between files, index, log and commit, each sample is there once, and the numbers have no gap."""
    source, folder = tmp_path / "samples.jsonl", tmp_path / "lake"
    with source.open("w") as lines:
        for number in range(COUNT):
            told = {"meter": "m", "resource": f"r{number}", "value": number, "timestamp": f"2013-01-0{number % 3 + 1}"}
            print(json.dumps(told), file=lines)

    killed("post", folder, source, point)
    land_samples(read_samples([source]), folder)

    with sa.open_lake(folder) as lake:
        found = lake.sql("select sequence, resource from stored_samples order by sequence")
    assert found["sequence"].to_list() == list(range(1, COUNT + 1))
    assert sorted(found["resource"]) == sorted(f"r{number}" for number in range(COUNT))


@pytest.mark.parametrize(
    "point", [("stackanalytics.lake.meter_state", "MeterState.restore", 1), ("stackanalytics.lake.delta", "commit", 1)]
)
def test_a_new_sample_shows_its_meter_again_whenever_the_writer_died(
    point: tuple[str, str, int], tmp_path: Path
) -> None:
    """A hidden meter is shown once a new sample of it was posted, also where that took a second run."""
    source, folder = tmp_path / "samples.jsonl", tmp_path / "lake"
    samples_of(folder, [sample("m", "2013-01-01", 1)]).close()
    MeterState(folder).hide("m")
    source.write_text(json.dumps({"meter": "m", "resource": "r", "value": 2, "timestamp": "2013-01-02"}))

    killed("post", folder, source, point)
    land_samples(read_samples([source]), folder)

    with sa.open_lake(folder) as lake:
        assert sa.samples(lake, meter="m")["volume"].to_list() == [2, 1]


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point[1])
def test_deriving_again_completes_what_was_cut_short(point: tuple[str, str, int], tmp_path: Path) -> None:
    """After a death between files, log and commit, answers are right at once, and each sample is derived once."""
    folder = tmp_path / "lake"
    messages = [
        notification("compute.instance.create.end", "2026-03-02 10:00", instance=f"i-{number}", **FLAVOR)
        for number in range(12)
    ]
    lake_of(folder, messages).close()

    killed("derive", folder, folder, point)
    with sa.open_lake(folder) as lake:
        assert sa.statistics(lake, "memory")["count"].to_list() == [12]
    derive(folder)

    with sa.open_lake(folder) as lake:
        assert not lake.derivation.has_pending
        stored = lake.sql(
            "select meter, count(*) as n, count(distinct resource) as r from stored_samples group by meter"
        )
    assert sorted(stored.rows()) == [(m, 12, 12) for m in ("disk.ephemeral.size", "disk.root.size", "memory", "vcpus")]
