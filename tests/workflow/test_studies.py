"""Which study is meant, and that all of it is read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from safety_monitor import store
from safety_monitor.config import Config
from safety_monitor.study import SettingsError
from safety_monitor.workflow.importing import import_paths
from safety_monitor.workflow.studies import collected, freeze_study, resolve

AT = datetime(2026, 7, 1, 7, 0, tzinfo=UTC)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = store.connect(database_url)
    yield engine
    engine.dispose()


def put(engine: Engine, folder: Path, study_id: str, events: str, **options: object) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "study.yaml").write_text(f"study: {{id: {study_id}}}\n", encoding="utf-8")
    (folder / "dm.csv").write_text("USUBJID,SITEID,RFXSTDTC\n1,01,2026-01-05\n2,02,2026-01-05\n", encoding="utf-8")
    (folder / "ae.csv").write_text(f"USUBJID,AESEQ,AETERM,AETOXGR,AESTDTC\n{events}", encoding="utf-8")
    import_paths(engine, Config(), [folder], actor="tester", at=AT, **options)  # type: ignore[arg-type]


TWO = "1,1,fever,2,2026-01-06\n2,1,nausea,1,2026-02-06\n"


def test_which_study(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="holds no study yet; run safety-monitor import"):
        resolve(engine, None)
    put(engine, tmp_path / "b", "B", TWO)
    assert (resolve(engine, None), resolve(engine, "B")) == ("B", "B")
    with pytest.raises(SettingsError, match="study 'X' is not in the database; name one with --study: B"):
        resolve(engine, "X")
    put(engine, tmp_path / "a", "A", TWO)
    with pytest.raises(SettingsError, match="several studies are in the database; name one with --study: A, B"):
        resolve(engine, None)
    assert resolve(engine, "A") == "A"


def test_each_study_has_its_own_records(engine: Engine, tmp_path: Path) -> None:
    put(engine, tmp_path / "a", "A", TWO)
    put(engine, tmp_path / "b", "B", "1,7,rash,3,2026-01-06\n")
    with store.reading(engine) as session:
        found = {study: [e.event.key for e in collected(session, study).events] for study in ("A", "B")}
        with pytest.raises(SettingsError, match="'C' is not in the database"):
            collected(session, "C")
    assert found == {"A": [("1", 1), ("2", 1)], "B": [("1", 7)]}


def test_a_deleted_event_is_in_no_report(engine: Engine, tmp_path: Path) -> None:
    put(engine, tmp_path / "a", "A", TWO)
    put(engine, tmp_path / "a", "A", "2,1,nausea,1,2026-02-06\n", complete=["AE"])
    assert freeze_study(engine, "A", None).frames["events"]["usubjid"].to_list() == ["2"]


def test_frozen_at_a_cut_off_on_both_databases_alike(engine: Engine, tmp_path: Path) -> None:
    put(engine, tmp_path / "a", "A", TWO)
    snapshot = freeze_study(engine, "A", date(2026, 1, 31))
    assert snapshot.frames["events"].select("usubjid", "grade", "version").rows() == [("1", 2, 1)]
    assert set(snapshot.frames) == {"subjects", "events", "exposures", "queries", "criteria", "weighing", "decisions"}
    assert snapshot.study["study"]["id"] == "A"
