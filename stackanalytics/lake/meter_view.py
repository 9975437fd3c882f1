"""Samples as a DuckDB view: what definitions of meters make of the notifications.

``samples`` are all of them, a row a sample: ``measured_at``, ``meter``, ``meter_type``, ``unit``,
``volume``, ``resource``, ``tenant``, ``user``, ``source``, ``metadata`` (JSON), ``recorded_at``, ``sample_id``,
and ``date``, the day of ``measured_at``, by which queries should restrict what they read;
``notification_id``, ``message_id`` and ``event_type`` tell of the notification. Nothing of a sample is stored:
a column that a query does not ask for is not computed.

A value that is missing, or no number, yields no sample. What a deployment told in the versioned format
does not count where it told the same operation of the same request in the legacy format.

Source: Ceilometer's definitions of meters (``meters.yaml``) and its notification plug-ins.
"""

import re
from collections.abc import Iterable
from uuid import UUID

from stackanalytics.lake.meter_definition import PLACEHOLDER, Calculation, Definition, Meter, Value, may_be

NAMESPACE = UUID("5a4dbd02-bc9b-5d0a-9e36-6dd0c8ba20b4")

_PHASE = re.compile(r"\.(start|end|error)?$")
_LAST = chr(0x10FFFF)
_HEX = "0123456789abcdef"

# a uuid of version 5, as RFC 9562 makes it of a name
UUID5 = f"""
create macro uuid5(name) as (
    with hashed as (select sha1(unhex('{NAMESPACE.hex}') || encode(name)) as h)
    select h[1:8] || '-' || h[9:12] || '-5' || h[14:16] || '-'
        || substr('{"89ab" * 4}', instr('{_HEX}', h[17]), 1) || h[18:20] || '-' || h[21:32]
    from hashed
)
"""

# what users told about their resources under names that begin with metering.
METERING = """
create macro metering(told) as (
    to_json(map_from_entries(list_transform(
        list_filter(json_keys(told), lambda key: starts_with(key, 'metering.')),
        lambda key: {k: replace(key[10:], '.', '_'), v: json_extract_string(told, '/' || key)[:256]}
    )))
)
"""

METERED = """
create view metered as
select * exclude (event_type), event_type as sent_event_type, concat_ws('.', operation, phase) as event_type
from notifications
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
METER_NOUNS = (UUID5, METERING, METERED, METERED_ONCE)

_NOTHING = """
select null::timestamptz as measured_at, null::date as date, null::bigint as notification_id,
    null::varchar as message_id, null::varchar as event_type, null::varchar as meter, null::varchar as meter_type,
    null::varchar as unit, null::double as volume, null::varchar as resource, null::varchar as tenant,
    null::varchar as user, 'openstack' as source, null::json as metadata, null::timestamptz as recorded_at,
    null::varchar as sample_id, null::bigint as place
