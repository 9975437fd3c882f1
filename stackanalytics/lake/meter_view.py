"""Samples as a DuckDB view: what was posted, and what definitions of meters make of the notifications.

``samples`` are all of them, a row a sample: ``measured_at``, ``meter``, ``meter_type``, ``unit``,
``volume``, ``resource``, ``tenant``, ``user``, ``source``, ``metadata`` (JSON), ``recorded_at``, ``sample_id``,
and ``date``, the day of ``measured_at``, by which queries should restrict what they read;
``notification_id`` is that of the notification, null where there is none, and ``posted_context`` the metadata of posted
samples alone. A column that a query does not ask for is not computed; ``metadata`` is there where a query names it.

What notifications measure is stored up to one of them; what later ones tell is found when it is asked for. So is what
has a constant volume, such as that an instance exists: it is never stored. Neither is the metadata of what
notifications tell: a query that asks for it reads them.

A value that is missing, or no number, yields no sample. What a deployment told in the versioned format
does not count where it told the same operation of the same request in the legacy format.

Source: Ceilometer's definitions of meters (``meters.yaml``) and its notification plug-ins.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from stackanalytics.lake.definition import Value, listed
from stackanalytics.lake.meter_definition import PLACEHOLDER, Calculation, Definition, Meter, may_be, values_of
from stackanalytics.lake.meter_state import Override
from stackanalytics.lake.statement import identifier, literal

DERIVED, DEFINITIONS = "stackanalytics.derived", "stackanalytics.definitions"
NAMESPACE = UUID("5a4dbd02-bc9b-5d0a-9e36-6dd0c8ba20b4")

_PHASE = re.compile(r"\.(start|end|error)?$")
_LAST = chr(0x10FFFF)
# what Python and Parquet's other readers can hold
_FIRST_INSTANT = "timestamptz '0001-01-01 00:00:00+00'"
_LAST_INSTANT = "timestamptz '9999-12-31 23:59:59.999999+00'"
_HEX = "0123456789abcdef"

# These macros call others rather than having subqueries, which would keep conditions from reaching the notifications.

UUID_OF_HASH = f"""
create macro uuid_of_hash(h) as
    substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-5' || substr(h, 14, 3) || '-'
    || substr('{"89ab" * 4}', instr('{_HEX}', substr(h, 17, 1)), 1) || substr(h, 18, 3) || '-' || substr(h, 21, 12)
"""

# a uuid of version 5, as RFC 9562 makes it of a name
UUID5 = f"create macro uuid5(name) as uuid_of_hash(sha1(unhex('{NAMESPACE.hex}') || encode(name)))"

# of several names that become one, the first counts
FIRST_OF_EACH_NAME = """
create macro first_of_each_name(entries) as list_filter(
    entries, lambda entry, place: list_position(list_transform(entries, lambda each: each.k), entry.k) = place
)
"""

# what users told about their resources under names that begin with metering.
METERING = """
create macro metering(told) as to_json(map_from_entries(first_of_each_name(list_transform(
    list_sort(list_distinct(list_filter(json_keys(told), lambda key: starts_with(key, 'metering.')))),
    lambda key: {
        k: replace(key[10:], '.', '_'),
        v: json_extract_string(told, '/' || replace(replace(key, '~', '~0'), '/', '~1'))[:256]
    }
))))
"""

# only nova has a versioned format, in which clouds tell what they tell in the other, too
METERED_ONCE = """
create view metered_once as
select * exclude (event_type), event_type as sent_event_type, concat_ws('.', operation, phase) as event_type
from (
    from notifications where format = 'legacy'
    union all by name
    select mine.* from (from notifications where format = 'versioned') as mine
    anti join (
        select instance, request_id, deployment, operation, phase
        from notifications
        where format = 'legacy' and instance in (select instance from notifications where format = 'versioned')
    ) as twin
        on mine.instance = twin.instance and mine.request_id is not distinct from twin.request_id
        and mine.deployment = twin.deployment and mine.operation = twin.operation
        and mine.phase is not distinct from twin.phase
)
"""

_PAYLOAD = """coalesce(try(json_extract(body, '$.payload."nova_object.data"')), try(json_extract(body, '$.payload')))"""
METER_NOUNS = (UUID_OF_HASH, UUID5, FIRST_OF_EACH_NAME, METERING, METERED_ONCE)
EVENT_TYPES = "select distinct operation, phase from notifications"

_COLUMNS = (
    'measured_at, date, notification_id, meter, meter_type, unit, volume, resource, tenant, "user", source, metadata, '
    "recorded_at, sample_id, posted_context"
)
_STORED = """
select * exclude (metadata), null::json as metadata, metadata as posted_context
from stored_samples
"""
_POSTED = """
select * replace (cast(metadata as json) as metadata), metadata as posted_context
from stored_samples
where notification_id is null
"""

# what samples are made of, whatever defines them
_READ = (
    *("id", "date", "generated_at", "landed_at", "deployment", "message_id", "event_type", "operation", "phase"),
    *("format", "instance", "request_id", "publisher_id", "body"),
)

# legacy notifications, among those that are not derived yet, that tell what versioned ones told before
_TOLD_AGAIN = """
select mine.id
from (from notifications where format = 'versioned' and not ({pending})) as mine
semi join (from notifications where format = 'legacy' and instance is not null and ({looked_at})) as twin
    on mine.instance = twin.instance and mine.request_id is not distinct from twin.request_id
    and mine.deployment = twin.deployment and mine.operation = twin.operation
    and mine.phase is not distinct from twin.phase
