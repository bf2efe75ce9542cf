"""The grade of one laboratory value or measurement, with its reason: the plain reference, in exact arithmetic.

Authority: CTCAE v4.03 (2010-06-14) as rows in ``rules``; open readings by ``Policy``. Every arm of a rung
is true, false, or unknown with a reason (three-valued logic): the worst true rung is the grade, and grade 0
is given only when every rung is false. A worse rung that stays unknown for want of a limit, a baseline or a
context makes the grade a floor (flag ``floor``); for want of a unit or of the exact value there is no
grade.

Numbers are the decimals that were reported: numbers are rounded to ``rules.DIGITS`` significant digits, so
that 0.7999999999999999 is 0.8.

>>> [(r.term, r.grade, r.criterion) for r in grade("ALT", 250, unit="U/L", uln=40)]
[('Alanine aminotransferase increased', 3, '> 5.0 × ULN (200 U/L)')]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

from ctcae_v403 import rules, units
from ctcae_v403.reported import Known, Number, Numeric, compare, limit, read_number
from ctcae_v403.rules import Arm, Companion, Derivation, Fitted, Ladder, Policy, Rung
from ctcae_v403.units import Analyte

__all__ = ["ADULT_FROM", "FLOOR_REASONS", "REASONS", "Case", "Grading", "Number", "Reading", "both", "calcium_slope", "compare",
           "corrected_calcium", "decide", "grade", "limit", "read_number", "resolve"]  # fmt: skip

ADULT_FROM = 18  # years; CTCAE v4.03 separates adult from pediatric proteinuria without an age, ICH E11 adults

# Why there is no grade. Of several reasons the first in this order is given.
REASONS = (
    "UNKNOWN_TEST", "WRONG_SPECIMEN", "NO_VALUE", "NOT_NUMERIC", "INVALID_LIMITS", "QUALIFIED", "NO_UNIT",
    "UNKNOWN_UNIT", "NO_LIMIT", "NO_BASELINE", "NOT_FASTING", "NO_CONTEXT",
)  # fmt: skip
EGFR_COMPUTED = "egfr_computed"  # flag
FLOOR_REASONS = ("NO_LIMIT", "NO_BASELINE", "NOT_FASTING", "NO_CONTEXT")

@dataclass(frozen=True, slots=True)
class Grading:
    """One value against one term. Where ``grade`` is None ``reason`` says why; no term applies: it is empty."""

    term: str
    direction: str
    grade: int | None
    reason: str = ""
    criterion: str = ""
    basis: str = ""
    flags: tuple[str, ...] = ()
    case: Case | None = field(default=None, compare=False, repr=False)

    @property
    def sentence(self) -> str:
        """The grade and why, or why there is none, in one sentence for a clinician."""
        from ctcae_v403 import sentences

        told: str = sentences.sentence(self)
        return told


@dataclass(frozen=True, slots=True)
class Case:
    """What a grading is of: the test, value and unit as reported, and what they were graded with."""

    test: str
    value: Numeric
    unit: str | None
    specimen: str | None
    policy: Policy
    analyte: Analyte | None = None
    ladder: Ladder | None = None
    fitted: Fitted | None = None
    reading: Reading | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a value is graded with; numbers share one unit."""

    number: Number
    uln: Fraction | None = None
    lln: Fraction | None = None
    baseline: Fraction | None = None
    baseline_uln: Fraction | None = None
    fasting: bool | None = None
    on_anticoagulant: bool | None = None
    adult: bool | None = None
    at_baseline: bool = False
    n_antihypertensives: int | None = None
    febrile: bool | None = None
    hemoglobin_fell: bool | None = None

    def base(self, basis: str) -> Fraction | None:
        """What a rung of that basis multiplies; None where unknown, or for an absolute rung."""
        return {"uln": self.uln, "lln": self.lln, "baseline": self.baseline}.get(basis)


