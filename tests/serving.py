"""A server of a lake, for the time of a test."""

import asyncio
import os
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from stackanalytics.surfaces import handlers, server
from stackanalytics.surfaces.answers import Answers
from stackanalytics.surfaces.current import CurrentLake
from stackanalytics.surfaces.route import Surface


@contextmanager
def running(folder: Path, *surfaces: Surface, allow_writes: bool = False) -> Iterator[str]:
    """A server of a lake in a thread, with the usual surfaces or others; yields its address."""
    started: queue.Queue[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]] = queue.Queue()

    async def run() -> None:
        with CurrentLake(folder) as current:
            answers, stop = Answers(current), asyncio.Event()
            http = HTTPServer(_app(answers, surfaces, allow_writes))
            sockets = bind_sockets(0, "127.0.0.1")
            http.add_sockets(sockets)
            started.put((asyncio.get_running_loop(), stop, sockets[0].getsockname()[1]))
            await stop.wait()
            http.stop()
            await http.close_all_connections()
            await answers.close()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    loop, stop, port = started.get(timeout=60)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


def _app(answers: Answers, surfaces: Sequence[Surface], allow_writes: bool) -> Application:
    if not surfaces:
        return server.make_app(answers, allow_writes=allow_writes)
    rules = handlers.json_rules(answers, surfaces, allow_writes=allow_writes)
    return Application(rules, **handlers.app_settings(surfaces))


@contextmanager
def started(folder: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """A server that writes, in a process of its own, as the command line starts it: its address, the process."""
    command = [sys.executable, "-m", "stackanalytics", "serve", "--lake", folder, "--port", "0", "--allow-writes"]
    wide = os.environ | {"COLUMNS": "500"}  # or the line with the address is broken
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=wide) as process:
        try:
            assert process.stderr is not None
            said = re.search(r"http://[\d.]+:\d+", process.stderr.readline())
            assert said is not None
            yield said[0], process
        finally:
            process.kill()
