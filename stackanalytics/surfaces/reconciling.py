"""Reconciling a lake: ask nova about its disputed records, keep what is settled, verify that again."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from stackanalytics.analytics.reconciliation import compare, disputes
from stackanalytics.errors import InputError
from stackanalytics.lake import append_reconciliations, create_lake, open_lake
from stackanalytics.lake.state import State
from stackanalytics.schema import NOVA_FIELDS
from stackanalytics.sources.nova import Source
from stackanalytics.sources.nova.source import Progress

PREFIX = "reconciler:"  # as StackTach names its own before the name of the source


@dataclass(frozen=True, slots=True)
class Witness:
    """Whom to ask about the instances of a region, or of any where it is None."""

    region: str | None
    source: Source

    def answers_for(self, region: str) -> bool:
        """Whether it is to be asked about a region."""
        return self.region in (None, region)


def witness(given: str, made: Callable[[str], Source]) -> Witness:
    """Return whom the ``[REGION=]SOURCE`` of a command line names."""
    named = re.fullmatch(r"([\w.-]+)=(.+)", given)
    return Witness(named[1], made(named[2])) if named else Witness(None, made(given))


def read_regions(path: Path) -> dict[str, str]:
    """Return the regions of deployments from a JSON object, as StackTach's reconciler has it.

    Raises
    ------
    InputError
        If the file is missing or something else.
    """
    try:
        regions = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"no such file: {path}") from None
    except (OSError, ValueError) as problem:
        raise InputError(f"{path} cannot be read as JSON: {problem}") from problem
    if not isinstance(regions, dict) or not all(isinstance(region, str) for region in regions.values()):
        raise InputError(f'{path} is no mapping of deployments to regions. Accepted: {{"deployment": "region", …}}')
    return regions


def reconcile_lake(
    folder: Path,
    witnesses: Sequence[Witness],
    *,
    regions: Mapping[str, str] | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    on_progress: Progress | None = None,
) -> tuple[pl.DataFrame, int]:
    """Ask about what is disputed in a lake and keep what is settled.

    Nothing is kept unless every witness was heard to the end.

    Parameters
    ----------
    folder
        The lake's folder.
    witnesses
        Whom to ask.
    regions, start, end
        As of :func:`stackanalytics.reconcile`.
    on_progress
        Called with the number of instances asked about so far.

    Returns
    -------
    polars.DataFrame
        What :func:`stackanalytics.reconcile` returns.
    int
        How many launches are told otherwise, or for the first time, by what is kept now.

    Raises
    ------
    InputError
        If nothing was verified yet, or a source cannot be used.
    SourceError
        If a source breaks off.
    """
    _require_verified(folder)
    with open_lake(folder) as lake:
        disputed = disputes(lake, regions=regions, start=start, end=end)
    untold = {name for one in witnesses for name in one.source.untold}
    found = compare(disputed, _heard(witnesses, disputed, on_progress), ignoring=untold)
    return found, append_reconciliations(folder, found.filter(pl.col("outcome") == "reconciled"))


def _require_verified(folder: Path) -> None:
    open_lake(folder).close()
    create_lake(folder)  # a lake of a former version may lack something
    if State(folder).last_verification("nova", is_finished=True) is None:
        raise InputError(
            f"nothing is disputed before it is verified: `stackanalytics verify --lake {folder}` comes first"
        )


def _heard(
    witnesses: Sequence[Witness], disputed: pl.DataFrame, on_progress: Progress | None
) -> dict[str, pl.DataFrame]:
    """Ask every witness once about the instances of its regions; return what is said by region."""
    regions = disputed["region"].drop_nulls().unique().sort().to_list()
    said: dict[str, list[pl.DataFrame]] = {}
    done = 0
    for one in witnesses:
        served = [region for region in regions if one.answers_for(region)]
        wanted = disputed.filter(pl.col("region").is_in(served))["instance"].unique().to_list()
        told = one.source.instances(wanted, on_progress=_from(done, on_progress))
        for region in served:
            said.setdefault(region, []).append(told.with_columns(source=pl.lit(PREFIX + one.source.name)))
        done += len(wanted)
    # databases of one region may have equal records of an instance
    return {region: pl.concat(told).unique(NOVA_FIELDS, maintain_order=True) for region, told in said.items()}


def _from(done: int, on_progress: Progress | None) -> Progress | None:
    return None if on_progress is None else lambda count: on_progress(done + count)
