"""The text of a reason for which an exists record is not verified, as StackTach words it."""

from collections.abc import Mapping
from datetime import datetime

from stackanalytics import times

LONGEST = 300

_GLANCE_NAMES = {"tenant": "owner", "image": "uuid"}
_COUNTERPARTS = {"deleted_at": "deletes"}
_INSTANTS = frozenset(("launched_at", "deleted_at", "created_at"))


def fail_reason(record: Mapping[str, object]) -> str | None:
    """Return why an exists record is not verified, in StackTach's words.

    Parameters
    ----------
    record
        A row of ``verifications``, or of :func:`verify` with ``verified_at``; what the record is about
        may be called ``resource``, ``instance`` or ``image``.

    Returns
    -------
    str or None
        At most 300 characters; None where there is no reason.

    Source: StackTach's verifier; instants in search criteria and comparisons are unix seconds.

    Examples
    --------
    >>> sa.fail_reason({"reason_kind": "not_deleted", "reason_entity": "InstanceDeletes"})
    'Found InstanceDeletes for non-delete exist'
    """
    kind = record["reason_kind"]
    if kind is None:
        return None
    return _TEXTS[str(kind)](record)[:LONGEST]


def _not_found(record: Mapping[str, object]) -> str:
    return f"Couldn't find {record['reason_entity']} using {_searched(record)}"


def _ambiguous(record: Mapping[str, object]) -> str:
    return f"Ambiguous results for {record['reason_entity']} using {_searched(record)}"


def _mismatch(record: Mapping[str, object]) -> str:
    field = str(record["reason_field"])
    return (
        f"{_failed(record)}: Data mismatch for '{_name(record)}' - "
        f"'exists' contains '{_value(field, record['reason_exists_value'])}' but "
        f"'{_COUNTERPARTS.get(field, 'launches')}' contains '{_value(field, record['reason_other_value'])}'"
    )


def _null_field(record: Mapping[str, object]) -> str:
    name = "image_size" if record["reason_field"] == "size" else _name(record)
    return f"{_failed(record)}: {name} field was null for exist id {record['exists_id']}"


def _wrong_type(record: Mapping[str, object]) -> str:
    told = f"{{{_name(record)}: {record['reason_exists_value']}}}"
    return f"{_failed(record)}: {told} was of incorrect type for exist id {record['exists_id']}"


def _not_deleted(record: Mapping[str, object]) -> str:
    return f"Found {record['reason_entity']} for non-delete exist"


def _no_launch_time(record: Mapping[str, object]) -> str:
    return "Exists without a launched_at"


_TEXTS = {
    "not_found": _not_found,
    "ambiguous": _ambiguous,
    "mismatch": _mismatch,
    "null_field": _null_field,
    "wrong_type": _wrong_type,
    "not_deleted": _not_deleted,
    "no_launch_time": _no_launch_time,
}


def _failed(record: Mapping[str, object]) -> str:
    verified_at = record["verified_at"]
    assert isinstance(verified_at, datetime)
    return f"Failed at {times.instant(verified_at):%Y-%m-%d %H:%M:%S.%f} UTC for {_resource(record)}"


def _resource(record: Mapping[str, object]) -> object:
    return next((record[name] for name in ("resource", "instance", "image") if record.get(name)), None)


def _name(record: Mapping[str, object]) -> str:
    field = str(record["reason_field"])
    return _GLANCE_NAMES.get(field, field) if record.get("service") == "glance" else field


def _searched(record: Mapping[str, object]) -> str:
    """Return what was searched by as Python 2 wrote it."""
    fields = str(record["reason_field"])
    criteria = f"'{_name(record) if fields == 'image' else 'instance'}': u'{_resource(record)}'"
    if "launched_at" in fields:
        criteria += f", 'launched_at': Decimal('{_value('launched_at', record['reason_exists_value'])}')"
    return f"{{{criteria}}}"


def _value(field: str, told: object) -> str:
    """Return a value as StackTach shows it: instants in unix seconds with six digits."""
    if told is None or field not in _INSTANTS:
        return str(told)
    whole, fraction = divmod(times.unix_us(times.instant(str(told))), 1_000_000)
    return f"{whole}.{fraction:06d}"
