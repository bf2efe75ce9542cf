"""The profiles against the fact files: every term, figure and window is there, or the reason why another was taken."""

from __future__ import annotations

import csv
import re
import tomllib
from pathlib import Path

import pytest

import ctcae_v403
import safety_monitor.simulate
from safety_monitor.attribution import Profile, profile
from safety_monitor.attribution.catalogue import Row, weights

COMPONENTS = ("ablation", "lenvatinib", "pd1")
CAUSES = (*COMPONENTS, "hcc", "other")
SKIN_OTHER = "Skin and subcutaneous tissue disorders - Other, specify"
ENDOCRINE_OTHER = "Endocrine disorders - Other, specify"
NEOPLASM_OTHER = "Neoplasms benign, malignant and unspecified (incl cysts and polyps) - Other, specify"
INJURY_OTHER = "Injury, poisoning and procedural complications - Other, specify"
HAND_FOOT = "Palmar-plantar erythrodysesthesia syndrome"
GENERAL = "General disorders and administration site conditions"
BOTH_DRUGS = "both drugs together; a study of one drug taken"

#: Figures that no row carries: (component, term, percent) and why.
NOT_TAKEN = {
    ("lenvatinib", "Blood bilirubin increased", "48.0"): "phase 1, n=25; REFLECT, n=476, taken",
    ("lenvatinib", "Platelet count decreased", "48.0"): "phase 1, n=25; REFLECT, n=476, taken",
    ("lenvatinib", "Encephalopathy", "9.1"): "1 of 11; the pooled safety set, n=496, taken",
    ("pd1", "Aspartate aminotransferase increased", "0.75"): "all tumours; the liver cancer analysis taken",
    ("pd1", SKIN_OTHER, "0"): "none of grade 3 seen; a nil would make a graver report of that very name another cause's",
    ("pd1", SKIN_OTHER, "85.7"): "solid tumours, phase 1; the liver cancer trial taken",
    ("pd1", SKIN_OTHER, "28.6"): "n=28 with an anti-angiogenic; said in the source",
    ("lenvatinib", "Fatigue", "10.0"): BOTH_DRUGS,
    ("pd1", "Fatigue", "10.0"): BOTH_DRUGS,
    ("lenvatinib", HAND_FOOT, "10.0"): BOTH_DRUGS,
    ("pd1", HAND_FOOT, "10.0"): "both drugs together; not expected from the antibody",
    ("lenvatinib", "Hepatitis viral", "7.5"): "both drugs; not expected from lenvatinib",
    ("pd1", "Hepatitis viral", "7.5"): "both drugs; in the finding antiviral",
    ("ablation", "Lung infection", "1.8"): "pneumonia and abscess are one term: 1.8 and 1.6 added to 3.4",
    ("ablation", "Lung infection", "2.9"): "pneumonia of 204 sessions; the 1000 sessions taken",
    ("ablation", "Lung infection", "14.9"): "n=47; the 1000 sessions taken",
    ("ablation", NEOPLASM_OTHER, "0.1"): "lung; in the site odds of the liver's 0.5",
    ("ablation", "Pneumothorax", "15.7"): "those with a chest tube; any taken",
    ("ablation", "Pneumothorax", "11.8"): "those with a chest tube; any taken",
    ("ablation", "Pneumothorax", "29.5"): "the lowest of three series; the middle one taken",
    ("ablation", "Bronchopleural fistula", "2.1"): "n=47; the 204 sessions taken",
    ("ablation", "Pleural effusion", "1.9"): "those drained; any taken",
    ("ablation", "Pneumonitis", "8"): "where interstitial lung disease underlies: the finding ild",
    ("ablation", "Pleural hemorrhage", "0.1"): "liver; in the site odds of the thorax's 1 %",
    ("ablation", "Hepatic infection", "5.1"): "after several chemoembolisations: the finding many_tace",
}  # fmt: skip

