"""What is done to an installation. Each scenario ends with an undisturbed delivery and a count."""

from __future__ import annotations

import contextlib
import multiprocessing
import sqlite3
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from safety_monitor import jobs, store
from safety_monitor.config import Job
from safety_monitor.store import ledger
from safety_monitor.workflow.slots import slots
from torture.installation import Counts, Installation, deliver_once

Make = Callable[..., Installation]


def kills(make: Make, random: Random, n: int) -> Counts:
    """kill -9 of imports and of deliveries at random moments, *n* in all, while data keep changing."""
    site = make()
    site.trial.change()
    began = time.monotonic()
    site.imports()
    typical = time.monotonic() - began
    delivering = site.delivering()
    while site.n_kills < n:
        site.trial.change()
        done = False
        while not done:
            importing = site.importing()
            if random.random() < 0.6:
                time.sleep(random.uniform(0, typical * 1.2))
                site.kill(importing)
            else:
                importing.join()
            done = importing.exitcode == 0
            if random.random() < 0.6:
                time.sleep(random.uniform(0, 0.25))
                site.kill(delivering)
                delivering = site.delivering()
            if site.n_kills >= n:
                break
        while not done:
            done = site.imports()
    site.kill(delivering)
    site.delivers()
    return site.counted("kill -9 of imports and deliveries", explained=True)


def kills_without_journal(make: Make, random: Random, n: int) -> Counts:
    """Deliveries only, with nothing but the database to remember what went out."""
    site = make(with_journal=False, digest_from=10**6)
    while site.n_kills < n:
        site.trial.change()
        site.imports()
        delivering = site.delivering()
        time.sleep(random.uniform(0.05, 0.4))
        site.kill(delivering)
    site.delivers()
    return site.counted("kill -9 of deliveries, no journal", explained=True)


def smtp_faults(make: Make, random: Random, seconds: float, short: bool) -> Iterator[Counts]:
    """Each way of a server to fail, for *seconds*; then it is well again."""
    refusing = ("rcpt_4xx", "data_4xx", "5xx two@example.org", "drop_before_dot", "slow 1.5")
    for mode in refusing[2:3] if short else refusing:
        yield smtp_fault(make(timeout=1), mode, seconds)
    counts = smtp_fault(make(timeout=1), "drop_after_dot", seconds, explained=True)
    counts.note = "the server had taken the mail and nobody was told: the same Message-ID again"
    yield counts
    site = make(timeout=1)
    for _ in range(3):
        site.trial.change()
        site.imports()
    site.sink.stop()
    delivering = site.delivering()
    until = time.monotonic() + 15
    while not site.n_tries() and time.monotonic() < until:
        time.sleep(0.05)
    site.sink.start()
    time.sleep(seconds / 2)
    site.sink.stop()
    site.sink.start()
    site.kill(delivering)
    site.delivers()
    yield site.counted("SMTP: refused, restarted between", explained=True)


def smtp_fault(site: Installation, mode: str, seconds: float, explained: bool = False) -> Counts:
    """One way to fail, *mode* of ``sink``, for *seconds*."""
    for _n in range(3):
        site.trial.change()
        site.imports()
    site.sink.mode(mode)
    delivering = site.delivering()
    until = time.monotonic() + 15
    while not site.n_tries() and time.monotonic() < until:  # the fault must have been met
        time.sleep(0.05)
    time.sleep(seconds)
    others = {line["to"][0] for line in site.sink.accepted()}
    site.sink.mode("ok")
    delivering.terminate()
    delivering.join()
    site.delivers()
    counts = site.counted(f"SMTP: {mode}", explained)
    if mode.startswith("5xx") and not {"officer@example.org", "monitor@example.org"} <= others:
        counts.note, counts.lost = "the others had to wait", counts.lost + 1
    return counts


