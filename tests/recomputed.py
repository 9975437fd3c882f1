"""Statistics of samples once more, in plain Python: slow, and plain enough to be believed."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Measured:
    """A sample."""

    meter: str
    meter_type: str
    unit: str
    resource: str
    project: str | None
    user: str | None
    at: datetime
    volume: float

    @property
    def series(self) -> tuple[str, ...]:
        """What it is one of a series of."""
        return (self.meter, self.meter_type, self.unit, self.resource)


Slice = tuple[datetime, datetime] | None
Key = tuple[Slice, tuple[str | None, ...], str]
Row = dict[str, float | None]


def recomputed(
    samples: Sequence[Measured],
    cut: Callable[[datetime], Slice],
    group_by: Sequence[str],
    until: datetime | None,
) -> dict[Key, Row]:
    """Return statistics by slice, group and unit; *cut* tells the slice of an instant."""
    ordered = sorted(samples, key=lambda sample: (sample.at, sample.volume))
    followers = {one: next_one for series in _series(ordered) for one, next_one in pairwise(series)}
    former = {next_one: one for one, next_one in followers.items()}

    def group(sample: Measured) -> tuple[str | None, ...]:
        return tuple(getattr(sample, name) for name in group_by)

    rows: dict[Key, list[Measured]] = {}
    for sample in ordered:
        rows.setdefault((cut(sample.at), group(sample), sample.unit), []).append(sample)

    def held_until(sample: Measured) -> datetime:
        if sample in followers:
            return followers[sample].at
        return _end(cut(sample.at), until) or ordered[-1].at

    def average(key: Key) -> float | None:
        slice_, of_group, unit = key
        shares = []
        for sample in ordered:
            if (group(sample), sample.unit) == (of_group, unit):
                start, end = sample.at, held_until(sample)
                if slice_ is not None:
                    start, end = max(start, slice_[0]), min(end, _end(slice_, until) or end)
                shares.append((sample.volume, max((end - start).total_seconds(), 0.0)))
        weight = math.fsum(seconds for _, seconds in shares)
        return math.fsum(volume * seconds for volume, seconds in shares) / weight if weight else None

    return {key: {**_told(found, former), "time_weighted_avg": average(key)} for key, found in rows.items()}


def lengths(period_s: float, origin: datetime) -> Callable[[datetime], Slice]:
    """Cut into equal lengths from an origin on."""
    length = timedelta(seconds=period_s)

    def cut(at: datetime) -> Slice:
        start = origin + (at - origin) // length * length
        return start, start + length

    return cut


def calendar(unit: str, timezone: str) -> Callable[[datetime], Slice]:
    """Cut as the calendar of a time zone does whose clocks change by an hour, and not at midnight."""
    zone = ZoneInfo(timezone)

    def cut(at: datetime) -> Slice:
        local = at.astimezone(zone)
        if unit == "hour":
            start = at - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
            return start, start + timedelta(hours=1)
        day = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        if unit == "day":
            start, end = day, day + timedelta(days=1)
        elif unit == "week":
            start = day - timedelta(days=day.weekday())
            end = start + timedelta(days=7)
        elif unit == "month":
            start = day.replace(day=1)
            end = (start + timedelta(days=31)).replace(day=1)
        else:
            start = day.replace(month=1, day=1)
            end = start.replace(year=start.year + 1)
        return start.replace(tzinfo=zone).astimezone(UTC), end.replace(tzinfo=zone).astimezone(UTC)

    return cut


def _told(found: Sequence[Measured], former: dict[Measured, Measured]) -> Row:
    volumes = sorted(sample.volume for sample in found)
    changes = [(_change(sample, former.get(sample)), _seconds(sample, former.get(sample))) for sample in found]
    known = [change for change, _ in changes if change is not None]
    timed = [(change, seconds) for change, seconds in changes if change is not None and seconds is not None]
    seconds = math.fsum(taken for _, taken in timed)
    return {
        "count": len(volumes),
        "min": volumes[0],
        "max": volumes[-1],
        "sum": math.fsum(volumes),
        "avg": math.fsum(volumes) / len(volumes),
        "duration_s": (found[-1].at - found[0].at).total_seconds(),
        "stddev": statistics.pstdev(volumes),
        "variance": statistics.pvariance(volumes),
        "median": statistics.median(volumes),
        "percentile/90": _percentile(volumes, 0.9),
        "first": found[0].volume,
        "last": found[-1].volume,
        "cardinality/resource": len({sample.resource for sample in found}),
        "cardinality/user": len({sample.user for sample in found} - {None}),
        "cardinality/volume": len(set(volumes)),
        "increase": math.fsum(known) if known else None,
        "rate": math.fsum(change for change, _ in timed) / seconds if seconds else None,
    }


def _change(sample: Measured, former: Measured | None) -> float | None:
    if sample.meter_type == "delta":
        return sample.volume
    if former is None:
        return None
    fell = sample.volume < former.volume
    return sample.volume if fell and sample.meter_type == "cumulative" else sample.volume - former.volume


def _seconds(sample: Measured, former: Measured | None) -> float | None:
    return None if former is None else (sample.at - former.at).total_seconds()


def _percentile(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _series(ordered: Sequence[Measured]) -> list[list[Measured]]:
    found: dict[tuple[str, ...], list[Measured]] = {}
    for sample in ordered:
        found.setdefault(sample.series, []).append(sample)
    return list(found.values())


def _end(slice_: Slice, until: datetime | None) -> datetime | None:
    ends = [end for end in (slice_ and slice_[1], until) if end]
    return min(ends, default=None)
