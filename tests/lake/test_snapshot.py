"""A lake is read at one version, by many at once, and says what is wrong with it."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from stackanalytics import Lake, open_lake, times
from stackanalytics.errors import InputError, LakeError
from stackanalytics.lake import compact, create_lake
from stackanalytics.lake.usage_state import Tenant
from stackanalytics.landing import land
from stackanalytics.schema import LATER_TABLES, TABLES, polars_schema
from stackanalytics.sources.chunk import Chunk
from stackanalytics.testing import lake_of, notification


def _messages(start: int, count: int) -> list[dict[str, object]]:
    return [
        notification("compute.instance.update", f"2026-03-{number % 3 + 1:02} 10:00", message_id=f"m{number}")
        for number in range(start, start + count)
    ]


def _count(lake: Lake) -> int:
    found: int = lake.sql("select count(*) from notifications").item()
    return found


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    """A lake of six messages on three days and a dead letter."""
    with lake_of(tmp_path, [*_messages(0, 6), {"no": "notification"}]) as opened:
        yield opened


def test_a_lake_stays_as_it_was_opened(lake: Lake) -> None:
    """What is landed later is seen by those who refresh, and by nobody else."""
    before = lake.sql("select * from notifications order by id")
    with lake_of(lake.path, _messages(6, 3)):
        assert lake.sql("select * from notifications order by id").equals(before)
        with lake.refresh() as newer:
            assert (_count(lake), _count(newer)) == (6, 9)
            assert newer.version["notifications"] == lake.version["notifications"] + 1
            assert newer.version["dead_letters"] == lake.version["dead_letters"]


def test_refreshing_what_is_newest_costs_nothing(lake: Lake) -> None:
    """Where nothing was landed, refreshing gives the same object; repeated messages are nothing."""
    assert lake.refresh() is lake
    lake_of(lake.path, _messages(0, 6)).close()
    assert lake.refresh() is lake


def test_refresh_sees_dead_letters(lake: Lake) -> None:
    """A new version of any table is a reason for a new lake."""
    lake_of(lake.path, [{"another": "dead letter"}]).close()
    with lake.refresh() as newer:
        assert newer.version == lake.version | {"dead_letters": lake.version["dead_letters"] + 1}
        assert newer.sql("select count(*) from dead_letters").item() == 2


def test_former_versions_can_be_opened(lake: Lake) -> None:
    """A version that was noted answers as it did then."""
    before = lake.sql("select * from notifications order by id")
    lake_of(lake.path, _messages(6, 3)).close()
    with open_lake(lake.path, version=lake.version) as former:
        assert former.version == lake.version
        assert former.sql("select * from notifications order by id").equals(before)
    with open_lake(lake.path, version={"notifications": 0}) as former:
        assert _count(former) == 0
        assert former.sql("select count(*) from dead_letters").item() == 1


def test_what_others_told_is_of_the_moment_or_of_a_version(lake: Lake) -> None:
    """A lake reads tenants as they are; pinned, or opened at a version that names them, as they were."""
    lake.usage_state.put_tenants([Tenant("5", "five", {})], at=times.instant("2026-03-02"))
    pinned, version = lake.pinned(), lake.version

    lake.usage_state.put_tenants([Tenant("5", "V", {})], at=times.instant("2026-03-03"))

    assert lake.version == version | {"tenants": times.unix_us(times.instant("2026-03-03"))}
    assert pinned.version == version
    assert pinned.pinned() is pinned
    with open_lake(lake.path, version=version) as former, open_lake(lake.path, version=lake.tables) as tables:
        read = [[tenant.name for tenant in each.usage_state.tenants()] for each in (lake, pinned, former, tables)]
        assert read == [["V"], ["five"], ["five"], ["V"]]
        assert former.refresh().version == lake.version
        assert lake.refresh() is lake


def test_versions_that_do_not_exist(lake: Lake) -> None:
    """A version or a table that the lake never had is refused by name."""
    with pytest.raises(LakeError, match="does not know the repairs as of version 99"):
        open_lake(lake.path, version={"repairs": 99})
    with pytest.raises(LakeError, match=r"'notifications' .* at version 99"):
        open_lake(lake.path, version={"notifications": 99})
    with pytest.raises(InputError, match=r"no tables .'samplez'"):
        open_lake(lake.path, version={"samplez": 1})


def test_an_empty_lake_has_all_columns(tmp_path: Path) -> None:
    """A lake without a message answers every query with no rows of the full schema."""
    create_lake(tmp_path)
    with open_lake(tmp_path) as empty:
        for table in TABLES:
            found = empty.sql(f"select * from {table.view}")
            assert dict(found.schema) == polars_schema(*table.fields, table.partition)
            assert found.is_empty()
            assert empty.files(table.name) == []
        assert empty.deployments() == {}
        assert empty.sql("select max(id) as id from notifications")["id"].to_list() == [None]


def test_creating_again_keeps_everything(lake: Lake) -> None:
    """Creating a lake where one is leaves it alone."""
    create_lake(lake.path)
    assert lake.refresh() is lake
    assert _count(lake) == 6


def test_times_are_utc(tmp_path: Path) -> None:
    """Times come back as the instants that they were, and days are days of UTC, in any zone."""
    late = notification(
        "image.upload", "2026-03-02 23:59:59.999999", payload={"created_at": "2026-03-02T23:00:00-02:00"}
    )
    with lake_of(tmp_path, [late]) as lake:
        row = lake.sql("select generated_at, created_at, date, generated_at::text as shown from notifications").row(0)
    assert row == (
        datetime(2026, 3, 2, 23, 59, 59, 999999, UTC),
        datetime(2026, 3, 3, 1, tzinfo=UTC),
        date(2026, 3, 2),
        "2026-03-02 23:59:59.999999+00",
    )


def test_days_at_the_ends_of_time(tmp_path: Path) -> None:
    """The first and the last day of the calendar are days like others."""
    times = ["0001-01-01 00:00:00", "1969-12-31 23:59:59.999999", "9999-12-31 23:59:59.999999"]
    with lake_of(tmp_path, [notification("image.upload", at, payload={"n": at}) for at in times]) as lake:
        found = lake.sql("select generated_at, date from notifications order by generated_at")
        assert found["date"].to_list() == [date(1, 1, 1), date(1969, 12, 31), date(9999, 12, 31)]
        assert found["generated_at"].dt.strftime("%Y-%m-%d %H:%M:%S").to_list() == [at[:19] for at in times]
        assert lake.sql("select count(*) from notifications where date < '1970-01-01'").item() == 2


@pytest.mark.parametrize(
    "query",
    ["select nothing from notifications", "selec 1", "select * from nowhere", "select 1/", "", "  ", "select $absent"],
)
def test_queries_that_duckdb_refuses(query: str, lake: Lake) -> None:
    """A query that cannot be answered is an error of who asked, with DuckDB's words."""
    with pytest.raises(InputError, match="query"):
        lake.sql(query)


