"""The server over HTTP: its routes, its errors, and what the stacky command line needs of it."""

import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from serving import running

from stackanalytics import times
from stackanalytics.lake import Lake
from stackanalytics.surfaces import server, stacky
from stackanalytics.surfaces.encoding import error_table
from stackanalytics.surfaces.route import Request, Route, Surface
from stackanalytics.testing import lake_of, notification

INSTANCE = "77e0f192-00a2-4f14-ad56-7467897828ea"
REQUEST = "req-a7517402-6192-4d0a-85a1-e14051790d5a"

# for each path, queries that cannot be answered; a path that takes no parameters has none
PAGES = ["limit=-1", "limit=x", "limit=1.5", "offset=-1", "offset=x"]
TIMES = ["when_min=x", "when_max=x", "when_min=1e30", "when_max=nan"]
SERVICE = ["service=cinder", "service=Nova"]
LISTS = {
    "/db/usage/launches/": "launched_at",
    "/db/usage/nova/launches/": "launched_at",
    "/db/usage/deletes/": "deleted_at",
    "/db/usage/nova/deletes/": "deleted_at",
    "/db/usage/exists/": "received",
    "/db/usage/nova/exists/": "audit_period_ending",
    "/db/usage/glance/images/": "created_at",
    "/db/usage/glance/deletes/": "deleted_at",
    "/db/usage/glance/exists/": "received",
}
# of Ceilometer's interface, below /v2 and without that
METERING = ["bogus=1", "s=x", "q.field=bogus&q.value=1", "q.field=source&q.op=lt&q.value=1", "q=1"]
METERING_PAGES = [*METERING, "limit=0", "limit=-1", "limit=1.5", "limit=x", "offset=-1", "limit=1&limit=2"]
METERED = {
    "/meters": [*METERING_PAGES, "unique=x", "q.field=timestamp&q.op=lt&q.value=2014"],
    "/meters/<meter>": METERING_PAGES,
    "/meters/<meter>/statistics": [*METERING, "limit=1", "period=-1", "period=x", "aggregate.func=x", "groupby=x"],
    "/resources": [*METERING_PAGES, "meter_links=x"],
    "/resources/<id>": ["bogus=1", "s=x"],
}
ALARMS = ("/v2/alarms", "/v2/alarms/<id>", "/v2/alarms/<id>/<what>", "/v2/query/alarms", "/v2/query/alarms/<what>")
REFUSED = {
    **METERED,
    **{f"/v2{path}": queries for path, queries in METERED.items()},
    "/v2": ["bogus=1"],
    "/v2/samples": METERING_PAGES,
    "/v2/samples/<id>": ["", "limit=1"],
    "/v2/capabilities": ["bogus=1"],
    "/v2/event_types": ["bogus=1"],
    "/v2/event_types/<event_type>": [""],
    "/v2/event_types/<event_type>/traits": ["bogus=1", "s=x"],
    "/v2/event_types/<event_type>/traits/<trait>": ["bogus=1", "s=x", "limit=0"],
    "/v2/events": ["bogus=1", "s=x", "limit=0", "q.field=event_type&q.op=ne&q.value=x", "q.field=a&q.type=x&q.value=1"],
    "/v2/events/<message_id>": ["", "s=x"],
    **{path: [] for path in ALARMS},
    "/stacky/deployments/": [],
    "/stacky/events/": SERVICE,
    "/stacky/hosts/": SERVICE,
    "/stacky/uuid/": ["", "uuid=", "uuid=x", *(f"uuid={INSTANCE}&{bad}" for bad in PAGES + TIMES + SERVICE)],
    "/stacky/timings/": [
        "",
        "name=",
        *(f"name=x&{bad}" for bad in [*PAGES, "end_when_min=x", "end_when_max=x"]),
    ],
    "/stacky/timings/uuid/": ["", "uuid=x"],
    "/stacky/summary/": ["uuid=x", *PAGES],
    "/stacky/request/": ["", "request_id=x", *(f"request_id={REQUEST}&{bad}" for bad in PAGES + TIMES)],
    "/stacky/reports/": ["created_from=x", "created_to=x", *PAGES],
    "/stacky/reports/search/": ["id=x", "created=x", "period_start=x", "period_end=x", "bogus=1", *PAGES],
    "/stacky/report/<report_id>/": [],
    "/stacky/show/<event_id>/": SERVICE,
    "/stacky/watch/<deployment_id>/": ["since=x", "since=1e30", *SERVICE],
    "/stacky/search/": [
        "",
        "field=event",
        "value=1",
        "field=bogus&value=1",
        "field=id&value=x",
        "field=when&value=x",
        *(f"field=event&value=x&{bad}" for bad in PAGES + TIMES + SERVICE),
    ],
    "/stacky/kpi/": [],
    "/stacky/kpi/<tenant_id>/": [],
    "/stacky/usage/<kind>/": [""],
    **{
        path: [
            *(*PAGES, "order_by=x", "x_min=2014-01-01", "x_max=x", "id=x", "id_min=2014-01-01"),
            *(f"{time}=x", f"{time}_min=x", f"{time}_max=x", *([] if "glance" in path else ["instance=x"])),
        ]
        for path, time in LISTS.items()
    },
    **{f"{path}<id>/": [""] for path in LISTS},
    "/db/stats/nova/exists/": ["instance=x", "received_min=x", "x_max=2014-01-01"],
    "/db/stats/glance/exists/": ["instance=x", "received_min=x", "x_max=2014-01-01"],
    "/db/stats/events/": [
        "service=all",
        *("when_min=2014-01-01", "when_max=2014-01-01", "when_min=x&when_max=x"),
        "when_min=2014-01-01&when_max=2014-01-08 00:00:01",
        "when_min=0001-01-01&when_max=0001-01-02",
    ],
    "/reports/<report_id>/<part>.parquet": [],
    "/reports/<report_id>/<part>.csv": [],
    "/db/tenant/info/": PAGES,
    "/db/tenant/info/<tenant>/": [""],
}
ROUTES = [route for surface in server.SURFACES for route in surface.routes]
WRITING = sorted({route.path for route in ROUTES if route.writes})
# queries that every path refuses
HOSTILE = ["uuid=%ff&name=%ff", "&".join(f"p{number}=1" for number in range(201))]
# parts of paths, of which each names nothing
HOSTILE_PARTS = ["x", "-1", "1.0", "9" * 40, "%ff", "%00", "%27", "%D9%A3", "1%20or%201"]


