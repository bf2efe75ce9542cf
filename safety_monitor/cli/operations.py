"""Commands of the running service: alerts, run, run-job, doctor, audit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

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
    stdout,
)

if TYPE_CHECKING:
    from safety_monitor.config import Config

alerts = typer.Typer(help="The outbox and its delivery log.", no_args_is_help=True)
audit = typer.Typer(help="The audit: history and its hash chain.", no_args_is_help=True)
#: What ``alerts show`` prints of an alert, and of the event it is about.
_SHOWN = (
    "kind", "state", "study_id", "recipient_name", "recipient_email", "language", "created_at", "next_attempt_at", "n_attempts",
    "sent_at", "ack_code", "acknowledged_at", "acknowledged_by", "rule_id", "message_id", "digest_id",
)  # fmt: skip
_ABOUT = (
    "siteid", "usubjid", "aeseq", "term", "grade", "serious", "serious_basis", "fatal", "onset", "outcome", "why",
    "where", "changes",
)  # fmt: skip
AlertId = Annotated[int, typer.Argument(metavar="ID", help="Number of the alert.")]


def register(app: typer.Typer) -> None:
    app.command("run")(run)
    app.command("run-job")(run_job)
    app.command("doctor")(doctor)
    app.command("backup")(backup)
    app.command("restore")(restore)
    app.add_typer(alerts, name="alerts")
    app.add_typer(audit, name="audit")


@alerts.command("list")
def list_alerts(
    state: Annotated[
        Literal["pending", "sent", "acknowledged"] | None, typer.Option(help="Only these; all where left out.")
    ] = None,
    study: StudyId = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """The alerts of the outbox, newest first."""
    from safety_monitor import store
    from safety_monitor.store import outbox
    from safety_monitor.workflow.studies import resolve

    _, engine = opened(config)
    if study is not None:
        resolve(engine, study)
    with store.reading(engine) as session:
        found = outbox.listing(session, study_id=study, state=state)
    if as_json:
        print_json(found)
        return
    rows = [
        (a["id"], a["kind"], a["state"], _event(a), a["term"], a["recipient_email"],
         f"{a['created_at']:%Y-%m-%d %H:%M}Z", a["n_attempts"])
        for a in found
    ]  # fmt: skip
    print_table(("id", "kind", "state", "event", "term", "to", "created", "tries"), rows)
    stdout.print(f"{len(found)} alerts")


def _event(alert: Mapping[str, Any]) -> str:
    return f"{alert['usubjid']} AE {alert['aeseq']}" if alert["aeseq"] is not None else str(alert["usubjid"])


@alerts.command("show")
def show_alert(alert_id: AlertId, config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """One alert with every attempt to deliver it and the server's reply."""
    from safety_monitor import store
    from safety_monitor.store import outbox

    _, engine = opened(config)
    with store.reading(engine) as session:
        found = outbox.detail(session, alert_id)
    if found is None:
        raise Refusal(f"No alert has the number {alert_id}; see safety-monitor alerts list.")
    if as_json:
        print_json(found)
        return
    attempts = found["attempts"]
    about = found["payload"]
    rows = [(name.replace("_", " "), found[name]) for name in _SHOWN]
    rows += [(name.replace("_", " "), about[name]) for name in _ABOUT if about.get(name) not in (None, "", [])]
    print_table((f"alert {alert_id}", ""), rows)
    stdout.print()
    print_table(("at", "worker", "outcome", "reply"), [(a["at"], a["worker"], a["outcome"], a["reply"]) for a in attempts])


