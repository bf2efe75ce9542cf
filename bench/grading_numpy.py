"""The first peer: the rules in numpy, vectorised by test and unit, in pieces that fit the cache, on two threads.

The rows of a piece are brought together by key once; every rule then works on slices, and beyond the check of the limits only
on the rows outside them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from grading_peers import (
    INVALID_LIMITS,
    NO_BASELINE,
    NO_CONTEXT,
    NO_LIMIT,
    NO_TERM,
    NO_VALUE,
    NONE,
    NOT_FASTING,
    Arm,
    Climb,
    Key,
    by_grade,
)

from ctcae_v403 import rules

PIECE = 1 << 18
THREADS = 2
ADULT = 18
CKD = rules.derived()["gfr_computed"]


@dataclass
class Columns:
    """A table as numpy has it: words as codes, null the last of them; numbers with NaN; flags as booleans."""

    test: Any
    specimen: Any
    unit: Any
    x: Any
    uln: Any
    lln: Any
    base: Any
    first: Any  # the row is the baseline
    fasting: Any
    child: Any
    age: Any
    sex: Any
    key: Any  # table of keys by test, specimen, unit

    def piece(self, rows: Any) -> Columns:
        return Columns(**{name: column if name == "key" else column[rows] for name, column in vars(self).items()})


def columns(frame: pl.DataFrame, keys: list[Key]) -> Columns:
    """*frame* as the peer would have it in memory."""

    def codes(name: str) -> tuple[Any, dict[str, int]]:
        kind = frame[name].dtype
        assert isinstance(kind, pl.Enum)
        words = [*kind.categories, ""]
        found = frame[name].to_physical().cast(pl.Int64).fill_null(len(words) - 1).to_numpy().astype(np.uint8)
        return found, {word: code for code, word in enumerate(words)}

    def number(name: str) -> Any:
        return frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy()

    def yes(name: str, word: str) -> Any:
        return (frame[name].cast(pl.String) == word).fill_null(False).to_numpy()

    (test, tests), (specimen, specimens), (unit, units) = codes("LBTESTCD"), codes("LBSPEC"), codes("LBSTRESU")
    table = np.zeros((len(tests), len(specimens), len(units)), np.uint8)
    for place, key in enumerate(keys):
        table[tests[key.test], specimens[key.specimen], units[key.unit]] = place
    age = number("AGE")
    return Columns(test, specimen, unit, number("LBSTRESN"), number("LBSTNRHI"), number("LBSTNRLO"), number("BASE"),
                   yes("LBBLFL", "Y"), yes("LBFAST", "Y"), age < ADULT, age, yes("SEX", "M").astype(np.int8), table)  # fmt: skip


def grade(table: Columns, keys: list[Key]) -> tuple[Any, Any, Any, Any]:
    """(start, grade, reason, criterion): the entries of row i are start[i] to start[i + 1]."""
    n = len(table.x)
    widths = np.array([max(1, len(key.climbs)) for key in keys])
    pieces = [slice(first, min(n, first + PIECE)) for first in range(0, n, PIECE)]
    key, start = np.empty(n, np.uint8), np.zeros(n + 1, np.int64)

    def find(rows: slice) -> None:
        key[rows] = table.key[table.test[rows], table.specimen[rows], table.unit[rows]]
        np.cumsum(widths[key[rows]], out=start[rows.start + 1 : rows.stop + 1])

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(find, pieces))
        for rows in pieces[1:]:
            start[rows.start + 1 : rows.stop + 1] += start[rows.start]
        out = np.empty(start[-1], np.int8), np.empty(start[-1], np.uint8), np.empty(start[-1], np.int32)
        list(pool.map(lambda rows: _piece(table, keys, key, start, rows, out), pieces))
    return start, *out


def _piece(table: Columns, keys: list[Key], key: Any, start: Any, rows: slice, out: tuple[Any, Any, Any]) -> None:
    own = key[rows]
    order = np.argsort(own, kind="stable")  # of bytes: a radix sort
    ends = np.cumsum(np.bincount(own, minlength=len(keys)))
    sorted_ = table.piece(order + rows.start)
    at = start[rows][order]
    for place, each in enumerate(keys):
        group = slice(ends[place - 1] if place else 0, ends[place])
        if group.start == group.stop:
            continue
        to = at[group]
        if not each.climbs:
            out[0][to], out[1][to], out[2][to] = -1, each.reason, NO_TERM
            continue
        some = sorted_.piece(group)
        empty = np.isnan(some.x)
        for step, climb in enumerate(each.climbs):
            for column, found in zip(out, _climb(some, climb, empty), strict=True):
                column[to + step] = found


def _climb(rows: Columns, climb: Climb, empty: Any) -> tuple[Any, Any, Any]:
    """Grade, reason and criterion of rows of one test and unit."""
    n = len(rows.x)
    grade, reason = np.zeros(n, np.int8), np.full(n, NONE, np.uint8)
    criterion = np.full(n, climb.criterion, np.int32)
    if climb.quiet:
        inside = rows.x <= rows.uln if climb.high else rows.x >= rows.lln
        at = np.flatnonzero(~inside)
        if len(at):
            grade[at], reason[at], criterion[at] = _decide(rows.piece(at), climb)
    else:
        grade, reason, criterion = _decide(rows, climb)
    if climb.children:
        _without(grade, reason, criterion, ~rows.child, NO_CONTEXT, climb)
    if climb.limits and climb.computed is None:
        _without(grade, reason, criterion, (rows.uln <= 0) | (rows.lln > rows.uln), INVALID_LIMITS, climb)
    _without(grade, reason, criterion, empty, NO_VALUE, climb)
    return grade, reason, criterion


def _without(grade: Any, reason: Any, criterion: Any, where: Any, why: int, climb: Climb) -> None:
    grade[where], reason[where], criterion[where] = -1, why, climb.criterion


def _decide(rows: Columns, climb: Climb) -> tuple[Any, Any, Any]:
    n = len(rows.x)
    grade, why = np.zeros(n, np.int8), np.full(n, NONE, np.uint8)
    criterion = np.full(n, climb.criterion, np.int32)
    x, uln, lln = rows.x, rows.uln, rows.lln
    if climb.computed is not None:
        x = _egfr(rows, climb.computed)
        uln = lln = np.full(n, np.nan)
    edge = uln if climb.high else lln
    outside, unlimited = (x > edge) if climb.high else (x < edge), np.isnan(edge)
    for arms in by_grade(climb):  # the worst has the last word
        met, doubt = np.zeros(n, bool), np.full(n, NONE, np.uint8)
        for arm in reversed(arms):
            holds = _arm(rows, arm, x, uln, lln, outside, unlimited, doubt)
            criterion[holds] = arm.criterion
            met |= holds
        grade[met] = arms[0].grade
        np.minimum(why, doubt, out=why)
        why[met] = NONE
    if climb.computed is not None:
        unknown = np.isnan(x)
        grade[unknown], why[unknown] = 0, NO_CONTEXT
    grade[(why != NONE) & (grade == 0)] = -1
    return grade, why, criterion


def _arm(rows: Columns, arm: Arm, x: Any, uln: Any, lln: Any, outside: Any, unlimited: Any, doubt: Any) -> Any:
    """Where it holds; where it is not known *doubt* takes the reason."""
    basis = {"uln": uln, "lln": lln, "baseline": rows.base}.get(arm.basis)
    bound: Any = arm.shift if basis is None else arm.factor * basis + arm.shift if arm.shift else arm.factor * basis
    holds = {">": np.greater, ">=": np.greater_equal, "<": np.less, "<=": np.less_equal}[arm.operator](x, bound)
    counts: Any = True  # of what is not known: whether it matters
    unknown = None
    if basis is not None:
        unknown = np.isnan(basis)
    if arm.basis == "baseline":
        holds &= ~rows.first
        unknown &= ~rows.first
    if arm.context in ("baseline_above_uln", "baseline_not_above_uln"):
        above = (rows.base > uln) & ~rows.first
        counts = above if arm.context == "baseline_above_uln" else ~above
        holds &= counts
    if arm.gate:
        gate = outside | unlimited
        counts = counts & gate
        holds &= gate
    if unknown is not None:
        _doubt(doubt, unknown & counts, NO_BASELINE if arm.basis == "baseline" else NO_LIMIT)
    if arm.gate == "must":
        _doubt(doubt, unlimited & holds if unknown is None else unlimited & (holds | unknown), NO_LIMIT)
        holds &= outside
    if arm.context == "fasting":
        _doubt(doubt, holds & ~rows.fasting, NOT_FASTING)
        holds &= rows.fasting
    elif arm.context in ("anticoagulated", "febrile"):
        _doubt(doubt, holds, NO_CONTEXT)
        holds = np.zeros_like(holds)
    return holds


def _doubt(doubt: Any, where: Any, reason: int) -> None:
    np.minimum(doubt, reason, out=doubt, where=where)


def _egfr(rows: Columns, times: float) -> Any:
    ratio = rows.x * times / np.array([CKD.kappa[0], CKD.kappa[1]])[rows.sex]
    slope = np.where(ratio <= 1, np.array(CKD.alpha)[rows.sex], CKD.exponent)
    found = np.rint(CKD.scale * ratio**slope * CKD.per_year**rows.age * np.array(CKD.factor)[rows.sex])
    return np.where(rows.age >= CKD.adult_from, found, np.nan)
