"""Studies and their versioned settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, func, select

from safety_monitor.store.tables import StudyVersion
from safety_monitor.study import StudySettings


def study_ids(session: Session) -> Sequence[str]:
    """The studies of this database, sorted."""
    return list(session.exec(select(StudyVersion.study_id).distinct().order_by(StudyVersion.study_id)))


def settings_of(session: Session, study_id: str) -> StudySettings | None:
    """The settings in force (the highest version); None where the study is not known."""
    row = _latest(session, study_id)
    return StudySettings.model_validate(row.settings) if row else None


def keep_settings(session: Session, settings: StudySettings, at: datetime) -> bool:
    """Adds a version where *settings* differ from those in force; whether it did."""
    raw = settings.model_dump(mode="json")
    content = json.dumps(raw, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    latest = _latest(session, settings.id)
    if latest is not None and latest.sha256 == sha256:
        return False
    session.add(
        StudyVersion(
            study_id=settings.id, version=(latest.version if latest else 0) + 1, settings=raw, sha256=sha256, created_at=at
        )
    )
    session.flush()
    return True


def _latest(session: Session, study_id: str) -> StudyVersion | None:
    newest = select(func.max(StudyVersion.version)).where(col(StudyVersion.study_id) == study_id).scalar_subquery()
    return session.exec(
        select(StudyVersion).where(col(StudyVersion.study_id) == study_id, col(StudyVersion.version) == newest)
    ).first()
