"""Runs a simulated cloud and yields its messages."""

import sys
from collections.abc import Callable, Iterator
from itertools import islice

from stackanalytics.errors import InputError
from stackanalytics.sources.simulator.cloud import Cloud
from stackanalytics.sources.simulator.delivery import Delivery
from stackanalytics.sources.simulator.stamps import HOUR
from stackanalytics.sources.simulator.storage import poll_volumes
from stackanalytics.sources.simulator.usage import audit_host, audit_images
from stackanalytics.sources.simulator.workload import arrivals, failures, maintenance
from stackanalytics.sources.simulator.world import Record, World, nova_record
from stackanalytics.times import unix_us

ENDLESS = sys.maxsize


def simulate(
    cloud: Cloud,
    *,
    hours: float | None = None,
    count: int | None = None,
    truth: Callable[[Record], None] | None = None,
    nova: Callable[[Record], None] | None = None,
) -> Iterator[bytes]:
    """Yield the notifications of a simulated cloud in the order in which they are delivered.

    Parameters
    ----------
    cloud
        The settings.
    hours
        Simulated time after which it ends [h].
    count
        Number of messages after which it ends, if that is sooner; without both it does not end.
    truth
        Called with a record for everything that happened, see the notes.
    nova
        Called at the end with what nova's own database says of each instance that ever was:
        ``instance``, ``tenant``, ``instance_type_id``, ``instance_flavor_id``, ``launched_at``,
        ``deleted_at``, ``is_deleted``, ``os_architecture``, ``os_distro``, ``os_version``, ``rax_options``.

    Yields
    ------
    bytes
        One JSON message, without a newline.

    Raises
    ------
    InputError
        If *hours* or *count* is negative.

    Notes
    -----
    A record of the truth is a dict with a ``kind``. Instants are text, as the publishers' clocks show
    them, without a zone; what is not known is None.

    ``operation``
        What somebody asked for. Its ``outcome`` is ``success``, ``timeout`` (it took an hour, and
        succeeded), ``error``, ``deleted`` (while it was built), ``unfinished`` (it never ended) or
        ``running`` (when the simulation ended). Its ``timings`` are its starts and ends in the
        notifications, under their legacy names.
    ``launch``, ``delete``
        An instance came to life, as it does again when it is rebuilt, resized or rescued; or it was deleted.
        ``before_start`` marks the standing population, whose launches are in no notification;
        ``is_told`` is false of these and of what a billing fault hid.
    ``exists``, ``image_exists``
        A usage record of an instance, or of an image, as it was told. Its ``fault`` is what will be found
        wrong with it, injected by the settings. Its ``doubt`` says why nova's notifications cannot confirm
        it without any fault: the launch was ``before_start``; the instance was ``unshelved``, which nova
        announces with no launch; it is ``resizing``, with the new flavor but still the old launch. Clocks
        that disagree and messages that get lost cause doubts that are not marked.
    ``image``, ``image_delete``
        An image became active; it was deleted.
    ``billing_fault``
        Something that is billed was told wrong or not at all. ``fault`` names it as the settings do;
        instance, request, message and times are the true ones; ``field`` is ``told`` so, and ``true`` so.
    ``fault``
        A message was ``lost``, ``reordered``, ``redelivered`` or ``republished``; or ``noise`` came after it.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> cloud = Cloud(start=datetime(2026, 3, 2, tzinfo=UTC), form="bare")
    >>> messages = list(simulate(cloud, count=3))
    >>> messages == list(simulate(cloud, count=3))
    True
    """
    for name, given in (("hours", hours), ("count", count)):
        if given is not None and not given >= 0:
            raise InputError(f"{name} is {given!r}; it must be at least 0")
    return _run(cloud, hours, count, truth or _ignore, nova)


def _run(
    cloud: Cloud,
    hours: float | None,
    count: int | None,
    truth: Callable[[Record], None],
    nova: Callable[[Record], None] | None,
) -> Iterator[bytes]:
    until = ENDLESS if hours is None else unix_us(cloud.start) + round(hours * HOUR)
    left = ENDLESS if count is None else count
    world, delivery = World(cloud, truth, keeps_all=nova is not None), Delivery(cloud, truth)
    _open(world)
    while world.next_at < until and delivery.waiting < left:
        world.step()
        for message in islice(delivery.take(world.outbox, world.now), left):
            left -= 1
            yield message
        world.outbox.clear()
    yield from islice(delivery.flush(), left)
    for action in world.under_way:
        action.record("running")
    if nova is not None:
        for instance in world.known or ():
            nova(nova_record(instance))


def _open(world: World) -> None:
    """Let everything begin that goes on for ever."""
    world.begin(arrivals(world))
    for cell in world.cells:
        world.begin(maintenance(world, cell))
    if world.cloud.is_full:
        _open_the_rest(world)
    if world.cloud.exists == "none":
        return
    for region in world.regions:
        world.begin(audit_images(world, region))
    for cell in world.cells:
        for host in cell.hosts:
            world.begin(audit_host(world, host))


def _open_the_rest(world: World) -> None:
    for cell in world.cells:
        world.begin(failures(world, cell))
        for host in cell.hosts:
            world.begin(poll_volumes(world, host))


def _ignore(record: Record) -> None:
    """Keep no truth."""
