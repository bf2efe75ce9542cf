from __future__ import annotations

from collections.abc import Callable
from math import exp, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safety_monitor.stats.competing import aalen_johansen, incidence_at

OBSERVED = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 2)), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("by_month", "incidence", "lower", "upper"),
    [(10, 0.030, 0.012, 0.061), (15, 0.120, 0.079, 0.169), (20, 0.215, 0.161, 0.274)],
)
def test_published_incidence_without_censoring(
    by_month: int, incidence: float, lower: float, upper: float
) -> None:
    """200 subjects with the counts that tidycmprsk's printed incidences imply (none censored early)."""
    times = [10] * 6 + [15] * 18 + [20] * 19 + [10] * 5 + [15] * 13 + [20] * 23 + [25] * 116
    status = [1] * 43 + [2] * 41 + [0] * 116
    point = next(point for point in aalen_johansen(times, status) if point.time == by_month)
    assert (point.incidence, point.lower, point.upper) == pytest.approx((incidence, lower, upper), abs=6e-4)


def test_curve_by_hand() -> None:
    """Five subjects: event on 2, death on 3, censored on 3, event on 5, censored on 9."""
    points = aalen_johansen([2, 3, 3, 5, 9], [1, 2, 0, 1, 0])
    assert [(p.time, p.n_at_risk, p.n_events, p.n_competing) for p in points] == [
        (2, 5, 1, 0), (3, 4, 0, 1), (5, 2, 1, 0),
    ]  # fmt: skip
    assert [p.incidence for p in points] == pytest.approx([0.2, 0.2, 0.2 + 0.8 * 0.75 * 0.5])
    assert [p.one_minus_km for p in points] == pytest.approx([0.2, 0.2, 1 - 0.8 * 0.5])


def test_incidence_between_points() -> None:
    curve = aalen_johansen([2, 3, 3, 5, 9], [1, 2, 0, 1, 0])
    assert [incidence_at(curve, day) for day in (1, 2, 4, 100)] == pytest.approx([0, 0.2, 0.2, 0.5])


def test_unknown_status_is_refused() -> None:
    with pytest.raises(ValueError, match=r"status \[7\]"):
        aalen_johansen([1], [7])
    with pytest.raises(ValueError, match="2 times but 1 states"):
        aalen_johansen([1, 2], [0])


@given(OBSERVED)
def test_incidence_rises_and_stays_below_one_minus_kaplan_meier(observed: list[tuple[int, int]]) -> None:
    curve = aalen_johansen([time for time, _ in observed], [state for _, state in observed])
    values = [point.incidence for point in curve]
    assert values == sorted(values)
    assert all(point.incidence <= point.one_minus_km + 1e-12 for point in curve)
    bounded = [point for point in curve if point.lower is not None and point.upper is not None]
    assert all(0 <= (p.lower or 0) <= p.incidence <= (p.upper or 0) <= 1 for p in bounded)


@given(OBSERVED)
def test_all_causes_and_survival_make_one(observed: list[tuple[int, int]]) -> None:
    """F1 + F2 + S = 1: the two incidences add up to one minus Kaplan-Meier of either event."""
    times = [time for time, _ in observed]
    first = aalen_johansen(times, [state for _, state in observed])
    second = aalen_johansen(times, [(0, 2, 1)[state] for _, state in observed])
    either = aalen_johansen(times, [min(state, 1) for _, state in observed])
    for one, other, both in zip(first, second, either, strict=True):
        assert one.incidence + other.incidence == pytest.approx(both.one_minus_km, abs=1e-9)


# -- a second implementation: the incidence as a product of matrices, its variance by the delta method, numerically ------
Step = tuple[int, int, float, float]  # time, at risk, share with the event, share with the competing one


def steps_of(observed: list[tuple[int, int]]) -> list[Step]:
    found = []
    for time in sorted({t for t, state in observed if state}):
        at_risk = sum(t >= time for t, _ in observed)
        happened = [state for t, state in observed if t == time]
        found.append((time, at_risk, happened.count(1) / at_risk, happened.count(2) / at_risk))
    return found


def product_of_matrices(shares: list[tuple[float, float]]) -> float:
    """Probability of state "event": states alive, event, other; the last two are never left."""
    alive, event = 1.0, 0.0
    for first, second in shares:
        alive, event = alive * (1 - first - second), event + alive * first
    return event


def numerical_variance(steps: list[Step], estimate: Callable[[list[tuple[float, float]]], float]) -> float:
    """Shares at each time are multinomial; derivatives are differences."""
    shares, total, h = [(a, b) for _, _, a, b in steps], 0.0, 1e-6

    def slope(place: int, which: int) -> float:
        moved = [[*shares], [*shares]]
        for way, sign in ((0, 1), (1, -1)):
            pair = list(shares[place])
            pair[which] += sign * h
            moved[way][place] = (pair[0], pair[1])
        return (estimate(moved[0]) - estimate(moved[1])) / (2 * h)

    for place, (_, at_risk, a, b) in enumerate(steps):
        first, second = slope(place, 0), slope(place, 1)
        total += (first**2 * a + second**2 * b - (first * a + second * b) ** 2) / at_risk
    return total


@settings(max_examples=20, deadline=None)
@given(OBSERVED)
def test_incidence_and_limits_equal_those_of_the_second_implementation(observed: list[tuple[int, int]]) -> None:
    curve = aalen_johansen([time for time, _ in observed], [state for _, state in observed])
    steps = steps_of(observed)
    assert [(p.time, p.n_at_risk) for p in curve] == [step[:2] for step in steps]
    for k, point in enumerate(curve, start=1):
        incidence = product_of_matrices([(a, b) for _, _, a, b in steps[:k]])
        assert point.incidence == pytest.approx(incidence, abs=1e-12)
        if point.lower is None or point.upper is None:
            continue
        error = numerical_variance(steps[:k], product_of_matrices) ** 0.5
        power = 1.959963984540054 * error / (incidence * log(incidence))
        assert (point.lower, point.upper) == pytest.approx((incidence ** exp(-power), incidence ** exp(power)), abs=1e-6)
