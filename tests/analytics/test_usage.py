"""Usage: launches, deletes and exists, whatever the order of arrival and the format."""

import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stackanalytics as sa
from stackanalytics import times
from stackanalytics.landing import land
from stackanalytics.sources.chunk import Chunk
from stackanalytics.sources.simulator import Cloud, simulate
from stackanalytics.testing import lake_of, notification

T0 = datetime(2026, 3, 2, 8, tzinfo=UTC)
INSTANCE = "77e0f192-00a2-4f14-ad56-7467897828ea"
META = {
    "org.openstack__1__architecture": "x64",
    "org.openstack__1__os_distro": "org.debian",
    "org.openstack__1__os_version": "12",
    "com.rackspace__1__options": "0",
}
Message = dict[str, Any]
NOUNS: tuple[Callable[..., pl.DataFrame], ...] = (
    sa.launches,
    sa.deletes,
    sa.exists,
    sa.images,
    sa.image_deletes,
    sa.image_exists,
)


def at(seconds: float) -> datetime:
    """Return an instant some seconds after T0."""
    return T0 + timedelta(seconds=seconds)


def step(name: str, seconds: float, **fields: object) -> Message:
    """Return a notification of an action on the instance."""
    said: dict[str, object] = {"instance": INSTANCE, "request_id": "req-1", "image_meta": META, **fields}
    return notification(f"compute.instance.{name}", at(seconds), **said)


def launched(folder: Path, messages: Iterable[Message], *columns: str) -> list[tuple[Any, ...]]:
    """Return columns of the launches, times as seconds after T0."""
    with lake_of(folder, messages) as lake:
        rows = sa.launches(lake).select(columns).rows()
    return [
        tuple((value - T0).total_seconds() if isinstance(value, datetime) else value for value in row) for row in rows
    ]


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([step("create.start", 0)], [None]),
        ([step("create.start", 0), step("create.end", 9, launched_at=at(8))], [8]),
        ([step("create.end", 9, launched_at=at(8), message="Success")], [8]),
        ([step("create.start", 0), step("create.end", 9, launched_at=at(8), message="no host")], [None]),
        ([step("create.end", 9, launched_at=at(8), message="no host")], []),
        ([step("create.start", 0, launched_at=at(-5))], [None]),
        ([step("rebuild.start", 50, launched_at=at(8))], [8]),
        ([step("rebuild.start", 50, launched_at=at(8)), step("rebuild.end", 70, launched_at=at(69))], [69]),
        ([step("rescue.start", 50, launched_at=at(8)), step("rescue.end", 70, launched_at=at(69))], [69]),
        ([step("unshelve.start", 50, launched_at=at(8)), step("unshelve.end", 70, launched_at=at(69))], [69]),
        ([step("resize.prep.start", 50, launched_at=at(8)), step("finish_resize.start", 60, launched_at=at(9))], [8]),
        ([step("resize.prep.start", 50, launched_at=at(8)), step("finish_resize.end", 70, launched_at=at(69))], [69]),
        ([step("resize.revert.start", 50, launched_at=at(8)), step("resize.revert.end", 70, launched_at=at(69))], [69]),
        ([step("resize.prep.end", 51, launched_at=at(8)), step("resize.confirm.end", 90, launched_at=at(8))], []),
        ([step("delete.end", 90, launched_at=at(8)), step("reboot.end", 91, launched_at=at(8))], []),
    ],
)
def test_when_an_instance_was_launched(messages: list[Message], expected: list[float | None], tmp_path: Path) -> None:
    """The latest launch that an action tells of counts; starts tell of the one before; a failed build of none."""
    assert launched(tmp_path, messages, "launched_at") == [(seconds,) for seconds in expected]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([("create.start", 0, "2"), ("create.end", 9, "3")], "2"),
        ([("create.end", 9, "3")], "3"),
        ([("rebuild.start", 0, "2"), ("rebuild.start", 5, "4"), ("rebuild.end", 9, "3")], "4"),
        ([("rescue.end", 9, "3"), ("rescue.end", 12, "5")], "3"),
        ([("resize.prep.start", 0, "2")], "2"),
        ([("resize.prep.start", 0, "2"), ("resize.prep.start", 4, "3")], "2"),
        ([("resize.prep.start", 0, "2"), ("finish_resize.start", 5, "3")], "3"),
        ([("resize.prep.start", 0, "2"), ("finish_resize.start", 5, "3"), ("finish_resize.end", 9, "4")], "4"),
        ([("resize.revert.start", 0, "3"), ("resize.revert.end", 9, "2")], "2"),
        ([("resize.revert.start", 0, "3")], "3"),
    ],
)
@pytest.mark.parametrize("is_late", [False, True], ids=["in order", "reversed"])
def test_which_flavor_a_launch_has(
    steps: list[tuple[str, float, str]], expected: str, is_late: bool, tmp_path: Path
) -> None:
    """The last step of a finished resize tells the flavor, else the last start, else the first end."""
    messages = [
        step(name, seconds, instance_flavor_id=flavor, instance_type_id=int(flavor) * 10)
        for name, seconds, flavor in steps
    ]

    found = launched(tmp_path, messages[::-1] if is_late else messages, "instance_flavor_id", "instance_type_id")

    assert found == [(expected, f"{expected}0")]


