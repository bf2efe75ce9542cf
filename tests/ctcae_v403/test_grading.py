# ruff: noqa: E501  (tables that are read line by line)
"""The exact reference: tables that a clinician can check against the printed standard, and laws."""

from __future__ import annotations

import contextlib
from fractions import Fraction
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctcae_v403 import rules, units
from ctcae_v403.grading import Grading, Number, Reading, decide, grade, read_number


def one(term: str, *arguments: Any, **named: Any) -> Grading:
    """The result of one term; there is exactly one."""
    (result,) = [each for each in grade(*arguments, **named) if each.term == term]
    return result


# term, test, unit, LLN, ULN, then results with the grade of each
BY_LIMITS_AND_CUT_OFFS: list[tuple[str, str, str, float | None, float | None, dict[str, int]]] = [
    ("Alanine aminotransferase increased", "ALT", "U/L", 7, 40,
     {"40": 0, "40.1": 1, "120": 1, "120.1": 2, "200": 2, "200.1": 3, "800": 3, "800.1": 4}),
    ("Aspartate aminotransferase increased", "AST", "U/L", 13, 35, {"35": 0, "36": 1, "105": 1, "106": 2, "176": 3, "701": 4}),
    ("Alkaline phosphatase increased", "ALP", "U/L", 40, 100, {"100": 0, "250": 1, "250.1": 2, "500": 2, "501": 3, "2001": 4}),
    ("GGT increased", "GGT", "U/L", 8, 60, {"60": 0, "61": 1, "150": 1, "151": 2, "301": 3, "1201": 4}),
    ("CPK increased", "CK", "U/L", 30, 200, {"200": 0, "500": 1, "501": 2, "1000": 2, "1001": 3, "2000": 3, "2001": 4}),
    ("Lipase increased", "LIPASET", "U/L", 10, 60, {"60": 0, "90": 1, "91": 2, "120": 2, "121": 3, "300": 3, "301": 4}),
    ("Serum amylase increased", "AMYLASE", "U/L", 25, 100, {"100": 0, "150": 1, "200": 2, "500": 3, "501": 4}),
    ("Blood bilirubin increased", "BILI", "umol/L", 3, 20, {"20": 0, "30": 1, "30.1": 2, "60": 2, "60.1": 3, "200": 3, "201": 4}),
    ("Activated partial thromboplastin time prolonged", "APTT", "s", 25, 40, {"40": 0, "60": 1, "61": 2, "100": 2, "101": 3}),
    ("Haptoglobin decreased", "HAPTOG", "g/L", 0.3, 2, {"0.3": 0, "0.29": 1}),
    ("Anemia", "HGB", "g/dL", 12, 16, {"12": 0, "11.9": 1, "10.0": 1, "9.9": 2, "8.0": 2, "7.9": 3}),
    ("Anemia", "HGB", "g/L", 120, 160, {"120": 0, "119": 1, "100": 1, "99": 2, "80": 2, "79": 3}),
    ("Anemia", "HGB", "mmol/L", 7.4, 9.9, {"7.4": 0, "7.3": 1, "6.2": 1, "6.1": 2, "4.9": 2, "4.8": 3}),
    ("Leukocytosis", "WBC", "10^9/L", 4, 10, {"100": 0, "100.1": 3}),
    ("White blood cell decreased", "WBC", "/mm3", 4000, 10000, {"4000": 0, "3999": 1, "3000": 1, "2999": 2, "2000": 2, "1999": 3, "1000": 3, "999": 4}),
    ("White blood cell decreased", "WBC", "10^9/L", 4, 10, {"3.99": 1, "3.0": 1, "2.99": 2, "1.99": 3, "0.99": 4}),
    ("Neutrophil count decreased", "NEUT", "10^9/L", 2, 7, {"2": 0, "1.9": 1, "1.5": 1, "1.49": 2, "1.0": 2, "0.99": 3, "0.5": 3, "0.49": 4}),
    ("Lymphocyte count decreased", "LYM", "10^9/L", 1, 4, {"1": 0, "0.8": 1, "0.79": 2, "0.5": 2, "0.49": 3, "0.2": 3, "0.19": 4}),
    ("Lymphocyte count increased", "LYM", "/mm3", 1000, 3500, {"4000": 0, "4001": 2, "20000": 2, "20001": 3}),
    ("CD4 lymphocytes decreased", "CD4", "/mm3", 600, 1500, {"600": 0, "500": 1, "499": 2, "200": 2, "199": 3, "50": 3, "49": 4}),
    ("Platelet count decreased", "PLAT", "10^9/L", 150, 400, {"150": 0, "149": 1, "75": 1, "74.9": 2, "50": 2, "49.9": 3, "25": 3, "24.9": 4}),
    ("Hyperkalemia", "K", "mmol/L", 3.5, 5.0, {"5.0": 0, "5.1": 1, "5.5": 1, "5.6": 2, "6.0": 2, "6.1": 3, "7.0": 3, "7.1": 4}),
    ("Hypokalemia", "K", "mEq/L", 3.5, 5.0, {"3.5": 0, "3.4": 1, "3.0": 1, "2.9": 3, "2.5": 3, "2.4": 4}),
    ("Hypernatremia", "SODIUM", "mmol/L", 135, 145, {"145": 0, "150": 1, "151": 2, "155": 2, "156": 3, "160": 3, "161": 4}),
    ("Hyponatremia", "SODIUM", "mmol/L", 135, 145, {"135": 0, "134": 1, "130": 1, "129": 3, "120": 3, "119": 4}),
    ("Hypercalcemia", "CA", "mg/dL", 8.5, 10.5, {"10.5": 0, "11.5": 1, "11.6": 2, "12.5": 2, "13.5": 3, "13.6": 4}),
    ("Hypercalcemia", "CA", "mmol/L", 2.1, 2.6, {"2.6": 0, "2.9": 1, "3.0": 2, "3.1": 2, "3.4": 3, "3.41": 4}),
    ("Hypercalcemia", "CAION", "mmol/L", 1.1, 1.35, {"1.35": 0, "1.5": 1, "1.6": 2, "1.8": 3, "1.81": 4}),
    ("Hypocalcemia", "CA", "mg/dL", 8.5, 10.5, {"8.5": 0, "8.0": 1, "7.9": 2, "7.0": 2, "6.9": 3, "6.0": 3, "5.9": 4}),
    ("Hypocalcemia", "CAION", "mmol/L", 1.1, 1.35, {"1.1": 0, "1.0": 1, "0.95": 2, "0.9": 2, "0.85": 3, "0.8": 3, "0.79": 4}),
    ("Hypermagnesemia", "MG", "mmol/L", 0.7, 1.0, {"1.0": 0, "1.23": 1, "1.24": 3, "3.30": 3, "3.31": 4}),
    ("Hypomagnesemia", "MG", "mg/dL", 1.7, 2.4, {"1.7": 0, "1.2": 1, "1.1": 2, "0.9": 2, "0.8": 3, "0.7": 3, "0.6": 4}),
    ("Hypophosphatemia", "PHOS", "mmol/L", 0.9, 1.4, {"0.9": 0, "0.8": 1, "0.7": 2, "0.6": 2, "0.5": 3, "0.3": 3, "0.29": 4}),
    ("Hypoalbuminemia", "ALB", "g/L", 35, 50, {"35": 0, "34": 1, "30": 1, "29": 2, "20": 2, "19": 3}),
    ("Hypoglycemia", "GLUC", "mg/dL", 70, 110, {"70": 0, "55": 1, "54": 2, "40": 2, "39": 3, "30": 3, "29": 4}),
    ("Hypoglycemia", "GLUC", "mmol/L", 3.9, 6.1, {"3.0": 1, "2.9": 2, "2.2": 2, "2.1": 3, "1.7": 3, "1.6": 4}),
    ("Cholesterol high", "CHOL", "mg/dL", 100, 200, {"200": 0, "300": 1, "301": 2, "400": 2, "500": 3, "501": 4}),
    ("Hypertriglyceridemia", "TRIG", "mg/dL", 50, 200, {"149": 0, "150": 1, "300": 1, "301": 2, "500": 2, "1000": 3, "1001": 4}),
    ("Hypertriglyceridemia", "TRIG", "mmol/L", None, None, {"1.70": 0, "1.71": 1, "3.42": 1, "3.43": 2, "5.7": 2, "11.4": 3, "11.5": 4}),
    ("Hyperuricemia", "URATE", "mg/dL", 3, 7, {"7": 0, "7.1": 1, "10": 1, "10.1": 4}),
    ("Acidosis", "PH", "", 7.35, 7.45, {"7.35": 0, "7.34": 1, "7.3": 1, "7.29": 3}),
    ("Alkalosis", "PH", "", 7.35, 7.45, {"7.45": 0, "7.46": 1, "7.5": 1, "7.51": 3}),
    ("Chronic kidney disease", "EGFR", "mL/min/1.73m2", 90, 120, {"90": 0, "89": 1, "60": 1, "59.5": 1, "59": 2, "30": 2, "29.5": 2, "29": 3, "15": 3, "14": 4}),
    ("Proteinuria", "PROTEXR", "g/24 h", None, 0.15, {"0.15": 0, "0.16": 1, "0.99": 1, "1.0": 2, "3.45": 2, "3.5": 3}),
    ("Oligospermia", "SPERM", "million/mL", None, None, {"49": 1, "48": 2, "13": 2, "12.9": 3}),
    # measurements; values between two printed bands take the lower grade
    ("Hypertension", "SYSBP", "mmHg", 90, 140, {"119": 0, "120": 1, "139.5": 1, "140": 2, "159.5": 2, "160": 3}),
    ("Hypertension", "DIABP", "mmHg", None, None, {"79": 0, "80": 1, "89.5": 1, "90": 2, "99.5": 2, "100": 3}),
    ("Hypertension", "SYSBP", "kPa", None, None, {"15.9": 0, "16.0": 1, "18.7": 2, "21.4": 3}),
    ("Fever", "TEMP", "C", None, None, {"37.9": 0, "38.0": 1, "39.0": 1, "39.1": 2, "40.0": 2, "40.1": 3}),
    ("Fever", "TEMP", "F", None, None, {"100.3": 0, "100.4": 1, "102.2": 1, "102.25": 1, "102.3": 2, "104.0": 2, "104.1": 3}),
    ("Fever", "TEMP", "K", None, None, {"311.14": 0, "311.15": 1, "312.16": 2, "313.15": 2, "313.16": 3}),
    ("Hypothermia", "TEMP", "degC", None, None, {"35.1": 0, "35": 2, "32.1": 2, "32": 3, "28.1": 3, "28": 4}),
    ("Hypothermia", "TEMP", "degF", None, None, {"95.1": 0, "95": 2, "89.7": 2, "89.6": 3, "82.5": 3, "82.4": 4}),
    ("Electrocardiogram QT corrected interval prolonged", "QTCF", "ms", None, None, {"449": 0, "450": 1, "480.5": 1, "481": 2, "500.5": 2, "501": 2}),
    ("Electrocardiogram QT corrected interval prolonged", "QTCBAG", "s", None, None, {"0.449": 0, "0.45": 1, "0.481": 2}),
    ("Forced expiratory volume decreased", "FEV1PP", "%", None, None, {"100": 0, "99.5": 0, "99": 1, "69.5": 1, "69": 2, "59.5": 2, "59": 3, "49.5": 3, "49": 4}),
    ("Vital capacity abnormal", "FVCPP", "%", None, None, {"91": 0, "90": 1, "75": 1, "74": 2, "50": 2, "49": 3}),
    ("Urine output decreased", "URINE8H", "mL", None, None, {"80": 0, "79": 3}),
    ("Urine output decreased", "URINE24H", "L/day", None, None, {"0.24": 0, "0.239": 4}),
    ("Obesity", "BMI", "kg/m2", None, None, {"24.9": 0, "25": 2, "29.95": 2, "30": 3, "39.95": 3, "40": 4}),
    ("Hypoxia", "OXYSAT", "%", None, None, {"88": 0, "87": 3}),
    ("Hypoxia", "OXYSATEX", "%", None, None, {"88": 0, "87": 2}),
    ("Hypoxia", "PAO2", "mmHg", None, None, {"56": 0, "55": 3}),
    ("Diarrhea", "STOOLINC", "", None, None, {"-2": 0, "0": 0, "1": 1, "3": 1, "4": 2, "6.5": 2, "7": 3}),
    ("Vomiting", "VOMITEPI", "episodes/24 h", None, None, {"0": 0, "1": 1, "2": 1, "3": 2, "5": 2, "6": 3}),
    ("Enterocolitis infectious", "STOOLUNF", "/day", None, None, {"3": 0, "4": 2}),
    ("Dry mouth", "SALIVFLW", "mL/min", None, None, {"0.21": 1, "0.2": 2, "0.1": 2, "0.09": 3}),
    ("Edema limbs", "LIMBVOL", "%", None, None, {"4": 0, "5": 1, "10": 1, "11": 2, "30": 2, "31": 3}),
    ("Edema limbs", "LIMBCIRC", "%", None, None, {"4": 0, "5": 1, "10": 1, "11": 2, "31": 2}),
    ("Bone marrow hypocellular", "MARCELRD", "%", None, None, {"0": 0, "1": 1, "25": 1, "26": 2, "50": 2, "51": 3, "75": 3, "76": 3}),
    ("Growth accelerated", "HTSDTARG", "SD", None, None, {"-1": 0, "1.9": 0, "2": 2}),
    ("Growth suppression", "GROWVRED", "%", None, None, {"9": 0, "10": 1, "29.5": 1, "30": 2, "49.5": 2, "50": 3}),
    ("Growth suppression", "GROWCRED", "%", None, None, {"0": 0, "1": 2, "49": 2, "60": 2}),
    ("Joint range of motion decreased", "ROMLOSS", "%", None, None, {"0": 0, "1": 1, "25": 1, "26": 2, "50": 2, "51": 3}),
    ("Joint range of motion decreased cervical spine", "CERVROT", "deg", None, None, {"71": 0, "70": 1, "60": 1, "59": 2}),
    ("Joint range of motion decreased cervical spine", "CERVFLEX", "°", None, None, {"71": 0, "70": 1, "60": 1, "59": 2}),
    ("Osteoporosis", "TSCORE", "", None, None, {"0.4": 0, "-0.9": 0, "-1": 1, "-2.5": 1, "-2.6": 2}),
    ("Osteoporosis", "HTLOSS", "cm", None, None, {"0": 0, "1.9": 2, "2": 3}),
    ("Scoliosis", "COBB", "degrees", None, None, {"0": 0, "1": 1, "20": 1, "21": 2, "45": 2, "46": 3}),
    ("Unequal limb length", "LIMBLEN", "mm", None, None, {"0": 0, "19": 1, "20": 2, "50": 2, "51": 3}),
    ("Fetal growth retardation", "FETWTPCT", "percentile", None, None, {"10": 0, "9": 2, "5": 2, "4": 3, "1": 3, "0.9": 4}),
    ("Premature delivery", "GESTAGE", "weeks", None, None, {"38": 0, "37": 1, "34.1": 1, "34": 2, "28": 3, "24": 3, "23.9": 4}),
    ("Premature delivery", "GESTAGE", "days", None, None, {"260": 0, "259": 1, "238": 2, "196": 3, "167": 4}),
    ("Pulmonary fibrosis", "LUNGFIB", "%", None, None, {"0": 0, "24": 1, "25": 2, "50": 2, "51": 3, "76": 3}),
    ("Pleural hemorrhage", "PLEURBLD", "L", None, None, {"1": 0, "1.1": 3}),
    ("Alopecia", "HAIRLOSS", "%", None, None, {"0": 0, "49": 1, "50": 2}),
    ("Skin ulceration", "ULCSIZE", "cm", None, None, {"0": 0, "0.9": 1, "1": 2, "2": 2, "2.1": 3}),
    ("Menopause", "MENOAGE", "years", None, None, {"54": 0, "53": 1, "46": 1, "45.5": 1, "45": 2, "40": 2, "39": 3}),
    ("Hearing impaired", "HEARSH2F", "dB", None, None, {"-5": 0, "14": 0, "15": 1, "25": 1, "26": 2}),
    ("Hearing impaired", "HEARSH3F", "dB", None, None, {"25": 0, "26": 3}),
    ("Hearing impaired", "HEARTH2K", "dB HL", None, None, {"80": 0, "81": 4}),
]  # fmt: skip


