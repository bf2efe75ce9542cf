"""What people decide: which case is an event, what a question's answer is, and who may say so.

A person acts by the name in ``config.yaml``; ``permissions`` there says which role may do what. Everything is one audited
transaction, after which the study is decided anew, so that episodes, questions and mails follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session

from safety_monitor import store
from safety_monitor.attribution.history import substances_of
from safety_monitor.attribution.record import SubjectRecord
from safety_monitor.config import Config, Person
from safety_monitor.records import Assessment, CaseDecision, ComponentOpinion, SaeDraft, Subject
from safety_monitor.rules import assembly
from safety_monitor.rules.causality import REVIEWER, STATED, ReportedCausality, causality_for_reporting
from safety_monitor.rules.duties import NO, Reporting, reporting_of
from safety_monitor.store import clocks as clock_store
from safety_monitor.store import episodes as episode_store
from safety_monitor.store import events as event_store
from safety_monitor.store import queries as query_store
from safety_monitor.store import sources, studies
from safety_monitor.store.clocks import ClockOnRecord
from safety_monitor.store.episodes import StoredEpisode
from safety_monitor.store.events import StoredEvent
from safety_monitor.store.queries import StoredQuery
from safety_monitor.study import StudySettings
from safety_monitor.vocabulary import CaseState, ClockState, DraftState, Level, Match, Matter, QueryState, Role
from safety_monitor.workflow.importing import decide_again


class DecisionError(ValueError):
    """A decision that cannot be taken: says what, why, and who may or what would do."""


def may(config: Config, actor: str, action: str, study_id: str, siteid: str | None) -> Person:
    """The person called *actor*, where the role may do *action* (a key of ``permissions``) at this site of this study."""
    person = next((each for each in config.people if each.name.casefold() == actor.strip().casefold()), None)
    if person is None:
        known = ", ".join(each.name for each in config.people) or "nobody"
        raise DecisionError(f"{actor!r} is not a person of the configuration, which has {known}; name one with --actor")
    roles: Sequence[Role] = getattr(config.permissions, action)
    what = action.replace("_", " ")
    if person.role not in roles:
        allowed = ", ".join(role.value.replace("_", " ") for role in roles)
        raise DecisionError(f"{person.name} is {_a(person.role)} and may not {what}; roles that may: {allowed}")
    if person.studies and study_id not in person.studies:
        raise DecisionError(f"{person.name} has no part in study {study_id} (config.yaml: people.studies)")
    if person.sites and siteid not in person.sites:
        raise DecisionError(f"{person.name} answers for site {', '.join(person.sites)}, this is of site {siteid or 'unknown'}")
    return person


def _a(role: Role) -> str:
    word = role.value.replace("_", " ")
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def decide_case(
    engine: Engine, config: Config, episode_id: int, *, case_state: CaseState, actor: str, reason: str, at: datetime,
    aeseq: int | None = None,
) -> StoredEpisode:  # fmt: skip
    """Confirms or dismisses the case of one episode, or says which report it is (*aeseq*)."""
    with store.transaction(engine, actor=actor, reason=reason, at=at) as session:
        stored = episode_store.stored_episode(session, episode_id)
        if stored is None or stored.is_withdrawn:
            raise DecisionError(f"no episode has the number {episode_id}; see safety-monitor case list")
        row = stored.episode
        settings = _settings(session, row.study_id)
        subject = _subject(session, row.study_id, row.usubjid)
        may(config, actor, "decide_case", row.study_id, subject.siteid if subject else None)
        if aeseq is not None:
            event = event_store.stored_events(session, row.study_id).get((row.usubjid, aeseq))
            if event is None or event.is_deleted:
                raise DecisionError(f"{row.usubjid} has no event with AESEQ {aeseq}; see safety-monitor case show {episode_id}")
            episode_store.decide(session, episode_id, actor=actor, at=at, decision=reason, aeseq=aeseq)
        elif row.case_state is CaseState.NONE:
            told = f"it is reported as AESEQ {row.aeseq}" if row.link in (Match.MATCHED, Match.COVERED) else "it is no case"
            raise DecisionError(f"episode {episode_id} needs no decision: {told}")
        else:
            episode_store.decide(session, episode_id, actor=actor, at=at, decision=reason, case_state=case_state)
        decide_again(session, config, settings, at)
        after = episode_store.stored_episode(session, episode_id)
        assert after is not None
    return after


def assess_causality(
    engine: Engine, config: Config, event: tuple[str, int], component: str, level: Level, *, study_id: str, actor: str,
    reason: str, at: datetime,
) -> ReportedCausality:  # fmt: skip
    """Records a person's opinion on one component; what now counts for expedited reporting, should the event be serious.

    An investigator's is kept beside the reported one, which only the site's data change, and the site is asked to make them
    agree; anybody else's is the sponsor reviewer's. A new opinion takes the place of the same author's; the audit keeps both.
    """
    with store.transaction(engine, actor=actor, reason=reason, at=at) as session:
        settings = _settings(session, study_id)
        stored = _event(session, study_id, event)
        names = [each.name for each in settings.components]
        if component not in names:
            raise DecisionError(f"{component!r} is no component of study {study_id}; it has {', '.join(names)}")
        subject = _subject(session, study_id, event[0])
        person = may(config, actor, "assess_causality", study_id, subject.siteid if subject else None)
        opinion = ComponentOpinion(
            component=component, author=STATED if person.role is Role.INVESTIGATOR else REVIEWER, level=level.name,
            rationale=reason, given_by=person.name,
        )  # fmt: skip
        event_store.put_opinions(session, [(stored.id, opinion, stored)], at)
        decide_again(session, config, settings, at)
        return causality_for_reporting(component, [o for o, _ in event_store.opinions_on(session, stored.id)], settings)


def override(
    engine: Engine, config: Config, event: tuple[str, int], matter: Matter, value: str | None, *, component: str = "",
    study_id: str, actor: str, reason: str, at: datetime,
) -> Reporting:  # fmt: skip
    """Records what a person says about grade, seriousness, expectedness or SUSAR of an event; *value* None takes it back.

    What the site reported stays as it is. A person may call an event serious that the site does not, never the reverse, and a
    grade counts for reporting only where it is the worse of the two. Gives what now has to be reported.
    """
    with store.transaction(engine, actor=actor, reason=reason, at=at) as session:
        settings = _settings(session, study_id)
        stored = _event(session, study_id, event)
        subject = _subject(session, study_id, event[0])
        person = may(config, actor, "override_case", study_id, subject.siteid if subject else None)
        names = [each.name for each in settings.components]
        if matter in (Matter.EXPECTEDNESS, Matter.SUSAR) and component not in names:
            raise DecisionError(f"{matter.value} is of one component; name it with --component: {', '.join(names)}")
        if matter is Matter.SERIOUSNESS and value == NO and stored.assessment and stored.assessment.serious:
            raise DecisionError("the site reports the event as serious; only the site can correct that (ask by a query)")
        decision = CaseDecision(
            subject_matter=matter, component=component, value=value, reason=reason, given_by=person.name, role=person.role, at=at
        )
        clock_store.add_decision(session, stored.id, decision)
        decide_again(session, config, settings, at)
        return reporting_now(session, settings, event)


def reporting_now(session: Session, settings: StudySettings, event: tuple[str, int]) -> Reporting:
    """What has to be reported of *event* by all that is on record."""
    stored = _event(session, settings.id, event)
    decisions = clock_store.decisions_by_event(session, settings.id).get(stored.id, [])
    ex, pr = (sources.domain_rows(session, settings.id, domain) for domain in ("EX", "PR"))
    record = SubjectRecord(given=[each for each in assembly.exposures(ex, pr, settings) if each.usubjid == event[0]])
    held = [opinion for opinion, _ in event_store.opinions_on(session, stored.id)]
    substances = substances_of(stored.event, record, settings)
    return reporting_of(stored.event, stored.assessment or Assessment(), held, decisions, settings, substances)


def meet_clock(
    engine: Engine, config: Config, clock_id: int, *, met_at: datetime | None, actor: str, reason: str, at: datetime
) -> ClockOnRecord:
    """Records that the report which clock *clock_id* waits for was made, at *met_at* (else now)."""
    with store.transaction(engine, actor=actor, reason=reason, at=at) as session:
        found = next(iter(clock_store.clocks(session, clock_id=clock_id)), None)
        if found is None:
            raise DecisionError(f"no clock has the number {clock_id}; see safety-monitor clocks list")
        person = may(config, actor, "meet_clock", found.clock.study_id, None)
        if found.clock.state is not ClockState.RUNNING:
            raise DecisionError(f"clock {clock_id} does not run: it is {found.clock.state.value} ({found.clock.close_reason})")
        made = met_at or at
        if made > at:
            raise DecisionError(f"--at {made.isoformat()} is still to come; record the report when it has been made")
        if made < found.clock.aware_at:
            raise DecisionError(f"--at {made.isoformat()} lies before the sponsor was aware ({found.clock.aware_at.isoformat()})")
        clock_store.meet_clock(session, clock_id, met_at=made, at=at, by=person.name, reason=reason)
        return next(iter(clock_store.clocks(session, clock_id=clock_id)))


def draft_case(engine: Engine, config: Config, draft: SaeDraft) -> int:
    """Records a serious event that the sponsor was told of and the data do not have yet; its number."""
    with store.transaction(engine, actor=draft.opened_by, reason=draft.reason, at=draft.opened_at) as session:
        subject = _subject(session, draft.study_id, draft.usubjid)
        if subject is None:
            raise DecisionError(f"study {draft.study_id} has no subject {draft.usubjid}")
        person = may(config, draft.opened_by, "draft_case", draft.study_id, subject.siteid)
        if draft.aware_at > draft.opened_at:
            raise DecisionError(f"--aware-at {draft.aware_at.isoformat()} is still to come")
        return clock_store.add_draft(session, draft.model_copy(update={"opened_by": person.name}))


def close_draft(
    engine: Engine, config: Config, draft_id: int, *, aeseq: int | None, actor: str, reason: str, at: datetime
) -> SaeDraft:
    """Says which record of the data a draft is (*aeseq*), or (None) that it is no serious event."""
    with store.transaction(engine, actor=actor, reason=reason, at=at) as session:
        found = next((each for each in clock_store.drafts(session) if each.id == draft_id), None)
        if found is None or found.draft.state is not DraftState.OPEN:
            raise DecisionError(f"no open draft has the number D{draft_id}; see safety-monitor case list --drafts")
        draft = found.draft
        subject = _subject(session, draft.study_id, draft.usubjid)
        person = may(config, actor, "draft_case", draft.study_id, subject.siteid if subject else None)
        if aeseq is not None:
            _event(session, draft.study_id, (draft.usubjid, aeseq))
        clock_store.close_draft(session, draft_id, aeseq=aeseq, at=at, by=person.name, reason=reason)
        return draft


def answer_query(engine: Engine, config: Config, query_id: int, text: str, *, actor: str, at: datetime) -> StoredQuery:
    """Records an answer to one question."""
    with store.transaction(engine, actor=actor, reason=f"answer: {text}", at=at) as session:
        query = _open_query(session, query_id).query
        may(config, actor, "answer_query", query.study_id, query.siteid)
        return query_store.answer(session, query_id, at, actor, text)


def close_query(engine: Engine, config: Config, query_id: int, *, actor: str, reason: str, at: datetime) -> StoredQuery:
    """Closes one question although the data still give a reason to ask; it reopens when what it says changes."""
    with store.transaction(engine, actor=actor, reason=reason, at=at) as session:
        query = _open_query(session, query_id).query
        may(config, actor, "close_query", query.study_id, query.siteid)
        return query_store.close(session, query_id, at, actor, reason)


def listed_queries(
    session: Session, study_id: str, *, state: QueryState | None = None, siteid: str | None = None, owner: Role | None = None
) -> list[StoredQuery]:
    """The questions of a study, oldest first; without *state* those that are not closed."""
    return [
        each
        for each in query_store.stored_queries(session, study_id)
        if (each.state is not QueryState.CLOSED if state is None else each.state is state)
        and (siteid is None or each.query.siteid == siteid)
        and (owner is None or each.query.owner == owner.value)
    ]


def _event(session: Session, study_id: str, event: tuple[str, int]) -> StoredEvent:
    stored = event_store.stored_events(session, study_id).get(event)
    if stored is None or stored.is_deleted:
        raise DecisionError(f"{event[0]} has no event with AESEQ {event[1]} in study {study_id}")
    return stored


def _open_query(session: Session, query_id: int) -> StoredQuery:
    row = query_store.stored_query(session, query_id)
    if row is None:
        raise DecisionError(f"no question has the number {query_id}; see safety-monitor queries list")
    if row.state is QueryState.CLOSED:
        raise DecisionError(f"question {query_id} is closed already ({row.closed_by}: {row.close_reason})")
    return row


def _settings(session: Session, study_id: str) -> StudySettings:
    settings = studies.settings_of(session, study_id)
    assert settings is not None, study_id
    return settings


def _subject(session: Session, study_id: str, usubjid: str) -> Subject | None:
    return next((each for each in event_store.subjects(session, study_id) if each.usubjid == usubjid), None)
