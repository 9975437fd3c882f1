"""Adding to a lake: what is new of a batch, once, under the lake's lock."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from stackanalytics import times
from stackanalytics.lake import delta, identity
from stackanalytics.lake.keys import Flags, Hashes, KeyIndex, Places
from stackanalytics.lake.lock import exclusive, sync
from stackanalytics.lake.snapshot import Lake
from stackanalytics.lake.state import State
from stackanalytics.schema import DEAD_LETTERS, NOTIFICATIONS, TABLES, arrow_schema

GIVEN = tuple(name for name in NOTIFICATIONS.fields if name not in ("id", "landed_at", "is_conflict"))
REBUILD_ROWS = 50_000


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that could not be landed: its bytes (secrets redacted), where it stood, and why."""

    content: bytes
    origin: str
    reason: str

    @property
    def key(self) -> str:
        """What it is recognised by: its bytes, or, where none could be read, what happened where."""
        told = self.content or f"{self.origin}: {self.reason}".encode()
        return xxhash.xxh3_128_hexdigest(told)


@dataclass(frozen=True)
class Notifications:
    """Decoded notifications on their way into a lake.

    ``rows`` has the columns of the table that the lake does not give itself; ``keys`` and
    ``contents`` are the hashes by which repeated messages are recognised, one a row.
    """

    rows: pa.Table
    keys: Hashes
    contents: Hashes


