"""Reasons in StackTach's words."""

from datetime import UTC, datetime

import pytest

from stackanalytics.analytics.reason import fail_reason

INSTANCE = "00000000-0000-0000-0000-000000000008"
WHOLE = {
    "service": "nova",
    "exists_id": 7,
    "resource": INSTANCE,
    "verified_at": datetime(2026, 11, 21, 18, 27, 20, 952952, UTC),
    "reason_kind": None,
    "reason_field": None,
    "reason_exists_value": None,
    "reason_other_value": None,
    "reason_entity": None,
}
WHEN = "Failed at 2026-11-21 18:27:20.952952 UTC for "


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (("mismatch", "instance_flavor_id", "3", "2", "InstanceUsage"),
         f"{WHEN}{INSTANCE}: Data mismatch for 'instance_flavor_id' - 'exists' contains '3' "
         "but 'launches' contains '2'"),
        (("mismatch", "rax_options", None, "2", "InstanceReconcile"),
         f"{WHEN}{INSTANCE}: Data mismatch for 'rax_options' - 'exists' contains 'None' but 'launches' contains '2'"),
        (("mismatch", "deleted_at", "2014-01-17 16:06:54.500000", "2014-01-17 16:06:55.000000", "InstanceDeletes"),
         f"{WHEN}{INSTANCE}: Data mismatch for 'deleted_at' - 'exists' contains '1389974814.500000' "
         "but 'deletes' contains '1389974815.000000'"),
        (("not_found", "instance", INSTANCE, None, "InstanceUsage"),
         f"Couldn't find InstanceUsage using {{'instance': u'{INSTANCE}'}}"),
        (("not_found", "instance, launched_at", "2014-01-17 16:06:55.000000", None, "InstanceDeletes"),
         f"Couldn't find InstanceDeletes using {{'instance': u'{INSTANCE}', "
         "'launched_at': Decimal('1389974815.000000')}"),
        (("ambiguous", "instance, launched_at", "2014-01-17 16:06:55.000000", None, "InstanceUsage"),
         f"Ambiguous results for InstanceUsage using {{'instance': u'{INSTANCE}', "
         "'launched_at': Decimal('1389974815.000000')}"),
        (("null_field", "tenant", None, None, None), f"{WHEN}{INSTANCE}: tenant field was null for exist id 7"),
        (("wrong_type", "tenant", "xyz", None, None),
         f"{WHEN}{INSTANCE}: {{tenant: xyz}} was of incorrect type for exist id 7"),
        (("not_deleted", "deleted_at", None, "2014-01-17 16:06:55.000000", "InstanceDeletes"),
         "Found InstanceDeletes for non-delete exist"),
        (("no_launch_time", None, None, None, None), "Exists without a launched_at"),
        ((None, None, None, None, None), None),
    ],
)  # fmt: skip
def test_reasons_of_nova(reason: tuple[str | None, ...], expected: str | None) -> None:
    """Each kind of reason has StackTach's text; instants are unix seconds with six digits."""
    names = ("reason_kind", "reason_field", "reason_exists_value", "reason_other_value", "reason_entity")

    assert fail_reason(WHOLE | dict(zip(names, reason, strict=True))) == expected


@pytest.mark.parametrize(
    ("kind", "field", "expected"),
    [
        ("not_found", "image", f"Couldn't find ImageUsage using {{'uuid': u'{INSTANCE}'}}"),
        ("mismatch", "tenant", f"{WHEN}{INSTANCE}: Data mismatch for 'owner' - 'exists' contains 'a' "
         "but 'launches' contains 'b'"),
        ("null_field", "size", f"{WHEN}{INSTANCE}: image_size field was null for exist id 7"),
        ("wrong_type", "image", f"{WHEN}{INSTANCE}: {{uuid: a}} was of incorrect type for exist id 7"),
    ],
)  # fmt: skip
def test_reasons_of_glance(kind: str, field: str, expected: str) -> None:
    """Fields of images have their names in glance."""
    reason = {"reason_kind": kind, "reason_field": field, "reason_exists_value": "a", "reason_other_value": "b"}

    assert fail_reason(WHOLE | {"service": "glance", "reason_entity": "ImageUsage"} | reason) == expected


def test_reasons_are_cut() -> None:
    """A reason has at most 300 characters, whatever the values."""
    long = fail_reason(
        WHOLE | {"reason_kind": "wrong_type", "reason_field": "tenant", "reason_exists_value": "x" * 900}
    )

    assert long is not None
    assert len(long) == 300
