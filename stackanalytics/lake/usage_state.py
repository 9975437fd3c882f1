"""What others told about usage records: confirmations, repairs, and the tenants, in SQLite.

It lies beside the rest of the state in ``state.sqlite``. Whatever a method here has written is on
disk when it returns, and what callers write at the same time, from any thread or process, counts
as if they had come one after the other. Lakes of earlier versions get the tables with the first
writing; until then they read as empty. Former values are kept, so that the state can be read as of
a version, too: see :mod:`stackanalytics.lake.usage_table`.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from stackanalytics import times
from stackanalytics.errors import LakeError
from stackanalytics.lake import usage_table
from stackanalytics.lake.connection import connected
from stackanalytics.schema import polars_schema

CONFIRMATION_COLUMNS = ("exists_id", "send_status", "event_id")
REPAIRED_STATUS = 201

_VERSION = "select version, kept_since from state_versions where kind = ?"
_VERSIONS = "select kind, version from state_versions"
_ADVANCE = "update state_versions set version = ? where kind = ?"

_CONFIRM = """
insert into confirmations (service, exists_id, message_id, send_status, event_id, version)
values (?, ?, ?, ?, ?, ?)
on conflict do update set
    send_status = excluded.send_status,
    event_id = coalesce(excluded.event_id, event_id),
    version = excluded.version
where send_status <> excluded.send_status or event_id is not coalesce(excluded.event_id, event_id)
"""

_REPAIR = "insert into repairs (service, exists_id, version) values (?, ?, ?) on conflict do nothing"

_PUT_TENANT = """
insert into tenants (tenant, name, types, last_updated_us, version) values (?, ?, ?, ?, ?)
on conflict do update set
    name = excluded.name,
    types = excluded.types,
    last_updated_us = excluded.last_updated_us,
    version = excluded.version
