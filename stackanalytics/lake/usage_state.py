"""What others told about usage records: confirmations, repairs, and the tenants, in SQLite.

It lies beside the rest of the state in ``state.sqlite``. Whatever a method here has written is on
disk when it returns, and what callers write at the same time, from any thread or process, counts
as if they had come one after the other. Lakes of earlier versions get the tables with the first
writing; until then they read as empty.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from stackanalytics import times
from stackanalytics.schema import polars_schema

CONFIRMATION_COLUMNS = ("exists_id", "send_status", "event_id")
REPAIRED_STATUS = 201

_TABLES = (
    """
    create table if not exists confirmations (
        service text not null,
        exists_id integer not null,
        message_id text,
        send_status integer not null,
        event_id text,
        confirmed_us integer not null,
        primary key (service, exists_id)
    ) without rowid
    """,
    """
    create table if not exists repairs (
        service text not null,
        exists_id integer not null,
        repaired_us integer not null,
        primary key (service, exists_id)
    ) without rowid
    """,
    """
    create table if not exists tenants (
        tenant text primary key,
        name text,
        last_updated_us integer not null
    ) without rowid
    """,
    """
    create table if not exists tenant_types (
        tenant text not null,
        name text not null,
        value text not null,
        primary key (tenant, name)
    ) without rowid
    """,
)

_CONFIRM = """
insert into confirmations (service, exists_id, message_id, send_status, event_id, confirmed_us)
values (?, ?, ?, ?, ?, ?)
on conflict do update set
    send_status = excluded.send_status,
    event_id = coalesce(excluded.event_id, event_id),
    confirmed_us = excluded.confirmed_us
"""

_CONFIRMATIONS = """
select exists_id, send_status, event_id
from confirmations
where service = :service {criterion}
order by exists_id
"""

_OF_IDS = "and exists_id in (select value from json_each(:ids))"

_REPAIR = "insert into repairs (service, exists_id, repaired_us) values (?, ?, ?) on conflict do nothing"

_REPAIRED = """
select exists_id
from repairs
where service = :service {criterion}
order by exists_id
"""

_PUT_TENANT = """
insert into tenants (tenant, name, last_updated_us) values (?, ?, ?)
on conflict do update set name = excluded.name, last_updated_us = excluded.last_updated_us
"""

_VERSIONS = """
select 'tenants', coalesce(max(last_updated_us), 0) from tenants
union all
select 'confirmations', coalesce(max(confirmed_us), 0) from confirmations
union all
select 'repairs', coalesce(max(repaired_us), 0) from repairs
"""

_TENANTS = """
select tenants.tenant, tenants.name, last_updated_us,
    (
        select json_group_object(tenant_types.name, value)
        from tenant_types
        where tenant_types.tenant = tenants.tenant
    )
