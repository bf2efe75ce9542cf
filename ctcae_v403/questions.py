"""Which questions settle a grade: the fewest that do whatever the answers, the most telling first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ctcae_v403.criteria import Alternative, Criterion, assumed, possible_grades
from ctcae_v403.findings import NUMBERS, Known, Literal, Question, Words

Cells = Mapping[int, tuple[Criterion, ...]]


def plan(cells: Cells, state: Known, possible: tuple[int, ...]) -> Iterator[Question]:
    """Asks what leaves the fewest grades on average, then goes on from the answer that settles least."""
    while len(possible) > 1:
        best: tuple[float, Known, tuple[int, ...], Question] | None = None
        for key in _open_keys(cells, state):
            left = [(answer, possible_grades(cells, answer)) for answer in _answers(key, cells, state)]
            left = [(answer, grades) for answer, grades in left if grades]
            if not left:
                continue
            mean = sum(len(grades) for _, grades in left) / len(left)
            worst, grades = max(left, key=lambda each: (len(each[1]), max(each[1])))
            if best is None or mean < best[0]:
                best = (mean, worst, grades, _question(key, state.words))
        if best is None:
            return
        yield best[3]
        _, state, possible, _ = best


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
