"""Volumes, images, and snapshots of instances."""

from stackanalytics.sources.simulator import legacy, services, versioned
from stackanalytics.sources.simulator.action import Action, Detail
from stackanalytics.sources.simulator.message import periodic_request
from stackanalytics.sources.simulator.stamps import SECOND, stamp
from stackanalytics.sources.simulator.topology import Host, Image, Instance, Volume, VolumeCopy
from stackanalytics.sources.simulator.transitions import go_wrong
from stackanalytics.sources.simulator.world import Story, World, image_record

POLL_INTERVAL = 3600.0
BLOCK = 4096  # bytes that one request to a volume reads or writes
SIZES = (10, 20, 40, 50, 100, 200, 500, 1000)


# volumes


def build_volume(act: Action) -> Volume:
    """Make a volume that is about to be created."""
    chance, world = act.chance, act.world
    identity = chance.uuid()
    return Volume(
        id=identity,
        name=f"vol-{identity[:6]}",
        tenant=act.tenant,
        user=act.user,
        region=act.region,
        size=chance.one_of(SIZES),
        created_at=world.now,
        attachment=chance.uuid(),
    )


def create_volume(act: Action, volume: Volume) -> Story:
    """Create a volume; one that fails has no end."""
    yield from _volume_step(act, volume, "create", "creating", 3)
    volume.status = "available"
    if act.fate != "success":
        act.finish("unfinished")
        return
    _volume_end(act, volume, "create")
    volume.tenant.volumes.append(volume)
    act.finish()


def delete_volume(act: Action, volume: Volume) -> Story:
    """Delete a volume."""
    yield from _volume_step(act, volume, "delete", "deleting", 3)
    _volume_end(act, volume, "delete")
    act.finish()


def attach_volume(act: Action, volume: Volume) -> Story:
    """Create a volume for an instance that boots from it, and attach it."""
    if volume.status == "creating":
        yield from _volume_step(act, volume, "create", "creating", 3)
        volume.status = "available"
        _volume_end(act, volume, "create")
        yield 0.3
    detail = volume_detail(volume)
    act.start("volume_attach", detail)
    yield 0.2
    yield from _volume_step(act, volume, "attach", "attaching", 5)
    volume.status, volume.instance = "in-use", act.instance
    act.instance.volumes.append(volume)
    _volume_end(act, volume, "attach")
    yield 0.1
    act.end("volume_attach", detail)
    yield 0.05


def attach(act: Action, volume: Volume) -> Story:
    """Attach a volume on request."""
    if act.fate != "success":
        volume.tenant.volumes.append(volume)
        act.start("volume_attach", volume_detail(volume))
        yield 0.3
        yield from go_wrong(act, "volume_attach", "attach_volume")
        return
    yield from attach_volume(act, volume)
    act.finish()


def detach(act: Action, volume: Volume) -> Story:
    """Detach a volume on request."""
    detail = volume_detail(volume)
    act.start("volume_detach", detail)
    yield 0.3
    yield from _volume_step(act, volume, "detach", "detaching", 3)
    volume.status, volume.instance = "available", None
    act.instance.volumes.remove(volume)
    _volume_end(act, volume, "detach")
    yield 0.1
    act.end("volume_detach", detail)
    volume.tenant.volumes.append(volume)
    act.finish()


def volume_detail(volume: Volume) -> Detail:
    """Return what nova tells of a volume."""
    extra = f',"volume_id":"{volume.id}"'
    return Detail(extra, f',"fault":null{extra}', "InstanceActionVolumePayload", "1.7")


def _volume_step(act: Action, volume: Volume, step: str, status: str, median: float) -> Story:
    volume.status = status
    payload = services.volume_payload(volume, act.world.now)
    act.tell(act.region.cinder, f"volume.{step}", "start", payload)
    yield act.chance.lasting(median, 20)


def _volume_end(act: Action, volume: Volume, step: str) -> None:
    payload = services.volume_payload(volume, act.world.now)
    act.tell(act.region.cinder, f"volume.{step}", "end", payload)


# copies of volumes


def create_copy(act: Action, copy: VolumeCopy) -> Story:
    """Snapshot a volume, or back it up; what fails has no end."""
    _tell_copy(act, copy, "create", "start")
    yield act.chance.lasting(120, 1800) if copy.is_backup else act.chance.lasting(2, 20)
    copy.volume.tenant.volumes.append(copy.volume)
    if act.fate != "success":
        act.finish("unfinished")
        return
    copy.status = "available"
    _tell_copy(act, copy, "create", "end")
    copy.volume.tenant.copies.append(copy)
    act.finish()


