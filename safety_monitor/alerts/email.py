"""The mail of one alert: headers by RFC 5322, a text and an HTML part, in the reader's language.

A mail is a function of its outbox row: composed twice it has the same Message-ID and the same bytes, so that
a repeat after a crash is recognised as one. It names study, site, subject number, term, grade, seriousness
and dates, and nothing else of the subject. Layout: ``templates/alerts/mail.*``; words: ``en.toml`` and
``zh.toml`` beside it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from email.headerregistry import Address, HeaderRegistry
from email.message import EmailMessage, MIMEPart
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from safety_monitor.alerts.routing import Alert
from safety_monitor.config import MailSettings
from safety_monitor.resources import resource_dir
from safety_monitor.vocabulary import AlertKind, Role


class _Registry(HeaderRegistry):
    """The standard one makes a new class for every header of every mail: a fifth of the time of composing."""

    @cache  # noqa: B019 - the one instance lives as long as the module
    def __getitem__(self, name: str) -> type[Any]:
        made: type[Any] = super().__getitem__(name)
        return made


#: 7bit: no relay on the way has to know 8BITMIME, and signatures survive.
_POLICY = SMTP.clone(cte_type="7bit", header_factory=_Registry())
_WITH_SITE_CLOCK = frozenset(
    {AlertKind.SAE_NEW, AlertKind.SAE_UPGRADED, AlertKind.SAE_CHANGED, AlertKind.SAE_ROW_REJECTED}
)
#: About an event as it now is: what may be done about the dose is said.
_WITH_ADVICE = frozenset({AlertKind.SAE_NEW, AlertKind.SAE_UPGRADED, AlertKind.SAE_CHANGED})
#: Of results, not of a reported event: there is no record number, seriousness or outcome to tell.
_OF_RESULTS = frozenset({AlertKind.LAB_UNREPORTED, AlertKind.LAB_WITHDRAWN, AlertKind.HYS_LAW})
Words = Mapping[str, Any]


def compose(alert: Alert, mail: MailSettings, at: datetime) -> EmailMessage:
    """The message for *alert*, dated *at*; ValueError where an address cannot stand in a header."""
    words = words_of(alert.language)
    values = _values(alert, words, mail)
    message = EmailMessage(policy=_POLICY)
    name, address = parseaddr(mail.sender)
    message["From"] = Address(name, addr_spec=address)
    message["To"] = Address(_one_line(alert.recipient_name), addr_spec=alert.recipient_email)
    message["Subject"] = _one_line(_template("mail.subject").render(values))
    message["Date"] = format_datetime(at)
    message["Message-ID"] = alert.message_id
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office replies
    message["X-Auto-Response-Suppress"] = "All"
    message["Importance"] = "high"
    message["X-Safety-Monitor-Study"] = _one_line(alert.study_id)
    message["X-Safety-Monitor-Alert"] = f"{alert.kind.value}; rule={alert.rule_id}"
    message["MIME-Version"] = "1.0"
    boundary = alert.message_id.strip("<>").partition("@")[0]  # the default one is random
    message["Content-Type"] = f'multipart/alternative; boundary="=_{boundary}"'
    for subtype, template in (("plain", "mail.txt"), ("html", "mail.html")):
        part = MIMEPart(policy=_POLICY)
        part.set_content(_template(template).render(values), subtype=subtype)
        message.attach(part)  # type: ignore[arg-type]  # typeshed wants the part to be a whole mail
    return message


@cache
def words_of(language: str) -> Words:
    """The words of *language* (``en``, ``zh``)."""
    path = resource_dir("templates") / "alerts" / f"{language}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(resource_dir("templates") / "alerts"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _template(name: str) -> Any:
    return _environment().get_template(name)


def _values(alert: Alert, words: Words, mail: MailSettings) -> dict[str, Any]:
    """All that the templates show, as finished text."""
    payload = alert.payload
    kind = words["kind"][alert.kind.value]
    subject = payload.get("usubjid") or words["missing"]
    grade = payload.get("grade")
    what = payload.get("term") or words["missing"]
    if grade is not None:
        what = words["graded"].format(term=what, grade=grade)
    return {
        "alert": alert,
        "words": words,
        "kind": kind,
        "fatal": bool(payload.get("fatal")),
        "what": what,
        "who": words["subject_to"].format(usubjid=subject, siteid=payload.get("siteid") or words["missing"]),
        "why": words["rule"][alert.rule_id],
        "facts": list(_facts(alert, words)),
        "changes": [_change(change, words) for change in payload.get("changes", ())],
        "task": kind["site" if payload.get("role") == Role.INVESTIGATOR else "sponsor"],
        "due": _due(alert, words),
        "advice": payload.get("advice", {}).get(alert.language, ()) if alert.kind in _WITH_ADVICE else (),
        "recorded": _local(alert, alert.created_at),
        "link": f"{mail.link.rstrip('/')}/{alert.ack_code}",
    }


def _facts(alert: Alert, words: Words) -> Iterator[tuple[str, str]]:
    payload, label, missing = alert.payload, words["label"], words["missing"]
    if stuck := payload.get("stuck"):
        yield label["stuck_to"], f"{stuck['name']} <{stuck['email']}>"
        yield label["stuck_failures"], str(stuck["n_failures"])
        yield label["stuck_reply"], stuck["reply"] or missing
    if payload.get("where"):
        yield label["where"], payload["where"]
    yield label["study"], alert.study_id
    yield label["site"], payload.get("siteid") or missing
    yield label["subject"], payload.get("usubjid") or missing
    of_results = alert.kind in _OF_RESULTS
    if not of_results:
        yield label["event"], missing if payload.get("aeseq") is None else str(payload["aeseq"])
    yield label["term"], payload.get("term") or missing
    if of_results and payload.get("grade") is None:
        return
    yield label["grade"], missing if payload.get("grade") is None else str(payload["grade"])
    if payload.get("criterion"):
        yield label["criterion"].format(grade=payload["grade"]), payload["criterion"]
    if of_results:
        yield label["onset"], payload.get("onset") or missing
        return
    yield label["serious"], _seriousness(payload, words)
    yield label["onset"], payload.get("onset") or missing
    yield label["outcome"], _shown("outcome", payload.get("outcome"), words)
    if answer := payload.get("immune"):
        yield label["immune"], words["immune"][answer]


def _seriousness(payload: Mapping[str, Any], words: Words) -> str:
    basis = payload.get("serious_basis") or ["FLAGGED_ONLY" if payload.get("serious") else "NOT_FLAGGED"]
    return _criteria(basis, words)


def _criteria(names: Iterable[str], words: Words) -> str:
    return str(words["between"]).join(words["criterion"][name] for name in names)


def _change(change: Mapping[str, Any], words: Words) -> tuple[str, str, str]:
    name, _, component = change["field"].partition(":")
    label = words["field"][name].format(component=component)
    return label, _shown(name, change["before"], words), _shown(name, change["after"], words)


def _shown(field: str, value: str | None, words: Words) -> str:
    """A value as the reader sees it; what was not reported is said to be so."""
    if value is None:
        return str(words["none" if field == "serious_basis" else "missing"])
    if field == "serious_basis":
        return _criteria(value.split(";"), words)
    table = words["outcome"] if field == "outcome" else words["value"] if field != "term" else {}
    return str(table.get(value.upper(), value))


def _due(alert: Alert, words: Words) -> str:
    hours = alert.payload.get("site_hours")
    if hours is None or alert.kind not in _WITH_SITE_CLOCK:
        return ""
    latest = _local(alert, alert.created_at + timedelta(hours=hours))
    return str(words["site_due"].format(hours=hours, latest=latest))


def _local(alert: Alert, moment: datetime) -> str:
    zone = alert.payload.get("timezone", "UTC")
    return f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} ({zone})"


def _one_line(text: str) -> str:
    """A header value; a line break in it would begin another header."""
    return " ".join(text.split())