@pytest.mark.parametrize(("term", "test", "unit", "lln", "uln", "expected"), BY_LIMITS_AND_CUT_OFFS)
def test_the_printed_bands(
    term: str, test: str, unit: str, lln: float | None, uln: float | None, expected: dict[str, int]
) -> None:
    assert {value: one(term, test, value, unit, uln, lln).grade for value in expected} == expected


NORMAL = {"unit": "mg/dL", "uln": 1.2, "lln": 0.6}


@pytest.mark.parametrize(
    ("term", "arguments", "named", "policy", "grade_and_reason"),
    [
        # creatinine: multiples of the ULN and of the baseline
        ("Creatinine increased", ("CREAT", 1.1), {**NORMAL, "baseline": 0.6}, "standard", (0, "")),
        ("Creatinine increased", ("CREAT", 1.1), {**NORMAL, "baseline": 0.6}, "literal", (2, "")),
        ("Creatinine increased", ("CREAT", 1.3), {**NORMAL, "baseline": 0.4}, "standard", (3, "")),
        ("Creatinine increased", ("CREAT", 1.3), {**NORMAL, "baseline": 0.4}, {"baseline_arm": "off"}, (1, "")),
        ("Creatinine increased", ("CREAT", 1.1), NORMAL, "standard", (0, "")),
        ("Creatinine increased", ("CREAT", 1.1), NORMAL, "literal", (None, "NO_BASELINE")),
        ("Creatinine increased", ("CREAT", 1.3), {"unit": "mg/dL"}, "standard", (None, "NO_LIMIT")),
        # acute kidney injury: baseline and one absolute cut-off
        ("Acute kidney injury", ("CREAT", 1.3), {**NORMAL, "baseline": 1.0}, "standard", (0, "")),
        ("Acute kidney injury", ("CREAT", 1.31), {**NORMAL, "baseline": 1.0}, "standard", (1, "")),
        ("Acute kidney injury", ("CREAT", 2.0), {**NORMAL, "baseline": 1.0}, "standard", (1, "")),
        ("Acute kidney injury", ("CREAT", 2.0), {**NORMAL, "baseline": 1.0}, "literal", (2, "")),
        ("Acute kidney injury", ("CREAT", 3.1), {**NORMAL, "baseline": 1.0}, "standard", (3, "")),
        ("Acute kidney injury", ("CREAT", 4.1), NORMAL, "standard", (3, "")),
        ("Acute kidney injury", ("CREAT", 3.9), NORMAL, "standard", (None, "NO_BASELINE")),
        # fibrinogen: multiples of the LLN, fall from baseline, and 50 mg/dL
        ("Fibrinogen decreased", ("FIBRINO", 200, "mg/dL", 400, 200), {"baseline": 390}, "standard", (0, "")),
        ("Fibrinogen decreased", ("FIBRINO", 199, "mg/dL", 400, 200), {"baseline": 200}, "standard", (1, "")),
        ("Fibrinogen decreased", ("FIBRINO", 199, "mg/dL", 400, 200), {"baseline": 400}, "standard", (3, "")),
        ("Fibrinogen decreased", ("FIBRINO", 49, "mg/dL", 400, 200), {"baseline": 60}, "standard", (4, "")),
        # hemoglobin increased: from the ULN, or from a baseline above it
        ("Hemoglobin increased", ("HGB", 18.0, "g/dL", 16, 12), {"baseline": 15}, "standard", (1, "")),
        ("Hemoglobin increased", ("HGB", 18.1, "g/dL", 16, 12), {"baseline": 15}, "standard", (2, "")),
        ("Hemoglobin increased", ("HGB", 201, "g/L", 160, 120), {"baseline": 150}, "standard", (3, "")),
        ("Hemoglobin increased", ("HGB", 20.1, "g/dL", 16, 12), {"baseline": 18}, "standard", (2, "")),
        ("Hemoglobin increased", ("HGB", 20.1, "g/dL", 16, 12), {"baseline": 18}, {"baseline_arm": "off"}, (3, "")),
        # INR: the baseline counts on anticoagulation only
        ("INR increased", ("INR", 2.0, None, 1.2), {"baseline": 1.0}, "standard", (2, "")),
        ("INR increased", ("INR", 2.6, None, 1.2), {"baseline": 1.0, "on_anticoagulant": True}, "standard", (3, "")),
        ("INR increased", ("INR", 2.6, None, 1.2), {"baseline": 1.0, "on_anticoagulant": False}, "standard", (2, "")),
        ("INR increased", ("INR", 1.1, None, 1.2), {"baseline": 1.0}, "literal", (None, "NO_CONTEXT")),
        # glucose: grades 1 and 2 are of a fasting patient
        ("Hyperglycemia", ("GLUC", 160, "mg/dL", 110), {"fasting": True}, "standard", (1, "")),
        ("Hyperglycemia", ("GLUC", 13.9, "mmol/L", 6.1), {"fasting": True}, "standard", (2, "")),
        ("Hyperglycemia", ("GLUC", 160, "mg/dL", 110), {}, "standard", (None, "NOT_FASTING")),
        ("Hyperglycemia", ("GLUC", 110, "mg/dL", 110), {}, "standard", (0, "")),
        ("Hyperglycemia", ("GLUC", 251, "mg/dL", 110), {"fasting": False}, "standard", (3, "")),
        ("Hyperglycemia", ("GLUC", 501, "mg/dL"), {}, "standard", (4, "")),
        ("Hyperglycemia", ("GLUC", 160, "mg/dL", 110), {}, {"fasting": "assume_fasting"}, (1, "")),
        # a cut-off inside the normal range
        ("Neutrophil count decreased", ("NEUT", 1.4, "10^9/L", 7, 1.3), {}, "standard", (0, "")),
        ("Neutrophil count decreased", ("NEUT", 1.4, "10^9/L", 7, 1.3), {}, "literal", (2, "")),
        # the same numbers for two grades
        ("Hypokalemia", ("K", 3.2, "mmol/L", 5, 3.5), {}, "literal", (2, "")),
        ("Hyperuricemia", ("URATE", 8, "mg/dL", 7), {}, "literal", (3, "")),
        # proteinuria
        ("Proteinuria", ("PROT", "1+"), {"specimen": "URINE"}, "standard", (1, "")),
        ("Proteinuria", ("PROT", "2+"), {"specimen": "URINE"}, "standard", (2, "")),
        ("Proteinuria", ("PROT", "++++"), {"specimen": "URINE"}, "standard", (2, "")),
        ("Proteinuria", ("PROT", "trace"), {"specimen": "URINE"}, "standard", (0, "")),
        ("Proteinuria", ("PROT", "cloudy"), {"specimen": "URINE"}, "standard", (None, "NOT_NUMERIC")),
        ("Proteinuria", ("UPCR", 1.0, "mg/mg"), {"age": 9}, "standard", (2, "")),
        ("Proteinuria", ("UPCR", 1.0, "mg/mg"), {"age": 50}, "standard", (None, "NO_CONTEXT")),
        ("Chronic kidney disease", ("UPCR", 0.6, "mg/mg"), {"age": 50}, "standard", (1, "")),
        # weight: multiples of the baseline, whatever the unit
        ("Weight gain", ("WEIGHT", 104.9, "kg"), {"baseline": 100}, "standard", (0, "")),
        ("Weight gain", ("WEIGHT", 105), {"baseline": 100}, "standard", (1, "")),
        ("Weight gain", ("WEIGHT", 220, "lb"), {"baseline": 200}, "standard", (2, "")),
        ("Weight gain", ("WEIGHT", 72.0, "kg"), {"baseline": 60.0}, "standard", (3, "")),
        ("Weight loss", ("WEIGHT", 66.5, "kg"), {"baseline": 70}, "standard", (1, "")),
        ("Weight loss", ("WEIGHT", 63, "kg"), {"baseline": 70}, {"baseline_arm": "off"}, (2, "")),
        ("Weight loss", ("WEIGHT", 56, "kg"), {"baseline": 70}, "standard", (3, "")),
        ("Weight loss", ("WEIGHT", 56, "kg"), {}, "standard", (None, "NO_BASELINE")),
        # ejection fraction: by its value, or by the points lost
        ("Ejection fraction decreased", ("LVEF", 51, "%"), {"baseline": 60}, "standard", (0, "")),
        ("Ejection fraction decreased", ("LVEF", 55, "%"), {"baseline": 65}, "standard", (2, "")),
        ("Ejection fraction decreased", ("LVEF", 0.5, "1"), {"baseline": 0.7}, "standard", (2, "")),
        ("Ejection fraction decreased", ("LVEF", 49, "%"), {"baseline": 70}, "standard", (3, "")),
        ("Ejection fraction decreased", ("LVEF", 39.5, "%"), {"baseline": 50}, "standard", (2, "")),
        ("Ejection fraction decreased", ("LVEF", 39, "%"), {"baseline": 50}, "standard", (3, "")),
        ("Ejection fraction decreased", ("LVEF", 19, "%"), {}, "standard", (4, "")),
        ("Ejection fraction decreased", ("LVEF", 60, "%"), {}, "standard", (None, "NO_BASELINE")),
        # diffusing capacity: units below the LLN, or below the baseline
        ("Carbon monoxide diffusing capacity decreased", ("DLCO", 17.1, "mL/min/mmHg"), {"lln": 20, "baseline": 19}, "standard", (0, "")),
        ("Carbon monoxide diffusing capacity decreased", ("DLCO", 17, "mL/min/mmHg"), {"lln": 20, "baseline": 19}, "standard", (1, "")),
        ("Carbon monoxide diffusing capacity decreased", ("DLCO", 14.5, "mL/min/mmHg"), {"lln": 20, "baseline": 19}, "standard", (1, "")),
        ("Carbon monoxide diffusing capacity decreased", ("DLCO", 14, "mL/min/mmHg"), {"lln": 20, "baseline": 19}, "standard", (2, "")),
        ("Carbon monoxide diffusing capacity decreased", ("DLCO", 20, "mL/min/mmHg"), {"lln": 20, "baseline": 25.1}, "standard", (2, "")),
        ("Carbon monoxide diffusing capacity decreased", ("DLCO", 20, "mL/min/mmHg"), {"lln": 20, "baseline": 28.1}, "standard", (3, "")),
        ("Carbon monoxide diffusing capacity decreased", ("DLCO", 5, "mmol/min/kPa"), {"lln": 6.005, "baseline": 6}, "standard", (1, "")),
        ("Carbon monoxide diffusing capacity decreased", ("DLCO", 10, "mL/min/mmHg"), {"baseline": 12}, "standard", (None, "NO_LIMIT")),
        # the same numbers, and findings that raise the grade
        ("Electrocardiogram QT corrected interval prolonged", ("QTCF", 501, "ms"), {}, "literal", (3, "")),
        ("Electrocardiogram QT corrected interval prolonged", ("QTCF", 461, "ms"), {"baseline": 400}, "literal", (1, "")),
        ("Electrocardiogram QT corrected interval prolonged", ("QTCF", 461, "ms"), {"baseline": 400}, "standard", (1, "")),
        ("Electrocardiogram QT corrected interval prolonged", ("QTCF", 460, "ms"), {"baseline": 400}, {"same_band": "higher"}, (1, "")),
        ("Fever", ("TEMP", 104.1, "F"), {}, "literal", (4, "")),
        ("Premature delivery", ("GESTAGE", 24, "weeks"), {}, "literal", (4, "")),
        ("Pulmonary fibrosis", ("LUNGFIB", 76, "%"), {}, {"same_band": "higher"}, (4, "")),
        # adults and children have audiograms of their own
        ("Hearing impaired", ("HEARSH8K", 21, "dB"), {"age": 9}, "standard", (1, "")),
        ("Hearing impaired", ("HEARSH4K", 21, "dB"), {"age": 9}, "standard", (2, "")),
        ("Hearing impaired", ("HEARSH3K", 21, "dB"), {"age": 9}, "standard", (3, "")),
        ("Hearing impaired", ("HEARSH3K", 20, "dB"), {"age": 9}, "standard", (0, "")),
        ("Hearing impaired", ("HEARSH8K", 21, "dB"), {"age": 40}, "standard", (None, "NO_CONTEXT")),
        ("Hearing impaired", ("HEARSH2F", 30, "dB"), {"age": 9}, "standard", (None, "NO_CONTEXT")),
        # below zero only where that can be; ranges that reach there
        ("Osteoporosis", ("TSCORE", "<-2.5"), {}, "standard", (2, "")),
        ("Osteoporosis", ("TSCORE", "<0"), {}, "standard", (None, "QUALIFIED")),
        ("Osteoporosis", ("TSCORE", ">-1"), {}, "standard", (0, "")),
        ("Diarrhea", ("STOOLINC", "<=0"), {}, "standard", (0, "")),
        ("Fever", ("TEMP", -9, "C"), {}, "standard", (None, "NOT_NUMERIC")),
        ("Fever", ("TEMP", 38.5), {}, "standard", (None, "NO_UNIT")),
        ("Hypertension", ("SYSBP", 150, "mmHg", 90, 140), {}, "standard", (2, "")),  # limits play no part
        ("Hypoxia", ("PO2", 50, "mmHg"), {"specimen": "ARTERIAL BLOOD"}, "standard", (3, "")),
        ("", ("PO2", 50, "mmHg"), {"specimen": "BLOOD, VENOUS"}, "standard", (None, "UNKNOWN_TEST")),
        # what is missing or impossible
        ("Anemia", ("HGB", 9.5, "g/dL"), {}, "standard", (2, "")),
        ("Anemia", ("HGB", 10.5, "g/dL"), {}, "standard", (None, "NO_LIMIT")),
        ("Anemia", ("HGB", 9.5), {"lln": 12}, "standard", (None, "NO_UNIT")),
        ("Anemia", ("HGB", 12.5), {"lln": 12}, "standard", (0, "")),
        ("Anemia", ("HGB", 9.5, "pints"), {"lln": 12}, "standard", (None, "UNKNOWN_UNIT")),
        ("Anemia", ("HGB", 9.5, "g/dL", 12, 16), {}, "standard", (None, "INVALID_LIMITS")),
        ("Anemia", ("HGB", None, "g/dL", 16, 12), {}, "standard", (None, "NO_VALUE")),
        ("Anemia", ("HGB", "clotted", "g/dL", 16, 12), {}, "standard", (None, "NOT_NUMERIC")),
        ("Anemia", ("HGB", float("nan"), "g/dL", 16, 12), {}, "standard", (None, "NOT_NUMERIC")),
        ("Anemia", ("HGB", float("inf"), "g/dL", 16, 12), {}, "standard", (None, "NOT_NUMERIC")),
        ("Anemia", ("HGB", "<7.5", "g/dL", 16, 12), {}, "standard", (3, "")),
        ("Anemia", ("HGB", "<8.0", "g/dL", 16, 12), {}, "standard", (3, "")),
        ("Anemia", ("HGB", "<=8.0", "g/dL", 16, 12), {}, "standard", (None, "QUALIFIED")),
        ("Anemia", ("HGB", ">12", "g/dL", 16, 12), {}, "standard", (0, "")),
        ("Alanine aminotransferase increased", ("ALT", 250), {"uln": 40}, "standard", (3, "")),
        ("Alanine aminotransferase increased", ("ALT", 250, "furlong"), {"uln": 40}, "standard", (3, "")),
        ("Alanine aminotransferase increased", ("ALT", 250, "U/L"), {"lln": 7}, "standard", (None, "NO_LIMIT")),
        ("Alanine aminotransferase increased", ("ALT", 250, "U/L"), {"uln": 0}, "standard", (None, "INVALID_LIMITS")),
        ("", ("XYZ", 1), {}, "standard", (None, "UNKNOWN_TEST")),
        ("", ("PROT", 70, "g/L"), {}, "standard", (None, "UNKNOWN_TEST")),  # serum protein
        ("", ("GLUC", 250, "mg/dL"), {"specimen": "URINE"}, "standard", (None, "WRONG_SPECIMEN")),
    ],
)  # fmt: skip
def test_baselines_contexts_policies_and_what_cannot_be_graded(
    term: str,
    arguments: tuple[Any, ...],
    named: dict[str, Any],
    policy: Any,
    grade_and_reason: tuple[int | None, str],
) -> None:
    result = one(term, *arguments, **named, policy=policy)
    assert (result.grade, result.reason) == grade_and_reason


