"""The dictionary against the official cells: every term, grade, clause and number, in both directions.

``clauses.csv`` maps every distinct clause of the standard (by a hash of its text, which is not part of this repository)
to the entry that encodes it; a row with a term, or a term and a grade, holds there only. WITH_NEIGHBOUR: the clause says
nothing alone and belongs to the one beside it, mostly a stray semicolon of the standard. SAME_AS_ADULT: it repeats the
adult criteria for children.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest

import ctcae_v403
from ctcae_v403 import rules
from ctcae_v403.findings import NUMBERS, document

N_CLAUSES, N_OCCURRENCES, N_CELLS = 1_407, 5_664, 3_049
NOT_ALONE = {"WITH_NEIGHBOUR", "SAME_AS_ADULT"}
Row = dict[str, str]


def clauses(cell: str) -> list[str]:
    """A cell at its semicolons outside parentheses and its line breaks, in one spelling."""
    parts, depth = [""], 0
    for sign in cell:
        depth += {"(": 1, ")": -1}.get(sign, 0)
        depth = max(depth, 0)
        if (sign == ";" and depth == 0) or sign == "\n":
            parts.append("")
        else:
            parts[-1] += sign
    return [text for part in parts if (text := one_spelling(part))]


def one_spelling(text: str) -> str:
    text = re.sub(r"\s+", " ", text).strip().strip(".").strip().lower()
    text = re.sub(r"e\.g\.\s*,?\s*", "e.g., ", text)
    text = re.sub(r"(\d) ?-(?=\d)", r"\1 - ", text)
    return re.sub(r"([<>]=?) +(?=\d)", r"\1", text).replace("self-care", "self care")


def digest(clause: str) -> str:
    return hashlib.sha256(clause.encode()).hexdigest()[:12]


@cache
def table() -> dict[tuple[str, str], str]:
    """(hash, term or term|grade or nothing) -> entry."""
    with (Path(__file__).parent / "clauses.csv").open(encoding="utf-8", newline="") as file:
        return {(row["clause"], row["term"]): row["expression"] for row in csv.DictReader(file)}


def entry(clause: str, term: str, grade: int) -> str | None:
    key = digest(clause)
    return table().get((key, f"{term}|{grade}"), table().get((key, term), table().get((key, ""))))


@pytest.fixture(scope="module")
def cells(shared: Path) -> list[Row]:
    with (shared / "reference" / "ctcae_v403" / "ctcae_v403.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def graded(cells: list[Row]) -> Iterator[tuple[Row, int, list[str]]]:
    for row in cells:
        for grade in range(1, 6):
            if row[f"grade{grade}"].strip() not in ("", "-"):
                yield row, grade, clauses(row[f"grade{grade}"])


def test_every_term_code_class_and_available_grade(cells: list[Row]) -> None:
    official = [(row["term"], int(row["meddra_code"]), row["soc"]) for row in cells]
    assert [(term.name, term.meddra_code, term.soc) for term in ctcae_v403.terms()] == official
    exist = {(row["term"], grade) for row, grade, _ in graded(cells)}
    assert exist == {(term.name, grade) for term in ctcae_v403.terms() for grade in term.grades}
    assert len(exist) == N_CELLS


def test_the_cells_are_cut_as_the_field_counts_them(cells: list[Row], shared: Path) -> None:
    counted = Counter(clause for _, _, found in graded(cells) for clause in found)
    assert (len(counted), counted.total()) == (N_CLAUSES, N_OCCURRENCES)
    with (shared / "reference" / "ctcae_v403" / "clauses_all.csv").open(encoding="utf-8", newline="") as file:
        assert {row["clause_normalised"]: int(row["count"]) for row in csv.DictReader(file)} == counted


def test_no_clause_is_unmapped_and_no_mapping_is_spare(cells: list[Row]) -> None:
    used = set()
    for row, grade, found in graded(cells):
        for clause in found:
            assert entry(clause, row["term"], grade) is not None, (row["term"], grade, clause)
            key = digest(clause)
            used.add(next(k for k in ((key, f"{row['term']}|{grade}"), (key, row["term"]), (key, "")) if k in table()))
    assert used == set(table())


def test_every_cell_is_its_clauses_and_nothing_else(cells: list[Row]) -> None:
    for row, grade, found in graded(cells):
        wanted = [entry(clause, row["term"], grade) for clause in found]
        kept = document(row["soc"])["term"][row["term"]][str(grade)]
        assert kept == list(dict.fromkeys(each for each in wanted if each not in NOT_ALONE)), (row["term"], grade)


# The words that carry a grade: where the clause has one, so has the entry, and the other way round.
WORDS = {
    "mild": r"\bmild", "moderate": r"\bmoderate", "severe": r"\bsever", "asymptomatic": r"\basymptomatic",
    "life_threatening": r"life-threatening", "urgent": r"\burgent", "elective": r"\belective",
    "transfusion": r"\btransfusion", "hospitalization": r"\bhospitalization", "self_care_adl": r"self care adl",
    "instrumental_adl": r"instrumental adl", "disabling": r"\bdisabling", "death": r"\bdeath\b",
}  # fmt: skip
# Where they differ on purpose: (word, term) and why.
REWORDED = {
    **{("mild", f"{valve} valve disease"): "with or without mild regurgitation: any" for valve in
       ("Aortic", "Mitral", "Pulmonary", "Tricuspid")},
    **{("mild", term): "grade 1 has mild symptoms, so that grade 2 is symptomatic beyond mild" for term in
       ("Conjunctivitis", "Dry eye", "Vitreous hemorrhage", "Anal mucositis", "Rectal mucositis",
        "Small intestinal mucositis", "Renal calculi", "Bronchospasm", "Vaginal stricture", "Hepatic hemorrhage")},
    **{("moderate", term): "the acuity says how moderate" for term in ("Cataract", "Retinopathy", "Scleral disorder")},
    **{("urgent", term): "grade 2 is the non-urgent one, so that grade 3 is not" for term in
       ("Supraventricular tachycardia", "Ventricular arrhythmia", "Ventricular tachycardia", "Hypotension",
        "Sick sinus syndrome")},
    **{("mild", term): "minimal symptoms are met by mild ones" for term in
       ("Burn", "Mediastinal hemorrhage", "Pharyngeal mucositis", "Tracheal mucositis")},
    **{(word, "Unequal limb length"): "the centimetres say how much" for word in ("mild", "moderate", "severe")},
    **{(word, "Leukoencephalopathy"): "+/- atrophy: any" for word in ("mild", "moderate", "severe")},
    **{("hospitalization", term): "intent decides; that it may or does require admission follows" for term in
       ("Suicidal ideation", "Suicide attempt")},
    ("severe", "Hypoparathyroidism"): "medical intervention alone is grade 2",
    ("asymptomatic", "Neck edema"): "any edema: the worse ones have their grades",
    ("asymptomatic", "Nail loss"): "any separation: with symptoms it is grade 2",
    ("asymptomatic", "Wound dehiscence"): "any hernia: a strangulated one is grade 4",
    ("elective", "Seroma"): "the term has no grade 4 for a worse one",
    ("transfusion", "Postoperative hemorrhage"): "the units transfused are a quantity",
    ("disabling", "Spinal fracture"): "disability",
    ("mild", "Joint range of motion decreased cervical spine"): "the degrees say how mild",
    ("death", "Fetal death"): "fetal loss is the death",
    ("mild", "Genital edema"): "seen on close inspection only",
    ("moderate", "Tracheal mucositis"): "grade 1 has minimal respiratory symptoms",
    ("life_threatening", "Treatment related secondary malignancy"): "present; danger to life is grade 4",
    ("mild", "Laryngopharyngeal dysesthesia"): "any anxiety",
    ("mild", "Gastroparesis"): "any nausea; the calories say how mild",
    ("moderate", "Proctitis"): "grade 1 has discomfort, so that grade 2 is more than that",
    ("asymptomatic", "Carbon monoxide diffusing capacity decreased"): "a fall of that size with symptoms is no less",
    ("severe", "Pruritus"): "severe is intense",
    ("severe", "Laryngospasm"): "persistent or severe episodes are at least grade 3",
}  # fmt: skip


def test_the_words_that_carry_a_grade_are_kept(cells: list[Row]) -> None:
    differing = {}
    for row, grade, found in graded(cells):
        for clause in found:
            kept = entry(clause, row["term"], grade) or ""
            if kept in NOT_ALONE:
                continue
            plain = re.sub(r"\([^()]*\)", "", clause)
            words = re.sub(r"[|&!]", " ", kept)
            for word, pattern in WORDS.items():
                if bool(re.search(pattern, plain)) != bool(re.search(rf"(?<![a-z]){word}", words)):
                    differing[word, row["term"]] = (grade, clause, kept)
    assert set(differing) == set(REWORDED), {k: v for k, v in differing.items() if k not in REWORDED}


# Numbers that a cell prints and no criterion has, and why.
PRINTED_ONLY = {
    # the end of a whole-number band: the next grade starts one unit on, what lies between takes the lower grade
    "Diarrhea": {"6"}, "Vomiting": {"2", "5"}, "Obesity": {"29.9", "39.9"}, "Growth suppression": {"29", "49"},
    "Electrocardiogram QT corrected interval prolonged": {"480", "500"}, "Ejection fraction decreased": {"40", "19"},
    "Forced expiratory volume decreased": {"70", "60", "50"}, "Proteinuria": {"3.4"}, "Menopause": {"46", "53"},
    "Hypertension": {"139", "89", "159", "99"}, "Chronic kidney disease": {"60", "30"}, "Fever": {"102.2", "24", "40", "104"},
    # the same limit in Fahrenheit
    "Febrile neutropenia": {"100.4", "101"}, "Allergic reaction": {"100.4"},
    # a rate and a duration that are at least reached: the upper ends limit nothing
    "Pleural hemorrhage": {"200", "4"},
    # audiogram frequencies, and the frequencies that a rule row is named after
    "Hearing impaired": {"1", "2", "3", "4", "6", "8"},
    "Hypoxia": {"88"}, "Hypokalemia": {"3"},  # grade 2 has the numbers of grade 1; findings tell them apart
    "Irregular menstruation": {"3"}, "Stevens-Johnson syndrome": {"30"},  # what is beyond takes this grade too
}  # fmt: skip
# Numbers that a criterion has and its clause does not print: a neighbour's, needed to tell two grades apart.
ENCODED_ONLY = {
    "Bullous dermatitis": {"30"}, "Erythema multiforme": {"30"}, "Dehydration": {"24"}, "Hyperhidrosis": {"1"},
    "Hypertension": {"20"}
}  # fmt: skip
_UNITS = re.compile(
    r"/mm3|pao2|stage \d hypertension|/ ?1\.73 m2|kg/m2|10e9|t2/flair|"
    r"fev1|per 24 hrs|in 24 hrs?|/24 hrs|in 8 hr|separated by 5 minutes|2\+|1\+|"
    r"more than one|\d+/\d+ (?:or (?:better|worse)|but)|grade \d|20/\d+|\d/3"
)


def printed_numbers(clause: str) -> set[Decimal]:
    found = re.findall(r"\d[\d,]*(?:\.\d+)?", _UNITS.sub(" ", clause))
    return {Decimal(text.replace(",", "")).normalize() for text in found}


def encoded_numbers(kept: str) -> set[Decimal]:
    """The bounds of an entry, and the numbers in the names of its findings other than visual acuities and fractions."""
    plain = re.sub(r"numbers\(\d\)|20_\d+|\d_3|t2_flair", " ", kept)
    return {Decimal(text).normalize() for text in re.findall(r"(?<![a-z\d.])\d+(?:\.\d+)?", plain.replace("_", " "))}


def rule_numbers(term: str, grade: int) -> list[set[Decimal]]:
    """For each rung of the grade, the ways in which its bound may be printed: as it is, or as a change in per cent."""
    return [
        {abs(number).normalize() for number in (rung.coefficient, rung.offset, 100 * (rung.coefficient - 1))}
        for ladder in rules.ladders() if ladder.term == term
        for rung in ladder.rungs if rung.grade == grade
    ]  # fmt: skip


def test_every_number_is_in_its_criteria_and_the_other_way_round(cells: list[Row]) -> None:
    faults = []
    for row, grade, found in graded(cells):
        term = row["term"]
        entries = [entry(clause, term, grade) or "" for clause in found]
        printed = set().union(*map(printed_numbers, found))
        written = set().union(*map(encoded_numbers, entries))
        milder = [int(n) for each in entries for n in re.findall(r"numbers\((\d)\)", each)]
        by_rules = [rule_numbers(term, each) for each in range(grade, 6)] if any(NUMBERS in e for e in entries) else [[]]
        ways = [way for rungs in (*by_rules, *(rule_numbers(term, each) for each in milder)) for way in rungs]
        expected_only = {Decimal(n).normalize() for n in PRINTED_ONLY.get(term, ())}
        spare_on_purpose = {Decimal(n).normalize() for n in ENCODED_ONLY.get(term, ())}
        later = [entry(c, term, g) or "" for r, g, cs in graded([row]) for c in cs if g > grade]
        beyond = set().union(*map(encoded_numbers, later))  # the far end of a band is the next grade's bound
        if strange := printed - expected_only - beyond - written.union(*ways):
            faults.append(f"{term} {grade}: printed, not encoded: {sorted(strange)}")
        if spare := written - printed - spare_on_purpose:
            faults.append(f"{term} {grade}: encoded, not printed: {sorted(spare)}")
        near = printed | {Decimal(0), Decimal(1)}
        faults += [f"{term} {grade}: a rule row has {way}" for way in by_rules[0] if not way & near]
    assert faults == []


def test_no_exception_is_spare(cells: list[Row]) -> None:
    """Each listed number is printed in a cell of its term."""
    printed: dict[str, set[Decimal]] = {}
    for row, _, found in graded(cells):
        printed.setdefault(row["term"], set()).update(*map(printed_numbers, found))
    for term, numbers in PRINTED_ONLY.items():
        assert {Decimal(number).normalize() for number in numbers} <= printed[term], term


def test_every_merged_clause_is_explained(cells: list[Row]) -> None:
    readings = (Path(__file__).parents[2] / "docs" / "readings.md").read_text("utf-8")
    merged = {
        row["term"] for row, grade, found in graded(cells) for c in found
        if entry(c, row["term"], grade) == "WITH_NEIGHBOUR"
    }  # fmt: skip
    assert {term for term in merged if term not in readings} == set()
