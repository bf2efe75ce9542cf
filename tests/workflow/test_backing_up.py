"""Backup and restore on both databases: what an archive proves, what is refused, and the disaster drill: a database is lost
in the middle of its work, and every mail that was ever owed is accepted exactly once over the whole story."""

from __future__ import annotations

import csv
import json
import sqlite3
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Literal

import pytest
from sqlalchemy import make_url

from safety_monitor import store
from safety_monitor.alerts.transport import Receipt
from safety_monitor.config import Config, Person
from safety_monitor.store import audit, ledger, outbox
from safety_monitor.workflow.backing_up import BackupError, back_up, restore
from safety_monitor.workflow.delivery import deliver_due
from safety_monitor.workflow.importing import import_paths

T0 = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
PEOPLE = (
    Person(name="Officer", email="officer@example.org", role="safety_officer"),
    Person(name="Monitor", email="monitor@example.org", role="medical_monitor", language="zh"),
    Person(name="One", email="one@example.org", role="investigator", sites=("01",)),
)
STUDY = """
study: {id: S1, title: Drill, timezone: Asia/Shanghai}
components: [{name: lenvatinib, profile: lenvatinib, match: [LENVATINIB]}]
jurisdictions: [NMPA]
"""


class Server:
    """A mail server: what it accepted, by Message-ID."""

    def __init__(self) -> None:
        self.accepted: list[str] = []
        self.room = 10**9

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def send(self, message: EmailMessage, recipient: str) -> Receipt:
        outcome: Literal["accepted", "temporary"] = "accepted" if self.room > 0 else "temporary"
        self.room -= 1
        if outcome == "accepted":
            self.accepted.append(str(message["Message-ID"]))
        return Receipt(outcome, "250 taken" if outcome == "accepted" else "452 full")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    data.mkdir()
    (data / "study.yaml").write_text(STUDY, encoding="utf-8")
    write(data / "dm.csv", [{"USUBJID": f"S1-0{n}", "SITEID": "01", "RFXSTDTC": "2026-01-05"} for n in range(1, 7)])
    return data


def write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def events(folder: Path, grades: dict[int, str]) -> Path:
    """One serious event a subject, of the grade given."""
    write(folder / "ae.csv", [
        {"USUBJID": f"S1-0{n}", "AESEQ": "1", "AETERM": "Colitis", "AEDECOD": "Colitis", "AETOXGR": grade, "AESER": "Y",
         "AESHOSP": "Y", "AEREL": "Y", "AESTDTC": "2026-02-01"} for n, grade in grades.items()
    ])  # fmt: skip
    return folder


@pytest.fixture
def config(database_url: str, tmp_path: Path) -> Config:
    return Config(
        base=tmp_path, database={"url": database_url}, people=PEOPLE, delivery={"digest_from": 100, "batch": 3}
    )  # type: ignore[arg-type]


class Site:
    """One installation: imports, deliveries and time."""

    def __init__(self, config: Config, server: Server) -> None:
        self.config, self.server, self.at = config, server, T0

    def imports(self, folder: Path) -> None:
        self.at += timedelta(hours=1)
        engine = store.connect(self.config.database_url)
        import_paths(engine, self.config, [folder], actor="drill", at=self.at)
        engine.dispose()

    def delivers(self, most: int = 10**9) -> None:
        self.at += timedelta(hours=1)
        self.server.room = most
        engine = store.connect(self.config.database_url)
        deliver_due(engine, self.server, self.config, lambda: self.at, "drill", lambda: self.server.room <= 0)
        engine.dispose()

    def rows(self) -> list[dict[str, Any]]:
        engine = store.connect(self.config.database_url)
        with store.reading(engine) as session:
            found = outbox.listing(session)
        engine.dispose()
        return found


@pytest.fixture
def lose(postgresql_or_none: Any) -> Callable[[Config], Config]:
    """Destroys a database; the configuration of the empty one that takes its place."""

    def lost(config: Config) -> Config:
        url = make_url(config.database_url)
        if url.get_backend_name() == "sqlite":
            for suffix in ("", "-wal", "-shm"):
                Path(f"{url.database}{suffix}").unlink(missing_ok=True)
            return config
        fresh = postgresql_or_none.fresh("template1")
        return config.model_copy(update={"database": config.database.model_copy(update={"url": fresh})})

    return lost


@pytest.fixture
def postgresql_or_none(request: pytest.FixtureRequest, database_url: str) -> Any:
    return request.getfixturevalue("postgresql") if database_url.startswith("postgresql") else None


