"""The nouns of a lake as DuckDB views.

``notifications`` and ``dead_letters`` are the tables.
"""

EVENTS = """
create view events as
select *, coalesce(routing_key like '%error', priority = 'ERROR', false) as is_error
from notifications
"""

STEPS = """
create view steps as
with told as (
    select *, max(format = 'legacy') over (partition by deployment, request_id, instance, operation) as has_legacy
    from notifications
    where exchange = 'nova' and instance is not null
        and (phase is not null or operation in ('compute.instance.volume.attach', 'compute.instance.volume.detach'))
)
select id, generated_at, instance, request_id, message_id, deployment, operation, phase, host, tenant, date
from told
where phase in ('start', 'end') and (format = 'legacy' or not has_legacy)
"""

TIMINGS = """
create view timings as
with ordered as (
    select *,
        lead(phase) over chronological as next_phase,
        lag(phase) over chronological as former_phase,
        count(*) over (partition by instance, operation, request_id) = 2 as are_two,
        row_number() over chronological as place
    from steps
    window chronological as (
        partition by instance, operation, request_id
        order by generated_at, phase desc, deployment, host, tenant, message_id, id
    )
),
numbered as (
    -- a pair shares its number: that of its first row
    select *,
        case
            when phase = 'end' and former_phase = 'start' then place - 1
            when are_two and former_phase = 'end' and phase = 'start' then place - 1
            else place
        end as pair
    from ordered
),
paired as (
    select operation, instance, request_id, pair,
        any_value(generated_at) filter (phase = 'start') as started_at,
        any_value(generated_at) filter (phase = 'end') as ended_at,
        any_value(id) filter (phase = 'start') as start_id,
        any_value(id) filter (phase = 'end') as end_id,
        any_value(host) filter (phase = 'start') as start_host,
        any_value(host) filter (phase = 'end') as end_host,
        coalesce(any_value(deployment) filter (phase = 'end'), any_value(deployment)) as deployment,
        coalesce(any_value(tenant) filter (phase = 'end'), any_value(tenant)) as tenant
    from numbered
    group by operation, instance, request_id, pair
)
select
    case when ended_at is null then 'S' when started_at is null then 'E' else '.' end as timing_state,
    operation, instance, request_id, deployment, tenant, started_at, ended_at,
    (epoch_us(ended_at) - epoch_us(started_at)) / 1e6 as duration_s,
    start_id, end_id, start_host, end_host
from paired
"""

NOUNS = (EVENTS, STEPS, TIMINGS)
