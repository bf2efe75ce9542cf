"""A score with its items: what was asked, answered and scored, on what evidence, and how far it may still move."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer: its word, the evidence behind it, and whether it was read from the data (a person may change it)."""

    answer: str
    evidence: str = ""
    prefilled: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One item as scored; ``unusable`` says why the question has no meaning for this suspect."""

    id: str
    asks: str
    answer: str
    score: int
    lowest: int
    highest: int
    evidence: str = ""
    prefilled: bool = False

    @property
    def is_unknown(self) -> bool:
        return self.answer == UNKNOWN


@dataclass(frozen=True, slots=True)
class Result:
    """The whole: items in order, total, category. ``range``: the totals that answers to the unknown items could still give."""

    instrument: str
    items: tuple[Item, ...]
    total: int
    category: str
    range: tuple[int, int]
    notes: tuple[str, ...] = ()

    @property
    def unknown(self) -> tuple[str, ...]:
        return tuple(item.id for item in self.items if item.is_unknown)


def score(
    instrument: str,
    table: Sequence[Mapping[str, Any]],
    categories: Sequence[tuple[str, int]],
    answers: Mapping[str, str | Answered],
    notes: Sequence[str] = (),
) -> Result:
    """*answers* by item id, as words of the score table; what is absent is unknown.

    ValueError names an item that the instrument does not have, or a word that the item does not score.
    """
    ids = [row["id"] for row in table]
    if strange := sorted(set(answers) - set(ids)):
        raise ValueError(f"{instrument} has no item {', '.join(strange)}; its items are {', '.join(ids)}")
    items = tuple(_item(instrument, row, answers.get(row["id"])) for row in table)
    total = sum(item.score for item in items)
    lowest = sum(item.lowest if item.is_unknown else item.score for item in items)
    highest = sum(item.highest if item.is_unknown else item.score for item in items)
    category = next(name for name, least in categories if total >= least)
    return Result(instrument, items, total, category, (lowest, highest), tuple(notes))


def tables() -> Mapping[str, Any]:
    """The score tables (``scores.toml``)."""
    return _tables()


@cache
def _tables() -> Mapping[str, Any]:
    return tomllib.loads(files(__package__).joinpath("scores.toml").read_text("utf-8"))


def _item(instrument: str, row: Mapping[str, Any], given: str | Answered | None) -> Item:
    answered = given if isinstance(given, Answered) else Answered(given or UNKNOWN)
    scores: Mapping[str, int] = row["scores"]
    word = answered.answer.strip().lower() or UNKNOWN
    if word not in scores and word != UNKNOWN:
        raise ValueError(f"{instrument} {row['id']}: {answered.answer!r} is no answer; use one of {', '.join(scores)}")
    worth = list(scores.values())
    return Item(
        row["id"], row["asks"], word, scores.get(word, 0), min(worth), max(worth), answered.evidence, answered.prefilled
    )
