"""What published rules advise about the dose after an event: hold, reduce, stop, go on. Advice, never an order.

The rules are data (``advice.toml``: labels, the lenvatinib ladder in HCC, consensus papers, each with its source and
whether it was read, recalled or inferred); a study may replace, add or leave out rules (``advice`` of its settings).
What a rule needs and nobody knows is not assumed: the advice then says on what it depends. Where no rule speaks
to an event there is no advice, which is not "go on".

>>> [f"{a.action}: {a.rule_id}" for a in advise("Pneumonitis", 3, ["pd1"])]
['stop: pd1-pneumonitis-stop']
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache, cached_property
from importlib.resources import files
from math import inf
from typing import Any, Literal

from pydantic import ConfigDict, Field, model_validator

from safety_monitor.rules.ranges import Range
from safety_monitor.study import AdviceRules, Settings, SettingsError, validated

Action = Literal["continue", "slow", "judge", "hold", "reduce", "stop"]
Tier = Literal["verified", "recalled", "inference", "house"]
_PAIRED = "aminotransferase"
_TESTS = ("alt", "ast")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known around one event; None is not known. Liver values in × ULN, ``_baseline`` before treatment.

    ``immune``: reported as immune-mediated. ``related``: by component profile, whether the investigator or the system
    holds it possible. ``liver_ablation_days``: days since the last ablation of the liver, infinite where there was none, a range
    where its site is not known.
    ``weeks_held``, ``weeks_on_steroid``: since the hold, or the steroid, began. ``dose``: (mg, every so many days).
    """

    drug: str | None = None
    weight_kg: float | None = None
    dose: tuple[float, int] | None = None
    first_occurrence: bool | None = None
    persistent: bool | None = None
    life_threatening: bool | None = None
    laboratory: bool | None = None
    confirmed: bool | None = None
    resolved: bool | None = None
    immune: bool | None = None
    related: Mapping[str, bool | None] | None = None
    liver_tumour: bool | None = None
    alt: float | None = None
    ast: float | None = None
    bilirubin: float | None = None
    alt_baseline: float | None = None
    ast_baseline: float | None = None
    liver_ablation_days: float | Range | None = None
    protein_g_24h: float | None = None
    systolic: float | None = None
    diastolic: float | None = None
    despite_therapy: bool | None = None
    weeks_held: float | None = None
    weeks_on_steroid: float | None = None
    prednisone_mg: float | None = None


class _Data(Settings):
    model_config = ConfigDict(populate_by_name=True)


_KNOWN = {f.name for f in fields(Facts)} | {_PAIRED, f"{_PAIRED}_baseline", "highest_baseline"}


class Condition(_Data):
    """One thing that must hold: a yes or no (``is``), or a number within limits. ``excuses``: within them it is open."""

    fact: str
    yes: bool | None = Field(default=None, alias="is")
    above: float | None = None
    at_least: float | None = None
    to: float | None = None
    below: float | None = None
    excuses: bool = False
    terms: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _of_something_known(self) -> Condition:
        if self.fact not in _KNOWN:
            raise ValueError(f"{self.fact!r} is not a fact; known: {', '.join(sorted(_KNOWN))}")
        if (self.yes is None) == (self.limits == Range()):
            raise ValueError(f"{self.fact}: give either 'is' or limits (above, at_least, to, below)")
        return self

    @property
    def limits(self) -> Range:
        return Range.of(above=self.above, at_least=self.at_least, to=self.to, below=self.below)

    def of_test(self, test: str) -> Condition:
        """The same of ALT or AST where it is of "aminotransferase"."""
        return self.model_copy(update={"fact": self.fact.replace(_PAIRED, test)})


class Rule(_Data):
    """One row of advice. ``grades`` empty: any; ``when``: alternatives of conditions, empty: always."""

    id: str
    topic: str
    action: Action
    source: str
    grades: tuple[int, ...] = ()
    terms: tuple[str, ...] = ()
    when: tuple[tuple[Condition, ...], ...] = ()
    premise: Literal["", "immune", "related"] = ""
    restart: str = ""
    note: str = ""
    decided_only: bool = False


class Topic(_Data):
    """Which events rules are about, of which component profile (``a+b``: where both were given)."""

    profile: str
    terms: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    not_words: tuple[str, ...] = ()
    otherwise: bool = False
    beside: bool = False

    def has(self, term: str, verbatim: str) -> bool:
        text = verbatim.casefold()
        other = term.endswith("Other, specify") and any(word in text for word in self.words)
        return term in self.terms or (other and not any(word in text for word in self.not_words))


class Source(_Data):
    """Where a rule is from. ``drugs``: those it was written for; for another drug it is said to be of the class."""

    text: str
    tier: Tier
    drugs: tuple[str, ...] = ()


