"""What has to be reported to whom about one serious event, and by when: the rules of the jurisdiction packs (``rules/packs``).

A SUSAR is serious, suspected to be related by the investigator or the sponsor's reviewer, and unexpected, to a component that is
a drug (ICH E2A III.A). Each component is judged apart, and every input is kept. What is not known counts for reporting: a
relation that nobody gave, a grade that is missing. A person may decide about seriousness, expectedness and whether it is a SUSAR;
the decision holds, with the person's name. The system's own weighing of causes never enters.

Every rule that fits is a duty; all of them are shown, the strictest is due first.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from safety_monitor.records import AdverseEvent, Assessment, CaseDecision, ComponentOpinion, PartialDate
from safety_monitor.rules.causality import ReportedCausality, causality_for_reporting
from safety_monitor.rules.expectedness import Expectedness, expectedness
from safety_monitor.study import SettingsError, StudySettings, nearest
from safety_monitor.vocabulary import ComponentKind, Matter, Seriousness

YES, NO = "yes", "no"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a pack. ``starts_with``: whose awareness its time runs from. One of days, working_days, hours is set."""

    id: str
    pack: str
    says: Mapping[str, str]
    when: Mapping[str, Any]
    source: str
    starts_with: str = "sponsor"
    days: int | None = None
    working_days: int | None = None
    calendar: str | None = None
    hours: int | None = None

    @property
    def time(self) -> str:
        """The length in words.

        >>> Rule("x", "p", {}, {}, "", days=15).time
        '15 days'
        """
        if self.hours is not None:
            return f"{self.hours} hours"
        return f"{self.working_days} working days" if self.working_days is not None else f"{self.days} days"


@dataclass(frozen=True, slots=True)
class ComponentJudgement:
    """Relation and expectedness of one event to one component, and whether that makes a SUSAR; ``decided_by``: the person who
    said so, where one did."""

    component: str
    kind: ComponentKind
    related: ReportedCausality
    expected: Expectedness
    susar: bool
    why: str
    decided_by: str | None = None


