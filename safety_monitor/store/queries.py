"""Questions as they are kept: each once, carried from one import to the next, closed and reopened, never asked twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from safety_monitor.records import Query
from safety_monitor.store.session import bulk_insert
from safety_monitor.store.tables import QueryRow
from safety_monitor.vocabulary import QueryState

#: Who closes a question whose ground is gone: not a person.
BY_DATA = "data"


@dataclass
class QueryTally:
    """What one import did to the questions."""

    n_new: int = 0
    n_changed: int = 0
    n_closed: int = 0
    n_reopened: int = 0


@dataclass(frozen=True, slots=True)
class StoredQuery:
    """A question as it stands in the store. ``since``: when it was asked, or asked again."""

    id: int
    query: Query
    state: QueryState
    opened_at: datetime
    since: datetime
    n_reopened: int
    answer: str | None
    answered_by: str | None
    closed_by: str | None
    close_reason: str | None

    @property
    def is_closed_by_a_person(self) -> bool:
        """Whether somebody closed it although its ground may remain."""
        return self.state is QueryState.CLOSED and self.closed_by != BY_DATA


def stored_queries(session: Session, study_id: str) -> list[StoredQuery]:
    """Every question of the study, in the order in which they were first asked."""
    return [_stored(row) for row in _rows(session, study_id)]


def stored_query(session: Session, query_id: int) -> StoredQuery | None:
    row = session.get(QueryRow, query_id)
    return _stored(row) if row else None


def _rows(session: Session, study_id: str) -> list[QueryRow]:
    return list(session.exec(select(QueryRow).where(col(QueryRow.study_id) == study_id).order_by(col(QueryRow.id))))


def _stored(row: QueryRow) -> StoredQuery:
    assert row.id is not None
    query = Query.model_construct(**{name: getattr(row, name) for name in Query.model_fields})
    return StoredQuery(row.id, query, row.state, row.opened_at, row.reopened_at or row.opened_at, row.n_reopened, row.answer,
                       row.answered_by, row.closed_by, row.close_reason)  # fmt: skip


def query_key(query: Query) -> str:
    """What a question is known by: check, subject or site, record."""
    return "|".join(part.replace("\\", "\\\\").replace("|", "\\|") for part in query.key)


def put_queries(
    session: Session, study_id: str, asked: Iterable[Query], at: datetime
) -> tuple[QueryTally, list[Query], list[Query]]:
    """Writes what is asked now: new questions open, those no longer asked close, those asked again reopen. Returns the sums,
    the questions that opened (again), and those that the data closed.

    A person may have closed a question although its ground remains: it stays closed until what it says changes.
    """
    tally, opened, closed = QueryTally(), [], []
    known = {row.query_key: row for row in _rows(session, study_id)}
    new: dict[str, dict[str, object]] = {}
    current = set()
    for query in asked:
        key = query_key(query)
        current.add(key)
        row = known.get(key)
        if row is None:
            blank = dict.fromkeys(("answer", "answered_by", "answered_at", "closed_at", "closed_by", "close_reason"))
            new[key] = {**query.model_dump(), "query_key": key, "state": QueryState.OPEN, "opened_at": at, "changed_at": at,
                        "n_reopened": 0, "reopened_at": None, **blank}  # fmt: skip
            opened.append(query)
            continue
        if row.state is QueryState.CLOSED and (row.closed_by == BY_DATA or row.text != query.text):
            row.state, row.n_reopened, row.changed_at, row.reopened_at = QueryState.OPEN, row.n_reopened + 1, at, at
            row.closed_at = row.closed_by = row.close_reason = None
            tally.n_reopened += 1
            opened.append(query)
        elif row.state is not QueryState.CLOSED and (row.text, row.siteid, row.owner) != (query.text, query.siteid, query.owner):
            row.changed_at = at
            if row.text != query.text:
                row.state = QueryState.OPEN  # an answer was to the question as it stood
            tally.n_changed += 1
        else:
            continue
        row.text, row.siteid, row.owner = query.text, query.siteid, query.owner
    for key, row in known.items():
        if key not in current and row.state is not QueryState.CLOSED:
            _close(row, at, BY_DATA, "the data no longer give a reason to ask")
            tally.n_closed += 1
            closed.append(_stored(row).query)
    tally.n_new = bulk_insert(session, QueryRow, list(new.values()))
    session.flush()
    return tally, opened, closed


def n_open(session: Session, study_id: str) -> int:
    """How many questions are not closed."""
    return sum(row.state is not QueryState.CLOSED for row in _rows(session, study_id))


def answer(session: Session, query_id: int, at: datetime, actor: str, text: str) -> StoredQuery:
    """Records an answer; the question stays until the data or a person close it."""
    row = session.get_one(QueryRow, query_id)
    row.state, row.answer, row.answered_by, row.answered_at, row.changed_at = QueryState.ANSWERED, text, actor, at, at
    session.flush()
    return _stored(row)


def close(session: Session, query_id: int, at: datetime, actor: str, reason: str) -> StoredQuery:
    """Closes one question for a person."""
    row = session.get_one(QueryRow, query_id)
    _close(row, at, actor, reason)
    session.flush()
    return _stored(row)


def _close(row: QueryRow, at: datetime, actor: str, reason: str) -> None:
    row.state, row.closed_at, row.closed_by, row.close_reason, row.changed_at = QueryState.CLOSED, at, actor, reason, at
