"""The dictionary holds the whole standard, finds it under any usual spelling, and never guesses."""

from __future__ import annotations

import csv
import tomllib
from collections import Counter, defaultdict
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ctcae_v403
from ctcae_v403 import dictionary

NAMES = [term.name for term in dictionary.terms()]


def packaged(name: str) -> str:
    return files("ctcae_v403.data").joinpath(name).read_text("utf-8")


SYNONYMS = list(csv.DictReader(packaged("synonyms.csv").splitlines()))


def test_counts_of_the_standard() -> None:
    terms = dictionary.terms()
    assert (len(terms), len(dictionary.socs())) == (790, 26)
    assert sum(len(term.grades) for term in terms) == 3049
    assert Counter(term.other_specify for term in terms) == {False: 764, True: 26}
    assert {term.soc for term in terms if term.other_specify} == set(dictionary.socs())


def test_names_and_codes_are_unique() -> None:
    terms = dictionary.terms()
    assert (
        len({term.meddra_code for term in terms})
        == len({dictionary.normal(term.name) for term in terms})
        == 790
    )


def test_equal_to_the_published_cells(shared: Path) -> None:
    with (shared / "reference/ctcae_v403/ctcae_v403.csv").open(encoding="utf-8", newline="") as lines:
        published = [
            dictionary.Term(
                row["term"],
                int(row["meddra_code"]),
                row["soc"],
                tuple(grade for grade in range(1, 6) if row[f"grade{grade}"].strip() not in ("", "-")),
                row["is_other_specify"] == "true",
            )
            for row in csv.DictReader(lines)
        ]
    assert list(dictionary.terms()) == published


def test_terms_are_read_once() -> None:
    assert dictionary.terms() is dictionary.terms()


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("Anaemia", "Anemia"),
        ("DIARRHOEA", "Diarrhea"),
        ("oesophageal varices haemorrhage", "Esophageal varices hemorrhage"),
        ("Oedema limbs", "Edema limbs"),
        ("Palmar plantar erythrodysaesthesia syndrome", "Palmar-plantar erythrodysesthesia syndrome"),
        ("tumour pain", "Tumor pain"),
        ("localised oedema", "Localized edema"),
        ("Leucocytosis", "Leukocytosis"),
        ("  chest   pain - CARDIAC ", "Chest pain - cardiac"),
        (
            "Skin and subcutaneous tissue disorders \N{EN DASH} Other, specify",
            "Skin and subcutaneous tissue disorders - Other, specify",
        ),
        ("10002272", "Anemia"),
        (10001551, "Alanine aminotransferase increased"),
    ],
)
def test_term_is_found_by_code_and_under_either_spelling(asked: str | int, name: str) -> None:
    assert dictionary.term(asked).name == name


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        ("Hypertenson", "'Hypertension'"),
        ("low platelets", "'Platelet count decreased'"),
        ("neutropenia", "'Neutrophil count decreased'"),
    ],
)
def test_unknown_term_names_the_nearest(asked: str, near: str) -> None:
    with pytest.raises(dictionary.UnknownTerm, match=near) as caught:
        dictionary.term(asked)
    assert str(caught.value).count("'") <= 2 * 4


@pytest.mark.parametrize("asked", ["", "99999999", "qqqq", "⁷⁷", 0])
def test_unknown_term_without_a_near_one(asked: str | int) -> None:
    with pytest.raises(dictionary.UnknownTerm, match=r"is not a CTCAE v4\.03 term$"):
        dictionary.term(asked)


@pytest.mark.parametrize(
    ("name", "grade", "exists"), [("Fever", 5, True), ("Alopecia", 3, False), ("Death NOS", 4, False)]
)
def test_grades_that_exist(name: str, grade: int, exists: bool) -> None:
    assert dictionary.term(name).has_grade(grade) is exists


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("low platelets", "Platelet count decreased"),
        ("platelet", "Platelet count decreased"),
        ("hypertenson", "Hypertension"),
        ("血小板", "Platelet count decreased"),
        ("pain", "Pain"),
        ("plantar", "Palmar-plantar erythrodysesthesia syndrome"),
    ],
)
def test_search_puts_the_fitting_term_first(text: str, first: str) -> None:
    assert dictionary.search(text)[0].name == first


