"""Unit spellings, conversions by analyte, and refusals."""

from __future__ import annotations

import csv
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctcae_v403 import units
from ctcae_v403.units import Analyte, UnknownUnit, analyte, analytes, candidates, convert, explain, factor, suggestions

# Analyte, what one of each spelling is in the unit named, the spellings. CDISC's submission values and synonyms
# (UNIT, 2025-09-26) and UCUM codes are among them; blanks stand between spellings where none has one.
SPELLINGS: list[tuple[str, str, str, str | list[str]]] = [
    ("WBC", "1000", "/mm3", "10^9/L 10*9/L 10**9/L 10E9/L 10e9/l 1E9/L 10E09/L 10⁹/L ×10⁹/L x10^9/L X10^9/L x10E3/uL G/L "
     "GI/L giga/L Giga/L Gpt/L Mrd/L Mia/l /nL 1/nL 10^3/uL 10*3/uL 10^3/µL 10^3/μL 10E3/mcL 10^3/mm3 10^3/mm³ K/uL k/ul "
     "K/µL K/mcL K/cumm THOU/uL Thou/mcL thousand/uL tsd/µL Tsd./µl 10^6/mL billion/L 10*3{cells}/uL 10*9{cells}/L 10^9cells/L"),
    ("WBC", "1000", "/mm3", ["x 10^9 / L", "10 ^ 9 / L", "10^3 cells/uL", "Giga per Liter", "10^9 cells per litre", "K/cu mm",
                             "K/cu.mm", "10^9 L-1", "10⁹·L⁻¹", "１０＾９／Ｌ", "10(9)/L", "thousand / µL"]),
    ("WBC", "1", "/mm3",
     "/mm3 /mm³ /uL /µL /mcL 1/uL cells/uL cells/mm3 cell/mm3 {cells}/uL {#}/uL #/uL 10^6/L 10*6/L M/L Mega/L "
     "10^3/mL /cmm cells/cumm /㎕ /㎣"),
    ("WBC", "1", "/mm3", ["cells per microliter", "cells / cu mm", "10^6 cells/L"]),
    ("WBC", "1000000", "/mm3", "10^12/L 10*12/L T/L TI/L Tera/L /pL 10^6/uL M/uL m/uL 10^6/mm3 Mill/mcL million/uL mio/µL"),
    ("PLT", "10000", "/mm3", "10^4/uL 10*4/uL 万/μL 10^10/L 10^4/mm3 10^7/mL"),
    ("PLT", "100000", "/mm3", "lakh/cumm lakhs/mm3 10^5/uL 10^11/L 10^8/mL"),
    ("PLT", "100", "/mm3", "10^2/uL 10^8/L 10^5/mL"),
    ("HGB", "1", "g/dL", "g/dL g/dl G/DL gm/dL gm/dl g% gm% g/100mL g·dL⁻¹ g.dL-1 ｇ／ｄＬ"),
    ("HGB", "1", "g/dL", ["g / dL", "gram per deciliter", "Grams per Deciliter", "g dL-1", "g/100 mL"]),
    ("HGB", "0.1", "g/dL", "g/L G/L g/l mg/mL ug/uL kg/m3 g.L-1"),
    ("HGB", "1.6114", "g/dL", "mmol/L MMOL/L mM mmol·L⁻¹"),
    ("CREAT", "1", "mg/dL", "mg/dL mg/dl MG/DL Mg/dL mg% mg/100mL mg·dL⁻¹ ㎎/㎗ mg/㎗"),
    ("CREAT", "1", "mg/dL", ["Milligram per Deciliter", "mg / dl", "mg dL-1", "mg/100 ml"]),
    ("CREAT", "0.1", "mg/dL", "mg/L mg/l ug/mL µg/mL mcg/mL g/m3 ng/uL"),
    ("CREAT", "0.011312", "mg/dL", "umol/L µmol/L μmol/L UMOL/L mcmol/L umol/l uM µM nmol/mL µmol.L-1 Âµmol/L Î¼mol/L"),
    ("CREAT", "11.312", "mg/dL", "mmol/L umol/mL mol/m3"),
    ("GLUC", "18.0156", "mg/dL", "mmol/L MMOL/L Mmol/L mmol/l mmol{Glc}/L mM"),
    ("K", "1", "mmol/L", "mmol/L mEq/L meq/L MEQ/L mval/L umol/mL uEq/mL"),
    ("CA", "2.0039", "mg/dL", "mEq/L meq/L"),
    ("CA", "4.0078", "mg/dL", "mmol/L"),
    ("MG", "1.21525", "mg/dL", "mEq/L"),
    ("ALT", "1", "U/L", "U/L u/l IU/L [IU]/L iu/l UI/L IE/L E/l mU/mL mIU/mL m[IU]/mL umol/min/L µmol/(min.L)"),
    ("ALT", "1", "U/L", ["units/L", "Unit per Liter", "International units / L", "umol/min/L"]),
    ("ALT", "1000", "U/L", "kU/L KU/L k[IU]/L U/mL IU/mL"),
    ("ALT", "0.001", "U/L", "mU/L mIU/L m[IU]/L uU/mL u[IU]/mL"),
    ("ALT", "60", "U/L", "ukat/L µkat/L μkat/l ukat/l umol/s/L"),
    ("ALT", "0.06", "U/L", "nkat/L nmol/(s.L)"),
    ("TROPT", "0.001", "ng/mL", "ng/L pg/mL NG/L pg/ml"),
    ("TROPT", "1", "ng/mL", "ng/mL ug/L µg/L mcg/L ng/ml"),
    ("INR", "1", "1", ["1", "", "ratio", "RATIO", "{ratio}", "{INR}", "INR", "NO UNITS", "None", "fraction of 1"]),
    ("PH", "1", "1", ["[pH]", "pH", "", "{pH}", "pH units"]),
    ("LVEF", "1", "%", ["%", "％", "percent", "PERCENT", "pct"]),
    ("LVEF", "100", "%", ["fraction of 1", "FRACTION OF 1", "fraction", "Proportion of 1", "1", "ratio"]),
    ("FEV1PP", "1", "%", ["%", "% predicted", "%{predicted}", "% of predicted", "percent predicted", "% pred"]),
    ("EGFR", "1", "mL/min/1.73 m2", ["mL/min/1.73 m2", "mL/min/1.73m2", "mL/min/{1.73_m2}", "mL/min/1.73m²", "ml/min/1,73 m2",
                                     "mL/min/1.73 m^2", "mL/min/1.73m*2", "mL/min", "mL/min per 1.73 m2", "mL/min/1.73 sq m",
                                     "mL·min⁻¹·1.73m⁻²", "ML/MIN/1.73M2", "mL/min (1.73 m2)"]),
    ("EGFR", "60", "mL/min/1.73 m2", ["mL/s", "mL/sec", "mL/s/1.73 m2", "mL/sec/1.73m2"]),
    ("PROTEXR", "1", "g/24 h", ["g/24 h", "g/24h", "g/day", "g/d", "g/(24.h)", "g/24hr", "g per 24 hours", "G/24HRS"]),
    ("PROTEXR", "0.001", "g/24 h", ["mg/24 h", "mg/day", "mg/(24.h)", "mg/24hrs"]),
    ("PROTEXR", "0.00144", "g/24 h", ["ug/min", "µg/min"]),
    ("UPCR", "1", "1", ["mg/mg", "g/g", "kg/kg", "ug/ug", "ratio", "mg/mg{creat}", "g/g creatinine"]),
    ("UPCR", "0.001", "1", ["mg/g", "g/kg", "ug/mg", "mg/g creat", "mg/g{creat}"]),
    ("UPCR", "0.01", "1", ["%"]),
    ("SPERM", "1", "10^6/mL", ["10^6/mL", "10*6/mL", "million/mL", "M/mL", "10^6 sperm/mL", "10^9/L", "10*6{spermatozoa}/mL",
     "/nL"]),
    ("SPERM", "0.000001", "10^6/mL", ["{spermatozoa}/mL", "/mL", "10^3/L"]),
    ("APTT", "1", "s", "s sec sec. secs SEC seconds"),
    ("QTCF", "1", "ms", "ms msec MSEC milliseconds"),
    ("QTCF", "1000", "ms", "s sec"),
    ("SYSBP", "1", "mmHg", ["mmHg", "mm[Hg]", "mm Hg", "MMHG", "㎜Hg", "mm of Hg", "Torr"]),
    ("TEMP", "1", "degC", ["C", "Cel", "°C", "℃", "ºC", "degC", "deg C", "Degree Celsius", "DEGREES C", "Â°C"]),
    ("WEIGHT", "1", "kg", "kg KG kgs kilogram"),
    ("WEIGHT", "0.45359237", "kg", "LB lb lbs [lb_av] lb_av pounds"),
    ("BMI", "1", "kg/m2", ["kg/m2", "kg/m^2", "kg/m²", "kg/m*2", "KG/M2"]),
    ("DLCO", "1", "mL/min/mmHg", ["mL/min/mmHg", "ml/min/mm Hg", "mL/min/mm[Hg]", "mL/(min.mmHg)", "mL·min⁻¹·mmHg⁻¹",
     "mL/mmHg/min",
                                  "Milliliter per Minute per Torr"]),
    ("DLCO", "2.987", "mL/min/mmHg", ["mmol/min/kPa", "mmol/(min.kPa)", "mmol·min⁻¹·kPa⁻¹", "MMOL/MIN/KPA"]),
    ("STOOLCNT", "1", "/24 h", ["/24 h", "/day", "/d", "per day", "stools/day", "stools per 24 hours", "/(24.h)", "{stools}/d",
     "", "1"]),
    ("VOMIT24H", "1", "/24 h", ["episodes/24 h", "episodes/day", "{episodes}/d", "times/day"]),
    ("UVOL24H", "1", "mL/24 h", ["mL/24 h", "mL/day", "mL/(24.h)", "mL/24h", "mL", "cc", "ml/d"]),
    ("UOUT8H", "1", "mL/8 h", ["mL/8 h", "mL/8hr", "mL"]),
    ("LIMBLEN", "1", "cm", "cm CM centimeters"),
    ("LIMBLEN", "2.54", "cm", "in [in_i] inches"),
    ("COBB", "1", "degrees", "deg ° degrees DEG"),
    ("HEARSH2F", "1", "dB", ["dB", "dB HL", "dB{HL}", "DB", "㏈"]),
    ("TSCORE", "1", "SD", ["SD", "T-score", "", "{Tscore}"]),
    ("FETWTPCT", "1", "percentile", ["percentile", "%ile", "th percentile", "%"]),
    ("GESTAGE", "1", "weeks", ["weeks", "wk", "WEEKS"]),
    ("MENOAGE", "1", "years", ["years", "YEARS", "a", "y", "yr"]),
]  # fmt: skip
CASES = [
    (test, one, of, spelling)
    for test, one, of, spellings in SPELLINGS
    for spelling in (spellings.split() if isinstance(spellings, str) else spellings)
]


