"""Advice at each threshold, as tables that a clinician can review; every rule is reached; what is unknown is said."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ctcae_v403
from safety_monitor.rules.advice import Advice, Dose, Facts, advise, book_of, shipped
from safety_monitor.rules.advice_text import LANGUAGES, sentence
from safety_monitor.rules.ranges import Range
from safety_monitor.study import AdviceRules, SettingsError

ALT, AST, BILI = "Alanine aminotransferase increased", "Aspartate aminotransferase increased", "Blood bilirubin increased"
#: Nothing about the liver is open: normal AST and bilirubin, tumour in the liver, ablated long ago.
LIVER: dict[str, Any] = {
    "liver_tumour": True, "ast": 0.5, "ast_baseline": 0.5, "bilirubin": 0.5, "liver_ablation_days": inf, "immune": True,
}  # fmt: skip
BOTH = {"pd1": True, "lenvatinib": True}


def advised(term: str, grade: int, profile: str, **facts: Any) -> list[Advice]:
    return [each for each in advise(term, grade, [profile], Facts(**facts)) if not each.beside]


def certain(term: str, grade: int, profile: str, **facts: Any) -> str:
    """Action of the only line, which must be certain; "none" without a line."""
    found = advised(term, grade, profile, **facts)
    assert [each.open for each in found] in ([], [()])
    return found[0].action if found else "none"


# --- PD-1 inhibitors, hepatitis


@pytest.mark.parametrize(
    ("tumour", "baseline", "now", "action"),
    [
        # no tumour in the liver: the baseline plays no part
        (False, 0.5, 3.0, "continue"), (False, 0.5, 3.01, "hold"), (False, 0.5, 8.0, "hold"), (False, 0.5, 8.01, "stop"),
        (False, 4.0, 3.01, "hold"), (False, 4.0, 8.01, "stop"),
        # tumour, baseline of ALT and AST not above ULN: as without tumour
        (True, 1.0, 3.0, "continue"), (True, 1.0, 3.01, "hold"), (True, 1.0, 8.0, "hold"), (True, 1.0, 8.01, "stop"),
        # tumour, baseline above 1 to 3
        (True, 1.01, 5.0, "continue"), (True, 1.01, 5.01, "hold"), (True, 1.01, 8.01, "hold"), (True, 1.01, 10.0, "hold"),
        (True, 1.01, 10.01, "stop"), (True, 3.0, 5.0, "continue"), (True, 3.0, 5.01, "hold"), (True, 3.0, 10.01, "stop"),
        # tumour, baseline above 3 to 5
        (True, 3.01, 8.0, "continue"), (True, 3.01, 8.01, "hold"), (True, 5.0, 8.01, "hold"), (True, 5.0, 10.0, "hold"),
        (True, 5.0, 10.01, "stop"),
        # tumour, baseline above 5: no limit is published below 10
        (True, 5.01, 9.0, "judge"), (True, 5.01, 10.0, "judge"), (True, 5.01, 10.01, "stop"),
    ],
)  # fmt: skip
def test_hepatitis_by_baseline(tumour: bool, baseline: float, now: float, action: str) -> None:
    grade = 1 if now <= 3 else 2 if now <= 5 else 3
    facts = {**LIVER, "liver_tumour": tumour}
    assert certain(ALT, grade, "pd1", **facts, alt=now, alt_baseline=baseline) == action
    mirrored = facts | {"ast": now, "ast_baseline": baseline}
    assert certain(AST, grade, "pd1", **mirrored, alt=0.5, alt_baseline=0.5) == action


@pytest.mark.parametrize(
    ("tumour", "baseline", "bilirubin", "action"),
    [
        (False, 0.5, 1.5, "continue"), (False, 0.5, 1.51, "hold"), (False, 0.5, 3.0, "hold"), (False, 0.5, 3.01, "stop"),
        (True, 1.0, 1.51, "hold"), (True, 2.0, 1.51, "continue"), (True, 2.0, 3.0, "continue"), (True, 2.0, 3.01, "stop"),
    ],
)  # fmt: skip
def test_hepatitis_by_bilirubin(tumour: bool, baseline: float, bilirubin: float, action: str) -> None:
    grade = 1 if bilirubin <= 1.5 else 2 if bilirubin <= 3 else 3
    facts = {**LIVER, "liver_tumour": tumour, "bilirubin": bilirubin, "alt": 0.9, "alt_baseline": baseline}
    assert certain(BILI, grade, "pd1", **facts) == action


def test_the_baseline_of_the_other_test_bars_the_rule_without_tumour() -> None:
    facts = {**LIVER, "ast_baseline": 2.0, "alt": 4.0, "alt_baseline": 0.5}
    assert certain(ALT, 2, "pd1", **facts) == "continue"
    assert certain(ALT, 2, "pd1", **{**facts, "ast_baseline": 1.0}) == "hold"


def test_an_unknown_baseline_is_a_stated_choice() -> None:
    found = advised(ALT, 3, "pd1", **{**LIVER, "ast_baseline": None}, alt=6.0)
    assert [sentence(each, "PD-1").partition(" [")[0] for each in found] == [
        "Advice, not an order - PD-1: if one of these: both ALT and AST before treatment ≤ 1 × ULN; "
        "ALT before treatment ≤ 3 × ULN: hold. Restart: at grade 0-1 with prednisone ≤ 10 mg/day; not reached within 12 weeks: "
        "stop.",
        "Advice, not an order - PD-1: otherwise no dose action by these limits.",
    ]


def test_the_grade_bounds_what_was_not_measured() -> None:
    """Grade 4 is above 20 × ULN whatever the laboratory sent; grade 2 is below every limit of an abnormal baseline."""
    unmeasured = {**LIVER, "alt_baseline": 2.0}
    assert certain(ALT, 4, "pd1", **unmeasured) == "stop"
    assert certain(ALT, 2, "pd1", **unmeasured) == "continue"
    assert [each.action for each in advised(ALT, 3, "pd1", **unmeasured)] == ["stop", "hold", "continue"]


def test_a_value_that_disagrees_with_the_grade_leaves_both_open() -> None:
    found = advised(ALT, 4, "pd1", **LIVER, alt=6.0, alt_baseline=2.0)  # grade 4 is above 20
    assert [(each.action, bool(each.open)) for each in found] == [("stop", True), ("hold", True), ("continue", False)]


@pytest.mark.parametrize("day", [0, 7])
def test_after_ablation_of_the_liver_a_rise_alone_is_no_reason_to_pause(day: int) -> None:
    facts = {**LIVER, "liver_ablation_days": day, "alt": 9.0, "alt_baseline": 2.0}
    hold, expected = advised(ALT, 3, "pd1", **facts)
    assert (hold.action, expected.action, expected.rule_id) == ("hold", "continue", "pd1-ablated-liver")
    assert "if ablation of the liver does not explain it: hold" in sentence(hold, "pd1")
    assert "alone is no reason to pause" in sentence(expected, "pd1")
    assert certain(ALT, 3, "pd1", **{**facts, "liver_ablation_days": 8}) == "hold"
    assert certain(BILI, 3, "pd1", **{**facts, "bilirubin": 3.1}) == "stop"  # bilirubin is not excused


def test_an_ablation_of_unknown_site_leaves_it_open() -> None:
    facts = {**LIVER, "alt": 9.0, "alt_baseline": 2.0}
    assert len(advised(ALT, 3, "pd1", **{**facts, "liver_ablation_days": Range(3, inf)})) > 1
    assert certain(ALT, 3, "pd1", **{**facts, "liver_ablation_days": Range(60, inf)}) == "hold"


# --- PD-1 inhibitors, other organs


@pytest.mark.parametrize(
    ("term", "actions"),  # at grades 1 to 4
    [
        ("Pneumonitis", "none hold stop stop"),
        ("Colitis", "none hold hold stop"), ("Diarrhea", "none hold hold stop"),
        ("Creatinine increased", "none hold hold stop"), ("Acute kidney injury", "none hold hold stop"),
        ("Myocarditis", "none stop stop stop"),
        ("Peripheral motor neuropathy", "none hold stop stop"),
        ("Hypothyroidism", "none none hold hold"), ("Adrenal insufficiency", "none none hold hold"),
        ("Infusion related reaction", "slow slow stop stop"),
        ("Arthritis", "continue hold hold stop"),
        ("Nausea", "none none none none"),
    ],
)  # fmt: skip
def test_other_organs_by_grade(term: str, actions: str) -> None:
    assert [certain(term, grade, "pd1", immune=True) for grade in (1, 2, 3, 4)] == actions.split()


@pytest.mark.parametrize(("confirmed", "action"), [(True, "stop"), (False, "hold")])
def test_severe_skin_reactions(confirmed: bool, action: str) -> None:
    assert certain("Stevens-Johnson syndrome", 3, "pd1", confirmed=confirmed) == action


def test_a_skin_reaction_that_may_be_confirmed_is_held_meanwhile() -> None:
    found = advised("Toxic epidermal necrolysis", 4, "pd1")
    assert [(a.action, bool(a.open)) for a in found] == [("stop", True), ("hold", False)]


@pytest.mark.parametrize(
    ("facts", "stops"),
    [
        ({"weeks_held": 11.9, "resolved": False}, False), ({"weeks_held": 12, "resolved": False}, True),
        ({"weeks_held": 12, "resolved": True}, False), ({"weeks_on_steroid": 12, "prednisone_mg": 10}, False),
        ({"weeks_on_steroid": 12, "prednisone_mg": 10.1}, True), ({"weeks_on_steroid": 11.9, "prednisone_mg": 20}, False),
        ({}, False),
    ],
)  # fmt: skip
def test_twelve_weeks(facts: dict[str, Any], stops: bool) -> None:
    ids = [each.rule_id for each in advised("Colitis", 2, "pd1", **facts)]
    assert ("pd1-twelve-weeks" in ids) is stops


def test_an_event_that_nobody_calls_immune_mediated_has_that_premise() -> None:
    (line,) = advised("Pneumonitis", 2, "pd1")
    assert sentence(line, "pd1").startswith("Advice, not an order - pd1: if immune-mediated: hold.")
    (line,) = advised("Pneumonitis", 2, "pd1", immune=True)
    assert sentence(line, "pd1").startswith("Advice, not an order - pd1: hold.")


@pytest.mark.parametrize(
    ("verbatim", "rule"),
    [("immune hepatitis", "pd1-hepatitis-below"), ("viral hepatitis B", None), ("hypophysitis", "pd1-endocrine-hold"),
     ("something", None)],
)  # fmt: skip
def test_other_specify_is_known_by_its_words(verbatim: str, rule: str | None) -> None:
    term = "Endocrine disorders - Other, specify" if "hypo" in verbatim else "Hepatobiliary disorders - Other, specify"
    facts = Facts(**LIVER, alt=1.0, alt_baseline=1.0)
    assert [a.rule_id for a in advise(term, 3, ["pd1"], facts, verbatim=verbatim)] == ([rule] if rule else [])


@pytest.mark.parametrize(("drug", "by_class"), [("pembrolizumab", False), ("SINTILIMAB", True), (None, True)])
def test_a_label_of_another_antibody_is_said_to_be_of_the_class(drug: str | None, by_class: bool) -> None:
    (line,) = advised("Pneumonitis", 3, "pd1", drug=drug)
    assert ("as for the class" in sentence(line, "pd1")) is by_class


# --- Lenvatinib


@pytest.mark.parametrize(
    ("weight", "dose", "below"),
    [
        (60, (12, 1), (8, 1)), (60, (8, 1), (4, 1)), (60, (4, 1), (4, 2)), (60, (4, 2), "open"),
        (59.9, (8, 1), (4, 1)), (59.9, (4, 1), (4, 2)), (59.9, (4, 2), "stop"), (59.9, (12, 1), "off_ladder"),
        (60, (10, 1), "off_ladder"), (None, (8, 1), (4, 1)), (None, (10, 1), "off_ladder"),
    ],
)  # fmt: skip
def test_the_ladder(weight: float | None, dose: tuple[float, int], below: Any) -> None:
    (line,) = advised("Fatigue", 3, "lenvatinib", weight_kg=weight, dose=dose)
    wanted = below if isinstance(below, str) else Dose(mg=below[0], days=below[1])
    assert line.doses == ((None, wanted),)


def test_an_unknown_weight_names_both_ladders_where_they_differ() -> None:
    (line,) = advised("Fatigue", 3, "lenvatinib", dose=(4, 2))
    text = sentence(line, "lenvatinib")
    assert "no lower level is published: a person decides (≥ 60 kg), stop, the ladder ends here (< 60 kg)" in text


@pytest.mark.parametrize(
    ("term", "grade", "facts", "action", "restart"),
    [
        ("Fatigue", 1, {}, "none", ""),
        ("Fatigue", 2, {"persistent": False}, "continue", ""), ("Fatigue", 2, {"persistent": True}, "reduce", "grade_1"),
        ("Fatigue", 3, {"persistent": False}, "reduce", "grade_1"),
        ("Colonic perforation", 4, {"laboratory": False}, "stop", ""),
        ("Lipase increased", 4, {"laboratory": True, "life_threatening": False}, "reduce", "grade_1"),
        ("Lipase increased", 4, {"laboratory": True, "life_threatening": True}, "stop", ""),
        # blood counts: no reduction at first, restart at grade 2
        ("Platelet count decreased", 2, {}, "continue", ""),
        ("Platelet count decreased", 3, {"first_occurrence": True}, "hold", "grade_2_same_dose"),
        ("Platelet count decreased", 3, {"first_occurrence": False}, "reduce", "grade_2"),
        ("Neutrophil count decreased", 4, {"first_occurrence": True, "life_threatening": False}, "hold", "grade_2_same_dose"),
        ("Neutrophil count decreased", 4, {"life_threatening": True}, "stop", ""),
        # proteinuria: held from 2 g/24 h
        ("Proteinuria", 2, {"protein_g_24h": 1.99}, "continue", ""),
        ("Proteinuria", 2, {"protein_g_24h": 2.0, "first_occurrence": True}, "hold", "protein_same_dose"),
        ("Proteinuria", 2, {"protein_g_24h": 2.0, "first_occurrence": False}, "reduce", "protein"),
        ("Proteinuria", 1, {}, "continue", ""), ("Proteinuria", 3, {"first_occurrence": True}, "hold", "protein_same_dose"),
        # blood pressure: 160/100 despite treatment
        ("Hypertension", 3, {"systolic": 160, "despite_therapy": True}, "reduce", "pressure"),
        ("Hypertension", 3, {"diastolic": 100, "despite_therapy": True}, "reduce", "pressure"),
        ("Hypertension", 3, {"systolic": 159, "diastolic": 99, "despite_therapy": True}, "continue", ""),
        ("Hypertension", 3, {"systolic": 180, "diastolic": 110, "despite_therapy": False}, "continue", ""),
        ("Hypertension", 2, {}, "continue", ""), ("Hypertension", 4, {}, "stop", ""),
    ],
)  # fmt: skip
def test_lenvatinib(term: str, grade: int, facts: dict[str, Any], action: str, restart: str) -> None:
    assert certain(term, grade, "lenvatinib", **facts) == action
    if action != "none":
        assert advised(term, grade, "lenvatinib", **facts)[0].restart == restart


@pytest.mark.parametrize(
    ("baseline", "now", "holds"),
    [
        (1.49, 5.0, False), (1.49, 5.01, True), (1.5, 5.01, False), (1.5, 6.0, False), (1.5, 6.01, True),
        (2.99, 6.01, True), (3.0, 6.01, False), (3.0, 8.0, False), (3.0, 8.01, True), (5.0, 8.01, True), (5.01, 9.0, False),
    ],
)  # fmt: skip
def test_the_consensus_by_baseline(baseline: float, now: float, holds: bool) -> None:
    facts = Facts(**LIVER, alt=now, alt_baseline=baseline)
    found = [each for each in advise(ALT, 3 if now > 5 else 2, ["lenvatinib"], facts) if each.beside]
    assert [each.open for each in found] == ([()] if holds else [])


# --- Both


@pytest.mark.parametrize(
    ("grade", "persistent", "rules"),
    [(1, True, []), (2, False, []), (2, True, ["both-which-drug-2"]), (3, None, ["both-which-drug-3"])],
)  # fmt: skip
def test_both_are_held_to_tell_them_apart(grade: int, persistent: bool | None, rules: list[str]) -> None:
    found = advise("Diarrhea", grade, ["lenvatinib", "pd1"], Facts(persistent=persistent, related=BOTH))
    assert [each.rule_id for each in found if "+" in each.profile] == rules
    assert not any("+" in each.profile for each in advise("Diarrhea", grade, ["lenvatinib"], Facts(persistent=persistent)))


def test_the_rule_for_another_drug_is_marked_as_inferred() -> None:
    line = advise("Diarrhea", 3, ["lenvatinib", "pd1"], Facts(related=BOTH))[-1]
    text = sentence(line, "lenvatinib + pd1")
    assert "hold both" in text
    assert "within 7 days: lenvatinib" in text
    assert "by 14 days: PD-1" in text
    assert "axitinib" in text
    assert "; inferred;" in text


# --- Every event


@pytest.mark.parametrize(("related", "lines"), [(False, 0), (None, 1), (True, 1)])
def test_a_component_that_is_not_related_gets_no_advice(related: bool | None, lines: int) -> None:
    found = advise("Fatigue", 3, ["lenvatinib"], Facts(related={"lenvatinib": related}))
    assert len(found) == lines
    assert all(("if held to be related" in sentence(each, "x")) is (related is None) for each in found)


@pytest.mark.parametrize("grade", [None, 0, 5])
def test_no_grade_and_a_fatal_one_have_no_advice(grade: int | None) -> None:
    assert advise("Colitis", grade, ["pd1", "lenvatinib"]) == ()


def test_terms_are_those_of_the_standard() -> None:
    book = book_of()
    terms = [t for topic in book.topic.values() for t in topic.terms] + [t for rule in book.rule for t in rule.terms]
    terms += [bound.term for bound in book.bound]
    assert [name for name in terms if ctcae_v403.term(name).name != name] == []


YES_NO = st.sampled_from([None, True, False])
NUMBER = st.none() | st.floats(0, 30)
FACTS = st.builds(
    Facts, alt=NUMBER, ast=NUMBER, bilirubin=NUMBER, alt_baseline=NUMBER, ast_baseline=NUMBER, liver_tumour=YES_NO,
    persistent=YES_NO, first_occurrence=YES_NO, life_threatening=YES_NO, laboratory=YES_NO, confirmed=YES_NO,
    immune=st.sampled_from([None, True]), despite_therapy=YES_NO, systolic=st.none() | st.floats(90, 220),
    liver_ablation_days=st.none() | st.integers(0, 40), protein_g_24h=NUMBER, weight_kg=st.none() | st.floats(40, 90),
    dose=st.sampled_from([None, (12, 1), (8, 1), (4, 2)]), related=st.sampled_from([{}, BOTH]),
)  # fmt: skip
TERMS = [ALT, AST, BILI, "Diarrhea", "Pneumonitis", "Proteinuria", "Hypertension", "Anemia", "Fatigue"]


@given(term=st.sampled_from(TERMS), grade=st.integers(1, 4), facts=FACTS)
def test_every_line_is_labelled_and_sourced_in_both_languages(term: str, grade: int, facts: Facts) -> None:
    for line in advise(term, grade, ["lenvatinib", "pd1"], facts):
        english, chinese = (sentence(line, "drug", language) for language in LANGUAGES)
        assert english.startswith("Advice, not an order - drug: ")
        assert chinese.startswith("仅供参考，非医嘱 - drug：")
        assert all(f"[{line.source.text}" in text for text in (english, chinese))
        assert "{" not in english + chinese


@given(term=st.sampled_from(TERMS), grade=st.integers(1, 4), facts=FACTS, name=st.sampled_from(["liver_tumour", "persistent",
       "first_occurrence", "alt_baseline", "life_threatening", "confirmed", "liver_ablation_days"]))  # fmt: skip
def test_knowing_more_only_takes_lines_away(term: str, grade: int, facts: Facts, name: str) -> None:
    """What a fact makes certain was stated as a condition before: not knowing it never hid a line (but those that are shown
    only when certain)."""
    without = Facts(**{**{k: getattr(facts, k) for k in Facts.__dataclass_fields__}, name: None})
    unsure = {line.rule_id for line in advise(term, grade, ["lenvatinib", "pd1"], without)}
    decided = {r["id"] for r in shipped()["rule"] if r.get("decided_only")}
    sure = {line.rule_id for line in advise(term, grade, ["lenvatinib", "pd1"], facts)}
    assert sure <= unsure | decided


def test_every_rule_is_reached() -> None:
    reached = set()
    normal = {"ast": 0.5, "ast_baseline": 0.5, "bilirubin": 0.5, "liver_tumour": True, "alt_baseline": 5.5, "alt": 9.0}
    choices: list[dict[str, Any]] = [
        {}, {"persistent": True}, {"weeks_held": 13, "resolved": False}, {**normal, "liver_ablation_days": inf},
        {**normal, "liver_ablation_days": 3, "alt_baseline": 1.0}, {"laboratory": True, "life_threatening": False},
    ]  # fmt: skip
    for term in [t for topic in book_of().topic.values() for t in topic.terms] + ["Fatigue"]:
        for grade in (1, 2, 3, 4):
            for facts in choices:
                reached |= {line.rule_id for line in advise(term, grade, ["lenvatinib", "pd1"], Facts(**facts))}
    assert {rule["id"] for rule in shipped()["rule"]} - reached == set()


# --- A study's own rules


def test_a_study_replaces_leaves_out_and_adds_rules() -> None:
    own = AdviceRules.model_validate({
        "without": ["pd1-colitis-hold"],
        "sources": {"protocol": {"text": "protocol 3.0", "tier": "verified"}},
        "topics": {"gut": {"profile": "ablation", "terms": ["Colonic perforation"]}},
        "rules": [
            {"id": "pd1-pneumonitis-hold", "topic": "pneumonitis", "grades": [2], "action": "stop", "source": "protocol"},
            {"id": "own", "topic": "gut", "action": "judge", "source": "protocol", "note": "Ask the surgeon."},
        ],
    })  # fmt: skip
    book = book_of(own)
    assert [a.action for a in advise("Pneumonitis", 2, ["pd1"], book=book)] == ["stop"]
    assert advise("Colitis", 2, ["pd1"], book=book) == ()
    (line,) = advise("Colonic perforation", 4, ["ablation"], book=book)
    assert sentence(line, "ablation").endswith("Ask the surgeon. [protocol 3.0; read; rules 2026-1, changed by the study]")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"without": ["pd1-colitis"]}, "'pd1-colitis' is no rule"),
        ({"rules": [{"id": "x", "topic": "gut", "action": "hold", "source": "ladder"}]}, "'gut'"),
        ({"rules": [{"id": "x", "topic": "colitis", "action": "halt", "source": "ladder"}]}, "halt"),
        ({"rules": [{"id": "x", "topic": "colitis", "action": "hold", "source": "ladder",
                     "when": [[{"fact": "alt_now", "above": 3}]]}]}, "alt_now"),
        ({"rules": [{"id": "x", "topic": "colitis", "action": "hold", "source": "ladder",
                     "when": [[{"fact": "alt"}]]}]}, "limits"),
    ],
)  # fmt: skip
def test_rules_that_cannot_be_used_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        book_of(AdviceRules.model_validate(settings))
