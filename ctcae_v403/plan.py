"""The rule table as tables of numbers for ``kernel``: a key for each test, specimen and unit met, a slot for each of
its ladders, the arms of ``rules.fit`` for each slot; and the words of what the kernel decides.

A key is entered when it is first met, so that a file can be read in parts.
"""

from __future__ import annotations

import math
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from ctcae_v403 import grading, kernel, rules, units
from ctcae_v403.grading import FLOOR_REASONS, REASONS
from ctcae_v403.kernel import NONE
from ctcae_v403.rules import Arm, Fitted, Ladder, Policy

_BASES = {"absolute": kernel.ABSOLUTE, "uln": kernel.ULN, "lln": kernel.LLN, "baseline": kernel.BASELINE}
_GATES = {None: 0, "may_be_normal": kernel.MAY_BE_NORMAL, "must_be_abnormal": kernel.MUST_BE_ABNORMAL}
_POPULATIONS = {None: 0, "adult": 1, "child": kernel.CHILD}
_CONTEXTS = {
    None: kernel.ALWAYS, "findings": kernel.FINDINGS, "noted": kernel.NOTED, "fasting": kernel.FASTING,
    "anticoagulated": kernel.ANTICOAGULATED, "antihypertensive": kernel.ANTIHYPERTENSIVE,
    "antihypertensives": kernel.ANTIHYPERTENSIVES, "febrile": kernel.FEBRILE, "hemoglobin_fell": kernel.HEMOGLOBIN_FELL,
    "baseline_above_uln": kernel.BASE_ABOVE, "baseline_not_above_uln": kernel.BASE_NOT_ABOVE,
}  # fmt: skip
#: Flags by their bit, said of every result; then those of a grade only.
STANDING = {"unit_converted": kernel.UNIT_CONVERTED, "adult_assumed": kernel.ADULT_ASSUMED}
PASSING = {"within_normal_range": kernel.WITHIN, "same_band": kernel.SAME_BAND}
COMPUTED = "egfr_computed"


class Key(NamedTuple):
    """What a result is of: test code, specimen and unit as reported; whether its eGFR is computed beside it; of which of the
    two that a pair (``150/95``) holds.
    """

    test: str
    specimen: str
    unit: str
    derived: bool = False
    part: str = ""


class Outcome(NamedTuple):
    """The words of one outcome, in the order of the columns of ``frame``; None where empty."""

    term: str | None
    direction: str | None
    grade: int | None
    reason: str | None
    criterion: str | None
    basis: str | None
    flags: str | None


