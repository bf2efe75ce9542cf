"""``run``: scheduler, delivery of mails and sign of life, until SIGTERM; ``run_job``: one job, now.

The truth of what ran is the ledger (``store.ledger``), not the scheduler's memory: every slot of a job is
claimed there under its instant in UTC, so that a restart, a second scheduler, a clock change or a week
without power neither repeats nor loses one. How far a job's calendar was worked off is kept as a heartbeat of
its own; slots since then are claimed in their order, before the mark moves on.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from types import FrameType

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from imapclient.exceptions import IMAPClientError
from sqlalchemy import Engine

from safety_monitor import store
from safety_monitor.alerts.transport import transport_for
from safety_monitor.config import Config, Job
from safety_monitor.store import ledger
from safety_monitor.study import SettingsError
from safety_monitor.vocabulary import JobStatus
from safety_monitor.workflow.bounces import read_bounces
from safety_monitor.workflow.delivery import deliver_due, retry_delay
from safety_monitor.workflow.health import serving
from safety_monitor.workflow.slots import named_slot, slots
from safety_monitor.workflow.watching import watch

#: The heartbeat that ``doctor`` looks for, and how often it is written.
HEARTBEAT = "scheduler"
HEARTBEAT_SECONDS = 30
#: How often each job's calendar is compared with the ledger.
CHECK_SECONDS = 15
#: A claimed slot whose worker has said nothing for this long is taken over; the longest report takes minutes.
STALE_AFTER = timedelta(hours=1)

JobFunction = Callable[[Engine, Config, Job, str, datetime], str]
Clock = Callable[[], datetime]
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Done:
    """One period of one job after a try: ``status`` and what the job said, or why it failed."""

    job: str
    period: str
    status: JobStatus
    detail: str


class _Stopped(BaseException):
    """SIGTERM or SIGINT arrived."""


def utc_now() -> datetime:
    return datetime.now(UTC)


def run(
    config: Config,
    engine: Engine,
    functions: Mapping[str, JobFunction],
    *,
    now: Clock = utc_now,
    stop: threading.Event | None = None,
    health: tuple[str, int] | None = None,
) -> None:
    """Works until SIGTERM, SIGINT or *stop*; what has begun is finished first.

    *functions*: what each ``job`` of the configuration does for one period. *health*: host and port to answer monitors on.
    """
    stop = stop or threading.Event()
    # a round of delivery that takes longer than the next begins is no news, twice a second
    logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
    worker = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(2)}"
    beat = partial(_beat, engine, now, worker)
    scheduler = BackgroundScheduler(
        executors={"default": ThreadPoolExecutor(len(config.jobs) + 3)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        timezone=UTC,
    )

    def every(seconds: float, work: Callable[[], object], name: str) -> None:
        scheduler.add_job(work, "interval", seconds=seconds, id=name, name=name, next_run_time=utc_now())

    every(HEARTBEAT_SECONDS, beat, "heartbeat")
    deliver = partial(deliver_due, engine, transport_for(config), config, now, worker, stop.is_set)
    every(config.delivery.poll_seconds, deliver, "delivery")
    every(config.delivery.watch_seconds, partial(_watch, engine, config, now), "watch")
    for job in config.jobs:
        work = partial(run_due, engine, config, job, functions, now, stop.is_set)
        every(CHECK_SECONDS, work, f"job {job.name}")
    answering = serving(engine, config, now, *health) if health else nullcontext()
    with _signals(), answering:
        try:
            scheduler.start()
            stop.wait()
        except _Stopped:
            pass
        finally:
            _ignore_signals()
            stop.set()
            if scheduler.running:
                scheduler.shutdown(wait=True)
            beat("stopped")


def run_due(
    engine: Engine,
    config: Config,
    job: Job,
    functions: Mapping[str, JobFunction],
    now: Clock,
    stopping: Callable[[], bool] = lambda: False,
) -> list[Done]:
    """Runs what *job* owes: slots since its calendar was worked off, then failed ones that waited enough."""
    at = now()
    done: list[Done] = []
    for period in [*_fresh(engine, job, at), *_retries(engine, config, job, at)]:
        if stopping():
            return done
        result = _attempt(engine, config, job, functions, period, now)
        if result is not None:
            done.append(result)
    _worked_off(engine, job, at)
    return done


def run_job(
    config: Config,
    engine: Engine,
    functions: Mapping[str, JobFunction],
    name: str,
    *,
    period: str | None = None,
    now: datetime,
) -> Done:
    """One period of the job *name*, now: *period* (a slot's instant, or its date), else the latest.

    A period that is done is not done again; one that another worker runs is left to it. SettingsError where
    there is no such job or period.
    """
    job = next((job for job in config.jobs if job.name == name), None)
    if job is None:
        known = ", ".join(job.name for job in config.jobs) or "none are configured"
        raise SettingsError(f"no job is called {name!r}; jobs of config.yaml: {known}")
    slot = named_slot(job, period, now)
    result = _attempt(engine, config, job, functions, slot.isoformat(), lambda: max(now, utc_now()))
    if result is not None:
        return result
    with store.reading(engine) as session:
        row = next(row for row in ledger.runs(session, name) if row.period == slot.isoformat())
        ended = (
            f"ended at {row.finished_at:%Y-%m-%d %H:%M} UTC" if row.finished_at else "another worker runs it"
        )
        detail = f"{ended}: {row.detail}" if row.detail else ended
        return Done(name, row.period, row.status, detail)


def _fresh(engine: Engine, job: Job, at: datetime) -> list[str]:
    """The slots since the calendar was last worked off. A new or changed calendar begins now."""
    with store.reading(engine) as session:
        mark = ledger.last_beat(session, _mark(job))
        since = mark.at if mark is not None and mark.detail == _calendar(job) else at
    missed = slots(job, since, at)
    if job.catch_up == "once":
        missed = missed[-1:]
    return [slot.isoformat() for slot in missed]


def _retries(engine: Engine, config: Config, job: Job, at: datetime) -> list[str]:
    """Failed periods whose delay is over, and running ones: whether those are stale, the claim decides."""
    with store.reading(engine) as session:
        return [
            row.period
            for row in ledger.unfinished(session, job.name)
            if row.finished_at is None or row.finished_at + retry_delay(row.n_attempts, config.delivery) <= at
        ]


def _worked_off(engine: Engine, job: Job, at: datetime) -> None:
    """Moves the mark to the last slot up to *at*; every slot before it has its row in the ledger now."""
    with store.reading(engine) as session:
        mark = ledger.last_beat(session, _mark(job))
    known = mark is not None and mark.detail == _calendar(job)
    if last := slots(job, mark.at, at)[-1:] if mark is not None and known else [at]:
        ledger.beat(engine, _mark(job), last[0], _calendar(job))


def _mark(job: Job) -> str:
    return f"job {job.name}"


def _calendar(job: Job) -> str:
    return f"{job.cron} {job.timezone}"


def _attempt(
    engine: Engine, config: Config, job: Job, functions: Mapping[str, JobFunction], period: str, now: Clock
) -> Done | None:
    """Claims *period* and runs it; None where it is done or another's. What the job raises is recorded."""
    started = now()
    if not ledger.claim(engine, job.name, period, started, stale_after=STALE_AFTER):
        return None
    try:
        if job.job not in functions:
            raise SettingsError(f"{job.job!r} cannot be done here; these can: {', '.join(sorted(functions))}")
        detail = functions[job.job](engine, config, job, period, started)
    except Exception as error:  # one failing job never stops another
        _log.exception("job %s %s failed", job.name, period)
        detail = f"{type(error).__name__}: {error}"
        ledger.fail(engine, job.name, period, now(), detail)
        return Done(job.name, period, JobStatus.FAILED, detail)
    ledger.finish(engine, job.name, period, now(), detail)
    return Done(job.name, period, JobStatus.DONE, detail)


def _watch(engine: Engine, config: Config, now: Clock) -> None:
    watch(engine, config, now())
    if config.mail.bounces.folder is None and config.mail.bounces.host is None:
        return
    try:
        read_bounces(engine, config, now())
    except (OSError, IMAPClientError) as error:  # a mailbox that cannot be read is told by doctor, and asked again
        ledger.beat(engine, "bounces", now(), f"{type(error).__name__}: {error}")
    else:
        ledger.beat(engine, "bounces", now(), "")


def _beat(engine: Engine, now: Clock, worker: str, detail: str = "running") -> None:
    ledger.beat(engine, HEARTBEAT, now(), f"{detail} as {worker}")


@contextmanager
def _signals() -> Iterator[None]:
    """SIGTERM and SIGINT raise _Stopped in the main thread; elsewhere they are none of our business."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stopped(number: int, frame: FrameType | None) -> None:
        raise _Stopped

    before = {number: signal.signal(number, stopped) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignore_signals() -> None:
    """A second signal must not interrupt the orderly end."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
