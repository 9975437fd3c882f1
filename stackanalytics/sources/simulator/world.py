"""The simulated world: its things, its clock, and the stories that are under way."""

from collections.abc import Callable, Iterator
from heapq import heappop, heappush, heapreplace
from typing import Protocol

from stackanalytics.sources.simulator.billing import Billing
from stackanalytics.sources.simulator.chance import Chance, Weighted
from stackanalytics.sources.simulator.cloud import Cloud
from stackanalytics.sources.simulator.message import Letter, Request, Scribe
from stackanalytics.sources.simulator.stamps import DAY, HOUR, SECOND, stamp
from stackanalytics.sources.simulator.topology import (
    ARCHITECTURE,
    FLAVORS,
    Cell,
    Flavor,
    Host,
    Image,
    Instance,
    Publisher,
    Region,
    Tenant,
    build_images,
    build_regions,
    build_tenants,
    service_tenant,
)
from stackanalytics.times import unix_us

Story = Iterator[float]
"""Something that happens in steps: after each it gives the seconds to wait until the next."""

Record = dict[str, object]

SNAPSHOT_SHARE = 0.15
TRIES = 30


class Unfinished(Protocol):
    """Something under way, about which the truth can be told as it stands."""

    def record(self, outcome: str, code: int | None = None) -> None:
        """Tell the truth about it."""


