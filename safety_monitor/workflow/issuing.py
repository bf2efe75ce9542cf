"""Issuing tables and reports: freeze, keep the snapshot, render, record what was handed out.

``rebuild`` makes the same bytes again from a kept snapshot, however the data have moved on since.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from sqlalchemy import Engine

from ctcae_v403 import official
from safety_monitor import store
from safety_monitor.config import Config
from safety_monitor.records import Snapshot
from safety_monitor.reporting.render import report_pdf
from safety_monitor.reporting.tables import all_tables
from safety_monitor.store import snapshots
from safety_monitor.study import SettingsError
from safety_monitor.version import SOFTWARE
from safety_monitor.workflow.studies import freeze_study


@dataclass(frozen=True)
class Issued:
    """A report on disk: its kind, where, of which snapshot, and the hash of its bytes."""

    path: Path
    study_id: str
    cutoff: date | None
    snapshot_sha256: str
    sha256: str
    n_bytes: int
    kind: str = "dsmb"


def write_tables(snapshot: Snapshot, folder: Path) -> list[Path]:
    """Every table of *snapshot* as CSV in *folder*, with the open queries beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for table in all_tables(snapshot).values():
        path = folder / f"{table.name}.csv"
        path.write_text(table.to_csv(), encoding="utf-8")
        written.append(path)
    queries = folder / "queries.csv"
    snapshot.frames["queries"].write_csv(queries)
    return [*written, queries]


def issue_dsmb(
    engine: Engine, config: Config, study_id: str, cutoff: date | None, out: Path, *, actor: str, at: datetime
) -> Issued:
    """Freezes the study, writes the DSMB report to *out* and records both."""
    snapshot = freeze_study(engine, study_id, cutoff, official.load(config.official_wording))
    return issue(engine, config, "dsmb", snapshot, out, actor=actor, at=at)


def issue(engine: Engine, config: Config, kind: str, snapshot: Snapshot, out: Path, *, actor: str, at: datetime) -> Issued:
    """Writes the report *kind* of *snapshot* to *out*; keeps the snapshot and records the issue."""
    study_id = snapshot.study["study"]["id"]
    content = report_pdf(kind, snapshot, page_size=config.page_size, organisation=config.organisation)
    with store.transaction(engine, actor=actor, reason=f"{kind} report of {study_id}", at=at) as session:
        snapshot_id = snapshots.keep_snapshot(session, snapshot, at)
        sha256 = hashlib.sha256(content).hexdigest()
        snapshots.record_issue(session, snapshot_id, study_id, kind, at, sha256, str(out), SOFTWARE)
        _write(out, content)
    return Issued(out, study_id, snapshot.cutoff, snapshot.sha256, sha256, len(content), kind)


def rebuild(engine: Engine, config: Config, snapshot_sha256: str, out: Path) -> Issued:
    """The report of a kept snapshot (its hash or the beginning of it), made again."""
    with store.reading(engine) as session:
        snapshot = snapshots.kept_snapshot(session, snapshot_sha256)
    if snapshot is None:
        raise SettingsError(f"no kept snapshot, or more than one, has a hash that begins with {snapshot_sha256!r}")
    kind = "safety" if "clocks" in snapshot.frames else "dsmb"
    content = report_pdf(kind, snapshot, page_size=config.page_size, organisation=config.organisation)
    _write(out, content)
    sha256 = hashlib.sha256(content).hexdigest()
    return Issued(out, snapshot.study["study"]["id"], snapshot.cutoff, snapshot.sha256, sha256, len(content), kind)


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all: a half-written report must never be found under its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    draft.write_bytes(content)
    draft.replace(path)
