"""The simulator keeps its own laws: causes that were not given cause nothing, evidence exists only where something was done."""

from __future__ import annotations

import polars as pl
import pytest
from attribution_trials import ASSUMPTIONS, CAUSES, COMPONENTS, simulate

from safety_monitor.attribution.model import standard_term


@pytest.fixture(scope="module")
def events() -> pl.DataFrame:
    return simulate(5, seed=3)


def test_the_same_seed_gives_the_same_events_and_a_trial_does_not_depend_on_the_number_of_trials(events: pl.DataFrame) -> None:
    two = simulate(2, seed=3)
    assert two.equals(events.head(two.height))
    assert not simulate(2, seed=4)["TRUTH"].equals(two["TRUTH"])


def test_every_cause_occurs_and_a_subject_has_days_only_where_something_was_given(events: pl.DataFrame) -> None:
    assert set(events["TRUTH"]) == set(CAUSES)
    for name in COMPONENTS:
        never = events.filter(pl.col(f"{name.upper()}_EXPOSED") == "N")
        assert never[f"{name.upper()}_DAYS_SINCE_FIRST"].null_count() == never.height
        assert name not in set(never["TRUTH"])


def test_a_cause_comes_before_its_event_but_for_misreported_days(events: pl.DataFrame) -> None:
    for name in COMPONENTS:
        caused = events.filter(pl.col("TRUTH") == name)
        assert caused[f"{name.upper()}_DAYS_SINCE_FIRST"].drop_nulls().min() >= -3  # type: ignore[operator]


def test_the_inhibitor_acts_after_its_last_dose_and_lenvatinib_does_not(events: pl.DataFrame) -> None:
    late = {name: events.filter(pl.col("TRUTH") == name)[f"{name.upper()}_DAYS_SINCE_LAST"].drop_nulls() for name in COMPONENTS}
    assert (late["pd1"] > 60).sum() > 0
    assert (late["lenvatinib"] > 8).sum() == 0


@pytest.mark.parametrize("name", ["LENVATINIB", "PD1"])
def test_holding_is_answered_only_where_it_was_given_and_restarting_only_where_it_was_held(
    events: pl.DataFrame, name: str
) -> None:
    held = events.filter(pl.col(f"{name}_DECHALLENGE") != "NOT_DONE")
    assert 0 < held.height < events.height
    assert (held[f"{name}_EXPOSED"] == "Y").all()
    not_held = events.filter(pl.col(f"{name}_DECHALLENGE") == "NOT_DONE")
    assert (not_held[f"{name}_RECHALLENGE"] == "NOT_DONE").all()


def test_findings_mislead_but_not_more_often_than_not(events: pl.DataFrame) -> None:
    """Each speaks for its cause more often where that is the cause, and not only there."""
    for finding, cause in (("STEROID_RESPONSE", "pd1"), ("IMMUNE_BIOPSY", "pd1"), ("INFECTION_CONFIRMED", "other")):
        known = events.filter(pl.col(finding).is_not_null())
        by_cause = known.group_by(pl.col("TRUTH") == cause).agg((pl.col(finding) == "Y").mean())
        rates = dict(by_cause.iter_rows())
        assert 0 < rates[False] < rates[True] < 1


def test_all_terms_are_terms_of_ctcae() -> None:
    known, unknown = ASSUMPTIONS["terms"], ASSUMPTIONS["unknown_terms"]
    assert len(known) >= 45
    assert len(unknown) >= 20
    assert not set(known) & set(unknown)
    grouped = {term for terms in ASSUMPTIONS["kinds"].values() for term in terms}
    assert grouped <= {*known, *unknown}
    assert [name for name in (*known, *unknown) if standard_term(name) is None] == []
