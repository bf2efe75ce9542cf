"""report dsmb: issued, kept, and made again from what was kept."""

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
