"""What was decided about meters, and which derived samples are out of date, in SQLite.

It lies beside the rest of the state in ``state.sqlite``. Lakes of earlier versions get the tables
with the first writing; until then they read as empty.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

from stackanalytics.lake.connection import connected

_TABLES = (
    """
    create table if not exists meters (
        meter text primary key,
        unit text,
        meter_type text,
        description text,
        is_hidden integer not null default 0
    ) without rowid
    """,
    "create table if not exists stale_notifications (id integer primary key, changes integer not null default 1)",
)

_OVERRIDE = "select unit, meter_type, description from meters where meter = ?"

_REDEFINE = """
insert into meters (meter, unit, meter_type, description) values (?, ?, ?, ?)
on conflict do update set
    unit = excluded.unit, meter_type = excluded.meter_type, description = excluded.description
"""

_SET_HIDDEN = """
insert into meters (meter, is_hidden) values (?, ?)
on conflict do update set is_hidden = excluded.is_hidden
"""


@dataclass(frozen=True, slots=True)
class Override:
    """What holds of a meter in the place of what its samples say; None where these are right."""

    unit: str | None = None
    meter_type: str | None = None
    description: str | None = None


class MeterState:
    """The decisions about the meters of one lake. Safe to use from several threads and processes."""

    def __init__(self, folder: Path) -> None:
        """Name the state of the lake in *folder*; nothing is opened yet."""
        self._path = folder / "state.sqlite"

    def redefine(self, meter: str, **decided: str | None) -> None:
        """Let a unit, a type or a description hold for a meter.

        Parameters
        ----------
        meter
            Name of the meter.
        **decided
            Fields of :class:`Override`; None lets hold again what samples say. What is left out stays as it is.
        """
        with self._writing() as connection:
            former = connection.execute(_OVERRIDE, (meter,)).fetchone() or ()
            connection.execute(_REDEFINE, (meter, *astuple(replace(Override(*former), **decided))))

    def hide(self, meter: str) -> None:
        """Have a meter shown nowhere. Its samples stay."""
        with self._writing() as connection:
            connection.execute(_SET_HIDDEN, (meter, True))

    def restore(self, *meters: str) -> None:
        """Have meters shown again that were hidden."""
        if self.hidden().intersection(meters):
            with self._writing() as connection:
                connection.executemany("update meters set is_hidden = 0 where meter = ?", [(name,) for name in meters])

    def decided(self) -> tuple[dict[str, Override], frozenset[str]]:
        """Return what was redefined, by the names of the meters, and which of them are hidden, both at one moment."""
        found = self._rows("select meter, is_hidden, unit, meter_type, description from meters order by meter")
        overrides = {meter: Override(*told) for meter, _, *told in found if any(value is not None for value in told)}
        return overrides, frozenset(meter for meter, is_hidden, *_ in found if is_hidden)

    def overrides(self) -> dict[str, Override]:
        """Return what was redefined, by the names of the meters."""
        return self.decided()[0]

    def descriptions(self) -> dict[str, str]:
        """Return the descriptions of the meters that have one, by their names."""
        told = ((meter, override.description) for meter, override in self.overrides().items())
        return {meter: description for meter, description in told if description is not None}

    def hidden(self) -> frozenset[str]:
        """Return the names of the meters that are hidden."""
        return self.decided()[1]

    def add_stale(self, ids: Iterable[int]) -> None:
        """Note that what was derived of some notifications is out of date."""
        with self._writing() as connection:
            connection.executemany(
                "insert into stale_notifications (id) values (?) on conflict do update set changes = changes + 1",
                [(id,) for id in ids],
            )

    def stale(self) -> dict[int, int]:
        """Return how often notifications changed since what was derived of them, by their ids."""
        return dict(self._rows("select id, changes from stale_notifications order by id"))

    def remove_stale(self, stale: Mapping[int, int]) -> None:
        """Note that what was derived of some notifications is up to date, unless they changed since."""
        with self._writing() as connection:
            connection.executemany("delete from stale_notifications where id = ? and changes = ?", stale.items())

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        with connected(self._path) as connection:
            connection.execute("begin")
            has_tables = connection.execute("select 1 from sqlite_schema where name = 'stale_notifications'").fetchone()
            return connection.execute(query).fetchall() if has_tables else []

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with connected(self._path, writes=True) as connection:
            connection.execute("begin immediate")
            with connection:
                for table in _TABLES:
                    connection.execute(table)
                yield connection
