"""What is known of a number: a range with open or closed ends, and whether it lies within limits. Three answers.

>>> limits = Range.of(above=5, to=10)
>>> [Range.point(x).within(limits) for x in (5, 5.1, 10, 10.1)]
[False, True, True, False]
>>> Range.of(above=5, to=20).within(limits) is None
True
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class Range:
    """From ``low`` to ``high``; an open end does not include its limit."""

    low: float = -inf
    high: float = inf
    low_open: bool = False
    high_open: bool = False

    @classmethod
    def of(
        cls, *, above: float | None = None, at_least: float | None = None, to: float | None = None, below: float | None = None
    ) -> Range:
        """Limits by their words: ``above`` and ``below`` exclude, ``at_least`` and ``to`` include."""
        low = above if above is not None else at_least
        high = below if below is not None else to
        return cls(-inf if low is None else low, inf if high is None else high, above is not None, below is not None)

    @classmethod
    def point(cls, value: float) -> Range:
        return cls(value, value)

    def within(self, limits: Range) -> bool | None:
        """True where all of it is inside *limits*, False where none is, None where only a part."""
        from_low = self.low > limits.low or (self.low == limits.low and (self.low_open or not limits.low_open))
        to_high = self.high < limits.high or (self.high == limits.high and (self.high_open or not limits.high_open))
        if from_low and to_high:
            return True
        beneath = self.high < limits.low or (self.high == limits.low and (self.high_open or limits.low_open))
        beyond = self.low > limits.high or (self.low == limits.high and (self.low_open or limits.high_open))
        return False if beneath or beyond else None

    def reaching(self, value: float) -> Range:
        """The smallest range with this one and *value* in it."""
        return Range(
            min(self.low, value), max(self.high, value), self.low_open and value > self.low, self.high_open and value < self.high
        )
