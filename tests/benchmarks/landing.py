"""Landing beside parsing: the same bytes on the same core, one after the other, in turns."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import orjson
import pyarrow as pa

from stackanalytics.landing import land
from stackanalytics.sources import files
from stackanalytics.sources.chunk import Chunk
from tests.benchmarks.figure import Figure
from tests.benchmarks.process import Spent, alone, stopwatch
from tests.benchmarks.workload import Workload, write_sample

ROUNDS = 5
ROUNDS_FOR_INFORMATION = 3
WARM_UP_ROWS = 100
RATIO = 0.35


@dataclass(frozen=True, slots=True)
class Round:
    """What both took, one after the other."""

    parsing: Spent
    landing: Spent

    @property
    def ratio(self) -> float:
        """Landing's speed as a share of parsing's."""
        return self.parsing.wall_s / self.landing.wall_s

    @property
    def cpu_ratio(self) -> float:
        """The same, not counting what they waited for."""
        return self.parsing.cpu_s / self.landing.cpu_s


def measure(workload: Workload) -> Iterator[Figure]:
    """Compare landing with ``orjson.loads``, its result thrown away."""
    path, lake = workload.folder / "sample.jsonl", workload.folder / "landing"
    _write(workload, path, "bare", "legacy")
    yield _figure(workload, path, "bare bodies", _rounds(path, lake, ROUNDS), at_least=RATIO)
    alone(_land, path, lake)
    yield _figure(workload, path, "what the lake holds already", _rounds(path, lake, keep=True))
    shutil.rmtree(lake)
    _write(workload, path, "envelope", "legacy")
    yield _figure(workload, path, "oslo envelopes (the parser leaves what is in them a text)", _rounds(path, lake))
    _write(workload, path, "bare", "versioned")
    yield _figure(workload, path, "bare bodies, nova's versioned", _rounds(path, lake))
    path.unlink()


def _write(workload: Workload, path: Path, form: str, format: str) -> None:
    alone(write_sample, workload.cloud(form=form, format=format), workload.sample_rows, path)


def _rounds(path: Path, lake: Path, count: int = ROUNDS_FOR_INFORMATION, *, keep: bool = False) -> list[Round]:
    rounds = []
    for _ in range(count):
        rounds.append(Round(alone(_parse, path), alone(_land, path, lake)))
        if not keep:
            shutil.rmtree(lake)
    return rounds


def _parse(path: Path) -> Spent:
    lines = path.read_bytes().splitlines()
    with stopwatch() as spent:
        for line in lines:
            orjson.loads(line)
        return spent()


def _land(path: Path, lake: Path) -> Spent:
    pa.set_cpu_count(1)
    _warm_up(path)
    with stopwatch() as spent:
        land(files.read([path]), lake)
        return spent()


def _warm_up(path: Path) -> None:
    """Have the file in memory and everything imported that landing needs."""
    lines = path.read_bytes().splitlines()
    with TemporaryDirectory() as lake:
        land([Chunk("warm-up", 1, lines[:WARM_UP_ROWS])], lake)


def _figure(workload: Workload, path: Path, what: str, rounds: list[Round], *, at_least: float | None = None) -> Figure:
    size = path.stat().st_size
    landing, parsing = (
        size / 1e6 / median(side.wall_s for side in sides)
        for sides in ([r.landing for r in rounds], [r.parsing for r in rounds])
    )
    ratios = [each.ratio for each in rounds]
    return Figure(
        what=f"landing {what}: speed / that of orjson.loads, one core",
        value=median(ratios),
        at_least=at_least,
        note=f"{landing:,.0f} MB/s beside {parsing:,.0f} MB/s of {size / workload.sample_rows:,.0f} B each; "
        f"rounds {min(ratios):.2f}–{max(ratios):.2f}; "
        f"by processor time {median(each.cpu_ratio for each in rounds):.2f}",
    )
