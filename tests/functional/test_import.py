"""import: SDTM in several formats, once; what cannot be read is refused whole, what is wrong row by row."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
from pathlib import Path

import pytest

SETS = {
    "hcc_synth_demo": {"AE": 279, "DM": 39, "DS": 45, "EX": 371, "PR": 39, "SUPPAE": 1112},
    "pilot_low": {"AE": 435, "DM": 136, "DS": 324, "EX": 181, "SUPPAE": 435},
}


def counts(database: Path) -> dict[str, int]:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}
    connection.close()
    return found


@pytest.mark.parametrize("name", SETS)
def test_a_shared_study_as_transport_files(monitor, desk, shared, name):
    data = shutil.copytree(shared / "data" / name / "xpt", desk / "xpt")
    shutil.copy(shared / "data" / name / "study.yaml", data)
    answer = monitor("import", "xpt", "--backfill", "--json")
    assert answer.code == 0, answer.err
    said = answer.json
    assert {domain: said["domains"][domain]["n_new"] for domain in SETS[name]} == SETS[name]
    assert (said["events"]["new"], said["rejected"], said["alerts"]) == (SETS[name]["AE"], 0, 0)
    assert not (desk / "rejects.csv").exists()


def test_transport_files_and_csv_hold_the_same_events(monitor, desk, shared, imported):
    data = shutil.copytree(shared / "data" / "hcc_synth_demo" / "xpt", desk / "xpt")
    shutil.copy(shared / "data" / "hcc_synth_demo" / "study.yaml", data)
    assert monitor("import", data / "ae.xpt", data / "suppae.xpt", data / "dm.xpt", "--backfill").code == 0
    query = """SELECT usubjid, aeseq, aeterm, aedecod, aebodsys, grade, aeser, aesdth, aerel, aeout, aestdtc, aeendtc
               FROM adverse_event ORDER BY usubjid, aeseq"""
    found = []
    for database in (desk / "safety_monitor.db", imported("hcc_synth_demo")):
        connection = sqlite3.connect(database)
        found.append(connection.execute(query).fetchall())
        connection.close()
    assert found[0] == found[1]


def test_the_second_time_changes_nothing(monitor, desk):
    first = monitor("import", "data", "--json").json
    assert (first["study"], first["events"], first["alerts"]) == ("S1", {"new": 2, "changed": 0, "deleted": 0}, 3)
    before = counts(desk / "safety_monitor.db")
    second = monitor("import", "data", "--json").json
    assert not second["changed"]
    assert second["domains"]["AE"]["n_unchanged"] == 2
    assert counts(desk / "safety_monitor.db") == before


def test_people_read_a_summary(monitor, desk):
    answer = monitor("import", "data")
    assert answer.code == 0
    assert "Study S1" in answer.out
    assert "Events: 2 new, 0 changed, 0 deleted. 3 mails are owed" in answer.out


def test_a_dry_run_changes_nothing(monitor, desk):
    before = counts(desk / "safety_monitor.db")
    answer = monitor("import", "data", "--dry-run")
    assert answer.code == 0
    assert "3 mails would be owed" in answer.out
    assert "nothing was changed" in answer.out
    assert counts(desk / "safety_monitor.db") == before


def test_a_refused_row_is_explained_in_rejects(monitor, desk, put_csv, events):
    put_csv(desk / "data" / "ae.csv", [events[0], events[1] | {"AESTDTC": "2026-02-31"}])
    answer = monitor("import", "data", "--rejects", "out/refused.csv")
    assert answer.code == 0
    assert "1 rows were refused" in answer.err
    with (desk / "out" / "refused.csv").open(encoding="utf-8", newline="") as file:
        [row] = csv.DictReader(file)
    assert (row["file"], row["row"], row["field"], row["value"]) == ("ae.csv", "3", "AESTDTC", "2026-02-31")
    assert row["why"]
    assert row["remedy"]


def test_absence_is_deletion_only_for_a_complete_domain(monitor, desk, put_csv, events):
    monitor("import", "data")
    put_csv(desk / "data" / "ae.csv", events[:1])
    assert monitor("import", "data", "--json").json["events"]["deleted"] == 0
    assert monitor("import", "data", "--complete", "AE", "--json").json["events"]["deleted"] == 1
    assert counts(desk / "safety_monitor.db")["adverse_event"] == 2


def test_dataset_json(monitor, desk, events):
    names = list(events[0])
    content = {"datasetJSONVersion": "1.1.0", "records": 2, "name": "AE", "columns": [{"name": n} for n in names],
               "rows": [[row[n] for n in names] for row in events]}  # fmt: skip
    (desk / "data" / "ae.csv").unlink()
    (desk / "data" / "ae.json").write_text(json.dumps(content), encoding="utf-8")
    assert monitor("import", "data", "--json").json["events"]["new"] == 2


WRONG = {
    "empty": ("vs.csv", b"", "is empty"),
    "ragged": ("vs.csv", b"USUBJID,VSSEQ\nS1-01,1,2\n", "line 2 has 3 fields"),
    "not UTF-8": ("vs.csv", "USUBJID,VSSEQ,VSTEST\nS1-01,1,高血压\n".encode("gb18030"), "encoding"),
    "no subject": ("vs.csv", b"DOMAIN,VSSEQ\nVS,1\n", "USUBJID"),
    "no transport file": ("vs.xpt", b"USUBJID,VSSEQ\n", "is not a SAS transport file"),
    "a folder": ("vs.csv", None, "is a folder"),
    "unknown format": ("vs.xlsx", b"PK", "format '.xlsx' is not known"),
}


@pytest.mark.parametrize(("name", "content", "why"), WRONG.values(), ids=WRONG)
def test_a_file_that_is_not_what_it_says_stops_the_import(monitor, desk, name, content, why):
    path = desk / "data" / name
    path.mkdir() if content is None else path.write_bytes(content)
    before = counts(desk / "safety_monitor.db")
    answer = monitor("import", "data", *([] if content is None else [path]))
    assert answer.code == 1
    assert name in answer.err
    assert why in answer.err
    assert "Traceback" not in answer.err
    assert counts(desk / "safety_monitor.db") == before


@pytest.mark.parametrize("kept", [100, 2000, 0.5, 0.999])
def test_a_transport_file_cut_short_stops_the_import(monitor, desk, shared, kept):
    content = (shared / "data" / "hcc_synth_demo" / "xpt" / "ae.xpt").read_bytes()
    (desk / "data" / "ae.xpt").write_bytes(content[: int(kept * len(content)) if kept < 1 else kept])
    before = counts(desk / "safety_monitor.db")
    answer = monitor("import", desk / "data" / "ae.xpt")
    assert answer.code == 1
    assert "ae.xpt" in answer.err
    assert counts(desk / "safety_monitor.db") == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "does not exist"),
        (["data", "--complete", "LB"], "--complete LB: no file of that domain"),
        (["data", "other"], "several studies"),
    ],
)
def test_refusals(monitor, desk, put_study, arguments, said):
    put_study(desk / "other", "S2")
    answer = monitor("import", *arguments)
    assert answer.code == 1
    assert said in answer.err


def test_without_settings_no_study_is_guessed(monitor, desk):
    (desk / "data" / "study.yaml").unlink()
    answer = monitor("import", "data")
    assert answer.code == 1
    assert "study.yaml" in answer.err


def test_a_database_that_was_never_made(monitor, desk):
    (desk / "safety_monitor.db").unlink()
    answer = monitor("import", "data")
    assert answer.code == 1
    assert "safety-monitor init" in answer.err
    assert monitor("import").code == 2
