"""Which events have which traits, as files tell.

The definitions of the package are in ``traits.toml`` beside this module, which explains their form;
a lake can add to them, or replace some, in a ``traits.toml`` of its own.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from stackanalytics.lake.definition import STEP, Value, any_of, check, listed, read
from stackanalytics.schema import NOTIFICATION_FIELDS

FILE = "traits.toml"

Kind: TypeAlias = Literal["string", "integer", "float", "datetime"]
Traits: TypeAlias = Mapping[str, tuple[Kind, Value]]

_PATH = re.compile(rf"\${STEP}+", re.ASCII)


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
    own = lake / FILE
    return (*_packaged(), *(_read(own.read_bytes(), str(own)) if own.exists() else ()))


def traits_of(defined: Sequence[Definition], spelled: str) -> Traits:
    """Return the traits that events of a type, in its legacy spelling, can have, in the order of their names."""
    found: dict[str, tuple[Kind, Value]] = {}
    for definition in defined:
        if re.fullmatch(any_of(definition.event_types), spelled, re.DOTALL):
            found |= definition.traits()
    return dict(sorted(found.items()))


@cache
def _packaged() -> tuple[Definition, ...]:
    return _read(files("stackanalytics.analytics").joinpath(FILE).read_bytes(), FILE)


@lru_cache(maxsize=8)
def _read(content: bytes, origin: str) -> tuple[Definition, ...]:
    found = read(content, _File, what="traits", origin=origin).events
    check(found, _faults, origin=origin)
    return tuple(found)


def _faults(definition: Definition) -> Iterable[str]:
    for name, (_, value) in definition.traits().items():
        for one in listed(value):
            if one not in NOTIFICATION_FIELDS and not _PATH.fullmatch(one):
                yield f"{name} is {one!r}: neither a column of notifications nor a path such as $.payload.size"
        if not value:
            yield f"{name} is nothing: give a column of notifications or a path such as $.payload.size"
