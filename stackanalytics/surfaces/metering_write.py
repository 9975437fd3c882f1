"""What Ceilometer's API v2 writes: samples, what a meter is, and that it is not shown any more.

Source: Ceilometer's blueprint of API v2, and the behaviour of Ceilometer 7.0.0.
"""

import json
import math
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from stackanalytics import times
from stackanalytics.analytics import meter
from stackanalytics.errors import InputError, NotFoundError
from stackanalytics.lake import Lake, SampleWriter
from stackanalytics.lake.meter_state import Override
from stackanalytics.landing.sample import TYPES, sample_rows
from stackanalytics.surfaces import metering_row
from stackanalytics.surfaces.encoding import YEARS
from stackanalytics.surfaces.metering_error import invalid_input, unknown_argument
from stackanalytics.surfaces.metering_identity import Identity, identity
from stackanalytics.surfaces.metering_query import NOTHING, Form, arguments, json_body
from stackanalytics.surfaces.route import Reply, Request

MANDATORY = ("counter_name", "counter_type", "counter_unit", "counter_volume", "resource_id")
MEMBERS = (*MANDATORY, "user_id", "project_id", "timestamp", "source", "resource_metadata")
DEEPEST = 100
DEFINITION = {"unit": "unit", "type": "meter_type", "description": "description"}
POSTING = Form(("direct",), lists=())


def post_samples(lake: Lake, request: Request, now: datetime) -> object:
    """Take samples of one meter, and show them completed; they are stored at once."""
    told = _posted(request)
    if not isinstance(told, list):
        raise invalid_input("body", "…", "unable to convert to ArrayType: give a list of samples")
    return _stored(lake, request, told)


def post_any_samples(lake: Lake, request: Request, now: datetime) -> object:
    """Take samples of any meters, a list or one alone, and show them completed; they are stored at once."""
    told = _posted(request)
    return _stored(lake, request, told if isinstance(told, list) else [told])


def redefine(lake: Lake, request: Request, now: datetime) -> object:
    """Say what a meter is, null for what its samples say; one that was deleted is shown again."""
    name = request.parts["meter"]
    identity(request).needs_admin(HTTPStatus.FORBIDDEN)
    arguments(_without_body(request), NOTHING)
    told = json_body(request)
    if not isinstance(told, dict) or not told:
        raise invalid_input("body", "…", f"give an object with any of {', '.join(DEFINITION)}")
    unknown = [key for key in told if key not in DEFINITION]
    if unknown:
        raise unknown_argument(unknown, DEFINITION)
    decided = {DEFINITION[key]: _decided(key, value) for key, value in told.items()}
    lake.meter_state.restore(name)
    _definition(lake, name)
    lake.meter_state.redefine(name, **decided)
    return _definition(lake, name)


def hide(lake: Lake, request: Request, now: datetime) -> object:
    """Show a meter no longer, until something is said of it or a new sample of it comes; its samples stay."""
    identity(request).needs_admin(HTTPStatus.FORBIDDEN)
    arguments(_without_body(request), NOTHING)
    _definition(lake, request.parts["meter"])
    lake.meter_state.hide(request.parts["meter"])
    return Reply(None, HTTPStatus.NO_CONTENT)


def _posted(request: Request) -> object:
    arguments(_without_body(request), POSTING).flag("direct")
    return json_body(request)


def _without_body(request: Request) -> Request:
    return Request(request.parts, request.query, headers=request.headers)


def _stored(lake: Lake, request: Request, told: list[Any]) -> Reply:
    if not told:
        raise InputError("Samples should be included in request body")
    who, name, now = identity(request), request.parts.get("meter"), times.now()
    rows = [_row(sample, name, who, now) for sample in told]
    given = sample_rows(rows)
    SampleWriter(lake.path).append(given)
    shown = metering_row.samples(given, metering_row.OLD_SAMPLE)
    return Reply([{key: row[key] for key in row if key != "recorded_at"} for row in shown], HTTPStatus.CREATED)


