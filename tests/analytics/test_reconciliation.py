"""Reconciliation: failed records and launches without a record against what nova says, by the match codes."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import stackanalytics as sa
from stackanalytics import times
from stackanalytics.analytics.reconciliation import COMPARED, DISPUTE_COLUMNS, RECONCILE_COLUMNS, compare
from stackanalytics.landing import land
from stackanalytics.schema import LAUNCH_FIELDS, NOVA_FIELDS, polars_schema
from stackanalytics.sources.chunk import Chunk
from stackanalytics.sources.nova import Snapshot
from stackanalytics.sources.simulator import Cloud, simulate
from stackanalytics.testing import lake_of, notification

LAUNCHED = datetime(2026, 3, 1, 8, 0, 17, tzinfo=UTC)
DELETED = datetime(2026, 3, 2, 9, tzinfo=UTC)
DAY, DAY_AFTER = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC)
SECOND = timedelta(seconds=1)

RECORD: dict[str, Any] = {
    "exists_id": 7,
    "launch_id": None,
    "deployment": "cell-1",
    "region": "north",
    "host": "host-1",
    "audit_period_beginning": DAY,
    "instance": "i-1",
    "launched_at": LAUNCHED,
    "deleted_at": None,
    "instance_type_id": "5",
    "instance_flavor_id": "2",
    "tenant": "74ff26",
    "os_architecture": "x64",
    "os_distro": "org.debian",
    "os_version": "12",
    "rax_options": "0",
}
SAID = {name: RECORD[name] for name in LAUNCH_FIELDS} | {"is_deleted": False}
IS_DELETED = {"deleted_at": DELETED, "is_deleted": True}


def _records(*changes: Mapping[str, object]) -> pl.DataFrame:
    return pl.DataFrame([RECORD | dict(change) for change in changes], schema=polars_schema(*DISPUTE_COLUMNS))


def _nova(*changes: Mapping[str, object]) -> pl.DataFrame:
    return pl.DataFrame([SAID | dict(change) for change in changes], schema=polars_schema(*NOVA_FIELDS))


def _outcome(record: Mapping[str, object], said: Mapping[str, object]) -> tuple[int | None, list[str], str]:
    found = compare(_records(record), _nova(said)).row(0, named=True)
    return found["match_code"], [difference["field"] for difference in found["differences"]], found["outcome"]


# failed records, code by code


def test_code_0_all_equal() -> None:
    """What nova confirms in every field is reconciled, of a living and of a deleted instance."""
    assert _outcome({}, {}) == (0, [], "reconciled")
    assert _outcome({"deleted_at": DELETED}, IS_DELETED) == (0, [], "reconciled")


def test_null_and_empty_text_are_equal() -> None:
    """Nova's empty text is what a record has as null."""
    assert _outcome({"rax_options": None}, {"rax_options": ""}) == (0, [], "reconciled")


@pytest.mark.parametrize("field", COMPARED)
def test_code_1_a_field_differs(field: str) -> None:
    """One field of another value, or of none on either side, is a difference that is named."""
    other = LAUNCHED + timedelta(days=1) if field == "launched_at" else "other"

    assert _outcome({}, {field: other}) == (1, [field], "differs")
    assert _outcome({field: None}, {}) == (1, [field], "differs")
    assert _outcome({}, {field: None}) == (1, [field], "differs")


def test_code_1_launched_within_the_same_second() -> None:
    """Times are compared whole: half a second off is another launch time."""
    assert _outcome({}, {"launched_at": LAUNCHED + SECOND / 2}) == (1, ["launched_at"], "differs")


def test_code_2_deleted_at_different_times() -> None:
    """Both say deleted, one a microsecond later; or nova does not say when."""
    later = {"deleted_at": DELETED + timedelta(microseconds=1), "is_deleted": True}

    assert _outcome({"deleted_at": DELETED}, later) == (2, ["deleted_at"], "differs")
    assert _outcome({"deleted_at": DELETED}, {"is_deleted": True}) == (2, ["deleted_at"], "differs")


def test_code_3_nova_says_alive() -> None:
    """The record says deleted and nova does not, whatever time nova has noted."""
    assert _outcome({"deleted_at": DELETED}, {}) == (3, ["deleted_at"], "differs")
    assert _outcome({"deleted_at": DELETED}, {"deleted_at": DELETED}) == (3, ["deleted_at"], "differs")


