"""Both ways out, against real servers: what is accepted, refused for now, refused for good, or not asked."""

from __future__ import annotations

import socket
import time

import pytest

from safety_monitor.alerts.email import compose
from safety_monitor.alerts.transport import FolderTransport, SmtpTransport, transport_for
from safety_monitor.config import Config, MailSettings

TO = "chen@example.org"


@pytest.fixture
def message(addressed, at):
    return compose(addressed(), MailSettings(sender="Safety <safety@sponsor.org>"), at)


@pytest.fixture
def mailbox(mail_server):
    return mail_server.Mailbox()


def settings(port, **more):
    values = {
        "transport": "smtp",
        "host": "localhost",
        "port": port,
        "security": "none",
        "timeout_seconds": 5,
    }
    return MailSettings(sender="Safety <safety@sponsor.org>", **{**values, **more})


def sent(transport, message, *recipients):
    with transport:
        return [transport.send(message, recipient) for recipient in recipients]


def test_an_accepted_mail_arrives_whole(mail_server, mailbox, message):
    with mail_server.serving(mailbox) as port:
        (receipt,) = sent(SmtpTransport(settings(port)), message, TO)
    assert (receipt.outcome, receipt.reply) == ("accepted", "250 2.0.0 Ok: queued as 1")
    ((recipient, content),) = mailbox.taken
    assert recipient == TO
    assert content.splitlines() == message.as_bytes().splitlines()


@pytest.mark.parametrize(
    ("where", "reply", "outcome"),
    [
        ("at_rcpt", "450 4.2.1 mailbox busy", "temporary"),
        ("at_rcpt", "550 5.1.1 no such user", "permanent"),
        ("after_data", "451 4.3.0 try later", "temporary"),
        ("after_data", "552 5.2.2 over quota", "permanent"),
    ],
)
def test_a_refusal_is_the_recipients_own(mail_server, mailbox, message, where, reply, outcome):
    getattr(mailbox, where)["bad@example.org"] = reply
    with mail_server.serving(mailbox) as port:
        receipts = sent(
            SmtpTransport(settings(port)), message, "a@example.org", "bad@example.org", "b@example.org"
        )
    assert [receipt.outcome for receipt in receipts] == ["accepted", outcome, "accepted"]
    assert receipts[1].reply == reply
    assert [recipient for recipient, _ in mailbox.taken] == ["a@example.org", "b@example.org"]
    assert len(mailbox.peers) == 1  # one connection for all


def test_421_closes_the_connection_and_the_next_mail_opens_one(mail_server, mailbox, message):
    mailbox.after_data["bad@example.org"] = "421 4.3.2 closing"
    with mail_server.serving(mailbox) as port:
        receipts = sent(SmtpTransport(settings(port)), message, "bad@example.org", TO)
    assert [receipt.outcome for receipt in receipts] == ["temporary", "accepted"]
    assert len(mailbox.peers) == 2


def test_starttls_with_a_private_authority(mail_server, mailbox, message, certificate, server_tls):
    with mail_server.serving(mailbox, tls_context=server_tls, require_starttls=True) as port:
        transport = SmtpTransport(settings(port, security="starttls"), certificate / "ca.pem")
        (receipt,) = sent(transport, message, TO)
    assert (receipt.outcome, mailbox.encrypted) == ("accepted", [True])


def test_tls_from_the_first_byte(mail_server, mailbox, message, certificate, server_tls):
    with mail_server.serving(mailbox, ssl_context=server_tls) as port:
        (receipt,) = sent(SmtpTransport(settings(port, security="tls"), certificate / "ca.pem"), message, TO)
    assert (receipt.outcome, mailbox.encrypted) == ("accepted", [True])


