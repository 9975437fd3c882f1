"""What StackTach calls services and columns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Service:
    """What ``service=`` stands for: some exchanges, and how their events are shown.

    ``uuid`` is the column with the uuid that events are looked up by; ``own`` are the columns,
    by header, that only events of this service have.
    """

    exchange: str | None
    not_exchange: tuple[str, ...] | None
    uuid: str
    own: Mapping[str, str] = field(hash=False)

    def has(self, exchange: str) -> bool:
        """Tell whether events of an exchange are of this service."""
        if self.not_exchange is not None:
            return exchange not in self.not_exchange
        return exchange == self.exchange


SERVICES = MappingProxyType(
    {
        "nova": Service("nova", None, "instance", {"State": "state", "State'": "old_state", "Task'": "old_task"}),
        "glance": Service("glance", None, "resource", {"Status": "status"}),
        "generic": Service(None, ("nova", "glance"), "instance", {"Instance": "instance", "Request id": "request_id"}),
    }
)

# what StackTach calls the columns that have another name here
LEGACY_FIELDS = MappingProxyType(
    {
        "deployment__name": "deployment",
        "event": "event_type",
        "json": "body",
        "owner": "tenant",
        "publisher": "publisher_id",
        "when": "generated_at",
    }
)
