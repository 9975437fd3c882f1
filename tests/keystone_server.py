"""A keystone over HTTP, as far as listing projects needs it: versions, tokens, and projects by pages."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

PASSWORD = "s3cr/t:p@ss"
TOKEN = "t0ken"


class Keystone(ThreadingHTTPServer):
    """The identity service of a cloud.

    It has ``projects``, and gives at most ``page`` of them at once, nonsense if that is 0; it breaks
    off at the page after the project ``dies_at``. Where it ``truncates`` it has no further pages, as
    with a ``list_limit``. ``asked`` are the paths that were asked for, with their queries.
    """

    daemon_threads = True

    def __init__(self, projects: Sequence[dict[str, Any]], *, page: int, dies_at: str | None, truncates: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.projects, self.page, self.dies_at, self.truncates = projects, page, dies_at, truncates
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        """Where it is found."""
        return f"http://127.0.0.1:{self.server_port}"

    def projects_after(self, marker: str | None) -> dict[str, Any]:
        """Return a page of projects: those that follow the one with the id *marker*."""
        ids = [project["id"] for project in self.projects]
        first = 0 if marker is None else ids.index(marker) + 1
        shown = self.projects[first : first + self.page]
        has_more = first + self.page < len(ids)
        links = {"next": None, "previous": None, "self": "http://behind-a-proxy/v3/projects"}
        if has_more and self.truncates:
            return {"projects": shown, "links": links, "truncated": True}
        if has_more:
            links["next"] = f"{links['self']}?limit={self.page}&marker={shown[-1]['id']}"
        return {"projects": shown, "links": links}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Keystone

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        url = urlsplit(self.path)
        version = {
            "id": "v3.14",
            "status": "stable",
            "links": [{"rel": "self", "href": f"{self.server.address}/v3/"}],
            "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
        }
        if url.path == "/":
            self._answer({"versions": {"values": [version]}}, 300)
        elif url.path.rstrip("/") == "/v3":
            self._answer({"version": version})
        elif self.headers["X-Auth-Token"] != TOKEN:
            self._answer({"error": {"code": 401, "message": "The request you have made requires authentication."}}, 401)
        elif self.server.page == 0:
            self._answer({"error": "a proxy says hello"})
        elif url.path == "/v3/projects":
            self._projects(parse_qs(url.query).get("marker", [None])[-1])
        else:
            self._answer({"error": {"code": 404, "message": f"Could not find {url.path}."}}, 404)

    def _projects(self, marker: str | None) -> None:
        if marker is not None and marker == self.server.dies_at:
            self.close_connection = True
        else:
            self._answer(self.server.projects_after(marker))

    def do_POST(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        user = given["auth"]["identity"]["password"]["user"]
        if (self.path, user["name"], user["password"]) != ("/v3/auth/tokens", "admin", PASSWORD):
            self._answer({"error": {"code": 401, "message": "The request you have made requires authentication."}}, 401)
            return
        endpoint = {"id": "e", "interface": "public", "region": "r1", "region_id": "r1", "url": self.server.address}
        catalog = [{"type": "identity", "name": "keystone", "id": "k", "endpoints": [endpoint]}]
        token = {"methods": ["password"], "expires_at": "2099-01-01T00:00:00.000000Z", "catalog": catalog}
        self._answer({"token": token}, 201, {"X-Subject-Token": TOKEN})

    def _answer(self, content: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        given = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
        for name, value in given.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *values: object) -> None:
        """Keep quiet."""


@contextmanager
def running(
    folder: Path,
    projects: Sequence[dict[str, Any]],
    *,
    page: int = 1000,
    dies_at: str | None = None,
    truncates: bool = False,
) -> Iterator[Keystone]:
    """Run a keystone; clouds.yaml in *folder* names it ``test``, and ``wrong`` with another password."""
    with Keystone(projects, page=page, dies_at=dies_at, truncates=truncates) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        auth = {"auth_url": server.address, "username": "admin", "project_name": "admin"}
        auth |= {"user_domain_id": "default", "project_domain_id": "default"}
        clouds = {
            name: {"auth": {**auth, "password": password}, "region_name": "r1"}
            for name, password in {"test": PASSWORD, "wrong": "Wr0ng"}.items()
        }
        (folder / "clouds.yaml").write_text(json.dumps({"clouds": clouds}))
        try:
            yield server
        finally:
            server.shutdown()


def project(id: str, name: str, **fields: object) -> dict[str, Any]:
    """Make a project as keystone tells it: with all of its own fields, and whatever else was set on it."""
    own = {"domain_id": "default", "parent_id": "default", "description": "", "enabled": True, "is_domain": False}
    return {"id": id, "name": name, **own, "options": {}, "tags": [], "links": {"self": f"http://k/{id}"}, **fields}
