"""Issuing: what was handed out is kept, and can be made again byte for byte."""

from __future__ import annotations

import csv
import hashlib
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from safety_monitor import store
from safety_monitor.config import Config
from safety_monitor.records import Snapshot
from safety_monitor.reporting.tables import all_tables
from safety_monitor.study import SettingsError
from safety_monitor.workflow.importing import import_paths
from safety_monitor.workflow.issuing import Issued, issue_dsmb, rebuild, write_tables
from safety_monitor.workflow.studies import freeze_study

AT = datetime(2026, 7, 1, 7, 0, tzinfo=UTC)


def put(folder: Path, grade: int) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "study.yaml").write_text("study: {id: S1}\ncomponents: [{name: pd1, match: [DRUG]}]\n", encoding="utf-8")
    (folder / "dm.csv").write_text("USUBJID,RFXSTDTC,RFXENDTC\nS1-1,2026-01-05,2026-03-01\n", encoding="utf-8")
    (folder / "ex.csv").write_text("USUBJID,EXSEQ,EXTRT,EXDOSE,EXSTDTC\nS1-1,1,DRUG,8,2026-01-05\n", encoding="utf-8")
    event = f"S1-1,1,low platelets,{grade},Y,2026-01-09"
    (folder / "ae.csv").write_text(f"USUBJID,AESEQ,AETERM,AETOXGR,AESER,AESTDTC\n{event}\n", encoding="utf-8")
    return folder


@pytest.fixture
def engine(sqlite_template: Path, tmp_path: Path) -> Iterator[Engine]:
    engine = store.connect(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'test.db')}")
    import_paths(engine, Config(), [put(tmp_path / "data", 3)], actor="tester", at=AT)
    yield engine
    engine.dispose()


def issue(engine: Engine, out: Path, cutoff: date | None = None) -> Issued:
    return issue_dsmb(engine, Config(organisation="X"), "S1", cutoff, out, actor="Wu", at=AT)


def kept(engine: Engine, query: str) -> list[tuple[object, ...]]:
    with store.reading(engine) as session:
        return [tuple(row) for row in session.connection().execute(text(query))]


def test_an_issued_report_is_recorded_and_made_again(engine: Engine, tmp_path: Path) -> None:
    issued = issue(engine, tmp_path / "new" / "report.pdf", date(2026, 2, 1))
    content = issued.path.read_bytes()
    assert (issued.sha256, issued.n_bytes) == (hashlib.sha256(content).hexdigest(), len(content))
    assert (issued.study_id, issued.cutoff) == ("S1", date(2026, 2, 1))
    assert kept(engine, "SELECT kind, sha256, path FROM issued_report") == [("dsmb", issued.sha256, str(issued.path))]
    assert kept(engine, "SELECT sha256 FROM snapshot") == [(issued.snapshot_sha256,)]
    import_paths(engine, Config(), [put(tmp_path / "data", 4)], actor="tester", at=AT.replace(hour=9))
    assert freeze_study(engine, "S1", date(2026, 2, 1)).sha256 != issued.snapshot_sha256
    again = rebuild(engine, Config(organisation="X"), issued.snapshot_sha256[:12], tmp_path / "again.pdf")
    assert again.path.read_bytes() == content
    assert (again.snapshot_sha256, again.cutoff, again.study_id) == (issued.snapshot_sha256, issued.cutoff, "S1")


def test_what_cannot_be_written_is_not_recorded(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OSError, match="taken"):
        issue(engine, tmp_path / "taken" / "report.pdf")
    assert kept(engine, "SELECT count(*) FROM issued_report") == [(0,)]
    assert kept(engine, "SELECT count(*) FROM snapshot") == [(0,)]


@pytest.mark.parametrize("wanted", ["ffff", "zz"])
def test_no_such_snapshot(engine: Engine, tmp_path: Path, wanted: str) -> None:
    with pytest.raises(SettingsError, match=f"begins with '{wanted}'"):
        rebuild(engine, Config(), wanted, tmp_path / "report.pdf")
    assert not (tmp_path / "report.pdf").exists()


def test_tables_on_disk_are_the_tables(engine: Engine, tmp_path: Path) -> None:
    snapshot: Snapshot = freeze_study(engine, "S1", None)
    written = write_tables(snapshot, tmp_path / "deep" / "tables")
    tables = all_tables(snapshot)
    assert [path.stem for path in written] == [*(table.name for table in tables.values()), "queries"]
    for path in written[:-1]:
        assert path.read_text(encoding="utf-8") == tables[path.stem].to_csv()
    with written[-1].open(encoding="utf-8", newline="") as file:
        queries = list(csv.DictReader(file))
    assert [(row["usubjid"], row["aeseq"]) for row in queries] == snapshot.frames["queries"].select(
        "usubjid", snapshot.frames["queries"]["aeseq"].cast(str)
    ).rows()
    assert queries
