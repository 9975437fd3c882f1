"""Tenants from files."""

import gzip
import json
from pathlib import Path

import polars as pl
import pytest

from stackanalytics.errors import InputError
from stackanalytics.sources.tenant import ToldTenant, tenants_of_file

EXPECTED = [
    ToldTenant("5877054", "Acme", {"account_type": "managed", "billing_type": "external"}),
    ToldTenant("389886", None, {"billing_type": "internal"}),
]
ROWS = [
    {"tenant": "5877054", "name": "Acme", "account_type": "managed", "billing_type": "external"},
    {"tenant": "389886", "name": None, "account_type": None, "billing_type": "internal"},
]


def written(folder: Path, name: str) -> Path:
    """Write the two tenants as the name of the file says."""
    path = folder / name
    if name.endswith(".parquet"):
        pl.DataFrame(ROWS).write_parquet(path)
    elif name.endswith(".csv"):
        pl.DataFrame(ROWS).write_csv(path)
    else:
        lines = "\n".join(map(json.dumps, ROWS)).encode()
        path.write_bytes(gzip.compress(lines) if name.endswith(".gz") else lines)
    return path


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.jsonl", "t.ndjson", "t.jsonl.gz"])
def test_columns_are_types(tmp_path: Path, name: str) -> None:
    """Beside id and name every column is a type; an empty one is none."""
    assert tenants_of_file(written(tmp_path, name)) == EXPECTED


def test_types_may_stand_in_an_object(tmp_path: Path) -> None:
    """The form of the db interface is read as well; numbers become text."""
    path = tmp_path / "t.jsonl"
    path.write_text(
        '{"tenant": 389886, "name": "B", "types": {"tier": 1}}\n\n{"tenant": "x", "name": "", "types": {}}\n'
    )

    assert tenants_of_file(path) == [ToldTenant("389886", "B", {"tier": "1"}), ToldTenant("x", None, {})]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.txt", "", "must end in .parquet, .csv or .jsonl"),
        ("t.csv", "id,name\n1,a\n", "t.csv, row 1, names no tenant; it has id, name"),
        ("t.csv", "", "t.csv cannot be read as csv"),
        ("t.parquet", "no", "t.parquet cannot be read as parquet"),
        ("t.jsonl", '{"tenant": "1"}\n[1]\n', "t.jsonl, line 2, is no tenant"),
        ("t.jsonl", '{"tenant": ""}', "t.jsonl, line 1, names no tenant"),
        ("t.jsonl", '{"tenant": "1", "tier": [1]}', "tier is [1], but must be a text or a whole number"),
        ("t.jsonl", '{"tenant": 1.5}', "tenant is 1.5, but must be"),
        ("t.jsonl", '{"tenant": "1"', "line 1, is no tenant"),
    ],
)
def test_what_cannot_be_understood_is_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    """The place and what stands there are told."""
    path = tmp_path / name
    path.write_text(content)

    with pytest.raises(InputError) as refused:
        tenants_of_file(path)

    assert message in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A file that is not there is told by its path."""
    with pytest.raises(InputError, match=r"no such file.*t\.csv"):
        tenants_of_file(tmp_path / "t.csv")
