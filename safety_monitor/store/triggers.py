"""The triggers that write the audit: made here, and only here, for both databases.

Every audited table gets triggers that write one audit entry per changed row, with the fields that changed,
chained to the entry before it by a hash (``entry_hash``). Who and why come from the connection
(``store.session.transaction``); without them the write is refused, from raw SQL too. Further triggers forbid
changing or removing audit entries. They are made from the tables as they stand in the database, after
every migration, because SQLite loses the triggers of a table that Alembic rebuilds.

On PostgreSQL a transaction-level lock keeps the chain in one line; that needs READ COMMITTED.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Boolean, Connection, inspect
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.types import JSON

GENESIS = "0" * 64
ACTIONS = ("insert", "update", "delete")


@dataclass(frozen=True)
class Audited:
    """Which actions on a table are audited, and which columns are left out of its entries."""

    actions: tuple[str, ...] = ACTIONS
    ignored: tuple[str, ...] = ()


AUDITED = {
    "study_version": Audited(),
    "import_batch": Audited(),
    "source_file": Audited(),
    "source_row": Audited(actions=("update", "delete")),  # inserts: see source_file
    "subject": Audited(),
    "adverse_event": Audited(),
    "assessment": Audited(),
    "component_opinion": Audited(),
    "episode": Audited(),
    "query": Audited(),
    "clock": Audited(),
    "case_decision": Audited(),
    "sae_draft": Audited(),
    "alert": Audited(ignored=("next_attempt_at", "n_attempts", "lease_owner", "leased_until")),
    "snapshot": Audited(ignored=("content",)),  # its sha256 is audited
    "issued_report": Audited(),
    "report_signature": Audited(),
    "action_item": Audited(),
}


@dataclass(frozen=True)
class Settled:
    """What of a row never changes once it is written, whoever writes (no column named: nothing of it), and what is said then."""

    says: str
    columns: tuple[str, ...] = ()


SETTLED = {
    "clock": Settled(
        "a clock is never moved or removed: close it with a reason, and open another",
        ("event_id", "rule_id", "component", "number", "aware_at", "day_zero", "due_at", "timezone", "opened_at"),
    ),
    "issued_report": Settled("what was issued stays as it was: issue another report"),
    "report_signature": Settled("a signature is never changed or removed"),
    "action_item": Settled(
        "what the board asked for is never changed or removed: close it with its resolution, and add another",
        ("study_id", "text", "owner", "due_on", "report_id", "opened_at", "opened_by"),
    ),
}


def entry_hash(
    previous: str, seq: int, at: str, actor: str, reason: str, table: str, key: str, action: str, changes: str
) -> str:
    """The hash of one entry; each field goes in with its length, so that none can run into the next.

    >>> entry_hash(GENESIS, 1, "2026-01-01 00:00:00.000000", "A", "b", "t", "1", "insert", "{}")[:16]
    '54cbf71588a8c212'
    """
    fields = (str(seq), at, actor, reason, table, key, action, changes)
    return hashlib.sha256((previous + "".join(f"{len(f)}:{f}" for f in fields)).encode()).hexdigest()


def install_triggers(connection: Connection) -> None:
    """Makes all audit triggers anew, for the audited tables that exist."""
    remove_triggers(connection)
    for statement in (*_functions(connection).values(), *_triggers(connection).values()):
        connection.exec_driver_sql(statement)


def remove_triggers(connection: Connection) -> None:
    """Takes all audit triggers and their functions away (before tables are dropped)."""
    for name, (table, _) in _installed(connection).items():
        on = f" ON {table}" if _is_postgresql(connection) else ""
        connection.exec_driver_sql(f"DROP TRIGGER {name}{on}")
    if _is_postgresql(connection):
        for name in _POSTGRESQL_FUNCTIONS:
            connection.exec_driver_sql(f"DROP FUNCTION IF EXISTS {name}()")


def faults(connection: Connection) -> list[str]:
    """What is wrong with the triggers now: missing, disabled or altered ones."""
    found = {name: text for name, (_, text) in _installed(connection).items()}
    wanted = _triggers(connection)
    wrong = [f"trigger {name} is missing; run safety-monitor init" for name in wanted.keys() - found.keys()]
    for name in wanted.keys() & found.keys():
        if found[name] != ("O" if _is_postgresql(connection) else wanted[name]):
            wrong.append(f"trigger {name} is disabled or altered; run safety-monitor init")
    if _is_postgresql(connection):
        query = "SELECT proname, prosrc FROM pg_proc WHERE proname ~ '^audit_'"
        bodies = {name: body for name, body in connection.exec_driver_sql(query)}
        wrong += [
            f"function {name} is missing or altered; run safety-monitor init"
            for name, (body, _) in _POSTGRESQL_FUNCTIONS.items()
            if bodies.get(name) != body
        ]
    return sorted(wrong)


def current_state(connection: Connection, table: str) -> Iterator[tuple[str, str]]:
    """(row key, JSON object of the audited fields) of every row, spelt as the triggers spell them."""
    columns, key = _shape(connection, table)
    if _is_postgresql(connection):
        ignored = _array(AUDITED[table].ignored)
        query = f"SELECT {_key('t', key)}, (to_jsonb(t) - {ignored})::text FROM {table} t"
        connection.exec_driver_sql("SET LOCAL timezone = 'UTC'")
    else:
        fields = ", ".join(f"'{c['name']}', {_as_json('t', c)}" for c in columns)
        query = f"SELECT {_key('t', key)}, json_object({fields}) FROM {table} t"
    for row in connection.exec_driver_sql(query):
        yield row[0], row[1]


def _is_postgresql(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"


def _shape(connection: Connection, table: str) -> tuple[list[ReflectedColumn], list[str]]:
    """The audited columns and the primary key of *table*."""
    inspector = inspect(connection)
    columns = [c for c in inspector.get_columns(table) if c["name"] not in AUDITED[table].ignored]
    return columns, inspector.get_pk_constraint(table)["constrained_columns"]


def _never(connection: Connection, table: str, rule: Settled) -> tuple[str, ...]:
    """The columns of *table* that never change, of those that it has in the schema as it stands."""
    columns, _ = _shape(connection, table)
    return tuple(c["name"] for c in columns if not rule.columns or c["name"] in rule.columns)


def _key(row: str, key: list[str]) -> str:
    return " || '/' || ".join(f"CAST({row}.{name} AS TEXT)" for name in key)


def _array(names: tuple[str, ...]) -> str:
    return f"'{{{','.join(names)}}}'::text[]"


def _installed(connection: Connection) -> dict[str, tuple[str, str]]:
    """Audit triggers by name: their table, and their text (PostgreSQL: whether they are enabled)."""
    if _is_postgresql(connection):
        query = (
            "SELECT tgname, relname, tgenabled::text FROM pg_trigger JOIN pg_class ON tgrelid = pg_class.oid "
            "WHERE NOT tgisinternal AND tgname ~ '^audit_' AND relnamespace = current_schema()::regnamespace"
        )
    else:
        query = "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger' AND name GLOB 'audit_*'"
    return {name: (table, text) for name, table, text in connection.exec_driver_sql(query)}


def _functions(connection: Connection) -> dict[str, str]:
    if not _is_postgresql(connection):
        return {}
    return {
        name: f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql {options} AS $${body}$$"
        for name, (body, options) in _POSTGRESQL_FUNCTIONS.items()
    }


def _triggers(connection: Connection) -> dict[str, str]:
    """All trigger statements by trigger name."""
    tables = [table for table in inspect(connection).get_table_names() if table in AUDITED]
    settled = [(table, rule, _never(connection, table, rule)) for table, rule in SETTLED.items() if table in tables]
    if _is_postgresql(connection):
        return (
            dict(_POSTGRESQL_GUARDS)
            | dict(pair for table in tables for pair in _postgresql(table, _shape(connection, table)[1]))
            | dict(pair for each in settled for pair in _postgresql_settled(*each))
        )
    return (
        dict(_SQLITE_GUARDS)
        | dict(pair for table in tables for pair in _sqlite(table, *_shape(connection, table)))
        | dict(pair for each in settled for pair in _sqlite_settled(*each))
    )


# --- SQLite ---------------------------------------------------------------------------------------
# audit_actor(), audit_reason(), audit_at() and audit_hash() are registered by store.session.connect.


def _as_json(row: str, column: ReflectedColumn) -> str:
    field = f"{row}.{column['name']}"
    if isinstance(column["type"], Boolean):
        return f"json(CASE {field} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END)"
    return f"json({field})" if isinstance(column["type"], JSON) else field


def _sqlite(table: str, columns: list[ReflectedColumn], key: list[str]) -> Iterator[tuple[str, str]]:
    for action in AUDITED[table].actions:
        row = "NEW" if action == "insert" else "OLD"
        changed = " OR ".join(f"OLD.{c['name']} IS NOT NEW.{c['name']}" for c in columns)
        pairs = " UNION ALL ".join(_sqlite_pair(action, column) for column in columns)
        entry = f"e.previous, e.seq, e.at, e.actor, e.reason, '{table}', e.row_key, '{action}', e.changes"
        name = f"audit_{table}_{action}"
        yield name, f"""CREATE TRIGGER {name} AFTER {action.upper()} ON {table}
{f"WHEN {changed}" if action == "update" else ""}
BEGIN
  SELECT RAISE(ABORT, '{_REFUSAL.format(table=table)}')
  WHERE audit_actor() IS NULL OR audit_reason() IS NULL OR audit_at() IS NULL;
  INSERT INTO audit (previous_hash, seq, at, actor, reason, table_name, row_key, action, changes, hash)
  SELECT {entry}, audit_hash({entry})
  FROM (SELECT
    coalesce((SELECT hash FROM audit ORDER BY seq DESC LIMIT 1), '{GENESIS}') AS previous,
    coalesce((SELECT max(seq) FROM audit), 0) + 1 AS seq,
    audit_at() AS at, audit_actor() AS actor, audit_reason() AS reason, {_key(row, key)} AS row_key,
    (SELECT json_group_object(field, json(pair)) FROM ({pairs})) AS changes
  ) AS e;
