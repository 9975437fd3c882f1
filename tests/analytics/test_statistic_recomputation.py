"""Statistics by DuckDB beside the same in plain Python, on samples at random."""

import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from recomputed import Measured, Row, calendar, lengths, recomputed

import stackanalytics as sa
from stackanalytics.testing import sample, samples_of

START = datetime(2026, 3, 26, tzinfo=UTC)  # clocks change in Europe on the 29th
SETS = 12
ZONES = ("UTC", "Europe/Berlin", "Europe/London", "Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia")
TOLD = ("count", "min", "max", "sum", "avg", "duration_s")
AGGREGATES = (
    *("stddev", "variance", "median", "percentile/90", "first", "last", "increase", "rate", "time_weighted_avg"),
    *("cardinality/resource", "cardinality/user", "cardinality/volume"),
)
UNITS = ("hour", "day", "week", "month", "year")

several = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
meters = st.integers(0, SETS - 1).map("m{}".format)
groups = st.lists(st.sampled_from(["resource", "project", "user"]), max_size=2, unique=True)
hours = st.integers(0, 7 * 24)


def at_random(number: int) -> list[Measured]:
    """Return samples of few resources, at times and with volumes that often come again; each of its own."""
    choose = random.Random(number)
    spread_s = choose.choice([900, 6 * 3600, 7 * 86_400])
    found = {
        Measured(
            meter=f"m{number}",
            meter_type=choose.choice(["gauge", "delta", "cumulative"]),
            unit=choose.choice(["B", "B", "KB"]),
            resource=f"r{choose.randrange(3)}",
            project=choose.choice(["p0", "p1"]),
            user=choose.choice(["u0", "u1", None]),
            at=START + timedelta(seconds=choose.randrange(spread_s), microseconds=choose.choice([0, 0, 123_457])),
            volume=choose.choice([choose.randrange(5), choose.uniform(-10, 10), choose.randrange(100)]),
        )
        for _ in range(choose.choice([1, 5, 40]))
    }
    # the order of samples that differ in nothing but whose they are would be that of their ids
    alone = {(sample.series, sample.at, sample.volume): sample for sample in found}
    return list(alone.values())


SAMPLES = {f"m{number}": at_random(number) for number in range(SETS)}


def landed(folder: Path, samples: Iterable[Measured]) -> sa.Lake:
    """Return a lake with these samples."""
    return samples_of(
        folder,
        (
            sample(
                *(each.meter, each.at, each.volume),
                meter_type=each.meter_type,
                unit=each.unit,
                resource=each.resource,
                tenant=each.project,
                user=each.user,
            )
            for each in samples
        ),
    )


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Lake]:
    """Return a lake with all sets of samples."""
    with landed(tmp_path_factory.mktemp("lake"), [s for samples in SAMPLES.values() for s in samples]) as opened:
        yield opened


def rows_of(found: pl.DataFrame, group_by: Sequence[str], *, sliced: bool) -> dict[object, Row]:
    """Return statistics as they are recomputed."""
    return {
        (
            (row["period_start_at"], row["period_end_at"]) if sliced else None,
            tuple(row[name] for name in group_by),
            row["unit"],
        ): {name: row[name] for name in (*TOLD, *AGGREGATES)}
        for row in found.rows(named=True)
    }


def check(found: dict[object, Row], expected: dict[object, Row]) -> None:
    """Check that both have the same rows, in order, and the same numbers but for the last digits."""
    assert found.keys() == expected.keys()
    for key, row in found.items():
        assert known(row) == pytest.approx(known(expected[key]), rel=1e-9, abs=1e-9, nan_ok=True), key


def known(row: Row) -> dict[str, float]:
    """Return a row with numbers only."""
    return {name: float("nan") if value is None else value for name, value in row.items()}


@several
@given(meter=meters, group_by=groups)
def test_without_slices(meter: str, group_by: list[str], lake: sa.Lake) -> None:
    """Every aggregate of every group is what Python makes of the same samples."""
    found = sa.statistics(lake, meter, group_by=group_by, aggregates=AGGREGATES)

    expected = recomputed(SAMPLES[meter], lambda at: None, group_by, None)
    check(rows_of(found, group_by, sliced=False), expected)


@several
@given(meter=meters, group_by=groups, period=st.sampled_from([60.0, 900.5, 3600.0, 7200.0, 86_400.0]), bounds=hours)
def test_slices_of_a_length(meter: str, group_by: list[str], period: float, bounds: int, lake: sa.Lake) -> None:
    """So is that of slices of one length, from the lower bound to the upper one."""
    start, end = START + timedelta(minutes=bounds), START + timedelta(hours=bounds + 1)
    query = f"timestamp>={start.isoformat()};timestamp<{end.isoformat()}"

    found = sa.statistics(lake, meter, query=query, period=period, group_by=group_by, aggregates=AGGREGATES)

    within = [sample for sample in SAMPLES[meter] if start <= sample.at < end]
    check(rows_of(found, group_by, sliced=True), recomputed(within, lengths(period, start), group_by, end))


