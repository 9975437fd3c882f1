"""Nova's instances from its database: MySQL, MariaDB or PostgreSQL.

The queries below are all that is asked, for so many instances at a time and never for all of them;
being allowed to select from these four tables is all that the user of the database needs. Since
Juno nova keeps the flavor with the instance, before that in a table of its own: where a database
has both, the former counts. Nova deletes the metadata of an instance together with it: of a living
instance only living metadata count, of a deleted one the last ones.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from stackanalytics.errors import InputError, SourceError
from stackanalytics.schema import NOVA_FIELDS, polars_schema
from stackanalytics.sources.nova.record import records
from stackanalytics.sources.nova.source import Progress, batches

if TYPE_CHECKING:
    import sqlalchemy

BATCH = 1_000
CONNECT_S = 10
ANSWER_S = 300

INSTANCES = """
select i.uuid, i.project_id, i.instance_type_id, i.launched_at, i.terminated_at, i.deleted
from instances i
where i.uuid in :wanted
"""

METADATA = """
select m.instance_uuid, m.key, m.value
from instance_system_metadata m
join instances i on i.uuid = m.instance_uuid
where m.instance_uuid in :wanted
    and m.key in (
        'image_org.openstack__1__architecture', 'image_org.openstack__1__os_distro',
        'image_org.openstack__1__os_version', 'image_com.rackspace__1__options'
    )
    and (m.deleted = 0 or i.deleted <> 0)
