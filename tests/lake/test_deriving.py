"""Derived samples are those that notifications yield, whenever and however often they are derived."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stackanalytics as sa
from stackanalytics.lake import compact, derive
from stackanalytics.lake import deriving as module
from stackanalytics.schema import NOTIFICATIONS, SAMPLES
from stackanalytics.testing import lake_of, notification, sample, samples_of

FLAVOR = {"memory_mb": 512, "vcpus": 1, "root_gb": 20, "ephemeral_gb": 0}
VERSIONED = {"nova_object.data": {**FLAVOR, "name": "m1.tiny"}}


def legacy(number: int, **fields: Any) -> dict[str, object]:
    """Return the end of the creation of an instance, in the legacy format."""
    told = {"instance": f"i-{number}", "tenant": "p", "request_id": f"req-{number}", **FLAVOR, **fields}
    return notification("compute.instance.create.end", f"2026-03-0{number % 3 + 1} 10:00:07", **told)


def versioned(number: int) -> dict[str, object]:
    """Return the same in the versioned format."""
    told = {"instance": f"i-{number}", "request_id": f"req-{number}", "flavor": VERSIONED, "tenant_id": "p"}
    return notification("instance.create.end", f"2026-03-0{number % 3 + 1} 10:00:07", **told)


def seen(lake: sa.Lake) -> pl.DataFrame:
    """Return all that samples tell, whenever they were recorded."""
    return sa.samples(lake).drop("recorded_at")


def told_at_once(folder: Path, messages: Iterable[dict[str, object]]) -> pl.DataFrame:
    """Return the samples of a lake in which nothing was derived beforehand."""
    with lake_of(folder, messages) as lake:
        return seen(lake)


def test_measured_volumes_are_stored_and_nothing_else(tmp_path: Path) -> None:
    """What an instance measures is stored; that it exists, and what its metadata are, is found when asked for."""
    lake_of(tmp_path, [legacy(1)]).close()

    assert derive(tmp_path).samples == 4
    with sa.open_lake(tmp_path) as lake:
        stored = lake.sql("select meter, metadata, notification_id from stored_samples order by meter")
        found = seen(lake)

    measured = ["disk.ephemeral.size", "disk.root.size", "memory", "vcpus"]
    assert stored.rows() == [(meter, None, 1) for meter in measured]
    assert found["meter"].to_list() == [*measured[:2], "instance", *measured[2:]]
    assert all('"memory_mb":512' in told for told in found["metadata"])


def test_deriving_changes_no_answer(tmp_path: Path) -> None:
    """Samples are the same before, while some are derived, and after, compacted or not."""
    messages = [legacy(number) for number in range(6)]
    expected = told_at_once(tmp_path / "plain", messages)

    lake_of(tmp_path / "lake", messages[:4]).close()
    derive(tmp_path / "lake")
    with lake_of(tmp_path / "lake", messages[4:]) as lake:
        assert lake.derivation.has_pending
        assert seen(lake).equals(expected)
    assert derive(tmp_path / "lake").notifications == 2
    assert derive(tmp_path / "lake").notifications == 0
    compact(tmp_path / "lake")
    with sa.open_lake(tmp_path / "lake") as lake:
        assert not lake.derivation.has_pending
        assert seen(lake).equals(expected)


def test_a_legacy_twin_that_comes_late_takes_over(tmp_path: Path) -> None:
    """What was derived of a versioned notification does not count once its legacy twin is landed, derived or not."""
    lake_of(tmp_path, [versioned(1), versioned(2)]).close()
    derive(tmp_path)

    with lake_of(tmp_path, [legacy(1)]) as lake:
        pending = seen(lake)
    derive(tmp_path)
    with sa.open_lake(tmp_path) as lake:
        derived = seen(lake)
        assert sorted(sa.samples(lake, meter="memory")["resource"]) == ["i-1", "i-2"]

    assert pending.equals(derived)
    assert derived.equals(told_at_once(tmp_path / "plain", [legacy(1), versioned(2), versioned(1)]))


def test_a_copy_that_tells_more_is_derived_again(tmp_path: Path) -> None:
    """A message that first came without its context yields samples with their owner once a fuller copy has come."""
    bare, full = ({**legacy(1), "message_id": "m"} for _ in range(2))
    bare["payload"] = full["payload"] = {**FLAVOR, "instance_id": "i-1"}
    full |= {"_context_tenant": "p-1", "_context_user_id": "u-1"}
    lake_of(tmp_path, [bare]).close()
    derive(tmp_path)

    with lake_of(tmp_path, [full]) as lake:
        assert set(seen(lake)["tenant"]) == {"p-1"}
    derive(tmp_path)
    with sa.open_lake(tmp_path) as lake:
        assert lake.meter_state.stale() == {}
        assert set(lake.sql("select tenant from stored_samples")["tenant"]) == {"p-1"}
        assert seen(lake).equals(told_at_once(tmp_path / "plain", [full]))


def test_what_is_replaced_while_others_derive_is_derived_again(tmp_path: Path) -> None:
    """A notification that changed again since it was looked at stays out of date."""
    lake_of(tmp_path, [legacy(1)]).close()
    derive(tmp_path)
    with sa.open_lake(tmp_path) as lake:
        lake.meter_state.add_stale([1])
        seen_before = lake.meter_state.stale()
        lake.meter_state.add_stale([1])
        lake.meter_state.remove_stale(seen_before)
        assert lake.meter_state.stale() == {1: 2}

    derive(tmp_path)
    with sa.open_lake(tmp_path) as lake:
        assert lake.meter_state.stale() == {}
        assert sa.statistics(lake, "memory")["count"].to_list() == [1]


def test_other_definitions_are_derived_anew(tmp_path: Path) -> None:
    """Once a lake defines a meter differently, its stored samples do not count, and deriving replaces them."""
    lake_of(tmp_path, [legacy(1)]).close()
    with samples_of(tmp_path, [sample("posted", "2026-03-02 11:00", 1)]) as lake:
        assert lake.derivation.has_pending
    derive(tmp_path)
    (tmp_path / "meters.toml").write_text(
        """
        [[notifications]]
        event_types = ["compute.instance.create.end"]
        resource = "instance"
        meters = [{ name = "memory", type = "gauge", unit = "GB", volume = { value = "memory_mb", times = 0.5 } }]
        """
    )

    for _ in range(2):
        with sa.open_lake(tmp_path) as lake:
            assert sa.samples(lake, meter="memory").select("unit", "volume").rows() == [("GB", 256.0)]
            assert sa.statistics(lake, "posted")["count"].to_list() == [1]
        derive(tmp_path)
    with sa.open_lake(tmp_path) as lake:
        assert lake.sql("select count(*) as n from stored_samples where meter = 'memory'")["n"].to_list() == [1]


def test_killed_before_the_commit_nothing_is_derived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A derivation that ends before its commit leaves the lake as it was; the next one completes it."""
    messages = [legacy(number) for number in range(3)]
    lake_of(tmp_path / "lake", messages).close()

    def end(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module.delta, "commit", end)
        with pytest.raises(KeyboardInterrupt):
            derive(tmp_path / "lake")
    with sa.open_lake(tmp_path / "lake") as lake:
        assert lake.sql("from stored_samples").is_empty()
    derive(tmp_path / "lake")
    with sa.open_lake(tmp_path / "lake") as lake:
        assert seen(lake).equals(told_at_once(tmp_path / "plain", messages))


