"""What a cloud is made of: regions, cells, hosts, tenants, flavors, images, instances, volumes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from stackanalytics.sources.simulator.chance import Chance
from stackanalytics.sources.simulator.cloud import Cloud
from stackanalytics.sources.simulator.stamps import HOUR, SECOND


@dataclass(slots=True)
class Publisher:
    """A service on a host, with a clock of its own."""

    deployment: str
    exchange: str
    legacy: str
    versioned: str
    skew: int

    @property
    def host(self) -> str:
        """What stands after the service in its name."""
        return self.legacy.partition(".")[2]

    def clock(self, now: int) -> int:
        """Return what its clock shows."""
        return now + self.skew


@dataclass(slots=True, eq=False)
class Host:
    """A compute host."""

    name: str
    cell: Cell
    publisher: Publisher
    instances: dict[Instance, None] = field(default_factory=dict)
    departed: list[Instance] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Cell:
    """Some hosts behind one broker, so one deployment; an old one runs a release of before 2023."""

    deployment: str
    region: Region
    is_old: bool
    hosts: list[Host] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Region:
    """Cells under one set of API services, whose broker is the deployment ``…-global``."""

    name: str
    deployment: str
    api: Publisher
    conductor: Publisher
    scheduler: Publisher
    neutron: Publisher
    cinder: Publisher
    glance: Publisher
    keystone: Publisher
    snapshots: Publisher
    backups: Publisher
    cells: list[Cell] = field(default_factory=list)
    deleted_images: list[Image] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Tenant:
    """A project with its users, and what it owns beside instances."""

    id: str
    name: str
    users: list[str]
    token: str
    is_service: bool = False
    volumes: list[Volume] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)
    copies: list[VolumeCopy] = field(default_factory=list)


@dataclass(slots=True, eq=False, frozen=True)
class Flavor:
    """A size of instances."""

    id: int
    flavorid: str
    name: str
    vcpus: int
    memory_mb: int
    root_gb: int
    ephemeral_gb: int


class System(NamedTuple):
    """An operating system, as image metadata names it."""

    os_type: str
    distro: str
    reverse_domain: str
    version: str
    rax_options: str


@dataclass(slots=True, eq=False)
class Image:
    """An image; its kind is base, snapshot or import."""

    id: str
    name: str
    region: Region
    owner: str
    kind: str
    system: System
    size: int
    created_at: int
    min_disk: int = 10
    is_public: bool = False
    status: str = "queued"
    checksum: str = ""
    instance: str = ""
    updated_at: int = 0
    deleted_at: int | None = None
    meta: str = ""


@dataclass(slots=True, eq=False)
class Volume:
    """A volume."""

    id: str
    name: str
    tenant: Tenant
    user: str
    region: Region
    size: int
    created_at: int
    status: str = "creating"
    instance: Instance | None = None
    attachment: str = ""
    read_bytes: int = 0
    written_bytes: int = 0


@dataclass(slots=True, eq=False)
class VolumeCopy:
    """A snapshot or a backup of a volume."""

    id: str
    name: str
    volume: Volume
    is_backup: bool
    created_at: int
    status: str = "creating"

    @property
    def kind(self) -> str:
        """Its word in event types."""
        return "backup" if self.is_backup else "snapshot"


@dataclass(slots=True, eq=False)
class Instance:
    """A server: what it is, and the state that it is in."""

    id: str
    number: int
    name: str
    hostname: str
    tenant: Tenant
    user: str
    cell: Cell
    flavor: Flavor
    image: Image
    reservation: str
    created_at: int
    ends_at: int
    port: str
    mac: str
    address: str
    host: Host | None = None
    state: str = "building"
    task: str | None = None
    progress: int | str = ""
    launched_at: int | None = None
    terminated_at: int | None = None
    deleted_at: int | None = None
    is_busy: bool = True
    audited_until: int = 0
    doubt: str | None = None
    is_launch_hidden: bool = False
    is_delete_hidden: bool = False
    slot: int = -1
    volumes: list[Volume] = field(default_factory=list)

    @property
    def region(self) -> Region:
        """The region that it lives in."""
        return self.cell.region


FLAVORS = (
    Flavor(2, "1", "m1.tiny", 1, 512, 1, 0),
    Flavor(5, "2", "m1.small", 1, 2048, 20, 0),
    Flavor(1, "3", "m1.medium", 2, 4096, 40, 0),
    Flavor(3, "4", "m1.large", 4, 8192, 80, 0),
    Flavor(8, "performance1-2", "2 GB Performance", 2, 2048, 40, 20),
    Flavor(4, "5", "m1.xlarge", 8, 16384, 160, 0),
    Flavor(9, "performance1-8", "8 GB Performance", 8, 8192, 40, 80),
    Flavor(11, "6d2f9a3e-15c4-4e0e-9a77-0c3c1f7ad601", "c2.compute", 16, 32768, 50, 0),
    Flavor(12, "b2b6f4a1-90aa-4b62-a5d3-57d85f1d4c02", "r2.memory", 8, 65536, 50, 0),
    Flavor(15, "0e8c1d57-7a3c-4f0a-8a1e-f0f1e7b6ad03", "s1.storage", 8, 16384, 50, 500),
)

ARCHITECTURE = "x64"

SYSTEMS = (
    System("linux", "ubuntu", "org.ubuntu", "22.04", "0"),
    System("linux", "ubuntu", "org.ubuntu", "24.04", "0"),
    System("linux", "debian", "org.debian", "12", "0"),
    System("linux", "centos", "org.centos", "9", "0"),
    System("windows", "windows", "com.microsoft.server", "2022", "4"),
    System("linux", "rhel", "com.redhat", "9.4", "1"),
    System("linux", "ubuntu", "org.ubuntu", "20.04", "0"),
    System("freebsd", "freebsd", "org.freebsd", "14", "0"),
)

TRADES = ("bakery", "Brücke", "foundry", "harbour", "kiln", "lathe", "mill", "observatory", "press", "quarry")


def build_regions(cloud: Cloud, chance: Chance) -> list[Region]:
    """Build the regions with their cells and hosts; every second cell runs an old release."""
    return [_region(cloud, chance, f"region{number}") for number in range(1, cloud.regions + 1)]


def _region(cloud: Cloud, chance: Chance, name: str) -> Region:
    deployment = f"{name}-global"

    def publisher(exchange: str, legacy: str, versioned: str | None = None) -> Publisher:
        skew = _skew(chance, cloud.clock_skew)
        return Publisher(deployment, exchange, legacy, versioned or legacy, skew)

    api = publisher("nova", f"api.{name}-api-1", f"nova-api:{name}-api-1")
    conductor = publisher("nova", f"conductor.{name}-ctl-1", f"nova-conductor:{name}-ctl-1")
    scheduler = publisher("nova", f"scheduler.{name}-ctl-1", f"nova-scheduler:{name}-ctl-1")
    neutron = publisher("neutron", f"network.{name}-net-1")
    cinder = publisher("cinder", f"volume.{name}-blk-1@ceph#pool-ssd")
    region = Region(
        name=name,
        deployment=deployment,
        api=api,
        conductor=conductor,
        scheduler=scheduler,
        neutron=neutron,
        cinder=cinder,
        glance=publisher("glance", "image.localhost"),
        keystone=publisher("keystone", f"identity.{name}-ctl-1"),
        snapshots=replace(cinder, legacy=f"snapshot.{name}-blk-1@ceph"),
        backups=replace(cinder, legacy=f"backup.{name}-blk-1"),
    )
    region.cells.extend(_cell(cloud, chance, region, number) for number in range(1, cloud.cells + 1))
    return region


def _cell(cloud: Cloud, chance: Chance, region: Region, number: int) -> Cell:
    cell = Cell(f"{region.name}-c{number:04d}", region, is_old=number % 2 == 0)
    for index in range(1, cloud.hosts + 1):
        name = f"cmp-c{number:04d}-{index:03d}"
        skew = _skew(chance, cloud.clock_skew)
        publisher = Publisher(cell.deployment, "nova", f"compute.{name}", f"nova-compute:{name}", skew)
        cell.hosts.append(Host(name, cell, publisher))
    return cell


def _skew(chance: Chance, is_on: bool) -> int:
    """Return how far a clock is off: mostly milliseconds, seconds on 1 %, hours on 0.05 % of the hosts."""
    draw, error = chance.share(), chance.normal(0.0, 1.0)
    scale = 3 * HOUR if draw < 0.0005 else 2 * SECOND if draw < 0.0105 else SECOND // 50
    return round(error * scale) if is_on else 0


def build_tenants(cloud: Cloud, chance: Chance) -> list[Tenant]:
    """Build the projects, each with one to five users."""
    return [_tenant(chance, f"{TRADES[n % len(TRADES)]}-{n + 1}") for n in range(cloud.tenants)]


def service_tenant(chance: Chance) -> Tenant:
    """Build the project that services use among themselves."""
    tenant = _tenant(chance, "service")
    tenant.is_service = True
    return tenant


def _tenant(chance: Chance, name: str) -> Tenant:
    users = [chance.digits(32) for _ in range(1 + chance.whole(5))]
    return Tenant(chance.digits(32), json.dumps(name)[1:-1], users, "gAAAAAB" + chance.digits(96))


def build_images(cloud: Cloud, chance: Chance, regions: list[Region], owner: str, at: int) -> list[Image]:
    """Build the public images; one in twelve was imported."""
    return [_public_image(chance, number, regions[number % len(regions)], owner, at) for number in range(cloud.images)]


def _public_image(chance: Chance, number: int, region: Region, owner: str, at: int) -> Image:
    system = SYSTEMS[number % len(SYSTEMS)]
    created_at = at - chance.whole(24 * HOUR, 300 * 24 * HOUR)
    return Image(
        id=chance.uuid(),
        name=f"{system.distro}-{system.version}-{number + 1}",
        region=region,
        owner=owner,
        kind="import" if number % 12 == 11 else "base",
        system=system,
        size=round(chance.lasting(600e6, 6e9)),
        created_at=created_at,
        updated_at=created_at,
        min_disk=20 if system.os_type == "windows" else 1,
        is_public=True,
        status="active",
        checksum=chance.digits(32),
    )
