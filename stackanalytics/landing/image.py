"""What the metadata of an image says: its kind, operating system and options.

Source: StackTach's bit field ``image_type`` and its usage fields.
"""

import msgspec
from msgspec import field

_KINDS = {"base": 0x1, "snapshot": 0x2, "import": 0x3}
_SYSTEMS = {"linux": 0x10, "windows": 0x20, "freebsd": 0x40}
_DISTRIBUTIONS = {"ubuntu": 0x100, "debian": 0x200, "centos": 0x400, "rhel": 0x800}


class Meta(msgspec.Struct, gc=False):
    """The keys of ``image_meta`` that matter here."""

    image_type: str | None = None
    os_type: str | None = None
    os_distro: str | None = None
    usage_architecture: str | None = field(default=None, name="org.openstack__1__architecture")
    usage_distro: str | None = field(default=None, name="org.openstack__1__os_distro")
    usage_version: str | None = field(default=None, name="org.openstack__1__os_version")
    usage_options: str | None = field(default=None, name="com.rackspace__1__options")


def own_bits(meta: Meta) -> int:
    """Return the bits of an image's kind and distribution."""
    return _KINDS.get(meta.image_type or "", 0) | _DISTRIBUTIONS.get(meta.os_distro or "", 0)


def system_bits(os_type: str) -> int:
    """Return the bits of an operating system: that of the metadata, even if empty, else that beside them."""
    return _SYSTEMS.get(os_type, 0)
