"""How good shares and levels are: accuracy, calibration, Brier score, agreement. Shares are arrays by (event, cause)."""

from __future__ import annotations

import itertools
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]
TENTHS = np.linspace(0, 1, 11)


@dataclass(frozen=True)
class Bin:
    """Shares stated between ``low`` and ``high``: how many, their mean, how often right, and its 95 % Wilson interval."""

    low: float
    high: float
    n: int
    stated: float
    observed: float
    least: float
    most: float


@dataclass(frozen=True)
class Scores:
    """The four measures of every table."""

    accuracy: float
    brier: float
    log_loss: float
    calibration: float

    def cells(self) -> tuple[float, ...]:
        return astuple(self)


def accuracy(shares: Floats, truth: Ints) -> float:
    return float((shares.argmax(axis=1) == truth).mean())


def hits(shares: Floats, truth: Ints) -> Bools:
    """True at the true cause of every event."""
    found = np.zeros(shares.shape, dtype=bool)
    found[np.arange(len(truth)), truth] = True
    return found


def brier(shares: Floats, truth: Ints) -> float:
    """Multiclass, 0 (perfect) to 2."""
    return float(((shares - hits(shares, truth)) ** 2).sum(axis=1).mean())


def log_loss(shares: Floats, truth: Ints) -> float:
    """Mean negative logarithm of the share of the true cause; a share of nothing counts as one in a million."""
    return float(-np.log(np.maximum(shares[np.arange(len(truth)), truth], 1e-6)).mean())


def reliability(stated: Floats, right: Bools, edges: Floats) -> list[Bin]:
    """One row for each bin of the stated share that is not empty."""
    rows = []
    for low, high in itertools.pairwise(edges.tolist()):
        inside = (stated >= low) & ((stated < high) | (high >= 1))
        n, k = int(inside.sum()), int(right[inside].sum())
        if n:
            span = binomtest(k, n).proportion_ci(method="wilson")
            rows.append(Bin(low, high, n, float(stated[inside].mean()), k / n, float(span.low), float(span.high)))
    return rows


def calibration_error(rows: list[Bin]) -> float:
    """Mean distance of stated and observed, weighted by n."""
    return sum(row.n * abs(row.stated - row.observed) for row in rows) / sum(row.n for row in rows)


def scores(shares: Floats, truth: Ints) -> Scores:
    """All four; the calibration error is that of the leading share in tenths."""
    rows = reliability(shares.max(axis=1), shares.argmax(axis=1) == truth, TENTHS)
    return Scores(accuracy(shares, truth), brier(shares, truth), log_loss(shares, truth), calibration_error(rows))


def by_trial(shares: Floats, truth: Ints, trial: Ints) -> list[Scores]:
    """The four measures in each trial: events of one trial are not independent."""
    return [scores(shares[trial == each], truth[trial == each]) for each in np.unique(trial)]


def kappa(first: Ints, second: Ints, n_levels: int) -> float:
    """Cohen's kappa of levels 0 … n_levels - 1, disagreement weighed by its square (Psychol Bull 1968); with two levels,
    the plain one."""
    seen = np.zeros((n_levels, n_levels))
    np.add.at(seen, (first, second), 1)
    seen /= seen.sum()
    by_chance = np.outer(seen.sum(axis=1), seen.sum(axis=0))
    apart = (np.arange(n_levels)[:, None] - np.arange(n_levels)) ** 2
    return float(1 - (apart * seen).sum() / (apart * by_chance).sum())
