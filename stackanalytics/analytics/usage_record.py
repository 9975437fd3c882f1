"""Usage records as lists are made of them: by any field, in any order, a page at a time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Literal, TypeAlias

import polars as pl

from stackanalytics import times
from stackanalytics.analytics import usage
from stackanalytics.analytics.period import bounds_and_days
from stackanalytics.errors import InputError
from stackanalytics.lake import Lake
from stackanalytics.schema import polars_schema

Noun: TypeAlias = Literal["launches", "deletes", "exists", "images", "image_deletes", "image_exists"]
Values: TypeAlias = Mapping[str, object]
Lists: TypeAlias = Mapping[str, list[object]]

IDS_A_NOTIFICATION = 1024
FIRST_SPAN, GROWTH = 20_000, 16

_NOTHING: Values = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Kind:
    """A noun: its columns, the SQL that yields it, and the column of its subject, with the table's name for it."""

    columns: tuple[str, ...]
    source: str
    subject: str
    holding: str | None
    is_of_one_notification: bool = False
    has_parts: bool = False


_KINDS: Mapping[str, _Kind] = MappingProxyType(
    {
        "launches": _Kind(usage.LAUNCH_COLUMNS, "launches_of($subject)", "instance", "instance"),
        "deletes": _Kind(usage.DELETE_COLUMNS, "deletes_of($subject)", "instance", "instance"),
        "exists": _Kind(
            usage.EXISTS_COLUMNS, "exists_of($subject, $first_day, $last_day)", "instance", "instance", True
        ),
        "images": _Kind(usage.IMAGE_COLUMNS, "images", "image", "resource"),
        "image_deletes": _Kind(usage.IMAGE_DELETE_COLUMNS, "image_deletes", "image", "resource"),
        "image_exists": _Kind(
            usage.IMAGE_EXISTS_COLUMNS, "image_exists_of($first_day, $last_day)", "image", None, has_parts=True
        ),
    }
)


@dataclass(frozen=True)
class Criteria:
    """What records must meet: columns that equal a value, or lie within bounds that are included.

    The empty text equals what is not known.
    """

    equal: Values = field(default_factory=dict)
    at_least: Values = field(default_factory=dict)
    at_most: Values = field(default_factory=dict)

    @property
    def columns(self) -> set[str]:
        """The columns that matter."""
        return {*self.equal, *self.at_least, *self.at_most}

    def only(self, columns: Sequence[str]) -> "Criteria":
        """Return what is asked of some columns."""
        return Criteria(*({name: value for name, value in values.items() if name in columns} for values in self._all()))

    def sql(self) -> tuple[str, dict[str, object]]:
        """Return the criteria as SQL, with their parameters."""
        written, parameters = ["true"], {}
        for prefix, sign, values in zip(("equal", "least", "most"), ("=", ">=", "<="), self._all(), strict=True):
            for name, value in values.items():
                if value == "":
                    written.append(f'"{name}" is null')
                else:
                    written.append(f'"{name}" {sign} ${prefix}_{name}')
                    parameters[f"{prefix}_{name}"] = value
        return " and ".join(written), parameters

    def _all(self) -> tuple[Values, Values, Values]:
        return self.equal, self.at_least, self.at_most