class Dose(_Data):
    mg: float = Field(gt=0)
    days: int = Field(gt=0)


class Ladder(_Data):
    profile: str
    weight: dict[str, float]
    levels: tuple[Dose, ...]
    ends: Literal["open", "stop"]


class Bound(_Data):
    """What the grade of *term* says of a value that was not measured, as limits by grade."""

    fact: str
    term: str
    grades: dict[int, dict[str, float]]


class Book(_Data):
    """All rules of a study."""

    version: str
    sources: dict[str, Source]
    topic: dict[str, Topic]
    rule: tuple[Rule, ...]
    ladder: tuple[Ladder, ...] = ()
    bound: tuple[Bound, ...] = ()
    record: dict[str, Any] = Field(default_factory=dict)

    @cached_property
    def rules_of(self) -> dict[str, list[Rule]]:
        """The rules by topic, in their order."""
        return {name: [rule for rule in self.rule if rule.topic == name] for name in self.topic}

    @model_validator(mode="after")
    def _complete(self) -> Book:
        for rule in self.rule:
            if rule.topic not in self.topic or rule.source not in self.sources:
                raise ValueError(f"rule {rule.id}: its topic {rule.topic!r} or its source {rule.source!r} is not in the file")
        return self


@dataclass(frozen=True)
class Advice:
    """One line of advice for one component profile. ``open``: alternatives of conditions that are not known, of which one
    must hold; empty: certain. ``otherwise``: it follows lines that are open. ``doses``: next dose by weight class
    (None where there is none: ``ends``), equal ones once. ``by_class``: the source is about another drug of the class.
    """

    rule_id: str
    profile: str
    action: Action
    source: Source
    version: str
    open: tuple[tuple[Condition, ...], ...] = ()
    premise: str = ""
    otherwise: bool = False
    restart: str = ""
    note: str = ""
    doses: tuple[tuple[Range | None, Dose | str], ...] = ()
    by_class: bool = False
    beside: bool = False


@cache
def shipped() -> Mapping[str, Any]:
    """``advice.toml`` as it stands."""
    return tomllib.loads(files("safety_monitor.rules").joinpath("advice.toml").read_text("utf-8"))


def book_of(settings: AdviceRules | None = None) -> Book:
    """The rules of a study: the shipped ones, with its own in their place or beside them. SettingsError says what is wrong."""
    return _book(settings.model_dump_json() if settings else "")


@cache
def _book(settings: str) -> Book:
    own = AdviceRules.model_validate_json(settings) if settings else AdviceRules()
    base = shipped()
    replaced = {rule.get("id"): rule for rule in own.rules}
    for name in set(own.without) - {rule["id"] for rule in base["rule"]}:
        raise SettingsError(f"study.yaml: advice.without: {name!r} is no rule of rules/advice.toml; see docs/advice.md")
    merged = [replaced.pop(rule["id"], rule) for rule in base["rule"] if rule["id"] not in own.without]
    raw = {
        **base, "rule": [*replaced.values(), *merged], "topic": {**base["topic"], **own.topics},
        "sources": {**base["sources"], **own.sources},
    }  # fmt: skip
    if own.rules or own.without:
        raw["version"] = f"{base['version']}, changed by the study"
    return validated(Book, raw, "study.yaml: advice")


def advise(
    term: str, grade: int | None, profiles: Sequence[str], facts: Facts | None = None, *, verbatim: str = "",
    book: Book | None = None,
) -> tuple[Advice, ...]:  # fmt: skip
    """The advice for an event of *term* and *grade* in somebody given the components of *profiles*, in their order.

    Without a grade, and for a fatal event, there is none. A component known to be unrelated gets none.
    """
    facts, book = facts or Facts(), book or book_of()
    found: list[Advice] = []
    if grade is None or not 1 <= grade <= 4:
        return ()
    for name in _topics(term, verbatim, profiles, facts, book):
        open_before = False
        for rule in book.rules_of.get(name, ()):
            if (rule.grades and grade not in rule.grades) or (rule.terms and term not in rule.terms):
                continue
            left = _open(rule, term, grade, facts, book)
            if left is None or (left and rule.decided_only):
                continue
            found.append(_advice(rule, book, facts, left, open_before))
            if not left:
                break
            open_before = True
    order = {profile: place for place, profile in enumerate(profiles)}
    return tuple(sorted(found, key=lambda each: (order.get(each.profile, len(order)), each.beside)))


