"""Each slot runs once: after a week without power, a failure, with two schedulers; run ends cleanly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from safety_monitor import jobs, store
from safety_monitor.alerts.routing import Owed, address
from safety_monitor.config import Config, Job, MailSettings, Person
from safety_monitor.rules.escalation import EventState, decide_alerts
from safety_monitor.store import ledger, outbox
from safety_monitor.study import SettingsError, StudySettings
from safety_monitor.vocabulary import JobStatus

MONDAY = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def daily(name="report", catch_up="each", cron="0 6 * * *", timezone="UTC"):
    return Job(name=name, job="dsmb_report", cron=cron, timezone=timezone, catch_up=catch_up)


class Clock:
    def __init__(self, at):
        self.at = at

    def __call__(self):
        return self.at


class Recorder:
    """A job that writes down its periods and fails as often as it is told."""

    def __init__(self, n_failures=0):
        self.periods = []
        self.n_failures = n_failures

    def __call__(self, engine, config, job, period, at):
        self.periods.append(period)
        if self.n_failures:
            self.n_failures -= 1
            raise RuntimeError("the printer is on fire")
        return f"made {period}"


@pytest.fixture
def engine(database_url):
    engine = store.connect(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def clock():
    return Clock(MONDAY - timedelta(hours=1))


def due(engine, job, work, clock, config=None):
    return jobs.run_due(engine, config or Config(), job, {"dsmb_report": work}, clock)


def period(day):
    return (MONDAY + day * DAY).isoformat()


def test_a_job_begins_when_it_is_first_seen_and_runs_each_slot_once(engine, clock):
    work, job = Recorder(), daily()
    assert due(engine, job, work, clock) == []
    clock.at = MONDAY
    assert due(engine, job, work, clock) == [
        jobs.Done("report", period(0), JobStatus.DONE, f"made {period(0)}")
    ]
    assert due(engine, job, work, clock) == []
    clock.at = MONDAY + DAY
    due(engine, job, work, clock)
    assert work.periods == [period(0), period(1)]


@pytest.mark.parametrize(
    ("catch_up", "expected"), [("each", [period(n) for n in range(8)]), ("once", [period(7)])]
)
def test_a_machine_that_was_off_for_a_week(engine, clock, catch_up, expected):
    work, job = Recorder(), daily(catch_up=catch_up)
    due(engine, job, work, clock)
    clock.at = MONDAY + 7 * DAY + timedelta(hours=5)
    due(engine, job, work, clock)
    due(engine, job, work, clock)
    assert work.periods == expected


def test_a_clock_that_goes_back_repeats_nothing(engine, clock):
    work, job = Recorder(), daily()
    due(engine, job, work, clock)
    for hours in (0, 24, -3, 25, 24):
        clock.at = MONDAY + timedelta(hours=hours)
        due(engine, job, work, clock)
    assert work.periods == [period(0), period(1)]


def test_a_changed_calendar_begins_anew(engine, clock):
    work = Recorder()
    due(engine, daily(), work, clock)
    clock.at = MONDAY + 2 * DAY
    assert due(engine, daily(cron="*/5 * * * *"), work, clock) == []
    clock.at += timedelta(minutes=5)
    assert len(due(engine, daily(cron="*/5 * * * *"), work, clock)) == 1


def test_a_failed_slot_is_visible_and_tried_again_with_growing_delay(engine, clock, caplog):
    work, job = Recorder(n_failures=2), daily()
    due(engine, job, work, clock)
    clock.at = MONDAY
    (done,) = due(engine, job, work, clock)
    assert (done.status, done.detail) == (JobStatus.FAILED, "RuntimeError: the printer is on fire")
    assert "the printer is on fire" in caplog.text
    with store.reading(engine) as session:
        assert [(run.job, run.period, run.detail) for run in ledger.failed(session)] == [
            ("report", period(0), done.detail)
        ]
    tried = [MONDAY]
    for minute in range(1, 6):
        clock.at = MONDAY + timedelta(minutes=minute)
        tried += [clock.at for _ in due(engine, job, work, clock)]
    assert [(at - MONDAY).total_seconds() / 60 for at in tried] == [0, 1, 3]
    assert work.periods == [period(0)] * 3
    with store.reading(engine) as session:
        (run,) = ledger.runs(session, "report")
        assert (run.status, run.n_attempts) == (JobStatus.DONE, 3)


def test_a_failed_slot_does_not_keep_back_the_next(engine, clock):
    work, job = Recorder(n_failures=1), daily()
    due(engine, job, work, clock)
    clock.at = MONDAY + DAY
    assert [done.status for done in due(engine, job, work, clock)] == [JobStatus.FAILED, JobStatus.DONE]


def test_a_worker_that_died_is_taken_over(engine, clock):
    work, job = Recorder(), daily()
    due(engine, job, work, clock)
    clock.at = MONDAY

    def die(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        due(engine, job, die, clock)
    assert due(engine, job, work, clock) == []
    clock.at = MONDAY + jobs.STALE_AFTER
    assert [done.period for done in due(engine, job, work, clock)] == [period(0)]


def test_a_job_that_nobody_can_do_says_so(engine, clock):
    due(engine, daily(), Recorder(), clock)
    clock.at = MONDAY
    (done,) = jobs.run_due(engine, Config(), daily(), {}, clock)
    assert done.status is JobStatus.FAILED
    assert "'dsmb_report' cannot be done here" in done.detail


def test_run_job_takes_the_latest_period_and_does_none_twice(engine):
    work, config, now = Recorder(), Config(jobs=(daily(),)), MONDAY + 3 * DAY + timedelta(hours=1)

    def ask(name="report", **more):
        return jobs.run_job(config, engine, {"dsmb_report": work}, name, now=now, **more)

    assert ask() == jobs.Done("report", period(3), JobStatus.DONE, f"made {period(3)}")
    again = ask()
    assert (again.period, again.status) == (period(3), JobStatus.DONE)
    assert again.detail.startswith("ended at ")
    assert ask(period="2026-03-03").period == period(1)
    assert work.periods == [period(3), period(1)]
    with pytest.raises(SettingsError, match=r"no job is called 'other'; jobs of config\.yaml: report"):
        ask("other")


def test_run_job_leaves_a_running_period_to_its_worker(engine):
    work, config, now = Recorder(), Config(jobs=(daily(),)), MONDAY + timedelta(hours=1)
    assert ledger.claim(engine, "report", period(0), jobs.utc_now(), stale_after=jobs.STALE_AFTER)
    done = jobs.run_job(config, engine, {"dsmb_report": work}, "report", now=now)
    assert (done.status, done.detail, work.periods) == (JobStatus.RUNNING, "another worker runs it", [])


def test_a_period_run_by_hand_leaves_no_gap_before_it(engine, clock):
    work, job = Recorder(), daily()
    due(engine, job, work, clock)
    clock.at = MONDAY + 3 * DAY
    jobs.run_job(Config(jobs=(job,)), engine, {"dsmb_report": work}, "report", now=clock.at)
    due(engine, job, work, clock)
    assert work.periods == [period(3), period(0), period(1), period(2)]


SCHEDULER = textwrap.dedent(
    """
    import sys, time
    from datetime import UTC, datetime, timedelta
    from pathlib import Path
    from safety_monitor import jobs, store
    from safety_monitor.config import Config, Job

    url, log, seconds = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])
    engine = store.connect(url)
    job = Job(name="each-minute", job="dsmb_report", cron="* * * * *")
    start = datetime(2026, 3, 2, tzinfo=UTC)

    def work(engine, config, job, period, at):
        with log.open("a") as file:
            file.write(period + "\\n")
        return ""

    for minute in range(13):  # twelve slots, the clock always a little ahead
        now = start + timedelta(minutes=minute, seconds=1)
        jobs.run_due(engine, Config(), job, {"dsmb_report": work}, lambda: now)
        time.sleep(seconds)
    """
)


def test_two_schedulers_in_two_processes_run_each_slot_once(database_url, tmp_path):
    log = tmp_path / "log"
    command = [
        sys.executable,
        "-W",
        "error::DeprecationWarning:safety_monitor",
        "-c",
        SCHEDULER,
        database_url,
        str(log),
    ]
    processes = [subprocess.Popen([*command, pause]) for pause in ("0.01", "0.02")]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    lines = log.read_text().splitlines()
    assert len(lines) == len(set(lines)) == 12


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_delivers_beats_works_and_ends_cleanly_on_a_signal(database_url, tmp_path, number):
    engine = store.connect(database_url)
    officer = Person(name="Chen", email="chen@example.org", role="safety_officer")
    good = daily("good", cron="* * * * *")
    config = Config(
        base=tmp_path, people=(officer,), jobs=(good, daily("bad", cron="* * * * *")),
        mail=MailSettings(folder="mailbox"),
    )  # fmt: skip
    event = EventState(usubjid="S1-1", aeseq=1, term="Pneumothorax", version=1, serious=True)
    owed = [Owed(decision, event, None) for decision in decide_alerts(None, event)]
    study = StudySettings.of({"study": {"id": "S1"}})
    long_ago = jobs.utc_now() - timedelta(minutes=2)
    with store.transaction(engine, actor="import", reason="import", at=long_ago) as session:
        outbox.enqueue(session, address(owed, study, config, long_ago))
    for job in config.jobs:
        ledger.beat(engine, f"job {job.name}", long_ago, f"{job.cron} {job.timezone}")
    begun, ended = {job.name: threading.Event() for job in config.jobs}, []

    def work(engine, config, job, period, at):
        begun[job.name].set()
        if job.name == "bad":
            raise RuntimeError("no")
        time.sleep(0.5)
        ended.append(period)
        return "made"

    def interrupt():
        assert all(each.wait(30) for each in begun.values())
        deadline = time.monotonic() + 30
        while not list((tmp_path / "mailbox").glob("*.eml")) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    killer = threading.Thread(target=interrupt)
    killer.start()
    jobs.run(config, engine, {"dsmb_report": work})
    killer.join()
    assert signal.getsignal(number) is before
    assert ended  # what had begun was finished
    assert len(list((tmp_path / "mailbox").glob("*.eml"))) == 1
    with store.reading(engine) as session:
        assert {run.job: run.status for run in ledger.runs(session)} == {
            "good": JobStatus.DONE, "bad": JobStatus.FAILED
        }  # fmt: skip
        beat = ledger.last_beat(session, jobs.HEARTBEAT)
        assert beat is not None
        assert beat.detail.startswith("stopped as ")
        assert outbox.depth(session, now=jobs.utc_now(), failing=1).n_pending == 0
    engine.dispose()


def test_run_ends_on_an_event_too(engine, tmp_path):
    stop = threading.Event()
    thread = threading.Thread(
        target=jobs.run, args=(Config(base=tmp_path), engine, {}), kwargs={"stop": stop}, daemon=True
    )
    thread.start()
    stop.set()
    thread.join(timeout=30)
    assert not thread.is_alive()
    with store.reading(engine) as session:
        assert ledger.last_beat(session, jobs.HEARTBEAT) is not None
