"""Mails beyond one alert: digests under storm, mails that come back, alerts nobody acknowledges, reports as attachments."""

from __future__ import annotations

import hashlib
import io
import os
import re
import ssl
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from imapclient.exceptions import IMAPClientError
from pydantic import SecretStr
from sqlalchemy import Engine

from safety_monitor import store
from safety_monitor.alerts import routing
from safety_monitor.alerts.routing import Owed, address
from safety_monitor.alerts.transport import FolderTransport, Receipt
from safety_monitor.config import BounceSettings, Config, Job
from safety_monitor.rules.escalation import EventState, decide_alerts
from safety_monitor.store import outbox
from safety_monitor.study import SettingsError, StudySettings
from safety_monitor.vocabulary import AlertKind, AlertState
from safety_monitor.workflow.bounces import notice_of, read_bounces
from safety_monitor.workflow.delivery import acknowledge, deliver_due
from safety_monitor.workflow.issuing import Issued
from safety_monitor.workflow.mailing import mail_report
from safety_monitor.workflow.watching import watch

T0 = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
STUDY = StudySettings.of({"study": {"id": "S1", "timezone": "UTC"}})
PEOPLE = [
    {"name": "Officer", "email": "officer@example.org", "role": "safety_officer"},
    {"name": "Monitor", "email": "monitor@example.org", "role": "medical_monitor", "language": "zh"},
    {"name": "One", "email": "one@example.org", "role": "investigator", "sites": ["01"]},
    {"name": "Board", "email": "board@example.org", "role": "dsmb_member"},
]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = store.connect(database_url)
    yield made
    made.dispose()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    mail = {"folder": tmp_path / "box", "bounces": {"folder": tmp_path / "back"}, "sender": "SM <sm@sponsor.example>"}
    (tmp_path / "back").mkdir()
    return Config.model_validate({"base": tmp_path, "people": PEOPLE, "mail": mail})


