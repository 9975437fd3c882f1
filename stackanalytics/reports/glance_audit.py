"""The audit of glance's usage: whether what is billed was verified, and whether all of it was reported.

Source: StackTach's report ``glance usage audit`` (version 6).
"""

from datetime import datetime

import polars as pl

from stackanalytics.analytics.exists_state import audit_statistics
from stackanalytics.analytics.expected_usage import expected_images
from stackanalytics.lake import Lake
from stackanalytics.reports.audit import failed_records, statistics
from stackanalytics.reports.report import Frames, Parameters, Report
from stackanalytics.schema import polars_schema

ROW_COLUMNS = ("problem", "exists_id", "image_id", "image", "status", "fail_reason", "deployment", "host")
SUMMARY_COLUMNS = ("failed", "new", "old", "without_exists")


def glance_usage_audit(lake: Lake, *, start: datetime, end: datetime) -> pl.DataFrame:
    """Return what is wrong with glance's usage records of a period.

    Parameters
    ----------
    lake
        The lake to ask.
    start, end
        The period: records count that were received in ``[start, end)``, and images of which a
        record should tell whose audit period begins in it.

    Returns
    -------
    polars.DataFrame
        A row a problem, records first, in the order of their ids, with

        * ``problem`` (String): ``exists_failed``, a record that failed verification;
          ``image_without_exists``, an image of which no record tells
        * ``exists_id``, ``image_id`` (Int64): the record or the image
        * ``image`` (String): its uuid
        * ``status`` (String): ``failed`` or ``sent_failed``; null for images
        * ``fail_reason`` (String): what is wrong, in words
        * ``deployment``, ``host`` (String): who told of it

    Source: StackTach's report ``glance usage audit``.

    Examples
    --------
    >>> from datetime import datetime
    >>> sa.glance_usage_audit(lake, start=datetime(2030, 1, 1), end=datetime(2030, 1, 2)).height
    0
    """
    return _problems(
        failed_records(lake, service="glance", start=start, end=end), expected_images(lake, start=start, end=end)
    )


def _make(lake: Lake, *, start: datetime, end: datetime) -> Frames:
    failed = failed_records(lake, service="glance", start=start, end=end)
    expected = expected_images(lake, start=start, end=end)
    length_s = (end - start).total_seconds()
    summary = expected.select(
        new=pl.col("is_new").sum(),
        old=(~pl.col("is_new")).sum(),
        failed=pl.lit(failed.height),
        without_exists=(~pl.col("has_exists")).sum(),
    )
    found = audit_statistics(lake, service="glance", start=start, end=end, period_s=length_s)
    return {
        "rows": _problems(failed, expected),
        "summary": summary.select(SUMMARY_COLUMNS).cast(polars_schema(*SUMMARY_COLUMNS)),
        "statistics": statistics(found, "periodic", "instantaneous", "longer"),
    }


def _problems(failed: pl.DataFrame, expected: pl.DataFrame) -> pl.DataFrame:
    missing = expected.filter(~pl.col("has_exists"))
    found = [
        failed.rename({"id": "exists_id"}).with_columns(problem=pl.lit("exists_failed")),
        missing.with_columns(
            problem=pl.lit("image_without_exists"), fail_reason=pl.format("No exists for usage ({})", "image")
        ),
    ]
    return pl.concat(found, how="diagonal_relaxed").select(ROW_COLUMNS).cast(polars_schema(*ROW_COLUMNS))


def _title(parameters: Parameters) -> str:
    return "glance usage audit"


GLANCE_USAGE_AUDIT = Report(
    name="glance-usage-audit",
    version=6,
    about="Which of glance's usage records passed verification, and of which images none tells.",
    make=_make,
    title=_title,
    reads=("confirmations", "repairs"),
)
