"""Episodes of results a second time, the slow and obvious way: one subject, one term, one day after the other.

Written from docs/events.md, not from the fast program; the tests compare the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True)
class Result:
    usubjid: str
    term: str
    on: date
    grade: int | None
    is_baseline: bool


@dataclass(frozen=True)
class Person:
    usubjid: str
    first_treatment_on: date | None
    last_treatment_on: date | None
    death_on: date | None


def episodes(
    results: Sequence[Result], people: Sequence[Person], *, gap_days: int, days_after_last: int
) -> list[dict[str, object]]:
    """Every episode, by subject, term and onset."""
    found: list[dict[str, object]] = []
    for usubjid in sorted({result.usubjid for result in results}):
        person = next((each for each in people if each.usubjid == usubjid), Person(usubjid, None, None, None))
        for term in sorted({result.term for result in results if result.usubjid == usubjid}):
            own = [r for r in results if r.usubjid == usubjid and r.term == term and r.grade is not None]
            found += _of_series(own, person, gap_days, days_after_last)
    return found


def _of_series(own: Sequence[Result], person: Person, gap_days: int, days_after_last: int) -> Iterator[dict[str, object]]:
    baselines = sorted((r for r in own if r.is_baseline), key=lambda r: r.on)  # of one day the later in the list stays last
    baseline = baselines[-1] if baselines else None
    reference = (baseline.grade or 0) if baseline else 0
    series = [r for r in own if baseline is None or r.on > baseline.on]
    days = sorted({r.on for r in series})
    worst_of = {day: max(r.grade or 0 for r in series if r.on == day) for day in days}

    runs: list[list[date]] = []
    for before, day in zip([None, *days], days, strict=False):
        if worst_of[day] <= reference:
            continue
        goes_on = before is not None and worst_of[before] > reference and (day - before).days <= gap_days
        if goes_on:
            runs[-1].append(day)
        else:
            runs.append([day])

    first, last = person.first_treatment_on, person.last_treatment_on
    for run in runs:
        later = [day for day in days if day > run[-1]]
        if not later:
            ended = "ongoing_at_death" if person.death_on else "ongoing"
        else:
            ended = "gap" if worst_of[later[0]] > reference else "resolved"
        emergent = [
            day for day in run
            if first is not None and day > first and (last is None or day <= last + timedelta(days=days_after_last))
            and all(worst_of[day] > worst_of[earlier] for earlier in run if earlier <= first)
        ]  # fmt: skip
        worst = max(worst_of[day] for day in run)
        yield {
            "usubjid": own[0].usubjid, "term": own[0].term, "onset_on": run[0], "onset_grade": worst_of[run[0]],
            "worst_grade": worst, "worst_on": next(day for day in run if worst_of[day] == worst), "last_on": run[-1],
            "n_results": sum(r.on in run for r in series), "baseline_grade": baseline.grade if baseline else None,
            "baseline_unknown": baseline is None, "ended": ended, "resolved_on": later[0] if ended == "resolved" else None,
            "emergent_on": emergent[0] if emergent else None,
            "changes": tuple(
                (day, worst_of[day])
                for before, day in zip([None, *run], run, strict=False)
                if before is None or worst_of[before] != worst_of[day]
            ),
        }  # fmt: skip
