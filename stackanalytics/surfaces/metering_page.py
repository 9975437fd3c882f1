"""Pages of Ceilometer's API v2, which say how much there is in all: those of Ceilometer were cut silently."""

from collections.abc import Callable, Sequence
from urllib.parse import quote, urlencode

from stackanalytics.surfaces.metering_row import Row
from stackanalytics.surfaces.route import Reply, Request

PAGE = ("limit", "offset")


def total(bounds: tuple[int, int], found: int, count: Callable[[], int]) -> int:
    """Return how many there are in all, of which one more than fits the page was looked for.

    They are counted only where what was found does not tell.
    """
    limit, offset = bounds
    is_last = found <= limit and (found > 0 or offset == 0)
    return offset + found if is_last else count()


def page(request: Request, rows: list[Row], fields: Sequence[str], bounds: tuple[int, int], count: int) -> Reply:
    """Return a page with headers that say how many there are in all, and where the next one is."""
    limit, offset = bounds
    is_truncated = offset + len(rows) < count
    headers = [("X-Total-Count", str(count)), ("X-Truncated", "true" if is_truncated else "false")]
    if is_truncated and not request.body:
        query = [(name, value) for name, value in request.query if "".join(name.split()) not in PAGE]
        following = urlencode([*query, ("limit", limit), ("offset", offset + limit)], quote_via=quote)
        headers.append(("Link", f'<?{following}>; rel="next"'))
    return Reply(selected(rows, fields), headers=tuple(headers))


def selected(rows: list[Row], fields: Sequence[str]) -> list[Row]:
    """Return the fields that are asked for of those that a row has."""
    return [{name: row[name] for name in fields if name in row} for row in rows]
