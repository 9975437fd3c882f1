"""What a surface tells the server: its routes, and how it words errors."""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import TypeAlias

from stackanalytics.lake import Lake


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks.

    ``parts`` are the named parts of the path; ``query`` are the names and values of the query
    string in their order; ``body`` is what came with it.
    """

    parts: Mapping[str, str]
    query: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    @property
    def parameters(self) -> Mapping[str, str]:
        """Parts and query as one: of a name given twice the last value counts, and a part wins."""
        return {**dict(self.query), **self.parts}


Answer: TypeAlias = Callable[[Lake, Request, datetime], object]
Wording: TypeAlias = Callable[[HTTPStatus, str], object]


@dataclass(frozen=True, slots=True)
class Route:
    """One path and method, and the function that answers it.

    ``path`` is written as people read it, ``/stacky/show/<event_id>/``; it is served with and
    without its last slash. ``answer`` is given the lake, the request and the present second,
    and returns a JSON-able value, None for nothing. Where that depends on the present second,
    ``is_timely`` is true; where it depends on the lake's state beside its tables,
    ``is_stateful`` is. A method other than GET writes. What is not JSON, as ``content_type``
    tells, is returned as bytes.
    """

    path: str
    answer: Answer
    about: str
    method: str = "GET"
    is_timely: bool = False
    is_stateful: bool = False
    content_type: str = "application/json"

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
    """The routes below one prefix, and the form of their errors."""

    prefix: str
    routes: tuple[Route, ...]
    wording: Wording


def first_sentence(function: Callable[..., object]) -> str:
    """Return the first line of a function's docstring without its markup, for lists of what there is."""
    return (inspect.getdoc(function) or "").partition("\n")[0].replace("``", "")
