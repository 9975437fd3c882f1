"""What an event type says: the exchange, the operation in its legacy spelling, and the phase.

Source: OpenStack's names side by side, legacy and versioned (nova's notification reference).
"""

from functools import lru_cache
from typing import NamedTuple

PHASES = ("start", "end", "error")

_INSTANCE_ACTIONS = {
    "interface_attach": "create_ip",
    "interface_detach": "delete_ip",
    "live_migration_abort": "live.migration.abort",
    "live_migration_force_complete": "live.migration.force.complete",
    "live_migration_post": "live_migration._post",
    "live_migration_post_dest": "live_migration.post.dest",
    "live_migration_pre": "live_migration.pre",
    "live_migration_rollback": "live_migration._rollback",
    "live_migration_rollback_dest": "live_migration.rollback.dest",
    "rebuild_scheduled": "rebuild.scheduled",
    "resize_confirm": "resize.confirm",
    "resize_finish": "finish_resize",
    "resize_prep": "resize.prep",
    "resize_revert": "resize.revert",
    "volume_attach": "volume.attach",
    "volume_detach": "volume.detach",
}

_OTHER_OPERATIONS = {
    "aggregate.add_host": "aggregate.addhost",
    "aggregate.remove_host": "aggregate.removehost",
    "aggregate.update_metadata": "aggregate.updatemetadata",
    "aggregate.update_prop": "aggregate.updateprop",
    "libvirt.connect": "compute.libvirt",
    "metrics.update": "compute.metrics.update",
    "server_group.add_member": "servergroup.addmember",
    "server_group.create": "servergroup.create",
    "server_group.delete": "servergroup.delete",
}

_EXCHANGES = {
    "nova": "compute compute_task instance scheduler keypair aggregate server_group servergroup flavor "
    "service metrics libvirt",
    "glance": "image task",
    "cinder": "volume snapshot backup consistencygroup cgsnapshot capacity volume_type",
    "neutron": "network subnet subnetpool port router floatingip floatingip_port_forwarding security_group "
    "security_group_rule address_scope address_group rbac_policy agent trunk segment metering_label "
    "metering_label_rule l3 qos policy pool vip member health_monitor listener firewall firewall_policy "
    "firewall_rule firewall_group vpnservice ipsecpolicy ikepolicy ipsec_site_connection endpoint_group "
    "quota flavor_profile log bgp_speaker bgp_peer bgpvpn sfc dhcp_agent",
    "keystone": "identity",
    "heat": "orchestration",
    "ironic": "baremetal hardware",
    "magnum": "magnum",
    "manila": "share share_group share_snapshot",
    "trove": "trove dbaas",
    "designate": "dns",
    "octavia": "octavia",
    "sahara": "sahara",
    "swift": "objectstore",
    "zaqar": "zaqar",
    "ceilometer": "telemetry sample full",
    "masakari": "host notification",
    "watcher": "action_plan action audit strategy goal",
    "osprofiler": "profiler",
}
_EXCHANGES_BY_START = (("metadef_", "glance"), ("group", "cinder"))
_EXCHANGE_OF = {word: exchange for exchange, words in _EXCHANGES.items() for word in words.split()}


class Name(NamedTuple):
    """What an event type says."""

    exchange: str
    operation: str
    phase: str | None


@lru_cache(maxsize=10_000)
def name(event_type: str, is_exception: bool = False) -> Name:
    """Read an event type; *is_exception* tells that the payload is that of a wrapped exception."""
    operation, _, last = event_type.rpartition(".")
    phase = last if operation and last in PHASES else None
    operation = operation if phase else event_type
    return Name(_exchange(event_type, is_exception), _legacy(operation), phase)


@lru_cache(maxsize=10_000)
def publisher(publisher_id: str | None) -> tuple[str | None, str | None]:
    """Split a publisher at its first ``.`` or ``:`` into service and host."""
    if not publisher_id:
        return None, None
    for place, character in enumerate(publisher_id):
        if character in ".:":
            return publisher_id[:place] or None, publisher_id[place + 1 :] or None
    return publisher_id, None


def _exchange(event_type: str, is_exception: bool) -> str:
    word, dot, _ = event_type.partition(".")
    if event_type == "volume.usage" or (is_exception and not dot):
        return "nova"
    for start, exchange in _EXCHANGES_BY_START:
        if word.startswith(start):
            return exchange
    return _EXCHANGE_OF.get(word, "unknown")


def _legacy(operation: str) -> str:
    word, _, action = operation.partition(".")
    if word == "instance" and action:
        return f"compute.instance.{_INSTANCE_ACTIONS.get(action, action)}"
    return _OTHER_OPERATIONS.get(operation, operation)
