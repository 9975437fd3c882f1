"""What every source of nova's side has in common."""

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from typing import Protocol

import polars as pl

Progress = Callable[[int], object]


class Source(Protocol):
    """Somebody who can be asked what nova says about instances."""

    @property
    def name(self) -> str:
        """What reconciled records tell of where they are from; never holds a credential."""

    @property
    def untold(self) -> frozenset[str]:
        """The columns that it cannot tell, null in every row."""

    def instances(self, wanted: Collection[str], *, on_progress: Progress | None = None) -> pl.DataFrame:
        """Return what nova says about those of the *wanted* instances that it knows.

        ``on_progress`` is called with the number of instances asked for so far.
        """


def batches(wanted: Collection[str], size: int) -> Iterator[Sequence[str]]:
    """Yield the different ones of *wanted*, in their order, in batches of at most *size*."""
    remaining = iter(sorted(set(wanted)))
    while batch := list(islice(remaining, size)):
        yield batch
