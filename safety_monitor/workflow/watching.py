"""What time alone brings about: reports that fall due, drafts that nobody finishes, alerts that nobody acknowledges.

Looked at every minute by ``run``, and safe to repeat: what is owed at one point of time has one key, so that two schedulers, a
restart or a clock that was set back owe it once. Points that were slept through are not made up for; the latest is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session

from safety_monitor import store
from safety_monitor.alerts import routing
from safety_monitor.alerts.routing import Alert, Owed
from safety_monitor.config import Config
from safety_monitor.rules import notices
from safety_monitor.rules.clocks import hours, reminder
from safety_monitor.rules.escalation import EventState
from safety_monitor.store import clocks as clock_store
from safety_monitor.store import events, outbox, studies
from safety_monitor.study import StudySettings
from safety_monitor.vocabulary import AlertKind, DraftState

#: The actor of what time brings about.
ACTOR = "watch"
_UNREAD = "alert_unacknowledged"


def watch(engine: Engine, config: Config, at: datetime) -> int:
    """Owes every alert that *at* asks for; how many are new."""
    with store.reading(engine) as session:
        owed = _all_owed(session, config, at)
    if not owed:
        return 0
    with store.transaction(engine, actor=ACTOR, reason="what has fallen due", at=at) as session:
        return outbox.enqueue(session, owed)


def _all_owed(session: Session, config: Config, at: datetime) -> list[Alert]:
    owed: list[Alert] = []
    for study_id in studies.study_ids(session):
        settings = studies.settings_of(session, study_id)
        assert settings is not None
        sites = {subject.usubjid: subject.siteid for subject in events.subjects(session, study_id)}
        told = [*_clocks(session, settings, sites, at), *_drafts(session, settings, sites, at)]
        owed += routing.address(told, settings, config, at)
    owed += _unread(session, config, at)
    known = outbox.known_keys(session, [alert.unique_key for alert in owed])
    return [alert for alert in owed if alert.unique_key not in known]


def _clocks(session: Session, settings: StudySettings, sites: dict[str, str | None], at: datetime) -> list[Owed]:
    """Running clocks that have reached a point of their reminders."""
    owed = []
    due = [
        (each, reached)
        for each in clock_store.clocks(session, settings.id, running=True)
        if (reached := reminder(each.clock, at))
    ]
    stored = {each.id: each for each in events.stored_events(session, settings.id).values()} if due else {}
    for found, reached in due:
        event = stored[found.event_id].event
        assessment = stored[found.event_id].assessment
        state = EventState(
            usubjid=found.usubjid, aeseq=found.aeseq, term=found.term, version=found.clock.event_version,
            siteid=sites.get(found.usubjid), grade=event.grade, serious=bool(assessment and assessment.serious),
            serious_basis=tuple(assessment.serious_basis) if assessment else (), fatal=bool(assessment and assessment.fatal),
            onset=event.aestdtc, outcome=event.aeout,
        )  # fmt: skip
        owed.append(Owed(notices.remind(found.id, found.clock, reached), state, found.event_id))
    return owed


def _drafts(session: Session, settings: StudySettings, sites: dict[str, str | None], at: datetime) -> list[Owed]:
    """Drafts whose record has not come in time; told again each day."""
    owed = []
    for found in clock_store.drafts(session, settings.id, state=DraftState.OPEN):
        waiting = at - found.draft.opened_at
        if waiting >= hours("drafts", "unfinished_hours"):
            decision, state = notices.unfinished(
                found.id, found.draft, sites.get(found.draft.usubjid), waiting // timedelta(days=1)
            )
            owed.append(Owed(decision, state, None))
    return owed


def _unread(session: Session, config: Config, at: datetime) -> list[Alert]:
    """Alerts that none of their recipients has acknowledged in time: the next role is told, then the one after it."""
    first, again = hours("acknowledgement", "after_hours"), hours("acknowledgement", "every_hours")
    by_alert: dict[str, list[Any]] = {}
    for row in outbox.sent_and_unread(session, routing.acknowledged_kinds(), at - first):
        by_alert.setdefault(row.unique_key.rpartition("|")[0], []).append(row)
    return [alert for rows in by_alert.values() for alert in _escalated(rows, config, at, first, again)]


def _escalated(rows: Sequence[Any], config: Config, at: datetime, first: timedelta, again: timedelta) -> list[Alert]:
    oldest = min(rows, key=lambda row: row.sent_at)
    step = 1 + int((at - oldest.sent_at - first) / again)
    names = ", ".join(row.recipient_name for row in rows)
    late = {
        "name": names,
        "email": ", ".join(row.recipient_email for row in rows),
        "sent_at": f"{oldest.sent_at:%Y-%m-%d %H:%M} UTC",
    }
    people = routing.escalated_to(config.people, oldest.study_id, [row.recipient_email for row in rows], step)
    return [
        routing.owe(
            person, ("unacknowledged", oldest.unique_key.rpartition("|")[0], step), sender=config.mail,
            kind=AlertKind.ALERT_UNACKNOWLEDGED, rule_id=_UNREAD,
            payload={**oldest.payload, "unacknowledged": late, "changes": []},
            at=at, study_id=oldest.study_id, event_id=oldest.event_id, event_version=oldest.event_version,
        )
        for person in people
    ]  # fmt: skip
