"""How instances come and go."""

from stackanalytics.sources.simulator import legacy, services, versioned
from stackanalytics.sources.simulator.action import Action, Detail
from stackanalytics.sources.simulator.stamps import SECOND
from stackanalytics.sources.simulator.storage import attach_volume, build_volume
from stackanalytics.sources.simulator.transitions import go_wrong
from stackanalytics.sources.simulator.world import Story

RESCHEDULED, EXHAUSTED, DELETED = 0.02, 0.1, 0.01
FROM_VOLUME = 0.1
FETCHES_IMAGE = 0.08
ATTEMPTS = 3

NO_HOST = "No valid host was found. There are not enough hosts available."
CLAIM_FAILED = "Insufficient compute resources: Free memory is too low."
GONE = "Instance disappeared during build"


def create(act: Action) -> Story:
    """Build an instance: schedule it, give it a port and perhaps a volume, spawn it."""
    instance, chance = act.instance, act.chance
    failures = _failed_attempts(act)
    act.change("scheduling", by=act.region.api)
    yield act.queueing()
    for _ in range(failures):
        yield from schedule(act)
        yield from _fail_to_build(act)
    if failures == ATTEMPTS:
        yield from _give_up(act)
        return
    yield from schedule(act)
    slow = chance.happens(FETCHES_IMAGE)
    waits = act.waits(*((150.0, 2400.0) if slow else (20.6, 60.0)), 3, is_heavy=True)
    yield from _claim(act)
    act.start("create", _created(act, f',"image_name":"{instance.image.name}"'))
    yield 0.1
    act.change("networking")
    yield 0.1
    yield from create_port(act)
    act.change("block_device_mapping")
    yield next(waits)
    if chance.happens(FROM_VOLUME):
        volume = build_volume(act)
        yield from attach_volume(act, volume)
    act.change("spawning")
    yield next(waits)
    if chance.happens(DELETED):
        yield from _lose(act, next(waits))
        return
    if act.fate != "success":
        yield from _break(act)
        return
    yield next(waits)
    act.relaunch()
    act.change(None, "active")
    yield 0.05
    act.end("create", _created(act, legacy.outcome("Success") + legacy.fixed_ips(instance)))
    act.launched()
    act.finish()


def _failed_attempts(act: Action) -> int:
    """Draw how many hosts fail before one builds."""
    if not act.chance.happens(RESCHEDULED):
        return 0
    return ATTEMPTS if act.chance.happens(EXHAUSTED) else 1 + act.chance.whole(ATTEMPTS - 1)


def schedule(act: Action) -> Story:
    """Let the scheduler choose a host."""
    act.schedule("start")
    yield act.chance.lasting(0.45, 1.0)
    act.schedule("end")
    yield 0.05


def _claim(act: Action) -> Story:
    """Let a host accept the instance."""
    act.change(None, by=act.region.conductor)
    yield 0.15
    act.world.place(act.instance, act.world.host(act.instance.cell))
    act.change(None)
    yield 0.1


def _fail_to_build(act: Action) -> Story:
    """Fail on one host, so that another is tried."""
    yield from _claim(act)
    act.start("create", _created(act))
    yield 0.1
    act.change("networking")
    yield act.chance.lasting(4, 30)
    act.start("shutdown")
    yield act.chance.between(0.2, 2)
    act.end("shutdown")
    yield 0.1
    act.error("create", _failed(act, CLAIM_FAILED, 500))
    yield 0.1
    act.world.place(act.instance, None)
    act.change("scheduling", by=act.region.conductor)
    yield 0.1


def _give_up(act: Action) -> Story:
    """Leave an instance in state error, for there is no host."""
    act.no_host(NO_HOST)
    yield 0.05
    act.change(None, "error", by=act.region.conductor)
    act.finish("error", 500)


