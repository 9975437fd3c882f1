"""Tenants with their names and types: from a file, or from the keystone of a live cloud.

A file is Parquet, CSV or JSON lines, told by its name; the latter two may be packed. It has the
columns ``tenant`` and ``name``. Every other column is a type of tenant, such as ``account_type`` or
``billing_type``; JSON lines may have an object ``types`` instead. Empty values are none.

Of a project of keystone every attribute that is not keystone's own is a type, if it is a text or a
whole number, and so is every tag of the form ``account_type=managed``; attributes come first.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import msgspec
import polars as pl

from stackanalytics.errors import InputError, SourceError
from stackanalytics.sources import files
from stackanalytics.sources.cloud import check_installed, connected

if TYPE_CHECKING:
    from openstack.connection import Connection

_PACKED = (".gz", ".zst")
_LINES = (".jsonl", ".ndjson", ".json")
_OF_KEYSTONE = frozenset(
    ("id", "name", "description", "domain_id", "parent_id", "enabled", "is_domain", "links", "options", "tags")
)


class ToldTenant(NamedTuple):
    """A tenant as a source tells it."""

    tenant: str
    name: str | None
    types: Mapping[str, str]


class _Page(msgspec.Struct):
    """A page of projects, as keystone tells it."""

    projects: list[dict[str, Any]]
    links: dict[str, str | None] = {}
    truncated: bool = False


def tenants_of_file(path: Path) -> list[ToldTenant]:
    """Return the tenants that a file tells.

    Raises
    ------
    InputError
        If the file is missing, or cannot be understood.
    """
    return [_tenant(row, origin) for row, origin in _rows(path)]


def tenants_of_cloud(cloud: str) -> list[ToldTenant]:
    """Return the projects of a cloud of ``clouds.yaml`` (``envvars`` for the one of the ``OS_…`` variables).

    Raises
    ------
    InputError
        If there is no such cloud, or the extra ``openstack`` is not installed.
    SourceError
        If the cloud cannot be reached, refuses, breaks off, or does not tell all of its projects.
    """
    check_installed()
    with connected(cloud) as connection:
        return [_project(told) for told in _projects(connection)]


def _projects(connection: "Connection") -> Iterator[Mapping[str, Any]]:
    """Yield the projects of all pages; openstacksdk would not follow keystone's links to the next one."""
    from openstack.exceptions import raise_from_response

    identity: Any = connection.identity
    asked: set[str] = set()
    following: str | None = ""
    while following is not None:
        asked.add(following)
        # the link may name another host than keystone is reached by
        answer = identity.get("/projects", params=parse_qs(following))
        raise_from_response(answer)
        try:
            page = msgspec.json.decode(answer.content, type=_Page)
        except msgspec.DecodeError as problem:
            raise SourceError(f"{answer.url} answers something else than projects: {problem}") from problem
        yield from page.projects
        link = page.links.get("next")
        following = urlsplit(link).query if link else None
        if (page.truncated and following is None) or following in asked:
            raise SourceError(
                "keystone does not tell all projects: it cuts the list off (list_limit in keystone.conf), and links"
                " to no further page. Raise its limit, or give a file of tenants"
            )


def _project(told: Mapping[str, Any]) -> ToldTenant:
    tags = [tag.partition("=") for tag in told.get("tags", ())]
    types = {name: value for name, _, value in tags if name and value}
    for name, value in told.items():
        if name not in _OF_KEYSTONE and isinstance(value, str | int) and not isinstance(value, bool):
            types[name] = str(value)
    return ToldTenant(told["id"], told.get("name") or None, {name: value for name, value in types.items() if value})


def _rows(path: Path) -> Iterator[tuple[Mapping[str, Any], str]]:
    suffix = next((suffix for suffix in reversed(path.suffixes) if suffix.lower() not in _PACKED), "").lower()
    if suffix in _LINES:
        yield from _lines(path)
        return
    try:
        if suffix == ".parquet":
            frame = pl.read_parquet(path, glob=False)
        elif suffix == ".csv":
            frame = pl.read_csv(path, infer_schema=False)
        else:
            raise InputError(f"{path} tells no tenants: its name must end in .parquet, .csv or .jsonl")
    except FileNotFoundError:
        raise InputError(f"no such file: {path}") from None
    except (pl.exceptions.PolarsError, OSError) as problem:
        raise InputError(f"{path} cannot be read as {suffix[1:]}: {problem}") from problem
    for number, row in enumerate(frame.iter_rows(named=True), 1):
        yield row, f"{path}, row {number}"


def _lines(path: Path) -> Iterator[tuple[Mapping[str, Any], str]]:
    for chunk in files.read([path]):
        if chunk.problem:
            raise InputError(f"{path} cannot be read to its end: {chunk.problem}")
        for number, line in enumerate(chunk.messages, chunk.first):
            if line.strip():
                origin = f"{chunk.origin}, line {number}"
                try:
                    yield msgspec.json.decode(line, type=dict[str, Any]), origin
                except msgspec.DecodeError as problem:
                    raise InputError(f"{origin}, is no tenant: {problem}") from problem


def _tenant(row: Mapping[str, Any], origin: str) -> ToldTenant:
    if not (tenant := _text(row.get("tenant"), "tenant", origin)):
        raise InputError(f"{origin}, names no tenant; it has {', '.join(row) or 'nothing'}")
    told = row.get("types")
    types = told if isinstance(told, Mapping) else {name: row[name] for name in row if name not in ("tenant", "name")}
    texts = {name: _text(value, name, origin) for name, value in types.items()}
    known = {name: value for name, value in texts.items() if value}
    return ToldTenant(tenant, _text(row.get("name"), "name", origin), known)


def _text(value: object, name: str, origin: str) -> str | None:
    if isinstance(value, list | dict | float | bool):
        raise InputError(f"{origin}: {name} is {value!r}, but must be a text or a whole number")
    return None if value is None else str(value).strip() or None
