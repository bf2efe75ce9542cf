"""Questions to whoever can correct the data: where a record contradicts itself or the rest, by the checks of ``checks.toml``.

A check is data: conditions over named facts, a sentence, an owner. This module reads the checks, computes the facts of one
reported event, and asks. Nothing is corrected here.
"""

from __future__ import annotations

import operator
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

import ctcae_v403
from safety_monitor.records import AdverseEvent, PartialDate, Query, Subject
from safety_monitor.rules.grades import LabGrade, contradiction
from safety_monitor.study import StudySettings
from safety_monitor.vocabulary import Outcome, Role

Facts = Mapping[str, Any]
_BINARY: dict[str, Callable[[Any, Any], bool]] = {
    "before": operator.lt, "after": operator.gt, "below": operator.lt, "above": operator.gt,
}  # fmt: skip
_CONDITION = re.compile(r"(\w+) (is not|is|before|after|below|above) (.+)")


class CheckError(ValueError):
    """A check that cannot be used: says which, and what is wrong."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One line of ``when``."""

    fact: str
    relation: str
    other: str

    @classmethod
    def of(cls, text: str) -> Condition:
        match = _CONDITION.fullmatch(text)
        if match is None:
            raise CheckError(f"{text!r} is no condition; write e.g. 'aeser is not Y' or 'end_latest before start_earliest'")
        return cls(*match.groups())

    def holds(self, facts: Facts) -> bool:
        """Whether it holds; KeyError for a fact that this kind of record does not have."""
        value = facts[self.fact]
        if self.other in ("missing", "known"):
            return (value is None) == (self.other == "missing")
        if self.relation in _BINARY:
            other = facts[self.other]
            return value is not None and other is not None and _BINARY[self.relation](value, other)
        same = value is not None and str(value) == self.other
        return same if self.relation == "is" else not same


@dataclass(frozen=True, slots=True)
class Check:
    """One question: of which kind of record, when, to whom, in which words."""

    id: str
    about: str
    owner: Role
    when: tuple[Condition, ...]
    says: str
    source: str = ""


@cache
def checks() -> tuple[Check, ...]:
    """The checks of ``checks.toml``, in their order. Raises ``CheckError``."""
    document = tomllib.loads(files("safety_monitor.rules").joinpath("checks.toml").read_text("utf-8"))
    made = [
        Check(row["id"], row["about"], Role(row["owner"]), tuple(Condition.of(text) for text in row["when"]), row["says"],
              row.get("source", ""))
        for row in document["check"]
    ]  # fmt: skip
    ids = [check.id for check in made]
    if twice := sorted({name for name in ids if ids.count(name) > 1}):
        raise CheckError(f"checks.toml: {', '.join(twice)} stands twice; each check needs an id of its own")
    return tuple(made)


def ask(
    kind: str, facts: Facts, *, study_id: str, about: str, usubjid: str | None = None, siteid: str | None = None
) -> list[Query]:
    """What the checks of this *kind* of record ask, given its *facts*. *about* names the record within subject or site."""
    return [
        Query(study_id=study_id, check_id=check.id, usubjid=usubjid, siteid=siteid, about=about, owner=check.owner.value,
              text=check.says.format_map(_Shown(facts)))
        for check in checks()
        if check.about == kind and all(condition.holds(facts) for condition in check.when)
    ]  # fmt: skip


class _Shown(dict[str, Any]):
    """Facts as a sentence shows them."""

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        return "blank" if value is None else value.isoformat() if isinstance(value, date) else value


# --- one reported event


@dataclass(frozen=True, slots=True)
class Around:
    """What the rest of the record says of one event. ``continued``: another record of the same event follows it."""

    last_disposition_on: date | None = None
    continued: bool = False
    duplicate_of: int | None = None
    resumes: int | None = None
    results: Sequence[LabGrade] = ()
    wording: Mapping[int, ctcae_v403.Wording] = field(default_factory=dict)


def of_event(event: AdverseEvent, subject: Subject | None, settings: StudySettings, around: Around | None = None) -> list[Query]:
    """Every question that this event raises, in the order of the checks."""
    facts = event_facts(event, subject, settings, around or Around())
    siteid = subject.siteid if subject else None
    return ask("AE", facts, study_id=event.study_id, about=f"AE {event.aeseq}", usubjid=event.usubjid, siteid=siteid)


