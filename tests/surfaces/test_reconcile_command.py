"""The command ``reconcile``: what it keeps, what it says, and that nothing is kept of what was cut short."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sql
from nova_server import INSTANCES, METADATA, PASSWORD, SERVERS, Server, running

from stackanalytics.lake import open_lake
from stackanalytics.schema import NOVA_FIELDS
from stackanalytics.testing import lake_of, notification

LAUNCHED = "2026-03-01 08:00:17"
NOW = "2026-03-03 06:00"
DAY = ("--start", "2026-03-02", "--end", "2026-03-03")
WAITS_S = 60

METADATA_OF = {
    "org.openstack__1__architecture": "x64",
    "org.openstack__1__os_distro": "org.debian",
    "org.openstack__1__os_version": "12",
    "com.rackspace__1__options": "0",
}
SAID = {
    "instance": "right",
    "tenant": "74ff26",
    "instance_type_id": "5",
    "instance_flavor_id": "2",
    "launched_at": LAUNCHED,
    "deleted_at": "",
    "is_deleted": "0",
    "os_architecture": "x64",
    "os_distro": "org.debian",
    "os_version": "12",
    "rax_options": "0",
}


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a user does."""
    command = [sys.executable, "-m", "stackanalytics", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, env={**os.environ, **environment}
    )


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a verified lake: no launch was told of the records `right` and `wrong`, no record of `silent`."""
    period = {"audit_period_beginning": "2026-03-02 00:00:00", "audit_period_ending": "2026-03-03 00:00:00"}
    kind = {"instance_type_id": 5, "instance_flavor_id": "2", "image_meta": METADATA_OF, "launched_at": LAUNCHED}
    told = [
        notification(
            "compute.instance.exists",
            "2026-03-03 00:00:05",
            instance=name,
            tenant="74ff26",
            deployment=cell,
            **kind,
            **period,
        )
        for name, cell in (("right", "cell-1"), ("wrong", "cell-2"))
    ]
    told.append(
        notification(
            "compute.instance.create.end", LAUNCHED, instance="silent", tenant="74ff26", request_id="req-1", **kind
        )
    )
    folder = tmp_path_factory.mktemp("verified") / "lake"
    lake_of(folder, told, deployment="cell-1").close()
    assert run("verify", "--lake", folder, "--now", NOW).returncode == 0
    assert verdicts(folder) == {"right": "failed", "wrong": "failed"}
    return folder


@pytest.fixture
def lake(verified: Path, tmp_path: Path) -> Path:
    """Return a copy of it."""
    return Path(shutil.copytree(verified, tmp_path / "lake"))


def verdicts(lake: Path) -> dict[str, str]:
    """Return the verdicts on the records that count, by instance."""
    with open_lake(lake) as opened:
        found = opened.sql("select instance, verdict from verdicts join exists on exists_id = id order by instance")
    return dict(found.iter_rows())


def kept(lake: Path) -> list[tuple[object, ...]]:
    """Return the instances that nova's word is kept of, and whose word it was."""
    with open_lake(lake) as opened:
        return opened.sql("select instance, source from reconciliations order by sequence").rows()


def snapshot(path: Path, *changes: Mapping[str, str]) -> Path:
    """Write what nova says as CSV."""
    rows = [SAID | dict(change) for change in changes]
    path.write_text("\n".join([",".join(NOVA_FIELDS), *(",".join(row[name] for name in NOVA_FIELDS) for row in rows)]))
    return path


def reconciled(lake: Path, *arguments: object) -> tuple[dict[str, dict[str, Any]], str]:
    """Run the command; return its rows by instance, and its words."""
    done = run("reconcile", "--lake", lake, "--now", NOW, "--format", "json", *arguments)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {row["instance"]: row for row in rows}, " ".join(done.stderr.split())


# what it does


def test_what_nova_confirms_becomes_reconciled(lake: Path, tmp_path: Path) -> None:
    """The record that is right is kept with its source and verified again; the wrong one stays failed."""
    nova = snapshot(tmp_path / "nova.csv", {}, {"instance": "wrong", "tenant": "other"})

    rows, told = reconciled(lake, "--snapshot", nova)

    assert {name: (row["match_code"], row["outcome"]) for name, row in rows.items()} == {
        "right": (0, "reconciled"),
        "wrong": (1, "differs"),
    }
    assert rows["wrong"]["differences"] == [{"field": "tenant", "recorded_value": "74ff26", "nova_value": "other"}]
    assert "2 records were disputed: 1 confirmed by nova, 1 differ; what nova says of 1 launches was kept" in told
    assert "1 records became reconciled" in told
    assert verdicts(lake) == {"right": "reconciled", "wrong": "failed"}
    assert kept(lake) == [("right", "reconciler:snapshot:nova.csv")]


