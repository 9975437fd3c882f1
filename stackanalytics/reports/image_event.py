"""The audit of image events: how often images were uploaded, activated, deleted, reported and sent.

Source: StackTach's report ``image events audit`` (version 1).
"""

from datetime import datetime

import polars as pl

from stackanalytics.analytics.exists_state import audit_statistics
from stackanalytics.analytics.period import bounds_and_days
from stackanalytics.lake import Lake
from stackanalytics.reports.audit import ANSWERS
from stackanalytics.reports.report import Frames, Parameters, Report
from stackanalytics.schema import polars_schema

ROW_COLUMNS = ("event_type", "count")
EVENT_TYPES = ("image.upload", "image.activate", "image.delete", "image.exists", "image.exists.verified")


def image_events_audit(lake: Lake, *, start: datetime, end: datetime) -> pl.DataFrame:
    """Return how often what happened to images in a period.

    Parameters
    ----------
    lake
        The lake to ask.
    start, end
        The period, ``[start, end)``, by when the notifications were made.

    Returns
    -------
    polars.DataFrame
        A row a kind that there was, in this order, with ``event_type`` (String) and ``count`` (Int64):
        ``image.upload``, ``image.activate`` and ``image.delete`` count notifications;
        ``image.exists`` the images that such notifications tell of, one by one;
        ``image.exists.verified`` those among them that were verified and taken by the system that
        they were sent to.

    Source: StackTach's report ``image events audit``.

    Examples
    --------
    >>> from datetime import datetime
    >>> sa.image_events_audit(lake, start=datetime(2026, 3, 2), end=datetime(2026, 3, 3)).rows()
    []
    """
    return _counts(lake, start, end).filter(pl.col("count") > 0)


def _counts(lake: Lake, start: datetime, end: datetime) -> pl.DataFrame:
    told = lake.sql(
        """
        select event_type, count(*) as count
        from notifications
        where exchange = 'glance' and event_type in ('image.upload', 'image.activate', 'image.delete')
            and date between $first_day and $last_day and generated_at >= $start and generated_at < $end
        group by event_type
        """,
        bounds_and_days(start, end),
    )
    counts = dict(told.iter_rows())
    records = audit_statistics(lake, service="glance", start=start, end=end)
    was_taken = pl.col("send_status").is_between(*ANSWERS["success"])
    counts["image.exists"] = records["count"].sum()
    counts["image.exists.verified"] = records.filter(was_taken, status="verified")["count"].sum()
    rows = [(event_type, counts.get(event_type, 0)) for event_type in EVENT_TYPES]
    return pl.DataFrame(rows, polars_schema(*ROW_COLUMNS), orient="row")


def _make(lake: Lake, *, start: datetime, end: datetime) -> Frames:
    return {"rows": _counts(lake, start, end)}


def _title(parameters: Parameters) -> str:
    return "image events audit"


IMAGE_EVENTS_AUDIT = Report(
    name="image-events-audit",
    version=1,
    about="How often images were uploaded, activated, deleted, reported, and taken by billing.",
    make=_make,
    title=_title,
    reads=("confirmations", "repairs"),
)
