"""Work in processes of its own: on one core, or with an eye on its memory."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

LOOK_S = 0.05
_PEAK = re.compile(r"VmHWM:\s*(\d+) kB")


@dataclass(frozen=True, slots=True)
class Spent:
    """What a piece of work took: time on the clock, and time on a core [s]."""

    wall_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command took: its time [s], and the most memory that it held at once [B]."""

    seconds: float
    peak_bytes: int


@contextmanager
def one_core() -> Iterator[None]:
    """Leave what is started meanwhile one core, all of its threads together."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def alone(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do the work in a fresh process that has one core, and return what it returns."""
    with one_core(), ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *args, **kwargs).result()


@contextmanager
def stopwatch() -> Iterator[Callable[[], Spent]]:
    """Give a function that tells what was spent since."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield lambda: Spent(time.perf_counter() - wall, time.process_time() - cpu)


def command(*arguments: object) -> list[str]:
    """Return the words that start the command line of the project."""
    return [sys.executable, "-m", "stackanalytics", *map(str, arguments)]


def run(*arguments: object, source: list[str] | None = None) -> Ran:
    """Run a command of the project to its end, fed from the command *source* through a pipe.

    Raises
    ------
    subprocess.CalledProcessError
        If either fails.
    """
    started = time.perf_counter()
    feeder = subprocess.Popen(source, stdout=subprocess.PIPE) if source else None
    process = subprocess.Popen(command(*arguments), stdin=feeder.stdout if feeder else None)
    if feeder and feeder.stdout:
        feeder.stdout.close()  # the reader alone holds it, so that a dead reader stops the feeder
    peak = 0
    while process.poll() is None:
        peak = max(peak, _peak_bytes(process.pid))
        time.sleep(LOOK_S)
    for ended in (process, feeder):
        if ended and ended.wait():
            raise subprocess.CalledProcessError(ended.returncode, ended.args)
    return Ran(time.perf_counter() - started, peak)


def _peak_bytes(pid: int) -> int:
    """Return the high-water mark that the kernel keeps; nothing is missed between two looks but the end."""
    try:
        found = _PEAK.search(Path(f"/proc/{pid}/status").read_text())
    except ProcessLookupError:
        found = None
    return int(found[1]) * 1024 if found else 0
