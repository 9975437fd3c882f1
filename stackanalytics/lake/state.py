"""Small mutable state in SQLite: the deployments, the registry of reports, the runs of verification."""

import sqlite3
import threading
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from stackanalytics import times
from stackanalytics.lake.lock import VERIFYING, is_held

_SCHEMA = """
create table if not exists deployments (
    id integer primary key,
    name text not null unique
);
create table if not exists reports (
    id integer primary key autoincrement,
    name text not null,
    version integer not null,
    period_start_us integer not null,
    period_end_us integer not null,
    created_us integer not null,
    parameters text not null,
    tables text not null,
    path text not null
);
create table if not exists verification_runs (
    id integer primary key autoincrement,
    service text not null,
    rules text not null,
    due_us integer not null,
    last_id integer not null,
    last_sequence integer not null,
    version integer not null,
    finished_us integer
);
"""

_REPORTS = """
select id, name, version, period_start_us, period_end_us, created_us, parameters, tables, path
from reports
where (:id is null or id = :id)
    and (:name is null or name = :name)
    and (:period_start_us is null or period_start_us = :period_start_us)
    and (:period_end_us is null or period_end_us = :period_end_us)
    and (:created_from_us is null or created_us >= :created_from_us)
    and (:created_until_us is null or created_us < :created_until_us)
order by case when :newest_first then -id else id end
limit coalesce(:limit, -1) offset :offset
"""


@dataclass(frozen=True, slots=True)
class StoredReport:
    """The entry of one stored report.

    ``period_start`` and ``period_end`` bound what it covers, as the report names them: some name the
    last second in it as the end. ``parameters`` and ``tables`` are JSON texts: what it was asked
    with, and the version of each table that it was made from. ``path`` is the folder of its Parquet
    files, below the lake's folder.
    """

    id: int
    name: str
    version: int
    period_start: datetime
    period_end: datetime
    created_at: datetime
    parameters: str
    tables: str
    path: str


@dataclass(frozen=True, slots=True)
class VerificationRun:
    """A run of the verification of a service: by which rules, and how much of the lake it took into account.

    Records were due up to ``due_at``; ``last_id`` and ``last_sequence`` are the highest of
    notifications and reconciliations, ``version`` that of the table of notifications.
    """

    service: str
    rules: str
    due_at: datetime
    last_id: int
    last_sequence: int
    version: int


