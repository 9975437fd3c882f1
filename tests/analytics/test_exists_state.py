"""What became of exists records: from pending to verified or failed, sent or not."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from stackanalytics import Criteria, InputError, Lake, exists_states, exists_statistics, times
from stackanalytics.analytics.exists_state import exists_links
from stackanalytics.lake import verifying
from stackanalytics.lake.usage_state import Confirmation
from stackanalytics.surfaces.verification_store import verify_and_keep
from stackanalytics.testing import lake_of, notification

AT = times.instant("2026-03-03 02:00")
# by which kind of record, and whether it was sent before it was verified: its id
IDS = {
    ("good", False): 4,
    ("good", True): 5,
    ("bad", False): 6,
    ("bad", True): 7,
    ("late", False): 8,
    ("late", True): 9,
}
SENT = [id for (_, is_sent), id in IDS.items() if is_sent]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A lake with records that agree with their launch, that do not, and of a later period; every second is sent."""
    launches = [
        notification(
            "compute.instance.create.end",
            "2026-03-02 10:00:05",
            instance=f"i-{kind}",
            request_id=f"req-{kind}",
            launched_at="2026-03-02 10:00:04",
            instance_type_id="2",
            message="Success",
        )
        for kind in ("good", "bad", "late")
    ]
    records = [
        notification(
            "compute.instance.exists",
            f"2026-03-04 0{number}:00",
            instance=f"i-{kind}",
            message_id=f"m-{number}",
            launched_at="2026-03-02 10:00:04.5",
            instance_type_id="3" if kind == "bad" else "2",
            audit_period_beginning="2026-03-02 00:00:00" if number < 4 else "2026-03-03 00:00:00",
            audit_period_ending="2026-03-03 00:00:00" if number < 4 else "2026-03-04 00:00:00",
        )
        for number, kind in enumerate(("good", "good", "bad", "bad", "late", "late"))
    ]
    with lake_of(tmp_path, [*launches, *records]) as lake:
        lake.usage_state.repair("nova", dict.fromkeys(SENT), at=AT)
    return tmp_path


@pytest.fixture
def verified(folder: Path) -> Iterator[Lake]:
    """That lake after the first period was verified."""
    verify_and_keep(folder, until=AT, validation_level="none")
    with Lake(folder) as lake:
        yield lake


def states(lake: Lake) -> dict[int, tuple[str, int]]:
    """Status and send status of all records."""
    return {id: (status, sent) for id, status, sent in exists_states(lake).select("id", "status", "send_status").rows()}


def ids(found: pl.DataFrame) -> list[int]:
    """The ids of records."""
    return found["id"].to_list()


def test_before_any_verification(folder: Path) -> None:
    """Nothing is verified yet: what was sent is sent unverified, all else is pending."""
    with Lake(folder) as lake:
        assert states(lake) == {id: ("sent_unverified", 201) if id in SENT else ("pending", 0) for id in IDS.values()}


def test_after_a_verification(verified: Lake) -> None:
    """A verdict takes the place of pending; that it was sent before makes a difference to what failed only."""
    assert states(verified) == {
        IDS["good", False]: ("verified", 0),
        IDS["good", True]: ("verified", 201),
        IDS["bad", False]: ("failed", 0),
        IDS["bad", True]: ("sent_failed", 201),
        IDS["late", False]: ("pending", 0),
        IDS["late", True]: ("sent_unverified", 201),
    }


def test_while_a_verification_is_under_way(folder: Path) -> None:
    """What has no verdict yet and is due is being verified, for others to see, until it is done or given up."""
    verify_and_keep(folder, until=AT, validation_level="none")
    with Lake(folder) as lake:
        before = states(lake)
        with verifying(folder, "nova", rules="", due_at=times.instant("2026-03-04")):
            assert states(lake) == before | {
                IDS["late", False]: ("verifying", 0),
                IDS["late", True]: ("sent_verifying", 201),
            }
            assert states(lake.pinned()) == before, "a pinned lake answers the same at any time"
        with verifying(folder, "nova", rules="", due_at=times.instant("2026-03-03 23:59:59")):
            assert states(lake) == before
        with verifying(folder, "glance", rules="", due_at=times.instant("2026-03-05")):
            assert states(lake) == before
        assert states(lake) == before


