"""Keeping what verification finds, and telling others that it is under way.

One process at a time verifies a service; the kernel ends its turn when it dies, so that nothing
stays under way for ever. What it finds is kept in one commit, and only where it is new.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from stackanalytics import times
from stackanalytics.lake import delta
from stackanalytics.lake.lock import VERIFYING, exclusive, is_held
from stackanalytics.lake.snapshot import Lake
from stackanalytics.lake.state import State, VerificationRun
from stackanalytics.lake.writing import create_lake
from stackanalytics.schema import INSTANT, NOTIFICATIONS, RECONCILIATIONS, VERIFICATIONS

_REASON = ("reason_kind", "reason_field", "reason_exists_value", "reason_other_value", "reason_entity")
_COMPARED = ("service", "exists_id", "verdict", *_REASON)
_GIVEN = tuple(name for name in VERIFICATIONS.fields if name not in ("sequence", "verified_at"))


@dataclass(frozen=True, slots=True)
class Verification:
    """A verification under way: the lake as it is seen, and the former run that it can build on.

    ``former`` is None where everything has to be verified again: nothing was before, other rules
    held, or stored notifications were replaced by copies that tell more.
    """

    lake: Lake
    former: VerificationRun | None
    run: VerificationRun

    def changes(self, found: pl.DataFrame) -> pl.DataFrame:
        """Return what was found and does not count yet, with the ``former_verdict`` of each record."""
        known = self.lake.sql(
            f"select {', '.join(_COMPARED)} from verdicts semi join found using (service, exists_id)",
            frames={"found": found.select("service", "exists_id")},
        )
        former = known.select("service", "exists_id", former_verdict="verdict")
        new = found.join(known, on=_COMPARED, how="anti", nulls_equal=True, maintain_order="left")
        return new.join(former, on=["service", "exists_id"], how="left", maintain_order="left")

    def keep(self, changes: pl.DataFrame) -> pl.DataFrame:
        """Keep changes; they are on disk when this returns them with ``verified_at``."""
        now = times.now()
        if not changes.is_empty():
            with exclusive(self.lake.path):
                _commit(self.lake.path, changes, now)
        return changes.with_columns(verified_at=pl.lit(now, pl.Datetime("us", "UTC")))


@contextmanager
def verifying(folder: Path, service: str, *, rules: str, due_at: datetime) -> Iterator[Verification]:
    """Verify a service: it is under way for all others inside the ``with`` block.

    Parameters
    ----------
    folder
        The lake's folder; what the lake lacks to keep verifications is created.
    service
        ``nova`` or ``glance``. Whoever else verifies it comes before or after.
    rules
        A text that differs where records are judged by other rules.
    due_at
        Records are verified whose period ended up to here.
    """
    create_lake(folder)
    state = State(folder)
    with exclusive(folder, _lock(service)), Lake(folder) as lake:
        former = state.last_verification(service, is_finished=True)
        notifications = delta.open_table(folder, NOTIFICATIONS, lake.tables[NOTIFICATIONS.name])
        run = VerificationRun(
            service=service,
            rules=rules,
            due_at=due_at,
            last_id=delta.last_id(notifications),
            last_sequence=delta.last_id(delta.open_table(folder, RECONCILIATIONS, lake.tables[RECONCILIATIONS.name])),
            version=notifications.version(),
        )
        if former and (former.rules != rules or delta.is_replaced_since(notifications, former.version)):
            former = None
        number = state.begin_verification(run)
        yield Verification(lake, former, run)
        state.finish_verification(number, at=times.now())


def verification_under_way(folder: Path, service: str) -> datetime | None:
    """Return up to when records of a service are being verified at present, None where none are.

    Records that are due then (their period ended at it or earlier) and have no verdict yet are the
    ones under way.
    """
    if not is_held(folder, _lock(service)):
        return None
    run = State(folder).last_verification(service, is_finished=False)
    return None if run is None else run.due_at


def _lock(service: str) -> str:
    return f"{VERIFYING}{service}"


def _commit(folder: Path, rows: pl.DataFrame, now: datetime) -> None:
    table = delta.open_table(folder, VERIFICATIONS)
    last = delta.last_id(table) + rows.height
    own = {
        "sequence": pa.array(np.arange(last - rows.height + 1, last + 1)),
        "verified_at": pa.array([now] * rows.height, INSTANT),
    }
    given = {name: rows[name].to_arrow() for name in _GIVEN}
    stored = pa.table({**given, **own}).select(VERIFICATIONS.fields).cast(delta.arrow_schema(VERIFICATIONS))
    days = pa.array([now.date()] * rows.height, pa.date32())
    actions = delta.write_days(folder / VERIFICATIONS.name, VERIFICATIONS, stored, days)
    delta.commit(table, VERIFICATIONS, actions, highest_id=last, note={"verified": str(rows.height)})