@pytest.mark.parametrize(
    ("term", "arguments", "named", "criterion", "basis", "flags"),
    [
        ("Alanine aminotransferase increased", ("ALT", 250, "U/L", 40), {}, "> 5.0 × ULN (200 U/L)", "uln", ()),
        ("Alanine aminotransferase increased", ("ALT", 41, "U/L", 40), {}, "> ULN (40 U/L)", "uln", ()),
        ("Anemia", ("HGB", 4.95, "mmol/L"), {}, "< 6.2 mmol/L", "absolute", ()),
        ("Anemia", ("HGB", 4960, "mg/dL"), {}, "< 8.0 g/dL (8000 mg/dL)", "absolute", ("unit_converted",)),
        ("Creatinine increased", ("CREAT", 1.3, "mg/dL", 1.2), {"baseline": 0.4}, "> 3.0 × baseline (1.2 mg/dL)",
         "baseline", ()),
        ("Hemoglobin increased", ("HGB", 190, "g/L", 160), {"baseline": 150}, "> ULN + 2 g/dL (180 g/L)", "uln",
         ("unit_converted",)),
        ("Hypokalemia", ("K", 3.2, "mmol/L", 5, 3.5), {}, "< LLN (3.5 mmol/L)", "lln", ("same_band",)),
        ("Creatinine increased", ("CREAT", 1.3, "mg/dL", 1.2), {}, "> ULN (1.2 mg/dL)", "uln", ("floor", "no_baseline")),
        ("Proteinuria", ("PROT", "3+"), {"specimen": "URINE", "age": 60}, ">= 3", "absolute",
         ("floor", "24h_protein_needed")),
        ("Cardiac troponin I increased", ("TROPONI", 2, "ng/mL", 0.04), {}, "> ULN (0.04 ng/mL)", "uln",
         ("floor", "mi_cutoff_needed")),
        ("Neutrophil count decreased", ("NEUT", 1.4, "10^9/L", 7, 1.3), {"policy": "literal"}, "< 1.5 10^9/L",
         "absolute", ("within_normal_range",)),
        ("Neutrophil count decreased", ("NEUT", 1.4, "10^9/L", 7, 1.3), {}, "", "", ("within_normal_range",)),
        ("Electrocardiogram QT corrected interval prolonged", ("QTCF", 501, "ms"), {}, ">= 501 ms", "absolute",
         ("same_band", "floor", "repeat_ecg_needed")),
        ("Fever", ("TEMP", 313.2, "K"), {}, "> 40.0 degC (313.15 K)", "absolute", ("unit_converted", "same_band")),
        ("Hypoxia", ("OXYSAT", 85, "%"), {}, "< 88 %", "absolute", ("printed_as_example", "rest_assumed")),
        ("Bone marrow hypocellular", ("MARCELRD", 80, "%"), {}, "> 75 %", "absolute", ("floor", "marrow_aplasia_decides")),
        ("Ejection fraction decreased", ("LVEF", 45, "%"), {}, "<= 50 %", "absolute", ("floor", "no_baseline")),
        ("Ejection fraction decreased", ("LVEF", 55, "%"), {"baseline": 70}, "<= baseline - 10 % (60 %)", "baseline", ()),
        ("Carbon monoxide diffusing capacity decreased", ("DLCO", 20, "mL/min/mmHg", None, 18), {"baseline": 26},
         "< baseline - 5 mL/min/mmHg (21 mL/min/mmHg)", "baseline", ("within_normal_range", "grade_3_with_pulmonary_symptoms")),
        ("Weight loss", ("WEIGHT", 56, "kg"), {"baseline": 70}, "<= 0.80 × baseline (56 kg)", "baseline", ()),
        ("Hearing impaired", ("HEARSH2F", 26, "dB"), {}, "> 25 dB", "absolute", ("adult_assumed",)),
    ],
)  # fmt: skip
def test_what_is_said_about_a_grade(
    term: str,
    arguments: tuple[Any, ...],
    named: dict[str, Any],
    criterion: str,
    basis: str,
    flags: tuple[str, ...],
) -> None:
    result = one(term, *arguments, **named)
    assert (result.criterion, result.basis, result.flags) == (criterion, basis, flags)


