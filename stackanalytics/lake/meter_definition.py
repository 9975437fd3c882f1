"""What notifications are samples of which meters, as files tell.

The definitions of the package are in ``meters.toml`` beside this module, which explains their form;
a lake can add to them, or replace some, in a ``meters.toml`` of its own.
"""

import math
import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path

import msgspec
import xxhash

from stackanalytics.lake.definition import STEP, Value, any_of, check, listed, read
from stackanalytics.schema import NOTIFICATION_FIELDS

FILE = "meters.toml"
RULES = 1  # changes when samples are made by other rules than before

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_PATH = re.compile(rf"[$@]{STEP}*(\[\*\])?", re.ASCII)


class Calculation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value times a number, or the seconds between two instants, whichever of them comes first."""

    value: Value = []
    times: float = 1.0
    between: tuple[str, str] | None = None


class Meter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A meter: its name, type and unit, which may hold values in braces, and what is measured.

    Where its name would be one of ``other_than`` there is no sample.
    """

    name: str
    type: str
    unit: str
    volume: float | Value | Calculation
    when: dict[str, str] = {}
    other_than: list[str] = []


class Definition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Notifications that yield samples, whose these are, and of which meters."""

    event_types: list[str]
    resource: Value
    meters: list[Meter]
    each: Value | None = None
    project: Value = msgspec.field(
        default_factory=lambda: ["$._context_tenant_id", "$._context_tenant", "$._context_project_id"]
    )
    user: Value = msgspec.field(default_factory=lambda: ["$._context_user_id", "$._context_user"])
    measured_at: str = "generated_at"
    metadata: dict[str, Value] | str | None = None
    user_metadata: str | None = None

    def only(self, meters: Iterable[Meter]) -> "Definition":
        """Return it with some of its meters."""
        return msgspec.structs.replace(self, meters=list(meters))


class _File(msgspec.Struct, forbid_unknown_fields=True):
    notifications: list[Definition] = []


def definitions(lake: Path) -> list[Definition]:
    """Return the definitions that hold for a lake: the package's, and those of the lake's own file.

    Of definitions of the same name the last one counts; a name that the lake's own file gives is not one that the
    package makes of values.

    Parameters
    ----------
    lake
        Folder of the lake.

    Returns
    -------
    list of Definition
        The package's, then the lake's, each with those of its meters that count.

    Raises
    ------
    LakeError
        If the file of the lake cannot be used.
    """
    path = lake / FILE
    if not path.exists():
        return list(_packaged())
    own = read_definitions(path.read_bytes(), str(path))
    names = {meter.name for definition in own for meter in definition.meters if not _is_made(meter)}
    return _last_of_each_name([*(_other_than(definition, names) for definition in _packaged()), *own])


def read_definitions(content: bytes, origin: str) -> list[Definition]:
    """Read the content of a file of definitions.

    Raises
    ------
    LakeError
        If it cannot be used; the message names *origin* and what is wrong.
    """
    found = read(content, _File, what="meters", origin=origin).notifications
    check(found, _faults, origin=origin)
    return found


def digest(found: Iterable[Definition]) -> int:
    """Return a number, less than 2^63, that differs where definitions do."""
    return xxhash.xxh3_64_intdigest(msgspec.json.encode([RULES, *found])) >> 1


def applies_to(definition: Definition, event_types: Iterable[str]) -> bool:
    """Tell whether any notification of these event types, in nova's legacy spelling, can yield samples."""
    pattern = re.compile(any_of(definition.event_types))
    return any(map(pattern.fullmatch, event_types))


def may_be(definition: Definition, names: Iterable[str]) -> Definition | None:
    """Return a definition with those of its meters that can be called any of *names*; None without any."""
    event_types = any_of(definition.event_types)
    possible = [meter for meter in definition.meters if any(_possible(meter, event_types, names))]
    return definition.only(possible) if possible else None


def values_of(definition: Definition) -> Iterable[str]:
    """Return the columns and the paths that a definition names."""
    given: list[Value | None] = [definition.each, definition.project, definition.user, definition.measured_at]
    match definition.metadata:
        case dict() as mapped:
            given += mapped.values()
        case str() as path if path != "@":
            given.append(path)
    templates = [text for text in listed(definition.resource) if PLACEHOLDER.search(text)]
    given.append([text for text in listed(definition.resource) if text not in templates])
    for meter in definition.meters:
        templates += [meter.name, meter.type, meter.unit]
        given.append(list(meter.when))
        match meter.volume:
            case Calculation(value, _, between):
                given += [value, list(between or ())]
            case str() | list():
                given.append(meter.volume)
    yield from (value for some in given for value in listed(some))
    yield from (value for template in templates for value in PLACEHOLDER.findall(template))


def _other_than(definition: Definition, names: Iterable[str]) -> Definition:
    """Return a definition whose meters have none of *names* where theirs are made of values."""
    event_types = any_of(definition.event_types)
    return definition.only(
        msgspec.structs.replace(meter, other_than=sorted(_possible(meter, event_types, names)))
        if _is_made(meter)
        else meter
        for meter in definition.meters
    )


def _is_made(meter: Meter) -> bool:
    """Tell whether the name of a meter is made of values."""
    return PLACEHOLDER.search(meter.name) is not None


def _possible(meter: Meter, event_types: str, names: Iterable[str]) -> Iterable[str]:
    """Return those of *names* that a meter can have."""
    pattern = re.compile(_names(meter, event_types), re.DOTALL)
    return (name for name in names if name not in meter.other_than and pattern.fullmatch(name))


def _names(meter: Meter, event_types: str) -> str:
    """Return the names that a meter can have, as a regular expression."""
    pieces = PLACEHOLDER.split(meter.name)
    values = [f"(?:{event_types})" if piece == "event_type" else ".+" for piece in pieces[1::2]]
    texts = [re.escape(piece) for piece in pieces[::2]]
    return "".join(text + value for text, value in zip(texts, [*values, ""], strict=True))


@cache
def _packaged() -> tuple[Definition, ...]:
    content = files("stackanalytics.lake").joinpath(FILE).read_bytes()
    return tuple(_last_of_each_name(read_definitions(content, FILE)))


def _last_of_each_name(found: list[Definition]) -> list[Definition]:
    named: set[str] = set()
    kept = []
    for definition in reversed(found):
        counting = [meter for meter in definition.meters if meter.name not in named]
        named |= {meter.name for meter in counting if not _is_made(meter)}
        if counting:
            kept.append(definition.only(counting))
    return kept[::-1]


def _faults(definition: Definition) -> Iterable[str]:
    place = definition.user_metadata
    if place is not None and not re.fullmatch(r"\$\.payload(\.\w+)+", place, re.ASCII):
        yield f"{place!r} is no place in the payload, such as $.payload.metadata"
    for meter in definition.meters:
        number = meter.volume.times if isinstance(meter.volume, Calculation) else meter.volume
        if isinstance(number, float) and not math.isfinite(number):
            yield f"{number} is no volume of {meter.name}"
    for value in values_of(definition):
        if value not in NOTIFICATION_FIELDS and not _PATH.fullmatch(value):
            yield f"{value!r} is neither a column of notifications nor a path such as $.payload.size"
        elif value.startswith("@") and definition.each is None:
            yield f"{value!r} is part of an element, but there is no `each`"
