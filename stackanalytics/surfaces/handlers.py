"""HTTP: from a request to a route and back, errors included, all of it JSON but the front page."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from tornado.iostream import StreamClosedError
from tornado.web import RequestHandler

from stackanalytics.errors import InputError, NotFoundError, StackanalyticsError
from stackanalytics.surfaces.answers import Answers
from stackanalytics.surfaces.encoding import error_table, json_text
from stackanalytics.surfaces.front import front_page
from stackanalytics.surfaces.own import own_surface
from stackanalytics.surfaces.route import RefusedError, Request, Route, Surface, Wording

_log = logging.getLogger(__name__)

Rule: TypeAlias = tuple[str, type[RequestHandler], dict[str, Any]]

HIGHEST_PARAMETERS = 200


def json_rules(
    answers: Answers,
    surfaces: Sequence[Surface],
    *,
    pages: Mapping[str, str] | None = None,
    allow_writes: bool = False,
) -> list[Rule]:
    """Return Tornado's rules for the routes of the surfaces and of the server itself, for ``/routes`` and ``/``.

    Parameters
    ----------
    answers
        Where answers are found.
    surfaces
        The routes, and the forms of their errors.
    pages
        What each dashboard shows, by the last part of its path, for the links on the front page.
    allow_writes
        Whether requests may change the lake.
    """
    served = (*surfaces, own_surface(surfaces))
    rules = [
        _rule(answers, routes, surface, allow_writes) for surface in served for routes in _by_pattern(surface.routes)
    ]
    content = front_page(pages or {}, served)
    rules.append(("/(?:routes/?)?", FrontHandler, {"content": content}))
    return rules


def app_settings(surfaces: Sequence[Surface]) -> dict[str, Any]:
    """Return the settings of Tornado's application: JSON for unknown paths, and no access log."""
    return {
        "default_handler_class": UnknownHandler,
        "default_handler_args": {"surfaces": surfaces},
        "log_function": _log_nothing,
    }


class JsonHandler(RequestHandler):
    """Writes JSON, and errors as ``wording`` forms them."""

    wording: Wording = staticmethod(error_table)
    methods: Sequence[str] = ("GET", "HEAD")
    routing_wording: Wording | None = None

    def set_default_headers(self) -> None:
        """Say what comes, and that it is to be asked for again."""
        self.clear_header("Server")
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-cache")
        self.set_header("X-Content-Type-Options", "nosniff")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Write what Tornado found wrong, or what nobody thought of."""
        status = HTTPStatus(status_code)
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.refuse_method()
        else:
            self.refuse(status, status.description or status.phrase)

    def refuse_method(self) -> None:
        """Finish with an error that tells which methods the path has."""
        possible = ", ".join(self.methods)
        self.set_header("Allow", possible)
        message = f"{self.request.method} is not possible here, but {possible}"
        self.refuse(HTTPStatus.METHOD_NOT_ALLOWED, message, is_routing=True)

    def refuse(self, status: HTTPStatus, message: str, *, is_routing: bool = False) -> None:
        """Finish with an error, of HTTP itself or of what was asked for."""
        wording = (self.routing_wording if is_routing else None) or self.wording
        self.set_status(status)
        self.finish(json_text(wording(status, message)))


class RouteHandler(JsonHandler):
    """Answers one path."""

    def initialize(self, answers: Answers, routes: Mapping[str, Route], surface: Surface, allow_writes: bool) -> None:
        """Take the routes of the path by method."""
        self._answers = answers
        self._routes = routes
        self.methods = sorted({*routes, *(("HEAD",) if "GET" in routes else ())})
        self.wording = surface.wording
        self.routing_wording = surface.routing_wording
        self._allow_writes = allow_writes

    async def _respond(self, **parts: str) -> None:
        method = str(self.request.method)
        route = self._routes.get("GET" if method == "HEAD" else method)
        if route is None:
            self.refuse_method()
        elif route.writes and not self._allow_writes:
            self.refuse(HTTPStatus.FORBIDDEN, "this server only reads: start it with --allow-writes to have it write")
        else:
            await self._answer(route, parts)

    async def _answer(self, route: Route, parts: Mapping[str, str]) -> None:
        try:
            read = self.request.headers
            headers = tuple((name, read[name]) for name in route.reads_headers if name in read)
            request = Request(parts, _query(self.request.query), self.request.body, headers)
            answered = await self._answers.find(route, request)
        except RefusedError as problem:
            self.refuse(problem.status, str(problem), is_routing=problem.is_routing)
        except StackanalyticsError as problem:
            self.refuse(_status(problem), str(problem))
        else:
            self.set_status(answered.status)
            self.set_header("Content-Type", route.content_type)
            for name, value in answered.headers:
                self.set_header(name, value)
            with suppress(StreamClosedError):  # who asked is gone
                await self.finish(answered.content or None)

    get = head = post = put = delete = patch = options = _respond


class UnknownHandler(JsonHandler):
    """Answers every path that is no other's, whatever the method."""

    def initialize(self, surfaces: Sequence[Surface]) -> None:
        """Take the surfaces: below the prefix of one, errors have its form."""
        path = self.request.path
        for surface in surfaces:
            if f"{path}/".startswith(f"{surface.prefix}/"):
                self.wording, self.routing_wording = surface.wording, surface.routing_wording

    def prepare(self) -> None:
        """Refuse before the method matters."""
        self.refuse_method()

    def refuse_method(self) -> None:
        """Refuse whatever the method: there is nothing."""
        message = f"there is nothing at {self.request.path}; /routes lists what there is"
        self.refuse(HTTPStatus.NOT_FOUND, message, is_routing=True)


class FrontHandler(JsonHandler):
    """Shows the front page."""

    def initialize(self, content: str) -> None:
        """Take the page."""
        self._content = content

    def get(self) -> None:
        """Show it."""
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(self._content)

    head = get


def _by_pattern(routes: Sequence[Route]) -> list[dict[str, Route]]:
    found: dict[str, dict[str, Route]] = {}
    for route in routes:
        found.setdefault(route.pattern, {})[route.method] = route
    return list(found.values())


def _rule(answers: Answers, routes: dict[str, Route], surface: Surface, allow_writes: bool) -> Rule:
    pattern = next(iter(routes.values())).pattern
    options = {"answers": answers, "routes": routes, "surface": surface, "allow_writes": allow_writes}
    return pattern, RouteHandler, options


def _query(text: str) -> tuple[tuple[str, str], ...]:
    try:
        return tuple(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=HIGHEST_PARAMETERS))
    except UnicodeDecodeError:
        raise InputError("the query string is no text in UTF-8") from None
    except ValueError:
        raise InputError(f"there are more than {HIGHEST_PARAMETERS} parameters") from None


def _status(problem: StackanalyticsError) -> HTTPStatus:
    match problem:
        case NotFoundError():
            return HTTPStatus.NOT_FOUND
        case InputError():
            return HTTPStatus.BAD_REQUEST
        case _:
            _log.error("%s", problem)
            return HTTPStatus.INTERNAL_SERVER_ERROR


def _log_nothing(handler: RequestHandler) -> None:
    """Keep quiet about requests: polls are many, and failures are logged where they happen."""