@several
@given(meter=meters, group_by=groups, period=st.sampled_from([900.5, 3600.0, 86_400.0]), is_aligned=st.booleans())
def test_slices_without_bounds(meter: str, group_by: list[str], period: float, is_aligned: bool, lake: sa.Lake) -> None:
    """Without bounds slices begin with the first sample, or are counted from 1970."""
    asked = {"period": period, "group_by": group_by, "aggregates": AGGREGATES, "aligned": is_aligned}
    found = sa.statistics(lake, meter, **asked)  # type: ignore[arg-type]  # of different types

    first = min(sample.at for sample in SAMPLES[meter])
    cut = lengths(period, datetime(1970, 1, 1, tzinfo=UTC) if is_aligned else first)
    check(rows_of(found, group_by, sliced=True), recomputed(SAMPLES[meter], cut, group_by, None))


@several
@given(meter=meters, group_by=groups, unit=st.sampled_from(UNITS), timezone=st.sampled_from(ZONES))
def test_slices_of_a_calendar(meter: str, group_by: list[str], unit: str, timezone: str, lake: sa.Lake) -> None:
    """So is that of hours, days, weeks, months and years, wherever the clocks are."""
    found = sa.statistics(lake, meter, period=unit, timezone=timezone, group_by=group_by, aggregates=AGGREGATES)

    expected = recomputed(SAMPLES[meter], calendar(unit, timezone), group_by, None)
    check(rows_of(found, group_by, sliced=True), expected)


@several
@given(
    meter=meters,
    period=st.one_of(st.floats(1, 1e7), st.sampled_from(UNITS)),
    timezone=st.sampled_from(ZONES),
    group_by=groups,
)
def test_slices_and_groups_add_up(
    meter: str, period: float | str, timezone: str, group_by: list[str], lake: sa.Lake
) -> None:
    """Counts, sums and increases of all slices and groups add up to those without, whatever they are."""
    asked = {"period": period, "timezone": timezone if isinstance(period, str) else None}

    whole = sa.statistics(lake, meter, aggregates=["increase"])
    parts = sa.statistics(lake, meter, **asked, group_by=group_by, aggregates=["increase"])  # type: ignore[arg-type]  # of different types

    added = pl.sum("count", "sum", "increase")
    of_parts = parts.group_by("unit").agg(added, pl.min("min"), pl.max("max")).sort("unit")
    of_whole = whole.group_by("unit").agg(added, pl.min("min"), pl.max("max")).sort("unit")
    assert of_parts["count"].to_list() == of_whole["count"].to_list()
    assert of_parts["min"].to_list() == of_whole["min"].to_list()
    assert of_parts["max"].to_list() == of_whole["max"].to_list()
    for name in ("sum", "increase"):
        assert of_parts[name].to_list() == pytest.approx(of_whole[name].to_list(), abs=1e-9)
    assert (parts["period_start_at"] < parts["period_end_at"]).all()


@several
@given(meter=meters, period=st.sampled_from([3600.0, 86_400.0, "hour", "day", "month"]), group_by=groups)
def test_empty_slices_add_nothing(meter: str, period: float | str, group_by: list[str], lake: sa.Lake) -> None:
    """With empty slices all others stay as they are, and each group has every slice without a gap."""
    found = sa.statistics(lake, meter, period=period, group_by=group_by, aggregates=AGGREGATES)
    filled = sa.statistics(lake, meter, period=period, group_by=group_by, aggregates=AGGREGATES, empty=True)

    assert_frame_equal(filled.filter(pl.col("count") > 0), found)
    for _, group in filled.group_by("unit", *group_by):
        assert group["period_start_at"][1:].to_list() == group["period_end_at"][:-1].to_list()
    assert filled.group_by("unit", *group_by).len()["len"].n_unique() == 1


def test_order_and_repetition_of_posting_change_nothing(tmp_path: Path) -> None:
    """Samples posted backwards, some twice at once and all of them again, give the same answers but for last digits."""
    samples = [*SAMPLES["m1"], *SAMPLES["m3"]]
    asked = {"period": 3600, "group_by": ["resource"], "aggregates": AGGREGATES}
    landed(tmp_path / "backwards", samples[::-1] + samples[:7]).close()
    with landed(tmp_path / "once", samples) as lake, landed(tmp_path / "backwards", samples[20:]) as other:
        once, again = (sa.statistics(each, ["m1", "m3"], **asked) for each in (lake, other))  # type: ignore[arg-type]  # of different types

    assert once["count"].sum() == len(samples) == 80
    assert_frame_equal(once, again)
