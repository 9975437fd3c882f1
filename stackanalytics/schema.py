"""The field dictionary: every column of every table and answer, defined once.

A quantity has the same name, type, unit and meaning wherever it occurs. Instants end in ``_at``,
durations in ``_s`` (seconds), flags begin with ``is_``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import polars as pl
import pyarrow as pa

INSTANT = pa.timestamp("us", "UTC")
DIFFERENCES = pa.list_(
    pa.struct([("field", pa.string()), ("recorded_value", pa.string()), ("nova_value", pa.string())])
)

TENANT_TYPES = pa.list_(pa.struct([("name", pa.string()), ("value", pa.string())]))


@dataclass(frozen=True, slots=True)
class Field:
    """One column: its name, Arrow type, meaning and, where it has one, its unit."""

    name: str
    type: pa.DataType
    meaning: str
    unit: str | None = None


def _dictionary(*fields: Field) -> Mapping[str, Field]:
    return MappingProxyType({field.name: field for field in fields})


_FAILURES = {
    "4xx": "failed with an exception of a code from 400 to 499",
    "5xx": "failed with an exception of a code from 500 to 599",
    "slow": "took too long",
    "state": "left the instance in the state error",
    "http": "told of an error without such a code",
}

FIELDS = _dictionary(
    # a notification: what identifies it
    Field("id", pa.int64(), "number of the notification, unique in the lake, growing with landing"),
    Field("generated_at", INSTANT, "when the service made the notification, by its own clock"),
    Field("instance", pa.string(), "uuid of the nova instance it is about"),
    Field("request_id", pa.string(), "id of the API request that caused it, with its req- prefix"),
    Field("message_id", pa.string(), "id that the sender gave the message"),
    Field("deployment", pa.string(), "name of the region or cell that it came from"),
    Field("exchange", pa.string(), "exchange of the sending service: nova, glance, cinder …"),
    Field("event_type", pa.string(), "event type as sent"),
    Field("operation", pa.string(), "event type without .start, .end or .error, in its legacy spelling"),
    Field("phase", pa.string(), "start, end or error"),
    Field("format", pa.string(), "legacy or versioned"),
    Field("routing_key", pa.string(), "topic and priority, such as notifications.info"),
    Field("priority", pa.string(), "priority in upper case: INFO, ERROR …"),
    Field("publisher_id", pa.string(), "sender as given"),
    Field("service", pa.string(), "the sender before its first . or :; of a verification nova or glance"),
    Field("host", pa.string(), "the sender after its first . or :"),
    # who and what
    Field("tenant", pa.string(), "project that owns the thing, else the project of the caller"),
    Field("user", pa.string(), "user who owns the thing, else the caller"),
    Field("resource", pa.string(), "uuid of the thing it is about: instance, image, volume, port …"),
    Field("state", pa.string(), "state of the instance"),
    Field("old_state", pa.string(), "state before"),
    Field("task", pa.string(), "new task state"),
    Field("old_task", pa.string(), "task state before"),
    # the thing
    Field("image_type", pa.int32(), "bits of the image: 1 base, 2 snapshot, 0x10 linux, 0x20 windows …"),
    Field("os_architecture", pa.string(), "architecture from the image metadata"),
    Field("os_distro", pa.string(), "distribution from the image metadata"),
    Field("os_version", pa.string(), "version of the distribution from the image metadata"),
    Field("rax_options", pa.string(), "option bits from the image metadata"),
    Field("instance_type", pa.string(), "name of the flavor"),
    Field("instance_type_id", pa.string(), "internal id of the flavor"),
    Field("instance_flavor_id", pa.string(), "public id of the flavor"),
    Field("memory_mb", pa.int64(), "memory of the flavor", "MiB"),
    Field("vcpus", pa.int64(), "virtual processors of the flavor"),
    Field("root_gb", pa.int64(), "root disk of the flavor", "GiB"),
    Field("ephemeral_gb", pa.int64(), "ephemeral disk of the flavor", "GiB"),
    Field("launched_at", INSTANT, "when the instance was launched"),
    Field("deleted_at", INSTANT, "when the thing was deleted"),
    Field("terminated_at", INSTANT, "when the instance was terminated"),
    Field("audit_period_beginning", INSTANT, "begin of the audit period"),
    Field("audit_period_ending", INSTANT, "end of the audit period"),
    Field("message", pa.string(), "text of the outcome"),
    Field("bandwidth_public_out", pa.int64(), "traffic sent to the public network", "B"),
    Field("status", pa.string(), "status of an image, a volume, a port …; of an exists record pending, verified …"),
    Field("size", pa.int64(), "size of the thing, in the unit of its service (image: B, volume: GiB)"),
    Field("created_at", INSTANT, "when the thing was created"),
    Field("landed_at", INSTANT, "when it was written into the lake"),
    Field("is_conflict", pa.bool_(), "another message with the same id and other content came before it"),
    Field("body", pa.string(), "the body as received, secrets redacted"),
    # a dead letter
    Field("key", pa.string(), "hash of the bytes"),
    Field("origin", pa.string(), "file or queue that it came from, with the line"),
    Field("reason", pa.string(), "why it could not be landed"),
    Field("content", pa.binary(), "the bytes as received, secrets redacted"),
    Field("date", pa.date32(), "day (UTC) that the table is partitioned by"),
    # a description of a lake
    Field("table", pa.string(), "name of the table"),
    Field("version", pa.int64(), "version of the table"),
    Field("rows", pa.int64(), "how many rows it has"),
    Field("files", pa.int64(), "how many data files it has"),
    Field("bytes", pa.int64(), "size of its data files", "B"),
    Field("first_date", pa.date32(), "first day (UTC) that it has rows of"),
    Field("last_date", pa.date32(), "last day (UTC) that it has rows of"),
    # a usage record and what became of it
    Field("image", pa.string(), "uuid of the glance image it is about"),
    Field("notification_id", pa.int64(), "id of the notification that it is part of"),
    Field("received_at", INSTANT, "when the service made the notification that it came with"),
    Field(
        "sequence", pa.int64(), "number of the result, growing: of one record the highest counts; of a posted sample"
    ),
    Field("exists_id", pa.int64(), "id of the exists record that was verified"),
    Field("verdict", pa.string(), "verified, reconciled or failed"),
    Field("reason_kind", pa.string(), "why it failed: not_found, ambiguous, mismatch, null_field …"),
    Field("reason_field", pa.string(), "field that it failed at, or fields that were searched by"),
    Field("reason_exists_value", pa.string(), "what the exists record has there"),
    Field("reason_other_value", pa.string(), "what the other record has there"),
    Field("reason_entity", pa.string(), "kind of the other record, by its StackTach name: InstanceUsage …"),
    Field("gap", pa.string(), "what is wrong: launch_without_exists, exists_without_launch, duplicate, overlap"),
    Field("other_exists_id", pa.int64(), "id of the exists record that told it before"),
    Field("former_verdict", pa.string(), "verdict that counted before"),
    Field("verified_at", INSTANT, "when it was verified"),
    Field("source", pa.string(), "who said so"),
    Field("reconciled_at", INSTANT, "when it was reconciled"),
    # answers
    Field("timing_state", pa.string(), "'.' start and end known, 'S' only the start, 'E' only the end"),
    Field("started_at", INSTANT, "when it started"),
    Field("ended_at", INSTANT, "when it ended"),
    Field("duration_s", pa.float64(), "time between start and end; negative where clocks disagree", "s"),
    Field("start_id", pa.int64(), "id of the starting notification"),
    Field("end_id", pa.int64(), "id of the ending notification"),
    Field("start_host", pa.string(), "host that sent the start"),
    Field("end_host", pa.string(), "host that sent the end"),
    Field("count", pa.int64(), "how many"),
    Field("min_s", pa.float64(), "shortest duration", "s"),
    Field("max_s", pa.float64(), "longest duration", "s"),
    Field("mean_s", pa.float64(), "mean duration", "s"),
    Field("median_s", pa.float64(), "median duration", "s"),
    Field("p95_s", pa.float64(), "95th percentile of the durations, interpolated", "s"),
    Field("lower_s", pa.float64(), "lower bound of a class of durations, included", "s"),
    Field("upper_s", pa.float64(), "upper bound of a class of durations, excluded", "s"),
    Field("first_at", INSTANT, "time of the first one"),
    Field("last_at", INSTANT, "time of the last one"),
    Field("unfinished", pa.int64(), "starts without an end"),
    Field("name", pa.string(), "name"),
    # what nova says of an instance, and how usage records compare with it
    Field("is_deleted", pa.bool_(), "whether nova says that the instance is deleted"),
    Field("launch_id", pa.int64(), "id of the launch that no exists record was received of"),
    Field("region", pa.string(), "region that the deployment belongs to"),
    Field(
        "match_code",
        pa.int64(),
        "0 equal, 1 fields differ, 2 deletion times differ, 3 nova says alive, 4 nova says deleted",
    ),
    Field("differences", DIFFERENCES, "fields that differ, with the value of the record and that of nova"),
    Field("outcome", pa.string(), "reconciled, differs, exists_expected, not_found or no_source"),
    Field("action", pa.string(), "what a request did: create, rebuild, rescue, resize, snapshot, or aux"),
    Field("failure", pa.string(), "how an attempt failed: 4xx, 5xx, slow, state or http"),
    Field("error_code", pa.string(), "code of an exception, as sent"),
    Field("error_id", pa.int64(), "id of the last notification from an error queue"),
    Field("failure_id", pa.int64(), "id of the last notification that tells of a failure which was not mended"),
    Field("exception", pa.string(), "JSON of an exception"),
    Field("is_error", pa.bool_(), "came over an error queue or, where no routing key is known, with priority ERROR"),
    # reports on what requests did
    Field("image_kind", pa.string(), "kind of the image: base, snap, or ?"),
    Field("os_type", pa.string(), "operating system of the image: linux, windows, or ?"),
    Field("percentile_s", pa.float64(), "a percentile of the durations, one of them", "s"),
    Field("requests", pa.int64(), "how many requests"),
    *(
        field
        for kind, meaning in _FAILURES.items()
        for field in (
            Field(f"failures_{kind}", pa.int64(), f"how many {meaning}"),
            Field(f"share_{kind}", pa.float64(), f"how many of the requests {meaning}, as a fraction of 1"),
        )
    ),
    Field("failures", pa.int64(), "how many requests failed in any of the ways that StackTach counts"),
    Field("share", pa.float64(), "how many that is of all, as a fraction of 1"),
    # what was used, and by whom
    Field("account_name", pa.string(), "name of the tenant, as billing told it"),
    Field("tenant_types", TENANT_TYPES, "types of the tenant by their names, such as a billing_type, in order"),
    Field("flavor_class", pa.string(), "flavor up to its first dash; standard without one, unknown without a flavor"),
    Field("flavor_units", pa.float64(), "size of the flavor: its memory in units of 256 MiB"),
    Field("records", pa.int64(), "how many exists records tell of it"),
    Field("used_s", pa.float64(), "time that it existed in a period", "s"),
    Field("hours", pa.int64(), "that time, rounded up to whole hours for each launch", "h"),
    Field("unit_hours", pa.float64(), "those hours times the units of the flavor", "h"),
    Field("breakdown", pa.string(), "by what is added up: flavor, flavor_class or the name of a tenant type"),
    Field("key", pa.string(), "the one value of it that is meant"),
    Field("count_share", pa.float64(), "how much the count is of all, as a fraction of 1"),
    Field("unit_hours_share", pa.float64(), "how much the unit hours are of all, as a fraction of 1"),
    Field("ranked_by", pa.string(), "what is compared: count or unit_hours"),
    Field("rank", pa.int64(), "place in that order, from 1"),
    Field("type_name", pa.string(), "name of a tenant type, such as billing_type"),
    Field("type_value", pa.string(), "value of that type"),
    # what an audit of usage finds
    Field("audit", pa.string(), "kind of an exists record: periodic, instantaneous, longer or unknown"),
    Field("image_id", pa.int64(), "id of the image that an exists record should tell of"),
    Field("is_new", pa.bool_(), "whether it came to life in the period"),
    Field("has_exists", pa.bool_(), "whether an exists record of the period tells of it"),
    Field("is_instance_told", pa.bool_(), "whether any exists record of the period tells of its instance"),
    Field("is_first", pa.bool_(), "whether it is the first launch of its instance that a period should tell of"),
    Field("problem", pa.string(), "exists_failed, launch_without_exists or image_without_exists"),
    Field("new", pa.int64(), "how many came to life in the period"),
    Field("old", pa.int64(), "how many were there before"),
    Field("without_exists", pa.int64(), "how often an exists record is missing; of an instance without any, once"),
    Field("failed", pa.int64(), "how many exists records failed verification"),
    Field("instances", pa.int64(), "how many instances"),
    # a sample: what was measured, and when
    Field(
        "sample_id",
        pa.string(),
        "id of the sample: as landed, given when it was posted, or made of what identifies its notification and meter",
    ),
    Field("meter", pa.string(), "name of what is measured"),
    Field("meter_type", pa.string(), "gauge (a level), delta (a change) or cumulative (a total that grows)"),
    Field("unit", pa.string(), "unit of the volume, as its service calls it"),
    Field("volume", pa.float64(), "what was measured, in that unit"),
    Field("measured_at", INSTANT, "when it was measured"),
    Field("recorded_at", INSTANT, "when it was written into the lake, or where it comes from"),
    Field("metadata", pa.string(), "JSON of what else was known of the resource then"),
    # statistics of samples
    Field("period_s", pa.float64(), "length of the period", "s"),
    Field("period_start_at", INSTANT, "begin of the period, or the first sample where none was asked for"),
    Field("period_end_at", INSTANT, "end of the period, or the last sample where none was asked for"),
    Field("min", pa.float64(), "lowest volume"),
    Field("max", pa.float64(), "highest volume"),
    Field("avg", pa.float64(), "mean of the volumes"),
    Field("sum", pa.float64(), "sum of the volumes"),
    Field("duration_start_at", INSTANT, "first sample, or the begin of what was asked for"),
    Field("duration_end_at", INSTANT, "last sample, or the end of what was asked for"),
    Field("known_s", pa.float64(), "how long volumes held: each until the next of its series", "s"),
    Field("above_s", pa.float64(), "how long of that they were above a threshold", "s"),
    Field("above_share", pa.float64(), "how long that is, as a fraction of 1"),
    Field("runs", pa.int64(), "how often they went above it"),
    Field("longest_run_s", pa.float64(), "longest time that they were above it without interruption", "s"),
    Field("longest_run_start_at", INSTANT, "begin of that"),
    Field("longest_run_end_at", INSTANT, "end of that"),
    Field("lower", pa.float64(), "lower bound of a class of volumes, included, in their unit"),
    Field("upper", pa.float64(), "upper bound of a class of volumes, excluded, in their unit"),
    # a trait of an event
    Field("trait", pa.string(), "name of what is known of the event"),
    Field("trait_type", pa.string(), "string, integer, float or datetime"),
    Field("value", pa.string(), "what it is, as text"),
    # what billing told about a usage record
    Field("fail_reason", pa.string(), "why an exists record failed, in words"),
    Field("launch_id", pa.int64(), "id of the launch, or of the image, that an exists record is about"),
    Field("delete_id", pa.int64(), "id of the deletion that an exists record tells of"),
    Field("send_status", pa.int64(), "HTTP status of the system that took the record; 0 where none told"),
    Field("event_id", pa.string(), "id that the system that took the record gave it"),
)


@dataclass(frozen=True, slots=True)
class Table:
    """A stored table: its fields in order, what it is partitioned by, and what SQL calls its rows."""

    name: str
    fields: tuple[str, ...]
    partition: str = "date"
    stored_name: str | None = None

    @property
    def view(self) -> str:
        """The name of its rows in SQL: that of the table, unless a noun of this name tells more."""
        return self.stored_name or self.name

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema, partition column last."""
        return arrow_schema(*self.fields, self.partition)


