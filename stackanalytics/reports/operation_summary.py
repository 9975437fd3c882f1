"""The summary for a region: how long requests to change instances took, and how they failed.

Source: StackTach's report ``summary for region`` (version 4).
"""

from datetime import datetime

import polars as pl

from stackanalytics.analytics.attempt import attempts, deployments_in
from stackanalytics.errors import InputError
from stackanalytics.lake import Lake
from stackanalytics.reports.report import Frames, Option, Parameters, Report
from stackanalytics.schema import polars_schema

FAILURES = ("4xx", "5xx", "slow", "state")
_ALL_FAILURES = (*FAILURES, "http")
_COUNTS = tuple(f"{what}_{failure}" for failure in _ALL_FAILURES for what in ("failures", "share"))
ROW_COLUMNS = (
    *("action", "image_kind", "os_type", "min_s", "max_s", "median_s", "percentile_s", "requests"),
    *_COUNTS,
)
SUMMARY_COLUMNS = ("requests", *_COUNTS, "failures", "share")

BASE, SNAPSHOT, LINUX, WINDOWS = 0x1, 0x2, 0x10, 0x20


def operation_summary(
    lake: Lake,
    *,
    region: str | None = None,
    start: datetime,
    end: datetime,
    percentile: float = 97,
    slow_s: float = 1800,
) -> pl.DataFrame:
    """Return how long requests to change instances took and how they failed, by what they did.

    Parameters
    ----------
    lake
        The lake to ask.
    region
        Only instances of deployments whose name contains this text, in upper or lower case.
    start, end
        Only requests heard of in ``[start, end)``; see :func:`stackanalytics.attempts`.
    percentile
        Which percentile to return, above 0 and at most 100.
    slow_s
        Requests that took longer count as failed [s].

    Returns
    -------
    polars.DataFrame
        A row an action and kind of image, in this order, with

        * ``action`` (String): create, rebuild, rescue, resize, snapshot or aux
        * ``image_kind`` (String): base, snap or ?; ``os_type`` (String): linux, windows or ?
        * ``min_s``, ``max_s``, ``median_s``, ``percentile_s`` (Float64): durations [s], each that of
          one of the requests; of two in the middle the longer is the median
        * ``requests`` (Int64): how many there were
        * ``failures_4xx``, ``failures_5xx``, ``failures_slow``, ``failures_state``, ``failures_http``
          (Int64): how many of them failed in which way, and ``share_4xx`` … (Float64): the fraction
          of the requests that this is

    Raises
    ------
    InputError
        If no deployment belongs to the region, or there is no such percentile.

    Source: StackTach's report ``summary for region``.

    Examples
    --------
    >>> from datetime import datetime
    >>> sa.operation_summary(lake, start=datetime(2030, 1, 1), end=datetime(2030, 1, 2)).height
    0
    """
    if not 0 < percentile <= 100:
        raise InputError(f"percentile {percentile} is given; it is above 0 and at most 100")
    durations = pl.col("duration_s").sort()
    last = pl.len() - 1
    return (
        attempts(lake, region=region, start=start, end=end, slow_s=slow_s)
        .with_columns(image_kind=_image(), os_type=_system())
        .group_by("action", "image_kind", "os_type")
        .agg(
            min_s=durations.first(),
            max_s=durations.last(),
            median_s=durations.get(pl.len() // 2),
            percentile_s=durations.get(pl.min_horizontal((percentile / 100 * pl.len()).cast(pl.Int64), last)),
            requests=pl.len(),
            **{f"failures_{kind}": (pl.col("failure") == kind).sum() for kind in _ALL_FAILURES},
        )
        .with_columns(_shares())
        .sort("action", "image_kind", "os_type")
        .select(ROW_COLUMNS)
        .cast(polars_schema(*ROW_COLUMNS))
    )


def _make(
    lake: Lake, *, start: datetime, end: datetime, region: str | None, percentile: float, slow_s: float
) -> Frames:
    rows = operation_summary(lake, region=region, start=start, end=end, percentile=percentile, slow_s=slow_s)
    names = list(lake.deployments().values()) if region is None else deployments_in(lake, region)
    return {"rows": rows, "summary": _totals(rows), "deployments": pl.DataFrame({"name": names}, polars_schema("name"))}


def _totals(rows: pl.DataFrame) -> pl.DataFrame:
    counted = [f"failures_{kind}" for kind in _ALL_FAILURES]
    failures = pl.sum_horizontal(f"failures_{kind}" for kind in FAILURES)
    return (
        rows.select(pl.col("requests", *counted).sum())
        .with_columns(*_shares(), failures=failures, share=_share(failures))
        .select(SUMMARY_COLUMNS)
        .cast(polars_schema(*SUMMARY_COLUMNS))
    )


def _shares() -> list[pl.Expr]:
    return [_share(pl.col(f"failures_{kind}")).alias(f"share_{kind}") for kind in _ALL_FAILURES]


def _share(count: pl.Expr) -> pl.Expr:
    return pl.when(pl.col("requests") > 0).then(count / pl.col("requests")).otherwise(0.0)


def _image() -> pl.Expr:
    bits = pl.col("image_type")
    return (
        pl.when(bits & SNAPSHOT > 0)
        .then(pl.lit("snap"))
        .when(bits & BASE > 0)
        .then(pl.lit("base"))
        .otherwise(pl.lit("?"))
    )


def _system() -> pl.Expr:
    bits = pl.col("image_type")
    return (
        pl.when(bits & WINDOWS > 0)
        .then(pl.lit("windows"))
        .when(bits & LINUX > 0)
        .then(pl.lit("linux"))
        .otherwise(pl.lit("?"))
    )


def _title(parameters: Parameters) -> str:
    return f"summary for region: {parameters['region'] or 'all'}"


OPERATION_SUMMARY = Report(
    name="operation-summary",
    version=4,
    about="How long requests to change instances took, and how they failed, by action and image.",
    make=_make,
    title=_title,
    options=(
        Option("region", None, "Only deployments whose name contains this."),
        Option("percentile", 97.0, "Which percentile of the durations to tell."),
        Option("slow_s", 1800.0, "Requests that took longer count as failed [s]."),
    ),
    names_last_second=True,
    schedule=("day", "hour"),
)
