"""Whether a reaction is expected: by the reference safety information (RSI) of a component that was in force at onset.

A list names terms with the highest grade that is expected, and the day from which it holds. Expected is a term that is listed
with at least the event's grade. A higher grade than listed is unexpected, and so is a death unless grade 5 is listed (ICH E2A
II.C; CTFG questions and answers on RSI, 2017). What cannot be known is not expected: the grade is missing, no list was in force,
or the onset is known to the month only and the lists of that month disagree. Lists: of the study (``rsi`` in study.yaml), else
those shipped in ``rules/rsi`` for the component's profile.

>>> hypertension = Rsi("2018", date(2018, 8, 20), {"HYPERTENSION": 3})
>>> expected("Hypertension", 3, False, PartialDate.parse("2020-05-01"), [hypertension]).expected
True
>>> expected("Hypertension", 4, False, PartialDate.parse("2020-05-01"), [hypertension]).why
'listed up to grade 3; this is grade 4'
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from importlib.resources import files

import ctcae_v403
from safety_monitor.records import PartialDate
from safety_monitor.study import Component, SettingsError, StudySettings

_FATAL = 5


@dataclass(frozen=True, slots=True)
class Rsi:
    """One list: ``name`` says which and where from; ``highest`` maps a term (upper case) to the highest expected grade."""

    name: str
    effective_from: date
    highest: Mapping[str, int]
    substance: str | None = None
    extends_class: bool = False


@dataclass(frozen=True, slots=True)
class Expectedness:
    """``expected`` None: it cannot be known, which is treated as unexpected. ``lists``: the lists that were read."""

    expected: bool | None
    why: str
    lists: tuple[str, ...] = ()

    @property
    def treated_as_expected(self) -> bool:
        return self.expected is True


def expectedness(
    component: Component, term: str, grade: int | None, fatal: bool, onset: PartialDate | None, settings: StudySettings,
    substance: str | None = None,
) -> Expectedness:  # fmt: skip
    """Whether the event is expected of *component*; *substance*: the member of a class that was given, where that is known."""
    return expected(term, grade, fatal, onset, lists_of(component, settings), substance)


def expected(
    term: str, grade: int | None, fatal: bool, onset: PartialDate | None, lists: Sequence[Rsi], substance: str | None = None
) -> Expectedness:
    """The same from *lists*, of one component, in any order."""
    if not lists:
        return Expectedness(None, "no reference safety information is configured")
    in_force = _in_force(lists, onset, substance)
    if in_force is None:
        first = min(each.effective_from for each in lists)
        when = onset.text if onset else "an unknown day"
        return Expectedness(None, f"no list was in force at onset ({when}); the first holds from {first.isoformat()}")
    answers = [_by(each, term, grade, fatal) for each in in_force]
    names = tuple(each.name for each in in_force)
    if len({answer.expected for answer in answers}) > 1:
        why = f"onset is known as {onset.text if onset else 'nothing'} only, and the lists of that time disagree"
        return Expectedness(None, why, names)
    return replace(answers[-1], lists=names)


def lists_of(component: Component, settings: StudySettings) -> tuple[Rsi, ...]:
    """The lists of *component*: the study's own where it has any, else the shipped ones of its profile."""
    own = tuple(
        Rsi(each.source, each.effective_from, {term.upper(): grade for term, grade in each.highest.items()}, each.substance)
        for each in settings.rsi
        if each.component == component.name
    )
    return own or _shipped().get(component.profile or "", ())


def check_lists(settings: StudySettings) -> None:
    """Refuses lists of the study that name no component, or a term that CTCAE does not have; SettingsError says which."""
    names = {component.name for component in settings.components}
    for each in settings.rsi:
        if each.component not in names:
            raise SettingsError(f"rsi: {each.component!r} is no component of this study; it has {', '.join(sorted(names))}")
        if settings.terminology != "ctcae":
            continue
        for term in each.highest:
            try:
                ctcae_v403.term(term)
            except ctcae_v403.UnknownTerm as error:
                raise SettingsError(f"rsi of {each.component}, from {each.effective_from}: {error}") from None


def _in_force(lists: Sequence[Rsi], onset: PartialDate | None, substance: str | None) -> list[Rsi] | None:
    """Every list that may have been in force on a day of *onset*; None where there may have been none."""
    own = [each for each in lists if each.substance is not None and each.substance.upper() == (substance or "").upper()]
    of_class = [each for each in lists if each.substance is None]
    base = sorted((each for each in own if not each.extends_class), key=lambda each: each.effective_from)
    base = base or sorted(of_class, key=lambda each: each.effective_from)
    earliest, latest = (onset.earliest, onset.latest) if onset else (date.min, date.max)
    before = [each for each in base if each.effective_from <= earliest]
    during = [each for each in base if earliest < each.effective_from <= latest]
    if not before:
        return None
    further = [each for each in own if each.extends_class and each.effective_from <= earliest]
    return [_joined(each, further) for each in (before[-1], *during)]


def _joined(base: Rsi, further: Sequence[Rsi]) -> Rsi:
    highest = dict(base.highest)
    for each in further:
        highest |= {term: max(grade, highest.get(term, 0)) for term, grade in each.highest.items()}
    return replace(base, highest=highest, name=" + ".join([base.name, *(each.name for each in further)]))


def _by(rsi: Rsi, term: str, grade: int | None, fatal: bool) -> Expectedness:
    highest = rsi.highest.get(term.upper())
    if highest is None:
        return Expectedness(False, "not listed")
    if fatal and highest < _FATAL:
        return Expectedness(False, f"listed up to grade {highest}, and this event was fatal")
    if grade is None and not fatal:
        return Expectedness(None, f"listed up to grade {highest}, and the grade is not known")
    if grade is not None and grade > highest:
        return Expectedness(False, f"listed up to grade {highest}; this is grade {grade}")
    return Expectedness(True, f"listed up to grade {highest}")


@cache
def _shipped() -> Mapping[str, tuple[Rsi, ...]]:
    found: dict[str, tuple[Rsi, ...]] = {}
    for file in sorted(files("safety_monitor.rules").joinpath("rsi").iterdir(), key=lambda each: each.name):
        raw = tomllib.loads(file.read_text("utf-8"))
        found[raw["profile"]] = tuple(
            Rsi(
                f"shipped, {each.get('substance') or raw['profile']}, from {each['effective_from']}", each["effective_from"],
                {term.upper(): grade for term, grade in each["highest"].items()}, each.get("substance"),
                each.get("extends_class", False),
            )
            for each in raw["list"]
        )  # fmt: skip
    return found
