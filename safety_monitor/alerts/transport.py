"""How a mail leaves: into a folder, or by SMTP. What comes back is a receipt, never an exception.

``accepted``: the server took responsibility (250 after DATA). ``temporary``: it refused with 4xx;
``permanent``: with 5xx. ``error``: it could not be asked, or nobody knows whether it took the mail.
Everything that is not ``accepted`` is tried again; the Message-ID shows a mail that went out twice.
"""

from __future__ import annotations

import os
import re
import smtplib
import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import parseaddr, parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

from safety_monitor.config import Config, MailSettings

Outcome = Literal["accepted", "temporary", "permanent", "error"]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one try, with the server's words."""

    outcome: Outcome
    reply: str


class Transport(Protocol):
    """A way out. Used as a context: what was opened for a batch is closed at its end."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def send(self, message: EmailMessage, recipient: str) -> Receipt:
        """Tries to hand over *message* for the address *recipient*; does not raise for what servers do."""
        ...


def transport_for(config: Config) -> FolderTransport | SmtpTransport:
    """The transport that ``mail.transport`` names."""
    mail = config.mail
    if mail.transport == "folder":
        return FolderTransport(config.at(mail.folder))
    return SmtpTransport(mail, config.at(mail.ca_file) if mail.ca_file else None)


class FolderTransport:
    """Writes each mail whole as ``.eml``; the same mail again replaces its own file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def send(self, message: EmailMessage, recipient: str) -> Receipt:
        path = self.folder / _file_name(message)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                dir=self.folder, prefix=".", suffix=".part", delete=False
            ) as draft:
                draft.write(message.as_bytes())
                draft.flush()
                os.fsync(draft.fileno())
            Path(draft.name).replace(path)
        except OSError as error:
            return Receipt(
                "error", f"{path}: {error.strerror or error}; check mail.folder and its permissions"
            )
        return Receipt("accepted", str(path))


class SmtpTransport:
    """SMTP with STARTTLS or TLS; one connection for a batch, opened at the first mail.

    A server that cannot be reached is asked once in a batch: further mails of it get the same answer at once,
    instead of one timeout each.
    """

    def __init__(self, mail: MailSettings, ca_file: Path | None = None) -> None:
        self.mail = mail
        self.ca_file = ca_file
        self._smtp: smtplib.SMTP | None = None
        self._down: Receipt | None = None

    def __enter__(self) -> Self:
        self._down = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._smtp is not None:
            try:
                self._smtp.quit()
            except (OSError, smtplib.SMTPException):
                self._smtp.close()  # it was gone already
            self._smtp = None

    def send(self, message: EmailMessage, recipient: str) -> Receipt:
        if not recipient.isascii():
            return Receipt(
                "permanent", f"{recipient} is not an ASCII address; internationalised ones are not sent to"
            )
        if self._smtp is None and (refused := self._open()) is not None:
            return refused
        assert self._smtp is not None
        try:
            receipt = self._hand_over(self._smtp, message, recipient)
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            return Receipt("error", f"connection to {self._where} broke: {_words(error)}")
        if receipt.reply.startswith("421"):  # RFC 5321 3.8: the server closes
            self._drop()
        return receipt

    @property
    def _where(self) -> str:
        return f"{self.mail.host}:{self.mail.port}"

    def _open(self) -> Receipt | None:
        if self._down is not None:
            return self._down
        try:
            self._smtp = open_smtp(self.mail, self.ca_file)
        except (OSError, smtplib.SMTPException) as error:
            self._down = Receipt("error", f"{self._where} ({self.mail.security}): {_words(error)}")
        return self._down

    def _hand_over(self, smtp: smtplib.SMTP, message: EmailMessage, recipient: str) -> Receipt:
        """MAIL, RCPT, DATA; the first refusal ends it and leaves the connection ready for the next mail."""
        sender = parseaddr(self.mail.sender)[1]
        steps: tuple[Callable[[], tuple[int, bytes]], ...] = (
            lambda: smtp.mail(sender), lambda: smtp.rcpt(recipient), lambda: smtp.data(message.as_bytes())
        )  # fmt: skip
        code, text = 0, b""
        for ask in steps:
            try:
                code, text = ask()
            except smtplib.SMTPDataError as error:  # DATA itself refused
                code, text = error.smtp_code, _bytes(error.smtp_error)
            if not 200 <= code < 300:
                if code != 421:
                    smtp.rset()
                break
        outcome: Outcome = (
            "accepted" if 200 <= code < 300 else "temporary" if 400 <= code < 500 else "permanent"
        )
        return Receipt(outcome, f"{code} {text.decode(errors='replace')}")

    def _drop(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None


def open_smtp(mail: MailSettings, ca_file: Path | None = None) -> smtplib.SMTP:
    """A connection ready for mails: encrypted and logged in as configured, certificate checked.

    Raises OSError (unreachable, certificate) or SMTPException (refused, no STARTTLS, wrong password).
    """
    context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    smtp: smtplib.SMTP
    if mail.security == "tls":
        smtp = smtplib.SMTP_SSL(mail.host, mail.port, timeout=mail.timeout_seconds, context=context)
    else:
        smtp = smtplib.SMTP(mail.host, mail.port, timeout=mail.timeout_seconds)
    try:
        smtp.ehlo_or_helo_if_needed()
        if mail.security == "starttls":
            smtp.starttls(context=context)
            smtp.ehlo()
        if mail.username:
            smtp.login(mail.username, mail.password.get_secret_value() if mail.password else "")
    except BaseException:
        smtp.close()
        raise
    return smtp


def _file_name(message: EmailMessage) -> str:
    """Time, kind and Message-ID: sorts by time, and the same mail has the same name."""
    written = parsedate_to_datetime(message["Date"])
    kind, identity = str(message.get("X-Safety-Monitor-Alert", "mail")), str(message["Message-ID"])
    parts = (kind.partition(";")[0], identity.partition("@")[0][:20])
    return "-".join([f"{written:%Y%m%dT%H%M%SZ}", *(re.sub(r"\W", "", part) for part in parts)]) + ".eml"


def _words(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_bytes(error.smtp_error).decode(errors='replace')}"
    return str(error) or type(error).__name__


def _bytes(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text
