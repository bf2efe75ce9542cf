"""What follows from what is known: implications, contraries, scales, quantities, contradictions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ctcae_v403
from ctcae_v403.findings import Known, Literal, UnknownFinding, vocabulary

WORDS = vocabulary("Respiratory, thoracic and mediastinal disorders")


def known(findings: dict[str, Any]) -> Known:
    return Known.of(findings, WORDS)


@pytest.mark.parametrize(
    ("stated", "question", "answer"),
    [
        ({}, "symptomatic", None),
        ({"life_threatening_consequences": True}, "symptomatic", True),
        ({"life_threatening_consequences": True}, "asymptomatic", False),
        ({"asymptomatic": True}, "life_threatening_consequences", False),
        ({"asymptomatic": False}, "life_threatening_consequences", None),
        ({"symptomatic": "N"}, "asymptomatic", True),
        ({"urgent_operative_intervention_indicated": True}, "urgent_intervention_indicated", True),
        ({"urgent_operative_intervention_indicated": True}, "operative_intervention_indicated", True),
        ({"urgent_operative_intervention_indicated": True}, "intervention_not_indicated", False),
        ({"intervention_not_indicated": True}, "urgent_operative_intervention_indicated", False),
        ({"intervention_indicated": True}, "urgent_intervention_indicated", None),
        ({"limiting_self_care_adl": True}, "limiting_instrumental_adl", True),
        ({"limiting_instrumental_adl": False}, "limiting_self_care_adl", False),
        ({"mild_symptoms": True}, "severe_symptoms", False),  # one scale, one answer
        ({"mild_symptoms": True}, "symptomatic", True),
        ({"asymptomatic": False, "mild_symptoms": False, "moderate_symptoms": False}, "severe_symptoms", True),
        ({"symptoms": "moderate"}, "moderate_symptoms", True),
        ({"symptoms": "无症状"}, "asymptomatic", True),
        ({"pain_severity": "none"}, "severe_pain", False),
        ({"pain_severity": "moderate"}, "pain", True),
        ({"chest_tube_indicated": "Y"}, "tube_thoracostomy_indicated", True),  # another name
        ({"death": None}, "death", None),
        ({"death": "unknown"}, "death", None),
        ({"fatal": "是"}, "death", True),
    ],
)
def test_what_follows(stated: dict[str, Any], question: str, answer: bool | None) -> None:
    assert known(stated).holds(Literal.read(question, WORDS)) is answer


@pytest.mark.parametrize(
    ("bsa", "comparison", "answer"),
    [
        (None, "bsa >= 10", None), (9.9, "bsa >= 10", False), (10, "bsa >= 10", True), ("10", "bsa > 10", False),
        (30, "bsa <= 30", True), (30.1, "bsa <= 30", False), (0.3, "bsa < 0.3", False),
    ],
)  # fmt: skip
def test_a_quantity_is_compared_as_reported(bsa: object, comparison: str, answer: bool | None) -> None:
    words = vocabulary("Skin and subcutaneous tissue disorders")
    assert Known.of({"bsa": bsa}, words).holds(Literal.read(comparison, words)) is answer


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"chest_tube_indicted": True}, "unknown finding 'chest_tube_indicted'; did you mean chest_tube_indicated"),
        ({"death": "perhaps"}, "death = 'perhaps': write Y, N or leave it out"),
        ({"symptoms": "terrible"}, "symptoms = 'terrible': not one of asymptomatic, mild_symptoms"),
    ],
)
def test_what_cannot_be_read_is_refused(stated: dict[str, Any], message: str) -> None:
    with pytest.raises(UnknownFinding) as refused:
        known(stated)
    assert message in str(refused.value)


def test_a_contradiction_is_named_and_what_was_stated_stands() -> None:
    state = known({"asymptomatic": True, "life_threatening_consequences": True})
    assert state.clashes == (("asymptomatic", "life_threatening_consequences"),)
    assert state.holds(Literal("asymptomatic"))
    assert state.holds(Literal("life_threatening_consequences"))


def test_what_would_follow_against_a_statement_is_dropped() -> None:
    state = known({"urgent_operative_intervention_indicated": True, "operative_intervention_indicated": False})
    assert state.holds(Literal("operative_intervention_indicated")) is False
    assert state.holds(Literal("urgent_operative_intervention_indicated")) is True


FINDINGS = st.dictionaries(st.sampled_from(sorted(WORDS.names)), st.booleans(), max_size=4)


@given(FINDINGS, st.sampled_from(sorted(WORDS.names)))
def test_no_assumption_unsays_what_is_known(stated: dict[str, bool], name: str) -> None:
    state = known(stated)
    literal = Literal.read(name, WORDS)
    assumed = state.assume(literal)
    if assumed is None:
        assert state.holds(literal) is not True
    else:
        assert assumed.holds(literal) is True
        assert all(assumed.true[key] == value for key, value in state.true.items())


@pytest.mark.parametrize("soc", ctcae_v403.socs())
def test_every_question_is_asked_in_both_languages(soc: str) -> None:
    words = vocabulary(soc)
    for key, question in words.questions.items():
        assert question.ask.endswith("?"), key
        assert question.zh.endswith("\uff1f"), key
        assert any("\u4e00" <= sign <= "\u9fff" for sign in question.zh), key
        assert all(en and zh for _, en, zh in question.options), key
        if key in words.is_quantity:
            assert question.unit, key


@pytest.mark.parametrize("soc", ctcae_v403.socs())
def test_no_implication_contradicts_itself(soc: str) -> None:
    words = vocabulary(soc)
    for key in {name for name, _ in words.names.values()}:
        state = Known.of({}, words).assume(Literal(key))
        assert state is not None, f"{key} can never be true"
        assert state.holds(Literal(key)), key
        assert Known.of({}, words).assume(Literal(key, False)) is not None, f"{key} can never be false"
