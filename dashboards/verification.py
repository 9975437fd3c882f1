"""Usage records and what verification says of them: by day, the failures, and one of them closely."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import holoviews as hv
import holoviews.plotting.bokeh  # what plots are drawn with
import panel as pn
import panel_material_ui as pmui
import param
import polars as pl

import stackanalytics as sa
from dashboards import theme, wording
from dashboards.table import Column, frame_table, places, select_rows
from dashboards.view import View, ask_once
from stackanalytics import times
from stackanalytics.analytics.exists_state import exists_totals
from stackanalytics.lake import Lake

HEIGHT = 300
SERVICES = ("nova", "glance")
STATUSES = MappingProxyType(
    {
        "verified": "#5fae73",
        "reconciled": "#4fb0b5",
        "failed": "#c8577a",
        "sent_failed": "#a03a5c",
        "pending": "#b9b9b9",
        "verifying": "#8d7cc9",
        "sent_unverified": "#e0b13c",
        "sent_verifying": "#b59f3b",
    }
)
REASONS = (
    Column("reason_kind", "Reason"),
    Column("reason_field", "Field", width=190),
    Column("reason_entity", "Compared with", width=140),
    Column("count", "Records", "count", width=90),
)
CELLS = (Column("deployment", "Cell"), Column("count", "Records", "count", width=90))
HOSTS = (Column("deployment", "Cell"), Column("host", "Compute"), Column("count", "Records", "count", width=90))
FAILURES = (
    Column("exists_id", "#", width=90),
    Column("audit_period_beginning", "Period from (UTC)", "moment", width=185),
    Column("resource", "Instance or image", "link", link="events?instance=", width=290),
    Column("reason_kind", "Reason", width=105),
    Column("reason_field", "Field", width=150),
    Column("reason_exists_value", "Record says", width=150),
    Column("reason_other_value", "Other says", width=150),
    Column("deployment", "Cell", width=130),
    Column("host", "Compute", width=130),
)
COMPARED = MappingProxyType(
    {
        "nova": (
            *("launched_at", "deleted_at", "instance_type_id", "instance_flavor_id", "tenant"),
            *("rax_options", "os_architecture", "os_distro", "os_version", "request_id", "deployment", "host"),
        ),
        "glance": ("created_at", "deleted_at", "tenant", "size", "deployment", "host"),
    }
)


@dataclass(frozen=True)
class Answer:
    """The records by day and state, the failures, and the chosen record beside what it could be about."""

    deployments: pl.DataFrame
    days: pl.DataFrame
    reasons: pl.DataFrame
    senders: pl.DataFrame
    hosts: pl.DataFrame
    failures: pl.DataFrame
    chosen: Mapping[str, Any] | None
    beside: Mapping[str, Mapping[str, Any]]
    bodies: Mapping[str, str]


class Verification(View):
    """What verification says of usage records."""

    TITLE = "Verification"
    QUESTION = ("service", "deployment", "start", "end", "record")
    LOOK_AGAIN_MS = 10_000

    service = param.String("nova", doc="whose records: nova's or glance's")
    deployment = param.String(None, allow_None=True, doc="only of this deployment; None for all")
    start = param.Date(None, doc="only of audit periods that begin at this time or later, naive in UTC")
    end = param.Date(None, doc="only of audit periods that begin before this time, naive in UTC")
    record = param.Integer(None, allow_None=True, doc="id of the failed record to look at closely")

    def state_of(self, lake: Lake) -> object:
        """Return the state of confirmations and repairs, which the states of records depend on."""
        if self._state is None:
            self._state = lake.state.watch()
        return self._state()

    _state: Any = None

    def ask(self, lake: Lake) -> Answer:
        """Ask for days, failures, and the chosen record."""
        which: dict[str, Any] = {
            "service": self.service,
            "deployment": self.deployment or None,
            "start": _aware(self.start),
            "end": _aware(self.end),
        }
        failures = sa.exists_failures(lake, **which)
        chosen = next(failures.filter(exists_id=self.record).iter_rows(named=True), None) if self.record else None
        beside = {} if chosen is None else _beside(lake, self.service, chosen)
        return Answer(
            deployments=ask_once(sa.deployments, lake),
            days=sa.exists_days(lake, **which),
            reasons=sa.exists_failure_counts(lake, by="reason", **which),
            senders=sa.exists_failure_counts(lake, by="deployment", **which),
            hosts=sa.exists_failure_counts(lake, by="host", **which),
            failures=failures,
            chosen=chosen,
            beside=beside,
            bodies={name: sa.event(lake, _notification(row))["body"].item() for name, row in beside.items()},
        )

    def content(self) -> pmui.Column:
        """Return filters, days, failures, and the chosen record."""
        return pmui.Column(
            theme.filters(
                self.select("service", "Service", None, lambda answer: SERVICES, width=120),
                self.select("deployment", "Deployment", "All", lambda answer: answer.deployments["name"], width=180),
                theme.instant_picker(self.param.start, "Period from (UTC)"),
                theme.instant_picker(self.param.end, "Period before (UTC)"),
            ),
            self.while_waiting(),
            self.where(
                lambda answer: answer.days.is_empty(), theme.message("There are no usage records of this period.")
            ),
            self.where(lambda answer: not answer.days.is_empty(), self._days()),
            self.where(_is_unverified, theme.message("None is verified yet: stackanalytics verify --lake DIR does.")),
            self.built_where(lambda answer: not answer.failures.is_empty(), self._counts),
            self.built_where(lambda answer: not answer.failures.is_empty(), self._failures),
            self.where(lambda answer: answer.chosen is not None, self._closely()),
            sizing_mode="stretch_width",
        )

    def _days(self) -> pmui.Paper:
        plot = hv.DynamicMap(pn.bind(_bars, self.param.answer))
        return theme.section(
            "Records by the day of their audit period",
            theme.figures(self.bound(_figures, [])),
            theme.plot(plot, HEIGHT),
        )

    def _counts(self) -> pmui.Grid:
        return theme.side_by_side(
            pmui.Column(
                theme.section("Failures by reason", frame_table(REASONS, self.bound(lambda answer: answer.reasons))),
                theme.section("Failures by cell", frame_table(CELLS, self.bound(lambda answer: answer.senders))),
                sizing_mode="stretch_width",
            ),
            theme.section("Failures by compute host", frame_table(HOSTS, self.bound(lambda answer: answer.hosts))),
        )

    def _failures(self) -> pmui.Paper:
        table = frame_table(FAILURES, self.bound(lambda answer: answer.failures), narrowest=60, selectable=1)
        table.on_click(self._choose)
        select_rows(table, self.bound(_places, []))
        return theme.section("Failures", table)

    def _choose(self, click: Any) -> None:
        self.record = self.answer.failures["exists_id"][click.row]

    def _closely(self) -> pmui.Paper:
        return theme.section(
            self.bound(_title, ""),
            theme.paragraph(self.bound(_reason, "")),
            theme.comparison(self.bound(_compared, [])),
            theme.link_line("Notifications:", self.bound(_notifications, [])),
            theme.side_by_side(theme.code(self.bound(_record, "")), theme.code(self.bound(_others, ""))),
        )


def _aware(instant: Any) -> datetime | None:
    return None if instant is None else instant.replace(tzinfo=UTC)


def _beside(lake: Lake, service: str, failure: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the record, and all launches and deletes of the same thing, by what they are called."""
    resource, number = failure["resource"], failure["exists_id"]
    record = sa.exists_states(lake, service=service, id=number).rows(named=True)
    if service == "nova":
        launches, deletes = sa.launches(lake, instance=resource), sa.deletes(lake, instance=resource)
    else:
        launches, deletes = sa.images(lake, image=resource), sa.image_deletes(lake, image=resource)
    parts = (("Exists", record), ("Launch", launches.rows(named=True)), ("Delete", deletes.rows(named=True)))
    return {f"{name} {row['id']}": row for name, rows in parts for row in rows}


