"""What is found once for each version of a lake, however often it is asked for."""

import threading
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from stackanalytics.lake import Lake

P = ParamSpec("P")
T = TypeVar("T")


def once_per_version(
    kept: int,
) -> Callable[[Callable[Concatenate[Lake, P], T]], Callable[Concatenate[Lake, P], T]]:
    """Return a decorator for functions of a lake and hashable arguments, whose answers depend on these alone.

    An answer is found by one thread, while others wait for it. It is kept as long as the ``Lake``
    object is, which stays at its version; of each, the *kept* answers that were found last.
    """

    def decorate(find: Callable[Concatenate[Lake, P], T]) -> Callable[Concatenate[Lake, P], T]:
        by_lake: WeakKeyDictionary[Lake, dict[object, T]] = WeakKeyDictionary()
        turn = threading.Lock()

        @wraps(find)
        def found(lake: Lake, /, *args: P.args, **kwargs: P.kwargs) -> T:
            question = (args, tuple(sorted(kwargs.items())))
            with turn:
                answers = by_lake.setdefault(lake, {})
                if question not in answers:
                    answers[question] = find(lake, *args, **kwargs)
                    if len(answers) > kept:
                        del answers[next(iter(answers))]
                return answers[question]

        return found

    return decorate
