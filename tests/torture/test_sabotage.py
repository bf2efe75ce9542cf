"""The campaign itself is tried: a program that loses, forgets, misleads or repeats mails does not pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from safety_monitor import store
from safety_monitor.alerts.transport import SmtpTransport
from safety_monitor.store import outbox
from safety_monitor.workflow import delivery
from torture import scenarios
from torture.installation import Counts, Installation
from torture.sink import Sink
from torture.trial import Trial


@pytest.fixture
def make(tmp_path: Path, sqlite_template: Path) -> Iterator[Callable[..., Installation]]:
    sinks: list[Sink] = []

    def made(**more: Any) -> Installation:
        folder = tmp_path / str(len(sinks))
        folder.mkdir()
        (folder / "monitor.db").write_bytes(sqlite_template.read_bytes())
        sinks.append(Sink(folder / "sink"))
        return Installation(f"sqlite:///{folder / 'monitor.db'}", folder, sinks[-1], Trial(folder / "data", Random(7)), **more)

    yield made
    for sink in sinks:
        sink.stop()


def run(make: Callable[..., Installation]) -> Counts:
    return scenarios.smtp_fault(make(timeout=1), "rcpt_4xx", 0.5)


def test_an_honest_program_passes(make: Callable[..., Installation]) -> None:
    counts = run(make)
    assert counts.good
    assert counts.owed > 3


def test_a_row_that_is_never_written(make: Callable[..., Installation], monkeypatch: pytest.MonkeyPatch) -> None:
    real = outbox.enqueue
    monkeypatch.setattr(outbox, "enqueue", lambda session, alerts: real(session, list(alerts)[1:]))
    assert run(make).not_in_outbox > 0


def test_a_mail_that_is_marked_before_it_is_sent(make: Callable[..., Installation], monkeypatch: pytest.MonkeyPatch) -> None:
    real = delivery._send

    def early(transport: Any, config: Any, alert: Any) -> Any:
        engine = store.connect(config.database_url)
        with store.transaction(engine, actor="x", reason="x", at=datetime.now(UTC)) as session:
            number = next(row["id"] for row in outbox.listing(session) if row["message_id"] == alert.message_id)
            outbox.mark_sent(session, number, worker="x", at=datetime.now(UTC))
        engine.dispose()
        return real(transport, config, alert)

    monkeypatch.setattr(delivery, "_send", early)
    assert run(make).lost > 0  # what the server refused at first is never tried again


def test_a_mail_to_somebody_else(make: Callable[..., Installation], monkeypatch: pytest.MonkeyPatch) -> None:
    real = SmtpTransport.send
    monkeypatch.setattr(SmtpTransport, "send", lambda self, message, to: real(self, message, "officer@example.org"))
    assert run(make).wrong_recipients > 0


def test_a_mail_that_is_sent_twice_for_no_reason(make: Callable[..., Installation], monkeypatch: pytest.MonkeyPatch) -> None:
    real = SmtpTransport.send

    def twice(self: SmtpTransport, message: Any, to: str) -> Any:
        real(self, message, to)
        return real(self, message, to)

    monkeypatch.setattr(SmtpTransport, "send", twice)
    assert run(make).unexplained_repeats > 0
