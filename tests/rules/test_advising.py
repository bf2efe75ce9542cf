"""What advice takes from the record of a subject, and what it leaves open."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from safety_monitor.rules.advising import Advised, Measured, Occurrence, advise_event, held_related, measured_of
from safety_monitor.rules.assembly import Exposure
from safety_monitor.study import StudySettings

ONSET = date(2026, 3, 1)
STUDY: dict[str, Any] = {
    "study": {"id": "S1"},
    "components": [
        {"name": "burn", "kind": "procedure", "profile": "ablation", "match": ["MWA"]},
        {"name": "len", "profile": "lenvatinib", "match": ["LENVATINIB"]},
        {"name": "ici", "profile": "pd1", "match": ["SINTILIMAB"]},
    ],
}
ALT = "Alanine aminotransferase increased"
RELATED = {"len": True, "ici": True}


def exposure(component: str, days: int | None, **changes: Any) -> Exposure:
    """One administration so many days before onset."""
    values: dict[str, Any] = {
        "usubjid": "01", "domain": "PR" if component == "burn" else "EX", "seq": 1, "treatment": "SINTILIMAB",
        "component": component, "dose": 12.0, "unit": "mg", "frequency": "QD", "location": None,
        "start_on": None if days is None else ONSET - timedelta(days=days), "end_on": None,
    }  # fmt: skip
    return Exposure(**{**values, **changes})


def advised(
    given: list[Exposure], measured: tuple[Measured, ...] = (), advice: Any = None, collected: tuple[str, ...] = ("EX", "PR"),
    **changes: Any,
) -> Advised:  # fmt: skip
    event: dict[str, Any] = {"term": "Fatigue", "verbatim": "tired", "organ_class": None, "grade": 3, "onset_on": ONSET,
                             "related": RELATED}  # fmt: skip
    settings = StudySettings.of({**STUDY, "advice": advice or {}})
    return advise_event(Occurrence(**{**event, **changes}), given, measured, settings, collected, "hcc")


def text(found: Advised) -> str:
    return "\n".join(found.mail(9).get("en", ()))


@pytest.mark.parametrize(
    ("given", "collected", "told"),
    [
        ([exposure("len", 1)], ("EX",), "- len: hold"),
        ([exposure("len", 0)], ("EX",), "- len: hold"),
        ([exposure("len", -1)], ("EX",), ""),
        ([exposure("len", 1, dose=0.0)], ("EX",), ""),
        ([exposure("len", None)], ("EX",), "- len (if it was given before): hold"),
        ([], ("EX",), ""),
        ([], (), "- len (if it was given before): hold"),
    ],
)
def test_advice_is_about_what_was_given(given: list[Exposure], collected: tuple[str, ...], told: str) -> None:
    found = text(advised(given, collected=collected))
    assert told in found
    assert bool(told) is bool(found)


def test_without_an_onset_nobody_knows_what_was_given_before() -> None:
    assert "len (if it was given before)" in text(advised([exposure("len", 1)], onset_on=None))


@pytest.mark.parametrize(
    ("given", "weight", "told"),
    [
        ([exposure("len", 9), exposure("len", 2, seq=2, dose=8.0)], None, "baseline, 4 mg daily."),
        ([exposure("len", 9), exposure("len", 2, seq=2, dose=0.0)], 70.0, "baseline, 8 mg daily."),
        ([exposure("len", 9, dose=4.0, frequency="QOD")], 50.0, "stop, the ladder ends here"),
        ([exposure("len", 9, frequency=None)], 70.0, "the next lower of 12 mg daily → 8 mg daily"),
        ([exposure("len", 9, unit="tablet")], 50.0, "the next lower of 8 mg daily →"),
    ],
)
def test_the_dose_and_weight_on_record(given: list[Exposure], weight: float | None, told: str) -> None:
    weights = () if weight is None else (Measured("weight_kg", ONSET - timedelta(days=30), weight, True),)
    assert told in text(advised(given, weights))


@pytest.mark.parametrize(
    ("before", "told"),
    [
        ([], "same dose (first occurrence)"),
        ([(ONSET - timedelta(days=40), ONSET - timedelta(days=20))], "at grade 2 or less, 8 mg daily"),
        ([(ONSET - timedelta(days=4), ONSET - timedelta(days=1))], "if not the first occurrence: hold"),
        ([(ONSET - timedelta(days=40), None)], "if not the first occurrence: hold"),
        ([(ONSET + timedelta(days=5), None)], "same dose (first occurrence)"),
    ],
)
def test_first_occurrence(before: list[Any], told: str) -> None:
    weight = (Measured("weight_kg", ONSET, 70.0, False),)
    assert told in text(advised([exposure("len", 9)], weight, term="Platelet count decreased", before=before))


def liver(day: int, alt: float) -> tuple[Measured, ...]:
    normal = [Measured(f, ONSET - timedelta(days=60), 0.5, True) for f in ("alt", "ast")]
    normal += [Measured(f, ONSET, 0.5, False) for f in ("ast", "bilirubin")]
    return (*normal, Measured("alt", ONSET + timedelta(days=day), alt, False))


@pytest.mark.parametrize(
    ("day", "end", "counts"),
    [(0, None, True), (14, None, True), (15, None, False), (-1, None, False), (5, 5, True), (5, 4, False)],
)
def test_the_highest_value_around_the_event(day: int, end: int | None, counts: bool) -> None:
    until = None if end is None else ONSET + timedelta(days=end)
    found = text(advised([exposure("ici", 30)], liver(day, 12.0), term=ALT, end_on=until, immune=True))
    # grade 3 alone leaves it open whether 8 x ULN were reached; the value settles it
    assert ("- ici: stop for good." in found) is counts


@pytest.mark.parametrize(
    ("sessions", "told"),
    [
        ([], "- ici: hold."),
        ([exposure("burn", 7, location="LIVER, LEFT LOBE")], "alone is no reason to pause"),
        ([exposure("burn", 8, location="LIVER")], "- ici: hold."),
        ([exposure("burn", 3, location="LUNG")], "- ici: hold."),
        ([exposure("burn", 3)], "otherwise if ablation of the liver 0-7 days before: no dose action"),
        ([exposure("burn", 60)], "- ici: hold."),
        ([exposure("burn", None)], "if ablation of the liver does not explain it: hold."),
    ],
)
def test_ablation_of_the_liver(sessions: list[Exposure], told: str) -> None:
    found = text(advised([exposure("ici", 30), *sessions], liver(0, 6.0), term=ALT, immune=True))
    assert told in found


@pytest.mark.parametrize(
    ("term", "organ_class", "life", "first"),
    [
        ("Lipase increased", "Investigations", False, "- len: hold."),
        ("Lipase increased", "Investigations", True, "- len: stop for good."),
        ("Anemia", "Blood and lymphatic system disorders", True, "- len: stop for good."),
        ("Colonic perforation", "Gastrointestinal disorders", False, "- len: stop for good."),
        ("[not coded] something", None, False, "- len: if not a laboratory finding: stop for good."),
    ],
)
def test_grade_4_of_a_laboratory_finding(term: str, organ_class: str | None, life: bool, first: str) -> None:
    assert first in text(advised([exposure("len", 1)], term=term, organ_class=organ_class, life_threatening=life, grade=4))


def test_off_switches_advice_off_and_keeps_the_flag() -> None:
    found = advised([exposure("ici", 30)], advice={"off": True}, term="Colitis")
    assert found.lines == ()
    assert found.mail(3) == {}
    assert found.immune is not None
    assert found.immune.answer == "candidate"


def test_a_fatal_event_has_no_advice() -> None:
    assert advised([exposure("len", 1)], fatal=True).lines == ()


def test_a_mail_leaves_out_second_opinions_and_counts_by_component() -> None:
    found = advised([exposure("len", 1), exposure("ici", 30)], term=ALT)
    assert len(found.lines) > len(found.mail(3)["en"]) == len(found.mail(3)["zh"])
    assert {line.partition(":")[0] for line in found.mail(1)["en"]} == {
        "Advice, not an order - len", "Advice, not an order - ici", "Advice, not an order - len + ici"
    }  # fmt: skip
    assert not any("consensus" in line for line in found.mail(9)["en"])


@pytest.mark.parametrize(
    ("investigator", "system", "held"),
    [
        (True, "UNLIKELY", True), (False, "UNLIKELY", False), (False, None, False), (False, "POSSIBLE", None),
        (None, "DEFINITE", None),
    ],
)  # fmt: skip
def test_held_related(investigator: bool | None, system: str | None, held: bool | None) -> None:
    assert held_related(investigator, system) is held


def test_values_are_read_in_their_unit() -> None:
    frame = pl.DataFrame(
        [("01", "ALT", ONSET, 80.0, 40.0, "U/L", True), ("01", "ALT", ONSET, 80.0, None, "U/L", True),
         ("01", "WEIGHT", ONSET, 70.0, None, "kg", False), ("01", "WEIGHT", ONSET, 150.0, None, "LB", False),
         ("01", "ALT", None, 90.0, 40.0, "U/L", False), ("01", "K", ONSET, 4.0, 5.0, "mmol/L", False)],
        schema={"usubjid": pl.String, "test": pl.String, "on": pl.Date, "x": pl.Float64, "uln": pl.Float64, "unit": pl.String,
                "is_baseline": pl.Boolean}, orient="row",
    )  # fmt: skip
    assert measured_of(frame) == {"01": [Measured("alt", ONSET, 2.0, True), Measured("weight_kg", ONSET, 70.0, False)]}