def test_reasons_are_told_in_words(verified: Lake) -> None:
    """A record that failed tells why, as StackTach would; no other does."""
    found = exists_states(verified)

    reasons = dict(found.select("id", "fail_reason").iter_rows())
    assert {id for id, reason in reasons.items() if reason is not None} == {IDS["bad", False], IDS["bad", True]}
    assert reasons[IDS["bad", False]].startswith("Failed at 20")
    assert reasons[IDS["bad", False]].endswith(
        " UTC for i-bad: Data mismatch for 'instance_type_id' - 'exists' contains '3' but 'launches' contains '2'"
    )


def test_the_send_status_is_the_latest_told(verified: Lake) -> None:
    """Confirmations replace the status of a repair, and do not touch what was verified."""
    told = [Confirmation(IDS["good", True], None, 200, "e1"), Confirmation(IDS["bad", False], None, 500)]
    verified.usage_state.confirm("nova", told, at=AT)

    found = exists_states(verified, criteria=Criteria(at_least={"send_status": 1}), order_by="send_status")

    assert found.select("id", "status", "send_status", "event_id").rows() == [
        (IDS["good", True], "verified", 200, "e1"),
        (IDS["bad", True], "sent_failed", 201, None),
        (IDS["late", True], "sent_unverified", 201, None),
        (IDS["bad", False], "failed", 500, None),
    ]
    assert ids(exists_states(verified, criteria=Criteria({"event_id": "e1"}))) == [IDS["good", True]]
    assert IDS["good", True] not in ids(exists_states(verified, criteria=Criteria({"event_id": ""})))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"criteria": Criteria({"status": "failed"})}, [6]),
        ({"criteria": Criteria({"status": "verified"}), "descending": True}, [5, 4]),
        ({"criteria": Criteria({"status": "verified", "message_id": "m-1"})}, [5]),
        ({"criteria": Criteria({"status": "nothing"})}, []),
        ({"order_by": "status"}, [6, 8, 7, 9, 4, 5]),
        ({"order_by": "status", "descending": True, "limit": 2, "offset": 1}, [4, 9]),
        ({"criteria": Criteria({"status": "pending"}), "order_by": "received_at"}, [8]),
        ({"message_ids": ["m-0", "m-3", "x"]}, [4, 7]),
        ({"message_ids": ["m-3"]}, [7]),
        ({"message_ids": []}, []),
        ({"message_ids": ["m-0", "m-3"], "criteria": Criteria({"status": "verified"})}, [4]),
        ({"id": 6}, [6]),
        ({"id": 3}, []),
        ({"id": 6, "criteria": Criteria({"status": "failed"})}, [6]),
        ({"id": 6, "criteria": Criteria({"status": "pending"})}, []),
    ],
)
def test_records_are_found_by_their_state(verified: Lake, asked: dict[str, object], expected: list[int]) -> None:
    """What became of records can be asked for and ordered by like all else."""
    assert ids(exists_states(verified, **asked)) == expected  # type: ignore[arg-type]


def test_statistics(verified: Lake) -> None:
    """Records are counted by their state."""
    assert exists_statistics(verified).rows() == [
        ("failed", 0, 1),
        ("pending", 0, 1),
        ("sent_failed", 201, 1),
        ("sent_unverified", 201, 1),
        ("verified", 0, 1),
        ("verified", 201, 1),
    ]
    found = exists_statistics(verified, criteria=Criteria({"instance": "i-good"}, {"send_status": 1}))
    assert found.rows() == [("verified", 201, 1)]


def test_records_are_linked_to_launches_in_the_same_second(verified: Lake) -> None:
    """The launch of a record is that in the second that it names; without ``deleted_at`` it has no deletion."""
    found = exists_links(verified, exists_states(verified))

    assert found.select("id", "launch_id", "delete_id").rows() == [
        *((4, 1, None), (5, 1, None), (6, 2, None), (7, 2, None), (8, 3, None), (9, 3, None)),
    ]
    assert exists_links(verified, found.head(0).select("id", "instance", "launched_at", "deleted_at")).is_empty()


@pytest.mark.parametrize(
    "asked",
    [
        {"service": "cinder"},
        {"order_by": "nothing"},
        {"order_by": "fail_reason"},
        {"criteria": Criteria({"image": "x"})},
        {"criteria": Criteria(at_most={"fail_reason": "x"})},
        {"service": "glance", "criteria": Criteria({"instance": "x"})},
    ],
)
def test_what_there_is_not_is_refused(verified: Lake, asked: dict[str, object]) -> None:
    """A service or a column that there is not is refused, and the columns are told."""
    with pytest.raises(InputError, match=r"no service|No such field '\w+'. The fields are id, "):
        exists_states(verified, **asked)  # type: ignore[arg-type]
