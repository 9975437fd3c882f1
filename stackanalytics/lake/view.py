"""The nouns of a lake as DuckDB views, beside its tables ``notifications`` and ``dead_letters``.

``events`` are the notifications, and whether they tell of an error. ``timings`` are the starts and
ends of nova's operations on instances in pairs; ``timings_of(instance, request_id, operation)`` are
those of one instance, request and operation, or of any where it is null, and
``timings_of_requests(request_ids)`` those of a list of requests.

Starts and ends of equal operation, instance and request belong together, whatever deployment sent
them; where no request is known, that counts as one request. In the order of time (a start before
an end at the same instant) a start makes a pair with the end that follows it at once. Whatever
finds no partner stays alone. The only start and the only end of a request are a pair even where
the clocks of their senders disagree so much that the end comes first.

Clouds that notify in both formats say everything twice: what a deployment told in the versioned
format does not count where it told the same operation of the same request in the legacy format.

Source: StackTach's pairing, made independent of the order of arrival.
"""

# polars reads it, too
IS_ERROR = "coalesce(routing_key like '%error', priority = 'ERROR', false) as is_error"
EVENTS = f"create view events as select *, {IS_ERROR} from notifications"

# without start and end in the legacy format, but with them in the versioned one
_TOLD_ONCE = "('compute.instance.volume.attach', 'compute.instance.volume.detach')"

_START_AND_END = """
        min(generated_at) filter (phase = 'start') as started_at,
        min(generated_at) filter (phase = 'end') as ended_at,
        min(id) filter (phase = 'start') as start_id,
        min(id) filter (phase = 'end') as end_id,
        min(host) filter (phase = 'start') as start_host,
        min(host) filter (phase = 'end') as end_host,
        coalesce(min(deployment) filter (phase = 'end'), min(deployment) filter (phase = 'start')) as deployment,
        coalesce(min(tenant) filter (phase = 'end'), min(tenant) filter (phase = 'start')) as tenant
"""

# Most requests have one start and one end, for which grouping is enough; only the others are read
# again and ordered. Columns that a query does not ask for are never read, so that the summary of a
# lake is about as fast as SQL for nothing else.
_PAIRED = f"""
with told as not materialized (
    select id, generated_at, instance, request_id, deployment, operation, phase, format, host, tenant
    from notifications
    where exchange = 'nova' and instance is not null
        and (phase is not null or operation in {_TOLD_ONCE})
        and {{criterion}}
),
requests as (
    select operation, instance, request_id,
        count(*) filter (phase = 'start') as starts,
        count(*) filter (phase = 'end') as ends,
        count(*) filter (format = 'versioned') as versioned,
        starts <= 1 and ends <= 1
            and (versioned = 0 or versioned = count(*) and operation not in {_TOLD_ONCE}) as is_plain,
        {_START_AND_END}
    from told
    where phase is not null
    group by operation, instance, request_id
),
told_of_others as (
    select *,
        bool_or(format = 'legacy') over (partition by operation, instance, request_id, deployment) as has_legacy
    from told
    where instance in (select instance from requests where not is_plain) -- implied, and pushed into the scan
        and exists (
            from requests
            where not is_plain and requests.operation = told.operation and requests.instance = told.instance
                and requests.request_id is not distinct from told.request_id
        )
),
steps as (
    select *,
        row_number() over chronological as place,
        lag(phase) over chronological as former_phase,
        count(*) over (partition by operation, instance, request_id) as steps
    from told_of_others
    where phase in ('start', 'end') and (format = 'legacy' or not has_legacy)
    window chronological as (partition by operation, instance, request_id order by generated_at, phase desc)
),
steps_at_once as (
    select *,
        place - min(place) over at_once + 1 as place_at_once,
        list(struct_pack(deployment, host, tenant, id) order by deployment, host, tenant, id) over at_once as senders
    from steps
    window at_once as (partition by operation, instance, request_id, generated_at, phase)
),
pairs as (
    select operation, instance, request_id,
        -- the second of a pair takes the place of the first
        case
            when phase = 'end' and former_phase = 'start' then place - 1
            when phase = 'start' and former_phase = 'end' and steps = 2 then place - 1
            else place
        end as pair,
        {_START_AND_END}
    from (
        -- equal steps at one instant take their places in the order of who sent them
        select * exclude (deployment, host, tenant, id), unnest(senders[place_at_once])
        from steps_at_once
    )
    group by operation, instance, request_id, pair
)
select
    case when ended_at is null then 'S' when started_at is null then 'E' else '.' end as timing_state,
    operation, instance, request_id, deployment, tenant, started_at, ended_at,
    (epoch_us(ended_at) - epoch_us(started_at)) / 1e6 as duration_s,
    start_id, end_id, start_host, end_host
from (
    select * exclude (starts, ends, versioned, is_plain) from requests where is_plain and starts + ends > 0
    union all by name
    select * exclude (pair) from pairs
)
"""

_ONE_OR_ANY = """(of_instance::varchar is null or instance = of_instance)
        and (of_request_id::varchar is null or request_id = of_request_id)
        and (of_operation::varchar is null or operation = of_operation)"""
_ONE_OF = "request_id in (select unnest(of_request_ids))"

TIMINGS_OF = f"""
create macro timings_of(of_instance, of_request_id, of_operation) as table
{_PAIRED.format(criterion=_ONE_OR_ANY)}
"""
TIMINGS_OF_REQUESTS = f"""
create macro timings_of_requests(of_request_ids) as table
{_PAIRED.format(criterion=_ONE_OF)}
"""
TIMINGS = "create view timings as from timings_of(null, null, null)"

NOUNS = (EVENTS, TIMINGS_OF, TIMINGS_OF_REQUESTS, TIMINGS)
