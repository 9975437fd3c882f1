"""Stored reports to download, part by part, as Parquet or CSV."""

from datetime import datetime
from http import HTTPStatus

import polars as pl

from stackanalytics.errors import NotFoundError
from stackanalytics.lake import Lake
from stackanalytics.reports import store
from stackanalytics.surfaces.description import SOME_TEXT, Parameter
from stackanalytics.surfaces.encoding import ERROR_TABLE, error_table, frame_bytes, number
from stackanalytics.surfaces.parameter import id_part
from stackanalytics.surfaces.route import Answer, Request, Route, Surface, first_sentence

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


def _download(ending: str, answer: Answer, content_type: str) -> Route:
    return Route(
        f"/reports/<report_id>/<part>.{ending}",
        answer,
        first_sentence(answer),
        is_stateful=True,
        content_type=content_type,
        parameters=(
            id_part("report_id", "the report, as /stacky/reports/ lists it"),
            Parameter("part", "Name of the part, such as `rows`.", SOME_TEXT, "rows", place="path"),
        ),
        returns={"description": f"a file, {content_type}"},
        refusals=(HTTPStatus.NOT_FOUND,),
    )


SURFACE = Surface(
    prefix="/reports",
    routes=(_download("parquet", parquet, PARQUET), _download("csv", csv, CSV)),
    wording=error_table,
    errors=ERROR_TABLE,
    about="Stored reports as files.",
)
