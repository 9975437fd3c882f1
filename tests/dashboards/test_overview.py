"""The front page: what the lake holds."""

from dashboards.overview import EXAMPLES, Overview, _figures
from stackanalytics import Lake, open_lake
from stackanalytics.testing import lake_of, notification


def opened(lake: Lake) -> Overview:
    """Return the page as it is once the lake was asked."""
    view = Overview(lambda: lake)
    view.look()
    return view


def test_figures_of_a_lake(small_lake: Lake) -> None:
    """Nine notifications of two deployments, made on two days, and no dead letter."""
    figures = dict(_figures(opened(small_lake).answer))

    assert figures.pop("On disk").endswith(" kB")
    assert figures == {
        "Notifications": "9",
        "Deployments": "2",
        "Days (UTC)": "2026-03-02 – 2026-03-03",
        "Dead letters": "0",
    }


def test_figures_of_an_empty_lake(empty_lake: Lake) -> None:
    """An empty lake has no days, and everything else zero times."""
    view = opened(empty_lake)

    assert dict(_figures(view.answer)) == {
        "Notifications": "0",
        "Deployments": "0",
        "Days (UTC)": "–",
        "Dead letters": "0",
        "On disk": "0 B",
    }
    assert view.answer.event_types.is_empty()


def test_most_frequent_events_come_first(small_lake: Lake) -> None:
    """There are three creates and two deletes, of which one did not end."""
    found = opened(small_lake).answer.event_types.select("event_type", "count").rows()

    assert found == [
        ("compute.instance.create.end", 3),
        ("compute.instance.create.start", 3),
        ("compute.instance.delete.start", 2),
        ("compute.instance.delete.end", 1),
    ]


def test_page_follows_what_lands(small_lake: Lake) -> None:
    """After one more notification has landed, the next look counts it."""
    lakes = [small_lake]
    view = Overview(lambda: lakes[-1])
    view.look()

    lake_of(small_lake.path, [notification("image.create", "2026-03-04")])
    lakes.append(open_lake(small_lake.path))
    view.look()

    assert dict(_figures(view.answer))["Notifications"] == "10"


def test_examples_begin_with_a_path() -> None:
    """Examples are paths, since the page puts its own address before them."""
    assert all(path.startswith("/") for path in EXAMPLES)
