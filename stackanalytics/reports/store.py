"""Stored reports: snapshots of their rows as Parquet, and the registry that finds them.

The frames of a report lie in a folder of their own below the lake's ``reports/``, one Parquet file
each, ``rows.parquet`` the main one. They are on disk before the registry names them; a folder that
it does not name is what a run left that was cut short. Reports are stored under a lock of their
own, so that of two runs at the same time one finds what the other stored.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl
import pyarrow.parquet as pq

from stackanalytics.errors import LakeError, NotFoundError
from stackanalytics.lake import Lake
from stackanalytics.lake.lock import exclusive, sync
from stackanalytics.lake.state import StoredReport
from stackanalytics.reports import REPORTS
from stackanalytics.reports.report import LENGTHS, Frames, Length, Period, Report
from stackanalytics.schema import SAMPLES, described

FOLDER = "reports"


@dataclass(frozen=True, slots=True)
class Run:
    """One report to make: its kind, its period and what it is asked with."""

    report: Report
    period: Period
    parameters: Mapping[str, Any]

    @property
    def title(self) -> str:
        """The name that it is stored under."""
        return self.report.title(self.report.parameters(self.parameters))


def store(lake: Lake, run: Run, *, created_at: datetime) -> tuple[StoredReport, bool]:
    """Make a report and store it, unless the lake has it already.

    Parameters
    ----------
    lake
        The lake to ask, at the version that the report is to be made from.
    run
        What to make.
    created_at
        The present instant.

    Returns
    -------
    tuple
        The entry of the stored report, and whether it is new: a report with the same parameters and
        period of the same versions of the tables, and of what else it reads, is not made again.
    """
    with _locked(lake):
        lake = lake.pinned()
        versions = _versions(lake, run)
        for found in stored_runs(lake, run):
            if versions_of(found) == versions:
                return found, False
        return _store(lake, run, created_at), True


def store_missing(
    lake: Lake, runs: Iterable[Run], *, now: Callable[[], datetime], on_progress: Callable[[int], None] | None = None
) -> list[StoredReport]:
    """Make and store those reports that are not stored yet, of whatever version of the lake.

    Parameters
    ----------
    lake
        The lake to ask.
    runs
        What to make.
    now
        The clock, for when each was created.
    on_progress
        Called with the number of runs dealt with.

    Returns
    -------
    list
        The entries of the new reports.
    """
    added = []
    for place, run in enumerate(runs, 1):
        with _locked(lake):
            if not stored_runs(lake, run):
                added.append(_store(lake.pinned(), run, now()))
        if on_progress is not None:
            on_progress(place)
    return added


def due_runs(lake: Lake, moment: datetime) -> list[Run]:
    """Return the reports that are due at a moment: those of all periods since the last one stored.

    Of a kind that was never stored only the last period is due, and none after the days of the lake.
    """
    (last_date,) = lake.info().filter(pl.col("table") == "notifications")["last_date"]
    return [
        Run(report, period, {})
        for report in REPORTS.values()
        for length in report.schedule
        for period in _due_periods(lake, report, length, Period.before(moment, length))
        if last_date is not None and period.start.date() <= last_date
    ]


def _due_periods(lake: Lake, report: Report, length: Length, last: Period) -> list[Period]:
    told = _told(Run(report, last, {}))
    stored = [
        report.period_of(entry.period_start, entry.period_end)
        for entry in lake.state.reports(name=report.title(report.parameters({})))
        if entry.version == report.version and entry.parameters == told
    ]
    ends = [period.end for period in stored if period.end - period.start == LENGTHS[length]]
    start = max(ends, default=last.start)
    return Period(start, last.end).divided(length) if start < last.end else []


def stored_runs(lake: Lake, run: Run) -> list[StoredReport]:
    """Return the stored reports of a kind, period and parameters, the newest first."""
    found = lake.state.reports(
        name=run.title,
        period_start=run.period.start,
        period_end=run.report.shown_end(run.period),
        newest_first=True,
    )
    return [entry for entry in found if entry.version == run.report.version and entry.parameters == _told(run)]


def stored_report(lake: Lake, id: int) -> StoredReport:
    """Return the entry of a stored report.

    Raises
    ------
    NotFoundError
        If there is none with this id.
    """
    for found in lake.state.reports(id=id):
        return found
    raise NotFoundError(f"no report {id}: `stackanalytics report --list` and /stacky/reports/ list them")


def load(lake: Lake, entry: StoredReport) -> Frames:
    """Return the frames of a stored report by their names.

    Raises
    ------
    LakeError
        If its files are gone or damaged.
    """
    folder = lake.path / entry.path
    try:
        paths = sorted(folder.glob("*.parquet"))
        frames = {path.stem: pl.read_parquet(path, hive_partitioning=False) for path in paths}
    except (OSError, pl.exceptions.PolarsError) as problem:
        raise LakeError(f"the stored report {entry.id} cannot be read from {folder}: {problem}") from problem
    if "rows" not in frames:
        raise LakeError(f"the stored report {entry.id} has no rows.parquet in {folder}")
    return frames


def parameters_of(entry: StoredReport) -> dict[str, Any]:
    """Return what a stored report was asked with."""
    told: dict[str, Any] = json.loads(entry.parameters)
    return told


def versions_of(entry: StoredReport) -> dict[str, int]:
    """Return the versions that a stored report was made of, which :func:`stackanalytics.open_lake` opens again."""
    told: dict[str, int] = json.loads(entry.tables)
    return told


def write_frames(folder: Path, frames: Frames) -> None:
    """Write the frames of a report, each as a Parquet file, into a new folder; they are on disk when this returns."""
    folder.mkdir()
    try:
        for name, frame in frames.items():
            path = folder / f"{name}.parquet"
            pq.write_table(described(frame), path, compression="zstd")
            sync(path)
    except BaseException:
        shutil.rmtree(folder)
        raise
    sync(folder)
    sync(folder.parent)


def _store(lake: Lake, run: Run, created_at: datetime) -> StoredReport:
    versions = _versions(lake, run)
    frames = run.report.run(lake, run.period, run.parameters)
    path = Path(FOLDER) / uuid4().hex
    write_frames(lake.path / path, frames)
    id = lake.state.add_report(
        run.title,
        version=run.report.version,
        period_start=run.period.start,
        period_end=run.report.shown_end(run.period),
        created_at=created_at,
        parameters=_told(run),
        tables=json.dumps(versions, sort_keys=True),
        path=path.as_posix(),
    )
    return stored_report(lake, id)


def _versions(lake: Lake, run: Run) -> dict[str, int]:
    """Return the versions of all that a report is made from: none asks for samples."""
    read = (lake.tables.keys() - {SAMPLES.name}).union(run.report.reads)
    return {name: version for name, version in lake.version.items() if name in read}


def _locked(lake: Lake) -> AbstractContextManager[None]:
    folder = lake.path / FOLDER
    folder.mkdir(exist_ok=True)
    return exclusive(folder)


def _told(run: Run) -> str:
    told = {"report": run.report.name, **run.report.parameters(run.parameters)}
    return json.dumps(told, sort_keys=True)
