"""What the levels and the findings may and may not do, beyond the share."""

from __future__ import annotations

import pytest

from safety_monitor.attribution import Case, Challenge, Exposure, Level, weigh
from safety_monitor.study import Component

LENVATINIB = Component(name="lenvatinib", profile="lenvatinib")
PD1 = Component(name="pd1", profile="pd1")
BARE = Component(name="bare")


def given(dechallenge: Challenge = Challenge.UNKNOWN, rechallenge: Challenge = Challenge.UNKNOWN) -> Exposure:
    return Exposure(True, 90, 0, True, dechallenge, rechallenge)


@pytest.mark.parametrize(
    ("term", "part", "dechallenge", "rechallenge", "effect"),
    [
        ("Diarrhea", LENVATINIB, Challenge.NEGATIVE, Challenge.UNKNOWN, "lowers"),
        ("Diarrhea", LENVATINIB, Challenge.POSITIVE, Challenge.UNKNOWN, "raises"),
        ("Diarrhea", LENVATINIB, Challenge.NOT_DONE, Challenge.NOT_DONE, "nothing"),
        ("Hypothyroidism", LENVATINIB, Challenge.NEGATIVE, Challenge.UNKNOWN, "nothing"),
        ("Diarrhea", PD1, Challenge.NEGATIVE, Challenge.UNKNOWN, "nothing"),
        ("Diarrhea", PD1, Challenge.UNKNOWN, Challenge.NEGATIVE, "nothing"),
        ("Diarrhea", PD1, Challenge.UNKNOWN, Challenge.POSITIVE, "raises"),
        ("Adrenal insufficiency", PD1, Challenge.NEGATIVE, Challenge.UNKNOWN, "nothing"),
    ],
)
def test_what_a_challenge_does_depends_on_the_drug_and_the_event(
    term: str, part: Component, dechallenge: Challenge, rechallenge: Challenge, effect: str
) -> None:
    before = weigh(Case("1", term, exposures={part.name: given()}), [part]).shares[part.name]
    seen = given(dechallenge, rechallenge)
    after = weigh(Case("1", term, exposures={part.name: seen}), [part]).shares[part.name]
    assert {"lowers": after < before, "raises": after > before, "nothing": after == before}[effect]


@pytest.mark.parametrize(
    ("dechallenge", "rechallenge", "level"),
    [
        (Challenge.UNKNOWN, Challenge.UNKNOWN, Level.POSSIBLE),
        (Challenge.POSITIVE, Challenge.UNKNOWN, Level.PROBABLE),
        (Challenge.POSITIVE, Challenge.POSITIVE, Level.DEFINITE),
    ],
)
def test_a_flat_figure_alone_is_possible_at_most(
    dechallenge: Challenge, rechallenge: Challenge, level: Level
) -> None:
    # a term without a figure in any profile, a component without a profile, and nothing else found
    excluded = {"progression_confirmed": False, "other_cause": False, "infection_confirmed": False}
    exposures = {"bare": given(dechallenge, rechallenge)}
    weighing = weigh(
            Case("1", "Breast pain", exposures=exposures, evidence=excluded), [BARE], disease="hcc"
        )
    assert weighing.shares["bare"] > 0.6
    assert weighing.levels["bare"] is level
