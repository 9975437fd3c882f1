"""How instances change their size and their host."""

from stackanalytics.sources.simulator import legacy, versioned
from stackanalytics.sources.simulator.action import PLAIN, Action, Detail
from stackanalytics.sources.simulator.builds import schedule
from stackanalytics.sources.simulator.topology import Flavor, Host
from stackanalytics.sources.simulator.transitions import TRANSITIONS, carry_out, go_wrong
from stackanalytics.sources.simulator.world import Story

COPIES_DISK = 0.2
ROLLED_BACK = 0.04
ABORTED = 0.1


def resize(act: Action, flavor: Flavor) -> Story:
    """Give an instance another flavor, on another host; it waits to be confirmed or reverted."""
    instance = act.instance
    target = act.world.host(instance.cell)
    latency = (600.0, 31_000.0) if act.chance.happens(COPIES_DISK) else (65.0, 224.0)
    waits = act.waits(*latency, 3, is_heavy=True)
    prepared = Detail(legacy.new_flavor(flavor), versioned.new_flavor(flavor), "InstanceActionResizePrepPayload", "1.4")
    act.change("resize_prep", by=act.region.api)
    yield act.queueing()
    yield from schedule(act)
    act.exists()
    yield 0.05
    act.start("resize_prep", prepared, by=target.publisher)
    yield act.chance.between(0.3, 1.5)
    act.end("resize_prep", prepared, by=target.publisher)
    yield 0.1
    act.change("resize_migrating")
    yield 0.1
    act.start("resize")
    yield next(waits)
    if act.fate != "success":
        yield from go_wrong(act, "resize", "resize_instance")
        return
    act.change("resize_migrated")
    yield 0.1
    act.end("resize")
    yield 0.2
    act.world.place(instance, target)
    instance.flavor = flavor
    instance.doubt = "resizing"
    act.change("resize_finish")
    yield 0.1
    act.start("resize_finish")
    yield next(waits)
    act.relaunch()
    act.change(None, "resized")
    yield 0.05
    act.end("resize_finish", Detail(legacy.fixed_ips(instance)))
    act.launched()
    act.finish()


def confirm_resize(act: Action) -> Story:
    """Keep the new flavor."""
    act.change(None, by=act.region.api)
    yield act.queueing()
    act.start("resize_confirm")
    yield act.chance.lasting(2.8, 15)
    act.change(None, "active")
    yield 0.05
    act.end("resize_confirm")
    act.finish()


def revert_resize(act: Action, flavor: Flavor, host: Host) -> Story:
    """Return to the old flavor on the old host."""
    instance = act.instance
    act.change("resize_reverting", by=act.region.api)
    yield act.queueing()
    act.exists()
    yield 0.05
    act.start("resize_revert")
    yield act.chance.lasting(10, 60)
    act.world.place(instance, host)
    instance.flavor = flavor
    act.relaunch()
    act.change(None, "active")
    yield 0.05
    act.end("resize_revert")
    act.launched()
    act.finish()


def live_migrate(act: Action) -> Story:
    """Move a running instance to another host; now and then it has to be rolled back."""
    instance = act.instance
    source = instance.host
    assert source is not None
    target = act.world.host(instance.cell)
    waits = act.waits(30, 600, 2)
    act.change("migrating", by=act.region.api)
    yield act.queueing()
    yield from schedule(act)
    act.start("live_migration_pre", by=target.publisher)
    yield act.chance.between(0.5, 3)
    act.end("live_migration_pre", by=target.publisher)
    yield next(waits)
    if act.world.cloud.is_full and act.chance.happens(ABORTED):
        yield from _abort(act)
        yield from _roll_back(act, target)
        return
    if act.fate != "success" or act.chance.happens(ROLLED_BACK):
        yield from _roll_back(act, target)
        return
    act.start("live_migration_post")
    yield next(waits) * 0.1
    act.start("live_migration_post_dest", by=target.publisher)
    yield 0.5
    act.world.place(instance, target)
    act.change(None, "active", by=target.publisher)
    yield 0.1
    act.end("live_migration_post_dest", by=target.publisher)
    yield 0.2
    act.end("live_migration_post", by=source.publisher)
    act.finish()


def _abort(act: Action) -> Story:
    """Let the operator change his mind."""
    abortion = Action(
        act.world, "live_migration_abort", tenant=act.tenant, user=act.user, region=act.region, instance=act.instance
    )
    abortion.start("live_migration_abort")
    yield 0.3
    abortion.end("live_migration_abort")
    abortion.finish()
    act.instance.is_busy = True
    yield 0.2


def _roll_back(act: Action, target: Host) -> Story:
    act.start("live_migration_rollback")
    yield 0.5
    act.start("live_migration_rollback_dest", by=target.publisher)
    yield 1.0
    act.end("live_migration_rollback_dest", by=target.publisher)
    yield 0.2
    act.change(None, "active")
    yield 0.1
    act.end("live_migration_rollback", PLAIN)
    act.finish("error")


def evacuate(act: Action) -> Story:
    """Build an instance anew, elsewhere, for its host has died."""
    instance = act.instance
    waits = TRANSITIONS["rebuild"].waits(act)
    act.announce("evacuate", by=act.region.api)
    yield 0.05
    act.change("rebuilding", by=act.region.api)
    yield act.queueing()
    yield from schedule(act)
    act.world.place(instance, act.world.host(instance.cell))
    act.exists()
    yield 0.05
    yield from carry_out(act, "rebuild", waits)


def shelve(act: Action) -> Story:
    """Shelve an instance, and take it off its host."""
    waits = act.waits(120, 900, 3)
    act.change("shelving", by=act.region.api)
    yield act.queueing()
    act.exists()
    yield 0.05
    act.start("shelve")
    yield next(waits)
    act.change("shelving_image_pending_upload")
    yield next(waits)
    act.change("shelving_image_uploading")
    yield next(waits)
    act.change("shelving_offloading", "shelved")
    yield 0.05
    act.end("shelve")
    yield 0.3
    host = act.instance.host
    assert host is not None
    act.start("shelve_offload")
    yield 1.0
    act.world.place(act.instance, None)
    act.change(None, "shelved_offloaded", by=host.publisher)
    yield 0.05
    act.end("shelve_offload", by=host.publisher)
    act.finish()


def unshelve(act: Action) -> Story:
    """Bring a shelved instance back on some host."""
    act.change("unshelving", by=act.region.api)
    yield act.queueing()
    yield from schedule(act)
    act.world.place(act.instance, act.world.host(act.instance.cell))
    act.start("unshelve")
    yield 0.2
    act.change("spawning")
    yield act.chance.lasting(30, 200)
    act.relaunch()
    act.change(None, "active")
    yield 0.05
    act.end("unshelve")
    act.launched()
    act.finish()
