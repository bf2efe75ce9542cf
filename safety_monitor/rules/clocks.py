"""When a report is due, and what becomes of a running clock when the event changes.

Day 0 is the day on which the sponsor became aware, in the sponsor's time zone; days are calendar days and a report is due to the
end of the last one, whatever daylight saving does in between; working days leave out weekends and the holidays of the rule's
country; hours run from the minute of awareness (ICH E2A III.B; NMPA 2018; 21 CFR 312.32, 812.150).

A due date never moves. Significant news opens a further clock, linked to the first; a downgrade cancels a clock and keeps its
record; awareness that becomes known, or turns out earlier, supersedes it by another. A duty that ended and holds again before its
old due date goes on with the old Day 0. Awareness that is corrected to a later day changes nothing.

>>> fortnight = Rule("x", "p", {}, {}, "", days=15)
>>> due(fortnight, datetime(2026, 3, 1, 20, 0, tzinfo=UTC), ZoneInfo("Asia/Shanghai"))  # 04:00 on 2 March there
(datetime.date(2026, 3, 2), datetime.datetime(2026, 3, 17, 16, 0, tzinfo=datetime.timezone.utc))
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from typing import Any, Literal
from zoneinfo import ZoneInfo

import holidays

from safety_monitor.records import Clock
from safety_monitor.rules.duties import Duty, Reporting, Rule, rule
from safety_monitor.rules.escalation import Change
from safety_monitor.vocabulary import ClockCause, ClockState

#: Where an instant of awareness is from.
RECEIPT, IMPORT = "receipt", "import"
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Awareness:
    """Since when site and sponsor know of an event; None where no receipt says so."""

    site_at: datetime | None = None
    sponsor_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StoredClock:
    id: int
    clock: Clock


@dataclass(frozen=True, slots=True)
class Closing:
    """A clock that ends without a report: how, and why in one sentence."""

    id: int
    clock: Clock
    state: ClockState
    reason: str


@dataclass(frozen=True, slots=True)
class ClockChanges:
    opened: tuple[Clock, ...] = ()
    closed: tuple[Closing, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.opened or self.closed)


@dataclass(frozen=True, slots=True)
class Reminder:
    """A point of a clock that people are told at, once; ``left``: the time that is left (negative: over)."""

    point: str
    left: timedelta


def due(rule: Rule, aware_at: datetime, zone: ZoneInfo) -> tuple[date, datetime]:
    """Day 0 in *zone*, and the first instant (UTC) at which a report by *rule* is late."""
    day_zero = aware_at.astimezone(zone).date()
    if rule.hours is not None:
        return day_zero, aware_at.astimezone(UTC) + timedelta(hours=rule.hours)
    if rule.working_days is not None:
        last = _working_day(day_zero, rule.working_days, rule.calendar or "")
    else:
        last = day_zero + timedelta(days=rule.days or 0)
    return day_zero, datetime.combine(last + timedelta(days=1), time(), zone).astimezone(UTC)


def significant(changes: Iterable[Change]) -> bool:
    """Whether the news about a serious event is such that its reports want a follow-up (``clocks.toml``)."""
    counted = _data()["significant"]
    for change in changes:
        name = change.field.partition(":")[0]
        if name in counted["any"] or (name in counted["worse"] and _is_worse(change)):
            return True
    return False


def decide_clocks(
    reporting: Reporting,
    stored: Sequence[StoredClock],
    awareness: Awareness,
    *,
    study_id: str,
    event_version: int,
    news: bool,
    at: datetime,
    zone: ZoneInfo,
    history: bool = False,
) -> ClockChanges:
    """What opens and what ends for one event: *stored* are all clocks it ever had, *news*: something significant changed.

    *at*: when the sponsor's system learned of the present state. *history*: recorded without being watched; nobody is told, so
    nothing that runs ends or is replaced.
    """
    opened: list[Clock] = []
    closed: list[Closing] = []
    latest = {(each.clock.rule_id, each.clock.component): each for each in sorted(stored, key=lambda each: each.clock.number)}
    wanted = {(duty.rule.id, duty.component): duty for duty in reporting.duties}
    first_of_event = not stored
    for key, duty in wanted.items():
        last = latest.get(key)
        if history and last is not None:
            continue
        if duty.rule.starts_with == "site":
            if last is None and awareness.site_at is not None:
                opened.append(_site_clock(duty, reporting, awareness, study_id, event_version, at, zone))
            continue
        if last is not None and last.clock.state is ClockState.RUNNING and _corrected(last.clock, awareness):
            assert awareness.sponsor_at is not None
            before = _iso(last.clock.aware_at)
            reason = f"the sponsor was aware at {_iso(awareness.sponsor_at)}, by the receipt; before, {before} was taken"
            closed.append(Closing(last.id, last.clock, ClockState.SUPERSEDED, reason))
            cause, aware_at, basis = ClockCause.AWARENESS, awareness.sponsor_at, RECEIPT
        elif last is None:
            known = awareness.sponsor_at if first_of_event else None
            cause, aware_at, basis = ClockCause.INITIAL, known or at, RECEIPT if known else IMPORT
        elif last.clock.state is ClockState.CANCELLED:
            in_time = at < last.clock.due_at
            cause = ClockCause.REOPENED
            aware_at, basis = (last.clock.aware_at, last.clock.aware_basis) if in_time else (at, IMPORT)
        elif news:
            cause, aware_at, basis = ClockCause.FOLLOW_UP, at, IMPORT
        else:
            continue
        opened.append(_clock(duty, reporting, cause, aware_at, basis, last, study_id, event_version, at, zone, history))
    for each in () if history else stored:
        if (each.clock.rule_id, each.clock.component) not in wanted and each.clock.state is ClockState.RUNNING:
            closed.append(Closing(each.id, each.clock, ClockState.CANCELLED, _why_over(each.clock, reporting)))
    return ClockChanges(tuple(opened), tuple(closed))


def reminder(clock: Clock, at: datetime) -> Reminder | None:
    """The latest point of a running clock that *at* has reached; None before the first. Points that were slept through are not
    made up for: the next tells more."""
    if clock.state is not ClockState.RUNNING:
        return None
    points = _data()["reminders"]
    left = clock.due_at - at
    if left <= timedelta(0):
        n_over = int(-left / timedelta(hours=points["overdue_every_hours"]))
        return Reminder(f"overdue {n_over}", left)
    length = clock.due_at - clock.opened_at
    reached = [h for h in points["before_hours"] if left <= timedelta(hours=h) < length]
    return Reminder(f"{min(reached)} h before", left) if reached else None


def hours(section: Literal["drafts", "acknowledgement"], name: str) -> timedelta:
    """A length of time of ``clocks.toml``."""
    return timedelta(hours=_data()[section][name])


def last_day(clock: Clock) -> str:
    """The due day, or the due minute of a clock that runs in hours, in its own zone, in words."""
    return f"{due_text(clock)} ({clock.timezone})"


def due_text(clock: Clock) -> str:
    """The same without the zone."""
    zone = ZoneInfo(clock.timezone)
    found = rule(clock.rule_id)
    if found is not None and found.hours is not None:
        return f"{clock.due_at.astimezone(zone):%Y-%m-%d %H:%M}"
    return f"{(clock.due_at - timedelta(microseconds=1)).astimezone(zone):%Y-%m-%d}"


def _clock(
    duty: Duty, reporting: Reporting, cause: ClockCause, aware_at: datetime, basis: str, last: StoredClock | None,
    study_id: str, event_version: int, at: datetime, zone: ZoneInfo, history: bool,
) -> Clock:  # fmt: skip
    day_zero, due_at = due(duty.rule, aware_at, zone)
    ended: dict[str, Any] = {}
    if history:
        reason = "history, recorded with --backfill: not watched here"
        ended = {"state": ClockState.NOT_MONITORED, "closed_at": at, "closed_by": "import", "close_reason": reason}
    return Clock(
        study_id=study_id, event_version=event_version, pack=duty.rule.pack, rule_id=duty.rule.id, component=duty.component,
        number=last.clock.number + 1 if last else 1, cause=cause, linked_id=last.id if last else None, aware_at=aware_at,
        aware_basis=basis, day_zero=day_zero, due_at=due_at, timezone=zone.key, inputs=_inputs(duty, reporting), opened_at=at,
        **ended,
    )  # fmt: skip


def _site_clock(
    duty: Duty, reporting: Reporting, awareness: Awareness, study_id: str, event_version: int, at: datetime, zone: ZoneInfo
) -> Clock:
    """The site's own time to inform the sponsor: over with the record of it, kept because it may have been too long."""
    assert awareness.site_at is not None
    day_zero, due_at = due(duty.rule, awareness.site_at, zone)
    return Clock(
        study_id=study_id, event_version=event_version, pack=duty.rule.pack, rule_id=duty.rule.id, aware_at=awareness.site_at,
        aware_basis=RECEIPT, day_zero=day_zero, due_at=due_at, timezone=zone.key, inputs=_inputs(duty, reporting), opened_at=at,
        state=ClockState.MET, met_at=awareness.sponsor_at or at, closed_at=at, closed_by="import",
        close_reason="the sponsor is aware" if awareness.sponsor_at else "the sponsor is aware, at the latest by the import",
    )  # fmt: skip


