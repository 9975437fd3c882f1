"""The command line: data go to standard output, words and progress to standard error.

Exit status: 0 done, 1 done but something is wrong with the data, 2 what was given cannot be used.
"""

import gzip
import json
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import click
import polars as pl
from rich.table import Column, Table

from stackanalytics import times
from stackanalytics.analytics.meter import meters, resources
from stackanalytics.analytics.verification import SERVICES
from stackanalytics.errors import InputError, StackanalyticsError
from stackanalytics.lake import KEEP_HOURS, SampleWriter, open_lake
from stackanalytics.lake import compact as compact_lake
from stackanalytics.landing import land as land_chunks
from stackanalytics.reports.store import due_runs, store_missing
from stackanalytics.sources.chunk import Chunk
from stackanalytics.sources.simulator import BILLING_FAULTS, CHOICES, Cloud, poll
from stackanalytics.sources.simulator import simulate as simulate_cloud
from stackanalytics.surfaces.export_command import export
from stackanalytics.surfaces.land_command import land
from stackanalytics.surfaces.reconcile_command import reconcile
from stackanalytics.surfaces.report_command import report
from stackanalytics.surfaces.tenants_command import tenants
from stackanalytics.surfaces.terminal import F, Instant, lake_option, progress_in_bytes, show_table, with_options, words
from stackanalytics.surfaces.verification_store import verify_and_keep
from stackanalytics.surfaces.verify_command import verify_lake

DEMO_HOURS = 48
DEMO_CHUNK = 2_000
DEMO_POLLED = 20
DEMO_MARK = "made-by-demo"
DEMO_FAULTS: dict[str, Any] = {
    "starts_empty": True,
    "wrong_flavor": 0.005,
    "wrong_tenant": 0.005,
    "missing_launch": 0.01,
    "missing_delete": 0.01,
}

address_options = (
    click.option("--address", default="127.0.0.1", show_default=True, help="Address to listen at."),
    click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Port to listen at."),
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="stackanalytics")
def cli() -> None:
    """Answers from OpenStack notifications."""


cli.add_command(export)
cli.add_command(land)
cli.add_command(reconcile)
cli.add_command(report)
cli.add_command(tenants)
cli.add_command(verify_lake)


@cli.command()
@lake_option
@with_options(*address_options)
@click.option("--allow-writes", is_flag=True, help="Let requests change the lake.")
def serve(folder: Path, address: str, port: int, allow_writes: bool) -> None:
    """Serve a lake: dashboards for people, JSON for scripts."""
    _serve(folder, address, port, allow_writes)


@cli.command()
@lake_option
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def info(folder: Path, form: str) -> None:
    """Tell what a lake holds: rows, files, bytes, days, deployments, versions."""
    with open_lake(folder) as lake:
        tables, deployments = lake.info(), lake.deployments()
    if form == "json":
        described = [{name: _plain(value) for name, value in row.items()} for row in tables.to_dicts()]
        click.echo(json.dumps({"tables": described, "deployments": deployments}, indent=2))
        return
    shown = Table(
        *(Column(name, no_wrap=True) for name in ("Table", "Version", "Rows", "Files", "Bytes", "First", "Last"))
    )
    for row in tables.iter_rows():
        shown.add_row(
            *("–" if value is None else f"{value:,}" if isinstance(value, int) else str(value) for value in row)
        )
    show_table(shown)
    click.echo(f"Deployments: {', '.join(deployments.values()) or 'none'}")


@cli.command()
@lake_option
@click.option(
    "--keep-hours",
    type=click.IntRange(min=0),
    default=KEEP_HOURS,
    show_default=True,
    help="Delete files that no version of the last hours needs.",
)
def compact(folder: Path, keep_hours: int) -> None:
    """Rewrite the days of a lake into few files, clustered by instance."""
    open_lake(folder).close()
    with progress_in_bytes("Compacting", None) as advance:
        done = compact_lake(folder, keep_hours=keep_hours, on_progress=lambda running: advance(running.bytes_before))
    words.print(
        f"{done.days:,} days: {done.files_before:,} files of {done.bytes_before:,} B became "
        f"{done.files_after:,} of {done.bytes_after:,} B; {done.files_deleted:,} old files deleted"
    )


