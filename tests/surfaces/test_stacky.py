"""The answers of the stacky interface, as functions of a lake."""

import json
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path

import polars as pl
import pytest

from stackanalytics import times
from stackanalytics.analytics import event
from stackanalytics.errors import InputError, NotFoundError
from stackanalytics.lake import Lake
from stackanalytics.surfaces import stacky
from stackanalytics.testing import lake_of, notification

INSTANCE = "77e0f192-00a2-4f14-ad56-7467897828ea"
OTHER = "8eba1a6d-43eb-4343-8d1a-5e596f5233b5"
IMAGE = "3b2a1c00-1111-4222-8333-444455556666"
REQUEST = "req-a7517402-6192-4d0a-85a1-e14051790d5a"
KPI_REQUEST = "req-1368539d-f645-4d96-842e-03b5c5c9dc8c"
NOW = datetime.fromisoformat("2014-01-16T17:10:07Z")

NOVA_HEADERS = ["#", "?", "When", "Deployment", "Event", "Host", "State", "State'", "Task'"]
REPORT_HEADERS = ("Id", "Start", "End", "Created", "Name", "Version")


def nova(event_type: str, at: str | datetime, **fields: object) -> dict[str, object]:
    """A notification of nova as the lake's examples have it."""
    given = {"instance": INSTANCE, "publisher_id": "compute.compute-99", "routing_key": "monitor.info"}
    given |= {"deployment": "region-1", "exchange": "nova"}
    return notification(event_type, at, **(given | fields))


def operation(name: str, start: datetime, seconds: float, **fields: object) -> list[dict[str, object]]:
    """The start and the end of an operation."""
    end = start + timedelta(seconds=seconds)
    return [nova(f"{name}.start", start, **fields), nova(f"{name}.end", end, **fields)]


EVENTS = [
    # 1 and 2: the rows of the documentation's example of stacky/uuid
    nova("compute.instance.snapshot.start", "2014-01-14 15:39:22.574829", state="active"),
    nova(
        "compute.instance.update",
        "2014-01-14 15:39:23.599298",
        state="active",
        old_state="active",
        old_task="image_snapshot",
    ),
    # 3 and 4: those of stacky/request
    nova(
        "compute.instance.update",
        "2014-01-15 15:39:34.130286",
        instance=OTHER,
        publisher_id="api.api-1",
        request_id=REQUEST,
        state="active",
        old_state="active",
    ),
    nova(
        "compute.instance.update",
        "2014-01-15 15:39:34.552434",
        instance=OTHER,
        publisher_id="api.api-1",
        request_id=REQUEST,
        state="active",
    ),
    # 5: an error of another deployment
    nova("compute.instance.reboot.end", "2014-01-14 16:00", deployment="cell-b", routing_key="monitor.error"),
    # 6 and 7: an image and a port
    notification(
        "image.upload",
        "2014-01-14 16:01",
        payload={"id": IMAGE, "status": "active", "owner": "5877054"},
        publisher_id="glance-api.glance-1",
        routing_key="glance_monitor.info",
        deployment="region-1",
        exchange="glance",
    ),
    notification(
        "port.create.end",
        "2014-01-14 16:02",
        payload={"port": {"id": "p-1"}},
        publisher_id="network",
        routing_key="notifications.info",
        deployment="region-1",
        exchange="neutron",
    ),
    # 8 to 10: a request of the last 24 hours that took 65.25 s
    nova(
        "compute.instance.update",
        NOW - timedelta(hours=1),
        publisher_id="nova-api.api-1",
        request_id=KPI_REQUEST,
        tenant="5877054",
    ),
    *operation(
        "compute.instance.create",
        NOW - timedelta(minutes=59, seconds=30),
        35.25,
        request_id=KPI_REQUEST,
        tenant="5877054",
    ),
]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake of ten events, numbered in their order."""
    return lake_of(tmp_path_factory.mktemp("lake"), EVENTS)


@pytest.fixture
def reported(tmp_path: Path) -> Lake:
    """A lake with three stored reports."""
    lake = lake_of(tmp_path, EVENTS[:1])
    (tmp_path / "reports" / "1").mkdir(parents=True)
    rows = pl.DataFrame({"Operation": ["resize"], "Requests": [9], "% 4xx": [0.5]})
    rows.write_parquet(tmp_path / "reports" / "1" / "rows.parquet")
    for name, start, created in [
        ("summary for region: all", "2014-01-14 19:00", "2014-01-14 20:10:12.947449"),
        ("summary for region: all", "2014-01-14 20:00", "2014-01-14 21:10:09.979934"),
        ("nova usage audit", "2014-01-14 00:00", "2014-01-15 00:00"),
    ]:
        lake.state.add_report(
            name,
            version=4,
            period_start=times.instant(start),
            period_end=times.instant(start) + timedelta(hours=1),
            created_at=times.instant(created),
            parameters='{"percentile": 97, "region": null}',
            tables="{}",
            path="reports/1",
        )
    return lake


def ask(endpoint: stacky.Endpoint, lake: Lake, **parameters: str) -> object:
    """What an endpoint answers, as a client reads it from JSON."""
    return json.loads(json.dumps(endpoint(lake, parameters, NOW)))


def test_deployments(lake: Lake) -> None:
    """Deployments have their small ids, by name."""
    assert sorted(lake.deployments().values()) == ["cell-b", "region-1"]
    ids = {name: number for number, name in lake.deployments().items()}

    answer = ask(stacky.deployments, lake)

    assert answer == [["#", "Name"], [ids["cell-b"], "cell-b"], [ids["region-1"], "region-1"]]


def test_events_are_those_of_nova(lake: Lake) -> None:
    """Without a service the events of nova are listed, in alphabetical order, each once."""
    assert ask(stacky.events, lake) == [
        ["Event Name"],
        ["compute.instance.create.end"],
        ["compute.instance.create.start"],
        ["compute.instance.reboot.end"],
        ["compute.instance.snapshot.start"],
        ["compute.instance.update"],
    ]


@pytest.mark.parametrize(("service", "last"), [("glance", ["image.upload"]), ("generic", ["port.create.end"])])
def test_events_of_other_services(lake: Lake, service: str, last: list[str]) -> None:
    """A service limits the list to its events."""
    assert ask(stacky.events, lake, service=service) == [["Event Name"], last]


def test_events_of_all_services_are_listed_service_by_service(lake: Lake) -> None:
    """With all, nova's come first, then glance's, then the others'."""
    names = [name for [name] in ask(stacky.events, lake, service="all")[1:]]

    assert names[-3:] == ["compute.instance.update", "image.upload", "port.create.end"]
    assert len(names) == 7


