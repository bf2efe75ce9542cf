"""Published boundaries and operating characteristics (R packages stoppingrule, clinfun, BOIN)."""

from __future__ import annotations

import json
from itertools import product
from math import comb, log
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safety_monitor.stats.stopping import Boundary, beta_binomial, operating_characteristics, pocock, sprt

POCOCK_30 = (3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 6, 7, 7, 7, 8, 8, 8, 8, 9, 9, 9, 9, 10, 10, 10, 11, 11, 11)
GELLER_30 = (3, 3, 4, 4, 5, 5, 5, 5, 6, 6, 6, 7, 7, 7, 7, 8, 8, 8, 9, 9, 9, 9, 10, 10, 10, 10, 11, 11)


def test_pocock_boundary() -> None:
    assert pocock(30, p0=0.2, phi=0.10).at == (None, None, *POCOCK_30)


def test_pocock_boundary_at_five_percent() -> None:
    runs = [(3, 3, 3), (4, 4, 6), (5, 7, 8), (6, 9, 11), (7, 12, 14), (8, 15, 18), (9, 19, 21), (10, 22, 24)]
    runs += [(11, 25, 28), (12, 29, 30)]
    boundary = pocock(30, p0=0.2, phi=0.05)
    expected = {n: at for at, first, last in runs for n in range(first, last + 1)}
    assert {n: boundary.stop_at(n) for n in range(3, 31)} == expected
    assert operating_characteristics(boundary, 0.2).stopped == pytest.approx(0.0495, abs=5e-5)


@pytest.mark.parametrize(
    ("p", "stopped", "expected_n"),
    [
        (0.20, 0.09915263, 28.16703),
        (0.25, 0.23312769, 26.04001),
        (0.30, 0.42603085, 22.98251),
        (0.35, 0.63398556, 19.37012),
        (0.40, 0.80576733, 15.75017),
    ],
)
def test_pocock_operating_characteristics(p: float, stopped: float, expected_n: float) -> None:
    found = operating_characteristics(pocock(30, p0=0.2, phi=0.10), p)
    assert found.stopped == pytest.approx(stopped, abs=5e-9)
    assert found.expected_n == pytest.approx(expected_n, abs=5e-6)
    assert found.expected_events == pytest.approx(p * expected_n, abs=5e-6)


@pytest.mark.parametrize(
    ("p", "stopped", "expected_events"),
    [
        (0.20, 0.09957367, 5.651197),
        (0.25, 0.23832301, 6.536293),
        (0.30, 0.43615256, 6.926712),
        (0.35, 0.64555222, 6.819377),
        (0.40, 0.81491087, 6.355803),
    ],
)
def test_beta_binomial(p: float, stopped: float, expected_events: float) -> None:
    boundary = beta_binomial(30, p0=0.2, prior=(0.6, 2.4), phi=0.10)
    assert boundary.at == (None, None, *GELLER_30)
    found = operating_characteristics(boundary, p)
    assert (found.stopped, found.expected_events) == pytest.approx((stopped, expected_events), abs=5e-7)


def test_elimination_boundary_at_fixed_certainty() -> None:
    boundary = beta_binomial(36, p0=0.3, prior=(1, 1), certainty=0.95, looks=range(3, 37, 3))
    assert boundary.at == (3, 4, 5, 7, 8, 9, 10, 11, 12, 14, 15, 16)


GROUP_LOOKS = (20, 40, 60, 75)


@pytest.mark.parametrize(
    ("at", "p", "stopped", "early", "expected_n"),
    [
        ((8, 13, 18, 21), 0.20, 0.101, 0.079, 72.0),
        ((8, 13, 18, 21), 0.26, 0.456, 0.354, 62.1),
        ((8, 13, 18, 21), 0.35, 0.935, 0.859, 39.9),
        ((8, 13, 18, 22), 0.20, 0.088, 0.079, 72.0),
        ((8, 13, 18, 22), 0.35, 0.911, 0.859, 39.9),
    ],
)
def test_group_looks(at: tuple[int, ...], p: float, stopped: float, early: float, expected_n: float) -> None:
    found = operating_characteristics(Boundary(GROUP_LOOKS, at), p)
    assert (found.stopped, found.stopped_early) == pytest.approx((stopped, early), abs=5e-4)
    assert found.expected_n == pytest.approx(expected_n, abs=0.05)


def test_pocock_at_group_looks_is_the_strict_side_of_the_published_pair() -> None:
    assert pocock(75, p0=0.2, phi=0.10, looks=GROUP_LOOKS).at == (8, 13, 18, 22)


