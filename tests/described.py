"""What the description of the interface is of: all surfaces, and a lake that has something to show on every path."""

from datetime import timedelta
from pathlib import Path

from billed import billing

from stackanalytics import times
from stackanalytics.lake.usage_state import Tenant
from stackanalytics.surfaces.own import own_surface
from stackanalytics.surfaces.server import SURFACES
from stackanalytics.testing import lake_of, notification, sample, samples_of

SERVED = (*SURFACES, own_surface(SURFACES))

_INSTANCE = "77e0f192-00a2-4f14-ad56-7467897828ea"
_REQUEST = "req-a7517402-6192-4d0a-85a1-e14051790d5a"


def fill(folder: Path) -> None:
    """Make a lake of the things that the examples of the description name, and of some others beside them."""
    billing(folder).close()
    start = times.now() - timedelta(minutes=30)
    fields = {"instance": _INSTANCE, "request_id": _REQUEST, "tenant": "5877054", "exchange": "nova"}

    def nova(event: str, seconds: float = 0, publisher_id: str = "compute.c-1", **more: object) -> dict[str, object]:
        at = start + timedelta(seconds=seconds)
        return notification(f"compute.instance.{event}", at, publisher_id=publisher_id, **fields, **more)

    def other(event: str, exchange: str, **payload: object) -> dict[str, object]:
        return notification(event, start, exchange=exchange, payload=payload)

    told = [
        nova("update", publisher_id="api.api-1"),
        nova("create.start", 1),
        nova("create.end", 9),
        nova("reboot.start", 10),
        nova("delete.end", 20, launched_at="2014-01-17 18:00:00", deleted_at="2014-01-17 21:00:00"),
        other("image.upload", "glance", id=_INSTANCE, status="active"),
        other("image.delete", "glance", id=_INSTANCE, deleted_at="2014-01-17 21:00:00"),
        other("port.create.end", "neutron", port={"id": "p-1"}),
        nova("resize.end", 30, message_id="event-1", state="active"),
    ]
    samples_of(
        folder,
        [
            sample("cpu_util", "2013-01-01", 16, resource="r-1", tenant="p-1", user="u-1", sample_id="sample-1"),
            sample("cpu_util", "2013-01-01", 17, resource="r-2", unit="%"),
            *(sample(f"hidden{prefix}", "2013-01-01", 1) for prefix in ("", ".v2")),
        ],
    ).close()
    with lake_of(folder, told, deployment="region-1") as lake:
        lake.usage_state.put_tenants([Tenant("5877054", "Acme", {"account_type": "VIP"})], at=start)
        for name in ("nova usage audit", "image events audit"):
            lake.state.add_report(
                name,
                version=7,
                period_start=times.instant("2014-01-14"),
                period_end=times.instant("2014-01-15"),
                created_at=times.instant("2014-01-15 00:10:00"),
                parameters="{}",
                tables="{}",
                path="reports/1",
            )
        (folder / "reports" / "1").mkdir(parents=True)
        lake.sql("select 1 as a").write_parquet(folder / "reports" / "1" / "rows.parquet")
