"""The advice and the immune flag for one event on record: what is known around it, gathered for ``rules.advice``.

Taken from the record, each by a row of ``[record]`` in ``advice.toml``: the dose and the drug given last before onset, the
weight, liver tests before treatment and at their highest around the event, the days since an ablation of the liver,
whether the same term was reported before. What the record does not have stays unknown, and the advice says so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache, lru_cache
from math import inf
from typing import Any

import polars as pl

from ctcae_v403 import UnknownTerm
from ctcae_v403.rules import numeric_criteria
from safety_monitor.rules.advice import Advice, Book, Facts, advise, book_of
from safety_monitor.rules.advice_text import LANGUAGES, sentence
from safety_monitor.rules.assembly import Exposure
from safety_monitor.rules.immune import Immune, immune, profiles
from safety_monitor.rules.ranges import Range
from safety_monitor.study import Component, StudySettings
from safety_monitor.vocabulary import ComponentKind, Level

_LIVER = ("alt", "ast", "bilirubin")
_PRESSURE = ("systolic", "diastolic")


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One event as advice sees it. ``related``: by component (see ``held_related``); ``before``: onset and end of the earlier
    reports of the same term; ``end_on`` None: going on, or not known.
    """

    term: str
    verbatim: str
    organ_class: str | None
    grade: int | None
    onset_on: date | None
    end_on: date | None = None
    fatal: bool = False
    immune: bool | None = None
    life_threatening: bool | None = None
    related: Mapping[str, bool | None] = field(default_factory=dict)
    before: Sequence[tuple[date | None, date | None]] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """One value on one day, of a fact of ``[record.tests]``, in × ULN or in the unit given there."""

    fact: str
    on: date
    value: float
    is_baseline: bool


@dataclass(frozen=True, slots=True)
class Advised:
    """What is said of one event. ``lines``: component name, whether it was given before (None: not known), advice."""

    immune: Immune | None
    lines: tuple[tuple[str, bool | None, Advice], ...] = ()

    def mail(self, at_most: int) -> dict[str, list[str]]:
        """The sentences by language, *at_most* so many for one component: without second opinions, and without a closing "no
        action" that adds nothing. All of them are in the table ``dose_advice``.
        """
        counted: defaultdict[str, int] = defaultdict(int)
        found: dict[str, list[str]] = {language: [] for language in LANGUAGES}
        for name, given, advice in self.lines:
            if advice.beside or (advice.action == "continue" and not advice.note and advice.otherwise):
                continue
            counted[name] += 1
            if counted[name] <= at_most:
                for language in LANGUAGES:
                    found[language].append(sentence(advice, name, language, given=given))
        return found if self.lines else {}


def held_related(investigator: bool | None, system_level: str | None) -> bool | None:
    """Whether an event is held to be related to a component: not only where the investigator says no and the system's level
    is below Possible; unknown where the two differ or nobody has said.
    """
    if investigator is not False:
        return investigator
    return None if system_level is not None and Level[system_level].related else False


def mail_lines() -> int:
    """How many lines of advice a mail has for one component."""
    return int(book_of().record["mail_lines"])


def measured_of(frame: pl.DataFrame) -> dict[str, list[Measured]]:
    """The values that advice uses, by subject. *frame*: usubjid, test, on, x, uln, unit, is_baseline; rows without a day or a
    value, or in another unit, are left out.
    """
    wanted = _tests()
    found: defaultdict[str, list[Measured]] = defaultdict(list)
    rows = frame.filter(pl.col("test").cast(pl.String).is_in(list(wanted)), pl.col("on").is_not_null(), pl.col("x").is_not_null())
    for usubjid, test, on, x, uln, unit, is_baseline in rows.select(
        "usubjid", "test", "on", "x", "uln", "unit", "is_baseline"
    ).iter_rows():
        fact, in_unit = wanted[test]
        if in_unit == "ULN":
            if uln:
                found[usubjid].append(Measured(fact, on, x / uln, bool(is_baseline)))
        elif (unit or "").strip().casefold() == in_unit.casefold():
            found[usubjid].append(Measured(fact, on, x, bool(is_baseline)))
    return dict(found)


@cache
def _tests() -> dict[str, tuple[str, str]]:
    return {code: (fact, row["unit"]) for fact, row in book_of().record["tests"].items() for code in row["codes"]}


def advise_event(
    event: Occurrence,
    given: Iterable[Exposure],
    measured: Sequence[Measured],
    settings: StudySettings,
    collected: Collection[str],
    disease: str | None,
) -> Advised:
    """Immune flag and advice for *event*. *given*, *measured*: of this subject; *collected*: the imported domains, without
    which "not given" is not known; *disease*: the profile of the study's disease.

    ``immune`` is None where the study has no component that causes such events. A fatal event has no dose advice.
    """
    doses = list(given)
    exposed = {component.name: _exposed(component, event.onset_on, doses, collected) for component in settings.components}
    suspects = [exposed[c.name] for c in settings.components if c.profile in profiles()]
    flag = None
    if suspects:
        any_given = True if True in suspects else None if None in suspects else False
        flag = immune(event.term, event.verbatim, reported=event.immune, exposed=any_given)
    if settings.advice.off or event.fatal:
        return Advised(flag)
    taking = {c.profile: c for c in settings.components if c.profile and exposed[c.name] is not False}
    book = book_of(settings.advice)
    facts = _facts(event, doses, measured, taking, book, disease)
    lines = []
    for each in advise(event.term, event.grade, list(taking), facts, verbatim=event.verbatim, book=book):
        parts = [taking[profile] for profile in each.profile.split("+")]
        sure = True if all(exposed[c.name] for c in parts) else None
        lines.append((" + ".join(c.name for c in parts), sure, each))
    return Advised(flag, tuple(lines))