@pytest.mark.parametrize(
    ("host", "with_ca", "why"),
    [("localhost", False, "CERTIFICATE_VERIFY_FAILED"), ("127.0.0.1", True, "IP address mismatch")],
)
def test_a_certificate_that_cannot_be_checked_or_is_anothers_stops_it(
    mail_server, mailbox, message, certificate, server_tls, host, with_ca, why
):
    with mail_server.serving(mailbox, tls_context=server_tls) as port:
        transport = SmtpTransport(
            settings(port, security="starttls", host=host), certificate / "ca.pem" if with_ca else None
        )
        (receipt,) = sent(transport, message, TO)
    assert receipt.outcome == "error"
    assert why in receipt.reply
    assert mailbox.taken == []


def test_a_server_without_starttls_never_gets_the_mail_in_clear(mail_server, mailbox, message):
    with mail_server.serving(mailbox) as port:
        (receipt,) = sent(SmtpTransport(settings(port, security="starttls")), message, TO)
    assert receipt.outcome == "error"
    assert "STARTTLS" in receipt.reply
    assert mailbox.taken == []


@pytest.mark.parametrize(("password", "outcome"), [("right", "accepted"), ("wrong", "error")])
def test_log_in(mail_server, mailbox, message, certificate, server_tls, password, outcome):
    check = mail_server.only_accepts("monitor", "right")
    with mail_server.serving(
        mailbox, tls_context=server_tls, authenticator=check, auth_required=True
    ) as port:
        mail = settings(port, security="starttls", username="monitor", password=password)
        (receipt,) = sent(SmtpTransport(mail, certificate / "ca.pem"), message, TO)
    assert receipt.outcome == outcome
    assert outcome == "accepted" or receipt.reply.startswith(f"localhost:{port} (starttls): 535 ")
    assert "right" not in receipt.reply


def test_a_server_that_is_down_is_asked_once_a_batch(mail_server, mailbox, message):
    port = mail_server.free_port()
    transport = SmtpTransport(settings(port, host="127.0.0.1"))
    receipts = sent(transport, message, TO, "b@example.org")
    assert [receipt.outcome for receipt in receipts] == ["error", "error"]
    assert receipts[0] is receipts[1]
    assert "refused" in receipts[0].reply
    with mail_server.serving(mailbox, port=port):
        (receipt,) = sent(transport, message, TO)
    assert receipt.outcome == "accepted"


def test_a_server_that_says_nothing_is_given_up_after_the_timeout(message):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mail = settings(silent.getsockname()[1], host="127.0.0.1", timeout_seconds=0.3)
        started = time.monotonic()
        (receipt,) = sent(SmtpTransport(mail), message, TO)
    assert receipt.outcome == "error"
    assert "timed out" in receipt.reply
    assert time.monotonic() - started < 3


def test_an_address_outside_ascii_is_refused_here(message):
    (receipt,) = sent(SmtpTransport(settings(1)), message, "王@example.org")
    assert receipt.outcome == "permanent"


def test_the_folder_has_one_file_a_mail_however_often_it_is_sent(tmp_path, addressed, person, at, message):
    folder = FolderTransport(tmp_path / "mail" / "box")
    other = compose(addressed(to=person("Wang", "medical_monitor")), MailSettings(), at)
    receipts = sent(folder, message, TO, TO) + sent(folder, other, "wang@example.org")
    assert {receipt.outcome for receipt in receipts} == {"accepted"}
    files = sorted((tmp_path / "mail" / "box").iterdir())
    assert len(files) == 2
    assert all(file.name.startswith("20260302T014000Z-sae_new-") and file.suffix == ".eml" for file in files)
    assert message.as_bytes() in {file.read_bytes() for file in files}


def test_a_folder_that_cannot_be_written_is_an_error_not_an_exception(tmp_path, message):
    (tmp_path / "box").write_text("a file")
    (receipt,) = sent(FolderTransport(tmp_path / "box"), message, TO)
    assert receipt.outcome == "error"
    assert "mail.folder" in receipt.reply


@pytest.mark.parametrize(("kind", "expected"), [("folder", FolderTransport), ("smtp", SmtpTransport)])
def test_the_configuration_names_the_way_out(kind, expected, tmp_path):
    config = Config(base=tmp_path, mail=MailSettings(transport=kind, ca_file="ca.pem"))
    assert isinstance(transport_for(config), expected)
