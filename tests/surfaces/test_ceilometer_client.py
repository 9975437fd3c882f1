"""The unmodified command line of Ceilometer, python-ceilometerclient 2.9.0, against a server that writes."""

import json
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from ceilometerclient.apiclient.exceptions import ClientException
from ceilometerclient.exc import CommandError
from ceilometerclient.shell import CeilometerShell
from ceilometerclient.v2 import client as v2
from serving import running

from stackanalytics.testing import lake_of, notification, sample, samples_of

Run = Callable[..., list[list[str]]]

SAMPLES = [
    sample("cpu_util", f"2013-01-01 0{hour}:00", volume, unit="%", tenant="p1", user="u1", metadata={"n": hour})
    for hour, volume in enumerate((10, 20, 60))
]
SAMPLES += [sample("disk", "2013-01-01 05:00", 7, meter_type="cumulative", unit="GB", resource="r2", tenant="p2")]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of a lake with four samples and an event."""
    folder = tmp_path_factory.mktemp("lake")
    told = notification(
        "compute.metrics.update", "2014-01-01 05:00:00", payload={"tenant_id": "p1"}, message_id="m-1", service="nova"
    )
    lake_of(folder, [told]).close()
    samples_of(folder, SAMPLES).close()
    with running(folder, allow_writes=True) as address:
        yield address


@pytest.fixture
def run(url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a command, and returns the cells of the lines that it prints as a table."""
    for name in ("OS_AUTH_URL", "OS_USERNAME", "OS_PASSWORD", "OS_TOKEN", "CEILOMETER_URL"):
        monkeypatch.delenv(name, raising=False)

    def command(*words: str) -> list[list[str]]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says that it is deprecated
            CeilometerShell().main(["--os-token", "any", "--ceilometer-url", url, *words])
        return [
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in capsys.readouterr().out.splitlines()
            if line.startswith("|")
        ]

    return command


def test_the_client_is_the_last_one() -> None:
    """What is run is the last release, as the package index has it."""
    assert version("python-ceilometerclient") == "2.9.0"


def test_meter_list(run: Run) -> None:
    """``meter-list``, all, by a query, and each meter once."""
    headers = ["Name", "Type", "Unit", "Resource ID", "User ID", "Project ID"]
    cpu = ["cpu_util", "gauge", "%", "r", "u1", "p1"]
    assert run("meter-list") == [headers, cpu, ["disk", "cumulative", "GB", "r2", "None", "p2"]]
    assert run("meter-list", "-q", "resource_id=r;metadata.n=integer::2", "-l", "3") == [headers, cpu]
    assert run("meter-list", "-q", "resource_id=r;metadata.n=1", "--unique", "True") == [headers]
    assert run("meter-list", "-l", "1", "--unique", "True") == [
        headers,
        ["cpu_util", "gauge", "%", "None", "None", "None"],
    ]


def test_sample_list_and_show(run: Run) -> None:
    """``sample-list`` of all meters and of one, and ``sample-show``."""
    headers, first, second, *_ = run("sample-list")
    assert headers == ["ID", "Resource ID", "Name", "Type", "Volume", "Unit", "Timestamp"]
    assert first[1:] == ["r2", "disk", "cumulative", "7.0", "GB", "2013-01-01T05:00:00"]
    assert second[1:] == ["r", "cpu_util", "gauge", "60.0", "%", "2013-01-01T02:00:00"]
    assert len(run("sample-list", "-l", "2")) == 3
    bounds = "timestamp>2013-01-01T00:00:00;timestamp<=2013-01-01T01:00:00"
    assert run("sample-list", "-m", "cpu_util", "-q", bounds) == [
        ["Resource ID", "Name", "Type", "Volume", "Unit", "Timestamp"],
        ["r", "cpu_util", "gauge", "20.0", "%", "2013-01-01T01:00:00"],
    ]
    shown = dict(run("sample-show", second[0]))
    assert (shown["volume"], shown["meter"], shown["project_id"]) == ("60.0", "cpu_util", "p1")
    assert shown["metadata"] == '{"n": "2"}'


