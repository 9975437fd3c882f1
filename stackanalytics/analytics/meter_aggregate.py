"""What can be told of the volumes of samples beside what always is, by name."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from stackanalytics.analytics.metadata_value import metadata_path, pointer
from stackanalytics.analytics.meter_query import FIELD_COLUMNS
from stackanalytics.analytics.meter_selection import SERIES, SERIES_COLUMNS
from stackanalytics.errors import InputError

ALWAYS = ("min", "max", "avg", "sum", "count")
AGGREGATES: Mapping[str, str] = MappingProxyType(
    {
        "stddev": "stddev_pop(volume)",
        "variance": "var_pop(volume)",
        "median": "median(volume)",
        "first": "min({measured_at: measured_at, volume: volume}).volume",
        "last": "max({measured_at: measured_at, volume: volume}).volume",
    }
)
# made of how a series changed from one sample to the next
CHANGES: Mapping[str, str] = MappingProxyType(
    {
        "increase": "fsum(change)",
        "rate": "fsum(change) filter (step_us is not null) / nullif(sum(step_us), 0) * 1e6",
    }
)
LEVEL = "time_weighted_avg"
PARAMETERISED = ("cardinality", "percentile")
FUNCTIONS = (*ALWAYS, *AGGREGATES, *CHANGES, LEVEL, *PARAMETERISED)

# a total that fell began again at zero; a change that is told as such needs no former sample
CHANGED = f"""
select *, measured_us - lag(measured_us) over series as step_us, lag(volume) over series as former_volume,
    case
        when of_type = 'delta' or of_type = 'cumulative' and volume < former_volume then volume
        else volume - former_volume
    end as change
from sliced
window series as ({SERIES})
"""

_PERCENT = re.compile(r"\d{1,3}(\.\d+)?", re.ASCII)


@dataclass(slots=True)
class Aggregates:
    """Aggregates by their names: the columns that they are in, what these are, and what that needs.

    In SQL the columns are numbered, since DuckDB takes names for equal that differ in case only.
    """

    columns: dict[str, str] = field(default_factory=dict)
    expressions: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, object] = field(default_factory=dict)

    @property
    def have_changes(self) -> bool:
        """Whether any is made of changes."""
        return not CHANGES.keys().isdisjoint(self.columns)

    @property
    def have_levels(self) -> bool:
        """Whether one needs to know for how long a volume was held."""
        return LEVEL in self.columns

    @property
    def counts(self) -> list[str]:
        """The columns that count, and are 0 where there is nothing."""
        return [column for name, column in self.columns.items() if name.startswith("cardinality/")]

    @property
    def sql(self) -> str:
        """The expressions under the names of their columns, each with a comma before it."""
        return "".join(f", {expression} as {column}" for column, expression in self.expressions.items())


def aggregates(names: Sequence[str]) -> Aggregates:
    """Read the names of aggregates.

    Raises
    ------
    InputError
        If there is no such function, or its parameter cannot be used.
    """
    asked = Aggregates()
    for number, name in enumerate(dict.fromkeys(names)):
        if name == LEVEL:
            asked.columns[name] = LEVEL
        elif name not in ALWAYS:
            column = asked.columns[name] = f"told_{number}"
            asked.expressions[column] = _expression(name, f"of_{number}", asked)
    if asked.have_changes:
        asked.sources |= SERIES_COLUMNS
    return asked


def _expression(name: str, source: str, asked: Aggregates) -> str:
    """Return what an aggregate is; *source* is the name of what it is made of, where that is not the volume."""
    function, _, parameter = name.partition("/")
    if function not in FUNCTIONS:
        raise InputError(f"Invalid aggregation function: {function}; there are {', '.join(FUNCTIONS)}")
    if name in AGGREGATES or name in CHANGES:
        return AGGREGATES.get(name) or CHANGES[name]
    if function == "percentile" and _PERCENT.fullmatch(parameter) and float(parameter) <= 100:
        return f"quantile_cont(volume, {float(parameter) / 100!r})"
    path = metadata_path(parameter)
    if function == "cardinality" and path is not None:
        asked.parameters[source] = pointer(path)
        asked.sources[source] = f"json_extract_string(metadata, ${source})"
        return f"count(distinct {source})"
    if function == "cardinality" and parameter in FIELD_COLUMNS:
        asked.sources[source] = f'"{FIELD_COLUMNS[parameter]}"'
        return f"count(distinct {source})"
    raise InputError(
        f"Bad aggregate: {function}.{parameter}; percentile needs a number from 0 to 100, cardinality one of "
        f"{', '.join(FIELD_COLUMNS)} or metadata.<path>, all others nothing"
    )
