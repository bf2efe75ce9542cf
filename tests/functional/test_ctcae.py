"""ctcae show, search and code: the dictionary at the terminal."""

from __future__ import annotations

import csv
import json

import pytest

import ctcae_v403
from safety_monitor import store
from safety_monitor.store import snapshots


def test_show_by_name_and_by_code(monitor):
    by_name = monitor("ctcae", "show", "Hypertension", "--json")
    assert by_name.code == 0
    assert (by_name.json["soc"], by_name.json["grades"]) == ("Vascular disorders", [1, 2, 3, 4, 5])
    assert monitor("ctcae", "show", str(by_name.json["meddra_code"]), "--json").json == by_name.json
    alt = monitor("ctcae", "show", "alanine aminotransferase increased")
    assert alt.code == 0
    assert "ULN" in alt.out


@pytest.mark.parametrize("term", ["Hypertenshun", "99999999", ""])
def test_show_refuses_what_is_no_term(monitor, term):
    answer = monitor("ctcae", "show", term)
    assert answer.code == 1
    assert "Traceback" not in answer.err
    assert answer.err.strip()


def test_search(monitor):
    found = monitor("ctcae", "search", "low platelets", "--json")
    assert found.code == 0
    assert found.json[0]["name"] == "Platelet count decreased"
    assert len(monitor("ctcae", "search", "pain", "--limit", "3", "--json").json) == 3
    assert monitor("ctcae", "search", "pain", "--limit", "0").code == 2
    assert monitor("ctcae", "search", "qqqqzzzzxx").code == 1


def test_code_a_file(monitor, tmp_path, put_csv):
    verbatims = ["low platelets", "高血压", "asdfgh qwerty", ""]
    put_csv(tmp_path / "ae.csv", [{"USUBJID": str(n), "AETERM": text} for n, text in enumerate(verbatims)])
    answer = monitor("ctcae", "code", "ae.csv", "--out", "out/coded.csv", "--json")
    assert answer.code == 0
    assert (answer.json["rows"], answer.json["coded"]) == (4, 2)
    with (tmp_path / "out" / "coded.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["USUBJID", "AETERM", "AEDECOD", "AEBODSYS", "SCORE", "RUNNER_UP"]
    assert [row["AETERM"] for row in rows] == verbatims
    assert [row["AEDECOD"] for row in rows] == ["Platelet count decreased", "Hypertension", "", ""]
    assert [bool(row["SCORE"]) for row in rows] == [True, True, False, False]


def test_code_needs_its_column(monitor, tmp_path):
    (tmp_path / "ae.csv").write_text("A,B\n1,2\n", encoding="utf-8")
    answer = monitor("ctcae", "code", "ae.csv", "--out", "out.csv")
    assert answer.code == 1
    assert "has no column AETERM" in answer.err
    assert not (tmp_path / "out.csv").exists()


def test_looking_a_term_up_needs_no_database(script, tmp_path):
    answer = script("ctcae", "show", "Anemia", cwd=tmp_path)
    assert answer.code == 0
    assert "Anemia" in answer.out
    assert list(tmp_path.iterdir()) == []


def test_show_has_five_grades_numbers_questions_and_source(monitor):
    shown = monitor("ctcae", "show", "Hypokalemia").out
    assert [f"Grade {grade}\n" in shown for grade in range(1, 6)] == [True] * 5
    assert "Potassium < 3.0 mmol/L" in shown
    assert "What are the measured values, with unit and normal limits?  [numbers]" in shown
    assert "Source: CTCAE v4.03, NCI, 14 June 2010" in shown
    shown = monitor("ctcae", "show", "Alopecia").out
    assert shown.count("(the standard has no such grade)") == 3
    assert "this term has no grade 5" in shown


OFFICIAL_HEADER = ["MedDRA v12.0 Code", "CTCAE v4.0 SOC", "CTCAE v4.0 Term", *(f"Grade {n}" for n in range(1, 6)),
                   "CTCAE v4.0 AE Term Definition"]  # fmt: skip


def official_file(path, rename=None):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(OFFICIAL_HEADER)
        for term in ctcae_v403.terms():
            texts = [f"wording of {term.name} {grade}" if term.has_grade(grade) else "-" for grade in range(1, 6)]
            name = (rename or {}).get(term.name, term.name)
            writer.writerow([term.meddra_code, term.soc, name, *texts, f"Definition of {term.name}."])


def test_official_wording_is_checked_kept_and_shown_from_then_on(monitor, tmp_path):
    official_file(tmp_path / "CTCAE_4.03.csv")
    answer = monitor("ctcae", "load-official", "CTCAE_4.03.csv")
    assert answer.code == 0
    assert "790 terms read" in answer.out
    assert "No difference" in answer.out
    shown = monitor("ctcae", "show", "Hypertension")
    assert "wording of Hypertension 3" in shown.out
    assert "Definition of Hypertension." in shown.out
    assert "NCI wording loaded from ctcae_v403_official.csv" in shown.out
    assert monitor("ctcae", "show", "Hypertension", "--json").json["official"]["3"] == "wording of Hypertension 3"


def test_official_wording_with_differences_is_reported(monitor, tmp_path):
    official_file(tmp_path / "odd.csv", rename={"Anemia": "Anaemia of another kind"})
    answer = monitor("ctcae", "load-official", "odd.csv", "--json")
    assert answer.code == 0
    assert answer.json["differences"] == [
        {"term": "Anemia", "what": "name", "here": "Anemia", "file": "Anaemia of another kind"}
    ]


def test_what_is_not_the_official_file_is_refused_and_changes_nothing(monitor, tmp_path, put_csv):
    put_csv(tmp_path / "other.csv", [{"a": "1"}])
    for name, said in (("other.csv", "no column"), ("absent.csv", "absent.csv")):
        answer = monitor("ctcae", "load-official", name)
        assert answer.code == 1
        assert said in answer.err
        assert "Traceback" not in answer.err
    assert not (tmp_path / "ctcae_v403_official.csv").exists()


def test_official_wording_is_in_mails_queries_and_the_report(monitor, desk, put_csv, events):
    events[0] |= {"AETOXGR": "2"}  # in hospital, but graded 2: the site is asked
    put_csv(desk / "data" / "ae.csv", events)
    official_file(desk / "CTCAE_4.03.csv")
    assert monitor("ctcae", "load-official", "CTCAE_4.03.csv").code == 0
    assert monitor("import", "data").code == 0
    owed = monitor("alerts", "list", "--json").json
    assert "wording of Pneumothorax 2" in json.dumps(monitor("alerts", "show", str(owed[0]["id"]), "--json").json)
    assert monitor("tables", "--out", "tables").code == 0
    queries = (desk / "tables" / "queries.csv").read_text("utf-8")
    assert "NCI's text of grade 2: wording of Pneumothorax 2." in queries
    issued = monitor("report", "dsmb", "--out", "report.pdf", "--json").json
    engine = store.connect(f"sqlite:///{desk / 'safety_monitor.db'}")
    with store.reading(engine) as session:
        snapshot = snapshots.kept_snapshot(session, issued["snapshot_sha256"])
    engine.dispose()
    [row] = snapshot.frames["criteria"].to_dicts()
    assert row == {"term": "Pneumothorax", "grade": 2, "text": "wording of Pneumothorax 2", "official": True}
