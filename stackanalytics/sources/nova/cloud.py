"""Nova's instances from a live cloud, through openstacksdk.

The compute API has no question for several instances, so it is asked one or two for each (the
second where it does not live any more): for many, a database or a snapshot is quicker. What the
API tells of a deleted instance ends when nova purges it. It does not tell ``instance_type_id``;
the ``os_…`` columns and ``rax_options`` are those of the image that it was made of, null where
that is gone.
"""

from collections.abc import Collection, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import polars as pl

from stackanalytics.schema import NOVA_FIELDS
from stackanalytics.sources.cloud import check_installed, connected
from stackanalytics.sources.nova.record import records
from stackanalytics.sources.nova.source import Progress

if TYPE_CHECKING:
    from openstack.connection import Connection

_PROPERTIES = {
    "org.openstack__1__architecture": "os_architecture",
    "org.openstack__1__os_distro": "os_distro",
    "org.openstack__1__os_version": "os_version",
    "com.rackspace__1__options": "rax_options",
}
_SCHEMA = {name: pl.Boolean() if name == "is_deleted" else pl.String() for name in NOVA_FIELDS}


class Cloud:
    """A cloud of ``clouds.yaml``, or ``envvars`` for the one of the ``OS_…`` variables.

    It must be an administrator's, who is told about the instances of all projects.
    """

    untold: frozenset[str] = frozenset({"instance_type_id"})

    def __init__(self, cloud: str) -> None:
        """Name the cloud; nothing is connected to yet.

        Raises
        ------
        InputError
            If the extra ``openstack`` is not installed.
        """
        check_installed()
        self._cloud = cloud

    @property
    def name(self) -> str:
        """The name of the cloud."""
        return f"cloud:{self._cloud}"

    def instances(self, wanted: Collection[str], *, on_progress: Progress | None = None) -> pl.DataFrame:
        """Return what the cloud says about those of the *wanted* instances that it knows.

        Raises
        ------
        SourceError
            If the cloud cannot be reached, refuses, or breaks off.
        InputError
            If there is no such cloud, or a value from it cannot be understood.
        """
        told = []
        with connected(self._cloud) as connection:
            image_of = cache(lambda image: _image(connection, image))
            for done, instance in enumerate(sorted(set(wanted)), 1):
                server = _server(connection, instance)
                if server is not None:
                    told.append(_row(server, image_of((server["image"] or {}).get("id"))))
                if on_progress is not None:
                    on_progress(done)
        return records(pl.DataFrame(told, schema=_SCHEMA), self.name, wanted)


def _server(connection: "Connection", instance: str) -> Mapping[str, Any] | None:
    """Return the living instance, else the deleted one, else None."""
    for is_deleted in (False, True):
        found = connection.compute.servers(all_projects=True, id=instance, deleted_only=is_deleted)
        for server in found:
            return {**server, "is_deleted": is_deleted}
    return None


def _image(connection: "Connection", image: str | None) -> dict[str, str | None]:
    """Return what the image of an instance says; an instance of a volume has none."""
    from openstack.exceptions import NotFoundException

    try:
        properties = connection.image.get_image(image).properties if image else {}
    except NotFoundException:
        properties = {}
    return {column: properties.get(name) for name, column in _PROPERTIES.items()}


def _row(server: Mapping[str, Any], image: dict[str, str | None]) -> dict[str, Any]:
    return {
        **image,
        "instance": server["id"],
        "tenant": server["project_id"],
        "instance_type_id": None,
        "instance_flavor_id": server["flavor"]["id"],
        "launched_at": server["launched_at"],
        "deleted_at": server["terminated_at"],
        "is_deleted": server["is_deleted"],
    }
