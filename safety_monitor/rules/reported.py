"""Episodes of reports: which AE records tell of one event, with dates as uncertain as they were reported.

Records of one subject are one episode where they carry the same AEGRPID, or the same term with dates that overlap or touch
(a change of grade is often reported as a new record that begins when the last one ends). A record that begins after the one
before it had recovered is a new episode, also within a group. Two records whose AEGRPIDs differ are never joined.

Authority: SDTM-IG 3.4, AE (AEGRPID, records of a change in severity); partial dates keep what they leave open.

>>> one = AdverseEvent(study_id="S", usubjid="01", aeseq=1, aeterm="anemia", grade=1, aestdtc="2026-03-02", aeendtc="2026-03-16")
>>> two = one.model_copy(update={"aeseq": 2, "grade": 3, "aestdtc": "2026-03", "aeendtc": None})
>>> [(each.aeseqs, each.worst_grade, each.is_certain) for each in reported_episodes([one, two])]
[((1, 2), 3, False)]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby, pairwise

from safety_monitor.records import AdverseEvent, PartialDate
from safety_monitor.vocabulary import Outcome

_RECOVERED = (Outcome.RECOVERED, Outcome.RECOVERED_WITH_SEQUELAE)
_ONE_DAY = timedelta(days=1)
_Joins = Callable[[Sequence[AdverseEvent], AdverseEvent], bool]


@dataclass(frozen=True, slots=True)
class Span:
    """When a record began and ended, as far as it says: ``start`` and ``end`` are (earliest, latest) days."""

    start: tuple[date, date]
    end: tuple[date, date]

    @property
    def order(self) -> tuple[date, date]:
        """By when it had begun for sure."""
        return self.start[1], self.start[0]

    @classmethod
    def of(cls, event: AdverseEvent) -> Span:
        """A blank start may be any day, and so may the end of what recovered at an unknown date; what goes on has no end."""
        start, end = ((PartialDate.parse(text) if text else None) for text in (event.aestdtc, event.aeendtc))
        began = (start.earliest, start.latest) if start else (date.min, end.latest if end else date.max)
        if end:
            return cls((began[0], max(began[0], min(began[1], end.latest))), (end.earliest, end.latest))
        recovered = Outcome.of(event.aeout) in _RECOVERED
        return cls(began, (began[0] if recovered else date.max, date.max))


@dataclass(frozen=True, slots=True)
class ReportedEpisode:
    """Records that tell of one event, by start. ``is_certain``: none is joined on dates that leave it open."""

    records: tuple[AdverseEvent, ...]
    is_certain: bool = True

    @property
    def usubjid(self) -> str:
        return self.records[0].usubjid

    @property
    def aeseqs(self) -> tuple[int, ...]:
        return tuple(record.aeseq for record in self.records)

    @property
    def worst_grade(self) -> int | None:
        return max((record.grade for record in self.records if record.grade is not None), default=None)

    @property
    def start(self) -> tuple[date, date]:
        """Earliest and latest day that it may have begun on."""
        spans = [Span.of(record) for record in self.records]
        return min(span.start[0] for span in spans), min(span.start[1] for span in spans)

    @property
    def end(self) -> tuple[date, date]:
        spans = [Span.of(record) for record in self.records]
        return max(span.end[0] for span in spans), max(span.end[1] for span in spans)


def reported_episodes(events: Iterable[AdverseEvent]) -> list[ReportedEpisode]:
    """*events* (of any number of subjects) as episodes, by subject and first record."""
    found = []
    ordered = sorted(events, key=lambda event: (event.usubjid, _name(event), Span.of(event).order, event.aeseq))
    for _, own in groupby(ordered, key=lambda event: event.usubjid):
        made: list[ReportedEpisode] = []
        rest = list(own)
        grouped = sorted((event for event in rest if event.aegrpid), key=lambda e: (e.aegrpid or "", Span.of(e).order, e.aeseq))
        for _, members in groupby(grouped, key=lambda event: event.aegrpid):
            made += _runs(list(members), joins=lambda open_, event: not _after_recovery(open_, event))
        for _, members in groupby((event for event in rest if not event.aegrpid), key=_name):
            made += _runs(list(members), joins=_touches)
        found += sorted(made, key=lambda episode: (episode.start, episode.aeseqs))
    return found


def duplicates(episode: ReportedEpisode) -> list[tuple[AdverseEvent, AdverseEvent]]:
    """Pairs of records of one episode that overlap by more than the day on which a grade changes, and do not differ in grade:
    one event reported twice, rather than a change."""
    return [
        (one, other)
        for one, other in pairwise(episode.records)
        if one.grade == other.grade and Span.of(other).start[1] < Span.of(one).end[0]
    ]


def resumed(events: Sequence[AdverseEvent]) -> list[tuple[AdverseEvent, AdverseEvent]]:
    """Pairs of records of one AEGRPID, the second of which begins after the first had recovered."""
    grouped = sorted((e for e in events if e.aegrpid), key=lambda e: (e.usubjid, e.aegrpid or "", Span.of(e).order, e.aeseq))
    return [
        (one, other)
        for one, other in pairwise(grouped)
        if (one.usubjid, one.aegrpid) == (other.usubjid, other.aegrpid) and _after_recovery([one], other)
    ]


def _name(event: AdverseEvent) -> str:
    return (event.aedecod or event.aeterm).casefold()


def _runs(records: Sequence[AdverseEvent], joins: _Joins) -> list[ReportedEpisode]:
    found: list[list[AdverseEvent]] = []
    for record in records:
        if found and joins(found[-1], record):
            found[-1].append(record)
        else:
            found.append([record])
    return [ReportedEpisode(tuple(each), all(_surely(a, b) for a, b in pairwise(each) if not a.aegrpid)) for each in found]


def _touches(open_: Sequence[AdverseEvent], event: AdverseEvent) -> bool:
    """Whether *event* may have begun before *open_* had ended, or on the day after. A blank start joins nothing."""
    if not event.aestdtc or not open_[0].aestdtc or _after_recovery(open_, event):
        return False
    latest = max(Span.of(record).end[1] for record in open_)
    return Span.of(event).start[0] <= _next(latest)


def _surely(one: AdverseEvent, other: AdverseEvent) -> bool:
    a, b = Span.of(one), Span.of(other)
    return a.start[1] <= _next(b.end[0]) and b.start[1] <= _next(a.end[0])


def _after_recovery(open_: Sequence[AdverseEvent], event: AdverseEvent) -> bool:
    """Whether *event* surely began later than the day after the last of *open_*, which had recovered."""
    last = max(open_, key=lambda record: Span.of(record).end[1])
    recovered = Outcome.of(last.aeout) in _RECOVERED and last.aeendtc is not None
    return recovered and Span.of(event).start[0] > _next(Span.of(last).end[1])


def _next(day: date) -> date:
    return day if day == date.max else day + _ONE_DAY
