"""What became of exists records: verified or not, sent or not. It is derived here and nowhere else.

A record is ``pending`` until a verification has a verdict on it. That a system downstream had sent
it on before (a *repair*) makes it ``sent_unverified``, and ``sent_failed`` when it fails; when it
does not, it is ``verified`` or ``reconciled`` as any other. While a verification is under way,
the records without a verdict that it is about are ``verifying`` or ``sent_verifying``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

import polars as pl

from stackanalytics import times
from stackanalytics.analytics.period import bounds
from stackanalytics.analytics.reason import fail_reason
from stackanalytics.analytics.usage import EXISTS_COLUMNS, IMAGE_EXISTS_COLUMNS
from stackanalytics.analytics.usage_record import Criteria, Noun, Values, check_columns, order, usage_records
from stackanalytics.errors import InputError
from stackanalytics.lake import Lake, verification_under_way
from stackanalytics.schema import polars_schema

STATE_COLUMNS = ("status", "fail_reason", "send_status", "event_id")
STATISTICS_COLUMNS = ("status", "send_status", "count")
DAY_COLUMNS = ("date", "status", "count")
LINK_COLUMNS = ("launch_id", "delete_id")
AUDIT_COLUMNS = ("audit", "status", "send_status", "count")

# what the state of a record depends on
_DECISIVE = ("id", "audit_period_ending", "received_at")
_ASKABLE = ("status", "send_status", "event_id")
_TOLD_DOWNSTREAM = {"send_status", "event_id"}
_MANY = 20_000


@dataclass(frozen=True, slots=True)
class _Service:
    """Where the exists records of a service are, and what they are about."""

    noun: Noun
    columns: tuple[str, ...]
    subject: str
    launches: Noun
    deletes: Noun
    criterion: str


_SERVICES: Mapping[str, _Service] = MappingProxyType(
    {
        "nova": _Service(
            "exists",
            EXISTS_COLUMNS,
            "instance",
            "launches",
            "deletes",
            "date_trunc('second', others.launched_at) = date_trunc('second', records.launched_at)",
        ),
        "glance": _Service("image_exists", IMAGE_EXISTS_COLUMNS, "image", "images", "image_deletes", "true"),
    }
)

_STATES = """
select records.*,
    case
        when verdict is null and coalesce(audit_period_ending, received_at) <= $due_at
            then if(repaired.exists_id is null, 'verifying', 'sent_verifying')
        when verdict is null and repaired.exists_id is null then 'pending'
        when verdict is null then 'sent_unverified'
        when verdict = 'failed' and repaired.exists_id is not null then 'sent_failed'
        else verdict
    end as status,
    coalesce(confirmations.send_status, 0) as send_status,
    confirmations.event_id,
    verified_at,
    columns('reason_.*')
from records
left join (from known_verdicts where service = $service) as verdicts on verdicts.exists_id = records.id
left join repaired on repaired.exists_id = records.id
left join confirmations on confirmations.exists_id = records.id
"""

_AUDITS = f"""
select
    case
        when us > $period_us then 'longer'
        when us >= $period_us - 1_000_000 then 'periodic'
        when us is not null then 'instantaneous'
        else 'unknown'
    end as audit, status, send_status, count(*) as count
