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
from safety_monitor.config import Config, Person
from safety_monitor.records import ComponentOpinion, Subject
from safety_monitor.rules.causality import REVIEWER, STATED, ReportedCausality, causality_for_reporting
from safety_monitor.store import episodes as episode_store
from safety_monitor.store import events as event_store
from safety_monitor.store import queries as query_store
from safety_monitor.store import studies
from safety_monitor.store.episodes import StoredEpisode
from safety_monitor.store.queries import StoredQuery
from safety_monitor.study import StudySettings
from safety_monitor.vocabulary import CaseState, Level, Match, QueryState, Role
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
        usubjid, aeseq = event
        stored = event_store.stored_events(session, study_id).get(event)
        if stored is None or stored.is_deleted:
            raise DecisionError(f"{usubjid} has no event with AESEQ {aeseq} in study {study_id}")
        names = [each.name for each in settings.components]
        if component not in names:
            raise DecisionError(f"{component!r} is no component of study {study_id}; it has {', '.join(names)}")
        subject = _subject(session, study_id, usubjid)
        person = may(config, actor, "assess_causality", study_id, subject.siteid if subject else None)
        opinion = ComponentOpinion(
            component=component, author=STATED if person.role is Role.INVESTIGATOR else REVIEWER, level=level.name,
            rationale=reason, given_by=person.name,
        )  # fmt: skip
        event_store.put_opinions(session, [(stored.id, opinion, stored)], at)
        decide_again(session, config, settings, at)
        return causality_for_reporting(component, [o for o, _ in event_store.opinions_on(session, stored.id)], settings)


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
