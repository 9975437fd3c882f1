"""The command ``export``: what any analysis or query answers, as a file."""

import inspect
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, get_args, get_type_hints

import click
import polars as pl

import stackanalytics
from stackanalytics import times
from stackanalytics.errors import InputError, NotFoundError
from stackanalytics.lake import Lake, open_lake
from stackanalytics.surfaces.encoding import FRAME_FORMATS, frame_bytes
from stackanalytics.surfaces.terminal import lake_option, words, write_out


def analyses() -> dict[str, Callable[..., pl.DataFrame]]:
    """Return the public functions that answer with a frame and need nothing but a lake and plain values."""
    found = {name: getattr(stackanalytics, name) for name in stackanalytics.__all__}
    return {name: function for name, function in found.items() if inspect.isfunction(function) and _is_asked(function)}


def _is_asked(function: Callable[..., object]) -> bool:
    hints = get_type_hints(function)
    answers, first, *others = hints.pop("return"), *hints.values()
    takes_frames = any(pl.DataFrame in (hint, *get_args(hint)) for hint in others)
    return answers is pl.DataFrame and first is Lake and not takes_frames


@click.command()
@click.argument("name", required=False, metavar="[ANALYSIS]")
@click.argument("given", nargs=-1, metavar="[NAME=VALUE]…")
@lake_option
@click.option("--sql", "query", help="A query in DuckDB's SQL, instead of an analysis.")
@click.option(
    "--format", "form", type=click.Choice(list(FRAME_FORMATS)), help="By default what --out ends in; else CSV."
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File to write.")
def export(
    name: str | None, given: tuple[str, ...], folder: Path, query: str | None, form: str | None, out: Path | None
) -> None:
    """Write the answer of an analysis, or of a query, as Parquet, CSV, Arrow or JSON lines.

    The analyses and their parameters are the functions of the package: `export timings --lake L
    operation=compute.instance.create start=2026-03-01 --out timings.parquet`.
    """
    if (name is None) == (query is None):
        raise InputError(f"give either --sql or one analysis: {', '.join(analyses())}")
    with open_lake(folder) as lake:
        frame = lake.sql(query) if query is not None else _ask(lake, str(name), given)
    write_out(frame_bytes(frame, form or _form(out)), out)
    words.print(f"{frame.height:,} rows")


def _ask(lake: Lake, name: str, given: tuple[str, ...]) -> pl.DataFrame:
    if name not in analyses():
        raise NotFoundError(f"no analysis {name!r}; there are {', '.join(analyses())}")
    analysis = analyses()[name]
    return analysis(lake, **_arguments(analysis, given))


def _arguments(analysis: Callable[..., object], given: tuple[str, ...]) -> dict[str, Any]:
    parameters = list(inspect.signature(analysis).parameters.values())[1:]
    hints = get_type_hints(analysis)
    arguments = {}
    for each in given:
        name, equals, said = each.partition("=")
        if not equals or name not in hints or name in ("return", "lake"):
            raise InputError(
                f"{each!r} is no NAME=VALUE; the names are {', '.join(known.name for known in parameters)}"
            )
        arguments[name] = _value(name, said, hints[name])
    needed = [known.name for known in parameters if known.default is known.empty and known.name not in arguments]
    if needed:
        raise InputError(f"{', '.join(needed)} must be given, as {needed[0]}=…")
    return arguments


def _value(name: str, said: str, hint: Any) -> Any:
    kinds = set(get_args(hint)) or {hint}
    try:
        if datetime in kinds:
            return times.instant(said)
        if bool in kinds:
            return {"true": True, "false": False}[said.lower()]
        if int in kinds:
            return int(said)
        if Sequence[str] in kinds:
            return said if str in kinds and "," not in said else said.split(",")
        if float in kinds and not (str in kinds and said.isalpha()):
            return float(said)
        return said
    except (ValueError, KeyError):
        wanted = " or ".join(sorted(kind.__name__ for kind in kinds if kind is not type(None)))
        raise InputError(f"{name}={said} cannot be read as {wanted}") from None


def _form(out: Path | None) -> str:
    ending = "csv" if out is None else out.suffix.removeprefix(".")
    if ending not in FRAME_FORMATS:
        raise InputError(f"{out} tells no format: give --format, or a name that ends in {', '.join(FRAME_FORMATS)}")
    return ending
