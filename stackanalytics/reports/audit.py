"""What the audits of usage share: which states exists records are in, and which of them failed.

Source: StackTach's ``usage_audit.py``.
"""

from datetime import datetime
from itertools import product
from types import MappingProxyType

import polars as pl

from stackanalytics.analytics.exists_state import exists_states, received_in
from stackanalytics.analytics.usage_record import Criteria
from stackanalytics.lake import Lake
from stackanalytics.schema import polars_schema

STATISTIC_COLUMNS = ("audit", "name", "count")

STATUSES = ("verified", "reconciled", "failed", "pending", "verifying")
STATUSES_SENT = ("sent_unverified", "sent_failed", "sent_verifying")
FAILED = ("failed", "sent_failed")
# which answers of the system that takes the records StackTach names how
ANSWERS = MappingProxyType(
    {
        "success": (200, 299),
        "unsent": (0, 0),
        "redirect": (300, 399),
        "client_error": (400, 499),
        "server_error": (500, 599),
    }
)
ANSWERS_BY_STATUS = MappingProxyType({"send_status": "verified", "send_status_rec": "reconciled"})


def statistics(found: pl.DataFrame, *audits: str) -> pl.DataFrame:
    """Return how many exists records are in which state, under StackTach's names.

    Parameters
    ----------
    found
        Rows of :func:`stackanalytics.audit_statistics`.
    *audits
        The kinds of records to tell of, in order.

    Returns
    -------
    polars.DataFrame
        A row a kind and name, with ``audit``, ``name`` (String) and ``count`` (Int64): ``count`` for
        all, the statuses, and of verified and reconciled ones what was answered to them, such as
        ``send_status.success`` and ``send_status_rec.success``.
    """
    status, answer = pl.col("status"), pl.col("send_status")
    kinds = {"count": pl.lit(True)}
    kinds |= {name: status == name for name in (*STATUSES, *STATUSES_SENT)}
    kinds |= {
        f"{prefix}.{name}": (status == of) & answer.is_between(*ANSWERS[name])
        for (prefix, of), name in product(ANSWERS_BY_STATUS.items(), ANSWERS)
    }
    rows = [
        (audit, name, found.filter(pl.col("audit") == audit, is_one)["count"].sum())
        for audit, (name, is_one) in product(audits, kinds.items())
    ]
    return pl.DataFrame(rows, polars_schema(*STATISTIC_COLUMNS), orient="row")


def failed_records(lake: Lake, *, service: str, start: datetime, end: datetime) -> pl.DataFrame:
    """Return the exists records received in ``[start, end)`` that failed, whether they were sent or not.

    Returns
    -------
    polars.DataFrame
        The rows of :func:`stackanalytics.exists_states`, in the order of ``id``.
    """
    received = received_in(start, end)
    failed = [
        exists_states(lake, service=service, criteria=Criteria({"status": status}, received.at_least, received.at_most))
        for status in FAILED
    ]
    return pl.concat(failed).sort("id")
