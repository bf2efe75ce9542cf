"""What the laboratory, the cuff and the ECG would have shown: series that follow the events.

A measurement is the subject's own level, moved towards the event's worst value while it rises, stays and
fades (on the log scale), times noise. The visits follow the cycles; serious courses bring extra visits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from safety_monitor.simulate.assumptions import Assumptions, Kinetics
from safety_monitor.simulate.chance import Chance
from safety_monitor.simulate.course import Course
from safety_monitor.simulate.treatment import days


@dataclass(frozen=True)
class Visit:
    """``cycle`` counts PD-1 cycles (0 outside them); ``tests`` limits an unscheduled visit, None = all due."""

    on: date
    name: str
    cycle: int = 0
    tests: frozenset[str] | None = None


@dataclass(frozen=True)
class Measurement:
    """One value in the test's standard unit, unrounded."""

    on: date
    visit: str
    number: int
    code: str
    value: float
    baseline: bool


@dataclass(frozen=True)
class _Pull:
    """An event's hold on a measurement: how far, as a share of the way to the target, on any day."""

    onset_on: date
    fades_on: date
    ratio: float
    rises: bool = True

    def share(self, on: date, kinetics: Kinetics) -> float:
        since = (on - self.onset_on).days
        if since < 0:
            return max(0.0, 1 + since / kinetics.rise_days) ** 2 if self.rises else 0.0
        lasted = max((self.fades_on - self.onset_on).days, 1)
        plateau = min(kinetics.plateau_days, lasted)
        if since <= plateau:
            return 1.0
        return max(0.0, 1 - (since - plateau) / max(lasted - plateau, 1))


def visits(course: Course, facts: Assumptions, chance: Chance) -> list[Visit]:
    """The visits at which *course* was measured, in order of date; screening first."""
    person, plan = course.person, facts.visits
    found = [Visit(person.screened_on, plan.screening)]
    first, last = course.first_treatment_on, course.last_treatment_on
    until = course.last_contact_on
    if first is None or last is None or until is None:
        return found
    found += [
        Visit(a.on + days(n), f"ABLATION DAY {n + 1}", tests=_after_ablation(facts))
        for a in course.ablations
        for n in plan.after_ablation
    ]
    pd1 = [d.start_on for d in course.doses if d.drug == "PD1"]
    for cycle, on in enumerate(pd1, start=1):
        if cycle == 1 or not chance.happens(plan.missed):
            found.append(Visit(on, f"CYCLE {cycle} DAY 1", cycle))
    if pd1:
        found += [
            Visit(pd1[0] + days(n - 1), f"CYCLE 1 DAY {n}", tests=_after_ablation(facts)) for n in plan.extra
        ]
    if course.off_treatment and course.off_treatment[0] != "DEATH":
        found.append(Visit(course.off_treatment[1], "END OF TREATMENT"))
        found.append(Visit(last + days(plan.safety_follow_up), "SAFETY FOLLOW-UP"))
    for event in course.events:
        tests = frozenset(w.test for w in facts.worst.get(event.term, ()))
        later = plan.unscheduled_after_grade3 if event.grade >= 3 else plan.unscheduled_after_grade3[:1]
        if tests:
            found += [Visit(event.onset_on + days(n), "UNSCHEDULED", tests=tests) for n in later]
    kept: dict[date, Visit] = {}
    for visit in sorted(found, key=lambda v: (v.on, v.tests is not None)):
        if visit.on > until:
            continue
        earlier = kept.get(visit.on)
        if earlier is None:
            kept[visit.on] = visit
        elif visit.tests is not None:  # several reasons on one day are one visit, with every test asked for
            both = (earlier.tests or frozenset()) | visit.tests
            cycle = earlier.cycle if earlier.tests is None else 0
            kept[visit.on] = Visit(visit.on, earlier.name, cycle, both if earlier.tests is not None else None)
    return list(kept.values())


def _after_ablation(facts: Assumptions) -> frozenset[str]:
    """Short visits: what is measured at every cycle and liver or blood counts can change within days."""
    return frozenset(
        code
        for code, test in facts.tests.items()
        if test.every == 1 and (test.domain == "VS" or code in facts.liver.eligible)
    )


def measure(course: Course, facts: Assumptions, chance: Chance) -> Iterator[Measurement]:
    """Every measurement of *course*; by visit, then in the order of the tests."""
    person, first = course.person, course.first_treatment_on
    pulls = _pulls(course, facts, chance)
    for number, visit in enumerate(visits(course, facts, chance), start=1):
        for code, test in facts.tests.items():
            asked = code in visit.tests if visit.tests is not None else _due(test.every, visit.cycle)
            if not asked or not person.has(test.needs):
                continue
            strongest, share = 1.0, 0.0
            for pull in pulls.get(code, ()):
                moved = pull.share(visit.on, facts.kinetics)
                effect = pull.ratio**moved
                if max(effect, 1 / effect) > max(strongest, 1 / strongest):
                    strongest, share = effect, moved
            noise = test.noise * (1 - (1 - facts.kinetics.steadied_noise) * share)
            value = person.usual[code] * strongest * chance.factor(noise)
            baseline = first is not None and number == 1
            yield Measurement(visit.on, visit.name, number, code, value, baseline)


def _due(every: int, cycle: int) -> bool:
    return cycle == 0 or (cycle - 1) % every == 0


def _pulls(course: Course, facts: Assumptions, chance: Chance) -> dict[str, list[_Pull]]:
    person, found = course.person, dict[str, list[_Pull]]()
    for event in course.events:
        for worst in facts.worst.get(event.term, ()):
            usual = person.usual[worst.test]
            target = worst.target(event.grade, usual, person.limits.get(worst.test, (0.0, 0.0))[1])
            target *= chance.factor(facts.kinetics.peak_spread * facts.tests[worst.test].noise)
            # A treated, lasting condition fades from the laboratory though not from the record.
            fades = min(event.fades_on, event.onset_on + days(facts.kinetics.treated_days))
            fresh = event.cause != "ABLATION"  # nothing rises before the needle goes in
            found.setdefault(worst.test, []).append(_Pull(event.onset_on, fades, target / usual, fresh))
    return found
