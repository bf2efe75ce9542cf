"""Which numbers are which grade: the numeric rules of CTCAE v4.03, and how open readings are settled.

Rows are ``data/lab_rules.toml`` and ``data/measurement_rules.toml`` (authority: NCI, CTCAE v4.03, 14 June 2010); no
threshold stands in code.
``fit`` turns the rows of one term into arms whose bounds are in the unit of one result: as printed where the
result is in a printed unit or a multiple of it, else converted from the conventional one. Both engines
(``grading``, ``frame``) decide from those arms. ``Policy`` names the readings that the text leaves open.

>>> numeric_criteria("Leukocytosis")
{3: ('Leukocytes > 100000 /mm3',)}
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from decimal import Context, Decimal
from fractions import Fraction
from functools import cache, lru_cache
from importlib import resources
from itertools import pairwise
from typing import Any, Literal, get_args, get_type_hints

from ctcae_v403 import dictionary, units
from ctcae_v403.units import Analyte

Basis = Literal["uln", "lln", "absolute", "baseline"]
DIGITS = 12  # significant digits to which numbers are compared; more are binary noise
_ROUNDED = Context(prec=DIGITS)
CONTEXTS = ("fasting", "anticoagulated", "findings", "baseline_above_uln", "baseline_not_above_uln")


class RuleError(ValueError):
    """A row of the rule table that cannot be: says which, why and what to do."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How the open readings of the text are settled; ``study.yaml: lab_policy`` sets each switch alone."""

    preset: Literal["standard", "literal"] = "standard"
    within_normal_range: Literal["zero", "cut_off"] = "zero"
    baseline_arm: Literal["outside_normal", "as_printed", "off"] = "outside_normal"
    calcium: Literal["corrected", "as_reported"] = "corrected"
    same_band: Literal["lower", "higher"] = "lower"
    fasting: Literal["as_stated", "assume_fasting"] = "as_stated"

    @classmethod
    def of(cls, settings: str | Mapping[str, str] | Policy | None) -> Policy:
        """A policy from a preset's name or its switches. Raises ``ValueError`` naming the nearest known."""
        if isinstance(settings, Policy):
            return settings
        chosen = {"preset": settings} if isinstance(settings, str) else dict(settings or {})
        known = {name: get_args(kind) for name, kind in get_type_hints(cls).items()}
        for name, value in chosen.items():
            _one_of(name, known, "lab_policy switch")
            _one_of(value, known[name], f"value of lab_policy {name}")
        return replace(_PRESETS[chosen.get("preset", "standard")], **chosen)  # type: ignore[arg-type]

    def switches(self) -> dict[str, str]:
        """Every switch with its setting, for the report's policy page."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


_PRESETS = {
    "standard": Policy(),
    "literal": Policy("literal", "cut_off", "as_printed", "as_reported", "higher"),
}


def _one_of(word: object, known: Any, what: str) -> None:
    if word not in known:
        near = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0)
        raise ValueError(f"unknown {what} {word!r}; did you mean {near[0]!r}? Known: {', '.join(known)}")


@dataclass(frozen=True, slots=True)
class Rung:
    """One row: value ``operator`` ``coefficient`` × basis + ``offset`` is ``grade``."""

    grade: int
    basis: Basis
    operator: Literal[">", ">=", "<", "<="]
    coefficient: Decimal
    unit: str | None = None
    offset: Decimal = Decimal(0)
    context: str | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Ladder:
    """The rungs of one term for one or several analytes that share them."""

    term: str
    analytes: tuple[str, ...]
    direction: Literal["L", "H"]
    soc: str
    rungs: tuple[Rung, ...]
    limits: Literal["used", "ignored"] = "used"
    baseline_policy: bool = False
    population: Literal["adult", "child"] | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Arm:
    """A rung fitted to a result's unit: the bound is ``factor`` × basis + ``shift`` in that unit.

    ``missing``: why the bound cannot be had (NO_UNIT, UNKNOWN_UNIT). ``gate``: the arm counts only for a
    value beyond its limit; where the limit is unknown it counts (``may_be_normal``) or is unknown itself
    (``must_be_abnormal``). ``inside_flagged``: holding within the limits is worth a flag.
    """

    rung: Rung
    factor: Fraction
    shift: Fraction
    unit: str | None
    missing: str | None = None
    gate: Literal["may_be_normal", "must_be_abnormal"] | None = None
    inside_flagged: bool = False

    def text(self, limit: Fraction | None = None) -> str:
        """The criterion for a reader: as printed, then in brackets the bound in the unit of the result."""
        rung = self.rung
        if rung.basis == "absolute":
            bound = f"{rung.coefficient}{_suffix(rung.unit)}"
            same = rung.unit == self.unit or self.shift == Fraction(rung.coefficient)
            converted = "" if same else f" ({plain(self.shift)}{_suffix(self.unit)})"
            return f"{rung.operator} {bound}{converted}"
        name = "baseline" if rung.basis == "baseline" else rung.basis.upper()
        times = name if rung.coefficient == 1 else f"{rung.coefficient} × {name}"
        more = f" {'+' if rung.offset > 0 else '-'} {abs(rung.offset)}{_suffix(rung.unit)}" if rung.offset else ""
        at = "" if limit is None else f" ({plain(self.factor * limit + self.shift)}{_suffix(self.unit)})"
        return f"{rung.operator} {times}{more}{at}"


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A ladder in the unit of a result: arms from the worst grade down, printed order within a grade.

    ``signed``: the result can lie below zero.
    """

    ladder: Ladder
    arms: tuple[Arm, ...]
    converted: bool
    signed: bool


