"""Findings from the other domains: what answers them, what does not, and that silence answers nothing."""

from __future__ import annotations

from datetime import date

import pytest

from safety_monitor.attribution.record import answers, subject_records
from safety_monitor.records import AdverseEvent

ONSET = date(2026, 3, 1)


def adverse_event(term: str, start: str | None = "2026-03-01", seq: int = 1, end: str | None = None) -> AdverseEvent:
    return AdverseEvent(study_id="S", usubjid="1", aeseq=seq, aeterm=term, aedecod=term, aestdtc=start, aeendtc=end)


def found(event: AdverseEvent, *others: AdverseEvent, **domains: list[dict[str, str]]) -> dict[str, bool]:
    rows = {name: [{"USUBJID": "1", **row} for row in table] for name, table in domains.items()}
    record = subject_records([], [event, *others], {}, rows)["1"]
    read = answers(event, ONSET, record)
    assert all(answer.read_from for answer in read.values())
    return {name: answer.found for name, answer in read.items()}


@pytest.mark.parametrize(
    ("rs", "ds", "expected"),
    [
        ([("2026-02-20", "PD")], [], True),
        ([("2026-03-29", "PD")], [], True),
        ([("2026-03-30", "PD")], [], None),
        ([("2026-01-18", "PD")], [], True),
        ([("2026-01-17", "PD")], [], None),
        ([("2026-02-20", "SD")], [], False),
        ([("2026-02-20", "SD"), ("2026-03-20", "PD")], [], True),
        ([("2026-02-20", "NE")], [], None),
        ([("2026-02", "PD")], [], None),
        ([], [("2026-03-10", "PROGRESSIVE DISEASE")], True),
        ([], [("2026-03-10", "ADVERSE EVENT")], None),
        ([], [], None),
    ],
)
def test_progression(rs: list[tuple[str, str]], ds: list[tuple[str, str]], expected: bool | None) -> None:
    responses = [{"RSTESTCD": "OVRLRESP", "RSDTC": on, "RSORRES": said} for on, said in rs]
    dispositions = [{"DSDECOD": said, "DSSTDTC": on} for on, said in ds]
    got = found(adverse_event("Ascites"), RS=responses, DS=dispositions)
    assert got.get("progression_confirmed") is expected


def test_the_response_of_one_lesion_is_not_progression() -> None:
    rows = [{"RSTESTCD": "TRGRESP", "RSDTC": "2026-03-01", "RSORRES": "PD"}]
    assert "progression_confirmed" not in found(adverse_event("Ascites"), RS=rows)


@pytest.mark.parametrize(
    ("term", "other", "start", "end", "expected"),
    [
        ("Pneumonitis", "Lung infection", "2026-03-01", None, True),
        ("Pneumonitis", "Lung infection", "2026-03-08", None, True),  # found in the work-up
        ("Pneumonitis", "Lung infection", "2026-03-09", None, None),
        ("Pneumonitis", "Lung infection", "2026-01-01", "2026-02-15", True),
        ("Pneumonitis", "Lung infection", "2026-01-01", "2026-02-14", None),
        ("Pneumonitis", "Urinary tract infection", "2026-03-01", None, None),  # does not explain it
        ("Diarrhea", "Upper respiratory infection", "2026-03-01", None, None),
        ("Pneumonitis", "Lung infection", "2026-03", None, None),
    ],
)
def test_infection_from_the_coded_events(term: str, other: str, start: str, end: str | None, expected: bool | None) -> None:
    got = found(adverse_event(term), adverse_event(other, start, 2, end))
    assert got.get("infection_confirmed") is expected


@pytest.mark.parametrize(
    ("start", "expected"), [("2026-01-10", True), ("2026-02", True), ("2026-03-01", None), ("2026-04-01", None), (None, None)]
)
def test_an_earlier_thyrotoxic_phase(start: str | None, expected: bool | None) -> None:
    got = found(adverse_event("Hypothyroidism"), adverse_event("Hyperthyroidism", start, 2))
    assert got.get("prior_thyrotoxicosis") is expected


@pytest.mark.parametrize(
    ("row", "names"),
    [
        ({"CMTRT": "Methylprednisolone", "CMROUTE": "INTRAVENOUS"}, ["steroid"]),
        ({"CMTRT": "甲泼尼龙片"}, ["steroid"]),
        ({"CMTRT": "Medrol", "CMDECOD": "METHYLPREDNISOLONE"}, ["steroid"]),
        ({"CMTRT": "Hydrocortisone cream", "CMROUTE": "TOPICAL"}, []),
        ({"CMTRT": "Entecavir"}, ["antiviral"]),
        ({"CMTRT": "Paracetamol"}, []),
        ({"CMTRT": "Prednisone", "CMOCCUR": "N"}, []),
        ({"CMTRT": "Prednisone", "CMSTDTC": "2026"}, []),  # a year is no day to count from
    ],
)
def test_medication(row: dict[str, str], names: list[str]) -> None:
    rows = {"CM": [{"USUBJID": "1", "CMSTDTC": "2026-02-01", **row}]}
    assert [taken.kind for taken in subject_records([], [adverse_event("Rash")], {}, rows)["1"].taken] == names


def test_medical_history_and_rises_of_the_virus() -> None:
    event = adverse_event("Alanine aminotransferase increased")
    rows = {"MH": [{"USUBJID": "1", "MHTERM": "Chronic hepatitis B"}, {"USUBJID": "1", "MHTERM": "ILD", "MHOCCUR": "N"}]}
    record = subject_records([], [event], {}, rows, [("1", date(2026, 2, 10))])["1"]
    assert {name: answer.found for name, answer in answers(event, ONSET, record).items()} == {"hbv": True, "hbv_dna_rise": True}


def test_silence_answers_nothing() -> None:
    assert found(adverse_event("Pneumonitis")) == {}
