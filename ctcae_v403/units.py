"""Which unit was meant, and how much of another unit that is: by analyte, exactly, or not at all.

A spelling can mean several things (``G/L`` is gram or giga per litre); the analyte decides. Units come from
``data/analytes.toml``; what that table does not know is tried as a UCUM code (pint, ucumvert). Factors are
fractions, so that a conversion there and back is the same number. An unknown unit is refused by name.

>>> hemoglobin = analyte("HGB")
>>> convert(Decimal("5"), hemoglobin, "mmol/L", "g/L")
Fraction(8057, 100)
"""

from __future__ import annotations

import difflib
import tomllib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cache
from importlib import resources
from typing import Any


class UnknownUnit(ValueError):
    """A unit that cannot be read for this analyte; the message names the nearest known ones."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One reading of a spelling: *x* of it is ``factor`` × x + ``zero`` base units of its ``dimension``."""

    label: str
    dimension: str
    factor: Fraction
    zero: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True, eq=False)
class Analyte:
    """What is measured; ``scale`` maps ordinal words (a dipstick's plus signs) to numbers; ``signed``: it can lie
    below zero; ``zero_baseline``: a baseline of 0 is one; ``pair``: the two analytes that one result holds (``150/95``).
    """

    name: str
    label: str
    codes: tuple[str, ...]
    canonical: str
    specimens: frozenset[str]
    needs_specimen: frozenset[str]
    molar_mass: Fraction | None = None
    valence: int | None = None
    unitless: bool = False
    fasting: bool | None = None
    signed: bool = False
    zero_baseline: bool = False
    pair: tuple[str, ...] = ()
    scale: Mapping[str, Decimal] = field(default_factory=dict)
    conversions: Mapping[str, Fraction] = field(default_factory=dict)

    def taken_from(self, code: str, specimen: str | None) -> bool:
        """Whether this analyte is what *code* measures in *specimen* (blank is the usual specimen)."""
        found = (specimen or "").strip().upper()
        return found in self.specimens and bool(found or code not in self.needs_specimen)


def _document() -> dict[str, Any]:
    text = resources.files("ctcae_v403").joinpath("data/analytes.toml").read_text("utf-8")
    return tomllib.loads(text)


@cache
def analytes() -> tuple[Analyte, ...]:
    """All analytes of ``data/analytes.toml``, in its order."""
    document = _document()
    specimens = {name: frozenset(words) for name, words in document["specimens"].items()}

    def build(row: dict[str, Any]) -> Analyte:
        wanted = row.get("specimen", ["blood"])
        return Analyte(
            name=row["name"],
            label=row["label"],
            codes=tuple(row["codes"]),
            canonical=row["canonical"],
            specimens=frozenset().union(*(specimens[name] for name in wanted)),
            needs_specimen=frozenset(row.get("needs_specimen", ())),
            molar_mass=Fraction(row["molar_mass"]) if "molar_mass" in row else None,
            valence=row.get("valence"),
            unitless=row.get("unitless", False),
            fasting=row.get("fasting"),
            signed=row.get("signed", False),
            zero_baseline=row.get("zero_baseline", False),
            pair=tuple(row.get("pair", ())),
            scale={word: Decimal(number) for word, number in row.get("scale", {}).items()},
            conversions={
                _key(unit): Fraction(Decimal(top)) / Fraction(Decimal(bottom))
                for unit, (top, bottom) in (
                    (unit, text.split("/")) for unit, text in row.get("conversions", {}).items()
                )
            },
        )

    return tuple(build(row) for row in document["analyte"])


@cache
def _by_code() -> dict[str, tuple[Analyte, ...]]:
    found: dict[str, tuple[Analyte, ...]] = {}
    for one in analytes():
        for code in dict.fromkeys((*one.codes, one.name.upper(), one.label.upper())):
            found[code] = (*found.get(code, ()), one)
    return found


def candidates(code: str | None) -> tuple[Analyte, ...]:
    """Analytes that a test code, analyte name or label can stand for; empty when unknown."""
    return _by_code().get((code or "").strip().upper(), ())


def analyte(code: str) -> Analyte:
    """The first analyte of a test code. Raises ``KeyError`` naming the nearest codes."""
    found = candidates(code)
    if not found:
        near = difflib.get_close_matches(code.strip().upper(), _by_code(), n=3)
        raise KeyError(f"unknown test code {code!r}; nearest known: {', '.join(near) or 'none'}")
    return found[0]


_PLAIN = str.maketrans({"µ": "u", "μ": "u", "×": "x", "²": "2", **dict.fromkeys(" ^*_{}[]")})


def _key(spelling: str) -> str:
    """A spelling without what never carries meaning."""
    text = spelling.strip().lower().translate(_PLAIN)
    return text[1:] if text.startswith(("x10", "x1e", "xe")) else text


