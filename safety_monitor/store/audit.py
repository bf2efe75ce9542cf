"""Reading and checking the audit: who changed what, when and why (21 CFR 11.10(e); ICH E6(R3) section 4.2.2).

``verify`` checks the chain of hashes, and plays the history back against the tables, so it finds entries
that were changed, removed, added or moved, entries cut off the end, and rows changed while the triggers
were away. It cannot find what an owner of the database does who rewrites rows, the whole chain and the head
alike: against that, keep ``head`` outside and hand it to ``verify`` as an anchor. Nor can it find source rows
added without an entry (bulk inserts are covered by the hash and row count of their file).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import inspect
from sqlmodel import Session, col, select

from safety_monitor.store import triggers
from safety_monitor.store.tables import AuditEntry, AuditHead

Anchor = tuple[int, str]
_State = dict[tuple[str, str], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Entry:
    """One change of one row. ``changes``: field -> (old, new); ``str`` gives a line to read.

    >>> from datetime import UTC
    >>> at, changes = datetime(2026, 1, 5, 8, 30, tzinfo=UTC), {"grade": (2, 3), "aeser": (None, True)}
    >>> print(Entry(7, at, "Wu", "amended", "adverse_event", "12", "update", changes))
    2026-01-05 08:30:00Z Wu update adverse_event 12: grade 2 → 3, aeser null → true (amended)
    """

    seq: int
    at: datetime
    actor: str
    reason: str
    table: str
    key: str
    action: str
    changes: Mapping[str, tuple[Any, Any]]

    def __str__(self) -> str:
        fields = [f"{field} {_show(old)} → {_show(new)}" for field, (old, new) in self.changes.items()]
        what = f"{self.action} {self.table} {self.key}: {', '.join(fields)}"
        return f"{self.at:%Y-%m-%d %H:%M:%S}Z {self.actor} {what} ({self.reason})"


def history(
    session: Session,
    *,
    table: str | None = None,
    key: str | None = None,
    actor: str | None = None,
    since: datetime | None = None,
    last: int | None = None,
) -> list[Entry]:
    """The entries that fit, oldest first. *last*: only the newest so many; *key*: the primary key."""
    query = select(AuditEntry).order_by(col(AuditEntry.seq).desc())
    for column, wanted in (("table_name", table), ("row_key", key), ("actor", actor)):
        if wanted is not None:
            query = query.where(col(getattr(AuditEntry, column)) == wanted)
    if since is not None:
        query = query.where(col(AuditEntry.at) >= since)
    if last is not None:
        query = query.limit(last)
    return [_entry(row) for row in session.exec(query)][::-1]


def lineage(session: Session) -> str:
    """What a database and its copies have in common and no other has: the hash of the first entry; empty where there is none."""
    return session.exec(select(AuditEntry.hash).order_by(col(AuditEntry.seq)).limit(1)).first() or ""


def head(session: Session) -> Anchor:
    """Number and hash of the newest entry; kept elsewhere, it anchors all before it."""
    row = session.exec(select(AuditEntry).order_by(col(AuditEntry.seq).desc()).limit(1)).first()
    return (row.seq, row.hash) if row else (0, triggers.GENESIS)


def verify(session: Session, anchors: Iterable[Anchor] = ()) -> list[str]:
    """What is wrong with the audit, a sentence each; empty when it is whole. Use a ``reading`` session."""
    connection = session.connection()
    kept = session.exec(select(AuditHead)).first()
    wanted = {0: {triggers.GENESIS}}
    for seq, known in [*anchors, *([(kept.seq, kept.hash)] if kept else [])]:
        wanted.setdefault(seq, set()).add(known)
    found = triggers.faults(connection)
    if kept is None:
        found.append("audit_head is empty: it cannot be told whether the end was cut off")
    state: _State = {}
    seq, known = 0, triggers.GENESIS
    in_order = select(AuditEntry).order_by(col(AuditEntry.seq)).execution_options(yield_per=1000)
    for row in session.exec(in_order):
        found += _check_link(row, seq, known)
        if wanted.pop(row.seq, {row.hash}) != {row.hash}:
            found.append(f"entry {row.seq} is not the one that was anchored: the chain was rewritten")
        found += _replay(state, row)
        seq, known = row.seq, row.hash
    found += [f"entry {n} is gone: the audit ends at {seq}" for n in sorted(wanted) if n > seq]
    tables = set(inspect(connection).get_table_names())
    for table in triggers.AUDITED.keys() & tables:
        found += _compare(table, state, triggers.current_state(connection, table))
    return found


def _show(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _entry(row: AuditEntry) -> Entry:
    changes = {field: (old, new) for field, (old, new) in json.loads(row.changes).items()}
    return Entry(row.seq, row.at, row.actor, row.reason, row.table_name, row.row_key, row.action, changes)


def _check_link(row: AuditEntry, seq: int, previous: str) -> Iterator[str]:
    if row.seq != seq + 1:
        yield f"entries {seq + 1} to {row.seq - 1} are missing"
    if row.previous_hash != previous:
        yield f"entry {row.seq} does not follow the entry before it: one was changed, moved or removed"
    at = row.at.strftime("%Y-%m-%d %H:%M:%S.%f")
    what = (row.table_name, row.row_key, row.action, row.changes)
    if row.hash != triggers.entry_hash(row.previous_hash, row.seq, at, row.actor, row.reason, *what):
        yield f"entry {row.seq} was changed: its content does not fit its hash"


def _replay(state: _State, row: AuditEntry) -> Iterator[str]:
    """Carries one entry into *state*; says where the row was not as the history before left it."""
    place = row.table_name, row.row_key
    changes: dict[str, tuple[Any, Any]] = json.loads(row.changes)
    complete = "insert" in triggers.AUDITED[row.table_name].actions
    if row.action == "insert":
        state[place] = {}
    elif complete and place not in state:
        yield f"entry {row.seq}: {row.action} of {_name(place)}, which has no history"
    known = state.setdefault(place, {})
    for field, (old, new) in changes.items():
        if (complete or field in known) and known.get(field) != old:
            told = f"the history before says {_show(known.get(field))}"
            yield f"entry {row.seq}: {_name(place)} had {field} {_show(old)}, {told}"
        known[field] = new
    if row.action == "delete":
        state[place] = dict.fromkeys(known) if not complete else {}


def _compare(table: str, state: _State, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Where the table is not what its history adds up to."""
    complete = "insert" in triggers.AUDITED[table].actions
    seen = set()
    for key, text in rows:
        place = table, key
        seen.add(place)
        known = state.get(place, {})
        if complete and not known:
            yield f"{_name(place)} has no history: it was written while the triggers were away"
            continue
        for field, value in json.loads(text).items():
            if (complete or field in known) and known.get(field) != value:
                told = f"the history says {_show(known.get(field))}"
                yield f"{_name(place)} has {field} {_show(value)}, {told}: it was changed without an entry"
    for place, known in state.items():
        if place[0] == table and complete and known and place not in seen:
            yield f"{_name(place)} is gone without an entry"


def _name(place: tuple[str, str]) -> str:
    return " ".join(place)
