"""How well verbatim text is coded, on 1,637 verbatims labelled by a coder who knew neither the synonyms nor the rules.

``verbatims.csv``: written from the field's usage before the coder was tuned; ``split`` was drawn by a hash of the text.
The rules and synonyms were made with the half ``tuning`` in view and without the half ``test``. An empty term: a coder
would ask the site (not an adverse event, several events, or several terms could be meant).
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

import ctcae_v403

ROWS = list(csv.DictReader((Path(__file__).parent / "verbatims.csv").read_text("utf-8").splitlines()))


def scores(split: str) -> tuple[float, float]:
    """Precision (right among those coded) and recall (right among those that can be coded)."""
    counted: Counter[str] = Counter()
    for row in ROWS:
        if row["split"] == split:
            found = ctcae_v403.code(row["verbatim"]).term
            counted["coded"] += found is not None
            counted["codable"] += bool(row["term"])
            counted["right"] += found is not None and found.name == row["term"]
    return counted["right"] / counted["coded"], counted["right"] / counted["codable"]


def test_the_set_is_what_it_says() -> None:
    assert len(ROWS) >= 400
    assert len({row["verbatim"].lower() for row in ROWS}) == len(ROWS)
    assert {row["split"] for row in ROWS} == {"tuning", "test"}
    assert min(Counter(row["split"] for row in ROWS).values()) > 700
    named = {row["term"] for row in ROWS} - {""}
    assert len(named) > 400
    assert all(ctcae_v403.term(name).name == name for name in named)


@pytest.mark.parametrize(("split", "precision", "recall"), [("test", 0.99, 0.91), ("tuning", 0.99, 0.98)])
def test_precision_and_recall(split: str, precision: float, recall: float) -> None:
    reached = scores(split)
    assert reached[0] >= precision
    assert reached[1] >= recall


def test_the_traps_of_the_field() -> None:
    assert {text: getattr(ctcae_v403.code(text).term, "name", None) for text in TRAPS} == TRAPS


TRAPS = {
    "pneumonia": "Lung infection", "hand-foot syndrome": "Palmar-plantar erythrodysesthesia syndrome",
    "hypophysitis": "Endocrine disorders - Other, specify", "RCCEP": "Skin and subcutaneous tissue disorders - Other, specify",
    "thrombocytopenia": "Platelet count decreased", "tumour progression": None, "progressive disease": None,
    "nausea and vomiting": None, "denies pain": None, "no fever": None,
}  # fmt: skip