def _row(sample: object, name: str | None, who: Identity, now: datetime) -> dict[str, object]:
    """Return a sample as it is stored.

    Raises
    ------
    InputError
        If it cannot be used.
    """
    if not isinstance(sample, dict):
        raise invalid_input("body", "…", f"a sample is an object with {', '.join(MEMBERS)}")
    told: dict[str, Any] = {key: value for key, value in sample.items() if value is not None}
    for key in told:
        if key in ("message_id", "recorded_at"):
            raise invalid_input(key, told[key], f"The {key} must not be specified: it is given when a sample is stored")
        if key not in MEMBERS:
            raise unknown_argument([key], MEMBERS, why="Unknown attribute for argument samples")
    for key in MANDATORY:
        if key not in told or (told[key] == "" and key != "counter_unit"):
            raise invalid_input(key, None, "Mandatory field missing.")
    if name is not None and told["counter_name"] != name:
        raise invalid_input("counter_name", told["counter_name"], f"should be {name}")
    project = _owner("project_id", told, who.project)
    if not who.is_admin and project != who.own_project():
        raise invalid_input("project_id", project, "can not post samples to other projects")
    return {
        "sample_id": str(uuid4()),
        "meter": _text("counter_name", told["counter_name"]),
        "meter_type": _type("counter_type", told["counter_type"]),
        "unit": _text("counter_unit", told["counter_unit"]),
        "volume": _volume(told["counter_volume"]),
        "resource": _text("resource_id", told["resource_id"]),
        "tenant": project,
        "user": _owner("user_id", told, who.user),
        "source": f"{project}:{_owner('source', told, 'openstack')}",
        "measured_at": _instant(told.get("timestamp"), now),
        "recorded_at": now,
        "metadata": _metadata(told.get("resource_metadata")),
    }


def _decided(key: str, value: object) -> str | None:
    if value is None:
        return None
    return _type(key, value) if key == "type" else _text(key, value)


def _definition(lake: Lake, name: str) -> dict[str, object]:
    for shown in meter.samples(lake, meter=name, limit=1, metadata=False).to_dicts():
        description = lake.meter_state.overrides().get(name, Override()).description
        return {"name": name, "type": shown["meter_type"], "unit": shown["unit"], "description": description}
    raise NotFoundError(f"Meter {name} Not Found: /v2/meters lists them")


def _text(key: str, value: object) -> str:
    if not isinstance(value, str):
        raise invalid_input(key, value, "give a text")
    return value


def _owner(key: str, told: Mapping[str, Any], otherwise: str | None) -> str | None:
    return _text(key, told[key]) if told.get(key) else otherwise or None


def _type(key: str, value: object) -> str:
    if not isinstance(value, str) or value not in TYPES:
        raise invalid_input(key, value, f"Value not one of {', '.join(TYPES)}")
    return TYPES[value]


def _volume(value: object) -> float:
    try:
        number = math.nan if isinstance(value, bool) or not isinstance(value, str | int | float) else float(value)
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise invalid_input("counter_volume", value, "unable to convert to float: give a number")
    return number


def _instant(value: object, now: datetime) -> datetime:
    if value is None or value == "":
        return now
    text = _text("timestamp", value)
    try:
        moment = times.instant(text)
    except InputError as problem:
        raise invalid_input("timestamp", value, f"invalid timestamp format: {problem}") from None
    if moment.year not in YEARS:
        raise invalid_input("timestamp", value, f"give a year from {YEARS[0]} to {YEARS[-1]}")
    return moment


def _metadata(told: object) -> str | None:
    """Return metadata as JSON text; names with dots are made the nesting that they stand for."""
    if told is None:
        return None
    if not isinstance(told, dict):
        raise invalid_input("resource_metadata", told, "give an object")
    if _depth(told) > DEEPEST:
        raise invalid_input("resource_metadata", "…", f"it is nested more than {DEEPEST} deep")
    nested: dict[str, Any] = {}
    for name, value in told.items():
        *outer, last = name.split(".") if all(name.split(".")) else [name]
        place = nested
        for step in outer:
            place = place.setdefault(step, {})
            if not isinstance(place, dict):
                raise invalid_input("resource_metadata", name, f"{step} is a value, and cannot have more below it")
        if last in place:
            raise invalid_input("resource_metadata", name, "it is told twice")
        place[last] = value
    return json.dumps(nested, sort_keys=True)


def _depth(value: object) -> int:
    """Return how deep objects and lists are nested; values alone are 0 deep."""
    level, depth = [value], 0
    while level := [one for one in level if isinstance(one, dict | list)]:
        depth += 1
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
    return depth
