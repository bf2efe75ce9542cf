"""``doctor``: everything that has to be in order before a safety officer may trust the silence."""

from __future__ import annotations

import ctypes.util
import os
import shutil
import smtplib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine

from safety_monitor import store
from safety_monitor.alerts.routing import UNADDRESSED, acknowledged_kinds
from safety_monitor.alerts.transport import open_smtp
from safety_monitor.config import Config
from safety_monitor.reporting.fonts import missing_glyphs
from safety_monitor.rules.clocks import hours
from safety_monitor.store import audit, ledger, outbox, studies
from safety_monitor.store import clocks as clock_store
from safety_monitor.vocabulary import AlertState, DraftState, JobStatus, Role

#: A scheduler that beats every 30 s and has been silent this long is taken to be down.
HEARTBEAT_LIMIT = timedelta(minutes=5)
#: An alert that is due and still unsent after this long is a problem.
UNSENT_LIMIT = timedelta(minutes=15)
#: Less room than this on a disk that is written to is a problem: a night of alerts, snapshots and reports fits into it.
LEAST_FREE_BYTES = 500 * 2**20
#: A scheduled backup that is older than this many of its periods is a problem.
BACKUP_LIMIT = timedelta(days=8)
_NATIVE = {"pango-1.0": "libpango-1.0-0", "pangoft2-1.0": "libpangoft2-1.0-0", "harfbuzz-subset": "libharfbuzz-subset0"}


@dataclass(frozen=True)
class Finding:
    """One thing examined: whether it is in order, what was seen, and what to do where it is not."""

    what: str
    ok: bool
    seen: str
    remedy: str = ""


def examine(config: Config, now: datetime) -> list[Finding]:
    """All findings, in the order in which they depend on each other."""
    findings = [*_native(), *_fonts(), *_people(config), *_mail(config), *_disks(config), *_journal(config)]
    database = _database(config)
    findings.append(database)
    if database.ok:
        engine = store.connect(config.database_url)
        try:
            findings += [*_audit(engine), *_outbox(engine, config, now), *_unread(engine, config, now)]
            findings += [*_clocks(engine, now), *_scheduler(engine, config, now)]
        finally:
            engine.dispose()
    return [replace(finding, remedy="") if finding.ok else finding for finding in findings]


def _native() -> Iterator[Finding]:
    missing = [package for library, package in _NATIVE.items() if not ctypes.util.find_library(library)]
    command = f"sudo apt-get install {' '.join(missing)} (macOS: brew install pango)"
    yield Finding(
        "native libraries", not missing, f"missing: {', '.join(missing)}" if missing else "Pango found", command
    )


def _fonts() -> Iterator[Finding]:
    for script, sample in (("Latin", "Grade ≥ 3 × ULN µg"), ("Chinese", "严重不良事件 受试者")):
        gaps = missing_glyphs(sample)
        yield Finding(
            f"fonts, {script}", not gaps, f"no glyph for {' '.join(sorted(gaps))}" if gaps else "complete",
            "run make setup again; the fonts come with it",
        )  # fmt: skip


def _people(config: Config) -> Iterator[Finding]:
    officers = [person.name for person in config.people if person.role is Role.SAFETY_OFFICER]
    yield Finding(
        "safety officer", bool(officers), ", ".join(officers) or "nobody configured",
        "add a person with role safety_officer under people in config.yaml: alerts without a recipient go there",
    )  # fmt: skip


def _mail(config: Config) -> Iterator[Finding]:
    mail = config.mail
    if mail.transport == "folder":
        folder = config.at(mail.folder)
        there = next(place for place in (folder, *folder.parents) if place.exists())
        writable = there.is_dir() and os.access(there, os.W_OK)
        remedy = f"make {folder} a folder that can be written to, or change mail.folder"
        yield Finding("mail", writable, f"into the folder {folder}", remedy)
        return
    where = f"{mail.host}:{mail.port} ({mail.security})"
    try:
        open_smtp(mail, config.at(mail.ca_file) if mail.ca_file else None).quit()
    except (OSError, smtplib.SMTPException) as error:
        yield Finding(
            "mail", False, f"{where}: {error}", "check mail.host, port, security, ca_file and the credentials"
        )
    else:
        yield Finding("mail", True, f"{where} answers")


