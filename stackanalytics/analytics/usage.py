"""Usage: what nova launched, deleted and reported to exist, and glance likewise."""

from datetime import datetime

import polars as pl

from stackanalytics.analytics.period import bounds, bounds_and_days
from stackanalytics.lake import Lake
from stackanalytics.schema import polars_schema

_IMAGE_METADATA = ("os_architecture", "os_distro", "os_version", "rax_options")
_PERIOD = ("audit_period_beginning", "audit_period_ending")

LAUNCH_COLUMNS = (
    *("id", "instance", "request_id", "launched_at", "instance_type_id", "instance_flavor_id", "tenant"),
    *_IMAGE_METADATA,
    *("deployment", "host"),
)
DELETE_COLUMNS = ("id", "instance", "launched_at", "deleted_at", "deployment", "host")
EXISTS_COLUMNS = (
    *("id", "message_id", "instance", "launched_at", "deleted_at", *_PERIOD),
    *("instance_type_id", "instance_flavor_id", "instance_type", "memory_mb", "tenant", *_IMAGE_METADATA),
    *("image_type", "bandwidth_public_out", "deployment", "host", "received_at"),
)
IMAGE_COLUMNS = ("id", "image", "created_at", "tenant", "size", "deployment", "host")
IMAGE_DELETE_COLUMNS = ("id", "image", "deleted_at", "deployment", "host")
IMAGE_EXISTS_COLUMNS = (
    *("id", "notification_id", "message_id", "image", "tenant", "size", "created_at", "deleted_at", *_PERIOD),
    *("deployment", "host", "received_at"),
)


