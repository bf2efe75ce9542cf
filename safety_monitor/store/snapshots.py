"""Frozen snapshots, the reports issued from them, and the signatures on those.

The day of a report is its data cut-off; of one without (all data), and of the safety officer's, the day of issue. Reports of one
kind and day have one running number: the same report in another language, or made again, is no other report.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from datetime import date, datetime

from sqlmodel import Session, col, func, select

from safety_monitor.records import Snapshot
from safety_monitor.store.session import StoreError
from safety_monitor.store.tables import IssuedReport, ReportSignature, SnapshotRow
from safety_monitor.vocabulary import Mark, Role

#: The kinds of report whose day is the data cut-off; of others it is the day of issue.
_BY_CUTOFF = ("dsmb",)


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signed which bytes, in which role, meaning what."""

    name: str
    role: Role
    meaning: str
    at: datetime
    sha256: str


@dataclass(frozen=True, slots=True)
class ReportOnRecord:
    """One issued report. ``number``: its running number among the final ones of its study and kind; None of a draft."""

    id: int
    number: int | None
    study_id: str
    kind: str
    day: date
    cutoff: date | None
    snapshot_sha256: str
    sha256: str
    issued_at: datetime
    issued_by: str | None
    language: str | None
    page_size: str | None
    organisation: str | None
    mark: Mark
    software: str
    path: str
    signatures: tuple[Signature, ...] = ()


def keep_snapshot(session: Session, snapshot: Snapshot, at: datetime) -> int:
    """Stores *snapshot*, compressed, where its content is new; its id either way."""
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
    """The one snapshot whose hash begins with *sha256* (six characters or more); None where there is not just one.

    StoreError where its kept bytes are not those that were hashed: a report made of them would be another.
    """
    prefix = sha256.strip().lower()
    if len(prefix) < 6:
        return None
    start = func.substr(col(SnapshotRow.sha256), 1, len(prefix))
    rows = session.exec(select(SnapshotRow).where(start == prefix)).all()
    if len({row.sha256 for row in rows}) != 1:
        return None
    try:
        content = zlib.decompress(rows[0].content)
    except zlib.error:
        content = b""
    if hashlib.sha256(content).hexdigest() != rows[0].sha256:
        raise StoreError(f"the kept bytes of snapshot {rows[0].sha256[:12]} were changed: restore them from a backup")
    return Snapshot.from_bytes(rows[0].content)


def record_issue(
    session: Session, snapshot_id: int, study_id: str, kind: str, at: datetime, sha256: str, path: str, software: str, *, by: str,
    language: str, page_size: str, organisation: str, mark: Mark,
) -> int:  # fmt: skip
    """Writes the row of a report that is being handed out; its id."""
    row = IssuedReport(
        study_id=study_id, snapshot_id=snapshot_id, kind=kind, issued_at=at, sha256=sha256, path=path, software=software,
        issued_by=by, language=language, page_size=page_size, organisation=organisation, mark=mark,
    )  # fmt: skip
    session.add(row)
    session.flush()
    assert row.id is not None
    return row.id


def issued_reports(session: Session, study_id: str | None = None) -> list[ReportOnRecord]:
    """Every issued report, oldest first, with its signatures."""
    signed: dict[int, list[Signature]] = {}
    for each in session.exec(select(ReportSignature).order_by(col(ReportSignature.id))):
        signed.setdefault(each.report_id, []).append(Signature(each.name, each.role, each.meaning, each.at, each.sha256))
    query = (
        select(IssuedReport, col(SnapshotRow.cutoff), col(SnapshotRow.sha256))
        .join(SnapshotRow, col(SnapshotRow.id) == col(IssuedReport.snapshot_id))
        .order_by(col(IssuedReport.id))
    )
    if study_id is not None:
        query = query.where(col(IssuedReport.study_id) == study_id)
    days: dict[tuple[str, str], list[date]] = {}
    found = []
    for row, cutoff, snapshot_sha256 in session.exec(query):
        assert row.id is not None
        day = cutoff if cutoff and row.kind in _BY_CUTOFF else row.issued_at.date()
        mark = row.mark or Mark.FINAL
        known = days.setdefault((row.study_id, row.kind), [])
        if mark is Mark.FINAL and day not in known:
            known.append(day)
        found.append(
            ReportOnRecord(
                row.id, known.index(day) + 1 if mark is Mark.FINAL else None, row.study_id, row.kind, day, cutoff,
                snapshot_sha256, row.sha256, row.issued_at, row.issued_by, row.language, row.page_size, row.organisation, mark,
                row.software, row.path, tuple(signed.get(row.id, ())),
            )
        )  # fmt: skip
    return found


def last_issued(session: Session, study_id: str, kind: str, before: date) -> ReportOnRecord | None:
    """The last final report of *kind* whose day is earlier than *before*."""
    earlier = [
        each for each in issued_reports(session, study_id) if each.kind == kind and each.number and each.day < before
    ]
    return max(earlier, key=lambda each: (each.day, each.id), default=None)


def sign(session: Session, report_id: int, signature: Signature) -> None:
    """Puts *signature* on the report; it is never changed or removed again."""
    session.add(
        ReportSignature(
            report_id=report_id, name=signature.name, role=signature.role, meaning=signature.meaning, at=signature.at,
            sha256=signature.sha256,
        )
    )  # fmt: skip
    session.flush()
