"""``demo``: the main job from end to end on a simulated trial; no server, no network, one SQLite file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import yaml
from sqlalchemy import Engine

from safety_monitor import config as configuration
from safety_monitor import store
from safety_monitor.alerts.transport import transport_for
from safety_monitor.config import Config
from safety_monitor.records import Snapshot
from safety_monitor.simulate import simulate
from safety_monitor.study import SettingsError
from safety_monitor.workflow import delivery, importing, issuing
from safety_monitor.workflow.actions import add_action, close_action
from safety_monitor.workflow.interval import freeze_dsmb
from safety_monitor.workflow.issuing import Issued
from safety_monitor.workflow.standing import safety_snapshot

_MARK = ".safety-monitor-demo"


_EARLIER = timedelta(days=181)
#: What the board asked for at the earlier report: text, owner, days until due. The first was done since.
_ASKED = (
    ("Reconcile hospitalisations with the flag AESER at every site", "Data management", 60),
    ("Send the narratives of all fatal events with the imaging read centrally", "Medical monitor", 90),
    ("Say per site whether lenvatinib was paused before each ablation as the protocol asks", "Safety officer", 240),
)
_RESOLUTION = "Done at all sites; what remains is asked as questions to the sites."


def run_demo(out: Path, at: datetime, tell: Callable[[str], None] | None = None) -> dict[str, Any]:
    """Runs everything into the folder *out* (made anew) and says where the results are."""
    say = tell or (lambda line: None)
    _clear(out)
    say("Simulating a trial: ablation + lenvatinib + PD-1 inhibitor …")
    data = out / "data"
    simulate(data)
    config = _configure(out)
    store.upgrade(config.database_url)
    engine = store.connect(config.database_url)
    say("Importing, grading, attributing, deciding what is owed …")
    result = importing.import_paths(engine, config, [data], actor="demo", at=at, reason="demonstration")
    importing.write_rejects(result.rejections, out / "rejects.csv")
    say(f"  {result.events['new']} events, {len(result.rejections)} rows refused, {result.n_queries} questions to the sites")
    tally = delivery.deliver_due(engine, transport_for(config), config, now=lambda: at, worker="demo")
    say(f"  {tally.n_sent} mails delivered into the mailbox folder")
    reports = _reports(engine, config, result.study_id, out, at, say)
    written = issuing.write_tables(freeze_dsmb(engine, result.study_id, None, at), out / "tables")
    engine.dispose()
    return {
        "study": result.study_id, "report": str(reports["present"].path), "snapshot": reports["present"].snapshot_sha256,
        "earlier_report": str(reports["earlier"].path),
        "safety_report": str(reports["safety"].path),
        "tables": str(out / "tables"), "n_tables": len(written), "mailbox": str(config.at(config.mail.folder)),
        "n_mails": tally.n_sent, "rejects": str(out / "rejects.csv"), "n_rejected": len(result.rejections),
        "data": str(data), "database": str(out / "safety_monitor.db"), "config": str(out / "config.yaml"),
    }  # fmt: skip


def _reports(
    engine: Engine, config: Config, study_id: str, out: Path, at: datetime, say: Callable[[str], None]
) -> dict[str, Issued]:
    """An earlier report for the board, what the board then asked for, the present report, and the weekly one."""
    def made(name: str, kind: str, snapshot: Snapshot, when: datetime) -> Issued:
        return issuing.issue(engine, config, kind, snapshot, out / name, actor="demo", at=when)

    present = freeze_dsmb(engine, study_id, None, at)
    assert present.cutoff is not None
    say("An earlier DSMB report, of about six months before …")
    then = present.cutoff - _EARLIER
    earlier = made("dsmb-report-earlier.pdf", "dsmb", freeze_dsmb(engine, study_id, then, at), at)
    for text, owner, days in _ASKED:
        add_action(
            engine, config, study_id, text, owner=owner, due_on=then + timedelta(days=days), actor="Safety officer", at=at,
            report=earlier.report,
        )  # fmt: skip
    at += timedelta(seconds=1)  # after the earlier report
    close_action(engine, config, 1, resolution=_RESOLUTION, actor="Safety officer", at=at)
    say("The DSMB report of today …")
    found = {"earlier": earlier, "present": made("dsmb-report.pdf", "dsmb", freeze_dsmb(engine, study_id, None, at), at)}
    say("The safety officer's report of the last week …")
    since = datetime.combine(present.cutoff, time(), UTC) - timedelta(days=7)
    found["safety"] = made("safety-report.pdf", "safety", safety_snapshot(engine, config, study_id, since, at), at)
    return found


def _clear(out: Path) -> None:
    """Removes an earlier demo; a folder that is not one is left alone."""
    if out.exists() and any(out.iterdir()):
        if not (out / _MARK).exists():
            raise SettingsError(f"{out} is not empty and not an earlier demo; name another folder with --out")
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / _MARK).touch()


def _configure(out: Path) -> Config:
    """A configuration for the simulated trial, kept beside its results so that every command works on it."""
    dm = pl.read_csv(out / "data" / "dm.csv", infer_schema=False)
    sites = dm["SITEID"].drop_nulls().unique().sort().to_list()
    people: list[dict[str, Any]] = [
        {"name": f"Investigator of site {site}", "email": f"investigator-{site}@example.org", "role": "investigator",
         "sites": [site], "language": "zh" if index % 2 else "en"}
        for index, site in enumerate(sites)
    ]  # fmt: skip
    people += [
        {"name": "Safety officer", "email": "safety@example.org", "role": "safety_officer"},
        {"name": "Medical monitor", "email": "monitor@example.org", "role": "medical_monitor"},
    ]
    raw = {
        "database": {"url": "sqlite:///safety_monitor.db"},
        "organisation": "Demonstration sponsor",
        "people": people,
        "mail": {"transport": "folder", "folder": "mailbox", "sender": "Safety Monitor <safety-monitor@example.org>"},
    }
    path = out / "config.yaml"
    path.write_text(yaml.safe_dump(raw, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return configuration.load(path, {})

