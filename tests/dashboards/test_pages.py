"""The pages as the server gets them, and as a browser shows them."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from shutil import which
from typing import Any

import polars as pl
import pytest
import requests

import dashboards
from dashboards.overview import EXAMPLES
from stackanalytics.reports import find_report
from stackanalytics.reports.report import Period
from stackanalytics.reports.store import Run, store
from stackanalytics.surfaces.route import first_sentence
from stackanalytics.testing import lake_of, notification, sample, samples_of

CHROMIUM = which("chromium") or which("chromium-browser") or which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update"]
HOSTILE = '<img src=x onerror="alert(1)">'
WAIT_MS = 60_000


def test_importing_pages_imports_no_panel() -> None:
    """The names of the pages cost nothing: Panel and the plotting libraries come with the first page."""
    code = "import sys, dashboards; dashboards.pages(); print({'panel', 'holoviews', 'bokeh'} & set(sys.modules))"

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "set()"


def test_preparing_pages_imports_what_they_need() -> None:
    """Every page can be prepared, after which its module and the plotting libraries are there."""
    code = (
        "import sys, dashboards\n"
        "for page in dashboards.pages().values(): page.prepare()\n"
        "needed = ('overview', 'timings', 'events', 'verification', 'reports', 'metering')\n"
        "print({'panel_material_ui', 'holoviews', *(f'dashboards.{name}' for name in needed)} - set(sys.modules))"
    )

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "set()"


def test_every_page_says_what_it_shows() -> None:
    """The server lists pages with the first line of their docstrings; the front page is one of them."""
    pages = dashboards.pages()

    assert set(pages) == {"", "timings", "events", "verification", "reports", "metering"}
    assert all(first_sentence(page).endswith(".") for page in pages.values())


def test_server_serves_pages_and_every_example(tmp_path: Path, served: Callable[[Path], str]) -> None:
    """Pages are HTML, and each address that the front page gives to copy is answered with JSON."""
    address = served(lake_of(tmp_path, [notification("compute.instance.create.end", "2026-03-02")]).path)

    for name in dashboards.pages():
        page = requests.get(f"{address}/{name}", timeout=60)
        assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html")
    for path in EXAMPLES:
        answer = requests.get(address + path, timeout=60)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
        assert answer.json()


@contextmanager
def browser() -> Iterator[Any]:
    """Open a browser; what goes wrong in it fails the test."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no browser driver: pip install playwright")
    if CHROMIUM is None:
        pytest.skip("no browser: install chromium")
    wrong: list[str] = []
    with playwright.sync_playwright() as driver, driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS) as opened:
        page = opened.new_page(viewport={"width": 1280, "height": 1600}, timezone_id="Europe/Berlin")
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("console", lambda said: wrong.append(f"console: {said.text}") if said.type == "error" else None)
        page.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: wrong.append(f"left: {request.url}") if _leaves(request.url) else None)
        yield page
    assert not wrong


