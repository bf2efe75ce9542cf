"""The profiles against the fact files: every term has its row, every printed figure is there or its absence is explained."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

import ctcae_v403
from safety_monitor.attribution import Profile, profile
from safety_monitor.attribution.catalogue import Row

COMPONENTS = ("ablation", "lenvatinib", "pd1")
CAUSES = (*COMPONENTS, "hcc", "other")
#: Figures of studies that a row does not carry: (component, term, percent) and why another study was taken.
NOT_TAKEN = {
    ("lenvatinib", "Blood bilirubin increased", "48.0"): "phase 1, n=25; REFLECT, n=476, taken",
    ("lenvatinib", "Platelet count decreased", "48.0"): "phase 1, n=25; REFLECT, n=476, taken",
    ("lenvatinib", "Encephalopathy", "9.1"): "1 of 11; the pooled safety set, n=496, taken",
    ("pd1", "Aspartate aminotransferase increased", "0.75"): "all tumours, treatment-related; the liver cancer analysis taken",
    ("pd1", "Skin and subcutaneous tissue disorders - Other, specify", "0"): "grade 3 of the reaction: zero, held by the floor",
    ("pd1", "Skin and subcutaneous tissue disorders - Other, specify", "85.7"): "solid tumours phase 1; the HCC trial taken",
    (
        "pd1",
        "Skin and subcutaneous tissue disorders - Other, specify",
        "28.6",
    ): "n=28 with an anti-angiogenic; the HCC trial taken",
    ("lenvatinib", "Fatigue", "10.0"): "both drugs together; the single-drug trial taken",
    ("pd1", "Fatigue", "10.0"): "both drugs together; the single-drug analysis taken",
    ("lenvatinib", "Palmar-plantar erythrodysesthesia syndrome", "10.0"): "both drugs together",
    ("pd1", "Palmar-plantar erythrodysesthesia syndrome", "10.0"): "both drugs together; not expected from the inhibitor",
    ("lenvatinib", "Hepatitis viral", "7.5"): "both drugs and infusion; weighed through the antiviral finding",
    ("pd1", "Hepatitis viral", "7.5"): "both drugs and infusion; weighed through the antiviral finding",
    ("ablation", "Lung infection", "1.8"): "pneumonia and abscess are one term: 1.8 and 1.6 added to 3.4",
    ("ablation", "Lung infection", "1.6"): "pneumonia and abscess are one term: 1.8 and 1.6 added to 3.4",
    ("ablation", "Lung infection", "2.9"): "n=204; the 1000 sessions taken",
    ("ablation", "Lung infection", "0.5"): "n=204; the 1000 sessions taken",
    ("ablation", "Lung infection", "14.9"): "n=47; the 1000 sessions taken",
    ("ablation", "Lung infection", "1.44"): "aspergillosis alone",
    (
        "ablation",
        "Neoplasms benign, malignant and unspecified (incl cysts and polyps) - Other, specify",
        "0.1",
    ): "lung; liver 0.5 taken",
    ("ablation", "Injury, poisoning and procedural complications - Other, specify", "0.1"): "diaphragm; phrenic nerve 1.32 taken",
    ("ablation", "Pneumothorax", "15.7"): "those with a chest tube; any taken",
    ("ablation", "Pneumothorax", "11.8"): "those with a chest tube; any taken",
    ("ablation", "Pneumothorax", "29.5"): "n=129; the 194 sessions taken",
    ("ablation", "Bronchopleural fistula", "2.1"): "n=47; the 204 sessions taken",
    ("ablation", "Pleural effusion", "1.9"): "those drained; any taken",
    ("ablation", "Pneumonitis", "8"): "where interstitial lung disease underlies: the finding ild",
    ("ablation", "Pleural hemorrhage", "0.1"): "liver ablation; the thoracic range taken",
    ("ablation", "Hepatic infection", "5.1"): "after several chemoembolisations: the finding many_tace",
}


def of(name: str) -> Profile:
    found = profile(name)
    assert found is not None
    return found


def rows_of(name: str, term: str) -> list[Row]:
    return [row for row in of(name).terms if row.term == term]


def facts(shared: Path, name: str) -> list[dict[str, str]]:
    with (shared / "reference" / "toxicity" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_term_and_figure_of_the_incidence_file(shared: Path) -> None:
    seen, missing = set(), []
    for fact in facts(shared, "ae_profile.csv"):
        term = fact["ctcae_v403_term"]
        if term.startswith("("):
            continue
        for component in fact["component"].split("+"):
            rows = rows_of(component, term)
            figures = [
                f for row in rows for f in (row.incidence_any, row.incidence_g3, *row.by_modality.values(), *row.by_drug.values())
            ]
            for percent in (fact["all_grade_pct"], fact["grade3plus_pct"]):
                taken = (
                    not percent or "-" in percent or any(f is not None and abs(f - float(percent) / 100) < 1e-9 for f in figures)
                )
                if not rows or not (taken or (component, term, percent) in NOT_TAKEN):
                    missing.append((component, term, percent))
                if not taken:
                    seen.add((component, term, percent))
    assert missing == []
    assert seen == set(NOT_TAKEN)  # no reason stands here for a figure that is there


@pytest.mark.parametrize("component", COMPONENTS)
def test_every_cell_of_the_causality_table(shared: Path, component: str) -> None:
    without_row, without_window = [], []
    for fact in facts(shared, "attribution_kb_matrix.csv"):
        term, window = fact["ctcae_v403_term"], fact[f"{component}_window_days"]
        rows = rows_of(component, term)
        if not rows:
            without_row.append(term)
        if re.search(r"\d", window) and "any" not in window and not any(row.onset for row in rows):
            without_window.append((term, window))
    assert without_row == []
    assert without_window == []


def test_the_disease_answers_for_every_term_of_the_causality_table(shared: Path) -> None:
    terms = {fact["ctcae_v403_term"] for fact in facts(shared, "attribution_kb_matrix.csv")}
    assert sorted(terms - {row.term for row in of("hcc").terms}) == []


@pytest.mark.parametrize("name", CAUSES)
def test_no_term_of_the_standard_is_without_an_answer(name: str) -> None:
    for term in ctcae_v403.terms():
        assert of(name).find(term.name, organ_class=term.soc, verbatim="").basis in ("term", "class"), term.name


@pytest.mark.parametrize("name", CAUSES)
def test_every_row_is_a_term_of_the_standard_and_has_a_source_in_full(name: str) -> None:
    known, classes = {term.name for term in ctcae_v403.terms()}, {term.soc for term in ctcae_v403.terms()}
    for row in of(name).terms:
        assert row.term in known, row.term
    assert {row.organ_class for row in of(name).classes} == classes
    for row in (*of(name).terms, *of(name).classes):
        for key in (row.source, row.onset_source):
            assert key is None or len(of(name).cite(key)) > len(key), (row.term or row.organ_class, key)


def test_the_substances_of_the_class_are_known_by_their_names_in_use() -> None:
    for recorded, key in {
        "Camrelizumab for injection": "CAMRELIZUMAB", "卡瑞利珠单抗": "CAMRELIZUMAB", "IBI308": "SINTILIMAB",
        "替雷利珠单抗注射液": "TISLELIZUMAB", "toripalimab": "TORIPALIMAB", "KEYTRUDA": "PEMBROLIZUMAB", "Opdivo": "NIVOLUMAB",
    }.items():  # fmt: skip
        assert of("pd1").substance(recorded) == key
    assert of("pd1").substance("zimberelimab") == "ZIMBERELIMAB"
    assert of("pd1").substance("") is None
