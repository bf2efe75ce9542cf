"""audit: who changed what, and whether somebody went round it."""

from __future__ import annotations

import sqlite3

import pytest


@pytest.fixture
def history(monitor, desk, put_csv, events):
    """A study imported by Wu and corrected by Li; the path of its database."""
    monitor("import", "data", "--actor", "Wu", "--reason", "first transfer")
    put_csv(desk / "data" / "ae.csv", [events[0] | {"AETOXGR": "4"}, events[1]])
    monitor("import", "data", "--actor", "Li", "--reason", "query 7")
    return desk / "safety_monitor.db"


def test_who_what_when_why(monitor, history):
    entries = monitor("audit", "list", "--table", "adverse_event", "--json").json
    change = entries[-1]
    assert (change["actor"], change["reason"], change["action"]) == ("Li", "query 7", "update")
    assert change["changes"]["grade"] == [3, 4]
    assert {entry["table"] for entry in entries} == {"adverse_event"}
    one = monitor("audit", "list", "--table", "adverse_event", "--key", change["key"], "--json").json
    assert [entry["actor"] for entry in one] == ["Wu", "Li"]
    shown = monitor("audit", "list", "--limit", "1")
    assert shown.code == 0
    assert "1 entries" in shown.out
    assert "(query 7)" in shown.out
    assert monitor("audit", "list", "--limit", "0").code == 2


def test_an_intact_chain(monitor, history):
    assert monitor("audit", "verify").out.startswith("The audit chain is intact")
    answer = monitor("audit", "verify", "--json")
    assert (answer.code, answer.json["intact"], answer.json["faults"]) == (0, True, [])
    assert answer.json["entries"] == len(monitor("audit", "list", "--limit", "999", "--json").json)


TAMPERING = {
    "a row changed beside the triggers": "UPDATE adverse_event SET grade = 1 WHERE usubjid = 'S1-01'",
    "a row taken away": "DELETE FROM component_opinion WHERE event_id = 1",
    "an entry changed": "UPDATE audit SET actor = 'Nobody' WHERE seq = 3",
    "an entry taken away": "DELETE FROM audit WHERE seq = 5",
    "the end cut off": "DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)",
    "a trigger that stays away": "SELECT 1",
}


@pytest.mark.parametrize("statement", TAMPERING.values(), ids=TAMPERING)
def test_tampering_is_found(monitor, history, statement):
    connection = sqlite3.connect(history, isolation_level=None)
    triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    assert triggers
    connection.execute("PRAGMA foreign_keys = OFF")
    for name, _ in triggers:
        connection.execute(f'DROP TRIGGER "{name}"')
    connection.execute(statement)
    if statement != TAMPERING["a trigger that stays away"]:
        for _, sql in triggers:
            connection.execute(sql)
    connection.close()
    answer = monitor("audit", "verify", "--json")
    assert answer.code == 1
    assert answer.json["intact"] is False
    assert answer.json["faults"]
    assert "The audit chain is broken" in answer.err
    assert "audit chain" in {finding["what"] for finding in monitor("doctor", "--json").json if not finding["ok"]}
