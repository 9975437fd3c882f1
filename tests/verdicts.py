"""Verdicts on exists records, kept as a verification keeps them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from stackanalytics.lake import Lake, open_lake
from stackanalytics.lake.verifying import verifying
from stackanalytics.schema import VERIFICATIONS, polars_schema

DUE_AT = datetime(2026, 3, 4, tzinfo=UTC)


def with_verdicts(folder: Path, verdicts: Mapping[int, str | None], *, service: str = "nova") -> Lake:
    """Keep verdicts by the ids of records, null for none, and open the lake; later ones count."""
    rows = [
        {
            "service": service,
            "exists_id": id,
            "verdict": verdict,
            "reason_kind": "no_launch_time" if verdict == "failed" else None,
        }
        for id, verdict in verdicts.items()
        if verdict is not None
    ]
    with verifying(folder, service, rules="of a test", due_at=DUE_AT) as under_way:
        under_way.keep(pl.DataFrame(rows, polars_schema(*VERIFICATIONS.fields)))
    return open_lake(folder)


def all_verified(folder: Path) -> Lake:
    """Keep that every record of nova is verified, and open the lake."""
    with open_lake(folder) as lake:
        ids = lake.sql("select id from exists order by id")["id"].to_list()
    return with_verdicts(folder, dict.fromkeys(ids, "verified"))
