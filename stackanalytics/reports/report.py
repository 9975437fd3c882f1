"""What a report is: a name, its options, a period, and the frames that it is made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import polars as pl

from stackanalytics import times
from stackanalytics.errors import InputError
from stackanalytics.lake import Lake

Length: TypeAlias = Literal["hour", "day"]
Frames: TypeAlias = Mapping[str, pl.DataFrame]
Parameters: TypeAlias = Mapping[str, Any]

LENGTHS: Mapping[str, timedelta] = MappingProxyType({"hour": timedelta(hours=1), "day": timedelta(days=1)})
SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Period:
    """The time that a report covers, half-open: ``[start, end)``."""

    start: datetime
    end: datetime

    @classmethod
    def before(cls, moment: datetime, length: Length) -> "Period":
        """Return the last whole hour or day (UTC) that was over at a moment."""
        hour = times.instant(moment).replace(minute=0, second=0, microsecond=0)
        end = hour if length == "hour" else hour.replace(hour=0)
        return cls(end - LENGTHS[length], end)

    @property
    def hours(self) -> int:
        """Its length in whole hours."""
        return (self.end - self.start) // LENGTHS["hour"]

    def divided(self, length: Length) -> list["Period"]:
        """Return the whole hours or days in it, in order.

        Raises
        ------
        InputError
            If it does not begin and end with one.
        """
        step = LENGTHS[length]
        if (self.start - times.EPOCH) % step or (self.end - times.EPOCH) % step or self.end < self.start:
            raise InputError(
                f"{times.show(self.start)} to {times.show(self.end)} are no whole {length}s: give full {length}s (UTC)"
            )
        return [
            Period(self.start + place * step, self.start + (place + 1) * step) for place in range(self._count(step))
        ]

    def _count(self, step: timedelta) -> int:
        return (self.end - self.start) // step


@dataclass(frozen=True, slots=True)
class Option:
    """What a report can be asked with, beside its period."""

    name: str
    default: Any
    about: str


@dataclass(frozen=True, slots=True)
class Report:
    """One kind of report.

    ``make`` asks the analyses and arranges their answers as frames: ``rows`` is the main one, and
    ``summary``, where there is one, has a single row. ``title`` is the name that it is stored under,
    which is StackTach's. Where ``names_last_second`` is set, the end of a period is told, as by
    StackTach, as the last second in it. ``schedule`` tells how often it is due. ``reads`` are the
    kinds of state, beside the tables of the lake, that its numbers depend on.
    """

    name: str
    version: int
    about: str
    make: Callable[..., Frames]
    title: Callable[[Parameters], str]
    options: tuple[Option, ...] = ()
    names_last_second: bool = False
    schedule: tuple[Length, ...] = ("day",)
    reads: tuple[Literal["tenants", "confirmations", "repairs"], ...] = ()

    def parameters(self, given: Parameters) -> dict[str, Any]:
        """Return all options with what was given for them, else with their defaults.

        Raises
        ------
        InputError
            If the report has no such option.
        """
        known = {option.name: option.default for option in self.options}
        if unknown := sorted(given.keys() - known.keys()):
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise InputError(f"the report {self.name} has no option {', '.join(unknown)}; {has}")
        return known | dict(given)

    def run(self, lake: Lake, period: Period, given: Parameters | None = None) -> Frames:
        """Make the report of a period, of one version of all that it reads."""
        return self.make(lake.pinned(), start=period.start, end=period.end, **self.parameters(given or {}))

    def shown_end(self, period: Period) -> datetime:
        """Return the end of a period as the report names it."""
        return period.end - SECOND if self.names_last_second else period.end

    def period_of(self, start: datetime, shown_end: datetime) -> Period:
        """Return the period that the report names so."""
        return Period(start, shown_end + SECOND if self.names_last_second else shown_end)
