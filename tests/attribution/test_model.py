"""Cases a clinician can review: event, circumstances, and who should lead at which level."""

from __future__ import annotations

from typing import Any

import pytest

from safety_monitor.attribution import Case, Challenge, Exposure, Level, Weighing, disease_behind, weigh
from safety_monitor.study import Component
from safety_monitor.vocabulary import ComponentKind

HCC = (
    Component(name="ablation", kind=ComponentKind.PROCEDURE, profile="ablation"),
    Component(name="lenvatinib", profile="lenvatinib"),
    Component(name="pd1", profile="pd1"),
)
NONE = Exposure(exposed=False)
SKIN_OTHER = "Skin and subcutaneous tissue disorders - Other, specify"
ENDOCRINE_OTHER = "Endocrine disorders - Other, specify"
NEOPLASM_OTHER = "Neoplasms benign, malignant and unspecified (incl cysts and polyps) - Other, specify"
INJURY_OTHER = "Injury, poisoning and procedural complications - Other, specify"
POSITIVE, NEGATIVE = Challenge.POSITIVE, Challenge.NEGATIVE


def session(day: float, *, last: float | None = None) -> Exposure:
    """Ablation *day* days before onset (the last session *last* days before it)."""
    return Exposure(
        exposed=True, days_since_first=day, days_since_last=day if last is None else last, ongoing=False
    )


def on(day: float, *, last: float = 0, **known: Any) -> Exposure:
    """A drug begun *day* days before onset and still being taken."""
    return Exposure(exposed=True, days_since_first=day, days_since_last=last, ongoing=True, **known)


def off(day: float, last: float, **known: Any) -> Exposure:
    """A drug begun *day* days before onset, last taken *last* days before it."""
    return Exposure(exposed=True, days_since_first=day, days_since_last=last, ongoing=False, **known)


def case(
    term: str,
    ablation: Exposure = NONE,
    lenvatinib: Exposure = NONE,
    pd1: Exposure = NONE,
    *,
    site: str | None = None,
    modality: str | None = None,
    drug: str | None = None,
    verbatim: str = "",
    grade: int | None = 2,
    **evidence: bool | None,
) -> Case:
    exposures = {"ablation": ablation, "lenvatinib": lenvatinib, "pd1": pd1}
    return Case("1", term, verbatim, grade, exposures, evidence, site, modality, drug)


def hcc(weighed: Case) -> Weighing:
    return weigh(weighed, HCC)