FAULT = {"faultcode": "Client", "faultstring": "", "debuginfo": None}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with an operation of the last hour, an image, and one report."""
    start = times.now() - timedelta(minutes=30)
    fields = {"instance": INSTANCE, "request_id": REQUEST, "tenant": "5877054", "exchange": "nova"}
    folder = tmp_path_factory.mktemp("served")
    events = [
        notification("compute.instance.update", start, publisher_id="api.api-1", **fields),
        notification("compute.instance.create.start", start + timedelta(seconds=1), **fields),
        notification("compute.instance.create.end", start + timedelta(seconds=9), **fields),
        notification("image.upload", start, payload={"id": INSTANCE}, exchange="glance"),
    ]
    with lake_of(folder, events, deployment="region-1") as lake:
        lake.state.add_report(
            "nova usage audit",
            version=7,
            period_start=times.instant("2014-01-14"),
            period_end=times.instant("2014-01-15"),
            created_at=times.now(),
            parameters="{}",
            tables="{}",
            path="reports/1",
        )
        (folder / "reports" / "1").mkdir(parents=True)
        lake.sql("select 1 as a").write_parquet(folder / "reports" / "1" / "rows.parquet")
    return folder


# what is found by no part that could stand here
NOT_FOUND = "stacky/usage|alarms|<tenant>|<id>|<part>|<message_id>|type>$"


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    """The address of a server of that lake."""
    with running(folder) as address:
        yield address


def assert_refused(response: requests.Response, *statuses: int) -> None:
    """A refusal is JSON: an object below /db, another one of Ceilometer, else an error table that tells it in words."""
    assert response.status_code in statuses, (response.url, response.text)
    assert response.headers["Content-Type"] == "application/json"
    if re.match(r"http://[^/]+/(v2|meters|resources)(/|$|\?)", response.url):
        [(name, problem)] = response.json().items()
        assert name == "error_message"
        assert isinstance(problem, str) or {**problem, "faultstring": ""} == FAULT
        return
    if re.match(r"http://[^/]+/db(/|$)", response.url):
        assert set(response.json()) == {"status", "message"}
        assert response.json()["status"] == response.status_code
        assert response.json()["message"]
        return
    headers, [phrase, message] = response.json()
    assert headers == ["Error", "Message"]
    assert phrase == requests.status_codes._codes[response.status_code][0].replace("_", " ").title()
    assert message


def filled(path: str, part: str = "0") -> str:
    """A path with its parts filled in."""
    return re.sub(r"<\w+>", part, path)


@pytest.mark.parametrize("path", sorted({route.path for route in ROUTES if route.method == "GET"}))
def test_bad_parameters_are_refused(url: str, path: str) -> None:
    """Every route refuses what it cannot answer with an error table, and never fails."""
    for query in [*REFUSED[path], *HOSTILE]:
        assert_refused(requests.get(f"{url}{filled(path)}?{query}", timeout=60), 400, 404)


@pytest.mark.parametrize("path", [path for path in REFUSED if "<" in path])
def test_bad_parts_of_paths_name_nothing(url: str, path: str) -> None:
    """What stands for a number or a tenant and is none is not found, whatever it is."""
    for part in HOSTILE_PARTS:
        response = requests.get(url + filled(path, part), timeout=60)
        if path == "/stacky/watch/<deployment_id>/" and response.status_code == 200:
            assert response.json()[1] == []
        elif re.search("<meter>|<trait>|/traits", path) and response.status_code == 200:
            assert response.json() == []
        elif path in ALARMS:
            assert_refused(response, 400, 410)
        else:
            assert_refused(response, 400, 404)


def test_fields_of_every_type_refuse_or_answer(url: str) -> None:
    """A search by any column for anything is answered or refused, but does not fail."""
    values = ["=x", "=1", f"={'9' * 40}", "=1389715200.5", "=%00'", "__contains=x", "__startswith=1"]
    for field in (*stacky.event.SEARCHABLE, *stacky.LEGACY_FIELDS, "uuid"):
        for asked in values:
            lookup, value = asked.split("=")
            query = f"field={field}{lookup}&value={value}"
            response = requests.get(f"{url}/stacky/search/?{query}", timeout=60)
            if response.status_code != 200:
                assert_refused(response, 400)


@pytest.mark.parametrize(
    "path",
    [path for path in REFUSED if not re.search("stacky/usage|alarms|<tenant>|<id>|<part>|<message_id>|type>$", path)],
)
def test_both_forms_of_a_path_are_served(url: str, path: str) -> None:
    """With and without the last slash the answer is the same table, in JSON."""
    queries = {"uuid/": f"?uuid={INSTANCE}", "timings/": "?name=x", "search/": "?field=id&value=1"}
    query = next((query for end, query in queries.items() if path.endswith(end)), "")
    query = f"?request_id={REQUEST}" if path == "/stacky/request/" else query
    query = "" if path == "/stacky/reports/search/" else query
    part = "5877054" if "kpi" in path else "1"

    answers = [requests.get(url + filled(form, part) + query, timeout=60) for form in (path, path.rstrip("/"))]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert {answer.headers["Content-Type"] for answer in answers} == {"application/json"}
    if "watch" not in path:
        assert answers[0].content == answers[1].content


@pytest.mark.parametrize(
    ("ending", "content_type", "beginning"),
    [("parquet", "application/vnd.apache.parquet", b"PAR1"), ("csv", "text/csv; charset=utf-8", b"a\n1\n")],
)
def test_parts_of_reports_are_files(url: str, ending: str, content_type: str, beginning: bytes) -> None:
    """A part of a stored report is sent as what it is."""
    response = requests.get(f"{url}/reports/1/rows.{ending}", timeout=60)

    assert (response.status_code, response.headers["Content-Type"]) == (200, content_type)
    assert response.content.startswith(beginning)


def test_of_a_parameter_given_twice_the_last_counts(url: str) -> None:
    """A repeated parameter is what it was last said to be; an empty one is as if not given."""
    names = requests.get(f"{url}/stacky/events/?service=nova&service=glance", timeout=60).json()
    assert names == [["Event Name"], ["image.upload"]]
    assert len(requests.get(f"{url}/stacky/events/?service=glance&service=", timeout=60).json()) == 4


def test_a_part_of_a_path_is_no_parameter(url: str) -> None:
    """A parameter with the name of a part of the path does not replace it."""
    shown = requests.get(f"{url}/stacky/show/2/?event_id=3", timeout=60).json()

    assert shown[0][1] == ["#", 2]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize(
    "path",
    ["/x", "/stacky", "/stacky/", "/stacky/x/", "/stacky/show/", "/db", "/db/x", "/v2/x", "/meters/x/y", "/%ff", "//"],
)
def test_unknown_paths_are_not_found(url: str, method: str, path: str) -> None:
    """What is no path is not found, whatever the method, in JSON."""
    response = requests.request(method, url + path, timeout=60)

    assert response.status_code == 404
    assert response.headers["Content-Type"] == "application/json"
    if method != "HEAD":
        assert_refused(response, 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"])
@pytest.mark.parametrize("path", ["/stacky/events/", "/stacky/watch/0", "/v2/samples", "/healthz", "/"])
def test_other_methods_are_not_possible(url: str, method: str, path: str) -> None:
    """A known path refuses what it has no method for, in JSON."""
    assert_refused(requests.request(method, url + path, data=b"{", timeout=60), 405)


def test_refused_methods_say_what_is_possible(url: str) -> None:
    """The header Allow lists the methods, also where the one asked for is none of HTTP's usual ones, or of the page."""
    for method, path in [("POST", "/stacky/events/"), ("TRACE", "/stacky/events/"), ("BREW", "/healthz"), ("PUT", "/")]:
        assert requests.request(method, url + path, timeout=60).headers["Allow"] == "GET, HEAD"
    assert requests.request("TRACE", f"{url}/db/repair/", timeout=60).headers["Allow"] == "POST"