def test_the_last_notification_tells_the_rest(tmp_path: Path) -> None:
    """Tenant, image and sender of a launch are those of its last notification by time; the id is the lowest."""
    start = step("create.start", 0, tenant="before", host="host-1", image_meta={})
    end = step("create.end", 9, tenant="after", host="host-2", launched_at=at(8))

    with lake_of(tmp_path, [end, start], deployment="cell-1") as lake:
        (row,) = sa.launches(lake).to_dicts()

    assert row == {
        "id": 1,
        "instance": INSTANCE,
        "request_id": "req-1",
        "launched_at": at(8),
        "instance_type_id": None,
        "instance_flavor_id": None,
        "tenant": "after",
        "os_architecture": "x64",
        "os_distro": "org.debian",
        "os_version": "12",
        "rax_options": "0",
        "deployment": "cell-1",
        "host": "host-2",
    }


def test_actions_without_a_request_are_kept_apart(tmp_path: Path) -> None:
    """Where no request is known, a launch reaches from its start to the next end."""
    messages = [
        step("create.start", 0, request_id=None),
        step("create.end", 9, request_id=None, launched_at=at(8)),
        step("resize.prep.start", 20, request_id=None, launched_at=at(8)),
        step("finish_resize.start", 25, request_id=None, launched_at=at(8)),
        step("finish_resize.end", 30, request_id=None, launched_at=at(29)),
        step("rebuild.start", 40, request_id=None, launched_at=at(29)),
        step("rescue.start", 60, request_id=None, launched_at=at(29)),
        step("rescue.end", 70, request_id=None, launched_at=at(69)),
        step("rebuild.end", 90, request_id=None, launched_at=at(89)),
    ]

    assert launched(tmp_path, messages, "id", "launched_at") == [(1, 8), (3, 29), (6, 29), (7, 69), (9, 89)]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"launched_at": at(0), "terminated_at": at(50), "deleted_at": at(55)}, [(0, 50)]),
        ({"launched_at": at(0), "terminated_at": "", "deleted_at": at(55)}, [(0, 55)]),
        ({"launched_at": at(0), "deleted_at": at(55)}, [(0, 55)]),
        ({"launched_at": at(0)}, [(0, None)]),
        ({"launched_at": "", "terminated_at": at(50)}, []),
    ],
)
def test_when_an_instance_was_deleted(
    fields: Message, expected: list[tuple[float, float | None]], tmp_path: Path
) -> None:
    """Termination counts before deletion; what never was launched has no deletion."""
    with lake_of(tmp_path, [step("delete.start", 49, **fields), step("delete.end", 60, **fields)]) as lake:
        rows = sa.deletes(lake).select("launched_at", "deleted_at").rows()

    assert rows == [(at(begin), None if end is None else at(end)) for begin, end in expected]


def test_a_deletion_told_twice_is_one(tmp_path: Path) -> None:
    """Notifications of one launch and one time of deletion are one deletion, with the sender of the last."""
    first = step("delete.end", 60, launched_at=at(0), terminated_at=at(50), host="host-1", request_id="req-1")
    again = step("delete.end", 70, launched_at=at(0), terminated_at=at(50), host="host-2", request_id="req-2")
    other = step("delete.end", 80, launched_at=at(0), terminated_at=at(51), host="host-3", request_id="req-3")

    with lake_of(tmp_path, [again, first, other]) as lake:
        assert sa.deletes(lake).select("id", "host").rows() == [(1, "host-2"), (3, "host-3")]


