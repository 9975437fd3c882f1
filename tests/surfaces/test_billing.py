"""Billing systems that confirm and repair at the same time, and a server that dies."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from serving import started

from stackanalytics import Lake, exists_states
from stackanalytics.testing import lake_of, notification

CALLERS = 16
SHARED = CALLERS


def _billed(folder: Path) -> None:
    """Make a lake with a record for each caller, and one for all of them."""
    told = [
        notification(
            "compute.instance.exists",
            "2026-03-03 00:10",
            message_id=f"m-{number}",
            instance=f"i-{number}",
            launched_at="2026-03-02 10:00:00",
        )
        for number in range(SHARED + 1)
    ]
    lake_of(folder, told).close()


def _call(url: str, caller: int) -> list[str]:
    """Confirm a record of one's own, tell the status or the id of the shared one, and try to repair that."""
    own = requests.put(f"{url}/db/confirm/usage/exists/m-{caller}/", json={"send_status": 300 + caller}, timeout=120)
    shared = {f"m-{SHARED}": {"status": 300 + caller, "event_id": "told"} if caller % 2 else 300 + caller}
    version = 2 if caller % 2 else 1
    batch = {"messages": {"nova": shared}, "version": version}
    both = requests.post(f"{url}/db/confirm/usage/exists/batch/", json=batch, timeout=120)
    repaired = requests.post(f"{url}/db/repair/", data={"message_ids": [f"m-{SHARED}"]}, timeout=120)
    assert [own.status_code, both.status_code, repaired.status_code] == [200, 200, 200]
    return [str(message_id) for message_id in repaired.json()["exists_not_pending"]]


def test_sixteen_callers_and_a_crash(tmp_path: Path) -> None:
    """Of sixteen who write at once none undoes another's; one alone repairs; all that was answered survives kill -9."""
    _billed(tmp_path)
    with started(tmp_path) as (url, process):
        with ThreadPoolExecutor(CALLERS) as callers:
            refused = list(callers.map(lambda caller: _call(url, caller), range(CALLERS)))
        process.kill()
        process.wait()

    with Lake(tmp_path) as lake:
        found = {row["message_id"]: row for row in exists_states(lake).to_dicts()}
    assert [found[f"m-{caller}"]["send_status"] for caller in range(CALLERS)] == [300 + n for n in range(CALLERS)]
    assert {found[f"m-{caller}"]["status"] for caller in range(CALLERS)} == {"pending"}
    assert sorted(refused) == [[], *[[f"m-{SHARED}"]] * (CALLERS - 1)]
    shared = found[f"m-{SHARED}"]
    assert (shared["status"], shared["event_id"]) == ("sent_unverified", "told")
    assert shared["send_status"] in {201, *range(300, 300 + CALLERS)}