@pytest.mark.parametrize(("test", "one", "of", "spelling"), CASES)
def test_what_one_of_each_spelling_is(test: str, one: str, of: str, spelling: str) -> None:
    assert factor(analyte(test), spelling, of) == Fraction(one)


PRINTED = {  # units that the standard prints -> analytes whose criteria print them, and how the table spells words
    "mmol/L": "GLUC", "mg/dL": "GLUC", "g/dL": "HGB", "g/L": "ALB", "/mm3": "ANC", "10^9/L": "ANC", "umol/L": "URATE",
    "%": "LVEF",
    "% predicted": "FEV1PP", "mmHg": "SYSBP", "degC": "TEMP", "degF": "TEMP", "cm": "LIMBLEN", "ml/min/mm Hg": "DLCO",
    "ms": "QTC",
    "pH": "PH", "mL/min/1.73 m2": "EGFR", "weeks": "GESTAGE", "ratio": "UPCR", "g/24 h": "PROTEXR", "stools/day": "STOOLCNT",
    "stools/24 h": "STOOLUNF", "episodes/24 h": "VOMITEPI", "kg/m2": "BMI", "mL/min": "SALFLOW", "million/mL": "SPERM",
    "years": "MENOAGE", "percentile": "FETWTPCT", "degrees": "COBB", "T-score": "TSCORE", "mL/8 h": "UOUT8H",
    "mL/24 h": "UVOL24H",
    "SD": "HEIGHTSD", "mL": "PLEURBLD",
}  # fmt: skip
NO_UNIT_OF_A_RESULT = {  # of the standard's table: multiples, areas and doses that no analyte of ours measures
    "xULN", "xLLN", "xBaseline", "assay units", "dipstick", "% BSA", "% (points vs relative not stated)", "mL/h", "kg", "",
}  # fmt: skip


