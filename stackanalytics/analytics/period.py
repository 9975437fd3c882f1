"""Periods: half-open in time, and as the days that a lake is partitioned by."""

from datetime import datetime

from stackanalytics import times


def period(start: datetime | None, end: datetime | None) -> dict[str, object]:
    """Return ``[start, end)`` as parameters of a query.

    Parameters
    ----------
    start, end
        Instants, None for no bound; naive ones are in UTC.

    Returns
    -------
    dict
        ``start``, ``end``, and ``first_day`` and ``last_day``, the days in UTC that the period touches.
    """
    first, last = (None if bound is None else times.instant(bound) for bound in (start, end))
    first_day, last_day = times.day_range(first, last)
    return {"start": first, "end": last, "first_day": first_day, "last_day": last_day}
