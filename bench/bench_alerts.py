"""Mails per second from the outbox, against a bare smtplib loop to the same server on one connection.

    python bench/bench_alerts.py [--mails 1000] [--database URL]

The server is aiosmtpd in a process of its own. What the outbox adds is what it promises: each mail composed
in two parts, leased, sent, and marked with the server's reply in an audited transaction of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import smtplib
import socket
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from safety_monitor import store
from safety_monitor.alerts.email import compose
from safety_monitor.alerts.routing import Alert, Owed, address
from safety_monitor.alerts.transport import SmtpTransport
from safety_monitor.config import Config, DeliverySettings, MailSettings, Person
from safety_monitor.rules.escalation import EventState, decide_alerts
from safety_monitor.store import outbox
from safety_monitor.study import StudySettings
from safety_monitor.workflow.delivery import deliver_due

AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


class Sink:
    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        return "250 OK"


def serve(port: int, ready: Any) -> None:
    from aiosmtpd.controller import Controller

    Controller(Sink(), hostname="127.0.0.1", port=port).start()
    ready.set()
    time.sleep(3600)


def owed(n: int, config: Config) -> list[Alert]:
    items = []
    for aeseq in range(n):
        event = EventState(
            usubjid="S1-001", aeseq=aeseq, siteid="01", term="Pneumothorax", version=1, serious=True
        )
        items += [Owed(decision, event, None) for decision in decide_alerts(None, event)]
    return address(items, StudySettings.of({"study": {"id": "S1"}}), config, AT)


def bare(alerts: list[Alert], config: Config) -> float:
    """Seconds for the same mails, composed beforehand, by smtplib alone."""
    messages = [compose(alert, config.mail, AT) for alert in alerts]
    started = time.perf_counter()
    with smtplib.SMTP("127.0.0.1", config.mail.port) as smtp:
        for message in messages:
            smtp.send_message(message)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--mails", type=int, default=1000)
    parser.add_argument("--database", help="URL of an empty database; a temporary SQLite file where left out")
    asked = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    mail = MailSettings(transport="smtp", host="127.0.0.1", port=port, security="none")
    officer = Person(name="Chen", email="chen@example.org", role="safety_officer")
    config = Config(people=(officer,), mail=mail, delivery=DeliverySettings(batch=50))
    ready = multiprocessing.Event()
    server = multiprocessing.Process(target=serve, args=(port, ready), daemon=True)
    server.start()
    ready.wait()
    with tempfile.TemporaryDirectory() as folder:
        url = asked.database or f"sqlite:///{Path(folder) / 'bench.db'}"
        store.upgrade(url)
        engine = store.connect(url)
        alerts = owed(asked.mails, config)
        alone = bare(alerts, config)
        started = time.perf_counter()
        with store.transaction(engine, actor="bench", reason="bench", at=AT) as session:
            outbox.enqueue(session, alerts)
        enqueued = time.perf_counter()
        tally = deliver_due(engine, SmtpTransport(mail), config, lambda: AT, "bench")
        ended = time.perf_counter()
        engine.dispose()
    server.terminate()
    assert tally.n_sent == asked.mails, tally
    whole = ended - started
    print(f"bare smtplib loop  {asked.mails / alone:8.0f} mails/s")
    print(f"enqueue            {asked.mails / (enqueued - started):8.0f} rows/s")
    print(f"deliver            {asked.mails / (ended - enqueued):8.0f} mails/s")
    print(f"enqueue + deliver  {asked.mails / whole:8.0f} mails/s, {alone / whole:.2f} of the bare loop")


if __name__ == "__main__":
    main()