def test_statistics(run: Run) -> None:
    """``statistics`` of everything, by period and group with a query, and with chosen aggregates."""
    bounds = ["2013-01-01T00:00:00", "2013-01-01T02:00:00"]
    assert run("statistics", "-m", "cpu_util") == [
        [
            *("Period", "Period Start", "Period End", "Max", "Min", "Avg", "Sum", "Count"),
            *("Duration", "Duration Start", "Duration End"),
        ],
        ["0", *bounds, "60.0", "10.0", "30.0", "90.0", "3", "7200.0", *bounds],
    ]
    options = ["-p", "7200", "-g", "resource_id", "-g", "user_id", "-q", "timestamp>=2013-01-01T00:00:00"]
    headers, first, second = run("statistics", "-m", "cpu_util", *options)
    assert headers[:4] == ["Period", "Period Start", "Period End", "Group By"]
    assert first[:9] == [
        *("7200", "2013-01-01T00:00:00", "2013-01-01T02:00:00", "{'resource_id': 'r', 'user_id': 'u1'}"),
        *("20.0", "10.0", "15.0", "30.0", "2"),
    ]
    assert second[4:9] == ["60.0", "60.0", "60.0", "60.0", "1"]
    headers, row = run("statistics", "-m", "cpu_util", "-a", "max", "-a", "cardinality<-resource_id", "-a", "stddev")
    assert headers[3:6] == ["Max", "cardinality/resource_id", "Standard deviation"]
    assert [float(cell) for cell in row[3:6]] == pytest.approx([60.0, 1.0, (1400 / 3) ** 0.5])


def test_resource_list_and_show(run: Run) -> None:
    """``resource-list``, all and by a query, and ``resource-show``."""
    headers, *rows = run("resource-list")
    assert headers == ["Resource ID", "Source", "User ID", "Project ID"]
    assert rows == [["r", "openstack", "u1", "p1"], ["r2", "openstack", "None", "p2"]]
    assert run("resource-list", "-q", "project=p2", "-l", "5") == [headers, rows[1]]
    shown = dict(run("resource-show", "r"))
    assert (shown["resource_id"], shown["project_id"], shown["metadata"]) == ("r", "p1", '{"n": "2"}')


def test_query_samples(run: Run) -> None:
    """``query-samples`` with filter, order and limit, and without any."""
    asked = ["-f", '{"<": {"counter_volume": 50}}', "-o", '[{"counter_volume": "ASC"}]', "-l", "2"]
    headers, *rows = run("query-samples", *asked)
    assert headers == ["ID", "Resource ID", "Meter", "Type", "Volume", "Unit", "Timestamp"]
    assert [row[4] for row in rows] == ["7.0", "10.0"]
    assert len(run("query-samples")) == 5


def test_events(run: Run) -> None:
    """``event-list`` with traits and without, ``event-show``, and the lists of types and traits."""
    event = ["m-1", "compute.metrics.update", "2014-01-01T05:00:00"]
    headers, *rows = run("event-list", "-q", "tenant_id=p1", "-l", "5")
    assert headers == ["Message ID", "Event Type", "Generated", "Traits"]
    assert rows[0][:3] == event
    assert ["project_id", "string", "p1"] in [row[4:7] for row in rows]
    assert run("event-list", "--no-traits") == [headers[:3], event]
    assert run("event-list", "--no-traits", "-q", "tenant_id=p2") == [headers[:3]]
    shown = run("event-show", "m-1")
    assert ["event_type", "compute.metrics.update"] in shown
    assert run("event-type-list") == [["Event Type"], ["compute.metrics.update"]]
    assert run("trait-description-list", "-e", "compute.metrics.update") == [
        ["Trait Name", "Data Type"],
        *([name, "string"] for name in ("project_id", "service", "tenant_id")),
    ]
    assert run("trait-list", "-e", "compute.metrics.update", "-t", "tenant_id") == [
        ["Trait Name", "Value", "Data Type"],
        ["tenant_id", "p1", "string"],
    ]


