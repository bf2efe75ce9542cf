"""The commands as a person types them: in this process where cases are many, the installed script where it counts."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import pytest

from safety_monitor.cli import main

SCRIPT = Path(sys.executable).parent / "safety-monitor"
CONFIG = """
organisation: Test sponsor
people:
  - {name: Officer, email: officer@example.org, role: safety_officer}
  - {name: One, email: one@example.org, role: investigator, sites: ["01"]}
jobs:
  - {name: weekly, job: dsmb_report, cron: "0 6 * * mon", timezone: UTC}
"""
STUDY = """
study: {id: S1, title: A small study, timezone: UTC}
components:
  - {name: ablation, kind: procedure, profile: ablation, match: [MICROWAVE ABLATION]}
  - {name: lenvatinib, profile: lenvatinib, match: [LENVATINIB]}
"""
SUBJECTS = [{"USUBJID": f"S1-0{n}", "SITEID": "01", "RFXSTDTC": "2026-01-05", "RFXENDTC": "2026-03-01"} for n in (1, 2)]
DOSES = [
    {"USUBJID": f"S1-0{n}", "EXSEQ": "1", "EXTRT": "LENVATINIB", "EXDOSE": "8", "EXSTDTC": "2026-01-05",
     "EXENDTC": "2026-03-01"} for n in (1, 2)
]  # fmt: skip
EVENTS = [
    {"USUBJID": "S1-01", "AESEQ": "1", "AETERM": "pneumothorax", "AEDECOD": "Pneumothorax", "AETOXGR": "3",
     "AESER": "Y", "AESHOSP": "Y", "AEREL": "Y", "AESTDTC": "2026-01-06"},
    {"USUBJID": "S1-02", "AESEQ": "1", "AETERM": "high blood pressure", "AEDECOD": "", "AETOXGR": "2",
     "AESER": "N", "AESHOSP": "", "AEREL": "Y", "AESTDTC": "2026-02"},
]  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def write_csv(path: Path, rows: list[dict[str, str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_study(folder: Path, study_id: str = "S1") -> Path:
    """A folder with two subjects, one serious event and one that is not."""
    for domain, rows in (("dm", SUBJECTS), ("ex", DOSES), ("ae", EVENTS)):
        write_csv(folder / f"{domain}.csv", [{"STUDYID": study_id, "DOMAIN": domain.upper(), **row} for row in rows])
    (folder / "study.yaml").write_text(STUDY.replace("id: S1", f"id: {study_id}"), encoding="utf-8")
    return folder


def run_script(*arguments: str | Path, cwd: Path, **environment: str) -> Answer:
    """The installed console script, in a process of its own."""
    done = subprocess.run(
        [SCRIPT, *arguments], cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, timeout=900
    )
    return Answer(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def script() -> Callable[..., Answer]:
    return run_script


@pytest.fixture
def monitor(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Answer]:
    """The same command line, in this process, from the test's own folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Answer:
        monkeypatch.setattr(sys, "argv", ["safety-monitor", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Answer(int(ended.value.code or 0), printed.out, printed.err)

    return run


@pytest.fixture
def desk(tmp_path: Path, sqlite_template: Path) -> Path:
    """A folder with a configuration, an empty up-to-date database and a small study in ``data``."""
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    shutil.copy(sqlite_template, tmp_path / "safety_monitor.db")
    write_study(tmp_path / "data")
    return tmp_path


@pytest.fixture
def put_study() -> Callable[..., Path]:
    return write_study


@pytest.fixture
def put_csv() -> Callable[[Path, list[dict[str, str]]], Path]:
    return write_csv


@pytest.fixture
def events() -> list[dict[str, str]]:
    """The AE rows of the small study."""
    return [{"STUDYID": "S1", "DOMAIN": "AE", **row} for row in EVENTS]


@pytest.fixture(scope="session")
def demonstration(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> tuple[Path, Any]:
    """One run of ``demo`` by the installed script, by whichever worker comes first: its folder and what it said as JSON."""
    own = tmp_path_factory.getbasetemp()
    folder = (own if worker_id == "master" else own.parent) / "demonstration"
    with filelock.FileLock(folder.with_suffix(".lock")):
        said = folder / "said.json"
        if not said.exists():
            folder.mkdir(exist_ok=True)
            answer = run_script("demo", "--out", "here", "--json", cwd=folder)
            assert answer.code == 0, answer.err
            said.write_text(answer.out, encoding="utf-8")
    return folder / "here", json.loads(said.read_text("utf-8"))
