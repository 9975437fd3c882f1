"""Volumes, images, and snapshots of instances."""

from stackanalytics.sources.simulator import services
from stackanalytics.sources.simulator.action import Action, Detail
from stackanalytics.sources.simulator.stamps import SECOND, stamp
from stackanalytics.sources.simulator.topology import Image, Volume
from stackanalytics.sources.simulator.transitions import go_wrong
from stackanalytics.sources.simulator.world import Story, image_record

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
