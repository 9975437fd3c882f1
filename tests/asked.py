"""Asking the routes of Ceilometer's API v2 as the server does, without a server."""

import json
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from stackanalytics import times
from stackanalytics.errors import InputError, NotFoundError
from stackanalytics.lake import Lake
from stackanalytics.surfaces import metering
from stackanalytics.surfaces.encoding import json_text
from stackanalytics.surfaces.route import RefusedError, Reply, Request

ROUTES = [route for surface in metering.SURFACES for route in surface.routes]


@dataclass(frozen=True)
class Told:
    """What came back: the status, the value or the message of an error, and the headers."""

    status: int
    value: Any
    headers: dict[str, str]


def ask(lake: Lake, url: str, *, method: str = "GET", body: object = b"", **headers: str) -> Told:
    """Ask for a path and query; a body that is no bytes is written as JSON, ``X_Roles`` is the header X-Roles."""
    path, _, query = url.partition("?")
    route, parts = _find(path, method)
    request = Request(
        parts,
        tuple(parse_qsl(query, keep_blank_values=True)),
        body if isinstance(body, bytes) else json.dumps(body).encode(),
        tuple((name.replace("_", "-"), value) for name, value in headers.items()),
    )
    try:
        answer = route.answer(lake, request, times.now())
    except RefusedError as problem:
        return Told(problem.status.value, str(problem), {})
    except NotFoundError as problem:
        return Told(404, str(problem), {})
    except InputError as problem:
        return Told(400, str(problem), {})
    reply = answer if isinstance(answer, Reply) else Reply(answer)
    value = None if reply.status == HTTPStatus.NO_CONTENT else json.loads(json_text(reply.value))
    return Told(reply.status.value, value, dict(reply.headers))


def _find(path: str, method: str) -> tuple[Any, dict[str, str]]:
    for route in ROUTES:
        found = re.fullmatch(route.pattern, path)
        if found is not None and route.method == method:
            return route, found.groupdict()
    raise LookupError(f"{method} {path}")
