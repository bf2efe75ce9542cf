"""Agreement of two raters: kappa by published examples and by its laws."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_monitor.stats.agreement import cohen_kappa, weighted_kappa

PAIRS = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), max_size=40)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [((20, 5, 10, 15), 0.4), ((10, 0, 0, 10), 1), ((0, 10, 10, 0), -1), ((5, 0, 0, 0), None), ((0, 0, 0, 0), None)],
)
def test_kappa(cells: tuple[int, int, int, int], expected: float | None) -> None:
    assert cohen_kappa(*cells) == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [([], None), ([(3, 3)] * 4, None), ([(1, 1), (5, 5)], 1), ([(1, 5), (5, 1)], -1), ([(1, 1), (2, 3), (4, 4), (5, 4)], 0.875)],
)
def test_weighted_kappa(pairs: list[tuple[int, int]], expected: float | None) -> None:
    assert weighted_kappa(pairs) == (None if expected is None else pytest.approx(expected))


@given(PAIRS)
def test_on_two_levels_the_weights_change_nothing(pairs: list[tuple[int, int]]) -> None:
    two = [(int(first > 2), int(second > 2)) for first, second in pairs]
    cells = [two.count(pair) for pair in ((1, 1), (1, 0), (0, 1), (0, 0))]
    plain, weighted = cohen_kappa(*cells), weighted_kappa(two)
    assert (plain is None) == (weighted is None)
    assert plain is None or weighted == pytest.approx(plain)


@given(PAIRS)
def test_who_is_first_does_not_matter(pairs: list[tuple[int, int]]) -> None:
    one, other = weighted_kappa(pairs), weighted_kappa([(second, first) for first, second in pairs])
    assert one == (None if other is None else pytest.approx(other))
