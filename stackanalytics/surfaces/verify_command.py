"""The command ``verify``: verify what is due, keep what that changes, and tell it."""

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click
import polars as pl

from stackanalytics import times
from stackanalytics.analytics.reason import fail_reason
from stackanalytics.analytics.verification import (
    FLAVOR_FIELDS,
    SERVICES,
    SETTLE_S,
    VALIDATION_LEVELS,
    FlavorField,
    Service,
    ValidationLevel,
)
from stackanalytics.surfaces.encoding import json_text
from stackanalytics.surfaces.terminal import Instant, lake_option, show_frame, with_options, words
from stackanalytics.surfaces.verification_store import verify_and_keep
from stackanalytics.surfaces.verified_notification import append_lines

SHOWN = ("service", "exists_id", "message_id", "resource", "audit_period_ending", "fail_reason", "deployment", "host")
UNKNOWN = "-"

_rules = (
    click.option(
        "--validation-level",
        type=click.Choice(VALIDATION_LEVELS),
        default="all",
        show_default=True,
        help="What a record must hold.",
    ),
    click.option(
        "--flavor-field",
        type=click.Choice(FLAVOR_FIELDS),
        default=FLAVOR_FIELDS[0],
        show_default=True,
        help="Which name of the flavor is compared.",
    ),
    click.option("--now", type=Instant(), help="The present, if it is to be another."),
    click.option(
        "--settle",
        type=click.FloatRange(min=0),
        default=SETTLE_S,
        show_default=True,
        help="How long after the end of its period a record is due [s].",
    ),
)
_how = (
    click.option(
        "--service",
        "services",
        multiple=True,
        type=click.Choice(SERVICES),
        default=SERVICES,
        help="Only this service's records; may be repeated.",
    ),
    click.option("--from-scratch", "is_from_scratch", is_flag=True, help="Verify also what has not changed."),
    click.option(
        "--notify",
        type=click.Path(dir_okay=False, path_type=Path),
        help="File to append a notification to for each record that is verified now.",
    ),
    click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True),
    click.option("--strict", "is_strict", is_flag=True, help="Exit with 1 where records failed."),
)


@click.command(name="verify")
@lake_option
@with_options(*_rules, *_how)
def verify_lake(
    folder: Path,
    validation_level: ValidationLevel,
    flavor_field: FlavorField,
    now: datetime | None,
    settle: float,
    services: Sequence[Service],
    is_from_scratch: bool,
    notify: Path | None,
    form: str,
    is_strict: bool,
) -> None:
    """Verify exists records against launches and deletions, and write those that fail now.

    Run it as often as you like: it looks at records that have become due, and again at those about
    which something was told late or reconciled. Only what changes is kept and written.
    """
    until = now or times.now()
    parts = []
    for service in dict.fromkeys(services):
        with words.status(f"Verifying {service}"):
            changes = verify_and_keep(
                folder,
                service=service,
                until=until,
                validation_level=validation_level,
                flavor_field=flavor_field,
                settle_s=settle,
                is_from_scratch=is_from_scratch,
                publish=append_lines(notify) if notify else None,
            )
        words.print(f"{service}: {_counts(changes)}")
        parts.append(changes)
    failures = pl.concat(parts).filter(verdict="failed")
    _write(failures, form)
    if is_strict and not failures.is_empty():
        sys.exit(1)


def _counts(changes: pl.DataFrame) -> str:
    """Say what a verification changed."""
    new = changes.filter(pl.col("former_verdict").is_null())
    counted = {verdict: new.filter(verdict=verdict).height for verdict in ("verified", "reconciled", "failed")}
    told = ", ".join(f"{count:,} {verdict}" for verdict, count in counted.items())
    again = changes.filter(pl.col("former_verdict").is_not_null())
    turned = again.filter(pl.col("former_verdict") != pl.col("verdict"))
    steps = turned.group_by("former_verdict", "verdict").len().sort("former_verdict", "verdict")
    changed = ", ".join(f"{count:,} from {former} to {verdict}" for former, verdict, count in steps.iter_rows())
    return (
        f"{new.height:,} records verified for the first time ({told}); {turned.height:,} changed their verdict"
        f"{f' ({changed})' if changed else ''}, {again.height - turned.height:,} only their reason"
    )


def _write(failures: pl.DataFrame, form: str) -> None:
    """Write records that failed to standard output."""
    reasons = [fail_reason(row) for row in failures.iter_rows(named=True)]
    told = failures.with_columns(pl.Series("fail_reason", reasons, pl.String))
    if form == "json":
        click.echo(json_text(told.to_dicts()))
        return
    shown = told.select(SHOWN).with_columns(pl.col("deployment", "host").fill_null(UNKNOWN))
    if form == "csv":
        instants = shown["audit_period_ending"].to_list()
        text = pl.Series("audit_period_ending", [instant and times.show(instant) for instant in instants], pl.String)
        click.echo(shown.with_columns(text).write_csv(), nl=False)
    elif not shown.is_empty():
        show_frame(shown)
