"""Many events at once give what one event at a time gives: shares, levels, effects and words."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safety_monitor.attribution import Case, Challenge, Exposure, profile, weigh, weigh_frame
from safety_monitor.attribution.catalogue import weights
from safety_monitor.study import Component
from safety_monitor.vocabulary import ComponentKind

COMPONENTS = (
    Component(name="ablation", kind=ComponentKind.PROCEDURE, profile="ablation"),
    Component(name="lenvatinib", profile="lenvatinib"),
    Component(name="pd1", profile="pd1"),
    Component(name="vaccine", profile="not_shipped"),
    Component(name="surgery", kind=ComponentKind.PROCEDURE),
)
ANSWERS = {"Y": True, "N": False, "U": None, "": None}
FINDINGS = (
    "STEROID_RESPONSE", "IMMUNE_BIOPSY", "INFECTION_CONFIRMED", "PROGRESSION_CONFIRMED", "OTHER_CAUSE",
    "HBV_DNA_RISE", "PRIOR_THYROTOXICOSIS",
)  # fmt: skip
answers = st.sampled_from(list(ANSWERS))
days = st.sampled_from(("", "-3", "0", "1", "1.5", "12", "40", "98", "700"))


def _columns() -> dict[str, st.SearchStrategy[str]]:
    terms = [row.term for name in ("ablation", "lenvatinib", "pd1") for row in (profile(name) or pytest.fail(name)).terms]
    columns = {
        "CASEID": st.just("x"),
        "AEDECOD": st.sampled_from([*sorted(set(terms)), "Cataract", "diarrhoea", "No such term", ""]),
        "AETERM": st.sampled_from(("something", "RCCEP", "Needle tract seeding", "phrenic nerve palsy", "immune diabetes")),
        "AETOXGR": st.sampled_from(("", "1", "2", "3", "4", "5")),
        "ABLATION_SITE": st.sampled_from(("", "LUNG", "LIVER", "BONE", "OTHER")),
        "ABLATION_MODALITY": st.sampled_from(("", "MWA", "RFA", "CRYO")),
        "PD1_DRUG": st.sampled_from(("", "camrelizumab", "SINTILIMAB", "unheard-of")),
        **dict.fromkeys(FINDINGS, answers),
    }
    for part in COMPONENTS:
        name = part.name.upper()
        columns |= dict.fromkeys((f"{name}_EXPOSED", f"{name}_ONGOING"), answers)
        columns |= dict.fromkeys((f"{name}_DAYS_SINCE_FIRST", f"{name}_DAYS_SINCE_LAST"), days)
        columns |= dict.fromkeys((f"{name}_DECHALLENGE", f"{name}_RECHALLENGE"), st.sampled_from(["", *Challenge]))
    return columns


rows = st.lists(st.fixed_dictionaries(_columns()), min_size=1, max_size=12)


def _case(row: dict[str, str]) -> Case:
    def day(column: str) -> float | None:
        return float(row[column]) if row[column] else None

    def exposure(name: str) -> Exposure:
        return Exposure(
            ANSWERS[row[f"{name}_EXPOSED"]],
            day(f"{name}_DAYS_SINCE_FIRST"),
            day(f"{name}_DAYS_SINCE_LAST"),
            ANSWERS[row[f"{name}_ONGOING"]],
            Challenge(row[f"{name}_DECHALLENGE"] or "UNKNOWN"),
            Challenge(row[f"{name}_RECHALLENGE"] or "UNKNOWN"),
        )

    return Case(
        row["CASEID"],
        row["AEDECOD"] or row["AETERM"],
        verbatim=row["AETERM"],
        grade=int(row["AETOXGR"]) if row["AETOXGR"] else None,
        exposures={part.name: exposure(part.name.upper()) for part in COMPONENTS},
        evidence={name.lower(): ANSWERS[row[name]] for name in FINDINGS},
        ablation_site=row["ABLATION_SITE"] or None,
        ablation_modality=row["ABLATION_MODALITY"] or None,
        pd1_drug=row["PD1_DRUG"].upper() or None,
    )


@settings(deadline=None, max_examples=150)
@given(rows, st.permutations(COMPONENTS), st.integers(1, 5))
def test_a_frame_says_what_the_plain_program_says(table: list[dict[str, str]], parts: list[Component], n: int) -> None:
    parts = parts[:n]
    answer = weigh_frame(pl.DataFrame(table), parts, rationale=True)
    for row, got in zip(table, answer.iter_rows(named=True), strict=True):
        expected = weigh(_case(row), parts)
        assert got["LEADING"] == expected.leading.upper()
        assert got["RESTS_ON"] == expected.rests_on
        for cause, share in expected.shares.items():
            assert got[f"{cause.upper()}_SHARE"] == pytest.approx(share, rel=1e-12, abs=0)
            assert got[f"{cause.upper()}_LEVEL"] == expected.levels[cause].name
        assert got["RATIONALE"] == expected.rationale


def test_what_is_not_in_the_file_is_unknown() -> None:
    answer = weigh_frame(pl.DataFrame({"CASEID": ["1"], "AEDECOD": ["Fatigue"]}), COMPONENTS)
    expected = weigh(Case("1", "Fatigue"), COMPONENTS)
    assert answer["PD1_SHARE"][0] == pytest.approx(expected.shares["pd1"], rel=1e-12)


def test_an_empty_frame_gives_an_empty_answer_with_all_columns() -> None:
    columns = {"CASEID": pl.String, "AEDECOD": pl.String}
    full = weigh_frame(pl.DataFrame({"CASEID": ["1"], "AEDECOD": ["Fatigue"]}), COMPONENTS, rationale=True)
    assert weigh_frame(pl.DataFrame(schema=columns), COMPONENTS, rationale=True).schema == full.schema


def test_columns_may_be_numbers_and_booleans() -> None:
    text = {"AEDECOD": ["Colitis"], "AETOXGR": ["3"], "PD1_EXPOSED": ["Y"], "PD1_DAYS_SINCE_FIRST": ["60"]}
    typed = {"AEDECOD": ["Colitis"], "AETOXGR": [3], "PD1_EXPOSED": [True], "PD1_DAYS_SINCE_FIRST": [60.0]}
    assert weigh_frame(pl.DataFrame(text), COMPONENTS).equals(weigh_frame(pl.DataFrame(typed), COMPONENTS))


@pytest.mark.parametrize(
    ("column", "value"),
    [("PD1_EXPOSED", "perhaps"), ("PD1_DAYS_SINCE_FIRST", "soon"), ("PD1_DAYS_SINCE_LAST", "inf"), ("PD1_DECHALLENGE", "good")],
)
def test_a_value_that_a_column_cannot_hold_is_named(column: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"{column}.*{value}"):
        weigh_frame(pl.DataFrame({"AEDECOD": ["Colitis"], column: [value]}), COMPONENTS)


def test_other_constants_change_both_alike() -> None:
    other = weights().model_copy(update={"horizon_days": 400.0})
    row = {"AEDECOD": "Colitis", "PD1_EXPOSED": "Y", "PD1_DAYS_SINCE_FIRST": "60"}
    case = Case("1", "Colitis", exposures={"pd1": Exposure(exposed=True, days_since_first=60)})
    share = weigh_frame(pl.DataFrame([row]), COMPONENTS, constants=other)["PD1_SHARE"][0]
    assert share == pytest.approx(weigh(case, COMPONENTS, constants=other).shares["pd1"], rel=1e-12)
    assert share != pytest.approx(weigh(case, COMPONENTS).shares["pd1"], rel=1e-3)