def test_search_is_limited_without_repeats_and_may_find_nothing() -> None:
    found = dictionary.search("hemorrhage", limit=7)
    assert len(found) == len(set(found)) == 7
    assert dictionary.search("") == dictionary.search("xyzzy") == []


SKIN_OTHER = "Skin and subcutaneous tissue disorders - Other, specify"


@pytest.mark.parametrize(
    ("verbatim", "name"),
    [
        ("THROMBOCYTOPENIA", "Platelet count decreased"),
        ("low platelets", "Platelet count decreased"),
        ("DECREASED APPETITE", "Anorexia"),
        ("PYREXIA", "Fever"),
        ("Asthenia", "Fatigue"),
        ("GAMMA-GLUTAMYLTRANSFERASE INCREASED", "GGT increased"),
        ("raised ALT", "Alanine aminotransferase increased"),
        ("ALT ↑", "Alanine aminotransferase increased"),
        ("SGOT elevated", "Aspartate aminotransferase increased"),
        ("PNEUMONIA", "Lung infection"),
        ("Dysphonia", "Hoarseness"),
        ("PPE", "Palmar-plantar erythrodysesthesia syndrome"),
        ("RCCEP", SKIN_OTHER),
        ("hyperphosphataemia", "Metabolism and nutrition disorders - Other, specify"),
        ("血小板减少", "Platelet count decreased"),
        ("高血压", "Hypertension"),
        ("血压高", "Hypertension"),
        ("手足综合征", "Palmar-plantar erythrodysesthesia syndrome"),
        ("乏力", "Fatigue"),
        # the same words in another order
        ("count of platelets", None),
        ("decreased platelet count", "Platelet count decreased"),
        # words of severity and grade
        ("Severe hypertension", "Hypertension"),
        ("diarrhea grade 2", "Diarrhea"),
        ("diarrhea grade 0", None),
        ("重度腹泻", "Diarrhea"),
        ("高血压Ⅱ级", "Hypertension"),
        # slips of the pen
        ("proteinurea", "Proteinuria"),
        ("Vomitting", "Vomiting"),
        ("hyperkalmia", "Hyperkalemia"),
        ("Lymphocyte count decreasd", "Lymphocyte count decreased"),
        # near in letters, far in meaning
        ("Fibrinogen increased", None),
        ("ejection fraction increased", None),
        ("urine output increased", None),
        ("hyperalbuminemia", None),
        ("hypkalemia", None),
        ("dysphazia", None),
        ("aphagia", None),
        ("keratosis", None),
        ("asepsis", None),
        ("fascial pain", None),
        # not said of this patient now
        ("no diarrhea", None),
        ("无腹泻", None),
        ("history of hypertension", None),
        # several terms could be meant
        ("transaminitis", None),
        ("Elevated liver enzymes", None),
        ("chest pain", None),
        ("肺炎", None),
        ("nausea and vomiting", None),
        ("", None),
        ("?", None),
    ],
)
def test_coding_of_verbatim_text(verbatim: str, name: str | None) -> None:
    coded = dictionary.code(verbatim)
    assert (coded.term.name if coded.term else None) == name


