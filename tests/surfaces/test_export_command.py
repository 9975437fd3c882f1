"""Exporting what analyses and queries answer."""

import io
import json
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

import stackanalytics as sa
from stackanalytics.surfaces.export_command import analyses, export
from stackanalytics.testing import lake_of, notification, sample, samples_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with a snapshot that took four seconds."""
    folder = tmp_path_factory.mktemp("lake")
    kinds = [("start", "10:00:00"), ("end", "10:00:04")]
    told = [
        notification(f"compute.instance.snapshot.{phase}", f"2026-03-02 {at}", instance="i-1", request_id="req-1")
        for phase, at in kinds
    ]
    lake_of(folder, told).close()
    return folder


def run(folder: Path, *arguments: str) -> bytes:
    """Return what the command writes to standard output."""
    done = CliRunner().invoke(export, [*arguments, "--lake", str(folder)], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout_bytes


def test_an_analysis_as_csv(folder: Path) -> None:
    """Without a format the answer is CSV on standard output."""
    shown = pl.read_csv(run(folder, "timings", "operation=compute.instance.snapshot", "state=."))

    assert shown.select("operation", "duration_s").rows() == [("compute.instance.snapshot", 4.0)]


def test_a_query_as_json_lines(folder: Path) -> None:
    """A query of one's own is exported likewise."""
    shown = run(folder, "--sql", "select count(*) as n, max(generated_at) as last_at from events", "--format", "jsonl")

    assert json.loads(shown)["n"] == 2


@pytest.mark.parametrize(("ending", "read"), [("parquet", pl.read_parquet), ("arrow", pl.read_ipc)])
def test_a_file_keeps_the_types(folder: Path, tmp_path: Path, ending: str, read: object) -> None:
    """Parquet and Arrow, told by the name of the file, give back the same frame."""
    out = tmp_path / f"summary.{ending}"

    assert run(folder, "timing_summary", "--out", str(out)) == b""

    with sa.open_lake(folder) as lake:
        assert read(io.BytesIO(out.read_bytes())).equals(sa.timing_summary(lake))  # type: ignore[operator]


def test_values_are_read_in_the_type_of_the_parameter(folder: Path) -> None:
    """Times, numbers, truth values and lists of names stand in text."""
    given = ["start=2026-03-02T10:00:01", "limit=1", "newest_first=true", "columns=id,phase"]

    assert run(folder, "events", *given).splitlines() == [b"id,phase", b"2,end"]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (["meter=m", "period=day"], [(86_400.0, 3)]),
        (["meter=m", "period=3600", "empty=true"], [(3600.0, 1), (3600.0, 0), (3600.0, 2)]),
        (["meter=m,n"], [(None, 3), (None, 1)]),
    ],
)
def test_what_can_be_a_number_or_a_word(given: list[str], shown: list[tuple[float, int]], tmp_path: Path) -> None:
    """A period is a number or a word; commas tell several meters apart."""
    told = [("m", "10:00"), ("m", "12:00"), ("m", "12:30"), ("n", "10:00")]
    samples_of(tmp_path, [sample(meter, f"2026-03-02 {at}", 1) for meter, at in told]).close()

    found = pl.read_csv(run(tmp_path, "statistics", *given))

    assert found.select("period_s", "count").rows() == shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either --sql or one analysis: attempts, "),
        (["timings", "--sql", "select 1"], "give either --sql or one analysis"),
        (["nope"], "no analysis 'nope'; there are attempts, "),
        (["timings", "colour=red"], "'colour=red' is no NAME=VALUE; the names are instance, "),
        (["timings", "start"], "'start' is no NAME=VALUE"),
        (["timings", "lake=x"], "'lake=x' is no NAME=VALUE"),
        (["events", "limit=few"], "limit=few cannot be read as int"),
        (["timings", "start=noon"], "start=noon cannot be read as datetime"),
        (["event"], "id must be given, as id=…"),
        (["timings", "--out", "timings.xlsx"], "timings.xlsx tells no format"),
        (["--sql", "select [1] as l"], "l hold lists, which CSV cannot"),
        (["timings", "--out", "/nowhere/at/all.csv"], "/nowhere/at/all.csv cannot be written"),
    ],
)
def test_what_cannot_be_exported_is_refused(folder: Path, arguments: list[str], message: str) -> None:
    """The refusal names what was given and what would work."""
    with pytest.raises(sa.InputError) as refused:
        CliRunner().invoke(export, [*arguments, "--lake", str(folder)], catch_exceptions=False)

    assert message in str(refused.value)


def test_what_can_be_exported() -> None:
    """Every public analysis with plain parameters can, those that are given a frame cannot."""
    assert {"timings", "events", "launches", "operation_summary"} <= analyses().keys()
    assert not {"reconcile", "tenant_is_known", "open_lake"} & analyses().keys()
