"""The way from the services to whoever reads: forms, duplicates, disorder, loss."""

from collections.abc import Callable, Iterable, Iterator
from heapq import heappop, heappush

import msgspec

from stackanalytics.sources.simulator.chance import Chance
from stackanalytics.sources.simulator.cloud import Cloud
from stackanalytics.sources.simulator.message import Letter
from stackanalytics.sources.simulator.stamps import SECOND

_quoted = msgspec.json.Encoder().encode


def bare(letter: Letter) -> bytes:
    """Give the body alone."""
    return letter.body.encode()


def envelope(letter: Letter) -> bytes:
    """Put the body into an oslo envelope, as text."""
    return b'{"oslo.version":"2.0","oslo.message":%b}' % _quoted(letter.body)


def stacktach(letter: Letter) -> bytes:
    """Give the routing key and the body, as StackTach stored them."""
    return f'["{letter.routing_key}",{letter.body}]'.encode()


def routed(letter: Letter) -> bytes:
    """Tell with the body where it came from."""
    return (
        f'{{"deployment":"{letter.deployment}","exchange":"{letter.exchange}",'
        f'"routing_key":"{letter.routing_key}","body":{letter.body}}}'
    ).encode()


FORMS = {"bare": bare, "envelope": envelope, "stacktach": stacktach, "routed": routed}


NOISE = (
    b"\xff\xfe\x00\x01AMQP\x00\x00\x09\x01",
    b"<html><head><title>502 Bad Gateway</title></head></html>",
    b"2026-01-01 00:00:00.000 7 WARNING oslo.messaging._drivers.impl_rabbit [-] Unexpected error during heartbeat",
)


class Delivery:
    """Delivers letters: most at once, some late, twice or never, as the settings want it."""

    def __init__(self, cloud: Cloud, truth: Callable[[dict[str, object]], None]) -> None:
        self._chance = Chance(cloud.seed, "delivery")
        self._cloud = cloud
        self._truth = truth
        self._is_faulty = bool(cloud.loss or cloud.duplicates or cloud.reorder)
        self._forms = list(FORMS.values()) if cloud.form == "mixed" else [FORMS[cloud.form]]
        self._held: list[tuple[int, int, bytes]] = []
        self._turns = 0
        self._noise = Chance(cloud.seed, "noise")

    @property
    def waiting(self) -> int:
        """How many messages are held back."""
        return len(self._held)

    def take(self, letters: Iterable[Letter], now: int) -> list[bytes]:
        """Accept letters, and give what is to be delivered now."""
        if not self._cloud.noise:
            return self._take(letters, now)
        ready = []
        for letter in letters:
            ready += self._take([letter], now)
            if self._noise.happens(self._cloud.noise):
                self._note("noise", letter)
                ready.append(self._rustle(letter))
        return ready

    def _take(self, letters: Iterable[Letter], now: int) -> list[bytes]:
        if not self._is_faulty:
            return [self._write(letter) for letter in letters]
        ready = []
        while self._held and self._held[0][0] <= now:
            ready.append(heappop(self._held)[2])
        for letter in letters:
            ready.extend(self._risk(letter, now))
        return ready

    def flush(self) -> list[bytes]:
        """Give all that is left."""
        return [message for _, _, message in sorted(self._held)]

    def _rustle(self, letter: Letter) -> bytes:
        """Give something that is no JSON, as logs, proxies and broken pipes do."""
        text = letter.body.encode()
        cut = text[: self._noise.whole(1, len(text))]
        return self._noise.one_of((cut, *NOISE))

    def _risk(self, letter: Letter, now: int) -> Iterator[bytes]:
        """Give a letter now, later, twice or never."""
        chance, cloud = self._chance, self._cloud
        if chance.happens(cloud.loss):
            self._note("lost", letter)
            return
        message = self._write(letter)
        if chance.happens(cloud.reorder):
            self._note("reordered", letter)
            self._hold(message, now, chance.lasting(2, 60))
        else:
            yield message
        if chance.happens(cloud.duplicates):
            self._repeat(letter, message, now)

    def _repeat(self, letter: Letter, message: bytes, now: int) -> None:
        """Deliver the same bytes again, or publish the letter once more under another unique id."""
        is_redelivery = self._chance.happens(0.5)
        if not is_redelivery:
            body = letter.body.replace(letter.unique_id, self._chance.digits(32), 1)
            message = self._write(letter._replace(body=body))
        self._note("redelivered" if is_redelivery else "republished", letter)
        self._hold(message, now, self._chance.lasting(5, 300))

    def _hold(self, message: bytes, now: int, delay: float) -> None:
        self._turns += 1
        heappush(self._held, (now + round(delay * SECOND), self._turns, message))

    def _write(self, letter: Letter) -> bytes:
        form = self._forms[0] if len(self._forms) == 1 else self._chance.one_of(self._forms)
        return form(letter)

    def _note(self, fault: str, letter: Letter) -> None:
        self._truth({"kind": "fault", "fault": fault, "message_id": letter.message_id})
