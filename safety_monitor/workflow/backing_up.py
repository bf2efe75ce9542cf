"""Backup and restore: one archive with a consistent copy of the database and a manifest that proves what it is.

SQLite is copied by its own backup interface, PostgreSQL by ``pg_dump`` from one exported snapshot, both while the service runs.
``restore`` checks checksum, schema revision and audit chain in a scratch copy before it touches anything. What was sent after
the backup is known from the delivery journal (``alerts.journal``), which lies outside the database.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import sqlite3
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, inspect, make_url, text
from sqlalchemy.engine import URL
from sqlmodel import Session

from safety_monitor import store
from safety_monitor.config import Config
from safety_monitor.store import audit, ledger
from safety_monitor.store.session import revision
from safety_monitor.version import SOFTWARE

_FORMAT = 1
_MANIFEST = "manifest.json"
_DATA = {"sqlite": "database.sqlite", "postgresql": "database.pgdump"}
#: A scheduler that has shown life so recently still works on the database.
_ALIVE = timedelta(minutes=2)


class BackupError(RuntimeError):
    """A backup that cannot be made or used: says which, why, and what to do."""


@dataclass(frozen=True)
class Manifest:
    """What an archive holds. ``n_rows``: rows per table; ``head``: hash of the last audit entry."""

    format: int
    made_at: str
    software: str
    backend: str
    revision: str
    sha256: str
    audit_seq: int
    head: str
    n_rows: dict[str, int]


def back_up(config: Config, out: Path, at: datetime, *, replace: bool = False) -> Manifest:
    """Writes a backup of the configured database to *out*, whole or not at all."""
    if out.exists() and not replace:
        raise BackupError(f"{out} exists; name another file, or say --replace")
    if pending := store.pending(config.database_url):
        raise BackupError(f"the database lacks {len(pending)} migration(s); run safety-monitor init first")
    url = make_url(config.database_url)
    backend = url.get_backend_name()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".backup-") as folder:
        data = Path(folder) / _DATA[backend]
        copied = _copy_sqlite(url, data) if backend == "sqlite" else _dump_postgresql(config.database_url, url, data)
        made_at = at.isoformat(timespec="seconds")
        manifest = Manifest(_FORMAT, made_at, SOFTWARE, backend, sha256=_sha256(data), **copied)
        archive = Path(folder) / "archive"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as packed:
            packed.writestr(_MANIFEST, json.dumps(asdict(manifest), indent=2))
            packed.write(data, data.name)
        with archive.open("rb") as file:
            os.fsync(file.fileno())
        archive.chmod(0o600)
        archive.replace(out)
    return manifest


def restore(config: Config, source: Path, at: datetime, *, replace: bool = False) -> Manifest:
    """Puts the backup *source* in the place of the configured database, which is empty or, with *replace*, kept aside."""
    url = make_url(config.database_url)
    parent = Path(url.database or ".").parent if url.get_backend_name() == "sqlite" else None
    with tempfile.TemporaryDirectory(dir=parent, prefix=".restore-") as folder:
        manifest, data = _unpacked(source, Path(folder))
        if manifest.backend != url.get_backend_name():
            other = url.get_backend_name()
            raise BackupError(f"{source} is of {manifest.backend}, database.url names {other}; use the same kind")
        if manifest.backend == "sqlite":
            _restore_sqlite(Path(url.database or ""), data, manifest, at, replace)
        else:
            _restore_postgresql(config.database_url, url, data, manifest, replace)
    store.upgrade(config.database_url)
    return manifest


def _unpacked(source: Path, folder: Path) -> tuple[Manifest, Path]:
    """The archive's manifest and data, checksum and revision proven."""
    try:
        with zipfile.ZipFile(source) as packed:
            raw = json.loads(packed.read(_MANIFEST))
            manifest = Manifest(**raw)
            data = Path(packed.extract(_DATA[manifest.backend], folder))
    except FileNotFoundError:
        raise BackupError(f"{source} does not exist; check the path") from None
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, EOFError, OSError) as error:
        raise BackupError(f"{source} is no whole backup ({type(error).__name__}: {error}); take another one") from error
    if manifest.format != _FORMAT:
        raise BackupError(f"{source} has format {manifest.format}, this program reads {_FORMAT}; use the program that made it")
    if (found := _sha256(data)) != manifest.sha256:
        wanted = manifest.sha256[:16]
        raise BackupError(f"{source} is damaged: SHA-256 is {found[:16]}…, it should be {wanted}…; take another one")
    return manifest, data


# --- SQLite ---------------------------------------------------------------------------------------


def _copy_sqlite(url: URL, data: Path) -> dict[str, Any]:
    with closing(sqlite3.connect(f"file:{url.database}?mode=ro", uri=True)) as live, closing(sqlite3.connect(data)) as copy:
        live.backup(copy, pages=1000, sleep=0.01)
        copy.execute("PRAGMA journal_mode=DELETE")
    with _opened(f"sqlite:///{data}") as engine, engine.connect() as connection:
        found = _described(connection)
    _single_file(data)
    return found


