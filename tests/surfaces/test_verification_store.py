"""Verifying again and again: what is looked at, what is kept, and what others see meanwhile."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import stackanalytics as sa
from stackanalytics.errors import InputError, LakeError
from stackanalytics.lake import append_reconciliations, verification_under_way, verifying
from stackanalytics.lake.usage_state import UsageState
from stackanalytics.schema import LAUNCH_FIELDS, polars_schema
from stackanalytics.surfaces.verification_store import last_rules, verify_and_keep
from stackanalytics.surfaces.verified_notification import append_lines
from stackanalytics.testing import lake_of, notification

DAY = datetime(2026, 3, 2, tzinfo=UTC)
LAUNCHED_AT = DAY - timedelta(hours=9)
IMAGES = [f"{number:08x}-0000-0000-0000-000000000000" for number in range(3)]
META = {
    "org.openstack__1__architecture": "x64",
    "org.openstack__1__os_distro": "org.debian",
    "org.openstack__1__os_version": "12",
    "com.rackspace__1__options": "0",
}
Message = dict[str, Any]
FIRST, SECOND = (DAY + timedelta(days=days, seconds=600) for days in (1, 2))


def said(name: str, at: datetime, instance: str, **fields: object) -> Message:
    """Return a notification about an instance that was launched before the day."""
    common: Message = {
        "instance": instance,
        "request_id": f"req-{name}-{instance}",
        "tenant": "acacacac",
        "instance_type_id": "2",
        "launched_at": LAUNCHED_AT,
        "image_meta": META,
    }
    return notification(f"compute.instance.{name}", at, **common | fields)


def launch(instance: str, **fields: object) -> Message:
    """Return its launch."""
    return said("create.end", LAUNCHED_AT, instance, **fields)


def exists(instance: str, day: int = 0, **fields: object) -> Message:
    """Return its record of a day."""
    beginning, ending = DAY + timedelta(days=day), DAY + timedelta(days=day + 1)
    period = {"audit_period_beginning": beginning, "audit_period_ending": ending}
    return said(
        "exists", ending + timedelta(seconds=9), instance, **{"message_id": f"{instance}-{day}", **period, **fields}
    )


def activation(image: str) -> Message:
    """Return the activation of an image."""
    payload = {"id": image, "owner": "acacacac", "size": 10, "created_at": str(LAUNCHED_AT)}
    return notification("image.activate", LAUNCHED_AT, service="glance", payload=payload)


def images_exist(images: Sequence[str]) -> Message:
    """Return one record of several images."""
    listed = [{"id": image, "size": 10, "created_at": str(LAUNCHED_AT), "deleted_at": None} for image in images]
    period = {"audit_period_beginning": str(DAY), "audit_period_ending": str(DAY + timedelta(days=1))}
    payload = {"owner": "acacacac", "images": listed, **period}
    return notification("image.exists", DAY + timedelta(days=1), message_id="images", service="glance", payload=payload)


def land(folder: Path, *messages: Message) -> None:
    """Land messages."""
    lake_of(folder, messages, deployment="cell-1").close()


def changes(folder: Path, until: datetime = FIRST, **how: Any) -> dict[str, tuple[str | None, str]]:
    """Verify, and return the former and the new verdict of each record that changed, by its message."""
    found = verify_and_keep(folder, until=until, **how).select("message_id", "former_verdict", "verdict")
    return {message: (former, verdict) for message, former, verdict in found.iter_rows()}


def kept(folder: Path) -> dict[str, str]:
    """Return the verdicts that count."""
    with sa.open_lake(folder) as lake:
        return dict(lake.sql("select message_id, verdict from verdicts order by message_id").iter_rows())


def test_only_what_changes_is_kept(tmp_path: Path) -> None:
    """A record is kept once; verifying again when nothing was told adds no row and no version."""
    land(tmp_path, launch("a"), exists("a"), exists("b"))

    assert changes(tmp_path) == {"a-0": (None, "verified"), "b-0": (None, "failed")}
    with sa.open_lake(tmp_path) as lake:
        version = lake.version["verifications"]
        rows = lake.sql("select * exclude (verified_at, date) from verifications order by sequence").rows()

    assert rows == [
        (1, "nova", 2, "cell-1", "a-0", "verified", None, None, None, None, None),
        (2, "nova", 3, "cell-1", "b-0", "failed", "not_found", "instance", "b", None, "InstanceUsage"),
    ]
    assert changes(tmp_path) == {}
    assert changes(tmp_path, is_from_scratch=True) == {}
    with sa.open_lake(tmp_path) as lake:
        assert lake.version["verifications"] == version


def test_records_are_verified_when_they_are_due(tmp_path: Path) -> None:
    """What was not due is verified once it is, and only then."""
    land(tmp_path, launch("a"), exists("a"), exists("a", day=1))

    assert changes(tmp_path, DAY + timedelta(days=1, seconds=299)) == {}
    assert changes(tmp_path, DAY + timedelta(days=1, seconds=300)) == {"a-0": (None, "verified")}
    assert changes(tmp_path, DAY) == {}
    assert changes(tmp_path, SECOND) == {"a-1": (None, "verified")}


@pytest.mark.parametrize(
    ("late", "expected"),
    [
        (launch("b"), {"b-0": ("failed", "verified")}),
        (said("delete.end", DAY + timedelta(hours=2), "a", terminated_at=DAY), {"a-0": ("verified", "failed")}),
        (exists("a", day=-1), {"a--1": (None, "verified")}),
        (said("reboot.end", DAY, "b"), {}),
    ],
    ids=["a launch", "a deletion", "a record", "anything else"],
)
def test_what_is_told_late_is_looked_at_again(late: Message, expected: dict[str, Any], tmp_path: Path) -> None:
    """Late notifications change the verdicts of records that they touch, and of no others."""
    land(tmp_path, launch("a"), exists("a"), exists("b"), launch("c"), exists("c"))
    changes(tmp_path)

    land(tmp_path, late)

    assert changes(tmp_path) == expected
    assert changes(tmp_path, is_from_scratch=True) == {}


def test_reconciled_records_are_looked_at_again(tmp_path: Path) -> None:
    """What nova said since the last time turns the records concerned."""
    land(tmp_path, exists("a"), exists("b"))
    changes(tmp_path)
    names = [name for name in LAUNCH_FIELDS if name.startswith(("os_", "rax_"))]
    answer = dict(zip(sorted(names), ("x64", "org.debian", "12", "0"), strict=True))
    answer |= {
        "instance": "a",
        "launched_at": LAUNCHED_AT,
        "instance_type_id": "2",
        "tenant": "acacacac",
        "source": "nova",
    }
    append_reconciliations(tmp_path, pl.DataFrame([answer], schema=polars_schema(*LAUNCH_FIELDS, "source")))

    assert changes(tmp_path) == {"a-0": ("failed", "reconciled")}


def test_other_rules_are_applied_to_everything(tmp_path: Path) -> None:
    """Where the level or the flavor field is another than last time, all records are verified again."""
    land(tmp_path, launch("a", instance_flavor_id="f-2"), exists("a", instance_flavor_id="f-3"))

    assert changes(tmp_path) == {"a-0": (None, "verified")}
    assert changes(tmp_path, flavor_field="instance_flavor_id") == {"a-0": ("verified", "failed")}
    assert last_rules(tmp_path) == ("all", "instance_flavor_id")
    assert changes(tmp_path, validation_level="none") == {"a-0": ("failed", "verified")}


def test_a_copy_that_tells_more_is_looked_at(tmp_path: Path) -> None:
    """A stored notification may be replaced by a fuller copy of itself: what it tells counts."""
    whole = launch("a")
    del whole["payload"]["tenant_id"]
    land(tmp_path, whole, exists("a"))
    assert changes(tmp_path) == {"a-0": (None, "failed")}

    land(tmp_path, whole | {"_context_project_id": "acacacac"})

    assert changes(tmp_path) == {"a-0": ("failed", "verified")}


def test_many_are_verified_all_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where more are concerned than is worth looking up one by one, the answer is the same."""
    land(tmp_path, launch("a"), exists("a"))
    changes(tmp_path)
    land(tmp_path, exists("b"), launch("c"), exists("c"))
    monkeypatch.setattr("stackanalytics.surfaces.verification_store.MANY", 1)

    assert changes(tmp_path) == {"b-0": (None, "failed"), "c-0": (None, "verified")}


