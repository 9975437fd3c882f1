"""Reports: what the analyses answer, arranged for readers; a run of one can be stored."""

from collections.abc import Mapping
from types import MappingProxyType

from stackanalytics.errors import NotFoundError
from stackanalytics.reports.bandwidth import PUBLIC_OUTBOUND_BANDWIDTH
from stackanalytics.reports.error_detail import ERROR_DETAILS
from stackanalytics.reports.glance_audit import GLANCE_USAGE_AUDIT
from stackanalytics.reports.image_event import IMAGE_EVENTS_AUDIT
from stackanalytics.reports.instance_hour_total import INSTANCE_HOURS
from stackanalytics.reports.nova_audit import NOVA_USAGE_AUDIT
from stackanalytics.reports.operation_summary import OPERATION_SUMMARY
from stackanalytics.reports.report import Report

_ALL = (
    OPERATION_SUMMARY,
    ERROR_DETAILS,
    NOVA_USAGE_AUDIT,
    GLANCE_USAGE_AUDIT,
    IMAGE_EVENTS_AUDIT,
    PUBLIC_OUTBOUND_BANDWIDTH,
    INSTANCE_HOURS,
)
REPORTS: Mapping[str, Report] = MappingProxyType({report.name: report for report in _ALL})


def find_report(name: str) -> Report:
    """Return the report with a name.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    if name not in REPORTS:
        raise NotFoundError(f"no report {name!r}; there are {', '.join(REPORTS)}")
    return REPORTS[name]