def _topics(term: str, verbatim: str, profiles: Sequence[str], facts: Facts, book: Book) -> Iterator[str]:
    named: set[str] = set()
    related = facts.related or {}
    for otherwise in (False, True):
        for name, topic in book.topic.items():
            parts = topic.profile.split("+")
            if topic.otherwise is not otherwise or not set(parts) <= set(profiles):
                continue
            if any(related.get(part) is False for part in parts):
                continue
            if topic.has(term, verbatim) or (otherwise and topic.profile not in named):
                yield name
                named |= set() if topic.beside else {topic.profile}


def _open(rule: Rule, term: str, grade: int, facts: Facts, book: Book) -> tuple[tuple[Condition, ...], ...] | None:
    """What is not known and decides: () where the rule certainly applies, None where it certainly does not."""
    if not rule.when:
        return ()
    left: list[tuple[Condition, ...]] = []
    for alternative in rule.when:
        conditions = [c for c in alternative if not c.terms or term in c.terms]
        paired = any(c.fact.startswith(_PAIRED) for c in conditions)
        unknown: dict[str, list[Condition]] = {}
        for test in _TESTS if paired else ("",):
            answers = [_answer(c.of_test(test), term, grade, facts, book) for c in conditions]
            if False not in answers:
                unknown[test] = [c for c, answer in zip(conditions, answers, strict=True) if answer is None]
        if any(not each for each in unknown.values()):
            return ()
        if len(unknown) == len(_TESTS):  # open for both: said once, of both
            left.append(tuple(c for c in conditions if any(c in each for each in unknown.values())))
        else:
            left += [tuple(c.of_test(test) for c in each) for test, each in unknown.items()]
    return tuple(dict.fromkeys(left)) or None


def _answer(condition: Condition, term: str, grade: int, facts: Facts, book: Book) -> bool | None:
    value = getattr(facts, condition.fact, None)
    if condition.yes is not None:
        return None if value is None else value is condition.yes
    known = _highest_baseline(facts) if condition.fact == "highest_baseline" else _range(condition.fact, value, term, grade, book)
    inside = known.within(condition.limits)
    if condition.excuses:
        return True if inside is False else None
    return inside


def _range(fact: str, value: float | Range | None, term: str, grade: int, book: Book) -> Range:
    """What is known of a number: the value, and what the reported grade says. Where they disagree, all between."""
    said = Range()
    for bound in book.bound:
        if bound.fact == fact and bound.term == term and grade in bound.grades:
            said = Range.of(**bound.grades[grade])
    if value is None:
        return said
    if isinstance(value, Range):
        return value
    return Range.point(value) if Range.point(value).within(said) else said.reaching(value)


def _highest_baseline(facts: Facts) -> Range:
    values = [value for value in (facts.alt_baseline, facts.ast_baseline) if value is not None]
    return Range(low=max(values), high=max(values) if len(values) == len(_TESTS) else inf) if values else Range()


def _advice(rule: Rule, book: Book, facts: Facts, left: tuple[tuple[Condition, ...], ...], otherwise: bool) -> Advice:
    topic, source = book.topic[rule.topic], book.sources[rule.source]
    known = facts.immune if rule.premise == "immune" else None
    if rule.premise == "related":
        known = all((facts.related or {}).get(part) is True for part in topic.profile.split("+"))
    drug = (facts.drug or "").strip().upper()
    return Advice(
        rule.id, topic.profile, rule.action, source, book.version, open=left, premise="" if known else rule.premise,
        otherwise=otherwise, restart=rule.restart, note=rule.note,
        doses=_next_doses(topic.profile, facts, book) if rule.action == "reduce" else (),
        by_class=bool(source.drugs) and drug not in source.drugs and "pd1" in topic.profile, beside=topic.beside,
    )  # fmt: skip


def _next_doses(profile: str, facts: Facts, book: Book) -> tuple[tuple[Range | None, Dose | str], ...]:
    """The next level of the ladder by weight class; one without a class where weight makes no difference or is known."""
    found: list[tuple[Range | None, Dose | str]] = []
    for ladder in (each for each in book.ladder if each.profile == profile):
        weight = Range.of(**ladder.weight)
        fits = True if facts.weight_kg is None else Range.point(facts.weight_kg).within(weight)
        if fits:
            found.append((None if facts.weight_kg is not None else weight, _below(ladder, facts.dose)))
    same = len({str(dose) for _, dose in found}) == 1
    return ((None, found[0][1]),) if same else tuple(found)


def _below(ladder: Ladder, dose: tuple[float, int] | None) -> Dose | str:
    if dose is None:
        return "ladder:" + ",".join(f"{level.mg:g}/{level.days}" for level in ladder.levels)
    places = [place for place, level in enumerate(ladder.levels) if (level.mg, level.days) == dose]
    if not places:
        return "off_ladder"
    below = ladder.levels[places[0] + 1 :]
    return below[0] if below else ladder.ends
