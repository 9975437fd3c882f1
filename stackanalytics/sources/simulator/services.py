"""Payloads of the other services, as JSON text: image, volume, network, identity."""

from collections.abc import Sequence

from stackanalytics.sources.simulator.stamps import iso, offset, stamp, zulu
from stackanalytics.sources.simulator.topology import Image, Instance, Tenant, Volume, VolumeCopy


def image_payload(image: Image) -> str:
    """Describe an image as glance does."""
    deleted = "false" if image.deleted_at is None else "true"
    return (
        f'{{"id":"{image.id}","name":"{image.name}","status":"{image.status}",'
        f'"created_at":{zulu(image.created_at)},"updated_at":{zulu(image.updated_at)},'
        f'"min_disk":{image.min_disk},"min_ram":0,"protected":false,"checksum":{_text(image.checksum)},'
        f'"owner":"{image.owner}","disk_format":"qcow2","container_format":"bare","size":{image.size},'
        f'"virtual_size":null,"is_public":{"true" if image.is_public else "false"},'
        f'"visibility":"{"public" if image.is_public else "private"}","properties":{_properties(image)},'
        f'"tags":[],"deleted":{deleted},"deleted_at":{zulu(image.deleted_at)}}}'
    )


def _properties(image: Image) -> str:
    source = f',"instance_uuid":"{image.instance}"' if image.instance else ""
    system = f'"os_type":"{image.system.os_type}","os_distro":"{image.system.distro}"'
    return f'{{"image_type":"{image.kind}",{system}{source}}}'


def image_audit(owner: str, images: Sequence[Image], beginning: int, ending: int, page: int = 1, pages: int = 1) -> str:
    """Describe the images that an owner had in a period, or one page of them."""
    rows = ",".join(
        f'{{"id":"{image.id}","name":"{image.name}","status":"{image.status}","size":{image.size},'
        f'"created_at":"{stamp(image.created_at)}","deleted_at":{_moment(image.deleted_at)},'
        f'"properties":{_properties(image)}}}'
        for image in images
    )
    return (
        f'{{"owner":"{owner}","audit_period_beginning":"{stamp(beginning)}",'
        f'"audit_period_ending":"{stamp(ending)}","page_number":{page},"total_pages":{pages},"images":[{rows}]}}'
    )


def _moment(at: int | None) -> str:
    return "null" if at is None else f'"{stamp(at)}"'


def volume_payload(volume: Volume, now: int) -> str:
    """Describe a volume as cinder does; a volume without a launch says "now"."""
    attachments = ""
    if volume.instance is not None:
        attachments = (
            f'{{"id":"{volume.attachment}","volume_id":"{volume.id}","instance_uuid":"{volume.instance.id}",'
            f'"attach_status":"attached","mountpoint":"/dev/vdb","attached_host":null,'
            f'"attach_time":"{offset(now).replace(" ", "T")}","attach_mode":"rw"}}'
        )
    return (
        f'{{"tenant_id":"{volume.tenant.id}","user_id":"{volume.user}","volume_id":"{volume.id}",'
        f'"volume_type":"a3c1f0d2-ssd","display_name":"{volume.name}","size":{volume.size},'
        f'"status":"{volume.status}","host":"ceph#pool-ssd","availability_zone":"nova",'
        f'"launched_at":"{iso(now)}+00:00","created_at":"{offset(volume.created_at).replace(" ", "T")}",'
        f'"snapshot_id":null,"replication_status":null,"replication_extended_status":null,'
        f'"replication_driver_data":null,"metadata":[],"volume_attachment":[{attachments}]}}'
    )


def snapshot_payload(copy: VolumeCopy) -> str:
    """Describe a snapshot of a volume as cinder does."""
    volume = copy.volume
    return (
        f'{{"tenant_id":"{volume.tenant.id}","user_id":"{volume.user}","availability_zone":"nova",'
        f'"volume_id":"{volume.id}","volume_size":{volume.size},"snapshot_id":"{copy.id}",'
        f'"display_name":"{copy.name}","created_at":"{offset(copy.created_at)}","status":"{copy.status}",'
        '"deleted":"","metadata":"{}"}'
    )


def backup_payload(copy: VolumeCopy) -> str:
    """Describe a backup of a volume as cinder does."""
    volume = copy.volume
    return (
        f'{{"tenant_id":"{volume.tenant.id}","user_id":"{volume.user}","availability_zone":"nova",'
        f'"backup_id":"{copy.id}","host":"{volume.region.backups.host}","display_name":"{copy.name}",'
        f'"created_at":"{offset(copy.created_at)}","status":"{copy.status}","volume_id":"{volume.id}",'
        f'"size":{volume.size},"service_metadata":null,"service":"cinder.backup.drivers.ceph.CephBackupDriver",'
        '"fail_reason":null,"parent_id":null,"num_dependent_backups":0,"snapshot_id":null}'
    )


