"""What a surface tells the server: its routes, and how it words errors."""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import TypeAlias

from stackanalytics.errors import InputError
from stackanalytics.lake import Lake
from stackanalytics.surfaces.description import Body, Header, Parameter, Schema


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks.

    ``parts`` are the named parts of the path; ``query`` are the names and values of the query
    string in their order; ``body`` is what came with it; ``headers`` are those that the route reads.
    """

    parts: Mapping[str, str]
    query: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def parameters(self) -> Mapping[str, str]:
        """Parts and query as one: of a name given twice the last value counts, and a part wins."""
        return {**dict(self.query), **self.parts}

    def header(self, name: str) -> str | None:
        """Return a header that the route reads, None where it is not given."""
        return dict(self.headers).get(name)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with a status or with headers of its own."""

    value: object
    status: HTTPStatus = HTTPStatus.OK
    headers: tuple[tuple[str, str], ...] = ()


class RefusedError(InputError):
    """A request that is refused with a status of its own, rather than 400.

    What HTTP itself refuses, rather than the function that was asked for, ``is_routing``.
    """

    def __init__(self, status: HTTPStatus, message: str, *, is_routing: bool = False) -> None:
        """Refuse with a status and a message."""
        super().__init__(message)
        self.status = status
        self.is_routing = is_routing


Answer: TypeAlias = Callable[[Lake, Request, datetime], object]
Wording: TypeAlias = Callable[[HTTPStatus, str], object]


@dataclass(frozen=True, slots=True)
class Route:
    """One path and method, and the function that answers it.

    ``path`` is written as people read it, ``/stacky/show/<event_id>/``; it is served with and
    without its last slash. ``answer`` is given the lake, the request and the present second,
    and returns a JSON-able value, None for nothing, or a :class:`Reply` around that. Where that
    depends on the present second, ``is_timely`` is true; where it depends on the lake's state beside
    its tables, ``is_stateful`` is. A method other than GET writes, unless it ``is_reading``. What is
    not JSON, as ``content_type`` tells, is returned as bytes. ``reads_headers`` are the headers of a
    request that the answer depends on.

    The rest describes it: ``about`` is one sentence, ``detail`` what else there is to know;
    ``returns`` is the form of the answer, None of an empty one, with its ``status``, ``headers`` and an
    ``example``; ``refusals`` are the statuses of its errors, beside 400, which all can have, and
    403, which all that write can have. One that ``is_former`` only says where to ask instead.
    """

    path: str
    answer: Answer
    about: str
    method: str = "GET"
    is_timely: bool = False
    is_stateful: bool = False
    content_type: str = "application/json"
    is_reading: bool = False
    reads_headers: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    returns: Schema | None = None
    status: HTTPStatus = HTTPStatus.OK
    headers: tuple[Header, ...] = ()
    refusals: tuple[HTTPStatus, ...] = ()
    detail: str = ""
    example: object = None
    is_former: bool = False

    @property
    def writes(self) -> bool:
        """Whether it may change the lake."""
        return self.method != "GET" and not self.is_reading

    @property
    def pattern(self) -> str:
        """The path as a regular expression with its parts as groups."""
        pieces = re.split(r"<(\w+)>", self.path.rstrip("/"))
        literal, names = pieces[::2], pieces[1::2]
        groups = [f"(?P<{name}>[^/]+)" for name in names]
        pattern = re.escape(literal[0])
        for group, text in zip(groups, literal[1:], strict=True):
            pattern += group + re.escape(text)
        return pattern + "/?"


@dataclass(frozen=True, slots=True)
class Surface:
    """The routes below one prefix, how they word errors, and the form of these; the rest is for people.

    One without a prefix has a ``name``. ``refused`` tells what statuses of errors mean here. What HTTP itself
    refuses, an unknown path or method, has the form ``routing_wording``, if there is one.
    """

    prefix: str
    routes: tuple[Route, ...]
    wording: Wording
    routing_wording: Wording | None = None
    errors: Schema = field(default_factory=dict)
    refused: Mapping[HTTPStatus, str] = field(default_factory=dict)
    about: str = ""
    name: str = ""

    @property
    def title(self) -> str:
        """The name of the surface, which the prefix is where it has no other."""
        return self.name or self.prefix.strip("/")


def first_sentence(function: Callable[..., object]) -> str:
    """Return the first line of a function's docstring without its markup, for lists of what there is."""
    return (inspect.getdoc(function) or "").partition("\n")[0].replace("``", "")
