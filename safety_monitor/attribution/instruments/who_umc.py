"""The WHO-UMC categories: certain, probable, possible, unlikely, conditional, unassessable.

Criteria: ``time_plausible``, ``other_causes`` (could explain it), ``withdrawal_plausible``, ``specific`` (definitive in
pharmacology or phenomenon), ``rechallenge`` (``yes``, ``no``, ``not_needed``); each yes, no or unknown. ``more_data``: yes where
answers are still awaited.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from safety_monitor.attribution.instruments.items import UNKNOWN, Answered, tables

CRITERIA = ("time_plausible", "other_causes", "withdrawal_plausible", "specific", "rechallenge", "more_data")
_WORDS = ("yes", "no", UNKNOWN, "not_needed")


@dataclass(frozen=True, slots=True)
class WhoUmc:
    """The category, and for the next higher one the criteria that do not hold, with the answers they have."""

    category: str
    answers: Mapping[str, Answered]
    next_higher: str | None
    fails: tuple[str, ...]


def who_umc(answers: Mapping[str, str | Answered]) -> WhoUmc:
    """The first category whose criteria all hold. Where the time relation is not known nothing can be said: conditional if
    more data are awaited, else unassessable. ValueError for a criterion or word that is none."""
    given = {name: _read(name, answers.get(name)) for name in CRITERIA}
    if strange := sorted(set(answers) - set(CRITERIA)):
        raise ValueError(f"WHO-UMC has no criterion {', '.join(strange)}; it has {', '.join(CRITERIA)}")
    categories = tables()["who_umc"]["categories"]
    failing = [
        tuple(f"{name} is {given[name].answer}" for name, wants in row["needs"].items() if not _holds(given[name].answer, wants))
        for row in categories
    ]
    place = next((number for number, fails in enumerate(failing) if not fails), None)
    if place is None:
        category = "conditional" if given["more_data"].answer == "yes" else "unassessable"
        return WhoUmc(category, given, "unlikely", failing[-1])
    name = categories[place]["name"]
    higher = categories[place - 1]["name"] if place else None
    return WhoUmc(name, given, higher, failing[place - 1] if place else ())


def _read(name: str, given: str | Answered | None) -> Answered:
    answered = given if isinstance(given, Answered) else Answered(given or UNKNOWN)
    word = answered.answer.strip().lower() or UNKNOWN
    if word not in _WORDS:
        raise ValueError(f"WHO-UMC {name}: {answered.answer!r} is no answer; use one of {', '.join(_WORDS)}")
    return Answered(word, answered.evidence, answered.prefilled)


def _holds(answer: str, wanted: str) -> bool:
    return answer in ("yes", "not_needed") if wanted == "yes_or_not_needed" else answer == wanted
