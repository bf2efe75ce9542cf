"""What the course of an event says about a component that was held, reduced, given again or treated with steroids.

Read from the record of doses (EX, PR) and the grades over time (results, or the end of a reported event), and always marked
as inferred. Held: the next dose came later than due, or none came although the record goes on. A fall of the grade within the
days the profile states speaks for the component, no fall after the longer time against it; between the two, with steroids
begun in between, or with a course that is not known, nothing is said. (Dechallenge and rechallenge: Naranjo 1981, items 3
and 4; days: the profile of the component.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from safety_monitor.attribution.catalogue import Challenge as Rule
from safety_monitor.attribution.evidence import Challenge
from safety_monitor.attribution.record import Answer, SubjectRecord, steroid_rule, steroids
from safety_monitor.records import AdverseEvent, PartialDate
from safety_monitor.rules.assembly import Exposure as Given
from safety_monitor.study import Component
from safety_monitor.vocabulary import ComponentKind, Outcome

#: How much later than due a dose that is not daily comes when it was held: half an interval.
_LATE = 1.5


@dataclass(frozen=True, slots=True)
class Course:
    """The grades of one event by day, from its onset; ``unchanged_until``: the last day it is known to have gone on."""

    onset: date
    grades: tuple[tuple[date, int], ...]
    unchanged_until: date | None

    def better_on(self, after: date) -> tuple[date, int, int] | None:
        """The first day after *after* with a lower grade than the last one until then, and both grades."""
        before = [grade for on, grade in self.grades if on <= after]
        if not before or not before[-1]:
            return None
        return next(((on, before[-1], grade) for on, grade in self.grades if on > after and grade < before[-1]), None)

    def goes_on(self, day: date) -> bool:
        """Whether nothing says that it was over by *day*."""
        return self.unchanged_until is None or day <= self.unchanged_until


@dataclass(frozen=True, slots=True)
class Pause:
    """A component not given, or given at a lower dose, after ``last_on``; ``due_on``: the dose that did not come,
    ``next_on``: the restart; ``resumed_lower``: the restart was at a lower dose.
    """

    last_on: date
    due_on: date
    next_on: date | None
    words: str
    reduced: bool = False
    resumed_lower: bool = False


def course_of(event: AdverseEvent, record: SubjectRecord) -> Course | None:
    """The course of *event*: its graded results where there are any, else its own grade until its recovery.

    None where its first day is not known.
    """
    onset = PartialDate.parse(event.aestdtc).day if event.aestdtc else None
    if onset is None:
        return None
    measured = sorted(
        (each.on, each.grade)
        for each in record.results.get(event.aedecod or "", ())
        if each.grade is not None and each.on >= onset
    )
    by_day: dict[date, int] = {}
    for on, grade in measured:
        by_day[on] = max(grade, by_day.get(on, 0))
    outcome = Outcome.of(event.aeout)
    ended = PartialDate.parse(event.aeendtc).day if event.aeendtc else None
    recovered = ended if outcome in (Outcome.RECOVERED, Outcome.RECOVERED_WITH_SEQUELAE) else None
    unchanged = None
    if len(by_day) < 2:
        by_day = {onset: event.grade} if event.grade is not None else {}
        if recovered is not None and recovered > onset:
            by_day[recovered] = 0
            unchanged = recovered - timedelta(days=1)
        elif outcome is Outcome.NOT_RECOVERED:
            unchanged = record.known_until
    else:
        unchanged = max(by_day)
    return Course(onset, tuple(sorted(by_day.items())), unchanged)


def challenges(
    event: AdverseEvent, course: Course, component: Component, rule: Rule, record: SubjectRecord
) -> dict[str, tuple[Challenge, str]]:
    """Dechallenge and rechallenge of *component*, by name, each with what it was read from."""
    given = sorted(
        (e for e in record.given if e.component == component.name and e.start_on and e.dose != 0),
        key=lambda e: e.start_on or date.min,
    )
    if component.kind is ComponentKind.PROCEDURE:
        again = _after_sessions(event, course, given, rule, record)
        return {"rechallenge": again} if again else {}
    found = {}
    pauses = pauses_of(given, rule.interval_days, record.known_until)
    after = next((pause for pause in pauses if pause.due_on >= course.onset and course.goes_on(pause.last_on)), None)
    if after is not None and rule.recovers_within_days is not None:
        read = _dechallenge(course, after, rule, record)
        if read:
            found["dechallenge"] = read
    elif after is None and rule.recovers_within_days is not None and _was_given(given, course.onset):
        found["dechallenge"] = (Challenge.NOT_DONE, "given without a pause after onset")
    if rule.recurs_within_days is not None:
        again = _rechallenge(event, course, pauses, given, rule, record)
        if again:
            found["rechallenge"] = again
    return found


def steroid_response(course: Course, record: SubjectRecord) -> Answer | None:
    """Whether the grade fell within the days after steroids in which an immune event is expected to give way."""
    within = timedelta(days=steroid_rule()["responds_within_days"])
    for taken in steroids(course.onset, record):
        better = course.better_on(taken.start_on)
        given = f"{taken.name} from {taken.start_on.isoformat()}"
        if better is not None and better[0] <= taken.start_on + within:
            return Answer(True, f"{given}, {_fall(better)}")
        if course.unchanged_until is not None and course.unchanged_until >= taken.start_on + within:
            return Answer(False, f"{given}, no lower grade by {(taken.start_on + within).isoformat()}")
    return None


def _dechallenge(course: Course, pause: Pause, rule: Rule, record: SubjectRecord) -> tuple[Challenge, str] | None:
    assert rule.recovers_within_days is not None
    better = course.better_on(max(pause.last_on, course.onset))
    until = better[0] if better else date.max
    again = pause.next_on or date.max
    if better and until <= again and (until - pause.last_on).days <= rule.recovers_within_days:
        treated = [t for t in steroids(course.onset, record) if t.start_on <= until]
        if treated:
            return None  # the steroids may have done it
        return Challenge.POSITIVE, f"{pause.words}, {_fall(better)}"
    if rule.fails_after_days is None or pause.reduced:
        return None
    failed_on = pause.last_on + timedelta(days=rule.fails_after_days)
    if again > failed_on and until > failed_on and course.unchanged_until and course.unchanged_until >= failed_on:
        return Challenge.NEGATIVE, f"{pause.words}, no lower grade by {failed_on.isoformat()}"
    return None


def _rechallenge(
    event: AdverseEvent, course: Course, pauses: Sequence[Pause], given: Sequence[Given], rule: Rule, record: SubjectRecord
) -> tuple[Challenge, str] | None:
    """The same event after a restart: looked for after this event, and before it where this one is the recurrence."""
    assert rule.recurs_within_days is not None
    others = [other for other in record.events if other.aedecod == event.aedecod and other.aeseq != event.aeseq]
    courses = [each for other in others if (each := course_of(other, record))]
    for first, later in [(course, courses), *((each, [course]) for each in courses if each.onset < course.onset)]:
        for pause in pauses:
            better = first.better_on(max(pause.last_on, first.onset))
            if pause.next_on is None or pause.reduced or pause.due_on < first.onset:
                continue
            if better is None or better[0] > pause.next_on:
                continue
            latest = pause.next_on + timedelta(days=rule.recurs_within_days)
            onsets = [each.onset for each in later if pause.next_on <= each.onset <= latest]
            onsets += [on for on, grade in first.grades if pause.next_on < on <= latest and grade > better[2]]
            words = f"{pause.words}, {_fall(better)}, given again {pause.next_on.isoformat()}"
            if onsets:
                return Challenge.POSITIVE, f"{words}, back on {min(onsets).isoformat()}"
            still_given = any((e.end_on or e.start_on or date.min) >= latest for e in given)
            if first is course and still_given and record.known_until and record.known_until >= latest:
                return Challenge.NEGATIVE, f"{words}, not back by {latest.isoformat()}"
    return None


def _after_sessions(
    event: AdverseEvent, course: Course, given: Sequence[Given], rule: Rule, record: SubjectRecord
) -> tuple[Challenge, str] | None:
    """The same event after two sessions of a procedure."""
    if rule.recurs_within_days is None:
        return None
    within = rule.recurs_within_days
    onsets = {event.aeseq: course.onset}
    for other in record.events:
        if other.aedecod == event.aedecod and (each := course_of(other, record)):
            onsets[other.aeseq] = each.onset
    days = sorted({e.start_on for e in given if e.start_on})
    followed = {day: next((on for on in sorted(onsets.values()) if 0 <= (on - day).days <= within), None) for day in days}
    hit = [(day, on) for day, on in followed.items() if on is not None]
    if len({on for _, on in hit}) > 1 and course.onset in {on for _, on in hit}:
        first, second = hit[0], hit[-1]
        return Challenge.POSITIVE, f"after the sessions of {first[0].isoformat()} and of {second[0].isoformat()}"
    return None


def pauses_of(given: Sequence[Given], interval_days: int, known_until: date | None) -> list[Pause]:
    """Every time a component was held, stopped or reduced, in order.

    *given*: its doses with a start, above zero, in order of their start; *interval_days*: the usual days between two doses.
    """
    found: list[Pause] = []
    interval = timedelta(days=interval_days)
    due = interval * _LATE if interval_days > 1 else interval
    last: date | None = None
    for number, each in enumerate(given):
        assert each.start_on is not None
        before = given[number - 1].dose if number else None
        lower = each.dose is not None and bool(before) and each.dose < (before or 0)
        if last is not None and each.start_on - last > due:
            words = f"held after {last.isoformat()}"
            found.append(Pause(last, last + interval, each.start_on, words, resumed_lower=lower))
        elif last is not None and lower:
            words = f"reduced from {before:g} to {each.dose:g} {each.unit or ''} on {each.start_on.isoformat()}"
            found.append(Pause(each.start_on - interval, each.start_on, None, " ".join(words.split()), reduced=True))
        last = max(last or date.min, each.end_on or each.start_on)
    stated = bool(given) and given[-1].end_is_stated
    if last is not None and stated and known_until and known_until - last > due:
        found.append(Pause(last, last + interval, None, f"stopped after {last.isoformat()}"))
    return found


def _was_given(given: Sequence[Given], on: date) -> bool:
    return any(e.start_on and e.start_on <= on <= (e.end_on or e.start_on) for e in given)


def _fall(better: tuple[date, int, int]) -> str:
    on, before, after = better
    now = f"grade {after}" if after else "none"
    return f"grade {before} to {now} on {on.isoformat()}"