def _leaves(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:"))


@pytest.fixture(scope="module")
def hostile(
    tmp_path_factory: pytest.TempPathFactory,
    served: Callable[[Path], str],
    timed: Callable[..., list[dict[str, object]]],
) -> str:
    """Return the address of a server over a lake with two operations, of which one has markup for names."""
    notifications = [
        *timed("compute.instance.create", "2026-03-02 10:00", "2026-03-02 10:00:20", "i-1"),
        *timed("compute.instance.create", "2026-03-02 11:00", "2026-03-02 11:01:23", "i-2"),
        *timed(f"compute.{HOSTILE}", "2026-03-02 12:00", "2026-03-02 12:00:05", HOSTILE, at=HOSTILE),
    ]
    return served(lake_of(tmp_path_factory.mktemp("lake"), notifications).path)


@pytest.mark.xdist_group("browser")
def test_from_the_front_page_to_an_event(hostile: str) -> None:
    """A visitor goes from the front page to the timings, an operation, its slowest instance and one event of it.

    Nothing goes wrong in the browser on the way, no request leaves the machine, and no name is
    taken for markup.
    """
    with browser() as page:
        page.goto(hostile)
        page.get_by_text("Event types").wait_for()
        page.get_by_text("6", exact=True).first.wait_for()

        page.get_by_role("link", name="How long operations take").click()
        page.get_by_text("1 min 23 s").first.wait_for()
        page.get_by_text(f"compute.{HOSTILE}").first.click()
        page.locator("h2", has_text=f"compute.{HOSTILE}").wait_for()
        page.wait_for_url("**/timings?operation=*")

        page.get_by_role("link", name=HOSTILE, exact=True).first.click()
        page.get_by_text("2 events in their order").wait_for()
        page.locator(".tabulator-row").first.click()
        page.get_by_text('"event_type": "compute.<img').wait_for()
        page.wait_for_url("**event=*")

        shared = page.url
        page.goto(shared)
        page.get_by_text('"event_type": "compute.<img').wait_for()


@pytest.mark.xdist_group("browser")
def test_filters_change_what_is_shown_and_the_address(hostile: str) -> None:
    """A deployment is chosen, a period is opened from an address, and the visitor goes back."""
    with browser() as page:
        page.goto(f"{hostile}/timings")
        page.get_by_text("1 min 23 s").first.wait_for()
        page.get_by_label("Deployment").click()
        page.locator(".MuiMenuItem-root", has_text=HOSTILE).click()
        page.get_by_text("No timings of this operation in this period.").wait_for()
        page.wait_for_url("**/timings?deployment=*")

        page.go_back()
        page.get_by_text("1 min 23 s").first.wait_for()

        page.goto(f"{hostile}/timings?start=2026-03-02T10:30&end=2026-03-02T11:30")
        page.get_by_text("1 min 23 s").first.wait_for()
        page.locator(".tabulator").nth(1).locator(".tabulator-row").wait_for()  # one and no more, or it fails

        page.goto(f"{hostile}/timings?start=2027-01-01")
        page.get_by_text("No timings in this period.").wait_for()

        page.goto(f"{hostile}/timings?start={HOSTILE}")
        page.get_by_text("is not a time").wait_for()


@pytest.mark.xdist_group("browser")
def test_a_report_is_chosen_and_its_files_are_there(tmp_path: Path, served: Callable[[Path], str]) -> None:
    """A visitor chooses a stored report, sees its rows, and each file that is linked can be had."""
    told = notification("compute.instance.update", "2026-03-02 10:00", instance="i-1", request_id="req-1")
    lake = lake_of(tmp_path, [told])
    day = Period.before(datetime(2026, 3, 3, tzinfo=UTC), "day")
    store(lake, Run(find_report("operation-summary"), day, {}), created_at=day.end)
    address = served(tmp_path)

    with browser() as page:
        page.goto(f"{address}/reports")
        page.get_by_text("summary for region: all", exact=True).click()
        page.get_by_text("summary for region: all, report 1").wait_for()
        page.wait_for_url("**/reports?report=1")
        page.get_by_text("Shortest").wait_for()
        links = [link.get_attribute("href") for link in page.get_by_text("rows.").all()]
        assert links == ["reports/1/rows.csv", "reports/1/rows.parquet"]
        assert all(requests.get(f"{address}/{link}", timeout=60).ok for link in links)

        page.goto(f"{address}/reports?report=7")
        page.get_by_text("There is no report 7.").wait_for()


@pytest.mark.xdist_group("browser")
def test_from_the_front_page_to_the_samples_of_a_meter(tmp_path: Path, served: Callable[[Path], str]) -> None:
    """A visitor searches a meter, draws another statistic by resource, gets the files, and follows a sample.

    Names are taken for no markup, and a query that cannot be read is told of below its field.
    """
    lake_of(tmp_path, [notification("compute.instance.create.end", "2026-03-02 10:00", instance="i-1")])
    measured = [("2026-03-02 10:00", 10, "i-1"), ("2026-03-02 10:30", 20, "i-1"), ("2026-03-02 11:00", 90, HOSTILE)]
    samples_of(
        tmp_path,
        [
            sample(name, at, volume, resource=resource, unit="%", metadata={"state": "active"})
            for name in ("cpu_util", f"other{HOSTILE}")
            for at, volume, resource in measured
        ],
    )
    address = served(tmp_path)
    with browser() as page:
        page.goto(address)
        page.get_by_role("link", name="What was measured").click()
        page.get_by_text(f"other{HOSTILE}").wait_for()
        page.get_by_label("Meter").fill("UTIL")
        page.get_by_role("option", name="cpu_util (gauge, %)").click()
        page.get_by_text("cpu_util, a gauge meter in %").wait_for()
        page.wait_for_url("**/metering?meter=cpu_util")
        page.get_by_text("Mean", exact=True).first.wait_for()

        page.goto(f"{address}/metering?meter=cpu_util&group=resource&period=hour")
        page.locator("li", has_text=HOSTILE).wait_for()
        page.get_by_label("Drawn").click()
        page.locator(".MuiMenuItem-root", has_text="Sum").click()
        page.wait_for_url("**statistic=sum")
        page.get_by_text("Statistics: 2 rows").wait_for()

        with page.expect_download() as download:
            page.get_by_role("button", name="CSV").click()
        assert download.value.suggested_filename == "cpu_util.csv"
        rows = pl.read_csv(download.value.path()).select("resource", "unit", "count", "sum").rows()
        assert rows == [("i-1", "%", 2, 30.0), (HOSTILE, "%", 1, 90.0)]
        with page.expect_download() as download:
            page.get_by_role("button", name="Parquet").click()
        assert pl.read_parquet(download.value.path())["sum"].to_list() == [30.0, 90.0]

        page.get_by_label("Query").fill("metadata.state=active;flavor=1")
        page.keyboard.press("Enter")
        page.locator(".Mui-error", has_text='Unknown argument: "flavor"').wait_for()
        page.get_by_label("Query").fill("volume<90")
        page.keyboard.press("Enter")
        page.get_by_text("Statistics: 1 row", exact=True).wait_for()

        page.get_by_role("link", name="i-1", exact=True).first.click()
        page.wait_for_url("**/events?resource=i-1")
        page.get_by_text("1 event", exact=True).wait_for()

        page.goto(f"{address}/metering?meter=other{HOSTILE}")
        page.locator("h2", has_text=f"other{HOSTILE}, a gauge").wait_for()


@pytest.mark.xdist_group("browser")
def test_front_page_follows_what_lands_and_stays_dark(tmp_path: Path, served: Callable[[Path], str]) -> None:
    """What lands while the page is open is counted on it; who chose dark has the next page dark."""
    address = served(lake_of(tmp_path, []).path)
    with browser() as page:
        page.goto(address)
        page.get_by_text("Nothing has landed yet.").wait_for()

        lake_of(tmp_path, [notification("image.create", "2026-03-02", deployment="north")])
        page.get_by_text("image.create").wait_for()

        page.get_by_role("button", name="Toggle theme").click()
        page.wait_for_function("document.cookie.includes('theme=dark')")
        page.goto(f"{address}/events")
        page.get_by_text("Give the id of an instance").wait_for()
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 18, 18)"