def test_capabilities(run: Run) -> None:
    """``capabilities`` prints what can be done."""
    printed = " ".join(cell for row in run("capabilities") for cell in row)

    assert '"samples:query:complex": true' in printed
    assert '"storage:production_ready": true' in printed


def test_sample_create(run: Run) -> None:
    """``sample-create`` prints the completed sample, which statistics count at once."""
    options = ["-r", "tree", "-m", "apples", "--meter-type", "gauge", "--meter-unit", "apple", "--sample-volume", "3"]
    more = ["--resource-metadata", '{"a": "b"}', "--timestamp", "2013-01-01T00:00:00", "--project-id", "p9"]
    shown = dict(run("sample-create", *options, *more, "--direct", "True"))

    assert (shown["volume"], shown["project_id"], shown["source"]) == ("3.0", "p9", "p9:openstack")
    assert shown["resource_metadata"] == '{"a": "b"}'
    assert run("statistics", "-m", "apples")[1][3:8] == ["3.0", "3.0", "3.0", "3.0", "1"]


def test_sample_create_list(run: Run) -> None:
    """``sample-create-list`` posts samples of several meters, and lists them."""
    told = [
        {
            "counter_name": name,
            "counter_type": "delta",
            "counter_unit": "",
            "counter_volume": volume,
            "resource_id": "basket",
            "timestamp": "2013-01-01T00:00:00",
        }
        for name, volume in (("plums", 1), ("pears", 2), ("plums", 3))
    ]
    headers, *rows = run("sample-create-list", json.dumps(told))

    assert headers == ["Resource ID", "Name", "Type", "Volume", "Unit", "Timestamp"]
    assert sorted(row[1:4] for row in rows) == [
        ["pears", "delta", "2.0"],
        ["plums", "delta", "1.0"],
        ["plums", "delta", "3.0"],
    ]
    assert run("statistics", "-m", "plums")[1][6] == "4.0"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["sample-show", "nope"], "Sample not found: nope"),
        (["resource-show", "nope"], "Resource not found: nope"),
        (["event-show", "nope"], "Event not found: nope"),
        (["meter-list", "-q", "bogus=1"], 'Unknown argument: "bogus": unrecognized field in query'),
        (["statistics", "-m", "cpu_util", "-a", "bogus"], "Invalid aggregation function: bogus"),
        (["query-samples", "-f", "{"], "Filter expression not valid"),
        (["alarm-list"], "Gone"),
    ],
)
def test_what_goes_wrong_is_told(run: Run, command: list[str], said: str) -> None:
    """The client finds its way through errors, and shows what they say."""
    with pytest.raises((CommandError, ClientException)) as failed:
        run(*command)

    assert said in str(failed.value)


def test_the_library(url: str) -> None:
    """Programs that use the library get the same, page after page."""
    client = v2.Client(endpoint=url, token=lambda: "any")

    listed = client.meters.list(q=[{"field": "project_id", "op": "eq", "value": "p2"}])
    assert [(meter.name, meter.resource_id) for meter in listed] == [("disk", "r2")]
    [row] = client.statistics.list("cpu_util", q=[{"field": "metadata.n", "op": "ge", "value": "1", "type": "integer"}])
    assert (row.count, row.sum, row.duration) == (2, 80.0, 3600.0)
    assert client.resources.get("r").resource_id == "r"


def test_the_command_as_it_is_installed(url: str, tmp_path: Path) -> None:
    """The command itself, in a process of its own, prints meters and leaves with status 0."""
    command = Path(sys.executable).with_name("ceilometer")
    arguments = [command, "--os-token", "any", "--ceilometer-url", url, "meter-list", "-q", "resource=r2"]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=tmp_path, check=True)

    assert "| disk | cumulative | GB   | r2          | None    | p2         |" in done.stdout