def _default(name: str) -> object:
    return Cloud.__dataclass_fields__[name].default


def _cloud_option(name: str, text: str, kind: object) -> Callable[[F], F]:
    flag = "--" + name.replace("_", "-")
    return click.option(flag, name, type=kind, default=_default(name), show_default=True, help=text)


cloud_options = (
    _cloud_option("seed", "What all chance is drawn from.", int),
    _cloud_option("regions", "Regions.", int),
    _cloud_option("cells", "Cells in a region; each is a deployment.", int),
    _cloud_option("hosts", "Compute hosts in a cell.", int),
    _cloud_option("tenants", "Projects.", int),
    _cloud_option("images", "Public images.", int),
    _cloud_option("instances", "Instances at the start.", int),
    _cloud_option("operations_per_hour", "Mean rate of operations [1/h].", float),
    _cloud_option("repertoire", "What happens: the usual, or all there is.", click.Choice(list(CHOICES["repertoire"]))),
    _cloud_option("exists", "Audit period.", click.Choice(list(CHOICES["exists"]))),
    _cloud_option("format", "Nova's notification format.", click.Choice(list(CHOICES["format"]))),
    _cloud_option("form", "How messages are wrapped.", click.Choice(list(CHOICES["form"]))),
    _cloud_option("duplicates", "Share of messages delivered twice.", float),
    _cloud_option("reorder", "Share of messages delivered late.", float),
    _cloud_option("loss", "Share of messages never delivered.", float),
    _cloud_option("noise", "Share of messages after which comes something that is no JSON.", float),
    *(_cloud_option(name, text, float) for name, text in BILLING_FAULTS.items()),
    click.option(
        "--starts-empty", is_flag=True, help="Let the instances grow from nothing, so that all launches are told."
    ),
    click.option("--clock-skew/--no-clock-skew", default=True, show_default=True, help="Whether clocks disagree."),
)


@cli.command()
@click.option("--start", type=Instant(), required=True, help="First instant of the simulation (UTC).")
@click.option("--hours", type=click.FloatRange(min=0), help="Length of the simulated time [h].")
@click.option("--count", type=click.IntRange(min=0), help="How many messages at most.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File to write, .gz to compress.")
@click.option("--truth", type=click.Path(dir_okay=False, path_type=Path), help="File for what really happened.")
@click.option("--nova", type=click.Path(dir_okay=False, path_type=Path), help="File for nova's table of instances.")
@with_options(*cloud_options)
def simulate(
    start: datetime,
    hours: float | None,
    count: int | None,
    out: Path | None,
    truth: Path | None,
    nova: Path | None,
    **settings: object,
) -> None:
    """Simulate a cloud and write its notifications as JSON lines.

    The same settings give the same bytes.
    """
    if hours is None and count is None:
        raise InputError("neither --hours nor --count was given: say how long or how much to simulate")
    cloud = Cloud(start=start, **settings)  # type: ignore[arg-type]  # Cloud checks what it is given
    with _writing(out) as write, _writing_records(truth) as tell, _writing_records(nova) as list_instance:
        for message in simulate_cloud(cloud, hours=hours, count=count, truth=tell, nova=list_instance):
            write(message + b"\n")


@cli.command()
@click.option(
    "--lake",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data/demo"),
    show_default=True,
    help="Folder of the lake; simulated notifications are landed in it.",
)
@with_options(*address_options)
@click.option("--seed", type=int, default=0, show_default=True, help="What all chance is drawn from.")
def demo(folder: Path, address: str, port: int, seed: int) -> None:
    """Simulate a small cloud of the last two days, land and verify it, report on it, and serve it.

    The simulation goes on until an hour from now, so that live views have something to show. A few
    usage records are wrong, so that verification has, too; some instances are polled, for meters.
    """
    _check_port(address, port)
    _clear_demo(folder)
    start = times.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=DEMO_HOURS - 2)
    cloud = Cloud(seed=seed, start=start, operations_per_hour=150, duplicates=0.005, reorder=0.01, **DEMO_FAULTS)
    with progress_in_bytes("Simulating and landing", None) as advance:
        summary = land_chunks(_simulated(cloud), folder, on_progress=lambda running: advance(running.bytes))
    _poll_instances(folder, seed)
    compact_lake(folder)
    for service in SERVICES:
        verify_and_keep(folder, service=service, until=times.now())  # type: ignore[arg-type]  # they are names
    with open_lake(folder) as lake:
        store_missing(lake, due_runs(lake, times.now()), now=times.now)
    words.print(f"{summary.notifications:,} notifications of {DEMO_HOURS} hours are in {folder}")
    _serve(folder, address, port, allow_writes=False)


