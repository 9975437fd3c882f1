"""Who asks Ceilometer's API v2, as the headers say that a proxy in front of it sets, and what they may see.

Source: the behaviour of Ceilometer 7.0.0; but who has no such headers is the one person whose server it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from stackanalytics.analytics.meter_query import FIELD_COLUMNS, Condition
from stackanalytics.surfaces.route import RefusedError, Request

HEADERS = ("X-Roles", "X-User-Id", "X-Project-Id")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks; an admin sees everything, others what is of their project."""

    is_admin: bool
    user: str | None
    project: str | None

    def scoped(self, asked: Sequence[Condition]) -> list[Condition]:
        """Return conditions with what may be seen.

        Raises
        ------
        RefusedError
            If they ask for another project.
        """
        if self.is_admin:
            return list(asked)
        project = self.own_project()
        for condition in asked:
            if is_of_project(condition) and condition.value not in ("", project):
                raise not_authorized(condition.value)
        # what is not asked for equality is refused further on
        others = [condition for condition in asked if not is_of_project(condition) or condition.op != "eq"]
        return [*others, Condition("project_id", "eq", project)]

    def own_project(self) -> str:
        """Return the project of who is no admin."""
        if not self.project:
            raise forbidden("X-Roles has no admin, and X-Project-Id is missing")
        return self.project

    def needs_admin(self, status: HTTPStatus) -> None:
        """Refuse who is none."""
        if not self.is_admin:
            raise RefusedError(status, "RBAC Authorization Failed: X-Roles has no admin")


def identity(request: Request) -> Identity:
    """Return who asks, as the headers say."""
    roles, user, project = (request.header(name) for name in HEADERS)
    is_admin = "admin" in [role.strip().lower() for role in (roles or "").split(",")]
    return Identity(is_admin or roles is user is project is None, user, project)


def is_of_project(condition: Condition) -> bool:
    """Tell whether a condition is about the project."""
    return FIELD_COLUMNS.get(condition.field) == "tenant"


def not_authorized(project: object) -> RefusedError:
    """Return the refusal of another project."""
    return RefusedError(HTTPStatus.UNAUTHORIZED, f"Not Authorized to access project {project}")


def forbidden(why: str) -> RefusedError:
    """Return the refusal of a role that may not do something."""
    return RefusedError(HTTPStatus.FORBIDDEN, f"RBAC Authorization Failed: {why}")
