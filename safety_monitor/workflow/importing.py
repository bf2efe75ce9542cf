"""``import``: from files to stored, assessed, attributed events and the mails that are owed for them.

Gather (read every file; a file that is not what it says stops here, before the database is touched), decide
(pure rules), apply (one audited transaction: source rows, records, assessments, opinions and outbox together).
Importing the same data again changes nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import Session

import ctcae_v403
from ctcae_v403 import official
from safety_monitor import config as configuration
from safety_monitor import intake, store
from safety_monitor.alerts import routing
from safety_monitor.attribution import DISEASE, OTHER, Weighing, profile, weigh
from safety_monitor.attribution.account import LEAST_EFFECT
from safety_monitor.attribution.history import case_of, substances_of
from safety_monitor.attribution.record import LOOKED_AT, SubjectRecord, subject_records
from safety_monitor.config import Config
from safety_monitor.intake import SourceTable, UnreadableFile
from safety_monitor.records import AdverseEvent, Assessment, ComponentOpinion, Rejection, Subject
from safety_monitor.rules import (
    assembly,
    causality,
    duties,
    expectedness,
    liver_questions,
    normalise,
    receipts,
    reconciliation,
    stopping,
)
from safety_monitor.rules.advice import book_of
from safety_monitor.rules.advising import mail_lines
from safety_monitor.rules.assessment import assess
from safety_monitor.rules.escalation import AlertDecision, EventState, decide_alerts, decide_refused
from safety_monitor.rules.normalise import Row, SourceRecord
from safety_monitor.rules.queries import of_event
from safety_monitor.rules.reported import reported_episodes
from safety_monitor.store import events as event_store
from safety_monitor.store import outbox, sources, studies
from safety_monitor.store.events import StoredEvent
from safety_monitor.store.queries import QueryTally
from safety_monitor.store.sources import Tally
from safety_monitor.study import SettingsError, StudySettings
from safety_monitor.version import SOFTWARE
from safety_monitor.workflow.advising import Adviser
from safety_monitor.workflow.laboratory import results_of_events
from safety_monitor.workflow.reconciling import last_dispositions, reconcile, results_of
from safety_monitor.workflow.serious import Desk

REJECTS_COLUMNS = ("file", "row", "field", "value", "why", "remedy")


@dataclass
class ImportResult:
    """What an import did. ``tallies``: source records by domain; ``events``: n new, changed, deleted."""

    study_id: str
    dry_run: bool
    tallies: dict[str, Tally] = field(default_factory=dict)
    rejections: list[Rejection] = field(default_factory=list)
    n_new_rejections: int = 0
    settings_changed: bool = False
    notices: list[str] = field(default_factory=list)
    events: dict[str, int] = field(default_factory=lambda: {"new": 0, "changed": 0, "deleted": 0})
    episodes: dict[str, int] = field(default_factory=lambda: {"new": 0, "changed": 0, "withdrawn": 0})
    queries: QueryTally = field(default_factory=QueryTally)
    clocks: dict[str, int] = field(default_factory=lambda: {"opened": 0, "closed": 0, "judged": 0})
    n_alerts: int = 0
    n_queries: int = 0
    refused_serious: list[Rejection] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        rows = any(t.n_new or t.n_changed or t.n_deleted for t in self.tallies.values())
        decided = any(self.events.values()) or any(self.episodes.values()) or any(vars(self.queries).values())
        decided = decided or any(self.clocks.values())
        return rows or decided or self.settings_changed


class _DryRun(Exception):
    """Carries the work of a dry run to its rollback."""


@dataclass(frozen=True)
class _Read:
    """One file, read and sorted into what can be kept and what is refused."""

    table: SourceTable
    records: Sequence[SourceRecord]
    refused: Sequence[tuple[Rejection, Row]]


def import_paths(
    engine: Engine,
    config: Config,
    paths: Sequence[Path],
    *,
    actor: str,
    at: datetime,
    reason: str = "import",
    complete: Collection[str] = (),
    dry_run: bool = False,
    backfill: bool = False,
) -> ImportResult:
    """Imports *paths* (files or folders of one study).

    Raises UnreadableFile or SettingsError before anything is written. ``complete``: domains of which the files
    hold every record, so that what is absent is marked deleted. ``backfill``: history, nobody is alerted.
    """
    files = list(intake.files_in(paths))  # a path that does not exist is said before settings that are not beside it
    settings = settings_for(engine, config, paths)
    gathered = _gather(files, settings)
    _check_complete(complete, gathered)
    for rule in settings.stopping:
        stopping.boundary(rule)  # a rule that cannot be used is refused here, not at the first report
        stopping.counted_event(rule.event)
    book_of(settings.advice)
    expectedness.check_lists(settings)
    for name in settings.jurisdictions:
        duties.pack(name)
    result = ImportResult(settings.id, dry_run, notices=_notices(settings, gathered))
    try:
        with store.transaction(engine, actor=actor, reason=reason, at=at) as session:
            batch = sources.open_batch(session, settings.id, at, actor, reason, backfill)
            known = settings.id in studies.study_ids(session)
            result.settings_changed = studies.keep_settings(session, settings, at) and known
            _keep_sources(session, batch, settings.id, gathered, {c.upper() for c in complete}, result)
            refused = [pair for read in gathered if read.table.domain == "AE" for pair in read.refused]
            _decide_and_apply(session, config, settings, at, backfill, refused, result)
            sources.close_batch(session, batch, result.tallies.values())
            if dry_run or not (result.changed or result.n_new_rejections or result.n_alerts):
                raise _DryRun
    except _DryRun:
        pass
    return result


def decide_again(session: Session, config: Config, settings: StudySettings, at: datetime) -> ImportResult:
    """Decides everything anew from what is on record, after a person decided something."""
    result = ImportResult(settings.id, dry_run=False)
    _decide_and_apply(session, config, settings, at, False, (), result)
    return result


def settings_for(engine: Engine, config: Config, paths: Sequence[Path]) -> StudySettings:
    """The settings of the study that *paths* belong to: study.yaml beside the data, else the configuration's."""
    folders = {path if path.is_dir() else path.parent for path in paths}
    found = {folder: configuration.load_study(folder) for folder in sorted(folders)}
    distinct = {settings.id: settings for settings in found.values() if settings is not None}
    if len(distinct) > 1:
        raise SettingsError(f"the paths belong to several studies ({', '.join(sorted(distinct))}); import one at a time")
    settings = next(iter(distinct.values()), config.default_study)
    if settings is not None:
        return settings
    with store.reading(engine) as session:
        known = studies.study_ids(session)
        kept = studies.settings_of(session, known[0]) if len(known) == 1 else None
    if kept is None:
        where = ", ".join(str(folder / "study.yaml") for folder in sorted(folders))
        raise SettingsError(f"no study is configured: write {where}, or the study part of config.yaml")
    return kept


