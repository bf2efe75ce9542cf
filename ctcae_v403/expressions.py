"""One fitted ladder as vectorised expressions: which arm decides each row, which reason, which flags.

The same three-valued decisions as ``grading.decide``, in narwhals expressions only, so that every engine that
narwhals knows can run them. Nulls are "unknown"; a comparison never meets NaN or infinity (``columns``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import narwhals as nw

from ctcae_v403.columns import NONE
from ctcae_v403.grading import REASONS
from ctcae_v403.rules import DIGITS, Arm, Fitted, Policy

RESULT = ("row", "arm", "code", "mask", "limit")
STANDING = ("unit_converted", "adult_assumed")  # flags of every result
PASSING = ("within_normal_range", "same_band")  # flags of a grade
FLAG_BITS = (*STANDING, *PASSING, "calcium_corrected")
BIT = {flag: 1 << place for place, flag in enumerate(FLAG_BITS)}
CODE = {reason: place for place, reason in enumerate(REASONS)}
BASES = {"uln": "uln", "lln": "lln", "baseline": "base"}
EQUAL = 0.5 * 10.0**-DIGITS  # relative: nearer than this is the same number at DIGITS digits
BEYOND = 1e300  # more than any bound, for the far end of ">500"
TINY = 1e-300  # nearer to zero than any result, for the near end of ">0"


def decide(
    part: nw.DataFrame[Any], fitted: Fitted, assume_fasting: bool, policy: Policy
) -> nw.DataFrame[Any]:
    """``RESULT`` of the rows of *part*, whose values are plain numbers.

    ``arm``: index in ``fitted.arms`` of the arm that decides, −1 for none; ``code``: index in ``REASONS``
    of what keeps a worse arm unknown, ``NONE`` for nothing; ``mask``: ``FLAG_BITS``; ``limit``: what the
    bound was made of.
    """
    arms = fitted.arms
    direction = fitted.ladder.direction
    edge = "uln" if direction == "H" else "lln"
    part = part.with_columns(
        _holds(">" if direction == "H" else "<", nw.col(edge)).alias("outside"),
        *(_all(_conditions(arm, assume_fasting)).alias(f"held{i}") for i, arm in enumerate(arms)),
        _spoilt(fitted).alias("spoilt"),
    )
    gated = [(nw.col(f"held{i}") & _gate(arm)).alias(f"counts{i}") for i, arm in enumerate(arms) if arm.gate]
    same = [nw.col(f"held{i}").alias(f"counts{i}") for i, arm in enumerate(arms) if not arm.gate]
    part = part.with_columns(*gated, *same)
    findings = [i for i, arm in enumerate(arms) if arm.rung.context == "findings"]
    used = [i for i in range(len(arms)) if policy.same_band == "higher" or i not in findings]
    part = part.with_columns(
        _first(used).alias("arm"), *([_first(range(len(arms))).alias("worst")] * bool(findings))
    )
    mask = _mask(fitted, findings)
    if _complete(part, arms):
        code = nw.lit(NONE)
    else:
        part = part.with_columns(
            nw.col("arm").replace_strict(*_grades(arms), return_dtype=nw.Int64).alias("level")
        )
        code = _code(arms, used)
    if not part["spoilt"].any():
        return part.select("row", nw.col("arm").cast(nw.Int64), code.cast(nw.Int64).alias("code"),
                           mask.cast(nw.Int64).alias("mask"), _limit(arms).alias("limit"))  # fmt: skip
    clean = ~nw.col("spoilt")
    corrected = _bit("calcium_corrected", nw.col("corrected"))
    return part.select(
        "row",
        nw.when(clean).then(nw.col("arm")).otherwise(nw.lit(-1)).cast(nw.Int64).alias("arm"),
        nw.when(clean).then(code).otherwise(_why_spoilt(fitted)).cast(nw.Int64).alias("code"),
        nw.when(clean).then(mask).otherwise(corrected).cast(nw.Int64).alias("mask"),
        nw.when(clean).then(_limit(arms)).otherwise(nw.lit(0.0)).alias("limit"),
    )


def decide_qualified(
    part: nw.DataFrame[Any], fitted: Fitted, assume_fasting: bool, policy: Policy
) -> nw.DataFrame[Any]:
    """``RESULT`` of rows with ``<0.1`` or ``>500``: a grade where both ends have the same one."""
    below = nw.col("q").is_in([1, 2])
    step = nw.col("x").abs() * (4 * EQUAL) + TINY
    near = (
        nw.when(nw.col("q") == 1)
        .then(nw.col("x") - step)
        .when(nw.col("q") == 3)
        .then(nw.col("x") + step)
        .otherwise(nw.col("x"))
        .alias("x")
    )
    least = -BEYOND if fitted.signed else 0.0
    far = nw.when(below).then(nw.lit(least)).otherwise(nw.lit(BEYOND)).alias("x")
    ends = [decide(part.with_columns(end), fitted, assume_fasting, policy) for end in (near, far)]
    high = nw.lit(fitted.ladder.direction == "H")
    far_is_mild = part.select("row", mild=below == high)
    other = ends[1].rename({name: f"{name}2" for name in RESULT if name != "row"})
    both = ends[0].join(other, on="row", how="inner").join(far_is_mild, on="row", how="inner")
    grades = [
        nw.col(name).replace_strict(*_grades(fitted.arms), return_dtype=nw.Int64) for name in ("arm", "arm2")
    ]
    same = (grades[0] == grades[1]) & (nw.col("code") == nw.col("code2"))
    return both.select(
        "row",
        nw.when(~same)
        .then(nw.lit(-1))
        .when("mild")
        .then(nw.col("arm2"))
        .otherwise(nw.col("arm"))
        .alias("arm"),
        nw.when(same).then(nw.col("code")).otherwise(nw.lit(CODE["QUALIFIED"])).alias("code"),
        nw.min_horizontal("mask", "mask2").alias("mask"),  # what is said of both ends
        nw.when("mild").then(nw.col("limit2")).otherwise(nw.col("limit")).alias("limit"),
    )


def _grades(arms: tuple[Arm, ...]) -> tuple[list[int], list[int]]:
    return [-1, *range(len(arms))], [0, *(arm.rung.grade for arm in arms)]


def _holds(operator: str, bound: nw.Expr | float) -> nw.Expr:
    """x *operator* bound, where nearer than ``EQUAL`` is equal; unknown where the bound is.

    Only a bound that is a number can matter below zero: what has limits or a baseline has no such values.
    """
    x = nw.col("x")
    outward = EQUAL if not isinstance(bound, float) or bound >= 0 else -EQUAL
    if operator == ">":
        return x > bound * (1 + outward)
    if operator == ">=":
        return x >= bound * (1 - outward)
    return x < bound * (1 - outward) if operator == "<" else x <= bound * (1 + outward)


def _conditions(arm: Arm, assume_fasting: bool) -> Iterator[nw.Expr]:
    """What must all hold for the arm as printed: the comparison first."""
    rung = arm.rung
    unknown = nw.lit(None, nw.Boolean)
    if arm.missing:
        yield nw.when(nw.col("x").is_null()).then(nw.lit(True)).otherwise(unknown)
    elif rung.basis == "absolute":
        yield _holds(rung.operator, float(arm.shift))
    else:
        multiple = nw.col(BASES[rung.basis]) * float(arm.factor)
        yield _holds(rung.operator, multiple + float(arm.shift) if arm.shift else multiple)
    if rung.basis == "baseline":
        yield ~nw.col("at_base")
    if rung.context == "fasting":
        yield nw.when(_fasting(assume_fasting)).then(nw.lit(True)).otherwise(unknown)
    elif rung.context == "anticoagulated":
        yield nw.col("anticoagulated")
    elif rung.context in ("baseline_above_uln", "baseline_not_above_uln"):
        above = (~nw.col("at_base") & (nw.col("base") > nw.coalesce("base_uln", "uln"))).fill_null(False)
        yield above if rung.context == "baseline_above_uln" else ~above


def _fasting(assume: bool) -> nw.Expr:
    return nw.col("fasting").fill_null(assume)


def _gate(arm: Arm) -> nw.Expr:
    if arm.gate is None:
        return nw.lit(True)
    return nw.col("outside").fill_null(True) if arm.gate == "may_be_normal" else nw.col("outside")


def _all(exprs: Iterable[nw.Expr]) -> nw.Expr:
    first, *others = exprs
    for expr in others:
        first = first & expr
    return first


def _first(order: Iterable[int]) -> nw.Expr:
    """The first arm of *order* that counts, −1 for none."""
    chain: nw.Expr = nw.lit(-1)
    for i in reversed(list(order)):
        chain = nw.when(nw.col(f"counts{i}")).then(nw.lit(i)).otherwise(chain)
    return chain


def _complete(part: nw.DataFrame[Any], arms: tuple[Arm, ...]) -> bool:
    """Whether no arm can be unknown in this part: the usual case, in which reasons need not be computed."""
    needed = {BASES[arm.rung.basis] for arm in arms if arm.rung.basis != "absolute"}
    if any(arm.missing or arm.rung.context in ("fasting", "anticoagulated") for arm in arms):
        return False
    if any(arm.gate == "must_be_abnormal" for arm in arms):
        needed.add("outside")
    return not any(part[name].is_null().any() for name in needed)


def _code(arms: tuple[Arm, ...], used: list[int]) -> nw.Expr:
    """The first reason, in ``REASONS`` order, of an arm worse than the deciding one that is unknown."""
    found: list[nw.Expr] = []
    for i in used:
        arm = arms[i]
        reasons: list[nw.Expr] = []
        if arm.missing:
            reasons.append(nw.lit(CODE[arm.missing]))
        elif arm.rung.basis != "absolute":
            reason = "NO_BASELINE" if arm.rung.basis == "baseline" else "NO_LIMIT"
            reasons.append(_where(nw.col(BASES[arm.rung.basis]).is_null(), reason))
        if arm.rung.context == "fasting":
            reasons.append(nw.lit(CODE["NOT_FASTING"]))  # the arm is unknown for that, or for more as well
        if arm.rung.context == "anticoagulated":
            reasons.append(_where(nw.col("anticoagulated").is_null(), "NO_CONTEXT"))
        if arm.gate == "must_be_abnormal":
            reasons.append(_where(nw.col("outside").is_null(), "NO_LIMIT"))
        unknown = nw.col(f"counts{i}").is_null() & (nw.col("level") < arm.rung.grade)
        if reasons:
            found.append(nw.when(unknown).then(nw.min_horizontal(*reasons)).otherwise(nw.lit(NONE)))
    return nw.min_horizontal(*found) if found else nw.lit(NONE)


def _where(condition: nw.Expr, reason: str) -> nw.Expr:
    return nw.when(condition).then(nw.lit(CODE[reason])).otherwise(nw.lit(NONE))


def _bit(flag: str, condition: nw.Expr) -> nw.Expr:
    return nw.when(condition).then(nw.lit(BIT[flag])).otherwise(nw.lit(0))


def _mask(fitted: Fitted, findings: list[int]) -> nw.Expr:
    mask: nw.Expr = nw.lit(BIT["unit_converted"] if fitted.converted else 0)
    inside = [nw.col(f"held{i}").fill_null(False) for i, arm in enumerate(fitted.arms) if arm.inside_flagged]
    if inside:
        held = nw.any_horizontal(*inside, ignore_nulls=True)
        mask = mask + _bit("within_normal_range", (~nw.col("outside")).fill_null(False) & held)
    if fitted.ladder.population:
        mask = mask + _bit("adult_assumed", nw.col("adult").is_null())
    if findings:
        mask = mask + _bit("same_band", nw.col("worst").is_in(findings))
    return mask + _bit("calcium_corrected", nw.col("corrected"))


def _spoilt(fitted: Fitted) -> nw.Expr:
    """Rows that the ladder cannot take at all: limits that cannot be, another population."""
    return (
        _bad_limits(fitted)
        | {
            None: nw.lit(False),
            "adult": (~nw.col("adult")).fill_null(False),
            "child": nw.col("adult").fill_null(True),
        }[fitted.ladder.population]
    )


def _why_spoilt(fitted: Fitted) -> nw.Expr:
    invalid, other = nw.lit(CODE["INVALID_LIMITS"]), nw.lit(CODE["NO_CONTEXT"])
    return nw.when(_bad_limits(fitted)).then(invalid).otherwise(other)


def _bad_limits(fitted: Fitted) -> nw.Expr:
    if fitted.ladder.limits == "ignored":
        return nw.lit(False)
    return ((nw.col("uln") <= 0) | (nw.col("lln") > nw.col("uln"))).fill_null(False)


def _limit(arms: tuple[Arm, ...]) -> nw.Expr:
    """The limit or baseline behind the deciding arm's bound; 0 where the bound is absolute or there is
    none.
    """
    chain: nw.Expr = nw.lit(0.0)
    for basis, column in BASES.items():
        own = [i for i, arm in enumerate(arms) if arm.rung.basis == basis]
        if own:
            chain = nw.when(nw.col("arm").is_in(own)).then(nw.col(column)).otherwise(chain)
    return chain.cast(nw.Float64)
