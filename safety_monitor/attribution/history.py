"""What the record of a subject says about one event: the case that is weighed.

Exposure from EX and PR as seen from onset, dechallenge, rechallenge and the response to steroids from the course of doses and
grades, findings from the other domains. An onset that is not known to the day leaves the days unknown; no record of a
component is "not exposed" only where the domain that would hold it was imported. A dose of zero is no dose.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import cache
from importlib.resources import files

from safety_monitor.attribution.catalogue import profile
from safety_monitor.attribution.course import Course, challenges, course_of, steroid_response
from safety_monitor.attribution.evidence import Case, Challenge, Exposure
from safety_monitor.attribution.record import SubjectRecord, answers
from safety_monitor.records import AdverseEvent, PartialDate
from safety_monitor.rules.assembly import Exposure as Given
from safety_monitor.study import Component, StudySettings
from safety_monitor.vocabulary import ComponentKind

_DOMAIN = {ComponentKind.DRUG: "EX", ComponentKind.PROCEDURE: "PR"}


def case_of(event: AdverseEvent, record: SubjectRecord, settings: StudySettings, imported: Collection[str]) -> Case:
    """*event* as a case to be weighed; *record*: its subject's, *imported*: the domains that exist."""
    start = PartialDate.parse(event.aestdtc) if event.aestdtc else None
    onset = start.day if start else None
    by_component = {c.name: _doses(record.given, c) for c in settings.components}
    procedure = _nearest(
        [e for c in settings.components if c.kind is ComponentKind.PROCEDURE for e in by_component[c.name]], onset
    )
    substances = (_substance(c, by_component[c.name], onset) for c in settings.components)
    substance = next((name for name in substances if name), None)
    course = course_of(event, record)
    found = answers(event, onset, record)
    if course and (response := steroid_response(course, record)):
        found["steroid_response"] = response
    return Case(
        case_id=f"{event.usubjid}/{event.aeseq}",
        term=event.aedecod or event.aeterm,
        verbatim=event.aeterm,
        grade=event.grade,
        exposures={
            c.name: _challenged(_seen(by_component[c.name], c, onset, imported), event, course, c, record)
            for c in settings.components
        },
        evidence={name: answer.found for name, answer in found.items()},
        ablation_site=_word("site", procedure.location, "OTHER") if procedure else None,
        ablation_modality=_word("modality", procedure.treatment) if procedure else None,
        pd1_drug=substance,
        inferred={name: answer.read_from for name, answer in found.items()},
    )


def substances_of(event: AdverseEvent, record: SubjectRecord, settings: StudySettings) -> dict[str, str | None]:
    """Which member of its class each component was for this subject at the time of *event*; None where that is not known."""
    start = PartialDate.parse(event.aestdtc) if event.aestdtc else None
    onset = start.day if start else None
    return {c.name: _substance(c, _doses(record.given, c), onset) for c in settings.components}


def _doses(given: Sequence[Given], component: Component) -> list[Given]:
    return [e for e in given if e.component == component.name and e.dose != 0]


def _substance(component: Component, given: Sequence[Given], onset: date | None) -> str | None:
    """Which substance of a class was given, for a component whose profile tells substances apart."""
    known = profile(component.profile) if component.profile else None
    nearest = _nearest(given, onset)
    return known.substance(nearest.treatment) if known and known.drugs and nearest else None


def _challenged(
    seen: Exposure, event: AdverseEvent, course: Course | None, component: Component, record: SubjectRecord
) -> Exposure:
    """*seen* with what holding and giving again showed, where the profile of the component says how to read it."""
    known = profile(component.profile) if component.profile else None
    if course is None or known is None or known.challenge is None or not seen.exposed:
        return seen
    read = challenges(event, course, component, known.challenge, record)
    dechallenge, _ = read.get("dechallenge", (Challenge.UNKNOWN, ""))
    rechallenge, _ = read.get("rechallenge", (Challenge.UNKNOWN, ""))
    inferred = {name: words for name, (_, words) in read.items()}
    return replace(seen, dechallenge=dechallenge, rechallenge=rechallenge, inferred=inferred)


def _seen(given: Sequence[Given], component: Component, onset: date | None, imported: Collection[str]) -> Exposure:
    if not given:
        return Exposure(exposed=False if _DOMAIN[component.kind] in imported else None)
    starts = [e.start_on for e in given if e.start_on]
    if onset is None or not starts:
        return Exposure(exposed=True)
    before = [e for e in given if e.start_on and e.start_on <= onset]
    ends = [min(e.end_on or e.start_on, onset) for e in before if e.start_on]
    is_drug = component.kind is ComponentKind.DRUG
    ongoing = is_drug and any(e.end_on is None or e.end_on >= onset for e in before)
    last = (onset - max(ends)).days if ends else (onset - min(starts)).days
    sessions = () if is_drug else tuple(sorted({float((onset - day).days) for day in starts}))
    return Exposure(
        exposed=True, days_since_first=(onset - min(starts)).days, days_since_last=last, ongoing=ongoing, sessions=sessions
    )


def _nearest(given: Sequence[Given], onset: date | None) -> Given | None:
    """The last exposure that began before onset, else the first one of all."""
    dated = sorted((e for e in given if e.start_on), key=lambda e: e.start_on or date.min)
    before = [e for e in dated if onset and e.start_on and e.start_on <= onset]
    return before[-1] if before else (dated[0] if dated else None)


def _word(kind: str, text: str | None, otherwise: str | None = None) -> str | None:
    """The word that *text* stands for, *otherwise* where it is none of them, None where it is blank."""
    upper = (text or "").upper()
    if not upper:
        return None
    return next((name for name, words in _words()[kind].items() if any(w in upper for w in words)), otherwise)


@cache
def _words() -> Mapping[str, Mapping[str, Sequence[str]]]:
    return tomllib.loads(files("safety_monitor.attribution").joinpath("words.toml").read_text("utf-8"))
