"""Which unit was meant, and how much of another unit that is: by analyte, exactly, or not at all.

A spelling can mean several things (``G/L`` is gram or giga per litre); the analyte decides. Units come from
``data/analytes.toml``; what that table does not know is tried as a UCUM code (pint, ucumvert). Factors are
fractions, so that a conversion there and back is the same number. An unknown unit is refused by name, and so is
one whose case leaves a factor of 10^9 open.

>>> hemoglobin = analyte("HGB")
>>> convert(Decimal("5"), hemoglobin, "mmol/L", "g/L")
Fraction(8057, 100)
"""

from __future__ import annotations

import difflib
import re
import tomllib
import unicodedata
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cache, lru_cache
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
    """What is measured.

    ``usual``: units that laboratories report it in. ``unitless``: no unit need be stated. ``pure``: no factor, not even
    percent, can stand before it. ``scale`` maps ordinal words (a dipstick's plus signs) to numbers. ``signed``: it can
    lie below zero. ``zero_baseline``: a baseline of 0 is one. ``pair``: the two analytes that one result (``150/95``) holds.
    """

    name: str
    label: str
    codes: tuple[str, ...]
    canonical: str
    specimens: frozenset[str]
    needs_specimen: frozenset[str]
    usual: tuple[str, ...] = ()
    molar_mass: Fraction | None = None
    valence: int | None = None
    unitless: bool = False
    pure: bool = False
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