def test_every_unit_printed_in_the_standard_is_read(shared: Path) -> None:
    with (shared / "reference/ctcae_v403/numeric_thresholds.csv").open(encoding="utf-8") as file:
        printed = {row["unit"] for row in csv.DictReader(file)}
    assert printed - NO_UNIT_OF_A_RESULT == set(PRINTED)
    for spelling, test in PRINTED.items():
        units.unit(analyte(test), spelling)


@pytest.mark.parametrize(
    ("test", "source", "target", "expected"),
    [
        ("PHOS", "mmol/L", "mg/dL", Fraction("3.0974")),
        ("UPCR", "mg/mmol", "1", Fraction(10) / Fraction("1131.2")),
        ("UPCR", "g/mol", "mg/mmol", 1),
        ("UPCR", "kg/mol", "g/mmol", 1),
        ("APTT", "min", "sec", 60),
        ("SYSBP", "kPa", "mm Hg", 1 / Fraction("0.133322387415")),
        ("SYSBP", "Pa", "kPa", Fraction(1, 1000)),  # UCUM, not in our table
        ("GLUC", "mmol/L{RBCs}", "mmol/L", 1),  # UCUM with an annotation
        ("WEIGHT", "[oz_av]", "lb", Fraction(1, 16)),
        ("GESTAGE", "days", "weeks", Fraction(1, 7)),
        ("MENOAGE", "months", "years", Fraction(1, 12)),
        ("STOOLCNT", "/wk", "/24 h", Fraction(1, 7)),
        ("LIMBLEN", "mm", "cm", Fraction(1, 10)),  # the same letters are mmol/L in blood
        ("K", "mM", "mmol/L", 1),
        ("TEMP", "C", "degC", 1),
    ],
)
def test_conversions(test: str, source: str, target: str, expected: Fraction) -> None:
    assert factor(analyte(test), source, target) == expected


