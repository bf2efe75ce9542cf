"""Two opinions on one cause: distance, what counts for reporting, and who is asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_monitor.records import AdverseEvent, Assessment, ComponentOpinion
from safety_monitor.rules.causality import causality_for_reporting, distance, questions, range_of
from safety_monitor.study import StudySettings
from safety_monitor.vocabulary import Level

STUDY = StudySettings.of({
    "study": {"id": "S"}, "related": ["Y", "ZUSAMMENHANG"],
    "components": [{"name": "lenvatinib", "profile": "lenvatinib", "match": ["LENVATINIB"], "relatedness": "RELLEN"}],
})  # fmt: skip
U, L, PO, PR, D = Level


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("Y", (PO, D)), ("n", (U, L)), ("RELATED", (PO, D)), ("Not related", (U, L)), ("zusammenhang", (PO, D)),
        ("UNRELATED", (U, U)), ("Unlikely related", (L, L)), ("POSSIBLE", (PO, PO)), ("probably related", (PR, PR)),
        ("definite", (D, D)), ("1", (U, U)), ("5", (D, D)), ("", None), (None, None), ("UNKNOWN", None), ("6", None),
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


def opinion(author: str, level: str | None, share: float | None = None) -> ComponentOpinion:
    person = "Dr Wang" if author == "sponsor_reviewer" else None
    return ComponentOpinion(component="lenvatinib", author=author, level=level, share=share, given_by=person)


def held(investigator: str | None, reviewer: str | None, system: str = "POSSIBLE") -> list[ComponentOpinion]:
    given_ = [opinion("system", system, 0.5)]
    given_ += [opinion("investigator", investigator)] if investigator else []
    return given_ + ([opinion("sponsor_reviewer", reviewer)] if reviewer else [])


@pytest.mark.parametrize(
    ("investigator", "reviewer", "related", "by"),
    [
        ("Y", None, True, "investigator"),
        ("Y", "UNRELATED", True, "investigator"),  # the more conservative of the two
        ("N", "POSSIBLE", True, "sponsor reviewer Dr Wang"),
        ("Y", "DEFINITE", True, "investigator and sponsor reviewer Dr Wang"),
        ("N", None, False, "investigator"),
        ("N", "UNLIKELY", False, "investigator and sponsor reviewer Dr Wang"),
        (None, "UNLIKELY", False, "sponsor reviewer Dr Wang"),
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
    investigator: str | None, system: str, reviewer: str | None = None, *, serious: bool = False, grade: int | None = 3,
    emergent: bool | None = True,
) -> set[str]:  # fmt: skip
    event = AdverseEvent(
        study_id="S", usubjid="1", aeseq=7, aeterm="colitis", aedecod="Colitis", grade=grade,
        relatedness={"lenvatinib": investigator} if investigator else {},
    )  # fmt: skip
    assessment = Assessment(serious=serious, treatment_emergent=emergent)
    found = questions(event, assessment, held(investigator, reviewer, system), STUDY, "01")
    assert all(query.about == "AE 7 lenvatinib" and "Colitis" in query.text for query in found)
    return {query.check_id for query in found}


FAR, DUE, AGAIN = "CAUSALITY_FAR_APART", "CAUSALITY_REVIEW_DUE", "CAUSALITY_LOOK_AGAIN"


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
        ("N", "POSSIBLE", "UNLIKELY", True, set()),
        ("N", "PROBABLE", "POSSIBLE", True, set()),
    ],
)
def test_who_is_asked(
    investigator: str | None, system: str, reviewer: str | None, serious: bool, expected: set[str]
) -> None:
    assert asked(investigator, system, reviewer, serious=serious) == expected


def test_mild_events_and_those_before_treatment_are_not_asked_about() -> None:
    assert asked("N", "PROBABLE", grade=2) == asked("N", "PROBABLE", grade=None) == set()
    assert asked("N", "PROBABLE", grade=1, serious=True) == {FAR, DUE}
    assert asked("N", "PROBABLE", serious=True, emergent=False) == set()
    assert asked("N", "PROBABLE", emergent=None) == {FAR}  # not known is not "before"
