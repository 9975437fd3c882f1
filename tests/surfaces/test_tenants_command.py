"""Taking down tenants."""

import csv
from pathlib import Path

import keystone_server
import pytest
from click.testing import CliRunner
from keystone_server import project

import stackanalytics as sa
from stackanalytics.surfaces.tenants_command import tenants
from stackanalytics.testing import lake_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty lake."""
    lake_of(tmp_path / "lake", []).close()
    return tmp_path / "lake"


def take_down(folder: Path, rows: list[list[str]]) -> str:
    """Take down tenants from CSV; return what is said."""
    path = folder.with_suffix(".csv")
    with path.open("w", newline="") as opened:
        csv.writer(opened).writerows(rows)
    done = CliRunner().invoke(tenants, [str(path), "--lake", str(folder)], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stderr


def test_tenants_are_taken_down_and_replaced(folder: Path) -> None:
    """Reports know what was told last; of a tenant told twice in one file the last row counts."""
    said = take_down(folder, [["tenant", "name", "tier"], ["1", "A", "gold"], ["2", "B", ""], ["1", "A2", "silver"]])
    assert "2 tenants taken down; 2 are known" in said

    take_down(folder, [["tenant", "name", "tier"], ["2", "B2", "gold"]])

    with sa.open_lake(folder) as lake:
        known = {row["tenant"]: (row["account_name"], row["tenant_types"]) for row in sa.tenants(lake).to_dicts()}
    assert known == {
        "1": ("A2", [{"name": "tier", "value": "silver"}]),
        "2": ("B2", [{"name": "tier", "value": "gold"}]),
    }


def test_many_at_once(folder: Path) -> None:
    """A hundred thousand tenants with two types each are one transaction of seconds."""
    rows = [[str(number), f"tenant {number}", "gold", "external"] for number in range(100_000)]

    assert "100,000 are known" in take_down(folder, [["tenant", "name", "tier", "billing_type"], *rows])


def test_a_cloud_tells_names_and_types(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names and types come from keystone; types that it does not tell, and tenants that it does not have, stay."""
    take_down(folder, [["tenant", "name", "tier", "kind"], ["1", "A", "gold", "old"], ["2", "B", "gold", "old"]])
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(folder.parent / "clouds.yaml"))
    projects = [project("1", "Acme", kind="new"), project("3", "Duck", tags=["tier=silver"])]

    with keystone_server.running(folder.parent, projects, page=1):
        done = CliRunner().invoke(tenants, ["--cloud", "test", "--lake", str(folder)], catch_exceptions=False)

    assert "2 tenants taken down; 3 are known" in done.stderr
    with sa.open_lake(folder) as lake:
        known = {
            row["tenant"]: (row["account_name"], [(told["name"], told["value"]) for told in row["tenant_types"]])
            for row in sa.tenants(lake).to_dicts()
        }
    assert known == {
        "1": ("Acme", [("kind", "new"), ("tier", "gold")]),
        "2": ("B", [("kind", "old"), ("tier", "gold")]),
        "3": ("Duck", [("tier", "silver")]),
    }


@pytest.mark.parametrize("arguments", [[], ["t.csv", "--cloud", "c"]])
def test_one_source_is_given(folder: Path, arguments: list[str]) -> None:
    """Without a file or a cloud, and with both, it is told what to give."""
    with pytest.raises(sa.InputError, match="either a file"):
        CliRunner().invoke(tenants, [*arguments, "--lake", str(folder)], catch_exceptions=False)