def arrow_schema(*names: str) -> pa.Schema:
    """Return the Arrow schema of the named fields."""
    return pa.schema([pa.field(name, FIELDS[name].type) for name in names])


def polars_schema(*names: str) -> pl.Schema:
    """Return the polars dtypes of the named fields."""
    return pl.DataFrame(pa.Table.from_batches([], arrow_schema(*names))).schema


def described(frame: pl.DataFrame) -> pa.Table:
    """Return a frame as an Arrow table that tells what its columns are.

    Every column of the dictionary carries ``meaning`` and, where it has one, ``unit`` as its
    metadata; the table carries both of all columns, as JSON under ``columns``, for readers that
    look at no more than the metadata of a file.
    """
    table = frame.to_arrow()
    known = {name: _description(FIELDS[name]) for name in table.column_names if name in FIELDS}
    fields = [field.with_metadata(known[field.name]) if field.name in known else field for field in table.schema]
    return table.cast(pa.schema(fields, {"columns": json.dumps(known, ensure_ascii=False)}))


def _description(field: Field) -> dict[str, str]:
    return {"meaning": field.meaning} if field.unit is None else {"meaning": field.meaning, "unit": field.unit}


NOTIFICATION_FIELDS = tuple(FIELDS)[: tuple(FIELDS).index("body") + 1]