def both(parts: Iterable[Known]) -> Known:
    """Three-valued *and*: false when any is false, else the first reason in ``REASONS`` order, else true."""
    reasons: list[str] = []
    for part in parts:
        if part is False:
            return False
        if isinstance(part, str):
            reasons.append(part)
    return min(reasons, key=REASONS.index) if reasons else True


def compared(arm: Arm, reading: Reading) -> Known:
    """The comparison of one arm, without its context and its gate."""
    basis = arm.rung.basis
    if basis == "baseline" and reading.at_baseline:
        return False  # the baseline is never compared with itself
    base = Fraction(0) if basis == "absolute" else reading.base(basis)
    if arm.missing:
        return arm.missing
    if base is None:
        return "NO_BASELINE" if basis == "baseline" else "NO_LIMIT"
    return compare(reading.number, arm.rung.operator, arm.factor * base + arm.shift)


def situation(rung: Rung, reading: Reading) -> Known:
    """What a rung needs beside its comparison."""
    context = rung.context
    if rung.population == "child" and reading.adult is not False:
        return False
    if context == "fasting":
        return True if reading.fasting else "NOT_FASTING"
    if context == "anticoagulated":
        return "NO_CONTEXT" if reading.on_anticoagulant is None else reading.on_anticoagulant
    if context == "antihypertensive":
        return (reading.n_antihypertensives or 0) >= 1
    if context == "antihypertensives":
        return (reading.n_antihypertensives or 0) > 1
    if context == "febrile":
        return "NO_CONTEXT" if reading.febrile is None else reading.febrile
    if context == "hemoglobin_fell":
        return "NO_CONTEXT" if reading.hemoglobin_fell is None else reading.hemoglobin_fell
    if context in ("baseline_above_uln", "baseline_not_above_uln"):
        ceiling = reading.uln if reading.baseline_uln is None else reading.baseline_uln
        known = not reading.at_baseline and reading.baseline is not None and ceiling is not None
        above = known and reading.baseline > ceiling  # type: ignore[operator]
        return above if context == "baseline_above_uln" else not above
    return True


def _outside(reading: Reading, direction: str) -> Known:
    edge = reading.base("uln" if direction == "H" else "lln")
    return "NO_LIMIT" if edge is None else compare(reading.number, ">" if direction == "H" else "<", edge)


def decide(fitted: Fitted, reading: Reading, policy: Policy) -> Grading:
    """The grade of one reading on one fitted ladder."""
    ladder = fitted.ladder
    blank = Grading(ladder.term, ladder.direction, None)
    if ladder.limits == "used" and _inverted(reading):
        return _without(blank, "INVALID_LIMITS")
    adult = True if reading.adult is None and ladder.population == "adult" else reading.adult
    if ladder.population and adult != (ladder.population == "adult"):
        return _without(blank, "NO_CONTEXT")
    outside = _outside(reading, ladder.direction)
    all_met = [(arm, both((compared(arm, reading), situation(arm.rung, reading)))) for arm in fitted.arms]
    noted = [flag for arm, holds in all_met if _is_noted(arm) and holds is True for flag in arm.rung.flags]
    met = [pair for pair in all_met if not _is_noted(pair[0])]
    gated = [(arm, both((holds, _gate(arm, outside)))) for arm, holds in met]
    flags = ["unit_converted"] if fitted.converted else []
    if ladder.population and reading.adult is None:
        flags.append("adult_assumed")
    counted = [pair for pair in gated if not _by_findings(pair[0]) or policy.same_band == "higher"]
    fired = next((arm for arm, holds in counted if holds is True), None)
    level = fired.rung.grade if fired else 0
    unknown = [holds for arm, holds in counted if isinstance(holds, str) and arm.rung.grade > level]
    if unknown:
        reason = min(unknown, key=REASONS.index)
        if fired is None or reason not in FLOOR_REASONS:
            return _without(blank, reason, (*flags, *noted))
        flags += ["floor", reason.lower()]
    if outside is False and any(arm.inside_flagged and holds is True for arm, holds in met):
        flags.append("within_normal_range")
    # of a qualified number the whole range must lie in the band: no rung may hold of a part of it
    met_first = (arm for arm, holds in gated if holds is True or (holds == "QUALIFIED" and not _by_findings(arm)))
    worst = next(met_first, None)
    if worst is not None and _by_findings(worst):
        flags.append("same_band")
    if fired is None:
        return Grading(ladder.term, ladder.direction, 0, flags=(*flags, *noted))
    flags += [flag for flag in (*fired.rung.flags, *noted) if flag not in flags]
    criterion = fired.text(reading.base(fired.rung.basis))
    return Grading(ladder.term, ladder.direction, level, "", criterion, fired.rung.basis, tuple(flags))