# event and circumstances -> cause that leads, and for chosen causes the lowest and highest level allowed
TABLE = {
    "pneumothorax the day after lung ablation": (
        case("Pneumothorax", session(1), on(30), on(30), site="LUNG"),
        "ablation",
        {"ablation": "PROBABLE", "lenvatinib": "UNLIKELY", "pd1": "UNLIKELY", "DISEASE": "UNLIKELY"},
    ),
    "pneumothorax the day after liver-dome ablation": (
        case("Pneumothorax", session(1), on(30), on(30), site="LIVER"), "ablation", {"ablation": "PROBABLE"},
    ),
    "pneumothorax the day after rib ablation": (
        case("Pneumothorax", session(1), on(30), on(30), site="BONE"), "ablation", {"ablation": "PROBABLE"},
    ),
    "pneumothorax on lenvatinib, lung ablation 200 days ago": (
        case("Pneumothorax", session(200), on(40), on(40), site="LUNG"),
        "lenvatinib", {"ablation": "UNLIKELY-POSSIBLE", "lenvatinib": "POSSIBLE-PROBABLE"},
    ),
    "pneumothorax on lenvatinib, never ablated": (
        case("Pneumothorax", NONE, on(40), on(40)),
        "lenvatinib", {"ablation": "UNRELATED", "lenvatinib": "POSSIBLE-PROBABLE"},
    ),
    "pleural effusion a week after lung cryoablation": (
        case("Pleural effusion", session(6), on(20), on(20), site="LUNG", modality="CRYO"),
        "ablation", {"ablation": "PROBABLE"},
    ),
    "pleural effusion 100 days after ablation of bone": (
        case("Pleural effusion", session(100), on(95), on(95), site="BONE"),
        "DISEASE", {"ablation": "UNLIKELY", "DISEASE": "PROBABLE"},
    ),
    "haemoptysis three days after lung ablation": (
        case("Bronchopulmonary hemorrhage", session(3), on(10), on(10), site="LUNG"),
        "ablation", {"ablation": "PROBABLE", "pd1": "UNLIKELY"},
    ),
    "fever two days after ablation, no infection found": (
        case("Fever", session(2), on(30), on(30), site="LIVER", infection_confirmed=False),
        "ablation", {"ablation": "PROBABLE"},
    ),
    "fever 40 days after ablation, infection confirmed": (
        case("Fever", session(40), on(35), on(35, last=14), infection_confirmed=True),
        "OTHER", {"OTHER": "PROBABLE", "ablation": "UNLIKELY"},
    ),
    "exacerbated interstitial lung disease, day 12 after lung ablation, PD-1 just begun": (
        case("Pneumonitis", session(12), on(7), on(7), site="LUNG"),
        "ablation", {"ablation": "PROBABLE", "pd1": "UNLIKELY-POSSIBLE"},
    ),
    "pneumonitis day 25 after lung ablation, day 90 on PD-1: both said": (
        case("Pneumonitis", session(25), on(90), on(90), site="LUNG"),
        None, {"ablation": "POSSIBLE-PROBABLE", "pd1": "POSSIBLE-PROBABLE"},
    ),
    "pneumonitis 120 days after the last PD-1 dose": (
        case("Pneumonitis", NONE, off(240, 100), off(240, 120)),
        "pd1", {"pd1": "POSSIBLE-PROBABLE", "lenvatinib": "UNLIKELY"},
    ),
    "pneumonitis, steroids help, biopsy immune": (
        case("Pneumonitis", session(60), on(60), on(60), site="LUNG",
             steroid_response=True, immune_biopsy=True),
        "pd1", {"pd1": "DEFINITE", "OTHER": "UNLIKELY"},
    ),
    "pneumonitis that steroids do not help is still PD-1": (
        case("Pneumonitis", NONE, on(60), on(60), steroid_response=False), "pd1", {"pd1": "PROBABLE"},
    ),
    "lung abscess three weeks after lung ablation": (
        case("Lung infection", session(21), on(20), on(20), site="LUNG", infection_confirmed=True),
        "ablation", {"ablation": "PROBABLE", "pd1": "UNLIKELY"},
    ),
    "hand-foot reaction day 30 on lenvatinib": (
        case("Palmar-plantar erythrodysesthesia syndrome", session(35), on(30), on(30)),
        "lenvatinib", {"lenvatinib": "PROBABLE", "pd1": "UNLIKELY", "ablation": "UNLIKELY"},
    ),
    "hand-foot reaction back after lenvatinib was resumed": (
        case("Palmar-plantar erythrodysesthesia syndrome", NONE, on(60, rechallenge=POSITIVE), on(60)),
        "lenvatinib", {"lenvatinib": "DEFINITE"},
    ),
    "hypertension day 20 on lenvatinib": (
        case("Hypertension", session(40), on(20), on(20), site="LUNG", grade=3),
        "lenvatinib", {"lenvatinib": "PROBABLE"},
    ),
    "hypertensive crisis during adrenal ablation": (
        case("Hypertension", session(0), on(150), on(150), site="ADRENAL", grade=4),
        "ablation", {"ablation": "PROBABLE"},
    ),
    "proteinuria day 45": (
        case("Proteinuria", session(60), on(45), on(45)), "lenvatinib", {"lenvatinib": "PROBABLE"},
    ),
    "diarrhoea day 40, better within a week without lenvatinib": (
        case("Diarrhea", NONE, on(40, dechallenge=POSITIVE), on(40)),
        "lenvatinib", {"lenvatinib": "PROBABLE", "pd1": "UNLIKELY-POSSIBLE"},
    ),
    "diarrhoea day 100, no better two weeks after lenvatinib was held, steroids help": (
        case("Diarrhea", NONE, off(100, 3, dechallenge=NEGATIVE), on(100), grade=3, steroid_response=True),
        "pd1", {"pd1": "POSSIBLE-PROBABLE", "lenvatinib": "UNLIKELY-POSSIBLE"},
    ),
    "colitis day 60": (
        case("Colitis", NONE, on(60), on(60)), "pd1", {"pd1": "PROBABLE"},
    ),
    "diarrhoea 60 days after lenvatinib, PD-1 going on": (
        case("Diarrhea", NONE, off(120, 60), on(120)), "pd1", {"lenvatinib": "UNLIKELY", "pd1": "POSSIBLE"},
    ),
    "hypothyroidism day 90: both plausible": (
        case("Hypothyroidism", NONE, on(90), on(90)),
        None, {"lenvatinib": "POSSIBLE-PROBABLE", "pd1": "POSSIBLE-PROBABLE", "DISEASE": "UNLIKELY"},
    ),
    "hypothyroidism day 90 after a thyrotoxic phase": (
        case("Hypothyroidism", NONE, on(90), on(90), prior_thyrotoxicosis=True), "pd1", {"pd1": "PROBABLE"},
    ),
    "hypothyroidism that did not recover without PD-1": (
        case("Hypothyroidism", NONE, NONE, off(90, 20, dechallenge=NEGATIVE)), "pd1", {"pd1": "PROBABLE"},
    ),
    "hyperthyroidism day 35": (
        case("Hyperthyroidism", NONE, on(35), on(35)), "pd1", {"pd1": "PROBABLE"},
    ),
    "myocarditis day 25": (
        case("Myocarditis", session(30), on(25), on(25), grade=4),
        "pd1", {"pd1": "PROBABLE", "lenvatinib": "UNLIKELY", "ablation": "UNLIKELY"},
    ),
    "hypophysitis 200 days in": (
        case(ENDOCRINE_OTHER, NONE, on(200), on(200), verbatim="Hypophysitis"), "pd1", {"pd1": "PROBABLE"},
    ),
    "immune diabetes four months after PD-1": (
        case("Glucose intolerance", NONE, NONE, off(210, 120), grade=3, steroid_response=None),
        "pd1", {"pd1": "POSSIBLE-PROBABLE"},
    ),
    "immune diabetes reported by name, lenvatinib beside PD-1": (
        case("Glucose intolerance", NONE, on(200), on(200), grade=4, verbatim="Immune diabetes"),
        "pd1", {"pd1": "PROBABLE"},
    ),
    "adrenal insufficiency 20 days after adrenal ablation": (
        case("Adrenal insufficiency", session(20), on(15), on(15), site="ADRENAL"),
        "ablation", {"ablation": "PROBABLE"},
    ),
    "adrenal insufficiency 230 days in, lung ablated": (
        case("Adrenal insufficiency", session(235), on(230), on(230), site="LUNG"),
        "pd1", {"ablation": "UNLIKELY"},
    ),
    "RCCEP on camrelizumab": (
        case(SKIN_OTHER, NONE, on(42), on(42), verbatim="RCCEP", drug="CAMRELIZUMAB"),
        "pd1", {"pd1": "PROBABLE"},
    ),
    "RCCEP on camrelizumab, not coded": (
        case("RCCEP", NONE, on(42), on(42), drug="CAMRELIZUMAB"), "pd1", {"pd1": "PROBABLE"},
    ),
    "a report of RCCEP on sintilimab": (
        case(SKIN_OTHER, NONE, on(42), on(42), verbatim="RCCEP", drug="SINTILIMAB"),
        None, {"pd1": "UNLIKELY-POSSIBLE"},
    ),
    "infusion reaction on the day of PD-1": (
        case("Infusion related reaction", NONE, on(42), on(42)), "pd1", {"pd1": "PROBABLE"},
    ),
    "transaminases two days after liver ablation": (
        case("Alanine aminotransferase increased", session(2), on(30), on(30), site="LIVER"),
        "ablation", {"ablation": "PROBABLE"},
    ),
    "transaminases day 50, lung ablated": (
        case("Alanine aminotransferase increased", session(55), on(50), on(50), site="LUNG"),
        "pd1", {"pd1": "POSSIBLE-PROBABLE", "lenvatinib": "POSSIBLE", "DISEASE": "UNLIKELY-POSSIBLE",
                "ablation": "UNLIKELY"},
    ),
    "bilirubin rising with confirmed progression": (
        case("Blood bilirubin increased", session(100), on(95), on(95), site="LIVER",
             progression_confirmed=True),
        "DISEASE", {"DISEASE": "PROBABLE"},
    ),
    "varices bleed": (
        case("Esophageal varices hemorrhage", NONE, on(60), on(60), grade=3),
        "DISEASE", {"lenvatinib": "POSSIBLE", "pd1": "UNLIKELY"},
    ),
    "tumour seeding along the needle track": (
        case(NEOPLASM_OTHER, session(240), on(235), on(235), site="LIVER", verbatim="needle tract seeding"),
        None, {"ablation": "POSSIBLE"},
    ),
    "phrenic nerve palsy after lung ablation": (
        case(INJURY_OTHER, session(1), on(10), on(10), site="LUNG", verbatim="phrenic nerve injury"),
        "ablation", {"ablation": "PROBABLE"},
    ),
    "hand-foot reaction a day after ablation, lenvatinib not yet begun": (
        case("Palmar-plantar erythrodysesthesia syndrome", session(1), on(-3), on(-3)),
        "OTHER", {"ablation": "UNLIKELY-POSSIBLE", "lenvatinib": "UNRELATED"},
    ),
    "adrenal insufficiency day 60, PD-1, site of ablation not known": (
        case("Adrenal insufficiency", session(60), on(60), on(60)),
        None, {"ablation": "POSSIBLE", "pd1": "UNLIKELY-POSSIBLE"},
    ),
    "a cold": (
        case("Upper respiratory infection", session(60), on(60), on(60), infection_confirmed=True),
        "OTHER", {"OTHER": "PROBABLE", "lenvatinib": "UNLIKELY", "pd1": "UNLIKELY"},
    ),
    "rash explained by an antibiotic": (
        case("Rash maculo-papular", NONE, off(120, 60), off(300, 200), other_cause=True),
        "OTHER", {"OTHER": "PROBABLE"},
    ),
    "onset before the first dose of either drug": (
        case("Hypertension", NONE, on(-2), on(-2)),
        "OTHER", {"lenvatinib": "UNRELATED", "pd1": "UNRELATED", "ablation": "UNRELATED"},
    ),
    "everything unknown": (
        case("Hypertension", Exposure(), Exposure(), Exposure(), grade=None),
        "lenvatinib", {"lenvatinib": "POSSIBLE", "pd1": "UNLIKELY", "ablation": "UNLIKELY-POSSIBLE"},
    ),
    "a second session that comes only after onset does not hide the first": (
        case("Pneumothorax", session(1, last=-60), on(30), on(30), site="LUNG"),
        "ablation", {"ablation": "PROBABLE"},
    ),
    "the second of two sessions counts too": (
        case("Pneumothorax", session(200, last=1), on(190), on(190), site="LUNG"),
        "ablation", {"ablation": "PROBABLE"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_who_leads_and_at_which_level(name: str) -> None:
    weighed, leading, expected = TABLE[name]
    weighing = hcc(weighed)
    if leading is not None:
        assert weighing.leading == leading, weighing.rationale
    for cause, words in expected.items():
        lowest, _, highest = words.partition("-")
        assert Level[lowest] <= weighing.levels[cause] <= Level[highest or lowest], (
            cause,
            weighing.rationale,
        )


@pytest.mark.parametrize(
    ("profiles", "behind"),
    [
        pytest.param(["ablation", "lenvatinib", "pd1"], "hcc", id="their figures come from liver cancer"),
        pytest.param([None], None, id="a drug without a profile says nothing of the disease"),
        pytest.param([], None, id="no component"),
    ],
)
def test_the_disease_behind_a_study_is_that_of_its_profiles(profiles: list[str | None], behind: str | None) -> None:
    parts = [Component(name=f"c{n}", profile=name) for n, name in enumerate(profiles)]
    assert disease_behind(parts, {}) == behind
