"""The command ``verify``: what it writes where, and how it exits."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from stackanalytics.lake import open_lake
from stackanalytics.landing import land
from stackanalytics.sources.chunk import Chunk
from stackanalytics.testing import lake_of, notification

TEXT = "Couldn't find InstanceUsage using {'instance': u'b'}"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    command = [sys.executable, "-m", "stackanalytics", "verify", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Return a lake with a record that agrees with its launch, and one without any launch."""
    common: dict[str, object] = {"tenant": "acacacac", "instance_type_id": "2", "launched_at": "2026-03-01 10:00:00"}
    period = {"audit_period_beginning": "2026-03-02 00:00:00", "audit_period_ending": "2026-03-03 00:00:00"}
    launch = notification("compute.instance.create.end", "2026-03-01 10:00", instance="a", request_id="req-1", **common)
    records = [
        notification("compute.instance.exists", "2026-03-03 00:01", instance=instance, message_id=f"m-{instance}",
                     publisher_id="compute", **common, **period)
        for instance in "ab"
    ]  # fmt: skip
    lake_of(tmp_path / "lake", [launch, *records], deployment="cell-1").close()
    return tmp_path / "lake"


def options(lake: Path, *more: object) -> tuple[object, ...]:
    """Return the options of a run that judges by little."""
    return ("--lake", lake, "--now", "2026-03-04", "--validation-level", "basic", *more)


def test_failures_go_to_standard_output(lake: Path) -> None:
    """What fails is written with cell and compute, a dash where one is unknown; words go to standard error."""
    done = run(*options(lake, "--format", "csv"))

    (row,) = csv.DictReader(io.StringIO(done.stdout))
    assert done.returncode == 0
    assert row == {
        "service": "nova",
        "exists_id": "3",
        "message_id": "m-b",
        "resource": "b",
        "audit_period_ending": "2026-03-03 00:00:00",
        "fail_reason": TEXT,
        "deployment": "cell-1",
        "host": "-",
    }
    words = " ".join(done.stderr.split())
    assert "nova: 2 records verified for the first time (1 verified, 0 reconciled, 1 failed)" in words
    assert "glance: 0 records" in words


def test_structured_failures(lake: Path) -> None:
    """As JSON, failures have their reason in words and in parts."""
    (failure,) = json.loads(run(*options(lake, "--format", "json")).stdout)

    assert failure["fail_reason"] == TEXT
    assert failure["reason_kind"] == "not_found"
    assert failure["host"] is None
    assert failure["audit_period_ending"] == "2026-03-03 00:00:00"


def test_a_second_run_tells_what_changed(lake: Path) -> None:
    """Nothing is written again; what late notifications turn is counted."""
    run(*options(lake))
    nothing = run(*options(lake))
    late = notification(
        "compute.instance.create.end",
        "2026-03-01 10:00",
        instance="b",
        tenant="acacacac",
        instance_type_id="2",
        launched_at="2026-03-01 10:00:00",
    )
    lake_of(lake, [late]).close()
    turned = run(*options(lake))

    assert nothing.stdout == turned.stdout == ""
    assert "0 changed their verdict, 0 only their reason" in " ".join(nothing.stderr.split())
    assert "1 changed their verdict (1 from failed to verified)" in " ".join(turned.stderr.split())


def test_exit_status(lake: Path, tmp_path: Path) -> None:
    """With --strict failures are an error of the data; what cannot be used is one of the caller."""
    assert run(*options(lake, "--strict")).returncode == 1
    assert run(*options(lake, "--strict")).returncode == 0
    assert run(*options(lake, "--settle", -1)).returncode == 2
    assert run("--lake", lake, "--flavor-field", "flavor").returncode == 2
    assert run("--lake", tmp_path / "none").returncode == 1


def test_one_service_and_notifications(lake: Path, tmp_path: Path) -> None:
    """One service can be verified alone, and what is verified is written for others."""
    done = run(*options(lake, "--service", "nova", "--notify", tmp_path / "verified.jsonl"))

    assert "glance" not in done.stderr
    (line,) = (tmp_path / "verified.jsonl").read_text().splitlines()
    assert json.loads(line)["body"]["original_message_id"] == "m-a"


def test_endless_numbers_are_passed_on(lake: Path, tmp_path: Path) -> None:
    """A number with more digits than Python reads becomes text; the notification is written all the same."""
    with open_lake(lake) as opened:
        bodies = opened.sql("select body from notifications where instance = 'a'")["body"]
    messages = [body.replace('"instance_id"', f'"x": {"9" * 5_000}, "instance_id"').encode() for body in bodies]
    land([Chunk("messages", 1, messages)], tmp_path / "endless", deployment="cell-1")

    run(*options(tmp_path / "endless", "--service", "nova", "--notify", tmp_path / "verified.jsonl"))

    (line,) = (tmp_path / "verified.jsonl").read_text().splitlines()
    assert json.loads(line)["body"]["payload"]["x"] == "9" * 5_000
