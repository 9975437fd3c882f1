"""Reading and writing instants, and the only clock.

Inside the package an instant is an aware ``datetime`` in UTC; text is read and written here.
"""

import re
from datetime import UTC, date, datetime, timedelta

from stackanalytics.errors import InputError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

_TEXT = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"[T ](\d{1,2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?"
    r" ?(?:Z|z|([+-])([01]\d|2[0-3]):?([0-5]\d))?",
    re.ASCII,
)
_SEPARATORS = frozenset(" T")
_NO_OFFSET = frozenset(("", "Z", "+00:00"))
_WITH_FRACTION, _WITHOUT_FRACTION = len("2026-03-02 08:00:17.123468"), len("2026-03-02 08:00:17")
_ACCEPTED = "YYYY-MM-DD, YYYY-MM-DD HH:MM[:SS[.ffffff]] with a blank or a T, with Z, ±hh:mm or nothing (UTC)"


def now() -> datetime:
    """Return the present instant. Nothing else in the package reads a clock."""
    return datetime.now(UTC)


def parse(text: str) -> datetime | None:
    """Read an instant as OpenStack services write it, or return None.

    Accepts a blank or ``T`` between date and time, months, days and hours of one digit, up to
    nine digits of fraction (cut to microseconds), and ``Z``, ``±hh:mm``, ``±hhmm`` or nothing
    (which means UTC). Surrounding blanks do not matter.
    """
    usual = _usual(text)
    if usual is not None:
        try:
            return datetime.fromisoformat(usual)
        except ValueError:
            pass
    return _parse_uncommon(text.strip())


def _usual(text: str) -> str | None:
    """Return the common forms in the one that Python reads fast; it would read much else, too."""
    if text[10:11] not in _SEPARATORS or text[4:8:3] != "--" or text[13:17:3] != "::":
        return None
    if len(text) == _WITH_FRACTION and text[19] == ".":
        return text + "+00:00"
    if len(text) >= _WITHOUT_FRACTION and text[19:] in _NO_OFFSET:
        return text[:19] + "+00:00"
    return None


def _parse_uncommon(text: str) -> datetime | None:
    found = _TEXT.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, sign, offset_hours, offset_minutes = found.groups()
    microsecond = int(fraction[:6].ljust(6, "0")) if fraction else 0
    try:
        instant = datetime(
            int(year), int(month), int(day), int(hour), int(minute), int(second), microsecond, tzinfo=UTC
        )
        if sign:
            offset = timedelta(hours=int(offset_hours), minutes=int(offset_minutes))
            instant = instant - offset if sign == "+" else instant + offset
    except (ValueError, OverflowError):
        return None
    return instant


def instant(value: datetime | str) -> datetime:
    """Return what a user gave as an instant in UTC.

    Parameters
    ----------
    value
        An aware or naive ``datetime`` (naive means UTC), or text as in :func:`parse`, where the
        time of day or its seconds may be missing.

    Raises
    ------
    InputError
        If the text is no instant.
    """
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    text = value.strip()
    if re.fullmatch(r"\d{4}-\d{1,2}-\d{1,2}", text):
        text += " 00:00:00"
    elif short := re.fullmatch(r"(\d{4}-\d{1,2}-\d{1,2}[T ]\d{1,2}:\d{2})([^:\d].*)?", text):
        text = f"{short[1]}:00{short[2] or ''}"
    parsed = parse(text)
    if parsed is None:
        raise InputError(f"{value!r} is not a time. Accepted: {_ACCEPTED}")
    return parsed


def from_unix(seconds: float) -> datetime:
    """Return the instant of *seconds* since 1970, to the microsecond."""
    return from_unix_us(round(seconds * 1_000_000))


def from_unix_us(microseconds: int) -> datetime:
    """Return the instant of *microseconds* since 1970."""
    return EPOCH + timedelta(microseconds=microseconds)


def unix_us(moment: datetime) -> int:
    """Return the microseconds since 1970."""
    return (moment - EPOCH) // MICROSECOND


def just_after(moment: datetime) -> datetime | None:
    """Return the next instant; None after the last one that there is."""
    try:
        return moment + MICROSECOND
    except OverflowError:
        return None


def show(moment: datetime) -> str:
    """Write an instant as StackTach does: six digits of fraction, or none if they are zero."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ")


def day_range(start: datetime | None, end: datetime | None) -> tuple[date | None, date | None]:
    """Return the first and the last UTC day that ``[start, end)`` touches, for pruning partitions."""
    first = None if start is None else start.astimezone(UTC).date()
    last = None if end is None else (end.astimezone(UTC) - MICROSECOND).date()
    return first, last
