from __future__ import annotations

import polars as pl
import pytest

from safety_monitor.rules.stopping import (
    EVENTS,
    StoppingRuleError,
    boundary,
    characteristics,
    counted_event,
    standing,
)
from safety_monitor.stats.stopping import Boundary
from safety_monitor.study import StoppingRule

RECORDS = pl.DataFrame(
    {
        "grade": [5, 4, 3, 2, None],
        "related": [True, False, True, True, True],
        "serious": [True, False, True, False, True],
        "fatal": [True, False, False, False, False],
        "immune": [None, None, True, True, None],
    }
)


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("grade_ge3", [0, 1, 2]),
        ("grade_ge4", [0, 1]),
        ("related_grade_ge3", [0, 2]),
        ("related_grade_ge4", [0]),
        ("sae", [0, 2, 4]),
        ("related_sae", [0, 2, 4]),
        ("death", [0]),
        ("related_death", [0]),
        ("immune_grade_ge3", [2]),
    ],
)
def test_events(name: str, rows: list[int]) -> None:
    found = RECORDS.with_row_index().filter(counted_event(name).predicate)["index"].to_list()
    assert found == rows


def test_every_event_is_tested_above() -> None:
    assert len(EVENTS) == 9
    assert all(event.says and event.source for event in EVENTS.values())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"event": "related_deaths"}, "event 'related_deaths' is not known; did you mean 'related_death'"),
        ({"method": "pocok"}, "method 'pocok' is not known; did you mean 'pocock'"),
        ({"numerator": "zzz"}, "numerator 'zzz' is not known; known: subjects"),
    ],
)
def test_unknown_words_are_refused_with_the_nearest(change: dict[str, str], message: str) -> None:
    rule = StoppingRule.model_validate({"event": "sae", "p0": 0.2, "n_max": 10} | change)
    with pytest.raises(StoppingRuleError, match=message):
        _use(rule)


def _use(rule: StoppingRule) -> None:
    counted_event(rule.event)
    boundary(rule)


def test_beta_binomial_prior_is_centred_on_the_acceptable_rate() -> None:
    rule = StoppingRule(event="sae", method="beta_binomial", p0=0.2, phi=0.10, n_max=30)
    assert boundary(rule).at[2:6] == (3, 3, 4, 4)
    assert characteristics(rule)[0].stopped == pytest.approx(0.09957367, abs=5e-9)
    assert [found.p for found in characteristics(rule)] == pytest.approx([0.2, 0.25, 0.3, 0.35, 0.4])


LIMIT = Boundary((1, 2, 3, 4, 5, 6), (None, None, 2, 2, 3, 3))


@pytest.mark.parametrize(
    ("path", "at_now", "crossed", "first", "trigger"),
    [
        ("", None, False, None, (2, 3)),
        ("1", None, False, None, (2, 3)),
        ("11", None, False, None, (2, 3)),
        ("100", 2, False, None, (2, 3)),
        ("110", 2, True, 3, None),
        ("11000", 3, False, 3, None),
        ("100001", 3, False, None, (3, 6)),
        ("1001", 2, True, 4, None),
        ("0000001", 3, False, None, (3, 6)),
    ],
)
def test_standing(path: str, at_now: int | None, crossed: bool, first: int | None, trigger: object) -> None:
    found = standing([event == "1" for event in path], LIMIT)
    assert (found.boundary, found.crossed, found.first_crossed_at, found.next_trigger) == (
        at_now, crossed, first, trigger,
    )  # fmt: skip
    assert (found.n_treated, found.n_events) == (min(len(path), 6), path[:6].count("1"))
