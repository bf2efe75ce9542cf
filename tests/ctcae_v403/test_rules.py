"""The rule table: complete against the standard, refused when broken; the policy and its switches."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


COMPLEMENT = {"<=": ">", "<": ">=", ">=": "<", ">": "<="}
TURNED = {"<=": ">=", "<": ">", ">=": "<=", ">": "<"}  # of a fall, printed by its size


def test_gaps_and_shared_bands_are_those_listed_and_no_others(shared: Path) -> None:
    """Where a band ends the next one begins, but for the gaps and overlaps of the standard; both ways."""
    terms = {ladder.term for ladder in rules.ladders()}
    gaps = set()
    with (shared / "reference/ctcae_v403/numeric_thresholds.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            change = row["basis"].startswith("delta") and row["term"] not in ALREADY_CHANGES
            how = BASES.get(row["basis"] if change or not row["basis"].startswith("delta") else "absolute")
            key = (row["term"], row["parameter"], row["qualifier"])
            if row["term"] not in terms or how is None or "derived" in row["qualifier"] or key in ELSEWHERE:
                continue
            upward = _upward(row, {ladder.direction for ladder in rules.ladders() if ladder.term == row["term"]})
            far, operator = (row["high"], row["high_op"]) if upward else (row["low"], row["low_op"])
            if far in ("", "ULN", "LLN"):
                continue
            falls = "decrease" in row["basis"] or "below" in row["basis"] or "drop" in row["basis"]
            operator = TURNED[operator] if falls else operator
            unit = _unit(row["unit"]) if how[0] == "absolute" or change else None
            end = _number(how[1](far))
            nexts = [
                rung for ladder in rules.ladders() if ladder.term == row["term"] for rung in ladder.rungs
                if rung.grade > int(row["grade"]) and (rung.basis, _unit(rung.unit)) == (how[0], unit)
                and rung.context not in ("noted", *rules.ALONE)
            ]  # fmt: skip
            if not nexts:
                continue
            nearest = min(nexts, key=lambda rung: (abs(_number(rung.offset or rung.coefficient) - end), rung.context or ""))
            start = _number(nearest.offset or nearest.coefficient)
            if (start, nearest.operator) != (end, COMPLEMENT[operator]):
                gaps.add((row["term"], int(row["grade"]), nearest.grade, end, start))
    overlaps = {
        (ladder.term, firm.grade - 1, firm.grade, _number(firm.coefficient), _number(firm.coefficient))
        for ladder in rules.ladders() for firm in ladder.rungs for shared_point in ladder.rungs
        if shared_point.context == "findings" and shared_point.operator == firm.operator + "="
        and (shared_point.grade, shared_point.basis, shared_point.coefficient) == (firm.grade, firm.basis, firm.coefficient)
    }  # fmt: skip
    listed: dict[str, set[tuple[str, int, int, Decimal, Decimal]]] = {"GAP": set(), "OVERLAP": set()}
    with (shared / "reference/ctcae_v403/numeric_gaps_overlaps.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["term"] in terms:
                turn = BASES[row["basis"]][1] if row["basis"].startswith("delta") and row["term"] not in ALREADY_CHANGES else str
                edges = (_number(turn(row["edge_a"])), _number(turn(row["edge_b"])))
                listed[row["type"]].add((row["term"], int(row["grade_a"]), int(row["grade_b"]), *edges))
    assert {"GAP": gaps, "OVERLAP": overlaps} == listed


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
        ({"rungs": [{**ALT["rungs"][0], "context": "noted"}]}, "a noted rung without flags"),
        ({"rungs": [{**ALT["rungs"][0], "context": "antihypertensive"}]}, "holds for every number"),
        ({"rungs": [{**ALT["rungs"][0], "population": "dog"}]}, "is for 'dog'"),
        ({"population": "child", "rungs": [{**ALT["rungs"][0], "population": "child"}]}, "in a ladder for all ages"),
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


def test_noted_and_child_rungs_stand_in_an_order_of_their_own() -> None:
    milder = {**ALT["rungs"][1], "grade": 3, "coefficient": Decimal("2.0")}
    for beside in ({"context": "noted", "flags": ["seen"]}, {"population": "child"}):
        rules.check(rules.build({**ALT, "rungs": [*ALT["rungs"], {**milder, **beside}]}))
    with pytest.raises(RuleError, match="inside grade 2"):
        rules.check(rules.build({**ALT, "rungs": [*ALT["rungs"], milder]}))


@pytest.mark.parametrize("ladder", rules.ladders(), ids=lambda ladder: f"{ladder.term} {ladder.analytes[0]}")
def test_no_rung_is_empty_in_any_printed_unit(ladder: rules.Ladder) -> None:
    """Fitted to each printed unit the absolute bounds still move outward with the grade."""
    outward = 1 if ladder.direction == "H" else -1
    for name in ladder.analytes:
        for unit in {rung.unit for rung in ladder.rungs if rung.basis == "absolute"}:
            arms = [arm for arm in rules.fit(ladder, units.analyte(name), unit, Policy()).arms
                    if arm.rung.basis == "absolute" and not arm.rung.context]  # fmt: skip
            assert {arm.missing for arm in arms} <= {None}
            for worse, milder in pairwise(arms):
                nearer = outward * (worse.shift - milder.shift) > 0 or worse.rung.operator[0] != milder.rung.operator[0]
                assert worse.rung.grade == milder.rung.grade or nearer


def test_companions_and_derivations_are_of_analytes_and_units_that_exist() -> None:
    assert [(each.context, each.analyte, each.take) for each in rules.companions()] == [
        ("febrile", "temperature", "max"), ("hemoglobin_fell", "hemoglobin", "min")]  # fmt: skip
    for each in rules.companions():
        units.unit(units.analyte(each.analyte), each.unit)
    for name, each in rules.derived().items():
        assert rules.ladders_of(units.analyte(name))
        units.unit(units.analyte(each.source), each.unit)
        assert [units.analyte(other).name for other in each.unless] == list(each.unless)


# mg/dL, years, sex: mL/min/1.73 m2 as published with the calculator of the National Kidney Foundation (the first three,
# two of them through the tests of R admiral) or elsewhere, and from the equation by hand with logarithms (the last four)
EGFR = [
    (1.2, 55, "M", 71), (1.09, 55, "M", 80), (0.9613, 65, "F", 66), (1.1, 50, "M", 82),
    (0.7, 20, "F", 127), (0.9, 20, "M", 125), (1.4, 60, "F", 43), (0.5, 18, "F", 139),
]  # fmt: skip


@pytest.mark.parametrize(("creatinine", "age", "sex", "expected"), EGFR)
def test_the_computed_egfr(creatinine: float, age: float, sex: str, expected: int) -> None:
    assert rules.derived()["gfr_computed"].value(creatinine, age, sex) == expected


@pytest.mark.parametrize(
    ("creatinine", "age", "sex"),
    [(1.2, 17.9, "M"), (1.2, None, "M"), (1.2, 55, None), (1.2, 55, ""), (1.2, 55, "U"), (1.2, 55, "MISSING"), (0.0, 55, "F")],
)
def test_no_egfr_is_computed_of_children_or_without_age_and_sex(creatinine: float, age: float | None, sex: str | None) -> None:
    assert rules.derived()["gfr_computed"].value(creatinine, age, sex) is None


PATIENTS = st.tuples(st.floats(0.01, 30), st.floats(0, 110), st.sampled_from(["F", "m", "Female", "MALE", "", "X"]))


@given(st.lists(PATIENTS, min_size=1))
def test_one_egfr_and_many_are_the_same(patients: list[tuple[float, float, str]]) -> None:
    derivation = rules.derived()["gfr_computed"]
    x, age, sex = zip(*patients, strict=True)
    many = derivation.compute(np.array(x), np.array(age), np.array([rules.sex_code(word) for word in sex]))
    assert [None if np.isnan(found) else int(found) for found in many] == [derivation.value(*each) for each in patients]


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