def test_code_4_nova_says_deleted() -> None:
    """The record says alive and nova says deleted, even if after the period, or at no known time."""
    assert _outcome({}, IS_DELETED) == (4, ["deleted_at"], "differs")
    assert _outcome({}, {"is_deleted": True}) == (4, ["deleted_at"], "differs")
    assert _outcome({}, {"deleted_at": DELETED + timedelta(days=30), "is_deleted": True}) == (
        4,
        ["deleted_at"],
        "differs",
    )


def test_deletion_goes_before_other_fields() -> None:
    """With a difference of both, the code is that of the deletion, and all differences are named."""
    other = {"tenant": "other"}

    assert _outcome({"deleted_at": DELETED + SECOND}, IS_DELETED | other) == (2, ["tenant", "deleted_at"], "differs")
    assert _outcome({"deleted_at": DELETED}, other) == (3, ["tenant", "deleted_at"], "differs")
    assert _outcome({}, IS_DELETED | other) == (4, ["tenant", "deleted_at"], "differs")


def test_differences_have_both_values() -> None:
    """Each difference tells what the record has and what nova has, times as they are shown elsewhere."""
    said = {"tenant": None, "launched_at": LAUNCHED + SECOND / 4, "is_deleted": True}

    found = compare(_records({}), _nova(said)).row(0, named=True)["differences"]

    assert found == [
        {
            "field": "launched_at",
            "recorded_value": "2026-03-01 08:00:17",
            "nova_value": "2026-03-01 08:00:17.250000",
        },
        {"field": "tenant", "recorded_value": "74ff26", "nova_value": None},
        {"field": "deleted_at", "recorded_value": None, "nova_value": "deleted"},
    ]


def test_an_unknown_instance_is_not_found() -> None:
    """What nova does not know has no code and no source."""
    found = compare(_records({"instance": "i-2"}), _nova({})).row(0, named=True)

    assert (found["match_code"], found["differences"], found["outcome"], found["source"]) == (
        None,
        [],
        "not_found",
        None,
    )


def test_ignored_fields_are_not_compared() -> None:
    """A field that nova could not be asked about does not count; one that is not compared cannot be named."""
    nova = _nova({"instance_type_id": None})

    assert compare(_records({}), nova)["match_code"].to_list() == [1]
    assert compare(_records({}), nova, ignoring={"instance_type_id"})["match_code"].to_list() == [0]
    with pytest.raises(sa.InputError, match="deleted_at cannot be ignored"):
        compare(_records({}), nova, ignoring={"deleted_at"})


# launches without a record


def test_a_launch_that_was_over_is_reconciled() -> None:
    """Deleted before the period began: nothing was to be reported. The deletion is nova's."""
    launch = {"exists_id": None, "launch_id": 3}
    before = {"deleted_at": DAY - timedelta(microseconds=1), "is_deleted": True}

    found = compare(_records(launch), _nova(before)).row(0, named=True)

    assert (found["outcome"], found["deleted_at"], found["match_code"]) == ("reconciled", before["deleted_at"], None)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"is_deleted": True},
        {"deleted_at": DAY, "is_deleted": True},
        {"deleted_at": DAY - SECOND, "is_deleted": False},
    ],
    ids=["alive", "deleted at no known time", "deleted as the period begins", "alive with a time"],
)
def test_a_launch_that_was_not_over_needs_a_record(said: Mapping[str, object]) -> None:
    """Unless nova says when, before the period, a record is expected."""
    assert _outcome({"exists_id": None, "launch_id": 3}, said) == (None, [], "exists_expected")


def test_only_the_deletion_of_a_launch_is_asked_about() -> None:
    """Other fields of a launch are not compared with nova's."""
    said = {"deleted_at": DAY - SECOND, "is_deleted": True, "tenant": "other"}

    assert _outcome({"exists_id": None, "launch_id": 3}, said) == (None, [], "reconciled")


# regions


def test_a_region_is_asked_of_its_own_nova() -> None:
    """With a frame for each region, one nova's record does not answer for another region."""
    records = _records({}, {"region": "south", "deployment": "cell-2"}, {"region": "east"}, {"region": None})

    found = compare(records, {"north": _nova({}), "south": _nova({"instance": "i-2"})})

    assert found["outcome"].to_list() == ["reconciled", "not_found", "no_source", "no_source"]
    assert found.columns == list(RECONCILE_COLUMNS)


