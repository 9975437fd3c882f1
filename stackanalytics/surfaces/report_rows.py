"""Reports as stacky shows them: what a report is about, headers, and rows.

StackTach stored some of its reports as objects, which stacky cannot show; here all have the
documented form. ``report_format`` is ``json`` where the rows are objects instead of cells, which
stacky then prints as they are.

Source: StackTach's documentation of ``stacky/report`` and its reports.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, TypeAlias

import msgspec
import polars as pl

from stackanalytics.lake.state import StoredReport
from stackanalytics.reports.operation_summary import FAILURES, OPERATION_SUMMARY
from stackanalytics.reports.report import Frames, Parameters
from stackanalytics.reports.store import Run, parameters_of
from stackanalytics.surfaces.encoding import short_duration, table, unixtime
from stackanalytics.times import from_unix

Rows: TypeAlias = list[object]

UNKNOWN_ACCOUNT = "unknown account"

_IMAGE_BITS = MappingProxyType(
    {
        0x1: "base",
        0x2: "snapshot",
        0x10: "linux",
        0x20: "windows",
        0x40: "freebsd",
        0x100: "ubuntu",
        0x200: "debian",
        0x400: "centos",
        0x800: "rhel",
    }
)


def report_rows(entry: StoredReport, frames: Frames) -> Rows:
    """Return a stored report in rows."""
    return _rows(entry.name, entry.version, entry.period_start, entry.period_end, parameters_of(entry), frames)


def shown_rows(run: Run, frames: Frames) -> Rows:
    """Return a report that is not stored in rows."""
    parameters = {"report": run.report.name, **run.report.parameters(run.parameters)}
    end = run.report.shown_end(run.period)
    return _rows(run.title, run.report.version, run.period.start, end, parameters, frames)


def _rows(title: str, version: int, start: datetime, end: datetime, parameters: Parameters, frames: Frames) -> Rows:
    about = {"name": title, "version": version, "start": unixtime(start), "end": unixtime(end)}
    given = {name: value for name, value in parameters.items() if name != "report"}
    return _ENCODERS.get(parameters.get("report", ""), _plain)(about, frames, given)


def _plain(about: dict[str, Any], frames: Frames, parameters: Parameters) -> Rows:
    rows = frames["rows"]
    return [{**about, **parameters}, *table(rows.columns, rows.rows())]


def _operation_summary(about: dict[str, Any], frames: Frames, parameters: Parameters) -> Rows:
    (total,) = frames["summary"].to_dicts()
    percentile, late = parameters["percentile"], f"> {int(parameters['slow_s'] // 60)}"
    labels = dict(zip(FAILURES, ("4xx", "5xx", late, "state"), strict=True))
    region = parameters["region"]
    about |= {
        "percentile": _whole(percentile),
        "pct": (100 - percentile) / 2 / 100,
        "hours": OPERATION_SUMMARY.period_of(from_unix(about["start"]), from_unix(about["end"])).hours,
        "region": None if region is None else region.upper(),
        "cells": frames["deployments"]["name"].to_list(),
        "total": total["requests"],
        **{f"{label} failure count": total[f"failures_{kind}"] for kind, label in labels.items()},
        **{f"{label} failure percentage": 100 * total[f"share_{kind}"] for kind, label in labels.items()},
        "http failure count": total["failures_http"],
        "failure_grand_total": total["failures"],
        "failure_grand_rate": 100 * total["share"],
    }
    headers = ["Operation", "Image", "OS Type", "Min", "Max", "Med", f"{_whole(percentile)}%", "Requests"]
    for label in labels.values():
        headers += [label, f"% {label}"]
    return [about, *table(headers, [_operation_row(row) for row in frames["rows"].iter_rows(named=True)])]


def _operation_row(row: Mapping[str, Any]) -> list[object]:
    durations = [short_duration(row[name]) for name in ("min_s", "max_s", "median_s", "percentile_s")]
    failures = [row[f"{what}_{kind}"] for kind in FAILURES for what in ("failures", "share")]
    return [row["action"], row["image_kind"], row["os_type"], *durations, row["requests"], *failures]


def _error_details(about: dict[str, Any], frames: Frames, parameters: Parameters) -> Rows:
    rows = frames["rows"]
    by_instance = rows.group_by("instance", maintain_order=True).agg("request_id")
    about |= {
        "report_format": "json",
        "instances": dict(by_instance.iter_rows()),
        "exception_counts": dict(frames["reason"].iter_rows()),
        "event_counts": dict(frames["event_type"].iter_rows()),
        "tenant_issues": dict(frames["tenant"].iter_rows()),
        "codes": dict(frames["error_code"].iter_rows()),
    }
    steps = dict(frames["steps"].group_by("request_id", "instance", maintain_order=True))
    late = f"> {int(parameters['slow_s'] // 60)}"
    return [about, *(_error_row(row, steps, late) for row in rows.iter_rows(named=True))]


def _error_row(row: Mapping[str, Any], steps: Mapping[tuple[Any, ...], pl.DataFrame], late: str) -> dict[str, object]:
    told = steps[row["request_id"], row["instance"]]
    detail = told.select("host", "old_state", "state", "old_task", "task", event="event_type").to_dicts()
    shown = {
        "req": row["request_id"],
        "uuid": row["instance"],
        "tenant": row["tenant"],
        "duration": f"{row['duration_s'] / 60:.2f} minutes",
        "operation": "n/a" if row["action"] == "aux" else row["action"],
        "platform": [name for bit, name in _IMAGE_BITS.items() if row["image_type"] & bit],
        "event_id": row["failure_id"],
        "service": row["service"],
        "host": row["host"],
        "deployment": row["deployment"],
        "event": row["event_type"],
        "when": row["generated_at"],
        "failure_type": row["error_code"] or (late if row["failure"] == "slow" else row["failure"]),
        "details": detail,
    }
    if row["exception"] is not None:
        shown["exception"] = msgspec.json.decode(row["exception"])
    return shown


def _nova_audit(about: dict[str, Any], frames: Frames, parameters: Parameters) -> Rows:
    (total,) = frames["summary"].to_dicts()
    launches = {"new_launches": total["new"], "old_launches": total["old"], "failures": total["without_exists"]}
    about |= {f"summary.launch_summary.{name}": count for name, count in launches.items()}
    for audit, name, count in frames["statistics"].filter(pl.col("audit") != "longer").iter_rows():
        about[f"summary.verifier.{audit}.{name}"] = count
    headers = ["Object", "Row ID", "Error Description", "Reconciled?", "Cell", "Compute"]
    return [about, *table(headers, [_nova_problem(row) for row in frames["rows"].iter_rows(named=True)])]


def _nova_problem(row: Mapping[str, Any]) -> list[object]:
    where = [row["deployment"] or "-", row["host"] or "-"]
    if row["problem"] == "exists_failed":
        return ["Exist", row["exists_id"], row["fail_reason"], "-", *where]
    launch_id = "-" if row["launch_id"] is None else row["launch_id"]
    return ["Launch", launch_id, row["fail_reason"], "N", *where]


def _glance_audit(about: dict[str, Any], frames: Frames, parameters: Parameters) -> Rows:
    (total,) = frames["summary"].to_dicts()
    exists: dict[str, Any] = {}
    for name, count in frames["statistics"].filter(audit="periodic").select("name", "count").iter_rows():
        group, _, answer = name.partition(".")
        if answer:
            exists.setdefault(group, {})[answer] = count
        else:
            exists[name] = count
    images = {"new_images": total["new"], "old_images": total["old"], "failures": total["without_exists"]}
    about["summary"] = {"verifier": {"exists": exists}, "image_summary": images}
    rows = [_glance_problem(row) for row in frames["rows"].iter_rows(named=True)]
    return [about, *table(["Object", "ID", "Error Description"], rows)]


def _glance_problem(row: Mapping[str, Any]) -> list[object]:
    if row["problem"] == "exists_failed":
        return ["Exist", row["exists_id"], row["fail_reason"]]
    return ["Usage", row["image_id"], row["fail_reason"]]


def _image_events(about: dict[str, Any], frames: Frames, parameters: Parameters) -> Rows:
    counts = dict(frames["rows"].iter_rows())
    return [about | counts, *table(["Event", "Count"], map(list, counts.items()))]


def _bandwidth(about: dict[str, Any], frames: Frames, parameters: Parameters) -> Rows:
    (total,) = frames["summary"].to_dicts()
    about |= {**parameters, "total_public_outbound_bandwidth": total["bandwidth_public_out"]}
    rows = [
        [row["tenant"], row["account_name"] or UNKNOWN_ACCOUNT, row["instances"], row["bandwidth_public_out"]]
        for row in frames["rows"].iter_rows(named=True)
    ]
    return [about, *table(["Tenant", "Account", "Instances", "Bytes"], rows)]


def _instance_hours(about: dict[str, Any], frames: Frames, parameters: Parameters) -> Rows:
    (total,) = frames["summary"].to_dicts()
    about |= {
        **parameters,
        "total_instance_count": total["count"],
        "total_record_count": total["records"],
        "total_seconds": total["used_s"],
        "total_hours": total["hours"],
        "total_unit_hours": total["unit_hours"],
    }
    headers = ["Breakdown", "Key", "Name", "Count", "% Count", "Unit Hours", "% Unit Hours"]
    rows = [
        *(_amounts(row["breakdown"], row["key"], row["name"], row) for row in frames["rows"].iter_rows(named=True)),
        *(
            _amounts(
                f"top_hundred_by_{row['ranked_by']}.{row['type_name']}.{row['type_value']}",
                row["tenant"],
                row["account_name"] or UNKNOWN_ACCOUNT,
                row,
            )
            for row in frames["top"].iter_rows(named=True)
        ),
    ]
    return [about, *table(headers, rows)]


def _amounts(breakdown: str, key: str | None, name: str | None, row: Mapping[str, Any]) -> list[object]:
    """Return one line of instance hours, in percent."""
    return [
        *(breakdown, key, name, row["count"], 100 * row["count_share"]),
        *(row["unit_hours"], 100 * row["unit_hours_share"]),
    ]


def _whole(number: float) -> float | int:
    return int(number) if number == int(number) else number


_ENCODERS: Mapping[str, Callable[[dict[str, Any], Frames, Parameters], Rows]] = MappingProxyType(
    {
        "operation-summary": _operation_summary,
        "error-details": _error_details,
        "nova-usage-audit": _nova_audit,
        "glance-usage-audit": _glance_audit,
        "image-events-audit": _image_events,
        "public-outbound-bandwidth": _bandwidth,
        "instance-hours": _instance_hours,
    }
)
