"""The lake: Delta tables that hold, DuckDB that reads them, and the state beside them."""

from stackanalytics.lake.compaction import KEEP_HOURS, Compacted, compact
from stackanalytics.lake.deriving import Derived, derive
from stackanalytics.lake.reconciling import append_reconciliations
from stackanalytics.lake.sample_writing import LandedSamples, SampleWriter
from stackanalytics.lake.snapshot import Lake, open_lake
from stackanalytics.lake.verifying import Verification, verification_under_way, verifying
from stackanalytics.lake.writing import DeadLetter, Landed, Notifications, Writer, create_lake

__all__ = [
    "KEEP_HOURS",
    "Compacted",
    "DeadLetter",
    "Derived",
    "Lake",
    "Landed",
    "LandedSamples",
    "Notifications",
    "SampleWriter",
    "Verification",
    "Writer",
    "append_reconciliations",
    "compact",
    "create_lake",
    "derive",
    "open_lake",
    "verification_under_way",
    "verifying",
]
