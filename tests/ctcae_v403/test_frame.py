"""The table engine: agreement with the exact reference on every rung, its columns, its laws, and the worked
results.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctcae_v403 import grading, rules, units
from ctcae_v403.frame import OUTPUT, WORDS, ColumnsError, grade_codes, grade_frame
from ctcae_v403.rules import Arm, Ladder, Policy
from ctcae_v403.units import Analyte

POLICIES: dict[str, Any] = {
    "standard": "standard",
    "literal": "literal",
    "as printed": {"baseline_arm": "as_printed"},
    "limits only": {"baseline_arm": "off"},
    "cut-offs": {"within_normal_range": "cut_off"},
    "higher": {"same_band": "higher"},
    "assume fasting": {"fasting": "assume_fasting"},
    "eGFR as reported": {"egfr": "as_reported"},
}
COLUMNS = (
    "LBTESTCD",
    "LBSPEC",
    "LBSTRESC",
    "LBSTRESU",
    "LBSTNRLO",
    "LBSTNRHI",
    "BASE",
    "BNRHI",
    "LBFAST",
    "ONANTICOAG",
    "AGE",
    "SEX",
    "NANTIHYP",
    "TEMP",  # of the day, from a table beside, in degC; then hemoglobin in g/dL, whose baseline was 14
    "HGB",
)
SPECIMENS = {"urine_protein_dipstick": "URINE", "urine_protein_24h": "URINE", "sperm_motility": "SEMEN",
             "arterial_po2": "ARTERIAL BLOOD"}  # fmt: skip
OTHER_UNITS = {  # units that the standard does not print, and that convert
    "mass": ("mg/L",),
    "amount": ("umol/L",),
    "count": ("10^6/L",),
    "activity": ("ukat/L",),
    "time": ("min",),
    "number": ("1",),
    "excretion": ("mg/24h",),
    "clearance": ("mL/s",),
    "temperature": ("K",),
    "pressure": ("kPa",),
    "weight": ("lb",),
    "length": ("in",),
    "volume": ("L",),
    "urine_in_8h": ("L/8h",),
    "urine_in_24h": ("L/24h",),
    "transfer": ("mmol/min/kPa",),
    "bmi": ("lb/in2",),
    "age": ("months",),
    "angle": (),
    "sound": (),
    "frequency": ("/week", ""),
    "deviation": ("",),
    "percentile": (),
}


def _decimal(number: Fraction) -> str:
    return f"{float(number):.8g}"


def _units(analyte: Analyte, ladder: Ladder) -> list[str]:
    printed = [rung.unit for rung in ladder.rungs if rung.unit]
    kinds = (
        {"mass", "amount"} if analyte.molar_mass else {units.unit(analyte, analyte.canonical)[0].dimension}
    )
    return list(
        dict.fromkeys(
            [analyte.canonical, *printed, *(u for kind in sorted(kinds) for u in OTHER_UNITS[kind])]
        )
    )


def _rows(ladder: Ladder, analyte: Analyte, unit: str) -> Iterator[dict[str, str | None]]:
    """Results just below, at and just above every bound, with each input present and missing."""
    absolute = [
        units.convert(rung.coefficient, analyte, rung.unit or "", unit)
        for rung in ladder.rungs
        if rung.basis == "absolute"
    ]
    low, high = (min(absolute), max(absolute)) if absolute else (Fraction(40), Fraction(40))
    outward = (
        len({rung.operator[0] for rung in ladder.rungs}) == 1
    )  # not sperm counts and saliva, which print "> 48" as grade 1
    by_number = ladder.limits == "ignored" and all(rung.basis == "absolute" for rung in ladder.rungs)
    # limits that leave room for every rung, then limits with a cut-off inside them
    multiples = any(rung.basis == "lln" and rung.coefficient != 1 for rung in ladder.rungs)
    room = 6 if multiples else 1
    apart = (
        (high * room * 12 / 10, high * room * 2, high * room * 15 / 10)
        if ladder.direction == "L"
        else (low * 3 / 10, low * 9 / 10, low * (2 if absolute else 6) / 10)
    )
    inside = (low * 7 / 10, high * 11 / 10, high * 8 / 10)
    for limits in (apart,) if by_number else (apart, inside):
        lln, uln, base = (Fraction(_decimal(number)) for number in limits)
        reading = grading.Reading(grading.Number(base), uln=uln, lln=lln, baseline=base)
        arms = rules.fit(ladder, analyte, unit, Policy.of("literal")).arms
        bounds = {arm.factor * (reading.base(arm.rung.basis) or 0) + arm.shift for arm in arms}
        if not by_number:
            bounds |= {lln, uln, base}
        full = {
            "LBTESTCD": analyte.name,
            "LBSPEC": SPECIMENS.get(analyte.name),
            "LBSTRESU": unit,
            "LBSTNRLO": _decimal(lln),
            "LBSTNRHI": _decimal(uln),
            "BASE": _decimal(base),
            "BNRHI": _decimal(uln),
            "LBFAST": "Y",
            "ONANTICOAG": "Y",
            "AGE": "9" if ladder.population == "child" else "60",
            "TEMP": "38.5",
            "HGB": "11",
        }
        for bound in sorted(bounds):
            step = abs(bound or 1) / 1000
            for value in (bound - step, bound, bound + step):
                row = {**full, "LBSTRESC": _decimal(value)}
                yield row
                if unit == analyte.canonical:
                    yield from ({**row, **beside} for beside in _beside(ladder))
                if outward and value == bound:
                    yield from ({**row, "LBSTRESC": f"{side}{_decimal(value)}"} for side in ("<", "<=", ">", ">="))
                if unit != analyte.canonical or limits is inside or value < bound:
                    continue
                if by_number and bound != max(bounds):  # one bound shows that limits and baselines do not matter
                    continue
                for name in COLUMNS[3:11]:
                    yield {**row, name: None}
                yield {**row, "LBSTNRLO": None, "LBSTNRHI": None}
                yield {**row, "BASE": None, "LBSTNRHI": None}
                yield {**row, "LBFAST": "N", "ONANTICOAG": "N", "AGE": "9" if full["AGE"] == "60" else "60"}
                yield {**row, "LBSTNRLO": row["LBSTNRHI"], "LBSTNRHI": row["LBSTNRLO"]}
                yield {**row, "LBSTRESU": "bananas"}
                yield {**row, "BNRHI": _decimal(base * 9 / 10)}


def _beside(ladder: Ladder) -> Iterator[dict[str, str | None]]:
    """What rungs ask of the subject and of the day, in every state."""
    asked = {rung.context for rung in ladder.rungs}
    if "antihypertensive" in asked:
        yield from ({"NANTIHYP": drugs} for drugs in ("0", "1", "2", "Y", "N"))
    if "febrile" in asked:
        yield from ({"TEMP": temperature} for temperature in ("37.9", "38.0", "38.3", "38.31", None))
    if "hemoglobin_fell" in asked:
        yield from ({"HGB": hemoglobin} for hemoglobin in ("12.0", "12.1", "14", None))
    if any(rung.population == "child" for rung in ladder.rungs):
        yield {"AGE": "9"}


def _creatinines() -> Iterator[dict[str, str | None]]:
    """Creatinine of people of known and unknown age and sex: from it an eGFR is computed."""
    for value, unit in (("0.4", "mg/dL"), ("1.1", "mg/dL"), ("150", "umol/L"), ("4", "mg/dL"), ("<0.2", "mg/dL"), ("2", ""),
                        ("2", "bananas"), ("x", "mg/dL"), ("", "mg/dL")):  # fmt: skip
        for age in ("60", "9", "", None):
            for sex in ("F", "M", "U", "", None):
                yield {"LBTESTCD": "CREAT", "LBSTRESC": value, "LBSTRESU": unit, "LBSTNRHI": "1.2", "AGE": age, "SEX": sex,
                       "BASE": "1"}  # fmt: skip


def _pressures() -> Iterator[dict[str, str | None]]:
    for pair in ("150/95", "118/76", "125/101", "130/90", "170/", "120", "high", "150/95/60", ""):
        for drugs in (None, "0", "1", "2"):
            yield {"LBTESTCD": "BP", "LBSTRESC": pair, "LBSTRESU": "mmHg", "NANTIHYP": drugs, "AGE": "60"}


def _cases() -> pl.DataFrame:
    rows = [
        row
        for ladder in rules.ladders()
        for analyte in map(units.analyte, ladder.analytes)
        if not analyte.scale
        for unit in _units(analyte, ladder)
        for row in _rows(ladder, analyte, unit)
    ]
    dipsticks = [
        {"LBTESTCD": "PROT", "LBSPEC": "URINE", "LBSTRESC": word, "AGE": age}
        for word in (*units.analyte("urine_protein_dipstick").scale, "2", "cloudy", "")
        for age in ("60", "9", None)
    ]
    odd = [
        {
            "LBTESTCD": test,
            "LBSPEC": spec,
            "LBSTRESC": value,
            "LBSTRESU": "mmol/L",
            "LBSTNRHI": "5",
            "LBSTNRLO": "3.5",
        }
        for test in ("K", "XYZ", "", None)
        for spec in ("SERUM", "URINE", None)
        for value in ("4", "", None, "hemolyzed", "NaN", "inf", "-9", "<3", "> 8", "1,5", "≤2.4", ".")
    ]
    every = [*rows, *dipsticks, *odd, *_creatinines(), *_pressures()]
    frame = pl.DataFrame(every, schema=dict.fromkeys(COLUMNS, pl.String), infer_schema_length=None)
    return frame.unique(maintain_order=True).with_columns(
        USUBJID=pl.format("S-{}", pl.int_range(pl.len())), LBSTRESN=pl.lit(None, pl.Float64), LBDTC=pl.lit("2026-02-05T08:30")
    )


def _results_of_the_day(cases: pl.DataFrame) -> list[pl.DataFrame]:
    """Temperature as a VS table and hemoglobin as an LB table; on another day stand other results."""
    one = cases.select("USUBJID", VSTESTCD=pl.lit("TEMP"), VSSTRESN=pl.col("TEMP").cast(pl.Float64), VSSTRESU=pl.lit("C"),
                       VSDTC=pl.lit("2026-02-05"))  # fmt: skip
    other = cases.select("USUBJID", LBTESTCD=pl.lit("HGB"), LBSTRESN=pl.col("HGB").cast(pl.Float64) * 10, LBSTRESU=pl.lit("g/L"),
                         BASE=pl.lit(140.0), LBDTC=pl.lit("2026-02-05T11:00"))  # fmt: skip
    return [
        pl.concat([one, one.with_columns(VSSTRESN=pl.lit(41.0), VSDTC=pl.lit("2026-02-06"))]),
        pl.concat([other, other.with_columns(LBSTRESN=pl.lit(30.0), LBDTC=pl.lit("2026-02-04"))]),
    ]


def _yes(word: str | None) -> bool | None:
    return None if word is None else word == "Y"


DRUGS = {None: None, "0": 0, "1": 1, "2": 2, "Y": 1, "N": 0}


def _exact(row: Mapping[str, Any], policy: Policy) -> list[tuple[Any, ...]]:
    results = grading.grade(
        row["LBTESTCD"] or "",
        row["LBSTRESC"],
        row["LBSTRESU"],
        row["LBSTNRHI"],
        row["LBSTNRLO"],
        row["BASE"],
        row["BNRHI"],
        age=float(row["AGE"]) if row["AGE"] else None,
        sex=row["SEX"],
        n_antihypertensives=DRUGS[row["NANTIHYP"]],
        temperature=row["TEMP"],
        temperature_unit="C",
        hemoglobin=row["HGB"],
        hemoglobin_unit="g/dL",
        hemoglobin_baseline="14",
        fasting=_yes(row["LBFAST"]),
        on_anticoagulant=_yes(row["ONANTICOAG"]),
        specimen=row["LBSPEC"],
        policy=policy,
    )
    return [
        (
            r.term or None,
            r.direction or None,
            r.grade,
            r.reason or None,
            r.criterion or None,
            r.basis or None,
            ";".join(r.flags) or None,
        )
        for r in results
    ]


def _in_first_unit(cases: pl.DataFrame) -> pl.DataFrame:
    return cases.filter(pl.col("LBSTRESU") == pl.col("LBSTRESU").first().over("LBTESTCD"))


Outcome = tuple[Any, ...]  # OUTPUT without BTOXGR
Case = tuple[dict[str, Any], list[Outcome], list[Outcome]]  # the row, what the reference says, what the table engine


@pytest.fixture(scope="module")
def judged() -> Callable[[str], list[Case]]:
    """The cases under a policy, each with the outcomes of both engines."""
    cases = _cases()

    @cache
    def under(name: str) -> list[Case]:
        policy = Policy.of(POLICIES[name])
        sample = cases if name in ("standard", "literal") else _in_first_unit(cases).gather_every(2)
        found: dict[int, list[Outcome]] = {}
        shown = [*WORDS]
        for number, *outcome in (
            grade_frame(sample, policy, beside=_results_of_the_day(sample)).select("ROW", *shown).iter_rows()
        ):
            found.setdefault(number, []).append(tuple(outcome))
        rows = enumerate(sample.iter_rows(named=True), start=1)
        return [(row, _exact(row, policy), found[number]) for number, row in rows]

    return under


@pytest.mark.parametrize("name", POLICIES)
def test_both_engines_say_the_same_about_every_rung_unit_and_missing_input(
    judged: Callable[[str], list[Case]], name: str
) -> None:
    different = [case for case in judged(name) if case[1] != case[2]]
    assert not different, f"{len(different)} of {len(judged(name))}; first: {different[0]}"


def _printed(ladder: Ladder) -> set[tuple[str, int, str]]:
    """Term, grade and criterion of every rung that can grade."""
    arms = [Arm(each, Fraction(0), Fraction(each.coefficient), each.unit) for each in ladder.rungs if each.context != "noted"]
    return {(ladder.term, arm.rung.grade, arm.text()) for arm in arms}


def test_every_rung_fired_in_both_engines(judged: Callable[[str], list[Case]]) -> None:
    """A rung that no case reaches would leave the comparison above empty."""
    wanted = {(name, *rung) for ladder in rules.ladders() for name in ladder.analytes for rung in _printed(ladder)}
    exact, table = set(), set()
    for name in ("standard", "literal"):
        for row, *both in judged(name):
            test = getattr(grading.resolve(row["LBTESTCD"], row["LBSPEC"], row["LBSTRESU"]), "name", "")
            for fired, outcomes in zip((exact, table), both, strict=True):
                for term, _, grade, _, criterion, _, _ in outcomes:
                    if criterion:  # in brackets: the bound in the unit of the result
                        fired.add((test, term, grade, re.sub(r" \([^()]*\)$", "", criterion)))
    assert wanted - exact == wanted - table == set()


def test_every_noted_rung_was_noted_in_both_engines(judged: Callable[[str], list[Case]]) -> None:
    wanted = {(ladder.term, flag) for ladder in rules.ladders() for rung in ladder.rungs if rung.context == "noted"
              for flag in rung.flags}  # fmt: skip
    for place in (1, 2):
        found = {(term, flag) for case in judged("standard") for term, *_, flags in case[place] if flags
                 for flag in flags.split(";")}  # fmt: skip
        assert len(wanted) > 1
        assert wanted - found == set()


def _lb(*rows: tuple[Any, ...]) -> pl.DataFrame:
    names = ("USUBJID", "LBTESTCD", "LBSTRESN", "LBSTRESU", "LBSTNRLO", "LBSTNRHI", "LBBLFL", "LBDTC")
    return pl.DataFrame(rows, schema=names, orient="row")


VISITS = _lb(
    ("A", "ALT", 60.0, "U/L", 7.0, 40.0, "Y", "2026-01-05"),
    ("A", "ALT", 250.0, "U/L", 7.0, 40.0, None, "2026-02-05"),
    ("A", "CREAT", 1.0, "mg/dL", 0.6, 1.2, "Y", "2026-01-05"),
    ("A", "CREAT", 300.0, "umol/L", 55.0, 110.0, None, "2026-02-05"),
    ("A", "PSA", 3.0, "ng/mL", None, 4.0, None, "2026-02-05"),
    ("B", "ALT", 30.0, "U/L", 7.0, 40.0, None, "2026-01-05"),
)


def test_one_row_per_input_row_and_term_in_input_order_with_the_input_untouched() -> None:
    graded = grade_frame(VISITS)
    assert graded.columns == ["ROW", *VISITS.columns, *OUTPUT]
    kinds = dict.fromkeys(OUTPUT, pl.String) | dict.fromkeys(("ATOXGR", "BTOXGR"), pl.Int64)
    kinds |= dict.fromkeys(("R2A1HI", "R2BASE"), pl.Float64)
    assert graded.schema == pl.Schema({"ROW": pl.Int64, **VISITS.schema, **kinds})
    assert graded.select("ROW", "ATOXDSC", "ATOXGR", "BTOXGR", "REASON").rows() == [
        (1, "Alanine aminotransferase increased", 1, 1, None),
        (2, "Alanine aminotransferase increased", 3, 1, None),
        (3, "Creatinine increased", 0, 0, None),
        (3, "Acute kidney injury", 0, 0, None),
        (4, "Creatinine increased", 3, 0, None),  # 300 umol/L is 3.39 × 1.0 mg/dL, and 2.7 × ULN
        (4, "Acute kidney injury", 3, 0, None),
        (5, None, None, None, "UNKNOWN_TEST"),
        (6, "Alanine aminotransferase increased", 0, None, None),
    ]
    assert graded.unique("ROW", maintain_order=True).select(VISITS.columns).equals(VISITS)


def test_a_lazy_frame_comes_back_lazy_and_an_empty_one_empty() -> None:
    lazy = grade_frame(VISITS.lazy())
    assert isinstance(lazy, pl.LazyFrame)
    assert lazy.collect().equals(grade_frame(VISITS))
    assert grade_frame(VISITS.clear()).columns == ["ROW", *VISITS.columns, *OUTPUT]


def test_a_file_read_as_text_is_graded_the_same() -> None:
    texts = VISITS.with_columns(pl.all().cast(pl.String).fill_null(""))
    assert grade_frame(texts).select(OUTPUT).equals(grade_frame(VISITS).select(OUTPUT))


def test_adam_names_their_baseline_and_lower_case() -> None:
    adlb = pl.DataFrame(
        {
            "usubjid": ["A", "A"],
            "paramcd": ["CREAT"] * 2,
            "aval": [1.9, 3.1],
            "avalu": ["mg/dL"] * 2,
            "anrlo": [0.6] * 2,
            "anrhi": [1.2] * 2,
            "base": [1.0, 1.0],
            "adt": [date(2026, 1, 1), date(2026, 2, 1)],
        }
    )
    graded = grade_frame(adlb)
    assert graded["ATOXGR"].to_list() == [2, 1, 3, 3]  # 1.9 is 1.6 × ULN and 1.9 × baseline
    assert graded["BTOXGR"].to_list() == [0, 0, 0, 0]


def test_an_input_column_with_an_output_name_is_passed_on_beside_ours() -> None:
    graded = grade_frame(VISITS.with_columns(ATOXGR=pl.lit("9")))
    assert graded["ATOXGR_INPUT"].unique().to_list() == ["9"]
    assert graded["ATOXGR"].dtype == pl.Int64


def test_collected_results_are_used_where_the_standard_columns_are_absent() -> None:
    collected = pl.DataFrame(
        {
            "LBTESTCD": ["K", "K"],
            "LBORRES": ["<2.0", "5.7"],
            "LBORRESU": ["mEq/L"] * 2,
            "LBORNRLO": ["3.5"] * 2,
            "LBORNRHI": ["5.1"] * 2,
        }
    )
    assert grade_frame(collected).filter(pl.col("ATOXGR") > 0).select("ATOXDSC", "ATOXGR").rows() == [
        ("Hypokalemia", 4),
        ("Hyperkalemia", 2),
    ]


def test_a_text_result_stands_in_for_a_missing_number_only_in_the_same_unit() -> None:
    frame = pl.DataFrame(
        {
            "LBTESTCD": ["HGB"] * 2,
            "LBSTRESN": [None, None],
            "LBSTRESU": ["g/L", "g/L"],
            "LBORRES": ["<4", "<4"],
            "LBORRESU": ["g/L", "g/dL"],
        }
    )
    anemia = grade_frame(frame).filter(ATOXDSC="Anemia")
    assert anemia.select("ATOXGR", "REASON").rows() == [(3, None), (None, "NO_VALUE")]


def test_the_last_flagged_baseline_of_the_same_study_subject_test_and_specimen_counts() -> None:
    def row(study: str, specimen: str, value: float, flag: str | None, day: str) -> dict[str, Any]:
        return {
            "STUDYID": study,
            "USUBJID": "A",
            "LBTESTCD": "CREAT",
            "LBSPEC": specimen,
            "LBSTRESN": value,
            "LBSTRESU": "mg/dL",
            "LBSTNRLO": 0.5,
            "LBSTNRHI": 1.2,
            "LBLOBXFL": flag,
            "LBDTC": day,
        }

    frame = pl.DataFrame(
        [
            row("1", "SERUM", 2.0, None, "2026-03-01"),
            row("1", "SERUM", 1.0, "Y", "2026-01-09"),
            row("1", "SERUM", 0.5, "Y", "2026-01-02"),
            row("2", "SERUM", 0.1, "Y", "2026-02-01"),
            row("1", "PLASMA", 0.2, "Y", "2026-02-01"),
        ]
    )
    first = grade_frame(frame).filter(ROW=1, ATOXDSC="Creatinine increased")
    assert first.select("ATOXGR", "CRITERION").rows() == [(2, "> 1.5 × ULN (1.8 mg/dL)")]
    injury = grade_frame(frame).filter(ROW=1, ATOXDSC="Acute kidney injury")
    assert injury.select("ATOXGR", "FLAGS").rows() == [(1, "same_band")]  # exactly twice 1.0 mg/dL


def test_calcium_is_corrected_by_the_albumin_of_that_day_only() -> None:
    def row(test: str, value: float, unit: str, day: str, lln: float, uln: float) -> tuple[Any, ...]:
        return ("A", test, value, unit, lln, uln, None, day)

    frame = _lb(
        row("CA", 7.5, "mg/dL", "2026-02-05T08:00", 8.5, 10.5),
        row("ALB", 20, "g/L", "2026-02-05T09:30", 35, 50),
        row("CA", 7.5, "mg/dL", "2026-03-05", 8.5, 10.5),
        row("CA", 1.875, "mmol/L", "2026-02-05", 2.1, 2.6),
    )
    low = grade_frame(frame).filter(ATOXDSC="Hypocalcemia")
    flag = "calcium_corrected (+ 0.8 mg/dL x (4.0 - albumin in g/dL))"
    assert low.select("ATOXGR", "FLAGS").rows() == [
        (0, flag),  # 7.5 + 0.8 × 2.0 = 9.1
        (2, None),
        (0, "calcium_corrected (+ 0.02 mmol/L x (40 - albumin in g/L))"),  # 2.275
    ]
    reported = grade_frame(frame, {"calcium": "as_reported"}).filter(ATOXDSC="Hypocalcemia")
    assert reported["ATOXGR"].to_list() == [2, 2, 2]
    exact = grading.grade("CA", 7.5, "mg/dL", uln=10.5, lln=8.5, albumin=20, albumin_unit="g/L")
    assert [(r.grade, r.flags) for r in exact] == [(0, (flag,)), (0, (flag,))]


@pytest.mark.parametrize(
    ("domain", "test", "value", "unit", "expected"),
    [
        ("VS", "SYSBP", 165.0, "mmHg", [("Hypertension", 3)]),
        ("VS", "TEMP", 39.5, "C", [("Fever", 2), ("Hypothermia", 0)]),
        ("EG", "QTCFAG", 490.0, "msec", [("Electrocardiogram QT corrected interval prolonged", 2)]),
        ("RE", "FEV1PP", 55.0, "%", [("Forced expiratory volume decreased", 3)]),
        ("CV", "LVEF", 15.0, "%", [("Ejection fraction decreased", 4)]),
    ],
)
def test_findings_domains_other_than_the_laboratory(
    domain: str, test: str, value: float, unit: str, expected: list[tuple[str, int]]
) -> None:
    frame = pl.DataFrame(
        {f"{domain}TESTCD": [test], f"{domain}STRESN": [value], f"{domain}STRESU": [unit], "USUBJID": ["A"]}
    )
    assert grade_frame(frame).select("ATOXDSC", "ATOXGR").rows() == expected


def test_weight_is_compared_with_its_flagged_baseline_in_another_unit() -> None:
    frame = pl.DataFrame(
        {
            "USUBJID": ["A", "A"],
            "VSTESTCD": ["WEIGHT", "WEIGHT"],
            "VSSTRESN": [80.0, 150.0],
            "VSSTRESU": ["kg", "LB"],
            "VSBLFL": ["Y", None],
        }
    )
    loss = grade_frame(frame).filter(ATOXDSC="Weight loss")
    assert loss.select("ATOXGR", "BTOXGR").rows() == [(0, 0), (2, 0)]  # 150 lb are 68.0 kg, 85.0 % of 80 kg


@pytest.mark.parametrize("column", ["VSSTRESN", "VSSTRESC"])
def test_a_value_below_zero_is_a_result_where_it_can_be_one(column: str) -> None:
    frame = pl.DataFrame(
        {
            "USUBJID": ["A"] * 4,
            "VSTESTCD": ["TSCORE", "TSCORE", "STOOLINC", "SYSBP"],
            "VSSTRESU": ["", "", "", "mmHg"],
            "VSBLFL": ["Y", None, None, None],
            column: pl.Series([-1.5, -2.6, -2.0, -9.0]).cast(pl.Float64 if column == "VSSTRESN" else pl.String),
        }
    )
    frame = frame if column == "VSSTRESN" else frame.with_columns(VSSTRESN=pl.lit(None, pl.Float64))
    assert grade_frame(frame).select("ATOXDSC", "ATOXGR", "BTOXGR", "REASON").rows() == [
        ("Osteoporosis", 1, 1, None),
        ("Osteoporosis", 2, 1, None),
        ("Diarrhea", 0, None, None),
        ("Hypertension", None, None, "NOT_NUMERIC"),
    ]


@pytest.mark.parametrize("columns", [["USUBJID", "LBSTRESN"], ["LBTESTCD"], []])
def test_a_table_without_tests_or_results_is_refused_by_name(columns: list[str]) -> None:
    with pytest.raises(ColumnsError, match="LBTESTCD with LBSTRESN"):
        grade_frame(pl.DataFrame({name: ["x"] for name in columns}))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), None, -9.0])
def test_what_is_no_number_never_reaches_a_comparison(value: float | None) -> None:
    for missing in (False, True):
        limit = None if missing else float("nan")
        frame = pl.DataFrame(
            {
                "LBTESTCD": ["ALT", "K"],
                "LBSTRESN": [value, value],
                "LBSTRESU": ["U/L", "mmol/L"],
                "LBSTNRLO": [limit] * 2,
                "LBSTNRHI": [limit] * 2,
            }
        )
        graded = grade_frame(frame)
        assert graded["ATOXGR"].null_count() == graded.height == 3
        assert set(graded["REASON"]) == {"NO_VALUE" if value is None else "NOT_NUMERIC"}


def test_single_precision_and_sums_are_the_decimals_that_they_stand_for() -> None:
    for values in (pl.Series([0.8], dtype=pl.Float32), pl.Series([0.7999999999999999])):
        frame = pl.DataFrame(
            {"LBTESTCD": ["LYM"], "LBSTRESN": values, "LBSTRESU": ["10^9/L"], "LBSTNRLO": [1.0]}
        )
        low = grade_frame(frame).filter(ATOXDSC="Lymphocyte count decreased")
        assert low["ATOXGR"].to_list() == [1]


RESULTS = st.lists(
    st.tuples(
        st.sampled_from(["S-1", "S-2"]),
        st.sampled_from(["ALT", "K", "HGB", "CREAT", "GLUC", "nonsense"]),
        st.one_of(st.none(), st.floats(0, 400), st.just(float("nan"))),
        st.sampled_from(["U/L", "mmol/L", "g/L", "umol/L", "mg/dL", "", None]),
        st.one_of(st.none(), st.integers(1, 20).map(float)),
        st.one_of(st.none(), st.integers(10, 60).map(float)),
        st.sampled_from(["Y", None]),
        st.sampled_from(["2026-01-01", "2026-01", "", None]),
    ),
    min_size=1,
    max_size=12,
)


def _typed(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    return VISITS.clear().vstack(pl.DataFrame(rows, schema=VISITS.schema, orient="row"))


@settings(max_examples=25, deadline=None)
@given(RESULTS)
def test_no_row_is_lost_repeated_or_moved(rows: list[tuple[Any, ...]]) -> None:
    frame = _typed(rows)
    graded = grade_frame(frame)
    assert graded["ROW"].is_sorted()
    assert graded["ROW"].unique(maintain_order=True).to_list() == list(range(1, frame.height + 1))
    assert graded.unique("ROW", maintain_order=True).select(frame.columns).equals(frame)
    assert not graded.select("ROW", "ATOXDSC").is_duplicated().any()
    assert graded.select((pl.col("ATOXGR").is_null() == pl.col("REASON").is_not_null()).all()).item()


@settings(max_examples=25, deadline=None)
@given(RESULTS, RESULTS)
def test_other_patients_rows_change_nothing(
    rows: list[tuple[Any, ...]], others: list[tuple[Any, ...]]
) -> None:
    strangers = [(f"other {subject}", *rest) for subject, *rest in others]
    alone = grade_frame(_typed(rows))
    among = grade_frame(_typed([*rows, *strangers])).filter(pl.col("ROW") <= len(rows))
    assert among.equals(alone)


@pytest.mark.parametrize("study", ["hcc_synth_demo", "pilot_low"])
def test_the_worked_results_cell_for_cell(shared: Path, study: str) -> None:
    """20 terms graded by the limits alone, by the counting rules of the reference tables."""
    graded = grade_frame(
        pl.read_csv(shared / "data" / study / "lb.csv", infer_schema_length=None),
        {"preset": "standard", "baseline_arm": "off"},
    )
    worked = pl.read_csv(shared / "reference/tables" / study / "_lab_graded.csv", infer_schema_length=None)
    keys = ["USUBJID", "LBSEQ", "term"]
    both = worked.select(*keys, "grade").join(graded.rename({"ATOXDSC": "term"}), on=keys, how="left")
    assert both.height == worked.height > 6000
    assert both.filter(pl.col("grade").ne_missing(pl.col("ATOXGR"))).is_empty()


def test_thousands_of_unknown_units_are_unknown_each() -> None:
    """More keys than a narrow number of the outcome could tell apart."""
    n = 3000
    table = pl.DataFrame({"LBTESTCD": ["ALT", "K"] * (n // 2), "LBSTRESN": [100.0, 4.0] * (n // 2),
                          "LBSTRESU": [f"unit {i}" for i in range(n)], "LBSPEC": ["SERUM" if i % 2 else "" for i in range(n)],
                          "LBSTNRHI": [40.0, 5.0] * (n // 2), "LBSTNRLO": [5.0, 3.5] * (n // 2)})  # fmt: skip
    graded = grade_frame(table)
    assert graded.filter(ATOXDSC="Alanine aminotransferase increased")["ATOXGR"].to_list() == [1] * (n // 2)
    potassium = graded.filter(ATOXDSC="Hyperkalemia").select("ATOXGR", "REASON", "FLAGS").unique()
    assert potassium.rows() == [(0, None, None)]


def test_the_codes_are_those_of_the_words() -> None:
    codes, plan = grade_codes(VISITS)
    words = grade_frame(VISITS)
    assert codes.start.tolist() == [0, 1, 2, 4, 6, 7, 8]
    assert [None if grade < 0 else grade for grade in codes.grade.tolist()] == words["ATOXGR"].to_list()
    assert [plan.outcome(outcome, 0.0).term for outcome in codes.outcome.tolist()] == words["ATOXDSC"].to_list()
    assert [None if base < 0 else base for base in codes.base.tolist()] == words["BTOXGR"].to_list()
