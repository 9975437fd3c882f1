"""Ceilometer's API v2 over HTTP: what only a server shows, such as headers, kept answers and what was just written."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests
from serving import running

from stackanalytics.surfaces.metering_query import LARGEST_BODY
from stackanalytics.testing import sample, samples_of

APPLE = {
    "counter_name": "apples",
    "counter_type": "gauge",
    "counter_unit": "apple",
    "counter_volume": 3,
    "resource_id": "tree",
    "timestamp": "2013-01-01T00:00:00",
}
MEMBER = {"X-Roles": "member", "X-Project-Id": "p1"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a lake with three samples of two projects."""
    told = [sample("cpu", f"2013-01-01 0{hour}:00", hour, tenant=f"p{hour % 2 + 1}") for hour in range(3)]
    samples_of(tmp_path, told).close()
    return tmp_path


@pytest.fixture
def url(folder: Path) -> Iterator[str]:
    """The address of a server of that lake that writes."""
    with running(folder, allow_writes=True) as address:
        yield address


def get(url: str, **headers: str) -> requests.Response:
    """Return what there is at an address."""
    return requests.get(url, headers={name.replace("_", "-"): value for name, value in headers.items()}, timeout=60)


def test_pages_can_be_followed(url: str) -> None:
    """The link of each page leads to the next one, until all samples came, also when the answers were kept."""
    for _ in range(2):
        volumes, address = [], f"{url}/v2/samples?limit=2&s=volume"
        while address:
            page = get(address)
            assert page.headers["X-Total-Count"] == "3"
            assert page.headers["Content-Type"] == "application/json"
            volumes += [row["volume"] for row in page.json()]
            following = page.links.get("next")
            assert (page.headers["X-Truncated"] == "true") == (following is not None)
            address = urljoin(page.url, following["url"]) if following else ""
        assert volumes == [2, 1, 0]


def test_kept_answers_are_of_who_asked(url: str) -> None:
    """Whoever asks first, others get what they may see, and links to where they asked."""
    volumes = [
        [row["volume"] for row in requests.get(f"{url}/v2/samples", headers=headers, timeout=60).json()]
        for headers in ({}, MEMBER, {**MEMBER, "X-Project-Id": "p2"}, {}, MEMBER)
    ]
    assert volumes == [[2, 1, 0], [2, 0], [1], [2, 1, 0], [2, 0]]
    for host in ("one:1", "other:2"):
        [link] = get(f"{url}/v2/resources/r?s=links", Host=host).json()["links"][:1]
        assert link["href"] == f"http://{host}/v2/resources/r"


def test_bodies_are_questions_too(url: str) -> None:
    """Answers to different bodies differ."""
    for limit in (1, 2, 1):
        told = requests.post(f"{url}/v2/query/samples", json={"limit": limit}, timeout=60)
        assert (told.status_code, len(told.json())) == (200, limit)
        assert len(requests.get(f"{url}/v2/samples", json={"limit": limit}, timeout=60).json()) == limit


def test_what_was_written_is_seen_at_once(url: str) -> None:
    """The next reader sees samples that were posted, what a meter was said to be, and that it was deleted."""
    path = f"{url}/v2/meters/apples"
    assert get(path).json() == []
    posted = requests.post(path, json=[APPLE], timeout=60)
    assert (posted.status_code, posted.json()[0]["counter_volume"]) == (201, 3.0)
    assert get(f"{path}/statistics?s=sum&s=unit").json() == [{"sum": 3.0, "unit": "apple"}]
    assert requests.put(path, json={"unit": "fruit"}, timeout=60).json()["unit"] == "fruit"
    assert get(f"{path}/statistics?s=sum&s=unit").json() == [{"sum": 3.0, "unit": "fruit"}]
    deleted = requests.delete(path, timeout=60)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert get(path).json() == []
    assert requests.delete(path, timeout=60).status_code == 404


def test_large_bodies(url: str) -> None:
    """What is larger than the limit is refused in Ceilometer's form."""
    told = requests.post(f"{url}/v2/meters/apples", data=b" " * (LARGEST_BODY + 1), timeout=60)

    assert (told.status_code, str(LARGEST_BODY) in told.json()["error_message"]["faultstring"]) == (413, True)


def test_a_server_that_only_reads(folder: Path) -> None:
    """Without being told to write, a server refuses what writes, and answers what is asked in a body."""
    with running(folder) as url:
        for method in ("POST", "PUT", "DELETE"):
            told = requests.request(method, f"{url}/v2/meters/cpu", json=[APPLE], timeout=60)
            assert told.status_code == 403
            assert "--allow-writes" in told.json()["error_message"]["faultstring"]
        assert requests.post(f"{url}/v2/query/samples", json={}, timeout=60).status_code == 200
        assert requests.post(f"{url}/v2/alarms", json={}, timeout=60).status_code == 410


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/v2/nothing", {}, 404),
        ("GET", "/meters/x/y", {}, 404),
        ("POST", "/v2/samples", {}, 405),
        ("PATCH", "/v2/meters/cpu", {}, 405),
        ("GET", "/v2/meters", {"Accept": "application/xml"}, 406),
        ("GET", "/v2/alarms", {}, 410),
    ],
)
def test_what_http_refuses_is_told_as_text(
    url: str, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    """What HTTP itself refuses has a text where other errors have an object."""
    told = requests.request(method, url + path, headers=headers, timeout=60)

    assert told.status_code == status
    assert isinstance(told.json()["error_message"], str)
    if path == "/v2/meters/cpu":
        assert told.headers["Allow"] == "DELETE, GET, HEAD, POST, PUT"


def test_bytes_that_are_no_text(url: str) -> None:
    """A query or a path that is no UTF-8 is refused, and does no harm."""
    for path in ("/v2/samples?q.field=%ff", "/v2/meters/%ff", "/v2/resources/%ff%00"):
        told = get(url + path)
        assert told.status_code == 400
        assert set(told.json()) == {"error_message"}