END"""


def _sqlite_pair(action: str, column: ReflectedColumn) -> str:
    name = column["name"]
    old = "NULL" if action == "insert" else _as_json("OLD", column)
    new = "NULL" if action == "delete" else _as_json("NEW", column)
    differs = {
        "insert": f"NEW.{name} IS NOT NULL",
        "delete": f"OLD.{name} IS NOT NULL",
        "update": f"OLD.{name} IS NOT NEW.{name}",
    }[action]
    return f"SELECT '{name}' AS field, json_array({old}, {new}) AS pair WHERE {differs}"


_REFUSAL = "audit: a write to {table} needs an actor and a reason; write through store.transaction()"
_FOREVER = "audit: entries are never changed or removed"

_SQLITE_GUARDS = {
    name: f"CREATE TRIGGER {name} BEFORE {event} BEGIN SELECT RAISE(ABORT, '{_FOREVER}'); END"
    for name, event in {
        "audit_no_update": "UPDATE ON audit",
        "audit_no_delete": "DELETE ON audit",
        # INSERT OR REPLACE would otherwise be a way to change an entry
        "audit_in_order": "INSERT ON audit WHEN NEW.seq IS NOT coalesce((SELECT max(seq) FROM audit), 0) + 1",
        "audit_head_forward": "UPDATE ON audit_head WHEN NEW.seq < OLD.seq",
        "audit_head_no_delete": "DELETE ON audit_head",
    }.items()
}


def _sqlite_settled(table: str, rule: Settled, columns: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    moved = " OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in columns)
    for name, when in ((f"audit_{table}_settled", f"UPDATE ON {table} WHEN {moved}"),
                       (f"audit_{table}_kept", f"DELETE ON {table}")):  # fmt: skip
        yield name, f"CREATE TRIGGER {name} BEFORE {when} BEGIN SELECT RAISE(ABORT, '{rule.says}'); END"


# --- PostgreSQL -----------------------------------------------------------------------------------


def _postgresql(table: str, key: list[str]) -> Iterator[tuple[str, str]]:
    for action in AUDITED[table].actions:
        yield f"audit_{table}_{action}", (
            f"CREATE TRIGGER audit_{table}_{action} AFTER {action.upper()} ON {table} FOR EACH ROW "
            f"EXECUTE FUNCTION audit_row('{','.join(key)}', '{','.join(AUDITED[table].ignored)}')"
        )
    yield f"audit_{table}_truncate", (
        f"CREATE TRIGGER audit_{table}_truncate BEFORE TRUNCATE ON {table} EXECUTE FUNCTION audit_refuse()"
    )


def _postgresql_settled(table: str, rule: Settled, columns: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    moved = " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in columns)
    for name, when in ((f"audit_{table}_settled", f"UPDATE ON {table} FOR EACH ROW WHEN ({moved})"),
                       (f"audit_{table}_kept", f"DELETE ON {table} FOR EACH ROW")):  # fmt: skip
        yield name, f"CREATE TRIGGER {name} BEFORE {when} EXECUTE FUNCTION audit_settled('{rule.says}')"


_POSTGRESQL_GUARDS = {
    name: f"CREATE TRIGGER {name} BEFORE {event} EXECUTE FUNCTION audit_refuse()"
    for name, event in {
        "audit_forever": "UPDATE OR DELETE OR TRUNCATE ON audit",
        "audit_head_forward": "UPDATE ON audit_head FOR EACH ROW WHEN (NEW.seq < OLD.seq)",
        "audit_head_forever": "DELETE OR TRUNCATE ON audit_head",
    }.items()
}

_POSTGRESQL_FUNCTIONS = {
    "audit_refuse": (
        f"""
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation',
    MESSAGE = '{_FOREVER} (' || lower(TG_OP) || ' of ' || TG_TABLE_NAME || ')';
