"""One commit, signed; consistent reading; a schema that goes up and down."""

from __future__ import annotations

import re
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from multiprocessing import get_context
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, func, inspect, text
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlmodel import select

from safety_monitor import store
from safety_monitor.store import tables, triggers
from safety_monitor.store.tables import (
    AdverseEventRow,
    AssessmentRow,
    AuditEntry,
    JobRun,
    SourceRow,
    SubjectRow,
)


def _tables(url):
    engine = store.connect(url)
    with engine.connect() as connection:
        found = set(inspect(connection).get_table_names())
    engine.dispose()
    return found


def test_upgrade_from_nothing_and_back_and_again(empty_database_url):
    url = empty_database_url
    assert store.pending(url) == ["0001", "0002", "0003", "0004", "0005", "0006", "0007"]
    assert not store.is_current(url)
    for _ in range(2):
        store.upgrade(url)
        assert store.is_current(url)
        engine = store.connect(url)
        with store.reading(engine) as session:
            assert triggers.faults(session.connection()) == []
        engine.dispose()
        store.downgrade(url, "base")
        assert _tables(url) <= {"alembic_version"}


def test_the_migration_makes_the_tables_of_the_code(engine):
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, tables.metadata) == []
        for name, table in tables.metadata.tables.items():
            made = {c["name"] for c in inspect(connection).get_check_constraints(name)}
            wanted = {str(c.name) for c in table.constraints if isinstance(c, CheckConstraint)}
            assert made == wanted, name


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_two_upgrades_at_once(empty_database_url):
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as processes:
        list(processes.map(store.upgrade, [empty_database_url] * 2))
    assert store.is_current(empty_database_url)


def _opened(path: str) -> None:
    engine = store.connect(f"sqlite:///{path}")
    engine.connect().close()
    engine.dispose()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_first_connections_at_once(tmp_path):
    """SQLite refused about one in eighty of such first connections before they waited for each other."""
    with ProcessPoolExecutor(4, mp_context=get_context("fork")) as processes:
        list(processes.map(_opened, [str(tmp_path / f"{file}.db") for file in range(100) for _ in range(4)]))


def test_every_audited_table_exists(engine):
    assert triggers.AUDITED.keys() <= tables.metadata.tables.keys()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"actor": " "}, "actor is blank"),
        ({"reason": ""}, "reason is blank"),
        ({"at": datetime(2026, 1, 1)}, "no time zone"),
    ],
)
def test_unsigned_transactions_are_refused(engine, now, change, message):
    signature = {"actor": "Wu", "reason": "import", "at": now} | change
    with pytest.raises(store.StoreError, match=message), store.transaction(engine, **signature):
        pytest.fail("the block ran")


def test_a_failed_block_leaves_nothing(engine, now, an_event):
    def stumble():
        with store.transaction(engine, actor="Wu", reason="import", at=now) as session:
            session.add(an_event())
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stumble()
    with store.reading(engine) as session:
        assert session.exec(select(func.count()).select_from(AdverseEventRow)).one() == 0
        assert session.exec(select(func.count()).select_from(AuditEntry)).one() == 0


def test_what_was_written_comes_back(engine, now, an_event):
    local = now.astimezone(timezone(timedelta(hours=8)))
    with store.transaction(engine, actor="Wu", reason="import", at=now) as session:
        event = an_event(relatedness={"pd1": "Y"}, aeser=True, first_seen_at=local)
        session.add(event)
        session.flush()
        row = AssessmentRow(
            event_id=event.id, assessed_at=now, engine_version="1", serious_basis=("aeshosp",)
        )
        session.add(row)
    with store.reading(engine) as session:
        event = session.exec(select(AdverseEventRow)).one()
        assessment = session.exec(select(AssessmentRow)).one()
    assert (event.relatedness, event.aeser, event.aesdth) == ({"pd1": "Y"}, True, None)
    assert (event.first_seen_at, event.first_seen_at.tzinfo) == (now, UTC)
    assert assessment.serious_basis == ("aeshosp",)


def test_naive_instants_are_refused(engine, now, an_event):
    with (
        pytest.raises(StatementError, match="no time zone"),
        store.transaction(engine, actor="Wu", reason="import", at=now) as session,
    ):
        session.add(an_event(changed_at=datetime(2026, 3, 1)))


@pytest.mark.parametrize(
    "change",
    [
        {"grade": 6},
        {"grade": -1},
        {"version": 0},
        {"usubjid": ""},
        {"changed_at": datetime(2020, 1, 1, tzinfo=UTC)},
    ],
    ids=str,
)
def test_events_that_cannot_be_are_refused(engine, now, an_event, change):
    with (
        pytest.raises(IntegrityError),
        store.transaction(engine, actor="Wu", reason="import", at=now) as session,
    ):
        session.add(an_event(**change))