def test_again_changes_nothing(lake: Path, tmp_path: Path) -> None:
    """What is reconciled is not disputed any more, and what is not is asked about again."""
    nova = snapshot(tmp_path / "nova.csv", {}, {"instance": "wrong", "tenant": "other"})
    reconciled(lake, "--snapshot", nova)

    rows, told = reconciled(lake, "--snapshot", nova)

    assert list(rows) == ["wrong"]
    assert "of 0 launches was kept, 0 records became reconciled" in told
    assert len(kept(lake)) == 1


def test_launches_without_a_record_are_asked_about_in_a_period(lake: Path, tmp_path: Path) -> None:
    """A launch that was over before the period is kept with nova's deletion, and not disputed again."""
    over = {"instance": "silent", "deleted_at": "2026-03-01 22:00:00", "is_deleted": "1"}
    nova = snapshot(tmp_path / "nova.csv", over)

    rows, _ = reconciled(lake, "--snapshot", nova, *DAY)
    again, _ = reconciled(lake, "--snapshot", nova, *DAY)

    assert {name: row["outcome"] for name, row in rows.items()} == {
        "right": "not_found",
        "wrong": "not_found",
        "silent": "reconciled",
    }
    assert list(again) == ["right", "wrong"]
    with open_lake(lake) as opened:
        assert opened.sql("select deleted_at from reconciles").rows() == [(datetime(2026, 3, 1, 22, tzinfo=UTC),)]


def test_each_region_has_its_own_nova(lake: Path, tmp_path: Path) -> None:
    """With a mapping, a source answers for its region only, and what has no region is not asked about."""
    mapping = tmp_path / "regions.json"
    mapping.write_text('{"cell-1": "north", "cell-2": "south"}')
    north = snapshot(tmp_path / "north.csv", {"instance": "wrong"})
    south = snapshot(tmp_path / "south.csv", {"instance": "wrong"})

    both = ("--snapshot", f"north={north}", "--snapshot", f"south={south}")
    rows, _ = reconciled(lake, *both, "--region-mapping", mapping)

    assert {name: (row["region"], row["outcome"], row["source"]) for name, row in rows.items()} == {
        "right": ("north", "not_found", None),
        "wrong": ("south", "reconciled", "reconciler:snapshot:south.csv"),
    }
    mapping.write_text('{"cell-2": "south"}')
    rows, told = reconciled(lake, *both, "--region-mapping", mapping)
    assert {name: (row["region"], row["outcome"]) for name, row in rows.items()} == {"right": (None, "no_source")}
    assert "1 of a region that nobody was asked about" in told


def test_cells_of_a_region_are_heard_together(lake: Path, tmp_path: Path) -> None:
    """Of two sources for all regions each knows some instances; a record that both have is one."""
    one = snapshot(tmp_path / "one.csv", {})
    two = snapshot(tmp_path / "two.csv", {}, {"instance": "wrong", "tenant": "other"})

    rows, _ = reconciled(lake, "--snapshot", one, "--snapshot", two)

    assert {name: (row["outcome"], row["source"]) for name, row in rows.items()} == {
        "right": ("reconciled", "reconciler:snapshot:one.csv"),
        "wrong": ("differs", "reconciler:snapshot:two.csv"),
    }


def test_a_table_names_the_differences(lake: Path, tmp_path: Path) -> None:
    """Without a format, people get a table; with --strict the exit status tells that something is left."""
    nova = snapshot(tmp_path / "nova.csv", {}, {"instance": "wrong", "tenant": "other"})

    done = run("reconcile", "--lake", lake, "--now", NOW, "--snapshot", nova, "--strict")

    assert done.returncode == 1
    assert "tenant 74ff26 / other" in done.stdout


def test_a_file_gets_the_rows(lake: Path, tmp_path: Path) -> None:
    """Rows go to a file as CSV, where differences are text."""
    nova = snapshot(tmp_path / "nova.csv", {"instance": "wrong", "tenant": "other"})

    done = run(
        "reconcile", "--lake", lake, "--now", NOW, "--snapshot", nova, "--format", "csv", "--out", tmp_path / "o"
    )

    assert (done.returncode, done.stdout) == (0, "")
    assert "tenant 74ff26 / other,differs" in (tmp_path / "o").read_text()


def test_the_rules_of_the_last_verification_hold(lake: Path, tmp_path: Path) -> None:
    """After a verification by the other name of the flavor, records are verified again by that name."""
    assert run("verify", "--lake", lake, "--now", NOW, "--flavor-field", "instance_flavor_id").returncode == 0

    _, told = reconciled(lake, "--snapshot", snapshot(tmp_path / "nova.csv", {}))
    unchanged = run("verify", "--lake", lake, "--now", NOW, "--flavor-field", "instance_flavor_id")

    assert "1 records became reconciled" in told
    assert "nova: 0 records verified for the first time" in unchanged.stderr


