"""``doctor``: everything that has to be in order before a safety officer may trust the silence."""

from __future__ import annotations

import ctypes.util
import os
import smtplib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Engine

from safety_monitor import store
from safety_monitor.alerts.routing import UNADDRESSED
from safety_monitor.alerts.transport import open_smtp
from safety_monitor.config import Config
from safety_monitor.reporting.fonts import missing_glyphs
from safety_monitor.store import audit, ledger, outbox
from safety_monitor.vocabulary import AlertState, JobStatus, Role

#: A scheduler that beats every 30 s and has been silent this long is taken to be down.
HEARTBEAT_LIMIT = timedelta(minutes=5)
#: An alert that is due and still unsent after this long is a problem.
UNSENT_LIMIT = timedelta(minutes=15)
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
    findings = [*_native(), *_fonts(), *_people(config), *_mail(config)]
    database = _database(config)
    findings.append(database)
    if database.ok:
        engine = store.connect(config.database_url)
        try:
            findings += [*_audit(engine), *_outbox(engine, config, now), *_scheduler(engine, config, now)]
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
    late = depth.oldest_age is not None and depth.oldest_age > UNSENT_LIMIT
    seen = f"{depth.n_pending} unsent" + (f", the oldest for {_in_words(depth.oldest_age)}" if depth.oldest_age else "")
    yield Finding("outbox", not late, seen, "see safety-monitor alerts list and start safety-monitor run")
    if depth.n_failing:
        remedy = "see the replies: safety-monitor alerts show ID"
        yield Finding("delivery", False, f"{depth.n_failing} alerts keep failing", remedy)
    if nobody:
        remedy = "add people to config.yaml; the next run delivers them"
        yield Finding("recipients", False, f"{nobody} alerts are owed to nobody", remedy)


def _scheduler(engine: Engine, config: Config, now: datetime) -> Iterator[Finding]:
    with store.reading(engine) as session:
        beat = ledger.last_beat(session, "scheduler")
        last_at = beat.at if beat else None
        stopped = beat is not None and beat.detail.startswith("stopped")
        failed = [(run.job, run.period, run.detail) for run in ledger.runs(session) if run.status is JobStatus.FAILED]
    if config.jobs:
        alive = last_at is not None and not stopped and now - last_at < HEARTBEAT_LIMIT
        seen = f"last heartbeat {last_at.isoformat(timespec='seconds')}" if last_at else "never started"
        seen += ", stopped since" if stopped else ""
        yield Finding("scheduler", alive, seen, "start it: safety-monitor run (or the systemd unit)")
    else:
        yield Finding("scheduler", True, "no jobs are configured")
    for job, period, detail in failed:
        yield Finding(f"job {job}", False, f"{period}: {detail}", f"run it again: safety-monitor run-job {job}")


def _in_words(age: timedelta) -> str:
    hours, minutes = divmod(int(age.total_seconds()) // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
