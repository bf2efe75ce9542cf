"""The mail of one alert: headers by RFC 5322, a text and an HTML part, in the reader's language.

A mail is a function of its outbox row: composed twice it has the same Message-ID and the same bytes, so that
a repeat after a crash is recognised as one. It names study, site, subject number, term, grade, seriousness
and dates, and nothing else of the subject. Layout: ``templates/alerts/mail.*``; words: ``en.toml`` and
``zh.toml`` beside it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
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
#: Of the study as a whole: no subject and no event to tell.
_OF_STUDY = frozenset({AlertKind.STOPPING, AlertKind.REPORT, AlertKind.DIGEST})
Words = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a mail."""

    name: str
    content: bytes


def compose(alert: Alert, mail: MailSettings, at: datetime, attachment: Attachment | None = None) -> EmailMessage:
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
    body: EmailMessage | MIMEPart = message if attachment is None else MIMEPart(policy=_POLICY)
    body["Content-Type"] = f'multipart/alternative; boundary="=_{boundary}"'
    for subtype, template in (("plain", "mail.txt"), ("html", "mail.html")):
        part = MIMEPart(policy=_POLICY)
        part.set_content(_template(template).render(values), subtype=subtype)
        body.attach(part)  # type: ignore[arg-type]  # typeshed wants the part to be a whole mail
    if attachment is not None:
        message["Content-Type"] = f'multipart/mixed; boundary="=_m{boundary}"'
        file = MIMEPart(policy=_POLICY)
        file.set_content(attachment.content, "application", "pdf", disposition="attachment", filename=attachment.name)
        for part in (body, file):
            message.attach(part)  # type: ignore[arg-type]
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
    return {
        "alert": alert,
        "words": words,
        "kind": kind,
        "fatal": bool(payload.get("fatal")),
        "what": _what(alert, words),
        "who": "" if alert.kind in _OF_STUDY else _who(payload, words),
        "why": words["rule"][alert.rule_id],
        "clocks": [_clock(clock, words, alert.language) for clock in payload.get("clocks", ())],
        "items": [_item(item, words) for item in payload.get("items", ())],
        "can_acknowledge": alert.kind is not AlertKind.REPORT,
        "facts": list(_facts(alert, words)),
        "changes": [_change(change, words) for change in payload.get("changes", ())],
        "task": kind["site" if payload.get("role") == Role.INVESTIGATOR else "sponsor"],
        "due": _due(alert, words),
        "advice": payload.get("advice", {}).get(alert.language, ()) if alert.kind in _WITH_ADVICE else (),
        "recorded": _local(alert, alert.created_at),
        "link": f"{mail.link.rstrip('/')}/{alert.ack_code}",
    }


def _what(alert: Alert, words: Words) -> str:
    payload = alert.payload
    if alert.kind is AlertKind.DIGEST:
        return str(words["many"].format(n=len(payload["items"]), kind=words["kind"][payload["of"]]["short"]))
    if alert.kind is AlertKind.REPORT:
        return str(payload["report"]["name"])
    if alert.kind is AlertKind.STOPPING:
        return str(payload["stopping"]["says"])
    return _graded(payload, words)


def _graded(payload: Mapping[str, Any], words: Words) -> str:
    term, grade = payload.get("term") or words["missing"], payload.get("grade")
    return term if grade is None else str(words["graded"].format(term=term, grade=grade))


def _who(payload: Mapping[str, Any], words: Words) -> str:
    missing = words["missing"]
    return str(words["subject_to"].format(usubjid=payload.get("usubjid") or missing, siteid=payload.get("siteid") or missing))


def _item(item: Mapping[str, Any], words: Words) -> tuple[str, str, str]:
    """One alert of a digest: what and whom it is about, why, and its number."""
    mark = words["fatal_mark"] if item.get("fatal") else ""
    why = words["rule"][item["rule_id"]]
    if clocks := sorted(item.get("clocks") or (), key=lambda clock: clock["due_at"]):
        first = clocks[0]  # the others are in the alert itself
        why = f"{why} {first['rule_id']}{words['colon']}{words['clock'][first['state']].format(due=first['due'])}"
    return f"{mark}{_graded(item, words)}{_who(item, words)}", why, f"{words['number']} {item['id']}"


def _clock(clock: Mapping[str, Any], words: Words, language: str) -> tuple[str, str, str]:
    """One clock: what is due, by when or how it ended, and by which rule."""
    what = clock["says"].get(language) or clock["rule_id"]
    if clock["component"]:
        what = f"{what} ({clock['component']})"
    state = words["clock"][clock["state"]].format(due=clock["due"])
    basis = words["clock"][f"aware_{clock['aware_basis']}"].format(day=clock["day_zero"])
    rule = f"{clock['rule_id']}, {clock['pack']}"
    if "id" in clock:
        rule = f"{words['clock_number']} {clock['id']}, {rule}"
    return what, state, str(words["between"]).join((rule, basis, words["clock"][clock["cause"]]))


def _of_study(alert: Alert, words: Words) -> Iterator[tuple[str, str]]:
    payload, label = alert.payload, words["label"]
    yield label["study"], alert.study_id
    if standing := payload.get("stopping"):
        yield label["counted"], standing["says"]
        yield label["events"], words["of"].format(n=standing["n_events"], total=standing["n_treated"])
        yield label["boundary"], words["missing"] if standing["boundary"] is None else str(standing["boundary"])
    if report := payload.get("report"):
        yield label["report"], report["name"]
        yield label["period"], report["period"]
        yield label["fingerprint"], report["sha256"][:16]
        yield label["file"], words["attached"][report["attach"]].format(place=report["place"])


def _facts(alert: Alert, words: Words) -> Iterator[tuple[str, str]]:
    if alert.kind in _OF_STUDY:
        yield from _of_study(alert, words)
        return
    payload, label, missing = alert.payload, words["label"], words["missing"]
    if late := payload.get("unacknowledged"):
        yield label["sent_to"], f"{late['name']} <{late['email']}>"
        yield label["sent_at"], late["sent_at"]
    if stuck := payload.get("stuck"):
        yield label["stuck_to"], f"{stuck['name']} <{stuck['email']}>"
        yield label["stuck_failures"], str(stuck["n_failures"])
        yield label["stuck_reply"], stuck["reply"] or missing
    if payload.get("where"):
        yield label["draft" if alert.kind is AlertKind.DRAFT_UNFINISHED else "where"], payload["where"]
    yield label["study"], alert.study_id
    yield label["site"], payload.get("siteid") or missing
    yield label["subject"], payload.get("usubjid") or missing
    of_results = alert.kind in _OF_RESULTS
    of_draft = alert.kind is AlertKind.DRAFT_UNFINISHED
    if not (of_results or of_draft):
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
    if of_draft:
        return
    for judged in payload.get("judgements", ()):
        said = words["between"].join((words["related"][judged["related"]], words["expected"][judged["expected"]]))
        yield judged["component"], said
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
