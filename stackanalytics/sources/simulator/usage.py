"""Usage records: what existed in an audit period."""

from stackanalytics.sources.simulator import legacy, services, versioned
from stackanalytics.sources.simulator.billing import fault_of
from stackanalytics.sources.simulator.message import Request, periodic_request
from stackanalytics.sources.simulator.stamps import SECOND, stamp
from stackanalytics.sources.simulator.topology import Host, Image, Instance, Region
from stackanalytics.sources.simulator.world import Record, Story, World, billing_fault

JITTER = 60.0
IMAGE_DELAY = 120.0
PAGE = 5  # images in a message


def send_exists(world: World, instance: Instance, request: Request, beginning: int, ending: int) -> None:
    """Tell that an instance existed in a period; the truth says what was told, and what is wrong with it."""
    spoilt = world.billing.spoil(instance, ending)
    told = instance if spoilt is None else spoilt.instance
    bandwidth = _bandwidth(world) if instance.cell.is_old else None
    sent_before = len(world.outbox)
    message_id = _send(world, told, request, beginning, ending, bandwidth)
    if spoilt is not None:
        times = {"audit_period_beginning": stamp(beginning), "audit_period_ending": stamp(ending)}
        wrong = {"field": spoilt.field, "told": spoilt.told, "true": spoilt.true}
        world.truth(billing_fault(spoilt.fault, instance, request.id, message_id, **times, **wrong))
        if spoilt.fault == "missing_exists":
            del world.outbox[sent_before:]
            return
    fault = fault_of(instance) if spoilt is None else spoilt.fault
    sent = bandwidth[1] if bandwidth is not None and world.speaks_legacy else None
    world.truth(_exists(told, request, message_id, beginning, ending, sent, fault))


def _send(
    world: World,
    instance: Instance,
    request: Request,
    beginning: int,
    ending: int,
    bandwidth: tuple[int, int] | None,
) -> str:
    """Send the record in every format, and return the id of its first message."""
    assert instance.host is not None
    publisher = instance.host.publisher
    at = publisher.clock(world.now)
    first = len(world.outbox)
    if world.speaks_legacy:
        payload = legacy.instance_payload(instance, legacy.audit(beginning, ending, bandwidth))
        world.send(publisher, "compute.instance.exists", payload, at, request)
    if world.speaks_versioned:
        extra = versioned.audit(beginning, ending)
        payload = versioned.instance_payload("InstanceExistsPayload", "2.1", instance, request, extra)
        world.send_versioned(publisher, "instance.exists", payload, at, request)
    return world.outbox[first].message_id


def _exists(
    instance: Instance,
    request: Request,
    message_id: str,
    beginning: int,
    ending: int,
    sent: int | None,
    fault: str | None,
) -> Record:
    assert instance.launched_at is not None
    return {
        "kind": "exists",
        "instance": instance.id,
        "deployment": instance.cell.deployment,
        "tenant": instance.tenant.id,
        "request_id": request.id,
        "message_id": message_id,
        "is_periodic": request.is_periodic,
        "audit_period_beginning": stamp(beginning),
        "audit_period_ending": stamp(ending),
        "launched_at": stamp(instance.launched_at),
        "deleted_at": None if instance.deleted_at is None else stamp(instance.deleted_at),
        "instance_type_id": str(instance.flavor.id),
        "instance_flavor_id": instance.flavor.flavorid,
        "bandwidth_public_out": sent,
        "fault": fault,
        "doubt": instance.doubt,
    }


def _bandwidth(world: World) -> tuple[int, int]:
    """Draw what was received and sent [B]."""
    return int(world.chance.lasting(40e6, 4e9)), int(world.chance.lasting(40e6, 4e9))


def audit_host(world: World, host: Host) -> Story:
    """Tell once a period what existed on a host, in a burst after the boundary."""
    while True:
        ending = world.period(world.now) + world.period_length
        yield (ending - world.now) / SECOND + world.chance.between(0.0, JITTER)
        beginning = ending - world.period_length
        request = periodic_request(f"req-{world.chance.uuid()}", world.now, host.cell.is_old)
        departed, host.departed = host.departed, []
        for instance in [*departed, *host.instances]:
            if _is_due(instance, beginning, ending):
                instance.audited_until = ending
                send_exists(world, instance, request, beginning, ending)
                yield world.chance.between(0.005, 0.02)
        host.departed.extend(instance for instance in departed if _outlived(instance, ending))


def _is_due(instance: Instance, beginning: int, ending: int) -> bool:
    """Tell whether an instance was active in a period and is not told of yet."""
    return (
        instance.launched_at is not None
        and instance.host is not None
        and instance.launched_at < ending
        and (instance.deleted_at is None or instance.deleted_at >= beginning)
        and instance.audited_until < ending
    )


def _outlived(instance: Instance, ending: int) -> bool:
    """Tell whether a deleted instance still was active after a period."""
    return instance.deleted_at is not None and instance.deleted_at >= ending


def audit_images(world: World, region: Region) -> Story:
    """Tell once a period which images a region had: one notification for every owner."""
    while True:
        ending = world.period(world.now) + world.period_length
        yield (ending - world.now) / SECOND + IMAGE_DELAY
        beginning = ending - world.period_length
        for owner, images in _images_by_owner(world, region, beginning, ending).items():
            pages = _pages(world, images)
            for number, page in enumerate(pages, 1):
                at = region.glance.clock(world.now)
                payload = services.image_audit(owner, page, beginning, ending, number, len(pages))
                world.send(region.glance, "image.exists", payload, at, None)
                for image in page:
                    world.truth(_image_exists(image, beginning, ending))
                yield world.chance.between(0.02, 0.1)
        region.deleted_images = [image for image in region.deleted_images if (image.deleted_at or 0) >= ending]


def _images_by_owner(world: World, region: Region, beginning: int, ending: int) -> dict[str, list[Image]]:
    owned = [image for tenant in world.tenants for image in tenant.images]
    by_owner: dict[str, list[Image]] = {}
    for image in [*world.images, *owned, *region.deleted_images]:
        is_deleted_before = image.deleted_at is not None and image.deleted_at < beginning
        if image.region is region and image.created_at < ending and not is_deleted_before:
            by_owner.setdefault(image.owner, []).append(image)
    return by_owner


def _pages(world: World, images: list[Image]) -> list[list[Image]]:
    """Cut a long list of images into pages, where the repertoire has them."""
    size = PAGE if world.cloud.is_full else len(images)
    return [images[first : first + size] for first in range(0, len(images), size)]


def _image_exists(image: Image, beginning: int, ending: int) -> Record:
    return {
        "kind": "image_exists",
        "image": image.id,
        "deployment": image.region.deployment,
        "owner": image.owner,
        "size": image.size,
        "audit_period_beginning": stamp(beginning),
        "audit_period_ending": stamp(ending),
        "created_at": stamp(image.created_at),
        "deleted_at": None if image.deleted_at is None else stamp(image.deleted_at),
        "doubt": "before_start" if image.is_public else None,
    }
