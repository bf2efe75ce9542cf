"""Every step between two states of an event, and the alert that is owed for it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_monitor.records import Rejection
from safety_monitor.rules.escalation import (
    WHY,
    Change,
    EventState,
    changes_between,
    decide_alerts,
    decide_refused,
)
from safety_monitor.vocabulary import AlertKind, Seriousness

MILD = EventState(
    usubjid="S1-01", aeseq=7, siteid="01", term="Pneumothorax", grade=2, version=1, onset="2026-03-02"
)
SERIOUS = replace(MILD, serious=True, serious_basis=("HOSPITALISATION",), grade=3)
FLAGGED = replace(MILD, serious=True)
FATAL = replace(SERIOUS, fatal=True, grade=5, outcome="FATAL", serious_basis=("DEATH", "HOSPITALISATION"))
FATAL_UNFLAGGED = replace(MILD, fatal=True, outcome="FATAL")
GONE = replace(SERIOUS, deleted=True)

NEW, UP, CHANGED = AlertKind.SAE_NEW, AlertKind.SAE_UPGRADED, AlertKind.SAE_CHANGED
DOWN, DELETED = AlertKind.SAE_DOWNGRADED, AlertKind.SAE_DELETED

STEPS = [
    # before, after, kind, rule
    (None, SERIOUS, NEW, "new_serious_event"),
    (None, FLAGGED, NEW, "new_serious_event"),
    (None, FATAL, NEW, "new_serious_event"),
    (None, FATAL_UNFLAGGED, NEW, "new_fatal_event_not_flagged_serious"),
    (GONE, SERIOUS, NEW, "serious_event_returned"),
    (MILD, SERIOUS, UP, "upgraded_to_serious"),
    (MILD, FATAL, UP, "upgraded_to_serious"),
    (MILD, FATAL_UNFLAGGED, UP, "became_fatal_not_flagged_serious"),
    (FATAL_UNFLAGGED, FATAL, UP, "upgraded_to_serious"),
    (SERIOUS, FATAL, CHANGED, "became_fatal"),
    (SERIOUS, replace(SERIOUS, outcome="fatal"), CHANGED, "became_fatal"),
    (SERIOUS, FATAL_UNFLAGGED, CHANGED, "became_fatal"),
    (FATAL, SERIOUS, CHANGED, "no_longer_fatal"),
    (SERIOUS, replace(SERIOUS, grade=4), CHANGED, "grade_changed"),
    (SERIOUS, replace(SERIOUS, grade=2), CHANGED, "grade_changed"),
    (SERIOUS, replace(SERIOUS, grade=None), CHANGED, "grade_changed"),
    (replace(SERIOUS, grade=None), SERIOUS, CHANGED, "grade_changed"),
    (
        SERIOUS,
        replace(SERIOUS, serious_basis=("HOSPITALISATION", "LIFE_THREATENING")),
        CHANGED,
        "criteria_changed",
    ),
    (SERIOUS, replace(SERIOUS, serious_basis=()), CHANGED, "criteria_changed"),
    (SERIOUS, MILD, DOWN, "no_longer_serious"),
    (FATAL, FATAL_UNFLAGGED, DOWN, "no_longer_serious"),
    (FATAL, MILD, DOWN, "no_longer_serious"),
    (SERIOUS, GONE, DELETED, "serious_event_deleted"),
    (SERIOUS, None, DELETED, "serious_event_deleted"),
    (FATAL_UNFLAGGED, replace(FATAL_UNFLAGGED, deleted=True), DELETED, "serious_event_deleted"),
]

SILENT = [
    (None, None),
    (None, MILD),
    (None, replace(MILD, grade=4)),  # severe is not serious
    (None, GONE),
    (MILD, None),
    (MILD, replace(MILD, grade=3)),
    (MILD, replace(MILD, deleted=True)),
    (replace(MILD, deleted=True), MILD),
    (GONE, GONE),
    (GONE, None),
    (SERIOUS, SERIOUS),
    (SERIOUS, replace(SERIOUS, version=9)),
    (SERIOUS, replace(SERIOUS, onset="2026-03-01", term="Pleural effusion", outcome="RECOVERING/RESOLVING")),
    (SERIOUS, replace(SERIOUS, relatedness={"ablation": "Y"}, leading="ablation", queries=("Which lung?",))),
    (FATAL, replace(FATAL, serious_basis=("HOSPITALISATION", "DEATH"))),  # order says nothing
]


@pytest.mark.parametrize(("before", "after", "kind", "rule"), STEPS)
def test_a_step_that_is_told(
    before: EventState | None, after: EventState | None, kind: AlertKind, rule: str
) -> None:
    (decision,) = decide_alerts(before, after)
    assert (decision.kind, decision.rule_id) == (kind, rule)
    assert decision.why == WHY[rule]


@pytest.mark.parametrize(("before", "after"), SILENT)
def test_a_step_that_is_not_told(before: EventState | None, after: EventState | None) -> None:
    assert decide_alerts(before, after) == ()


def test_every_rule_and_every_kind_that_a_change_can_raise_is_in_the_table() -> None:
    of_results = {"results_without_report", "unreported_results_worse", "results_corrected", "hys_law_candidate",
                  "hys_law_withdrawn"}  # tests/rules/test_cases.py
    of_reporting = {"susar_suspected", "susar_decided", "clock_started", "clock_cancelled", "clock_superseded", "clock_near_due",
                    "clock_overdue", "draft_waits"}  # tests/rules/test_notices.py
    of_the_study = {"boundary_crossed", "boundary_near", "report_issued"}
    of_mail = {"mail_keeps_failing", "mail_bounced", "alert_unacknowledged", "digest"}
    here = {rule for *_, rule in STEPS} | {"refused_row_looks_serious"}
    assert here | of_results | of_reporting | of_the_study | of_mail == set(WHY)
    assert {kind.value for _, _, kind, _ in STEPS} == {kind.value for kind in AlertKind if kind.value.startswith("sae_")} - {
        "sae_row_rejected"
    }


def test_two_changes_are_one_alert_that_lists_both() -> None:
    after = replace(FATAL, version=2, relatedness={"ablation": "Y"})
    (decision,) = decide_alerts(replace(SERIOUS, relatedness={"ablation": "N", "pd1": "N"}), after)
    assert decision.changes == (
        Change("fatal", "N", "Y"),
        Change("serious_basis", "HOSPITALISATION", "DEATH;HOSPITALISATION"),
        Change("grade", "3", "5"),
        Change("outcome", None, "FATAL"),
        Change("related:ablation", "N", "Y"),
        Change("related:pd1", "N", None),
    )


def test_nothing_differs_between_a_state_and_itself() -> None:
    assert changes_between(FATAL, FATAL) == ()


states = st.builds(
    EventState,
    usubjid=st.just("S1-01"), aeseq=st.just(1), term=st.just("Pneumothorax"), version=st.integers(1, 3),
    grade=st.none() | st.integers(0, 5), serious=st.booleans(), fatal=st.booleans(), deleted=st.booleans(),
    serious_basis=st.lists(st.sampled_from([c.name for c in Seriousness]), unique=True).map(tuple),
    outcome=st.sampled_from([None, "FATAL", "RECOVERED/RESOLVED"]),
)  # fmt: skip


@given(st.none() | states, st.none() | states)
def test_whoever_was_not_told_is_told_exactly_when_the_event_becomes_one_to_tell(
    before: EventState | None, after: EventState | None
) -> None:
    was, now = (state is not None and state.must_be_told for state in (before, after))
    decisions = decide_alerts(before, after)
    assert len(decisions) <= 1
    if was != now:
        (decision,) = decisions
        assert decision.kind in ({NEW, UP} if now else {DOWN, DELETED})
    if not was and not now:
        assert decisions == ()


@given(states)
def test_the_same_state_again_is_never_told(state: EventState) -> None:
    assert decide_alerts(state, state) == ()


REFUSED = {
    "DOMAIN": "AE",
    "USUBJID": "S1-02",
    "AESEQ": "x",
    "AETERM": "Bleeding",
    "AESER": "Y",
    "AESHOSP": "Y",
}


def test_a_refused_row_is_told_with_what_it_says() -> None:
    rejection = Rejection("ae.csv", 12, "AESEQ", "x", "is not a whole number", "Give it one")
    decision, state = decide_refused(rejection, REFUSED, "02")
    assert decision.kind is AlertKind.SAE_ROW_REJECTED
    assert decision.where == "ae.csv row 12: AESEQ is not a whole number"
    assert (state.usubjid, state.aeseq, state.siteid, state.term) == ("S1-02", None, "02", "Bleeding")
    assert state.serious_basis == ("HOSPITALISATION",)


def test_the_same_refused_row_is_one_alert_and_a_corrected_one_another() -> None:
    rejection = Rejection("ae.csv", 12, "AESEQ", "x", "is not a whole number", "Give it one")
    first, _ = decide_refused(rejection, REFUSED, None)
    moved, _ = decide_refused(
        replace(rejection, file="ae2.csv", row=1), dict(reversed(REFUSED.items())), None
    )
    corrected, _ = decide_refused(rejection, {**REFUSED, "AETERM": "Haemorrhage"}, None)
    assert first.distinct == moved.distinct != corrected.distinct
