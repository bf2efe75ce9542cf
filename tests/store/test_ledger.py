"""Each period of a job runs once, whoever asks."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing import get_context

import pytest

from safety_monitor import store
from safety_monitor.store import ledger
from safety_monitor.vocabulary import JobStatus

HOUR = timedelta(hours=1)


def _claim(engine, at, period="2026-W10"):
    return ledger.claim(engine, "dsmb", period, at, stale_after=HOUR)


def test_a_period_is_claimed_once(engine, now):
    assert _claim(engine, now)
    assert not _claim(engine, now)
    assert _claim(engine, now, "2026-W11")
    ledger.finish(engine, "dsmb", "2026-W10", now + HOUR, "12 pages")
    assert not _claim(engine, now + 99 * HOUR)
    with store.reading(engine) as session:
        done, running = ledger.runs(session, "dsmb")
        assert ledger.runs(session) == [done, running]
        assert ledger.runs(session, "other") == []
    assert (done.status, done.finished_at, done.detail) == (JobStatus.DONE, now + HOUR, "12 pages")
    assert (running.status, running.finished_at) == (JobStatus.RUNNING, None)


def test_a_failed_period_is_claimed_again(engine, now):
    _claim(engine, now)
    ledger.fail(engine, "dsmb", "2026-W10", now, "no printer")
    assert _claim(engine, now)
    assert not _claim(engine, now)
    with store.reading(engine) as session:
        (run,) = ledger.runs(session)
    assert (run.n_attempts, run.status, run.detail) == (2, JobStatus.RUNNING, "")


@pytest.mark.parametrize(("silent", "again"), [(HOUR - timedelta(seconds=1), False), (HOUR, True)])
def test_a_worker_that_died_is_replaced(engine, now, silent, again):
    _claim(engine, now)
    assert _claim(engine, now + silent) is again


def test_done_stays_done(engine, now):
    _claim(engine, now)
    ledger.finish(engine, "dsmb", "2026-W10", now)
    ledger.fail(engine, "dsmb", "2026-W10", now + HOUR, "the worker that had been given up")
    with store.reading(engine) as session:
        assert ledger.runs(session)[0].status is JobStatus.DONE


def test_heartbeat(engine, now):
    with store.reading(engine) as session:
        assert ledger.last_beat(session, "run") is None
    for hours in (0, 1):
        ledger.beat(engine, "run", now + hours * HOUR, f"beat {hours}")
    with store.reading(engine) as session:
        beat = ledger.last_beat(session, "run")
    assert (beat.at, beat.detail) == (now + HOUR, "beat 1")


def claims(url, now):
    engine = store.connect(url)
    try:
        return [ledger.claim(engine, "dsmb", f"{n}", now, stale_after=HOUR) for n in range(8)]
    finally:
        engine.dispose()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_four_processes_claim_each_period_once(database_url, now):
    with ProcessPoolExecutor(4, mp_context=get_context("fork")) as processes:
        answers = list(processes.map(claims, [database_url] * 4, [now] * 4))
    assert [sum(period) for period in zip(*answers, strict=True)] == [1] * 8
