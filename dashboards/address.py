"""What a page shows, in its address: a view can be sent to somebody else, and bookmarked."""

import re
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import parse_qsl, urlencode

import panel as pn
import param
from param.parameterized import discard_events

from stackanalytics import times
from stackanalytics.errors import InputError


def share(state: param.Parameterized, names: Sequence[str]) -> None:
    """Take parameters from the query string of the page's address, and then keep them in it.

    Nobody who watches the parameters hears of what is taken, so this is to be done first. Where
    there is no address (in a notebook, in a test), nothing is done.

    Parameters
    ----------
    state
        Whose parameters they are. Their instants are naive, as Panel's widgets want them, in UTC.
    names
        The parameters, which have the same names in the address.

    Raises
    ------
    InputError
        If the address holds what cannot be a parameter's value.
    """
    location = pn.state.location
    if location is None or not names:
        return
    state.param.watch(lambda *changes: location.param.update(search=write(state, names)), list(names))
    with discard_events(state):
        state.param.update(**read(state, names, location.search or ""))


def read(state: param.Parameterized, names: Sequence[str], query: str) -> dict[str, object]:
    """Return the values of parameters that a query string gives.

    Raises
    ------
    InputError
        If it holds what cannot be a parameter's value.
    """
    given = dict(parse_qsl(query.removeprefix("?")))
    return {name: _value(state.param[name], given[name]) for name in names if name in given}


def write(state: param.Parameterized, names: Sequence[str]) -> str:
    """Return the query string that gives the values of parameters, without those that have their defaults."""
    values = {name: getattr(state, name) for name in names}
    given = {name: _text(value) for name, value in values.items() if (value or None) != state.param[name].default}
    return f"?{urlencode(given, safe=':')}" if given else ""


def _value(parameter: object, text: str) -> object:
    if isinstance(parameter, param.Date):
        return times.instant(text).replace(tzinfo=None)
    if isinstance(parameter, param.Integer):
        return _number(text)
    return text


def _number(text: str) -> int:
    if re.fullmatch(r"\d{1,18}", text, re.ASCII):
        return int(text)
    raise InputError(f"{text!r} in the address is not an id: ids are whole numbers")


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