def test_images_have_runs_of_their_own(tmp_path: Path) -> None:
    """Records of images are verified apart from those of instances, and again when something is told of them."""
    land(tmp_path, launch("a"), exists("a"), activation(IMAGES[0]), images_exist(IMAGES[:2]))

    assert changes(tmp_path) == {"a-0": (None, "verified")}
    first = verify_and_keep(tmp_path, service="glance", until=FIRST)
    land(tmp_path, activation(IMAGES[1]))
    second = verify_and_keep(tmp_path, service="glance", until=FIRST)

    assert first["verdict"].to_list() == ["verified", "failed"]
    assert second.select("resource", "former_verdict", "verdict").rows() == [(IMAGES[1], "failed", "verified")]
    assert changes(tmp_path) == {}


class TestNotifications:
    """What billing systems are told."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        """Return the file for notifications."""
        return tmp_path / "verified.jsonl"

    def notified(self, folder: Path, path: Path, **how: Any) -> list[Message]:
        """Verify, and return what was written on."""
        before = path.read_text().count("\n") if path.exists() else 0
        verify_and_keep(folder, until=FIRST, publish=append_lines(path), **how)
        return [json.loads(line) for line in path.read_text().splitlines()[before:]]

    def test_each_newly_verified_record_has_one(self, tmp_path: Path, path: Path) -> None:
        """It is the original with another type and id; records that fail or were told have none."""
        original = exists("a")
        land(tmp_path / "lake", launch("a"), original, exists("b"))

        (found,) = self.notified(tmp_path / "lake", path)
        again = self.notified(tmp_path / "lake", path)
        land(tmp_path / "lake", launch("b"))
        late = self.notified(tmp_path / "lake", path)

        body = found.pop("body")
        assert found == {"deployment": "cell-1", "exchange": "nova", "routing_key": None}
        assert body.pop("message_id") != original["message_id"]
        assert body.pop("original_message_id") == original.pop("message_id")
        assert body == original | {"event_type": "compute.instance.exists.verified"}
        assert again == []
        assert [message["body"]["original_message_id"] for message in late] == ["b-0"]

    def test_they_can_be_landed(self, tmp_path: Path, path: Path) -> None:
        """A notification is a message like any other, and no record of its own."""
        land(tmp_path / "lake", launch("a"), exists("a"))
        found = self.notified(tmp_path / "lake", path)

        with lake_of(tmp_path / "lake", found) as lake:
            assert sa.events(lake, event_type="compute.instance.exists.verified")["deployment"].to_list() == ["cell-1"]
            assert sa.exists(lake).height == 1

    def test_records_that_were_sent_have_none(self, tmp_path: Path, path: Path) -> None:
        """What was marked as sent before it was verified is not told again."""
        land(tmp_path / "lake", launch("a"), exists("a"), launch("b"), exists("b"))
        UsageState(tmp_path / "lake").repair("nova", {2: "a-0"}, at=FIRST)

        found = self.notified(tmp_path / "lake", path)

        assert [message["body"]["original_message_id"] for message in found] == ["b-0"]

    def test_a_crash_before_keeping_tells_the_same_again(self, tmp_path: Path, path: Path) -> None:
        """Nothing is kept before it was told, and the id tells that it is the same."""
        land(tmp_path / "lake", launch("a"), exists("a"))
        with verifying(tmp_path / "lake", "nova", rules="all instance_type_id", due_at=FIRST):
            pass  # a run that ended, having found nothing
        publish = append_lines(path)

        def die_after(notifications: Any) -> None:
            publish(notifications)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            verify_and_keep(tmp_path / "lake", until=FIRST, is_from_scratch=True, publish=die_after)
        assert kept(tmp_path / "lake") == {}
        (again,) = self.notified(tmp_path / "lake", path, is_from_scratch=True)

        first, second = (json.loads(line) for line in path.read_text().splitlines())
        assert first == second == again

    def test_a_message_of_glance_is_told_once_it_is_whole(self, tmp_path: Path, path: Path) -> None:
        """There is one notification for all images of a message, when the last of them is verified."""
        land(tmp_path / "lake", activation(IMAGES[0]), activation(IMAGES[1]), images_exist(IMAGES))

        first = self.notified(tmp_path / "lake", path, service="glance")
        land(tmp_path / "lake", activation(IMAGES[2]))
        second = self.notified(tmp_path / "lake", path, service="glance")

        assert first == []
        assert [message["body"]["original_message_id"] for message in second] == ["images"]

    def test_a_file_that_cannot_be_written(self, tmp_path: Path) -> None:
        """Nothing is kept, so that nothing is lost."""
        land(tmp_path / "lake", launch("a"), exists("a"))

        with pytest.raises(InputError, match="cannot be written"):
            verify_and_keep(tmp_path / "lake", until=FIRST, publish=append_lines(tmp_path / "none" / "file"))
        assert kept(tmp_path / "lake") == {}


def test_others_see_that_it_is_under_way(tmp_path: Path) -> None:
    """Inside a run others are told up to when records are verified; before, after and of others nothing."""
    land(tmp_path, exists("a"))
    assert verification_under_way(tmp_path, "nova") is None

    with verifying(tmp_path, "nova", rules="", due_at=FIRST):
        assert verification_under_way(tmp_path, "nova") == FIRST
        assert verification_under_way(tmp_path, "glance") is None
    assert verification_under_way(tmp_path, "nova") is None


DIE = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from stackanalytics.lake import verifying

with verifying(Path(sys.argv[1]), "nova", rules="all instance_type_id", due_at=datetime.fromisoformat(sys.argv[2])):
    print("under way", flush=True)
    sys.stdin.read()
"""