@alerts.command()
def ack(
    alert: Annotated[str, typer.Argument(metavar="ID|CODE", help="Number of the alert, or the code of its mail.")],
    actor: Actor = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Acknowledges an alert by its number or by the code of its mail."""
    from safety_monitor.workflow import delivery

    _, engine = opened(config)
    alert_id = delivery.acknowledge(engine, alert, actor=actor_or_user(actor), at=now())
    if alert_id is None:
        raise Refusal(f"No alert {alert!r} is sent and still waits for it; see safety-monitor alerts list --state sent.")
    if as_json:
        print_json({"alert": alert_id, "acknowledged": True})
    else:
        stdout.print(f"Alert {alert_id} acknowledged.")


@alerts.command()
def retry(
    alert_id: Annotated[int | None, typer.Argument(metavar="[ID]", help="Number of the alert; without it, all.")] = None,
    actor: Actor = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Makes one unsent alert, or all of them, due now."""
    from safety_monitor.workflow import delivery

    _, engine = opened(config)
    n_due = delivery.retry(engine, alert_id, actor=actor_or_user(actor), at=now())
    if alert_id is not None and not n_due:
        raise Refusal(f"Alert {alert_id} is not waiting to be sent.")
    if as_json:
        print_json({"alert": alert_id, "due": n_due})
    else:
        stdout.print(f"{n_due} alerts are due now; safety-monitor run delivers them.")


def run(
    health_port: Annotated[int | None, typer.Option("--health-port", min=0, help="Answer /health and /metrics here.")] = None,
    health_host: Annotated[str, typer.Option("--health-host", help="Address to answer on.")] = "127.0.0.1",
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Scheduler and delivery, until stopped."""
    from safety_monitor import jobs
    from safety_monitor.workflow.scheduled import JOBS

    settings, engine = opened(config)
    _require_current(settings)
    health = None if health_port is None else (health_host, health_port)
    jobs.run(settings, engine, JOBS, health=health)


def run_job(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a job of the configuration.")],
    period: Annotated[str | None, typer.Option("--period", help="Period to run; the latest due one where left out.")] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Runs one scheduled job now; a period that is done is not done twice."""
    from safety_monitor import jobs
    from safety_monitor.workflow.scheduled import JOBS

    settings, engine = opened(config)
    _require_current(settings)
    done = jobs.run_job(settings, engine, JOBS, name, period=period, now=now())
    if as_json:
        print_json(vars(done))
    else:
        stdout.print(f"{done.job} {done.period}: {done.status}. {done.detail}")
    if done.status == "failed":
        raise Refusal(f"The job {done.job} failed: {done.detail}")


def _require_current(settings: Config) -> None:
    from safety_monitor import store

    if store.pending(settings.database_url):
        raise store.StoreError("the database is not up to date; run safety-monitor init")


def doctor(config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Examines database, libraries, fonts, mail, scheduler and outbox."""
    from safety_monitor import config as configuration
    from safety_monitor.workflow.examination import examine

    findings = examine(configuration.load(config), now())
    problems = [finding for finding in findings if not finding.ok]
    if as_json:
        print_json([vars(finding) for finding in findings])
    else:
        rows = [(f.what, "ok" if f.ok else "PROBLEM", f.seen, "" if f.ok else f.remedy) for f in findings]
        print_table(("examined", "", "seen", "what to do"), rows)
    if problems:
        raise Refusal(f"{len(problems)} problem(s): {', '.join(finding.what for finding in problems)}.")


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Archive to write.")],
    replace: Annotated[bool, typer.Option("--replace", help="Write over an archive of that name.")] = False,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """A consistent copy of the database with its checksum, while everything runs."""
    from safety_monitor import config as configuration
    from safety_monitor.workflow.backing_up import back_up

    manifest = back_up(configuration.load(config), file, now(), replace=replace)
    if as_json:
        print_json(asdict(manifest))
        return
    size = f"{file.stat().st_size / 1024:.0f} KiB"
    stdout.print(f"{file}  ({size}, {manifest.backend}, schema {manifest.revision})")
    stdout.print(f"{manifest.audit_seq} audit entries, head {manifest.head}; SHA-256 of the data {manifest.sha256}")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Archive that backup has written.")],
    replace: Annotated[bool, typer.Option("--replace", help="Keep the present SQLite file aside and take its place.")] = False,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Puts a backup in place, after its checksum, schema and audit chain were proven."""
    from safety_monitor import config as configuration
    from safety_monitor.workflow import backing_up

    settings = configuration.load(config)
    manifest = backing_up.restore(settings, file, now(), replace=replace)
    if as_json:
        print_json({**asdict(manifest), "restored": True})
        return
    stdout.print(f"Restored the state of {manifest.made_at}: {manifest.audit_seq} audit entries, head {manifest.head}.")
    stdout.print("Next: import what came in since; what was sent since is known from the delivery journal and is not sent again:")
    found = settings.journal is not None and settings.journal.exists()
    stdout.print(f"  {settings.journal} {'(found)' if found else '(NOT FOUND)'}", markup=False)
    stdout.print("Then safety-monitor doctor, and start safety-monitor run.")


@audit.command("list")
def list_audit(
    table: Annotated[str | None, typer.Option("--table", help="Only this table.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="Only this row.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 50,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Who changed what, when and why; oldest first."""
    from safety_monitor import store
    from safety_monitor.store import audit as trail

    _, engine = opened(config)
    with store.reading(engine) as session:
        entries = trail.history(session, table=table, key=key, last=limit)
    if as_json:
        print_json([asdict(entry) for entry in entries])
    else:
        for entry in entries:
            print(entry)
        stdout.print(f"{len(entries)} entries (the newest; --limit for more)")


@audit.command("verify")
def verify_audit(config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Checks the hash chain; exit 1 where it was tampered with."""
    from safety_monitor import store
    from safety_monitor.store import audit as trail

    _, engine = opened(config)
    with store.reading(engine) as session:
        faults = trail.verify(session)
        seq, digest = trail.head(session)
    if as_json:
        print_json({"intact": not faults, "faults": faults, "entries": seq, "head": digest})
    elif not faults:
        stdout.print(f"The audit chain is intact: {seq} entries, head {digest}.")
    if faults:
        raise Refusal("The audit chain is broken:\n" + "\n".join(f"  {fault}" for fault in faults))