@pytest.mark.parametrize(
    ("verbatim", "name"),
    [
        # measured quantities: any usual name, any usual word or sign for up and down
        ("PLT ↓ 45×10^9/L", "Platelet count decreased"),
        ("ALT 2.5 x ULN", "Alanine aminotransferase increased"),
        ("Grade 3 ALT increase on day 15", "Alanine aminotransferase increased"),
        ("HGB decr", "Anemia"),
        ("TBIL elev", "Blood bilirubin increased"),
        ("K+ low", "Hypokalemia"),
        ("谷丙转氨酶轻度升高", "Alanine aminotransferase increased"),
        ("尿蛋白(++)", "Proteinuria"),
        ("ALT", None),
        ("PLT 41", None),
        ("ALT decreased", None),
        ("血压160/100mmHg", None),
        ("urine protein negative", None),
        # circumstances
        ("fever (38.5 C) after ablation", "Fever"),
        ("lenvatinib-induced hypertension", "Hypertension"),
        ("treatment-related diarrhoea", "Diarrhea"),
        ("diarrhoea G3 since C2D1", "Diarrhea"),
        ("消融术后发热3天", "Fever"),
        ("左侧胸腔积液（少量）", "Pleural effusion"),
        ("liver abscess after MWA", "Hepatic infection"),
        ("diarrhea x5/day", "Diarrhea"),
        ("天冬氨酸氨基转移酶升高", "Aspartate aminotransferase increased"),
        ("肝转移", None),
        ("cough with yellow sputum", None),
        ("fever due to pneumonia", None),
        ("catheter-related sepsis", None),
        ("death due to disease progression", None),
        ("immune-related pneumonia", "Pneumonitis"),
        ("immune-mediated hepatitis", "Hepatobiliary disorders - Other, specify"),
        # sites
        ("swelling of both ankles and feet", "Edema limbs"),
        ("left knee pain", "Arthralgia"),
        ("muscle weakness legs", "Muscle weakness lower limb"),
        ("RCCEP grade 1, face and neck", SKIN_OTHER),
        ("pain in spot", None),
        ("back and leg pain", None),
        ("facial and leg edema", None),
        # plurals, word order, words joined or parted, short words beside known ones
        ("renal calculus", "Renal calculi"),
        ("infection of the urinary tract", "Urinary tract infection"),
        ("hyper tension", "Hypertension"),
        ("portal vien thrombosis", "Portal vein thrombosis"),
        ("nausae", "Nausea"),
        ("diahrrea", "Diarrhea"),
        # two events, denied, doubted, planned, the disease itself, nothing said
        ("fever, chills", None),
        ("恶心伴呕吐", None),
        ("ALT and AST increased", None),
        ("fatigue, fatigued", "Fatigue"),
        ("neutropenia G4, no fever", "Neutrophil count decreased"),
        ("hypertension without headache", "Hypertension"),
        ("denies pain", None),
        ("not vomiting", None),
        ("unwell?", None),
        ("suspected pneumonia", None),
        ("planned admission for TACE", None),
        ("tumour progression", None),
        ("chronic hepatitis B", None),
        ("acute hepatitis", None),
        ("vomiting with blood", None),
        ("see narrative", None),
        ("rash", None),
        ("Immune system disorders - Other: sarcoid-like", "Immune system disorders - Other, specify"),
    ],
)
def test_rules_of_coding(verbatim: str, name: str | None) -> None:
    coded = dictionary.code(verbatim)
    assert (coded.term.name if coded.term else None) == name


TURNED = {"increased": "decreased", "decreased": "increased"}
DIRECTED = [name for name in NAMES if name.split()[-1] in TURNED and len(name.split()[0]) > 3]


@given(st.sampled_from(DIRECTED), st.data())
def test_a_slip_in_another_word_never_turns_the_direction(name: str, data: st.DataObject) -> None:
    first, *middle, direction = name.split()
    at = data.draw(st.integers(1, len(first) - 2))
    slipped = first[:at] + first[at + 1] + first[at] + first[at + 2 :]
    coded = dictionary.code(" ".join([slipped, *middle, TURNED[direction]])).term
    assert coded != dictionary.term(name)


BRITISH = [("edema", "oedema"), ("emia", "aemia"), ("hemo", "haemo"), ("hema", "haema"), ("rrhea", "rrhoea"),
           ("esoph", "oesoph"), ("tumor", "tumour"), ("color", "colour"), ("ized", "ised"), ("leuko", "leuco")]  # fmt: skip


@given(st.sampled_from(NAMES))
def test_every_name_codes_to_itself_in_british_spelling(name: str) -> None:
    written = name.lower()
    for american, british in BRITISH:
        written = written.replace(american, british)
    assert dictionary.code(written).term == dictionary.term(name)