def test_one_test_grades_every_term_it_can() -> None:
    found = {
        test: [result.term for result in grade(test, 1)]
        for test in ("GLUC", "WBC", "CREAT", "LYM", "NEUT", "HAPTOG", "AMYLASE", "TEMP", "WEIGHT")
    }
    assert found == {
        "GLUC": ["Hyperglycemia", "Hypoglycemia"],
        "WBC": ["Leukocytosis", "White blood cell decreased"],
        "CREAT": ["Creatinine increased", "Acute kidney injury"],
        "LYM": ["Lymphocyte count decreased", "Lymphocyte count increased"],
        "NEUT": ["Febrile neutropenia", "Neutrophil count decreased"],
        "HAPTOG": ["Hemolysis", "Haptoglobin decreased"],
        "AMYLASE": ["Pancreatic enzymes decreased", "Serum amylase increased"],
        "TEMP": ["Fever", "Hypothermia"],
        "WEIGHT": ["Weight gain", "Weight loss"],
    }


@pytest.mark.parametrize("value", [0.7999999999999999, 0.8, 0.8000000000000002, "0.8", "0.80", 0.1 + 0.7])
def test_a_sum_is_the_decimal_that_it_stands_for(value: Any) -> None:
    assert one("Lymphocyte count decreased", "LYM", value, "10^9/L", lln=1).grade == 1


