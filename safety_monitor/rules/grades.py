"""The assigned grade against what SDTM already tells: seriousness, outcome, treatment, action and the results of those days.

The facts are turned into findings of the criteria (``facts.toml``); ``ctcae_v403.check_grade`` decides. Only a
contradiction is worth a question: where the facts do not suffice, nothing is asked.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files

import ctcae_v403
from ctcae_v403 import Term, Verdict, Wording
from safety_monitor.records import AdverseEvent, PartialDate, Subject


@dataclass(frozen=True, slots=True)
class LabGrade:
    """What one result gives for the term of an event: None, it cannot be graded. ``at_least``: more is not excluded;
    ``shown``: the result itself, with its unit and date.
    """

    on: date
    grade: int | None
    at_least: bool = False
    shown: str = ""


def shown(test: str | None, result: str | None, unit: str | None, on: date) -> str:
    """One result for people: test, number, unit, date."""
    number = (result or "").removesuffix(".0")
    return f"{' '.join(part for part in (test, number, unit) if part)} on {on.isoformat()}"


@dataclass(frozen=True, slots=True)
class _Fact:
    variable: str
    value: str
    finding: str
    holds: bool = True


def contradiction(
    event: AdverseEvent,
    subject: Subject | None,
    results: Sequence[LabGrade] = (),
    wording: Mapping[int, Wording] | None = None,
) -> str | None:
    """A sentence for the site where the grade cannot be by the facts; None where it can, or none is known."""
    if event.meddra_code is None or event.grade is None:
        return None
    term = ctcae_v403.term(event.meddra_code)
    findings, told = _findings(event, subject, term)
    during = [result for result in results if _during(result.on, event)]
    if levels := [(result.grade, result.shown or result.on.isoformat()) for result in during if result.grade is not None]:
        worst, shown = max(levels, key=lambda each: each[0])
        open_above = any(result.at_least or result.grade is None for result in during)
        findings["numbers"] = f"{worst}+" if open_above else str(worst)
        told.append(f"the results of those days give grade {worst} {'or more' if open_above else 'at most'} ({shown})")
    check = ctcae_v403.check_grade(event.meddra_code, event.grade, findings)
    if check.verdict not in (Verdict.TOO_LOW, Verdict.TOO_HIGH):
        return None
    text = wording[term.meddra_code].grades.get(event.grade) if wording and term.meddra_code in wording else None
    quoted = f" NCI's text of grade {event.grade}: {text}." if text else ""
    return (
        f"Grade {event.grade} of {term.name} seems {check.verdict}: {check.reason}. On record: {', '.join(told)}."
        f"{quoted} Please correct the grade or the facts."
    )


def _findings(event: AdverseEvent, subject: Subject | None, term: Term) -> tuple[dict[str, object], list[str]]:
    """The findings, and those facts in words of which the criteria of the term speak."""
    asked = {
        literal.key for grade in term.grades for criterion in term.criteria(grade)
        for alternative in criterion.alternatives for literal in alternative
    }  # fmt: skip
    findings: dict[str, object] = {"present": True}
    told = []
    for fact in _facts():
        reported = getattr(event, fact.variable)
        value = {True: "Y", False: "N"}.get(reported, str(reported or "").strip().upper())
        if value == fact.value:
            # Y of one variable is not unsaid by N of another: of two answers on death, the death counts
            if findings.get(fact.finding) is not True:
                findings[fact.finding] = fact.holds
            if fact.finding in asked:
                told.append(f"{fact.variable.upper()} = {value}")
    if subject and subject.age is not None:
        findings["adult"] = subject.age >= ctcae_v403.ADULT_FROM
    if subject and subject.sex in ("F", "M"):
        findings["female"] = subject.sex == "F"
    return findings, told


def _during(day: date, event: AdverseEvent) -> bool:
    """Between the start and the end of the event; an event without an end goes on, one without a start has no days."""
    if not event.aestdtc:
        return False
    end = PartialDate.parse(event.aeendtc).latest if event.aeendtc else date.max
    return PartialDate.parse(event.aestdtc).earliest <= day <= end


@cache
def _facts() -> tuple[_Fact, ...]:
    document = tomllib.loads(files("safety_monitor.rules").joinpath("facts.toml").read_text("utf-8"))
    return tuple(_Fact(**row) for row in document["fact"])
