"""What the times of awareness contradict."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from safety_monitor.rules.clocks import Awareness
from safety_monitor.rules.queries import checks
from safety_monitor.rules.receipts import questions

T = datetime(2026, 3, 2, 8, tzinfo=UTC)
KEY = ("S1-1", 1)


def hours(site: float | None, sponsor: float | None) -> Awareness:
    return Awareness(*(None if each is None else T + timedelta(hours=each) for each in (site, sponsor)))


CASES: list[tuple[Awareness, bool | None, float | None, list[str]]] = [
    (hours(0, 24), True, None, []),
    (hours(0, None), True, None, []),
    (hours(None, 0), True, 0, []),
    (hours(None, 0), None, None, ["RECEIPT_WITHOUT_EVENT"]),
    (hours(None, 0), False, None, ["RECEIPT_NOT_SERIOUS"]),
    (hours(2, 0), True, None, ["SPONSOR_AWARE_BEFORE_SITE"]),
    (hours(0, 25), True, None, ["SITE_REPORTED_LATE"]),
    (hours(None, 5), True, 0, ["AWARENESS_MOVED_LATER"]),
    (hours(None, 0), True, 5, []),  # earlier: the clock is superseded, and that is told
    (hours(0, 80), None, 0, ["RECEIPT_WITHOUT_EVENT", "SITE_REPORTED_LATE", "AWARENESS_MOVED_LATER"]),
]


@pytest.mark.parametrize(("receipt", "serious", "taken", "asked"), CASES)
def test_questions(receipt: Awareness, serious: bool | None, taken: float | None, asked: list[str]) -> None:
    known = {} if serious is None else {KEY: serious}
    since = {} if taken is None else {KEY: T + timedelta(hours=taken)}
    found = questions({KEY: receipt}, known, since, {"S1-1": "01"}, 24, study_id="S1")
    assert [query.check_id for query in found] == asked
    assert {(query.usubjid, query.siteid, query.about) for query in found} <= {("S1-1", "01", "AE 1 receipt")}


def test_the_words() -> None:
    (late,) = questions({KEY: hours(0, 49)}, {KEY: True}, {}, {}, 24, study_id="S1")
    assert late.text.startswith("AE 1 reached the sponsor 49 hours after the site was aware; 24 hours are allowed.")


def test_every_check_of_a_receipt_can_be_asked() -> None:
    assert {check.id for check in checks() if check.about == "receipt"} == {name for case in CASES for name in case[3]}
