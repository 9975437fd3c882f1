"""Nova's unversioned payloads, as JSON text."""

from functools import cache

from stackanalytics.sources.simulator.stamps import iso, offset, stamp
from stackanalytics.sources.simulator.topology import ARCHITECTURE, Flavor, Image, Instance, Volume

EVENTS = {
    "resize_prep": "resize.prep",
    "resize_finish": "finish_resize",
    "resize_confirm": "resize.confirm",
    "resize_revert": "resize.revert",
    "live_migration_pre": "live_migration.pre",
    "live_migration_post": "live_migration._post",
    "live_migration_post_dest": "live_migration.post.dest",
    "live_migration_rollback": "live_migration._rollback",
    "live_migration_rollback_dest": "live_migration.rollback.dest",
    "live_migration_abort": "live.migration.abort",
    "volume_attach": "volume.attach",
    "volume_detach": "volume.detach",
}


@cache
def operation(action: str) -> str:
    """Return the operation's name, which is the event type without its phase."""
    return f"compute.instance.{EVENTS.get(action, action)}"


def instance_payload(instance: Instance, extra: str = "") -> str:
    """Describe an instance; *extra* are the keys that only this event has, each after a comma."""
    flavor, image, tenant, host = instance.flavor, instance.image, instance.tenant, instance.host
    where = f'"{host.name}"' if host is not None else "null"
    created = stamp(instance.created_at) if instance.cell.is_old else offset(instance.created_at)
    return (
        f'{{"tenant_id":"{tenant.id}","user_id":"{instance.user}","instance_id":"{instance.id}",'
        f'"display_name":"{instance.name}","reservation_id":"{instance.reservation}",'
        f'"hostname":"{instance.hostname}","instance_type":"{flavor.name}","instance_type_id":{flavor.id},'
        f'"instance_flavor_id":"{flavor.flavorid}","architecture":"x86_64","memory_mb":{flavor.memory_mb},'
        f'"disk_gb":{flavor.root_gb + flavor.ephemeral_gb},"vcpus":{flavor.vcpus},"root_gb":{flavor.root_gb},'
        f'"ephemeral_gb":{flavor.ephemeral_gb},"host":{where},"node":{where},"availability_zone":"nova",'
        f'"cell_name":"","created_at":"{created}","terminated_at":"{iso(instance.terminated_at)}",'
        f'"deleted_at":"{iso(instance.deleted_at)}","launched_at":"{iso(instance.launched_at)}",'
        f'"image_ref_url":"http://image.example:9292/images/{image.id}","os_type":"{image.system.os_type}",'
        f'"kernel_id":"","ramdisk_id":"","state":"{instance.state}",'
        f'"state_description":"{instance.task or ""}","progress":"{instance.progress}",'
        f'"access_ip_v4":null,"access_ip_v6":null,"image_meta":{image.meta or image_meta(image)},'
        f'"metadata":{{}}{extra}}}'
    )


def image_meta(image: Image) -> str:
    """Describe the image that an instance came from; all values are strings. The text is kept."""
    system = image.system
    image.meta = (
        f'{{"base_image_ref":"{image.id}","container_format":"bare","disk_format":"qcow2",'
        f'"min_disk":"{image.min_disk}","min_ram":"0","image_type":"{image.kind}",'
        f'"os_type":"{system.os_type}","os_distro":"{system.distro}","os_version":"{system.version}",'
        f'"org.openstack__1__architecture":"{ARCHITECTURE}","org.openstack__1__os_distro":"{system.reverse_domain}",'
        f'"org.openstack__1__os_version":"{system.version}","com.rackspace__1__options":"{system.rax_options}"}}'
    )
    return image.meta


def fixed_ips(instance: Instance) -> str:
    """Return the extra keys of an instance that has an address."""
    return (
        f',"fixed_ips":[{{"address":"{instance.address}","label":"private","type":"fixed","version":4,'
        f'"vif_mac":"{instance.mac}","floating_ips":[],"meta":{{}}}}]'
    )


def outcome(message: str) -> str:
    """Return the extra key that says how a build went."""
    return f',"message":"{message}"'


