"""The audit of nova's usage."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import stackanalytics as sa
from stackanalytics.lake.usage_state import Confirmation
from stackanalytics.reports import find_report
from stackanalytics.reports.report import Period
from stackanalytics.reports.store import Run
from stackanalytics.surfaces.report_rows import shown_rows
from stackanalytics.testing import lake_of, notification
from tests.verdicts import with_verdicts

DAY = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
PERIOD = Period(DAY, DAY + 24 * HOUR)
AUDIT = find_report("nova-usage-audit")
Message = dict[str, Any]


def launch(instance: str, hours: float) -> Message:
    """Return a launch, so many hours into the day."""
    at = DAY + hours * HOUR
    said: Message = {"instance": instance, "launched_at": at, "request_id": f"req-{instance}-{hours}"}
    return notification("compute.instance.create.end", at, deployment="cell-1", **said)


def delete(instance: str, launched: float, hours: float) -> Message:
    """Return the deletion of a launch."""
    said: Message = {"launched_at": DAY + launched * HOUR, "terminated_at": DAY + hours * HOUR}
    return notification("compute.instance.delete.end", DAY + hours * HOUR, instance=instance, request_id="r", **said)


def exists(instance: str, launched: float, *, beginning: float = 0, ending: float = 24, late: float = 0.1) -> Message:
    """Return a record of a launch."""
    period = {"audit_period_beginning": DAY + beginning * HOUR, "audit_period_ending": DAY + ending * HOUR}
    said: Message = {"instance": instance, "launched_at": DAY + launched * HOUR, **period}
    return notification("compute.instance.exists", DAY + (ending + late) * HOUR, host=f"host-{instance}", **said)


# records of a day are received on the next
RECEIVED = Period(PERIOD.end, PERIOD.end + 24 * HOUR)


def test_launches_that_nobody_reports(tmp_path: Path) -> None:
    """Of the launches of a day, and of those before it that live, each without a record is a problem; one for
    an instance without any."""
    messages = [
        launch("told", -5),
        exists("told", -5),
        launch("old", -30),
        launch("old", -5),
        launch("gone", -9),
        delete("gone", -9, -1),
        launch("new", 3),
        launch("new", 5),
        launch("twice", 1),
        launch("twice", 2),
        exists("twice", 2),
        launch("tomorrow", 24),
    ]
    with lake_of(tmp_path, messages) as lake:
        frames = AUDIT.run(lake, PERIOD)

    told = frames["rows"].select("problem", "launch_id", "instance", "fail_reason", "deployment").rows()
    assert told == [
        ("launch_without_exists", 4, "old", "No exists for instance (old)", "cell-1"),
        ("launch_without_exists", 7, "new", "No exists for instance (new)", "cell-1"),
        ("launch_without_exists", 9, "twice", "Couldn't find exists for launch (twice, 2026-03-02 01:00:00)", "cell-1"),
    ]
    # old: told, old; new: new twice, twice twice
    assert frames["summary"].row(0, named=True) == {"failed": 0, "new": 4, "old": 2, "without_exists": 3}


def test_records_by_their_state(tmp_path: Path) -> None:
    """Whole days are periodic, parts of them instantaneous; each is counted by its status and what became of it."""
    messages = [
        *(exists(f"i-{n}", -5, late=n) for n in range(1, 7)),
        exists("part", -5, ending=23.999, late=3),
        exists("week", -500, beginning=-144, late=3),
        exists("too-late", -5, late=24),
    ]
    with lake_of(tmp_path, messages) as lake:
        sent = {1: 201, 2: 500, 4: 301, 7: 404}
        answers = [Confirmation(id, None, status) for id, status in sent.items()]
        lake.usage_state.confirm("nova", answers, at=DAY)
        lake.usage_state.repair("nova", {5: None, 6: None}, at=DAY)
    verdicts = {1: "verified", 2: "verified", 3: "verified", 4: "reconciled", 5: "failed", 7: "failed", 9: "failed"}
    with with_verdicts(tmp_path, verdicts) as lake:
        frames = AUDIT.run(lake, RECEIVED)

    counts: dict[str, dict[str, int]] = {}
    for audit, name, count in frames["statistics"].iter_rows():
        if count:
            counts.setdefault(audit, {})[name] = count
    assert counts == {
        "periodic": {
            "count": 6,
            "verified": 3,
            "reconciled": 1,
            "sent_failed": 1,
            "sent_unverified": 1,
            "send_status.success": 1,
            "send_status.server_error": 1,
            "send_status.unsent": 1,
            "send_status_rec.redirect": 1,
        },
        "instantaneous": {"count": 1, "failed": 1},
        "longer": {"count": 1, "pending": 1},
    }
    failed = frames["rows"].filter(problem="exists_failed")
    assert failed.select("exists_id", "status", "fail_reason", "host").rows() == [
        (5, "sent_failed", "Exists without a launched_at", "host-i-5"),
        (7, "failed", "Exists without a launched_at", "host-part"),
    ]


def test_periods_are_half_open(tmp_path: Path) -> None:
    """A record received at midnight belongs to the day that begins then, and to no other."""
    with lake_of(tmp_path, [exists("i-1", -5, late=0)]) as lake:
        before, after = (
            sa.audit_statistics(lake, start=period.start, end=period.end)["count"].sum()
            for period in (PERIOD, RECEIVED)
        )

    assert (before, after) == (0, 1)


def test_an_hour_has_periods_of_an_hour(tmp_path: Path) -> None:
    """In the report of an hour a record of an hour is periodic, and one of a day is longer."""
    messages = [exists("hourly", -5, beginning=3, ending=4), exists("daily", -5, beginning=-19.9, ending=4.1)]
    with lake_of(tmp_path, messages) as lake:
        found = AUDIT.run(lake, Period(DAY + 4 * HOUR, DAY + 5 * HOUR))["statistics"]

    assert found.filter(name="count").select("audit", "count").rows() == [
        ("periodic", 1),
        ("instantaneous", 0),
        ("longer", 1),
    ]


def test_a_period_may_end_with_its_last_second(tmp_path: Path) -> None:
    """A period up to 23:59:59 is a whole one."""
    with lake_of(tmp_path, [exists("i-1", -5, ending=24 - 1 / 3600, late=1)]) as lake:
        assert sa.audit_statistics(lake, start=RECEIVED.start, end=RECEIVED.end)["audit"].to_list() == ["periodic"]


def test_as_stacky_shows_it(tmp_path: Path) -> None:
    """All problems have six cells; StackTach's counts stand in the first row by their paths."""
    lake_of(tmp_path, [launch("a", 3), exists("b", -5, ending=12, late=0.5)]).close()
    with with_verdicts(tmp_path, {2: "failed"}) as lake:
        about, headers, *rows = shown_rows(Run(AUDIT, PERIOD, {}), AUDIT.run(lake, PERIOD))

    assert isinstance(about, dict)
    names = ("launch_summary.new_launches", "launch_summary.failures", "verifier.instantaneous.failed")
    assert [about[f"summary.{name}"] for name in names] == [1, 1, 1]
    assert headers == ["Object", "Row ID", "Error Description", "Reconciled?", "Cell", "Compute"]
    assert rows == [
        ["Exist", 2, "Exists without a launched_at", "-", "default", "host-b"],
        ["Launch", 1, "No exists for instance (a)", "N", "cell-1", "host-1"],
    ]
