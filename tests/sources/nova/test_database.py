"""Nova's database, read for real from MariaDB and PostgreSQL."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sql
from nova_server import EXTRA, INSTANCES, METADATA, PASSWORD, SERVERS, TYPES, Server, running
from polars.testing import assert_frame_equal
from said import DELETED, LIVING, SAID, UNKNOWN

from stackanalytics.errors import InputError, SourceError
from stackanalytics.sources.nova import Database, database

pytestmark = pytest.mark.xdist_group("nova-database")  # so that each server is started once

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "reconciliation.md"
ARCHITECTURE = "image_org.openstack__1__architecture"
OPTIONS = "image_com.rackspace__1__options"


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Return a running server whose nova knows the two instances of SAID, and many others."""
    with running(request.param) as server:
        others = [_instance(number, f"other-{number:04}") for number in range(100, 1300)]
        _insert(
            server,
            INSTANCES,
            {**_instance(1, LIVING), "instance_type_id": 5, "launched_at": datetime(2026, 3, 1, 8)},
            {
                **_instance(2, DELETED),
                "instance_type_id": 6,
                "launched_at": datetime(2026, 3, 1, 9, 30, 15),
                "deleted": 2,
                "terminated_at": datetime(2026, 3, 2, 10),
                "deleted_at": datetime(2026, 3, 2, 10, 0, 7),
            },
            *others,
        )
        _insert(server, TYPES, {"id": 5, "flavorid": "2", "deleted": 0}, {"id": 6, "flavorid": "old", "deleted": 6})
        _insert(server, EXTRA, {"id": 1, "instance_uuid": DELETED, "flavor": _flavor("performance1-1"), "deleted": 2})
        said = [(ARCHITECTURE, "x64"), ("image_org.openstack__1__os_distro", "org.debian"), ("image_base", "?")]
        said += [("image_org.openstack__1__os_version", "12"), (OPTIONS, "0")]
        _insert(server, METADATA, *(_metadata(number, LIVING, *pair) for number, pair in enumerate(said, 1)))
        _insert(server, METADATA, {**_metadata(10, LIVING, ARCHITECTURE, "arm"), "deleted": 10})
        yield server


def _instance(id: int, uuid: str) -> dict[str, Any]:
    null = dict.fromkeys(("launched_at", "terminated_at", "deleted_at"))
    return {"id": id, "uuid": uuid, "project_id": "74ff26", "instance_type_id": 5, "deleted": 0, **null}


def _metadata(id: int, instance: str, key: str, value: str) -> dict[str, Any]:
    return {"id": id, "instance_uuid": instance, "key": key, "value": value, "deleted": 0}


def _flavor(flavorid: str) -> str:
    data = {"nova_object.name": "Flavor", "nova_object.data": {"id": 6, "flavorid": flavorid, "memory_mb": 512}}
    return json.dumps({"cur": data, "old": None, "new": None})


def _insert(server: Server, table: sql.Table, *rows: Mapping[str, object]) -> None:
    with server.engine().begin() as connection:
        connection.execute(table.insert(), list(rows))


def _changed(server: Server, statement: str) -> None:
    with server.engine().begin() as connection:
        connection.execute(sql.text(statement))


# what it says


def test_instances_are_as_nova_has_them(server: Server) -> None:
    """Flavor, metadata and times are those of the record; what was deleted before does not count."""
    expected = SAID.with_columns(SAID["launched_at"].dt.truncate("1s"))

    found = Database(server.uri).instances([UNKNOWN, DELETED, LIVING, LIVING])

    assert_frame_equal(found, expected)


def test_metadata_that_were_deleted_with_the_instance_count(server: Server) -> None:
    """Nova deletes an instance's metadata with it: of those of a deleted one, the last count."""
    rows = [(20, "1", 20), (21, "4", 21)]
    _insert(server, METADATA, *({**_metadata(id, DELETED, OPTIONS, text), "deleted": gone} for id, text, gone in rows))

    found = Database(server.uri).instances([DELETED])

    assert found["rax_options"].to_list() == ["4"]
    _changed(server, "delete from instance_system_metadata where id in (20, 21)")


def test_only_what_is_wanted_is_asked_for_in_batches(server: Server) -> None:
    """Of 1202 instances 1100 are asked for, 1000 and then 100, and no other comes."""
    wanted = [f"other-{number:04}" for number in range(100, 1200)]
    asked: list[int] = []

    found = Database(server.uri).instances(wanted, on_progress=asked.append)

    assert found["instance"].to_list() == wanted
    assert asked == [1000, 1100]


def test_nothing_wanted_is_an_empty_frame(server: Server) -> None:
    """Asked for nothing, or for nothing that it knows, it gives no rows in all columns."""
    assert_frame_equal(Database(server.uri).instances([]), SAID.clear())
    assert_frame_equal(Database(server.uri).instances([UNKNOWN, "'; drop table instances; --"]), SAID.clear())


def test_tables_of_another_age_are_done_without(server: Server) -> None:
    """Where a database has no instance_extra or no instance_types, the other tells the flavor."""
    for table, told in (("instance_extra", ["2", "old"]), ("instance_types", [None, "performance1-1"])):
        _changed(server, f"alter table {table} rename to hidden")
        try:
            found = Database(server.uri).instances([LIVING, DELETED])
        finally:
            _changed(server, f"alter table hidden rename to {table}")
        assert found["instance_flavor_id"].to_list() == told


