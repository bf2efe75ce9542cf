"""The jobs that a schedule can name: what each does for one period."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from sqlalchemy import Engine

from safety_monitor import store
from safety_monitor.config import Config, Job
from safety_monitor.store import studies
from safety_monitor.workflow.issuing import issue_dsmb

JobFunction = Callable[[Engine, Config, Job, str, datetime], str]


def dsmb_report(engine: Engine, config: Config, job: Job, period: str, at: datetime) -> str:
    """Issues the DSMB report of each of the job's studies into the reports folder; says where."""
    with store.reading(engine) as session:
        wanted = job.studies or tuple(studies.study_ids(session))
    stamp = f"{datetime.fromisoformat(period):%Y%m%dT%H%MZ}"
    issued = [
        issue_dsmb(
            engine, config, study_id, None, config.at(config.reports) / f"{study_id}-dsmb-{stamp}.pdf",
            actor=f"job {job.name}", at=at,
        )
        for study_id in wanted
    ]  # fmt: skip
    return "; ".join(f"{done.path} (snapshot {done.snapshot_sha256[:12]})" for done in issued) or "no study in the database"


JOBS: Mapping[str, JobFunction] = {"dsmb_report": dsmb_report}
