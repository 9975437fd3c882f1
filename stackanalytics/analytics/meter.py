"""Meters: what is measured of which resources, the samples themselves, and who they are of."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import cast

import polars as pl

from stackanalytics.analytics.meter_query import FIELD_COLUMNS, Condition, Query, criteria
from stackanalytics.analytics.sample_page import PAGE_COLUMNS, shown, with_metadata
from stackanalytics.lake import Lake
from stackanalytics.schema import NOTIFICATIONS, SAMPLES, polars_schema

METER_COLUMNS = ("meter", "meter_type", "unit", "resource", "tenant", "user", "source")
RESOURCE_COLUMNS = ("resource", "tenant", "user", "source", "first_at", "last_at", "metadata")

METER_FIELDS = tuple(
    name for name, column in FIELD_COLUMNS.items() if column in ("resource", "tenant", "user", "source")
)
RESOURCE_FIELDS = (*METER_FIELDS, "timestamp", "measured_at")

DAYS_BACK = (0, 7)  # where a page of the newest samples is looked for
_NEWEST_FIRST = "measured_at desc, meter, resource, sample_id, volume"


def samples(
    lake: Lake,
    *,
    meter: str | None = None,
    query: Query = None,
    limit: int | None = None,
    offset: int = 0,
    metadata: bool = True,
) -> pl.DataFrame:
    """Return samples, the newest first.

    Parameters
    ----------
    lake
        The lake to ask.
    meter
        Only those of the meter of this name.
    query
        Only those that meet all conditions: :class:`stackanalytics.Condition` objects or text such as
        ``"resource=i-1;timestamp>=2026-03-02;metadata.state=active"``.
    limit, offset
        At most so many, after leaving out so many; None for all.
    metadata
        Whether metadata are told, for which notifications are read; else they are null.

    Returns
    -------
    polars.DataFrame
        A row a sample, with

        * ``sample_id`` (String): as landed; of what was posted given then, and of what a notification yields made of
          what identifies that and the meter,
          so that it is the same whenever and in whatever order notifications are landed
        * ``meter``, ``meter_type`` (gauge, delta or cumulative), ``unit`` (String)
        * ``volume`` (Float64): in that unit
        * ``resource``, ``tenant``, ``user``, ``source`` (String)
        * ``measured_at``, ``recorded_at`` (Datetime, UTC): when it was measured, and written into the lake
        * ``metadata`` (String): JSON of what else was known of the resource

    Raises
    ------
    InputError
        If a condition cannot be used.

    Source: samples that were posted, and notifications, by the definitions in
    ``stackanalytics/lake/meters.toml`` and in the lake's own ``meters.toml``, which are Ceilometer's.

    Examples
    --------
    >>> sa.samples(lake, meter="instance", query="resource=i-1", limit=1)["volume"].to_list()
    [1.0]
    """
    asked = criteria(query)
    parameters = {**asked.parameters, "meter": meter}
    chosen = f"($meter::varchar is null or meter = $meter) and {asked.sql}"
    holding = {"meter": meter or asked.meter}
    # ids are made, where they are not stored, of no more samples than can be on the page
    oldest = _page_start(lake, chosen, parameters, holding, rows=None if limit is None else limit + offset)
    page = lake.sql(
        f"""
        select {PAGE_COLUMNS}
        from samples
        where {chosen} and measured_at >= $oldest and date >= cast($oldest as date)
        order by {_NEWEST_FIRST}
        limit $limit offset $offset
        """,
        {**parameters, "oldest": oldest, "limit": limit, "offset": offset},
        holding=holding,
    )
    return shown(lake, page, metadata=metadata)


def meters(lake: Lake, *, query: Query = None, unique: bool = False) -> pl.DataFrame:
    """Return the meters: which have samples of which resources.

    Parameters
    ----------
    lake
        The lake to ask.
    query
        Only those whose newest sample meets all conditions on ``resource``, ``project``, ``user``, ``source`` and
        metadata, as in :func:`samples`.
    unique
        Whether a meter is told once rather than for each resource.

    Returns
    -------
    polars.DataFrame
        A row a meter, type, unit and resource, in their order, with ``meter``, ``meter_type``, ``unit``,
        ``resource``, ``tenant``, ``user``, ``source`` (String), the last three of the newest sample; those from
        ``resource`` on are null where meters are ``unique``.

    Raises
    ------
    InputError
        If a condition cannot be used.

    Source: the samples.

    Examples
    --------
    >>> sa.meters(lake, query="resource=i-1", unique=True)["meter"].to_list()
    ['instance']
    """
    asked = criteria(query, fields=METER_FIELDS)
    # reading the metadata of all samples takes long
    told = ("tenant", "user", "source", *(["metadata"] if "metadata" in asked.sql else []))
    found = lake.sql(
        f"""
        with newest as (
            select meter, meter_type, unit, resource, unnest(max({{measured_at: measured_at, {_greatest(told)}}}))
            from samples
            group by meter, meter_type, unit, resource
        )
        select meter, meter_type, unit, resource, tenant, "user", source
        from newest
        where {asked.sql}
        order by meter, meter_type, unit, resource
        """,
        asked.parameters,
    ).cast(polars_schema(*METER_COLUMNS))
    if not unique:
        return found
    owners = [pl.lit(None, pl.String).alias(name) for name in ("resource", "tenant", "user", "source")]
    return found.unique(("meter", "meter_type", "unit"), keep="first", maintain_order=True).with_columns(owners)


def resources(
    lake: Lake, *, query: Query = None, limit: int | None = None, offset: int = 0, metadata: bool = True
) -> pl.DataFrame:
    """Return the resources that there are samples of.

    Parameters
    ----------
    lake
        The lake to ask.
    query
        Only those with a sample that meets all conditions on ``resource``, ``project``, ``user``, ``source``,
        ``timestamp`` and metadata, as in :func:`samples`.
    limit, offset
        At most so many, after leaving out so many; None for all.
    metadata
        Whether metadata are told, for which notifications are read; else they are null.

    Returns
    -------
    polars.DataFrame
        A row a resource, in their order, with

        * ``resource`` (String)
        * ``tenant``, ``user``, ``source`` (String), ``metadata`` (String; JSON): as its newest sample that meets the
          conditions tells; of several at ``last_at`` the greatest counts
        * ``first_at``, ``last_at`` (Datetime, UTC): its first and last sample that meets the conditions

    Raises
    ------
    InputError
        If a condition cannot be used.

    Source: the samples.

    Examples
    --------
    >>> sa.resources(lake)["resource"].to_list()
    ['i-1']
    """
    asked = criteria(query, fields=RESOURCE_FIELDS)
    page = lake.sql(
        f"""
        select resource, min(measured_at) as first_at, max(measured_at) as last_at
        from samples
        where {asked.sql}
        group by resource
        order by resource
        limit $limit offset $offset
        """,
        {**asked.parameters, "limit": limit, "offset": offset},
    )
    found = lake.sql(
        f"""
        select resource, first_at, last_at, measured_at, meter, tenant, "user", source, notification_id, posted_context
        from samples join page using (resource)
        where measured_at = last_at and date between $first_day and $last_day and {asked.sql}
        qualify meter = max(meter) over (partition by resource)
        """,
        {
            **asked.parameters,
            "first_day": page["last_at"].dt.date().min(),
            "last_day": page["last_at"].dt.date().max(),
        },
        frames={"page": page},
    )
    of = ("notification_id", "meter", "resource", "measured_at", "tenant", "user", "source")
    told = with_metadata(lake, found, of=of) if metadata else found.with_columns(metadata=None)
    # the greatest, since none came last in all orders of landing
    return (
        told.sort("resource", "tenant", "user", "source", "metadata", nulls_last=False)
        .unique("resource", keep="last", maintain_order=True)
        .select(RESOURCE_COLUMNS)
        .cast(polars_schema(*RESOURCE_COLUMNS))
    )


def resource(lake: Lake, id: str) -> pl.DataFrame:
    """Return one resource.

    Parameters
    ----------
    lake
        The lake to ask.
    id
        Its id.

    Returns
    -------
    polars.DataFrame
        A row as in :func:`resources`; none, where there is no sample of it.

    Source: the samples.

    Examples
    --------
    >>> sa.resource(lake, "i-1")["tenant"].to_list()
    [None]
    """
    return resources(lake, query=[Condition("resource", "eq", id)])


def sources(lake: Lake) -> pl.DataFrame:
    """Return where the ids of samples come from.

    Parameters
    ----------
    lake
        The lake to ask.

    Returns
    -------
    polars.DataFrame
        A row a source, in their order, with ``source`` (String), ``count`` (Int64; how many samples),
        ``first_at``, ``last_at`` (Datetime, UTC; when the first and the last of them were measured).

    Source: the samples.

    Examples
    --------
    >>> sa.sources(lake)["source"].to_list()
    ['openstack']
    """
    return _owners(lake, "source")


def projects(lake: Lake) -> pl.DataFrame:
    """Return the projects that there are samples of.

    Parameters
    ----------
    lake
        The lake to ask.

    Returns
    -------
    polars.DataFrame
        A row a project, in their order, with ``tenant`` (String), ``count`` (Int64; how many samples),
        ``first_at``, ``last_at`` (Datetime, UTC; when the first and the last of them were measured).

    Source: the samples.

    Examples
    --------
    >>> sa.projects(lake)["tenant"].to_list()
    []
    """
    return _owners(lake, "tenant")


def users(lake: Lake) -> pl.DataFrame:
    """Return the users that there are samples of.

    Parameters
    ----------
    lake
        The lake to ask.

    Returns
    -------
    polars.DataFrame
        A row a user, in their order, with ``user`` (String), ``count`` (Int64; how many samples),
        ``first_at``, ``last_at`` (Datetime, UTC; when the first and the last of them were measured).

    Source: the samples.

    Examples
    --------
    >>> sa.users(lake)["user"].to_list()
    []
    """
    return _owners(lake, "user")


def _page_start(
    lake: Lake,
    chosen: str,
    parameters: Mapping[str, object],
    holding: Mapping[str, str | Sequence[str] | None],
    rows: int | None,
) -> datetime | None:
    """Return when the oldest of the newest samples was measured, so many of those that are chosen.

    The newest days are looked at first: mostly they have enough.
    """
    newest = max((file.day for name in (NOTIFICATIONS.name, SAMPLES.name) for file in lake.files(name)), default=None)
    days = [] if newest is None or rows is None else [newest - timedelta(days=count) for count in DAYS_BACK]
    for first_day in (*days, None):
        count, oldest = lake.sql(
            f"""
            select count(*), min(measured_at)
            from (
                select measured_at from samples
                where {chosen} and ($first_day::date is null or date >= $first_day)
                order by measured_at desc limit $rows
            )
            """,
            {**parameters, "first_day": first_day, "rows": rows},
            holding=holding,
        ).row(0)
        if count == rows:
            break
    return cast(datetime | None, oldest)


def _owners(lake: Lake, column: str) -> pl.DataFrame:
    return lake.sql(
        f"""
        select "{column}", count(*) as count, min(measured_at) as first_at, max(measured_at) as last_at
        from samples
        where "{column}" is not null
        group by "{column}"
        order by "{column}"
        """
    ).cast(polars_schema(column, "count", "first_at", "last_at"))


def _greatest(columns: Iterable[str]) -> str:
    """Return columns as fields of a struct; of two structs the one that knows more is the greater."""
    return ", ".join(f'has_{name}: "{name}" is not null, "{name}": cast("{name}" as varchar)' for name in columns)