def _database(config: Config) -> Finding:
    try:
        pending = store.pending(config.database_url)
    except store.StoreError as error:
        return Finding("database", False, str(error), "check database.url in config.yaml")
    seen = f"{len(pending)} migration(s) pending" if pending else "up to date"
    return Finding("database", not pending, seen, "run safety-monitor init")


def _audit(engine: Engine) -> Iterator[Finding]:
    with store.reading(engine) as session:
        faults = audit.verify(session)
    yield Finding(
        "audit chain",
        not faults,
        faults[0] if faults else "intact",
        "keep the file as it is and find out who changed it",
    )


def _outbox(engine: Engine, config: Config, now: datetime) -> Iterator[Finding]:
    with store.reading(engine) as session:
        depth = outbox.depth(session, now=now, failing=config.delivery.failures_before_next_contact)
        waiting = outbox.listing(session, state=AlertState.PENDING.value)
        nobody = sum(alert["recipient_email"] == UNADDRESSED for alert in waiting)
        replies = outbox.last_replies(session, [alert["id"] for alert in waiting if alert["n_attempts"]])
        back = outbox.came_back(session)
    late = depth.oldest_age is not None and depth.oldest_age > UNSENT_LIMIT
    seen = f"{depth.n_pending} unsent" + (f", the oldest for {_in_words(depth.oldest_age)}" if depth.oldest_age else "")
    remedy = "is safety-monitor run alive (see scheduler below)? then look at safety-monitor alerts list --state pending"
    yield Finding("outbox", not late, seen, remedy)
    failing = [alert for alert in waiting if alert["n_attempts"] >= config.delivery.failures_before_next_contact]
    if failing:
        first = min(failing, key=lambda alert: alert["created_at"])
        since = _moment(first["created_at"])
        seen = f"{len(failing)} keep failing; no. {first['id']} to {first['recipient_email']} since {since}"
        seen += f": {replies[first['id']]}" if replies.get(first["id"]) else ""
        remedy = f"phone the recipient; correct the address or the server, then safety-monitor alerts retry {first['id']}"
        yield Finding("delivery", False, seen, remedy)
    if nobody:
        remedy = "add people to config.yaml; the next run delivers them"
        yield Finding("recipients", False, f"{nobody} alerts are owed to nobody", remedy)
    if back:
        told = "; ".join(f"no. {number} to {email}: {reply}" for number, email, reply in back[:3])
        remedy = "tell them by other means and acknowledge the alert for them: safety-monitor alerts ack NUMBER --actor NAME"
        yield Finding("mails that came back", False, f"{len(back)} not acknowledged since; {told}", remedy)


def _unread(engine: Engine, config: Config, now: datetime) -> Iterator[Finding]:
    with store.reading(engine) as session:
        rows = outbox.sent_and_unread(session, acknowledged_kinds(), now - hours("acknowledgement", "after_hours"))
        alerts = {row.unique_key.rpartition("|")[0]: row.sent_at for row in reversed(rows)}
    if alerts:
        seen = f"{len(alerts)} alerts are read by nobody, the oldest sent {_moment(min(filter(None, alerts.values())))}"
        remedy = "see safety-monitor alerts list --state sent; who acts on one acknowledges it: safety-monitor alerts ack CODE"
        yield Finding("acknowledgement", False, seen, remedy)
    else:
        yield Finding("acknowledgement", True, "no alert waits longer than a day")


def _clocks(engine: Engine, now: datetime) -> Iterator[Finding]:
    with store.reading(engine) as session:
        running = clock_store.clocks(session, running=True)
        drafts = clock_store.drafts(session, state=DraftState.OPEN)
    over = [each for each in running if each.clock.due_at <= now]
    seen = f"{len(running)} run, {len(over)} overdue"
    if over:
        first = over[0]
        seen += f"; {first.clock.rule_id} of {first.usubjid} AE {first.aeseq} since {_moment(first.clock.due_at)}"
    remedy = "submit what is missing, then record it: safety-monitor clocks list --overdue, safety-monitor clocks met ID"
    yield Finding("reporting clocks", not over, seen, remedy)
    old = [each for each in drafts if now - each.draft.opened_at >= hours("drafts", "unfinished_hours")]
    if old:
        seen = f"{len(old)} told and not in the data, the oldest {old[0].draft.term} of {old[0].draft.usubjid}"
        yield Finding("drafts of serious events", False, seen, "ask the site; see safety-monitor case list --drafts")


