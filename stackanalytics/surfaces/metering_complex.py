"""The complex query of Ceilometer's API v2: JSON texts within JSON.

Source: the behaviour of Ceilometer 7.0.0.
"""

from datetime import datetime
from typing import Any

import msgspec

from stackanalytics.analytics.sample_query import Filter, asked_projects, query_sample_count, query_samples
from stackanalytics.errors import InputError
from stackanalytics.lake import Lake
from stackanalytics.surfaces import metering_row
from stackanalytics.surfaces.metering_error import invalid_input, unknown_argument
from stackanalytics.surfaces.metering_identity import Identity, identity, not_authorized
from stackanalytics.surfaces.metering_page import PAGE, page, total
from stackanalytics.surfaces.metering_query import NOTHING, Arguments, arguments, json_body
from stackanalytics.surfaces.route import Request

MEMBERS = ("filter", "orderby", *PAGE)


def samples(lake: Lake, request: Request, now: datetime) -> object:
    """The samples that an expression holds for, in any order."""
    arguments(Request(request.parts, request.query), NOTHING)
    told = json_body(request)
    if not isinstance(told, dict):
        raise invalid_input("body", "…", f"give an object with any of {', '.join(MEMBERS)}")
    for name in told:
        if name not in MEMBERS:
            raise unknown_argument([name], MEMBERS, why=f"Unknown attribute for argument body: {name}")
    numbers = {name: _number(name, told[name]) for name in PAGE if told.get(name) is not None}
    limit, offset = Arguments(numbers).page()
    expression = _scoped(_json(told.get("filter"), "Filter expression"), identity(request))
    order = _json(told.get("orderby"), "Order-by expression")
    if order is not None and not isinstance(order, list):
        raise InputError(f"Order-by expression not valid: {order!r} is no list of {{field: 'asc'}}")
    found = query_samples(lake, filter=expression, orderby=order, limit=limit + 1, offset=offset)
    count = total((limit, offset), found.height, lambda: query_sample_count(lake, filter=expression))
    rows = metering_row.samples(found.head(limit))
    return page(request, rows, tuple(metering_row.SAMPLE), (limit, offset), count)


def _scoped(expression: Any, who: Identity) -> Any:
    """Return an expression for what may be seen; what is none, the query refuses."""
    if who.is_admin:
        return expression
    own: Filter = {"=": {"project_id": who.own_project()}}
    if expression is None:
        return own
    for project in asked_projects(expression):
        if project != who.project:
            raise not_authorized(project)
    return {"and": [own, expression]}


def _number(name: str, value: object) -> str | int | float:
    if not isinstance(value, str | int | float):
        raise invalid_input(name, value, "unable to convert to int: give a whole number")
    return value


def _json(told: object, what: str) -> object:
    """Read what is a JSON text, or what such a text would say."""
    if told is None or told == "":
        return None
    if not isinstance(told, str):
        return told
    try:
        return msgspec.json.decode(told)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as problem:
        raise InputError(f"{what} not valid: it is no JSON: {problem}") from None
