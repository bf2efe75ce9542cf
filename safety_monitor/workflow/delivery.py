"""Delivery of what the outbox owes: lease, send, mark. At least once, never marked before it was accepted.

A crash between the server's acceptance and the mark sends the mail again, with the same Message-ID. Tries
have no end; the delay between them doubles up to ``longest_retry_seconds``. After every
``failures_before_next_contact`` failures the next contact is told of the stuck mail, by an alert of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import Session

from safety_monitor import store
from safety_monitor.alerts import routing
from safety_monitor.alerts.email import compose
from safety_monitor.alerts.journal import Journal
from safety_monitor.alerts.routing import Alert
from safety_monitor.alerts.transport import Receipt, Transport
from safety_monitor.config import Config, DeliverySettings, Person
from safety_monitor.store import audit, outbox
from safety_monitor.study import SettingsError
from safety_monitor.vocabulary import AlertKind
from safety_monitor.workflow.digests import bundle_storms
from safety_monitor.workflow.mailing import attachment_of

_RULE = "mail_keeps_failing"
_NOBODY = "nobody is configured to receive this; add a person with role safety_officer to config.yaml"


@dataclass
class Tally:
    """What one round did: mails accepted, tries that failed, next contacts told."""

    n_sent: int = 0
    n_failed: int = 0
    n_told: int = 0


@dataclass(frozen=True)
class _Leased:
    """An outbox row as delivery needs it, apart from the session that read it."""

    id: int
    alert: Alert
    until: datetime


def deliver_due(
    engine: Engine,
    transport: Transport,
    config: Config,
    now: Callable[[], datetime],
    worker: str,
    stopping: Callable[[], bool] = lambda: False,
) -> Tally:
    """Sends everything that is due, batch by batch, until nothing is or *stopping* says so.

    *worker* names this process and must be its own: leases are held under it. Safe to run in several
    processes at once. Database errors are raised; what servers do is recorded.
    """
    tally = Tally()
    journal = _journal(engine, config)
    while not stopping() and (batch := _lease(engine, config, journal, now(), worker)):
        with transport:
            for n, leased in enumerate(batch):
                if stopping() or now() + timedelta(seconds=config.mail.timeout_seconds) >= leased.until:
                    _give_back(
                        engine, batch[n:], now(), worker
                    )  # before a lease runs out under a slow server
                    break
                _deliver(engine, transport, config, journal, leased, now, worker, tally)
    return tally


def retry_delay(n_failures: int, settings: DeliverySettings) -> timedelta:
    """How long to wait after the *n_failures*-th failure in a row.

    >>> [int(retry_delay(n, DeliverySettings()).total_seconds()) for n in (1, 2, 3, 6, 7, 500)]
    [60, 120, 240, 1920, 3600, 3600]
    """
    doublings = min(n_failures - 1, 32)  # beyond that any delay is the longest
    return timedelta(seconds=min(settings.first_retry_seconds * 2**doublings, settings.longest_retry_seconds))


def acknowledge(engine: Engine, alert: str, *, actor: str, at: datetime) -> int | None:
    """Records that *actor* has seen the alert with this number or code; its number. None where no sent alert that
    still waits for it is meant; SettingsError where two have the code."""
    wanted = alert.strip().upper()
    with store.transaction(engine, actor=actor, reason=f"acknowledged as {wanted}", at=at) as session:
        ids = [row.id for row in outbox.with_code(session, wanted) if row.id is not None]
        if not ids and wanted.isdecimal():
            ids = [int(wanted)]
        if len(ids) > 1:
            raise SettingsError(f"alerts {', '.join(map(str, ids))} share the code {wanted}; use the number of yours")
        return ids[0] if ids and outbox.acknowledge(session, ids[0], by=actor, at=at) else None


def retry(engine: Engine, alert_id: int | None, *, actor: str, at: datetime) -> int:
    """Makes an unsent alert (None: every one) due *at*; how many. Not one that is being sent right now."""
    reason = f"retry of alert {alert_id}" if alert_id is not None else "retry of all unsent alerts"
    with store.transaction(engine, actor=actor, reason=reason, at=at) as session:
        return outbox.hasten(session, alert_id, at=at)


def _journal(engine: Engine, config: Config) -> Journal:
    with store.reading(engine) as session:
        return _kept(config.journal, audit.lineage(session))


@cache
def _kept(path: Path | None, lineage: str) -> Journal:
    """One for the life of the process: it reads on where it stopped."""
    return Journal(path, lineage)


def _accepted_earlier(session: Session, journal: Journal, at: datetime, worker: str) -> None:
    """Marks what a server accepted and this database does not know of: it was killed before the mark, or restored."""
    waiting = outbox.waiting(session, at)
    known = [waiting[message_id] for message_id in journal.message_ids() & waiting.keys()]
    for row in outbox.never_accepted(session, known) if known else ():
        if row.id is not None and (words := journal.accepted(Alert.model_validate(row.model_dump()))):
            outbox.mark_sent(session, row.id, worker=worker, at=at, reply=f"accepted earlier, by the journal, {words}")


def _lease(engine: Engine, config: Config, journal: Journal, at: datetime, worker: str) -> list[_Leased]:
    seconds = max(config.delivery.lease_seconds, 2 * config.mail.timeout_seconds)  # one try must fit into it
    with store.reading(engine) as session:
        if not outbox.is_due(session, at):
            return []
    with store.transaction(engine, actor=worker, reason="lease of due alerts", at=at) as session:
        _accepted_earlier(session, journal, at, worker)
        bundle_storms(session, config, at)
        rows = outbox.lease(session, now=at, owner=worker, limit=config.delivery.batch, seconds=seconds)
        until = at + timedelta(seconds=seconds)
        return [
            _Leased(row.id, Alert.model_validate(row.model_dump()), until)
            for row in rows
            if row.id is not None
        ]


def _give_back(engine: Engine, batch: Sequence[_Leased], at: datetime, worker: str) -> None:
    with store.transaction(engine, actor=worker, reason="lease given back", at=at) as session:
        for leased in batch:
            outbox.release(session, leased.id, worker=worker)


def _deliver(
    engine: Engine, transport: Transport, config: Config, journal: Journal, leased: _Leased, now: Callable[[], datetime],
    worker: str, tally: Tally,
) -> None:  # fmt: skip
    alert = leased.alert
    if alert.recipient_email == routing.UNADDRESSED:
        alert = _find_recipient(engine, config, leased, now(), worker)
    receipt = _send(transport, config, alert)
    at = now()
    if receipt.outcome == "accepted":
        told = [alert]
        if alert.kind is AlertKind.DIGEST:
            with store.reading(engine) as session:
                told += [Alert.model_validate(row.model_dump()) for row in outbox.told_by(session, leased.id)]
        journal.note(told, at.isoformat(timespec="seconds"), receipt.reply)
    with store.transaction(engine, actor=worker, reason=f"delivery: {receipt.outcome}", at=at) as session:
        if receipt.outcome == "accepted":
            outbox.mark_sent(session, leased.id, worker=worker, at=at, reply=receipt.reply)
            tally.n_sent += 1
            return
        n_failures = alert.n_attempts + 1
        outbox.mark_failed(
            session, leased.id, worker=worker, at=at, outcome=receipt.outcome, reply=receipt.reply,
            next_attempt_at=at + retry_delay(n_failures, config.delivery),
        )  # fmt: skip
        tally.n_failed += 1
        tally.n_told += outbox.enqueue(session, _tell_next(config, leased.id, alert, n_failures, receipt, at))


def _send(transport: Transport, config: Config, alert: Alert) -> Receipt:
    if alert.recipient_email == routing.UNADDRESSED:
        return Receipt("error", _NOBODY)
    try:
        message = compose(alert, config.mail, alert.created_at, attachment_of(alert))
    except Exception as error:  # one mail that cannot be written must not keep back the others
        return Receipt("error", f"the mail could not be written: {type(error).__name__}: {error}")
    return transport.send(message, alert.recipient_email)


def _find_recipient(engine: Engine, config: Config, leased: _Leased, at: datetime, worker: str) -> Alert:
    """The alert, given to whoever has been configured since; as it is where still nobody has."""
    alert = leased.alert
    people = routing.readdressed(alert, config)
    if not people:
        return alert
    first, *others = [routing.copy_for(alert, person, config.mail, at) for person in people]
    found = {
        name: getattr(first, name) for name in ("recipient_name", "recipient_email", "language", "payload")
    }
    alert = alert.model_copy(update=found)
    with store.transaction(
        engine, actor=worker, reason=f"alert {leased.id} has found a recipient", at=at
    ) as session:
        outbox.readdress(session, leased.id, alert, worker=worker)
        outbox.enqueue(session, others)
    return alert


def _tell_next(
    config: Config, alert_id: int, alert: Alert, n_failures: int, receipt: Receipt, at: datetime
) -> list[Alert]:
    """Alerts about *alert* being stuck, at every full count of failures; none about such an alert itself."""
    step, remainder = divmod(n_failures, config.delivery.failures_before_next_contact)
    if remainder or alert.kind is AlertKind.ALERT_UNDELIVERED:
        return []
    stuck = {
        "alert": alert_id, "name": alert.recipient_name, "email": alert.recipient_email,
        "n_failures": n_failures, "reply": receipt.reply,
    }  # fmt: skip
    contacts: tuple[Person, ...] = routing.next_contacts(
        config.people, alert.study_id, alert.recipient_email, step
    )
    return [
        routing.owe(
            person, ("undelivered", alert.unique_key), sender=config.mail, kind=AlertKind.ALERT_UNDELIVERED,
            rule_id=_RULE, payload={**alert.payload, "stuck": stuck, "changes": []}, at=at,
            study_id=alert.study_id, event_id=alert.event_id, event_version=alert.event_version,
        )
        for person in contacts
    ]  # fmt: skip
