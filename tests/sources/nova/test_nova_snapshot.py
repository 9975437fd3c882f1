"""Snapshots of nova's instances: three formats say the same, and what cannot be understood is refused."""

import gzip
import json
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal
from said import DELETED, LIVING, SAID, UNKNOWN

from stackanalytics.errors import InputError
from stackanalytics.schema import NOVA_FIELDS
from stackanalytics.sources.nova import Snapshot

CSV = f"""\
instance,tenant,instance_type_id,instance_flavor_id,launched_at,deleted_at,is_deleted,os_architecture,os_distro,os_version,rax_options,note
{LIVING},74ff26,5,2,2026-03-01 08:00:00,NULL,0,x64,org.debian,12,0,"a, b"
{DELETED},74ff26,6,performance1-1,2026-03-01T09:30:15.250000Z,2026-03-02 12:00:00+02:00,1,,,\\N,,
"""
LINES = [
    {
        "instance": LIVING,
        "tenant": "74ff26",
        "instance_type_id": 5,
        "instance_flavor_id": "2",
        "launched_at": "2026-03-01 08:00:00",
        "deleted_at": None,
        "is_deleted": False,
        "os_architecture": "x64",
        "os_distro": "org.debian",
        "os_version": 12,
        "rax_options": "0",
        "note": {"not": ["read"]},
    },
    {
        "instance": DELETED,
        "tenant": "74ff26",
        "instance_type_id": "6",
        "instance_flavor_id": "performance1-1",
        "launched_at": "2026-03-01 09:30:15.25",
        "deleted_at": "2026-03-02T10:00:00Z",
        "is_deleted": 2,
        "os_distro": "",
        "rax_options": None,
    },
]


def _read(path: Path, *wanted: str) -> pl.DataFrame:
    return Snapshot(path).instances(wanted or (LIVING, DELETED, UNKNOWN))


def _parquet(folder: Path, frame: pl.DataFrame) -> Path:
    frame.write_parquet(folder / "nova.parquet")
    return folder / "nova.parquet"


