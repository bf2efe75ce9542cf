"""Subjects, events, assessments and opinions: read as values, written where they differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlmodel import Session, SQLModel, col, select

from safety_monitor.records import AdverseEvent, Assessment, ComponentOpinion, Subject
from safety_monitor.store.tables import AdverseEventRow, AssessmentRow, ComponentOpinionRow, SubjectRow

Value = TypeVar("Value", bound=SQLModel)


@dataclass(frozen=True)
class StoredEvent:
    """An event as it stands in the store, with its assessment and opinions (by component and author)."""

    id: int
    version: int
    event: AdverseEvent
    assessment: Assessment | None
    opinions: Mapping[tuple[str, str], ComponentOpinion]
    is_deleted: bool
    first_seen_at: datetime


def subjects(session: Session, study_id: str) -> list[Subject]:
    rows = session.exec(select(SubjectRow).where(col(SubjectRow.study_id) == study_id).order_by(col(SubjectRow.usubjid)))
    return [_value(Subject, row) for row in rows]


def put_subjects(session: Session, study_id: str, current: Iterable[Subject]) -> int:
    """Inserts and updates; how many changed. A subject that the data no longer have keeps its row."""
    rows = {
        row.usubjid: row for row in session.exec(select(SubjectRow).where(col(SubjectRow.study_id) == study_id))
    }
    n_changed = 0
    for subject in current:
        row = rows.get(subject.usubjid)
        if row is None:
            session.add(SubjectRow(**subject.model_dump()))
            n_changed += 1
        elif _value(Subject, row) != subject:
            row.sqlmodel_update(subject)
            n_changed += 1
    session.flush()
    return n_changed


def stored_events(session: Session, study_id: str) -> dict[tuple[str, int], StoredEvent]:
    """Every event of the study by (USUBJID, AESEQ), deleted ones marked."""
    found = session.exec(select(AdverseEventRow).where(col(AdverseEventRow.study_id) == study_id)).all()
    ids = select(AdverseEventRow.id).where(col(AdverseEventRow.study_id) == study_id)
    assessments = {
        row.event_id: row for row in session.exec(select(AssessmentRow).where(col(AssessmentRow.event_id).in_(ids)))
    }
    opinions: dict[int, dict[tuple[str, str], ComponentOpinion]] = {}
    for opinion in session.exec(select(ComponentOpinionRow).where(col(ComponentOpinionRow.event_id).in_(ids))):
        by_key = opinions.setdefault(opinion.event_id, {})
        by_key[opinion.component, opinion.author] = _value(ComponentOpinion, opinion)
    stored = {}
    for row in found:
        assert row.id is not None
        assessment = assessments.get(row.id)
        stored[row.usubjid, row.aeseq] = StoredEvent(
            row.id,
            row.version,
            _value(AdverseEvent, row),
            _value(Assessment, assessment) if assessment else None,
            opinions.get(row.id, {}),
            row.is_deleted,
            row.first_seen_at,
        )
    return stored


def put_event(
    session: Session, event: AdverseEvent, stored: StoredEvent | None, at: datetime, place: tuple[str, int] | None
) -> tuple[int, int]:
    """Writes *event* as new, changed or come back; its id and version. The version counts changes of content."""
    file, number = place or (None, None)
    if stored is None:
        row = AdverseEventRow(
            **event.model_dump(), version=1, first_seen_at=at, changed_at=at, source_file=file, source_row_number=number
        )
        session.add(row)
        session.flush()
        assert row.id is not None
        return row.id, 1
    if stored.event == event and not stored.is_deleted:
        return stored.id, stored.version
    row = session.get_one(AdverseEventRow, stored.id)
    row.sqlmodel_update(event)
    row.version, row.changed_at, row.is_deleted = stored.version + 1, at, False
    row.source_file, row.source_row_number = file, number
    session.flush()
    return stored.id, row.version


def mark_event_deleted(session: Session, stored: StoredEvent, at: datetime) -> int:
    """Marks an event whose source record is gone; the new version."""
    row = session.get_one(AdverseEventRow, stored.id)
    row.is_deleted, row.version, row.changed_at = True, stored.version + 1, at
    session.flush()
    return row.version


def put_assessment(
    session: Session, event_id: int, assessment: Assessment, stored: StoredEvent | None, at: datetime, engine_version: str
) -> None:
    if stored is not None and stored.assessment == assessment:
        return
    row = AssessmentRow(event_id=event_id, assessed_at=at, engine_version=engine_version, **assessment.model_dump())
    session.merge(row)


def put_opinions(
    session: Session, event_id: int, opinions: Sequence[ComponentOpinion], stored: StoredEvent | None, at: datetime
) -> None:
    """Writes the opinions that are new or differ."""
    known = stored.opinions if stored else {}
    for opinion in opinions:
        if known.get((opinion.component, opinion.author)) != opinion:
            session.merge(ComponentOpinionRow(event_id=event_id, at=at, **opinion.model_dump()))


def _value(kind: type[Value], row: SQLModel) -> Value:
    """The value part of a table row."""
    return kind.model_validate({name: getattr(row, name) for name in kind.model_fields})
