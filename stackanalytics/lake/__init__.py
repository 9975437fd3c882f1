"""The lake: Delta tables that hold, DuckDB that reads them, and the state beside them."""

from stackanalytics.lake.compaction import KEEP_HOURS, Compacted, compact
from stackanalytics.lake.reconciling import append_reconciliations
from stackanalytics.lake.snapshot import Lake, open_lake
from stackanalytics.lake.verifying import Verification, verification_under_way, verifying
from stackanalytics.lake.writing import DeadLetter, Landed, Notifications, Writer, create_lake

__all__ = [
    "KEEP_HOURS",
    "Compacted",
    "DeadLetter",
    "Lake",
    "Landed",
    "Notifications",
    "Verification",
    "Writer",
    "append_reconciliations",
    "compact",
    "create_lake",
    "open_lake",
    "verification_under_way",
    "verifying",
]