def _by_findings(arm: Arm) -> bool:
    return arm.rung.context == "findings"


def _is_noted(arm: Arm) -> bool:
    return arm.rung.context == "noted"


def _gate(arm: Arm, outside: Known) -> Known:
    if arm.gate is None or (arm.gate == "may_be_normal" and outside == "NO_LIMIT"):
        return True
    return outside


def _without(blank: Grading, reason: str, flags: Iterable[str] = ()) -> Grading:
    return Grading(blank.term, blank.direction, None, reason, flags=tuple(flags))


def _inverted(reading: Reading) -> bool:
    """Limits that cannot be: the lower above the upper, or an upper limit of zero."""
    lln, uln = reading.lln, reading.uln
    return uln is not None and (uln <= 0 or (lln is not None and lln > uln))


@lru_cache(maxsize=65_536)
def resolve(code: str | None, specimen: str | None, unit: str | None) -> Analyte | str:
    """The analyte that a test code means in this specimen and unit, or the reason code."""
    known = units.candidates(code)
    name = (code or "").strip().upper()
    fitting = [each for each in known if each.taken_from(name, specimen)]
    if not fitting:
        elsewhere = all(name in each.needs_specimen for each in known)
        return "UNKNOWN_TEST" if elsewhere else "WRONG_SPECIMEN"
    for each in fitting:
        if _reads(each, unit):
            return each
    return fitting[0]


def _reads(analyte: Analyte, unit: str | None) -> bool:
    try:
        units.unit(analyte, unit or "")
    except units.UnknownUnit:
        return False
    return True


def corrected_calcium(
    number: Number,
    analyte: Analyte,
    unit: str | None,
    albumin: Fraction,
    albumin_unit: str | None,
    policy: Policy,
) -> tuple[Number, str]:
    """Calcium corrected for the albumin of that day, with the flag that says so; unchanged where it cannot be."""
    slope = calcium_slope(analyte, unit, albumin_unit, policy)
    if slope is None or number.qualifier:
        return number, ""
    per_albumin, intercept, flag = slope
    return Number(number.value + intercept - per_albumin * albumin), flag


def calcium_slope(
    analyte: Analyte, unit: str | None, albumin_unit: str | None, policy: Policy
) -> tuple[Fraction, Fraction, str] | None:
    """(a, b, flag): corrected calcium = calcium + b − a × albumin, all as reported; None where it cannot be."""
    if analyte.name != "calcium" or policy.calcium != "corrected":
        return None
    try:
        read, per_canonical = units.unit(analyte, unit or "")
        formula = rules.calcium_correction(read.dimension)
        albumin_scale = units.factor(units.analyte("ALB"), albumin_unit or "", formula["albumin_unit"])
    except units.UnknownUnit:
        return None
    scale = units.unit(analyte, formula["unit"])[1] / per_canonical
    slope = Fraction(formula["slope"]) * scale
    flag = (f"calcium_corrected (+ {formula['slope']} {formula['unit']} x ({formula['reference']} - albumin "
            f"in {formula['albumin_unit']}))")  # fmt: skip
    return slope * albumin_scale, slope * Fraction(formula["reference"]), flag


