"""The way in and out: engines, the one commit, consistent reading, and the schema's version.

``transaction`` is the only place that commits, and it signs: who, why and when go to the database, where
triggers write the audit (``store.triggers``). SQLite (WAL) and PostgreSQL 15+ behave alike.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, insert, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlmodel import Session, SQLModel

from safety_monitor.resources import resource_dir
from safety_monitor.store.triggers import entry_hash

_BUSY_SECONDS = 30  # how long SQLite waits for another writer
_PAUSE_SECONDS = 0.01  # between tries where SQLite does not wait by itself
_WRITES = "safety_monitor_writes"
_json = partial(json.dumps, ensure_ascii=False)
_SIGNATURE = ("actor", "reason", "at")


class StoreError(RuntimeError):
    """The database cannot be used as asked: says which, why, and what to do."""


def connect(url: str) -> Engine:
    """An engine for ``sqlite:///file`` or ``postgresql://…``; nothing is opened yet. Dispose of it after."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreError(f"database.url {url!r} is no URL; write e.g. sqlite:///safety_monitor.db") from None
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        if parsed.database in (None, "", ":memory:"):
            raise StoreError("a database in memory cannot be shared by the jobs; give a file: sqlite:///name.db")
        engine = create_engine(parsed, connect_args={"timeout": _BUSY_SECONDS}, json_serializer=_json)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "checkin", _forget_signature)
        event.listen(engine, "begin", _begin_sqlite)
    elif backend in ("postgresql", "postgres"):
        engine = create_engine(
            parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True, json_serializer=_json
        )
    else:
        raise StoreError(f"database.url names {backend!r}; the data are kept in sqlite or postgresql")
    event.listen(engine, "handle_error", _explain)
    return engine


@contextmanager
def transaction(engine: Engine, *, actor: str, reason: str, at: datetime) -> Iterator[Session]:
    """A session whose work is committed at the end of the block, or not at all where anything is raised.

    *actor* and *reason* stand in every audit entry, with *at* (aware). StoreError where one is missing.
    """
    for name, value in (("actor", actor), ("reason", reason)):
        if not value.strip():
            raise StoreError(f"nothing was written: {name} is blank; every change needs who and why")
    if at.tzinfo is None:
        raise StoreError(f"nothing was written: at={at!r} has no time zone; give an aware datetime")
    moment = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    with Session(engine.execution_options(**{_WRITES: True}), expire_on_commit=False) as session:
        _sign(session.connection(), (actor.strip(), reason.strip(), moment))
        yield session
        session.flush()
        session.connection().execute(_ADVANCE_HEAD)
        session.commit()


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A session that sees one state of the database from its first look to its end, and cannot write."""
    if engine.dialect.name == "postgresql":  # SQLite: see _begin_sqlite
        engine = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    with Session(engine) as session:
        yield session


def bulk_insert(session: Session, table: type[SQLModel], rows: Sequence[Mapping[str, Any]]) -> int:
    """Inserts many rows at column speed; returns how many. All rows have the keys of the first; values go
    through the column types (a naive datetime is refused); Python-side defaults are not filled in."""
    if not rows:
        return 0
    session.flush()
    columns = list(rows[0])
    for position, row in enumerate(rows):
        if row.keys() != rows[0].keys():
            raise ValueError(f"row {position} has the columns {sorted(row)}; the first has {sorted(columns)}")
    connection = session.connection()
    target = table.__table__  # type: ignore[attr-defined]
    if connection.dialect.name != "postgresql":
        connection.execute(insert(target), list(rows))
        return len(rows)
    dialect = connection.dialect
    binders = [target.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in columns]
    names = ", ".join(dialect.identifier_preparer.quote(name) for name in columns)
    driver = connection.connection.driver_connection
    assert driver is not None
    with driver.cursor() as cursor, cursor.copy(f"COPY {target.name} ({names}) FROM STDIN") as copy:
        for row in rows:
            values = zip(binders, map(row.__getitem__, columns), strict=True)
            copy.write_row([bind(value) if bind else value for bind, value in values])
    return len(rows)


# --- schema version -------------------------------------------------------------------------------


def upgrade(url: str) -> None:
    """Creates the database's tables or brings them up to date; two at once are safe."""
    _migrate(url, lambda config: command.upgrade(config, "head"))


def downgrade(url: str, revision: str) -> None:
    """Takes the schema back to *revision* (``base``: nothing is left)."""
    _migrate(url, lambda config: command.downgrade(config, revision))


