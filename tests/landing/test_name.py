"""An event type tells exchange, operation in its legacy spelling, and phase."""

import pytest

from stackanalytics.landing.name import name, publisher

SAME_WORDS = """
pause unpause suspend resume shelve shelve_offload unshelve rescue unrescue power_on power_off reboot rebuild snapshot
evacuate trigger_crash_dump lock unlock
""".split()  # noqa: SIM905  # a list of words is easier to read so

# legacy and versioned name of one operation; spec/notifications 4.4
PAIRS = [
    ("compute.instance.create.start", "instance.create.start"),
    ("compute.instance.create.end", "instance.create.end"),
    ("compute.instance.create.error", "instance.create.error"),
    ("compute.instance.delete.end", "instance.delete.end"),
    ("compute.instance.shutdown.end", "instance.shutdown.end"),
    ("compute.instance.soft_delete.end", "instance.soft_delete.end"),
    ("compute.instance.restore.end", "instance.restore.end"),
    ("compute.instance.update", "instance.update"),
    ("compute.instance.exists", "instance.exists"),
    ("compute.instance.resize.prep.start", "instance.resize_prep.start"),
    ("compute.instance.resize.start", "instance.resize.start"),
    ("compute.instance.finish_resize.end", "instance.resize_finish.end"),
    ("compute.instance.resize.confirm.end", "instance.resize_confirm.end"),
    ("compute.instance.resize.revert.end", "instance.resize_revert.end"),
    ("compute.instance.live_migration.pre.start", "instance.live_migration_pre.start"),
    ("compute.instance.live_migration._post.start", "instance.live_migration_post.start"),
    ("compute.instance.live_migration.post.dest.end", "instance.live_migration_post_dest.end"),
    ("compute.instance.live_migration._rollback.end", "instance.live_migration_rollback.end"),
    ("compute.instance.live_migration.rollback.dest.end", "instance.live_migration_rollback_dest.end"),
    ("compute.instance.live.migration.abort.start", "instance.live_migration_abort.start"),
    ("compute.instance.live.migration.force.complete.end", "instance.live_migration_force_complete.end"),
    ("compute.instance.volume.attach", "instance.volume_attach"),
    ("compute.instance.volume.detach", "instance.volume_detach"),
    ("compute.instance.create_ip.end", "instance.interface_attach.end"),
    ("compute.instance.delete_ip.end", "instance.interface_detach.end"),
    ("compute.instance.rebuild.scheduled", "instance.rebuild_scheduled"),
    ("compute.metrics.update", "metrics.update"),
    ("compute.libvirt.error", "libvirt.connect.error"),
    ("aggregate.addhost.end", "aggregate.add_host.end"),
    ("aggregate.removehost.end", "aggregate.remove_host.end"),
    ("aggregate.updatemetadata.end", "aggregate.update_metadata.end"),
    ("aggregate.updateprop.end", "aggregate.update_prop.end"),
    ("servergroup.create", "server_group.create"),
    ("servergroup.delete", "server_group.delete"),
    ("servergroup.addmember", "server_group.add_member"),
    *((f"compute.instance.{word}.end", f"instance.{word}.end") for word in SAME_WORDS),
]


@pytest.mark.parametrize(("legacy", "versioned"), PAIRS)
def test_both_formats_meet_under_one_operation(legacy: str, versioned: str) -> None:
    """The legacy and the versioned name of an operation give the same operation, phase and exchange."""
    assert name(legacy) == name(versioned)
    assert name(legacy).exchange == "nova"


