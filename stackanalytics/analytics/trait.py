"""Traits of events: what notifications tell beside their type and time, by names that services share.

Which events have which traits is told by :mod:`stackanalytics.analytics.trait_definition`.

Source: Ceilometer's definitions of events (``event_definitions.yaml``) of its release 7.0.0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

import polars as pl

from stackanalytics import times
from stackanalytics.analytics.meter_query import OPERATORS
from stackanalytics.analytics.period import bounds_and_days
from stackanalytics.analytics.trait_definition import Kind, Traits, definitions, traits_of
from stackanalytics.errors import InputError
from stackanalytics.lake import Lake
from stackanalytics.lake.definition import Value, listed
from stackanalytics.lake.statement import literal
from stackanalytics.schema import polars_schema

EVENT_COLUMNS = ("id", "message_id", "event_type", "generated_at")
TRAIT_COLUMNS = ("id", "trait", "trait_type", "value")
LONGEST_TEXT = 255
AT_ONCE = 2_000  # bodies that are in memory

# what a value is cast to, so that it can be compared
_TYPES: Mapping[str, str] = MappingProxyType(
    {"string": "varchar", "integer": "bigint", "float": "double", "datetime": "timestamptz"}
)

_SPELLED = "concat_ws('.', operation, phase)"
_FOUND = """
from notifications
where ($event_type::varchar is null or event_type = $event_type)
    and ($message_id::varchar is null or message_id = $message_id)
    and ($start::timestamptz is null or generated_at >= $start)
    and ($end::timestamptz is null or generated_at < $end)
    and ($first_day::date is null or date >= $first_day)
    and ($last_day::date is null or date <= $last_day)