from (select *, epoch_us(audit_period_ending) - epoch_us(audit_period_beginning) as us from ({_STATES}))
group by all
order by all
"""

_LINKS = """
select records.id, min(others.id) as other_id
from records
join others on others.{subject} = records.{subject} and {criterion}
group by records.id
"""


def exists_states(
    lake: Lake,
    *,
    service: str = "nova",
    id: int | None = None,
    message_ids: Iterable[str] | None = None,
    criteria: Criteria | None = None,
    order_by: str = "id",
    descending: bool = False,
    limit: int | None = None,
    offset: int = 0,
) -> pl.DataFrame:
    """Return exists records and what became of them.

    Parameters
    ----------
    lake
        The lake to ask.
    service
        ``nova`` or ``glance``.
    id, message_ids
        Only the one with this id, for which the lake is not searched; only those that came with one of
        these messages.
    criteria
        Only those that meet all of them; any column but ``fail_reason`` can be asked for.
    order_by, descending
        Column to order by, and whether the highest comes first; of equal ones the ``id`` decides. What
        is not known counts as lowest.
    limit, offset
        At most so many, after leaving out so many; None for all.

    Returns
    -------
    polars.DataFrame
        A row a record, with the columns of :func:`exists` or :func:`image_exists`, and

        * ``status`` (String): ``pending``, ``verifying``, ``verified``, ``reconciled`` or ``failed``;
          for those that were sent before they were verified ``sent_unverified``, ``sent_verifying``
          or ``sent_failed``, and ``verified`` or ``reconciled`` as well
        * ``fail_reason`` (String): why it failed, in words; null where it did not
        * ``send_status`` (Int64): HTTP status of the system that took it; 0 where none told
        * ``event_id`` (String): id that the system that took it gave it

    Raises
    ------
    InputError
        If there is no such service or the records have no such column.

    Source: :func:`exists` or :func:`image_exists`, the stored verifications, confirmations and repairs.

    Examples
    --------
    >>> sa.exists_states(lake, limit=10)["status"].to_list()
    []
    """
    of, criteria = _service(service), criteria or Criteria()
    asked = {*criteria.columns, order_by}
    check_columns(asked, (*of.columns, *_ASKABLE))
    which: dict[str, Any] = {"id": id, "among": None if message_ids is None else {"message_id": message_ids}}
    page: dict[str, Any] = {"order_by": order_by, "descending": descending, "limit": limit, "offset": offset}
    if asked <= set(of.columns):
        records = usage_records(lake, noun=of.noun, criteria=criteria, **which, **page)
    else:
        ids = _ids(lake, service, which, criteria, **page)
        found = usage_records(lake, noun=of.noun, among={"id": ids["id"]})
        records = ids.join(found, on="id", maintain_order="left")
    return _with_states(lake, service, records)


def exists_statistics(lake: Lake, *, service: str = "nova", criteria: Criteria | None = None) -> pl.DataFrame:
    """Return how many exists records are in which state.

    Parameters
    ----------
    lake
        The lake to ask.
    service
        ``nova`` or ``glance``.
    criteria
        Only those that meet all of them; any column of :func:`exists_states` but ``fail_reason``.

    Returns
    -------
    polars.DataFrame
        A row a combination that there is, in order, with ``status`` (String), ``send_status`` (Int64)
        and ``count`` (Int64), as :func:`exists_states` has them.

    Raises
    ------
    InputError
        If there is no such service or the records have no such column.

    Source: as :func:`exists_states`.

    Examples
    --------
    >>> sa.exists_statistics(lake).rows()
    []
    """
    of, criteria = _service(service), criteria or Criteria()
    check_columns(criteria.columns, (*of.columns, *_ASKABLE))
    records = usage_records(lake, noun=of.noun, criteria=criteria.only(of.columns), columns=_DECISIVE)
    written, values = criteria.only(_ASKABLE).sql()
    return _ask(
        lake,
        service,
        f"""
        select status, send_status, count(*) as count
        from ({_STATES})
        where {written}
        group by all
        order by all
        """,
        records,
        values,
    ).cast(polars_schema(*STATISTICS_COLUMNS))


def exists_days(
    lake: Lake,
    *,
    service: str = "nova",
    deployment: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> pl.DataFrame:
    """Return how many exists records of each day are in which state.

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
        A row a day and state, in order, with ``date`` (Date; the day, in UTC, on which the audit period
        begins), ``status`` (String, as of :func:`exists_states`) and ``count`` (Int64).

    Raises
    ------
    InputError
        If there is no such service.

    Source: as :func:`exists_states`.

    Examples
    --------
    >>> sa.exists_days(lake).columns
    ['date', 'status', 'count']
    """
    of, period = _service(service), bounds(start, end)
    begins = "audit_period_beginning"
    criteria = Criteria(
        equal={} if deployment is None else {"deployment": deployment},
        at_least={} if period["start"] is None else {begins: period["start"]},
        at_most={} if period["end"] is None else {begins: period["end"] - times.MICROSECOND},
    )
    records = usage_records(
        lake, noun=of.noun, criteria=criteria, columns=("id", begins, "audit_period_ending", "received_at")
    )
    query = f"""
        select {begins}::date as date, status, count(*) as count
        from ({_STATES})
        group by all
        order by all
    """
    return _ask(lake, service, query, records, {}).cast(polars_schema(*DAY_COLUMNS))


def audit_statistics(
    lake: Lake, *, service: str = "nova", start: datetime, end: datetime, period_s: float = 86_400
) -> pl.DataFrame:
    """Return how many exists records of which kind are in which state.

    Parameters
    ----------
    lake
        The lake to ask.
    service
        ``nova`` or ``glance``.
    start, end
        Only those received in ``[start, end)``.
    period_s
        Length of the periods that are audited regularly [s].

    Returns
    -------
    polars.DataFrame
        A row a combination that there is, in order, with

        * ``audit`` (String): ``periodic``, of a whole period, or one that ends with its last second;
          ``instantaneous``, of less, as nova sends it before something changes; ``longer``; ``unknown``
          without a period
        * ``status`` (String), ``send_status`` (Int64), as :func:`exists_states` has them
        * ``count`` (Int64)

    Raises
    ------
    InputError
        If there is no such service.

    Source: as :func:`exists_states`; StackTach's usage audits.

    Examples
    --------
    >>> from datetime import datetime
    >>> sa.audit_statistics(lake, start=datetime(2026, 3, 1), end=datetime(2026, 3, 2)).rows()
    []
    """
    of, period = _service(service), received_in(start, end)
    records = usage_records(lake, noun=of.noun, criteria=period, columns=(*_DECISIVE, "audit_period_beginning"))
    return _ask(lake, service, _AUDITS, records, {"period_us": round(period_s * 1_000_000)}).cast(
        polars_schema(*AUDIT_COLUMNS)
    )


def received_in(start: datetime, end: datetime) -> Criteria:
    """Return the criteria of records received in ``[start, end)``."""
    last = times.instant(end) - timedelta(microseconds=1)
    return Criteria(at_least={"received_at": times.instant(start)}, at_most={"received_at": last})


def exists_totals(days: pl.DataFrame) -> pl.DataFrame:
    """Return how many exists records are in which state, of days of :func:`exists_days` together.

    Parameters
    ----------
    days
        Rows of :func:`exists_days`.

    Returns
    -------
    polars.DataFrame
        A row a state, in order, with ``status`` (String) and ``count`` (Int64).

    Source: as :func:`exists_days`.
    """
    return days.group_by("status").agg(pl.col("count").sum()).sort("status")


def exists_links(lake: Lake, records: pl.DataFrame, *, service: str = "nova") -> pl.DataFrame:
    """Return exists records with the launch and the deletion that each is about.

    Parameters
    ----------
    lake
        The lake to ask.
    records
        Rows of :func:`exists_states`, :func:`exists` or :func:`image_exists`.
    service
        The service that they are of.

    Returns
    -------
    polars.DataFrame
        The records in their order, with ``launch_id`` (Int64; of the launch in the same second, or of
        the image) and ``delete_id`` (Int64; likewise, where the record has a ``deleted_at``), the lowest
        where there are several, null where there is none.

    Source: :func:`launches` and :func:`deletes`, or :func:`images` and :func:`image_deletes`.
    """
    of = _service(service)
    deleted = records.filter(pl.col("deleted_at").is_not_null())
    launches = _linked(lake, of, of.launches, records).rename({"other_id": "launch_id"})
    deletes = _linked(lake, of, of.deletes, deleted).rename({"other_id": "delete_id"})
    linked = records.join(launches, on="id", how="left", maintain_order="left")
    return linked.join(deletes, on="id", how="left", maintain_order="left")


def _service(name: str) -> _Service:
    if name not in _SERVICES:
        raise InputError(f"no service {name!r}; the services are {', '.join(_SERVICES)}")
    return _SERVICES[name]


def _ids(
    lake: Lake,
    service: str,
    which: Mapping[str, Any],
    criteria: Criteria,
    *,
    order_by: str,
    descending: bool,
    limit: int | None,
    offset: int,
) -> pl.DataFrame:
    """Return the ids of a page that depends on the state of records: all of them have to be looked at."""
    of = _SERVICES[service]
    shown = tuple(dict.fromkeys((*_DECISIVE, order_by) if order_by in of.columns else _DECISIVE))
    records = usage_records(lake, noun=of.noun, criteria=criteria.only(of.columns), columns=shown, **which)
    written, values = criteria.only(_ASKABLE).sql()
    query = f"""
        select id
        from ({_STATES})
        where {written}
        order by {order(order_by, descending)}
        limit $limit offset $offset
    """
    values |= {"limit": limit, "offset": offset}
    needs_told = bool(_TOLD_DOWNSTREAM & {*criteria.columns, order_by})
    return _ask(lake, service, query, records, values, needs_told=needs_told)


def _with_states(lake: Lake, service: str, records: pl.DataFrame) -> pl.DataFrame:
    of = _SERVICES[service]
    columns = (*of.columns, *STATE_COLUMNS)
    states = _ask(lake, service, _STATES, records.select(*_DECISIVE, resource=of.subject), {})
    reasons = [
        fail_reason({**row, "service": service, "exists_id": row["id"]})
        for row in states.select("id", "resource", "verified_at", "^reason_.*$").iter_rows(named=True)
    ]
    states = states.with_columns(fail_reason=pl.Series(reasons, dtype=pl.String))
    stated = records.join(states, on="id", how="left", maintain_order="left")
    return stated.select(columns).cast(polars_schema(*columns))


def _ask(
    lake: Lake, service: str, query: str, records: pl.DataFrame, values: Values, *, needs_told: bool = True
) -> pl.DataFrame:
    """Ask about ``records``, of which ``repaired`` and ``confirmations`` are known, and what is being verified."""
    ids = None if records.height > _MANY else records["id"].to_list()
    frames = {
        "records": records,
        "repaired": lake.usage_state.repaired(service, ids),
        "confirmations": lake.usage_state.confirmations(service, ids if needs_told else []),
    }
    verdicts = "verdicts" if ids is None else "verdicts_among($ids)"
    due_at = None if lake.is_pinned else verification_under_way(lake.path, service)
    parameters = {"service": service, "due_at": due_at, **values}
    if ids is not None:
        parameters["ids"] = ids
    return lake.sql(f"with known_verdicts as (from {verdicts}) {query}", parameters, frames=frames)


def _linked(lake: Lake, of: _Service, noun: Noun, records: pl.DataFrame) -> pl.DataFrame:
    """Return the lowest id of what each record is about, as ``other_id``."""
    others = usage_records(lake, noun=noun, among={of.subject: records[of.subject]})
    query = _LINKS.format(subject=of.subject, criterion=of.criterion)
    return lake.sql(query, frames={"records": records, "others": others}).cast({"id": pl.Int64, "other_id": pl.Int64})