def test_the_printed_factor_of_carbon_monoxide_is_that_of_the_gas() -> None:
    """1 mmol/min/kPa = 22.414 mL (a mole at STPD) / 7.50062 mmHg: the printed 2.987 is 0.04 % less, of a real gas."""
    ideal = Fraction("22.414") / Fraction("7.50062")
    assert float(ideal) == pytest.approx(2.98829, abs=5e-6)
    assert abs(factor(analyte("DLCO"), "mmol/min/kPa", "mL/min/mmHg") / ideal - 1) < Fraction(5, 10_000)


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        ("37", "degC", "degF", "98.6"),
        ("104.0", "°F", "°C", "40"),
        ("98.6", "F", "C", "37"),
        ("310.15", "K", "Cel", "37"),
        ("310.15", "K", "[degF]", "98.6"),
        ("-40", "C", "F", "-40"),
    ],
)
def test_temperatures_whose_zeros_differ(value: str, source: str, target: str, expected: str) -> None:
    assert convert(Decimal(value), analyte("TEMP"), source, target) == Fraction(expected)
    with pytest.raises(UnknownUnit, match="their zeros differ"):
        factor(analyte("TEMP"), source, target)


# One healthy value in each usual unit: within 2 % the same, so that no wrong factor hides.
HEALTHY = """
ALT: 25 U/L = 0.417 ukat/L = 0.025 U/mL = 25000 mU/L = 25 IU/L
AST: 25 U/L = 0.417 ukat/L = 0.025 U/mL = 25000 mU/L
ALP: 80 U/L = 1.33 ukat/L = 0.080 U/mL = 80000 mU/L
GGT: 30 U/L = 0.5 ukat/L = 0.030 U/mL = 30000 mU/L
CK: 120 U/L = 2.0 ukat/L = 0.120 U/mL = 120000 mU/L
LIPASET: 30 U/L = 0.5 ukat/L = 0.030 U/mL = 30000 mU/L
AMYLASE: 60 U/L = 1.0 ukat/L = 0.060 U/mL = 60000 mU/L
BILI: 0.6 mg/dL = 10.3 umol/L = 6 mg/L
CREAT: 0.9 mg/dL = 79.6 umol/L = 0.0796 mmol/L
ALB: 4.2 g/dL = 42 g/L = 632 umol/L
HGB: 14 g/dL = 140 g/L = 8.69 mmol/L
WBC: 6.0 10^9/L = 6.0 10^3/uL = 6000 /mm3 = 6000 /uL = 6000 cells/uL = 6000 10^6/L = 6.0 10^6/mL = 6.0 K/uL
ANC: 3.5 10^9/L = 3500 /mm3 = 3.5 G/L = 3.5 K/uL = 3.5 10^3/uL = 3500 10^6/L = 3.5 10^6/mL
LYM: 1.8 10^9/L = 1800 /mm3 = 1.8 K/uL = 1.8 10^3/uL = 1800 10^6/L = 1.8 10^6/mL
CD4: 0.8 10^9/L = 800 /mm3 = 800 cells/uL = 0.8 K/uL = 0.8 10^3/uL = 800 10^6/L = 0.8 10^6/mL
PLAT: 250 10^9/L = 250000 /mm3 = 25 10^4/uL = 2.5 lakh/cumm = 250 K/uL = 250 10^3/uL = 250000 10^6/L = 250 10^6/mL
K: 4.2 mmol/L = 4.2 mEq/L = 16.4 mg/dL
SODIUM: 140 mmol/L = 140 mEq/L = 322 mg/dL
CA: 9.5 mg/dL = 2.37 mmol/L = 4.74 mEq/L
CACR: 9.5 mg/dL = 2.37 mmol/L = 4.74 mEq/L
CAION: 1.20 mmol/L = 4.81 mg/dL = 2.40 mEq/L
MG: 2.0 mg/dL = 0.823 mmol/L = 1.65 mEq/L
PHOS: 3.5 mg/dL = 1.13 mmol/L = 35 mg/L
GLUC: 90 mg/dL = 5.0 mmol/L = 0.90 g/L
GLUCF: 90 mg/dL = 5.0 mmol/L = 0.90 g/L
URATE: 5.0 mg/dL = 297 umol/L = 0.297 mmol/L
CHOL: 180 mg/dL = 4.66 mmol/L = 1.80 g/L
TRIG: 100 mg/dL = 1.13 mmol/L = 1.0 g/L
FIBRINO: 300 mg/dL = 3.0 g/L = 8.82 umol/L
HAPTOG: 120 mg/dL = 1.2 g/L = 1200 mg/L
APTT: 30 s = 30 sec
INR: 1.0 1 = 1.0 ratio
PH: 7.40 1 = 7.40 pH
TROPONI: 0.010 ng/mL = 10 ng/L = 10 pg/mL = 0.010 ug/L
TROPONT: 0.010 ng/mL = 10 ng/L = 10 pg/mL = 0.010 ug/L
GFRE: 90 mL/min/1.73 m2 = 90 mL/min = 1.5 mL/s
CREATCLR: 100 mL/min = 1.67 mL/s = 100 mL/min/1.73 m2
PROTEXR: 0.10 g/24 h = 100 mg/24 h = 0.10 g/day = 100 mg/day = 69.4 ug/min
PROTCRT: 0.10 1 = 100 mg/g = 11.3 mg/mmol = 0.10 mg/mg = 0.10 g/g = 10 %
SPERM: 60 10^6/mL = 60 10^9/L = 60 million/mL
SPERMMTL: 60 % = 0.60 fraction of 1
SYSBP: 120 mmHg = 16.0 kPa = 163 cmH2O
DIABP: 75 mmHg = 10.0 kPa = 102 cmH2O
BP: 120 mmHg = 16.0 kPa = 163 cmH2O
TEMP: 36.8 degC = 98.2 degF = 310 K = 36.8 C = 98.2 F
WEIGHT: 70 kg = 154 lb = 70000 g
BMI: 22 kg/m2 = 0.0313 lb/in2
OXYSAT: 98 % = 0.98 fraction of 1
OXYSATEX: 96 % = 0.96 fraction of 1
PAO2: 95 mmHg = 12.7 kPa = 129 cmH2O
QTCFAG: 410 ms = 0.410 s = 410 msec
LVEF: 60 % = 0.60 fraction of 1
FEV1PP: 95 % = 0.95 fraction of 1
FVCPP: 95 % = 0.95 fraction of 1
DLCO: 25 mL/min/mmHg = 8.37 mmol/min/kPa
UOUT8H: 500 mL/8 h = 0.5 L/8 h = 500 mL
UVOL24H: 1500 mL/24 h = 1.5 L/24 h = 1500 mL = 1500 mL/day
STOOLCNT: 1 /24 h = 7 /week = 1 /day
STOOLINC: 1 /24 h = 7 /week = 1 /day
VOMITEPI: 1 /24 h = 7 /week = 1 /day
STOOLUNF: 1 /24 h = 7 /week = 1 /day
LIMBVOL: 2 % = 0.02 fraction of 1
LIMBCIRC: 2 % = 0.02 fraction of 1
MARCELRD: 10 % = 0.10 fraction of 1
GROWVRED: 10 % = 0.10 fraction of 1
GROWCRED: 10 % = 0.10 fraction of 1
ROMLOSS: 10 % = 0.10 fraction of 1
LUNGFIB: 5 % = 0.05 fraction of 1
HAIRLOSS: 5 % = 0.05 fraction of 1
HTLOSS: 1.0 cm = 10 mm = 0.010 m = 0.394 in
LIMBLEN: 1.0 cm = 10 mm = 0.010 m = 0.394 in
ULCSIZE: 1.0 cm = 10 mm = 0.010 m = 0.394 in
PLEURBLD: 50 mL = 0.05 L
GESTAGE: 39 weeks = 273 days
MENOAGE: 51 years = 612 months
"""
SAME = [(row.partition(":")[0], row.partition(":")[2].split(" = ")) for row in HEALTHY.strip().splitlines()]


