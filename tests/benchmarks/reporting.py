"""Reports: all of those of a large day, and instance hours beside DuckDB's SQL by hand."""

import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from uuid import UUID

import duckdb
import polars as pl
from polars.testing import assert_frame_equal

import stackanalytics as sa
from stackanalytics import times
from stackanalytics.analytics.verification import Service
from stackanalytics.lake.verifying import verifying
from stackanalytics.landing import land
from stackanalytics.reports import REPORTS
from stackanalytics.reports.report import Period
from stackanalytics.schema import VERIFICATIONS, polars_schema
from stackanalytics.sources.chunk import Chunk
from stackanalytics.surfaces.verification_store import verify_and_keep
from stackanalytics.testing import notification
from tests.benchmarks.figure import Figure
from tests.benchmarks.process import command, run
from tests.benchmarks.workload import PER_HOST, PER_OPERATION, Workload

DAY = Period(datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC))
PER_INSTANCE = 160  # notifications of a day for each standing instance: one in seven is an audit
WHOLE = 1_000_000  # rows for which there are bounds in seconds
ALL_REPORTS_S, INSTANCE_HOURS_S = 60, 5
RATIO = 2  # by hand nothing but hours is told: neither tenants nor flavors, and nothing of versioned notifications
CHUNK = 5_000
ROUNDS = 3
SERVICES: tuple[Service, ...] = ("nova", "glance")
PARTS = 0.1  # share of records that tell of a part of what another tells

BY_HAND = """
with records as (
    select instance, date_trunc('second', launched_at) as launched_at, memory_mb,
        epoch_us(greatest(launched_at, audit_period_beginning, $start)) as started_us,
        epoch_us(least(audit_period_ending, terminated_at, $end)) as ended_us
    from read_parquet($files, hive_partitioning = false)
    where operation = 'compute.instance.exists' and id in (
        select exists_id from read_parquet($verdicts, hive_partitioning = false) where verdict = 'verified'
    )
),
spans as (
    select *, max(ended_us) over (
            partition by instance, launched_at order by started_us, ended_us
            rows between unbounded preceding and 1 preceding
        ) as covered_us
    from records
    where started_us < ended_us
)
select instance, ceil(sum(greatest(ended_us - greatest(started_us, coalesce(covered_us, 0)), 0)) / 3600e6) as hours,
    hours * max(memory_mb) / 256 as unit_hours
from spans
group by instance, launched_at
order by instance, launched_at
"""


def measure(workload: Workload) -> Iterator[Figure]:
    """Make all reports of a day of as many notifications as the workload has, and instance hours of as many records."""
    rows = min(workload.rows, WHOLE)
    with tempfile.TemporaryDirectory(dir=workload.folder) as folder:
        yield from _all_reports(Path(folder), rows)
    with tempfile.TemporaryDirectory(dir=workload.folder) as folder:
        yield from _instance_hours(Path(folder), rows)


def _all_reports(lake: Path, rows: int) -> Iterator[Figure]:
    instances = max(1, rows // PER_INSTANCE)
    settings: dict[str, object] = {
        "start": DAY.start.strftime("%Y-%m-%dT%H:%M:%S"),
        "count": rows,
        "instances": instances,
        "hosts": max(1, instances // PER_HOST // 2),
        "operations-per-hour": round((rows / 24 - instances) / PER_OPERATION, 1),
    }
    words = [word for name, value in settings.items() for word in (f"--{name}", value)]
    run("land", "-", "--lake", lake, source=command("simulate", *words))
    for service in SERVICES:
        verify_and_keep(lake, service=service, until=times.now())
    seconds = {}
    with sa.open_lake(lake) as opened:
        for report in REPORTS.values():
            seconds[report.name] = _seconds(lambda report=report: report.run(opened, DAY))  # type: ignore[misc]  # bound in the loop
    yield Figure(
        what="all reports of one day",
        value=sum(seconds.values()),
        unit="s",
        note=f"{rows:,} notifications; " + ", ".join(f"{name} {taken:.1f} s" for name, taken in seconds.items()),
        **({"below": ALL_REPORTS_S} if rows == WHOLE else {}),
    )


def _instance_hours(lake: Path, records: int) -> Iterator[Figure]:
    land(_exists(records), lake)
    verdicts = pl.DataFrame({"exists_id": range(1, records + 1)}).with_columns(
        service=pl.lit("nova"), verdict=pl.lit("verified")
    )
    with verifying(lake, "nova", rules="of a benchmark", due_at=DAY.end) as under_way:
        columns = polars_schema(*VERIFICATIONS.fields)
        missing = {name: pl.lit(None, kind) for name, kind in columns.items() if name not in verdicts.columns}
        under_way.keep(verdicts.with_columns(**missing).select(columns.names()))
    with sa.open_lake(lake) as opened, duckdb.connect() as engine:
        engine.execute("set TimeZone = 'UTC'")
        engine.execute("set enable_progress_bar = false")
        given = {
            "start": DAY.start,
            "end": DAY.end,
            "files": [file.path for file in opened.files("notifications")],
            "verdicts": [file.path for file in opened.files("verifications")],
        }

        def ours() -> pl.DataFrame:
            return sa.instance_hours(opened, start=DAY.start, end=DAY.end)

        def by_hand() -> pl.DataFrame:
            found: pl.DataFrame = engine.sql(BY_HAND, params=given).pl()
            return found

        found = ours()
        assert_frame_equal(found.select("instance", "hours", "unit_hours"), by_hand(), check_dtypes=False)
        rounds = [(_seconds(ours), _cpu_s(ours), _cpu_s(by_hand)) for _ in range(ROUNDS)]
    our, our_cpu, their_cpu = (median(side) for side in zip(*rounds, strict=True))
    yield Figure(
        what="instance hours",
        value=our,
        unit="s",
        note=f"{records:,} records of {found.height:,} launches",
        **({"below": INSTANCE_HOURS_S} if records == WHOLE else {}),
    )
    yield Figure(
        what="instance hours: processor time / that of DuckDB's SQL by hand",
        value=our_cpu / their_cpu,
        below=RATIO,
        note=f"{our_cpu * 1000:,.0f} ms beside {their_cpu * 1000:,.0f} ms; equal answers",
    )


def _exists(records: int) -> Iterator[Chunk]:
    """Yield the records of a day; some tell of its first half, of launches that others tell the whole of."""
    chance, half = random.Random(0), DAY.start + timedelta(hours=12)
    whole = round(records * (1 - PARTS))
    launches = [(UUID(int=chance.getrandbits(128)), chance.uniform(-80_000, 80_000)) for _ in range(whole)]
    for first in range(0, records, CHUNK):
        messages = []
        for place in range(first, min(first + CHUNK, records)):
            instance, launched_s = launches[place % whole]
            ending = DAY.end if place < whole else half
            told = notification(
                "compute.instance.exists",
                ending + timedelta(seconds=30),
                instance=str(instance),
                tenant=f"{instance.int % 5000:032x}",
                launched_at=DAY.start + timedelta(seconds=round(launched_s, 6)),
                audit_period_beginning=DAY.start,
                audit_period_ending=ending,
                instance_flavor_id=str(instance.int % 9),
                memory_mb=256 << instance.int % 9,
            )
            messages.append(json.dumps(told).encode())
        yield Chunk("records", first + 1, messages)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _cpu_s(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started
