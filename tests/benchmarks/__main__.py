"""``python -m tests.benchmarks``: measure, and print one table."""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click
from rich.console import Console

from tests.benchmarks import (
    compaction,
    disk,
    feeding,
    landing,
    lookup,
    metering,
    reporting,
    serving,
    tenant,
    timing,
    verification,
)
from tests.benchmarks.figure import Figure, print_table, write_json
from tests.benchmarks.workload import Workload

BENCHMARKS: Mapping[str, Callable[[Workload], Iterator[Figure]]] = {
    "landing": landing.measure,
    "disk": disk.measure,
    "feeding": feeding.measure,
    "compaction": compaction.measure,
    "timing": timing.measure,
    "lookup": lookup.measure,
    "serving": serving.measure,
    "verification": verification.measure,
    "reporting": reporting.measure,
    "tenants": tenant.measure,
    "metering": metering.measure,
}
WITHOUT_LAKE = frozenset({"landing", "disk", "feeding", "verification", "reporting", "tenants"})

words = Console(stderr=True, highlight=False)


@click.command()
@click.option(
    "--rows",
    type=click.IntRange(min=10_000),
    default=1_000_000,
    show_default=True,
    help="Notifications in the lake.",
)
@click.option(
    "--lake",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Lake to make, or to measure again; else a temporary one.",
)
@click.option("--only", multiple=True, type=click.Choice(list(BENCHMARKS)), help="Measure only this; may be repeated.")
@click.option(
    "--json",
    "json_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write the figures to.",
)
def main(rows: int, folder: Path | None, only: tuple[str, ...], json_path: Path | None) -> None:
    """Measure how fast, how small and how frugal it is."""
    with tempfile.TemporaryDirectory(prefix="stackanalytics-benchmarks-") as temporary:
        workload = Workload.of(rows, Path(temporary), folder)
        chosen = _chosen(workload, only)
        figures: list[Figure] = []
        try:
            for name in chosen:
                words.print(f"measuring {name} …")
                figures.extend(BENCHMARKS[name](workload))
        finally:  # what was measured before a failure is shown, too
            print_table(figures, f"{workload.rows:,} notifications, {os.cpu_count()} cores")
            if json_path:
                write_json(figures, json_path)


def _chosen(workload: Workload, only: tuple[str, ...]) -> list[str]:
    """Return what to measure, in order: a lake is fed and compacted where one is needed and is not there."""
    chosen = set(only or BENCHMARKS)
    if workload.has_lake:
        if "feeding" in only:
            raise click.UsageError(f"{workload.lake} is fed already: give a new folder as --lake to measure feeding")
        chosen.discard("feeding")
    elif chosen - WITHOUT_LAKE:
        chosen |= {"feeding", "compaction"}
    return [name for name in BENCHMARKS if name in chosen]


if __name__ == "__main__":
    main()
