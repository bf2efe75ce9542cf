"""The rule table: complete against the standard, refused when broken; the policy and its switches."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ctcae_v403 import dictionary, rules, units
from ctcae_v403.dictionary import UnknownTerm
from ctcae_v403.rules import Policy, RuleError

ALT: dict[str, Any] = {
    "term": "Alanine aminotransferase increased",
    "analytes": ["alt"],
    "direction": "H",
    "soc": "Investigations",
    "rungs": [
        {"grade": 1, "basis": "uln", "operator": ">", "coefficient": Decimal("1.0")},
        {"grade": 2, "basis": "uln", "operator": ">", "coefficient": Decimal("3.0")},
    ],
}


def test_every_term_with_numbers_has_a_ladder_or_a_reason(shared: Path) -> None:
    """48 laboratory terms (class A) and 34 measurement terms (class B)."""
    with (shared / "reference/ctcae_v403/term_classification.csv").open(encoding="utf-8") as file:
        classes = {row["term"]: row["class"][0] for row in csv.DictReader(file) if row["class"][0] in "AB"}
    assert Counter(classes.values()) == {"A": 48, "B": 34}
    covered = {ladder.term for ladder in rules.ladders()}
    assert covered == set(classes)


def test_a_ladder_stands_in_the_class_of_its_term() -> None:
    assert [(each.term, each.soc) for each in rules.ladders() if dictionary.term(each.term).soc != each.soc] == []


def test_every_printed_threshold_of_these_terms_is_a_row(shared: Path) -> None:
    """Against the extracted thresholds: each bound in a printed unit or multiple of a limit is there,
    exactly.
    """
    ours = {
        (ladder.term, rung.grade, rung.basis, _number(rung.offset or rung.coefficient), _unit(rung.unit))
        for ladder in rules.ladders()
        for rung in ladder.rungs
    }
    terms = {ladder.term for ladder in rules.ladders()}
    checked = 0
    with (shared / "reference/ctcae_v403/numeric_thresholds.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            change = row["basis"].startswith("delta") and row["term"] not in ALREADY_CHANGES
            how = BASES.get(row["basis"] if change or not row["basis"].startswith("delta") else "absolute")
            key = (row["term"], row["parameter"], row["qualifier"])
            if row["term"] not in terms or how is None or "derived" in row["qualifier"] or key in ELSEWHERE:
                continue
            direction = {ladder.direction for ladder in rules.ladders() if ladder.term == row["term"]}
            near = row["low"] if _upward(row, direction) else row["high"]
            if not near or near == "0":  # no bound in print on the milder side
                continue
            basis, number = (near.lower(), "1") if near in ("ULN", "LLN") else (how[0], how[1](near))
            unit = _unit(row["unit"]) if basis == "absolute" or change else None
            assert (row["term"], int(row["grade"]), basis, _number(number),
                    unit) in ours, row  # fmt: skip
            checked += 1
    assert checked > 290


# basis in print -> ours, and the number in print -> ours (a percentage of change as a multiple of the baseline)
BASES: dict[str, tuple[str, Callable[[str], Any]]] = {
    "xULN": ("uln", str),
    "xLLN": ("lln", str),
    "xBASELINE": ("baseline", str),
    "absolute": ("absolute", str),
    "pct_predicted": ("absolute", str),
    "pct_increase_from_BASELINE": ("baseline", lambda printed: 1 + Decimal(printed) / 100),
    "pct_decrease_from_BASELINE": ("baseline", lambda printed: 1 - Decimal(printed) / 100),
    "delta_below_LLN": ("lln", lambda printed: -Decimal(printed)),
    "delta_drop_from_BASELINE": ("baseline", lambda printed: -Decimal(printed)),
    "delta_increase_from_BASELINE": ("baseline", str),
}
ALREADY_CHANGES = {"Diarrhea"}  # stools over baseline are what is reported
# numbers that the criteria hold: they count only together with findings that are asked for by name
ELSEWHERE = {
    ("Carbon monoxide diffusing capacity decreased", "DLCO",
     "AND pulmonary symptoms (e.g. >Grade 2 hypoxia or dyspnea)"),
    ("Electrocardiogram QT corrected interval prolonged", "QTc",
     "AND (torsade de pointes or polymorphic VT or signs/symptoms of serious arrhythmia)"),
    ("Hypertension", "Diastolic BP", "symptomatic"),
    ("Hypertension", "BP", "if previously WNL (symptomatic increase)"),
    ("Hypertension", "BP", "recurrent or persistent (>=24 hrs); OR monotherapy indicated"),
    ("Pleural hemorrhage", "Bleeding rate", "for 2 - 4 h"),
}  # fmt: skip


def _upward(row: dict[str, str], directions: set[str]) -> bool:
    """Which end of the band lies towards normal: the low one of a term that rises, or of a change."""
    if row["basis"].startswith(("delta", "pct_increase", "pct_decrease")):
        return True
    if row["parameter"] in ("Urine protein dipstick", "Urine protein/creatinine", "Urine protein 24 h"):
        return True
    return "H" in directions and not row["parameter"].startswith(("eGFR", "BMD"))


def _number(text: Any) -> Decimal:
    return Decimal(str(text).rstrip("+")).normalize()


def _unit(unit: str | None) -> str | None:
    same = {
        "million/mL": "10^6/mL", "ratio": "1", "dipstick": "1", "pH": "1", "ml/min/mm Hg": "mL/min/mmHg",
        "% predicted": "%", "% (points vs relative not stated)": "%", "T-score": "SD", "stools/day": "/24 h",
        "stools/24 h": "/24 h", "episodes/24 h": "/24 h",
    }  # fmt: skip
    return same.get(unit or "", unit)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"rungs": [ALT["rungs"][1], {**ALT["rungs"][0], "grade": 3}]},
            "grade 3 .* is empty or lies inside grade 2",
        ),
        ({"rungs": [ALT["rungs"][0], {**ALT["rungs"][0], "grade": 2}]}, "is empty"),
        ({"rungs": [{**ALT["rungs"][0], "grade": 5}]}, "no grade 5"),
        ({"rungs": [{**ALT["rungs"][0], "context": "friday"}]}, "unknown context 'friday'"),
        ({"rungs": [{**ALT["rungs"][0], "operator": "<"}]}, "points away from H"),
        ({"term": "Osteoporosis", "analytes": ["t_score"]}, "can lie below zero"),
        ({"rungs": [{**ALT["rungs"][0], "basis": "absolute", "unit": "mmol/L"}]}, "does not measure"),
    ],
)
def test_a_broken_row_is_refused(change: dict[str, Any], message: str) -> None:
    rules.check(rules.build(ALT))
    with pytest.raises((RuleError, units.UnknownUnit), match=message):
        rules.check(rules.build({**ALT, **change}))


def test_a_row_of_a_term_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UnknownTerm, match="Alanine aminotransferase increased"):
        rules.check(rules.build({**ALT, "term": "Alanine aminotransferase raised"}))


def test_presets_and_single_switches() -> None:
    assert Policy.of(None) == Policy.of("standard") == Policy()
    assert Policy.of("literal").switches() == {
        "preset": "literal", "within_normal_range": "cut_off", "baseline_arm": "as_printed",
        "calcium": "as_reported", "same_band": "higher", "fasting": "as_stated", "egfr": "as_reported",
    }  # fmt: skip
    assert Policy.of({"preset": "literal", "same_band": "lower"}).baseline_arm == "as_printed"
    assert Policy.of({"baseline_arm": "off"}).within_normal_range == "zero"
    assert Policy.of(Policy.of("literal")) == Policy.of("literal")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("standart", "did you mean 'standard'"),
        ({"baseline_arms": "off"}, "did you mean 'baseline_arm'"),
        ({"baseline_arm": "of"}, "did you mean 'off'"),
        ({"preset": "own"}, "Known: standard, literal"),
        (
            {"baseline_arm": False},
            "unknown value of lab_policy baseline_arm False",
        ),  # unquoted off in YAML 1.1
    ],
)
def test_an_unknown_switch_is_refused_with_the_nearest(settings: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Policy.of(settings)


def test_the_criteria_of_a_term_for_a_reader() -> None:
    assert rules.numeric_criteria("Anemia") == {
        1: ("Hemoglobin < LLN",),
        2: ("Hemoglobin < 10.0 g/dL", "Hemoglobin < 6.2 mmol/L", "Hemoglobin < 100 g/L"),
        3: ("Hemoglobin < 8.0 g/dL", "Hemoglobin < 4.9 mmol/L", "Hemoglobin < 80 g/L"),
    }
    assert rules.numeric_criteria("Electrocardiogram QT corrected interval prolonged") == {
        1: ("QTc interval >= 450 ms",),
        2: ("QTc interval >= 481 ms",),
        3: ("QTc interval >= 501 ms (findings)",),
    }
    assert rules.numeric_criteria("Ejection fraction decreased")[2] == (
        "Left ventricular ejection fraction <= 50 %", "Left ventricular ejection fraction <= baseline - 10 %",
    )  # fmt: skip
    assert rules.numeric_criteria("Pneumothorax") == {}
