"""The synthetic trial as its readers meet it: files, keys, truth, consequences, planted faults."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
import yaml

import ctcae_v403 as ctcae
from safety_monitor.simulate import simulate
from safety_monitor.study import StudySettings
from safety_monitor.vocabulary import ActionTaken, Outcome

Rows = list[dict[str, str]]
Trial = dict[str, Rows]

DOMAINS = ["dm", "ae", "suppae", "ex", "pr", "lb", "vs", "eg", "cm", "rs", "mh", "ds", "sc", "dv", "ie"]
CAUSES = {"ABLATION", "LENVATINIB", "PD1", "DISEASE", "OTHER"}


def read(folder: Path) -> Trial:
    found: Trial = {}
    for path in folder.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            found[path.stem] = list(csv.DictReader(file))
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dirty")
    simulate(out)
    return out


@pytest.fixture(scope="module")
def dirty(folder: Path) -> Trial:
    return read(folder)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    out = tmp_path_factory.mktemp("clean")
    simulate(out, dirty=False)
    return read(out)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    out = tmp_path_factory.mktemp("large")
    simulate(out, subjects=120, sites=6, seed=7, dirty=False)
    return read(out)


def by(rows: Rows, *keys: str) -> dict[tuple[str, ...], Rows]:
    found: dict[tuple[str, ...], Rows] = {}
    for row in rows:
        found.setdefault(tuple(row[key] for key in keys), []).append(row)
    return found


def planted(trial: Trial, fault: str) -> Rows:
    return [row for row in trial["planted"] if row["FAULT"] == fault]


def at(trial: Trial, plant: dict[str, str]) -> Rows:
    """The rows that a line of planted.csv speaks of."""
    name = Path(plant["FILE"]).stem
    seq = f"{name.upper()}SEQ"
    return [
        row
        for row in trial[name]
        if row["USUBJID"] == plant["USUBJID"] and (not plant["SEQ"] or row[seq] == plant["SEQ"])
    ]


# -- the same seed is the same trial ---------------------------------------------------------------------------
def test_same_seed_gives_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    first = simulate(tmp_path / "a", subjects=8, sites=3, seed=5)
    call = "import sys, pathlib, safety_monitor.simulate as s; s.simulate(pathlib.Path(sys.argv[1]), subjects=8, sites=3, seed=5)"
    subprocess.run([sys.executable, "-c", call, str(tmp_path / "b")], check=True)
    for path in first:
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_another_seed_gives_another_trial(tmp_path: Path) -> None:
    simulate(tmp_path / "a", subjects=4, seed=5)
    simulate(tmp_path / "b", subjects=4, seed=6)
    assert (tmp_path / "a" / "ae.csv").read_bytes() != (tmp_path / "b" / "ae.csv").read_bytes()


@pytest.mark.parametrize(("subjects", "sites"), [(1, 1), (2, 1), (3, 4), (9, 12)])
def test_small_trials_have_as_many_subjects_as_asked_for(tmp_path: Path, subjects: int, sites: int) -> None:
    simulate(tmp_path, subjects=subjects, sites=sites)
    trial = read(tmp_path)
    assert len(trial["dm"]) == subjects
    assert len({row["SITEID"] for row in trial["dm"]}) == min(subjects, sites)
    assert trial["pr"], "somebody is treated"


@pytest.mark.parametrize("wrong", [{"subjects": 0}, {"sites": 0}, {"seed": -1}])
def test_refuses_what_it_cannot_simulate(tmp_path: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="cannot simulate"):
        simulate(tmp_path, **wrong)  # type: ignore[arg-type]


# -- files and columns -----------------------------------------------------------------------------------------
def test_writes_every_file_and_returns_its_path(tmp_path: Path) -> None:
    paths = simulate(tmp_path, subjects=3)
    names = {f"{name}.csv" for name in [*DOMAINS, "truth", "sae_receipt", "planted"]} | {"study.yaml"}
    assert {path.name for path in paths} == names == {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize("domain", [d for d in DOMAINS if d not in {"dm", "suppae"}])
def test_rows_are_keyed_and_numbered(clean: Trial, domain: str) -> None:
    seq, rows = f"{domain.upper()}SEQ", clean[domain]
    assert rows
    assert {(r["STUDYID"], r["DOMAIN"]) for r in rows} == {("HCC-SIM-01", domain.upper())}
    for (usubjid,), mine in by(rows, "USUBJID").items():
        assert [int(r[seq]) for r in mine] == list(range(1, len(mine) + 1)), usubjid


@pytest.mark.parametrize(
    ("domain", "columns"),
    [
        ("dm", "USUBJID SITEID AGE SEX RACE COUNTRY RFICDTC RFXSTDTC RFXENDTC DTHDTC DTHFL ACTARMCD"),
        (
            "ae",
            "AETERM AEDECOD AEBODSYS AETOXGR AESER AEREL AEACN AEOUT AECONTRT AESTDTC AEENDTC AESDTH AESLIFE AESHOSP",
        ),
        (
            "lb",
            "LBTESTCD LBSPEC LBORRES LBORRESU LBSTRESC LBSTRESN LBSTRESU LBSTNRLO LBSTNRHI LBBLFL VISIT LBDTC",
        ),
        ("ex", "EXTRT EXDOSE EXDOSU EXDOSFRQ EXSTDTC EXENDTC"),
        ("pr", "PRTRT PRLOC PRSTDTC"),
        ("suppae", "IDVAR IDVARVAL QNAM QVAL"),
    ],
)
def test_columns(clean: Trial, domain: str, columns: str) -> None:
    assert set(columns.split()) <= set(clean[domain][0])


@pytest.mark.parametrize(
    ("domain", "variable", "codes"),
    [
        ("vs", "VSTESTCD", {"SYSBP", "DIABP", "TEMP", "WEIGHT"}),
        ("eg", "EGTESTCD", {"QTCFAG"}),
        ("rs", "RSTESTCD", {"OVRLRESP"}),
        ("pr", "PRLOC", {"LUNG", "LIVER", "ADRENAL", "BONE", "NODE"}),
        ("pr", "PRTRT", {"MICROWAVE ABLATION", "RADIOFREQUENCY ABLATION", "CRYOABLATION"}),
        ("ex", "EXTRT", {"LENVATINIB", "SINTILIMAB", "CAMRELIZUMAB", "TISLELIZUMAB"}),
        ("dm", "COUNTRY", {"CHN", "DEU"}),
        ("dm", "ACTARMCD", {"ALP", "SCRNFAIL", "NOTTRT"}),
    ],
)
def test_values_are_those_of_the_trial(large: Trial, domain: str, variable: str, codes: set[str]) -> None:
    assert {row[variable] for row in large[domain]} == codes


def test_study_settings_are_valid_and_match_the_data(folder: Path, dirty: Trial) -> None:
    settings = StudySettings.of(yaml.safe_load((folder / "study.yaml").read_text(encoding="utf-8")))
    assert settings.study.cutoff == date(2026, 6, 30)
    assert [c.relatedness for c in settings.components] == ["RELABL", "RELLEN", "RELPD1"]
    assert {c.relatedness for c in settings.components} <= {row["QNAM"] for row in dirty["suppae"]}
    treatments = {row["EXTRT"] for row in dirty["ex"]} | {row["PRTRT"] for row in dirty["pr"]}
    assert all(any(c.matches(t) for c in settings.components) for t in treatments)
    assert settings.stopping[0].event == "related_grade_ge4"


# -- references ------------------------------------------------------------------------------------------------
def test_every_row_belongs_to_a_subject_except_the_planted_one(dirty: Trial) -> None:
    known = {row["USUBJID"] for row in dirty["dm"]}
    strangers = {row["USUBJID"] for name in DOMAINS for row in dirty[name]} - known
    assert strangers == {row["VALUE"] for row in planted(dirty, "subject not in DM")}


def test_supplemental_qualifiers_and_truth_match_the_events(clean: Trial) -> None:
    events = {(r["USUBJID"], r["AESEQ"]): r["AEDECOD"] for r in clean["ae"]}
    assert {(r["USUBJID"], r["AESEQ"]): r["AEDECOD"] for r in clean["truth"]} == events
    assert {r["CAUSE"] for r in clean["truth"]} == CAUSES
    qualifiers = by(clean["suppae"], "USUBJID", "IDVARVAL")
    assert set(qualifiers) == set(events)
    assert all(
        {"RELABL", "RELLEN", "RELPD1", "AEIRFL"} <= {r["QNAM"] for r in rows} for rows in qualifiers.values()
    )


def test_aerel_is_the_investigators_opinion_of_any_component(clean: Trial) -> None:
    opinions = by([r for r in clean["suppae"] if r["QNAM"].startswith("REL")], "USUBJID", "IDVARVAL")
    for row in clean["ae"]:
        mine = {r["QVAL"] for r in opinions[row["USUBJID"], row["AESEQ"]]}
        assert row["AEREL"] == ("Y" if "Y" in mine else "N")


def test_investigators_agree_with_the_truth_often_but_not_always(large: Trial) -> None:
    opinion = {(r["USUBJID"], r["IDVARVAL"], r["QNAM"]): r["QVAL"] for r in large["suppae"]}
    for cause, name in (("ABLATION", "RELABL"), ("LENVATINIB", "RELLEN"), ("PD1", "RELPD1")):
        caused = [opinion[r["USUBJID"], r["AESEQ"], name] for r in large["truth"] if r["CAUSE"] == cause]
        others = [opinion[r["USUBJID"], r["AESEQ"], name] for r in large["truth"] if r["CAUSE"] != cause]
        assert 0.75 < caused.count("Y") / len(caused) < 0.98, cause
        assert 0.02 < others.count("Y") / len(others) < 0.35, cause


# -- the standard ----------------------------------------------------------------------------------------------
def test_terms_classes_and_grades_are_those_of_the_standard(large: Trial) -> None:
    for row in large["ae"]:
        term = ctcae.term(row["AEDECOD"])
        assert row["AEBODSYS"] == term.soc
        assert int(row["AETOXGR"]) in term.grades, row["AEDECOD"]


def test_words_are_those_of_the_codelists(large: Trial) -> None:
    assert {r["AEACN"] for r in large["ae"]} <= set(ActionTaken)
    assert {r["AEOUT"] for r in large["ae"]} <= set(Outcome)


def test_serious_means_a_criterion(clean: Trial) -> None:
    criteria = ["AESDTH", "AESLIFE", "AESHOSP", "AESDISAB", "AESCONG", "AESMIE"]
    for row in clean["ae"]:
        assert (row["AESER"] == "Y") == any(row[c] == "Y" for c in criteria)
        assert (row["AESDTH"] == "Y") == (row["AETOXGR"] == "5") == (row["AEOUT"] == "FATAL")


# -- consequences ----------------------------------------------------------------------------------------------
def actions(trial: Trial, qualifier: str, action: str) -> Iterator[tuple[str, date]]:
    """Subject and onset of each event at which *action* was taken with the drug of *qualifier*."""
    onset = {(r["USUBJID"], r["AESEQ"]): date.fromisoformat(r["AESTDTC"]) for r in trial["ae"]}
    for r in trial["suppae"]:
        if r["QNAM"] == qualifier and r["QVAL"] == action:
            yield r["USUBJID"], onset[r["USUBJID"], r["IDVARVAL"]]


def doses(trial: Trial, usubjid: str, qualifier: str) -> list[tuple[date, date, int]]:
    return [
        (date.fromisoformat(r["EXSTDTC"]), date.fromisoformat(r["EXENDTC"]), int(r["EXDOSE"]))
        for r in trial["ex"]
        if r["USUBJID"] == usubjid and (r["EXTRT"] == "LENVATINIB") == (qualifier == "ACNLEN")
    ]


@pytest.mark.parametrize("qualifier", ["ACNLEN", "ACNPD1"])
def test_a_withdrawn_drug_is_not_given_again(large: Trial, qualifier: str) -> None:
    cases = list(actions(large, qualifier, "DRUG WITHDRAWN"))
    assert cases
    for usubjid, onset in cases:
        assert all(end < onset for _, end, _ in doses(large, usubjid, qualifier)), (usubjid, onset)


@pytest.mark.parametrize("qualifier", ["ACNLEN", "ACNPD1"])
def test_an_interrupted_drug_is_not_given_at_onset(large: Trial, qualifier: str) -> None:
    cases = list(actions(large, qualifier, "DRUG INTERRUPTED"))
    assert cases
    for usubjid, onset in cases:
        given = doses(large, usubjid, qualifier)
        assert given
        assert not any(start <= onset <= end for start, end, _ in given), (usubjid, onset)
        if qualifier == "ACNPD1":
            gap = [s for s, _, _ in given if s > onset] and [e for _, e, _ in given if e < onset]
            resumed = min((s for s, _, _ in given if s > onset), default=None)
            assert not gap or resumed is None or resumed - max(gap) > timedelta(days=21), (usubjid, onset)


def test_a_reduced_dose_is_lower_afterwards(large: Trial) -> None:
    cases = list(actions(large, "ACNLEN", "DOSE REDUCED"))
    assert cases
    for usubjid, onset in cases:
        given = doses(large, usubjid, "ACNLEN")
        before = [mg for start, _, mg in given if start < onset][-1]
        after = next(mg for start, _, mg in given if start > onset)
        assert (before, after) in {(12, 8), (8, 4), (12, 4)}


def test_lenvatinib_starts_by_weight_and_only_falls(large: Trial) -> None:
    weights = {r["USUBJID"]: float(r["VSSTRESN"]) for r in reversed(large["vs"]) if r["VSTESTCD"] == "WEIGHT"}
    for (usubjid,), rows in by([r for r in large["ex"] if r["EXTRT"] == "LENVATINIB"], "USUBJID").items():
        given = [int(r["EXDOSE"]) for r in rows]
        assert given == sorted(given, reverse=True)
        if abs(weights[usubjid] - 60) > 3:  # the scales differ a little from the weight that was dosed by
            assert given[0] == (12 if weights[usubjid] >= 60 else 8)


def test_one_pd1_inhibitor_for_each_site(large: Trial) -> None:
    site = {r["USUBJID"]: r["SITEID"] for r in large["dm"]}
    used = Counter((site[r["USUBJID"]], r["EXTRT"]) for r in large["ex"] if r["EXTRT"] != "LENVATINIB")
    assert len(used) == len({s for s, _ in used}) == 6


def test_death_ends_everything(large: Trial) -> None:
    died = {r["USUBJID"]: r["DTHDTC"] for r in large["dm"] if r["DTHFL"] == "Y"}
    assert died
    assert set(died) == {
        r["USUBJID"] for r in large["ds"] if r["DSDECOD"] == "DEATH" and r["DSCAT"] == "OTHER EVENT"
    }
    assert {r["USUBJID"] for r in large["ae"] if r["AEOUT"] == "FATAL"} <= set(died)
    for name in DOMAINS:
        for row in large[name]:
            if (limit := died.get(row["USUBJID"])) is not None:
                dates = [v for k, v in row.items() if k.endswith("DTC") and v]
                assert all(v <= limit for v in dates), (name, row)


def test_nothing_happens_before_consent_or_after_the_cutoff(large: Trial) -> None:
    consent = {r["USUBJID"]: r["RFICDTC"] for r in large["dm"]}
    for name in [d for d in DOMAINS if d not in {"mh", "cm"}]:
        for row in large[name]:
            dates = [v for k, v in row.items() if k.endswith("DTC") and v]
            assert all(consent[row["USUBJID"]] <= v <= "2026-06-30" for v in dates), (name, row)


def test_only_the_treated_have_treatment_and_events(clean: Trial) -> None:
    arms = {r["USUBJID"]: r["ACTARMCD"] for r in clean["dm"]}
    assert Counter(arms.values()) == {"ALP": 36, "SCRNFAIL": 3, "NOTTRT": 1}
    for name in ("ae", "ex", "pr", "rs"):
        assert {arms[r["USUBJID"]] for r in clean[name]} == {"ALP"}


def test_first_and_last_treatment_are_those_of_the_records(large: Trial) -> None:
    given = [(r["USUBJID"], r["EXSTDTC"], r["EXENDTC"]) for r in large["ex"]]
    given += [(r["USUBJID"], r["PRSTDTC"], r["PRENDTC"]) for r in large["pr"]]
    for row in large["dm"]:
        mine = [g for g in given if g[0] == row["USUBJID"]]
        assert row["RFXSTDTC"] == min((g[1] for g in mine), default="")
        assert row["RFXENDTC"] == max((g[2] for g in mine), default="")


def test_a_steroid_follows_only_what_is_called_immune_related(large: Trial) -> None:
    immune = {
        (r["USUBJID"], r["IDVARVAL"]) for r in large["suppae"] if (r["QNAM"], r["QVAL"]) == ("AEIRFL", "Y")
    }
    terms = {
        (r["USUBJID"], r["AEDECOD"], r["AESTDTC"])
        for r in large["ae"]
        if (r["USUBJID"], r["AESEQ"]) in immune
    }
    steroids = [r for r in large["cm"] if r["CMTRT"] in {"PREDNISONE", "METHYLPREDNISOLONE"}]
    assert steroids
    assert {(r["USUBJID"], r["CMINDC"], r["CMSTDTC"]) for r in steroids} <= terms


@pytest.mark.parametrize(
    ("term", "code", "grade", "low", "high"),
    [
        ("Platelet count decreased", "PLAT", "3", 25, 50),
        ("Aspartate aminotransferase increased", "AST", "3", 5 * 35, 20 * 50),
        ("Blood bilirubin increased", "BILI", "3", 3 * 20.5, 10 * 20.5),
        ("Hypokalemia", "K", "3", 2.5, 3.0),
        ("Hypothyroidism", "TSH", "2", 4.2, 200),
        ("Proteinuria", "PROT", "3", 3.5, 20),
    ],
)
def test_the_laboratory_shows_the_event(
    large: Trial, term: str, code: str, grade: str, low: float, high: float
) -> None:
    values = {(r["USUBJID"], r["LBDTC"]): float(r["LBSTRESN"]) for r in large["lb"] if r["LBTESTCD"] == code}
    found = [
        values[r["USUBJID"], r["AESTDTC"]]
        for r in large["ae"]
        if r["AEDECOD"] == term and r["AETOXGR"] == grade
    ]
    assert found
    inside = [low <= value <= high for value in found]
    assert sum(inside) >= 0.8 * len(inside), found


def test_baseline_is_one_row_before_treatment(clean: Trial) -> None:
    first = {r["USUBJID"]: r["RFXSTDTC"] for r in clean["dm"]}
    for (usubjid, code), rows in by(clean["lb"], "USUBJID", "LBTESTCD").items():
        flagged = [r for r in rows if r["LBBLFL"] == "Y"]
        assert len(flagged) == (1 if first[usubjid] else 0), (usubjid, code)
        assert all(r["LBDTC"] < first[usubjid] for r in flagged)


# -- what the demonstration shows ------------------------------------------------------------------------------
def test_the_default_trial_has_a_safety_boards_worth_of_events(dirty: Trial) -> None:
    assert len(dirty["dm"]) == 40
    assert 10 <= sum(r["AESER"] == "Y" for r in dirty["ae"]) <= 15
    assert 2 <= sum(r["DTHFL"] == "Y" for r in dirty["dm"]) <= 4


def test_at_least_two_hys_law_candidates(dirty: Trial) -> None:
    peaks: dict[str, dict[str, float]] = {}
    for r in dirty["lb"]:
        if r["LBBLFL"] != "Y" and r["LBSTRESN"] and r["LBTESTCD"] in {"ALT", "AST", "BILI"}:
            times = float(r["LBSTRESN"]) / float(r["LBSTNRHI"])
            mine = peaks.setdefault(r["USUBJID"], {"ALT": 0.0, "AST": 0.0, "BILI": 0.0})
            mine[r["LBTESTCD"]] = max(mine[r["LBTESTCD"]], times)
    assert sum(max(p["ALT"], p["AST"]) >= 3 and p["BILI"] >= 2 for p in peaks.values()) >= 2


def test_related_grade_4_comes_early_enough_to_near_a_boundary(dirty: Trial) -> None:
    order = [u for _, u in sorted((r["RFXSTDTC"], r["USUBJID"]) for r in dirty["dm"] if r["RFXSTDTC"])]
    hit = {r["USUBJID"] for r in dirty["ae"] if r["AETOXGR"] in {"4", "5"} and r["AEREL"] == "Y"}
    counts = [sum(u in hit for u in order[:n]) for n in (4, 6, 8)]
    # Pocock bounds for p0 = 0.15, phi = 0.05, 60 subjects: 4 of 4 to 6, 5 of 7 to 10.
    assert counts[2] == 4
    assert counts[0] < 4
    assert counts[1] < 4


def test_receipts_belong_to_serious_events_and_carry_offsets(dirty: Trial) -> None:
    serious = {(r["USUBJID"], r["AESEQ"]): r["AESTDTC"] for r in dirty["ae"] if r["AESER"] == "Y"}
    assert dirty["sae_receipt"]
    for r in dirty["sae_receipt"]:
        site, sponsor = (datetime.fromisoformat(r[c]) for c in ("SITE_AWARE_AT", "SPONSOR_AWARE_AT"))
        assert site.tzinfo is not None
        assert site < sponsor
        assert site.date().isoformat() >= serious[r["USUBJID"], r["AESEQ"]]
    assert len({r["SITE_AWARE_AT"][-6:] for r in dirty["sae_receipt"]}) > 1, "one site is in another zone"


# -- planted faults --------------------------------------------------------------------------------------------
FAULTS = {
    "local unit": 5,
    "misspelt term": 8,  # wording and code of each
    "Chinese term": 2,
    "non-numeric grade": 1,
    "impossible date": 1,
    "criterion without AESER": 2,
    "AESER without criterion": 2,
    "partial date": 4,
    "missing grade": 4,
    "end before start": 2,  # start and end
    "duplicate key": 1,
    "qualified result": 3,
    "unknown sex": 1,
    "subject not in DM": 1,
}


def test_a_clean_trial_has_no_planted_fault(clean: Trial) -> None:
    assert clean["planted"] == []
    assert all(r["LBORRESU"] == r["LBSTRESU"] for r in clean["lb"])
    assert {r["SEX"] for r in clean["dm"]} <= {"M", "F"}
    assert all(r["AEDECOD"] and r["AETOXGR"] and r["AESTDTC"] for r in clean["ae"])


def test_the_list_of_planted_faults_is_complete(dirty: Trial) -> None:
    assert Counter(r["FAULT"] for r in dirty["planted"]) == FAULTS


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_every_planted_fault_is_there(dirty: Trial, fault: str) -> None:
    for plant in planted(dirty, fault):
        assert any(row[plant["VARIABLE"]] == plant["VALUE"] for row in at(dirty, plant)), plant
        assert plant["VALUE"] != plant["WAS"]


def test_faults_do_what_their_names_say(dirty: Trial) -> None:
    def one(fault: str) -> dict[str, str]:
        return at(dirty, planted(dirty, fault)[0])[0]

    backwards = one("end before start")
    assert backwards["AEENDTC"] < backwards["AESTDTC"]
    assert one("criterion without AESER")["AESER"] == "N"
    assert all(one("AESER without criterion")[c] == "" for c in ("AESDTH", "AESLIFE", "AESHOSP", "AESMIE"))
    assert len(at(dirty, planted(dirty, "duplicate key")[0])) == 2
    assert {len(r["VALUE"]) for r in planted(dirty, "partial date")} == {0, 4, 7}
    assert one("impossible date")["AESTDTC"] == "2026-02-30"
    assert one("misspelt term")["AEDECOD"] == ""
    written = {r["VALUE"] for r in planted(dirty, "qualified result")}
    assert written == {"<0.2", ">1000", "HEMOLYZED"}
    assert all(at(dirty, r)[0]["LBSTRESN"] == "" for r in planted(dirty, "qualified result"))


def test_local_units_agree_with_the_standard_columns(dirty: Trial) -> None:
    factors = {
        "mg/dL": {"BILI": 0.05848, "CREAT": 0.01131},
        "g/dL": {"ALB": 0.1, "HGB": 0.1},
        "10^3/uL": {"PLAT": 1},
    }
    local = [r for r in dirty["lb"] if r["LBORRESU"] != r["LBSTRESU"]]
    assert {r["USUBJID"].split("-")[3] for r in local} == {"03"}
    for r in local:
        factor = factors[r["LBORRESU"]][r["LBTESTCD"]]
        assert float(r["LBSTRESN"]) * factor == pytest.approx(float(r["LBORRES"]), rel=0.02)