@cache
def _table() -> dict[str, tuple[Unit, ...]]:
    document = _document()
    zeros = {label: Fraction(at) for label, at in document["zeros"].items()}
    found: dict[str, tuple[Unit, ...]] = {}

    def add(spelling: str, unit: Unit) -> None:
        key = _key(spelling)
        if unit not in found.get(key, ()):
            found[key] = (*found.get(key, ()), unit)

    for dimension, numerators in document["numerators"].items():
        for top, (amount, *tops) in numerators.items():
            for bottom, (volume, *bottoms) in document["denominators"].items():
                unit = Unit(f"{top}/{bottom}", dimension, Fraction(amount) / Fraction(volume))
                for spelling in (f"{a}/{b}" for a in tops for b in bottoms):
                    add(spelling, unit)
    for dimension, units in document["whole"].items():
        for label, (amount, *spellings) in units.items():
            for spelling in (label, *spellings):
                add(spelling, Unit(label.replace("-per-", "/"), dimension, Fraction(amount), zeros.get(label, Fraction(0))))
    return found


_PINT_BASES = {"mass": "g/L", "amount": "mol/L", "count": "1/L", "time": "second", "number": "dimensionless",
               "excretion": "g/day", "clearance": "mL/minute", "pressure": "kilopascal", "weight": "kilogram",
               "length": "centimeter", "volume": "liter"}  # fmt: skip


@cache
def _registry() -> Any:
    """UCUM for pint; loaded when a spelling is first met that our table lacks."""
    from ucumvert import PintUcumRegistry

    return PintUcumRegistry()


@cache
def _ucum(spelling: str) -> tuple[Unit, ...]:
    """A UCUM code that the table does not list; empty when it is none."""
    try:
        with warnings.catch_warnings(action="ignore"):  # the parser's own deprecations are not about the unit
            quantity = _registry().from_ucum(spelling.strip())
    except Exception:  # the parser raises many kinds; any of them means "not UCUM"
        return ()
    for dimension, base in _PINT_BASES.items():
        if quantity.is_compatible_with(base):
            # a float of a ratio of powers of ten: twelve digits recover it
            magnitude = f"{float(quantity.to(base).magnitude):.12g}"
            return (Unit(spelling.strip(), dimension, Fraction(magnitude)),)
    return ()


def unit(of: Analyte, spelling: str) -> tuple[Unit, Fraction]:
    """The unit meant by *spelling* for this analyte, and how many canonical units one of it is.

    Raises ``UnknownUnit`` for a spelling that is no unit, or none that this analyte can have.
    """
    key = _key(spelling)
    if key in of.conversions:
        return Unit(spelling.strip(), f"conversion {key}", Fraction(1)), of.conversions[key]
    target = _canonical(of)
    readings = _table().get(key) or (_ucum(spelling) if key else ())
    for reading in readings:
        bridge = _bridge(of, reading.dimension, target.dimension)
        if bridge is not None:
            return reading, reading.factor * bridge / target.factor
    near = [u for u in difflib.get_close_matches(key, _table(), n=8) if _fits(of, u, target)][:3]
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    known = "is no unit we know" if not readings else f"does not measure {of.label.lower()}"
    raise UnknownUnit(f"{of.label}: {spelling!r} {known} (expected e.g. {of.canonical}){hint}")


def _canonical(of: Analyte) -> Unit:
    """The analyte's own unit: of several readings the one labelled so, else the first."""
    readings = _table()[_key(of.canonical)]
    return next((u for u in readings if u.label == of.canonical), readings[0])


def _fits(of: Analyte, key: str, target: Unit) -> bool:
    return any(_bridge(of, u.dimension, target.dimension) is not None for u in _table()[key])


def _bridge(of: Analyte, source: str, target: str) -> Fraction | None:
    """Base units of *target* in one base unit of *source* for this analyte; None where they do not meet."""
    if source == target:
        return Fraction(1)
    in_mol = {"amount": Fraction(1)}
    if of.molar_mass:
        in_mol["mass"] = 1 / of.molar_mass
    if of.valence:
        in_mol["equivalent"] = Fraction(1, of.valence)
    if source in in_mol and target in in_mol:
        return in_mol[source] / in_mol[target]
    return None


def line(of: Analyte, source: str, target: str) -> tuple[Fraction, Fraction]:
    """(a, b): x *source* units are a × x + b *target* units, and differences of x are a times as large.

    b is zero but for temperatures. Raises ``UnknownUnit``.
    """
    (read, scale), (aim, per_canonical) = unit(of, source), unit(of, target)
    return scale / per_canonical, (read.zero - aim.zero) / aim.factor if read.zero != aim.zero else Fraction(0)


def factor(of: Analyte, source: str, target: str) -> Fraction:
    """How many *target* units one *source* unit is. Raises ``UnknownUnit``, also where their zeros differ."""
    times, shift = line(of, source, target)
    if shift:
        raise UnknownUnit(f"{of.label}: {source!r} is no multiple of {target!r}, their zeros differ; use convert()")
    return times


def convert(value: Decimal | Fraction | int, of: Analyte, source: str, target: str) -> Fraction:
    """*value* expressed in *target*, exactly. Raises ``UnknownUnit``."""
    times, shift = line(of, source, target)
    return Fraction(value) * times + shift