def port_request(instance: Instance) -> str:
    """Write the request that creates a port; it has no id yet."""
    return (
        f'{{"port":{{"device_id":"{instance.id}","network_id":"{_uuid(instance.tenant.id)}",'
        f'"tenant_id":"{instance.tenant.id}","admin_state_up":true,"security_groups":["default"]}}}}'
    )


def port_binding(instance: Instance) -> str:
    """Write the request that binds a port to a host."""
    host = f'"{instance.host.name}"' if instance.host is not None else "null"
    return (
        f'{{"id":"{instance.port}","port":{{"device_owner":"compute:nova","binding:host_id":{host},'
        f'"device_id":"{instance.id}"}}}}'
    )


def port_payload(instance: Instance, status: str, at: int) -> str:
    """Describe a port as neutron does."""
    host = f'"{instance.host.name}"' if instance.host is not None else '""'
    return (
        f'{{"port":{{"id":"{instance.port}","name":"","tenant_id":"{instance.tenant.id}",'
        f'"project_id":"{instance.tenant.id}","network_id":"{_uuid(instance.tenant.id)}",'
        f'"mac_address":"{instance.mac}","fixed_ips":[{{"subnet_id":"{_uuid(instance.tenant.id[::-1])}",'
        f'"ip_address":"{instance.address}"}}],"device_id":"{instance.id}","device_owner":"compute:nova",'
        f'"admin_state_up":true,"status":"{status}","binding:host_id":{host},"binding:vif_type":"ovs",'
        f'"binding:vnic_type":"normal","binding:profile":{{}},"port_security_enabled":true,'
        f'"security_groups":["{instance.tenant.id}"],"allowed_address_pairs":[],"extra_dhcp_opts":[],'
        f'"qos_policy_id":null,"revision_number":4,"tags":[],"created_at":{zulu(instance.created_at)},'
        f'"updated_at":{zulu(at)}}}}}'
    )


def port_deleted(instance: Instance, at: int) -> str:
    """Describe a port that is gone."""
    return f'{port_payload(instance, "ACTIVE", at)[:-1]},"port_id":"{instance.port}"}}'


def _uuid(digits: str) -> str:
    """Make a uuid of a tenant's id, for what every tenant has one of."""
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def rule_request(tenant: Tenant, port: int) -> str:
    """Write the request that opens a port in a security group."""
    return (
        f'{{"security_group_rule":{{"direction":"ingress","ethertype":"IPv4","protocol":"tcp",'
        f'"port_range_min":{port},"port_range_max":{port},"remote_ip_prefix":"192.0.2.0/24",'
        f'"security_group_id":"{_uuid(tenant.id)}"}}}}'
    )


def rule_payload(tenant: Tenant, rule: str, port: int, at: int) -> str:
    """Describe a rule of a security group."""
    return (
        f'{{"security_group_rule":{{"id":"{rule}","tenant_id":"{tenant.id}","project_id":"{tenant.id}",'
        f'"security_group_id":"{_uuid(tenant.id)}","direction":"ingress","ethertype":"IPv4","protocol":"tcp",'
        f'"port_range_min":{port},"port_range_max":{port},"remote_group_id":null,'
        f'"remote_ip_prefix":"192.0.2.0/24","description":"","revision_number":0,'
        f'"created_at":{zulu(at)},"updated_at":{zulu(at)}}}}}'
    )


def login_payload(event: str, tenant: Tenant, user: str, request_id: str, at: int) -> str:
    """Describe a login that failed, as CADF."""
    return (
        '{"typeURI":"http://schemas.dmtf.org/cloud/audit/1.0/event","eventType":"activity",'
        f'"id":"{event}","eventTime":"{iso(at)}+0000","action":"authenticate","outcome":"failure",'
        f'"reason":{{"reasonCode":"401","reasonType":"The request you have made requires authentication."}},'
        f'"initiator":{{"typeURI":"service/security/account/user","id":"{user}","user_id":"{user}",'
        f'"project_id":"{tenant.id}","request_id":"{request_id}",'
        '"host":{"address":"198.51.100.7","agent":"python-keystoneclient"}},'
        f'"target":{{"typeURI":"service/security/account/user","id":"{event}"}},'
        f'"observer":{{"typeURI":"service/security","id":"{tenant.id}"}}}}'
    )


def _text(value: str) -> str:
    return f'"{value}"' if value else "null"
