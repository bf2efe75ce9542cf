"""Monitoring boundaries on the number of subjects with an event, and what they do in the long run.

``operating_characteristics`` is the exact path recursion over the counts that have not yet crossed.
Boundaries: Pocock type (Ivanova, Qaqish and Schell, Biometrics 2005), group looks of any shape from Pocock to
O'Brien-Fleming (R package clinfun, toxbdry), beta-binomial (Geller et al. 2003; Thall and Simon 1994; with a flat
prior the elimination rule of BOIN, Liu and Yuan 2015), truncated sequential probability ratio test (Goldman,
Control Clin Trials 1987).
Each method orders the outcomes (n treated, x with event) by how surprising they are if the acceptable rate
were true; a boundary stops at the smallest x that is surprising enough, and calibration takes the loosest
threshold whose overall chance of stopping at the acceptable rate does not exceed ``phi``.

>>> pocock(10, p0=0.2, phi=0.05).at
(None, None, 3, 3, 4, 4, 5, 5, 5, 6)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from math import log

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, binom, norm

Matrix = NDArray[np.float64]
TIE = 1e-9  # relative: outcomes whose surprise differs by rounding only are treated alike


@dataclass(frozen=True)
class Boundary:
    """Stop at look ``looks[k]`` (subjects treated) when ``at[k]`` or more had the event; None: not then."""

    looks: tuple[int, ...]
    at: tuple[int | None, ...]

    def __post_init__(self) -> None:
        if (
            len(self.looks) != len(self.at)
            or list(self.looks) != sorted(set(self.looks))
            or min(self.looks) < 1
        ):
            raise ValueError(
                f"looks {self.looks} must rise from 1 on and have one count each, found {self.at}"
            )

    def stop_at(self, n: int) -> int | None:
        """The count that stops with *n* treated: that of the last look not after *n*."""
        return next((at for look, at in zip(self.looks[::-1], self.at[::-1], strict=True) if look <= n), None)


@dataclass(frozen=True)
class Operating:
    """Long-run behaviour at true rate ``p``; ``stopped_early`` is before the last look."""

    p: float
    stopped: float
    stopped_early: float
    expected_n: float
    expected_events: float


def operating_characteristics(boundary: Boundary, p: float) -> Operating:
    """Exact chance of stopping, expected subjects and expected events if the true rate is *p*."""
    state, previous = np.ones(1), 0
    stopped, expected_n = [], 0.0
    among = cache(lambda new: binom.pmf(np.arange(new + 1), new, p))  # most looks have as many new subjects as the one before
    for look, at in zip(boundary.looks, boundary.at, strict=True):
        new = look - previous
        if state.size:  # empty once every path has crossed
            state = np.convolve(state, among(new))
        limit = len(state) if at is None else min(at, len(state))
        stopped.append(float(state[limit:].sum()))
        expected_n += stopped[-1] * look
        state, previous = state[:limit], look
    expected_n += float(state.sum()) * previous
    early = sum(stopped[:-1])
    return Operating(p, early + stopped[-1], early, expected_n, p * expected_n)


def pocock(n_max: int, p0: float, phi: float, looks: Sequence[int] | None = None) -> Boundary:
    """Stop when P(X >= x | n, p0) is at most one level, the same at every look (every subject by default)."""
    return group(n_max, p0, phi, looks)


def group(n_max: int, p0: float, phi: float, looks: Sequence[int] | None = None, shape: float = 0.0) -> Boundary:
    """Pocock's boundary for *shape* 0; the more *shape* (0.5: O'Brien-Fleming), the stricter the early looks.

    At look n of N it stops when P(X >= x | n, p0) is at most Φ(Φ⁻¹(a) / (n / N) ** shape), with one a for all looks.
    """
    if not 0 <= shape <= 0.5:
        raise ValueError(f"shape = {shape} must lie between 0 (Pocock) and 0.5 (O'Brien-Fleming)")
    steps = _looks(n_max, looks)
    tails = np.array([binom.sf(np.arange(-1, n_max), look, p0) for look in steps])
    if shape:  # the a at which each outcome would just stop
        share = np.array(steps)[:, None] / steps[-1]
        tails = norm.cdf(norm.ppf(tails) * share**shape)
    return _calibrated(tails, steps, p0, phi)


def beta_binomial(
    n_max: int,
    p0: float,
    prior: tuple[float, float],
    *,
    phi: float | None = None,
    certainty: float | None = None,
    looks: Sequence[int] | None = None,
) -> Boundary:
    """Stop when P(p > p0 | x, n) exceeds *certainty*, or the level that *phi* asks for; prior Beta(a, b)."""
    if (phi is None) == (certainty is None):
        raise ValueError("beta_binomial needs either phi (calibrate) or certainty (fixed), and not both")
    steps = _looks(n_max, looks)
    counts = np.arange(n_max + 1)
    acceptable = np.array(
        [
            beta.cdf(p0, prior[0] + np.minimum(counts, look), prior[1] + np.maximum(look - counts, 0))
            for look in steps
        ]
    )
    if phi is not None:
        return _calibrated(acceptable, steps, p0, phi)
    assert certainty is not None
    # Strictly more certain than asked; a tie does not stop.
    return _boundary(acceptable, steps, np.nextafter(1 - certainty, 0), tie=0.0)


def posterior(n_events: int, n_treated: int, p0: float, prior: tuple[float, float]) -> float:
    """P(p > p0 | x, n) with the prior Beta(a, b).

    >>> round(posterior(0, 0, 0.5, (1, 1)), 3), round(posterior(3, 3, 0.3, (1, 1)), 4)
    (0.5, 0.9919)
    """
    return float(beta.sf(p0, prior[0] + n_events, prior[1] + n_treated - n_events))


def sprt(
    n_max: int,
    p0: float,
    p1: float,
    *,
    phi: float | None = None,
    bound: float | None = None,
    looks: Sequence[int] | None = None,
) -> Boundary:
    """Stop when the log likelihood ratio of *p1* against *p0* reaches *bound*, or what *phi* asks for.

    Wald's bound is log((1 - β) / α).
    """
    if (phi is None) == (bound is None):
        raise ValueError("sprt needs either phi (calibrate) or bound (fixed), and not both")
    if not 0 < p0 < p1 < 1:
        raise ValueError(f"sprt needs 0 < p0 < p1 < 1, found p0 = {p0} and p1 = {p1}")
    steps = _looks(n_max, looks)
    counts = np.arange(n_max + 1)
    gain, loss = log(p1 / p0), log((1 - p1) / (1 - p0))
    against = np.array([np.exp(-(counts * gain + (look - counts) * loss)) for look in steps])
    if phi is not None:
        return _calibrated(against, steps, p0, phi)
    assert bound is not None
    return _boundary(against, steps, float(np.exp(-bound)))


def _looks(n_max: int, looks: Sequence[int] | None) -> tuple[int, ...]:
    steps = tuple(range(1, n_max + 1)) if looks is None else tuple(looks)
    if n_max < 1 or not steps or steps[-1] > n_max:
        raise ValueError(f"looks {steps} must lie between 1 and n_max = {n_max}")
    return steps


def _boundary(surprise: Matrix, looks: Sequence[int], threshold: float, tie: float = TIE) -> Boundary:
    """For each look the smallest count whose *surprise* (small is surprising) is at most *threshold*."""
    at: list[int | None] = []
    for look, row in zip(looks, surprise, strict=True):
        enough = np.flatnonzero(row[: look + 1] <= threshold * (1 + tie))
        at.append(int(enough[0]) if enough.size else None)
    return Boundary(tuple(looks), tuple(at))


def _calibrated(surprise: Matrix, looks: Sequence[int], p0: float, phi: float) -> Boundary:
    """The loosest boundary of this ordering that stops with chance *phi* or less at rate *p0*."""
    if not (0 < p0 < 1 and 0 < phi < 1):
        raise ValueError(f"p0 = {p0} and phi = {phi} must both lie between 0 and 1")
    # Only these thresholds change anything, and the chance of stopping rises with the threshold: bisect.
    thresholds = np.unique(np.concatenate(_reachable(surprise, looks)))
    low, high = -1, len(thresholds)
    while high - low > 1:
        middle = (low + high) // 2
        chance = operating_characteristics(_boundary(surprise, looks, thresholds[middle]), p0).stopped
        low, high = (middle, high) if chance <= phi * (1 + TIE) else (low, middle)
    if low < 0:
        return Boundary(tuple(looks), (None,) * len(looks))
    return _boundary(surprise, looks, thresholds[low])


def _reachable(surprise: Matrix, looks: Iterable[int]) -> list[Matrix]:
    return [row[: look + 1] for look, row in zip(looks, surprise, strict=True)]
