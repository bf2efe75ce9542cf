"""The ledger of scheduled work: one row per period of a job, so that each period runs once, whoever asks.

A restart, two schedulers or a clock change ask again for a period that has a row, and are refused; a period
that failed, or whose worker has been silent for too long, may be claimed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Engine, and_, or_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from safety_monitor.store.session import transaction
from safety_monitor.store.tables import Heartbeat, JobRun
from safety_monitor.vocabulary import JobStatus

ACTOR = "scheduler"


def claim(engine: Engine, job: str, period: str, now: datetime, *, stale_after: timedelta) -> bool:
    """True for exactly one of all who ask for this period of *job*.

    Later claims succeed where the period failed, or started at least *stale_after* ago and never ended.
    """
    make = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
    stale = and_(col(JobRun.status) == JobStatus.RUNNING, col(JobRun.started_at) <= now - stale_after)
    begun = {"status": JobStatus.RUNNING, "started_at": now, "finished_at": None, "detail": ""}
    statement = make(JobRun).values(job=job, period=period, n_attempts=1, **begun)
    statement = statement.on_conflict_do_update(
        index_elements=["job", "period"],
        set_={**begun, "n_attempts": JobRun.n_attempts + 1},
        where=or_(col(JobRun.status) == JobStatus.FAILED, stale),
    )
    with transaction(engine, actor=ACTOR, reason=f"claim {job} {period}", at=now) as session:
        taken = session.connection().execute(statement.returning(col(JobRun.n_attempts)))
        return taken.first() is not None


def finish(engine: Engine, job: str, period: str, at: datetime, detail: str = "") -> None:
    """The period is done, for good."""
    _end(engine, job, period, at, JobStatus.DONE, detail)


def fail(engine: Engine, job: str, period: str, at: datetime, detail: str) -> None:
    """The period failed; it may be claimed again. A period that is done stays done."""
    _end(engine, job, period, at, JobStatus.FAILED, detail)


def runs(session: Session, job: str | None = None) -> Sequence[JobRun]:
    """The ledger's rows, of one job or of all, by job and period."""
    query = select(JobRun).order_by(col(JobRun.job), col(JobRun.period))
    return session.exec(query if job is None else query.where(col(JobRun.job) == job)).all()


def unfinished(session: Session, job: str | None = None) -> Sequence[JobRun]:
    """The rows that are running or failed, of one job or of all, by job and period."""
    query = select(JobRun).where(col(JobRun.status) != JobStatus.DONE)
    query = query.order_by(col(JobRun.job), col(JobRun.period))
    return session.exec(query if job is None else query.where(col(JobRun.job) == job)).all()


def failed(session: Session) -> Sequence[JobRun]:
    """The periods whose last try failed, by job and period."""
    return [row for row in unfinished(session) if row.status is JobStatus.FAILED]


def beat(engine: Engine, name: str, at: datetime, detail: str = "") -> None:
    """*name* is alive at *at*; two that beat at once do not trip over each other."""
    make = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
    statement = make(Heartbeat).values(name=name, at=at, detail=detail)
    statement = statement.on_conflict_do_update(index_elements=["name"], set_={"at": at, "detail": detail})
    with transaction(engine, actor=ACTOR, reason="heartbeat", at=at) as session:
        session.connection().execute(statement)


def last_beat(session: Session, name: str) -> Heartbeat | None:
    """When *name* last showed life; None where it never did."""
    return session.get(Heartbeat, name)


def _end(engine: Engine, job: str, period: str, at: datetime, status: JobStatus, detail: str) -> None:
    statement = (
        update(JobRun)
        .where(col(JobRun.job) == job, col(JobRun.period) == period, col(JobRun.status) != JobStatus.DONE)
        .values(status=status, finished_at=at, detail=detail)
    )
    with transaction(engine, actor=ACTOR, reason=f"{status} {job} {period}", at=at) as session:
        session.connection().execute(statement)