def test_one_nova_answers_for_every_known_region() -> None:
    """A single frame is asked for all regions, but not where the deployment belongs to none."""
    found = compare(_records({}, {"region": "south"}, {"region": None}), _nova({}))

    assert found["outcome"].to_list() == ["reconciled", "reconciled", "no_source"]
    assert found["match_code"].to_list() == [0, 0, None]
    assert found["source"].to_list() == ["nova", "nova", None]


def test_who_said_so_is_told() -> None:
    """Each row names the source that nova's record has, and `nova` where it has none."""
    named = _nova({}).with_columns(source=pl.lit("snapshot:a.csv"))

    assert compare(_records({}), named)["source"].to_list() == ["snapshot:a.csv"]
    assert compare(_records({}), _nova({}))["source"].to_list() == ["nova"]


@pytest.mark.parametrize(
    ("nova", "told"),
    [
        (_nova({}).drop("is_deleted", "tenant"), r"tenant \(String\), is_deleted \(Boolean\)"),
        (_nova({}).cast({"launched_at": pl.Datetime("us")}), r"launched_at \(Datetime"),
        (_nova({}, {"tenant": "other"}), "more than one row of the instance 'i-1'"),
    ],
    ids=["missing columns", "no time zone", "twice"],
)
def test_what_cannot_be_compared_is_refused(nova: pl.DataFrame, told: str) -> None:
    """A frame of nova that lacks something, or contradicts itself, is refused."""
    with pytest.raises(sa.InputError, match=told):
        compare(_records({}), nova)


# what is true of any record

_values = st.sampled_from([None, "a", "b"])
_instants = st.sampled_from([None, LAUNCHED, DELETED])
_sides = st.fixed_dictionaries(
    {name: _instants if name.endswith("_at") else _values for name in LAUNCH_FIELDS if name != "instance"}
)


@given(record=_sides, said=_sides, is_deleted=st.booleans())
def test_codes_follow_the_rules(record: Mapping[str, Any], said: Mapping[str, Any], is_deleted: bool) -> None:
    """For any two sides the code is what the rules say one after the other, and code 0 has no difference."""
    expected = 1 if any(record[name] != said[name] for name in COMPARED) else 0
    if record["deleted_at"] is not None and is_deleted and record["deleted_at"] != said["deleted_at"]:
        expected = 2
    if record["deleted_at"] is not None and not is_deleted:
        expected = 3
    if record["deleted_at"] is None and is_deleted:
        expected = 4

    code, fields, outcome = _outcome(record, {**said, "is_deleted": is_deleted})

    assert (code, outcome) == (expected, "differs" if expected else "reconciled")
    assert (fields == []) == (expected == 0)


# which records nova is asked about


def _told(event: str, at: str, instance: str, launched: str | None, **fields: object) -> dict[str, object]:
    launched_at = {} if launched is None else {"launched_at": launched}
    return notification(f"compute.instance.{event}", at, instance=instance, tenant="74ff26", **launched_at, **fields)


def _launch(instance: str, launched: str, operation: str = "create") -> list[dict[str, object]]:
    request = {"request_id": f"req-{instance}-{launched}", "message": "Success", "instance_type_id": 5}
    return [_told(f"{operation}.end", launched, instance, launched, **request)]


def _exists(instance: str, launched: str, day: datetime = DAY, **fields: object) -> dict[str, object]:
    period = {"audit_period_beginning": day, "audit_period_ending": day + timedelta(days=1)}
    at = times.show(day + timedelta(days=1, minutes=5))
    return _told("exists", at, instance, launched, **period, **fields)


def _verdicts(*failed: int, verdict: str = "failed", service: str = "nova") -> pl.DataFrame:
    rows = [{"service": service, "exists_id": id, "verdict": verdict} for id in failed]
    return pl.DataFrame(rows, schema=polars_schema("service", "exists_id", "verdict"))


def _disputes(lake: sa.Lake) -> list[tuple[str, str]]:
    """Return the launches of the day that lack a record."""
    found = sa.disputes(lake, start=DAY, end=DAY_AFTER)
    assert found["exists_id"].null_count() == found.height
    assert found["audit_period_beginning"].unique().to_list() in ([], [DAY])
    return [(instance, times.show(at)) for instance, at in found.select("instance", "launched_at").iter_rows()]


OLD, OLDER, NEW = "2026-03-01 08:00:17", "2026-02-27 11:00:00", "2026-03-02 12:00:00"