def launches(
    lake: Lake,
    *,
    instance: str | None = None,
    tenant: str | None = None,
    deployment: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> pl.DataFrame:
    """Return the launches of instances: what they are billed as from a moment on.

    A launch is what one request did to one instance: it was created, rebuilt, rescued, unshelved,
    resized, or returned to its former size. Without a request, an action reaches from its start to
    the next end.

    Parameters
    ----------
    lake
        The lake to ask.
    instance, tenant
        Only those of this instance (uuid), of this project.
    deployment
        Only those that this deployment told of last.
    start, end
        Only those with ``launched_at`` in ``[start, end)``; with either, none without a ``launched_at``.

    Returns
    -------
    polars.DataFrame
        A row a launch, in the order of ``id``, with

        * ``id`` (Int64): lowest id of the notifications that tell of it
        * ``instance``, ``request_id`` (String)
        * ``launched_at`` (Datetime, UTC): the latest that its notifications name. Until an action has
          ended that is when the instance was launched before; null while it is built
        * ``instance_type_id``, ``instance_flavor_id`` (String): the flavor, after a resize the new one
        * ``tenant``, ``os_architecture``, ``os_distro``, ``os_version``, ``rax_options``,
          ``deployment``, ``host`` (String): what the last notification of the launch tells

    Source: ``compute.instance.create``, ``rebuild``, ``rescue``, ``unshelve``, ``resize.prep``,
    ``finish_resize``, ``resize.revert``, legacy and versioned; a ``create.end`` whose message is not
    ``Success`` does not count.

    Examples
    --------
    >>> sa.launches(lake, instance="i-1")["request_id"].to_list()
    ['req-1']
    """
    return lake.sql(
        """
        from launches_of($instance)
        where ($tenant::varchar is null or tenant = $tenant)
            and ($deployment::varchar is null or deployment = $deployment)
            and ($start::timestamptz is null or launched_at >= $start)
            and ($end::timestamptz is null or launched_at < $end)
        order by id
        """,
        {"instance": instance, "tenant": tenant, "deployment": deployment, **bounds(start, end)},
        holding={"instance": instance},
    ).cast(polars_schema(*LAUNCH_COLUMNS))


def deletes(
    lake: Lake,
    *,
    instance: str | None = None,
    deployment: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> pl.DataFrame:
    """Return the deletions of instances that had been launched.

    Parameters
    ----------
    lake
        The lake to ask.
    instance
        Only those of this instance (uuid).
    deployment
        Only those that this deployment told of last.
    start, end
        Only those with ``deleted_at`` in ``[start, end)``.

    Returns
    -------
    polars.DataFrame
        A row an instance, launch and time of deletion, in the order of ``id``, with

        * ``id`` (Int64): lowest id of the notifications that tell of it
        * ``instance`` (String), ``launched_at`` (Datetime, UTC)
        * ``deleted_at`` (Datetime, UTC): when it was terminated, else when it was deleted
        * ``deployment``, ``host`` (String): what the last notification tells

    Source: ``compute.instance.delete.end``, legacy and versioned.

    Examples
    --------
    >>> sa.deletes(lake, instance="i-1").height
    0
    """
    return lake.sql(
        """
        from deletes_of($instance)
        where ($deployment::varchar is null or deployment = $deployment)
            and ($start::timestamptz is null or deleted_at >= $start)
            and ($end::timestamptz is null or deleted_at < $end)
        order by id
        """,
        {"instance": instance, "deployment": deployment, **bounds(start, end)},
        holding={"instance": instance},
    ).cast(polars_schema(*DELETE_COLUMNS))


def exists(
    lake: Lake,
    *,
    instance: str | None = None,
    tenant: str | None = None,
    deployment: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> pl.DataFrame:
    """Return the exists records of instances: which existed in an audit period, and as what.

    Nova sends one for each instance after every audit period, and one for the part of a period
    before it changes what is billed.

    Parameters
    ----------
    lake
        The lake to ask.
    instance, tenant
        Only those of this instance (uuid), of this project.
    deployment
        Only those that this deployment sent.
    start, end
        Only those received in ``[start, end)``.

    Returns
    -------
    polars.DataFrame
        A row a record, in the order of ``id``, with

        * ``id`` (Int64): id of its notification
        * ``message_id``, ``instance`` (String)
        * ``launched_at`` (Datetime, UTC), ``deleted_at`` (Datetime, UTC): when it was terminated, else
          when it was deleted; null while it lives
        * ``audit_period_beginning``, ``audit_period_ending`` (Datetime, UTC)
        * ``instance_type_id``, ``instance_flavor_id``, ``instance_type`` (String): the flavor, and its name;
          ``memory_mb`` (Int64): its memory [MiB]
        * ``tenant``, ``os_architecture``, ``os_distro``, ``os_version``, ``rax_options`` (String)
        * ``image_type`` (Int32): bits of the image
        * ``bandwidth_public_out`` (Int64): traffic sent to the public network [B], null where not told
        * ``deployment``, ``host`` (String): who sent it
        * ``received_at`` (Datetime, UTC): when the notification was made

    Source: ``compute.instance.exists`` with a ``launched_at``, legacy and versioned.

    Examples
    --------
    >>> sa.exists(lake, instance="i-1").height
    0
    """
    return lake.sql(
        """
        from exists_of($instance, $first_day, $last_day)
        where ($tenant::varchar is null or tenant = $tenant)
            and ($deployment::varchar is null or deployment = $deployment)
            and ($start::timestamptz is null or received_at >= $start)
            and ($end::timestamptz is null or received_at < $end)
        order by id
        """,
        {"instance": instance, "tenant": tenant, "deployment": deployment, **bounds_and_days(start, end)},
        holding={"instance": instance},
    ).cast(polars_schema(*EXISTS_COLUMNS))


def images(
    lake: Lake,
    *,
    image: str | None = None,
    tenant: str | None = None,
    deployment: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> pl.DataFrame:
    """Return the images that became active.

    Parameters
    ----------
    lake
        The lake to ask.
    image, tenant
        Only this image (uuid), those of this project.
    deployment
        Only those that this deployment told of first.
    start, end
        Only those created in ``[start, end)``.

    Returns
    -------
    polars.DataFrame
        A row an image, in the order of ``id``, with ``id`` (Int64; lowest id of the notifications that
        tell of it), ``image`` (String), ``created_at`` (Datetime, UTC), ``tenant`` (String), ``size``
        (Int64) [B], ``deployment``, ``host`` (String): what the first notification tells.

    Source: ``image.activate``.

    Examples
    --------
    >>> sa.images(lake, image="nothing").height
    0
    """
    return lake.sql(
        """
        from images
        where ($image::varchar is null or image = $image)
            and ($tenant::varchar is null or tenant = $tenant)
            and ($deployment::varchar is null or deployment = $deployment)
            and ($start::timestamptz is null or created_at >= $start)
            and ($end::timestamptz is null or created_at < $end)
        order by id
        """,
        {"image": image, "tenant": tenant, "deployment": deployment, **bounds(start, end)},
        holding={"resource": image},
    ).cast(polars_schema(*IMAGE_COLUMNS))


def image_deletes(
    lake: Lake,
    *,
    image: str | None = None,
    deployment: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> pl.DataFrame:
    """Return the images that were deleted.

    Parameters
    ----------
    lake
        The lake to ask.
    image
        Only this image (uuid).
    deployment
        Only those that this deployment told of last.
    start, end
        Only those deleted in ``[start, end)``.

    Returns
    -------
    polars.DataFrame
        A row an image, in the order of ``id``, with ``id`` (Int64; lowest id of the notifications that
        tell of it), ``image`` (String), ``deleted_at`` (Datetime, UTC), ``deployment``, ``host``
        (String): what the last notification tells.

    Source: ``image.delete``.

    Examples
    --------
    >>> sa.image_deletes(lake, image="nothing").height
    0
    """
    return lake.sql(
        """
        from image_deletes
        where ($image::varchar is null or image = $image)
            and ($deployment::varchar is null or deployment = $deployment)
            and ($start::timestamptz is null or deleted_at >= $start)
            and ($end::timestamptz is null or deleted_at < $end)
        order by id
        """,
        {"image": image, "deployment": deployment, **bounds(start, end)},
        holding={"resource": image},
    ).cast(polars_schema(*IMAGE_DELETE_COLUMNS))


def image_exists(
    lake: Lake,
    *,
    image: str | None = None,
    tenant: str | None = None,
    deployment: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> pl.DataFrame:
    """Return the exists records of images: which existed in an audit period.

    One notification tells of all images of an owner, or of a page of them; images of which it does
    not tell when they were created are left out.

    Parameters
    ----------
    lake
        The lake to ask.
    image, tenant
        Only those of this image (uuid), of this project.
    deployment
        Only those that this deployment sent.
    start, end
        Only those received in ``[start, end)``.

    Returns
    -------
    polars.DataFrame
        A row a record, in the order of ``id``, with

        * ``id`` (Int64): 1024 times the id of the notification, and the place of the image in it,
          counted from 0 (pages have fewer images than that)
        * ``notification_id`` (Int64), ``message_id``, ``image``, ``tenant`` (String), ``size`` (Int64) [B]
        * ``created_at``, ``deleted_at``, ``audit_period_beginning``, ``audit_period_ending``
          (Datetime, UTC)
        * ``deployment``, ``host`` (String): who sent it
        * ``received_at`` (Datetime, UTC): when the notification was made

    Source: ``image.exists``, which is no notification of upstream's glance.

    Examples
    --------
    >>> sa.image_exists(lake, image="nothing").height
    0
    """
    return lake.sql(
        """
        from image_exists_of($first_day, $last_day)
        where ($image::varchar is null or image = $image)
            and ($tenant::varchar is null or tenant = $tenant)
            and ($deployment::varchar is null or deployment = $deployment)
            and ($start::timestamptz is null or received_at >= $start)
            and ($end::timestamptz is null or received_at < $end)
        order by id
        """,
        {"image": image, "tenant": tenant, "deployment": deployment, **bounds_and_days(start, end)},
    ).cast(polars_schema(*IMAGE_EXISTS_COLUMNS))
