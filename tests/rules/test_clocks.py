"""Reporting clocks: when a report is due, what opens and ends a clock, and that no due date ever moves."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_monitor.records import Clock
from safety_monitor.rules.clocks import (
    Awareness,
    ClockChanges,
    StoredClock,
    decide_clocks,
    due,
    due_text,
    reminder,
    significant,
)
from safety_monitor.rules.duties import Duty, Reporting, Rule
from safety_monitor.rules.escalation import Change
from safety_monitor.vocabulary import ClockCause, ClockState

SHANGHAI = ZoneInfo("Asia/Shanghai")
DAYS_15, DAYS_7 = (Rule(f"D{n}", "pack", {}, {}, "", days=n) for n in (15, 7))
HOURS = Rule("H24", "pack", {}, {}, "", hours=24)
SITE = Rule("SITE", "pack", {}, {}, "", starts_with="site", hours=24)
UADE = Rule("UADE", "pack", {}, {}, "", working_days=10, calendar="US")
T0 = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)  # 09:00 in Shanghai


@pytest.mark.parametrize(
    ("rule", "aware", "zone", "day_zero", "last_day"),
    [
        (DAYS_7, "2026-03-02T01:00+00:00", "Asia/Shanghai", "2026-03-02", "2026-03-09"),
        (DAYS_15, "2026-03-01T16:00+00:00", "Asia/Shanghai", "2026-03-02", "2026-03-17"),  # midnight there begins the day
        (DAYS_15, "2026-03-01T15:59:59+00:00", "Asia/Shanghai", "2026-03-01", "2026-03-16"),
        (DAYS_15, "2026-03-20T12:00+00:00", "Europe/Paris", "2026-03-20", "2026-04-04"),  # over the change to summer time
        (DAYS_7, "2026-10-20T21:59+00:00", "Europe/Paris", "2026-10-20", "2026-10-27"),  # 23:59; back to winter time on the 25th
        (DAYS_7, "2026-10-20T22:00+00:00", "Europe/Paris", "2026-10-21", "2026-10-28"),
        (DAYS_15, "2028-02-20T12:00+00:00", "UTC", "2028-02-20", "2028-03-06"),  # a leap year
        (DAYS_7, "2018-10-28T12:00+00:00", "America/Sao_Paulo", "2018-10-28", "2018-11-04"),  # that midnight did not exist
        (UADE, "2026-06-30T12:00+00:00", "America/New_York", "2026-06-30", "2026-07-15"),  # the 4th was kept on Friday the 3rd
        (UADE, "2026-12-18T12:00+00:00", "America/New_York", "2026-12-18", "2027-01-05"),  # Christmas and New Year's Day
    ],
)
def test_due_at_the_end_of_the_last_day(rule: Rule, aware: str, zone: str, day_zero: str, last_day: str) -> None:
    found_zero, due_at = due(rule, datetime.fromisoformat(aware), ZoneInfo(zone))
    assert found_zero.isoformat() == day_zero
    last_minute = (due_at - timedelta(seconds=1)).astimezone(ZoneInfo(zone))
    first_minute = due_at.astimezone(ZoneInfo(zone))
    assert last_minute.date().isoformat() == last_day
    assert first_minute.date() == date.fromisoformat(last_day) + timedelta(days=1)


def test_hours_run_from_the_minute_of_awareness() -> None:
    aware = datetime(2026, 3, 28, 20, 30, tzinfo=ZoneInfo("Europe/Paris"))  # one of the hours does not exist
    assert due(HOURS, aware, ZoneInfo("Europe/Paris"))[1] - aware == timedelta(hours=24)


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(["Asia/Shanghai", "Europe/Paris", "America/New_York", "America/Sao_Paulo", "Pacific/Apia", "Asia/Kathmandu"]),
    st.integers(1, 30),
)
def test_a_due_day_is_so_many_days_after_day_zero_wherever_clocks_change(aware: datetime, name: str, n: int) -> None:
    zone = ZoneInfo(name)
    day_zero, due_at = due(replace(DAYS_7, days=n), aware, zone)
    assert day_zero == aware.astimezone(zone).date()
    assert (due_at - timedelta(microseconds=1)).astimezone(zone).date() == day_zero + timedelta(days=n)
    assert timedelta(days=n) - timedelta(hours=2) < due_at - aware <= timedelta(days=n + 1, hours=2)


def wants(*rules: Rule, component: str = "pd1") -> Reporting:
    duties = tuple(Duty(rule, "" if rule.starts_with == "site" else component) for rule in rules)
    return Reporting(bool(rules), "reported: hospitalisation", (), duties)


class Event:
    """One event over time: what is wanted and known at each step, with the clocks kept as the store keeps them."""

    def __init__(self) -> None:
        self.clocks: list[StoredClock] = []
        self.version = 0

    def step(
        self, reporting: Reporting, at: datetime, *, news: bool = False, aware: Awareness | None = None, history: bool = False
    ) -> ClockChanges:
        self.version += 1
        aware = aware or Awareness()
        done = decide_clocks(
            reporting, self.clocks, aware, study_id="S", event_version=self.version, news=news, at=at, zone=SHANGHAI,
            history=history,
        )  # fmt: skip
        before = {each.id: each.clock for each in self.clocks}
        for closing in done.closed:
            assert before[closing.id].state is ClockState.RUNNING, "only what runs can end"
            ended = before[closing.id].model_copy(
                update={"state": closing.state, "closed_at": at, "closed_by": "x", "close_reason": closing.reason}
            )
            before[closing.id] = ended
        known = {(each.clock.rule_id, each.clock.component, each.clock.number) for each in self.clocks}
        for number, clock in enumerate(done.opened, start=len(before) + 1):
            assert (clock.rule_id, clock.component, clock.number) not in known
            before[number] = clock
        self.clocks = [StoredClock(number, clock) for number, clock in before.items()]
        return done

    def meet(self, at: datetime) -> None:
        met = {"state": ClockState.MET, "met_at": at, "closed_at": at, "closed_by": "x", "close_reason": "sent"}
        self.clocks = [
            StoredClock(each.id, each.clock.model_copy(update=met)) if each.clock.state is ClockState.RUNNING else each
            for each in self.clocks
        ]

    def told(self) -> list[tuple[str, str, str, str]]:
        return [(c.rule_id, c.cause.value, c.state.value, due_text(c)) for c in (each.clock for each in self.clocks)]


def test_the_receipt_says_when_the_sponsor_was_aware_else_the_import_does() -> None:
    event = Event()
    event.step(wants(DAYS_15), T0, aware=Awareness(sponsor_at=T0 - timedelta(days=2)))
    other = Event()
    other.step(wants(DAYS_15), T0)
    assert event.told() == [("D15", "initial", "running", "2026-03-15")]
    assert other.told() == [("D15", "initial", "running", "2026-03-17")]
    assert [event.clocks[0].clock.aware_basis, other.clocks[0].clock.aware_basis] == ["receipt", "import"]


def test_the_same_again_changes_nothing() -> None:
    event = Event()
    event.step(wants(DAYS_15, DAYS_7), T0)
    assert not event.step(wants(DAYS_15, DAYS_7), T0 + timedelta(days=3))


def test_a_receipt_that_comes_later_supersedes_the_day_of_import() -> None:
    event = Event()
    event.step(wants(DAYS_15), T0)
    earlier = Awareness(sponsor_at=T0 - timedelta(days=4))
    done = event.step(wants(DAYS_15), T0 + timedelta(days=1), aware=earlier)
    assert event.told() == [("D15", "initial", "superseded", "2026-03-17"), ("D15", "awareness", "running", "2026-03-13")]
    assert done.opened[0].linked_id == 1
    assert "by the receipt" in done.closed[0].reason
    assert not event.step(wants(DAYS_15), T0 + timedelta(days=2), aware=earlier)


def test_awareness_that_is_corrected_to_a_later_day_moves_nothing() -> None:
    event = Event()
    event.step(wants(DAYS_15), T0, aware=Awareness(sponsor_at=T0))
    assert not event.step(wants(DAYS_15), T0, aware=Awareness(sponsor_at=T0 + timedelta(days=3)))
    event.step(wants(DAYS_15), T0, aware=Awareness(sponsor_at=T0 - timedelta(days=1)))
    assert [told[2:] for told in event.told()] == [("superseded", "2026-03-17"), ("running", "2026-03-16")]


def test_an_event_that_becomes_fatal_gets_the_shorter_clock_from_that_day_beside_the_first() -> None:
    event = Event()
    event.step(wants(DAYS_15), T0)
    event.step(wants(DAYS_15, DAYS_7), T0 + timedelta(days=5), news=True)
    assert event.told() == [
        ("D15", "initial", "running", "2026-03-17"), ("D15", "follow_up", "running", "2026-03-22"),
        ("D7", "initial", "running", "2026-03-14"),
    ]  # fmt: skip
    assert event.clocks[1].clock.linked_id == 1


def test_news_after_the_report_was_made_opens_a_follow_up() -> None:
    event = Event()
    event.step(wants(DAYS_15), T0)
    event.meet(T0 + timedelta(days=2))
    assert not event.step(wants(DAYS_15), T0 + timedelta(days=3))
    event.step(wants(DAYS_15), T0 + timedelta(days=4), news=True)
    assert event.told() == [("D15", "initial", "met", "2026-03-17"), ("D15", "follow_up", "running", "2026-03-21")]


def test_a_downgrade_cancels_and_keeps_the_record() -> None:
    event = Event()
    event.step(wants(DAYS_15), T0)
    done = event.step(wants(), T0 + timedelta(days=2))
    assert event.told() == [("D15", "initial", "cancelled", "2026-03-17")]
    assert done.closed[0].reason.startswith("the rule no longer applies: reported: hospitalisation")


@pytest.mark.parametrize(("after", "due_day"), [(5, "2026-03-17"), (15, "2026-03-17"), (16, "2026-04-02"), (40, "2026-04-26")])
def test_a_duty_that_holds_again_has_its_old_date_until_that_is_over(after: int, due_day: str) -> None:
    event = Event()
    event.step(wants(DAYS_15), T0)
    event.step(wants(), T0 + timedelta(days=2))
    event.step(wants(DAYS_15), T0 + timedelta(days=after))
    assert event.told()[-1] == ("D15", "reopened", "running", due_day)


def test_the_time_of_the_site_is_over_with_the_record() -> None:
    event = Event()
    aware = Awareness(site_at=T0 - timedelta(hours=30), sponsor_at=T0)
    event.step(wants(SITE), T0 + timedelta(hours=5), aware=aware)
    (stored,) = event.clocks
    assert (stored.clock.state, stored.clock.met_at, stored.clock.due_at) == (ClockState.MET, T0, T0 - timedelta(hours=6))
    assert not event.step(wants(SITE), T0 + timedelta(days=1), aware=aware)
    assert not Event().step(wants(SITE), T0)  # without a receipt nobody knows when the site knew


def test_history_is_recorded_and_never_runs() -> None:
    event = Event()
    event.step(wants(DAYS_15), T0, history=True)
    assert event.told() == [("D15", "initial", "not_monitored", "2026-03-17")]
    assert not event.step(wants(DAYS_15), T0 + timedelta(days=1))
    event.step(wants(DAYS_15), T0 + timedelta(days=2), news=True)
    assert event.told()[-1] == ("D15", "follow_up", "running", "2026-03-19")


STEPS = st.lists(
    st.tuples(
        st.sets(st.sampled_from([DAYS_15.id, DAYS_7.id, HOURS.id])), st.booleans(), st.integers(0, 40 * 24),
        st.none() | st.integers(0, 20 * 24), st.booleans(),
    ),
    min_size=1, max_size=12,
)  # fmt: skip


@given(STEPS)
def test_no_due_date_ever_moves_and_every_change_has_its_record(
    steps: list[tuple[set[str], bool, int, int | None, bool]],
) -> None:
    """Whatever happens to an event, in any order: what was once due stays on record as it was."""
    event, at = Event(), T0
    seen: dict[int, Clock] = {}
    by_id = {rule.id: rule for rule in (DAYS_15, DAYS_7, HOURS)}
    for wanted, news, hours_on, aware, met in steps:
        at += timedelta(hours=hours_on)
        receipt = Awareness(sponsor_at=None if aware is None else T0 - timedelta(hours=aware))
        event.step(wants(*(by_id[name] for name in sorted(wanted))), at, news=news, aware=receipt)
        if met:
            event.meet(at)
        now = {each.id: each.clock for each in event.clocks}
        for number, clock in seen.items():
            settled = ("rule_id", "component", "number", "aware_at", "day_zero", "due_at", "timezone", "opened_at", "linked_id")
            assert [getattr(now[number], name) for name in settled] == [getattr(clock, name) for name in settled]
            assert clock.state is ClockState.RUNNING or now[number].state is clock.state  # what has ended stays ended
        seen = now
        for name in wanted:  # a duty always has a clock that runs, or was met, or replaced by one that does
            own = [each.clock for each in event.clocks if each.clock.rule_id == name]
            assert own
            assert max(own, key=lambda clock: clock.number).state in (ClockState.RUNNING, ClockState.MET)
            assert [clock.number for clock in sorted(own, key=lambda clock: clock.number)] == list(range(1, len(own) + 1))
        for each in event.clocks:
            if each.clock.rule_id not in wanted:
                assert each.clock.state is not ClockState.RUNNING


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ([Change("grade", "3", "4")], True), ([Change("grade", "4", "3")], False), ([Change("grade", None, "3")], True),
        ([Change("fatal", "N", "Y")], True), ([Change("fatal", "Y", "N")], False),
        ([Change("serious_basis", "HOSPITALISATION", "HOSPITALISATION;DEATH")], True),
        ([Change("serious_basis", "HOSPITALISATION;DEATH", "DEATH")], False),
        ([Change("related:pd1", "Y", "N")], True), ([Change("term", "Colitis", "Pneumonitis")], True),
        ([Change("outcome", "RECOVERING/RESOLVING", "RECOVERED/RESOLVED")], False),
        ([Change("onset", "2026-01", "2026-01-05")], False),
        ([], False),
    ],
)  # fmt: skip
def test_which_news_wants_a_follow_up(changes: list[Change], counts: bool) -> None:
    assert significant(changes) is counts


def clock(**more: Any) -> Clock:
    day_zero, due_at = due(DAYS_15, T0, SHANGHAI)
    facts = {"aware_at": T0, "day_zero": day_zero, "due_at": due_at, "opened_at": T0} | more
    return Clock(
        study_id="S", event_version=1, pack="p", rule_id="D15", aware_basis="import", timezone="Asia/Shanghai", **facts
    )


@pytest.mark.parametrize(
    ("before_due", "point"),
    [
        (timedelta(days=10), None), (timedelta(hours=73), None), (timedelta(hours=72), "72 h before"),
        (timedelta(hours=25), "72 h before"), (timedelta(hours=24), "24 h before"), (timedelta(seconds=1), "24 h before"),
        (timedelta(0), "overdue 0"), (-timedelta(hours=23), "overdue 0"), (-timedelta(hours=24), "overdue 1"),
        (-timedelta(days=10), "overdue 10"),
    ],
)  # fmt: skip
def test_points_of_reminding(before_due: timedelta, point: str | None) -> None:
    found = reminder(clock(), clock().due_at - before_due)
    assert (found.point if found else None) == point


def test_a_clock_that_has_ended_reminds_nobody_and_a_short_one_only_where_it_is_long_enough() -> None:
    ended = clock(state=ClockState.MET, met_at=T0, closed_at=T0, closed_by="x", close_reason="y")
    assert reminder(ended, clock().due_at) is None
    short = clock(due_at=T0 + timedelta(hours=24))
    assert reminder(short, T0 + timedelta(hours=1)) is None
    assert [c.value for c in ClockCause] == ["initial", "follow_up", "awareness", "reopened"]
