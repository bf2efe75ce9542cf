"""case: what laboratory results say and nobody reported, as a person lists, reads and decides it."""

from __future__ import annotations

import pytest

COURSE = (("2026-01-02", "30", "Y"), ("2026-02-01", "90", ""), ("2026-02-15", "250", ""), ("2026-03-01", "35", ""))


@pytest.fixture
def imported(monitor, desk, put_csv):
    """The small study with an ALT series of grade 3 that nobody reported; the number of its case."""
    put_csv(desk / "data" / "lb.csv", [
        {"STUDYID": "S1", "DOMAIN": "LB", "USUBJID": "S1-01", "LBSEQ": str(n), "LBTESTCD": "ALT", "LBSTRESN": result,
         "LBSTRESU": "U/L", "LBSTNRLO": "7", "LBSTNRHI": "40", "LBBLFL": flag, "LBDTC": on}
        for n, (on, result, flag) in enumerate(COURSE, 1)
    ])  # fmt: skip
    answer = monitor("import", "data")
    assert "Episodes of results: 1 new, 0 changed, 0 withdrawn." in answer.out
    [case] = monitor("case", "list", "--json").json
    return case["id"]


def test_list(monitor, imported):
    shown = monitor("case", "list")
    assert "Alanine aminotransferase increased" in shown.out
    assert "ALT 250 U/L on 2026-02-15" in shown.out
    assert "1 cases" in shown.out
    assert monitor("case", "list", "--state", "dismissed", "--json").json == []
    assert monitor("case", "list", "--site", "02", "--json").json == []
    assert monitor("case", "list", "--state", "lost").code == 2


def test_show(monitor, imported):
    found = monitor("case", "show", imported, "--json").json
    assert (found["worst_grade"], found["onset_on"], found["case_state"]) == (3, "2026-02-01", "draft")
    assert found["changes"] == [["2026-02-01", 1], ["2026-02-15", 3]]
    assert [report["term"] for report in found["reports"]] == ["Pneumothorax"]
    assert [query["state"] for query in found["queries"]] == ["open"]
    shown = monitor("case", "show", imported)
    assert "and no event is reported" in shown.out
    absent = monitor("case", "show", "999")
    assert absent.code == 1
    assert "No case has the number 999" in absent.err


def test_confirm(monitor, imported):
    answer = monitor("case", "confirm", imported, "--actor", "One", "--reason", "real")
    assert (answer.code, "is confirmed" in answer.out) == (0, True)
    assert monitor("case", "show", imported, "--json").json["decided_by"] == "One"


def test_confirm_as_a_reported_event(monitor, imported):
    answer = monitor("case", "confirm", imported, "--event", "1", "--actor", "One", "--reason", "same", "--json")
    assert (answer.json["link"], answer.json["aeseq"], answer.json["case_state"]) == ("matched", 1, "none")


def test_dismiss(monitor, imported):
    assert monitor("case", "dismiss", imported, "--actor", "One").code == 2  # no reason
    assert monitor("case", "dismiss", imported, "--reason", "why").code == 2  # nobody
    refused = monitor("case", "dismiss", imported, "--actor", "Eve", "--reason", "why")
    assert refused.code == 1
    assert "'Eve' is not a person of the configuration" in refused.err
    assert "is dismissed" in monitor("case", "dismiss", imported, "--actor", "One", "--reason", "hemolysed").out
    assert monitor("case", "list", "--json").json == []


def test_assess(monitor, desk):
    reviewer = "  - {name: Rev, email: rev@example.org, role: sponsor_reviewer}\njobs:"
    config = desk / "config.yaml"
    config.write_text(config.read_text("utf-8").replace("jobs:", reviewer), encoding="utf-8")
    assert monitor("import", "data").code == 0
    shown = monitor("case", "show", "S1-01/1", "--json").json
    authors = {(each["component"], each["author"]) for each in shown["opinions"]}
    components = sorted(shown["for_reporting"])
    assert {(name, "system") for name in components} <= authors
    name = components[0]
    on_one = ("case", "assess", "S1-01/1", "--component", name, "--level", "possible")
    assert monitor(*on_one, "--actor", "Rev").code == 2  # no reason
    refused = monitor(*on_one, "--actor", "Officer", "--reason", "x")
    assert refused.code == 1
    assert "Officer is a safety officer and may not assess causality; roles that may: investigator, sponsor" in refused.err
    arguments = ("--level", "possible", "--actor", "Rev", "--reason", "onset two days after the session")
    wrong = monitor("case", "assess", "S1-01/1", "--component", "aspirin", *arguments)
    assert (wrong.code, "'aspirin' is no component of study S1" in wrong.err) == (1, True)
    assert monitor("case", "assess", "S1-01/1", "--component", name, "--level", "maybe", *arguments[2:]).code == 1
    assert monitor("case", "assess", "S1-01", "--component", name, *arguments).code == 1
    done = monitor("case", "assess", "S1-01/1", "--component", name, *arguments, "--json").json
    assert done["related"] is True
    assert "sponsor reviewer Rev" in done["decided_by"]
    stated = monitor("case", "assess", "S1-01/1", "--component", name, "--level", "unlikely", "--actor", "One", "--reason", "x")
    assert "For expedited reporting, if serious: related, by investigator and sponsor reviewer Rev" in stated.out
    opinions = monitor("case", "show", "S1-01/1", "--json").json["opinions"]
    of_one = {each["author"]: each for each in opinions if each["component"] == name}
    people = {author: each for author, each in of_one.items() if author != "system"}
    assert {author: (each["level"], each["given_by"], each["reason"]) for author, each in people.items()} == {
        "investigator": ("Y", None, "AEREL, of all treatment"),  # the study asks for no opinion on components
        "investigator_stated": ("UNLIKELY", "One", "x"),
        "sponsor_reviewer": ("POSSIBLE", "Rev", "onset two days after the session"),
    }
    assert all(each["at"] for each in opinions)
    assert 0 <= of_one["system"]["share"] <= 1
    assert [each["leading"] for each in opinions].count(True) == 1
    shown = monitor("case", "show", "S1-01/1")
    words = " ".join(shown.out.split())
    assert "AE 1: Pneumothorax, grade 3, serious, from 2026-01-06" in shown.out
    assert "The system's reasons: Pneumothorax (grade 3):" in shown.out
    assert f"For expedited reporting, {name}: related, by investigator and sponsor reviewer Rev" in words
    assert "the data say nothing, One stated unlikely" in words
    mild = monitor("case", "show", "S1-02/1")
    assert "Not serious: no expedited reporting." in mild.out
    assert monitor("case", "show", "S1-02/1", "--json").json["for_reporting"] is None
    assert "S1-01 has no event with AESEQ 7 in study S1" in monitor("case", "show", "S1-01/7").err
    monitor("import", "data")  # the site's data again: the reviewer's opinion stays
    again = monitor("case", "show", "S1-01/1", "--json").json["opinions"]
    assert [each["given_by"] for each in again if each["author"] == "sponsor_reviewer"] == ["Rev"]
    assert monitor("audit", "verify").code == 0
