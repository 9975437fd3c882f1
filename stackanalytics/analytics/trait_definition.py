"""Which events have which traits, as files tell.

The definitions of the package are in ``traits.toml`` beside this module, which explains their form;
a lake can add to them, or replace some, in a ``traits.toml`` of its own.
"""

import fnmatch
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from stackanalytics.errors import LakeError
from stackanalytics.schema import NOTIFICATION_FIELDS

FILE = "traits.toml"

Kind: TypeAlias = Literal["string", "integer", "float", "datetime"]
Value: TypeAlias = str | list[str]
Traits: TypeAlias = Mapping[str, tuple[Kind, Value]]

_PATH = re.compile(r"\$(\.[\w-]+|\.\"[^\"']+\"|\[\d+\])+", re.ASCII)
_PATTERN = re.compile(r"[\w.:*-]+", re.ASCII)


class Definition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Events, and what of their notifications are traits of which type."""

    event_types: list[str]
    text: dict[str, Value] = {}
    integer: dict[str, Value] = {}
    float: dict[str, Value] = {}
    datetime: dict[str, Value] = {}

    def traits(self) -> dict[str, tuple[Kind, Value]]:
        """Return what the traits are, by their names."""
        kinds: tuple[tuple[Kind, dict[str, Value]], ...] = (
            ("string", self.text),
            ("integer", self.integer),
            ("float", self.float),
            ("datetime", self.datetime),
        )
        return {name: (kind, value) for kind, told in kinds for name, value in told.items()}


class _File(msgspec.Struct, forbid_unknown_fields=True):
    events: list[Definition] = []


def definitions(lake: Path) -> tuple[Definition, ...]:
    """Return the definitions that hold for a lake: the package's, and those of the lake's own file.

    Raises
    ------
    LakeError
        If the file of the lake cannot be used.
    """
    packaged = files("stackanalytics.analytics").joinpath(FILE).read_bytes()
    own = lake / FILE
    return (*_read(packaged, FILE), *(_read(own.read_bytes(), str(own)) if own.exists() else ()))


def traits_of(defined: Sequence[Definition], spelled: str) -> Traits:
    """Return the traits that events of a type, in its legacy spelling, can have, in the order of their names."""
    found: dict[str, tuple[Kind, Value]] = {}
    for definition in defined:
        if any(fnmatch.fnmatchcase(spelled, pattern) for pattern in definition.event_types):
            found |= definition.traits()
    return dict(sorted(found.items()))


@lru_cache(maxsize=8)
def _read(content: bytes, origin: str) -> tuple[Definition, ...]:
    try:
        found = msgspec.toml.decode(content, type=_File).events
    except (msgspec.DecodeError, tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise LakeError(f"{origin} has no usable definitions of traits: {problem}") from problem
    for definition in found:
        for fault in _faults(definition):
            raise LakeError(f"{origin} has no usable definition of {definition.event_types}: {fault}")
    return tuple(found)


def _faults(definition: Definition) -> Iterable[str]:
    for pattern in definition.event_types:
        if not _PATTERN.fullmatch(pattern):
            yield f"{pattern!r} is no pattern of event types, such as volume.create.*"
    for name, (_, value) in definition.traits().items():
        for one in [value] if isinstance(value, str) else value:
            if one not in NOTIFICATION_FIELDS and not _PATH.fullmatch(one):
                yield f"{name} is {one!r}: neither a column of notifications nor a path such as $.payload.size"
        if not value:
            yield f"{name} is nothing: give a column of notifications or a path such as $.payload.size"
