"""The summary of all timings beside DuckDB at its best: the same pairing, written by hand."""

import time
from collections.abc import Callable, Iterator
from statistics import median

import duckdb
import polars as pl
from polars.testing import assert_frame_equal

import stackanalytics as sa
from tests.benchmarks.figure import Figure
from tests.benchmarks.workload import Workload

ROUNDS = 9
RATIO = 1.3
COLUMNS = ("operation", "count", "min_s", "mean_s", "median_s", "p95_s", "max_s")

BY_HAND = """
with steps as materialized (
    select operation, instance, request_id, deployment, format, phase, epoch_us(generated_at) as at_us
    from read_parquet($files, hive_partitioning = false)
    where exchange = 'nova' and instance is not null and (
        phase is not null
        or operation in ('compute.instance.volume.attach', 'compute.instance.volume.detach')
    )
),
partitions as (
    select operation, instance, request_id,
        count(*) filter (phase = 'start') as starts,
        count(*) filter (phase = 'end') as ends,
        bool_or(format = 'legacy') and bool_or(format = 'versioned') as is_mixed,
        max(at_us) filter (phase = 'end') - max(at_us) filter (phase = 'start') as us
    from steps
    group by operation, instance, request_id
),
rest as (
    -- few: partitions with more than a start and an end
    select operation, instance, request_id, phase, at_us,
        format = 'legacy' or not max(format = 'legacy') over (
            partition by operation, instance, request_id, deployment
        ) as counts
    from steps semi join (
        from partitions where starts > 0 and ends > 0 and (starts + ends > 2 or is_mixed)
    ) as partition
        on steps.operation = partition.operation
        and steps.instance = partition.instance
        and steps.request_id is not distinct from partition.request_id
),
rest_in_order as (
    select operation, phase, at_us,
        lag(phase) over chronological as former_phase,
        at_us - lag(at_us) over chronological as us
    from rest
    where counts and phase in ('start', 'end')
    window chronological as (partition by operation, instance, request_id order by at_us, phase desc)
),
durations as (
    select operation, us / 1e6 as s
    from partitions
    where starts = 1 and ends = 1 and not is_mixed and us >= 0
    union all
    select operation, us / 1e6
    from rest_in_order
    where phase = 'end' and former_phase = 'start'
)
select operation, count(*) as count, min(s) as min_s, avg(s) as mean_s,
    quantile_cont(s, 0.5) as median_s, quantile_cont(s, 0.95) as p95_s, max(s) as max_s
from durations
group by operation
order by operation
"""


def measure(workload: Workload) -> Iterator[Figure]:
    """Ask both in turns; their answers must be equal."""
    with sa.open_lake(workload.lake) as lake, duckdb.connect() as engine:
        engine.execute("set parquet_metadata_cache = true")
        engine.execute("set enable_progress_bar = false")
        files = [file.path for file in lake.files("notifications")]

        def summary() -> pl.DataFrame:
            return sa.timing_summary(lake).select(COLUMNS)

        def by_hand() -> pl.DataFrame:
            found: pl.DataFrame = engine.sql(BY_HAND, params={"files": files}).pl()
            return found

        assert_frame_equal(summary(), by_hand(), check_dtypes=False)
        rounds = [(_seconds(summary), _seconds(by_hand)) for _ in range(ROUNDS)]
        timings = summary()["count"].sum()
    ours, theirs = (median(side) for side in zip(*rounds, strict=True))
    yield Figure(
        what="timing_summary: time / that of DuckDB's SQL by hand",
        value=median(our / their for our, their in rounds),
        below=RATIO,
        note=f"{ours * 1000:,.0f} ms beside {theirs * 1000:,.0f} ms for {timings:,} timings; equal answers",
    )


def _seconds(answer: Callable[[], object]) -> float:
    started = time.perf_counter()
    answer()
    return time.perf_counter() - started
