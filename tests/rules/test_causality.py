"""Two opinions on one cause: distance, what counts for reporting, and who is asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_monitor.records import AdverseEvent, Assessment, ComponentOpinion, Query
from safety_monitor.rules.causality import causality_for_reporting, distance, questions, range_of
from safety_monitor.study import AttributionRules, StudySettings
from safety_monitor.vocabulary import Level

STUDY = StudySettings.of({
    "study": {"id": "S"}, "related": ["Y", "ZUSAMMENHANG", "REMOTE"],
    "components": [{"name": "lenvatinib", "profile": "lenvatinib", "match": ["LENVATINIB"], "relatedness": "RELLEN"}],
})  # fmt: skip
U, L, PO, PR, D = Level


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("Y", (PO, D)), ("n", (U, L)), ("RELATED", (PO, D)), ("Not related", (U, L)), ("zusammenhang", (PO, D)),
        ("UNRELATED", (U, U)), ("Unlikely related", (L, L)), ("POSSIBLE", (PO, PO)), ("probably related", (PR, PR)),
        ("definite", (D, D)), ("1", (U, U)), ("5", (D, D)), ("", None), (None, None), ("UNKNOWN", None), ("6", None),
        (" remote ", (L, L)),
    ],
)  # fmt: skip
def test_what_a_word_leaves_open(word: str | None, expected: tuple[Level, Level] | None) -> None:
    assert range_of(word, STUDY.related) == expected


@pytest.mark.parametrize(
    ("word", "levels_apart"),
    [("Y", [2, 1, 0, 0, 0]), ("N", [0, 0, 1, 2, 3]), ("POSSIBLE", [2, 1, 0, 1, 2]), ("DEFINITE", [4, 3, 2, 1, 0])],
)
def test_distance_to_each_level_of_the_system(word: str, levels_apart: list[int]) -> None:
    assert [distance(range_of(word, STUDY.related), level) for level in Level] == levels_apart


@given(st.sampled_from(Level), st.sampled_from(Level), st.sampled_from(["Y", "N", *(str(level.value) for level in Level)]))
def test_laws_of_distance(one: Level, other: Level, word: str) -> None:
    assert distance((one, one), other) == distance((other, other), one) == abs(one - other)
    said = range_of(word, STUDY.related)
    assert said is not None
    here, there = distance(said, one), distance(said, other)
    assert here is not None
    assert there is not None
    assert (here == 0) == (said[0] <= one <= said[1])
    if one <= other <= said[0] or said[1] <= other <= one:  # nearer to what was said is never farther apart
        assert there <= here


PEOPLE = {"sponsor_reviewer": "Dr Wang", "investigator_stated": "Dr Li"}
PIECES = (
    ("lenvatinib", "dechallenge positive (inferred: held on a day (of some))", 0.3),
    ("OTHER", "rare", 0.2),
    ("lenvatinib", "x", 0.1),
)


def opinion(author: str, level: str | None, share: float | None = None) -> ComponentOpinion:
    pieces = PIECES if author == "system" else ()
    return ComponentOpinion(component="lenvatinib", author=author, level=level, share=share, given_by=PEOPLE.get(author),
                            pieces=pieces, rationale="why" if pieces else "")  # fmt: skip


def held(
    investigator: str | None, reviewer: str | None, system: str | None = "POSSIBLE", stated: str | None = None
) -> list[ComponentOpinion]:
    said = {"investigator": investigator, "investigator_stated": stated, "sponsor_reviewer": reviewer}
    found = [opinion(author, level) for author, level in said.items() if level]
    return found + ([opinion("system", system, 0.5)] if system else [])


@pytest.mark.parametrize(
    ("investigator", "reviewer", "related", "by"),
    [
        ("Y", None, True, "investigator"),
        ("Y", "UNRELATED", True, "investigator"),  # the more conservative of the two
        ("N", "POSSIBLE", True, "sponsor reviewer Dr Wang"),
        ("Y", "DEFINITE", True, "investigator and sponsor reviewer Dr Wang"),
        ("N", None, False, "investigator"),
        ("N", "UNLIKELY", False, "investigator and sponsor reviewer Dr Wang"),
        (None, "POSSIBLE", True, "sponsor reviewer Dr Wang"),
        (None, "UNLIKELY", None, "nobody"),  # the investigator's silence is not "no"
        ("UNKNOWN", "UNLIKELY", None, "nobody"),
        ("REMOTE", None, True, "investigator"),  # related by the study's own list
        (None, None, None, "nobody"),
        ("UNKNOWN", None, None, "nobody"),  # a word that says nothing is not "no"
    ],
)
def test_what_counts_for_expedited_reporting(
    investigator: str | None, reviewer: str | None, related: bool | None, by: str
) -> None:
    counted = causality_for_reporting("lenvatinib", held(investigator, reviewer), STUDY)
    assert (counted.related, counted.decided_by) == (related, by)
    assert counted.treated_as_related is (related is not False)
    assert ("treated as related" in counted.why) is (related is None)


@pytest.mark.parametrize(
    ("investigator", "stated", "related", "by"),
    [
        ("N", "POSSIBLE", True, "investigator Dr Li"),  # beside the reported one, not in its place
        ("Y", "UNLIKELY", True, "investigator"),
        (None, "UNLIKELY", False, "investigator Dr Li"),
    ],
)
def test_an_opinion_stated_here_counts_beside_the_reported_one(
    investigator: str | None, stated: str, related: bool, by: str
) -> None:
    counted = causality_for_reporting("lenvatinib", held(investigator, None, stated=stated), STUDY)
    assert (counted.related, counted.decided_by) == (related, by)


def test_why_says_each_word_and_that_a_word_was_not_understood() -> None:
    assert causality_for_reporting("lenvatinib", held("perhaps", "PROBABLE"), STUDY).why == (
        "sponsor reviewer Dr Wang: PROBABLE; investigator: 'perhaps' is no word of causality"
    )


@given(
    st.sampled_from([None, "Y", "N", "POSSIBLE", "UNLIKELY"]),
    st.sampled_from([None, *(level.name for level in Level)]),
    st.sampled_from(Level),
)
def test_the_system_never_decides(investigator: str | None, reviewer: str | None, system: Level) -> None:
    with_system = causality_for_reporting("lenvatinib", held(investigator, reviewer, system.name), STUDY)
    without = [each for each in held(investigator, reviewer) if each.author != "system"]
    assert with_system == causality_for_reporting("lenvatinib", without, STUDY)


def asked(
    investigator: str | None, system: str | None, reviewer: str | None = None, *, serious: bool = False,
    grade: int | None = 3, emergent: bool | None = True, stated: str | None = None,
) -> set[str]:  # fmt: skip
    return {query.check_id for query in queries(investigator, system, reviewer, serious=serious, grade=grade, emergent=emergent,
                                                stated=stated)}  # fmt: skip


def queries(
    investigator: str | None, system: str | None, reviewer: str | None = None, *, serious: bool = False,
    grade: int | None = 3, emergent: bool | None = True, stated: str | None = None,
) -> list[Query]:  # fmt: skip
    event = AdverseEvent(
        study_id="S", usubjid="1", aeseq=7, aeterm="colitis", aedecod="Colitis", grade=grade,
        relatedness={"lenvatinib": investigator} if investigator else {},
    )  # fmt: skip
    assessment = Assessment(serious=serious, treatment_emergent=emergent)
    found = questions(event, assessment, held(investigator, reviewer, system, stated), STUDY, "01")
    assert all(query.about == "AE 7 lenvatinib" and "Colitis" in query.text for query in found)
    return found


FAR, DUE, AGAIN = "CAUSALITY_FAR_APART", "CAUSALITY_REVIEW_DUE", "CAUSALITY_LOOK_AGAIN"
OTHERWISE = "CAUSALITY_STATED_OTHERWISE"


@pytest.mark.parametrize(
    ("investigator", "system", "reviewer", "serious", "expected"),
    [
        ("N", "PROBABLE", None, False, {FAR}),
        ("N", "POSSIBLE", None, False, set()),  # neighbours
        ("Y", "UNRELATED", None, False, {FAR}),
        ("Y", "UNLIKELY", None, False, set()),
        (None, "DEFINITE", None, False, set()),  # nothing to be apart from
        ("N", "PROBABLE", "UNLIKELY", False, set()),  # a reviewer has settled it
        ("Y", "POSSIBLE", None, True, {DUE}),
        (None, "POSSIBLE", None, True, {DUE}),
        ("N", "PROBABLE", None, True, {FAR, DUE}),
        ("Y", "UNLIKELY", None, True, set()),
        ("Y", "PROBABLE", "PROBABLE", True, set()),
        ("N", "PROBABLE", "UNLIKELY", True, {AGAIN}),
        ("N", "POSSIBLE", "UNLIKELY", True, {AGAIN}),
        ("N", "UNLIKELY", "UNLIKELY", True, set()),
        ("N", "UNLIKELY", None, True, set()),
        (None, "UNLIKELY", None, True, {DUE}),  # nobody has said anything
        (None, None, None, True, {DUE}),  # nor was anything weighed
        (None, "PROBABLE", "UNLIKELY", True, set()),  # treated as related: nothing to look at again
        ("N", "PROBABLE", "POSSIBLE", True, set()),
    ],
)
def test_who_is_asked(
    investigator: str | None, system: str | None, reviewer: str | None, serious: bool, expected: set[str]
) -> None:
    assert asked(investigator, system, reviewer, serious=serious) == expected


@pytest.mark.parametrize(
    ("investigator", "stated", "expected"),
    [("N", "POSSIBLE", {OTHERWISE}), ("N", "UNLIKELY", set()), ("Y", "DEFINITE", set()), (None, "POSSIBLE", {OTHERWISE}),
     ("POSSIBLE", "PROBABLE", {OTHERWISE}), ("N", None, set())],
)  # fmt: skip
def test_the_site_is_asked_to_report_what_its_investigator_states(
    investigator: str | None, stated: str | None, expected: set[str]
) -> None:
    assert asked(investigator, "UNLIKELY", grade=1, stated=stated) == expected


def test_a_question_names_both_opinions_and_what_the_system_rests_on() -> None:
    [query] = queries("N", "PROBABLE")
    assert (query.owner, query.siteid) == ("medical_monitor", "01")
    assert query.text == (
        "Colitis, lenvatinib: the investigator says 'N', the system probable (lenvatinib leads: lenvatinib dechallenge positive "
        "(inferred); lenvatinib x). An assessment by a sponsor reviewer settles it."
    )
    [due] = queries(None, None, serious=True)
    assert "The investigator says nothing, the system blank (no reasons are kept)" in due.text


@pytest.mark.parametrize("disease_first", [True, False])
def test_of_equal_shares_the_one_that_has_the_reasons_leads(disease_first: bool) -> None:
    equal = [ComponentOpinion(component="disease", author="system", level="POSSIBLE", share=0.5)]
    both = [*equal, *held(None, None)] if disease_first else [*held(None, None), *equal]
    event = AdverseEvent(study_id="S", usubjid="1", aeseq=7, aeterm="colitis", grade=3)
    [due] = questions(event, Assessment(serious=True), both, STUDY, "01")
    assert "(lenvatinib leads: lenvatinib dechallenge" in due.text


def test_the_distance_and_the_grade_are_the_study_s() -> None:
    wide = STUDY.model_copy(update={"attribution": AttributionRules(query_distance=3, query_from_grade=2)})
    event = AdverseEvent(study_id="S", usubjid="1", aeseq=7, aeterm="colitis", grade=2, relatedness={"lenvatinib": "N"})
    for system, expected in (("PROBABLE", []), ("DEFINITE", [FAR])):
        found = questions(event, Assessment(treatment_emergent=True), held("N", None, system), wide, "01")
        assert [query.check_id for query in found] == expected


def test_mild_events_and_those_before_treatment_are_not_asked_about() -> None:
    assert asked("N", "PROBABLE", grade=2) == asked("N", "PROBABLE", grade=None) == set()
    assert asked("N", "PROBABLE", grade=1, serious=True) == {FAR, DUE}
    assert asked("N", "PROBABLE", emergent=False) == set()
    # a window for counting does not end what a treatment can do
    assert asked("N", "PROBABLE", serious=True, emergent=False) == {FAR, DUE}
    assert asked("N", "PROBABLE", emergent=None) == {FAR}  # not known is not "before"
