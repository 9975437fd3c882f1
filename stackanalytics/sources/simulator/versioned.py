"""Nova's versioned payloads, as JSON text."""

from functools import cache

from stackanalytics.sources.simulator.message import Request
from stackanalytics.sources.simulator.stamps import zulu
from stackanalytics.sources.simulator.topology import Flavor, Instance, Volume

POWER = {
    "building": "pending",
    "stopped": "shutdown",
    "paused": "paused",
    "suspended": "suspended",
    "deleted": "pending",
    "shelved": "shutdown",
    "shelved_offloaded": "shutdown",
}
WITH_ERROR = {"create", "rebuild", "reboot", "resize", "volume_attach"}


def versioned_object(name: str, version: str, data: str) -> str:
    """Wrap the data of an object, given as JSON text."""
    return (
        f'{{"nova_object.data":{data},"nova_object.name":"{name}","nova_object.namespace":"nova",'
        f'"nova_object.version":"{version}"}}'
    )


def instance_payload(name: str, version: str, instance: Instance, request: Request, extra: str) -> str:
    """Describe an instance for a request; *extra* are the keys of this payload only, each after a comma."""
    host = f'"{instance.host.name}"' if instance.host is not None else "null"
    task = "null" if instance.task is None else f'"{instance.task}"'
    asked = "null" if request.is_periodic else f'"{request.id}"'
    disks = ",".join(_block_device(number, volume.id) for number, volume in enumerate(instance.volumes))
    data = (
        f'{{"architecture":"x86_64","availability_zone":"nova","block_devices":[{disks}],'
        f'"created_at":{zulu(instance.created_at)},"deleted_at":{zulu(instance.deleted_at)},'
        f'"display_name":"{instance.name}","display_description":"{instance.name}","host":{host},'
        f'"host_name":"{instance.hostname}","ip_addresses":[{_address(instance)}],"kernel_id":"",'
        f'"key_name":"deploy","launched_at":{zulu(instance.launched_at)},"image_uuid":"{instance.image.id}",'
        f'"metadata":{{}},"locked":false,"node":{host},"os_type":"{instance.image.system.os_type}",'
        f'"progress":0,"ramdisk_id":"","reservation_id":"{instance.reservation}","state":"{instance.state}",'
        f'"task_state":{task},"power_state":"{POWER.get(instance.state, "running")}",'
        f'"tenant_id":"{instance.tenant.id}","terminated_at":{zulu(instance.terminated_at)},'
        f'"auto_disk_config":"MANUAL","flavor":{flavor_payload(instance.flavor)},'
        f'"updated_at":{zulu(instance.launched_at)},"user_id":"{instance.user}","uuid":"{instance.id}",'
        f'"request_id":{asked},{request.initiator},"locked_reason":null,"shares":[]{extra}}}'
    )
    return versioned_object(name, version, data)


def _address(instance: Instance) -> str:
    if instance.launched_at is None or instance.deleted_at is not None:
        return ""
    data = (
        f'{{"mac":"{instance.mac}","address":"{instance.address}","port_uuid":"{instance.port}","meta":{{}},'
        f'"version":4,"label":"private","device_name":"tap{instance.port[:11]}"}}'
    )
    return versioned_object("IpPayload", "1.0", data)


def _block_device(number: int, volume: str) -> str:
    data = (
        f'{{"boot_index":null,"delete_on_termination":false,"device_name":"/dev/vd{chr(98 + number % 24)}",'
        f'"tag":null,"volume_id":"{volume}"}}'
    )
    return versioned_object("BlockDevicePayload", "1.0", data)


@cache
def flavor_payload(flavor: Flavor) -> str:
    """Describe a flavor."""
    data = (
        f'{{"flavorid":"{flavor.flavorid}","name":"{flavor.name}","root_gb":{flavor.root_gb},'
        f'"vcpus":{flavor.vcpus},"ephemeral_gb":{flavor.ephemeral_gb},"memory_mb":{flavor.memory_mb},'
        '"disabled":false,"rxtx_factor":1.0,"extra_specs":{"hw:watchdog_action":"disabled"},"projects":null,'
        '"swap":0,"is_public":true,"vcpu_weight":0,"description":null}'
    )
    return versioned_object("FlavorPayload", "1.4", data)