def test_the_baseline_is_never_compared_with_itself() -> None:
    result = one("Creatinine increased", "CREAT", 1.3, "mg/dL", 1.2, 0.6, 0.4, at_baseline=True)
    assert (result.grade, result.basis, result.flags) == (1, "uln", ())


FEVER, HB = ("temperature", "temperature_unit"), ("hemoglobin", "hemoglobin_unit", "hemoglobin_baseline")


# neutrophils, their unit, the day's highest temperature and its unit: grade or reason
@pytest.mark.parametrize(
    ("count", "unit", "fever", "expected"),
    [
        (999, "/mm3", (38.4, "C"), 3),
        (0.99, "10^9/L", (38.4, "C"), 3),
        (0.99, "10^9/L", (101, "F"), 3),
        (0.99, "10^9/L", (312, "K"), 3),
        (0.2, "10^9/L", (41, "C"), 3),  # danger to life, grade 4, is a finding
        (1000, "/mm3", (40, "C"), 0),
        (0.99, "10^9/L", (37.9, "C"), 0),
        (0.99, "10^9/L", (100.3, "F"), 0),
        (0.99, "10^9/L", (38.0, "C"), "NO_CONTEXT"),  # fever only where sustained
        (0.99, "10^9/L", (100.9, "F"), "NO_CONTEXT"),
        (0.99, "10^9/L", (38.3, "C"), "NO_CONTEXT"),
        (0.99, "10^9/L", (None, "C"), "NO_CONTEXT"),
        (0.99, "10^9/L", (39, None), "NO_CONTEXT"),
        (0.99, "10^9/L", (39, "bar"), "NO_CONTEXT"),
        (0.99, "10^9/L", (">39", "C"), "NO_CONTEXT"),
        (1.5, "10^9/L", (None, None), 0),
        ("<0.5", "10^9/L", (39, "C"), 3),
        ("<1.5", "10^9/L", (39, "C"), "QUALIFIED"),
        ("<1.5", "10^9/L", (37, "C"), 0),
        (0.99, None, (39, "C"), "NO_UNIT"),
        (0.99, "pints", (39, "C"), "UNKNOWN_UNIT"),
    ],
)
def test_febrile_neutropenia(count: Any, unit: str | None, fever: tuple[Any, str | None], expected: int | str) -> None:
    result = one("Febrile neutropenia", "NEUT", count, unit, lln=2, **dict(zip(FEVER, fever, strict=True)))
    assert (result.grade if result.grade is not None else result.reason) == expected