def test_an_exists_record(tmp_path: Path) -> None:
    """Every notification is a record, but for those without a launch, and echoes of verified ones."""
    period = {"audit_period_beginning": at(0), "audit_period_ending": at(3600)}
    said = {
        "launched_at": at(-50),
        "terminated_at": at(100),
        "deleted_at": at(200),
        "tenant": "acme",
        "instance_type_id": 7,
        "instance_flavor_id": "f-7",
        "instance_type": "small",
        "memory_mb": 512,
        "bandwidth": {"public": {"bw_out": 123}},
        "image_meta": META | {"image_type": "base", "os_type": "linux"},
        "message_id": "m-1",
        **period,
    }
    messages = [
        step("exists", 3605, **said),
        step("exists", 3606, launched_at="", **period),
        step("exists.verified", 3607, launched_at=at(-50), **period),
        step("exists", 3608, launched_at=at(-50), message_id="m-2", **period),
    ]

    with lake_of(tmp_path, messages, deployment="cell-1") as lake:
        first, second = sa.exists(lake).to_dicts()

    assert first == {
        "id": 1,
        "message_id": "m-1",
        "instance": INSTANCE,
        "launched_at": at(-50),
        "deleted_at": at(100),
        **period,
        "instance_type_id": "7",
        "instance_flavor_id": "f-7",
        "instance_type": "small",
        "memory_mb": 512,
        "tenant": "acme",
        "os_architecture": "x64",
        "os_distro": "org.debian",
        "os_version": "12",
        "rax_options": "0",
        "image_type": 0x11,
        "bandwidth_public_out": 123,
        "deployment": "cell-1",
        "host": "host-1",
        "received_at": at(3605),
    }
    assert (second["message_id"], second["deleted_at"], second["bandwidth_public_out"]) == ("m-2", None, None)


def test_both_formats_tell_of_one_record(tmp_path: Path) -> None:
    """Versioned notifications count where their deployment told nothing of it in the legacy format."""

    def twin(beginning: float, ending: float, **fields: object) -> Message:
        period = {"audit_period_beginning": f"{at(beginning):%FT%TZ}", "audit_period_ending": f"{at(ending):%FT%TZ}"}
        flavor = {"nova_object.data": {"flavorid": "f-7"}, "nova_object.namespace": "nova"}
        inner = {"nova_object.data": period, "nova_object.namespace": "nova"}
        said = {"launched_at": f"{at(-50):%FT%TZ}", "audit_period": inner, "flavor": flavor, **fields}
        return notification("instance.exists", at(ending + 6), instance=INSTANCE, **said)

    legacy = step("exists", 3605, launched_at=at(-50.0), audit_period_beginning=at(0), audit_period_ending=at(1800.25))

    with lake_of(tmp_path, [twin(0, 1800), legacy, twin(0, 1801), twin(0, 1800, deployment="cell-2")]) as lake:
        found = sa.exists(lake).select("id", "deployment", "audit_period_ending", "launched_at", "instance_flavor_id")

    assert found.rows() == [
        (2, "default", at(1800.25), at(-50), None),
        (3, "default", at(1801), at(-50), "f-7"),
        (4, "cell-2", at(1800), at(-50), "f-7"),
    ]


def test_records_with_one_message_id_and_other_content_both_count(tmp_path: Path) -> None:
    """Which of two contents came first is chance, so neither hides the other."""
    period = {"audit_period_beginning": at(0), "audit_period_ending": at(3600), "launched_at": at(-50)}
    records = [step("exists", 3605, message_id="m-1", instance_flavor_id=flavor, **period) for flavor in "23"]

    with lake_of(tmp_path / "a", records) as one, lake_of(tmp_path / "b", records[::-1]) as other:
        found = [sorted(sa.exists(lake).select("message_id", "instance_flavor_id").rows()) for lake in (one, other)]

    assert found == [[("m-1", "2"), ("m-1", "3")]] * 2


def image_step(name: str, seconds: float, **payload: object) -> Message:
    """Return a notification of glance about an image."""
    said = {"id": "image-1", "owner": "acme", "size": 10, "created_at": "2026-03-02 07:00:00+00:00"}
    return notification(f"image.{name}", at(seconds), service="glance", payload={**said, **payload})


def test_images(tmp_path: Path) -> None:
    """The first activation makes an image, the last deletion ends it; uploads and updates are neither."""
    messages = [
        image_step("activate", 9, size=12),
        image_step("activate", 5, size=11),
        image_step("upload", 4),
        image_step("update", 10),
        image_step("delete", 20, deleted_at="2026-03-02 09:00:00+00:00"),
        image_step("delete", 30, deleted_at="2026-03-02 09:00:01+00:00"),
    ]

    with lake_of(tmp_path, messages, deployment="region-1") as lake:
        assert sa.images(lake).rows() == [(1, "image-1", at(-3600), "acme", 11, "region-1", "host-1")]
        assert sa.image_deletes(lake).rows() == [(5, "image-1", at(3601), "region-1", "host-1")]