@pytest.mark.parametrize("path", WRITING)
def test_only_a_server_that_was_told_to_writes(url: str, path: str) -> None:
    """Every path that writes says how to start a server that does; reading it is not possible, unless it can."""
    methods = {route.method for route in ROUTES if route.path == path}

    for method in methods - {"GET"}:
        response = requests.request(method, url + filled(path), data="{", timeout=60)
        assert_refused(response, 403)
        assert "--allow-writes" in response.text
    for method in (
        {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"} - methods - ({"HEAD"} if "GET" in methods else set())
    ):
        response = requests.request(method, url + filled(path), timeout=60)
        assert response.status_code == 405
        assert set(response.headers["Allow"].split(", ")) - {"HEAD"} == methods


@pytest.mark.parametrize("path", ["/stacky/events/", "/stacky/show/99/", "/db/tenant/info", "/healthz", "/"])
def test_head_is_get_without_the_body(url: str, path: str) -> None:
    """HEAD has the status and the headers of GET, and nothing else."""
    whole, head = requests.get(url + path, timeout=60), requests.head(url + path, timeout=60)

    assert head.status_code == whole.status_code
    assert head.headers["Content-Length"] == whole.headers["Content-Length"]
    assert head.content == b""


def test_health(url: str, folder: Path) -> None:
    """The server says that it is alive, and the version of its lake."""
    with Lake(folder) as lake:
        expected = {"status": "ok", "version": lake.tables}

    assert requests.get(f"{url}/healthz", timeout=60).json() == expected


def test_the_front_page_links_what_there_is(url: str) -> None:
    """The front page names every route, links those that need nothing, and loads nothing from elsewhere."""
    response = requests.get(url + "/", timeout=60)

    assert requests.get(f"{url}/routes", timeout=60).content == response.content
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    for route in ROUTES:
        assert route.path.replace("<", "&lt;").replace(">", "&gt;") in response.text
    assert '<a href="/stacky/events/">' in response.text
    assert "http" not in response.text


# what the command line of stacky asks, and what it does with the answers


def test_stacky_tables(url: str) -> None:
    """deployments, events, hosts, summary, kpi: rows of the length of the headers, under unique titles."""
    for path in ("deployments", "events", "hosts", "summary", "kpi", "kpi/5877054"):
        titles, *rows = requests.get(f"{url}/stacky/{path}/", timeout=60).json()
        assert len(set(titles)) == len(titles)
        assert rows
        assert {len(row) for row in rows} == {len(titles)}


def test_stacky_uuid_timings_request_search(url: str) -> None:
    """The commands that look something up get tables, too."""
    asked = [
        ("uuid", {"uuid": INSTANCE, "service": "nova"}),
        ("timings/uuid", {"uuid": INSTANCE}),
        ("timings", {"name": "compute.instance.create", "end_when_min": "0", "end_when_max": "4102444800"}),
        ("request", {"request_id": REQUEST}),
        ("search", {"service": "nova", "field": "event", "value": "compute.instance.update", "limit": "5"}),
    ]
    for path, parameters in asked:
        titles, *rows = requests.get(f"{url}/stacky/{path}/", params=parameters, timeout=60).json()
        assert rows, path
        assert {len(row) for row in rows} == {len(titles)}


def test_stacky_show(url: str) -> None:
    """show gets three elements: a table of pairs, JSON in JSON, and a uuid to ask for next."""
    shown, text, uuid = requests.get(f"{url}/stacky/show/1/", params={"service": "nova"}, timeout=60).json()

    assert {len(row) for row in shown} == {2}
    assert isinstance(json.loads(text), list)
    assert len(requests.get(f"{url}/stacky/uuid/", params={"uuid": uuid, "service": "nova"}, timeout=60).json()) > 1


def test_stacky_watch(url: str) -> None:
    """watch gets three elements, of which the last comes back as since; cells but the first are text."""
    since = str(times.unix_us(times.now()) // 1_000_000 - 3600)

    widths, rows, last = requests.get(
        f"{url}/stacky/watch/0/", params={"service": "nova", "since": since}, timeout=60
    ).json()

    assert len(widths) == 6
    assert all(isinstance(width, int) for width in widths)
    assert len(rows) == 3
    for row in rows:
        assert len(row) == 7
        assert all(isinstance(cell, str) for cell in row[1:])
    assert requests.get(f"{url}/stacky/watch/0/", params={"since": last}, timeout=60).json()[1] == []


def test_stacky_reports(url: str) -> None:
    """reports and report are asked without the last slash; the columns that are times are numbers."""
    asked = f"{url}/stacky/reports?created_from={0:f}&created_to={4102444800:f}"

    rows = requests.get(asked, timeout=60).json()[1:]

    assert [type(cell) for row in rows for cell in row] == [int, float, float, float, str, int]
    metadata, *table = requests.get(f"{url}/stacky/report/{rows[0][0]}", timeout=60).json()
    assert isinstance(metadata, dict)
    assert table == [["a"], [1]]


# the server itself


def test_what_is_landed_is_seen(tmp_path: Path) -> None:
    """A server that runs on answers from what was landed meanwhile."""
    lake_of(tmp_path, [notification("compute.instance.update", "2014-01-14", exchange="nova")]).close()
    with running(tmp_path) as url:
        assert requests.get(f"{url}/stacky/events/", timeout=60).json()[1:] == [["compute.instance.update"]]

        lake_of(tmp_path, [notification("compute.instance.new", "2014-01-14", exchange="nova")]).close()

        end = time.monotonic() + 20
        while len(requests.get(f"{url}/stacky/events/", timeout=60).json()) == 2 and time.monotonic() < end:
            time.sleep(0.1)
        assert requests.get(f"{url}/stacky/events/", timeout=60).json()[1:] == [
            ["compute.instance.new"],
            ["compute.instance.update"],
        ]


def test_slow_questions_do_not_keep_others_waiting(folder: Path) -> None:
    """While one query takes its time, others are answered."""
    let_go = threading.Event()

    def slow(lake: Lake, request: Request, now: object) -> object:
        let_go.wait(30)
        return "slow"

    surface = Surface("/slow", (Route("/slow/", slow, "Slow."),), error_table)
    answered = []
    with running(folder, surface) as url:
        thread = threading.Thread(target=lambda: answered.append(requests.get(f"{url}/slow/", timeout=60).json()))
        thread.start()
        assert requests.get(f"{url}/healthz", timeout=60).json()["status"] == "ok"
        assert answered == []
        let_go.set()
        thread.join()
    assert answered == ["slow"]


def test_a_server_that_only_reads_refuses_writes(folder: Path) -> None:
    """A route that writes is refused, unless writing was allowed; each surface words its own errors."""

    def write(lake: Lake, request: Request, now: object) -> object:
        return request.body.decode()

    surface = Surface(
        "/db",
        (Route("/db/x/", write, "Writes.", method="PUT"),),
        lambda status, message: {"status": int(status)},
    )
    with running(folder, surface) as url:
        refused = requests.put(f"{url}/db/x/", data="a", timeout=60)
        assert (refused.status_code, refused.json()) == (403, {"status": 403})
        assert requests.get(f"{url}/db/x/", timeout=60).json() == {"status": 405}
        assert requests.get(f"{url}/db/y", timeout=60).json() == {"status": 404}
    with running(folder, surface, allow_writes=True) as url:
        assert requests.put(f"{url}/db/x", data="a", timeout=60).json() == "a"


def test_failures_are_json_too(folder: Path) -> None:
    """What nobody thought of is a 500 in JSON, without what went wrong inside."""

    def fail(lake: Lake, request: Request, now: object) -> object:
        raise ZeroDivisionError("secret")

    surface = Surface("/fail", (Route("/fail/", fail, "Fails."),), error_table)
    with running(folder, surface) as url:
        response = requests.get(f"{url}/fail/", timeout=60)

    assert_refused(response, 500)
    assert "secret" not in response.text


SERVE = """
import sys
from stackanalytics.surfaces.server import serve

def page(lake):
    "A page of the test."
    import panel
    return panel.pane.Markdown(f"{len(lake().deployments())} deployments")

serve(sys.argv[1], port=0, pages={"test": page} if sys.argv[2] == "pages" else None,
      on_ready=lambda url: print(url, "panel" in sys.modules, flush=True))
"""


@contextmanager
def served(folder: Path, kind: str) -> Iterator[tuple[str, bool, subprocess.Popen[str]]]:
    """A server in a process of its own: its address, whether it imported Panel, the process."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(folder), kind],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        url, has_panel = process.stdout.readline().split()
        yield url.rstrip("/"), has_panel == "True", process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_in_order(folder: Path, number: signal.Signals) -> None:
    """JSON alone is served without Panel; on a signal the server ends well and says nothing."""
    with served(folder, "json") as (url, has_panel, process):
        assert not has_panel
        assert requests.get(f"{url}/stacky/events/", timeout=60).status_code == 200

        process.send_signal(number)

        assert process.communicate(timeout=30) == ("", "")
        assert process.returncode == 0


def test_pages_are_served_beside_json(folder: Path) -> None:
    """With pages, Panel serves them and its own files; all else is as without."""
    with served(folder, "pages") as (url, has_panel, process):
        assert has_panel
        page = requests.get(f"{url}/test", timeout=60)
        assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html")
        assert requests.get(f"{url}/static/js/bokeh.min.js", timeout=60).status_code == 200
        assert requests.get(f"{url}/stacky/deployments/", timeout=60).json()[1:] == [[1, "region-1"]]
        assert_refused(requests.get(f"{url}/nothing", timeout=60), 404)
        assert_refused(requests.post(f"{url}/stacky/events/", timeout=60), 405)
        front = requests.get(f"{url}/", timeout=60).text
        assert '<a href="/test">/test</a></dt><dd>A page of the test.</dd>' in front
        for host in ("127.0.0.1", "localhost"):
            assert _websocket_status(url, f"http://{host}:{url.rpartition(':')[2]}") == 101
        assert _websocket_status(url, "http://elsewhere.example") == 403

        process.send_signal(signal.SIGTERM)

        assert process.wait(timeout=30) == 0


PREPARE = """
import sys, threading
from stackanalytics.surfaces.server import serve

def page(lake):
    "A page of the test."

def prepare():
    tell(f"in {threading.current_thread() is threading.main_thread()}")
    sys.stdin.readline()
    tell("done")

def tell(line):
    # at once, since another thread tells something, too
    print(f"{line}\\n", end="", flush=True)

page.prepare = prepare
serve(sys.argv[1], port=0, pages={"test": page}, on_ready=tell)
"""


def test_pages_are_prepared_beside_the_event_loop(folder: Path) -> None:
    """A page is prepared at the start without being asked for, in a thread; JSON is answered meanwhile."""
    process = subprocess.Popen(
        [sys.executable, "-c", PREPARE, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        lines = {process.stdout.readline().strip() for _ in range(2)}
        [url] = lines - {"in False"}

        assert requests.get(f"{url}stacky/events/", timeout=60).status_code == 200

        process.stdin.write("go on\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"
    finally:
        process.kill()
        process.communicate()


def _websocket_status(url: str, origin: str) -> int:
    """How the server answers when a page of *origin* wants to talk to it."""
    page = requests.get(f"{url}/test", timeout=60).text
    [token] = re.findall(r'"token":"([^"]+)"', page)
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        head = (
            "GET /test/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n"
            f"Sec-WebSocket-Protocol: bokeh, {token}\r\nOrigin: {origin}\r\n\r\n"
        )
        connection.sendall(head.encode())
        return int(connection.recv(64).split()[1])


def test_pages_of_installed_packages_are_found() -> None:
    """Pages come from entry points; whatever is installed, each is a function by its name."""
    found = server.installed_pages()

    assert {"", "timings", "events"} <= found.keys()
    assert all(callable(page) for page in found.values())
