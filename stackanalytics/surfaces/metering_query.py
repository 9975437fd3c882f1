"""The arguments of Ceilometer's API v2, in all spellings that it and its blueprint have.

A structure, such as the conditions ``q``, is spelled ``q.field=…&q.value=…`` once for each, ``q[].field=…``
likewise, or ``q[0].field=…`` with any numbers; a list, such as ``groupby``, the same without ``.field``.
Instead, or besides, arguments come as a JSON object in the body. Blanks around names do not matter.

Source: Ceilometer's blueprint of API v2, and the behaviour of Ceilometer 7.0.0.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from typing import TypeAlias

import msgspec

from stackanalytics.analytics.metadata_value import FALSE, TRUE, metadata_path, typed
from stackanalytics.analytics.meter_query import Condition
from stackanalytics.errors import InputError
from stackanalytics.surfaces.metering_error import given_several_times, invalid_input, unknown_argument
from stackanalytics.surfaces.route import RefusedError, Request

Value: TypeAlias = str | int | float | bool
Structure: TypeAlias = Mapping[str, Value]

DEFAULT_LIMIT = 100
HIGHEST_LIMIT = 50_000
LARGEST_BODY = 16 << 20

# the attributes of each structure; those that cannot be left out come first
STRUCTURES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"q": ("field", "value", "op", "type"), "aggregate": ("func", "param")}
)
_NEEDED: Mapping[str, tuple[str, ...]] = MappingProxyType({"q": ("field", "value"), "aggregate": ("func",)})

JSON_TYPES = ("application/json", "application/javascript", "text/javascript")

_NAME = re.compile(r"(\w+)(?:\[(\d{0,9})\])?(?:\.(\w+))?", re.ASCII)
_WHOLE = re.compile(r"\s*[+-]?\d{1,18}\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Form:
    """What arguments there are: those with one value, lists, structures, and filters by the value of a field."""

    single: tuple[str, ...] = ()
    lists: tuple[str, ...] = ("s",)
    structures: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """The arguments as people write them."""
        structured = [f"{name}.{attribute}" for name in self.structures for attribute in STRUCTURES[name]]
        return [*structured, *self.single, *self.lists, *self.filters]


NOTHING = Form(lists=())


@dataclass(frozen=True, slots=True)
class Arguments:
    """What was said, by the names of arguments."""

    single: Mapping[str, Value] = field(default_factory=dict)
    lists: Mapping[str, Sequence[Value]] = field(default_factory=dict)
    structures: Mapping[str, Sequence[Structure]] = field(default_factory=dict)
    filters: Mapping[str, Value] = field(default_factory=dict)

    def text(self, name: str) -> str | None:
        """Return what an argument says; None where it is not given, or empty."""
        value = self.single.get(name)
        return None if value is None or value == "" else str(value)

    def whole(self, name: str) -> int | None:
        """Read an argument as a whole number; None where it is not given."""
        said = self.text(name)
        if said is None:
            return None
        if not _WHOLE.fullmatch(said) or isinstance(self.single[name], bool):
            raise invalid_input(name, said, "unable to convert to int: give a whole number")
        return int(said)

    def flag(self, name: str) -> bool:
        """Read an argument as a truth value, false where it is not given."""
        said = (self.text(name) or "false").strip().lower()
        if said not in TRUE + FALSE:
            raise invalid_input(name, self.single[name], "unable to convert to bool: give True or False")
        return said in TRUE

    def page(self, *, default: int = DEFAULT_LIMIT) -> tuple[int, int]:
        """Read ``limit`` and ``offset``."""
        limit, offset = self.whole("limit"), self.whole("offset")
        if limit is not None and limit <= 0:
            raise InputError(f"Limit must be positive: limit={limit} is not")
        if limit is not None and limit > HIGHEST_LIMIT:
            raise InputError(f"Limit must be at most {HIGHEST_LIMIT}, limit={limit} is more: go on with offset")
        if offset is not None and offset < 0:
            raise InputError(f"Offset must not be negative: offset={offset} is")
        return limit or default, offset or 0

    def texts(self, name: str) -> list[str]:
        """Return what a list says, each once; what is empty is not given."""
        return list(dict.fromkeys(str(value) for value in self.lists.get(name, ()) if value != ""))

    def selected(self, valid: Sequence[str]) -> list[str]:
        """Return the fields that ``s`` selects, all where it is not given."""
        selected = self.texts("s")
        unknown = [name for name in selected if name not in valid]
        if unknown:
            raise unknown_argument(unknown, valid, why="no field for s[] to select")
        return selected or list(valid)

    def conditions(self) -> list[Condition]:
        """Return the conditions of ``q``, then those of the filters."""
        asked = [_condition(entry) for entry in self.structures.get("q", ())]
        twice = {condition.field.removesuffix("_id") for condition in asked}
        for name, value in self.filters.items():
            if name.removesuffix("_id") in twice:
                raise given_several_times(name)
            asked.append(Condition(name, "eq", str(value)))
        return asked


def arguments(request: Request, form: Form) -> Arguments:
    """Read the arguments of a request that reads.

    Raises
    ------
    InputError
        If there are arguments that the form does not have, or that do not fit together.
    RefusedError
        If the body is of a type that is not read.
    """
    spelled = _Spelled(form)
    for name, value in request.query:
        spelled.add("".join(name.split()), value)
    return spelled.arguments(_from_body(request, form))


def json_body(request: Request) -> object:
    """Return the JSON body of a request."""
    if len(request.body) > LARGEST_BODY:
        message = f"the body has {len(request.body)} bytes, more than {LARGEST_BODY}: send it in parts"
        raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
    kind = (request.header("Content-Type") or JSON_TYPES[0]).partition(";")[0].strip().lower()
    if kind not in JSON_TYPES:
        message = f"Unknown mimetype: {kind}; send application/json"
        raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message)
    try:
        return msgspec.json.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise InputError(f"Invalid input for field/attribute body. The body is no JSON: {problem}") from None


class _Spelled:
    """Arguments of the query string on their way to what they say."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._unknown: list[str] = []
        self._single: dict[str, Value] = {}
        # for each list and structure: how it is spelled, the number, the attribute and the value
        self._parts: dict[str, list[tuple[str, int, str, str]]] = {}

    def add(self, name: str, value: str) -> None:
        """Take one pair of the query string."""
        found = _NAME.fullmatch(name)
        base, number, attribute = found.groups() if found else (name, None, None)
        if base in self._form.structures and attribute is None:
            example = f"{base}.{STRUCTURES[base][0]}="
            raise invalid_input(base, value, f"unable to convert to ArrayType: give {example}…")
        if base in self._form.structures and attribute in STRUCTURES[base]:
            # what is nothing but blanks is not made the empty text, which would ask for anything
            self._take(base, number, attribute, (value.rstrip() or value) if attribute == "value" else value.strip())
        elif base in self._form.lists and attribute is None:
            self._take(base, number, "", value.strip())
        elif name in (*self._form.single, *self._form.filters):
            if name in self._single:
                raise given_several_times(name)
            self._single[name] = value.strip()
        else:
            self._unknown.append(name)

    def arguments(self, told: Mapping[str, object]) -> Arguments:
        """Return what was said, with what the body told besides."""
        if self._unknown:
            raise unknown_argument(self._unknown, self._form.names)
        for name in told:
            if name in self._single or name in self._parts:
                raise given_several_times(name)
        form = self._form
        single = self._single | {name: _scalar(name, told[name]) for name in told if name in form.single + form.filters}
        return Arguments(
            {name: value for name, value in single.items() if name in form.single},
            {name: self._list(name) or _listed(name, told.get(name)) for name in form.lists},
            {name: self._structures(name) or _structured(name, told.get(name)) for name in form.structures},
            {name: value for name, value in single.items() if name in form.filters},
        )

    def _take(self, base: str, number: str | None, attribute: str, value: str) -> None:
        how = "x" if number is None else "[].x" if number == "" else "[N].x"
        self._parts.setdefault(base, []).append((how, int(number or 0), attribute, value))

    def _spelling(self, base: str) -> str:
        spellings = sorted({how for how, *_ in self._parts[base]})
        if len(spellings) > 1:
            shown = " and ".join(base + how.replace("x", "…") for how in spellings)
            raise InputError(f"Parameter {base} is spelled in several ways, {shown}: keep to one of them")
        return spellings[0]

    def _list(self, base: str) -> list[Value]:
        if base not in self._parts:
            return []
        if self._spelling(base) != "[N].x":
            return [value for *_, value in self._parts[base]]
        return [entry[""] for entry in self._numbered(base)]

    def _structures(self, base: str) -> list[Structure]:
        if base not in self._parts:
            return []
        entries = self._numbered(base) if self._spelling(base) == "[N].x" else self._aligned(base)
        return [_complete(base, entry) for entry in entries]

    def _numbered(self, base: str) -> list[dict[str, Value]]:
        entries: dict[int, dict[str, Value]] = {}
        for _, number, attribute, value in self._parts[base]:
            entry = entries.setdefault(number, {})
            if attribute in entry:
                raise given_several_times(f"{base}[{number}]{'.' * bool(attribute)}{attribute}")
            entry[attribute] = value
        return [entries[number] for number in sorted(entries)]

    def _aligned(self, base: str) -> list[dict[str, Value]]:
        """Put the n-th of each attribute together."""
        by_attribute: dict[str, list[str]] = {}
        for _, _, attribute, value in self._parts[base]:
            by_attribute.setdefault(attribute, []).append(value)
        leading = _NEEDED[base][0]
        count = len(by_attribute.get(leading, []))
        for attribute, values in by_attribute.items():
            if len(values) > count or (attribute in _NEEDED[base] and len(values) < count):
                raise invalid_input(
                    f"{base}.{attribute}",
                    ", ".join(values),
                    f"it is given {len(values)} times, but {base}.{leading} {count} times: give as many",
                )
        return [
            {attribute: values[place] for attribute, values in by_attribute.items() if place < len(values)}
            for place in range(count)
        ]


