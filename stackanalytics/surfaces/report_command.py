"""The command ``report``: make reports, store them, and list what is stored."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import click
import polars as pl

from stackanalytics import times
from stackanalytics.errors import InputError
from stackanalytics.lake import Lake, open_lake
from stackanalytics.lake.state import StoredReport
from stackanalytics.reports import REPORTS, find_report
from stackanalytics.reports.report import LENGTHS, Length, Period
from stackanalytics.reports.store import Run, due_runs, load, store, store_missing, stored_report, versions_of
from stackanalytics.surfaces.encoding import frame_bytes, json_text
from stackanalytics.surfaces.report_rows import shown_rows
from stackanalytics.surfaces.terminal import (
    FORMATS,
    Instant,
    lake_option,
    progress_in_steps,
    show_frame,
    with_options,
    words,
    write_out,
)

SETTLING_MINUTES = 60

_NAMES = ", ".join(REPORTS)

_what = (
    click.argument("name", required=False, metavar="[NAME]"),
    lake_option,
    click.option("--period", "length", type=click.Choice(list(LENGTHS)), default="day", show_default=True),
    click.option("--end", type=Instant(), help="The last whole period before this; now if not given."),
    click.option("--as-of", type=int, metavar="ID", help="Make it of the data that the stored report ID was made of."),
    click.option("--start", type=Instant(), help="With --store: every period from here to --end that is not stored."),
)
_options = (
    click.option("--region", multiple=True, help="Only deployments whose name contains this; may be repeated."),
    click.option("--tenant", help="Only of this project."),
    click.option("--percentile", type=float, help="Which percentile of the durations to tell."),
    click.option("--too-long", "slow_s", type=float, help="Requests that took longer count as failed [s]."),
)
_how = (
    click.option("--store", "is_stored", is_flag=True, help="Store the report in the lake."),
    click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True),
    click.option("--frame", default="rows", show_default=True, help="Which part to write as csv or parquet."),
    click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File to write."),
    click.option("--list", "is_list", is_flag=True, help="List the reports that there are and those stored."),
    click.option("--due", "is_due", is_flag=True, help="Store every report that is due and not stored yet."),
    click.option(
        "--settle",
        type=click.FloatRange(min=0),
        default=SETTLING_MINUTES,
        show_default=True,
        help="With --due: how long after its end a period is due [min].",
    ),
)


@click.command(epilog=f"The reports are {_NAMES}.")
@with_options(*_what, *_options, *_how)
def report(
    name: str | None,
    folder: Path,
    length: Length,
    end: datetime | None,
    as_of: int | None,
    start: datetime | None,
    region: tuple[str, ...],
    is_stored: bool,
    form: str,
    frame: str,
    out: Path | None,
    is_list: bool,
    is_due: bool,
    settle: float,
    **options: Any,
) -> None:
    """Make a report of the last day or hour, or of any, and store it if wanted.

    A stored report is a snapshot: Parquet files below the lake's reports/, served to stacky. For a
    timer, --due stores whatever is due.
    """
    given = {option: value for option, value in options.items() if value is not None}
    with _opened(folder, as_of) as lake:
        if is_list:
            _list(lake)
        elif is_due:
            _store_missing(lake, due_runs(lake, times.now() - timedelta(minutes=settle)))
        elif name is None:
            raise InputError(f"no report is named: give one of {_NAMES}, --list or --due")
        elif start is not None:
            _fill(lake, name, Period(start, end or times.now()), length, region, given, is_stored)
        elif out is not None and (form == "table" or len(region) > 1):
            raise InputError("--out takes one report as csv, json or parquet: give --format, and one region at most")
        else:
            for each in _by_region(name, region, given):
                run = Run(find_report(name), Period.before(end or times.now(), length), each)
                _make(lake, run, is_stored, form, frame, out)


def _opened(folder: Path, as_of: int | None) -> Lake:
    """Open the lake at its newest version, or at that which a stored report was made of."""
    lake = open_lake(folder)
    if as_of is None:
        return lake
    with lake:
        return open_lake(folder, version=versions_of(stored_report(lake, as_of)))


def _make(lake: Lake, run: Run, is_stored: bool, form: str, frame: str, out: Path | None) -> None:
    if is_stored:
        entry, is_new = store(lake, run, created_at=times.now())
        words.print(f"{'stored as' if is_new else 'was stored already as'} report {entry.id}: {entry.name}")
        if form == "table":
            return
        frames = load(lake, entry)
    else:
        frames = run.report.run(lake, run.period, run.parameters)
    if form == "table":
        for title, shown in frames.items():
            show_frame(shown, f"{run.title}: {title}")
    elif form == "json":
        write_out(json_text(shown_rows(run, frames)) + b"\n", out)
    else:
        if frame not in frames:
            raise InputError(f"the report {run.report.name} has no part {frame!r}; it has {', '.join(frames)}")
        write_out(frame_bytes(frames[frame], form), out)


def _fill(
    lake: Lake,
    name: str,
    period: Period,
    length: Length,
    regions: Sequence[str],
    given: dict[str, Any],
    is_stored: bool,
) -> None:
    if not is_stored:
        raise InputError("--start was given without --store: many periods are stored, not shown")
    whole = Period(period.start, Period.before(period.end, length).end)
    runs = [
        Run(find_report(name), part, each)
        for part, each in product(whole.divided(length), _by_region(name, regions, given))
    ]
    _store_missing(lake, runs)


def _store_missing(lake: Lake, runs: Sequence[Run]) -> None:
    with progress_in_steps("Reports", len(runs)) as advance:
        added = store_missing(lake, runs, now=times.now, on_progress=advance)
    for entry in added:
        click.echo(f"{entry.id}\t{entry.name}\t{times.show(entry.period_start)}\t{times.show(entry.period_end)}")
    words.print(f"{len(added):,} reports stored, {len(runs) - len(added):,} were stored already")


def _by_region(name: str, regions: Sequence[str], given: dict[str, Any]) -> Iterable[dict[str, Any]]:
    return [{**given, "region": region} for region in regions] if regions else [given]


def _list(lake: Lake) -> None:
    kinds = [{"name": each.name, "about": each.about} for each in REPORTS.values()]
    show_frame(pl.DataFrame(kinds), "Reports")
    show_frame(pl.DataFrame([_listed(entry) for entry in lake.state.reports()], schema=_LISTED), "Stored")


_LISTED = pl.Schema(
    dict.fromkeys(("id", "name", "version", "period_start", "period_end", "created_at", "path"), pl.String)
)


def _listed(entry: StoredReport) -> dict[str, str]:
    instants = {name: times.show(getattr(entry, name)) for name in ("period_start", "period_end", "created_at")}
    return {**{name: str(getattr(entry, name)) for name in ("id", "name", "version", "path")}, **instants}
