"""run-job: one period of one job, done once however often it is asked for."""

from __future__ import annotations

import hashlib
import sqlite3


def test_a_period_is_done_once(monitor, desk):
    monitor("import", "data")
    first = monitor("run-job", "weekly", "--period", "2026-06-29", "--json")
    assert first.code == 0, first.err
    assert (first.json["job"], first.json["period"], first.json["status"]) == (
        "weekly", "2026-06-29T06:00:00+00:00", "done",
    )  # fmt: skip
    [report] = (desk / "reports").glob("*.pdf")
    assert report.name.startswith("S1-dsmb-20260629")
    written = hashlib.sha256(report.read_bytes()).hexdigest(), report.stat().st_mtime_ns
    again = monitor("run-job", "weekly", "--period", "2026-06-29", "--json")
    assert (again.code, again.json["status"]) == (0, "done")
    assert "ended at" in again.json["detail"]
    assert (hashlib.sha256(report.read_bytes()).hexdigest(), report.stat().st_mtime_ns) == written
    connection = sqlite3.connect(desk / "safety_monitor.db")
    assert connection.execute("SELECT count(*), max(n_attempts) FROM job_run").fetchall() == [(1, 1)]
    assert connection.execute("SELECT count(*) FROM issued_report").fetchall() == [(1,)]
    connection.close()


def test_refusals(monitor, desk):
    unknown = monitor("run-job", "monthly")
    assert unknown.code == 1
    assert "no job is called 'monthly'; jobs of config.yaml: weekly" in unknown.err
    assert monitor("run-job", "weekly", "--period", "someday").code == 1
    assert monitor("run-job", "weekly", "--period", "2026-06-30").code == 1
    assert monitor("run-job").code == 2


def test_a_job_that_fails_is_a_problem_and_is_kept(monitor, desk):
    monitor("import", "data")
    (desk / "reports").write_text("a file where the folder should be")
    answer = monitor("run-job", "weekly", "--period", "2026-06-29")
    assert answer.code == 1
    assert "The job weekly failed" in answer.err
    problems = [finding for finding in monitor("doctor", "--json").json if not finding["ok"]]
    assert "job weekly" in [finding["what"] for finding in problems]


def test_without_a_study_it_says_so(monitor, desk):
    answer = monitor("run-job", "weekly", "--period", "2026-06-29", "--json")
    assert answer.code == 0
    assert answer.json["detail"] == "no study in the database"
