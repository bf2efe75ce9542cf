"""From findings to grades: proposals, what is still possible, questions, checks, and laws over all 790 terms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ctcae_v403
from ctcae_v403 import Verdict, check_grade, grade_findings, rendering
from ctcae_v403.criteria import assumed, criteria, possible_grades
from ctcae_v403.findings import NUMBERS, Known, vocabulary

K = {"value": 2.8, "unit": "mmol/L", "lln": 3.5}
QTC = {"value": 510, "unit": "ms"}


@pytest.mark.parametrize(
    ("term", "findings", "grade", "possible"),
    [
        # nothing known: nothing proposed, nothing excluded but what the standard does not have
        ("Alopecia", {}, None, (0, 1, 2)),
        ("Pneumothorax", {}, None, (1, 2, 3, 4, 5)),
        # the worst grade proven, and what is not excluded above it
        ("Pneumothorax", {"chest_tube_indicated": True}, 2, (2, 3, 4, 5)),
        ("Pneumothorax", {"chest_tube_indicated": True, "hospitalization_indicated": True}, 3, (3, 4, 5)),
        ("Pneumothorax", {"intervention_not_indicated": True, "asymptomatic": True, "hospitalization_indicated": "N",
                          "death": "N"}, 1, (1,)),
        ("Pneumothorax", {"fatal": True}, 5, (5,)),
        ("Hypokalemia", {"potassium": K}, 3, (3, 4, 5)),
        ("Hypokalemia", {"potassium": K, "life_threatening": "N", "death": "N"}, 3, (3,)),
        # the same numbers, two grades: findings decide
        ("Hypokalemia", {"potassium": K | {"value": 3.2}}, 1, (1, 2, 3, 4, 5)),
        ("Hypokalemia", {"potassium": K | {"value": 3.2}, "symptomatic": True}, 2, (2, 3, 4, 5)),
        ("Hypokalemia", {"numbers": 2, "asymptomatic": True, "intervention_indicated": False, "hospitalization_indicated": "N",
                         "death": "N"}, 1, (1,)),
        ("Hyperuricemia", {"numbers": 3}, 1, (1, 3, 4, 5)),
        ("Hyperuricemia", {"numbers": 3, "physiologic_consequences": True}, 3, (3, 4, 5)),
        # numbers and findings, side by side
        ("Anemia", {"hemoglobin": {"value": 7.5, "unit": "g/dL", "lln": 12}}, 3, (3, 4, 5)),
        ("Anemia", {"hemoglobin": {"value": 11, "unit": "g/dL", "lln": 12}, "transfusion_indicated": True}, 3, (3, 4, 5)),
        ("Anemia", {"numbers": "2+"}, 2, (2, 3, 4, 5)),
        ("Febrile neutropenia", {"neutrophils": 400, "temperature": 38.4}, 3, (3, 4, 5)),
        ("Febrile neutropenia", {"neutrophils": {"value": 0.4, "unit": "10^9/L"}, "sustained_temperature": 38}, 3, (3, 4, 5)),
        ("Febrile neutropenia", {"neutrophils": 400, "temperature": 38.3}, None, (0, 3, 4, 5)),
        ("Febrile neutropenia", {"neutrophils": 1000, "temperature": 40, "life_threatening": False, "death": False,
                                 "urgent_intervention_indicated": False}, None, (0,)),
        # areas
        ("Rash maculo-papular", {"bsa": 9.9}, 1, (1, 2, 3)),
        ("Rash maculo-papular", {"bsa": 10}, 2, (2, 3)),
        ("Rash maculo-papular", {"bsa": 30}, 2, (2, 3)),
        ("Rash maculo-papular", {"bsa": 30.5}, 3, (3,)),
        ("Stevens-Johnson syndrome", {"bsa": 5}, 3, (3, 5)),
        # what a fact implies
        ("Diarrhea", {"life_threatening": True}, 4, (4, 5)),
        ("Hepatic failure", {"asterixis": True}, 3, (3, 4, 5)),
        ("Hepatic failure", {"coma": True}, 4, (4, 5)),
    ],
)  # fmt: skip
def test_proposals(term: str, findings: dict[str, Any], grade: int | None, possible: tuple[int, ...]) -> None:
    proposal = grade_findings(term, findings)
    assert (proposal.grade, proposal.possible) == (grade, possible)
    assert bool(proposal.fired) == (grade is not None)
    assert proposal.settled == (len(possible) == 1)


@pytest.mark.parametrize(
    ("term", "assigned", "findings", "verdict", "said"),
    [
        ("Pneumothorax", 2, {"chest_tube_indicated": True}, Verdict.AGREE, "grade 3 or 4 or 5 is not excluded"),
        ("Pneumothorax", 1, {"chest_tube_indicated": True}, Verdict.TOO_LOW, "meet grade 2: intervention indicated"),
        ("Pneumothorax", 3, {"chest_tube_indicated": True}, Verdict.CANNOT_TELL, "2 or 3 or 4 or 5 possible"),
        ("Pneumothorax", 4, {"life_threatening": "N", "urgent_intervention_indicated": "N"}, Verdict.TOO_HIGH, "grade 4"),
        ("Alopecia", 3, {}, Verdict.NOT_AVAILABLE, "no grade 3 in CTCAE v4.03 (grades 1, 2)"),
        ("Alopecia", 0, {}, Verdict.NOT_AVAILABLE, "no grade 0"),
        ("Alanine aminotransferase increased", 3, {"ALT": {"value": 90, "unit": "U/L", "uln": 40}}, Verdict.TOO_HIGH,
         "they meet grade 1"),
        ("Alanine aminotransferase increased", 3, {"numbers": 0}, Verdict.TOO_HIGH, "they meet no criterion of any grade"),
        ("Alanine aminotransferase increased", 1, {"numbers": 1}, Verdict.AGREE, "ULN"),
        ("Pericardial effusion", 2, {}, Verdict.CANNOT_TELL, "possible"),
    ],
)  # fmt: skip
def test_checks(term: str, assigned: int, findings: dict[str, Any], verdict: Verdict, said: str) -> None:
    check = check_grade(term, assigned, findings)
    assert check.verdict is verdict
    assert said in check.reason


def test_a_death_under_a_term_without_grade_5() -> None:
    proposal = grade_findings("Alanine aminotransferase increased", {"death": True, "numbers": 3})
    assert proposal.grade == 3
    assert "'Investigations - Other, specify' or 'Death NOS'" in proposal.notes[0]


def test_a_contradiction_is_told_and_the_worse_counts() -> None:
    proposal = grade_findings("Pneumothorax", {"asymptomatic": True, "life_threatening": True})
    assert proposal.grade == 4
    assert proposal.notes == ("asymptomatic and life-threatening consequences contradict each other",)


def test_a_grade_proven_by_cases_is_proposed() -> None:
    """A hearing aid is grade 3 for a child, and for an adult in or out of a monitoring programme."""
    proposal = grade_findings("Hearing impaired", {"hearing_aid_indicated": True, "limiting_instrumental_adl": True})
    assert (proposal.grade, proposal.possible) == (3, (3, 4))
    assert proposal.reasons
    assert proposal.notes == ("grade 3 whichever of its open criteria holds",)


def test_a_value_that_cannot_be_graded_says_why() -> None:
    proposal = grade_findings("Hypokalemia", {"potassium": {"value": 3.2, "unit": "mmol/L"}})
    assert proposal.grade is None
    assert proposal.notes == ("Hypokalemia: no grade from the numbers, NO_LIMIT",)


@pytest.mark.parametrize(
    ("findings", "message"),
    [
        ({"bilirubine": {"value": 1, "unit": "mg/dL"}}, "neither a finding of this term nor a known test"),
        ({"potassium": {"unit": "mmol/L"}}, "needs at least 'value' and 'unit'"),
        ({"numbers": "high"}, "write the grade that the numeric rules give"),
        ({"shortness": True}, "unknown finding 'shortness'"),
        ({"potassium": K | {"color": "red"}}, "potassium: unknown color; known: age, albumin"),
    ],
)
def test_what_cannot_be_read_is_refused(findings: dict[str, Any], message: str) -> None:
    with pytest.raises(ctcae_v403.UnknownFinding, match=message):
        grade_findings("Hypokalemia", findings)


@pytest.mark.parametrize("unit", [None, "furlong"])
def test_a_quantity_without_a_unit_that_measures_it_is_refused(unit: str | None) -> None:
    with pytest.raises(ctcae_v403.UnknownFinding, match="Neutrophils"):
        grade_findings("Febrile neutropenia", {"neutrophils": {"value": 0.4, "unit": unit}, "temperature": 39})


def test_values_that_differ_leave_a_quantity_open() -> None:
    counts = [{"value": 400, "unit": "/mm3"}, {"value": 4000, "unit": "/mm3"}]
    assert grade_findings("Febrile neutropenia", {"neutrophils": counts, "temperature": 39}).possible == (0, 3, 4, 5)


def test_a_finding_of_another_class_is_told_to_say_nothing() -> None:
    proposal = grade_findings("Hypokalemia", {"gross_hematuria": True})
    assert proposal.notes == ("gross_hematuria says nothing of Hypokalemia",)


# Laws over the whole standard ------------------------------------------------------------------------------

ALL = ctcae_v403.terms()
NAMES = st.sampled_from([term.name for term in ALL])


@pytest.mark.parametrize("soc", ctcae_v403.socs())
def test_exactly_the_grades_of_the_standard_have_criteria(soc: str) -> None:
    for term in (each for each in ALL if each.soc == soc):
        cells = criteria(term.name)
        assert tuple(cells) == term.grades
        assert all(cells.values()), term.name
        assert all(each.text for cell in cells.values() for each in cell), term.name


@pytest.mark.parametrize("soc", ctcae_v403.socs())
def test_every_criterion_can_decide_its_grade(soc: str) -> None:
    """No criterion is impossible, and none is swallowed by a worse grade."""
    nothing = Known.of({}, vocabulary(soc))
    for term in (each for each in ALL if each.soc == soc):
        cells = criteria(term.name)
        for grade, cell in cells.items():
            for criterion in cell:
                for alternative in criterion.printed:
                    state = assumed(nothing, alternative)
                    assert state is not None, (term.name, grade, criterion.text)
                    assert grade in possible_grades(cells, state), (term.name, grade, criterion.text)


def test_every_finding_of_the_vocabulary_is_asked_by_some_criterion() -> None:
    accepted_only = {"adult", "female"}  # the context of a patient, always accepted
    asked: set[str] = set()
    for term in ALL:
        for grade in term.grades:
            asked |= {lit.key for each in term.criteria(grade) for alternative in each.alternatives for lit in alternative}
    words = vocabulary("")
    reached = set(asked)
    for (source, _), targets in words.entails.items():
        reached |= {source, *(key for key, _ in targets)}
    assert {key for key, _ in words.names.values()} - reached - accepted_only == set()


def test_every_atom_of_the_field_is_a_word_here(shared: Path) -> None:
    atoms = (shared / "reference" / "ctcae_v403" / "controlled_vocabulary_atoms.csv").read_text("utf-8").split()[1:]
    not_a_finding = {"pediatric_same_as_adult"}  # an instruction of two cells
    assert set(atoms) - set(vocabulary("").names) == not_a_finding


def some_findings(name: str) -> st.SearchStrategy[dict[str, Any]]:
    term = ctcae_v403.term(name)
    words = vocabulary(term.soc)
    keys = sorted({
        literal.key for grade in term.grades for each in term.criteria(grade) for alternative in each.alternatives
        for literal in alternative if not literal.operator and literal.key in words.names
    } | {"death"})  # fmt: skip
    return st.dictionaries(st.sampled_from(keys), st.booleans(), max_size=4)


@given(st.data(), NAMES)
def test_what_is_proposed_exists_and_is_possible(data: st.DataObject, name: str) -> None:
    proposal = grade_findings(name, data.draw(some_findings(name)))
    assert set(proposal.possible) <= {0, *proposal.term.grades}
    if proposal.grade is not None:
        assert proposal.term.has_grade(proposal.grade)
        if not proposal.state.clashes and not proposal.state.exempt:
            assert proposal.grade == min(proposal.possible)


@given(st.data(), NAMES)
def test_more_findings_never_open_a_grade_again(data: st.DataObject, name: str) -> None:
    known = data.draw(some_findings(name))
    more = data.draw(some_findings(name))
    before, after = grade_findings(name, known), grade_findings(name, {**more, **known})
    if not after.state.clashes and not after.state.exempt:
        assert set(after.possible) <= set(before.possible)
        assert (after.grade or 0) >= (before.grade or 0)


@given(st.data(), NAMES)
def test_the_questions_settle_the_grade_whatever_the_answers(data: st.DataObject, name: str) -> None:
    """Answered at random, the questions that are asked one after the other end in one grade, or in what was contradictory."""
    findings: dict[str, Any] = {}
    cells = criteria(name)
    for _ in range(40):
        proposal = grade_findings(name, findings)
        if proposal.settled:
            break
        question = proposal.questions[0]
        if question.options:
            members = [key for key, *_ in question.options]
            chosen = data.draw(st.sampled_from([None, *members]))
            findings |= {member: member == chosen for member in members}
        elif question.key == NUMBERS:
            findings[NUMBERS] = data.draw(st.integers(0, max(cells)))
        elif question.key in proposal.state.words.is_quantity:
            findings[question.key] = data.draw(st.integers(0, 100))
        else:
            findings[question.key] = data.draw(st.booleans())
        if grade_findings(name, findings).state.clashes:
            break
    else:
        raise AssertionError(f"{name}: 40 answers did not settle the grade: {findings}")


def test_the_document_is_that_of_the_data() -> None:
    kept = Path(__file__).parents[2] / "docs" / "dictionary.md"
    assert kept.read_text("utf-8") == rendering.markdown(), "run make dictionary"
