"""Verification: whether the exists records that are billed agree with the launches and deletes that happened."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import polars as pl

from stackanalytics import times
from stackanalytics.errors import InputError
from stackanalytics.lake import Lake
from stackanalytics.schema import polars_schema

ValidationLevel: TypeAlias = Literal["none", "basic", "all"]
FlavorField: TypeAlias = Literal["instance_type_id", "instance_flavor_id"]
Service: TypeAlias = Literal["nova", "glance"]

VALIDATION_LEVELS = ("none", "basic", "all")
FLAVOR_FIELDS = ("instance_type_id", "instance_flavor_id")
SERVICES = ("nova", "glance")
SETTLE_S = 300.0

REASON_COLUMNS = ("reason_kind", "reason_field", "reason_exists_value", "reason_other_value", "reason_entity")
VERDICT_COLUMNS = (
    *("service", "exists_id", "deployment", "host", "message_id", "resource"),
    *("audit_period_beginning", "audit_period_ending", "received_at", "verdict", *REASON_COLUMNS),
)


def verify(
    lake: Lake,
    *,
    service: Service = "nova",
    resources: Collection[str] | None = None,
    until: datetime,
    validation_level: ValidationLevel = "all",
    flavor_field: FlavorField = "instance_type_id",
    settle_s: float = SETTLE_S,
) -> pl.DataFrame:
    """Return what becomes of exists records when they are compared with launches and deletes.

    A record of nova must hold what it needs to (see *validation_level*); there must be a launch of its
    instance in the second that it names, with the same flavor, tenant and image metadata; and a
    deletion of that launch in the same second as its own, or, if it says that the instance lives,
    none up to the end of its period. A record that fails is compared once more with what nova itself
    said of the launch, if it was asked. A record of glance is compared with the activation and the
    deletion of its image.

    Of several launches in one second it is enough that one agrees; if all differ from the record, but
    not all in the same way, that is ambiguous.

    Parameters
    ----------
    lake
        The lake to ask.
    service
        ``nova`` or ``glance``.
    resources
        Only records about these instances or images (uuids).
    until
        The present: only records count whose audit period ended *settle_s* before it, or earlier.
    validation_level
        What a record of nova must hold. ``basic``: a tenant in hexadecimal digits and a flavor; ``all``:
        also rax_options, a number, and os_architecture, os_distro and os_version in letters, digits and
        dots, the last two unless the image was imported; ``none``: nothing.
    flavor_field
        The flavor that is compared, ``instance_type_id`` or ``instance_flavor_id``. Versioned
        notifications have only the latter, and no image metadata.
    settle_s
        Time that late notifications get [s].

    Returns
    -------
    polars.DataFrame
        A row a record, in the order of ``exists_id``, with

        * ``service`` (String), ``exists_id`` (Int64; the ``id`` in :func:`exists` or
          :func:`image_exists`), ``deployment``, ``host``, ``message_id`` (String)
        * ``resource`` (String): the instance or image
        * ``audit_period_beginning``, ``audit_period_ending``, ``received_at`` (Datetime, UTC)
        * ``verdict`` (String): ``verified``; ``reconciled``, if it agrees only with what nova itself
          said; ``failed``
        * ``reason_kind`` (String): why it is not verified: ``null_field``, ``wrong_type``,
          ``not_found``, ``ambiguous``, ``mismatch``, ``not_deleted`` (it lives, but a deletion says no)
        * ``reason_field`` (String): the field concerned, or those that were searched by
        * ``reason_exists_value``, ``reason_other_value`` (String): what the record and its counterpart
          have there, instants in UTC with microseconds
        * ``reason_entity`` (String): the kind of the counterpart, by StackTach's names:
          ``InstanceUsage``, ``InstanceDeletes``, ``InstanceReconcile``, ``ImageUsage``, ``ImageDeletes``

    Raises
    ------
    InputError
        If there is no such service, validation level or flavor field, or *settle_s* is negative.

    Source: the records of :func:`exists`, :func:`launches`, :func:`deletes` and their kin of images, and
    the reconciliations; StackTach's verifier.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> sa.verify(lake, until=datetime(2026, 3, 3, tzinfo=UTC)).height
    0
    """
    _check("service", service, SERVICES)
    _check("validation level", validation_level, VALIDATION_LEVELS)
    _check("flavor field", flavor_field, FLAVOR_FIELDS)
    if not settle_s >= 0:
        raise InputError(f"settle_s is {settle_s}; it cannot be negative")
    only = None if resources is None else sorted(set(resources))
    if only == []:
        return pl.DataFrame(schema=polars_schema(*VERDICT_COLUMNS))
    query = _GLANCE if service == "glance" else _nova(validation_level, flavor_field, is_restricted=only is not None)
    parameters: dict[str, object] = {"due_at": times.instant(until) - timedelta(seconds=settle_s)}
    if only is not None or service == "glance":
        parameters["resources"] = only
    return lake.sql(query, parameters).cast(polars_schema(*VERDICT_COLUMNS))


def told_since(
    lake: Lake,
    *,
    service: Service,
    last_id: int,
    last_sequence: int,
    due_after: datetime,
    due_at: datetime,
) -> list[str]:
    """Return the instances or images whose verdicts may differ from those of a former verification.

    Parameters
    ----------
    lake
        The lake to ask.
    service
        ``nova`` or ``glance``.
    last_id, last_sequence
        The highest of notifications and of reconciliations that were known then.
    due_after, due_at
        Up to when the periods of records had to end then, and have to now.

    Returns
    -------
    list of str
        Uuids, in order: of those about whose usage something was told since, or reconciled, or of
        which a record has become due.

    Source: the records of :func:`verify`.
    """
    records = "image_exists" if service == "glance" else "exists"
    name = "image" if service == "glance" else "instance"
    found = lake.sql(
        f"""
        select resource from usage_told_after($last_id) where service = $service
        union
        select instance from reconciliations where sequence > $last_sequence and $service = 'nova'
        union
        select {name} from {records}
        where coalesce(audit_period_ending, received_at) > $due_after
            and coalesce(audit_period_ending, received_at) <= $due_at
        order by all
        """,
        {
            "service": service,
            "last_id": last_id,
            "last_sequence": last_sequence,
            "due_after": due_after,
            "due_at": due_at,
        },
    )
    return found.to_series().drop_nulls().to_list()


def _check(what: str, given: str, accepted: tuple[str, ...]) -> None:
    if given not in accepted:
        raise InputError(f"no {what} {given!r}; there are {', '.join(accepted)}")


# StackTach's order of comparison, after the flavor
_METADATA = ("tenant", "rax_options", "os_architecture", "os_version", "os_distro")
_TEXT = "[a-zA-Z0-9.]+"
_HEXADECIMAL = "[0-9a-fA-F]+"
_UUID = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_TOLD = """told.kind as reason_kind, told.field as reason_field, told.exists_value as reason_exists_value,
    told.other_value as reason_other_value, told.entity as reason_entity"""


def _reason(kind: str, field: str, exists_value: str, other_value: str = "null", entity: str = "null") -> str:
    """Return the SQL of a reason; *kind* and *field* are names, the others expressions."""
    return (
        f"{{kind: '{kind}', field: '{field}', exists_value: {exists_value}::varchar, "
        f"other_value: {other_value}::varchar, entity: {entity}::varchar}}"
    )


def _text_of(instant: str) -> str:
    return f"strftime({instant}, '%Y-%m-%d %H:%M:%S.%f')"


def _same_second(one: str, other: str) -> str:
    return f"date_trunc('second', {one}) = date_trunc('second', {other})"


def _first_difference(record: str, other: str, fields: tuple[str, ...], entity: str) -> str:
    """Return the SQL of the first field in which two records differ, null if there is none."""
    cases = [
        f"when {record}.{field} is distinct from {other}.{field}\n            then "
        + _reason("mismatch", field, f"{record}.{field}", f"{other}.{field}", entity)
        for field in fields
    ]
    return "case\n        " + "\n        ".join(cases) + "\n        end"


def _invalid(level: ValidationLevel, flavor_field: FlavorField) -> str:
    """Return the SQL of what a record lacks at a validation level, null if it lacks nothing."""
    basic = [
        *((f"{field} is null", "null_field", field) for field in ("tenant", flavor_field)),
        (f"not regexp_full_match(tenant, '{_HEXADECIMAL}')", "wrong_type", "tenant"),
    ]
    is_not_imported = "coalesce(image_type, 0) & 15 <> 3"
    full = [
        *((f"{field} is null", "null_field", field) for field in ("rax_options", "os_architecture")),
        *((f"{is_not_imported} and {field} is null", "null_field", field) for field in ("os_distro", "os_version")),
        ("not regexp_full_match(rax_options, '[-+]?[0-9]+')", "wrong_type", "rax_options"),
        (f"not regexp_full_match(os_architecture, '{_TEXT}')", "wrong_type", "os_architecture"),
        *(
            (f"{is_not_imported} and not regexp_full_match({field}, '{_TEXT}')", "wrong_type", field)
            for field in ("os_distro", "os_version")
        ),
    ]
    rules = {"none": [], "basic": basic, "all": basic + full}[level]
    if not rules:
        return "null"
    cases = [f"when {wrong} then {_reason(kind, field, field)}" for wrong, kind, field in rules]
    return "case\n        " + "\n        ".join(cases) + "\n        end"


_NOT_LAUNCHED = _reason("not_found", "instance", "mine.instance", entity="'InstanceUsage'")
_NOT_LAUNCHED_THEN = _reason(
    "not_found", "instance, launched_at", _text_of("mine.launched_at"), entity="'InstanceUsage'"
)
_LAUNCHED_SOMEHOW = _reason(
    "ambiguous", "instance, launched_at", _text_of("mine.launched_at"), entity="'InstanceUsage'"
)


def _deletion_reason(entity: str) -> str:
    """Return the SQL of what is wrong with the deletions of the launch, null if nothing is."""
    launched_at = _text_of("mine.launched_at")
    return f"""case
        when mine.deleted_at is null and deletions.is_over
            then {_reason("not_deleted", "deleted_at", "null", _text_of("deletions.first_at"), entity)}
        when mine.deleted_at is null or deletions.agrees then null
        when deletions.id is null then {_reason("not_found", "instance, launched_at", launched_at, entity=entity)}
        when deletions.first_at is distinct from deletions.last_at
            then {_reason("ambiguous", "instance, launched_at", launched_at, entity=entity)}
        else {_reason("mismatch", "deleted_at", _text_of("mine.deleted_at"), _text_of("deletions.first_at"), entity)}
        end"""


def _nova(level: ValidationLevel, flavor_field: FlavorField, *, is_restricted: bool) -> str:
    """Return the query that verifies nova's records, of all instances or of those listed."""
    compared = (flavor_field, *_METADATA)
    launches = "launches_among($resources)" if is_restricted else "launches"
    deletes = "deletes_among($resources)" if is_restricted else "deletes"
    exists = "exists_among($resources)" if is_restricted else "exists"
    return f"""
with due as not materialized (
    select *, {_invalid(level, flavor_field)} as invalid
    from {exists}
    where coalesce(audit_period_ending, received_at) <= $due_at
),
beside_launches as (
    select mine.id, other.id is not null as is_known,
        coalesce({_same_second("mine.launched_at", "other.launched_at")}, false) as is_candidate,
        {_first_difference("mine", "other", compared, "'InstanceUsage'")} as difference
    from due as mine
    left join {launches} as other on mine.instance = other.instance
),
by_launches as (
    select id, bool_or(is_known) as is_known, count(*) filter (is_candidate) as candidates,
        bool_or(is_candidate and difference is null) as agrees,
        min(difference) filter (is_candidate) as difference, max(difference) filter (is_candidate) as other_difference
    from beside_launches
    group by id
),
by_deletions as (
    select mine.id, bool_or({_same_second("mine.deleted_at", "other.deleted_at")}) as agrees,
        bool_or(other.deleted_at <= mine.audit_period_ending) as is_over,
        min(other.deleted_at) as first_at, max(other.deleted_at) as last_at
    from due as mine
    join {deletes} as other
        on mine.instance = other.instance and {_same_second("mine.launched_at", "other.launched_at")}
    group by mine.id
),
judged as (
    select mine.*,
        coalesce(
            invalid,
            case
                when launches.agrees then null
                when not launches.is_known then {_NOT_LAUNCHED}
                when launches.candidates = 0 then {_NOT_LAUNCHED_THEN}
                when launches.difference is not distinct from launches.other_difference then launches.difference
                else {_LAUNCHED_SOMEHOW}
            end,
            {_deletion_reason("'InstanceDeletes'")}
        ) as reason,
        said.instance is not null as is_reconcilable,
        coalesce(
            {_first_difference("mine", "said", compared, "'InstanceReconcile'")},
            case
                when said.deleted_at is null then {_deletion_reason("'InstanceReconcile'")}
                when {_same_second("mine.deleted_at", "said.deleted_at")} then null
                else {
        _reason(
            "mismatch",
            "deleted_at",
            _text_of("mine.deleted_at"),
            _text_of("said.deleted_at"),
            "'InstanceReconcile'",
        )
    }
            end
        ) as second_reason
    from due as mine
    join by_launches as launches on mine.id = launches.id
    left join by_deletions as deletions on mine.id = deletions.id
    left join reconciles as said
        on mine.instance = said.instance and {_same_second("mine.launched_at", "said.launched_at")}
)
select 'nova' as service, id as exists_id, deployment, host, message_id, instance as resource,
    audit_period_beginning, audit_period_ending, received_at,
    case
        when reason is null then 'verified'
        when is_reconcilable and second_reason is null then 'reconciled'
        else 'failed'
    end as verdict, {_TOLD}
from (
    select *, case when reason is not null and is_reconcilable then coalesce(second_reason, reason) else reason end
            as told
    from judged
)
order by exists_id
"""


