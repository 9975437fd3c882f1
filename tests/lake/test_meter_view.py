"""Samples are what Ceilometer made of the same notifications, and do not depend on how these were landed."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid5

import pytest

import stackanalytics as sa
from stackanalytics.errors import LakeError
from stackanalytics.lake import derive
from stackanalytics.lake.meter_definition import definitions, digest
from stackanalytics.lake.meter_view import NAMESPACE
from stackanalytics.testing import lake_of, notification

RECORDED = Path(__file__).parents[3] / "shared" / "data" / "ceilometer-notification-samples.json"
CASES = json.loads(RECORDED.read_text())["cases"] if RECORDED.exists() else []

FLAVOR = {"memory_mb": 512, "vcpus": 1, "root_gb": 20, "ephemeral_gb": 0, "instance_type": "m1.tiny"}


def created(**fields: Any) -> dict[str, object]:
    """Return the end of the creation of an instance."""
    given = {"instance": "i-1", "tenant": "p-1", "user": "u-1", "request_id": "req-1", **FLAVOR, **fields}
    return notification("compute.instance.create.end", "2026-03-02 10:00:07", **given)


def told(lake: sa.Lake) -> dict[str, tuple[object, ...]]:
    """Return type, unit and volume of the samples by meter."""
    return {row[0]: row[1:] for row in sa.samples(lake).select("meter", "meter_type", "unit", "volume").rows()}


@pytest.mark.skipif(not CASES, reason=f"the recorded notifications are not at hand: no {RECORDED}")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_samples_are_those_of_ceilometer(case: dict[str, Any], tmp_path: Path) -> None:
    """A notification yields the samples that Ceilometer 7.0.0 made of it, with their metadata."""
    recorded = {
        (sample["name"], sample["resource_id"]): (
            *(sample["type"], sample["unit"], sample["volume"], sample["project_id"], sample["user_id"]),
            sample["timestamp"].replace("T", " ").removesuffix(".000000"),
            sample["resource_metadata"],
        )
        for sample in case["expect"]["samples"]
    }

    with lake_of(tmp_path, [case["notification"]]) as lake:
        rows = sa.samples(lake).rows(named=True)

    found = {
        (row["meter"], row["resource"]): (
            *(row["meter_type"], row["unit"], pytest.approx(row["volume"]), row["tenant"], row["user"]),
            str(row["measured_at"].replace(tzinfo=None)),
            json.loads(row["metadata"]),
        )
        for row in rows
        if not row["meter"].startswith("instance:")  # recorded without the meters of single flavors
    }
    assert found == recorded


def test_a_created_instance_yields_its_meters(tmp_path: Path) -> None:
    """The end of a creation tells the flavor's sizes, that the instance exists, and how long it took to boot."""
    message = created(created_at="2026-03-02 10:00:00", launched_at="2026-03-02 10:00:06.5")

    with lake_of(tmp_path, [message]) as lake:
        assert told(lake) == {
            "compute.instance.booting.time": ("gauge", "sec", 6.5),
            "disk.ephemeral.size": ("gauge", "GB", 0.0),
            "disk.root.size": ("gauge", "GB", 20.0),
            "instance": ("gauge", "instance", 1.0),
            "instance:m1.tiny": ("gauge", "instance", 1.0),
            "memory": ("gauge", "MB", 512.0),
            "vcpus": ("gauge", "vcpu", 1.0),
        }


def test_what_is_not_told_yields_no_sample(tmp_path: Path) -> None:
    """A size that is missing is no sample, rather than one of nothing."""
    with lake_of(tmp_path, [created(memory_mb=None, instance_type=None)]) as lake:
        assert {"memory", "instance:m1.tiny", "compute.instance.booting.time"}.isdisjoint(told(lake))


def test_both_formats_count_once(tmp_path: Path) -> None:
    """What a deployment tells in both formats is one sample; what it tells in the versioned one alone is one, too."""
    flavor = {"nova_object.data": {"memory_mb": 512, "vcpus": 1, "root_gb": 20, "ephemeral_gb": 0, "name": "m1.tiny"}}
    versioned = [
        notification("instance.create.end", "2026-03-02 10:00:07", instance=instance, request_id="req-1", flavor=flavor)
        for instance in ("i-1", "i-2")
    ]

    with lake_of(tmp_path, [created(), *versioned]) as lake:
        found = sa.samples(lake, meter="memory")

    assert sorted(found.select("resource", "volume").rows()) == [("i-1", 512.0), ("i-2", 512.0)]


def test_names_of_user_metadata_may_become_one(tmp_path: Path) -> None:
    """Of users' names that differ in dots only the first counts, and names may have any sign."""
    told = {"metering.a.b": "1", "metering.a_b": "2", "metering.c/d~e": "3", "other": "4"}
    with lake_of(tmp_path, [created(metadata=told)]) as lake:
        [metadata] = sa.samples(lake, meter="instance")["metadata"].to_list()

    assert json.loads(metadata)["user_metadata"] == {"a_b": "1", "c/d~e": "3"}


def test_the_metadata_are_there_when_they_are_named(tmp_path: Path) -> None:
    """Reading metadata takes long: a query that names them gets them, one that does not sees no such column."""
    with lake_of(tmp_path, [created()]) as lake:
        assert "metadata" not in lake.sql("select * from samples").columns
        assert lake.sql("select metadata from samples")["metadata"].null_count() == 0


