"""Lease, send, mark: nothing owed is lost, nothing marked before it was accepted, nobody waits for others."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from safety_monitor import store
from safety_monitor.alerts import routing
from safety_monitor.alerts.routing import Owed, address
from safety_monitor.alerts.transport import FolderTransport, Receipt, SmtpTransport
from safety_monitor.config import Config, DeliverySettings, MailSettings, Person
from safety_monitor.rules.escalation import EventState, decide_alerts
from safety_monitor.store import outbox
from safety_monitor.study import StudySettings
from safety_monitor.workflow.delivery import Tally, acknowledge, deliver_due, retry

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
STUDY = StudySettings.of({"study": {"id": "S1", "timezone": "UTC"}})
OFFICER = Person(name="Chen", email="chen@example.org", role="safety_officer")
MONITOR = Person(name="Wang", email="wang@example.org", role="medical_monitor")
SITE = Person(name="Wu", email="wu@example.org", role="investigator", sites=("01",))


def _beside(path):
    name = "tests_" + Path(path).stem
    spec = spec_from_file_location(name, Path(__file__).parent / path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


mail_server = _beside("../mail_server.py")


class Clock:
    def __init__(self):
        self.time = START

    def __call__(self):
        return self.time

    def forward(self, **delta):
        self.time += timedelta(**delta)


class Way:
    """A transport that answers from a list (then accepts) and may die after the server has accepted."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.messages = []
        self.die = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def send(self, message, recipient):
        answer = self.answers.pop(0) if self.answers else "accepted"
        if answer == "accepted":
            self.messages.append((recipient, message))
        if self.die:
            raise KeyboardInterrupt
        return Receipt(answer, f"{answer} by the test")