def to_digits(number: Fraction) -> Fraction:
    """Rounded to ``DIGITS`` significant digits: what a number is compared as."""
    return Fraction(_ROUNDED.divide(Decimal(number.numerator), Decimal(number.denominator)))


def plain(number: Fraction, digits: int = 6) -> str:
    """A number without exponent or trailing zeros, to *digits* significant digits."""
    text = format(Decimal(f"{float(number):.{digits}g}"), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _suffix(unit: str | None) -> str:
    return "" if unit in (None, "", "1") else f" {unit}"


@cache
def _document(name: str = "lab_rules") -> dict[str, Any]:
    text = resources.files("ctcae_v403").joinpath(f"data/{name}.toml").read_text("utf-8")
    return tomllib.loads(text, parse_float=Decimal)


@cache
def ladders() -> tuple[Ladder, ...]:
    """Every ladder of the rule table, checked: laboratory values, then measurements.

    Raises ``RuleError`` at the first row that cannot be.
    """
    read = tuple(build(row) for row in _rows())
    for ladder in read:
        check(ladder)
    return read


def _rows() -> Iterator[dict[str, Any]]:
    for name in ("lab_rules", "measurement_rules"):
        yield from _document(name)["ladder"]


def numeric_criteria(term: str) -> dict[int, tuple[str, ...]]:
    """The printed numeric criteria of a term by grade; empty where it has none. Raises ``UnknownTerm``."""
    name = dictionary.term(term).name
    found: dict[int, dict[str, None]] = {}
    for ladder in (build(row) for row in _rows() if row["term"] == name):  # a look-up need not check every other row
        firm = {(rung.grade, rung.basis, rung.unit) for rung in ladder.rungs if "floor" not in rung.flags}
        for rung in ladder.rungs:
            if "floor" in rung.flags and (rung.grade, rung.basis, rung.unit) in firm:
                continue  # only says from where on the same grade is one of at least
            text = Arm(rung, Fraction(0), Fraction(rung.coefficient), rung.unit).text()
            context = f" ({rung.context.replace('_', ' ')})" if rung.context else ""
            label = units.analyte(ladder.analytes[0]).label
            found.setdefault(rung.grade, {})[f"{label} {text}{context}"] = None
    return {grade: tuple(texts) for grade, texts in sorted(found.items())}


def not_from_one_number() -> Mapping[str, str]:
    """Terms with numbers in their criteria that no single number can grade, with the reason."""
    return dict(_document()["not_from_one_number"])


def calcium_correction(dimension: str) -> Mapping[str, Any]:
    """``slope reference unit albumin_unit`` for results in mass or amount; decimals."""
    return dict(_document()["calcium_correction"]["mass" if dimension == "mass" else "amount"])


def build(row: Mapping[str, Any]) -> Ladder:
    """A ladder from a row of the rule file (numbers as ``Decimal`` or ``int``)."""
    rungs = tuple(
        Rung(**{**rung, "coefficient": Decimal(rung["coefficient"]), "offset": Decimal(rung.get("offset", 0)),
                "flags": tuple(rung.get("flags", ()))})
        for rung in row["rungs"]
    )  # fmt: skip
    return Ladder(**{**row, "analytes": tuple(row["analytes"]), "rungs": rungs})


@cache
def ladders_of(analyte: Analyte) -> tuple[Ladder, ...]:
    """The ladders that a result of this analyte climbs."""
    return tuple(ladder for ladder in ladders() if analyte.name in ladder.analytes)


@lru_cache(maxsize=65_536)
def fit(ladder: Ladder, analyte: Analyte, unit: str | None, policy: Policy) -> Fitted:
    """The ladder's arms in *unit* (None: not stated), as far as the policy counts them."""
    source, missing = _read(analyte, unit)
    chosen = {(r.grade, r.context): _printed(ladder, r, analyte, source) for r in ladder.rungs}
    arms: list[Arm] = []
    converted = False
    for rung in ladder.rungs:
        if rung.basis == "baseline" and ladder.baseline_policy and policy.baseline_arm == "off":
            continue
        if rung.basis == "absolute" and rung.unit != chosen[rung.grade, rung.context]:
            continue
        if rung.context == "baseline_not_above_uln" and policy.baseline_arm == "off":
            rung = replace(rung, context=None)
        absolute = rung.basis == "absolute"
        needs_unit = absolute or bool(rung.offset)
        shift = Fraction(0)
        if needs_unit and not missing:
            times, zero = units.line(analyte, rung.unit or "", unit or "")
            shift = Fraction(rung.coefficient) * times + zero if absolute else Fraction(rung.offset) * times
            converted |= times != 1 or zero != 0
        arms.append(
            Arm(
                rung=rung,
                factor=Fraction(0) if absolute else Fraction(rung.coefficient),
                shift=to_digits(shift),
                unit=unit,
                missing=missing if needs_unit else None,
                gate=_gate(ladder, rung, policy),
                inside_flagged=ladder.limits == "used" and rung.basis in ("absolute", "baseline"),
            )
        )
    return Fitted(ladder, tuple(sorted(arms, key=lambda arm: -arm.rung.grade)), converted, analyte.signed)


def _gate(ladder: Ladder, rung: Rung, policy: Policy) -> Literal["may_be_normal", "must_be_abnormal"] | None:
    if rung.basis == "absolute" and ladder.limits == "used" and policy.within_normal_range == "zero":
        return "may_be_normal"
    if rung.basis == "baseline" and ladder.baseline_policy and policy.baseline_arm == "outside_normal":
        return "must_be_abnormal"
    return None


def _read(analyte: Analyte, unit: str | None) -> tuple[units.Unit | None, str | None]:
    """The unit meant, or the reason code where that cannot be told."""
    if not (unit or "").strip() and not analyte.unitless:
        return None, "NO_UNIT"
    try:
        return units.unit(analyte, unit or "")[0], None
    except units.UnknownUnit:
        return None, "UNKNOWN_UNIT"


def _printed(ladder: Ladder, like: Rung, analyte: Analyte, source: units.Unit | None) -> str | None:
    """Of the units that print an absolute rung: the result's own, one of its kind, else the first."""
    printed = [
        rung.unit
        for rung in ladder.rungs
        if rung.basis == "absolute" and rung.unit and (rung.grade, rung.context) == (like.grade, like.context)
    ]
    if not printed or source is None:
        return printed[0] if printed else None
    read = {unit: units.unit(analyte, unit)[0] for unit in printed}
    family = "amount" if source.dimension == "equivalent" else source.dimension
    own = [u for u in printed if replace(read[u], label=source.label) == source]
    kind = [u for u in printed if read[u].dimension == family]
    return (own or kind or printed)[0]


def check(ladder: Ladder) -> None:
    """Refuses a ladder whose term or grade does not exist, or with empty, crossed or unconvertible rungs."""
    where = f"rule table, {ladder.term} from {', '.join(ladder.analytes)}"
    term = dictionary.term(ladder.term)
    for rung in ladder.rungs:
        if rung.grade not in term.grades:
            raise RuleError(
                f"{where}: the term has no grade {rung.grade}, only {term.grades}; correct the row"
            )
        if rung.context not in (None, *CONTEXTS):
            raise RuleError(f"{where}: unknown context {rung.context!r}; known: {', '.join(CONTEXTS)}")
        outward = ">" if ladder.direction == "H" else "<"
        if rung.operator[0] != outward and not rung.flags:
            raise RuleError(
                f"{where}: grade {rung.grade} ({rung.operator}) points away from {ladder.direction}"
            )
    for name in ladder.analytes:
        analyte = units.analyte(name)
        if analyte.signed and any(rung.basis != "absolute" for rung in ladder.rungs):
            raise RuleError(f"{where}: multiples of what can lie below zero mean nothing; give absolute rungs")
        for unit in {r.unit for r in ladder.rungs if r.unit}:
            units.unit(analyte, unit)
    _check_order(ladder, where)


def _check_order(ladder: Ladder, where: str) -> None:
    """Bounds of one kind (basis, unit, context) move strictly outward with the grade: none empty or
    crossed.
    """
    outward = 1 if ladder.direction == "H" else -1
    for kind in {(r.basis, r.unit, r.context) for r in ladder.rungs}:
        alike = [r for r in ladder.rungs if (r.basis, r.unit, r.context) == kind]
        for milder, worse in pairwise(sorted(alike, key=lambda rung: rung.grade)):
            if milder.grade == worse.grade:
                continue
            near, far = (milder.coefficient, milder.offset), (worse.coefficient, worse.offset)
            step = (far > near) - (far < near)
            open_ended = (
                step == 0 and milder.operator[0] != worse.operator[0]
            )  # printed "> 48", then "13 - 48"
            if step != outward and not open_ended:
                raise RuleError(
                    f"{where}: grade {worse.grade} ({worse.operator} {far[0]}) is empty or lies inside grade "
                    f"{milder.grade} ({milder.operator} {near[0]}); correct the bounds"
                )
