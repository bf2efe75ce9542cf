"""Commands on a study in the database: init, import, tables, simulate, demo."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from safety_monitor.cli.reports import CutOff
from safety_monitor.cli.terminal import (
    DEFAULT_CONFIG,
    Actor,
    AsJson,
    ConfigPath,
    StudyId,
    actor_or_user,
    now,
    opened,
    print_json,
    print_table,
    stderr,
    stdout,
)


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)
    app.command("init")(init)
    app.command("simulate")(simulate)
    app.command("import")(import_)
    app.command("tables")(tables)


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
        ("DSMB report", "report"), ("DSMB report before", "earlier_report"),
        ("Safety officer's report", "safety_report"), ("Tables (CSV)", "tables"), ("Mails", "mailbox"),
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
    from safety_monitor.workflow.interval import freeze_dsmb
    from safety_monitor.workflow.issuing import write_tables
    from safety_monitor.workflow.studies import resolve

    settings, engine = opened(config)
    wording = official.load(settings.official_wording)
    snapshot = freeze_dsmb(engine, resolve(engine, study), cutoff.date() if cutoff else None, now(), wording)
    written = write_tables(snapshot, out)
    if as_json:
        print_json({"snapshot": snapshot.sha256, "cutoff": snapshot.cutoff, "files": [path.name for path in written]})
    else:
        stdout.print(f"{len(written)} tables of snapshot {snapshot.sha256[:12]}: {out}")