@pytest.mark.parametrize(("test", "values"), SAME, ids=[test for test, _ in SAME])
def test_a_healthy_value_is_the_same_in_every_usual_unit(test: str, values: list[str]) -> None:
    of = analyte(test)
    pairs = [value.split(maxsplit=1) for value in values]
    first, *others = (convert(Decimal(number), of, unit, of.canonical) for number, unit in pairs)
    assert all(abs(other / first - 1) < Fraction(2, 100) for other in others)


def test_every_usual_unit_of_another_size_is_in_that_table() -> None:
    listed = {analyte(test).name: {value.split(maxsplit=1)[1] for value in values} for test, values in SAME}
    for each in (each for each in analytes() if each.codes):
        usual = suggestions(each, "", n=99)
        sized = {s for s in usual if units.line(each, s, each.canonical) != (1, 0)}
        assert sized <= listed.get(each.name, set()), each.name
    assert {"alt", "glucose", "temperature", "qtc"} <= set(listed)


PREFIX = {"k": 10**3, "": 1, "m": Fraction(1, 10**3), "u": Fraction(1, 10**6), "n": Fraction(1, 10**9), "p": Fraction(1, 10**12),
          "f": Fraction(1, 10**15), "d": Fraction(1, 10), "c": Fraction(1, 100)}  # fmt: skip


