"""What the metadata of an image says: its kind, operating system and options.

Source: StackTach's bit field ``image_type`` and its usage fields.
"""

from functools import lru_cache

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


NO_META = Meta()


def bits(meta: Meta, os_type: str | None) -> int:
    """Return the bit field of an image; *os_type* counts where the metadata do not name one."""
    return _bits(meta.image_type, os_type if meta.os_type is None else meta.os_type, meta.os_distro)


@lru_cache(maxsize=1_000)
def _bits(kind: str | None, system: str | None, distribution: str | None) -> int:
    return _KINDS.get(kind or "", 0) | _SYSTEMS.get(system or "", 0) | _DISTRIBUTIONS.get(distribution or "", 0)