def delete_copy(act: Action, copy: VolumeCopy) -> Story:
    """Delete a snapshot or a backup of a volume."""
    copy.status = "deleting"
    _tell_copy(act, copy, "delete", "start")
    yield act.chance.lasting(3, 20)
    copy.status = "deleted"
    _tell_copy(act, copy, "delete", "end")
    act.finish()


def _tell_copy(act: Action, copy: VolumeCopy, step: str, phase: str) -> None:
    if copy.is_backup:
        act.tell(act.region.backups, f"backup.{step}", phase, services.backup_payload(copy))
    else:
        act.tell(act.region.snapshots, f"snapshot.{step}", phase, services.snapshot_payload(copy))


def poll_volumes(world: World, host: Host) -> Story:
    """Tell again and again how much the volumes of a host's instances were used."""
    yield world.chance.between(0.0, POLL_INTERVAL)
    while True:
        waits = POLL_INTERVAL
        for volume in [volume for instance in host.instances for volume in instance.volumes]:
            if volume.instance is not None:
                _use(world, volume)
                _tell_usage(world, host, volume, volume.instance)
                waits -= 0.05
                yield 0.05
        yield max(waits, 1.0)


def _use(world: World, volume: Volume) -> None:
    volume.read_bytes += BLOCK * round(world.chance.lasting(2e4, 2e6))
    volume.written_bytes += BLOCK * round(world.chance.lasting(2e4, 2e6))


def _tell_usage(world: World, host: Host, volume: Volume, instance: Instance) -> None:
    at = host.publisher.clock(world.now)
    request = periodic_request(f"req-{world.chance.uuid()}", world.now, host.cell.is_old)
    if world.speaks_legacy:
        payload = legacy.volume_usage(volume, instance, world.now, BLOCK)
        world.send(host.publisher, "volume.usage", payload, at, request)
    if world.speaks_versioned:
        payload = versioned.volume_usage(volume, instance, world.now, BLOCK)
        world.send_versioned(host.publisher, "volume.usage", payload, at, request)


# images


def upload_image(act: Action, image: Image) -> Story:
    """Bring an image into glance, on request."""
    yield from _upload(act, image, act.chance.lasting(60, 900))
    if act.fate == "success":
        act.world.truth(image_record(image))
        act.finish()
    else:
        act.finish("unfinished")


def delete_image(act: Action, image: Image) -> None:
    """Delete an image."""
    image.status = "deleted"
    image.updated_at = image.deleted_at = act.world.now - act.world.now % SECOND
    act.tell_image("delete", image)
    if act.world.cloud.exists != "none":
        image.region.deleted_images.append(image)
    act.world.truth(
        {
            "kind": "image_delete",
            "image": image.id,
            "deployment": image.region.deployment,
            "owner": image.owner,
            "created_at": stamp(image.created_at),
            "deleted_at": stamp(image.deleted_at),
        }
    )
    act.finish()


def _upload(act: Action, image: Image, duration: float) -> Story:
    image.created_at = image.updated_at = act.world.now - act.world.now % SECOND
    size, image.size = image.size, 0
    act.tell_image("create", image)
    yield 0.3
    image.status = "saving"
    act.tell_image("prepare", image)
    yield duration
    if act.fate == "unfinished":
        return
    image.size, image.checksum = size, act.chance.digits(32)
    image.updated_at = act.world.now - act.world.now % SECOND
    act.tell_image("upload", image)
    yield 0.05
    image.status = "active"
    act.tell_image("activate", image)
    act.tenant.images.append(image)
    yield 0.4
    act.tell_image("update", image)


def snapshot(act: Action) -> Story:
    """Snapshot an instance into glance."""
    image = act.image
    assert image is not None
    extra = f',"fault":null,"snapshot_image_id":"{image.id}"'
    detail = Detail("", extra, "InstanceActionSnapshotPayload", "1.10")
    waits = act.waits(240, 1500, 2, is_heavy=True)
    act.change("image_snapshot_pending", by=act.region.api)
    yield act.queueing()
    act.change("image_snapshot")
    yield 0.2
    act.start("snapshot", detail)
    yield 1.0
    act.change("image_pending_upload")
    yield next(waits)
    if act.fate != "success":
        yield from go_wrong(act, "snapshot", "snapshot_instance")
        return
    act.change("image_uploading")
    yield 0.2
    yield from _upload(act, image, next(waits))
    act.world.truth(image_record(image))
    yield 0.3
    act.change(None)
    yield 0.05
    act.end("snapshot", detail)
    act.finish()