@pytest.fixture
def engine(database_url):
    engine = store.connect(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def clock():
    return Clock()


def config(*people, **mail):
    return Config(people=people, mail=MailSettings(**mail), delivery=DeliverySettings(batch=3))


def owe(engine, settings, n=1):
    """*n* new serious events of site 01, addressed and enqueued; how many rows."""
    owed = []
    for aeseq in range(1, n + 1):
        event = EventState(
            usubjid="S1-01-003",
            aeseq=aeseq,
            siteid="01",
            term="Pneumothorax",
            version=1,
            grade=3,
            serious=True,
        )
        owed += [Owed(decision, event, None) for decision in decide_alerts(None, event)]
    with store.transaction(engine, actor="import", reason="import", at=START) as session:
        return outbox.enqueue(session, address(owed, STUDY, settings, START))


def rows(engine):
    with store.reading(engine) as session:
        listed = sorted(outbox.listing(session), key=lambda row: row["id"])
        return [outbox.detail(session, row["id"]) for row in listed]


def states(engine):
    return [(row["state"], row["n_attempts"]) for row in rows(engine)]


def test_everything_due_is_sent_once_and_marked_with_the_reply(engine, clock):
    settings, way = config(OFFICER, MONITOR), Way()
    assert owe(engine, settings, n=4) == 8
    assert deliver_due(engine, way, settings, clock, "w1") == Tally(n_sent=8)
    assert deliver_due(engine, way, settings, clock, "w1") == Tally()
    assert len(way.messages) == len({message["Message-ID"] for _, message in way.messages}) == 8
    for row in rows(engine):
        assert (row["state"], row["sent_at"]) == ("sent", START)
        assert [(a["outcome"], a["reply"], a["worker"]) for a in row["attempts"]] == [
            ("accepted", "accepted by the test", "w1")
        ]


def test_the_same_event_again_owes_nothing_new(engine, clock):
    settings = config(OFFICER)
    assert owe(engine, settings) == 1
    deliver_due(engine, Way(), settings, clock, "w1")
    assert owe(engine, settings) == 0
    assert deliver_due(engine, Way(), settings, clock, "w1") == Tally()


@pytest.mark.parametrize("outcome", ["temporary", "permanent", "error"])
def test_a_failure_waits_and_the_others_go_on(engine, clock, outcome):
    settings, way = config(OFFICER, MONITOR), Way(outcome)
    owe(engine, settings)
    assert deliver_due(engine, way, settings, clock, "w1") == Tally(n_sent=1, n_failed=1)
    assert states(engine) == [("pending", 1), ("sent", 1)]
    clock.forward(seconds=59)
    assert deliver_due(engine, way, settings, clock, "w1") == Tally()
    clock.forward(seconds=1)
    assert deliver_due(engine, way, settings, clock, "w1") == Tally(n_sent=1)
    assert [a["outcome"] for a in rows(engine)[0]["attempts"]] == [outcome, "accepted"]


def test_the_delay_grows_to_an_hour_and_the_tries_have_no_end(engine, clock):
    settings, way = config(SITE), Way(*["temporary"] * 40)
    owe(engine, settings)
    waits = []
    while way.answers:
        assert deliver_due(engine, way, settings, clock, "w1").n_failed == 1
        due = rows(engine)[0]["next_attempt_at"]
        waits.append((due - clock()).total_seconds() / 60)
        clock.time = due
    assert waits[:7] == [1, 2, 4, 8, 16, 32, 60]
    assert set(waits[7:]) == {60}
    assert deliver_due(engine, way, settings, clock, "w1") == Tally(n_sent=1)
    assert states(engine) == [("sent", 41)]


def test_a_crash_after_acceptance_sends_the_same_mail_again(engine, clock):
    settings, way = config(OFFICER), Way()
    owe(engine, settings)
    way.die = True
    with pytest.raises(KeyboardInterrupt):
        deliver_due(engine, way, settings, clock, "w1")
    assert states(engine) == [("pending", 0)]
    way.die = False
    assert deliver_due(engine, way, settings, clock, "w2") == Tally()  # the dead worker's lease still holds
    clock.forward(seconds=settings.delivery.lease_seconds)
    assert deliver_due(engine, way, settings, clock, "w2") == Tally(n_sent=1)
    first, second = (message for _, message in way.messages)
    assert first.as_bytes() == second.as_bytes()
    assert states(engine) == [("sent", 1)]


def test_a_lease_that_may_run_out_under_a_slow_server_is_taken_anew(engine, clock):
    settings = config(OFFICER, MONITOR, SITE)

    class Slow(Way):
        def send(self, message, recipient):
            clock.forward(seconds=200)
            return super().send(message, recipient)

    way = Slow()
    owe(engine, settings)
    assert deliver_due(engine, way, settings, clock, "w1") == Tally(n_sent=3)
    assert sorted(recipient for recipient, _ in way.messages) == sorted(p.email for p in settings.people)


def test_a_lease_is_never_shorter_than_a_try(engine, clock):
    settings = config(OFFICER, timeout_seconds=900)
    owe(engine, settings)
    assert deliver_due(engine, Way(), settings, clock, "w1") == Tally(n_sent=1)


def test_after_five_failures_the_next_contact_is_told_and_after_ten_the_one_after(engine, clock):
    settings = config(SITE, OFFICER, MONITOR)
    owe(engine, config(SITE))
    way = Way()
    tallies = []
    for _ in range(15):
        way.answers = ["permanent"]  # for the site; whoever else is written to gets the mail
        tallies.append(deliver_due(engine, way, settings, clock, "w1"))
        clock.forward(hours=1)
    failed, told = Tally(n_failed=1), Tally(n_failed=1, n_told=1, n_sent=1)
    assert tallies == [failed] * 4 + [told] + [failed] * 4 + [told] + [failed] * 5
    assert [recipient for recipient, _ in way.messages] == ["chen@example.org", "wang@example.org"]
    text = way.messages[0][1].get_body(("plain",)).get_content()
    for wanted in ("Wu <wu@example.org>", "Failed tries: 5", "permanent by the test", "S1-01-003"):
        assert wanted in text


def test_a_stuck_alert_about_a_stuck_alert_raises_no_more(engine, clock):
    settings = config(SITE, OFFICER)
    owe(engine, config(SITE))
    way = Way(*["error"] * 200)
    for _ in range(30):
        deliver_due(engine, way, settings, clock, "w1")
        clock.forward(hours=1)
    assert [row["kind"] for row in rows(engine)] == ["sae_new", "alert_undelivered"]


def test_a_mail_that_cannot_be_written_keeps_nobody_back(engine, clock):
    settings, way = config(OFFICER, MONITOR), Way()
    owe(engine, settings)
    broken = routing.owe(
        SITE,
        ("broken",),
        sender=settings.mail,
        kind="sae_new",
        rule_id="no_such_rule",
        payload={},
        at=START,
        study_id="S1",
    )
    with store.transaction(engine, actor="import", reason="import", at=START) as session:
        outbox.enqueue(session, [broken])
    assert deliver_due(engine, way, settings, clock, "w1") == Tally(n_sent=2, n_failed=1)
    (attempt,) = rows(engine)[-1]["attempts"]
    assert "no_such_rule" in attempt["reply"]


def test_an_alert_without_a_recipient_waits_until_somebody_is_configured(engine, clock):
    way = Way()
    owe(engine, config())
    assert deliver_due(engine, way, config(), clock, "w1") == Tally(n_failed=1)
    (row,) = rows(engine)
    assert row["recipient_email"] == routing.UNADDRESSED
    assert "add a person" in row["attempts"][0]["reply"]
    clock.forward(hours=1)
    assert deliver_due(engine, way, config(OFFICER, MONITOR, SITE), clock, "w1") == Tally(n_sent=3)
    assert {recipient for recipient, _ in way.messages} == {p.email for p in (OFFICER, MONITOR, SITE)}
    assert {row["state"] for row in rows(engine)} == {"sent"}


def test_stopping_leaves_the_rest_owed_and_free(engine, clock):
    settings, way = config(OFFICER, MONITOR, SITE), Way()
    owe(engine, settings)
    deliver_due(engine, way, settings, clock, "w1", stopping=lambda: len(way.messages) == 1)
    assert [state for state, _ in states(engine)] == ["sent", "pending", "pending"]
    assert deliver_due(engine, way, settings, clock, "w2") == Tally(n_sent=2)


def test_acknowledge_by_code_once(engine, clock):
    settings = config(OFFICER)
    owe(engine, settings)
    (row,) = rows(engine)
    code = row["ack_code"]
    assert acknowledge(engine, code, actor="Chen", at=START) is None  # nobody can have read it yet
    deliver_due(engine, Way(), settings, clock, "w1")
    assert acknowledge(engine, "NONE", actor="Chen", at=START) is None
    assert acknowledge(engine, f" {code.lower()} ", actor="Chen", at=START) == row["id"]
    assert acknowledge(engine, code, actor="Wang", at=START) is None
    assert acknowledge(engine, str(row["id"]), actor="Wang", at=START) is None
    (row,) = rows(engine)
    assert (row["state"], row["acknowledged_by"], row["acknowledged_at"]) == ("acknowledged", "Chen", START)


def test_acknowledge_by_number(engine, clock):
    settings = config(OFFICER)
    owe(engine, settings)
    (row,) = rows(engine)
    deliver_due(engine, Way(), settings, clock, "w1")
    assert acknowledge(engine, "999", actor="Chen", at=START) is None
    assert acknowledge(engine, str(row["id"]), actor="Chen", at=START) == row["id"]


def test_retry_of_all_makes_every_unsent_alert_due(engine, clock):
    settings, way = config(OFFICER, MONITOR, SITE), Way("temporary", "temporary")
    owe(engine, settings)
    deliver_due(engine, way, settings, clock, "w1")
    assert retry(engine, None, actor="Chen", at=clock()) == 2
    assert deliver_due(engine, way, settings, clock, "w1") == Tally(n_sent=2)


def test_retry_makes_it_due_now(engine, clock):
    settings, way = config(OFFICER), Way("temporary")
    owe(engine, settings)
    deliver_due(engine, way, settings, clock, "w1")
    (row,) = rows(engine)
    assert retry(engine, row["id"], actor="Chen", at=clock())
    assert deliver_due(engine, way, settings, clock, "w1") == Tally(n_sent=1)
    assert not retry(engine, row["id"], actor="Chen", at=clock())
    assert not retry(engine, 999, actor="Chen", at=clock())


def test_into_the_folder(engine, clock, tmp_path):
    settings = config(OFFICER, MONITOR)
    owe(engine, settings, n=2)
    deliver_due(engine, FolderTransport(tmp_path), settings, clock, "w1")
    ids = {message_from_bytes(path.read_bytes())["Message-ID"] for path in tmp_path.glob("*.eml")}
    assert ids == {row["message_id"] for row in rows(engine)}


def test_a_server_that_refuses_one_is_down_and_comes_back(engine, clock):
    mailbox = mail_server.Mailbox(at_rcpt={"wu@example.org": "550 5.1.1 no such user"})
    port = mail_server.free_port()
    settings = config(OFFICER, MONITOR, SITE, transport="smtp", host="127.0.0.1", port=port, security="none")
    way = SmtpTransport(settings.mail)
    owe(engine, settings, n=2)
    assert deliver_due(engine, way, settings, clock, "w1") == Tally(n_failed=6)
    clock.forward(minutes=1)
    with mail_server.serving(mailbox, port):
        assert deliver_due(engine, way, settings, clock, "w1") == Tally(n_sent=4, n_failed=2)
    assert (
        sorted(recipient for recipient, _ in mailbox.taken)
        == ["chen@example.org"] * 2 + ["wang@example.org"] * 2
    )
    stuck = [row for row in rows(engine) if row["state"] == "pending"]
    assert {row["recipient_email"] for row in stuck} == {"wu@example.org"}
    assert [a["outcome"] for a in stuck[0]["attempts"]] == ["error", "permanent"]
    assert stuck[0]["attempts"][1]["reply"] == "550 5.1.1 no such user"
