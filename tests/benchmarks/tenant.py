"""Tenants: taken down from files of each kind, beside a loader of a few lines by hand."""

import json
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
from click.testing import CliRunner

import stackanalytics as sa
from stackanalytics.lake import create_lake
from stackanalytics.surfaces.tenants_command import tenants
from tests.benchmarks.figure import Figure
from tests.benchmarks.workload import Workload

TENANTS = 100_000
SECONDS = 10
RATIO = 5  # by hand nothing is checked, compared with what is known, kept of what was, or synced
WRITERS: dict[str, Callable[[pl.DataFrame, Path], object]] = {
    "csv": lambda rows, path: rows.write_csv(path),
    "parquet": lambda rows, path: rows.write_parquet(path),
    "jsonl": lambda rows, path: rows.write_ndjson(path),
}
READERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    "csv": lambda path: pl.read_csv(path, infer_schema=False),
    "parquet": pl.read_parquet,
    "jsonl": pl.read_ndjson,
}


def measure(workload: Workload) -> Iterator[Figure]:
    """Take down a hundred thousand tenants with two types each, from files of each kind."""
    told = pl.DataFrame({"tenant": [f"{number:032x}" for number in range(TENANTS)]}).with_columns(
        name=pl.format("tenant {}", pl.int_range(pl.len())), account_type=pl.lit("managed"), tier=pl.lit("1")
    )
    with tempfile.TemporaryDirectory(dir=workload.folder) as name:
        for form, write in WRITERS.items():
            folder = Path(name) / form
            create_lake(folder)
            path = folder / f"tenants.{form}"
            write(told, path)
            yield from _figures(form, path, folder)


def _figures(form: str, path: Path, folder: Path) -> Iterator[Figure]:
    our = _cpu_s(lambda: _take_down(path, folder))
    again = _cpu_s(lambda: _take_down(path, folder))
    their = _cpu_s(lambda: _by_hand(form, path, folder / "by-hand.sqlite"))
    with sa.open_lake(folder) as lake:
        assert sa.tenants(lake).height == TENANTS
    yield Figure(
        what=f"{TENANTS:,} tenants from {form}",
        value=our,
        unit="s",
        below=SECONDS,
        note=f"of processor time; the same again {again:.1f} s",
    )
    yield Figure(
        what=f"tenants from {form}: processor time / that of a loader by hand",
        value=our / their,
        below=RATIO,
        note=f"{our * 1000:,.0f} ms beside {their * 1000:,.0f} ms",
    )


def _take_down(path: Path, folder: Path) -> None:
    done = CliRunner().invoke(tenants, [str(path), "--lake", str(folder)], catch_exceptions=False)
    assert done.exit_code == 0


def _by_hand(form: str, path: Path, state: Path) -> None:
    rows = READERS[form](path).iter_rows(named=True)
    with sqlite3.connect(state) as connection:
        connection.execute("create table tenants (tenant text primary key, name text, types text)")
        connection.executemany(
            "insert into tenants values (?, ?, ?)",
            ((row.pop("tenant"), row.pop("name"), json.dumps(row)) for row in rows),
        )
    connection.close()


def _cpu_s(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started
