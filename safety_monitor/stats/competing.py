"""Cumulative incidence of a first event where another event may come before it.

Aalen and Johansen, Scand J Stat 1978, with the delta-method variance of Marubini and Valsecchi (1995)
and an interval on the complementary log-log scale. ``one_minus_km`` censors the competing event, which
overstates the incidence; it is given for contrast only.

>>> curve = aalen_johansen([3, 5, 5, 8], [1, 2, 0, 1])
>>> [(point.time, point.incidence, point.one_minus_km) for point in curve]
[(3, 0.25, 0.25), (5, 0.25, 0.25), (8, 0.75, 1.0)]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, sqrt

from scipy.stats import norm

CENSORED, EVENT, COMPETING = 0, 1, 2
ROUNDING = 1e-12  # closer to 1 than this is 1


@dataclass(frozen=True)
class Point:
    """The curve from ``time`` on; ``n_at_risk`` just before it. No interval at 0 and 1."""

    time: int
    n_at_risk: int
    n_events: int
    n_competing: int
    incidence: float
    lower: float | None
    upper: float | None
    one_minus_km: float


NOTHING_YET = Point(0, 0, 0, 0, 0.0, None, None, 0.0)


def aalen_johansen(times: Sequence[int], status: Sequence[int], level: float = 0.95) -> list[Point]:
    """The incidence at each time that something other than censoring happened.

    *times* in whole days; *status* 0 censored, 1 event, 2 competing event. Subjects censored on a day are
    still at risk on that day.
    """
    if len(times) != len(status):
        raise ValueError(f"{len(times)} times but {len(status)} states; each subject needs one of both")
    if unknown := set(status) - {CENSORED, EVENT, COMPETING}:
        raise ValueError(f"status {sorted(unknown)} is not 0 (censored), 1 (event) or 2 (competing)")
    happened, leaving = Counter(zip(times, status, strict=True)), Counter(times)
    z = float(norm.ppf((1 + level) / 2))
    at_risk, survival, event_free, incidence = len(times), 1.0, 1.0, 0.0
    steps: list[tuple[float, int, int, int, float]] = []  # incidence, at risk, events, any, survival before
    points = []
    for time in sorted(leaving):
        events, competing = happened[time, EVENT], happened[time, COMPETING]
        if events + competing:
            incidence += survival * events / at_risk
            steps.append((incidence, at_risk, events, events + competing, survival))
            survival *= 1 - (events + competing) / at_risk
            event_free *= 1 - events / at_risk
            lower, upper = _interval(incidence, _variance(steps), z)
            points.append(Point(time, at_risk, events, competing, incidence, lower, upper, 1 - event_free))
        at_risk -= leaving[time]
    return points


def point_at(curve: Sequence[Point], time: int) -> Point:
    """The curve at *time*: its last point not after it; 0 without an interval before the first."""
    return max((point for point in curve if point.time <= time), key=lambda point: point.time, default=NOTHING_YET)


def incidence_at(curve: Sequence[Point], time: int) -> float:
    """The incidence by *time*: that of the last point not after it, 0 before the first."""
    return point_at(curve, time).incidence


def _variance(steps: Sequence[tuple[float, int, int, int, float]]) -> float:
    final = steps[-1][0]
    total = 0.0
    for incidence, at_risk, events, gone, survival in steps:
        rest = final - incidence
        if rest and at_risk > gone:
            total += rest**2 * gone / (at_risk * (at_risk - gone))
        total += survival**2 * (at_risk - events) * events / at_risk**3
        total -= 2 * rest * survival * events / at_risk**2
    return max(total, 0.0)


def _interval(incidence: float, variance: float, z: float) -> tuple[float | None, float | None]:
    if incidence <= 0 or incidence > 1 - ROUNDING or variance == 0:
        return None, None
    exponent = z * sqrt(variance) / (incidence * log(incidence))
    return incidence ** exp(-exponent), incidence ** exp(exponent)
