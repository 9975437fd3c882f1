"""The page of verification: a service and a record in, frames out."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dashboards.verification import Verification, _bars, _compared, _figures, _notifications, _others, _record
from stackanalytics import Lake, open_lake
from stackanalytics.surfaces.verification_store import verify_and_keep
from stackanalytics.testing import lake_of, notification

INSTANCE = "77e0f192-0000-4000-8000-000000000001"
LAUNCHED = datetime(2026, 3, 1, 9, 0, 0, 250_000, tzinfo=UTC)
MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
META = {
    "org.openstack__1__architecture": "x64",
    "org.openstack__1__os_distro": "org.debian",
    "org.openstack__1__os_version": "12",
    "com.rackspace__1__options": "0",
}
ABOUT: dict[str, Any] = {"instance": INSTANCE, "tenant": "a1", "instance_type_id": "2", "image_meta": META}
PERIOD = {"audit_period_beginning": MIDNIGHT - timedelta(days=1), "audit_period_ending": MIDNIGHT}
TOLD = [
    notification("compute.instance.create.start", LAUNCHED, request_id="req-1", **ABOUT),
    notification("compute.instance.create.end", LAUNCHED, request_id="req-1", launched_at=LAUNCHED, **ABOUT),
    notification("compute.instance.exists", MIDNIGHT, launched_at=LAUNCHED.replace(microsecond=0), **PERIOD, **ABOUT),
    notification("compute.instance.exists", MIDNIGHT, launched_at=LAUNCHED, **PERIOD, **{**ABOUT, "tenant": "b2"}),
]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake in which one record of an instance agrees with its launch, and another has a wrong tenant."""
    return lake_of(tmp_path, TOLD)


def verified(lake: Lake) -> Lake:
    """Return the lake once it is verified."""
    verify_and_keep(lake.path, until=MIDNIGHT + timedelta(hours=1))
    return open_lake(lake.path)


def opened(lake: Lake, **question: object) -> Verification:
    """Return the page as it is once the lake was asked."""
    view = Verification(lambda: lake, **question)
    view.look()
    return view


def test_before_verification_all_is_pending(lake: Lake) -> None:
    """The records are there by day, and nothing has failed."""
    answer = opened(lake).answer

    assert answer.days.rows() == [(MIDNIGHT.date() - timedelta(days=1), "pending", 2)]
    assert _figures(answer) == [("pending", "2")]
    assert answer.failures.is_empty()


def test_failures_are_counted_by_reason_cell_and_host(lake: Lake) -> None:
    """The record with another tenant has failed, the other is verified."""
    answer = opened(verified(lake)).answer

    assert answer.days.select("status", "count").rows() == [("failed", 1), ("verified", 1)]
    assert answer.reasons.rows() == [("mismatch", "tenant", "InstanceUsage", 1)]
    assert answer.senders.rows() == [("default", 1)]
    assert answer.hosts.rows() == [("default", "host-1", 1)]


def test_a_failure_is_shown_beside_its_launch(lake: Lake) -> None:
    """What differs from the record stands out; the notifications of both can be followed."""
    view = opened(verified(lake), record=4)

    table = {row[0][0]: row[1:] for row in _compared(view.answer)}

    assert table[""] == [("Exists 4", False), ("Launch 1", False)]
    assert table["tenant"] == [("b2", False), ("a1", True)]
    assert table["launched_at"] == [("2026-03-01 09:00:00.250000", False)] * 2
    assert table["request_id"] == [("", False), ("req-1", False)]
    assert _notifications(view.answer) == [("events?event=4", "Exists 4"), ("events?event=1", "Launch 1")]
    assert '"tenant_id": "b2"' in _record(view.answer)
    assert '"event_type": "compute.instance.create.start"' in _others(view.answer)


def test_a_period_restricts_by_the_begin_of_the_audit_period(lake: Lake) -> None:
    """Both records begin on the first of March: from the second on there are none, and the plot has nothing."""
    view = opened(verified(lake), start=datetime(2026, 3, 2))

    assert view.answer.days.is_empty()
    assert view.answer.failures.is_empty()
    assert len(_bars(view.answer)) == 1
    view.start, view.end = None, datetime(2026, 3, 2)
    assert view.answer.failures.height == 1


def test_images_are_another_service(lake: Lake) -> None:
    """Of glance there is nothing; a service that does not exist is a problem in words."""
    assert opened(lake, service="glance").answer.days.is_empty()
    assert "no service 'cinder'" in opened(lake, service="cinder").problem
