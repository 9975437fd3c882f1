"""Events in Ceilometer's API v2: notifications by their type, time and traits.

Source: the behaviour of Ceilometer 7.0.0.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

import polars as pl

from stackanalytics import times
from stackanalytics.analytics import event
from stackanalytics.analytics.meter_query import OPERATORS
from stackanalytics.analytics.trait import (
    TraitCondition,
    event_traits,
    trait_types,
    trait_value_count,
    trait_values,
    traited_event_count,
    traited_events,
)
from stackanalytics.analytics.trait_definition import Kind
from stackanalytics.errors import InputError, NotFoundError
from stackanalytics.lake import Lake
from stackanalytics.surfaces.encoding import YEARS
from stackanalytics.surfaces.metering_error import invalid_input
from stackanalytics.surfaces.metering_identity import Identity, forbidden, identity
from stackanalytics.surfaces.metering_page import PAGE, page, selected, total
from stackanalytics.surfaces.metering_query import HIGHEST_LIMIT, NOTHING, Form, Structure, arguments
from stackanalytics.surfaces.metering_row import Row, iso
from stackanalytics.surfaces.route import Request

EVENT_FIELDS = ("message_id", "event_type", "generated", "traits", "raw")
TRAIT_FIELDS = ("name", "type", "value")
KINDS: Mapping[str, Kind] = {"string": "string", "integer": "integer", "float": "float", "datetime": "datetime"}
# what is not a trait, and the one operator that each has
RESERVED = {"event_type": "eq", "message_id": "eq", "start_timestamp": "ge", "end_timestamp": "le"}

_HIGHEST_NUMBER = 2**63 - 1

EVENTS = Form(PAGE, structures=("q",))
TRAITS = Form(PAGE)


def event_types(lake: Lake, request: Request, now: datetime) -> object:
    """The types of events that there are."""
    identity(request).needs_admin(HTTPStatus.UNAUTHORIZED)
    arguments(request, NOTHING)
    return event.event_types(lake)["event_type"].unique().sort().to_list()


def event_type(lake: Lake, request: Request, now: datetime) -> object:
    """Nothing: a type of events is no more than its name."""
    said = request.parts["event_type"]
    raise NotFoundError(f"Event type {said} Not Found: /v2/event_types/{said}/traits has its traits")


def traits(lake: Lake, request: Request, now: datetime) -> object:
    """The traits that the events of a type have, with their types."""
    identity(request).needs_admin(HTTPStatus.UNAUTHORIZED)
    fields = arguments(request, Form()).selected(TRAIT_FIELDS[:2])
    found = trait_types(lake, event_type=request.parts["event_type"])
    return selected(found.rename({"trait": "name", "trait_type": "type"}).to_dicts(), fields)


def trait(lake: Lake, request: Request, now: datetime) -> object:
    """What a trait is in the events of a type, in their order."""
    identity(request).needs_admin(HTTPStatus.UNAUTHORIZED)
    asked = arguments(request, TRAITS)
    fields = asked.selected(TRAIT_FIELDS)
    limit, offset = asked.page(default=HIGHEST_LIMIT)
    kind, name = request.parts["event_type"], request.parts["trait"]
    found = trait_values(lake, event_type=kind, trait=name, limit=limit + 1, offset=offset)
    count = total((limit, offset), found.height, lambda: trait_value_count(lake, event_type=kind, trait=name))
    return page(request, _traits(found.head(limit)), fields, (limit, offset), count)


def events(lake: Lake, request: Request, now: datetime) -> object:
    """The events with their traits, the oldest first."""
    asked = arguments(request, EVENTS)
    fields = asked.selected(EVENT_FIELDS)
    restricted = _restrictions(asked.structures["q"], identity(request))
    limit, offset = asked.page()
    found = traited_events(lake, **restricted, limit=limit + 1, offset=offset)
    count = total((limit, offset), found.height, lambda: traited_event_count(lake, **restricted))
    return page(request, _events(lake, found.head(limit), "traits" in fields), fields, (limit, offset), count)


def one_event(lake: Lake, request: Request, now: datetime) -> object:
    """One event by its id, with its traits."""
    fields = arguments(request, Form()).selected(EVENT_FIELDS)
    message_id = request.parts["message_id"]
    found = traited_events(lake, message_id=message_id, traits=_visible(identity(request)), limit=1)
    for row in selected(_events(lake, found, True), fields):
        return row
    raise NotFoundError(f"Event {message_id} Not Found: /v2/events lists them")


def _events(lake: Lake, found: pl.DataFrame, has_traits: bool) -> list[Row]:
    told: dict[int, list[Row]] = {}
    if has_traits and found.height:
        start, last = found["generated_at"][0], found["generated_at"][-1]
        known = event_traits(lake, ids=found["id"].to_list(), start=start, end=times.just_after(last))
        for id, row in zip(known["id"], _traits(known), strict=True):
            told.setdefault(id, []).append(row)
    shown = found.select("id", "message_id", "event_type", iso("generated_at").alias("generated"))
    return [{**row, "traits": told.get(row["id"], []), "raw": {}} for row in shown.to_dicts()]


def _traits(found: pl.DataFrame) -> list[Row]:
    return found.select(name="trait", type="trait_type", value="value").to_dicts()


def _visible(who: Identity) -> list[TraitCondition]:
    """Return what the traits of events must be that somebody may see."""
    if who.is_admin:
        return [TraitCondition("project_id", "eq", who.project, or_absent=True)] if who.project else []
    if not who.user:
        raise forbidden("X-Roles has no admin, and X-User-Id is missing")
    return [TraitCondition("project_id", "eq", who.own_project()), TraitCondition("user_id", "eq", who.user)]


def _restrictions(asked: Sequence[Structure], who: Identity) -> dict[str, Any]:
    """Return what events are asked for."""
    wanted: dict[str, Any] = {"traits": _visible(who)}
    for entry in asked:
        field, op = str(entry["field"]), str(entry.get("op", ""))
        if op and op not in OPERATORS:
            raise invalid_input("op", op, f"Operator {op} is not supported. The supported operators are: {_ORDER}")
        if field not in RESERVED:
            wanted["traits"].append(_condition(field, op or "eq", entry))
            continue
        needed = RESERVED[field]
        if op != needed and (op or needed != "eq"):
            raise invalid_input("op", op, f"Only `{needed}' operator is available for field {field}")
        match field:
            case "start_timestamp":
                wanted["start"] = _instant(field, entry["value"])
            case "end_timestamp":
                wanted["end"] = _instant(field, entry["value"]) + times.MICROSECOND
            case _:
                wanted[field] = str(entry["value"])
    return wanted


_ORDER = ("lt", "le", "eq", "ne", "ge", "gt")


def _condition(field: str, op: str, entry: Structure) -> TraitCondition:
    said, kind = entry["value"], str(entry.get("type", "")) or "string"
    if kind not in KINDS:
        raise InputError(f"The data type {kind} is not supported. The supported data type list is: {list(KINDS)}")
    return TraitCondition(field, op, _value(field, said, kind), KINDS[kind])


def _value(field: str, said: object, kind: str) -> str | int | float | datetime:
    try:
        match kind:
            case "integer":
                number = int(str(said))
                if abs(number) > _HIGHEST_NUMBER:
                    raise ValueError(said)
                return number
            case "float":
                return float(str(said))
            case "datetime":
                return _instant(field, said)
            case _:
                return str(said)
    except ValueError:
        raise InputError(f"Unable to convert the value {said} of {field} to the expected data type {kind}.") from None


def _instant(field: str, said: object) -> datetime:
    try:
        moment = times.instant(str(said))
    except InputError as problem:
        raise invalid_input(field, said, f"invalid timestamp format: {problem}") from None
    if moment.year not in YEARS:
        raise invalid_input(field, said, f"give a year from {YEARS[0]} to {YEARS[-1]}")
    return moment
