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

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Literal

from ctcae_v403 import rules, units
from ctcae_v403.rules import Arm, Fitted, Policy
from ctcae_v403.units import Analyte

ADULT_FROM = (
    18  # years; CTCAE v4.03 separates adult from pediatric proteinuria without an age, ICH E11 adults
)

# Why there is no grade. Of several reasons the first in this order is given.
REASONS = (
    "UNKNOWN_TEST", "WRONG_SPECIMEN", "NO_VALUE", "NOT_NUMERIC", "INVALID_LIMITS", "QUALIFIED", "NO_UNIT",
    "UNKNOWN_UNIT", "NO_LIMIT", "NO_BASELINE", "NOT_FASTING", "NO_CONTEXT",
)  # fmt: skip
FLOOR_REASONS = ("NO_LIMIT", "NO_BASELINE", "NOT_FASTING", "NO_CONTEXT")

Numeric = float | int | str | Decimal | Fraction | None
Known = bool | str  # a bool, or the reason why it is not known


@dataclass(frozen=True, slots=True)
class Grading:
    """One value against one term. Where ``grade`` is None ``reason`` says why; no term applies: it is
    empty.
    """

    term: str
    direction: str
    grade: int | None
    reason: str = ""
    criterion: str = ""
    basis: str = ""
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Number:
    """A reported number: ``value`` exactly, or every number on one side of it (``<`` ``<=`` ``>`` ``>=``).

    ``signed``: numbers below zero are among those.
    """

    value: Fraction
    qualifier: str = ""
    signed: bool = False


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

    def base(self, basis: str) -> Fraction | None:
        """What a rung of that basis multiplies; None where unknown, or for an absolute rung."""
        return {"uln": self.uln, "lln": self.lln, "baseline": self.baseline}.get(basis)


_PATTERN = re.compile(r"(<=|>=|=<|=>|≤|≥|<|>)?\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)")
_SPELLED = {"≤": "<=", "≥": ">=", "=<": "<=", "=>": ">="}


@lru_cache(maxsize=65_536)
def read_number(
    value: Numeric, scale: Analyte | None = None, signed: bool = False
) -> Number | Literal["NO_VALUE", "NOT_NUMERIC"]:
    """A reported value as a number, or the reason code.

    *scale*: an analyte reported in words (dipstick). *signed*: a number below zero is a result.
    """
    if isinstance(value, Fraction):
        return Number(value, "", signed)
    if value is None or str(value).strip() in ("", "."):
        return "NO_VALUE"
    text = str(value).strip()
    if scale is not None and scale.scale:
        plus = scale.scale.get(text.upper().replace(" ", ""))
        return Number(Fraction(plus)) if plus is not None else "NOT_NUMERIC"
    if isinstance(value, float) and not math.isfinite(value):
        return "NOT_NUMERIC"
    found = _PATTERN.fullmatch(text)
    if found is None:
        return "NOT_NUMERIC"
    qualifier = found[1] or ""
    if not math.isfinite(float(found[2])):  # 1e400 is a code or a slip, no result
        return "NOT_NUMERIC"
    number = rules.to_digits(Fraction(found[2]))
    # a concentration below zero is a code for something else (-9), not a very low result
    return Number(number, _SPELLED.get(qualifier, qualifier), signed) if signed or number >= 0 else "NOT_NUMERIC"


def limit(value: Numeric) -> Fraction | None:
    """A normal limit or baseline as a plain number; None when absent or unreadable."""
    number = read_number(value)
    return number.value if isinstance(number, Number) and not number.qualifier else None


def compare(number: Number, operator: str, bound: Fraction) -> Known:
    """Whether *number operator bound*; ``QUALIFIED`` where it holds for some of a qualified number only."""
    value, side = number.value, number.qualifier
    if operator in ("<", "<="):
        opposite = compare(number, ">=" if operator == "<" else ">", bound)
        return opposite if isinstance(opposite, str) else not opposite
    strict = operator == ">"
    if side in (">", ">="):  # from value upward without end
        lowest_counts = value > bound or (value == bound and not (strict and side == ">="))
        return True if lowest_counts else "QUALIFIED"
    if side in ("<", "<="):  # from zero to value, or from below without end
        if not number.signed and (bound < 0 or (bound == 0 and not strict)):
            return True
        highest_counts = value > bound or (value == bound and not strict and side == "<=")
        return "QUALIFIED" if highest_counts else False
    return value > bound if strict else value >= bound


def both(parts: Iterable[Known]) -> Known:
    """Three-valued *and*: false when any is false, else the first reason in ``REASONS`` order, else true."""
    reasons: list[str] = []
    for part in parts:
        if part is False:
            return False
        if isinstance(part, str):
            reasons.append(part)
    return min(reasons, key=REASONS.index) if reasons else True