#: Windows of the causality table that no row has to the day: (component, term, low, high) and why.
OTHER_WINDOW = {
    ("ablation", "Stroke", 0, 0): "the procedure, to the end of the day",
    ("ablation", "Hypertension", 0, 0): "the procedure, to the end of the day",
    ("pd1", "Myocarditis", 7, 60): "lengthened to the slower group of the series, 101 d",
    ("pd1", "Hepatitis viral", 30, 180): "lengthened around a median of six months",
}

#: Events of the window file: (component, term or organ class, reported words, median, days inside the window).
ONSETS = {
    "skin rash/pruritus": ("pd1", "Pruritus", "", 35, (3, 500)),
    "thyrotoxicosis": ("pd1", "Hyperthyroidism", "", 35, (14, 56)),
    "overt hypothyroidism": ("pd1", "Hypothyroidism", "", 98, (56, 175)),
    "hypophysitis": ("pd1", ENDOCRINE_OTHER, "Hypophysitis", 196, (70, 322)),
    "adrenal insufficiency": ("pd1", "Adrenal insufficiency", "", 237, (113, 378)),
    "pneumonitis": ("pd1", "Pneumonitis", "", 89, (78,)),
    "nephritis": ("pd1", "Acute kidney injury", "", 115, (26, 203)),
    "myocarditis": ("pd1", "Myocarditis", "", None, (12, 18, 30, 60, 101)),
    "myositis": ("pd1", "Myositis", "", 33, (19, 57)),
    "fatal irAE any": ("pd1", "Death NOS", "", 40, ()),
    "RCCEP": ("pd1", SKIN_OTHER, "RCCEP", 42, ()),
    "infusion reaction": ("pd1", "Infusion related reaction", "", None, (0, 1)),
    "immune diabetes": ("pd1", "Glucose intolerance", "", 204, (31, 410)),
    "HBV reactivation on ICI": ("pd1", "Hepatitis viral", "", 180, ()),
    "hepatitis": ("pd1", "Alanine aminotransferase increased", "", None, (14, 84)),
    "any AE pembrolizumab+lenvatinib HCC": ("lenvatinib", GENERAL, "", 77.5, (19.7, 212.3)),
    "lenvatinib proteinuria": ("lenvatinib", "Proteinuria", "", 43, ()),
    "lenvatinib diarrhoea": ("lenvatinib", "Diarrhea", "", 85, ()),
    "lenvatinib fatigue": ("lenvatinib", "Fatigue", "", 21, ()),
    "lenvatinib rash": ("lenvatinib", "Rash maculo-papular", "", 51, ()),
    "lenvatinib PPE": ("lenvatinib", HAND_FOOT, "", 41, ()),
    "lenvatinib hypertension": ("lenvatinib", "Hypertension", "", 26, (7, 60)),
    "lenvatinib hepatic encephalopathy / ammonia rise": ("lenvatinib", "Encephalopathy", "", None, (2,)),
    "ablation pneumothorax": ("ablation", "Pneumothorax", "", 1, (0, 5)),
    "ablation ILD exacerbation": ("ablation", "Pneumonitis", "", 12, (8, 30)),
    "ablation fever/post-ablation syndrome": ("ablation", "Fever", "", None, (0, 10)),
    "ablation infection/abscess/aspergillosis": ("ablation", "Hepatic infection", "liver abscess", None, (10, 180)),
    "ablation diaphragmatic hernia": ("ablation", INJURY_OTHER, "Diaphragmatic hernia", None, (456, 1000)),
    "ablation tract seeding": ("ablation", NEOPLASM_OTHER, "needle tract seeding", None, (180, 365)),
    "ablation adrenal hypertensive crisis": ("ablation", "Hypertension", "", None, (0,)),
}  # fmt: skip
NOT_A_ROW = {
    "all-grade irAE any organ, range of pooled medians": "a range over organs: the windows of the organ classes cite it",
    "diarrhoea/colitis": "15 cases, later than every label; the window of the causality table taken",
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
    not_carried, without_row = set(), set()
    for fact in facts(shared, "ae_profile.csv"):
        term = fact["ctcae_v403_term"]
        if term.startswith("("):
            continue
        for component in fact["component"].split("+"):
            rows = rows_of(component, term)
            if not rows:
                without_row.add((component, term))
            tables = [(r.incidence_any, r.incidence_g3, *r.by_modality.values(), *r.by_drug.values()) for r in rows]
            figures = [figure for table in tables for figure in table if figure is not None]
            for percent in (fact["all_grade_pct"], fact["grade3plus_pct"]):
                if not percent or "-" in percent:
                    continue
                if float(percent) / 100 not in [pytest.approx(figure, abs=1e-12) for figure in figures]:
                    not_carried.add((component, term, percent))
    assert without_row == set()
    assert not_carried == set(NOT_TAKEN)


@pytest.mark.parametrize("component", COMPONENTS)
def test_every_window_of_the_causality_table_is_that_of_a_row(shared: Path, component: str) -> None:
    without_row, without_window, other = [], [], set()
    for fact in facts(shared, "attribution_kb_matrix.csv"):
        term = fact["ctcae_v403_term"]
        rows = rows_of(component, term)
        if not rows:
            without_row.append(term)
        windows = {(row.onset.low, row.onset.high) for row in rows if row.onset}
        for low, high in printed_windows(fact[f"{component}_window_days"]):
            if not any(begin <= high and low <= end for begin, end in windows):
                without_window.append((term, low, high))
            elif (low, high) not in windows:
                other.add((component, term, low, high))
    assert without_row == []
    assert without_window == []
    assert other == {key for key in OTHER_WINDOW if key[0] == component}


def printed_windows(cell: str) -> list[tuple[int, int]]:
    """Windows of a cell of the table in days since exposure; "after the last dose" is the profile's persistence."""
    parts = re.sub(r"\(.*?\)", "", cell).split(";")
    found = [re.search(r"(\d+)(?:-(\d+))?", part) for part in parts if "after" not in part]
    return [(int(match[1]), int(match[2] or match[1])) for match in found if match]


@pytest.mark.parametrize("component", COMPONENTS)
def test_every_median_of_the_causality_table_is_that_of_a_row(shared: Path, component: str) -> None:
    checked = 0
    for fact in facts(shared, "attribution_kb_matrix.csv"):
        median = re.search(r"median ~?(\d+)( wk)?", fact[f"{component}_window_days"])
        if median:
            days = int(median[1]) * (7 if median[2] else 1)
            medians = {row.onset.median for row in rows_of(component, fact["ctcae_v403_term"]) if row.onset}
            assert days in medians, fact["ctcae_v403_term"]
            checked += 1
    assert checked >= 1


def test_every_event_of_the_window_file_is_looked_at(shared: Path) -> None:
    assert {fact["event"] for fact in facts(shared, "onset_windows.csv")} == set(ONSETS) | set(NOT_A_ROW)


@pytest.mark.parametrize("event", ONSETS)
def test_a_window_has_the_printed_median_and_days(event: str) -> None:
    component, name, words, median, inside = ONSETS[event]
    if name in ctcae_v403.socs():
        rows = [row for row in of(component).classes if row.organ_class == name]
    else:
        rows = [of(component).find(name, organ_class=ctcae_v403.term(name).soc, verbatim=words).row]
    (onset,) = [row.onset for row in rows]
    assert onset is not None
    assert onset.median == median or median is None
    for day in inside:
        assert onset.low - 1 <= day <= onset.high + 1  # weeks printed with one decimal, rounded to days


@pytest.mark.parametrize("event", [name for name, row in ONSETS.items() if row[3] is not None])
def test_the_medians_of_the_table_above_are_those_of_the_file(shared: Path, event: str) -> None:
    (fact,) = (fact for fact in facts(shared, "onset_windows.csv") if fact["event"] == event)
    number, unit = re.findall(r"([\d.]+)(?: \(.*?\))?(?: \+/- \d+)? ?(wk|d|h|months)?", from_median(fact["onset_window"]))[0]
    days = float(number) * {"wk": 7, "months": 30, "h": 1 / 24}.get(unit, 1)
    assert days == pytest.approx(ONSETS[event][3], abs=1)


def from_median(window: str) -> str:
    at = re.search(r"median|mean", window)
    return window[at.end() :] if at else window


@pytest.mark.parametrize(("days", "least"), [(240, 0.4), (180, 0.5), (120, 0.6)])
def test_an_antibody_still_acts_months_after_the_last_dose(days: float, least: float) -> None:
    fading = of("pd1").persistence
    assert fading is not None
    assert fading.remaining(days) > least


@pytest.mark.parametrize("cause", ["hcc", "other"])
def test_the_background_answers_for_every_term_of_the_causality_table(shared: Path, cause: str) -> None:
    terms = {fact["ctcae_v403_term"] for fact in facts(shared, "attribution_kb_matrix.csv")}
    known = {row.term for row in of(cause).terms}
    assert sorted(terms - known) == []


def test_every_term_that_the_simulator_and_the_demonstration_have_is_known(shared: Path) -> None:
    written = Path(safety_monitor.simulate.__file__).with_name("simulation.toml").read_text(encoding="utf-8")
    with (shared / "data" / "hcc_synth_demo" / "ae.csv").open(encoding="utf-8", newline="") as file:
        wanted = {row["AEDECOD"] for row in csv.DictReader(file)} | set(tomllib.loads(written)["terms"])
    known = {row.term for name in CAUSES for row in of(name).terms}
    assert sorted(wanted - known) == []


@pytest.mark.parametrize("name", CAUSES)
def test_no_term_of_the_standard_is_without_an_answer(name: str) -> None:
    for term in ctcae_v403.terms():
        assert of(name).find(term.name, organ_class=term.soc, verbatim="").basis in ("term", "class"), term.name


@pytest.mark.parametrize("name", CAUSES)
def test_every_row_is_a_term_of_the_standard_and_has_a_source_in_full(name: str) -> None:
    known, classes = {term.name for term in ctcae_v403.terms()}, {term.soc for term in ctcae_v403.terms()}
    for row in of(name).terms:
        assert row.term in known, row.term
    assert len(of(name).classes) == len(classes)
    assert {row.organ_class for row in of(name).classes} == classes
    for row in (*of(name).terms, *of(name).classes):
        for key in (row.source, row.onset_source):
            assert key is None or len(of(name).sources.get(key, key)) > len(key), (row.term or row.organ_class, key)


@pytest.mark.parametrize("name", CAUSES)
def test_a_figure_of_nobody_else_says_so(name: str) -> None:
    says = re.compile("judgement|no published figure|convention|case reports")
    for row in (*of(name).terms, *of(name).classes, of(name).flat):
        assert row.tier != "judgement" or says.search(of(name).sources.get(row.source, row.source)), (row.term, row.source)


@pytest.mark.parametrize("name", CAUSES)
def test_an_unlisted_term_is_never_commoner_than_the_commonest_one_of_its_class(name: str) -> None:
    commonest: dict[str, float] = {}
    for row in of(name).terms:
        if row.frequency == "not_expected":
            continue
        organ_class = ctcae_v403.term(row.term).soc
        word = 0.0 if row.frequency is None else weights().frequency[row.frequency]
        figure = row.incidence_any or word or (row.incidence_g3 or 0) / weights().grade3_fraction
        commonest[organ_class] = max(commonest.get(organ_class, 0), figure)
    for row in of(name).classes:
        assert row.incidence_any is not None
        assert row.incidence_any <= commonest.get(row.organ_class, 1), row.organ_class


@pytest.mark.parametrize("name", CAUSES)
def test_a_finding_moves_the_odds_within_reason_and_a_published_ratio_is_that_ratio(name: str) -> None:
    for rule in of(name).evidence:
        assert 0.1 <= rule.factor <= 15, rule.what
        assert rule.source in of(name).sources, rule.what
        if rule.tier == "verified" and rule.factor != 1:
            rate, of_all = (float(number) for number in re.findall(r"([\d.]+) %", rule.because))
            assert rule.factor == pytest.approx(rate / of_all, rel=0.01), rule.what


CONDITIONS = [
    ("pd1", "Hepatitis viral", "hbv", "no", -1), ("pd1", "Hepatitis viral", "antiviral", "yes", -1),
    ("pd1", "Hepatitis viral", "antiviral", "no", 1), ("hcc", "Hepatitis viral", "hbv", "no", -1),
    ("hcc", "Alanine aminotransferase increased", "hbv_dna_rise", "yes", 1),
    ("ablation", "Pneumonitis", "ild", "yes", 1),
    ("lenvatinib", "Pneumothorax", "cavitating_metastasis", "yes", 1),
    ("hcc", "Pneumothorax", "cavitating_metastasis", "yes", 1),
    ("pd1", "Hypothyroidism", "prior_thyrotoxicosis", "yes", 1),
    ("lenvatinib", "Hypothyroidism", "prior_thyrotoxicosis", "yes", -1),
    ("ablation", "Hepatic infection", "many_tace", "yes", 1), ("ablation", "Hepatic infection", "many_tace", "no", -1),
    ("ablation", "Adrenal insufficiency", "contralateral_adrenal_loss", "yes", 1),
    ("ablation", "Adrenal insufficiency", "low_acth", "yes", -1), ("pd1", "Adrenal insufficiency", "low_acth", "yes", 1),
    ("ablation", "Adrenal insufficiency", "high_acth", "yes", 1), ("pd1", "Adrenal insufficiency", "high_acth", "yes", -1),
    ("hcc", "Blood bilirubin increased", "portal_vein_thrombosis", "yes", 1),
    ("hcc", "Esophageal varices hemorrhage", "varices", "yes", 1),
    ("ablation", NEOPLASM_OTHER, "needle_track", "yes", 1), ("ablation", "Stroke", "gas_on_ct", "yes", 1),
    ("lenvatinib", "Hoarseness", "vocal_cord_palsy", "yes", -1),
]  # fmt: skip


@pytest.mark.parametrize(("name", "term", "what", "value", "direction"), CONDITIONS)
def test_a_condition_speaks_for_or_against_a_cause(name: str, term: str, what: str, value: str, direction: int) -> None:
    organ_class = ctcae_v403.term(term).soc
    (rule,) = [r for r in of(name).evidence if (r.what, r.value) == (what, value) and r.applies(term, organ_class)]
    assert (rule.factor > 1) is (direction > 0)
    assert rule.factor != 1


@pytest.mark.parametrize(
    ("reported", "term"),
    [
        ("HBV reactivation", "Hepatitis viral"),
        ("Immune-mediated hepatitis", "Hepatobiliary disorders - Other, specify"),
        ("RCCEP of the scalp", SKIN_OTHER),
        ("immune-related pneumonitis", None),
        ("dental abscess", None),
    ],
)  # fmt: skip
def test_what_was_not_coded_is_known_by_words_that_mean_one_thing(reported: str, term: str | None) -> None:
    found = of("pd1").find(reported, organ_class=None, verbatim=reported)
    assert (found.row.term or None) == term


@pytest.mark.parametrize(
    ("reported", "key"),
    [
        ("Camrelizumab for injection", "CAMRELIZUMAB"), ("卡瑞利珠单抗", "CAMRELIZUMAB"), ("IBI308", "SINTILIMAB"),
        ("替雷利珠单抗注射液", "TISLELIZUMAB"), ("toripalimab", "TORIPALIMAB"), ("KEYTRUDA", "PEMBROLIZUMAB"),
        ("Opdivo", "NIVOLUMAB"), ("zimberelimab", "ZIMBERELIMAB"), ("", None),
    ],
)  # fmt: skip
def test_the_substances_of_the_class_are_known_by_their_names_in_use(reported: str, key: str | None) -> None:
    assert of("pd1").substance(reported) == key
