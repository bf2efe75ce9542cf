"""From rows to subjects, exposures and events: who was treated, from when to when, with what."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from safety_monitor.rules.assembly import events, exposures, subjects
from safety_monitor.study import StudySettings

SETTINGS = StudySettings.of({
    "study": {"id": "S"}, "immune_flag": "AEIRFL", "treatment_emergent": {"rule": "flag", "variable": "AETRTEM"},
    "components": [
        {"name": "ablation", "kind": "procedure", "match": ["Microwave Ablation"], "relatedness": "RELABL"},
        {"name": "drug", "match": ["LENVATINIB", "E7080"], "relatedness": "AEREL", "action": "ACNLEN"},
    ],
})  # fmt: skip
DM = {"USUBJID": "1", "SITEID": "01", "RFXSTDTC": "2026-01-05", "RFXENDTC": "2026-03-01"}


def dose(**fields: str | None) -> dict[str, str | None]:
    return {"USUBJID": "1", "EXSEQ": "1", "EXTRT": "LENVATINIB", "EXDOSE": "8", "EXSTDTC": "2026-01-05", **fields}


def procedure(**fields: str | None) -> dict[str, str | None]:
    return {"USUBJID": "1", "PRSEQ": "1", "PRTRT": "MICROWAVE ABLATION", "PRSTDTC": "2026-01-04", **fields}


@pytest.mark.parametrize(
    ("ex", "pr", "treated"),
    [
        ([dose()], [], True),
        ([dose(EXDOSE="0")], [], False),
        ([dose(EXDOSE=None)], [], True),  # a dose that is not known is not zero
        ([dose(EXTRT="SOMETHING ELSE", EXDOSE=None)], [], False),
        ([dose(EXTRT="placebo", EXDOSE="0")], [], True),
        ([dose(EXTRT="SOMETHING ELSE")], [], True),  # any drug given counts, a component or not
        ([], [procedure()], True),
        ([], [procedure(PRTRT="BIOPSY")], False),  # but only procedures of the study
        ([], [procedure(PRTRT="lenvatinib")], False),
        ([dose(USUBJID="2")], [], False),
        ([], [], False),
    ],
)
def test_safety_population(ex: list[Any], pr: list[Any], treated: bool) -> None:
    [person] = subjects([DM], exposures(ex, pr, SETTINGS), SETTINGS)
    assert person.treated is treated
    assert (person.first_treatment_on is not None) is treated


@pytest.mark.parametrize(
    ("dm", "first", "last"),
    [
        ({}, date(2026, 1, 5), date(2026, 3, 1)),
        ({"RFXENDTC": None, "RFENDTC": "2026-04-01"}, date(2026, 1, 5), date(2026, 4, 1)),
        ({"RFXENDTC": None}, date(2026, 1, 5), date(2026, 2, 9)),  # DM is silent: exposure stands in
        ({"RFXSTDTC": None}, date(2026, 1, 4), date(2026, 3, 1)),
        ({"RFXSTDTC": "2026-01-05T08:30"}, date(2026, 1, 5), date(2026, 3, 1)),
    ],
)
def test_first_and_last_treatment(dm: dict[str, Any], first: date, last: date) -> None:
    given = exposures([dose(EXENDTC="2026-02-09")], [procedure()], SETTINGS)
    [person] = subjects([DM | dm], given, SETTINGS)
    assert (person.first_treatment_on, person.last_treatment_on) == (first, last)


def test_who_a_subject_is() -> None:
    row = DM | {"AGE": "61", "SEX": "M", "ACTARM": "A", "ARM": "B", "DTHFL": "Y", "DTHDTC": "2026-05-01", "RFICDTC": "2025-12"}
    [person] = subjects([row], [], SETTINGS)
    assert (person.age, person.sex, person.arm, person.dthfl, person.death_on, person.consented_on) == (
        61.0, "M", "A", True, date(2026, 5, 1), date(2025, 12, 1),
    )  # fmt: skip
    [blank] = subjects([{"USUBJID": "2"}], [], SETTINGS)
    assert (blank.age, blank.siteid, blank.dthfl, blank.death_on) == (None, None, False, None)


def test_exposures_know_their_component() -> None:
    found = exposures([dose(EXSEQ="2.0", EXTRT=" e7080 "), dose(EXTRT="OTHER")], [procedure(PRLOC="LUNG")], SETTINGS)
    assert [(e.domain, e.seq, e.component) for e in found] == [("EX", 1, None), ("EX", 2, "drug"), ("PR", 1, "ablation")]
    assert (found[2].location, found[2].start_on, found[2].end_on) == ("LUNG", date(2026, 1, 4), date(2026, 1, 4))


def code(aedecod: str | None, aeterm: str) -> tuple[str, str, int] | None:
    """A coder that knows one word."""
    return ("Nausea", "Gastrointestinal disorders", 1) if "nausea" in (aedecod or aeterm).lower() else None


def event(settings: StudySettings = SETTINGS, supplemental: tuple[dict[str, str], ...] = (), **fields: str | None) -> Any:
    [found] = events([{"USUBJID": "1", "AESEQ": "1", **fields}], supplemental, settings, code)
    return found


@pytest.mark.parametrize(
    ("terminology", "fields", "coded"),
    [
        ("ctcae", {"AETERM": "bad nausea"}, ("Nausea", "Gastrointestinal disorders", 1)),
        ("ctcae", {"AETERM": "x", "AEDECOD": "Nausea", "AEBODSYS": "Own"}, ("Nausea", "Own", 1)),
        ("ctcae", {"AETERM": "fever", "AEDECOD": "Pyrexia"}, ("Pyrexia", None, None)),
        ("meddra", {"AETERM": "bad nausea", "AEDECOD": "VOMITING"}, ("VOMITING", None, None)),
    ],
)
def test_coding(terminology: str, fields: dict[str, str], coded: tuple[Any, ...]) -> None:
    found = event(StudySettings.of({"study": {"id": "S"}, "terminology": terminology}), **fields)
    assert (found.aedecod, found.aebodsys, found.meddra_code) == coded


def supplement(name: str, value: str, of: str = "1") -> dict[str, str]:
    return {"USUBJID": "1", "RDOMAIN": "AE", "IDVAR": "AESEQ", "IDVARVAL": of, "QNAM": name, "QVAL": value}


def test_supplemental_qualifiers_belong_to_their_event() -> None:
    extra = (
        supplement("RELABL", "Y", "1.0"),
        supplement("AETRTEM", "Y"),
        supplement("AEIRFL", "N"),
        supplement("AEIRFL", "Y", "2"),
        supplement("ACNLEN", "DOSE REDUCED"),
        supplement("ACNLEN", "DRUG WITHDRAWN", "2"),
    )
    found = event(supplemental=extra, AETERM="nausea", AEREL="N", AETOXGR="2", AESER="U")
    assert found.relatedness == {"ablation": "Y", "drug": "N"}
    assert found.actions == {"drug": "DOSE REDUCED"}
    assert (found.trtemfl, found.immune, found.grade, found.aeser) == (True, False, 2, None)


def test_what_was_not_reported_is_not_known() -> None:
    found = event(AETERM="nausea")
    assert (found.grade, found.aeser, found.aesdth, found.aerel, found.trtemfl, found.immune) == (None,) * 6
    assert (found.relatedness, found.actions) == ({}, {})
    assert event(supplemental=(supplement("AETRTEM", "perhaps"),), AETERM="nausea").trtemfl is None