INFO_FIELDS = ("table", "version", "rows", "files", "bytes", "first_date", "last_date")

# what usage is billed by; nova tells the same of an instance, and whether it is deleted
LAUNCH_FIELDS = (
    *("instance", "launched_at", "deleted_at", "instance_type_id", "instance_flavor_id", "tenant"),
    *("os_architecture", "os_distro", "os_version", "rax_options"),
)
NOVA_FIELDS = (*LAUNCH_FIELDS, "is_deleted")

NOTIFICATIONS = Table("notifications", NOTIFICATION_FIELDS)
DEAD_LETTERS = Table("dead_letters", ("key", "landed_at", "origin", "reason", "content"))
VERIFICATIONS = Table(
    "verifications",
    (
        *("sequence", "service", "exists_id", "deployment", "message_id", "verdict", "reason_kind", "reason_field"),
        *("reason_exists_value", "reason_other_value", "reason_entity", "verified_at"),
    ),
)
RECONCILIATIONS = Table("reconciliations", ("sequence", *LAUNCH_FIELDS, "source", "reconciled_at"))
# what a posted sample tells
SAMPLE_GIVEN = (
    *("sample_id", "meter", "meter_type", "unit", "volume", "resource", "tenant", "user", "source"),
    *("measured_at", "recorded_at", "metadata"),
)
SAMPLES = Table(
    "samples",
    (
        *("measured_at", "meter", "resource", "sample_id", "meter_type", "unit", "volume", "tenant", "user", "source"),
        *("recorded_at", "metadata", "sequence", "notification_id"),
    ),
    stored_name="stored_samples",
)
TABLES = (NOTIFICATIONS, DEAD_LETTERS, VERIFICATIONS, RECONCILIATIONS, SAMPLES)
LATER_TABLES = (VERIFICATIONS, RECONCILIATIONS, SAMPLES)  # lakes of former versions lack them until they are written to
