"""Instants as the services write them, from microseconds since 1970."""

from functools import lru_cache

from stackanalytics.times import from_unix_us

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR


def stamp(at: int) -> str:
    """Write as Python's ``str``: a blank, and no fraction where it is zero."""
    seconds, fraction = divmod(at, SECOND)
    return f"{_day_and_time(seconds)[0]}.{fraction:06d}" if fraction else _day_and_time(seconds)[0]


def iso(at: int | None) -> str:
    """Write with a ``T`` and six digits; unset is the empty string, as in nova's legacy payloads."""
    if at is None:
        return ""
    seconds, fraction = divmod(at, SECOND)
    return f"{_day_and_time(seconds)[1]}.{fraction:06d}"


def zulu(at: int | None) -> str:
    """Write with ``T`` and ``Z`` in whole seconds, in quotes; unset is null."""
    return "null" if at is None else f'"{_day_and_time(at // SECOND)[1]}Z"'


def offset(at: int) -> str:
    """Write with a blank, in whole seconds, with the zone."""
    return f"{_day_and_time(at // SECOND)[0]}+00:00"


@lru_cache(maxsize=8192)
def _day_and_time(seconds: int) -> tuple[str, str]:
    moment = from_unix_us(seconds * SECOND).replace(tzinfo=None)
    return moment.isoformat(" "), moment.isoformat()
