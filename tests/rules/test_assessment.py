"""Onset, emergence, seriousness, relation and fatality of one event: each rule as a table."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_monitor.records import AdverseEvent, Subject
from safety_monitor.rules.assessment import assess, imputed_onset, is_related
from safety_monitor.study import StudySettings

WINDOW = StudySettings.of({"study": {"id": "S"}})
FLAG = StudySettings.of({"study": {"id": "S"}, "treatment_emergent": {"rule": "flag", "variable": "AETRTEM"}})
FIRST, LAST = date(2026, 2, 26), date(2026, 4, 30)
PERSON = Subject(study_id="S", usubjid="1", treated=True, first_treatment_on=FIRST, last_treatment_on=LAST)


def event(**fields: Any) -> AdverseEvent:
    return AdverseEvent.model_validate({"study_id": "S", "usubjid": "1", "aeseq": 1, "aeterm": "t", **fields})


@pytest.mark.parametrize(
    ("start", "first", "onset"),
    [
        ("2026-03-02", FIRST, date(2026, 3, 2)),
        ("2026-03-02T23:59", FIRST, date(2026, 3, 2)),
        ("2026-02", FIRST, FIRST),  # the month of first treatment
        ("2026-03", FIRST, date(2026, 3, 1)),
        ("2026-01", FIRST, date(2026, 1, 1)),
        ("2026", FIRST, FIRST),  # the year of first treatment
        ("2025", FIRST, date(2025, 1, 1)),
        ("2026-02-01", FIRST, date(2026, 2, 1)),  # a full date is never moved
        (None, FIRST, FIRST),
        ("", FIRST, FIRST),
        (None, None, None),
        ("2026-02", None, date(2026, 2, 1)),
    ],
)
def test_onset(start: str | None, first: date | None, onset: date | None) -> None:
    assert imputed_onset(start, first) == onset


@pytest.mark.parametrize(
    ("start", "change", "emergent"),
    [
        (FIRST, {}, True),  # both ends count
        (FIRST - timedelta(days=1), {}, False),
        (LAST + timedelta(days=30), {}, True),
        (LAST + timedelta(days=31), {}, False),
        (date(2030, 1, 1), {"last_treatment_on": None}, True),  # still on treatment
        (FIRST, {"treated": False, "first_treatment_on": None, "last_treatment_on": None}, False),
        (FIRST, {"first_treatment_on": None}, None),  # cannot be known
    ],
)
def test_emergent_by_the_window(start: date, change: dict[str, Any], emergent: bool | None) -> None:
    person = PERSON.model_copy(update=change)
    assert assess(event(aestdtc=start.isoformat()), person, WINDOW).treatment_emergent is emergent


@pytest.mark.parametrize(("flag", "emergent"), [(True, True), (False, False), (None, False)])
def test_emergent_by_the_sponsors_flag(flag: bool | None, emergent: bool) -> None:
    assert assess(event(trtemfl=flag, aestdtc="1999-01-01"), PERSON, FLAG).treatment_emergent is emergent


def test_emergence_of_an_unknown_subject_is_not_known() -> None:
    assert assess(event(aestdtc="2026-03-01"), None, WINDOW).treatment_emergent is None


@pytest.mark.parametrize(
    ("fields", "serious", "flagged", "basis"),
    [
        ({"aeser": True}, True, True, ()),
        ({"aeser": False}, False, False, ()),
        ({}, False, False, ()),
        ({"aeser": False, "aeshosp": True}, True, False, ("HOSPITALISATION",)),
        ({"aesdth": True, "aesmie": True}, True, False, ("DEATH", "MEDICALLY_IMPORTANT")),
        ({"aeslife": False, "aesdisab": None}, False, False, ()),
        ({"grade": 4}, False, False, ()),  # severe is not serious
        ({"aescong": True, "aeser": True}, True, True, ("CONGENITAL_ANOMALY",)),
    ],
)
def test_serious(fields: dict[str, Any], serious: bool, flagged: bool, basis: tuple[str, ...]) -> None:
    found = assess(event(**fields), PERSON, WINDOW)
    assert (found.serious, found.serious_as_flagged, tuple(found.serious_basis)) == (serious, flagged, basis)


@pytest.mark.parametrize(
    ("said", "words", "related"),
    [
        ("Y", ["Y"], True), ("N", ["Y"], False), ("y", ["Y"], True), (" Y ", ["y"], True),
        (None, ["Y"], True), ("", ["Y"], True), ("  ", ["Y"], True),
        ("PROBABLE", ["POSSIBLE", "PROBABLE"], True), ("REMOTE", ["POSSIBLE", "PROBABLE"], False),
    ],
)  # fmt: skip
def test_related(said: str | None, words: list[str], related: bool) -> None:
    settings = StudySettings.of({"study": {"id": "S"}, "related": words})
    assert is_related(said, settings) is related
    assert assess(event(aerel=said), PERSON, settings).related is related


@pytest.mark.parametrize(
    ("fields", "fatal"),
    [
        ({"aesdth": True}, True), ({"aeout": "FATAL"}, True), ({"aeout": " fatal "}, True), ({"grade": 5}, True),
        ({"grade": 4}, False), ({"aesdth": False, "aeout": "RECOVERED/RESOLVED"}, False), ({}, False),
    ],
)  # fmt: skip
def test_fatal(fields: dict[str, Any], fatal: bool) -> None:
    assert assess(event(**fields), PERSON, WINDOW).fatal is fatal


TRUTH = st.sampled_from([True, False, None])
CRITERIA = ("aesdth", "aeslife", "aeshosp", "aesdisab", "aescong", "aesmie")


@given(st.fixed_dictionaries(dict.fromkeys(("aeser", *CRITERIA), TRUTH)), st.sampled_from(CRITERIA))
def test_one_more_criterion_never_makes_an_event_less_serious(fields: dict[str, Any], more: str) -> None:
    before, after = assess(event(**fields), PERSON, WINDOW), assess(event(**fields | {more: True}), PERSON, WINDOW)
    assert after.serious
    assert before.serious == any(value is True for value in fields.values())
    assert set(before.serious_basis) <= set(after.serious_basis)
