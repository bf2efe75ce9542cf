"""The rule table: complete against the standard, refused when broken; the policy and its switches."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ctcae_v403 import rules, units
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


def test_every_laboratory_term_has_a_ladder_or_a_reason(shared: Path) -> None:
    with (shared / "reference/ctcae_v403/term_classification.csv").open(encoding="utf-8") as file:
        laboratory = {row["term"] for row in csv.DictReader(file) if row["class"].startswith("A")}
    assert len(laboratory) == 48
    covered = {ladder.term for ladder in rules.ladders()}
    assert covered | set(rules.not_from_one_number()) == laboratory
    assert not covered & set(rules.not_from_one_number())


def test_every_printed_threshold_of_these_terms_is_a_row(shared: Path) -> None:
    """Against the extracted thresholds: each bound in a printed unit or multiple of a limit is there,
    exactly.
    """
    ours = {
        (ladder.term, rung.grade, rung.basis, _number(rung.coefficient), _unit(rung.unit))
        for ladder in rules.ladders()
        for rung in ladder.rungs
        if not rung.offset
    }
    bases = {"xULN": "uln", "xLLN": "lln", "xBASELINE": "baseline", "absolute": "absolute"}
    terms = {ladder.term for ladder in rules.ladders()}
    checked = 0
    with (shared / "reference/ctcae_v403/numeric_thresholds.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["term"] not in terms or row["basis"] not in bases or "derived" in row["qualifier"]:
                continue
            direction = {ladder.direction for ladder in rules.ladders() if ladder.term == row["term"]}
            near = row["low"] if _upward(row, direction) else row["high"]
            if not near:
                continue
            basis, number = bases[row["basis"]], near
            if near in ("ULN", "LLN"):
                basis, number = near.lower(), "1"
            if near == "0":  # no lower bound in print
                continue
            unit = _unit(row["unit"]) if basis == "absolute" else None
            assert (row["term"], int(row["grade"]), basis, _number(number),
                    unit) in ours, row  # fmt: skip
            checked += 1
    assert checked > 180


def _upward(row: dict[str, str], directions: set[str]) -> bool:
    """Which end of the band lies towards normal: the low one of a term that rises."""
    if row["parameter"] in ("Urine protein dipstick", "Urine protein/creatinine", "Urine protein 24 h"):
        return True
    return "H" in directions and not row["parameter"].startswith("eGFR")


def _number(text: Any) -> Decimal:
    return Decimal(str(text).rstrip("+")).normalize()


def _unit(unit: str | None) -> str | None:
    same = {"million/mL": "10^6/mL", "ratio": "1", "dipstick": "1", "pH": "1"}
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
        "calcium": "as_reported", "same_band": "higher", "fasting": "as_stated",
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
    assert rules.numeric_criteria("Pneumothorax") == {}
