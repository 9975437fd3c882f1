"""Compaction of the large lake: time and memory."""

from collections.abc import Iterator

import stackanalytics as sa
from tests.benchmarks.disk import parquet
from tests.benchmarks.figure import Figure
from tests.benchmarks.process import run
from tests.benchmarks.workload import Workload

PEAK_MB = 1536  # whatever a day has


def measure(workload: Workload) -> Iterator[Figure]:
    """Compact the lake; the files before are deleted."""
    before = _files(workload)
    compacted = run("compact", "--lake", workload.lake, "--keep-hours", 0)
    yield Figure(
        what="compaction",
        value=compacted.seconds,
        unit="s",
        note=f"{before:,} files became {_files(workload):,}",
    )
    yield Figure(what="peak memory of compaction", value=compacted.peak_bytes / 2**20, unit="MiB", below=PEAK_MB)
    yield parquet(workload, "compacted")


def _files(workload: Workload) -> int:
    with sa.open_lake(workload.lake) as lake:
        return len(lake.files("notifications"))
