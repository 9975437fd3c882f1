"""Columns of ``notifications`` from what was read of the messages, many rows at once.

What follows from a value that many messages share, such as the exchange from the event type, is
found once for each value.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeAlias, TypeVar

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from stackanalytics import times
from stackanalytics.landing import image
from stackanalytics.landing.cell import lengths_of
from stackanalytics.landing.name import name, publisher
from stackanalytics.schema import INSTANT, arrow_schema

T = TypeVar("T")
Columns: TypeAlias = dict[str, pa.Array]

INSTANTS = (
    *("launched_at", "deleted_at", "terminated_at", "audit_period_beginning", "audit_period_ending", "created_at"),
)
_GIVEN = (
    *("instance", "request_id", "message_id", "event_type", "routing_key", "publisher_id", "tenant", "user"),
    *("resource", "state", "old_state", "task", "old_task", "instance_type", "instance_type_id"),
    *("instance_flavor_id", "memory_mb", "vcpus", "root_gb", "ephemeral_gb", "message", "bandwidth_public_out"),
    *("status", "size"),
)
CELLS = pa.schema(
    [
        *arrow_schema(*_GIVEN),
        pa.field("deployment", pa.string()),
        pa.field("exchange", pa.string()),
        pa.field("priority", pa.string()),
        pa.field("is_versioned", pa.bool_()),
        pa.field("image", pa.int32()),
        pa.field("os_type", pa.string()),
        *(pa.field(name, pa.string()) for name in INSTANTS),
    ]
)

PRIORITIES = frozenset(["AUDIT", "DEBUG", "INFO", "WARN", "ERROR", "CRITICAL", "SAMPLE"])
NO_TEXT = pa.nulls(1, pa.string())[0]
_USUAL_LENGTHS = [len("2026-03-02 08:00:17"), len("2026-03-02 08:00:17.123468")]
_FIRST_US = times.unix_us(datetime.min.replace(tzinfo=UTC))  # Arrow reads a year 0, too


def columns(cells: pa.Table, metas: Sequence[image.Meta], deployment: str) -> Columns:
    """Return all columns but the time and the body.

    Parameters
    ----------
    cells
        What was read, in the columns of ``CELLS``; instants are still text.
    metas
        The metadata of images that the cells count from 0.
    deployment
        Deployment of messages that do not tell theirs.
    """
    given: Columns = {field.name: cells[field.name].combine_chunks() for field in CELLS}
    event_types = given["event_type"].dictionary_encode()
    names = [name(event_type) for event_type in pl.Series(event_types.dictionary)]
    exchange = pc.coalesce(given["exchange"], _taken([said.exchange for said in names], event_types.indices))
    publishers = given["publisher_id"].dictionary_encode()
    senders = [publisher(sender) for sender in pl.Series(publishers.dictionary)]
    return {
        **{field: given[field] for field in _GIVEN},
        "deployment": given["deployment"].fill_null(_array([deployment])[0]),
        "exchange": exchange,
        "operation": _taken([said.operation for said in names], event_types.indices),
        "phase": _taken([said.phase for said in names], event_types.indices),
        "format": _array(["legacy", "versioned"]).take(given["is_versioned"].cast(pa.int8())),
        "priority": pc.coalesce(_mapped(given["priority"], str.upper), _mapped(given["routing_key"], _priority)),
        "service": _taken([service for service, _ in senders], publishers.indices),
        "host": _taken([host for _, host in senders], publishers.indices),
        **_image_columns(given, metas, exchange),
        **{field: instants(given[field]) for field in INSTANTS},
    }


def instants(said: pa.StringArray) -> pa.Array:
    """Read times; those that cannot be read are null."""
    if said.null_count == len(said):
        return pa.nulls(len(said), INSTANT)
    is_usual = pl.Series(lengths_of(said)).is_in(_USUAL_LENGTHS).to_arrow()
    try:
        read = pc.if_else(is_usual, said, NO_TEXT).cast(pa.timestamp("us")).cast(INSTANT)
    except pa.ArrowInvalid:
        read = None
    if read is None or (pc.min(read.cast(pa.int64())).as_py() or 0) < _FIRST_US:
        return _mapped(said, _microseconds, pl.Int64).cast(INSTANT)
    unusual = pc.if_else(is_usual, NO_TEXT, said)
    if unusual.null_count == len(said):
        return read
    return pc.coalesce(read, _mapped(unusual, _microseconds, pl.Int64).cast(INSTANT))


def _image_columns(given: Columns, metas: Sequence[image.Meta], exchange: pa.Array) -> Columns:
    places = given["image"]
    nothing = _array([0], pl.Int32)[0]
    bits = _taken([image.own_bits(meta) for meta in metas], places, pl.Int32).fill_null(nothing)
    os_type = pc.coalesce(_taken([meta.os_type for meta in metas], places), given["os_type"])
    system = _mapped(os_type, image.system_bits, pl.Int32).fill_null(nothing)
    has_bits = pc.is_in(exchange, _array(["nova", "glance"]))
    return {
        "image_type": pc.if_else(has_bits, pc.add(bits, system), pa.nulls(1, pa.int32())[0]),
        "os_architecture": _taken([meta.usage_architecture or None for meta in metas], places),
        "os_distro": _taken([meta.usage_distro or None for meta in metas], places),
        "os_version": _taken([meta.usage_version or None for meta in metas], places),
        "rax_options": _taken([meta.usage_options or None for meta in metas], places),
    }


def _mapped(values: pa.Array, function: Callable[[str], object], dtype: type[pl.DataType] = pl.String) -> pa.Array:
    """Apply a function to each different value; null stays null."""
    coded = values.dictionary_encode()
    return _taken([function(value) for value in pl.Series(coded.dictionary)], coded.indices, dtype)


def _taken(values: Sequence[object], places: pa.Array, dtype: type[pl.DataType] = pl.String) -> pa.Array:
    """Return the values that stand at the places."""
    return _array(values, dtype).take(places)


def _array(values: Sequence[object], dtype: type[pl.DataType] = pl.String) -> pa.Array:
    """Return values as an Arrow array, by way of polars: Arrow's own imports pandas, which takes long."""
    array = pl.Series(values, dtype=dtype).to_arrow()
    return array.cast(pa.string()) if dtype == pl.String else array


def _priority(routing_key: str) -> str | None:
    last = routing_key.rpartition(".")[2].upper()
    return last if last in PRIORITIES else None


def _microseconds(said: str) -> int | None:
    moment = times.parse(said)
    return None if moment is None else times.unix_us(moment)
