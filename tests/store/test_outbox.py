"""Each owed mail is leased by one worker at a time, stays owed until it is sent, and keeps every try."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import timedelta
from multiprocessing import get_context

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from safety_monitor import store
from safety_monitor.store import outbox
from safety_monitor.store.tables import AlertRow, DeliveryAttempt
from safety_monitor.vocabulary import AlertState

MINUTE = timedelta(minutes=1)


@pytest.fixture
def signed(engine, now):
    def open_():
        return store.transaction(engine, actor="delivery", reason="deliver", at=now)

    return open_


@pytest.fixture
def owed(signed, an_alert):
    """Puts alerts with these keys into the outbox; says how many were new."""

    def put(*keys, **changes):
        with signed() as session:
            return outbox.enqueue(session, [an_alert(key, **changes) for key in keys])

    return put


def _lease(signed, now, owner="w1", limit=10, seconds=60):
    with signed() as session:
        return outbox.lease(session, now=now, owner=owner, limit=limit, seconds=seconds)


def _rows(engine, table=AlertRow):
    with store.reading(engine) as session:
        return session.exec(select(table).order_by(table.id)).all()


def test_a_mail_is_owed_once(engine, owed):
    assert owed("a", "b") == 2
    assert owed("b", "c", "c") == 1
    assert [row.unique_key for row in _rows(engine)] == ["a", "b", "c"]


def test_many_at_once_and_none(owed):
    assert owed(*(f"k{n}" for n in range(1201))) == 1201
    assert owed() == 0


def test_two_mails_cannot_have_one_message_id(owed):
    owed("a")
    with pytest.raises(IntegrityError):
        owed("b", message_id="<a@sm>")


@pytest.mark.parametrize(
    ("changes", "leased"),
    [
        ({}, True),
        ({"next_attempt_at": MINUTE}, False),  # not due yet
        ({"next_attempt_at": -MINUTE}, True),
        ({"lease_owner": "w0", "leased_until": MINUTE}, False),  # held
        ({"lease_owner": "w0", "leased_until": -MINUTE}, True),  # its holder died
        ({"state": AlertState.SENT, "sent_at": -MINUTE}, False),
    ],
)
def test_what_can_be_leased(owed, signed, now, changes, leased):
    owed("a", **{k: now + v if isinstance(v, timedelta) else v for k, v in changes.items()})
    assert bool(_lease(signed, now)) is leased


def test_oldest_due_first_up_to_the_limit(owed, signed, now):
    for minutes in (1, 3, 2):
        owed(f"{minutes}", next_attempt_at=now - minutes * MINUTE)
    assert [row.unique_key for row in _lease(signed, now, limit=2)] == ["3", "2"]
    assert [row.unique_key for row in _lease(signed, now, limit=2, owner="w2")] == ["1"]


def test_sent(engine, owed, signed, now):
    owed("a")
    (row,) = _lease(signed, now)
    with signed() as session:
        assert outbox.mark_sent(session, row.id, worker="w1", at=now, reply="250 OK")
    (row,) = _rows(engine)
    assert (row.state, row.sent_at, row.n_attempts, row.lease_owner) == (AlertState.SENT, now, 1, None)
    (attempt,) = _rows(engine, DeliveryAttempt)
    assert (attempt.outcome, attempt.reply, attempt.worker) == ("accepted", "250 OK", "w1")
    assert _lease(signed, now + 100 * MINUTE) == []


def test_failed_is_owed_again_later(engine, owed, signed, now):
    owed("a")
    (row,) = _lease(signed, now)
    retry = {"next_attempt_at": now + MINUTE, "outcome": "temporary", "reply": "451 later"}
    with signed() as session:
        assert outbox.mark_failed(session, row.id, worker="w1", at=now, **retry)
    (row,) = _rows(engine)
    assert (row.state, row.next_attempt_at, row.n_attempts) == (AlertState.PENDING, now + MINUTE, 1)
    assert _lease(signed, now) == []
    assert len(_lease(signed, now + MINUTE)) == 1


def test_a_lease_that_ran_out(engine, owed, signed, now):
    """w1 was slow: its success counts all the same, its failure does not take the row from w2."""
    owed("a", "b")
    _lease(signed, now, "w1")
    first, second = _lease(signed, now + 2 * MINUTE, "w2")
    retry = {"next_attempt_at": now + 9 * MINUTE, "outcome": "error", "reply": "timeout"}
    with signed() as session:
        assert not outbox.mark_failed(session, first.id, worker="w1", at=now, **retry)
        assert outbox.mark_sent(session, second.id, worker="w1", at=now)
        assert not outbox.mark_sent(session, second.id, worker="w2", at=now)
    held, sent = _rows(engine)
    assert (held.lease_owner, held.n_attempts, sent.state) == ("w2", 0, AlertState.SENT)
    assert len(_rows(engine, DeliveryAttempt)) == 3


def test_acknowledged_after_it_was_sent(engine, owed, signed, now):
    owed("a")
    with signed() as session:
        (row,) = outbox.lease(session, now=now, owner="w1", limit=1, seconds=60)
        assert not outbox.acknowledge(session, row.id, by="Chen", at=now)
        outbox.mark_sent(session, row.id, worker="w1", at=now)
        assert outbox.acknowledge(session, row.id, by="Chen", at=now + MINUTE)
        assert not outbox.acknowledge(session, row.id, by="Li", at=now + 2 * MINUTE)
        assert row.acknowledged_by == "Chen"  # objects at hand follow
    (row,) = _rows(engine)
    assert (row.state, row.acknowledged_at) == (AlertState.ACKNOWLEDGED, now + MINUTE)


def test_an_unknown_outcome_is_refused(owed, signed, now, engine):
    owed("a")
    with pytest.raises(IntegrityError), signed() as session:
        outbox.mark_failed(session, 1, worker="w", at=now, next_attempt_at=now, outcome="lost", reply="")
    assert _rows(engine, DeliveryAttempt) == []


def test_depth(engine, owed, now):
    with store.reading(engine) as session:
        assert outbox.depth(session, now=now, failing=5) == outbox.Depth(0, 0, None)
    owed("a", created_at=now - 90 * MINUTE, n_attempts=5)
    owed("b", n_attempts=4)
    owed("c", state=AlertState.SENT, sent_at=now, created_at=now - 900 * MINUTE, n_attempts=9)
    with store.reading(engine) as session:
        assert outbox.depth(session, now=now, failing=5) == outbox.Depth(2, 1, 90 * MINUTE)


def _take_all(engine, worker, now):
    taken = []
    while True:
        with store.transaction(engine, actor=worker, reason="deliver", at=now) as session:
            rows = outbox.lease(session, now=now, owner=worker, limit=7, seconds=60)
        if not rows:
            return taken
        taken += [row.id for row in rows]
        with store.transaction(engine, actor=worker, reason="deliver", at=now) as session:
            for row in rows[::2]:
                outbox.mark_sent(session, row.id, worker=worker, at=now)


def take_all(url, worker, now):
    engine = store.connect(url)
    try:
        return _take_all(engine, worker, now)
    finally:
        engine.dispose()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_no_two_workers_get_one_row(database_url, engine, owed, now, kind):
    owed(*(f"k{n}" for n in range(200)))
    arguments = [(database_url, f"w{n}", now) for n in range(3)]
    if kind == "threads":
        with ThreadPoolExecutor(3) as pool:
            taken = list(pool.map(_take_all, *zip(*[(engine, w, t) for _, w, t in arguments], strict=True)))
    else:
        with ProcessPoolExecutor(3, mp_context=get_context("fork")) as pool:
            taken = list(pool.map(take_all, *zip(*arguments, strict=True)))
    everything = [row for rows in taken for row in rows]
    assert len(everything) == len(set(everything)) == 200