def change(instance: Instance, old_state: str | None, old_task: str | None, period: int, at: int) -> str:
    """Return the extra keys of an update."""
    was = "null" if old_state is None else f'"{old_state}"'
    did = "null" if old_task is None else f'"{old_task}"'
    does = "null" if instance.task is None else f'"{instance.task}"'
    data = f'{{"new_task_state":{does},"old_state":{was},"old_task_state":{did},"state":"{instance.state}"}}'
    update = versioned_object("InstanceStateUpdatePayload", "1.0", data)
    return f'{audit(period, at)},"old_display_name":null,"state_update":{update},"tags":[]'


def audit(beginning: int, ending: int) -> str:
    """Return the extra keys of a usage record."""
    data = f'{{"audit_period_beginning":{zulu(beginning)},"audit_period_ending":{zulu(ending)}}}'
    return f',"audit_period":{versioned_object("AuditPeriodPayload", "1.0", data)}'


def volume_usage(volume: Volume, instance: Instance, refreshed_at: int, block: int) -> str:
    """Describe how much an instance used a volume, in requests of *block* bytes."""
    data = (
        f'{{"volume_id":"{volume.id}","project_id":"{instance.tenant.id}","user_id":"{instance.user}",'
        f'"instance_uuid":"{instance.id}","availability_zone":"nova","last_refreshed":{zulu(refreshed_at)},'
        f'"reads":{volume.read_bytes // block},"read_bytes":{volume.read_bytes},'
        f'"writes":{volume.written_bytes // block},"write_bytes":{volume.written_bytes}}}'
    )
    return versioned_object("VolumeUsagePayload", "1.0", data)


def new_flavor(flavor: Flavor) -> str:
    """Return the extra keys of a resize in preparation."""
    return f',"fault":null,"new_flavor":{flavor_payload(flavor)}'


def created(instance: Instance, fault: str = "null") -> str:
    """Return the extra keys of a build."""
    return (
        f',"fault":{fault},"keypairs":[],"tags":[],"trusted_image_certificates":null,'
        f'"instance_name":"instance-{instance.number:08x}"'
    )


def fault(exception: str, message: str, function: str) -> str:
    """Describe an exception."""
    data = (
        f'{{"exception":"{exception}","exception_message":"{message}","function_name":"{function}",'
        '"module_name":"nova.compute.manager","traceback":"Traceback (most recent call last):\\n  File '
        f'\\"nova/compute/manager.py\\", line 2417, in {function}\\n{exception}: {message}\\n"}}'
    )
    return versioned_object("ExceptionPayload", "1.1", data)


def request_spec(instance: Instance, count: int = 1) -> str:
    """Describe what the scheduler is asked for."""
    image = instance.image
    properties = versioned_object("ImageMetaPropsPayload", "1.19", '{"hw_architecture":"x86_64"}')
    meta = versioned_object(
        "ImageMetaPayload",
        "1.0",
        f'{{"checksum":"{image.checksum}","container_format":"bare","created_at":{zulu(image.created_at)},'
        f'"direct_url":null,"disk_format":"qcow2","id":"{image.id}","min_disk":{image.min_disk},"min_ram":0,'
        f'"name":"{image.name}","owner":"{image.owner}","properties":{properties},"protected":false,'
        f'"size":{image.size},"status":"{image.status}","tags":[],"updated_at":{zulu(image.updated_at)},'
        '"virtual_size":null,"visibility":"public"}',
    )
    pci = versioned_object("InstancePCIRequestsPayload", "1.0", f'{{"instance_uuid":"{instance.id}","requests":[]}}')
    return versioned_object(
        "RequestSpecPayload",
        "1.1",
        f'{{"availability_zone":null,"flavor":{flavor_payload(instance.flavor)},"ignore_hosts":null,'
        f'"image":{meta},"instance_uuid":"{instance.id}","num_instances":{count},"numa_topology":null,'
        f'"pci_requests":{pci},"project_id":"{instance.tenant.id}","scheduler_hints":{{}},'
        '"security_groups":["default"],"force_hosts":null,"force_nodes":null,"instance_group":null,'
        f'"requested_destination":null,"retry":null,"user_id":"{instance.user}"}}',
    )


def build_failure(instance: Instance, reason: str) -> str:
    """Describe that no host was found for an instance."""
    why = fault("NoValidHost", reason, "_schedule_instances")
    data = f'{{"instance_uuid":"{instance.id}","reason":{why},"request_spec":{request_spec(instance)},"state":"error"}}'
    return versioned_object("ComputeTaskPayload", "1.0", data)