from tenants
where (:tenant is null or tenant = :tenant)
order by tenant
limit coalesce(:limit, -1) offset :offset
"""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What the system that took an exists record answered.

    ``send_status`` is its HTTP status; ``event_id`` is the id that it gave the record, None where
    it told none, which leaves one that is known.
    """

    exists_id: int
    message_id: str | None
    send_status: int
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant: its id, its name, and its types by their names, such as ``{"account_type": "VIP"}``."""

    tenant: str
    name: str | None
    types: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StoredTenant(Tenant):
    """A tenant as it was last told, and when that was."""

    last_updated_at: datetime


class UsageState:
    """Confirmations, repairs and tenants of the lake in one folder, for all its threads and processes."""

    def __init__(self, folder: Path) -> None:
        """Name the state of the lake in *folder*; nothing is opened yet."""
        self._path = folder / "state.sqlite"

    def create(self) -> None:
        """Create the tables that are missing."""
        with self._writing():
            pass

    def confirm(self, service: str, confirmations: Iterable[Confirmation], *, at: datetime) -> None:
        """Take down what was answered about exists records at an instant: all of it or nothing."""
        rows = [
            (service, told.exists_id, told.message_id, told.send_status, told.event_id, times.unix_us(at))
            for told in confirmations
        ]
        with self._writing() as connection:
            connection.executemany(_CONFIRM, rows)

    def confirmations(self, service: str, exists_ids: Iterable[int] | None = None) -> pl.DataFrame:
        """Return what was answered about exists records: about all, or about those with an id.

        Returns
        -------
        polars.DataFrame
            A row a record that was confirmed or repaired, by ``exists_id`` (Int64), with
            ``send_status`` (Int64) and ``event_id`` (String, null where none was told).
        """
        rows = self._rows_of(_CONFIRMATIONS, service, exists_ids)
        return pl.DataFrame(rows, schema=polars_schema(*CONFIRMATION_COLUMNS), orient="row")

    def repair(self, service: str, message_ids: Mapping[int, str | None], *, at: datetime) -> set[int]:
        """Mark exists records as sent before they were verified, at an instant.

        Parameters
        ----------
        service
            Service of the records.
        message_ids
            The message id of each record, by its exists id.
        at
            When.

        Returns
        -------
        set of int
            Those that were not marked before. Of callers that mark the same at the same time, one
            gets it.
        """
        with self._writing() as connection:
            marked = {
                id for id in message_ids if connection.execute(_REPAIR, (service, id, times.unix_us(at))).rowcount
            }
            rows = [(service, id, message_ids[id], REPAIRED_STATUS, None, times.unix_us(at)) for id in marked]
            connection.executemany(_CONFIRM, rows)
        return marked

    def repaired(self, service: str, exists_ids: Iterable[int] | None = None) -> pl.DataFrame:
        """Return which exists records were marked as sent: all, or those with an id.

        Returns
        -------
        polars.DataFrame
            One column, ``exists_id`` (Int64), in order.
        """
        rows = self._rows_of(_REPAIRED, service, exists_ids)
        return pl.DataFrame(rows, schema=polars_schema("exists_id"), orient="row")

    def put_tenants(self, tenants: Sequence[Tenant], *, at: datetime) -> None:
        """Take down tenants at an instant: names and types replace those known; of equal ones the last counts."""
        latest = {tenant.tenant: tenant for tenant in tenants}.values()
        with self._writing() as connection:
            connection.executemany(_PUT_TENANT, [(tenant.tenant, tenant.name, times.unix_us(at)) for tenant in latest])
            connection.executemany("delete from tenant_types where tenant = ?", [(tenant.tenant,) for tenant in latest])
            connection.executemany(
                "insert into tenant_types (tenant, name, value) values (?, ?, ?)",
                [(tenant.tenant, name, value) for tenant in latest for name, value in tenant.types.items()],
            )

    def tenants(self, tenant: str | None = None, *, limit: int | None = None, offset: int = 0) -> list[StoredTenant]:
        """Return the tenants in order of their ids: all, some of them, or the one with an id."""
        rows = self._rows(_TENANTS, {"tenant": tenant, "limit": limit, "offset": offset})
        return [
            StoredTenant(id, name, json.loads(types), times.from_unix_us(updated_us))
            for id, name, updated_us, types in rows
        ]

    def versions(self) -> dict[str, int]:
        """Return when each kind of state was last written to [µs since 1970], 0 where it never was."""
        found = self._rows(_VERSIONS, {})
        return {"tenants": 0, "confirmations": 0, "repairs": 0} | dict(found)

    def _rows_of(self, query: str, service: str, exists_ids: Iterable[int] | None) -> list[tuple[Any, ...]]:
        if exists_ids is None:
            return self._rows(query.format(criterion=""), {"service": service})
        ids = json.dumps(list(exists_ids))
        return self._rows(query.format(criterion=_OF_IDS), {"service": service, "ids": ids})

    def _rows(self, query: str, parameters: Mapping[str, object]) -> list[tuple[Any, ...]]:
        with _connected(self._path) as connection:
            connection.execute("begin")
            if not _has_tables(connection):
                return []
            return connection.execute(query, parameters).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the only writing transaction; it is on disk once the block is left."""
        with _connected(self._path) as connection:
            # it begins as a writer, since a reader that starts to write fails where another wrote meanwhile
            connection.execute("begin immediate")
            with connection:
                for table in _TABLES:
                    connection.execute(table)
                yield connection


@contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, timeout=60, isolation_level=None)
    try:
        connection.execute("pragma synchronous = full")
        yield connection
    finally:
        connection.close()


def _has_tables(connection: sqlite3.Connection) -> bool:
    return connection.execute("select 1 from sqlite_schema where name = 'tenant_types'").fetchone() is not None
