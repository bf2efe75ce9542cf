"""Ranges of what is known against limits: the three answers at each end, and that a point inside never contradicts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_monitor.rules.ranges import Range

OVER_5_TO_10 = Range.of(above=5, to=10)


@pytest.mark.parametrize(
    ("known", "inside"),
    [
        (Range.point(5), False), (Range.point(5.01), True), (Range.point(10), True), (Range.point(10.01), False),
        (Range.of(above=5, to=10), True), (Range.of(above=3, to=5), False), (Range.of(at_least=5, to=7), None),
        (Range.of(above=10), False), (Range.of(at_least=10), None), (Range.of(above=5), None), (Range(), None),
    ],
)  # fmt: skip
def test_inside(known: Range, inside: bool | None) -> None:
    assert known.within(OVER_5_TO_10) is inside


ENDS = st.integers(0, 12)
OPEN = st.booleans()
RANGES = st.builds(lambda a, b, x, y: Range(min(a, b), max(a, b), x and a != b, y and a != b), ENDS, ENDS, OPEN, OPEN)


@given(known=RANGES, limits=RANGES, value=st.integers(0, 24).map(lambda half: half / 2))
def test_every_point_of_what_is_known_agrees(known: Range, limits: Range, value: float) -> None:
    if Range.point(value).within(known) and (answer := known.within(limits)) is not None:
        assert Range.point(value).within(limits) is answer


@given(known=RANGES, value=ENDS)
def test_reaching_has_both(known: Range, value: int) -> None:
    wider = known.reaching(value)
    assert known.within(wider) is True
    assert Range.point(value).within(wider) is True
