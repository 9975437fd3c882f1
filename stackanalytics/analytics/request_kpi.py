"""Request KPIs: how long the cloud took to do what an API request asked for."""

from datetime import datetime

import polars as pl

from stackanalytics.lake import Lake


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

    Source: ``compute.instance.update`` and nova's operations with start and end.
    """
    return lake.sql(
        """
        with accepted as (
            select request_id, instance, min(generated_at) as started_at
            from notifications
            where operation = 'compute.instance.update' and exchange = 'nova' and contains(service, 'api')
                and request_id is not null and instance is not null
            group by request_id, instance
        )
        select timings.operation, instance, request_id, timings.tenant, timings.deployment,
            accepted.started_at, timings.ended_at,
            (epoch_us(timings.ended_at) - epoch_us(accepted.started_at)) / 1e6 as duration_s
        from accepted
        join timings using (request_id, instance)
        where timings.timing_state = '.' and timings.ended_at >= accepted.started_at
            and ($start::timestamptz is null or accepted.started_at >= $start)
            and ($end::timestamptz is null or accepted.started_at < $end)
        qualify row_number() over (
            partition by request_id, instance
            order by timings.ended_at desc, timings.operation, timings.started_at, timings.deployment, timings.tenant
        ) = 1
            and ($tenant::varchar is null or tenant = $tenant)
            and ($deployment::varchar is null or deployment = $deployment)
        order by duration_s, operation, instance, request_id, deployment, tenant
        """,
        {"tenant": tenant, "deployment": deployment, "start": start, "end": end},
    )


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
    """
    found = lake.sql(
        "select 1 from notifications where exchange = 'nova' and tenant = $tenant limit 1", {"tenant": tenant}
    )
    return not found.is_empty()
