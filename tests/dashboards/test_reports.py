"""The page of stored reports: a report in, frames out."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dashboards.reports import Reports, _about, _columns, _failures, _files, _picture
from stackanalytics import Lake
from stackanalytics.lake.usage_state import Tenant
from stackanalytics.reports import find_report
from stackanalytics.reports.report import Period
from stackanalytics.reports.store import Run, store
from stackanalytics.surfaces.verification_store import verify_and_keep
from stackanalytics.testing import lake_of, notification

NOW = datetime(2026, 3, 3, tzinfo=UTC)
METADATA = [
    ("org.openstack", "architecture", "x64"),
    ("org.openstack", "os_distro", "org.debian"),
    ("org.openstack", "os_version", "12"),
    ("com.rackspace", "options", "0"),
]
ERROR = {"instance_id": "i-1", "exception": {"kwargs": {"code": 404}}}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake with a request that failed; its summary is report 1, the details of errors report 2."""
    about = {"instance": "i-1", "request_id": "req-1"}
    told = [
        notification("compute.instance.update", "2026-03-02 10:00", **about),
        notification("compute.instance.create.error", "2026-03-02 10:01", payload=ERROR, priority="ERROR", **about),
    ]
    lake = lake_of(tmp_path, told)
    for name in ("operation-summary", "error-details"):
        store(lake, Run(find_report(name), Period.before(NOW, "day"), {}), created_at=NOW)
    return lake


def opened(lake: Lake, **question: object) -> Reports:
    """Return the page as it is once the lake was asked."""
    view = Reports(lambda: lake, **question)
    view.look()
    return view


def test_stored_reports_newest_first(lake: Lake) -> None:
    """All are listed until a name or a period restricts them."""
    assert opened(lake).answer.stored["id"].to_list() == [2, 1]
    assert opened(lake, kind="summary for region: all").answer.stored["id"].to_list() == [1]
    assert opened(lake, start=datetime(2026, 3, 2)).answer.stored["id"].to_list() == [2, 1]
    assert opened(lake, end=datetime(2026, 3, 2)).answer.stored["id"].to_list() == []


def test_a_report_stored_meanwhile_is_listed(lake: Lake) -> None:
    """The list follows what is stored, though the lake has no new version."""
    view = opened(lake)
    store(lake, Run(find_report("operation-summary"), Period.before(NOW, "hour"), {}), created_at=NOW)

    view.look()

    assert view.answer.stored["id"].to_list() == [3, 2, 1]


def test_a_chosen_report_is_shown(lake: Lake) -> None:
    """What it is about, its failures as a picture has them, and its files."""
    answer = opened(lake, report=1).answer

    assert _failures(answer.frames["rows"]) == [("create · ? · ?", "4xx", 1)]
    assert {("Made from", "notifications at version 1"), ("% failed", "100.0%")} <= set(_about(answer))
    assert ("reports/1/rows.csv", "rows.csv") in _files(answer)


def test_what_a_report_was_made_from_is_told(lake: Lake) -> None:
    """Tables are told by their versions, tenants by the time of their last change; what is empty is not told."""
    lake.usage_state.put_tenants([Tenant("acme", "Acme", {})], at=NOW)
    store(lake, Run(find_report("instance-hours"), Period.before(NOW, "day"), {}), created_at=NOW)

    told = dict(_about(opened(lake, report=3).answer))["Made from"]

    assert told == "notifications at version 1, tenants as of 2026-03-03 00:00:00.000"


def test_columns_take_the_form_of_their_values(lake: Lake) -> None:
    """Durations, instants, ids and links are told apart; lists are left out."""
    forms = {column.field: column.form for column in _columns(opened(lake, report=2).answer.frames["rows"])}

    assert [forms[name] for name in ("duration_s", "generated_at", "failure_id", "instance", "failure")] == [
        "duration",
        "moment",
        "text",
        "link",
        "text",
    ]


def test_an_unknown_report_is_a_problem_in_words(lake: Lake) -> None:
    """A number that no report has is told of; nothing fails."""
    view = opened(lake, report=7)

    assert (view.answer, view.problem) == (None, "There is no report 7.")


def test_instance_hours_have_a_history(lake: Lake) -> None:
    """The hours of listed reports of the same length stand beside each other, by flavor class; others have none."""
    begin = datetime(2026, 3, 2, tzinfo=UTC)
    meta = {f"{vendor}__1__{name}": value for vendor, name, value in METADATA}
    about = {"instance": "i-9", "tenant": "a1", "instance_type_id": "2", "instance_flavor_id": "2", "memory_mb": 512}
    launched = begin + timedelta(minutes=30)
    told = [
        notification("compute.instance.create.end", launched, launched_at=launched, image_meta=meta, **about),
        *(
            notification(
                "compute.instance.exists",
                begin + timedelta(hours=hour + 1),
                launched_at=launched,
                image_meta=meta,
                audit_period_beginning=begin + timedelta(hours=hour),
                audit_period_ending=begin + timedelta(hours=hour + 1),
                **about,
            )
            for hour in range(2)
        ),
    ]
    lake_of(lake.path, told).close()
    verify_and_keep(lake.path, until=begin + timedelta(hours=3))
    newest = lake.refresh()
    for hour in range(2):
        period = Period.before(begin + timedelta(hours=hour + 1), "hour")
        store(newest, Run(find_report("instance-hours"), period, {}), created_at=NOW)

    # 512 MB are two units: half an hour and a whole one are an hour each, rounded up
    expected = (("2026-03-02 00:00", "standard", 2.0), ("2026-03-02 01:00", "standard", 2.0))
    assert opened(newest, report=4).answer.history == expected
    assert len(_picture(opened(newest, report=4).answer)) == 1
    assert opened(newest, report=1).answer.history == ()
