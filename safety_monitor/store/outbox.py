"""The outbox: mails that are owed. Lease, send, mark: a crash leaves a sent mail or a row to be sent.

A row is written in the transaction of the change that owes it, once per unique key, and leaves ``pending``
only by ``mark_sent``. A lease keeps others away for a while; when its holder dies, the lease runs out and
somebody else sends. Each try is kept with the server's reply. Call these inside ``store.transaction``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import func, or_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col, select

from safety_monitor.store.tables import AlertRow, DeliveryAttempt
from safety_monitor.vocabulary import AlertKind, AlertState

_CHUNK = 500  # rows per statement: SQLite takes at most 32766 values


@dataclass(frozen=True, slots=True)
class Depth:
    """How full the outbox is. ``oldest_age`` is None where nothing waits; ``n_failing`` counts waiting rows
    that failed at least as often as was asked."""

    n_pending: int
    n_failing: int
    oldest_age: timedelta | None


def enqueue(session: Session, alerts: Sequence[SQLModel]) -> int:
    """Adds *alerts* (with the fields of the table) whose unique key is not there yet; how many were new."""
    session.flush()  # the events they point to
    connection = session.connection()
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    values = [alert.model_dump(exclude={"id"}) for alert in alerts]
    n_new = 0
    for start in range(0, len(values), _CHUNK):
        statement = make(AlertRow).values(values[start : start + _CHUNK])
        statement = statement.on_conflict_do_nothing(index_elements=["unique_key"])
        n_new += len(connection.execute(statement.returning(col(AlertRow.id))).all())
    return n_new


def lease(session: Session, *, now: datetime, owner: str, limit: int, seconds: float) -> list[AlertRow]:
    """Up to *limit* due rows that nobody holds, now held by *owner* for *seconds*; oldest due first.

    Commit before sending. No two callers get the same row: SQLite lets one writer in at a time, PostgreSQL
    skips rows that another transaction has locked.
    """
    query = (
        select(AlertRow)
        .where(col(AlertRow.state) == AlertState.PENDING, col(AlertRow.next_attempt_at) <= now)
        .where(col(AlertRow.digest_id).is_(None))
        .where(or_(col(AlertRow.leased_until).is_(None), col(AlertRow.leased_until) <= now))
        .order_by(col(AlertRow.next_attempt_at), col(AlertRow.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    rows = list(session.exec(query))
    for row in rows:
        row.lease_owner = owner
        row.leased_until = now + timedelta(seconds=seconds)
    session.flush()
    return rows


def mark_sent(session: Session, alert_id: int, *, worker: str, at: datetime, reply: str = "") -> bool:
    """The server took the mail. False where the row was sent already (by another, after the lease ran out):
    the mail went out twice with one Message-ID; both tries are kept. What a digest tells is sent with it."""
    session.add(DeliveryAttempt(alert_id=alert_id, at=at, worker=worker, outcome="accepted", reply=reply))
    members = update(AlertRow).where(col(AlertRow.digest_id) == alert_id, col(AlertRow.state) == AlertState.PENDING)
    session.exec(members.values(state=AlertState.SENT, sent_at=at, lease_owner=None, leased_until=None))
    return _change(
        session, alert_id, None, state=AlertState.SENT, sent_at=at,
        n_attempts=col(AlertRow.n_attempts) + 1, lease_owner=None, leased_until=None,
    )  # fmt: skip


def is_due(session: Session, now: datetime) -> bool:
    """Whether any row waits to be leased: a look that locks nothing, for workers that ask often."""
    query = select(AlertRow.id).where(
        col(AlertRow.state) == AlertState.PENDING, col(AlertRow.next_attempt_at) <= now, col(AlertRow.digest_id).is_(None),
        or_(col(AlertRow.leased_until).is_(None), col(AlertRow.leased_until) <= now),
    )  # fmt: skip
    return session.exec(query.limit(1)).first() is not None


def waiting(session: Session, now: datetime) -> dict[str, int]:
    """Message-ID -> id of every row that waits to be sent and that nobody holds."""
    query = select(AlertRow.message_id, AlertRow.id).where(
        col(AlertRow.state) == AlertState.PENDING, or_(col(AlertRow.leased_until).is_(None), col(AlertRow.leased_until) <= now)
    )
    return {message_id: alert_id for message_id, alert_id in session.exec(query) if alert_id is not None}


def never_accepted(session: Session, ids: Sequence[int]) -> list[AlertRow]:
    """Those of the rows *ids* that no server accepted as far as this database knows; locked."""
    taken = select(DeliveryAttempt.alert_id).where(col(DeliveryAttempt.outcome) == "accepted")
    query = select(AlertRow).where(col(AlertRow.id).in_(ids), col(AlertRow.id).not_in(taken))
    return list(session.exec(query.with_for_update(skip_locked=True)))


def told_by(session: Session, digest_id: int) -> list[AlertRow]:
    """The rows that the mail of the row *digest_id* tells."""
    return list(session.exec(select(AlertRow).where(col(AlertRow.digest_id) == digest_id).order_by(col(AlertRow.id))))


def untried(session: Session, now: datetime, *, except_for: Sequence[AlertKind], at_least: int) -> list[AlertRow]:
    """Rows that were never tried and that nobody holds, of recipients and kinds with *at_least* such rows; locked until the
    transaction ends, oldest first."""
    fresh = (
        col(AlertRow.state) == AlertState.PENDING, col(AlertRow.next_attempt_at) <= now, col(AlertRow.digest_id).is_(None),
        col(AlertRow.n_attempts) == 0, col(AlertRow.lease_owner).is_(None), col(AlertRow.kind).not_in(except_for),
    )  # fmt: skip
    many = select(AlertRow.recipient_email, AlertRow.kind).where(*fresh)
    many = many.group_by(col(AlertRow.recipient_email), col(AlertRow.kind)).having(func.count() >= at_least)
    storms = set(session.exec(many).all())
    if not storms:
        return []
    rows = session.exec(
        select(AlertRow).where(*fresh).order_by(col(AlertRow.created_at), col(AlertRow.id)).with_for_update(skip_locked=True)
    )
    return [row for row in rows if (row.recipient_email, row.kind) in storms]


def bundle(session: Session, digest_key: str, members: Sequence[int]) -> None:
    """The rows *members* are told by the mail of the row with the unique key *digest_key*."""
    digest_id = session.exec(select(AlertRow.id).where(col(AlertRow.unique_key) == digest_key)).one()
    session.exec(update(AlertRow).where(col(AlertRow.id).in_(members)).values(digest_id=digest_id))


def sent_and_unread(session: Session, kinds: Sequence[AlertKind], sent_before: datetime) -> list[AlertRow]:
    """Sent alerts of *kinds* that nobody has acknowledged, oldest first: neither them nor the same alert to another."""
    query = select(AlertRow).where(col(AlertRow.kind).in_(kinds), col(AlertRow.state) != AlertState.PENDING)
    rows = session.exec(query.order_by(col(AlertRow.id))).all()
    seen = {_same(row) for row in rows if row.state is AlertState.ACKNOWLEDGED}
    return [
        row
        for row in rows
        if row.state is AlertState.SENT and row.sent_at is not None and row.sent_at <= sent_before and _same(row) not in seen
    ]


def last_replies(session: Session, ids: Sequence[int]) -> dict[int, str]:
    """What was answered to the last try of each of the rows *ids*."""
    query = select(DeliveryAttempt.alert_id, DeliveryAttempt.reply).where(col(DeliveryAttempt.alert_id).in_(ids))
    return dict(session.exec(query.order_by(col(DeliveryAttempt.id))).all())


def came_back(session: Session) -> list[tuple[int, str, str]]:
    """Number, address and reply of sent mails that came back and that nobody has acknowledged since."""
    query = (
        select(AlertRow.id, AlertRow.recipient_email, DeliveryAttempt.reply)
        .join(DeliveryAttempt, col(DeliveryAttempt.alert_id) == col(AlertRow.id))
        .where(col(DeliveryAttempt.outcome) == "bounced", col(AlertRow.state) == AlertState.SENT)
        .order_by(col(DeliveryAttempt.id))
    )
    return [(number, email, reply) for number, email, reply in session.exec(query) if number is not None]


def known_keys(session: Session, keys: Sequence[str]) -> set[str]:
    """Those of *keys* that the outbox has."""
    found: set[str] = set()
    for start in range(0, len(keys), _CHUNK):
        found |= set(session.exec(select(AlertRow.unique_key).where(col(AlertRow.unique_key).in_(keys[start : start + _CHUNK]))))
    return found


def _same(row: AlertRow) -> str:
    """What the rows of one alert to several people have in common: the key without the address."""
    return row.unique_key.rpartition("|")[0]


def bounced(session: Session, message_id: str, *, at: datetime, reply: str) -> AlertRow | None:
    """Notes that the mail *message_id* came back with *reply*; its row, or None where there is no such mail, or that is known."""
    row = session.exec(select(AlertRow).where(col(AlertRow.message_id) == message_id)).first()
    if row is None or row.id is None:
        return None
    known = select(DeliveryAttempt.id).where(
        col(DeliveryAttempt.alert_id) == row.id, col(DeliveryAttempt.outcome) == "bounced", col(DeliveryAttempt.reply) == reply
    )
    if session.exec(known).first() is not None:
        return None
    session.add(DeliveryAttempt(alert_id=row.id, at=at, worker="bounces", outcome="bounced", reply=reply))
    session.flush()
    return row


def mark_failed(
    session: Session,
    alert_id: int,
    *,
    worker: str,
    at: datetime,
    next_attempt_at: datetime,
    outcome: Literal["temporary", "permanent", "error"],
    reply: str,
) -> bool:
    """The try failed; the row stays pending and is due again at *next_attempt_at*. False where *worker* no
    longer holds it: then only the try is kept."""
    session.add(DeliveryAttempt(alert_id=alert_id, at=at, worker=worker, outcome=outcome, reply=reply))
    return _change(
        session, alert_id, worker, next_attempt_at=next_attempt_at,
        n_attempts=col(AlertRow.n_attempts) + 1, lease_owner=None, leased_until=None,
    )  # fmt: skip


def acknowledge(session: Session, alert_id: int, *, by: str, at: datetime) -> bool:
    """Somebody has read a sent alert. False where it was not sent yet or is acknowledged already."""
    seen = {"state": AlertState.ACKNOWLEDGED, "acknowledged_at": at, "acknowledged_by": by}
    statement = update(AlertRow).where(col(AlertRow.state) == AlertState.SENT)
    session.exec(statement.where(col(AlertRow.digest_id) == alert_id).values(**seen))  # what a digest tells
    return bool(session.exec(statement.where(col(AlertRow.id) == alert_id).values(**seen)).rowcount == 1)


def with_code(session: Session, code: str) -> Sequence[AlertRow]:
    """The alerts with this acknowledgement code: one, but for a collision."""
    return session.exec(select(AlertRow).where(col(AlertRow.ack_code) == code)).all()


def hasten(session: Session, alert_id: int | None, *, at: datetime) -> int:
    """Pending alerts that nobody holds now are due *at*: this one, or all of them; how many."""
    free = or_(col(AlertRow.leased_until).is_(None), col(AlertRow.leased_until) <= at)
    statement = update(AlertRow).where(col(AlertRow.state) == AlertState.PENDING, free)
    if alert_id is not None:
        statement = statement.where(col(AlertRow.id) == alert_id)
    statement = statement.values(next_attempt_at=at, lease_owner=None, leased_until=None)
    return int(session.exec(statement).rowcount)


def release(session: Session, alert_id: int, *, worker: str) -> bool:
    """*worker* gives back what it holds without having tried it."""
    return _change(session, alert_id, worker, lease_owner=None, leased_until=None)


def readdress(session: Session, alert_id: int, to: SQLModel, *, worker: str) -> bool:
    """A pending alert held by *worker* goes to the recipient of *to*; its key and Message-ID stay."""
    values = to.model_dump(include={"recipient_name", "recipient_email", "language", "payload"})
    return _change(session, alert_id, worker, **values)


def listing(
    session: Session, *, study_id: str | None = None, state: str | None = None
) -> list[dict[str, Any]]:
    """Every alert of a study and state (None: all), newest first, with what it is about beside it."""
    query = select(AlertRow).order_by(col(AlertRow.created_at).desc(), col(AlertRow.id).desc())
    if study_id is not None:
        query = query.where(col(AlertRow.study_id) == study_id)
    if state is not None:
        query = query.where(col(AlertRow.state) == AlertState(state))
    return [_described(row) for row in session.exec(query)]


def detail(session: Session, alert_id: int) -> dict[str, Any] | None:
    """One alert with every attempt to deliver it, oldest first; None where there is no such alert."""
    row = session.get(AlertRow, alert_id)
    if row is None:
        return None
    tries = select(DeliveryAttempt).where(col(DeliveryAttempt.alert_id) == alert_id)
    tries = tries.order_by(col(DeliveryAttempt.id))
    attempts = [attempt.model_dump(exclude={"id", "alert_id"}) for attempt in session.exec(tries)]
    return {**_described(row), "payload": dict(row.payload), "attempts": attempts}


def _described(row: AlertRow) -> dict[str, Any]:
    about = {name: row.payload.get(name) for name in ("siteid", "usubjid", "aeseq", "term", "grade", "fatal", "why")}
    return {**row.model_dump(exclude={"payload"}), **about}


def depth(session: Session, *, now: datetime, failing: int) -> Depth:
    """What waits; ``n_failing`` counts rows with at least *failing* failed tries."""
    n_pending, oldest = session.exec(
        select(func.count(), func.min(AlertRow.created_at)).where(
            col(AlertRow.state) == AlertState.PENDING, col(AlertRow.digest_id).is_(None)
        )
    ).one()
    n_failing = session.exec(
        select(func.count())
        .select_from(AlertRow)
        .where(col(AlertRow.state) == AlertState.PENDING, col(AlertRow.n_attempts) >= failing)
    ).one()
    return Depth(n_pending, n_failing, None if oldest is None else now - oldest)


def _change(session: Session, alert_id: int, holder: str | None, **values: object) -> bool:
    """Compare and set on a pending row; *holder* None: whoever holds it."""
    statement = update(AlertRow).where(col(AlertRow.id) == alert_id)
    statement = statement.where(col(AlertRow.state) == AlertState.PENDING)
    if holder is not None:
        statement = statement.where(col(AlertRow.lease_owner) == holder)
    return session.exec(statement.values(**values)).rowcount == 1
