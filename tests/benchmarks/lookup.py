"""Finding the few among the many: events by instance, by request and by id."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median, quantiles

import polars as pl

import stackanalytics as sa
from tests.benchmarks.figure import Figure
from tests.benchmarks.workload import Workload

KEYS = 200
WARM_UP = 5
MEDIAN_MS = 20


def measure(workload: Workload) -> Iterator[Figure]:
    """Look up keys that exist, at random."""
    with sa.open_lake(workload.lake) as lake:
        yield _look_up(lake, "instance", lambda key: sa.events(lake, instance=str(key)))
        yield _look_up(lake, "request_id", lambda key: sa.events(lake, request_id=str(key)))
        yield _look_up(lake, "id", partial(_event, lake))


def _event(lake: sa.Lake, key: object) -> pl.DataFrame:
    return sa.event(lake, int(str(key)))


def _look_up(lake: sa.Lake, column: str, answer: Callable[[object], pl.DataFrame]) -> Figure:
    keys = _keys(lake, column)
    for key in keys[:WARM_UP]:
        answer(key)
    taken_ms, rows = [], []
    for key in keys:
        started = time.perf_counter()
        rows.append(answer(key).height)
        taken_ms.append((time.perf_counter() - started) * 1000)
    assert min(rows) > 0, f"a {column} that exists was not found"
    return Figure(
        what=f"events by {column}, median of {len(keys)}",
        value=median(taken_ms),
        unit="ms",
        below=MEDIAN_MS,
        note=f"99 of 100 within {quantiles(taken_ms, n=100)[-1]:,.1f} ms; {median(rows):,.0f} rows each",
    )


def _keys(lake: sa.Lake, column: str) -> list[object]:
    known = lake.sql(f"select distinct {column} from notifications where {column} is not null")[column].sort()
    return known.sample(min(KEYS, len(known)), seed=0, shuffle=True).to_list()
