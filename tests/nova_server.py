"""A database server with a nova-shaped schema, started in a folder of its own: MariaDB or PostgreSQL."""

import os
import shutil
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
import sqlalchemy as sql

PASSWORD = "s3cr/t:p@ss"
USER = "nova"
STARTS_WITHIN_S = 60

TABLES = sql.MetaData()
_ID = ("id", sql.Integer)
INSTANCES = sql.Table(
    "instances",
    TABLES,
    sql.Column(*_ID, primary_key=True),
    sql.Column("uuid", sql.String(36), unique=True, nullable=False),
    sql.Column("project_id", sql.String(255)),
    sql.Column("instance_type_id", sql.Integer),
    sql.Column("hostname", sql.String(255)),
    sql.Column("launched_at", sql.DateTime),
    sql.Column("terminated_at", sql.DateTime),
    sql.Column("deleted_at", sql.DateTime),
    sql.Column("deleted", sql.Integer, nullable=False),
)
METADATA = sql.Table(
    "instance_system_metadata",
    TABLES,
    sql.Column(*_ID, primary_key=True),
    sql.Column("instance_uuid", sql.String(36), sql.ForeignKey("instances.uuid"), nullable=False),
    sql.Column("key", sql.String(255), nullable=False),
    sql.Column("value", sql.String(255)),
    sql.Column("deleted", sql.Integer, nullable=False),
)
TYPES = sql.Table(
    "instance_types",
    TABLES,
    sql.Column(*_ID, primary_key=True),
    sql.Column("flavorid", sql.String(255)),
    sql.Column("deleted", sql.Integer, nullable=False),
)
EXTRA = sql.Table(
    "instance_extra",
    TABLES,
    sql.Column(*_ID, primary_key=True),
    sql.Column("instance_uuid", sql.String(36), sql.ForeignKey("instances.uuid"), nullable=False),
    sql.Column("flavor", sql.Text),
    sql.Column("deleted", sql.Integer, nullable=False),
)


class Server(ABC):
    """A server that is started and killed as a test needs it; its data stay.

    ``WAITING`` counts the queries that wait for a lock, ``LOCK`` makes those for metadata wait.
    """

    backend: str
    programs: tuple[str, ...]
    package: str
    WAITING: str
    LOCK: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> sql.URL:
        """Where nova's user finds nova's database."""
        return sql.URL.create(
            self.backend, username=USER, password=PASSWORD, host="127.0.0.1", port=self.port, database="nova"
        )

    @property
    def uri(self) -> str:
        """The same as an operator writes it."""
        return self.address.render_as_string(hide_password=False)

    def start(self) -> None:
        """Start it and wait until it can be asked."""
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not self._is_started(deadline):
            if time.monotonic() > deadline:
                raise RuntimeError((self.folder / "log").read_text(errors="replace"))
            time.sleep(0.1)  # PostgreSQL refuses while children of the one that was killed are dying

    def _is_started(self, deadline: float) -> bool:
        """Start it once; tell whether it can be asked."""
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(self.command(), stdout=log, stderr=log, cwd=self.folder, **_user())
        while self._process.poll() is None and time.monotonic() < deadline:
            if self._answers():
                return True
            time.sleep(0.1)
        self.kill()
        return False

    def kill(self) -> None:
        """Kill it at once, as a failing machine does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def engine(self) -> sql.Engine:
        """Return an engine, through which a test fills the database."""
        driver = {"mysql": "mysql+pymysql", "postgresql": "postgresql+psycopg"}[self.backend]
        return sql.create_engine(self.address.set(drivername=driver), poolclass=sql.NullPool)

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return self.has_database()

    def run(self, program: str, *arguments: str, given: bytes = b"") -> None:
        """Run a program of the server to its end, as the user that the server runs as."""
        command = [_program(program), *arguments]
        subprocess.run(command, input=given, check=True, capture_output=True, cwd=self.folder, **_user())

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command that runs it."""

    @abstractmethod
    def prepare(self) -> None:
        """Make the empty data folder, with the user and the database of nova."""

    def has_database(self) -> bool:
        """Whether nova's user is let in."""
        try:
            with self.engine().connect():
                return True
        except sql.exc.OperationalError:
            return False

    def waiting(self) -> int:
        """How many queries wait for a lock."""
        with self.engine().connect() as connection:
            return int(connection.execute(sql.text(self.WAITING)).scalar_one())


