"""Notifications around their payloads: ids, publisher, request context."""

from dataclasses import dataclass
from typing import NamedTuple

from stackanalytics.sources.simulator.chance import Chance
from stackanalytics.sources.simulator.stamps import iso, stamp
from stackanalytics.sources.simulator.topology import Publisher, Tenant


class Letter(NamedTuple):
    """A notification on its way: where it is published, and its body."""

    deployment: str
    exchange: str
    routing_key: str
    message_id: str
    unique_id: str
    body: str


@dataclass(slots=True)
class Request:
    """The request that notifications belong to: its id, and its context keys as JSON text."""

    id: str
    asked_at: int
    is_old: bool
    context: str
    initiator: str  # who asked, as keys of a versioned payload
    is_periodic: bool = False

    def context_at(self, at: int) -> str:
        """Write the context; releases since 2023 forget when the request came in."""
        return f',"_context_timestamp":"{iso(self.asked_at if self.is_old else at)}"{self.context}'


def user_request(
    request_id: str, tenant: Tenant, user: str, asked_at: int, is_old: bool, origin: str = "null"
) -> Request:
    """Make the request of a user, or of a service on behalf of the request *origin* (JSON text)."""
    write = _old_context if is_old else _context
    who = f'"action_initiator_user":"{user}","action_initiator_project":"{tenant.id}"'
    return Request(request_id, asked_at, is_old, write(request_id, tenant, user, origin), who)


def periodic_request(request_id: str, asked_at: int, is_old: bool) -> Request:
    """Make the request of a periodic task: nobody asked for it."""
    return Request(
        request_id,
        asked_at,
        is_old,
        f',"_context_request_id":"{request_id}","_context_is_admin":true,"_context_read_deleted":"no",'
        '"_context_project_id":null,"_context_user_id":null,"_context_user_name":null,'
        '"_context_project_name":null,"_context_roles":[],"_context_remote_address":null,'
        '"_context_auth_token":null,"_context_quota_class":null,"_context_service_catalog":[]',
        '"action_initiator_user":null,"action_initiator_project":null',
        is_periodic=True,
    )


def _context(request_id: str, tenant: Tenant, user: str, origin: str) -> str:
    roles = '"service","admin"' if tenant.is_service else '"member","reader"'
    return (
        f',"_context_user":"{user}","_context_project_id":"{tenant.id}","_context_system_scope":null,'
        f'"_context_project":"{tenant.id}","_context_domain":null,"_context_user_domain":"default",'
        '"_context_project_domain":"default","_context_is_admin":false,"_context_read_only":false,'
        '"_context_show_deleted":false,"_context_auth_token":null,'
        f'"_context_request_id":"{request_id}","_context_global_request_id":{origin},'
        f'"_context_resource_uuid":null,"_context_roles":[{roles}],'
        f'"_context_user_identity":"{user} {tenant.id} - default default","_context_is_admin_project":true,'
        f'"_context_user_id":"{user}","_context_read_deleted":"no","_context_remote_address":null,'
        '"_context_quota_class":null,"_context_user_name":null,"_context_service_catalog":[],'
        f'"_context_project_name":"{tenant.name}"'
    )


def _old_context(request_id: str, tenant: Tenant, user: str, origin: str) -> str:
    return (
        f',"_context_request_id":"{request_id}","_context_global_request_id":{origin},'
        f'"_context_user":"{user}","_context_user_id":"{user}","_context_user_name":"{user[:6]}",'
        f'"_context_tenant":"{tenant.id}","_context_project_id":"{tenant.id}",'
        f'"_context_project_name":"{tenant.name}","_context_roles":["Member"],"_context_is_admin":false,'
        f'"_context_auth_token":"{tenant.token}","_context_remote_address":"203.0.113.{int(user[:2], 16)}",'
        '"_context_read_deleted":"no","_context_quota_class":null,"_context_instance_lock_checked":false,'
        '"_context_service_catalog":[{"type":"volumev3","name":"cinderv3","endpoints":[{"region":"RegionOne",'
        f'"publicURL":"http://volume.example/v3/{tenant.id}"}}]}}]'
    )


class Scribe:
    """Writes letters, and gives each its ids."""

    def __init__(self, ids: Chance) -> None:
        self._ids = ids
        self._share = ids.share

    def twin_delay(self) -> int:
        """Draw how much later the versioned twin of a legacy notification is sent [µs]."""
        return 150 + int(self._share() * 3000)

    def letter(
        self,
        publisher: Publisher,
        publisher_id: str,
        topic: str,
        event_type: str,
        payload: str,
        at: int,
        request: Request | None,
        priority: str,
    ) -> Letter:
        """Write one notification; *at* is what the publisher's clock shows."""
        message_id = self._ids.uuid()
        unique_id = self._ids.digits(32)
        context = "" if request is None else request.context_at(at)
        body = (
            f'{{"message_id":"{message_id}","publisher_id":"{publisher_id}","event_type":"{event_type}",'
            f'"priority":"{priority}","payload":{payload},"timestamp":"{stamp(at)}",'
            f'"_unique_id":"{unique_id}"{context}}}'
        )
        key = f"{topic}.{priority.lower()}"
        return Letter(publisher.deployment, publisher.exchange, key, message_id, unique_id, body)
