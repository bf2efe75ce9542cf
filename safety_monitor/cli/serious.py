"""Commands on serious events: what a person overrides, drafts of events not in the data yet, reporting clocks."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from safety_monitor.cli.cases import case, event_key
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
from safety_monitor.vocabulary import CaseState, DraftState, Matter, Seriousness

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from safety_monitor.rules.duties import Reporting
    from safety_monitor.store.clocks import ClockOnRecord
    from safety_monitor.study import StudySettings

clocks = typer.Typer(help="Reporting clocks: what is due by when, and by which rule.", no_args_is_help=True)
Said = Literal["yes", "no", "none"]
_CLOCK = (
    "id", "study_id", "usubjid", "aeseq", "term", "rule_id", "pack", "component", "cause", "state", "due", "day_zero", "aware_at",
    "aware_basis", "due_at", "late", "met_at", "closed_by", "close_reason", "linked_id",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    app.add_typer(clocks, name="clocks")


@case.command("override")
def override_case(
    event: Annotated[str, typer.Argument(metavar="EVENT", help="USUBJID/AESEQ of the event.")],
    reason: Reason,
    actor: ActingPerson,
    grade: Annotated[str | None, typer.Option("--grade", metavar="1-5|none", help="Grade for reporting.")] = None,
    serious: Annotated[Said | None, typer.Option("--serious", help="Whether it is serious.")] = None,
    expected: Annotated[Said | None, typer.Option("--expected", help="Whether it is expected of the component.")] = None,
    susar: Annotated[Said | None, typer.Option("--susar", help="Whether it is a SUSAR of the component.")] = None,
    component: Annotated[str, typer.Option("--component", help="Component of the study, for --expected and --susar.")] = "",
    study: StudyId = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Records what a person decides beside the report: one of grade, seriousness, expectedness, SUSAR; none takes it back."""
    from safety_monitor.workflow.deciding import override
    from safety_monitor.workflow.studies import resolve

    given = {Matter.GRADE: grade, Matter.SERIOUSNESS: serious, Matter.EXPECTEDNESS: expected, Matter.SUSAR: susar}
    said = {matter: value for matter, value in given.items() if value is not None}
    if len(said) != 1:
        raise Refusal("Decide one thing at a time: --grade, --serious, --expected or --susar.")
    ((matter, value),) = said.items()
    if matter is Matter.GRADE and value not in {"1", "2", "3", "4", "5", "none"}:
        raise Refusal(f"--grade {value!r} is no CTCAE grade; write 1 to 5, or none.")
    settings, engine = opened(config)
    study_id = resolve(engine, study)
    reporting = override(
        engine, settings, event_key(event), matter, None if value == "none" else value, component=component, study_id=study_id,
        actor=actor, reason=reason, at=now(),
    )  # fmt: skip
    if as_json:
        print_json({"event": event, "decided": matter, "value": value, "reporting": reporting_json(reporting)})
        return
    stdout.print(f"{event}, {matter.value} {value}: recorded.", markup=False)
    print_reporting(reporting, _clocks_of(engine, study_id, event_key(event)))