def test_exists_records_of_images(tmp_path: Path) -> None:
    """A notification has a record for each image with a creation; what cannot be read costs only itself."""
    images = [
        {"id": "image-1", "size": 10, "created_at": "2026-03-02 07:00:00", "deleted_at": "2026-03-02T09:00:00Z"},
        {"id": "image-2", "size": 11, "created_at": None},
        "no image",
        {"id": "image-4", "size": 12, "created_at": "infinity"},
        {"id": "image-5", "size": 12, "created_at": "99999-01-01 00:00:00"},
        {"id": "image-3", "size": "many", "created_at": "2026-03-02 07:00:00", "deleted_at": ""},
    ]
    period = {"audit_period_beginning": "2026-03-02 08:00:00", "audit_period_ending": "2026-03-02 09:00:00"}
    payload = {"owner": "acme", "images": images, **period}
    record = notification("image.exists", at(3700), message_id="m-1", service="glance", payload=payload)
    text = notification("image.exists", at(3800), message_id="m-2", service="glance", payload="nothing")

    with lake_of(tmp_path, [record, text], deployment="region-1") as lake:
        found = sa.image_exists(lake)

    whole = (at(0), at(3600), "region-1", "host-1", at(3700))
    assert found.rows() == [
        (1024, 1, "m-1", "image-1", "acme", 10, at(-3600), at(3600), *whole),
        (1029, 1, "m-1", "image-3", "acme", None, at(-3600), None, *whole),
    ]


@pytest.fixture(scope="module")
def clouds() -> dict[str, tuple[list[bytes], list[dict[str, Any]]]]:
    """Return messages and truth of six hours of a small cloud, by format."""
    found = {}
    for form in ("legacy", "versioned", "both"):
        truth: list[dict[str, Any]] = []
        cloud = Cloud(start=T0, seed=5, hosts=3, instances=20, operations_per_hour=150, format=form)
        found[form] = (list(simulate(cloud, hours=6, truth=truth.append)), truth)
    return found


def landed(folder: Path, messages: list[bytes]) -> sa.Lake:
    """Land messages as they are."""
    land([Chunk("cloud", 1, messages)], folder)
    return sa.open_lake(folder)


def moment(text: str | None, form: str) -> datetime | None:
    """Read a time of the truth as the format can tell it: versioned ones have whole seconds."""
    told = None if text is None else times.instant(text)
    return told.replace(microsecond=0) if told and form == "versioned" else told


