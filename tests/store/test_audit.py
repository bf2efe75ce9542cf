"""The audit catches every write, from raw SQL too, and shows every kind of tampering."""

from __future__ import annotations

import json
import sqlite3
from threading import Thread

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from safety_monitor import store
from safety_monitor.store import audit, triggers
from safety_monitor.store.session import _WRITES
from safety_monitor.store.tables import (
    AdverseEventRow,
    AlertRow,
    ImportBatch,
    SnapshotRow,
    SourceFile,
    SourceRow,
)


@pytest.fixture
def signed(engine, now):
    """A transaction of Wu, who amends."""

    def open_():
        return store.transaction(engine, actor="Wu", reason="amended by the site", at=now)

    return open_


@pytest.fixture
def five_entries(signed, an_event):
    with signed() as session:
        event = an_event()
        session.add_all([event, an_event(aeseq=2), an_event(aeseq=3)])
    for grade in (3, 4):
        with signed() as session:
            session.get(AdverseEventRow, event.id).grade = grade
    return event.id


def _raw(engine, *statements):
    """Runs SQL as somebody who goes around the program."""
    with engine.execution_options(**{_WRITES: True}).connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
        connection.commit()


def _without_guards(engine, *statements):
    """Takes the triggers away, runs SQL, and puts them back."""
    with engine.execution_options(**{_WRITES: True}).connect() as connection:
        triggers.remove_triggers(connection)
        for statement in statements:
            connection.execute(text(statement))
        triggers.install_triggers(connection)
        connection.commit()


def _faults(engine, anchors=()):
    with store.reading(engine) as session:
        return audit.verify(session, anchors)


def test_an_empty_audit_is_whole(engine):
    assert _faults(engine) == []


def test_entries_say_who_what_when_and_why(engine, now, five_entries):
    with store.reading(engine) as session:
        entries = audit.history(session, table="adverse_event", key=str(five_entries))
        first, second, third = entries
        assert audit.history(session, last=1) == [third]
        assert audit.history(session, since=now, actor="Wu", last=99)[0] == first
        assert audit.history(session, actor="somebody") == []
    assert (first.action, first.changes["aeterm"], first.changes["is_deleted"]) == (
        "insert", (None, "Nausea"), (None, False),
    )  # fmt: skip
    assert (second.changes, third.changes) == ({"grade": (2, 3)}, {"grade": (3, 4)})
    assert str(third) == (
        f"2026-03-01 08:30:00Z Wu update adverse_event {five_entries}: grade 3 → 4 (amended by the site)"
    )


def test_deletion_is_audited(engine, signed, five_entries):
    with signed() as session:
        session.delete(session.get(AdverseEventRow, five_entries))
    with store.reading(engine) as session:
        last = audit.history(session, last=1)[0]
    assert (last.action, last.changes["grade"]) == ("delete", (4, None))
    assert _faults(engine) == []


def test_an_update_that_changes_nothing_leaves_no_entry(engine, signed, five_entries):
    with signed() as session:
        session.connection().execute(text("UPDATE adverse_event SET grade = grade"))
    with store.reading(engine) as session:
        assert audit.head(session)[0] == 5


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE adverse_event SET grade = 1",
        "DELETE FROM adverse_event",
        "INSERT INTO study_version VALUES ('S1', 1, '{}', '', '2026-01-01 00:00:00')",
    ],
)
def test_raw_writes_without_actor_and_reason_are_refused(engine, five_entries, statement):
    with pytest.raises(IntegrityError, match="needs an actor and a reason"):
        _raw(engine, statement)


def test_a_signature_does_not_outlive_its_transaction(engine, signed, an_event):
    with signed() as session:
        session.add(an_event())
    with pytest.raises(IntegrityError, match="needs an actor"):  # the pool hands out the same connection
        _raw(engine, "UPDATE adverse_event SET grade = 1")


