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
import math
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
#: What a rung may need beside the number, in words. ``noted`` never grades: its flags are said wherever it holds.
CONTEXTS = {
    "fasting": "fasting",
    "anticoagulated": "on an anticoagulant",
    "findings": "findings",
    "noted": "noted",
    "baseline_above_uln": "baseline above the ULN",
    "baseline_not_above_uln": "baseline not above the ULN",
    "antihypertensive": "on an antihypertensive drug",
    "antihypertensives": "on more than one antihypertensive drug",
    "febrile": "with fever on that day",
    "hemoglobin_fell": "with a fall in hemoglobin on that day",
}
#: Contexts that say all there is to say: their rungs hold for every number.
ALONE = ("antihypertensive", "antihypertensives")


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
    egfr: Literal["computed", "as_reported"] = "computed"

    @classmethod
    def of(cls, settings: str | Mapping[str, str] | Policy | None) -> Policy:
        """A policy from a preset's name or its switches. Raises ``ValueError`` naming the nearest known."""
        if isinstance(settings, Policy):
            return settings
        chosen = {"preset": settings} if isinstance(settings, str) else dict(settings or {})
        known = _switches()
        for name, value in chosen.items():
            _one_of(name, known, "lab_policy switch")
            _one_of(value, known[name], f"value of lab_policy {name}")
        return replace(_PRESETS[chosen.get("preset", "standard")], **chosen)  # type: ignore[arg-type]

    def switches(self) -> dict[str, str]:
        """Every switch with its setting, for the report's policy page."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


_PRESETS = {
    "standard": Policy(),
    "literal": Policy("literal", "cut_off", "as_printed", "as_reported", "higher", egfr="as_reported"),
}


@cache
def _switches() -> dict[str, tuple[str, ...]]:
    """The settings of each switch."""
    return {name: get_args(kind) for name, kind in get_type_hints(Policy).items()}


def _one_of(word: object, known: Any, what: str) -> None:
    if word not in known:
        near = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0)
        raise ValueError(f"unknown {what} {word!r}; did you mean {near[0]!r}? Known: {', '.join(known)}")


@dataclass(frozen=True, slots=True)
class Rung:
    """One row: value ``operator`` ``coefficient`` × basis + ``offset`` is ``grade``; of a child only where ``population``
    says so.
    """

    grade: int
    basis: Basis
    operator: Literal[">", ">=", "<", "<="]
    coefficient: Decimal
    unit: str | None = None
    offset: Decimal = Decimal(0)
    context: str | None = None
    flags: tuple[str, ...] = ()
    population: Literal["child"] | None = None


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
        if rung.context in ALONE:
            return CONTEXTS[rung.context]
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


@dataclass(frozen=True, slots=True)
class Companion:
    """What another result of the same day says of a context: the day's ``take`` of *analyte* in ``unit``, less its baseline
    where ``basis`` is baseline, makes the context true or false by its bounds. Between them, or not measured: unknown.
    """

    context: str
    analyte: str
    take: Literal["max", "min"]
    basis: Literal["absolute", "baseline"]
    true_operator: str
    true_bound: float
    false_operator: str
    false_bound: float
    unit: str


FEMALE, MALE = 0, 1
_SEXES = {"F": FEMALE, "FEMALE": FEMALE, "M": MALE, "MALE": MALE}


def sex_code(word: str | None) -> int:
    """FEMALE, MALE, or -1 where it is neither."""
    return _SEXES.get((word or "").strip().upper(), -1)


@dataclass(frozen=True, slots=True)
class Derivation:
    """An analyte computed from another, ``source`` in ``unit``, where none of ``unless`` was reported that day.

    CKD-EPI 2021: ``scale`` × (x / kappa) ^ (alpha up to kappa, else ``exponent``) × ``per_year`` ^ age × sex factor. The
    constants by sex are (female, male).
    """

    analyte: str
    source: str
    unless: tuple[str, ...]
    unit: str
    adult_from: float
    scale: float
    exponent: float
    per_year: float
    kappa: tuple[float, float]
    alpha: tuple[float, float]
    factor: tuple[float, float]

    def value(self, x: float, age: float | None, sex: str | None) -> int | None:
        """From *x* in ``unit``, years and F or M, to a whole number (halves to even); None where it cannot be had."""
        at = sex_code(sex)
        if at < 0 or age is None or not age >= self.adult_from or not x > 0:
            return None
        ratio = x / self.kappa[at]
        slope = self.alpha[at] if ratio <= 1 else self.exponent
        return round(self.scale * math.pow(ratio, slope) * math.pow(self.per_year, age) * self.factor[at])

    def compute(self, x: Any, age: Any, sex: Any) -> Any:
        """The same of arrays (float64), *sex* as FEMALE, MALE or −1; NaN where it cannot be had."""
        import numpy as np

        at = np.clip(sex, FEMALE, MALE)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            ratio = x / np.array(self.kappa)[at]
            slope = np.where(ratio <= 1, np.array(self.alpha)[at], self.exponent)
            found = np.rint(self.scale * ratio**slope * self.per_year**age * np.array(self.factor)[at])
            return np.where((sex >= FEMALE) & (age >= self.adult_from) & (x > 0), found, np.nan)


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
            if rung.context == "noted":
                continue
            if "floor" in rung.flags and (rung.grade, rung.basis, rung.unit) in firm:
                continue  # only says from where on the same grade is one of at least
            text = Arm(rung, Fraction(0), Fraction(rung.coefficient), rung.unit).text()
            beside = [CONTEXTS[rung.context]] if rung.context and rung.context not in ALONE else []
            beside += [rung.population] if rung.population else []
            more = f" ({', '.join(beside)})" if beside else ""
            label = "" if rung.context in ALONE else f"{units.analyte(ladder.analytes[0]).label} "
            found.setdefault(rung.grade, {})[f"{label}{text}{more}"] = None
    return {grade: tuple(texts) for grade, texts in sorted(found.items())}


@cache
def companions() -> tuple[Companion, ...]:
    """The contexts that another result of the same day decides, with their bounds."""
    found = []
    for context, row in _document()["companions"].items():
        (yes, at_yes), (no, at_no) = row["true"], row["false"]
        found.append(Companion(context, row["analyte"], row["take"], row["basis"], yes, float(at_yes), no, float(at_no),
                               row["unit"]))  # fmt: skip
    return tuple(found)


@cache
def derived() -> Mapping[str, Derivation]:
    """The analytes that are computed from another, by their names."""

    def build(name: str, row: Mapping[str, Any]) -> Derivation:
        numbers: dict[str, Any] = {key: float(row[key]) for key in ("adult_from", "scale", "exponent", "per_year")}
        numbers |= {key: (float(row[key]["F"]), float(row[key]["M"])) for key in ("kappa", "alpha", "factor")}
        return Derivation(name, row["from"], tuple(row["unless"]), row["unit"], **numbers)

    return {name: build(name, row) for name, row in _document()["derived"].items()}


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
    missing = unreadable(analyte, unit)
    source = None if missing else units.unit(analyte, unit or "")[0]
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


def unreadable(analyte: Analyte, unit: str | None) -> str | None:
    """The reason code where the unit is not stated or not known; None where it can be read."""
    if not (unit or "").strip() and not analyte.unitless:
        return "NO_UNIT"
    try:
        units.unit(analyte, unit or "")
    except units.UnknownUnit:
        return "UNKNOWN_UNIT"
    return None


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
        if rung.population not in (None, "child") or (rung.population and ladder.population):
            raise RuleError(f"{where}: grade {rung.grade} is for {rung.population!r}; give 'child', in a ladder for all ages")
        if rung.context == "noted" and not rung.flags:
            raise RuleError(f"{where}: a noted rung without flags says nothing; give its flags")
        if rung.context in ALONE and not (
            rung.basis == "absolute" and rung.operator == ">=" and rung.coefficient == 0
        ):
            raise RuleError(f"{where}: {rung.context} holds for every number; write it as absolute, >= 0")
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
    """Bounds of one kind (basis, unit, context, population) move strictly outward with the grade: none empty or crossed."""
    outward = 1 if ladder.direction == "H" else -1
    for kind in {(r.basis, r.unit, r.context, r.population) for r in ladder.rungs}:
        alike = [r for r in ladder.rungs if (r.basis, r.unit, r.context, r.population) == kind]
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
