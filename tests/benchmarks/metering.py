"""Metering: what samples take on disk, how long deriving takes, and statistics beside DuckDB's SQL by hand."""

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import median
from urllib.parse import urlencode
from urllib.request import urlopen

import duckdb
import numpy as np
import polars as pl
from polars.testing import assert_frame_equal

import stackanalytics as sa
from stackanalytics.lake import SampleWriter, derive
from stackanalytics.schema import SAMPLES
from tests.benchmarks.figure import Figure
from tests.benchmarks.process import Spent, stopwatch
from tests.benchmarks.serving import server
from tests.benchmarks.workload import Workload

START = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 31
METERS = 100
PER_NOTIFICATION = 10  # samples for each notification of the workload
POLLS = 72  # of each resource in a day

WHOLE = 1_000_000  # notifications for which there are bounds in seconds
DERIVING_S, DAY_MS, MONTH_S = 20, 100, 1
RATIO = 1.5
ROUNDS = 31
ASKED = 50  # over HTTP, each of another meter and day
PREDECESSORS = "Ceilometer: 150 B in SQL, 1.5 KB in MongoDB; Gnocchi: 9 B, aggregated"

COLUMNS = ("count", "min", "max", "avg", "sum")
BY_HAND = """
select {keys}unit, count(*) as count, min(volume) as min, max(volume) as max, avg(volume) as avg,
    sum(volume) as sum, min(measured_at), max(measured_at)
from read_parquet($files, hive_partitioning = true)
where meter = $meter and measured_at >= $start and measured_at < $end
    and date >= $start::timestamptz::date and date <= $end::timestamptz::date
group by all
order by all
"""
BY_HOUR = "resource, date_trunc('hour', measured_at) as period_start_at, "


def measure(workload: Workload) -> Iterator[Figure]:
    """Store samples and ask for statistics of them; derive those of the lake's notifications once more."""
    metered = replace(workload, lake=workload.folder / "metered")
    yield _store(metered, workload.rows * PER_NOTIFICATION)
    yield from _statistics(metered)
    yield _over_http(metered)
    yield _derive(workload)