def test_the_drill(config: Config, folder: Path, tmp_path: Path, lose: Callable[[Config], Config]) -> None:
    """Mails are sent before and after the backup, data come in after it; the newest data are imported again at the end."""
    server = Server()
    site = Site(config, server)
    site.imports(events(folder, {1: "3", 2: "3"}))
    site.delivers(most=4)
    archive = tmp_path / "night.backup"
    made = back_up(config, archive, site.at)
    site.delivers(most=3)  # after the backup: the restored database will take these for unsent
    site.imports(events(folder, {1: "4", 2: "3", 3: "3"}))
    site.delivers(most=5)
    owed = {row["message_id"] for row in site.rows()}
    before = list(server.accepted)
    assert len(before) == 12
    assert len(set(before)) == 12

    site.config = lose(config)
    manifest = restore(site.config, archive, site.at)
    assert manifest == made
    assert sum(row["state"] == "pending" for row in site.rows()) == 6  # of 10 before the backup, of which 3 went out after it
    site.imports(folder)  # the newest data again
    site.delivers()
    assert {row["message_id"] for row in site.rows()} == owed
    assert {row["state"].value for row in site.rows()} == {"sent"}
    assert Counter(server.accepted) == Counter(owed)  # every mail ever owed, once
    site.delivers()
    assert Counter(server.accepted) == Counter(owed)


def test_what_changed_after_the_restore_is_sent_although_its_key_was_sent_before(
    config: Config, folder: Path, tmp_path: Path, lose: Callable[[Config], Config]
) -> None:
    """Version 2 of the event was grade 4 when it was lost, and is grade 5 when it is imported again: that must be told."""
    server = Server()
    site = Site(config, server)
    site.imports(events(folder, {1: "3"}))
    site.delivers()
    archive = tmp_path / "night.backup"
    back_up(config, archive, site.at)
    site.imports(events(folder, {1: "4"}))
    site.delivers()
    n_before = len(server.accepted)
    site.config = lose(config)
    restore(site.config, archive, site.at)
    site.imports(events(folder, {1: "5"}))
    site.delivers()
    told = [row for row in site.rows() if row["kind"] in ("sae_changed", "sae_upgraded")]
    assert {row["grade"] for row in told} == {5}
    assert len(server.accepted) > n_before
    assert {row["message_id"] for row in told} <= set(server.accepted[n_before:])


def test_with_the_journal_lost_nothing_is_lost_and_repeats_are_recognisable(
    config: Config, folder: Path, tmp_path: Path, lose: Callable[[Config], Config]
) -> None:
    server = Server()
    site = Site(config, server)
    site.imports(events(folder, {1: "3", 2: "3"}))
    site.delivers(most=2)
    archive = tmp_path / "night.backup"
    back_up(config, archive, site.at)
    site.delivers()
    owed = {row["message_id"] for row in site.rows()}
    assert config.journal is not None
    config.journal.unlink()
    site.config = lose(config)
    restore(site.config, archive, site.at)
    site.delivers()
    assert set(server.accepted) == owed
    assert {n for n in Counter(server.accepted).values()} == {1, 2}
    assert sum(n == 2 for n in Counter(server.accepted).values()) == len(owed) - 2


def test_another_database_beside_the_same_journal_is_not_silenced(
    config: Config, folder: Path, lose: Callable[[Config], Config]
) -> None:
    server = Server()
    site = Site(config, server)
    site.imports(events(folder, {1: "3"}))
    site.delivers()
    n_mails = len(server.accepted)
    site.config = lose(config)
    store.upgrade(site.config.database_url)
    site.at += timedelta(days=1)
    site.imports(folder)
    site.delivers()
    assert Counter(server.accepted) == Counter(server.accepted[:n_mails] * 2)


def test_an_archive_says_what_it_holds(config: Config, folder: Path, tmp_path: Path) -> None:
    Site(config, Server()).imports(events(folder, {1: "3"}))
    out = tmp_path / "a" / "b.backup"
    manifest = back_up(config, out, T0)
    engine = store.connect(config.database_url)
    with store.reading(engine) as session:
        assert (manifest.audit_seq, manifest.head) == audit.head(session)
    engine.dispose()
    assert manifest.n_rows["adverse_event"] == 1
    assert out.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(out) as packed:
        assert json.loads(packed.read("manifest.json"))["sha256"] == manifest.sha256
        assert len(packed.namelist()) == 2
    assert [each.name for each in out.parent.iterdir()] == ["b.backup"]
    with pytest.raises(BackupError, match=r"b\.backup exists"):
        back_up(config, out, T0)
    again = back_up(config, out, T0, replace=True)
    assert replace(again, sha256="") == replace(manifest, sha256="")  # pg_dump writes the second of its own clock into the file