def test_order_and_repetition_change_nothing(tmp_path: Path) -> None:
    """Samples and their ids are the same for notifications in another order, and twice."""
    messages = [created(instance=f"i-{number}", message_id=f"m-{number}") for number in range(5)]
    messages += [created(instance="i-1", memory_mb=1024, message_id="m-0")]

    with (
        lake_of(tmp_path / "one", messages) as one,
        lake_of(tmp_path / "other", [*messages[::-1], *messages]) as other,
    ):
        first, second = (sa.samples(lake).drop("recorded_at") for lake in (one, other))

    assert first.equals(second)
    assert first["sample_id"].is_unique().all()


def test_ids_are_uuids_of_what_identifies_a_sample(tmp_path: Path) -> None:
    """The id of a sample is the uuid of version 5 that anybody can make of the same name."""
    with lake_of(tmp_path, [created(message_id="m-1", deployment="cell-1")]) as lake:
        [found] = sa.samples(lake, meter="memory")["sample_id"].to_list()

    name = "\0".join(
        ["cell-1", "m-1", "compute.instance.create.end", "2026-03-02 10:00:07+00", "memory", "i-1", "512.0", "1"]
    )
    assert found == str(uuid5(NAMESPACE, name))


def test_a_lake_can_have_meters_of_its_own(tmp_path: Path) -> None:
    """A file in the lake adds meters, and takes the place of those of the same name."""
    lake_of(tmp_path, [created()]).close()
    (tmp_path / "meters.toml").write_text(
        """
        [[notifications]]
        event_types = ["compute.instance.create.end"]
        resource = "host"
        meters = [
            { name = "memory", type = "delta", unit = "GB", volume = { value = "memory_mb", times = 0.5 } },
            { name = "flavors.{instance_type}", type = "gauge", unit = "", volume = "$.payload.vcpus" },
        ]
        """
    )

    with sa.open_lake(tmp_path) as lake:
        found = told(lake)
        [host] = sa.samples(lake, meter="memory")["resource"].to_list()

    assert (found["memory"], host) == (("delta", "GB", 256.0), "host-1")
    assert found["flavors.m1.tiny"] == ("gauge", "", 1.0)
    assert found["vcpus"] == ("gauge", "vcpu", 1.0)


def test_a_meter_of_ones_own_takes_the_place_of_one_named_by_the_event(tmp_path: Path) -> None:
    """A name that the package makes of the event type is the lake's, where that defines it; others stay."""
    fields = {"service": "image", "payload": {"id": "image-1", "size": 5}}
    uploads = [notification(f"image.{what}", "2026-03-02 10:00", **fields) for what in ("upload", "update")]
    lake_of(tmp_path, uploads).close()
    derive(tmp_path)
    content = """
    [[notifications]]
    event_types = ["image.upload"]
    resource = "resource"
    meters = [{ name = "image.upload", type = "delta", unit = "MB", volume = VOLUME }]
    """

    for volume, expected in (("1", 1.0), ('"size"', 5.0)):
        (tmp_path / "meters.toml").write_text(content.replace("VOLUME", volume))
        for is_derived in (False, True):
            if is_derived:
                derive(tmp_path)
            with sa.open_lake(tmp_path) as lake:
                found = sa.samples(lake).select("meter", "meter_type", "unit", "volume").rows()
                asked = sa.samples(lake, meter="image.upload")["volume"].to_list()

            assert sorted(found) == [
                ("image", "gauge", "image", 1.0),
                ("image", "gauge", "image", 1.0),
                ("image.size", "gauge", "B", 5.0),
                ("image.size", "gauge", "B", 5.0),
                ("image.update", "gauge", "image", 1.0),
                ("image.upload", "delta", "MB", expected),
            ]
            assert asked == [expected]


def test_taking_a_name_makes_other_definitions(tmp_path: Path) -> None:
    """Samples by the package's definitions are derived anew where a name is taken from these, and only there."""
    told = "[[notifications]]\nevent_types = ['a']\nresource = 'id'\nmeters = [{ name = 'NAME', type = 'gauge', "

    def packaged(name: str) -> int:
        (tmp_path / "meters.toml").write_text(told.replace("NAME", name) + "unit = 'u', volume = 1 }]")
        return digest(definitions(tmp_path)[:-1])

    before = digest(definitions(tmp_path))
    assert packaged("image.{event_type}") == before
    assert packaged("image.upload") != before


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[[notifications]", "meters.toml"),
        ("[[notifications]]\nevent_types = ['a.b']\nresource = 'id'", "meters"),
        ("[[notifications]]\nevent_types = ['a b']\nresource = 'id'\nmeters = [<m>]", "'a b' is no pattern"),
        ("[[notifications]]\nevent_types = ['a']\nresource = 'x'\nmeters = [<m>]", "'x' is neither a column"),
        ("[[notifications]]\nevent_types = ['a']\nresource = '@.x'\nmeters = [<m>]", "no `each`"),
        ("[[notifications]]\nevent_types = ['a']\nresource = 'id'\nmeters = [<n>]", "nan is no volume of m"),
        ("[[notifications]]\nevent_types = ['a']\nresource = 'id'\nbogus = 1\nmeters = [<m>]", "bogus"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(content: str, said: str, tmp_path: Path) -> None:
    """A lake whose file of meters is wrong says which file, and what is wrong with it."""
    meter = "{ name = 'm', type = 'gauge', unit = 'u', volume = 1 }"
    lake_of(tmp_path, []).close()
    (tmp_path / "meters.toml").write_text(content.replace("<m>", meter).replace("<n>", meter.replace("= 1", "= nan")))

    with pytest.raises(LakeError) as caught:
        sa.open_lake(tmp_path)
    assert str(tmp_path / "meters.toml") in str(caught.value)
    assert said in str(caught.value)