@pytest.mark.parametrize(
    ("dimension", "symbol", "base"),
    [("mass", "g", 1), ("amount", "mol", 1), ("equivalent", "Eq", 1), ("activity", "U", 1), ("activity", "kat", 60_000_000)],
)
def test_factors_of_quotients_are_those_of_their_prefixes(dimension: str, symbol: str, base: int) -> None:
    checked = 0
    for unit in set(chain.from_iterable(units._table().values())):
        top, _, bottom = unit.label.partition("/")
        if unit.dimension == dimension and top.endswith(symbol) and top[: -len(symbol)] in PREFIX and bottom.endswith("L"):
            assert unit.factor == Fraction(PREFIX[top[: -len(symbol)]] * base) / PREFIX[bottom[:-1]], unit
            checked += 1
    assert checked >= 16


def test_factors_are_those_of_the_unit_library() -> None:
    """Every label of our table that is a UCUM code too means the same amount there."""
    agreed = 0
    for unit in sorted(set(chain.from_iterable(units._table().values())), key=lambda u: (u.dimension, u.label)):
        code = unit.label.replace("^", "*").replace("24 h", "d").replace("mmHg", "mm[Hg]").replace("cmH2O", "cm[H2O]")
        code = {"lb": "[lb_av]", "oz": "[oz_av]", "in": "[in_i]", "days": "d", "day": "d", "weeks": "wk"}.get(code, code)
        for theirs in units._ucum(code):
            if theirs.dimension == unit.dimension and not unit.zero and unit.label not in ("no unit", "1"):
                assert float(unit.factor) == pytest.approx(float(theirs.factor), rel=1e-6), (unit, theirs)
                agreed += 1
    assert agreed > 100


def test_no_spelling_means_two_sizes_of_one_kind() -> None:
    for key, readings in units._table().items():
        kinds = [reading.dimension for reading in readings]
        sizes = {(reading.dimension, reading.factor, reading.zero) for reading in readings}
        assert len(sizes) == len(set(kinds)), (key, readings)


@pytest.mark.parametrize(
    ("test", "spelling", "message"),
    [
        ("K", "bananas", "Potassium: 'bananas' is no unit we know; did you mean mmol/L, mEq/L or mg/dL?"),
        ("HGB", "g/dLL", "Hemoglobin: 'g/dLL' is no unit we know; did you mean g/dL, g/L or mmol/L?"),
        ("WBC", "mg/dL", "Leukocytes: 'mg/dL' does not measure leukocytes; did you mean"),
        ("ALT", "mmol/L", "does not measure alanine aminotransferase"),
        ("HGB", "", "Hemoglobin: no unit is stated; usual are g/dL, g/L and mmol/L."),
        ("HGB", "mg", "does not measure hemoglobin"),
        ("LYM", "%", "does not measure lymphocytes; did you mean"),
        ("WBC", "10-9/L", "is no unit we know"),
        ("WBC", "10^33/uL", "is no unit we know"),
        ("WBC", "mil/mm3", "is no unit we know"),  # a thousand in Spanish, a million in English
        ("WBC", "MM/uL", "is no unit we know"),
        ("INR", "%", "does not measure prothrombin international"),  # Quick's percentage is no multiple of INR
        ("PH", "%", "does not measure blood ph"),
        ("LVEF", "NO UNITS", "does not measure left ventricular ejection fraction"),  # 55 or 0.55?
        ("LVEF", "", "no unit is stated"),
        ("UPCR", "none", "does not measure urine protein/creatinine"),
        ("EGFR", "mL/min/m2", "is no unit we know"),
        ("DLCO", "%", "does not measure carbon monoxide diffusing capacity"),
        ("DLCO", "mL/min", "does not measure"),
        ("CREAT", "?mol/L", "did you mean umol/L, mmol/L or mg/dL?"),
        ("QTC", "beats/min", "did you mean ms"),
    ],
)
def test_what_is_not_a_unit_of_the_analyte_is_refused_by_name(test: str, spelling: str, message: str) -> None:
    with pytest.raises(UnknownUnit) as refusal:
        units.unit(analyte(test), spelling)
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    ("test", "spelling", "one"),
    [
        ("ALT", "mU/L", "0.001"),
        ("ALT", "mu/l", "0.001"),
        ("ALT", "MU/L", None),  # an upper-case export, or mega
        ("ALT", "MIU/L", None),
        ("ALT", "MU/ML", None),
        ("ALT", "M[IU]/L", None),
        ("ALT", "Mkat/L", None),
        ("GLUC", "Mmol/L", "18.0156"),  # nobody reports megamoles
        ("GLUC", "MMOL/L", "18.0156"),
        ("CREAT", "Mg/dL", "1"),
        ("CREAT", "MG/DL", "1"),
        ("WBC", "M/uL", "1000000"),  # as CDISC: counts are never in thousandths
        ("WBC", "m/uL", "1000000"),
        ("WBC", "M/L", "1"),
        ("HGB", "G/DL", "1"),
        ("TROPT", "PG/ML", "0.001"),
        ("QTC", "MS", "1"),
        ("SYSBP", "MMHG", "1"),
        ("TEMP", "c", "1"),
    ],
)
def test_case_makes_no_slip(test: str, spelling: str, one: str | None) -> None:
    of = analyte(test)
    if one is None:
        with pytest.raises(UnknownUnit, match="could be milli or mega; did you mean"):
            units.unit(of, spelling)
    else:
        assert units.unit(of, spelling)[1] == Fraction(one)


