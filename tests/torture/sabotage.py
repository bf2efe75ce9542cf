"""Ways to spoil the program, each under a mail server that refuses at first: ``python -m tests.torture.sabotage NAME FOLDER``.

A process of its own for each: the campaign forks, and a fork of a test session would inherit the locks of threads
(polars keeps a pool of them) that are not there any more, and hang.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from safety_monitor import store
from safety_monitor.alerts.transport import SmtpTransport
from safety_monitor.store import outbox
from safety_monitor.workflow import delivery
from torture import scenarios
from torture.installation import Installation
from torture.sink import Sink
from torture.trial import Trial


def honest() -> None:
    """Nothing is spoiled."""


def forgets_a_row() -> None:
    real = outbox.enqueue
    outbox.enqueue = lambda session, alerts: real(session, list(alerts)[1:])


def marks_before_it_sends() -> None:
    real = delivery._send

    def early(transport: Any, config: Any, alert: Any) -> Any:
        engine = store.connect(config.database_url)
        with store.transaction(engine, actor="x", reason="x", at=datetime.now(UTC)) as session:
            number = next(row["id"] for row in outbox.listing(session) if row["message_id"] == alert.message_id)
            outbox.mark_sent(session, number, worker="x", at=datetime.now(UTC))
        engine.dispose()
        return real(transport, config, alert)

    delivery._send = early


def sends_to_somebody_else() -> None:
    real = SmtpTransport.send
    SmtpTransport.send = lambda self, message, to: real(self, message, "officer@example.org")  # type: ignore[method-assign]


def sends_twice() -> None:
    real = SmtpTransport.send

    def twice(self: SmtpTransport, message: Any, to: str) -> Any:
        real(self, message, to)
        return real(self, message, to)

    SmtpTransport.send = twice  # type: ignore[method-assign]


SABOTAGE: Mapping[str, Callable[[], None]] = {
    way.__name__: way for way in (honest, forgets_a_row, marks_before_it_sends, sends_to_somebody_else, sends_twice)
}


def main(name: str, folder: Path) -> None:
    SABOTAGE[name]()
    url = f"sqlite:///{folder / 'monitor.db'}"
    store.upgrade(url)
    sink = Sink(folder / "sink")
    try:
        site = Installation(url, folder, sink, Trial(folder / "data", Random(7)), timeout=1)
        counts = scenarios.smtp_fault(site, "rcpt_4xx", 0.5)
    finally:
        sink.stop()
    print(json.dumps({**asdict(counts), "good": counts.good}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
