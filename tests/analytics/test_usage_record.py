"""Pages of usage records: the same as if all records were sorted and cut."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackanalytics import Criteria, Lake, deletes, exists, image_deletes, image_exists, images, launches, times
from stackanalytics.analytics import usage_record
from stackanalytics.analytics.usage_record import usage_records
from stackanalytics.testing import lake_of, notification

NOUNS: dict[str, Callable[[Lake], pl.DataFrame]] = {
    "launches": launches,
    "deletes": deletes,
    "exists": exists,
    "images": images,
    "image_deletes": image_deletes,
    "image_exists": image_exists,
}
START = times.instant("2026-03-02 22:00")


def _hour(number: int) -> datetime:
    return START + timedelta(hours=number)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake of several files and two days, with records of every kind, and with fields that are not known."""
    folder = tmp_path_factory.mktemp("lake")
    for number in range(5):
        instance = {
            "instance": f"i-{number % 3}",
            "launched_at": times.show(_hour(number % 2)),
            "tenant": ("a", "b", None)[number % 3],
        }
        image = {"id": f"g-{number}", "created_at": times.show(_hour(number)), "size": number % 2, "owner": "a"}
        deleted = {"deleted_at": times.show(_hour(number)) if number % 2 else None}
        told = [
            notification("compute.instance.create.end", _hour(number), request_id=f"req-{number}", **instance),
            notification("compute.instance.delete.end", _hour(number), **instance, **deleted),
            *(notification("compute.instance.exists", _hour(number), **instance, page=page) for page in range(3)),
            notification("image.activate", _hour(number), exchange="glance", payload=image),
            notification("image.delete", _hour(number), exchange="glance", payload=image | deleted),
            notification(
                "image.exists", _hour(number), exchange="glance", payload={"owner": "a", "images": [image] * 3}
            ),
        ]
        lake_of(folder, told).close()
    return Lake(folder)


@pytest.mark.parametrize("noun", NOUNS)
@settings(max_examples=25)
@given(data=st.data())
def test_a_page_is_a_part_of_all(lake: Lake, noun: str, data: st.DataObject) -> None:
    """Whatever is asked for, in whatever order: a page has the records that a plain look at all of them gives."""
    everything = NOUNS[noun](lake)
    assert everything.height >= 3
    column = data.draw(st.sampled_from(everything.columns))
    known = everything[column].drop_nulls().unique().sort().to_list() or [None]
    equal, least, most = (data.draw(st.none() | st.sampled_from(known)) for _ in range(3))
    order_by, descending = data.draw(st.sampled_from(everything.columns)), data.draw(st.booleans())
    limit, offset = data.draw(st.none() | st.integers(0, 20)), data.draw(st.integers(0, 20))
    span = data.draw(st.integers(1, 50))

    criteria = Criteria(
        *({column: value} if value is not None else {} for value in (equal, least, most)),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(usage_record, "FIRST_SPAN", span)
        patch.setattr(usage_record, "GROWTH", 2)
        found = usage_records(
            lake,
            noun=noun,  # type: ignore[arg-type]
            criteria=criteria,
            order_by=order_by,
            descending=descending,
            limit=limit,
            offset=offset,
        )

    asked = pl.lit(True)
    for value, meets in ((equal, pl.Expr.eq), (least, pl.Expr.ge), (most, pl.Expr.le)):
        if value is not None:
            asked &= meets(pl.col(column), value)
    expected = everything.filter(asked).sort(
        [order_by, "id"], descending=descending, nulls_last=descending, maintain_order=True
    )
    assert found.rows() == expected.slice(offset, limit).rows()


@pytest.mark.parametrize("noun", NOUNS)
def test_each_record_is_found_by_its_id_and_its_kin(lake: Lake, noun: str) -> None:
    """By its id each record is found as it is in the list, and with others among values of any column."""
    everything = NOUNS[noun](lake)

    for id in everything["id"]:
        assert usage_records(lake, noun=noun, id=id).rows() == everything.filter(id=id).rows()  # type: ignore[arg-type]
    some = everything["id"].gather_every(2).to_list()
    assert usage_records(lake, noun=noun, among={"id": [*some, 0]})["id"].to_list() == some  # type: ignore[arg-type]
    assert usage_records(lake, noun=noun, id=0).schema == everything.schema  # type: ignore[arg-type]


def test_what_does_not_count_is_not_found_by_its_id(tmp_path: Path) -> None:
    """A versioned record whose legacy twin lies in another file is none, by its id neither."""
    period = {"audit_period_beginning": "2026-03-01 00:00:00", "audit_period_ending": "2026-03-02 00:00:00"}
    known = {"launched_at": "2026-02-01 00:00:00", "instance": "i-1", **period}
    lake_of(tmp_path, [notification("compute.instance.exists", "2026-03-02", **known)]).close()
    with lake_of(tmp_path, [notification("instance.exists", "2026-03-03", **known)]) as lake:
        assert lake.sql("select count(*) from notifications").item() == 2
        assert usage_records(lake, noun="exists")["id"].to_list() == [1]
        assert usage_records(lake, noun="exists", id=1).height == 1
        assert usage_records(lake, noun="exists", id=2).is_empty()


def test_nothing_is_what_is_not_known(lake: Lake) -> None:
    """The empty text finds records of which a field is not known."""
    found = usage_records(lake, noun="exists", criteria=Criteria({"tenant": ""}))

    assert found["instance"].to_list() == ["i-2"] * 3
    assert found["tenant"].to_list() == [None] * 3