# what goes wrong


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        ([], 2, "give --snapshot, --nova-db or --cloud"),
        (["--snapshot", "{nova}", "--cloud", "x"], 2, "one kind of source is needed"),
        (["--snapshot", "{nova}", "--snapshot", "none.csv"], 2, "no such file: none.csv"),
        (["--snapshot", "{nova}", "--region-mapping", "none.json"], 2, "no such file: none.json"),
        (["--snapshot", "{nova}", "--region-mapping", "{nova}"], 2, "cannot be read as JSON"),
        (["--nova-db", "mysql://nova:Pa55word@127.0.0.1:1/nova"], 1, "nova-db:127.0.0.1/nova cannot be read"),
        (["--nova-db", "north=Pa55word"], 2, "no address of a nova database"),
        (["--cloud", "nowhere"], 2, "cloud:nowhere cannot be asked"),
    ],
)
def test_errors_are_told_and_nothing_is_kept(
    arguments: list[str], status: int, told: str, lake: Path, tmp_path: Path
) -> None:
    """What cannot be used gives 2, what does not answer 1; the lake stays as it was, and no password is shown."""
    nova = snapshot(tmp_path / "nova.csv", {})

    done = run("reconcile", "--lake", lake, "--now", NOW, *(each.format(nova=nova) for each in arguments))

    assert (done.returncode, done.stdout) == (status, "")
    assert told in " ".join(done.stderr.split())
    assert "Pa55word" not in done.stderr
    assert (kept(lake), verdicts(lake)) == ([], {"right": "failed", "wrong": "failed"})


def test_a_lake_must_be_verified_first(tmp_path: Path) -> None:
    """Where nothing was verified nothing can be disputed, and where there is no lake none is made."""
    lake_of(tmp_path / "lake", []).close()

    unverified = run("reconcile", "--lake", tmp_path / "lake", "--snapshot", "x.csv")
    no_lake = run("reconcile", "--lake", tmp_path / "none", "--snapshot", "x.csv")

    assert (unverified.returncode, no_lake.returncode) == (2, 1)
    assert "stackanalytics verify --lake" in unverified.stderr
    assert not (tmp_path / "none").exists()


def test_regions_must_be_texts(lake: Path, tmp_path: Path) -> None:
    """A mapping of something else says what is accepted."""
    (tmp_path / "regions.json").write_text('{"cell-1": 1}')

    done = run("reconcile", "--lake", lake, "--snapshot", "x.csv", "--region-mapping", tmp_path / "regions.json")

    assert done.returncode == 2
    assert '{"deployment": "region", …}' in " ".join(done.stderr.split())


def _fill(server: Server) -> None:
    launched = {"launched_at": datetime(2026, 3, 1, 8, 0, 17), "terminated_at": None, "deleted_at": None, "deleted": 0}
    row = {"id": 1, "uuid": "right", "project_id": "74ff26", "instance_type_id": 5, **launched}
    with server.engine().begin() as connection:
        connection.execute(INSTANCES.insert(), row)
        connection.execute(
            METADATA.insert(),
            [
                {"id": id, "instance_uuid": "right", "key": f"image_{key}", "value": value, "deleted": 0}
                for id, (key, value) in enumerate(METADATA_OF.items(), 1)
            ],
        )
        connection.execute(sql.text("insert into instance_types (id, flavorid, deleted) values (5, '2', 0)"))


@pytest.mark.parametrize("kind", SERVERS)
def test_a_database_that_is_killed_midway_leaves_nothing_half_written(kind: str, lake: Path) -> None:
    """Its death while it answers gives an error and exit status 1; after its return the same command completes."""
    with running(kind) as server:
        _fill(server)
        command = [sys.executable, "-m", "stackanalytics", "reconcile", "--lake", str(lake), "--now", NOW]
        asking_for = {**os.environ, "STACKANALYTICS_NOVA_DB": server.uri}
        with server.engine().connect() as holding:
            holding.execute(sql.text(server.LOCK))
            asking = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=asking_for
            )
            deadline = time.monotonic() + WAITS_S
            while not server.waiting() and time.monotonic() < deadline:
                time.sleep(0.1)
            assert asking.poll() is None
            server.kill()
            holding.invalidate()
        output, told = asking.communicate(timeout=WAITS_S)

        assert (asking.returncode, output) == (1, "")
        assert "nova-db:127.0.0.1/nova cannot be read: " in " ".join(told.split())
        assert PASSWORD not in told
        assert (kept(lake), verdicts(lake)) == ([], {"right": "failed", "wrong": "failed"})

        server.start()
        done = run(*command[3:], STACKANALYTICS_NOVA_DB=server.uri)
        assert done.returncode == 0, done.stderr
        assert kept(lake) == [("right", "reconciler:nova-db:127.0.0.1/nova")]
        assert verdicts(lake) == {"right": "reconciled", "wrong": "failed"}
