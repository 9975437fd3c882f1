"""The audits of glance's usage and of image events."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import stackanalytics as sa
from stackanalytics.lake.usage_state import Confirmation
from stackanalytics.reports import find_report
from stackanalytics.reports.report import Period
from stackanalytics.reports.store import Run
from stackanalytics.surfaces.report_rows import shown_rows
from stackanalytics.testing import lake_of, notification
from tests.verdicts import with_verdicts

DAY = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
PERIOD = Period(DAY, DAY + 24 * HOUR)
NEXT = Period(PERIOD.end, PERIOD.end + 24 * HOUR)
Message = dict[str, Any]


def image(event: str, name: str, hours: float, **about: Any) -> Message:
    """Return what glance tells of an image, so many hours into the day."""
    at = DAY + hours * HOUR
    payload = {"id": name, "owner": "acme", "size": 10, "created_at": f"{at:%FT%TZ}", **about}
    return notification(f"image.{event}", at, service="glance", exchange="glance", payload=payload)


def exists(*names: str, beginning: float = 0, ending: float = 24) -> Message:
    """Return the record of some images."""
    payload = {
        "owner": "acme",
        "audit_period_beginning": f"{DAY + beginning * HOUR:%FT%TZ}",
        "audit_period_ending": f"{DAY + ending * HOUR:%FT%TZ}",
        "images": [{"id": name, "size": 10, "created_at": f"{DAY:%FT%TZ}", "deleted_at": None} for name in names],
    }
    at = DAY + (ending + 1) * HOUR
    return notification("image.exists", at, service="glance", exchange="glance", payload=payload)


@pytest.fixture
def lake(tmp_path: Path) -> sa.Lake:
    """A lake of six images: three are told of, one of the others was gone before, one came after."""
    messages = [
        image("activate", "old", -30),
        image("activate", "gone", -30),
        image("delete", "gone", -1, deleted_at=f"{DAY - HOUR:%FT%TZ}"),
        image("activate", "forgotten", -20),
        image("upload", "new", 3),
        image("activate", "new", 3),
        image("activate", "new-forgotten", 4),
        image("activate", "tomorrow", 24),
        exists("old", "new", "unknown"),
        exists("part", ending=23),
    ]
    with lake_of(tmp_path, messages) as opened:
        opened.usage_state.confirm("glance", [Confirmation(9 * 1024, None, 200)], at=DAY)
    first = 9 * 1024
    return with_verdicts(tmp_path, {first: "verified", first + 1: "verified", first + 2: "failed"}, service="glance")


def test_images_that_nobody_reports(lake: sa.Lake) -> None:
    """Images without a record are a problem whether they are new or old, but not once they are gone."""
    frames = find_report("glance-usage-audit").run(lake, PERIOD)

    assert frames["rows"].select("problem", "image_id", "image").rows() == [
        ("image_without_exists", 4, "forgotten"),
        ("image_without_exists", 7, "new-forgotten"),
    ]
    assert frames["summary"].row(0, named=True) == {"failed": 0, "new": 2, "old": 2, "without_exists": 2}


def test_records_of_images_by_their_state(lake: sa.Lake) -> None:
    """Images are counted one by one, those of whole days apart from others."""
    frames = find_report("glance-usage-audit").run(lake, NEXT)

    counts = {name: count for audit, name, count in frames["statistics"].rows() if audit == "periodic" and count}
    assert counts == {
        "count": 3,
        "verified": 2,
        "failed": 1,
        "send_status.success": 1,
        "send_status.unsent": 1,
    }
    failed = frames["rows"].filter(problem="exists_failed")
    assert failed.select("exists_id", "image", "status").rows() == [(9 * 1024 + 2, "unknown", "failed")]


def test_as_stacky_shows_it(lake: sa.Lake) -> None:
    """The form is StackTach's, which it stored as a table."""
    report = find_report("glance-usage-audit")
    about, headers, *rows = shown_rows(Run(report, PERIOD, {}), report.run(lake, PERIOD))

    assert isinstance(about, dict)
    assert about["summary"]["image_summary"] == {"new_images": 2, "old_images": 2, "failures": 2}
    # records of the day are received on the next
    assert about["summary"]["verifier"]["exists"]["count"] == 0
    assert headers == ["Object", "ID", "Error Description"]
    assert rows == [
        ["Usage", 4, "No exists for usage (forgotten)"],
        ["Usage", 7, "No exists for usage (new-forgotten)"],
    ]


def test_image_events(lake: sa.Lake) -> None:
    """Notifications are counted, of records the images in them, and those that were verified and taken."""
    assert dict(sa.image_events_audit(lake, start=PERIOD.start, end=PERIOD.end).iter_rows()) == {
        "image.upload": 1,
        "image.activate": 2,
    }
    report = find_report("image-events-audit")
    about, _, *rows = shown_rows(Run(report, NEXT, {}), report.run(lake, NEXT))
    assert isinstance(about, dict)
    assert rows == [
        ["image.upload", 0],
        ["image.activate", 1],
        ["image.delete", 0],
        ["image.exists", 4],
        ["image.exists.verified", 1],
    ]
    assert {name: about[name] for name in ("image.exists", "image.exists.verified")} == {
        "image.exists": 4,
        "image.exists.verified": 1,
    }
