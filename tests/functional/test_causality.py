"""causality: an instrument from file to file, its items, its total, and what is not known."""

from __future__ import annotations

import csv


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_naranjo_by_given_answers(monitor, tmp_path, put_csv):
    answers = {"Q2": "yes", "Q3": "yes", "Q5": "no", "Q10": "yes"}
    put_csv(tmp_path / "in.csv", [{"CASEID": "1", **answers}, {"CASEID": "2", **answers, "Q2": "perhaps"}])
    done = monitor("causality", "naranjo", "in.csv", "--out", "out.csv")
    assert (done.code, "1 of 2 cases scored" in done.out) == (0, True)
    assert "'perhaps' is no answer; use one of yes, no, unknown" in done.err
    (row,) = read(tmp_path / "out.csv")
    assert (row["TOTAL"], row["CATEGORY"], row["LOWEST"], row["HIGHEST"]) == ("6", "probable", "4", "13")
    assert row["UNKNOWN"] == "Q1 Q4 Q6 Q7 Q8 Q9"


def test_naranjo_filled_from_the_columns_of_attribute(monitor, tmp_path, put_csv):
    case = {"CASEID": "1", "AEDECOD": "Diarrhea", "LENVATINIB_EXPOSED": "Y", "LENVATINIB_DAYS_SINCE_FIRST": "60",
            "LENVATINIB_DECHALLENGE": "POSITIVE", "LENVATINIB_RECHALLENGE": "", "OTHER_CAUSE": "N", "Q5": "yes"}  # fmt: skip
    put_csv(tmp_path / "in.csv", [case])
    assert monitor("causality", "naranjo", "in.csv", "--out", "out.csv", "--component", "lenvatinib").code == 0
    (row,) = read(tmp_path / "out.csv")
    assert [row[item] for item in ("Q1", "Q2", "Q3", "Q5")] == ["1", "2", "1", "-1"]  # a person's Q5 goes first
    assert "Q2: 60 d after an exposure" in row["EVIDENCE"]
    refused = monitor("causality", "naranjo", "in.csv", "--out", "out.csv", "--component", "aspirin")
    assert (refused.code, "no columns of component 'aspirin'" in refused.err) == (1, True)


def test_who_umc(monitor, tmp_path, put_csv):
    put_csv(tmp_path / "in.csv", [{"CASEID": "1", "TIME_PLAUSIBLE": "yes", "OTHER_CAUSES": "yes"}])
    done = monitor("causality", "who-umc", "in.csv", "--out", "out.csv", "--json")
    assert done.json["rows_out"] == 1
    (row,) = read(tmp_path / "out.csv")
    assert (row["CATEGORY"], row["NEXT_HIGHER"]) == ("possible", "probable")
    assert "other_causes is yes" in row["FAILS"]


def test_rucam_by_its_ratio(monitor, tmp_path, put_csv):
    liver = {"ONSET": "suggestive", "COURSE": "fall_half_8_days", "AGE": "yes", "ALTERNATIVES": "group_one_excluded"}
    put_csv(tmp_path / "in.csv", [
        {"CASEID": "1", "ALT_X_ULN": "10", "ALP_X_ULN": "1", **liver},
        {"CASEID": "2", "ALT_X_ULN": "", "ALP_X_ULN": "", **liver},
    ])  # fmt: skip
    done = monitor("causality", "rucam", "in.csv", "--out", "out.csv")
    assert "so the form is not known" in done.err
    (row,) = read(tmp_path / "out.csv")
    assert (row["FORM"], row["TOTAL"], row["CATEGORY"]) == ("hepatocellular", "7", "probable")
