"""Keeping what was reconciled: what counts of each launch, under the lake's lock."""

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from stackanalytics import times
from stackanalytics.lake import delta
from stackanalytics.lake.lock import exclusive
from stackanalytics.lake.snapshot import Lake
from stackanalytics.schema import INSTANT, LAUNCH_FIELDS, RECONCILIATIONS

_GIVEN = (*LAUNCH_FIELDS, "source")


def append_reconciliations(folder: Path, reconciled: pl.DataFrame) -> int:
    """Keep what was reconciled, in place of what was before; it is on disk when this returns.

    Parameters
    ----------
    folder
        The lake's folder.
    reconciled
        What is said of launches, in ``stackanalytics.schema.LAUNCH_FIELDS``, and its ``source``. Of
        several rows of a launch, which is an instance and a second, the first counts.

    Returns
    -------
    int
        How many rows say something that did not count before; the others are not kept again.
    """
    with exclusive(folder):
        with Lake(folder) as lake:
            known = lake.sql(f"select {', '.join(LAUNCH_FIELDS)} from reconciles")
        of_launches = reconciled.select(_GIVEN).unique(
            ["instance", pl.col("launched_at").dt.truncate("1s")], keep="first", maintain_order=True
        )
        new = of_launches.join(known, on=LAUNCH_FIELDS, how="anti", nulls_equal=True, maintain_order="left")
        if not new.is_empty():
            _commit(folder, new)
    return new.height


def _commit(folder: Path, rows: pl.DataFrame) -> None:
    delta.create(folder, RECONCILIATIONS)
    table = delta.open_table(folder, RECONCILIATIONS)
    last = delta.last_id(table) + rows.height
    now = times.now()
    given = {name: rows[name].to_arrow() for name in _GIVEN}
    own = {
        "sequence": pa.array(np.arange(last - rows.height + 1, last + 1)),
        "reconciled_at": pa.array([now] * rows.height, INSTANT),
    }
    stored = pa.table({**given, **own}).select(RECONCILIATIONS.fields).cast(delta.arrow_schema(RECONCILIATIONS))
    days = pa.array([now.date()] * rows.height, pa.date32())
    actions = delta.write_days(folder / RECONCILIATIONS.name, RECONCILIATIONS, stored, days)
    delta.commit(table, RECONCILIATIONS, actions, highest_id=last, note={"reconciled": str(rows.height)})