class Way:
    """A transport that keeps what it takes, until it is told to be full."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.full = False

    def __enter__(self) -> Way:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def send(self, message: EmailMessage, recipient: str) -> Receipt:
        if self.full:
            return Receipt("temporary", "452 full")
        self.taken.append(message)
        return Receipt("accepted", "250 ok")


def owe(engine: Engine, config: Config, n: int, at: datetime = T0, first: int = 1, term: str = "Colitis") -> None:
    """*n* new serious events of site 01."""
    known = {"aeseq": 1, "term": term, "version": 1, "siteid": "01", "grade": 3, "serious": True}
    events = [EventState(usubjid=f"S1-{k:03}", **known) for k in range(first, first + n)]  # type: ignore[arg-type]
    owed = [Owed(decision, event, None) for event in events for decision in decide_alerts(None, event)]
    with store.transaction(engine, actor="t", reason="t", at=at) as session:
        outbox.enqueue(session, address(owed, STUDY, config, at))


def rows(engine: Engine) -> list[dict[str, Any]]:
    with store.reading(engine) as session:
        return outbox.listing(session)


def text_of(message: EmailMessage) -> str:
    parsed = message_from_bytes(message.as_bytes(), policy=policy.default)
    body = parsed.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def test_a_storm_is_one_mail_a_person_that_tells_everything(engine: Engine, config: Config) -> None:
    owe(engine, config, 12)
    way = Way()
    deliver_due(engine, way, config, lambda: T0, "w")
    assert sorted(str(mail["To"]) for mail in way.taken) == [
        "Monitor <monitor@example.org>", "Officer <officer@example.org>", "One <one@example.org>",
    ]  # fmt: skip
    for mail in way.taken:
        assert all(f"S1-{k:03}" in text_of(mail) for k in range(1, 13))
    assert {row["state"] for row in rows(engine)} == {AlertState.SENT}
    assert Counter(row["kind"] for row in rows(engine)) == {AlertKind.SAE_NEW: 36, AlertKind.DIGEST: 3}


def test_the_worst_stands_first_in_a_digest(engine: Engine, config: Config) -> None:
    events = [
        EventState(usubjid=f"S1-{name}", aeseq=1, term="Sepsis", version=1, siteid="01", grade=grade, serious=True, fatal=fatal)
        for name, grade, fatal in (("b", 2, False), ("c", None, False), ("d", 4, False), ("a", 3, False), ("e", 4, True))
    ]
    owed = [Owed(decision, event, None) for event in events for decision in decide_alerts(None, event)]
    with store.transaction(engine, actor="t", reason="t", at=T0) as session:
        outbox.enqueue(session, address(owed, STUDY, config, T0))
    way = Way()
    deliver_due(engine, way, config, lambda: T0, "w")
    mail = next(mail for mail in way.taken if "officer" in str(mail["To"]))
    assert re.findall(r"S1-([a-e])\b", text_of(mail)) == ["e", "d", "c", "a", "b"]


def test_a_few_are_told_one_by_one_and_a_long_storm_in_several(engine: Engine, config: Config) -> None:
    owe(engine, config, 4)
    way = Way()
    deliver_due(engine, way, config, lambda: T0, "w")
    assert len(way.taken) == 12
    owe(engine, config, 120, first=10)
    deliver_due(engine, way, config, lambda: T0, "w")
    assert len(way.taken) == 12 + 3 * 3  # 50, 50, 20


def test_alerts_of_different_minutes_are_no_storm(engine: Engine, config: Config) -> None:
    for minute in range(6):
        owe(engine, config, 1, T0 + timedelta(minutes=2 * minute), first=minute + 1)
    way = Way()
    deliver_due(engine, way, config, lambda: T0 + timedelta(hours=1), "w")
    assert len(way.taken) == 18


def test_a_digest_that_fails_is_the_same_mail_again_though_more_has_come(engine: Engine, config: Config) -> None:
    owe(engine, config, 6)
    way = Way()
    way.full = True
    deliver_due(engine, way, config, lambda: T0, "w")
    before = {row["message_id"] for row in rows(engine) if row["kind"] is AlertKind.DIGEST}
    owe(engine, config, 6, T0 + timedelta(seconds=30), first=20)
    way.full = False
    deliver_due(engine, way, config, lambda: T0 + timedelta(minutes=5), "w")
    sent = [str(mail["Message-ID"]) for mail in way.taken]
    assert before <= set(sent)
    assert len(sent) == len(set(sent)) == 6
    assert {row["state"] for row in rows(engine)} == {AlertState.SENT}


def test_what_is_acknowledged_in_the_digest_is_acknowledged(engine: Engine, config: Config) -> None:
    owe(engine, config, 6)
    deliver_due(engine, Way(), config, lambda: T0, "w")
    digest = next(row for row in rows(engine) if row["kind"] is AlertKind.DIGEST)
    acknowledge(engine, digest["ack_code"], actor="Officer", at=T0)
    seen = [row for row in rows(engine) if row["state"] is AlertState.ACKNOWLEDGED]
    assert len(seen) == 7
    assert {row["recipient_email"] for row in seen} == {digest["recipient_email"]}


# --- nobody acknowledges


def test_what_nobody_acknowledges_goes_to_the_next_role_then_daily(engine: Engine, config: Config) -> None:
    people = [*PEOPLE, {"name": "Rev", "email": "rev@example.org", "role": "sponsor_reviewer"}]
    config = Config.model_validate({**config.model_dump(exclude={"people"}), "people": people})
    owe(engine, config, 1)
    deliver_due(engine, Way(), config, lambda: T0, "w")
    owed = [watch(engine, config, T0 + timedelta(hours=hours)) for hours in (23, 24, 25, 47, 48, 49, 24 * 10)]
    assert owed == [0, 1, 0, 0, 1, 0, 1]
    late = [row for row in rows(engine) if row["kind"] is AlertKind.ALERT_UNACKNOWLEDGED]
    assert {row["recipient_name"] for row in late} == {"Rev"}  # officer and monitor had the first alert already
    assert acknowledge(engine, rows(engine)[-1]["ack_code"], actor="Monitor", at=T0) is not None
    assert watch(engine, config, T0 + timedelta(days=30)) == 0


def test_an_acknowledgement_by_one_of_them_is_enough(engine: Engine, config: Config) -> None:
    owe(engine, config, 1)
    deliver_due(engine, Way(), config, lambda: T0, "w")
    acknowledge(engine, rows(engine)[0]["ack_code"], actor="One", at=T0)
    assert watch(engine, config, T0 + timedelta(days=9)) == 0


# --- mails that come back


def bounce(message_id: str, status: str = "5.1.1", words: str = "550 5.1.1 no such user", number: int = 1) -> bytes:
    """A delivery status notice as RFC 3464 has it."""
    action = "failed" if status.startswith("5") else "delayed"
    return f"""From: Mail Delivery System <MAILER-DAEMON@relay.example>
To: sm@sponsor.example
Subject: Undelivered Mail Returned to Sender
Message-ID: <notice-{number}@relay.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="BB"

--BB
Content-Type: text/plain

This is the mail system. Your message could not be delivered.

--BB
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example

Final-Recipient: rfc822; one@example.org
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {words}

--BB
Content-Type: text/rfc822-headers

From: SM <sm@sponsor.example>
To: One <one@example.org>
Message-ID: {message_id}
Subject: x

