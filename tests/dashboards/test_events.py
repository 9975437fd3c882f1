"""The events page: an instance, a request or an event in, frames out."""

import json
from pathlib import Path

import pytest

from dashboards.events import Events, _body, _details
from stackanalytics import Lake
from stackanalytics.testing import lake_of, notification


def opened(lake: Lake, **question: object) -> Events:
    """Return the page as it is once the lake was asked."""
    view = Events(lambda: lake, **question)
    view.look()
    return view


def types(view: Events) -> list[str] | None:
    """Return the event types of the table."""
    return None if view.answer.events is None else view.answer.events["event_type"].to_list()


def test_nothing_asked_is_nothing_shown(small_lake: Lake) -> None:
    """Without an instance or a request there is no table, not a table of everything; emptied fields ask nothing."""
    assert types(opened(small_lake)) is None
    assert types(opened(small_lake, instance="", request_id="")) is None


def test_events_of_an_instance_in_their_order(small_lake: Lake) -> None:
    """Instance i-1 was created on one day and deleted on the next."""
    assert types(opened(small_lake, instance="i-1")) == [
        "compute.instance.create.start",
        "compute.instance.create.end",
        "compute.instance.delete.start",
        "compute.instance.delete.end",
    ]


def test_events_of_a_request_of_an_instance(small_lake: Lake) -> None:
    """Instance and request together restrict both ways; a column that says the same in each row is hidden."""
    view = opened(small_lake, instance="i-2", request_id="req-i-2")
    assert view.answer.events.height == 3
    assert view.answer.told == ("instance", "request_id")

    view.request_id = "req-i-1"

    assert view.answer.events.is_empty()


def test_events_of_a_resource_of_any_kind(tmp_path: Path) -> None:
    """A volume has events as an instance has, which are found under the id of the resource; no column is lost."""
    lake = lake_of(tmp_path, [notification("volume.create.end", "2026-03-02", payload={"volume_id": "v-1"})])
    view = opened(lake, resource="v-1")

    assert types(view) == ["volume.create.end"]
    assert types(opened(lake, resource="v-2")) == []
    view.content()  # which shows the table, though no column of it tells the resource


def test_chosen_event_is_shown_whole(small_lake: Lake) -> None:
    """The event that is chosen has its body, and details without those that are not known."""
    view = opened(small_lake, instance="i-1")

    view.event = view.answer.events["id"][1]

    assert view.answer.chosen["event_type"] == "compute.instance.create.end"
    assert json.loads(_body(view.answer))["payload"] == {"instance_id": "i-1"}
    details = dict(_details(view.answer))
    assert details["deployment"] == "north"
    assert "message" not in details


def test_event_that_does_not_exist(small_lake: Lake) -> None:
    """An id that no event has is told apart from no choice."""
    assert opened(small_lake, event=999).answer.is_missing
    assert not opened(small_lake).answer.is_missing


@pytest.mark.parametrize("number", ["12345678901234567890123", "1.10", "1e400"])
def test_body_is_shown_as_it_was_sent(tmp_path: object, number: str) -> None:
    """Indenting changes no number, however large or precise."""
    message = json.dumps(notification("compute.instance.update", "2026-03-02", instance="i-1", size="NUMBER"))
    lake = lake_of(f"{tmp_path}/lake", [])
    assert lake is not None
    text = message.replace('"NUMBER"', number)

    from stackanalytics import open_lake
    from stackanalytics.landing import land
    from stackanalytics.sources.chunk import Chunk

    land([Chunk("test", 1, [text.encode()])], lake.path)
    view = opened(open_lake(lake.path), event=1)

    assert f'"size": {number}' in _body(view.answer)
