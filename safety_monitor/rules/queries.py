"""Questions to the site: where one report contradicts itself or the rest of the record.

Each check is a function of one event that answers with a sentence or None. They are asked of every
imported event; nothing is corrected here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import ctcae_v403
from safety_monitor.records import AdverseEvent, PartialDate, Subject
from safety_monitor.rules.grades import LabGrade, contradiction
from safety_monitor.study import StudySettings
from safety_monitor.vocabulary import Outcome

Check = Callable[[AdverseEvent, Subject | None, StudySettings], str | None]


def open_queries(
    event: AdverseEvent,
    subject: Subject | None,
    settings: StudySettings,
    results: Sequence[LabGrade] = (),
    wording: Mapping[int, ctcae_v403.Wording] | None = None,
) -> tuple[str, ...]:
    """Every question this event raises, in a fixed order.

    *results*: the grades of the subject's results for the term of the event; *wording*: NCI's text, if loaded.
    """
    answers = [check(event, subject, settings) for check in CHECKS]
    by_ctcae = settings.terminology == "ctcae" and not settings.grade.map
    if by_ctcae and _fatality(event, subject, settings) is None:  # else the same is asked already
        answers.append(contradiction(event, subject, results, wording))
    return tuple(answer for answer in answers if answer is not None)


def _unknown_subject(event: AdverseEvent, subject: Subject | None, settings: StudySettings) -> str | None:
    return None if subject else "The subject is not in DM; the event is kept but counted in no table."


def _seriousness(event: AdverseEvent, subject: Subject | None, settings: StudySettings) -> str | None:
    met = ", ".join(criterion.value.upper() for criterion in event.criteria_met())
    if met and event.aeser is not True:
        return f"{met} = Y but AESER is {_shown(event.aeser)}; treated as serious. Please correct one of them."
    if event.aeser is True and not met:
        return "AESER = Y without any criterion; treated as serious. Please give the criterion."
    return None


def _grade(event: AdverseEvent, subject: Subject | None, settings: StudySettings) -> str | None:
    if event.grade is None:
        return "The grade is missing."
    if settings.terminology != "ctcae" or settings.grade.map or event.meddra_code is None:
        return None
    term = ctcae_v403.term(event.meddra_code)
    if event.grade == 0 or not term.has_grade(event.grade):
        exist = ", ".join(map(str, term.grades))
        return f"Grade {event.grade} does not exist for {term.name} in CTCAE v4.03 (grades {exist})."
    return None


def _coding(event: AdverseEvent, subject: Subject | None, settings: StudySettings) -> str | None:
    if settings.terminology == "ctcae" and event.meddra_code is None:
        return f"{event.aedecod or event.aeterm!r} is not a CTCAE v4.03 term; it needs coding by a person."
    return None


def _fatality(event: AdverseEvent, subject: Subject | None, settings: StudySettings) -> str | None:
    signs = {
        "AESDTH = Y": event.aesdth is True,
        "AEOUT = FATAL": Outcome.of(event.aeout) is Outcome.FATAL,
        **({} if settings.grade.map else {"grade 5": event.grade == 5}),
    }
    if any(signs.values()) and not all(signs.values()):
        present = " and ".join(name for name, holds in signs.items() if holds)
        absent = " and ".join(name for name, holds in signs.items() if not holds)
        return f"Fatal by {present}, but not by {absent}."
    if any(signs.values()) and subject and not subject.dthfl:
        return "The event is fatal but DM does not record a death."
    return None


def _dates(event: AdverseEvent, subject: Subject | None, settings: StudySettings) -> str | None:
    start = PartialDate.parse(event.aestdtc) if event.aestdtc else None
    end = PartialDate.parse(event.aeendtc) if event.aeendtc else None
    if start is None:
        return "The start date is missing; counted from first treatment."
    if end and end.latest < start.earliest:
        return f"The end ({end.text}) is before the start ({start.text})."
    if subject and subject.death_on and start.earliest > subject.death_on:
        return f"The event starts ({start.text}) after the death ({subject.death_on.isoformat()})."
    return None


def _relationship(event: AdverseEvent, subject: Subject | None, settings: StudySettings) -> str | None:
    return None if (event.aerel or "").strip() else "The relationship is missing; counted as related."


def _shown(value: bool | None) -> str:
    return {True: "Y", False: "N", None: "blank"}[value]


CHECKS: tuple[Check, ...] = (
    _unknown_subject, _seriousness, _grade, _coding, _fatality, _dates, _relationship,
)  # fmt: skip
