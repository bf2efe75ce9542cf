"""report: issued, kept, made again from what was kept, listed, signed and verified."""

from __future__ import annotations

import hashlib
import sqlite3

import pikepdf
import pytest


def test_issued_recorded_and_made_again_after_the_data_moved_on(monitor, desk, put_csv, events):
    config = desk / "config.yaml"
    config.write_text(config.read_text(encoding="utf-8") + "page_size: Letter\n", encoding="utf-8")
    monitor("import", "data")
    first = monitor("report", "dsmb", "--out", "a/first.pdf", "--json")
    assert first.code == 0, first.err
    content = (desk / "a" / "first.pdf").read_bytes()
    assert first.json["sha256"] == hashlib.sha256(content).hexdigest()
    assert (first.json["study_id"], first.json["n_bytes"]) == ("S1", len(content))
    with pikepdf.open(desk / "a" / "first.pdf") as report:
        assert [float(side) for side in report.pages[0].mediabox] == pytest.approx([0, 0, 612, 792], abs=1)
    put_csv(desk / "data" / "ae.csv", [events[0] | {"AETOXGR": "4"}, events[1]])
    monitor("import", "data")
    again = monitor("report", "dsmb", "--out", "again.pdf", "--snapshot", first.json["snapshot_sha256"][:10], "--json")
    assert again.code == 0
    assert (desk / "again.pdf").read_bytes() == content
    now = monitor("tables", "--out", "tables", "--json")
    assert now.json["snapshot"] != first.json["snapshot_sha256"]
    connection = sqlite3.connect(desk / "safety_monitor.db")
    kept = connection.execute("SELECT sha256 FROM issued_report").fetchall()
    connection.close()
    assert kept == [(first.json["sha256"],)]
    assert [path.name for path in (desk / "a").iterdir()] == ["first.pdf"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--snapshot", "ffff"], 1, "has a hash that begins with 'ffff'"),
        (["--snapshot", "ffff", "--cutoff", "2026-01-01"], 1, "leave --cutoff out"),
        (["--study", "S9"], 1, "'S9' is not in the database"),
        (["--cutoff", "soon"], 2, "--cutoff"),
    ],
)
def test_refusals(monitor, desk, arguments, code, said):
    monitor("import", "data")
    answer = monitor("report", "dsmb", "--out", "report.pdf", *arguments)
    assert answer.code == code
    assert said in answer.err
    assert not (desk / "report.pdf").exists()


def test_a_draft_in_chinese_then_the_final_report_signed_and_verified(monitor, desk):
    monitor("import", "data")
    draft = monitor("report", "dsmb", "--out", "d.pdf", "--draft", "--language", "zh", "--page-size", "Letter", "--json")
    assert draft.code == 0, draft.err
    assert [draft.json[name] for name in ("report", "mark", "language", "page_size")] == [1, "draft", "zh", "Letter"]
    final = monitor("report", "safety", "--out", "s.pdf", "--json").json
    assert (final["report"], final["mark"]) == (2, "final")
    assert "is a draft" in monitor("report", "sign", "1", "--meaning", "approved", "--actor", "Officer").err
    assert "may not sign report" in monitor("report", "sign", "2", "--meaning", "approved", "--actor", "One").err
    done = monitor("report", "sign", "2", "--meaning", "reviewed and approved", "--actor", "Officer", "--json")
    assert done.code == 0, done.err
    assert (done.json["name"], done.json["role"], done.json["sha256"]) == ("Officer", "safety_officer", final["sha256"])
    (desk / "s.pdf").rename(desk / "mailed.pdf")
    told = monitor("report", "verify", "mailed.pdf")
    assert told.code == 0
    assert "is report 2 (final) of S1" in told.out
    assert "signed by Officer (safety officer)" in told.out
    rows = monitor("report", "list", "--json").json
    assert [(row["id"], row["number"], row["mark"], len(row["signatures"])) for row in rows] == [
        (1, None, "draft", 0), (2, 1, "final", 1),
    ]  # fmt: skip
    assert "reviewed and approved" in monitor("report", "list").out
    (desk / "mailed.pdf").write_bytes((desk / "mailed.pdf").read_bytes() + b"\n")
    answer = monitor("report", "verify", "mailed.pdf", "--json")
    assert (answer.code, answer.json["reports"]) == (1, [])
    assert "is no report that was issued" in monitor("report", "verify", "mailed.pdf").err
    assert monitor("report", "verify", "absent.pdf").code == 1
