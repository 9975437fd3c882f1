"""The tables of confirmations, repairs and tenants in ``state.sqlite``, and how former values are kept.

Each kind has a version that grows with every change: the instant of the change [µs since 1970], or
one more than the version before where that is not later. A row has the version that made it; when
another one replaces it, a trigger moves it to the table of former rows, with the version that it
counted until (that one excluded). The rows as of a version N are those made up to N, and of the
former ones those that counted until later. What is told again unchanged makes no version.
"""

import sqlite3

CHANGING = ("tenants", "confirmations")
KINDS = (*CHANGING, "repairs")

_TABLES = (
    """
    create table if not exists confirmations (
        service text not null,
        exists_id integer not null,
        message_id text,
        send_status integer not null,
        event_id text,
        version integer not null,
        primary key (service, exists_id)
    ) without rowid
    """,
    """
    create table if not exists repairs (
        service text not null,
        exists_id integer not null,
        version integer not null,
        primary key (service, exists_id)
    ) without rowid
    """,
    """
    create table if not exists tenants (
        tenant text primary key,
        name text,
        types text not null default '{}',
        last_updated_us integer not null,
        version integer not null default 0
    ) without rowid
    """,
    """
    create table former_confirmations (
        service text not null,
        exists_id integer not null,
        send_status integer not null,
        event_id text,
        version integer not null,
        until integer not null,
        primary key (service, exists_id, version)
    ) without rowid
    """,
    """
    create table former_tenants (
        tenant text not null,
        name text,
        types text not null,
        last_updated_us integer not null,
        version integer not null,
        until integer not null,
        primary key (tenant, version)
    ) without rowid
    """,
    """
    create table state_versions (
        kind text primary key,
        version integer not null,
        kept_since integer not null
    ) without rowid
    """,
    """
    create trigger keep_confirmation before update on confirmations when old.version <> new.version
    begin
        insert into former_confirmations
        values (old.service, old.exists_id, old.send_status, old.event_id, old.version, new.version);
    end
    """,
    """
    create trigger keep_tenant before update on tenants when old.version <> new.version
    begin
        insert into former_tenants
        values (old.tenant, old.name, old.types, old.last_updated_us, old.version, new.version);
    end
    """,
)

# of lakes that kept no former values
_MIGRATION = (
    "alter table confirmations rename column confirmed_us to version",
    "alter table repairs rename column repaired_us to version",
    "alter table tenants add column types text not null default '{}'",
    "alter table tenants add column version integer not null default 0",
    """
    update tenants
    set version = last_updated_us,
        types = (
            select json_group_object(tenant_types.name, value)
            from tenant_types
            where tenant_types.tenant = tenants.tenant
        )
    """,
    "drop table tenant_types",
)

# a repair is never changed, so that all of them are known as of any version
_FIRST_VERSIONS = """
insert into state_versions
select 'tenants', coalesce(max(version), 0), coalesce(max(version), 0) from tenants
union all
select 'confirmations', coalesce(max(version), 0), coalesce(max(version), 0) from confirmations
union all
select 'repairs', coalesce(max(version), 0), 0 from repairs
"""

_FORGET = (
    """
    update state_versions
    set kept_since = coalesce((select max(until) from former_{kind} where until <= :until), kept_since)
    where kind = '{kind}'
    """,
    "delete from former_{kind} where until <= :until",
)


def are_there(connection: sqlite3.Connection) -> bool:
    """Tell whether a state has the tables."""
    return _has(connection, "state_versions")


def are_old(connection: sqlite3.Connection) -> bool:
    """Tell whether a state has the tables of lakes that kept no former values."""
    return _has(connection, "tenant_types")


def create(connection: sqlite3.Connection) -> None:
    """Create the tables in a state that has none, or has those of lakes that kept no former values."""
    migration = _MIGRATION if are_old(connection) else ()
    for statement in (*migration, *_TABLES, _FIRST_VERSIONS):
        connection.execute(statement)


def forget(connection: sqlite3.Connection, until: int) -> None:
    """Forget the values that were replaced up to a version."""
    for statement in _FORGET:
        for kind in CHANGING:
            connection.execute(statement.format(kind=kind), {"until": until})


def _has(connection: sqlite3.Connection, table: str) -> bool:
    return connection.execute("select 1 from sqlite_schema where name = ?", (table,)).fetchone() is not None
