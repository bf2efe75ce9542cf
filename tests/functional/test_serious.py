"""case override, case draft, clocks, report safety: a serious event as people work on it."""

from __future__ import annotations

import subprocess

import pytest

EVENT = "S1-01/1"
REVIEWER = "  - {name: Rev, email: rev@example.org, role: sponsor_reviewer}\n"


@pytest.fixture
def imported(monitor, desk):
    """The small study in China, with somebody who may decide."""
    config = desk / "config.yaml"
    config.write_text(config.read_text("utf-8").replace("jobs:", REVIEWER + "jobs:"), encoding="utf-8")
    study = desk / "data" / "study.yaml"
    study.write_text(study.read_text("utf-8") + "jurisdictions: [NMPA]\n", encoding="utf-8")
    assert monitor("import", "data").code == 0
    return monitor("clocks", "list", "--json").json


def test_a_clock_says_its_rule_its_day_and_since_when(monitor, imported):
    (clock,) = imported
    assert (clock["rule_id"], clock["component"], clock["state"], clock["late"]) == (
        "NMPA-SUSAR-15D",
        "lenvatinib",
        "running",
        False,
    )
    assert clock["aware_basis"] == "import"
    shown = monitor("clocks", "list")
    assert "NMPA-SUSAR-15D" in shown.out
    assert "1 clocks, 0 late" in shown.out
    assert monitor("clocks", "list", "--overdue", "--json").json == []
    assert monitor("clocks", "list", "--study", "S9").code == 1


def test_case_show_tells_every_input_of_the_decision(monitor, imported):
    shown = monitor("case", "show", EVENT).out
    assert "lenvatinib: SUSAR. serious; related (investigator: Y); unexpected (not listed)" in shown
    assert "NMPA-SUSAR-15D (lenvatinib)" in shown
    told = monitor("case", "show", EVENT, "--json").json
    assert [duty["rule_id"] for duty in told["reporting"]["duties"]] == ["NMPA-SITE-24H", "NMPA-SUSAR-15D"]
    assert [clock["state"] for clock in told["clocks"]] == ["running"]


def test_override_ends_and_renews_a_clock(monitor, imported):
    said = ("case", "override", EVENT, "--actor", "Rev", "--reason", "as in the protocol")
    answer = monitor(*said, "--susar", "no", "--component", "lenvatinib")
    assert answer.code == 0
    assert "lenvatinib: no SUSAR" in answer.out
    assert [clock["state"] for clock in monitor("clocks", "list", "--all", "--json").json] == ["cancelled"]
    taken_back = monitor(*said, "--susar", "none", "--component", "lenvatinib", "--json").json
    assert taken_back["reporting"]["judgements"][1]["susar"] is True
    assert [clock["cause"] for clock in monitor("clocks", "list", "--json").json] == ["reopened"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--actor", "Rev"), "Decide one thing at a time"),
        (("--actor", "Rev", "--grade", "6"), "'6' is no CTCAE grade"),
        (("--actor", "Rev", "--susar", "no"), "name it with --component"),
        (("--actor", "One", "--grade", "4"), "One is an investigator and may not override case"),
    ],
)
def test_overrides_that_are_refused(monitor, imported, arguments, message):
    answer = monitor("case", "override", EVENT, "--reason", "r", *arguments)
    assert answer.code == 1
    assert message in answer.err


def test_a_report_that_was_made(monitor, imported):
    number = imported[0]["id"]
    assert "no time zone" in monitor("clocks", "met", number, "--actor", "Rev", "--reason", "x", "--at", "2026-03-01T10:00").err
    answer = monitor("clocks", "met", number, "--actor", "Officer", "--reason", "CDE 2026-17")
    assert (answer.code, "in time" in answer.out) == (0, True)
    assert monitor("clocks", "list", "--json").json == []
    again = monitor("clocks", "met", number, "--actor", "Officer", "--reason", "x")
    assert (again.code, "it is met" in again.err) == (1, True)
    assert "no clock has the number 99" in monitor("clocks", "met", "99", "--actor", "Officer", "--reason", "x").err


def test_a_draft_from_the_telephone_to_the_record(monitor, imported):
    said = ("--actor", "Officer", "--reason", "phoned")
    made = monitor(
        "case", "draft", "S1-02", "--term", "stroke", "--criterion", "aeslife", "--aware-at", "2026-02-11T20:00", *said
    )
    assert (made.code, "Draft D1: Stroke, S1-02" in made.out) == (0, True)
    (draft,) = monitor("case", "list", "--drafts", "--json").json
    assert (draft["id"], draft["aware_at"]) == ("D1", "2026-02-11 20:00:00+00:00")
    assert "1 drafts" in monitor("case", "list", "--drafts").out
    assert monitor("case", "list", "--drafts", "--site", "09", "--json").json == []
    assert "Say which record of the data D1 is" in monitor("case", "confirm", "D1", *said).err
    assert "is AESEQ 1" in monitor("case", "confirm", "D1", "--event", "1", *said).out
    assert monitor("case", "list", "--drafts", "--json").json == []
    assert "no open draft" in monitor("case", "dismiss", "D1", *said).err
    assert "number of no draft" in monitor("case", "dismiss", "Dx", *said).err
    assert "has no subject" in monitor("case", "draft", "S1-99", "--term", "x", "--criterion", "aesdth", *said).err
    bad = monitor("case", "draft", "S1-02", "--term", "x", "--criterion", "aesdth", "--aware-at", "yesterday", *said)
    assert "is not an ISO 8601 date" in bad.err


def test_the_safety_officers_report(monitor, imported, desk):
    answer = monitor("report", "safety", "--out", "s.pdf", "--json").json
    assert answer["kind"] == "safety"
    text = subprocess.run(["pdftotext", "-layout", desk / "s.pdf", "-"], capture_output=True, text=True, check=True).stdout
    for words in (
        "Safety officer’s report",
        "Reports that are due",
        "NMPA-SUSAR-15D, lenvatinib",
        "Alerts of the period",
        "nobody",
    ):
        assert words in text
    again = monitor("report", "dsmb", "--snapshot", answer["snapshot_sha256"], "--out", "again.pdf", "--json").json
    assert again["sha256"] == answer["sha256"]
