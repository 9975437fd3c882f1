"""The examples of the db interface in the documentation: each is run against a server, and true."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from billed import billing
from serving import started

from stackanalytics.surfaces import usage

ROOT = Path(__file__).parents[1]
ADDRESS = "http://127.0.0.1:8000"
BLOCK = re.compile(r"^```(sh|json)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
STATUS = "\n%{http_code} %{method}"


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """The address of a server of a lake with two instances and two images."""
    billing(tmp_path).close()
    with started(tmp_path) as (address, _):
        yield address


def examples(path: Path) -> list[tuple[str, object]]:
    """The commands of a page, each with what the page says that it answers, if it does."""
    found: list[tuple[str, object]] = []
    for kind, text in BLOCK.findall(path.read_text()):
        if kind == "sh":
            commands = re.split(r"\n(?=\S)", text.strip())
            found += [(command, None) for command in commands if command.startswith("curl ")]
        else:
            found[-1] = found[-1][0], json.loads(text)
    return found


def run(command: str, url: str) -> tuple[int, str, str]:
    """Run a command; return status, method and body."""
    command = command.replace("curl ", f"curl --silent --write-out '{STATUS}' ", 1).replace(ADDRESS, url)
    output = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True, timeout=60).stdout
    body, _, last = output.rpartition("\n")
    status, method = last.split()
    return int(status), method, body


@pytest.mark.parametrize("page", ["README.md", "docs/db.md"])
def test_the_examples_are_true(url: str, page: str) -> None:
    """Every example is answered, as the page says, and there is one for every path and for each way to write."""
    asked = set()
    for command, expected in examples(ROOT / page):
        if "/db/" not in command:
            continue
        status, method, body = run(command, url)
        if isinstance(expected, dict) and "status" in expected:
            assert status == expected["status"], command
        else:
            assert status == 200, (command, body)
        if expected is not None:
            assert json.loads(body) == expected, command
        assert (body == "") == ("/confirm/" in command or ("/tenant/" in command and method != "GET"))
        [path] = re.findall(rf"{ADDRESS}(/[^?' ]*)", command)
        asked |= {
            route.path
            for route in usage.SURFACE.routes
            if re.fullmatch(route.pattern, path) and (route.method == "GET") == (method == "GET")
        }
    written = {(route.path, route.method != "GET") for route in usage.SURFACE.routes}
    assert {path for path, _ in written} <= asked
