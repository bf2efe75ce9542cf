"""How good shares are: accuracy, calibration, Brier score, and agreement; arrays of shares by (event, cause)."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from scipy.stats import binomtest

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


def accuracy(shares: Floats, truth: Ints) -> float:
    return float((shares.argmax(axis=1) == truth).mean())


def brier(shares: Floats, truth: Ints) -> float:
    """Multiclass, 0 (perfect) to 2."""
    hit = np.zeros_like(shares)
    hit[np.arange(len(truth)), truth] = 1
    return float(((shares - hit) ** 2).sum(axis=1).mean())


def log_loss(shares: Floats, truth: Ints) -> float:
    return float(-np.log(np.maximum(shares[np.arange(len(truth)), truth], 1e-6)).mean())


def reliability(stated: Floats, right: np.ndarray[Any, np.dtype[np.bool_]], edges: Floats) -> list[dict[str, float]]:
    """One row per bin of the stated share: how many, mean stated, observed with a 95 % Wilson interval."""
    rows = []
    for low, high in itertools.pairwise(edges):
        inside = (stated >= low) & ((stated < high) | (high >= 1))
        n, k = int(inside.sum()), int(right[inside].sum())
        if n:
            span = binomtest(k, n).proportion_ci(method="wilson")
            rows.append({"from": float(low), "to": float(high), "n": n, "stated": float(stated[inside].mean()), "observed": k / n,
                         "low": float(span.low), "high": float(span.high)})  # fmt: skip
    return rows


def calibration_error(rows: list[dict[str, float]]) -> float:
    """Mean distance of stated and observed, weighted by n."""
    total = sum(row["n"] for row in rows)
    return sum(row["n"] * abs(row["stated"] - row["observed"]) for row in rows) / total
