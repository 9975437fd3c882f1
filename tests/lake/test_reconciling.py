"""What was reconciled is kept once, and the latest of a launch counts."""

import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from stackanalytics.lake import append_reconciliations, compact, create_lake, open_lake
from stackanalytics.schema import LAUNCH_FIELDS, polars_schema

LAUNCHED = datetime(2026, 3, 1, 8, 0, 17, 250_000, tzinfo=UTC)
SAID = {"instance": "i-1", "launched_at": LAUNCHED, "tenant": "74ff26", "rax_options": "0", "source": "reconciler:nova"}


def _rows(*changes: Mapping[str, object]) -> pl.DataFrame:
    return pl.DataFrame([SAID | dict(change) for change in changes], schema=polars_schema(*LAUNCH_FIELDS, "source"))


def _counting(folder: Path) -> list[tuple[object, ...]]:
    with open_lake(folder) as lake:
        return lake.sql("select sequence, instance, tenant, source from reconciles order by instance, sequence").rows()


def test_what_is_kept_is_what_was_given(tmp_path: Path) -> None:
    """Every field is kept as it is, null included, with a sequence number and the time."""
    create_lake(tmp_path)
    given = _rows({"deleted_at": LAUNCHED + timedelta(days=1), "instance_type_id": "5"}, {"instance": "i-2"})

    assert append_reconciliations(tmp_path, given) == 2

    with open_lake(tmp_path) as lake:
        kept = lake.sql("from reconciliations order by sequence")
    assert kept.select(given.columns).equals(given)
    assert kept["sequence"].to_list() == [1, 2]
    assert kept["reconciled_at"].dt.date().to_list() == kept["date"].to_list()


def test_the_latest_of_a_launch_counts(tmp_path: Path) -> None:
    """Another word on a launch, if within its second, takes the place of the former."""
    create_lake(tmp_path)
    append_reconciliations(tmp_path, _rows({}, {"instance": "i-2"}))

    added = append_reconciliations(
        tmp_path, _rows({"tenant": "other", "launched_at": LAUNCHED + timedelta(seconds=0.5), "source": "reconciler:a"})
    )

    assert added == 1
    assert _counting(tmp_path) == [
        (3, "i-1", "other", "reconciler:a"),
        (2, "i-2", "74ff26", "reconciler:nova"),
    ]


def test_the_same_again_adds_nothing(tmp_path: Path) -> None:
    """What counts already is not kept again, whoever says it; of two rows of a launch the first is kept."""
    create_lake(tmp_path)

    assert append_reconciliations(tmp_path, _rows({}, {"tenant": "other"})) == 1
    assert append_reconciliations(tmp_path, _rows({"source": "reconciler:b"})) == 0
    assert append_reconciliations(tmp_path, _rows().clear()) == 0
    assert _counting(tmp_path) == [(1, "i-1", "74ff26", "reconciler:nova")]


def test_compaction_changes_nothing(tmp_path: Path) -> None:
    """After compaction the same counts, and numbers go on."""
    create_lake(tmp_path)
    for tenant in "abc":
        append_reconciliations(tmp_path, _rows({"tenant": tenant}))

    compact(tmp_path, keep_hours=0)
    append_reconciliations(tmp_path, _rows({"tenant": "d", "instance": "i-2"}))

    assert _counting(tmp_path) == [(3, "i-1", "c", "reconciler:nova"), (4, "i-2", "d", "reconciler:nova")]


def test_a_lake_of_a_former_version_gets_the_table(tmp_path: Path) -> None:
    """A lake that was made before there were reconciliations can be written to as any other."""
    create_lake(tmp_path)
    shutil.rmtree(tmp_path / "reconciliations")

    append_reconciliations(tmp_path, _rows({}))

    assert _counting(tmp_path) == [(1, "i-1", "74ff26", "reconciler:nova")]


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    """Of eight writers each keeps what it has, under numbers of its own."""
    create_lake(tmp_path)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: append_reconciliations(tmp_path, _rows({"instance": f"i-{n}"})), range(8)))

    with open_lake(tmp_path) as lake:
        kept = lake.sql("select sequence, instance from reconciliations order by sequence")
    assert kept["sequence"].to_list() == list(range(1, 9))
    assert sorted(kept["instance"]) == [f"i-{n}" for n in range(8)]
