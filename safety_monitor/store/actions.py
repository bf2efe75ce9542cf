"""What the board asked for: added, closed with its resolution, never changed or removed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from safety_monitor.records import ActionItem
from safety_monitor.store.tables import ActionItemRow


@dataclass(frozen=True, slots=True)
class ActionOnRecord:
    id: int
    item: ActionItem

    @property
    def is_open(self) -> bool:
        return self.item.closed_at is None


def actions(session: Session, study_id: str) -> list[ActionOnRecord]:
    """Every item of the study, in the order in which they were asked."""
    rows = session.exec(
        select(ActionItemRow).where(col(ActionItemRow.study_id) == study_id).order_by(col(ActionItemRow.id))
    )
    return [_stored(row) for row in rows]


def action(session: Session, action_id: int) -> ActionOnRecord | None:
    row = session.get(ActionItemRow, action_id)
    return _stored(row) if row else None


def add(session: Session, item: ActionItem) -> int:
    row = ActionItemRow(**item.model_dump())
    session.add(row)
    session.flush()
    assert row.id is not None
    return row.id


def close(session: Session, action_id: int, *, by: str, at: datetime, resolution: str) -> None:
    row = session.get_one(ActionItemRow, action_id)
    row.closed_at, row.closed_by, row.resolution = at, by, resolution
    session.flush()


def _stored(row: ActionItemRow) -> ActionOnRecord:
    assert row.id is not None
    return ActionOnRecord(row.id, ActionItem.model_construct(**{name: getattr(row, name) for name in ActionItem.model_fields}))
