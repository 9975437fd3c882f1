"""The nouns of a lake as DuckDB views.

``notifications`` and ``dead_letters`` are the tables. ``steps`` are the starts and ends of nova
operations on instances; ``timings`` pairs them.
"""

STEPS = """
create view steps as
select id, generated_at, instance, request_id, deployment, operation, phase, format, publisher_id, host, tenant, date
from notifications
where exchange = 'nova' and phase in ('start', 'end') and instance is not null
"""

NOUNS = (STEPS,)
