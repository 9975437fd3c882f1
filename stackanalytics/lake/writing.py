"""Adding to a lake: what is new of a batch, once, under the lake's lock."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash
from deltalake.transaction import AddAction

from stackanalytics import times
from stackanalytics.lake import delta, identity
from stackanalytics.lake.keys import Flags, Hashes, KeyIndex, Places
from stackanalytics.lake.lock import exclusive, sync
from stackanalytics.lake.meter_state import MeterState
from stackanalytics.lake.snapshot import Lake
from stackanalytics.lake.state import State
from stackanalytics.lake.usage_state import UsageState
from stackanalytics.schema import DEAD_LETTERS, NOTIFICATIONS, TABLES, arrow_schema, polars_schema

GIVEN = tuple(name for name in NOTIFICATIONS.fields if name not in ("id", "landed_at", "is_conflict"))
TOLD = ("request_id", "tenant", "user")
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
        UsageState(folder).create()
        for table in TABLES:
            delta.create(folder, table)
        sync(folder)


class _Copy(NamedTuple):
    """One copy of a message: stored, with its id, or in a batch, with its place."""

    id: int | None
    place: int | None
    body: str
    told: tuple[str | None, ...]

    @classmethod
    def of(cls, rows: pa.Table, place: int) -> "_Copy":
        """Take a copy from a batch."""
        told = tuple(rows[name][place].as_py() for name in TOLD)
        return cls(None, place, rows["body"][place].as_py(), told)

    @property
    def rank(self) -> tuple[int, tuple[str, ...]]:
        """Which of two copies counts: that which tells more; no order of arrival decides it."""
        return sum(value is not None for value in self.told), tuple(value or "" for value in self.told)


class _Sorted:
    """What a batch turned out to be."""

    def __init__(self, count: int) -> None:
        self.is_new: Flags = np.ones(count, dtype=bool)
        self.is_conflict: Flags = np.zeros(count, dtype=bool)
        self.better: dict[int, int] = {}  # places in the batch by the ids of the stored rows that they replace

    def prefer(self, copy: _Copy, other: _Copy) -> None:
        """Let a copy of the batch stand for another one, stored or earlier in the batch."""
        assert copy.place is not None
        if other.id is not None:
            self.is_new[copy.place] = False
            self.better[other.id] = copy.place
        elif other.place is not None:
            self.is_new[other.place] = False
            self.is_conflict[copy.place] = self.is_conflict[other.place]


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
            batch = replace(batch, contents=batch.contents ^ _told(batch.rows))
            sorted_out = self._sort_out(batch, last_id)
            places = np.flatnonzero(sorted_out.is_new)
            conflicts = sorted_out.is_conflict[places]
            landed = Landed(
                notifications=len(places),
                duplicates=batch.rows.num_rows - len(places),
                conflicts=int(conflicts.sum()),
            )
            if len(places) or sorted_out.better:
                self._commit(batch, places, conflicts, sorted_out.better, last_id)
        return landed

    def append_dead_letters(self, letters: Sequence[DeadLetter]) -> Landed:
        """Add the dead letters that the lake does not hold yet."""
        unique = {letter.key: letter for letter in letters}
        with exclusive(self._folder):
            self._dead_letters.update_incremental()
            with Lake(self._folder, has_nouns=False) as lake:
                known = lake.sql(
                    "select key from dead_letters where key in (select unnest($keys))", {"keys": list(unique)}
                )
            new = {key: unique[key] for key in unique.keys() - set(known["key"])}
            if new:
                self._commit_dead_letters(new)
        return Landed(dead_letters=len(new), repeated_dead_letters=len(letters) - len(new))

    def _commit(
        self, batch: Notifications, places: Places, conflicts: Flags, better: dict[int, int], last_id: int
    ) -> None:
        rows = batch.rows if len(places) == batch.rows.num_rows else batch.rows.take(pl.Series(places).to_arrow())
        self._state.add_deployments(sorted(pc.unique(rows["deployment"]).to_pylist()))
        count = len(places)
        self._keys.forget_beyond(last_id)
        if count:
            self._keys.add(last_id + 1, last_id + count, batch.keys[places], batch.contents[places])
        own = {
            "id": pl.int_range(last_id + 1, last_id + 1 + count, dtype=pl.Int64, eager=True).to_arrow(),
            "landed_at": pl.repeat(times.now(), count, dtype=pl.Datetime("us", "UTC"), eager=True).to_arrow(),
            "is_conflict": pl.Series(conflicts).to_arrow(),
        }
        columns = [own[name] if name in own else rows[name] for name in NOTIFICATIONS.fields]
        table = pa.table(columns, schema=arrow_schema(*NOTIFICATIONS.fields))
        actions = delta.write_days(
            self._folder / NOTIFICATIONS.name, NOTIFICATIONS, table, table["generated_at"].cast(pa.date32())
        )
        if better:
            MeterState(self._folder).add_stale(better)
        removed = self._files_of(better)
        actions += [self._rewritten(file, batch.rows, better) for file in removed]
        delta.commit(
            self._notifications,
            NOTIFICATIONS,
            actions,
            remove=removed,
            highest_id=last_id + count,
            note={"landed": str(count), "replaced": str(len(better))},
        )

    def _files_of(self, ids: Collection[int]) -> list[delta.File]:
        """Return the files that have rows with any of the ids."""
        if not ids:
            return []
        candidates = [file for file in delta.files(self._notifications) if any(map(file.may_hold_id, ids))]
        wanted = pa.array(ids, pa.int64())
        return [
            file
            for file in candidates
            if pc.any(pc.is_in(pq.read_table(file.path, columns=["id"], partitioning=None)["id"], wanted)).as_py()
        ]

    def _rewritten(self, file: delta.File, rows: pa.Table, better: dict[int, int]) -> AddAction:
        """Write a file again with the better copies in the places of the rows that told less."""
        root = self._folder / NOTIFICATIONS.name
        writer = delta.FileWriter(root, NOTIFICATIONS, file.day, rows=file.rows, is_clustered=file.is_clustered)
        for batch in pq.ParquetFile(file.path).iter_batches(batch_size=delta.ROW_GROUP):
            stored = pa.Table.from_batches([batch])
            for number in better.keys() & set(stored["id"].to_pylist()):
                place = stored["id"].to_pylist().index(number)
                copy = rows.slice(better[number], 1)
                old = stored.slice(place, 1)
                columns = [copy[name] if name in GIVEN else old[name] for name in NOTIFICATIONS.fields]
                row = pa.table(columns, schema=stored.schema)
                stored = pa.concat_tables([stored.slice(0, place), row, stored.slice(place + 1)])
            writer.write(stored)
        return writer.close()

    def _commit_dead_letters(self, letters: dict[str, DeadLetter]) -> None:
        landed_at = times.now()
        rows = [
            {
                "key": key,
                "landed_at": landed_at,
                "origin": letter.origin,
                "reason": letter.reason,
                "content": letter.content,
            }
            for key, letter in letters.items()
        ]
        schema = arrow_schema(*DEAD_LETTERS.fields)
        table = pl.DataFrame(rows, schema=polars_schema(*DEAD_LETTERS.fields)).to_arrow().cast(schema)
        days = table["landed_at"].cast(pa.date32())
        actions = delta.write_days(self._folder / DEAD_LETTERS.name, DEAD_LETTERS, table, days)
        delta.commit(self._dead_letters, DEAD_LETTERS, actions, note={"landed": str(len(letters))})

    def _sort_out(self, batch: Notifications, last_id: int) -> _Sorted:
        """Tell what of a batch is new, what is in conflict, and which stored rows tell less than a copy."""
        known = self._keys.find(batch.keys, last_id)
        sorted_out = _Sorted(len(batch.keys))
        suspects = self._suspects(batch.keys, known)
        copies = self._stored_copies(batch, suspects, known)
        for place in suspects:
            key, content = int(batch.keys[place]), int(batch.contents[place])
            contents = known.setdefault(key, set())
            if content in contents:
                sorted_out.is_new[place] = False
                continue
            others = copies.setdefault(key, [])
            copy = _Copy.of(batch.rows, place)
            same = next((other for other in others if identity.is_same(copy.body, other.body)), None)
            if same is None:
                sorted_out.is_conflict[place] = bool(contents)
                others.append(copy)
            elif copy.rank > same.rank:
                sorted_out.prefer(copy, same)
                others[others.index(same)] = copy._replace(id=same.id)
            else:
                sorted_out.is_new[place] = False
            contents.add(content)
        return sorted_out

    @staticmethod
    def _suspects(keys: Hashes, known: dict[int, set[int]]) -> list[int]:
        """Return the places of keys that the lake knows or that the batch repeats."""
        unique, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
        suspicious = counts > 1
        if known:
            suspicious |= np.isin(unique, np.fromiter(known, dtype=np.uint64, count=len(known)))
        return np.flatnonzero(suspicious[inverse]).tolist()

    def _stored_copies(
        self, batch: Notifications, suspects: Sequence[int], known: dict[int, set[int]]
    ) -> dict[int, list[_Copy]]:
        """Return what the lake holds under keys that come again with another content."""
        differing = [
            place
            for place in suspects
            if int(batch.contents[place]) not in known.get(int(batch.keys[place]), {int(batch.contents[place])})
        ]
        asked = {batch.rows["message_id"][place].as_py() for place in differing}
        if not asked:
            return {}
        with Lake(self._folder, has_nouns=False) as lake:
            stored = lake.sql(
                """
                select id, body, request_id, tenant, "user", deployment, message_id
                from notifications
                where message_id in (select unnest($ids))
                """,
                {"ids": sorted(asked)},
            )
        copies: dict[int, list[_Copy]] = {}
        for number, body, request_id, tenant, user, deployment, message_id in stored.iter_rows():
            copy = _Copy(number, None, body, (request_id, tenant, user))
            copies.setdefault(identity.key_hash(deployment, message_id, 0), []).append(copy)
        return copies

    def _complete_keys(self, last_id: int) -> None:
        """Build again what the index of keys lacks (all of it, where the folder was deleted)."""
        for first, last in self._keys.gaps(last_id):
            with Lake(self._folder, has_nouns=False) as lake:
                for low in range(first, last + 1, REBUILD_ROWS):
                    high = min(low + REBUILD_ROWS - 1, last)
                    stored = lake.sql(
                        """
                        select deployment, message_id, body, request_id, tenant, "user"
                        from notifications
                        where id between $low and $high
                        """,
                        {"low": low, "high": high},
                    )
                    rows = stored.select("deployment", "message_id", "body").iter_rows()
                    hashes = np.array([identity.body_hashes(*row) for row in rows], dtype=np.uint64).reshape(-1, 2)
                    self._keys.add(low, high, hashes[:, 0], hashes[:, 1] ^ _told(stored.to_arrow()))


def _told(rows: pa.Table) -> Hashes:
    """Hash what copies of one message may tell or not, by the form in which they came.

    Messages without an id are recognised by their content alone, so it is nothing for these.
    """
    told = np.zeros(rows.num_rows, dtype=np.uint64)
    for name in TOLD:
        coded = rows[name].combine_chunks().dictionary_encode()
        hashes = [xxhash.xxh3_64_intdigest(f"{name}\0{value}".encode()) for value in coded.dictionary.to_pylist()]
        codes = pl.Series(coded.indices).fill_null(len(hashes)).to_numpy()
        told ^= np.array([*hashes, 0], dtype=np.uint64)[codes]
    told[pl.Series(rows["message_id"]).is_null().to_numpy()] = 0
    return told
