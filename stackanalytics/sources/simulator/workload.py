"""Who asks for what, and when."""

import math
from collections.abc import Callable, Mapping

from stackanalytics.sources.simulator import services
from stackanalytics.sources.simulator.action import Action
from stackanalytics.sources.simulator.builds import create, delete
from stackanalytics.sources.simulator.chance import Weighted
from stackanalytics.sources.simulator.message import Request
from stackanalytics.sources.simulator.moves import (
    confirm_resize,
    evacuate,
    live_migrate,
    resize,
    revert_resize,
    shelve,
    unshelve,
)
from stackanalytics.sources.simulator.stamps import DAY, HOUR
from stackanalytics.sources.simulator.storage import (
    attach,
    build_volume,
    create_copy,
    create_volume,
    delete_copy,
    delete_image,
    delete_volume,
    detach,
    snapshot,
    upload_image,
)
from stackanalytics.sources.simulator.topology import SYSTEMS, Cell, Image, Instance, Region, Tenant, Volume, VolumeCopy
from stackanalytics.sources.simulator.transitions import BACK, TRANSITIONS, transition
from stackanalytics.sources.simulator.world import Story, World

MIX: Mapping[str, float] = {
    "create or delete": 47,
    "attach or detach": 12,
    "volume": 8,
    "snapshot": 5,
    "image": 1,
    "reboot": 6,
    "power_off": 3,
    "rule": 4,
    "port": 1,
    "live_migrate": 3,
    "resize": 2.2,
    "rebuild": 2,
    "rename": 2,
    "suspend": 0.2,
    "pause": 0.15,
    "shelve": 0.15,
    "rescue": 0.4,
    "soft_delete": 0.3,
    "login": 1,
}

FULL_MIX: Mapping[str, float] = {**MIX, "volume_copy": 4}

DAY_SWING = 0.43  # makes the peak 2.5 times the night
PEAK_HOUR = 14
WEEKDAY, WEEKEND = 1.105, 0.737  # a ratio of 1.5, a mean of 1

BATCHES = 0.01
CONFIRMED = 0.85
WAVES_PER_DAY = 1.0  # of each cell
DEATHS_PER_DAY = 0.5  # of hosts, in each cell
REST = 3600.0  # seconds that an instance mostly stays stopped, paused, rescued …


def arrivals(world: World) -> Story:
    """Let users ask for things, more by day than by night, and more on weekdays."""
    rate = world.cloud.operations_per_hour / 3600
    mix = FULL_MIX if world.cloud.is_full else MIX
    kinds = Weighted(world.chance, list(mix), list(mix.values()))
    user = User(world)
    while rate > 0:
        yield world.chance.gap(1 / (rate * activity(world.now)))
        user.ask(kinds.draw())


