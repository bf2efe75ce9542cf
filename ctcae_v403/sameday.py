"""What a grade asks of other results of the same subject and day: albumin for calcium, temperature for neutrophils, the
fall in hemoglobin for haptoglobin, a reported eGFR where one would be computed from creatinine.

Which, and by what bounds, is data (``rules.companions``, ``rules.derived``, the calcium correction).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ctcae_v403 import buffers, grading, kernel, rules, units
from ctcae_v403.columns import UNKNOWN, UNKNOWN_DAY, Columns, Table
from ctcae_v403.grading import REASONS
from ctcae_v403.kernel import NONE, Baselines, Rows
from ctcae_v403.plan import Plan
from ctcae_v403.rules import Derivation

_SPAN = 1 << 24  # days that a key of subject and day has room for
_TAKES = {"max": np.maximum, "min": np.minimum}


class SameDay:
    """Results by subject and day: ``add`` them as they are met, ``settle``, then ``applied``."""

    def __init__(self, plan: Plan) -> None:
        policy = plan.policy
        self._companions = rules.companions()
        self._asking = {  # by context: the analytes whose ladders ask for it
            companion.context: {
                name for ladder in rules.ladders() for name in ladder.analytes
                if any(rung.context == companion.context for rung in ladder.rungs)
            }
            for companion in self._companions
        }  # fmt: skip
        self._derived = rules.derived() if policy.egfr == "computed" else {}
        names = {companion.analyte: companion.unit for companion in self._companions}
        if policy.calcium == "corrected":
            names["albumin"] = "g/dL"
        for derivation in self._derived.values():
            names |= {name: units.analyte(name).canonical for name in derivation.unless}
        self._units = names
        self._met: dict[str, list[tuple[Any, ...]]] = {name: [] for name in names}
        self._found: dict[str, tuple[Any, Any]] = {}
        self._fell: dict[str, tuple[Any, Any]] = {}

    def wanted(self, plan: Plan) -> Any:
        """By key: whether other results ask for its analyte."""
        return np.array([analyte is not None and analyte.name in self._units for analyte in plan.analytes] or [False])

    def add(self, plan: Plan, keys: Any, subject: Any, day: Any, x: Any, base: Any, row: Any) -> None:
        """Results of one part: plain numbers (NaN: none) in the unit of their key, their BASE, and their rows."""
        for name in self._units:
            own = [n for n, analyte in enumerate(plan.analytes) if analyte is not None and analyte.name == name]
            at = np.flatnonzero(np.isin(keys, own) & (day != UNKNOWN_DAY) & ~np.isnan(x))
            if not len(at):
                continue
            lines = {n: _line(plan, n, self._units[name]) for n in own}
            times = np.array([lines[k][0] for k in keys[at].tolist()])
            plus = np.array([lines[k][1] for k in keys[at].tolist()])
            self._met[name].append((subject[at], day[at], x[at] * times + plus, base[at] * times + plus, row[at], keys[at]))

    def settle(self, baselines: Baselines, plan: Plan) -> None:
        """Ends ``add``."""
        for name, parts in self._met.items():
            if not parts:
                continue
            subject, day, x, base, row, keys = (np.concatenate(column) for column in zip(*parts, strict=True))
            if len(baselines.start) > 1:
                flagged = _of_baselines(baselines, subject, plan.places()[keys])
                lines = {n: _line(plan, n, self._units[name])[0] for n in set(baselines.key[flagged].tolist())}
                times = np.array([lines[n] for n in baselines.key[flagged].tolist()])
                base = np.where(np.isnan(base) & (flagged >= 0), baselines.x[flagged] * times, base)
            at = np.lexsort((row, _joint(subject, day)))
            joint = _joint(subject, day)[at]
            first = np.flatnonzero(np.concatenate([[True], joint[1:] != joint[:-1]]))
            last = np.concatenate([first[1:], [len(joint)]]) - 1
            take = {c.analyte: c.take for c in self._companions}.get(name)
            value = x[at][last] if take is None else _TAKES[take].reduceat(x[at], first)
            self._found[name] = (joint[first], value)
            with np.errstate(invalid="ignore"):
                self._fell[name] = (joint[first], np.fmin.reduceat((x - base)[at], first))

    def depends(self, met: list[int], plan: Plan) -> bool:
        """Whether a result of one of the keys *met* asks for another."""
        asking = {name for names in self._asking.values() for name in names} | {d.source for d in self._derived.values()}
        asking |= {"calcium"} if "albumin" in self._units else set()
        return any(analyte is not None and analyte.name in asking for analyte in (plan.analytes[number] for number in met))

    def applied(self, rows: Rows, part: Table, roles: Columns, plan: Plan, met: list[int]) -> Rows:
        """*rows* of *part*, of the keys *met*, with what the other results of their day say of them."""
        by_name: dict[str, list[int]] = {}
        for number in met:
            if (analyte := plan.analytes[number]) is not None:
                by_name.setdefault(analyte.name, []).append(number)
        dated = roles.date is not None and len(rows.subject) > 0
        if dated and "albumin" in self._found and "calcium" in by_name:
            rows = self._corrected(rows, part, roles, plan, by_name["calcium"])
        for companion in self._companions:
            own = [number for name in self._asking[companion.context] for number in by_name.get(name, ())]
            table = (self._fell if companion.basis == "baseline" else self._found).get(companion.analyte)
            if dated and own and table is not None:
                at = _among(rows.key, own, plan)
                value = _find(table, rows.subject[at], part.days(roles.date or "", at))
                states = np.where(_holds(value, companion.true_operator, companion.true_bound), 1, np.where(
                    _holds(value, companion.false_operator, companion.false_bound), 0, UNKNOWN))  # fmt: skip
                place = 2 * {"febrile": kernel.FEBRILE, "hemoglobin_fell": kernel.HEMOGLOBIN_FELL}[companion.context]
                rows.situation[at] = rows.situation[at] & ~(3 << place) | states.astype(np.int32) << place
        for derivation in self._derived.values():
            if (roles.age or roles.sex) and derivation.source in by_name:
                rows = self._computed(rows, part, roles, plan, by_name[derivation.source], derivation, dated)
        return rows

    def _corrected(self, rows: Rows, part: Table, roles: Columns, plan: Plan, own: list[int]) -> Rows:
        x = rows.x.copy()
        for number in own:
            analyte, key = plan.analytes[number], plan.keys[number]
            slope = grading.calcium_slope(analyte, key.unit, "g/dL", plan.policy) if analyte else None
            if slope is None:
                continue
            at = np.flatnonzero((rows.key == number) & (rows.why == NONE) & (rows.qualifier == 0))
            albumin = _find(self._found["albumin"], rows.subject[at], part.days(roles.date or "", at))
            at, albumin = at[~np.isnan(albumin)], albumin[~np.isnan(albumin)]
            x[at] += float(slope[1]) - float(slope[0]) * albumin
            rows.situation[at] |= kernel.CORRECTED
        return rows._replace(x=x)

    def _computed(self, rows: Rows, part: Table, roles: Columns, plan: Plan, own: list[int],
                  derivation: Derivation, dated: bool) -> Rows:  # fmt: skip
        at = _among(rows.key, own, plan)
        n = len(at)
        age = part.plain_numbers(roles.age)[at] if roles.age else np.full(n, np.nan)
        sex = part.words(roles.sex).map(rules.sex_code, np.int64)[at] if roles.sex else np.full(n, -1)
        stated = ~np.isnan(age) | (sex >= 0)
        if dated and any(name in self._found for name in derivation.unless):
            day = part.days(roles.date or "", at)
            for name in derivation.unless:
                stated &= np.isnan(_find(self._found.get(name), rows.subject[at], day))
        at, age, sex = at[stated], age[stated], sex[stated]
        keys = rows.key.copy()
        other, other_base = np.zeros(len(keys)), np.zeros(len(keys))
        for number in own:
            among = np.flatnonzero(keys[at] == number)
            rows_of = at[among]
            keys[rows_of] = plan.number(plan.keys[number]._replace(derived=True))
            times, _ = _line(plan, number, derivation.unit)
            analyte = plan.analytes[number]
            unreadable = rules.unreadable(analyte, plan.keys[number].unit) if analyte else None
            computed = derivation.compute(rows.x[rows_of] * times, age[among], sex[among])
            computed = np.where(np.isnan(computed), -1 - kernel.NO_CONTEXT, computed)
            computed = np.where(rows.qualifier[rows_of] > 0, -1 - kernel.QUALIFIED, computed)
            if unreadable:
                computed = np.where(rows.qualifier[rows_of] > 0, computed, -1 - REASONS.index(unreadable))
            other[rows_of] = computed
            if len(rows.base):
                other_base[rows_of] = derivation.compute(rows.base[rows_of] * times, age[among], sex[among])
        return rows._replace(key=keys, other=other, other_base=other_base)


def _line(plan: Plan, number: int, unit: str) -> tuple[float, float]:
    """From the unit of a key to *unit*: factor and shift; NaN where there are none."""
    analyte = plan.analytes[number]
    if analyte is None:
        return np.nan, 0.0
    try:
        times, plus = units.line(analyte, plan.keys[number].unit, unit)
    except units.UnknownUnit:
        return np.nan, 0.0
    return float(times), float(plus)


def _among(keys: Any, own: list[int], plan: Plan) -> Any:
    """The rows of the keys *own*."""
    wanted = np.zeros(len(plan.keys), np.int64)
    wanted[own] = 1
    found = np.empty(len(keys) + 1, np.int64)
    return found[: buffers.among(keys, wanted, found)]


def _joint(subject: Any, day: Any) -> Any:
    return subject.astype(np.int64) * _SPAN + (day + _SPAN // 2)


def _find(table: tuple[Any, Any] | None, subject: Any, day: Any) -> Any:
    """The value of each subject and day, NaN where there is none."""
    if table is None or not len(table[0]):
        return np.full(len(subject), np.nan)
    joints, value = table
    joint = _joint(subject, day)
    at = np.minimum(np.searchsorted(joints, joint), len(joints) - 1)
    return np.where((joints[at] == joint) & (day != UNKNOWN_DAY), value[at], np.nan)


def _of_baselines(baselines: Baselines, subject: Any, place: Any) -> Any:
    """The place of each subject's flagged baseline, −1 for none."""
    owner = np.repeat(np.arange(len(baselines.start) - 1), np.diff(baselines.start))
    span = int(max(baselines.place.max(), place.max())) + 1
    joint = owner * span + baselines.place
    order = np.argsort(joint)
    wanted = subject.astype(np.int64) * span + place
    at = np.minimum(np.searchsorted(joint[order], wanted), len(order) - 1)
    return np.where(joint[order][at] == wanted, order[at], -1)


def _holds(value: Any, operator: str, bound: float) -> Any:
    """As ``kernel.holds``; false where there is no value."""
    outward = value - bound if operator[0] == ">" else bound - value
    margin = abs(bound) * kernel.EQUAL + kernel.TINY
    return outward > (margin if len(operator) == 1 else -margin)
