"""What holds for every report."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pytest

import stackanalytics as sa
from stackanalytics.landing import land
from stackanalytics.reports import REPORTS
from stackanalytics.reports.report import Period, Report
from stackanalytics.reports.store import Run, load, store
from stackanalytics.schema import FIELDS, polars_schema
from stackanalytics.sources.chunk import Chunk
from stackanalytics.sources.simulator import Cloud, simulate
from stackanalytics.surfaces.encoding import json_text
from stackanalytics.surfaces.report_rows import report_rows
from stackanalytics.surfaces.verification_store import verify_and_keep

DAY = Period(datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC))
NOTHING = Period(DAY.start - timedelta(days=9), DAY.start - timedelta(days=8))
CREATED_AT = DAY.end + timedelta(hours=1)

every_report = pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of a cloud that has all that goes wrong, its records verified."""
    folder = tmp_path_factory.mktemp("lake")
    faults: dict[str, Any] = {"wrong_flavor": 0.05, "missing_exists": 0.05, "missing_launch": 0.05}
    cloud = Cloud(
        start=DAY.start,
        seed=1,
        hosts=3,
        instances=15,
        operations_per_hour=60,
        exists="hour",
        repertoire="full",
        **faults,
    )
    land([Chunk("cloud", 1, list(simulate(cloud, hours=8)))], folder)
    verify_and_keep(folder, service="nova", until=CREATED_AT)
    verify_and_keep(folder, service="glance", until=CREATED_AT)
    return folder


@every_report
def test_it_has_something_to_tell(report: Report, folder: Path) -> None:
    """None of its parts is empty for a busy day, but for top lists, since no tenants are known."""
    with sa.open_lake(folder) as lake:
        frames = report.run(lake, DAY)

    assert "rows" in frames
    assert [name for name, frame in frames.items() if frame.is_empty()] in ([], ["top"])


@every_report
def test_columns_are_in_the_dictionary(report: Report, folder: Path) -> None:
    """Every column of every part has the type that the field dictionary gives it, also where there is no row."""
    with sa.open_lake(folder) as lake:
        for period in (DAY, NOTHING):
            for frame in report.run(lake, period).values():
                assert frame.schema == polars_schema(*frame.columns)


@every_report
def test_made_twice_it_is_the_same(report: Report, folder: Path) -> None:
    """The same lake gives the same rows in the same order."""
    with sa.open_lake(folder) as lake:
        first, second = report.run(lake, DAY), report.run(lake, DAY)

    assert first.keys() == second.keys()
    assert all(first[name].equals(second[name]) for name in first)


@every_report
@pytest.mark.parametrize("period", [DAY, NOTHING], ids=["a busy day", "a day before"])
def test_stored_it_can_be_shown(report: Report, period: Period, folder: Path) -> None:
    """Rows follow one that tells what they are: headers and as many cells, or objects, all of them JSON."""
    with sa.open_lake(folder) as lake:
        entry, _ = store(lake, Run(report, period, {}), created_at=CREATED_AT)
        frames = load(lake, entry)
    about, *rows = report_rows(entry, frames)

    assert isinstance(about, dict)
    assert (about["name"], about["version"]) == (report.title(report.parameters({})), report.version)
    assert json_text([about, *rows])
    if about.get("report_format") == "json":
        assert all(isinstance(row, dict) for row in rows)
    else:
        assert len({len(row) for row in rows if isinstance(row, list)}) == 1
        assert all(isinstance(row, list) for row in rows)


@every_report
def test_stored_parts_open_everywhere(report: Report, folder: Path) -> None:
    """In polars, pandas, pyarrow and DuckDB the files have the same columns and rows, and say what each column is."""
    with sa.open_lake(folder) as lake:
        entry, _ = store(lake, Run(report, DAY, {}), created_at=CREATED_AT)
        for name, frame in load(lake, entry).items():
            path = folder / entry.path / f"{name}.parquet"
            assert pl.read_parquet(path).equals(frame)
            read = pd.read_parquet(path)
            assert (list(read.columns), len(read)) == (frame.columns, frame.height)
            numbers = [column for column, kind in frame.schema.items() if kind.is_numeric() and frame.height]
            assert all(pd.api.types.is_numeric_dtype(read[column]) for column in numbers)
            described = duckdb.sql(f"describe from '{path}'").fetchall()
            assert [column for column, *_ in described] == frame.columns
            assert duckdb.sql(f"select count(*) from '{path}'").fetchall() == [(frame.height,)]
            told = duckdb.sql(f"select value from parquet_kv_metadata('{path}') where key = 'columns'::blob")
            assert {column: about["meaning"] for column, about in json.loads(told.fetchall()[0][0]).items()} == {
                column: FIELDS[column].meaning for column in frame.columns
            }


@every_report
def test_main_parts_fit_into_csv(report: Report, folder: Path) -> None:
    """The rows hold neither lists nor structures, which CSV has no place for."""
    with sa.open_lake(folder) as lake:
        rows = report.run(lake, DAY)["rows"]

    assert not any(isinstance(kind, pl.List | pl.Struct) for kind in rows.dtypes)