def _inputs(duty: Duty, reporting: Reporting) -> dict[str, Any]:
    """What the rule looked at when the clock was opened."""
    judged = [
        {
            "component": each.component, "related": each.related.related, "related_by": each.related.decided_by,
            "expected": each.expected.expected, "expected_why": each.expected.why, "lists": list(each.expected.lists),
            "susar": each.susar, "why": each.why, "decided_by": each.decided_by,
        }
        for each in reporting.judgements
        if duty.component in ("", each.component)
    ]  # fmt: skip
    facts = {name: fact for name, fact in reporting.facts.items()}
    return {"facts": facts, "serious_why": reporting.serious_why, "judgements": judged, "unknown": list(duty.unknown)}


def _corrected(clock: Clock, awareness: Awareness) -> bool:
    """Whether the receipt now says something else of a first clock: where none was known any time, else only an earlier one."""
    if awareness.sponsor_at is None or clock.cause not in (ClockCause.INITIAL, ClockCause.AWARENESS):
        return False
    if clock.aware_basis == IMPORT:
        return clock.number == 1 and awareness.sponsor_at != clock.aware_at
    return awareness.sponsor_at < clock.aware_at


def _why_over(clock: Clock, reporting: Reporting) -> str:
    judged = next((each for each in reporting.judgements if each.component == clock.component), None)
    return f"the rule no longer applies: {judged.why if judged else reporting.serious_why}"


def _is_worse(change: Change) -> bool:
    if change.field == "serious_basis":
        before = set((change.before or "").split(";"))
        return bool(set((change.after or "").split(";")) - before - {""})
    if change.field == "fatal":
        return change.after == "Y"
    return int(change.after or 0) > int(change.before or 0)


def _working_day(day: date, n: int, calendar: str) -> date:
    known = holidays.country_holidays(calendar, years=range(day.year, day.year + 2))
    while n:
        day += timedelta(days=1)
        n -= day.weekday() < _SATURDAY and day not in known
    return day


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


@cache
def _data() -> Mapping[str, Any]:
    found: dict[str, Any] = tomllib.loads(files("safety_monitor.rules").joinpath("clocks.toml").read_text("utf-8"))
    return found
