"""What somebody asked for, and the notifications that it causes."""

from collections.abc import Iterator
from dataclasses import dataclass

from stackanalytics.sources.simulator import legacy, services, versioned
from stackanalytics.sources.simulator.billing import LAUNCHING
from stackanalytics.sources.simulator.message import Request, user_request
from stackanalytics.sources.simulator.stamps import SECOND, stamp
from stackanalytics.sources.simulator.topology import Image, Instance, Publisher, Region, Tenant, Volume
from stackanalytics.sources.simulator.usage import send_exists
from stackanalytics.sources.simulator.world import Record, World, billing_fault, delete_record, launch_record

TOLD_ONCE = {"volume_attach", "volume_detach"}  # of these, legacy nova tells only that it was done
WITHOUT_CONTEXT = {"image_upload", "image_delete"}  # glance does not say which request it was

TIMEOUTS, STALLS = 0.0075, 0.04
REFUSED, BROKEN, WEDGED, SILENT = 0.0025, 0.0025, 0.005, 0.015


@dataclass(frozen=True, slots=True)
class Detail:
    """What an event tells beside the instance, in both formats."""

    legacy: str = ""
    versioned: str = ',"fault":null'
    name: str = "InstanceActionPayload"
    version: str = "1.9"


PLAIN = Detail()


@dataclass(slots=True)
class Timing:
    """When an operation started and ended, as the notifications say; a hidden launch may leave the end alone."""

    exchange: str
    name: str
    started_by: Publisher | None = None
    started_at: int | None = None
    ended_by: Publisher | None = None
    ended_at: int | None = None

    def record(self) -> Record:
        """Write it for the truth."""
        return {
            "exchange": self.exchange,
            "name": self.name,
            "started_at": _text(self.started_at),
            "ended_at": _text(self.ended_at),
            "start_host": None if self.started_by is None else self.started_by.host,
            "end_host": None if self.ended_by is None else self.ended_by.host,
        }


