"""The command ``reconcile``: ask nova about the records that verification could not bear out."""

import io
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import click
import polars as pl

from stackanalytics import times
from stackanalytics.errors import InputError
from stackanalytics.sources.nova import Cloud, Database, Snapshot, Source
from stackanalytics.surfaces.reconciling import Witness, read_regions, reconcile_lake, witness
from stackanalytics.surfaces.terminal import (
    FORMATS,
    Instant,
    lake_option,
    progress_in_steps,
    show_frame,
    with_options,
    words,
    write_out,
)
from stackanalytics.surfaces.verification_store import last_rules, verify_and_keep

ADDRESSES = "STACKANALYTICS_NOVA_DB"

_SHOWN = ("exists_id", "launch_id", "instance", "deployment", "host", "match_code", "differences", "outcome")

_OUTCOMES = {
    "reconciled": "confirmed by nova",
    "differs": "differ",
    "exists_expected": "launches that lack a record",
    "not_found": "not known to nova",
    "no_source": "of a region that nobody was asked about",
}

_whom = (
    click.option("--snapshot", "snapshots", multiple=True, metavar="[REGION=]FILE", help="Parquet, CSV or JSON lines."),
    click.option(
        "--nova-db",
        "databases",
        multiple=True,
        metavar="[REGION=]ADDRESS",
        envvar=ADDRESSES,
        show_envvar=True,
        help="Nova's database: mysql://user@host/nova or postgresql://…",
    ),
    click.option("--cloud", "clouds", multiple=True, metavar="[REGION=]NAME", help="A cloud of clouds.yaml."),
    click.option(
        "--region-mapping",
        "mapping",
        type=click.Path(dir_okay=False, path_type=Path),
        help="JSON object: deployment to region. Without it each deployment is a region.",
    ),
)
_what = (
    click.option("--start", type=Instant(), help="Only audit periods that begin at this time or later."),
    click.option("--end", type=Instant(), help="Only those before. With both, launches without a record as well."),
    click.option("--now", type=Instant(), help="The present, if it is to be another."),
)
_how = (
    click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True),
    click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File to write."),
    click.option("--strict", "is_strict", is_flag=True, help="Exit with 1 where something is not reconciled."),
)


@click.command()
@with_options(lake_option, *_whom, *_what, *_how)
def reconcile(
    folder: Path,
    snapshots: tuple[str, ...],
    databases: tuple[str, ...],
    clouds: tuple[str, ...],
    mapping: Path | None,
    start: datetime | None,
    end: datetime | None,
    now: datetime | None,
    form: str,
    out: Path | None,
    is_strict: bool,
) -> None:
    """Ask nova about records that failed verification.

    What nova confirms is kept, and the records concerned are verified again at once, by the rules of
    the last verification. With --start and --end also launches are asked about that no record of the
    period tells of. Give --snapshot, --nova-db or --cloud, once for each region or once for all.
    """
    witnesses = _witnesses(snapshots, databases, clouds)
    regions = None if mapping is None else read_regions(mapping)
    with progress_in_steps("Asking nova", None) as advance:
        found, kept = reconcile_lake(folder, witnesses, regions=regions, start=start, end=end, on_progress=advance)
    validation_level, flavor_field = last_rules(folder)
    with words.status("Verifying again"):
        changes = verify_and_keep(
            folder, until=now or times.now(), validation_level=validation_level, flavor_field=flavor_field
        )
    _show(found, form, out)
    words.print(_in_short(found, kept, changes))
    if is_strict and (found["outcome"] != "reconciled").any():
        sys.exit(1)


def _in_short(found: pl.DataFrame, kept: int, changes: pl.DataFrame) -> str:
    counts = dict(found.group_by("outcome").len().iter_rows())
    told = ", ".join(f"{counts[outcome]:,} {text}" for outcome, text in _OUTCOMES.items() if outcome in counts)
    turned = changes.filter(pl.col("former_verdict").is_not_null(), pl.col("former_verdict") != pl.col("verdict"))
    return (
        f"{found.height:,} records were disputed{f': {told}' if told else ''}; "
        f"what nova says of {kept:,} launches was kept, "
        f"{turned.filter(verdict='reconciled').height:,} records became reconciled"
    )


def _witnesses(snapshots: tuple[str, ...], databases: tuple[str, ...], clouds: tuple[str, ...]) -> list[Witness]:
    kinds: list[tuple[tuple[str, ...], Callable[[str], Source]]] = [
        (snapshots, lambda name: Snapshot(Path(name))),
        (databases, Database),
        (clouds, Cloud),
    ]
    asked = [(given, made) for given, made in kinds if given]
    if len(asked) != 1:
        raise InputError("one kind of source is needed: give --snapshot, --nova-db or --cloud")
    [(given, made)] = asked
    return [witness(one, made) for one in given]


def _show(found: pl.DataFrame, form: str, out: Path | None) -> None:
    if form == "table":
        show_frame(found.select(_SHOWN).with_columns(_in_words().alias("differences")))
    else:
        write_out(_encoded(found, form), out)


def _in_words() -> pl.Expr:
    """Return the differences as texts."""
    one = pl.element().struct
    told = pl.format(
        "{} {} / {}",
        one.field("field"),
        one.field("recorded_value").fill_null("–"),
        one.field("nova_value").fill_null("–"),
    )
    return pl.col("differences").list.eval(told).list.join("; ")


def _encoded(found: pl.DataFrame, form: str) -> bytes:
    encoded = io.BytesIO()
    if form == "json":
        found.write_ndjson(encoded)
    elif form == "csv":
        found.with_columns(_in_words().alias("differences")).write_csv(encoded)
    else:
        found.write_parquet(encoded)
    return encoded.getvalue()
