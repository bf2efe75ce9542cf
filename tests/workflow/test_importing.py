"""Import on both databases: idempotent, verbatim, nothing lost, nothing half done."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from safety_monitor import store
from safety_monitor.config import Config
from safety_monitor.intake import UnreadableFile
from safety_monitor.rules.stopping import StoppingRuleError
from safety_monitor.store import audit
from safety_monitor.study import SettingsError
from safety_monitor.workflow.importing import ImportResult, import_paths

AT = datetime(2026, 7, 1, 7, 0, tzinfo=UTC)
STUDY = """
study: {id: S1, timezone: Asia/Shanghai}
components:
  - {name: ablation, kind: procedure, profile: ablation, match: [MICROWAVE ABLATION], relatedness: RELABL}
  - {name: lenvatinib, kind: drug, profile: lenvatinib, match: [LENVATINIB], relatedness: RELLEN}
"""
DM = [
    {"STUDYID": "S1", "DOMAIN": "DM", "USUBJID": "S1-01", "SITEID": "01", "RFXSTDTC": "2026-01-05", "RFXENDTC": "2026-06-01"},
    {"STUDYID": "S1", "DOMAIN": "DM", "USUBJID": "S1-02", "SITEID": "02", "RFXSTDTC": "2026-02-05", "RFXENDTC": "2026-06-01"},
]
EX = [
    {"STUDYID": "S1", "DOMAIN": "EX", "USUBJID": s, "EXSEQ": "1", "EXTRT": "Lenvatinib", "EXDOSE": "8",
     "EXSTDTC": "2026-02-05", "EXENDTC": "2026-06-01"} for s in ("S1-01", "S1-02")
]  # fmt: skip
PR = [
    {"STUDYID": "S1", "DOMAIN": "PR", "USUBJID": "S1-01", "PRSEQ": "1", "PRTRT": "MICROWAVE ABLATION", "PRLOC": "LUNG",
     "PRSTDTC": "2026-01-05"}
]  # fmt: skip
AE = [
    {"STUDYID": "S1", "DOMAIN": "AE", "USUBJID": "S1-01", "AESEQ": "1", "AETERM": "pneumothorax", "AEDECOD": "Pneumothorax",
     "AETOXGR": "3", "AESER": "Y", "AESHOSP": "Y", "AEREL": "Y", "AESTDTC": "2026-01-05", "AEOUT": "RECOVERED/RESOLVED",
     "SPONSORVAR": "kept as it is"},
    {"STUDYID": "S1", "DOMAIN": "AE", "USUBJID": "S1-02", "AESEQ": "1", "AETERM": "high blood pressure", "AEDECOD": "",
     "AETOXGR": "2", "AESER": "N", "AESHOSP": "", "AEREL": "", "AESTDTC": "2026-02", "AEOUT": "", "SPONSORVAR": ""},
]  # fmt: skip
SUPPAE = [
    {"STUDYID": "S1", "RDOMAIN": "AE", "USUBJID": "S1-01", "IDVAR": "AESEQ", "IDVARVAL": "1", "QNAM": "RELABL", "QVAL": "Y"},
]
PEOPLE = [
    {"name": "Officer", "email": "officer@example.org", "role": "safety_officer"},
    {"name": "One", "email": "one@example.org", "role": "investigator", "sites": ["01"]},
    {"name": "Two", "email": "two@example.org", "role": "investigator", "sites": ["02"]},
]


def write(folder: Path, **domains: list[dict[str, str]]) -> Path:
    folder.mkdir(exist_ok=True)
    for domain, rows in domains.items():
        with (folder / f"{domain.lower()}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)))
            writer.writeheader()
            writer.writerows(rows)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = write(tmp_path / "data", DM=DM, EX=EX, PR=PR, AE=AE, SUPPAE=SUPPAE)
    (data / "study.yaml").write_text(STUDY, encoding="utf-8")
    return data


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = store.connect(database_url)
    yield engine
    engine.dispose()


def run(engine: Engine, *paths: Path, hours: int = 0, **options: Any) -> ImportResult:
    config = Config.model_validate({"people": PEOPLE})
    return import_paths(engine, config, paths, actor="tester", at=AT + timedelta(hours=hours), **options)


def rows(engine: Engine, query: str) -> list[Any]:
    with store.reading(engine) as session:
        return [tuple(row) for row in session.connection().execute(text(query))]


def fingerprint(engine: Engine) -> list[Any]:
    tables = ("source_row", "source_file", "rejection", "subject", "adverse_event", "assessment", "component_opinion",
              "alert", "import_batch", "study_version", "audit")  # fmt: skip
    head = rows(engine, "SELECT max(hash), max(seq) FROM audit")
    return [rows(engine, f"SELECT count(*) FROM {table}") for table in tables] + head


def test_the_spine(engine: Engine, folder: Path) -> None:
    result = run(engine, folder)
    assert result.events == {"new": 2, "changed": 0, "deleted": 0}
    assert not result.rejections
    columns = "usubjid, aedecod, grade, version, source_file, source_row_number"
    events = rows(engine, f"SELECT {columns} FROM adverse_event ORDER BY usubjid")
    assert events == [("S1-01", "Pneumothorax", 3, 1, "ae.csv", 2), ("S1-02", "Hypertension", 2, 1, "ae.csv", 3)]
    assessed = rows(
        engine,
        "SELECT e.usubjid, a.serious, a.treatment_emergent, a.onset_on FROM assessment a "
        "JOIN adverse_event e ON e.id = a.event_id ORDER BY e.usubjid",
    )
    assert [(u, bool(s), bool(t), str(o)) for u, s, t, o in assessed] == [
        ("S1-01", True, True, "2026-01-05"),
        ("S1-02", False, True, "2026-02-05"),
    ]
    leading = rows(
        engine,
        "SELECT component, level, share FROM component_opinion WHERE author = 'system' AND event_id = "
        "(SELECT id FROM adverse_event WHERE usubjid = 'S1-01') ORDER BY share DESC",
    )
    assert leading[0][0] == "ablation"
    assert sum(share for *_, share in leading) == pytest.approx(1)


def test_alerts_are_owed_to_the_right_people(engine: Engine, folder: Path) -> None:
    run(engine, folder)
    owed = rows(engine, "SELECT recipient_email, kind, state FROM alert ORDER BY recipient_email")
    assert owed == [
        ("officer@example.org", "sae_new", "pending"), ("officer@example.org", "susar", "pending"),
        ("one@example.org", "sae_new", "pending"),
    ]  # fmt: skip


def test_the_verbatim_source_is_kept(engine: Engine, folder: Path) -> None:
    run(engine, folder)
    [(content, number, path)] = rows(
        engine,
        "SELECT s.content, s.row_number, f.path FROM source_row s JOIN source_file f ON f.id = s.file_id "
        "WHERE s.domain = 'AE' AND s.record_key = 'S1-01|1'",
    )
    assert (path, number) == ("ae.csv", 2)
    assert json.loads(content) == {name: value for name, value in AE[0].items() if value}


def test_importing_twice_is_importing_once(engine: Engine, folder: Path) -> None:
    run(engine, folder)
    before = fingerprint(engine)
    again = run(engine, folder, hours=5)
    assert not again.changed
    assert again.tallies["AE"].n_unchanged == 2
    assert fingerprint(engine) == before


def test_a_corrected_row_updates_is_audited_and_told(engine: Engine, folder: Path) -> None:
    run(engine, folder)
    write(folder, AE=[AE[0] | {"AETOXGR": "4", "AESLIFE": "Y"}, AE[1] | {"AESLIFE": ""}])
    result = run(engine, folder, hours=1, reason="data correction 12")
    assert result.events == {"new": 0, "changed": 1, "deleted": 0}
    assert rows(engine, "SELECT grade, version FROM adverse_event WHERE usubjid = 'S1-01'") == [(4, 2)]
    assert rows(engine, "SELECT DISTINCT kind FROM alert WHERE event_version = 2") == [("sae_changed",)]
    with store.reading(engine) as session:
        changes = [entry.changes for entry in audit.history(session, table="adverse_event") if entry.action == "update"]
        assert changes[0]["grade"] == (3, 4)
        assert not audit.verify(session)


def test_absent_rows_stay_unless_the_domain_is_complete(engine: Engine, folder: Path) -> None:
    run(engine, folder)
    write(folder, AE=[AE[1]])
    assert not run(engine, folder, hours=1).changed
    result = run(engine, folder, hours=2, complete=["ae"])
    assert result.events["deleted"] == 1
    assert rows(engine, "SELECT usubjid, is_deleted FROM adverse_event ORDER BY usubjid") == [("S1-01", 1), ("S1-02", 0)]
    assert rows(engine, "SELECT DISTINCT kind FROM alert WHERE event_version = 2") == [("sae_deleted",)]
    write(folder, AE=AE)
    assert run(engine, folder, hours=3).events["changed"] == 1
    assert rows(engine, "SELECT is_deleted, version FROM adverse_event WHERE usubjid = 'S1-01'") == [(0, 3)]


def test_a_refused_row_loses_no_other_and_is_not_taken_for_absent(engine: Engine, folder: Path) -> None:
    run(engine, folder)
    write(folder, AE=[AE[0] | {"AETOXGR": "3A"}, AE[1]])
    result = run(engine, folder, hours=1, complete=["AE"])
    [rejection] = result.rejections
    assert (rejection.file, rejection.row, rejection.field, rejection.value) == ("ae.csv", 2, "AETOXGR", "3A")
    assert result.events == {"new": 0, "changed": 0, "deleted": 0}
    assert rows(engine, "SELECT grade, is_deleted FROM adverse_event WHERE usubjid = 'S1-01'") == [(3, 0)]


def test_a_refused_row_that_looks_serious_is_told_once(engine: Engine, folder: Path) -> None:
    write(folder, AE=[AE[0] | {"AESTDTC": "2026-02-30"}, AE[1]])
    assert len(run(engine, folder).refused_serious) == 1
    assert set(rows(engine, "SELECT kind, recipient_email FROM alert")) == {
        ("sae_row_rejected", "officer@example.org"),
        ("sae_row_rejected", "one@example.org"),
    }
    before = fingerprint(engine)
    assert run(engine, folder, hours=1).n_alerts == 0
    assert fingerprint(engine) == before


def test_backfill_records_without_alerting(engine: Engine, folder: Path) -> None:
    assert run(engine, folder, backfill=True).n_alerts == 0
    assert rows(engine, "SELECT count(*) FROM alert") == [(0,)]
    assert run(engine, folder, hours=1).n_alerts == 0


def test_a_dry_run_says_all_and_changes_nothing(engine: Engine, folder: Path) -> None:
    before = fingerprint(engine)
    result = run(engine, folder, dry_run=True)
    assert (result.events["new"], result.n_alerts) == (2, 3)
    assert fingerprint(engine) == before


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("vs.csv", "", id="empty"),
        pytest.param("vs.csv", "USUBJID,VSSEQ\nS1-01,1,2\n", id="ragged"),
        pytest.param("vs.xpt", "HEADER RECORD*******LIBRARY", id="truncated"),
        pytest.param("vs.csv", None, id="a folder"),
    ],
)
def test_one_bad_file_stops_the_whole_import_before_it_begins(
    engine: Engine, folder: Path, name: str, content: str | None
) -> None:
    path = folder / name
    path.mkdir() if content is None else path.write_text(content, encoding="utf-8")
    before = fingerprint(engine)
    with pytest.raises(UnreadableFile, match=name):
        run(engine, folder)
    assert fingerprint(engine) == before


def test_a_declared_encoding_is_used(engine: Engine, folder: Path) -> None:
    (folder / "study.yaml").write_text(STUDY + "encoding: GB18030\n", encoding="utf-8")
    chinese = [AE[0] | {"AETERM": "气胸"}, AE[1] | {"AETERM": "高血压"}]
    write(folder, AE=chinese)
    content = (folder / "ae.csv").read_text(encoding="utf-8")
    (folder / "ae.csv").write_bytes(content.encode("gb18030"))
    run(engine, folder)
    assert rows(engine, "SELECT aeterm, aedecod FROM adverse_event ORDER BY usubjid") == [
        ("气胸", "Pneumothorax"),
        ("高血压", "Hypertension"),
    ]


def test_several_studies_live_in_one_database(engine: Engine, folder: Path, tmp_path: Path) -> None:
    run(engine, folder)
    other = write(tmp_path / "other", DM=[DM[0] | {"STUDYID": "S2"}], AE=[AE[0] | {"STUDYID": "S2"}])
    (other / "study.yaml").write_text("study: {id: S2}\n", encoding="utf-8")
    run(engine, other, hours=1)
    assert rows(engine, "SELECT study_id, count(*) FROM adverse_event GROUP BY study_id ORDER BY 1") == [("S1", 2), ("S2", 1)]
    with pytest.raises(SettingsError, match="several studies"):
        run(engine, folder, other, hours=2)


def test_an_event_of_an_unknown_subject_is_kept_told_and_queried(engine: Engine, folder: Path) -> None:
    write(folder, AE=[*AE, AE[0] | {"USUBJID": "S1-99"}])
    run(engine, folder)
    [(queries,)] = rows(
        engine, "SELECT a.queries FROM assessment a JOIN adverse_event e ON e.id = a.event_id WHERE e.usubjid = 'S1-99'"
    )
    assert "not in DM" in str(queries)
    told = rows(engine, "SELECT kind, recipient_email FROM alert WHERE unique_key LIKE 'S1|S1-99%' ORDER BY kind")
    assert told == [("sae_new", "officer@example.org"), ("susar", "officer@example.org")]


def test_complete_needs_a_file_of_that_domain(engine: Engine, folder: Path) -> None:
    with pytest.raises(SettingsError, match="--complete LB: no file of that domain"):
        run(engine, folder, complete=["LB"])


def test_changed_settings_take_effect_although_the_data_are_the_same(engine: Engine, folder: Path) -> None:
    run(engine, folder)
    (folder / "study.yaml").write_text(STUDY + "related: [CERTAIN]\n", encoding="utf-8")
    result = run(engine, folder, hours=1)
    assert result.settings_changed
    assert rows(engine, "SELECT version FROM study_version ORDER BY version") == [(1,), (2,)]
    related = "SELECT related FROM assessment a JOIN adverse_event e ON e.id = a.event_id WHERE e.usubjid = 'S1-01'"
    assert rows(engine, related) == [(0,)]
    assert not run(engine, folder, hours=2).changed


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"AESTDTC": "2026-02-30"}, id="a date that does not exist"),
        pytest.param({"DOMAIN": "ae", "AETOXGR": "9"}, id="domain in lower case"),
        pytest.param({"AESER": "SAE", "AESHOSP": ""}, id="a flag that is none"),
        pytest.param({"AESER": "N", "AESHOSP": "", "AETOXGR": "5", "AESTDTC": "2026-13-01"}, id="grade 5, nothing flagged"),
        pytest.param({"AESEQ": "inf"}, id="no usable number"),
    ],
)
def test_no_refusal_hides_a_serious_event(engine: Engine, folder: Path, change: dict[str, str]) -> None:
    write(folder, AE=[AE[0] | change, AE[1]])
    assert len(run(engine, folder).refused_serious) == 1
    assert rows(engine, "SELECT DISTINCT kind FROM alert") == [("sae_row_rejected",)]


def test_a_file_without_sequence_numbers_hides_no_serious_event(engine: Engine, folder: Path) -> None:
    write(folder, AE=[{name: value for name, value in row.items() if name != "AESEQ"} for row in AE])
    assert len(run(engine, folder).refused_serious) == 1
    assert rows(engine, "SELECT DISTINCT kind FROM alert") == [("sae_row_rejected",)]


def test_what_the_settings_name_and_the_files_lack_is_said(engine: Engine, folder: Path) -> None:
    (folder / "study.yaml").write_text(STUDY + "grade: {source: AETOXGRX}\n", encoding="utf-8")
    notices = run(engine, folder).notices
    assert any("grade.source names AETOXGRX" in notice for notice in notices)
    assert any("relatedness of lenvatinib names RELLEN" in notice for notice in notices)


def test_a_stopping_rule_that_cannot_be_used_is_refused_with_the_import(engine: Engine, folder: Path) -> None:
    rule = "stopping: [{event: related_grade_ge44, p0: 0.1, n_max: 10}]\n"
    (folder / "study.yaml").write_text(STUDY + rule, encoding="utf-8")
    with pytest.raises(StoppingRuleError, match="related_grade_ge4"):
        run(engine, folder)


def test_a_first_import_does_not_speak_of_changed_settings(engine: Engine, folder: Path) -> None:
    assert not run(engine, folder).settings_changed


def test_a_dose_that_is_not_known_is_not_zero(engine: Engine, folder: Path) -> None:
    write(folder, EX=[{name: value for name, value in row.items() if name != "EXDOSE"} for row in EX])
    run(engine, folder)
    assert rows(engine, "SELECT count(*) FROM subject WHERE treated") == [(2,)]
