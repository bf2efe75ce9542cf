"""Which study a command means, and all that the store knows of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from sqlalchemy import Engine
from sqlmodel import Session

from ctcae_v403 import Wording
from safety_monitor import store
from safety_monitor.records import Assessment, Snapshot
from safety_monitor.rules import assembly
from safety_monitor.store import clocks as clock_store
from safety_monitor.store import episodes as episode_store
from safety_monitor.store import events as event_store
from safety_monitor.store import queries as query_store
from safety_monitor.store import sources, studies
from safety_monitor.study import SettingsError
from safety_monitor.version import VERSIONS
from safety_monitor.workflow.freezing import AS_REPORTED, AssessedEvent, Collected, freeze
from safety_monitor.workflow.laboratory import MEASURED


def resolve(engine: Engine, wanted: str | None) -> str:
    """The id of the study meant by ``--study``; SettingsError lists the ids where it is not clear."""
    with store.reading(engine) as session:
        known = studies.study_ids(session)
    if not known:
        raise SettingsError("the database holds no study yet; run safety-monitor import")
    if wanted is None and len(known) == 1:
        return known[0]
    if wanted is not None and wanted in known:
        return wanted
    problem = "several studies are in the database" if wanted is None else f"study {wanted!r} is not in the database"
    raise SettingsError(f"{problem}; name one with --study: {', '.join(known)}")


def collected(session: Session, study_id: str) -> Collected:
    """All current records of *study_id*, as one consistent reading."""
    settings = studies.settings_of(session, study_id)
    if settings is None:
        raise SettingsError(f"study {study_id!r} is not in the database")
    imported = sources.domains(session, study_id)
    decisions = clock_store.decisions_by_event(session, study_id)
    events = [
        AssessedEvent(
            stored.event, stored.assessment or Assessment(), list(stored.opinions.values()), stored.version,
            decisions.get(stored.id, ()),
        )
        for _, stored in sorted(event_store.stored_events(session, study_id).items())
        if not stored.is_deleted
    ]
    exposures = assembly.exposures(
        sources.domain_rows(session, study_id, "EX"), sources.domain_rows(session, study_id, "PR"), settings
    )
    wanted = imported & {*MEASURED, "DS", *AS_REPORTED}
    domains = {domain: sources.domain_frame(session, study_id, domain) for domain in sorted(wanted)}
    decided = [each.episode for each in episode_store.stored_episodes(session, study_id) if not each.is_withdrawn]
    asked = query_store.stored_queries(session, study_id)
    closed = frozenset((query_store.query_key(each.query), each.query.text) for each in asked if each.is_closed_by_a_person)
    asked_on = {query_store.query_key(each.query): each.since.astimezone(settings.zone).date() for each in asked}
    return Collected(
        settings, event_store.subjects(session, study_id), events, exposures, domains, decided=decided, closed=closed,
        asked_on=asked_on,
    )  # fmt: skip


def freeze_study(
    engine: Engine, study_id: str, cutoff: date | None, wording: Mapping[int, Wording] | None = None
) -> Snapshot:
    """The study as it stands now, at *cutoff* (None: the study's own, else all data), with NCI's *wording* if loaded."""
    with store.reading(engine) as session:
        return freeze(replace(collected(session, study_id), wording=wording or {}), cutoff, VERSIONS)
