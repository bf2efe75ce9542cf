"""queries: listed, answered, closed, and written out for each site."""

from __future__ import annotations

import csv

import pikepdf
import pytest


@pytest.fixture
def asked(monitor, desk, events, put_csv):
    """The small study with a missing grade at subject 2; the number of that question."""
    put_csv(desk / "data" / "ae.csv", [events[0], {**events[1], "AETOXGR": ""}])
    monitor("import", "data")
    [found] = [each for each in monitor("queries", "list", "--json").json if each["check_id"] == "GRADE_MISSING"]
    return found


def test_list(monitor, asked):
    assert (asked["usubjid"], asked["siteid"], asked["about"], asked["owner"]) == ("S1-02", "01", "AE 1", "investigator")
    assert (asked["state"], asked["age_days"], asked["text"]) == ("open", 0, "The grade is missing.")
    assert "The grade is missing." in monitor("queries", "list").out
    [review] = monitor("queries", "list", "--owner", "sponsor_reviewer", "--json").json  # the serious event of subject 1
    assert (review["about"], review["check_id"]) == ("AE 1 ablation", "CAUSALITY_REVIEW_DUE")
    assert monitor("queries", "list", "--site", "02", "--json").json == []
    assert monitor("queries", "list", "--state", "closed", "--json").json == []


def test_answer_and_close(monitor, asked):
    assert monitor("queries", "answer", asked["id"], "not known", "--actor", "One", "--json").json["state"] == "answered"
    refused = monitor("queries", "close", asked["id"], "--reason", "so be it", "--actor", "One")
    assert refused.code == 1
    assert "One is an investigator and may not close query; roles that may: safety officer" in refused.err
    assert "is closed" in monitor("queries", "close", asked["id"], "--reason", "so be it", "--actor", "Officer").out
    again = monitor("queries", "close", asked["id"], "--reason", "twice", "--actor", "Officer")
    assert again.code == 1
    assert "is closed already (Officer: so be it)" in again.err
    assert asked["id"] in [each["id"] for each in monitor("queries", "list", "--state", "closed", "--json").json]


def test_export(monitor, desk, asked):
    answer = monitor("queries", "export", "--out", "sheets", "--json").json
    assert answer["files"] == ["queries-S1-01.csv", "queries-S1-01.pdf"]
    with (desk / "sheets" / "queries-S1-01.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == answer["queries"]
    assert {"id", "usubjid", "about", "owner", "state", "age_days", "text", "answer"} <= set(rows[0])
    assert asked["text"] in [row["text"] for row in rows]
    with pikepdf.open(desk / "sheets" / "queries-S1-01.pdf") as sheet:
        assert "Data queries · S1 · site 01" in str(sheet.docinfo["/Title"])
