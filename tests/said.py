"""What nova says of two instances, as the tests of its sources tell and expect it."""

from datetime import UTC, datetime

import polars as pl

from stackanalytics.schema import NOVA_FIELDS, polars_schema

LIVING = "11111111-aaaa-4aaa-8aaa-000000000001"
DELETED = "22222222-bbbb-4bbb-8bbb-000000000002"
UNKNOWN = "33333333-cccc-4ccc-8ccc-000000000003"

SAID = pl.DataFrame(
    [
        {
            "instance": LIVING,
            "tenant": "74ff26",
            "instance_type_id": "5",
            "instance_flavor_id": "2",
            "launched_at": datetime(2026, 3, 1, 8, tzinfo=UTC),
            "deleted_at": None,
            "is_deleted": False,
            "os_architecture": "x64",
            "os_distro": "org.debian",
            "os_version": "12",
            "rax_options": "0",
        },
        {
            "instance": DELETED,
            "tenant": "74ff26",
            "instance_type_id": "6",
            "instance_flavor_id": "performance1-1",
            "launched_at": datetime(2026, 3, 1, 9, 30, 15, 250_000, tzinfo=UTC),
            "deleted_at": datetime(2026, 3, 2, 10, tzinfo=UTC),
            "is_deleted": True,
            "os_architecture": None,
            "os_distro": None,
            "os_version": None,
            "rax_options": None,
        },
    ],
    schema=polars_schema(*NOVA_FIELDS),
)
