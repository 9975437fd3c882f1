"""The kinds of records that billing systems read, by StackTach's names."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

from stackanalytics.analytics.usage_record import Noun

ServiceName: TypeAlias = Literal["nova", "glance"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of records: its fields by StackTach's names, the names around lists and single ones, its order."""

    noun: Noun
    fields: Mapping[str, str]
    many: str
    one: str
    order_by: str
    service: ServiceName | None = None

    @property
    def askable(self) -> Mapping[str, str]:
        """The columns that can be asked for and ordered by, by name: deployment and host, which are not shown, too."""
        found_later = ("launch_id", "delete_id", "fail_reason")
        shown = {name: column for name, column in self.fields.items() if column not in found_later}
        return {**shown, "deployment": "deployment", "host": "host"}


def _fields(names: str, **renamed: str) -> Mapping[str, str]:
    return MappingProxyType({**{name: name for name in names.split()}, **renamed})


_FLAVOR_AND_METADATA = "instance_type_id instance_flavor_id tenant os_architecture os_distro os_version rax_options"
_EXISTS = "id message_id deleted_at audit_period_beginning audit_period_ending status fail_reason send_status event_id"
_LINKS = {"usage": "launch_id", "delete": "delete_id", "received": "received_at"}

LAUNCHES = Kind(
    "launches",
    _fields(f"id instance request_id launched_at {_FLAVOR_AND_METADATA}"),
    "launches",
    "launch",
    "launched_at",
)
DELETES = Kind("deletes", _fields("id instance launched_at deleted_at", raw="id"), "deletes", "delete", "launched_at")
EXISTS = Kind(
    "exists",
    _fields(f"{_EXISTS} instance launched_at {_FLAVOR_AND_METADATA} bandwidth_public_out", raw="id", **_LINKS),
    "exists",
    "exist",
    "id",
    "nova",
)
IMAGES = Kind(
    "images",
    _fields("id created_at size", uuid="image", owner="tenant", last_raw="id"),
    "images",
    "launch",  # so it is called in StackTach
    "created_at",
)
IMAGE_DELETES = Kind(
    "image_deletes", _fields("id deleted_at", uuid="image", raw="id"), "deletes", "delete", "deleted_at"
)
IMAGE_EXISTS = Kind(
    "image_exists",
    _fields(f"{_EXISTS} created_at size", uuid="image", owner="tenant", raw="notification_id", **_LINKS),
    "exists",
    "exist",
    "id",
    "glance",
)
