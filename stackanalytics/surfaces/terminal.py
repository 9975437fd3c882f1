"""What the commands share: options, words, progress, and frames as output."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TypeVar

import click
import polars as pl
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from stackanalytics import times
from stackanalytics.errors import InputError

words = Console(stderr=True, highlight=False)
F = TypeVar("F", bound=Callable[..., object])

FORMATS = ("table", "csv", "json", "parquet")


class Instant(click.ParamType[datetime]):
    """A time, as text."""

    name = "time"

    def convert(self, value: str | datetime, param: click.Parameter | None, context: click.Context | None) -> datetime:
        """Read the text."""
        try:
            return times.instant(value)
        except InputError as problem:
            self.fail(str(problem), param, context)


lake_option = click.option(
    "--lake",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder of the lake.",
)


def with_options(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Give a command several options."""

    def decorate(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@contextmanager
def progress_in_bytes(text: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show how far something is, in bytes; yield a function that is told how many are done."""
    with _bar(text, total, DownloadColumn()) as advance:
        yield advance


@contextmanager
def progress_in_steps(text: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show how far something is, in steps, likewise."""
    with _bar(text, total, MofNCompleteColumn()) as advance:
        yield advance


@contextmanager
def _bar(text: str, total: int | None, count: DownloadColumn | MofNCompleteColumn) -> Iterator[Callable[[int], None]]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), count, TimeElapsedColumn())
    with Progress(*columns, console=words, transient=True) as progress:
        task = progress.add_task(text, total=total)
        yield lambda done: progress.update(task, completed=done)


def show_frame(frame: pl.DataFrame, title: str | None = None) -> None:
    """Print a frame as a table."""
    shown = Table(title=title, title_justify="left", title_style="bold")
    for name, kind in frame.schema.items():
        shown.add_column(name, justify="right" if kind.is_numeric() else "left", no_wrap=True)
    for row in frame.iter_rows():
        shown.add_row(*map(_cell, row))
    show_table(shown)


def show_table(table: Table) -> None:
    """Print a table as wide as it is: a terminal wraps lines better than columns of a few characters read."""
    Console(highlight=False, width=Console().measure(table, options=_UNBOUND).maximum).print(table)


_UNBOUND = Console(width=1_000_000).options


def _cell(value: object) -> str:
    match value:
        case None:
            return "–"
        case float():
            return f"{value:,.4g}" if abs(value) < 1 else f"{value:,.2f}"
        case bool():
            return "yes" if value else "no"
        case int():
            return str(value)
        case datetime():
            return times.show(value)
        case date():
            return value.isoformat()
        case _:
            return str(value)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield the path of a file to write; it takes its name when it is whole."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield partial
        partial.replace(path)
    except OSError as problem:
        raise InputError(f"{path} cannot be written: {problem.strerror}") from problem
    finally:
        partial.unlink(missing_ok=True)


def write_out(content: bytes, out: Path | None) -> None:
    """Write to a file, or to standard output."""
    if out is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    with new_file(out) as partial:
        partial.write_bytes(content)