def failure(message: str, code: int) -> str:
    """Return the extra keys of an error."""
    kwargs = f'{{"kwargs":{{"reason":"{message}","code":{code}}}}}'
    return f',"message":"{message}","exception":{kwargs},"code":{code}'


def new_flavor(flavor: Flavor) -> str:
    """Return the extra keys of a resize in preparation."""
    return f',"new_instance_type":"{flavor.name}","new_instance_type_id":{flavor.id}'


def change(instance: Instance, old_state: str | None, old_task: str | None, period: int, at: int) -> str:
    """Return the extra keys of an update."""
    was = "null" if old_state is None else f'"{old_state}"'
    did = "null" if old_task is None else f'"{old_task}"'
    does = "null" if instance.task is None else f'"{instance.task}"'
    bandwidth = ',"bandwidth":{}' if instance.cell.is_old else ""
    return (
        f',"old_state":{was},"old_task_state":{did},"new_task_state":{does},'
        f'"audit_period_beginning":"{iso(period)}","audit_period_ending":"{iso(at)}"{bandwidth}'
    )


def audit(beginning: int, ending: int, bandwidth: tuple[int, int] | None) -> str:
    """Return the extra keys of a usage record; *bandwidth* is received and sent [B]."""
    traffic = ""
    if bandwidth is not None:
        received, sent = bandwidth
        traffic = (
            f',"bandwidth":{{"public":{{"bw_in":{received},"bw_out":{sent}}},'
            f'"private":{{"bw_in":{received // 7},"bw_out":{sent // 9}}}}}'
        )
    return f',"audit_period_beginning":"{stamp(beginning)}","audit_period_ending":"{stamp(ending)}"{traffic}'


def volume_usage(volume: Volume, instance: Instance, refreshed_at: int, block: int) -> str:
    """Describe how much an instance used a volume, in requests of *block* bytes."""
    return (
        f'{{"volume_id":"{volume.id}","tenant_id":"{instance.tenant.id}","user_id":"{instance.user}",'
        f'"instance_id":"{instance.id}","availability_zone":"nova","last_refreshed":"{stamp(refreshed_at)}",'
        f'"reads":{volume.read_bytes // block},"read_bytes":{volume.read_bytes},'
        f'"writes":{volume.written_bytes // block},"write_bytes":{volume.written_bytes}}}'
    )


def wrapped_exception(instance: Instance, request_id: str, code: int, reason: str) -> str:
    """Describe an exception that left a method of nova-compute, with that method's arguments."""
    flavor, host = instance.flavor, instance.host
    name = f'"{host.name}"' if host is not None else "null"
    bits = f'"vcpus":{flavor.vcpus},"memory_mb":{flavor.memory_mb},"root_gb":{flavor.root_gb}'
    system = "".join(
        f',"instance_type_{key}":"{value}"'
        for key, value in (
            ("id", flavor.id),
            ("name", flavor.name),
            ("flavorid", flavor.flavorid),
            ("vcpus", flavor.vcpus),
            ("memory_mb", flavor.memory_mb),
            ("root_gb", flavor.root_gb),
            ("ephemeral_gb", flavor.ephemeral_gb),
            ("swap", 0),
            ("rxtx_factor", 1.0),
        )
    )
    network = (
        f'{{"id":"{instance.port}","address":"{instance.mac}","type":"ovs","active":true,"devname":'
        f'"tap{instance.port[:11]}","profile":{{}},"vnic_type":"normal","network":{{"label":"private",'
        f'"bridge":"br-int","meta":{{"injected":false,"tenant_id":"{instance.tenant.id}","mtu":1450}},'
        f'"subnets":[{{"cidr":"10.0.0.0/16","version":4,"gateway":{{"address":"10.0.0.1","type":"gateway"}},'
        f'"ips":[{{"address":"{instance.address}","type":"fixed","floating_ips":[]}}],"dns":[],"routes":[]}}]}}}}'
    )
    return (
        f'{{"exception":{{"kwargs":{{"code":{code},"reason":"{reason}","uuid":"{instance.id}"}}}},'
        f'"args":{{"self":null,"context":null,"request_id":"{request_id}","bdms":null,"recreate":false,'
        f'"instance":{{"uuid":"{instance.id}","id":{instance.number},"project_id":"{instance.tenant.id}",'
        f'"user_id":"{instance.user}","display_name":"{instance.name}","hostname":"{instance.hostname}",'
        f'"image_ref":"{instance.image.id}","vm_state":"{instance.state}",'
        f'"task_state":"{instance.task or ""}",'
        f'"power_state":1,"host":{name},"node":{name},"launched_on":{name},{bits},'
        f'"reservation_id":"{instance.reservation}","launch_index":0,"key_name":"deploy","locked":false,'
        f'"launched_at":"{iso(instance.launched_at)}","created_at":"{iso(instance.created_at)}",'
        f'"terminated_at":null,"deleted_at":null,"deleted":false,"availability_zone":"nova","progress":0,'
        f'"kernel_id":"","ramdisk_id":"","config_drive":"","root_device_name":"/dev/vda","vm_mode":null,'
        f'"default_ephemeral_device":null,"default_swap_device":null,"auto_disk_config":false,'
        f'"disable_terminate":false,"shutdown_terminate":false,"ephemeral_key_uuid":null,"cell_name":null,'
        f'"metadata":{{}},"system_metadata":{{"image_min_disk":"{instance.image.min_disk}",'
        f'"image_base_image_ref":"{instance.image.id}"{system}}},'
        f'"info_cache":{{"instance_uuid":"{instance.id}","network_info":[{network}]}},'
        f'"security_groups":["default"],"pci_devices":[],"tags":[],"numa_topology":null,"fault":null}}}}}}'
    )


