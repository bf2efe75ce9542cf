"""When a job is due: the slots of its calendar, as instants.

A slot is a wall-clock time of the job's zone. One that the clocks jump over in spring runs as soon as they
have (02:30 becomes 03:30); one that they show twice in autumn runs the first time only.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

from safety_monitor.config import Job
from safety_monitor.study import SettingsError

#: More than any clock change moves the wall clock.
_SHIFT = timedelta(hours=3)


def slots(job: Job, after: datetime, until: datetime) -> list[datetime]:
    """The instants of *job* in (*after*, *until*], in UTC, ascending, each wall-clock time once.

    >>> paris = Job(name="daily", job="dsmb_report", cron="30 2 * * *", timezone="Europe/Paris")
    >>> spring = slots(paris, datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 30, 12, tzinfo=UTC))
    >>> [f"{slot:%d %H:%M}" for slot in spring]  # 02:30 does not exist on the 29th
    ['29 01:30', '30 00:30']
    """
    zone = ZoneInfo(job.timezone)
    # The wall clock is read as if it were UTC, which never changes; only then is it placed in the zone.
    trigger = CronTrigger.from_crontab(job.cron, timezone=UTC)
    wall = after.astimezone(zone).replace(tzinfo=UTC) - _SHIFT
    end = until.astimezone(zone).replace(tzinfo=UTC) + _SHIFT
    found = set()
    fire = trigger.get_next_fire_time(None, wall)
    while fire is not None and fire <= end:
        found.add(fire.replace(tzinfo=zone, fold=0).astimezone(UTC))
        fire = trigger.get_next_fire_time(fire, fire)
    return sorted(slot for slot in found if after < slot <= until)


def named_slot(job: Job, period: str | None, now: datetime) -> datetime:
    """The slot that *period* names: an instant, or a date with one slot; None: the latest up to *now*.

    SettingsError where there is none, several, or one that is still to come.
    """
    if period is None:
        for days in (2, 40, 400, 4000):  # the nearest first: a job of every minute has many
            if past := slots(job, now - timedelta(days=days), now):
                return past[-1]
        raise SettingsError(f"the calendar {job.cron!r} of job {job.name} has had no slot yet")
    zone = ZoneInfo(job.timezone)
    day, instant = _read(period, zone)
    midnight = datetime.combine(day, time(), zone).astimezone(UTC)
    around = slots(job, midnight - timedelta(days=1), midnight + timedelta(days=2))
    of_day = [slot for slot in around if slot.astimezone(zone).date() == day]
    meant = [slot for slot in of_day if instant is None or slot == instant]
    if len(meant) != 1:
        have = ", ".join(slot.isoformat() for slot in of_day) or "none"
        raise SettingsError(f"--period {period} is not one slot of job {job.name}; slots of that day: {have}")
    if meant[0] > now:
        raise SettingsError(f"--period {period} of job {job.name} is still to come; it will run by itself")
    return meant[0]


def _read(period: str, zone: ZoneInfo) -> tuple[date, datetime | None]:
    """The day in *zone* and, where *period* has a time, the instant (of *zone* where it names none)."""
    try:
        if len(period) == len("2026-03-02"):
            return date.fromisoformat(period), None
        given = datetime.fromisoformat(period)
    except ValueError:
        raise SettingsError(
            f"--period {period!r}: write a date or an instant, 2026-03-02T06:00+00:00"
        ) from None
    instant = (given if given.tzinfo else given.replace(tzinfo=zone)).astimezone(UTC)
    return instant.astimezone(zone).date(), instant