where false
"""


def samples_view(definitions: Iterable[Definition], *, of_meter: str | None = None) -> str:
    """Return the statement that creates the view ``samples``; of one meter, where it is named."""
    if of_meter is not None:
        possible = (may_be(definition, of_meter) for definition in definitions)
        definitions = [definition for definition in possible if definition is not None]
    union = "\nunion all by name\n".join(f"({_select(definition)})" for definition in definitions)
    return f"create view samples as {union or _NOTHING}"


def _select(definition: Definition) -> str:
    measured_at, day = _time(definition.measured_at)
    numbers = ", ".join(f"({number})" for number in range(len(definition.meters)))
    return f"""
    select *, 'openstack' as source, uuid5(concat_ws(chr(0), coalesce(deployment, ''), coalesce(message_id, ''),
            event_type, generated_at, meter, resource, volume, place)) as sample_id
    from (
        select {measured_at} as measured_at, {day} as date, id as notification_id, message_id, deployment,
            generated_at, event_type, place, {_value(definition.resource)} as resource,
            {_value(definition.project)} as tenant, {_value(definition.user)} as "user",
            {_metadata(definition)} as metadata, landed_at as recorded_at,
            {_by_number(_text(meter.name) for meter in definition.meters)} as meter,
            {_by_number(_text(meter.type) for meter in definition.meters)} as meter_type,
            coalesce({_by_number(_text(meter.unit) for meter in definition.meters)}, '') as unit,
            {_by_number(_volume(meter) for meter in definition.meters)} as volume
        from ({_measured(definition)}) cross join (values {numbers}) as meters(number)
    )
    where resource is not null and measured_at is not null and isfinite(volume) and meter is not null
        and meter_type in ('gauge', 'delta', 'cumulative')
    """


def _measured(definition: Definition) -> str:
    """Return the notifications, and what each of their elements is."""
    told = f"from {_source(definition.event_types)} where {_matches(definition.event_types)}"
    if definition.each is None:
        return f"select *, null::json as element, 1 as place {told}"
    elements = f"coalesce({', '.join(map(_elements, _listed(definition.each)))})"
    return f"""
    select * exclude (elements), unnest(elements) as element, generate_subscripts(elements, 1) as place
    from (select *, {elements} as elements {told})
    """


def _by_number(expressions: Iterable[str]) -> str:
    cases = " ".join(f"when {number} then {expression}" for number, expression in enumerate(expressions))
    return f"case number {cases} end"


def _source(patterns: Iterable[str]) -> str:
    return "metered_once" if any(pattern.startswith(("compute.", "*")) for pattern in patterns) else "metered"


def _matches(patterns: list[str]) -> str:
    told = " or ".join(
        f"event_type glob {_literal(pattern)}" if "*" in pattern else f"event_type = {_literal(pattern)}"
        for pattern in patterns
    )
    return f"({told}) and {_operations(patterns)}"


def _operations(patterns: list[str]) -> str:
    """Return what the above implies for a column, by which rows are left out before their bodies are read."""
    prefixes = [pattern.partition("*")[0] for pattern in patterns]
    lowest = min(_PHASE.sub("", prefix) for prefix in prefixes)
    return f"operation between {_literal(lowest)} and {_literal(max(prefixes) + _LAST)}"


def _elements(path: str) -> str:
    if path.endswith("[*]"):
        return f"nullif(try(json_extract(body, {_literal(path)})), [])"
    return f"case when {_json(path)} is not null then [{_json(path)}] end"


def _time(value: str) -> tuple[str, str]:
    if value == "generated_at":
        return "generated_at", "date"
    instant = f"coalesce(try_cast({_one(value)} as timestamptz), generated_at)"
    return instant, f"cast({instant} as date)"


def _volume(meter: Meter) -> str:
    if not meter.when:
        return _measure(meter)
    criteria = " and ".join(f"{_one(value)} = {_literal(text)}" for value, text in meter.when.items())
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
        case dict() as mapped:
            pairs = (f"{_literal(name)}, {_first_json(value)}" for name, value in mapped.items())
            told = f"json_object({', '.join(pairs)})"
        case _:
            told = _without_user_metadata(_PAYLOAD, definition.user_metadata)
    return f"json_merge_patch({told}, json_object('event_type', sent_event_type, 'host', publisher_id))"


def _without_user_metadata(told: str, path: str | None) -> str:
    if path is None:
        return told
    found = _json(path)
    *outer, last = path.split(".")[2:]
    patch = f"json_object({_literal(last)}, null, 'user_metadata', metering({found}))"
    for name in reversed(outer):
        patch = f"json_object({_literal(name)}, {patch})"
    return f"case json_type({found}) when 'OBJECT' then json_merge_patch({told}, {patch}) else {told} end"


def _text(template: str) -> str:
    """Return a text in which values stand in braces; null where one of them is not known."""
    pieces = PLACEHOLDER.split(template)
    parts = [_one(piece) if place % 2 else _literal(piece) for place, piece in enumerate(pieces) if piece]
    return f"({' || '.join(parts) or _literal('')})"


def _value(value: Value) -> str:
    values = [_text(one) if PLACEHOLDER.search(one) else _one(one) for one in _listed(value)]
    return f"coalesce({', '.join(values)})" if values else "null::varchar"


def _first_json(value: Value) -> str:
    return f"coalesce({', '.join(_json(one) for one in _listed(value))})"


def _one(value: str) -> str:
    if value[0] in "$@":
        return f"nullif(json_extract_string({_json(value)}, '$'), '')"
    return f'cast("{value}" as varchar)'


def _json(value: str) -> str:
    if value[0] == "$":
        return f"try(json_extract(body, {_literal(value)}))"
    if value[0] == "@":
        return f"json_extract(element, {_literal('$' + value[1:])})"
    return f'to_json("{value}")'


def _listed(value: Value) -> list[str]:
    return value if isinstance(value, list) else [value]


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
