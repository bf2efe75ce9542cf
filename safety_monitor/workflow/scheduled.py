"""The jobs that a schedule can name: what each does for one period."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine

from safety_monitor import store
from safety_monitor.config import Config, Job
from safety_monitor.records import Snapshot
from safety_monitor.store import studies
from safety_monitor.vocabulary import Mark
from safety_monitor.workflow.backing_up import back_up
from safety_monitor.workflow.boundaries import check_boundaries
from safety_monitor.workflow.importing import decide_again
from safety_monitor.workflow.interval import freeze_dsmb
from safety_monitor.workflow.issuing import issue
from safety_monitor.workflow.mailing import mail_report
from safety_monitor.workflow.slots import slots
from safety_monitor.workflow.standing import safety_snapshot
from safety_monitor.workflow.watching import watch

JobFunction = Callable[[Engine, Config, Job, str, datetime], str]
#: Where a calendar has no slot before this one, a safety report looks back so far.
_FIRST_LOOK_BACK = timedelta(days=7)


def dsmb_report(engine: Engine, config: Config, job: Job, period: str, at: datetime) -> str:
    """Issues the DSMB report of each of the job's studies into the reports folder and mails it; says where."""
    from ctcae_v403 import official

    wording = official.load(config.official_wording)
    return _issued(engine, config, job, period, at, "dsmb", lambda study_id: freeze_dsmb(engine, study_id, None, at, wording))


def safety_report(engine: Engine, config: Config, job: Job, period: str, at: datetime) -> str:
    """The same for the safety officer's report: what has happened since the slot before this one, what is due, what is open."""
    slot = datetime.fromisoformat(period)
    before = slots(job, slot - timedelta(days=40), slot - timedelta(seconds=1))
    since = before[-1] if before else slot - _FIRST_LOOK_BACK

    def frozen(study_id: str) -> Snapshot:
        return safety_snapshot(engine, config, study_id, since, at)

    return _issued(engine, config, job, period, at, "safety", frozen)


def clock_reminders(engine: Engine, config: Config, job: Job, period: str, at: datetime) -> str:
    """What has fallen due; ``run`` looks every minute by itself, this is for those who schedule it otherwise."""
    return f"{watch(engine, config, at)} mails are owed"


def stopping_check(engine: Engine, config: Config, job: Job, period: str, at: datetime) -> str:
    """Where each study stands against its stopping rules; alerts where a boundary is crossed or one event away."""
    return "; ".join(check_boundaries(engine, config, study_id, at) for study_id in _studies(engine, job)) or _NOTHING


def reconciliation(engine: Engine, config: Config, job: Job, period: str, at: datetime) -> str:
    """Decides each study anew from all that is on record: after new rules, or where time has passed."""
    told = []
    for study_id in _studies(engine, job):
        with store.transaction(engine, actor=f"job {job.name}", reason="reconciliation", at=at) as session:
            settings = studies.settings_of(session, study_id)
            assert settings is not None
            result = decide_again(session, config, settings, at)
            told.append(f"{study_id}: {result.n_alerts} mails are owed, {result.n_queries} questions are open")
    return "; ".join(told) or _NOTHING


def backup(engine: Engine, config: Config, job: Job, period: str, at: datetime) -> str:
    """A backup of the database into ``backups`` beside the reports; the oldest beyond ``keep`` are removed."""
    folder = config.at(config.reports).parent / "backups"
    out = folder / f"safety-monitor-{datetime.fromisoformat(period):%Y%m%dT%H%MZ}.backup"
    done = back_up(config, out, at, replace=True)
    for old in sorted(folder.glob("safety-monitor-*.backup"))[: -job.keep]:
        old.unlink()
    return f"{out}: {done.audit_seq} audit entries, head {done.head[:12]}"


_NOTHING = "no study in the database"


def _issued(
    engine: Engine, config: Config, job: Job, period: str, at: datetime, kind: str, frozen: Callable[[str], Snapshot]
) -> str:
    stamp = f"{datetime.fromisoformat(period):%Y%m%dT%H%MZ}"
    told = []
    for study_id in _studies(engine, job):
        snapshot = frozen(study_id)
        # the snapshot in the name: a repeat after a crash, on other data, leaves the file that a mail is owed with
        out: Path = config.at(config.reports) / f"{study_id}-{kind}-{stamp}-{snapshot.sha256[:8]}.pdf"
        mark = Mark.DRAFT if job.draft else Mark.FINAL
        done = issue(
            engine, config, kind, snapshot, out, actor=f"job {job.name}", at=at, language=job.language, mark=mark
        )
        n_mails = mail_report(engine, config, job, done, period, at)
        told.append(f"{done.path} (snapshot {done.snapshot_sha256[:12]}, {n_mails} mails)")
    return "; ".join(told) or _NOTHING


def _studies(engine: Engine, job: Job) -> tuple[str, ...]:
    with store.reading(engine) as session:
        return job.studies or tuple(studies.study_ids(session))


JOBS: Mapping[str, JobFunction] = {
    "dsmb_report": dsmb_report,
    "safety_report": safety_report,
    "clock_reminders": clock_reminders,
    "stopping_check": stopping_check,
    "reconciliation": reconciliation,
    "backup": backup,
}
