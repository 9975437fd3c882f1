"""Deriving: what meters measure of notifications is stored as samples, up to a recorded notification.

It may be done at any time, and again, with equal results. One process at a time derives; what was derived is on disk,
together with how far that goes, or nothing of it is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stackanalytics.lake import delta
from stackanalytics.lake.lock import exclusive
from stackanalytics.lake.meter_definition import digest
from stackanalytics.lake.meter_view import DEFINITIONS, DERIVED, Derivation, derived_samples, told_again
from stackanalytics.lake.sample_writing import commit_samples
from stackanalytics.lake.snapshot import Lake
from stackanalytics.schema import NOTIFICATIONS, SAMPLES

LOCK = ".deriving"
FIRST_STEP, LONGEST_STEP = 20_000, 250_000  # notifications
STEP_SAMPLES = 400_000


@dataclass(slots=True)
class Derived:
    """How many notifications were looked at, some of them again, and how many samples they yielded."""

    notifications: int = 0
    samples: int = 0


def derive(folder: Path | str, *, on_progress: Callable[[Derived], None] | None = None) -> Derived:
    """Store what meters measure of the notifications that were landed since the last time.

    Samples of notifications that were replaced by better copies are made anew, as are all of them where the
    definitions of meters are others than before.

    Parameters
    ----------
    folder
        Folder of the lake.
    on_progress
        Called with what is done so far whenever something is on disk.

    Returns
    -------
    Derived
        What was done.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    LakeError
        If it holds no lake, or one that cannot be read, or its ``meters.toml`` cannot be used.

    Source: notifications, by the definitions in ``stackanalytics/lake/meters.toml`` and in the lake's own
    ``meters.toml``.
    """
    folder, done = Path(folder), Derived()
    with exclusive(folder, LOCK), _opened(folder) as lake:
        last = delta.last_id(delta.open_table(folder, NOTIFICATIONS, lake.tables[NOTIFICATIONS.name]))
        derivation, step = lake.derivation, FIRST_STEP
        while derivation.last_id < last or derivation.stale:
            until = min(derivation.last_id + step, last)
            samples = _derive(lake, derivation, until)
            done.samples += samples
            done.notifications += until - derivation.last_id + len(derivation.stale)
            derivation = Derivation(until, {}, is_complete=until == last)
            # as many as make about so many samples, which must all be in memory
            step = min(step * STEP_SAMPLES // max(samples, 1) + 1, LONGEST_STEP)
            if on_progress:
                on_progress(done)
    return done


def _opened(folder: Path) -> Lake:
    with exclusive(folder):  # so that what is stale is replaced already
        return Lake(folder)


def _derive(lake: Lake, derivation: Derivation, until: int) -> int:
    samples = lake.sql(
        f"""
        select *, cast(null as bigint) as sequence
        from ({derived_samples(lake.useful_meters, f"id <= {until} and ({derivation.pending})")})
        """,
        holding=_holding(lake, derivation, until),
    )
    again = lake.sql(told_again(derivation, until=until))["id"] if derivation.last_id else ()
    with exclusive(lake.path):
        delta.create(lake.path, SAMPLES)
        commit_samples(
            lake.path,
            delta.open_table(lake.path, SAMPLES),
            [samples.select(SAMPLES.fields)] if samples.height else [],
            without={*derivation.stale, *again} if derivation.last_id else (),
            is_derived_anew=not derivation.last_id,
            marks={DERIVED: until, DEFINITIONS: digest(lake.meters)},
            note={"derived": str(samples.height)},
        )
    lake.meter_state.remove_stale(derivation.stale)
    return samples.height


def _holding(lake: Lake, derivation: Derivation, until: int) -> dict[str, range]:
    """Return which notifications are enough to derive samples: versioned ones may have a twin that is anywhere."""
    ids = {"id": range(derivation.last_id + 1, until + 1)}
    if derivation.stale:
        return {}
    found = lake.sql(
        "select 1 from notifications where format = 'versioned' and id between $first and $last limit 1",
        {"first": ids["id"].start, "last": until},
        holding=ids,
    )
    return ids if found.is_empty() else {}