# haptoglobin (LLN 0.3 g/L), the day's lowest hemoglobin with unit and baseline: grade, flags
@pytest.mark.parametrize(
    ("haptoglobin", "hemoglobin", "grade_and_flags"),
    [
        (0.3, (8, "g/dL", 12), (0, ())),
        (0.29, (10, "g/dL", 12), (2, ("no_transfusion_assumed",))),
        (0.29, (100, "g/L", 120), (2, ("no_transfusion_assumed",))),
        (0.29, (10.1, "g/dL", 12), (1, ())),
        (0.29, (13, "g/dL", 12), (1, ())),
        (0.29, (10, "g/dL", None), (1, ("floor", "no_context"))),
        (0.29, (None, "g/dL", 12), (1, ("floor", "no_context"))),
        (0.29, (10, None, 12), (1, ("floor", "no_context"))),
        ("<0.1", (9, "g/dL", 12), (2, ("no_transfusion_assumed",))),
    ],
)
def test_hemolysis(haptoglobin: Any, hemoglobin: tuple[Any, ...], grade_and_flags: tuple[int, tuple[str, ...]]) -> None:
    result = one("Hemolysis", "HAPTOG", haptoglobin, "g/L", 2, 0.3, **dict(zip(HB, hemoglobin, strict=True)))
    assert (result.grade, result.flags) == grade_and_flags


# creatinine, unit, age, sex, what else: grade of chronic kidney disease by the computed eGFR, or the reason; None: no result
@pytest.mark.parametrize(
    ("creatinine", "unit", "age", "sex", "named", "expected"),
    [
        (1.4, "mg/dL", 60, "F", {}, 2),  # 43
        (123.76, "umol/L", 60, "F", {}, 2),
        (1.07, "mg/dL", 60, "F", {}, 2),  # 59
        (1.06, "mg/dL", 60, "F", {}, "NO_LIMIT"),  # 60: from there on the LLN decides, and none is known
        (0.9, "mg/dL", 40, "M", {}, "NO_LIMIT"),
        (1.9, "mg/dL", 60, "F", {}, 2),  # 30
        (1.95, "mg/dL", 60, "F", {}, 3),  # 29
        (3.4, "mg/dL", 60, "F", {}, 3),  # 15
        (3.6, "mg/dL", 60, "F", {}, 4),  # 14
        (3.4, "mg/dL", 60, "male", {}, 3),
        (1.4, "mg/dL", 17, "F", {}, "NO_CONTEXT"),
        (1.4, "mg/dL", 60, None, {}, "NO_CONTEXT"),
        (1.4, "mg/dL", None, "F", {}, "NO_CONTEXT"),
        (1.4, "mg/dL", 60, "U", {}, "NO_CONTEXT"),
        (0, "mg/dL", 60, "F", {}, "NO_CONTEXT"),
        (1.4, None, 60, "F", {}, "NO_UNIT"),
        (1.4, "furlong", 60, "F", {}, "UNKNOWN_UNIT"),
        (">1.4", "mg/dL", 60, "F", {}, "QUALIFIED"),
        (">1.4", None, 60, "F", {}, "QUALIFIED"),
        (None, "mg/dL", 60, "F", {}, "NO_VALUE"),
        ("high", "mg/dL", 60, "F", {}, "NOT_NUMERIC"),
        (1.4, "mg/dL", None, None, {}, None),
        (1.4, "mg/dL", 60, "F", {"egfr_reported": True}, None),
        (1.4, "mg/dL", 60, "F", {"policy": "literal"}, None),
        (1.4, "mg/dL", 60, "F", {"policy": {"preset": "literal", "egfr": "computed"}}, 2),
    ],
)
def test_chronic_kidney_disease_by_the_computed_egfr(
    creatinine: Any, unit: str | None, age: Any, sex: str | None, named: dict[str, Any], expected: int | str | None
) -> None:
    found = [r for r in grade("CREAT", creatinine, unit, 1.2, age=age, sex=sex, **named) if r.term == "Chronic kidney disease"]
    assert [r.grade if r.grade is not None else r.reason for r in found] == ([] if expected is None else [expected])
    without_number = expected in ("NO_VALUE", "NOT_NUMERIC")
    assert all(("egfr_computed" in r.flags) != without_number for r in found)


# creatinine, baseline (mg/dL): grade of acute kidney injury, standard policy
@pytest.mark.parametrize(
    ("creatinine", "baseline", "expected"),
    [
        (1.0, 1.0, 0), (1.3, 1.0, 0), (1.31, 1.0, 1), (0.74, 0.5, 0), (0.75, 0.5, 1), (0.8, 0.5, 1), (2.0, 1.0, 1),
        (2.01, 1.0, 2), (3.0, 1.0, 2), (3.01, 1.0, 3), (4.0, 3.9, 0), (4.01, 3.9, 3), (6.0, 5.0, 3), (0.5, 1.0, 0),
    ],
)  # fmt: skip
def test_acute_kidney_injury(creatinine: float, baseline: float, expected: int) -> None:
    assert one("Acute kidney injury", "CREAT", creatinine, "mg/dL", baseline=baseline).grade == expected


