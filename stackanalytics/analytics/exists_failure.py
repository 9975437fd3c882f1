"""Exists records that failed verification: which, why, and where they pile up."""

from datetime import datetime
from typing import Literal, TypeAlias

import polars as pl

from stackanalytics.analytics.period import bounds
from stackanalytics.analytics.reason import fail_reason
from stackanalytics.errors import InputError
from stackanalytics.lake import Lake
from stackanalytics.schema import polars_schema

Group: TypeAlias = Literal["reason", "deployment", "host"]

_REASON = ("reason_kind", "reason_field", "reason_exists_value", "reason_other_value", "reason_entity")
FAILURE_COLUMNS = (
    *("exists_id", "message_id", "resource", "deployment", "host", "audit_period_beginning", "audit_period_ending"),
    *("received_at", *_REASON, "verified_at", "fail_reason"),
)
COUNT_COLUMNS = {
    "reason": ("reason_kind", "reason_field", "reason_entity", "count"),
    "deployment": ("deployment", "count"),
    "host": ("deployment", "host", "count"),
}

_RECORDS = {"nova": ("exists", "instance"), "glance": ("image_exists", "image")}
_FAILED = """
from verdicts
join (select id, {subject} as resource, * exclude (id, deployment, message_id) from {records}) as records
    on records.id = verdicts.exists_id
where verdicts.service = $service and verdict = 'failed'
    and ($deployment::varchar is null or verdicts.deployment = $deployment)
    and ($start::timestamptz is null or audit_period_beginning >= $start)
    and ($end::timestamptz is null or audit_period_beginning < $end)
"""


def exists_failures(
    lake: Lake,
    *,
    service: str = "nova",
    deployment: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> pl.DataFrame:
    """Return the exists records that failed verification, and why.

    Parameters
    ----------
    lake
        The lake to ask.
    service
        ``nova`` or ``glance``.
    deployment
        Only those that this deployment sent.
    start, end
        Only those whose audit period begins in ``[start, end)``.

    Returns
    -------
    polars.DataFrame
        A row a record whose last verification failed, in the order of ``exists_id`` (Int64), with
        ``message_id``, ``resource`` (the instance or image), ``deployment``, ``host`` (String),
        ``audit_period_beginning``, ``audit_period_ending``, ``received_at`` (Datetime, UTC), the reason as
        :func:`verify` gives it (``reason_kind``, ``reason_field``, ``reason_exists_value``,
        ``reason_other_value``, ``reason_entity``, String), ``verified_at`` (Datetime, UTC), and
        ``fail_reason`` (String), the reason in words.

    Raises
    ------
    InputError
        If there is no such service.

    Source: the stored verifications.

    Examples
    --------
    >>> sa.exists_failures(lake).height
    0
    """
    columns = [f"verdicts.{name}" if name in ("deployment", "message_id") else name for name in FAILURE_COLUMNS[:-1]]
    query = f"select {', '.join(columns)} {_failed(service)} order by exists_id"
    found = lake.sql(query, _criteria(service, deployment, start, end))
    reasons = [fail_reason({**row, "service": service}) for row in found.iter_rows(named=True)]
    return found.with_columns(fail_reason=pl.Series(reasons, dtype=pl.String)).cast(polars_schema(*FAILURE_COLUMNS))


def exists_failure_counts(
    lake: Lake,
    *,
    by: Group = "reason",
    service: str = "nova",
    deployment: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> pl.DataFrame:
    """Return how many exists records failed verification, by reason or by who sent them.

    Parameters
    ----------
    lake
        The lake to ask.
    by
        ``reason``, ``deployment``, or ``host``.
    service
        ``nova`` or ``glance``.
    deployment
        Only those that this deployment sent.
    start, end
        Only those whose audit period begins in ``[start, end)``.

    Returns
    -------
    polars.DataFrame
        A row a group, the largest first, with ``reason_kind``, ``reason_field``, ``reason_entity``
        (String), or ``deployment`` (String), or ``deployment`` and ``host`` (String), and ``count``
        (Int64).

    Raises
    ------
    InputError
        If there is no such service or group.

    Source: the stored verifications.

    Examples
    --------
    >>> sa.exists_failure_counts(lake, by="host").height
    0
    """
    if by not in COUNT_COLUMNS:
        raise InputError(f"failures cannot be counted by {by!r}, but by {', '.join(COUNT_COLUMNS)}")
    *names, _ = COUNT_COLUMNS[by]
    columns = ", ".join("verdicts.deployment" if name == "deployment" else name for name in names)
    query = f"select {columns}, count(*) as count {_failed(service)} group by all order by count desc, {columns}"
    found = lake.sql(query, _criteria(service, deployment, start, end))
    return found.cast(polars_schema(*COUNT_COLUMNS[by]))


def _failed(service: str) -> str:
    if service not in _RECORDS:
        raise InputError(f"no service {service!r}; the services are {', '.join(_RECORDS)}")
    records, subject = _RECORDS[service]
    return _FAILED.format(records=records, subject=subject)


def _criteria(service: str, deployment: str | None, start: datetime | None, end: datetime | None) -> dict[str, object]:
    return {"service": service, "deployment": deployment, **bounds(start, end)}