def test_its_name_and_its_text_hold_no_password(server: Server) -> None:
    """What is stored and shown names the host and the database only."""
    opened = Database(server.uri)

    assert opened.name == "nova-db:127.0.0.1/nova"
    assert PASSWORD not in repr(opened)
    assert "s3cr" not in repr(opened)


def test_drivers_of_novas_configuration_are_accepted(server: Server) -> None:
    """The address may be copied out of nova.conf, whatever driver nova uses."""
    address = server.address.set(
        drivername={"mysql": "mysql+mysqldb", "postgresql": "postgresql+psycopg2"}[server.backend]
    )

    assert Database(address.render_as_string(hide_password=False)).instances([LIVING]).height == 1


def test_the_password_may_stand_elsewhere(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of MySQL's options, or the variable of PostgreSQL, spares the password in the address."""
    (tmp_path / "my.cnf").write_text(f'[client]\npassword = "{PASSWORD}"\n')
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    options = {"read_default_file": str(tmp_path / "my.cnf")} if server.backend == "mysql" else {}
    address = sql.URL.create(
        server.backend, server.address.username, host="127.0.0.1", port=server.port, database="nova"
    )

    found = Database(address.update_query_dict(options).render_as_string()).instances([LIVING])

    assert found["instance"].to_list() == [LIVING]


# what goes wrong


def _failed(address: str) -> str:
    with pytest.raises(SourceError, match="cannot be read: ") as failure:
        Database(address).instances([LIVING])
    return str(failure.value)


def test_what_refuses_is_told_without_the_password(server: Server) -> None:
    """A wrong password, an unknown database and a port that nobody listens at are told of."""
    wrong = server.address.set(password="Wr0ng-one")
    told = [
        _failed(wrong.render_as_string(hide_password=False)),
        _failed(server.address.set(database="other").render_as_string(hide_password=False)),
        _failed(server.address.set(port=1).render_as_string(hide_password=False)),
    ]

    assert "nova" in told[0]
    assert "other" in told[1]
    assert "127.0.0.1" in told[2]
    assert not any("Wr0ng" in text or "s3cr" in text for text in told)


def test_a_database_that_is_none_of_novas_is_told_of(server: Server) -> None:
    """Without the table of instances the answer is an error that names it."""
    _changed(server, "alter table instances rename to others")
    try:
        assert "instances" in _failed(server.uri)
    finally:
        _changed(server, "alter table others rename to instances")


def test_a_flavor_that_cannot_be_read_is_told_of(server: Server) -> None:
    """A flavor in another form than nova's is named with its instance, not guessed."""
    _insert(server, EXTRA, {"id": 9, "instance_uuid": LIVING, "flavor": '{"cur": null}', "deleted": 0})
    try:
        with pytest.raises(InputError, match=f"flavor of instance {LIVING}"):
            Database(server.uri).instances([LIVING])
    finally:
        _changed(server, "delete from instance_extra where id = 9")


@pytest.mark.parametrize("server", ["mariadb"], indirect=True)
def test_a_time_that_is_none_is_told_of(server: Server) -> None:
    """The zero date that MySQL may hold is no null and no time; PostgreSQL holds none."""
    zero = "update instances set launched_at = '0000-00-00 00:00:00' where id = 1299"
    with server.engine().begin() as connection:
        connection.execute(sql.text("set session sql_mode = ''"))
        connection.execute(sql.text(zero))

    with pytest.raises(InputError, match="0000-00-00"):
        Database(server.uri).instances(["other-1299"])


def test_a_server_killed_midway_is_told_of(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the server dies between two batches there is an error and no part of an answer."""
    monkeypatch.setattr(database, "BATCH", 1)
    try:
        with pytest.raises(SourceError, match=r"nova-db:127\.0\.0\.1/nova cannot be read: "):
            Database(server.uri).instances([LIVING, DELETED], on_progress=lambda done: server.kill())
    finally:
        server.start()

    assert Database(server.uri).instances([LIVING, DELETED]).height == 2


def test_documented_queries_are_those_that_are_asked() -> None:
    """What the documentation shows to the owner of the database is what is asked."""
    shown = DOCUMENTATION.read_text()

    for query in (database.INSTANCES, database.METADATA, database.OWN_FLAVORS, database.FLAVORS):
        assert query.strip().replace(":wanted", "(…)") + ";" in shown


@pytest.mark.parametrize(
    "address", ["nova", "sqlite:///nova", "oracle://u:Pa55word@h/nova", "mysql://u:Pa55word@h:x/n"]
)
def test_addresses_that_are_none_are_refused(address: str) -> None:
    """An address of something else is refused, and not repeated, since it may hold a password."""
    with pytest.raises(InputError, match="mysql://user:password@host/nova and postgresql://") as refusal:
        Database(address)

    assert "Pa55word" not in str(refusal.value)


def test_the_missing_extra_is_named() -> None:
    """Without the drivers the error says what to install; importing the source needs none of them."""
    program = (
        "import sys; sys.modules['pymysql'] = None\n"
        "from stackanalytics.sources.nova import Database\n"
        "assert 'sqlalchemy' not in sys.modules\n"
        "Database('mysql://h/nova')"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert "InputError: reading a nova database needs pymysql: pip install 'stackanalytics[nova-db]'" in done.stderr
