"""What a monitor of servers asks ``run``: is all well (``/health``), in numbers (``/metrics``); the page behind a mail's link.

Loopback unless told otherwise. An alert is acknowledged by a POST with a name, never by a GET: mail scanners follow links.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from jinja2 import Environment, FileSystemLoader
from prometheus_client import CollectorRegistry, Gauge, Info, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from sqlalchemy import Engine

from safety_monitor import store
from safety_monitor.alerts.email import words_of
from safety_monitor.config import Config
from safety_monitor.resources import resource_dir
from safety_monitor.store import clocks as clock_store
from safety_monitor.store import ledger, outbox
from safety_monitor.version import SOFTWARE
from safety_monitor.vocabulary import JobStatus
from safety_monitor.workflow.delivery import acknowledge
from safety_monitor.workflow.examination import HEARTBEAT_LIMIT, UNSENT_LIMIT

Clock = Callable[[], datetime]
#: A name is typed in; more than this is no name.
_LONGEST_FORM = 2000


def problems(engine: Engine, config: Config, now: datetime) -> list[str]:
    """What is wrong right now, in words; only what can be asked every few seconds."""
    with store.reading(engine) as session:
        depth = outbox.depth(session, now=now, failing=config.delivery.failures_before_next_contact)
        beat = ledger.last_beat(session, "scheduler")
        failed = ledger.failed(session)
        n_overdue = clock_store.n_overdue(session, now)
    found = []
    if depth.oldest_age is not None and depth.oldest_age > UNSENT_LIMIT:
        found.append(f"the oldest unsent mail waits for {int(depth.oldest_age.total_seconds() // 60)} min")
    if depth.n_failing:
        found.append(f"{depth.n_failing} mails keep failing")
    if beat is None or now - beat.at > HEARTBEAT_LIMIT:
        found.append("the scheduler shows no life")
    found += [f"job {row.job} failed for {row.period}" for row in failed]
    if n_overdue:
        found.append(f"{n_overdue} safety reports are overdue")
    return found


def metrics(engine: Engine, config: Config, now: datetime) -> bytes:
    """Prometheus text. Ages in seconds; a heartbeat that never was has no value."""
    registry = CollectorRegistry()

    def gauge(name: str, says: str, *labels: str) -> Gauge:
        return Gauge(f"safety_monitor_{name}", says, labels, registry=registry)

    Info("safety_monitor_build", "Version of the program", registry=registry).info({"software": SOFTWARE})
    with store.reading(engine) as session:
        depth = outbox.depth(session, now=now, failing=config.delivery.failures_before_next_contact)
        beat = ledger.last_beat(session, "scheduler")
        runs = ledger.runs(session)
        running = clock_store.clocks(session, running=True)
    gauge("outbox_pending", "Mails that wait to be sent").set(depth.n_pending)
    gauge("outbox_failing", "Waiting mails that keep failing").set(depth.n_failing)
    oldest = depth.oldest_age or timedelta(0)
    gauge("outbox_oldest_seconds", "Age of the oldest mail that waits").set(oldest.total_seconds())
    gauge("clocks_running", "Reporting clocks that run").set(len(running))
    gauge("clocks_overdue", "Reporting clocks that are over").set(sum(each.clock.due_at <= now for each in running))
    if beat is not None:
        gauge("heartbeat_age_seconds", "Time since the scheduler showed life").set((now - beat.at).total_seconds())
    succeeded = gauge("job_last_success_timestamp_seconds", "When the job last ended well", "job")
    failed = gauge("job_failed_periods", "Periods of the job whose last try failed", "job")
    for job in config.jobs:
        own = [row for row in runs if row.job == job.name]
        failed.labels(job.name).set(sum(row.status is JobStatus.FAILED for row in own))
        ended = [row.finished_at for row in own if row.status is JobStatus.DONE and row.finished_at]
        if ended:
            succeeded.labels(job.name).set(max(ended).timestamp())
    return generate_latest(registry)


@contextlib.contextmanager
def serving(engine: Engine, config: Config, now: Clock, host: str, port: int) -> Iterator[int]:
    """Answers on *host*:*port* (0: any free one) until the end of the block; gives the port."""
    server = ThreadingHTTPServer((host, port), _handler(engine, config, now))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="health", daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(engine: Engine, config: Config, now: Clock) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        server_version = "SafetyMonitor"
        sys_version = ""
        timeout = 10

        def do_GET(self) -> None:
            if self.path == "/health":
                found = problems(engine, config, now())
                status = HTTPStatus.SERVICE_UNAVAILABLE if found else HTTPStatus.OK
                self._answer(status, "application/json", json.dumps({"ok": not found, "problems": found}).encode())
            elif self.path == "/metrics":
                self._answer(HTTPStatus.OK, CONTENT_TYPE_LATEST, metrics(engine, config, now()))
            elif self.path.startswith("/alerts/"):
                self._page(self.path.removeprefix("/alerts/"), "")
            else:
                self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"/health, /metrics or /alerts/CODE\n")

        def do_POST(self) -> None:
            code = self.path.removeprefix("/alerts/")
            length = int(self.headers.get("Content-Length") or 0)
            if not self.path.startswith("/alerts/") or length > _LONGEST_FORM:
                self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"/alerts/CODE\n")
                return
            name = " ".join(parse_qs(self.rfile.read(length).decode(errors="replace")).get("name", [""])[0].split())
            if name and not code.isdecimal():
                acknowledge(engine, code, actor=f"{name} (by link)", at=now())
            self._page(code, name)

        def _page(self, code: str, name: str) -> None:
            with store.reading(engine) as session:
                rows = outbox.with_code(session, code.strip().upper())
                found = outbox.detail(session, rows[0].id or 0) if len(rows) == 1 else None
            if found is None:
                self._answer(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", b"No alert has this code.\n")
                return
            words = words_of(found["language"])
            kind = words["kind"][found["kind"].value]
            body = _template().render(alert=found, words=words, kind=kind, code=code)
            self._answer(HTTPStatus.OK, "text/html; charset=utf-8", body.encode())

        def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
            self.send_response(status)
            headers = {
                "Content-Type": kind, "Content-Length": str(len(body)), "Cache-Control": "no-store",
                "X-Robots-Tag": "noindex", "Referrer-Policy": "no-referrer",
                "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
            }  # fmt: skip
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Codes do not go into logs."""

    return Handler


def _template() -> Any:
    return Environment(loader=FileSystemLoader(resource_dir("templates") / "alerts"), autoescape=True).get_template("page.html")