@given(st.sampled_from(CASES), st.data())
def test_dress_makes_no_difference(case: tuple[str, str, str, str], data: st.DataObject) -> None:
    """Blanks around the slash, full-width letters and lower case leave a reading as it is."""
    test, one, of, spelling = case
    dressed = spelling
    if data.draw(st.booleans()) and not any(ord(c) > 126 for c in spelling):
        dressed = "".join(chr(ord(c) + 0xFEE0) if c != " " else "\N{IDEOGRAPHIC SPACE}" for c in dressed)
    if data.draw(st.booleans()):
        dressed = dressed.replace("/", data.draw(st.sampled_from([" /", "/ ", " / ", "∕", "\N{NO-BREAK SPACE}/"])))
    if data.draw(st.booleans()):
        dressed = dressed.lower()
    assert factor(analyte(test), f" {dressed} ", of) == Fraction(one)


@pytest.mark.parametrize("each", analytes(), ids=lambda each: each.name)
def test_every_unit_of_every_analyte_round_trips(each: Analyte) -> None:
    read = {key: units._read(each, key) for key in units._table()}
    keys = {found[0]: key for key, found in read.items() if found}.values()
    usual = suggestions(each, "", n=99)
    assert each.canonical in usual
    assert units.unit(each, each.canonical)[1] == 1
    value = Fraction("7.3")
    for source in [*keys, *usual]:
        for target in usual:
            assert convert(convert(value, each, source, target), each, target, source) == value


def test_suggestions_can_be_typed() -> None:
    for each in analytes():
        for spelling in ("", "bananas", "mg/dLL", "10^99/L", "MU/L", "％％"):
            found = suggestions(each, spelling)
            assert 1 <= len(found) <= 3
            assert found == list(dict.fromkeys(found))
            for typed in found:
                units.unit(each, typed)


@pytest.mark.parametrize(
    ("test", "specimen", "unit", "sentence"),
    [
        ("CREAT", "SERUM", "mg/dL", None),
        ("creat", None, "µmol/L", None),
        ("INR", "PLASMA", "", None),
        ("PROT", "URINE", "g/24 h", None),
        ("PROT", "URINE", "", None),  # the dipstick needs none
        ("CREATT", None, "mg/dL", "Test code 'CREATT' is not known; the nearest known are CREAT (Creatinine) and"),
        ("NEUTT", None, "/uL", "Test code 'NEUTT' is not known; the nearest known is NEUT (Neutrophils)."),
        ("XYZZY", None, "/uL", "Test code 'XYZZY' is not known, nor one near it."),
        ("", None, "/uL", "No test code is stated."),
        (None, None, None, "No test code is stated."),
        ("CREAT", "CSF", "mg/dL", "CREAT is creatinine in specimen BLOOD, SERUM or PLASMA only, not in 'CSF'."),
        ("PROT", "", "g/L", "only, not in one that is not stated."),
        (
            "SYSBP",
            "BLOOD",
            "mmHg",
            "SYSBP is systolic blood pressure, measured on the patient and not in specimen 'BLOOD'; leave",
        ),
        ("HGB", "BLOOD", "gdl", "Hemoglobin: 'gdl' is no unit we know; did you mean g/dL, g/L or mmol/L?"),
        ("ALT", "SERUM", "MU/L", "Alanine aminotransferase: 'MU/L' could be milli or mega; did you mean mU/L"),
        ("ALT", "SERUM", None, "Alanine aminotransferase: no unit is stated; usual are U/L, IU/L and ukat/L."),
    ],
)
def test_why_nothing_can_be_read_is_one_sentence(
    test: str | None, specimen: str | None, unit: str | None, sentence: str | None
) -> None:
    said = explain(test, specimen, unit)
    assert (said is None) == (sentence is None)
    assert (sentence or "") in (said or "")


