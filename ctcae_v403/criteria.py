"""The grade criteria as data: from findings to the grade they prove, the grades still possible, and what to ask.

Authority: NCI CTCAE v4.03 (14 June 2010). ``data/criteria/<class>.toml`` holds, for each grade of each term,
one entry per clause of the published cell; any entry suffices. An entry is ``a & b | c``: all of *a* and *b*,
or *c*; ``!a`` is the contrary; ``bsa >= 10`` compares a quantity in the unit of the vocabulary; ``numbers``
stands for the numeric rules of that term and grade (``rules``), which are written there only.

Nothing unknown is taken for false. The grade is the worst that the findings prove; the possible grades are
those for which some completion of the findings exists, implications included.

>>> proposal = grade_findings("Pneumothorax", {"chest_tube_indicated": True})
>>> proposal.grade, proposal.possible
(2, (2, 3, 4, 5))
>>> check_grade("Pneumothorax", 1, {"chest_tube_indicated": True}).verdict
<Verdict.TOO_LOW: 'too low'>
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from functools import cache, cached_property
from itertools import product

from ctcae_v403 import dictionary
from ctcae_v403.dictionary import Term
from ctcae_v403.findings import (
    NUMBERS,
    Interval,
    Known,
    Literal,
    Question,
    UnknownFinding,
    Words,
    document,
    vocabulary,
)  # fmt: skip

Alternative = tuple[Literal, ...]
FATAL = 5  # the grade that says nothing of severity short of death
_ACRONYMS = re.compile(
    r"\b(adl|iv|tpn|icu|ecg|gi|bsa|mri|ct|nsaids|cns|csf|rbc|qt|qtc|dvt|svc|icp|pa|bmi|anc|uln|lln|fev1|rom)\b"
)


class Verdict(StrEnum):
    """What the findings say of a grade that somebody assigned."""

    AGREE = "agree"
    TOO_HIGH = "too high"
    TOO_LOW = "too low"
    NOT_AVAILABLE = "not available for this term"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class Criterion:
    """One entry of a cell: met by any of its ``alternatives``, each a conjunction; ``texts``: each for readers.

    ``printed`` are the alternatives as the standard has them. Where one names a degree (moderate pain), a worse one
    meets it too: the worst grade wins, so that what is beyond a cell never falls out of it.
    """

    grade: int
    alternatives: tuple[Alternative, ...]
    texts: tuple[str, ...]
    printed: tuple[Alternative, ...]

    @property
    def text(self) -> str:
        return " or ".join(text for each, text in zip(self.alternatives, self.texts, strict=True) if each in self.printed)

    def met(self, state: Known) -> str:
        """The alternatives that hold, for readers."""
        return " or ".join(t for each, t in zip(self.alternatives, self.texts, strict=True) if _all_of(each, state))

    def holds(self, state: Known) -> bool | None:
        """True, false, or unknown (None)."""
        values = [_all_of(each, state) for each in self.alternatives]
        return True if True in values else None if None in values else False


@dataclass(frozen=True)
class Proposal:
    """What the findings say of the grade of one term.

    ``grade``: the worst grade that a criterion proves, None where none does. ``fired``: the criteria of that
    grade that are met. ``possible``: the grades that further findings could still leave, 0 standing for no
    criterion at all. ``notes``: contradictions among the findings, and what the standard says of a death.
    """

    term: Term
    state: Known
    grade: int | None
    fired: tuple[Criterion, ...]
    possible: tuple[int, ...]
    notes: tuple[str, ...] = ()

    @property
    def reasons(self) -> tuple[str, ...]:
        """Of each criterion that fired, the part that is met."""
        return tuple(each.met(self.state) or each.text for each in self.fired)

    @property
    def settled(self) -> bool:
        """No further finding can change the grade."""
        return len(self.possible) <= 1

    @cached_property
    def questions(self) -> tuple[Question, ...]:
        """The fewest questions that settle the grade whatever the answers, the most telling first."""
        from ctcae_v403.questions import plan

        return tuple(plan(criteria(self.term.name), self.state, self.possible))


@dataclass(frozen=True)
class Check:
    """An assigned grade against the findings: the verdict, the reason in a sentence, and the proposal."""

    verdict: Verdict
    reason: str
    proposal: Proposal


@cache
def criteria(name: str | int) -> Mapping[int, tuple[Criterion, ...]]:
    """The criteria of a term by grade, in the order of the standard. Raises ``UnknownTerm``."""
    term = dictionary.term(name)
    words = vocabulary(term.soc)
    cells = document(term.soc)["term"][term.name]
    return {int(grade): tuple(_criterion(text, int(grade), term, words) for text in texts) for grade, texts in cells.items()}


def grade_findings(name: str | int, findings: Mapping[str, object]) -> Proposal:
    """The grade of term *name* that *findings* prove, and what they leave open.

    *findings*: key of the vocabulary to bool, Y/N, None (unknown); a quantity to its number; a scale to its
    member; ``numbers`` to the grade by the numeric rules (``2``, or ``2+`` for at least 2); or a laboratory test
    or measurement (CDISC code or name) to the arguments of :func:`ctcae_v403.grade` as a mapping
    (``{"value": 2.8, "unit": "mmol/L", "lln": 3.5}``), or several such. Raises ``UnknownTerm`` and
    ``UnknownFinding``.
    """
    term = dictionary.term(name)
    words = vocabulary(term.soc)
    plain = {key: value for key, value in findings.items() if not _is_measurement(value)}
    measured = {key: value for key, value in findings.items() if _is_measurement(value)}
    for key, value in plain.items():  # a number of which the numeric rules speak, too: in the unit of the question
        if key in words.analytes and value is not None:
            measured[words.analytes[key]] = {"value": value, "unit": words.questions[key].unit}
    numbers = plain.pop(NUMBERS, None)
    notes: list[str] = []
    if measured:
        from ctcae_v403.measured import converted, graded  # loads units and rules

        plain |= converted(measured, words)
        state = Known.of(plain, words)
        interval, notes = graded(term.name, measured, state.true.get("adult"))
    else:
        state = Known.of(plain, words)
        interval = Interval() if numbers is None else _level(numbers)
    state = replace(state, ranges={**state.ranges, NUMBERS: interval})
    cells = criteria(term.name)
    fired = {grade: tuple(each for each in cell if each.holds(state)) for grade, cell in cells.items()}
    grade = max((each for each, met in fired.items() if met), default=None)
    notes += [f"{key} says nothing of {term.name}" for key in plain if key not in words]
    for pair in state.clashes:
        one, other = (_label(key, state.true[key], words) for key in pair)
        notes.append(f"{one} and {other} contradict each other")
    if state.true.get("death") and not term.has_grade(5):
        notes.append(_death_elsewhere(term))
    possible = possible_grades(cells, state)
    met = fired.get(grade or 0, ())
    if grade is not None and possible and grade < min(possible):  # proven by cases: one of several open criteria must hold
        grade = min(possible)
        met = tuple(each for each in cells[grade] if each.holds(state) is None)
        notes.append(f"grade {grade} whichever of its open criteria holds")
    return Proposal(term, state, grade, met, possible, tuple(notes))


def check_grade(name: str | int, assigned: int, findings: Mapping[str, object]) -> Check:
    """Whether *assigned* fits the *findings* (see :func:`grade_findings`)."""
    proposal = grade_findings(name, findings)
    term, grade, possible = proposal.term, proposal.grade, proposal.possible
    because = "; ".join(proposal.reasons)
    if not term.has_grade(assigned):
        exist = ", ".join(map(str, term.grades))
        return Check(Verdict.NOT_AVAILABLE, f"{term.name} has no grade {assigned} in CTCAE v4.03 (grades {exist})", proposal)
    if grade is not None and grade > assigned:
        return Check(Verdict.TOO_LOW, f"the findings meet grade {grade}: {because}", proposal)
    if possible and assigned < min(possible):
        return Check(Verdict.TOO_LOW, f"the findings leave grade {_spoken(possible)} only", proposal)
    if not any(possible) and proposal.state.ranges[NUMBERS] == Interval():
        return Check(Verdict.CANNOT_TELL, "no criterion of the standard describes these findings: a medical decision", proposal)
    if assigned not in possible and set(possible) <= {*range(assigned), FATAL}:
        left = f"grade {_spoken(possible)} is possible" if any(possible) else "they meet no criterion of any grade"
        met = f"they meet grade {grade}: {because}" if grade else left
        return Check(Verdict.TOO_HIGH, f"the findings rule out every criterion of grade {assigned}; {met}", proposal)
    if assigned == grade:
        further = "" if proposal.settled else f"; grade {_spoken([g for g in possible if g > grade])} is not excluded"
        return Check(Verdict.AGREE, f"the findings meet grade {grade}: {because}{further}", proposal)
    return Check(Verdict.CANNOT_TELL, f"the findings leave grade {_spoken(possible)} possible", proposal)


def _is_measurement(value: object) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, Sequence) and not isinstance(value, str))


def _level(numbers: object) -> Interval:
    """``2`` is grade 2 by the numbers, ``2+`` at least grade 2."""
    text = str(numbers)
    try:
        level = Decimal(text.removesuffix("+"))
    except ArithmeticError:
        raise UnknownFinding(f"numbers = {numbers!r}: write the grade that the numeric rules give, such as 2 or 2+") from None
    return Interval(level) if text.endswith("+") else Interval(level, level)


def _criterion(text: str, grade: int, term: Term, words: Words) -> Criterion:
    alternatives = tuple(
        tuple(Literal.read(part, words, grade) for part in each.split("&")) for each in text.split("|")
    )
    expanded = tuple(each for alternative in alternatives for each in _or_worse(alternative, words))
    return Criterion(grade, expanded, tuple(_spoken_all(each, term, words) for each in expanded), alternatives)


def _or_worse(alternative: Alternative, words: Words) -> Iterator[Alternative]:
    degrees = (
        [Literal(key) for key in words.worse.get(each.key, (each.key,))] if each.true and not each.operator else [each]
        for each in alternative
    )
    return product(*degrees)


def _spoken_all(alternative: Alternative, term: Term, words: Words) -> str:
    return " and ".join(_spoken_literal(each, term, words) for each in alternative)


def _spoken_literal(literal: Literal, term: Term, words: Words) -> str:
    if literal.key == NUMBERS:
        from ctcae_v403.rules import numeric_criteria  # loads units and rules

        texts = numeric_criteria(term.name).get(int(literal.bound), ("by the numbers",))
        return " or ".join(text.removesuffix(" (findings)") for text in texts)
    if literal.operator:
        sign = {"<=": "≤", ">=": "≥"}.get(literal.operator, literal.operator)
        unit = words.questions[literal.key].in_words
        return f"{_label(literal.key, True, words)} {sign} {literal.bound}{'' if unit == '%' else ' '}{unit}".rstrip()
    return _label(literal.key, literal.true, words)


def _label(key: str, true: bool, words: Words) -> str:
    """The words for a finding or for its absence: *symptomatic* rather than *not asymptomatic*."""
    label = words.labels.get((key, true)) or ("" if true else "not ") + words.labels.get((key, True), key.replace("_", " "))
    return _ACRONYMS.sub(lambda found: found[0].upper(), label)


def _spoken(grades: Iterable[int]) -> str:
    return " or ".join("none" if each == 0 else str(each) for each in grades)


def _death_elsewhere(term: Term) -> str:
    return (
        f"{term.name} has no grade 5 in CTCAE v4.03: grade this event by its other criteria and report the death under "
        f"the term that caused it, '{term.soc} - Other, specify' or 'Death NOS'"
    )


def _all_of(alternative: Alternative, state: Known) -> bool | None:
    values = [state.holds(literal) for literal in alternative]
    return False if False in values else None if None in values else True


def possible_grades(cells: Mapping[int, tuple[Criterion, ...]], state: Known) -> tuple[int, ...]:
    """The grades that some completion of what is known gives; 0 where it meets no criterion."""
    worse: list[Alternative] = []
    found: list[int] = []
    for grade in sorted(cells, reverse=True):
        own = [alternative for criterion in cells[grade] for alternative in criterion.alternatives]
        if any(_refutable(with_it, worse) for each in own if (with_it := assumed(state, each))):
            found.append(grade)
        worse += own
    if _refutable(state, worse):
        found.append(0)
    return tuple(sorted(found))


def assumed(state: Known, alternative: Alternative) -> Known | None:
    """What would be known if all of *alternative* held as well; None where it cannot."""
    for literal in alternative:
        held = state.assume(literal)
        if held is None:
            return None
        state = held
    return state


def _refutable(state: Known, alternatives: Sequence[Alternative]) -> bool:
    """Whether all *alternatives* can be false together."""
    for position, alternative in enumerate(alternatives):
        held = _all_of(alternative, state)
        if held is False:
            continue
        undecided = [literal for literal in alternative if state.holds(literal) is None]
        without = (state.assume(literal.opposite()) for literal in undecided)
        return any(each is not None and _refutable(each, alternatives[position + 1 :]) for each in without)
    return True
