"""Who is told of an alert, and the outbox row that each of them is owed.

By role, study, site and grade, from the routes of ``config.yaml`` or, where it has none, from ``routes.toml``
beside this file. Investigators hear of their own site only. Where nobody fits, the safety officers are told;
where there are none either, the row is kept under ``UNADDRESSED``: delivery gives it to the first who is
configured later, and ``doctor`` complains meanwhile. An unknown grade or a death is never filtered out by
``min_grade``: what is not known may be grade 5.
"""

from __future__ import annotations

import base64
import hashlib
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from email.utils import parseaddr
from functools import cache
from importlib.resources import files
from typing import Any

from sqlmodel import Field, SQLModel

from safety_monitor.config import Config, MailSettings, Person, Route
from safety_monitor.rules.escalation import AlertDecision, EventState
from safety_monitor.study import StudySettings
from safety_monitor.vocabulary import AlertKind, AlertState, Role

#: Stands where a recipient should: nobody is configured. ``.invalid`` never leads anywhere (RFC 2606).
UNADDRESSED = "nobody@unconfigured.invalid"


class Alert(SQLModel):
    """One mail owed to one person: the columns of the outbox that are settled when it is owed."""

    study_id: str
    event_id: int | None = None
    event_version: int | None = None
    kind: AlertKind
    rule_id: str
    recipient_name: str
    recipient_email: str
    language: str = "en"
    unique_key: str
    message_id: str
    payload: dict[str, Any] = Field(default_factory=dict)
    state: AlertState = AlertState.PENDING
    created_at: datetime
    next_attempt_at: datetime
    n_attempts: int = 0
    ack_code: str


@dataclass(frozen=True, slots=True)
class Owed:
    """A decision, the event it is about, and the event's row (None for a refused row, which has none)."""

    decision: AlertDecision
    event: EventState
    event_id: int | None


def recipients(
    decision: AlertDecision,
    event: EventState,
    study_id: str,
    people: Sequence[Person],
    routes: Sequence[Route],
) -> tuple[Person, ...]:
    """Everybody who is owed a mail, in the order of *people*, each address once; empty where there is nobody.

    Without *routes* the default ones apply.
    """
    fitting = [route for route in routes or default_routes() if _fits(route, decision, event)]
    roles = {role for route in fitting for role in route.roles}
    everywhere = {role for route in fitting if route.every_site for role in route.roles}
    found = [
        p
        for p in people
        if p.role in roles and _in_study(p, study_id) and (p.role in everywhere or _at_site(p, event.siteid))
    ]
    officers = [p for p in people if p.role is Role.SAFETY_OFFICER]
    return _distinct(found or [p for p in officers if _in_study(p, study_id)] or officers)


def address(owed: Iterable[Owed], settings: StudySettings, config: Config, at: datetime) -> list[Alert]:
    """The outbox rows for *owed*: one a recipient; where there is none, one under ``UNADDRESSED``."""
    alerts = []
    for item in owed:
        people = recipients(item.decision, item.event, settings.id, config.people, config.routes)
        facts = _facts(item, settings)
        parts = (
            settings.id, item.event.usubjid, item.event.aeseq, item.decision.distinct or item.event.version,
            item.decision.rule_id,
        )  # fmt: skip
        for person in people or (None,):
            alerts.append(
                owe(
                    person, parts, sender=config.mail, kind=item.decision.kind, rule_id=item.decision.rule_id,
                    payload=facts, at=at, study_id=settings.id, event_id=item.event_id,
                    event_version=item.event.version or None,
                )
            )  # fmt: skip
    return alerts


def owe(
    person: Person | None,
    parts: Sequence[object],
    *,
    sender: MailSettings,
    kind: AlertKind,
    rule_id: str,
    payload: dict[str, Any],
    at: datetime,
    study_id: str,
    event_id: int | None = None,
    event_version: int | None = None,
) -> Alert:
    """The row for one recipient. Its key, Message-ID and acknowledgement code all follow from *parts* and the
    address, so that deciding again, or sending again after a crash, is recognisably the same mail."""
    email = person.email if person else UNADDRESSED
    key = unique_key(*parts, email)
    digest = hashlib.sha256(key.encode()).digest()
    return Alert(
        study_id=study_id,
        event_id=event_id,
        event_version=event_version,
        kind=kind,
        rule_id=rule_id,
        recipient_name=person.name if person else "nobody configured",
        recipient_email=email,
        language=person.language if person else "en",
        unique_key=key,
        message_id=f"<{digest.hex()[:40]}@{_domain(sender)}>",
        payload={**payload, "role": person.role.value if person else None},
        created_at=at,
        next_attempt_at=at,
        ack_code=base64.b32encode(digest[-5:]).decode(),
    )


def readdressed(alert: Alert, config: Config) -> tuple[Person, ...]:
    """Who is owed an alert that nobody could be found for, by the people and routes as they are now."""
    about = alert.payload
    event = EventState(
        usubjid=about["usubjid"], aeseq=about["aeseq"], term=about["term"], version=alert.event_version or 0,
        siteid=about["siteid"], grade=about["grade"], fatal=about["fatal"],
    )  # fmt: skip
    decision = AlertDecision(alert.kind, alert.rule_id, about["why"])
    return recipients(decision, event, alert.study_id, config.people, config.routes)