def usage_records(
    lake: Lake,
    *,
    noun: Noun,
    id: int | None = None,
    among: Mapping[str, Iterable[object]] | None = None,
    criteria: Criteria | None = None,
    order_by: str = "id",
    descending: bool = False,
    limit: int | None = None,
    offset: int = 0,
    columns: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Return usage records of one kind, a page of them, by any column.

    Parameters
    ----------
    lake
        The lake to ask.
    noun
        Which: ``launches``, ``deletes``, ``exists``, ``images``, ``image_deletes``, ``image_exists``.
    id
        Only the one with this id, for which the lake is not searched.
    among
        Only those of which columns have one of some values.
    criteria
        Only those that meet all of them.
    order_by, descending
        Column to order by, and whether the highest comes first; of equal ones the ``id`` decides. What
        is not known counts as lowest.
    limit, offset
        At most so many, after leaving out so many; None for all.
    columns
        Columns to return; None for all.

    Returns
    -------
    polars.DataFrame
        A row a record, with the columns of the function of that name in
        :mod:`stackanalytics.analytics.usage`.

    Raises
    ------
    InputError
        If the records have no such column.

    Source: as :mod:`stackanalytics.analytics.usage` tells.

    Examples
    --------
    >>> usage_records(lake, noun="deletes", limit=10).columns
    ['id', 'instance', 'launched_at', 'deleted_at', 'deployment', 'host']
    """
    kind, criteria, among = _KINDS[noun], criteria or Criteria(), among or {}
    shown = tuple(columns or kind.columns)
    check_columns({*criteria.columns, *among, *shown, order_by}, kind.columns)
    criteria, among = _singled_out(criteria, {name: list(dict.fromkeys(values)) for name, values in among.items()})
    found = _Search(lake, kind, criteria, among, shown, order(order_by, descending), limit, offset)
    if id is not None:
        return found.one(id)
    if kind.is_of_one_notification and limit is not None and order_by == "id" and descending:
        return found.newest()
    return found.all()


def _singled_out(criteria: Criteria, among: Lists) -> tuple[Criteria, Lists]:
    """Return lists of one value as criteria instead, for which the lake is searched faster."""
    single = {
        name: values[0]
        for name, values in among.items()
        if len(values) == 1 and values[0] != "" and name not in criteria.equal
    }
    lists = {name: values for name, values in among.items() if name not in single}
    return replace(criteria, equal={**criteria.equal, **single}), lists


def check_columns(asked: set[str], known: Sequence[str]) -> None:
    """Refuse columns that records do not have."""
    for name in sorted(asked - set(known)):
        raise InputError(f"No such field '{name}'. The fields are {', '.join(known)}")


def order(column: str, descending: bool) -> str:
    """Return the order of records by a column, then by id, as SQL; what is not known counts as lowest."""
    direction = "desc nulls last" if descending else "asc nulls first"
    return f'"{column}" {direction}' + ("" if column == "id" else f", id {direction}")


@dataclass(frozen=True)
class _Search:
    """A question for records of one kind, and the ways to answer it."""

    lake: Lake
    kind: _Kind
    criteria: Criteria
    among: Lists
    columns: tuple[str, ...]
    order: str
    limit: int | None
    offset: int

    def all(self, also: str = "true", parameters: Values = _NOTHING, *, days: Values | None = None) -> pl.DataFrame:
        """Return the records that meet the criteria, and another one that is given as SQL."""
        if [] in self.among.values():
            return pl.DataFrame(schema=polars_schema(*self.columns))
        written, values = self.criteria.sql()
        listed, frames = self._listed()
        subject = self.criteria.equal.get(self.kind.subject) or None
        inputs = {"subject": subject, **(days or self._days())}
        return self.lake.sql(
            f"""
            select {", ".join(f'"{name}"' for name in self.columns)}
            from {self.kind.source}
            where {written} and {listed} and {also}
            order by {self.order}
            limit $limit offset $offset
            """,
            {
                **{name: value for name, value in inputs.items() if f"${name}" in self.kind.source},
                **values,
                **parameters,
                "limit": self.limit,
                "offset": self.offset,
            },
            holding={self.kind.holding: str(subject)} if self.kind.holding and subject else None,
            frames=frames,
        ).cast(polars_schema(*self.columns))

    def one(self, id: int) -> pl.DataFrame:
        """Return the record with an id: that of a notification, which tells what it is about."""
        notification = id // IDS_A_NOTIFICATION if self.kind.has_parts else id
        about = self.lake.sql(
            "select instance, resource as image, generated_at from notifications where id = $id",
            {"id": notification},
            holding={"id": notification},
        )
        if about.is_empty():
            return self.all("false")
        if self.kind.has_parts:
            at = about["generated_at"][0]
            return self.all("id = $id", {"id": id}, days=bounds_and_days(at, times.just_after(at)))
        subject = {self.kind.subject: about[self.kind.subject][0] or ""}
        criteria = replace(self.criteria, equal={**self.criteria.equal, **subject})
        return replace(self, criteria=criteria).all("id = $id", {"id": id})

    def newest(self) -> pl.DataFrame:
        """Return the newest records: those of ever more notifications, from the last, until there are enough."""
        highest = max((file.last_id or 0 for file in self.lake.files("notifications")), default=0)
        span, enough = FIRST_SPAN, self.offset + (self.limit or 0)
        while span < highest:
            found = replace(self, limit=enough, offset=0).all("id > $above", {"above": highest - span})
            if found.height == enough:
                return found.slice(self.offset)
            span *= GROWTH
        return self.all()

    def _listed(self) -> tuple[str, dict[str, pl.DataFrame]]:
        """Return the criterion of lists of values as SQL, and the lists."""
        frames = {
            f"wanted_{name}": pl.DataFrame({name: values}, schema=polars_schema(name))
            for name, values in self.among.items()
        }
        return " and ".join(["true", *(f'"{name}" in (from wanted_{name})' for name in self.among)]), frames

    def _days(self) -> Values:
        """Return the days that the records can have been received in."""
        start, last = self.criteria.at_least.get("received_at"), self.criteria.at_most.get("received_at")
        end = times.just_after(last) if isinstance(last, datetime) else None
        return bounds_and_days(start if isinstance(start, datetime) else None, end)