class Plan:
    """The keys met so far under one policy. Safe to share between threads."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.keys: list[Key] = []
        self.analytes: list[units.Analyte | None] = []
        self.fitted: list[tuple[Fitted, str]] = []  # by slot: with the note of the calcium correction
        self._numbers: dict[Key, int] = {}
        self._places: dict[tuple[str, str], int] = {}
        self._rows: tuple[list[Any], ...] = ([], [], [], [], [], [], [])
        self._tables: tuple[Any, ...] | None = None
        self._lock = Lock()

    def number(self, key: Key) -> int:
        """The number of *key*, entered if new."""
        found = self._numbers.get(key)
        if found is None:
            with self._lock:
                found = self._numbers.get(key)
                if found is None:
                    found = self._enter(key)
                    self._numbers[key] = found
                    self._tables = None
        return found

    def tables(self) -> tuple[Any, ...]:
        """Keys, their units, slots, arms and their bounds: what ``kernel.grade_rows`` reads."""
        with self._lock:
            if self._tables is None:
                kinds = (np.int64, np.float64, np.int64, np.int64, np.float64, np.int64, np.float64)
                self._tables = tuple(np.array(rows or [(0,) * 15], kind) for rows, kind in zip(self._rows, kinds, strict=True))
            return self._tables

    def widths(self) -> Any:
        """By key: the number of results that a row of it has (int64)."""
        return np.maximum(1, self.tables()[0][:, kernel.N_SLOTS])

    def places(self) -> Any:
        """By key: the number of its test and specimen (int64)."""
        return self.tables()[0][:, kernel.PLACE]

    def signed(self) -> Any:
        """By key: whether a number below zero is a result."""
        return self.tables()[0][:, kernel.SIGNED_KEY] > 0

    def ladders(self, outcome: Any) -> Any:
        """The ladder of each packed outcome, by its place in ``rules.ladders``; −1 for none (int64)."""
        slot = (outcome.astype(np.int64) >> 19) - 1
        return np.where(slot >= 0, self.tables()[2][np.maximum(slot, 0), kernel.LADDER], -1)

    def _enter(self, key: Key) -> int:
        keys, in_canonical, slots, *_ = self._rows
        analyte = grading.resolve(key.test, key.specimen, key.unit)
        if not isinstance(analyte, str) and analyte.pair:
            analyte = units.analyte(key.part or analyte.pair[0])
        place = self._places.setdefault((key.test, key.specimen), len(self._places))
        number, first = len(self.keys), len(slots)
        reason, scale, zero = NONE, math.nan, 0.0
        if isinstance(analyte, str):
            reason = REASONS.index(analyte)
        else:
            for ladder in rules.ladders_of(analyte):
                self._add(ladder, analyte, key.unit, derived=False)
            if key.derived:
                for ladder in rules.ladders_of(units.analyte("gfr_computed")):
                    self._add(ladder, units.analyte("gfr_computed"), "mL/min/1.73 m2", derived=True)
            try:
                times, plus = units.line(analyte, key.unit, analyte.canonical)
                scale, zero = float(times), float(plus)
            except units.UnknownUnit:
                pass
        known = None if isinstance(analyte, str) else analyte
        whole = -1 if known is None else units.analytes().index(known)
        keys.append((first, len(slots) - first, reason, place, whole, bool(known and not known.scale),
                     bool(known and known.signed), bool(known and known.zero_baseline), bool(known and known.fasting),
                     any(_compares(fitted) for fitted, _ in self.fitted[first:])))  # fmt: skip
        in_canonical.append((scale, zero))
        self.keys.append(key)
        self.analytes.append(known)
        return number

    def _add(self, ladder: Ladder, analyte: units.Analyte, unit: str, derived: bool) -> None:
        _, _, slots, arms, bounds, plains, numbers = self._rows
        fitted = rules.fit(ladder, analyte, unit or None, self.policy)
        first = len(arms)
        arms.extend(_arm(arm) for arm in fitted.arms)
        bounds.extend((float(arm.factor), float(arm.shift)) for arm in fitted.arms)
        slope = grading.calcium_slope(analyte, unit, "g/dL", self.policy)
        mask = (kernel.UNIT_CONVERTED if fitted.converted else 0) | (kernel.DERIVED if derived else 0)
        plain, number = _plain(fitted, mask, len(slots))
        alone = derived or ladder.population is not None or any(arm.missing for arm in fitted.arms)
        usable = not alone and _is_plain(fitted)
        slots.append((first, len(fitted.arms), rules.ladders().index(ladder), mask, ladder.direction == "H",
                      ladder.limits == "used", _POPULATIONS[ladder.population], fitted.signed, derived, usable,
                      alone))  # fmt: skip
        plains.append(plain)
        numbers.append(number)
        self.fitted.append((fitted, slope[2] if slope else ""))

    def unread(self) -> list[str]:
        """A sentence for each test code, specimen and unit that is not known, with the nearest known."""
        known = zip(self.keys, self.analytes, strict=True)
        said = [units.explain(key.test, key.specimen, key.unit) for key, analyte in known if analyte is None or key.unit.strip()]
        return list(dict.fromkeys(sentence for sentence in said if sentence))

    def outcome(self, packed: int, bound: float) -> Outcome:
        """The words of a packed outcome; the same flags in the same order as ``grading.decide``."""
        slot, place, code, mask = kernel.unpack(packed)
        reason = None if code == NONE else REASONS[code]
        if slot < 0:
            return Outcome(None, None, None, reason, None, None, None)
        fitted, note = self.fitted[slot]
        fired = fitted.arms[place] if place >= 0 else None
        graded = reason is None or (fired is not None and reason in FLOOR_REASONS)
        flags = [flag for flag, bit in STANDING.items() if mask & bit]
        if graded:
            flags += ["floor", reason.lower()] if reason else []
            flags += [flag for flag, bit in PASSING.items() if mask & bit]
            flags += [flag for flag in (fired.rung.flags if fired else ()) if flag not in flags]
        noted = [arm for arm in fitted.arms if arm.rung.context == "noted"]
        for at, arm in enumerate(noted):
            flags += [flag for flag in arm.rung.flags if mask >> (kernel.NOTED_FROM + at) & 1 and flag not in flags]
        if mask & kernel.DERIVED:
            flags.append(COMPUTED)
        if mask & kernel.CALCIUM:
            flags.append(note)
        ladder = fitted.ladder
        return Outcome(
            ladder.term,
            ladder.direction,
            (fired.rung.grade if fired else 0) if graded else None,
            None if graded else reason,
            _criterion(fired, bound) if graded and fired else None,
            fired.rung.basis if graded and fired else None,
            ";".join(flags) or None,
        )


def _compares(fitted: Fitted) -> bool:
    """Whether an arm asks for the baseline."""
    return any(arm.rung.basis == "baseline" or (arm.rung.context or "").startswith("baseline_") for arm in fitted.arms)


def _criterion(fired: Arm, bound: float) -> str:
    return fired.text(None if fired.rung.basis == "absolute" else grading.limit(bound))


def _arm(arm: Arm) -> tuple[Any, ...]:
    rung = arm.rung
    missing = NONE if arm.missing is None else REASONS.index(arm.missing)
    return (_BASES[rung.basis], kernel.OPERATORS.index(rung.operator), rung.grade, missing,
            _GATES[arm.gate], _CONTEXTS[rung.context], rung.population == "child", arm.inside_flagged)  # fmt: skip


_EDGES = {"H": "uln", "L": "lln"}
_NEVER = math.inf


def _is_plain(fitted: Fitted) -> bool:
    """Whether ``kernel._plain`` can decide the ladder: one arm a grade, no context, bounds absolute or of one limit."""
    edge = _EDGES[fitted.ladder.direction]
    outward = "><"[fitted.ladder.direction == "L"]
    return len(fitted.arms) <= 4 and len({arm.rung.grade for arm in fitted.arms}) == len(fitted.arms) and all(
        arm.rung.basis in ("absolute", edge) and arm.rung.operator[0] == outward and arm.gate != "must_be_abnormal"
        and not (arm.missing or arm.rung.context or arm.rung.population)
        for arm in fitted.arms
    )  # fmt: skip


def _plain(fitted: Fitted, mask: int, slot: int) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """What ``kernel._plain`` reads of a ladder: integers and numbers, its arms from the mildest on."""
    edge = _EDGES[fitted.ladder.direction]
    arms = [*reversed(list(enumerate(fitted.arms)))][:4]
    blank = (None,) * (4 - len(arms))
    needs = any(arm.rung.basis == edge for arm in fitted.arms)
    prefix = (slot + 1) << 19 | NONE << 10 | mask
    sign = 1.0 if fitted.ladder.direction == "H" else -1.0
    found = [arm for _, arm in arms] + [*blank]
    places = [place + 1 for place, _ in arms] + [0] * len(blank)
    return (
        (needs, fitted.ladder.limits == "used", prefix, *places, *(arm is not None and arm.gate is None for arm in found),
         *(arm is not None and arm.inside_flagged for arm in found)),
        (sign, *(float(arm.factor) if arm else 0.0 for arm in found),
         *(float(arm.shift) if arm else sign * _NEVER for arm in found),
         *((1.0 if arm.rung.operator in "<>" else -1.0) if arm else 1.0 for arm in found)),
    )  # fmt: skip
