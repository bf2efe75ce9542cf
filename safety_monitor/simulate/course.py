"""One subject's course: treatment, the events that competing causes bring about, and what follows from them.

Every cause draws its own latent onset for every term; in order of time the first one happens and hides the
others while it lasts, so the truth of an event is the component whose clock ran out first. Each event then
acts on the course: holds, reductions and withdrawals (lenvatinib levels and PD-1 rules as in
``simulation.toml``), steroids, death. What the investigator believes is drawn separately and is imperfect.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from safety_monitor.simulate.assumptions import Assumptions, Cause, Hazard
from safety_monitor.simulate.chance import Chance
from safety_monitor.simulate.people import Person
from safety_monitor.simulate.treatment import (
    COMPONENTS,
    DRUGS,
    Ablation,
    Dose,
    Therapy,
    days,
    lenvatinib_doses,
    pd1_doses,
)
from safety_monitor.vocabulary import ActionTaken, Outcome


@dataclass(frozen=True)
class Medication:
    name: str
    indication: str
    start_on: date
    end_on: date | None


@dataclass
class Event:
    """An adverse event with its true ``cause`` and, apart from it, what the investigator reported."""

    term: str
    cause: Cause
    grade: int
    onset_on: date
    end_on: date | None
    fades_on: date
    outcome: Outcome = Outcome.RECOVERED
    criteria: frozenset[str] = frozenset()
    opinion: dict[Cause, bool] = field(default_factory=dict)
    immune: bool = False
    action: dict[Cause, ActionTaken] = field(default_factory=dict)
    medications: list[Medication] = field(default_factory=list)


@dataclass
class Course:
    person: Person
    ablations: list[Ablation] = field(default_factory=list)
    doses: list[Dose] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    best_response: str = ""
    progressed_on: date | None = None
    off_treatment: tuple[str, date] | None = None
    died: tuple[str, date] | None = None
    last_contact_on: date | None = None

    @property
    def first_treatment_on(self) -> date | None:
        return self.ablations[0].on if self.ablations else None

    @property
    def last_treatment_on(self) -> date | None:
        return max([a.on for a in self.ablations] + [d.end_on for d in self.doses], default=None)


@dataclass(frozen=True)
class _Latent:
    onset_on: date
    term: str
    cause: Cause
    grade: int
    lasts: int
    told: bool = False
    serious: bool = False


def live(person: Person, facts: Assumptions, chance: Chance) -> Course:
    """The course of *person* until death, withdrawal or the cut-off."""
    if person.status != "TREATED":
        return Course(person, last_contact_on=person.screened_on)
    return _Life(person, facts, chance).run()


class _Life:
    def __init__(self, person: Person, facts: Assumptions, chance: Chance) -> None:
        rules, trial = facts.treatment, facts.trial
        self.person, self.facts, self.chance = person, facts, chance
        self.cutoff = trial.cutoff_on
        first = person.screened_on + days(chance.between(rules.screening_to_ablation_days))
        start = first + days(chance.between(rules.ablation_to_drug_days))
        self.first, self.course = first, Course(person)
        self.therapy: dict[Cause, Therapy] = {drug: Therapy(start) for drug in DRUGS}
        progressed = first + days(chance.waiting(rules.progression_median_days))
        left = first + days(chance.waiting(365 / rules.withdrawal_per_year))
        if person.stories:
            # An assured course has to be there to be seen.
            reach = first + days(max(s.day[1] for s in person.stories) + 2 * trial.post_treatment_days)
            progressed, left = max(progressed, reach), max(left, reach)
        self.reason, self.planned_end = min(
            ("PROGRESSIVE DISEASE", progressed),
            (chance.weighted(rules.reasons), left),
            ("", self.cutoff),
            key=lambda pair: pair[1],
        )
        self.died: tuple[str, date] | None = None
        if self.reason == "PROGRESSIVE DISEASE":
            self.course.progressed_on = progressed
            death = progressed + days(chance.waiting(rules.death_after_progression_median_days))
            self.died = ("DISEASE PROGRESSION", death) if death <= self.cutoff else None
        self._ablate()

    def run(self) -> Course:
        for latent in sorted(self._latent(), key=lambda x: (x.onset_on, not x.told, x.term, x.cause)):
            if self._happens(latent):
                self._befall(latent)
        course, person, facts = self.course, self.person, self.facts
        course.died = self.died
        course.doses = [
            *lenvatinib_doses(
                self.therapy["LENVATINIB"], self._end("LENVATINIB"), person.weight, facts.treatment
            ),
            *pd1_doses(self.therapy["PD1"], self._end("PD1"), facts.treatment),
        ]
        course.ablations = [a for a in course.ablations if not self.died or a.on <= self.died[1]]
        course.best_response = self.chance.weighted(facts.treatment.response)
        course.off_treatment = self._off_treatment()
        if (
            course.off_treatment
            and self.died
            and self.died[1] > self._followed_until(course.off_treatment[1])
        ):
            course.died = self.died = None  # nobody asked any more
        course.last_contact_on = self._last_contact()
        if course.progressed_on and course.progressed_on > course.last_contact_on:
            course.progressed_on = None
        for event in course.events:
            self._conclude(event)
        return course

    # -- treatment ------------------------------------------------------------------------------------------
    def _ablate(self) -> None:
        rules, chance = self.facts.treatment, self.chance
        modality = chance.weighted(rules.modality)
        wanted = next((story.at for story in self.person.stories if story.at), None)
        self.course.ablations = [Ablation(self.first, modality, wanted or chance.weighted(rules.location))]
        if chance.happens(rules.second_session):
            again = self.first + days(chance.between(rules.second_session_days))
            if again <= self.planned_end:
                place = chance.weighted(rules.location)
                self.course.ablations.append(Ablation(again, modality, place))

    def _end(self, drug: Cause) -> date:
        """The last day on which *drug* may be given."""
        ends = [self.planned_end, self.cutoff]
        if (stopped := self.therapy[drug].stopped_on) is not None:
            ends.append(stopped - days(1))
        if self.died:
            ends.append(self.died[1])
        return min(ends)

    # -- competing causes -----------------------------------------------------------------------------------
    def _latent(self) -> Iterator[_Latent]:
        told = [
            _Latent(
                self.first + days(day + event.lag),
                event.term,
                event.cause,
                event.grade,
                self.facts.lasts(event.cause, event.term),
                True,
                event.serious,
            )
            for story in self.person.stories
            for day in [self.chance.between(story.day)]
            for event in story.events
        ]
        yield from told
        spoken_for = {latent.term for latent in told}
        for cause, hazards in self.facts.events.items():
            for hazard in hazards:
                for clock in self._clocks(cause, hazard):
                    if self.chance.happens(hazard.pct / 100) and hazard.term not in spoken_for:
                        onset = self.chance.skewed(hazard.window[0], hazard.median, hazard.window[1])
                        grade = self.chance.weighted(dict(enumerate(hazard.grades, start=1)))
                        yield _Latent(clock + days(onset), hazard.term, cause, grade, hazard.lasts)

    def _clocks(self, cause: Cause, hazard: Hazard) -> list[date]:
        if not self.person.has(hazard.needs):
            return []
        if hazard.drugs and self.person.site.pd1 not in hazard.drugs:
            return []
        if cause == "ABLATION":
            return [a.on for a in self.course.ablations if not hazard.at or a.location in hazard.at]
        return [self.therapy[cause].start_on if cause in self.therapy else self.first]

    def _happens(self, latent: _Latent) -> bool:
        rules, on = self.facts.treatment, latent.onset_on
        if on > self._observed_until(latent.cause):
            return False
        if any(e.term == latent.term and (e.end_on is None or on <= e.end_on) for e in self.course.events):
            return False  # another cause brought this term about first, and it is still there
        if not latent.told:
            tails: dict[Cause, int] = {"LENVATINIB": rules.lenvatinib_tail_days, "PD1": rules.pd1_tail_days}
            if latent.cause in tails:
                therapy, tail = self.therapy[latent.cause], days(tails[latent.cause])
                if not any(therapy.running(d) and not therapy.held(d) for d in (on, on - tail)):
                    return False
        return self._worsens(latent)

    def _worsens(self, latent: _Latent) -> bool:
        """False where the subject's own level is already as bad as the event would make it."""
        if not self.facts.terms[latent.term].laboratory:
            return True
        worst = self.facts.worst[latent.term][0]
        usual = self.person.usual[worst.test]
        target = worst.target(latent.grade, usual, self.person.limits.get(worst.test, (0.0, 0.0))[1])
        ratio = target / usual if worst.peak[-1] > worst.peak[0] else usual / target
        return ratio >= (self.facts.conduct.worsens_by if worst.of == "uln" else 1.0)

    def _observed_until(self, cause: Cause) -> date:
        ends = [self.cutoff]
        stops = [therapy.stopped_on for therapy in self.therapy.values()]
        end = min(self.planned_end, max(s for s in stops if s)) if all(stops) else self.planned_end
        tail = self.facts.treatment.pd1_tail_days if cause == "PD1" else self.facts.trial.post_treatment_days
        ends.append(end + days(tail))
        if self.reason in self.facts.treatment.reasons:
            ends.append(self.planned_end)
        if self.died:
            ends.append(self.died[1])
        return min(ends)

    # -- consequences ---------------------------------------------------------------------------------------
    def _befall(self, latent: _Latent) -> None:
        conduct, chance = self.facts.conduct, self.chance
        term = self.facts.terms[latent.term]
        lasted = max(1, round(latent.lasts * chance.factor(0.4)))
        fades = latent.onset_on + days(lasted)
        event = Event(
            latent.term,
            latent.cause,
            latent.grade,
            latent.onset_on,
            None if term.lasting else fades,
            fades,
        )
        event.opinion = {c: self._believed(c, latent) for c in COMPONENTS}
        event.immune = event.opinion["PD1"] and term.immune and chance.happens(conduct.immune_sensitivity)
        event.criteria = self._seriousness(latent)
        if latent.grade == 5:
            event.outcome = Outcome.FATAL
            when = min(latent.onset_on + days(chance.between(conduct.days_to_death)), self.cutoff)
            self.died = ("ADVERSE EVENT", when)
        self._act(event, lasted)
        self._medicate(event, lasted)
        self.course.events.append(event)

    def _believed(self, component: Cause, latent: _Latent) -> bool:
        conduct, on = self.facts.conduct, latent.onset_on
        if component == "ABLATION":
            exposed = self.course.ablations[0].on <= on
        else:
            exposed = self.therapy[component].start_on <= on
        draw = self.chance.uniform()
        if component == latent.cause:
            return latent.told or draw < conduct.sensitivity
        known = self.facts.known_for(component, latent.term)
        return exposed and draw < (conduct.over_attribution if known else conduct.stray_attribution)

    def _seriousness(self, latent: _Latent) -> frozenset[str]:
        conduct = self.facts.conduct
        rates = conduct.serious_laboratory if self.facts.terms[latent.term].laboratory else conduct.serious
        if latent.grade == 5:
            return frozenset({"AESDTH", "AESHOSP"})
        if not self.chance.happens(rates.get(latent.grade, 0.0)) and not latent.serious:
            return frozenset()
        found = {"AESLIFE"} if latent.grade == 4 else set()
        found |= {"AESHOSP"} if self.chance.happens(conduct.hospitalised) else {"AESMIE"}
        return frozenset(found)

    def _act(self, event: Event, lasted: int) -> None:
        """Hold, reduce or stop the drugs that run; only a drug that runs can be acted on."""
        conduct, chance, on = self.facts.conduct, self.chance, event.onset_on
        term = self.facts.terms[event.term]
        low, high = conduct.hold_days
        hold = (on, on + days(min(max(lasted, low), high)))
        for drug in DRUGS:
            therapy, blamed = self.therapy[drug], event.opinion[drug]
            draw = chance.uniform()
            if not therapy.running(on) or on > self._end(drug):
                continue
            stop = event.grade == 5 or (event.grade == 4 and blamed and not term.laboratory)
            if drug == "PD1":
                stop |= blamed and term.immune and event.grade == 3 and draw < conduct.pd1_stop_grade3
                stop |= blamed and term.immune and event.grade == 4
            if stop:
                therapy.stopped_on = on
            elif event.grade >= 3 and (
                blamed or (event.criteria and draw < conduct.interrupt_unrelated_grade3)
            ):
                therapy.holds.append(hold)
                if drug == "LENVATINIB" and blamed and draw < conduct.reduce_after_grade3:
                    therapy.reduced_from.append(on)
            elif event.grade == 2 and blamed and draw < conduct.interrupt_grade2:
                therapy.holds.append(hold)

    def _medicate(self, event: Event, lasted: int) -> None:
        conduct, term, on = self.facts.conduct, self.facts.terms[event.term], event.onset_on
        if term.treated:
            event.medications.append(Medication(term.treated, event.term, on, event.end_on))
        if event.immune and event.grade >= conduct.steroid_from_grade and not term.no_steroid:
            name = "PREDNISONE" if event.grade == conduct.steroid_from_grade else "METHYLPREDNISOLONE"
            taper = self.chance.between(conduct.steroid_taper_days)
            event.medications.append(Medication(name, event.term, on, on + days(taper)))

    # -- the end --------------------------------------------------------------------------------------------
    def _off_treatment(self) -> tuple[str, date] | None:
        stops = [t.stopped_on for t in self.therapy.values()]
        if all(stops):
            stopped = max(s for s in stops if s)
            fatal = any(e.outcome is Outcome.FATAL and e.onset_on == stopped for e in self.course.events)
            return ("DEATH", self.died[1]) if fatal and self.died else ("ADVERSE EVENT", stopped)
        return (self.reason, self.planned_end) if self.reason else None

    def _last_contact(self) -> date:
        if self.died:
            return self.died[1]
        ends = [self.cutoff]
        if self.reason in self.facts.treatment.reasons:
            ends.append(self.planned_end)
        if self.course.off_treatment:
            ends.append(self._followed_until(self.course.off_treatment[1]))
        return min(ends)

    def _followed_until(self, off: date) -> date:
        last = max(off, *(a.on for a in self.course.ablations))
        return last + days(self.facts.trial.follow_up_days)

    def _conclude(self, event: Event) -> None:
        """End dates, outcome and action as they stand at the last contact, from the doses really taken."""
        last = self.course.last_contact_on or self.cutoff
        if event.outcome is Outcome.FATAL:
            event.end_on = self.died[1] if self.died else last
        elif event.end_on is None or event.end_on > last:
            event.end_on = None
            improving = self.chance.happens(self.facts.conduct.recovering) and not self.died
            event.outcome = Outcome.RECOVERING if improving else Outcome.NOT_RECOVERED
        event.medications = [
            Medication(m.name, m.indication, m.start_on, m.end_on if m.end_on and m.end_on <= last else None)
            for m in event.medications
        ]
        event.action = {drug: self._action(event, drug) for drug in DRUGS}

    def _action(self, event: Event, drug: Cause) -> ActionTaken:
        doses, on = [d for d in self.course.doses if d.drug == drug], event.onset_on
        therapy = self.therapy[drug]
        if therapy.stopped_on == on and doses:
            return ActionTaken.DRUG_WITHDRAWN
        if not doses or on < doses[0].start_on or not therapy.running(on) or on > self._end(drug):
            return ActionTaken.NOT_APPLICABLE
        before = [d for d in doses if d.start_on < on]
        after = [d for d in doses if d.start_on > on]
        if on in therapy.reduced_from and before and after and after[0].mg < before[-1].mg:
            return ActionTaken.DOSE_REDUCED
        hold = max((end for start, end in therapy.holds if start == on), default=None)
        if hold is None:
            return ActionTaken.DOSE_NOT_CHANGED
        if drug == "LENVATINIB":
            return ActionTaken.DRUG_INTERRUPTED
        due = before[-1].start_on + days(self.facts.treatment.pd1_cycle_days) if before else on
        missed = due <= min(hold, self._end(drug))
        return ActionTaken.DRUG_INTERRUPTED if missed else ActionTaken.DOSE_NOT_CHANGED