def _complete(base: str, entry: Structure) -> Structure:
    for attribute in _NEEDED[base]:
        if attribute not in entry or (attribute == _NEEDED[base][0] and entry[attribute] == ""):
            raise invalid_input(f"{base}.{attribute}", None, "Mandatory field missing.")
    return entry


def _from_body(request: Request, form: Form) -> dict[str, object]:
    if not request.body.strip():
        return {}
    told = json_body(request)
    if not isinstance(told, dict):
        raise invalid_input("body", "…", f"give an object with any of {', '.join(_body_names(form))}")
    unknown = [name for name in told if name not in _body_names(form)]
    if unknown:
        raise unknown_argument(unknown, _body_names(form))
    return told


def _body_names(form: Form) -> list[str]:
    return [*form.structures, *form.single, *form.lists, *form.filters]


def _scalar(name: str, value: object) -> Value:
    if not isinstance(value, Value):
        raise invalid_input(name, value, "give a text or a number")
    return value


def _listed(name: str, value: object) -> list[Value]:
    if value is None:
        return []
    return [_scalar(name, one) for one in value] if isinstance(value, list) else [_scalar(name, value)]


def _structured(name: str, value: object) -> list[Structure]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise invalid_input(name, value, f"unable to convert to ArrayType: give a list of {{{STRUCTURES[name][0]}: …}}")
    found = []
    for entry in value:
        unknown = [f"{name}.{key}" for key in entry if key not in STRUCTURES[name]]
        if unknown:
            raise unknown_argument(unknown, [f"{name}.{key}" for key in STRUCTURES[name]])
        told = {key: _scalar(f"{name}.{key}", one) for key, one in entry.items() if one is not None}
        found.append(_complete(name, told))
    return found


def _condition(entry: Structure) -> Condition:
    field, value = str(entry["field"]), entry["value"]
    op, kind = str(entry.get("op", "")) or "eq", str(entry.get("type", "")) or None
    if metadata_path(field) is None:
        return Condition(field, op, str(value))
    return Condition(field, op, typed(str(value), kind) if kind is not None or isinstance(value, str) else value)
