"""Issued reports and what the board asked for: numbered, signed, never changed, by raw SQL neither."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from safety_monitor import store
from safety_monitor.records import ActionItem, Snapshot
from safety_monitor.store import actions, audit, snapshots
from safety_monitor.store.snapshots import Signature
from safety_monitor.vocabulary import Mark, Role


def a_snapshot(cutoff=None, n=1):
    return Snapshot({"study": {"id": "S1"}}, cutoff, {"subjects": pl.DataFrame({"n": [n]})}, {"software": "0"})


@pytest.fixture
def signed(engine, now):
    return lambda at=now: store.transaction(engine, actor="Wu", reason="issued", at=at)


@pytest.fixture
def issue(signed, now):
    """Issues a report of a cut-off; its id."""

    def issued(cutoff=None, *, kind="dsmb", mark=Mark.FINAL, days=0, language="en"):
        with signed() as session:
            kept = snapshots.keep_snapshot(session, a_snapshot(cutoff), now)
            return snapshots.record_issue(
                session, kept, "S1", kind, now + timedelta(days=days), "ab" * 32, "r.pdf", "sm", by="Wu", language=language,
                page_size="A4", organisation="X", mark=mark,
            )  # fmt: skip

    return issued


def read(engine, what, *arguments):
    with store.reading(engine) as session:
        return what(session, *arguments)


MARCH, APRIL, MAY = date(2026, 3, 31), date(2026, 4, 30), date(2026, 5, 31)


def test_reports_of_one_cut_off_have_one_number_and_drafts_none(engine, issue):
    issue(MARCH)
    issue(MARCH, language="zh")
    issue(APRIL, mark=Mark.DRAFT)
    issue(MAY)
    issue(None, kind="safety", days=1)
    issue(None, kind="safety", days=8)
    issue(MAY, kind="safety", days=9)
    found = [(each.kind, each.number, each.mark.value) for each in read(engine, snapshots.issued_reports, "S1")]
    assert found == [
        ("dsmb", 1, "final"), ("dsmb", 1, "final"), ("dsmb", None, "draft"), ("dsmb", 2, "final"),
        ("safety", 1, "final"), ("safety", 2, "final"), ("safety", 3, "final"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "before", "expected"),
    [
        ("dsmb", MARCH, None),  # its own cut-off is not earlier
        ("dsmb", APRIL, 2),  # the later issue of March
        ("dsmb", MAY, 2),  # April was a draft
        ("dsmb", date(2026, 6, 1), 4),
        ("safety", date(2026, 3, 2), None),
        ("safety", date(2026, 3, 3), 5),  # by the day of issue: 2 March
        ("safety", date(2027, 1, 1), 6),
    ],
)
def test_the_last_report_is_the_last_final_one_of_an_earlier_day(engine, issue, kind, before, expected):
    for cutoff, more in (
        (MARCH, {}), (MARCH, {"language": "zh"}), (APRIL, {"mark": Mark.DRAFT}), (MAY, {}),
        (None, {"kind": "safety", "days": 1}), (MAY, {"kind": "safety", "days": 8}),
    ):  # fmt: skip
        issue(cutoff, **more)
    last = read(engine, snapshots.last_issued, "S1", kind, before)
    assert (last and last.id) == expected
    assert read(engine, snapshots.last_issued, "S9", kind, date(2027, 1, 1)) is None


@pytest.fixture
def on_record(engine, issue, signed, now):
    """One report with one signature, and one action item."""
    report = issue(MARCH)
    with signed() as session:
        snapshots.sign(session, report, Signature("Wu", Role.MEDICAL_MONITOR, "approved", now, "ab" * 32))
        item = ActionItem(study_id="S1", text="Ask", owner="Li", due_on=MAY, report_id=report, opened_at=now, opened_by="Wu")
        actions.add(session, item)
    return report


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE report_signature SET meaning = 'seen'", "a signature is never changed or removed"),
        ("UPDATE report_signature SET at = '2027-01-01 00:00:00'", "a signature is never changed or removed"),
        ("DELETE FROM report_signature", "a signature is never changed or removed"),
        ("UPDATE issued_report SET sha256 = 'cd'", "what was issued stays as it was"),
        ("UPDATE issued_report SET language = NULL", "what was issued stays as it was"),
        ("UPDATE action_item SET due_on = '2027-01-01'", "what the board asked for is never changed or removed"),
        ("DELETE FROM action_item", "what the board asked for is never changed or removed"),
        ("UPDATE action_item SET resolution = 'done'", "action_item"),  # without who and when
    ],
)
def test_what_was_signed_issued_or_asked_stays(engine, signed, on_record, statement, said):
    with pytest.raises(IntegrityError, match=said), signed() as session:
        session.connection().execute(text(statement))
    assert read(engine, audit.verify) == []


def test_an_item_is_closed_once_and_everything_is_audited(engine, signed, on_record, now):
    (item,) = read(engine, actions.actions, "S1")
    assert item.is_open
    with signed() as session:
        actions.close(session, item.id, by="Li", at=now, resolution="asked")
    (closed,) = read(engine, actions.actions, "S1")
    assert (closed.is_open, closed.item.closed_by, closed.item.resolution) == (False, "Li", "asked")
    with store.reading(engine) as session:
        for table, n in (("report_signature", 1), ("action_item", 2), ("issued_report", 1), ("snapshot", 1)):
            assert len(audit.history(session, table=table)) == n, table
        assert audit.verify(session) == []


def test_bytes_of_a_snapshot_that_were_changed_are_refused(engine, issue, signed):
    issue(MARCH)
    sha256 = a_snapshot(MARCH).sha256
    assert read(engine, snapshots.kept_snapshot, sha256[:8]).sha256 == sha256
    for content in (a_snapshot(MARCH, n=2).to_bytes(), b"nothing"):
        with signed() as session:
            session.connection().execute(text("UPDATE snapshot SET content = :content"), {"content": content})
        with pytest.raises(store.StoreError, match="were changed"):
            read(engine, snapshots.kept_snapshot, sha256)