@dataclass(frozen=True, slots=True)
class Duty:
    """One rule that fits one event; ``component`` is empty where the duty is not one component's. ``unknown``: the conditions
    that were counted as met because nobody knows."""

    rule: Rule
    component: str
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reporting:
    """Everything decided about the reporting of one event: ``serious`` after a person's decision, the judgement on each
    component, the duties, and the facts that the rules looked at."""

    serious: bool
    serious_why: str
    judgements: tuple[ComponentJudgement, ...]
    duties: tuple[Duty, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def susar(self) -> bool:
        return any(each.susar for each in self.judgements)


def reporting_of(
    event: AdverseEvent,
    assessment: Assessment,
    opinions: Iterable[ComponentOpinion],
    decisions: Sequence[CaseDecision],
    settings: StudySettings,
    substances: Mapping[str, str | None],
) -> Reporting:
    """What has to be reported of *event*; *substances*: the member of a class that each component was, where it is known."""
    held = list(opinions)
    in_force = latest(decisions)
    serious, serious_why = seriousness(assessment, in_force)
    grade = grade_of(event, in_force)
    onset = PartialDate.parse(event.aestdtc) if event.aestdtc else None
    judgements = tuple(
        _judged(
            event, serious, grade, assessment.fatal, onset, held, in_force, settings, component, substances.get(component.name)
        )
        for component in settings.components
    )
    facts = _facts(event, assessment, serious, grade, settings)
    rules = [rule for name in settings.jurisdictions for rule in pack(name)]
    duties = [
        Duty(rule, component, unknown)
        for rule in rules
        for component, further in _scopes(rule, judgements, settings)
        if (unknown := _fits(rule, {**facts, **further})) is not None
    ]
    return Reporting(serious, serious_why, judgements, tuple(duties), facts)


def latest(decisions: Iterable[CaseDecision]) -> dict[tuple[Matter, str], CaseDecision]:
    """The decisions in force, by matter and component; those that were taken back are gone."""
    found = {(each.subject_matter, each.component): each for each in sorted(decisions, key=lambda each: each.at)}
    return {key: each for key, each in found.items() if each.value is not None}


def grade_of(event: AdverseEvent, in_force: Mapping[tuple[Matter, str], CaseDecision]) -> int | None:
    """The worse of the reported grade and a person's: for reporting, a grade is never talked down."""
    decided = in_force.get((Matter.GRADE, ""))
    known = [grade for grade in (event.grade, int(decided.value) if decided and decided.value else None) if grade is not None]
    return max(known, default=None)


def pack(name: str) -> tuple[Rule, ...]:
    """The rules of one jurisdiction; SettingsError names the nearest pack where there is none of that name."""
    found = packs().get(name.strip().upper().replace(" ", "_").replace("-", "_"))
    if found is None:
        known = sorted(packs())
        near = nearest(name.upper(), known)
        raise SettingsError(
            f"jurisdictions: there is no pack {name!r}; did you mean {near!r}? Packs: {', '.join(known)}"
        )
    return found


@cache
def packs() -> Mapping[str, tuple[Rule, ...]]:
    """Every pack by its name (the file's, upper case)."""
    found = {}
    for file in sorted(files("safety_monitor.rules").joinpath("packs").iterdir(), key=lambda each: each.name):
        raw = tomllib.loads(file.read_text("utf-8"))
        name = file.name.removesuffix(".toml").upper()
        found[name] = tuple(
            Rule(
                id=each["id"], pack=raw["name"], says=each["says"], when=each["when"], source=each.get("source", raw["source"]),
                starts_with=each.get("from", "sponsor"), days=each.get("days"), working_days=each.get("working_days"),
                calendar=each.get("calendar"), hours=each.get("hours"),
            )
            for each in raw["rule"]
        )  # fmt: skip
    return found


@cache
def rule(rule_id: str) -> Rule | None:
    """The rule of any pack by its id."""
    return next((each for rules in packs().values() for each in rules if each.id == rule_id), None)


def seriousness(assessment: Assessment, in_force: Mapping[tuple[Matter, str], CaseDecision]) -> tuple[bool, str]:
    """Whether the event is serious for alerts and reports, and why: what the site reports, or a person added."""
    decided = in_force.get((Matter.SERIOUSNESS, ""))
    basis = ", ".join(name.replace("_", " ").lower() for name in assessment.serious_basis)
    reported = assessment.serious or assessment.fatal
    flagged = "flagged, no criterion given" if assessment.serious else "fatal" if assessment.fatal else "not serious"
    why = f"reported: {basis or flagged}"
    if decided is None or (reported and decided.value == NO):
        # what a site reports as serious stays so until the site reports otherwise
        return reported, why
    return decided.value == YES or reported, f"{why}; {decided.given_by}: {decided.value} ({decided.reason})"


def _judged(
    event: AdverseEvent, serious: bool, grade: int | None, fatal: bool, onset: PartialDate | None,
    opinions: Sequence[ComponentOpinion], in_force: Mapping[tuple[Matter, str], CaseDecision], settings: StudySettings,
    component: Any, substance: str | None,
) -> ComponentJudgement:  # fmt: skip
    related = causality_for_reporting(component.name, opinions, settings)
    known = expectedness(component, event.aedecod or event.aeterm, grade, fatal, onset, settings, substance)
    if decided := in_force.get((Matter.EXPECTEDNESS, component.name)):
        known = Expectedness(decided.value == YES, f"{decided.given_by}: {decided.reason}", known.lists)
    susar = serious and related.treated_as_related and not known.treated_as_expected and component.kind is ComponentKind.DRUG
    why = (
        f"{'serious' if serious else 'not serious'}; {_words(related.related, 'related', 'not related')} ({related.why}); "
        f"{_words(known.expected, 'expected', 'unexpected')} ({known.why})"
    )
    said = in_force.get((Matter.SUSAR, component.name))
    if said is None:
        return ComponentJudgement(component.name, component.kind, related, known, susar, why)
    return ComponentJudgement(
        component.name, component.kind, related, known, said.value == YES, f"{why}; {said.given_by}: {said.reason}", said.given_by
    )


def _words(holds: bool | None, yes: str, no: str) -> str:
    return f"not known whether {yes}" if holds is None else yes if holds else no


def _facts(
    event: AdverseEvent, assessment: Assessment, serious: bool, grade: int | None, settings: StudySettings
) -> dict[str, Any]:
    """What conditions may ask, None where it is not known. Which criterion made an event serious is known where any was given."""
    given = bool(event.criteria_met())
    life = True if event.aeslife else (False if given or not serious else event.aeslife)
    hospital = True if event.aeshosp else (False if given or not serious else event.aeshosp)
    fatal = assessment.fatal or Seriousness.DEATH.name in assessment.serious_basis
    return {
        "serious": serious,
        "grade": grade,
        "fatal_or_life_threatening": True if fatal else life,
        "hospitalised": hospital,
        "phase": settings.phase,
        "device_investigational": settings.device_status == "investigational",
    }


def _scopes(rule: Rule, judgements: Sequence[ComponentJudgement], settings: StudySettings) -> list[tuple[str, dict[str, Any]]]:
    """The parts of the combination that *rule* is asked about, with their facts: each drug apart where the rule asks about a
    SUSAR, each procedure where it asks about a device, else the event as a whole."""
    drugs = [each for each in judgements if each.kind is ComponentKind.DRUG]
    if rule.when.get("susar") is True or "unexpected_and_related" in rule.when:
        return [
            (each.component, {
                "susar": each.susar,
                "unexpected_and_related": each.related.treated_as_related and not each.expected.treated_as_expected,
            })
            for each in drugs
        ]  # fmt: skip
    if "related_to_device" in rule.when:
        is_device = settings.device_status == "investigational"
        return [
            (each.component, {"related_to_device": is_device and each.related.treated_as_related,
                              "expected_of_device": each.expected.treated_as_expected})
            for each in judgements
            if each.kind is ComponentKind.PROCEDURE
        ]  # fmt: skip
    procedures = any(each.kind is ComponentKind.PROCEDURE for each in judgements)
    return [("", {"susar": any(each.susar for each in drugs), "procedure_given": procedures})]


def _fits(rule: Rule, facts: Mapping[str, Any]) -> tuple[str, ...] | None:
    """None where a condition does not hold, else the conditions that nobody knows."""
    unknown = []
    for name, wanted in rule.when.items():
        fact = facts["grade" if name in ("grade_from", "grade_to") else name]
        if fact is None:
            unknown.append(name)
        elif name == "grade_from":
            if fact < wanted:
                return None
        elif name == "grade_to":
            if fact > wanted:
                return None
        elif fact not in wanted if isinstance(wanted, list) else fact != wanted:
            return None
    return tuple(unknown)