def test_a_database_that_holds_data_is_not_overwritten(config: Config, folder: Path, tmp_path: Path) -> None:
    site = Site(config, Server())
    site.imports(events(folder, {1: "3"}))
    archive = tmp_path / "x.backup"
    back_up(config, archive, T0)
    site.imports(events(folder, {1: "4"}))
    n_alerts = len(site.rows())
    with pytest.raises(BackupError, match="holds data"):
        restore(config, archive, T0)
    assert len(site.rows()) == n_alerts
    if config.database_url.startswith("postgresql"):
        with pytest.raises(BackupError, match="create an empty one"):
            restore(config, archive, T0, replace=True)
        return
    engine = store.connect(config.database_url)
    ledger.beat(engine, "scheduler", site.at, "running as x")
    engine.dispose()
    with pytest.raises(BackupError, match="stop safety-monitor run first"):
        restore(config, archive, site.at + timedelta(seconds=30), replace=True)
    restore(config, archive, site.at + timedelta(hours=1), replace=True)
    assert len(site.rows()) < n_alerts
    (aside,) = (path for path in tmp_path.glob("test.db.before-restore-*") if path.suffix not in ("-wal", "-shm"))
    with sqlite3.connect(aside) as kept:
        assert kept.execute("SELECT count(*) FROM alert").fetchone() == (n_alerts,)
    kept.close()


def damaged(archive: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    with zipfile.ZipFile(archive) as packed:
        members = {name: packed.read(name) for name in packed.namelist()}
    change(members)
    with zipfile.ZipFile(archive, "w") as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return archive


def _manifest(**changes: object) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        members["manifest.json"] = json.dumps(json.loads(members["manifest.json"]) | changes).encode()

    return change


def _shorter(members: dict[str, bytes]) -> None:
    name = next(name for name in members if name.startswith("database"))
    members[name] = members[name][:-100]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_shorter, "is damaged: SHA-256"),
        (_manifest(format=9), "has format 9"),
        (_manifest(head="0" * 64), r"does not hold what its manifest says \(head\)"),
        (_manifest(n_rows={}), r"does not hold what its manifest says \(n_rows\)"),
        (lambda members: members.pop("manifest.json"), "is no whole backup"),
        (_manifest(backend="oracle"), "is no whole backup"),
    ],
)
def test_an_archive_that_is_not_what_it_says_touches_nothing(
    config: Config, folder: Path, tmp_path: Path, lose: Callable[[Config], Config], change: Any, message: str
) -> None:
    Site(config, Server()).imports(events(folder, {1: "3"}))
    archive = tmp_path / "x.backup"
    back_up(config, archive, T0)
    damaged(archive, change)
    empty = lose(config)
    with pytest.raises(BackupError, match=message):
        restore(empty, archive, T0)
    path = make_url(empty.database_url).database
    if empty.database_url.startswith("sqlite"):
        assert not Path(str(path)).exists()
    else:
        assert store.pending(empty.database_url)[0] == "0001"  # still empty


def test_a_tampered_database_is_not_restored(tmp_path: Path, folder: Path, sqlite_template: Path) -> None:
    """Somebody changed a grade behind the audit, before the backup was made."""
    path = tmp_path / "t.db"
    path.write_bytes(sqlite_template.read_bytes())
    config = Config(base=tmp_path, database={"url": f"sqlite:///{path}"}, people=PEOPLE)  # type: ignore[arg-type]
    Site(config, Server()).imports(events(folder, {1: "4"}))
    connection = sqlite3.connect(path)
    triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'adverse_event'"
    for (name,) in connection.execute(triggers).fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute("UPDATE adverse_event SET grade = 1")
    connection.commit()
    connection.close()
    archive = tmp_path / "x.backup"
    back_up(config, archive, T0)
    with pytest.raises(BackupError, match="audit chain of the backup is broken"):
        restore(config, archive, T0, replace=True)


def test_what_is_no_archive(config: Config, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="does not exist"):
        restore(config, tmp_path / "none.backup", T0)
    (tmp_path / "text").write_text("no archive")
    with pytest.raises(BackupError, match="no whole backup"):
        restore(config, tmp_path / "text", T0)
