"""The command ``land``: notifications or samples from files into a lake."""

import sys
from pathlib import Path

import click

from stackanalytics import times
from stackanalytics.errors import InputError
from stackanalytics.lake import derive
from stackanalytics.landing import SampleSummary, Summary, land_samples
from stackanalytics.landing import land as land_chunks
from stackanalytics.sources import files
from stackanalytics.sources.sample_table import read_samples
from stackanalytics.surfaces.terminal import lake_option, progress_in_bytes, progress_in_steps, words


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@lake_option
@click.option("--deployment", help="Deployment of messages that name none.  [default: default]")
@click.option("--exchange", help="Exchange of messages that name none; else told by the event type.")
@click.option("--samples", "has_samples", is_flag=True, help="Land samples of meters instead of notifications.")
@click.option("--strict", is_flag=True, help="Exit with 1 where there were dead letters.")
def land(
    paths: tuple[str, ...],
    folder: Path,
    deployment: str | None,
    exchange: str | None,
    has_samples: bool,
    strict: bool,
) -> None:
    """Land notifications, or samples, from files and folders; - is standard input.

    Takes JSON lines and arrays, plain, .gz or .zst, in every form in which services write
    notifications. Samples are taken from these, from .csv and from .parquet, under the names that Ceilometer and
    Gnocchi give their fields. Landing the same again adds nothing, so a run that was cut short is simply
    started again.
    """
    if has_samples and (deployment is not None or exchange is not None):
        raise InputError("samples have no deployment and no exchange: leave out --deployment and --exchange")
    found = files.find_files(paths)
    started = times.now()
    with progress_in_bytes("Landing", _size(found)) as advance:
        if has_samples:
            told: SampleSummary | Summary = land_samples(
                read_samples(found), folder, on_progress=lambda running: advance(running.bytes)
            )
        else:
            told = land_chunks(
                files.read(found),
                folder,
                deployment=deployment or "default",
                exchange=exchange,
                on_progress=lambda running: advance(running.bytes),
            )
    words.print(f"landed {_described(told)}, {_speed(told.bytes, (times.now() - started).total_seconds())}")
    if not has_samples:
        _derive(folder)
    if strict and told.dead_letters + told.repeated_dead_letters:
        sys.exit(1)


def _size(found: list[Path | str]) -> int | None:
    if files.STANDARD_INPUT in found:
        return None
    return sum(Path(path).stat().st_size for path in found) or None


def _derive(folder: Path) -> None:
    with progress_in_steps("Deriving samples", None) as advance:
        derive(folder, on_progress=lambda running: advance(running.notifications))


def _described(told: SampleSummary | Summary) -> str:
    if isinstance(told, Summary):
        landed = (
            f"{told.notifications:,} notifications ({told.conflicts:,} of them with an id that came before "
            "with other content)"
        )
    else:
        landed = f"{told.samples:,} samples"
    return (
        f"{landed}, {told.duplicates:,} duplicates, {told.dead_letters:,} dead letters "
        f"({told.repeated_dead_letters:,} more were known)"
    )


def _speed(size: int, seconds: float) -> str:
    return f"{size / 1e6:,.1f} MB at {size / 1e6 / seconds if seconds else 0.0:,.1f} MB/s"
