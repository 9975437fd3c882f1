"""How a route is described: parameters, bodies and answers, in the terms of OpenAPI and JSON Schema."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

import pyarrow as pa

from stackanalytics.schema import FIELDS, INSTANT

Schema: TypeAlias = Mapping[str, object]
Columns: TypeAlias = Mapping[str, Schema]

TEXT: Schema = MappingProxyType({"type": "string"})
SOME_TEXT: Schema = MappingProxyType({"type": "string", "minLength": 1})
WHEN = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{6})?$"

_TYPES: Mapping[pa.DataType, Schema] = MappingProxyType(
    {
        pa.string(): {"type": "string"},
        pa.int32(): {"type": "integer"},
        pa.int64(): {"type": "integer"},
        pa.float64(): {"type": "number"},
        pa.bool_(): {"type": "boolean"},
        INSTANT: {"type": "string", "pattern": WHEN},
    }
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a request: what it means, and the form of what is said.

    One in the path is named as the part that it fills. One in the query that can be left out may
    be empty, too, which means the same. ``example`` is one that is answered.
    """

    name: str
    about: str
    schema: Schema = field(default_factory=lambda: TEXT)
    example: object = None
    place: Literal["query", "path", "header"] = "query"
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Header:
    """One header of an answer, in the form of its text."""

    name: str
    about: str
    schema: Schema = field(default_factory=lambda: TEXT)


@dataclass(frozen=True, slots=True)
class Body:
    """What comes with a request that writes."""

    about: str
    schema: Schema
    example: object
    content_type: str = "application/json"


def field_schema(name: str, *, is_null: bool = True) -> Schema:
    """Return the form of a field of the dictionary; ``is_null`` tells whether it may be unknown."""
    known = FIELDS[name]
    schema = dict(_TYPES[known.type])
    unit = "UTC" if known.type == INSTANT else known.unit
    about = known.meaning if unit is None else f"{known.meaning} [{unit}]"
    return {**(or_null(schema) if is_null else schema), "description": about}


def choice(names: Iterable[str], default: str) -> Schema:
    """Return the form of one of some names."""
    return {"type": "string", "enum": list(names), "default": default}


def or_null(schema: Schema) -> Schema:
    """Return the form of what is as *schema* says or null."""
    return {**schema, "type": [schema["type"], "null"]}


def table_schema(columns: Columns) -> Schema:
    """Return the form of a table as stacky reads it: the headers are its first row."""
    return {
        "type": "array",
        "minItems": 1,
        "prefixItems": [{"const": list(columns)}],
        "items": row_schema(*columns.values()),
    }


def row_schema(*cells: Schema) -> Schema:
    """Return the form of a list of a certain length."""
    return {"type": "array", "minItems": len(cells), "maxItems": len(cells), "prefixItems": list(cells)}


def object_schema(properties: Mapping[str, Schema], **more: object) -> Schema:
    """Return the form of an object with certain names and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
        **more,
    }


def list_schema(items: Schema) -> Schema:
    """Return the form of a list of any length."""
    return {"type": "array", "items": items}
