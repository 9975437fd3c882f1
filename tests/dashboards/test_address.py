"""Views of pages as query strings."""

from datetime import datetime

import param
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.address import read, write
from stackanalytics.errors import InputError

NAMES = ("who", "what", "when", "number")


class Question(param.Parameterized):
    """Parameters of each kind that pages have."""

    who = param.String(None, allow_None=True)
    what = param.String("creating")
    when = param.Date(None)
    number = param.Integer(None, allow_None=True)


def test_defaults_are_left_out() -> None:
    """A view in which nothing was chosen has an address without a query string; an emptied field is no choice."""
    assert write(Question(), NAMES) == ""
    assert write(Question(who=""), NAMES) == ""


def test_choices_are_written_so_that_people_can_read_them() -> None:
    """Instants are in ISO form, and what has a meaning in addresses is escaped."""
    question = Question(who="a&b=c", when=datetime(2026, 3, 2, 10, 30), number=7)

    assert write(question, NAMES) == "?who=a%26b%3Dc&when=2026-03-02T10:30:00&number=7"


def test_instants_of_any_form_are_read_in_utc() -> None:
    """An instant may have any form that the package reads; widgets get it without its zone."""
    found = read(Question(), NAMES, "?when=2026-03-02 10:30:00%2B02:00&other=1")

    assert found == {"when": datetime(2026, 3, 2, 8, 30)}


@pytest.mark.parametrize("query", ["?when=yesterday", "?number=x", "?number=-1", "?number=²"])
def test_what_cannot_be_a_value_is_refused(query: str) -> None:
    """A value that its parameter cannot have is an error of the one who gave it."""
    with pytest.raises(InputError):
        read(Question(), NAMES, query)


@given(
    st.builds(
        Question,
        who=st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
        what=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
        when=st.none() | st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1)),
        number=st.none() | st.integers(0, 2**53),
    )
)
def test_what_is_written_is_read_again(question: Question) -> None:
    """Every view comes out of its own address as it went in."""
    opened = Question(**read(question, NAMES, write(question, NAMES)))

    assert [getattr(opened, name) for name in NAMES] == [getattr(question, name) for name in NAMES]