@pytest.mark.parametrize(
    ("event_type", "operation", "phase"),
    [
        ("compute.instance.create.start", "compute.instance.create", "start"),
        ("compute.instance.create.end", "compute.instance.create", "end"),
        ("compute.instance.create.error", "compute.instance.create", "error"),
        ("compute.instance.update", "compute.instance.update", None),
        ("instance.live_migration_post.start", "compute.instance.live_migration._post", "start"),
        ("compute.instance.instance.create.error", "compute.instance.instance.create", "error"),
        ("scheduler.select_destinations.start", "scheduler.select_destinations", "start"),
        ("scheduler.run_instance.scheduled", "scheduler.run_instance.scheduled", None),
        ("compute_task.build_instances.error", "compute_task.build_instances", "error"),
        ("compute_task.build_instances", "compute_task.build_instances", None),
        ("compute.instance.exists.verified", "compute.instance.exists.verified", None),
        ("volume.attach.end", "volume.attach", "end"),
        ("identity.OS-TRUST:trust.created", "identity.OS-TRUST:trust.created", None),
        ("terminate_instance", "terminate_instance", None),
        ("start", "start", None),
        (".end", ".end", None),
        ("compute.instance.restart", "compute.instance.restart", None),
        ("compute.instance.create.END", "compute.instance.create.END", None),
        ("flavor.create", "flavor.create", None),
        ("instance", "instance", None),
        ("instance.", "instance.", None),
    ],
)
def test_operation_and_phase(event_type: str, operation: str, phase: str | None) -> None:
    """The phase is the last word where that is start, end or error of something; the rest is the operation."""
    found = name(event_type)
    assert (found.operation, found.phase) == (operation, phase)


EXCHANGES = {
    "nova": "compute.instance.update compute_task.build_instances instance.create.end scheduler.run_instance.start "
    "keypair.create.start aggregate.create.end server_group.create servergroup.create flavor.create "
    "service.update volume.usage metrics.update libvirt.connect.error compute.exception",
    "glance": "image.upload image.member.create task.create metadef_namespace.create metadef_object.delete",
    "cinder": "volume.create.end volume.exists snapshot.create.end backup.delete.end group.create.start "
    "group_snapshot.create.end group_type.create groups.x consistencygroup.create.end cgsnapshot.create.end "
    "capacity.pool volume_type.create",
    "neutron": "port.create.end network.exists subnet.delete.start router.interface.create floatingip.update.end "
    "security_group.create.end security_group_rule.create.start l3.meter rbac_policy.create.end",
    "keystone": "identity.authenticate identity.user.created",
    "heat": "orchestration.stack.create.end orchestration.autoscaling.error",
    "ironic": "baremetal.node.power_set.end hardware.ipmi.metrics",
    "magnum": "magnum.cluster.create",
    "manila": "share.create.end",
    "trove": "trove.instance.create dbaas.instance.create",
    "designate": "dns.zone.create dns.domain.update",
    "octavia": "octavia.loadbalancer.create.end",
    "sahara": "sahara.cluster.create",
    "swift": "objectstore.http.request",
    "unknown": "something.else terminate_instance volumes computer.x images",
}


@pytest.mark.parametrize(
    ("event_type", "exchange"),
    [(event, exchange) for exchange, events in EXCHANGES.items() for event in events.split()],
)
def test_exchange_where_none_is_given(event_type: str, exchange: str) -> None:
    """The first word of the event type tells the exchange."""
    assert name(event_type).exchange == exchange


def test_exchange_of_wrapped_exceptions() -> None:
    """A bare function name with the payload of an exception is of nova; another event stays what it is."""
    assert name("terminate_instance", is_exception=True).exchange == "nova"
    assert name("something.else", is_exception=True).exchange == "unknown"


@pytest.mark.parametrize(
    ("publisher_id", "service", "host"),
    [
        ("compute.global.preprod-ord.ohthree.com", "compute", "global.preprod-ord.ohthree.com"),
        ("nova-compute:host-1", "nova-compute", "host-1"),
        ("volume.host@backend#pool", "volume", "host@backend#pool"),
        ("a:b.c", "a", "b.c"),
        ("a.b:c", "a", "b:c"),
        ("solo", "solo", None),
        ("solo.", "solo", None),
        (".host", None, "host"),
        ("", None, None),
        (None, None, None),
    ],
)
def test_service_and_host(publisher_id: str | None, service: str | None, host: str | None) -> None:
    """The publisher is cut at its first dot or colon."""
    assert publisher(publisher_id) == (service, host)
