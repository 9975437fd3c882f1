"""Instance hours added up."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import stackanalytics as sa
from stackanalytics.lake.usage_state import Tenant
from stackanalytics.reports import find_report
from stackanalytics.reports.report import Period
from stackanalytics.reports.store import Run
from stackanalytics.surfaces.report_rows import shown_rows
from stackanalytics.testing import lake_of, notification
from tests.verdicts import all_verified

DAY = datetime(2026, 3, 2, tzinfo=UTC)
PERIOD = Period(DAY, DAY + timedelta(days=1))
INSTANCE_HOURS = find_report("instance-hours")


def record(instance: str, tenant: str, hours: float, flavor: str = "2", memory_mb: int = 512, **about: Any) -> Any:
    """Make the record of an instance that existed for the last hours of the day."""
    return notification(
        "compute.instance.exists",
        PERIOD.end + timedelta(seconds=30),
        instance=instance,
        tenant=tenant,
        instance_flavor_id=flavor,
        instance_type=f"{memory_mb} MB",
        memory_mb=memory_mb,
        launched_at=PERIOD.end - timedelta(hours=hours),
        **{"audit_period_beginning": DAY, "audit_period_ending": PERIOD.end, **about},
    )


LARGE: dict[str, Any] = {"flavor": "performance1-4", "memory_mb": 4096}
FOUR = [
    record("i-1", "managed", 24),
    record("i-2", "managed", 14),
    record("i-3", "internal", 7199 / 3600, **LARGE),
    record("i-4", "nobody", 14),
]
# 3.89 h: of an instance of its own, or the first part of the fourth one
OF_ITS_OWN = record("i-5", "nobody", 3.89)
OF_THE_FOURTH = record("i-4", "nobody", 14, audit_period_ending=PERIOD.end - timedelta(hours=14 - 3.89))
TENANTS = [
    Tenant("managed", "Managed Inc.", {"account_type": "managed", "billing_type": "external"}),
    Tenant("internal", "Staff", {"account_type": "internal", "billing_type": "external"}),
    Tenant("idle", "Idle", {"account_type": "idle", "billing_type": "external"}),
]


def lake_with(folder: Path, *records: Any, tenants: list[Tenant] = TENANTS) -> sa.Lake:
    """Return a lake of verified records, and of what is known of tenants."""
    with lake_of(folder, records) as lake:
        lake.usage_state.put_tenants(tenants, at=DAY)
    return all_verified(folder)


def by(totals: pl.DataFrame, breakdown: str) -> dict[str, tuple[int, float]]:
    """Return the count and unit hours of each value of a breakdown."""
    rows = totals.filter(breakdown=breakdown)
    return {key: (count, hours) for key, count, hours in rows.select("key", "count", "unit_hours").rows()}


def test_144_unit_hours_where_each_record_is_of_its_own_launch(tmp_path: Path) -> None:
    """2 units for 24 + 14 + 14 + 4 h and 16 units for 2 h are 48 + 28 + 32 + 28 + 8 = 144, in each breakdown."""
    with lake_with(tmp_path, *FOUR, OF_ITS_OWN) as lake:
        found = sa.instance_hour_totals(lake, start=PERIOD.start, end=PERIOD.end)
        summary = INSTANCE_HOURS.run(lake, PERIOD)["summary"].row(0, named=True)

    assert (summary["count"], summary["records"], summary["unit_hours"]) == (5, 5, 144.0)
    assert by(found, "flavor") == {"2": (4, 112.0), "performance1-4": (1, 32.0)}
    assert by(found, "flavor_class") == {"standard": (4, 112.0), "performance1": (1, 32.0)}
    assert by(found, "billing_type") == {"external": (3, 108.0), "unknown": (2, 36.0)}
    assert by(found, "account_type") == {"managed": (2, 76.0), "internal": (1, 32.0), "unknown": (2, 36.0)}
    assert found.filter(breakdown="flavor")["name"].to_list() == ["512 MB", "4096 MB"]


def test_136_unit_hours_where_two_records_are_of_one_launch(tmp_path: Path) -> None:
    """The 4 h that lie within the 14 h of the same launch are not added: 144 - 8 = 136."""
    with lake_with(tmp_path, *FOUR, OF_THE_FOURTH) as lake:
        found = sa.instance_hour_totals(lake, start=PERIOD.start, end=PERIOD.end)
        summary = INSTANCE_HOURS.run(lake, PERIOD)["summary"].row(0, named=True)

    assert (summary["count"], summary["records"], summary["unit_hours"]) == (4, 5, 136.0)
    assert by(found, "billing_type") == {"external": (3, 108.0), "unknown": (1, 28.0)}


@pytest.mark.parametrize("fifth", [OF_ITS_OWN, OF_THE_FOURTH])
def test_shares_of_a_breakdown_add_up_to_one(tmp_path: Path, fifth: Any) -> None:
    """Counts and unit hours of each breakdown are the whole, and so are their shares."""
    with lake_with(tmp_path, *FOUR, fifth) as lake:
        found = sa.instance_hour_totals(lake, start=PERIOD.start, end=PERIOD.end)

    added = found.group_by("breakdown").agg(pl.col("count_share", "unit_hours_share").sum().round(12))
    assert set(added["breakdown"]) == {"flavor", "flavor_class", "account_type", "billing_type"}
    assert added["count_share"].to_list() == added["unit_hours_share"].to_list() == [1.0] * 4
    assert found.filter(key="performance1-4")["unit_hours_share"].item() == 32 / (144 if fifth is OF_ITS_OWN else 136)


def test_tenants_without_a_type_are_of_an_unknown_one(tmp_path: Path) -> None:
    """A tenant that is known but has no billing type counts as unknown there, so that nothing is left out."""
    tenants = [TENANTS[0], Tenant("internal", "Staff", {"account_type": "internal"})]
    with lake_with(tmp_path, *FOUR, tenants=tenants) as lake:
        found = sa.instance_hour_totals(lake, start=PERIOD.start, end=PERIOD.end)

    assert by(found, "billing_type") == {"external": (2, 76.0), "unknown": (2, 60.0)}
    assert by(found, "account_type")["internal"] == (1, 32.0)


def test_the_top_hundred(tmp_path: Path) -> None:
    """Of 102 tenants of a type the hundred with the most hours are told, of equal ones the lower ids."""
    tenants = [Tenant(f"t-{n:03}", f"Account {n}", {"billing_type": "external"}) for n in range(102)]
    records = [record(f"i-{n}", f"t-{n:03}", 2 if n == 101 else 1) for n in range(102)]
    with lake_with(tmp_path, *records, record("i-more", "t-050", 1), tenants=tenants) as lake:
        top = INSTANCE_HOURS.run(lake, PERIOD)["top"]

    ranks = {name: top.filter(ranked_by=name).select("rank", "tenant").rows() for name in ("count", "unit_hours")}
    others = [f"t-{n:03}" for n in range(100)]
    others.remove("t-050")
    assert ranks["count"] == list(enumerate(["t-050", *others], 1))
    assert ranks["unit_hours"] == list(enumerate(["t-050", "t-101", *others][:100], 1))
    assert set(top["account_name"]) >= {"Account 50", "Account 101"}


def test_tenants_are_told_one_by_one(tmp_path: Path) -> None:
    """Each tenant has its hours, whether it is known or not; those without any are left out."""
    with lake_with(tmp_path, *FOUR, OF_THE_FOURTH) as lake:
        tenants = INSTANCE_HOURS.run(lake, PERIOD)["tenants"]

    assert tenants.select("tenant", "account_name", "count", "records", "hours", "unit_hours").rows() == [
        ("internal", "Staff", 1, 1, 2, 32.0),
        ("managed", "Managed Inc.", 2, 2, 38, 76.0),
        ("nobody", None, 1, 2, 14, 28.0),
    ]


def test_without_memory_there_are_no_unit_hours(tmp_path: Path) -> None:
    """Where no flavor tells its memory, hours are counted and unit hours are nothing, of which the share is 0."""
    records = [{**record("i-1", "managed", 24)}]
    del records[0]["payload"]["memory_mb"]
    with lake_with(tmp_path, *records) as lake:
        found = sa.instance_hour_totals(lake, start=PERIOD.start, end=PERIOD.end)

    assert found.filter(breakdown="flavor").select("hours", "unit_hours", "unit_hours_share").rows() == [(24, 0.0, 0.0)]


def test_as_stacky_shows_it(tmp_path: Path) -> None:
    """StackTach's totals stand in the first row; breakdowns and top lists follow as rows of a table."""
    with lake_with(tmp_path, *FOUR, OF_ITS_OWN) as lake:
        run = Run(INSTANCE_HOURS, PERIOD, {})
        about, headers, *rows = shown_rows(run, INSTANCE_HOURS.run(lake, PERIOD))

    assert isinstance(about, dict)
    assert (about["name"], about["total_instance_count"], about["total_unit_hours"]) == ("instance hours", 5, 144.0)
    assert headers == ["Breakdown", "Key", "Name", "Count", "% Count", "Unit Hours", "% Unit Hours"]
    assert rows[0] == ["flavor", "2", "512 MB", 4, 80.0, 112.0, 100 * 112 / 144]
    assert ["top_hundred_by_count.billing_type.unknown", "nobody", "unknown account", 2, 40.0, 36.0, 25.0] in rows
