# ruff: noqa: E501  (a table that is read line by line)
"""A grading in one sentence: read the table as a clinician would."""

from __future__ import annotations

from typing import Any

import pytest

from ctcae_v403 import rules, sentences
from ctcae_v403.grading import FLOOR_REASONS, REASONS, Grading, grade

# term, test and value …, by name …, the sentence
SENTENCES: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
    # grades by limits, cut-offs and baseline, with the next one
    ("Alanine aminotransferase increased", ("ALT", 250, "U/L", 40), {},
     "Alanine aminotransferase 250 U/L is grade 3 (Alanine aminotransferase increased): above 5.0 × ULN (200 U/L), not above 20.0 × ULN (800 U/L)."),
    ("Alanine aminotransferase increased", ("ALT", 900, "U/L", 40), {},
     "Alanine aminotransferase 900 U/L is grade 4 (Alanine aminotransferase increased): above 20.0 × ULN (800 U/L)."),
    ("Alanine aminotransferase increased", ("ALT", "<30", "U/L", 40), {},
     "Alanine aminotransferase <30 U/L is grade 0 (Alanine aminotransferase increased): not above the ULN (40 U/L)."),
    ("Anemia", ("HGB", 9.5, "g/dL"), {}, "Hemoglobin 9.5 g/dL is grade 2 (Anemia): below 10.0 g/dL, not below 8.0 g/dL."),
    ("Anemia", ("HGB", 4960, "mg/dL"), {},
     "Hemoglobin 4960 mg/dL is grade 3 (Anemia): below 8.0 g/dL (8000 mg/dL); converted to the printed unit."),
    ("Hyperglycemia", ("GLUC", 140, "mg/dL", 110), {"fasting": True},
     "Glucose 140 mg/dL is grade 1 (Hyperglycemia): above the ULN (110 mg/dL) fasting, not above 160 mg/dL."),
    ("Acute kidney injury", ("CREAT", 1.1, "mg/dL"), {"baseline": 0.6},
     "Creatinine 1.1 mg/dL is grade 1 (Acute kidney injury): above baseline + 0.3 mg/dL (0.9 mg/dL), not above 2.0 × baseline (1.2 mg/dL)."),
    ("Weight loss", ("WEIGHT", 56, "kg"), {"baseline": 70}, "Body weight 56 kg is grade 3 (Weight loss): at most 0.80 × baseline (56 kg)."),
    ("Weight gain", ("WEIGHT", 56, "kg"), {"baseline": 70}, "Body weight 56 kg is grade 0 (Weight gain): below 1.05 × baseline (73.5 kg)."),
    ("Diarrhea", ("STOOLS24", 5), {"baseline": 0},
     "Stools 5 is grade 2 (Diarrhea): at least baseline + 4 /24 h (4), below baseline + 7 /24 h (7)."),
    ("Fever", ("TEMP", 38.5, "C"), {}, "Body temperature 38.5 C is grade 1 (Fever): at least 38.0 degC, not above 39.0 degC."),
    # floors: what else would have to be known
    ("Creatinine increased", ("CREAT", 1.3, "mg/dL", 1.2), {},
     "Creatinine 1.3 mg/dL is at least grade 1 (Creatinine increased): above the ULN (1.2 mg/dL), not above 1.5 × ULN (1.8 mg/dL); a worse grade is possible because the baseline is not known."),
    ("Hemolysis", ("HAPTOG", 0.2, "g/L", 2, 0.3), {},
     "Haptoglobin 0.2 g/L is at least grade 1 (Hemolysis): below the LLN (0.3 g/L); a worse grade is possible because whether hemoglobin fell from its baseline is not known for that day."),
    ("Proteinuria", ("PROT", "3+"), {"specimen": "URINE", "age": 60},
     "Urine protein, dipstick 3+ is at least grade 2 (Proteinuria): at least 3; the 24-hour protein is needed to tell."),
    ("Cardiac troponin I increased", ("TROPONI", 2, "ng/mL", 0.04), {},
     "Troponin I 2 ng/mL is at least grade 1 (Cardiac troponin I increased): above the ULN (0.04 ng/mL); the manufacturer's cut-off for myocardial infarction is needed to tell."),
    # flags
    ("Hypokalemia", ("K", 3.2, "mmol/L", 5, 3.5), {},
     "Potassium 3.2 mmol/L is grade 1 (Hypokalemia): below the LLN (3.5 mmol/L), not below 3.0 mmol/L; the same number fits a worse grade, which findings would decide."),
    ("Hypokalemia", ("K", 3.2, "mmol/L", 5, 3.5), {"policy": "literal"},
     "Potassium 3.2 mmol/L is grade 2 (Hypokalemia): below the LLN (3.5 mmol/L) if findings bear it out, not below 3.0 mmol/L."),
    ("Neutrophil count decreased", ("NEUT", 1.4, "10^9/L", 7, 1.3), {},
     "Neutrophils 1.4 10^9/L is grade 0 (Neutrophil count decreased): it lies within the normal range, which outweighs a bound inside it."),
    ("Neutrophil count decreased", ("NEUT", 1.4, "10^9/L", 7, 1.3), {"policy": "literal"},
     "Neutrophils 1.4 10^9/L is grade 2 (Neutrophil count decreased): below 1.5 10^9/L, although within the normal range, not below 1.0 10^9/L."),
    ("Hypocalcemia", ("CA", 1.9, "mmol/L", 2.6, 2.1), {"albumin": 20, "albumin_unit": "g/L"},
     "Calcium 1.9 mmol/L (corrected for albumin 2.3 mmol/L) is grade 0 (Hypocalcemia): not below the LLN (2.1 mmol/L)."),
    ("Proteinuria", ("PROT", "1+"), {"specimen": "URINE"},
     "Urine protein, dipstick 1+ is grade 1 (Proteinuria): at least 1, below 2; an adult is assumed."),
    ("Hypertension", ("DIABP", 95, "mmHg"), {"baseline": 70},
     "Diastolic blood pressure 95 mmHg is grade 2 (Hypertension): at least 90 mmHg, below 100 mmHg; more than 20 mmHg above baseline: with symptoms grade 2."),
    ("Hypertension", ("SYSBP", 118, "mmHg"), {"n_antihypertensives": 2},
     "Systolic blood pressure 118 mmHg is grade 3 (Hypertension): on more than one antihypertensive drug; whatever the pressure."),
    ("Hypertension", ("BP", "118/95", "mmHg"), {},
     "Diastolic blood pressure 95 mmHg is grade 2 (Hypertension): at least 90 mmHg, below 100 mmHg."),
    ("Febrile neutropenia", ("NEUT", 900, "/mm3"), {"temperature": 38.6, "temperature_unit": "C"},
     "Neutrophils 900 /mm3 is grade 3 (Febrile neutropenia): below 1000 /mm3 with fever on that day."),
    ("Febrile neutropenia", ("NEUT", 900, "/mm3"), {"temperature": 37, "temperature_unit": "C"},
     "Neutrophils 900 /mm3 is grade 0 (Febrile neutropenia): without fever on that day."),
    ("Hemolysis", ("HAPTOG", 0.2, "g/L", 2, 0.3), {"hemoglobin": 9, "hemoglobin_unit": "g/dL", "hemoglobin_baseline": 12},
     "Haptoglobin 0.2 g/L is grade 2 (Hemolysis): below the LLN (0.3 g/L) with a fall in hemoglobin on that day; provided that no transfusion raised the hemoglobin."),
    ("Electrocardiogram QT corrected interval prolonged", ("QTCF", 505, "ms"), {"baseline": 400},
     "QTc interval 505 ms is at least grade 2 (Electrocardiogram QT corrected interval prolonged): at least 501 ms; the same number fits a worse grade, which findings would decide; a second ECG like this makes it grade 3; more than 60 ms above baseline: with a serious arrhythmia grade 4."),
    ("Chronic kidney disease", ("CREAT", 1.6, "mg/dL"), {"age": 60, "sex": "F"},
     "Estimated glomerular filtration rate computed from creatinine 37 mL/min/1.73 m2 is grade 2 (Chronic kidney disease): at most 59 mL/min/1.73 m2, above 29 mL/min/1.73 m2; by CKD-EPI 2021."),
    # no grade
    ("", ("XYZ", 1), {}, "No grade of 'XYZ': the test is not known (UNKNOWN_TEST)."),
    ("", ("GLUC", 250, "mg/dL"), {"specimen": "URINE"}, "No grade of 'GLUC': it is not graded in URINE (WRONG_SPECIMEN)."),
    ("Anemia", ("HGB", None), {}, "No grade of Anemia: no value of hemoglobin was reported (NO_VALUE)."),
    ("Anemia", ("HGB", "clotted"), {}, "No grade of Anemia: hemoglobin 'clotted' is not a result that can be read (NOT_NUMERIC)."),
    ("Anemia", ("HGB", 9.5, "g/dL", 12, 16), {},
     "No grade of Anemia: hemoglobin 9.5 g/dL has normal limits that cannot be, LLN 16, ULN 12 (INVALID_LIMITS)."),
    ("Anemia", ("HGB", "<=8.0", "g/dL", 16, 12), {}, "No grade of Anemia: hemoglobin <=8.0 g/dL may mean more than one grade (QUALIFIED)."),
    ("Anemia", ("HGB", 9.5), {"lln": 12}, "No grade of Anemia: hemoglobin 9.5 has no unit (NO_UNIT)."),
    ("Anemia", ("HGB", 9.5, "pints"), {"lln": 12}, "No grade of Anemia: hemoglobin 9.5 pints is in a unit that is not known for it (UNKNOWN_UNIT)."),
    ("Anemia", ("HGB", 10.5, "g/dL"), {}, "No grade of Anemia: the LLN is not known for hemoglobin 10.5 g/dL (NO_LIMIT)."),
    ("Acute kidney injury", ("CREAT", 1.3, "mg/dL"), {}, "No grade of Acute kidney injury: the baseline is not known for creatinine 1.3 mg/dL (NO_BASELINE)."),
    ("Hyperglycemia", ("GLUC", 140, "mg/dL", 110), {},
     "No grade of Hyperglycemia: glucose 140 mg/dL is above the ULN (110 mg/dL), but whether it was fasting is not stated (NOT_FASTING)."),
    ("Hyperglycemia", ("GLUC", 140, "mg/dL", 110), {"fasting": False},
     "No grade of Hyperglycemia: glucose 140 mg/dL is above the ULN (110 mg/dL), but was not taken fasting (NOT_FASTING)."),
    ("Febrile neutropenia", ("NEUT", 900, "/mm3"), {},
     "No grade of Febrile neutropenia: neutrophils 900 /mm3 is below 1000 /mm3, but fever on that day is neither shown nor excluded (NO_CONTEXT)."),
    ("INR increased", ("INR", 1.1, None, 1.2), {"baseline": 1, "policy": "literal"},
     "No grade of INR increased: prothrombin international normalised ratio 1.1 is above baseline (1), but whether an anticoagulant is taken is not stated (NO_CONTEXT)."),
    ("Proteinuria", ("UPCR", 1.0, "mg/mg"), {"age": 50},
     "No grade of Proteinuria: the criterion for urine protein/creatinine 1.0 mg/mg is that of children, not of an adult (NO_CONTEXT)."),
    ("Chronic kidney disease", ("CREAT", 1.6, "mg/dL"), {"age": 60},
     "No grade of Chronic kidney disease: the eGFR cannot be computed from a creatinine of 1.6 mg/dL without the sex and an age of at least 18 years (NO_CONTEXT)."),
    ("Electrocardiogram QT corrected interval prolonged", ("QTCF", ">480", "ms"), {"baseline": 400},
     "No grade of Electrocardiogram QT corrected interval prolonged: QTc interval >480 ms may mean more than one grade (QUALIFIED); more than 60 ms above baseline: with a serious arrhythmia grade 4."),
]  # fmt: skip


def result_of(term: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Grading:
    (result,) = [each for each in grade(*arguments, **named) if each.term == term]
    return result


@pytest.mark.parametrize(("term", "arguments", "named", "expected"), SENTENCES)
def test_the_sentence(term: str, arguments: tuple[Any, ...], named: dict[str, Any], expected: str) -> None:
    assert result_of(term, arguments, named).sentence == expected


def test_the_table_has_every_reason_and_every_floor() -> None:
    results = [result_of(*each[:3]) for each in SENTENCES]
    assert {result.reason for result in results} == {"", *REASONS}
    assert {"no_baseline", "no_context"} <= {flag for result in results for flag in result.flags} & {r.lower() for r in FLOOR_REASONS}


def test_every_flag_of_a_rule_has_its_words() -> None:
    of_rules = {flag for ladder in rules.ladders() for rung in ladder.rungs for flag in rung.flags}
    assert of_rules - {"floor"} <= set(sentences.FLAGS)


def test_a_grading_made_by_hand_has_no_sentence() -> None:
    with pytest.raises(ValueError, match=r"take it from grading\.grade"):
        Grading("Anemia", "L", 2).sentence  # noqa: B018