"""


@dataclass(frozen=True, slots=True)
class Derivation:
    """What is stored of what notifications measure.

    ``last_id`` is the id of the last notification that was derived. ``stale`` are the ids of those that must be
    derived again, with how often they were replaced; in SQL the ids are ``stale_ids``. ``is_complete`` tells that
    there is nothing after it, and ``is_ahead`` that more is stored than the notifications at hand yield, since these
    are of a former version.
    """

    last_id: int
    stale: Mapping[int, int]
    is_complete: bool
    is_ahead: bool = False

    @property
    def pending(self) -> str:
        """The condition that a notification has to be derived yet."""
        later = f"id > {self.last_id}"
        return f"{later} or id in (from stale_ids)" if self.stale else later

    @property
    def has_pending(self) -> bool:
        """Whether any notification may have to be."""
        return bool(self.stale) or not self.is_complete


def samples_view(
    definitions: Iterable[Definition],
    derivation: Derivation,
    *,
    overrides: Mapping[str, Override],
    hidden: Collection[str],
    of_meters: Collection[str] | None = None,
    has_metadata: bool = True,
) -> str:
    """Return the statement that creates the view ``samples``.

    Parameters
    ----------
    definitions
        What notifications are samples of.
    derivation
        What of that is stored.
    overrides, hidden
        What was decided about meters.
    of_meters
        The meters that are asked for; None for all.
    has_metadata
        Whether the metadata is asked for.
    """
    definitions = list(definitions)
    if of_meters is not None:
        possible = (may_be(definition, of_meters) for definition in definitions)
        definitions = [definition for definition in possible if definition is not None]
    parts = [_POSTED, *_derived(definitions)] if has_metadata else [_stored(derivation)]
    if not has_metadata:
        parts += _derived(existing(definitions))
        parts += _derived(measuring(definitions), derivation.pending) if derivation.has_pending else []
    union = "\nunion all by name\n".join(f"(select {_COLUMNS} from ({part}))" for part in parts)
    kept = "" if has_metadata else "exclude (metadata)"
    shown = f"where meter not in ({', '.join(map(literal, sorted(hidden)))})" if hidden else ""
    return f"create view samples as select * {kept} {_replaced(overrides)} from ({union}) {shown}"


def derived_samples(definitions: Iterable[Definition], criterion: str) -> str:
    """Return the query for the samples that meters measure of the notifications that meet a criterion."""
    parts = _derived(measuring(definitions), criterion) or [f"{_STORED} where false"]
    union = "\nunion all by name\n".join(f"({part})" for part in parts)
    return f"select {_COLUMNS.replace('metadata', 'null::varchar as metadata')} from ({union})"


def columns_read(definitions: Iterable[Definition]) -> set[str]:
    """Return the columns of notifications that samples are made of."""
    return {*_READ, *(value for definition in definitions for value in values_of(definition))}


def told_again(derivation: Derivation, *, until: int | None = None) -> str:
    """Return the query for the ids of derived notifications that pending ones tell in the legacy format.

    Those that are pending are looked at up to the id *until*, or all of them.
    """
    looked_at = derivation.pending if until is None else f"id <= {until} and ({derivation.pending})"
    return _TOLD_AGAIN.format(pending=derivation.pending, looked_at=looked_at)


def measuring(definitions: Iterable[Definition]) -> list[Definition]:
    """Return the definitions with those of their meters that measure something."""
    return _with(definitions, lambda meter: not isinstance(meter.volume, float))


def existing(definitions: Iterable[Definition]) -> list[Definition]:
    """Return the definitions with those of their meters that have one volume: that something exists."""
    return _with(definitions, lambda meter: isinstance(meter.volume, float))


def _with(definitions: Iterable[Definition], is_meant: Callable[[Meter], bool]) -> list[Definition]:
    chosen = ((definition, [*filter(is_meant, definition.meters)]) for definition in definitions)
    return [definition.only(meters) for definition, meters in chosen if meters]


def _stored(derivation: Derivation) -> str:
    known = f"{_STORED} where notification_id is null or notification_id <= {derivation.last_id}"
    if not derivation.has_pending:
        return known if derivation.is_ahead else _STORED
    stale = f"notification_id not in ({told_again(derivation)})"
    if derivation.stale:
        stale += " and notification_id not in (from stale_ids)"
    return f"{known} and {stale}"


def _replaced(overrides: Mapping[str, Override]) -> str:
    """Return what of the columns is replaced by what was decided about meters."""
    units = {name: override.unit for name, override in overrides.items() if override.unit is not None}
    types = {name: override.meter_type for name, override in overrides.items() if override.meter_type is not None}
    replaced = [_decided("unit", units), _decided("meter_type", types)]
    return f"replace ({', '.join(filter(None, replaced))})" if units or types else ""


def _decided(column: str, values: Mapping[str, str]) -> str:
    cases = " ".join(f"when {literal(name)} then {literal(value)}" for name, value in values.items())
    return f"case meter {cases} else {column} end as {column}" if values else ""


def _derived(definitions: Iterable[Definition], criterion: str = "true") -> list[str]:
    return [_select(definition, criterion) for definition in definitions]


def _select(definition: Definition, criterion: str) -> str:
    measured_at, day = _time(definition.measured_at)
    numbers = ", ".join(f"({number})" for number in range(len(definition.meters)))
    return f"""
    select *, 'openstack' as source, null::varchar as posted_context,
        uuid5(concat_ws(chr(0), coalesce(deployment, ''), coalesce(message_id, ''),
            event_type, generated_at, meter, resource, volume, place)) as sample_id
    from (
        select {measured_at} as measured_at, {day} as date, id as notification_id, message_id, deployment,
            generated_at, event_type, place, {_value(definition.resource)} as resource,
            {_value(definition.project)} as tenant, {_value(definition.user)} as "user",
            {_metadata(definition)} as metadata, landed_at as recorded_at,
            {_by_number(_name(meter) for meter in definition.meters)} as meter,
            {_by_number(_text(meter.type) for meter in definition.meters)} as meter_type,
            coalesce({_by_number(_text(meter.unit) for meter in definition.meters)}, '') as unit,
            {_by_number(_volume(meter) for meter in definition.meters)} as volume
        from ({_measured(definition, criterion)}) cross join (values {numbers}) as meters(number)
    )
    where resource is not null and measured_at is not null and isfinite(volume) and meter is not null
        and meter_type in ('gauge', 'delta', 'cumulative')
    """


def _measured(definition: Definition, criterion: str) -> str:
    """Return the notifications that meet a criterion, and what each of their elements is."""
    told = _with_paths(
        f"from metered_once where {_matches(definition.event_types)} and ({criterion})",
        {_listed_path(value) for value in (*values_of(definition), definition.user_metadata or "") if value[:1] == "$"},
    )
    if definition.each is None:
        return f"select *, null::json as element, 1 as place from ({told})"
    elements = f"coalesce({', '.join(map(_elements, listed(definition.each)))})"
    return f"""
    select * exclude (elements), unnest(elements) as element, generate_subscripts(elements, 1) as place
    from (select *, {elements} as elements from ({told}))
    """


def _with_paths(told: str, paths: Collection[str]) -> str:
    """Return notifications with what stands at paths of their bodies, read in one go, as columns of these names."""
    if not paths:
        return told
    listed = ", ".join(map(literal, sorted(paths)))
    columns = ", ".join(f"said[{place}] as {identifier(path)}" for place, path in enumerate(sorted(paths), 1))
    return f"select * exclude (said), {columns} from (select *, try(json_extract(body, [{listed}])) as said {told})"


def _listed_path(path: str) -> str:
    return path.removesuffix("[*]")


def _by_number(expressions: Iterable[str]) -> str:
    cases = " ".join(f"when {number} then {expression}" for number, expression in enumerate(expressions))
    return f"case number {cases} end"


def _matches(patterns: list[str]) -> str:
    told = " or ".join(
        f"event_type glob {literal(pattern)}" if "*" in pattern else f"event_type = {literal(pattern)}"
        for pattern in patterns
    )
    return f"({told}) and {_operations(patterns)}"


def _operations(patterns: list[str]) -> str:
    """Return what the above implies for a column, by which rows are left out before their bodies are read."""
    prefixes = [pattern.partition("*")[0] for pattern in patterns]
    lowest = min(_PHASE.sub("", prefix) for prefix in prefixes)
    return f"operation between {literal(lowest)} and {literal(max(prefixes) + _LAST)}"


def _elements(path: str) -> str:
    if path.endswith("[*]"):
        return f"nullif(json_extract({identifier(_listed_path(path))}, '$[*]'), [])"
    return f"case when {_json(path)} is not null then [{_json(path)}] end"


def _time(value: str) -> tuple[str, str]:
    if value == "generated_at":
        return "generated_at", "date"
    told = f"try_cast({_one(value)} as timestamptz)"
    instant = f"coalesce(case when {told} between {_FIRST_INSTANT} and {_LAST_INSTANT} then {told} end, generated_at)"
    return instant, f"cast({instant} as date)"


def _name(meter: Meter) -> str:
    """Return the name of a meter; null where it is one that it does not have."""
    if not meter.other_than:
        return _text(meter.name)
    others = ", ".join(map(literal, meter.other_than))
    return f"case when {_text(meter.name)} not in ({others}) then {_text(meter.name)} end"


def _volume(meter: Meter) -> str:
    if not meter.when:
        return _measure(meter)
    criteria = " and ".join(f"{_one(value)} = {literal(text)}" for value, text in meter.when.items())
    return f"case when {criteria} then {_measure(meter)} end"


def _measure(meter: Meter) -> str:
    match meter.volume:
        case Calculation(between=(start, end)):
            return f"abs(epoch_us({_instant(end)}) - epoch_us({_instant(start)})) / 1e6"
        case Calculation(value, factor):
            return f"try_cast({_value(value)} as double) * {factor!r}"
        case float() | int():
            return f"{meter.volume!r}::double"
        case _:
            return f"try_cast({_value(meter.volume)} as double)"


def _instant(value: str) -> str:
    return f"try_cast({_one(value)} as timestamptz)"


def _metadata(definition: Definition) -> str:
    match definition.metadata:
        case "@":
            told = "element"
        case str() as path:
            told = f"coalesce({_json(path)}, json_object())"
        case dict() as mapped:
            pairs = (f"{literal(name)}, {_first_json(value)}" for name, value in mapped.items())
            told = f"json_object({', '.join(pairs)})"
        case _:
            told = _without_user_metadata(_PAYLOAD, definition.user_metadata)
    return f"json_merge_patch({told}, json_object('event_type', sent_event_type, 'host', publisher_id))"


def _without_user_metadata(told: str, path: str | None) -> str:
    if path is None:
        return told
    found = _json(path)
    *outer, last = path.split(".")[2:]
    patch = f"json_object({literal(last)}, null, 'user_metadata', metering({found}))"
    for name in reversed(outer):
        patch = f"json_object({literal(name)}, {patch})"
    return f"case json_type({found}) when 'OBJECT' then json_merge_patch({told}, {patch}) else {told} end"


def _text(template: str) -> str:
    """Return a text in which values stand in braces; null where one of them is not known."""
    pieces = PLACEHOLDER.split(template)
    parts = [_one(piece) if place % 2 else literal(piece) for place, piece in enumerate(pieces) if piece]
    return f"({' || '.join(parts) or literal('')})"


def _value(value: Value) -> str:
    values = [_text(one) if PLACEHOLDER.search(one) else _one(one) for one in listed(value)]
    return f"coalesce({', '.join(values)})" if values else "null::varchar"


def _first_json(value: Value) -> str:
    return f"coalesce({', '.join(_json(one) for one in listed(value))})"


def _one(value: str) -> str:
    if value[0] in "$@":
        return f"nullif(json_extract_string({_json(value)}, '$'), '')"
    return f'cast("{value}" as varchar)'


def _json(value: str) -> str:
    if value[0] == "$":
        return identifier(value)
    if value[0] == "@":
        return f"json_extract(element, {literal('$' + value[1:])})"
    return f'to_json("{value}")'