@dataclass(slots=True)
class Landed:
    """How many messages became what."""

    notifications: int = 0
    duplicates: int = 0
    conflicts: int = 0
    dead_letters: int = 0
    repeated_dead_letters: int = 0

    def add(self, other: "Landed") -> None:
        """Count *other* in."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


def create_lake(folder: Path) -> None:
    """Create an empty lake in *folder*, or what is missing of one."""
    folder.mkdir(parents=True, exist_ok=True)
    with exclusive(folder):
        State(folder).create()
        for table in TABLES:
            delta.create(folder, table)
        sync(folder)


class Writer:
    """Appends batches to one lake. Several processes may do so at the same time."""

    def __init__(self, folder: Path) -> None:
        """Open the lake in *folder* for writing, creating it if needed."""
        create_lake(folder)
        self._folder = folder
        self._state = State(folder)
        self._keys = KeyIndex(folder)
        self._notifications = delta.open_table(folder, NOTIFICATIONS)
        self._dead_letters = delta.open_table(folder, DEAD_LETTERS)

    def append(self, batch: Notifications) -> Landed:
        """Add what the lake does not hold yet; it is on disk when this returns."""
        with exclusive(self._folder):
            self._notifications.update_incremental()
            last_id = delta.last_id(self._notifications)
            self._complete_keys(last_id)
            places, conflicts = self._new(batch, last_id)
            landed = Landed(
                notifications=len(places),
                duplicates=batch.rows.num_rows - len(places),
                conflicts=int(conflicts.sum()),
            )
            if len(places):
                self._commit(batch, places, conflicts, last_id)
        return landed

    def append_dead_letters(self, letters: Sequence[DeadLetter]) -> Landed:
        """Add the dead letters that the lake does not hold yet."""
        unique = {letter.key: letter for letter in letters}
        with exclusive(self._folder):
            self._dead_letters.update_incremental()
            with Lake(self._folder) as lake:
                known = lake.sql(
                    "select key from dead_letters where key in (select unnest($keys))", {"keys": list(unique)}
                )
            new = {key: unique[key] for key in unique.keys() - set(known["key"])}
            if new:
                self._commit_dead_letters(new)
        return Landed(dead_letters=len(new), repeated_dead_letters=len(letters) - len(new))

    def _commit(self, batch: Notifications, places: Places, conflicts: Flags, last_id: int) -> None:
        rows = batch.rows if len(places) == batch.rows.num_rows else batch.rows.take(places)
        self._state.add_deployments(sorted(pc.unique(rows["deployment"]).to_pylist()))
        count = len(places)
        self._keys.forget_beyond(last_id)
        self._keys.add(last_id + 1, last_id + count, batch.keys[places], batch.contents[places])
        own = {
            "id": pa.array(np.arange(last_id + 1, last_id + 1 + count)),
            "landed_at": pa.array([times.now()] * count, pa.timestamp("us", "UTC")),
            "is_conflict": pa.array(conflicts),
        }
        columns = [own[name] if name in own else rows[name] for name in NOTIFICATIONS.fields]
        table = pa.table(columns, schema=arrow_schema(*NOTIFICATIONS.fields))
        actions = delta.write_days(
            self._folder / NOTIFICATIONS.name, NOTIFICATIONS, table, table["generated_at"].cast(pa.date32())
        )
        delta.commit(
            self._notifications,
            NOTIFICATIONS,
            actions,
            highest_id=last_id + count,
            note={"landed": str(count)},
        )

    def _commit_dead_letters(self, letters: dict[str, DeadLetter]) -> None:
        landed_at = times.now()
        table = pa.Table.from_pylist(
            [
                {
                    "key": key,
                    "landed_at": landed_at,
                    "origin": letter.origin,
                    "reason": letter.reason,
                    "content": letter.content,
                }
                for key, letter in letters.items()
            ],
            schema=arrow_schema(*DEAD_LETTERS.fields),
        )
        days = table["landed_at"].cast(pa.date32())
        actions = delta.write_days(self._folder / DEAD_LETTERS.name, DEAD_LETTERS, table, days)
        delta.commit(self._dead_letters, DEAD_LETTERS, actions, note={"landed": str(len(letters))})

    def _new(self, batch: Notifications, last_id: int) -> tuple[Places, Flags]:
        """Return the places in the batch of what is new, and which of these are conflicts."""
        known = self._keys.find(batch.keys, last_id)
        is_new = np.ones(len(batch.keys), dtype=bool)
        is_conflict = np.zeros(len(batch.keys), dtype=bool)
        suspects = self._suspects(batch.keys, known)
        bodies = self._stored_bodies(batch, suspects, known)
        for place in suspects:
            key, content = int(batch.keys[place]), int(batch.contents[place])
            contents = known.setdefault(key, set())
            body = batch.rows["body"][place].as_py() if contents and content not in contents else None
            if content in contents or (body and any(identity.is_same(body, other) for other in bodies.get(key, ()))):
                is_new[place] = False
                continue
            is_conflict[place] = bool(contents)
            contents.add(content)
            bodies.setdefault(key, []).append(body or batch.rows["body"][place].as_py())
        places = np.flatnonzero(is_new)
        return places, is_conflict[places]

    @staticmethod
    def _suspects(keys: Hashes, known: dict[int, set[int]]) -> list[int]:
        """Return the places of keys that the lake knows or that the batch repeats."""
        unique, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
        suspicious = counts > 1
        if known:
            suspicious |= np.isin(unique, np.fromiter(known, dtype=np.uint64, count=len(known)))
        return np.flatnonzero(suspicious[inverse]).tolist()

    def _stored_bodies(
        self, batch: Notifications, suspects: Sequence[int], known: dict[int, set[int]]
    ) -> dict[int, list[str]]:
        """Return the bodies that the lake holds for keys which come again with another content."""
        differing = [
            place
            for place in suspects
            if int(batch.contents[place]) not in known.get(int(batch.keys[place]), {int(batch.contents[place])})
        ]
        asked = {batch.rows["message_id"][place].as_py() for place in differing}
        if not asked:
            return {}
        with Lake(self._folder) as lake:
            stored = lake.sql(
                "select deployment, message_id, body from notifications where message_id in (select unnest($ids))",
                {"ids": sorted(asked)},
            )
        bodies: dict[int, list[str]] = {}
        for deployment, message_id, body in stored.iter_rows():
            bodies.setdefault(identity.key_hash(deployment, message_id, 0), []).append(body)
        return bodies

    def _complete_keys(self, last_id: int) -> None:
        """Build again what the index of keys lacks (all of it, where the folder was deleted)."""
        for first, last in self._keys.gaps(last_id):
            with Lake(self._folder) as lake:
                for low in range(first, last + 1, REBUILD_ROWS):
                    high = min(low + REBUILD_ROWS - 1, last)
                    stored = lake.sql(
                        "select deployment, message_id, body from notifications where id between $low and $high",
                        {"low": low, "high": high},
                    )
                    hashes = np.array(
                        [identity.body_hashes(*row) for row in stored.iter_rows()], dtype=np.uint64
                    ).reshape(-1, 2)
                    self._keys.add(low, high, hashes[:, 0], hashes[:, 1])
