"""Questions to the sites: which contradiction asks what, and that a sound report asks nothing."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

import ctcae_v403
from safety_monitor.records import AdverseEvent, Subject
from safety_monitor.rules.queries import open_queries
from safety_monitor.study import StudySettings

CTCAE = StudySettings.of({"study": {"id": "S"}})
MEDDRA = StudySettings.of({"study": {"id": "S"}, "terminology": "meddra"})
BY_WORD = StudySettings.of(
    {"study": {"id": "S"}, "terminology": "meddra", "grade": {"source": "AESEV", "map": {"MILD": 1, "SEVERE": 3}}}
)
ALIVE = Subject(study_id="S", usubjid="1", treated=True, first_treatment_on=date(2026, 1, 5))
DEAD = ALIVE.model_copy(update={"dthfl": True, "death_on": date(2026, 3, 1)})
FATAL = {"aesdth": True, "aeser": True, "aeout": "FATAL", "grade": 5}


def asked(person: Subject | None = ALIVE, settings: StudySettings = CTCAE, **fields: Any) -> tuple[str, ...]:
    sound = {
        "study_id": "S", "usubjid": "1", "aeseq": 1, "aeterm": "high blood pressure", "aedecod": "Hypertension",
        "meddra_code": ctcae_v403.term("Hypertension").meddra_code, "grade": 3, "aeser": False, "aerel": "N",
        "aestdtc": "2026-01-06", "aeout": "RECOVERED/RESOLVED",
    }  # fmt: skip
    return open_queries(AdverseEvent.model_validate(sound | fields), person, settings)


@pytest.mark.parametrize(
    ("person", "settings", "fields"),
    [
        (ALIVE, CTCAE, {}),
        (ALIVE, CTCAE, {"aeser": True, "aeshosp": True}),
        (DEAD, CTCAE, FATAL),
        (ALIVE, MEDDRA, {"meddra_code": None, "aedecod": "ANYTHING"}),
        (DEAD, BY_WORD, {"aesdth": True, "aeser": True, "aeout": "FATAL", "grade": 3, "meddra_code": None}),
        (DEAD, CTCAE, {"aestdtc": "2026-03"}),  # may have begun before the death
        (ALIVE, CTCAE, {"aestdtc": "2026-01-20", "aeendtc": "2026-01"}),  # may have ended after the start
    ],
)
def test_a_sound_report_asks_nothing(person: Subject, settings: StudySettings, fields: dict[str, Any]) -> None:
    assert asked(person, settings, **fields) == ()


@pytest.mark.parametrize(
    ("person", "fields", "question"),
    [
        (None, {}, "The subject is not in DM"),
        (ALIVE, {"aeshosp": True}, "AESHOSP = Y but AESER is N; treated as serious"),
        (ALIVE, {"aeshosp": True, "aeslife": True, "aeser": None, "grade": 4}, "AESLIFE, AESHOSP = Y but AESER is blank"),
        (ALIVE, {"aeser": True}, "AESER = Y without any criterion"),
        (ALIVE, {"grade": None}, "The grade is missing."),
        (ALIVE, {"grade": 0}, "Grade 0 does not exist for Hypertension in CTCAE v4.03 (grades 1, 2, 3, 4, 5)."),
        (ALIVE, {"meddra_code": None}, "'Hypertension' is not a CTCAE v4.03 term; it needs coding by a person."),
        (DEAD, {"grade": 5}, "Fatal by grade 5, but not by AESDTH = Y and AEOUT = FATAL."),
        (DEAD, FATAL | {"grade": 4}, "Fatal by AESDTH = Y and AEOUT = FATAL, but not by grade 5."),
        (ALIVE, FATAL, "The event is fatal but DM does not record a death."),
        (ALIVE, {"aestdtc": None}, "The start date is missing; counted from first treatment."),
        (ALIVE, {"aeendtc": "2026-01-05"}, "The end (2026-01-05) is before the start (2026-01-06)."),
        (DEAD, {"aestdtc": "2026-03-02"}, "The event starts (2026-03-02) after the death (2026-03-01)."),
        (ALIVE, {"aerel": None}, "The relationship is missing; counted as related."),
        (ALIVE, {"aerel": " "}, "The relationship is missing; counted as related."),
    ],
)  # fmt: skip
def test_one_contradiction_is_one_question(person: Subject | None, fields: dict[str, Any], question: str) -> None:
    [found] = asked(person, **fields)
    assert question in found


def test_a_grade_that_the_term_does_not_have() -> None:
    code = ctcae_v403.term("Alopecia").meddra_code
    [found] = asked(aedecod="Alopecia", meddra_code=code, grade=4)
    assert found == "Grade 4 does not exist for Alopecia in CTCAE v4.03 (grades 1, 2)."


def test_every_contradiction_is_asked_in_a_fixed_order() -> None:
    found = asked(None, aeshosp=True, grade=None, meddra_code=None, aestdtc=None, aerel=None, aeout="FATAL")
    starts = ("The subject", "AESHOSP", "The grade", "'Hypertension'", "Fatal by", "The start date", "The relationship")
    assert [text.startswith(start) for text, start in zip(found, starts, strict=True)] == [True] * len(starts)