def _gather(files: Sequence[Path], settings: StudySettings) -> list[_Read]:
    seen: dict[str, dict[str, SourceRecord]] = {}
    gathered = []
    for path in files:
        table = intake.read(path, settings.encoding)
        if "USUBJID" not in table.frame.columns:
            raise UnreadableFile(path, "has no column USUBJID", "Only datasets with one record per subject are imported")
        records: list[SourceRecord] = []
        refused: list[tuple[Rejection, Row]] = []
        rows = zip(table.rows, table.frame.iter_rows(named=True), strict=True)
        for outcome in normalise.read_rows(table.domain, path.name, rows, settings, seen.setdefault(table.domain, {})):
            if isinstance(outcome, SourceRecord):
                records.append(outcome)
            else:
                refused.append(outcome)
        gathered.append(_Read(table, records, refused))
    return gathered


def _notices(settings: StudySettings, gathered: Sequence[_Read]) -> list[str]:
    """What the settings name and the imported files do not have: said at once, not found in an empty table."""
    columns = {name for read in gathered if read.table.domain == "AE" for name in read.table.frame.columns}
    if not columns:
        return []
    flags = (read.table.frame["QNAM"] for read in gathered if read.table.domain == "SUPPAE" and "QNAM" in read.table.frame)
    columns |= {name for series in flags for name in series.drop_nulls().unique()}
    wanted = {"grade.source": settings.grade.source, "immune_flag": settings.immune_flag}
    if settings.treatment_emergent.rule == "flag":
        wanted["treatment_emergent.variable"] = settings.treatment_emergent.variable
    wanted |= {f"relatedness of {c.name}": c.relatedness for c in settings.components}
    wanted |= {f"action of {c.name}": c.action for c in settings.components}
    missing = [f"{key} names {name}, which no imported AE or SUPPAE file has" for key, name in wanted.items()
               if name and name not in columns]  # fmt: skip
    profiles = [f"{c.name}: profile {c.profile!r} does not exist; flat figures are used" for c in settings.components
                if c.profile and profile(c.profile) is None]  # fmt: skip
    return missing + profiles