def test_raw_sql_in_a_transaction_is_audited(engine, signed, five_entries):
    with signed() as session:
        session.connection().execute(text("UPDATE adverse_event SET aeterm = 'Übelkeit', aeser = (1 = 1)"))
    with store.reading(engine) as session:
        last = audit.history(session, last=1)[0]
    assert last.changes == {"aeterm": ("Nausea", "Übelkeit"), "aeser": (None, True)}
    assert _faults(engine) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'x'",
        "DELETE FROM audit",
        "DELETE FROM audit_head",
        "UPDATE audit_head SET seq = 0",
    ],
)
def test_the_audit_cannot_be_changed(engine, five_entries, statement):
    with pytest.raises(IntegrityError, match="never changed or removed"):
        _raw(engine, statement)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_postgresql_tables_cannot_be_truncated(engine, five_entries):
    for table in ("audit", "audit_head", "report_signature"):
        with pytest.raises(IntegrityError, match="never changed or removed"):
            _raw(engine, f"TRUNCATE {table}")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_sqlite_replace_is_no_way_around(engine, five_entries):
    columns = "at, actor, reason, table_name, row_key, action, changes, previous_hash, hash"
    with pytest.raises(IntegrityError, match="never changed"):
        _raw(engine, f"INSERT OR REPLACE INTO audit SELECT 2, {columns} FROM audit WHERE seq = 3")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_another_program_cannot_write_to_the_file(engine, five_entries):
    with (
        sqlite3.connect(engine.url.database) as other,
        pytest.raises(sqlite3.OperationalError, match="audit_"),
    ):
        other.execute("UPDATE adverse_event SET grade = 1")
    other.close()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_postgresql_writes_at_another_isolation_are_refused(engine, now, an_event):
    strict = engine.execution_options(isolation_level="REPEATABLE READ")
    with (
        pytest.raises(IntegrityError, match="READ COMMITTED"),
        store.transaction(strict, actor="Wu", reason="r", at=now) as session,
    ):
        session.add(an_event())


