"""Landing samples: what was measured elsewhere, as exports and agents tell it, each a row or a dead letter.

Names of fields are those of Ceilometer's two renderings of samples, those of this package's tables, or those of a
Gnocchi export. What else a sample tells becomes part of its metadata.

Source: Ceilometer's API v2 and its polling agent; the exports of Gnocchi's client.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import polars as pl

from stackanalytics import times
from stackanalytics.errors import InputError
from stackanalytics.lake import LandedSamples, SampleWriter, Writer
from stackanalytics.landing.batch import dead_letter
from stackanalytics.landing.form import UnreadableError
from stackanalytics.landing.redact import find_secrets, redact
from stackanalytics.schema import SAMPLE_GIVEN, polars_schema
from stackanalytics.sources.chunk import Chunk

BATCH_ROWS = 100_000
TYPES: Mapping[str, str] = MappingProxyType(
    {"gauge": "gauge", "delta": "delta", "cumulative": "cumulative", "counter": "cumulative"}
)
# the names that a field is known by, the first of them that is told counts
NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "meter": ("counter_name", "meter", "metric", "metric_name", "name"),
        "meter_type": ("counter_type", "meter_type", "type"),
        "unit": ("counter_unit", "unit"),
        "volume": ("counter_volume", "volume", "value"),
        "resource": ("resource_id", "resource"),
        "tenant": ("project_id", "project", "tenant_id", "tenant"),
        "user": ("user_id", "user"),
        "source": ("source",),
        "measured_at": ("timestamp", "measured_at"),
        "recorded_at": ("recorded_at",),
        "metadata": ("resource_metadata", "metadata"),
        "sample_id": ("message_id", "sample_id", "id"),
    }
)
# what agents send along, and what says nothing of the thing measured
LEFT_OUT = frozenset({"message_signature", "monotonic_time", "metric_id"})
_KNOWN = frozenset(name for names in NAMES.values() for name in names)

_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*", re.ASCII)
_decode = msgspec.json.Decoder().decode
# of equal objects one text, by which samples are recognised
_encode = msgspec.json.Encoder(order="sorted").encode


@dataclass(slots=True)
class SampleSummary(LandedSamples):
    """What became of an input."""

    dead_letters: int = 0
    repeated_dead_letters: int = 0
    bytes: int = 0


def land_samples(
    chunks: Iterable[Chunk], folder: Path | str, *, on_progress: Callable[[SampleSummary], None] | None = None
) -> SampleSummary:
    """Land samples in the lake in *folder*, which is created if needed.

    It may be killed at any point and run again: what the lake holds already is recognised, in whatever order its
    members are written. A hidden meter is shown again once a new sample of it is landed.

    Parameters
    ----------
    chunks
        JSON texts from a source, such as ``sources.sample_table.read_samples(paths)``: an object for a sample, a
        list of such, or a message of a polling agent with ``samples`` in its payload.
    folder
        Folder of the lake.
    on_progress
        Called with the running summary whenever something is on disk.

    Returns
    -------
    SampleSummary
        How many samples were landed, were there before, or became dead letters, and how many bytes were read [B].

    Raises
    ------
    LakeError
        If the folder holds a lake that cannot be read.

    Source: Ceilometer's API v2 and its polling agent; the exports of Gnocchi's client.
    """
    samples, letters = SampleWriter(Path(folder)), Writer(Path(folder))
    summary = SampleSummary()
    for batch in _batches(chunks):
        if batch.rows:
            landed = samples.append(sample_rows(batch.rows))
            summary.samples += landed.samples
            summary.duplicates += landed.duplicates
        if batch.letters:
            kept = letters.append_dead_letters(batch.letters)
            summary.dead_letters += kept.dead_letters
            summary.repeated_dead_letters += kept.repeated_dead_letters
        summary.bytes += batch.bytes
        if on_progress:
            on_progress(summary)
    return summary


def sample_rows(rows: Iterable[Mapping[str, object]]) -> pl.DataFrame:
    """Return samples, by the fields of ``stackanalytics.schema.SAMPLE_GIVEN``, as a frame, secrets redacted."""
    frame = pl.DataFrame([dict(row) for row in rows], schema=polars_schema(*SAMPLE_GIVEN))
    places = find_secrets(frame["metadata"].fill_null("").to_arrow())
    if not places:
        return frame
    redacted = frame["metadata"].to_list()
    for place in places:
        redacted[place] = redact(redacted[place])
    return frame.with_columns(pl.Series("metadata", redacted, pl.String))


def read_sample(told: Mapping[str, Any]) -> dict[str, object]:
    """Return one sample by the fields of ``stackanalytics.schema.SAMPLE_GIVEN``.

    A type that is missing is gauge, as in exports of Gnocchi, and a unit that is missing is none.

    Raises
    ------
    UnreadableError
        If it lacks something, or a value cannot be used; the message says which.
    """
    used = {field: _used(told, names) for field, names in NAMES.items()}
    given = {field: None if name is None else told[name] for field, name in used.items()}
    more = {name: told[name] for name in told if name not in used.values() and _is_more(name, told[name])}
    return {
        "sample_id": _text(given["sample_id"], "sample_id"),
        "meter": _needed(given["meter"], "meter"),
        "meter_type": _type(given["meter_type"]),
        "unit": _text(given["unit"], "unit") or "",
        "volume": _volume(given["volume"]),
        "resource": _needed(given["resource"], "resource"),
        "tenant": _text(given["tenant"], "tenant"),
        "user": _text(given["user"], "user"),
        "source": _text(given["source"], "source"),
        "measured_at": _instant(_needed(given["measured_at"], "measured_at"), "measured_at"),
        "recorded_at": _instant(_text(given["recorded_at"], "recorded_at"), "recorded_at"),
        "metadata": _metadata(given["metadata"], more),
    }


class _Batch:
    """Samples on their way into the lake."""

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []
        self.letters: list[Any] = []
        self.bytes = 0


def _batches(chunks: Iterable[Chunk]) -> Iterator[_Batch]:
    batch = _Batch()
    for chunk in chunks:
        batch.bytes += sum(map(len, chunk.messages)) + len(chunk.messages)
        for place, content in enumerate(chunk.messages):
            _read(chunk, place, content, batch)
        if len(batch.rows) + len(batch.letters) >= BATCH_ROWS:
            yield batch
            batch = _Batch()
    yield batch


def _read(chunk: Chunk, place: int, content: bytes, batch: _Batch) -> None:
    if chunk.problem:
        batch.letters.append(dead_letter(chunk, place, content, chunk.problem))
    elif content and not content.isspace():
        try:
            told = _told(content)
        except UnreadableError as problem:
            batch.letters.append(dead_letter(chunk, place, content, str(problem)))
            return
        for sample in told:
            try:
                batch.rows.append(read_sample(_object(sample)))
            except UnreadableError as problem:
                part = content if len(told) == 1 else _encode(sample)
                batch.letters.append(dead_letter(chunk, place, part, str(problem)))


def _told(content: bytes) -> list[Any]:
    """Return the samples in a message."""
    try:
        found = _decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as problem:
        raise UnreadableError(f"no JSON: {problem}") from None
    match found:
        case {"payload": {"samples": list(samples)}} | {"samples": list(samples)} | list(samples):
            return samples
        case {"oslo.message": str() as inner}:
            return _told(inner.encode())
        case _:
            return [found]


def _object(sample: object) -> Mapping[str, Any]:
    if not isinstance(sample, Mapping):
        raise UnreadableError("no sample: a sample is an object")
    return sample


def _used(told: Mapping[str, Any], names: Iterable[str]) -> str | None:
    """Return the first of the names under which something is told."""
    return next((name for name in names if not _is_nothing(told.get(name))), None)


def _is_more(name: str, value: object) -> bool:
    """Tell whether what no field uses belongs to the metadata."""
    return name not in LEFT_OUT and not (name in _KNOWN and _is_nothing(value))


def _is_nothing(value: object) -> bool:
    return value is None or value == ""


def _text(value: object, field: str) -> str | None:
    if isinstance(value, Mapping | list | bool | float):
        raise UnreadableError(f"{field} is {_shown(value)}, but must be a text")
    return None if value is None else str(value)


def _needed(value: object, field: str) -> str:
    text = _text(value, field)
    if not text:
        raise UnreadableError(f"no {field}: give it as {' or '.join(NAMES[field])}")
    return text


def _type(value: object) -> str:
    told = "gauge" if value is None else str(value).lower()
    if told not in TYPES:
        raise UnreadableError(f"meter_type is {_shown(value)}, but must be one of {', '.join(TYPES)}")
    return TYPES[told]


def _volume(value: object) -> float:
    if value is None:
        raise UnreadableError(f"no volume: give it as {' or '.join(NAMES['volume'])}")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        volume = float(str(value)) if is_number or (isinstance(value, str) and _NUMBER.fullmatch(value)) else math.nan
    except OverflowError:
        volume = math.inf
    if not math.isfinite(volume):
        raise UnreadableError(f"volume is {_shown(value)}, but must be a finite number")
    return volume


def _instant(text: str | None, field: str) -> datetime | None:
    if text is None:
        return None
    try:
        return times.parse(text) or times.instant(text)
    except InputError:
        raise UnreadableError(f"{field} is {_shown(text)}, but must be a time such as 2026-03-02T10:00:00") from None


def _metadata(told: object, more: Mapping[str, Any]) -> str | None:
    if isinstance(told, str):
        try:
            told = _decode(told)
        except (msgspec.DecodeError, RecursionError):
            told = {"metadata": told}
    if told is not None and not isinstance(told, Mapping):
        told = {"metadata": told}
    whole = {**more, **(told or {})}
    return _encode(whole).decode() if whole else None


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 100 else f"{shown[:100]} …"
