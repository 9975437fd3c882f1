"""Slices of time: of one length, or as the calendar of a time zone has them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import ClassVar

import polars as pl

from stackanalytics import times
from stackanalytics.analytics.meter_selection import Grouping, Selection
from stackanalytics.errors import InputError

LONGEST_PERIOD_S = 366_000 * 86_400
MOST_PERIODS = 1_000_000

# the periods of a calendar as polars spells them, and about how long they are [s]
CALENDAR: Mapping[str, tuple[str, int]] = MappingProxyType(
    {
        "hour": ("1h", 3600),
        "day": ("1d", 86_400),
        "week": ("1w", 7 * 86_400),
        "month": ("1mo", 30 * 86_400),
        "year": ("1y", 365 * 86_400),
    }
)

_INSTANT = pl.Datetime("us", "UTC")
_SLICE = {"slice_us": pl.Int64, "slice_end_us": pl.Int64}
_BEFORE_ALL_US = -62_135_596_800_000_000  # the year 1
_DAY_US = 86_400_000_000


class Slices(ABC):
    """How time is cut; ``end`` is the end of a slice where rows are grouped by ``slice_us``, as SQL."""

    end: ClassVar[str]

    @property
    def parameters(self) -> Mapping[str, object]:
        """The values that the SQL needs."""
        return {}

    @property
    def frames(self) -> Mapping[str, pl.DataFrame]:
        """The relations that the SQL needs."""
        return {}

    @abstractmethod
    def of(self, relation: str, at_us: str) -> str:
        """Return the SQL of a relation with ``slice_us`` and ``slice_end_us``, in which its instants lie.

        All are in microseconds since 1970.
        """

    @abstractmethod
    def between(self, first_us: int, last_us: int) -> pl.DataFrame:
        """Return the slices from the one with the first instant to the one with the last."""


class Whole(Slices):
    """Not cut at all."""

    end = "null::bigint"

    def of(self, relation: str, at_us: str) -> str:
        """Leave both ends open."""
        return f"select *, null::bigint as slice_us, null::bigint as slice_end_us from {relation}"

    def between(self, first_us: int, last_us: int) -> pl.DataFrame:
        """Return the one there is."""
        return pl.DataFrame({"slice_us": [None], "slice_end_us": [None]}, schema=_SLICE)


@dataclass(frozen=True)
class Lengths(Slices):
    """Cut into equal lengths that begin at ``origin_us``, or at the first of the rows ``chosen``."""

    period_us: int
    origin_us: int | None
    end = "slice_us + $period_us"

    @property
    def parameters(self) -> Mapping[str, object]:
        """The length, and the origin where it is known."""
        return {"period_us": self.period_us} | ({} if self.origin_us is None else {"origin_us": self.origin_us})

    def of(self, relation: str, at_us: str) -> str:
        """Count lengths from the origin."""
        known = self.origin_us is not None
        origin = "$origin_us" if known else "first_us"
        first = "" if known else ", (select epoch_us(min(measured_at)) as first_us from chosen)"
        return f"""
        select *, {origin} + ({at_us} - {origin}) // $period_us * $period_us as slice_us,
            slice_us + $period_us as slice_end_us
        from {relation}{first}
        """

    def between(self, first_us: int, last_us: int) -> pl.DataFrame:
        """Go on in steps of the length, from a slice or from the origin."""
        origin_us = first_us if self.origin_us is None else self.origin_us
        first_us -= (first_us - origin_us) % self.period_us
        _check_count((last_us - first_us) // self.period_us + 1)
        starts = pl.int_range(first_us, last_us + 1, self.period_us, eager=True)
        return pl.DataFrame({"slice_us": starts, "slice_end_us": starts + self.period_us})


@dataclass(frozen=True)
class Calendar(Slices):
    """Cut where the clocks and calendars of a time zone show the begin of a new hour, day, week, month or year.

    A day is as long as clocks make it: 23 and 25 hours where they are changed. A begin that they skip is where
    they go on instead; of one that they show twice, the first is meant, but hours begin each time.
    """

    unit: str
    timezone: str
    first_us: int
    last_us: int
    end = "any_value(slice_end_us)"

    @property
    def frames(self) -> Mapping[str, pl.DataFrame]:
        """The periods between the first and the last instant."""
        return {"calendar": self.between(self.first_us, self.last_us)}

    def of(self, relation: str, at_us: str) -> str:
        """Find the last slice that began before."""
        return f"""
        select {relation}.*, calendar.slice_us, calendar.slice_end_us
        from {relation} asof join calendar on {at_us} >= calendar.slice_us
        """

    def between(self, first_us: int, last_us: int) -> pl.DataFrame:
        """Ask the time zone when its clocks show each begin."""
        step, about_s = CALENDAR[self.unit]
        _check_count((last_us - first_us) // (about_s * 1_000_000) + 1)
        ends = pl.DataFrame({"first": [first_us], "last": [last_us]}).cast(_INSTANT)
        local = ends.select(pl.all().dt.convert_time_zone(self.timezone).dt.replace_time_zone(None).dt.truncate(step))
        shown = local.select(
            pl.datetime_range(
                pl.col("first").dt.offset_by(f"-{step}").first(),
                pl.col("last").dt.offset_by(step).dt.offset_by(step).first(),
                step,
            ).alias("shown")
        )["shown"]
        begun = self._begun(shown)
        slices = pl.DataFrame({"slice_us": begun[:-1], "slice_end_us": begun[1:]})
        return slices.filter(pl.col("slice_end_us") > first_us, pl.col("slice_us") <= last_us)

    def _begun(self, shown: pl.Series) -> pl.Series:
        """Return when clocks show these times for the first time [µs since 1970], in order."""
        first = shown.dt.replace_time_zone(self.timezone, ambiguous="earliest", non_existent="null")
        instants = first.dt.convert_time_zone("UTC").to_physical()
        if self.unit == "hour":
            second = shown.dt.replace_time_zone(self.timezone, ambiguous="latest", non_existent="null")
            instants_again = second.dt.convert_time_zone("UTC").to_physical()
        else:
            instants_again = instants
        skipped = shown.to_physical().filter(instants.is_null())
        passed = pl.Series([self._passed(us) for us in skipped], dtype=pl.Int64)
        found = pl.concat([instants, instants_again, passed])
        return found.drop_nulls().unique().sort()

    def _passed(self, local_us: int) -> int:
        """Return when clocks go on to a time after one that they never show [both µs since 1970]."""
        before, after = local_us - 2 * _DAY_US, local_us + 2 * _DAY_US
        while after - before > 1:
            middle = (before + after) // 2
            if self._local(middle) < local_us:
                before = middle
            else:
                after = middle
        return after

    def _local(self, instant_us: int) -> int:
        instant = pl.Series([instant_us]).cast(_INSTANT)
        shown: int = instant.dt.convert_time_zone(self.timezone).dt.replace_time_zone(None).to_physical().item()
        return shown


def sliced(selected: Selection, grouped: Grouping, slices: Slices, columns: Mapping[str, str]) -> str:
    """Return the relations ``chosen`` and, of it, ``sliced`` as SQL: samples, their groups and their slices.

    *columns* are what is asked of samples beside the groups, ``unit``, ``volume`` and ``measured_at``.
    """
    more = "".join(f", {expression} as {name}" for name, expression in columns.items())
    cut = slices.of("chosen", "epoch_us(measured_at)")
    return f"""
    chosen as (select {grouped.keys}unit, volume, measured_at{more} from samples where {selected.sql}),
    sliced as ({f"select * from ({cut}) where {grouped.presence}" if grouped.presence else cut})
    """


def check_timezone(timezone: str) -> str:
    """Return the name of a time zone.

    Raises
    ------
    InputError
        If there is none of this name.
    """
    try:
        pl.Series([0]).cast(_INSTANT).dt.convert_time_zone(timezone)
        is_known = bool(timezone)  # polars takes no name for none
    except (pl.exceptions.PolarsError, TypeError):
        is_known = False
    if not is_known:
        raise InputError(
            f"timezone={timezone!r} is no time zone: give a name of the IANA database, such as Europe/Berlin, or +02:00"
        )
    return timezone


def lengths(period: float, *, origin: datetime | None, aligned: bool) -> Lengths:
    """Return slices of *period* seconds, from the origin on; *aligned* to a clock, counted from 1970 in UTC.

    Raises
    ------
    InputError
        If the period is none.
    """
    if not 0 < period <= LONGEST_PERIOD_S:
        raise InputError(
            f"Period must be positive. Invalid period {period}: give seconds, at most {LONGEST_PERIOD_S}, "
            f"or one of {', '.join(CALENDAR)}"
        )
    period_us = max(round(period * 1_000_000), 1)
    if aligned:  # from before every sample, since DuckDB's division rounds towards zero
        return Lengths(period_us, (_BEFORE_ALL_US // period_us) * period_us)
    return Lengths(period_us, None if origin is None else times.unix_us(origin))


def _check_count(periods: int) -> None:
    if periods > MOST_PERIODS:
        raise InputError(
            f"{periods:,} periods lie between the bounds, and at most {MOST_PERIODS:,} can be told of: "
            "give a longer period, or bounds on timestamp that are closer"
        )