def _text(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


# what is understood


def test_formats_say_the_same(tmp_path: Path) -> None:
    """Parquet, CSV and JSON lines give equal frames, times with offsets and numbers as texts included."""
    lines = "\n".join(json.dumps(line) for line in LINES)

    assert_frame_equal(_read(_parquet(tmp_path, SAID)), SAID)
    assert_frame_equal(_read(_text(tmp_path, "nova.csv", CSV)), SAID)
    assert_frame_equal(_read(_text(tmp_path, "nova.jsonl", lines)), SAID)


def test_packed_files_are_read(tmp_path: Path) -> None:
    """CSV and JSON lines may be packed with gzip and zstd."""
    lines = "\n".join(json.dumps(line) for line in LINES).encode()
    (tmp_path / "nova.CSV.gz").write_bytes(gzip.compress(CSV.encode()))
    (tmp_path / "nova.2026-03-02.ndjson.gz").write_bytes(gzip.compress(lines))
    (tmp_path / "nova.csv.zst").write_bytes(pa.compress(CSV.encode(), codec="zstd", asbytes=True))

    for path in sorted(tmp_path.iterdir()):
        assert_frame_equal(_read(path), SAID)


def test_only_what_is_wanted_is_given(tmp_path: Path) -> None:
    """An instance that nobody asked for is left out, one that is not there has no row."""
    path = _text(tmp_path, "nova.csv", CSV)

    assert _read(path, DELETED, UNKNOWN)["instance"].to_list() == [DELETED]
    assert_frame_equal(_read(path, UNKNOWN), SAID.clear())


@pytest.mark.parametrize(
    ("type", "launched"),
    [
        (pl.Datetime("ms"), datetime(2026, 3, 1, 8)),
        (pl.Datetime("ns", "UTC"), datetime(2026, 3, 1, 8, tzinfo=UTC)),
        (pl.Datetime("us", "America/Chicago"), datetime(2026, 3, 1, 8, tzinfo=UTC)),
    ],
    ids=str,
)
def test_zones_of_parquet_are_minded(type: pl.DataType, launched: datetime, tmp_path: Path) -> None:
    """A column without a zone is in UTC, one of another zone is converted."""
    frame = SAID.head(1).with_columns(pl.Series("launched_at", [launched]).cast(type))

    assert _read(_parquet(tmp_path, frame))["launched_at"].to_list() == [datetime(2026, 3, 1, 8, tzinfo=UTC)]


def test_typed_columns_may_be_of_other_types(tmp_path: Path) -> None:
    """Numbers serve as texts and as flags, categories as texts, and columns of nothing as null."""
    frame = SAID.with_columns(
        pl.col("instance_type_id").cast(pl.Int32),
        pl.col("tenant").cast(pl.Categorical),
        pl.Series("is_deleted", [0, 4711], pl.Int64),
        pl.lit(None).alias("rax_options"),
    )

    assert_frame_equal(
        _read(_parquet(tmp_path, frame)), SAID.with_columns(pl.lit(None, pl.String).alias("rax_options"))
    )


def test_rows_that_say_the_same_count_once(tmp_path: Path) -> None:
    """A row that is repeated, if spelled otherwise, is no contradiction."""
    again = CSV.splitlines()[1].replace("08:00:00", "08:00:00.000").replace(",0,x64", ",false,x64")

    assert_frame_equal(_read(_text(tmp_path, "nova.csv", CSV + again + "\n")), SAID)


# what is refused


def _refused(path: Path) -> str:
    with pytest.raises(InputError) as refusal:
        _read(path)
    assert str(path.name) in str(refusal.value)
    return str(refusal.value)


def test_missing_columns_are_named(tmp_path: Path) -> None:
    """What is missing is told in every format, before a value is looked at."""
    lines = [{name: line[name] for name in ("instance", "tenant")} for line in LINES]
    written = [
        _parquet(tmp_path, SAID.drop("os_distro", "is_deleted")),
        _text(tmp_path, "nova.csv", "instance,tenant\nx,y\n"),
        _text(tmp_path, "nova.jsonl", "\n".join(map(json.dumps, lines))),
    ]

    parquet, csv, json_lines = map(_refused, written)
    assert "lacks the columns os_distro, is_deleted. It needs instance" in parquet
    assert "lacks the columns launched_at, deleted_at, instance_type_id" in csv
    assert "lacks the columns launched_at, deleted_at, instance_type_id" in json_lines


@pytest.mark.parametrize(
    ("column", "values", "told"),
    [
        ("launched_at", [1, 2], "Int64 in the column launched_at; times are needed"),
        ("launched_at", [date(2026, 3, 1)] * 2, "Date in the column launched_at"),
        ("launched_at", ["yesterday", "2026-03-01 08:00:00"], "'yesterday' in the column launched_at, which is not"),
        ("instance_type_id", [5.0, None], "Float64 in the column instance_type_id; text or whole numbers"),
        ("tenant", [["a"], ["b"]], "List(String) in the column tenant"),
        ("is_deleted", ["no", "0"], "'no' in the column is_deleted, which is not true, false or a number"),
        ("is_deleted", [None, True], "1 rows without is_deleted"),
        ("instance", [None, LIVING], "1 rows without instance"),
        ("instance", ["", LIVING], "1 rows without instance"),
        ("instance", [[LIVING], [DELETED]], "List(String) in the column instance"),
    ],
)
def test_wrong_types_and_values_are_named(column: str, values: list[object], told: str, tmp_path: Path) -> None:
    """A value that could be misread is refused, with its column."""
    assert told in _refused(_parquet(tmp_path, SAID.with_columns(pl.Series(column, values))))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("no JSON", "line 2, is no record"),
        ("[1]", "line 2, is no record"),
        ('{"instance": {"uuid": "x"}}', "$.instance"),
        ('{"instance": "x", "instance_type_id": 5.5}', "$.instance_type_id"),
    ],
)
def test_wrong_lines_are_named(line: str, told: str, tmp_path: Path) -> None:
    """A line that is no record is refused, with its number or what is wrong in it."""
    assert told in _refused(_text(tmp_path, "nova.jsonl", json.dumps(LINES[0]) + "\n" + line + "\n"))


def test_different_records_of_an_instance_are_refused(tmp_path: Path) -> None:
    """Of two records that contradict each other none is taken, unless nobody asks for them."""
    path = _parquet(tmp_path, pl.concat([SAID, SAID.with_columns(pl.lit("9").alias("tenant")).head(1)]))

    assert f"different records of 1 instances, such as {LIVING}" in _refused(path)
    assert _read(path, DELETED).height == 1


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("nova.xlsx", b"PK", "is no snapshot: its name must end in .parquet, .csv or .jsonl"),
        ("nova", b"", "is no snapshot"),
        ("nova.parquet", b"PAR1 nonsense", "cannot be read as parquet"),
        ("nova.csv", b"", "cannot be read as csv"),
        ("nova.csv", b"\xff\xfe\x00a,b\n", "nova.csv"),
        ("nova.jsonl.gz", b"\x1f\x8b\x08\x00broken", "cannot be read"),
        ("nova.jsonl", b"", f"lacks the columns {', '.join(NOVA_FIELDS)}"),
    ],
)
def test_files_that_are_none_are_refused(name: str, content: bytes, told: str, tmp_path: Path) -> None:
    """A file that is empty, cut short or something else is told of by its name."""
    (tmp_path / name).write_bytes(content)

    assert told in _refused(tmp_path / name)


@pytest.mark.parametrize("name", ["none.parquet", "none.csv", "none.jsonl", "no?e.parquet"])
def test_a_missing_file_is_refused(name: str, tmp_path: Path) -> None:
    """A file that is not there is told of, and a pattern is only a name."""
    assert "no such file" in _refused(tmp_path / name)
