"""A job's calendar as instants: each wall-clock time once, whatever the clocks do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safety_monitor.config import Job
from safety_monitor.study import SettingsError
from safety_monitor.workflow.slots import named_slot, slots


def job(cron, timezone="UTC"):
    return Job(name="report", job="dsmb_report", cron=cron, timezone=timezone)


def instant(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "zone", "after", "until", "expected"),
    [
        # weekly, in a zone without clock changes: Monday 07:00 in Shanghai is Sunday 23:00 UTC
        ("0 7 * * mon", "Asia/Shanghai", "2026-03-01 00:00", "2026-03-16 00:00",
         ["2026-03-01 23:00", "2026-03-08 23:00", "2026-03-15 23:00"]),
        # the bounds: after is out, until is in
        ("0 6 * * *", "UTC", "2026-03-01 06:00", "2026-03-02 06:00", ["2026-03-02 06:00"]),
        ("0 6 * * *", "UTC", "2026-03-02 06:00", "2026-03-02 06:00", []),
        ("0 6 * * *", "UTC", "2026-03-03 06:00", "2026-03-02 06:00", []),  # the clock went back
        # the wall clock stays, the instant moves
        ("0 7 * * *", "America/New_York", "2026-03-07 00:00", "2026-03-10 00:00",
         ["2026-03-07 12:00", "2026-03-08 11:00", "2026-03-09 11:00"]),
        # 02:30 does not exist on the day of the change: it runs at 03:30
        ("30 2 * * *", "America/New_York", "2026-03-07 00:00", "2026-03-10 00:00",
         ["2026-03-07 07:30", "2026-03-08 07:30", "2026-03-09 06:30"]),
        # and is no second slot where 03:30 is due anyway
        ("30 2,3 * * *", "America/New_York", "2026-03-08 00:00", "2026-03-09 00:00", ["2026-03-08 07:30"]),
        # 01:30 comes twice in autumn: the first time only
        ("30 1 * * *", "America/New_York", "2026-10-31 12:00", "2026-11-02 12:00",
         ["2026-11-01 05:30", "2026-11-02 06:30"]),
        ("30 2 * * *", "Europe/Berlin", "2026-10-24 12:00", "2026-10-26 12:00",
         ["2026-10-25 00:30", "2026-10-26 01:30"]),
        # a day that a zone left out
        ("0 9 * * *", "Pacific/Apia", "2011-12-28 12:00", "2011-12-31 12:00",
         ["2011-12-28 19:00", "2011-12-29 19:00", "2011-12-30 19:00"]),
        ("0 0 1 */3 *", "UTC", "2026-01-02 00:00", "2026-12-31 00:00",
         ["2026-04-01 00:00", "2026-07-01 00:00", "2026-10-01 00:00"]),
        ("0 0 29 feb *", "UTC", "2026-01-01 00:00", "2029-01-01 00:00", ["2028-02-29 00:00"]),
    ],
)  # fmt: skip
def test_slots(cron, zone, after, until, expected):
    assert slots(job(cron, zone), instant(after), instant(until)) == [instant(text) for text in expected]


ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Asia/Shanghai",
)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(ZONES),
    st.sampled_from(("30 2 * * *", "*/20 1-3 * * *", "0 7 * * mon", "15 0 1 * *")),
    st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1)),
    st.lists(st.integers(0, 60 * 24 * 12), min_size=1, max_size=6),
)
def test_asking_often_or_once_gives_the_same_slots(zone, cron, start, steps):
    """However the time is cut into pieces by polling, restarts and pauses: no slot twice, none left out."""
    report, begin = job(cron, zone), start.replace(tzinfo=UTC)
    pieces, at = [], begin
    for minutes in steps:
        pieces += slots(report, at, at + timedelta(minutes=minutes))
        at += timedelta(minutes=minutes)
    assert pieces == slots(report, begin, at)


NOW = instant("2026-03-11 12:00")
WEEKLY = job("0 7 * * mon", "Asia/Shanghai")


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        (None, "2026-03-08 23:00"),
        ("2026-03-02", "2026-03-01 23:00"),  # the date in the job's zone
        ("2026-03-01T23:00:00+00:00", "2026-03-01 23:00"),
        ("2026-03-02T07:00:00+08:00", "2026-03-01 23:00"),
        ("2026-03-02T07:00", "2026-03-01 23:00"),
    ],
)
def test_a_period_names_its_slot(period, expected):
    assert named_slot(WEEKLY, period, NOW) == instant(expected)


def test_the_latest_slot_may_be_long_ago():
    assert named_slot(job("0 0 29 feb *"), None, NOW) == instant("2024-02-29 00:00")


@pytest.mark.parametrize(
    ("period", "why"),
    [
        ("last week", "write a date or an instant"),
        ("2026-03-03", "slots of that day: none"),
        ("2026-03-02T08:00", "slots of that day: 2026-03-01T23:00:00+00:00"),
        ("2026-03-16", "is still to come"),
    ],
)
def test_a_period_that_is_none_is_refused(period, why):
    with pytest.raises(SettingsError, match=why.replace("+", r"\+")):
        named_slot(WEEKLY, period, NOW)


def test_a_date_with_several_slots_is_refused():
    with pytest.raises(SettingsError, match="not one slot"):
        named_slot(job("0 6,18 * * *"), "2026-03-02", NOW)
