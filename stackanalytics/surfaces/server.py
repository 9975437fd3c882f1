"""The server: JSON for scripts and pages for people, in one process.

Requests for JSON are answered from what was kept, or in a thread; the event loop never waits for
a query. Pages are Panel applications that whoever starts the server hands in; Panel is imported
only where there are some.
"""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeAlias

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from stackanalytics.lake import Lake
from stackanalytics.surfaces import download, metering, stacky, usage
from stackanalytics.surfaces.answers import Answers
from stackanalytics.surfaces.current import CurrentLake
from stackanalytics.surfaces.handlers import Rule, app_settings, json_rules
from stackanalytics.surfaces.route import first_sentence

Page: TypeAlias = Callable[[Callable[[], Lake]], Any]
Started: TypeAlias = tuple[int, Callable[[], None]]

SURFACES = (stacky.SURFACE, usage.SURFACE, *metering.SURFACES, download.SURFACE)
PAGES = "stackanalytics.pages"


def serve(
    lake_path: Path | str,
    *,
    address: str = "127.0.0.1",
    port: int = 8000,
    allow_writes: bool = False,
    pages: Mapping[str, Page] | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve a lake over HTTP until SIGINT or SIGTERM.

    Parameters
    ----------
    lake_path
        Folder of the lake.
    address
        Address to listen at; ``0.0.0.0`` for every one of this machine.
    port
        Port to listen at; 0 for any that is free.
    allow_writes
        Whether requests may change the lake.
    pages
        Dashboards by the last part of their path: functions that are given the lake as a
        function (to be called whenever data is needed, since the lake grows) and return what
        Panel can show. The first line of their docstring is shown on the front page; one named
        ``""`` takes its place, and leaves it at ``/routes``. One with an attribute ``prepare``, a
        function, has that called in a thread at the start: to import what it needs. None for JSON only.
    on_ready
        Called with the address of the front page once requests are answered.

    Raises
    ------
    LakeError
        If there is no lake in the folder.
    OSError
        If the address and port cannot be listened at.
    """
    with CurrentLake(lake_path) as current:
        asyncio.run(_serve(current, address, port, allow_writes, pages or {}, on_ready))


def installed_pages() -> dict[str, Page]:
    """Return the pages that installed packages offer.

    A package offers them under an entry point of the group ``stackanalytics.pages``, which names
    a function without parameters that returns pages as :func:`serve` takes them.
    """
    found: dict[str, Page] = {}
    for entry_point in entry_points(group=PAGES):
        found |= entry_point.load()()
    return found


def make_app(answers: Answers, *, allow_writes: bool = False) -> Application:
    """Return the application that serves JSON and the front page, but no dashboards."""
    return Application(json_rules(answers, SURFACES, allow_writes=allow_writes), **app_settings(SURFACES))


async def _serve(
    current: CurrentLake,
    address: str,
    port: int,
    allow_writes: bool,
    pages: Mapping[str, Page],
    on_ready: Callable[[str], None] | None,
) -> None:
    stop = asyncio.Event()
    answers = Answers(current)
    if pages:
        abouts = {name: first_sentence(page) for name, page in pages.items()}
        rules = json_rules(answers, SURFACES, pages=abouts, allow_writes=allow_writes)
        port, close = _start_pages(current, pages, rules, address, port)
    else:
        port, close = _start_json(make_app(answers, allow_writes=allow_writes), address, port)
    _on_signal(stop.set)
    if on_ready is not None:
        on_ready(f"http://{address}:{port}/")
    await stop.wait()
    close()
    await answers.close()


def _start_json(app: Application, address: str, port: int) -> Started:
    """Start without dashboards; return the port, and what has the server accept nothing more."""
    sockets = bind_sockets(port, address)
    server = HTTPServer(app)
    server.add_sockets(sockets)
    return sockets[0].getsockname()[1], server.stop


def _start_pages(
    current: CurrentLake, pages: Mapping[str, Page], rules: list[Rule], address: str, port: int
) -> Started:
    """Start with dashboards, likewise."""
    from panel.io.server import get_server  # takes seconds, which JSON alone need not wait for

    port = port or _free_port(address)
    applications: Any = {f"/{name}": _for_visitors(page, current) for name, page in pages.items()}
    server = get_server(
        applications,
        address=address,
        port=port,
        websocket_origin=_origins(address, port),
        extra_patterns=rules,
        **app_settings(SURFACES),
    )
    server.start()
    threading.Thread(target=_prepare, args=(pages.values(),), name="prepare-pages", daemon=True).start()
    return port, partial(server.stop, wait=False)


def _prepare(pages: Iterable[Page]) -> None:
    """Import what pages need, so that the event loop need not do it for their first visitors."""
    for page in pages:
        prepare = getattr(page, "prepare", None)
        if prepare is not None:
            prepare()


def _for_visitors(page: Page, current: CurrentLake) -> Callable[[], Any]:
    # Panel shows a partial as it is; only a function does it call
    return lambda: page(current)


def _origins(address: str, port: int) -> list[str]:
    """Return the hosts that dashboards may be opened under: those that lead to the address."""
    if address in ("", "0.0.0.0", "::"):
        return [f"*:{port}"]
    hosts = dict.fromkeys((address, "localhost", "127.0.0.1"))
    return [f"{host}:{port}" for host in hosts if ":" not in host]


def _free_port(address: str) -> int:
    sockets = bind_sockets(0, address)
    port: int = sockets[0].getsockname()[1]
    for bound in sockets:
        bound.close()
    return port


def _on_signal(stop: Callable[[], None]) -> None:
    """Stop in an orderly way on a signal, and at once on a second."""
    loop = asyncio.get_running_loop()

    def stop_once() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop_once)
