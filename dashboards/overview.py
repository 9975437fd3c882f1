"""The front page: what the lake holds, and the ways into it."""

from dataclasses import dataclass
from typing import Any

import panel as pn
import panel_material_ui as pmui
import polars as pl

import stackanalytics as sa
from dashboards import theme, wording
from dashboards.table import Column, frame_table
from dashboards.view import View, ask_once
from stackanalytics.lake import Lake
from stackanalytics.surfaces.route import Surface
from stackanalytics.surfaces.server import SURFACES

DEPLOYMENTS = (
    Column("name", "Deployment"),
    Column("count", "Notifications", "count"),
    Column("last_at", "Last (UTC)", "moment", width=190),
)
EVENT_TYPES = (
    Column("event_type", "Event type", width=350),
    Column("exchange", "Exchange"),
    Column("count", "Notifications", "count"),
)
DASHBOARDS = (
    ("timings", "Timings", "How long operations take: by deployment and period, how they are spread, the slowest."),
    ("events", "Events", "What happened to an instance, or because of a request, and each notification whole."),
    ("verification", "Verification", "Whether usage records agree with launches and deletes, and why some do not."),
    ("reports", "Reports", "The stored reports: as picture and table, and as files to download."),
    (
        "metering",
        "Meters",
        "What was measured: statistics of a meter over time, by project or anything else, as files too.",
    ),
)
EXAMPLES = (
    "/healthz",
    "/stacky/deployments/",
    "/stacky/summary/",
    "/stacky/timings/?name=compute.instance.create",
    "/stacky/search/?field=event_type&value=compute.instance.create.end&limit=5",
)


@dataclass(frozen=True)
class Answer:
    """What the lake holds."""

    info: pl.DataFrame
    deployments: pl.DataFrame
    event_types: pl.DataFrame

    def of(self, table: str) -> dict[str, Any]:
        """Return what there is to know about a table."""
        return self.info.filter(pl.col("table") == table).row(0, named=True)


class Overview(View):
    """What the lake holds; it follows what is landed."""

    TITLE = "Overview"
    LOOK_AGAIN_MS = 2000

    def ask(self, lake: Lake) -> Answer:
        """Ask what there is."""
        return Answer(
            info=lake.info(),
            deployments=ask_once(sa.deployments, lake),
            event_types=ask_once(sa.event_types, lake).sort("count", descending=True, maintain_order=True),
        )

    def content(self) -> pmui.Column:
        """Return what there is, the dashboards, and the JSON endpoints."""
        return pmui.Column(
            self.while_waiting(),
            self.where(lambda answer: True, theme.section("The lake", theme.figures(self.bound(_figures, [])))),
            theme.cards(DASHBOARDS),
            self.where(
                lambda answer: answer.event_types.is_empty(),
                theme.message("Nothing has landed yet. Begin with: stackanalytics land PATH… --lake DIR"),
            ),
            self.built_where(lambda answer: not answer.event_types.is_empty(), self._tables),
            theme.section("JSON for scripts", theme.code(_examples(_base())), *map(_routes, SURFACES)),
            sizing_mode="stretch_width",
        )

    def _tables(self) -> pmui.Grid:
        return theme.side_by_side(
            theme.section("Deployments", frame_table(DEPLOYMENTS, self.bound(lambda answer: answer.deployments))),
            theme.section("Event types", frame_table(EVENT_TYPES, self.bound(lambda answer: answer.event_types))),
        )


def _figures(answer: Answer) -> list[tuple[str, str]]:
    notifications, letters = answer.of("notifications"), answer.of("dead_letters")
    days = [str(notifications[name]) for name in ("first_date", "last_date") if notifications[name]]
    return [
        ("Notifications", wording.count(notifications["rows"])),
        ("Deployments", wording.count(answer.deployments.height)),
        ("Days (UTC)", " – ".join(dict.fromkeys(days)) or wording.NOTHING),
        ("Dead letters", wording.count(letters["rows"])),
        ("On disk", wording.size(notifications["bytes"] + letters["bytes"])),
    ]


def _base() -> str:
    location = pn.state.location
    return (
        f"{location.protocol}//{location.hostname}:{location.port}"
        if location and location.hostname
        else "http://127.0.0.1:8000"
    )


def _examples(base: str) -> str:
    return "\n".join(f"curl '{base}{path}'" for path in EXAMPLES)


def _routes(surface: Surface) -> pn.pane.HTML:
    return theme.links([(route.path, route.about) for route in surface.routes if route.method == "GET"])
