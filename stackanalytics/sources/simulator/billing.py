"""Faults in what is billed: launches, deletes and usage records that are wrong or were never sent."""

import re
from collections.abc import Callable, Mapping
from copy import copy
from typing import NamedTuple

from stackanalytics.sources.simulator import legacy
from stackanalytics.sources.simulator.chance import Chance
from stackanalytics.sources.simulator.cloud import Cloud
from stackanalytics.sources.simulator.stamps import SECOND, stamp
from stackanalytics.sources.simulator.topology import FLAVORS, Image, Instance

LAUNCHING = {"create", "rebuild", "rescue", "resize_prep", "resize_finish", "resize_revert"}

METADATA = {
    "os_architecture": "org.openstack__1__architecture",
    "os_distro": "org.openstack__1__os_distro",
    "os_version": "org.openstack__1__os_version",
    "rax_options": "com.rackspace__1__options",
}
OPTIONAL_OF_IMPORTS = {"os_distro", "os_version"}


class Spoilt(NamedTuple):
    """What a usage record says instead of the truth: *field* is *told* where it should be *true*."""

    fault: str
    instance: Instance
    field: str | None
    told: str | None
    true: str | None


class Billing:
    """Decides at the rates of the settings what is spoilt, by chance of its own.

    So the same things happen with faults and without, under the same ids.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._chance = Chance(cloud.seed, "billing")
        self._cloud = cloud
        self._ways: Mapping[str, Callable[[Instance, int], Spoilt | None]] = {
            "missing_exists": _silence,
            "false_alive": _revive,
            "wrong_flavor": self._change_flavor,
            "wrong_tenant": self._change_tenant,
            "wrong_launched_at": self._shift_launch,
            "null_metadata": self._lose_metadata,
        }
        if cloud.format == "versioned":
            del self._ways["null_metadata"]  # this format has none to lose
        self._rates = {fault: rate for fault in self._ways if (rate := getattr(cloud, fault))}

    def hides_launch(self) -> bool:
        """Tell whether no notification says that an instance is launched."""
        return bool(self._cloud.missing_launch) and self._chance.happens(self._cloud.missing_launch)

    def hides_delete(self) -> bool:
        """Tell whether no notification says that an instance was deleted."""
        return bool(self._cloud.missing_delete) and self._chance.happens(self._cloud.missing_delete)

    def spoil(self, instance: Instance, ending: int) -> Spoilt | None:
        """Spoil the usage record of an instance, if it is its turn; *ending* is that of the period."""
        if instance.doubt is not None or fault_of(instance) is not None:
            return None
        for fault, rate in self._rates.items():
            if self._chance.happens(rate):
                return self._ways[fault](instance, ending)
        return None

    def _change_flavor(self, instance: Instance, ending: int) -> Spoilt:
        told, true = copy(instance), instance.flavor
        told.flavor = self._chance.one_of([flavor for flavor in FLAVORS if flavor is not true])
        return Spoilt("wrong_flavor", told, "instance_flavor_id", told.flavor.flavorid, true.flavorid)

    def _change_tenant(self, instance: Instance, ending: int) -> Spoilt:
        told, true = copy(instance), instance.tenant
        told.tenant = copy(true)
        told.tenant.id = self._chance.digits(32)
        return Spoilt("wrong_tenant", told, "tenant", told.tenant.id, true.id)

    def _shift_launch(self, instance: Instance, ending: int) -> Spoilt:
        told, true = copy(instance), instance.launched_at
        assert true is not None
        told.launched_at = true + self._chance.one_of((-SECOND, SECOND))
        return Spoilt("wrong_launched_at", told, "launched_at", stamp(told.launched_at), stamp(true))

    def _lose_metadata(self, instance: Instance, ending: int) -> Spoilt:
        told, image = copy(instance), instance.image
        lost = self._chance.one_of(_required_metadata(image))
        text = image.meta or legacy.image_meta(image)
        found = re.search(rf',"{re.escape(METADATA[lost])}":"([^"]*)"', text)
        assert found is not None
        told.image = copy(image)
        told.image.meta = text[: found.start()] + text[found.end() :]
        return Spoilt("null_metadata", told, lost, None, found[1])


def fault_of(instance: Instance) -> str | None:
    """Return the fault that every usage record of an instance suffers from."""
    if instance.is_launch_hidden:
        return "missing_launch"
    return "missing_delete" if instance.is_delete_hidden else None


def _silence(instance: Instance, ending: int) -> Spoilt:
    return Spoilt("missing_exists", instance, None, None, None)


def _revive(instance: Instance, ending: int) -> Spoilt | None:
    """Say of an instance that was deleted within the period that it is alive."""
    if instance.deleted_at is None or instance.deleted_at > ending:
        return None
    told = copy(instance)
    told.deleted_at = told.terminated_at = None
    told.state = "active"
    return Spoilt("false_alive", told, "deleted_at", None, stamp(instance.deleted_at))


def _required_metadata(image: Image) -> list[str]:
    return [field for field in METADATA if image.kind != "import" or field not in OPTIONAL_OF_IMPORTS]