def _restore_sqlite(target: Path, data: Path, manifest: Manifest, at: datetime, replace: bool) -> None:
    if target.exists() and _is_used(f"sqlite:///{target}"):
        if not replace:
            raise BackupError(f"{target} holds data; say --replace, and it is kept beside under a dated name")
        _refuse_while_running(f"sqlite:///{target}", at)
    _verify(f"sqlite:///{data}", manifest)
    _single_file(data)
    aside = f".before-restore-{at:%Y%m%dT%H%M%SZ}"
    for suffix in ("-wal", "-shm", ""):
        part = target.with_name(target.name + suffix)
        if part.exists():
            part.replace(part.with_name(target.name + aside + suffix))
    data.replace(target)


def _single_file(path: Path) -> None:
    """Everything in the one file: the write-ahead log is worked in."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")


# --- PostgreSQL -----------------------------------------------------------------------------------


def _dump_postgresql(database_url: str, url: URL, data: Path) -> dict[str, Any]:
    with (
        _opened(database_url) as engine,
        engine.execution_options(isolation_level="REPEATABLE READ").connect() as connection,
    ):
        snapshot = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
        found = _described(connection)
        _run("pg_dump", url, "--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", f"--file={data}")
    return found


def _restore_postgresql(database_url: str, url: URL, data: Path, manifest: Manifest, replace: bool) -> None:
    if _is_used(database_url):
        extra = "; --replace is for SQLite files" if replace else ""
        raise BackupError(f"the database {url.database} holds data{extra}; create an empty one and point database.url at it")
    with _scratch(database_url, url) as scratch:
        if scratch is not None:
            _load(scratch, data)
            _verify(scratch.render_as_string(hide_password=False), manifest)
    store.clear(database_url)
    _load(url, data)
    try:
        _verify(database_url, manifest)
    except BackupError:
        store.clear(database_url)
        raise


def _load(url: URL, data: Path) -> None:
    _run("pg_restore", url, "--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", str(data))


@contextmanager
def _scratch(database_url: str, url: URL) -> Iterator[URL | None]:
    """An empty database beside the target, dropped again; None where the user may not make one (the target is empty then)."""
    name = f"safety_monitor_check_{secrets.token_hex(4)}"
    with _opened(database_url) as engine:
        outside = engine.execution_options(isolation_level="AUTOCOMMIT")
        with outside.connect() as connection:
            rights = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
            may = connection.execute(text(rights)).scalar_one()
            if may:
                connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
        try:
            yield url.set(database=name) if may else None
        finally:
            if may:
                with outside.connect() as connection:
                    connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


def _run(program: str, url: URL, *options: str) -> None:
    found = _program(program)
    place: dict[str, Any] = {"HOST": url.host, "PORT": url.port, "USER": url.username, "PASSWORD": url.password}
    place["DATABASE"] = url.database
    place |= {name.upper(): value for name, value in url.query.items() if name in ("host", "port", "sslmode", "passfile")}
    environment = {**os.environ, **{f"PG{name}": str(value) for name, value in place.items() if value}}
    command = [found, *options] if program == "pg_dump" else [found, f"--dbname={url.database}", *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BackupError(f"{program} failed: {done.stderr.strip() or done.returncode}")


def _program(name: str) -> str:
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    found = str(places[-1]) if places else shutil.which(name)
    if found is None:
        raise BackupError(f"{name} is not installed; install the client programs of PostgreSQL (postgresql-client)")
    return found


# --- both -----------------------------------------------------------------------------------------


def _described(connection: Connection) -> dict[str, Any]:
    """Revision, audit head and rows per table, as *connection* sees them."""
    with Session(connection) as session:
        seq, head = audit.head(session)
    tables = sorted(inspect(connection).get_table_names())
    n_rows = {name: connection.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one() for name in tables}
    return {"revision": revision(connection) or "", "audit_seq": seq, "head": head, "n_rows": n_rows}


def _verify(url: str, manifest: Manifest) -> None:
    """Schema known, audit chain whole, and everything that the manifest counted."""
    try:
        store.pending(url)
    except store.StoreError as error:
        raise BackupError(f"the backup cannot be used here: {error}") from error
    with _opened(url) as engine, engine.connect() as connection:
        found = _described(connection)
    for name in ("revision", "audit_seq", "head", "n_rows"):
        if found[name] != getattr(manifest, name):
            raise BackupError(f"the backup does not hold what its manifest says ({name}); take another one")
    store.upgrade(url)
    with _opened(url) as engine, store.reading(engine) as session:
        faults = audit.verify(session)
    if faults:
        raise BackupError(f"the audit chain of the backup is broken ({faults[0]}); keep the file and find out who changed it")


def _is_used(url: str) -> bool:
    """Whether the database has any entry in its audit: an empty schema, or none, has not."""
    with _opened(url) as engine:
        if "audit" not in inspect(engine).get_table_names():
            return bool(inspect(engine).get_table_names())
        with store.reading(engine) as session:
            return audit.head(session)[0] > 0


def _refuse_while_running(url: str, at: datetime) -> None:
    with _opened(url) as engine, store.reading(engine) as session:
        beat = ledger.last_beat(session, "scheduler")
    if beat is not None and not beat.detail.startswith("stopped") and at - beat.at < _ALIVE:
        raise BackupError(f"the scheduler works on the database ({beat.detail}); stop safety-monitor run first")


@contextmanager
def _opened(url: str) -> Iterator[Engine]:
    engine = store.connect(url)
    try:
        yield engine
    finally:
        engine.dispose()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
