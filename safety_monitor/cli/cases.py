"""Commands on what people decide: cases from laboratory results, and the questions to the sites."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from safety_monitor.cli.terminal import (
    DEFAULT_CONFIG,
    ActingPerson,
    AsJson,
    ConfigPath,
    Reason,
    Refusal,
    StudyId,
    now,
    opened,
    print_json,
    print_table,
    stdout,
)
from safety_monitor.rules.causality import ReportedCausality
from safety_monitor.vocabulary import CaseState, Level, QueryState, Role

case = typer.Typer(help="Cases: what people decide about events and about results without a report.", no_args_is_help=True)
queries = typer.Typer(help="Questions to whoever can correct the data.", no_args_is_help=True)
CaseId = Annotated[str, typer.Argument(metavar="ID", help="Number of the case, or of a draft (D7).")]
QueryId = Annotated[int, typer.Argument(metavar="ID", help="Number of the question.")]
Site = Annotated[str | None, typer.Option("--site", help="Only this site.")]
Owner = Annotated[Role | None, typer.Option("--owner", help="Only those that this role can answer.")]
_SHOWN = (
    "study_id", "usubjid", "term", "case_state", "link", "aeseq", "baseline_grade", "onset_on", "onset_grade", "worst_grade",
    "worst_on", "evidence", "last_on", "ended", "resolved_on", "emergent_on", "n_results",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    app.add_typer(case, name="case")
    app.add_typer(queries, name="queries")


@case.command("list")
def list_cases(
    state: Annotated[CaseState | None, typer.Option(help="Only these; drafts and confirmed ones where left out.")] = None,
    drafts: Annotated[bool, typer.Option("--drafts", help="Instead, serious events that the data do not have yet.")] = False,
    site: Site = None,
    study: StudyId = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Laboratory episodes that are cases, by subject."""
    if drafts:
        from safety_monitor.cli.serious import list_drafts

        list_drafts(study, site, config, as_json)
        return
    from safety_monitor import store
    from safety_monitor.store import episodes, events
    from safety_monitor.workflow.studies import resolve

    _, engine = opened(config)
    study_id = resolve(engine, study)
    with store.reading(engine) as session:
        stored = episodes.stored_episodes(session, study_id)
        sites = {subject.usubjid: subject.siteid for subject in events.subjects(session, study_id)}
    wanted = {CaseState.DRAFT, CaseState.CONFIRMED} if state is None else {state}
    found = [
        {"id": each.id, "site": sites.get(each.episode.usubjid), **each.episode.model_dump(include=set(_SHOWN))}
        for each in stored
        if each.episode.case_state in wanted and (site is None or sites.get(each.episode.usubjid) == site)
    ]
    if as_json:
        print_json(found)
        return
    columns = ("id", "site", "usubjid", "term", "worst_grade", "onset_on", "ended", "case_state", "evidence")
    print_table([name.replace("_", " ") for name in columns], [[row[name] for name in columns] for row in found])
    stdout.print(f"{len(found)} cases")