class State:
    """The state of the lake in one folder. Safe to use from several threads and processes."""

    def __init__(self, folder: Path) -> None:
        """Name the state of the lake in *folder*; nothing is opened yet."""
        self._path = folder / "state.sqlite"

    def create(self) -> None:
        """Create what is missing."""
        with self._connection() as connection:
            connection.execute("pragma journal_mode = wal")
            connection.executescript(_SCHEMA)

    def add_deployments(self, names: Iterable[str]) -> None:
        """Give an id to each name that has none."""
        with self._connection() as connection:
            connection.executemany(
                "insert into deployments (name) values (?) on conflict do nothing", [(name,) for name in names]
            )

    def deployments(self) -> dict[int, str]:
        """Return the names by id."""
        return dict(self.rows("select id, name from deployments order by id"))

    def add_report(
        self,
        name: str,
        *,
        version: int,
        period_start: datetime,
        period_end: datetime,
        created_at: datetime,
        parameters: str,
        tables: str,
        path: str,
    ) -> int:
        """Register a report, as :class:`StoredReport` describes it; return its id."""
        periods = (times.unix_us(period_start), times.unix_us(period_end), times.unix_us(created_at))
        with self._connection() as connection:
            added = connection.execute(
                "insert into reports (name, version, period_start_us, period_end_us, created_us,"
                " parameters, tables, path) values (?, ?, ?, ?, ?, ?, ?, ?) returning id",
                (name, version, *periods, parameters, tables, path),
            )
            return int(added.fetchone()[0])

    def reports(
        self,
        *,
        id: int | None = None,
        name: str | None = None,
        period_start: datetime | None = None,
        period_end: datetime | None = None,
        created_from: datetime | None = None,
        created_until: datetime | None = None,
        newest_first: bool = False,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[StoredReport]:
        """Return the stored reports that meet every condition, by id.

        ``period_start`` and ``period_end`` must be met exactly; the range of creation is half-open.
        """
        conditions = {
            "id": id,
            "name": name,
            "period_start_us": _us(period_start),
            "period_end_us": _us(period_end),
            "created_from_us": _us(created_from),
            "created_until_us": _us(created_until),
            "newest_first": newest_first,
            "limit": limit,
            "offset": offset,
        }
        with self._connection() as connection:
            return [_report(row) for row in connection.execute(_REPORTS, conditions)]

    def watch(self) -> "StateVersion":
        """Return what tells whether the state, of any kind, was changed."""
        return StateVersion(self._path.parent)

    def begin_verification(self, run: VerificationRun) -> int:
        """Note that a verification is under way; return the number of the run."""
        values = (run.service, run.rules, times.unix_us(run.due_at), run.last_id, run.last_sequence, run.version)
        with self._connection() as connection:
            begun = connection.execute(
                "insert into verification_runs (service, rules, due_us, last_id, last_sequence, version)"
                " values (?, ?, ?, ?, ?, ?) returning id",
                values,
            )
            return int(begun.fetchone()[0])

    def finish_verification(self, number: int, *, at: datetime) -> None:
        """Note that a verification is done; former runs of the service are forgotten."""
        with self._connection() as connection:
            connection.execute("update verification_runs set finished_us = ? where id = ?", (times.unix_us(at), number))
            connection.execute(
                "delete from verification_runs where id < ?"
                " and service = (select service from verification_runs where id = ?)",
                (number, number),
            )

    def last_verification(self, service: str, *, is_finished: bool) -> VerificationRun | None:
        """Return the last run of a service that is done, or that was begun and is not done."""
        found = self.rows(
            "select service, rules, due_us, last_id, last_sequence, version from verification_runs"
            " where service = ? and (finished_us is not null) = ? order by id desc limit 1",
            (service, is_finished),
        )
        return next((VerificationRun(row[0], row[1], times.from_unix_us(row[2]), *row[3:]) for row in found), None)

    def rows(self, query: str, parameters: Iterable[object] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a reading query."""
        with self._connection() as connection:
            return connection.execute(query, tuple(parameters)).fetchall()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._path, timeout=60)
        try:
            connection.execute("pragma synchronous = full")
            with connection:
                yield connection
        finally:
            connection.close()


class StateVersion:
    """Something that is another thing once the state of a lake was changed, by whichever process.

    It is called for that; one object's answers can be compared with each other only. From any
    thread, without waiting for those who write.
    """

    def __init__(self, folder: Path) -> None:
        """Watch the state of the lake in *folder*."""
        self._folder = folder
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(folder / "state.sqlite", check_same_thread=False)

    def __call__(self) -> Hashable:
        """Return the version of the database, and which verifications are under way."""
        with self._lock:
            version = self._connection.execute("pragma data_version").fetchone()
        names = sorted(path.name for path in self._folder.glob(f"{VERIFYING}*"))
        return (*version, *(name for name in names if is_held(self._folder, name)))

    def close(self) -> None:
        """Watch it no longer."""
        with self._lock:
            self._connection.close()


def _report(row: tuple[int, str, int, int, int, int, str, str, str]) -> StoredReport:
    id, name, version, period_start_us, period_end_us, created_us, parameters, tables, path = row
    return StoredReport(
        id=id,
        name=name,
        version=version,
        period_start=times.from_unix_us(period_start_us),
        period_end=times.from_unix_us(period_end_us),
        created_at=times.from_unix_us(created_us),
        parameters=parameters,
        tables=tables,
        path=path,
    )


def _us(moment: datetime | None) -> int | None:
    return None if moment is None else times.unix_us(moment)
