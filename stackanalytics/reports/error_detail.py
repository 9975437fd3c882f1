"""The details of errors: every request that failed to change an instance, and why.

Source: StackTach's ``Error detail report`` (version 1).
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import polars as pl

from stackanalytics.analytics.attempt import attempts
from stackanalytics.lake import Lake
from stackanalytics.number import whole
from stackanalytics.reports.report import Frames, Option, Parameters, Report
from stackanalytics.schema import polars_schema

TOLD_COLUMNS = ("failure_id", "generated_at", "event_type", "service", "host", "deployment")
STEP_COLUMNS = (
    "request_id",
    "instance",
    "generated_at",
    "event_type",
    "host",
    "old_state",
    "state",
    "old_task",
    "task",
)
FAILED_COLUMNS = ("request_id", "instance", "tenant", "action", "image_type", "duration_s", "failure", "error_code")
ROW_COLUMNS = (*FAILED_COLUMNS, *TOLD_COLUMNS, "exception", "reason")

_MASKS = (
    (re.compile(r"req-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "$REQ_ID"),
    (re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "$UUID"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b"), "$HOST_ADDRESS"),
    (re.compile(r"\b\d{4,}\b"), "$LG_NUM"),
)
_OF_KWARGS = ("reason", "method", "topic", "exc_type", "actual", "code")
_OF_EXCEPTION = ("message", "cmd", "stderr", "exit_code", "code", "description")


def error_details(lake: Lake, *, start: datetime, end: datetime, slow_s: float = 1800) -> pl.DataFrame:
    """Return every request that failed to change an instance, and what is known of the reason.

    Parameters
    ----------
    lake
        The lake to ask.
    start, end
        Only requests heard of in ``[start, end)``; see :func:`stackanalytics.attempts`.
    slow_s
        Requests that took longer count as failed [s].

    Returns
    -------
    polars.DataFrame
        A row a failed request and instance, in the order of their starts, with

        * ``request_id``, ``instance``, ``tenant``, ``action``, ``failure``, ``error_code`` (String),
          ``image_type`` (Int32) and ``duration_s`` (Float64) [s], as of :func:`stackanalytics.attempts`
        * ``failure_id`` (Int64), ``generated_at`` (Datetime, UTC), ``event_type``, ``service``,
          ``host``, ``deployment`` (String): the notification that told of the failure; null where a
          request only took too long
        * ``exception`` (String): JSON of the exception
        * ``reason`` (String): its message, with request ids, uuids, addresses and large numbers
          masked, so that equal reasons are equal texts

    Source: StackTach's ``Error detail report``.

    Examples
    --------
    >>> from datetime import datetime
    >>> sa.error_details(lake, start=datetime(2030, 1, 1), end=datetime(2030, 1, 2)).height
    0
    """
    failed = attempts(lake, start=start, end=end, slow_s=slow_s).filter(pl.col("failure").is_not_null())
    told = lake.sql(
        """
        select id as failure_id, generated_at, event_type, service, host,
            deployment as told_by
        from notifications
        where id in (select unnest($ids::bigint[]))
        """,
        {"ids": failed["failure_id"].drop_nulls().to_list()},
    )
    return (
        failed.join(told, on="failure_id", how="left", maintain_order="left")
        .with_columns(
            deployment=pl.coalesce("told_by", "deployment"),
            reason=pl.Series([_reason(exception) for exception in failed["exception"]], dtype=pl.String),
        )
        .select(ROW_COLUMNS)
        .cast(polars_schema(*ROW_COLUMNS))
    )


def _steps(lake: Lake, rows: pl.DataFrame) -> pl.DataFrame:
    """Return all that was told of the failed requests, in the order of time."""
    return lake.sql(
        """
        select request_id, instance, generated_at, event_type, host, old_state, state, old_task, task
        from notifications
        where exchange = 'nova' and operation <> 'compute.instance.exists'
            and (request_id, instance) in (select (unnest($request_ids::varchar[]), unnest($instances::varchar[])))
        order by request_id, instance, generated_at, phase desc, message_id, id
        """,
        {"request_ids": rows["request_id"].to_list(), "instances": rows["instance"].to_list()},
    ).cast(polars_schema(*STEP_COLUMNS))


def _make(lake: Lake, *, start: datetime, end: datetime, slow_s: float) -> Frames:
    rows = error_details(lake, start=start, end=end, slow_s=slow_s)
    counts = {name: _counted(rows, name) for name in ("reason", "event_type", "tenant", "error_code")}
    return {"rows": rows, "steps": _steps(lake, rows), **counts}


def _counted(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    return (
        rows.filter(pl.col(name).is_not_null())
        .group_by(name)
        .agg(count=pl.len())
        .sort("count", name, descending=[True, False])
        .cast(polars_schema(name, "count"))
    )


def _reason(exception: str | None) -> str | None:
    if exception is None:
        return None
    told = json.loads(exception, parse_int=whole)
    reason = ", ".join(_parts(told)) if isinstance(told, dict) else str(told or "")
    for pattern, mask in _MASKS:
        reason = pattern.sub(mask, reason)
    return reason or None


def _parts(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield what an exception says, part by part; where it has none of the usual parts, all it has."""
    parts = [*_of_kwargs(told.get("kwargs")), *_named(told, _OF_EXCEPTION), *_named(told, ("stdout",))]
    yield from parts or [f"{name}: {value}" for name, value in told.items() if value]


def _of_kwargs(kwargs: object) -> Iterator[str]:
    if not isinstance(kwargs, dict):
        return
    if value := kwargs.get("value"):
        head, is_cut, _ = str(value).partition("Traceback")
        yield f"value: {head}{'$TRACEBACK' if is_cut and head else ''}" if head else f"value: {value}"
    yield from _named(kwargs, _OF_KWARGS)
    if expected := kwargs.get("expected"):
        yield f"expected: {expected[0] if isinstance(expected, list) else expected}"
    details = kwargs.get("details")
    if isinstance(details, dict):
        yield from (f"{name}: {value}" for name, value in details.items() if value)
    elif isinstance(details, list):
        yield from map(str, details)
    elif details:
        yield str(details)


def _named(told: Mapping[str, Any], names: tuple[str, ...]) -> list[str]:
    return [f"{name}: {told[name]}" for name in names if told.get(name)]


def _title(parameters: Parameters) -> str:
    return "Error detail report"


ERROR_DETAILS = Report(
    name="error-details",
    version=1,
    about="Every request that failed to change an instance, and why.",
    make=_make,
    title=_title,
    options=(Option("slow_s", 1800.0, "Requests that took longer count as failed [s]."),),
    names_last_second=True,
)
