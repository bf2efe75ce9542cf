"""What people are told about reporting: a SUSAR, clocks that started or ended otherwise than by a report, reminders, drafts.

A SUSAR that follows from what is on record is told to the sponsor's staff, who may decide otherwise; once a person has decided
that it is one, all investigators are told. Each alert lists the clocks with rule, length, due day and state. Its key names the
clocks, so that deciding again on the same data owes nothing new.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from safety_monitor.records import Clock, SaeDraft
from safety_monitor.rules.clocks import ClockChanges, Closing, Reminder, last_day
from safety_monitor.rules.duties import ComponentJudgement, Reporting, rule
from safety_monitor.rules.escalation import WHY, AlertDecision, EventState
from safety_monitor.vocabulary import AlertKind, ClockState


def decide_reporting(
    before: Sequence[str], reporting: Reporting, changes: ClockChanges, newly_decided: bool
) -> tuple[AlertDecision, ...]:
    """The alert owed for one event. *before*: components to which it was a SUSAR; *newly_decided*: a person said so just now."""
    told = [line(clock) for clock in changes.opened if clock.state is ClockState.RUNNING]
    told += [line(each.clock, each) for each in changes.closed]
    now = [each for each in reporting.judgements if each.susar]
    key = " ".join(f"{each['rule_id']}/{each['component']}/{each['number']}/{each['state']}" for each in told)
    suspected = [each for each in now if each.component not in before]
    if suspected or (newly_decided and now):
        by = sorted({each.decided_by for each in now if each.decided_by})
        rule_id = "susar_decided" if by and newly_decided else "susar_suspected"
        distinct = f"{'+'.join(each.component for each in now)} {' '.join(by)} {key}"
        judged = tuple(_judged(each) for each in now)
        decision = AlertDecision(AlertKind.SUSAR, rule_id, WHY[rule_id], distinct=distinct, clocks=tuple(told), judgements=judged)
        return (decision,)
    if not told:
        return ()
    rule_id = "clock_cancelled" if all(each["state"] == "cancelled" for each in told) else "clock_started"
    if any(each.state is ClockState.SUPERSEDED for each in changes.closed):
        rule_id = "clock_superseded"
    return (AlertDecision(AlertKind.CLOCK_CHANGED, rule_id, WHY[rule_id], distinct=f"clocks {key}", clocks=tuple(told)),)


def remind(clock_id: int, clock: Clock, reached: Reminder) -> AlertDecision:
    """The alert owed because a running clock has reached a point."""
    overdue = reached.point.startswith("overdue")
    kind, rule_id = (AlertKind.CLOCK_OVERDUE, "clock_overdue") if overdue else (AlertKind.CLOCK_REMINDER, "clock_near_due")
    distinct = f"{clock.rule_id}/{clock.component}/{clock.number} due {clock.due_at.isoformat()} {reached.point}"
    return AlertDecision(kind, rule_id, WHY[rule_id], distinct=distinct, clocks=({**line(clock), "id": clock_id},))


def unfinished(draft_id: int, draft: SaeDraft, siteid: str | None, n_days: int) -> tuple[AlertDecision, EventState]:
    """The alert owed because a draft waits for its record; *n_days* makes it owed again each day."""
    rule_id = "draft_waits"
    state = EventState(
        usubjid=draft.usubjid, aeseq=None, term=draft.term, version=0, siteid=siteid, grade=draft.grade, serious=True,
        serious_basis=tuple(draft.criteria), fatal="DEATH" in draft.criteria, onset=draft.onset,
    )  # fmt: skip
    number, again = f"D{draft_id}", f"draft {draft_id} day {n_days}"
    return AlertDecision(AlertKind.DRAFT_UNFINISHED, rule_id, WHY[rule_id], where=number, distinct=again), state


def line(clock: Clock, closing: Closing | None = None) -> dict[str, Any]:
    """One clock as a mail tells it."""
    found = rule(clock.rule_id)
    return {
        "rule_id": clock.rule_id, "pack": clock.pack, "component": clock.component, "number": clock.number,
        "cause": clock.cause.value, "says": dict(found.says) if found else {}, "time": found.time if found else "",
        "source": found.source if found else "", "day_zero": clock.day_zero.isoformat(), "aware_basis": clock.aware_basis,
        "due": last_day(clock), "due_at": clock.due_at.isoformat(),
        "state": (closing.state if closing else clock.state).value, "reason": closing.reason if closing else "",
    }  # fmt: skip


def _judged(judgement: ComponentJudgement) -> dict[str, str]:
    """Without the words that a person gave as a reason: they may say more of the subject than a mail may."""
    answer = {True: "yes", False: "no", None: "unknown"}
    related, expected = answer[judgement.related.related], answer[judgement.expected.expected]
    return {"component": judgement.component, "related": related, "expected": expected}


def is_late(clock: Clock, now: datetime) -> bool:
    """Whether the report was made after its due time, or is not made and due."""
    return (clock.met_at or now) >= clock.due_at if clock.state in (ClockState.RUNNING, ClockState.MET) else False
