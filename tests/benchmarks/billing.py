"""What verification is measured on: as many exists records as launches, of a month, landed as JSON lines."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from stackanalytics.landing import land
from stackanalytics.sources.chunk import Chunk
from stackanalytics.testing import notification

START = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 30
UNTIL = START + timedelta(days=DAYS + 2)
CHUNK = 5_000
WRONG = 0.01  # share of records with another flavor, and of launches without a deletion
DELETED = 0.2
META = {
    "org.openstack__1__architecture": "x64",
    "org.openstack__1__os_distro": "org.debian",
    "org.openstack__1__os_version": "12",
    "com.rackspace__1__options": "0",
}


def land_billing(folder: Path, records: int) -> None:
    """Land so many launches and exists records, and the deletions of a part of them."""
    land(_chunks(records), folder)


def _chunks(records: int) -> Iterator[Chunk]:
    messages: list[bytes] = []
    landed = 0
    for message in _messages(records):
        messages.append(json.dumps(message).encode())
        if len(messages) == CHUNK:
            yield Chunk("billing", landed + 1, messages)
            landed += CHUNK
            messages = []
    yield Chunk("billing", landed + 1, messages)


def _messages(records: int) -> Iterator[dict[str, object]]:
    """Yield messages day by day, as they come: builds and deletions, then the records of the day."""
    chance = random.Random(0)
    for day in range(DAYS):
        beginning = START + timedelta(days=day)
        ending = beginning + timedelta(days=1)
        exists = []
        for _ in range(records * day // DAYS, records * (day + 1) // DAYS):
            instance, request = UUID(int=chance.getrandbits(128)), UUID(int=chance.getrandbits(128))
            flavor = str(chance.randrange(20))
            launched_at = beginning + timedelta(seconds=round(chance.uniform(1, 80_000), 6))
            common: dict[str, object] = {
                "instance": str(instance),
                "tenant": f"{chance.randrange(1000):032x}",
                "launched_at": launched_at,
                "image_meta": META,
            }
            asked = {"request_id": f"req-{request}", "instance_type_id": flavor, **common}
            yield notification("compute.instance.create.start", launched_at - timedelta(seconds=20), **asked)
            yield notification("compute.instance.create.end", launched_at + timedelta(seconds=1), **asked)
            deleted_at = launched_at + timedelta(seconds=3600) if chance.random() < DELETED else None
            if deleted_at and chance.random() >= WRONG:
                gone = {**common, "terminated_at": deleted_at, "request_id": f"req-{UUID(int=request.int ^ 1)}"}
                yield notification("compute.instance.delete.end", deleted_at, **gone)
            said = {**common, "instance_type_id": flavor if chance.random() >= WRONG else "wrong"}
            said |= {"terminated_at": deleted_at} if deleted_at else {}
            period = {"audit_period_beginning": beginning, "audit_period_ending": ending}
            exists.append(notification("compute.instance.exists", ending + timedelta(seconds=30), **said, **period))
        yield from exists
