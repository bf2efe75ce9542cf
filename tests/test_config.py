"""Configuration: file, environment over it, paths from the file's folder, faults by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from safety_monitor.config import load, load_study
from safety_monitor.study import SettingsError

OFFICER = "people:\n  - {name: A, email: a@example.org, role: safety_officer}\n"


def written(folder: Path, content: str, name: str = "config.yaml") -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def test_without_a_file_there_are_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = load(Path("config.yaml"), {})
    assert config.database_url == f"sqlite:///{tmp_path / 'safety_monitor.db'}"
    assert (config.mail.transport, config.people, config.jobs, config.default_study) == ("folder", (), (), None)
    assert load(written(tmp_path, ""), {}) == config


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///mine.db", "sqlite:///{folder}/mine.db"),
        ("sqlite:///sub/mine.db", "sqlite:///{folder}/sub/mine.db"),
        ("sqlite:////abs/mine.db", "sqlite:////abs/mine.db"),
        ("postgresql://u@h/name", "postgresql://u@h/name"),
        ("sqlite://", "sqlite://"),
    ],
)
def test_database_url(tmp_path: Path, url: str, expected: str) -> None:
    path = written(tmp_path, f"database: {{url: '{url}'}}\n")
    assert load(path, {}).database_url == expected.format(folder=tmp_path)


def test_relative_paths_are_taken_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "etc").mkdir()
    written(tmp_path / "etc", "reports: out\n")
    monkeypatch.chdir(tmp_path)
    config = load(Path("etc/config.yaml"), {})
    assert config.at(config.reports) == tmp_path / "etc" / "out"
    assert config.at(Path("/var/x")) == Path("/var/x")


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "organisation: File\nmail: {host: file.example.org, port: 25}\n")
    environment = {
        "SAFETY_MONITOR_MAIL_HOST": "env.example.org", "SAFETY_MONITOR_MAIL_PORT": "587",
        "SAFETY_MONITOR_MAIL_PASSWORD": "s3cret", "SAFETY_MONITOR_DELIVERY_LEASE_SECONDS": "9",
        "SAFETY_MONITOR_UNKNOWN": "left alone", "ORGANISATION": "not ours",
    }  # fmt: skip
    config = load(path, environment)
    assert (config.organisation, config.mail.host, config.mail.port) == ("File", "env.example.org", 587)
    assert config.delivery.lease_seconds == 9
    assert config.mail.password is not None
    assert config.mail.password.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(config)
    assert "s3cret" not in config.model_dump_json()


def test_a_key_given_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="organisation is given twice"):
        load(written(tmp_path, "organisation: A\norganisation: B\n"), {})


def test_a_named_file_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="does not exist"):
        load(tmp_path / "confg.yaml", {})


def test_a_fault_in_the_environment_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"mail\.port"):
        load(written(tmp_path, ""), {"SAFETY_MONITOR_MAIL_PORT": "many"})


def test_the_study_may_stand_in_the_same_file(tmp_path: Path) -> None:
    config = load(written(tmp_path, OFFICER + "study: {id: S1}\nrelated: [POSSIBLE]\n"), {})
    assert config.default_study is not None
    assert (config.default_study.id, config.default_study.related) == ("S1", ("POSSIBLE",))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("related: [Y]\n", "config.yaml: unknown key 'related'"),  # a study part without a study
        ("study: {id: S1}\nstoping: []\n", "unknown key 'stoping'"),
        ("study: {id: S1, titel: x}\n", "unknown key 'default_study.study.titel'; did you mean 'title'?"),
        ("mail: {transport: pigeon}\n", "mail.transport"),
        ("page_size: A3\n", "page_size"),
        ("people:\n  - {name: A, email: a@b.c, role: boss}\n", "people.0.role"),
        ("people:\n  - {name: A, email: a@b.c, role: investigator}\n", "A is an investigator and needs sites"),
        ("people:\n  - {name: A, email: a@b.c, role: safety_officer, langage: zh}\n", "did you mean 'language'?"),
        ("routes:\n  - {roles: [safety_officer], min_grade: 6}\n", "routes.0.min_grade"),
        ("jobs:\n  - {name: a, job: dsmb_report, cron: '0 7 * * 1'}\n", "name week days"),
        ("jobs:\n  - {name: a, job: dsmb_report, cron: '0 7 * * mon', timezone: Asia}\n", "'Asia' is not an IANA"),
        ("jobs:\n  - {name: a, job: dsmb_report, cron: '61 7 * * mon'}\n", "is no calendar"),
        ("jobs:\n  - &a {name: a, job: dsmb_report, cron: '0 7 * * mon'}\n  - *a\n", "a name of its own"),
        ("jobs:\n  - {name: a, job: clean, cron: '0 7 * * mon'}\n", "jobs.0.job"),
        ("just text\n", "expected keys and values, found str"),
        ("a: b: c\n", "cannot be read as YAML"),
    ],
)
def test_refused_by_name(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(written(tmp_path, content), {})
    assert said in str(refused.value)


@pytest.mark.parametrize("name", ["config.yaml", "study.yaml"])
def test_a_file_that_is_not_text_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"study: {id: \xff\xfe}")
    with pytest.raises(SettingsError, match=name):
        load(tmp_path / name, {}) if name == "config.yaml" else load_study(tmp_path)


def test_study_yaml_beside_the_data(tmp_path: Path) -> None:
    assert load_study(tmp_path) is None
    written(tmp_path, "study: {id: S2, cutoff: 2026-06-30}\n", "study.yaml")
    study = load_study(tmp_path)
    assert study is not None
    assert (study.id, str(study.study.cutoff)) == ("S2", "2026-06-30")


@pytest.mark.parametrize("name", ["hcc_synth_demo", "pilot_low", "onc_rcd_armB"])
def test_shared_studies_are_readable(shared: Path, name: str) -> None:
    study = load_study(shared / "data" / name)
    assert study is not None
    assert study.components


def test_the_configuration_that_is_shipped(tmp_path: Path) -> None:
    config = load(Path(__file__).parents[1] / "config.yaml", {})
    assert config.default_study is not None
    assert config.people