def test_a_former_version_has_the_samples_that_it_had(tmp_path: Path) -> None:
    """A lake opened at a former version answers as it did then."""
    lake_of(tmp_path, [legacy(1)]).close()
    derive(tmp_path)
    with sa.open_lake(tmp_path) as lake:
        version, former = lake.version, seen(lake)
    lake_of(tmp_path, [legacy(2)]).close()
    derive(tmp_path)

    for wanted in (version, {NOTIFICATIONS.name: version[NOTIFICATIONS.name]}):
        with sa.open_lake(tmp_path, version=wanted) as lake:
            assert seen(lake).equals(former)
    assert SAMPLES.name in version


STEPS: dict[str, Callable[[Path], object]] = {"derive": derive, "compact": compact}


@settings(max_examples=8, deadline=None)
@given(
    order=st.permutations([*range(4), *range(4, 8)]),
    steps=st.lists(st.sampled_from(["derive", "compact", "land"]), min_size=3, max_size=6),
)
def test_no_order_of_landing_and_deriving_matters(
    order: list[int], steps: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Messages in both formats, landed in any order with derivations in between, yield the same samples."""
    messages = [*(legacy(number % 3) for number in range(4)), *(versioned(number % 3) for number in range(4))]
    pending = [messages[place] for place in order]
    folder, plain = tmp_path_factory.mktemp("lake"), tmp_path_factory.mktemp("plain")
    lake_of(folder, []).close()
    for step in steps:
        if step == "land":
            lake_of(folder, [pending.pop() for _ in range(min(2, len(pending)))]).close()
        else:
            STEPS[step](folder)
    lake_of(folder, pending).close()

    with sa.open_lake(folder) as lake:
        assert seen(lake).equals(told_at_once(plain, messages))
