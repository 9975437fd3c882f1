"""A cloud asked through openstacksdk, over HTTP: a small server speaks keystone's, nova's and glance's few words."""

import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from said import DELETED, LIVING, SAID, UNKNOWN

from stackanalytics.errors import InputError, SourceError
from stackanalytics.sources.nova import Cloud

PASSWORD = "s3cret"
IMAGE = "44444444-dddd-4ddd-8ddd-000000000004"
PURGED = "55555555-eeee-4eee-8eee-000000000005"


def _server(id: str, flavor: str, image: str | None, **fields: object) -> dict[str, object]:
    usage = {f"OS-SRV-USG:{name}": value for name, value in fields.items()}
    made_of = {"id": image} if image else ""
    return {"id": id, "tenant_id": "74ff26", "flavor": {"id": flavor}, "image": made_of, **usage}


class Openstack(BaseHTTPRequestHandler):
    """Answers as keystone, nova and glance of one cloud."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[list[str]] = []
    dies_at: ClassVar[str | None] = None
    living: ClassVar = {
        LIVING: _server(LIVING, "2", IMAGE, launched_at="2026-03-01T08:00:00.000000", terminated_at=None)
    }
    deleted: ClassVar = {
        DELETED: _server(
            *(DELETED, "performance1-1", PURGED),
            launched_at="2026-03-01T09:30:15.250000",
            terminated_at="2026-03-02T10:00:00.000000",
        )
    }

    def do_GET(self) -> None:
        """Answer what is asked."""
        url = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        here = f"http://127.0.0.1:{self.server.server_port}"  # type: ignore[attr-defined]  # an HTTPServer's
        if url.path == "/v3":
            self._answer(
                {"version": {"id": "v3.14", "status": "stable", "links": [{"rel": "self", "href": here + "/v3"}]}}
            )
        elif url.path.rstrip("/") == "/compute":
            version = {"id": "v2.1", "status": "CURRENT", "min_version": "2.1", "version": "2.96"}
            self._answer({"version": {**version, "links": [{"rel": "self", "href": here + "/compute"}]}})
        elif url.path.rstrip("/") == "/image":
            self._answer(
                {
                    "versions": [
                        {"id": "v2.9", "status": "CURRENT", "links": [{"rel": "self", "href": here + "/image/v2/"}]}
                    ]
                }
            )
        elif url.path == "/compute/servers/detail":
            self._servers(query)
        elif url.path == f"/image/v2/images/{IMAGE}":
            self._answer(
                {
                    "id": IMAGE,
                    "org.openstack__1__architecture": "x64",
                    "org.openstack__1__os_distro": "org.debian",
                    "org.openstack__1__os_version": "12",
                    "com.rackspace__1__options": "0",
                }
            )
        else:
            self._answer({}, 404)

    def _servers(self, query: dict[str, str]) -> None:
        asked = query["uuid"]
        self.asked.append(asked)
        if asked == self.dies_at:
            self.close_connection = True
            return
        assert query["all_tenants"] == "True"
        assert self.headers["X-OpenStack-Nova-API-Version"] == "2.46"
        known = self.deleted if query["deleted"] == "True" else self.living
        self._answer({"servers": [known[asked]] if asked in known else []})

    def do_POST(self) -> None:
        """Let the administrator in."""
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if given["auth"]["identity"]["password"]["user"]["password"] != PASSWORD:
            self._answer({"error": {"message": "The request you have made requires authentication."}}, 401)
            return
        here = f"http://127.0.0.1:{self.server.server_port}"  # type: ignore[attr-defined]  # an HTTPServer's
        catalog = [_service(kind, f"{here}/{kind}") for kind in ("compute", "image")]
        token = {"methods": ["password"], "expires_at": "2099-01-01T00:00:00.000000Z", "catalog": catalog}
        self._answer({"token": token}, 201, {"X-Subject-Token": "t0ken"})

    def _answer(self, content: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *values: object) -> None:
        """Keep quiet."""


def _service(kind: str, url: str) -> dict[str, object]:
    endpoint = {"id": kind, "interface": "public", "region": "r1", "region_id": "r1", "url": url}
    return {"type": kind, "name": kind, "id": kind, "endpoints": [endpoint]}


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    """Run the server, and name it in clouds.yaml as `test`, and as `wrong` with another password."""
    monkeypatch.setattr(Openstack, "asked", [])
    with ThreadingHTTPServer(("127.0.0.1", 0), Openstack) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        auth = {"auth_url": f"http://127.0.0.1:{server.server_port}/v3", "username": "admin", "project_name": "admin"}
        auth |= {"user_domain_id": "default", "project_domain_id": "default"}
        given = {"test": PASSWORD, "wrong": "Wr0ng"}
        clouds = {
            name: {"auth": {**auth, "password": password}, "region_name": "r1"} for name, password in given.items()
        }
        (tmp_path / "clouds.yaml").write_text(json.dumps({"clouds": clouds}))
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
        yield server
        server.shutdown()


def test_living_and_deleted_instances_are_found(cloud: ThreadingHTTPServer) -> None:
    """An instance is asked for among the living, then among the deleted; the image tells the metadata."""
    done: list[int] = []

    found = Cloud("test").instances([LIVING, DELETED, UNKNOWN], on_progress=done.append)

    assert_frame_equal(found, SAID.with_columns(pl.lit(None, pl.String).alias("instance_type_id")))
    assert Openstack.asked == [LIVING, DELETED, DELETED, UNKNOWN, UNKNOWN]
    assert done == [1, 2, 3]


def test_it_says_what_it_cannot_tell(cloud: ThreadingHTTPServer) -> None:
    """The compute API has no instance_type_id."""
    assert Cloud("test").untold == {"instance_type_id"}
    assert Cloud("test").name == "cloud:test"


def test_a_cloud_that_breaks_off_is_told_of(cloud: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is lost at the second instance gives an error and no part of an answer."""
    monkeypatch.setattr(Openstack, "dies_at", UNKNOWN)

    with pytest.raises(SourceError, match="cloud:test cannot be read: "):
        Cloud("test").instances([LIVING, UNKNOWN])


def test_a_wrong_password_is_told_of(cloud: ThreadingHTTPServer) -> None:
    """What keystone says is repeated, without the password."""
    with pytest.raises(SourceError, match="requires authentication") as failure:
        Cloud("wrong").instances([LIVING])

    assert "Wr0ng" not in str(failure.value)


def test_an_unknown_cloud_is_refused(cloud: ThreadingHTTPServer) -> None:
    """A name that clouds.yaml does not have is what the user gave wrongly."""
    with pytest.raises(InputError, match=r"cloud:other cannot be asked: .*other"):
        Cloud("other").instances([LIVING])


def test_the_missing_extra_is_named() -> None:
    """Without openstacksdk the error says what to install; importing the source does not need it."""
    program = (
        "import sys; sys.modules['openstack'] = None\nfrom stackanalytics.sources.nova import Cloud\nCloud('test')"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert "InputError: asking a cloud needs openstack: pip install 'stackanalytics[openstack]'" in done.stderr