class Action:
    """One request: it notifies in the name of the services that serve it, and keeps the truth about it."""

    def __init__(
        self,
        world: World,
        operation: str,
        *,
        tenant: Tenant,
        user: str,
        region: Region,
        instance: Instance | None = None,
        volume: Volume | None = None,
        image: Image | None = None,
        request: Request | None = None,
    ) -> None:
        is_old = instance is not None and instance.cell.is_old
        self.world = world
        self.chance = world.chance
        self.operation = operation
        self.tenant = tenant
        self.user = user
        self.region = region
        self.volume = volume
        self.image = image
        request_id = f"req-{world.chance.uuid()}"
        self.request = request or user_request(request_id, tenant, user, world.now, is_old)
        self.fate = _fate(world.chance.share())
        self.number = world.next_number()
        self.is_timed_out = False
        self._instance = instance
        self._service_request: Request | None = None
        self._hides_launch: bool | None = None
        self._first: int | None = None
        self._last: int | None = None
        self._timings: list[Timing] = []
        if instance is not None:
            instance.is_busy = True
        world.under_way[self] = None

    @property
    def instance(self) -> Instance:
        """The instance that it is about."""
        assert self._instance is not None
        return self._instance

    # time

    def waits(self, median: float, p97: float, count: int, *, is_heavy: bool = False) -> Iterator[float]:
        """Draw how long it takes [s], split into waits; what is heavy may stall, or time out in an hour."""
        if is_heavy and self.chance.happens(TIMEOUTS):
            self.is_timed_out = True
            return self.chance.parts(self.chance.between(3600, 3700), count)
        if is_heavy and self.chance.happens(STALLS):
            return self.chance.parts(self.chance.lasting(2400, 16_000), count)
        return self.chance.parts(self.chance.lasting(median, p97), count)

    def queueing(self) -> float:
        """Draw the time from the API to the host [s]."""
        return self.chance.lasting(0.6, 7.6)

    # nova

    def start(self, action: str, detail: Detail = PLAIN, *, by: Publisher | None = None) -> None:
        """Tell that something starts."""
        self._tell(action, "start", detail, by)

    def end(self, action: str, detail: Detail = PLAIN, *, by: Publisher | None = None) -> None:
        """Tell that something ended."""
        self._tell(action, "end", detail, by)

    def error(self, action: str, detail: Detail, *, by: Publisher | None = None) -> None:
        """Tell that something failed."""
        self._tell(action, "error", detail, by)

    def announce(self, action: str, *, by: Publisher) -> None:
        """Tell that something was asked for, which has neither start nor end."""
        world, at = self.world, self._clock(by)
        if world.speaks_legacy:
            payload = legacy.instance_payload(self.instance)
            world.send(by, legacy.operation(action), payload, at, self.request)
        if world.speaks_versioned:
            payload = versioned.instance_payload(
                PLAIN.name, PLAIN.version, self.instance, self.request, PLAIN.versioned
            )
            world.send_versioned(by, f"instance.{action}", payload, at, self.request)

    def change(self, task: str | None, state: str | None = None, *, by: Publisher | None = None) -> None:
        """Put the instance into a task, and perhaps another state, and tell it."""
        instance, world = self.instance, self.world
        old_state, old_task = instance.state, instance.task
        instance.task = task
        if state is not None:
            instance.state = state
        publisher = by or self._host()
        at = self._clock(publisher)
        period = world.period(at)
        if world.speaks_legacy:
            extra = legacy.change(instance, old_state, old_task, period, at)
            payload = legacy.instance_payload(instance, extra)
            world.send(publisher, "compute.instance.update", payload, at, self.request)
        if world.speaks_versioned:
            extra = versioned.change(instance, old_state, old_task, period, at)
            payload = versioned.instance_payload("InstanceUpdatePayload", "2.1", instance, self.request, extra)
            world.send_versioned(publisher, "instance.update", payload, at, self.request)

    def exists(self) -> None:
        """Tell what was used so far in the running period."""
        if self.world.cloud.exists != "none":
            at = self._clock(self._host())
            send_exists(self.world, self.instance, self.request, self.world.period(at), at)

    def schedule(self, phase: str) -> None:
        """Tell that the scheduler looks for a host, or found one."""
        world, publisher, instance = self.world, self.region.scheduler, self.instance
        at = self._clock(publisher)
        self._time("nova", "scheduler.select_destinations", phase, at, publisher)
        event = f"scheduler.select_destinations.{phase}"
        if world.speaks_legacy:
            payload = f'{{"request_spec":{legacy.request_spec(instance)}}}'
            world.send(publisher, event, payload, at, self.request)
        if world.speaks_versioned:
            world.send_versioned(publisher, event, versioned.request_spec(instance), at, self.request)

    def no_host(self, reason: str) -> None:
        """Tell that no host was found."""
        world, publisher, instance = self.world, self.region.conductor, self.instance
        at = self._clock(publisher)
        event = "compute_task.build_instances"
        if world.speaks_legacy:
            payload = legacy.build_failure(instance, reason)
            world.send(publisher, event, payload, at, self.request, "ERROR")
        if world.speaks_versioned:
            payload = versioned.build_failure(instance, reason)
            world.send_versioned(publisher, f"{event}.error", payload, at, self.request, "ERROR")

    def exception(self, action: str, function: str, code: int, reason: str) -> None:
        """Tell that an exception left a function of nova-compute."""
        world, publisher, instance = self.world, self._host(), self.instance
        at = self._clock(publisher)
        if world.speaks_legacy:
            payload = legacy.wrapped_exception(instance, self.request.id, code, reason)
            world.send(publisher, function, payload, at, self.request, "ERROR")
        if world.speaks_versioned:
            fault = versioned.fault("NovaException", reason, function)
            event = "compute.exception"
            if action in versioned.WITH_ERROR:
                event = f"instance.{action}.error"
                extra = f',"fault":{fault}'
                fault = versioned.instance_payload(PLAIN.name, PLAIN.version, instance, self.request, extra)
            world.send_versioned(publisher, event, fault, at, self.request, "ERROR")

    def _tell(self, action: str, phase: str, detail: Detail, by: Publisher | None) -> None:
        world, instance, publisher = self.world, self.instance, by or self._host()
        priority = "ERROR" if phase == "error" else "INFO"
        at = self._clock(publisher)
        is_told_once = action in TOLD_ONCE and world.speaks_legacy
        name = legacy.operation(action)
        told = len(world.outbox)
        is_hidden = self._hides(action, phase)
        if not is_told_once and not is_hidden:
            self._time("nova", name, phase, at, publisher)
        if world.speaks_legacy and not (is_told_once and phase == "start"):
            event = name if is_told_once else f"{name}.{phase}"
            payload = legacy.instance_payload(instance, detail.legacy)
            world.send(publisher, event, payload, at, self.request, priority)
        if world.speaks_versioned:
            payload = versioned.instance_payload(detail.name, detail.version, instance, self.request, detail.versioned)
            world.send_versioned(publisher, f"instance.{action}.{phase}", payload, at, self.request, priority)
        if is_hidden:
            del world.outbox[told:]

    def _hides(self, action: str, phase: str) -> bool:
        """Tell whether a notification is left out because it would tell of a hidden launch or delete."""
        if action == "delete" and phase == "end":
            return self.instance.is_delete_hidden
        if action not in LAUNCHING or phase == "error":
            return False
        if self._hides_launch is None:
            self._hides_launch = self.world.billing.hides_launch()
        return self._hides_launch or (phase == "start" and self.instance.is_launch_hidden)

    def _host(self) -> Publisher:
        host = self.instance.host
        return self.region.api if host is None else host.publisher

    def _clock(self, publisher: Publisher) -> int:
        """Return the time that a notification gets now, and remember it as the last one's."""
        at = publisher.clock(self.world.now)
        self._last = at
        if self._first is None:
            self._first = at
        return at

    # the other services

    def tell(self, publisher: Publisher, name: str, phase: str, payload: str) -> None:
        """Notify for neutron or cinder: for the user, or for nova if nova asked on the user's behalf."""
        self._send(publisher, name, phase, payload, self.request if self._instance is None else self._on_behalf())

    def tell_image(self, phase: str, image: Image) -> None:
        """Notify for glance, which gives no context."""
        self._send(self.region.glance, "image", phase, services.image_payload(image), None)

    def _send(self, publisher: Publisher, name: str, phase: str, payload: str, request: Request | None) -> None:
        at = self._clock(publisher)
        self._time(publisher.exchange, name, phase, at, publisher)
        self.world.send(publisher, f"{name}.{phase}", payload, at, request)

    def _on_behalf(self) -> Request:
        if self._service_request is None:
            services = self.world.services
            self._service_request = user_request(
                f"req-{self.chance.uuid()}",
                services,
                services.users[0],
                self.world.now,
                self.request.is_old,
                origin=f'"{self.request.id}"',
            )
        return self._service_request

    # the truth

    def relaunch(self) -> None:
        """Let the instance be launched now, by the clock of its host."""
        self.instance.launched_at = self._host().clock(self.world.now)
        self.instance.is_launch_hidden = bool(self._hides_launch)
        self.instance.doubt = "unshelved" if self.operation == "unshelve" else None

    def launched(self) -> None:
        """Keep the launch; from now on the database gives its time in whole seconds."""
        instance = self.instance
        assert instance.launched_at is not None
        self.world.truth(launch_record(instance, self.request.id, self.operation))
        instance.launched_at -= instance.launched_at % SECOND
        if instance.is_launch_hidden:
            self.world.truth(billing_fault("missing_launch", instance, self.request.id))

    def deleted(self) -> None:
        """Keep the delete of an instance that was launched."""
        instance = self.instance
        if instance.launched_at is None:
            return
        self.world.truth(delete_record(instance, self.request.id))
        if instance.is_delete_hidden:
            self.world.truth(billing_fault("missing_delete", instance, self.request.id))

    def finish(self, outcome: str = "success", code: int | None = None) -> None:
        """Keep how it went, and leave the instance to others."""
        self.world.under_way.pop(self)
        if self._instance is not None:
            self._instance.is_busy = False
        if outcome == "success" and self.is_timed_out:
            outcome = "timeout"
        self.record(outcome, code)

    def record(self, outcome: str, code: int | None = None) -> None:
        """Write the truth about the action."""
        instance = self._instance
        self.world.truth(
            {
                "kind": "operation",
                "id": self.number,
                "operation": self.operation,
                "deployment": self.region.deployment if instance is None else instance.cell.deployment,
                "instance": None if instance is None else instance.id,
                "volume": None if self.volume is None else self.volume.id,
                "image": None if self.image is None else self.image.id,
                "tenant": self.tenant.id if instance is None else instance.tenant.id,
                "user": self.user,
                "request_id": None if self.operation in WITHOUT_CONTEXT else self.request.id,
                "started_at": _text(self._first),
                "ended_at": None if outcome in ("unfinished", "running") else _text(self._last),
                "outcome": outcome,
                "code": code,
                "timings": [timing.record() for timing in self._timings],
            }
        )

    def _time(self, exchange: str, name: str, phase: str, at: int, publisher: Publisher) -> None:
        if phase == "start":
            self._timings.append(Timing(exchange, name, publisher, at))
        elif phase == "end":
            opened = next((timing for timing in reversed(self._timings) if timing.name == name), None)
            if opened is None:
                opened = Timing(exchange, name)
                self._timings.append(opened)
            opened.ended_at, opened.ended_by = at, publisher


def _fate(draw: float) -> str:
    """Tell what becomes of an action: most succeed."""
    for name, rate in (("4xx", REFUSED), ("5xx", BROKEN), ("state", WEDGED), ("unfinished", SILENT)):
        draw -= rate
        if draw < 0:
            return name
    return "success"


def _text(at: int | None) -> str | None:
    return None if at is None else stamp(at)