def activity(at: int) -> float:
    """Return how busy the users are at an instant, relative to the mean."""
    hour = at % DAY / HOUR
    weekday = (at // DAY + 3) % 7  # 1970 began on a Thursday
    swing = 1 + DAY_SWING * math.cos((hour - PEAK_HOUR) / 24 * 2 * math.pi)
    return swing * (WEEKDAY if weekday < 5 else WEEKEND)


def maintenance(world: World, cell: Cell) -> Story:
    """Now and then, empty or reboot a host of a cell."""
    while True:
        yield world.chance.gap(86_400 / WAVES_PER_DAY)
        host = world.host(cell)
        operation = "live_migrate" if world.chance.happens(0.7) else "reboot"
        for instance in list(host.instances):
            if _is_free(instance, "active"):
                _on_instance(world, instance, operation)
                yield world.chance.between(1, 30)


def failures(world: World, cell: Cell) -> Story:
    """Now and then a host of a cell dies, and its instances are evacuated."""
    while True:
        yield world.chance.gap(86_400 / DEATHS_PER_DAY)
        host = world.host(cell)
        for instance in list(host.instances):
            if _is_free(instance, "active"):
                world.begin(evacuate(_action(world, "evacuate", instance)))
                yield world.chance.between(0.1, 2)


class User:
    """Everybody who asks the cloud for something."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.chance = world.chance
        self._asks: dict[str, Callable[[], None]] = {
            "create or delete": self._create_or_delete,
            "attach or detach": self._attach_or_detach,
            "volume": self._volume,
            "volume_copy": self._volume_copy,
            "snapshot": self._snapshot,
            "image": self._image,
            "resize": self._resize,
            "shelve": self._shelve,
            "rename": self._rename,
            "rule": self._rule,
            "port": self._port,
            "login": self._login,
        }

    def ask(self, kind: str) -> None:
        """Begin an operation of a kind."""
        asks = self._asks.get(kind)
        if asks is not None:
            asks()
        elif (instance := self.world.idle_instance()) is not None:
            _on_instance(self.world, instance, kind)
            if kind in BACK:
                self.world.begin(_undo(self.world, instance, kind), self.chance.lasting(REST, 10 * REST))

    # instances

    def _create_or_delete(self) -> None:
        """Pull the number of instances towards the standing population."""
        target = max(1, self.world.cloud.instances)
        crowding = (len(self.world.live) / target) ** 2
        if self.chance.share() * (1 + crowding) < 1:
            self._create()
        elif (instance := self.world.next_to_end()) is not None:
            act = _action(self.world, "delete", instance)
            self.world.begin(delete(act))

    def _create(self) -> None:
        world, chance = self.world, self.chance
        tenant, cell = world.tenant(), world.cell()
        user, image = chance.one_of(tenant.users), world.image(tenant)
        reservation = f"r-{chance.digits(8)}"
        request: Request | None = None
        for number in range(self._batch()):
            instance = world.instance(tenant, user, cell, image, reservation)
            world.settle(instance)
            act = _action(world, "create", instance, request=request)
            request = act.request
            world.begin(create(act), number * 0.1)

    def _batch(self) -> int:
        """Draw how many servers one request asks for."""
        if not self.chance.happens(BATCHES):
            return 1
        most = min(200, max(6, self.world.cloud.instances // 10))
        return int(5 * (most / 5) ** self.chance.share())

    def _resize(self) -> None:
        world = self.world
        instance = world.idle_instance()
        if instance is None:
            return
        flavor, host = instance.flavor, instance.host
        assert host is not None
        act = _action(world, "resize", instance)
        world.begin(resize(act, world.flavor(other_than=flavor)))

        def settle() -> Story:
            while instance.is_busy:
                yield 30.0
            yield self.chance.lasting(600, 7200)
            if not _is_free(instance, "resized"):
                return
            if self.chance.happens(CONFIRMED):
                yield from confirm_resize(_action(world, "resize_confirm", instance))
            else:
                yield from revert_resize(_action(world, "resize_revert", instance), flavor, host)

        world.begin(settle(), 1.0)

    def _shelve(self) -> None:
        instance = self.world.idle_instance()
        if instance is not None:
            self.world.begin(shelve(_action(self.world, "shelve", instance)))
            self.world.begin(_unshelve(self.world, instance), self.chance.lasting(4 * REST, 40 * REST))

    def _rename(self) -> None:
        instance = self.world.idle_instance()
        if instance is not None:
            act = _action(self.world, "rename", instance)
            instance.name = f"{instance.hostname}-{self.chance.digits(4)}"
            act.change(None, by=act.region.api)
            act.finish()

    # volumes and images

    def _attach_or_detach(self) -> None:
        instance = self.world.idle_instance()
        if instance is None:
            return
        volumes = instance.tenant.volumes
        if instance.volumes and self.chance.happens(0.5):
            volume = self.chance.one_of(instance.volumes)
            self.world.begin(detach(_action(self.world, "volume_detach", instance, volume=volume), volume))
        elif volumes and volumes[-1].region is instance.region:
            volume = volumes.pop()
            self.world.begin(attach(_action(self.world, "volume_attach", instance, volume=volume), volume))
        else:
            self._create_volume(instance.tenant, instance.region)

    def _volume(self) -> None:
        tenant = self.world.tenant()
        count = len(tenant.volumes)
        if self.chance.happens(count / (count + 4)):
            volume = tenant.volumes.pop(self.chance.whole(count))
            act = Action(
                self.world,
                "volume_delete",
                tenant=tenant,
                user=volume.user,
                region=volume.region,
                volume=volume,
            )
            self.world.begin(delete_volume(act, volume))
        else:
            self._create_volume(tenant, self.world.cell().region)

    def _volume_copy(self) -> None:
        tenant, is_backup = self.world.tenant(), self.chance.happens(0.3)
        count = len(tenant.copies)
        if self.chance.happens(count / (count + 4)):
            copy = tenant.copies.pop(self.chance.whole(count))
            self.world.begin(delete_copy(self._copying("delete", copy), copy))
        elif tenant.volumes:
            volume = tenant.volumes.pop(self.chance.whole(len(tenant.volumes)))
            identity = self.chance.uuid()
            copy = VolumeCopy(identity, f"copy-{identity[:6]}", volume, is_backup, self.world.now)
            self.world.begin(create_copy(self._copying("create", copy), copy))

    def _copying(self, step: str, copy: VolumeCopy) -> Action:
        volume = copy.volume
        operation = f"volume_{copy.kind}_{step}"
        return Action(
            self.world, operation, tenant=volume.tenant, user=volume.user, region=volume.region, volume=volume
        )

    def _create_volume(self, tenant: Tenant, region: Region) -> None:
        user = self.chance.one_of(tenant.users)
        act = Action(self.world, "volume_create", tenant=tenant, user=user, region=region)
        act.volume = build_volume(act)
        self.world.begin(create_volume(act, act.volume))

    def _snapshot(self) -> None:
        instance = self.world.idle_instance()
        if instance is None:
            return
        image = self._new_image(instance.tenant, instance.region, instance)
        self.world.begin(snapshot(_action(self.world, "snapshot", instance, image=image)))
        self._tidy_images(instance.tenant)

    def _image(self) -> None:
        tenant, region = self.world.tenant(), self.world.cell().region
        user = self.chance.one_of(tenant.users)
        image = self._new_image(tenant, region)
        act = Action(self.world, "image_upload", tenant=tenant, user=user, region=region, image=image)
        self.world.begin(upload_image(act, image))
        self._tidy_images(tenant)

    def _tidy_images(self, tenant: Tenant) -> None:
        """Delete an old image of a tenant that has many."""
        count = len(tenant.images)
        if self.chance.happens(count / (count + 8)):
            image = tenant.images.pop(0)
            user = self.chance.one_of(tenant.users)
            act = Action(self.world, "image_delete", tenant=tenant, user=user, region=image.region, image=image)
            delete_image(act, image)

    def _new_image(self, tenant: Tenant, region: Region, instance: Instance | None = None) -> Image:
        chance = self.chance
        system = chance.one_of(SYSTEMS) if instance is None else instance.image.system
        identity = chance.uuid()
        return Image(
            id=identity,
            name=f"{'upload' if instance is None else 'snapshot'}-{identity[:6]}",
            region=region,
            owner=tenant.id,
            kind="import" if instance is None else "snapshot",
            system=system,
            size=round(chance.lasting(2e9, 20e9)),
            created_at=self.world.now,
            updated_at=self.world.now,
            instance="" if instance is None else instance.id,
        )

    # network and identity

    def _rule(self) -> None:
        tenant, region = self.world.tenant(), self.world.cell().region
        user = self.chance.one_of(tenant.users)
        act = Action(self.world, "rule_create", tenant=tenant, user=user, region=region)
        self.world.begin(_open_port(act))

    def _port(self) -> None:
        instance = self.world.idle_instance()
        if instance is not None:
            act = _action(self.world, "port_update", instance)
            self.world.begin(_update_port(act))

    def _login(self) -> None:
        world, tenant = self.world, self.world.tenant()
        keystone = world.cell().region.keystone
        at = keystone.clock(world.now)
        user, event, request_id = self.chance.one_of(tenant.users), self.chance.uuid(), self.chance.uuid()
        payload = services.login_payload(event, tenant, user, f"req-{request_id}", at)
        world.send(keystone, "identity.authenticate", payload, at, None)


def _action(
    world: World,
    operation: str,
    instance: Instance,
    *,
    volume: Volume | None = None,
    image: Image | None = None,
    request: Request | None = None,
) -> Action:
    """Let a user act on an instance: one of the tenant's, or an operator if it is about hosts."""
    who = world.services if operation in ("live_migrate", "evacuate") else instance.tenant
    return Action(
        world,
        operation,
        tenant=who,
        user=world.chance.one_of(who.users),
        region=instance.region,
        instance=instance,
        volume=volume,
        image=image,
        request=request,
    )


def _on_instance(world: World, instance: Instance, operation: str) -> None:
    act = _action(world, operation, instance)
    world.begin(live_migrate(act) if operation == "live_migrate" else transition(act, operation))


def _is_free(instance: Instance, state: str) -> bool:
    return not instance.is_busy and instance.state == state and instance.slot >= 0


def _undo(world: World, instance: Instance, operation: str) -> Story:
    """Start again what was stopped, and the like, if it still is."""
    while instance.is_busy and instance.slot >= 0:
        yield 60.0
    if _is_free(instance, TRANSITIONS[operation].state):
        yield from transition(_action(world, BACK[operation], instance), BACK[operation])


def _unshelve(world: World, instance: Instance) -> Story:
    while instance.is_busy and instance.slot >= 0:
        yield 60.0
    if _is_free(instance, "shelved_offloaded"):
        yield from unshelve(_action(world, "unshelve", instance))


def _open_port(act: Action) -> Story:
    port = act.chance.one_of((22, 80, 443, 5432, 8080))
    act.tell(act.region.neutron, "security_group_rule.create", "start", services.rule_request(act.tenant, port))
    yield act.chance.between(0.1, 0.6)
    if act.fate != "success":
        act.finish("unfinished")
        return
    payload = services.rule_payload(act.tenant, act.chance.uuid(), port, act.world.now)
    act.tell(act.region.neutron, "security_group_rule.create", "end", payload)
    act.finish()


def _update_port(act: Action) -> Story:
    neutron, instance = act.region.neutron, act.instance
    act.tell(neutron, "port.update", "start", services.port_binding(instance))
    yield act.chance.between(0.1, 0.6)
    act.tell(neutron, "port.update", "end", services.port_payload(instance, "ACTIVE", act.world.now))
    act.finish()
