"""The record of treatment as an event sees it: exposed, since when, still on it, and what is not known."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_monitor.attribution.evidence import Case
from safety_monitor.attribution.history import case_of
from safety_monitor.attribution.record import SubjectRecord
from safety_monitor.records import AdverseEvent
from safety_monitor.rules.assembly import Exposure
from safety_monitor.study import StudySettings

STUDY = StudySettings.of({
    "study": {"id": "S"},
    "components": [
        {"name": "ablation", "kind": "procedure", "profile": "ablation", "match": ["MICROWAVE ABLATION"]},
        {"name": "pd1", "profile": "pd1", "match": ["SINTILIMAB"]},
    ],
})  # fmt: skip
BOTH = ("EX", "PR")


def dose(start: str | None, end: str | None = None) -> Exposure:
    first, last = (date.fromisoformat(day) if day else None for day in (start, end or start))
    return Exposure("1", "EX", 1, "sintilimab ", "pd1", 200.0, "mg", "Q3W", None, first, last)


def session(day: str, location: str | None = "LUNG", treatment: str = "MICROWAVE ABLATION") -> Exposure:
    on = date.fromisoformat(day)
    return Exposure("1", "PR", 1, treatment, "ablation", None, None, None, location, on, on)


def seen(start: str | None, *given_: Exposure, imported: tuple[str, ...] = BOTH, **fields: Any) -> Case:
    event = AdverseEvent.model_validate(
        {"study_id": "S", "usubjid": "1", "aeseq": 3, "aeterm": "rash", "aestdtc": start, **fields}
    )
    return case_of(event, SubjectRecord(given=given_), STUDY, imported)


@pytest.mark.parametrize(
    ("start", "doses", "exposed", "first", "last", "ongoing"),
    [
        ("2026-01-20", [("2026-01-01", None)], True, 19, 19, False),
        ("2026-01-20", [("2026-01-01", "2026-02-28")], True, 19, 0, True),
        ("2026-01-20", [("2026-01-01", "2026-01-20")], True, 19, 0, True),
        ("2026-01-20", [("2026-01-01", "2026-01-19")], True, 19, 1, False),
        ("2026-02-01", [("2026-01-01", None), ("2026-01-22", None), ("2026-02-12", None)], True, 31, 10, False),
        ("2025-12-30", [("2026-01-01", None)], True, -2, -2, False),  # began before the first dose
        ("2026-01-01", [("2026-01-01", None)], True, 0, 0, True),
        ("2026-01", [("2026-01-01", None)], True, None, None, None),  # a day that is not known stays unknown
        (None, [("2026-01-01", None)], True, None, None, None),
        ("2026-01-20", [(None, None)], True, None, None, None),
        ("2026-01-20", [], False, None, None, None),
    ],
)
def test_days_from_exposure_to_onset(
    start: str | None, doses: list[Any], exposed: bool, first: int | None, last: int | None, ongoing: bool | None
) -> None:
    found = seen(start, *(dose(*each) for each in doses)).exposures["pd1"]
    assert (found.exposed, found.days_since_first, found.days_since_last, found.ongoing) == (exposed, first, last, ongoing)


@pytest.mark.parametrize(
    ("imported", "pd1", "ablation"),
    [(BOTH, False, False), (("EX",), False, None), (("PR",), None, False), ((), None, None)],
)
def test_no_record_is_no_exposure_only_where_the_domain_was_imported(
    imported: tuple[str, ...], pd1: bool | None, ablation: bool | None
) -> None:
    found = seen("2026-01-20", imported=imported).exposures
    assert (found["pd1"].exposed, found["ablation"].exposed) == (pd1, ablation)


def test_a_procedure_is_never_ongoing() -> None:
    found = seen("2026-01-20", session("2026-01-20")).exposures["ablation"]
    assert (found.days_since_last, found.ongoing) == (0, False)


@pytest.mark.parametrize(
    ("location", "treatment", "site", "modality"),
    [
        ("LUNG, RIGHT LOWER LOBE", "MICROWAVE ABLATION", "LUNG", "MWA"),
        ("Liver segment VI", "Radiofrequency ablation", "LIVER", "RFA"),
        ("ADRENAL GLAND", "CRYOABLATION", "ADRENAL", "CRYO"),
        ("SPLEEN", "MICROWAVE ABLATION", "OTHER", "MWA"),
        (None, "ABLATION", None, None),
    ],
)
def test_where_and_how_was_ablated(location: str | None, treatment: str, site: str | None, modality: str | None) -> None:
    case = seen("2026-01-20", session("2026-01-10", location, treatment))
    assert (case.ablation_site, case.ablation_modality) == (site, modality)


@pytest.mark.parametrize(
    ("start", "site"),
    [
        ("2026-01-15", "LUNG"),  # the last session before onset
        ("2026-02-15", "LIVER"),
        ("2026-01-01", "LUNG"),  # none before: the first of all
        (None, "LUNG"),
    ],
)
def test_the_session_that_counts(start: str | None, site: str) -> None:
    assert seen(start, session("2026-02-10", "LIVER"), session("2026-01-10", "LUNG")).ablation_site == site


def test_what_the_event_says_itself() -> None:
    case = seen("2026-01-20", dose("2026-01-01"), aedecod="Rash maculo-papular", grade=2)
    assert (case.case_id, case.term, case.verbatim, case.grade) == ("1/3", "Rash maculo-papular", "rash", 2)
    assert case.pd1_drug == "SINTILIMAB"
    assert seen("2026-01-20").term == "rash"
    assert (seen("2026-01-20").pd1_drug, seen("2026-01-20").ablation_site) == (None, None)


DAYS = st.integers(-60, 60).map(lambda n: date(2026, 1, 1) + timedelta(days=n))


@given(st.lists(st.tuples(DAYS, st.integers(0, 30)), min_size=1, max_size=5), DAYS, st.randoms(use_true_random=False))
def test_laws_of_time(doses: list[tuple[date, int]], onset: date, random: Any) -> None:
    records = [dose(start.isoformat(), (start + timedelta(days=length)).isoformat()) for start, length in doses]
    found = seen(onset.isoformat(), *records).exposures["pd1"]
    assert found.days_since_first is not None
    assert found.days_since_last is not None
    assert found.days_since_last <= found.days_since_first
    assert (found.days_since_first < 0) == all(start > onset for start, _ in doses)
    if found.ongoing:
        assert found.days_since_last == 0
    random.shuffle(records)
    assert seen(onset.isoformat(), *records).exposures["pd1"] == found