def test_hosts(lake: Lake) -> None:
    """Hosts are what follows the first dot of a publisher; one without a dot has none."""
    assert ask(stacky.hosts, lake) == [["Host Name"], ["api-1"], ["compute-99"]]
    assert ask(stacky.hosts, lake, service="glance") == [["Host Name"], ["glance-1"]]
    assert ask(stacky.hosts, lake, service="generic") == [["Host Name"], [None]]
    assert ask(stacky.hosts, lake, service="all")[1:] == [["api-1"], ["compute-99"], ["glance-1"], [None]]


def test_uuid_is_the_example_of_the_documentation(lake: Lake) -> None:
    """The documented rows of an instance come back as documented, but for their numbers."""
    answer = ask(stacky.uuid, lake, uuid=INSTANCE, when_max="1389714000")

    assert answer == [
        NOVA_HEADERS,
        [
            1,
            " ",
            "2014-01-14 15:39:22.574829",
            "region-1",
            "compute.instance.snapshot.start",
            "compute-99",
            "active",
            "",
            "",
        ],
        [
            2,
            " ",
            "2014-01-14 15:39:23.599298",
            "region-1",
            "compute.instance.update",
            "compute-99",
            "active",
            "active",
            "image_snapshot",
        ],
    ]


def test_uuid_marks_errors(lake: Lake) -> None:
    """What came over an error queue has an E."""
    answer = ask(stacky.uuid, lake, uuid=INSTANCE)

    assert [row[:2] for row in answer[1:]] == [[1, " "], [2, " "], [5, "E"], [8, " "], [9, " "], [10, " "]]


def test_uuid_of_an_image(lake: Lake) -> None:
    """With glance, images are looked up, and shown with their status."""
    answer = ask(stacky.uuid, lake, uuid=IMAGE, service="glance")

    assert answer == [
        ["#", "?", "When", "Deployment", "Event", "Host", "Status"],
        [6, " ", "2014-01-14 16:01:00", "region-1", "image.upload", "glance-1", "active"],
    ]


