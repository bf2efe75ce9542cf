"""Proportions and rates with exact intervals.

Clopper and Pearson, Biometrika 1934 (proportions); Garwood, Biometrika 1936 (Poisson rates);
Wilson, JASA 1927 (score interval). An interval that nothing was observed for is None, not zero.

>>> [round(limit, 4) for limit in clopper_pearson(0, 20)]
[0.0, 0.1684]
>>> round(poisson_rate(137, 24.19893).rate, 4)
5.6614
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, chi2, norm, poisson

DAYS_PER_YEAR = 365.25  # the Julian year, which person-years are reported in


class Interval(NamedTuple):
    lower: float
    upper: float


@dataclass(frozen=True)
class Rate:
    """``count`` events over ``time``; ``rate`` and ``interval`` are None where no time was observed."""

    count: int
    time: float
    rate: float | None
    interval: Interval | None


def clopper_pearson(count: int, total: int, level: float = 0.95) -> Interval | None:
    """Exact interval for *count* of *total*, as proportions; None where *total* is 0."""
    _check(count, total)
    if total == 0:
        return None
    tail = (1 - level) / 2
    lower = 0.0 if count == 0 else float(beta.ppf(tail, count, total - count + 1))
    upper = 1.0 if count == total else float(beta.ppf(1 - tail, count + 1, total - count))
    return Interval(lower, upper)


def wilson(count: int, total: int, level: float = 0.95) -> Interval | None:
    """Score interval for *count* of *total*, as proportions; None where *total* is 0."""
    _check(count, total)
    if total == 0:
        return None
    z = float(norm.ppf((1 + level) / 2))
    share, shrink = count / total, 1 + z * z / total
    centre = (share + z * z / (2 * total)) / shrink
    half = z * sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / shrink
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


def poisson_rate(count: int, time: float, level: float = 0.95) -> Rate:
    """*count* per unit of *time* with the exact Poisson interval."""
    if count < 0 or time < 0:
        raise ValueError(
            f"{count} events over {time}: neither can be negative; check the observation periods"
        )
    if time == 0:
        return Rate(count, time, None, None)
    tail = (1 - level) / 2
    lower = 0.0 if count == 0 else float(chi2.ppf(tail, 2 * count)) / 2
    upper = float(chi2.ppf(1 - tail, 2 * count + 2)) / 2
    return Rate(count, time, count / time, Interval(lower / time, upper / time))


def funnel_limits(rate: float, time: float, level: float = 0.95) -> Interval | None:
    """Control limits of the rate of one unit observed for *time* if its true rate is *rate*; None where nothing is observed.

    Exact Poisson quantiles, interpolated between the two counts that the tail lies between (Spiegelhalter, Stat Med 2005;24:
    1185, appendix A.1.1), so that the limits do not jump with *time*.
    """
    if rate <= 0 or time <= 0:
        return None
    return Interval(*(float(limit) for limit in funnel_curves(rate, np.asarray(time), level)))


def funnel_curves(rate: float, times: NDArray[np.float64], level: float = 0.95) -> tuple[NDArray[np.float64], ...]:
    """The lower and upper :func:`funnel_limits` of a positive *rate* at each of *times* (positive)."""
    tail = (1 - level) / 2
    return _quantile(tail, rate * times) / times, _quantile(1 - tail, rate * times) / times


def _quantile(p: float, expected: Any) -> Any:
    count = poisson.ppf(p, expected)
    reached, below = poisson.cdf(count, expected), poisson.cdf(count - 1, expected)
    return np.maximum(0.0, count - (reached - p) / (reached - below))


def person_years(days: Iterable[int]) -> float:
    """Observation *days* of all subjects, in years."""
    return sum(days) / DAYS_PER_YEAR


def _check(count: int, total: int) -> None:
    if not 0 <= count <= total:
        raise ValueError(
            f"{count} of {total} is not a proportion; the count must lie between 0 and the total"
        )
