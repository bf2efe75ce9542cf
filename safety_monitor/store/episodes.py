"""Episodes of results as they are kept: found again in the next cut of the data, changed in place, withdrawn but not erased."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from safety_monitor.records import Episode
from safety_monitor.rules.reconciliation import standing
from safety_monitor.store.session import bulk_insert
from safety_monitor.store.tables import EpisodeRow
from safety_monitor.vocabulary import CaseState

_VALUES = tuple(Episode.model_fields)


@dataclass(frozen=True, slots=True)
class StoredEpisode:
    """An episode as it stands in the store. ``version`` counts the changes of its case."""

    id: int
    version: int
    episode: Episode
    is_withdrawn: bool
    decided_by: str | None = None
    decision: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One episode before and after a cut of the data; ``before`` None: new, ``after`` None: the results no longer give it;
    ``version`` after it."""

    before: StoredEpisode | None
    after: Episode | None
    version: int = 1


def stored_episodes(session: Session, study_id: str, usubjid: str | None = None) -> list[StoredEpisode]:
    """Every episode of the study (or of one subject), withdrawn ones included, in order of subject, term and onset."""
    query = select(EpisodeRow).where(col(EpisodeRow.study_id) == study_id)
    if usubjid is not None:
        query = query.where(col(EpisodeRow.usubjid) == usubjid)
    order = (col(EpisodeRow.usubjid), col(EpisodeRow.term), col(EpisodeRow.onset_on), col(EpisodeRow.id))
    return [_stored(row) for row in session.exec(query.order_by(*order))]


def _stored(row: EpisodeRow) -> StoredEpisode:
    assert row.id is not None
    values = {name: getattr(row, name) for name in _VALUES}
    values["changes"] = tuple((on, grade) for on, grade in row.changes)
    values["candidates"] = tuple(row.candidates)
    return StoredEpisode(row.id, row.version, Episode.model_construct(**values), row.is_withdrawn, row.decided_by, row.decision)


def found_again(current: Sequence[Episode], stored: Sequence[StoredEpisode]) -> list[tuple[Episode, StoredEpisode | None]]:
    """*current*, each with what is stored of it: the same subject and term, the same onset, else the days in common.

    What a person decided and the date that it is known by are carried over.
    """
    known: defaultdict[tuple[str, str], list[StoredEpisode]] = defaultdict(list)
    for each in stored:
        known[each.episode.usubjid, each.episode.term].append(each)
    answer: list[tuple[Episode, StoredEpisode | None]] = [(episode, None) for episode in current]

    def settle(place: int, found: StoredEpisode) -> None:
        kept = found.episode
        state = standing(kept, current[place])
        carried = {"opened_on": kept.opened_on, "case_state": state, "decided_aeseq": kept.decided_aeseq}
        answer[place] = (current[place].model_copy(update=carried), found)
        known[kept.usubjid, kept.term].remove(found)

    for place, episode in enumerate(current):
        for each in known.get((episode.usubjid, episode.term), ()):
            if each.episode.onset_on == episode.onset_on:
                settle(place, each)
                break
    for place, episode in enumerate(current):
        if answer[place][1] is None and (left := known.get((episode.usubjid, episode.term))):
            shared = {each.id: _days_shared(episode, each.episode) for each in left if not each.is_withdrawn}
            best = max(shared, key=lambda key: (shared[key], -key), default=None)
            if best is not None and shared[best] > 0:
                settle(place, next(each for each in left if each.id == best))
    return answer


def _days_shared(one: Episode, other: Episode) -> int:
    return (min(one.last_on, other.last_on) - max(one.onset_on, other.onset_on)).days + 1


def put_episodes(
    session: Session, current: Sequence[tuple[Episode, StoredEpisode | None]], stored: Sequence[StoredEpisode], at: datetime
) -> list[Change]:
    """Writes what is new or differs, and marks as withdrawn what *current* no longer has; every change that it made."""
    changes, new, found = [], [], set()
    for episode, before in current:
        values = {name: getattr(episode, name) for name in _VALUES}
        if before is None:
            changes.append(Change(None, episode))
            new.append({**values, "is_withdrawn": False, "version": 1, "first_seen_at": at, "changed_at": at})
            continue
        found.add(before.id)
        if before.episode == episode and not before.is_withdrawn:
            continue
        row = session.get_one(EpisodeRow, before.id)
        row.sqlmodel_update(values)
        row.is_withdrawn, row.changed_at = False, at
        row.version += _case_changed(before, episode)
        changes.append(Change(before, episode, row.version))
    bulk_insert(session, EpisodeRow, new)
    for each in stored:
        if each.id in found or each.is_withdrawn:
            continue
        row = session.get_one(EpisodeRow, each.id)
        row.is_withdrawn, row.changed_at = True, at
        if row.case_state in (CaseState.DRAFT, CaseState.CONFIRMED):
            row.case_state, row.version = CaseState.WITHDRAWN, row.version + 1
        changes.append(Change(each, None, row.version))
    session.flush()
    return changes


def _case_changed(before: StoredEpisode, after: Episode) -> bool:
    was = before.episode
    return before.is_withdrawn or was.case_state != after.case_state or was.worst_grade != after.worst_grade


def decide(
    session: Session, episode_id: int, *, actor: str, at: datetime, decision: str, case_state: CaseState | None = None,
    aeseq: int | None = None,
) -> StoredEpisode:  # fmt: skip
    """Records what a person decided about one episode."""
    row = session.get_one(EpisodeRow, episode_id)
    if case_state is not None:
        row.case_state = case_state
    if aeseq is not None:
        row.decided_aeseq = aeseq
    row.decided_by, row.decided_at, row.decision = actor, at, decision
    row.version, row.changed_at = row.version + 1, at
    session.flush()
    return _stored(row)


def stored_episode(session: Session, episode_id: int) -> StoredEpisode | None:
    row = session.get(EpisodeRow, episode_id)
    if row is not None:
        session.refresh(row)
    return _stored(row) if row else None