@case.command("show")
def show_case(
    which: Annotated[str, typer.Argument(metavar="CASE", help="Number of a case, or USUBJID/AESEQ of an event.")],
    study: StudyId = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """One case: the course of its results, the reports of its subject, and what is asked; or the opinions on one event."""
    if not which.isdigit():
        _show_event(which, study, config, as_json)
        return
    episode_id = int(which)
    from safety_monitor import store
    from safety_monitor.store import episodes, events
    from safety_monitor.store import queries as query_store

    _, engine = opened(config)
    with store.reading(engine) as session:
        stored = episodes.stored_episode(session, episode_id)
        if stored is None:
            raise Refusal(f"No case has the number {episode_id}; see safety-monitor case list.")
        row = stored.episode
        reported = [each.event for key, each in sorted(events.stored_events(session, row.study_id).items())
                    if key[0] == row.usubjid and not each.is_deleted]  # fmt: skip
        about = f"{row.term} {row.opened_on.isoformat()}"
        asked = [each for each in query_store.stored_queries(session, row.study_id)
                 if (each.query.usubjid, each.query.about) == (row.usubjid, about)]  # fmt: skip
    facts = {**{name: getattr(row, name) for name in _SHOWN}, "decision": stored.decision, "decided_by": stored.decided_by}
    told: list[dict[str, Any]] = [
        {"aeseq": event.aeseq, "term": event.aedecod or event.aeterm, "grade": event.grade, "start": event.aestdtc,
         "end": event.aeendtc}
        for event in reported
    ]
    if as_json:
        print_json({"id": stored.id, **facts, "withdrawn": stored.is_withdrawn, "changes": row.changes, "reports": told,
                    "queries": [{"id": q.id, "state": q.state, "text": q.query.text} for q in asked]})  # fmt: skip
        return
    shown = [(name.replace("_", " "), value) for name, value in facts.items() if value is not None]
    print_table((f"case {episode_id}", ""), shown)
    stdout.print()
    print_table(("changed on", "grade"), row.changes)
    stdout.print()
    print_table(("AESEQ", "reported", "grade", "start", "end"), [list(each.values()) for each in told])
    for query in asked:
        stdout.print(f"Question {query.id} ({query.state.value}): {query.query.text}", markup=False)


@case.command("assess")
def assess_case(
    event: Annotated[str, typer.Argument(metavar="EVENT", help="USUBJID/AESEQ of the event.")],
    component: Annotated[str, typer.Option("--component", help="Component of the study.")],
    level: Annotated[str, typer.Option("--level", help="unrelated, unlikely, possible, probable or definite.")],
    reason: Reason,
    actor: ActingPerson,
    study: StudyId = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Records a person's opinion on one component beside the reported one; says what then counts for expedited reporting."""
    from safety_monitor.workflow.deciding import assess_causality
    from safety_monitor.workflow.studies import resolve

    if level.upper() not in Level.__members__:
        raise Refusal(f"--level {level!r} is none; use one of {', '.join(each.name.lower() for each in Level)}.")
    settings, engine = opened(config)
    counted = assess_causality(
        engine, settings, event_key(event), component, Level[level.upper()], study_id=resolve(engine, study), actor=actor,
        reason=reason, at=now(),
    )  # fmt: skip
    if as_json:
        print_json({"event": event, "component": component, "related": counted.related, "decided_by": counted.decided_by,
                    "why": counted.why})  # fmt: skip
        return
    stdout.print(f"{event}, {component}: recorded. For expedited reporting, if serious: {_counted(counted)}.", markup=False)


def event_key(text: str) -> tuple[str, int]:
    usubjid, slash, aeseq = text.rpartition("/")
    if not slash or not aeseq.isdigit():
        raise Refusal(f"{text!r} names no event; write USUBJID/AESEQ, for example HCC-ALP-01-01-001/3.")
    return usubjid, int(aeseq)


def _counted(counted: ReportedCausality) -> str:
    if counted.related is None:
        return f"not known, treated as related ({counted.why})"
    return f"{'related' if counted.related else 'not related'}, by {counted.decided_by} ({counted.why})"


def _show_event(which: str, study: str | None, config: Path, as_json: bool) -> None:
    """The opinions on one event, side by side."""
    from safety_monitor import store
    from safety_monitor.cli.serious import print_reporting, reporting_json, reporting_shown
    from safety_monitor.rules.causality import SYSTEM, causality_for_reporting
    from safety_monitor.store import events
    from safety_monitor.store import queries as query_store
    from safety_monitor.store.studies import settings_of
    from safety_monitor.workflow.studies import resolve

    _, engine = opened(config)
    study_id, (usubjid, aeseq) = resolve(engine, study), event_key(which)
    with store.reading(engine) as session:
        found = events.stored_events(session, study_id).get((usubjid, aeseq))
        settings = settings_of(session, study_id)
        if found is None or settings is None:
            raise Refusal(f"{usubjid} has no event with AESEQ {aeseq} in study {study_id}.")
        held = events.opinions_on(session, found.id)
        asked = [each for each in query_store.stored_queries(session, study_id) if each.state is not QueryState.CLOSED
                 and each.query.usubjid == usubjid and f"{each.query.about} ".startswith(f"AE {aeseq} ")]  # fmt: skip
    event, serious = found.event, bool(found.assessment and found.assessment.serious)
    leading = next((o for o, _ in held if o.author == SYSTEM and o.rationale), None)  # it alone has the reasons
    opinions = [
        {"component": o.component, "author": o.author, "given_by": o.given_by, "level": o.level, "share": o.share, "at": at,
         "reason": o.rationale, "leading": o is leading}
        for o, at in held
    ]  # fmt: skip
    counted = {c.name: causality_for_reporting(c.name, [o for o, _ in held], settings) for c in settings.components}
    reporting, clocks = reporting_shown(engine, settings, (usubjid, aeseq)) if not found.is_deleted else (None, [])
    if as_json:
        facts = event.model_dump(include={"usubjid", "aeseq", "aeterm", "aedecod", "grade", "aestdtc", "aeendtc", "aeout"})
        told = {name: {"related": each.related, "decided_by": each.decided_by, "why": each.why} for name, each in counted.items()}
        print_json({**facts, "serious": serious, "deleted": found.is_deleted, "opinions": opinions,
                    "for_reporting": told if serious else None,
                    "reporting": reporting_json(reporting) if reporting else None, "clocks": clocks,
                    "queries": [{"id": q.id, "state": q.state, "text": q.query.text} for q in asked]})  # fmt: skip
        return
    stdout.print(f"{usubjid} AE {aeseq}: {event.aedecod or event.aeterm}, grade {event.grade or 'not known'}, "
                 f"{'serious' if serious else 'not serious'}, from {event.aestdtc or 'an unknown day'}"
                 f"{'; deleted at its source' if found.is_deleted else ''}", markup=False)  # fmt: skip
    # An investigator's word and the system's level are shown as given; of a long reason the first sentence.
    rows = [
        (o.component, o.author.replace("_", " "), o.given_by or "", o.level or "none",
         "" if o.share is None else f"{100 * o.share:.1f} %{', leads' if o is leading else ''}", f"{at:%Y-%m-%d %H:%M}",
         o.rationale if o.author != SYSTEM else o.rationale.partition(". ")[0])
        for o, at in held
    ]  # fmt: skip
    print_table(("component", "opinion of", "person", "level", "share", "given (UTC)", "reason"), rows)
    if leading is not None:
        stdout.print(f"\nThe system's reasons: {leading.rationale}\n", markup=False)
    if reporting is None or not reporting.serious:
        stdout.print("Not serious: no expedited reporting.")
    for name, each in counted.items() if reporting and reporting.serious else ():
        stdout.print(f"For expedited reporting, {name}: {_counted(each)}.", markup=False)
    if reporting is not None:
        print_reporting(reporting, clocks)
    for query in asked:
        stdout.print(f"Question {query.id} ({query.state.value}): {query.query.text}", markup=False)


@case.command("confirm")
def confirm(
    case_id: CaseId,
    reason: Reason,
    actor: ActingPerson,
    event: Annotated[int | None, typer.Option("--event", help="AESEQ of the report that it is.")] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Says that a case is an adverse event, to be reported; or, with --event, which reported one it (or a draft) is."""
    _decide(config, case_id, CaseState.CONFIRMED, actor, reason, event, as_json)


@case.command("dismiss")
def dismiss(
    case_id: CaseId, reason: Reason, actor: ActingPerson, config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False
) -> None:
    """Says that a case, or a draft, is no adverse event; the question of a case closes."""
    _decide(config, case_id, CaseState.DISMISSED, actor, reason, None, as_json)


def _decide(
    config: Path, case_id: str, state: CaseState, actor: str, reason: str, event: int | None, as_json: bool
) -> None:
    from safety_monitor.workflow.deciding import decide_case

    if case_id[:1].upper() == "D":
        from safety_monitor.cli.serious import close_draft

        close_draft(config, case_id, state, actor, reason, event, as_json)
        return
    if not case_id.isdigit():
        raise Refusal(f"{case_id!r} is the number of no case; see safety-monitor case list.")
    settings, engine = opened(config)
    done = decide_case(engine, settings, int(case_id), case_state=state, actor=actor, reason=reason, at=now(), aeseq=event)
    row = done.episode
    if as_json:
        print_json({"id": done.id, "case_state": row.case_state, "link": row.link, "aeseq": row.aeseq})
        return
    now_is = f"is AESEQ {row.aeseq}" if row.aeseq is not None else f"is {row.case_state.value}"
    stdout.print(f"Case {done.id} ({row.term}, {row.usubjid}) {now_is}.", markup=False)


@queries.command("list")
def list_queries(
    state: Annotated[QueryState | None, typer.Option(help="Only these; all that are not closed where left out.")] = None,
    site: Site = None,
    owner: Owner = None,
    study: StudyId = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Questions with owner, age and state, oldest first."""
    _, rows = _listed(config, study, state, site, owner)
    if as_json:
        print_json(rows)
        return
    columns = ("id", "siteid", "usubjid", "about", "owner", "state", "age_days", "text")
    print_table([name.replace("_", " ") for name in columns], [[row[name] for name in columns] for row in rows])
    stdout.print(f"{len(rows)} questions")


@queries.command("answer")
def answer(
    query_id: QueryId,
    text: Annotated[str, typer.Argument(help="The answer.")],
    actor: ActingPerson,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Records an answer; the question stays until the data or a person close it."""
    from safety_monitor.workflow.deciding import answer_query

    settings, engine = opened(config)
    _said(answer_query(engine, settings, query_id, text, actor=actor, at=now()), as_json)


@queries.command("close")
def close(
    query_id: QueryId, reason: Reason, actor: ActingPerson, config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False
) -> None:
    """Closes a question although its ground remains; it reopens when what it says changes."""
    from safety_monitor.workflow.deciding import close_query

    settings, engine = opened(config)
    _said(close_query(engine, settings, query_id, actor=actor, reason=reason, at=now()), as_json)


@queries.command("export")
def export(
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.")],
    site: Site = None,
    owner: Owner = None,
    language: Annotated[Literal["en", "zh"], typer.Option("--language", help="Language of the sheets.")] = "en",
    study: StudyId = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Writes the questions that are not closed, one CSV and one PDF sheet a site."""
    from safety_monitor.reporting.query_sheet import COLUMNS, query_sheet

    study_id, rows = _listed(config, study, None, site, owner)
    settings, _ = opened(config)
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for siteid in sorted({row["siteid"] for row in rows}, key=lambda each: each or ""):
        own = [row for row in rows if row["siteid"] == siteid]
        name = f"queries-{study_id}-{siteid or 'no-site'}"
        with (out / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(own)
        sheet = query_sheet(own, study_id=study_id, siteid=siteid, made_on=now().date(), organisation=settings.organisation,
                            page_size=settings.page_size, language=language)  # fmt: skip
        (out / f"{name}.pdf").write_bytes(sheet)
        written += [f"{name}.csv", f"{name}.pdf"]
    if as_json:
        print_json({"study": study_id, "folder": str(out), "files": written, "queries": len(rows)})
    else:
        stdout.print(f"{len(rows)} questions in {len(written)} files: {out}")


def _listed(
    config: Path, study: str | None, state: QueryState | None, site: str | None, owner: Role | None
) -> tuple[str, list[dict[str, Any]]]:
    from safety_monitor import store
    from safety_monitor.reporting.query_sheet import COLUMNS
    from safety_monitor.workflow.deciding import listed_queries
    from safety_monitor.workflow.studies import resolve

    _, engine = opened(config)
    study_id = resolve(engine, study)
    with store.reading(engine) as session:
        found = listed_queries(session, study_id, state=state, siteid=site, owner=owner)
    at = now()
    rows = [
        {**{name: getattr(each.query, name, None) for name in COLUMNS}, "id": each.id, "state": each.state.value,
         "age_days": (at - each.since).days, "opened_on": each.opened_at.date().isoformat(), "answer": each.answer}
        for each in found
    ]  # fmt: skip
    return study_id, rows


def _said(row: Any, as_json: bool) -> None:
    if as_json:
        print_json({"id": row.id, "state": row.state.value})
    else:
        stdout.print(f"Question {row.id} is {row.state.value}.")
