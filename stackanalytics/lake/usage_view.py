"""The nouns of usage as DuckDB views: what was launched, deleted, and reported to exist.

``launches``, ``deletes`` and ``exists`` are nova's, ``images``, ``image_deletes`` and
``image_exists`` glance's. ``launches_of(instance)``, ``deletes_of(instance)`` and
``exists_of(instance, first_day, last_day)`` are those of one instance, or of any where it is null;
``launches_among(instances)``, ``deletes_among(instances)`` and ``exists_among(instances)`` those of
a list. ``exists_of`` and ``image_exists_of`` take the days (UTC) in which the records were received.
``reconciles`` are the reconciliations and ``verdicts`` the verifications that count: the latest of
each launch and record; ``verdicts_among(exists_ids)`` are those of a list of records.
``usage_told_after(id)`` are the instances and images about whose usage something was told in
notifications after an id.

The order of arrival changes nothing but ids. A message that came again under its id with other
content is a notification of its own, here as elsewhere: which of the two came first is chance, so
both count.

What a deployment told in the versioned format does not count where it told the same in the legacy
format: the same operation of a request on an instance or, for ``exists``, the same audit period of
an instance, to the second.

Source: StackTach's usage records, made independent of the order of arrival.
"""


def _counted(keys: str, *, to_the_second: str = "") -> str:
    """Return the rows of ``told`` without those in the versioned format that have a legacy twin by *keys*."""
    compared = [
        *(f"mine.{key} is not distinct from twin.{key}" for key in keys.split()),
        *(
            f"date_trunc('second', mine.{key}) is not distinct from date_trunc('second', twin.{key})"
            for key in to_the_second.split()
        ),
    ]
    return f"""
    from told where format = 'legacy'
    union all by name
    select mine.* from (from told where format = 'versioned') as mine
    anti join (
        select {", ".join([*keys.split(), *to_the_second.split()])}
        from told
        where format = 'legacy' and instance in (select instance from told where format = 'versioned')
    ) as twin on {" and ".join(compared)}
    """


_ONE_OR_ANY = "(of_instance::varchar is null or instance = of_instance)"
_ONE_OF = "instance in (select unnest(of_instances::varchar[]))"
_SAME_OPERATION = "instance request_id deployment operation"

# those that launch an instance as it is, and those that change its flavor
_LAUNCHED = """('compute.instance.create', 'compute.instance.rebuild', 'compute.instance.rescue',
    'compute.instance.unshelve')"""
_RESIZED = "('compute.instance.resize.prep', 'compute.instance.resize.revert')"
_RESIZE_FINISHED = "'compute.instance.finish_resize'"
_IN_ORDER = "partition by instance order by generated_at, phase desc, operation, launched_at, host"

_LAUNCHES = f"""
with told as not materialized (
    select id, generated_at, instance, request_id, deployment, operation, phase, format, host, tenant, launched_at,
        instance_type_id, instance_flavor_id, os_architecture, os_distro, os_version, rax_options
    from notifications
    where exchange = 'nova' and instance is not null
        and (
            phase in ('start', 'end') and (operation in {_LAUNCHED} or operation = {_RESIZE_FINISHED})
            or phase = 'start' and operation in {_RESIZED}
            or phase = 'end' and operation = 'compute.instance.resize.revert'
        )
        -- a build that failed is no launch
        and (operation <> 'compute.instance.create' or phase <> 'end' or coalesce(message, 'Success') = 'Success')
        and <criterion>
),
counted as not materialized ({_counted(_SAME_OPERATION)}),
actions as (
    select *, 0 as action from counted where request_id is not null
    union all by name
    -- where no request is known, an action goes on until something ends or another begins
    select * exclude (is_first), sum(is_first) over ({_IN_ORDER}) as action
    from (
        select *, cast(
                phase = 'start' and operation <> {_RESIZE_FINISHED} or lag(phase, 1, 'end') over ({_IN_ORDER}) = 'end'
            as integer) as is_first
        from counted
        where request_id is null
    )
),
launched as (
    select min(id) as id, instance, request_id,
        -- a start tells of the launch before; the end tells of the new one
        max(launched_at) filter (phase = 'end' or operation not in ('compute.instance.create', {_RESIZE_FINISHED}))
            as launched_at,
        max({{
            rank: case
                when operation = {_RESIZE_FINISHED} or phase = 'end' and operation in {_RESIZED}
                    then 6_000_000_000_000_000_000 + epoch_us(generated_at)
                when phase = 'start' and operation in {_LAUNCHED}
                    then 4_000_000_000_000_000_000 + epoch_us(generated_at)
                when phase = 'end' then 2_000_000_000_000_000_000 - epoch_us(generated_at)
                else -epoch_us(generated_at)
            end,
            instance_type_id: instance_type_id,
            instance_flavor_id: instance_flavor_id
        }}) as flavor,
        max({{
            generated_at: generated_at, is_end: phase = 'end', tenant: tenant, os_architecture: os_architecture,
            os_distro: os_distro, os_version: os_version, rax_options: rax_options, deployment: deployment, host: host
        }}) as last
    from actions
    group by instance, request_id, action
)
select id, instance, request_id, launched_at, flavor.instance_type_id, flavor.instance_flavor_id, last.tenant,
    last.os_architecture, last.os_distro, last.os_version, last.rax_options, last.deployment, last.host
from launched
"""