def tls_failure(make: Make, random: Random, folder: Path) -> Counts:
    """The certificate is nobody's whom the configuration trusts; later the right authority is configured."""
    key, certificate = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
               "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    site = make(certificate=(certificate, key))
    site.trial.change()
    site.imports()
    untrusted = site.config.model_copy(update={"mail": site.config.mail.model_copy(update={"security": "starttls"})})
    n_sent = deliver_once(untrusted, lambda: datetime.now(UTC), "untrusting")
    later = datetime.now(UTC) + timedelta(minutes=5)
    mail = untrusted.mail.model_copy(update={"ca_file": certificate})
    deliver_once(untrusted.model_copy(update={"mail": mail}), lambda: later, "trusting")
    counts = site.counted("TLS: untrusted certificate, then the right authority", explained=False)
    counts.lost += n_sent  # a mail that went out to a server nobody trusts
    return counts


@contextlib.contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """A tmpfs of its own; PermissionError where this user may not mount one."""
    folder = Path(tempfile.mkdtemp(prefix="sm-disk-"))
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        folder.rmdir()
        raise PermissionError(done.stderr.decode().strip())
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()


def full_disk(make: Make, random: Random) -> Counts:
    """No room for the database, first during an import, then between a server's yes and the mark."""
    with small_disk(12) as folder:
        site = make(folder=folder)
        site.trial.change()
        site.imports()
        _fill(folder)
        site.trial.change()
        failed = not site.imports()
        (folder / "ballast").unlink()
        for _ in range(3):
            site.trial.change()
            site.imports()
        delivering = site.delivering()
        time.sleep(random.uniform(0.1, 0.3))
        _fill(folder)
        time.sleep(1.5)
        (folder / "ballast").unlink()
        delivering.kill()
        delivering.join()
        site.delivers()
        counts = site.counted("disk full during import and delivery", explained=True)
        counts.note = "the import said so and kept nothing" if failed else "the import still found room"
        return counts


def _fill(folder: Path) -> None:
    with contextlib.suppress(OSError), (folder / "ballast").open("wb") as ballast:
        while True:
            ballast.write(b"0" * 4096)
            ballast.flush()


