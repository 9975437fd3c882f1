"""A small lake of what is billed: two instances and two images, of each of which one was deleted."""

from pathlib import Path

from stackanalytics.lake import Lake
from stackanalytics.testing import lake_of, notification

FIRST = "3a7c2f0e-5d41-4c8b-9e26-0b1f6d94a7aa"
SECOND = "b85d9c13-6f2e-4a07-8d54-71c3e0a9f2bb"
FIRST_IMAGE = "c4e1a6f8-2b90-4d35-a7c8-95f0d3b1e6cc"
SECOND_IMAGE = "d90b7e25-8c14-4f6a-b3d9-2ae5c7f084dd"


def billing(folder: Path) -> Lake:
    """A lake with two instances, of which one was deleted, and two images, of which one was deleted."""
    flavor = {"instance_type_id": "2", "instance_flavor_id": "m2", "tenant": "5877054"}
    first = {"instance": FIRST, "launched_at": "2014-01-17 16:06:54.25", **flavor}
    second = {"instance": SECOND, "launched_at": "2014-01-17 17:00:00", **flavor, "instance_type_id": "3"}
    metadata = {"org.openstack__1__architecture": "x64", "com.rackspace__1__options": "0"}
    metadata |= {"org.openstack__1__os_distro": "org.centos", "org.openstack__1__os_version": "6.0"}
    day = {"audit_period_beginning": "2014-01-17 00:00:00", "audit_period_ending": "2014-01-18 00:00:00"}
    deleted = {"deleted_at": "2014-01-17 20:00:00"}
    images = {
        "owner": "389886",
        **day,
        "images": [
            {"id": FIRST_IMAGE, "size": 5, "created_at": "2014-01-01 00:00:00", "deleted_at": None},
            {"id": SECOND_IMAGE, "size": 6, "created_at": "2014-01-02 00:00:00", **deleted},
        ],
    }

    def nova(event: str, at: str, message_id: str | None = None, **fields: object) -> dict[str, object]:
        known = {} if message_id is None else {"message_id": message_id}
        return notification(f"compute.instance.{event}", at, image_meta=metadata, **known, **fields)

    def glance(event: str, at: str, message_id: str, payload: dict[str, object]) -> dict[str, object]:
        return notification(f"image.{event}", at, exchange="glance", message_id=message_id, payload=payload)

    def image(uuid: str, size: int, day: str) -> dict[str, object]:
        return {"id": uuid, "owner": "389886", "size": size, "created_at": f"2014-01-{day} 00:00:00"}

    told = [
        nova("create.end", "2014-01-17 16:06:55", request_id="req-1", message="Success", **first),
        nova("create.end", "2014-01-17 17:00:01", request_id="req-2", message="Success", **second),
        nova("delete.end", "2014-01-17 20:00:01", request_id="req-3", **second, **deleted),
        nova("exists", "2014-01-18 00:10:00.5", "exists-1", bandwidth={"public": {"bw_out": 7}}, **first, **day),
        nova("exists", "2014-01-18 00:20:00", "exists-2", **second, **day, **deleted),
        nova("exists", "2014-01-18 00:30:00", "exists-3", **(first | {"launched_at": "2014-01-17 16:06:55"}), **day),
        glance("activate", "2014-01-01", "a", image(FIRST_IMAGE, 5, "01")),
        glance("activate", "2014-01-02", "b", image(SECOND_IMAGE, 6, "02")),
        glance("delete", "2014-01-17 20:00:00", "c", {"id": SECOND_IMAGE, **deleted}),
        glance("exists", "2014-01-18 00:40:00", "exists-4", images),
    ]
    return lake_of(folder, told)
