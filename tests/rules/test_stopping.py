from __future__ import annotations

from math import log

import polars as pl
import pytest

from safety_monitor.rules.stopping import (
    EVENTS,
    StoppingRuleError,
    boundary,
    characteristics,
    counted,
    counted_event,
    curve,
    posterior,
    standing,
    wants_attention,
)
from safety_monitor.stats import stopping
from safety_monitor.stats.stopping import Boundary
from safety_monitor.study import StoppingRule

RECORDS = pl.DataFrame(
    {
        "grade": [5, 4, 3, 2, None],
        "related": [True, False, True, True, True],
        "serious": [True, False, True, False, True],
        "fatal": [True, False, False, False, False],
        "immune": [None, None, True, True, None],
        "aebodsys": ["Blood and lymphatic system disorders", "Cardiac disorders", None, "Investigations", "Investigations"],
        "aedecod": ["Anemia", "Heart failure", None, "ALT increased", "Platelet count decreased"],
        "related_a": [False, True, None, None, False],
        "related_b": [False, False, False, True, None],
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
        ("nonhaem_grade_ge3", [1, 2]),
        ("nonhaem_grade_ge4", [1]),
    ],
)
def test_events(name: str, rows: list[int]) -> None:
    found = RECORDS.with_row_index().filter(counted_event(name).predicate)["index"].to_list()
    assert found == rows


def test_every_event_is_tested_above() -> None:
    assert len(EVENTS) == 11
    assert all(event.says and event.source for event in EVENTS.values())


@pytest.mark.parametrize(("findings", "haematological"), [("Platelet count decreased", True), ("ALT increased", False)])
def test_blood_counts_are_haematological_whatever_their_class(findings: str, haematological: bool) -> None:
    record = RECORDS.with_columns(aedecod=pl.lit(findings), aebodsys=pl.lit("Investigations"), grade=pl.lit(4))
    assert record.filter(counted_event("nonhaem_grade_ge4").predicate).is_empty() == haematological


@pytest.mark.parametrize(
    ("components", "rows"),
    [
        (("a",), [1, 2]),  # the third has no opinion on a, and is related overall
        (("b",), []),
        (("a", "b"), [1, 2]),
    ],
)
def test_an_event_of_some_components_only(components: tuple[str, ...], rows: list[int]) -> None:
    rule = StoppingRule(event="grade_ge3", components=components, p0=0.2, n_max=10)
    assert RECORDS.with_row_index().filter(counted(rule).predicate)["index"].to_list() == rows
    assert counted(rule).says == f"grade 3 or worse, related to {' or '.join(components)}"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"event": "related_deaths"}, "event 'related_deaths' is not known; did you mean 'related_death'"),
        ({"method": "pocok"}, "method 'pocok' is not known; did you mean 'pocock'"),
        ({"numerator": "zzz"}, "numerator 'zzz' is not known; known: subjects"),
        ({"shape": 0.5}, "shape does not go with method pocock; it takes looks"),
        ({"method": "sprt", "certainty": 0.9}, "certainty does not go with method sprt; it takes looks, p1, power"),
        ({"method": "sprt"}, "method sprt needs p1"),
        ({"method": "group"}, "method group needs looks"),
        ({"method": "sprt", "p1": 0.1}, "p1 = 0.1 must be above p0 = 0.2"),
        ({"method": "sprt", "p1": 0.4, "power": 0.01}, "power = 0.01 must be above phi = 0.05"),
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


def test_every_method_can_be_set_in_a_study() -> None:
    """Each equals what the statistics give for the same numbers."""
    base = {"event": "sae", "p0": 0.2, "n_max": 30}
    looks = (10, 20, 30)
    cases: list[tuple[dict[str, object], Boundary]] = [
        ({"method": "pocock", "phi": 0.1}, stopping.pocock(30, 0.2, 0.1)),
        ({"method": "pocock", "first_look": 5}, stopping.pocock(30, 0.2, 0.05, range(5, 31))),
        ({"method": "group", "looks": looks}, stopping.pocock(30, 0.2, 0.05, looks)),
        ({"method": "group", "looks": looks, "shape": 0.5}, stopping.group(30, 0.2, 0.05, looks, 0.5)),
        ({"method": "beta_binomial", "prior": (1, 1)}, stopping.beta_binomial(30, 0.2, (1, 1), phi=0.05)),
        ({"method": "beta_binomial", "certainty": 0.9}, stopping.beta_binomial(30, 0.2, (0.6, 2.4), certainty=0.9)),
        ({"method": "sprt", "p1": 0.35, "phi": 0.1}, stopping.sprt(30, 0.2, 0.35, phi=0.1)),
        ({"method": "sprt", "p1": 0.35, "power": 0.9}, stopping.sprt(30, 0.2, 0.35, bound=log(0.9 / 0.05))),
        ({"method": "boin"}, stopping.beta_binomial(30, 0.2, (1, 1), certainty=0.95, looks=range(3, 31))),
    ]
    for change, expected in cases:
        assert boundary(StoppingRule.model_validate(base | change)) == expected, change


def test_boin_eliminates_at_the_published_counts() -> None:
    rule = StoppingRule(event="sae", method="boin", p0=0.3, n_max=36, looks=tuple(range(3, 37, 3)))
    assert boundary(rule).at == (3, 4, 5, 7, 8, 9, 10, 11, 12, 14, 15, 16)


def test_the_posterior_is_that_of_the_prior_and_the_counts() -> None:
    """Flat prior: P(p > p0 | 0 of n) = (1 - p0)^(n + 1)."""
    rule = StoppingRule(event="sae", method="boin", p0=0.3, n_max=36)
    assert posterior(rule, 0, 4) == pytest.approx(0.7**5)
    assert posterior(StoppingRule(event="sae", p0=0.3, n_max=36), 0, 4) is None


def test_the_line_of_the_figure_passes_through_the_table() -> None:
    rule = StoppingRule(event="sae", p0=0.2, n_max=20)
    line = {round(o.p, 4): o for o in curve(rule)}
    assert (min(line), max(line)) == pytest.approx((0.05, 0.55))
    assert all(line[round(o.p, 4)] == o for o in characteristics(rule))


GROUPS = Boundary((2, 4, 6), (None, 2, 3))


@pytest.mark.parametrize(
    ("path", "at_now", "first", "trigger", "attention"),
    [
        ("", None, None, (2, 4), None),
        ("1", None, None, (2, 4), None),
        ("01", None, None, (2, 4), "boundary_near"),  # the look at 4 would stop at 2
        ("011", None, None, (2, 4), "boundary_near"),  # 2 of 3, but nobody looks at 3
        ("0110", 2, 4, None, "boundary_crossed"),
        ("00011", 2, None, (3, 6), "boundary_near"),  # the second event is not in the four that were looked at
        ("000000", 3, None, (3, 6), None),
    ],
)
def test_a_rule_with_looks_is_looked_at_then_only(
    path: str, at_now: int | None, first: int | None, trigger: object, attention: str | None
) -> None:
    found = standing([event == "1" for event in path], GROUPS)
    assert (found.boundary, found.first_crossed_at, found.next_trigger) == (at_now, first, trigger)
    assert wants_attention(found) == attention
