"""Questions to the sites: which contradiction asks what, and that a sound report asks nothing."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

import ctcae_v403
from safety_monitor.records import AdverseEvent, Query, Subject
from safety_monitor.rules.queries import Around, CheckError, Condition, ask, checks, of_event
from safety_monitor.study import StudySettings

CTCAE = StudySettings.of({"study": {"id": "S"}})
MEDDRA = StudySettings.of({"study": {"id": "S"}, "terminology": "meddra"})
FLAG = StudySettings.of({"study": {"id": "S"}, "treatment_emergent": {"rule": "flag"}})
BY_WORD = StudySettings.of(
    {"study": {"id": "S"}, "terminology": "meddra", "grade": {"source": "AESEV", "map": {"MILD": 1, "SEVERE": 3}}}
)
TWO = StudySettings.of(
    {"study": {"id": "S"}, "components": [{"name": "len", "relatedness": "RELLEN"}, {"name": "pd1", "relatedness": "RELPD1"}]}
)
ALIVE = Subject(
    study_id="S", usubjid="1", treated=True, first_treatment_on=date(2026, 1, 5), last_treatment_on=date(2026, 2, 5)
)
DEAD = ALIVE.model_copy(update={"dthfl": True, "death_on": date(2026, 3, 1)})
FATAL = {"aesdth": True, "aeser": True, "aeout": "FATAL", "grade": 5, "aeendtc": "2026-03-01"}
SOUND = {
    "study_id": "S", "usubjid": "1", "aeseq": 1, "aeterm": "high blood pressure", "aedecod": "Hypertension",
    "meddra_code": ctcae_v403.term("Hypertension").meddra_code, "grade": 3, "aeser": False, "aerel": "N",
    "aestdtc": "2026-01-06", "aeendtc": "2026-01-20", "aeout": "RECOVERED/RESOLVED",
}  # fmt: skip


def asked(
    person: Subject | None = ALIVE, settings: StudySettings = CTCAE, around: Around | None = None, **fields: Any
) -> list[Query]:
    return of_event(AdverseEvent.model_validate(SOUND | fields), person, settings, around)


@pytest.mark.parametrize(
    ("person", "settings", "around", "fields"),
    [
        (ALIVE, CTCAE, {}, {}),
        (ALIVE, CTCAE, {}, {"aeser": True, "aeshosp": True}),
        (DEAD, CTCAE, {}, FATAL),
        (ALIVE, MEDDRA, {}, {"meddra_code": None, "aedecod": "ANYTHING"}),
        (DEAD, BY_WORD, {}, FATAL | {"grade": 3, "meddra_code": None}),
        (DEAD, CTCAE, {}, {"aestdtc": "2026-03", "aeendtc": "2026-03"}),  # may have begun before the death
        (ALIVE, CTCAE, {}, {"aestdtc": "2026-01-20", "aeendtc": "2026-01"}),  # may have ended after the start
        (DEAD, CTCAE, {}, FATAL | {"aeendtc": "2026-03"}),  # the death is within the month
        (ALIVE, CTCAE, {}, {"aeout": "NOT RECOVERED/NOT RESOLVED", "aeendtc": None}),
        (ALIVE, CTCAE, {"continued": True}, {"aeout": "NOT RECOVERED/NOT RESOLVED"}),  # its grade changed that day
        (ALIVE, CTCAE, {"last_disposition_on": date(2026, 1, 6)}, {}),
        (ALIVE, CTCAE, {}, {"aeser": True, "aesmie": True, "aesosp": "new onset diabetes"}),
        (ALIVE, CTCAE, {}, {"trtemfl": None}),  # a study without that flag
        (ALIVE, CTCAE, {}, {"trtemfl": False, "aestdtc": "2026-01"}),  # may have begun before treatment
        (ALIVE, FLAG, {}, {"trtemfl": True}),
        (ALIVE, TWO, {}, {"relatedness": {"len": "N", "pd1": "Y"}}),
    ],
)
def test_a_sound_report_asks_nothing(
    person: Subject, settings: StudySettings, around: dict[str, Any], fields: dict[str, Any]
) -> None:
    assert asked(person, settings, Around(**around), **fields) == []


CASES: list[tuple[str, Subject | None, StudySettings, dict[str, Any], dict[str, Any], str]] = [
    ("SUBJECT_NOT_IN_DM", None, CTCAE, {}, {}, "The subject is not in DM"),
    ("SAE_FLAG", ALIVE, CTCAE, {}, {"aeshosp": True}, "AESHOSP = Y but AESER is N; treated as serious"),
    ("SAE_FLAG", ALIVE, CTCAE, {}, {"aeshosp": True, "aeslife": True, "aeser": None, "grade": 4},
     "AESLIFE, AESHOSP = Y but AESER is blank"),
    ("SAE_CRITERION_MISSING", ALIVE, CTCAE, {}, {"aeser": True}, "AESER = Y without any criterion"),
    ("SAE_OTHER_NOT_DESCRIBED", ALIVE, CTCAE, {}, {"aeser": True, "aesmie": True}, "AESOSP does not say"),
    ("GRADE_MISSING", ALIVE, CTCAE, {}, {"grade": None}, "The grade is missing."),
    ("GRADE_NOT_AVAILABLE", ALIVE, CTCAE, {}, {"grade": 0},
     "Grade 0 does not exist for Hypertension in CTCAE v4.03 (grades 1, 2, 3, 4, 5)."),
    ("TERM_NOT_CODED", ALIVE, CTCAE, {}, {"meddra_code": None}, "'Hypertension' is not a CTCAE v4.03 term; it needs coding"),
    ("FATAL_BY_ONE_ONLY", DEAD, CTCAE, {}, {"grade": 5}, "Fatal by grade 5, but not by AESDTH = Y and AEOUT = FATAL."),
    ("FATAL_BY_ONE_ONLY", DEAD, CTCAE, {}, FATAL | {"grade": 4}, "Fatal by AESDTH = Y and AEOUT = FATAL, but not by grade 5."),
    ("FATAL_NOT_IN_DM", ALIVE, CTCAE, {}, FATAL, "The event is fatal but DM does not record a death."),
    ("FATAL_END_NOT_DEATH", DEAD, CTCAE, {}, FATAL | {"aeendtc": "2026-02-27"},
     "the event ends on 2026-02-27 and DM has the death on 2026-03-01"),
    ("FATAL_END_NOT_DEATH", DEAD, CTCAE, {}, FATAL | {"aeendtc": None}, "the event ends at no date"),
    ("START_MISSING", ALIVE, CTCAE, {}, {"aestdtc": None}, "The start date is missing; counted from first treatment."),
    ("END_BEFORE_START", ALIVE, CTCAE, {}, {"aeendtc": "2026-01-05"}, "The end (2026-01-05) is before the start (2026-01-06)."),
    ("START_AFTER_DEATH", DEAD, CTCAE, {}, {"aestdtc": "2026-03-02", "aeendtc": "2026-03-04"},
     "The event starts (2026-03-02) after the death (2026-03-01)."),
    ("START_AFTER_DISPOSITION", ALIVE, CTCAE, {"last_disposition_on": date(2026, 1, 5)}, {},
     "The event starts (2026-01-06) after the last disposition (2026-01-05)."),
    ("END_WITHOUT_RECOVERY", ALIVE, CTCAE, {}, {"aeout": "NOT RECOVERED/NOT RESOLVED"},
     "The event has an end (2026-01-20), but its outcome is NOT RECOVERED/NOT RESOLVED."),
    ("RECOVERED_WITHOUT_END", ALIVE, CTCAE, {}, {"aeendtc": None}, "The outcome is RECOVERED/RESOLVED, but the event has no end"),
    ("RELATIONSHIP_MISSING", ALIVE, CTCAE, {}, {"aerel": None}, "The relationship is missing; counted as related."),
    ("RELATIONSHIP_MISSING", ALIVE, CTCAE, {}, {"aerel": " "}, "The relationship is missing; counted as related."),
    ("COMPONENT_RELATIONSHIP_MISSING", ALIVE, TWO, {}, {"relatedness": {"len": "N"}}, "The relationship to pd1 is missing."),
    ("EMERGENCE_FLAG", ALIVE, CTCAE, {}, {"trtemfl": False}, "AETRTEM is not Y, but by the dates the event is emergent"),
    ("EMERGENCE_FLAG", ALIVE, FLAG, {}, {"trtemfl": None}, "AETRTEM is not Y, but by the dates the event is emergent"),
    ("EMERGENCE_FLAG", ALIVE, FLAG, {}, {"trtemfl": True, "aestdtc": "2026-01-04"}, "by the dates the event is not emergent"),
    ("DUPLICATE", ALIVE, CTCAE, {"duplicate_of": 4}, {}, "'Hypertension' stands twice with the same grade and overlapping dates "
                                                         "(AESEQ 4 and 1)"),
    ("BEGINS_AFTER_RECOVERY", ALIVE, CTCAE, {"resumes": 4}, {"aegrpid": "G1"}, "AEGRPID G1 with AESEQ 4, which had recovered"),
    ("GRADE_AGAINST_FINDINGS", ALIVE, CTCAE, {}, {"aeser": True, "aeslife": True}, "seems too low"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "person", "settings", "around", "fields", "question"), CASES)
def test_one_contradiction_is_one_question(
    check: str, person: Subject | None, settings: StudySettings, around: dict[str, Any], fields: dict[str, Any], question: str
) -> None:
    [found] = asked(person, settings, Around(**around), **fields)
    assert found.check_id == check
    assert question in found.text
    assert (found.about, found.usubjid, found.siteid) == ("AE 1", "1", None)


def test_every_check_of_an_event_is_in_the_table() -> None:
    assert {check.id for check in checks() if check.about == "AE"} == {case[0] for case in CASES}


def test_a_grade_that_the_term_does_not_have() -> None:
    code = ctcae_v403.term("Alopecia").meddra_code
    [found] = asked(aedecod="Alopecia", meddra_code=code, grade=4)
    assert found.text == "Grade 4 does not exist for Alopecia in CTCAE v4.03 (grades 1, 2)."


def test_every_contradiction_is_asked_in_a_fixed_order() -> None:
    found = asked(None, aeshosp=True, grade=None, meddra_code=None, aestdtc=None, aeendtc=None, aerel=None, aeout="FATAL")
    expected = ["SUBJECT_NOT_IN_DM", "SAE_FLAG", "GRADE_MISSING", "TERM_NOT_CODED", "FATAL_BY_ONE_ONLY", "START_MISSING",
                "RELATIONSHIP_MISSING"]  # fmt: skip
    assert [query.check_id for query in found] == expected


def test_every_check_has_an_owner_and_words_that_its_facts_can_fill() -> None:
    known = {
        "DM": {"dthfl": "Y", "death_on": None, "n_fatal": 0, "on_death": ""},
        "AE dataset": {"variable": "AESTAT"},
    }  # fmt: skip
    for check in checks():
        assert check.owner, check.id
        if check.about in known:
            assert "{" not in check.says.format_map(known[check.about]), check.id


# --- conditions


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("word is Y", True), ("word is N", False), ("word is not N", True), ("word is known", True), ("word is missing", False),
        ("none is Y", False), ("none is not Y", True), ("none is missing", True), ("none is known", False),
        ("two above one", True), ("one above two", False), ("one above one", False), ("one below two", True),
        ("none above one", False), ("one above none", False),  # what is not known is neither above nor below
        ("early before late", True), ("late after early", True), ("early after early", False), ("late before none", False),
        ("one is 1", True),
    ],
)  # fmt: skip
def test_a_condition_says_nothing_of_what_is_not_known(condition: str, holds: bool) -> None:
    facts = {"word": "Y", "none": None, "one": 1, "two": 2, "early": date(2026, 1, 1), "late": date(2026, 1, 2)}
    assert Condition.of(condition).holds(facts) is holds


@pytest.mark.parametrize("text", ["aeser = Y", "aeser", "aeser is", ""])
def test_a_condition_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(CheckError, match="is no condition; write"):
        Condition.of(text)


def test_a_check_of_a_fact_that_does_not_exist_is_a_fault_and_not_silence() -> None:
    with pytest.raises(KeyError):
        ask("AE", {}, study_id="S", about="AE 1")