def _meets(arm: Arm, reading: Reading) -> Known:
    """The comparison of one arm, without its gate."""
    rung = arm.rung
    if rung.basis == "baseline" and reading.at_baseline:
        return False  # the baseline is never compared with itself
    base = Fraction(0) if rung.basis == "absolute" else reading.base(rung.basis)
    if arm.missing:
        compared: Known = arm.missing
    elif base is None:
        compared = "NO_BASELINE" if rung.basis == "baseline" else "NO_LIMIT"
    else:
        compared = compare(reading.number, rung.operator, arm.factor * base + arm.shift)
    return both((compared, _context(rung.context, reading)))


def _context(context: str | None, reading: Reading) -> Known:
    if context == "fasting":
        return True if reading.fasting else "NOT_FASTING"
    if context == "anticoagulated":
        return "NO_CONTEXT" if reading.on_anticoagulant is None else reading.on_anticoagulant
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
    met = [(arm, _meets(arm, reading)) for arm in fitted.arms]
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
            return _without(blank, reason, flags)
        flags += ["floor", reason.lower()]
    if outside is False and any(arm.inside_flagged and holds is True for arm, holds in met):
        flags.append("within_normal_range")
    # of a qualified number the whole range must lie in the band: no rung may hold of a part of it
    met_first = (arm for arm, holds in gated if holds is True or (holds == "QUALIFIED" and not _by_findings(arm)))
    worst = next(met_first, None)
    if worst is not None and _by_findings(worst):
        flags.append("same_band")
    if fired is None:
        return Grading(ladder.term, ladder.direction, 0, flags=tuple(flags))
    flags += [flag for flag in fired.rung.flags if flag not in flags]
    criterion = fired.text(reading.base(fired.rung.basis))
    return Grading(ladder.term, ladder.direction, level, "", criterion, fired.rung.basis, tuple(flags))


def _by_findings(arm: Arm) -> bool:
    return arm.rung.context == "findings"


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
    """Calcium corrected for the albumin of that day, with the flag that says so; unchanged where it cannot
    be.
    """
    slope = calcium_slope(analyte, unit, albumin_unit, policy)
    if slope is None or number.qualifier:
        return number, ""
    per_albumin, intercept, flag = slope
    return Number(number.value + intercept - per_albumin * albumin), flag


def calcium_slope(
    analyte: Analyte, unit: str | None, albumin_unit: str | None, policy: Policy
) -> tuple[Fraction, Fraction, str] | None:
    """(a, b, flag): corrected calcium = calcium + b − a × albumin, all as reported; None where it cannot
    be.
    """
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
    policy: str | Mapping[str, str] | Policy | None = "standard",
) -> list[Grading]:
    """Grades one value for every CTCAE v4.03 term that its test can grade.

    *test*: a CDISC test code, an ADaM PARAMCD, or an analyte's name. *uln*, *lln*, *baseline* and
    *baseline_uln* share *unit* with the value; None is unknown. *albumin* is that of the same day, for
    calcium. *at_baseline*: the value is itself the baseline. *sex* is accepted for measurements that need
    it; no rule does. Never raises for data: what cannot be graded comes back with a reason of
    ``REASONS``. Raises ``ValueError`` for an unknown policy.
    """
    settled = Policy.of(policy)
    analyte = resolve(test, specimen, unit)
    if isinstance(analyte, str):
        return [Grading("", "", None, analyte)]
    number = read_number(value, analyte, analyte.signed)
    if isinstance(number, str):
        return [Grading(each.term, each.direction, None, number) for each in rules.ladders_of(analyte)]
    note = ""
    reported = limit(albumin)
    if reported is not None:
        number, note = corrected_calcium(number, analyte, unit, reported, albumin_unit, settled)
    assumed = fasting is None and settled.fasting == "assume_fasting"
    reading = Reading(
        number=number,
        uln=limit(uln),
        lln=limit(lln),
        baseline=limit(baseline) or None,  # a baseline of zero has no multiples
        baseline_uln=limit(baseline_uln),
        fasting=True if assumed or analyte.fasting else fasting,
        on_anticoagulant=on_anticoagulant,
        adult=None if age is None or math.isnan(age) else age >= ADULT_FROM,
        at_baseline=at_baseline,
    )
    fitted = (rules.fit(each, analyte, unit, settled) for each in rules.ladders_of(analyte))
    results = [decide(each, reading, settled) for each in fitted]
    return [replace(each, flags=(*each.flags, note)) for each in results] if note else results
