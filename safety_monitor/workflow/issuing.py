"""Issuing tables and reports: freeze, keep the snapshot, render, record what was handed out; sign it, and tell what a file is.

``rebuild`` makes the same bytes again from a kept snapshot, however the data have moved on since: language, page size,
organisation and mark are those that were recorded with the issue.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
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
from safety_monitor.store.snapshots import ReportOnRecord, Signature
from safety_monitor.study import SettingsError
from safety_monitor.version import SOFTWARE
from safety_monitor.vocabulary import Mark
from safety_monitor.workflow.deciding import DecisionError, may
from safety_monitor.workflow.interval import freeze_dsmb


@dataclass(frozen=True)
class Issued:
    """A report on disk: its kind, where, of which snapshot, and the hash of its bytes. ``report``: the number it is recorded
    under; None where bytes were made again that nobody issued."""

    path: Path
    study_id: str
    cutoff: date | None
    snapshot_sha256: str
    sha256: str
    n_bytes: int
    kind: str = "dsmb"
    report: int | None = None
    language: str = "en"
    page_size: str = "A4"
    mark: str = Mark.FINAL.value


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
    engine: Engine, config: Config, study_id: str, cutoff: date | None, out: Path, *, actor: str, at: datetime,
    language: str = "en", page_size: str | None = None, mark: Mark = Mark.FINAL,
) -> Issued:  # fmt: skip
    """Freezes the study, writes the DSMB report to *out* and records both."""
    snapshot = freeze_dsmb(engine, study_id, cutoff, at, official.load(config.official_wording))
    return issue(
        engine, config, "dsmb", snapshot, out, actor=actor, at=at, language=language, page_size=page_size, mark=mark
    )


def issue(
    engine: Engine, config: Config, kind: str, snapshot: Snapshot, out: Path, *, actor: str, at: datetime, language: str = "en",
    page_size: str | None = None, mark: Mark = Mark.FINAL,
) -> Issued:  # fmt: skip
    """Writes the report *kind* of *snapshot* to *out*; keeps the snapshot and records the issue."""
    study_id = snapshot.study["study"]["id"]
    page_size = page_size or config.page_size
    content = _printed(kind, snapshot, language, page_size, config.organisation, mark)
    with store.transaction(engine, actor=actor, reason=f"{kind} report of {study_id}", at=at) as session:
        snapshot_id = snapshots.keep_snapshot(session, snapshot, at)
        sha256 = hashlib.sha256(content).hexdigest()
        number = snapshots.record_issue(
            session, snapshot_id, study_id, kind, at, sha256, str(out.absolute()), SOFTWARE, by=actor, language=language,
            page_size=page_size, organisation=config.organisation, mark=mark,
        )  # fmt: skip
        _write(out, content)
    return _issued(out, kind, snapshot, content, number, language, page_size, mark)


def rebuild(
    engine: Engine, config: Config, snapshot_sha256: str, out: Path, *, language: str | None = None, page_size: str | None = None
) -> Issued:
    """The report of a kept snapshot (its hash or the beginning of it), made again as it was last issued; in another *language* or
    on another *page_size* where one is named."""
    with store.reading(engine) as session:
        snapshot = snapshots.kept_snapshot(session, snapshot_sha256)
        if snapshot is None:
            raise SettingsError(f"no kept snapshot, or more than one, has a hash that begins with {snapshot_sha256!r}")
        study_id = snapshot.study["study"]["id"]
        issues = [
            each for each in snapshots.issued_reports(session, study_id) if each.snapshot_sha256 == snapshot.sha256
        ]
    fitting = [each for each in issues if (not language or each.language == language)
               and (not page_size or each.page_size == page_size)]  # fmt: skip
    was = (fitting or issues)[-1]  # a snapshot is kept with an issue only
    language = language or was.language or "en"
    page_size = page_size or was.page_size or config.page_size
    organisation = config.organisation if was.organisation is None else was.organisation
    content = _printed(was.kind, snapshot, language, page_size, organisation, was.mark)
    _write(out, content)
    sha256 = hashlib.sha256(content).hexdigest()
    same = next((each.id for each in issues if each.sha256 == sha256), None)
    return _issued(out, was.kind, snapshot, content, same, language, page_size, was.mark)


def listed(engine: Engine, study_id: str | None) -> list[ReportOnRecord]:
    """Every issued report, oldest first."""
    with store.reading(engine) as session:
        return snapshots.issued_reports(session, study_id)


def sign(
    engine: Engine, config: Config, report: int, *, meaning: str, actor: str, at: datetime, file: Path | None = None
) -> tuple[ReportOnRecord, Signature]:
    """Signs the bytes of an issued report, as they lie where it was written (or in *file*); DecisionError where they are others,
    where it is a draft, or where *actor* may not."""
    with store.transaction(engine, actor=actor, reason=f"signature: {meaning}", at=at) as session:
        found = next((each for each in snapshots.issued_reports(session) if each.id == report), None)
        if found is None:
            raise DecisionError(f"no issued report has the number {report}; see safety-monitor report list")
        person = may(config, actor, "sign_report", found.study_id, None)
        if found.mark is Mark.DRAFT:
            raise DecisionError(f"report {report} is a draft; issue the final report and sign that")
        path = file or Path(found.path)
        if not path.is_file():
            raise DecisionError(f"{path} is not there; name the file with --file, or make it again with report dsmb --snapshot")
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        if sha256 != found.sha256:
            raise DecisionError(
                f"{path} is not the file that was issued: its SHA-256 is {sha256[:16]}…, recorded is {found.sha256[:16]}…"
            )
        meaning = meaning.strip()
        if not meaning:
            raise DecisionError("a signature says what it means, such as --meaning approved")
        if any((each.name, each.meaning) == (person.name, meaning) for each in found.signatures):
            raise DecisionError(f"{person.name} has signed report {report} as {meaning!r} already")
        signature = Signature(person.name, person.role, meaning, at, sha256)
        snapshots.sign(session, report, signature)
    return found, signature


def identify(engine: Engine, file: Path) -> tuple[str, Sequence[ReportOnRecord]]:
    """The hash of *file*, and the issued reports that have these bytes (none: it is not a report that was issued here)."""
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    return sha256, [each for each in listed(engine, None) if each.sha256 == sha256]


def _printed(kind: str, snapshot: Snapshot, language: str, page_size: str, organisation: str, mark: Mark) -> bytes:
    return report_pdf(
        kind, snapshot, page_size=page_size, organisation=organisation, language=language, mark=mark.value
    )


def _issued(
    out: Path, kind: str, snapshot: Snapshot, content: bytes, report: int | None, language: str, page_size: str, mark: Mark
) -> Issued:
    return Issued(
        out, snapshot.study["study"]["id"], snapshot.cutoff, snapshot.sha256, hashlib.sha256(content).hexdigest(), len(content),
        kind, report, language, page_size, mark.value,
    )  # fmt: skip


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all: a half-written report must never be found under its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    draft.write_bytes(content)
    draft.replace(path)
