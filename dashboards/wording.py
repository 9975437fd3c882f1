"""Numbers and times as people read them."""

import math
from datetime import UTC, datetime

import msgspec

NOTHING = "–"

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_TICKS = (
    *((us * 1e-6, f"{us} µs") for us in (1, 10, 100)),
    *((ms * 1e-3, f"{ms} ms") for ms in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
    *((s, f"{s} s") for s in (1, 2, 5, 10, 20, 30)),
    *((m * _MINUTE, f"{m} min") for m in (1, 2, 5, 10, 20, 30)),
    *((h * _HOUR, f"{h} h") for h in (1, 2, 6, 12)),
    *((d * _DAY, f"{d} d") for d in (1, 2, 7, 14, 30, 90, 365)),
)


def duration(seconds: float | None) -> str:
    """Write a duration as people say it: ``350 ms``, ``12.3 s``, ``1 min 23 s``, ``2 h 5 min``, ``3 d 4 h``."""
    if seconds is None or math.isnan(seconds):
        return NOTHING
    if seconds < 0:
        return f"−{duration(-seconds)}"
    if seconds == 0:
        return "0 s"
    for unit, scale, limit in (("ms", 1e3, 1000), ("s", 1, 60)):
        digits = f"{seconds * scale:.3g}"
        if float(digits) < limit:
            return f"{digits} {unit}"
    if (whole := round(seconds)) < _HOUR:
        return _pair(divmod(whole, 60), "min", "s")
    if (minutes := round(seconds / _MINUTE)) < _DAY // _MINUTE:
        return _pair(divmod(minutes, 60), "h", "min")
    return _pair(divmod(round(seconds / _HOUR), 24), "d", "h")


def _pair(amounts: tuple[int, int], larger: str, smaller: str) -> str:
    whole, rest = amounts
    return f"{whole:,} {larger} {rest} {smaller}" if rest else f"{whole:,} {larger}"


def moment(instant: datetime) -> str:
    """Write an instant to the millisecond, in UTC."""
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.") + f"{instant.microsecond // 1000:03}"


def count(number: int | None) -> str:
    """Write a number of things with thousands separators."""
    return NOTHING if number is None else f"{number:,}"


def amount(number: float) -> str:
    """Write an amount with four digits, and all of those before the point: ``0.1235``, ``12.35``, ``154,124``."""
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"


def volume(number: float | None, unit: str = "") -> str:
    """Write what was measured, with its unit: ``54.91 %``, ``1,234,568 MB``."""
    return NOTHING if number is None or math.isnan(number) else f"{amount(number)} {unit}".rstrip()


def amount_script(name: str) -> str:
    """Return JavaScript that writes the number of a name as :func:`amount` does."""
    few, whole = "{maximumSignificantDigits: 4}", "{maximumFractionDigits: 0}"
    return f"{name}.toLocaleString('en', Math.abs({name}) < 1000 ? {few} : {whole})"


def pretty(body: str) -> str:
    """Write JSON indented, every number and text as it was sent."""
    try:
        return msgspec.json.format(body, indent=2)
    except (msgspec.DecodeError, RecursionError):
        return body  # landed, so JSON; but with half a surrogate or very deep, which the formatter refuses


def size(number: int) -> str:
    """Write a number of bytes in the unit that suits it: ``0 B``, ``12.3 kB``, ``1.23 GB``."""
    for unit, scale in (("B", 1), ("kB", 1e3), ("MB", 1e6), ("GB", 1e9)):
        digits = f"{number / scale:.3g}"
        if float(digits) < 1000:
            return f"{digits} {unit}"
    return f"{number / 1e12:,.3g} TB"


def duration_ticks(lowest: float, highest: float, *, most: int = 6) -> list[tuple[float, str]]:
    """Return where to put ticks on a logarithmic axis of durations [s], and what to write there."""
    within = [tick for tick in _TICKS if lowest <= tick[0] <= highest]
    if len(within) < 2:
        return [(lowest, duration(lowest)), (highest, duration(highest))]
    return within[:: -(-len(within) // most)]