@pytest.mark.parametrize(
    ("verbatim", "score"),
    [("fever", 100.0), ("pyrexia", 100.0), ("mild fever", 95.0), ("Vomitting", 88.9), ("xyzzy", 0.0)],
)
def test_score_falls_with_what_was_done_to_the_text(verbatim: str, score: float) -> None:
    assert dictionary.code(verbatim).score == score


def test_runner_up_is_another_term_and_where_nothing_is_coded_the_nearest() -> None:
    for verbatim in ("hypertension", "hair loss", "oral pain"):
        coded = dictionary.code(verbatim)
        assert coded.runner_up not in (None, coded.term)
    refused = dictionary.code("history of diarrhea")
    assert refused.term is None
    assert refused.runner_up == dictionary.term("Diarrhea")


@given(
    st.sampled_from(NAMES),
    st.sampled_from([str.upper, str.lower, str.title, str.swapcase]),
    st.integers(1, 3),
)
def test_every_name_codes_to_itself_in_any_case_and_spacing(name: str, case: object, spaces: int) -> None:
    assert callable(case)
    written = (" " * spaces).join(case(name).split(" "))
    assert dictionary.code(written).term == dictionary.term(written) == dictionary.term(name)


@given(st.text(max_size=40))
def test_any_text_is_coded_or_refused(text: str) -> None:
    coded = dictionary.code(text)
    assert 0 <= coded.score <= 100
    assert coded.term is None or coded.term in dictionary.terms()


def test_opposites_never_code_to_each_other() -> None:
    opposites = [("increased", "decreased"), ("decreased", "increased"), ("hyper", "hypo"), ("hypo", "hyper")]
    for name in (each.lower() for each in NAMES):
        for said, turned in opposites:
            other = name.replace(said, turned)
            coded = dictionary.code(other).term
            assert other == name or coded is None or coded.name.lower() != name, other


def test_synonyms_lead_to_one_existing_term_each() -> None:
    meant = defaultdict(set)
    for row in SYNONYMS:
        meant[dictionary.normal(row["verbatim"])].add(row["term"])
    assert {text: names for text, names in meant.items() if len(names) > 1} == {}
    assert {row["term"] for row in SYNONYMS} - {""} <= set(NAMES)
    named = {dictionary.normal(name): {name} for name in NAMES}
    assert {text: meant[text] for text in named.keys() & meant.keys() if meant[text] != named[text]} == {}


def test_every_synonym_codes_to_its_term_and_every_refused_one_to_none() -> None:
    wrong = [
        row for row in SYNONYMS if getattr(dictionary.code(row["verbatim"]).term, "name", "") != row["term"]
    ]
    assert wrong == []


def test_synonyms_cover_the_field_in_english_and_chinese() -> None:
    chinese = {row["term"] for row in SYNONYMS if any(letter > "\u3400" for letter in row["verbatim"])}
    assert len(SYNONYMS) >= 150
    assert len(chinese) >= 60


def test_every_source_is_described() -> None:
    sources = tomllib.loads(packaged("SOURCES.toml"))
    kinds = {kind["source"] for kind in sources["synonyms.csv"]["kinds"]}
    assert {row["source"] for row in SYNONYMS} == kinds
    assert {"terms.csv", "synonyms.csv", "coding.toml"} <= set(sources)
    assert all(section["source"] for section in tomllib.loads(packaged("coding.toml")).values())


def test_shared_trials_code_as_their_sites_coded(shared: Path) -> None:
    with (shared / "data/hcc_synth_demo/ae.csv").open(encoding="utf-8-sig", newline="") as lines:
        rows = {(row["AETERM"], row["AEDECOD"]) for row in csv.DictReader(lines)}
    assert {(verbatim, getattr(dictionary.code(verbatim).term, "name", None)) for verbatim, _ in rows} == rows


def test_package_offers_the_dictionary_and_no_invented_names() -> None:
    assert ctcae_v403.term("Fever") is dictionary.term("Fever")
    with pytest.raises(AttributeError, match="has no attribute 'grad'"):
        _ = ctcae_v403.grad