order by case when m.deleted = 0 then 1 else 0 end, m.id
"""

FLAVORS = """
select i.uuid, t.flavorid
from instances i
join instance_types t on t.id = i.instance_type_id
where i.uuid in :wanted
"""

OWN_FLAVORS = """
select e.instance_uuid, e.flavor
from instance_extra e
where e.instance_uuid in :wanted and e.flavor is not null
"""

_KEYS = {
    "image_org.openstack__1__architecture": "os_architecture",
    "image_org.openstack__1__os_distro": "os_distro",
    "image_org.openstack__1__os_version": "os_version",
    "image_com.rackspace__1__options": "rax_options",
}
_DRIVERS = {"mysql": "mysql+pymysql", "mariadb": "mysql+pymysql", "postgresql": "postgresql+psycopg"}
_CONNECTING: Mapping[str, dict[str, Any]] = {
    "mysql+pymysql": {"connect_timeout": CONNECT_S, "read_timeout": ANSWER_S},
    "postgresql+psycopg": {"connect_timeout": CONNECT_S, "options": f"-c statement_timeout={ANSWER_S * 1000}"},
}
_TOLD = pl.Schema(
    {
        "instance": pl.String(),
        "tenant": pl.String(),
        "instance_type_id": pl.Int64(),
        "launched_at": pl.Datetime("us"),
        "deleted_at": pl.Datetime("us"),
        "is_deleted": pl.Int64(),
    }
)


class Database:
    """A nova database, named by the address that nova's own configuration has for it.

    ``mysql://user:password@host/nova`` or ``postgresql://…``; a driver in it (``mysql+pymysql``)
    does not matter. The password may be left out where the driver finds one: in ``PGPASSWORD`` or
    ``~/.pgpass``, or in the file of ``?read_default_file=~/.my.cnf``.
    """

    untold: frozenset[str] = frozenset()

    def __init__(self, address: str) -> None:
        """Understand the address; nothing is connected to yet.

        Raises
        ------
        InputError
            If it is no address of such a database, or the extra ``nova-db`` is not installed.
        """
        self._url = _url(address)

    def __repr__(self) -> str:
        """Name the database, without the password."""
        return f"Database({self._url.render_as_string(hide_password=True)!r})"

    @property
    def name(self) -> str:
        """Its host and name."""
        return f"nova-db:{self._url.host or 'localhost'}/{self._url.database or ''}"

    def instances(self, wanted: Collection[str], *, on_progress: Progress | None = None) -> pl.DataFrame:
        """Return what the database says about those of the *wanted* instances that it knows.

        Raises
        ------
        SourceError
            If the database cannot be reached, refuses, breaks off, or is none of nova's.
        InputError
            If a value in it cannot be understood.
        """
        told = [pl.DataFrame(schema=polars_schema(*NOVA_FIELDS))]
        done = 0
        with self._connection() as connection:
            has_flavors, has_own_flavors = _tables(connection, "instance_types", "instance_extra")
            for batch in batches(wanted, BATCH):
                flavors = dict(_rows(connection, FLAVORS, batch)) if has_flavors else {}
                if has_own_flavors:
                    flavors |= _own_flavors(_rows(connection, OWN_FLAVORS, batch))
                found = _frame(_rows(connection, INSTANCES, batch), _rows(connection, METADATA, batch), flavors)
                told.append(records(found, self.name, batch))
                done += len(batch)
                if on_progress is not None:
                    on_progress(done)
        return pl.concat(told)

    @contextmanager
    def _connection(self) -> Iterator["sqlalchemy.Connection"]:
        import sqlalchemy

        connecting = {
            name: value for name, value in _CONNECTING[self._url.drivername].items() if name not in self._url.query
        }
        try:
            engine = sqlalchemy.create_engine(
                self._url, poolclass=sqlalchemy.NullPool, hide_parameters=True, connect_args=connecting
            )
            with engine.connect() as connection:
                yield connection
        except sqlalchemy.exc.SQLAlchemyError as problem:
            raise SourceError(f"{self.name} cannot be read: {self._without_password(problem)}") from None

    def _without_password(self, problem: Exception) -> str:
        text = " ".join(str(getattr(problem, "orig", None) or problem).split())
        return text.replace(self._url.password, "***") if self._url.password else text


def _url(address: str) -> "sqlalchemy.URL":
    try:
        import psycopg  # noqa: F401  # the extra brings both drivers
        import pymysql  # noqa: F401
        import sqlalchemy
    except ImportError as problem:
        raise InputError(
            f"reading a nova database needs {problem.name}: pip install 'stackanalytics[nova-db]'"
        ) from None
    try:
        url = sqlalchemy.make_url(address)
        driver = _DRIVERS[url.get_backend_name()]
    except (sqlalchemy.exc.ArgumentError, KeyError, ValueError):
        # the address may hold a password, so it is not repeated
        raise InputError(
            "that is no address of a nova database. Accepted: mysql://user:password@host/nova and postgresql://…"
        ) from None
    return url.set(drivername=driver)


def _tables(connection: "sqlalchemy.Connection", *names: str) -> list[bool]:
    import sqlalchemy

    inspector = sqlalchemy.inspect(connection)
    return [inspector.has_table(name) for name in names]


def _rows(connection: "sqlalchemy.Connection", query: str, wanted: Collection[str]) -> list[tuple[Any, ...]]:
    import sqlalchemy

    asked = sqlalchemy.text(query).bindparams(sqlalchemy.bindparam("wanted", expanding=True))
    return [tuple(row) for row in connection.execute(asked, {"wanted": wanted})]


def _own_flavors(rows: Iterable[tuple[Any, ...]]) -> dict[str, str]:
    """Return the flavors that are kept with the instances, out of nova's JSON."""
    found = {}
    for instance, text in rows:
        try:
            flavor = msgspec.json.decode(text, type=_Flavors).cur
        except msgspec.DecodeError as problem:
            raise InputError(f"the flavor of instance {instance} in instance_extra is not nova's: {problem}") from None
        found[instance] = flavor.data.flavorid
    return found


class _Flavor(msgspec.Struct):
    flavorid: str


class _Object(msgspec.Struct):
    data: _Flavor = msgspec.field(name="nova_object.data")


class _Flavors(msgspec.Struct):
    cur: _Object


def _frame(instances: list[tuple[Any, ...]], metadata: list[tuple[Any, ...]], flavors: dict[str, str]) -> pl.DataFrame:
    described: dict[str, dict[str, str]] = {name: {} for name in _KEYS.values()}
    for instance, key, value in metadata:
        described[_KEYS[key]][instance] = value
    try:
        told = pl.DataFrame(instances, schema=_TOLD, orient="row")
    except pl.exceptions.PolarsError as problem:
        raise InputError(f"nova's database has a value of another type than nova's: {problem}") from problem
    columns = {"instance_flavor_id": flavors, **described}
    return told.with_columns(
        pl.Series(name, [values.get(instance) for instance in told["instance"]], pl.String)
        for name, values in columns.items()
    )
