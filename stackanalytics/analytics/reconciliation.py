"""Reconciliation: usage records that notifications do not bear out, compared with what nova itself says."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TypeAlias

import polars as pl

from stackanalytics.analytics.expected_usage import EXPECTED_LAUNCHES
from stackanalytics.analytics.period import bounds
from stackanalytics.errors import InputError
from stackanalytics.lake import Lake
from stackanalytics.schema import LAUNCH_FIELDS, NOVA_FIELDS, polars_schema

Nova: TypeAlias = pl.DataFrame | Mapping[str, pl.DataFrame]

DISPUTE_COLUMNS = ("exists_id", "launch_id", "deployment", "region", "host", "audit_period_beginning", *LAUNCH_FIELDS)
RECONCILE_COLUMNS = (*DISPUTE_COLUMNS, "match_code", "differences", "outcome", "source")

EQUAL, FIELDS_DIFFER, DELETED_AT_DIFFERS, NOVA_SAYS_ALIVE, NOVA_SAYS_DELETED = range(5)
COMPARED = tuple(name for name in LAUNCH_FIELDS if name not in ("instance", "deleted_at"))

_IS_LAUNCH = pl.col("exists_id").is_null()
_IS_TOLD = pl.col("nova_is_deleted").is_not_null()
_NOVA = polars_schema(*NOVA_FIELDS)
_FIELDS = ", ".join(LAUNCH_FIELDS)

_FAILED_EXISTS = f"""
select id as exists_id, null::bigint as launch_id, deployment, host, audit_period_beginning, {_FIELDS}
from exists
where id in (select unnest($failed::bigint[]))
    and ($start::timestamptz is null or audit_period_beginning >= $start)
    and ($end::timestamptz is null or audit_period_beginning < $end)