class MariaDB(Server):
    """MariaDB."""

    backend, package = "mysql", "mariadb-server-core mariadb-client-core"
    programs = ("mariadbd", "mariadb-install-db", "my_print_defaults")
    WAITING = "select count(*) from information_schema.processlist where state like '%metadata lock%'"
    LOCK = "lock tables instance_system_metadata write"

    def prepare(self) -> None:
        """Create the system tables; the user and the database follow at the start."""
        self.run("mariadb-install-db", "--no-defaults", f"--datadir={self.folder / 'data'}", "--skip-test-db")
        (self.folder / "init.sql").write_text(
            f"create database if not exists nova;\n"
            f"create user if not exists {USER}@'127.0.0.1' identified by '{PASSWORD}';\n"
            f"grant all on *.* to {USER}@'127.0.0.1';\n"
        )

    def command(self) -> list[str]:
        """Return the command that runs it."""
        return [
            _program(self.programs[0]),
            *("--no-defaults", f"--datadir={self.folder / 'data'}", f"--socket={self.folder / 'socket'}"),
            *("--bind-address=127.0.0.1", f"--port={self.port}", f"--pid-file={self.folder / 'pid'}"),
            *("--skip-name-resolve", f"--init-file={self.folder / 'init.sql'}"),
        ]


class PostgreSQL(Server):
    """PostgreSQL."""

    backend, package = "postgresql", "postgresql"
    programs = ("postgres", "initdb")
    WAITING = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
    LOCK = "lock table instance_system_metadata in access exclusive mode"

    def prepare(self) -> None:
        """Create the cluster, whose superuser is nova's, and the database of nova."""
        (self.folder / "password").write_text(PASSWORD)
        data, password = str(self.folder / "data"), f"--pwfile={self.folder / 'password'}"
        self.run(
            "initdb", "-D", data, "-U", USER, "-A", "scram-sha-256", password, "--no-sync", "--no-locale", "-E", "UTF8"
        )
        self.run("postgres", "--single", "-D", data, "postgres", given=b"create database nova\n")

    def command(self) -> list[str]:
        """Return the command that runs it."""
        settings = [f"unix_socket_directories={self.folder}", "listen_addresses=127.0.0.1", "fsync=off"]
        given = [part for setting in settings for part in ("-c", setting)]
        return [_program(self.programs[0]), "-D", str(self.folder / "data"), "-p", str(self.port), *given]


SERVERS = {"mariadb": MariaDB, "postgresql": PostgreSQL}


@contextmanager
def running(kind: str) -> Iterator[Server]:
    """Run a server with nova's empty tables, or skip the test where it is not installed."""
    made = SERVERS[kind]
    missing = [program for program in made.programs if _find(program) is None]
    if missing:
        pytest.skip(f"there is no {missing[0]}: apt-get install {made.package}")
    folder = Path(mkdtemp(prefix="nova-"))
    server = made(folder)
    try:
        if _user():
            shutil.chown(folder, **_user())
        server.prepare()
        server.start()
        TABLES.create_all(server.engine())
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)  # children that are dying may still write


def _user() -> dict[str, Any]:
    """Return as whom root runs a server: PostgreSQL refuses to run as root."""
    return {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}


def _program(name: str) -> str:
    found = _find(name)
    assert found is not None
    return found


def _find(name: str) -> str | None:
    """Return where a program is; Debian puts servers off the path."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return shutil.which(name, path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", *map(str, versions)]))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])