def request_spec(instance: Instance, count: int = 1) -> str:
    """Describe what the scheduler is asked for."""
    flavor, image = instance.flavor, instance.image
    sizes = (
        f'"memory_mb":{flavor.memory_mb},"vcpus":{flavor.vcpus},"root_gb":{flavor.root_gb},'
        f'"ephemeral_gb":{flavor.ephemeral_gb}'
    )
    return (
        f'{{"num_instances":{count},"instance_uuids":["{instance.id}"],"security_group":["default"],'
        f'"image":{{"id":"{image.id}","name":"{image.name}","status":"{image.status}","size":{image.size},'
        f'"min_disk":{image.min_disk},"min_ram":0,"disk_format":"qcow2","container_format":"bare",'
        f'"owner":"{image.owner}","checksum":"{image.checksum}","created_at":"{iso(image.created_at)}",'
        f'"updated_at":"{iso(image.updated_at)}","properties":{{"os_type":"{image.system.os_type}",'
        f'"os_distro":"{image.system.distro}","image_type":"{image.kind}"}}}},'
        f'"instance_type":{{"id":{flavor.id},"flavorid":"{flavor.flavorid}","name":"{flavor.name}",{sizes},'
        f'"swap":0,"rxtx_factor":1.0,"disabled":false,"is_public":true,"extra_specs":{{}},"deleted":false}},'
        f'"instance_properties":{{"uuid":"{instance.id}","project_id":"{instance.tenant.id}",'
        f'"user_id":"{instance.user}","display_name":"{instance.name}","hostname":"{instance.hostname}",'
        f'"reservation_id":"{instance.reservation}","image_ref":"{image.id}","vm_state":"building",'
        f'"launch_index":0,"power_state":0,"os_type":"{image.system.os_type}","availability_zone":"nova",'
        f'"instance_type_id":{flavor.id},{sizes},"key_name":"deploy","config_drive":"","locked":false,'
        f'"root_device_name":"/dev/vda","metadata":{{}},"system_metadata":{{"image_base_image_ref":"{image.id}",'
        f'"image_min_disk":"{image.min_disk}"}},"info_cache":{{"instance_uuid":"{instance.id}","network_info":[]}},'
        f'"created_at":"{iso(instance.created_at)}","numa_topology":null,"pci_requests":{{"instance_uuid":'
        f'"{instance.id}","requests":[]}}}}}}'
    )


def build_failure(instance: Instance, reason: str) -> str:
    """Describe that no host was found for an instance."""
    return (
        f'{{"request_spec":{request_spec(instance)},"instance_properties":{{"uuid":"{instance.id}",'
        f'"project_id":"{instance.tenant.id}","reservation_id":"{instance.reservation}"}},'
        f'"instance_id":"{instance.id}","state":"error","method":"build_instances","reason":"{reason}"}}'
    )