def _check_complete(complete: Collection[str], gathered: Sequence[_Read]) -> None:
    present = {read.table.domain for read in gathered}
    if missing := {domain.upper() for domain in complete} - present:
        raise SettingsError(
            f"--complete {', '.join(sorted(missing))}: no file of that domain is imported here; "
            f"these are: {', '.join(sorted(present))}"
        )


def _keep_sources(
    session: Session, batch: int, study_id: str, gathered: Sequence[_Read], complete: Collection[str], result: ImportResult
) -> None:
    for read in gathered:
        table = read.table
        tally = result.tallies.setdefault(table.domain, Tally())
        file = sources.add_file(
            session, batch, study_id, path=table.path.name, sha256=table.sha256, domain=table.domain,
            format=table.format, encoding=table.encoding, n_rows=table.frame.height,
        )  # fmt: skip
        sources.put(session, study_id, table.domain, file, read.records, tally)
        result.n_new_rejections += sources.add_rejections(session, batch, study_id, read.refused)
        tally.n_rejected += len(read.refused)
        result.rejections += [rejection for rejection, _ in read.refused]
    for domain in complete:
        # a refused row is not an absent one: its record stays
        kept = {record.key for read in gathered if read.table.domain == domain for record in read.records}
        kept |= {
            normalise.key_of(domain, row)[0] for read in gathered if read.table.domain == domain for _, row in read.refused
        }
        sources.mark_deleted(session, study_id, domain, kept, result.tallies[domain])


