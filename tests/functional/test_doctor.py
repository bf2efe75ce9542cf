"""doctor: 0 where all is in order, else 1 with each problem and its remedy."""

from __future__ import annotations

import socket

import pytest

QUIET = "people:\n  - {name: Officer, email: officer@example.org, role: safety_officer}\n"


def problems(answer):
    return {finding["what"]: finding for finding in answer.json if not finding["ok"]}


def test_all_in_order(monitor, desk):
    (desk / "config.yaml").write_text(QUIET, encoding="utf-8")
    answer = monitor("doctor")
    assert answer.code == 0, answer.out
    assert "PROBLEM" not in answer.out
    found = {finding["what"] for finding in monitor("doctor", "--json").json}
    assert {"native libraries", "fonts, Latin", "fonts, Chinese", "safety officer", "mail", "database", "audit chain",
            "outbox", "scheduler"} <= found  # fmt: skip


def test_a_fresh_folder_lacks_people_and_database(monitor):
    answer = monitor("doctor", "--json")
    assert answer.code == 1
    found = problems(answer)
    assert set(found) == {"safety officer", "database"}
    assert "safety-monitor init" in found["database"]["remedy"]
    assert "role safety_officer" in found["safety officer"]["remedy"]
    shown = monitor("doctor")
    assert "2 problem(s): safety officer, database" in shown.err
    assert "run safety-monitor init" in shown.out


def test_a_schedule_that_nobody_runs(monitor, desk):
    assert problems(monitor("doctor", "--json")).keys() == {"scheduler"}


def test_a_mail_server_that_does_not_answer(monitor, desk):
    with socket.socket() as taken:  # bound, never listening: refused at once, and nobody else's
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        mail = f"mail: {{transport: smtp, host: 127.0.0.1, port: {port}, security: none, timeout_seconds: 2}}\n"
        (desk / "config.yaml").write_text(QUIET + mail, encoding="utf-8")
        found = problems(monitor("doctor", "--json"))
    assert set(found) == {"mail"}
    assert f"127.0.0.1:{port}" in found["mail"]["seen"]


def test_alerts_that_are_owed_to_nobody(monitor, desk):
    (desk / "config.yaml").write_text("organisation: X\n", encoding="utf-8")
    monitor("import", "data")
    assert {"recipients", "safety officer"} <= problems(monitor("doctor", "--json")).keys()


@pytest.mark.parametrize("url", ["no url", "oracle://x", "postgresql://nobody@127.0.0.1:1/none"])
def test_a_database_that_cannot_be_reached(monitor, desk, monkeypatch, url):
    monkeypatch.setenv("SAFETY_MONITOR_DATABASE_URL", url)
    answer = monitor("doctor", "--json")
    assert answer.code == 1
    assert "database" in problems(answer)


def test_a_file_that_is_no_database(monitor, desk):
    (desk / "safety_monitor.db").write_bytes(b"not a database " * 100)
    answer = monitor("doctor", "--json")
    assert answer.code == 1
    assert "database" in problems(answer)
    assert "Traceback" not in answer.err
