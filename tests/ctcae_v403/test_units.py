"""Unit spellings, conversions by analyte, and refusals."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctcae_v403 import units
from ctcae_v403.units import UnknownUnit, analyte, analytes, convert, factor

CELLS = [
    "10^9/L",
    "10*9/L",
    "10**9/L",
    "G/L",
    "GI/L",
    "giga/L",
    "/nL",
    "K/uL",
    "K/µL",
    "THOU/uL",
    "x10E3/uL",
    "X10^9/L",
    "x 10^9 / L",
    "10^3/mm3",
    "10e9/L",
    "10E3/μL",
    "Gpt/L",
    "thousand/uL",
    "10*3/uL",
]


@pytest.mark.parametrize("spelling", CELLS)
def test_every_spelling_of_a_thousand_cells_per_microlitre(spelling: str) -> None:
    assert factor(analyte("WBC"), spelling, "/mm3") == 1000


@pytest.mark.parametrize(
    ("test", "source", "target", "expected"),
    [
        ("WBC", "cells/uL", "/mm3", 1),
        ("WBC", "cells/mm3", "10^9/L", Fraction(1, 1000)),
        ("HGB", "G/L", "g/dL", Fraction(1, 10)),  # the same letters are gram here and giga above
        ("HGB", "mmol/L", "g/dL", Fraction("1.6114")),  # per monomer
        ("ALT", "IU/L", "U/L", 1),
        ("ALT", "µkat/L", "U/L", 60),
        ("K", "mEq/L", "mmol/L", 1),
        ("SODIUM", "meq/l", "mmol/L", 1),
        ("CA", "mEq/L", "mmol/L", Fraction(1, 2)),
        ("MG", "mEq/L", "mmol/L", Fraction(1, 2)),
        ("CA", "mmol/L", "mg/dL", Fraction("4.0078")),
        ("GLUC", "mmol/L", "mg/dL", Fraction("18.0156")),
        ("CREAT", "mg/dL", "umol/L", Fraction(10**4) / Fraction("113.12")),
        ("PHOS", "MG/DL", "mg/dL", 1),
        ("GLUC", "kg/m3", "mg/dL", 100),  # UCUM, not in our table
        ("UPCR", "mg/g", "1", Fraction(1, 1000)),
        ("UPCR", "mg/mmol", "1", Fraction(10) / Fraction("1131.2")),
        ("PROTEXR", "mg/day", "g/24 h", Fraction(1, 1000)),
        ("EGFR", "mL/min/{1.73_m2}", "mL/min/1.73 m2", 1),
        ("SPERM", "10^6/mL", "million/mL", 1),
        ("APTT", "min", "sec", 60),
        ("QTCF", "s", "msec", 1000),
        ("SYSBP", "kPa", "mm Hg", 1 / Fraction("0.133322387415")),
        ("WEIGHT", "LB", "kg", Fraction("0.45359237")),
        ("DLCO", "mmol/min/kPa", "mL/min/mmHg", Fraction("2.987")),
        ("LVEF", "fraction", "%", 100),
        ("FETWTPCT", "%", "percentile", 1),
        ("GESTAGE", "days", "weeks", Fraction(1, 7)),
        ("MENOAGE", "months", "years", Fraction(1, 12)),
        ("STOOLINC", "stools/day", "/24 h", 1),
        ("LIMBLEN", "mm", "cm", Fraction(1, 10)),  # the same letters are mmol/L in blood
        ("TEMP", "C", "degC", 1),
    ],
)
def test_conversions(test: str, source: str, target: str, expected: Fraction) -> None:
    assert factor(analyte(test), source, target) == expected


@pytest.mark.parametrize(
    ("test", "spelling", "message"),
    [
        ("K", "bananas", "Potassium: 'bananas' is no unit we know"),
        ("HGB", "g/dLL", "did you mean g/dl"),
        ("WBC", "mg/dL", "does not measure leukocytes"),
        ("ALT", "mmol/L", "does not measure alanine aminotransferase"),
        ("HGB", "", "is no unit we know|does not measure"),
        ("LYM", "%", "does not measure lymphocytes"),
    ],
)
def test_what_is_not_a_unit_of_the_analyte_is_refused_by_name(test: str, spelling: str, message: str) -> None:
    with pytest.raises(UnknownUnit, match=message):
        units.unit(analyte(test), spelling)


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        ("37", "degC", "degF", "98.6"),
        ("104.0", "°F", "°C", "40"),
        ("310.15", "K", "Cel", "37"),
        ("310.15", "K", "[degF]", "98.6"),
        ("-40", "C", "F", "-40"),
    ],
)
def test_temperatures_whose_zeros_differ(value: str, source: str, target: str, expected: str) -> None:
    assert convert(Decimal(value), analyte("TEMP"), source, target) == Fraction(expected)
    with pytest.raises(UnknownUnit, match="their zeros differ"):
        factor(analyte("TEMP"), source, target)


def test_an_unknown_test_is_refused_with_the_nearest() -> None:
    with pytest.raises(KeyError, match="nearest known: CREAT"):
        analyte("CREATT")


LIKE = {  # dimension of the unit that the standard prints -> units that can stand for it
    "mass": ("g/L", "mg/dL", "mmol/L", "umol/L", "mEq/L"),
    "amount": ("g/L", "mg/dL", "mmol/L", "umol/L", "mEq/L"),
    "count": ("/mm3", "10^9/L"),
    "activity": ("U/L", "ukat/L"),
    "time": ("s", "ms", "days", "weeks"),
    "number": ("1", "%", "mg/mmol"),
    "excretion": ("g/24 h", "mg/24 h"),
    "clearance": ("mL/min", "mL/s"),
    "percentile": ("percentile", "%"),
    "deviation": ("SD", ""),
    "frequency": ("/24 h", "/week", ""),
    "temperature": ("degC", "degF", "K"),
    "pressure": ("mmHg", "kPa", "cmH2O", "Pa"),  # Pa is UCUM
    "weight": ("kg", "g", "lb"),
    "length": ("cm", "mm", "in"),
    "volume": ("mL", "L", "dL"),
    "urine_in_8h": ("mL/8 h", "L/8 h", "mL"),
    "urine_in_24h": ("mL/24 h", "L/24 h", "mL"),
    "transfer": ("mL/min/mmHg", "mmol/min/kPa"),
    "bmi": ("kg/m2", "lb/in2"),
    "age": ("years", "months"),
    "angle": ("degrees", "deg"),
    "sound": ("dB", "dB HL"),
}


def test_every_analyte_and_unit_round_trips() -> None:
    n_pairs = 0
    for each in analytes():
        kind = units.unit(each, each.canonical)[0].dimension
        readable = [s for s in dict.fromkeys([each.canonical, *LIKE[kind]]) if _reads(each, s)]
        assert len(readable) > 1
        for source in readable:
            for target in readable:
                there = convert(Decimal("7.3"), each, source, target)
                assert convert(there, each, target, source) == Fraction("7.3")
                n_pairs += 1
    assert n_pairs > 700


def _reads(each: units.Analyte, spelling: str) -> bool:
    try:
        units.unit(each, spelling)
    except UnknownUnit:
        return False
    return True


@given(st.integers(0, 10**6), st.sampled_from(["mg/dL", "mmol/L", "umol/L", "g/L"]))
def test_a_conversion_keeps_order_and_zero(value: int, target: str) -> None:
    glucose = analyte("GLUC")
    assert convert(value, glucose, "mg/dL", target) <= convert(value + 1, glucose, "mg/dL", target)
    assert convert(0, glucose, "mg/dL", target) == 0
