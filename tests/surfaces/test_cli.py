"""The command line: what goes to which stream, and how it exits."""

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackanalytics.analytics.meter import meters
from stackanalytics.lake import open_lake

START = "2026-03-02 08:00"


def run(*arguments: object, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run a command as a user does."""
    command = [sys.executable, "-m", "stackanalytics", *map(str, arguments)]
    return subprocess.run(command, input=data, capture_output=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def simulated() -> bytes:
    """Return two hundred notifications, as JSON lines."""
    return run("simulate", "--start", START, "--count", 200).stdout


@pytest.fixture(scope="module")
def lake(simulated: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a lake in which they were landed."""
    folder = tmp_path_factory.mktemp("cli") / "lake"
    assert run("land", "-", "--lake", folder, data=simulated).returncode == 0
    return folder


def test_simulate_writes_the_same_bytes_for_the_same_settings(simulated: bytes, tmp_path: Path) -> None:
    """Standard output, a file and a compressed file get the same lines, run after run."""
    run("simulate", "--start", START, "--count", 200, "--out", tmp_path / "plain.jsonl")
    run("simulate", "--start", START, "--count", 200, "--out", tmp_path / "packed.jsonl.gz")

    assert simulated.count(b"\n") == 200
    assert (tmp_path / "plain.jsonl").read_bytes() == simulated
    assert gzip.decompress((tmp_path / "packed.jsonl.gz").read_bytes()) == simulated


def test_simulate_tells_the_truth_as_json_lines(tmp_path: Path) -> None:
    """Every line of the truth is an object that names its kind."""
    run("simulate", "--start", START, "--count", 200, "--out", os.devnull, "--truth", tmp_path / "truth.jsonl")

    kinds = {json.loads(line)["kind"] for line in (tmp_path / "truth.jsonl").read_text().splitlines()}

    assert {"operation", "launch"} <= kinds


def test_simulate_writes_the_table_of_nova(tmp_path: Path) -> None:
    """With --nova there is a line for each instance, with the columns that reconciliation reads."""
    words = ("simulate", "--start", START, "--count", 200, "--instances", 30, "--out", os.devnull)
    run(*words, "--nova", tmp_path / "nova.jsonl")

    rows = [json.loads(line) for line in (tmp_path / "nova.jsonl").read_text().splitlines()]

    assert len(rows) >= 30
    assert set(rows[0]) == {
        *("instance", "tenant", "instance_type_id", "instance_flavor_id", "launched_at", "deleted_at", "is_deleted"),
        *("os_architecture", "os_distro", "os_version", "rax_options"),
    }


def test_simulate_ends_quietly_when_nobody_reads_on() -> None:
    """A closed pipe, as of `head`, is no error."""
    command = f"{sys.executable} -m stackanalytics simulate --start '{START}' --count 100000 | head -n 1"

    done = subprocess.run(["bash", "-c", command], capture_output=True, check=False, timeout=60)

    assert (done.stdout.count(b"\n"), done.stderr) == (1, b"")


def test_land_says_what_became_of_the_input(simulated: bytes, tmp_path: Path) -> None:
    """Words go to standard error; a second run adds nothing and says so."""
    first = run("land", "-", "--lake", tmp_path / "lake", data=simulated)
    second = run("land", "-", "--lake", tmp_path / "lake", data=simulated)

    assert (first.returncode, first.stdout, second.returncode, second.stdout) == (0, b"", 0, b"")
    assert b"landed 200 notifications" in first.stderr
    assert b"landed 0 notifications" in second.stderr
    assert b"200 duplicates" in second.stderr


@pytest.mark.parametrize(("flags", "status"), [([], 0), (["--strict"], 1)])
def test_dead_letters_fail_only_a_strict_run(flags: list[str], status: int, tmp_path: Path) -> None:
    """A line that is no notification becomes a dead letter, and with --strict the exit status is 1."""
    done = run("land", "-", "--lake", tmp_path / "lake", *flags, data=b"no notification\n")

    assert done.returncode == status
    assert b"1 dead letters" in done.stderr


def test_land_names_deployment_and_exchange(simulated: bytes, tmp_path: Path) -> None:
    """What messages do not tell is taken from the command line."""
    body = b'{"event_type": "x.y", "timestamp": "2026-03-02 08:00:00", "message_id": "1"}'

    run("land", "-", "--lake", tmp_path, "--deployment", "cell-7", "--exchange", "nova", data=body)

    with open_lake(tmp_path) as opened:
        assert opened.sql("select deployment, exchange from notifications").rows() == [("cell-7", "nova")]


def test_info_describes_the_lake_as_json(lake: Path) -> None:
    """The description is data: it goes to standard output, and has the counts of the lake."""
    described = json.loads(run("info", "--lake", lake, "--format", "json").stdout)

    notifications, dead_letters, *_ = described["tables"]
    assert (notifications["table"], notifications["rows"], notifications["first_date"]) == (
        "notifications",
        200,
        "2026-03-02",
    )
    assert (dead_letters["table"], dead_letters["rows"], dead_letters["first_date"]) == (
        "dead_letters",
        0,
        None,
    )
    assert "region1-global" in described["deployments"].values()


def test_info_describes_the_lake_as_a_table(lake: Path) -> None:
    """The table names tables, counts and deployments."""
    shown = run("info", "--lake", lake).stdout.decode()

    assert re.search(r"notifications .* 200 ", shown)
    assert "region1-global" in shown


def test_compact_changes_files_and_no_answer(simulated: bytes, tmp_path: Path) -> None:
    """Two landings leave two files a day, compaction one, and every row stays."""
    lines = simulated.splitlines(keepends=True)
    for part in (lines[:100], lines[100:]):
        run("land", "-", "--lake", tmp_path, data=b"".join(part))
    with open_lake(tmp_path) as before:
        rows = before.sql("from notifications order by id")
        assert len(before.files("notifications")) == 2

    done = run("compact", "--lake", tmp_path)

    assert (done.returncode, done.stdout) == (0, b"")
    with open_lake(tmp_path) as after:
        assert len(after.files("notifications")) == 1
        assert after.sql("from notifications order by id").equals(rows)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["land", "/no/such/file", "--lake", "x"], b"/no/such/file"),
        (["simulate", "--start", START], b"--hours"),
        (["simulate", "--start", "yesterday", "--count", "1"], b"yesterday"),
        (["simulate", "--start", START, "--count", "1", "--loss", "2"], b"below 1"),
        (["serve"], b"--lake"),
        (["nonsense"], b"nonsense"),
    ],
)
def test_unusable_input_exits_with_2_and_says_what_was_given(arguments: list[str], words: bytes) -> None:
    """Nothing is printed on standard output, and the message names the argument."""
    done = run(*arguments)

    assert (done.returncode, done.stdout) == (2, b"")
    assert words in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["info", "compact", "serve"])
