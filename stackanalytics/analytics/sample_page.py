"""Samples as they are shown: their columns, and their metadata, which are read of no more than a page of them."""

from collections.abc import Sequence

import polars as pl

from stackanalytics.lake import Lake
from stackanalytics.lake.meter_view import columns_read
from stackanalytics.schema import NOTIFICATIONS, polars_schema

SAMPLE_COLUMNS = (
    *("sample_id", "meter", "meter_type", "unit", "volume", "resource", "tenant", "user", "source"),
    *("measured_at", "recorded_at", "metadata"),
)
# of a page of samples, as SQL: what is shown of them, and where their metadata are
PAGE_COLUMNS = """
    sample_id, meter, meter_type, unit, volume, resource, tenant, "user", source, measured_at, recorded_at,
    notification_id, posted_context
"""
NOTIFICATIONS_AT_ONCE = 5_000


def shown(lake: Lake, page: pl.DataFrame, *, metadata: bool) -> pl.DataFrame:
    """Return a page of samples as it is shown.

    Parameters
    ----------
    lake
        The lake that it is from.
    page
        Samples with ``PAGE_COLUMNS``.
    metadata
        Whether their metadata are told; else these are null.
    """
    told = with_metadata(lake, page) if metadata else page.with_columns(metadata=None)
    return told.select(SAMPLE_COLUMNS).cast(polars_schema(*SAMPLE_COLUMNS))


def with_metadata(lake: Lake, found: pl.DataFrame, *, of: Sequence[str] = ("sample_id",)) -> pl.DataFrame:
    """Return samples with their metadata: as posted, or as their notifications tell.

    Parameters
    ----------
    lake
        The lake that they are from.
    found
        Samples with ``notification_id``, ``posted_context``, ``meter`` and the columns *of*.
    of
        The columns that say which sample of a notification is meant; of several that these leave, the least metadata
        count.

    Returns
    -------
    polars.DataFrame
        The samples, and in a column ``metadata`` (String) JSON of what else was known of the resource.
    """
    derived = found["notification_id"].drop_nulls().unique().sort()
    parts = [derived[place : place + NOTIFICATIONS_AT_ONCE] for place in range(0, len(derived), NOTIFICATIONS_AT_ONCE)]
    if not parts:
        return found.rename({"posted_context": "metadata"})
    meters = found["meter"].unique().sort().to_list()
    told = pl.concat(_told(lake, part, meters, of) for part in parts)
    return found.join(told, on=list(of), how="left", maintain_order="left", nulls_equal=True).with_columns(
        metadata=pl.coalesce("metadata", "posted_context")
    )


def _told(lake: Lake, ids: pl.Series, meters: Sequence[str], of: Sequence[str]) -> pl.DataFrame:
    """Return the metadata that some notifications tell of their samples of some meters."""
    notifications = lake.sql(
        f"""
        select {_columns(lake)} from notifications
        where id between $first and $last and id in (select notification_id from derived)
        """,
        {"first": ids.min(), "last": ids.max()},
        frames={"derived": ids.to_frame()},
    )
    # put in the place of all notifications, these few yield their samples in no time
    return lake.sql(
        f"""
        select {", ".join(f'"{column}"' for column in of)}, min(cast(metadata as varchar)) as metadata
        from samples
        where notification_id is not null and meter in (select unnest($meters))
        group by all
        """,
        {"meters": meters},
        holding={"meter": meters},
        frames={"notifications": notifications},
    )


def _columns(lake: Lake) -> str:
    """Return all columns of notifications; those that no sample is made of are nulls of their type, and not read."""
    needed = columns_read(lake.useful_meters)
    return ", ".join(
        f'"{column}"' if column in needed else f'case when false then "{column}" end as "{column}"'
        for column in (*NOTIFICATIONS.fields, NOTIFICATIONS.partition)
    )
