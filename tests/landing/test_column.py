"""Columns that are made of many rows at once are what each row alone would give."""

from hypothesis import example, given
from hypothesis import strategies as st

from stackanalytics import times
from stackanalytics.landing.cell import text_array
from stackanalytics.landing.column import instants

usual = st.datetimes().map(lambda moment: moment.isoformat(" "))
written = st.one_of(
    usual,
    usual.map(lambda said: said.replace(" ", "T")),
    usual.map(lambda said: said + "Z"),
    usual.map(lambda said: said + "+02:00"),
    st.text("0123456789-:. TZ+", min_size=19, max_size=19),
    st.text("0123456789-:. TZ+", min_size=26, max_size=26),
    st.text(),
)


@given(st.lists(written))
@example(["2026-03-02", "2026-03-02 10:00:00"])
@example(["0000-01-01 00:00:00", "2026-03-02 10:00:00"])
@example(["2026-03-02 10:00:60", "2026-03-02 24:00:00", "2026-03-02T10:00:00"])
@example(["2026-03-02 10:00+00:00", "2026-03-02 10:00:00.5+01", "2026-03-02 10:00:00.123456"])
@example(["2026-03-02T10:00+00", "2026-03-02 10:00:00.12Z", "9999-12-31 23:59:59.999999"])
@example(["2026-02-30 10:00:00.000000", "", "2026-03-02 10:00:00.0000001"])
def test_instants(said: list[str]) -> None:
    """Times are read at once as they are one by one, whatever stands beside them."""
    said = [text.encode("utf-8", "ignore").decode() for text in said]
    assert instants(text_array(said)).to_pylist() == [times.parse(text) if text else None for text in said]