def test_continuous_group_boundary() -> None:
    last_acceptable = [(1, 2, 3), (2, 4, 8), (3, 9, 13), (4, 14, 19), (5, 20, 26), (6, 27, 30)]
    expected = {n: most + 1 for most, a, b in last_acceptable for n in range(a, b + 1)}
    boundary = pocock(30, p0=0.1, phi=0.10, looks=range(2, 31))
    assert dict(zip(boundary.looks, boundary.at, strict=True)) == expected
    found = operating_characteristics(boundary, 0.3)
    assert (found.stopped, found.stopped_early) == pytest.approx((0.898, 0.888), abs=5e-4)


def test_truncated_sprt_is_goldmans_line() -> None:
    p0, p1, bound = 0.2, 0.35, log(0.9 / 0.05)
    boundary = sprt(40, p0, p1, bound=bound)
    slope = log(p1 * (1 - p0) / ((1 - p1) * p0))
    for n, at in zip(boundary.looks, boundary.at, strict=True):
        line = (bound - n * log((1 - p1) / (1 - p0))) / slope
        assert at is None or at - 1 < line <= at
        assert (at is None) == (line > n)


def test_sprt_calibrated_keeps_its_level() -> None:
    assert operating_characteristics(sprt(30, 0.2, 0.35, phi=0.05), 0.2).stopped <= 0.05


@pytest.mark.parametrize(("looks", "at"), [((2, 1), (1, 1)), ((1, 2), (1,)), ((0, 1), (None, 1))])
def test_a_boundary_that_makes_no_sense_is_refused(
    looks: tuple[int, ...], at: tuple[int | None, ...]
) -> None:
    with pytest.raises(ValueError, match="looks"):
        Boundary(looks, at)


def test_calibration_needs_exactly_one_aim() -> None:
    with pytest.raises(ValueError, match="either phi"):
        beta_binomial(10, 0.2, (1, 1))
    with pytest.raises(ValueError, match="either phi"):
        sprt(10, 0.2, 0.3, phi=0.1, bound=2.0)


@settings(max_examples=40, deadline=None)
@given(
    at=st.lists(st.one_of(st.none(), st.integers(1, 8)), min_size=1, max_size=8),
    p=st.floats(0.01, 0.99),
)
def test_recursion_equals_summing_over_all_paths(at: list[int | None], p: float) -> None:
    boundary = Boundary(tuple(range(1, len(at) + 1)), tuple(at))
    stopped, expected_n = 0.0, 0.0
    for path in product((0, 1), repeat=len(at)):
        chance = p ** sum(path) * (1 - p) ** (len(at) - sum(path))
        crossed = (n for n in boundary.looks if at[n - 1] is not None and sum(path[:n]) >= (at[n - 1] or 0))
        end = next(crossed, None)
        stopped += chance * (end is not None)
        expected_n += chance * (end or len(at))
    found = operating_characteristics(boundary, p)
    assert (found.stopped, found.expected_n) == pytest.approx((stopped, expected_n), abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(n_max=st.integers(3, 40), p0=st.floats(0.05, 0.5), phi=st.floats(0.01, 0.3))
def test_the_level_is_kept_and_rises_with_the_true_rate(n_max: int, p0: float, phi: float) -> None:
    boundary = pocock(n_max, p0, phi)
    chances = [operating_characteristics(boundary, p).stopped for p in (p0 / 2, p0, (1 + p0) / 2)]
    assert chances[1] <= phi * (1 + 1e-6)
    assert chances == sorted(chances)


def test_one_look_is_the_binomial_test() -> None:
    boundary = pocock(10, 0.2, 0.05, looks=[10])
    tails = {x: sum(comb(10, k) * 0.2**k * 0.8 ** (10 - k) for k in range(x, 11)) for x in range(11)}
    assert boundary.at == (min(x for x, tail in tails.items() if tail <= 0.05),)


def _vectors(shared: Path) -> dict[str, Any]:
    raw = json.loads((shared / "reference/tables/stopping/test_vectors.json").read_text())
    return {vector["test"]: vector["expected"] for vector in raw}


def test_every_group_look_vector(shared: Path) -> None:
    """The clinfun vectors: chance of stopping, of stopping early, and expected n at each rate."""
    expected = _vectors(shared)
    designs = {
        "P1a toxbdry(0.2,0.35,c(20,40,60,75)) low": Boundary(GROUP_LOOKS, (8, 13, 18, 21)),
        "P1a high": pocock(75, 0.2, 0.10, GROUP_LOOKS),
        "P1c high": pocock(30, 0.1, 0.10, range(2, 31)),
    }
    checked = 0
    for name, values in expected.items():
        design, _, rate = name.rpartition(" p=")
        if design in designs:
            found = operating_characteristics(designs[design], float(rate))
            assert (found.stopped, found.stopped_early) == pytest.approx(values[:2], abs=5.1e-4), name
            assert found.expected_n == pytest.approx(values[2], abs=0.051), name
            checked += 1
    assert checked == 10
