"""Which questions settle a grade: the fewest that do whatever the answers, the most telling first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf

from ctcae_v403.criteria import Alternative, Criterion, assumed, possible_grades
from ctcae_v403.findings import NUMBERS, Known, Literal, Question, Words

Cells = Mapping[int, tuple[Criterion, ...]]


def plan(cells: Cells, state: Known, possible: tuple[int, ...]) -> Iterator[Question]:
    """Asks what leaves the fewest grades on average, then goes on from the answer that settles least.

    The order is that of the first look at all questions, so that a plan takes a look per question; one that settles
    nothing when its turn comes waits for the next round.
    """
    while len(possible) > 1:
        looks = {key: _look(key, cells, state) for key in _open_keys(cells, state)}
        ranked = sorted(looks, key=lambda key: _mean(looks[key]))
        asked_one = False
        for key in ranked:
            left = _look(key, cells, state) if asked_one else looks[key]
            if not left or (asked_one and all(grades == possible for _, grades in left)):
                continue
            yield _question(key, state.words)
            asked_one = True
            state, possible = max(left, key=lambda each: (len(each[1]), max(each[1])))
            if len(possible) <= 1:
                return
        if not asked_one:
            return


def _look(key: str, cells: Cells, state: Known) -> list[tuple[Known, tuple[int, ...]]]:
    """What each answer to the question would leave; answers that cannot be are left out."""
    left = ((answer, possible_grades(cells, answer)) for answer in _answers(key, cells, state))
    return [(answer, grades) for answer, grades in left if grades]


def _mean(left: list[tuple[Known, tuple[int, ...]]]) -> float:
    return sum(len(grades) for _, grades in left) / len(left) if left else inf


def _open_keys(cells: Cells, state: Known) -> list[str]:
    """What can be asked, in the order of the criteria from the worst grade down."""
    keys: dict[str, None] = {}
    for grade in sorted(cells, reverse=True):
        for criterion in cells[grade]:
            for literal in (each for alternative in criterion.alternatives for each in alternative):
                if state.holds(literal) is None:
                    keys[state.words.scale_of.get(literal.key, literal.key)] = None
    return list(keys)


def _answers(key: str, cells: Cells, state: Known) -> Iterator[Known]:
    """What would be known after each answer to the question *key*."""
    options = state.words.questions[key].options if key in state.words.questions else ()
    literals = {
        literal
        for cell in cells.values() for criterion in cell for alternative in criterion.alternatives for literal in alternative
        if literal.key == key
    }  # fmt: skip
    candidates: list[Alternative]
    if options:
        none = tuple(Literal(member, False) for member, *_ in options)
        candidates = [*((Literal(member),) for member, *_ in options), none]
    elif key in state.words.is_quantity:
        cuts = sorted(literals, key=lambda each: each.bound)
        candidates = [tuple(each if index < split else each.opposite() for index, each in enumerate(map(_upward, cuts)))
                      for split in range(len(cuts) + 1)]  # fmt: skip
    else:
        candidates = [(Literal(key),), (Literal(key, False),)]
    for candidate in candidates:
        answered = assumed(state, candidate)
        if answered is not None:
            yield answered


def _upward(literal: Literal) -> Literal:
    return literal if literal.operator in (">", ">=") else literal.opposite()


def _question(key: str, words: Words) -> Question:
    if key == NUMBERS:
        ask, zh = "What are the measured values, with unit and normal limits?", "测量值是多少（含单位和正常范围）？"
        return Question(NUMBERS, ask, zh)
    return words.questions[key]