@case.command("draft")
def draft_case(
    usubjid: Annotated[str, typer.Argument(metavar="USUBJID", help="Subject.")],
    term: Annotated[str, typer.Option("--term", help="What happened: a CTCAE term or the words told.")],
    reason: Reason,
    actor: ActingPerson,
    criterion: Annotated[list[Seriousness], typer.Option("--criterion", help="Seriousness criterion, as the SDTM variable.")],
    grade: Annotated[int | None, typer.Option("--grade", min=1, max=5, help="Grade, where it is known.")] = None,
    onset: Annotated[str | None, typer.Option("--onset", help="Onset, as far as it is known.")] = None,
    aware_at: Annotated[str | None, typer.Option("--aware-at", help="When the sponsor was told; now where left out.")] = None,
    study: StudyId = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Records a serious event that was told before it stands in the data; its awareness starts the clocks of the record."""
    from safety_monitor import store
    from safety_monitor.records import SaeDraft
    from safety_monitor.rules.normalise import aware_at as read
    from safety_monitor.store.studies import settings_of
    from safety_monitor.workflow import deciding
    from safety_monitor.workflow.studies import resolve

    loaded, engine = opened(config)
    study_id, at = resolve(engine, study), now()
    with store.reading(engine) as session:
        settings = settings_of(session, study_id)
    assert settings is not None
    try:
        aware = read(aware_at, settings) or at
    except ValueError as error:
        raise Refusal(f"--aware-at {aware_at!r} {error}.") from None
    draft = SaeDraft(
        study_id=study_id, usubjid=usubjid, term=_term(term), grade=grade, criteria=tuple(each.name for each in criterion),
        onset=onset, aware_at=aware, opened_at=at, opened_by=actor, reason=reason,
    )  # fmt: skip
    number = deciding.draft_case(engine, loaded, draft)
    if as_json:
        print_json({"draft": f"D{number}", "term": draft.term, "aware_at": draft.aware_at})
        return
    ends = "It ends when the data have a serious event of this subject and term."
    stdout.print(f"Draft D{number}: {draft.term}, {usubjid}. {ends}", markup=False)


def _term(text: str) -> str:
    """The CTCAE term for *text* where it is one or can be coded, else the text."""
    import ctcae_v403

    found = ctcae_v403.code(text).term
    return found.name if found else text


def list_drafts(study: str | None, site: str | None, config: Path, as_json: bool) -> None:
    """Drafts that are still open, oldest first."""
    from safety_monitor import store
    from safety_monitor.store import clocks as clock_store
    from safety_monitor.store import events
    from safety_monitor.workflow.studies import resolve

    _, engine = opened(config)
    study_id = resolve(engine, study)
    with store.reading(engine) as session:
        found = clock_store.drafts(session, study_id, state=DraftState.OPEN)
        sites = {subject.usubjid: subject.siteid for subject in events.subjects(session, study_id)}
    rows = [
        {"id": f"D{each.id}", "site": sites.get(each.draft.usubjid),
         **each.draft.model_dump(include={"usubjid", "term", "grade", "criteria", "onset", "aware_at", "opened_by", "reason"})}
        for each in found
        if site is None or sites.get(each.draft.usubjid) == site
    ]  # fmt: skip
    if as_json:
        print_json(rows)
        return
    columns = ("id", "site", "usubjid", "term", "grade", "onset", "aware_at", "opened_by", "reason")
    print_table([name.replace("_", " ") for name in columns], [[row[name] for name in columns] for row in rows])
    stdout.print(f"{len(rows)} drafts")


def close_draft(
    config: Path, case_id: str, state: CaseState, actor: str, reason: str, event: int | None, as_json: bool
) -> None:
    from safety_monitor.workflow import deciding

    if not case_id[1:].isdigit():
        raise Refusal(f"{case_id!r} is the number of no draft; see safety-monitor case list --drafts.")
    if state is CaseState.CONFIRMED and event is None:
        raise Refusal(f"Say which record of the data {case_id} is: --event AESEQ; or dismiss it.")
    settings, engine = opened(config)
    done = deciding.close_draft(engine, settings, int(case_id[1:]), aeseq=event, actor=actor, reason=reason, at=now())
    if as_json:
        print_json({"draft": case_id, "state": "dismissed" if event is None else "reported", "aeseq": event})
        return
    is_now = "is dismissed" if event is None else f"is AESEQ {event}"
    stdout.print(f"Draft {case_id} ({done.term}, {done.usubjid}) {is_now}.", markup=False)


@clocks.command("list")
def list_clocks(
    all_: Annotated[bool, typer.Option("--all", help="Also those that have ended.")] = False,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those that are over.")] = False,
    study: StudyId = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Reports that are due, the first due first."""
    from safety_monitor import store
    from safety_monitor.store import clocks as clock_store
    from safety_monitor.workflow.studies import resolve

    _, engine = opened(config)
    study_id = None if study is None else resolve(engine, study)
    with store.reading(engine) as session:
        found = clock_store.clocks(session, study_id, running=not all_)
    at = now()
    rows = [_as_row(each, at) for each in found]
    rows = [row for row in rows if row["late"] or not overdue]
    if as_json:
        print_json(rows)
        return
    columns = ("id", "usubjid", "aeseq", "term", "rule_id", "component", "cause", "due", "state", "late")
    shown = [[("LATE" if row[name] else "") if name == "late" else row[name] for name in columns] for row in rows]
    print_table(("id", "subject", "AE", "term", "rule", "component", "why", "due", "state", ""), shown)
    stdout.print(f"{len(rows)} clocks, {sum(row['late'] for row in rows)} late")


@clocks.command("met")
def met(
    clock_id: Annotated[int, typer.Argument(metavar="ID", help="Number of the clock.")],
    reason: Annotated[str, typer.Option("--reason", help="What was sent to whom, with its reference.")],
    actor: ActingPerson,
    at: Annotated[str | None, typer.Option("--at", help="When it was sent, with its zone; now where left out.")] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Records that the report which a clock waits for was made."""
    from safety_monitor.workflow.deciding import meet_clock

    try:
        met_at = None if at is None else datetime.fromisoformat(at)
        if met_at is not None and met_at.tzinfo is None:
            raise ValueError("has no time zone")
    except ValueError as error:
        raise Refusal(f"--at {at!r}: {error}; write it as 2026-03-07T16:30+08:00.") from None
    settings, engine = opened(config)
    done = meet_clock(engine, settings, clock_id, met_at=met_at, actor=actor, reason=reason, at=now())
    row = _as_row(done, now())
    if as_json:
        print_json(row)
        return
    late = f"LATE: it was due {row['due']}" if row["late"] else f"in time, it was due {row['due']}"
    stdout.print(f"Clock {clock_id} ({done.clock.rule_id}, {done.usubjid} AE {done.aeseq}) is met, {late}.", markup=False)


def _as_row(found: ClockOnRecord, at: datetime) -> dict[str, Any]:
    from safety_monitor.rules.clocks import last_day
    from safety_monitor.rules.notices import is_late

    facts = {
        **found.clock.model_dump(), "id": found.id, "usubjid": found.usubjid, "aeseq": found.aeseq, "term": found.term,
        "due": last_day(found.clock), "late": is_late(found.clock, at),
    }  # fmt: skip
    return {name: facts[name] for name in _CLOCK}


def _clocks_of(engine: Engine, study_id: str, event: tuple[str, int]) -> list[dict[str, Any]]:
    from safety_monitor import store
    from safety_monitor.store import clocks as clock_store

    with store.reading(engine) as session:
        found = clock_store.clocks(session, study_id)
    return [_as_row(each, now()) for each in found if (each.usubjid, each.aeseq) == event]


def reporting_shown(engine: Engine, settings: StudySettings, event: tuple[str, int]) -> tuple[Reporting, list[dict[str, Any]]]:
    """What has to be reported of one event by all that is on record, and its clocks."""
    from safety_monitor import store
    from safety_monitor.workflow.deciding import reporting_now

    with store.reading(engine) as session:
        reporting = reporting_now(session, settings, event)
    return reporting, _clocks_of(engine, settings.id, event)


def reporting_json(reporting: Reporting) -> dict[str, Any]:
    return {
        "serious": reporting.serious, "serious_why": reporting.serious_why, "facts": dict(reporting.facts),
        "judgements": [
            {"component": each.component, "related": each.related.related, "expected": each.expected.expected,
             "lists": each.expected.lists, "susar": each.susar, "why": each.why, "decided_by": each.decided_by}
            for each in reporting.judgements
        ],
        "duties": [
            {"rule_id": each.rule.id, "pack": each.rule.pack, "component": each.component, "time": each.rule.time,
             "unknown": each.unknown, "source": each.rule.source}
            for each in reporting.duties
        ],
    }  # fmt: skip


def print_reporting(reporting: Reporting, on_record: list[dict[str, Any]]) -> None:
    """Each component's judgement with its reasons, the duties, and the clocks of the event."""
    for each in reporting.judgements if reporting.serious else ():
        verdict = "SUSAR" if each.susar else "no SUSAR"
        lists = f" [{'; '.join(each.expected.lists)}]" if each.expected.lists else ""
        stdout.print(f"{each.component}: {verdict}. {each.why}{lists}", markup=False)
    for duty in reporting.duties:
        unknown = f"; counted as met because not known: {', '.join(duty.unknown)}" if duty.unknown else ""
        of = f" ({duty.component})" if duty.component else ""
        stdout.print(f"{duty.rule.id}{of}: {duty.rule.says['en']}, {duty.rule.time}{unknown}. {duty.rule.source}", markup=False)
    if on_record:
        stdout.print()
        columns = ("id", "rule_id", "component", "cause", "day_zero", "aware_basis", "due", "state", "close_reason")
        print_table([name.replace("_", " ") for name in columns], [[row[name] for name in columns] for row in on_record])
