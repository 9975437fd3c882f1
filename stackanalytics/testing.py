"""Small lakes for tests, documentation and notebooks, landed as real ones are."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

import polars as pl

from stackanalytics import times
from stackanalytics.lake import Lake, SampleWriter, open_lake
from stackanalytics.landing import land
from stackanalytics.schema import SAMPLE_GIVEN, polars_schema
from stackanalytics.sources.chunk import Chunk

_BODY = {
    "message_id": "message_id",
    "publisher_id": "publisher_id",
    "priority": "priority",
    "request_id": "_context_request_id",
}
_ROUTE = ("deployment", "exchange", "routing_key")
_LEGACY = {"instance": "instance_id", "tenant": "tenant_id", "user": "user_id", "task": "new_task_state"}
_LEGACY |= {"old_task": "old_task_state"}
_VERSIONED = _LEGACY | {"instance": "uuid"}


def notification(event_type: str, at: datetime | str, **fields: object) -> dict[str, object]:
    """Make a notification such as a service sends.

    Parameters
    ----------
    event_type
        Its event type; those that begin with ``instance.`` get a payload of nova's versioned format.
    at
        When it is made: an instant, or text that :func:`stackanalytics.times.instant` reads.
    **fields
        Columns of the field dictionary by their names, put where the service puts them:
        ``request_id``, ``message_id``, ``priority`` and ``publisher_id`` (or ``service`` and
        ``host``, by default ``compute`` and ``host-1``) beside the payload; ``deployment``,
        ``exchange`` and ``routing_key`` around the body; ``instance``, ``tenant``, ``user``,
        ``task`` and ``old_task`` into the payload under nova's names. Everything else goes into
        the payload as it is, instants as text; ``payload`` replaces the payload.

    Returns
    -------
    dict
        The message. Without a ``message_id`` it gets one made of its content, so that equal
        notifications are repetitions of one.

    Examples
    --------
    >>> notification("compute.instance.create.start", "2026-03-02 10:00", instance="i-1")["payload"]
    {'instance_id': 'i-1'}
    """
    routing = {name: fields.pop(name) for name in _ROUTE if name in fields}
    body: dict[str, object] = {
        "event_type": event_type,
        "timestamp": times.show(times.instant(at)),
        "publisher_id": f"{fields.pop('service', 'compute')}.{fields.pop('host', 'host-1')}",
        "priority": "INFO",
    }
    body |= {_BODY[name]: fields.pop(name) for name in _BODY if name in fields}
    body["payload"] = fields.pop("payload", None) or _payload(event_type, fields)
    body.setdefault("message_id", str(uuid5(NAMESPACE_OID, json.dumps(body, sort_keys=True))))
    return {**routing, "body": body} if routing else body


def lake_of(folder: Path | str, notifications: Iterable[Mapping[str, object]], *, deployment: str = "default") -> Lake:
    """Land notifications, in their order, and open the lake.

    Parameters
    ----------
    folder
        Folder of the lake; what it holds already stays.
    notifications
        Messages, such as :func:`notification` makes.
    deployment
        Deployment of the messages that do not tell theirs.
    """
    messages = [json.dumps(message).encode() for message in notifications]
    land([Chunk("notifications", 1, messages)], folder, deployment=deployment)
    return open_lake(folder)


def sample(meter: str, at: datetime | str, volume: float, **fields: object) -> dict[str, object]:
    """Make a sample such as somebody posts: by default of a gauge, the unit ``unit`` and the resource ``r``.

    Parameters
    ----------
    meter
        Name of the meter.
    at
        When it was measured: an instant, or text that :func:`stackanalytics.times.instant` reads.
    volume
        What was measured.
    **fields
        ``meter_type``, ``unit``, ``resource``, ``tenant``, ``user``, ``source``, ``recorded_at``, ``sample_id``, and
        ``metadata``, an object.
    """
    told = fields.pop("metadata", None)
    return {
        "meter": meter,
        "measured_at": times.instant(at),
        "volume": volume,
        "meter_type": "gauge",
        "unit": "unit",
        "resource": "r",
        "metadata": None if told is None else json.dumps(told),
        **fields,
    }


def samples_of(folder: Path | str, samples: Iterable[Mapping[str, object]]) -> Lake:
    """Post samples, such as :func:`sample` makes, in their order, and open the lake.

    Parameters
    ----------
    folder
        Folder of the lake; what it holds already stays.
    samples
        The samples.
    """
    rows = pl.DataFrame([dict(each) for each in samples], schema=polars_schema(*SAMPLE_GIVEN), strict=False)
    SampleWriter(Path(folder)).append(rows)
    return open_lake(folder)


def _payload(event_type: str, fields: Mapping[str, object]) -> dict[str, object]:
    is_versioned = event_type.startswith("instance.")
    names = _VERSIONED if is_versioned else _LEGACY
    values = {names.get(name, name): _plain(value) for name, value in fields.items()}
    if not is_versioned:
        return values
    return {
        "nova_object.name": "InstanceActionPayload",
        "nova_object.namespace": "nova",
        "nova_object.version": "1.0",
        "nova_object.data": values,
    }


def _plain(value: object) -> object:
    return times.show(value) if isinstance(value, datetime) else value
