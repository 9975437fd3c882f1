"""Real notifications of several services land with what they say, once, in any order, without secrets."""

import json
import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from landed import Rows, rows_in

from stackanalytics import open_lake
from stackanalytics.landing import Summary, land
from stackanalytics.sources import files
from stackanalytics.sources.chunk import Chunk

DATA = Path(__file__).parents[2] / "shared" / "data"
NOTIFICATIONS, SAMPLES = DATA / "notifications", DATA / "ceilometer-notification-samples.json"
SECRET = b"FAKE-SECRET-"

pytestmark = pytest.mark.skipif(not NOTIFICATIONS.is_dir(), reason=f"real notifications are not at hand: no {DATA}")

Body = dict[str, Any]


def _sources() -> list[list[Chunk]]:
    """Return the messages of each file; those inside the samples as lines of one more."""
    cases = json.loads(SAMPLES.read_text())["cases"]
    inside = Chunk(SAMPLES.name, 1, [json.dumps(case["notification"]).encode() for case in cases])
    return [list(files.read([path])) for path in sorted(NOTIFICATIONS.glob("*.jsonl"))] + [[inside]]


def _messages() -> list[bytes]:
    return [message for source in _sources() for chunk in source for message in chunk.messages if message.strip()]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Summary]:
    """A lake of all of them, and what became of the messages."""
    folder = tmp_path_factory.mktemp("lake")
    return folder, land((chunk for source in _sources() for chunk in source), folder)


@pytest.fixture(scope="module")
def rows(lake: tuple[Path, Summary]) -> Rows:
    """Its rows."""
    return rows_in(lake[0])


# what a body says, read a second time in the plainest way


def _data(body: Body) -> Body:
    payload = body.get("payload")
    if not isinstance(payload, dict):
        return {}
    versioned = [value for name, value in payload.items() if re.fullmatch(r"\w+_object\.data", name)]
    return versioned[0] if versioned else payload


def _dig(value: Any, path: str) -> Any:
    for step in path.split("/"):
        if isinstance(value, list):
            value = value[int(step)] if step.isdigit() and int(step) < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def _first(*values: Any) -> Any:
    return next((value for value in values if value not in (None, "", [], {})), None)


def _moment(text: Any) -> datetime | None:
    pattern = r"(\d{4})-(\d\d?)-(\d\d?)[T ](\d\d?):(\d\d):(\d\d)(?:\.(\d+))?(Z|[+-]\d\d:?\d\d)?"
    found = re.fullmatch(pattern, text.strip()) if isinstance(text, str) else None
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(found[place]) for place in range(1, 7))
    fraction, zone = found[7], found[8]
    moment = datetime(year, month, day, hour, minute, second, int((fraction or "").ljust(6, "0")[:6]), UTC)
    if zone in (None, "Z"):
        return moment
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
    return moment - offset if zone[0] == "+" else moment + offset


def _time(body: Body) -> datetime | None:
    said = (body.get("timestamp"), body.get("_context_timestamp"), _dig(body, "payload/eventTime"))
    return next((moment for text in said if (moment := _moment(text))), None)


def _request(body: Body) -> str | None:
    data = _data(body)
    request: str | None = _first(
        body.get("_context_request_id"), data.get("request_id"), _dig(data, "initiator/request_id")
    )
    return request


def _tenant(body: Body) -> str | None:
    data = _data(body)
    names = ("tenant_id", "project_id", "owner", "owner_id")
    inner = [value for value in data.values() if isinstance(value, dict)] if len(data) == 1 else []
    tenant: str | None = _first(
        *(thing.get(name) for thing in [*inner, data] for name in names),
        _dig(data, "initiator/project_id"),
        body.get("_context_project_id"),
        body.get("_context_tenant"),
    )
    return tenant


def _instance(body: Body) -> str | None:
    data = _data(body)
    paths = (
        "instance_uuid",
        "instance_id",
        "exception/kwargs/uuid",
        "instance/uuid",
        "args/instance/uuid",
        "request_spec/instance_uuids/0",
        "request_spec/instance_properties/uuid",
        "properties/instance_uuid",
    )
    own = data.get("uuid") if body["event_type"].startswith("instance.") else None
    instance: str | None = _first(*(_dig(data, path) for path in paths), own)
    return instance


def _content(body: Body) -> str:
    """Return what two messages of one id must have in common to be one."""
    left_out = ("_unique_id", "priority")
    told = {name: value for name, value in body.items() if name not in left_out and not name.startswith("_context_")}
    return json.dumps(told, sort_keys=True)


def _bodies() -> Iterator[Body]:
    for message in _messages():
        yield json.loads(message)


def test_every_message_is_accounted_for(lake: tuple[Path, Summary], rows: Rows) -> None:
    """Rows, dead letters and exact repetitions add up, each as many as a plain count finds."""
    bodies = list(_bodies())
    usable = [body for body in bodies if body.get("event_type") and _time(body)]
    distinct = {(body.get("message_id"), _content(body)) for body in usable}
    ids = {body["message_id"] for body in usable if body.get("message_id")}
    nameless = {content for message_id, content in distinct if not message_id}
    landed = lake[1]
    assert len(bodies) > 300
    assert landed.notifications == len(distinct) == len(rows)
    assert landed.conflicts == len(distinct) - len(ids) - len(nameless) == sum(row["is_conflict"] for row in rows)
    assert landed.dead_letters + landed.repeated_dead_letters == len(bodies) - len(usable)
    assert landed.notifications + landed.duplicates + len(bodies) - len(usable) == len(bodies)


