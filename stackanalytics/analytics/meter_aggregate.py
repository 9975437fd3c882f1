"""What can be told of the volumes of samples beside what always is, by name."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from stackanalytics.analytics.meter_query import metadata_path, pointer
from stackanalytics.analytics.meter_selection import FIELDS, SERIES, SERIES_COLUMNS, quoted
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
    """Aggregates as SQL: what is made of the samples of a row, and the columns and values that this needs."""

    expressions: dict[str, str] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, object] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)

    @property
    def have_changes(self) -> bool:
        """Whether any is made of changes."""
        return not CHANGES.keys().isdisjoint(self.expressions)

    @property
    def have_levels(self) -> bool:
        """Whether one needs to know for how long a volume was held."""
        return LEVEL in self.names

    @property
    def sql(self) -> str:
        """The expressions under their names, each with a comma before it."""
        return "".join(f", {expression} as {quoted(name)}" for name, expression in self.expressions.items())


def aggregates(names: Sequence[str]) -> Aggregates:
    """Read the names of aggregates.

    Raises
    ------
    InputError
        If there is no such function, or its parameter cannot be used.
    """
    asked = Aggregates(names=[name for name in dict.fromkeys(names) if name not in ALWAYS])
    for number, name in enumerate(asked.names):
        function, _, parameter = name.partition("/")
        if function not in FUNCTIONS:
            raise InputError(f"Invalid aggregation function: {function}; there are {', '.join(FUNCTIONS)}")
        if function == "cardinality" and (source := _source(parameter, number, asked.parameters)):
            asked.columns[f"of_{number}"] = source
            asked.expressions[name] = f"count(distinct of_{number})"
        elif function == "percentile" and _PERCENT.fullmatch(parameter) and float(parameter) <= 100:
            asked.expressions[name] = f"quantile_cont(volume, {float(parameter) / 100!r})"
        elif name in AGGREGATES:
            asked.expressions[name] = AGGREGATES[name]
        elif name in CHANGES:
            asked.expressions[name] = CHANGES[name]
        elif name != LEVEL:
            raise InputError(
                f"Bad aggregate: {function}.{parameter}; percentile needs a number from 0 to 100, cardinality one of "
                f"{', '.join(FIELDS)} or metadata.<path>, all others nothing"
            )
    if asked.have_changes:
        asked.columns |= SERIES_COLUMNS
    return asked


def _source(name: str, number: int, parameters: dict[str, object]) -> str | None:
    path = metadata_path(name)
    if path is None:
        return quoted(FIELDS[name]) if name in FIELDS else None
    parameters[f"of_{number}"] = pointer(path)
    return f"json_extract_string(metadata, $of_{number})"
