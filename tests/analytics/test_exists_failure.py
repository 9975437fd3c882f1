"""Which exists records failed verification, and where failures pile up."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import stackanalytics as sa
from stackanalytics.surfaces.verification_store import verify_and_keep
from stackanalytics.testing import lake_of, notification

DAY = timedelta(days=1)
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


def exists(number: int, day: int, **fields: Any) -> dict[str, object]:
    """Make the usage record of an instance that nobody saw launched, for one day."""
    period = {"audit_period_beginning": BEGIN + day * DAY, "audit_period_ending": BEGIN + (day + 1) * DAY}
    about = {"instance": f"i-{number}", "launched_at": BEGIN, "tenant": "a1", "instance_type_id": "2"}
    return notification("compute.instance.exists", BEGIN + (day + 1) * DAY, **{**about, **period, **fields})


@pytest.fixture
def lake(tmp_path: Path) -> sa.Lake:
    """A lake with three failures: two days of one host of cell north, a day of one of cell south."""
    told = [
        {"deployment": "north", "body": exists(1, 0, host="n-1")},
        {"deployment": "north", "body": exists(1, 1, host="n-1")},
        {"deployment": "south", "body": exists(2, 1, host="s-1", tenant="not hexadecimal")},
    ]
    lake_of(tmp_path, told).close()
    verify_and_keep(tmp_path, until=BEGIN + 3 * DAY, validation_level="basic")
    return sa.open_lake(tmp_path)


def test_failures_with_their_reasons(lake: sa.Lake) -> None:
    """Each failed record has its reason in parts and in words."""
    found = sa.exists_failures(lake)

    assert found.select("exists_id", "resource", "reason_kind", "deployment", "host").rows() == [
        (1, "i-1", "not_found", "north", "n-1"),
        (2, "i-1", "not_found", "north", "n-1"),
        (3, "i-2", "wrong_type", "south", "s-1"),
    ]
    assert found["fail_reason"][0] == "Couldn't find InstanceUsage using {'instance': u'i-1'}"


@pytest.mark.parametrize(
    ("by", "rows"),
    [
        ("reason", [("not_found", "instance", "InstanceUsage", 2), ("wrong_type", "tenant", None, 1)]),
        ("deployment", [("north", 2), ("south", 1)]),
        ("host", [("north", "n-1", 2), ("south", "s-1", 1)]),
    ],
)
def test_failures_are_counted(lake: sa.Lake, by: Any, rows: list[tuple[object, ...]]) -> None:
    """The largest group comes first."""
    assert sa.exists_failure_counts(lake, by=by).rows() == rows


def test_a_period_is_that_of_the_begin_of_audit_periods(lake: sa.Lake) -> None:
    """The second day holds two failures, the first one; the bound between belongs to the second."""
    assert sa.exists_failures(lake, end=BEGIN + DAY)["exists_id"].to_list() == [1]
    assert sa.exists_failures(lake, start=BEGIN + DAY)["exists_id"].to_list() == [2, 3]
    assert sa.exists_days(lake, start=BEGIN + DAY, deployment="south").rows() == [((BEGIN + DAY).date(), "failed", 1)]
    assert sa.exists_failure_counts(lake, by="deployment", deployment="south", end=BEGIN + DAY).is_empty()


def test_what_does_not_exist_is_refused(lake: sa.Lake) -> None:
    """An unknown service and an unknown group are named, with those that there are."""
    with pytest.raises(sa.InputError, match="'cinder'; the services are nova, glance"):
        sa.exists_failures(lake, service="cinder")
    with pytest.raises(sa.InputError, match="by 'tenant', but by reason, deployment, host"):
        sa.exists_failure_counts(lake, by="tenant")  # type: ignore[arg-type]