def copy_for(alert: Alert, person: Person, sender: MailSettings, at: datetime) -> Alert:
    """The row of *alert* for one more person."""
    return owe(
        person, ("copy", alert.unique_key), sender=sender, kind=alert.kind, rule_id=alert.rule_id,
        payload=alert.payload, at=at, study_id=alert.study_id, event_id=alert.event_id,
        event_version=alert.event_version,
    )  # fmt: skip


def unique_key(*parts: object) -> str:
    """*parts* joined by ``|``; no two different lists give the same key.

    >>> unique_key("S1", "S1-01", 7, 2, "grade_changed", "a@b.org")
    'S1|S1-01|7|2|grade_changed|a@b.org'
    >>> unique_key("a|b") != unique_key("a", "b")
    True
    """
    texts = ("" if part is None else str(part) for part in parts)
    return "|".join(text.replace("\\", "\\\\").replace("|", "\\|") for text in texts)


def next_contacts(people: Sequence[Person], study_id: str, failing: str, step: int) -> tuple[Person, ...]:
    """Who is told at the *step*-th time (from 1) that mails to the address *failing* do not get through."""
    tiers = []
    for role in _defaults()["next_contact"]["roles"]:
        others = (p for p in people if p.role == role and p.email.casefold() != failing.casefold())
        if tier := _distinct([p for p in others if _in_study(p, study_id)]):
            tiers.append(tier)
    return tiers[step - 1] if 0 < step <= len(tiers) else ()


@cache
def default_routes() -> tuple[Route, ...]:
    """The routes of ``routes.toml``."""
    return tuple(Route.model_validate(raw) for raw in _defaults()["route"])


def site_hours() -> int:
    """Hours a site has to report a serious event to the sponsor, from ``routes.toml``."""
    return int(_defaults()["report_by_site"]["hours"])


def acknowledged_kinds() -> tuple[AlertKind, ...]:
    """The kinds of alerts that somebody has to acknowledge, from ``routes.toml``."""
    return tuple(AlertKind(name) for name in _defaults()["acknowledgement"]["kinds"])


def escalated_to(people: Sequence[Person], study_id: str, recipients: Sequence[str], step: int) -> tuple[Person, ...]:
    """Who is told at the *step*-th time (from 1) that nobody of *recipients* has acknowledged an alert: the first role of which
    somebody has not been written to, then the next; at the end of the list its last role, again and again."""
    known = {email.casefold() for email in recipients}
    roles = _defaults()["next_contact"]["roles"]
    tiers = [_distinct([p for p in people if p.role == role and _in_study(p, study_id)]) for role in roles]
    filled = [tier for tier in tiers if tier]
    further = [tier for tier in filled if any(p.email.casefold() not in known for p in tier)] or filled[-1:]
    return further[min(step, len(further)) - 1] if further else ()


@cache
def _defaults() -> dict[str, Any]:
    return tomllib.loads(files("safety_monitor.alerts").joinpath("routes.toml").read_text(encoding="utf-8"))


def _fits(route: Route, decision: AlertDecision, event: EventState) -> bool:
    if decision.kind not in route.kinds or (route.rules and decision.rule_id not in route.rules):
        return False
    return route.min_grade is None or event.fatal or event.grade is None or event.grade >= route.min_grade


def _in_study(person: Person, study_id: str) -> bool:
    return not person.studies or study_id in person.studies


def _at_site(person: Person, siteid: str | None) -> bool:
    """Whether the site is this person's; no sites means every site, but never for an investigator."""
    if siteid in person.sites:
        return True
    everywhere = siteid is None or not person.sites
    return everywhere and person.role is not Role.INVESTIGATOR


def _distinct(people: Sequence[Person]) -> tuple[Person, ...]:
    first: dict[str, Person] = {}
    for person in people:
        first.setdefault(person.email.casefold(), person)
    return tuple(first.values())


def _domain(mail: MailSettings) -> str:
    return parseaddr(mail.sender)[1].rpartition("@")[2] or "safety-monitor"


def _facts(item: Owed, settings: StudySettings) -> dict[str, Any]:
    """All that a mail may say: no name, no date of birth, no narrative, no verbatim text."""
    event, decision = item.event, item.decision
    told = ("siteid", "usubjid", "aeseq", "term", "grade", "criterion", "serious", "fatal", "onset", "outcome", "immune")
    return {
        **{name: getattr(event, name) for name in told},
        "serious_basis": list(event.serious_basis),
        "why": decision.why,
        "where": decision.where,
        "advice": {language: list(lines) for language, lines in event.advice.items()},
        "changes": [asdict(change) for change in decision.changes],
        "clocks": [dict(clock) for clock in decision.clocks],
        "judgements": [dict(judged) for judged in decision.judgements],
        **({"stopping": dict(decision.stopping)} if decision.stopping else {}),
        "timezone": settings.study.timezone,
        "site_hours": site_hours(),
    }