def _said(companion: Companion, value: Numeric, unit: str | None, baseline: Numeric) -> bool | None:
    """What the day's result says of a context; None where it leaves it open."""
    number, base = limit(value), limit(baseline) if companion.basis == "baseline" else Fraction(0)
    if number is None or base is None:
        return None
    try:
        times, zero = units.line(units.analyte(companion.analyte), unit or "", companion.unit)
    except units.UnknownUnit:
        return None
    found = (number - base) * times + (0 if companion.basis == "baseline" else zero)
    exact = Number(rules.to_digits(found), signed=True)
    if compare(exact, companion.true_operator, _exact(companion.true_bound)):
        return True
    return False if compare(exact, companion.false_operator, _exact(companion.false_bound)) else None


def _exact(bound: float) -> Fraction:
    return Fraction(str(bound))


def grade(
    test: str,
    value: Numeric,
    unit: str | None = None,
    uln: Numeric = None,
    lln: Numeric = None,
    baseline: Numeric = None,
    baseline_uln: Numeric = None,
    sex: str | None = None,
    age: float | None = None,
    fasting: bool | None = None,
    on_anticoagulant: bool | None = None,
    specimen: str | None = None,
    albumin: Numeric = None,
    albumin_unit: str | None = None,
    at_baseline: bool = False,
    n_antihypertensives: int | None = None,
    temperature: Numeric = None,
    temperature_unit: str | None = None,
    hemoglobin: Numeric = None,
    hemoglobin_unit: str | None = None,
    hemoglobin_baseline: Numeric = None,
    egfr_reported: bool = False,
    policy: str | Mapping[str, str] | Policy | None = "standard",
) -> list[Grading]:
    """Grades one value for every CTCAE v4.03 term that its test can grade.

    *test*: a CDISC test code, an ADaM PARAMCD, or an analyte's name. *uln*, *lln*, *baseline* and *baseline_uln* share
    *unit* with the value; None is unknown. *at_baseline*: the value is itself the baseline. Of the same day: *albumin* for
    calcium, the highest *temperature* for neutrophils, the lowest *hemoglobin* with its baseline for haptoglobin, and
    whether an eGFR was reported: else creatinine is graded by the eGFR computed from it as well, where *age* (years) or
    *sex* (F, M) is given. *n_antihypertensives*: how many such drugs the subject takes. A blood pressure may be a pair
    (``150/95``), also its baseline and limits: the worse of the two is given, the systolic one of equals.

    Never raises for data: what cannot be graded comes back with a reason of ``REASONS``. Raises ``ValueError`` for an
    unknown policy.
    """
    settled = Policy.of(policy)
    case = Case(test, value, unit, specimen, settled)
    analyte = resolve(test, specimen, unit)
    if isinstance(analyte, str):
        return [Grading("", "", None, analyte, case=case)]
    years = limit(age)
    others: dict[str, tuple[Numeric, str | None, Numeric]] = {
        "febrile": (temperature, temperature_unit, None),
        "hemoglobin_fell": (hemoglobin, hemoglobin_unit, hemoglobin_baseline),
    }
    beside: dict[str, Any] = {
        "fasting": True if analyte.fasting or (fasting is None and settled.fasting == "assume_fasting") else fasting,
        "on_anticoagulant": on_anticoagulant,
        "adult": None if years is None else years >= ADULT_FROM,
        "at_baseline": at_baseline,
        "n_antihypertensives": n_antihypertensives,
        **{each.context: _said(each, *others[each.context]) for each in rules.companions()},
    }
    if analyte.pair:
        return _worse_of_pair(case, analyte, (value, uln, lln, baseline, baseline_uln), beside)
    number = read_number(value, analyte, analyte.signed)
    if isinstance(number, str):
        results = _climb(case, analyte, unit, number)
    else:
        note = ""
        reported = limit(albumin)
        if reported is not None:
            number, note = corrected_calcium(number, analyte, unit, reported, albumin_unit, settled)
        results = _climb(case, analyte, unit, _reading(number, analyte, uln, lln, baseline, baseline_uln, beside), note)
    if settled.egfr == "computed" and not egfr_reported and (years is not None or rules.sex_code(sex) >= 0):
        for derivation in rules.derived().values():
            if derivation.source == analyte.name:
                results += _derived(case, derivation, analyte, number, years, sex, beside)
    return results