_GLANCE = f"""
with due as (
    from image_exists
    where coalesce(audit_period_ending, received_at) <= $due_at
        and ($resources::varchar[] is null or image in (select unnest($resources::varchar[])))
),
judged as (
    select mine.*,
        coalesce(
            case
                when activation.id is null then {_reason("not_found", "image", "mine.image", entity="'ImageUsage'")}
                when {_same_second("mine.created_at", "activation.created_at")} is not true then {
    _reason(
        "mismatch",
        "created_at",
        _text_of("mine.created_at"),
        _text_of("activation.created_at"),
        "'ImageUsage'",
    )
}
            end,
            {_first_difference("mine", "activation", ("tenant", "size"), "'ImageUsage'")},
            case
                when mine.deleted_at is null and deletion.deleted_at <= mine.audit_period_ending then {
    _reason("not_deleted", "deleted_at", "null", _text_of("deletion.deleted_at"), "'ImageDeletes'")
}
                when mine.deleted_at is null then null
                when deletion.id is null then {_reason("not_found", "image", "mine.image", entity="'ImageDeletes'")}
                when {_same_second("mine.deleted_at", "deletion.deleted_at")} is not true then {
    _reason(
        "mismatch",
        "deleted_at",
        _text_of("mine.deleted_at"),
        _text_of("deletion.deleted_at"),
        "'ImageDeletes'",
    )
}
            end,
            case
                when mine.size is null then {_reason("null_field", "size", "mine.size")}
                when mine.tenant is null then {_reason("null_field", "tenant", "mine.tenant")}
                when not regexp_full_match(mine.image, '{_UUID}') then {_reason("wrong_type", "image", "mine.image")}
                when not regexp_full_match(mine.tenant, '{_HEXADECIMAL}')
                    then {_reason("wrong_type", "tenant", "mine.tenant")}
            end
        ) as told
    from due as mine
    left join images as activation on mine.image = activation.image
    left join image_deletes as deletion on mine.image = deletion.image
)
select 'glance' as service, id as exists_id, deployment, host, message_id, image as resource,
    audit_period_beginning, audit_period_ending, received_at,
    case when told is null then 'verified' else 'failed' end as verdict, {_TOLD}
from judged
order by exists_id
"""