def test_uuid_of_other_services(lake: Lake) -> None:
    """Other services have headers of their own; nothing found is the header row alone."""
    headers = ["#", "?", "When", "Deployment", "Event", "Host", "Instance", "Request id"]

    assert ask(stacky.uuid, lake, uuid=INSTANCE, service="generic") == [headers]


def test_ranges_of_time_include_both_ends(lake: Lake) -> None:
    """when_min and when_max are inclusive to the microsecond."""
    first, second = "1389713962.574829", "1389713963.599298"

    def numbers(**parameters: str) -> list[int]:
        return [row[0] for row in ask(stacky.uuid, lake, uuid=INSTANCE, **parameters)[1:]]

    assert numbers(when_min=first, when_max=second) == [1, 2]
    assert numbers(when_min="1389713962.574830", when_max=second) == [2]
    assert numbers(when_min=first, when_max="1389713963.599297") == [1]
    assert numbers(when_min=second, when_max=first) == []


def test_pages_make_up_the_whole(lake: Lake) -> None:
    """Pages of two, one after the other, are the whole table."""
    whole = ask(stacky.uuid, lake, uuid=INSTANCE)[1:]

    pages = [ask(stacky.uuid, lake, uuid=INSTANCE, limit="2", offset=str(offset))[1:] for offset in (0, 2, 4, 6)]

    assert [len(page) for page in pages] == [2, 2, 2, 0]
    assert [row for page in pages for row in page] == whole


def test_lists_of_events_end_after_50(tmp_path: Path) -> None:
    """Without a limit 50 events are listed, with one at most 1000."""
    start = times.instant("2014-01-14")
    crowd = [nova("compute.instance.update", start + timedelta(seconds=n)) for n in range(1001)]
    lake = lake_of(tmp_path, crowd)

    assert len(ask(stacky.uuid, lake, uuid=INSTANCE)) == 1 + 50
    assert len(ask(stacky.uuid, lake, uuid=INSTANCE, limit="5000")) == 1 + 1000
    assert len(ask(stacky.search, lake, field="instance", value=INSTANCE)) == 1 + 50
    assert len(ask(stacky.watch, lake, deployment_id="0", since="0")[1]) == 1001


def test_timings_of_an_instance_are_the_example_of_the_documentation(tmp_path: Path) -> None:
    """The documented durations come back as documented."""
    start = times.instant("2014-01-14 12:00")
    taken = [("create", 55.5), ("snapshot", 851.719999), ("snapshot", 1051.33), ("snapshot", 1008.88)]
    events = [
        event
        for place, (name, seconds) in enumerate(taken)
        for event in operation(f"compute.instance.{name}", start + timedelta(hours=place), seconds)
    ]

    answer = ask(stacky.timings_uuid, lake_of(tmp_path, events), uuid=INSTANCE)

    assert answer == [
        ["?", "Event", "Time (secs)"],
        [".", "compute.instance.create", "0d 00:00:55.50"],
        [".", "compute.instance.snapshot", "0d 00:14:11.71"],
        [".", "compute.instance.snapshot", "0d 00:17:31.33"],
        [".", "compute.instance.snapshot", "0d 00:16:48.88"],
    ]


def test_timings_of_an_instance_that_lack_a_half(lake: Lake) -> None:
    """S and E say that only the start or the end is known; then there is no time."""
    answer = ask(stacky.timings_uuid, lake, uuid=INSTANCE)

    assert answer[1:] == [
        ["S", "compute.instance.snapshot", "n/a"],
        ["E", "compute.instance.reboot", "n/a"],
        [".", "compute.instance.create", "0d 00:00:35.25"],
    ]
    assert ask(stacky.timings_uuid, lake, uuid=OTHER) == [["?", "Event", "Time (secs)"]]


def test_timings_of_an_operation(tmp_path: Path) -> None:
    """The complete timings of one operation come shortest first, negative ones included."""
    start = times.instant("2014-01-14 12:00")
    events = [
        *operation("compute.instance.resize", start, 100, instance=INSTANCE),
        *operation("compute.instance.resize", start, 10, instance=OTHER),
        *operation("compute.instance.resize", start, -4.5, instance=IMAGE),
        nova("compute.instance.resize.start", start + timedelta(hours=2)),
        *operation("compute.instance.create", start, 1),
    ]
    lake = lake_of(tmp_path, events)
    ended = times.unix_us(start) // 1_000_000 + 10

    assert ask(stacky.timings, lake, name="compute.instance.resize") == [
        ["compute.instance.resize", "Time"],
        [IMAGE, "-0d 00:00:04.50"],
        [OTHER, "0d 00:00:10.00"],
        [INSTANCE, "0d 00:01:40.00"],
    ]
    assert ask(stacky.timings, lake, name="compute.instance.resize", offset="1", limit="1")[1:] == [
        [OTHER, "0d 00:00:10.00"]
    ]
    assert ask(stacky.timings, lake, name="compute.instance.resize", end_when_min=str(ended), end_when_max=str(ended))[
        1:
    ] == [[OTHER, "0d 00:00:10.00"]]
    assert ask(stacky.timings, lake, name="nothing") == [["nothing", "Time"]]


