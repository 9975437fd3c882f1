"""The bit field of an image."""

import json

import pytest
from msgspec import to_builtins

from stackanalytics.landing.image import Meta
from stackanalytics.landing.reading import Reading


def _bits(payload: object, event_type: str = "compute.instance.exists") -> list[int | None]:
    """Read one body, and return its bits."""
    body = {"event_type": event_type, "timestamp": "2026-03-02 10:00:00", "payload": payload}
    reading = Reading()
    assert reading.add_bare([json.dumps(body).encode()], [0])
    found: list[int | None] = reading.notifications()[0].rows["image_type"].to_pylist()
    return found


@pytest.mark.parametrize(
    ("meta", "os_type", "expected"),
    [
        (Meta(), None, 0),
        (Meta(image_type="base"), None, 0x1),
        (Meta(image_type="snapshot"), None, 0x2),
        (Meta(image_type="import"), None, 0x3),
        (Meta(os_type="linux"), None, 0x10),
        (Meta(os_type="windows"), None, 0x20),
        (Meta(os_type="freebsd"), None, 0x40),
        (Meta(os_distro="ubuntu"), None, 0x100),
        (Meta(os_distro="debian"), None, 0x200),
        (Meta(os_distro="centos"), None, 0x400),
        (Meta(os_distro="rhel"), None, 0x800),
        (Meta(image_type="base", os_type="linux", os_distro="ubuntu"), None, 0x111),
        (Meta(image_type="snapshot", os_type="windows"), None, 0x22),
        (Meta(image_type="base", os_type="freebsd"), None, 0x41),
        (Meta(image_type="import", os_type="windows", os_distro="rhel"), None, 0x823),
        (Meta(), "linux", 0x10),
        (Meta(os_type="windows"), "linux", 0x20),
        (Meta(os_type=""), "linux", 0),
        (Meta(os_type="solaris"), "linux", 0),
        (Meta(image_type="Base", os_type="LINUX", os_distro="Ubuntu"), None, 0),
        (Meta(usage_distro="ubuntu"), None, 0),
    ],
)
def test_bits(meta: Meta, os_type: str | None, expected: int) -> None:
    """Kind, system and distribution set their bits, by exact words; the system of the metadata comes first."""
    image_meta = {name: value for name, value in to_builtins(meta).items() if value is not None}
    assert _bits({"image_meta": image_meta, "os_type": os_type}) == [expected]


@pytest.mark.parametrize(
    ("image_meta", "expected"),
    [
        ({"image_type": "base", "os_type": "linux"}, 0x11),
        ({"image_type": "base", "os_type": "", "min_disk": 20}, 0x1),
        ({"image_type": "base", "os_type": "", "os_distro": ["ubuntu"]}, 0x1),
        ([{"key": "image_type", "value": "base"}, {"key": "os_distro", "value": "ubuntu"}], 0x141),
        ({}, 0x40),
        (None, 0x40),
        ("base", 0x40),
    ],
)
def test_bits_of_a_payload(image_meta: object, expected: int) -> None:
    """Metadata are read as an object and as a list of keys and values; without any the payload's system counts."""
    assert _bits({"image_meta": image_meta, "os_type": "freebsd"}) == [expected]


@pytest.mark.parametrize(("event_type", "expected"), [("image.upload", 0x10), ("volume.create.end", None)])
def test_only_images_and_instances_have_bits(event_type: str, expected: int | None) -> None:
    """Notifications of services other than nova and glance have no bit field."""
    assert _bits({"os_type": "linux"}, event_type) == [expected]
