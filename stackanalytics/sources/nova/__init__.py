"""What nova itself says about instances: from a snapshot, from its database, or from a live cloud.

Each source is asked for the instances that are wanted and gives one frame, a row an instance that
it knows, with the columns :data:`stackanalytics.schema.NOVA_FIELDS`.
"""

from stackanalytics.sources.nova.cloud import Cloud
from stackanalytics.sources.nova.database import Database
from stackanalytics.sources.nova.snapshot import Snapshot
from stackanalytics.sources.nova.source import Source

__all__ = ["Cloud", "Database", "Snapshot", "Source"]