_DELETES = f"""
with told as not materialized (
    select id, generated_at, instance, request_id, deployment, operation, format, host, launched_at,
        coalesce(terminated_at, deleted_at) as deleted_at
    from notifications
    where exchange = 'nova' and operation = 'compute.instance.delete' and phase = 'end' and instance is not null
        and launched_at is not null -- what never was launched needs no deletion
        and <criterion>
),
deleted as (
    select min(id) as id, instance, launched_at, deleted_at,
        max({{generated_at: generated_at, deployment: deployment, host: host}}) as last
    from ({_counted(_SAME_OPERATION)})
    group by instance, launched_at, deleted_at
)
select id, instance, launched_at, deleted_at, last.deployment, last.host
from deleted
"""

_EXISTS = f"""
with told as not materialized (
    select id, message_id, instance, launched_at, coalesce(terminated_at, deleted_at) as deleted_at,
        audit_period_beginning, audit_period_ending, instance_type_id, instance_flavor_id, instance_type, memory_mb,
        tenant, os_architecture, os_distro, os_version, rax_options, image_type, bandwidth_public_out, deployment,
        host, generated_at as received_at, format
    from notifications
    where exchange = 'nova' and operation = 'compute.instance.exists' and instance is not null
        and launched_at is not null
        and <criterion>
)
select * exclude (format)
from ({_counted("instance deployment", to_the_second="audit_period_beginning audit_period_ending")})
"""

IMAGES = """
create view images as
select id, image, first.created_at, first.tenant, first.size, first.deployment, first.host
from (
    select resource as image, min(id) as id, min({
            generated_at: generated_at, created_at: created_at, tenant: tenant, size: size, deployment: deployment,
            host: host
        }) as first
    from notifications
    where exchange = 'glance' and operation = 'image.activate' and resource is not null
    group by resource
)
"""

IMAGE_DELETES = """
create view image_deletes as
select id, image, last.deleted_at, last.deployment, last.host
from (
    select resource as image, min(id) as id,
        max({generated_at: generated_at, deleted_at: deleted_at, deployment: deployment, host: host}) as last
    from notifications
    where exchange = 'glance' and operation = 'image.delete' and resource is not null
    group by resource
)
"""

_IMAGES_OF_A_BODY = (
    '{"payload": {"images": [{"id": "VARCHAR", "size": "VARCHAR", "created_at": "VARCHAR", "deleted_at": "VARCHAR"}]}}'
)


def _instant(text: str) -> str:
    """Return the SQL that reads a time; DuckDB alone would take ``infinity`` and years that Python has not."""
    return f"case when regexp_matches({text}, '^ *[12][0-9]{{3}}-') then try_cast({text} as timestamptz) end"


_IMAGE_EXISTS = f"""
with told as (
    select id, message_id, tenant, audit_period_beginning, audit_period_ending, deployment, host, generated_at,
        try(from_json(body, '{_IMAGES_OF_A_BODY}')).payload.images as images
    from notifications
    where exchange = 'glance' and operation = 'image.exists' and <criterion>
),
listed as (
    select * exclude (images), unnest(images) as found, generate_subscripts(images, 1) - 1 as place
    from told
)
select id * 1024 + place as id, id as notification_id, message_id, found.id as image, tenant,
    try_cast(found.size as bigint) as size, {_instant("found.created_at")} as created_at,
    {_instant("found.deleted_at")} as deleted_at, audit_period_beginning, audit_period_ending,
    deployment, host, generated_at as received_at
from listed
where nullif(found.id, '') is not null and {_instant("found.created_at")} is not null
"""

TOLD_AFTER = f"""
create macro usage_told_after(last_id) as table
select distinct exchange as service, case exchange when 'nova' then instance else resource end as resource
from notifications
where id > last_id
    and (
        exchange = 'glance' and operation in ('image.activate', 'image.delete')
        or exchange = 'nova' and (
            operation in {_LAUNCHED} or operation in {_RESIZED}
            or operation in ({_RESIZE_FINISHED}, 'compute.instance.delete', 'compute.instance.exists')
        )
    )
union
select 'glance', image from image_exists where notification_id > last_id
"""

RECONCILES = """
create view reconciles as
from reconciliations
qualify sequence = max(sequence) over (partition by instance, date_trunc('second', launched_at))
"""

_VERDICTS = """
from verifications
where <criterion>
qualify sequence = max(sequence) over (partition by service, exists_id)
"""

_DAYS = "(first_day::date is null or date >= first_day) and (last_day::date is null or date <= last_day)"


def _macro(signature: str, body: str, criterion: str) -> str:
    return f"create macro {signature} as table {body.replace('<criterion>', criterion)}"


USAGE_NOUNS = (
    _macro("launches_of(of_instance)", _LAUNCHES, _ONE_OR_ANY),
    _macro("launches_among(of_instances)", _LAUNCHES, _ONE_OF),
    "create view launches as from launches_of(null)",
    _macro("deletes_of(of_instance)", _DELETES, _ONE_OR_ANY),
    _macro("deletes_among(of_instances)", _DELETES, _ONE_OF),
    "create view deletes as from deletes_of(null)",
    _macro("exists_of(of_instance, first_day, last_day)", _EXISTS, f"{_ONE_OR_ANY} and {_DAYS}"),
    _macro("exists_among(of_instances)", _EXISTS, _ONE_OF),
    "create view exists as from exists_of(null, null, null)",
    IMAGES,
    IMAGE_DELETES,
    _macro("image_exists_of(first_day, last_day)", _IMAGE_EXISTS, _DAYS),
    "create view image_exists as from image_exists_of(null, null)",
    TOLD_AFTER,
    RECONCILES,
    _macro("verdicts_among(exists_ids)", _VERDICTS, "exists_id in (select unnest(exists_ids))"),
    f"create view verdicts as {_VERDICTS.replace('<criterion>', 'true')}",
)
