"""What the synthetic trial assumes, read from ``simulation.toml`` and checked.

Every rate, window, dose rule and measurement of the simulation stands in that file with its source;
the modules beside this one only act on it.

>>> facts = assumptions()
>>> facts.terms["Pneumothorax"].verbatim[0], facts.tests["ALT"].unit
('pneumothorax', 'U/L')
"""

from __future__ import annotations

import tomllib
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

Cause = Literal["ABLATION", "LENVATINIB", "PD1", "DISEASE", "OTHER"]
Span = tuple[int, int]


class _Fixed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Trial(_Fixed):
    id: str
    title: str
    timezone: str
    opened_on: date
    cutoff_on: date
    accrual_days: int
    planned: int
    arm: tuple[str, str]
    jurisdictions: tuple[str, ...]
    post_treatment_days: int
    follow_up_days: int
    screen_failure_share: float
    not_treated: int
    stories_per_treated: int
    stories_until: float
    source: str
    stopping: tuple[dict[str, str | int | float | list[str]], ...]


class Site(_Fixed):
    id: str
    country: str
    timezone: str
    race: str
    locale: str
    pd1: str
    local_units: bool = False
    limits: dict[str, tuple[float, float]] = {}


class Population(_Fixed):
    male: float
    age: tuple[int, int, int]
    weight_kg: tuple[int, int, int]
    hbv: float
    cirrhosis: float
    child_pugh_b: float
    conditions: dict[str, float]
    conditions_since_years: Span
    antiviral: tuple[str, ...]
    antihypertensive: str
    bclc: dict[str, float]
    ecog: dict[str, float]
    earlier_tace: float
    source: str


class Deviation(_Fixed):
    """A kind of deviation from the protocol, and the share of treated subjects who have one."""

    says: str
    kind: str
    category: str
    share: float


class Criterion(_Fixed):
    """An eligibility criterion that screening failures do not meet."""

    code: str
    says: str
    category: str
    weight: float


class Treatment(_Fixed):
    modality: dict[str, float]
    names: dict[str, str]
    location: dict[str, float]
    second_session: float
    second_session_days: Span
    consent_to_screening_days: Span
    screening_to_ablation_days: Span
    ablation_to_drug_days: Span
    heavy_from_kg: int
    start_heavy: int
    start_light: int
    levels: tuple[int, ...]
    lenvatinib_tail_days: int
    pd1_dose: int
    pd1_cycle_days: int
    pd1_tail_days: int
    progression_median_days: int
    death_after_progression_median_days: int
    withdrawal_per_year: float
    reasons: dict[str, float]
    response: dict[str, float]
    assessment_days: int
    source: str


class Conduct(_Fixed):
    """How investigators act on and judge an event."""

    interrupt_grade2: float
    interrupt_unrelated_grade3: float
    reduce_after_grade3: float
    hold_days: Span
    worsens_by: float
    pd1_stop_grade3: float
    serious: dict[int, float]
    serious_laboratory: dict[int, float]
    hospitalised: float
    steroid_from_grade: int
    steroid_taper_days: Span
    recovering: float
    days_to_death: Span
    sensitivity: float
    over_attribution: float
    stray_attribution: float
    immune_sensitivity: float
    awareness_share: float
    site_aware_hours: Span
    sponsor_aware_hours: Span
    receipt_clock: int
    source: str


class Visits(_Fixed):
    screening: str
    extra: tuple[int, ...]
    after_ablation: tuple[int, ...]
    unscheduled_after_grade3: tuple[int, ...]
    missed: float
    safety_follow_up: int


class Hazard(_Fixed):
    """One cause of one term: any-grade percentage of the exposed, relative weights of grades 1 to 5, onset
    window and median in days from the exposure, median duration in days, and whom it can befall."""

    term: str
    pct: float
    grades: tuple[float, float, float, float, float]
    window: Span
    median: int
    lasts: int
    source: str
    at: tuple[str, ...] = ()
    drugs: tuple[str, ...] = ()
    needs: str | None = None


class StoryEvent(_Fixed):
    term: str
    cause: Cause
    grade: int
    lag: int = 0
    serious: bool = False


class Story(_Fixed):
    """A course that is assured: ``subjects`` of ``stories_per_treated`` (as they are, where ``early``) have
    ``events`` in the days ``day`` after first treatment."""

    name: str
    subjects: int
    day: Span
    events: tuple[StoryEvent, ...]
    at: str | None = None
    early: bool = False


