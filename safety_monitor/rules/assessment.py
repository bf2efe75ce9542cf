"""What is decided about one reported event before anybody is told: onset, emergence, seriousness, relation.

- Onset of a partial start date: the first day it may mean, or first treatment where that falls into the
  same month or year; a blank start is first treatment, so that it counts as treatment-emergent.
- Serious (ICH E2A) is the union of AESER and the six criteria, never the grade; where they disagree the
  site is asked. A blank relationship counts as related.
- Fatal: AESDTH = Y, AEOUT = FATAL or grade 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from safety_monitor.records import AdverseEvent, Assessment, PartialDate, Query, Subject
from safety_monitor.rules.queries import of_event
from safety_monitor.study import StudySettings
from safety_monitor.vocabulary import Outcome


def assess(
    event: AdverseEvent,
    subject: Subject | None,
    settings: StudySettings,
    asked: Sequence[Query] | None = None,
) -> Assessment:
    """The assessment of *event*; *subject* None where DM does not know the subject. *asked*: the questions it raises,
    where the rest of the record was looked at as well.
    """
    first = subject.first_treatment_on if subject else None
    onset = imputed_onset(event.aestdtc, first)
    criteria = event.criteria_met()
    return Assessment(
        onset_on=onset,
        treatment_emergent=emergent(event, onset, subject, settings),
        serious=event.aeser is True or bool(criteria),
        serious_as_flagged=event.aeser is True,
        serious_basis=tuple(criterion.name for criterion in criteria),
        related=is_related(event.aerel, settings),
        fatal=is_fatal(event),
        queries=tuple(query.text for query in (of_event(event, subject, settings) if asked is None else asked)),
    )


def imputed_onset(aestdtc: str | None, first_treatment_on: date | None) -> date | None:
    """The onset that dates are counted from.

    >>> imputed_onset("2026-02", date(2026, 2, 26)), imputed_onset("2026-03", date(2026, 2, 26))
    (datetime.date(2026, 2, 26), datetime.date(2026, 3, 1))
    >>> imputed_onset(None, date(2026, 2, 26))
    datetime.date(2026, 2, 26)
    """
    if not aestdtc:
        return first_treatment_on
    start = PartialDate.parse(aestdtc)
    if first_treatment_on and start.precision != "day" and start.earliest <= first_treatment_on <= start.latest:
        return first_treatment_on
    return start.earliest


def emergent(
    event: AdverseEvent, onset: date | None, subject: Subject | None, settings: StudySettings
) -> bool | None:
    """Whether the event is treatment-emergent by the study's rule; None where it cannot be known."""
    if subject is None:
        return None
    if not subject.treated:
        return False
    rule = settings.treatment_emergent
    if rule.rule == "flag":
        return event.trtemfl is True
    first, last = subject.first_treatment_on, subject.last_treatment_on
    if onset is None or first is None:
        return None
    return onset >= first and (last is None or onset <= last + timedelta(days=rule.days_after_last))


def is_related(aerel: str | None, settings: StudySettings) -> bool:
    """Related by the investigator; blank counts as related."""
    return not (aerel or "").strip() or (aerel or "").strip().upper() in settings.related


def is_fatal(event: AdverseEvent) -> bool:
    return event.aesdth is True or Outcome.of(event.aeout) is Outcome.FATAL or event.grade == 5
