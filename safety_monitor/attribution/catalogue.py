"""Profiles: what is known about each cause, as data, and the weights that turn it into shares.

A profile is one TOML file per cause (``profiles/<name>.toml``): how often each CTCAE term is expected under
that cause, when it starts, what happens after the last exposure, and which findings speak for or against
it. Each row keeps its source and a tier: ``verified`` (read in the source), ``recalled`` (well known, to be
checked before citing) or ``judgement`` (nobody's figure but ours). Nothing here computes a share.

>>> found = profile("lenvatinib").find("Diarrhea", organ_class="Gastrointestinal disorders", verbatim="")
>>> found.row.incidence_any
0.387
>>> profile("nonesuch") is None
True
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from statistics import NormalDist
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Tier = Literal["verified", "recalled", "judgement"]
Basis = Literal["term", "class", "flat"]
Frequency = Literal["expected", "common", "rare", "case_reports", "not_expected"]


#: Where the reference of a source ends and the remarks on it begin.
_ASIDE = re.compile(r"[:;] (?![^(]*\))")

D = TypeVar("D", bound="_Data")


class ProfileError(ValueError):
    """A profile file that cannot be used: which file, where in it, what is wrong."""


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Onset(_Data):
    """Days from the exposure to onset: log-normal in (day + 1), ``covers`` of it between low and high."""

    low: float = Field(ge=0)
    high: float = Field(gt=0)
    median: float | None = Field(default=None, ge=0)
    covers: float = Field(default=0.9, gt=0, lt=1)

    @model_validator(mode="after")
    def _ordered(self) -> Onset:
        middle = self.low if self.median is None else self.median
        if not (self.low <= middle <= self.high and self.low < self.high):
            raise ValueError(f"low ≤ median ≤ high must hold, found {self.low}, {self.median}, {self.high}")
        return self

    @cached_property
    def log_days(self) -> NormalDist:
        """The distribution of log(day + 1)."""
        low, high = math.log1p(self.low), math.log1p(self.high)
        reach = NormalDist().inv_cdf(0.5 + self.covers / 2)
        centre = (low + high) / 2 if self.median is None else math.log1p(self.median)
        return NormalDist(centre, (high - low) / (2 * reach))

    def density(self, day: float) -> float:
        """Density of onset per day, *day* ≥ 0 days after the exposure."""
        log_density: float = self.log_days.pdf(math.log1p(day))
        return log_density / (day + 1)

    def describe(self) -> str:
        middle = "" if self.median is None else f", median {self.median:g}"
        return f"{self.low:g}-{self.high:g} d{middle}"


class Row(_Data):
    """One CTCAE term (or one organ class, or everything else) under one cause.

    Incidences are fractions of subjects; ``frequency`` stands in for a number that no source gives.
    ``clock`` overrides what onset is counted from; ``sites`` names a table of site odds of the profile;
    ``verbatim`` restricts the row to reported terms that contain one of its words.
    """

    term: str = ""
    organ_class: str = ""
    verbatim: tuple[str, ...] = ()
    incidence_any: float | None = Field(default=None, ge=0, le=1)
    incidence_g3: float | None = Field(default=None, ge=0, le=1)
    g3_tier: Tier | None = None
    frequency: Frequency | None = None
    by_modality: dict[str, float] = Field(default_factory=dict)
    by_drug: dict[str, float] = Field(default_factory=dict)
    other_drugs: float | None = Field(default=None, ge=0, le=1)
    onset: Onset | None = None
    clock: Literal["first", "last"] | None = None
    sites: str | None = None
    source: str
    tier: Tier
    onset_source: str | None = None
    onset_tier: Tier | None = None

    @model_validator(mode="after")
    def _says_how_often(self) -> Row:
        if self.incidence_any is None and self.incidence_g3 is None and self.frequency is None:
            name = self.term or self.organ_class
            raise ValueError(f"{name}: give incidence_any, incidence_g3 or frequency")
        return self


class Persistence(_Data):
    """How the hazard fades after the last exposure: full for a while, then halving, never below a floor."""

    full_days: float = Field(ge=0)
    half_life_days: float = Field(gt=0)
    floor: float = Field(gt=0, le=1)
    source: str
    tier: Tier

    def remaining(self, days_since_last: float) -> float:
        """Fraction of the hazard left *days_since_last* days after the last exposure."""
        beyond = max(0.0, days_since_last - self.full_days)
        return max(self.floor, math.exp2(-beyond / self.half_life_days))


class Challenge(_Data):
    """How stopping a component and giving it again is read from the record of doses and the course of the event.

    Days: an event that became better within ``recovers_within_days`` of holding speaks for the component, one that is no
    better ``fails_after_days`` after it against it; the same event within ``recurs_within_days`` of a restart (or of the
    next session) speaks for it. Absent: never read. ``interval_days``: usual days between doses that are not daily.
    """

    recovers_within_days: int | None = Field(default=None, gt=0)
    fails_after_days: int | None = Field(default=None, gt=0)
    recurs_within_days: int | None = Field(default=None, gt=0)
    interval_days: int = Field(default=1, gt=0)
    source: str
    tier: Tier


class Drug(_Data):
    """One substance of a class: names it is recorded under, terminal half-life in days (lowest and highest published)."""

    aliases: tuple[str, ...] = ()
    half_life_days: tuple[float, float] | None = None
    source: str
    tier: Tier


class EvidenceRule(_Data):
    """What one finding does to the odds of this cause; ``proof`` allows Definite.

    ``value`` is ``yes``/``no``, or ``positive``/``negative`` for dechallenge and rechallenge. ``terms``,
    ``classes`` and ``not_classes`` limit where the rule applies.
    """

    what: str
    value: Literal["yes", "no", "positive", "negative"]
    factor: float = Field(gt=0)
    proof: bool = False
    terms: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    not_classes: tuple[str, ...] = ()
    because: str = ""
    source: str
    tier: Tier

    def applies(self, term: str, organ_class: str | None) -> bool:
        named = not (self.terms or self.classes) or (
            term.casefold() in {t.casefold() for t in self.terms} or organ_class in self.classes
        )
        return named and organ_class not in self.not_classes


@dataclass(frozen=True)
class Found:
    """The row of a profile that answers for a term, and how specific it is."""

    row: Row
    basis: Basis


class Profile(_Data):
    """Everything known about one cause (see the module docstring).

    ``population``: the profile of the disease that the patients behind its figures had; it stands behind the
    events of a study that uses the profile.
    """

    title: str
    kind: Literal["drug", "procedure", "background"]
    population: str | None = None
    outside_window: float = Field(gt=0, lt=1)
    onset: Onset | None = None
    persistence: Persistence | None = None
    challenge: Challenge | None = None
    drugs: dict[str, Drug] = Field(default_factory=dict)
    sources: dict[str, str] = Field(default_factory=dict)
    sites: dict[str, dict[str, float]] = Field(default_factory=dict)
    site_prior: dict[str, float] = Field(default_factory=dict)
    terms: tuple[Row, ...] = ()
    classes: tuple[Row, ...] = ()
    flat: Row
    evidence: tuple[EvidenceRule, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> Profile:
        for row in (*self.terms, *self.classes, self.flat):
            if row.sites is not None and row.sites not in self.sites:
                raise ValueError(f"{row.term or row.organ_class}: no [sites.{row.sites}] in this profile")
        for table, odds in self.sites.items():
            if not odds or min(odds.values()) <= 0:
                raise ValueError(f"sites.{table}: a site changes odds, it never makes an event impossible")
            if set(odds) != set(self.site_prior):
                raise ValueError(f"sites.{table}: the sites must be those of site_prior")
        return self

    @cached_property
    def _by_term(self) -> Mapping[str, Sequence[Row]]:
        rows: dict[str, list[Row]] = {}
        for row in self.terms:
            rows.setdefault(row.term.casefold(), []).append(row)
        return rows

    def find(self, term: str, *, organ_class: str | None, verbatim: str) -> Found:
        """The row for *term*: by reported words, else by term, else by organ class, else the flat row."""
        wanted, reported = term.casefold(), verbatim.casefold()
        of_term = self._by_term.get(wanted, ())
        # A reported term outside CTCAE (no organ class) may still be one a row knows by its words.
        worded = of_term if organ_class is not None else self.terms
        for row in worded:
            if any(word.casefold() in reported for word in row.verbatim):
                return Found(row, "term")
        for row in of_term:
            if not row.verbatim:
                return Found(row, "term")
        if of_term and not reported:
            return Found(of_term[0], "term")  # the words are not known: the event the row stands for
        for row in self.classes:
            if organ_class is not None and row.organ_class == organ_class:
                return Found(row, "class")
        return Found(self.flat, "flat")

    def substance(self, name: str | None) -> str | None:
        """The key of ``drugs`` that *name* (as recorded, any salt, language or code) stands for; else *name* itself."""
        upper = (name or "").strip().upper()
        for key, drug in self.drugs.items():
            if any(word.upper() in upper for word in (key, *drug.aliases)):
                return key
        return upper or None

    def average_over_sites(self, table: str) -> float:
        """Odds where the site is not known: those of each site by how often it is treated."""
        odds, prior = self.sites[table], self.site_prior
        return sum(odds[name] * prior[name] for name in prior) / sum(prior.values())

    def cite(self, key: str) -> str:
        """The reference for a source *key* as a rationale prints it, up to its first ": " or "; "; what follows in the file says
        which figure was taken and why. A key that is no key is its own reference.
        """
        return _ASIDE.split(self.sources.get(key, key), maxsplit=1)[0]


class Cuts(_Data):
    """Least share for each level above Unlikely."""

    possible: float = Field(gt=0, lt=1)
    probable: float = Field(gt=0, lt=1)
    definite: float = Field(gt=0, lt=1)
    source: str
    tier: Tier


class Weights(_Data):
    """Constants of the model (``profiles/weights.toml``), each set with its source."""

    horizon_days: float = Field(gt=0)
    exposure_unknown: float = Field(gt=0, le=1)
    grade3_fraction: float = Field(gt=0, le=1)
    incidence_floor: float = Field(gt=0, lt=1)
    source: str
    tier: Tier
    frequency: dict[Frequency, float]
    irreversible: tuple[str, ...]
    cuts: Cuts
    unprofiled: dict[Literal["drug", "procedure"], Profile]

    @cached_property
    def _irreversible(self) -> frozenset[str]:
        return frozenset(term.casefold() for term in self.irreversible)

    def never_recovers(self, term: str) -> bool:
        """Whether *term* is a lasting loss of function, from which holding a drug brings no recovery."""
        return term.casefold() in self._irreversible


def parse(text: str, where: str) -> Profile:
    """The profile written in *text* (TOML); ProfileError names *where*, the entry and the fault."""
    return _validated(Profile, text, where)


@cache
def profile(name: str) -> Profile | None:
    """The profile shipped as ``profiles/<name>.toml``, or None where there is none."""
    entry = files(__package__).joinpath("profiles", f"{name}.toml")
    if not name.isidentifier() or name == "weights" or not entry.is_file():
        return None
    return parse(entry.read_text(encoding="utf-8"), f"profiles/{name}.toml")


@cache
def weights() -> Weights:
    """The shipped constants and level cuts."""
    entry = files(__package__).joinpath("profiles", "weights.toml")
    return _validated(Weights, entry.read_text(encoding="utf-8"), "profiles/weights.toml")


def _validated(model: type[D], text: str, where: str) -> D:
    try:
        raw: Mapping[str, Any] = tomllib.loads(text)
        return model.model_validate(raw)
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"{where}: not valid TOML: {error}") from None
    except ValidationError as error:
        faults = (f"{where}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise ProfileError("\n".join(faults)) from None