def locked(make: Make, random: Random, seconds: float) -> Counts:
    """Another program holds SQLite's write lock while data come in and mails go out."""
    site = make()
    site.trial.change()
    site.imports()
    delivering = site.delivering()
    holder = sqlite3.connect(site.url.removeprefix("sqlite:///"), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    site.trial.change()
    importing = site.importing()
    time.sleep(seconds)
    holder.execute("ROLLBACK")
    holder.close()
    importing.join()
    if importing.exitcode:
        site.imports()
    delivering.terminate()
    delivering.join()
    site.delivers()
    counts = site.counted("database locked by another", explained=False)
    counts.note = (
        f"for {seconds:g} s; the import {'waited' if importing.exitcode == 0 else 'gave up with a message, and was repeated'}"
    )
    return counts


def restarted(make: Make, random: Random, restart: Callable[[], None], n: int) -> Counts:
    """PostgreSQL stops at once (immediate) and comes back, during imports and deliveries."""
    site = make()
    for _ in range(n):
        site.trial.change()
        delivering, importing = site.delivering(), site.importing()
        time.sleep(random.uniform(0, 0.4))
        restart()
        importing.join()
        while not site.imports():
            time.sleep(0.2)
        delivering.terminate()
        delivering.join()
    site.delivers()
    counts = site.counted("PostgreSQL restarted (immediate)", explained=True)
    counts.note = f"{n} times"
    return counts


def clock_jumps(make: Make, random: Random, n: int) -> Counts:
    """A clock that is set forward and back, over both changes of summer time: jobs and mails."""
    site = make()
    site.trial.change()
    site.imports()
    job = Job(name="night", job="dsmb_report", cron="30 2 * * *", timezone="Europe/Paris")
    at, ran, latest = datetime(2026, 3, 25, tzinfo=UTC), Counter[str](), datetime(2026, 3, 25, tzinfo=UTC)
    engine = store.connect(site.url)
    begin = at

    def work(engine: Any, config: Any, job: Any, period: str, started: datetime) -> str:
        ran[period] += 1
        return "done"

    jobs.run_due(engine, site.config, job, {"dsmb_report": work}, lambda: at)
    for _ in range(n):
        at += timedelta(hours=random.choice([1, 5, 13, 26, -2, -11]))
        latest = max(latest, at)
        jobs.run_due(engine, site.config, job, {"dsmb_report": work}, lambda at=at: at)  # type: ignore[misc]
    engine.dispose()
    due = {slot.isoformat() for slot in slots(job, begin, latest)}
    future = datetime.now(UTC) + timedelta(days=1)
    deliver_once(site.config, lambda: future, "ahead")
    deliver_once(site.config, lambda: future - timedelta(days=3), "behind")
    site.delivers()
    counts = site.counted("clock set forward and back, summer time", explained=False)
    counts.periods_wrong = len(due ^ set(ran)) + sum(times - 1 for times in ran.values())
    counts.note = f"{len(due)} periods of a daily job over {n} jumps"
    return counts


def two_schedulers(make: Make, random: Random, n_periods: int) -> Counts:
    """Two schedulers and three deliveries at once on one database."""
    site = make()
    log = site.folder / "ran"
    job = Job(name="minute", job="dsmb_report", cron="* * * * *", timezone="UTC")
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    engine = store.connect(site.url)
    jobs.run_due(engine, site.config, job, {}, lambda: begin)
    engine.dispose()

    def work(engine: Any, config: Any, job: Any, period: str, started: datetime) -> str:
        with log.open("a") as file:
            file.write(f"{period}\n")
        return "done"

    def schedule() -> None:
        own = store.connect(site.url)
        for minute in range(1, n_periods + 1):
            jobs.run_due(own, site.config, job, {"dsmb_report": work}, lambda minute=minute: begin + timedelta(minutes=minute))  # type: ignore[misc]
        own.dispose()

    context = multiprocessing.get_context("fork")
    schedulers = [context.Process(target=schedule) for _ in range(2)]
    for each in schedulers:
        each.start()
    deliveries = [site.delivering() for _ in range(3)]
    for _ in range(6):
        site.trial.change()
        site.imports()
    for each in schedulers:
        each.join()
    time.sleep(0.5)
    for delivering in deliveries:
        delivering.terminate()
    for delivering in deliveries:
        delivering.join()
    site.delivers()
    counts = site.counted("two schedulers, three deliveries", explained=False)
    ran = Counter(log.read_text().split())
    due = {slot.isoformat() for slot in slots(job, begin, begin + timedelta(minutes=n_periods))}
    counts.periods_wrong = len(due ^ set(ran)) + sum(times - 1 for times in ran.values())
    counts.note = f"{len(due)} periods"
    return counts


def ten_days_off(make: Make, random: Random) -> Counts:
    """The machine is switched off for ten days: each missed report once, in order; what needs no repeating once in all."""
    site = make()
    site.trial.change()
    site.imports()
    begin = datetime(2026, 3, 1, 12, tzinfo=UTC)
    each = Job(name="report", job="dsmb_report", cron="0 6 * * *", timezone="Asia/Shanghai")
    once = Job(name="watch", job="dsmb_report", cron="*/10 * * * *", timezone="UTC", catch_up="once")
    engine = store.connect(site.url)
    ran: list[tuple[str, str]] = []

    def work(engine: Any, config: Any, job: Any, period: str, started: datetime) -> str:
        ran.append((job.name, period))
        return "done"

    for at in (begin, begin + timedelta(days=10), begin + timedelta(days=10, minutes=1)):
        for job in (each, once):
            jobs.run_due(engine, site.config, job, {"dsmb_report": work}, lambda at=at: at)  # type: ignore[misc]
    with store.reading(engine) as session:
        n_rows = len(ledger.runs(session))
    engine.dispose()
    reports = [period for name, period in ran if name == "report"]
    due = [slot.isoformat() for slot in slots(each, begin, begin + timedelta(days=10))]
    site.delivers()
    counts = site.counted("machine off for ten days", explained=False)
    n_watch = sum(name == "watch" for name, _ in ran)
    counts.periods_wrong = (reports != due) + abs(n_watch - 1) + abs(n_rows - len(due) - 1)
    counts.note = f"{len(due)} reports, each once and in order; {n_watch} catch-up of a job every ten minutes"
    return counts
