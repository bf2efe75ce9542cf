"""Subjects, events, assessments and opinions: read as values, written where they differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlmodel import Session, SQLModel, col, select, update

from safety_monitor.records import AdverseEvent, Assessment, ComponentOpinion, Subject
from safety_monitor.store.session import bulk_insert
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


def put_events(
    session: Session,
    events: Sequence[tuple[AdverseEvent, StoredEvent | None]],
    places: Mapping[tuple[str, int], tuple[str, int]],
    at: datetime,
) -> list[tuple[int, int]]:
    """Writes what is new, changed or come back; id and version of each, in order. The version counts changes.

    ``places``: (file, row) that each event was read from, by its key.
    """
    rows: list[AdverseEventRow | StoredEvent] = []
    for event, stored in events:
        file, number = places.get(event.key, (None, None))
        if stored is None:
            row = AdverseEventRow(
                **event.model_dump(), version=1, first_seen_at=at, changed_at=at, source_file=file, source_row_number=number
            )
            session.add(row)
        elif stored.event == event and not stored.is_deleted:
            rows.append(stored)
            continue
        else:
            row = session.get_one(AdverseEventRow, stored.id)
            row.sqlmodel_update(event)
            row.version, row.changed_at, row.is_deleted = stored.version + 1, at, False
            row.source_file, row.source_row_number = file, number
        rows.append(row)
    session.flush()  # once: the ids of all new rows
    placed = []
    for kept in rows:
        assert kept.id is not None
        placed.append((kept.id, kept.version))
    return placed


def mark_event_deleted(session: Session, stored: StoredEvent, at: datetime) -> int:
    """Marks an event whose source record is gone; the new version."""
    row = session.get_one(AdverseEventRow, stored.id)
    row.is_deleted, row.version, row.changed_at = True, stored.version + 1, at
    session.flush()
    return row.version


def put_assessments(
    session: Session,
    assessments: Sequence[tuple[int, Assessment, StoredEvent | None]],
    at: datetime,
    engine_version: str,
) -> None:
    """Writes the assessments (by event id) that are new or differ."""
    new = []
    for event_id, assessment, stored in assessments:
        values = {**assessment.model_dump(), "assessed_at": at, "engine_version": engine_version}
        if stored is None or stored.assessment is None:
            new.append({"event_id": event_id, **values})
        elif stored.assessment != assessment:
            session.exec(update(AssessmentRow).where(col(AssessmentRow.event_id) == event_id).values(**values))
    bulk_insert(session, AssessmentRow, new)


def put_opinions(
    session: Session, opinions: Sequence[tuple[int, ComponentOpinion, StoredEvent | None]], at: datetime
) -> None:
    """Writes the opinions (by event id) that are new or differ."""
    new = []
    for event_id, opinion, stored in opinions:
        before = stored.opinions.get((opinion.component, opinion.author)) if stored else None
        if before is None:
            new.append({"event_id": event_id, **opinion.model_dump(), "at": at})
        elif before != opinion:
            row = (
                col(ComponentOpinionRow.event_id) == event_id,
                col(ComponentOpinionRow.component) == opinion.component,
                col(ComponentOpinionRow.author) == opinion.author,
            )
            session.exec(update(ComponentOpinionRow).where(*row).values(**opinion.model_dump(), at=at))
    bulk_insert(session, ComponentOpinionRow, new)


def opinions_on(session: Session, event_id: int) -> list[tuple[ComponentOpinion, datetime]]:
    """Every opinion on one event with the time it was given, by component and author."""
    query = select(ComponentOpinionRow).where(col(ComponentOpinionRow.event_id) == event_id)
    rows = session.exec(query.order_by(col(ComponentOpinionRow.component), col(ComponentOpinionRow.author)))
    return [(_value(ComponentOpinion, row), row.at) for row in rows]


def _value(kind: type[Value], row: SQLModel) -> Value:
    """The value part of a table row."""
    return kind.model_validate({name: getattr(row, name) for name in kind.model_fields})