"""


@dataclass(frozen=True, slots=True)
class TraitCondition:
    """What a trait of an event must be: of a type, and in a relation to a value; ``or_absent``, or not there."""

    trait: str
    op: str
    value: str | int | float | datetime
    kind: Kind = "string"
    or_absent: bool = False


def traited_events(
    lake: Lake,
    *,
    event_type: str | None = None,
    message_id: str | None = None,
    traits: Sequence[TraitCondition] = (),
    start: datetime | None = None,
    end: datetime | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> pl.DataFrame:
    """Return the events that have certain traits.

    Parameters
    ----------
    lake
        The lake to ask.
    event_type, message_id
        Only those of this type, as it was sent; only the one with this id.
    traits
        Only those that meet all conditions.
    start, end
        Only those of ``[start, end)``.
    limit, offset
        At most so many, after leaving out so many; None for all.

    Returns
    -------
    polars.DataFrame
        A row an event, in the order of time and then of ids, with ``id`` (Int64), ``message_id``, ``event_type``
        (String) and ``generated_at`` (Datetime, UTC).

    Raises
    ------
    InputError
        If a condition cannot be used.

    Source: all notifications.
    """
    found, parameters = _found(lake, event_type, message_id, traits, start, end)
    return lake.sql(
        f"""
        select id, message_id, event_type, generated_at {found}
        order by generated_at, message_id, event_type, id limit $limit offset $offset
        """,
        {**parameters, "limit": limit, "offset": offset},
    ).cast(polars_schema(*EVENT_COLUMNS))


def traited_event_count(
    lake: Lake,
    *,
    event_type: str | None = None,
    message_id: str | None = None,
    traits: Sequence[TraitCondition] = (),
    start: datetime | None = None,
    end: datetime | None = None,
) -> int:
    """Return how many events :func:`traited_events` finds without a limit; parameters are as there."""
    found, parameters = _found(lake, event_type, message_id, traits, start, end)
    return int(lake.sql(f"select count(*) {found}", parameters).item())


def event_traits(
    lake: Lake, *, ids: Sequence[int], start: datetime | None = None, end: datetime | None = None
) -> pl.DataFrame:
    """Return the traits of some events.

    Parameters
    ----------
    lake
        The lake to ask.
    ids
        Ids of the events.
    start, end
        Where known, ``[start, end)`` that all of them are in, so that no others need be looked at.

    Returns
    -------
    polars.DataFrame
        A row a trait that is known, in the order of ids and names, with ``id`` (Int64) of the event, ``trait``,
        ``trait_type`` (string, integer, float or datetime) and ``value`` (String): instants in ISO 8601 and UTC,
        texts cut to 255 characters.

    Source: all notifications.
    """
    told = [pl.DataFrame(schema=polars_schema(*TRAIT_COLUMNS))]
    for first in range(0, len(ids), AT_ONCE):
        page = lake.sql(
            f"""
            select *, {_SPELLED} as spelled from notifications
            where id in (select unnest($ids))
                and ($first_day::date is null or date >= $first_day) and ($last_day::date is null or date <= $last_day)
            """,
            {"ids": list(ids[first : first + AT_ONCE]), **_days(start, end)},
        )
        defined = definitions(lake.path)
        alike: dict[str, list[str]] = {}
        for spelled in page["spelled"].unique().sort():
            alike.setdefault(repr(traits_of(defined, spelled)), []).append(spelled)
        told += [
            _told(lake, page.filter(pl.col("spelled").is_in(names)), traits_of(defined, names[0]))
            for names in alike.values()
        ]
    return pl.concat(told).sort("id", "trait")


def trait_types(lake: Lake, *, event_type: str) -> pl.DataFrame:
    """Return which traits the events of a type have.

    Parameters
    ----------
    lake
        The lake to ask.
    event_type
        The type, as it was sent.

    Returns
    -------
    polars.DataFrame
        A row a trait that any of them has, texts, integers, floats, then datetimes, in the order of names, with
        ``trait`` and ``trait_type`` (String).

    Source: all notifications of the type.
    """
    known: dict[str, Kind] = {}
    for spelled, defined in _possible(lake, event_type).items():
        has = ", ".join(f"bool_or({_text(value)} is not null)" for _, value in defined.values())
        told = lake.sql(
            f"select {has} from notifications where event_type = $event_type and {_SPELLED} = $spelled",
            {"event_type": event_type, "spelled": spelled},
        ).row(0)
        known |= {name: kind for (name, (kind, _)), is_told in zip(defined.items(), told, strict=True) if is_told}
    ordered = sorted(known.items(), key=lambda pair: (list(_TYPES).index(pair[1]), pair[0]))
    return pl.DataFrame(ordered, schema=polars_schema("trait", "trait_type"), orient="row")


def trait_values(lake: Lake, *, event_type: str, trait: str, limit: int | None = None, offset: int = 0) -> pl.DataFrame:
    """Return what a trait is in the events of a type.

    Parameters
    ----------
    lake
        The lake to ask.
    event_type
        The type, as it was sent.
    trait
        Name of the trait.
    limit, offset
        At most so many, after leaving out so many; None for all.

    Returns
    -------
    polars.DataFrame
        A row an event that has the trait, in the order of :func:`traited_events`, with the columns of
        :func:`event_traits`.

    Source: all notifications of the type.
    """
    found = _values(lake, event_type, trait)
    empty = pl.DataFrame(schema=polars_schema(*TRAIT_COLUMNS))
    if found is None:
        return empty
    return lake.sql(
        f"""
        select id, $trait as trait, told.kind as trait_type, told.value as value {found}
        order by generated_at, message_id, id limit $limit offset $offset
        """,
        {"trait": trait, "event_type": event_type, "limit": limit, "offset": offset},
    ).cast(empty.schema)


def trait_value_count(lake: Lake, *, event_type: str, trait: str) -> int:
    """Return how many values :func:`trait_values` finds without a limit; parameters are as there."""
    found = _values(lake, event_type, trait)
    return 0 if found is None else int(lake.sql(f"select count(*) {found}", {"event_type": event_type}).item())


def _days(start: datetime | None, end: datetime | None) -> dict[str, object]:
    first_day, last_day = times.day_range(start, end)
    return {"first_day": first_day, "last_day": last_day}


def _possible(lake: Lake, event_type: str | None) -> dict[str, Traits]:
    """Return the traits that events of a type, or of all types, can have, by the legacy spellings of the types."""
    found = lake.sql(
        f"""
        select distinct {_SPELLED} as spelled from notifications
        where $event_type::varchar is null or event_type = $event_type order by spelled
        """,
        {"event_type": event_type},
    )
    defined = definitions(lake.path)
    return {spelled: traits_of(defined, spelled) for spelled in found["spelled"]}


def _values(lake: Lake, event_type: str, trait: str) -> str | None:
    """Return, as SQL, the events of a type that have a trait; None where none can have it."""
    possible = _possible(lake, event_type)
    expressions = {spelled: traits[trait] for spelled, traits in possible.items() if trait in traits}
    if not expressions:
        return None
    cases = " ".join(
        f"when {literal(spelled)} then {{kind: '{kind}', value: {_shown(kind, value)}}}"
        for spelled, (kind, value) in expressions.items()
    )
    return f"""
    from (select *, case {_SPELLED} {cases} end as told from notifications where event_type = $event_type)
    where told.value is not null
    """


def _told(lake: Lake, page: pl.DataFrame, defined: Traits) -> pl.DataFrame:
    traits = ", ".join(
        f"{{trait: {literal(name)}, trait_type: '{kind}', value: {_shown(kind, value)}}}"
        for name, (kind, value) in defined.items()
    )
    return lake.sql(
        f"""
        select id, told.trait as trait, told.trait_type as trait_type, told.value as value
        from (select id, unnest([{traits}]) as told from page)
        where told.value is not null
        """,
        frames={"page": page},
    ).cast(polars_schema(*TRAIT_COLUMNS))


def _found(
    lake: Lake,
    event_type: str | None,
    message_id: str | None,
    traits: Sequence[TraitCondition],
    start: datetime | None,
    end: datetime | None,
) -> tuple[str, dict[str, object]]:
    """Return what events are found by, as SQL with its parameters."""
    parameters: dict[str, object] = {
        "event_type": event_type,
        "message_id": message_id,
        **bounds_and_days(start, end),
    }
    possible = _possible(lake, event_type) if traits else {}
    written = [_FOUND]
    for number, condition in enumerate(traits):
        if condition.op not in OPERATORS:
            raise InputError(f"no operator {condition.op!r} for {condition.trait}; there are {', '.join(OPERATORS)}")
        told = _cases(condition, possible)
        compared = f"try_cast({told} as {_TYPES[condition.kind]}) {OPERATORS[condition.op]} $trait_{number}"
        absent = f" or {told} is null" if condition.or_absent else ""
        written.append(f"and ({compared}{absent})")
        parameters[f"trait_{number}"] = condition.value
    return "\n".join(written), parameters


def _cases(condition: TraitCondition, possible: Mapping[str, Traits]) -> str:
    """Return what a trait is in events of any type, as text; null where it is of another type."""
    by_value: dict[str, list[str]] = {}
    for spelled, traits in possible.items():
        kind, value = traits.get(condition.trait, (None, ""))
        if kind == condition.kind:
            by_value.setdefault(_text(value), []).append(spelled)
    cases = " ".join(
        f"when {_SPELLED} in ({', '.join(map(literal, spelled))}) then {text}" for text, spelled in by_value.items()
    )
    return f"(case {cases} end)" if cases else "null::varchar"


def _shown(kind: Kind, value: Value) -> str:
    """Return a trait as it is shown; null where it is not of its type."""
    if kind != "datetime":
        return f"cast(try_cast({_text(value)} as {_TYPES[kind]}) as varchar)"
    instant = f"try_cast({_text(value)} as timestamptz)"
    return f"replace(strftime({instant}, '%Y-%m-%dT%H:%M:%S.%f'), '.000000', '')"


def _text(value: Value) -> str:
    """Return a trait as text; null where it is not known."""
    told = ", ".join(_one(one) for one in listed(value))
    return f"left(coalesce({told}), {LONGEST_TEXT})"


def _one(value: str) -> str:
    if value.startswith("$"):
        return f"nullif(try(json_extract_string(body, {literal(value)})), '')"
    return f'cast("{value}" as varchar)'
