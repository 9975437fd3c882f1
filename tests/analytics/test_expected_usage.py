"""What usage is expected to be reported."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import stackanalytics as sa
from stackanalytics.testing import lake_of, notification

DAY = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
PERIOD = {"start": DAY, "end": DAY + 24 * HOUR}
Message = dict[str, Any]


def step(event: str, instance: str, launched: float, hours: float, **about: Any) -> Message:
    """Return what nova tells of a launch, in hours of the day."""
    said: Message = {"request_id": f"req-{instance}-{event}-{hours}", "launched_at": DAY + launched * HOUR, **about}
    return notification(f"compute.instance.{event}", DAY + hours * HOUR, instance=instance, **said)


def exists(instance: str, launched: float) -> Message:
    """Return the record of a day."""
    period = {"audit_period_beginning": DAY, "audit_period_ending": DAY + 24 * HOUR}
    return step("exists", instance, launched, 24.5, **period)


def test_launches_of_a_day(tmp_path: Path) -> None:
    """Those of the day, and the last one before it, if it was not over; each with what is told of it."""
    messages = [
        step("create.end", "a", -9, -9),
        step("rebuild.end", "a", -5, -5),
        step("rebuild.end", "a", 3, 3),
        exists("a", 3),
        step("create.end", "b", -9, -9),
        step("delete.end", "b", -9, -1, terminated_at=DAY - HOUR),
        step("create.end", "c", 4, 4),
        step("create.end", "d", 24, 24),
    ]
    with lake_of(tmp_path, messages) as lake:
        found = sa.expected_launches(lake, **PERIOD)

    flags = ("is_new", "has_exists", "is_instance_told", "is_first")
    assert found.select("launch_id", "instance", *flags).rows() == [
        (2, "a", False, False, True, True),
        (3, "a", True, True, True, False),
        (7, "c", True, False, False, True),
    ]


def test_an_end_at_the_start_of_the_day_is_before_it(tmp_path: Path) -> None:
    """A launch that was over at midnight is not expected in the records of the day that begins then."""
    messages = [step("create.end", "a", -9, -9), step("delete.end", "a", -9, 0, terminated_at=DAY)]
    with lake_of(tmp_path, messages) as lake:
        days = [{"start": DAY + n * 24 * HOUR, "end": DAY + (n + 1) * 24 * HOUR} for n in (-1, 0)]
        assert [sa.expected_launches(lake, **day).height for day in days] == [1, 0]


def test_images_of_a_day(tmp_path: Path) -> None:
    """Those that were there before and not deleted, and those that came, each with whether a record tells of it."""

    def image(event: str, name: str, hours: float, **about: Any) -> Message:
        at = DAY + hours * HOUR
        payload = {"id": name, "owner": "acme", "size": 1, "created_at": f"{at:%FT%TZ}", **about}
        return notification(f"image.{event}", at, service="glance", payload=payload)

    told = {"id": "old", "size": 1, "created_at": f"{DAY:%FT%TZ}", "deleted_at": None}
    period = {"audit_period_beginning": f"{DAY:%FT%TZ}", "audit_period_ending": f"{DAY + 24 * HOUR:%FT%TZ}"}
    messages = [
        image("activate", "old", -5),
        image("activate", "gone", -5),
        image("delete", "gone", -1, deleted_at=f"{DAY - HOUR:%FT%TZ}"),
        image("activate", "new", 5),
        image("activate", "later", 24),
        image("exists", "", 25, images=[told], **period),
    ]
    with lake_of(tmp_path, messages) as lake:
        found = sa.expected_images(lake, **PERIOD)

    assert found.select("image_id", "image", "is_new", "has_exists").rows() == [
        (1, "old", False, True),
        (4, "new", True, False),
    ]