def test_a_missing_lake_exits_with_1_and_says_how_to_make_one(command: str, tmp_path: Path) -> None:
    """Commands that need a lake do not make an empty one by mistake."""
    done = run(command, "--lake", tmp_path / "none")

    assert done.returncode == 1
    assert b"stackanalytics land" in done.stderr
    assert not (tmp_path / "none").exists()


def test_demo_refuses_a_folder_that_is_not_its_own(tmp_path: Path) -> None:
    """A folder with anything else in it is left alone."""
    (tmp_path / "precious").write_text("data")

    done = run("demo", "--lake", tmp_path)

    assert done.returncode == 2
    assert (tmp_path / "precious").read_text() == "data"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run the demonstration; return its address and its process."""
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "stackanalytics", "demo", "--lake", str(folder), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        for line in process.stderr:
            if found := re.search(r"http://\S+", line):
                yield found[0].rstrip("/"), process
                break
        process.kill()


def test_demo_lands_a_cloud_and_serves_it(demo: tuple[str, subprocess.Popen[str]]) -> None:
    """It prints where to click, answers there with timings and a page, has meters, and ends on an interrupt."""
    address, process = demo

    with urllib.request.urlopen(f"{address}/stacky/summary/", timeout=60) as answer:
        header, *rows = json.load(answer)
    with urllib.request.urlopen(f"{address}/", timeout=60) as page:
        kind = page.headers["Content-Type"]
    with open_lake(process.args[process.args.index("--lake") + 1]) as lake:
        names = set(meters(lake, unique=True)["meter"])
    process.send_signal(signal.SIGINT)

    assert {"cpu", "cpu_util", "memory"} <= names
    assert header == ["Event", "N", "Min", "Max", "Avg"]
    assert "compute.instance.create" in [row[0] for row in rows]
    assert kind.startswith("text/html")
    assert process.wait(timeout=30) == 0