def test_failed_records_are_disputed(tmp_path: Path) -> None:
    """Of the records those of nova that failed, in the order of ids, with what they say and their region."""
    day_before = DAY - timedelta(days=1)
    told = [_exists("i-1", OLD, instance_type_id=5), _exists("i-2", OLD), _exists("i-3", OLD, day_before)]

    with lake_of(tmp_path, told, deployment="cell-1") as lake:
        verdicts = pl.concat([_verdicts(3, 1), _verdicts(2, verdict="verified"), _verdicts(2, service="glance")])
        found = sa.disputes(lake, verdicts=verdicts, regions={"cell-1": "north"})
        of_a_day = sa.disputes(lake, verdicts=verdicts, regions={"cell-2": "south"}, start=DAY)

    assert found.columns == list(DISPUTE_COLUMNS)
    assert found.select("exists_id", "launch_id", "instance", "region").rows() == [
        (1, None, "i-1", "north"),
        (3, None, "i-3", "north"),
    ]
    assert found.row(0, named=True) == {
        **dict.fromkeys(DISPUTE_COLUMNS),
        "exists_id": 1,
        "deployment": "cell-1",
        "region": "north",
        "host": "host-1",
        "instance": "i-1",
        "audit_period_beginning": DAY,
        "launched_at": LAUNCHED,
        "instance_type_id": "5",
        "tenant": "74ff26",
    }
    assert of_a_day.select("exists_id", "region").rows() == [(1, None)]


def test_launches_without_a_record_are_disputed(tmp_path: Path) -> None:
    """Launches of the day and those that lived when it began are, those that were told of or over are not."""
    told = [
        *_launch("new", NEW),
        *_launch("new told", NEW),
        _exists("new told", NEW),
        *_launch("old", OLD),
        *_launch("old told", OLD),
        _exists("old told", OLD + ".75"),
        *_launch("over", OLD),
        _told("delete.end", "2026-03-01 23:00:00", "over", OLD, terminated_at="2026-03-01 23:00:00"),
        *_launch("later over", OLD),
        _told("delete.end", "2026-03-02 00:00:01", "later over", OLD, terminated_at="2026-03-02 00:00:01"),
        *_launch("next day", "2026-03-03 00:00:00"),
    ]

    with lake_of(tmp_path, told) as lake:
        assert _disputes(lake) == [("new", NEW), ("old", OLD), ("later over", OLD)]


def test_only_the_last_launch_before_the_day_is_expected(tmp_path: Path) -> None:
    """What was rebuilt before the day needs a record of its last launch only; with none at all, one row tells it."""
    told = [
        *_launch("told", OLDER),
        *_launch("told", OLD, "rebuild"),
        _exists("told", OLD),
        *_launch("rebuilt", OLD),
        *_launch("rebuilt", NEW, "rebuild"),
        _exists("rebuilt", OLD),
        *_launch("silent", OLDER),
        *_launch("silent", OLD, "rebuild"),
        *_launch("silent", NEW, "rebuild"),
    ]

    with lake_of(tmp_path, told) as lake:
        assert _disputes(lake) == [("rebuilt", NEW), ("silent", OLD)]


def test_records_of_other_periods_do_not_count(tmp_path: Path) -> None:
    """A record of the day before does not tell of this day; one that begins within the day does."""
    told = [
        *_launch("a", OLDER),
        _exists("a", OLDER, DAY - timedelta(days=1)),
        *_launch("b", OLDER),
        _exists("b", OLDER, DAY + timedelta(hours=3)),
    ]

    with lake_of(tmp_path, told) as lake:
        assert _disputes(lake) == [("a", OLDER)]


def test_launches_need_a_whole_period(tmp_path: Path) -> None:
    """Without a begin or an end nothing is known to be missing."""
    with lake_of(tmp_path, _launch("i-1", OLD)) as lake:
        assert sa.disputes(lake, start=DAY).is_empty()
        assert sa.disputes(lake, end=DAY_AFTER).is_empty()


def test_reconcile_hears_nova_on_both(tmp_path: Path) -> None:
    """A failed record that nova confirms and a launch that nova says was over are reconciled, in one frame."""
    metadata = {"com.rackspace__1__options": "0", "org.openstack__1__architecture": "x64"}
    metadata |= {"org.openstack__1__os_distro": "org.debian", "org.openstack__1__os_version": "12"}
    told = [
        _exists("i-1", OLD, instance_type_id=5, instance_flavor_id=2, image_meta=metadata),
        *_launch("i-2", OLDER),
        *_launch("i-3", OLDER),
    ]
    nova = _nova({}, {"instance": "i-2", "deleted_at": DAY - SECOND, "is_deleted": True}, {"instance": "i-3"})

    with lake_of(tmp_path, told) as lake:
        period = {"start": DAY, "end": DAY_AFTER}
        found = sa.reconcile(lake, nova=nova, verdicts=_verdicts(1), **period)
        again = sa.reconcile(lake, nova=nova, verdicts=_verdicts(1), **period)

    assert found.select("instance", "exists_id", "launch_id", "match_code", "outcome").rows() == [
        ("i-1", 1, None, 0, "reconciled"),
        ("i-2", None, 2, None, "reconciled"),
        ("i-3", None, 3, None, "exists_expected"),
    ]
    assert_frame_equal(found, again)


