"""A grading in one sentence for a clinician: the grade, the criterion that decided and the next one, or why there is none.

>>> from ctcae_v403.grading import grade
>>> grade("ALT", 30, "U/L", uln=40)[0].sentence
'Alanine aminotransferase 30 U/L is grade 0 (Alanine aminotransferase increased): not above the ULN (40 U/L).'
"""

from __future__ import annotations

from collections.abc import Iterator

from ctcae_v403 import rules
from ctcae_v403.grading import EGFR_COMPUTED, FLOOR_REASONS, Case, Grading, Reading, compared, situation
from ctcae_v403.reported import read_number
from ctcae_v403.rules import Arm

_OPERATORS = {">": "above", ">=": "at least", "<": "below", "<=": "at most"}
_DENIED = {">": "not above", ">=": "below", "<": "not below", "<=": "above"}
_BASES = {"uln": "the ULN", "lln": "the LLN", "baseline": "baseline"}

#: Flags in words; those not listed are told by the sentence itself.
FLAGS = {
    "unit_converted": "converted to the printed unit",
    "adult_assumed": "an adult is assumed",
    "no_lower_bound": "the printed band has no lower end",
    "no_upper_bound": "the printed band has no upper end",
    "printed_as_example": "the number is printed as an example",
    "rest_assumed": "taken as measured at rest",
    "same_band": "the same number fits a worse grade, which findings would decide",
    "24h_protein_needed": "the 24-hour protein is needed to tell",
    "mi_cutoff_needed": "the manufacturer's cut-off for myocardial infarction is needed to tell",
    "repeat_ecg_needed": "a second ECG like this makes it grade 3",
    "marrow_aplasia_decides": "aplasia for more than two weeks would be grade 4",
    "limb_volume_decides": "grade 3 is told from the volume",
    "growth_velocity_decides": "a worse grade is told from the growth velocity",
    "grade_3_with_pulmonary_symptoms": "with pulmonary symptoms it is grade 3",
    "no_transfusion_assumed": "provided that no transfusion raised the hemoglobin",
    "on_antihypertensive": "whatever the pressure",
    "on_antihypertensives": "whatever the pressure",
    "rise_over_60_ms": "more than 60 ms above baseline: with a serious arrhythmia grade 4",
    "diastolic_rise_over_20": "more than 20 mmHg above baseline: with symptoms grade 2",
    EGFR_COMPUTED: "by CKD-EPI 2021",
}
_WANTING = {
    "NO_LIMIT": "the normal limit is not known",
    "NO_BASELINE": "the baseline is not known",
    "NOT_FASTING": "whether it was fasting is not stated",
    "NO_CONTEXT": "what else the criterion needs is not known",
}
_PEOPLE = {"child": "children", "adult": "adults"}
_CONTEXTS = {
    "anticoagulated": "whether an anticoagulant is taken is not stated",
    "febrile": "fever on that day is neither shown nor excluded",
    "hemoglobin_fell": "whether hemoglobin fell from its baseline is not known for that day",
}


def sentence(of: Grading) -> str:
    """Raises ``ValueError`` for a grading that ``grading.grade`` did not give: it does not know of what it is."""
    case = of.case
    if case is None:
        raise ValueError(f"{of.term or 'this grading'} does not say of what it is; take it from grading.grade")
    if case.analyte is None:
        where = f" in {case.specimen}" if case.specimen else ""
        known = "the test is not known" if of.reason == "UNKNOWN_TEST" else f"it is not graded{where}"
        return f"No grade of {case.test!r}: {known} ({of.reason})."
    if of.grade is None:
        flags = "".join(f"; {words}" for words in _flags(of) if words != FLAGS[EGFR_COMPUTED])
        return f"No grade of {of.term}: {_why(of, case)} ({of.reason}){flags}."
    subject = _subject(of, case)
    least = "at least " if "floor" in of.flags else ""
    said = [_decided(of, case), *_open(of, case), *_flags(of)]
    told = "; ".join(filter(None, said))
    return f"{subject[0].upper()}{subject[1:]} is {least}grade {of.grade} ({of.term}): {told}."


def _subject(of: Grading, case: Case) -> str:
    """What was measured, with value and unit; a value that was corrected or computed, with where it is from."""
    assert case.analyte is not None
    label = case.analyte.label
    value = str(case.value).strip()
    reported = read_number(case.value, case.analyte, case.analyte.signed)
    if case.reading and EGFR_COMPUTED in of.flags:
        return f"{_name(label)} {_with_unit(rules.plain(case.reading.number.value), case.unit)}"
    told = f"{_name(label)} {_with_unit(value, case.unit)}"
    if case.reading and not isinstance(reported, str) and reported.value != case.reading.number.value:
        told += f" (corrected for albumin {_with_unit(rules.plain(case.reading.number.value), case.unit)})"
    return told


def _name(label: str) -> str:
    """A label inside a sentence: abbreviations keep their capitals."""
    return label if label[1:2].isupper() or label[1:2].isdigit() or label[2:3].isupper() else label[0].lower() + label[1:]


def _with_unit(value: str, unit: str | None) -> str:
    return f"{value} {unit.strip()}" if unit and unit.strip() else value


def _bound(arm: Arm, reading: Reading, denied: bool = False) -> str:
    """``above 5.0 × ULN (200 U/L)``, or its denial."""
    rung = arm.rung
    words = (_DENIED if denied else _OPERATORS)[rung.operator]
    text = arm.text(reading.base(rung.basis)).removeprefix(rung.operator).strip()
    return f"{words} {'the ' if text.startswith(('ULN', 'LLN')) else ''}{text}"


