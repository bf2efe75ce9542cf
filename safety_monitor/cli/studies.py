"""Commands on a study in the database: init, import, tables, report, simulate, demo."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from safety_monitor.cli.terminal import (
    DEFAULT_CONFIG,
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
    stderr,
    stdout,
)

if TYPE_CHECKING:
    from safety_monitor.workflow.issuing import Issued

report = typer.Typer(help="Reports as PDF.", no_args_is_help=True)
CutOff = Annotated[
    datetime | None,
    typer.Option("--cutoff", formats=["%Y-%m-%d"], help="Data cut-off; the study's own, or all data, where left out."),
]


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)
    app.command("init")(init)
    app.command("simulate")(simulate)
    app.command("import")(import_)
    app.command("tables")(tables)
    app.add_typer(report, name="report")


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.")] = Path("demo"),
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Simulates a trial and runs everything on it: tables, DSMB report and serious-event mails."""
    from safety_monitor.workflow.demonstration import run_demo

    started = time.perf_counter()
    done = run_demo(out, now(), tell=None if as_json else lambda line: stdout.print(line))
    if as_json:
        print_json(done)
        return
    stdout.print()
    rows = [(label, done[key]) for label, key in (
        ("DSMB report", "report"), ("Tables (CSV)", "tables"), ("Mails", "mailbox"),
        ("Refused rows", "rejects"), ("Simulated data", "data"), ("Database", "database"),
    )]  # fmt: skip
    print_table(("what", "where"), rows)
    stdout.print(f"\nDone in {time.perf_counter() - started:.0f} s.")


