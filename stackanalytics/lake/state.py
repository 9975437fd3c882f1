"""Small mutable state in SQLite: the deployments and the registry of reports."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

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
"""


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

    def rows(self, query: str, parameters: Iterable[object] = ()) -> list[tuple[object, ...]]:
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
