"""Mails that came back: the server had taken them, and later somebody else refused them (RFC 3464 and what others write).

Which mail it was is told by the Message-ID of the original within the notice. The try is kept as ``bounced`` with the words of
the notice; after a permanent failure the next contact is told, as where a mail cannot be sent at all. A notice is put aside only
after that is committed; read twice, it counts once.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.message import Message
from pathlib import Path

from flufl.bounce import all_failures
from imapclient import SEEN, IMAPClient
from sqlalchemy import Engine

from safety_monitor import store
from safety_monitor.alerts import routing
from safety_monitor.alerts.routing import Alert
from safety_monitor.config import BounceSettings, Config
from safety_monitor.store import outbox
from safety_monitor.vocabulary import AlertKind

_RULE = "mail_bounced"
_DONE = "processed"
_LONGEST_REPLY = 500
_MESSAGE_ID = re.compile(rb"^Message-ID:\s*(<[^>\s]+>)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Notice:
    """One message of the mailbox: which of our mails came back, and whether for good. ``put_aside`` marks it as read."""

    message_ids: tuple[str, ...]
    permanent: bool
    says: str
    put_aside: Callable[[], None]


def read_bounces(engine: Engine, config: Config, at: datetime) -> int:
    """Reads every notice that lies in the configured place; how many of our mails came back."""
    settings = config.mail.bounces
    if settings.folder is None and settings.host is None:
        return 0
    n_back = 0
    for notice in _of_folder(config.at(settings.folder)) if settings.folder else _of_imap(config, settings):
        with store.transaction(engine, actor="bounces", reason="a mail came back", at=at) as session:
            for message_id in notice.message_ids:
                row = outbox.bounced(session, message_id, at=at, reply=notice.says)
                if row is None:
                    continue
                n_back += 1
                if notice.permanent:
                    alert = Alert.model_validate(row.model_dump())
                    outbox.enqueue(session, told_further(config, row.id or 0, alert, notice.says, at))
        notice.put_aside()
    return n_back


def told_further(config: Config, alert_id: int, alert: Alert, reply: str, at: datetime) -> list[Alert]:
    """The alerts about *alert* having come back, to the next contacts; none about such an alert itself."""
    if alert.kind is AlertKind.ALERT_UNDELIVERED:
        return []
    stuck = {"alert": alert_id, "name": alert.recipient_name, "email": alert.recipient_email, "n_failures": 1, "reply": reply}
    return [
        routing.owe(
            person, ("bounced", alert.unique_key), sender=config.mail, kind=AlertKind.ALERT_UNDELIVERED, rule_id=_RULE,
            payload={**alert.payload, "stuck": stuck, "changes": []}, at=at, study_id=alert.study_id, event_id=alert.event_id,
            event_version=alert.event_version,
        )
        for person in routing.next_contacts(config.people, alert.study_id, alert.recipient_email, 1)
    ]  # fmt: skip


def notice_of(content: bytes, put_aside: Callable[[], None] = lambda: None) -> Notice:
    """What a message says about mails that came back; without Message-IDs where it is no such notice."""
    message = message_from_bytes(content)
    try:
        temporary, permanent = all_failures(message)
    except Exception:  # what its detectors choke on (a mail without a sender) is no notice, and must not block those behind it
        temporary, permanent = frozenset(), frozenset()
    if not temporary and not permanent:
        return Notice((), False, "", put_aside)
    own = {str(message.get("Message-ID", "")).strip().encode()}
    found = dict.fromkeys(each.decode("ascii", "replace") for each in _MESSAGE_ID.findall(content) if each not in own)
    return Notice(tuple(found), bool(permanent), _reason(message), put_aside)


def _reason(message: Message) -> str:
    """The words of the notice, in one line: the diagnostic code where it has one, else its subject."""
    for part in message.walk():
        if part.get_content_type() != "message/delivery-status":
            continue
        blocks = part.get_payload()
        for block in blocks if isinstance(blocks, list) else []:
            said = block.get("Diagnostic-Code") or block.get("Status") if isinstance(block, Message) else None
            if said:
                return " ".join(str(said).split())[:_LONGEST_REPLY]
    return " ".join(str(message.get("Subject", "came back")).split())[:_LONGEST_REPLY]


def _of_folder(folder: Path) -> Iterator[Notice]:
    """Messages of a folder or of the ``new`` and ``cur`` of a Maildir; read ones go to its folder ``processed``."""
    places = [folder / name for name in ("new", "cur") if (folder / name).is_dir()] or [folder]
    for path in sorted(each for place in places if place.is_dir() for each in place.iterdir() if each.is_file()):
        if not path.name.startswith("."):
            yield notice_of(path.read_bytes(), lambda path=path: _move(path, folder / _DONE))  # type: ignore[misc]


def _move(path: Path, into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    path.replace(into / path.name)


def _of_imap(config: Config, settings: BounceSettings) -> Iterator[Notice]:
    """Unread messages of an IMAP mailbox; they are marked as read when they have been worked off."""
    context = ssl.create_default_context(cafile=str(config.at(settings.ca_file)) if settings.ca_file else None)
    tls = settings.security == "tls"
    assert settings.host is not None
    with IMAPClient(
        settings.host, settings.port, ssl=tls, ssl_context=context if tls else None, timeout=config.mail.timeout_seconds
    ) as box:
        if settings.security == "starttls":
            box.starttls(context)
        password = settings.password.get_secret_value() if settings.password else ""
        # SASL where the server has it: the LOGIN command knows ASCII only
        (box.plain_login if box.has_capability("AUTH=PLAIN") else box.login)(settings.username, password)
        box.select_folder(settings.mailbox)
        for number in box.search("UNSEEN"):
            content = box.fetch([number], ["BODY.PEEK[]"])[number][b"BODY[]"]
            yield notice_of(content, lambda number=number: box.add_flags([number], [SEEN]))  # type: ignore[misc]
