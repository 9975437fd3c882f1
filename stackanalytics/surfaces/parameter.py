"""Parameters that several surfaces take: what they mean, by the bounds that their readers hold them to."""

from datetime import UTC, datetime

from stackanalytics.surfaces.description import Parameter, Schema
from stackanalytics.surfaces.encoding import DEFAULT_LIMIT, HIGHEST_LIMIT, HIGHEST_NUMBER, UUID, YEARS

COUNT: Schema = {"type": "integer", "minimum": 0}
UUID_LIKE: Schema = {"type": "string", "pattern": f"^({UUID.pattern})$"}
REQUEST_ID_LIKE: Schema = {"type": "string", "pattern": f"^(req-)?({UUID.pattern})$"}
UNIX_TIME: Schema = {
    "type": "number",
    "minimum": datetime(YEARS[0], 1, 1, tzinfo=UTC).timestamp(),
    "maximum": datetime(YEARS.stop, 1, 1, tzinfo=UTC).timestamp() - 1,
}
NUMBER: Schema = {"type": "integer", "minimum": 0, "maximum": HIGHEST_NUMBER}
DATE_TIME: Schema = {"type": "string", "format": "date-time"}
DATE: Schema = {"type": "string", "format": "date"}

LIMIT = Parameter(
    "limit",
    f"At most so many rows; more than {HIGHEST_LIMIT} are never given.",
    {**COUNT, "default": DEFAULT_LIMIT},
    example=10,
)
OFFSET = Parameter("offset", "So many rows are left out first.", {**COUNT, "default": 0}, example=0)
PAGE = (LIMIT, OFFSET)


def unix_times(earliest: str, latest: str, what: str) -> tuple[Parameter, Parameter]:
    """Return the two parameters of a range of times in unix seconds, both ends included."""
    return (
        Parameter(earliest, f"Only {what} at this time or later [s since 1970].", UNIX_TIME, example=0),
        Parameter(latest, f"Only {what} at this time or earlier [s since 1970].", UNIX_TIME, example=1789892207.5),
    )


def id_part(name: str, what: str, example: object = 1) -> Parameter:
    """Return the part of a path that is the id of something."""
    return Parameter(name, f"Id of {what}.", NUMBER, example, place="path")
