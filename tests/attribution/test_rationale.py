"""The rationale names every piece with its weight and source, and says what is not known."""

from __future__ import annotations

import pytest

from safety_monitor.attribution import Case, Exposure, parse, weigh
from safety_monitor.study import Component
from safety_monitor.vocabulary import ComponentKind

PD1 = Component(name="pd1", profile="pd1")
NEW = Component(name="new_drug", profile="new_drug")
BARE = Component(name="bare")
GIVEN = Exposure(exposed=True)
ON_DAY_60 = Exposure(exposed=True, days_since_first=60, days_since_last=5, ongoing=True)

OWN_PROFILE = """
title = "a drug of another trial"
kind = "drug"
outside_window = 0.05
flat = {incidence_any = 0.01, source = "investigator brochure", tier = "judgement"}
terms = [{term = "Cataract", incidence_any = 0.5, source = "investigator brochure", tier = "verified"}]
evidence = [{what = "lens_biopsy", value = "yes", factor = 3.0, source = "brochure", tier = "judgement"}]
"""


def test_every_piece_is_told_with_weight_source_and_tier() -> None:
    exposures = {"pd1": ON_DAY_60}
    weighing = weigh(
        Case("1", "Pneumonitis", grade=3, exposures=exposures, evidence={"steroid_response": True}), [PD1]
    )
    for piece in weighing.pieces:
        assert piece.what in weighing.rationale
        assert f"[{piece.source}; {piece.tier}]" in weighing.rationale
    assert "steroid response yes (more than 50 % fall within 3 to 7 days) ×4 [" in weighing.rationale


@pytest.mark.parametrize(
    ("case", "parts", "said"),
    [
        (Case("1", "Fatigue"), [PD1], "pd1: exposure not known"),
        (Case("1", "Fatigue"), [PD1], "grade not known"),
        (Case("1", "Colitis", exposures={"pd1": GIVEN}), [PD1], "days since the first dose not known"),
        (Case("1", "Fatigue", exposures={"bare": ON_DAY_60}), [BARE], "no profile configured"),
        (Case("1", "Fatigue", exposures={"new_drug": ON_DAY_60}), [NEW], "profile 'new_drug' does not exist"),
        (Case("1", "Odd", exposures={"pd1": ON_DAY_60}), [PD1], "not in CTCAE v4.03, so this rests on"),
        (Case("1", "Uveitis", exposures={"pd1": ON_DAY_60}), [PD1], "figure of its organ class"),
        (Case("1", "Fatigue", exposures={"pd1": Exposure(exposed=False)}), [PD1], "impossible, not exposed"),
        (
            Case("1", "Fatigue", exposures={"pd1": Exposure(exposed=False, days_since_first=4)}),
            [PD1],
            "impossible, not exposed, although days since exposure are given: please check",
        ),
        (
            Case("1", "Glucose intolerance", exposures={"pd1": Exposure(exposed=True, days_since_first=-4)}),
            [PD1],
            "impossible, onset 4 d before the first exposure",
        ),
    ],
)  # fmt: skip
def test_what_is_not_known_or_not_possible_is_said(case: Case, parts: list[Component], said: str) -> None:
    assert said in weigh(case, parts).rationale


@pytest.mark.parametrize("spelling", ["Diarrhea", "diarrhoea", " DIARRHEA "])
def test_a_term_is_found_however_it_is_spelt(spelling: str) -> None:
    exposures = {"pd1": ON_DAY_60}
    assert weigh(Case("1", spelling, exposures=exposures), [PD1]) == weigh(
        Case("1", "Diarrhea", exposures=exposures), [PD1]
    )


def test_two_components_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="pd1, pd1, DISEASE, OTHER: each needs a name of its own"):
        weigh(Case("1", "Fatigue"), [PD1, PD1])


def test_another_trial_brings_its_own_profile_and_findings() -> None:
    own = {"new_drug": parse(OWN_PROFILE, "new_drug.toml")}
    case = Case("1", "Cataract", exposures={"new_drug": ON_DAY_60}, evidence={"lens_biopsy": True})
    weighing = weigh(case, [NEW], profiles=own)
    assert weighing.leading == "new_drug"
    assert "investigator brochure; verified" in weighing.rationale
    assert "lens biopsy yes ×3 [brochure; judgement]" in weighing.rationale


@pytest.mark.parametrize(
    ("modality", "grade", "tier", "percent"),
    [
        ("MWA", 2, "verified", "63.8 %"),
        (None, 2, "judgement", "42.3 %"),
        ("LASER", 2, "judgement", "42.3 %"),
        ("MWA", 3, "verified", "1.6 %"),
    ],
)
def test_a_figure_that_stands_in_for_another_is_called_judgement(
    modality: str | None, grade: int, tier: str, percent: str
) -> None:
    case = Case("1", "Pneumothorax", grade=grade, ablation_modality=modality)
    weighing = weigh(case, [Component(name="ablation", kind=ComponentKind.PROCEDURE, profile="ablation")])
    base = next(piece for piece in weighing.pieces if piece.cause == "ablation")
    assert base.tier == tier
    assert percent in base.what
