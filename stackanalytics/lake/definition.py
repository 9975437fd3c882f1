"""What files of definitions have in common: patterns of event types, and values that stand in notifications."""

import re
import tomllib
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeAlias, TypeVar

import msgspec

from stackanalytics.errors import LakeError

Value: TypeAlias = str | list[str]

# what follows another in a path, as regular expression
STEP = r"(?:\.[\w-]+|\.\"[^\"']+\"|\[\d+\])"
_PATTERN = re.compile(r"[\w.:*-]+", re.ASCII)


class HasEventTypes(Protocol):
    """A definition of something about the notifications with certain event types."""

    @property
    def event_types(self) -> list[str]:
        """Patterns of event types, in nova's legacy spelling."""


T = TypeVar("T")
D = TypeVar("D", bound=HasEventTypes)


def read(content: bytes, kind: type[T], *, what: str, origin: str) -> T:
    """Read the content of a file.

    Raises
    ------
    LakeError
        If it is not of that kind; the message names *origin*, and *what* is defined.
    """
    try:
        return msgspec.toml.decode(content, type=kind)
    except (msgspec.DecodeError, tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise LakeError(f"{origin} has no usable definitions of {what}: {problem}") from problem


def check(definitions: Sequence[D], faults: Callable[[D], Iterable[str]], *, origin: str) -> None:
    """Look at definitions one by one.

    Raises
    ------
    LakeError
        If one has a pattern that is none, or other faults; the message names *origin* and the fault.
    """
    for definition in definitions:
        for fault in (*_pattern_faults(definition), *faults(definition)):
            raise LakeError(f"{origin} has no usable definition of {definition.event_types}: {fault}")


def any_of(patterns: Iterable[str]) -> str:
    """Return, as regular expression, the event types that patterns with ``*`` stand for."""
    return "|".join(re.escape(pattern).replace(r"\*", ".*") for pattern in patterns)


def listed(value: Value | None) -> list[str]:
    """Return the values, of which the first that is there counts."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _pattern_faults(definition: HasEventTypes) -> Iterable[str]:
    for pattern in definition.event_types:
        if not _PATTERN.fullmatch(pattern):
            yield f"{pattern!r} is no pattern of event types, such as volume.create.*"
