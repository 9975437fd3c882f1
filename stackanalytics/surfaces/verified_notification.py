"""Notifications that exists records are verified, for the systems that bill them.

Such a notification is a copy of the original under another event type and message id. The new id
is made of the original one, so that a notification that is sent again, as after a crash, can be
recognised.

Source: StackTach's verifier, which published them for records that had not been sent before.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias
from uuid import NAMESPACE_OID, uuid5

import polars as pl

from stackanalytics.errors import InputError
from stackanalytics.lake import Lake
from stackanalytics.number import whole

EVENT_TYPES = {"nova": "compute.instance.exists.verified", "glance": "image.exists.verified"}
BATCH = 10_000
IMAGES_A_NOTIFICATION = 1024

Publish: TypeAlias = Callable[[Iterable[dict[str, object]]], None]


def verified_notifications(
    lake: Lake, service: str, changes: pl.DataFrame, *, sent: pl.Series
) -> Iterator[dict[str, object]]:
    """Yield a notification for each record that is verified now and was not before.

    Parameters
    ----------
    lake
        The lake that the records are in.
    service
        ``nova`` or ``glance``. A message of glance is one notification, once all of its images are verified.
    changes
        What a verification changed.
    sent
        Ids of records that need no notification.

    Yields
    ------
    dict
        ``deployment``, ``exchange``, ``routing_key`` and ``body``, in which a lake can land it.
    """
    newly = changes.filter(
        pl.col("verdict") != "failed",
        pl.col("former_verdict").is_null() | (pl.col("former_verdict") == "failed"),
        ~pl.col("exists_id").is_in(sent.to_list()),
    )["exists_id"]
    ids = _whole_messages(lake, newly, changes) if service == "glance" else newly.to_list()
    unsent = sorted(set(ids))
    for first in range(0, len(unsent), BATCH):
        rows = lake.sql(
            """
            select deployment, exchange, routing_key, body
            from notifications
            where id in (select unnest($ids::bigint[]))
            order by id
            """,
            {"ids": unsent[first : first + BATCH]},
        )
        for row in rows.iter_rows(named=True):
            yield {**row, "body": _verified(row["body"], EVENT_TYPES[service])}


def append_lines(path: Path) -> Publish:
    """Return how to append notifications to a file, a line of JSON each; they are on disk when that returns."""

    def publish(notifications: Iterable[dict[str, object]]) -> None:
        try:
            with open(path, "a", encoding="utf-8") as target:
                for notification in notifications:
                    print(json.dumps(notification), file=target)
                target.flush()
                os.fsync(target.fileno())
        except OSError as problem:
            raise InputError(f"{path} cannot be written: {problem.strerror}") from problem

    return publish


def _whole_messages(lake: Lake, newly: pl.Series, changes: pl.DataFrame) -> list[int]:
    """Return the notifications of glance with records in *newly* of which all records are verified."""
    records = lake.sql(
        """
        select image_exists.id as exists_id, notification_id, verdict as former
        from image_exists
        left join verdicts on verdicts.service = 'glance' and verdicts.exists_id = image_exists.id
        where notification_id in (select unnest($ids::bigint[]))
        """,
        {"ids": (newly // IMAGES_A_NOTIFICATION).unique().to_list()},
    ).join(changes.select("exists_id", "verdict"), on="exists_id", how="left")
    verdict = pl.coalesce("verdict", "former", pl.lit("failed"))
    whole = records.group_by("notification_id").agg((verdict != "failed").all().alias("is_verified"))
    found: list[int] = whole.filter("is_verified")["notification_id"].to_list()
    return found


def _verified(text: str, event_type: str) -> dict[str, object]:
    body: dict[str, object] = json.loads(text, parse_int=whole)
    original = body.get("message_id")
    new = str(uuid5(NAMESPACE_OID, f"{event_type} {original or text}"))
    return {**body, "event_type": event_type, "message_id": new, "original_message_id": original}