@pytest.mark.parametrize("form", ["legacy", "versioned", "both"])
class TestAgainstTheTruth:
    """Usage equals what the simulator knows to have happened."""

    @pytest.fixture
    def truth(self, clouds: dict[str, Any], form: str) -> list[dict[str, Any]]:
        """Return what happened."""
        return [record for record in clouds[form][1] if not record.get("before_start")]

    @pytest.fixture
    def lake(self, clouds: dict[str, Any], form: str, tmp_path: Path) -> sa.Lake:
        """Return the lake of what was told."""
        return landed(tmp_path, clouds[form][0])

    def test_launches(self, lake: sa.Lake, truth: list[dict[str, Any]], form: str) -> None:
        """Each launch has its request, time, flavor, project and cell; others are of what did not succeed."""
        names = ["instance", "request_id", "instance_flavor_id", "tenant", "deployment"]
        names += [] if form == "versioned" else ["instance_type_id", "os_distro", "os_version", "rax_options"]
        expected = {
            (*map(record.get, names), moment(record["launched_at"], form))
            for record in truth
            if record["kind"] == "launch"
        }
        succeeded = {
            (record["instance"], record["request_id"])
            for record in truth
            if record["kind"] == "operation" and record["outcome"] in ("success", "timeout")
        }

        found = set(sa.launches(lake).select(*names, "launched_at").rows())

        assert len(expected) > 50
        assert found >= expected
        assert not {row[:2] for row in found - expected} & succeeded

    def test_deletes(self, lake: sa.Lake, truth: list[dict[str, Any]], form: str) -> None:
        """Each deletion has its launch and its time, and there are no others."""
        expected = [
            (record["instance"], moment(record["launched_at"], form), moment(record["terminated_at"], form))
            for record in truth
            if record["kind"] == "delete"
        ]

        assert len(expected) > 50
        assert sorted(sa.deletes(lake).select("instance", "launched_at", "deleted_at").rows()) == sorted(expected)

    def test_exists(self, lake: sa.Lake, truth: list[dict[str, Any]], form: str) -> None:
        """Each record has its instance, period, launch, flavor, project and traffic, and there are no others."""
        names = ["instance", "deployment", "tenant", "instance_flavor_id", "message_id", "bandwidth_public_out"]
        instants = ["audit_period_beginning", "audit_period_ending", "launched_at"]
        expected = {
            (*map(record.get, names), *(moment(record[name], form) for name in instants))
            for record in truth
            if record["kind"] == "exists"
        }

        found = sa.exists(lake)

        assert set(found.select(*names, *instants).rows()) == expected
        assert found.height == len(expected) > 50

    def test_glance(self, lake: sa.Lake, truth: list[dict[str, Any]], form: str) -> None:
        """Images, their deletions and their records are those that there were."""
        kinds: dict[str, tuple[pl.DataFrame, list[str], list[str]]] = {
            "image": (sa.images(lake), ["image", "owner", "size", "deployment"], ["created_at"]),
            "image_delete": (sa.image_deletes(lake), ["image", "deployment"], ["deleted_at"]),
            "image_exists": (
                sa.image_exists(lake),
                ["image", "owner", "size", "deployment"],
                ["audit_period_beginning", "audit_period_ending", "created_at", "deleted_at"],
            ),
        }
        for kind, (found, names, instants) in kinds.items():
            expected = {
                (*map(record.get, names), *(moment(record[name], "legacy") for name in instants))
                for record in truth
                if record["kind"] == kind
            }
            columns = ["tenant" if name == "owner" else name for name in names]
            assert set(found.select(*columns, *instants).rows()) == expected
            assert found.height == len(expected) > 0


def told(lake: sa.Lake) -> list[list[tuple[Any, ...]]]:
    """Return all usage without what depends on the order of arrival."""
    frames = [noun(lake) for noun in NOUNS]
    return [sorted(frame.drop("id", "notification_id", strict=False).rows(), key=repr) for frame in frames]


@settings(max_examples=4)
@given(form=st.sampled_from(["legacy", "both"]), seed=st.integers(0, 1000), late=st.floats(0, 0.9))
def test_order_duplicates_and_late_arrival_change_nothing(
    form: str, seed: int, late: float, clouds: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Shuffled, with every tenth doubled, and landed in two parts, the same messages tell of the same usage."""
    messages = clouds[form][0]
    shuffled = [*messages, *messages[::10]]
    random.Random(seed).shuffle(shuffled)
    cut = round(len(shuffled) * late)
    folder = tmp_path_factory.mktemp("shuffled")

    with landed(tmp_path_factory.mktemp("plain"), messages) as plain:
        expected = told(plain)
    landed(folder, shuffled[:cut]).close()
    with landed(folder, shuffled[cut:]) as lake:
        assert told(lake) == expected


def test_restrictions(clouds: dict[str, Any], tmp_path: Path) -> None:
    """Restricting by a value, or to a half-open range, gives the rows of all that meet it."""
    fields = {
        "launches": ("launched_at", ("instance", "tenant", "deployment")),
        "deletes": ("deleted_at", ("instance", "deployment")),
        "exists": ("received_at", ("instance", "tenant", "deployment")),
        "images": ("created_at", ("image", "tenant", "deployment")),
        "image_deletes": ("deleted_at", ("image", "deployment")),
        "image_exists": ("received_at", ("image", "tenant", "deployment")),
    }
    with landed(tmp_path, clouds["both"][0]) as lake:
        for noun in NOUNS:
            instant, names = fields[noun.__name__]
            whole = noun(lake)
            for name in names:
                value = whole[name][whole.height // 2]
                assert noun(lake, **{name: value}).equals(whole.filter(pl.col(name) == value))
            start, end = whole[instant].drop_nulls().sort()[[whole.height // 4, whole.height // 2]]
            expected = whole.filter(pl.col(instant).is_between(start, end, closed="left"))
            assert noun(lake, start=start, end=end).equals(expected)
            assert not expected.is_empty()


def test_views_are_the_nouns(clouds: dict[str, Any], tmp_path: Path) -> None:
    """For SQL there is a view of each noun with the same columns and rows."""
    with landed(tmp_path, clouds["both"][0]) as lake:
        for noun in NOUNS:
            assert lake.sql(f"from {noun.__name__} order by id").equals(noun(lake))
