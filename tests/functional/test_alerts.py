"""alerts: the outbox as a person sees it, acknowledges and pushes it."""

from __future__ import annotations

import shutil
import sqlite3
from email import policy
from email.parser import BytesParser

import pytest


@pytest.fixture
def owed(monitor, desk):
    monitor("import", "data")
    return monitor("alerts", "list", "--json").json


def test_list(monitor, owed):
    assert {(a["kind"], a["state"], a["usubjid"], a["aeseq"], a["recipient_email"]) for a in owed} == {
        ("sae_new", "pending", "S1-01", 1, "officer@example.org"),
        ("sae_new", "pending", "S1-01", 1, "one@example.org"),
        ("susar", "pending", "S1-01", 1, "officer@example.org"),
    }
    assert monitor("alerts", "list", "--state", "sent", "--json").json == []
    assert monitor("alerts", "list", "--study", "S1", "--json").json == owed
    unknown = monitor("alerts", "list", "--study", "S2")
    assert unknown.code == 1
    assert "'S2' is not in the database" in unknown.err
    assert monitor("alerts", "list", "--state", "lost").code == 2
    shown = monitor("alerts", "list")
    assert "Pneumothorax" in shown.out
    assert "3 alerts" in shown.out


def test_show(monitor, owed):
    answer = monitor("alerts", "show", owed[0]["id"], "--json")
    assert (answer.code, answer.json["attempts"]) == (0, [])
    shown = monitor("alerts", "show", owed[0]["id"])
    assert shown.code == 0
    assert "Pneumothorax" in shown.out
    absent = monitor("alerts", "show", "999")
    assert absent.code == 1
    assert "No alert has the number 999" in absent.err
    assert monitor("alerts", "show", "first").code == 2


def test_retry_makes_an_unsent_alert_due(monitor, desk, owed):
    connection = sqlite3.connect(desk / "safety_monitor.db")
    due = connection.execute("SELECT next_attempt_at FROM alert WHERE id = ?", (owed[0]["id"],)).fetchone()
    answer = monitor("alerts", "retry", owed[0]["id"], "--actor", "Wu", "--json")
    assert answer.json == {"alert": owed[0]["id"], "due": True}
    assert connection.execute("SELECT next_attempt_at FROM alert WHERE id = ?", (owed[0]["id"],)).fetchone() > due
    connection.close()
    assert monitor("alerts", "retry", "999").code == 1


def test_acknowledged_once_by_the_code_of_the_mail(monitor, demonstration, tmp_path):
    folder = shutil.copytree(demonstration[0], tmp_path / "demo")
    config = ("--config", folder / "config.yaml")
    told = monitor("alerts", "list", *config, "--json").json
    alert = next(each for each in told if each["kind"] != "digest" and each["digest_id"] is None)
    detail = monitor("alerts", "show", alert["id"], *config, "--json").json
    code = detail["ack_code"]
    [mail] = [
        found
        for path in (folder / "mailbox").glob("*.eml")
        if (found := BytesParser(policy=policy.default).parsebytes(path.read_bytes()))["Message-ID"] == detail["message_id"]
    ]
    assert code in mail.get_body(("plain",)).get_content()
    assert [attempt["outcome"] for attempt in detail["attempts"]] == ["accepted"]
    answer = monitor("alerts", "ack", f" {code.lower()} ", "--actor", "Wu", *config, "--json")
    assert answer.json == {"alert": alert["id"], "acknowledged": True}
    assert monitor("alerts", "ack", code, *config).code == 1
    [after] = monitor("alerts", "list", "--state", "acknowledged", *config, "--json").json
    assert after["id"] == alert["id"]
    assert monitor("alerts", "show", alert["id"], *config, "--json").json["acknowledged_by"] == "Wu"
    assert monitor("alerts", "retry", alert["id"], *config).code == 1


def test_the_code_of_a_digest_acknowledges_what_it_tells(monitor, demonstration, tmp_path):
    folder = shutil.copytree(demonstration[0], tmp_path / "demo")
    config = ("--config", folder / "config.yaml")
    told = monitor("alerts", "list", *config, "--json").json
    digest = next(each for each in told if each["kind"] == "digest")
    assert monitor("alerts", "ack", digest["ack_code"], "--actor", "Wu", *config).code == 0
    seen = {each["id"] for each in monitor("alerts", "list", "--state", "acknowledged", *config, "--json").json}
    assert seen == {digest["id"], *(each["id"] for each in told if each["digest_id"] == digest["id"])}
    assert len(seen) > 5


def test_a_code_that_was_never_given(monitor, owed):
    answer = monitor("alerts", "ack", "NOSUCHCODE")
    assert answer.code == 1
    assert "'NOSUCHCODE'" in answer.err