@cache
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
            usual=tuple(row.get("usual", ())),
            molar_mass=Fraction(row["molar_mass"]) if "molar_mass" in row else None,
            valence=row.get("valence"),
            unitless=row.get("unitless", False),
            pure=row.get("pure", False),
            fasting=row.get("fasting"),
            signed=row.get("signed", False),
            zero_baseline=row.get("zero_baseline", False),
            pair=tuple(row.get("pair", ())),
            scale={word: Decimal(number) for word, number in row.get("scale", {}).items()},
            conversions={
                _key(unit): Fraction(Decimal(top)) / Fraction(Decimal(bottom))
                for unit, (top, bottom) in ((unit, text.split("/")) for unit, text in row.get("conversions", {}).items())
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


_PLAIN = str.maketrans({"μ": "u", "×": "x", "−": "-", "–": "-", "∕": "/", "⁄": "/", "⋅": "·", "∙": "·", "•": "·",
                        "\u200b": None, "\ufeff": None})  # fmt: skip
_SILENT = str.maketrans(dict.fromkeys(" ^*_{}[]()·"))


def _plain(spelling: str) -> str:
    """A spelling in letters of one kind: no full-width forms or superscripts, one mu, one minus, one slash."""
    spelling = re.sub("[Ââ](?=[µ°º])|[Îî](?=¼)", "", spelling).replace("¼", "µ")  # UTF-8 once read as Latin-1
    return unicodedata.normalize("NFKC", spelling).translate(_PLAIN).strip()


def _key(spelling: str) -> str:
    """A spelling without what never carries meaning (case can, see ``_slips``)."""
    text = re.sub(r"(?<=\d),(?=\d)", ".", _plain(spelling).lower())
    text = re.sub(r"\s*\bper\b\s*", "/", text)
    text = re.sub(r"[\s.·*]+([a-z]+\d?)\s*\^?-1(?!\d)", r"/\1", text)  # mmol·L⁻¹
    text = "".join(text.translate(_SILENT).split())
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
    """A UCUM code that the table does not list; empty when it is none, or has a number of its own (10-9/L is 10⁻⁹)."""
    if _plain(spelling)[:1].isdigit():
        return ()
    try:
        with warnings.catch_warnings(action="ignore"):  # the parser's own deprecations are not about the unit
            quantity = _registry().from_ucum(_plain(spelling))
    except Exception:  # the parser raises many kinds; any of them means "not UCUM"
        return ()
    for dimension, base in _PINT_BASES.items():
        if quantity.is_compatible_with(base):
            # a float of a ratio of powers of ten: twelve digits recover it
            magnitude = f"{float(quantity.to(base).magnitude):.12g}"
            return (Unit(spelling.strip(), dimension, Fraction(magnitude)),)
    return ()


def _readings(spelling: str) -> tuple[Unit, ...]:
    """What the spelling can mean, whatever is measured: as the table has it, without what is counted, or as UCUM."""
    key, table = _key(spelling), _table()
    if key in table or not key:
        return table.get(key, ())
    top, slash, bottom = key.partition("/")
    for noun in _document()["counted"]["nouns"]:
        if slash and top.endswith(noun):
            return tuple(u for u in table.get(f"{top.removesuffix(noun)}/{bottom}", ()) if u.dimension == "count")
    return _ucum(spelling)


@cache
def _mega() -> frozenset[str]:
    return frozenset(_document()["mega"]["dimensions"])


def _slips(spelling: str, reading: Unit) -> bool:
    """Whether a capital M leaves open what the reading takes for milli."""
    return reading.dimension in _mega() and reading.label.startswith("m") and _plain(spelling).startswith("M")


@lru_cache(maxsize=16_384)
def _read(of: Analyte, spelling: str) -> tuple[Unit, Fraction] | None:
    """The unit meant and how many canonical ones it is; None where the analyte has no such unit."""
    key = _key(spelling)
    if key in of.conversions:
        return Unit(spelling.strip(), f"conversion {key}", Fraction(1)), of.conversions[key]
    target = _canonical(of)
    for reading in _readings(spelling):
        if _slips(spelling, reading):
            continue
        if reading.dimension == "bare" and of.unitless:
            reading = target
        bridge = _bridge(of, reading.dimension, target.dimension)
        if bridge is not None and not (of.pure and reading.factor != target.factor):
            return reading, reading.factor * bridge / target.factor
    return None


def unit(of: Analyte, spelling: str) -> tuple[Unit, Fraction]:
    """The unit meant by *spelling* for this analyte, and how many canonical units one of it is.

    Raises ``UnknownUnit`` for a spelling that is no unit, or none that this analyte can have.
    """
    read = _read(of, spelling)
    if read is None:
        raise UnknownUnit(_refusal(of, spelling))
    return read


def _refusal(of: Analyte, spelling: str) -> str:
    near = suggestions(of, spelling)
    if not _key(spelling):
        return f"{of.label}: no unit is stated; usual {'are' if near[1:] else 'is'} {_listed(near, 'and')}."
    readings = _readings(spelling)
    known = "is no unit we know" if not readings else f"does not measure {of.label.lower()}"
    if any(_slips(spelling, reading) for reading in readings):
        known = "could be milli or mega"
    return f"{of.label}: {spelling!r} {known}; did you mean {_listed(near, 'or')}?"


def suggestions(of: Analyte, spelling: str, n: int = 3) -> list[str]:
    """The *n* usual units of this analyte that are nearest to *spelling*, then its most usual ones; each can be typed."""
    usual = _usual(of)
    near = difflib.get_close_matches(_key(spelling), usual, n=n)
    return [usual[key] for key in dict.fromkeys([*near, *usual])][:n]


@cache
def _usual(of: Analyte) -> dict[str, str]:
    """Usual spellings of the analyte's units, its own first, by their keys."""
    spellings = (of.canonical, *(of.usual or _document()["usual"].get(_canonical(of).dimension, ())))
    return {_key(spelling): spelling for spelling in dict.fromkeys(spellings)}


def explain(test: str | None, specimen: str | None, unit: str | None) -> str | None:
    """Why nothing can be read from this test code, specimen and unit: one sentence, with the nearest known ones.

    None where they can be read.

    >>> explain("CREATT", None, "mg/dL")
    "Test code 'CREATT' is not known; the nearest known are CREAT (Creatinine) and CREATCLR (Creatinine clearance)."
    >>> explain("CREAT", "SERUM", "mg/dLL")
    "Creatinine: 'mg/dLL' is no unit we know; did you mean mg/dL, umol/L or mmol/L?"
    """
    code, found = (test or "").strip().upper(), (specimen or "").strip().upper()
    if not code:
        return "No test code is stated."
    known = candidates(code)
    if not known:
        return f"Test code {test!r} is not known{_nearest_codes(code)}."
    fitting = [each for each in known if each.taken_from(code, specimen)]
    if not fitting:
        measures = f"{code} is {_listed([each.label.lower() for each in known], 'or')}"
        words = sorted({word for each in known for word in each.specimens if word}, key=lambda word: (len(word), word))
        if not words:
            return f"{measures}, measured on the patient and not in specimen {specimen!r}; leave the specimen blank."
        near = _listed(difflib.get_close_matches(found, words, n=3) or words[:3], "or")
        return f"{measures} in specimen {near} only, not in {repr(specimen) if found else 'one that is not stated'}."
    if any(_read(each, unit or "") for each in fitting):
        return None
    return _refusal(fitting[0], unit or "")


def _nearest_codes(code: str) -> str:
    """The three analytes whose codes are nearest, each by its first code."""
    codes = {each: analyte for analyte in analytes() for each in analyte.codes}
    near = {codes[each]: None for each in difflib.get_close_matches(code, codes, n=12, cutoff=0.7)}
    named = [f"{each.codes[0]} ({each.label})" for each in near][:3]
    return f"; the nearest known {'are' if named[1:] else 'is'} {_listed(named, 'and')}" if named else ", nor one near it"


def _listed(words: list[str], last: str) -> str:
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if words[1:] else words[0]


def _canonical(of: Analyte) -> Unit:
    """The analyte's own unit: of several readings the one labelled so, else the first."""
    readings = _table()[_key(of.canonical)]
    return next((u for u in readings if u.label == of.canonical), readings[0])


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
