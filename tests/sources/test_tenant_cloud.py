"""Tenants from keystone, asked through openstacksdk over HTTP."""

from pathlib import Path

import keystone_server
import pytest
from keystone_server import PASSWORD, project

from stackanalytics.errors import InputError, SourceError
from stackanalytics.sources.tenant import ToldTenant, tenants_of_cloud

MANY = [project(f"p{number}", f"project {number}") for number in range(7)]


@pytest.fixture(autouse=True)
def clouds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clouds are named in a clouds.yaml of the test."""
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))


def test_attributes_and_tags_are_types(tmp_path: Path) -> None:
    """What was set on a project beside keystone's own fields is a type, and so is a tag with a value."""
    projects = [
        project("5877054", "Acme", account_type="managed", tier=1, contact={"mail": "a@b"}, is_test=True, note=""),
        project("389886", "Bé 🦆", tags=["billing_type=internal", "urgent", "=x", "x="], domain_id="d2", enabled=False),
        project("1", "", tags=["tier=tagged"], tier="set"),
    ]
    with keystone_server.running(tmp_path, projects):
        found = tenants_of_cloud("test")

    assert found == [
        ToldTenant("5877054", "Acme", {"account_type": "managed", "tier": "1"}),
        ToldTenant("389886", "Bé 🦆", {"billing_type": "internal"}),
        ToldTenant("1", None, {"tier": "set"}),
    ]


def test_every_page_is_read(tmp_path: Path) -> None:
    """Where keystone gives its projects by pages, all pages are asked for, each once."""
    with keystone_server.running(tmp_path, MANY, page=3) as server:
        found = tenants_of_cloud("test")

    assert found == [ToldTenant(f"p{number}", f"project {number}", {}) for number in range(7)]
    asked = [path for path in server.asked if path.startswith("/v3/projects")]
    assert asked == ["/v3/projects", "/v3/projects?limit=3&marker=p2", "/v3/projects?limit=3&marker=p5"]


def test_a_list_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    """Where keystone tells a part of its projects only, that is an error, and not taken for all of them."""
    with (
        keystone_server.running(tmp_path, MANY, page=3, truncates=True),
        pytest.raises(SourceError, match="keystone does not tell all projects"),
    ):
        tenants_of_cloud("test")


def test_a_cloud_that_breaks_off_is_told_of(tmp_path: Path) -> None:
    """A connection that is lost at the second page gives an error and no part of an answer."""
    with (
        keystone_server.running(tmp_path, MANY, page=3, dies_at="p2"),
        pytest.raises(SourceError, match="cloud:test cannot be read: "),
    ):
        tenants_of_cloud("test")


def test_nonsense_is_told_of(tmp_path: Path) -> None:
    """What is no list of projects is an error that names where it came from."""
    with keystone_server.running(tmp_path, MANY, page=0), pytest.raises(SourceError, match=r"/v3/projects answers "):
        tenants_of_cloud("test")


def test_a_wrong_password_is_told_of(tmp_path: Path) -> None:
    """What keystone says is repeated, without any password."""
    with (
        keystone_server.running(tmp_path, MANY),
        pytest.raises(SourceError, match="requires authentication") as failure,
    ):
        tenants_of_cloud("wrong")

    assert "Wr0ng" not in str(failure.value)
    assert PASSWORD not in str(failure.value)


def test_an_unknown_cloud_is_refused(tmp_path: Path) -> None:
    """A name that clouds.yaml does not have is what the user gave wrongly."""
    with keystone_server.running(tmp_path, MANY), pytest.raises(InputError, match="cloud:other cannot be asked"):
        tenants_of_cloud("other")