# value, baseline: grade and flags that a change from baseline adds
@pytest.mark.parametrize(
    ("test", "value", "baseline", "expected"),
    [
        ("QTCF", 449, 389, (0, ())),
        ("QTCF", 449, 388, (0, ("rise_over_60_ms",))),
        ("QTCF", 470, 409, (1, ("rise_over_60_ms",))),
        ("QTCF", 470, 410, (1, ())),
        ("QTCF", 470, None, (1, ())),  # what is not known is not noted
        ("QTCF", 505, 400, (2, ("same_band", "floor", "repeat_ecg_needed", "rise_over_60_ms"))),
        ("QTCF", "<440", 350, (0, ())),
        ("QTCF", ">480", 410, (None, ("rise_over_60_ms",))),
        ("DIABP", 79, 59, (0, ())),
        ("DIABP", 79, 58, (0, ("diastolic_rise_over_20",))),
        ("DIABP", 95, 70, (2, ("diastolic_rise_over_20",))),
        ("DIABP", 95, None, (2, ())),
        ("SYSBP", 150, 100, (2, ())),
    ],
)
def test_changes_are_noted_and_never_grade(
    test: str, value: Any, baseline: float | None, expected: tuple[int | None, tuple[str, ...]]
) -> None:
    (result,) = grade(test, value, "ms" if test == "QTCF" else "mmHg", baseline=baseline)
    assert (result.grade, result.flags) == expected


# pressure, number of antihypertensive drugs: grade, criterion and flags
@pytest.mark.parametrize(
    ("pressure", "drugs", "expected"),
    [
        (110, None, (0, "", ())),
        (110, 0, (0, "", ())),
        (110, 1, (2, "on an antihypertensive drug", ("on_antihypertensive",))),
        (110, 2, (3, "on more than one antihypertensive drug", ("on_antihypertensives",))),
        (150, 0, (2, ">= 140 mmHg", ())),
        (150, 1, (2, ">= 140 mmHg", ())),
        (150, 3, (3, "on more than one antihypertensive drug", ("on_antihypertensives",))),
        (165, 1, (3, ">= 160 mmHg", ())),
    ],
)
def test_blood_pressure_on_drugs(pressure: int, drugs: int | None, expected: tuple[int, str, tuple[str, ...]]) -> None:
    (result,) = grade("SYSBP", pressure, "mmHg", n_antihypertensives=drugs)
    assert (result.grade, result.criterion, result.flags) == expected


# a pair: grade or reason, and the criterion of the worse part (the systolic one of equals)
@pytest.mark.parametrize(
    ("pair", "named", "expected", "criterion"),
    [
        ("118/78", {}, 0, ""),
        ("125/78", {}, 1, ">= 120 mmHg"),
        ("118/85", {}, 1, ">= 80 mmHg"),
        ("150/95", {}, 2, ">= 140 mmHg"),
        ("125/95", {}, 2, ">= 90 mmHg"),
        (" 165 / 95 ", {}, 3, ">= 160 mmHg"),
        ("110/70", {"n_antihypertensives": 1}, 2, "on an antihypertensive drug"),
        ("20.0/12.0", {"unit": "kPa"}, 2, ">= 140 mmHg (18.6651 kPa)"),
        ("150", {}, "NOT_NUMERIC", ""),
        ("150/", {}, "NO_VALUE", ""),
        ("150/low", {}, "NOT_NUMERIC", ""),
        ("150/95/80", {}, "NOT_NUMERIC", ""),
        ("", {}, "NO_VALUE", ""),
        (None, {}, "NO_VALUE", ""),
        ("165/<110", {}, "QUALIFIED", ""),
        ("150/95", {"unit": None}, "NO_UNIT", ""),
    ],
)
def test_a_pair_of_pressures(pair: str | None, named: dict[str, Any], expected: int | str, criterion: str) -> None:
    (result,) = grade("BP", pair, **{"unit": "mmHg", **named})
    assert (result.grade if result.grade is not None else result.reason, result.criterion) == (expected, criterion)


def test_the_baseline_and_the_limits_of_a_pair_are_pairs() -> None:
    (result,) = grade("BP", "118/105", "mmHg", baseline="110/80")
    assert (result.grade, result.flags) == (3, ("diastolic_rise_over_20",))
    child = {"age": 9, "policy": {"same_band": "higher"}}
    assert [grade("BP", "110/70", "mmHg", "115/75", **child)[0].grade, grade("BP", "110/70", "mmHg", "105/75", **child)[0].grade] == [0, 2]


# stools per day, at baseline: grade of diarrhea
@pytest.mark.parametrize(
    ("count", "baseline", "expected"),
    [
        (0, 0, 0), (1, 0, 1), (3, 0, 1), (4, 0, 2), (6, 0, 2), (7, 0, 3), (2, 2, 0), (3, 2, 1), (6, 2, 2), (9, 2, 3),
        (1, 3, 0), (5, None, "NO_BASELINE"), ("0", "0", 0), (">10", 1, 3), ("<3", 2, "QUALIFIED"),
    ],
)  # fmt: skip
def test_stools_against_their_number_at_baseline(count: Any, baseline: Any, expected: int | str) -> None:
    result = one("Diarrhea", "STOOLS24", count, baseline=baseline)
    assert (result.grade if result.grade is not None else result.reason) == expected


def test_elsewhere_a_baseline_of_zero_has_no_multiples() -> None:
    assert one("Acute kidney injury", "CREAT", 1.0, "mg/dL", baseline=0).reason == "NO_BASELINE"


# of a child (9 years) and of an adult: grade, or reason
@pytest.mark.parametrize(
    ("arguments", "named", "of_a_child", "of_an_adult", "of_unknown_age"),
    [
        (("SYSBP", 112, "mmHg", 110), {}, 0, 0, 0),  # above its limit: grade 2 where recurrent or persistent
        (("SYSBP", 112, "mmHg", 110), {"same_band": "higher"}, 2, 0, 0),
        (("SYSBP", 110, "mmHg", 110), {"same_band": "higher"}, 0, 0, 0),
        (("SYSBP", 125, "mmHg", 110), {"same_band": "higher"}, 2, 1, 1),
        (("SYSBP", 112, "mmHg"), {"same_band": "higher"}, "NO_LIMIT", 0, 0),
        (("DIABP", 165, "mmHg", 75), {"same_band": "higher"}, 3, 3, 3),
        (("HEARSH8K", 21, "dB"), {}, 1, "NO_CONTEXT", "NO_CONTEXT"),
        (("HEARSH2F", 30, "dB"), {}, "NO_CONTEXT", 2, 2),
        (("WEIGHT", 105, "kg", None, None, 100), {}, 1, 1, 1),  # the growth curve is not in the data
    ],
)
def test_children(
    arguments: tuple[Any, ...], named: dict[str, Any], of_a_child: int | str, of_an_adult: int | str, of_unknown_age: int | str
) -> None:
    found = [grade(*arguments, age=age, policy=named)[0] for age in (9, 40, None)]
    assert [r.grade if r.grade is not None else r.reason for r in found] == [of_a_child, of_an_adult, of_unknown_age]


def test_a_child_above_its_limit_has_a_shared_band_at_any_pressure() -> None:
    assert grade("SYSBP", 112, "mmHg", 110, age=9)[0].flags == ("same_band",)


# --- laws

LADDERS = [
    (ladder, units.analyte(name)) for ladder in rules.ladders() for name in ladder.analytes
    if not units.analyte(name).scale
]  # fmt: skip
POLICIES = st.fixed_dictionaries(
    {"preset": st.sampled_from(["standard", "literal"])},
    optional={
        "within_normal_range": st.sampled_from(["zero", "cut_off"]),
        "baseline_arm": st.sampled_from(["outside_normal", "as_printed", "off"]),
        "same_band": st.sampled_from(["lower", "higher"]),
        "fasting": st.sampled_from(["as_stated", "assume_fasting"]),
    },
)


