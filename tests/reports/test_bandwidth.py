"""Traffic that instances sent."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import stackanalytics as sa
from stackanalytics.lake.usage_state import Tenant
from stackanalytics.reports import find_report
from stackanalytics.reports.report import Period
from stackanalytics.reports.store import Run
from stackanalytics.surfaces.report_rows import shown_rows
from stackanalytics.testing import lake_of, notification

DAY = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
PERIOD = Period(DAY, DAY + 24 * HOUR)
BANDWIDTH = find_report("public-outbound-bandwidth")


def record(instance: str, sent: int | None, beginning: float = 0, ending: float = 24, tenant: str = "acme") -> Any:
    """Make the record of an instance that sent so many bytes."""
    period = {"audit_period_beginning": DAY + beginning * HOUR, "audit_period_ending": DAY + ending * HOUR}
    told: dict[str, Any] = {} if sent is None else {"bandwidth": {"public": {"bw_out": sent}}}
    at = DAY + (ending + 0.1) * HOUR
    return notification(
        "compute.instance.exists", at, instance=instance, tenant=tenant, launched_at=DAY - HOUR, **period, **told
    )


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([record("i-1", 7)], [("acme", 1, 1, 7)]),
        ([record("i-1", 3, ending=11), record("i-1", 7)], [("acme", 1, 2, 7)]),
        ([record("i-1", 3, ending=12), record("i-1", 7, beginning=12)], [("acme", 1, 2, 10)]),
        ([record("i-1", 3), record("i-2", 4), record("i-3", 5, tenant="b")], [("acme", 2, 2, 7), ("b", 1, 1, 5)]),
        ([record("i-1", None)], [("acme", 1, 1, 0)]),
        ([record("i-1", 1, beginning=-1), record("i-1", 2, ending=25), record("i-2", 4, beginning=24, ending=48)], []),
    ],
)
def test_bandwidth(records: list[Any], expected: list[tuple[Any, ...]], tmp_path: Path) -> None:
    """Of an instance and a period the highest figure counts, if the period is within that of the report."""
    with lake_of(tmp_path, records) as lake:
        found = sa.public_outbound_bandwidth(lake, start=PERIOD.start, end=PERIOD.end)

    assert found.select("tenant", "instances", "records", "bandwidth_public_out").rows() == expected


def test_as_stacky_shows_it(tmp_path: Path) -> None:
    """The total stands in the first row under StackTach's name, the tenants follow."""
    with lake_of(tmp_path, [record("i-1", 2**40), record("i-2", 1, tenant="b")]) as lake:
        lake.usage_state.put_tenants([Tenant("acme", "Acme", {})], at=DAY)
        about, headers, *rows = shown_rows(Run(BANDWIDTH, PERIOD, {}), BANDWIDTH.run(lake, PERIOD))

    assert isinstance(about, dict)
    assert about["total_public_outbound_bandwidth"] == 2**40 + 1
    assert headers == ["Tenant", "Account", "Instances", "Bytes"]
    assert rows == [["acme", "Acme", 1, 2**40], ["b", "unknown account", 1, 1]]
