"""Whatever arrives becomes rows and dead letters, harms nothing beside it, and tells no secret."""

import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl
import pytest
from hostile import HOSTILE, MARKS, Hostile, body
from landed import Rows, rows_in

from stackanalytics import open_lake
from stackanalytics.lake import Landed
from stackanalytics.landing import land
from stackanalytics.schema import DEAD_LETTERS, NOTIFICATIONS, TABLES
from stackanalytics.sources import files
from stackanalytics.sources.chunk import Chunk

ONE_LINE = [hostile for hostile in HOSTILE if hostile.is_one_line]
BEFORE, AFTER = "good before ", "good after "


class Result:
    """A lake in which each of the corpus was landed between two good messages, and landed again."""

    def __init__(self, folder: Path, chunks: list[Chunk]) -> None:
        self.folder = folder
        self.first = land(chunks, folder)
        self.second = land(chunks, folder)
        self.rows: dict[str, Rows] = {}
        self.good: dict[str, Rows] = {}
        self.letters: dict[str, Rows] = {}
        inside = ""
        for row in rows_in(folder):
            message_id = row["message_id"] or ""
            if message_id.startswith((BEFORE, AFTER)):
                inside = message_id.removeprefix(BEFORE).removeprefix(AFTER)
                self.good.setdefault(inside, []).append(row)
            else:
                self.rows.setdefault(inside, []).append(row)
        for letter in rows_in(folder, "dead_letters"):
            name = letter["origin"].rpartition(":")[0].removesuffix(", element")
            self.letters.setdefault(name, []).append(letter)


def _good(name: str) -> bytes:
    return json.dumps(body(name)).encode()


def _between(hostile: Hostile, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    yield Chunk("good", 1, [_good(BEFORE + hostile.name)])
    yield from chunks
    yield Chunk("good", 1, [_good(AFTER + hostile.name)])


@pytest.fixture(scope="module")
def as_files(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Each input was a file of its own."""
    chunks = [
        chunk
        for hostile in HOSTILE
        for chunk in _between(hostile, files.read_stream(io.BytesIO(hostile.content), hostile.name))
    ]
    return Result(tmp_path_factory.mktemp("files"), chunks)


@pytest.fixture(scope="module")
def as_lines(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """All inputs that fit in a line were lines of one file, each between two good ones."""
    lines = [
        line
        for hostile in ONE_LINE
        for line in (_good(BEFORE + hostile.name), hostile.content, _good(AFTER + hostile.name))
    ]
    read = [
        message for chunk in files.read_stream(io.BytesIO(b"\n".join(lines)), "lines") for message in chunk.messages
    ]
    assert len(read) == len(lines)
    named = [Chunk(hostile.name, 1, read[3 * place : 3 * place + 3]) for place, hostile in enumerate(ONE_LINE)]
    return Result(tmp_path_factory.mktemp("lines"), named)


@pytest.fixture(scope="module", params=["as_files", "as_lines"])
def result(request: pytest.FixtureRequest) -> Result:
    """Either."""
    found: Result = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("hostile", HOSTILE, ids=str)
def test_each_becomes_what_it_is(hostile: Hostile, as_files: Result) -> None:
    """An input alone in a file gives exactly its rows and dead letters, these with a true reason."""
    _check(hostile, as_files)


@pytest.mark.parametrize("hostile", ONE_LINE, ids=str)
def test_each_becomes_the_same_between_others(hostile: Hostile, as_lines: Result) -> None:
    """An input that is a line among others gives the same as it does alone."""
    _check(hostile, as_lines)


def _check(hostile: Hostile, result: Result) -> None:
    letters = result.letters.get(hostile.name, [])
    assert len(result.rows.get(hostile.name, [])) == hostile.rows
    assert len(letters) == hostile.dead_letters, [letter["reason"] for letter in letters]
    assert all(hostile.reason in letter["reason"] for letter in letters), [letter["reason"] for letter in letters]


def test_neighbours_stay_intact(result: Result) -> None:
    """Good messages before and after every input are landed as if it were not there."""
    for name, rows in result.good.items():
        assert [row["message_id"] for row in rows] == [BEFORE + name, AFTER + name]
        for row in rows:
            assert row["event_type"] == "compute.instance.update"
            assert row["instance"] == f"instance of {row['message_id']}"
            assert (row["tenant"], row["state"], row["request_id"]) == ("tenant", "active", "req-1")
            assert json.loads(row["body"]) == body(row["message_id"])


def test_landing_again_adds_nothing(result: Result) -> None:
    """A second run of the whole corpus finds everything landed already."""
    first = result.first
    assert result.second == type(first)(
        notifications=0,
        duplicates=first.notifications + first.duplicates,
        conflicts=0,
        dead_letters=0,
        repeated_dead_letters=first.dead_letters + first.repeated_dead_letters,
        bytes=first.bytes,
    )


def test_nothing_is_lost(as_files: Result, as_lines: Result) -> None:
    """Rows, repetitions and dead letters add up to the messages that went in."""
    good = 2 * len(HOSTILE)
    rows, letters = sum(h.rows for h in HOSTILE), sum(h.dead_letters for h in HOSTILE)
    # `one id, one content` and `one id, other secret` hold one repetition each
    assert _counts(as_files.first) == (good + rows, 2, 1, letters)
    good, rows = 2 * len(ONE_LINE), sum(h.rows for h in ONE_LINE)
    assert _counts(as_lines.first) == (good + rows, 0, 0, sum(h.dead_letters for h in ONE_LINE))


def _counts(landed: Landed) -> tuple[int, int, int, int]:
    return landed.notifications, landed.duplicates, landed.conflicts, landed.dead_letters


def test_no_secret_is_in_any_column(result: Result) -> None:
    """No value of any column of any table holds a secret, hidden by zero bytes or not."""
    with open_lake(result.folder) as lake:
        for table in (NOTIFICATIONS, DEAD_LETTERS):
            for row in lake.sql(f"select * from {table.view}").iter_rows(named=True):
                for name, value in row.items():
                    told = value if isinstance(value, bytes) else str(value).encode()
                    found = [mark for mark in MARKS if mark in told or mark in told.replace(b"\0", b"")]
                    assert not found, (table.name, name, told[:500])


def test_no_secret_is_in_any_file(result: Result) -> None:
    """No file of the lake holds a secret as it lies on disk: statistics, indexes and state included."""
    kinds = set()
    for path in result.folder.rglob("*"):
        if path.is_file():
            kinds.add(path.suffix)
            content = path.read_bytes()
            assert not [mark for mark in MARKS if mark in content], path
    assert kinds >= {".parquet", ".json", ".npy", ".sqlite"}


def test_bodies_and_dead_letters_can_be_read(result: Result) -> None:
    """Every body that was landed is JSON for DuckDB, so that one of them spoils no query over all."""
    with open_lake(result.folder) as lake:
        assert lake.sql("select message_id from notifications where not json_valid(body)").is_empty()
        types = lake.sql("select json_type(body) as type from notifications")["type"]
        assert types.unique().to_list() == ["OBJECT"]
        assert lake.sql("select max(length(reason)) from dead_letters").item() < 400


def test_columns_keep_their_types(result: Result) -> None:
    """Nothing that arrives changes the schema of a table."""
    with open_lake(result.folder) as lake:
        for table in TABLES:
            found = lake.sql(f"select * from {table.view}").schema
            assert found == pl.DataFrame(table.schema.empty_table()).schema
