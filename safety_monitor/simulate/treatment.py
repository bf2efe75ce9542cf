"""What is given: ablation sessions, lenvatinib by weight and level, a PD-1 inhibitor by cycle.

Dose levels and cycles come from ``simulation.toml`` (lenvatinib in hepatocellular carcinoma: 12 or 8 mg by
body weight, reduced one level at a time).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby

from safety_monitor.simulate.assumptions import Cause, Treatment

DRUGS: tuple[Cause, Cause] = ("LENVATINIB", "PD1")
COMPONENTS: tuple[Cause, ...] = ("ABLATION", *DRUGS)


def days(n: float) -> timedelta:
    return timedelta(days=int(n))


@dataclass(frozen=True)
class Ablation:
    on: date
    modality: str
    location: str


@dataclass(frozen=True)
class Dose:
    """An unbroken stretch of one dose; ``why`` is the reason it differs from the one before (EXADJ)."""

    drug: Cause
    mg: int
    start_on: date
    end_on: date
    why: str = ""


@dataclass
class Therapy:
    """One drug as it is held, reduced and stopped; the day of stopping is the first without it."""

    start_on: date
    holds: list[tuple[date, date]] = field(default_factory=list)
    reduced_from: list[date] = field(default_factory=list)
    stopped_on: date | None = None

    def held(self, on: date) -> date | None:
        """The day after the hold that covers *on*; None where the drug is taken."""
        return max((end + days(1) for start, end in self.holds if start <= on <= end), default=None)

    def running(self, on: date) -> bool:
        return self.start_on <= on and (self.stopped_on is None or on < self.stopped_on)


def lenvatinib_doses(therapy: Therapy, end: date, weight: float, rules: Treatment) -> Iterator[Dose]:
    """Stretches of one daily dose until *end* inclusive; holds are gaps between them."""
    start = rules.start_heavy if weight >= rules.heavy_from_kg else rules.start_light
    steps = [mg for mg in rules.levels if mg <= start]

    def level(on: date) -> int:
        if therapy.held(on):
            return 0
        return steps[min(sum(since <= on for since in therapy.reduced_from), len(steps) - 1)]

    span = [therapy.start_on + days(n) for n in range((end - therapy.start_on).days + 1)]
    why = ""
    for mg, stretch in groupby(span, key=level):
        dates = list(stretch)
        if mg:
            yield Dose("LENVATINIB", mg, dates[0], dates[-1], why)
        why = "ADVERSE EVENT"


def pd1_doses(therapy: Therapy, end: date, rules: Treatment) -> Iterator[Dose]:
    """Infusions until *end* inclusive; one that falls due in a hold waits for its end."""
    on, why = therapy.start_on, ""
    while on <= end:
        if (resumes := therapy.held(on)) is not None:
            on, why = resumes, "ADVERSE EVENT"
            continue
        yield Dose("PD1", rules.pd1_dose, on, on, why)
        on, why = on + days(rules.pd1_cycle_days), ""
