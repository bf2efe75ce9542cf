"""What both peers have to decide: the rules of the tests in the table, in the unit of each, as one would copy them out of the
standard for one study. Only the thresholds come from our rule table; how they are applied each peer writes itself.

A peer answers, of every row and every term that applies, the grade (−1 for none), the reason why there is none or why it is
only a floor (``NONE`` else), and the criterion by number: ``32 × ladder + 1 + rung``, without a rung ``32 × ladder``, without
a term ``NO_TERM``. Policy standard, from what the row itself says; what the table has no column for (drugs) is not known.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from ctcae_v403 import grading, kernel, rules, units
from ctcae_v403.grading import REASONS
from ctcae_v403.plan import Plan

NONE, NO_TERM = kernel.NONE, -1
NO_VALUE, INVALID_LIMITS, NO_LIMIT, NO_BASELINE, NOT_FASTING, NO_CONTEXT = (
    REASONS.index(each)
    for each in ("NO_VALUE", "INVALID_LIMITS", "NO_LIMIT", "NO_BASELINE", "NOT_FASTING", "NO_CONTEXT")
)
RUNGS = 32
EQUAL = kernel.EQUAL
NEVER = ("findings", "noted", "antihypertensive", "antihypertensives")  # contexts that count only with columns we have not


class Arm(NamedTuple):
    """x *operator* factor × basis + shift is ``grade``. What is equal but for binary noise is equal: that margin is already in
    factor and shift. ``gate``: counts only beyond the limit, also (``may``) or not (``must``) where that is not known.
    """

    grade: int
    criterion: int
    basis: str
    operator: str
    factor: float
    shift: float
    context: str | None
    gate: str | None


class Climb(NamedTuple):
    """One term for one test in one unit. ``quiet``: within the limits the grade is 0 whatever else is known. ``computed``: of
    the eGFR, from x times this in mg/dL.
    """

    criterion: int
    high: bool
    limits: bool
    quiet: bool
    children: bool
    arms: tuple[Arm, ...]
    computed: float | None = None


class Key(NamedTuple):
    """A test in a specimen and unit; ``reason``: why no term applies."""

    test: str
    specimen: str
    unit: str
    climbs: tuple[Climb, ...]
    reason: int


def rulebook(frame: pl.DataFrame) -> list[Key]:
    """The rules of each test, specimen and unit in *frame*, the most frequent first."""
    names = ["LBTESTCD", "LBSPEC", "LBSTRESU"]
    met = frame.group_by(names).len().sort("len", *names, descending=True)
    return [_key(*row) for row in met.select(pl.col(names).cast(pl.String).fill_null("")).iter_rows()]


def _key(test: str, specimen: str, unit: str) -> Key:
    analyte = grading.resolve(test, specimen, unit)
    if isinstance(analyte, str):
        return Key(test, specimen, unit, (), REASONS.index(analyte))
    climbs = [_climb(ladder, analyte, unit) for ladder in rules.ladders_of(analyte)]
    for name, derivation in rules.derived().items():
        if derivation.source == analyte.name:
            of = units.analyte(name)
            times = float(units.factor(analyte, unit, derivation.unit))
            climbs += [_climb(ladder, of, of.canonical)._replace(computed=times, quiet=False) for ladder in rules.ladders_of(of)]
    return Key(test, specimen, unit, tuple(climbs), NONE)


def _climb(ladder: rules.Ladder, analyte: units.Analyte, unit: str) -> Climb:
    number = rules.ladders().index(ladder)
    fitted = rules.fit(ladder, analyte, unit, rules.Policy())
    assert not any(arm.missing for arm in fitted.arms)  # every unit of the table is known
    edge = "uln" if ladder.direction == "H" else "lln"
    arms = []
    for arm in fitted.arms:
        rung = arm.rung
        if rung.context in NEVER:
            continue
        margin = 1 + EQUAL * (1 if rung.operator in (">", "<=") else -1)
        gate = (arm.gate or "").partition("_")[0] or None
        arms.append(Arm(rung.grade, RUNGS * number + 1 + ladder.rungs.index(rung), rung.basis, rung.operator,
                        float(arm.factor) * margin, float(arm.shift) * margin, rung.context, gate))  # fmt: skip
    outward = 1 if ladder.direction == "H" else -1
    quiet = ladder.limits == "used" and all(
        arm.gate or (arm.rung.basis == edge and (arm.factor - 1) * outward >= 0 and arm.shift * outward >= 0)
        for arm in fitted.arms
    )
    return Climb(RUNGS * number, ladder.direction == "H", ladder.limits == "used", quiet, ladder.population == "child",
                 tuple(arms))  # fmt: skip


def by_grade(climb: Climb) -> list[list[Arm]]:
    """Its arms by grade, the mildest grade first; within a grade as printed."""
    return [[arm for arm in climb.arms if arm.grade == grade] for grade in sorted({arm.grade for arm in climb.arms})]


def ours_as_told(codes: object, plan: Plan) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Our grades, reasons and criteria in the numbers of the peers."""
    slot, arm, reason, _ = (np.asarray(each) for each in kernel.unpack(codes.outcome.astype(np.int64)))  # type: ignore[attr-defined]
    number = np.full((len(plan.fitted) + 1, 33), NO_TERM)
    for place, (fitted, _note) in enumerate(plan.fitted):
        number[place] = RUNGS * rules.ladders().index(fitted.ladder)
        for at, each in enumerate(fitted.arms):
            number[place, at] += 1 + fitted.ladder.rungs.index(each.rung)
    grade = codes.grade  # type: ignore[attr-defined]
    return grade, reason.astype(np.uint8), number[slot, np.where(grade > 0, arm, 32)].astype(np.int32)