def test_parameters(lake: Lake) -> None:
    """Values are passed beside the query; one that the query does not know is an error."""
    query = "select message_id from notifications where id = $id or message_id in (select unnest($ids)) order by id"
    assert lake.sql(query, {"id": 1, "ids": ["m2", "x' or true"]})["message_id"].to_list() == ["m0", "m2"]
    with pytest.raises(InputError):
        lake.sql("select 1", {"unknown": 1})


def test_no_lake(tmp_path: Path) -> None:
    """A missing folder, an empty one and one with other things are no lakes, and stay as they are."""
    with pytest.raises(LakeError, match="no such folder"):
        open_lake(tmp_path / "missing")
    assert not (tmp_path / "missing").exists()
    (tmp_path / "other").mkdir()
    with pytest.raises(LakeError, match="not a lake"):
        open_lake(tmp_path / "other")
    assert list((tmp_path / "other").iterdir()) == []
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(LakeError):
        open_lake(tmp_path / "file")


def test_damaged_lakes(lake: Lake) -> None:
    """A lake whose log or data are gone says so, not with an error of some library."""
    lake.close()
    damaged = lake.path.parent / "damaged"
    shutil.copytree(lake.path, damaged)
    for path in damaged.glob("notifications/date=*/*.parquet"):
        path.unlink()
    with pytest.raises(LakeError, match="cannot be read"), open_lake(damaged) as opened:
        opened.sql("select * from notifications")
    for path in (damaged / "notifications" / "_delta_log").iterdir():
        path.write_text("{}")
    with pytest.raises(LakeError):
        open_lake(damaged)


def test_damaged_files(lake: Lake) -> None:
    """A data file that is no Parquet file any more is an error of the lake."""
    lake.close()
    for file in lake.files("notifications"):
        Path(file.path).write_bytes(b"PAR1 not any more PAR1")
    with pytest.raises(LakeError, match="cannot be read"), open_lake(lake.path) as opened:
        opened.sql("select * from notifications")