@pytest.mark.parametrize(
    "change",
    [
        {"state": "sent"},  # without the instant of sending
        {"state": "lost"},
        {"lease_owner": "w"},  # without an end
        {"n_attempts": -1},
        {"recipient_email": "nobody"},
        {"event_id": 99},  # no such event: foreign keys hold on SQLite too
    ],
    ids=str,
)
def test_alerts_that_cannot_be_are_refused(engine, now, an_alert, change):
    with store.transaction(engine, actor="Wu", reason="import", at=now) as session:
        session.add(an_alert("k"))
    (column, value), *_ = change.items()
    with (
        pytest.raises(IntegrityError),
        store.transaction(engine, actor="Wu", reason="import", at=now) as session,
    ):
        session.connection().execute(text(f"UPDATE alert SET {column} = :value"), {"value": value})


def test_an_open_run_has_no_end_and_a_closed_one_has(engine, now):
    with (
        pytest.raises(IntegrityError),
        store.transaction(engine, actor="Wu", reason="import", at=now) as session,
    ):
        session.add(JobRun(job="dsmb", period="2026-W10", started_at=now, finished_at=now))


def test_a_reader_cannot_write(engine, now, an_event):
    with store.reading(engine) as session:
        session.add(an_event())
        with pytest.raises((DBAPIError, store.StoreError), match=r"(?i)read.?only"):
            session.flush()


def test_a_reader_sees_one_state(engine, now, an_event):
    count = select(func.count()).select_from(AdverseEventRow)
    with store.reading(engine) as session:
        assert session.exec(count).one() == 0
        with store.transaction(engine, actor="Wu", reason="import", at=now) as writer:
            writer.add(an_event())
        assert session.exec(count).one() == 0
    with store.reading(engine) as session:
        assert session.exec(count).one() == 1


def _source_rows(n, file_id):
    return [
        {
            "study_id": "S1", "domain": "LB", "record_key": f"S1-001/{i}", "file_id": file_id,
            "row_number": i, "sha256": f"{i:064x}", "is_deleted": False,
            "content": f'{{"LBSEQ":"{i}","LBORRES":"tab\\tquote\\"µ"}}',
        }
        for i in range(n)
    ]  # fmt: skip


def test_bulk_insert(engine, now):
    with store.transaction(engine, actor="Wu", reason="import", at=now) as session:
        batch = tables.ImportBatch(study_id="S1", started_at=now, actor="Wu", reason="import")
        session.add(batch)
        session.flush()
        file = tables.SourceFile(
            batch_id=batch.id,
            study_id="S1",
            path="lb.csv",
            sha256="0",
            domain="LB",
            format="csv",
            n_rows=20_000,
        )
        session.add(file)
        session.flush()
        rows = _source_rows(20_000, file.id)
        assert store.bulk_insert(session, SourceRow, rows) == 20_000
        assert store.bulk_insert(session, SourceRow, []) == 0
    with store.reading(engine) as session:
        assert session.exec(select(func.count()).select_from(SourceRow)).one() == 20_000
        kept = session.exec(select(SourceRow).where(SourceRow.row_number == 19_999)).one()
        assert {key: getattr(kept, key) for key in rows[-1]} == rows[-1]
        audited = session.exec(select(AuditEntry.table_name)).all()
    assert audited == ["import_batch", "source_file"]


def test_bulk_insert_refuses_ragged_rows(engine, now):
    ragged = [{"study_id": "S1", "usubjid": "1"}, {"study_id": "S1"}]
    with (
        pytest.raises(ValueError, match="row 1"),
        store.transaction(engine, actor="Wu", reason="import", at=now) as session,
    ):
        store.bulk_insert(session, SubjectRow, ragged)


def test_a_database_without_tables_says_what_to_do(empty_database_url, now, an_event):
    engine = store.connect(empty_database_url)
    with pytest.raises(store.StoreError, match="run safety-monitor init"), store.reading(engine) as session:
        session.exec(select(AdverseEventRow)).all()
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://host/db", "sqlite or postgresql"),
        ("nonsense", "no URL"),
        ("sqlite://", "memory"),
        ("sqlite:////no/such/folder/x.db", "cannot be opened"),
        ("postgresql://nobody:secret@127.0.0.1:1/x", "cannot be opened"),
    ],
)
def test_databases_that_cannot_be_used(url, message):
    with pytest.raises(store.StoreError, match=message) as caught:
        store.pending(url)
    assert "secret" not in str(caught.value)


def test_nobody_else_commits():
    package = Path(store.__file__).parents[1]
    committing = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"\.commit\(|\.begin\(", path.read_text(encoding="utf-8"))
    }
    assert committing == {"store/session.py"}