TAMPERING = {
    "entry edited": (["UPDATE audit SET actor = 'Li' WHERE seq = 2"], "entry 2 was changed"),
    "entry removed": (["DELETE FROM audit WHERE seq = 3"], "entries 3 to 3 are missing"),
    "entries swapped": (
        [
            "UPDATE audit SET seq = 99 WHERE seq = 2",
            "UPDATE audit SET seq = 2 WHERE seq = 3",
            "UPDATE audit SET seq = 3 WHERE seq = 99",
        ],
        "entry 2 does not follow",
    ),
    "end cut off": (["DELETE FROM audit WHERE seq = 5"], "entry 5 is gone"),
    "end cut off and head moved": (
        [
            "DELETE FROM audit WHERE seq = 5",
            "UPDATE audit_head SET seq = 4, hash = (SELECT hash FROM audit WHERE seq = 4)",
        ],
        "has grade 4, the history says 3",
    ),
    "all removed": (["DELETE FROM audit"], "entry 5 is gone"),
    "head removed": (["DELETE FROM audit_head"], "audit_head is empty"),
    "row changed": (
        ["UPDATE adverse_event SET grade = 1 WHERE aeseq = 3"],
        "has grade 1, the history says 2",
    ),
    "row removed": (["DELETE FROM adverse_event WHERE aeseq = 3"], "is gone without an entry"),
    "row added": (
        ["INSERT INTO study_version VALUES ('S1', 1, '{}', '', '2026-01-01 00:00:00')"],
        "study_version S1/1 has no history",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TAMPERING)
def test_tampering_shows(engine, five_entries, case):
    statements, fault = TAMPERING[case]
    assert _faults(engine) == []
    _without_guards(engine, *statements)
    assert any(fault in found for found in _faults(engine)), _faults(engine)


def test_a_change_covered_by_a_later_one_shows(engine, signed, five_entries):
    _without_guards(engine, "UPDATE adverse_event SET grade = 1 WHERE aeseq = 3")
    with signed() as session:
        session.connection().execute(text("UPDATE adverse_event SET grade = 2 WHERE aeseq = 3"))
    assert any("had grade 1, the history before says 2" in fault for fault in _faults(engine))


def test_missing_triggers_show(engine, five_entries):
    with engine.execution_options(**{_WRITES: True}).connect() as connection:
        triggers.remove_triggers(connection)
        connection.commit()
    assert "trigger audit_adverse_event_update is missing; run safety-monitor init" in _faults(engine)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_disabled_triggers_show(engine):
    _raw(engine, "ALTER TABLE subject DISABLE TRIGGER audit_subject_update")
    assert _faults(engine) == ["trigger audit_subject_update is disabled or altered; run safety-monitor init"]


def test_anchors_show_a_chain_that_was_rewritten(engine, five_entries):
    with store.reading(engine) as session:
        seq, known = audit.head(session)
    assert _faults(engine, [(seq, known)]) == []
    assert _faults(engine, [(seq, "f" * 64)]) == [
        f"entry {seq} is not the one that was anchored: the chain was rewritten"
    ]
    assert _faults(engine, [(seq + 1, known)]) == [f"entry {seq + 1} is gone: the audit ends at {seq}"]


def test_alerts_are_audited_but_not_their_leases(engine, signed, an_alert, now):
    with signed() as session:
        session.add(an_alert("k"))
    with signed() as session:
        row = session.exec(select(AlertRow)).one()
        row.lease_owner, row.leased_until, row.n_attempts = "worker", now, 3
    with store.reading(engine) as session:
        assert audit.head(session)[0] == 1
    with signed() as session:
        session.exec(select(AlertRow)).one().recipient_email = "li@example.org"
    with store.reading(engine) as session:
        (_, entry) = audit.history(session, table="alert")
    assert entry.changes == {"recipient_email": ("chen@example.org", "li@example.org")}
    assert _faults(engine) == []


def test_snapshots_are_audited_by_their_hash(engine, signed, now):
    with signed() as session:
        session.add(SnapshotRow(study_id="S1", created_at=now, sha256="abc", content=b"\x00\xff" * 1000))
    with store.reading(engine) as session:
        (entry,) = audit.history(session)
    assert entry.changes["sha256"] == (None, "abc")
    assert "content" not in entry.changes
    assert _faults(engine) == []


def test_source_rows_are_audited_from_their_first_change(engine, signed, now):
    with signed() as session:
        session.add(ImportBatch(id=1, study_id="S1", started_at=now, actor="Wu", reason="r"))
        session.flush()
        session.add(
            SourceFile(
                id=1, batch_id=1, study_id="S1", path="p", sha256="x", domain="LB", format="csv", n_rows=1
            )
        )
        session.flush()
        row = {"study_id": "S1", "domain": "LB", "file_id": 1, "row_number": 1, "content": '{"A":"1"}'}
        rows = [{**row, "record_key": key, "sha256": "a", "is_deleted": False} for key in "ab"]
        store.bulk_insert(session, SourceRow, rows)
    with signed() as session:
        session.exec(select(SourceRow).where(SourceRow.record_key == "a")).one().content = '{"A":"2"}'
    with store.reading(engine) as session:
        (entry,) = audit.history(session, table="source_row")
    assert [json.loads(value) for value in entry.changes["content"]] == [{"A": "1"}, {"A": "2"}]
    assert _faults(engine) == []
    _without_guards(engine, """UPDATE source_row SET content = '{"A":"3"}' WHERE record_key = 'a'""")
    assert any("changed without an entry" in fault for fault in _faults(engine))


def test_the_chain_holds_when_many_write_at_once(engine, now, an_event):
    def write(worker):
        for number in range(10):
            with store.transaction(engine, actor=f"worker {worker}", reason="load", at=now) as session:
                session.add_all([an_event(usubjid=f"{worker}-{number}", aeseq=i) for i in range(3)])

    threads = [Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.reading(engine) as session:
        assert audit.head(session)[0] == 120
        assert len({entry.actor for entry in audit.history(session)}) == 4
    assert _faults(engine) == []


def test_an_injected_field_boundary_changes_the_hash():
    fields = ["0" * 64, 1, "2026-01-01 00:00:00.000000", "Wu", "why", "subject", "1", "insert", "{}"]
    shifted = [*fields[:3], "W", "uwhy", *fields[5:]]
    assert triggers.entry_hash(*fields) != triggers.entry_hash(*shifted)
