"""What happened to an instance or another thing, or because of a request: its events, and one of them whole."""

from dataclasses import dataclass
from typing import Any

import panel_material_ui as pmui
import param
import polars as pl

import stackanalytics as sa
from dashboards import theme, wording
from dashboards.table import Column, frame_table, places, select_rows
from dashboards.view import View, ask_once
from stackanalytics.lake import Lake

EVENTS = (
    Column("generated_at", "When (UTC)", "moment", width=185),
    Column("event_type", "Event", width=310),
    Column("is_error", "Error", "error", width=65),
    Column("state", "State", width=85),
    Column("task", "Task"),
    Column("host", "Host", width=130),
    Column("instance", "Instance", "link", link="events?instance=", width=290),
    Column("request_id", "Request", "link", link="events?request_id=", width=310),
)
WHICH = ("instance", "request_id", "resource")
DETAILS = (
    *("id", "deployment", "exchange", "routing_key", "publisher_id", "message_id"),
    *("instance", "request_id", "resource", "tenant", "user"),
    *("state", "old_state", "task", "old_task", "status", "message"),
)


@dataclass(frozen=True)
class Answer:
    """What the lake says about events.

    ``told`` are the parameters that say which; ``events`` is None where there are none of these.
    ``chosen`` is the event to show whole, with its body; ``is_missing`` where there is no such one.
    """

    told: tuple[str, ...]
    events: pl.DataFrame | None
    is_missing: bool
    chosen: dict[str, Any] | None


class Events(View):
    """The events of an instance, of a request, of a resource of any kind, or of what is all of these."""

    TITLE = "Events"
    QUESTION = ("instance", "request_id", "resource", "event")

    instance = param.String(None, allow_None=True, doc="uuid of an instance")
    request_id = param.String(None, allow_None=True, doc="id of a request, with its req-")
    resource = param.String(None, allow_None=True, doc="uuid of a thing of any kind")
    event = param.Integer(None, allow_None=True, doc="id of the event to show whole")

    def ask(self, lake: Lake) -> Answer:
        """Ask for the events, and for the chosen one."""
        which = {name: value for name in WHICH if (value := getattr(self, name))}
        columns = ("id", *(column.field for column in EVENTS))
        chosen = None if self.event is None else ask_once(sa.event, lake, id=self.event)
        return Answer(
            told=tuple(which),
            events=ask_once(sa.events, lake, **which, columns=columns) if which else None,
            is_missing=chosen is not None and chosen.is_empty(),
            chosen=None if chosen is None else next(chosen.iter_rows(named=True), None),
        )

    def content(self) -> pmui.Column:
        """Return where to say what is looked for, the events that are found, and the chosen one."""
        return pmui.Column(
            theme.filters(
                theme.text_field(self.param.instance, "Instance"),
                theme.text_field(self.param.request_id, "Request"),
                theme.text_field(self.param.resource, "Resource of any kind"),
            ),
            self.while_waiting(),
            self.where(
                lambda answer: answer.events is None,
                theme.message(
                    "Give the id of an instance, of a request or of a resource, or follow one from the timings."
                ),
            ),
            self.where(_is_empty, theme.message("There are no such events.")),
            self.built_where(_is_found, self._events),
            self.where(lambda answer: answer.is_missing, theme.message("There is no event with this id.")),
            self.where(lambda answer: answer.chosen is not None, self._event()),
            sizing_mode="stretch_width",
        )

    def _events(self) -> pmui.Paper:
        table = frame_table(
            EVENTS,
            self.bound(lambda answer: answer.events),
            hidden=self.bound(lambda answer: answer.told, ()),
            narrowest=60,
            selectable=1,
        )
        table.on_click(self._choose)
        select_rows(table, self.bound(_places, []))
        return theme.section(self.bound(_how_many, ""), table)

    def _choose(self, click: Any) -> None:
        self.event = self.answer.events["id"][click.row]

    def _event(self) -> pmui.Paper:
        return theme.section(
            self.bound(_title, ""), theme.details(self.bound(_details, [])), theme.code(self.bound(_body, ""))
        )


def _how_many(answer: Answer) -> str:
    count = 0 if answer.events is None else answer.events.height
    return f"{wording.count(count)} {'event' if count == 1 else 'events in their order'}"


def _is_empty(answer: Answer) -> bool:
    return answer.events is not None and answer.events.is_empty()


def _is_found(answer: Answer) -> bool:
    return answer.events is not None and not answer.events.is_empty()


def _places(answer: Answer) -> list[int]:
    if answer.events is None or answer.chosen is None:
        return []
    return places(answer.events, "id", answer.chosen["id"])


def _title(answer: Answer) -> str:
    chosen = answer.chosen
    return "" if chosen is None else f"{chosen['event_type']} at {wording.moment(chosen['generated_at'])}"


def _details(answer: Answer) -> list[tuple[str, str]]:
    chosen = answer.chosen or {}
    return [(name, str(chosen[name])) for name in DETAILS if chosen.get(name) is not None]


def _body(answer: Answer) -> str:
    """Return the body, indented, every number and text as it was sent."""
    if answer.chosen is None:
        return ""
    return wording.pretty(answer.chosen["body"])