END""",
        "",
    ),
    "audit_settled": (
        """
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = TG_ARGV[0];
END""",
        "",
    ),
    "audit_row": (
        f"""
DECLARE
  who text := nullif(current_setting('safety_monitor.actor', true), '');
  why text := nullif(current_setting('safety_monitor.reason', true), '');
  moment text := nullif(current_setting('safety_monitor.at', true), '');
  ignored text[] := string_to_array(TG_ARGV[1], ',');
  old_row jsonb := coalesce(to_jsonb(OLD) - ignored, '{{}}');
  new_row jsonb := coalesce(to_jsonb(NEW) - ignored, '{{}}');
  row_key text;
  changes text;
  last record;
  next_seq bigint;
  previous text;
BEGIN
  IF who IS NULL OR why IS NULL OR moment IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation',
      MESSAGE = replace('{_REFUSAL}', '{{table}}', TG_TABLE_NAME);
  END IF;
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation',
      MESSAGE = 'audit: audited writes need READ COMMITTED; write through store.transaction()';
  END IF;
  SELECT jsonb_object_agg(field, jsonb_build_array(old_row -> field, new_row -> field))::text INTO changes
  FROM jsonb_object_keys(old_row || new_row) AS field
  WHERE coalesce(old_row -> field, 'null') IS DISTINCT FROM coalesce(new_row -> field, 'null');
  IF changes IS NULL THEN
    RETURN NULL;
  END IF;
  SELECT string_agg((new_row || old_row) ->> part, '/' ORDER BY n) INTO row_key
  FROM unnest(string_to_array(TG_ARGV[0], ',')) WITH ORDINALITY AS k(part, n);
  PERFORM pg_advisory_xact_lock(hashtext('safety_monitor.audit'));
  SELECT a.seq, a.hash INTO last FROM audit a ORDER BY a.seq DESC LIMIT 1;
  next_seq := coalesce(last.seq, 0) + 1;
  previous := coalesce(last.hash, '{GENESIS}');
  INSERT INTO audit (seq, at, actor, reason, table_name, row_key, action, changes, previous_hash, hash)
  VALUES (next_seq, (moment || '+00')::timestamptz, who, why, TG_TABLE_NAME, row_key, lower(TG_OP), changes,
    previous, encode(sha256(convert_to(previous || (
      SELECT string_agg(length(f) || ':' || f, '' ORDER BY n)
      FROM unnest(ARRAY[next_seq::text, moment, who, why, TG_TABLE_NAME, row_key, lower(TG_OP), changes])
        WITH ORDINALITY AS fields(f, n)), 'UTF8')), 'hex'));
  RETURN NULL;
END""",
        "SET timezone = 'UTC'",
    ),
}
