"""Request KPIs: from the update that an API service sends to the last end of what it caused."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import stackanalytics as sa
from stackanalytics.testing import lake_of, notification

T0 = datetime(2026, 3, 2, 8, tzinfo=UTC)


def said(event_type: str, seconds: float, instance: str, **more: Any) -> dict[str, Any]:
    """Return a notification of one request."""
    fields = {"request_id": "req-1", "tenant": "acme"} | more
    return notification(event_type, T0 + timedelta(seconds=seconds), instance=instance, **fields)


def accepted(seconds: float, instance: str, **more: Any) -> dict[str, Any]:
    """Return the update that an API service sends."""
    return said("compute.instance.update", seconds, instance, publisher_id="nova-api.api-1", **more)


def test_the_last_end_after_the_update_counts(tmp_path: Path) -> None:
    """An update at 0 s and ends at 5 and 65.25 s: the request took 65.25 s, and the last operation names it."""
    messages = [
        accepted(0, "a"),
        said("compute.instance.shutdown.start", 1, "a"),
        said("compute.instance.shutdown.end", 5, "a"),
        said("compute.instance.delete.start", 1, "a"),
        said("compute.instance.delete.end", 65.25, "a"),
    ]

    with lake_of(tmp_path, messages) as lake:
        found = sa.request_kpis(lake).select("operation", "instance", "tenant", "duration_s")

    assert found.rows() == [("compute.instance.delete", "a", "acme", 65.25)]


def test_instances_of_one_request_are_not_mixed(tmp_path: Path) -> None:
    """Two servers of one request have a row each, with their own end."""
    messages = [
        message
        for instance, end in (("a", 30), ("b", 50))
        for message in (
            accepted(0, instance),
            said("compute.instance.create.start", 2, instance),
            said("compute.instance.create.end", end, instance),
        )
    ]

    with lake_of(tmp_path, messages) as lake:
        found = sa.request_kpis(lake).select("instance", "duration_s")

    assert found.rows() == [("a", 30.0), ("b", 50.0)]


def test_what_no_api_service_updated_has_no_kpi(tmp_path: Path) -> None:
    """An update of a compute service, an end before the update, and a start without an end do not count."""
    messages = [
        said("compute.instance.update", 0, "a", publisher_id="compute.host-1"),
        said("compute.instance.create.start", 1, "a"),
        said("compute.instance.create.end", 2, "a"),
        said("compute.instance.reboot.start", 3, "b"),
        said("compute.instance.reboot.end", 4, "b"),
        accepted(10, "b"),
        accepted(10, "c"),
        said("compute.instance.reboot.start", 11, "c"),
    ]

    with lake_of(tmp_path, messages) as lake:
        assert sa.request_kpis(lake).is_empty()


def test_tenant_and_period_restrict(tmp_path: Path) -> None:
    """The tenant is that of the end; the period is that of the update, half-open."""
    messages = [
        accepted(0, "a"),
        said("compute.instance.reboot.start", 1, "a"),
        said("compute.instance.reboot.end", 3, "a"),
    ]

    with lake_of(tmp_path, messages) as lake:
        assert sa.request_kpis(lake, tenant="acme").height == 1
        assert sa.request_kpis(lake, tenant="other").is_empty()
        assert sa.request_kpis(lake, start=T0).height == 1
        assert sa.request_kpis(lake, end=T0).is_empty()
        assert (sa.tenant_is_known(lake, "acme"), sa.tenant_is_known(lake, "other")) == (True, False)


def test_a_request_runs_from_its_first_update(tmp_path: Path) -> None:
    """Updates at 0 and 4 s make one request of 9 s; a period from 4 s on does not hold it."""
    messages = [
        accepted(0, "a"),
        accepted(4, "a"),
        said("compute.instance.reboot.start", 5, "a"),
        said("compute.instance.reboot.end", 9, "a"),
    ]

    with lake_of(tmp_path, messages) as lake:
        assert sa.request_kpis(lake)["duration_s"].to_list() == [9.0]
        assert sa.request_kpis(lake, start=T0 + timedelta(seconds=4)).is_empty()


def test_a_cloud_that_sends_both_formats_is_counted_once(tmp_path: Path) -> None:
    """Versioned twins, sent before the legacy notifications, change no figure: the request took 8 s, not 9."""
    legacy = [
        accepted(1, "a"),
        said("compute.instance.reboot.start", 2, "a"),
        said("compute.instance.reboot.end", 9, "a"),
    ]
    twins = [
        said("instance.update", 0, "a", publisher_id="nova-api:api-1"),
        said("instance.reboot.start", 1.5, "a"),
        said("instance.reboot.end", 11, "a"),
    ]

    with lake_of(tmp_path / "both", [*twins, *legacy]) as both, lake_of(tmp_path / "versioned", twins) as versioned:
        assert sa.request_kpis(both).select("operation", "duration_s").rows() == [("compute.instance.reboot", 8.0)]
        assert sa.request_kpis(versioned)["duration_s"].to_list() == [11.0]


def test_the_shortest_come_first_and_what_has_no_request_is_left_out(tmp_path: Path) -> None:
    """Three requests in the order of what they took; operations without a request cannot be told apart."""
    messages = [
        message
        for request, seconds in (("req-1", 7), ("req-2", 3), ("req-3", 5), (None, 4))
        for message in (
            accepted(0, "a", request_id=request),
            said("compute.instance.reboot.start", 1, "a", request_id=request),
            said("compute.instance.reboot.end", seconds, "a", request_id=request),
        )
    ]

    with lake_of(tmp_path, messages) as lake:
        found = sa.request_kpis(lake).select("request_id", "duration_s")

    assert found.rows() == [("req-2", 3.0), ("req-3", 5.0), ("req-1", 7.0)]
