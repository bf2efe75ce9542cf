"""The shipped profiles are complete, cited and about terms that exist; broken ones are refused by name."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctcae_v403 import dictionary
from safety_monitor.attribution.catalogue import Onset, Profile, ProfileError, parse, profile, weights

SHIPPED = ("ablation", "lenvatinib", "pd1", "hcc", "other")


def shipped(name: str) -> Profile:
    found = profile(name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", SHIPPED)
def test_every_row_is_about_a_term_and_class_that_ctcae_has(name: str) -> None:
    for row in shipped(name).terms:
        assert dictionary.term(row.term).name == row.term
    assert {row.organ_class for row in shipped(name).classes} <= set(dictionary.socs())


@pytest.mark.parametrize("name", SHIPPED)
def test_every_source_is_spelt_out(name: str) -> None:
    known = shipped(name)
    rows = (*known.terms, *known.classes, known.flat)
    cited = {row.source for row in rows} | {row.onset_source for row in rows if row.onset_source}
    assert cited | {rule.source for rule in known.evidence} <= set(known.sources)


@pytest.mark.parametrize("name", SHIPPED)
def test_no_term_has_two_rows_that_could_answer(name: str) -> None:
    plain = [row.term for row in shipped(name).terms if not row.verbatim]
    assert len(plain) == len(set(plain))


@pytest.mark.parametrize(
    ("table", "names"),
    [
        ("ae_profile.csv", {"ablation": "ablation", "lenvatinib": "lenvatinib", "pd1": "pd1"}),
        (
            "attribution_kb_matrix.csv",
            {f"{name}_expected": name for name in ("ablation", "lenvatinib", "pd1")},
        ),
    ],
)
def test_every_row_of_the_reference_has_its_row_here(shared: Path, table: str, names: dict[str, str]) -> None:
    with (shared / "reference" / "toxicity" / table).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    wanted = {(row["component"], row["ctcae_v403_term"]) for row in rows if "component" in row}
    wanted |= {(column, row["ctcae_v403_term"]) for row in rows for column in names if row.get(column)}
    wanted = {(names[key], term) for key, term in wanted if key in names and not term.startswith("(")}
    have = {(name, row.term) for name in set(names.values()) for row in shipped(name).terms}
    assert wanted
    assert wanted <= have


SKIN = "Skin and subcutaneous tissue disorders"


@pytest.mark.parametrize(
    ("term", "organ_class", "verbatim", "basis", "camrelizumab_row"),
    [
        (f"{SKIN} - Other, specify", SKIN, "RCCEP of the scalp", "term", True),
        (f"{SKIN} - Other, specify", SKIN, "", "term", True),  # reported words not known
        (f"{SKIN} - Other, specify", SKIN, "a wart", "class", False),
        ("RCCEP", None, "RCCEP of the scalp", "term", True),  # not coded, but known by its words
        ("Pruritus", SKIN, "RCCEP", "term", False),
        ("Bullous dermatitis", SKIN, "", "class", False),
        ("A wart", None, "a wart", "flat", False),
    ],
)
def test_the_row_that_answers(
    term: str, organ_class: str | None, verbatim: str, basis: str, camrelizumab_row: bool
) -> None:
    found = shipped("pd1").find(term, organ_class=organ_class, verbatim=verbatim)
    assert found.basis == basis
    assert ("CAMRELIZUMAB" in found.row.by_drug) is camrelizumab_row


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("lenvatinib", ("HCC 12/8 mg", "HCC pooled safety set (n per SmPC 496, recalled)")),
        (
            "pd1",
            (
                "PD-(L)1 monotherapy all tumours",
                "ICI in primary liver cancer (7 trials)",
                "ICI cohort (1349 pts)",
            ),
        ),
    ],
)
def test_incidences_are_those_of_the_reference(shared: Path, name: str, settings: tuple[str, ...]) -> None:
    with (shared / "reference" / "toxicity" / "ae_profile.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["regimen_setting"] in settings]
    checked = 0
    for row in (row for row in rows if row["component"] == name and row["soc"] and row["all_grade_pct"]):
        found = shipped(name).find(row["ctcae_v403_term"], organ_class=row["soc"], verbatim="").row
        assert found.incidence_any == pytest.approx(float(row["all_grade_pct"]) / 100), row["ctcae_v403_term"]
        checked += 1
    assert checked >= 5


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("kind =", "kynd =", "kynd"),
        ('kind = "drug"', 'kind = "food"', "kind"),
        ("incidence_any = 0.1", "incidence_any = 10", "incidence_any"),
        ("incidence_any = 0.1, ", "", "give incidence_any, incidence_g3 or frequency"),
        ("low = 1", "low = 9", "low ≤ median ≤ high"),
        ('sites = "lung"', 'sites = "moon"', "no [sites.moon]"),
        ("lung = {LUNG = 1.0}", "lung = {LUNG = 0.0}", "never makes an event impossible"),
        ("lung = {LUNG = 1.0}", "lung = {LIVER = 1.0}", "must be those of site_prior"),
        ('title = "t"', "title = t", "not valid TOML"),
    ],
)
def test_a_broken_profile_is_refused_with_file_and_fault(old: str, new: str, said: str) -> None:
    good = """
title = "t"
kind = "drug"
outside_window = 0.1
flat = {incidence_any = 0.1, onset = {low = 1, high = 8}, sites = "lung", source = "s", tier = "judgement"}
site_prior = {LUNG = 1}
[sites]
lung = {LUNG = 1.0}
"""
    assert parse(good, "own.toml").title == "t"
    with pytest.raises(ProfileError) as refused:
        parse(good.replace(old, new), "own.toml")
    assert "own.toml" in str(refused.value)
    assert said in str(refused.value)


def test_a_name_that_is_no_profile_is_none() -> None:
    assert [profile(name) for name in ("weights", "nonesuch", "../weights", "")] == [None] * 4


@given(low=st.integers(0, 200), width=st.integers(1, 400))
def test_onset_density_is_a_density_with_its_mass_in_the_window(low: int, width: int) -> None:
    onset = Onset(low=low, high=low + width)
    steps = 20
    inside = sum(onset.density(low + (i + 0.5) / steps) for i in range(width * steps)) / steps
    assert inside == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize(
    ("name", "days", "least", "most"),
    [
        ("lenvatinib", 7, 1.0, 1.0),
        ("lenvatinib", 14, 0.01, 0.03),
        ("pd1", 21, 0.9, 1.0),
        ("pd1", 120, 0.6, 0.8),
        ("pd1", 5000, 0.05, 0.2),
    ],
)
def test_what_is_left_after_the_last_dose(name: str, days: float, least: float, most: float) -> None:
    fading = shipped(name).persistence
    assert fading is not None
    assert least <= fading.remaining(days) <= most


def test_level_cuts_rise() -> None:
    cuts = weights().cuts
    assert 0 < cuts.possible < cuts.probable < cuts.definite < 1