def _store(metered: Workload, rows: int) -> Figure:
    writer, started = SampleWriter(metered.lake), time.perf_counter()
    for day in range(DAYS):
        writer.append(_day(day, max(1, rows // (DAYS * METERS * POLLS))))
    taken_s = time.perf_counter() - started
    with sa.open_lake(metered.lake) as lake:
        samples = lake.info().filter(table=SAMPLES.name).row(0, named=True)
    return Figure(
        what="samples on disk, ids and metadata included",
        value=samples["bytes"] / samples["rows"],
        unit="B each",
        note=f"{samples['rows']:,} samples, written at {samples['rows'] / taken_s:,.0f} /s. {PREDECESSORS}",
    )


def _day(number: int, resources: int) -> pl.DataFrame:
    """Return the samples of a day as a polling agent measures them: all meters of all resources in turns."""
    random = np.random.default_rng(number)
    rows = POLLS * resources * METERS
    poll, rest = np.divmod(np.arange(rows), resources * METERS)
    resource, meter = np.divmod(rest, METERS)
    owner = pl.Series(resource % 10).cast(pl.String)
    hexadecimal = random.bytes(16 * rows).hex()
    ids = (hexadecimal[place : place + 32] for place in range(0, len(hexadecimal), 32))
    at_us = np.int64(86_400_000_000) * number + poll * (86_400_000_000 // POLLS) + resource * 1_000_003
    measured_at = pl.Series(at_us).cast(pl.Duration("us")) + START
    return pl.DataFrame(
        {
            "sample_id": [f"{id[:8]}-{id[8:12]}-{id[12:16]}-{id[16:20]}-{id[20:]}" for id in ids],
            "meter": "meter." + pl.Series(meter).cast(pl.String),
            "volume": random.normal(50, 15, rows).round(2),
            "resource": "resource-" + pl.Series(resource).cast(pl.String),
            "tenant": "tenant-" + owner,
            "user": "user-" + owner,
            "measured_at": measured_at,
            "recorded_at": measured_at + timedelta(seconds=3),
            "metadata": '{"display_name": "vm-'
            + pl.Series(resource).cast(pl.String)
            + '", "flavor": {"name": "m1.small"}}',
        }
    ).with_columns(meter_type=pl.lit("gauge"), unit=pl.lit("%"), source=pl.lit("openstack"))


def _statistics(metered: Workload) -> Iterator[Figure]:
    with sa.open_lake(metered.lake) as lake, duckdb.connect() as engine:
        for statement in (
            "set global TimeZone = 'UTC'",
            "set parquet_metadata_cache = true",
            "set enable_progress_bar = false",
        ):
            engine.execute(statement)
        files = [file.path for file in lake.files(SAMPLES.name)]

        def by_hand(keys: str, start: datetime, end: datetime) -> Callable[[], pl.DataFrame]:
            values = {"files": files, "meter": "meter.7", "start": start, "end": end}

            def answer() -> pl.DataFrame:
                found: pl.DataFrame = engine.sql(BY_HAND.format(keys=keys), params=values).pl()
                return found

            return answer

        def ours(start: datetime, end: datetime, **asked: object) -> Callable[[], pl.DataFrame]:
            query = f"timestamp>={start.isoformat()};timestamp<{end.isoformat()}"
            return lambda: sa.statistics(lake, "meter.7", query=query, **asked)  # type: ignore[arg-type]  # of different types

        day = START + timedelta(days=12), START + timedelta(days=13)
        month = START, START + timedelta(days=DAYS)
        yield from _compare("one meter, one day", ours(*day), by_hand("", *day), DAY_MS, [])
        yield from _compare(
            "one meter, all hours of a month by resource",
            ours(*month, period=3600, group_by=["resource"]),
            by_hand(BY_HOUR, *month),
            MONTH_S * 1000,
            ["period_start_at", "resource"],
        )


def _compare(
    what: str,
    ours: Callable[[], pl.DataFrame],
    by_hand: Callable[[], pl.DataFrame],
    below_ms: float,
    keys: list[str],
) -> Iterator[Figure]:
    """Ask both in turns; their answers must be equal."""
    found, expected = (answer().select(*keys, *COLUMNS).sort(keys or "count") for answer in (ours, by_hand))
    assert_frame_equal(found, expected, check_dtypes=False)
    rounds = [(_spent(ours), _spent(by_hand)) for _ in range(ROUNDS)]
    our_ms, hand_ms = (median(spent.wall_s * 1000 for spent in side) for side in zip(*rounds, strict=True))
    counted = f"{found['count'].sum():,} samples in {found.height:,} rows"
    yield Figure(what=f"statistics of {what}", value=our_ms, unit="ms", below=below_ms, note=counted)
    yield Figure(
        what=f"statistics of {what}: processor time / that of DuckDB's SQL by hand",
        value=median(our.cpu_s / hand.cpu_s for our, hand in rounds),
        below=RATIO,
        note=f"{our_ms:,.1f} ms on the clock beside {hand_ms:,.1f} ms over the same files; equal answers",
    )


def _over_http(metered: Workload) -> Figure:
    taken_ms = []
    with server(metered) as port:
        for number in range(ASKED + 1):
            day = START + timedelta(days=number % DAYS)
            bounds = ((">=", "ge", day), ("<", "lt", day + timedelta(days=1)))
            asked = [
                (f"q.{name}", value)
                for _, op, at in bounds
                for name, value in (("field", "timestamp"), ("op", op), ("value", at.strftime("%Y-%m-%dT%H:%M:%S")))
            ]
            address = f"http://127.0.0.1:{port}/v2/meters/meter.{number}/statistics?{urlencode(asked)}"
            started = time.perf_counter()
            with urlopen(address) as answer:
                body = answer.read()
            taken_ms.append((time.perf_counter() - started) * 1000)
            assert b'"count"' in body
    return Figure(
        what="statistics of one meter and one day over HTTP, median",
        value=median(taken_ms[1:]),
        unit="ms",
        below=DAY_MS,
        note=f"{ASKED} requests, each of another meter; longest {max(taken_ms[1:]):,.0f} ms",
    )


def _derive(workload: Workload) -> Figure:
    """Derive in a copy of the lake that has no samples yet."""
    copy = workload.folder / "derived"
    shutil.copytree(workload.lake, copy, ignore=shutil.ignore_patterns(f"{SAMPLES.name}*"))
    started = time.perf_counter()
    done = derive(copy)
    taken_s = time.perf_counter() - started
    shutil.rmtree(copy)
    return Figure(
        what="deriving all samples of the notifications of the lake",
        value=taken_s,
        unit="s",
        below=DERIVING_S if workload.rows >= WHOLE else None,
        note=f"{done.samples:,} samples of {done.notifications:,} notifications",
    )


def _spent(answer: Callable[[], object]) -> Spent:
    with stopwatch() as spent:
        answer()
        return spent()
