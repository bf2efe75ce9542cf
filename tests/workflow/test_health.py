"""What a monitor of servers hears, and the page behind a mail's link."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine

from safety_monitor import store
from safety_monitor.alerts.routing import owe
from safety_monitor.config import Config, MailSettings, Person
from safety_monitor.store import ledger, outbox
from safety_monitor.vocabulary import AlertKind, Role
from safety_monitor.workflow.health import metrics, problems, serving

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
CONFIG = Config.model_validate({"jobs": [{"name": "weekly", "job": "dsmb_report", "cron": "0 6 * * mon"}]})
WANG = Person(name="Wang", email="wang@example.org", role=Role.MEDICAL_MONITOR, language="zh")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = store.connect(database_url)
    yield made
    made.dispose()


def an_alert(engine: Engine, at: datetime = NOW) -> Any:
    payload = {"usubjid": "S1-01", "siteid": "01", "aeseq": 1, "term": "<b>Colitis</b>", "grade": 3, "why": "x"}
    alert = owe(
        WANG,
        ("a",),
        sender=MailSettings(),
        kind=AlertKind.SAE_NEW,
        rule_id="new_serious_event",
        payload=payload,
        at=at,
        study_id="S1",
    )
    with store.transaction(engine, actor="t", reason="t", at=at) as session:
        outbox.enqueue(session, [alert])
    return alert


def values(engine: Engine, now: datetime = NOW) -> dict[tuple[str, str], float]:
    families = text_string_to_metric_families(metrics(engine, CONFIG, now).decode())
    return {(each.name, each.labels.get("job", "")): each.value for family in families for each in family.samples}


def test_numbers(engine: Engine) -> None:
    an_alert(engine, NOW - timedelta(minutes=5))
    ledger.beat(engine, "scheduler", NOW - timedelta(seconds=12), "running as x")
    ledger.claim(engine, "weekly", "p1", NOW, stale_after=timedelta(hours=1))
    ledger.finish(engine, "weekly", "p1", NOW)
    ledger.claim(engine, "weekly", "p2", NOW, stale_after=timedelta(hours=1))
    ledger.fail(engine, "weekly", "p2", NOW, "no room")
    found = values(engine)
    wanted = {
        ("safety_monitor_outbox_pending", ""): 1, ("safety_monitor_outbox_oldest_seconds", ""): 300,
        ("safety_monitor_heartbeat_age_seconds", ""): 12, ("safety_monitor_job_failed_periods", "weekly"): 1,
        ("safety_monitor_job_last_success_timestamp_seconds", "weekly"): NOW.timestamp(),
        ("safety_monitor_clocks_overdue", ""): 0, ("safety_monitor_outbox_failing", ""): 0,
    }  # fmt: skip
    assert {name: found[name] for name in wanted} == wanted


def test_what_never_was_has_no_number(engine: Engine) -> None:
    found = values(engine)
    assert ("safety_monitor_heartbeat_age_seconds", "") not in found
    assert ("safety_monitor_job_last_success_timestamp_seconds", "weekly") not in found


def test_problems_by_name(engine: Engine) -> None:
    assert problems(engine, CONFIG, NOW) == ["the scheduler shows no life"]
    ledger.beat(engine, "scheduler", NOW, "running as x")
    assert problems(engine, CONFIG, NOW) == []
    an_alert(engine, NOW - timedelta(minutes=20))
    ledger.claim(engine, "weekly", "p2", NOW, stale_after=timedelta(hours=1))
    ledger.fail(engine, "weekly", "p2", NOW, "no room")
    assert problems(engine, CONFIG, NOW) == ["the oldest unsent mail waits for 20 min", "job weekly failed for p2"]


def asked(url: str, **form: str) -> tuple[int, str]:
    try:
        with urlopen(url, data=urlencode(form).encode() if form else None, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_over_http(engine: Engine) -> None:
    alert = an_alert(engine)
    with serving(engine, CONFIG, lambda: NOW, "127.0.0.1", 0) as port:
        url = f"http://127.0.0.1:{port}"
        status, body = asked(f"{url}/health")
        assert (status, json.loads(body)) == (503, {"ok": False, "problems": ["the scheduler shows no life"]})
        ledger.beat(engine, "scheduler", NOW, "running as x")
        assert asked(f"{url}/health")[0] == 200
        assert "safety_monitor_outbox_pending 1.0" in asked(f"{url}/metrics")[1]
        assert asked(f"{url}/")[0] == 404
        assert asked(f"{url}/alerts/AAAAAAAA")[0] == 404
        page = f"{url}/alerts/{alert.ack_code}"
        assert "尚未发送" in asked(page)[1]  # there is nothing to acknowledge yet
        with store.transaction(engine, actor="t", reason="t", at=NOW) as session:
            outbox.mark_sent(session, outbox.listing(session)[0]["id"], worker="w", at=NOW)
        status, body = asked(page)
        assert (status, "<form" in body, "&lt;b&gt;Colitis" in body, "<b>Colitis" in body) == (200, True, True, False)
        asked(page)
        asked(page, name="  ")
        assert state(engine) == "sent"  # looking is not acknowledging, nor is nobody
        assert "Dr Wu (by link)" in asked(page, name="Dr Wu")[1]
        assert state(engine) == "acknowledged"
        assert asked(page, name="x" * 3000)[0] == 404


def state(engine: Engine) -> str:
    with store.reading(engine) as session:
        return str(outbox.listing(session)[0]["state"].value)