def _decide_and_apply(
    session: Session,
    config: Config,
    settings: StudySettings,
    at: datetime,
    backfill: bool,
    refused: Sequence[tuple[Rejection, Row]],
    result: ImportResult,
) -> None:
    imported = sources.domains(session, settings.id)
    rows = {domain: sources.domain_rows(session, settings.id, domain) for domain in ("DM", "AE", "SUPPAE", "EX", "PR")}
    given = assembly.exposures(rows["EX"], rows["PR"], settings)
    subjects = assembly.subjects(rows["DM"], given, settings)
    event_store.put_subjects(session, settings.id, subjects)
    current = assembly.events(rows["AE"], rows["SUPPAE"], settings, code_to_ctcae)
    known = {subject.usubjid: subject for subject in subjects}
    stored = event_store.stored_events(session, settings.id)
    reports = reported_episodes(current)
    places = {
        (usubjid, int(seq)): place
        for key, place in sources.row_places(session, settings.id, "AE").items()
        for usubjid, _, seq in [key.rpartition("|")]
    }
    placed = event_store.put_events(session, [(event, stored.get(event.key)) for event in current], places, at)
    graded = results_of(session, subjects, settings)
    wording = official.load(config.official_wording)
    dispositions = last_dispositions(sources.domain_frame(session, settings.id, "DS"))
    results = results_of_events(graded, current) if settings.terminology == "ctcae" else {}
    rises = liver_questions.hbv_rises(graded, subjects, assembly.procedures(given))
    further = {name: sources.domain_rows(session, settings.id, name) for name in LOOKED_AT if name in imported}
    on_record = subject_records(given, current, results, further, rises)
    around = reconciliation.surroundings(reports, current, dispositions, results, wording)
    adviser = Adviser(settings, current, given, graded, imported)
    received = sources.domain_rows(session, settings.id, "SAE_RECEIPT")
    desk = Desk.of(session, config, settings, received, at, backfill)
    asked = reconciliation.of_dataset({name for row in rows["AE"] for name, value in row.items() if value}, settings)
    owed: list[routing.Owed] = []
    assessments = []
    assessed: dict[tuple[str, int], Assessment] = {}
    opinions: list[tuple[int, ComponentOpinion, StoredEvent | None]] = []
    for event, (event_id, version) in zip(current, placed, strict=True):
        before, subject = stored.get(event.key), known.get(event.usubjid)
        questions = of_event(event, subject, settings, around[event.key])
        asked += questions
        record = on_record.get(event.usubjid, SubjectRecord())
        held = opinions_on(event, record, settings, imported)
        held += _withdrawn(before, held)
        reviewed = [o for o in before.opinions.values() if o.author in causality.PEOPLE] if before else []
        assessment = assess(event, subject, settings, questions)
        duty = desk.reporting(event_id, event, assessment, [*held, *reviewed], substances_of(event, record, settings))
        susar = tuple(each.component for each in duty.judgements if each.susar)
        assessment = assessed[event.key] = assessment.model_copy(update={"susar": susar})
        siteid = subject.siteid if subject else None
        asked += causality.questions(event, assessment, [*held, *reviewed], settings, siteid)
        assessments.append((event_id, assessment, before))
        opinions += [(event_id, opinion, before) for opinion in held]
        if before is None:
            result.events["new"] += 1
        elif version != before.version:
            result.events["changed"] += 1
        state = _state(event, assessment, subject, held, version)
        after = replace(state, criterion=_criterion(event, wording), serious=duty.serious)
        was = _state_before(before, subject)
        if was is not None and before is not None:
            was = replace(was, serious=desk.serious_before(before))
        if decisions := desk.settle(event_id, duty, before, was, after):
            advised = adviser.on(event, assessment, held)
            flag = advised.immune.answer if advised.immune else None
            owed += _owed(decisions, replace(after, immune=flag, advice=advised.mail(mail_lines())), event_id)
    event_store.put_assessments(session, assessments, at, SOFTWARE)
    event_store.put_opinions(session, opinions, at)
    present = {event.key for event in current}
    for key, before in stored.items():
        if key in present:
            continue
        ended = desk.withdraw(before, "the record of the event was deleted at its source")
        was = _state_before(before, known.get(key[0]))
        if not before.is_deleted:
            version = event_store.mark_event_deleted(session, before, at)
            result.events["deleted"] += 1
            was = was and replace(was, serious=desk.serious_before(before))
            gone = _state_before(before, known.get(key[0]), deleted=True, version=version)
            assert gone is not None
            owed += _owed(decide_alerts(was, gone) + ended, gone, before.id)
        elif was is not None:  # deleted while nobody was to be told: its clocks end now
            owed += _owed(ended, was, before.id)
    result.clocks = {"opened": desk.n_opened, "closed": desk.n_closed, "judged": desk.n_judged}
    serious = {key: assessment.serious or assessment.fatal for key, assessment in assessed.items()}
    sites = {subject.usubjid: subject.siteid for subject in subjects}
    asked += receipts.questions(desk.receipts, serious, desk.taken(), sites, routing.site_hours(), study_id=settings.id)
    done = reconcile(session, settings, subjects, reports, graded, assessed, asked, assembly.procedures(given), at)
    owed += done.owed
    result.episodes, result.n_queries = done.n_episodes, done.n_open
    result.queries = done.queries
    for rejection, row in refused:
        if normalise.looks_serious(row, settings):
            result.refused_serious.append(rejection)
            owed += _owed_refusal(rejection, row, known, normalise.looks_fatal(row, settings))
    if not backfill:
        alerts = routing.address(owed, settings, config, at)
        result.n_alerts = outbox.enqueue(session, alerts)


def _owed(decisions: Sequence[AlertDecision], state: EventState, event_id: int) -> list[routing.Owed]:
    return [routing.Owed(decision, state, event_id) for decision in decisions]


def _owed_refusal(rejection: Rejection, row: Row, known: Mapping[str, Subject], fatal: bool) -> list[routing.Owed]:
    subject = known.get(row.get("USUBJID") or "")
    decision, state = decide_refused(rejection, row, subject.siteid if subject else None, fatal)
    return [routing.Owed(decision, state, None)]


def code_to_ctcae(aedecod: str | None, aeterm: str) -> tuple[str, str, int] | None:
    """The CTCAE term of a reported one: AEDECOD where it is one, else AEDECOD or the verbatim where they can be coded."""
    term: ctcae_v403.Term | None = None
    if aedecod:
        try:
            term = ctcae_v403.term(aedecod)
        except ctcae_v403.UnknownTerm:
            term = ctcae_v403.code(aedecod).term
    term = term or ctcae_v403.code(aeterm).term
    return (term.name, term.soc, term.meddra_code) if term else None


