"""Commands on reports: issuing, listing, signing, telling what a file is; and the action items of the board."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from safety_monitor.cli.terminal import (
    DEFAULT_CONFIG,
    ActingPerson,
    Actor,
    AsJson,
    ConfigPath,
    Refusal,
    StudyId,
    actor_or_user,
    now,
    opened,
    print_json,
    print_table,
    stdout,
)

if TYPE_CHECKING:
    from safety_monitor.store.actions import ActionOnRecord
    from safety_monitor.store.snapshots import ReportOnRecord
    from safety_monitor.workflow.issuing import Issued

report = typer.Typer(help="Reports as PDF: issued, listed, signed, verified.", no_args_is_help=True)
actions = typer.Typer(help="Action items of the board, carried over until they are closed.", no_args_is_help=True)
Out = Annotated[Path, typer.Option("--out", help="PDF to write.")]
CutOff = Annotated[
    datetime | None,
    typer.Option("--cutoff", formats=["%Y-%m-%d"], help="Data cut-off; the study's own, or all data, where left out."),
]
Language = Annotated[Literal["en", "zh"] | None, typer.Option("--language", help="Language of the report; en where left out.")]
PageSize = Annotated[
    Literal["A4", "Letter"] | None, typer.Option("--page-size", help="Paper; that of the configuration where left out.")
]
Draft = Annotated[bool, typer.Option("--draft", help="Marked as a draft: it is not signed, and is no “last report”.")]
_REPORT = (
    "id", "number", "study_id", "kind", "cutoff", "issued_at", "issued_by", "language", "page_size", "mark", "snapshot_sha256",
    "sha256", "software", "path",
)  # fmt: skip
_ACTION = (
    "id", "text", "owner", "due_on", "state", "report_id", "opened_at", "opened_by", "closed_at", "closed_by", "resolution",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    app.add_typer(report, name="report")
    app.add_typer(actions, name="actions")


@report.command()
def dsmb(
    out: Out,
    cutoff: CutOff = None,
    snapshot: Annotated[str | None, typer.Option(help="Make the report of this kept snapshot again (hash).")] = None,
    language: Language = None,
    page_size: PageSize = None,
    draft: Draft = False,
    study: StudyId = None,
    actor: Actor = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """The report for the data safety monitoring board."""
    from safety_monitor.vocabulary import Mark
    from safety_monitor.workflow.issuing import issue_dsmb, rebuild
    from safety_monitor.workflow.studies import resolve

    if snapshot is not None and cutoff:
        raise Refusal("--snapshot names a frozen state, which has its own cut-off; leave --cutoff out.")
    if snapshot is not None and draft:
        raise Refusal("--snapshot makes a report again with the mark that it was issued with; leave --draft out.")
    settings, engine = opened(config)
    if snapshot is not None:
        issued = rebuild(engine, settings, snapshot, out, language=language, page_size=page_size)
    else:
        issued = issue_dsmb(
            engine, settings, resolve(engine, study), cutoff.date() if cutoff else None, out,
            actor=actor_or_user(actor), at=now(),
            language=language or "en", page_size=page_size, mark=Mark.DRAFT if draft else Mark.FINAL,
        )  # fmt: skip
    _shown(issued, as_json)


@report.command()
def safety(
    out: Out,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Alerts from this day on; of a week where left out.")
    ] = None,
    language: Language = None,
    page_size: PageSize = None,
    draft: Draft = False,
    study: StudyId = None,
    actor: Actor = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """The safety officer's report: what is due, what was told and read, what is new, what is open."""
    from safety_monitor.vocabulary import Mark
    from safety_monitor.workflow.issuing import issue
    from safety_monitor.workflow.standing import safety_snapshot
    from safety_monitor.workflow.studies import resolve

    settings, engine = opened(config)
    at = now()
    start = since.replace(tzinfo=UTC) if since else at - timedelta(days=7)
    frozen = safety_snapshot(engine, settings, resolve(engine, study), start, at)
    issued = issue(
        engine, settings, "safety", frozen, out, actor=actor_or_user(actor), at=at, language=language or "en",
        page_size=page_size, mark=Mark.DRAFT if draft else Mark.FINAL,
    )  # fmt: skip
    _shown(issued, as_json)


def _shown(issued: Issued, as_json: bool) -> None:
    if as_json:
        print_json(vars(issued))
        return
    shown = issued.cutoff.isoformat() if issued.cutoff else "none (all data)"
    stdout.print(f"{issued.path}  ({issued.n_bytes / 1024:.0f} KiB)")
    stdout.print(f"Study {issued.study_id}, cut-off {shown}, snapshot {issued.snapshot_sha256[:12]}")
    if issued.report is None:
        stdout.print("These are not the bytes of a report that was issued.")
    else:
        stdout.print(f"Report {issued.report} ({issued.mark}), SHA-256 {issued.sha256[:12]}")