def _reading(
    number: Number, analyte: Analyte, uln: Numeric, lln: Numeric, baseline: Numeric, baseline_uln: Numeric, beside: dict[str, Any]
) -> Reading:
    base = limit(baseline)
    return Reading(
        number=number,
        uln=limit(uln),
        lln=limit(lln),
        baseline=base if base or analyte.zero_baseline else None,  # a baseline of zero has no multiples
        baseline_uln=limit(baseline_uln),
        **beside,
    )


def _climb(case: Case, analyte: Analyte, unit: str | None, reading: Reading | str, note: str = "") -> list[Grading]:
    """The grading on each ladder of the analyte; *reading*: or the reason why there is none."""
    found = []
    for ladder in rules.ladders_of(analyte):
        if isinstance(reading, str):
            of = replace(case, analyte=analyte, ladder=ladder)
            found.append(Grading(ladder.term, ladder.direction, None, reading, case=of))
            continue
        fitted = rules.fit(ladder, analyte, unit, case.policy)
        result = decide(fitted, reading, case.policy)
        of = replace(case, analyte=analyte, unit=unit, ladder=ladder, fitted=fitted, reading=reading)
        found.append(replace(result, flags=(*result.flags, note) if note else result.flags, case=of))
    return found


def _worse_of_pair(case: Case, analyte: Analyte, numbers: tuple[Numeric, ...], beside: dict[str, Any]) -> list[Grading]:
    """A value such as 150/95: each part graded as its own analyte, and the worse given; none where either is not graded."""
    parts = [[each.strip() for each in str(number or "").split("/")] for number in numbers]
    whole = len(analyte.pair)
    if len(parts[0]) != whole:
        reason = "NO_VALUE" if read_number(case.value) == "NO_VALUE" else "NOT_NUMERIC"
        return _climb(case, units.analyte(analyte.pair[0]), case.unit, reason)
    found: list[Grading] = []
    for place, name in enumerate(analyte.pair):
        own = units.analyte(name)
        value, uln, lln, baseline, ceiling = (each[place] if len(each) == whole else None for each in parts)
        number = read_number(value, own)
        reading = number if isinstance(number, str) else _reading(number, own, uln, lln, baseline, ceiling, beside)
        found += _climb(replace(case, value=value), own, case.unit, reading)

    def badness(result: Grading) -> tuple[int, int]:
        return (0, REASONS.index(result.reason)) if result.grade is None else (1, -result.grade)

    return [min(found, key=badness)]


def _derived(
    case: Case, derivation: Derivation, source: Analyte, number: Number | str, age: Fraction | None, sex: str | None,
    beside: dict[str, Any],
) -> list[Grading]:  # fmt: skip
    """The gradings of what is computed from *number*."""
    of = units.analyte(derivation.analyte)
    if isinstance(number, str):
        return _climb(case, of, of.canonical, number)
    computed: int | None = None
    reason = "QUALIFIED" if number.qualifier else rules.unreadable(source, case.unit) or "NO_CONTEXT"
    if reason == "NO_CONTEXT":
        x = units.convert(number.value, source, case.unit or "", derivation.unit)
        computed = derivation.value(float(x), None if age is None else float(age), sex)
    reading = reason if computed is None else _reading(Number(Fraction(computed)), of, None, None, None, None, beside)
    return [replace(each, flags=(*each.flags, EGFR_COMPUTED)) for each in _climb(case, of, of.canonical, reading)]
