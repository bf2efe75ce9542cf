"""Measures of shares against worked numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from measures import TENTHS, brier, calibration_error, kappa, log_loss, reliability, scores

from safety_monitor.stats.agreement import cohen_kappa, weighted_kappa

SURE = np.array([[1.0, 0.0], [1.0, 0.0]])
HALF = np.array([[0.5, 0.5], [0.5, 0.5]])


@pytest.mark.parametrize(
    ("shares", "truth", "accuracy", "score", "loss"),
    [
        (SURE, [0, 0], 1.0, 0.0, 0.0),
        (SURE, [1, 1], 0.0, 2.0, -np.log(1e-6)),
        (HALF, [0, 1], 0.5, 0.5, np.log(2)),
    ],
)
def test_scores(shares: np.ndarray, truth: list[int], accuracy: float, score: float, loss: float) -> None:  # type: ignore[type-arg]
    found = scores(shares, np.array(truth))
    assert (found.accuracy, found.brier) == pytest.approx((accuracy, score))
    assert found.log_loss == pytest.approx(loss)
    assert brier(shares, np.array(truth)) == pytest.approx(score)
    assert log_loss(shares, np.array(truth)) == pytest.approx(loss)


def test_a_bin_counts_its_edges_once_and_the_last_one_holds_1() -> None:
    bins = reliability(np.array([0.1, 0.15, 0.2, 1.0]), np.array([True, False, True, True]), TENTHS)
    assert [(round(each.low, 1), each.n, each.observed) for each in bins] == [(0.1, 2, 0.5), (0.2, 1, 1.0), (0.9, 1, 1.0)]
    assert all(each.least <= each.observed <= each.most for each in bins)


def test_calibration_error_is_weighted_by_events() -> None:
    stated, right = np.array([0.65, 0.65, 0.65, 0.95]), np.array([True, True, False, False])
    assert calibration_error(reliability(stated, right, TENTHS)) == pytest.approx((3 * abs(0.65 - 2 / 3) + 0.95) / 4)


LEVELS = st.integers(0, 4)


@given(st.lists(st.tuples(LEVELS, LEVELS), min_size=2).filter(lambda pairs: len({level for pair in pairs for level in pair}) > 1))
def test_kappa_is_that_of_the_product(pairs: list[tuple[int, int]]) -> None:
    first, second = (np.array(each) for each in zip(*pairs, strict=True))
    expected = weighted_kappa(pairs)
    assert expected is not None
    assert kappa(first, second, 5) == pytest.approx(expected)


def test_kappa_of_two_levels_is_the_plain_one() -> None:
    first, second = np.repeat([1, 1, 0, 0], [20, 5, 10, 15]), np.repeat([1, 0, 1, 0], [20, 5, 10, 15])
    assert kappa(first, second, 2) == pytest.approx(cohen_kappa(20, 5, 10, 15))
