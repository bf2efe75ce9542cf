"""Source records as they came: verbatim content by study, domain and key, with file, row and hash."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl
from sqlmodel import Session, col, select, update

from safety_monitor.records import Rejection
from safety_monitor.rules.normalise import Row, SourceRecord, canonical
from safety_monitor.store.session import bulk_insert
from safety_monitor.store.tables import ImportBatch, RejectionRow, SourceFile, SourceRow


@dataclass
class Tally:
    """What one import did to one domain."""

    n_new: int = 0
    n_changed: int = 0
    n_unchanged: int = 0
    n_deleted: int = 0
    n_rejected: int = 0


def open_batch(session: Session, study_id: str, at: datetime, actor: str, reason: str, backfill: bool) -> int:
    batch = ImportBatch(study_id=study_id, started_at=at, actor=actor, reason=reason, backfill=backfill)
    session.add(batch)
    session.flush()
    assert batch.id is not None
    return batch.id


def close_batch(session: Session, batch_id: int, tallies: Iterable[Tally]) -> None:
    """Writes the sums of *tallies* to the batch."""
    batch = session.get_one(ImportBatch, batch_id)
    for tally in tallies:
        for name, value in vars(tally).items():
            setattr(batch, name, getattr(batch, name) + value)
    session.flush()


def add_file(
    session: Session, batch_id: int, study_id: str, *, path: str, sha256: str, domain: str, format: str, encoding: str,
    n_rows: int,
) -> int:  # fmt: skip
    file = SourceFile(
        batch_id=batch_id, study_id=study_id, path=path, sha256=sha256, domain=domain, format=format,
        encoding=encoding, n_rows=n_rows,
    )  # fmt: skip
    session.add(file)
    session.flush()
    assert file.id is not None
    return file.id


def put(session: Session, study_id: str, domain: str, file_id: int, records: Sequence[SourceRecord], tally: Tally) -> None:
    """Inserts new records, updates changed ones (a deleted one comes back), leaves equal ones alone."""
    rows = session.exec(
        select(SourceRow.record_key, SourceRow.sha256, SourceRow.is_deleted, SourceRow.id).where(
            col(SourceRow.study_id) == study_id, col(SourceRow.domain) == domain
        )
    )
    known = {key: (sha256, is_deleted, row_id) for key, sha256, is_deleted, row_id in rows}
    new = []
    for record in records:
        values = {
            "file_id": file_id, "row_number": record.row, "sha256": record.sha256, "content": record.content,
            "is_deleted": False,
        }  # fmt: skip
        if record.key not in known:
            new.append({"study_id": study_id, "domain": domain, "record_key": record.key, **values})
            continue
        sha256, is_deleted, row_id = known[record.key]
        if sha256 == record.sha256 and not is_deleted:
            tally.n_unchanged += 1
            continue
        session.exec(update(SourceRow).where(col(SourceRow.id) == row_id).values(**values))
        tally.n_changed += 1
    bulk_insert(session, SourceRow, new)
    tally.n_new += len(new)


def mark_deleted(session: Session, study_id: str, domain: str, kept: set[str], tally: Tally) -> None:
    """Marks the records of a domain that are not in *kept* as deleted; they stay, with their content."""
    current = session.exec(
        select(SourceRow.id, SourceRow.record_key).where(
            col(SourceRow.study_id) == study_id, col(SourceRow.domain) == domain, col(SourceRow.is_deleted).is_(False)
        )
    ).all()
    for row_id, key in current:
        if key not in kept:
            session.exec(update(SourceRow).where(col(SourceRow.id) == row_id).values(is_deleted=True))
            tally.n_deleted += 1


def add_rejections(
    session: Session, batch_id: int, study_id: str, rejections: Iterable[tuple[Rejection, Row]]
) -> int:
    """Keeps refused rows with their content; how many were not refused in the same way before."""
    earlier = session.exec(select(RejectionRow).where(col(RejectionRow.study_id) == study_id))
    known = {(row.file, row.row, row.field, row.why, row.content) for row in earlier}
    n_new = 0
    for rejection, row in rejections:
        content = canonical(row)
        if (rejection.file, rejection.row, rejection.field, rejection.why, content) not in known:
            fields = {name: getattr(rejection, name) for name in Rejection.__slots__}
            session.add(RejectionRow(batch_id=batch_id, study_id=study_id, content=content, **fields))
            n_new += 1
    session.flush()
    return n_new


def domain_rows(session: Session, study_id: str, domain: str) -> list[Row]:
    """The current records of one domain, in order of their keys' first arrival."""
    return [json.loads(content) for content in _contents(session, study_id, domain)]


def row_places(session: Session, study_id: str, domain: str) -> Mapping[str, tuple[str, int]]:
    """Record key -> (file, row) of the record in force."""
    query = (
        select(SourceRow.record_key, SourceFile.path, SourceRow.row_number)
        .join(SourceFile, col(SourceFile.id) == col(SourceRow.file_id))
        .where(col(SourceRow.study_id) == study_id, col(SourceRow.domain) == domain)
    )
    return {key: (path, number) for key, path, number in session.exec(query)}


def domains(session: Session, study_id: str) -> set[str]:
    """The domains of which at least one file was imported, even an empty one."""
    return set(session.exec(select(SourceFile.domain).where(col(SourceFile.study_id) == study_id).distinct()))


def domain_frame(session: Session, study_id: str, domain: str) -> pl.DataFrame:
    """The same as a frame of text, one column per variable that any record has."""
    contents = _contents(session, study_id, domain)
    if not contents:
        return pl.DataFrame(schema={"USUBJID": pl.String})
    names = sorted({name for content in contents for name in json.loads(content)})
    lines = io.BytesIO("\n".join(contents).encode())
    return pl.read_ndjson(lines, schema=dict.fromkeys(names, pl.String))


def _contents(session: Session, study_id: str, domain: str) -> Sequence[str]:
    query = select(SourceRow.content).where(
        col(SourceRow.study_id) == study_id, col(SourceRow.domain) == domain, col(SourceRow.is_deleted).is_(False)
    )
    return session.exec(query.order_by(col(SourceRow.id))).all()