def _poll_instances(folder: Path, seed: int) -> None:
    """Add what an agent would have measured of those instances that there is something to tell of for longest."""
    with open_lake(folder) as lake:
        instances = resources(lake).join(meters(lake).filter(meter="memory"), on="resource", how="semi")
    longest = instances.sort(pl.col("first_at") - pl.col("last_at"), "resource").head(DEMO_POLLED)
    SampleWriter(folder).append(poll(longest, seed=seed))


def _clear_demo(folder: Path) -> None:
    """Make room for a new demonstration, where there is nothing but a former one."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / DEMO_MARK).exists():
            raise InputError(f"{folder} holds something that no demonstration made: give another --lake")
        for inside in folder.iterdir():
            if inside.is_dir():
                shutil.rmtree(inside)
            elif inside.name != DEMO_MARK:
                inside.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DEMO_MARK).touch()


def _check_port(address: str, port: int) -> None:
    """See that the address can be listened at, before anything is done for it."""
    try:
        socket.create_server((address, port)).close()
    except OSError as problem:
        raise _no_port(address, port, problem) from problem


def _no_port(address: str, port: int, problem: OSError) -> InputError:
    return InputError(f"cannot listen at {address}:{port}: {problem.strerror}. Another --port may be free")


def _simulated(cloud: Cloud) -> Iterator[Chunk]:
    messages: list[bytes] = []
    number = 1
    for message in simulate_cloud(cloud, hours=DEMO_HOURS):
        messages.append(message)
        if len(messages) == DEMO_CHUNK:
            yield Chunk("simulator", number, messages)
            number += len(messages)
            messages = []
    if messages:
        yield Chunk("simulator", number, messages)


def _serve(folder: Path, address: str, port: int, allow_writes: bool) -> None:
    # the server takes seconds to import, which no other command should wait for
    from stackanalytics.surfaces.server import installed_pages, serve

    try:
        serve(
            folder,
            address=address,
            port=port,
            allow_writes=allow_writes,
            pages=installed_pages(),
            on_ready=lambda url: words.print(f"Serving {folder} at [bold]{url}[/bold] (Ctrl-C ends)"),
        )
    except OSError as problem:
        raise _no_port(address, port, problem) from problem


@contextmanager
def _writing(path: Path | None) -> Iterator[Callable[[bytes], object]]:
    if path is None:
        yield sys.stdout.buffer.write
        sys.stdout.buffer.flush()
        return
    opened: BinaryIO = gzip.GzipFile(path, "wb", mtime=0) if path.suffix == ".gz" else open(path, "wb")  # type: ignore[assignment]  # noqa: SIM115
    with opened:
        yield opened.write


@contextmanager
def _writing_records(path: Path | None) -> Iterator[Callable[[dict[str, object]], None] | None]:
    if path is None:
        yield None
        return
    with open(path, "w", encoding="utf-8") as opened:
        yield lambda record: print(json.dumps(record, default=_plain), file=opened)


def _plain(value: object) -> object:
    return (
        times.show(value)
        if isinstance(value, datetime)
        else value
        if isinstance(value, int | str | None)
        else str(value)
    )


def main() -> None:
    """Run the command line."""
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as problem:
        problem.show()
        sys.exit(2)
    except click.Abort:
        sys.exit(130)
    except BrokenPipeError:
        # whoever read our output has enough of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except (StackanalyticsError, OSError) as problem:
        click.echo(f"{click.style('error:', fg='red', bold=True)} {problem}", err=True)
        sys.exit(2 if isinstance(problem, InputError) else 1)