def _exposed(component: Component, onset: date | None, given: Sequence[Exposure], collected: Collection[str]) -> bool | None:
    own = [e for e in given if e.component == component.name and (e.dose is None or e.dose > 0)]
    if not own:
        domain = "PR" if component.kind is ComponentKind.PROCEDURE else "EX"
        return False if domain in collected else None
    if onset is not None and any(e.start_on and e.start_on <= onset for e in own):
        return True
    return None if onset is None or any(e.start_on is None for e in own) else False


def _facts(
    event: Occurrence, given: Sequence[Exposure], measured: Sequence[Measured], taking: Mapping[str, Component], book: Book,
    disease: str | None,
) -> Facts:  # fmt: skip
    rules, onset = book.record, event.onset_on
    window: int = rules["highest_within_days"]
    known: dict[str, Any] = {name: _highest(measured, name, event, window) for name in (*_LIVER, *_PRESSURE)}
    known |= {f"{test}_baseline": _baseline(measured, test, given) for test in ("alt", "ast")}
    weights = [m for m in measured if m.fact == "weight_kg" and (onset is None or m.on <= onset)]
    last = {profile: _last(c, onset, given) for profile, c in taking.items()}
    drugs = [last[name] for name in profiles() if name in last]
    laddered = [last.get(name) for name in {ladder.profile for ladder in book.ladder} & set(taking)]
    return Facts(
        **known,
        drug=drugs[0].treatment if drugs and drugs[0] else None,
        weight_kg=max(weights, key=lambda m: m.on).value if weights else None,
        dose=_dose(laddered[0], rules) if laddered else None,
        first_occurrence=_first(event, rules["same_episode_days"]),
        life_threatening=event.life_threatening,
        laboratory=_laboratory(event, rules),
        immune=event.immune is True or None,
        related={profile: event.related.get(c.name) for profile, c in taking.items()},
        # A tumour of another kind may have spread to the liver: not known, and not "no".
        liver_tumour=disease in rules["liver_tumour_diseases"] or None,
        liver_ablation_days=_since_liver_ablation(taking.get(rules["ablation_profile"]), onset, given, rules["liver_site"]),
    )


def _highest(measured: Sequence[Measured], fact: str, event: Occurrence, days: int) -> float | None:
    if event.onset_on is None:
        return None
    until = event.onset_on + timedelta(days=days)
    until = min(until, event.end_on) if event.end_on else until
    return max((m.value for m in measured if m.fact == fact and event.onset_on <= m.on <= until), default=None)


def _baseline(measured: Sequence[Measured], fact: str, given: Sequence[Exposure]) -> float | None:
    """The value flagged as baseline, the last of them; without one the last before the first treatment."""
    own = sorted((m for m in measured if m.fact == fact), key=lambda m: m.on)
    if flagged := [m.value for m in own if m.is_baseline]:
        return flagged[-1]
    first = min((e.start_on for e in given if e.component and e.start_on), default=None)
    before = [m.value for m in own if first is not None and m.on <= first]
    return before[-1] if before else None


def _last(component: Component, onset: date | None, given: Sequence[Exposure]) -> Exposure | None:
    own = [e for e in given if e.component == component.name and e.start_on and onset and e.start_on <= onset and e.dose != 0]
    return max(own, key=lambda e: (e.start_on or date.min, e.seq), default=None)


def _dose(exposure: Exposure | None, rules: Mapping[str, Any]) -> tuple[float, int] | None:
    if exposure is None or not exposure.dose or (exposure.unit or "").strip().upper() != rules["dose_unit"]:
        return None
    days = rules["frequency_days"].get((exposure.frequency or "").strip().upper())
    return (exposure.dose, days) if days else None


def _first(event: Occurrence, same_episode_days: int) -> bool | None:
    """False where an earlier report of the term had ended; not known where it may be the same episode."""
    if event.onset_on is None:
        return None
    earlier = [end for onset, end in event.before if onset is None or onset < event.onset_on]
    if not earlier:
        return True
    latest = event.onset_on - timedelta(days=same_episode_days)
    return False if any(end is not None and end < latest for end in earlier) else None


@lru_cache(maxsize=1024)
def _numeric(term: str) -> bool | None:
    try:
        return bool(numeric_criteria(term))
    except UnknownTerm:
        return None


def _laboratory(event: Occurrence, rules: Mapping[str, Any]) -> bool | None:
    """Whether the event is a laboratory finding; not known of a term that CTCAE does not have."""
    if event.term in rules["laboratory_terms"]:
        return True
    numeric = _numeric(event.term)
    return numeric and event.organ_class in rules["laboratory_classes"]


def _since_liver_ablation(component: Component | None, onset: date | None, given: Sequence[Exposure], site: str) -> Range | None:
    """Days since the last ablation of the liver: infinite where there was none before, from the day of one elsewhere unknown
    upwards where its site is not recorded; None where its day is not known.
    """
    if component is None:
        return Range.point(inf)
    sessions = [e for e in given if e.component == component.name]
    if onset is None or not sessions or any(e.start_on is None for e in sessions):
        return None
    before = [(e.location, (onset - e.start_on).days) for e in sessions if e.start_on and e.start_on <= onset]
    liver = min((days for place, days in before if place is not None and site in place.upper()), default=inf)
    return Range(min([liver, *(days for place, days in before if place is None)]), liver)
