"""The numbers behind the synthetic trial agree with the standard and with each other."""

from __future__ import annotations

import pytest

import ctcae_v403 as ctcae
from safety_monitor.simulate.assumptions import Assumptions, Worst, assumptions

FACTS = assumptions()


@pytest.mark.parametrize("term", sorted(FACTS.terms))
def test_only_grades_of_the_standard_can_be_drawn(term: str) -> None:
    drawn = {
        grade
        for hazards in FACTS.events.values()
        for hazard in hazards
        if hazard.term == term
        for grade, weight in enumerate(hazard.grades, start=1)
        if weight > 0
    }
    drawn |= {event.grade for story in FACTS.story for event in story.events if event.term == term}
    assert drawn
    assert drawn <= set(ctcae.term(term).grades)


@pytest.mark.parametrize("cause", sorted(FACTS.events))
def test_medians_lie_in_their_windows(cause: str) -> None:
    for hazard in FACTS.events[cause]:  # type: ignore[index]
        low, high = hazard.window
        assert low <= hazard.median <= high, hazard.term
        assert 0 < hazard.pct <= 100, hazard.term


@pytest.mark.parametrize("term", sorted(FACTS.worst))
def test_worse_grades_are_further_away(term: str) -> None:
    for worst in FACTS.worst[term]:
        assert list(worst.peak) in (sorted(worst.peak), sorted(worst.peak, reverse=True)), worst.test


@pytest.mark.parametrize(
    ("of", "grade", "expected"),
    [("uln", 3, 360.0), ("baseline", 3, 180.0), ("absolute", 3, 9.0), ("uln", 5, 960.0)],
)
def test_target(of: str, grade: int, expected: float) -> None:
    worst = Worst.model_validate({"test": "ALT", "of": of, "peak": (2, 4, 9, 24)})
    assert worst.target(grade, baseline=20, upper=40) == expected


@pytest.mark.parametrize(
    ("table", "lost", "message"),
    [
        ("terms", "Hypertension", "[terms] lacks Hypertension"),
        ("sources", "reflect", "[sources] lacks reflect"),
        ("tests", "ALT", "[tests] lacks ALT"),
        ("worst", "Anemia", "[worst] lacks Anemia"),
    ],
)
def test_an_incomplete_file_is_refused(table: str, lost: str, message: str) -> None:
    raw = FACTS.model_dump()
    del raw[table][lost]
    with pytest.raises(ValueError, match=message.replace("[", r"\[")):
        Assumptions.model_validate(raw)
