"""The description of a server's interface, in the terms of OpenAPI 3.1: its routes, and no other source."""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from stackanalytics.surfaces.description import Body, Header, Parameter
from stackanalytics.surfaces.route import Route, Surface

PATH = "/openapi.json"

_ABOUT = """\
Answers from OpenStack notifications. Paths are served with and without their last slash, and whatever can be read with
GET with HEAD as well. Of a parameter in the query that is given twice the last value counts; one that a path does not
know does not matter, unless it says otherwise. Numbers and texts are as they stand in the lake, times are UTC.
"""


def document(surfaces: Sequence[Surface]) -> dict[str, Any]:
    """Return the description of the routes of some surfaces.

    Whatever is described under a ``title`` is told once, below ``components``.
    """
    schemas: dict[str, object] = {}
    paths: dict[str, dict[str, Any]] = {}
    for surface in surfaces:
        for route in surface.routes:
            operation = _operation(route, surface)
            paths.setdefault(_path(route), {})[route.method.lower()] = _hoisted(operation, schemas)
    info = {
        "title": "stackanalytics",
        "version": version("stackanalytics"),
        "description": _ABOUT,
        "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
    }
    return {
        "openapi": "3.1.0",
        "info": info,
        "tags": [{"name": surface.title, "description": surface.about} for surface in surfaces],
        "paths": paths,
        "components": {"schemas": dict(sorted(schemas.items()))},
    }


def _path(route: Route) -> str:
    return re.sub(r"<(\w+)>", r"{\1}", route.path)


def _operation(route: Route, surface: Surface) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "tags": [surface.title],
        "operationId": _operation_id(route),
        "summary": route.about,
        "parameters": [_parameter(parameter) for parameter in route.parameters],
        "responses": {**_success(route), **_refusals(route, surface)},
    }
    if route.detail:
        operation["description"] = route.detail
    if route.body is not None:
        operation["requestBody"] = _body(route.body)
    if route.is_former:
        operation["deprecated"] = True
    return operation


def _operation_id(route: Route) -> str:
    return "_".join([route.method.lower(), *re.findall(r"\w+", route.path)])


def _parameter(parameter: Parameter) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.about,
        "required": parameter.is_required or parameter.place == "path",
        "schema": parameter.schema,
    }
    if parameter.place == "query" and not parameter.is_required:
        told["allowEmptyValue"] = True
    if parameter.example is not None:
        told["example"] = parameter.example
    return told


def _body(body: Body) -> dict[str, Any]:
    content = {"schema": body.schema, "example": body.example}
    return {"description": body.about, "required": True, "content": {body.content_type: content}}


def _success(route: Route) -> dict[str, Any]:
    if route.is_former:
        return {}
    told: dict[str, Any] = {"description": "Done; the answer is empty."}
    if route.returns is not None:
        content = {"schema": route.returns} | ({} if route.example is None else {"example": route.example})
        told = {"description": "The answer.", "content": {route.content_type: content}}
    if route.headers:
        told["headers"] = {header.name: _header(header) for header in route.headers}
    return {_key(route.status): told}


def _refusals(route: Route, surface: Surface) -> dict[str, Any]:
    statuses = {HTTPStatus.BAD_REQUEST, *route.refusals, *([HTTPStatus.FORBIDDEN] if route.writes else [])}
    content = {"application/json": {"schema": surface.errors}}
    return {
        _key(status): {"description": _refused(status, route, surface), "content": content}
        for status in sorted(statuses)
    }


def _refused(status: HTTPStatus, route: Route, surface: Surface) -> str:
    meant = surface.refused.get(status, "")
    if status == HTTPStatus.FORBIDDEN and route.writes:
        return f"{_ONLY_READS} {meant and f'Or: {meant}'}".rstrip()
    return meant or _REFUSED.get(status, status.description)


def _key(status: HTTPStatus) -> str:
    return str(int(status))


def _header(header: Header) -> dict[str, Any]:
    return {"description": header.about, "schema": header.schema}


_ONLY_READS = "The server only reads: it was started without --allow-writes."
_REFUSED = {
    HTTPStatus.BAD_REQUEST: "The request cannot be understood; the message names what was given and what would work.",
    HTTPStatus.NOT_FOUND: "There is nothing of that name or number.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "What is stored contradicts itself.",
}


def _hoisted(value: Any, schemas: dict[str, object]) -> Any:
    """Return *value* with a reference to *schemas* wherever a schema has a title, and put that there."""
    match value:
        case Mapping():
            told = {name: inner if name == "example" else _hoisted(inner, schemas) for name, inner in value.items()}
            if not isinstance(title := told.get("title"), str):
                return told
            name = "".join(word.capitalize() for word in re.findall(r"\w+", title))
            if schemas.setdefault(name, told) != told:
                raise ValueError(f"two different schemas have the title {title!r}")
            return {"$ref": f"#/components/schemas/{name}"}
        case list() | tuple():
            return [_hoisted(inner, schemas) for inner in value]
        case _:
            return value
