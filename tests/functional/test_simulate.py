"""simulate: a trial as SDTM CSV, the same for the same seed, with the truth beside it."""

from __future__ import annotations

import csv

import pytest

DOMAINS = {"dm", "ae", "suppae", "ex", "pr", "lb", "ds", "vs"}


def test_files_and_their_size(monitor, tmp_path):
    answer = monitor("simulate", "--out", "trial", "--subjects", "6", "--sites", "2", "--seed", "5", "--json")
    assert answer.code == 0
    assert {path.name for path in (tmp_path / "trial").iterdir()} == set(answer.json["files"])
    assert {f"{domain}.csv" for domain in DOMAINS} | {"truth.csv"} <= set(answer.json["files"])
    with (tmp_path / "trial" / "dm.csv").open(encoding="utf-8", newline="") as file:
        subjects = list(csv.DictReader(file))
    assert len({row["SITEID"] for row in subjects}) == 2
    assert len(subjects) >= 6
    assert monitor("simulate", "--out", "again", "--subjects", "6", "--sites", "2", "--seed", "5").code == 0
    assert monitor("simulate", "--out", "other", "--subjects", "6", "--sites", "2", "--seed", "6").code == 0
    ae, again, other = ((tmp_path / name / "ae.csv").read_bytes() for name in ("trial", "again", "other"))
    assert ae == again != other


@pytest.mark.parametrize("wrong", [("--subjects", "0"), ("--sites", "-1"), ("--seed", "x")])
def test_impossible_numbers_are_wrong_usage(monitor, tmp_path, wrong):
    assert monitor("simulate", "--out", "trial", *wrong).code == 2
    assert not (tmp_path / "trial").exists()
