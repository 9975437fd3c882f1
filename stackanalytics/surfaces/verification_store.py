"""Verifying what is due and keeping what that changes: what ``verify`` does, and ``reconcile`` after it."""

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from stackanalytics.analytics.verification import (
    SETTLE_S,
    FlavorField,
    Service,
    ValidationLevel,
    told_since,
    verify,
)
from stackanalytics.errors import InputError
from stackanalytics.lake import Verification, open_lake, verifying
from stackanalytics.lake.state import State
from stackanalytics.lake.usage_state import UsageState
from stackanalytics.surfaces.verified_notification import Publish, verified_notifications

MANY = 100_000  # more instances than these are not looked up one by one


def verify_and_keep(
    folder: Path,
    *,
    service: Service = "nova",
    until: datetime,
    validation_level: ValidationLevel = "all",
    flavor_field: FlavorField = "instance_type_id",
    settle_s: float = SETTLE_S,
    is_from_scratch: bool = False,
    publish: Publish | None = None,
) -> pl.DataFrame:
    """Verify the records of a service that are due, keep what that changes, and return it.

    Only what may have changed since the last time is verified: records that have become due, and
    those of instances and images about which something was told or reconciled. Everything is where
    the rules are others than last time.

    Parameters
    ----------
    folder
        The lake's folder.
    service, until, validation_level, flavor_field, settle_s
        As for :func:`stackanalytics.verify`.
    is_from_scratch
        Verify everything all the same.
    publish
        What is given the notifications of records that are verified now and were not before, but
        for those that were marked as sent. It is called before anything is kept, so that a crash
        between makes it get them again, under the same message ids.

    Returns
    -------
    polars.DataFrame
        The rows of :func:`stackanalytics.verify` that are new or differ from what counted before, with
        ``former_verdict`` (String; null where there was none) and ``verified_at`` (Datetime, UTC).
    """
    open_lake(folder).close()
    if not settle_s >= 0:
        raise InputError(f"settle_s is {settle_s}; it cannot be negative")
    rules = f"{validation_level} {flavor_field}" if service == "nova" else ""
    with verifying(folder, service, rules=rules, due_at=until - timedelta(seconds=settle_s)) as verification:
        found = verify(
            verification.lake,
            service=service,
            resources=None if is_from_scratch else _concerned(verification, service),
            until=until,
            validation_level=validation_level,
            flavor_field=flavor_field,
            settle_s=settle_s,
        )
        changes = verification.changes(found)
        if publish is not None:
            sent = UsageState(folder).repaired(service)
            publish(verified_notifications(verification.lake, service, changes, sent=sent["exists_id"]))
        return verification.keep(changes)


def last_rules(folder: Path) -> tuple[ValidationLevel, FlavorField]:
    """Return the validation level and the flavor field by which nova's records were verified last."""
    last = State(folder).last_verification("nova", is_finished=True)
    validation_level, flavor_field = last.rules.split() if last else ("all", "instance_type_id")
    return validation_level, flavor_field  # type: ignore[return-value]  # they were checked when they were written


def _concerned(verification: Verification, service: Service) -> list[str] | None:
    """Return whose records have to be verified again, None for all."""
    former, run = verification.former, verification.run
    if former is None:
        return None
    resources = told_since(
        verification.lake,
        service=service,
        last_id=former.last_id,
        last_sequence=former.last_sequence,
        due_after=former.due_at,
        due_at=run.due_at,
    )
    return resources if len(resources) <= MANY else None