def on(ladder: rules.Ladder, analyte: units.Analyte, value: Fraction, unit: str | None, named: dict[str, Any]) -> Grading:
    """The result on one ladder."""
    specimen = next(iter(sorted(analyte.specimens - {""})), None)
    found = [r for r in grade(analyte.name, value, unit, specimen=specimen, **named) if r.case and r.case.ladder is ladder]
    if not found:  # the computed eGFR, which no test reports
        policy = rules.Policy.of(named["policy"])
        reading = Reading(Number(value), uln=named["uln"], lln=named["lln"])
        return decide(rules.fit(ladder, analyte, unit, policy), reading, policy)
    return found[0]


@st.composite
def cases(draw: st.DrawFn) -> tuple[rules.Ladder, units.Analyte, dict[str, Any], list[Fraction]]:
    """A ladder, everything that is known beside the value, and values on and beside the bounds of its rungs."""
    ladder, analyte = draw(st.sampled_from(LADDERS))
    policy = rules.Policy.of(draw(POLICIES))
    numbers = st.fractions(Fraction(1, 100), 1000, max_denominator=100)
    lln, width, baseline = draw(numbers), draw(numbers), draw(numbers)
    named = {
        "lln": lln, "uln": lln + width, "baseline": baseline, "policy": policy, "fasting": draw(st.booleans()),
        "on_anticoagulant": draw(st.booleans()), "n_antihypertensives": draw(st.sampled_from([None, 0, 1, 2])),
        "temperature": draw(st.sampled_from([37, 38, 38.2, 39])), "temperature_unit": "C",
        "hemoglobin": draw(st.sampled_from([9, 10, 11])), "hemoglobin_unit": "g/dL", "hemoglobin_baseline": 12,
        "age": 9 if ladder.population == "child" else draw(st.sampled_from([9, 60])) if not ladder.population else 60,
    }  # fmt: skip
    arms = rules.fit(ladder, analyte, analyte.canonical, policy).arms
    bases = {"absolute": Fraction(0), "uln": lln + width, "lln": lln, "baseline": baseline}
    bounds = [arm.factor * bases[arm.rung.basis] + arm.shift for arm in arms] + [lln, lln + width]
    near = st.builds(lambda bound, step: bound * (1 + Fraction(step, 1000)), st.sampled_from(bounds), st.sampled_from([-1, 0, 1, 400]))
    values = st.lists(st.one_of(near, numbers).filter(lambda value: value >= 0 or analyte.signed), min_size=2, max_size=2)
    return ladder, analyte, named, sorted(draw(values))


@settings(max_examples=300, deadline=None)
@given(cases(), st.sets(st.sampled_from(["uln", "lln", "baseline", "fasting"])))
def test_a_grade_never_falls_as_the_value_worsens(case: Any, unknown: set[str]) -> None:
    ladder, analyte, named, values = case
    named = {**named, **dict.fromkeys(unknown)}
    milder, worse = (on(ladder, analyte, value, analyte.canonical, named) for value in values[:: 1 if ladder.direction == "H" else -1])
    if milder.grade is not None and worse.grade is not None:
        assert milder.grade <= worse.grade
    if not unknown - {"fasting"} and analyte.name != "gfr_computed":
        assert "NO_LIMIT" not in (milder.reason, worse.reason)
        assert "NO_BASELINE" not in (milder.reason, worse.reason)


SPELLINGS = ("g/dL", "g/L", "mg/dL", "mg/L", "mmol/L", "umol/L", "mEq/L", "10^9/L", "10^6/L", "/mm3", "U/L", "ukat/L", "s", "ms", "C", "F",
             "K", "mmHg", "kPa", "kg", "lb", "%", "1", "ng/mL", "g/24 h", "mg/24 h", "mL/min", "mL/min/1.73 m2", "cm", "mm", "10^6/mL",
             "weeks", "days", "L", "mL", "/24 h", "/week")  # fmt: skip


@cache
def readable(analyte: units.Analyte) -> list[str]:
    """Those of SPELLINGS that this analyte can have."""
    found = []
    for spelling in SPELLINGS:
        with contextlib.suppress(units.UnknownUnit):
            units.unit(analyte, spelling)
            found.append(spelling)
    return found


@settings(max_examples=300, deadline=None)
@given(cases(), st.data())
def test_another_unit_changes_no_grade_where_the_printed_criterion_is_the_same(case: Any, data: st.DataObject) -> None:
    """Multiples of limits and baseline in any unit; absolute bounds where both units are compared with the same print."""
    ladder, analyte, named, (value, _) = case
    first, second = (data.draw(st.sampled_from([*readable(analyte), analyte.canonical])) for _ in range(2))
    policy = named["policy"]
    printed = [[(arm.rung.grade, arm.rung.unit) for arm in rules.fit(ladder, analyte, unit, policy).arms] for unit in (first, second)]
    if printed[0] != printed[1]:  # 8.0 g/dL and 4.9 mmol/L are not the same hemoglobin
        return
    grades = []
    lines = [units.line(analyte, analyte.canonical, unit) for unit in (first, second)]
    if any(rules.to_digits(times) != times for times, _ in lines):  # a molar mass: on the bound itself rounding would decide
        value *= 1 + Fraction(1, 7919)
    for unit, (times, zero) in zip((first, second), lines, strict=True):
        scaled = {key: rules.to_digits(named[key] * times + zero) for key in ("lln", "uln", "baseline")}
        if min(scaled.values()) < 0 or scaled["uln"] <= scaled["lln"]:  # far below the zero of a temperature
            return
        moved = rules.to_digits(value * times + zero)
        if moved < 0 and not analyte.signed:
            return
        grades.append(on(ladder, analyte, moved, unit, {**named, **scaled}))
    assert (grades[0].grade, grades[0].reason) == (grades[1].grade, grades[1].reason)


# What stands for a missing input, by a reading that is told elsewhere: then a completion may differ.
ASSUMED = {("Hemoglobin increased", "baseline")}  # an unknown baseline is taken as not above the ULN


@settings(max_examples=600, deadline=None)
@given(cases(), st.sets(st.sampled_from(["uln", "lln", "baseline", "fasting", "on_anticoagulant", "temperature", "hemoglobin",
                                         "hemoglobin_baseline", "unit"]), min_size=1))  # fmt: skip
def test_a_missing_input_never_gives_a_firm_grade_that_its_completion_contradicts(case: Any, missing: set[str]) -> None:
    ladder, analyte, named, (value, _) = case
    if any((ladder.term, each) in ASSUMED for each in missing):
        return
    complete = on(ladder, analyte, value, analyte.canonical, named)
    partial = on(ladder, analyte, value, None if "unit" in missing else analyte.canonical, {**named, **dict.fromkeys(missing - {"unit"})})
    assert partial.case is None or partial.sentence.endswith(".")
    if partial.grade is None or (missing & {"uln", "lln"} and "within_normal_range" in complete.flags):
        return  # a cut-off counts where the normal range is not known
    assert complete.grade is not None
    assert complete.grade >= partial.grade
    if "floor" not in partial.flags:
        assert complete.grade == partial.grade


@pytest.mark.parametrize(
    ("reported", "number"),
    [
        ("1,5", "1.5"), ("0,45", "0.45"), ("12,34", "12.34"), ("0,500", "0.5"), ("1234,567", "1234.567"), ("-2,5", None),
        ("<0,1", "<0.1"), (">= 8,25", ">=8.25"),
        ("1,500", None), ("12,345", None), ("123,456", None),  # thousands, or three decimals: nobody can tell
        ("1,2,3", None), (",5", None), ("5,", None), ("1.234,5", None),
    ],
)  # fmt: skip
def test_a_decimal_comma(reported: str, number: str | None) -> None:
    assert read_number(reported) == (read_number(number) if number else "NOT_NUMERIC")