@report.command("list")
def list_reports(study: StudyId = None, config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Reports that were issued, oldest first, with their signatures."""
    from safety_monitor.workflow.issuing import listed

    _, engine = opened(config)
    found = listed(engine, study)
    if as_json:
        print_json([_report_json(each) for each in found])
        return
    columns = ("id", "number", "study", "kind", "cut-off", "issued", "by", "language", "mark", "SHA-256", "signed", "file")
    rows = [
        (each.id, each.number, each.study_id, each.kind, each.cutoff, f"{each.issued_at:%Y-%m-%d %H:%MZ}", each.issued_by,
         each.language, each.mark.value, each.sha256[:12], "; ".join(f"{s.name}: {s.meaning}" for s in each.signatures),
         each.path)
        for each in found
    ]  # fmt: skip
    print_table(columns, rows)
    stdout.print(f"{len(rows)} reports")


@report.command("sign")
def sign_report(
    number: Annotated[int, typer.Argument(metavar="REPORT", help="Id of the issued report: report list.")],
    meaning: Annotated[str, typer.Option("--meaning", help="What the signature means, such as: reviewed and approved.")],
    actor: ActingPerson,
    file: Annotated[Path | None, typer.Option("--file", help="The PDF, where it does not lie where it was written.")] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Signs the bytes of an issued report: name, role, meaning, time and SHA-256 are kept for good."""
    from safety_monitor.workflow.issuing import sign

    settings, engine = opened(config)
    found, signature = sign(engine, settings, number, meaning=meaning, actor=actor, at=now(), file=file)
    if as_json:
        print_json({"report": found.id, **_signature_json(signature)})
    else:
        stdout.print(
            f"Report {found.id} of {found.study_id} is signed by {signature.name} ({signature.role.value.replace('_', ' ')}): "
            f"{signature.meaning}. SHA-256 {signature.sha256}",
            markup=False,
        )


@report.command("verify")
def verify_report(
    file: Annotated[Path, typer.Argument(metavar="FILE.pdf", help="The PDF to identify.")],
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Says which issued report a file is, byte for byte, and who signed it; exit 1 where it is none."""
    from safety_monitor.workflow.issuing import identify

    if not file.is_file():
        raise Refusal(f"{file} is no file.")
    _, engine = opened(config)
    sha256, found = identify(engine, file)
    if as_json:
        print_json({"file": str(file), "sha256": sha256, "reports": [_report_json(each) for each in found]})
        raise typer.Exit(0 if found else 1)
    if not found:
        raise Refusal(f"{file} (SHA-256 {sha256}) is no report that was issued from this database, or its bytes were changed.")
    for each in found:
        cutoff = each.cutoff.isoformat() if each.cutoff else "none (all data)"
        stdout.print(
            f"{file} is report {each.id} ({each.mark.value}) of {each.study_id}: {each.kind}, cut-off {cutoff}, snapshot "
            f"{each.snapshot_sha256[:12]}, issued {each.issued_at:%Y-%m-%d %H:%M} UTC by {each.issued_by or 'not recorded'}.",
            markup=False,
        )
        for one in each.signatures:
            said = f"{one.name} ({one.role.value.replace('_', ' ')}), {one.at:%Y-%m-%d %H:%M} UTC: {one.meaning}"
            stdout.print(f"  signed by {said}", markup=False)
        if not each.signatures:
            stdout.print("  not signed")


def _report_json(found: ReportOnRecord) -> dict[str, Any]:
    return {name: getattr(found, name) for name in _REPORT} | {"signatures": [_signature_json(s) for s in found.signatures]}


def _signature_json(signature: Any) -> dict[str, Any]:
    return {name: getattr(signature, name) for name in ("name", "role", "meaning", "at", "sha256")}


@actions.command("add")
def add(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What is to be done.")],
    owner: Annotated[str, typer.Option("--owner", help="Who does it.")],
    due: Annotated[datetime, typer.Option("--due", formats=["%Y-%m-%d"], help="By when.")],
    actor: ActingPerson,
    of_report: Annotated[
        int | None, typer.Option("--report", metavar="N", help="Id of the issued report that was before the board.")
    ] = None,
    study: StudyId = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Puts what the board asked for on the list; every report shows it until it is closed."""
    from safety_monitor.workflow.actions import add_action
    from safety_monitor.workflow.studies import resolve

    settings, engine = opened(config)
    done = add_action(
        engine, settings, resolve(engine, study), text, owner=owner, due_on=due.date(), actor=actor, at=now(), report=of_report
    )
    _told(done, as_json)


@actions.command("close")
def close(
    number: Annotated[int, typer.Argument(metavar="ID", help="Number of the item: actions list.")],
    resolution: Annotated[str, typer.Option("--resolution", help="What became of it; the next report shows it once.")],
    actor: ActingPerson,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Takes an item off the list, with what became of it."""
    from safety_monitor.workflow.actions import close_action

    settings, engine = opened(config)
    _told(close_action(engine, settings, number, resolution=resolution, actor=actor, at=now()), as_json)


@actions.command("list")
def list_actions(
    closed_too: Annotated[bool, typer.Option("--all", help="Those that were closed, too.")] = False,
    study: StudyId = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Action items that are open, in the order in which they were asked."""
    from safety_monitor.workflow.actions import listed_actions
    from safety_monitor.workflow.studies import resolve

    _, engine = opened(config)
    rows = [_action_json(each) for each in listed_actions(engine, resolve(engine, study), closed_too=closed_too)]
    if as_json:
        print_json(rows)
        return
    columns = ("id", "text", "owner", "due_on", "state", "report_id", "resolution")
    print_table([name.replace("_", " ") for name in columns], [[row[name] for name in columns] for row in rows])
    stdout.print(f"{len(rows)} action items")


def _action_json(found: ActionOnRecord) -> dict[str, Any]:
    row = {"id": found.id, "state": "open" if found.is_open else "closed", **found.item.model_dump()}
    return {name: row[name] for name in _ACTION}


def _told(found: ActionOnRecord, as_json: bool) -> None:
    if as_json:
        print_json(_action_json(found))
    elif found.is_open:
        stdout.print(f"Action item {found.id}: {found.item.text} ({found.item.owner}, due {found.item.due_on}).", markup=False)
    else:
        stdout.print(f"Action item {found.id} is closed: {found.item.resolution}", markup=False)