def _disks(config: Config) -> Iterator[Finding]:
    url = config.database_url
    folders = [config.at(config.reports), *([config.journal.parent] if config.journal else [])]
    if url.startswith("sqlite:///"):
        folders.append(Path(url.removeprefix("sqlite:///")).parent)
    there = {next(place for place in (folder, *folder.parents) if place.exists()) for folder in map(Path.absolute, folders)}
    free = {place: shutil.disk_usage(place).free for place in sorted(there)}
    least = min(free, key=lambda place: free[place])
    seen = f"{free[least] / 2**30:.1f} GiB free at {least}"
    yield Finding("disk space", free[least] >= LEAST_FREE_BYTES, seen, f"free {LEAST_FREE_BYTES // 2**20} MiB there or more")


def _journal(config: Config) -> Iterator[Finding]:
    path = config.journal
    if path is None:
        return
    there = next(place for place in (path, *path.parents) if place.exists())
    writable = os.access(there, os.W_OK) and (there == path or there.is_dir())
    remedy = f"make {path} a file that can be written to; without it a restored database sends mails again"
    yield Finding("delivery journal", writable, str(path) if writable else f"{path} cannot be written", remedy)


def _scheduler(engine: Engine, config: Config, now: datetime) -> Iterator[Finding]:
    with store.reading(engine) as session:
        beat = ledger.last_beat(session, "scheduler")
        last_at = beat.at if beat else None
        stopped = beat is not None and beat.detail.startswith("stopped")
        runs = ledger.runs(session)
        reading = ledger.last_beat(session, "bounces")
    if config.jobs:
        alive = last_at is not None and not stopped and now - last_at < HEARTBEAT_LIMIT
        seen = f"last heartbeat {last_at.isoformat(timespec='seconds')}" if last_at else "never started"
        seen += ", stopped since" if stopped else ""
        yield Finding("scheduler", alive, seen, "start it: safety-monitor run (or the systemd unit)")
    else:
        yield Finding("scheduler", True, "no jobs are configured")
    if reading is not None and reading.detail:
        seen = f"cannot be read since {_moment(reading.at)}: {reading.detail}"
        yield Finding("mailbox of bounces", False, seen, "check mail.bounces in config.yaml")
    for job in config.jobs:
        own = [run for run in runs if run.job == job.name]
        failed = [run for run in own if run.status is JobStatus.FAILED]
        done = [run.finished_at for run in own if run.status is JobStatus.DONE and run.finished_at]
        seen = f"last done {_moment(max(done))}" if done else "never ran" if not own else "never ended well"
        late = job.job == "backup" and bool(done) and now - max(done) > BACKUP_LIMIT
        remedy = "start safety-monitor run, or make one: safety-monitor backup FILE"
        if failed:
            first = failed[0]
            seen += f"; {len(failed)} failed, the first for {first.period} after {first.n_attempts} tries: {first.detail}"
            remedy = f"put right what it says; it is tried again, or at once: safety-monitor run-job {job.name}"
        yield Finding(f"job {job.name}", not failed and not late, seen, remedy)
    with store.reading(engine) as session:
        ruled = [name for name in studies.study_ids(session) if (known := studies.settings_of(session, name)) and known.stopping]
    watched = {name for job in config.jobs if job.job == "stopping_check" for name in (job.studies or ruled)}
    if unwatched := [name for name in ruled if name not in watched]:
        seen = f"nobody looks at the stopping rules of {', '.join(unwatched)}"
        remedy = 'add to jobs in config.yaml: {name: stopping, job: stopping_check, cron: "15 * * * *"}'
        yield Finding("stopping rules", False, seen, remedy)
    gone = {run.job for run in runs if run.status is JobStatus.FAILED} - {job.name for job in config.jobs}
    for name in sorted(gone):
        yield Finding(f"job {name}", False, "failed, and is no longer in config.yaml", "put it back, or leave it")


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _in_words(age: timedelta) -> str:
    hours, minutes = divmod(int(age.total_seconds()) // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