def _is_unverified(answer: Answer) -> bool:
    return not answer.days.is_empty() and set(answer.days["status"]) <= {"pending", "sent_unverified"}


def _figures(answer: Answer) -> list[tuple[str, str]]:
    totals = dict(exists_totals(answer.days).iter_rows())
    return [(status.replace("_", " "), wording.count(totals[status])) for status in STATUSES if status in totals]


def _bars(answer: Answer | None) -> hv.Bars:
    days = [] if answer is None else [(str(day), status, count) for day, status, count in answer.days.iter_rows()]
    # without any bar there is nothing that could be stacked
    return hv.Bars(days or [("", "verified", 0)], ["date", "status"], "count").opts(
        stacked=True,
        color="status",
        cmap=dict(STATUSES),
        line_color=None,
        framewise=True,
        xlabel="",
        ylabel="Records",
        xrotation=45 if len({day for day, *_ in days}) > 10 else 0,
        legend_position="right",
        backend_opts={"plot.outline_line_color": None},
        hover_tooltips=["date", "status", "count"],
        responsive=True,
        height=HEIGHT,
        toolbar=None,
        default_tools=["hover"],
    )


def _places(answer: Answer) -> list[int]:
    return [] if answer.chosen is None else places(answer.failures, "exists_id", answer.chosen["exists_id"])


def _title(answer: Answer) -> str:
    return "" if answer.chosen is None else f"Record {answer.chosen['exists_id']} beside what it could be about"


def _reason(answer: Answer) -> str:
    return "" if answer.chosen is None else str(answer.chosen["fail_reason"])


def _compared(answer: Answer) -> list[list[tuple[str, bool]]]:
    """Return a table of texts, its header first, each with whether it differs from what the record says."""
    if not answer.beside:
        return []
    rows = list(answer.beside.values())
    service = "glance" if "size" in rows[0] else "nova"
    table = [[("", False), *((name, False) for name in answer.beside)]]
    for field in COMPARED[service]:
        told = [row.get(field, _NOT_TOLD) for row in rows]
        cells = [(_text(value), _differ(told[0], value)) for value in told]
        table.append([(field, False), *cells])
    return table


def _notifications(answer: Answer) -> list[tuple[str, str]]:
    return [(f"events?event={_notification(row)}", name) for name, row in answer.beside.items()]


def _notification(row: Mapping[str, Any]) -> int:
    """Return the id of the notification behind a record; those of images share one."""
    number: int = row.get("notification_id", row["id"])
    return number


def _record(answer: Answer) -> str:
    """Return the notification of the chosen record."""
    return "\n".join(f"{name}\n{wording.pretty(body)}" for name, body in list(answer.bodies.items())[:1])


def _others(answer: Answer) -> str:
    """Return the notifications that it could be about, one below the other."""
    return "\n\n".join(f"{name}\n{wording.pretty(body)}" for name, body in list(answer.bodies.items())[1:])


_NOT_TOLD = object()


def _differ(record: object, other: object) -> bool:
    """Tell whether two values differ as verification sees it: instants in one second are equal."""
    if _NOT_TOLD in (record, other):
        return False
    if isinstance(record, datetime) and isinstance(other, datetime):
        return record.replace(microsecond=0) != other.replace(microsecond=0)
    return record != other


def _text(value: object) -> str:
    if value is _NOT_TOLD:
        return ""
    if isinstance(value, datetime):
        return times.show(value)
    return wording.NOTHING if value is None else str(value)
