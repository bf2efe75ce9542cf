from __future__ import annotations

import pytest
from hypothesis import given
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
