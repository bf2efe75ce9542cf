"""The simulation's only source of randomness: one seeded stream per subject.

Adding a subject leaves the others as they were, and no distribution depends on the machine's
vectorised mathematics: the same seed gives the same trial everywhere.

>>> Chance(1, 2).between((3, 9)) == Chance(1, 2).between((3, 9))
True
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Chance:
    """Draws from the stream that *keys* (seed, subject …) name."""

    def __init__(self, *keys: int) -> None:
        self._generator = np.random.default_rng(list(keys))

    def uniform(self) -> float:
        return float(self._generator.random())

    def happens(self, probability: float) -> bool:
        return self.uniform() < probability

    def between(self, span: tuple[int, int]) -> int:
        """A whole number of *span*, both ends included."""
        low, high = span
        return low + min(int(self.uniform() * (high - low + 1)), high - low)

    def of(self, items: Sequence[T]) -> T:
        return items[self.between((0, len(items) - 1))]

    def weighted(self, weights: Mapping[T, float]) -> T:
        """A key of *weights*, in proportion to its weight."""
        possible = [(item, weight) for item, weight in weights.items() if weight > 0]
        remaining = self.uniform() * sum(weights.values())
        for item, weight in possible:
            remaining -= weight
            if remaining < 0:
                return item
        return possible[-1][0]  # rounding left nothing over

    def skewed(self, low: float, median: float, high: float) -> float:
        """Half of the draws lie evenly between *low* and *median*, half above it, thinning towards *high*."""
        u = self.uniform()
        if u < 0.5:
            return low + (median - low) * 2 * u
        return median + (high - median) * (2 * u - 1) ** 2

    def waiting(self, median: float) -> float:
        """An exponential waiting time."""
        return -math.log(1 - self.uniform()) * median / math.log(2)

    def factor(self, spread: float) -> float:
        """A log-normal factor around 1; *spread* is its standard deviation on the log scale."""
        return math.exp(spread * float(self._generator.standard_normal()))
