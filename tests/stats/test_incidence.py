"""Published intervals (Newcombe, Stat Med 1998; R binom.test and poisson.test examples)."""

from __future__ import annotations

from math import comb, exp, factorial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_monitor.stats.agreement import cohen_kappa
from safety_monitor.stats.incidence import clopper_pearson, person_years, poisson_rate, wilson


@pytest.mark.parametrize(
    ("count", "total", "expected_wilson", "expected_exact"),
    [
        (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
        (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
        (0, 20, (0.0, 0.1611), (0.0, 0.1684)),
        (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
    ],
)
def test_proportion_intervals(
    count: int, total: int, expected_wilson: tuple[float, float], expected_exact: tuple[float, float]
) -> None:
    assert wilson(count, total) == pytest.approx(expected_wilson, abs=5e-5)
    assert clopper_pearson(count, total) == pytest.approx(expected_exact, abs=5e-5)


def test_exact_interval_to_the_printed_digits_of_r() -> None:
    assert clopper_pearson(682, 925) == pytest.approx((0.7076683, 0.7654066), abs=5e-8)


def test_interval_of_nothing_is_unknown() -> None:
    assert clopper_pearson(0, 0) is None
    assert wilson(0, 0) is None
    assert poisson_rate(0, 0.0).rate is None


def test_full_counts_reach_one() -> None:
    interval = clopper_pearson(20, 20)
    assert interval is not None
    assert interval.upper == 1.0


@pytest.mark.parametrize(("count", "total"), [(-1, 5), (6, 5)])
def test_an_impossible_count_is_refused(count: int, total: int) -> None:
    with pytest.raises(ValueError, match="not a proportion"):
        clopper_pearson(count, total)


@pytest.mark.parametrize(
    ("count", "time", "lower", "upper", "digits"),
    [
        (137, 24.19893, 4.753125, 6.692709, 5e-7),
        (78, 1.624, 37.97, 59.94, 0.01),
        (104, 1.03855, 81.82, 121.34, 0.01),
        (67, 1.726, 30.09, 49.30, 0.01),
    ],
)
def test_exact_poisson_interval(count: int, time: float, lower: float, upper: float, digits: float) -> None:
    interval = poisson_rate(count, time).interval
    assert interval is not None
    assert tuple(interval) == pytest.approx((lower, upper), abs=digits)


@pytest.mark.parametrize(("count", "total"), [(1, 7), (3, 39), (12, 30), (38, 39)])
def test_exact_limits_leave_two_and_a_half_percent_on_each_side(count: int, total: int) -> None:
    """The definition, by summing the binomial: P(X >= count | lower) = P(X <= count | upper) = 0.025."""

    def chance(k: int, p: float) -> float:
        return comb(total, k) * p**k * (1 - p) ** (total - k)

    limits = clopper_pearson(count, total)
    assert limits is not None
    assert sum(chance(k, limits.lower) for k in range(count, total + 1)) == pytest.approx(0.025, abs=1e-10)
    assert sum(chance(k, limits.upper) for k in range(count + 1)) == pytest.approx(0.025, abs=1e-10)


@pytest.mark.parametrize(("count", "time"), [(1, 2.0), (9, 0.7), (60, 31.5)])
def test_exact_rate_limits_leave_two_and_a_half_percent_on_each_side(count: int, time: float) -> None:
    limits = poisson_rate(count, time).interval
    assert limits is not None

    def at_most(k: int, mean: float) -> float:
        return sum(exp(-mean) * mean**i / factorial(i) for i in range(k + 1))

    assert 1 - at_most(count - 1, limits.lower * time) == pytest.approx(0.025, abs=1e-10)
    assert at_most(count, limits.upper * time) == pytest.approx(0.025, abs=1e-10)


def test_negative_time_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        poisson_rate(1, -0.5)


def test_person_years() -> None:
    assert person_years([365, 366, 365, 365]) == 4.0


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_intervals_hold_the_estimate_and_mirror(case: tuple[int, int]) -> None:
    count, total = case
    exact, mirrored, score = (
        clopper_pearson(count, total),
        clopper_pearson(total - count, total),
        wilson(count, total),
    )
    assert exact is not None
    assert mirrored is not None
    assert score is not None
    assert exact.lower <= count / total <= exact.upper
    assert score.lower - 1e-12 <= count / total <= score.upper + 1e-12
    assert (exact.lower, exact.upper) == pytest.approx((1 - mirrored.upper, 1 - mirrored.lower), abs=1e-9)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ((20, 5, 10, 15), 0.4),
        ((10, 0, 0, 10), 1.0),
        ((0, 5, 5, 0), -1.0),
        ((7, 0, 0, 0), None),
        ((0, 0, 0, 0), None),
    ],
)
def test_kappa(cells: tuple[int, int, int, int], expected: float | None) -> None:
    assert cohen_kappa(*cells) == expected
