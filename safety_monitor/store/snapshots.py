"""Frozen snapshots and the reports issued from them."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, func, select

from safety_monitor.records import Snapshot
from safety_monitor.store.tables import IssuedReport, SnapshotRow


def keep_snapshot(session: Session, snapshot: Snapshot, at: datetime) -> int:
    """Stores *snapshot* where its content is new; its id either way."""
    study_id = snapshot.study["study"]["id"]
    row = session.exec(
        select(SnapshotRow).where(col(SnapshotRow.study_id) == study_id, col(SnapshotRow.sha256) == snapshot.sha256)
    ).first()
    if row is None:
        row = SnapshotRow(
            study_id=study_id, cutoff=snapshot.cutoff, created_at=at, sha256=snapshot.sha256, content=snapshot.to_bytes()
        )
        session.add(row)
        session.flush()
    assert row.id is not None
    return row.id


def kept_snapshot(session: Session, sha256: str) -> Snapshot | None:
    """The one snapshot whose hash begins with *sha256* (six characters or more); None where there is not just one."""
    prefix = sha256.strip().lower()
    if len(prefix) < 6:
        return None
    start = func.substr(col(SnapshotRow.sha256), 1, len(prefix))
    rows = session.exec(select(SnapshotRow).where(start == prefix)).all()
    return Snapshot.from_bytes(rows[0].content) if len({row.sha256 for row in rows}) == 1 else None


def record_issue(
    session: Session, snapshot_id: int, study_id: str, kind: str, at: datetime, sha256: str, path: str, software: str
) -> None:
    session.add(
        IssuedReport(
            study_id=study_id, snapshot_id=snapshot_id, kind=kind, issued_at=at, sha256=sha256, path=path, software=software
        )
    )
    session.flush()
