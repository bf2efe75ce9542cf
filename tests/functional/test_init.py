"""init: the database made, brought up to date, and the configuration checked."""

from __future__ import annotations

import pytest


def test_first_and_second_time(monitor, tmp_path):
    first = monitor("init", "--json")
    assert first.code == 0
    assert first.json["applied"]
    assert first.json["database"].endswith("safety_monitor.db")
    assert (tmp_path / "safety_monitor.db").exists()
    again = monitor("init", "--json")
    assert (again.code, again.json["applied"]) == (0, [])
    assert "up to date" in monitor("init").out


def test_the_environment_names_another_database(monitor, tmp_path, monkeypatch):
    monkeypatch.setenv("SAFETY_MONITOR_DATABASE_URL", f"sqlite:///{tmp_path / 'other.db'}")
    assert monitor("init").code == 0
    assert (tmp_path / "other.db").exists()
    assert not (tmp_path / "safety_monitor.db").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("organization: X\n", ["config.yaml", "'organization'", "did you mean 'organisation'?"]),
        ("mail: {prot: 25}\n", ["'mail.prot'", "did you mean 'port'?"]),
        ("people:\n  - {name: A, email: nobody, role: safety_officer}\n", ["people.0.email", "nobody"]),
        ("people:\n  - {name: A, email: a@b.c, role: investigator}\n", ["investigator and needs sites"]),
        ("jobs:\n  - {name: j, job: dsmb_report, cron: '0 7 * * 1'}\n", ["name week days"]),
        ("jobs:\n  - {name: j, job: dsmb_report, cron: '0 7 * *'}\n", ["4 fields"]),
        ("jobs:\n  - {name: j, job: dsmb_report, cron: '0 7 * * mon', timezone: Mars/North}\n", ["jobs.0.timezone"]),
        ("- a list\n", ["expected keys and values"]),
        ("a: [1\n", ["cannot be read as YAML"]),
    ],
)  # fmt: skip
def test_a_faulty_configuration_is_refused_by_name(monitor, tmp_path, content, said):
    (tmp_path / "config.yaml").write_text(content, encoding="utf-8")
    answer = monitor("init")
    assert answer.code == 1
    assert "Traceback" not in answer.err
    for words in said:
        assert words in answer.err
    assert not (tmp_path / "safety_monitor.db").exists()


def test_wrong_usage_is_another_exit_code(monitor):
    assert monitor("init", "--no-such-option").code == 2
    assert monitor("no-such-command").code == 2