class TermFacts(_Fixed):
    verbatim: tuple[str, ...]
    treated: str | None = None
    laboratory: bool = False
    immune: bool = False
    lasting: bool = False
    no_steroid: bool = False
    lasts: int | None = None


class Test(_Fixed):
    domain: Literal["LB", "VS", "EG"]
    name: str
    unit: str
    usual: float
    spread: float
    noise: float
    digits: int
    cat: str = ""
    spec: str = ""
    limits: tuple[float, float] | None = None
    local: tuple[str, float, int] | None = None
    every: int = 1
    needs: str | None = None
    fasting: str = ""


class Worst(_Fixed):
    """Where a measurement stands at an event's worst, for grades 1 to 4."""

    test: str
    of: Literal["uln", "baseline", "absolute"]
    peak: tuple[float, float, float, float]

    def target(self, grade: int, baseline: float, upper: float) -> float:
        """The value at *grade* (5 as 4), in the test's unit."""
        scale = {"uln": upper, "baseline": baseline, "absolute": 1.0}[self.of]
        return self.peak[min(grade, len(self.peak)) - 1] * scale


class Kinetics(_Fixed):
    rise_days: int
    plateau_days: int
    treated_days: int
    peak_spread: float
    steadied_noise: float
    source: str


class Liver(_Fixed):
    HBV: dict[str, float]
    CIRRHOSIS: dict[str, float]
    CHILD_PUGH_B: dict[str, float]
    eligible: dict[str, tuple[float, float]]
    source: str


class Faults(_Fixed):
    misspelt: dict[str, str]
    chinese: dict[str, str]
    missing_grades: int
    serious_but_unflagged: int
    flagged_but_no_criterion: int
    partial_dates: int
    qualified: dict[str, str]
    unknown_sex: str
    impossible_date: str
    odd_grade: str
    ghost_subject: str
    source: str


class Assumptions(_Fixed):
    sources: dict[str, str]
    trial: Trial
    site: tuple[Site, ...]
    population: Population
    treatment: Treatment
    conduct: Conduct
    visits: Visits
    events: dict[Cause, tuple[Hazard, ...]]
    story: tuple[Story, ...]
    terms: dict[str, TermFacts]
    tests: dict[str, Test]
    liver: Liver
    kinetics: Kinetics
    worst: dict[str, tuple[Worst, ...]]
    faults: Faults
    deviation: tuple[Deviation, ...]
    criterion: tuple[Criterion, ...]

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        named = {h.term for rows in self.events.values() for h in rows}
        named |= {e.term for story in self.story for e in story.events} | set(self.worst)
        if missing := sorted(named - set(self.terms)):
            raise ValueError(f"[terms] lacks {', '.join(missing)}: add the verbatim wording of each")
        if blind := sorted(n for n, t in self.terms.items() if t.laboratory and n not in self.worst):
            raise ValueError(f"[worst] lacks {', '.join(blind)}: a laboratory event needs its measurement")
        cited = {h.source for rows in self.events.values() for h in rows}
        if unknown := sorted(cited - set(self.sources)):
            raise ValueError(f"[sources] lacks {', '.join(unknown)}")
        if strange := sorted({w.test for rows in self.worst.values() for w in rows} - set(self.tests)):
            raise ValueError(f"[tests] lacks {', '.join(strange)}, which [worst] names")
        return self

    def known_for(self, cause: Cause, term: str) -> bool:
        """True where *cause* is known to bring about *term*."""
        return any(hazard.term == term for hazard in self.events[cause])

    def lasts(self, cause: Cause, term: str) -> int:
        """Median duration in days of *term* from *cause*; from the term where that cause has no row."""
        rows = [h for h in self.events[cause] if h.term == term]
        fallback = [h for hazards in self.events.values() for h in hazards if h.term == term]
        return self.terms[term].lasts or (rows or fallback)[0].lasts


@cache
def assumptions() -> Assumptions:
    """The packaged assumptions; pydantic.ValidationError where the file is inconsistent."""
    raw: dict[str, Any] = tomllib.loads(
        files("safety_monitor.simulate").joinpath("simulation.toml").read_text(encoding="utf-8")
    )
    return Assumptions.model_validate(raw)
