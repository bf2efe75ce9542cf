"""The tables: what is kept, one class per table.

A table class that has a value class (``AdverseEventRow`` of ``records.AdverseEvent``) adds keys to it. Table
classes do not validate: build the value first; the CHECK constraints are the second line, for raw SQL too.
Instants are UTC and aware (a naive one is refused), dates are dates, ids are 64 bits. Records are never
erased: ``is_deleted`` marks them. What is audited and how: ``store.triggers``.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, LargeBinary, PrimaryKeyConstraint, String, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from safety_monitor.records import (
    ActionItem,
    AdverseEvent,
    Assessment,
    CaseDecision,
    Clock,
    ComponentOpinion,
    Episode,
    Query,
    SaeDraft,
    Subject,
)
from safety_monitor.store.columns import BigId, Instant, Json, Words, word
from safety_monitor.vocabulary import (
    AlertKind,
    AlertState,
    CaseState,
    ClockCause,
    ClockState,
    DraftState,
    EpisodeEnd,
    JobStatus,
    Mark,
    Match,
    Matter,
    QueryState,
    Role,
)

metadata = SQLModel.metadata
metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


def _one_of(column: str, kind: Any) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(m.value) for m in kind)})", name=column)


class StudyVersion(SQLModel, table=True):
    """The settings of a study as they stood; the highest version is in force."""

    __tablename__ = "study_version"
    __table_args__ = (
        CheckConstraint("version >= 1", name="version"),
        CheckConstraint("study_id <> ''", name="study_id"),
    )

    study_id: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    settings: dict[str, Any] = Field(sa_type=Json)
    sha256: str
    created_at: datetime = Field(sa_type=Instant)


class ImportBatch(SQLModel, table=True):
    """One run of ``import`` and what it did."""

    __tablename__ = "import_batch"
    __table_args__ = (
        CheckConstraint("n_new >= 0 AND n_changed >= 0 AND n_unchanged >= 0", name="counts"),
        CheckConstraint("n_deleted >= 0 AND n_rejected >= 0", name="refusals"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    study_id: str = Field(index=True)
    started_at: datetime = Field(sa_type=Instant)
    actor: str
    reason: str
    backfill: bool = False
    n_new: int = 0
    n_changed: int = 0
    n_unchanged: int = 0
    n_deleted: int = 0
    n_rejected: int = 0


class SourceFile(SQLModel, table=True):
    """One file of an import; its hash and row count stand in the audit for the rows inserted from it."""

    __tablename__ = "source_file"
    __table_args__ = (CheckConstraint("n_rows >= 0", name="n_rows"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    batch_id: int = Field(foreign_key="import_batch.id", index=True, sa_type=BigId)
    study_id: str
    path: str
    sha256: str
    domain: str
    format: str
    encoding: str | None = None
    n_rows: int


class SourceRow(SQLModel, table=True):
    """One record as it came, by domain and key: ``content`` is the canonical JSON of the verbatim values."""

    __tablename__ = "source_row"
    __table_args__ = (UniqueConstraint("study_id", "domain", "record_key"),)  # serves look-ups by domain too

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    study_id: str
    domain: str
    record_key: str
    file_id: int = Field(foreign_key="source_file.id", sa_type=BigId)
    row_number: int
    sha256: str
    content: str = Field(sa_type=Text)
    is_deleted: bool = False


class RejectionRow(SQLModel, table=True):
    """A source row that was refused: what, where, why, and what to do."""

    __tablename__ = "rejection"

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    batch_id: int = Field(foreign_key="import_batch.id", index=True, sa_type=BigId)
    study_id: str
    file: str
    row: int
    field: str
    value: str
    why: str
    remedy: str
    content: str | None = Field(default=None, sa_type=Text)


class SubjectRow(Subject, table=True):
    __tablename__ = "subject"
    __table_args__ = (
        UniqueConstraint("study_id", "usubjid"),
        CheckConstraint("usubjid <> ''", name="usubjid"),
        CheckConstraint("age IS NULL OR age >= 0", name="age"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)


class AdverseEventRow(AdverseEvent, table=True):
    """``version`` counts the changes of what was reported, from 1."""

    __tablename__ = "adverse_event"
    __table_args__ = (
        UniqueConstraint("study_id", "usubjid", "aeseq"),
        CheckConstraint("usubjid <> ''", name="usubjid"),
        CheckConstraint("grade IS NULL OR grade BETWEEN 0 AND 5", name="grade"),
        CheckConstraint("version >= 1", name="version"),
        CheckConstraint("changed_at >= first_seen_at", name="instants"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    relatedness: dict[str, str] = Field(default_factory=dict, sa_type=Json)
    actions: dict[str, str] = Field(default_factory=dict, sa_type=Json, sa_column_kwargs={"server_default": "{}"})
    version: int = 1
    first_seen_at: datetime = Field(sa_type=Instant)
    changed_at: datetime = Field(sa_type=Instant)
    is_deleted: bool = False
    source_file: str | None = None
    source_row_number: int | None = None


class AssessmentRow(Assessment, table=True):
    """The latest assessment of an event; earlier ones are in the audit."""

    __tablename__ = "assessment"

    event_id: int = Field(primary_key=True, foreign_key="adverse_event.id", sa_type=BigId)
    serious_basis: tuple[str, ...] = Field(default=(), sa_type=Words)
    susar: tuple[str, ...] = Field(default=(), sa_type=Words)
    queries: tuple[str, ...] = Field(default=(), sa_type=Words)
    assessed_at: datetime = Field(sa_type=Instant)
    engine_version: str


class ComponentOpinionRow(ComponentOpinion, table=True):
    """The latest opinion of one author on one cause of an event."""

    __tablename__ = "component_opinion"
    __table_args__ = (
        PrimaryKeyConstraint("event_id", "component", "author"),
        CheckConstraint("share IS NULL OR share BETWEEN 0 AND 1", name="share"),
    )

    event_id: int = Field(primary_key=True, foreign_key="adverse_event.id", sa_type=BigId)
    component: str = Field(primary_key=True)
    author: str = Field(primary_key=True)
    pieces: tuple[tuple[str, str, float], ...] = Field(default=(), sa_type=Json)
    at: datetime = Field(sa_type=Instant)


class EpisodeRow(Episode, table=True):
    """``version`` counts the changes of the case: of its state, and of the worst grade while it is open. An episode that the
    results no longer give is marked ``is_withdrawn``.
    """

    __tablename__ = "episode"
    __table_args__ = (
        Index("ix_episode_study_id", "study_id", "usubjid", "term"),
        _one_of("ended", EpisodeEnd),
        _one_of("link", Match),
        _one_of("case_state", CaseState),
        CheckConstraint("worst_grade BETWEEN 1 AND 5 AND onset_grade BETWEEN 1 AND worst_grade", name="grades"),
        CheckConstraint("onset_on <= worst_on AND worst_on <= last_on", name="days"),
        CheckConstraint("(ended = 'resolved') = (resolved_on IS NOT NULL)", name="resolved"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    ended: EpisodeEnd = Field(sa_type=word(EpisodeEnd))
    link: Match = Field(default=Match.UNREPORTED, sa_type=word(Match))
    case_state: CaseState = Field(default=CaseState.NONE, sa_type=word(CaseState))
    changes: tuple[tuple[str, int], ...] = Field(default=(), sa_type=Json)
    candidates: tuple[int, ...] = Field(default=(), sa_type=Json)
    is_withdrawn: bool = False
    version: int = 1
    first_seen_at: datetime = Field(sa_type=Instant)
    changed_at: datetime = Field(sa_type=Instant)
    decided_by: str | None = None
    decided_at: datetime | None = Field(default=None, sa_type=Instant)
    decision: str | None = None


class QueryRow(Query, table=True):
    """One question, kept once; it is reopened rather than asked again. ``closed_by``: a person, or ``data`` where the data
    were corrected.
    """

    __tablename__ = "query"
    __table_args__ = (
        UniqueConstraint("study_id", "query_key"),
        _one_of("state", QueryState),
        CheckConstraint("(state = 'closed') = (closed_at IS NOT NULL AND closed_by IS NOT NULL)", name="closed"),
        CheckConstraint("n_reopened >= 0", name="n_reopened"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    query_key: str
    state: QueryState = Field(default=QueryState.OPEN, sa_type=word(QueryState))
    opened_at: datetime = Field(sa_type=Instant)
    changed_at: datetime = Field(sa_type=Instant)
    n_reopened: int = 0
    reopened_at: datetime | None = Field(default=None, sa_type=Instant)
    answer: str | None = None
    answered_by: str | None = None
    answered_at: datetime | None = Field(default=None, sa_type=Instant)
    closed_at: datetime | None = Field(default=None, sa_type=Instant)
    closed_by: str | None = None
    close_reason: str | None = None


class ClockRow(Clock, table=True):
    """What is settled when a clock is opened is kept so by a trigger (``store.triggers.SETTLED``)."""

    __tablename__ = "clock"
    __table_args__ = (
        UniqueConstraint("event_id", "rule_id", "component", "number"),
        CheckConstraint("number >= 1", name="number"),
        CheckConstraint("due_at >= aware_at", name="due"),
        CheckConstraint(
            "(state = 'running') = (closed_at IS NULL AND closed_by IS NULL AND close_reason IS NULL)", name="closed"
        ),
        CheckConstraint("(state = 'met') = (met_at IS NOT NULL)", name="met"),
        _one_of("state", ClockState),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    study_id: str = Field(index=True)
    event_id: int = Field(foreign_key="adverse_event.id", sa_type=BigId)
    cause: ClockCause = Field(sa_type=word(ClockCause))
    linked_id: int | None = Field(default=None, foreign_key="clock.id", sa_type=BigId)
    aware_at: datetime = Field(sa_type=Instant)
    aware_basis: str = Field(sa_type=String(32))
    due_at: datetime = Field(sa_type=Instant)
    inputs: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    opened_at: datetime = Field(sa_type=Instant)
    state: ClockState = Field(default=ClockState.RUNNING, sa_type=word(ClockState))
    closed_at: datetime | None = Field(default=None, sa_type=Instant)
    met_at: datetime | None = Field(default=None, sa_type=Instant)


class CaseDecisionRow(CaseDecision, table=True):
    __tablename__ = "case_decision"
    __table_args__ = (_one_of("subject_matter", Matter),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    event_id: int = Field(foreign_key="adverse_event.id", index=True, sa_type=BigId)
    subject_matter: Matter = Field(sa_type=word(Matter))
    role: Role = Field(sa_type=word(Role))
    at: datetime = Field(sa_type=Instant)


class SaeDraftRow(SaeDraft, table=True):
    __tablename__ = "sae_draft"
    __table_args__ = (
        _one_of("state", DraftState),
        CheckConstraint("(state = 'reported') = (aeseq IS NOT NULL)", name="reported"),
        CheckConstraint("(state = 'open') = (closed_at IS NULL)", name="closed"),
        CheckConstraint("grade IS NULL OR grade BETWEEN 1 AND 5", name="grade"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    study_id: str = Field(index=True)
    criteria: tuple[str, ...] = Field(default=(), sa_type=Words)
    aware_at: datetime = Field(sa_type=Instant)
    state: DraftState = Field(default=DraftState.OPEN, sa_type=word(DraftState))
    opened_at: datetime = Field(sa_type=Instant)
    closed_at: datetime | None = Field(default=None, sa_type=Instant)


class AlertRow(SQLModel, table=True):
    """The outbox: a mail owed, written with the change that owes it. It leaves ``pending`` only when sent.

    ``digest_id``: the row (of kind digest) whose mail tells this one too; it is sent when that one is.
    """

    __tablename__ = "alert"
    __table_args__ = (
        UniqueConstraint("unique_key"),
        UniqueConstraint("message_id"),
        _one_of("state", AlertState),
        CheckConstraint("(state = 'pending') = (sent_at IS NULL)", name="sent"),
        CheckConstraint(
            "(state = 'acknowledged') = (acknowledged_at IS NOT NULL AND acknowledged_by IS NOT NULL)",
            name="acknowledged",
        ),
        CheckConstraint("(lease_owner IS NULL) = (leased_until IS NULL)", name="lease"),
        CheckConstraint("n_attempts >= 0", name="n_attempts"),
        CheckConstraint("recipient_email LIKE '%_@_%'", name="recipient_email"),
        Index(
            "ix_alert_due", "next_attempt_at", "id",
            sqlite_where=text("state = 'pending'"), postgresql_where=text("state = 'pending'"),
        ),
    )  # fmt: skip

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    study_id: str = Field(index=True)
    event_id: int | None = Field(default=None, foreign_key="adverse_event.id", index=True, sa_type=BigId)
    event_version: int | None = None
    kind: AlertKind = Field(sa_type=word(AlertKind))
    rule_id: str
    recipient_name: str
    recipient_email: str
    language: str = "en"
    unique_key: str
    message_id: str
    payload: dict[str, Any] = Field(sa_type=Json)
    state: AlertState = Field(default=AlertState.PENDING, sa_type=word(AlertState))
    created_at: datetime = Field(sa_type=Instant)
    next_attempt_at: datetime = Field(sa_type=Instant)
    n_attempts: int = 0
    lease_owner: str | None = None
    leased_until: datetime | None = Field(default=None, sa_type=Instant)
    sent_at: datetime | None = Field(default=None, sa_type=Instant)
    ack_code: str
    acknowledged_at: datetime | None = Field(default=None, sa_type=Instant)
    acknowledged_by: str | None = None
    digest_id: int | None = Field(default=None, foreign_key="alert.id", index=True, sa_type=BigId)


class DeliveryAttempt(SQLModel, table=True):
    """One try to hand one mail over, with the server's reply."""

    __tablename__ = "delivery_attempt"
    __table_args__ = (
        CheckConstraint("outcome IN ('accepted', 'temporary', 'permanent', 'error', 'bounced')", name="outcome"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    alert_id: int = Field(foreign_key="alert.id", index=True, sa_type=BigId)
    at: datetime = Field(sa_type=Instant)
    worker: str
    outcome: str
    reply: str = ""


class SnapshotRow(SQLModel, table=True):
    """A frozen study (``records.Snapshot.to_bytes``); the same content is kept once."""

    __tablename__ = "snapshot"
    __table_args__ = (UniqueConstraint("study_id", "sha256"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    study_id: str
    cutoff: date | None = None
    created_at: datetime = Field(sa_type=Instant)
    sha256: str
    content: bytes = Field(sa_type=LargeBinary)


class IssuedReport(SQLModel, table=True):
    """A report that left the house: of which snapshot, which bytes, made by which software, and all that printing it took.

    What is null was not recorded yet when the report was issued (before revision 0006).
    """

    __tablename__ = "issued_report"
    __table_args__ = (_one_of("mark", Mark),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    study_id: str = Field(index=True)
    snapshot_id: int = Field(foreign_key="snapshot.id", index=True, sa_type=BigId)
    kind: str
    issued_at: datetime = Field(sa_type=Instant)
    sha256: str
    path: str
    software: str
    issued_by: str | None = None
    language: str | None = None
    page_size: str | None = None
    organisation: str | None = None
    mark: Mark | None = Field(default=None, sa_type=word(Mark))


class ReportSignature(SQLModel, table=True):
    """Who signed an issued report, in which role, meaning what; ``sha256`` is that of the bytes that were signed."""

    __tablename__ = "report_signature"
    __table_args__ = (
        UniqueConstraint("report_id", "name", "meaning"),
        CheckConstraint("name <> '' AND meaning <> ''", name="said"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    report_id: int = Field(foreign_key="issued_report.id", sa_type=BigId)
    name: str
    role: Role = Field(sa_type=word(Role))
    meaning: str
    at: datetime = Field(sa_type=Instant)
    sha256: str


class ActionItemRow(ActionItem, table=True):
    __tablename__ = "action_item"
    __table_args__ = (
        CheckConstraint("text <> '' AND owner <> ''", name="asked"),
        CheckConstraint("(closed_at IS NULL) = (closed_by IS NULL)", name="closed"),
        CheckConstraint("(closed_at IS NULL) = (resolution IS NULL)", name="resolution"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    study_id: str = Field(index=True)
    report_id: int | None = Field(default=None, foreign_key="issued_report.id", sa_type=BigId)
    opened_at: datetime = Field(sa_type=Instant)
    closed_at: datetime | None = Field(default=None, sa_type=Instant)


class JobRun(SQLModel, table=True):
    """The truth of what ran: one row per period of a job."""

    __tablename__ = "job_run"
    __table_args__ = (
        _one_of("status", JobStatus),
        CheckConstraint("n_attempts >= 1", name="n_attempts"),
        CheckConstraint("(status = 'running') = (finished_at IS NULL)", name="finished"),
    )

    job: str = Field(primary_key=True)
    period: str = Field(primary_key=True)
    status: JobStatus = Field(default=JobStatus.RUNNING, sa_type=word(JobStatus))
    n_attempts: int = 1
    started_at: datetime = Field(sa_type=Instant)
    finished_at: datetime | None = Field(default=None, sa_type=Instant)
    detail: str = ""


class Heartbeat(SQLModel, table=True):
    __tablename__ = "heartbeat"

    name: str = Field(primary_key=True)
    at: datetime = Field(sa_type=Instant)
    detail: str = ""


class AuditEntry(SQLModel, table=True):
    """Who changed what, when and why. Written by triggers only, never changed; see ``store.audit``."""

    __tablename__ = "audit"
    __table_args__ = (
        CheckConstraint("action IN ('insert', 'update', 'delete')", name="action"),
        Index("ix_audit_table_name_row_key", "table_name", "row_key"),
    )

    seq: int = Field(primary_key=True, sa_type=BigId, sa_column_kwargs={"autoincrement": False})
    at: datetime = Field(sa_type=Instant)
    actor: str
    reason: str
    table_name: str
    row_key: str
    action: str
    changes: str = Field(sa_type=Text)
    previous_hash: str
    hash: str


class AuditHead(SQLModel, table=True):
    """Where the audit ended at the last commit: shows entries cut off its end. One row."""

    __tablename__ = "audit_head"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: int = Field(default=1, primary_key=True)
    seq: int = Field(sa_type=BigId)
    hash: str
