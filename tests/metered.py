"""Lakes with samples as tests want them: of a service that tells nothing but what was measured."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import stackanalytics as sa
from stackanalytics.testing import lake_of, notification

DEFINITIONS = """
[[notifications]]
event_types = ["test.sample"]
resource = "$.payload.resource_id"
project = "$.payload.project_id"
user = "$.payload.user_id"
metadata = { size = "$.payload.size", name = "$.payload.name", flags = "$.payload.flags", nested = "$.payload.nested" }
[[notifications.meters]]
name = "{$.payload.meter}"
type = "{$.payload.type}"
unit = "{$.payload.unit}"
volume = "$.payload.volume"
"""


def metered_lake(folder: Path, samples: Iterable[Mapping[str, object]]) -> sa.Lake:
    """Return a lake with these samples: ``at``, ``meter``, ``volume``, ``resource_id`` …, by default gauges."""
    messages = []
    for number, sample in enumerate(samples):
        told = {"type": "gauge", "unit": "unit", "resource_id": "r", "project_id": "p", "user_id": "u", **sample}
        at = str(told.pop("at"))
        messages.append(notification("test.sample", at, payload=told, message_id=f"{number}-{json.dumps(told)}"))
    lake_of(folder, messages).close()
    (folder / "meters.toml").write_text(DEFINITIONS)
    return sa.open_lake(folder)