def _decided(of: Grading, case: Case) -> str:
    reading, fitted = case.reading, case.fitted
    assert reading is not None
    assert fitted is not None
    idle = ("noted",) if case.policy.same_band == "higher" else ("noted", "findings")
    arms = [arm for arm in fitted.arms if arm.rung.context not in idle]
    if of.grade == 0:
        if "within_normal_range" in of.flags:
            return "it lies within the normal range, which outweighs a bound inside it"
        mildest = min((arm.rung.grade for arm in arms), default=0)
        denied = [_bound(arm, reading, denied=True) for arm in arms
                  if arm.rung.grade == mildest and compared(arm, reading) is False]  # fmt: skip
        return " and ".join(dict.fromkeys(denied)) or _absent(arms, reading)
    fired = next(
        arm for arm in arms if arm.rung.grade == of.grade and arm.rung.basis == of.basis
        and arm.text(reading.base(arm.rung.basis)) == of.criterion
    )  # fmt: skip
    if fired.rung.context in rules.ALONE:
        return of.criterion
    context = fired.rung.context
    beside = "if findings bear it out" if context == "findings" else rules.CONTEXTS[context] if context else ""
    met = " ".join(part for part in (_bound(fired, reading), beside) if part)
    if "within_normal_range" in of.flags:
        met += ", although within the normal range"
    worse = sorted(
        (arm for arm in arms if arm.rung.grade > (of.grade or 0) and compared(arm, reading) is False
         and arm.rung.context not in rules.ALONE and (arm.rung.context is None or arm.rung.context == fired.rung.context)),
        key=lambda arm: (arm.rung.grade, arm.rung.basis != fired.rung.basis, "floor" in arm.rung.flags),
    )  # fmt: skip
    return ", ".join([met, *(_bound(arm, reading, denied=True) for arm in worse[:1])])


def _absent(arms: list[Arm], reading: Reading) -> str:
    """Of a rung whose number holds: what it needs beside, and does not have."""
    words = [rules.CONTEXTS[arm.rung.context] for arm in arms if arm.rung.context]
    return " and ".join(dict.fromkeys(each.replace("with ", "without ") for each in words))


def _open(of: Grading, case: Case) -> Iterator[str]:
    """Why a worse grade cannot be told."""
    for reason in FLOOR_REASONS:
        if reason.lower() in of.flags:
            yield f"a worse grade is possible because {_wanting(reason, case)}"


def _flags(of: Grading) -> Iterator[str]:
    higher = of.case is not None and of.case.policy.same_band == "higher"
    for flag in dict.fromkeys(of.flags):
        if flag in FLAGS and not (flag == "same_band" and higher):
            yield FLAGS[flag]


def _why(of: Grading, case: Case) -> str:
    assert case.analyte is not None
    name = _name(case.analyte.label)
    if of.reason == "NO_VALUE":
        return f"no value of {name} was reported"
    if of.reason == "NOT_NUMERIC":
        return f"{name} {str(case.value).strip()!r} is not a result that can be read"
    subject = _subject(of, case)
    reading = case.reading
    if EGFR_COMPUTED in of.flags and reading is None:
        without = " without the sex and an age of at least 18 years" if of.reason == "NO_CONTEXT" else ""
        return f"the eGFR cannot be computed from a creatinine of {_with_unit(str(case.value).strip(), case.unit)}{without}"
    assert reading is not None
    assert case.ladder is not None
    if of.reason == "INVALID_LIMITS":
        both = (("LLN", reading.lln), ("ULN", reading.uln))
        limits = [f"{word} {rules.plain(each)}" for word, each in both if each is not None]
        return f"{subject} has normal limits that cannot be, {', '.join(limits)}"
    if of.reason == "QUALIFIED":
        return f"{subject} may mean more than one grade"
    if of.reason == "NO_UNIT":
        return f"{subject} has no unit"
    if of.reason == "UNKNOWN_UNIT":
        return f"{subject} is in a unit that is not known for it"
    if of.reason == "NO_CONTEXT" and case.ladder.population:
        age = {None: "a patient of unknown age", True: "an adult", False: "a child"}[reading.adult]
        return f"the criterion for {subject} is that of {_PEOPLE[case.ladder.population]}, not of {age}"
    met = _nearly_met(of.reason, case)
    return f"{subject} is {met}, but {_wanting(of.reason, case)}" if met else f"{_wanting(of.reason, case)} for {subject}"


def _nearly_met(reason: str, case: Case) -> str:
    """The mildest bound that holds while its context is not known."""
    reading, fitted = case.reading, case.fitted
    assert reading is not None
    assert fitted is not None
    for arm in reversed(fitted.arms):
        if situation(arm.rung, reading) == reason and compared(arm, reading) is True:
            return _bound(arm, reading)
    return ""


def _wanting(reason: str, case: Case) -> str:
    """What is not known, in words."""
    reading, fitted = case.reading, case.fitted
    assert reading is not None
    assert fitted is not None
    if reason == "NOT_FASTING" and reading.fasting is False:
        return "was not taken fasting"
    if reason == "NO_LIMIT":
        used = {arm.rung.basis for arm in fitted.arms} & {"uln", "lln"}
        missing = {basis for basis in used if reading.base(basis) is None}
        edge = {"H": "uln", "L": "lln"}[fitted.ladder.direction]
        return f"{_BASES[min(missing, default=edge)]} is not known"
    if reason == "NO_CONTEXT":
        for arm in fitted.arms:
            if situation(arm.rung, reading) == reason and arm.rung.context in _CONTEXTS:
                return _CONTEXTS[arm.rung.context]
    return _WANTING[reason]
