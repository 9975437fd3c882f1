"""How Ceilometer's API v2 words what is wrong.

Source: the behaviour of Ceilometer 7.0.0.
"""

from collections.abc import Iterable
from http import HTTPStatus

from stackanalytics.errors import InputError


def wording(status: HTTPStatus, message: str) -> object:
    """Return an error of what was asked for."""
    fault = {"faultcode": "Client" if status < 500 else "Server", "faultstring": message, "debuginfo": None}
    return {"error_message": fault}


def routing_wording(status: HTTPStatus, message: str) -> object:
    """Return an error of HTTP itself: an unknown path, a method that is not possible, a form that is not served."""
    return {"error_message": message}


def unknown_argument(names: Iterable[str], valid: Iterable[str], *, why: str = "not known here") -> InputError:
    """Return the refusal of arguments, with those that would be valid."""
    return InputError(f'Unknown argument: "{", ".join(names)}": {why}; the valid ones are {", ".join(valid)}')


def invalid_input(name: str, value: object, why: str) -> InputError:
    """Return the refusal of what an argument says."""
    return InputError(f"Invalid input for field/attribute {name}. Value: '{value}'. {why}")


def given_several_times(name: str) -> InputError:
    """Return the refusal of an argument that can be given once."""
    return InputError(f"Parameter {name} was given several times: give it once")
