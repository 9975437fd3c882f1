"""``watch`` over HTTP: one server, many who poll it."""

import asyncio
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from statistics import quantiles
from urllib.error import URLError
from urllib.request import urlopen

import stackanalytics as sa
from tests.benchmarks.client import watch
from tests.benchmarks.figure import Figure
from tests.benchmarks.process import command
from tests.benchmarks.workload import Workload

CLIENTS = 50
PERIODS_S = (2, 5, 10, 30, 60)
WARM_UP_S = 3
MEASURED_S = 10
START_S = 60
REQUESTS_PER_S = 1_000
P99_MS = 100


def measure(workload: Workload) -> Iterator[Figure]:
    """Poll as fast as answers come, for deployments and periods that differ."""
    with sa.open_lake(workload.lake) as lake:
        deployment_ids = [0, *lake.deployments()]
    with server(workload) as port:
        start_s = time.perf_counter() + WARM_UP_S
        watched = watch(
            port,
            list(islice(cycle(deployment_ids), CLIENTS)),
            [PERIODS_S[number * len(PERIODS_S) // CLIENTS] for number in range(CLIENTS)],
            until_s=start_s + MEASURED_S,
        )
        cpu_s = time.process_time()
        clients = asyncio.run(watched)
        cpu_s = time.process_time() - cpu_s
    taken_ms = [
        taken_s * 1000
        for client in clients
        for at_s, taken_s in zip(client.at_s, client.taken_s, strict=True)
        if start_s <= at_s < start_s + MEASURED_S
    ]
    requests = sum(len(client.at_s) for client in clients)
    centiles = quantiles(taken_ms, n=100)
    yield Figure(
        what=f"watch over HTTP, {CLIENTS} keep-alive clients, one server process",
        value=len(taken_ms) / MEASURED_S,
        unit="/s",
        at_least=REQUESTS_PER_S,
        note=f"{sum(client.bytes for client in clients) / requests:,.0f} B an answer; "
        f"the clients themselves took {cpu_s / (WARM_UP_S + MEASURED_S):.0%} of a core",
    )
    yield Figure(
        what="watch over HTTP, 99th percentile",
        value=centiles[98],
        unit="ms",
        below=P99_MS,
        note=f"median {centiles[49]:,.1f} ms, longest {max(taken_ms):,.1f} ms",
    )


@contextmanager
def server(workload: Workload) -> Iterator[int]:
    """Serve the lake, and give the port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    process = subprocess.Popen(command("serve", "--lake", workload.lake, "--port", port))
    try:
        _wait(process, port)
        yield port
    finally:
        process.terminate()
        process.wait()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(START_S * 10):
        try:
            with urlopen(f"http://127.0.0.1:{port}/healthz"):
                return
        except URLError:
            if process.poll() is not None:
                raise
            time.sleep(0.1)
    raise TimeoutError(f"the server did not answer within {START_S} s")
