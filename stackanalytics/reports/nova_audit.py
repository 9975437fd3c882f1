"""The audit of nova's usage: whether what is billed was verified, and whether all of it was reported.

Source: StackTach's report ``nova usage audit`` (version 7).
"""

from datetime import datetime

import polars as pl

from stackanalytics.analytics.exists_state import audit_statistics
from stackanalytics.analytics.expected_usage import expected_launches
from stackanalytics.lake import Lake
from stackanalytics.reports.audit import failed_records, statistics
from stackanalytics.reports.report import Frames, Parameters, Report
from stackanalytics.schema import polars_schema

ROW_COLUMNS = (
    *("problem", "exists_id", "launch_id", "instance", "launched_at", "status", "fail_reason"),
    *("deployment", "host"),
)
SUMMARY_COLUMNS = ("failed", "new", "old", "without_exists")


def nova_usage_audit(lake: Lake, *, start: datetime, end: datetime) -> pl.DataFrame:
    """Return what is wrong with nova's usage records of a period.

    Parameters
    ----------
    lake
        The lake to ask.
    start, end
        The period: records count that were received in ``[start, end)``, and launches of which a
        record should tell whose audit period begins in it.

    Returns
    -------
    polars.DataFrame
        A row a problem, records first, in the order of their ids, with

        * ``problem`` (String): ``exists_failed``, a record that failed verification;
          ``launch_without_exists``, a launch of which no record tells, or where none tells of the
          instance at all the first of its launches
        * ``exists_id``, ``launch_id`` (Int64): the record or the launch; both null for a launch that
          only a reconciliation knows
        * ``instance`` (String), ``launched_at`` (Datetime, UTC)
        * ``status`` (String): ``failed`` or ``sent_failed``; null for launches
        * ``fail_reason`` (String): what is wrong, in words
        * ``deployment``, ``host`` (String): who told of it

    Source: StackTach's report ``nova usage audit``.

    Examples
    --------
    >>> from datetime import datetime
    >>> sa.nova_usage_audit(lake, start=datetime(2030, 1, 1), end=datetime(2030, 1, 2)).height
    0
    """
    return _problems(
        failed_records(lake, service="nova", start=start, end=end), expected_launches(lake, start=start, end=end)
    )


def _make(lake: Lake, *, start: datetime, end: datetime) -> Frames:
    failed = failed_records(lake, service="nova", start=start, end=end)
    expected = expected_launches(lake, start=start, end=end)
    length_s = (end - start).total_seconds()
    problems = _problems(failed, expected)
    summary = expected.select(
        new=pl.col("is_new").sum(),
        old=(~pl.col("is_new")).sum(),
        failed=pl.lit(failed.height),
        without_exists=pl.lit(problems.height - failed.height),
    )
    found = audit_statistics(lake, service="nova", start=start, end=end, period_s=length_s)
    return {
        "rows": problems,
        "summary": summary.select(SUMMARY_COLUMNS).cast(polars_schema(*SUMMARY_COLUMNS)),
        "statistics": statistics(found, "periodic", "instantaneous", "longer"),
    }


def _problems(failed: pl.DataFrame, expected: pl.DataFrame) -> pl.DataFrame:
    missing = expected.filter(~pl.col("has_exists") & (pl.col("is_first") | pl.col("is_instance_told")))
    found = [
        failed.rename({"id": "exists_id"}).with_columns(problem=pl.lit("exists_failed")),
        missing.with_columns(problem=pl.lit("launch_without_exists"), fail_reason=_words()),
    ]
    return pl.concat(found, how="diagonal_relaxed").select(ROW_COLUMNS).cast(polars_schema(*ROW_COLUMNS))


def _words() -> pl.Expr:
    """Say in StackTach's words that a record is missing."""
    launched_at = pl.col("launched_at").dt.strftime("%Y-%m-%d %H:%M:%S%.6f").str.strip_suffix(".000000")
    return (
        pl.when("is_instance_told")
        .then(pl.format("Couldn't find exists for launch ({}, {})", "instance", launched_at))
        .otherwise(pl.format("No exists for instance ({})", "instance"))
    )


def _title(parameters: Parameters) -> str:
    return "nova usage audit"


NOVA_USAGE_AUDIT = Report(
    name="nova-usage-audit",
    version=7,
    about="Which of nova's usage records passed verification, and of which launches none tells.",
    make=_make,
    title=_title,
    reads=("confirmations", "repairs"),
)
