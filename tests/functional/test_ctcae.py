"""ctcae show, search and code: the dictionary at the terminal."""

from __future__ import annotations

import csv

import pytest


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