# a simulated day


class Day(NamedTuple):
    """What comes of a day's records, what really happened, and each record by its id as it was told."""

    found: pl.DataFrame
    truth: list[dict[str, Any]]
    records: dict[int, dict[str, Any]]


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    """Return what comes of a simulated day with faults of every kind, and what really happened."""
    rare = ("wrong_flavor", "wrong_tenant", "wrong_launched_at", "null_metadata", "missing_exists")
    faults = {**dict.fromkeys(rare, 0.03), "missing_launch": 0.1, "missing_delete": 0.15, "false_alive": 0.15}
    cloud = Cloud(start=DAY, exists="day", starts_empty=True, clock_skew=False, operations_per_hour=30.0, **faults)
    truth: list[dict[str, Any]] = []
    nova: list[dict[str, Any]] = []
    messages = list(simulate(cloud, hours=24.5, truth=truth.append, nova=nova.append))
    folder = tmp_path_factory.mktemp("day")
    (folder / "nova.jsonl").write_text("\n".join(map(json.dumps, nova)))
    land([Chunk("simulator", 1, messages)], folder / "lake")
    with sa.open_lake(folder / "lake") as lake:
        period = {"start": DAY, "end": DAY_AFTER}
        verdicts = sa.verify(lake, until=DAY + timedelta(hours=24.5))
        disputed = sa.disputes(lake, verdicts=verdicts, **period)
        said = Snapshot(folder / "nova.jsonl").instances(disputed["instance"].to_list())
        found = sa.reconcile(lake, nova=said, verdicts=verdicts, **period)
        messages_by_id = dict(lake.sql("select id, message_id from exists").iter_rows())
    told = {record["message_id"]: record for record in truth if record["kind"] == "exists"}
    records = {id: told[message] for id, message in messages_by_id.items()}
    return Day(found, truth, records)


def test_what_is_reconciled_is_right(day: Day) -> None:
    """A record is reconciled only where it is right and a launch or a deletion was not told of."""
    reconciled = day.found.filter(pl.col("outcome") == "reconciled", pl.col("exists_id").is_not_null())

    faults = {day.records[id]["fault"] for id in reconciled["exists_id"]}

    assert faults == {"missing_launch", "missing_delete"}


def test_what_is_wrong_is_not_reconciled(day: Day) -> None:
    """A record that is wrong in itself differs from nova, and the field that is wrong is among the differences."""
    spoilt = {fault["message_id"]: fault for fault in day.truth if fault["kind"] == "billing_fault" and fault["field"]}
    seen = set()
    for row in day.found.filter(pl.col("exists_id").is_not_null()).iter_rows(named=True):
        fault = spoilt.get(day.records[row["exists_id"]]["message_id"])
        if fault is not None:
            seen.add(fault["fault"])
            assert row["outcome"] == "differs"
            assert fault["field"] in {difference["field"] for difference in row["differences"]}

    assert seen == {"wrong_flavor", "wrong_tenant", "wrong_launched_at", "null_metadata", "false_alive"}


def test_launches_that_lack_a_record_are_those_of_the_truth(day: Day) -> None:
    """Every launch that was told and that no record tells of is disputed, and no other."""
    told = {(record["instance"], record["launched_at"][:19]) for record in day.records.values()}
    instances = {instance for instance, _ in told}
    launches = sorted(
        (record["instance"], record["launched_at"][:19])
        for record in day.truth
        if record["kind"] == "launch" and record["is_told"] and times.instant(record["launched_at"]) < DAY_AFTER
    )
    first = dict(reversed(launches))
    expected = {
        (instance, at)
        for instance, at in launches
        if (instance, at) not in told and (instance in instances or first[instance] == at)
    }

    disputed = day.found.filter(pl.col("exists_id").is_null())

    assert {(row[0], times.show(row[1])[:19]) for row in disputed.select("instance", "launched_at").rows()} == expected
    assert len(expected) >= 5
