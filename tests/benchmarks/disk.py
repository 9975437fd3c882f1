"""What notifications take on disk: as JSON, compressed, and in the lake."""

import zlib
from collections.abc import Iterator

import stackanalytics as sa
from stackanalytics.sources.simulator import simulate
from tests.benchmarks.figure import Figure
from tests.benchmarks.workload import Workload

GZIP_LEVEL = 6
GZIP_FORMAT = 31  # zlib's number for a gzip header and the largest window
EACH = "B each"


def measure(workload: Workload) -> Iterator[Figure]:
    """Weigh the JSON of a sample, and its gzip."""
    plain = packed = 0
    gzip = zlib.compressobj(GZIP_LEVEL, wbits=GZIP_FORMAT)
    for message in simulate(workload.cloud(form="routed"), count=workload.sample_rows):
        plain += len(message) + 1
        packed += len(gzip.compress(message + b"\n"))
    packed += len(gzip.flush())
    note = f"sample of {workload.sample_rows:,}"
    yield Figure(what="JSON lines", value=plain / workload.sample_rows, unit=EACH, note=note)
    yield Figure(what="JSON lines, gzip -6", value=packed / workload.sample_rows, unit=EACH, note=note)


def parquet(workload: Workload, when: str) -> Figure:
    """Weigh the Parquet files of the lake as it is."""
    with sa.open_lake(workload.lake) as lake:
        notifications = lake.info().row(0, named=True)
    return Figure(
        what=f"Parquet, {when}",
        value=notifications["bytes"] / notifications["rows"],
        unit=EACH,
        note=f"{notifications['files']:,} files, {notifications['bytes'] / 2**20:,.0f} MiB",
    )
