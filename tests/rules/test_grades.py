"""The assigned grade against what SDTM tells: when the site is asked, and when not."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

import ctcae_v403
from ctcae_v403 import Wording
from safety_monitor.records import AdverseEvent, Subject
from safety_monitor.rules.grades import LabGrade, contradiction

ALIVE = Subject(study_id="S", usubjid="1", age=61, sex="M")
IN_TIME, LATER, BEFORE = date(2026, 1, 8), date(2026, 2, 1), date(2026, 1, 1)


def event(term: str, grade: int | None, **fields: Any) -> AdverseEvent:
    found = ctcae_v403.term(term)
    base = {"study_id": "S", "usubjid": "1", "aeseq": 1, "aeterm": term, "aedecod": found.name, "grade": grade,
            "meddra_code": found.meddra_code, "aestdtc": "2026-01-06", "aeendtc": "2026-01-20"}  # fmt: skip
    return AdverseEvent.model_validate(base | fields)


@pytest.mark.parametrize(
    ("term", "grade", "fields", "results", "asked"),
    [
        # seriousness
        ("Pneumothorax", 2, {"aeshosp": True}, (), "too low: the findings meet grade 3: hospitalization indicated. "
                                                   "On record: AESHOSP = Y."),
        ("Pneumothorax", 3, {"aeshosp": True}, (), None),
        ("Pneumothorax", 2, {"aeslife": True}, (), "too low: the findings meet grade 4"),
        ("Pneumothorax", 4, {"aeslife": True}, (), None),
        ("Pneumothorax", 2, {"aeshosp": None, "aeslife": None}, (), None),  # blank says nothing
        # outcome
        ("Pneumothorax", 4, {"aeout": "FATAL"}, (), "too low: the findings meet grade 5: death"),
        ("Pneumothorax", 5, {"aesdth": True, "aeout": "NOT RECOVERED/NOT RESOLVED"}, (), None),  # a death is not unsaid
        ("Sudden death NOS", 5, {"aeout": "FATAL"}, (), None),
        # treatment
        ("Pneumothorax", 1, {"aecontrt": True}, (), "too low: the findings meet grade 2: intervention indicated"),
        ("Pneumothorax", 1, {"aecontrt": False}, (), None),
        # action taken
        ("Infusion related reaction", 1, {"aeacn": "DRUG INTERRUPTED"}, (),
         "too low: the findings meet grade 2: infusion interruption indicated. On record: AEACN = DRUG INTERRUPTED."),
        ("Pneumothorax", 1, {"aeacn": "DRUG INTERRUPTED"}, (), None),  # says nothing of the grade of this term
        # the results of those days
        ("Alanine aminotransferase increased", 1, {}, (LabGrade(IN_TIME, 3),), "too low: the findings meet grade 3"),
        ("Alanine aminotransferase increased", 3, {}, (LabGrade(IN_TIME, 1),), "too high: the findings rule out every"),
        ("Alanine aminotransferase increased", 3, {}, (LabGrade(IN_TIME, 1, at_least=True),), None),
        ("Alanine aminotransferase increased", 3, {}, (LabGrade(IN_TIME, 1), LabGrade(IN_TIME, 3)), None),
        ("Alanine aminotransferase increased", 3, {}, (LabGrade(IN_TIME, 1), LabGrade(IN_TIME, None)), None),  # may be 3
        ("Alanine aminotransferase increased", 1, {}, (LabGrade(IN_TIME, 3), LabGrade(IN_TIME, None)), "give grade 3 or more"),
        ("Alanine aminotransferase increased", 3, {}, (LabGrade(IN_TIME, None),), None),
        ("Alanine aminotransferase increased", 3, {}, (LabGrade(BEFORE, 1), LabGrade(LATER, 1)), None),
        ("Alanine aminotransferase increased", 3, {"aeendtc": None}, (LabGrade(LATER, 1),), "too high"),  # goes on
        ("Alanine aminotransferase increased", 3, {"aestdtc": None}, (LabGrade(IN_TIME, 1),), None),
        ("Alanine aminotransferase increased", 3, {"aestdtc": "2026-01"}, (LabGrade(BEFORE, 1),), "too high"),
        # not ours to say
        ("Pneumothorax", None, {"aeshosp": True}, (), None),
        ("Pneumothorax", 2, {"aeshosp": True, "meddra_code": None}, (), None),
    ],
)  # fmt: skip
def test_when_the_site_is_asked(
    term: str, grade: int | None, fields: dict[str, Any], results: tuple[LabGrade, ...], asked: str | None
) -> None:
    found = contradiction(event(term, grade, **fields), ALIVE, results)
    if asked is None:
        assert found is None
    else:
        assert found is not None
        assert asked in found


def test_the_question_quotes_ncis_text_where_it_is_loaded() -> None:
    code = ctcae_v403.term("Pneumothorax").meddra_code
    wording = {code: Wording(code, "", "Pneumothorax", "", {2: "text of the second grade"})}
    found = contradiction(event("Pneumothorax", 2, aeshosp=True), ALIVE, (), wording)
    assert found is not None
    assert "NCI's text of grade 2: text of the second grade." in found


def test_age_and_sex_come_from_dm() -> None:
    child = ALIVE.model_copy(update={"age": 12})
    asked = [contradiction(event("Proteinuria", 3), person, (LabGrade(IN_TIME, 3),)) for person in (ALIVE, child, None)]
    assert asked == [None, None, None]
