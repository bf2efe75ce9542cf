"""Where a study stands against its stopping rules, told where a boundary is crossed or one event away."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine

from safety_monitor import store
from safety_monitor.alerts import routing
from safety_monitor.alerts.routing import Owed
from safety_monitor.config import Config
from safety_monitor.reporting.tables import Study
from safety_monitor.reporting.tables.monitoring import had_event
from safety_monitor.rules.escalation import WHY, AlertDecision, EventState
from safety_monitor.rules.stopping import boundary, counted, standing, wants_attention
from safety_monitor.store import outbox
from safety_monitor.vocabulary import AlertKind
from safety_monitor.workflow.studies import freeze_study


def check_boundaries(engine: Engine, config: Config, study_id: str, at: datetime) -> str:
    """Owes the alerts that the study's standing asks for, once for each count of events; says where it stands."""
    study = Study(freeze_study(engine, study_id, None))
    if not study.settings.stopping:
        return f"{study_id}: no stopping rule is configured"
    owed, told = [], []
    for rule in study.settings.stopping:
        limit, says = boundary(rule), counted(rule).says
        found = standing(had_event(study, rule), limit)
        told.append(f"{study_id}, {says}: {found.n_events} of {found.n_treated} treated, boundary {found.boundary}")
        if (rule_id := wants_attention(found)) is None:
            continue
        where = {"says": says, "n_events": found.n_events, "n_treated": found.n_treated, "boundary": found.boundary}
        event = " ".join((rule.event, *rule.components))
        distinct = f"{event} {rule.method} {rule.p0} {rule.certainty or rule.phi} {rule.n_max}: {found.n_events}"
        decision = AlertDecision(AlertKind.STOPPING, rule_id, WHY[rule_id], distinct=distinct, stopping=where)
        owed.append(Owed(decision, EventState(usubjid="", aeseq=None, term=says, version=0), None))
    if alerts := routing.address(owed, study.settings, config, at):
        with store.transaction(engine, actor="stopping check", reason="a boundary is crossed or near", at=at) as session:
            outbox.enqueue(session, alerts)
    return "; ".join(told)
