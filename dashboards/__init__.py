"""Dashboards: a page a module, each given the lake by whoever shows it.

Panel and the plotting libraries take seconds to import. That is done when a page is prepared, as a
server does at its start, or first made.
"""

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from types import MappingProxyType

from stackanalytics.lake import Lake

NewestLake = Callable[[], Lake]
Page = Callable[[NewestLake], object]


def _in(module: str) -> Callable[[Page], Page]:
    """Give a page what prepares it: the import of its module."""

    def decorate(page: Page) -> Page:
        vars(page)["prepare"] = partial(import_module, module)
        return page

    return decorate


@_in("dashboards.overview")
def show_overview(current: NewestLake) -> object:
    """What the lake holds, and where to look at it."""
    from dashboards.overview import Overview

    return Overview(current).page()


@_in("dashboards.timings")
def show_timings(current: NewestLake) -> object:
    """How long operations on instances take."""
    from dashboards.timings import Timings

    return Timings(current).page()


@_in("dashboards.events")
def show_events(current: NewestLake) -> object:
    """What happened to an instance, or because of a request."""
    from dashboards.events import Events

    return Events(current).page()


@_in("dashboards.reports")
def show_reports(current: NewestLake) -> object:
    """Stored reports: as picture and table, and as files."""
    from dashboards.reports import Reports

    return Reports(current).page()


@_in("dashboards.verification")
def show_verification(current: NewestLake) -> object:
    """What verification says of usage records, and why some failed."""
    from dashboards.verification import Verification

    return Verification(current).page()


@_in("dashboards.metering")
def show_metering(current: NewestLake) -> object:
    """What was measured: statistics of a meter over time, and its samples."""
    from dashboards.metering import Metering

    return Metering(current).page()


def pages() -> Mapping[str, Page]:
    """Return the dashboards by the last part of their path; the one named ``""`` is the landing page.

    Each is a function that is given the lake as a function, calls that whenever it needs data
    (the lake grows), and returns what Panel can show.
    """
    return MappingProxyType(
        {
            "": show_overview,
            "timings": show_timings,
            "events": show_events,
            "verification": show_verification,
            "reports": show_reports,
            "metering": show_metering,
        }
    )