class World:
    """A cloud in motion.

    A story tells at most one event a step, so that notifications and truth agree wherever it stops.
    """

    def __init__(self, cloud: Cloud, truth: Callable[[Record], None], *, keeps_all: bool = False) -> None:
        self.cloud = cloud
        self.truth = truth
        self.now = unix_us(cloud.start)
        self.chance = Chance(cloud.seed, "world")
        self._scribe = Scribe(Chance(cloud.seed, "ids"))
        self.speaks_legacy = cloud.format != "versioned"
        self.speaks_versioned = cloud.format != "legacy"
        self.period_length = HOUR if cloud.exists == "hour" else DAY

        self.regions: list[Region] = build_regions(cloud, self.chance)
        self.cells: list[Cell] = [cell for region in self.regions for cell in region.cells]
        self.services: Tenant = service_tenant(self.chance)
        self.tenants: list[Tenant] = build_tenants(cloud, self.chance)
        self.images: list[Image] = build_images(cloud, self.chance, self.regions, self.services.id, self.now)
        self.live: list[Instance] = []
        self.known: list[Instance] | None = [] if keeps_all else None
        self.outbox: list[Letter] = []
        self.billing = Billing(cloud)

        self._tenants = Weighted.zipf(self.chance, self.tenants)
        self._images = Weighted.zipf(self.chance, self.images)
        self._flavors = Weighted.zipf(self.chance, FLAVORS)
        self.under_way: dict[Unfinished, None] = {}
        self._ends: list[tuple[int, int, Instance]] = []
        self._numbers = 0
        self._pending: list[tuple[int, int, Story]] = []
        self._turns = 0
        self._populate()

    # time

    @property
    def next_at(self) -> int:
        """When the next step is due."""
        return self._pending[0][0]

    def begin(self, story: Story, after: float = 0.0) -> None:
        """Let a story begin, now or some seconds later."""
        self._turns += 1
        heappush(self._pending, (self.now + round(after * SECOND), self._turns, story))

    def step(self) -> None:
        """Take the next step of the story whose turn it is."""
        self.now, _, story = self._pending[0]
        wait = next(story, None)
        if wait is None:
            heappop(self._pending)
            return
        self._turns += 1
        heapreplace(self._pending, (self.now + int(wait * SECOND), self._turns, story))

    def period(self, at: int) -> int:
        """Return the beginning of the audit period of an instant."""
        return at - at % self.period_length

    # notifications

    def send(
        self,
        publisher: Publisher,
        event: str,
        payload: str,
        at: int,
        request: Request | None,
        priority: str = "INFO",
    ) -> None:
        """Publish a notification in the old form, which all but nova keep to."""
        self.outbox.append(
            self._scribe.letter(publisher, publisher.legacy, "notifications", event, payload, at, request, priority)
        )

    def send_versioned(
        self,
        publisher: Publisher,
        event: str,
        payload: str,
        at: int,
        request: Request | None,
        priority: str = "INFO",
    ) -> None:
        """Publish a versioned notification; where nova speaks both forms, a moment later."""
        if self.speaks_legacy:
            at += self._scribe.twin_delay()
        self.outbox.append(
            self._scribe.letter(
                publisher,
                publisher.versioned,
                "versioned_notifications",
                event,
                payload,
                at,
                request,
                priority,
            )
        )

    # things

    def tenant(self) -> Tenant:
        """Draw a tenant."""
        return self._tenants.draw()

    def cell(self) -> Cell:
        """Draw a cell."""
        return self.chance.one_of(self.cells)

    def host(self, cell: Cell) -> Host:
        """Draw a host of a cell."""
        return self.chance.one_of(cell.hosts)

    def flavor(self, *, other_than: Flavor | None = None) -> Flavor:
        """Draw a flavor."""
        flavor = self._flavors.draw()
        while flavor is other_than:
            flavor = self._flavors.draw()
        return flavor

    def image(self, tenant: Tenant) -> Image:
        """Draw an image to boot from: mostly a public one, sometimes one of the tenant's own."""
        if tenant.images and self.chance.happens(SNAPSHOT_SHARE):
            return self.chance.one_of(tenant.images)
        return self._images.draw()

    def instance(self, tenant: Tenant, user: str, cell: Cell, image: Image, reservation: str) -> Instance:
        """Make an instance that is about to be built."""
        chance = self.chance
        number = self.next_number()
        hostname = f"{tenant.users[0][:4]}-{image.system.distro}-{number}"
        instance = Instance(
            id=chance.uuid(),
            number=number,
            name=hostname,
            hostname=hostname,
            tenant=tenant,
            user=user,
            cell=cell,
            flavor=self.flavor(),
            image=image,
            reservation=reservation,
            created_at=self.now - self.now % SECOND,
            ends_at=self.now + round(self._lifetime() * SECOND),
            port=chance.uuid(),
            mac=f"fa:16:3e:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}",
            address=f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
        )
        if self.known is not None:
            self.known.append(instance)
        return instance

    def next_number(self) -> int:
        """Return a number that nothing else has."""
        self._numbers += 1
        return self._numbers

    def _lifetime(self) -> float:
        """Draw a lifetime [s]: minutes for most, days for some, long for few."""
        kind = self.chance.share()
        if kind < 0.6:
            return self.chance.lasting(25 * 60, 4 * 3600)
        if kind < 0.9:
            return self.chance.lasting(3 * 86_400, 20 * 86_400)
        return self.chance.lasting(200 * 86_400, 900 * 86_400)

    # the population

    def settle(self, instance: Instance) -> None:
        """Count an instance among those that live."""
        instance.slot = len(self.live)
        self.live.append(instance)
        self.plan_end(instance)

    def plan_end(self, instance: Instance) -> None:
        """Remember when an instance is to be deleted."""
        heappush(self._ends, (instance.ends_at, instance.number, instance))

    def forget(self, instance: Instance) -> None:
        """Count an instance no more."""
        last = self.live.pop()
        if last is not instance:
            last.slot = instance.slot
            self.live[last.slot] = last
        instance.slot = -1

    def place(self, instance: Instance, host: Host | None) -> None:
        """Move an instance to a host, or off all hosts."""
        if instance.host is not None:
            instance.host.instances.pop(instance, None)
        if host is not None:
            host.instances[instance] = None
        instance.host = host

    def idle_instance(self, state: str = "active") -> Instance | None:
        """Draw an instance that is in that state and has nothing to do, if one is found soon."""
        for _ in range(TRIES if self.live else 0):
            instance = self.chance.one_of(self.live)
            if instance.state == state and not instance.is_busy:
                return instance
        return None

    def next_to_end(self) -> Instance | None:
        """Take the idle instance whose end is nearest."""
        busy: list[tuple[int, int, Instance]] = []
        found: Instance | None = None
        while self._ends and found is None and len(busy) < TRIES:
            due = heappop(self._ends)
            if due[2].slot < 0:
                continue
            if due[2].is_busy:
                busy.append(due)
            else:
                found = due[2]
        for due in busy:
            heappush(self._ends, due)
        return found

    def _populate(self) -> None:
        for image in self.images:
            self.truth(image_record(image, before_start=True))
        for _ in range(0 if self.cloud.starts_empty else self.cloud.instances):
            self._standing_instance()

    def _standing_instance(self) -> None:
        tenant, cell = self.tenant(), self.cell()
        user, image = self.chance.one_of(tenant.users), self._images.draw()
        instance = self.instance(tenant, user, cell, image, f"r-{self.chance.digits(8)}")
        age = SECOND * int(self.chance.lasting(20 * 86_400, 400 * 86_400))
        instance.created_at -= age
        instance.launched_at = instance.created_at + SECOND * int(self.chance.lasting(20.6, 60))
        instance.launched_at = min(instance.launched_at, self.now - self.now % SECOND - SECOND)
        instance.state = "stopped" if self.chance.happens(0.04) else "active"
        instance.is_busy = False
        instance.doubt = "before_start"
        self.place(instance, self.host(cell))
        self.settle(instance)
        self.truth(launch_record(instance, None, "create", before_start=True))


