"""backup and restore: as a person at 03:00 types them (what they prove: tests/workflow/test_backing_up.py)."""

from __future__ import annotations


def test_there_and_back(monitor, desk):
    monitor("import", "data")
    alerts = monitor("alerts", "list", "--json").json
    made = monitor("backup", "night.backup")
    assert (made.code, "audit entries, head" in made.out) == (0, True)
    assert "exists; name another file" in monitor("backup", "night.backup").err
    assert monitor("backup", "night.backup", "--replace", "--json").json["backend"] == "sqlite"
    assert "say --replace" in monitor("restore", "night.backup").err
    (desk / "safety_monitor.db").unlink()
    back = monitor("restore", "night.backup")
    assert back.code == 0
    assert "import what came in since" in back.out
    assert "deliveries.jsonl (NOT FOUND)" in back.out
    assert monitor("alerts", "list", "--json").json == alerts
    assert monitor("audit", "verify").code == 0
    assert monitor("restore", "night.backup", "--replace", "--json").json["restored"] is True
    assert "does not exist" in monitor("restore", "none.backup").err


def test_a_database_that_was_never_set_up(monitor):
    assert "run safety-monitor init first" in monitor("backup", "x.backup").err
