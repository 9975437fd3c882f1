"""The details of errors."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import stackanalytics as sa
from stackanalytics.landing import land
from stackanalytics.reports import find_report
from stackanalytics.reports.report import Period
from stackanalytics.sources.chunk import Chunk
from stackanalytics.testing import lake_of, notification

T0 = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = Period(datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC))
REQUEST = "req-0a1b2c3d-0000-4000-8000-00000000000f"


def told(event_type: str, seconds: float, **fields: Any) -> dict[str, object]:
    """Make a notification some seconds into the day's work."""
    return notification(
        event_type, T0 + timedelta(seconds=seconds), **{"instance": "i-1", "request_id": REQUEST, **fields}
    )


def failure(exception: object, **fields: Any) -> dict[str, object]:
    """Make the notification of an exception."""
    payload = {"instance_id": "i-1", "tenant_id": "a1", "exception": exception}
    return told("compute.instance.create.error", 70, payload=payload, routing_key="monitor.error", **fields)


def reasons(folder: Path, exception: object) -> list[str | None]:
    """Return the masked reasons that one exception gives."""
    with lake_of(folder, [told("compute.instance.update", 0), failure(exception)]) as lake:
        return sa.error_details(lake, start=DAY.start, end=DAY.end)["reason"].to_list()


@pytest.mark.parametrize(
    ("exception", "reason"),
    [
        (
            {
                "message": f"boom {REQUEST}",
                "kwargs": {
                    "code": 500,
                    "reason": "No valid host 0a1b2c3d-0000-4000-8000-00000000000f at 10.0.0.12 in 123456 KB",
                },
            },
            "reason: No valid host $UUID at $HOST_ADDRESS in $LG_NUM KB, code: 500, message: boom $REQ_ID",
        ),
        ({"kwargs": {"value": "died\nTraceback (most recent"}}, "value: died\n$TRACEBACK"),
        ({"kwargs": {"value": "Traceback (most recent"}}, "value: Traceback (most recent"),
        ({"kwargs": {"expected": ["a", "b"], "actual": "c"}}, "actual: c, expected: a"),
        ({"kwargs": {"details": {"why": "none"}}}, "why: none"),
        ({"kwargs": {"details": ["one", "two"]}}, "one, two"),
        ({"cmd": "ls", "exit_code": 2, "stdout": "out"}, "cmd: ls, exit_code: 2, stdout: out"),
        ({"other": "thing", "empty": ""}, "other: thing"),
        ("as text", "as text"),
        ({}, None),
        (None, None),
    ],
)
def test_equal_reasons_are_equal_texts(tmp_path: Path, exception: object, reason: str | None) -> None:
    """What an exception says is joined, and what differs from request to request is masked."""
    assert reasons(tmp_path, exception) == [reason]


def test_an_endless_number(tmp_path: Path) -> None:
    """What an exception says is told, also where a number in it has more digits than Python reads."""
    message = json.dumps(failure({"kwargs": {"code": 1, "reason": "no host"}})).replace(
        '"code": 1', f'"code": {"1" * 5_000}'
    )
    land([Chunk("messages", 1, [message.encode()])], tmp_path)

    assert reasons(tmp_path, None) == ["reason: no host, code: $LG_NUM"]


def test_every_failed_request_is_listed_with_its_steps(tmp_path: Path) -> None:
    """One that failed by an exception, one that was only too slow, but none that went well."""
    messages = [
        told("compute.instance.update", 0, old_state="building", state="building"),
        failure({"kwargs": {"code": 413}}, host="cmp-7"),
        told("compute.instance.update", 0, instance="i-2", request_id="req-slow"),
        told("compute.instance.resize.end", 1801, instance="i-2", request_id="req-slow"),
        told("compute.instance.update", 0, instance="i-3", request_id="req-fine"),
    ]
    with lake_of(tmp_path, messages) as lake:
        frames = find_report("error-details").run(lake, DAY)

    assert frames["rows"].select("request_id", "failure", "error_code", "host", "duration_s").rows() == [
        (REQUEST, "4xx", "413", "cmp-7", 70.0),
        ("req-slow", "slow", None, None, 1801.0),
    ]
    assert frames["steps"].select("request_id", "event_type", "state").rows() == [
        (REQUEST, "compute.instance.update", "building"),
        (REQUEST, "compute.instance.create.error", None),
        ("req-slow", "compute.instance.update", None),
        ("req-slow", "compute.instance.resize.end", None),
    ]
    assert frames["error_code"].rows() == [("413", 1)]
    assert frames["tenant"].rows() == [("a1", 1)]
