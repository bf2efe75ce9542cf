"""Reports by mail: through the outbox like every alert, so that none is lost or sent twice.

A mail carries the file, an encrypted copy of it, or says where it lies (``attach`` of the job).
The file that a mail carries is the one that was issued, by its hash; where it is gone or differs, the mail waits and ``doctor``
says so. An encrypted copy (AES-256, password ``SAFETY_MONITOR_MAIL_ATTACHMENT_PASSWORD``) is made once, beside the report.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pikepdf
from sqlalchemy import Engine

from safety_monitor import store
from safety_monitor.alerts import routing
from safety_monitor.alerts.email import Attachment
from safety_monitor.alerts.routing import Alert
from safety_monitor.config import Config, Job, Person
from safety_monitor.store import outbox
from safety_monitor.study import SettingsError
from safety_monitor.vocabulary import AlertKind
from safety_monitor.workflow.issuing import Issued

_RULE = "report_issued"


class ReportGone(RuntimeError):
    """The file that a mail should carry is not the one that was issued."""


def mail_report(engine: Engine, config: Config, job: Job, issued: Issued, period: str, at: datetime) -> int:
    """Owes the recipients of *job* a mail with *issued*; how many are new. Once a period, whoever asks again."""
    people = recipients_of(config, job, issued.study_id)
    if not people:
        return 0
    path = _encrypted(config, issued.path) if job.attach == "encrypted" else issued.path
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    shown = f"{datetime.fromisoformat(period).astimezone(ZoneInfo(job.timezone)):%Y-%m-%d %H:%M} ({job.timezone})"
    report = {"name": path.name, "place": str(path), "sha256": sha256, "period": shown, "attach": job.attach, "of": issued.kind}
    payload = {
        "report": report, "why": "scheduled report", "siteid": None, "usubjid": None, "aeseq": None, "term": None, "grade": None,
        "fatal": False,
    }  # fmt: skip
    alerts = [
        routing.owe(
            person, (_RULE, job.name, period, issued.study_id), sender=config.mail, kind=AlertKind.REPORT, rule_id=_RULE,
            payload=payload | {"timezone": job.timezone}, at=at, study_id=issued.study_id,
        )
        for person in people
    ]  # fmt: skip
    with store.transaction(engine, actor=f"job {job.name}", reason=f"mails of {path.name}", at=at) as session:
        return outbox.enqueue(session, alerts)


def recipients_of(config: Config, job: Job, study_id: str) -> list[Person]:
    """The people of the job's roles who have a part in the study."""
    return [p for p in config.people if p.role in job.recipients and (not p.studies or study_id in p.studies)]


def attachment_of(alert: Alert) -> Attachment | None:
    """The file that goes with *alert*; ReportGone where it is not there any more, or another."""
    report = alert.payload.get("report")
    if not report or report["attach"] == "link":
        return None
    path = Path(report["place"])
    if not path.is_file():
        raise ReportGone(f"{path} is gone; put it back, or rebuild it with safety-monitor report dsmb --snapshot")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != report["sha256"]:
        raise ReportGone(f"{path} is not the file that was issued (SHA-256 {report['sha256'][:16]}…)")
    return Attachment(report["name"], content)


def _encrypted(config: Config, path: Path) -> Path:
    """A copy of *path* that opens with the configured password."""
    password = config.mail.attachment_password
    if password is None:
        raise SettingsError("attach: encrypted needs a password; set SAFETY_MONITOR_MAIL_ATTACHMENT_PASSWORD")
    secret, out = password.get_secret_value(), path.with_suffix(".encrypted.pdf")
    if not out.exists():
        draft = out.with_name(f".{out.name}.part")
        with pikepdf.open(path) as document:
            document.save(draft, encryption=pikepdf.Encryption(owner=secret, user=secret, R=6))
        draft.replace(out)
    return out