def _lose(act: Action, wait: float) -> Story:
    """Notice at the end of the build that the instance was deleted meanwhile."""
    instance = act.instance
    deletion = Action(act.world, "delete", tenant=act.tenant, user=act.user, region=act.region, instance=instance)
    deletion.fate = "success"
    act.world.begin(delete(deletion))
    yield wait
    while instance.state != "deleted":
        yield 5.0
    message = f"Build of instance {instance.id} aborted: {GONE}"
    if instance.cell.is_old:
        act.end("create", _created(act, legacy.outcome(message)))
    else:
        act.error("create", _failed(act, message, 500))
    act.finish("deleted")


def _break(act: Action) -> Story:
    """Fail for good while spawning."""
    if act.fate == "unfinished":
        act.finish("unfinished")
        return
    code = 400 if act.fate == "4xx" else 500
    reason = f"Build of instance {act.instance.id} aborted: the image cannot be used"
    act.error("create", _failed(act, reason, code))
    yield 0.1
    act.change(None, "error")
    act.finish("error", code)


def _created(act: Action, extra: str = "") -> Detail:
    return Detail(extra, versioned.created(act.instance), "InstanceCreatePayload", "1.13")


def _failed(act: Action, reason: str, code: int) -> Detail:
    fault = versioned.fault("BuildAbortException", reason, "_build_and_run_instance")
    extra = versioned.created(act.instance, fault)
    return Detail(legacy.failure(reason, code), extra, "InstanceCreatePayload", "1.13")


def create_port(act: Action) -> Story:
    """Give an instance its port, and bind it to the host."""
    neutron, instance = act.region.neutron, act.instance
    act.tell(neutron, "port.create", "start", services.port_request(instance))
    yield act.chance.between(0.2, 0.8)
    act.tell(neutron, "port.create", "end", services.port_payload(instance, "DOWN", act.world.now))
    yield 0.2
    act.tell(neutron, "port.update", "start", services.port_binding(instance))
    yield act.chance.between(0.1, 0.4)
    act.tell(neutron, "port.update", "end", services.port_payload(instance, "ACTIVE", act.world.now))
    yield 0.1


def delete(act: Action) -> Story:
    """Delete an instance, wherever it stands."""
    instance = act.instance
    act.change("deleting", by=act.region.api)
    yield 0.1
    act.change("deleting", by=act.region.api)
    yield act.queueing() if instance.host is not None else 0.05
    act.start("delete")
    yield 0.1
    if instance.host is not None:
        yield from _shut_down(act)
        if act.fate != "success" and instance.slot >= 0:
            act.world.plan_end(instance)
            yield from go_wrong(act, "delete", "terminate_instance")
            return
        yield from _release(act)
    _end_of_life(act)
    act.change(None, "deleted")
    yield 0.05
    act.end("delete")
    act.deleted()
    act.finish()


def _shut_down(act: Action) -> Story:
    act.start("shutdown")
    yield act.chance.lasting(5, 30)
    act.end("shutdown")
    yield 0.1


def _release(act: Action) -> Story:
    """Give back the port and the volumes."""
    neutron, instance = act.region.neutron, act.instance
    act.tell(neutron, "port.delete", "start", f'{{"port_id":"{instance.port}"}}')
    yield act.chance.between(0.1, 0.5)
    act.tell(neutron, "port.delete", "end", services.port_deleted(instance, act.world.now))
    yield 0.1
    for volume in instance.volumes:
        act.tell(act.region.cinder, "volume.detach", "start", services.volume_payload(volume, act.world.now))
        yield 0.2
        volume.instance, volume.status = None, "available"
        volume.tenant.volumes.append(volume)
        act.tell(act.region.cinder, "volume.detach", "end", services.volume_payload(volume, act.world.now))
        yield 0.1
    instance.volumes.clear()


def _end_of_life(act: Action) -> None:
    instance, host = act.instance, act.instance.host
    publisher = act.region.api if host is None else host.publisher
    instance.terminated_at = publisher.clock(act.world.now)
    instance.deleted_at = instance.terminated_at - instance.terminated_at % SECOND
    instance.is_delete_hidden = instance.launched_at is not None and act.world.billing.hides_delete()
    if instance.slot >= 0:
        act.world.forget(instance)
    if host is not None:
        host.instances.pop(instance, None)
        if act.world.cloud.exists != "none" and instance.launched_at is not None:
            host.departed.append(instance)
