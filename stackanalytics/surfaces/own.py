"""What a server tells of itself: that it is alive, and what can be asked."""

from collections.abc import Sequence
from datetime import datetime

from stackanalytics.lake import Lake
from stackanalytics.surfaces.description import object_schema
from stackanalytics.surfaces.encoding import ERROR_TABLE, error_table
from stackanalytics.surfaces.openapi import PATH, document
from stackanalytics.surfaces.route import Request, Route, Surface, first_sentence

_HEALTH = object_schema(
    {
        "status": {"const": "ok"},
        "version": {
            "type": "object",
            "description": "version of each table of the lake",
            "additionalProperties": {"type": "integer", "minimum": 0},
        },
    },
    title="Health",
)


def own_surface(surfaces: Sequence[Surface]) -> Surface:
    """Return the routes of a server itself, which describe those of its surfaces and their own."""

    def openapi(lake: Lake, request: Request, now: datetime) -> object:
        """All of this, in the terms of OpenAPI 3.1."""
        return document((*surfaces, own))

    own = Surface(
        prefix="",
        routes=(
            Route(
                "/healthz",
                health,
                first_sentence(health),
                returns=_HEALTH,
                example={"status": "ok", "version": {"notifications": 41, "dead_letters": 0}},
            ),
            Route(
                PATH,
                openapi,
                first_sentence(openapi),
                returns={"type": "object", "required": ["openapi", "info", "paths"]},
            ),
        ),
        wording=error_table,
        errors=ERROR_TABLE,
        about="The server itself.",
        name="server",
    )
    return own


def health(lake: Lake, request: Request, now: datetime) -> object:
    """Whether the server is alive, and the version of the lake."""
    return {"status": "ok", "version": lake.tables}
