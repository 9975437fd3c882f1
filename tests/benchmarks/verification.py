"""Verification beside the bare join of its two tables: time, and the most memory that is held."""

import resource
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import NamedTuple

import duckdb

import stackanalytics as sa
from tests.benchmarks.billing import UNTIL, land_billing
from tests.benchmarks.figure import Figure
from tests.benchmarks.workload import Workload

ROUNDS = 3
WHOLE = 1_000_000  # records for which there are bounds in seconds and bytes
SECONDS, MEMORY_MIB = 30, 2048

# what no verification can do without: the two sides read, and each record beside its launch
BARE_JOIN = """
select count(*) filter (record.instance_type_id = launch.instance_type_id) as agreeing
from (
    select instance, launched_at, instance_type_id
    from read_parquet($files, hive_partitioning = false)
    where operation = 'compute.instance.exists'
) as record
join (
    select instance, launched_at, instance_type_id
    from read_parquet($files, hive_partitioning = false)
    where operation = 'compute.instance.create' and phase = 'end'
) as launch
    on record.instance = launch.instance
    and date_trunc('second', record.launched_at) = date_trunc('second', launch.launched_at)
"""


class Measured(NamedTuple):
    """What verification took [s], the bare join [s], the most memory held [B], and what was found."""

    ours_s: float
    bare_s: float
    peak_bytes: int
    records: int
    failed: int


def measure(workload: Workload) -> Iterator[Figure]:
    """Verify as many records as the workload has rows, a million at most, in a process of its own."""
    records = min(workload.rows, WHOLE)
    with tempfile.TemporaryDirectory(dir=workload.folder) as folder:
        lake = Path(folder)
        land_billing(lake, records)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            found = pool.submit(_measured, lake).result()
    note = f"{found.records:,} records against as many launches, {found.failed:,} fail"
    bounds = {"below": SECONDS} if records == WHOLE else {}
    yield Figure(what="verification", value=found.ours_s, unit="s", note=note, **bounds)
    bounds = {"below": MEMORY_MIB} if records == WHOLE else {}
    yield Figure(what="peak memory of verification", value=found.peak_bytes / 2**20, unit="MiB", **bounds)
    yield Figure(
        what="verification: time / that of the bare join",
        value=found.ours_s / found.bare_s,
        note=f"the join of records and launches takes DuckDB {found.bare_s:,.2f} s",
    )


def _measured(folder: Path) -> Measured:
    """Verify, then join, several times over; the peak is that of the first verification."""
    with sa.open_lake(folder) as lake:
        started = time.perf_counter()
        verdicts = sa.verify(lake, until=UNTIL)
        ours = [time.perf_counter() - started]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        counts = verdicts.height, verdicts.filter(verdict="failed").height
        del verdicts
        for _ in range(ROUNDS - 1):
            started = time.perf_counter()
            sa.verify(lake, until=UNTIL)
            ours.append(time.perf_counter() - started)
        files = [file.path for file in lake.files("notifications")]
    return Measured(median(ours), median(_joined(files) for _ in range(ROUNDS)), peak, *counts)


def _joined(files: list[str]) -> float:
    with duckdb.connect() as engine:
        engine.execute("set enable_progress_bar = false")
        started = time.perf_counter()
        engine.sql(BARE_JOIN, params={"files": files}).fetchall()
        return time.perf_counter() - started
