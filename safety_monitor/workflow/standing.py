"""What the safety officer's report adds to the frozen study: clocks, alerts of the period, drafts, questions with their age, how
delivery stands, and what the last such report said (``workflow.interval``).

It is frozen with the rest, with the instant it was read at, so that the report can be rebuilt like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
from sqlalchemy import Engine

from ctcae_v403 import official
from safety_monitor import store
from safety_monitor.config import Config
from safety_monitor.records import Snapshot
from safety_monitor.rules.clocks import due_text
from safety_monitor.rules.notices import is_late
from safety_monitor.store import clocks as clock_store
from safety_monitor.store import outbox
from safety_monitor.store import queries as query_store
from safety_monitor.store.queries import StoredQuery
from safety_monitor.version import VERSIONS
from safety_monitor.vocabulary import AlertKind, AlertState, ClockState, DraftState, QueryState
from safety_monitor.workflow.freezing import freeze
from safety_monitor.workflow.interval import since_last
from safety_monitor.workflow.serious import sponsor_zone
from safety_monitor.workflow.studies import collected

_CLOCKS = {
    "usubjid": pl.String, "aeseq": pl.Int64, "term": pl.String, "rule_id": pl.String, "pack": pl.String, "component": pl.String,
    "cause": pl.String, "day_zero": pl.Date, "aware_basis": pl.String, "due": pl.String, "due_at": pl.String, "state": pl.String,
    "late": pl.Boolean, "met": pl.String, "close_reason": pl.String, "in_period": pl.Boolean,
}  # fmt: skip
_ALERTS = {
    "kind": pl.String, "rule_id": pl.String, "siteid": pl.String, "usubjid": pl.String, "aeseq": pl.Int64, "term": pl.String,
    "grade": pl.Int64, "fatal": pl.Boolean, "at": pl.String, "recipients": pl.Int64, "sent": pl.Int64, "acknowledged": pl.Int64,
}  # fmt: skip
_DRAFTS = {"number": pl.String, "usubjid": pl.String, "term": pl.String, "grade": pl.Int64, "aware": pl.String, "by": pl.String}
_QUESTIONS = {
    "number": pl.Int64, "siteid": pl.String, "usubjid": pl.String, "about": pl.String, "owner": pl.String, "state": pl.String,
    "asked_on": pl.Date, "age_days": pl.Int64, "in_period": pl.Boolean, "text": pl.String,
}  # fmt: skip
_STANDING = {
    "since": pl.String, "until": pl.String, "n_unsent": pl.Int64, "n_failing": pl.Int64, "oldest_minutes": pl.Int64,
}  # fmt: skip
#: Kinds that are about mail itself, not about what happened.
_NOT_NEWS = (AlertKind.REPORT, AlertKind.DIGEST)


def safety_snapshot(engine: Engine, config: Config, study_id: str, since: datetime, at: datetime) -> Snapshot:
    """The study now, with what happened after *since* and what is due and open at *at*."""
    wording = official.load(config.official_wording)
    with store.reading(engine) as session:
        found = collected(session, study_id)
        snapshot = since_last(session, freeze(replace(found, wording=wording), None, VERSIONS), "safety", at)
        zone = sponsor_zone(config, found.settings)
        clocks = [c for c in clock_store.clocks(session, study_id) if c.clock.state is not ClockState.NOT_MONITORED]
        alerts = [a for a in outbox.listing(session, study_id=study_id) if a["kind"] not in _NOT_NEWS]
        drafts = clock_store.drafts(session, study_id, state=DraftState.OPEN)
        questions = [q for q in query_store.stored_queries(session, study_id) if q.state is not QueryState.CLOSED]
        depth = outbox.depth(session, now=at, failing=config.delivery.failures_before_next_contact)
    oldest = None if depth.oldest_age is None else int(depth.oldest_age.total_seconds() // 60)
    standing = [
        {"since": _local(since, zone), "until": _local(at, zone), "n_unsent": depth.n_pending, "n_failing": depth.n_failing,
         "oldest_minutes": oldest}
    ]  # fmt: skip
    told = [
        {"number": f"D{each.id}", "usubjid": each.draft.usubjid, "term": each.draft.term, "grade": each.draft.grade,
         "aware": _local(each.draft.aware_at, zone), "by": each.draft.opened_by} for each in drafts
    ]  # fmt: skip
    frames = {
        "clocks": _frame([_clock(each, since, at, zone) for each in clocks], _CLOCKS),
        "alerts": _frame(_by_alert([a for a in alerts if since < a["created_at"] <= at], zone), _ALERTS),
        "drafts": _frame(told, _DRAFTS),
        "questions": _frame([_question(each, since, at, zone) for each in questions], _QUESTIONS),
        "standing": _frame(standing, _STANDING),
    }
    return replace(snapshot, frames={**snapshot.frames, **frames})


def _question(found: StoredQuery, since: datetime, at: datetime, zone: ZoneInfo) -> dict[str, Any]:
    return {
        **found.query.model_dump(include={"siteid", "usubjid", "about", "owner", "text"}), "number": found.id,
        "state": found.state.value, "asked_on": found.since.astimezone(zone).date(), "age_days": (at - found.since).days,
        "in_period": since < found.since <= at,
    }  # fmt: skip


def _clock(found: clock_store.ClockOnRecord, since: datetime, at: datetime, zone: ZoneInfo) -> dict[str, Any]:
    clock = found.clock
    return {
        **clock.model_dump(include={"rule_id", "pack", "component", "day_zero", "aware_basis", "close_reason"}),
        "usubjid": found.usubjid, "aeseq": found.aeseq, "term": found.term, "cause": clock.cause.value, "due": due_text(clock),
        "due_at": clock.due_at.isoformat(), "state": clock.state.value, "late": is_late(clock, at),
        "met": _local(clock.met_at, zone) if clock.met_at else None,
        "in_period": since < (clock.closed_at or at) <= at,
    }  # fmt: skip


def _by_alert(alerts: Sequence[Mapping[str, Any]], zone: ZoneInfo) -> list[dict[str, Any]]:
    """One row an alert, however many people it went to, oldest first."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for alert in sorted(alerts, key=lambda each: (each["created_at"], each["id"])):
        found.setdefault(alert["unique_key"].rpartition("|")[0], []).append(alert)
    return [
        {
            **{name: rows[0].get(name) for name in ("rule_id", "siteid", "usubjid", "aeseq", "term", "grade")},
            "kind": rows[0]["kind"].value, "fatal": bool(rows[0].get("fatal")), "at": _local(rows[0]["created_at"], zone),
            "recipients": len(rows), "sent": sum(row["state"] is not AlertState.PENDING for row in rows),
            "acknowledged": sum(row["state"] is AlertState.ACKNOWLEDGED for row in rows),
        }
        for rows in found.values()
    ]  # fmt: skip


def _local(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"


def _frame(rows: Sequence[Mapping[str, Any]], schema: Mapping[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=dict(schema))
