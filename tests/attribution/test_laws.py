"""Laws of the weighing that hold for every event, every trial and every state of knowledge."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safety_monitor.attribution import Case, Challenge, Exposure, Level, weigh
from safety_monitor.study import Component
from safety_monitor.vocabulary import ComponentKind

COMPONENTS = (
    Component(name="ablation", kind=ComponentKind.PROCEDURE, profile="ablation"),
    Component(name="lenvatinib", profile="lenvatinib"),
    Component(name="pd1", profile="pd1"),
    Component(name="vaccine", profile="not_shipped"),
    Component(name="surgery", kind=ComponentKind.PROCEDURE),
)
TERMS = (
    "Pneumothorax", "Diarrhea", "Pneumonitis", "Hypothyroidism", "Fever", "Lung infection", "Hypertension",
    "Alanine aminotransferase increased", "Skin and subcutaneous tissue disorders - Other, specify",
    "Cataract", "Not a CTCAE term",
)  # fmt: skip
FINDINGS = (
    "steroid_response",
    "immune_biopsy",
    "infection_confirmed",
    "progression_confirmed",
    "other_cause",
)
#: The finding that speaks for each cause when it is positive.
SPEAKS_FOR = {
    "steroid_response": "pd1",
    "immune_biopsy": "pd1",
    "infection_confirmed": "OTHER",
    "progression_confirmed": "DISEASE",
    "other_cause": "OTHER",
}
maybe = st.none() | st.booleans()
days = st.none() | st.floats(-1000, 4000)
exposures = st.builds(
    Exposure, maybe, days, days, maybe, st.sampled_from(Challenge), st.sampled_from(Challenge)
)
cases = st.builds(
    Case,
    case_id=st.just("1"),
    term=st.sampled_from(TERMS),
    verbatim=st.sampled_from(("", "RCCEP", "anything")),
    grade=st.none() | st.integers(1, 5),
    exposures=st.dictionaries(st.sampled_from([part.name for part in COMPONENTS]), exposures),
    evidence=st.dictionaries(st.sampled_from(FINDINGS), maybe),
    ablation_site=st.sampled_from((None, "LUNG", "LIVER", "ELSEWHERE")),
    ablation_modality=st.sampled_from((None, "RFA", "CRYO")),
    pd1_drug=st.sampled_from((None, "CAMRELIZUMAB", "SINTILIMAB")),
)
parts = st.permutations(COMPONENTS)
# no deadline: the first example reads the profiles
law = settings(deadline=None, max_examples=60)


@law
@given(cases, st.lists(st.sampled_from(COMPONENTS), unique=True))
def test_shares_sum_to_one_over_any_set_of_components(case: Case, some: list[Component]) -> None:
    weighing = weigh(case, some)
    assert set(weighing.shares) == {part.name for part in some} | {"DISEASE", "OTHER"} == set(weighing.levels)
    assert math.isclose(math.fsum(weighing.shares.values()), 1, rel_tol=0, abs_tol=1e-9)
    assert weighing.shares[weighing.leading] == max(weighing.shares.values())
    assert "\n" not in weighing.rationale


@law
@given(cases)
def test_zero_and_unrelated_mean_impossible_and_nothing_else(case: Case) -> None:
    weighing = weigh(case, COMPONENTS)
    for part in COMPONENTS:
        impossible = case.exposures.get(part.name, Exposure()).impossible() is not None
        assert (weighing.shares[part.name] == 0) is impossible
        assert (weighing.levels[part.name] is Level.UNRELATED) is impossible
    assert weighing.shares["DISEASE"] > 0
    assert weighing.shares["OTHER"] > 0


@law
@given(cases, st.sampled_from(sorted(SPEAKS_FOR)))
def test_a_positive_finding_never_lowers_the_share_of_what_it_speaks_for(case: Case, finding: str) -> None:
    cause = SPEAKS_FOR[finding]
    found = replace(case, evidence={**case.evidence, finding: True})
    without = replace(case, evidence={**case.evidence, finding: None})
    # nanoscopic slack: two sums of the same numbers may differ in the last digit
    assert weigh(found, COMPONENTS).shares[cause] >= weigh(without, COMPONENTS).shares[cause] - 1e-12


@pytest.mark.parametrize("challenge", ["dechallenge", "rechallenge"])
@law
@given(case=cases, name=st.sampled_from([part.name for part in COMPONENTS]))
def test_a_positive_challenge_never_lowers_the_share_of_its_component(
    case: Case, name: str, challenge: str
) -> None:
    seen = case.exposures.get(name, Exposure())
    shares = {}
    for answer in (Challenge.POSITIVE, Challenge.UNKNOWN):
        if challenge == "dechallenge":
            exposure = replace(seen, dechallenge=answer)
        else:
            exposure = replace(seen, rechallenge=answer)
        shares[answer] = weigh(
            replace(case, exposures={**case.exposures, name: exposure}), COMPONENTS
        ).shares[name]
    assert shares[Challenge.POSITIVE] >= shares[Challenge.UNKNOWN] - 1e-12


@law
@given(cases, parts)
def test_the_order_of_components_is_irrelevant(case: Case, order: list[Component]) -> None:
    one, other = weigh(case, COMPONENTS), weigh(case, order)
    assert (one.shares, one.levels, one.leading) == (other.shares, other.levels, other.leading)


@law
@given(cases)
def test_unknown_evidence_equals_no_evidence(case: Case) -> None:
    known = {name: found for name, found in case.evidence.items() if found is not None}
    unknown = {**dict.fromkeys(FINDINGS), **known}
    shares = weigh(replace(case, evidence=known), COMPONENTS).shares
    assert weigh(replace(case, evidence=unknown), COMPONENTS).shares == shares


@law
@given(cases)
def test_an_exposure_that_is_not_given_equals_one_that_is_unknown(case: Case) -> None:
    spelt_out = {part.name: case.exposures.get(part.name, Exposure()) for part in COMPONENTS}
    assert weigh(replace(case, exposures=spelt_out), COMPONENTS) == weigh(case, COMPONENTS)


@law
@given(cases)
def test_definite_needs_rechallenge_or_proof(case: Case) -> None:
    weighing = weigh(case, COMPONENTS)
    for cause, level in weighing.levels.items():
        if level is Level.DEFINITE:
            rechallenged = case.exposures.get(cause, Exposure()).rechallenge is Challenge.POSITIVE
            assert rechallenged or (cause == "pd1" and case.evidence.get("immune_biopsy") is True)


@law
@given(cases)
def test_an_unknown_exposure_is_possible_at_most_and_never_excluded(case: Case) -> None:
    unknown = replace(case, exposures={**case.exposures, "pd1": Exposure()})
    assert Level.UNLIKELY <= weigh(unknown, COMPONENTS).levels["pd1"] <= Level.POSSIBLE