def init(config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Creates the database or brings it up to date, and checks the configuration."""
    from safety_monitor import config as configuration
    from safety_monitor import store

    settings = configuration.load(config)
    pending = store.pending(settings.database_url)
    store.upgrade(settings.database_url)
    where = store.connect(settings.database_url).url.render_as_string(hide_password=True)
    if as_json:
        print_json({"database": where, "applied": pending})
    else:
        stdout.print(f"Database {where}: {f'{len(pending)} migration(s) applied' if pending else 'up to date'}.")
        if not config.exists():
            stdout.print(f"{config} does not exist; defaults are used (SQLite here, mails into ./mailbox, no people).")


def simulate(
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.")],
    subjects: Annotated[int, typer.Option(min=1, max=5000)] = 40,
    sites: Annotated[int, typer.Option(min=1, max=100)] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same bytes.")] = 20260701,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Writes a synthetic trial as SDTM CSV, with the true cause of every event in truth.csv."""
    from safety_monitor.simulate import simulate as write_trial

    files = write_trial(out, subjects=subjects, sites=sites, seed=seed)
    if as_json:
        print_json({"folder": str(out), "files": [path.name for path in files]})
    else:
        stdout.print(f"{len(files)} files of a synthetic trial ({subjects} subjects, {sites} sites, seed {seed}): {out}")


def import_(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="SDTM folder or files (CSV, XPT, Dataset-JSON).")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen; change nothing.")] = False,
    complete: Annotated[list[str] | None, typer.Option(help="Domain whose file is the whole domain.")] = None,
    backfill: Annotated[bool, typer.Option("--backfill", help="Record history without alerting.")] = False,
    rejects: Annotated[Path, typer.Option(help="Where refused rows are written.")] = Path("rejects.csv"),
    reason: Annotated[str, typer.Option(help="Why, for the audit.")] = "import",
    actor: Actor = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Imports a study's data; the same data again change nothing."""
    from safety_monitor.workflow.importing import import_paths, write_rejects

    settings, engine = opened(config)
    result = import_paths(
        engine, settings, paths, actor=actor_or_user(actor), at=now(), reason=reason, complete=complete or (),
        dry_run=dry_run, backfill=backfill,
    )  # fmt: skip
    for notice in result.notices:
        stderr.print("[yellow]Please check:[/]", end=" ")
        stderr.print(notice, markup=False)
    if result.n_alerts and not settings.people:
        stderr.print("[bold red]Nobody is configured to receive mails:[/] add people to config.yaml; what is owed waits.")
    if result.rejections or rejects.exists():  # an old list of refusals must not outlive the data it was about
        write_rejects(result.rejections, rejects)
    if as_json:
        print_json(
            {
                "study": result.study_id, "dry_run": dry_run, "changed": result.changed,
                "domains": {name: vars(tally) for name, tally in sorted(result.tallies.items())},
                "events": result.events, "episodes": result.episodes, "clocks": result.clocks, "alerts": result.n_alerts,
                "queries": result.n_queries,
                "rejected": len(result.rejections), "rejects": str(rejects) if result.rejections else None,
                "rejected_serious": len(result.refused_serious), "notices": result.notices,
            }
        )  # fmt: skip
        return
    rows = [
        (name, tally.n_new, tally.n_changed, tally.n_unchanged, tally.n_deleted, tally.n_rejected)
        for name, tally in sorted(result.tallies.items())
    ]
    print_table(("domain", "new", "changed", "unchanged", "deleted", "refused"), rows, title=f"Study {result.study_id}")
    verb = "would be" if dry_run else "are"
    counts = result.events
    stdout.print(
        f"Events: {counts['new']} new, {counts['changed']} changed, {counts['deleted']} deleted. "
        f"{result.n_alerts} mails {verb} owed."
    )
    episodes, asked = result.episodes, result.queries
    stdout.print(
        f"Episodes of results: {episodes['new']} new, {episodes['changed']} changed, {episodes['withdrawn']} withdrawn. "
        f"Questions: {asked.n_new} new, {asked.n_reopened} reopened, {asked.n_closed} closed, {result.n_queries} open."
    )
    if result.clocks["opened"] or result.clocks["closed"]:
        clocks = f"{result.clocks['opened']} opened, {result.clocks['closed']} closed"
        stdout.print(f"Reporting clocks: {clocks}; see safety-monitor clocks list.")
    if result.rejections:
        stderr.print(f"[yellow]{len(result.rejections)} rows were refused; each with its reason in {rejects}[/]")
    if result.refused_serious:
        stderr.print(f"[bold red]{len(result.refused_serious)} of them look like serious events; the safety staff is told.[/]")
    if result.settings_changed:
        stdout.print(f"The settings of {result.study_id} {verb} changed: every event was assessed by the new ones.")
    if dry_run:
        stdout.print("Dry run: nothing was changed.")


def tables(
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.")],
    cutoff: CutOff = None,
    study: StudyId = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Writes every report table as CSV."""
    from ctcae_v403 import official
    from safety_monitor.workflow.issuing import write_tables
    from safety_monitor.workflow.studies import freeze_study, resolve

    settings, engine = opened(config)
    wording = official.load(settings.official_wording)
    snapshot = freeze_study(engine, resolve(engine, study), cutoff.date() if cutoff else None, wording)
    written = write_tables(snapshot, out)
    if as_json:
        print_json({"snapshot": snapshot.sha256, "cutoff": snapshot.cutoff, "files": [path.name for path in written]})
    else:
        stdout.print(f"{len(written)} tables of snapshot {snapshot.sha256[:12]}: {out}")


@report.command()
def dsmb(
    out: Annotated[Path, typer.Option("--out", help="PDF to write.")],
    cutoff: CutOff = None,
    snapshot: Annotated[str | None, typer.Option(help="Make the report of this kept snapshot again (hash).")] = None,
    study: StudyId = None,
    actor: Actor = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """The report for the data safety monitoring board."""
    from safety_monitor.workflow.issuing import issue_dsmb, rebuild
    from safety_monitor.workflow.studies import resolve

    if snapshot is not None and cutoff:
        raise Refusal("--snapshot names a frozen state, which has its own cut-off; leave --cutoff out.")
    settings, engine = opened(config)
    if snapshot is not None:
        issued = rebuild(engine, settings, snapshot, out)
    else:
        issued = issue_dsmb(
            engine, settings, resolve(engine, study), cutoff.date() if cutoff else None, out,
            actor=actor_or_user(actor), at=now(),
        )  # fmt: skip
    _shown(issued, as_json)


@report.command()
def safety(
    out: Annotated[Path, typer.Option("--out", help="PDF to write.")],
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Alerts from this day on; of a week where left out.")
    ] = None,
    study: StudyId = None,
    actor: Actor = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """The safety officer's report: what is due, what was told and read, what is open."""
    from safety_monitor.workflow.issuing import issue
    from safety_monitor.workflow.standing import safety_snapshot
    from safety_monitor.workflow.studies import resolve

    settings, engine = opened(config)
    at = now()
    start = since.replace(tzinfo=UTC) if since else at - timedelta(days=7)
    frozen = safety_snapshot(engine, settings, resolve(engine, study), start, at)
    _shown(issue(engine, settings, "safety", frozen, out, actor=actor_or_user(actor), at=at), as_json)


def _shown(issued: Issued, as_json: bool) -> None:
    if as_json:
        print_json(vars(issued))
    else:
        shown = issued.cutoff.isoformat() if issued.cutoff else "none (all data)"
        stdout.print(f"{issued.path}  ({issued.n_bytes / 1024:.0f} KiB)")
        stdout.print(f"Study {issued.study_id}, cut-off {shown}, snapshot {issued.snapshot_sha256[:12]}")
