"""Laws of the draws."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from safety_monitor.simulate.chance import Chance

KEYS = st.integers(0, 2**32)


@given(key=KEYS, low=st.integers(-50, 50), width=st.integers(0, 50))
def test_between_stays_within_both_ends(key: int, low: int, width: int) -> None:
    assert low <= Chance(key).between((low, low + width)) <= low + width


@given(key=KEYS, steps=st.tuples(*[st.floats(0, 100)] * 3))
def test_skewed_stays_within_its_window(key: int, steps: tuple[float, float, float]) -> None:
    low, median, high = sorted(steps)
    assert low - 1e-9 <= Chance(key).skewed(low, median, high) <= high + 1e-9


@given(
    key=KEYS,
    weights=st.dictionaries(st.integers(0, 9), st.floats(0, 10), min_size=1).filter(
        lambda w: sum(w.values()) > 1e-6
    ),
)
def test_what_weighs_nothing_is_never_drawn(key: int, weights: dict[int, float]) -> None:
    assert weights[Chance(key).weighted(weights)] > 0


def test_draws_follow_their_probabilities() -> None:
    chance = Chance(1)
    drawn = [chance.weighted({"a": 3.0, "b": 1.0}) for _ in range(4000)]
    assert 0.72 < drawn.count("a") / 4000 < 0.78
    waits = sorted(chance.waiting(10) for _ in range(4000))
    assert 9 < waits[2000] < 11
    skewed = sorted(chance.skewed(0, 20, 100) for _ in range(4000))
    assert 18 < skewed[2000] < 22


@given(key=KEYS)
def test_streams_are_their_own(key: int) -> None:
    assert Chance(key, 1).uniform() == Chance(key, 1).uniform()
    assert Chance(key, 1).uniform() != Chance(key, 2).uniform()
