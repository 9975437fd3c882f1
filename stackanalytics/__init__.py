"""OpenStack notifications on Parquet: events, timings, usage and meters."""

import stackanalytics.sources  # noqa: F401  # before the function of that name, which takes its place here
from stackanalytics.analytics.attempt import attempts
from stackanalytics.analytics.event import deployments, event, event_types, events, hosts
from stackanalytics.analytics.exists_failure import exists_failure_counts, exists_failures
from stackanalytics.analytics.exists_state import audit_statistics, exists_days, exists_states, exists_statistics
from stackanalytics.analytics.expected_usage import expected_images, expected_launches
from stackanalytics.analytics.instance_hour import instance_hours, tenants
from stackanalytics.analytics.meter import meters, projects, resource, resources, samples, sources, users
from stackanalytics.analytics.meter_distribution import volume_distribution
from stackanalytics.analytics.meter_gap import sample_gaps
from stackanalytics.analytics.meter_query import Condition
from stackanalytics.analytics.meter_statistic import statistics
from stackanalytics.analytics.meter_threshold import times_above
from stackanalytics.analytics.reason import fail_reason
from stackanalytics.analytics.reconciliation import disputes, reconcile
from stackanalytics.analytics.request_kpi import request_kpis, tenant_is_known
from stackanalytics.analytics.sample_query import query_samples
from stackanalytics.analytics.timing import (
    slowest_timings,
    timing_distribution,
    timing_summary,
    timings,
    unfinished_operations,
)
from stackanalytics.analytics.usage import deletes, exists, image_deletes, image_exists, images, launches
from stackanalytics.analytics.usage_gap import usage_gaps
from stackanalytics.analytics.usage_record import Criteria
from stackanalytics.analytics.verification import verify
from stackanalytics.errors import DataError, InputError, LakeError, NotFoundError, SourceError, StackanalyticsError
from stackanalytics.lake import Lake, open_lake
from stackanalytics.reports.bandwidth import public_outbound_bandwidth
from stackanalytics.reports.error_detail import error_details
from stackanalytics.reports.glance_audit import glance_usage_audit
from stackanalytics.reports.image_event import image_events_audit
from stackanalytics.reports.instance_hour_total import instance_hour_totals
from stackanalytics.reports.nova_audit import nova_usage_audit
from stackanalytics.reports.operation_summary import operation_summary

__all__ = [
    "Condition",
    "Criteria",
    "DataError",
    "InputError",
    "Lake",
    "LakeError",
    "NotFoundError",
    "SourceError",
    "StackanalyticsError",
    "attempts",
    "audit_statistics",
    "deletes",
    "deployments",
    "disputes",
    "error_details",
    "event",
    "event_types",
    "events",
    "exists",
    "exists_days",
    "exists_failure_counts",
    "exists_failures",
    "exists_states",
    "exists_statistics",
    "expected_images",
    "expected_launches",
    "fail_reason",
    "glance_usage_audit",
    "hosts",
    "image_deletes",
    "image_events_audit",
    "image_exists",
    "images",
    "instance_hour_totals",
    "instance_hours",
    "launches",
    "meters",
    "nova_usage_audit",
    "open_lake",
    "operation_summary",
    "projects",
    "public_outbound_bandwidth",
    "query_samples",
    "reconcile",
    "request_kpis",
    "resource",
    "resources",
    "sample_gaps",
    "samples",
    "slowest_timings",
    "sources",
    "statistics",
    "tenant_is_known",
    "tenants",
    "times_above",
    "timing_distribution",
    "timing_summary",
    "timings",
    "unfinished_operations",
    "usage_gaps",
    "users",
    "verify",
    "volume_distribution",
]
