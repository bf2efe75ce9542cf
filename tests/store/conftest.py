"""An engine on each kind of database, and rows to write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine

from safety_monitor import store
from safety_monitor.store.tables import AdverseEventRow, AlertRow
from safety_monitor.vocabulary import AlertKind

NOW = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = store.connect(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def an_event() -> Callable[..., AdverseEventRow]:
    """An adverse event row with what the case changes."""

    def make(**changes: Any) -> AdverseEventRow:
        values = {"study_id": "S1", "usubjid": "S1-001", "aeseq": 1, "aeterm": "Nausea", "grade": 2}
        return AdverseEventRow(**{**values, "first_seen_at": NOW, "changed_at": NOW, **changes})

    return make


@pytest.fixture
def an_alert() -> Callable[..., AlertRow]:
    """An outbox row with its own key, due now."""

    def make(key: str, **changes: Any) -> AlertRow:
        values: dict[str, Any] = {
            "study_id": "S1", "kind": AlertKind.SAE_NEW, "rule_id": "sae", "recipient_name": "Chen",
            "recipient_email": "chen@example.org", "unique_key": key, "message_id": f"<{key}@sm>",
            "payload": {"term": "Nausea"}, "created_at": NOW, "next_attempt_at": NOW, "ack_code": "c",
        }  # fmt: skip
        return AlertRow(**{**values, **changes})

    return make
