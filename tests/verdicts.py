"""Verdicts on exists records, as a verification stores them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from stackanalytics.lake import Lake, delta, open_lake
from stackanalytics.schema import VERIFICATIONS

VERIFIED_AT = datetime(2026, 3, 4, tzinfo=UTC)


def with_verdicts(folder: Path, verdicts: Mapping[int, str | None], *, service: str = "nova") -> Lake:
    """Store verdicts by the ids of records, null for none, and open the lake; later ones count."""
    given = {id: verdict for id, verdict in verdicts.items() if verdict is not None}
    delta.create(folder, VERIFICATIONS)
    table = delta.open_table(folder, VERIFICATIONS)
    first = delta.last_id(table) + 1
    rows = [
        {
            "sequence": sequence,
            "service": service,
            "exists_id": id,
            "verdict": verdict,
            "reason_kind": "no_launch_time" if verdict == "failed" else None,
            "verified_at": VERIFIED_AT,
        }
        for sequence, (id, verdict) in enumerate(given.items(), first)
    ]
    stored = pa.Table.from_pylist(rows, delta.arrow_schema(VERIFICATIONS))
    days = pa.array([VERIFIED_AT.date()] * len(rows), pa.date32())
    actions = delta.write_days(folder / VERIFICATIONS.name, VERIFICATIONS, stored, days)
    delta.commit(table, VERIFICATIONS, actions, highest_id=first - 1 + len(rows), note={})
    return open_lake(folder)


def all_verified(folder: Path) -> Lake:
    """Store that every record of nova is verified, and open the lake."""
    with open_lake(folder) as lake:
        ids = lake.sql("select id from exists order by id")["id"].to_list()
    return with_verdicts(folder, dict.fromkeys(ids, "verified"))