@pytest.mark.parametrize(
    ("codes", "name"),
    [  # CDISC submission values
        ("ALT", "alt"), ("AST", "ast"), ("ALP", "alp"), ("GGT", "ggt"), ("CK", "ck"), ("LIPASET", "lipase"), ("AMYLASE",
         "amylase"),
        ("BILI", "bilirubin"), ("CREAT", "creatinine"), ("ALB", "albumin"), ("HGB", "hemoglobin"), ("WBC", "leukocytes"),
        ("NEUT NEUTSGB", "neutrophils"), ("LYM", "lymphocytes"), ("PLAT", "platelets"), ("K", "potassium"), ("SODIUM", "sodium"),
        ("CA", "calcium"), ("CACR CACRALB", "calcium_corrected"), ("CAION CAIONPH", "calcium_ionized"), ("MG", "magnesium"),
        ("PHOS", "phosphate"), ("GLUC GLUCPE", "glucose"), ("URATE", "urate"), ("CHOL", "cholesterol"), ("TRIG", "triglycerides"),
        ("FIBRINO", "fibrinogen"), ("HAPTOG", "haptoglobin"), ("APTT PTT", "aptt"), ("INR", "inr"), ("TROPONI TROPONI3",
         "troponin_i"),
        ("TROPONT", "troponin_t"), ("GFR GFRE GFREI GFRENI GFRBSA GFRBSCRT GFRBSCYC GFRBSCCC GFRBSB2M", "gfr"),
        ("CREATCLR CRTCLRE CRTCLRBS", "creatinine_clearance"), ("PROTEXR", "urine_protein_24h"),
        ("PROTCRT", "urine_protein_creatinine"),
        ("SPERM", "sperm_concentration"), ("SPERMMTL SPMMSPM", "sperm_motility"), ("SYSBP", "systolic_bp"), ("DIABP",
         "diastolic_bp"),
        ("TEMP", "temperature"), ("WEIGHT", "weight"), ("BMI", "bmi"), ("OXYSAT", "oxygen_saturation"),
        ("FTWTGAPL", "fetal_weight_percentile"), ("QTCFAG QTCFSB QTCBAG QTCBSB QTCUNS QTCUNSAG QTCUNSSB", "qtc"),
        # PARAMCD of public ADaM test data
        ("ALKPH", "alp"), ("POTAS", "potassium"), ("CHOLES", "cholesterol"), ("LYMPH", "lymphocytes"), ("QTCFR QTCBR QTLCR",
         "qtc"),
    ],
)  # fmt: skip
def test_codes_are_the_terminologys(codes: str, name: str) -> None:
    for code in codes.split():
        assert [each.name for each in candidates(code)] == [name]


def test_other_measurands_are_not_taken_for_ours() -> None:
    """Total troponin, band forms, carotene (CRTN), a fetal weight, urea, ratios and QT uncorrected have codes of their own."""
    for code in (
        "TROPONIN",
        "NEUTB",
        "NEUTSGBP",
        "PLATEST",
        "PO2FIO2",
        "CRTN",
        "STROPONI",
        "FTEWT",
        "UREAN",
        "LYMLE",
        "NEUTLE",
        "QTAG",
        "MAP",
        "GFRX",
        "CACREAT",
    ):
        assert not candidates(code)


def test_an_unknown_test_is_refused_with_the_nearest() -> None:
    with pytest.raises(KeyError, match="nearest known: CREAT"):
        analyte("CREATT")


def test_reading_a_listed_unit_loads_no_unit_library() -> None:
    code = (
        "import sys; from ctcae_v403 import units\n"
        "units.convert(5, units.analyte('HGB'), 'mmol/L', 'g/dL'); assert 'pint' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@given(st.integers(0, 10**6), st.sampled_from(["mg/dL", "mmol/L", "umol/L", "g/L"]))
def test_a_conversion_keeps_order_and_zero(value: int, target: str) -> None:
    glucose = analyte("GLUC")
    assert convert(value, glucose, "mg/dL", target) <= convert(value + 1, glucose, "mg/dL", target)
    assert convert(0, glucose, "mg/dL", target) == 0