def event_facts(event: AdverseEvent, subject: Subject | None, settings: StudySettings, around: Around) -> Facts:
    """The facts that the checks of AE speak of."""
    start = PartialDate.parse(event.aestdtc) if event.aestdtc else None
    end = PartialDate.parse(event.aeendtc) if event.aeendtc else None
    by_ctcae = settings.terminology == "ctcae" and not settings.grade.map
    term = ctcae_v403.term(event.meddra_code) if event.meddra_code is not None else None
    outcome = Outcome.of(event.aeout)
    signs = {
        "AESDTH = Y": event.aesdth is True,
        "AEOUT = FATAL": outcome is Outcome.FATAL,
        **({} if settings.grade.map else {"grade 5": event.grade == 5}),
    }
    fatal_by, not_fatal_by = (_and(name for name, holds in signs.items() if holds is wanted) for wanted in (True, False))
    inconsistent = bool(fatal_by) and (bool(not_fatal_by) or (subject is not None and not subject.dthfl))
    by_dates = emergent_by_dates(start, subject, settings)
    flagged = event.trtemfl if settings.treatment_emergent.rule == "window" else event.trtemfl is True
    return {
        **{name: _yes_no(getattr(event, name)) for name in ("aeser", "aesmie", "aesdth")},
        "aeseq": event.aeseq,
        "aegrpid": event.aegrpid,
        "reported": event.aedecod or event.aeterm,
        "aeout": event.aeout,
        "aerel": (event.aerel or "").strip() or None,
        "aestdtc": event.aestdtc,
        "aeendtc": event.aeendtc,
        "end_shown": f"on {event.aeendtc}" if event.aeendtc else "at no date",
        "start_earliest": start.earliest if start else None,
        "end_latest": end.latest if end else None,
        "in_dm": _yes_no(subject is not None),
        "dthfl": _yes_no(subject.dthfl) if subject else None,
        "death_on": subject.death_on if subject else None,
        "first_treatment_on": subject.first_treatment_on if subject else None,
        "last_treatment_on": subject.last_treatment_on if subject else None,
        "criteria": ", ".join(criterion.value.upper() for criterion in event.criteria_met()) or None,
        "has_aesosp": _yes_no(bool(event.aesosp)),
        "grade": event.grade,
        "ctcae_term": term.name if term else None,
        "grades_of_term": ", ".join(map(str, term.grades)) if term else None,
        "grade_exists": _yes_no(event.grade != 0 and term.has_grade(event.grade)) if term and by_ctcae and event.grade is not None
        else None,
        "coded": _yes_no(term is not None) if settings.terminology == "ctcae" else None,
        "fatal_by": fatal_by or None,
        "not_fatal_by": not_fatal_by or None,
        "fatal_end_agrees": _fatal_end_agrees(outcome, end, subject),
        "recovered": _yes_no(outcome in (Outcome.RECOVERED, Outcome.RECOVERED_WITH_SEQUELAE)),
        "not_recovered": _yes_no(outcome in (Outcome.NOT_RECOVERED, Outcome.RECOVERING)),
        "continued": _yes_no(around.continued),
        "components_without_opinion": _and(
            component.name for component in settings.components
            if component.relatedness not in (None, "AEREL") and not (event.relatedness.get(component.name) or "").strip()
        ) or None,
        "flag_variable": settings.treatment_emergent.variable,
        "flagged_emergent": None if flagged is None else "Y" if flagged else "not Y",
        "emergent_by_dates": None if by_dates is None else "emergent" if by_dates else "not emergent",
        "emergence_agrees": None if by_dates is None or flagged is None else _yes_no(by_dates == flagged),
        "last_disposition_on": around.last_disposition_on,
        "duplicate_of": around.duplicate_of,
        "resumes": around.resumes,
        "contradiction": None if inconsistent or not by_ctcae
        else contradiction(event, subject, around.results, around.wording),
    }  # fmt: skip


def emergent_by_dates(start: PartialDate | None, subject: Subject | None, settings: StudySettings) -> bool | None:
    """Whether an event that began on *start* is treatment-emergent whatever the open part of the date means; else None."""
    if start is None or subject is None or subject.first_treatment_on is None:
        return None
    first, last = subject.first_treatment_on, subject.last_treatment_on
    until = last + timedelta(days=settings.treatment_emergent.days_after_last) if last else date.max
    if start.latest < first or start.earliest > until:
        return False
    return True if start.earliest >= first and start.latest <= until else None


def _fatal_end_agrees(outcome: Outcome | None, end: PartialDate | None, subject: Subject | None) -> str | None:
    if outcome is not Outcome.FATAL or subject is None or subject.death_on is None:
        return None
    return _yes_no(end is not None and end.earliest <= subject.death_on <= end.latest)


def _yes_no(value: bool | None) -> str | None:
    return None if value is None else "Y" if value else "N"


def _and(names: Any) -> str:
    return " and ".join(names)