@pytest.mark.parametrize(
    "name", ["with blanks", "quo'te", 'double"quote', "100% full", "ünï 🦆", "a#b?c", "date=2026-01-01", "[x]*"]
)
def test_folders_of_any_name(name: str, tmp_path: Path) -> None:
    """A lake can lie in a folder of any name, and be moved to another."""
    with lake_of(tmp_path / name, _messages(0, 3)) as lake:
        assert _count(lake) == 3
        assert all(Path(file.path).exists() for file in lake.files("notifications"))
    (tmp_path / name).rename(tmp_path / f"{name} moved")
    with lake_of(tmp_path / f"{name} moved", _messages(0, 4)) as lake:
        assert _count(lake) == 4


def test_folders_that_delta_misreads(tmp_path: Path) -> None:
    """A folder that deltalake would look for under another name is refused, not half created."""
    with pytest.raises(InputError, match="choose another folder"):
        create_lake(tmp_path / "per%20cent")


def test_relative_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lake opened by a relative path stays open when the process goes elsewhere."""
    monkeypatch.chdir(tmp_path)
    with lake_of("lake", _messages(0, 3)) as lake:
        monkeypatch.chdir("/")
        assert _count(lake) == 3


def test_what_memory_does_not_hold_lies_in_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query that needs more memory than it may have uses that folder, not the current one, and tidies up."""
    create_lake(tmp_path / "lake")
    for name in ("temporary", "current"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.chdir(tmp_path / "current")

    with Lake(tmp_path / "lake") as lake:
        lake._engine.execute("set memory_limit = '100MB'")
        lake._engine.execute("set threads = 1")
        count = lake.sql("select count(*) from (from range(12_000_000) t(i) order by hash(i)) where i % 2 = 0").item()
        used = [path.name for path in (tmp_path / "temporary").iterdir()]

    assert count == 6_000_000
    assert [name.partition("-")[0] for name in used] == ["stackanalytics"]
    assert not [*(tmp_path / "temporary").iterdir(), *(tmp_path / "current").iterdir()]


def test_many_threads(lake: Lake) -> None:
    """Eight threads asking one lake at once all get their own right answers."""

    def ask(number: int) -> pl.DataFrame:
        query = "select id, message_id, body from notifications where id >= $low order by id"
        return lake.sql(query, {"low": number % 6 + 1})

    with ThreadPoolExecutor(8) as pool:
        for number, found in enumerate(pool.map(ask, range(80))):
            low = number % 6
            assert found["message_id"].to_list() == [f"m{known}" for known in range(low, 6)]


def test_files_tell_what_they_hold(lake: Lake) -> None:
    """The log tells day, rows and ids of each file, so that queries can leave files closed."""
    found = [(file.day, file.rows, file.first_id, file.last_id) for file in lake.files("notifications")]
    assert found == [(date(2026, 3, 1), 2, 1, 4), (date(2026, 3, 2), 2, 2, 5), (date(2026, 3, 3), 2, 3, 6)]


def test_deployments_keep_their_ids(tmp_path: Path) -> None:
    """Deployments are numbered in the order in which they first appear, for good."""
    for name in ("east", "west", "east", "NUL\0 and 🦆"):
        land(
            [Chunk("test", 1, [b'{"event_type": "x.y", "timestamp": "2026-03-02 10:00:00"}'])],
            tmp_path,
            deployment=name,
        )
    with open_lake(tmp_path) as lake:
        assert lake.deployments() == {1: "east", 2: "west", 3: "NUL\0 and 🦆"}


def test_the_state_is_safe_from_crashes(lake: Lake) -> None:
    """The state is kept with a write-ahead log, which survives the death of a writer."""
    with sqlite3.connect(lake.path / "state.sqlite") as connection:
        assert connection.execute("pragma journal_mode").fetchone() == ("wal",)
    connection.close()


def test_lakes_of_former_versions(tmp_path: Path) -> None:
    """A lake without the later tables answers as one in which they are empty, and gets them when it is written to."""
    create_lake(tmp_path)
    for table in LATER_TABLES:
        shutil.rmtree(tmp_path / table.name)
    with open_lake(tmp_path) as former:
        assert former.tables == {"notifications": 0, "dead_letters": 0}
        assert former.info()["table"].to_list() == ["notifications", "dead_letters"]
        assert former.sql("select * from verdicts").columns[0] == "sequence"
        compact(tmp_path)
        assert former.refresh() is former

        create_lake(tmp_path)

        with former.refresh() as newer:
            assert newer.tables == dict.fromkeys((table.name for table in TABLES), 0)
