"""Who enters the synthetic trial: sites, accrual, baseline disease and baseline measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal

from safety_monitor.simulate.assumptions import Assumptions, Site, Story
from safety_monitor.simulate.chance import Chance

Status = Literal["TREATED", "NOT TREATED", "SCREEN FAILURE"]


@dataclass(frozen=True)
class Person:
    """One subject before treatment. ``conditions`` maps a history term to the year it began; ``usual`` holds
    the subject's own level of every measurement, in its standard unit."""

    number: int
    usubjid: str
    site: Site
    status: Status
    sex: str
    age: int
    weight: float
    conditions: dict[str, int]
    child_pugh: str
    usual: dict[str, float]
    limits: dict[str, tuple[float, float]]
    consented_on: date
    screened_on: date
    stories: tuple[Story, ...] = field(default=())

    def has(self, need: str | None) -> bool:
        """True where no condition is needed, or this subject has it."""
        return need is None or any(need in condition for condition in self.conditions)


def enrol(facts: Assumptions, subjects: int, sites: int, seed: int) -> list[Person]:
    """*subjects* people over *sites*, in order of consent; screen failures and the untreated among them."""
    chance = Chance(seed)
    trial = facts.trial
    failures = min(round(subjects * trial.screen_failure_share), subjects - 1)
    untreated = min(trial.not_treated, max(subjects - failures - 1, 0))
    # Evenly spread through accrual, never the first: a trial opens with somebody it can treat.
    special: dict[int, Status] = {}
    for i in range(failures + untreated):
        place = min((i + 1) * subjects // (failures + untreated + 1), subjects - 1)
        special[place] = "SCREEN FAILURE" if i < failures else "NOT TREATED"
    treated = [n for n in range(subjects) if n not in special]
    stories = _assign(facts, treated, chance)
    gap = trial.accrual_days / subjects
    chosen = facts.site
    return [
        _person(
            facts,
            n,
            _site(chosen, n % sites, sites),
            special.get(n, "TREATED"),
            trial.opened_on + timedelta(days=int(gap * (n + chance.uniform()))),
            tuple(stories.get(n, ())),
            Chance(seed, n + 1),
        )
        for n in range(subjects)
    ]


def _site(known: Sequence[Site], index: int, wanted: int) -> Site:
    # The last site is the one abroad whatever the number of sites; further sites repeat the home ones.
    home, abroad = known[:-1], known[-1]
    model = abroad if wanted > 1 and index == wanted - 1 else home[index % len(home)]
    return model.model_copy(update={"id": f"{index + 1:02d}"})


def _assign(facts: Assumptions, treated: Sequence[int], chance: Chance) -> dict[int, list[Story]]:
    """Stories to treated subjects, the first ones to the earliest; at most one each."""
    share = len(treated) / facts.trial.stories_per_treated
    queue = [
        story
        for story in facts.story
        for _ in range(story.subjects if story.early else max(1, round(story.subjects * share)))
    ]
    early = [s for s in queue if s.early]
    later = [s for s in queue if not s.early]
    free = list(treated)
    given: dict[int, list[Story]] = {}
    for pair, story in enumerate(early):
        # One in each pair of subjects: near a stopping boundary, and never over it by the stories alone.
        place = 2 * pair + chance.between((0, 1))
        if len(treated) > 2 * len(queue):
            given[treated[place]] = [story]
            free.remove(treated[place])
    pool = [n for n in free if treated.index(n) < len(treated) * facts.trial.stories_until]
    for story in later:
        if len(pool) > len(later):
            given[pool.pop(chance.between((0, len(pool) - 1)))] = [story]
    return given


def _person(
    facts: Assumptions,
    number: int,
    site: Site,
    status: Status,
    consented_on: date,
    stories: tuple[Story, ...],
    chance: Chance,
) -> Person:
    who = facts.population
    year = consented_on.year
    conditions = {"HEPATOCELLULAR CARCINOMA": year - chance.between((0, 4))}
    since = who.conditions_since_years
    if chance.happens(who.hbv):
        conditions["CHRONIC HEPATITIS B (HBV)"] = year - chance.between(since)
    child_pugh = "A"
    if chance.happens(who.cirrhosis):
        child_pugh = "B" if chance.happens(who.child_pugh_b / who.cirrhosis) else "A"
        conditions[f"CIRRHOSIS, CHILD-PUGH {child_pugh}"] = year - chance.between(since)
    for name, share in who.conditions.items():
        if chance.happens(share):
            conditions[name] = year - chance.between(since)
    weight = round(chance.skewed(*who.weight_kg), 1)
    limits = {code: site.limits.get(code, test.limits) for code, test in facts.tests.items() if test.limits}
    usual: dict[str, float] = {}
    for code, test in facts.tests.items():
        value = test.usual * chance.factor(test.spread)
        for disease, shifts in (
            ("HBV", facts.liver.HBV),
            ("CIRRHOSIS", facts.liver.CIRRHOSIS),
            ("CHILD-PUGH B", facts.liver.CHILD_PUGH_B),
        ):
            if any(disease in condition for condition in conditions):
                value *= shifts.get(code, 1.0)
        low, high = facts.liver.eligible.get(code, (value, value))
        usual[code] = min(max(value, low), high)
    usual["WEIGHT"] = weight
    return Person(
        number=number,
        usubjid=f"{facts.trial.id}-{site.id}-{number + 1:03d}",
        site=site,
        status=status,
        sex="M" if chance.happens(who.male) else "F",
        age=round(chance.skewed(*who.age)),
        weight=weight,
        conditions=conditions,
        child_pugh=child_pugh,
        usual=usual,
        limits={code: span for code, span in limits.items() if span is not None},
        consented_on=consented_on,
        screened_on=consented_on + timedelta(days=chance.between(facts.treatment.consent_to_screening_days)),
        stories=stories,
    )
