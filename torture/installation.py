"""One installation under torture: a database, its configuration, and processes that import and deliver and can be killed.

Processes are forked from this one, which has the program loaded but nothing open: a kill -9 hits work, not the start of Python.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from safety_monitor import jobs, store
from safety_monitor.alerts.transport import transport_for
from safety_monitor.config import Config, Person
from safety_monitor.store import audit, outbox
from safety_monitor.vocabulary import AlertState, Role
from safety_monitor.workflow.delivery import deliver_due
from safety_monitor.workflow.importing import import_paths
from torture.sink import Sink
from torture.trial import MONITOR, OFFICER, SITES, Owed, Trial

_FORK = multiprocessing.get_context("fork")
PEOPLE = (
    Person(name="Officer", email=OFFICER, role=Role.SAFETY_OFFICER),
    Person(name="Monitor", email=MONITOR, role=Role.MEDICAL_MONITOR, language="zh"),
    *(Person(name=f"Site {site}", email=email, role=Role.INVESTIGATOR, sites=(site,)) for site, email in SITES.items()),
)


@dataclass
class Counts:
    """What one scenario came to. Everything but ``owed``, ``accepted``, ``kills`` and ``repeats`` must be 0."""

    scenario: str
    database: str
    owed: int = 0
    accepted: int = 0
    kills: int = 0
    repeats: int = 0
    unexplained_repeats: int = 0
    lost: int = 0
    not_in_outbox: int = 0
    not_owed: int = 0
    wrong_recipients: int = 0
    unsent: int = 0
    audit_faults: int = 0
    periods_wrong: int = 0
    note: str = ""

    MUST_BE_0 = (
        "unexplained_repeats", "lost", "not_in_outbox", "not_owed", "wrong_recipients", "unsent", "audit_faults", "periods_wrong",
    )  # fmt: skip

    @property
    def good(self) -> bool:
        return not any(getattr(self, name) for name in self.MUST_BE_0)


@dataclass
class Installation:
    url: str
    folder: Path
    sink: Sink
    trial: Trial
    timeout: float = 3
    with_journal: bool = True
    digest_from: int = 5
    n_kills: int = 0
    log: list[str] = field(default_factory=list)

    @property
    def config(self) -> Config:
        journal = self.folder / "deliveries.jsonl" if self.with_journal else Path("/proc/none/deliveries.jsonl")
        return Config.model_validate({
            "base": self.folder, "database": {"url": self.url}, "people": PEOPLE,
            "mail": {"transport": "smtp", "host": "127.0.0.1", "port": self.sink.port, "security": "none",
                     "timeout_seconds": self.timeout, "sender": "Safety Monitor <monitor@sponsor.example>"},
            "delivery": {"first_retry_seconds": 1, "longest_retry_seconds": 1, "poll_seconds": 0.05, "lease_seconds": 6,
                         "failures_before_next_contact": 10**6, "journal": journal, "digest_from": self.digest_from},
        })  # fmt: skip

    def importing(self) -> multiprocessing.process.BaseProcess:
        return self._forked(_import, self.config, self.trial.folder)

    def delivering(self) -> multiprocessing.process.BaseProcess:
        return self._forked(_run, self.config)

    def _forked(self, work: Callable[..., None], *arguments: Any) -> multiprocessing.process.BaseProcess:
        process = _FORK.Process(target=_quiet, args=(self.folder / "output", work, *arguments))
        process.start()
        return process

    def kill(self, process: multiprocessing.process.BaseProcess) -> bool:
        """kill -9; whether it was still alive."""
        assert process.pid is not None
        alive = process.exitcode is None
        if alive:
            os.kill(process.pid, signal.SIGKILL)
            self.n_kills += 1
        process.join()
        return alive

    def imports(self) -> bool:
        """One whole import; whether it ended well."""
        process = self.importing()
        process.join(120)
        if process.exitcode is None:
            self.kill(process)
        return process.exitcode == 0

    def delivers(self, seconds: float = 60) -> None:
        """Delivers in order until nothing waits, at most *seconds*."""
        process = self.delivering()
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.waiting():
            time.sleep(0.05)
            if process.exitcode is not None:
                process = self.delivering()
        assert process.pid is not None
        os.kill(process.pid, signal.SIGTERM)
        process.join(30)
        if process.exitcode is None:
            self.kill(process)

    def waiting(self) -> int:
        engine = store.connect(self.url)
        try:
            with store.reading(engine) as session:
                return len(outbox.listing(session, state="pending"))
        except Exception as error:  # a database that is being restarted is asked again
            self.log.append(f"{type(error).__name__}: {error}")
            return 1
        finally:
            engine.dispose()

    def n_tries(self) -> int:
        """How often a mail was tried."""
        engine = store.connect(self.url)
        try:
            with store.reading(engine) as session:
                return sum(row["n_attempts"] for row in outbox.listing(session))
        finally:
            engine.dispose()

    def counted(self, scenario: str, explained: bool) -> Counts:
        """Outbox and server against what the trial has owed. *explained*: a repeat may come of what was done to it."""
        engine = store.connect(self.url)
        with store.reading(engine) as session:
            rows = outbox.listing(session)
            n_faults = len(audit.verify(session))
        engine.dispose()
        taken = self.sink.accepted()
        told = [row for row in rows if row["kind"].value != "digest"]
        mail_of = {row["id"]: row["message_id"] for row in rows}
        address_of = {row["message_id"]: row["recipient_email"] for row in rows}
        in_outbox: Owed = Counter((row["kind"].value, row["usubjid"], row["aeseq"], row["recipient_email"]) for row in told)
        n_taken = Counter(line["message_id"] for line in taken)
        repeats, database = sum(n - 1 for n in n_taken.values()), self.url.partition(":")[0]
        return Counts(
            scenario, database, owed=self.trial.owed.total(), accepted=len(taken), kills=self.n_kills, repeats=repeats,
            unexplained_repeats=0 if explained else repeats,
            lost=sum(mail_of[row["digest_id"] or row["id"]] not in n_taken for row in told),
            not_in_outbox=(self.trial.owed - in_outbox).total(), not_owed=(in_outbox - self.trial.owed).total(),
            wrong_recipients=sum(line["to"] != [address_of.get(line["message_id"])] for line in taken),
            unsent=sum(row["state"] is AlertState.PENDING for row in rows), audit_faults=n_faults,
        )  # fmt: skip


def _quiet(log: Path, work: Callable[..., None], *arguments: Any) -> None:
    """Runs in the child: what it prints goes to *log*; exit code 1 where it raises."""
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(out, 1)
    os.dup2(out, 2)
    work(*arguments)


def _import(config: Config, folder: Path) -> None:
    engine = store.connect(config.database_url)
    import_paths(engine, config, [folder], actor="torture", at=datetime.now(UTC), complete=["AE"])
    engine.dispose()


def _run(config: Config) -> None:
    jobs.run(config, store.connect(config.database_url), {})


def deliver_once(config: Config, now: Callable[[], datetime], worker: str) -> int:
    """One round of delivery by the clock *now*, in this process; how many mails went out."""
    engine = store.connect(config.database_url)
    try:
        return deliver_due(engine, transport_for(config), config, now, worker).n_sent
    finally:
        engine.dispose()
