"""Lakes for the dashboards' tests, and a server that shows one."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stackanalytics import Lake
from stackanalytics.testing import lake_of, notification

SERVE = """
import sys
import dashboards
from stackanalytics.surfaces.server import serve
serve(sys.argv[1], port=0, pages=dashboards.pages(), on_ready=lambda address: print(address, flush=True))
"""
Message = dict[str, object]


@pytest.fixture(scope="session")
def timed() -> Callable[..., list[Message]]:
    """Return a function that makes the start and the end of an operation."""

    def notifications(
        operation: str, start: str, end: str | None, instance: str, *, at: str = "north"
    ) -> list[Message]:
        about = {"instance": instance, "request_id": f"req-{instance}", "deployment": at, "exchange": "nova"}
        steps = [("start", start), *([("end", end)] if end else [])]
        return [notification(f"{operation}.{phase}", moment, **about) for phase, moment in steps]

    return notifications


@pytest.fixture
def small_lake(tmp_path: Path, timed: Callable[..., list[Message]]) -> Lake:
    """Return a lake with three creates (10 s, 20 s, 90 s), a delete (3 s), and a delete that did not end."""
    create, delete = "compute.instance.create", "compute.instance.delete"
    return lake_of(
        tmp_path / "lake",
        [
            *timed(create, "2026-03-02 10:00:00", "2026-03-02 10:00:10", "i-1"),
            *timed(create, "2026-03-02 11:00:00", "2026-03-02 11:00:20", "i-2"),
            *timed(create, "2026-03-03 10:00:00", "2026-03-03 10:01:30", "i-3", at="south"),
            *timed(delete, "2026-03-03 12:00:00", "2026-03-03 12:00:03", "i-1"),
            *timed(delete, "2026-03-03 13:00:00", None, "i-2"),
        ],
    )


@pytest.fixture
def empty_lake(tmp_path: Path) -> Lake:
    """Return a lake without notifications."""
    return lake_of(tmp_path / "empty", [])


@pytest.fixture(scope="session")
def served() -> Iterator[Callable[[Path], str]]:
    """Return a function that serves the lake in a folder, with its dashboards, and returns the address."""
    running: list[subprocess.Popen[str]] = []

    def serve(folder: Path) -> str:
        command = [sys.executable, "-c", SERVE, str(folder)]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        assert running[-1].stdout is not None
        return running[-1].stdout.readline().strip().rstrip("/")

    yield serve
    for server in running:
        server.terminate()
        server.wait(timeout=30)