def test_columns_say_what_the_bodies_say(rows: Rows) -> None:
    """Event type, time, request, tenant and instance of each row are those of its body."""
    for row in rows:
        body = json.loads(row["body"])
        expected = (body["event_type"], _time(body), _request(body), _tenant(body), _instance(body))
        found = (row["event_type"], row["generated_at"], row["request_id"], row["tenant"], row["instance"])
        assert found == expected, row["body"]


def test_bodies_are_those_that_came(rows: Rows) -> None:
    """Every body that was landed is one that came, but for its secrets."""

    def redacted(message: bytes) -> str:
        return re.sub(rb'"FAKE-SECRET-[^"]*"', b'"***"', message).decode()

    came = {json.dumps(json.loads(redacted(message)), sort_keys=True) for message in _messages()}
    for row in rows:
        body = json.loads(row["body"])
        assert SECRET.decode() not in row["body"]
        # catalogs and tokens of other kinds are redacted as well: they are compared without
        assert any(_is_redaction(body, json.loads(text)) for text in came if body["event_type"] in text), row["body"]


def _is_redaction(body: Any, original: Any) -> bool:
    if isinstance(body, dict) and isinstance(original, dict):
        return body.keys() == original.keys() and all(_is_redaction(body[name], original[name]) for name in body)
    return bool(body == original or body == "***")


def test_few_exchanges_are_unknown(rows: Rows) -> None:
    """These are notifications of nova, cinder, glance and their kin, and are told apart as such."""
    assert {row["exchange"] for row in rows if row["exchange"] != "unknown"} >= {"nova", "cinder", "glance", "neutron"}
    assert {row["event_type"] for row in rows if row["exchange"] == "unknown"} == set()


def test_formats(rows: Rows) -> None:
    """Versioned payloads are seen as such, and meet the legacy ones under the legacy names."""
    versioned = {row["operation"] for row in rows if row["format"] == "versioned"}
    assert {
        "compute.instance.create",
        "compute.instance.resize.prep",
        "compute.instance.live_migration._post",
    } <= versioned
    assert not {operation for operation in versioned if operation.startswith("instance.")}


def test_a_second_run_lands_nothing(lake: tuple[Path, Summary]) -> None:
    """Landing all of it again finds it there."""
    folder, first = lake
    again = land((chunk for source in _sources() for chunk in source), folder)
    assert (again.notifications, again.conflicts, again.dead_letters) == (0, 0, 0)
    assert again.duplicates == first.notifications + first.duplicates


def _told(rows: Rows) -> list[str]:
    """Return what rows tell but for the order of landing.

    Of copies of one message, equal in content, the first one is kept: its way of writing, and its context.
    """
    copies: dict[str, set[str]] = {}
    for body in _bodies():
        copies.setdefault(_content(body), set()).add(str((_request(body), _tenant(body))))
    told = []
    for row in rows:
        content = _content(json.loads(row["body"]))
        left_out = {"id", "landed_at", "is_conflict", "body"}
        if len(copies.get(content, ())) > 1:
            left_out |= {"request_id", "tenant", "user"}
        told.append(str([{name: value for name, value in row.items() if name not in left_out}, content]))
    return sorted(told)


def test_other_order_of_files(rows: Rows, tmp_path: Path) -> None:
    """With the files landed one by one in the opposite order, all is the same but the ids."""
    for source in reversed(_sources()):
        land(source, tmp_path)
    assert _told(rows_in(tmp_path)) == _told(rows)


@pytest.mark.parametrize("seed", [1, 2])
def test_shuffled_and_repeated(seed: int, rows: Rows, tmp_path: Path) -> None:
    """With the messages shuffled, each up to three times, in several landings, all is the same but the ids."""
    chance = random.Random(seed)
    messages = [message for message in _messages() for _ in range(chance.randint(1, 3))]
    chance.shuffle(messages)
    for start in range(0, len(messages), 150):
        land([Chunk("shuffled", 1, messages[start : start + 150])], tmp_path)
    assert _told(rows_in(tmp_path)) == _told(rows)


def test_no_secret_is_left(lake: tuple[Path, Summary], rows: Rows) -> None:
    """None of the tokens and passwords that came is anywhere in the lake: no column, no file."""
    assert any(SECRET in message for message in _messages())
    folder = lake[0]
    with open_lake(folder) as opened:
        for table in ("notifications", "dead_letters"):
            for row in opened.sql(f"select * from {table}").iter_rows():
                told = [value if isinstance(value, bytes) else str(value).encode() for value in row]
                assert not any(SECRET in value for value in told)
    for path in folder.rglob("*"):
        assert path.is_dir() or SECRET not in path.read_bytes()