--BB--
""".replace("\n", "\r\n").encode()


def test_a_mail_that_came_back_is_told_to_the_next_contact_once(engine: Engine, config: Config, tmp_path: Path) -> None:
    owe(engine, config, 1)
    deliver_due(engine, Way(), config, lambda: T0, "w")
    row = next(row for row in rows(engine) if row["recipient_name"] == "One")
    (tmp_path / "back" / "1.eml").write_bytes(bounce(row["message_id"]))
    (tmp_path / "back" / "2.eml").write_bytes(b"Subject: lunch\r\n\r\nAt one?\r\n")
    assert read_bounces(engine, config, T0) == 1
    told = [each for each in rows(engine) if each["kind"] is AlertKind.ALERT_UNDELIVERED]
    assert [(each["recipient_name"], each["rule_id"]) for each in told] == [("Officer", "mail_bounced")]
    with store.reading(engine) as session:
        found = outbox.detail(session, row["id"])
        assert outbox.came_back(session) == [(row["id"], "one@example.org", "smtp; 550 5.1.1 no such user")]
    assert found is not None
    assert [(each["outcome"], each["reply"]) for each in found["attempts"]][-1] == ("bounced", "smtp; 550 5.1.1 no such user")
    assert sorted(path.name for path in (tmp_path / "back" / "processed").iterdir()) == ["1.eml", "2.eml"]
    (tmp_path / "back" / "3.eml").write_bytes(bounce(row["message_id"]))  # the same notice again
    assert read_bounces(engine, config, T0) == 0


def test_a_delay_is_noted_and_told_to_nobody(engine: Engine, config: Config, tmp_path: Path) -> None:
    owe(engine, config, 1)
    deliver_due(engine, Way(), config, lambda: T0, "w")
    row = rows(engine)[0]
    (tmp_path / "back" / "new").mkdir()
    (tmp_path / "back" / "new" / "1.host").write_bytes(bounce(row["message_id"], "4.4.1", "451 4.4.1 later"))
    assert read_bounces(engine, config, T0) == 1
    assert all(each["kind"] is AlertKind.SAE_NEW for each in rows(engine))


def test_a_notice_of_somebody_elses_mail_is_nobodys(engine: Engine, config: Config, tmp_path: Path) -> None:
    (tmp_path / "back" / "1.eml").write_bytes(bounce("<other@elsewhere.example>"))
    assert read_bounces(engine, config, T0) == 0


def test_what_a_notice_says() -> None:
    notice = notice_of(bounce("<a@b>"))
    assert (notice.message_ids, notice.permanent, notice.says) == (("<a@b>",), True, "smtp; 550 5.1.1 no such user")
    assert not notice_of(bounce("<a@b>", "4.2.2", "452 mailbox full")).permanent


# --- reports


@pytest.fixture
def issued(tmp_path: Path) -> Issued:
    path = tmp_path / "S1-dsmb.pdf"
    document = pikepdf.new()
    document.add_blank_page()
    document.save(path, deterministic_id=True)
    content = path.read_bytes()
    return Issued(path, "S1", None, "ab" * 32, hashlib.sha256(content).hexdigest(), len(content))


def job(attach: str, *roles: str) -> Job:
    raw = {"name": "weekly", "job": "dsmb_report", "cron": "0 6 * * mon", "recipients": roles, "attach": attach}
    return Job.model_validate(raw)


PERIOD = "2026-03-02T06:00:00+00:00"


def attachments(mail: EmailMessage) -> list[tuple[str | None, bytes]]:
    parsed = message_from_bytes(mail.as_bytes(), policy=policy.default)
    return [(part.get_filename(), part.get_content()) for part in parsed.iter_attachments()]


def test_a_report_goes_to_the_roles_of_its_job_once_a_period(engine: Engine, config: Config, issued: Issued) -> None:
    assert mail_report(engine, config, job("attached", "dsmb_member", "safety_officer"), issued, PERIOD, T0) == 2
    assert mail_report(engine, config, job("attached", "dsmb_member", "safety_officer"), issued, PERIOD, T0) == 0
    way = Way()
    deliver_due(engine, way, config, lambda: T0, "w")
    assert {str(mail["To"]) for mail in way.taken} == {"Officer <officer@example.org>", "Board <board@example.org>"}
    for mail in way.taken:
        assert attachments(mail) == [("S1-dsmb.pdf", issued.path.read_bytes())]
        assert "S1-dsmb.pdf" in text_of(mail)


def test_a_link_carries_no_file(engine: Engine, config: Config, issued: Issued) -> None:
    mail_report(engine, config, job("link", "dsmb_member"), issued, PERIOD, T0)
    way = Way()
    deliver_due(engine, way, config, lambda: T0, "w")
    assert attachments(way.taken[0]) == []
    assert str(issued.path) in text_of(way.taken[0])


def test_an_encrypted_file_opens_with_the_password_only(engine: Engine, config: Config, issued: Issued) -> None:
    with pytest.raises(SettingsError, match="SAFETY_MONITOR_MAIL_ATTACHMENT_PASSWORD"):
        mail_report(engine, config, job("encrypted", "dsmb_member"), issued, PERIOD, T0)
    mail = config.mail.model_copy(update={"attachment_password": SecretStr("lange Wörter")})
    config = config.model_copy(update={"mail": mail})
    mail_report(engine, config, job("encrypted", "dsmb_member"), issued, PERIOD, T0)
    way = Way()
    deliver_due(engine, way, config, lambda: T0, "w")
    ((name, content),) = attachments(way.taken[0])
    assert name == "S1-dsmb.encrypted.pdf"
    with pytest.raises(pikepdf.PasswordError):
        pikepdf.open(io.BytesIO(content))
    with pikepdf.open(io.BytesIO(content), password="lange Wörter") as opened:
        assert opened.encryption.R == 6
        assert len(opened.pages) == 1


@pytest.mark.parametrize(("spoil", "words"), [("delete", "is gone"), ("change", "is not the file that was issued")])
def test_another_file_is_never_sent_in_its_place(
    engine: Engine, config: Config, issued: Issued, spoil: str, words: str
) -> None:
    mail_report(engine, config, job("attached", "dsmb_member"), issued, PERIOD, T0)
    kept = issued.path.read_bytes()
    issued.path.unlink() if spoil == "delete" else issued.path.write_bytes(b"%PDF-other")
    way = Way()
    deliver_due(engine, way, config, lambda: T0, "w")
    assert way.taken == []
    (row,) = rows(engine)
    with store.reading(engine) as session:
        assert words in outbox.last_replies(session, [row["id"]])[row["id"]]
    issued.path.write_bytes(kept)
    deliver_due(engine, way, config, lambda: T0 + timedelta(hours=2), "w")
    assert len(way.taken) == 1


def test_mails_in_a_folder_are_whole(engine: Engine, config: Config, issued: Issued, tmp_path: Path) -> None:
    mail_report(engine, config, job("attached", "dsmb_member"), issued, PERIOD, T0)
    deliver_due(engine, FolderTransport(tmp_path / "box"), config, lambda: T0, "w")
    (path,) = (tmp_path / "box").glob("*.eml")
    parsed = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert [part.get_content_type() for part in parsed.walk()] == [
        "multipart/mixed", "multipart/alternative", "text/plain", "text/html", "application/pdf",
    ]  # fmt: skip
    assert routing.UNADDRESSED not in parsed["To"]


# --- a mailbox of a real IMAP server


def _beside(path: str) -> Any:
    name = "tests_" + Path(path).stem
    spec = spec_from_file_location(name, Path(__file__).parent / path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


imap_server = _beside("../imap_server.py")


def imap(config: Config, port: int, **more: Any) -> Config:
    raw = {"host": "127.0.0.1", "port": port, "username": imap_server.USER, "password": imap_server.PASSWORD, **more}
    return config.model_copy(update={"mail": config.mail.model_copy(update={"bounces": BounceSettings.model_validate(raw)})})


def test_bounces_from_an_imap_mailbox_over_tls(engine: Engine, config: Config) -> None:
    if not imap_server.installed():
        message = "needs Dovecot and root (Debian: apt-get install dovecot-imapd)"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)
    owe(engine, config, 2)
    deliver_due(engine, Way(), config, lambda: T0, "w")
    ours = [row for row in rows(engine) if row["recipient_name"] == "One"]
    with imap_server.serving() as server:
        trusted = imap(config, server.port, ca_file=server.certificate)
        assert read_bounces(engine, trusted, T0) == 0
        for number, row in enumerate(ours):
            server.receive(f"{number}.host", bounce(row["message_id"], number=number))
        server.receive("9.host", b"Subject: lunch\r\n\r\nAt one?\r\n")
        with pytest.raises(ssl.SSLCertVerificationError):
            read_bounces(engine, imap(config, server.port), T0)
        with pytest.raises(IMAPClientError):
            read_bounces(engine, imap(config, server.port, ca_file=server.certificate, password="wrong"), T0)
        assert read_bounces(engine, trusted, T0) == 2
        assert read_bounces(engine, trusted, T0) == 0  # they are marked as read
    assert sum(row["kind"] is AlertKind.ALERT_UNDELIVERED for row in rows(engine)) == 2
