"""The examples of Ceilometer's API in the documentation: each is run against a server, and true."""

import json
import re
from pathlib import Path

from serving import started
from test_db_examples import ADDRESS, ROOT, examples, run

from stackanalytics.lake import SampleWriter
from stackanalytics.surfaces import metering

PAGE = ROOT / "docs" / "metering-api.md"
TABLE = re.compile(r"^\| `(?:GET|POST|PUT).*?\|", re.MULTILINE)


def test_the_examples_are_true(tmp_path: Path) -> None:
    """Every example is answered, as the page says."""
    SampleWriter(tmp_path)
    ran = 0
    with started(tmp_path) as (url, _):
        for command, expected in examples(PAGE):
            status, method, body = run(command, url)
            refused = isinstance(expected, dict) and "error_message" in expected
            assert status == (400 if refused else {"DELETE": 204}.get(method, status)), (command, body)
            assert status < 300 or refused, (command, body)
            if expected is not None:
                assert json.loads(body) == expected, command
            ran += 1
    assert ran >= 10


def test_every_path_is_told() -> None:
    """The page has every path of the interface in its table, but those of alarms."""
    page = PAGE.read_text()
    told = " ".join(TABLE.findall(page)).replace("…", "/v2/event_types").replace("<type>", "<event_type>")
    paths = {route.path for surface in metering.SURFACES for route in surface.routes if "alarms" not in route.path}

    assert {path for path in paths if f"{path.replace('<trait>', '<name>')}`" not in told} <= {
        "/v2/event_types/<event_type>"
    }
    assert ADDRESS in page
