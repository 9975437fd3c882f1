"""Periods, half-open, as parameters of a query; instants without a zone are in UTC."""

from datetime import datetime

from stackanalytics import times


def bounds(start: datetime | None, end: datetime | None) -> dict[str, datetime | None]:
    """Return ``[start, end)`` as ``start`` and ``end``, null where there is no bound."""
    given = {"start": start, "end": end}
    return {name: None if bound is None else times.instant(bound) for name, bound in given.items()}


def bounds_and_days(start: datetime | None, end: datetime | None) -> dict[str, object]:
    """Return likewise, and as ``first_day`` and ``last_day`` the days in UTC that the period touches.

    A lake is partitioned by day: a query that names the days as well opens no other files.
    """
    period = bounds(start, end)
    first_day, last_day = times.day_range(period["start"], period["end"])
    return {**period, "first_day": first_day, "last_day": last_day}
