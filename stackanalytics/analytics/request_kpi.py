"""Request KPIs: how long the cloud took to do what an API request asked for."""

from datetime import datetime

import polars as pl

from stackanalytics.analytics.period import bounds
from stackanalytics.lake import Lake
from stackanalytics.schema import polars_schema

KPI_COLUMNS = (
    *("operation", "instance", "request_id", "tenant", "deployment"),
    *("started_at", "ended_at", "duration_s"),
)


def request_kpis(
    lake: Lake,
    *,
    tenant: str | None = None,
    deployment: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> pl.DataFrame:
    """Return how long the cloud took to do what API requests asked for.

    The time of a request runs, for each instance, from the first ``compute.instance.update`` that
    an API service sends to the last end of a finished operation that follows it.

    Parameters
    ----------
    lake
        The lake to ask.
    tenant, deployment
        Only those that ended for this project, in this deployment.
    start, end
        Only those whose update falls in ``[start, end)``.

    Returns
    -------
    polars.DataFrame
        A row a request and instance, shortest first, with ``operation`` (String; the one that ended
        last), ``instance``, ``request_id``, ``tenant``, ``deployment`` (String), ``started_at`` and
        ``ended_at`` (Datetime, UTC), ``duration_s`` (Float64) [s].

    Source: ``compute.instance.update`` and nova's operations with start and end, legacy and versioned.

    Examples
    --------
    >>> sa.request_kpis(lake, tenant="nobody").height
    0
    """
    return lake.sql(
        """
        with accepted as (
            select request_id, instance, min(accepted_at) as started_at
            from (
                -- where a deployment tells it in both formats, the legacy one counts
                select request_id, instance,
                    coalesce(min(generated_at) filter (format = 'legacy'), min(generated_at)) as accepted_at
                from notifications
                where exchange = 'nova' and operation = 'compute.instance.update' and contains(service, 'api')
                    and request_id is not null and instance is not null
                group by request_id, instance, deployment
            )
            group by request_id, instance
            having ($start::timestamptz is null or started_at >= $start)
                and ($end::timestamptz is null or started_at < $end)
        )
        select done.operation, instance, request_id, done.tenant, done.deployment, accepted.started_at, done.ended_at,
            (epoch_us(done.ended_at) - epoch_us(accepted.started_at)) / 1e6 as duration_s
        from accepted
        join timings_of_requests((select list(request_id) from accepted)) as done using (request_id, instance)
        where done.timing_state = '.' and done.ended_at >= accepted.started_at
        qualify ($tenant::varchar is null or tenant = $tenant)
            and ($deployment::varchar is null or deployment = $deployment)
            and row_number() over (
                partition by request_id, instance
                order by done.ended_at desc, done.operation, done.started_at, done.deployment, done.tenant
            ) = 1
        order by duration_s, operation, instance, request_id, deployment, tenant, started_at
        """,
        {"tenant": tenant, "deployment": deployment, **bounds(start, end)},
    ).cast(polars_schema(*KPI_COLUMNS))


def tenant_is_known(lake: Lake, tenant: str) -> bool:
    """Tell whether any notification of nova is about a tenant.

    Parameters
    ----------
    lake
        The lake to ask.
    tenant
        Project id.

    Returns
    -------
    bool
        Whether there is one.

    Source: nova's notifications.

    Examples
    --------
    >>> sa.tenant_is_known(lake, "nobody")
    False
    """
    found = lake.sql(
        "select 1 from notifications where exchange = 'nova' and tenant = $tenant limit 1", {"tenant": tenant}
    )
    return not found.is_empty()