def clear(url: str) -> None:
    """Takes away everything of ours, the record of the schema's version too: as if ``upgrade`` had never been."""
    engine = connect(url)
    try:
        with engine.connect() as connection:
            is_there = revision(connection) is not None
        if is_there:
            downgrade(url, "base")
            with engine.execution_options(**{_WRITES: True}).begin() as connection:
                connection.execute(text("DROP TABLE alembic_version"))
    finally:
        engine.dispose()


def pending(url: str) -> list[str]:
    """The revisions that the database still needs, oldest first; empty when it is up to date."""
    engine = connect(url)
    try:
        with engine.connect() as connection:
            current = revision(connection)
    finally:
        engine.dispose()
    script = ScriptDirectory.from_config(_config())
    known = [revision.revision for revision in script.walk_revisions()][::-1]
    if current is not None and current not in known:
        raise StoreError(f"the database is at {current}, newer than this program; update the program")
    return known[known.index(current) + 1 :] if current else known


def revision(connection: Connection) -> str | None:
    """The schema's revision; None where there is no schema yet."""
    return MigrationContext.configure(connection).get_current_revision()


def is_current(url: str) -> bool:
    """True when the database's schema is the one that this program was written for."""
    return not pending(url)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(resource_dir("migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _migrate(url: str, step: Any) -> None:
    engine = connect(url)
    try:
        with engine.execution_options(**{_WRITES: True}).connect() as connection:
            config = _config()
            config.attributes["connection"] = connection
            step(config)
    finally:
        engine.dispose()


# --- signing --------------------------------------------------------------------------------------

# The head follows once per transaction, not per entry: PostgreSQL slows down on a row rewritten often.
_ADVANCE_HEAD = text(
    "UPDATE audit_head SET seq = a.seq, hash = a.hash "
    "FROM (SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1) a WHERE audit_head.seq < a.seq"
)


def _sign(connection: Connection, signature: tuple[str, str, str]) -> None:
    if connection.dialect.name == "sqlite":
        connection.info[_WRITES].update(zip(_SIGNATURE, signature, strict=True))
    else:
        for name, value in zip(_SIGNATURE, signature, strict=True):
            setting = {"name": f"safety_monitor.{name}", "value": value}
            connection.execute(text("SELECT set_config(:name, :value, true)"), setting)


def _prepare_sqlite(driver: sqlite3.Connection, record: Any) -> None:
    driver.isolation_level = None  # we say BEGIN ourselves
    _use_wal(driver)
    # recursive: INSERT OR REPLACE then fires the delete triggers of what it replaces
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "recursive_triggers=ON"):
        driver.execute(f"PRAGMA {pragma}")
    signature = record.info[_WRITES] = dict.fromkeys(_SIGNATURE)
    for name in _SIGNATURE:
        driver.create_function(f"audit_{name}", 0, partial(signature.get, name))
    driver.create_function("audit_hash", 9, entry_hash, deterministic=True)


def _use_wal(driver: sqlite3.Connection) -> None:
    """Where two connections are the first of a new file, SQLite refuses one at once: for this pragma it does not wait."""
    for left in reversed(range(round(_BUSY_SECONDS / _PAUSE_SECONDS))):
        try:
            driver.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if not left:
                raise
            time.sleep(_PAUSE_SECONDS)


def _forget_signature(driver: sqlite3.Connection | None, record: Any) -> None:
    record.info[_WRITES].update(dict.fromkeys(_SIGNATURE))


def _begin_sqlite(connection: Connection) -> None:
    """Writers queue at their BEGIN instead of failing at their COMMIT; everybody else can only read."""
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql(f"PRAGMA query_only = {'OFF' if writes else 'ON'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _explain(context: ExceptionContext) -> None:
    """A missing table or an unreachable server, in words that say what to do."""
    error = context.original_exception
    where = context.engine.url.render_as_string() if context.engine else "the database"
    if isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedColumn) or (
        isinstance(error, sqlite3.OperationalError)
        and str(error).startswith(("no such table", "no such column", "table "))
    ):
        raise StoreError(
            f"{where} is not initialised, or older than this program ({error}); run safety-monitor init"
        ) from error
    if isinstance(error, sqlite3.OperationalError) and any(word in str(error) for word in ("readonly", "is full", "locked")):
        raise StoreError(f"{where} cannot be written to ({error}); check its permissions, the disk and who holds it") from error
    if context.connection is None and isinstance(error, psycopg.OperationalError | sqlite3.DatabaseError):
        raise StoreError(f"{where} cannot be opened ({error}); check database.url") from error