where name is not excluded.name or types <> excluded.types
"""

_TOUCH_TENANT = "update tenants set last_updated_us = ? where tenant = ?"

_COLUMNS = {
    "tenants": "tenant, name, types, last_updated_us",
    "confirmations": "exists_id, send_status, event_id",
    "repairs": "exists_id",
}
_READ = """
select {columns} from {kind} where version <= :version {criterion}
{former}
order by 1
limit coalesce(:limit, -1) offset :offset
"""
_FORMER = """
union all
select {columns} from former_{kind} where version <= :version and until > :version {criterion}
"""
_OF_SERVICE = "and service = :service"
_OF_IDS = "and service = :service and exists_id in (select value from json_each(:ids))"
_OF_TENANT = "and tenant = :tenant"


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

    def __init__(self, folder: Path, *, as_of: Mapping[str, int] | None = None) -> None:
        """Name the state of the lake in *folder*; nothing is opened yet.

        It reads as it is at the moment, but for the kinds of which ``as_of`` gives a former version.
        """
        self._path = folder / "state.sqlite"
        self._as_of = dict(as_of or {})

    def create(self) -> None:
        """Create the tables that are missing."""
        with self._writing():
            pass

    def confirm(self, service: str, confirmations: Iterable[Confirmation], *, at: datetime) -> None:
        """Take down what was answered about exists records at an instant: all of it or nothing."""
        with self._writing() as connection:
            _confirm(connection, service, confirmations, at)

    def confirmations(self, service: str, exists_ids: Iterable[int] | None = None) -> pl.DataFrame:
        """Return what was answered about exists records: about all, or about those with an id.

        Returns
        -------
        polars.DataFrame
            A row a record that was confirmed or repaired, by ``exists_id`` (Int64), with
            ``send_status`` (Int64) and ``event_id`` (String, null where none was told).
        """
        rows = self._rows_of("confirmations", service, exists_ids)
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
            version = _next_version(connection, "repairs", at)
            marked = {id for id in message_ids if connection.execute(_REPAIR, (service, id, version)).rowcount}
            if marked:
                connection.execute(_ADVANCE, (version, "repairs"))
            told = [Confirmation(id, message_ids[id], REPAIRED_STATUS) for id in marked]
            _confirm(connection, service, told, at)
        return marked

    def repaired(self, service: str, exists_ids: Iterable[int] | None = None) -> pl.DataFrame:
        """Return which exists records were marked as sent: all, or those with an id.

        Returns
        -------
        polars.DataFrame
            One column, ``exists_id`` (Int64), in order.
        """
        rows = self._rows_of("repairs", service, exists_ids)
        return pl.DataFrame(rows, schema=polars_schema("exists_id"), orient="row")

    def put_tenants(self, tenants: Sequence[Tenant], *, at: datetime) -> None:
        """Take down tenants at an instant: names and types replace those known; of equal ones the last counts."""
        latest = {tenant.tenant: tenant for tenant in tenants}.values()
        at_us = times.unix_us(at)
        with self._writing() as connection:
            version = _next_version(connection, "tenants", at)
            rows = [(one.tenant, one.name, _text(one.types), at_us, version) for one in latest]
            if connection.executemany(_PUT_TENANT, rows).rowcount > 0:
                connection.execute(_ADVANCE, (version, "tenants"))
            connection.executemany(_TOUCH_TENANT, [(at_us, one.tenant) for one in latest])

    def tenants(self, tenant: str | None = None, *, limit: int | None = None, offset: int = 0) -> list[StoredTenant]:
        """Return the tenants in order of their ids: all, some of them, or the one with an id."""
        criterion = "" if tenant is None else _OF_TENANT
        rows = self._rows("tenants", criterion, {"tenant": tenant}, limit=limit, offset=offset)
        return [
            StoredTenant(id, name, msgspec.json.decode(types), times.from_unix_us(updated_us))
            for id, name, types, updated_us in rows
        ]

    def tenant_count(self) -> int:
        """Return how many tenants are known."""
        return len(self._rows("tenants", "", {}))

    def check(self) -> None:
        """See that the versions that are to be read are known.

        Raises
        ------
        LakeError
            If one was never there, or what it needs was forgotten.
        """
        if self._as_of:
            with connected(self._path) as connection:
                connection.execute("begin")
                for kind in self._as_of:
                    self._version(connection, kind)

    def versions(self) -> dict[str, int]:
        """Return the version of each kind: when it was last changed [µs since 1970], 0 where it never was."""
        with connected(self._path) as connection:
            connection.execute("begin")
            found = connection.execute(_VERSIONS).fetchall() if self._has_tables(connection) else []
        return dict.fromkeys(usage_table.KINDS, 0) | dict(found) | self._as_of

    def forget(self, *, before: datetime) -> None:
        """Forget what was replaced before an instant: as of versions before that nothing can be read any more."""
        with self._writing() as connection:
            usage_table.forget(connection, times.unix_us(before))

    def _rows_of(self, kind: str, service: str, exists_ids: Iterable[int] | None) -> list[tuple[Any, ...]]:
        if exists_ids is None:
            return self._rows(kind, _OF_SERVICE, {"service": service})
        return self._rows(kind, _OF_IDS, {"service": service, "ids": json.dumps(list(exists_ids))})

    def _rows(
        self,
        kind: str,
        criterion: str,
        parameters: Mapping[str, object],
        *,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[tuple[Any, ...]]:
        is_former = kind in self._as_of and kind in usage_table.CHANGING
        written = {"columns": _COLUMNS[kind], "kind": kind, "criterion": criterion}
        query = _READ.format(former=_FORMER.format(**written) if is_former else "", **written)
        with connected(self._path) as connection:
            connection.execute("begin")
            version = self._version(connection, kind)
            if not usage_table.are_there(connection):
                return []
            values = {**parameters, "version": version, "limit": limit, "offset": offset}
            return connection.execute(query, values).fetchall()

    def _version(self, connection: sqlite3.Connection, kind: str) -> int:
        """Return the version of a kind that is to be read; everything that it needs is there."""
        has_tables = self._has_tables(connection)
        version, kept_since = connection.execute(_VERSION, (kind,)).fetchone() if has_tables else (0, 0)
        wanted = self._as_of.get(kind, version)
        if not kept_since <= wanted <= version:
            raise LakeError(
                f"{self._path} does not know the {kind} as of version {wanted},"
                f" but as of versions from {kept_since} to {version}"
            )
        return wanted

    def _has_tables(self, connection: sqlite3.Connection) -> bool:
        """Tell whether there is something to read; the tables of earlier versions are brought up to date."""
        if usage_table.are_old(connection):
            connection.execute("rollback")
            self.create()
            connection.execute("begin")
        return usage_table.are_there(connection)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the only writing transaction; it is on disk once the block is left."""
        with connected(self._path, writes=True) as connection:
            # it begins as a writer, since a reader that starts to write fails where another wrote meanwhile
            connection.execute("begin immediate")
            with connection:
                if not usage_table.are_there(connection):
                    usage_table.create(connection)
                yield connection


def _confirm(connection: sqlite3.Connection, service: str, confirmations: Iterable[Confirmation], at: datetime) -> None:
    version = _next_version(connection, "confirmations", at)
    rows = [
        (service, told.exists_id, told.message_id, told.send_status, told.event_id, version) for told in confirmations
    ]
    if connection.executemany(_CONFIRM, rows).rowcount > 0:
        connection.execute(_ADVANCE, (version, "confirmations"))


def _next_version(connection: sqlite3.Connection, kind: str, at: datetime) -> int:
    last, _ = connection.execute(_VERSION, (kind,)).fetchone()
    return max(int(last) + 1, times.unix_us(at))


def _text(types: Mapping[str, str]) -> str:
    return msgspec.json.encode(types, order="sorted").decode()
