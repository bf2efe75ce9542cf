"""Reporting clocks, what people decided about events, and drafts of events that the data do not have yet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from safety_monitor.records import CaseDecision, Clock, SaeDraft
from safety_monitor.rules.clocks import Closing, StoredClock
from safety_monitor.store.tables import AdverseEventRow, CaseDecisionRow, ClockRow, SaeDraftRow
from safety_monitor.vocabulary import ClockState, DraftState


@dataclass(frozen=True, slots=True)
class ClockOnRecord:
    """A clock with the event it belongs to, as it now stands."""

    id: int
    clock: Clock
    event_id: int
    usubjid: str
    aeseq: int
    term: str


@dataclass(frozen=True, slots=True)
class DraftOnRecord:
    id: int
    draft: SaeDraft


def clocks_by_event(session: Session, study_id: str) -> dict[int, list[StoredClock]]:
    """Every clock of the study by event id, in order of number."""
    rows = session.exec(
        select(ClockRow).where(col(ClockRow.study_id) == study_id).order_by(col(ClockRow.number), col(ClockRow.id))
    )
    found: dict[int, list[StoredClock]] = {}
    for row in rows:
        assert row.id is not None
        found.setdefault(row.event_id, []).append(StoredClock(row.id, _clock(row)))
    return found


def clocks(
    session: Session, study_id: str | None = None, *, running: bool = False, clock_id: int | None = None
) -> list[ClockOnRecord]:
    """Clocks with their events, what is due first at the head."""
    query = select(ClockRow, AdverseEventRow).join(AdverseEventRow, col(AdverseEventRow.id) == col(ClockRow.event_id))
    if study_id is not None:
        query = query.where(col(ClockRow.study_id) == study_id)
    if running:
        query = query.where(col(ClockRow.state) == ClockState.RUNNING)
    if clock_id is not None:
        query = query.where(col(ClockRow.id) == clock_id)
    return [
        ClockOnRecord(row.id, _clock(row), row.event_id, event.usubjid, event.aeseq, event.aedecod or event.aeterm)
        for row, event in session.exec(query.order_by(col(ClockRow.due_at), col(ClockRow.id)))
        if row.id is not None
    ]


def n_overdue(session: Session, now: datetime) -> int:
    return sum(each.clock.due_at <= now for each in clocks(session, running=True))


def open_clocks(session: Session, event_id: int, opened: Iterable[Clock]) -> None:
    session.add_all([ClockRow(event_id=event_id, **clock.model_dump()) for clock in opened])
    session.flush()


def close_clocks(session: Session, closed: Iterable[Closing], at: datetime, by: str) -> None:
    """Ends clocks that ran without a report."""
    for each in closed:
        row = session.get_one(ClockRow, each.id)
        row.state, row.closed_at, row.closed_by, row.close_reason = each.state, at, by, each.reason
    session.flush()


def meet_clock(session: Session, clock_id: int, *, met_at: datetime, at: datetime, by: str, reason: str) -> None:
    """The report that a running clock waits for was made at *met_at*."""
    row = session.get_one(ClockRow, clock_id)
    row.state, row.met_at, row.closed_at, row.closed_by, row.close_reason = ClockState.MET, met_at, at, by, reason
    session.flush()


def decisions_by_event(session: Session, study_id: str) -> dict[int, list[CaseDecision]]:
    """What people decided about the events of the study, oldest first."""
    query = (
        select(CaseDecisionRow)
        .join(AdverseEventRow, col(AdverseEventRow.id) == col(CaseDecisionRow.event_id))
        .where(col(AdverseEventRow.study_id) == study_id)
        .order_by(col(CaseDecisionRow.at), col(CaseDecisionRow.id))
    )
    found: dict[int, list[CaseDecision]] = {}
    for row in session.exec(query):
        found.setdefault(row.event_id, []).append(_value_of(row))
    return found


def add_decision(session: Session, event_id: int, decision: CaseDecision) -> None:
    session.add(CaseDecisionRow(event_id=event_id, **decision.model_dump()))
    session.flush()


def drafts(session: Session, study_id: str | None = None, *, state: DraftState | None = None) -> list[DraftOnRecord]:
    """Drafts, oldest first."""
    query = select(SaeDraftRow).order_by(col(SaeDraftRow.id))
    if study_id is not None:
        query = query.where(col(SaeDraftRow.study_id) == study_id)
    if state is not None:
        query = query.where(col(SaeDraftRow.state) == state)
    return [
        DraftOnRecord(row.id, SaeDraft.model_validate(_fields(SaeDraft, row)))
        for row in session.exec(query)
        if row.id is not None
    ]


def add_draft(session: Session, draft: SaeDraft) -> int:
    row = SaeDraftRow(**draft.model_dump())
    session.add(row)
    session.flush()
    assert row.id is not None
    return row.id


def close_draft(session: Session, draft_id: int, *, aeseq: int | None, at: datetime, by: str, reason: str) -> None:
    """The draft is record *aeseq* of the data, or (None) no event."""
    row = session.get_one(SaeDraftRow, draft_id)
    row.state = DraftState.DISMISSED if aeseq is None else DraftState.REPORTED
    row.aeseq, row.closed_at, row.closed_by, row.close_reason = aeseq, at, by, reason
    session.flush()


def _clock(row: ClockRow) -> Clock:
    return Clock.model_validate(_fields(Clock, row))


def _value_of(row: CaseDecisionRow) -> CaseDecision:
    return CaseDecision.model_validate(_fields(CaseDecision, row))


def _fields(kind: type[Clock] | type[CaseDecision] | type[SaeDraft], row: object) -> dict[str, object]:
    return {name: getattr(row, name) for name in kind.model_fields}
