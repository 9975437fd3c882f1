"""Operations that have starts without an end."""

from datetime import datetime
from pathlib import Path

import pytest

import stackanalytics as sa
from stackanalytics import times
from stackanalytics.schema import polars_schema
from stackanalytics.testing import lake_of, notification

CREATE, DELETE = "compute.instance.create", "compute.instance.delete"


def moment(text: str) -> datetime:
    """Return an instant of the day of the tests."""
    return times.instant(f"2026-03-02 {text}")


@pytest.fixture
def lake(tmp_path: Path) -> sa.Lake:
    """Return a lake with a create that ended, two that did not, one in the south, and a delete without a start."""
    steps = [
        (f"{CREATE}.start", "10:00", "i-1", "north"),
        (f"{CREATE}.end", "10:01", "i-1", "north"),
        (f"{CREATE}.start", "11:00", "i-2", "north"),
        (f"{CREATE}.start", "12:00", "i-3", "south"),
        (f"{DELETE}.end", "13:00", "i-1", "north"),
        (f"{DELETE}.start", "14:00", "i-2", "north"),
    ]
    return lake_of(
        tmp_path,
        [
            notification(event_type, moment(at), instance=instance, deployment=deployment, exchange="nova")
            for event_type, at, instance, deployment in steps
        ],
    )


def test_counts_starts_without_an_end_by_operation(lake: sa.Lake) -> None:
    """Of three creates two did not end; the delete that only ended is not unfinished."""
    assert sa.unfinished_operations(lake).rows() == [(CREATE, 2), (DELETE, 1)]


@pytest.mark.parametrize(
    ("restriction", "expected"),
    [
        ({"deployment": "south"}, [(CREATE, 1)]),
        ({"instance": "i-2"}, [(CREATE, 1), (DELETE, 1)]),
        ({"operation": DELETE}, [(DELETE, 1)]),
        ({"start": moment("11:00"), "end": moment("14:00")}, [(CREATE, 2)]),
        ({"start": moment("11:00:01")}, [(CREATE, 1), (DELETE, 1)]),
        ({"operation": "none"}, []),
    ],
)
def test_every_argument_restricts(lake: sa.Lake, restriction: dict[str, object], expected: list[object]) -> None:
    """Deployment, instance, operation and the half-open period of the start leave only what they name."""
    assert sa.unfinished_operations(lake, **restriction).rows() == expected


def test_agrees_with_the_timings_that_it_counts(lake: sa.Lake) -> None:
    """There are as many as timings in the state S."""
    assert sa.unfinished_operations(lake)["unfinished"].sum() == sa.timings(lake, state="S").height


def test_an_empty_lake_has_the_same_columns(tmp_path: Path) -> None:
    """Nothing is an empty frame with the full schema."""
    assert dict(sa.unfinished_operations(lake_of(tmp_path, [])).schema) == polars_schema("operation", "unfinished")