def test_a_run_that_was_killed_is_not_under_way(tmp_path: Path) -> None:
    """The kernel ends the turn of a process that dies; the next run does all of its work."""
    land(tmp_path, launch("a"), exists("a"))
    process = subprocess.Popen(
        [sys.executable, "-c", DIE, tmp_path, FIRST.isoformat()], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"under way\n"
    assert verification_under_way(tmp_path, "nova") == FIRST

    os.kill(process.pid, signal.SIGKILL)
    process.communicate()

    assert verification_under_way(tmp_path, "nova") is None
    assert changes(tmp_path) == {"a-0": (None, "verified")}


def test_runs_come_one_after_the_other(tmp_path: Path) -> None:
    """Of runs at the same time one keeps what both find."""
    land(tmp_path, launch("a"), *(exists("a", day=-day) for day in range(20)))
    found: list[dict[str, Any]] = []
    runs = [threading.Thread(target=lambda: found.append(changes(tmp_path))) for _ in range(3)]

    for run in runs:
        run.start()
    for run in runs:
        run.join()

    assert sorted(map(len, found)) == [0, 0, 20]
    with sa.open_lake(tmp_path) as lake:
        assert lake.sql("select count(*), count(distinct sequence) from verifications").row(0) == (20, 20)


def test_a_lake_of_a_former_version_and_none_at_all(tmp_path: Path) -> None:
    """What a lake lacks is created; where there is no lake, none is."""
    land(tmp_path / "lake", exists("a"))
    (tmp_path / "lake" / "state.sqlite").unlink()

    assert changes(tmp_path / "lake") == {"a-0": (None, "failed")}
    with pytest.raises(LakeError, match="no lake"):
        changes(tmp_path / "other")
    assert not (tmp_path / "other").exists()