def opinions_on(
    event: AdverseEvent, record: SubjectRecord, settings: StudySettings, imported: Collection[str]
) -> list[ComponentOpinion]:
    """The investigator's opinion per component as reported, else the overall one, and the system's on every cause."""
    found = [
        ComponentOpinion(component=name, author=causality.INVESTIGATOR, level=opinion)
        for name, opinion in event.relatedness.items()
    ]
    if overall := (event.aerel or "").strip():
        found += [
            ComponentOpinion(component=c.name, author=causality.INVESTIGATOR, level=overall, rationale="AEREL, of all treatment")
            for c in settings.components if c.name not in event.relatedness
        ]  # fmt: skip
    if not settings.components:
        return found
    weighing = weigh(case_of(event, record, settings, imported), settings.components, disease=settings.disease)
    for cause, share in weighing.shares.items():
        name = cause.lower() if cause in (DISEASE, OTHER) else cause
        rationale = weighing.rationale if cause == weighing.leading else ""
        pieces = _moving(weighing) if cause == weighing.leading else ()
        level = weighing.levels[cause].name
        found.append(
            ComponentOpinion(
                component=name, author=causality.SYSTEM, level=level, share=share, rationale=rationale, pieces=pieces
            )
        )
    return found


def _withdrawn(before: StoredEvent | None, held: Sequence[ComponentOpinion]) -> list[ComponentOpinion]:
    """What the investigator said and the data no longer say: kept as an opinion without a level, the former one in the audit."""
    now = {(each.component, each.author) for each in held}
    return [
        ComponentOpinion(component=component, author=author, rationale="withdrawn: the data no longer say")
        for component, author in (before.opinions if before else ())
        if author == causality.INVESTIGATOR and (component, author) not in now
    ]


def _moving(weighing: Weighing) -> tuple[tuple[str, str, float], ...]:
    """The evidence that moves the leading share by half a hundredth or more, the largest first."""
    pairs = zip(weighing.pieces, weighing.effects, strict=True)
    moving = [(piece.cause, piece.what, round(effect, 4)) for piece, effect in pairs if effect is not None]
    return tuple(sorted((each for each in moving if abs(each[2]) >= LEAST_EFFECT), key=lambda each: -abs(each[2])))


def _criterion(event: AdverseEvent, wording: Mapping[int, official.Wording]) -> str:
    if event.meddra_code is None:
        return ""
    return official.text_of(ctcae_v403.term(event.meddra_code), event.grade, wording)


def _state(
    event: AdverseEvent,
    assessment: Assessment,
    subject: Subject | None,
    opinions: Sequence[ComponentOpinion],
    version: int,
    deleted: bool = False,
) -> EventState:
    weighed = [o for o in opinions if o.author == "system" and o.share is not None]
    return EventState(
        usubjid=event.usubjid,
        aeseq=event.aeseq,
        siteid=subject.siteid if subject else None,
        term=event.aedecod or event.aeterm,
        verbatim=event.aeterm,
        grade=event.grade,
        serious=assessment.serious,
        serious_basis=tuple(assessment.serious_basis),
        fatal=assessment.fatal,
        onset=event.aestdtc,
        outcome=event.aeout,
        deleted=deleted,
        version=version,
        relatedness=dict(event.relatedness),
        leading=max(weighed, key=lambda o: o.share or 0).component if weighed else None,
        queries=tuple(assessment.queries),
    )


def _state_before(
    before: StoredEvent | None, subject: Subject | None, *, deleted: bool | None = None, version: int | None = None
) -> EventState | None:
    if before is None or before.assessment is None:
        return None
    return _state(
        before.event,
        before.assessment,
        subject,
        list(before.opinions.values()),
        before.version if version is None else version,
        before.is_deleted if deleted is None else deleted,
    )


def write_rejects(rejections: Sequence[Rejection], path: Path) -> None:
    """``rejects.csv``: one line a refused row."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(REJECTS_COLUMNS)
        writer.writerows([getattr(rejection, name) for name in REJECTS_COLUMNS] for rejection in rejections)