order by id
"""

_LAUNCHES_WITHOUT_EXISTS = f"""
{EXPECTED_LAUNCHES}
select null::bigint as exists_id, launch_id, deployment, host, $start as audit_period_beginning, {_FIELDS}
from expected_launches
where not has_exists and (is_first or is_instance_told)
order by launch_id, instance, launched_at
"""


def disputes(
    lake: Lake,
    *,
    verdicts: pl.DataFrame | None = None,
    regions: Mapping[str, str] | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> pl.DataFrame:
    """Return the usage records on which nova has to be heard.

    These are the ``exists`` records that failed verification and, where a period is given, the
    launches that a record of the period should tell of and none does.

    Parameters
    ----------
    lake
        The lake to ask.
    verdicts
        What verification found; None for what the lake holds of it.
    regions
        The region that each deployment belongs to; None where each is a region of its own.
    start, end
        Only records of audit periods that begin in ``[start, end)``. Launches are looked at where
        both are given, for the period between them.

    Returns
    -------
    polars.DataFrame
        A row a record, the failed ones first, in the order of their ids, with

        * ``exists_id`` or ``launch_id`` (Int64): the record; both null for a launch that only a
          former reconciliation knows
        * ``deployment``, ``region``, ``host`` (String): where it came from, null where not known
        * ``audit_period_beginning`` (Datetime, UTC): of the record; of a launch that of the period
        * ``instance`` (String), ``launched_at``, ``deleted_at`` (Datetime, UTC), ``instance_type_id``,
          ``instance_flavor_id``, ``tenant``, ``os_architecture``, ``os_distro``, ``os_version``,
          ``rax_options`` (String): what it says

    Source: nova's ``compute.instance.exists`` and launches; the lake's verifications.

    Examples
    --------
    >>> sa.disputes(lake).height
    0
    """
    period = bounds(start, end)
    found = lake.sql(_FAILED_EXISTS, {"failed": _failed(lake, verdicts), **period})
    if start is not None and end is not None:
        found = pl.concat([found, lake.sql(_LAUNCHES_WITHOUT_EXISTS, period)], how="vertical_relaxed")
    region = pl.col("deployment")
    if regions is not None:
        region = region.replace_strict(dict(regions), default=None, return_dtype=pl.String)
    return found.with_columns(region.alias("region")).select(DISPUTE_COLUMNS).cast(polars_schema(*DISPUTE_COLUMNS))


def reconcile(
    lake: Lake,
    *,
    nova: Nova,
    verdicts: pl.DataFrame | None = None,
    regions: Mapping[str, str] | None = None,
    ignoring: Collection[str] | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> pl.DataFrame:
    """Return what comes of disputed usage records when nova is heard; nothing is stored.

    A failed ``exists`` is *reconciled* if nova says exactly what it says. A launch without
    ``exists`` is if nova says that the instance was deleted before the period began, so that
    there was nothing to report.

    Parameters
    ----------
    lake
        The lake to ask.
    nova
        What nova says: a row an instance in the columns ``stackanalytics.schema.NOVA_FIELDS``, and
        ``source`` if it is to be told who says so. One frame, or a frame for each region.
    verdicts
        What verification found; None for what the lake holds of it.
    regions
        The region that each deployment belongs to; None where each is a region of its own.
    ignoring
        Fields that are not compared, since nova's side could not be asked about them.
    start, end
        Only records of audit periods that begin in ``[start, end)``. Launches are looked at where
        both are given, for the period between them.

    Returns
    -------
    polars.DataFrame
        The rows and columns of :func:`disputes`, where ``deleted_at`` of a reconciled launch is
        nova's, and

        * ``match_code`` (Int64): how a failed record compares: 0 all equal, 1 fields differ, 2 both
          say deleted, at different times, 3 nova says that it lives, 4 only nova says that it is
          deleted; 2 to 4 go before 1. Null where nova does not know the instance, and for launches
        * ``differences`` (List of ``field``, ``recorded_value``, ``nova_value``): what differs
        * ``outcome`` (String): ``reconciled``; ``differs``; ``exists_expected``, of a launch that nova
          does not say ended before; ``not_found``, where nova does not know the instance;
          ``no_source``, where there is nobody to ask for the region
        * ``source`` (String): who said so, null where nobody did

    Raises
    ------
    InputError
        If *nova* lacks a column, has one of another type or an instance twice, or *ignoring* names a
        field that is not compared.

    Source: StackTach's reconciler; its match codes are those of its log.

    Examples
    --------
    >>> sa.reconcile(lake, nova=nova)["outcome"].to_list()
    []
    """
    disputed = disputes(lake, verdicts=verdicts, regions=regions, start=start, end=end)
    return compare(disputed, nova, ignoring=ignoring or ())


def compare(disputed: pl.DataFrame, nova: Nova, *, ignoring: Collection[str] = ()) -> pl.DataFrame:
    """Return what comes of the records of :func:`disputes`, as :func:`reconcile` does."""
    unknown = sorted(set(ignoring) - set(COMPARED))
    if unknown:
        raise InputError(f"{', '.join(unknown)} cannot be ignored. Compared are {', '.join(COMPARED)}")
    compared = [name for name in COMPARED if name not in ignoring]
    return (
        _beside(disputed, nova)
        .with_columns(_match_code(compared).alias("match_code"))
        .with_columns(_differences(compared).alias("differences"), _outcome().alias("outcome"))
        .with_columns(
            pl.when(_IS_LAUNCH & (pl.col("outcome") == "reconciled"))
            .then("nova_deleted_at")
            .otherwise("deleted_at")
            .alias("deleted_at")
        )
        .select(RECONCILE_COLUMNS)
        .cast(polars_schema(*RECONCILE_COLUMNS))
    )


def _failed(lake: Lake, verdicts: pl.DataFrame | None) -> list[int]:
    """Return the ids of the records of nova that failed."""
    if verdicts is None:
        verdicts = lake.sql("select service, exists_id, verdict from verdicts")
    is_failed = (pl.col("service") == "nova") & (pl.col("verdict") == "failed")
    return verdicts.filter(is_failed)["exists_id"].to_list()


def _beside(disputed: pl.DataFrame, nova: Nova) -> pl.DataFrame:
    """Return the records with what nova says beside them, and whether there was anybody to ask."""
    if isinstance(nova, pl.DataFrame):
        told = _told(nova)
        has_source = pl.col("region").is_not_null()
        beside = disputed.join(told, on="instance", how="left", maintain_order="left")
        return beside.with_columns(pl.when(has_source).then(pl.col(told.columns[1:])), has_source=has_source)
    by_region = [_told(frame).with_columns(region=pl.lit(region)) for region, frame in nova.items()]
    told = pl.concat([_told(pl.DataFrame(schema=_NOVA)).with_columns(region=pl.lit(None, pl.String)), *by_region])
    beside = disputed.join(told, on=["instance", "region"], how="left", maintain_order="left")
    return beside.with_columns(has_source=pl.col("region").is_in(list(nova)).fill_null(False))


def _told(nova: pl.DataFrame) -> pl.DataFrame:
    """Return what nova says with ``nova_`` before the names, after checking that it can be compared."""
    wrong = [name for name in NOVA_FIELDS if nova.schema.get(name) != _NOVA[name]]
    if wrong:
        needed = ", ".join(f"{name} ({_NOVA[name]})" for name in wrong)
        raise InputError(f"nova's side lacks columns, or has them in other types: it needs {needed}")
    if nova["instance"].is_duplicated().any():
        twice = nova.filter(pl.col("instance").is_duplicated())["instance"].min()
        raise InputError(f"nova's side has more than one row of the instance {twice!r}")
    told = nova if "source" in nova.columns else nova.with_columns(source=pl.lit("nova"))
    texts = [name for name in NOVA_FIELDS if _NOVA[name] == pl.String and name != "instance"]
    return told.select(
        "instance",
        *(pl.col(name).replace("", None).alias(f"nova_{name}") for name in texts),
        *(pl.col(name).alias(f"nova_{name}") for name in ("launched_at", "deleted_at", "is_deleted")),
        "source",
    )


def _match_code(compared: list[str]) -> pl.Expr:
    has_difference = pl.any_horizontal(_differs(name) for name in compared)
    of_fields = pl.when(has_difference).then(FIELDS_DIFFER).otherwise(EQUAL)
    return pl.when(~_IS_LAUNCH & _IS_TOLD).then(pl.coalesce(_deletion_code(), of_fields))


def _deletion_code() -> pl.Expr:
    """Return the match code of the deletion, null where both agree."""
    is_deleted, nova_is_deleted = pl.col("deleted_at").is_not_null(), pl.col("nova_is_deleted")
    return (
        pl.when(is_deleted & ~nova_is_deleted)
        .then(NOVA_SAYS_ALIVE)
        .when(~is_deleted & nova_is_deleted)
        .then(NOVA_SAYS_DELETED)
        .when(is_deleted & _differs("deleted_at"))
        .then(DELETED_AT_DIFFERS)
    )


def _differs(name: str) -> pl.Expr:
    return pl.col(name).ne_missing(pl.col(f"nova_{name}"))


def _differences(compared: list[str]) -> pl.Expr:
    """Return the fields that differ, none for what has no match code."""
    nova_deleted_at = pl.when("nova_is_deleted").then(_text("nova_deleted_at").fill_null("deleted"))
    told = [
        *(_difference(name, _text(f"nova_{name}"), _differs(name)) for name in compared),
        _difference("deleted_at", nova_deleted_at, _deletion_code().is_not_null()),
    ]
    return pl.concat_list(told).list.drop_nulls()


def _difference(name: str, nova_value: pl.Expr, is_one: pl.Expr) -> pl.Expr:
    told = pl.struct(pl.lit(name).alias("field"), _text(name).alias("recorded_value"), nova_value.alias("nova_value"))
    return pl.when(pl.col("match_code").is_not_null() & is_one).then(told)


def _text(name: str) -> pl.Expr:
    """Return a column as :func:`stackanalytics.times.show` writes it."""
    if not name.endswith("_at"):
        return pl.col(name)
    return pl.col(name).dt.strftime("%Y-%m-%d %H:%M:%S%.6f").str.strip_suffix(".000000")


def _outcome() -> pl.Expr:
    was_over = pl.col("nova_is_deleted") & (pl.col("nova_deleted_at") < pl.col("audit_period_beginning"))
    is_settled = pl.when(_IS_LAUNCH).then(was_over.fill_null(False)).otherwise(pl.col("match_code") == EQUAL)
    return (
        pl.when(~pl.col("has_source"))
        .then(pl.lit("no_source"))
        .when(~_IS_TOLD)
        .then(pl.lit("not_found"))
        .when(is_settled)
        .then(pl.lit("reconciled"))
        .otherwise(pl.when(_IS_LAUNCH).then(pl.lit("exists_expected")).otherwise(pl.lit("differs")))
    )