def launch_record(instance: Instance, request_id: str | None, operation: str, *, before_start: bool = False) -> Record:
    """Say that an instance was launched."""
    assert instance.launched_at is not None
    flavor, system = instance.flavor, instance.image.system
    return {
        "kind": "launch",
        "instance": instance.id,
        "deployment": instance.cell.deployment,
        "tenant": instance.tenant.id,
        "request_id": request_id,
        "operation": operation,
        "launched_at": stamp(instance.launched_at),
        "instance_type": flavor.name,
        "instance_type_id": str(flavor.id),
        "instance_flavor_id": flavor.flavorid,
        "memory_mb": flavor.memory_mb,
        "vcpus": flavor.vcpus,
        "root_gb": flavor.root_gb,
        "ephemeral_gb": flavor.ephemeral_gb,
        "os_architecture": ARCHITECTURE,
        "os_distro": system.reverse_domain,
        "os_version": system.version,
        "rax_options": system.rax_options,
        "before_start": before_start,
        "is_told": not before_start and not instance.is_launch_hidden,
    }


def delete_record(instance: Instance, request_id: str) -> Record:
    """Say that an instance was deleted."""
    assert instance.launched_at is not None
    assert instance.terminated_at is not None
    assert instance.deleted_at is not None
    return {
        "kind": "delete",
        "instance": instance.id,
        "deployment": instance.cell.deployment,
        "tenant": instance.tenant.id,
        "request_id": request_id,
        "launched_at": stamp(instance.launched_at),
        "terminated_at": stamp(instance.terminated_at),
        "deleted_at": stamp(instance.deleted_at),
        "is_told": not instance.is_delete_hidden,
    }


def billing_fault(
    fault: str, instance: Instance, request_id: str, message_id: str | None = None, **details: object
) -> Record:
    """Say that something that is billed was told wrong, or not at all; the times are the true ones."""
    assert instance.launched_at is not None
    return {
        "kind": "billing_fault",
        "fault": fault,
        "instance": instance.id,
        "deployment": instance.cell.deployment,
        "request_id": request_id,
        "message_id": message_id,
        "launched_at": stamp(instance.launched_at),
        "deleted_at": None if instance.deleted_at is None else stamp(instance.deleted_at),
        "audit_period_beginning": None,
        "audit_period_ending": None,
        "field": None,
        "told": None,
        "true": None,
    } | details


def nova_record(instance: Instance) -> Record:
    """Write the row that nova's database has of an instance."""
    flavor, system = instance.flavor, instance.image.system
    return {
        "instance": instance.id,
        "tenant": instance.tenant.id,
        "instance_type_id": str(flavor.id),
        "instance_flavor_id": flavor.flavorid,
        "launched_at": None if instance.launched_at is None else stamp(instance.launched_at),
        # of its two columns the one that reconciliation goes by
        "deleted_at": None if instance.terminated_at is None else stamp(instance.terminated_at),
        "is_deleted": instance.deleted_at is not None,
        "os_architecture": ARCHITECTURE,
        "os_distro": system.reverse_domain,
        "os_version": system.version,
        "rax_options": system.rax_options,
    }


def image_record(image: Image, *, before_start: bool = False) -> Record:
    """Say that an image became active."""
    return {
        "kind": "image",
        "image": image.id,
        "deployment": image.region.deployment,
        "owner": image.owner,
        "size": image.size,
        "created_at": stamp(image.created_at),
        "before_start": before_start,
    }
