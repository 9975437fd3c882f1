"""Stored reports to download, part by part, as Parquet or CSV."""

from datetime import datetime

import polars as pl

from stackanalytics.errors import NotFoundError
from stackanalytics.lake import Lake
from stackanalytics.reports import store
from stackanalytics.surfaces.encoding import error_table, frame_bytes, number
from stackanalytics.surfaces.route import Request, Route, Surface, first_sentence

PARQUET = "application/vnd.apache.parquet"
CSV = "text/csv; charset=utf-8"


def parquet(lake: Lake, request: Request, now: datetime) -> bytes:
    """A part of a stored report, such as its ``rows``, as Parquet."""
    return frame_bytes(_part(lake, request), "parquet")


def csv(lake: Lake, request: Request, now: datetime) -> bytes:
    """A part of a stored report, such as its ``rows``, as CSV."""
    return frame_bytes(_part(lake, request), "csv")


def _part(lake: Lake, request: Request) -> pl.DataFrame:
    said, part = request.parts["report_id"], request.parts["part"]
    report_id = number(said)
    if report_id is None:
        raise NotFoundError(f"no report {said}: its id is a whole number")
    frames = store.load(lake, store.stored_report(lake, report_id))
    if part not in frames:
        raise NotFoundError(f"report {report_id} has no part {part!r}; it has {', '.join(frames)}")
    return frames[part]


SURFACE = Surface(
    prefix="/reports",
    routes=(
        Route(
            "/reports/<report_id>/<part>.parquet",
            parquet,
            first_sentence(parquet),
            is_stateful=True,
            content_type=PARQUET,
        ),
        Route("/reports/<report_id>/<part>.csv", csv, first_sentence(csv), is_stateful=True, content_type=CSV),
    ),
    wording=error_table,
)
