"""Draws from the distributions that clouds follow."""

import math
from bisect import bisect
from collections.abc import Iterator, Sequence
from itertools import accumulate
from random import Random
from typing import Generic, Self, TypeVar

T = TypeVar("T")

P97 = 1.8808  # standard deviations from the median to the 97th percentile


class Chance:
    """A seeded source of chance, with a sequence of its own for every use."""

    def __init__(self, seed: int, use: str) -> None:
        self._random = Random(f"{seed}/{use}")
        self.share = self._random.random
        self.between = self._random.uniform
        self.whole = self._random.randrange
        self.normal = self._random.gauss
        self._bits = self._random.getrandbits

    def happens(self, rate: float) -> bool:
        """Tell whether something of that rate happens now."""
        return self.share() < rate

    def one_of(self, things: Sequence[T]) -> T:
        """Draw one, each as likely as the other."""
        return things[int(self.share() * len(things))]

    def gap(self, mean: float) -> float:
        """Draw the time to the next arrival, memoryless."""
        return -math.log(1.0 - self.share()) * mean

    def lasting(self, median: float, p97: float) -> float:
        """Draw a log-normal duration from its median and 97th percentile."""
        return median * math.exp(self.normal(0.0, 1.0) * math.log(p97 / median) / P97)

    def parts(self, total: float, count: int) -> Iterator[float]:
        """Split a duration at random into *count* waits."""
        weights = [0.1 + self.share() for _ in range(count)]
        scale = total / sum(weights)
        return iter([weight * scale for weight in weights])

    def uuid(self) -> str:
        """Draw a random uuid."""
        digits = f"{self._bits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"

    def digits(self, count: int) -> str:
        """Draw hexadecimal digits."""
        return f"{self._bits(count * 4):0{count}x}"


class Weighted(Generic[T]):
    """Things of which some are drawn more often than others."""

    def __init__(self, chance: Chance, things: Sequence[T], weights: Sequence[float]) -> None:
        self._share = chance.share
        self._things = things
        self._sums = list(accumulate(weights))

    @classmethod
    def zipf(cls, chance: Chance, things: Sequence[T], exponent: float = 1.1) -> Self:
        """Weigh by rank, as popularity usually is."""
        return cls(chance, things, [rank**-exponent for rank in range(1, len(things) + 1)])

    def draw(self) -> T:
        """Draw one."""
        return self._things[bisect(self._sums, self._share() * self._sums[-1])]
