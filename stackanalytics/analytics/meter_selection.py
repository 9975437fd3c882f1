"""Which samples a question is about: of which meters, under which conditions, by whom they are grouped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from stackanalytics.analytics.metadata_value import metadata_path, pointer
from stackanalytics.analytics.meter_query import FIELD_COLUMNS, Criteria, Query, criteria
from stackanalytics.errors import InputError

# the fields of a sample by which samples can be grouped
GROUPABLE: Mapping[str, str] = MappingProxyType(
    {
        name: column
        for name, column in FIELD_COLUMNS.items()
        if column in ("resource", "tenant", "user", "source", "meter", "meter_type", "unit")
    }
)

# what was measured one after the other of one thing, and the columns that this needs beside unit and volume
SERIES = "partition by of_meter, of_type, unit, of_resource, of_source order by measured_us, volume, of_sample"
SERIES_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "of_meter": "meter",
        "of_type": "meter_type",
        "of_resource": "resource",
        "of_source": "source",
        "of_sample": "sample_id",
        "measured_us": "epoch_us(measured_at)",
    }
)


@dataclass(frozen=True, slots=True)
class Selection:
    """Samples of some meters that meet conditions, as SQL over the view ``samples`` with its parameters."""

    meters: tuple[str, ...]
    asked: Criteria

    @property
    def sql(self) -> str:
        """The conditions."""
        names = ", ".join(f"$meter_{number}" for number in range(len(self.meters)))
        return f"meter in ({names}) and {self.asked.sql}"

    @property
    def parameters(self) -> dict[str, object]:
        """The values in these."""
        return {**self.asked.parameters, **{f"meter_{number}": name for number, name in enumerate(self.meters)}}

    @property
    def holding(self) -> dict[str, tuple[str, ...]]:
        """What lets a lake leave out other meters."""
        return {"meter": self.meters}


@dataclass(frozen=True, slots=True)
class Grouping:
    """Fields whose values are told apart, with the expression of each.

    In SQL their columns are numbered, since DuckDB takes names for equal that differ in case only.
    """

    expressions: Mapping[str, str]
    parameters: Mapping[str, object]

    @property
    def columns(self) -> dict[str, str]:
        """The columns of the fields."""
        return {field: f"key_{number}" for number, field in enumerate(self.expressions)}

    @property
    def names(self) -> str:
        """The columns as SQL, each with a comma behind it."""
        return "".join(f"{column}, " for column in self.columns.values())

    @property
    def keys(self) -> str:
        """The expressions as SQL, under the names of their columns."""
        return "".join(f"{self.expressions[field]} as {column}, " for field, column in self.columns.items())

    @property
    def presence(self) -> str:
        """The condition that a sample has the metadata that it is grouped by; empty, where it is not."""
        columns = (column for field, column in self.columns.items() if metadata_path(field) is not None)
        return " and ".join(f"{column} is not null" for column in columns)


def selection(meter: str | Sequence[str], query: Query) -> Selection:
    """Return the samples of one or several meters that meet a query."""
    meters = (meter,) if isinstance(meter, str) else tuple(dict.fromkeys(meter))
    if not meters:
        raise InputError("no meter is named: give the name of a meter, or several")
    return Selection(meters, criteria(query))


def grouping(meter: str | Sequence[str], fields: Sequence[str]) -> Grouping:
    """Return what to group by; of several meters, by the meter first."""
    if isinstance(fields, str):
        raise InputError(f"group_by={fields!r} is a text: give a list of fields, such as [{fields!r}]")
    expressions: dict[str, str] = {} if isinstance(meter, str) else {"meter": "meter"}
    parameters: dict[str, object] = {}
    for number, field in enumerate(dict.fromkeys(fields)):
        path, column = metadata_path(field), GROUPABLE.get(field)
        if path is not None:
            expressions[field] = f"json_extract_string(metadata, $group_{number})"
            parameters[f"group_{number}"] = pointer(path)
        elif column is None:
            raise InputError(
                f"Unknown argument: {field!r}: Invalid groupby fields; give {', '.join(GROUPABLE)} or metadata.<path>"
            )
        elif column != "unit":  # by which samples are told apart anyway
            expressions[field] = f'"{column}"'
    return Grouping(expressions, parameters)
