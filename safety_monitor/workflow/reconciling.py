"""Results and reports of a study, put side by side at every import: gather, decide (``rules.reconciliation``), apply.

Everything is decided anew from all that is on record, so that the order of imports does not matter; what is written is what
differs. The same data write nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import polars as pl
from sqlmodel import Session

from safety_monitor.alerts.routing import Owed
from safety_monitor.records import Assessment, Episode, PartialDate, Query, Subject
from safety_monitor.rules import cases, reconciliation
from safety_monitor.rules.reported import ReportedEpisode
from safety_monitor.store import episodes as episode_store
from safety_monitor.store import queries as query_store
from safety_monitor.store import sources
from safety_monitor.store.queries import QueryTally
from safety_monitor.study import StudySettings
from safety_monitor.vocabulary import CaseState
from safety_monitor.workflow.laboratory import MEASURED, graded_results


@dataclass
class Reconciling:
    """What one reconciliation did: episodes new, changed and withdrawn, questions by what became of them, mails owed."""

    n_episodes: dict[str, int] = field(default_factory=lambda: {"new": 0, "changed": 0, "withdrawn": 0})
    queries: QueryTally = field(default_factory=QueryTally)
    n_open: int = 0
    owed: list[Owed] = field(default_factory=list)


def results_of(session: Session, subjects: Sequence[Subject], settings: StudySettings) -> pl.DataFrame:
    """The graded results of the study (``workflow.laboratory.GRADED``)."""
    imported = sources.domains(session, settings.id)
    frames = {name: sources.domain_frame(session, settings.id, name) for name in MEASURED if name in imported}
    return graded_results(frames, subjects, settings)


def last_dispositions(ds: pl.DataFrame | None) -> dict[str, date]:
    """The last day of disposition by subject, where the subject has left the study. *ds*: the DS domain as text."""
    if ds is None or not {"USUBJID", "DSDECOD", "DSSTDTC"} <= set(ds.columns):
        return {}
    found: dict[str, date] = {}
    going_on = set(ds.filter(pl.col("DSDECOD").str.to_uppercase() == "ONGOING")["USUBJID"])
    left = ds.filter(pl.col("DSCAT") == "DISPOSITION EVENT") if "DSCAT" in ds.columns else ds
    ended = set(left["USUBJID"]) - going_on
    for usubjid, text in ds.select("USUBJID", "DSSTDTC").iter_rows():
        if text and usubjid in ended:
            found[usubjid] = max(found.get(usubjid, date.min), PartialDate.parse(text).latest)
    return found


def reconcile(
    session: Session,
    settings: StudySettings,
    subjects: Sequence[Subject],
    reports: Sequence[ReportedEpisode],
    graded: pl.DataFrame,
    assessed: Mapping[tuple[str, int], Assessment],
    asked: Sequence[Query],
    ablations: Mapping[str, Sequence[date]],
    at: datetime,
) -> Reconciling:
    """Settles episodes, cases and questions, writes what differs, and says whom that concerns.

    *asked*: the questions of single events and of the dataset.
    """
    done = Reconciling()
    sites = {subject.usubjid: subject.siteid for subject in subjects}
    stored = episode_store.stored_episodes(session, settings.id)
    before = episode_store.found_again(reconciliation.lab_episodes(graded, subjects, settings), stored)
    found = reconciliation.reconcile(
        [episode for episode, _ in before], reports, graded, subjects, assessed, settings, asked=asked, ablations=ablations
    )
    current = [(episode, known) for episode, (_, known) in zip(found.episodes, before, strict=True)]
    for change in episode_store.put_episodes(session, current, stored, at):
        kind = "new" if change.before is None else "withdrawn" if change.after is None else "changed"
        done.n_episodes[kind] += 1
        was = None if change.before is None or change.before.is_withdrawn else change.before.episode
        about = change.after or was
        assert about is not None
        told = cases.decide_case(was, change.after, sites.get(about.usubjid), change.version)
        done.owed += [Owed(*told, None)] if told else []
    done.queries, opened, closed = query_store.put_queries(session, settings.id, [*asked, *found.queries], at)
    for queries, now_open in ((opened, True), (closed, False)):
        done.owed += [Owed(*told, None) for query in queries if (told := cases.decide_liver(query, now_open))]
    done.n_open = query_store.n_open(session, settings.id)
    return done


def carried(current: Sequence[Episode], decided: Sequence[Episode]) -> list[Episode]:
    """*current* with what people decided about *decided*, for a reading that writes nothing."""
    stored = [episode_store.StoredEpisode(number, 0, each, False) for number, each in enumerate(decided)]
    found = episode_store.found_again(current, stored)
    return [episode.model_copy(update={"case_state": _kept(episode.case_state)}) for episode, _ in found]


def _kept(state: CaseState) -> CaseState:
    return state if state in (CaseState.CONFIRMED, CaseState.DISMISSED) else CaseState.NONE
