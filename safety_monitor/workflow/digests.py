"""Storms: many alerts of one kind to one recipient at once become one mail that lists them all.

The digest is a row of the outbox like any other, with a key of its own; what it tells points to it and is sent with it, in the
same commit. Once bundled, rows stay bundled: a repeat after a crash is the same mail.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlmodel import Session

from safety_monitor.alerts import routing
from safety_monitor.alerts.routing import Alert
from safety_monitor.config import Config, Person
from safety_monitor.rules.escalation import WHY
from safety_monitor.store import outbox
from safety_monitor.vocabulary import AlertKind, Role

_RULE = "digest"
#: Told apart always: a report has its own file, a digest is one already, and an alert about mail must not wait in one.
_ALONE = (AlertKind.REPORT, AlertKind.DIGEST, AlertKind.ALERT_UNDELIVERED)
_TOLD = ("siteid", "usubjid", "aeseq", "term", "grade", "fatal", "clocks")
#: Where a missing grade stands among the others.
_MISSING_AS = 3
#: A mail that lists more is no longer read.
_MOST = 50


def bundle_storms(session: Session, config: Config, at: datetime) -> int:
    """Makes the digests that are wanted at *at*; how many."""
    rows = outbox.untried(session, at, except_for=_ALONE, at_least=config.delivery.digest_from)
    n_made = 0
    for (email, _), of_kind in groupby(sorted(rows, key=_recipient_and_kind), key=_recipient_and_kind):
        if email == routing.UNADDRESSED:
            continue
        for storm in _storms(list(of_kind), timedelta(seconds=config.delivery.digest_within_seconds)):
            if len(storm) >= config.delivery.digest_from:
                digest = _digest(storm, config, at)
                outbox.enqueue(session, [digest])
                outbox.bundle(session, digest.unique_key, [row.id for row in storm])
                n_made += 1
    return n_made


def _recipient_and_kind(row: Any) -> tuple[str, tuple[str, str, str]]:
    return row.recipient_email, (row.study_id, row.kind.value, row.language)


def _storms(rows: Sequence[Any], within: timedelta) -> Iterator[list[Any]]:
    """*rows* (oldest first) in stretches that began together."""
    storm: list[Any] = []
    for row in rows:
        if storm and (row.created_at - storm[0].created_at > within or len(storm) == _MOST):
            yield storm
            storm = []
        storm.append(row)
    if storm:
        yield storm


def _worst_first(item: Mapping[str, Any]) -> tuple[bool, int]:
    """Deaths, then by grade (a missing one before the mild: it may be anything), else in the order in which they came."""
    grade = item["grade"]
    return not item["fatal"], -(_MISSING_AS if grade is None else grade)


def _digest(storm: Sequence[Any], config: Config, at: datetime) -> Alert:
    first = storm[0]
    items = [{name: row.payload.get(name) for name in _TOLD} | {"id": row.id, "rule_id": row.rule_id} for row in storm]
    items.sort(key=_worst_first)
    payload = {
        "of": first.kind.value, "items": items, "why": WHY[_RULE], "siteid": first.payload.get("siteid"), "usubjid": None,
        "aeseq": None, "term": None, "grade": None, "fatal": any(item["fatal"] for item in items),
        "timezone": first.payload.get("timezone", "UTC"),
    }  # fmt: skip
    role = Role(first.payload["role"]) if first.payload.get("role") else Role.SAFETY_OFFICER
    person = Person.model_construct(
        name=first.recipient_name, email=first.recipient_email, role=role, language=first.language, sites=(), studies=()
    )
    told = hashlib.sha256("\n".join(row.unique_key for row in storm).encode()).hexdigest()
    return routing.owe(
        person, (_RULE, told), sender=config.mail, kind=AlertKind.DIGEST, rule_id=_RULE, payload=payload, at=at,
        study_id=first.study_id,
    )  # fmt: skip
