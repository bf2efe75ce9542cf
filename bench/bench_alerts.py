"""From commit to acceptance: latency at 1, 10 and 50 alerts a second, and the throughput of a full outbox.

    python bench/bench_alerts.py [--seconds 20] [--mails 1000] [--databases sqlite,postgresql]

One worker, ``safety-monitor run`` as configured by default, in a process of its own; the server is aiosmtpd in another. Alerts
are offered on a fixed schedule, whatever the worker does (open loop), each to another recipient, so that no digest forms. Latency
is from the end of the commit to the server's yes; it is measured from when the worker has delivered a first alert. Throughput is
set against a bare smtplib loop over the same composed mails in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import smtplib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from safety_monitor import store
from safety_monitor.alerts.email import compose
from safety_monitor.alerts.routing import Alert, owe
from safety_monitor.alerts.transport import SmtpTransport
from safety_monitor.config import Config, Person
from safety_monitor.store import outbox
from safety_monitor.vocabulary import AlertKind, Role
from safety_monitor.workflow.delivery import deliver_due
from torture.postgresql import Cluster, programs
from torture.sink import Sink

RATES = (1, 10, 50)
SCRIPT = Path(sys.executable).parent / "safety-monitor"


def alert(config: Config, number: str) -> Alert:
    person = Person(name="Chen", email=f"chen.{number}@example.org", role=Role.SAFETY_OFFICER)
    payload = {
        "usubjid": "S1-001", "siteid": "01", "aeseq": 1, "term": "Pneumothorax", "grade": 3, "serious": True, "fatal": False,
        "serious_basis": ["HOSPITALISATION"], "onset": "2026-02-28", "outcome": None, "changes": [], "site_hours": 24,
        "why": "bench", "timezone": "Asia/Shanghai",
    }  # fmt: skip
    return owe(
        person, (number,), sender=config.mail, kind=AlertKind.SAE_NEW, rule_id="new_serious_event", payload=payload,
        at=datetime.now(UTC), study_id="S1",
    )  # fmt: skip


def configured(url: str, folder: Path, port: int) -> Config:
    mail = {"transport": "smtp", "host": "127.0.0.1", "port": port, "security": "none"}
    raw: dict[str, Any] = {"database": {"url": url}, "mail": mail}
    (folder / "config.yaml").write_text(json.dumps(raw), encoding="utf-8")  # JSON is YAML
    return Config.model_validate({**raw, "base": folder})


@contextmanager
def worker(folder: Path) -> Iterator[None]:
    """``safety-monitor run`` until the end of the block."""
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([SCRIPT, "run"], cwd=folder, stdout=log, stderr=log)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.wait(60)


def latencies(config: Config, sink: Sink, rate: int, seconds: float, of: str = "at") -> list[float]:
    """Seconds from commit to acceptance of each alert offered at *rate* a second."""
    engine = store.connect(config.database_url)
    committed = {}
    began = time.perf_counter()
    for n in range(int(rate * seconds)):
        time.sleep(max(0.0, began + n / rate - time.perf_counter()))
        offered = alert(config, f"{of}-{rate}-{n}")
        with store.transaction(engine, actor="bench", reason="bench", at=datetime.now(UTC)) as session:
            outbox.enqueue(session, [offered])
        committed[offered.message_id] = time.time()
    until = time.monotonic() + 120
    taken: dict[str, float] = {}
    while len(taken) < len(committed) and time.monotonic() < until:
        time.sleep(0.5)
        taken = {line["message_id"]: line["at"] for line in sink.accepted() if line["message_id"] in committed}
    engine.dispose()
    assert len(taken) == len(committed), f"{len(committed) - len(taken)} mails did not arrive"
    return [taken[message_id] - at for message_id, at in committed.items()]


def throughput(config: Config, sink: Sink, n: int) -> tuple[float, float]:
    """Mails a second of a full outbox, and of a bare smtplib loop over the same mails."""
    alerts = [alert(config, f"full-{k}") for k in range(n)]
    messages = [compose(each, config.mail, each.created_at) for each in alerts]
    began = time.perf_counter()
    with smtplib.SMTP("127.0.0.1", config.mail.port) as smtp:
        for message in messages:
            smtp.send_message(message)
    bare = n / (time.perf_counter() - began)
    engine = store.connect(config.database_url)
    with store.transaction(engine, actor="bench", reason="bench", at=datetime.now(UTC)) as session:
        outbox.enqueue(session, alerts)
    began = time.perf_counter()
    tally = deliver_due(engine, SmtpTransport(config.mail), config, lambda: datetime.now(UTC), "bench")
    ended = time.perf_counter()
    engine.dispose()
    assert tally.n_sent == n, tally
    return n / (ended - began), bare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--mails", type=int, default=1000)
    parser.add_argument("--databases", default="sqlite,postgresql")
    asked = parser.parse_args()
    databases = asked.databases.split(",")
    cluster = Cluster(programs()) if "postgresql" in databases else None
    print(f"{'database':11} {'offered/s':>9} {'n':>5} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8}")
    try:
        for database in databases:
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                url = cluster.fresh() if cluster and database == "postgresql" else f"sqlite:///{folder / 'bench.db'}"
                store.upgrade(url)
                sink = Sink(folder / "sink")
                try:
                    config = configured(url, folder, sink.port)
                    with worker(folder):
                        latencies(config, sink, 1, 1, "before")  # one alert, to know that the worker has loaded
                        for rate in RATES:
                            found = latencies(config, sink, rate, asked.seconds)
                            cuts = quantiles(found, n=100, method="inclusive")
                            shown = " ".join(f"{1000 * value:8.0f}" for value in (cuts[49], cuts[98], max(found)))
                            print(f"{database:11} {rate:9} {len(found):5} {shown}", flush=True)
                    full, bare = throughput(config, sink, asked.mails)
                    told = f"full outbox: {full:.0f} mails/s, bare smtplib {bare:.0f}/s, ratio {full / bare:.2f}"
                    print(f"{database:11} {told}", flush=True)
                finally:
                    sink.stop()
    finally:
        if cluster is not None:
            cluster.stop()


if __name__ == "__main__":
    main()
