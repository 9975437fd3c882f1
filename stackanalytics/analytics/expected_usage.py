"""What usage is expected to be reported: launches and images that existed in a period, and whether they were."""

from datetime import datetime

import polars as pl

from stackanalytics.analytics.period import bounds
from stackanalytics.lake import Lake
from stackanalytics.schema import LAUNCH_FIELDS, polars_schema

EXPECTED_LAUNCH_COLUMNS = (
    *("launch_id", "instance", "launched_at", "tenant", "deployment", "host"),
    *("is_new", "has_exists", "is_instance_told", "is_first"),
)
EXPECTED_IMAGE_COLUMNS = (
    *("image_id", "image", "created_at", "tenant", "deployment", "host"),
    *("is_new", "has_exists"),
)

_FIELDS = ", ".join(LAUNCH_FIELDS)

# An instance has, in a period, the launches of the period and the last one before that it outlived.
EXPECTED_LAUNCHES = f"""
with recorded as (
    select instance, date_trunc('second', launched_at) as launched_in,
        max({{received_at: received_at, deployment: deployment, host: host}}) as last,
        bool_or(audit_period_beginning >= $start and audit_period_beginning < $end) as is_in_period
    from exists
    group by all
),
launched as (
    select id, deployment, host, date_trunc('second', launched_at) as launched_in, {_FIELDS}
    from (select *, null::timestamptz as deleted_at from launches)
    where launched_at < $end
),
known as (
    from launched
    union all by name
    select last.deployment, last.host, launched_in, {_FIELDS}
    from (select *, date_trunc('second', launched_at) as launched_in from reconciles where launched_at < $end)
    anti join launched using (instance, launched_in)
    left join recorded using (instance, launched_in)
),
gone as (
    select instance, deleted_at from deletes where deleted_at <= $start
    union all
    select instance, deleted_at from reconciles where deleted_at <= $start
),
outlived as (
    from known
    where launched_at < $start
        and not exists (from gone where gone.instance = known.instance and gone.deleted_at >= known.launched_at)
    qualify row_number() over (partition by instance order by launched_in desc, id) = 1
),
expected as (
    from known where launched_at >= $start
    qualify row_number() over (partition by instance, launched_in order by id) = 1
    union all
    from outlived
),
expected_launches as (
    select id as launch_id, deployment, host, {_FIELDS}, launched_at >= $start as is_new,
        (instance, launched_in) in (select (instance, launched_in) from recorded where is_in_period) as has_exists,
        instance in (select instance from recorded where is_in_period) as is_instance_told,
        row_number() over (partition by instance order by launched_in) = 1 as is_first
    from expected
)
"""

_EXPECTED_IMAGES = """
with recorded as (
    select image from image_exists where audit_period_beginning >= $start and audit_period_beginning < $end
)
select images.id as image_id, image, created_at, tenant, images.deployment, images.host,
    created_at >= $start as is_new, image in (select image from recorded) as has_exists
from images
left join image_deletes as deletion using (image)
where created_at < $end and (deletion.deleted_at is null or deletion.deleted_at >= $start)
order by image_id
"""


def expected_launches(lake: Lake, *, start: datetime, end: datetime) -> pl.DataFrame:
    """Return the launches that exists records of a period should tell of, and whether they do.

    These are the launches of the period, and of each instance the last one before that was not over
    when it began.

    Parameters
    ----------
    lake
        The lake to ask.
    start, end
        The period: records tell of it whose audit period begins in ``[start, end)``.

    Returns
    -------
    polars.DataFrame
        A row a launch, in the order of ``launch_id``, ``instance`` and ``launched_at``, with

        * ``launch_id`` (Int64): the ``id`` in :func:`launches`; null for a launch that only a
          reconciliation knows
        * ``instance`` (String), ``launched_at`` (Datetime, UTC), ``tenant`` (String)
        * ``deployment``, ``host`` (String): who told of it, null where not known
        * ``is_new`` (Boolean): whether it was launched in the period
        * ``has_exists`` (Boolean): whether a record tells of it
        * ``is_instance_told`` (Boolean): whether any record tells of the instance
        * ``is_first`` (Boolean): whether it is the first of them of its instance

    Source: nova's ``compute.instance.exists``, launches and deletions, and the reconciliations.

    Examples
    --------
    >>> from datetime import datetime
    >>> sa.expected_launches(lake, start=datetime(2026, 3, 1), end=datetime(2026, 3, 2)).height
    0
    """
    query = f"{EXPECTED_LAUNCHES} from expected_launches order by launch_id, instance, launched_at"
    found = lake.sql(query, bounds(start, end))
    return found.select(EXPECTED_LAUNCH_COLUMNS).cast(polars_schema(*EXPECTED_LAUNCH_COLUMNS))


def expected_images(lake: Lake, *, start: datetime, end: datetime) -> pl.DataFrame:
    """Return the images that exists records of a period should tell of, and whether they do.

    Parameters
    ----------
    lake
        The lake to ask.
    start, end
        The period: records tell of it whose audit period begins in ``[start, end)``.

    Returns
    -------
    polars.DataFrame
        A row an image that became active before the end and was not deleted before the start, in the
        order of ``image_id``, with

        * ``image_id`` (Int64): the ``id`` in :func:`images`
        * ``image`` (String), ``created_at`` (Datetime, UTC), ``tenant``, ``deployment``, ``host`` (String)
        * ``is_new`` (Boolean): whether it was created in the period
        * ``has_exists`` (Boolean): whether a record tells of it

    Source: ``image.activate``, ``image.delete`` and ``image.exists``.

    Examples
    --------
    >>> from datetime import datetime
    >>> sa.expected_images(lake, start=datetime(2026, 3, 1), end=datetime(2026, 3, 2)).height
    0
    """
    found = lake.sql(_EXPECTED_IMAGES, bounds(start, end))
    return found.cast(polars_schema(*EXPECTED_IMAGE_COLUMNS))