@pytest.fixture(scope="module")
def summarised(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """50 timings of each of two operations, with the extremes of the documentation's example.

    Mean of create: (52.88 + 6074.27 + 48 · 400) / 50 = 506.543 s.
    Mean of create_ip: (6.8 + 505007.08 + 48 · 3684.5) / 50 = 13637.3976 s.
    """
    start = times.instant("2014-01-14")
    events = [
        event
        for name, taken in [
            ("create", [52.88, 6074.27, *[400] * 48]),
            ("create_ip", [505007.08, 6.8, *[3684.5] * 48]),
        ]
        for place, seconds in enumerate(taken)
        for event in operation(
            f"compute.instance.{name}",
            start + timedelta(minutes=place),
            seconds,
            instance=f"77e0f192-00a2-4f14-ad56-{place:012}",
        )
    ]
    return lake_of(tmp_path_factory.mktemp("summarised"), events)


def test_summary_is_the_example_of_the_documentation(summarised: Lake) -> None:
    """Minimum and maximum have two digits, the mean is cut to whole seconds."""
    assert ask(stacky.summary, summarised) == [
        ["Event", "N", "Min", "Max", "Avg"],
        ["compute.instance.create", 50, "0d 00:00:52.88", "0d 01:41:14.27", "0d 00:08:26"],
        ["compute.instance.create_ip", 50, "0d 00:00:06.80", "5d 20:16:47.08", "0d 03:47:17"],
    ]


def test_summary_of_a_slice_or_an_instance(summarised: Lake) -> None:
    """Limit and offset take a slice of each operation's timings by their ends; uuid is one instance's."""
    first = "77e0f192-00a2-4f14-ad56-000000000000"

    # the first to end: create after 52.88 s, create_ip in the second minute after 6.8 s
    assert ask(stacky.summary, summarised, limit="1")[1:] == [
        ["compute.instance.create", 1, "0d 00:00:52.88", "0d 00:00:52.88", "0d 00:00:52"],
        ["compute.instance.create_ip", 1, "0d 00:00:06.80", "0d 00:00:06.80", "0d 00:00:06"],
    ]
    assert [row[1] for row in ask(stacky.summary, summarised, offset="48")[1:]] == [2, 2]
    assert ask(stacky.summary, summarised, limit="0") == [["Event", "N", "Min", "Max", "Avg"]]
    assert ask(stacky.summary, summarised, uuid=first)[1:] == [
        ["compute.instance.create", 1, "0d 00:00:52.88", "0d 00:00:52.88", "0d 00:00:52"],
        ["compute.instance.create_ip", 1, "5d 20:16:47.08", "5d 20:16:47.08", "5d 20:16:47"],
    ]


def test_request_is_the_example_of_the_documentation(lake: Lake) -> None:
    """The documented rows of a request come back as documented, but for their numbers."""
    common = ["region-1", "compute.instance.update", "api-1", "active"]

    assert ask(stacky.request, lake, request_id=REQUEST) == [
        NOVA_HEADERS,
        [3, " ", "2014-01-15 15:39:34.130286", *common, "active", None],
        [4, " ", "2014-01-15 15:39:34.552434", *common, None, None],
    ]
    assert ask(stacky.request, lake, request_id=REQUEST, offset="2") == [NOVA_HEADERS]


def test_show_is_the_example_of_the_documentation(lake: Lake) -> None:
    """An event is shown as a table of twelve rows, as indented JSON, and by its instance."""
    shown, text, uuid = ask(stacky.show, lake, event_id="1")

    assert shown == [
        ["Key", "Value"],
        ["#", 1],
        ["When", "2014-01-14 15:39:22.574829"],
        ["Deployment", "region-1"],
        ["Category", "monitor.info"],
        ["Publisher", "compute.compute-99"],
        ["State", "active"],
        ["Event", "compute.instance.snapshot.start"],
        ["Service", "compute"],
        ["Host", "compute-99"],
        ["UUID", INSTANCE],
        ["Req ID", None],
    ]
    assert text.startswith('[\n  "monitor.info",\n  {\n    "')
    assert json.loads(text) == ["monitor.info", EVENTS[0]["body"]]
    assert uuid == INSTANCE


@pytest.mark.parametrize(
    ("service", "number", "state", "uuid"),
    [("glance", "6", ["Status", "active"], IMAGE), ("generic", "7", ["State", None], None)],
)
def test_show_of_other_services(
    lake: Lake, service: str, number: str, state: list[str | None], uuid: str | None
) -> None:
    """An image has a status and its own uuid; others have as many rows, without a state."""
    shown, _, found = ask(stacky.show, lake, event_id=number, service=service)

    assert len(shown) == 12
    assert shown[6] == state
    assert shown[10] == ["UUID", uuid]
    assert found == uuid


def test_show_keeps_numbers_and_texts_as_they_were_sent(tmp_path: Path) -> None:
    """Indenting changes no number and no escape of the notification."""
    odd = {"big": 10**40, "small": 1.10, "umlaut": "ü\n"}
    lake = lake_of(tmp_path, [nova("compute.instance.update", "2014-01-14", payload={"odd": odd})])

    text = ask(stacky.show, lake, event_id="1")[1]

    assert f'"big": {10**40},\n' in text
    assert json.loads(text)[1]["payload"]["odd"] == odd


@pytest.mark.parametrize("event_id", ["99", "x", "-1", "1.0", "9" * 40])
def test_unknown_events_are_not_found(lake: Lake, event_id: str) -> None:
    """A number that no event has, and what is no number, is not found."""
    with pytest.raises(NotFoundError, match="no event"):
        stacky.show(lake, {"event_id": event_id}, NOW)


def test_events_of_another_service_are_not_found(lake: Lake) -> None:
    """An image's event is none of nova's; the message says whose it is."""
    with pytest.raises(NotFoundError, match="service=glance"):
        stacky.show(lake, {"event_id": "6"}, NOW)


def test_watch_tells_widths_events_and_the_time(lake: Lake) -> None:
    """Events have seven cells for six widths; the time is what the next poll sends as since."""
    widths, events, now = ask(stacky.watch, lake, deployment_id="0", since="1389715161")

    assert widths == [10, 1, 15, 20, 50, 36]
    assert events[0] == [
        5,
        "E",
        "2014-01-14",
        "16:00:00",
        "cell-b",
        "compute.instance.reboot.end",
        INSTANCE,
    ]
    assert events[1][1:4] == [".", "2014-01-15", "15:39:34.130286"]
    assert now == "1389892207"


def test_watch_window(tmp_path: Path) -> None:
    """An event is in the window if it is after since, and not after now; since is two seconds ago."""
    at = [
        NOW - timedelta(seconds=2),
        NOW - timedelta(microseconds=1_999_999),
        NOW,
        NOW + timedelta(seconds=1),
    ]
    lake = lake_of(tmp_path, [nova("compute.instance.update", moment) for moment in at])

    def numbers(**parameters: str) -> list[int]:
        return [row[0] for row in ask(stacky.watch, lake, deployment_id="0", **parameters)[1]]

    assert numbers() == [2, 3]
    assert numbers(since=str(times.unix_us(NOW) // 1_000_000 - 3)) == [1, 2, 3]
    assert numbers(since=str(times.unix_us(NOW) // 1_000_000)) == []
    assert numbers(since="1999999999") == []


def test_watch_is_the_same_whether_its_events_were_kept_or_not(tmp_path: Path) -> None:
    """Whatever is watched, from whenever, is what the analysis finds, in its order; also once more has landed."""
    steps = [-600, -130, -127, -60, -59.5, -7, -2, -1, -1, 0, 0, 1, 53, 54, 130]
    told = [
        nova(name, NOW + timedelta(seconds=step), deployment=deployment, exchange=exchange, message_id=f"{step}{name}")
        for step in steps
        for name, deployment in (("compute.instance.update", "region-1"), ("image.send", "cell-b"))
        for exchange in ("nova", "glance", "cinder")
    ]

    def check(lake: Lake) -> None:
        for (seconds, service), (number, deployment) in product(
            product((0, 1, 2, 60, 127, 128, 601), stacky.SERVICES), [(0, None), *lake.deployments().items()]
        ):
            exchanges = stacky.SERVICES[service]
            for event_type in (None, "image.send"):
                found = event.events(
                    lake,
                    event_type=event_type,
                    deployment=deployment,
                    exchange=exchanges.exchange,
                    not_exchange=exchanges.not_exchange,
                    start=NOW - timedelta(seconds=seconds) + times.MICROSECOND,
                    end=NOW + times.MICROSECOND,
                    columns=("id", "is_error", "generated_at", "deployment", "event_type", exchanges.uuid),
                )
                given = {"service": service, "since": str(times.unix_us(NOW) // 1_000_000 - seconds)}
                given |= {"event_name": event_type} if event_type else {}
                rows = ask(stacky.watch, lake, deployment_id=str(number), **given)[1]
                assert [row[0] for row in rows] == found["id"].to_list()

    check(lake_of(tmp_path, told[::2]))
    check(lake_of(tmp_path, told))


def test_watch_goes_on_while_nothing_lands(tmp_path: Path) -> None:
    """Minutes later, of a lake that did not change, events are shown when their time has come."""
    lake = lake_of(tmp_path, [nova("compute.instance.update", NOW + timedelta(seconds=10 * n)) for n in range(60)])

    def ids(now: datetime) -> list[int]:
        since = str(times.unix_us(now) // 1_000_000 - 20)
        return [row[0] for row in stacky.watch(lake, {"deployment_id": "0", "since": since}, now)[1]]  # type: ignore[attr-defined]

    for seconds in range(0, 590, 10):
        newest = seconds // 10 + 1
        assert ids(NOW + timedelta(seconds=seconds)) == ([newest - 1, newest] if newest > 1 else [1])


def test_watch_of_some_events(lake: Lake) -> None:
    """Deployment, service and event name restrict; an unknown deployment has no events."""
    ids = {name: str(number) for number, name in lake.deployments().items()}

    def watched(deployment_id: str, **parameters: str) -> list[list[object]]:
        return ask(stacky.watch, lake, deployment_id=deployment_id, since="0", **parameters)[1]

    assert [row[0] for row in watched(ids["cell-b"])] == [5]
    assert [row[0] for row in watched(ids["region-1"], event_name="compute.instance.update")] == [2, 3, 4, 8]
    assert [row[6] for row in watched("0", service="glance")] == [IMAGE]
    assert [row[6] for row in watched("0", service="generic")] == ["-"]
    assert watched("99") == []
    assert watched("9" * 15) == []


def test_watch_has_room_for_long_names(tmp_path: Path) -> None:
    """The width of the event column is 50, or that of the longest name shown."""
    name = "a" * 60
    lake = lake_of(tmp_path, [nova(name, NOW)])

    assert ask(stacky.watch, lake, deployment_id="0")[0] == [10, 1, 15, 20, 60, 36]


def test_watch_of_no_deployment_is_not_found(lake: Lake) -> None:
    """What is no number is no deployment."""
    with pytest.raises(NotFoundError, match="no deployment all"):
        stacky.watch(lake, {"deployment_id": "all"}, NOW)


def test_search_has_eight_columns_newest_first(lake: Lake) -> None:
    """The documented columns come under a header row, with times in unix seconds."""
    answer = ask(stacky.search, lake, field="host", value="compute-99", when_max="1389715200")

    assert answer == [
        ["#", "?", "When", "Deployment", "Event", "Host", "UUID", "Request ID"],
        [5, "E", 1389715200.0, "cell-b", "compute.instance.reboot.end", "compute-99", INSTANCE, None],
        [2, ".", 1389713963.599298, "region-1", "compute.instance.update", "compute-99", INSTANCE, None],
        [
            1,
            ".",
            1389713962.574829,
            "region-1",
            "compute.instance.snapshot.start",
            "compute-99",
            INSTANCE,
            None,
        ],
    ]


@pytest.mark.parametrize(
    ("field", "value", "numbers"),
    [
        ("id", "5", [5]),
        ("event", "compute.instance.reboot.end", [5]),
        ("event_type", "compute.instance.reboot.end", [5]),
        ("event__contains", "reboot", [5]),
        ("event__startswith", "compute.instance.create", [10, 9]),
        ("json__contains", "image_snapshot", [2]),
        ("publisher", "nova-api.api-1", [8]),
        ("service", "nova-api", [8]),
        ("routing_key", "monitor.error", [5]),
        ("when", "1389715200", [5]),
        ("when", "2014-01-14 16:00:00", [5]),
        ("deployment", "cell-b", [5]),
        ("deployment__name", "cell-b", [5]),
        ("uuid", OTHER, [4, 3]),
        ("instance", OTHER, [4, 3]),
        ("owner", "5877054", [10, 9, 8]),
        ("old_task", "image_snapshot", [2]),
        ("event", "nothing", []),
    ],
)
def test_search_by_field(lake: Lake, field: str, value: str, numbers: list[int]) -> None:
    """Columns are found under StackTach's names and their own, equal or by a part."""
    assert [row[0] for row in ask(stacky.search, lake, field=field, value=value)[1:]] == numbers


def test_search_by_the_number_of_a_deployment(lake: Lake) -> None:
    """A deployment is found by its number, too."""
    number = next(number for number, name in lake.deployments().items() if name == "cell-b")

    assert [row[0] for row in ask(stacky.search, lake, field="deployment", value=str(number))[1:]] == [5]


def test_search_in_other_services(lake: Lake) -> None:
    """Images are found by their uuid, and shown by it."""
    assert [row[6] for row in ask(stacky.search, lake, field="uuid", value=IMAGE, service="glance")[1:]] == [IMAGE]
    assert ask(stacky.search, lake, field="event", value="port.create.end", service="generic")[1] == [
        7,
        ".",
        1389715320.0,
        "region-1",
        "port.create.end",
        None,
        None,
        None,
    ]


@pytest.mark.parametrize("field", ["bogus", "event__regex", "deployment__id", "id; drop table", "EVENT"])
def test_search_by_an_unknown_field(lake: Lake, field: str) -> None:
    """An unknown field is refused in StackTach's words."""
    with pytest.raises(InputError) as refused:
        stacky.search(lake, {"field": field, "value": "1"}, NOW)

    assert str(refused.value) == (
        f"The requested field '{field}' does not exist for the corresponding object.\n"
        "Note: The field names of database are case-sensitive."
    )


def test_kpi(lake: Lake) -> None:
    """A request of the last day is shown with its last operation, from the API to its end."""
    expected = [
        ["Event", "Time", "UUID", "Deployment"],
        ["compute.instance.create", "0d 00:01:05.25", INSTANCE, "region-1"],
    ]

    assert ask(stacky.kpi, lake) == expected
    assert ask(stacky.kpi, lake, tenant_id="5877054") == expected


def test_kpi_of_the_last_day_only(lake: Lake) -> None:
    """A day later the request is not shown any more, though its tenant is still known."""
    later = NOW + timedelta(days=1)

    assert stacky.kpi(lake, {}, later) == [["Event", "Time", "UUID", "Deployment"]]
    assert stacky.kpi(lake, {"tenant_id": "5877054"}, later) == [["Event", "Time", "UUID", "Deployment"]]


def test_kpi_of_an_unknown_tenant(lake: Lake) -> None:
    """A tenant that no event of nova is about is not found."""
    with pytest.raises(NotFoundError, match="Could not find raws for tenant 12"):
        stacky.kpi(lake, {"tenant_id": "12"}, NOW)


def test_reports_created_in_a_range(reported: Lake) -> None:
    """Reports of a range come by id, with all times in unix seconds."""
    answer = ask(stacky.reports, reported, created_from="1389657600", created_to="1389740000")

    assert answer == [
        list(REPORT_HEADERS),
        [1, 1389726000.0, 1389729600.0, 1389730212.947449, "summary for region: all", 4],
        [2, 1389729600.0, 1389733200.0, 1389733809.979934, "summary for region: all", 4],
    ]


def test_reports_without_a_range(reported: Lake) -> None:
    """Without a range the newest are listed, still by id."""
    assert [row[0] for row in ask(stacky.reports, reported)[1:]] == [1, 2, 3]
    assert [row[0] for row in ask(stacky.reports, reported, limit="2")[1:]] == [2, 3]


def test_reports_are_none_at_first(lake: Lake) -> None:
    """Before any report is stored, the header row is alone."""
    assert ask(stacky.reports, lake) == [list(REPORT_HEADERS)]
    assert ask(stacky.reports_search, lake) == [list(REPORT_HEADERS)]


@pytest.mark.parametrize(
    ("criteria", "ids"),
    [
        ({}, [3, 2, 1]),
        ({"id": "2"}, [2]),
        ({"id": "99"}, []),
        ({"id": "9" * 40}, []),
        ({"name": "summary for region: all"}, [2, 1]),
        ({"name": "Summary for region: all"}, []),
        ({"created": "2014-01-15"}, [3]),
        ({"created": "2014-01-14"}, [2, 1]),
        ({"period_start": "2014-01-14 19:00"}, [1]),
        ({"period_start": "2014-01-14 20:00:00+01:00"}, [1]),
        ({"period_end": "2014-01-14 20:00:00.000000"}, [1]),
        ({"period_start": "2014-01-14"}, [3]),
        ({"name": "summary for region: all", "limit": "1", "offset": "1"}, [1]),
    ],
)
def test_reports_by_criteria(reported: Lake, criteria: dict[str, str], ids: list[int]) -> None:
    """Every criterion must be met; the newest comes first, and a day begins at its midnight."""
    assert [row[0] for row in ask(stacky.reports_search, reported, **criteria)[1:]] == ids


def test_reports_by_criteria_have_times_as_text(reported: Lake) -> None:
    """A search shows times as text without a fraction, unlike the list."""
    assert ask(stacky.reports_search, reported, id="1") == [
        list(REPORT_HEADERS),
        [
            1,
            "2014-01-14 19:00:00",
            "2014-01-14 20:00:00",
            "2014-01-14 20:10:12",
            "summary for region: all",
            4,
        ],
    ]


@pytest.mark.parametrize(
    ("criteria", "message"),
    [
        (
            {"version": "4", "Name": "x"},
            "The requested fields either do not exist for the corresponding object or are not searchable: "
            "Name, version. Note: The field names of database are case-sensitive.",
        ),
        ({"id": "x"}, "'x' value has an invalid format. It must be in integer format."),
        (
            {"created": "2014-01-14 10:00"},
            "'2014-01-14 10:00' value has an invalid format. It must be in YYYY-MM-DD format.",
        ),
        (
            {"created": "9999-12-31"},
            "'9999-12-31' value has an invalid format. It must be in YYYY-MM-DD format.",
        ),
        (
            {"period_end": "yesterday"},
            "'yesterday' value has an invalid format. It must be in YYYY-MM-DD HH:MM[:ss[.uuuuuu]][TZ] format.",
        ),
    ],
)
def test_reports_by_bad_criteria(reported: Lake, criteria: dict[str, str], message: str) -> None:
    """Bad criteria are refused in StackTach's words."""
    with pytest.raises(InputError) as refused:
        stacky.reports_search(reported, criteria, NOW)
    assert str(refused.value) == message


def test_report_is_what_it_is_about_then_its_rows(reported: Lake) -> None:
    """A stored report is metadata, headers and rows."""
    assert ask(stacky.report, reported, report_id="1") == [
        {
            "name": "summary for region: all",
            "version": 4,
            "start": 1389726000.0,
            "end": 1389729600.0,
            "percentile": 97,
            "region": None,
        },
        ["Operation", "Requests", "% 4xx"],
        ["resize", 9, 0.5],
    ]


@pytest.mark.parametrize("report_id", ["99", "x"])
def test_unknown_reports_are_not_found(reported: Lake, report_id: str) -> None:
    """A report that is not stored is not found."""
    with pytest.raises(NotFoundError, match="no report"):
        stacky.report(reported, {"report_id": report_id}, NOW)


def test_usage_has_moved(lake: Lake) -> None:
    """The former usage endpoints say where usage is to be found."""
    with pytest.raises(NotFoundError, match="/db/usage/launches/"):
        stacky.usage(lake, {"kind": "launches"}, NOW)


def test_an_empty_lake_has_tables_without_rows(tmp_path: Path) -> None:
    """Before anything is landed every table is its header row."""
    lake = lake_of(tmp_path, [])

    for endpoint, parameters in [
        (stacky.deployments, {}),
        (stacky.events, {"service": "all"}),
        (stacky.hosts, {}),
        (stacky.uuid, {"uuid": INSTANCE}),
        (stacky.timings, {"name": "compute.instance.create"}),
        (stacky.timings_uuid, {"uuid": INSTANCE}),
        (stacky.summary, {}),
        (stacky.request, {"request_id": REQUEST}),
        (stacky.search, {"field": "event", "value": "x"}),
        (stacky.kpi, {}),
    ]:
        assert len(ask(endpoint, lake, **parameters)) == 1, endpoint
    assert ask(stacky.watch, lake, deployment_id="0")[1] == []
