"""The large lake, fed through a pipe: its speed, and the memory that landing takes."""

import os
from collections.abc import Iterator
from datetime import timedelta

import stackanalytics as sa
from stackanalytics.sources.simulator import simulate
from tests.benchmarks.disk import parquet
from tests.benchmarks.figure import Figure
from tests.benchmarks.process import Spent, alone, command, run, stopwatch
from tests.benchmarks.workload import Workload

SIMULATED_PER_S = 20_000
PEAK_MB = 1024


def measure(workload: Workload) -> Iterator[Figure]:
    """Simulate alone, then simulate and land."""
    spent = alone(_simulate, workload)
    yield Figure(
        what="simulating alone, one core",
        value=workload.sample_rows / spent.wall_s,
        unit="/s",
        at_least=SIMULATED_PER_S,
        note=f"first {workload.sample_rows:,} notifications; "
        f"{workload.sample_rows / spent.cpu_s:,.0f} /s by processor time",
    )
    landed = run("land", "-", "--lake", workload.lake, source=command("simulate", *workload.arguments()))
    with sa.open_lake(workload.lake) as lake:
        rows, first_at, last_at = lake.sql(
            "select count(*), min(generated_at), max(generated_at) from notifications"
        ).row(0)
    yield Figure(
        what="peak memory of landing what a simulator sends through a pipe",
        value=landed.peak_bytes / 2**20,
        unit="MiB",
        below=PEAK_MB,
        note=f"{rows:,} notifications of {(last_at - first_at) / timedelta(days=1):.1f} days",
    )
    yield Figure(what="simulate | land", value=rows / landed.seconds, unit="/s", note=f"{os.cpu_count()} cores")
    yield parquet(workload, "as landed")


def _simulate(workload: Workload) -> Spent:
    cloud = workload.cloud(form="routed")
    with open(os.devnull, "wb") as nowhere, stopwatch() as spent:
        nowhere.writelines(message + b"\n" for message in simulate(cloud, count=workload.sample_rows))
        return spent()
