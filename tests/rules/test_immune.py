"""Immune-mediated: reported, candidate, no, not known; and that silence is never a no."""

from __future__ import annotations

from itertools import product

import pytest

import ctcae_v403
from safety_monitor.rules.immune import _lists, immune

OTHER = "{} disorders - Other, specify"
SKIN, LIVER = OTHER.format("Skin and subcutaneous tissue"), OTHER.format("Hepatobiliary")


@pytest.mark.parametrize(
    ("term", "verbatim", "reported", "exposed", "answer"),
    [
        ("Colitis", "colitis", True, True, "reported"),
        ("Nausea", "nausea", True, True, "reported"),
        ("Nausea", "nausea", True, False, "reported"),
        ("Colitis", "colitis", None, True, "candidate"),
        ("Colitis", "colitis", None, None, "candidate"),
        ("Colitis", "colitis", False, True, "candidate"),
        ("Colitis", "colitis", None, False, "no"),
        ("Nausea", "nausea", None, True, "not known"),
        ("Nausea", "nausea", None, None, "not known"),
        ("Nausea", "nausea", False, True, "no"),
        ("Endocrine disorders - Other, specify", "Hypophysitis, ACTH low", None, True, "candidate"),
        (LIVER, "autoimmune hepatitis", None, True, "candidate"),
        (LIVER, "acute hepatitis B", None, True, "not known"),
        (SKIN, "RCCEP on the trunk", None, True, "no"),
        (SKIN, "反应性皮肤毛细血管增生症", None, True, "no"),
        (SKIN, "免疫性白癜风", None, True, "candidate"),
        ("Infusion related reaction", "reaction to infusion", None, True, "no"),
    ],
)
def test_answers(term: str, verbatim: str, reported: bool | None, exposed: bool | None, answer: str) -> None:
    assert immune(term, verbatim, reported=reported, exposed=exposed).answer == answer


def test_a_contradiction_is_said() -> None:
    assert "although no PD-1 inhibitor" in immune("Colitis", "", reported=True, exposed=False).why
    assert "the investigator says no" in immune("Colitis", "", reported=False, exposed=True).why
    assert "not known" in immune("Colitis", "", reported=None, exposed=None).why


def test_silence_is_never_a_no() -> None:
    """Without a flag, a no needs a drug that was not given, or an effect of another kind."""
    effects = {name for row in _lists()["drug_effect"] for name in row.get("terms", ())}
    for term, exposed in product(ctcae_v403.terms(), (True, None)):
        if term.name not in effects:
            assert immune(term.name, term.name, reported=None, exposed=exposed).answer in ("candidate", "not known")


def test_terms_are_those_of_the_standard_and_each_row_has_its_source() -> None:
    rows = [*_lists()["organ"], *_lists()["drug_effect"]]
    assert [t for row in rows for t in row.get("terms", ()) if ctcae_v403.term(t).name != t] == []
    assert {row["source"] for row in rows} <= set(_lists()["sources"])
